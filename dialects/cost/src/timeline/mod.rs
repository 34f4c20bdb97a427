//! Time: how the tasks of a program overlap. Simulator and planner share this clock; they differ in what a task does.
//!
//! A [`Timeline`] runs an instruction stream on a machine and asks a [`Tasks`] for the cost of each task. The simulator's `Tasks`
//! computes values, detects hazards and counts; the planner's only returns known costs. Equal costs give equal cycles, since
//! nothing else enters.
//!
//! # Parts
//!
//! - The *dispatcher* has a position in the stream and the time at which it is free.
//! - An *engine* has a FIFO of at most `fifo_depth` dispatched tasks and at most one running task, which is no longer in the FIFO.
//!   Engines are numbered: DMA 0, DMA 1, then DPU and vector engine of tile 0, of tile 1, and so on ([`engine_of`]).
//! - A *barrier* has the number of producers and of consumers that it still expects, and an opening time.
//! - The *DRAM channel* has the time at which it is free.
//!
//! Initially all of them are free or idle, all times are 0, and nothing is armed.
//!
//! # Rules
//!
//! Time is counted in cycles. At a time `t` three things happen, in this order, repeated until neither of the last two
//! changes anything:
//!
//! 1. *Ends.* By number of the engine: a task whose end is `t` leaves its engine. Every barrier in its `post` mask expects one
//!    producer less, and its opening time is `t + barrier_cycles`.
//! 2. *Dispatches.* While the dispatcher is free at `t` and nothing holds the next instruction up, it takes that
//!    instruction and is free again at `t + max(dispatch_cycles, ⌈bytes / fetch_bytes_per_cycle⌉)` ([`crate::dispatch`]).
//!    - `bar_cfg` is held up while its barrier expects anybody; it sets the counts, and the opening time to 0.
//!    - `end` is held up while an engine has a task, running or in its FIFO; with it the program is over, at `t`.
//!    - A task is held up while the FIFO of its engine is full; it enters the FIFO, and its engine sees it once the
//!      dispatcher is free again.
//! 3. *Starts.* By number of the engine: an engine without a running task starts the first task of its FIFO, if it sees it, no barrier
//!    in the task's `wait` mask expects a producer, and none has an opening time after `t`. Every one of these barriers expects
//!    one consumer less. The task leaves the FIFO and ends at `t + cycles` of its cost, or later if it has to share the channel.
//!
//! Then `t` becomes the earliest later time at which one of these can happen: a running task ends, a task is first seen, a barrier
//! opens, the dispatcher is free. If there is none, the program is in deadlock.
//!
//! The *channel* is granted to tasks in start order, for `dram` cycles of their cost each, from the time at which their
//! `latency` has passed and the channel is free; a task does not end before its transfer has ([`crate::end_of_transfer`]).
//!
//! Times saturate at 2^64 − 1. Invariant: a run depends on the stream, the machine and the costs alone.

mod barriers;
mod engines;

pub use barriers::{Action, BarrierError, Barriers, Misuse, Pending};
pub use engines::{engine_at, engine_of, engines};

use dpu_isa::barrier::Expected;
use dpu_isa::{Instr, Machine};

use crate::Cost;
use barriers::Gate;
use engines::{Engine, Queued};

/// What the tasks of a program do, and what is recorded of a run.
pub trait Tasks {
    /// What is known of a task at dispatch and needed at its start.
    type Ticket;
    /// Why a task cannot be executed.
    type Error;

    /// The dispatcher is about to take an instruction. Called once for each, before anything can stall it.
    ///
    /// # Errors
    /// When the machine cannot execute the instruction; the run stops.
    fn check(&mut self, index: usize, instr: &Instr, now: u64) -> Result<(), Self::Error>;

    /// The dispatcher has taken an instruction.
    fn dispatched(&mut self, dispatched: &Dispatched<'_>) -> Self::Ticket;

    /// A task starts; its barriers have let it through. Returns its cost.
    ///
    /// # Errors
    /// When the task cannot be executed; the run stops.
    fn start(&mut self, start: &Start<'_>, ticket: Self::Ticket) -> Result<Cost, Self::Error>;

    /// The task at `index` has ended on an engine and is about to post.
    fn ended(&mut self, engine: usize, index: usize, instr: &Instr);
}

/// What stalls the dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The FIFO of this engine is full.
    FullFifo(usize),
    /// This barrier expects tasks and cannot be armed.
    BusyBarrier(u8),
    /// Tasks are in flight when the program is to end.
    BusyEngines,
}

/// An instruction that the dispatcher has taken.
#[derive(Clone, Copy, Debug)]
pub struct Dispatched<'p> {
    /// Position in the stream.
    pub index: usize,
    /// The instruction.
    pub instr: &'p Instr,
    /// When, in cycles.
    pub start: u64,
    /// When the dispatcher can take the next one, and an engine sees the task.
    pub end: u64,
    /// What has stalled it, and since when.
    pub held: Option<(Obstacle, u64)>,
}

/// A task that starts.
#[derive(Clone, Copy, Debug)]
pub struct Start<'p> {
    /// Position in the stream.
    pub index: usize,
    /// The instruction.
    pub instr: &'p Instr,
    /// Number of the engine.
    pub engine: usize,
    /// The time, in cycles.
    pub now: u64,
    /// Cycles for which the engine was free and had seen the task, but waited for its barriers.
    pub waited: u64,
    /// When the DRAM channel is free.
    channel: u64,
}

impl Start<'_> {
    /// End of the task if it has this cost.
    #[must_use]
    pub fn end(&self, cost: &Cost) -> u64 {
        crate::end_of_transfer(self.now, cost, &mut { self.channel })
    }

    /// When the task holds the DRAM channel if it has this cost: first cycle and one past the last. `None` if it needs
    /// none.
    #[must_use]
    pub fn channel(&self, cost: &Cost) -> Option<(u64, u64)> {
        let mut free = self.channel;
        crate::end_of_transfer(self.now, cost, &mut free);
        (cost.dram > 0).then(|| (free.saturating_sub(cost.dram), free))
    }
}

/// Why a run does not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop<E> {
    /// A task cannot be executed.
    Task(E),
    /// The stream is not a program of the machine.
    Program {
        /// The instruction at which the run stops.
        index: usize,
        /// What is wrong.
        flaw: Flaw,
    },
}

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A task of a tile that the machine does not have.
    NoTile(u8),
    /// A barrier is not used as it was armed.
    Barrier(BarrierError),
    /// A barrier expects tasks at `end`, the first of them if there are several; see [`Barriers::pending`].
    BarrierLeft(Pending),
    /// The stream ends without an `end`.
    NoEnd,
    /// Deadlock: nothing can happen any more; see [`Timeline::waiting`] and [`Timeline::obstacle`].
    Deadlock,
}

impl From<BarrierError> for Flaw {
    fn from(error: BarrierError) -> Flaw {
        Flaw::Barrier(error)
    }
}

impl Flaw {
    fn at<E>(self, index: usize) -> Stop<E> {
        Stop::Program { index, flaw: self }
    }
}

/// The clock: the state of every part of the machine at a time. `T` is the [`Tasks::Ticket`] of the running
/// tasks.
#[derive(Debug)]
pub struct Timeline<'p, T> {
    instrs: &'p [Instr],
    machine: &'p Machine,
    engines: Vec<Engine<T>>,
    barriers: Barriers,
    /// Position of the next instruction to dispatch.
    next: usize,
    /// When the dispatcher is free.
    ready_at: u64,
    /// What stalls the next instruction, and since when.
    obstacle: Option<(Obstacle, u64)>,
    halted: bool,
    now: u64,
    /// When the DRAM channel is free.
    channel: u64,
}

impl<'p, T> Timeline<'p, T> {
    /// A stream before its first cycle, on this many tiles of a machine.
    #[must_use]
    pub fn new(instrs: &'p [Instr], machine: &'p Machine, tiles: usize) -> Timeline<'p, T> {
        Timeline {
            instrs,
            machine,
            engines: (0..engines(tiles)).map(|_| Engine::default()).collect(),
            barriers: Barriers::new(machine),
            next: 0,
            ready_at: 0,
            obstacle: None,
            halted: false,
            now: 0,
            channel: 0,
        }
    }

    /// The time, in cycles.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Position of the next instruction to dispatch; of `end`, once the program has ended.
    #[must_use]
    pub fn next(&self) -> usize {
        self.next
    }

    /// The barriers.
    #[must_use]
    pub fn barriers(&self) -> &Barriers {
        &self.barriers
    }

    /// What stalls the next instruction.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle.map(|(obstacle, _)| obstacle)
    }

    /// The engines that have dispatched tasks, by number, each with the position of the first.
    pub fn waiting(&self) -> impl Iterator<Item = (usize, usize)> {
        self.engines.iter().enumerate().filter_map(|(n, engine)| Some((n, engine.queue.front()?.index)))
    }

    /// Runs until `end`; returns its time in cycles.
    ///
    /// # Errors
    /// When the stream is not a program of the machine, or a task cannot be executed; [`Timeline::now`] says when.
    pub fn run<A: Tasks<Ticket = T>>(&mut self, tasks: &mut A) -> Result<u64, Stop<A::Error>> {
        loop {
            self.end_tasks(tasks)?;
            let dispatched = self.dispatch(tasks)?;
            let started = self.start_tasks(tasks)?;
            if self.halted {
                return Ok(self.now);
            }
            if !dispatched && !started {
                self.now = self.next_event().ok_or(Flaw::Deadlock.at(self.next))?;
            }
        }
    }

    /// Ends the tasks that are due.
    fn end_tasks<A: Tasks<Ticket = T>>(&mut self, tasks: &mut A) -> Result<(), Stop<A::Error>> {
        for (number, engine) in self.engines.iter_mut().enumerate() {
            let Some((index, _)) = engine.running.filter(|&(_, end)| end <= self.now) else { continue };
            engine.running = None;
            engine.free_at = self.now;
            let Some(instr) = self.instrs.get(index) else { continue };
            tasks.ended(number, index, instr);
            let posted = self.barriers.post(index, instr.post(), self.now);
            posted.map_err(|error| Flaw::from(error).at(index))?;
        }
        Ok(())
    }

    /// Dispatches what can be dispatched now; returns whether anything was.
    fn dispatch<A: Tasks<Ticket = T>>(&mut self, tasks: &mut A) -> Result<bool, Stop<A::Error>> {
        let before = self.next;
        while !self.halted && self.ready_at <= self.now {
            let index = self.next;
            let instr = self.instrs.get(index).ok_or_else(|| Flaw::NoEnd.at(index.saturating_sub(1)))?;
            if self.obstacle.is_none() {
                tasks.check(index, instr, self.now).map_err(Stop::Task)?;
            }
            if let Some(obstacle) = self.take(index, instr).map_err(|flaw| flaw.at(index))? {
                self.obstacle.get_or_insert((obstacle, self.now));
                break;
            }
            let end = self.now.saturating_add(crate::dispatch(instr, self.machine));
            let held = self.obstacle.take();
            let ticket = tasks.dispatched(&Dispatched { index, instr, start: self.now, end, held });
            if self.halted {
                break;
            }
            if let Some(engine) = engine_of(instr).and_then(|number| self.engines.get_mut(number)) {
                engine.queue.push_back(Queued { index, seen_at: end, ticket });
            }
            self.next += 1;
            self.ready_at = end;
        }
        Ok(self.halted || self.next > before)
    }

    /// Takes an instruction that goes to no FIFO, or ensures that the FIFO has room, unless something stalls it.
    fn take(&mut self, index: usize, instr: &Instr) -> Result<Option<Obstacle>, Flaw> {
        let obstacle = match instr {
            Instr::BarCfg(x) => {
                let expected = Expected { producers: x.producers, consumers: x.consumers };
                let armed = self.barriers.arm(index, x.barrier, expected)?;
                (!armed).then_some(Obstacle::BusyBarrier(x.barrier))
            }
            Instr::End(_) if !self.engines.iter().all(Engine::idle) => Some(Obstacle::BusyEngines),
            Instr::End(_) => {
                self.barriers.pending(u64::MAX).next().map_or(Ok(()), |left| Err(Flaw::BarrierLeft(left)))?;
                self.halted = true;
                None
            }
            task => {
                let tile = task.tile().unwrap_or(0);
                let number = engine_of(task).filter(|_| u32::from(tile) < self.machine.tiles);
                let engine = number.and_then(|number| Some((number, self.engines.get(number)?)));
                let (number, engine) = engine.ok_or(Flaw::NoTile(tile))?;
                self.barriers.check_armed(task.wait(), task.post())?;
                let full = engine.queue.len() as u64 >= u64::from(self.machine.fifo_depth);
                full.then_some(Obstacle::FullFifo(number))
            }
        };
        Ok(obstacle)
    }

    /// Starts the tasks that can start now; returns whether there were any.
    fn start_tasks<A: Tasks<Ticket = T>>(&mut self, tasks: &mut A) -> Result<bool, Stop<A::Error>> {
        let mut started = false;
        for (number, engine) in self.engines.iter_mut().enumerate() {
            engine.opens_at = None;
            let Some(index) = engine.head(self.now) else { continue };
            let Some(instr) = self.instrs.get(index) else { continue };
            let refused = |error: BarrierError| Flaw::from(error).at(index);
            match self.barriers.gate(index, instr.wait(), self.now).map_err(refused)? {
                Gate::Closed => continue,
                Gate::OpensAt(time) => {
                    engine.opens_at = Some(time);
                    continue;
                }
                Gate::Open => self.barriers.consume(index, instr.wait()).map_err(refused)?,
            }
            let Some(Queued { seen_at, ticket, .. }) = engine.queue.pop_front() else { continue };
            let waited = self.now - engine.free_at.max(seen_at);
            let start = Start { index, instr, engine: number, now: self.now, waited, channel: self.channel };
            let cost = tasks.start(&start, ticket).map_err(Stop::Task)?;
            let end = crate::end_of_transfer(self.now, &cost, &mut self.channel);
            engine.running = Some((index, end));
            started = true;
        }
        Ok(started)
    }

    /// The next time at which something can happen; `None` if nothing can.
    fn next_event(&self) -> Option<u64> {
        let dispatcher = self.obstacle.is_none().then_some(self.ready_at);
        let engines = self.engines.iter().flat_map(Engine::events);
        engines.chain(dispatcher).filter(|&time| time > self.now).min()
    }
}
