//! Execution of a program: values, hazards, counts and limits on the clock of [`dpu_cost::timeline`].
//!
//! Tasks are executed, values included, when they start; the clock handles simultaneous events in a fixed order, so that a run is
//! reproducible.

use std::borrow::Cow;
use std::sync::Arc;

use dpu_cost::Cost;
use dpu_cost::timeline::{self, Dispatched, Flaw, Obstacle, Start, Stop, Tasks, Timeline};
use dpu_isa::barrier::members;
use dpu_isa::{Engine, FieldError, Instr, Machine, Program};

use crate::barrier;
use crate::error::{Fault, FuelUnit, SimError, Site, TrapKind};
use crate::exec::{Core, Gate, Semantics, semantics};
use crate::fuel::Meter;
use crate::hazard::{Checker, Clock};
use crate::observe::{Dispatch, Observer, Task};
use crate::pe_trace::PeTrace;
use crate::report::{EngineReport, Phases, Recorder, Unit, Work};
use crate::storage::{Roles, Storage, StorageFinder, Zeros};

/// Host cost of counting zeros, as a multiple of computing.
const COUNTING: u64 = 8;

fn engine_name(number: usize) -> String {
    let (engine, tile) = timeline::engine_at(number);
    let name = match engine {
        Engine::Control => "dispatcher",
        Engine::Dma0 => "dma0",
        Engine::Dma1 => "dma1",
        Engine::Dpu => "dpu",
        Engine::Vec => "vec",
    };
    if tile == 0 { name.to_owned() } else { format!("{name}{tile}") }
}

/// Activity of an engine.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Tasks started; for the dispatcher, instructions taken.
    tasks: u64,
    busy: u64,
    barrier_wait: u64,
}

impl Tally {
    fn report(self, name: String) -> EngineReport {
        let Tally { tasks, busy, barrier_wait } = self;
        EngineReport { name, tasks, busy, barrier_wait }
    }
}

/// The role of the run for zero-compressed storage.
#[derive(Debug)]
enum StorageUse {
    /// None.
    None,
    /// It determines which operands are stored so.
    Find(Box<StorageFinder>),
    /// It uses the result.
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
    pe_trace: Option<Arc<PeTrace>>,
    /// Whether tasks are executed, or only timed.
    executes: bool,
    dispatcher: Tally,
    engines: Vec<Tally>,
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
        let engines = vec![Tally::default(); timeline::engines(core.memory.tiles())];
        Simulation {
            program,
            machine,
            max_cycles,
            meter: Meter::of_fuel(max_cycles),
            core,
            checker,
            storage: StorageUse::None,
            pe_trace: None,
            executes: true,
            dispatcher: Tally::default(),
            engines,
            recorder: Recorder::new(program),
            observers,
            serial: 0,
        }
    }

    /// The same, but tasks are only timed and not executed: memories are not read, written or checked.
    pub(crate) fn timing_only(mut self) -> Simulation<'p, 'o> {
        self.executes = false;
        self
    }

    /// Limits the steps of the host separately from the cycles.
    pub(crate) fn with_meter(self, meter: Meter) -> Simulation<'p, 'o> {
        Simulation { meter, ..self }
    }

    /// Determines which operands are stored zero-compressed.
    pub(crate) fn finding(self, finder: StorageFinder) -> Simulation<'p, 'o> {
        Simulation { storage: StorageUse::Find(Box::new(finder)), ..self }
    }

    /// Sets which operands are stored zero-compressed.
    pub(crate) fn with_storage(self, storage: Arc<Storage>) -> Simulation<'p, 'o> {
        Simulation { storage: StorageUse::Known(storage), ..self }
    }

    /// Traces PEs.
    pub(crate) fn with_pe_trace(self, pe_trace: Option<Arc<PeTrace>>) -> Simulation<'p, 'o> {
        Simulation { pe_trace, ..self }
    }

    /// Runs until `end`.
    pub(crate) fn run(mut self) -> Result<Finished, SimError> {
        let mut timeline = Timeline::new(&self.program.instrs, self.machine, self.core.memory.tiles());
        match timeline.run(&mut self) {
            Ok(cycles) => Ok(self.finish(cycles, timeline.next())),
            Err(Stop::Task(error)) => Err(error),
            Err(Stop::Program { index, flaw }) => {
                Err(self.explain(flaw, &timeline).at(self.program, index, timeline.now()))
            }
        }
    }

    fn finish(self, cycles: u64, end: usize) -> Finished {
        let rest = self.engines.iter().enumerate().map(|(number, tally)| tally.report(engine_name(number)));
        Finished {
            engines: std::iter::once(self.dispatcher.report("dispatcher".to_owned())).chain(rest).collect(),
            core: self.core,
            checker: self.checker,
            storage: match self.storage {
                StorageUse::Find(finder) => Some(*finder),
                StorageUse::None | StorageUse::Known(_) => None,
            },
            recorder: self.recorder,
            cycles,
            serial: self.serial.saturating_add(self.dispatcher.busy),
            end,
        }
    }

    /// Checks and executes a task. Returns the low multiply-accumulates, the products with a zero activation if they have a price,
    /// and the cost if that depends on values.
    fn execute(
        &mut self,
        index: usize,
        semantics: &dyn Semantics,
        tile: u8,
    ) -> Result<(u64, u64, Option<Cost>), Fault> {
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
        let zeros = if dpu_cost::prices_zeros(self.machine) {
            semantics.zero_products(self.machine, &self.core)?
        } else {
            0
        };
        // Partial sums are read before they are overwritten. A fault is reported by the execution.
        let traced = self.trace_pes(index);
        let low = self.core.execute(index, semantics)?;
        traced?;
        let found = observed.flatten().map(|measure| measure(self.machine, &self.core));
        Ok((low, zeros, found.transpose()?))
    }

    /// Traces what the PEs multiply for the instruction at `index`, if that is a convolution to be traced.
    fn trace_pes(&self, index: usize) -> Result<(), Fault> {
        match (&self.pe_trace, self.program.instrs.get(index)) {
            (Some(trace), Some(Instr::ConvVar(var))) => {
                let conv = (self.core.invariant_of(var)?, var);
                trace.tile(self.program, index, conv, self.machine, &self.core.memory)
            }
            _ => Ok(()),
        }
    }

    /// Refuses a task that would end too late.
    fn check_fuel(&self, start: &Start<'_>, cost: &Cost) -> Result<(), SimError> {
        let end = start.end(cost);
        if end <= self.max_cycles {
            return Ok(());
        }
        Err(self.out_of_fuel(start, FuelUnit::Cycles, (end, self.max_cycles)))
    }

    fn out_of_fuel(&self, start: &Start<'_>, unit: FuelUnit, (needed, limit): (u64, u64)) -> SimError {
        let tasks = self.engines.iter().fold(0, |sum: u64, engine| sum.saturating_add(engine.tasks));
        let at = Box::new(Site::of(self.program, start.index));
        SimError::OutOfFuel { unit, needed, limit, tasks, cycle: start.now, at }
    }

    fn trap(&self, start: &Start<'_>, fault: Fault) -> SimError {
        fault.at(self.program, start.index, start.now)
    }

    /// Why a task stopped: a fault, or the host's limit on work.
    fn stopped(&self, start: &Start<'_>, fault: Fault) -> SimError {
        match (self.meter.memory(), self.meter.exceeded()) {
            (Some(over), _) => SimError::Memory(over.clone()),
            (None, Some(steps)) => self.out_of_fuel(start, FuelUnit::Steps, steps),
            (None, None) => self.trap(start, fault),
        }
    }

    /// Counts a started task.
    fn record_task(&mut self, start: &Start<'_>, cost: &Cost, low: u64) {
        let &Start { index, instr, engine: number, now, waited, .. } = start;
        let end = start.end(cost);
        let duration = end - now;
        if let Some(engine) = self.engines.get_mut(number) {
            engine.tasks += 1;
            engine.busy = engine.busy.saturating_add(duration);
            engine.barrier_wait = engine.barrier_wait.saturating_add(waited);
        }
        self.serial = self.serial.saturating_add(duration);
        if instr.wait() != 0 {
            self.serial = self.serial.saturating_add(u64::from(self.machine.barrier_cycles));
        }
        let unit = match instr.engine() {
            Engine::Control | Engine::Dma0 | Engine::Dma1 => Unit::Dma,
            Engine::Dpu => Unit::Dpu,
            Engine::Vec => Unit::Vec,
        };
        let phases = Phases::of(instr, cost, (now, end), start.channel(cost), self.machine);
        self.recorder.span(self.program, index, unit, (now, end), phases);
        self.tell(start, end, cost);
        let work: &mut Work = self.recorder.work(self.program, index);
        let busy = match instr.engine() {
            Engine::Control | Engine::Dma0 => &mut work.busy.dma0,
            Engine::Dma1 => &mut work.busy.dma1,
            Engine::Dpu => &mut work.busy.dpu,
            Engine::Vec => &mut work.busy.vec,
        };
        *busy = busy.saturating_add(duration);
        work.stalls.barrier_wait = work.stalls.barrier_wait.saturating_add(waited);
        work.add_cost(cost, low);
    }

    /// Notifies the observers of a started task.
    fn tell(&mut self, start: &Start<'_>, end: u64, cost: &Cost) {
        let &Start { index, instr, engine, now, waited: wait, .. } = start;
        let (channel, bytes, macs) = (start.channel(cost), cost.traffic, cost.macs);
        // The dispatcher comes first in a report.
        let task = Task { index, instr, engine: engine + 1, start: now, end, wait, channel, bytes, macs };
        for observer in self.observers.iter_mut() {
            observer.task(&task);
        }
    }

    /// The fault of a flawed program.
    fn explain(&self, flaw: Flaw, timeline: &Timeline<'_, Option<Clock>>) -> Fault {
        match flaw {
            Flaw::NoTile(tile) => {
                Fault::operand(format!("tile {tile} of a machine with {}", self.machine.tiles))
            }
            Flaw::Barrier(error) => barrier::misused(error, self.machine),
            Flaw::BarrierLeft(first) => barrier::left(&first, timeline.barriers()),
            Flaw::NoEnd => Fault::new(TrapKind::NoEnd, "the instruction stream stops without 'end'"),
            Flaw::Deadlock => self.deadlock(timeline),
        }
    }

    /// Lists everything that is stuck and what it waits for.
    fn deadlock(&self, timeline: &Timeline<'_, Option<Clock>>) -> Fault {
        let fault = Fault::new(TrapKind::Deadlock, "no engine can go on, and neither can the dispatcher");
        let fault = timeline.waiting().fold(fault, |fault, (number, index)| {
            let mask = self.program.instrs.get(index).map_or(0, Instr::wait);
            let waits = timeline.barriers().pending(mask);
            let list = waits.map(|b| format!("{} (armed by #{})", barrier::missing(&b), b.armed_by));
            let list = list.collect::<Vec<_>>().join(", ");
            fault.with_note(format!("{} waits: {list}", engine_name(number)), Some(index))
        });
        match timeline.obstacle() {
            Some(Obstacle::FullFifo(engine)) => fault.with_note(
                format!("the dispatcher waits: the FIFO of {} is full", engine_name(engine)),
                None,
            ),
            Some(Obstacle::BusyBarrier(id)) => {
                timeline.barriers().pending(1 << (id & 63)).fold(fault, |fault, b| {
                    let waits = barrier::missing(&b);
                    let note = format!("the dispatcher waits: {waits}; it was armed here");
                    fault.with_note(note, Some(b.armed_by))
                })
            }
            Some(Obstacle::BusyEngines) | None => fault,
        }
    }
}

impl Tasks for Simulation<'_, '_> {
    /// The vector clock of the dispatch.
    type Ticket = Option<Clock>;
    type Error = SimError;

    fn check(&mut self, index: usize, instr: &Instr, now: u64) -> Result<(), SimError> {
        let fault = |error: FieldError| Fault::operand(error.to_string()).at(self.program, index, now);
        instr.check_fields().map_err(fault)
    }

    fn dispatched(&mut self, dispatched: &Dispatched<'_>) -> Option<Clock> {
        let &Dispatched { index, instr, start, end, held } = dispatched;
        let work = self.recorder.work(self.program, index);
        *work.instructions.entry(Cow::Borrowed(instr.mnemonic())).or_default() += 1;
        let held = held.map_or(0, |(obstacle, since)| {
            let lost = start - since;
            match obstacle {
                Obstacle::FullFifo(_) => work.stalls.fifo_full += lost,
                Obstacle::BusyBarrier(_) => work.stalls.barrier_arm += lost,
                Obstacle::BusyEngines => {}
            }
            lost
        });
        self.dispatcher.tasks += 1;
        self.dispatcher.busy = self.dispatcher.busy.saturating_add(end - start);
        for observer in self.observers.iter_mut() {
            observer.dispatch(&Dispatch { index, start, end, held });
        }
        let checker = self.checker.as_mut()?;
        if let Instr::BarCfg(x) = instr {
            checker.arm(usize::from(x.barrier));
        }
        Some(checker.dispatch_clock())
    }

    fn start(&mut self, start: &Start<'_>, dispatched: Option<Clock>) -> Result<Cost, SimError> {
        let &Start { instr, engine, .. } = start;
        let Some(semantics) = semantics(instr) else { return Ok(Cost::default()) };
        let dpu_cost::TaskCost { mut cost, low_macs } =
            self.core.cost(instr, semantics, self.machine).map_err(|fault| self.trap(start, fault))?;
        let by_values = self.machine.zero_skip != 0 && semantics.skips_zeros().is_some();
        if !by_values {
            self.check_fuel(start, &cost)?;
        }
        if let (Some(checker), Some(clock)) = (&mut self.checker, &dispatched) {
            checker.start(engine, clock, members(instr.wait()).map(usize::from));
        }
        let steps = if self.executes { semantics.steps(&self.core) } else { 0 };
        let counts = self.machine.zero_skip != 0 || dpu_cost::prices_zeros(self.machine);
        let steps = if counts { steps.saturating_mul(COUNTING) } else { steps };
        self.meter.begin(steps).map_err(|fault| self.stopped(start, fault))?;
        let low = if self.executes {
            let done = self.execute(start.index, semantics, instr.tile().unwrap_or(0));
            let (low, zeros, found) = done.map_err(|fault| self.stopped(start, fault))?;
            cost = found.unwrap_or(cost);
            cost.events.act_zero = zeros;
            low
        } else {
            self.core.skip(instr);
            low_macs
        };
        self.check_fuel(start, &cost)?;
        self.record_task(start, &cost, low);
        Ok(cost)
    }

    fn ended(&mut self, engine: usize, index: usize, instr: &Instr) {
        if let Some(checker) = &mut self.checker {
            checker.finish(engine, index, members(instr.post()).map(usize::from));
        }
    }
}
