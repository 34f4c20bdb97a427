//! The semantics of every instruction: one file for each family, one row of [`semantics`] for each
//! instruction.
//!
//! A task is executed in three steps, each of which refuses what it cannot do: [`Core::cost`] (time and bytes, from the
//! fields, by the rules of `dpu-cost`), `touch` (every byte it will access, checked against bounds and hazards), `execute`
//! (the values). Where zeros are skipped, cost depends on values: that is [`SkipsZeros`], which few tasks implement.

mod conv;
mod dma_copy;
mod dma_fill;
mod dma_indexed;
mod nest;
mod pool;
mod ppe;
#[cfg(test)]
mod tests;
mod vec_binary;
mod vec_reduce;
mod vec_rescale;
mod vec_resize;
mod vec_select;
mod vec_table;
mod vec_unary;

pub(crate) use conv::{Expected, PeArray, Sink, Trace, conv_of, zero_products};

use std::sync::Arc;

use dpu_cost::Cost;
use dpu_isa::{Dtype, Instr, Machine, Slots, Space, Variant};

use crate::error::{Fault, TrapKind};
use crate::fuel::Meter;
use crate::hazard::{Checker, Conflict, ConflictKind, Purpose};
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::profile::{HostProfile, Phase};
use crate::region::Region;
use crate::storage::{Roles, StorageFinder, Zeros};

/// The value-dependent cost of a task, instead of that of its fields, once the results are in memory.
pub(crate) type Measure = Box<dyn FnOnce(&Machine, &Core) -> Result<Cost, Fault>>;

/// Semantics of a task.
pub(crate) trait Semantics {
    /// Refuses what the machine does not support.
    fn check(&self, _machine: &Machine, _core: &Core) -> Result<(), Fault> {
        Ok(())
    }

    /// Maximum host steps of `execute`; see [`crate::fuel`].
    fn steps(&self, core: &Core) -> u64;

    /// Announces every byte that `execute` will read or write, reads before writes.
    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault>;

    /// Computes. Returns the number of low multiply-accumulates.
    fn execute(&self, core: &mut Core) -> Result<u64, Fault>;

    /// The task's role in zero skipping, if any.
    fn skips_zeros(&self) -> Option<&dyn SkipsZeros> {
        None
    }

    /// Products that are taken with an activation that equals the zero point; after `touch`, before `execute`.
    fn zero_products(&self, _machine: &Machine, _core: &Core) -> Result<u64, Fault> {
        Ok(0)
    }
}

/// The zero-skipping interface of a task whose cost depends on values.
pub(crate) trait SkipsZeros {
    /// The role of the task's operands in zero skipping.
    fn roles(&self, machine: &Machine, core: &Core) -> Result<Roles, Fault>;

    /// Reports the source and destination bytes of a copy; `index` is the task's.
    fn follow(&self, _index: usize, _finder: &mut StorageFinder) -> Result<(), Fault> {
        Ok(())
    }

    /// The state that the cost depends on, if it depends on values; after `touch`, before `execute`.
    fn observe(&self, machine: &Machine, core: &Core, zeros: Zeros<'_>) -> Result<Option<Measure>, Fault>;
}

/// The semantics of an instruction; `None` for those of the dispatcher.
pub(crate) fn semantics(instr: &Instr) -> Option<&dyn Semantics> {
    match instr {
        Instr::BarCfg(_) | Instr::End(_) => None,
        Instr::DmaCopy(x) => Some(x),
        Instr::DmaFill(x) => Some(x),
        Instr::DmaGather(x) => Some(x),
        Instr::DmaScatter(x) => Some(x),
        Instr::ConvInv(x) => Some(x),
        Instr::ConvVar(x) => Some(x),
        Instr::PoolInv(x) => Some(x),
        Instr::PoolVar(x) => Some(x),
        Instr::VecBinary(x) => Some(x),
        Instr::VecUnary(x) => Some(x),
        Instr::VecRescale(x) => Some(x),
        Instr::VecTable(x) => Some(x),
        Instr::VecReduce(x) => Some(x),
        Instr::VecSelect(x) => Some(x),
        Instr::VecResize(x) => Some(x),
    }
}

/// The state that instructions operate on.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) memory: Memory,
    /// The slots of every tile's DPU.
    slots: Slots,
    scratch: conv::Scratch,
    pool: pool::Buffers,
    /// Prepared layers of the convolutions.
    layers: conv::Layers,
    /// The inner loops to use; `None` for the golden path.
    kernel: Option<Kernel>,
    /// Threads of the current pool that may share a task.
    threads: usize,
    /// Collects the profile of host time.
    profile: Option<Arc<HostProfile>>,
}

impl Core {
    pub(crate) fn new(memory: Memory, kernel: Option<Kernel>) -> Core {
        let (slots, scratch, pool, layers) = Default::default();
        Core { memory, slots, scratch, pool, layers, kernel, threads: 1, profile: None }
    }

    /// The same core with a profile of host time.
    pub(crate) fn with_profile(self, profile: Option<&Arc<HostProfile>>) -> Core {
        Core { profile: profile.cloned(), ..self }
    }

    /// The same core, with this many threads of the pool that it runs in sharing a task.
    pub(crate) fn with_threads(self, threads: usize) -> Core {
        Core { threads: threads.max(1), ..self }
    }

    /// Executes the instruction at `index`. Returns the low multiply-accumulates.
    pub(crate) fn execute(&mut self, index: usize, task: &dyn Semantics) -> Result<u64, Fault> {
        match self.profile.clone() {
            Some(profile) => profile.time(index, Phase::Values, || task.execute(self)),
            None => task.execute(self),
        }
    }

    /// Announces the accesses of the instruction at `index`.
    pub(crate) fn touch(&self, task: &dyn Semantics, gate: &mut Gate<'_>) -> Result<(), Fault> {
        match &self.profile {
            Some(profile) => profile.time(gate.index, Phase::Checks, || task.touch(self, gate)),
            None => task.touch(self, gate),
        }
    }

    /// The trace of all convolutions; see [`conv::Layers::take_trace`].
    pub(crate) fn take_trace(&mut self) -> Vec<Trace> {
        self.layers.take_trace()
    }

    /// Replays a run with these convolutions.
    pub(crate) fn expect(&mut self, all: &Arc<[Expected]>) {
        self.layers.expect(all);
    }

    /// Whether the replay matched the recording.
    pub(crate) fn met_expectations(&self) -> bool {
        self.layers.met_expectations()
    }

    /// Sets other inner loops, and another number of threads.
    #[cfg(test)]
    pub(crate) fn set_kernel(&mut self, kernel: Option<Kernel>, threads: usize) {
        (self.kernel, self.threads) = (kernel, threads);
        self.layers = conv::Layers::default();
    }

    /// Time, bytes and multiply-accumulates of a task, whose instruction is `instr`.
    pub(crate) fn cost(
        &self,
        instr: &Instr,
        task: &dyn Semantics,
        machine: &Machine,
    ) -> Result<dpu_cost::TaskCost, Fault> {
        task.check(machine, self)?;
        let inv = self.slots.held_by(instr).map_err(|error| Fault::operand(error.to_string()))?;
        dpu_cost::task(instr, inv, machine).map_err(|error| Fault::operand(error.to_string()))
    }

    /// Instead of `execute`, where only times count: does what the costs of later tasks depend on.
    pub(crate) fn skip(&mut self, instr: &Instr) {
        self.slots.fill(instr);
    }

    /// The invariant that a variant runs with.
    pub(crate) fn invariant_of<V: Variant>(&self, variant: &V) -> Result<&V::Invariant, Fault> {
        self.slots.invariant_of(variant).map_err(|error| Fault::operand(error.to_string()))
    }
}

/// Receives the accesses announced by a task.
pub(crate) struct Gate<'a> {
    /// Absent when hazards are not checked; bounds always are.
    pub(crate) checker: Option<&'a mut Checker>,
    /// Present when zero-compressed storage is to be determined.
    pub(crate) storage: Option<&'a mut StorageFinder>,
    /// Counts the steps of the host.
    pub(crate) meter: &'a mut Meter,
    /// Position of the task in the stream.
    pub(crate) index: usize,
    /// The task's tile.
    pub(crate) tile: u8,
}

impl Gate<'_> {
    /// The task reads the region for its operand `what`.
    pub(crate) fn read(
        &mut self,
        memory: &Memory,
        what: &'static str,
        space: Space,
        region: &Region,
    ) -> Result<(), Fault> {
        self.read_as(memory, what, space, region, (false, Purpose::Values))
    }

    /// The task reads the region, and later writes the very same elements, each after its own read.
    pub(crate) fn read_in_place(
        &mut self,
        memory: &Memory,
        what: &'static str,
        space: Space,
        region: &Region,
    ) -> Result<(), Fault> {
        self.read_as(memory, what, space, region, (true, Purpose::Values))
    }

    /// The task reads its weights or its weight table.
    pub(crate) fn read_for(
        &mut self,
        purpose: Purpose,
        memory: &Memory,
        what: &'static str,
        space: Space,
        region: &Region,
    ) -> Result<(), Fault> {
        self.read_as(memory, what, space, region, (false, purpose))
    }

    fn read_as(
        &mut self,
        memory: &Memory,
        what: &'static str,
        space: Space,
        region: &Region,
        how: (bool, Purpose),
    ) -> Result<(), Fault> {
        in_bounds(memory, self.tile, what, space, region, "read")?;
        self.meter.region(region)?;
        self.follow(what, space, region, false)?;
        let Some(checker) = self.checker.as_deref_mut() else { return Ok(()) };
        checker.make_room(region).map_err(|over| self.meter.out_of_memory(over))?;
        let found = checker.read(self.index, space, self.tile, region, how);
        found.map_err(|conflict| explain(self.index, what, space, conflict, false))
    }

    /// Tracks the bytes, if zero-compressed storage is to be determined.
    fn follow(&mut self, what: &str, space: Space, region: &Region, writes: bool) -> Result<(), Fault> {
        let Some(storage) = self.storage.as_deref_mut() else { return Ok(()) };
        storage.access(self.index, what, (space, self.tile), region, writes)
    }

    /// The task writes the region for its operand `what`.
    pub(crate) fn write(
        &mut self,
        memory: &Memory,
        what: &'static str,
        space: Space,
        region: &Region,
    ) -> Result<(), Fault> {
        in_bounds(memory, self.tile, what, space, region, "write")?;
        self.meter.region(region)?;
        self.follow(what, space, region, true)?;
        let Some(checker) = self.checker.as_deref_mut() else { return Ok(()) };
        if region.overlaps_itself() {
            let detail = format!("elements of '{what}' at {space} {:#x} share bytes", region.start());
            return Err(Fault::new(TrapKind::SelfOverlap, detail));
        }
        checker.make_room(region).map_err(|over| self.meter.out_of_memory(over))?;
        let found = checker.write(self.index, space, self.tile, region);
        found.map_err(|conflict| explain(self.index, what, space, conflict, true))
    }
}

fn in_bounds(
    memory: &Memory,
    tile: u8,
    what: &str,
    space: Space,
    region: &Region,
    verb: &str,
) -> Result<(), Fault> {
    let size = memory.space(space, tile)?.len() as u64;
    match region.end() {
        Some(end) if end <= size => Ok(()),
        end => {
            let start = region.start();
            let end = end.map_or_else(|| "2^64 or more".to_owned(), |e| format!("{e:#x}"));
            let detail =
                format!("{verb} of '{what}' at {space} {start:#x}..{end}, which has {size:#x} bytes");
            Err(Fault::new(TrapKind::OutOfBounds, detail))
        }
    }
}

/// The message for a conflict.
fn explain(index: usize, what: &str, space: Space, conflict: Conflict, write: bool) -> Fault {
    let Conflict { start, len, kind } = conflict;
    let verb = if write { "write" } else { "read" };
    let bytes = format!("{space} {start:#x}..{:#x}", start.saturating_add(len));
    let race = |other: usize, did: &str| {
        let detail = format!(
            "{verb} of '{what}' by #{index} and {did} by #{other} to the same {bytes}, which no barrier orders"
        );
        Fault::new(TrapKind::Race, detail).with_note(format!("the {did} is here"), Some(other)).with_note(
            "let one of the two wait for a barrier that the other, or a task after it, posts to",
            None,
        )
    };
    match kind {
        ConflictKind::Writer(other) => race(other, "write"),
        ConflictKind::Reader(other) => race(other, "read"),
        ConflictKind::Unwritten => Fault::new(
            TrapKind::UnwrittenRead,
            format!("read of '{what}' at {bytes}, which nothing has written"),
        ),
        ConflictKind::OwnRead => Fault::new(
            TrapKind::SelfOverlap,
            format!(
                "write of '{what}' at {bytes}, which the task itself reads as another operand or element"
            ),
        ),
        ConflictKind::OwnWrite => Fault::new(
            TrapKind::SelfOverlap,
            format!("{verb} of '{what}' at {bytes}, which the task itself has written as another element"),
        ),
    }
}

/// Bounds of a stored value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clamp {
    lo: i32,
    hi: i32,
}

impl Clamp {
    /// The clamp of an instruction that stores `dtype`.
    ///
    /// # Errors
    /// When the bounds are not values of the type or in the wrong order.
    fn new(lo: i32, hi: i32, dtype: Dtype) -> Result<Clamp, Fault> {
        if lo > hi || !dtype.contains(lo) || !dtype.contains(hi) {
            return Err(Fault::operand(format!("clamp {lo}..={hi} is not a range of {dtype}")));
        }
        Ok(Clamp { lo, hi })
    }

    /// No clamp at all.
    const NONE: Clamp = Clamp { lo: i32::MIN, hi: i32::MAX };

    #[inline]
    fn apply(self, value: i32) -> i32 {
        value.max(self.lo).min(self.hi)
    }
}

/// A table of 256 bytes that replaces stored `i8` values.
pub(crate) struct Lut([i8; 256]);

impl Lut {
    /// The bytes of the table.
    const BYTES: u64 = 256;

    /// Reads the table; it replaces values of `dtype`, which must be `i8`.
    fn load(sram: &[u8], addr: u32, dtype: Dtype) -> Result<Lut, Fault> {
        if dtype != Dtype::I8 {
            return Err(Fault::operand(format!("a lookup table needs i8 results, not {dtype}")));
        }
        let bytes = crate::memory::slice(sram, u64::from(addr), Lut::BYTES)?;
        let mut table = [0; 256];
        for (to, from) in table.iter_mut().zip(bytes) {
            *to = from.cast_signed();
        }
        Ok(Lut(table))
    }

    /// The entry of a value: its low byte as `i8`, plus 128.
    #[inline]
    fn get(&self, value: i32) -> i32 {
        let index = usize::from((value as u8) ^ 0x80);
        i32::from(self.0.get(index).copied().unwrap_or(0))
    }
}
