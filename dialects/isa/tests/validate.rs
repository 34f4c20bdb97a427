//! Every rule of the validator has a program that breaks it, and only it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::ValidateErrorKind as Kind;
use dpu_isa::schedule::ScheduleError;
use dpu_isa::*;

/// A program of these instructions and `end`, with 64 constant bytes and 64 KiB of DRAM.
fn program(instrs: Vec<Instr>) -> Program {
    let mut instrs = instrs;
    instrs.push(End {}.into());
    let meaning = Meaning::default();
    let io = |n: &str, addr| IoDesc { name: n.into(), dtype: Dtype::I32, shape: vec![2, 3], addr, meaning };
    Program {
        machine: Machine::flexnn_16x16(),
        meta: vec![InstrMeta::default(); instrs.len()],
        instrs,
        locs: vec!["a.mlir:1:1".into()],
        layers: vec![Layer { name: "l".into(), op: "o".into(), loc: 0, macs: 1 }],
        consts: vec![0; 64],
        dram_bytes: 1 << 16,
        inputs: vec![io("x", 64), io("z", 128)],
        outputs: vec![io("y", 256)],
        manifest: Manifest::default(),
    }
}

#[track_caller]
fn fails(program: &Program, place: Place, kind: Kind) {
    let expected = ValidateError { place, kind };
    assert_eq!(program.validate(), Err(vec![expected]));
}

/// The only violation of the instruction before `end`.
#[track_caller]
fn breaks(instrs: Vec<Instr>, kind: Kind) {
    let index = instrs.len() - 1;
    let place = Place::Instr(index, instrs[index].mnemonic());
    fails(&program(instrs), place, kind);
}

/// The program of `end` alone, changed.
fn with(change: impl FnOnce(&mut Program)) -> Program {
    let mut program = program(vec![]);
    change(&mut program);
    program
}

fn machine(change: impl FnOnce(&mut Machine)) -> Machine {
    let mut machine = Machine::flexnn_16x16();
    change(&mut machine);
    machine
}

fn copy() -> DmaCopy {
    DmaCopy {
        element: 1,
        src: MemAddr::dram(0),
        dst: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 4, 16],
        src_strides: [0, 0, 0, 0, 16, 1],
        dst_strides: [0, 0, 0, 0, 16, 1],
        ..DmaCopy::default()
    }
}

fn conv() -> ConvInv {
    ConvInv { slot: 3, clamp_lo: -128, clamp_hi: 127, ..ConvInv::default() }
}

fn packed(method: Method, low: u8, param: u8) -> ConvInv {
    ConvInv { method, block: 16, low, param, ..conv() }
}

fn tile() -> ConvVar {
    ConvVar {
        slot: 3,
        act: 0,
        in_h: 4,
        in_w: 4,
        in_c: 8,
        act_row: 32,
        act_pixel: 8,
        kernel_h: 1,
        kernel_w: 1,
        weights: 0x1000,
        table: 0x2000,
        out: 0x3000,
        out_h: 4,
        out_w: 4,
        out_c: 16,
        out_row: 64,
        out_pixel: 16,
        psum: 0x4000,
        ..ConvVar::default()
    }
}

fn pool() -> PoolInv {
    PoolInv { slot: 3, ..PoolInv::default() }
}

fn pool_tile() -> PoolVar {
    PoolVar {
        slot: 3,
        in_h: 4,
        in_w: 4,
        in_c: 8,
        act_row: 32,
        act_pixel: 8,
        out: 0x3000,
        out_h: 4,
        out_w: 4,
        out_row: 32,
        out_pixel: 8,
        psum: 0x4000,
        ..PoolVar::default()
    }
}

fn unary() -> VecUnary {
    VecUnary {
        dims: [1, 1, 1, 1, 4, 16],
        src: 0,
        src_strides: [0, 0, 0, 0, 16, 1],
        out: 0x1000,
        out_strides: [0, 0, 0, 0, 16, 1],
        ..VecUnary::default()
    }
}

fn binary() -> VecBinary {
    let VecUnary { dims, src_strides, .. } = unary();
    VecBinary {
        dims,
        a: 0,
        a_strides: src_strides,
        b: 0x1000,
        b_strides: src_strides,
        out: 0x2000,
        out_strides: src_strides,
        ..VecBinary::default()
    }
}

fn rescale() -> VecRescale {
    let VecUnary { dims, src_strides, out, out_strides, .. } = unary();
    VecRescale { dims, src_strides, out, out_strides, params: 0x4000, ..VecRescale::default() }
}

fn reduce() -> VecReduce {
    let VecUnary { dims, src_strides, out, .. } = unary();
    VecReduce { axis: 4, dims, src_strides, out, out_strides: [0, 0, 0, 0, 0, 1], ..VecReduce::default() }
}

fn oob(field: &'static str, space: Space, lo: u64, len: u64) -> Kind {
    let size = if space == Space::Dram { 1 << 16 } else { 2 << 20 };
    Kind::OutOfBounds { field, space, lo, len, size }
}

const TOP: u32 = 2 << 20;

#[test]
fn the_bases_are_valid() {
    let bases: Vec<Vec<Instr>> = vec![
        vec![],
        vec![copy().into()],
        vec![conv().into(), tile().into()],
        vec![pool().into(), pool_tile().into()],
        vec![unary().into(), binary().into(), rescale().into(), reduce().into()],
        vec![
            packed(Method::Sparse, 16, 0).into(),
            packed(Method::Dliq, 8, 8).into(),
            packed(Method::Mip2q, 0, 7).into(),
        ],
        // A DRAM interval of strides that are never used, and a task at the very end of the SRAM.
        vec![DmaCopy { dims: [1; 6], src_strides: [(1 << 40) - 1; 6], ..copy() }.into()],
        vec![VecUnary { src: TOP - 64, ..unary() }.into()],
        // In place: the elements coincide.
        vec![VecUnary { out: 0, ..unary() }.into(), VecBinary { out: 0x1000, ..binary() }.into()],
        vec![VecUnary { out: 0, out_strides: [9, 9, 9, 9, 16, 1], ..unary() }.into()],
        vec![VecReduce { accumulate: true, ..reduce() }.into()],
    ];
    for instrs in bases {
        assert_eq!(program(instrs).validate(), Ok(()));
    }
}

#[test]
fn ends() {
    let mut none = program(vec![]);
    (none.instrs, none.meta) = (vec![], vec![]);
    fails(&none, Place::Program, Kind::MissingEnd);
    let mut open = program(vec![copy().into()]);
    open.instrs.pop();
    open.meta.pop();
    fails(&open, Place::Program, Kind::MissingEnd);
    fails(&program(vec![End {}.into()]), Place::Instr(0, "end"), Kind::EarlyEnd);
}

#[test]
fn fields() {
    let range = |got, min, max| FieldErrorKind::OutOfRange { got, min, max };
    let field = |field, index, kind| Kind::Field(FieldError { field, index, kind });
    breaks(vec![DmaCopy { engine: 2, ..copy() }.into()], field("engine", None, range(2, 0, 1)));
    let choice = FieldErrorKind::NotAChoice { got: 3, values: &[1, 2, 4, 8, 16] };
    breaks(vec![DmaCopy { element: 3, ..copy() }.into()], field("element", None, choice));
    let dims = [1, 0, 1, 1, 1, 1];
    breaks(vec![DmaCopy { dims, ..copy() }.into()], field("dims", Some(1), range(0, 1, u32::MAX.into())));
    let misaligned = FieldErrorKind::Misaligned { got: 8, align: 16 };
    breaks(vec![conv().into(), ConvVar { table: 8, ..tile() }.into()], field("table", None, misaligned));
    breaks(vec![VecBinary { shift: 1, ..binary() }.into()], field("shift", None, range(1, 2, 62)));
    breaks(
        vec![VecBinary { mult: -1, ..binary() }.into()],
        field("mult", None, range(-1, 0, i32::MAX.into())),
    );
    let src = MemAddr::dram(1 << 40);
    let got = field("src", None, range(i64::MAX, 0, (1 << 41) - 1));
    breaks(vec![DmaCopy { src, ..copy() }.into()], got);
}

#[test]
fn machine_limits() {
    breaks(vec![DmaCopy { tile: 1, ..copy() }.into()], Kind::NoSuchTile { tile: 1, tiles: 1 });
    let mut p = program(vec![DmaCopy { engine: 1, ..copy() }.into()]);
    p.machine = machine(|m| m.dma_engines = 1);
    fails(&p, Place::Instr(0, "dma_copy"), Kind::NoSuchEngine { engine: 1, engines: 1 });
    let arm = |barrier| BarCfg { barrier, producers: 1, consumers: 1 }.into();
    let mut p = program(vec![
        arm(8),
        DmaCopy { post: 1 << 8, ..copy() }.into(),
        DmaCopy { wait: 1 << 8, ..copy() }.into(),
    ]);
    assert_eq!(p.validate(), Ok(()));
    p.machine = machine(|m| m.barriers = 8);
    let missing = |field| Kind::NoSuchBarrier { field, barrier: 8, barriers: 8 };
    let at =
        |index, mnemonic, field| ValidateError { place: Place::Instr(index, mnemonic), kind: missing(field) };
    let expected = vec![at(0, "bar_cfg", "barrier"), at(1, "dma_copy", "post"), at(2, "dma_copy", "wait")];
    assert_eq!(p.validate(), Err(expected));
    let mut p = program(vec![]);
    p.machine.rows = 0;
    let kind = MachineError::OutOfRange { field: "rows", got: 0, min: 1, max: 256, unit: "PEs" };
    fails(&p, Place::Program, Kind::Machine(kind));
    let mut p = program(vec![]);
    p.machine = machine(|m| m.dram_bytes = 1 << 16);
    p.dram_bytes = (1 << 16) + 1;
    fails(&p, Place::Program, Kind::Limit { what: "bytes of DRAM", got: (1 << 16) + 1, max: 1 << 16 });
}

#[test]
fn bounds() {
    breaks(vec![DmaCopy { src: MemAddr::dram(65473), ..copy() }.into()], oob("src", Space::Dram, 65473, 64));
    breaks(
        vec![DmaCopy { dst: MemAddr::sram(2097089), ..copy() }.into()],
        oob("dst", Space::Sram, 2097089, 64),
    );
    let huge = DmaCopy { src_strides: [0, 0, 0, 0, (1 << 40) - 1, 1], ..copy() };
    breaks(vec![huge.into()], oob("src", Space::Dram, 0, 3 * ((1 << 40) - 1) + 16));
    let fill = DmaFill { element: 4, dst: MemAddr::dram(65536), ..DmaFill::default() };
    breaks(vec![fill.into()], oob("dst", Space::Dram, 65536, 4));
    let sram = |field, lo: u32, len| oob(field, Space::Sram, lo.into(), len);
    let var = |x: ConvVar| vec![conv().into(), x.into()];
    breaks(var(ConvVar { act: TOP - 127, ..tile() }), sram("act", TOP - 127, 128));
    breaks(var(ConvVar { weights: TOP - 240, ..tile() }), sram("weights", TOP - 240, 256));
    breaks(var(ConvVar { table: TOP - 240, ..tile() }), sram("table", TOP - 240, 256));
    breaks(var(ConvVar { out: TOP - 255, ..tile() }), sram("out", TOP - 255, 256));
    for (acc_in, acc_out) in [(true, false), (false, true)] {
        breaks(var(ConvVar { psum: TOP - 1008, acc_in, acc_out, ..tile() }), sram("psum", TOP - 1008, 1024));
    }
    let lut = ConvInv { lut: true, lut_addr: TOP - 240, ..conv() };
    breaks(vec![lut.into(), tile().into()], sram("inv.lut_addr", TOP - 240, 256));
    let var = |x: PoolVar| vec![pool().into(), x.into()];
    breaks(var(PoolVar { act: TOP - 127, ..pool_tile() }), sram("act", TOP - 127, 128));
    breaks(var(PoolVar { out: TOP - 127, ..pool_tile() }), sram("out", TOP - 127, 128));
    breaks(var(PoolVar { psum: TOP - 496, acc_in: true, ..pool_tile() }), sram("psum", TOP - 496, 512));
    breaks(vec![VecBinary { a: TOP - 63, ..binary() }.into()], sram("a", TOP - 63, 64));
    breaks(vec![VecBinary { b: TOP - 63, ..binary() }.into()], sram("b", TOP - 63, 64));
    breaks(vec![VecBinary { out: TOP - 63, ..binary() }.into()], sram("out", TOP - 63, 64));
    let lut = VecBinary { lut: true, lut_addr: TOP - 240, ..binary() };
    breaks(vec![lut.into()], sram("lut_addr", TOP - 240, 256));
    breaks(vec![VecUnary { src: TOP - 63, ..unary() }.into()], sram("src", TOP - 63, 64));
    let params = VecRescale { per_channel: true, params: TOP - 240, ..rescale() };
    breaks(vec![params.into()], sram("params", TOP - 240, 256));
    let table = VecTable { out: 0x1000, table: TOP - 240, ..VecTable::default() };
    breaks(vec![table.into()], sram("table", TOP - 240, 256));
    let table = VecTable { out: 0x1000, src_dtype: Dtype::I16, table: TOP - 1024, ..VecTable::default() };
    breaks(vec![table.into()], sram("table", TOP - 1024, 1026));
    breaks(vec![VecReduce { out: TOP - 15, ..reduce() }.into()], sram("out", TOP - 15, 16));
}

#[test]
fn constants_stay() {
    let back = DmaCopy { src: MemAddr::sram(0), dst: MemAddr::dram(63), ..copy() };
    breaks(vec![back.into()], Kind::WritesConstants { field: "dst", lo: 63, consts: 64 });
    assert_eq!(program(vec![DmaCopy { dst: MemAddr::dram(64), ..back }.into()]).validate(), Ok(()));
    let mut p = program(vec![]);
    p.dram_bytes = 63;
    (p.inputs, p.outputs) = (vec![], vec![]);
    fails(&p, Place::Program, Kind::Constants { consts: 64, dram_bytes: 63 });
}

#[test]
fn alignment() {
    let wrong = |field, value, align| Kind::Misaligned { field, value, align };
    let words =
        DmaCopy { element: 4, src_strides: [0, 0, 0, 0, 64, 4], dst_strides: [0, 0, 0, 0, 64, 4], ..copy() };
    assert_eq!(program(vec![words.into()]).validate(), Ok(()));
    breaks(vec![DmaCopy { src: MemAddr::dram(2), ..words }.into()], wrong("src", 2, 4));
    breaks(vec![DmaCopy { dst: MemAddr::sram(2), ..words }.into()], wrong("dst", 2, 4));
    breaks(vec![DmaCopy { src_strides: [0, 0, 0, 0, 65, 4], ..words }.into()], wrong("src_strides", 65, 4));
    let inv = ConvInv { out_dtype: Dtype::I32, ..conv() };
    let wide = ConvVar { out_row: 256, out_pixel: 64, ..tile() };
    assert_eq!(program(vec![inv.into(), wide.into()]).validate(), Ok(()));
    breaks(vec![inv.into(), ConvVar { out: 0x3002, ..wide }.into()], wrong("out", 0x3002, 4));
    breaks(vec![inv.into(), ConvVar { out_row: 257, ..wide }.into()], wrong("out_row", 257, 4));
    let inv = PoolInv { dtype: Dtype::I16, ..pool() };
    let wide = PoolVar { act_row: 64, act_pixel: 16, out_row: 64, out_pixel: 16, ..pool_tile() };
    breaks(vec![inv.into(), PoolVar { act: 1, ..wide }.into()], wrong("act", 1, 2));
    breaks(vec![inv.into(), PoolVar { act_pixel: 17, ..wide }.into()], wrong("act_row", 17, 2));
    let dtype = Dtype::I16;
    breaks(
        vec![VecUnary { src_dtype: dtype, src_strides: [0, 0, 0, 0, 32, 2], src: 1, ..unary() }.into()],
        wrong("src", 1, 2),
    );
    breaks(
        vec![VecUnary { src_dtype: dtype, src_strides: [0, 0, 0, 0, 33, 2], ..unary() }.into()],
        wrong("src_strides", 33, 2),
    );
    breaks(
        vec![VecBinary { b_dtype: dtype, b_strides: [0; 6], b: 0x1001, ..binary() }.into()],
        wrong("b", 0x1001, 2),
    );
}

#[test]
fn written_once() {
    let twice = |field| Kind::SelfOverlap { field };
    breaks(vec![DmaCopy { dst_strides: [0, 0, 0, 0, 15, 1], ..copy() }.into()], twice("dst_strides"));
    breaks(vec![DmaCopy { dst_strides: [0; 6], ..copy() }.into()], twice("dst_strides"));
    let transposed = DmaCopy { dst_strides: [0, 0, 0, 0, 1, 4], ..copy() };
    assert_eq!(program(vec![transposed.into()]).validate(), Ok(()));
    let fill = DmaFill { dst: MemAddr::sram(0), dims: [2, 1, 1, 1, 1, 1], ..DmaFill::default() };
    breaks(vec![fill.into()], twice("dst_strides"));
    breaks(vec![conv().into(), ConvVar { out_pixel: 15, ..tile() }.into()], twice("out_row"));
    breaks(vec![conv().into(), ConvVar { out_row: 63, ..tile() }.into()], twice("out_row"));
    // Without a result the strides do not matter.
    let psum = ConvVar { out_row: 0, acc_out: true, ..tile() };
    assert_eq!(program(vec![conv().into(), psum.into()]).validate(), Ok(()));
    breaks(vec![pool().into(), PoolVar { out_pixel: 0, ..pool_tile() }.into()], twice("out_row"));
    breaks(vec![VecUnary { out_strides: [0, 0, 0, 0, 0, 1], ..unary() }.into()], twice("out_strides"));
    breaks(vec![VecReduce { out_strides: [0; 6], ..reduce() }.into()], twice("out_strides"));
}

#[test]
fn operands_apart() {
    let clash = |written, read| Kind::OperandOverlap { written, read };
    let inside = DmaCopy { src: MemAddr::sram(0), dst: MemAddr::sram(63), ..copy() };
    breaks(vec![inside.into()], clash("dst", "src"));
    let var = |x: ConvVar| vec![conv().into(), x.into()];
    breaks(var(ConvVar { out: 127, ..tile() }), clash("out", "act"));
    breaks(var(ConvVar { out: 0x10ff, ..tile() }), clash("out", "weights"));
    breaks(var(ConvVar { out: 0x1fff, ..tile() }), clash("out", "table"));
    breaks(var(ConvVar { out: 0x4000, acc_in: true, ..tile() }), clash("out", "psum"));
    breaks(var(ConvVar { psum: 0x70, acc_out: true, ..tile() }), clash("psum", "act"));
    let lut = ConvInv { lut: true, lut_addr: 0x3000, ..conv() };
    breaks(vec![lut.into(), tile().into()], clash("out", "inv.lut_addr"));
    breaks(vec![pool().into(), PoolVar { out: 127, ..pool_tile() }.into()], clash("out", "act"));
    breaks(vec![VecUnary { out: 1, ..unary() }.into()], clash("out", "src"));
    breaks(vec![VecBinary { b: 0x2000, b_strides: [0; 6], ..binary() }.into()], clash("out", "b"));
    breaks(vec![VecBinary { lut: true, lut_addr: 0x2000, ..binary() }.into()], clash("out", "lut_addr"));
    breaks(
        vec![VecRescale { per_channel: true, params: 0x1000, ..rescale() }.into()],
        clash("out", "params"),
    );
    breaks(vec![VecReduce { out: 0, ..reduce() }.into()], clash("out", "src"));
    let table = VecTable { out: 0x10, table: 0, ..VecTable::default() };
    breaks(vec![table.into()], clash("out", "table"));
}

#[test]
fn sizes() {
    let dims = [1 << 20, 1 << 20, 2, 1, 1, 1];
    let wide = VecReduce { axis: 0, dims, src_strides: [0; 6], out_strides: [0; 6], ..reduce() };
    let elements = 1 << 41;
    let errors = program(vec![wide.into()]).validate().unwrap_err();
    let kind = Kind::TooManyElements { elements, max: 1 << 40 };
    assert!(errors.contains(&ValidateError { place: Place::Instr(0, "vec_reduce"), kind }), "{errors:?}");
}

#[test]
fn slots() {
    breaks(vec![tile().into()], Kind::EmptySlot { tile: 0, slot: 3 });
    breaks(vec![conv().into(), ConvVar { slot: 4, ..tile() }.into()], Kind::EmptySlot { tile: 0, slot: 4 });
    let kind = |found, expected| Kind::SlotKind { tile: 0, slot: 3, found, expected };
    breaks(vec![pool().into(), tile().into()], kind("pool_inv", "conv_inv"));
    breaks(vec![pool().into(), conv().into(), pool_tile().into()], kind("conv_inv", "pool_inv"));
    let mut two = program(vec![conv().into(), ConvVar { tile: 1, ..tile() }.into()]);
    two.machine = machine(|m| m.tiles = 2);
    fails(&two, Place::Instr(1, "conv_var"), Kind::EmptySlot { tile: 1, slot: 3 });
}

#[test]
fn barriers() {
    let arm = |producers, consumers| Instr::from(BarCfg { barrier: 5, producers, consumers });
    let task = |wait: u64, post: u64| Instr::from(DmaCopy { wait, post, ..copy() });
    breaks(vec![task(1 << 5, 0)], Kind::BarrierNotArmed { field: "wait", barrier: 5 });
    breaks(vec![task(0, 1 << 5)], Kind::BarrierNotArmed { field: "post", barrier: 5 });
    let count = |what, announced, found| Kind::BarrierCount { barrier: 5, what, announced, found };
    let at = Place::Instr(0, "bar_cfg");
    fails(&program(vec![arm(2, 0), task(0, 1 << 5)]), at, count("producers", 2, 1));
    fails(&program(vec![arm(1, 0), task(0, 1 << 5), task(0, 1 << 5)]), at, count("producers", 1, 2));
    fails(&program(vec![arm(1, 1), task(0, 1 << 5)]), at, count("consumers", 1, 0));
    // The second generation has separate counts.
    let pair = [arm(1, 1), task(0, 1 << 5), task(1 << 5, 0)];
    assert_eq!(program([pair, pair].concat()).validate(), Ok(()));
    let first = vec![arm(2, 0), task(0, 1 << 5), arm(1, 0), task(0, 1 << 5)];
    fails(&program(first), at, count("producers", 2, 1));
}

#[test]
fn deadlocks() {
    let arm = |barrier| Instr::from(BarCfg { barrier, producers: 1, consumers: 1 });
    let task = |engine, wait: u64, post: u64| Instr::from(DmaCopy { engine, wait, post, ..copy() });
    let stuck = |barrier, dispatched| Kind::Deadlock { barrier, dispatched };
    // A task that waits for itself, and one that precedes its producer.
    let p = program(vec![arm(0), task(0, 1, 1)]);
    fails(&p, Place::Instr(1, "dma_copy"), stuck(0, 3));
    let p = program(vec![arm(0), task(0, 1, 0), task(0, 0, 1)]);
    fails(&p, Place::Instr(1, "dma_copy"), stuck(0, 4));
    // The same on two engines is legal: the other one proceeds.
    assert_eq!(program(vec![arm(0), task(0, 1, 0), task(1, 0, 1)]).validate(), Ok(()));
    // A DMA engine has one FIFO for all tiles.
    let on = |tile, wait: u64, post: u64| Instr::from(DmaCopy { tile, wait, post, ..copy() });
    let mut p = program(vec![arm(0), on(0, 1, 0), on(1, 0, 1)]);
    p.machine = machine(|m| m.tiles = 2);
    fails(&p, Place::Instr(1, "dma_copy"), stuck(0, 4));
    // Unless the FIFO in front is full.
    let mut p = program(vec![arm(0), task(0, 1, 0), task(0, 0, 0), task(1, 0, 1)]);
    p.machine = machine(|m| m.fifo_depth = 1);
    fails(&p, Place::Instr(1, "dma_copy"), stuck(0, 2));
    // A ring over two engines.
    let p = program(vec![arm(0), arm(1), task(0, 1, 2), task(1, 2, 1)]);
    fails(&p, Place::Instr(2, "dma_copy"), stuck(0, 5));
    // Re-arming a barrier whose consumer cannot have started.
    let p = program(vec![
        arm(0),
        arm(1),
        task(0, 0, 1),
        task(0, 2, 0),
        task(1, 1, 0),
        arm(0),
        task(1, 0, 2),
        task(1, 0, 1),
        task(1, 1, 0),
    ]);
    assert_eq!(p.validate(), Ok(()));
    let p = program(vec![
        arm(0),
        arm(1),
        task(0, 0, 1),
        task(0, 3, 0),
        arm(0),
        task(1, 0, 2),
        task(1, 0, 1),
        task(1, 1, 0),
    ]);
    fails(&p, Place::Instr(3, "dma_copy"), stuck(1, 4));
}

#[test]
fn convolution_rules() {
    let clamp = |lo, hi, dtype| Kind::Clamp { lo, hi, dtype };
    breaks(vec![ConvInv { clamp_lo: 1, clamp_hi: 0, ..conv() }.into()], clamp(1, 0, Dtype::I8));
    breaks(vec![ConvInv { clamp_lo: -129, ..conv() }.into()], clamp(-129, 127, Dtype::I8));
    breaks(vec![ConvInv { out_dtype: Dtype::U8, ..conv() }.into()], clamp(-128, 127, Dtype::U8));
    breaks(vec![ConvInv { clamp_hi: 128, ..conv() }.into()], clamp(-128, 128, Dtype::I8));
    let lut = ConvInv { lut: true, out_dtype: Dtype::I16, ..conv() };
    breaks(vec![lut.into()], Kind::Dtype { field: "out_dtype", dtype: Dtype::I16 });
    let zp = ConvInv { wt_zp: 1, ..packed(Method::Sparse, 8, 0) };
    breaks(vec![zp.into()], Kind::WeightZeroPoint { method: Method::Sparse, wt_zp: 1 });
    let low = |method, low, max| Kind::TooManyLow { method, low, max };
    breaks(vec![packed(Method::Sparse, 17, 0).into()], low(Method::Sparse, 17, 16));
    breaks(vec![packed(Method::Dense, 1, 0).into()], low(Method::Dense, 1, 0));
    let param = |method, param, min, max| Kind::MethodParam { method, param, min, max };
    breaks(vec![packed(Method::Dense, 0, 1).into()], param(Method::Dense, 1, 0, 0));
    breaks(vec![packed(Method::Sparse, 8, 1).into()], param(Method::Sparse, 1, 0, 0));
    breaks(vec![packed(Method::Dliq, 8, 0).into()], param(Method::Dliq, 0, 1, 8));
    breaks(vec![packed(Method::Mip2q, 8, 8).into()], param(Method::Mip2q, 8, 0, 7));
    let spare = |method, param| Kind::NoSpareCode { method, param };
    for l in [0, 1, 3, 7] {
        breaks(vec![ConvInv { zero: true, ..packed(Method::Mip2q, 8, l) }.into()], spare(Method::Mip2q, l));
    }
    for l in [2, 4, 5, 6] {
        assert_eq!(
            program(vec![ConvInv { zero: true, ..packed(Method::Mip2q, 8, l) }.into()]).validate(),
            Ok(())
        );
    }
    breaks(vec![ConvInv { zero: true, ..packed(Method::Dliq, 8, 4) }.into()], spare(Method::Dliq, 4));
    let sched = ConvInv { sched_oc: 16, sched_ox: 17, ..conv() };
    breaks(vec![sched.into()], Kind::Schedule { used: 272, pes: 256 });
    breaks(vec![ConvInv { sched_ic: 3, ..conv() }.into()], Kind::AdderTree { sched_ic: 3, max: 16 });
    let block = ConvInv { block_oc: 4, block_oy: 4, block_ox: 5, ..conv() };
    let kind = Kind::Block(ScheduleError::Accumulators { oc: 4, oy: 4, ox: 5, got: 80, max: 64 });
    breaks(vec![block.into()], kind);
    let fold = ConvInv { depthwise: true, fold: true, ..conv() };
    breaks(vec![fold.into()], Kind::Block(ScheduleError::Fold));
    let depthwise = ConvInv { depthwise: true, ..conv() };
    assert_eq!(program(vec![depthwise.into(), tile().into()]).validate(), Ok(()));
    let odd = ConvVar { out_c: 15, ..tile() };
    breaks(vec![depthwise.into(), odd.into()], Kind::Depthwise { in_c: 8, out_c: 15 });
}

#[test]
fn other_rules() {
    let dtype = |field, dtype| Kind::Dtype { field, dtype };
    let pool32 = PoolInv { dtype: Dtype::I32, ..pool() };
    breaks(vec![pool32.into()], dtype("dtype", Dtype::I32));
    let hi = PoolInv { clamp_hi: 128, ..pool() };
    breaks(vec![hi.into()], Kind::Clamp { lo: 0, hi: 128, dtype: Dtype::I8 });
    breaks(
        vec![VecBinary { mul_shift: 1, ..binary() }.into()],
        Kind::MulShift { op: BinaryOp::Add, mul_shift: 1 },
    );
    let hi = VecBinary { clamp: true, clamp_hi: 200, ..binary() };
    breaks(vec![hi.into()], Kind::Clamp { lo: 0, hi: 200, dtype: Dtype::I8 });
    assert_eq!(program(vec![VecBinary { clamp: false, ..hi }.into()]).validate(), Ok(()));
    let lut = VecBinary { lut: true, lut_addr: 0x8000, out_dtype: Dtype::U8, ..binary() };
    breaks(vec![lut.into()], dtype("out_dtype", Dtype::U8));
    let hi = VecUnary { clamp: true, clamp_lo: 1, ..unary() };
    breaks(vec![hi.into()], Kind::Clamp { lo: 1, hi: 0, dtype: Dtype::I8 });
    let hi = VecRescale { clamp_hi: 128, ..rescale() };
    breaks(vec![hi.into()], Kind::Clamp { lo: 0, hi: 128, dtype: Dtype::I8 });
    let lut = VecRescale { lut: true, lut_addr: 0x8000, out_dtype: Dtype::U8, ..rescale() };
    breaks(vec![lut.into()], dtype("out_dtype", Dtype::U8));
    let table = VecTable { out: 0x1000, table: 0x2000, src_dtype: Dtype::U8, ..VecTable::default() };
    breaks(vec![table.into()], dtype("src_dtype", Dtype::U8));
    let reduced = VecReduce { out_strides: [0, 0, 0, 0, 16, 1], ..reduce() };
    breaks(vec![reduced.into()], Kind::ReducedStride { axis: 4, stride: 16 });
}

#[test]
fn inputs_and_outputs() {
    let name = |n: &str| Kind::IoName { name: n.into() };
    fails(&with(|p| p.inputs[0].name.clear()), Place::Input(0), name(""));
    fails(&with(|p| p.inputs[1].name = "x".into()), Place::Input(1), name("x"));
    assert_eq!(with(|p| p.outputs[0].name = "x".into()).validate(), Ok(()));
    let outside =
        |name: &str, addr, bytes| Kind::IoOutOfBounds { name: name.into(), addr, bytes, dram_bytes: 1 << 16 };
    fails(&with(|p| p.outputs[0].addr = 65516), Place::Output(0), outside("y", 65516, 24));
    fails(&with(|p| p.outputs[0].addr = u64::MAX - 3), Place::Output(0), outside("y", u64::MAX - 3, 24));
    let huge = with(|p| p.outputs[0].shape = vec![u64::MAX; 6]);
    fails(&huge, Place::Output(0), outside("y", 256, u128::MAX));
    let misaligned = Kind::Misaligned { field: "address", value: 66, align: 4 };
    fails(&with(|p| p.inputs[0].addr = 66), Place::Input(0), misaligned);
    let over = Kind::IoOverConstants { name: "x".into(), addr: 60, consts: 64 };
    fails(&with(|p| p.inputs[0].addr = 60), Place::Input(0), over);
    assert_eq!(with(|p| p.outputs[0].addr = 0).validate(), Ok(()));
    let overlap = Kind::IoOverlap { name: "z".into(), other: "x".into() };
    fails(&with(|p| p.inputs[1].addr = 84), Place::Input(1), overlap);
    fails(&with(|p| p.inputs[0].shape = vec![2, 0]), Place::Input(0), Kind::IoEmpty { name: "x".into() });
    let rank = Kind::Limit { what: "dimensions", got: 7, max: 6 };
    fails(&with(|p| p.inputs[0].shape = vec![1; 7]), Place::Input(0), rank);
    let long = Kind::Limit { what: "bytes of the name", got: 65537, max: 65536 };
    fails(&with(|p| p.inputs[0].name = "n".repeat(65537)), Place::Input(0), long);
    let many = with(|p| {
        let io = p.outputs[0].clone();
        p.outputs = (0..4097).map(|i| IoDesc { name: i.to_string(), ..io.clone() }).collect();
    });
    fails(&many, Place::Program, Kind::Limit { what: "outputs", got: 4097, max: 4096 });
}

#[test]
fn origins_and_manifest() {
    fails(&with(|p| p.meta.clear()), Place::Program, Kind::MetaCount { got: 0, expected: 1 });
    let index = |what| Kind::Index { what, index: 1, len: 1 };
    fails(&with(|p| p.meta[0].layer = 1), Place::Instr(0, "end"), index("layer"));
    fails(&with(|p| p.meta[0].loc = 1), Place::Instr(0, "end"), index("location"));
    fails(&with(|p| p.layers[0].loc = 1), Place::Layer(0), index("location"));
    let long = |what| Kind::Limit { what, got: 65537, max: 65536 };
    fails(&with(|p| p.locs[0] = "n".repeat(65537)), Place::Loc(0), long("bytes of text"));
    fails(&with(|p| p.layers[0].op = "n".repeat(65537)), Place::Layer(0), long("bytes of the op"));
    let pipeline = with(|p| p.manifest.pipeline = "n".repeat(65537));
    fails(&pipeline, Place::Program, long("bytes of the manifest's pipeline"));
    for hash in ["0", "G", &"A".repeat(64), &"a".repeat(63)] {
        let hashed = with(|p| p.manifest.input_sha256 = hash.to_owned());
        fails(&hashed, Place::Program, Kind::InputHash(hash.to_owned()));
    }
}

#[test]
fn reports_are_bounded() {
    let bad: Instr = DmaCopy { tile: 9, ..copy() }.into();
    let errors = program(vec![bad; 1000]).validate().unwrap_err();
    assert_eq!(errors.len(), violation::MAX_ERRORS);
    assert_eq!(errors[0].to_string(), "instruction 0 (dma_copy): tile 9 does not exist, the machine has 1");
}
