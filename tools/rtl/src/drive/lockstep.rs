//! PEs of a column in lockstep: from the vectors of each PE to those that all of them take at a time.
//!
//! The time of a vector follows from the schedule in the trace's header: its block, its number in the reduction, its output in
//! the PE's part of the block. A PE that has none at a time takes operands whose products are 0; its accumulators keep their
//! values. Invariant: every vector is taken once, and those of a PE in the order of the trace.

use std::collections::BTreeMap;

use dpu_isa::Stationary;
use dpu_trace::{Header, Vector};

use super::Section;
use super::error::DriveError;

/// When PEs take a vector, in the order of `docs/timing.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Time {
    block: [u64; 3],
    /// Tap, or row of taps with `fold`.
    run: u64,
    /// Number among the PE's vectors of the run.
    number: u64,
    /// Position of the output in the PE's part of the block.
    output: [u64; 3],
}

/// The schedule of a section.
pub(super) struct Plan<'a> {
    header: &'a Header,
    runs: u64,
    /// Vectors of a run.
    each: u64,
}

/// A section of a column.
pub(super) struct Lockstep {
    /// For each PE all times, with a vector for each of them.
    pub(super) pes: Vec<Section>,
    /// For each time whether the accumulators are complete after it, and what the first tree's sum is then.
    pub(super) ends: Vec<Option<Option<u32>>>,
    /// PEs that a tree joins.
    pub(super) joined: u32,
}

/// Output channel, row and column, in the order in which they are counted.
fn ordered(stationary: Stationary, [channel, row, column]: [u64; 3]) -> [u64; 3] {
    match stationary {
        Stationary::Output | Stationary::Weight => [channel, row, column],
        Stationary::Input => [row, column, channel],
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(header: &'a Header) -> Plan<'a> {
        let (conv, tile) = (&header.conv, &header.tile);
        let [h, w] = [tile.kernel_h, tile.kernel_w].map(u64::from);
        let (runs, taps) = if conv.fold { (h, w) } else { (h * w, 1) };
        let (channels, vector) = (u64::from(tile.in_c), u64::from(header.vector.max(1)));
        // Packed blocks end with their tap.
        let each = if conv.method.is_packed() {
            taps * channels.div_ceil(vector)
        } else {
            (taps * channels).div_ceil(vector)
        };
        Plan { header, runs, each }
    }

    fn joined(&self) -> u64 {
        u64::from(self.header.conv.sched_ic.max(1))
    }

    /// PEs and outputs of a PE in a block along channels, rows and columns, and the outputs of the tile.
    fn axes(&self) -> [[u64; 3]; 3] {
        let (conv, tile) = (&self.header.conv, &self.header.tile);
        [
            [conv.sched_oc.max(1).into(), conv.block_oc.max(1).into(), tile.out_c.into()],
            [conv.sched_oy.max(1).into(), conv.block_oy.max(1).into(), tile.out_h.into()],
            [conv.sched_ox.max(1).into(), conv.block_ox.max(1).into(), tile.out_w.into()],
        ]
    }

    /// The parts of channels, rows and columns that a PE has, and its part of the input channels.
    fn parts(&self, pe: u16) -> ([u64; 3], u64) {
        let mut rest = u64::from(pe);
        let mut digit = |of: u64| {
            let digit = rest % of;
            rest /= of;
            digit
        };
        let part = digit(self.joined());
        let [channels, rows, columns] = self.axes().map(|axis| axis[0]);
        let [column, row, channel] = [columns, rows, channels].map(&mut digit);
        ([channel, row, column], part)
    }

    /// Vectors of a run that a PE has.
    pub(super) fn own(&self, pe: u16) -> u64 {
        self.each.saturating_sub(self.parts(pe).1).div_ceil(self.joined())
    }

    /// When a PE takes its vector number `nth` of this output, and the accumulator that all PEs use for it; `None` if the
    /// schedule has no such vector.
    fn time(&self, vector: &Vector, nth: u64) -> Option<(Time, u64)> {
        let (parts, own) = (self.parts(vector.pe).0, self.own(vector.pe));
        let (run, number) = (nth.checked_div(own)?, nth.checked_rem(own)?);
        let (mut block, mut output, mut accumulator) = ([0; 3], [0; 3], 0);
        for (axis, [pes, held, extent]) in self.axes().into_iter().enumerate() {
            let at = u64::from(*vector.output.get(axis)?);
            let size = pes * held;
            let start = at / size * size;
            let share = size.min(extent.checked_sub(start)?).div_ceil(pes);
            let local = at.checked_sub(start + parts.get(axis)? * share).filter(|&local| local < share)?;
            *block.get_mut(axis)? = at / size;
            *output.get_mut(axis)? = local;
            accumulator = accumulator * share + local;
        }
        let stationary = self.header.conv.stationary;
        let [block, output] = [block, output].map(|position| ordered(stationary, position));
        (run < self.runs).then_some((Time { block, run, number, output }, accumulator))
    }

    /// Whether the accumulators of an output are complete after a vector of this time.
    fn completes(&self, time: &Time) -> bool {
        time.run + 1 == self.runs && time.number + 1 == self.each.div_ceil(self.joined())
    }

    /// A vector whose products are 0: activations equal to the zero point, and codes 0 with the first members high.
    fn idle(&self, pe: u16, like: &Vector, sum: i32) -> Vector {
        let Header { conv, vector, word_bytes, .. } = self.header;
        let mut word = vec![0u8; *word_bytes as usize];
        if conv.format().mask_bits() > 0 {
            let (block, bits) = (usize::from(conv.block.max(1)), conv.format().block_bits() as usize);
            for first in (0..*vector as usize / block).map(|b| b * bits) {
                for bit in first..first + block.saturating_sub(conv.low.into()) {
                    if let Some(byte) = word.get_mut(bit / 8) {
                        *byte |= 1 << (bit % 8);
                    }
                }
            }
        }
        let acts = vec![conv.in_zp; *vector as usize];
        Vector { pe, code_shift: 0, acts, word, before: sum, after: sum, ..like.clone() }
    }
}

/// The times of a section's vectors.
fn times(plan: &Plan, vectors: &[Vector]) -> Result<Vec<(Time, u64)>, DriveError> {
    let mut counts: BTreeMap<(u16, [u32; 3]), u64> = BTreeMap::new();
    let mut latest: BTreeMap<u16, Time> = BTreeMap::new();
    let mut list = Vec::with_capacity(vectors.len());
    for (index, vector) in vectors.iter().enumerate() {
        let fault = || DriveError::Order { vector: index, pe: vector.pe, layer: plan.header.layer.clone() };
        let count = counts.entry((vector.pe, vector.output)).or_default();
        let (time, accumulator) = plan.time(vector, *count).ok_or_else(fault)?;
        *count += 1;
        if latest.insert(vector.pe, time).is_some_and(|before| before >= time) {
            return Err(fault());
        }
        list.push((time, accumulator));
    }
    Ok(list)
}

/// Leaves out what is taken after the last vector of one of the PEs `ended`, whose further vectors are not known.
pub(super) fn complete(section: &mut Section, ended: &[u16]) -> Result<(), DriveError> {
    let times = times(&Plan::new(&section.header), &section.vectors)?;
    let last = |pe: &u16| {
        let own = times.iter().zip(&section.vectors).filter(|(_, vector)| vector.pe == *pe);
        own.map(|((time, _), _)| *time).next_back()
    };
    // Without a last vector nothing is known to be complete.
    let Some(end) = ended.iter().map(last).min().flatten() else {
        if !ended.is_empty() {
            section.vectors.clear();
        }
        return Ok(());
    };
    let mut times = times.iter();
    section.vectors.retain(|_| times.next().is_some_and(|(time, _)| *time <= end));
    Ok(())
}

/// Aligns the vectors of the PEs `first..first + rows`.
pub(super) fn align(section: &Section, first: u16, rows: u32) -> Result<Lockstep, DriveError> {
    let header = &section.header;
    let plan = Plan::new(header);
    let mut all: BTreeMap<Time, (u64, Vec<Option<&Vector>>)> = BTreeMap::new();
    for (vector, (time, accumulator)) in section.vectors.iter().zip(times(&plan, &section.vectors)?) {
        let row = usize::from(vector.pe.saturating_sub(first));
        let (_, vectors) = all.entry(time).or_insert_with(|| (accumulator, vec![None; rows as usize]));
        if let Some(place) = vectors.get_mut(row) {
            *place = Some(vector);
        }
    }
    let joined = u32::from(header.conv.sched_ic.max(1));
    let pes = (0..rows).map(|_| Section { header: header.clone(), vectors: Vec::new() }).collect();
    let mut lockstep = Lockstep { pes, ends: Vec::new(), joined };
    let mut sums: Vec<BTreeMap<u64, i32>> = vec![BTreeMap::new(); rows as usize];
    for (time, (accumulator, vectors)) in all {
        let Some(like) = vectors.iter().flatten().next() else { continue };
        let begins = time.run == 0 && time.number == 0;
        let ends = plan.completes(&time);
        let mut sum = 0i32;
        for (row, ((vector, sums), pe)) in (0u32..).zip(vectors.iter().zip(&mut sums).zip(&mut lockstep.pes))
        {
            let held = if begins { 0 } else { sums.get(&accumulator).copied().unwrap_or(0) };
            let number = first.saturating_add(row as u16);
            let mut aligned = match vector {
                Some(vector) => (*vector).clone(),
                None => plan.idle(number, like, held),
            };
            aligned.accumulator = u16::try_from(accumulator).unwrap_or(u16::MAX);
            (aligned.first, aligned.last) = (begins, ends);
            sums.insert(accumulator, aligned.after);
            if row < joined {
                sum = sum.wrapping_add(aligned.after);
            }
            pe.vectors.push(aligned);
        }
        let known = vectors.first().is_some_and(Option::is_some).then_some(sum as u32);
        lockstep.ends.push(ends.then_some(known));
    }
    Ok(lockstep)
}
