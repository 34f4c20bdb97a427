//! A tile as the kernels read it: which variants they can take, and where activations, taps and results are.
//!
//! A kernel reads activations where they lie. Where taps fall into padding, or channels do not come in whole groups, the
//! tile is copied once, with its padding filled in by the zero point.

use std::ops::Range;

use dpu_isa::{ConvInv, ConvVar, WeightFormat};
use rayon::prelude::*;
use strum_files::budget;

use super::layer::{Layer, Prepared};
use super::runs_of;
use crate::error::Fault;
use crate::kernel::{Kernel, Operands, Taps, Vectorize};
use crate::memory;

/// Fewest values of a copy that they share.
const SHARED_VALUES: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// Most elements of a tile that is copied, and most pixels that are computed; larger ones take the golden path.
const MAX_COPY: u64 = 32 << 20;

/// Most weights that are decoded at once: far more than fit an SRAM, unless weight sets overlap.
const MAX_WEIGHTS: u64 = 1 << 27;
/// Part of the memory limit that they may be.
const SHARE: u64 = 8;

/// What makes a signed byte an unsigned one that is greater by 128.
const BIAS: u8 = 0x80;

/// Buffers that live on from task to task.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(super) bytes: Vec<u8>,
    pub(super) words: Vec<i16>,
    pub(super) taps: Taps,
    /// Source position of every output pixel.
    pub(super) places: Vec<usize>,
    /// Where the results, or partial sums, of every output pixel go.
    pub(super) outs: Vec<usize>,
    /// Sums of activations less their zero point, for each pixel.
    pub(super) totals: Vec<i32>,
    pub(super) sums: Vec<i32>,
    /// One for each thread, where several share a tile.
    pub(super) workers: Vec<Worker>,
}

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Worker {
    pub(super) sums: Vec<i32>,
    /// Where the results of its pixels lie in `results`, and there, one pixel after the other, those of its channels.
    pub(super) outs: Vec<usize>,
    pub(super) results: Vec<u8>,
}

/// Where a tile's activations are, seen from its first output's first tap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    /// Whether they are copied first.
    pub(super) copied: bool,
    /// Elements from a row, and from a pixel, to the next.
    row: usize,
    pixel: usize,
    /// Rows and pixels that the windows span.
    rows: usize,
    pixels: usize,
}

/// A variant that the kernels can take.
pub(super) struct Plan<'a> {
    pub(super) kernel: Kernel,
    pub(super) inv: &'a ConvInv,
    pub(super) var: &'a ConvVar,
    pub(super) image: Image,
    /// Times that each input channel occurs in a copy.
    repeat: usize,
}

impl<'a> Plan<'a> {
    /// `None` where only the golden path will do.
    pub(super) fn new(kernel: Kernel, inv: &'a ConvInv, var: &'a ConvVar) -> Option<Plan<'a>> {
        let pixels = u64::from(var.out_h).saturating_mul(var.out_w.into());
        if writes_what_it_reads(inv, var) || pixels > MAX_COPY {
            return None;
        }
        let taps = u64::from(var.kernel_h) * u64::from(var.kernel_w);
        let weights = taps.saturating_mul(u64::from(var.in_c)).saturating_mul(u64::from(var.out_c));
        if !inv.depthwise && weights > MAX_WEIGHTS.min(budget::limit() / SHARE) {
            return None;
        }
        let y = Axis::new(var.origin_y, var.out_h, inv.stride_y, var.kernel_h, inv.dilation_y, var.in_h);
        let x = Axis::new(var.origin_x, var.out_w, inv.stride_x, var.kernel_w, inv.dilation_x, var.in_w);
        let bytes = inv.depthwise || kernel.operands() == Operands::Bytes;
        let padded = y.padded || x.padded;
        // A byte cannot hold every zero point.
        if padded && bytes && i8::try_from(inv.in_zp).is_err() {
            return None;
        }
        let repeat = if inv.depthwise { (var.out_c / var.in_c.max(1)).max(1) as usize } else { 1 };
        let in_c = var.in_c as usize;
        let whole = inv.depthwise || in_c.is_multiple_of(kernel.operands().group());
        let copied = padded || !bytes || !whole || repeat > 1;
        let pixel = if !copied {
            var.act_pixel as usize
        } else if whole || inv.dilation_x == 1 {
            in_c * repeat
        } else {
            in_c.next_multiple_of(kernel.operands().group())
        };
        if copied && y.span.saturating_mul(x.span).saturating_mul(pixel as u64) > MAX_COPY {
            return None;
        }
        let (rows, pixels) = (usize::try_from(y.span).ok()?, usize::try_from(x.span).ok()?);
        let row = if copied { pixels * pixel } else { var.act_row as usize };
        Some(Plan { kernel, inv, var, image: Image { copied, row, pixel, rows, pixels }, repeat })
    }

    /// Fills the copy of the tile, if there is one.
    pub(super) fn copy(&self, sram: &[u8], threads: usize, buffers: &mut Buffers) -> Result<(), Fault> {
        if !self.image.copied {
            return Ok(());
        }
        let zero_point = self.inv.in_zp;
        if self.inv.depthwise {
            self.copy_as((sram, threads), &mut buffers.bytes, zero_point as u8, |to, from| {
                to.copy_from_slice(from)
            })
        } else if self.kernel.operands() == Operands::Bytes {
            self.copy_as((sram, threads), &mut buffers.bytes, zero_point as u8 ^ BIAS, |to, from| {
                self.kernel.vectorize(Bias { to, from });
            })
        } else {
            self.copy_as((sram, threads), &mut buffers.words, 0, |to, from| {
                self.kernel.vectorize(Widen { to, from, zero_point });
            })
        }
    }

    fn copy_as<T: Copy + Send + Sync>(
        &self,
        (sram, threads): (&[u8], usize),
        to: &mut Vec<T>,
        fill: T,
        convert: impl Fn(&mut [T], &[u8]) + Sync,
    ) -> Result<(), Fault> {
        let (image, var) = (self.image, self.var);
        let values = image.rows * image.row;
        // Runs are read in whole groups.
        to.resize(values + 4, fill);
        let (first, skip) = clip(var.origin_x, image.pixels, var.in_w);
        let in_c = var.in_c as usize;
        let copy_row = |(r, row): (usize, &mut [T])| {
            let iy = i64::from(var.origin_y) + r as i64;
            let inside = u64::try_from(iy).ok().filter(|&iy| iy < u64::from(var.in_h));
            let (Some(iy), false) = (inside, first.is_empty()) else {
                row.fill(fill);
                return Ok(());
            };
            let (before, rest) = row.split_at_mut(first.start * image.pixel);
            let (inner, after) = rest.split_at_mut(first.len() * image.pixel);
            before.fill(fill);
            after.fill(fill);
            let at = u64::from(var.act) + iy * u64::from(var.act_row) + skip * u64::from(var.act_pixel);
            if image.pixel == in_c && var.act_pixel == var.in_c {
                convert(inner, memory::slice(sram, at, inner.len() as u64)?);
                return Ok(());
            }
            for (i, pixel) in inner.chunks_exact_mut(image.pixel.max(1)).enumerate() {
                let from = memory::slice(sram, at + i as u64 * u64::from(var.act_pixel), in_c as u64)?;
                if self.repeat == 1 {
                    convert(pixel.get_mut(..in_c).unwrap_or_default(), from);
                    continue;
                }
                for (to, from) in pixel.chunks_exact_mut(self.repeat).zip(from.chunks_exact(1)) {
                    to.chunks_exact_mut(1).for_each(|to| convert(to, from));
                }
            }
            Ok(())
        };
        let row = image.row.max(1);
        if threads > 1 && values >= SHARED_VALUES {
            let rows = image.rows.div_ceil(threads).max(1);
            to.par_chunks_exact_mut(row)
                .take(image.rows)
                .enumerate()
                .with_min_len(rows)
                .try_for_each(copy_row)
        } else {
            to.chunks_exact_mut(row).take(image.rows).enumerate().try_for_each(copy_row)
        }
    }

    /// Finds taps and pixels in the image.
    pub(super) fn place(&self, buffers: &mut Buffers) {
        let (inv, var, image) = (self.inv, self.var, self.image);
        let in_c = var.in_c as usize;
        let (kh, kw) = (usize::from(var.kernel_h), usize::from(var.kernel_w));
        let down = usize::from(inv.dilation_y) * image.row;
        let right = usize::from(inv.dilation_x) * image.pixel;
        let taps = &mut buffers.taps;
        if inv.depthwise {
            // One value a tap: the channels are side by side.
            let offsets = (0..kh).flat_map(|y| (0..kw).map(move |x| y * down + x * right));
            taps.refill(offsets, 1, Operands::Bytes);
        } else if right == in_c || kw == 1 {
            taps.refill((0..kh).map(|y| y * down), kw * in_c, self.kernel.operands());
        } else {
            let offsets = (0..kh).flat_map(|y| (0..kw).map(move |x| y * down + x * right));
            taps.refill(offsets, in_c, self.kernel.operands());
        }
        // Without a copy, no tap lies in the padding: the origin is not negative.
        let first = if image.copied {
            0
        } else {
            let (y, x) = (var.origin_y.unsigned_abs() as usize, var.origin_x.unsigned_abs() as usize);
            var.act as usize + y * image.row + x * image.pixel
        };
        buffers.places.clear();
        buffers.outs.clear();
        for oy in 0..var.out_h as usize {
            let row = first + oy * usize::from(inv.stride_y) * image.row;
            let step = usize::from(inv.stride_x) * image.pixel;
            buffers.places.extend((0..var.out_w as usize).map(|ox| row + ox * step));
            let (row, step) = if var.acc_out {
                let pixel = 4 * var.out_c as usize;
                (var.psum as usize + oy * var.out_w as usize * pixel, pixel)
            } else {
                (var.out as usize + oy * var.out_row as usize, var.out_pixel as usize)
            };
            buffers.outs.extend((0..var.out_w as usize).map(|ox| row + ox * step));
        }
    }

    /// Sums the activations of every pixel, where weights have a zero point that has to be corrected for.
    pub(super) fn total(&self, layer: &Layer, sram: &[u8], buffers: &mut Buffers) -> Result<(), Fault> {
        let Buffers { bytes, taps, places, totals, .. } = buffers;
        totals.clear();
        let dense = matches!(layer.weights, Prepared::Panels(_));
        if !dense || self.inv.wt_zp == 0 || self.kernel.operands() != Operands::Bytes {
            return Ok(());
        }
        let (runs, run) = runs_of(self.inv, self.var);
        // A run may be cut into shorter ones, which then are whole groups.
        let len = runs * run / taps.offsets().len().max(1);
        let (source, bias) = if self.image.copied { (&bytes[..], BIAS) } else { (sram, 0) };
        for &place in places.iter() {
            let mut sum = 0i32;
            for offset in taps.offsets() {
                let values = memory::slice(source, (place + offset) as u64, len as u64)?;
                let work = Total { values, bias, zero_point: self.inv.in_zp };
                sum = sum.wrapping_add(self.kernel.vectorize(work));
            }
            totals.push(sum);
        }
        Ok(())
    }
}

/// One axis of a tile.
struct Axis {
    /// Positions from the first to the last tap of all windows.
    span: u64,
    /// Whether a tap of a window may lie in the padding.
    padded: bool,
}

impl Axis {
    fn new(origin: i32, windows: u32, stride: u16, taps: u16, dilation: u16, size: u32) -> Axis {
        let last = u64::from(windows.saturating_sub(1)) * u64::from(stride)
            + u64::from(taps.saturating_sub(1)) * u64::from(dilation);
        let end = i64::from(origin) + last as i64;
        Axis { span: last + 1, padded: origin < 0 || end >= i64::from(size) }
    }
}

/// Which of `pixels` from `origin` on lie in `0..size`, and the position of the first of them.
fn clip(origin: i32, pixels: usize, size: u32) -> (Range<usize>, u64) {
    let before = usize::try_from(-i64::from(origin)).unwrap_or(0).min(pixels);
    let end = i64::from(size) - i64::from(origin);
    let end = usize::try_from(end).unwrap_or(0).clamp(before, pixels);
    (before..end, u64::try_from(origin).unwrap_or(0))
}

/// Whether results go where operands are: the golden path then says what happens.
fn writes_what_it_reads(inv: &ConvInv, var: &ConvVar) -> bool {
    let span = |n: u32, stride: u32| u128::from(n.saturating_sub(1)) * u128::from(stride);
    let outputs = u128::from(var.out_h) * u128::from(var.out_w) * u128::from(var.out_c);
    let psum = (u128::from(var.psum), u128::from(var.psum) + 4 * outputs);
    let out_end = span(var.out_h, var.out_row)
        + span(var.out_w, var.out_pixel)
        + u128::from(var.out_c) * u128::from(inv.out_dtype.bytes());
    let out = (u128::from(var.out), u128::from(var.out) + out_end);
    let act_end = span(var.in_h, var.act_row) + span(var.in_w, var.act_pixel) + u128::from(var.in_c);
    let act = (u128::from(var.act), u128::from(var.act) + act_end);
    // Every set lies within as many bytes as all of them take.
    let sets = WeightFormat::all_sets_bytes(inv, var).unwrap_or(u64::MAX);
    let weights = (u128::from(var.weights), u128::from(var.weights) + u128::from(sets));
    let meet = |a: (u128, u128), b: (u128, u128)| a.0 < b.1 && b.0 < a.1;
    let written = if var.acc_out { psum } else { out };
    meet(written, act) || meet(written, weights) || (var.acc_in && !var.acc_out && meet(psum, out))
}

/// `to[i] = from[i] − zero_point`.
struct Widen<'a> {
    to: &'a mut [i16],
    from: &'a [u8],
    zero_point: i16,
}

impl Vectorize for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = i16::from(from.cast_signed()) - self.zero_point;
        }
    }
}

/// `to[i] = from[i] + 128`, unsigned.
struct Bias<'a> {
    to: &'a mut [u8],
    from: &'a [u8],
}

impl Vectorize for Bias<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = from ^ BIAS;
        }
    }
}

/// `Σ (values[i] − zero_point)`, wrapping.
struct Total<'a> {
    values: &'a [u8],
    /// What the values differ by from those that are meant.
    bias: u8,
    zero_point: i16,
}

impl Vectorize for Total<'_> {
    type Output = i32;

    #[inline(always)]
    fn run(self) -> i32 {
        let value = |b: &u8| i32::from(i16::from((b ^ self.bias).cast_signed()) - self.zero_point);
        self.values.iter().fold(0, |sum, b| sum.wrapping_add(value(b)))
    }
}
