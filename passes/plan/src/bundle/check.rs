//! Independent checker of bundled drafts: both are followed task by task, with the bytes that constants leave in every SRAM
//! buffer. It shares no logic with the search for contents.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use dpu_isa::{Access, DmaCopy, Instr, SlotUse, Slots, Space};

use crate::draft::{Draft, Role, Task};
use crate::error::PlanError;

/// The known bytes of the SRAM, by buffer.
#[derive(Default)]
struct Known {
    bytes: BTreeMap<usize, Vec<Option<u8>>>,
    slots: Slots,
    filled: BTreeMap<u8, usize>,
}

/// One read of a task: the field, a hash of what is known of the bytes, and buffer and offset unless all of them are known.
type Read = (&'static str, u64, Option<(usize, u64)>);

/// One write of a task: the buffer, and where in it.
type Write = (usize, Access);

/// Checks that every task of `before`, except for loads of constants, is in `after`, in the same order on its engine, and reads
/// the same known bytes there.
///
/// # Errors
/// An internal error that names the task.
pub fn check(before: &Draft, after: &Draft) -> Result<(), PlanError> {
    let (old, new) = (reads(before)?, reads(after)?);
    let wrong = |what: String| PlanError::internal(format!("bundles of constants: {what}"));
    if old.len() != new.len() {
        return Err(wrong(format!("{} tasks became {}", old.len(), new.len())));
    }
    for (a, b) in old.iter().zip(&new) {
        let of = |task: &Task| task.instr.mnemonic();
        if of(a.0) != of(b.0) || a.0.layer != b.0.layer || a.1.len() != b.1.len() {
            return Err(wrong(format!("{} of layer {} became {}", of(a.0), a.0.layer, of(b.0))));
        }
        if let Some(((field, ..), _)) = a.1.iter().zip(&b.1).find(|(was, is)| was != is) {
            return Err(wrong(format!("{field} of {} of layer {} changes", of(a.0), a.0.layer)));
        }
    }
    Ok(())
}

/// The tasks of a draft other than loads of constants into the SRAM, grouped by engine, with what they read of the SRAM.
fn reads(draft: &Draft) -> Result<Vec<(&Task, Vec<Read>)>, PlanError> {
    let mut known = Known::default();
    let mut list = Vec::new();
    for (t, task) in draft.tasks.iter().enumerate() {
        let (reads, writes) = known.accesses(draft, t, task)?;
        match load(draft, task) {
            Some((copy, bytes, to)) => known.copy(draft, copy, bytes, to),
            None => {
                for (id, access) in writes {
                    known.forget(draft, id, &access);
                }
                list.push((task, reads));
            }
        }
    }
    list.sort_by_key(|(task, _)| task.instr.engine() as u8);
    Ok(list)
}

fn load<'a>(draft: &'a Draft, task: &'a Task) -> Option<(&'a DmaCopy, &'a [u8], usize)> {
    let Instr::DmaCopy(copy) = &task.instr else { return None };
    let (src, dst) = (task.buffer("src")?.index(), task.buffer("dst")?.index());
    let Role::Const(bytes) = &draft.buffers.get(src)?.role else { return None };
    (draft.buffers.get(dst)?.space == Space::Sram).then_some((copy, bytes.as_ref(), dst))
}

impl Known {
    /// What a task reads, and where it writes, in the SRAM.
    fn accesses(
        &mut self,
        draft: &Draft,
        t: usize,
        task: &Task,
    ) -> Result<(Vec<Read>, Vec<Write>), PlanError> {
        let held = self.slots.step(&task.instr).map_err(|e| PlanError::internal(e.to_string()))?;
        let footprint = task.instr.footprint(held);
        let mut owner = None;
        match task.instr.slot_use() {
            SlotUse::Fills(slot) => drop(self.filled.insert(slot, t)),
            SlotUse::Needs(slot) => owner = self.filled.get(&slot).and_then(|&t| draft.tasks.get(t)),
            SlotUse::None => {}
        }
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for access in footprint {
            let named = access.field.strip_prefix("inv.");
            let of = if named.is_some() { owner } else { Some(task) };
            let Some(id) = of.and_then(|task| task.buffer(named.unwrap_or(access.field))) else { continue };
            let id = id.index();
            if draft.buffers.get(id).is_none_or(|b| b.space != Space::Sram) {
                continue;
            }
            if access.write {
                writes.push((id, access));
                continue;
            }
            let range = index(access.lo)..index(access.end());
            let bytes = self.bytes.get(&id).and_then(|bytes| bytes.get(range));
            let mut hash = DefaultHasher::new();
            bytes.hash(&mut hash);
            let known = bytes.is_some_and(|bytes| bytes.iter().all(Option::is_some));
            reads.push((access.field, hash.finish(), (!known).then_some((id, access.lo))));
        }
        Ok((reads, writes))
    }

    /// The bytes of a buffer.
    fn of(&mut self, draft: &Draft, id: usize) -> &mut Vec<Option<u8>> {
        let size = draft.buffers.get(id).map_or(0, |buffer| index(buffer.bytes));
        self.bytes.entry(id).or_insert_with(|| vec![None; size])
    }

    fn copy(&mut self, draft: &Draft, copy: &DmaCopy, from: &[u8], to: usize) {
        let bytes = self.of(draft, to);
        let element = u64::from(copy.element);
        let count: u64 = copy.dims.iter().map(|&d| u64::from(d)).product();
        for n in 0..count {
            let (mut rest, mut src, mut dst) = (n, copy.src.offset, copy.dst.offset);
            for ((&extent, &s), &d) in copy.dims.iter().zip(&copy.src_strides).zip(&copy.dst_strides).rev() {
                let i = rest % u64::from(extent);
                rest /= u64::from(extent);
                (src, dst) = (src + i * s, dst + i * d);
            }
            for i in 0..element {
                if let (Some(&byte), Some(to)) = (from.get(index(src + i)), bytes.get_mut(index(dst + i))) {
                    *to = Some(byte);
                }
            }
        }
    }

    fn forget(&mut self, draft: &Draft, id: usize, access: &Access) {
        let bytes = self.of(draft, id);
        let range = index(access.lo)..index(access.end()).min(bytes.len());
        if let Some(bytes) = bytes.get_mut(range) {
            bytes.fill(None);
        }
    }
}

/// An offset as an index; one that exceeds memory is outside of every buffer.
fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
