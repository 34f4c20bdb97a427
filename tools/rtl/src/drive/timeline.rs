//! When each step is taken, and what is at the input ports then.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::error::DriveError;
use super::operands::Entry;
use super::schedule::{Origin, Planned, Schedule};
use crate::netlist::{Direction, Module};
use crate::spec::Spec;
use crate::stimulus::{Cycle, InputPort, Stimulus};
use crate::units::{ACCUMULATOR, SHIFT_BITS};

/// The values at the input ports over time. A port keeps its value until it gets another one.
pub(super) struct Frames {
    ports: Vec<InputPort>,
    index: BTreeMap<String, usize>,
    changes: Vec<Vec<(usize, Bits)>>,
    expect: Vec<Option<u32>>,
}

impl Frames {
    pub(super) fn new(top: &Module) -> Frames {
        let inputs = top.ports.iter().filter(|port| port.direction == Direction::Input);
        let ports: Vec<InputPort> =
            inputs.map(|port| InputPort { name: port.name.clone(), bits: port.width }).collect();
        let index = ports.iter().enumerate().map(|(i, port)| (port.name.clone(), i)).collect();
        Frames { ports, index, changes: Vec::new(), expect: Vec::new() }
    }

    pub(super) fn reach(&mut self, cycle: usize) {
        let length = self.changes.len().max(cycle + 1);
        self.changes.resize(length, Vec::new());
        self.expect.resize(length, None);
    }

    /// Sets a port from `cycle` on; without effect where the design lacks it.
    pub(super) fn set(&mut self, cycle: usize, port: &str, value: Bits) {
        self.reach(cycle);
        if let (Some(&index), Some(changes)) = (self.index.get(port), self.changes.get_mut(cycle)) {
            changes.push((index, value));
        }
    }

    pub(super) fn number(&mut self, cycle: usize, port: &str, value: u64) {
        let width = self.index.get(port).and_then(|&i| self.ports.get(i)).map_or(0, |port| port.bits);
        let mut bits = Bits::default();
        bits.push(width, value);
        self.set(cycle, port, bits);
    }

    /// Sets a control in one cycle alone.
    pub(super) fn pulse(&mut self, cycle: usize, port: &str) {
        self.number(cycle, port, 1);
        self.reach(cycle + 1);
        // A later pulse in the next cycle overrides this: changes apply in order.
        let index = self.index.get(port).copied();
        if let (Some(index), Some(changes)) = (index, self.changes.get_mut(cycle + 1)) {
            let mut low = Bits::default();
            low.push(1, 0);
            changes.insert(0, (index, low));
        }
    }

    pub(super) fn expect(&mut self, cycle: usize, value: u32) {
        self.reach(cycle);
        if let Some(expect) = self.expect.get_mut(cycle) {
            *expect = Some(value);
        }
    }

    pub(super) fn finish(self, steps: usize) -> Stimulus {
        let mut now: Vec<Bits> = self.ports.iter().map(|port| Bits::zeros(port.bits as usize)).collect();
        let mut cycles = Vec::with_capacity(self.changes.len());
        for (changes, expect) in self.changes.into_iter().zip(self.expect) {
            for (index, value) in changes {
                if let Some(bits) = now.get_mut(index) {
                    *bits = value;
                }
            }
            let words = now.iter().flat_map(|bits| bits.words().iter().copied()).collect();
            cycles.push(Cycle { words, expect });
        }
        Stimulus { ports: self.ports, cycles, steps: steps as u64 }
    }
}

fn joined(fields: &[i64], width: u32) -> Bits {
    let mut bits = Bits::default();
    fields.iter().for_each(|&field| bits.push(width, field as u64));
    bits
}

/// The datapath: a step in each cycle, operands straight at the lanes.
pub(super) fn datapath(spec: &Spec, schedule: &Schedule, mut frames: Frames) -> Stimulus {
    let low_width = crate::units::low_bits(spec);
    let lanes = frames
        .ports
        .iter()
        .find(|port| port.name == "act")
        .map_or(0, |port| port.bits / spec.activation_bits);
    for (cycle, planned) in schedule.steps.iter().enumerate() {
        let (Some(entry), Some(step)) = (schedule.entries.get(planned.entry), schedule.operands(planned))
        else {
            continue;
        };
        let acts = step.acts.get(..lanes as usize).unwrap_or(&step.acts);
        frames.set(cycle, "act", joined(acts, spec.activation_bits));
        frames.set(cycle, "high", joined(&step.high, 8));
        frames.set(cycle, "low", joined(&step.low, low_width));
        frames.number(cycle, "mixed", entry.packed.into());
        frames.number(cycle, "shift", entry.shift.into());
        accumulate(spec, planned, cycle, &mut frames);
    }
    frames.finish(schedule.steps.len())
}

/// The accumulator's side of a step whose operands are at the lanes in `cycle`.
fn accumulate(spec: &Spec, planned: &Planned, cycle: usize, frames: &mut Frames) {
    let latency = spec.latency();
    frames.number(cycle + latency - 1, "acc_in", u64::from(planned.before as u32));
    frames.reach(cycle + latency);
    if let Some(value) = planned.expect {
        frames.expect(cycle + latency, value);
    }
}

pub(super) fn bytes(entry: &Entry, vector: usize) -> Result<Bits, DriveError> {
    let mut bits = Bits::default();
    for &act in &entry.acts {
        let byte = i8::try_from(act).map_err(|_| DriveError::Byte { vector, act })?;
        bits.push(8, u64::from(byte.cast_unsigned()));
    }
    Ok(bits)
}

/// What the control of a step has in every PE, in the cycle in which it reads its operands.
fn control(spec: &Spec, entry: &Entry, planned: &Planned, cycle: usize, frames: &mut Frames) {
    let step = if spec.steps() > 1 { planned.step as u64 } else { 0 };
    frames.number(cycle, "step_index", step);
    frames.number(cycle, "mixed", entry.packed.into());
    frames.pulse(cycle, "valid");
}

fn zero_points(schedule: &Schedule, planned: usize, cycle: usize, frames: &mut Frames) {
    if let Some((_, zero_point)) = schedule.zero_points.iter().find(|(from, _)| *from == planned) {
        frames.number(cycle, "zero_point", *zero_point as u64 & 0x1ff);
    }
}

/// A PE without register files: a step in each cycle, entries as register files would read them.
pub(super) fn core(spec: &Spec, schedule: &Schedule, mut frames: Frames) -> Result<Stimulus, DriveError> {
    let layout = crate::layout::Layout::of(spec);
    for (cycle, planned) in schedule.steps.iter().enumerate() {
        let Some(entry) = schedule.entries.get(planned.entry) else { continue };
        zero_points(schedule, cycle, cycle, &mut frames);
        control(spec, entry, planned, cycle, &mut frames);
        frames.number(cycle, "shift", entry.shift.into());
        frames.set(cycle, "if_entry", bytes(entry, planned.entry)?);
        let word =
            if spec.packed() && layout.fetched { layout.fetch(&entry.word) } else { entry.word.clone() };
        frames.set(cycle, "fl_entry", word);
        if layout.fetched && layout.placed.is_some() {
            frames.set(cycle, "fill", entry.word.clone());
        }
        let masks = layout.blocks * layout.members;
        if layout.fetched && planned.step == 0 && masks > 0 {
            frames.number(cycle, "fill_masks", entry.word.get(0, masks.min(64)));
        }
        accumulate(spec, planned, cycle + 1, &mut frames);
    }
    Ok(frames.finish(schedule.steps.len()))
}

/// What a register file is not written again for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// Contents that an entry has, whatever they are from.
    Contents,
    /// Operands that an entry has, as `docs/timing.md` counts them: every window has its own.
    Operands,
}

/// What an entry of a register file holds.
#[derive(Clone, Default)]
struct Held {
    value: Option<Bits>,
    /// Where it is from.
    origins: Vec<Origin>,
    /// The cycle in which it was written.
    written: usize,
    /// The last cycle in which it was written or read.
    used: usize,
}

/// The contents of a register file over time.
pub(super) struct File {
    name: &'static str,
    entries: Vec<Held>,
    /// The next cycle in which the write port is free.
    free: usize,
}

impl File {
    pub(super) fn new(name: &'static str, entries: u32) -> File {
        File { name, entries: vec![Held::default(); entries as usize], free: 0 }
    }

    /// The entry that holds `value` of these origins, if need be written in place of the one unused for longest, as early as
    /// possible; and the first cycle in which it can be read.
    fn provide(&mut self, value: &Bits, origins: &[Origin], frames: &mut Frames) -> (usize, usize) {
        let (at, from, written) = self.place(value, origins, frames);
        if let Some(cycle) = written {
            frames.set(cycle, &format!("{}_data", self.name), value.clone());
        }
        (at, from)
    }

    /// As [`File::provide`], but for the data; also the cycle in which they are written, if need be.
    pub(super) fn place(
        &mut self,
        value: &Bits,
        origins: &[Origin],
        frames: &mut Frames,
    ) -> (usize, usize, Option<usize>) {
        let holds = |held: &Held| held.value.as_ref() == Some(value) && held.origins == origins;
        if let Some((at, held)) = self.entries.iter().enumerate().find(|(_, held)| holds(held)) {
            return (at, held.written + 1, None);
        }
        let oldest =
            self.entries.iter_mut().enumerate().min_by_key(|(_, held)| (held.value.is_some(), held.used));
        let Some((at, held)) = oldest else { return (0, self.free, None) };
        let unused = if held.value.is_some() { held.used + 1 } else { 0 };
        let cycle = self.free.max(unused);
        *held = Held { value: Some(value.clone()), origins: origins.to_vec(), written: cycle, used: cycle };
        self.free = cycle + 1;
        frames.number(cycle, &format!("{}_write", self.name), at as u64);
        frames.pulse(cycle, &format!("{}_write_enable", self.name));
        (at, cycle + 1, Some(cycle))
    }

    /// Keeps an entry until a cycle.
    pub(super) fn hold(&mut self, at: usize, cycle: usize) {
        if let Some(held) = self.entries.get_mut(at) {
            held.used = cycle.max(held.used);
        }
    }

    pub(super) fn read(&mut self, at: usize, cycle: usize, frames: &mut Frames) {
        frames.number(cycle, &format!("{}_read", self.name), at as u64);
        self.hold(at, cycle);
    }
}

/// PEs with shared control: register files are filled through their write ports, an entry a cycle, as soon as what an entry
/// held is not needed any more; contents that are there are not written again, as far as `writes` says. All of `pes` have the
/// same steps, of which the first one's say what is expected; `depths` has the depth of the adder trees from a step on.
pub(super) fn pes(
    spec: &Spec,
    (pes, writes): (&[Schedule], Writes),
    depths: &[(usize, u32)],
    mut frames: Frames,
) -> Result<Stimulus, DriveError> {
    let mut files = [File::new("if", spec.if_entries()), File::new("fl", spec.fl_entries())];
    let Some(lead) = pes.first() else { return Ok(frames.finish(0)) };
    let (mut next, mut depth) = (0, 0);
    for (index, planned) in lead.steps.iter().enumerate() {
        if let Some((_, other)) = depths.iter().find(|(from, _)| *from == index) {
            // The sums of the layer before leave the trees first.
            next += depth as usize;
            depth = *other;
        }
        let mut entries = Vec::new();
        for pe in pes {
            entries.extend(pe.steps.get(index).and_then(|planned| pe.entries.get(planned.entry)));
        }
        let Some(entry) = entries.first() else { continue };
        let (mut contents, mut shifts) = ([Bits::default(), Bits::default()], Bits::default());
        let origins = origins(pes, index, writes);
        for entry in &entries {
            let [acts, weights] = &mut contents;
            acts.append(&bytes(entry, planned.entry)?);
            weights.append(&entry.word);
            shifts.push(SHIFT_BITS, entry.shift.into());
        }
        let mut cycle = next;
        let mut places = [0; 2];
        for (((file, content), origins), place) in
            files.iter_mut().zip(&contents).zip(&origins).zip(&mut places)
        {
            let (at, from) = file.provide(content, origins, &mut frames);
            *place = at;
            cycle = cycle.max(from);
        }
        for (file, at) in files.iter_mut().zip(places) {
            file.read(at, cycle, &mut frames);
        }
        zero_points(lead, index, cycle, &mut frames);
        control(spec, entry, planned, cycle, &mut frames);
        frames.set(cycle, "shift", shifts);
        let before = pes.iter().filter_map(|pe| Some(pe.steps.get(index)?.before.into()));
        let before: Vec<i64> = before.collect();
        let summed = cycle + spec.latency();
        frames.set(summed, "acc_init", joined(&before, ACCUMULATOR));
        accumulated(planned, summed, depth, &mut frames);
        next = cycle + 1;
    }
    Ok(frames.finish(lead.steps.len()))
}

/// Where the activations and the weights of a step are from in each PE, if that matters.
fn origins(pes: &[Schedule], step: usize, writes: Writes) -> [Vec<Origin>; 2] {
    let mut lists = [Vec::new(), Vec::new()];
    for pe in pes.iter().filter(|_| writes == Writes::Operands) {
        let of_step = pe.steps.get(step).and_then(|planned| pe.origins.get(planned.entry));
        for (list, origin) in lists.iter_mut().zip(of_step.into_iter().flatten()) {
            list.push(*origin);
        }
    }
    lists
}

/// The control of accumulators and adder trees for a step whose products are added in cycle `summed`.
fn accumulated(planned: &Planned, summed: usize, depth: u32, frames: &mut Frames) {
    let address = u64::from(planned.accumulator);
    frames.number(summed, "of_read", address);
    frames.number(summed, "first", planned.first.into());
    frames.number(summed + 1, "of_write", address);
    frames.pulse(summed + 1, "of_write_enable");
    if planned.drain {
        frames.number(summed + 1, "depth", depth.into());
        frames.pulse(summed + 1, "drain");
    }
    if let Some(value) = planned.expect {
        frames.expect(summed + 1 + depth as usize, value);
    }
}
