//! PEs of every kind against traces of random vectors, by the evaluator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Traced, random, section};
use dpu_isa::PeKind;
use dpu_rtl::drive::{Section, stimulus};
use dpu_rtl::netlist::Evaluator;
use dpu_rtl::spec::{Decode, Level, Multiplier, RegisterFile, Spec, Structure};
use dpu_rtl::units;
use strum_formats::{Format, Method};

fn check(spec: &Spec, sections: &[Section]) {
    spec.check().unwrap();
    let top = units::top(spec);
    let stimulus = stimulus(spec, &top, sections).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let checked = Evaluator::new(&top).run(&stimulus).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let vectors: usize = sections.iter().map(|s| s.vectors.len()).sum();
    assert_eq!(checked, vectors, "{spec}: every vector is checked once");
}

/// Traces that differ in what is held: one accumulator, weights over positions, activations over channels.
fn traces(spec: &Spec, plain: bool) -> Vec<Section> {
    let mut rng = random();
    let block = |block, zero_point| Traced { plain, zero_point, block, depth: 6 };
    [block([1, 1], -128), block([2, 4], 0), block([5, 1], 3), block([4, 9], 127)]
        .map(|traced| section(&mut rng, spec, traced, Vec::new()))
        .to_vec()
}

/// Every format with the default structure, and every structure with the default format.
fn specs(level: Level) -> Vec<Spec> {
    let usual = |spec: &Spec| spec.structure == Structure::Merged && spec.multiplier == Multiplier::Booth;
    let format = Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } };
    common::specs(level).into_iter().filter(|s| usual(s) || !s.packed() || s.format == format).collect()
}

#[test]
fn pes_compute_what_was_traced() {
    for level in [Level::PeCore, Level::Pe] {
        for spec in specs(level) {
            let spec = Spec { if_bytes: 128, fl_bytes: 128, ..spec };
            let mut sections = traces(&spec, false);
            sections.extend(traces(&spec, true));
            check(&spec, &sections);
        }
    }
}

#[test]
fn latches_and_fetched_masks_compute_the_same() {
    for level in [Level::PeCore, Level::Pe] {
        for spec in specs(level) {
            let spec = Spec {
                if_bytes: 128,
                fl_bytes: 128,
                register_file: RegisterFile::Latches,
                decode: Decode::Fetch,
                ..spec
            };
            let mut sections = traces(&spec, false);
            sections.extend(traces(&spec, true));
            check(&spec, &sections);
        }
    }
}

#[test]
fn every_mask_of_a_block_of_four() {
    let mut rng = random();
    for low in 1..4u8 {
        let masks: Vec<u32> = (0..16u32).filter(|mask| mask.count_ones() == 4 - u32::from(low)).collect();
        // Every pair of masks: eight lanes take two blocks.
        let pairs: Vec<u32> = masks.iter().flat_map(|&a| masks.iter().flat_map(move |&b| [a, b])).collect();
        let format = Format { w: 4, low, method: Method::Mip2q { l: 7, zero: false } };
        for spec in common::specs(Level::Pe).into_iter().filter(|spec| spec.format == format) {
            let depth = (pairs.len() / 2) as u32;
            let traced = Traced { plain: false, zero_point: 5, block: [1, 1], depth };
            check(&spec, &[section(&mut rng, &spec, traced, pairs.clone())]);
        }
    }
}

#[test]
fn zero_points_at_the_ends() {
    let mut rng = random();
    for spec in common::specs(Level::Datapath) {
        for (zero_point, activation_bits) in [(-128, 9), (127, 9), (255, 9), (255, 10)] {
            let spec = Spec { activation_bits, ..spec.clone() };
            let traced = Traced { plain: spec.kind == PeKind::Dense, zero_point, block: [1, 1], depth: 20 };
            check(&spec, &[section(&mut rng, &spec, traced, Vec::new())]);
        }
    }
}
