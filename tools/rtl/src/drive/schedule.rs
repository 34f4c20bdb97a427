//! The steps of a PE in order: which entry, which step of it, which accumulator.

use std::collections::{BTreeMap, BTreeSet};

use dpu_isa::Stationary;
use dpu_trace::{Header, Vector};

use super::error::DriveError;
use super::operands::{self, Entry};
use super::{Section, check};
use crate::spec::Spec;

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// Index into [`Schedule::entries`].
    pub(crate) entry: usize,
    /// The step of the entry.
    pub(crate) step: usize,
    /// The accumulator.
    pub(crate) accumulator: u16,
    /// What the accumulator holds before.
    pub(crate) before: i32,
    /// Whether it holds no sum of this PE before.
    pub(crate) first: bool,
    /// What `acc_out` holds after it, by the trace: the accumulator at the end of a vector, in a column the sum of the first
    /// adder tree where that is complete.
    pub(crate) expect: Option<u32>,
    /// Whether the accumulators of a column are complete after it, and are added.
    pub(crate) drain: bool,
}

/// Which operand an entry has, as the machine tells them apart ("Counted events" in `docs/timing.md`): a window's of its own,
/// also where windows share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    section: usize,
    block: usize,
    /// Output position, or output channel.
    output: [u32; 2],
    /// Number among the entries of an output.
    number: usize,
}

/// The steps of a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) entries: Vec<Entry>,
    /// For each entry, where its activations and its weights are from.
    pub(crate) origins: Vec<[Origin; 2]>,
    pub(crate) steps: Vec<Planned>,
    /// The zero point in effect from this step on.
    pub(crate) zero_points: Vec<(usize, i16)>,
    /// Vectors so far.
    vectors: usize,
    /// Sections so far.
    sections: usize,
}

/// Counts the blocks of a section, and the entries of each output.
#[derive(Default)]
struct Walk {
    section: usize,
    block: usize,
    /// Entries so far of the outputs of the block, by accumulator.
    entries: BTreeMap<u16, usize>,
    /// Accumulators that have been started in the block.
    started: BTreeSet<u16>,
}

impl Walk {
    /// The origins of the next `count` entries, which are those of a vector.
    fn origins(&mut self, header: &Header, vector: &Vector, count: usize) -> Vec<[Origin; 2]> {
        if vector.first {
            if !self.started.insert(vector.accumulator) {
                self.block += 1;
                self.started = [vector.accumulator].into();
            }
            self.entries.insert(vector.accumulator, 0);
        }
        let next = self.entries.entry(vector.accumulator).or_default();
        let from = *next;
        *next += count;
        let [channel, row, column] = vector.output;
        let (section, block) = (self.section, self.block);
        let one_tap = header.tile.kernel_h == 1 && header.tile.kernel_w == 1;
        (from..from + count)
            .map(|number| {
                let acts = Origin { section, block, output: [row, column], number };
                let weights = Origin { output: [channel, 0], ..acts };
                match header.conv.stationary {
                    Stationary::Output => [acts, weights],
                    // What is resident stays over blocks.
                    Stationary::Weight => [acts, Origin { block: 0, ..weights }],
                    Stationary::Input if one_tap => [Origin { block: 0, ..acts }, weights],
                    // Windows share pixels, which are told apart by their values alone.
                    Stationary::Input => [Origin { section, ..Origin::default() }, weights],
                }
            })
            .collect()
    }
}

impl Schedule {
    pub(crate) fn of(spec: &Spec, sections: &[Section]) -> Result<Schedule, DriveError> {
        let mut schedule = Schedule::default();
        for section in sections {
            schedule.add(spec, section, &groups(&[section]))?;
        }
        Ok(schedule)
    }

    /// Adds the vectors of a section in groups of these sizes.
    pub(crate) fn add(&mut self, spec: &Spec, section: &Section, groups: &[usize]) -> Result<(), DriveError> {
        check(spec, &section.header)?;
        self.zero_points.push((self.steps.len(), section.header.conv.in_zp));
        let mut walk = Walk { section: self.sections, ..Walk::default() };
        self.sections += 1;
        let mut rest = section.vectors.as_slice();
        for &size in groups {
            let (group, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            self.group(spec, section, group, &mut walk)?;
            self.vectors += group.len();
            rest = after;
        }
        Ok(())
    }

    /// Adds vectors with the same weights, or of the same position, and different accumulators: their steps are interleaved, so
    /// that what they share is held over all of them.
    fn group(
        &mut self,
        spec: &Spec,
        section: &Section,
        group: &[Vector],
        walk: &mut Walk,
    ) -> Result<(), DriveError> {
        let index = self.vectors;
        let start = self.entries.len();
        let mut each = Vec::new();
        let mut running = Vec::new();
        for (i, vector) in group.iter().enumerate() {
            if u32::from(vector.accumulator) >= spec.accumulators {
                let (accumulator, accumulators) = (vector.accumulator, spec.accumulators);
                return Err(DriveError::Accumulator { vector: index + i, accumulator, accumulators });
            }
            let entries = operands::entries(spec, &section.header.conv, vector, index + i)?;
            let sum: i64 = entries.iter().flat_map(|entry| &entry.steps).map(|step| step.sum()).sum();
            let sum = vector.before.wrapping_add(sum as i32);
            if sum != vector.after {
                return Err(DriveError::Sum { vector: index + i, after: vector.after, sum });
            }
            running.push(vector.before);
            each.push(entries.len());
            self.origins.extend(walk.origins(&section.header, vector, entries.len()));
            self.entries.extend(entries);
        }
        let count = each.first().copied().unwrap_or(0);
        for e in 0..count {
            let steps = self.entries.get(start + e).map_or(0, |entry| entry.steps.len());
            for step in 0..steps {
                let last = e + 1 == count && step + 1 == steps;
                for (i, (vector, before)) in group.iter().zip(&mut running).enumerate() {
                    let entry = start + i * count + e;
                    let sum =
                        self.entries.get(entry).and_then(|e| e.steps.get(step)).map_or(0, |step| step.sum());
                    self.steps.push(Planned {
                        entry,
                        step,
                        accumulator: vector.accumulator,
                        before: *before,
                        first: vector.first && e == 0 && step == 0,
                        expect: last.then_some(vector.after as u32),
                        drain: false,
                    });
                    *before = before.wrapping_add(sum as i32);
                }
            }
        }
        Ok(())
    }

    /// The operands of a step.
    pub(crate) fn operands(&self, step: &Planned) -> Option<&operands::Step> {
        self.entries.get(step.entry)?.steps.get(step.step)
    }
}

/// Sizes of the groups of adjacent vectors whose steps are interleaved ("Order" in `docs/timing.md`): in every one of `pes`, which
/// have as many vectors, they have the same weights, or with resident activations the same position; and different accumulators.
pub(crate) fn groups(pes: &[&Section]) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut at = 0;
    loop {
        let rests =
            pes.iter().filter_map(|pe| Some((pe, pe.vectors.get(at..).filter(|rest| !rest.is_empty())?)));
        let sizes_of_pes = rests.map(|(pe, rest)| {
            let shares = match pe.header.conv.stationary {
                Stationary::Output | Stationary::Weight => shares_weights,
                Stationary::Input => shares_position,
            };
            let held = rest.iter().take_while(|v| rest.first().is_some_and(|first| shares(first, v)));
            distinct(rest, held.count().max(1))
        });
        let Some(size) = sizes_of_pes.min() else { return sizes };
        sizes.push(size);
        at += size;
    }
}

fn shares_weights(a: &Vector, b: &Vector) -> bool {
    a.word == b.word && a.output[0] == b.output[0] && a.code_shift == b.code_shift
}

fn shares_position(a: &Vector, b: &Vector) -> bool {
    let ([_, a @ ..], [_, b @ ..]) = (&a.output, &b.output);
    a == b
}

/// How many of the first `most` vectors have different accumulators.
fn distinct(vectors: &[Vector], most: usize) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    vectors.iter().take(most).take_while(|vector| seen.insert(vector.accumulator)).count().max(1)
}
