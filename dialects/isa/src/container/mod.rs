//! The binary form of a program: an ELF file with one section per part and a checksum for each.
//!
//! Equal programs give equal bytes, and every accepted file is exactly the encoding of its program.

mod elf;
mod error;

use sha2::{Digest, Sha256};

use crate::Instr;
use crate::codec;
use crate::machine::Machine;
use crate::meaning::{Codes, Meaning, State};
use crate::program::{InstrMeta, IoDesc, Layer, Manifest, Program};
use crate::types::Dtype;
use crate::wire::{Reader, WireError, Writer};

use elf::{DATA, SECTIONS};
pub use elf::{EM_DPU, FORMAT_VERSION, MAX_FILE};
pub use error::ContainerError;

/// Bytes of an instruction's origin.
const META_BYTES: usize = 8;

/// Bytes that a program takes at most: a word of code may be an instruction, and lists grow by doubling.
fn memory_bytes(code: &[u8], consts: &[u8], lists: &[&[u8]]) -> u64 {
    const WORD: usize = 8;
    /// Upper bound on the memory of a list entry, as a multiple of its bytes in the file.
    const ENTRY: usize = 16;
    let instrs = (code.len() / WORD).saturating_mul(2 * size_of::<Instr>());
    let lists = lists.iter().fold(0, |sum: usize, list| sum.saturating_add(list.len().saturating_mul(ENTRY)));
    instrs.saturating_add(consts.len()).saturating_add(lists) as u64
}

impl Program {
    /// The binary form. The program need not be valid, but its fields must be encodable.
    ///
    /// # Errors
    /// When a field is outside its range, origins and instructions differ in number, the machine description is
    /// not legal, or the length of a list or text exceeds 32 bits.
    pub fn to_elf(&self) -> Result<Vec<u8>, ContainerError> {
        self.machine.check()?;
        self.check_lengths()?;
        let code = codec::encode(&self.instrs).map_err(|(index, error)| ContainerError::Encode {
            index,
            mnemonic: self.instrs.get(index).map_or("", |i| i.mnemonic()),
            error,
        })?;
        let machine = self.machine.canonical();
        let (manifest, io, layers, locs) = (self.manifest(), self.io(), self.layers(), self.locs());
        let mut meta = Vec::with_capacity(self.meta.len() * META_BYTES);
        for InstrMeta { layer, loc } in &self.meta {
            meta.extend_from_slice(&layer.to_le_bytes());
            meta.extend_from_slice(&loc.to_le_bytes());
        }
        let version = if self.omits_masks() { FORMAT_VERSION } else { 1 + u8::from(self.has_meaning()) };
        elf::write(version, &[machine.as_bytes(), &manifest, &io, &layers, &locs, &code, &meta, &self.consts])
    }

    /// Reads the binary form. The program is decoded, not validated: see [`Program::validate`].
    ///
    /// # Errors
    /// When the file is not exactly the output of [`Program::to_elf`] for some program.
    pub fn from_elf(bytes: &[u8]) -> Result<Program, ContainerError> {
        Program::from_elf_within(bytes, u64::MAX)
    }

    /// As [`Program::from_elf`], if the program takes at most `room` bytes of memory in addition to those of the
    /// file.
    ///
    /// # Errors
    /// As [`Program::from_elf`], and when the program would take more.
    pub fn from_elf_within(bytes: &[u8], room: u64) -> Result<Program, ContainerError> {
        let (version, sections) = elf::read(bytes)?;
        let [machine, manifest, io, layers, locs, code, meta, consts] = sections;
        let needed = memory_bytes(code, consts, &[manifest, io, layers, locs, meta]);
        if needed > room {
            return Err(ContainerError::Room { needed, room });
        }
        let machine = read_machine(machine)?;
        let (dram_bytes, manifest) = read_section(1, manifest, |r| read_manifest(r, &machine))?;
        let manifest = manifest.ok_or(ContainerError::Fingerprint)?;
        let (inputs, outputs) = read_section(2, io, |r| {
            let mut lists = (r.list(17, read_io)?, r.list(17, read_io)?);
            if version > 1 {
                read_meanings(r, &mut lists, version)?;
            }
            Ok(lists)
        })?;
        let layers = read_section(3, layers, |r| r.list(20, read_layer))?;
        let locs = read_section(4, locs, |r| r.list(4, Reader::text))?;
        let meta = read_section(6, meta, |r| {
            let mut out = Vec::with_capacity(meta.len() / META_BYTES);
            while r.pos() < meta.len() {
                out.push(InstrMeta { layer: r.u32()?, loc: r.u32()? });
            }
            Ok(out)
        })?;
        let instrs = codec::decode(code)?;
        if meta.len() != instrs.len() {
            return Err(ContainerError::MetaCount { got: meta.len(), expected: instrs.len() });
        }
        let program = Program {
            machine,
            instrs,
            meta,
            locs,
            layers,
            consts: consts.to_vec(),
            dram_bytes,
            inputs,
            outputs,
            manifest,
        };
        match (program.omits_masks(), version) {
            (true, FORMAT_VERSION) | (false, ..FORMAT_VERSION) => Ok(program),
            (true, _) => Err(ContainerError::OldMasks(version)),
            (false, _) => Err(ContainerError::NoneOmitted(version)),
        }
    }

    fn check_lengths(&self) -> Result<(), ContainerError> {
        let (got, expected) = (self.meta.len(), self.instrs.len());
        if got != expected {
            return Err(ContainerError::MetaCount { got, expected });
        }
        let fit = |what, got: usize| match u32::try_from(got) {
            Ok(_) => Ok(()),
            Err(_) => Err(ContainerError::TooLong { what, got }),
        };
        fit("locations", self.locs.len())?;
        fit("layers", self.layers.len())?;
        fit("inputs", self.inputs.len())?;
        fit("outputs", self.outputs.len())?;
        let manifest = [&self.manifest.tool, &self.manifest.pipeline, &self.manifest.input_sha256];
        let names = self.layers.iter().flat_map(|l| [&l.name, &l.op]).chain(&self.locs).chain(manifest);
        for text in names {
            fit("text", text.len())?;
        }
        for io in self.inputs.iter().chain(&self.outputs) {
            fit("name", io.name.len())?;
            fit("shape", io.shape.len())?;
        }
        Ok(())
    }

    fn manifest(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u64(self.dram_bytes);
        w.0.extend_from_slice(&Sha256::digest(self.machine.canonical()));
        w.text(&self.manifest.tool);
        w.text(&self.manifest.pipeline);
        w.text(&self.manifest.input_sha256);
        w.0
    }

    fn io(&self) -> Vec<u8> {
        let mut w = Writer::default();
        for list in [&self.inputs, &self.outputs] {
            w.len(list.len());
            for io in list {
                w.text(&io.name);
                w.u8(io.dtype as u8);
                w.len(io.shape.len());
                io.shape.iter().for_each(|&d| w.u64(d));
                w.u64(io.addr);
            }
        }
        let meanings = self.inputs.iter().chain(&self.outputs).map(|io| &io.meaning);
        meanings
            .filter(|_| self.has_meaning() || self.omits_masks())
            .for_each(|meaning| write_meaning(&mut w, meaning));
        w.0
    }

    /// Whether the meaning of any input or output is known.
    fn has_meaning(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).any(|io| !io.meaning.is_unknown())
    }

    fn layers(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.len(self.layers.len());
        for layer in &self.layers {
            w.text(&layer.name);
            w.text(&layer.op);
            w.u32(layer.loc);
            w.u64(layer.macs);
        }
        w.0
    }

    fn locs(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.len(self.locs.len());
        self.locs.iter().for_each(|loc| w.text(loc));
        w.0
    }
}

fn read_machine(bytes: &[u8]) -> Result<Machine, ContainerError> {
    let text = std::str::from_utf8(bytes).map_err(|e| ContainerError::Contents {
        section: SECTIONS[0],
        offset: e.valid_up_to() as u64,
        error: WireError::Utf8,
    })?;
    let machine = Machine::from_toml(text)?;
    if machine.canonical() == text { Ok(machine) } else { Err(ContainerError::MachineForm) }
}

/// Reads a whole section, and locates errors in it.
fn read_section<T>(
    index: usize,
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<T, ContainerError> {
    let mut reader = Reader::new(bytes);
    let result = read(&mut reader).and_then(|value| reader.finish().map(|()| value));
    result.map_err(|error| ContainerError::Contents {
        section: SECTIONS.get(index.min(DATA)).copied().unwrap_or_default(),
        offset: reader.pos() as u64,
        error,
    })
}

/// DRAM size, and the manifest unless the fingerprint is another machine's.
fn read_manifest(r: &mut Reader<'_>, machine: &Machine) -> Result<(u64, Option<Manifest>), WireError> {
    let dram_bytes = r.u64()?;
    let same = r.take(32)? == Sha256::digest(machine.canonical()).as_slice();
    let manifest = Manifest { tool: r.text()?, pipeline: r.text()?, input_sha256: r.text()? };
    Ok((dram_bytes, same.then_some(manifest)))
}

fn read_io(r: &mut Reader<'_>) -> Result<IoDesc, WireError> {
    let name = r.text()?;
    let code = r.u8()?;
    let dtype = Dtype::from_index(usize::from(code)).ok_or(WireError::Dtype(code))?;
    Ok(IoDesc { name, dtype, shape: r.list(8, Reader::u64)?, addr: r.u64()?, meaning: Meaning::default() })
}

/// Bits of the flags in front of a meaning.
const CODES: u8 = 1;
const UNSIGNED: u8 = 2;
const STATE: u8 = 4;
const BOOLEAN: u8 = 8;

fn write_meaning(w: &mut Writer, meaning: &Meaning) {
    let Meaning { codes, unsigned, boolean, state } = meaning;
    let flags =
        [(codes.is_some(), CODES), (*unsigned, UNSIGNED), (state.is_some(), STATE), (*boolean, BOOLEAN)];
    w.u8(flags.iter().filter(|(given, _)| *given).map(|(_, bit)| bit).sum());
    if let Some(Codes { scale, zero_point }) = codes {
        w.u64(scale.to_bits());
        w.u32(zero_point.cast_unsigned());
    }
    if let Some(State { output, initial }) = state {
        w.u32(*output);
        w.u32(initial.cast_unsigned());
    }
}

fn read_meanings(
    r: &mut Reader<'_>,
    (inputs, outputs): &mut (Vec<IoDesc>, Vec<IoDesc>),
    version: u8,
) -> Result<(), WireError> {
    let mut known = version == FORMAT_VERSION;
    for io in inputs.iter_mut().chain(outputs) {
        let flags = r.u8()?;
        if flags & !(CODES | UNSIGNED | STATE | BOOLEAN) != 0 {
            return Err(WireError::Flags(flags));
        }
        if flags & CODES != 0 {
            let codes = Codes { scale: f64::from_bits(r.u64()?), zero_point: r.u32()?.cast_signed() };
            if !codes.is_legal() {
                return Err(WireError::Scale(codes.scale.to_string()));
            }
            io.meaning.codes = Some(codes);
        }
        io.meaning.unsigned = flags & UNSIGNED != 0;
        io.meaning.boolean = flags & BOOLEAN != 0;
        if flags & STATE != 0 {
            io.meaning.state = Some(State { output: r.u32()?, initial: r.u32()?.cast_signed() });
        }
        known |= flags != 0;
    }
    if known { Ok(()) } else { Err(WireError::NoMeaning) }
}

fn read_layer(r: &mut Reader<'_>) -> Result<Layer, WireError> {
    Ok(Layer { name: r.text()?, op: r.text()?, loc: r.u32()?, macs: r.u64()? })
}
