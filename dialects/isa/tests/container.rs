//! A file that is not exactly a container of this version is refused with the precise reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::container::{EM_DPU, FORMAT_VERSION};
use dpu_isa::testing::{Rng, random_program};
use dpu_isa::{
    Codes, ContainerError, ConvInv, DecodeErrorKind, FieldErrorKind, Instr, MachineError, Method, Program,
    State, WireError,
};
use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};
use sha2::{Digest, Sha256};

fn sample() -> Vec<u8> {
    random_program(&mut Rng::new(21), 20).to_elf().unwrap()
}

fn refused(bytes: &[u8]) -> ContainerError {
    Program::from_elf(bytes).expect_err("must be refused")
}

/// Offset in the file, size, and offset of the section header.
fn section(bytes: &[u8], name: &str) -> (usize, usize, usize) {
    let header = FileHeader64::<LittleEndian>::parse(bytes).unwrap();
    let table = header.sections(LittleEndian, bytes).unwrap();
    let (index, s) = table.section_by_name(LittleEndian, name.as_bytes()).unwrap();
    let at = header.e_shoff(LittleEndian) as usize + index.0 * 64;
    (s.sh_offset(LittleEndian) as usize, s.sh_size(LittleEndian) as usize, at)
}

/// The sample with bytes of one section replaced, and the checksum corrected.
fn forged(name: &str, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    const ORDER: [&str; 8] = [
        ".dpu.machine",
        ".dpu.manifest",
        ".dpu.io",
        ".dpu.layers",
        ".dpu.locs",
        ".dpu.code",
        ".dpu.meta",
        ".dpu.const",
    ];
    let mut bytes = sample();
    let (offset, size, _) = section(&bytes, name);
    change(&mut bytes[offset..offset + size]);
    let sum = Sha256::digest(&bytes[offset..offset + size]);
    let index = ORDER.iter().position(|n| *n == name).unwrap();
    let sums = section(&bytes, ".dpu.sums").0 + 32 * index;
    bytes[sums..sums + 32].copy_from_slice(&sum);
    bytes
}

#[test]
fn foreign_files() {
    assert_eq!(refused(b""), ContainerError::BadMagic(vec![]));
    assert_eq!(refused(b"\x7fEL"), ContainerError::BadMagic(b"\x7fEL".to_vec()));
    assert_eq!(refused(b"\x89PNG\r\n"), ContainerError::BadMagic(b"\x89PNG".to_vec()));
    let bytes = sample();
    assert_eq!(refused(&bytes[..63]), ContainerError::Truncated { got: 63, expected: 64 });
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        refused(&bytes)
    };
    assert_eq!(with(4, 1), ContainerError::Foreign { what: "class", got: 1, expected: 2 });
    assert_eq!(with(5, 2), ContainerError::Foreign { what: "data encoding", got: 2, expected: 1 });
    assert_eq!(with(6, 2), ContainerError::Foreign { what: "ELF version", got: 2, expected: 1 });
    assert_eq!(with(7, 0), ContainerError::Foreign { what: "OS ABI", got: 0, expected: 255 });
    assert_eq!(with(8, 4), ContainerError::Version { got: 4, expected: FORMAT_VERSION });
    assert_eq!(with(8, 0), ContainerError::Version { got: 0, expected: FORMAT_VERSION });
    let mut x86 = bytes.clone();
    x86[18..20].copy_from_slice(&62u16.to_le_bytes());
    assert_eq!(refused(&x86), ContainerError::Foreign { what: "machine", got: 62, expected: EM_DPU });
}

#[test]
fn cut_and_extended_files() {
    let bytes = sample();
    for len in (64..bytes.len()).step_by(97) {
        assert!(matches!(refused(&bytes[..len]), ContainerError::Elf(_)), "{len}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(refused(&longer), ContainerError::Layout { offset: bytes.len() as u64 });
}

#[test]
fn every_byte_is_guarded() {
    let bytes = sample();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        refused(&changed);
    }
}

#[test]
fn checksums() {
    for name in [".dpu.machine", ".dpu.io", ".dpu.code", ".dpu.meta", ".dpu.const"] {
        let mut bytes = sample();
        let (offset, size, _) = section(&bytes, name);
        bytes[offset + size / 2] ^= 1;
        let error = refused(&bytes);
        assert!(
            matches!(error, ContainerError::Checksum { section, offset: o } if section == name && o == offset as u64),
            "{error}"
        );
    }
}

#[test]
fn section_table_lies() {
    let bytes = sample();
    let (offset, size, header) = section(&bytes, ".dpu.code");
    let with = |field: usize, value: u64| {
        let mut bytes = bytes.clone();
        bytes[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
        refused(&bytes)
    };
    let file = bytes.len() as u64;
    let bounds = |offset, size| ContainerError::SectionBounds { section: ".dpu.code", offset, size, file };
    assert_eq!(with(32, 1 << 60), bounds(offset as u64, 1 << 60));
    assert_eq!(with(32, u64::MAX), bounds(offset as u64, u64::MAX));
    assert_eq!(with(24, u64::MAX), bounds(u64::MAX, size as u64));
    let (locs, ..) = section(&bytes, ".dpu.locs");
    let overlap = ContainerError::SectionOverlap { a: ".dpu.code", b: ".dpu.locs", offset: locs as u64 + 1 };
    let found = with(24, locs as u64 + 1);
    let swapped = ContainerError::SectionOverlap { a: ".dpu.locs", b: ".dpu.code", offset: locs as u64 + 1 };
    assert!(found == overlap || found == swapped, "{found}");
    // Another type: a section that claims to have no bytes in the file.
    let mut nobits = bytes.clone();
    nobits[header + 4] = 8;
    assert_eq!(refused(&nobits), bounds(offset as u64, size as u64));
    // Names.
    let (.., meta) = section(&bytes, ".dpu.meta");
    let mut renamed = bytes.clone();
    renamed.copy_within(meta..meta + 4, header);
    let found = ".dpu.meta".to_owned();
    assert_eq!(refused(&renamed), ContainerError::SectionName { index: 6, found, expected: ".dpu.code" });
    // Number of sections.
    let mut fewer = bytes.clone();
    fewer[60..62].copy_from_slice(&10u16.to_le_bytes());
    let error = refused(&fewer);
    assert!(
        matches!(error, ContainerError::Elf(_) | ContainerError::SectionCount { got: 10, expected: 11 }),
        "{error}"
    );
}

#[test]
fn contents_behind_sound_checksums() {
    let wire = |section, offset, error| ContainerError::Contents { section, offset, error };
    let count = |bytes: &mut [u8]| bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    for name in [".dpu.io", ".dpu.layers", ".dpu.locs"] {
        let error = refused(&forged(name, count));
        assert!(
            matches!(error, ContainerError::Contents { section, offset: 4, error: WireError::Count { .. } } if section == name),
            "{error}"
        );
    }
    let fewer = refused(&forged(".dpu.locs", |b| b[0] -= 1));
    assert!(matches!(fewer, ContainerError::Contents { error: WireError::Rest(_), .. }), "{fewer}");
    let utf8 = refused(&forged(".dpu.locs", |b| b[8] = 0xff));
    assert!(
        matches!(utf8, ContainerError::Contents { section: ".dpu.locs", error: WireError::Utf8, .. }),
        "{utf8}"
    );
    // The first input is named "x": count, length, name, type.
    assert_eq!(refused(&forged(".dpu.io", |b| b[9] = 5)), wire(".dpu.io", 10, WireError::Dtype(5)));
    assert_eq!(refused(&forged(".dpu.manifest", |b| b[8] ^= 1)), ContainerError::Fingerprint);
    let opcode = refused(&forged(".dpu.code", |b| b[0] = 0x7f));
    assert!(
        matches!(opcode, ContainerError::Decode(e) if e.offset == 0 && e.kind == DecodeErrorKind::UnknownOpcode(0x7f)),
        "{opcode}"
    );
    let machine = refused(&forged(".dpu.machine", |b| b[0] = b'q'));
    assert!(matches!(machine, ContainerError::Machine(MachineError::Syntax(_))), "{machine}");
    let upper = refused(&forged(".dpu.machine", |b| b[4..8].copy_from_slice(b"= \t\"")));
    assert!(matches!(upper, ContainerError::Machine(_) | ContainerError::MachineForm), "{upper}");
    // A space and an equals sign are swapped: the same machine, differently written.
    let form = forged(".dpu.machine", |b| {
        let end = b.len();
        b[end - 1] = b' ';
    });
    assert_eq!(refused(&form), ContainerError::MachineForm);
}

#[test]
fn meanings_of_inputs_and_outputs_are_kept_in_version_2() {
    let plain = random_program(&mut Rng::new(23), 3);
    assert_eq!(plain.to_elf().unwrap()[8], 1);
    let mut p = plain.clone();
    p.inputs[0].meaning.codes = Some(Codes { scale: 0.1, zero_point: -128 });
    p.inputs[0].meaning.unsigned = true;
    p.inputs[1].meaning.state = Some(State { output: 0, initial: -5 });
    p.inputs[1].meaning.boolean = true;
    p.outputs[0].meaning.codes = Some(Codes { scale: 1e-300, zero_point: i32::MIN });
    let bytes = p.to_elf().unwrap();
    assert_eq!(bytes[8], 2);
    assert_eq!(Program::from_elf(&bytes).unwrap(), p);
    let text = dpu_isa::asm::print(&p);
    for part in [
        "scale=\"1e-1\" zero_point=-128 unsigned\n",
        " boolean state=0 initial=-5\n",
        "scale=\"1e-300\" zero_point=-2147483648\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(dpu_isa::asm::parse(&text).unwrap(), p);
    for (from, to, expected) in [
        ("scale=\"1e-1\"", "scale=\"x\"", "expected a number in quotes"),
        ("scale=\"1e-1\"", "scale=\"-1\"", "a scale of -1"),
        ("unsigned", "unsigned unsigned", "'scale', 'unsigned', 'boolean' or 'state', once each"),
        ("initial=-5", "first=-5", "'initial='"),
    ] {
        let error = dpu_isa::asm::parse(&text.replace(from, to)).unwrap_err();
        assert!(error.msg.contains(expected), "{error:?}");
    }
}

#[test]
fn meanings_are_checked() {
    let wire = |error| ContainerError::Contents { section: ".dpu.io", offset: 0, error };
    let found = |bytes: &[u8]| match refused(bytes) {
        ContainerError::Contents { section, error, .. } => {
            ContainerError::Contents { section, offset: 0, error }
        }
        other => other,
    };
    let mut p = random_program(&mut Rng::new(21), 20);
    // All weights have masks, so that the file is of version 2.
    for instr in &mut p.instrs {
        if let Instr::ConvInv(inv) = instr {
            (inv.block, inv.low) = (16, 8);
        }
    }
    p.inputs[0].meaning.codes = Some(Codes { scale: 0.5, zero_point: 3 });
    let bytes = p.to_elf().unwrap();
    let (offset, size, _) = section(&bytes, ".dpu.io");
    // Flags, scale and zero point of the first input; flags of the second and of the output.
    let start = offset + size - 15;
    let with = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[start + at..start + at + new.len()].copy_from_slice(new);
        let sum = Sha256::digest(&bytes[offset..offset + size]);
        let sums = section(&bytes, ".dpu.sums").0 + 32 * 2;
        bytes[sums..sums + 32].copy_from_slice(&sum);
        found(&bytes)
    };
    assert_eq!(with(0, &[16]), wire(WireError::Flags(16)));
    assert_eq!(with(1, &(-0.5f64).to_le_bytes()), wire(WireError::Scale("-0.5".into())));
    assert_eq!(
        wire(WireError::Flags(16)).to_string(),
        "section '.dpu.io' at byte 0x0: flags 0x10 of an input or output are unknown"
    );
    assert_eq!(WireError::Scale("-0.5".into()).to_string(), "a scale of -0.5");
    p.inputs[0].meaning = dpu_isa::Meaning { unsigned: true, ..dpu_isa::Meaning::default() };
    let mut none = p.to_elf().unwrap();
    let (offset, size, _) = section(&none, ".dpu.io");
    none[offset + size - 3] = 0;
    let sum = Sha256::digest(&none[offset..offset + size]);
    let sums = section(&none, ".dpu.sums").0 + 32 * 2;
    none[sums..sums + 32].copy_from_slice(&sum);
    assert_eq!(found(&none), wire(WireError::NoMeaning));
    assert_eq!(
        WireError::NoMeaning.to_string(),
        "no input or output has a meaning: the file is of version 1"
    );
}

#[test]
fn what_no_file_can_hold() {
    let good = random_program(&mut Rng::new(22), 3);
    let mut p = good.clone();
    p.meta.pop();
    let (got, expected) = (p.meta.len(), p.instrs.len());
    assert_eq!(p.to_elf(), Err(ContainerError::MetaCount { got, expected }));
    let mut p = good.clone();
    p.machine.lanes = 0;
    assert!(matches!(
        p.to_elf(),
        Err(ContainerError::Machine(MachineError::OutOfRange { field: "lanes", .. }))
    ));
    let mut p = good;
    p.instrs[0] = dpu_isa::DmaFill { element: 3, ..Default::default() }.into();
    let error = p.to_elf().unwrap_err();
    let ContainerError::Encode { index: 0, mnemonic: "dma_fill", error } = error else { panic!("{error}") };
    assert_eq!(
        (error.field, error.kind),
        ("element", FieldErrorKind::NotAChoice { got: 3, values: &[1, 2, 4] })
    );
}

#[test]
fn weights_without_masks_are_of_version_3() {
    let mut p = random_program(&mut Rng::new(23), 3);
    let inv = |low| {
        Instr::ConvInv(ConvInv { method: Method::Dliq, block: 16, low, param: 4, ..ConvInv::default() })
    };
    let of = |p: &mut Program, low| {
        p.instrs[0] = inv(low);
        p.to_elf().unwrap()
    };
    assert_eq!(of(&mut p, 8)[8], 1);
    for low in [0, 16] {
        let bytes = of(&mut p, low);
        assert_eq!(bytes[8], FORMAT_VERSION);
        assert_eq!(Program::from_elf(&bytes).unwrap(), p);
        let text = dpu_isa::asm::print(&p);
        assert!(text.starts_with(".dpu 2\n"), "{text}");
        assert_eq!(dpu_isa::asm::parse(&text).unwrap(), p);
        let error = dpu_isa::asm::parse(&text.replace(".dpu 2", ".dpu 1")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1:1: version 1 of a program of weights without masks, which is of version 2"
        );
        p.inputs[0].meaning.unsigned = true;
        let mut old = of(&mut p, low);
        old[8] = 2;
        assert_eq!(refused(&old), ContainerError::OldMasks(2));
        p.inputs[0].meaning.unsigned = false;
    }
    let with_meaning = dpu_isa::Meaning { unsigned: true, ..dpu_isa::Meaning::default() };
    p.inputs[0].meaning = with_meaning;
    let mut new = of(&mut p, 8);
    new[8] = FORMAT_VERSION;
    assert_eq!(refused(&new), ContainerError::NoneOmitted(FORMAT_VERSION));
    assert_eq!(
        ContainerError::OldMasks(2).to_string(),
        "format version 2 stores masks of blocks whose weights are all high or all low, and this tool reads them without: \
         compile the network again"
    );
    assert_eq!(
        ContainerError::NoneOmitted(3).to_string(),
        "format version 3, but all blocks of weights have masks"
    );
    // The only method whose low codes have no bits keeps its masks.
    p.instrs[0] =
        Instr::ConvInv(ConvInv { method: Method::Sparse, block: 16, low: 16, ..ConvInv::default() });
    assert_eq!(p.to_elf().unwrap()[8], 2);
}
