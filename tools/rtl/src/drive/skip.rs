//! Drives PEs that skip zeros.
//!
//! The vectors of one output and one run of taps form slices of as many as an entry of the register files holds. A slice takes as
//! many steps as the lane with the most pairs of non-zero operands has, at least one. Its bitmaps follow from the values: an
//! activation is zero if it equals the zero point.

use std::collections::BTreeMap;

use dpu_trace::Vector;

use super::bits::Bits;
use super::error::DriveError;
use super::lockstep::Plan;
use super::operands::{self, Entry};
use super::timeline::{File, Frames, bytes};
use super::{Section, check};
use crate::spec::Spec;
use crate::stimulus::Stimulus;

/// A slice.
#[derive(Clone, Debug, Default)]
struct Slice {
    /// Bytes and bitmap of each operand: activations, weights.
    operands: [(Bits, Bits); 2],
    /// The sum of the products of each step.
    steps: Vec<i64>,
    accumulator: u16,
    before: i32,
    first: bool,
    /// The accumulator after it, by the trace, if it ends a vector.
    expect: Option<u32>,
    /// The zero point, where it is another one than before.
    zero_point: Option<i16>,
}

/// Entries of one output that are not in a slice yet.
#[derive(Default)]
struct Open {
    entries: Vec<Entry>,
    /// Vectors so far.
    vectors: u64,
    before: i32,
    first: bool,
}

/// The slices of a trace in the order in which their last vectors are.
fn slices(spec: &Spec, sections: &[Section]) -> Result<Vec<Slice>, DriveError> {
    let mut list = Vec::new();
    let mut index = 0;
    for section in sections {
        check(spec, &section.header)?;
        let plan = Plan::new(&section.header);
        let from = list.len();
        let mut open: BTreeMap<[u32; 3], Open> = BTreeMap::new();
        for vector in &section.vectors {
            add(spec, section, vector, (index, plan.own(vector.pe)), &mut open, &mut list)?;
            index += 1;
        }
        if let Some(slice) = list.get_mut(from) {
            slice.zero_point = Some(section.header.conv.in_zp);
        }
    }
    Ok(list)
}

/// Adds a vector to those of its output, which become a slice where the entry is full, a run of `own` vectors ends, or the
/// output is complete. What the trace does not complete is left out.
fn add(
    spec: &Spec,
    section: &Section,
    vector: &Vector,
    (index, own): (usize, u64),
    open: &mut BTreeMap<[u32; 3], Open>,
    list: &mut Vec<Slice>,
) -> Result<(), DriveError> {
    if u32::from(vector.accumulator) >= spec.accumulators {
        let (accumulator, accumulators) = (vector.accumulator, spec.accumulators);
        return Err(DriveError::Accumulator { vector: index, accumulator, accumulators });
    }
    let entries = operands::entries(spec, &section.header.conv, vector, index)?;
    let sum: i64 = entries.iter().flat_map(|entry| &entry.steps).map(operands::Step::sum).sum();
    let sum = vector.before.wrapping_add(sum as i32);
    if sum != vector.after {
        return Err(DriveError::Sum { vector: index, after: vector.after, sum });
    }
    let of_output = open.entry(vector.output).or_default();
    if of_output.entries.is_empty() {
        (of_output.before, of_output.first) = (vector.before, vector.first);
    }
    of_output.vectors += 1;
    let ends = vector.last || of_output.vectors.checked_rem(own).unwrap_or(0) == 0;
    let count = entries.len();
    for (i, entry) in entries.into_iter().enumerate() {
        of_output.entries.push(entry);
        let done = i + 1 == count;
        if of_output.entries.len() == spec.slice_vectors() as usize || done && ends {
            let mut slice = slice(spec, section.header.conv.in_zp, of_output, index)?;
            slice.accumulator = vector.accumulator;
            slice.expect = done.then_some(vector.after as u32);
            let sum: i64 = slice.steps.iter().sum();
            (of_output.before, of_output.first) = (slice.before.wrapping_add(sum as i32), false);
            of_output.entries.clear();
            list.push(slice);
        }
    }
    Ok(())
}

/// The operands of a slice and the steps that they take.
fn slice(spec: &Spec, zero_point: i16, open: &Open, index: usize) -> Result<Slice, DriveError> {
    let (lanes, vectors) = (spec.lanes as usize, spec.slice_vectors() as usize);
    let mut pairs: Vec<Vec<i64>> = vec![Vec::new(); lanes];
    let mut operands = [(); 2].map(|()| (Bits::zeros(8 * lanes * vectors), Bits::zeros(lanes * vectors)));
    for (v, entry) in open.entries.iter().enumerate() {
        let stored = [bytes(entry, index)?, entry.word.clone()];
        for (lane, pairs) in pairs.iter_mut().enumerate() {
            let at = v * lanes + lane;
            let act = entry.acts.get(lane).copied().unwrap_or(zero_point);
            let step = entry.steps.first();
            let weight = step.and_then(|step| step.weights.get(lane)).copied().unwrap_or(0);
            let some = [act != zero_point, weight != 0];
            for (((data, map), stored), some) in operands.iter_mut().zip(&stored).zip(some) {
                data.set(8 * at, 8, stored.get(8 * lane, 8));
                map.set(at, 1, some.into());
            }
            if some == [true; 2] {
                pairs.push((i64::from(act) - i64::from(zero_point)) * weight);
            }
        }
    }
    let count = pairs.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let steps = (0..count).map(|k| pairs.iter().filter_map(|lane| lane.get(k)).sum()).collect();
    Ok(Slice { operands, steps, before: open.before, first: open.first, ..Slice::default() })
}

/// A PE without register files: each slice is loaded in the last step of the one before.
pub(super) fn core(spec: &Spec, sections: &[Section], mut frames: Frames) -> Result<Stimulus, DriveError> {
    let (mut load, mut steps) = (0, 0);
    for slice in slices(spec, sections)? {
        let [(acts, act_map), (weights, weight_map)] = &slice.operands;
        frames.pulse(load, "load");
        frames.set(load, "if_map", act_map.clone());
        frames.set(load, "fl_map", weight_map.clone());
        frames.set(load + 1, "if_entry", acts.clone());
        frames.set(load + 1, "fl_entry", weights.clone());
        let mut before = slice.before;
        for (cycle, sum) in (load + spec.latency() + 1..).zip(&slice.steps) {
            frames.number(cycle, "acc_in", u64::from(before as u32));
            before = before.wrapping_add(*sum as i32);
        }
        (load, steps) = taken(spec, &slice, load, steps, &mut frames);
    }
    Ok(frames.finish(steps))
}

/// What every PE has from a slice that is loaded in cycle `load`; returns when the next one can be loaded, and the steps so far.
fn taken(spec: &Spec, slice: &Slice, load: usize, steps: usize, frames: &mut Frames) -> (usize, usize) {
    if let Some(zero_point) = slice.zero_point {
        frames.number(load + 1, "zero_point", zero_point as u64 & 0x1ff);
    }
    let last = load + slice.steps.len();
    frames.reach(last + spec.latency() + 1);
    if let Some(value) = slice.expect {
        frames.expect(last + spec.latency() + 1, value);
    }
    (last, steps + slice.steps.len())
}

/// A PE: entries are written, one a cycle, as soon as what an entry held is not needed any more.
pub(super) fn pe(spec: &Spec, sections: &[Section], mut frames: Frames) -> Result<Stimulus, DriveError> {
    let names = ["if", "fl"];
    let mut files = [File::new("if", spec.if_slices()), File::new("fl", spec.fl_slices())];
    let (mut next, mut steps) = (0, 0);
    for slice in slices(spec, sections)? {
        let (mut load, mut places) = (next, [0; 2]);
        for (i, (file, (data, map))) in files.iter_mut().zip(&slice.operands).enumerate() {
            let mut content = data.clone();
            content.append(map);
            let (at, from, written) = file.place(&content, &[], &mut frames);
            if let (Some(cycle), Some(name)) = (written, names.get(i)) {
                frames.set(cycle, &format!("{name}_data"), data.clone());
                frames.set(cycle, &format!("{name}_map"), map.clone());
            }
            if let Some(place) = places.get_mut(i) {
                *place = at;
            }
            load = load.max(from);
        }
        for (file, at) in files.iter_mut().zip(places) {
            file.read(at, load, &mut frames);
            file.hold(at, load + slice.steps.len());
        }
        frames.pulse(load, "load");
        frames.number(load, "accumulator", slice.accumulator.into());
        frames.number(load, "first", slice.first.into());
        frames.number(load + spec.latency() + 1, "acc_init", u64::from(slice.before as u32));
        (next, steps) = taken(spec, &slice, load, steps, &mut frames);
    }
    Ok(frames.finish(steps))
}
