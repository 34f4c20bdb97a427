//! The machine in motion: dispatcher, FIFOs, engines and barriers, from event to event.
//!
//! Tasks are executed, values and all, when they start; events of the same time are handled in a fixed order (ends,
//! dispatcher, starts by engine), so that a run is reproducible.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use dpu_cost::Cost;
use dpu_isa::{Engine, Instr, Machine, Program};

use crate::barrier::{Barriers, Gateway, members};
use crate::error::{Fault, FuelUnit, SimError, Site, TrapKind};
use crate::exec::{Core, Gate, Roles, Semantics, semantics};
use crate::fuel::Meter;
use crate::hazard::{Checker, Clock};
use crate::observe::{Dispatch, Observer, Task};
use crate::report::{EngineReport, Recorder, Unit, Work};
use crate::storage::{Storage, StorageFinder, Zeros};

/// Engines before those of the tiles.
const DMAS: usize = 2;
/// What counting zeros takes of the host, as a multiple of computing.
const COUNTING: u64 = 8;
/// Engines of a tile.
const PER_TILE: usize = 2;

/// The number of an instruction's engine; `None` for the dispatcher's own.
pub(crate) fn engine_of(instr: &Instr) -> Option<usize> {
    let tile = PER_TILE * instr.tile().map_or(0, usize::from);
    match instr.engine() {
        Engine::Control => None,
        Engine::Dma0 => Some(0),
        Engine::Dma1 => Some(1),
        Engine::Dpu => Some(DMAS + tile),
        Engine::Vec => Some(DMAS + tile + 1),
    }
}

/// Number of engines of a machine with so many tiles in use.
pub(crate) fn engines(tiles: usize) -> usize {
    DMAS + PER_TILE * tiles
}

fn engine_name(engine: usize) -> String {
    let name = match engine {
        0 => return "dma0".to_owned(),
        1 => return "dma1".to_owned(),
        n if n % PER_TILE == 0 => "dpu",
        _ => "vec",
    };
    match (engine - DMAS) / PER_TILE {
        0 => name.to_owned(),
        tile => format!("{name}{tile}"),
    }
}

/// A task in a FIFO.
#[derive(Debug)]
struct Queued {
    index: usize,
    /// When its dispatch is complete.
    at: u64,
    /// What its dispatch came after.
    clock: Option<Clock>,
}

#[derive(Debug, Default)]
struct EngineState {
    queue: VecDeque<Queued>,
    /// The running task and when it ends.
    running: Option<(usize, u64)>,
    /// When the last task ended.
    free_at: u64,
    /// When the barriers of the head open, if that is known.
    wake: Option<u64>,
    tasks: u64,
    busy: u64,
    barrier_wait: u64,
}

impl EngineState {
    fn idle(&self) -> bool {
        self.running.is_none() && self.queue.is_empty()
    }
}

/// What holds the dispatcher up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    FullFifo(usize),
    BusyBarrier(u8),
    BusyEngines,
}

#[derive(Debug, Default)]
struct Dispatcher {
    next: usize,
    ready_at: u64,
    obstacle: Option<(Obstacle, u64)>,
    halted: bool,
    instructions: u64,
    busy: u64,
}

/// What the run has to do with storage without zeros.
#[derive(Debug)]
enum StorageUse {
    /// Nothing.
    None,
    /// It finds out what is stored so.
    Find(Box<StorageFinder>),
    /// It knows.
    Known(Arc<Storage>),
}

/// A program being executed.
pub(crate) struct Simulation<'p, 'o> {
    program: &'p Program,
    /// The machine that sets the times.
    machine: &'p Machine,
    max_cycles: u64,
    /// Counts the steps of the host.
    meter: Meter,
    core: Core,
    checker: Option<Checker>,
    storage: StorageUse,
    /// Whether tasks are executed, or take their time alone.
    executes: bool,
    barriers: Barriers,
    engines: Vec<EngineState>,
    dispatcher: Dispatcher,
    now: u64,
    /// When the DRAM channel is free.
    channel: u64,
    recorder: Recorder,
    observers: &'o mut [&'o mut dyn Observer],
    serial: u64,
}

/// The state after `end`.
pub(crate) struct Finished {
    pub(crate) core: Core,
    pub(crate) checker: Option<Checker>,
    pub(crate) storage: Option<StorageFinder>,
    pub(crate) recorder: Recorder,
    pub(crate) cycles: u64,
    pub(crate) serial: u64,
    pub(crate) engines: Vec<EngineReport>,
    /// Position of `end`.
    pub(crate) end: usize,
}

impl<'p, 'o> Simulation<'p, 'o> {
    pub(crate) fn new(
        program: &'p Program,
        machine: &'p Machine,
        max_cycles: u64,
        core: Core,
        checker: Option<Checker>,
        observers: &'o mut [&'o mut dyn Observer],
    ) -> Simulation<'p, 'o> {
        let engines = engines(core.memory.tiles());
        Simulation {
            program,
            machine,
            max_cycles,
            meter: Meter::of_fuel(max_cycles),
            core,
            checker,
            storage: StorageUse::None,
            executes: true,
            barriers: Barriers::new(machine.barriers, machine.barrier_cycles),
            engines: (0..engines).map(|_| EngineState::default()).collect(),
            dispatcher: Dispatcher::default(),
            now: 0,
            channel: 0,
            recorder: Recorder::new(program),
            observers,
            serial: 0,
        }
    }

    /// The same, but tasks take their time and are not executed: nothing is read, written or checked in memories.
    pub(crate) fn timing_only(mut self) -> Simulation<'p, 'o> {
        self.executes = false;
        self
    }

    /// Counts steps of the host by another limit than that of the cycles.
    pub(crate) fn with_meter(self, meter: Meter) -> Simulation<'p, 'o> {
        Simulation { meter, ..self }
    }

    /// Finds out what is stored without zeros.
    pub(crate) fn finding(self, finder: StorageFinder) -> Simulation<'p, 'o> {
        Simulation { storage: StorageUse::Find(Box::new(finder)), ..self }
    }

    /// Knows what is stored without zeros.
    pub(crate) fn with_storage(self, storage: Arc<Storage>) -> Simulation<'p, 'o> {
        Simulation { storage: StorageUse::Known(storage), ..self }
    }

    /// Runs until `end`.
    pub(crate) fn run(mut self) -> Result<Finished, SimError> {
        loop {
            self.complete()?;
            let dispatched = self.dispatch()?;
            let started = self.start()?;
            if self.dispatcher.halted {
                return Ok(self.finish());
            }
            if dispatched || started {
                continue;
            }
            match self.next_event() {
                Some(time) => self.now = time,
                None => return Err(self.deadlock()),
            }
        }
    }

    fn finish(self) -> Finished {
        let busy = self.dispatcher.busy;
        let first = EngineReport {
            name: "dispatcher".to_owned(),
            tasks: self.dispatcher.instructions,
            busy,
            barrier_wait: 0,
        };
        let rest = self.engines.iter().enumerate().map(|(i, e)| EngineReport {
            name: engine_name(i),
            tasks: e.tasks,
            busy: e.busy,
            barrier_wait: e.barrier_wait,
        });
        Finished {
            engines: std::iter::once(first).chain(rest).collect(),
            core: self.core,
            checker: self.checker,
            storage: match self.storage {
                StorageUse::Find(finder) => Some(*finder),
                StorageUse::None | StorageUse::Known(_) => None,
            },
            recorder: self.recorder,
            cycles: self.now,
            serial: self.serial.saturating_add(busy),
            end: self.dispatcher.next,
        }
    }

    fn trap(&self, index: usize, fault: Fault) -> SimError {
        fault.at(self.program, index, self.now)
    }

    /// Ends the tasks whose time has come.
    fn complete(&mut self) -> Result<(), SimError> {
        for (number, engine) in self.engines.iter_mut().enumerate() {
            let Some((index, _)) = engine.running.filter(|&(_, end)| end <= self.now) else { continue };
            engine.running = None;
            engine.free_at = self.now;
            let post = self.program.instrs.get(index).map_or(0, Instr::post);
            if let Some(checker) = &mut self.checker {
                checker.finish(number, index, members(post));
            }
            if let Err(fault) = self.barriers.post(index, post, self.now) {
                return Err(fault.at(self.program, index, self.now));
            }
        }
        Ok(())
    }

    /// Dispatches what can be dispatched now; says whether there was something.
    fn dispatch(&mut self) -> Result<bool, SimError> {
        let mut progress = false;
        while !self.dispatcher.halted && self.dispatcher.ready_at <= self.now {
            let index = self.dispatcher.next;
            let Some(instr) = self.program.instrs.get(index) else {
                let fault = Fault::new(TrapKind::NoEnd, "the instruction stream stops without 'end'");
                return Err(self.trap(index.saturating_sub(1), fault));
            };
            let obstacle = self.dispatch_one(index, instr).map_err(|fault| self.trap(index, fault))?;
            if let Some(obstacle) = obstacle {
                self.dispatcher.obstacle.get_or_insert((obstacle, self.now));
                break;
            }
            self.record_dispatch(index, instr);
            progress = true;
        }
        Ok(progress)
    }

    /// Dispatches one instruction unless something is in the way.
    fn dispatch_one(&mut self, index: usize, instr: &Instr) -> Result<Option<Obstacle>, Fault> {
        if self.dispatcher.obstacle.is_none() {
            instr.check_fields().map_err(|error| Fault::operand(error.to_string()))?;
        }
        match instr {
            Instr::BarCfg(x) => {
                if !self.barriers.arm(index, x.barrier, x.producers, x.consumers)? {
                    return Ok(Some(Obstacle::BusyBarrier(x.barrier)));
                }
                if let Some(checker) = &mut self.checker {
                    checker.arm(usize::from(x.barrier));
                }
            }
            Instr::End(_) => {
                if !self.engines.iter().all(EngineState::idle) {
                    return Ok(Some(Obstacle::BusyEngines));
                }
                self.barriers.check_idle()?;
                self.dispatcher.halted = true;
            }
            task => {
                let (tile, tiles) = (task.tile().unwrap_or(0), self.machine.tiles);
                if u32::from(tile) >= tiles {
                    return Err(Fault::operand(format!("tile {tile} of a machine with {tiles}")));
                }
                let number = engine_of(task).unwrap_or(usize::MAX);
                let depth = usize::try_from(self.machine.fifo_depth).unwrap_or(usize::MAX);
                let Some(engine) = self.engines.get_mut(number) else {
                    return Err(Fault::operand(format!("there is no engine {}", engine_name(number))));
                };
                self.barriers.check_armed(task.wait(), task.post())?;
                if engine.queue.len() >= depth {
                    return Ok(Some(Obstacle::FullFifo(number)));
                }
                let at = self.now.saturating_add(dpu_cost::dispatch(instr, self.machine));
                let clock = self.checker.as_ref().map(Checker::dispatch_clock);
                engine.queue.push_back(Queued { index, at, clock });
            }
        }
        Ok(None)
    }

    /// Counts a dispatched instruction and what held it up.
    fn record_dispatch(&mut self, index: usize, instr: &Instr) {
        let work = self.recorder.work(self.program, index);
        *work.instructions.entry(Cow::Borrowed(instr.mnemonic())).or_default() += 1;
        let mut held = 0;
        if let Some((obstacle, since)) = self.dispatcher.obstacle.take() {
            let lost = self.now - since;
            held = lost;
            match obstacle {
                Obstacle::FullFifo(_) => work.stalls.fifo_full += lost,
                Obstacle::BusyBarrier(_) => work.stalls.barrier_arm += lost,
                Obstacle::BusyEngines => {}
            }
        }
        self.dispatcher.instructions += 1;
        let cycles = dpu_cost::dispatch(instr, self.machine);
        self.dispatcher.busy = self.dispatcher.busy.saturating_add(cycles);
        let end = self.now.saturating_add(cycles);
        for observer in self.observers.iter_mut() {
            observer.dispatch(&Dispatch { index, start: self.now, end, held });
        }
        if !self.dispatcher.halted {
            self.dispatcher.next += 1;
            self.dispatcher.ready_at = end;
        }
    }

    /// Starts the tasks that can start now; says whether there was one.
    fn start(&mut self) -> Result<bool, SimError> {
        let mut progress = false;
        for number in 0..self.engines.len() {
            let Some(engine) = self.engines.get_mut(number) else { continue };
            engine.wake = None;
            let head = engine.queue.front().filter(|head| head.at <= self.now).map(|head| head.index);
            let (None, Some(index)) = (engine.running, head) else { continue };
            let wait = self.program.instrs.get(index).map_or(0, Instr::wait);
            match self.barriers.gateway(index, wait, self.now) {
                Ok(Gateway::Closed) => {}
                Ok(Gateway::OpensAt(time)) => engine.wake = Some(time),
                Ok(Gateway::Open) => {
                    if let Some(task) = engine.queue.pop_front() {
                        self.start_task(number, &task)?;
                        progress = true;
                    }
                }
                Err(fault) => return Err(self.trap(index, fault)),
            }
        }
        Ok(progress)
    }

    fn start_task(&mut self, number: usize, task: &Queued) -> Result<(), SimError> {
        let index = task.index;
        let Some(instr) = self.program.instrs.get(index) else { return Ok(()) };
        let Some(semantics) = semantics(instr) else { return Ok(()) };
        let dpu_cost::Task { mut cost, low_macs } =
            self.core.cost(instr, semantics, self.machine).map_err(|fault| self.trap(index, fault))?;
        let channel = self.channel;
        let mut end = dpu_cost::end_of_transfer(self.now, &cost, &mut self.channel);
        let by_values = self.machine.zero_skip != 0 && semantics.skips_zeros().is_some();
        if !by_values {
            self.check_fuel(index, end)?;
        }
        self.barriers.consume(index, instr.wait()).map_err(|fault| self.trap(index, fault))?;
        if let (Some(checker), Some(clock)) = (&mut self.checker, &task.clock) {
            checker.start(number, clock, members(instr.wait()));
        }
        let steps = if self.executes { semantics.steps(&self.core) } else { 0 };
        let steps = if self.machine.zero_skip == 0 { steps } else { steps.saturating_mul(COUNTING) };
        self.meter.begin(steps).map_err(|fault| self.stopped(index, fault))?;
        let low = if self.executes {
            let done = self.execute(index, semantics, instr.tile().unwrap_or(0));
            let (low, found) = done.map_err(|fault| self.stopped(index, fault))?;
            if let Some(found) = found {
                self.channel = channel;
                end = dpu_cost::end_of_transfer(self.now, &found, &mut self.channel);
                cost = found;
            }
            low
        } else {
            self.core.skip(instr);
            low_macs
        };
        self.check_fuel(index, end)?;
        self.record_task(number, task, end, &cost, low);
        Ok(())
    }

    /// Checks and executes a task. Returns the low multiply-accumulates, and the cost if that depends on values.
    fn execute(
        &mut self,
        index: usize,
        semantics: &dyn Semantics,
        tile: u8,
    ) -> Result<(u64, Option<Cost>), Fault> {
        let skips = semantics.skips_zeros();
        let mut finder = match &mut self.storage {
            StorageUse::Find(finder) => {
                let roles = skips.map(|skips| skips.roles(finder.machine(), &self.core)).transpose()?;
                let roles = roles.unwrap_or_default();
                finder.task(roles);
                Some((&mut **finder, roles))
            }
            StorageUse::None | StorageUse::Known(_) => None,
        };
        let storage = finder.as_mut().map(|(finder, _)| &mut **finder);
        let (checker, meter) = (self.checker.as_mut(), &mut self.meter);
        let mut gate = Gate { checker, storage, meter, index, tile };
        self.core.touch(semantics, &mut gate)?;
        if let (Some((finder, Roles { copies: true, .. })), Some(skips)) = (finder, skips) {
            skips.follow(index, finder)?;
        }
        let zeros = match &self.storage {
            StorageUse::Known(storage) => storage.of(index),
            StorageUse::None | StorageUse::Find(_) => Zeros::default(),
        };
        let observed = skips.map(|skips| skips.observe(self.machine, &self.core, zeros)).transpose()?;
        let low = self.core.execute(index, semantics)?;
        let found = observed.flatten().map(|measure| measure(self.machine, &self.core));
        Ok((low, found.transpose()?))
    }

    /// Refuses a task that would end too late.
    fn check_fuel(&self, index: usize, end: u64) -> Result<(), SimError> {
        if end <= self.max_cycles {
            return Ok(());
        }
        Err(self.out_of_fuel(index, FuelUnit::Cycles, (end, self.max_cycles)))
    }

    fn out_of_fuel(&self, index: usize, unit: FuelUnit, (needed, limit): (u64, u64)) -> SimError {
        let tasks = self.engines.iter().fold(0, |sum: u64, engine| sum.saturating_add(engine.tasks));
        let at = Box::new(Site::of(self.program, index));
        SimError::OutOfFuel { unit, needed, limit, tasks, cycle: self.now, at }
    }

    /// Why a task stopped: by a fault, or since the host would have too much to do.
    fn stopped(&self, index: usize, fault: Fault) -> SimError {
        match (self.meter.memory(), self.meter.exceeded()) {
            (Some(over), _) => SimError::Memory(over.clone()),
            (None, Some(steps)) => self.out_of_fuel(index, FuelUnit::Steps, steps),
            (None, None) => self.trap(index, fault),
        }
    }

    /// Counts a started task.
    fn record_task(&mut self, number: usize, task: &Queued, end: u64, cost: &Cost, low: u64) {
        let index = task.index;
        let duration = end - self.now;
        let Some(engine) = self.engines.get_mut(number) else { return };
        let waited = self.now - engine.free_at.max(task.at);
        engine.running = Some((index, end));
        engine.tasks += 1;
        engine.busy = engine.busy.saturating_add(duration);
        engine.barrier_wait = engine.barrier_wait.saturating_add(waited);
        self.serial = self.serial.saturating_add(duration);
        if self.program.instrs.get(index).map_or(0, Instr::wait) != 0 {
            self.serial = self.serial.saturating_add(u64::from(self.machine.barrier_cycles));
        }
        let unit = match number {
            n if n < DMAS => Unit::Dma,
            n if n % PER_TILE == 0 => Unit::Dpu,
            _ => Unit::Vec,
        };
        self.recorder.span(self.program, index, unit, self.now, end);
        self.tell(number, index, end, waited, cost);
        let work: &mut Work = self.recorder.work(self.program, index);
        let busy = match number {
            0 => &mut work.busy.dma0,
            1 => &mut work.busy.dma1,
            n if n % PER_TILE == 0 => &mut work.busy.dpu,
            _ => &mut work.busy.vec,
        };
        *busy = busy.saturating_add(duration);
        work.stalls.barrier_wait = work.stalls.barrier_wait.saturating_add(waited);
        work.add_cost(cost, low);
    }

    /// Tells the observers of a started task.
    fn tell(&mut self, number: usize, index: usize, end: u64, wait: u64, cost: &Cost) {
        let Some(instr) = self.program.instrs.get(index) else { return };
        // The dispatcher comes first in a report.
        let engine = number + 1;
        let Cost { dram, traffic: bytes, macs, .. } = *cost;
        let channel = (dram > 0).then(|| (self.channel.saturating_sub(dram), self.channel));
        let task = Task { index, instr, engine, start: self.now, end, wait, channel, bytes, macs };
        for observer in self.observers.iter_mut() {
            observer.task(&task);
        }
    }

    /// The next time at which something can happen; `None` if nothing ever will.
    fn next_event(&self) -> Option<u64> {
        let dispatcher = (self.dispatcher.obstacle.is_none()).then_some(self.dispatcher.ready_at);
        let engines = self.engines.iter().flat_map(|engine| {
            let head = engine.queue.front().filter(|_| engine.running.is_none()).map(|head| head.at);
            [engine.running.map(|(_, end)| end), head, engine.wake]
        });
        engines.flatten().chain(dispatcher).filter(|&time| time > self.now).min()
    }

    /// Names everything that is stuck and what it waits for.
    fn deadlock(&self) -> SimError {
        let fault = Fault::new(TrapKind::Deadlock, "no engine can go on, and neither can the dispatcher");
        let stuck = self.engines.iter().enumerate().filter_map(|(n, e)| Some((n, e.queue.front()?.index)));
        let fault = stuck.fold(fault, |fault, (number, index)| {
            let mask = self.program.instrs.get(index).map_or(0, Instr::wait);
            let waits = self.barriers.waiting(mask);
            let list = waits.iter().map(|(text, by)| match by {
                Some(by) => format!("{text} (armed by #{by})"),
                None => text.clone(),
            });
            let list = list.collect::<Vec<_>>().join(", ");
            fault.with_note(format!("{} waits: {list}", engine_name(number)), Some(index))
        });
        let index = self.dispatcher.next;
        let fault = match self.dispatcher.obstacle {
            Some((Obstacle::FullFifo(engine), _)) => fault.with_note(
                format!("the dispatcher waits: the FIFO of {} is full", engine_name(engine)),
                None,
            ),
            Some((Obstacle::BusyBarrier(id), _)) => {
                let waits = self.barriers.waiting(1 << (id & 63));
                waits.into_iter().fold(fault, |fault, (text, by)| {
                    fault.with_note(format!("the dispatcher waits: {text}; it was armed here"), by)
                })
            }
            Some((Obstacle::BusyEngines, _)) | None => fault,
        };
        self.trap(index, fault)
    }

    /// Number of barriers of the machine.
    pub(crate) fn barriers(machine: &Machine) -> usize {
        Barriers::new(machine.barriers, 0).len()
    }
}
