//! The cost of a whole draft: it gets its final addresses and barriers, and its stream runs on the clock of
//! [`dpu_cost::timeline`], which the simulator shares. Nothing is executed.
//!
//! Invariant: cycles, energy and DRAM bytes equal those of a run as long as they do not depend on values: on a machine that skips
//! zeros they are those without skipping, and low members are counted where packers place them.

mod costs;

use std::convert::Infallible;

use dpu_cost::timeline::{Dispatched, Start, Stop, Tasks, Timeline};
use dpu_cost::{Cost, Counts};
use dpu_isa::{Instr, Machine};

use crate::draft::Draft;
use crate::error::PlanError;
use crate::objective;
use crate::{alloc, schedule};

/// The cost of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Cycles from the first instruction to `end`.
    pub cycles: u64,
    /// Energy in femtojoules.
    pub energy_fj: u64,
    /// Bytes read from and written to DRAM.
    pub dram_bytes: u64,
}

impl Forecast {
    /// Forecasts the cost of a draft.
    ///
    /// # Errors
    /// Those of [`schedule::finish`], above all a resource error if buffers do not fit.
    pub fn of(draft: &Draft, machine: &Machine) -> Result<Self, PlanError> {
        let forecaster = Forecaster::new(draft, machine)?;
        let order: Vec<usize> = (0..draft.tasks.len()).collect();
        let cycles = forecaster.cycles(draft, &order)?;
        let mut counts = Counts { cycles, ..Counts::default() };
        for task in &forecaster.costs {
            let more = task.cost.counts(task.low_macs);
            counts.macs_high = counts.macs_high.saturating_add(more.macs_high);
            counts.macs_low = counts.macs_low.saturating_add(more.macs_low);
            counts.bytes.add(&more.bytes);
            counts.events.add(&more.events);
        }
        let dram_bytes = counts.bytes.dram_read.saturating_add(counts.bytes.dram_write);
        Ok(Forecast { cycles, energy_fj: objective::energy(&counts, machine), dram_bytes })
    }
}

/// The tasks of a draft, to be run in several orders.
pub(crate) struct Forecaster<'m> {
    machine: &'m Machine,
    /// The costs of the draft's tasks, in its own order.
    costs: Vec<dpu_cost::TaskCost>,
}

impl<'m> Forecaster<'m> {
    /// # Errors
    /// An internal error for a variant without its invariant.
    pub(crate) fn new(draft: &Draft, machine: &'m Machine) -> Result<Self, PlanError> {
        Ok(Forecaster { machine, costs: costs::of(&draft.tasks, machine)? })
    }

    /// The cycles of the draft, whose tasks are now those of `order`, each with its original index.
    ///
    /// # Errors
    /// Those of [`schedule::finish`], above all a resource error if buffers do not fit.
    pub(crate) fn cycles(&self, draft: &Draft, order: &[usize]) -> Result<u64, PlanError> {
        let Draft { buffers, tasks, layers, .. } = draft;
        let addresses = alloc::allocate(buffers, tasks, layers, self.machine)?;
        let tasks = schedule::relocate(buffers, tasks, &addresses)?;
        let (_, assignment) = schedule::synchronize(&tasks, self.machine)?;
        let (instrs, origin) = schedule::assemble(&tasks, &assignment)?;
        let cost = |(instr, origin): (&Instr, &usize)| match instr {
            Instr::BarCfg(_) | Instr::End(_) => Cost::default(),
            _ => order.get(*origin).and_then(|&t| self.costs.get(t)).map(|t| t.cost).unwrap_or_default(),
        };
        let costs: Vec<Cost> = instrs.iter().zip(&origin).map(cost).collect();
        // Plans use one tile.
        let mut timeline = Timeline::new(&instrs, self.machine, 1);
        timeline.run(&mut Costs(&costs)).map_err(|stop| match stop {
            Stop::Task(never) => match never {},
            Stop::Program { index, flaw } => {
                PlanError::internal(format!("the plan stops at instruction {index}: {flaw:?}"))
            }
        })
    }
}

/// The cost of every instruction of a stream. Tasks only take their time.
struct Costs<'c>(&'c [Cost]);

impl Tasks for Costs<'_> {
    type Ticket = ();
    type Error = Infallible;

    fn check(&mut self, _index: usize, _instr: &Instr, _now: u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn dispatched(&mut self, _dispatched: &Dispatched<'_>) {}

    fn start(&mut self, start: &Start<'_>, (): ()) -> Result<Cost, Infallible> {
        Ok(self.0.get(start.index).copied().unwrap_or_default())
    }

    fn ended(&mut self, _engine: usize, _index: usize, _instr: &Instr) {}
}
