//! Parameters that do not go together, and traces that do not fit a design: each is refused with its reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Traced, random, section};
use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::{Section, sections, stimulus};
use dpu_rtl::spec::{Level, Spec};
use dpu_rtl::units;
use strum_formats::{Format, Method};

const FORMAT: Format = Format { w: 16, low: 8, method: Method::Mip2q { l: 5, zero: true } };

fn spec(kind: PeKind) -> Spec {
    Spec { level: Level::Datapath, ..Spec::of(&Machine { pe_kind: kind, ..Machine::flexnn_16x16() }, FORMAT) }
}

#[test]
fn parameters_that_do_not_go_together_are_refused() {
    let refused = |spec: Spec| spec.check().unwrap_err().to_string();
    let (dense, fixed) = (spec(PeKind::Dense), spec(PeKind::StrumStatic));
    assert_eq!(
        refused(Spec { format: Format::DENSE, ..fixed.clone() }),
        "a strum-static PE needs a packed weight format, not dense: give --format mip2q, dliq or sparse"
    );
    assert_eq!(
        refused(Spec { format: FORMAT, ..dense.clone() }),
        "a dense PE computes decoded weights: --format mip2q needs --kind strum-dynamic or strum-static"
    );
    assert_eq!(
        refused(Spec { format: Format { low: 1, ..FORMAT }, ..fixed.clone() }),
        "1 low members in a block of 16 are not a whole number of the 8 lanes of a step: lanes * low / w must be whole"
    );
    assert_eq!(
        refused(Spec { format: Format { low: 16, ..FORMAT }, ..fixed.clone() }),
        "a strum-static PE needs both high and low members, not 16 low ones of 16"
    );
    assert_eq!(refused(Spec { lanes: 6, ..dense.clone() }), "6 lanes: a PE has 2, 4, 8, 16 or 32");
    assert_eq!(refused(Spec { activation_bits: 8, ..dense }), "8 bits of an activation: 9 or 10");
    assert_eq!(
        refused(Spec { sparsity: true, ..fixed.clone() }),
        "--sparsity is a dense PE's: a strum-static PE takes every member of a block"
    );
    assert_eq!(
        refused(Spec { fl_bytes: 31, ..fixed.clone() }),
        "fl_rf_bytes = 31 bytes hold less than two vectors of 16 channels"
    );
    let format = Format { method: Method::Mip2q { l: 9, zero: true }, ..FORMAT };
    assert!(refused(Spec { format, ..fixed }).contains('9'));
}

/// A random trace, changed.
fn trace(spec: &Spec, change: impl Fn(&mut Section)) -> Section {
    let traced = Traced { plain: false, zero_point: 3, block: [1, 2], depth: 2 };
    let mut section = section(&mut random(), spec, traced, Vec::new());
    change(&mut section);
    section
}

fn refused(spec: &Spec, change: impl Fn(&mut Section)) -> String {
    let section = trace(spec, change);
    stimulus(spec, &units::top(spec), &[section]).unwrap_err().to_string()
}

#[test]
fn traces_of_other_machines_and_formats_are_refused() {
    let design = spec(PeKind::StrumStatic);
    assert_eq!(
        refused(&design, |s| s.header.machine.lanes = 16),
        "the trace is of a machine with 16 lanes, the design has 8"
    );
    assert_eq!(
        refused(&design, |s| s.header.conv.param = 7),
        "the trace has mip2q w=16 low=8 parameter=7 weights, the design is for mip2q w=16 low=8 parameter=5; give the same \
         method, w, p and parameters to both"
    );
    let layer = |s: &mut Section| (s.header.layer, s.header.conv.wt_zp) = ("conv1".into(), -3);
    assert_eq!(
        refused(&design, layer),
        "layer 'conv1' has weight zero point -3: a PE multiplies weights as they are; trace a layer without one"
    );
    assert_eq!(
        refused(&Spec { level: Level::Lane, ..design }, |_| {}),
        "a lane has no accumulator: drive the datapath, the PE without register files, or the PE"
    );
}

#[test]
fn values_that_a_design_cannot_hold_are_refused_with_their_vector() {
    let design = spec(PeKind::StrumStatic);
    assert_eq!(
        refused(&design, |s| s.vectors[1].acts[0] = 260),
        "vector 1: activation 260 less zero point 3 does not fit 9 bits; --activation-bits 10 does"
    );
    let pe = Spec { level: Level::Pe, ..design.clone() };
    let padded = |s: &mut Section| {
        s.header.conv.in_zp = 200;
        for vector in &mut s.vectors {
            vector.acts.iter_mut().for_each(|act| *act = 200);
            vector.after = vector.before;
        }
    };
    assert_eq!(
        refused(&pe, padded),
        "vector 0: activation 200 is not an 8-bit value (padding under such a zero point): drive the datapath instead"
    );
    assert_eq!(
        refused(&pe, |s| s.vectors[2].accumulator = 64),
        "vector 2: accumulator 64, but the PE has 64"
    );
}

#[test]
fn words_and_sums_that_contradict_themselves_are_refused() {
    let design = spec(PeKind::StrumStatic);
    let text = refused(&design, |s| s.vectors[0].word[0] ^= 1);
    assert!(text.starts_with("vector 0: mask 0x") && text.contains(" high members, expected 8"), "{text}");
    let sum = trace(&design, |_| {}).vectors[3].after;
    assert_eq!(
        refused(&design, |s| s.vectors[3].after = sum.wrapping_add(1)),
        format!(
            "vector 3: the accumulator is {} after the products, {sum} follows from its operands",
            sum.wrapping_add(1)
        )
    );
    // The mask takes two bytes, the high codes eight; the first low code is made one that is reserved.
    let reserved = |s: &mut Section| {
        let mask = u16::from_le_bytes([s.vectors[0].word[0], s.vectors[0].word[1]]);
        assert_eq!(mask.count_ones(), 8);
        s.vectors[0].word[10] |= 0x0f;
        s.header.conv.zero = false;
    };
    let free = Spec { format: Format { method: Method::Mip2q { l: 5, zero: false }, ..FORMAT }, ..design };
    assert!(refused(&free, reserved).contains("low code 0xf is reserved"));
}

#[test]
fn a_pe_that_was_not_traced_is_named() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lenet.pes");
    let open = || std::fs::File::open(&path).unwrap();
    assert_eq!(sections(open(), 9, 10).unwrap_err().to_string(), "the trace has no vector of PE 9");
    let vectors = |limit| sections(open(), 0, limit).unwrap().iter().map(|s| s.vectors.len()).sum::<usize>();
    assert_eq!((vectors(10), vectors(usize::MAX)), (10, 256));
}
