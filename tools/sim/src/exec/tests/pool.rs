//! Pooling of random tiles against plain loops, and the corner cases of the divisor.

use dpu_isa::{Dtype, PoolInv, PoolMode, PoolVar};
use proptest::prelude::*;
use proptest::sample::select;

use super::{apply_scale, clamp, element, noise};
use crate::error::TrapKind;
use crate::exec::Core;
use crate::testing::{get, kernels, put, run_task, sram_filled};

const OUT: usize = 32 << 10;
const PSUM: usize = 64 << 10;

prop_compose! {
    fn layer()(dtype in select(&[Dtype::I8, Dtype::I16]))(
        (clamp_lo, clamp_hi) in clamp(dtype),
        mode in select(&[PoolMode::Max, PoolMode::Avg]),
        (stride_y, stride_x) in (1..=3u16, 1..=3u16),
        (in_zp, out_zp) in (-128..=127, -128..=127),
        dtype in Just(dtype),
    ) -> PoolInv {
        PoolInv {
            mode, stride_y, stride_x, dtype, in_zp, out_zp, clamp_lo, clamp_hi, ..PoolInv::default()
        }
    }
}

/// Positions of a tile along an axis: input, origin, taps and outputs; of the whole window, which may have more taps, the
/// first position and the taps, and the input that it covers.
#[derive(Clone, Copy, Debug)]
struct Axis {
    input: u32,
    origin: i32,
    taps: u16,
    outputs: u32,
    window: (i32, u16, u32),
}

prop_compose! {
    fn axis()(
        input in 1..=7u32,
        origin in -2..=1,
        (taps, outputs) in (1..=4u16, 1..=3u32),
        (before, behind, beyond) in (0..=1, 0..=2u16, 0..=2u32),
    ) -> Axis {
        Axis { input, origin, taps, outputs, window: (origin - before, taps + behind, input + beyond) }
    }
}

prop_compose! {
    /// A tile of a layer.
    fn case()(
        inv in layer(),
        (y, x) in (axis(), axis()),
        in_c in prop_oneof![1 => 10..=100u32, 3 => 1..=9u32],
        gap in 0..=2u32,
        (acc_in, acc_out) in any::<(bool, bool)>(),
    ) -> (PoolInv, PoolVar) {
        let pixel = (in_c + gap) * inv.dtype.bytes() as u32;
        let ((win_y, win_h, bound_h), (win_x, win_w, bound_w)) = (y.window, x.window);
        let var = PoolVar {
            in_h: y.input,
            in_w: x.input,
            in_c,
            act_row: pixel * x.input,
            act_pixel: pixel,
            origin_y: y.origin,
            origin_x: x.origin,
            kernel_h: y.taps,
            kernel_w: x.taps,
            out: OUT as u32,
            out_h: y.outputs,
            out_w: x.outputs,
            out_row: pixel * x.outputs,
            out_pixel: pixel,
            acc_in,
            acc_out,
            psum: PSUM as u32,
            win_h,
            win_w,
            win_y,
            win_x,
            bound_h,
            bound_w,
            ..PoolVar::default()
        };
        (inv, var)
    }
}

/// The expected value of one output; nothing where the machine must trap.
fn naive(inv: &PoolInv, var: &PoolVar, sram: &[u8], (oy, ox, c): (u32, u32, u32)) -> Option<i32> {
    let size = inv.dtype.bytes() as usize;
    let max = inv.mode == PoolMode::Max;
    let index = ((oy * var.out_w + ox) * var.in_c + c) as usize;
    let mut acc = var.acc_in.then(|| element(sram, PSUM + 4 * index, Dtype::I32));
    for ky in 0..i32::from(var.kernel_h) {
        for kx in 0..i32::from(var.kernel_w) {
            let iy = var.origin_y + oy as i32 * i32::from(inv.stride_y) + ky;
            let ix = var.origin_x + ox as i32 * i32::from(inv.stride_x) + kx;
            if iy < 0 || ix < 0 || iy >= var.in_h as i32 || ix >= var.in_w as i32 {
                continue;
            }
            let at =
                iy as usize * var.act_row as usize + ix as usize * var.act_pixel as usize + c as usize * size;
            let tap = element(sram, at, inv.dtype);
            acc = Some(match acc {
                None if max => tap,
                Some(a) if max => a.max(tap),
                a => a.unwrap_or(0).wrapping_add(tap - inv.in_zp),
            });
        }
    }
    if max && acc.is_none() {
        return None;
    }
    let acc = acc.unwrap_or(0);
    if var.acc_out {
        return Some(acc);
    }
    if max {
        return Some(acc.clamp(inv.clamp_lo, inv.clamp_hi));
    }
    let count = (0..i32::from(var.win_h))
        .flat_map(|y| (0..i32::from(var.win_w)).map(move |x| (y, x)))
        .map(|(y, x)| {
            (
                var.win_y + oy as i32 * i32::from(inv.stride_y) + y,
                var.win_x + ox as i32 * i32::from(inv.stride_x) + x,
            )
        })
        .filter(|&(y, x)| y >= 0 && x >= 0 && y < var.bound_h as i32 && x < var.bound_w as i32)
        .count() as u32;
    // TOSA: the least k with count <= 2^k.
    let k = (0..32).find(|&k| count >= 1 && u64::from(count) <= 1 << k)?;
    let multiplier = (((1u64 << 30) + 1) << k) / u64::from(count);
    let mean = apply_scale(acc, multiplier as i32, 30 + k as u8, false);
    Some(mean.wrapping_add(inv.out_zp).clamp(inv.clamp_lo, inv.clamp_hi))
}

proptest! {
    #[test]
    fn random_tiles_agree_with_plain_loops((inv, var) in case(), (acts, psum) in (noise(), noise())) {
        let mut core = sram_filled(&acts.bytes((var.act_row * var.in_h) as usize));
        put(&mut core, PSUM, &psum.bytes(4 * (var.out_h * var.out_w * var.in_c) as usize));
        let before = get(&core, 0, 128 << 10).to_vec();
        for kernel in kernels() {
            core.set_kernel(kernel, 1);
            put(&mut core, 0, &before);
            agrees(&inv, &var, &mut core, &before);
        }
    }
}

/// Runs a tile and compares all results with plain loops over the previous contents.
fn agrees(inv: &PoolInv, var: &PoolVar, core: &mut Core, before: &[u8]) {
    run_task(inv, core).unwrap();
    let done = run_task(var, core);
    let mut all = Some(());
    for oy in 0..var.out_h {
        for ox in 0..var.out_w {
            for c in 0..var.in_c {
                let want = naive(inv, var, before, (oy, ox, c));
                all = all.and(want.map(|_| ()));
                if let (Some(want), Ok(_)) = (want, &done) {
                    let size = inv.dtype.bytes() as u32;
                    let at = OUT as u32 + oy * var.out_row + ox * var.out_pixel + c * size;
                    let sum = PSUM as u32 + 4 * ((oy * var.out_w + ox) * var.in_c + c);
                    let (at, dtype) = if var.acc_out { (sum, Dtype::I32) } else { (at, inv.dtype) };
                    let got = element(get(core, 0, 128 << 10), at as usize, dtype);
                    assert_eq!(got, want, "({oy}, {ox}, {c}) of {inv:?} {var:?}");
                }
            }
        }
    }
    assert_eq!(done.is_ok(), all.is_some(), "{inv:?} {var:?}");
}

#[test]
fn border_windows_divide_by_the_taps_inside() {
    // 2x2 average over one pixel of value 10 in the corner of the padding: 10 / 1.
    let mut core = sram_filled(&[10, 30]);
    let inv = PoolInv { mode: PoolMode::Avg, clamp_lo: -128, clamp_hi: 127, ..PoolInv::default() };
    let var = PoolVar {
        in_w: 2,
        in_c: 1,
        act_pixel: 1,
        act_row: 2,
        origin_y: -1,
        origin_x: -1,
        kernel_h: 2,
        kernel_w: 2,
        out: 16,
        out_w: 2,
        out_pixel: 1,
        win_y: -1,
        win_x: -1,
        win_h: 2,
        win_w: 2,
        bound_h: 1,
        bound_w: 2,
        ..PoolVar::default()
    };
    run_task(&inv, &mut core).unwrap();
    run_task(&var, &mut core).unwrap();
    assert_eq!(get(&core, 16, 2), [10, 20]);
    let outside = PoolVar { win_y: -5, ..var };
    let fault = run_task(&outside, &mut core).unwrap_err();
    assert_eq!(
        (fault.kind, &fault.detail[..]),
        (TrapKind::IllegalOperand, "average pooling: output (0, 0) has 0 taps to count")
    );
    run_task(&PoolInv { mode: PoolMode::Max, ..inv }, &mut core).unwrap();
    let fault = run_task(&PoolVar { origin_x: 7, ..var }, &mut core).unwrap_err();
    assert_eq!(fault.detail, "max pooling: no tap of output (0, 0) lies in the input");
}

#[test]
fn other_types_are_refused() {
    let mut core = sram_filled(&[]);
    run_task(&PoolInv { dtype: Dtype::I32, ..PoolInv::default() }, &mut core).unwrap();
    let fault = run_task(&PoolVar::default(), &mut core).unwrap_err();
    assert_eq!(fault.detail, "pooling of i32, expected i8 or i16");
}
