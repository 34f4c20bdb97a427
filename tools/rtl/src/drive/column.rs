//! Drives a column with the traces of its PEs.
//!
//! What `acc_out` must hold is the sum of the first tree's accumulators in the trace, `depth` cycles after they are complete.

use std::collections::BTreeMap;
use std::io::Read;

use dpu_trace::Reader;

use super::Section;
use super::error::DriveError;
use super::lockstep::{self, Lockstep};
use super::schedule::{Schedule, groups};
use super::timeline::{Frames, Writes, pes};
use crate::spec::Spec;
use crate::stimulus::Stimulus;

/// Reads the vectors of all PEs of a column, of which `first` is the first, at most `limit` of each, as far as those of all
/// PEs are known.
///
/// # Errors
/// When the trace cannot be read, has no vector of the column, or lacks PEs of it.
pub fn column_sections(
    trace: impl Read,
    spec: &Spec,
    first: u16,
    limit: usize,
) -> Result<Vec<Section>, DriveError> {
    let (rows, from) = (spec.rows, u32::from(first));
    if !from.is_multiple_of(rows.max(1)) {
        return Err(DriveError::FirstPe { pe: first, rows });
    }
    let pes = from..from + rows;
    let mut reader = Reader::new(trace)?;
    let mut list = Vec::new();
    let (mut counts, mut layer) = (Counts::default(), Counts::default());
    let (mut name, mut known) = (reader.header().layer.clone(), true);
    loop {
        let header = reader.header().clone();
        if let Some(pe) = pes.clone().find(|pe| header.pes.iter().all(|traced| u32::from(*traced) != *pe)) {
            return Err(DriveError::Untraced { pe, first: from, last: from + rows - 1 });
        }
        if header.layer != name {
            (name, layer, known) = (header.layer.clone(), Counts::default(), true);
        }
        let (mut vectors, mut full) = (Vec::new(), false);
        for vector in reader.by_ref() {
            let vector = vector?;
            if !pes.contains(&vector.pe.into()) {
                continue;
            }
            if counts.of(vector.pe) >= limit as u64 {
                full = true;
                continue;
            }
            counts.add(vector.pe);
            layer.add(vector.pe);
            vectors.push(vector);
        }
        let mut section = Section { header, vectors };
        let mut ended = Vec::new();
        if full {
            ended.extend(counts.reached(limit as u64));
        }
        if reader.trailer().is_some_and(|trailer| trailer.cut) {
            ended.extend(layer.reached(section.header.limit));
        }
        lockstep::complete(&mut section, &ended)?;
        if known && !section.vectors.is_empty() {
            list.push(section);
        }
        known &= ended.is_empty();
        if full || !reader.next_section()? {
            break;
        }
    }
    if list.is_empty() { Err(DriveError::NoVector(first)) } else { Ok(list) }
}

/// Vectors of each PE.
#[derive(Default)]
struct Counts(BTreeMap<u16, u64>);

impl Counts {
    fn of(&self, pe: u16) -> u64 {
        self.0.get(&pe).copied().unwrap_or(0)
    }

    fn add(&mut self, pe: u16) {
        *self.0.entry(pe).or_default() += 1;
    }

    /// The PEs that have `limit` vectors.
    fn reached(&self, limit: u64) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().filter(move |(_, count)| **count >= limit).map(|(pe, _)| *pe)
    }
}

/// The column: PEs in lockstep, all sums drained as soon as they are complete.
pub(super) fn column(spec: &Spec, sections: &[Section], frames: Frames) -> Result<Stimulus, DriveError> {
    let some = sections.iter().flat_map(|section| &section.vectors).map(|vector| vector.pe).min();
    let first = some.map_or(0, |pe| pe - (u32::from(pe) % spec.rows.max(1)) as u16);
    let mut schedules = vec![Schedule::default(); spec.rows as usize];
    let (mut depths, mut ends) = (Vec::new(), Vec::new());
    for section in sections {
        let Lockstep { pes, ends: own, joined } = lockstep::align(section, first, spec.rows)?;
        if joined > spec.tree_pes {
            let layer = section.header.layer.clone();
            return Err(DriveError::Tree { layer, joined, most: spec.tree_pes });
        }
        let steps = schedules.first().map_or(0, |schedule| schedule.steps.len());
        depths.push((steps, joined.max(1).ilog2()));
        ends.extend(own);
        let groups = groups(&pes.iter().collect::<Vec<_>>());
        for (schedule, pe) in schedules.iter_mut().zip(&pes) {
            schedule.add(spec, pe, &groups)?;
        }
    }
    let mut ends = ends.into_iter();
    let steps = schedules.first_mut().into_iter().flat_map(|schedule| &mut schedule.steps);
    for step in steps.filter(|step| step.expect.is_some()) {
        let end = ends.next().flatten();
        (step.drain, step.expect) = (end.is_some(), end.flatten());
    }
    pes(spec, (&schedules, Writes::Contents), &depths, frames)
}
