//! Constants are bundled: loaded together, in few transfers, at the program's start.
//!
//! Every transfer from the DRAM pays its latency, so a network of many small constants waits for latencies above all. A bundle is
//! one constant of the DRAM and one buffer of the SRAM that hold the contents of many buffers, as far as loads of constants
//! determine them; a single transfer replaces these loads. Invariant: every task reads the bytes that it read before.

mod check;
mod choice;
mod find;

use std::collections::{BTreeMap, BTreeSet};

use dpu_isa::{FieldKind, Instr, Machine, MemAddr};

use crate::dma::At;
use crate::draft::{BufferId, Draft, Role, Task};
use crate::error::PlanError;
use crate::movement::{LOAD_ENGINE, copy, store_engine};
use crate::strategy::BundleStrategy;
use crate::tile::budget::Budget;
use find::{Content, Use};

pub use check::check;
pub(crate) use choice::choose;

/// Alignment of what a bundle holds, in bytes, at least.
const ALIGN: u64 = 16;

/// A bundle while it is filled.
#[derive(Default)]
struct Bundle {
    bytes: Vec<u8>,
    /// The first task that reads it.
    first: usize,
}

/// The places of equal contents: bundle and offset.
#[derive(Default)]
struct Equal {
    places: Vec<(usize, u64)>,
    /// Which of them contents of a layer have, by the constants that they come from.
    taken: BTreeMap<(u32, Vec<BufferId>), usize>,
}

/// The places of contents in bundles.
struct Places {
    align: u64,
    told: BundleStrategy,
    bundles: Vec<Bundle>,
    known: BTreeMap<Vec<u8>, Equal>,
}

impl Places {
    /// The place of a content: that of an equal one of another layer, or a new one. Within a layer, constants stay apart, so
    /// that an audit of the program counts every weight.
    fn place(&mut self, draft: &Draft, content: &Content, bytes: Vec<u8>) -> (usize, u64) {
        let loads: Vec<&Task> = content.loads.iter().filter_map(|&load| draft.tasks.get(load)).collect();
        let layer = loads.first().map_or(0, |load| load.layer);
        let sources = loads.iter().filter_map(|load| load.buffer("src")).collect();
        let equal = self.known.entry(bytes.clone()).or_default();
        let next = equal.taken.keys().filter(|(l, _)| *l == layer).count();
        let index = *equal.taken.entry((layer, sources)).or_insert(next);
        if let Some(place) = equal.places.get(index) {
            return *place;
        }
        let most = if self.bundles.len() == 1 { self.told.first_bytes } else { self.told.transfer_bytes };
        let align = self.align;
        let start = |b: &Bundle| (b.bytes.len() as u64).next_multiple_of(align);
        let end = |b: &Bundle| (start(b) + bytes.len() as u64).next_multiple_of(ALIGN);
        let full = |b: &Bundle| !b.bytes.is_empty() && end(b) > most;
        if self.bundles.last().is_none_or(full) {
            self.bundles.push(Bundle { bytes: Vec::new(), first: content.first });
        }
        let last = self.bundles.len().saturating_sub(1);
        let Some(bundle) = self.bundles.last_mut() else { return (0, 0) };
        let at = start(bundle);
        bundle.bytes.resize(usize::try_from(at).unwrap_or(usize::MAX), 0);
        bundle.bytes.extend(&bytes);
        equal.places.push((last, at));
        (last, at)
    }
}

/// A draft with its constants bundled.
enum Bundled {
    /// There is nothing to bundle.
    Nothing,
    /// The bundles take more than the SRAM.
    TooLarge,
    /// The draft.
    Draft(Draft),
}

/// The draft with those of its known `contents` bundled that `told` says.
///
/// # Errors
/// An internal error for a draft that is not legal; a resource error if there are too many buffers.
fn bundled(
    draft: &Draft,
    contents: &[Vec<Content>],
    machine: &Machine,
    told: BundleStrategy,
) -> Result<Bundled, PlanError> {
    let align = ALIGN.max(machine.sram_granule.into());
    // All contents of a buffer or none: one may use bytes that an earlier one left there.
    let small = |of: &&Vec<Content>| of.iter().all(|content| content.bytes() <= told.constant_bytes);
    let small: Vec<&Vec<Content>> = contents.iter().filter(small).collect();
    let total = small.iter().copied().flatten().fold(0u64, |sum, of| sum.saturating_add(of.bytes()));
    if total > machine.sram_bytes {
        return Ok(Bundled::TooLarge);
    }
    let mut found = Vec::new();
    for contents in small {
        let bytes = contents.iter().map(|content| movable(draft, content, align));
        if let Some(bytes) = bytes.collect::<Option<Vec<_>>>() {
            found.extend(contents.iter().zip(bytes));
        }
    }
    found.sort_by_key(|(content, _)| (content.first, content.buffer));
    let mut places = Places { align, told, bundles: Vec::new(), known: BTreeMap::new() };
    let mut moves: BTreeMap<Use, (usize, i64)> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for (content, (bytes, from)) in found {
        let (bundle, at) = places.place(draft, content, bytes);
        let shift = i64::try_from(at).unwrap_or(i64::MAX).saturating_sub_unsigned(from);
        moves.extend(content.uses.iter().map(|&user| (user, (bundle, shift))));
        gone.extend(content.loads.iter().copied());
    }
    if gone.len() <= places.bundles.len() {
        return Ok(Bundled::Nothing);
    }
    let mut result =
        Draft { buffers: draft.buffers.clone(), tasks: Vec::new(), layers: draft.layers.clone() };
    let loads = loads(&mut result, draft, machine, places.bundles)?;
    let mut tasks = Vec::with_capacity(draft.tasks.len());
    for (t, task) in draft.tasks.iter().enumerate().filter(|(t, _)| !gone.contains(t)) {
        let mut task = task.clone();
        for (&(_, field), &(bundle, shift)) in moves.range((t, 0)..=(t, usize::MAX)) {
            let no_bundle = || PlanError::internal("a constant in a bundle that does not exist");
            let (_, id) = loads.get(bundle).ok_or_else(no_bundle)?;
            rebind(&mut task, field, *id, shift)?;
        }
        tasks.push((t, task));
    }
    let firsts: Vec<usize> = loads.iter().map(|(first, _)| *first).collect();
    result.tasks = arranged(std::mem::take(&mut result.tasks), &firsts, tasks);
    Ok(Bundled::Draft(result))
}

/// The bytes of a content from an aligned offset on, if all are known.
fn movable(draft: &Draft, content: &Content, align: u64) -> Option<(Vec<u8>, u64)> {
    let (from, to) = content.read;
    let from = from / align * align;
    let buffer = draft.buffers.get(content.buffer.index())?;
    if to > buffer.bytes || buffer.align > align {
        return None;
    }
    Some((find::bytes(draft, content, (from, to))?, from))
}

/// Makes the buffers of the bundles, and the tasks that load them; returns for each its first use and its SRAM buffer.
///
/// Each goes to the DMA engine that ends its earlier loads first, so that the latency of one is hidden behind the data of
/// another. The loading engine begins with the inputs.
fn loads(
    result: &mut Draft,
    draft: &Draft,
    machine: &Machine,
    bundles: Vec<Bundle>,
) -> Result<Vec<(usize, BufferId)>, PlanError> {
    let budget = Budget::of(machine);
    let inputs = draft.buffers.iter().filter(|b| matches!(b.role, Role::Input { .. }));
    let inputs = inputs.fold(0u64, |sum, b| sum.saturating_add(b.bytes));
    let mut ends = [(budget.dma_cycles(inputs, 1), LOAD_ENGINE), (0, store_engine(machine))];
    let mut made = Vec::with_capacity(bundles.len());
    for mut bundle in bundles {
        let size = (bundle.bytes.len() as u64).next_multiple_of(ALIGN);
        bundle.bytes.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        let from = result.constant(bundle.bytes)?;
        let to = result.sram(size)?;
        let [first, second] = &mut ends;
        let (end, engine) = if first.0 < second.0 { first } else { second };
        *end = end.saturating_add(budget.dma_cycles(size, 1));
        let at = |buffer| At { buffer, offset: 0 };
        copy(result, *engine, at(from), at(to), &[], size)?;
        if let (Some(load), Some(user)) = (result.tasks.last_mut(), draft.tasks.get(bundle.first)) {
            load.layer = user.layer;
        }
        made.push((bundle.first, to));
    }
    Ok(made)
}

/// The list of all tasks: the loads of bundles first, but for those of the loading engine, which follow its first task.
fn arranged(loads: Vec<Task>, firsts: &[usize], tasks: Vec<(usize, Task)>) -> Vec<Task> {
    let input = tasks.iter().find(|(_, task)| task.instr.engine() == dpu_isa::Engine::Dma0);
    let input = input.map_or(0, |(t, _)| t + 1);
    // Tasks keep their index, loads precede the task of theirs.
    let place = |load: &Task, first: usize| match load.instr.engine() {
        dpu_isa::Engine::Dma0 if loads.len() > 1 => input.min(first),
        _ => 0,
    };
    let places: Vec<usize> = loads.iter().zip(firsts).map(|(load, &first)| place(load, first)).collect();
    let mut list: Vec<(usize, bool, Task)> =
        loads.into_iter().zip(places).map(|(load, at)| (at, false, load)).collect();
    list.extend(tasks.into_iter().map(|(t, task)| (t, true, task)));
    list.sort_by_key(|(at, own, _)| (*at, *own));
    list.into_iter().map(|(_, _, task)| task).collect()
}

/// Points an address field into an SRAM buffer, `shift` bytes further than before.
fn rebind(task: &mut Task, field: usize, buffer: BufferId, shift: i64) -> Result<(), PlanError> {
    let desc = task.instr.desc();
    let broken = || PlanError::internal(format!("a bundled operand of {}, field {field}", desc.mnemonic));
    let kind = desc.fields.get(field).ok_or_else(broken)?.kind;
    let position = desc.fields.iter().take(field).map(|f| f.count).sum::<usize>();
    let mut raw = task.instr.raw_fields();
    let value = raw.get_mut(position).ok_or_else(broken)?;
    let offset = match kind {
        FieldKind::Mem => *value & ((1 << MemAddr::OFFSET_BITS) - 1),
        _ => *value,
    };
    let moved = offset.checked_add(shift).ok_or_else(broken)?;
    *value = match kind {
        FieldKind::Mem => moved | (1 << MemAddr::OFFSET_BITS),
        _ => moved,
    };
    task.instr = Instr::from_raw(desc, &raw).map_err(|e| PlanError::internal(e.to_string()))?;
    let (_, id) = task.bufs.iter_mut().find(|(index, _)| *index == field).ok_or_else(broken)?;
    *id = buffer;
    Ok(())
}
