//! Audits of small handwritten programs.

use dpu_isa::{
    ConvInv, ConvVar, DmaCopy, DmaFill, End, Instr, InstrMeta, Layer, Machine, Manifest, MemAddr, Method,
    Program, WeightEntry,
};
use strum_formats::{Kind, Shape};
use strum_quant::{Request, pack};

use super::{AuditError, ProgramAudit, audit};

/// Codes of the published test vector; half of each block becomes low.
const CODES: [i8; 16] = [-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50];
/// SRAM addresses of the tests' weights and table.
const WEIGHTS: u32 = 0x100;
const TABLE: u32 = 0x800;

/// A program with a layer `conv0` that all instructions belong to.
fn program(consts: Vec<u8>, instrs: Vec<Instr>) -> Program {
    let instrs: Vec<Instr> = instrs.into_iter().chain([End {}.into()]).collect();
    Program {
        machine: Machine::builtin("flexnn-16x16").unwrap(),
        meta: vec![InstrMeta { layer: 0, loc: InstrMeta::NONE }; instrs.len()],
        instrs,
        locs: Vec::new(),
        layers: vec![Layer {
            name: "conv0".into(),
            op: "strum.conv2d".into(),
            loc: InstrMeta::NONE,
            macs: 0,
        }],
        dram_bytes: consts.len() as u64,
        consts,
        inputs: Vec::new(),
        outputs: Vec::new(),
        manifest: Manifest::default(),
    }
}

/// A copy of `len` bytes of constants into SRAM, as rows of 16 bytes.
fn copy(src: u64, dst: u32, len: usize) -> Instr {
    let copy = DmaCopy {
        element: 16,
        src: MemAddr::dram(src),
        dst: MemAddr::sram(dst.into()),
        dims: [1, 1, 1, 1, 1, u32::try_from(len / 16).unwrap()],
        src_strides: [0, 0, 0, 0, 0, 16],
        dst_strides: [0, 0, 0, 0, 0, 16],
        ..DmaCopy::default()
    };
    copy.into()
}

fn conv_inv() -> ConvInv {
    ConvInv { stride_y: 1, stride_x: 1, dilation_y: 1, dilation_x: 1, ..ConvInv::default() }
}

/// A task of a 1x1 convolution on 16 channels.
fn conv_var(out_c: u32) -> ConvVar {
    ConvVar {
        act: 0x10000,
        in_h: 1,
        in_w: 1,
        in_c: 16,
        kernel_h: 1,
        kernel_w: 1,
        weights: WEIGHTS,
        table: TABLE,
        out: 0x20000,
        out_h: 1,
        out_w: 1,
        out_c,
        ..ConvVar::default()
    }
}

/// Sets of 16 bytes each, then their table.
fn constants(sets: &[&[u8]], code_shift: u8) -> Vec<u8> {
    let entry = |offset: usize| WeightEntry {
        weight_offset: u32::try_from(offset).unwrap(),
        code_shift,
        ..WeightEntry::default()
    };
    let offsets = sets.iter().scan(0, |at, set| Some(std::mem::replace(at, *at + set.len())));
    let table: Vec<u8> = offsets.flat_map(|offset| entry(offset).encode()).collect();
    [sets.concat(), table].concat()
}

fn bytes(codes: &[i8]) -> Vec<u8> {
    codes.iter().map(|c| c.cast_unsigned()).collect()
}

/// Loads `sets` and their table, and runs a task on them.
fn one_layer(inv: ConvInv, sets: &[&[u8]], code_shift: u8) -> Program {
    let size: usize = sets.iter().map(|s| s.len()).sum();
    let instrs = vec![
        copy(0, WEIGHTS, size),
        copy(size as u64, TABLE, 16 * sets.len()),
        inv.into(),
        conv_var(u32::try_from(sets.len()).unwrap()).into(),
    ];
    program(constants(sets, code_shift), instrs)
}

fn total(audit: &ProgramAudit) -> (u64, u64, u64) {
    (audit.total.weights, audit.total.low, audit.total.bytes)
}

#[test]
fn dense_weights_have_eight_bits_each() {
    let sets = [bytes(&CODES), bytes(&[7; 16])];
    let audit = audit(&one_layer(conv_inv(), &[&sets[0], &sets[1]], 0)).unwrap();
    assert_eq!(total(&audit), (32, 0, 32));
    assert_eq!(audit.total.bits_per_weight, 8.0);
    assert_eq!(audit.layers.len(), 1);
    assert_eq!(
        (audit.layers[0].name.as_str(), &audit.layers[0].formats[..]),
        ("conv0", &["dense".to_owned()][..])
    );
    assert_eq!(audit.total.high_values[128 + 7], 16);
    assert_eq!(audit.total.high_values[128 - 97], 1);
    assert_eq!(audit.total.low_values.iter().sum::<u64>(), 0);
}

#[test]
fn packed_weights_are_decoded() {
    let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 16 };
    let packed = pack(&CODES, shape, &Request::new(Kind::Mip2q)).unwrap();
    let inv = ConvInv { method: Method::Mip2q, block: 16, low: 8, param: 7, ..conv_inv() };
    let audit = audit(&one_layer(inv, &[&packed.bytes], 0)).unwrap();
    assert_eq!(total(&audit), (16, 8, 16));
    assert_eq!(audit.layers[0].formats, ["mip2q<w = 16, low = 8, L = 7>"]);
    assert_eq!(audit.layers[0].low_share(), 0.5);
    // The decoded test vector: 1, -4, 8, ... are low; -97, 41, 118, ... are high.
    assert_eq!(audit.total.high_values[128 - 97], 1);
    assert_eq!(audit.total.low_values[128 + 8], 1);
    assert_eq!(audit.total.low_values[128 + 9], 0);
}

#[test]
fn the_code_shift_of_the_table_is_used() {
    let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 16 };
    let packed = pack(&CODES, shape, &Request::new(Kind::Dliq)).unwrap();
    let shift = packed.shifts().unwrap()[0];
    let inv = ConvInv { method: Method::Dliq, block: 16, low: 8, param: 4, ..conv_inv() };
    let audit = audit(&one_layer(inv, &[&packed.bytes], shift)).unwrap();
    let decoded = packed.unpack().unwrap();
    for (value, count) in (-128i16..).zip(&audit.total.low_values) {
        let times = decoded.iter().filter(|&&d| i16::from(d) == value).count() as u64;
        assert!(*count <= times, "{value} is low {count} times, and there {times} times");
    }
    assert_eq!(audit.layers[0].formats, [format!("dliq<w = 16, low = 8, q = 4, shift = {shift}>")]);
}

#[test]
fn a_set_that_several_tasks_read_counts_once() {
    let set = bytes(&CODES);
    let mut program = one_layer(conv_inv(), &[&set], 0);
    let again = [
        copy(0, WEIGHTS + 0x40, 16),
        ConvVar { weights: WEIGHTS + 0x40, ..conv_var(1) }.into(),
        conv_var(1).into(),
    ];
    let end = program.instrs.len() - 1;
    program.instrs.splice(end..end, again);
    program.meta.resize(program.instrs.len(), program.meta[0]);
    assert_eq!(total(&audit(&program).unwrap()), (16, 0, 16));
}

#[test]
fn another_layer_counts_on_its_own() {
    let mut program = one_layer(conv_inv(), &[&bytes(&CODES)], 0);
    let end = program.instrs.len() - 1;
    program.instrs.insert(end, conv_var(1).into());
    program.meta.insert(end, InstrMeta { layer: 7, loc: InstrMeta::NONE });
    let audit = audit(&program).unwrap();
    assert_eq!(
        audit.layers.iter().map(|l| (l.name.as_str(), l.weights)).collect::<Vec<_>>(),
        [("conv0", 16), ("-", 16)]
    );
    assert_eq!(total(&audit), (32, 0, 32));
}

#[test]
fn strided_copies_are_followed() {
    // Two sets, 32 bytes apart among the constants, side by side in SRAM.
    let sets = [bytes(&CODES), bytes(&[1; 16]), bytes(&[2; 16])];
    let mut consts = sets.concat();
    consts.extend(constants(&[&[0; 16], &[0; 16]], 0).split_off(32));
    let gather = DmaCopy {
        element: 4,
        src: MemAddr::dram(0),
        dst: MemAddr::sram(WEIGHTS.into()),
        dims: [1, 1, 1, 1, 2, 4],
        src_strides: [0, 0, 0, 0, 32, 4],
        dst_strides: [0, 0, 0, 0, 16, 4],
        ..DmaCopy::default()
    };
    let instrs = vec![gather.into(), copy(48, TABLE, 32), conv_inv().into(), conv_var(2).into()];
    let audit = audit(&program(consts, instrs)).unwrap();
    assert_eq!(audit.total.high_values[128 + 2], 17);
    assert_eq!(audit.total.high_values[128 + 1], 0);
}

#[test]
fn weights_that_are_computed_are_no_constants() {
    let mut program = one_layer(conv_inv(), &[&bytes(&CODES), &bytes(&CODES)], 0);
    let fill = DmaFill {
        element: 1,
        dst: MemAddr::sram(u64::from(WEIGHTS) + 20),
        dims: [1; 6],
        ..DmaFill::default()
    };
    program.instrs.insert(2, fill.into());
    program.meta.push(program.meta[0]);
    let audit = audit(&program).unwrap();
    assert_eq!(total(&audit), (16, 0, 16));
    assert_eq!(audit.total.dynamic_tasks, 1);
    assert!(audit.to_string().contains("dense, and some computed at run time"), "{audit}");
}

#[test]
fn every_tile_has_its_own_memory() {
    let mut program = one_layer(conv_inv(), &[&bytes(&CODES)], 0);
    let end = program.instrs.len() - 1;
    let other = [ConvInv { tile: 1, ..conv_inv() }.into(), ConvVar { tile: 1, ..conv_var(1) }.into()];
    program.instrs.splice(end..end, other);
    program.meta.resize(program.instrs.len(), program.meta[0]);
    let audit = audit(&program).unwrap();
    assert_eq!((audit.total.weights, audit.total.dynamic_tasks), (16, 1));
}

#[test]
fn depthwise_channels_share_one_set() {
    let inv = ConvInv { depthwise: true, ..conv_inv() };
    let mut program = one_layer(inv, &[&bytes(&CODES)], 0);
    program.instrs[3] = conv_var(16).into();
    assert_eq!(total(&audit(&program).unwrap()), (16, 0, 16));
}

#[test]
fn broken_sets_and_tables_are_named() {
    let inv = ConvInv { method: Method::Mip2q, block: 16, low: 8, param: 7, ..conv_inv() };
    let AuditError { instr, channel, what } = audit(&one_layer(inv, &[&[0xff; 16]], 0)).unwrap_err();
    assert_eq!((instr, channel), (3, 0));
    assert!(what.starts_with("weight set at 0x0: "), "{what}");
    let mut program = one_layer(conv_inv(), &[&bytes(&CODES)], 0);
    program.consts[16] = 1;
    let error = audit(&program).unwrap_err().to_string();
    assert!(
        error.starts_with("instruction 3 (conv_var), output channel 0: table entry at 0x800: "),
        "{error}"
    );
}

#[test]
fn a_program_without_weights_has_an_empty_audit() {
    let audit = audit(&program(Vec::new(), Vec::new())).unwrap();
    assert!(audit.layers.is_empty());
    assert_eq!(total(&audit), (0, 0, 0));
    assert_eq!(audit.total.bits_per_weight, 0.0);
}

#[test]
fn the_table_is_easy_to_read() {
    let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 16 };
    let codes: Vec<i8> = CODES.iter().chain(CODES.iter().rev()).copied().collect();
    let packed = pack(&codes, shape, &Request::new(Kind::Mip2q)).unwrap();
    let inv = ConvInv { method: Method::Mip2q, block: 16, low: 8, param: 7, ..conv_inv() };
    let (first, second) = packed.bytes.split_at(16);
    let audit = audit(&one_layer(inv, &[first, second], 0)).unwrap();
    let text = audit.to_string();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["low", "bits", "per", "size"]);
    assert_eq!(lines[1], ["layer", "op", "weights", "%", "bytes", "weight", "vs", "INT8", "format"]);
    assert_eq!(lines[3][..7], ["conv0", "strum.conv2d", "32", "50.00", "32", "8.000", "1.0000"]);
    assert!(
        text.lines().nth(4).is_some_and(|line| line.ends_with("mip2q<w = 16, low = 8, L = 7>")),
        "{text}"
    );
    assert_eq!(lines[8], ["high", "0", "0", "0", "0", "0", "4", "2", "6", "4"]);
    assert_eq!(lines[9], ["low", "0", "4", "4", "4", "2", "0", "0", "2", "0"]);
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["total"]["low"], 16);
    assert_eq!(json["layers"][0]["formats"][0], "mip2q<w = 16, low = 8, L = 7>");
}
