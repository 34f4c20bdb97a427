//! `conv_inv` and `conv_var`: convolution and depthwise convolution.
//!
//! A tile is computed as a product of matrices: patches of activations, less their zero point, against decoded weight
//! sets. Padding is a patch value of 0. Depthwise goes channel by channel instead.

use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, Space, WeightEntry};

use super::ppe::{ENTRY, Ppe, load_table};
use super::{Core, Gate, Lut, Semantics, Slot, kernel, wrong_slot};
use crate::error::Fault;
use crate::memory::{self, Memory};
use crate::region::{Region, Steps, window_steps};
use crate::timing::{self, Cost};
use crate::weights::Decoder;

/// Most decoded weights and patch values held at once, unless a single set is larger.
const WEIGHTS: usize = 8 << 20;
const PATCHES: usize = 64 << 10;
/// Most sums held at once, unless one pixel has more.
const SUMS: usize = 256 << 10;
/// Most weights of a set, and most output channels: far beyond any SRAM in use, and within the host's memory.
const MAX_SET: u64 = 1 << 28;
const MAX_CHANNELS: u32 = 1 << 24;

/// Buffers that live on from task to task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Decoded weight sets.
    weights: Vec<i16>,
    /// Activations less their zero point.
    patches: Vec<i16>,
    /// Sums.
    acc: Vec<i32>,
}

impl Semantics for ConvInv {
    fn cost(&self, _machine: &Machine, _core: &Core) -> Result<Cost, Fault> {
        Ok(timing::INVARIANT)
    }

    fn touch(&self, _core: &Core, _gate: &mut Gate<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        core.fill_slot(self.tile, self.slot, Slot::Conv(*self))?;
        Ok(0)
    }
}

impl Semantics for ConvVar {
    fn cost(&self, machine: &Machine, core: &Core) -> Result<Cost, Fault> {
        let inv = invariant(self, core)?;
        check_schedule(inv, machine)?;
        Ok(timing::conv(inv, self, machine))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let inv = invariant(self, core)?;
        if inv.depthwise && !self.out_c.is_multiple_of(self.in_c) {
            let (out, input) = (self.out_c, self.in_c);
            return Err(Fault::operand(format!("depthwise: out_c = {out} is no multiple of in_c = {input}")));
        }
        check_size(inv, self)?;
        let memory = &core.memory;
        let table = Region::contiguous(u64::from(self.table), ENTRY.saturating_mul(u64::from(self.out_c)));
        gate.read(memory, "table", Space::Sram, &table)?;
        let entries = load_table(memory.space(Space::Sram, self.tile)?, inv, self)?;
        touch_weights(self, inv, &entries, memory, gate)?;
        touch_window(gate, memory, &Window::of(inv, self))?;
        let outputs = [self.out_h, self.out_w, self.out_c].map(u64::from);
        touch_results(
            gate,
            memory,
            &Results {
                acc_in: self.acc_in,
                acc_out: self.acc_out,
                psum: self.psum,
                out: self.out,
                outputs,
                out_row: self.out_row,
                out_pixel: self.out_pixel,
                dtype: inv.out_dtype,
                lut: inv.lut.then_some(inv.lut_addr),
            },
        )
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let inv = *invariant(self, core)?;
        let decoder = Decoder::new(&inv)?;
        let sram = core.memory.space(Space::Sram, self.tile)?;
        let entries = load_table(sram, &inv, self)?;
        let ppe = if self.acc_out { None } else { Some(Ppe::new(sram, &inv, &entries)?) };
        let tile = Tile { inv: &inv, var: self, decoder: &decoder, entries: &entries, ppe: ppe.as_ref() };
        let Core { memory, scratch, .. } = core;
        if inv.depthwise { tile.depthwise(memory, scratch) } else { tile.dense(memory, scratch) }
    }
}

/// The invariant of a variant's slot.
fn invariant<'a>(var: &ConvVar, core: &'a Core) -> Result<&'a ConvInv, Fault> {
    match core.slot(var.tile, var.slot)? {
        Slot::Conv(inv) => Ok(inv),
        other @ (Slot::Empty | Slot::Pool(_)) => Err(wrong_slot(var.tile, var.slot, other, "a convolution")),
    }
}

/// Refuses a schedule that the PE array cannot follow.
fn check_schedule(inv: &ConvInv, machine: &Machine) -> Result<(), Fault> {
    let parts = [inv.sched_oc, inv.sched_oy, inv.sched_ox, inv.sched_ic];
    let pes = parts.iter().fold(1u64, |n, &p| n.saturating_mul(u64::from(p)));
    let array = u64::from(machine.rows) * u64::from(machine.cols);
    if pes > array {
        return Err(Fault::operand(format!("the schedule {parts:?} needs {pes} PEs of {array}")));
    }
    let tree = machine.adder_tree_max;
    if !inv.sched_ic.is_power_of_two() || u32::from(inv.sched_ic) > tree {
        let ic = inv.sched_ic;
        return Err(Fault::operand(format!("sched_ic = {ic} is no power of two up to {tree}")));
    }
    Ok(())
}

/// Refuses a variant whose decoded weights would not fit the host.
fn check_size(inv: &ConvInv, var: &ConvVar) -> Result<(), Fault> {
    let channels = if inv.depthwise { var.out_c } else { var.in_c };
    let weights = (u64::from(var.kernel_h) * u64::from(var.kernel_w)).saturating_mul(u64::from(channels));
    if weights > MAX_SET || var.out_c > MAX_CHANNELS {
        let out = var.out_c;
        return Err(Fault::operand(format!(
            "{out} channels with sets of {weights} weights; the simulator takes {MAX_CHANNELS} and {MAX_SET}"
        )));
    }
    Ok(())
}

/// Reads all weight sets; sets that follow each other are one access.
fn touch_weights(
    var: &ConvVar,
    inv: &ConvInv,
    entries: &[WeightEntry],
    memory: &Memory,
    gate: &mut Gate<'_>,
) -> Result<(), Fault> {
    let decoder = Decoder::new(inv)?;
    let channels = if inv.depthwise { var.out_c } else { var.in_c };
    let bytes = decoder.read_bytes(var.kernel_h, var.kernel_w, channels);
    let mut read = |start: u64, end: u64| {
        gate.read(memory, "weights", Space::Sram, &Region::contiguous(start, end - start))
    };
    if inv.depthwise {
        let shift = entries.first().map_or(0, |e| e.code_shift);
        if inv.method == Method::Dliq && entries.iter().any(|e| e.code_shift != shift) {
            return Err(Fault::operand("depthwise dliq: the code shifts of the weight table differ"));
        }
        return read(u64::from(var.weights), u64::from(var.weights).saturating_add(bytes));
    }
    let mut pending: Option<(u64, u64)> = None;
    for entry in entries {
        let start = u64::from(var.weights) + u64::from(entry.weight_offset);
        let end = start.saturating_add(bytes);
        pending = match pending {
            Some((first, last)) if start == last => Some((first, end)),
            Some((first, last)) => {
                read(first, last)?;
                Some((start, end))
            }
            None => Some((start, end)),
        };
    }
    pending.map_or(Ok(()), |(start, end)| read(start, end))
}

/// A sliding window over an image.
pub(super) struct Window {
    /// Address, rows, pixels, bytes of a pixel's channels, and the strides of rows and pixels.
    pub(super) image: (u32, u32, u32, u64, u32, u32),
    /// Origin, number of windows, stride, taps and dilation, vertically.
    pub(super) y: (i32, u32, u16, u16, u16),
    /// The same horizontally.
    pub(super) x: (i32, u32, u16, u16, u16),
}

impl Window {
    fn of(inv: &ConvInv, var: &ConvVar) -> Window {
        Window {
            image: (var.act, var.in_h, var.in_w, u64::from(var.in_c), var.act_row, var.act_pixel),
            y: (var.origin_y, var.out_h, inv.stride_y, var.kernel_h, inv.dilation_y),
            x: (var.origin_x, var.out_w, inv.stride_x, var.kernel_w, inv.dilation_x),
        }
    }
}

/// Announces exactly the bytes that some tap of the window touches: none if all lie in the padding.
pub(super) fn touch_window(gate: &mut Gate<'_>, memory: &Memory, window: &Window) -> Result<(), Fault> {
    let (addr, h, w, pixel_bytes, row, pixel) = window.image;
    let steps = |(origin, windows, stride, taps, dilation): (i32, u32, u16, u16, u16), size: u32| {
        window_steps(
            i64::from(origin),
            u64::from(windows),
            u64::from(stride),
            u64::from(taps),
            u64::from(dilation),
            u64::from(size),
        )
    };
    let (row, pixel) = (u64::from(row), u64::from(pixel));
    let dims = |s: &Steps, unit: u64| [(s.count, s.stride.saturating_mul(unit)), (s.len, unit)];
    let pixels = steps(window.x, w);
    for y in steps(window.y, h) {
        for x in &pixels {
            let base = y.start.saturating_mul(row).saturating_add(x.start.saturating_mul(pixel));
            let [[y0, y1], [x0, x1]] = [dims(&y, row), dims(x, pixel)];
            let base = base.saturating_add(u64::from(addr));
            gate.read(memory, "act", Space::Sram, &Region::strided(base, pixel_bytes, &[y0, y1, x0, x1]))?;
        }
    }
    Ok(())
}

/// What a variant leaves behind, and where.
pub(super) struct Results {
    pub(super) acc_in: bool,
    pub(super) acc_out: bool,
    pub(super) psum: u32,
    pub(super) out: u32,
    /// Rows, pixels, channels.
    pub(super) outputs: [u64; 3],
    pub(super) out_row: u32,
    pub(super) out_pixel: u32,
    pub(super) dtype: Dtype,
    pub(super) lut: Option<u32>,
}

/// Announces lookup table, partial sums and results.
pub(super) fn touch_results(gate: &mut Gate<'_>, memory: &Memory, x: &Results) -> Result<(), Fault> {
    let [h, w, c] = x.outputs;
    let sums = h.saturating_mul(w).saturating_mul(c).saturating_mul(Dtype::I32.bytes());
    let psum = Region::contiguous(u64::from(x.psum), sums);
    if x.acc_out {
        if x.acc_in {
            gate.read_in_place(memory, "psum", Space::Sram, &psum)?;
        }
        return gate.write(memory, "psum", Space::Sram, &psum);
    }
    if x.acc_in {
        gate.read(memory, "psum", Space::Sram, &psum)?;
    }
    if let Some(lut) = x.lut {
        gate.read(memory, "lut_addr", Space::Sram, &Region::contiguous(u64::from(lut), Lut::BYTES))?;
    }
    let dims = [(h, u64::from(x.out_row)), (w, u64::from(x.out_pixel))];
    let out = Region::strided(u64::from(x.out), c.saturating_mul(x.dtype.bytes()), &dims);
    gate.write(memory, "out", Space::Sram, &out)
}

/// A variant about to be computed.
struct Tile<'a> {
    inv: &'a ConvInv,
    var: &'a ConvVar,
    decoder: &'a Decoder,
    entries: &'a [WeightEntry],
    /// Absent when partial sums are left.
    ppe: Option<&'a Ppe>,
}

impl Tile<'_> {
    /// Every output channel sees every input channel. Returns the low multiply-accumulates.
    fn dense(&self, memory: &mut Memory, scratch: &mut Scratch) -> Result<u64, Fault> {
        let var = self.var;
        let channels = var.out_c as usize;
        let k = (usize::from(var.kernel_h) * usize::from(var.kernel_w) * var.in_c as usize)
            .next_multiple_of(kernel::LANES);
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
                kernel::accumulate(&scratch.patches, &scratch.weights, k, count, &mut scratch.acc);
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
            low += self.decode_set(packed, var.in_c, entry.code_shift, weights).map_err(|mut fault| {
                fault.detail = format!("output channel {oc}: {}", fault.detail);
                fault
            })?;
        }
        Ok(low)
    }

    fn decode_set(&self, packed: &[u8], channels: u32, shift: u8, out: &mut [i16]) -> Result<u64, Fault> {
        let max = self.decoder.max_code_shift();
        if shift > max {
            return Err(Fault::operand(format!("code shift {shift} exceeds {max}")));
        }
        self.decoder.decode(packed, channels as usize, shift, out)
    }

    /// Copies the patches of some pixels into rows of `k`: taps in the padding are 0, the rest less the zero point.
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

    /// The sums that the accumulation starts from.
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

    /// Stores the sums as they are, or as results.
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

    /// Output channel `oc` sees input channel `oc / m` only. Returns the low multiply-accumulates.
    fn depthwise(&self, memory: &mut Memory, scratch: &mut Scratch) -> Result<u64, Fault> {
        let (inv, var) = (self.inv, self.var);
        let channels = var.out_c as usize;
        let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
        let bytes = self.decoder.read_bytes(var.kernel_h, var.kernel_w, var.out_c);
        let sram = memory.space(Space::Sram, var.tile)?;
        let packed = memory::slice(sram, u64::from(var.weights), bytes)?;
        scratch.weights.clear();
        scratch.weights.resize(taps * channels, 0);
        let shift = self.entries.first().map_or(0, |e| e.code_shift);
        let low = self.decode_set(packed, var.out_c, shift, &mut scratch.weights)?;
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
                    kernel::accumulate_depthwise(act, inv.in_zp, weights, m, &mut scratch.acc);
                }
            }
            let sram = memory.space_mut(Space::Sram, var.tile)?;
            self.finish(sram, pixel..pixel + 1, 0, channels, &mut scratch.acc)?;
        }
        Ok(low.saturating_mul(pixels))
    }
}

/// `origin + o·stride + k·dilation`, if it lies in `0..size`.
pub(super) fn position(origin: i32, o: u64, stride: u16, k: usize, dilation: u16, size: u32) -> Option<u64> {
    // o < 2^32 and all factors are below 2^14: no overflow.
    let offset = o * u64::from(stride) + k as u64 * u64::from(dilation);
    let at = i64::try_from(offset).ok()?.checked_add(i64::from(origin))?;
    u64::try_from(at).ok().filter(|&p| p < u64::from(size))
}
