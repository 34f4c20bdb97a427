//! Static PEs whose low lanes are in place, against traces of random vectors, by the evaluator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Traced, random, section};
use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::{Section, stimulus};
use dpu_rtl::netlist::Evaluator;
use dpu_rtl::spec::{Decode, Level, LowLanes, Multiplier, RegisterFile, Spec, Structure};
use dpu_rtl::units;
use strum_formats::{DliqShift, Format, Method};

fn check(spec: &Spec, sections: &[Section]) {
    spec.check().unwrap();
    let top = units::top(spec);
    let stimulus = stimulus(spec, &top, sections).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let checked = Evaluator::new(&top).run(&stimulus).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let vectors: usize = sections.iter().map(|s| s.vectors.len()).sum();
    assert_eq!(checked, vectors, "{spec}: every vector is checked once");
}

fn spec(level: Level, format: Format) -> Spec {
    let machine = Machine { pe_kind: PeKind::StrumStatic, ..Machine::flexnn_16x16() };
    Spec { level, placement: LowLanes::InPlace, ..Spec::of(&machine, format) }
}

/// Formats of both methods, of every share, exponent and number of bits.
fn formats() -> Vec<Format> {
    let mip2q = |w, low, l, zero| Format { w, low, method: Method::Mip2q { l, zero } };
    let dliq = |w, low, q| Format { w, low, method: Method::Dliq { q, shift: DliqShift::PerChannel } };
    let mut list = vec![mip2q(4, 1, 7, false), mip2q(4, 2, 7, false), mip2q(4, 3, 5, true)];
    list.extend((1..8).map(|low| mip2q(8, low, 7, false)));
    for l in 0..7 {
        list.push(mip2q(8, 6, l, false));
        if !matches!(l, 0 | 1 | 3) {
            list.push(mip2q(8, 7, l, true));
        }
    }
    list.extend((1..=8).map(|q| dliq(8, 7, q)));
    list.extend([dliq(4, 3, 2), dliq(8, 4, 4)]);
    list
}

/// Blocks of 4, with the structures that have products of their own, in every variant of the PE.
fn variants(level: Level) -> Vec<Spec> {
    let mut list = Vec::new();
    for structure in [Structure::Plain, Structure::Merged, Structure::Pipelined] {
        for multiplier in [Multiplier::Booth, Multiplier::Array] {
            for decode in [Decode::Step, Decode::Fetch] {
                for register_file in [RegisterFile::FlipFlops, RegisterFile::Latches] {
                    for format in [formats()[2], formats()[5], formats()[formats().len() - 2]] {
                        let spec = spec(level, format);
                        list.push(Spec { structure, multiplier, decode, register_file, ..spec });
                    }
                }
            }
        }
    }
    list
}

#[test]
fn every_format_and_variant_computes_what_was_traced() {
    for level in [Level::Datapath, Level::PeCore, Level::Pe] {
        let all = formats().into_iter().map(|format| spec(level, format));
        for spec in all.chain(variants(level)) {
            let mut rng = random();
            let block = |block, zero_point, plain| Traced { plain, zero_point, block, depth: 6 };
            let traced = [([1, 1], -128), ([2, 4], 0), ([5, 1], 3), ([4, 9], 127)];
            let sections = [false, true].into_iter().flat_map(|plain| {
                traced.map(|(outputs, zero_point)| {
                    section(&mut rng, &spec, block(outputs, zero_point, plain), Vec::new())
                })
            });
            let sections: Vec<Section> = sections.collect();
            check(&spec, &sections);
        }
    }
}

#[test]
fn every_mask_places_codes_and_chooses_activations() {
    let mut rng = random();
    for format in formats() {
        let (w, high) = (u32::from(format.w), u32::from(format.w - format.low));
        let masks: Vec<u32> = (0..1u32 << w).filter(|mask| mask.count_ones() == high).collect();
        // Blocks of 4 come in pairs: eight lanes take two of them.
        let masks: Vec<u32> = match w {
            4 => masks.iter().flat_map(|&a| masks.iter().flat_map(move |&b| [a, b])).collect(),
            _ => masks,
        };
        let depth = masks.len() as u32 * w / 8;
        for decode in [Decode::Step, Decode::Fetch] {
            let spec = Spec { decode, ..spec(Level::Pe, format) };
            let traced = Traced { plain: false, zero_point: 5, block: [1, 1], depth };
            check(&spec, &[section(&mut rng, &spec, traced, masks.clone())]);
        }
    }
}

#[test]
fn zero_points_at_the_ends_are_computed_in_place() {
    let mut rng = random();
    for format in formats() {
        for (zero_point, activation_bits) in [(-128, 9), (127, 9), (255, 9), (255, 10)] {
            let spec = Spec { activation_bits, ..spec(Level::Datapath, format) };
            let traced = Traced { plain: false, zero_point, block: [1, 1], depth: 20 };
            check(&spec, &[section(&mut rng, &spec, traced, Vec::new())]);
        }
    }
}

#[test]
fn pes_without_low_lanes_to_place_are_refused() {
    let format = formats()[0];
    let refused = |spec: Spec| spec.check().unwrap_err().to_string();
    let own = spec(Level::Pe, format);
    assert_eq!(
        refused(Spec { kind: PeKind::StrumDynamic, ..own.clone() }),
        "--low-lanes in-place is a strum-static PE's with mip2q or dliq weights, not a strum-dynamic PE's with mip2q"
    );
    assert_eq!(
        refused(Spec { format: Format { method: Method::Sparse, ..format }, ..own.clone() }),
        "--low-lanes in-place is a strum-static PE's with mip2q or dliq weights, not a strum-static PE's with sparse"
    );
    assert_eq!(
        refused(Spec { format: Format { w: 16, low: 8, ..format }, ..own.clone() }),
        "--low-lanes in-place needs blocks of at most 8 members, the lanes of a step, not 16"
    );
    assert_eq!(
        refused(Spec { level: Level::Lane, ..own }),
        "--low-lanes in-place is built from level datapath on"
    );
}
