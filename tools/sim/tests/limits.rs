//! What bounds a layer: one program by hand for each bound, with its cycles by the rules of `docs/timing.md`.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{Conv, copy, program};
use dpu_isa::{Dtype, End, Instr, InstrMeta, Layer, Machine, Manifest, MemAddr, Method, Program, VecUnary};
use dpu_sim::{Limits, Options, Report, simulate_timing};

/// The report of a program, all instructions of one layer.
fn timed(instrs: Vec<Instr>, machine: Machine) -> Report {
    let mut instrs = instrs;
    instrs.push(End {}.into());
    let program = Program {
        machine,
        meta: vec![InstrMeta { layer: 0, loc: InstrMeta::NONE }; instrs.len()],
        instrs,
        locs: Vec::new(),
        layers: vec![Layer { name: "a".into(), op: "test.op".into(), loc: InstrMeta::NONE, macs: 0 }],
        consts: Vec::new(),
        dram_bytes: 1 << 20,
        inputs: Vec::new(),
        outputs: Vec::new(),
        manifest: Manifest::default(),
    };
    checked(&program, &Options::default())
}

/// The report; its limits add up to its time.
fn checked(program: &Program, options: &Options) -> Report {
    let report = simulate_timing(program, options, &mut []).unwrap();
    for work in report.layers.iter().map(|layer| &layer.work).chain([&report.total]) {
        let sum: u64 = work.limits.parts().iter().map(|(_, cycles)| cycles).sum();
        assert_eq!(sum, work.elapsed.total());
    }
    report
}

fn bound(report: &Report) -> (&'static str, Limits) {
    let limits = report.layers[0].work.limits;
    (limits.bound().unwrap(), limits)
}

#[test]
fn a_transfer_is_bound_by_bandwidth_or_latency() {
    let machine = Machine::flexnn_16x16();
    let (rate, latency) = (u64::from(machine.dram_bytes_per_cycle), u64::from(machine.dram_latency_cycles));
    let load = |bytes| timed(vec![copy(0, MemAddr::dram(0), MemAddr::sram(0), bytes, 0, 0)], machine.clone());
    let (name, limits) = bound(&load(1 << 19));
    assert_eq!((name, limits.dram_bandwidth), ("DRAM bandwidth", (1u64 << 19).div_ceil(rate)));
    assert_eq!(limits.dram_latency, latency);
    let (name, limits) = bound(&load(64));
    assert_eq!((name, limits.dram_bandwidth), ("DRAM latency", 64u64.div_ceil(rate)));
    assert_eq!(limits.dram_latency, latency);
}

#[test]
fn a_transfer_that_waits_for_the_channel_is_bound_by_bandwidth() {
    let machine = Machine { dma_engines: 2, ..Machine::flexnn_16x16() };
    let (rate, latency) = (u64::from(machine.dram_bytes_per_cycle), u64::from(machine.dram_latency_cycles));
    let load = |engine, at| copy(engine, MemAddr::dram(at), MemAddr::sram(at), 1 << 18, 0, 0);
    let (name, limits) = bound(&timed(vec![load(0, 0), load(1, 1 << 18)], machine));
    assert_eq!((name, limits.dram_bandwidth), ("DRAM bandwidth", 2 * (1u64 << 18).div_ceil(rate)));
    assert_eq!(limits.dram_latency, latency);
}

#[test]
fn a_copy_within_the_sram_is_bound_by_it() {
    let (name, limits) = bound(&timed(
        vec![copy(0, MemAddr::sram(0), MemAddr::sram(1 << 18), 1 << 18, 0, 0)],
        Machine::flexnn_16x16(),
    ));
    assert_eq!((name, limits.dram_bandwidth, limits.dram_latency), ("SRAM", 0, 0));
}

#[test]
fn vector_tasks_are_bound_by_the_vector_engine() {
    let machine = Machine::flexnn_16x16();
    let task = VecUnary {
        dims: [1, 1, 1, 1, 1, 1 << 14],
        src_dtype: Dtype::I8,
        out_dtype: Dtype::I8,
        src_strides: [0, 0, 0, 0, 0, 1],
        out_strides: [0, 0, 0, 0, 0, 1],
        out: 1 << 15,
        ..VecUnary::default()
    };
    let (name, limits) = bound(&timed(vec![task.into()], machine.clone()));
    assert_eq!((name, limits.vec), ("vector engine", (1u64 << 14).div_ceil(machine.vec_lanes.into())));
    assert!(limits.dispatch >= u64::from(machine.vec_setup_cycles));
}

#[test]
fn many_small_tasks_are_bound_by_dispatch() {
    let machine = Machine { dispatch_cycles: 500, ..Machine::flexnn_16x16() };
    let tasks =
        (0..10).map(|i| copy(0, MemAddr::sram(64 * i), MemAddr::sram(4096 + 64 * i), 64, 0, 0)).collect();
    let report = timed(tasks, machine);
    let (name, limits) = bound(&report);
    assert_eq!((name, limits.dispatch), ("dispatch", report.cycles - report.layers[0].work.busy.dma0));
}

/// A convolution on a machine whose DRAM takes no time worth mention.
fn convolved(change: fn(&mut Machine)) -> Report {
    let conv = Conv { size: 16, in_c: 64, out_c: 64, method: Method::Dense, tiles: 1 };
    let mut machine = Machine {
        dram_latency_cycles: 1,
        dram_bytes_per_cycle: 4096,
        dma_bytes_per_cycle: 4096,
        ..Machine::flexnn_16x16()
    };
    change(&mut machine);
    checked(&program(&conv), &Options { machine: Some(machine), ..Options::default() })
}

#[test]
fn a_convolution_is_bound_by_the_pes_or_by_the_sram() {
    let report = convolved(|_| ());
    let (name, limits) = bound(&report);
    let work = &report.layers[0].work;
    assert_eq!(name, "PEs");
    // A lane of the array has a product or is idle in every cycle that the array computes.
    assert_eq!(limits.pes * report.peak(), work.macs() + work.events.lane_idle);
    assert!(limits.pes + limits.sram < work.busy.dpu);
    assert_eq!(report.layers[0].weights, "dense");
    let used = report.utilization(work).unwrap();
    assert!((used - work.macs() as f64 / report.peak() as f64 / work.elapsed.total() as f64).abs() < 1e-12);
    let slow = convolved(|m| m.sram_read_bytes_per_cycle = 2);
    let (name, starved) = bound(&slow);
    assert_eq!((name, starved.pes), ("SRAM", limits.pes));
    assert!(starved.sram > 3 * limits.sram, "{starved:?} {limits:?}");
}

#[test]
fn packed_weights_say_their_block() {
    let conv = Conv { method: Method::Mip2q, ..Conv::SMALL };
    let report = checked(&program(&conv), &Options::default());
    assert_eq!(report.layers[0].weights, "mip2q 8/16");
    assert_eq!(report.layers[1].weights, "");
}
