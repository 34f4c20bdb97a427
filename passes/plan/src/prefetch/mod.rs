//! Prefetching of constants: the weights of a layer are loaded while earlier layers compute.
//!
//! Invariant: the tasks of every engine keep their order, and a load moves only past tasks that do not access the buffer it
//! fills, so the list computes the same.

mod choice;

use std::collections::BTreeMap;

use dpu_isa::{Instr, Space};

use crate::alloc::{self, live_ranges};
use crate::deps::{ENGINES, engine_index};
use crate::draft::{Draft, Role, Task};
use crate::error::PlanError;
use crate::tile::round_up;

pub(crate) use choice::cycles;
pub use choice::{Limits, Prefetch, choose};

/// Maximum number of tasks that a load is moved past.
const REACH: usize = 256;

/// The tasks of a draft, by index, with loads of constants into SRAM buffers that are not in use yet moved to the front, as far
/// as the order of their engine and `sram` bytes allow. Layers that `may_move` excludes keep theirs.
///
/// # Errors
/// An internal error if a task names a buffer that does not exist.
fn order(draft: &Draft, sram: u64, may_move: impl Fn(u32) -> bool) -> Result<Vec<usize>, PlanError> {
    let live = live_ranges(&draft.buffers, &draft.tasks)?;
    let mut used = used(draft, &live);
    // Destination of each task: before the task at this index.
    let mut place: Vec<usize> = (0..draft.tasks.len()).collect();
    let mut earliest = [0usize; ENGINES];
    for (i, task) in draft.tasks.iter().enumerate() {
        let engine = engine_index(task.instr.engine()).map_or(0, usize::from);
        let first = earliest.get(engine).copied().unwrap_or(0).max(i.saturating_sub(REACH));
        let mut to = i;
        let first_use = |id| live.get(id).copied().flatten().map(|l: alloc::Live| l.first);
        if let Some(bytes) = fresh_load(draft, task, first_use, i).filter(|_| may_move(task.layer)) {
            while to > first && used.get(to - 1).is_some_and(|u| u.saturating_add(bytes) <= sram) {
                to -= 1;
            }
            for at in used.iter_mut().take(i).skip(to) {
                *at = at.saturating_add(bytes);
            }
        }
        if let Some(place) = place.get_mut(i) {
            *place = to;
        }
        if let Some(earliest) = earliest.get_mut(engine) {
            *earliest = if to < i { to } else { i + 1 };
        }
    }
    // A moved task precedes the one that was there; tasks moved to the same index keep their order.
    let mut order: Vec<usize> = (0..place.len()).collect();
    order.sort_by_key(|&i| place.get(i).map(|&to| (to, to == i, i)));
    Ok(order)
}

/// The SRAM bytes of the buffers that are live at each task.
fn used(draft: &Draft, live: &[Option<alloc::Live>]) -> Vec<u64> {
    let mut changes = vec![0i128; draft.tasks.len() + 1];
    for (buffer, range) in draft.buffers.iter().zip(live) {
        let Some(range) = range.filter(|_| buffer.space == Space::Sram) else { continue };
        let bytes = i128::from(round_up(buffer.bytes));
        for (at, change) in [(range.first as usize, bytes), (range.last as usize + 1, -bytes)] {
            if let Some(sum) = changes.get_mut(at) {
                *sum += change;
            }
        }
    }
    let sums = changes.iter().take(draft.tasks.len()).scan(0i128, |sum, change| {
        *sum += change;
        Some(u64::try_from(*sum).unwrap_or(u64::MAX))
    });
    sums.collect()
}

/// Tasks in another order.
fn permuted(tasks: &[Task], order: &[usize]) -> Vec<Task> {
    order.iter().filter_map(|&i| tasks.get(i).cloned()).collect()
}

/// Checks an order against the previous one: every engine has the same task sequence, and so has every buffer that is written.
///
/// # Errors
/// An internal error that names the engine or the buffer.
pub fn check(draft: &Draft, before: &[Task]) -> Result<(), PlanError> {
    let (old, mut new) = (by_owner(draft, before), by_owner(draft, &draft.tasks));
    let differs = old.iter().find(|(owner, tasks)| new.remove(owner).as_ref() != Some(tasks));
    let owner = differs.map(|(owner, _)| *owner).or_else(|| new.keys().next().copied());
    owner.map_or(Ok(()), |(kind, index)| {
        Err(PlanError::internal(format!("prefetching changes the order of {kind} {index}")))
    })
}

/// The tasks of every engine and of every buffer other than constants.
fn by_owner<'a>(draft: &Draft, tasks: &'a [Task]) -> BTreeMap<(&'static str, usize), Vec<&'a Task>> {
    let mut owners: BTreeMap<(&'static str, usize), Vec<&Task>> = BTreeMap::new();
    for task in tasks {
        let engine = engine_index(task.instr.engine()).map_or(ENGINES, usize::from);
        owners.entry(("engine", engine)).or_default().push(task);
        for (_, id) in &task.bufs {
            let role = draft.buffers.get(id.index()).map(|b| &b.role);
            if !matches!(role, Some(Role::Const(_))) {
                owners.entry(("buffer", id.index())).or_default().push(task);
            }
        }
    }
    owners
}

/// Bytes of the SRAM buffer that task `i` fills with a constant before anything else accesses it.
fn fresh_load(draft: &Draft, task: &Task, first: impl Fn(usize) -> Option<u32>, i: usize) -> Option<u64> {
    let Instr::DmaCopy(_) = task.instr else { return None };
    let (src, dst) = (task.buffer("src")?, task.buffer("dst")?);
    let from = draft.buffers.get(src.index())?;
    let to = draft.buffers.get(dst.index())?;
    let fresh = first(dst.index()) == u32::try_from(i).ok();
    (fresh && matches!(from.role, Role::Const(_)) && to.space == Space::Sram).then(|| round_up(to.bytes))
}

#[cfg(test)]
mod tests {
    use dpu_isa::{DmaCopy, MemAddr, VecUnary};

    use super::*;

    /// Load and compute alternate, on separate buffers.
    fn draft(layers: usize) -> Draft {
        let mut draft = Draft::new();
        draft.layer("all", "test", 0, 0).unwrap();
        for _ in 0..layers {
            let from = draft.constant(vec![0; 64]).unwrap();
            let to = draft.sram(64).unwrap();
            let load = DmaCopy {
                element: 16,
                dims: [1, 1, 1, 1, 1, 4],
                dst: MemAddr::sram(0),
                ..DmaCopy::default()
            };
            draft.push(load.into(), &[("src", from), ("dst", to)]).unwrap();
            draft.push(VecUnary::default().into(), &[("src", to), ("out", to)]).unwrap();
        }
        draft
    }

    fn loads(draft: &Draft) -> Vec<bool> {
        draft.tasks.iter().map(|t| matches!(t.instr, Instr::DmaCopy(_))).collect()
    }

    #[test]
    fn loads_go_ahead_as_far_as_there_is_room() {
        for (sram, expected) in [
            (64, [true, false, true, false, true, false]),
            (128, [true, true, false, true, false, false]),
            (192, [true, true, true, false, false, false]),
        ] {
            let mut draft = draft(3);
            let order = order(&draft, sram, |_| true).unwrap();
            let before = std::mem::take(&mut draft.tasks);
            draft.tasks = permuted(&before, &order);
            assert_eq!(check(&draft, &before), Ok(()));
            assert_eq!(loads(&draft), expected, "{sram}");
        }
    }

    #[test]
    fn the_checker_sees_tasks_that_changed_places() {
        let before = draft(2);
        let mut after = before.clone();
        after.tasks.swap(1, 2);
        assert_eq!(check(&after, &before.tasks), Ok(()));
        after.tasks.swap(0, 1);
        assert!(check(&after, &before.tasks).is_err());
    }
}
