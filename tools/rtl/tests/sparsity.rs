//! PEs that skip zeros against traces of random vectors with many zeros, by the evaluator: every accumulator, and the number of
//! steps of every slice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use common::{Traced, random, section};
use dpu_isa::PeKind;
use dpu_rtl::drive::{Section, stimulus};
use dpu_rtl::liberty::Library;
use dpu_rtl::netlist::{Evaluator, Module};
use dpu_rtl::power::{Conditions, simulate};
use dpu_rtl::spec::{Level, RegisterFile, Spec};
use dpu_rtl::stimulus::Stimulus;
use dpu_rtl::synth::{Options, map};
use dpu_rtl::timing::critical_path;
use dpu_rtl::toolchain::{Yosys, default_library};
use dpu_rtl::{units, verilator, verilog};
use dpu_trace::Tile;
use proptest::prelude::RngExt;
use proptest::test_runner::TestRng;
use strum_formats::{Format, Method};
use strum_ref::lane::accumulate;

/// A random section with `run` vectors a tap, of whose activations and weights these shares in percent are zero.
fn sparse(rng: &mut TestRng, spec: &Spec, traced: Traced, run: u32, zeros: [u32; 2]) -> Section {
    let zero_point = traced.zero_point;
    let taps = (traced.depth / run) as u16;
    let mut section = section(rng, spec, traced, Vec::new());
    section.header.tile = Tile { in_c: run * spec.lanes, kernel_h: 1, kernel_w: taps, ..Tile::default() };
    let mut sums: BTreeMap<u16, i32> = BTreeMap::new();
    for vector in &mut section.vectors {
        for (act, weight) in vector.acts.iter_mut().zip(&mut vector.word) {
            if rng.random_range(0..100) < zeros[0] {
                *act = zero_point;
            }
            if rng.random_range(0..100) < zeros[1] {
                *weight = 0;
            }
        }
        let acts: Vec<i64> = vector.acts.iter().map(|&act| i64::from(act) - i64::from(zero_point)).collect();
        let weights: Vec<i64> = vector.word.iter().map(|&byte| i64::from(byte.cast_signed())).collect();
        let sum = sums.entry(vector.accumulator).or_insert(vector.before);
        vector.before = *sum;
        *sum = accumulate(*sum, &acts, &weights);
        vector.after = *sum;
    }
    section
}

/// The steps of the slices of a section, by "Zero skipping" of `docs/timing.md`: the most pairs of a lane, at least one.
fn steps(spec: &Spec, section: &Section, run: usize) -> Vec<usize> {
    let held = (spec.if_bytes.min(spec.fl_bytes) / 2 / spec.lanes) as usize;
    let zero_point = section.header.conv.in_zp;
    let mut outputs: BTreeMap<u16, Vec<Vec<bool>>> = BTreeMap::new();
    for vector in &section.vectors {
        let pairs =
            vector.acts.iter().zip(&vector.word).map(|(act, weight)| *act != zero_point && *weight != 0);
        outputs.entry(vector.accumulator).or_default().push(pairs.collect());
    }
    let slices = outputs.values().flat_map(|vectors| vectors.chunks(run)).flat_map(|run| run.chunks(held));
    let of_lane = |slice: &[Vec<bool>], lane: usize| slice.iter().filter(|vector| vector[lane]).count();
    slices
        .map(|slice| (0..spec.lanes as usize).map(|lane| of_lane(slice, lane)).max().unwrap().max(1))
        .collect()
}

/// What a design did.
struct Run {
    /// Accumulators that were compared.
    checked: usize,
    /// Slices that were loaded.
    loads: usize,
    /// Cycles in which it was not ready for a slice.
    waits: usize,
    /// Steps by the stimulus.
    steps: u64,
}

/// Runs a design.
fn run(spec: &Spec, sections: &[Section]) -> Run {
    spec.check().unwrap();
    let top = units::top(spec);
    let stimulus = stimulus(spec, &top, sections).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let checked = Evaluator::new(&top).run(&stimulus).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let load = stimulus.ports.iter().position(|port| port.name == "load").unwrap();
    let before = &stimulus.ports[..load];
    let word: usize = before.iter().map(|port| port.bits.div_ceil(64) as usize).sum();
    let mut design = Evaluator::new(&top);
    let (mut loads, mut waits) = (0, 0);
    for (cycle, now) in stimulus.cycles.iter().enumerate() {
        design.apply(&stimulus, now);
        design.settle();
        let ready = design.get("ready", 0) == 1;
        waits += usize::from(!ready);
        if now.words[word] == 1 {
            loads += 1;
            assert!(ready, "{spec}: a slice is loaded in cycle {cycle}");
        }
        design.clock();
    }
    Run { checked, loads, waits, steps: stimulus.steps }
}

fn spec(level: Level, [if_bytes, fl_bytes]: [u32; 2]) -> Spec {
    let machine = dpu_isa::Machine { pe_kind: PeKind::Dense, ..dpu_isa::Machine::flexnn_16x16() };
    Spec { level, sparsity: true, if_bytes, fl_bytes, ..Spec::of(&machine, Format::DENSE) }
}

#[test]
fn pes_that_skip_zeros_compute_what_was_traced_in_the_steps_of_the_timing_model() {
    let mut rng = random();
    for level in [Level::PeCore, Level::Pe] {
        for bytes in [[64, 64], [128, 64], [32, 48], [16, 16], [128, 128]] {
            for (structure, register_file) in [
                (dpu_rtl::spec::Structure::Merged, RegisterFile::FlipFlops),
                (dpu_rtl::spec::Structure::Pipelined, RegisterFile::Latches),
            ] {
                let spec = Spec { structure, register_file, ..spec(level, bytes) };
                let (mut sections, mut expected) = (Vec::new(), Vec::new());
                for (zeros, zero_point, run) in [
                    ([60, 50], -128, 6),
                    ([90, 90], 0, 4),
                    ([100, 0], 3, 3),
                    ([0, 0], 127, 12),
                    ([40, 0], -5, 1),
                ] {
                    for block in [[1, 1], [2, 3]] {
                        let traced = Traced { plain: true, zero_point, block, depth: 12 };
                        let section = sparse(&mut rng, &spec, traced, run, zeros);
                        expected.extend(steps(&spec, &section, run as usize));
                        sections.push(section);
                    }
                }
                let done = run(&spec, &sections);
                let all: usize = expected.iter().sum();
                assert_eq!(done.loads, expected.len(), "{spec}: slices");
                assert_eq!(done.checked, done.loads, "{spec}: a sum is compared after each slice");
                assert_eq!(done.steps, all as u64, "{spec}: steps");
                // A slice of n steps is not ready for another one in the first n - 1.
                assert_eq!(done.waits, all - done.loads, "{spec}: cycles in which another slice must wait");
            }
        }
    }
}

#[test]
fn zero_points_of_ten_bits_and_decoded_weights_are_skipped_as_well() {
    let mut rng = random();
    let static_machine =
        dpu_isa::Machine { pe_kind: PeKind::StrumStatic, ..dpu_isa::Machine::flexnn_16x16() };
    let format = Format { w: 16, low: 8, method: Method::Sparse };
    let packed = Spec::of(&static_machine, format);
    let traced = Traced { plain: false, zero_point: 0, block: [2, 2], depth: 5 };
    let section = section(&mut rng, &packed, traced, Vec::new());
    for level in [Level::PeCore, Level::Pe] {
        let steps = run(&spec(level, [64, 64]), std::slice::from_ref(&section)).steps;
        // Two steps a vector without skipping.
        assert!(steps < 2 * section.vectors.len() as u64, "{steps}");
    }
    let wide = Spec { activation_bits: 10, ..spec(Level::Pe, [64, 64]) };
    let traced = Traced { plain: true, zero_point: 255, block: [1, 1], depth: 8 };
    let mut section = common::section(&mut rng, &wide, traced, Vec::new());
    section.header.tile = Tile { in_c: 64, kernel_h: 1, kernel_w: 1, ..Tile::default() };
    assert_eq!(run(&wide, &[section]).checked, 2);
}

/// A design of few accumulators, and a stimulus with many zeros.
fn small(level: Level, register_file: RegisterFile, bytes: u32) -> (Spec, Rc<Module>, Stimulus) {
    let spec = Spec { register_file, accumulators: 4, ..spec(level, [bytes; 2]) };
    let traced = Traced { plain: true, zero_point: -9, block: [2, 2], depth: 12 };
    let section = sparse(&mut random(), &spec, traced, 6, [50, 40]);
    let top = units::top(&spec);
    let stimulus = stimulus(&spec, &top, &[section]).unwrap();
    (spec, top, stimulus)
}

#[test]
fn verilator_computes_the_same() {
    let designs =
        [small(Level::PeCore, RegisterFile::FlipFlops, 64), small(Level::Pe, RegisterFile::Latches, 32)];
    let runs: Vec<(Rc<Module>, Stimulus)> =
        designs.iter().map(|(_, top, stimulus)| (Rc::clone(top), stimulus.clone())).collect();
    for (outcome, (spec, ..)) in verilator::run_all(&runs, None).unwrap().iter().zip(&designs) {
        assert!(outcome.passed > 10 && outcome.failed == 0, "{spec}: {outcome:?}");
    }
}

#[test]
fn gates_compute_the_same_and_show_what_the_logic_takes() {
    let (spec, top, stimulus) = small(Level::PeCore, RegisterFile::FlipFlops, 64);
    let library = Library::read(&default_library().unwrap()).unwrap();
    let text = verilog::text(&spec, &dpu_isa::Machine::flexnn_16x16());
    let mapped = map(&text, &top.name, &library, &Options::new(Yosys::find(None).unwrap())).unwrap();
    // The outputs of units that are joined here stand on the left of assignments.
    let path = critical_path(&mapped, &library, 5.0, None, Duration::from_secs(60)).unwrap();
    assert!(path.shortest_period_ns > 1.0, "{path:?}");
    let power = simulate(&mapped, &library, &stimulus, &Conditions::default());
    let expected = stimulus.cycles.iter().filter(|cycle| cycle.expect.is_some()).count();
    assert_eq!(power.unwrap().compared, expected);
    for unit in ["u_pairs", "u_if_choice", "u_fl_choice"] {
        assert!(mapped.area_of(unit) > 0.02 * mapped.area, "{unit}");
    }
}

#[test]
fn zero_skipping_elsewhere_is_refused() {
    let spec = spec(Level::Pe, [64, 64]);
    for level in [Level::Lane, Level::Datapath, Level::Column] {
        let error = Spec { level, ..spec.clone() }.check().unwrap_err().to_string();
        assert_eq!(error, "--sparsity is built at levels pe-core and pe");
    }
    let format = Format { w: 16, low: 8, method: Method::Sparse };
    let error = Spec { kind: PeKind::StrumStatic, format, ..spec }.check().unwrap_err().to_string();
    assert_eq!(error, "--sparsity is a dense PE's: a strum-static PE takes every member of a block");
}

#[test]
fn the_option_adds_the_logic() {
    let text = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strum-rtl"));
        command.args(["generate", "--level", "pe", "--kind", "dense"]).args(options);
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let (with, without) = (text(&["--sparsity"]), text(&[]));
    for module in ["module pairs_8x4 ", "module find_first_4 ", "module pair_choice_8x4 "] {
        assert!(with.contains(module) && !without.contains(module), "{module}");
    }
}
