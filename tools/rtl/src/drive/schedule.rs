//! The steps of a PE in order: which entry, which step of it, which accumulator.

use dpu_trace::Vector;

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

/// The steps of a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) entries: Vec<Entry>,
    pub(crate) steps: Vec<Planned>,
    /// The zero point in effect from this step on.
    pub(crate) zero_points: Vec<(usize, i16)>,
    /// Vectors so far.
    vectors: usize,
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
        let mut rest = section.vectors.as_slice();
        for &size in groups {
            let (group, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            self.group(spec, section, group, self.vectors)?;
            self.vectors += group.len();
            rest = after;
        }
        Ok(())
    }

    /// Adds vectors with the same weights and different accumulators: their steps are interleaved, so that each step's weights
    /// are held over all of them.
    fn group(
        &mut self,
        spec: &Spec,
        section: &Section,
        group: &[Vector],
        index: usize,
    ) -> Result<(), DriveError> {
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

/// Sizes of the groups of adjacent vectors whose steps are interleaved: in every one of `pes`, which have as many vectors, they
/// have the same weights, and different accumulators.
pub(crate) fn groups(pes: &[&Section]) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut at = 0;
    loop {
        let rests = || pes.iter().filter_map(|pe| pe.vectors.get(at..).filter(|rest| !rest.is_empty()));
        let sizes_of_pes = rests().map(|rest| {
            let held = rest.iter().take_while(|v| rest.first().is_some_and(|first| shares_weights(first, v)));
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

/// How many of the first `most` vectors have different accumulators.
fn distinct(vectors: &[Vector], most: usize) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    vectors.iter().take(most).take_while(|vector| seen.insert(vector.accumulator)).count().max(1)
}
