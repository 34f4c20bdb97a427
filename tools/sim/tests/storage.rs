//! Data that a zero-skipping machine stores zero-compressed: two layers with a spill between, counted by
//! hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::copy;
use dpu_isa::{
    BarCfg, ConvInv, ConvVar, Dtype, End, Instr, InstrMeta, IoDesc, Layer, Machine, Manifest, Meaning,
    MemAddr, Program, VecUnary, WeightEntry,
};
use dpu_sim::{Events, Options, Report, TensorView, simulate};

/// Rows and pixels of a row; channels of all tensors.
const SIDE: u64 = 8;
const CHANNELS: u64 = 32;
const TENSOR: u64 = SIDE * SIDE * CHANNELS;
const WEIGHTS: u64 = CHANNELS * CHANNELS;
const TABLE: u64 = 16 * CHANNELS;

/// Zero points of the input, of the intermediate tensor, and of the output.
const ZEROS: [i8; 3] = [3, -20, 5];

/// The SRAM layout.
const ACT: [u64; 4] = [0x4000, 0x5000, 0x6000, 0x7000];
const SPILL: u64 = 2 * (WEIGHTS + TABLE);

/// A weight of a layer: three of four are zero.
fn weight(layer: u64, oc: u64, ic: u64) -> i8 {
    let mix = (layer << 40 ^ oc << 20 ^ ic).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    if mix.is_multiple_of(4) { (mix >> 2) as i8 / 16 } else { 0 }
}

fn consts() -> Vec<u8> {
    let mut consts = Vec::new();
    for layer in 0..2 {
        for oc in 0..CHANNELS {
            consts.extend((0..CHANNELS).map(|ic| weight(layer, oc, ic).cast_unsigned()));
        }
        let entry = |oc: u64| WeightEntry { weight_offset: (oc * CHANNELS) as u32, ..WeightEntry::default() };
        consts.extend((0..CHANNELS).flat_map(|oc| entry(oc).encode()));
    }
    consts
}

fn invariant(layer: usize) -> ConvInv {
    ConvInv {
        slot: layer as u8,
        in_zp: ZEROS[layer].into(),
        out_zp: ZEROS[layer + 1].into(),
        // A rectifier: everything below the zero point is zero.
        clamp_lo: ZEROS[layer + 1].into(),
        clamp_hi: 127,
        sched_oc: 16,
        sched_oy: 4,
        sched_ox: 4,
        ..ConvInv::default()
    }
}

fn variant(layer: u64, act: u64, out: u64) -> ConvVar {
    let (row, pixel) = ((SIDE * CHANNELS) as u32, CHANNELS as u32);
    let weights = layer * (WEIGHTS + TABLE);
    ConvVar {
        slot: layer as u8,
        act: act as u32,
        in_h: SIDE as u32,
        in_w: SIDE as u32,
        in_c: pixel,
        act_row: row,
        act_pixel: pixel,
        weights: weights as u32,
        table: (weights + WEIGHTS) as u32,
        out: out as u32,
        out_h: SIDE as u32,
        out_w: SIDE as u32,
        out_c: pixel,
        out_row: row,
        out_pixel: pixel,
        ..ConvVar::default()
    }
}

/// The program, with a second task that reads the intermediate tensor, if any.
fn chain(second: Option<Instr>) -> Program {
    let consts = consts();
    let (spill, input) = (consts.len() as u64, consts.len() as u64 + TENSOR);
    let output = input + TENSOR;
    let load = |from: u64, to: u64, bytes: u64| copy(0, MemAddr::dram(from), MemAddr::sram(to), bytes, 0, 0);
    let store = |from: u64, to: u64| copy(0, MemAddr::sram(from), MemAddr::dram(to), TENSOR, 0, 0);
    let mut tasks: Vec<(u16, Instr)> = vec![
        // Weights and tables of both layers in one piece.
        (2, load(0, 0, SPILL)),
        (2, load(input, ACT[0], TENSOR)),
        (0, variant(0, ACT[0], ACT[1]).into()),
        (2, store(ACT[1], spill)),
        (2, load(spill, ACT[2], TENSOR)),
        (1, variant(1, ACT[2], ACT[3]).into()),
        (2, store(ACT[3], output)),
    ];
    if let Some(second) = second {
        tasks.insert(5, (2, second));
    }
    let (mut instrs, mut meta) = (Vec::new(), Vec::new());
    let mut push = |layer: Option<u16>, instr: Instr| {
        instrs.push(instr);
        meta.push(
            layer.map_or(InstrMeta::default(), |n| InstrMeta { layer: n.into(), loc: InstrMeta::NONE }),
        );
    };
    for n in 0..tasks.len() as u8 - 1 {
        push(None, BarCfg { barrier: n, producers: 1, consumers: 1 }.into());
    }
    (0..2).for_each(|n| push(Some(n), invariant(n.into()).into()));
    let last = tasks.len() - 1;
    for (n, (layer, mut instr)) in tasks.into_iter().enumerate() {
        let wait = if n == 0 { 0 } else { 1u64 << (n - 1) };
        let post = if n == last { 0 } else { 1u64 << n };
        match &mut instr {
            Instr::DmaCopy(x) => (x.wait, x.post) = (wait, post),
            Instr::ConvVar(x) => (x.wait, x.post) = (wait, post),
            Instr::VecUnary(x) => (x.wait, x.post) = (wait, post),
            other => panic!("{other:?}"),
        }
        push(Some(layer), instr);
    }
    push(None, End {}.into());
    let io = |name: &str, addr| {
        vec![IoDesc {
            name: name.into(),
            dtype: Dtype::I8,
            shape: vec![1, SIDE, SIDE, CHANNELS],
            addr,
            meaning: Meaning::default(),
        }]
    };
    let layer = |name: &str| Layer { name: name.into(), op: "strum.conv2d".into(), loc: 0, macs: 0 };
    Program {
        machine: Machine::flexnn_16x16(),
        instrs,
        meta,
        locs: vec!["net.mlir:1:1".into()],
        layers: vec![layer("a"), layer("b"), layer("dma")],
        consts,
        dram_bytes: output + TENSOR,
        inputs: io("x", input),
        outputs: io("y", output),
        manifest: Manifest::default(),
    }
}

fn input() -> Vec<i8> {
    (0..TENSOR)
        .map(|i| if i.is_multiple_of(3) { ZEROS[0] } else { (i.wrapping_mul(i) % 61) as i8 - 30 })
        .collect()
}

/// A layer, by its definition.
fn convolved(layer: usize, from: &[i8]) -> Vec<i8> {
    let [zero, out] = [ZEROS[layer], ZEROS[layer + 1]].map(i32::from);
    let pixels = from.chunks(CHANNELS as usize);
    let result = pixels.flat_map(|pixel| {
        (0..CHANNELS).map(move |oc| {
            let products = pixel.iter().zip(0..);
            let sum: i32 = products
                .map(|(&x, ic)| (i32::from(x) - zero) * i32::from(weight(layer as u64, oc, ic)))
                .sum();
            (sum + out).clamp(out, 127) as i8
        })
    });
    result.collect()
}

/// Size of a segment, by the rule of docs/timing.md.
fn piece(bytes: &[i8], zero: i8) -> u64 {
    let (mut words, mut in_word) = (0, 16);
    for _ in bytes.iter().filter(|&&b| b != zero) {
        if in_word == 16 {
            (words, in_word) = (words + 1, 0);
        }
        in_word += 1;
    }
    let packed = 16 * words + (bytes.len() as u64).div_ceil(8);
    packed.min(bytes.len() as u64)
}

fn run(program: &Program, zero_skip: u32, values: &[i8]) -> (Vec<u8>, Report) {
    program.validate().unwrap();
    let machine = Machine { zero_skip, ..program.machine.clone() };
    let options = Options { machine: Some(machine), ..Options::default() };
    let bytes: Vec<u8> = values.iter().map(|v| v.cast_unsigned()).collect();
    let x = TensorView { dtype: Dtype::I8, shape: &program.inputs[0].shape, data: &bytes };
    let result = simulate(program, &[x], &options).unwrap();
    (result.outputs[0].data.clone(), result.report)
}

fn events(report: &Report, layer: usize) -> Events {
    report.layers[layer].work.events
}

#[test]
fn a_tensor_between_two_layers_travels_without_its_zeros() {
    let (program, x) = (chain(None), input());
    let (plain_out, plain) = run(&program, 0, &x);
    let (out, report) = run(&program, 1, &x);
    let between = convolved(0, &x);
    let want: Vec<u8> = convolved(1, &between).iter().map(|v| v.cast_unsigned()).collect();
    assert_eq!((&out, &plain_out), (&want, &want));

    // Host data stays uncompressed, and so do tables and the output.
    assert_eq!(events(&report, 0).sram_act_read, TENSOR);
    assert_eq!(events(&report, 1).sram_out_write, TENSOR);
    for layer in 0..2 {
        let set = |oc| (0..CHANNELS).map(|ic| weight(layer as u64, oc, ic)).collect::<Vec<_>>();
        let sets: u64 = (0..CHANNELS).map(|oc| piece(&set(oc), 0)).sum();
        assert_eq!(events(&report, layer).sram_weight_read, sets);
        assert!(sets < WEIGHTS);
        assert_eq!(events(&report, layer).sram_table_read, TABLE);
    }
    // A flag for each of 64 pixels.
    let pixels: u64 = between.chunks(CHANNELS as usize).map(|p| piece(p, ZEROS[1])).sum::<u64>() + 8;
    assert!(pixels < TENSOR);
    assert_eq!(events(&report, 0).sram_out_write, pixels);
    assert_eq!(events(&report, 1).sram_act_read, pixels);

    // The DMA: weights, table, weights, table; the tensor in one piece, there and back; a flag byte for each transfer.
    let spilled = piece(&between, ZEROS[1]) + 1;
    let all = |layer| {
        let values = (0..CHANNELS).flat_map(|oc| (0..CHANNELS).map(move |ic| weight(layer, oc, ic)));
        piece(&values.collect::<Vec<_>>(), 0)
    };
    let consts = all(0) + all(1) + 2 * TABLE + 1;
    let bytes = report.total.bytes;
    assert_eq!(bytes.dram_read, consts + TENSOR + spilled);
    assert_eq!(bytes.dram_write, spilled + TENSOR);
    let dma = events(&report, 2);
    assert_eq!((dma.sram_dma_read, dma.sram_dma_write), (bytes.dram_write, bytes.dram_read));
    assert!(bytes.dram_read < plain.total.bytes.dram_read && report.cycles < plain.cycles);
}

#[test]
fn what_another_unit_reads_stays_as_it_is() {
    // A unary operator of the vector engine reads the spilled tensor, too.
    let dense = [0, 0, 0, 0, 0, 1];
    let reader = VecUnary {
        dims: [1, 1, 1, 1, 1, TENSOR as u32],
        src_strides: dense,
        out_strides: dense,
        src: ACT[2] as u32,
        out: ACT[0] as u32,
        clamp_lo: -128,
        clamp_hi: 127,
        ..VecUnary::default()
    };
    let (program, x) = (chain(Some(reader.into())), input());
    let ((plain_out, plain), (out, report)) = (run(&program, 0, &x), run(&program, 1, &x));
    assert_eq!(out, plain_out);
    for layer in 0..2 {
        let [got, raw] = [&report, &plain].map(|r| events(r, layer));
        assert_eq!(got.sram_act_read, raw.sram_act_read);
        assert_eq!(got.sram_out_write, raw.sram_out_write);
    }
    assert_eq!(report.total.bytes.dram_write, plain.total.bytes.dram_write);
    // Weights are not affected.
    assert!(report.total.bytes.dram_read < plain.total.bytes.dram_read);
}

#[test]
fn what_readers_take_different_values_for_zero_in_stays_as_it_is() {
    // The first layer's convolution reads the spilled tensor again, with its own zero point.
    let (program, x) = (chain(Some(variant(0, ACT[2], ACT[0]).into())), input());
    let ((plain_out, plain), (out, report)) = (run(&program, 0, &x), run(&program, 1, &x));
    assert_eq!(out, plain_out);
    assert_eq!(events(&report, 1).sram_act_read, events(&plain, 1).sram_act_read);
    assert_eq!(report.total.bytes.dram_write, plain.total.bytes.dram_write);
    assert!(report.total.events.zero_skipped > 0);
}
