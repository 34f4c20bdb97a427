//! `conv_inv` and `conv_var`: convolution and depthwise convolution.
//!
//! The accesses of a variant are announced here; it is computed by [`fast`], with the host's best instructions, or by
//! [`golden`], the plain definition.

mod fast;
mod golden;
mod image;
mod layer;
mod products;
mod steps;
mod tile;
mod vectors;
mod zero_acts;
mod zeros;

use dpu_isa::{ConvInv, ConvVar, Dtype, LowWork, Machine, Space, WeightEntry};
use strum_files::budget;

use golden::Tile;
use image::{Buffers, Plan};
pub(crate) use layer::{Expected, Layers, Trace};
pub(crate) use vectors::{PeArray, Sink, conv_of};
pub(crate) use zero_acts::zero_products;
use zeros::Operands;

use super::ppe::{ENTRY, Ppe, load_table};
use super::{Core, Gate, Lut, Measure, Semantics, SkipsZeros};
use crate::error::Fault;
use crate::hazard::Purpose;
use crate::memory::Memory;
use crate::region::{Region, Steps, window_steps};
use crate::storage::{Roles, Zeros};
use crate::weights::Decoder;

/// Maximum number of weights of a set, and of output channels: far beyond any SRAM in use, and within the
/// host's memory.
const MAX_SET: u64 = 1 << 28;
const MAX_CHANNELS: u32 = 1 << 24;

/// Buffers reused from task to task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Decoded weight sets.
    weights: Vec<i16>,
    /// Activations less their zero point.
    patches: Vec<i16>,
    /// Sums.
    acc: Vec<i32>,
    fast: Buffers,
}

impl Semantics for ConvInv {
    fn steps(&self, _core: &Core) -> u64 {
        0
    }

    fn touch(&self, _core: &Core, _gate: &mut Gate<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        core.slots.fill(&(*self).into());
        Ok(0)
    }
}

impl Semantics for ConvVar {
    fn check(&self, machine: &Machine, core: &Core) -> Result<(), Fault> {
        check_schedule(core.invariant_of(self)?, machine)
    }

    fn steps(&self, core: &Core) -> u64 {
        let Ok(inv) = core.invariant_of(self) else { return 0 };
        steps::of(inv, self)
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let inv = core.invariant_of(self)?;
        if inv.depthwise && !self.out_c.is_multiple_of(self.in_c) {
            let (out, input) = (self.out_c, self.in_c);
            return Err(Fault::operand(format!(
                "depthwise: out_c = {out} is not a multiple of in_c = {input}"
            )));
        }
        check_size(inv, self)?;
        let memory = &core.memory;
        let table = Region::contiguous(u64::from(self.table), ENTRY.saturating_mul(u64::from(self.out_c)));
        gate.read_for(Purpose::Table, memory, "table", Space::Sram, &table)?;
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
        let inv = *core.invariant_of(self)?;
        let Core { memory, scratch, layers, kernel, threads, .. } = core;
        if let Some((kernel, plan)) = kernel.and_then(|k| Some((k, Plan::new(k, &inv, self)?))) {
            let layer = layers.get((kernel, *threads), &inv, self, memory.space(Space::Sram, self.tile)?)?;
            return plan.run(&layer, memory, *threads, &mut scratch.fast);
        }
        layers.skip(&inv);
        let sram = memory.space(Space::Sram, self.tile)?;
        let decoder = Decoder::new(&inv)?;
        let entries = load_table(sram, &inv, self)?;
        let ppe = if self.acc_out { None } else { Some(Ppe::new(sram, &inv, &entries)?) };
        let tile = Tile { inv: &inv, var: self, decoder: &decoder, entries: &entries, ppe: ppe.as_ref() };
        if inv.depthwise { tile.depthwise(memory, scratch) } else { tile.dense(memory, scratch) }
    }

    fn skips_zeros(&self) -> Option<&dyn SkipsZeros> {
        Some(self)
    }

    fn zero_products(&self, machine: &Machine, core: &Core) -> Result<u64, Fault> {
        zero_products(core.invariant_of(self)?, self, machine, &core.memory)
    }
}

impl SkipsZeros for ConvVar {
    fn roles(&self, machine: &Machine, core: &Core) -> Result<Roles, Fault> {
        let inv = core.invariant_of(self)?;
        let skips = dpu_cost::skips_zeros(inv, machine);
        let zero = |zero_point: i16| i8::try_from(zero_point).ok();
        let dense = !inv.method.is_packed() && !inv.depthwise;
        Ok(Roles {
            acts: zero(inv.in_zp).filter(|_| skips),
            weights: zero(inv.wt_zp).filter(|_| skips && dense),
            // The ODU omits zeros whatever the PEs do.
            results: inv.method.low_work() == LowWork::Nothing && !self.acc_out && inv.out_dtype == Dtype::I8,
            copies: false,
        })
    }

    fn observe(&self, machine: &Machine, core: &Core, zeros: Zeros<'_>) -> Result<Option<Measure>, Fault> {
        let inv = core.invariant_of(self)?;
        let skips = dpu_cost::skips_zeros(inv, machine);
        if !skips && [zeros.acts, zeros.weights, zeros.results] == [None; 3] {
            return Ok(None);
        }
        let operands = Operands::read(inv, self, skips, zeros, &core.memory)?;
        let (inv, var) = (*inv, *self);
        Ok(Some(Box::new(move |machine, core| operands.cost(&inv, &var, machine, &core.memory))))
    }
}

/// Number and length of the runs that a weight set is packed in: adjacent taps of a row form one run, unless dilation
/// separates them.
fn runs_of(inv: &ConvInv, var: &ConvVar) -> (usize, usize) {
    let (kh, kw, in_c) = (usize::from(var.kernel_h), usize::from(var.kernel_w), var.in_c as usize);
    if inv.dilation_x == 1 || kw == 1 { (kh, kw * in_c) } else { (kh * kw, in_c) }
}

/// Decodes a weight set; returns its low members.
fn decode_set(
    decoder: &Decoder,
    packed: &[u8],
    channels: u32,
    shift: u8,
    out: &mut [i16],
) -> Result<u64, Fault> {
    let max = decoder.max_code_shift();
    if shift > max {
        return Err(Fault::operand(format!("code shift {shift} exceeds {max}")));
    }
    decoder.decode(packed, channels as usize, shift, out)
}

/// Refuses a schedule that the PE array cannot execute.
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
        return Err(Fault::operand(format!("sched_ic = {ic} is not a power of two up to {tree}")));
    }
    Ok(())
}

/// Refuses a variant whose decoded weights would exceed the host's memory.
fn check_size(inv: &ConvInv, var: &ConvVar) -> Result<(), Fault> {
    let channels = if inv.depthwise { var.out_c } else { var.in_c };
    let weights = (u64::from(var.kernel_h) * u64::from(var.kernel_w)).saturating_mul(u64::from(channels));
    // Decoded weights take two bytes.
    let most = MAX_SET.min(budget::limit() / 16);
    if weights > most || var.out_c > MAX_CHANNELS {
        let out = var.out_c;
        return Err(Fault::operand(format!(
            "{out} channels with sets of {weights} weights; the simulator takes {MAX_CHANNELS} and {most}"
        )));
    }
    Ok(())
}

/// Reads all weight sets; contiguous sets are one access.
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
        gate.read_for(
            Purpose::Weights,
            memory,
            "weights",
            Space::Sram,
            &Region::contiguous(start, end - start),
        )
    };
    if inv.depthwise {
        let shift = entries.first().map_or(0, |e| e.code_shift);
        if entries.iter().any(|e| e.code_shift != shift) {
            let method = inv.method;
            return Err(Fault::operand(format!(
                "depthwise {method}: the code shifts of the weight table differ"
            )));
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

/// Results of a variant, and their destination.
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

/// `origin + o·stride + k·dilation`, if it lies in `0..size`.
pub(super) fn position(origin: i32, o: u64, stride: u16, k: usize, dilation: u16, size: u32) -> Option<u64> {
    // o < 2^32 and all factors are below 2^14: no overflow.
    let offset = o * u64::from(stride) + k as u64 * u64::from(dilation);
    let at = i64::try_from(offset).ok()?.checked_add(i64::from(origin))?;
    u64::try_from(at).ok().filter(|&p| p < u64::from(size))
}
