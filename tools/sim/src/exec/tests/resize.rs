//! `vec_resize` on tiles of random images, against the formula of TOSA on whole images.

use dpu_isa::{Dtype, ResizeError, ResizeMode, VecResize};
use proptest::prelude::*;
use proptest::sample::select;

use super::vec::{OUT, at, check, contiguous, core_of};
use super::{element, noise};
use crate::error::TrapKind;
use crate::testing::{run_task, sram_filled};

/// One side of an image that is resized.
#[derive(Clone, Copy, Debug)]
struct Side {
    n: i64,
    d: i64,
    offset: i64,
    image: i64,
    /// First position and number of the results.
    out: (i64, i64),
}

/// What a result is computed from: two positions, and the weight of the second in 1/n.
fn taps(side: &Side, o: i64) -> (i64, i64, i64) {
    let place = o * side.d + side.offset;
    // The last position that does not lie after the place.
    let before = (-2..=side.image + 1).take_while(|i| i * side.n <= place).last().unwrap();
    let rest = place - before * side.n;
    (
        if before < 0 { 0 } else { before },
        if before + 1 < side.image { before + 1 } else { side.image - 1 },
        rest,
    )
}

/// The position that is nearest.
fn nearest(side: &Side, o: i64) -> i64 {
    let (low, high, rest) = taps(side, o);
    if rest + rest < side.n { low } else { high }
}

/// The positions that all results need.
fn needed(side: &Side, mode: ResizeMode) -> (i64, i64) {
    let of = |o| match mode {
        ResizeMode::Nearest => vec![nearest(side, o)],
        ResizeMode::Bilinear => vec![taps(side, o).0, taps(side, o).1],
    };
    let all: Vec<i64> = (side.out.0..side.out.0 + side.out.1).flat_map(of).collect();
    (*all.iter().min().unwrap(), *all.iter().max().unwrap())
}

prop_compose! {
    /// A side of which some results exist.
    fn side()(
        (image, n) in (1..=9i64, prop_oneof![1..=8i64, select(&[2047i64, 2048])]),
        (d, offset) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        part in any::<[prop::sample::Index; 2]>(),
    ) -> Side {
        let d = 1 + d.index((4 * n).min(16 * n - 1) as usize) as i64;
        let most = (image * n).min(16 * n);
        let offset = -n + offset.index((most + n) as usize) as i64;
        // Results whose place lies in the image.
        let all = (0..12).take_while(|o| o * d + offset < image * n).count();
        let first = part[0].index(all);
        let count = 1 + part[1].index(all - first);
        Side { n, d, offset, image, out: (first as i64, count as i64) }
    }
}

/// The task of a tile of `channels` whose input is at 0, with `more` rows and columns than needed, if there are any.
fn task(mode: ResizeMode, dtype: Dtype, [y, x]: &[Side; 2], channels: u32, more: i64) -> VecResize {
    let tile = |side: &Side| {
        let (low, high) = needed(side, mode);
        let (low, high) = ((low - more).max(0), (high + more).min(side.image - 1));
        (low as u32, (high - low + 1) as u32)
    };
    let ((in_y, in_h), (in_x, in_w)) = (tile(y), tile(x));
    let pixel = (channels + 1) * dtype.bytes() as u32;
    let task = VecResize {
        mode,
        dtype,
        src: 0,
        in_h,
        in_w,
        channels,
        src_row: in_w * pixel + 4,
        src_pixel: pixel,
        in_y,
        in_x,
        image_h: y.image as u32,
        image_w: x.image as u32,
        out: OUT,
        out_h: y.out.1 as u32,
        out_w: x.out.1 as u32,
        out_y: y.out.0 as u32,
        out_x: x.out.0 as u32,
        scale_y_n: y.n as u16,
        scale_y_d: y.d as u16,
        offset_y: y.offset as i16,
        scale_x_n: x.n as u16,
        scale_x_d: x.d as u16,
        offset_x: x.offset as i16,
        ..VecResize::default()
    };
    let out = contiguous(&[1, 1, 1, task.out_h, task.out_w, channels], task.out_dtype());
    VecResize { out_row: out[3], out_pixel: out[4], ..task }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn tiles_are_parts_of_the_whole_image(
        sides in [side(), side()],
        (kind, channels, more) in (0..3usize, 1..=20u32, 0..=2i64),
        noise in noise(),
    ) {
        let (mode, dtype) = [
            (ResizeMode::Nearest, Dtype::I8),
            (ResizeMode::Nearest, Dtype::I16),
            (ResizeMode::Bilinear, Dtype::I8),
        ][kind];
        let x = task(mode, dtype, &sides, channels, more);
        let (mut core, sram) = core_of(noise);
        let value = |row: i64, column: i64, c: u32| {
            let index = [0, 0, 0, row as u32 - x.in_y, column as u32 - x.in_x, c];
            i64::from(element(&sram, at(0, &index, &[0, 0, 0, x.src_row, x.src_pixel, dtype.bytes() as u32]), dtype))
        };
        let dims = [1, 1, 1, x.out_h, x.out_w, channels];
        let strides = [0, 0, 0, x.out_row, x.out_pixel, x.out_dtype().bytes() as u32];
        let [down, across] = &sides;
        check(&x, &mut core, &dims, (&strides, x.out_dtype()), |index| {
            let (oy, ox, c) = (down.out.0 + i64::from(index[3]), across.out.0 + i64::from(index[4]), index[5]);
            if mode == ResizeMode::Nearest {
                return value(nearest(down, oy), nearest(across, ox), c) as i32;
            }
            let ((top, bottom, dy), (left, right, dx)) = (taps(down, oy), taps(across, ox));
            let along = |row| (across.n - dx) * value(row, left, c) + dx * value(row, right, c);
            ((down.n - dy) * along(top) + dy * along(bottom)) as i32
        });
    }

    #[test]
    fn tiles_without_all_that_is_needed_are_refused(
        sides in [side(), side()],
        (nearest, which) in (any::<bool>(), 0..4u8),
    ) {
        let mode = if nearest { ResizeMode::Nearest } else { ResizeMode::Bilinear };
        let mut x = task(mode, Dtype::I8, &sides, 1, 0);
        prop_assert_eq!(run_task(&x, &mut sram_filled(&[])), Ok(0));
        let (first, extent) = match which {
            0 | 1 => (&mut x.in_y, &mut x.in_h),
            _ => (&mut x.in_x, &mut x.in_w),
        };
        if *extent == 1 {
            // Nothing is left to be needed.
            return Ok(());
        }
        *extent -= 1;
        *first += u32::from(which % 2);
        let fault = run_task(&x, &mut sram_filled(&[])).unwrap_err();
        prop_assert_eq!(fault.kind, TrapKind::IllegalOperand);
        let side = if which < 2 { x.rows() } else { x.columns() };
        let error = side.check().unwrap_err();
        prop_assert!(matches!(error, ResizeError::Tile { .. }) && fault.detail == error.to_string(), "{}", fault.detail);
    }
}

#[test]
fn types_that_resize_does_not_have_are_refused() {
    let refused = |mode, dtype| {
        let x = VecResize { mode, dtype, ..VecResize::default() };
        run_task(&x, &mut sram_filled(&[])).unwrap_err().detail
    };
    assert_eq!(refused(ResizeMode::Nearest, Dtype::I32), "nearest resize of i32");
    assert_eq!(refused(ResizeMode::Bilinear, Dtype::I16), "bilinear resize of i16");
}
