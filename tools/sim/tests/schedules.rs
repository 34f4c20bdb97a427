//! A schedule decides cycles and energy, never a result: random legal schedules, and illegal ones refused.
//!
//! The counts of every run are compared with independent ones in this file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use common::Conv;
use dpu_isa::schedule::ScheduleError;
use dpu_isa::{
    ConvInv, Instr, Machine, Method, Place, Program, Space, Stationary, ValidateError,
    ValidateErrorKind as Kind,
};
use dpu_sim::{Options, Report, SimError, TensorView, TrapKind, simulate, simulate_timing};
use proptest::array::uniform4;
use proptest::prelude::*;
use proptest::sample::select;

/// A field for which 0 leaves the choice to the machine.
fn field(max: u16) -> impl Strategy<Value = u16> {
    prop_oneof![1 => Just(0), 2 => 1..=max]
}

prop_compose! {
    /// The fields of a schedule, legal or not.
    fn schedule()(
        (oc, oy, ox, ic) in (0..=4u16, 1..=4u16, 1..=8u16, 0..=4u16),
        stationary in select(&[Stationary::Output, Stationary::Weight, Stationary::Input]),
        fold in any::<bool>(),
        (block_oc, block_oy, block_ox) in (field(8), field(4), field(8)),
    ) -> ConvInv {
        ConvInv {
            sched_oc: 1 << oc,
            sched_oy: oy,
            sched_ox: ox,
            sched_ic: 1 << ic,
            stationary,
            fold,
            block_oc,
            block_oy,
            block_ox,
            ..ConvInv::default()
        }
    }
}

/// The layer with the schedule of another.
fn scheduled(inv: &ConvInv, schedule: &ConvInv) -> ConvInv {
    ConvInv {
        sched_oc: schedule.sched_oc,
        sched_oy: schedule.sched_oy,
        sched_ox: schedule.sched_ox,
        sched_ic: schedule.sched_ic,
        stationary: schedule.stationary,
        fold: schedule.fold,
        block_oc: schedule.block_oc,
        block_oy: schedule.block_oy,
        block_ox: schedule.block_ox,
        ..*inv
    }
}

prop_compose! {
    /// A layer, and its program on a machine with register files of any size.
    fn layer()(
        (size, in_c, out_c) in (select(&[4u32, 8]), select(&[16u32, 32]), 1..=20u32),
        method in select(&[Method::Dense, Method::Mip2q]),
        tiles in select(&[1, 2, 4]),
        fl_rf_bytes in select(&[64, 1024]),
        if_rf_bytes in select(&[64, 4096]),
        schedules in uniform4(schedule()),
    ) -> (Conv, Program) {
        let conv = Conv { size, in_c, out_c, method, tiles };
        let machine = Machine { fl_rf_bytes, if_rf_bytes, ..Machine::flexnn_16x16() };
        let mut schedules = schedules.iter().cycle();
        let program = Program { machine, ..common::program(&conv) };
        let program = with(&program, |inv| scheduled(inv, schedules.next().unwrap()));
        (conv, program)
    }
}

/// The program with its invariants modified by `change`.
fn with(program: &Program, mut change: impl FnMut(&ConvInv) -> ConvInv) -> Program {
    let mut program = program.clone();
    for instr in &mut program.instrs {
        if let Instr::ConvInv(x) = instr {
            *x = change(x);
        }
    }
    program
}

/// Bytes that DMA tasks read from and write to the DRAM, element by element.
fn dram_bytes(program: &Program) -> (u64, u64) {
    let (mut read, mut written) = (0, 0);
    for instr in &program.instrs {
        let Instr::DmaCopy(x) = instr else { continue };
        let bytes = x.dims.iter().map(|&d| u64::from(d)).product::<u64>() * u64::from(x.element);
        read += if x.src.space == Space::Dram { bytes } else { 0 };
        written += if x.dst.space == Space::Dram { bytes } else { 0 };
    }
    (read, written)
}

/// Properties of every run, whatever the schedule.
fn check_counts(program: &Program, conv: &Conv, report: &Report) {
    let engines = report.engines.iter().map(|e| e.busy);
    assert!(engines.clone().all(|busy| busy <= report.cycles), "{:?}", report.engines);
    assert!(report.cycles <= report.serial_cycles && report.serial_cycles >= engines.sum::<u64>());
    let total = &report.total;
    assert_eq!(total.macs(), conv.macs());
    assert_eq!((total.bytes.dram_read, total.bytes.dram_write), dram_bytes(program));
    // Results leave the PPE once, and every byte of them is written to and read from the SRAM once.
    let outputs = u64::from(conv.size * conv.size * conv.out_c);
    let e = &total.events;
    assert_eq!((e.ppe_ops, e.sram_out_write, e.sram_dma_read), (outputs, outputs, outputs));
    assert_eq!(e.sram_dma_write, total.bytes.dram_read);
    assert!(
        e.sram_act_read >= u64::from(conv.size * conv.size * conv.in_c),
        "every activation at least once"
    );
    let lanes = total.macs() + e.lane_idle;
    let m = &program.machine;
    assert!(lanes.is_multiple_of(u64::from(m.rows * m.cols * m.lanes)), "whole cycles of all lanes");
}

fn run(program: &Program, conv: &Conv) -> (Vec<u8>, Report) {
    run_on(program, conv, None)
}

fn run_on(program: &Program, conv: &Conv, machine: Option<Machine>) -> (Vec<u8>, Report) {
    let input = conv.input();
    let x = TensorView { dtype: dpu_isa::Dtype::I8, shape: &program.inputs[0].shape, data: &input };
    let options = Options { machine, ..Options::default() };
    let result = simulate(program, &[x], &options).unwrap();
    (result.outputs[0].data.clone(), result.report)
}

#[test]
fn legal_schedules_change_cycles_and_never_a_result() {
    let (times, energies) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
    let (legal, refused) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((conv, program) in layer())| {
        if let Err(errors) = program.validate() {
            check_refusal(&conv, &program, &errors);
            refused.set(refused.get() + 1);
            return Ok(());
        }
        let (result, report) = run(&program, &conv);
        prop_assert_eq!(&result, &conv.expected());
        check_counts(&program, &conv, &report);
        let skipping = Machine { zero_skip: 1, ..program.machine.clone() };
        let (skipped, other) = run_on(&program, &conv, Some(skipping));
        prop_assert_eq!(skipped, result);
        prop_assert_eq!(other.total.macs(), report.total.macs());
        let (raw, stored) = (report.total.bytes, other.total.bytes);
        let most = |raw: u64| raw + raw.div_ceil(8) + 64;
        prop_assert!(stored.dram_read <= most(raw.dram_read) && stored.sram_read <= most(raw.sram_read));
        // Times do not depend on values.
        let timed = simulate_timing(&program, &Options::default(), &mut []).unwrap();
        prop_assert_eq!(&Report { samples: 1, ..timed }, &report);
        if (conv.size, conv.in_c, conv.tiles, conv.method) == (8, 32, 1, Method::Dense) {
            times.borrow_mut().insert(report.total.busy.dpu);
            energies.borrow_mut().insert(report.total.energy_fj.pe);
        }
        legal.set(legal.get() + 1);
    });
    let (legal, refused) = (legal.get(), refused.get());
    assert!(legal > 50 && refused > 50, "{legal} legal, {refused} refused");
    assert!(times.borrow().len() > 5 && energies.borrow().len() > 5, "{times:?} {energies:?}");
}

/// The validator names the instruction; running it without validation reports it, too.
fn check_refusal(conv: &Conv, program: &Program, errors: &[ValidateError]) {
    let located = errors.iter().all(|error| {
        let Place::Instr(at, _) = error.place else { return false };
        matches!(program.instrs[at], Instr::ConvInv(_) | Instr::ConvVar(_))
            && matches!(error.kind, Kind::Schedule { .. } | Kind::Block(_))
    });
    assert!(located, "{errors:?}");
    let input = conv.input();
    let x = TensorView { dtype: dpu_isa::Dtype::I8, shape: &program.inputs[0].shape, data: &input };
    let error = simulate(program, &[x], &Options::default()).unwrap_err();
    let SimError::Trap(trap) = error else { panic!("{error}") };
    assert_eq!(trap.kind, TrapKind::IllegalOperand, "{trap}");
}

#[test]
fn zeros_are_skipped_without_a_trace_in_the_result() {
    let conv = Conv { in_c: 32, out_c: 16, method: Method::Dense, tiles: 2, ..Conv::SMALL };
    let program = common::program(&conv);
    let skipping = Machine { zero_skip: 1, ..program.machine.clone() };
    let options = Options { machine: Some(skipping), ..Options::default() };
    let time = |zeros: usize| {
        let mut input = conv.input();
        // The zero point is -128.
        input.iter_mut().enumerate().filter(|(i, _)| i % 8 < zeros).for_each(|(_, x)| *x = 0x80);
        let x = TensorView { dtype: dpu_isa::Dtype::I8, shape: &program.inputs[0].shape, data: &input };
        let plain = simulate(&program, &[x], &Options::default()).unwrap();
        let skipped = simulate(&program, &[x], &options).unwrap();
        assert_eq!(plain.outputs, skipped.outputs);
        assert_eq!(plain.report.total.macs(), skipped.report.total.macs());
        // Input and output belong to the host, and these weights have few zeros.
        let [before, after] = [&plain, &skipped].map(|r| r.report.total.bytes);
        assert_eq!(
            (after.dram_write, after.sram_write - after.dram_read),
            (before.dram_write, before.sram_write - before.dram_read)
        );
        assert!(after.dram_read <= before.dram_read + 1, "a flag for the weights");
        assert!(after.sram_read <= before.sram_read);
        assert_eq!(plain.report.total.events.zero_skipped, 0);
        let total = skipped.report.total;
        (total.busy.dpu, total.events.zero_skipped, total.energy_fj.pe, total.macs())
    };
    let times: Vec<_> = [0, 2, 5, 8].map(time).to_vec();
    assert!(times.is_sorted_by(|a, b| a.0 >= b.0 && a.1 < b.1 && a.2 > b.2), "{times:?}");
    let (first, last) = (times[0], times[3]);
    assert!(last.0 < first.0 && last.1 == last.3, "nothing is left to multiply: {times:?}");
    let error = simulate_timing(&program, &options, &mut []).unwrap_err().to_string();
    assert!(error.contains("zero_skip = 1"), "{error}");
}

#[test]
fn a_block_that_does_not_fit_is_named_with_its_instruction() {
    let program =
        with(&common::program(&Conv::SMALL), |inv| ConvInv { stationary: Stationary::Weight, ..*inv });
    let errors = program.validate().unwrap_err();
    let variants: Vec<usize> = (0..4).map(|n| common::nth(&program, "conv_var", n)).collect();
    let places: Vec<usize> = errors
        .iter()
        .filter_map(|e| if let Place::Instr(at, _) = e.place { Some(at) } else { None })
        .collect();
    assert_eq!(places, variants);
    // Nine taps of half of the 16 channels.
    assert_eq!(errors[0].kind, Kind::Block(ScheduleError::Weights { got: 72, max: 32 }));
    assert_eq!(
        errors[0].kind.to_string(),
        "the schedule does not fit: weight-stationary: 72 bytes of weights exceed half of the filter register file, \
         32 bytes"
    );
}
