//! Verilator on the text of designs: on traces of layers of ResNet-20 and LeNet, and on random traces at the corners.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::path::Path;
use std::rc::Rc;

use common::{Traced, random, section};
use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::{Section, sections, stimulus};
use dpu_rtl::netlist::{Evaluator, Module};
use dpu_rtl::spec::{Decode, Level, LowLanes, Multiplier, RegisterFile, Spec, Structure};
use dpu_rtl::stimulus::Stimulus;
use dpu_rtl::{units, verilator};
use strum_formats::{DliqShift, Format, Method};

const KINDS: [PeKind; 3] = [PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic];

/// A design with register files of two vectors, which compile faster.
fn spec(level: Level, kind: PeKind, format: Format) -> Spec {
    let bytes = 2 * u32::from(format.w.max(8));
    let machine =
        Machine { pe_kind: kind, if_rf_bytes: bytes, fl_rf_bytes: bytes, ..Machine::flexnn_16x16() };
    Spec { level, accumulators: 8, ..Spec::of(&machine, format) }
}

fn mip2q(w: u8, low: u8, l: u8, zero: bool) -> Format {
    Format { w, low, method: Method::Mip2q { l, zero } }
}

fn dliq(w: u8, low: u8, q: u8) -> Format {
    Format { w, low, method: Method::Dliq { q, shift: DliqShift::PerChannel } }
}

fn traced(name: &str) -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    sections(std::fs::File::open(path).unwrap(), 0, usize::MAX).unwrap()
}

/// Runs all in one program, and the evaluator beside it.
fn check(designs: Vec<(Spec, Vec<Section>)>) {
    let mut expected = Vec::new();
    let mut runs: Vec<(Rc<Module>, Stimulus)> = Vec::new();
    for (spec, sections) in &designs {
        spec.check().unwrap();
        let top = units::top(spec);
        let stimulus = stimulus(spec, &top, sections).unwrap_or_else(|error| panic!("{spec}: {error}"));
        expected.push(sections.iter().map(|section| section.vectors.len()).sum::<usize>());
        assert_eq!(Evaluator::new(&top).run(&stimulus), Ok(*expected.last().unwrap()), "{spec}");
        runs.push((top, stimulus));
    }
    let outcomes = verilator::run_all(&runs, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcomes.len(), designs.len());
    for (((spec, _), outcome), expected) in designs.iter().zip(outcomes).zip(expected) {
        assert_eq!((outcome.passed, outcome.failed, outcome.first), (expected, 0, None), "{spec}");
    }
}

#[test]
fn every_kind_computes_layers_of_networks() {
    let mut designs = Vec::new();
    for kind in KINDS {
        // Dense PEs take the same weights decoded.
        designs.push((spec(Level::Datapath, kind, mip2q(16, 8, 7, false)), traced("resnet20.pes")));
        let pipelined = spec(Level::Datapath, kind, dliq(16, 8, 4));
        designs.push((Spec { structure: Structure::Pipelined, ..pipelined }, traced("lenet.pes")));
        designs.push((spec(Level::Pe, kind, mip2q(16, 8, 7, false)), traced("resnet20.pes")));
    }
    check(designs);
}

/// What a corner trace has in common: shuffled blocks of accumulators, plain and packed vectors.
fn corners(spec: &Spec, zero_points: &[i16]) -> Vec<Section> {
    let mut rng = random();
    let mut list = Vec::new();
    for (i, &zero_point) in zero_points.iter().enumerate() {
        let traced = |plain, block| Traced { plain, zero_point, block, depth: 5 };
        list.push(section(&mut rng, spec, traced(false, [[1, 1], [2, 3]][i % 2]), Vec::new()));
        list.push(section(&mut rng, spec, traced(true, [4, 2]), Vec::new()));
    }
    list
}

/// All sums moved to the greatest accumulator, so that they wrap.
fn wrapping(mut sections: Vec<Section>) -> Vec<Section> {
    for section in &mut sections {
        let by = section.vectors.first().map_or(0, |first| i32::MAX.wrapping_sub(first.before));
        for vector in &mut section.vectors {
            vector.before = vector.before.wrapping_add(by);
            vector.after = vector.after.wrapping_add(by);
        }
    }
    sections
}

#[test]
fn corners_of_every_method_are_computed() {
    let ten_bits = |spec| Spec { activation_bits: 10, ..spec };
    let plain = |spec| Spec { structure: Structure::Plain, multiplier: Multiplier::Array, ..spec };
    let fetch = |spec| Spec { decode: Decode::Fetch, register_file: RegisterFile::Latches, ..spec };
    let in_place = |spec| Spec { placement: LowLanes::InPlace, ..spec };
    let (fixed, dynamic) = (PeKind::StrumStatic, PeKind::StrumDynamic);
    let designs = [
        spec(Level::Datapath, fixed, mip2q(4, 1, 5, true)),
        ten_bits(spec(Level::Datapath, dynamic, mip2q(32, 24, 7, false))),
        plain(spec(Level::Datapath, dynamic, dliq(8, 6, 3))),
        ten_bits(plain(spec(Level::Datapath, PeKind::Dense, Format::DENSE))),
        fetch(spec(Level::Pe, fixed, Format { w: 4, low: 2, method: Method::Sparse })),
        fetch(spec(Level::Pe, dynamic, mip2q(8, 4, 5, true))),
        spec(Level::PeCore, fixed, dliq(8, 4, 8)),
        in_place(spec(Level::Pe, fixed, dliq(4, 3, 2))),
        in_place(fetch(spec(Level::PeCore, fixed, mip2q(8, 6, 5, true)))),
    ];
    let designs = designs.map(|spec| {
        // With ten bits, zero points of unsigned activations too.
        let zero_points: &[i16] = if spec.activation_bits == 10 { &[-128, 255] } else { &[-128, 0, 127] };
        let sections = corners(&spec, zero_points);
        let wrapped = wrapping(corners(&spec, &zero_points[..1]));
        assert!(wrapped.iter().flat_map(|s| &s.vectors).any(|v| v.before > 0 && v.after < -(1 << 30)));
        (spec, [sections, wrapped].concat())
    });
    check(designs.into());
}

#[test]
fn a_missing_verilator_is_named_with_the_command_that_installs_it() {
    let spec = spec(Level::Datapath, PeKind::Dense, Format::DENSE);
    let top = units::top(&spec);
    let stimulus = stimulus(&spec, &top, &corners(&spec, &[0])).unwrap();
    let error =
        verilator::run_all(&[(top, stimulus)], Some(Path::new("/nonexistent/verilator"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/verilator not found; run tools/rtl/setup, or name one by --verilator-program"
    );
    assert_eq!(verilator::run_all(&[], None).unwrap(), Vec::new());
}
