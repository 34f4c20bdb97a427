//! Computes the sums of a tile and stores them: on one thread, or on several that share its outputs.
//!
//! Threads read the memory and write into private buffers, which are stored after all of them are done. So the results
//! of a tile do not depend on the number of threads.

use std::ops::Range;

use dpu_isa::Dtype;
use rayon::prelude::*;

use super::super::Lut;
use super::super::ppe::Finish;
use super::image::{Buffers, Plan, Worker};
use super::layer::{Layer, Prepared};
use crate::error::{Fault, TrapKind};
use crate::kernel::{Activations, Block, Depthwise, LANES, Operands};
use crate::memory;

/// Sums of a block of depthwise pixels.
const BLOCK_SUMS: usize = 4096;

/// A prepared tile.
pub(super) struct TileRun<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) layer: &'a Layer,
    pub(super) lut: Option<&'a Lut>,
    /// Activations, taps and addresses; read-only here.
    pub(super) buffers: &'a Buffers,
}

/// Part of a tile's outputs: pixels, and panels of channels; depthwise, all channels are one panel.
#[derive(Clone, Debug)]
struct Share {
    pixels: Range<usize>,
    panels: Range<usize>,
    /// The bytes of a pixel's results that are in these panels.
    bytes: Range<usize>,
}

/// The channels of the rows of a block of sums.
#[derive(Clone, Copy)]
struct Part {
    /// Sums per row.
    row: usize,
    /// The first channel, and the number of real ones.
    first: usize,
    channels: usize,
}

impl TileRun<'_> {
    /// Computes the tile on this thread.
    pub(super) fn whole(&self, sram: &mut [u8], sums: &mut Vec<i32>) -> Result<(), Fault> {
        let outs = &self.buffers.outs;
        for panel in 0..self.panels() {
            let part = self.part(panel);
            for pixels in self.blocks(part, 0..outs.len()) {
                self.sums(sram, (panel, part), pixels.clone(), sums)?;
                let outs = outs.get(pixels).unwrap_or_default();
                self.store(sram, part.first * self.element(), outs, part, sums)?;
            }
        }
        Ok(())
    }

    /// Computes the tile on this many threads of the current pool.
    pub(super) fn shared(
        &self,
        threads: usize,
        sram: &mut [u8],
        workers: &mut Vec<Worker>,
    ) -> Result<(), Fault> {
        workers.resize_with(threads, Worker::default);
        let from = &*sram;
        workers.par_iter_mut().with_max_len(1).enumerate().try_for_each(|(number, worker)| {
            let share = self.share(number, threads);
            self.compute(&share, from, worker)
        })?;
        for (number, worker) in workers.iter().enumerate() {
            let Share { pixels, bytes, .. } = self.share(number, threads);
            let outs = self.buffers.outs.get(pixels).unwrap_or_default();
            for (from, &at) in worker.results.chunks_exact(bytes.len().max(1)).zip(outs) {
                memory::slice_mut(sram, (at + bytes.start) as u64, bytes.len() as u64)?.copy_from_slice(from);
            }
        }
        Ok(())
    }

    /// Whether results do not overlap, so that the order in which they are stored is irrelevant.
    pub(super) fn can_be_shared(&self) -> bool {
        let var = self.plan.var;
        let bytes = u64::from(var.out_c) * self.element() as u64;
        let row = u64::from(var.out_w.saturating_sub(1)) * u64::from(var.out_pixel) + bytes;
        let pixels_apart = var.out_w == 1 || u64::from(var.out_pixel) >= bytes;
        var.acc_out || pixels_apart && (var.out_h == 1 || u64::from(var.out_row) >= row)
    }

    /// The share of one of this many threads: some panels where there are few pixels, else some pixels.
    fn share(&self, number: usize, threads: usize) -> Share {
        const FEW_PIXELS: usize = 256;
        let cut = |n: usize| n * number / threads..n * (number + 1) / threads;
        let (pixels, panels) = (self.buffers.places.len(), self.panels());
        let by_panels = panels.is_multiple_of(threads) && pixels < FEW_PIXELS;
        let (pixels, panels) = if by_panels { (0..pixels, cut(panels)) } else { (cut(pixels), 0..panels) };
        let first = self.part(panels.start).first;
        let last = panels.clone().last().map_or(first, |panel| {
            let part = self.part(panel);
            part.first + part.channels
        });
        let bytes = first * self.element()..last * self.element();
        Share { pixels, panels, bytes }
    }

    /// Computes a share into the buffers of a thread.
    fn compute(&self, share: &Share, sram: &[u8], worker: &mut Worker) -> Result<(), Fault> {
        let Worker { sums, outs, results } = worker;
        let width = share.bytes.len();
        results.resize(share.pixels.len() * width, 0);
        outs.clear();
        outs.extend((0..share.pixels.len()).map(|i| i * width));
        for panel in share.panels.clone() {
            let part = self.part(panel);
            for pixels in self.blocks(part, share.pixels.clone()) {
                self.sums(sram, (panel, part), pixels.clone(), sums)?;
                let first = share.pixels.start;
                let outs = outs.get(pixels.start - first..pixels.end - first).unwrap_or_default();
                let start = part.first * self.element() - share.bytes.start;
                self.store(results, start, outs, part, sums)?;
            }
        }
        Ok(())
    }

    /// Bytes of a result, or of a partial sum if those are stored.
    fn element(&self) -> usize {
        if self.plan.var.acc_out { 4 } else { self.plan.inv.out_dtype.bytes() as usize }
    }

    fn panels(&self) -> usize {
        match &self.layer.weights {
            Prepared::Panels(panels) => panels.len(),
            Prepared::Taps(..) => 1,
        }
    }

    /// The channels of a panel.
    fn part(&self, panel: usize) -> Part {
        let out_c = self.plan.var.out_c as usize;
        match &self.layer.weights {
            Prepared::Panels(panels) => {
                let channels = panels.channels(panel);
                let real = channels.end.min(out_c).saturating_sub(channels.start);
                Part { row: channels.len(), first: channels.start, channels: real }
            }
            Prepared::Taps(..) => Part { row: out_c.next_multiple_of(LANES), first: 0, channels: out_c },
        }
    }

    /// The pixels in blocks whose sums stay in the core's cache until they are stored.
    fn blocks(&self, part: Part, pixels: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let block = match &self.layer.weights {
            Prepared::Panels(_) => self.plan.kernel.block_pixels(part.row / LANES),
            Prepared::Taps(..) => BLOCK_SUMS / part.row.max(1),
        };
        let block = block.max(1);
        pixels.clone().step_by(block).map(move |at| at..pixels.end.min(at + block))
    }

    /// The sums of a block of pixels, incoming partial sums added.
    fn sums(
        &self,
        sram: &[u8],
        (panel, part): (usize, Part),
        pixels: Range<usize>,
        sums: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        let Buffers { bytes, words, taps, places, totals, .. } = self.buffers;
        let Plan { kernel, image, inv, .. } = self.plan;
        let at = places.get(pixels.clone()).unwrap_or_default();
        sums.resize(part.row * at.len(), 0);
        let done = match &self.layer.weights {
            Prepared::Panels(panels) => {
                let activations = match (kernel.operands(), image.copied) {
                    (Operands::Words, _) => Activations::Words(words),
                    (Operands::Bytes, true) => Activations::Biased(bytes),
                    (Operands::Bytes, false) => Activations::Bytes(sram),
                };
                kernel.block(activations, at, taps, panels, panel, sums)
            }
            Prepared::Taps(weights, start) => {
                let source = if image.copied { &bytes[..] } else { sram };
                kernel.depthwise(source, at, Depthwise { taps: taps.offsets(), weights, start }, sums)
            }
        };
        done.ok_or_else(|| Fault::new(TrapKind::OutOfBounds, "a tap lies beyond the memory"))?;
        for (sums, total) in sums.chunks_exact_mut(part.row).zip(totals.iter().skip(pixels.start)) {
            let correction = total.wrapping_mul(i32::from(inv.wt_zp));
            sums.iter_mut().for_each(|sum| *sum = sum.wrapping_sub(correction));
        }
        if self.plan.var.acc_in { self.add_partial(sram, part, pixels, sums) } else { Ok(()) }
    }

    /// Adds the partial sums of a block of pixels.
    fn add_partial(
        &self,
        sram: &[u8],
        part: Part,
        pixels: Range<usize>,
        sums: &mut [i32],
    ) -> Result<(), Fault> {
        let var = self.plan.var;
        for (sums, pixel) in sums.chunks_exact_mut(part.row).zip(pixels) {
            let sums = sums.get_mut(..part.channels).unwrap_or_default();
            let n = pixel as u64 * u64::from(var.out_c) + part.first as u64;
            let from = memory::slice(sram, u64::from(var.psum) + 4 * n, 4 * sums.len() as u64)?;
            for (sum, from) in sums.iter_mut().zip(from.as_chunks().0) {
                *sum = sum.wrapping_add(i32::from_le_bytes(*from));
            }
        }
        Ok(())
    }

    /// Post-processes the sums of a block of pixels, or stores them unprocessed. `outs` is where the pixels' results
    /// begin in `to`, and `start`, from there, those of the block's channels.
    fn store(
        &self,
        to: &mut [u8],
        start: usize,
        outs: &[usize],
        part: Part,
        sums: &mut [i32],
    ) -> Result<(), Fault> {
        let Part { row, first, channels } = part;
        let Plan { kernel, var, inv, .. } = self.plan;
        if !var.acc_out
            && let Some((scales, last)) = self.layer.channels.bytes()
        {
            let block = Block { sums, row, first, channels };
            let to = to.get_mut(start..).unwrap_or_default();
            if let Some(()) = kernel.store_scaled(block, scales, last, to, outs) {
                let Some(lut) = self.lut else { return Ok(()) };
                for &at in outs {
                    let to = memory::slice_mut(to, at as u64, channels as u64)?;
                    to.iter_mut().for_each(|to| *to = lut.get(i32::from(*to)) as u8);
                }
                return Ok(());
            }
        }
        for (sums, &at) in sums.chunks_exact_mut(row).zip(outs) {
            let sums = sums.get_mut(..channels).unwrap_or_default();
            let at = (at + start) as u64;
            if var.acc_out {
                memory::store(to, at, 4, Dtype::I32, sums)?;
                continue;
            }
            let to = memory::slice_mut(to, at, channels as u64 * inv.out_dtype.bytes())?;
            kernel.vectorize(Finish { ppe: &self.layer.channels, first, lut: self.lut, sums, to });
        }
        Ok(())
    }
}
