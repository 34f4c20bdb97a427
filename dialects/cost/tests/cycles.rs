//! The closed form of the PE array's pipeline against a cycle-by-cycle model in `strum-ref`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::cell::Cell;
use std::ops::Range;

use common::{config, described, layers_on_machines};
use dpu_cost::{Bitmap, Cost};
use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method};
use proptest::prelude::*;
use strum_ref::array::{Present, Seen, run, run_skipping};

/// Tolerance of the comparison, besides a few cycles, and half a cycle per block: the stepping model knows only whole
/// cycles and bytes, which is visible where blocks take only a few.
const SHARE: f64 = 0.02;
const CONSTANT: u64 = 8;

/// The same in the form of the stepping model.
fn stepped(inv: &ConvInv, var: &ConvVar, m: &Machine, block: &Block) -> Seen {
    let (array, layer, schedule) = described(inv, var, m, block);
    run(&array, &layer, &schedule)
}

#[test]
fn the_closed_form_agrees_with_every_cycle_stepped() {
    assert_eq!(ConvInv::default().out_dtype, Dtype::I8);
    let counts = Cell::new((0usize, 0usize, 0));
    proptest!(config(8_000), |((m, (inv, var)) in layers_on_machines())| {
        let (cases, close, refused) = counts.get();
        let Ok(cost) = dpu_cost::conv(&inv, &var, &m) else {
            counts.set((cases, close, refused + 1));
            return Ok(());
        };
        let seen = stepped(&inv, &var, &m, &Block::of(&inv, &var, &m).unwrap());
        let closed = cost.cycles - u64::from(m.dpu_setup_cycles);
        let apart = closed.abs_diff(seen.cycles).saturating_sub(CONSTANT);
        let share = |n: u64| n as f64 / seen.cycles as f64;
        prop_assert!(
            share(apart.saturating_sub(seen.blocks / 2)) <= SHARE,
            "{} cycles, {} stepped, {} blocks",
            closed,
            seen.cycles,
            seen.blocks
        );
        prop_assert_eq!((cost.macs, cost.traffic.sram_write), (seen.macs, seen.written));
        prop_assert_eq!(cost.traffic.sram_read, seen.read);
        counts.set((cases + 1, close + usize::from(share(apart) <= SHARE), refused));
    });
    let (cases, close, refused) = counts.get();
    println!("{cases} cases, {close} of them within 2 %, {refused} refused");
    assert!(cases > 300 && close * 100 > cases * 97, "{cases} cases, {close} within 2 %, {refused} refused");
}

#[test]
fn banks_that_serve_both_sides_in_turn_slow_the_loads() {
    // 128 bytes per cycle for both sides; sums leave as 4 bytes each.
    let inv = ConvInv {
        sched_oc: 16,
        sched_oy: 4,
        sched_ox: 4,
        block_oc: 4,
        block_oy: 2,
        block_ox: 2,
        ..ConvInv::default()
    };
    let side = 32;
    let var = ConvVar {
        in_h: side,
        in_w: side,
        in_c: 32,
        act_pixel: 32,
        out_h: side,
        out_w: side,
        out_c: 64,
        kernel_h: 1,
        kernel_w: 1,
        acc_out: true,
        ..ConvVar::default()
    };
    let mut times = Vec::new();
    for sram_banks in [8, 16] {
        let m = Machine { sram_banks, ..Machine::flexnn_16x16() };
        let closed = dpu_cost::conv(&inv, &var, &m).unwrap().cycles - u64::from(m.dpu_setup_cycles);
        let seen = stepped(&inv, &var, &m, &Block::of(&inv, &var, &m).unwrap()).cycles;
        assert!(closed.abs_diff(seen) * 20 <= seen, "{closed} cycles, {seen} stepped on {sram_banks} banks");
        times.push(seen);
    }
    assert!(times[0] > times[1] * 5 / 4, "{times:?}");
}

/// Noise of density `share` / 8, by position.
fn present(seed: u64, share: u64, place: [u64; 4]) -> bool {
    let mix = place.iter().fold(seed, |h, &p| (h ^ p).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    (mix >> 40) % 8 < share
}

/// Which values are non-zero: noise from a seed, in eighths of activations and weights.
#[derive(Clone, Copy, Debug)]
struct Values {
    seed: u64,
    acts: u64,
    weights: u64,
}

prop_compose! {
    fn values()(seed: u64, acts in 0..=8u64, weights in 0..=8u64) -> Values {
        Values { seed, acts, weights }
    }
}

impl Values {
    fn act(&self, var: &ConvVar, y: i64, x: i64, c: u64) -> bool {
        let inside = (0..i64::from(var.in_h)).contains(&y) && (0..i64::from(var.in_w)).contains(&x);
        inside && present(self.seed, self.acts, [y.cast_unsigned(), x.cast_unsigned(), c, 0])
    }

    fn weight(&self, oc: u64, ky: u64, kx: u64, ic: u64) -> bool {
        present(self.seed, self.weights, [oc, ky, kx, ic + 1])
    }

    fn result(&self, y: u64, x: u64, c: u64) -> bool {
        present(self.seed, self.acts, [y, x, c, 2])
    }
}

/// The cost of a convolution by the closed form and by the naive count, with zeros skipped if `skips`.
/// `stored`: whether activations, weights and results are stored zero-compressed.
fn skipping(
    (inv, var): (&ConvInv, &ConvVar),
    m: &Machine,
    values: &Values,
    skips: bool,
    stored: [bool; 3],
) -> (Cost, Seen) {
    let act = |y: i64, x: i64, c: u64| values.act(var, y, x, c);
    let weight = |oc: u64, ky: u64, kx: u64, ic: u64| values.weight(oc, ky, kx, ic);
    let result = |y: u64, x: u64, c: u64| values.result(y, x, c);
    let (acts, weights) = bitmaps(inv, var, &act, &weight);
    let kept_acts = |y: u64, x: u64, channels: Range<u64>| {
        channels.filter(|&c| act(y.cast_signed(), x.cast_signed(), c)).count() as u64
    };
    let kept_results =
        |y: u64, x: u64, channels: Range<u64>| channels.filter(|&c| result(y, x, c)).count() as u64;
    let (kh, kw, ic) = (u64::from(var.kernel_h), u64::from(var.kernel_w), u64::from(var.in_c));
    let kept_weights =
        |oc: u64| (0..kh * kw * ic).filter(|i| weight(oc, i / ic / kw, i / ic % kw, i % ic)).count() as u64;
    let operands = dpu_cost::Present { acts, weights };
    let as_stored = dpu_cost::Stored {
        acts: stored[0].then_some(&kept_acts as _),
        weights: stored[1].then_some(&kept_weights as _),
        results: stored[2].then_some(&kept_results as _),
    };
    let cost = dpu_cost::conv_skipping(inv, var, m, skips.then_some(&operands), &as_stored).unwrap();
    let (array, layer, schedule) = described(inv, var, m, &Block::of(inv, var, m).unwrap());
    let vectors = u64::from(m.if_rf_bytes.min(m.fl_rf_bytes) / 2 / m.lanes);
    let naive = Present { act: &act, weight: &weight, vectors, skips, result: &result, stored };
    (cost, run_skipping(&array, &layer, &schedule, &naive))
}

#[test]
fn skipped_zeros_are_those_that_a_naive_count_skips() {
    let counts = Cell::new((0, 0, 0));
    let skips = (prop::bool::weighted(0.75), prop::array::uniform3(any::<bool>()));
    let cases = (layers_on_machines(), values(), skips);
    proptest!(config(8_000), |(((m, (inv, var)), values, (skips, stored)) in cases)| {
        let m = Machine { zero_skip: 1, ..m };
        let Ok(plain) = dpu_cost::conv(&inv, &var, &m) else { return Ok(()) };
        if !dpu_cost::skips_zeros(&inv, &m) || plain.macs > 200_000 {
            return Ok(());
        }
        let stored = [
            stored[0],
            stored[1] && inv.method == Method::Dense && !inv.depthwise,
            stored[2] && layer_stores_bytes(&inv, &var),
        ];
        let (cost, seen) = skipping((&inv, &var), &m, &values, skips, stored);
        prop_assert_eq!(cost.macs - cost.events.zero_skipped, seen.macs);
        prop_assert_eq!((cost.traffic.sram_read, cost.traffic.sram_write), (seen.read, seen.written));
        if stored == [false; 3] {
            prop_assert_eq!(cost.traffic, plain.traffic);
        }
        let got = cost.events;
        let held = [got.act_held, got.weight_held, got.routed_held, got.if_held, got.fl_held];
        prop_assert!(!skips || held == [0; 5], "{:?}", held);
        let routed = if plain.events.routed > 0 { seen.macs } else { 0 };
        prop_assert!(!skips || got.routed == routed);
        // Never more than all bytes, and a bit for each of them; a block's bits are whole bytes.
        let more = |got: u64, raw: u64| got > raw + raw.div_ceil(8) + seen.blocks;
        let (got, raw) = (cost.events, plain.events);
        prop_assert!(!more(got.sram_act_read, raw.sram_act_read));
        prop_assert!(!more(got.sram_weight_read, raw.sram_weight_read));
        prop_assert!(!more(got.sram_out_write, raw.sram_out_write));
        let closed = cost.cycles - u64::from(m.dpu_setup_cycles);
        let apart = closed.abs_diff(seen.cycles).saturating_sub(CONSTANT + seen.blocks);
        prop_assert!(apart as f64 <= SHARE * seen.cycles as f64, "{} cycles, {} stepped", closed, seen.cycles);
        let (cases, faster, smaller) = counts.get();
        counts.set((
            cases + 1,
            faster + usize::from(cost.cycles < plain.cycles),
            smaller + usize::from(cost.traffic.sram_read < plain.traffic.sram_read),
        ));
    });
    let (cases, faster, smaller) = counts.get();
    println!("{cases} cases, {faster} of them faster than without skipping, {smaller} read less");
    assert!(
        cases > 100 && faster > cases / 4 && smaller > cases / 8,
        "{cases}, {faster} faster, {smaller} smaller"
    );
}

/// Whether results are bytes.
fn layer_stores_bytes(inv: &ConvInv, var: &ConvVar) -> bool {
    !var.acc_out && inv.out_dtype.bytes() == 1
}

/// The operands as bitmaps.
fn bitmaps(
    inv: &ConvInv,
    var: &ConvVar,
    act: &dyn Fn(i64, i64, u64) -> bool,
    weight: &dyn Fn(u64, u64, u64, u64) -> bool,
) -> (Bitmap, Bitmap) {
    let size = |n: u32| n as usize;
    let (out_h, out_w, out_c, in_c) = (size(var.out_h), size(var.out_w), size(var.out_c), size(var.in_c));
    let (kh, kw) = (usize::from(var.kernel_h), usize::from(var.kernel_w));
    let depth = if inv.depthwise { 1 } else { in_c };
    let rows = out_h * out_w * if inv.depthwise { out_c } else { 1 };
    let mut acts = Bitmap::new(rows, kh * kw, depth);
    let mut weights = Bitmap::new(out_c, kh * kw, depth);
    for (ky, kx) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y, x))) {
        let tap = ky * kw + kx;
        for (oc, ic) in (0..out_c).flat_map(|o| (0..depth).map(move |i| (o, i))) {
            if weight(oc as u64, ky as u64, kx as u64, ic as u64) {
                weights.set(oc, tap, ic);
            }
        }
        for row in 0..rows {
            let (at, oc) = if inv.depthwise { (row / out_c, row % out_c) } else { (row, 0) };
            let y = i64::from(var.origin_y)
                + (at / out_w * usize::from(inv.stride_y) + ky * usize::from(inv.dilation_y)) as i64;
            let x = i64::from(var.origin_x)
                + (at % out_w * usize::from(inv.stride_x) + kx * usize::from(inv.dilation_x)) as i64;
            for ic in 0..depth {
                let channel = if inv.depthwise { oc / (out_c / in_c) } else { ic };
                if act(y, x, channel as u64) {
                    acts.set(row, tap, ic);
                }
            }
        }
    }
    (acts, weights)
}
