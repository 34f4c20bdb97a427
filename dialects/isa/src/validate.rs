//! The validator: the rules for a program beyond the ranges of single fields.
//!
//! Checked are
//! - the machine description, and the limits on the size of everything;
//! - every field against its range, and every rule that spans fields ([`crate::rules`]);
//! - that tiles, DMA engines and barriers exist on the machine;
//! - that every byte an instruction may touch lies in SRAM or in the program's DRAM, and that constants stay;
//! - that slots are filled before use, by an invariant of the right kind;
//! - that barriers are armed before use, with the right counts, and cannot deadlock;
//! - that there is exactly one `end`, at the end;
//! - that inputs and outputs lie in DRAM, inputs apart from constants and from each other.
//!
//! Rules that depend on data (weight tables, weight codes, windows without a tap) are left to execution, which
//! traps.

use std::collections::BTreeSet;

use crate::barrier::members;
use crate::machine::Machine;
use crate::meaning::{Meaning, State};
use crate::program::{InstrMeta, IoDesc, Program};
use crate::progress;
use crate::rules;
use crate::slots::Slots;
use crate::table::Instr;
use crate::types::Dtype;
use crate::violation::{MAX_ERRORS, Place, ValidateError, ValidateErrorKind as Kind};

/// Most instructions of a program.
pub const MAX_INSTRS: usize = 1 << 24;
/// Maximum number of layers, and of locations.
pub const MAX_ENTRIES: usize = 1 << 24;
/// Maximum number of inputs, and of outputs.
pub const MAX_IO: usize = 4096;
/// Maximum rank of an input or output.
pub const MAX_RANK: usize = 6;
/// Maximum bytes of a name or other text.
pub const MAX_TEXT: usize = 1 << 16;

/// Collects violations up to the limit.
struct Report(Vec<ValidateError>);

impl Report {
    fn add(&mut self, place: Place, kind: Kind) {
        if !self.full() {
            self.0.push(ValidateError { place, kind });
        }
    }

    fn full(&self) -> bool {
        self.0.len() >= MAX_ERRORS
    }

    fn limit(&mut self, place: Place, what: &'static str, got: usize, max: usize) {
        if got > max {
            self.add(place, Kind::Limit { what, got: got as u64, max: max as u64 });
        }
    }
}

impl Program {
    /// Checks the whole program.
    ///
    /// After `Ok`, execution either succeeds or stops with a trap that depends on data.
    ///
    /// # Errors
    /// The violations, in the order of the program, at most [`MAX_ERRORS`].
    pub fn validate(&self) -> Result<(), Vec<ValidateError>> {
        let mut report = Report(Vec::new());
        match self.machine.check() {
            // Nothing else can be checked against an invalid machine.
            Err(e) => report.add(Place::Program, e.into()),
            Ok(()) => {
                self.check_sizes(&mut report);
                self.check_origins(&mut report);
                self.check_instrs(&mut report);
                self.check_io(&mut report);
            }
        }
        if report.0.is_empty() { Ok(()) } else { Err(report.0) }
    }

    fn check_sizes(&self, report: &mut Report) {
        let place = Place::Program;
        report.limit(place, "instructions", self.instrs.len(), MAX_INSTRS);
        report.limit(place, "layers", self.layers.len(), MAX_ENTRIES);
        report.limit(place, "locations", self.locs.len(), MAX_ENTRIES);
        report.limit(place, "inputs", self.inputs.len(), MAX_IO);
        report.limit(place, "outputs", self.outputs.len(), MAX_IO);
        report.limit(place, "bytes of the manifest's tool", self.manifest.tool.len(), MAX_TEXT);
        report.limit(place, "bytes of the manifest's pipeline", self.manifest.pipeline.len(), MAX_TEXT);
        if self.dram_bytes > self.machine.dram_bytes {
            let (got, max) = (self.dram_bytes, self.machine.dram_bytes);
            report.add(place, Kind::Limit { what: "bytes of DRAM", got, max });
        }
        if self.consts.len() as u64 > self.dram_bytes {
            let (consts, dram_bytes) = (self.consts.len() as u64, self.dram_bytes);
            report.add(place, Kind::Constants { consts, dram_bytes });
        }
        let hash = &self.manifest.input_sha256;
        let digits = hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hash.is_empty() && (hash.len() != 64 || !digits) {
            report.add(place, Kind::InputHash(hash.clone()));
        }
    }

    /// Layers, locations and the instructions' references to them.
    fn check_origins(&self, report: &mut Report) {
        let index = |what, index: u32, len: usize| {
            let missing = index != InstrMeta::NONE && index as usize >= len;
            missing.then_some(Kind::Index { what, index, len })
        };
        for (i, loc) in self.locs.iter().enumerate() {
            report.limit(Place::Loc(i), "bytes of text", loc.len(), MAX_TEXT);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            report.limit(Place::Layer(i), "bytes of the name", layer.name.len(), MAX_TEXT);
            report.limit(Place::Layer(i), "bytes of the op", layer.op.len(), MAX_TEXT);
            if let Some(kind) = index("location", layer.loc, self.locs.len()) {
                report.add(Place::Layer(i), kind);
            }
        }
        if self.meta.len() != self.instrs.len() {
            let (got, expected) = (self.meta.len(), self.instrs.len());
            report.add(Place::Program, Kind::MetaCount { got, expected });
        }
        for (i, (meta, instr)) in self.meta.iter().zip(&self.instrs).enumerate() {
            let place = Place::Instr(i, instr.mnemonic());
            let wrong = index("layer", meta.layer, self.layers.len());
            for kind in wrong.into_iter().chain(index("location", meta.loc, self.locs.len())) {
                report.add(place, kind);
            }
        }
    }

    fn check_instrs(&self, report: &mut Report) {
        let consts = self.consts.len() as u64;
        let mut slots = Slots::default();
        let mut found: Vec<(usize, Kind)> = Vec::new();
        for (i, instr) in self.instrs.iter().enumerate() {
            if found.len() >= MAX_ERRORS {
                break;
            }
            let mut add = |kind| found.push((i, kind));
            if let Err(e) = instr.check_fields() {
                add(e.into());
                continue;
            }
            let inv = slots.step(instr).unwrap_or_else(|kind| {
                add(kind);
                None
            });
            check_masks(instr, &self.machine).into_iter().for_each(&mut add);
            rules::check(instr, inv, &self.machine).into_iter().for_each(&mut add);
            let accesses = instr.footprint(inv);
            rules::check_bounds(&accesses, &self.machine, self.dram_bytes, consts)
                .into_iter()
                .for_each(&mut add);
            if matches!(instr, Instr::End(_)) && i + 1 < self.instrs.len() {
                add(Kind::EarlyEnd);
            }
        }
        let clean = found.is_empty();
        let counts = progress::counts(&self.instrs);
        if clean && counts.is_empty() {
            found.extend(progress::deadlock(&self.instrs, &self.machine));
        }
        found.extend(counts);
        found.sort_by_key(|(i, _)| *i);
        for (i, kind) in found {
            let mnemonic = self.instrs.get(i).map_or("", Instr::mnemonic);
            report.add(Place::Instr(i, mnemonic), kind);
        }
        if !matches!(self.instrs.last(), Some(Instr::End(_))) {
            report.add(Place::Program, Kind::MissingEnd);
        }
    }

    fn check_io(&self, report: &mut Report) {
        for (list, place) in
            [(&self.inputs, Place::Input as fn(usize) -> Place), (&self.outputs, Place::Output)]
        {
            let mut names = BTreeSet::new();
            for (i, io) in list.iter().enumerate().take(MAX_IO) {
                if io.name.is_empty() || !names.insert(io.name.as_str()) {
                    report.add(place(i), Kind::IoName { name: io.name.clone() });
                }
                self.check_tensor(io, place(i), report);
            }
        }
        let consts = self.consts.len() as u64;
        let mut sorted: Vec<(usize, &IoDesc)> = self.inputs.iter().enumerate().take(MAX_IO).collect();
        sorted.sort_by_key(|(_, io)| io.addr);
        let mut last: Option<(u64, &IoDesc)> = None;
        for (i, io) in sorted {
            let name = io.name.clone();
            if io.addr < consts {
                report.add(Place::Input(i), Kind::IoOverConstants { name, addr: io.addr, consts });
            } else if let Some((_, other)) = last.filter(|&(end, _)| io.addr < end) {
                report.add(Place::Input(i), Kind::IoOverlap { name, other: other.name.clone() });
            }
            let end = io.addr.saturating_add(io.bytes().unwrap_or(u64::MAX));
            if last.is_none_or(|(e, _)| end > e) {
                last = Some((end, io));
            }
        }
    }

    fn check_meaning(&self, io: &IoDesc, place: Place, report: &mut Report) {
        let Meaning { codes, unsigned, boolean, state } = &io.meaning;
        let mut wrong = |reason| report.add(place, Kind::IoMeaning { name: io.name.clone(), reason });
        if codes.is_some_and(|codes| !codes.is_legal()) {
            wrong("the scale is not a number above 0");
        }
        if *unsigned && io.dtype != Dtype::I8 {
            wrong("unsigned is for i8 only");
        }
        if *boolean && io.dtype != Dtype::I8 {
            wrong("boolean is for i8 only");
        }
        if *boolean && (*unsigned || codes.is_some()) {
            wrong("booleans are neither unsigned nor codes");
        }
        let Some(State { output, initial }) = *state else { return };
        if !matches!(place, Place::Input(_)) {
            return wrong("an output has no state");
        }
        match self.outputs.get(output as usize) {
            None => wrong("the state refers to an output that does not exist"),
            Some(next) if (next.dtype, &next.shape) != (io.dtype, &io.shape) => {
                wrong("the state's output has another type or shape");
            }
            Some(_) => {}
        }
        if !io.contains(initial) {
            wrong("the state's initial value does not fit its type");
        }
    }

    fn check_tensor(&self, io: &IoDesc, place: Place, report: &mut Report) {
        self.check_meaning(io, place, report);
        report.limit(place, "bytes of the name", io.name.len(), MAX_TEXT);
        report.limit(place, "dimensions", io.shape.len(), MAX_RANK);
        if io.shape.contains(&0) {
            report.add(place, Kind::IoEmpty { name: io.name.clone() });
        }
        if !io.addr.is_multiple_of(io.dtype.bytes()) {
            report.add(place, Kind::Misaligned { field: "address", value: io.addr, align: io.dtype.bytes() });
        }
        let bytes =
            io.shape.iter().fold(u128::from(io.dtype.bytes()), |n, &d| n.saturating_mul(u128::from(d)));
        if u128::from(io.addr).saturating_add(bytes) > u128::from(self.dram_bytes) {
            let (name, addr, dram_bytes) = (io.name.clone(), io.addr, self.dram_bytes);
            report.add(place, Kind::IoOutOfBounds { name, addr, bytes, dram_bytes });
        }
    }
}

fn check_masks(instr: &Instr, machine: &Machine) -> Vec<Kind> {
    let masks = [("wait", instr.wait()), ("post", instr.post())];
    let all = masks.into_iter().flat_map(|(field, mask)| members(mask).map(move |b| (field, u32::from(b))));
    let barriers = machine.barriers;
    all.filter(|&(_, barrier)| barrier >= barriers)
        .map(|(field, barrier)| Kind::NoSuchBarrier { field, barrier, barriers })
        .collect()
}
