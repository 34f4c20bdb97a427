//! Two-sided zero skipping: a convolution variant whose PEs process only pairs of a non-zero activation and a
//! non-zero weight.
//!
//! This depends on values, given as bitmaps. Pipeline, blocks and bytes are those of [`crate::conv()`].

use dpu_isa::schedule::{Block, ScheduleError};
use dpu_isa::{ConvInv, ConvVar, LowWork, Machine, PeKind};

use crate::conv::{Extents, StoredFlow, Tile};
use crate::stored::Stored;
use crate::{Cost, Events, product};

/// Which operands are non-zero: a row per output position or output channel, with a bit per tap and input channel
/// (depthwise: one bit per tap, and a row per position and channel).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Words per tap.
    words: usize,
    taps: usize,
    bits: Vec<u64>,
}

impl Bitmap {
    /// An all-zero bitmap of this many rows.
    #[must_use]
    pub fn new(rows: usize, taps: usize, channels: usize) -> Bitmap {
        let words = channels.div_ceil(64).max(1);
        let len = rows.saturating_mul(taps).saturating_mul(words);
        Bitmap { words, taps, bits: vec![0; len] }
    }

    /// Marks an operand as non-zero.
    pub fn set(&mut self, row: usize, tap: usize, channel: usize) {
        let at = (row * self.taps + tap) * self.words + channel / 64;
        if let Some(word) = self.bits.get_mut(at) {
            *word |= 1 << (channel % 64);
        }
    }

    /// Number of non-zero operands in a row.
    #[must_use]
    pub fn ones_of(&self, row: usize) -> u64 {
        let words = self.taps * self.words;
        let row = self.bits.iter().skip(row.saturating_mul(words)).take(words);
        row.map(|word| u64::from(word.count_ones())).sum()
    }

    /// Number of non-zero operands.
    fn ones(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// `len` bits of a tap, up to 64, from bit `from` on.
    fn field(&self, row: usize, tap: usize, from: usize, len: usize) -> u64 {
        let (start, word, shift) = ((row * self.taps + tap) * self.words, from / 64, from % 64);
        let at = |i: usize| if i < self.words { self.bits.get(start + i).copied().unwrap_or(0) } else { 0 };
        let low = at(word) >> shift;
        let high = if shift == 0 { 0 } else { at(word + 1) << (64 - shift) };
        (low | high) & (u64::MAX >> (64 - len.clamp(1, 64)))
    }
}

/// Whether PEs of this machine skip zeros in this layer: `dense` and `sparse` weights, no fold, and multipliers in all
/// lanes.
#[must_use]
pub fn skips_zeros(inv: &ConvInv, m: &Machine) -> bool {
    m.zero_skip != 0
        && inv.method.low_work() == LowWork::Nothing
        && !inv.fold
        && m.pe_kind != PeKind::StrumStatic
}

/// Non-zero operands of a variant: for activations, a row per output position (depthwise: and channel); for
/// weights, a row per output channel.
#[derive(Clone, Debug)]
pub struct Present {
    /// Activations.
    pub acts: Bitmap,
    /// Weights.
    pub weights: Bitmap,
}

/// A convolution variant on a machine with `zero_skip`: its PEs skip the pairs that are not `present`, where they can skip,
/// and operands are stored as `stored` says. The rules are those of "Zero skipping" in `docs/timing.md`.
///
/// # Errors
/// When the operands that the schedule keeps resident do not fit the register files.
pub fn conv_skipping(
    inv: &ConvInv,
    var: &ConvVar,
    m: &Machine,
    present: Option<&Present>,
    stored: &Stored<'_>,
) -> Result<Cost, ScheduleError> {
    let plain = crate::conv(inv, var, m)?;
    let tile = Tile::new(inv, var, m, &Block::of(inv, var, m)?);
    let mut counter = present.map(|present| Counter::new(inv, var, m, present));
    let slices = counter.as_ref().map(|c| c.slices);
    let StoredFlow { cycles, compute, moved } = tile.flow_stored(slices, stored, |block| {
        let counter = counter.as_mut()?;
        Some((0..counter.slices).map(|slice| counter.slice(block, slice)).collect())
    });
    let mut events = plain.events;
    if let (Some(counter), Some(present)) = (&counter, present) {
        events = skipped(inv, var, &plain, counter, present);
        events.lane_idle = crate::idle_lanes(compute, counter.pairs, m);
    }
    if stored.acts.is_some() {
        events.sram_act_read = moved.acts;
    }
    if stored.weights.is_some() && !inv.depthwise {
        events.sram_weight_read = moved.weights;
    }
    if stored.results.is_some() && !var.acc_out {
        events.sram_out_write = moved.results;
    }
    let cycles = u64::from(m.dpu_setup_cycles).saturating_add(cycles);
    Ok(Cost { low: plain.low, ..Cost::on_chip(cycles, plain.macs, events) })
}

/// Counts after skipping; idle lanes are not included.
fn skipped(inv: &ConvInv, var: &ConvVar, plain: &Cost, counter: &Counter<'_>, present: &Present) -> Events {
    let (pairs, steps) = (counter.pairs, counter.steps);
    let compressed = |bytes: u64, map: &Bitmap, of: u64| {
        let kept = u128::from(bytes) * u128::from(map.ones()) / u128::from(of.max(1));
        u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(bytes.div_ceil(8))
    };
    let taps = product([var.kernel_h, var.kernel_w].map(u64::from));
    let depth = if inv.depthwise { 1 } else { u64::from(var.in_c) };
    let channels = if inv.depthwise { u64::from(var.out_c) } else { 1 };
    let patches = product([var.out_h.into(), var.out_w.into(), channels, taps, depth]);
    let all = product([var.out_c.into(), taps, depth]);
    // Which operands follow each other depends on the zeros: all are taken as fresh.
    Events {
        pe_steps: steps,
        steps_held: 0,
        zero_skipped: plain.macs.saturating_sub(pairs),
        act_held: 0,
        weight_held: 0,
        routed: if plain.events.routed > 0 { pairs } else { 0 },
        routed_held: 0,
        if_read: pairs,
        if_held: 0,
        fl_read: pairs,
        fl_held: 0,
        if_write: compressed(plain.events.if_write, &present.acts, patches),
        fl_write: compressed(plain.events.fl_write, &present.weights, all),
        of_read: steps.saturating_mul(4),
        of_write: steps.saturating_mul(4),
        ..plain.events
    }
}

/// Counts what PEs do.
struct Counter<'a> {
    inv: &'a ConvInv,
    var: &'a ConvVar,
    acts: &'a Bitmap,
    weights: &'a Bitmap,
    lanes: usize,
    /// Channels of a vector over all PEs of an adder tree.
    width: usize,
    /// Vectors that a PE holds at a time.
    vectors: usize,
    slices: u64,
    pairs: u64,
    steps: u64,
}

impl<'a> Counter<'a> {
    fn new(
        inv: &'a ConvInv,
        var: &'a ConvVar,
        m: &Machine,
        Present { acts, weights }: &'a Present,
    ) -> Counter<'a> {
        let lanes = m.lanes.max(1) as usize;
        let width = lanes * usize::from(inv.sched_ic.max(1));
        let vectors = (m.if_rf_bytes.min(m.fl_rf_bytes) as usize / 2 / lanes).max(1);
        let all = (var.in_c as usize).div_ceil(width);
        let slices = if inv.depthwise { 1 } else { all.div_ceil(vectors) as u64 };
        Counter { inv, var, acts, weights, lanes, width, vectors, slices, pairs: 0, steps: 0 }
    }

    /// Cycles of the slowest PE for a slice of a block.
    fn slice(&mut self, [oc, oy, ox]: &Extents, slice: u64) -> u64 {
        let inv = self.inv;
        let mut slowest = 0;
        for c in shares(*oc, inv.sched_oc) {
            for y in shares(*oy, inv.sched_oy) {
                for x in shares(*ox, inv.sched_ox) {
                    for pe in 0..usize::from(inv.sched_ic.max(1)) {
                        let cycles = self.share([c, y, x], slice, pe);
                        self.steps = self.steps.saturating_add(cycles);
                        slowest = slowest.max(cycles);
                    }
                }
            }
        }
        slowest
    }

    /// Cycles of one PE for its outputs.
    fn share(&mut self, [c, y, x]: Extents, slice: u64, pe: usize) -> u64 {
        let taps = usize::from(self.var.kernel_h) * usize::from(self.var.kernel_w);
        let mut cycles = 0u64;
        for oc in c.0..c.1 {
            for oy in y.0..y.1 {
                for ox in x.0..x.1 {
                    let position = (oy * u64::from(self.var.out_w) + ox) as usize;
                    let oc = oc as usize;
                    cycles += if self.inv.depthwise {
                        self.depthwise(position * self.var.out_c as usize + oc, oc, taps)
                    } else {
                        (0..taps).map(|tap| self.group(position, oc, tap, slice as usize, pe)).sum()
                    };
                }
            }
        }
        cycles
    }

    /// A depthwise PE processes one pair per cycle.
    fn depthwise(&mut self, act: usize, weight: usize, taps: usize) -> u64 {
        let both = |tap| self.acts.field(act, tap, 0, 1) & self.weights.field(weight, tap, 0, 1);
        let pairs: u64 = (0..taps).map(both).sum();
        self.pairs += pairs;
        pairs.max(1)
    }

    /// Cycles of a PE for the vectors of a slice and a tap: those of the lane with the most pairs, at least one.
    fn group(&mut self, position: usize, oc: usize, tap: usize, slice: usize, pe: usize) -> u64 {
        // Pairs of each lane as a binary number, bit by bit.
        let mut digits = [0u64; 16];
        for vector in 0..self.vectors {
            let from = (slice * self.vectors + vector) * self.width + pe * self.lanes;
            if from >= self.var.in_c as usize {
                break;
            }
            let len = self.lanes.min(self.var.in_c as usize - from);
            let mut carry =
                self.acts.field(position, tap, from, len) & self.weights.field(oc, tap, from, len);
            self.pairs += u64::from(carry.count_ones());
            for digit in &mut digits {
                (*digit, carry) = (*digit ^ carry, *digit & carry);
                if carry == 0 {
                    break;
                }
            }
        }
        let (mut most, mut busiest) = (0, u64::MAX);
        for (i, digit) in digits.iter().enumerate().rev() {
            if digit & busiest != 0 {
                (most, busiest) = (most | 1 << i, busiest & digit);
            }
        }
        most.max(1)
    }
}

/// The outputs of each PE along a dimension of a block: contiguous segments of equal length, the last ones
/// shorter.
fn shares((from, to): (u64, u64), pes: u16) -> impl Iterator<Item = (u64, u64)> {
    let each = (to - from).div_ceil(u64::from(pes.max(1)));
    (0..u64::from(pes.max(1)))
        .map(move |pe| ((from + pe * each).min(to), (from + (pe + 1) * each).min(to)))
        .filter(|(from, to)| from < to)
}
