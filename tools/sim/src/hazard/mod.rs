//! Detects reads of unwritten memory and accesses that no barrier orders, byte by byte and without false
//! alarms.
//!
//! Order is happens-before, kept in vector clocks: an engine's tasks are ordered among themselves; a task comes
//! after all that posted to the barriers it waits for; and a task comes after whatever an earlier `bar_cfg` of the
//! stream waited for, since dispatch is in order. The finite size of FIFOs orders nothing here: it is a property
//! of one machine, not of the program. Every instruction runs once, so its position in the stream identifies the
//! task, and one number per byte (its last writer, or its last reader for each engine) is its whole history: a
//! task ordered after the last access is ordered after the earlier ones.

mod origins;
mod shadow;

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dpu_isa::Space;
use strum_files::OverLimit;
use strum_files::budget::{self, Claim};

use crate::region::Region;
use origins::Origins;
use shadow::Shadow;

pub(crate) use origins::{Constancy, Purpose};

/// Identifies a task: its index in the stream plus [`FIRST`].
type TaskId = u32;
/// The writer of unwritten bytes.
const NEVER: TaskId = 0;
/// The writer of constants.
const CONSTANT: TaskId = 1;
/// The writer of inputs.
const INPUT: TaskId = 2;
/// Added to a position in the stream to make a task id.
pub(crate) const FIRST: usize = 3;

/// For each engine, its last task that is known to have ended.
pub(crate) type Clock = Arc<Vec<TaskId>>;

/// An illegal access to a contiguous run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) kind: ConflictKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictKind {
    /// The bytes are unwritten.
    Unwritten,
    /// The task itself reads the bytes at another position of its own order.
    OwnRead,
    /// The task itself has already written the bytes.
    OwnWrite,
    /// The instruction at this index wrote the bytes, unordered.
    Writer(usize),
    /// The instruction at this index read the bytes, unordered.
    Reader(usize),
}

/// History of one memory.
#[derive(Debug, Default)]
struct History {
    /// The last writer of every byte.
    writer: Shadow,
    /// The last reader of every byte, for each engine.
    readers: Vec<Shadow>,
}

#[derive(Debug)]
struct BarrierClock {
    /// Tasks that have ended when the producers are done.
    posted: Vec<TaskId>,
    /// Tasks that had ended when the consumers started.
    waited: Vec<TaskId>,
}

/// The checker: clocks of engines, barriers and dispatcher, and the histories of all memories.
#[derive(Debug)]
pub(crate) struct Checker {
    /// The engine of every task, by position in the stream.
    engine_of: Vec<u16>,
    /// Tasks that the running (or last) task of each engine comes after.
    engines: Vec<Vec<TaskId>>,
    dispatcher: Clock,
    barriers: Vec<BarrierClock>,
    dram: History,
    sram: Vec<History>,
    origins: Origins,
    /// Bytes held by the histories, and those claimed for them.
    held: Arc<AtomicU64>,
    claim: Option<Claim>,
}

impl Checker {
    /// A checker of a stream whose instruction `i` runs on engine `engine_of[i]`, less than `engines`, and moves bytes
    /// without changing them if `moves(i)`.
    pub(crate) fn new(
        engine_of: Vec<u16>,
        moves: impl Fn(usize) -> bool,
        engines: usize,
        tiles: usize,
        barriers: usize,
    ) -> Checker {
        let zero = vec![NEVER; engines];
        let held = Arc::default();
        let history = || History {
            writer: Shadow::counted(&held),
            readers: (0..engines).map(|_| Shadow::counted(&held)).collect(),
        };
        let barrier = || BarrierClock { posted: zero.clone(), waited: zero.clone() };
        Checker {
            origins: Origins::new((0..engine_of.len()).map(moves)),
            engine_of,
            engines: vec![zero.clone(); engines],
            dispatcher: Arc::new(zero.clone()),
            barriers: (0..barriers).map(|_| barrier()).collect(),
            dram: history(),
            sram: (0..tiles).map(|_| history()).collect(),
            held,
            claim: None,
        }
    }

    /// Claims the memory that the history of an access to the region may need.
    ///
    /// # Errors
    /// When it is not available.
    pub(crate) fn make_room(&mut self, region: &Region) -> Result<(), OverLimit> {
        /// Claims grow in steps of this many bytes.
        const STEP: u64 = 1 << 20;
        let needed = self.held.load(Ordering::Relaxed).saturating_add(shadow::growth(region));
        if self.claim.as_ref().is_some_and(|claim| claim.bytes() >= needed) {
            return Ok(());
        }
        let (what, bytes) = ("the history of the simulated memories", needed.saturating_add(STEP));
        match &mut self.claim {
            Some(claim) => claim.grow_to(what, bytes),
            none => budget::claim(what, bytes).map(|claim| *none = Some(claim)),
        }
    }

    /// The host writes `len` bytes of constants from the start of DRAM on.
    pub(crate) fn host_constants(&mut self, len: usize) {
        self.dram.writer.set(0, len, CONSTANT);
    }

    /// The host writes `len` bytes of an input to DRAM, before the start and after the constants.
    pub(crate) fn host_input(&mut self, start: usize, len: usize) {
        self.dram.writer.set(start, len, INPUT);
    }

    /// The host reads `len` bytes of DRAM after the end. Returns the first unwritten run, if any.
    pub(crate) fn host_read(&self, start: usize, len: usize) -> Option<Conflict> {
        let check = |start, len, id| match id {
            NEVER => Err(conflict(start, len, ConflictKind::Unwritten)),
            _ => Ok(()),
        };
        self.dram.writer.try_for_each(start, len, check).err()
    }

    /// For every instruction, what repeats in every run in the order of this one; the host has read `outputs` from DRAM.
    ///
    /// `prepared` says at which positions weights are kept decoded.
    pub(crate) fn into_constancy(
        self,
        outputs: impl Iterator<Item = Range<usize>>,
        prepared: impl Fn(usize) -> bool,
    ) -> Vec<Constancy> {
        let Checker { dram, mut origins, .. } = self;
        for place in outputs {
            let Ok(()) = dram.writer.try_for_each(place.start, place.len(), |_, _, id| {
                origins.need(id);
                Ok::<(), Infallible>(())
            });
        }
        origins.finish(prepared)
    }

    /// The dispatcher arms a barrier, having seen it idle.
    pub(crate) fn arm(&mut self, barrier: usize) {
        let Some(b) = self.barriers.get(barrier) else { return };
        let clock = Arc::make_mut(&mut self.dispatcher);
        join(clock, &b.posted);
        join(clock, &b.waited);
        // The barrier's clock may stay: any task that uses it from now on was dispatched after all of it.
    }

    /// The tasks that a task dispatched now comes after.
    pub(crate) fn dispatch_clock(&self) -> Clock {
        Arc::clone(&self.dispatcher)
    }

    /// A task starts on `engine`, after its dispatch and after all producers of the barriers in `wait`.
    pub(crate) fn start(
        &mut self,
        engine: usize,
        dispatched: &Clock,
        wait: impl Iterator<Item = usize> + Clone,
    ) {
        let Some(clock) = self.engines.get_mut(engine) else { return };
        join(clock, dispatched);
        for b in wait.clone().filter_map(|b| self.barriers.get(b)) {
            join(clock, &b.posted);
        }
        for b in wait {
            if let Some(b) = self.barriers.get_mut(b) {
                join(&mut b.waited, clock);
            }
        }
    }

    /// The task at `index` ends on `engine` and posts to the barriers in `post`.
    pub(crate) fn finish(&mut self, engine: usize, index: usize, post: impl Iterator<Item = usize>) {
        let Some(clock) = self.engines.get_mut(engine) else { return };
        if let Some(own) = clock.get_mut(engine) {
            *own = task_id(index);
        }
        for b in post {
            if let Some(b) = self.barriers.get_mut(b) {
                join(&mut b.posted, clock);
            }
        }
    }

    /// The running task at `index` reads a region, which must lie inside the memory.
    ///
    /// With `own`, the task will write the very same elements in place, so that the write determines the
    /// history.
    ///
    /// # Errors
    /// The first run of bytes that is unwritten, or written by a task that this one does not come after.
    pub(crate) fn read(
        &mut self,
        index: usize,
        space: Space,
        tile: u8,
        region: &Region,
        (own, purpose): (bool, Purpose),
    ) -> Result<(), Conflict> {
        let (engine, me) = (self.engine(index), task_id(index));
        let Some((history, order, origins)) = self.split(space, tile, engine) else { return Ok(()) };
        let History { writer, readers } = history;
        // The last writer that was found to be ordered.
        let mut fine = NEVER;
        region.try_for_each_run(|start, len| {
            let (start, len) = (start as usize, len as usize);
            writer.try_for_each(start, len, |start, len, id| {
                if id == fine && id != NEVER {
                    return Ok(());
                }
                let kind = match id {
                    NEVER => ConflictKind::Unwritten,
                    id if id == me => ConflictKind::OwnWrite,
                    id if id > INPUT && !order.before(id) => ConflictKind::Writer(position(id)),
                    id => {
                        fine = id;
                        origins.read(me, id, purpose);
                        return Ok(());
                    }
                };
                Err(conflict(start, len, kind))
            })?;
            if let (false, Some(reader)) = (own, readers.get_mut(engine)) {
                reader.set(start, len, me);
            }
            Ok(())
        })
    }

    /// The running task at `index` writes a region, which must lie inside the memory.
    ///
    /// # Errors
    /// The first run of bytes that the task reads itself or has written before, or that another task which this
    /// one does not come after reads or writes.
    pub(crate) fn write(
        &mut self,
        index: usize,
        space: Space,
        tile: u8,
        region: &Region,
    ) -> Result<(), Conflict> {
        let (engine, me) = (self.engine(index), task_id(index));
        let Some((history, order, _)) = self.split(space, tile, engine) else { return Ok(()) };
        let History { writer, readers } = history;
        let mut fine = NEVER;
        region.try_for_each_run(|start, len| {
            let (start, len) = (start as usize, len as usize);
            writer.try_for_each(start, len, |start, len, id| {
                if id == fine || id <= INPUT {
                    return Ok(());
                }
                let kind = match id {
                    id if id == me => ConflictKind::OwnWrite,
                    id if !order.before(id) => ConflictKind::Writer(position(id)),
                    id => {
                        fine = id;
                        return Ok(());
                    }
                };
                Err(conflict(start, len, kind))
            })?;
            for reader in readers.iter().filter(|r| !r.is_empty()) {
                reader.try_for_each(start, len, |start, len, id| match id {
                    NEVER => Ok(()),
                    id if id == me => Err(conflict(start, len, ConflictKind::OwnRead)),
                    id if order.before(id) => Ok(()),
                    id => Err(conflict(start, len, ConflictKind::Reader(position(id)))),
                })?;
            }
            writer.set(start, len, me);
            Ok(())
        })
    }

    fn engine(&self, index: usize) -> usize {
        self.engine_of.get(index).copied().map_or(usize::MAX, usize::from)
    }

    /// The history of a memory, the clock of the running task of `engine`, and all origins.
    fn split(
        &mut self,
        space: Space,
        tile: u8,
        engine: usize,
    ) -> Option<(&mut History, Order<'_>, &mut Origins)> {
        let history = match space {
            Space::Dram => &mut self.dram,
            Space::Sram => self.sram.get_mut(usize::from(tile))?,
        };
        let clock = self.engines.get(engine)?;
        Some((history, Order { engine_of: &self.engine_of, engine, clock }, &mut self.origins))
    }
}

/// The tasks before the running task of an engine.
struct Order<'a> {
    engine_of: &'a [u16],
    engine: usize,
    clock: &'a [TaskId],
}

impl Order<'_> {
    /// Whether the task `id` has certainly ended.
    fn before(&self, id: TaskId) -> bool {
        let Some(engine) = self.engine_of.get(position(id)).map(|&e| usize::from(e)) else { return true };
        engine == self.engine || self.clock.get(engine).is_some_and(|&last| id <= last)
    }
}

fn join(into: &mut [TaskId], other: &[TaskId]) {
    for (a, b) in into.iter_mut().zip(other) {
        *a = (*a).max(*b);
    }
}

/// The task id of a position; longer streams than ids are refused before they run.
fn task_id(index: usize) -> TaskId {
    TaskId::try_from(index + FIRST).unwrap_or(TaskId::MAX)
}

fn position(id: TaskId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX).saturating_sub(FIRST)
}

fn conflict(start: usize, len: usize, kind: ConflictKind) -> Conflict {
    Conflict { start: start as u64, len: len as u64, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConflictKind::{OwnRead, OwnWrite, Reader, Unwritten, Writer};

    const SRAM: Space = Space::Sram;
    const READ: (bool, Purpose) = (false, Purpose::Values);

    /// Tasks 0, 1, 2, … run on these engines; barriers 0 and 1 are armed.
    fn checker(engines: &[u16]) -> Checker {
        Checker::new(engines.to_vec(), |_| false, 3, 1, 2)
    }

    /// Runs task `index`: waits, accesses (write?, start, length), posts.
    fn task(
        c: &mut Checker,
        index: usize,
        wait: &[usize],
        accesses: &[(bool, u64, u64)],
        post: &[usize],
    ) -> Result<(), ConflictKind> {
        let engine = c.engine(index);
        let clock = c.dispatch_clock();
        c.start(engine, &clock, wait.iter().copied());
        for &(write, start, len) in accesses {
            let region = Region::contiguous(start, len);
            let done =
                if write { c.write(index, SRAM, 0, &region) } else { c.read(index, SRAM, 0, &region, READ) };
            done.map_err(|conflict| conflict.kind)?;
        }
        c.finish(engine, index, post.iter().copied());
        Ok(())
    }

    #[test]
    fn a_barrier_orders_and_its_lack_does_not() {
        let mut c = checker(&[0, 1, 1, 0]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 100)], &[0]), Ok(()));
        assert_eq!(task(&mut c, 1, &[0], &[(false, 50, 50)], &[1]), Ok(()));
        assert_eq!(task(&mut c, 3, &[], &[(true, 40, 20)], &[]), Err(Reader(1)));
        let mut c = checker(&[0, 1]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 100)], &[0]), Ok(()));
        assert_eq!(task(&mut c, 1, &[], &[(false, 99, 1)], &[]), Err(Writer(0)));
        let mut c = checker(&[0, 1]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 100)], &[0]), Ok(()));
        assert_eq!(task(&mut c, 1, &[], &[(true, 99, 1)], &[]), Err(Writer(0)));
    }

    #[test]
    fn order_is_transitive_through_engines_and_barriers() {
        let mut c = checker(&[0, 1, 1, 2, 2]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 8)], &[0]), Ok(()));
        assert_eq!(task(&mut c, 1, &[0], &[], &[]), Ok(()));
        assert_eq!(task(&mut c, 2, &[], &[], &[1]), Ok(()));
        assert_eq!(task(&mut c, 3, &[1], &[(false, 0, 8)], &[]), Ok(()));
        // Within the engine the order holds without a further wait.
        assert_eq!(task(&mut c, 4, &[], &[(true, 0, 8)], &[]), Ok(()));
    }

    #[test]
    fn later_tasks_of_a_producer_are_not_ordered() {
        let mut c = checker(&[0, 0, 1]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 8)], &[0]), Ok(()));
        assert_eq!(task(&mut c, 1, &[], &[(true, 8, 8)], &[]), Ok(()));
        assert_eq!(task(&mut c, 2, &[0], &[(false, 0, 8), (false, 8, 8)], &[]), Err(Writer(1)));
    }

    #[test]
    fn rearming_orders_what_is_dispatched_afterwards() {
        let mut c = checker(&[0, 1, 2]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 8)], &[0]), Ok(()));
        let early = c.dispatch_clock();
        c.arm(0);
        assert_eq!(task(&mut c, 1, &[], &[(false, 0, 8)], &[]), Ok(()));
        c.start(2, &early, std::iter::empty());
        assert_eq!(c.read(2, SRAM, 0, &Region::contiguous(0, 8), READ).unwrap_err().kind, Writer(0));
    }

    #[test]
    fn unwritten_bytes_are_named_exactly() {
        let mut c = checker(&[0, 0]);
        assert_eq!(task(&mut c, 0, &[], &[(true, 0, 10), (true, 13, 7)], &[]), Ok(()));
        let all = Region::contiguous(0, 20);
        let found = c.read(1, SRAM, 0, &all, READ).unwrap_err();
        assert_eq!(found, Conflict { start: 10, len: 3, kind: Unwritten });
        assert_eq!(c.host_read(5, 2).map(|c| c.kind), Some(Unwritten));
        c.host_input(0, 6);
        assert_eq!(c.host_read(4, 2), None);
        assert_eq!(c.host_read(4, 4), Some(Conflict { start: 6, len: 2, kind: Unwritten }));
    }

    #[test]
    fn interleaved_rows_do_not_conflict() {
        let mut c = checker(&[0, 1]);
        let [even, odd] = [0, 4].map(|base| Region::strided(base, 4, &[(100, 8)]));
        let clock = c.dispatch_clock();
        c.start(0, &clock, std::iter::empty());
        c.write(0, SRAM, 0, &even).unwrap();
        c.start(1, &clock, std::iter::empty());
        c.write(1, SRAM, 0, &odd).unwrap();
        let both = Region::strided(3, 2, &[(1, 0)]);
        assert_eq!(
            c.read(1, SRAM, 0, &both, READ).unwrap_err(),
            Conflict { start: 3, len: 1, kind: Writer(0) }
        );
    }

    #[test]
    fn a_task_that_overlaps_itself_is_found() {
        let mut c = checker(&[0]);
        c.write(0, SRAM, 0, &Region::contiguous(0, 8)).unwrap();
        assert_eq!(c.write(0, SRAM, 0, &Region::contiguous(7, 8)).unwrap_err().kind, OwnWrite);
        let mut c = checker(&[0, 0]);
        c.write(0, SRAM, 0, &Region::contiguous(0, 16)).unwrap();
        c.read(1, SRAM, 0, &Region::contiguous(0, 8), READ).unwrap();
        assert_eq!(c.write(1, SRAM, 0, &Region::contiguous(4, 8)).unwrap_err().kind, OwnRead);
        // In place is not an overlap.
        let mut c = checker(&[0, 0]);
        c.write(0, SRAM, 0, &Region::contiguous(0, 16)).unwrap();
        c.read(1, SRAM, 0, &Region::contiguous(0, 8), (true, Purpose::Values)).unwrap();
        assert_eq!(c.write(1, SRAM, 0, &Region::contiguous(0, 8)), Ok(()));
    }
}
