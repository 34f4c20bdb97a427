//! No instruction causes more host work than fuel allows, whatever cycles the machine file claims.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use dpu_isa::{
    ConvInv, ConvVar, DmaCopy, DmaFill, DmaGather, DmaScatter, Dtype, End, Instr, Machine, Manifest, PoolInv,
    PoolVar, Program, ReduceOp, VecBinary, VecReduce, VecRescale, VecSelect, VecTable, VecUnary,
};
use dpu_sim::{FuelUnit, KernelChoice, Options, SimError, simulate, simulate_timing};

/// A machine that claims to finish everything in almost no time.
fn machine() -> Machine {
    let fast = 65536;
    Machine {
        vec_lanes: fast,
        dma_bytes_per_cycle: fast,
        dram_bytes_per_cycle: fast,
        dma_outstanding: fast,
        dma_request_bytes: fast,
        ppe_per_cycle: fast,
        ..Machine::flexnn_16x16()
    }
}

fn program(mut instrs: Vec<Instr>) -> Program {
    instrs.push(End {}.into());
    Program {
        machine: machine(),
        meta: vec![Default::default(); instrs.len()],
        instrs,
        locs: Vec::new(),
        layers: Vec::new(),
        consts: Vec::new(),
        dram_bytes: 1 << 10,
        inputs: Vec::new(),
        outputs: Vec::new(),
        manifest: Manifest::default(),
    }
}

fn conv(depthwise: bool, x: ConvVar) -> Vec<Instr> {
    let inv = ConvInv {
        depthwise,
        block: 16,
        sched_oc: 1,
        sched_oy: 1,
        sched_ox: 1,
        sched_ic: 1,
        stride_x: 1,
        stride_y: 1,
        dilation_x: 1,
        dilation_y: 1,
        clamp_lo: -128,
        clamp_hi: 127,
        ..ConvInv::default()
    };
    vec![inv.into(), x.into()]
}

fn pool(x: PoolVar) -> Vec<Instr> {
    let inv = PoolInv { stride_x: 1, stride_y: 1, clamp_lo: -128, clamp_hi: 127, ..PoolInv::default() };
    vec![inv.into(), x.into()]
}

/// Strides that repeat one element.
const SAME: [u32; 6] = [0; 6];
const DIMS: [u32; 6] = [1, 1, 1, 1, 128, u32::MAX];

/// Tasks by name that touch few bytes repeatedly, each of them more work than the host can do in hours.
fn endless() -> Vec<(&'static str, Vec<Instr>)> {
    let one = |task: Instr| vec![task];
    let window = |depthwise| {
        let x = ConvVar {
            in_h: 1,
            in_w: 1,
            in_c: 1,
            kernel_h: 8192,
            kernel_w: 8192,
            out_h: 8192,
            out_w: 8192,
            out_c: 1,
            ..ConvVar::default()
        };
        conv(depthwise, x)
    };
    vec![
        (
            "reduce one",
            one(VecReduce { axis: 5, dims: DIMS, src_strides: SAME, ..VecReduce::default() }.into()),
        ),
        (
            "reduce pairs",
            one(VecReduce {
                axis: 4,
                dims: [1, 1, 1, 1, u32::MAX, 2],
                src_strides: SAME,
                ..VecReduce::default()
            }
            .into()),
        ),
        (
            "binary",
            one(VecBinary { dims: DIMS, a_strides: SAME, b_strides: SAME, ..VecBinary::default() }.into()),
        ),
        ("unary", one(VecUnary { dims: DIMS, src_strides: SAME, ..VecUnary::default() }.into())),
        (
            "rescale",
            one(VecRescale { dims: DIMS, src_strides: SAME, shift: 2, ..VecRescale::default() }.into()),
        ),
        ("table", one(VecTable { dims: DIMS, src_strides: SAME, ..VecTable::default() }.into())),
        ("copy", one(DmaCopy { dims: DIMS, ..DmaCopy::default() }.into())),
        ("fill", one(DmaFill { dims: DIMS, ..DmaFill::default() }.into())),
        ("convolution in the padding", window(false)),
        ("depthwise in the padding", window(true)),
        (
            "pooling in the padding",
            pool(PoolVar {
                in_h: 1,
                in_w: 1,
                in_c: 1,
                kernel_h: 8192,
                kernel_w: 8192,
                out_h: 8192,
                out_w: 8192,
                ..PoolVar::default()
            }),
        ),
    ]
}

/// More of them: what values choose.
fn choosing() -> Vec<(&'static str, Vec<Instr>)> {
    let (op, out_dtype) = (ReduceOp::Argmax, Dtype::I32);
    let greatest = VecReduce { op, axis: 5, dims: DIMS, out_dtype, ..VecReduce::default() };
    vec![
        ("select", vec![VecSelect { dims: DIMS, ..VecSelect::default() }.into()]),
        ("index of the greatest", vec![greatest.into()]),
        ("gather", vec![DmaGather { dims: DIMS, ..DmaGather::default() }.into()]),
        ("scatter", vec![DmaScatter { dims: DIMS, ..DmaScatter::default() }.into()]),
    ]
}

#[test]
fn tasks_that_never_end_run_out_of_fuel_before_they_begin() {
    for (name, tasks) in endless().into_iter().chain(choosing()) {
        let program = program(tasks);
        for (checks, kernel) in
            [(true, KernelChoice::Auto), (false, KernelChoice::Auto), (false, KernelChoice::Golden)]
        {
            let error =
                simulate(&program, &[], &Options { checks, kernel, ..Options::default() }).unwrap_err();
            let SimError::OutOfFuel { needed, limit, tasks, ref at, .. } = error else {
                panic!("{name}: {error}")
            };
            assert!(needed > limit, "{name}: {error}");
            let mnemonic = program.instrs.iter().rev().nth(1).unwrap().mnemonic();
            assert_eq!((at.mnemonic, tasks), (mnemonic, at.index as u64), "{name}: {error}");
        }
    }
}

#[test]
fn a_reduction_of_one_element_again_and_again_is_out_of_steps_and_not_of_cycles() {
    let reduce = VecReduce { axis: 5, dims: DIMS, src_strides: SAME, ..VecReduce::default() };
    let program = program(vec![reduce.into()]);
    let error = simulate(&program, &[], &Options::default()).unwrap_err();
    assert!(matches!(error, SimError::OutOfFuel { unit: FuelUnit::Steps, .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("out of fuel: with the next task the host would have "), "{text}");
    assert!(text.contains("steps; 0 tasks have run until cycle "), "{text}");
    // Where nothing is computed, only cycles count.
    let cycles = simulate_timing(&program, &Options::default(), &mut []).unwrap().cycles;
    let little = Options { max_cycles: cycles - 1, ..Options::default() };
    let error = simulate_timing(&program, &little, &mut []).unwrap_err();
    assert!(matches!(error, SimError::OutOfFuel { unit: FuelUnit::Cycles, .. }), "{error}");
}
