//! Random programs against the project's internal oracle, which shares no arithmetic with the compiler and the simulator.
//!
//! Each case is printed as TOSA text, compiled by the named pipeline, written to a binary, read back, and executed. Failures name
//! the kind and the seed, which reproduce the case.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use common::{compile, context, round_trip, run, run_otherwise, simulated};
use dpu_sim::Tensor;
use strum_ir::Context;
use strum_ref::smith::{self, Case, Kind, Size};

/// Compiles and runs a case, and compares every output.
fn check(context: &Context, case: &Case, options: &str) -> Result<(), String> {
    let pipeline = format!("strum-pipeline{{{options}}}");
    let program =
        compile(context, case.mlir.as_bytes(), &pipeline).map_err(|e| format!("{e}\n{}", case.mlir))?;
    let inputs: Vec<Tensor> = case.inputs.iter().map(simulated).collect();
    let outputs = run(&program, &inputs)?;
    let expected: Vec<Tensor> = case.outputs.iter().map(simulated).collect();
    if outputs != expected {
        return Err(format!("wrong result\n{}", case.mlir));
    }
    for (way, outputs) in run_otherwise(&program, &inputs)? {
        if outputs != expected {
            return Err(format!("wrong result, {way}\n{}", case.mlir));
        }
    }
    round_trip(context, &program)
}

/// Every kind of operator, on one machine.
fn operators(machine: &str, size: Size, seeds: u64) {
    let context = context();
    for kind in Kind::ALL {
        for seed in 0..seeds {
            let case = smith::sized_op(*kind, size, seed).unwrap();
            if let Err(error) = check(&context, &case, &format!("method=dense machine={machine}")) {
                panic!("{} seed {seed} on {machine}: {error}", kind.name());
            }
        }
    }
}

#[test]
fn small_operators() {
    operators("flexnn-16x16", Size::Small, 40);
}

#[test]
fn small_operators_on_a_small_machine() {
    operators("flexnn-4x4", Size::Small, 20);
}

#[test]
fn large_operators_on_a_small_machine() {
    operators("flexnn-4x4", Size::Large, 2);
}

#[test]
fn graphs() {
    let context = context();
    for seed in 0..80 {
        let case = smith::graph(seed).unwrap();
        for machine in ["flexnn-16x16", "flexnn-16x16-static", "flexnn-4x4"] {
            if let Err(error) = check(&context, &case, &format!("method=dense machine={machine}")) {
                panic!("graph {seed} on {machine}: {error}");
            }
        }
    }
}

#[test]
fn what_the_canonicalizer_rewrites() {
    let context = context();
    for seed in 0..100 {
        let case = smith::rewrites(seed).unwrap();
        if let Err(error) = check(&context, &case, "method=dense machine=flexnn-16x16") {
            panic!("rewrites {seed}: {error}");
        }
    }
}

/// Packed weights must compute what the same weights decoded compute: the simulator's decoder against the compiler's.
#[test]
fn packed_weights_are_their_decoded_selves() {
    let context = context();
    let front = "func.func(expand-operators,strum-canonicalize,cse,tosa-to-strum,strum-canonicalize,cse)";
    let back = "strum-to-dpu,dpu.program(dpu-allocate,dpu-assign-barriers)";
    let formats = [
        "method=sparse p=0.5",
        "method=dliq p=0.5 q=4",
        "method=dliq p=0.25 q=3 w=8 shift=channel",
        "method=mip2q p=0.5 L=7",
        "method=mip2q p=0.75 L=5 zero=true",
        "method=mip2q p=0.25 w=32 L=3",
        "method=dliq p=0.5 q=5 w=4 shift=1",
    ];
    let kinds = [
        Kind::Conv2d,
        Kind::DepthwiseConv2d,
        Kind::TransposeConv2d,
        Kind::Conv3d,
        Kind::WideConv2d,
        Kind::WideDepthwiseConv2d,
    ];
    for kind in kinds {
        for seed in 0..28 {
            let case = smith::single_op(kind, seed).unwrap();
            let inputs: Vec<Tensor> = case.inputs.iter().map(simulated).collect();
            let format = formats[seed as usize % formats.len()];
            let pack = format!("func.func(strum-pack{{{format} depthwise=true min-channels=1}})");
            let run_with = |middle: &str| {
                let program = compile(&context, case.mlir.as_bytes(), &format!("{front},{middle},{back}"))?;
                round_trip(&context, &program)?;
                run(&program, &inputs)
            };
            let packed =
                run_with(&pack).unwrap_or_else(|e| panic!("{} seed {seed}, {format}: {e}", kind.name()));
            let decoded = run_with(&format!("{pack},func.func(strum-unpack)")).unwrap();
            assert_eq!(packed, decoded, "{} seed {seed}, {format}", kind.name());
        }
    }
}
