//! Contents of SRAM buffers that are known before the program runs: what loads of constants put there, and who reads it.
//!
//! A buffer that several constants fill in turn has a *content* for each turn. Invariant: between the loads of a content and its
//! last use, no other task writes the buffer.

use std::collections::BTreeMap;

use dpu_isa::{Access, DmaCopy, Instr, SlotUse, Slots, Space};

use crate::draft::{BufferId, Draft, Role, Task};
use crate::error::PlanError;

/// An address field of a task: the task's index, and the field's index in its descriptor.
pub(super) type Use = (usize, usize);

/// A known content of an SRAM buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// The buffer.
    pub(super) buffer: BufferId,
    /// The tasks that load it.
    pub(super) loads: Vec<usize>,
    /// The address fields through which it is read.
    pub(super) uses: Vec<Use>,
    /// The first task that reads it.
    pub(super) first: usize,
    /// The bytes that may be read: from, to.
    pub(super) read: (u64, u64),
}

impl Content {
    /// The number of bytes that may be read.
    pub(super) fn bytes(&self) -> u64 {
        self.read.1.saturating_sub(self.read.0)
    }
}

/// What is known about a buffer while tasks are followed.
#[derive(Clone, Debug, Default)]
struct Track {
    contents: Vec<Content>,
    /// A task other than a load of a constant writes it, or one reads it before it is loaded.
    unknown: bool,
}

/// The known contents of each buffer that are read.
///
/// # Errors
/// An internal error for a variant without its invariant.
pub(super) fn contents(draft: &Draft) -> Result<Vec<Vec<Content>>, PlanError> {
    let mut tracks = vec![Track::default(); draft.buffers.len()];
    let mut users: BTreeMap<Use, usize> = BTreeMap::new();
    let (mut slots, mut filled) = (Slots::default(), BTreeMap::new());
    for (t, task) in draft.tasks.iter().enumerate() {
        let held = slots.step(&task.instr).map_err(|e| PlanError::internal(format!("task {t}: {e}")))?;
        let mut accesses = task.instr.footprint(held);
        let invariant = match task.instr.slot_use() {
            SlotUse::Fills(slot) => filled.insert(slot, t),
            SlotUse::Needs(slot) => filled.get(&slot).copied(),
            SlotUse::None => None,
        };
        accesses.sort_by_key(|access| access.write);
        let is_load = constant_load(draft, task).is_some();
        for access in &accesses {
            let Some((user, id)) = bound(draft, t, invariant, access) else { continue };
            let scratch = |b: &&crate::Buffer| b.space == Space::Sram && b.role == Role::Scratch;
            let Some(track) =
                draft.buffers.get(id.index()).filter(scratch).and_then(|_| tracks.get_mut(id.index()))
            else {
                continue;
            };
            match (access.write, is_load) {
                (true, true) => track.load(id, t),
                (true, false) => track.unknown = true,
                (false, _) => track.read(t, user, access, &mut users),
            }
        }
    }
    let known = tracks.into_iter().filter(|track| !track.unknown && !track.contents.is_empty());
    let read = |mut track: Track| {
        track.contents.retain(|content| !content.uses.is_empty());
        track.contents
    };
    Ok(known.map(read).collect())
}

impl Track {
    fn load(&mut self, buffer: BufferId, task: usize) {
        match self.contents.last_mut() {
            Some(content) if content.uses.is_empty() => content.loads.push(task),
            _ => self.contents.push(Content {
                buffer,
                loads: vec![task],
                uses: Vec::new(),
                first: usize::MAX,
                read: (u64::MAX, 0),
            }),
        }
    }

    /// Notes a read. A field that reads one content now and another later cannot be given a place of its own.
    fn read(&mut self, task: usize, user: Use, access: &Access, users: &mut BTreeMap<Use, usize>) {
        let current = self.contents.len();
        let before = *users.entry(user).or_insert(current);
        let Some(content) = self.contents.last_mut().filter(|_| before == current) else {
            self.unknown = true;
            return;
        };
        if !content.uses.contains(&user) {
            content.uses.push(user);
        }
        content.first = content.first.min(task);
        let (from, to) = content.read;
        content.read = (from.min(access.lo), to.max(access.end()));
    }
}

/// The address field behind an access of task `t`, which may be one of its invariant, and the buffer it points into.
fn bound(draft: &Draft, t: usize, invariant: Option<usize>, access: &Access) -> Option<(Use, BufferId)> {
    let (owner, name) = match access.field.strip_prefix("inv.") {
        Some(name) => (invariant?, name),
        None => (t, access.field),
    };
    let task = draft.tasks.get(owner)?;
    let field = task.instr.desc().fields.iter().position(|f| f.name == name)?;
    let (_, id) = task.bufs.iter().find(|(index, _)| *index == field)?;
    Some(((owner, field), *id))
}

/// The copy of a constant into an SRAM buffer, and the constant's bytes.
fn constant_load<'a>(draft: &'a Draft, task: &'a Task) -> Option<(&'a DmaCopy, &'a [u8])> {
    let Instr::DmaCopy(copy) = &task.instr else { return None };
    let buffer = |name| draft.buffers.get(task.buffer(name)?.index());
    let (from, to) = (buffer("src")?, buffer("dst")?);
    match &from.role {
        Role::Const(bytes) if to.space == Space::Sram => Some((copy, bytes)),
        _ => None,
    }
}

/// The bytes `range` of a content; `None` if one of them is not loaded, or none of a constant is there.
pub(super) fn bytes(draft: &Draft, content: &Content, range: (u64, u64)) -> Option<Vec<u8>> {
    let (from, to) = range;
    let size = usize::try_from(to.checked_sub(from)?).ok()?;
    let (mut image, mut loaded) = (vec![0u8; size], vec![false; size]);
    for &load in &content.loads {
        let (copy, constant) = constant_load(draft, draft.tasks.get(load)?)?;
        rows(copy, |src, dst, len| {
            // What of the row is in the range.
            let (start, end) = (dst.max(from), dst.saturating_add(len).min(to));
            let span = |from: u64, base: u64| -> Option<std::ops::Range<usize>> {
                let first = usize::try_from(from.checked_sub(base)?).ok()?;
                Some(first..first.checked_add(usize::try_from(end.checked_sub(start)?).ok()?)?)
            };
            let source = span(src.saturating_add(start.saturating_sub(dst)), 0);
            let (Some(source), Some(target)) = (source.and_then(|at| constant.get(at)), span(start, from))
            else {
                return;
            };
            if let (Some(to), Some(flags)) = (image.get_mut(target.clone()), loaded.get_mut(target)) {
                to.copy_from_slice(source);
                flags.fill(true);
            }
        });
    }
    let (first, last) = content.read;
    let read =
        usize::try_from(first.checked_sub(from)?).ok()?..usize::try_from(last.checked_sub(from)?).ok()?;
    loaded.get(read)?.iter().all(|&flag| flag).then_some(image)
}

/// Calls `row` with source, destination and length in bytes of every contiguous row of a copy.
fn rows(copy: &DmaCopy, mut row: impl FnMut(u64, u64, u64)) {
    let element = u64::from(copy.element);
    let [outer @ .., last] = copy.dims;
    let ([src @ .., src_last], [dst @ .., dst_last]) = (copy.src_strides, copy.dst_strides);
    let joined = (src_last, dst_last) == (element, element);
    let (repeats, step) = if joined { (1, element * u64::from(last)) } else { (u64::from(last), element) };
    let mut index = [0u32; 5];
    loop {
        let at = |base: u64, strides: &[u64; 5]| {
            index
                .iter()
                .zip(strides)
                .fold(base, |at, (&i, &s)| at.saturating_add(u64::from(i).saturating_mul(s)))
        };
        let (from, to) = (at(copy.src.offset, &src), at(copy.dst.offset, &dst));
        for i in 0..repeats {
            row(from.saturating_add(i * src_last), to.saturating_add(i * dst_last), step);
        }
        // The next index, the last dimension fastest.
        let mut moved = false;
        for (i, &extent) in index.iter_mut().zip(&outer).rev() {
            *i += 1;
            if *i < extent {
                moved = true;
                break;
            }
            *i = 0;
        }
        if !moved {
            return;
        }
    }
}
