//! The closed form of the PE array's pipeline against a model in `strum-ref` that steps every cycle.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use arbtest::arbitrary::{Result, Unstructured};
use dpu_cost::Bitmap;
use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, PeKind, Stationary, WeightFormat};
use strum_ref::array::{Array, Layer, Present, Schedule, Seen, Stays, run, run_skipping};

/// By how much the two may differ, besides a few cycles, and half a cycle for every block: the model that steps knows only
/// whole cycles and bytes, which shows where blocks take but a few.
const SHARE: f64 = 0.02;
const CONSTANT: u64 = 8;

fn machine(u: &mut Unstructured<'_>) -> Result<Machine> {
    let side = *u.choose(&[2, 4, 16])?;
    Ok(Machine {
        rows: side,
        cols: side,
        pe_kind: *u.choose(&[PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic])?,
        lanes: *u.choose(&[4, 8])?,
        acc_per_pe: *u.choose(&[8, 64])?,
        if_rf_bytes: *u.choose(&[16, 64, 4096])?,
        fl_rf_bytes: *u.choose(&[16, 64, 4096])?,
        sram_read_bytes_per_cycle: *u.choose(&[16, 64, 128])?,
        sram_write_bytes_per_cycle: *u.choose(&[16, 128])?,
        ppe_per_cycle: *u.choose(&[4, 64])?,
        ..Machine::flexnn_16x16()
    })
}

/// Input, outputs, taps and first position along an axis. Padding of up to two at either end leaves every window a tap.
fn axis(u: &mut Unstructured<'_>, stride: u16, dilation: u16) -> Result<(u32, u32, u16, i32)> {
    let (outputs, taps) = (u.int_in_range(1..=20u32)?, u.int_in_range(1..=5u16)?);
    let reach = (outputs - 1) * u32::from(stride) + u32::from((taps - 1) * dilation) + 1;
    let pad = u32::from((taps - 1) * dilation).min(2);
    let (before, after) = (u.int_in_range(-pad.cast_signed()..=2)?, u.int_in_range(0..=pad)?);
    let input = reach.saturating_add_signed(before).saturating_sub(after).max(1);
    Ok((input, outputs, taps, before))
}

/// A layer with a schedule, both as an instruction says it; not always legal.
fn layer(u: &mut Unstructured<'_>, m: &Machine) -> Result<(ConvInv, ConvVar)> {
    let pes = u16::try_from(m.rows * m.cols).unwrap();
    let depthwise = u.ratio(1, 4)?;
    let method = *u.choose(&[Method::Dense, Method::Dense, Method::Sparse, Method::Mip2q])?;
    let sched_ic = if depthwise { 1 } else { 1 << u.int_in_range(0..=pes.ilog2().min(4))? };
    let mut left = pes / sched_ic;
    let mut sched = [1u16; 3];
    for part in &mut sched {
        *part = u.int_in_range(1..=left)?;
        left /= *part;
    }
    let [sched_oc, sched_oy, sched_ox] = sched;
    let field =
        |u: &mut Unstructured<'_>, max: u16| if u.ratio(1, 2)? { Ok(0) } else { u.int_in_range(1..=max) };
    let inv = ConvInv {
        depthwise,
        method,
        block: 16,
        low: if method == Method::Dense { 0 } else { *u.choose(&[4, 8])? },
        param: if method == Method::Mip2q { 7 } else { 0 },
        stride_y: u.int_in_range(1..=3)?,
        stride_x: u.int_in_range(1..=3)?,
        dilation_y: 1,
        dilation_x: 1,
        lut: u.arbitrary()?,
        sched_oc,
        sched_oy,
        sched_ox,
        sched_ic,
        stationary: *u.choose(&[
            Stationary::Output,
            Stationary::Output,
            Stationary::Weight,
            Stationary::Input,
        ])?,
        fold: !depthwise && u.ratio(1, 3)?,
        block_oc: field(u, 4)?,
        block_oy: field(u, 4)?,
        block_ox: field(u, 8)?,
        ..ConvInv::default()
    };
    // The positions that windows of different stride and dilation read are counted from above.
    let (odd, even) =
        (|stride: u16| stride % 2 == 1 && stride > 1, |u: &mut Unstructured<'_>| u.int_in_range(1..=2));
    let dilation_y = if odd(inv.stride_y) { 1 } else { even(u)? };
    let dilation_x = if odd(inv.stride_x) { 1 } else { even(u)? };
    let inv = ConvInv { dilation_y, dilation_x, ..inv };
    let in_c = u.int_in_range(1..=70)?;
    let [(in_h, out_h, kernel_h, origin_y), (in_w, out_w, kernel_w, origin_x)] =
        [axis(u, inv.stride_y, inv.dilation_y)?, axis(u, inv.stride_x, inv.dilation_x)?];
    let var = ConvVar {
        in_h,
        in_w,
        in_c,
        act_pixel: if u.ratio(1, 3)? { in_c + 5 } else { in_c },
        origin_y,
        origin_x,
        kernel_h,
        kernel_w,
        out_h,
        out_w,
        out_c: if depthwise { in_c * u.int_in_range(1..=2)? } else { u.int_in_range(1..=70)? },
        acc_in: u.ratio(1, 4)?,
        acc_out: u.ratio(1, 4)?,
        ..ConvVar::default()
    };
    Ok((inv, var))
}

/// The same for the model that steps.
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
    let (mut cases, mut close, mut refused) = (0usize, 0, 0);
    arbtest::arbtest(|u| {
        let m = machine(u)?;
        let (inv, var) = layer(u, &m)?;
        let Ok(cost) = dpu_cost::conv(&inv, &var, &m) else {
            refused += 1;
            return Ok(());
        };
        let seen = stepped(&inv, &var, &m, &Block::of(&inv, &var, &m).unwrap());
        let closed = cost.cycles - u64::from(m.dpu_setup_cycles);
        let apart = closed.abs_diff(seen.cycles).saturating_sub(CONSTANT);
        let share = |n: u64| n as f64 / seen.cycles as f64;
        assert!(
            share(apart.saturating_sub(seen.blocks / 2)) <= SHARE,
            "{closed} cycles, {} stepped, {} blocks: {inv:?} {var:?} {m:?}",
            seen.cycles,
            seen.blocks
        );
        close += usize::from(share(apart) <= SHARE);
        assert_eq!((cost.macs, cost.traffic.sram_write), (seen.macs, seen.written));
        assert_eq!(cost.traffic.sram_read, seen.read, "{inv:?} {var:?} {m:?}");
        cases += 1;
        Ok(())
    })
    .budget_ms(6_000)
    .size_min(256)
    .size_max(1024);
    println!("{cases} cases, {close} of them within 2 %, {refused} refused");
    assert!(cases > 300 && close * 100 > cases * 97, "{cases} cases, {close} within 2 %, {refused} refused");
}

#[test]
fn banks_that_serve_both_sides_in_turn_slow_the_loads() {
    // 128 bytes a cycle for both sides; sums leave as 4 bytes each.
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

/// A fraction of noise, of 8, by place.
fn present(seed: u64, share: u64, place: [u64; 4]) -> bool {
    let mix = place.iter().fold(seed, |h, &p| (h ^ p).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    (mix >> 40) % 8 < share
}

#[test]
fn skipped_zeros_are_those_that_a_naive_count_skips() {
    let (mut cases, mut faster, mut smaller) = (0, 0, 0);
    arbtest::arbtest(|u| {
        let m = Machine { zero_skip: 1, ..machine(u)? };
        let (inv, var) = layer(u, &m)?;
        if !dpu_cost::skips_zeros(&inv, &m) {
            return Ok(());
        }
        let Ok(plain) = dpu_cost::conv(&inv, &var, &m) else { return Ok(()) };
        if plain.macs > 200_000 {
            return Ok(());
        }
        let (seed, acts_of, weights_of) = (u.arbitrary()?, u.int_in_range(0..=8)?, u.int_in_range(0..=8)?);
        let (rows, columns) = (i64::from(var.in_h), i64::from(var.in_w));
        let act = |y: i64, x: i64, c: u64| {
            let inside = (0..rows).contains(&y) && (0..columns).contains(&x);
            inside && present(seed, acts_of, [y.cast_unsigned(), x.cast_unsigned(), c, 0])
        };
        let weight = |oc: u64, ky: u64, kx: u64, ic: u64| present(seed, weights_of, [oc, ky, kx, ic + 1]);
        let (acts, weights) = bitmaps(&inv, &var, &act, &weight);
        let result = |y: u64, x: u64, c: u64| present(seed, acts_of, [y, x, c, 2]);
        let stored = [u.arbitrary()?, u.arbitrary::<bool>()? && inv.method == Method::Dense, u.arbitrary()?];
        let stored = [stored[0], stored[1] && !inv.depthwise, stored[2] && layer_stores_bytes(&inv, &var)];
        let skips = u.ratio(3, 4)?;
        let count =
            |is: &dyn Fn(u64) -> bool, range: std::ops::Range<u64>| range.filter(|&c| is(c)).count() as u64;
        let kept_acts = |y: u64, x: u64, channels: std::ops::Range<u64>| {
            count(&|c| act(y.cast_signed(), x.cast_signed(), c), channels)
        };
        let kept_results =
            |y: u64, x: u64, channels: std::ops::Range<u64>| count(&|c| result(y, x, c), channels);
        let (kh, kw, ic) = (u64::from(var.kernel_h), u64::from(var.kernel_w), u64::from(var.in_c));
        let kept_weights =
            |oc: u64| count(&|i| weight(oc, i / ic / kw, i / ic % kw, i % ic), 0..kh * kw * ic);
        let operands = dpu_cost::Present { acts, weights };
        let as_stored = dpu_cost::Stored {
            acts: stored[0].then_some(&kept_acts as _),
            weights: stored[1].then_some(&kept_weights as _),
            results: stored[2].then_some(&kept_results as _),
        };
        let cost = dpu_cost::conv_skipping(&inv, &var, &m, skips.then_some(&operands), &as_stored).unwrap();
        let block = Block::of(&inv, &var, &m).unwrap();
        let (array, layer, schedule) = described(&inv, &var, &m, &block);
        let vectors = u64::from(m.if_rf_bytes.min(m.fl_rf_bytes) / 2 / m.lanes);
        let naive = Present { act: &act, weight: &weight, vectors, skips, result: &result, stored };
        let seen = run_skipping(&array, &layer, &schedule, &naive);
        assert_eq!(cost.macs - cost.events.zero_skipped, seen.macs, "{inv:?} {var:?} {m:?}");
        assert_eq!(
            (cost.traffic.sram_read, cost.traffic.sram_write),
            (seen.read, seen.written),
            "{stored:?} {inv:?} {var:?} {m:?}"
        );
        if stored == [false; 3] {
            assert_eq!(cost.traffic, plain.traffic);
        }
        // Never more than all bytes, and a bit for each of them; a block's bits are whole bytes.
        let more = |got: u64, raw: u64| got > raw + raw.div_ceil(8) + seen.blocks;
        let (got, raw) = (cost.events, plain.events);
        assert!(
            !more(got.sram_act_read, raw.sram_act_read) && !more(got.sram_weight_read, raw.sram_weight_read)
        );
        assert!(!more(got.sram_out_write, raw.sram_out_write));
        smaller += usize::from(cost.traffic.sram_read < plain.traffic.sram_read);
        let closed = cost.cycles - u64::from(m.dpu_setup_cycles);
        let apart = closed.abs_diff(seen.cycles).saturating_sub(CONSTANT + seen.blocks);
        assert!(
            apart as f64 <= SHARE * seen.cycles as f64,
            "{closed} cycles, {}: {inv:?} {var:?} {m:?}",
            seen.cycles
        );
        cases += 1;
        faster += usize::from(cost.cycles < plain.cycles);
        Ok(())
    })
    .budget_ms(6_000)
    .size_min(256)
    .size_max(1024);
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
