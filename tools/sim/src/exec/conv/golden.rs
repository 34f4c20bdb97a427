//! Convolution by its plain definition: the golden path, the reference for the kernels.
//!
//! A tile is computed as a product of matrices: patches of activations, less their zero point, times decoded weight
//! sets. Padding is a patch value of 0. Depthwise goes channel by channel instead.

use dpu_isa::{ConvInv, ConvVar, Dtype, Space, WeightEntry};

use super::super::ppe::Ppe;
use super::{Scratch, decode_set, position, products};
use crate::error::Fault;
use crate::memory::{self, Memory};
use crate::weights::Decoder;

/// Maximum number of decoded weights and patch values held at once, unless a single set is larger.
const WEIGHTS: usize = 8 << 20;
const PATCHES: usize = 64 << 10;
/// Maximum number of sums held at once, unless one pixel has more.
const SUMS: usize = 256 << 10;

/// A variant about to be computed.
pub(super) struct Tile<'a> {
    pub(super) inv: &'a ConvInv,
    pub(super) var: &'a ConvVar,
    pub(super) decoder: &'a Decoder,
    pub(super) entries: &'a [WeightEntry],
    /// Absent when partial sums are written.
    pub(super) ppe: Option<&'a Ppe>,
}

impl Tile<'_> {
    /// Every output channel reads every input channel. Returns the low multiply-accumulates.
    pub(super) fn dense(&self, memory: &mut Memory, scratch: &mut Scratch) -> Result<u64, Fault> {
        let var = self.var;
        let channels = var.out_c as usize;
        let k = (usize::from(var.kernel_h) * usize::from(var.kernel_w) * var.in_c as usize)
            .next_multiple_of(products::LANES);
        let pixels = u64::from(var.out_h) * u64::from(var.out_w);
        let sets = (WEIGHTS / k).clamp(1, channels);
        let patches = (PATCHES / k).min(SUMS / sets).max(1) as u64;
        let mut low = 0u64;
        for first in (0..channels).step_by(sets) {
            let count = sets.min(channels - first);
            low += self.decode_sets(memory, first, count, k, &mut scratch.weights)?;
            let mut pixel = 0;
            while pixel < pixels {
                let end = pixels.min(pixel + patches);
                let sram = memory.space(Space::Sram, var.tile)?;
                self.gather(sram, pixel..end, k, &mut scratch.patches)?;
                self.start_sums(sram, pixel..end, first, count, &mut scratch.acc)?;
                products::accumulate(&scratch.patches, &scratch.weights, k, count, &mut scratch.acc);
                let sram = memory.space_mut(Space::Sram, var.tile)?;
                self.finish(sram, pixel..end, first, count, &mut scratch.acc)?;
                pixel = end;
            }
        }
        Ok(low.saturating_mul(pixels))
    }

    /// Decodes `count` weight sets from channel `first` on into rows of `k`.
    fn decode_sets(
        &self,
        memory: &Memory,
        first: usize,
        count: usize,
        k: usize,
        out: &mut Vec<i16>,
    ) -> Result<u64, Fault> {
        let var = self.var;
        let sram = memory.space(Space::Sram, var.tile)?;
        let bytes = self.decoder.read_bytes(var.kernel_h, var.kernel_w, var.in_c);
        let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
        out.clear();
        out.resize(count * k, 0);
        let mut low = 0;
        let entries = self.entries.iter().enumerate().skip(first);
        for ((oc, entry), set) in entries.zip(out.chunks_exact_mut(k)) {
            let start = u64::from(var.weights) + u64::from(entry.weight_offset);
            let packed = memory::slice(sram, start, bytes)?;
            let weights = set.get_mut(..taps * var.in_c as usize).unwrap_or_default();
            low += decode_set(self.decoder, packed, var.in_c, entry.code_shift, weights).map_err(
                |mut fault| {
                    fault.detail = format!("output channel {oc}: {}", fault.detail);
                    fault
                },
            )?;
        }
        Ok(low)
    }

    /// Copies the patches of some pixels into rows of `k`: taps in the padding are 0, the others are less the zero
    /// point.
    fn gather(
        &self,
        sram: &[u8],
        pixels: std::ops::Range<u64>,
        k: usize,
        out: &mut Vec<i16>,
    ) -> Result<(), Fault> {
        let var = self.var;
        out.clear();
        out.resize((pixels.end - pixels.start) as usize * k, 0);
        let (width, channels) = (u64::from(var.out_w), var.in_c as usize);
        for (pixel, patch) in pixels.zip(out.chunks_exact_mut(k)) {
            let (oy, ox) = (pixel / width, pixel % width);
            let row_len = usize::from(var.kernel_w) * channels;
            for (ky, row) in patch.chunks_exact_mut(row_len).take(usize::from(var.kernel_h)).enumerate() {
                if let Some(iy) = self.input_row(oy, ky) {
                    self.gather_row(sram, iy, ox, row)?;
                }
            }
        }
        Ok(())
    }

    /// One kernel row of a patch.
    fn gather_row(&self, sram: &[u8], iy: u64, ox: u64, row: &mut [i16]) -> Result<(), Fault> {
        let var = self.var;
        let channels = var.in_c as usize;
        let taps = self.valid_columns(ox);
        let Some(first) = self.input_column(ox, taps.start) else { return Ok(()) };
        let row = row.get_mut(taps.start * channels..taps.end * channels).unwrap_or_default();
        let at = u64::from(var.act) + iy * u64::from(var.act_row) + first * u64::from(var.act_pixel);
        let step = u64::from(self.inv.dilation_x) * u64::from(var.act_pixel);
        let run = if step == u64::from(var.in_c) { row.len() } else { channels };
        for (i, part) in row.chunks_mut(run.max(1)).enumerate() {
            let values = memory::slice(sram, at + i as u64 * step, part.len() as u64)?;
            for (to, from) in part.iter_mut().zip(values) {
                *to = i16::from(from.cast_signed()) - self.inv.in_zp;
            }
        }
        Ok(())
    }

    /// The input row of a tap, unless it lies in the padding.
    fn input_row(&self, oy: u64, ky: usize) -> Option<u64> {
        let (inv, var) = (self.inv, self.var);
        position(var.origin_y, oy, inv.stride_y, ky, inv.dilation_y, var.in_h)
    }

    /// The input column of a tap, unless it lies in the padding.
    fn input_column(&self, ox: u64, kx: usize) -> Option<u64> {
        let (inv, var) = (self.inv, self.var);
        position(var.origin_x, ox, inv.stride_x, kx, inv.dilation_x, var.in_w)
    }

    /// The kernel columns that do not lie in the padding.
    fn valid_columns(&self, ox: u64) -> std::ops::Range<usize> {
        let (inv, var) = (self.inv, self.var);
        let start = i128::from(var.origin_x) + i128::from(ox) * i128::from(inv.stride_x);
        let dilation = i128::from(inv.dilation_x.max(1));
        let before = |bound: i128| {
            // Number of taps left of `bound`.
            let taps = (bound - start).max(0).div_euclid(dilation)
                + i128::from((bound - start).max(0).rem_euclid(dilation) > 0);
            usize::try_from(taps).unwrap_or(usize::MAX).min(usize::from(var.kernel_w))
        };
        before(0)..before(i128::from(var.in_w))
    }

    /// The initial sums of the accumulation.
    fn start_sums(
        &self,
        sram: &[u8],
        pixels: std::ops::Range<u64>,
        first: usize,
        count: usize,
        acc: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        acc.clear();
        acc.resize((pixels.end - pixels.start) as usize * count, 0);
        if self.var.acc_in {
            for (pixel, sums) in pixels.zip(acc.chunks_exact_mut(count)) {
                memory::load(sram, self.psum_at(pixel, first), 4, Dtype::I32, sums)?;
            }
        }
        Ok(())
    }

    /// Stores the sums unprocessed, or as results.
    fn finish(
        &self,
        sram: &mut [u8],
        pixels: std::ops::Range<u64>,
        first: usize,
        count: usize,
        acc: &mut [i32],
    ) -> Result<(), Fault> {
        let var = self.var;
        let width = u64::from(var.out_w);
        for (pixel, sums) in pixels.zip(acc.chunks_exact_mut(count)) {
            let Some(ppe) = self.ppe else {
                memory::store(sram, self.psum_at(pixel, first), 4, Dtype::I32, sums)?;
                continue;
            };
            ppe.finish(first, sums);
            let bytes = ppe.dtype().bytes();
            let at = u64::from(var.out)
                + pixel / width * u64::from(var.out_row)
                + pixel % width * u64::from(var.out_pixel)
                + first as u64 * bytes;
            memory::store(sram, at, bytes, ppe.dtype(), sums)?;
        }
        Ok(())
    }

    /// Address of a partial sum.
    fn psum_at(&self, pixel: u64, channel: usize) -> u64 {
        u64::from(self.var.psum) + 4 * (pixel * u64::from(self.var.out_c) + channel as u64)
    }

    /// Output channel `oc` reads only input channel `oc / m`. Returns the low multiply-accumulates.
    pub(super) fn depthwise(&self, memory: &mut Memory, scratch: &mut Scratch) -> Result<u64, Fault> {
        let (inv, var) = (self.inv, self.var);
        let channels = var.out_c as usize;
        let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
        let bytes = self.decoder.read_bytes(var.kernel_h, var.kernel_w, var.out_c);
        let sram = memory.space(Space::Sram, var.tile)?;
        let packed = memory::slice(sram, u64::from(var.weights), bytes)?;
        scratch.weights.clear();
        scratch.weights.resize(taps * channels, 0);
        let shift = self.entries.first().map_or(0, |e| e.code_shift);
        let low = decode_set(self.decoder, packed, var.out_c, shift, &mut scratch.weights)?;
        let m = channels / (var.in_c as usize).max(1);
        let width = u64::from(var.out_w);
        let pixels = u64::from(var.out_h) * width;
        for pixel in 0..pixels {
            let (oy, ox) = (pixel / width, pixel % width);
            let sram = memory.space(Space::Sram, var.tile)?;
            self.start_sums(sram, pixel..pixel + 1, 0, channels, &mut scratch.acc)?;
            let rows = scratch.weights.chunks_exact(channels * usize::from(var.kernel_w));
            for (ky, row) in rows.enumerate() {
                let Some(iy) = self.input_row(oy, ky) else { continue };
                for (kx, weights) in row.chunks_exact(channels).enumerate() {
                    let Some(ix) = self.input_column(ox, kx) else { continue };
                    let at = u64::from(var.act) + iy * u64::from(var.act_row) + ix * u64::from(var.act_pixel);
                    let act = memory::slice(sram, at, u64::from(var.in_c))?;
                    products::accumulate_depthwise(act, inv.in_zp, weights, m, &mut scratch.acc);
                }
            }
            let sram = memory.space_mut(Space::Sram, var.tile)?;
            self.finish(sram, pixel..pixel + 1, 0, channels, &mut scratch.acc)?;
        }
        Ok(low.saturating_mul(pixels))
    }
}
