//! Datapaths and lanes of every kind against the reference's lane arithmetic, by the evaluator.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{random, signed};
use dpu_isa::PeKind;
use dpu_rtl::netlist::Evaluator;
use dpu_rtl::spec::{Level, Spec};
use dpu_rtl::units;
use proptest::prelude::RngExt;
use proptest::test_runner::TestRng;
use strum_ref::lane::accumulate;

/// Joins fields of `width` bits, the first lowest, into words.
fn words(fields: &[i64], width: u32) -> Vec<u64> {
    let mut words = vec![0u64; (fields.len() * width as usize).div_ceil(64).max(1)];
    for (i, field) in fields.iter().enumerate() {
        for bit in 0..width as usize {
            let at = i * width as usize + bit;
            words[at / 64] |= (*field as u64 >> bit & 1) << (at % 64);
        }
    }
    words
}

/// One step: what is applied, and the weights that the reference multiplies with.
fn step(rng: &mut TestRng, spec: &Spec, design: &mut Evaluator) -> (Vec<i64>, Vec<i64>) {
    let shift = if spec.max_shift() == 0 { 0 } else { rng.random_range(0..=spec.max_shift()) };
    let packed = spec.kind == PeKind::StrumStatic || spec.packed() && rng.random_range(0..4) > 0;
    let shift = if packed { shift } else { 0 };
    let acts: Vec<i64> = (0..spec.lanes).map(|_| signed(rng, spec.activation_bits)).collect();
    let mut weights: Vec<i64> = (0..spec.high_lanes()).map(|_| signed(rng, 8)).collect();
    design.set("high", &words(&weights, 8));
    let reading = common::low(spec, shift);
    let mut codes = Vec::new();
    for _ in 0..spec.low_lanes() {
        if packed {
            let (code, value) = loop {
                let code = rng.random_range(0..1u32 << reading.bits());
                if let Some(value) = reading.value(code) {
                    break (code, value);
                }
            };
            codes.push(i64::from(code));
            weights.push(value);
        } else {
            let weight = signed(rng, 8);
            codes.push(weight);
            weights.push(weight);
        }
    }
    let width = if spec.kind == PeKind::StrumDynamic { 8 } else { reading.bits() };
    design.set("low", &words(&codes, width));
    design.set("act", &words(&acts, spec.activation_bits));
    design.set("mixed", &[u64::from(packed)]);
    design.set("shift", &[shift.into()]);
    (acts, weights)
}

#[test]
fn datapaths_accumulate_what_the_reference_does() {
    let mut rng = random();
    let all = common::specs(Level::Datapath);
    assert!(all.len() > 300, "{}", all.len());
    for spec in all {
        spec.check().unwrap();
        let mut design = Evaluator::new(&units::datapath(&spec));
        let latency = spec.latency();
        let mut expected = vec![None; latency];
        let mut steps: Vec<(Vec<i64>, Vec<i64>)> = Vec::new();
        for cycle in 0..60 {
            steps.push(step(&mut rng, &spec, &mut design));
            // The accumulator meets the sum of the operands of `latency - 1` cycles before.
            let acc = signed(&mut rng, 32) as i32;
            design.set("acc_in", &[u64::from(acc as u32)]);
            expected
                .push(steps.get((cycle + 1usize).wrapping_sub(latency)).map(|(a, w)| accumulate(acc, a, w)));
            design.settle();
            if let Some(value) = expected[cycle + latency - 1] {
                assert_eq!(design.get("acc_out", 0) as u32 as i32, value, "{spec}, cycle {cycle}");
            }
            design.clock();
        }
    }
}

#[test]
fn lanes_multiply_exhaustively() {
    for spec in common::specs(Level::Lane) {
        let mut design = Evaluator::new(&units::lane(&spec));
        let reading = common::low(&spec, 0);
        let weights: Vec<(u32, i64)> = match spec.kind {
            PeKind::StrumStatic => {
                (0..1 << reading.bits()).filter_map(|c| Some((c, reading.value(c)?))).collect()
            }
            _ => (-128i64..128).map(|w| (w as u32 & 255, w)).collect(),
        };
        for (code, weight) in weights {
            design.set("weight", &[code.into()]);
            design.set("code", &[code.into()]);
            for acts in (-256i64..256).collect::<Vec<_>>().chunks(64) {
                for (run, &act) in acts.iter().enumerate() {
                    design.set_run("act", run as u32, act as u64 & 511);
                }
                design.settle();
                for (run, &act) in acts.iter().enumerate() {
                    let got = (design.get("product", run as u32) as i64) << 47 >> 47;
                    assert_eq!(got, act * weight, "{spec}: {act} * {weight}");
                }
            }
        }
    }
}
