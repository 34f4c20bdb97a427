//! The closed form of the PE array's pipeline against a cycle-by-cycle model in `strum-ref`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::cell::Cell;
use std::ops::Range;

use dpu_cost::{Bitmap, Cost};
use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, PeKind, Stationary, WeightFormat};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use strum_ref::array::{Array, Layer, Present, Schedule, Seen, Stays, run, run_skipping};

/// Tolerance of the comparison, besides a few cycles, and half a cycle per block: the stepping model knows only whole
/// cycles and bytes, which is visible where blocks take only a few.
const SHARE: f64 = 0.02;
const CONSTANT: u64 = 8;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

prop_compose! {
    fn machine()(
        side in select(&[2, 4, 16]),
        pe_kind in select(&[PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic]),
        lanes in select(&[4, 8]),
        acc_per_pe in select(&[8, 64]),
        if_rf_bytes in select(&[16, 64, 4096]),
        fl_rf_bytes in select(&[16, 64, 4096]),
        sram_read_bytes_per_cycle in select(&[16, 64, 128]),
        sram_write_bytes_per_cycle in select(&[16, 128]),
        ppe_per_cycle in select(&[4, 64]),
    ) -> Machine {
        Machine {
            rows: side,
            cols: side,
            pe_kind,
            lanes,
            acc_per_pe,
            if_rf_bytes,
            fl_rf_bytes,
            sram_read_bytes_per_cycle,
            sram_write_bytes_per_cycle,
            ppe_per_cycle,
            ..Machine::flexnn_16x16()
        }
    }
}

/// Positions along an axis, with padding of up to two at either end that leaves every window a tap.
#[derive(Clone, Copy, Debug)]
struct Axis {
    stride: u16,
    dilation: u16,
    input: u32,
    outputs: u32,
    taps: u16,
    origin: i32,
}

prop_compose! {
    fn axis()(stride in 1..=3u16, dilation in 1..=2u16, outputs in 1..=20u32, taps in 1..=5u16)(
        stride in Just(stride),
        // The positions that windows of different stride and dilation read are counted from above.
        dilation in Just(if stride == 3 { 1 } else { dilation }),
        (outputs, taps) in (Just(outputs), Just(taps)),
        (before, after) in (any::<Index>(), any::<Index>()),
    ) -> Axis {
        let reach = (outputs - 1) * u32::from(stride) + u32::from((taps - 1) * dilation) + 1;
        let pad = u32::from((taps - 1) * dilation).min(2);
        let origin = before.index(pad as usize + 3) as i32 - pad.cast_signed();
        let input = reach.saturating_add_signed(origin).saturating_sub(after.index(pad as usize + 1) as u32);
        Axis { stride, dilation, input: input.max(1), outputs, taps, origin }
    }
}

prop_compose! {
    /// A split of this many PEs over channels, rows, columns and the tree.
    fn split(pes: u16, depthwise: bool)(
        tree in if depthwise { 0..=0 } else { 0..=pes.ilog2().min(4) },
        parts in prop::array::uniform3(any::<Index>()),
    ) -> [u16; 4] {
        let mut left = pes >> tree;
        let [oc, oy, ox] = parts.map(|part| {
            let part = part.index(left.into()) as u16 + 1;
            left /= part;
            part
        });
        [oc, oy, ox, 1 << tree]
    }
}

/// A field for which 0 leaves the choice to the machine.
fn field(max: u16) -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), 1..=max]
}

prop_compose! {
    fn invariant(pes: u16)(depthwise in prop::bool::weighted(0.25))(
        depthwise in Just(depthwise),
        method in select(&[Method::Dense, Method::Dense, Method::Sparse, Method::Mip2q]),
        low in select(&[4, 8]),
        lut in any::<bool>(),
        [sched_oc, sched_oy, sched_ox, sched_ic] in split(pes, depthwise),
        stationary in select(&[Stationary::Output, Stationary::Output, Stationary::Weight, Stationary::Input]),
        fold in prop::bool::weighted(1.0 / 3.0),
        (block_oc, block_oy, block_ox) in (field(4), field(4), field(8)),
    ) -> ConvInv {
        ConvInv {
            depthwise,
            method,
            block: 16,
            low: if method == Method::Dense { 0 } else { low },
            param: if method == Method::Mip2q { 7 } else { 0 },
            lut,
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            stationary,
            fold: fold && !depthwise,
            block_oc,
            block_oy,
            block_ox,
            ..ConvInv::default()
        }
    }
}

prop_compose! {
    /// A layer with a schedule, both in the form of an instruction; not always legal.
    fn layer(m: Machine)(
        inv in invariant(u16::try_from(m.rows * m.cols).unwrap()),
        (y, x) in (axis(), axis()),
        (in_c, out_c, multiplier) in (1..=70u32, 1..=70u32, 1..=2u32),
        gap in prop::bool::weighted(1.0 / 3.0),
        (acc_in, acc_out) in (prop::bool::weighted(0.25), prop::bool::weighted(0.25)),
    ) -> (ConvInv, ConvVar) {
        let inv = ConvInv {
            stride_y: y.stride,
            stride_x: x.stride,
            dilation_y: y.dilation,
            dilation_x: x.dilation,
            ..inv
        };
        let var = ConvVar {
            in_h: y.input,
            in_w: x.input,
            in_c,
            act_pixel: if gap { in_c + 5 } else { in_c },
            origin_y: y.origin,
            origin_x: x.origin,
            kernel_h: y.taps,
            kernel_w: x.taps,
            out_h: y.outputs,
            out_w: x.outputs,
            out_c: if inv.depthwise { in_c * multiplier } else { out_c },
            acc_in,
            acc_out,
            ..ConvVar::default()
        };
        (inv, var)
    }
}

fn layers_on_machines() -> impl Strategy<Value = (Machine, (ConvInv, ConvVar))> {
    machine().prop_flat_map(|m| (Just(m.clone()), layer(m)))
}

/// The same in the form of the stepping model.
fn stepped(inv: &ConvInv, var: &ConvVar, m: &Machine, block: &Block) -> Seen {
    let (array, layer, schedule) = described(inv, var, m, block);
    run(&array, &layer, &schedule)
}

fn described(inv: &ConvInv, var: &ConvVar, m: &Machine, block: &Block) -> (Array, Layer, Schedule) {
    let pair = |a: u16, b: u16| [u64::from(a), u64::from(b)];
    let array = Array {
        lanes: m.lanes.into(),
        read: m.sram_read_bytes_per_cycle.into(),
        write: m.sram_write_bytes_per_cycle.into(),
        banks: u64::from(m.sram_banks * m.sram_granule),
        word: m.sram_granule.into(),
        ppe: m.ppe_per_cycle.into(),
        half_shift: m.pe_kind == PeKind::StrumStatic,
    };
    let all = WeightFormat::all_sets_bytes(inv, var).unwrap();
    let layer = Layer {
        input: [var.in_h, var.in_w, var.in_c].map(u64::from),
        output: [var.out_h, var.out_w, var.out_c].map(u64::from),
        kernel: pair(var.kernel_h, var.kernel_w),
        stride: pair(inv.stride_y, inv.stride_x),
        dilation: pair(inv.dilation_y, inv.dilation_x),
        origin: [var.origin_y.into(), var.origin_x.into()],
        depthwise: inv.depthwise,
        set_bytes: if inv.depthwise { all } else { all / u64::from(var.out_c) },
        packed: if inv.method == Method::Dense { [1, 0] } else { [16, inv.low.into()] },
        gap: var.act_pixel != var.in_c && var.in_w > 1,
        lut: if inv.lut && !var.acc_out { 256 } else { 0 },
        sums_in: var.acc_in,
        out_bytes: if var.acc_out { 4 } else { inv.out_dtype.bytes() },
    };
    let schedule = Schedule {
        pes: [inv.sched_oc, inv.sched_oy, inv.sched_ox].map(u64::from),
        block: [block.oc, block.oy, block.ox],
        tree: inv.sched_ic.into(),
        stays: match inv.stationary {
            Stationary::Output => Stays::Sums,
            Stationary::Weight => Stays::Weights,
            Stationary::Input => Stays::Activations,
        },
        fold: inv.fold,
    };
    (array, layer, schedule)
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
