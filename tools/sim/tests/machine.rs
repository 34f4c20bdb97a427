//! Whole programs: results, times, counters, limits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::{Conv, nth, program};
use dpu_isa::{Instr, Machine, Method, PeKind, Program};
use dpu_sim::{Options, Report, RunResult, SimError, TensorView, simulate, simulate_timing};
use serde_json::Value;

fn run_with(program: &Program, conv: &Conv, options: &Options) -> Result<RunResult, SimError> {
    let data = conv.input();
    let shape = program.inputs[0].shape.clone();
    simulate(program, &[TensorView { dtype: program.inputs[0].dtype, shape: &shape, data: &data }], options)
}

fn run(program: &Program, conv: &Conv) -> Result<RunResult, SimError> {
    run_with(program, conv, &Options::default())
}

const PACKED: Conv = Conv { method: Method::Mip2q, ..Conv::SMALL };

#[test]
fn the_test_programs_are_valid_and_survive_the_container() {
    for conv in [Conv::SMALL, PACKED] {
        let program = program(&conv);
        assert_eq!(program.validate(), Ok(()));
        assert_eq!(Program::from_elf(&program.to_elf().unwrap()).unwrap(), program);
    }
}

#[test]
fn a_tiled_convolution_is_exact() {
    for conv in [Conv::SMALL, PACKED, Conv { tiles: 1, ..PACKED }, Conv { tiles: 8, ..Conv::SMALL }] {
        let result = run(&program(&conv), &conv).unwrap();
        let expected = conv.expected();
        assert_eq!(result.outputs[0].data, expected);
        let distinct = expected.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(distinct > 50, "the test must not compare constants");
    }
}

#[test]
fn times_stay_between_the_busiest_engine_and_the_serial_sum() {
    for conv in [Conv::SMALL, PACKED, Conv { tiles: 1, ..Conv::SMALL }, Conv { tiles: 8, ..PACKED }] {
        let report = run(&program(&conv), &conv).unwrap().report;
        let busiest = report.engines.iter().map(|e| e.busy).max().unwrap();
        assert!(report.cycles >= busiest, "{} < {busiest}", report.cycles);
        assert!(report.cycles <= report.serial_cycles, "{} > {}", report.cycles, report.serial_cycles);
        assert!((report.milliseconds - report.cycles as f64 / 1.3e6).abs() < 1e-9);
        for layer in &report.layers {
            assert!(layer.cycles <= report.cycles && layer.end <= report.cycles);
        }
    }
}

#[test]
fn overlap_beats_one_tile_at_a_time() {
    let conv = Conv { size: 32, in_c: 32, out_c: 32, ..Conv::SMALL };
    let report = run(&program(&conv), &conv).unwrap().report;
    assert!(report.cycles < report.serial_cycles * 9 / 10, "{} of {}", report.cycles, report.serial_cycles);
}

#[test]
fn work_is_counted_as_the_layer_states_it() {
    for conv in [Conv::SMALL, PACKED] {
        let report = run(&program(&conv), &conv).unwrap().report;
        let layer = &report.layers[0];
        assert_eq!((layer.work.macs(), layer.macs_stated), (conv.macs(), conv.macs()));
        let low = if conv.method == Method::Dense { 0 } else { conv.macs() / 2 };
        assert_eq!((layer.work.macs_low, report.total.macs_low), (low, low));
        assert_eq!(report.total.macs(), conv.macs());
    }
}

#[test]
fn traffic_is_what_the_copies_move() {
    for conv in [Conv::SMALL, PACKED] {
        let report = run(&program(&conv), &conv).unwrap().report;
        let weights = u64::from(conv.out_c) * common::set_bytes(&conv);
        let (row, halo_rows) =
            (u64::from(conv.size * conv.in_c), u64::from(conv.size + 2 * (conv.tiles - 1)));
        let table = 16 * u64::from(conv.out_c);
        let outputs = u64::from(conv.size * conv.size * conv.out_c);
        let bytes = report.total.bytes;
        assert_eq!(bytes.dram_read, weights + table + row * halo_rows);
        assert_eq!(bytes.dram_write, outputs);
        // Written by the loads and the DPU.
        assert_eq!(bytes.sram_write, bytes.dram_read + outputs);
    }
}

#[test]
fn instructions_without_a_layer_have_a_line_of_their_own() {
    let conv = Conv::SMALL;
    let report = run(&program(&conv), &conv).unwrap().report;
    let names: Vec<&str> = report.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["conv1", "(none)"]);
    assert_eq!(report.layers[0].location, "net.mlir:12:8");
    let count = |l: usize, m: &str| report.layers[l].work.instructions.get(m).copied();
    assert_eq!(
        (count(0, "conv_var"), count(0, "dma_copy"), count(1, "bar_cfg")),
        (Some(4), Some(10), Some(13))
    );
    let all: u64 = report.total.instructions.values().sum();
    assert_eq!(all, program(&conv).instrs.len() as u64);
}

#[test]
fn runs_are_reproducible() {
    let conv = PACKED;
    let program = program(&conv);
    let first = run(&program, &conv).unwrap();
    assert_eq!(run(&program, &conv).unwrap(), first);
    let unchecked = run_with(&program, &conv, &Options { checks: false, ..Options::default() }).unwrap();
    assert_eq!(unchecked, first);
}

#[test]
fn the_report_reads_well() {
    let report = run(&program(&PACKED), &PACKED).unwrap().report;
    insta::assert_snapshot!("report_table", report.to_string());
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["cycles"], report.cycles);
    assert_eq!(json["layers"][0]["macs_low"], PACKED.macs() / 2);
    assert_eq!(json["layers"][0]["busy"]["dpu"], report.layers[0].work.busy.dpu);
    assert_eq!(json["total"]["bytes"]["dram_write"], report.total.bytes.dram_write);
}

#[test]
fn another_machine_changes_the_time_and_nothing_else() {
    let program = program(&Conv::SMALL);
    let own = run(&program, &Conv::SMALL).unwrap();
    let retimed = |change: fn(&mut Machine)| {
        let mut machine = Machine::flexnn_16x16();
        change(&mut machine);
        run_with(&program, &Conv::SMALL, &Options { machine: Some(machine), ..Options::default() })
    };
    let slow = retimed(|m| m.dram_latency_cycles = 5000).unwrap();
    assert!(slow.report.cycles > own.report.cycles + 3760);
    assert_eq!(slow.outputs, own.outputs);
    let half = retimed(|m| m.pe_kind = PeKind::StrumStatic).unwrap();
    assert!(half.report.total.busy.dpu > own.report.total.busy.dpu);
    let error = retimed(|m| m.barriers = 13).unwrap_err().to_string();
    assert!(error.contains("barriers = 13, the program was made for 64"), "{error}");
    let error = retimed(|m| m.rows = 0).unwrap_err();
    assert!(matches!(error, SimError::Machine(_)), "{error}");
}

#[test]
fn register_files_that_cannot_follow_a_schedule_are_refused_before_the_run() {
    let mut program = program(&Conv::SMALL);
    let index = nth(&program, "conv_inv", 0);
    if let Instr::ConvInv(inv) = &mut program.instrs[index] {
        (inv.block_oc, inv.block_oy, inv.block_ox) = (1, 1, 4);
    }
    let with = |acc_per_pe| {
        let machine = Machine { acc_per_pe, name: "small".into(), ..Machine::flexnn_16x16() };
        run_with(&program, &Conv::SMALL, &Options { machine: Some(machine), ..Options::default() })
    };
    assert!(with(4).is_ok());
    let error = with(3).unwrap_err();
    assert!(matches!(error, SimError::Machine(_)), "{error}");
    let expected = "machine 'small' cannot run this program: instruction";
    assert!(error.to_string().starts_with(expected) && error.to_string().contains("a PE has 3"), "{error}");
}

#[test]
fn a_short_fifo_stalls_the_dispatcher() {
    let conv = Conv { tiles: 8, ..Conv::SMALL };
    let program = program(&conv);
    let machine = Machine { fifo_depth: 1, ..Machine::flexnn_16x16() };
    let options = Options { machine: Some(machine), ..Options::default() };
    let short = run_with(&program, &conv, &options).unwrap();
    assert!(short.report.total.stalls.fifo_full > 0);
    let long = run(&program, &conv).unwrap();
    assert_eq!(long.report.total.stalls.fifo_full, 0);
    assert!(long.report.total.stalls.barrier_wait > 0);
    assert_eq!(short.outputs, long.outputs);
}

#[test]
fn fuel_is_a_limit_on_cycles() {
    let program = program(&Conv::SMALL);
    let cycles = run(&program, &Conv::SMALL).unwrap().report.cycles;
    let fuel = |max_cycles| run_with(&program, &Conv::SMALL, &Options { max_cycles, ..Options::default() });
    assert!(fuel(cycles).is_ok());
    let SimError::OutOfFuel { needed, limit, at, .. } = fuel(cycles - 1).unwrap_err() else {
        panic!("no fuel error")
    };
    assert_eq!((needed, limit, at.mnemonic), (cycles, cycles - 1, "dma_copy"));
    assert!(matches!(fuel(0), Err(SimError::OutOfFuel { .. })));
}

#[test]
fn endless_tasks_run_out_of_fuel_at_once() {
    let mut program = program(&Conv::SMALL);
    let index = nth(&program, "conv_var", 0);
    if let Instr::ConvVar(x) = &mut program.instrs[index] {
        (x.out_h, x.out_row, x.kernel_h, x.in_h, x.act_row) = (u32::MAX, 0, 8192, u32::MAX, 0);
    }
    let error = run(&program, &Conv::SMALL).unwrap_err();
    assert!(matches!(error, SimError::OutOfFuel { .. }), "{error}");
}

#[test]
fn memory_is_refused_rather_than_exhausted() {
    let mut huge = program(&Conv::SMALL);
    huge.dram_bytes = 1 << 33;
    let error = run(&huge, &Conv::SMALL).unwrap_err();
    assert_eq!(
        error.to_string(),
        "out of DRAM bytes of the machine: needs 8589934592, the limit is 4294967296"
    );
    huge.machine.dram_bytes = 1 << 40;
    huge.dram_bytes = 1 << 39;
    assert!(matches!(run(&huge, &Conv::SMALL), Err(SimError::Memory(over)) if over.needed > 1 << 39));
    let little = Options { max_memory: 1 << 20, ..Options::default() };
    let error = run_with(&program(&Conv::SMALL), &Conv::SMALL, &little).unwrap_err();
    assert!(matches!(error, SimError::Resource { limit: 1048576, .. }), "{error}");
    let mut none = program(&Conv::SMALL);
    none.dram_bytes = 1;
    assert!(matches!(run(&none, &Conv::SMALL), Err(SimError::Program(_))));
}

#[test]
fn inputs_must_be_those_of_the_program() {
    let conv = Conv::SMALL;
    let program = program(&conv);
    let (data, shape) = (conv.input(), program.inputs[0].shape.clone());
    let view = TensorView { dtype: dpu_isa::Dtype::I8, shape: &shape, data: &data };
    let text =
        |inputs: &[TensorView<'_>]| simulate(&program, inputs, &Options::default()).unwrap_err().to_string();
    assert_eq!(text(&[]), "the program has 1 inputs, got 0");
    let flat = [1024];
    assert_eq!(
        text(&[TensorView { shape: &flat, ..view }]),
        "input 'x': expected i8[1, 8, 8, 16], got i8[1024]"
    );
    let unsigned = TensorView { dtype: dpu_isa::Dtype::U8, ..view };
    assert_eq!(text(&[unsigned]), "input 'x': expected i8[1, 8, 8, 16], got u8[1, 8, 8, 16]");
    assert_eq!(text(&[TensorView { data: &data[1..], ..view }]), "input 'x': 1023 bytes, 1024 expected");
    let mut booleans = program.clone();
    booleans.inputs[0].meaning.boolean = true;
    let two = vec![2; data.len()];
    let error = simulate(&booleans, &[TensorView { data: &two, ..view }], &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "input 'x': a boolean is 0 or 1, got 2");
}

#[test]
fn random_and_mutated_programs_never_panic() {
    use dpu_isa::testing::{Rng, mutate, random_program};
    let mut rng = Rng::new(7);
    let options = Options { max_cycles: 3_000_000, max_memory: 1 << 33, ..Options::default() };
    let good = program(&PACKED).to_elf().unwrap();
    let mut ran = 0;
    for round in 0..400 {
        let program = if round % 2 == 0 {
            random_program(&mut rng, 20)
        } else {
            let mut broken = program(&PACKED);
            let index = rng.range(0, broken.instrs.len() as i64 - 2) as usize;
            let mut raw = broken.instrs[index].raw_fields();
            let field = rng.range(0, raw.len() as i64 - 1) as usize;
            raw[field] =
                [0, 1, raw[field] + 1, raw[field] - 1, raw[field] * 2, rng.range(0, 1 << 20)][round % 6];
            if let Ok(instr) = Instr::from_raw(broken.instrs[index].desc(), &raw) {
                broken.instrs[index] = instr;
            }
            broken
        };
        let inputs: Vec<Vec<u8>> =
            program.inputs.iter().map(|d| vec![1; d.bytes().unwrap() as usize]).collect();
        let views: Vec<TensorView<'_>> = (program.inputs.iter().zip(&inputs))
            .map(|(d, data)| TensorView { dtype: d.dtype, shape: &d.shape, data })
            .collect();
        ran += u32::from(simulate(&program, &views, &options).is_ok());
        let mut bytes = good.clone();
        mutate(&mut rng, &mut bytes);
        let _ = Program::from_elf(&bytes);
    }
    assert!(ran > 10, "only {ran} programs reached their end");
}

#[test]
fn reports_without_later_fields_are_read_and_those_without_others_refused() {
    let report = run(&program(&PACKED), &PACKED).unwrap().report;
    let text = report.to_json().unwrap();
    assert!(report.total.events.weight_held > 0 && !text.contains("\"area_um2\""));
    let without = |fields: &[&str]| {
        let mut report: Value = serde_json::from_str(&text).unwrap();
        let layers = report["layers"].as_array().unwrap().len();
        for i in 0..=layers {
            let work = if i == layers { &mut report["total"] } else { &mut report["layers"][i] };
            for part in ["events", "energy_fj"] {
                work[part].as_object_mut().unwrap().retain(|field, _| !fields.contains(&field.as_str()));
            }
        }
        report.to_string()
    };
    let later = without(&[
        "act_held",
        "act_zero",
        "weight_held",
        "packed_blocks",
        "operands",
        "pe_leakage",
        "sram_leakage",
    ]);
    let read = Report::from_json(later.as_bytes()).unwrap();
    assert_eq!(read.total.energy_fj, report.total.energy_fj);
    assert_eq!((read.total.events.weight_held, read.total.events.packed_blocks), (0, 0));
    let damaged = Report::from_json(without(&["if_read"]).as_bytes()).unwrap_err().to_string();
    assert!(damaged.starts_with("a damaged report: missing field `if_read`"), "{damaged}");
}

#[test]
fn zero_activations_save_what_the_machine_states_where_values_are_computed() {
    for conv in [Conv::SMALL, PACKED] {
        let program = program(&conv);
        let machine = Machine { mult_act_zero_saving_fj: 7, ..program.machine.clone() };
        let options = Options { machine: Some(machine.clone()), ..Options::default() };
        let (plain, priced) =
            (run(&program, &conv).unwrap().report, run_with(&program, &conv, &options).unwrap().report);
        assert_eq!((plain.cycles, plain.total.events.act_zero), (priced.cycles, 0));
        let zeros = conv.zero_products();
        assert_eq!(priced.total.events.act_zero, zeros);
        // Multipliers take all products, or the half that are high members.
        let multiplied = if conv.method == Method::Dense { zeros } else { zeros / 2 };
        let saved = plain.total.energy_fj.multipliers - priced.total.energy_fj.multipliers;
        // A share of each of four tiles is rounded.
        assert!(saved.abs_diff(7 * multiplied) <= 4 * 7, "{saved} of {multiplied}");
        assert_eq!(plain.total.energy_fj.total - priced.total.energy_fj.total, saved);
        // Nothing is known of values that are not computed, and products that are skipped are not taken.
        let timed = simulate_timing(&program, &options, &mut []).unwrap();
        assert_eq!((timed.cycles, timed.total.energy_fj), (plain.cycles, plain.total.energy_fj));
        let skipping = Options { machine: Some(Machine { zero_skip: 1, ..machine }), ..Options::default() };
        let skipped = run_with(&program, &conv, &skipping).unwrap().report.total.events;
        let dense = conv.method == Method::Dense;
        assert_eq!((skipped.act_zero, skipped.zero_skipped > 0), (if dense { 0 } else { zeros }, dense));
    }
}

#[test]
fn a_report_has_the_areas_that_its_machine_states() {
    let machine =
        Machine { datapath_area_um2: 30, pe_area_um2: 40, tree_area_um2: 2, ..Machine::flexnn_16x16() };
    let options = Options { machine: Some(machine), ..Options::default() };
    let report = run_with(&program(&PACKED), &PACKED, &options).unwrap().report;
    let areas: Vec<_> = report.area_um2.iter().map(|(level, um2)| (level.as_ref(), *um2)).collect();
    assert_eq!(areas, [("array", 256 * 42), ("datapath", 30), ("pe", 40)]);
    assert_eq!(Report::from_json(report.to_json().unwrap().as_bytes()).unwrap(), report);
}
