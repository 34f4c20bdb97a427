//! What every PE multiplies for a convolution, vector by vector, in the order of "PE array" in `docs/timing.md`.
//!
//! Invariant: operands come from memory by plain loops of their own; no kernel and no prepared layer is used. Every output is
//! computed by one adder tree, and all its vectors occur exactly once.

use std::ops::{ControlFlow, Range};

use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Space, Stationary, WeightEntry};
use dpu_trace::{Conv, Vector};

use super::super::ppe::load_table;
use super::{decode_set, position};
use crate::error::Fault;
use crate::memory::{self, Memory};
use crate::weights::Decoder;

/// Receives the vectors of a PE. On `Break`, the rest of this PE's vectors is left out.
pub(crate) trait Sink {
    /// Whether the vectors of this PE in the next block are needed; asked only if there are some.
    fn wants(&mut self, pe: u16) -> bool;
    /// The next vector.
    fn vector(&mut self, vector: &Vector) -> ControlFlow<()>;
}

/// The fields of a convolution that a trace states.
///
/// # Errors
/// When the schedule does not fit the machine.
pub(crate) fn conv_of(inv: &ConvInv, var: &ConvVar, machine: &Machine) -> Result<Conv, Fault> {
    let block = Block::of(inv, var, machine).map_err(|error| Fault::operand(error.to_string()))?;
    // A block has at most 4096 outputs, the maximum of accumulators.
    let [block_oc, block_oy, block_ox] =
        [block.oc, block.oy, block.ox].map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    Ok(Conv {
        method: inv.method,
        block: inv.block,
        low: inv.low,
        param: inv.param,
        zero: inv.zero,
        in_zp: inv.in_zp,
        wt_zp: inv.wt_zp,
        stationary: inv.stationary,
        fold: inv.fold,
        sched_oc: inv.sched_oc,
        sched_oy: inv.sched_oy,
        sched_ox: inv.sched_ox,
        sched_ic: inv.sched_ic,
        block_oc,
        block_oy,
        block_ox,
    })
}

/// A tile as the PEs compute it. It is not depthwise.
pub(crate) struct PeArray<'a> {
    inv: &'a ConvInv,
    var: &'a ConvVar,
    conv: &'a Conv,
    sram: &'a [u8],
    decoder: Decoder,
    entries: Vec<WeightEntry>,
    /// Channels and stored bytes of a vector.
    vector: usize,
    word: usize,
    /// What the vectors of a reduction are numbered in: taps, or rows of taps with `fold`.
    runs: usize,
    /// Vectors of a run.
    each: usize,
}

/// The outputs of a PE in one block: channels, rows, columns.
type Part = [Range<u64>; 3];

/// Weights of an output channel in a vector: the stored bytes, and their values less the zero point.
struct Weights {
    word: Vec<u8>,
    values: Vec<i16>,
    code_shift: u8,
}

impl<'a> PeArray<'a> {
    /// Reads the weight table. `conv` is that of [`conv_of`].
    ///
    /// # Errors
    /// When table or format are illegal.
    pub(crate) fn new(
        (inv, var): (&'a ConvInv, &'a ConvVar),
        conv: &'a Conv,
        machine: &Machine,
        memory: &'a Memory,
    ) -> Result<PeArray<'a>, Fault> {
        let sram = memory.space(Space::Sram, var.tile)?;
        let (vector, word) = (conv.vector(machine.lanes) as usize, conv.word_bytes(machine.lanes) as usize);
        let [kernel_h, kernel_w] = [var.kernel_h, var.kernel_w].map(usize::from);
        let channels = var.in_c as usize;
        let (runs, taps) = if inv.fold { (kernel_h, kernel_w) } else { (kernel_h * kernel_w, 1) };
        // Blocks of packed weights end with their tap, so that a vector never has channels of two taps.
        let each = if inv.method.is_packed() {
            taps * channels.div_ceil(vector)
        } else {
            (taps * channels).div_ceil(vector)
        };
        let (decoder, entries) = (Decoder::new(inv)?, load_table(sram, inv, var)?);
        Ok(PeArray { inv, var, conv, sram, decoder, entries, vector, word, runs, each })
    }

    /// Lets all blocks pass in order; in each, the PEs of `pes` one after another.
    ///
    /// # Errors
    /// When weights are illegal, or operands lie beyond the memory.
    pub(crate) fn run(&self, pes: &[u16], sink: &mut impl Sink) -> Result<(), Fault> {
        let (var, conv) = (self.var, self.conv);
        let size = |pes: u16, held: u16| u64::from(pes.max(1)) * u64::from(held.max(1));
        let axis = |extent: u32, size: u64| {
            let extent = u64::from(extent);
            (0..extent.div_ceil(size)).map(move |i| i * size..extent.min((i + 1) * size))
        };
        let oc = || axis(var.out_c, size(conv.sched_oc, conv.block_oc));
        let oy = || axis(var.out_h, size(conv.sched_oy, conv.block_oy));
        let ox = || axis(var.out_w, size(conv.sched_ox, conv.block_ox));
        let mut block = |outputs: Part| {
            pes.iter().try_for_each(|&pe| match self.part(pe, &outputs) {
                Some(part) if sink.wants(pe) => self.pe(pe, part, sink),
                Some(_) | None => Ok(()),
            })
        };
        match conv.stationary {
            Stationary::Output | Stationary::Weight => {
                for c in oc() {
                    for y in oy() {
                        ox().try_for_each(|x| block([c.clone(), y.clone(), x]))?;
                    }
                }
            }
            Stationary::Input => {
                for y in oy() {
                    for x in ox() {
                        oc().try_for_each(|c| block([c, y.clone(), x.clone()]))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A PE's outputs of a block, and the number of its part of the channels; `None` if it has none.
    ///
    /// PEs are numbered with the parts of the channels fastest, then columns, rows and output channels.
    fn part(&self, pe: u16, block: &Part) -> Option<(Part, usize)> {
        let conv = self.conv;
        let mut rest = u64::from(pe);
        let mut digit = |of: u16| {
            let of = u64::from(of.max(1));
            let digit = rest % of;
            rest /= of;
            digit
        };
        let number = digit(conv.sched_ic);
        let [x, y, c] = [conv.sched_ox, conv.sched_oy, conv.sched_oc].map(&mut digit);
        if rest > 0 {
            return None;
        }
        let own = |range: &Range<u64>, pes: u16, at: u64| {
            let share = (range.end - range.start).div_ceil(u64::from(pes.max(1)));
            let from = (range.start + at * share).min(range.end);
            from..(from + share).min(range.end)
        };
        let [oc, oy, ox] = block;
        let part = [own(oc, conv.sched_oc, c), own(oy, conv.sched_oy, y), own(ox, conv.sched_ox, x)];
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let some = part.iter().all(|range| !range.is_empty()) && number < self.each;
        some.then_some((part, number))
    }

    /// The vectors of a PE in a block: for every vector of its reduction all channels, for each of these all positions; with
    /// resident activations, all positions, for each of these all channels.
    fn pe(&self, pe: u16, (part, number): (Part, usize), sink: &mut impl Sink) -> Result<(), Fault> {
        let [oc, oy, ox] = part;
        let own = (number..self.each).step_by(usize::from(self.conv.sched_ic.max(1)));
        let last = (self.runs * own.len()).saturating_sub(1);
        let all = (0..self.runs).flat_map(|run| own.clone().map(move |n| (run, n)));
        let positions: Vec<(u64, u64)> = oy.flat_map(|y| ox.clone().map(move |x| (y, x))).collect();
        let channels: Vec<u64> = oc.collect();
        let inputs_stay = self.conv.stationary == Stationary::Input;
        let order: Vec<(usize, usize)> = match inputs_stay {
            false => (0..channels.len()).flat_map(|c| (0..positions.len()).map(move |p| (c, p))).collect(),
            true => (0..positions.len()).flat_map(|p| (0..channels.len()).map(move |c| (c, p))).collect(),
        };
        let mut sums = Vec::with_capacity(order.len());
        for &oc in &channels {
            for &at in &positions {
                sums.push(if number == 0 { self.start(oc, at)? } else { 0 });
            }
        }
        for (i, (run, n)) in all.enumerate() {
            let weights: Vec<Weights> =
                channels.iter().map(|&oc| self.weights(oc, run, n)).collect::<Result<_, _>>()?;
            let acts: Vec<Vec<i16>> =
                positions.iter().map(|&at| self.acts(at, run, n)).collect::<Result<_, _>>()?;
            for &(c, p) in &order {
                let at = c * positions.len() + p;
                let (Some(weights), Some(acts), Some(sum)) = (weights.get(c), acts.get(p), sums.get_mut(at))
                else {
                    continue;
                };
                let before = *sum;
                *sum = before.wrapping_add(self.products(acts, &weights.values));
                let (oc, (oy, ox)) =
                    (channels.get(c).copied().unwrap_or(0), positions.get(p).copied().unwrap_or((0, 0)));
                let vector = Vector {
                    pe,
                    first: i == 0,
                    last: i == last,
                    accumulator: u16::try_from(at).unwrap_or(u16::MAX),
                    // Outputs of a tile have 32-bit positions.
                    output: [oc, oy, ox].map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
                    code_shift: weights.code_shift,
                    acts: acts.clone(),
                    word: weights.word.clone(),
                    before,
                    after: *sum,
                };
                if sink.vector(&vector).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The sum of the products of a vector; at most 64 of 9 by 9 bits.
    fn products(&self, acts: &[i16], weights: &[i16]) -> i32 {
        let products = acts.iter().zip(weights).map(|(&x, &w)| i32::from(x - self.inv.in_zp) * i32::from(w));
        products.sum()
    }

    /// The initial value of the accumulator of the first PE of a tree.
    fn start(&self, oc: u64, (oy, ox): (u64, u64)) -> Result<i32, Fault> {
        let var = self.var;
        let mut sum = [0];
        if var.acc_in {
            let output = (oy * u64::from(var.out_w) + ox) * u64::from(var.out_c) + oc;
            memory::load(self.sram, u64::from(var.psum) + 4 * output, 4, Dtype::I32, &mut sum)?;
        }
        Ok(sum[0])
    }

    /// The channels of a vector of a run, as positions in the run: with `fold`, those of all its taps in a row.
    fn channels(&self, n: usize) -> Range<usize> {
        let channels = self.var.in_c as usize;
        if self.inv.method.is_packed() {
            let of_tap = channels.div_ceil(self.vector);
            let (tap, from) = (n / of_tap, n % of_tap * self.vector);
            return tap * channels + from..tap * channels + channels.min(from + self.vector);
        }
        let taps = if self.inv.fold { usize::from(self.var.kernel_w) } else { 1 };
        n * self.vector..(taps * channels).min((n + 1) * self.vector)
    }

    /// Activations of a vector as stored; the zero point in the padding and beyond the last channel.
    fn acts(&self, (oy, ox): (u64, u64), run: usize, n: usize) -> Result<Vec<i16>, Fault> {
        let (inv, var) = (self.inv, self.var);
        let (channels, kernel_w) = (var.in_c as usize, usize::from(var.kernel_w));
        let first = if inv.fold { run * kernel_w } else { run };
        let mut acts = vec![inv.in_zp; self.vector];
        for (act, at) in acts.iter_mut().zip(self.channels(n)) {
            let (tap, channel) = (first + at / channels, at % channels);
            let (ky, kx) = (tap / kernel_w, tap % kernel_w);
            let iy = position(var.origin_y, oy, inv.stride_y, ky, inv.dilation_y, var.in_h);
            let ix = position(var.origin_x, ox, inv.stride_x, kx, inv.dilation_x, var.in_w);
            let (Some(iy), Some(ix)) = (iy, ix) else { continue };
            let pixel = u64::from(var.act) + iy * u64::from(var.act_row) + ix * u64::from(var.act_pixel);
            let byte = memory::slice(self.sram, pixel + channel as u64, 1)?;
            *act = byte.first().map_or(inv.in_zp, |b| i16::from(b.cast_signed()));
        }
        Ok(acts)
    }

    /// The weights of an output channel in a vector.
    fn weights(&self, oc: u64, run: usize, n: usize) -> Result<Weights, Fault> {
        let (inv, var) = (self.inv, self.var);
        let entry = usize::try_from(oc).ok().and_then(|oc| self.entries.get(oc)).copied().unwrap_or_default();
        let set = u64::from(var.weights) + u64::from(entry.weight_offset);
        let bytes =
            memory::slice(self.sram, set, self.decoder.read_bytes(var.kernel_h, var.kernel_w, var.in_c))?;
        let channels = self.channels(n);
        let real = channels.len();
        let mut values = vec![0; self.vector];
        let word = if inv.method.is_packed() {
            self.blocks(bytes, run, n)
        } else {
            let taps = if inv.fold { usize::from(var.kernel_w) } else { 1 };
            let first = run * taps * var.in_c as usize;
            bytes.get(first + channels.start..first + channels.end).unwrap_or_default().to_vec()
        };
        let some = u32::try_from(real).unwrap_or(u32::MAX);
        decode_set(&self.decoder, &word, some, entry.code_shift, values.get_mut(..real).unwrap_or_default())?;
        Ok(Weights { word: self.filled(word, real), values, code_shift: entry.code_shift })
    }

    /// The bits of the packed blocks of a vector, as they are in the set.
    fn blocks(&self, set: &[u8], run: usize, n: usize) -> Vec<u8> {
        let (block, channels) = (usize::from(self.inv.block.max(1)), self.var.in_c as usize);
        let of_tap = channels.div_ceil(self.vector);
        let taps = if self.inv.fold { usize::from(self.var.kernel_w) } else { 1 };
        let (tap, first) = (run * taps + n / of_tap, n % of_tap * (self.vector / block));
        let stored = channels.div_ceil(block);
        let count = (stored - first).min(self.vector / block);
        let bits = usize::try_from(self.conv.format().block_bits()).unwrap_or(0);
        let from = (tap * stored + first) * bits;
        let mut word = vec![0u8; (count * bits).div_ceil(8)];
        for i in 0..count * bits {
            let bit = set.get((from + i) / 8).map_or(0, |byte| byte >> ((from + i) % 8) & 1);
            if let Some(to) = word.get_mut(i / 8) {
                *to |= bit << (i % 8);
            }
        }
        word
    }

    /// The stored weights of `real` channels, extended to those of a whole vector: plain ones by the zero point, packed ones
    /// by blocks whose first members are high, in a mask if one is stored, and whose codes are all 0.
    fn filled(&self, mut word: Vec<u8>, real: usize) -> Vec<u8> {
        if !self.inv.method.is_packed() {
            word.resize(self.word, self.inv.wt_zp.to_le_bytes()[0]);
            return word;
        }
        word.resize(self.word, 0);
        let format = self.conv.format();
        let bits = usize::try_from(format.block_bits()).unwrap_or(0);
        let block = usize::from(self.inv.block.max(1));
        if format.mask_bits() == 0 {
            return word;
        }
        let high = block.saturating_sub(usize::from(self.inv.low));
        for missing in real.div_ceil(block)..self.vector / block {
            for bit in missing * bits..missing * bits + high {
                if let Some(byte) = word.get_mut(bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        word
    }
}
