//! Planning of one layer: the draft that its tasks go to, the constraints on its plan, and the decisions made.
//!
//! Invariant: a scope decides about its own layer alone, and [`LayerScope::end`] returns its decisions.

use dpu_isa::Machine;

use crate::draft::{Draft, LayerInfo};
use crate::error::PlanError;
use crate::objective::Objective;
use crate::strategy::{CutStrategy, LayerStrategy, ScheduleStrategy, TilingStrategy};
use crate::tile::Problem;
use crate::tile::budget::Budget;
use crate::tile::search::{Choice, Memo};

/// State that the layers of a plan share: the machine, the objective, and the tilings found so far.
#[derive(Clone, Debug)]
pub struct Planner<'m> {
    machine: &'m Machine,
    objective: Objective,
    memo: Memo,
}

impl<'m> Planner<'m> {
    /// A planner for a machine.
    pub fn new(machine: &'m Machine, objective: Objective) -> Self {
        Planner { machine, objective, memo: Memo::default() }
    }

    /// The machine.
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// Begins a layer of `draft`: the tasks that follow belong to it.
    ///
    /// # Errors
    /// A resource error if there are too many layers.
    pub fn layer<'a>(
        &'a mut self,
        draft: &'a mut Draft,
        info: LayerInfo,
        constraints: Constraints,
    ) -> Result<LayerScope<'a>, PlanError> {
        let strategy = LayerStrategy { name: info.name.clone(), ..LayerStrategy::default() };
        draft.layer(info.name, info.op, info.loc, info.macs)?;
        let Planner { machine, objective, memo } = self;
        let outcome = LayerOutcome { strategy, dpu_cycles: None };
        Ok(LayerScope { draft, machine, objective: *objective, memo, constraints, outcome })
    }
}

/// The constraints on the plan of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints {
    /// Its strategy.
    pub strategy: LayerStrategy,
    /// SRAM bytes that resident tensors hold while it runs, not available to its tiles.
    pub resident_bytes: u64,
    /// Bytes of the largest resident tensor that the vector engine reads or writes at the same time, row by row.
    pub shared_bytes: u64,
}

/// The result of planning a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerOutcome {
    /// The decisions.
    pub strategy: LayerStrategy,
    /// Cycles that the DPU is expected to take; `None` for layers that it does not compute.
    pub dpu_cycles: Option<u64>,
}

/// A layer being planned.
#[derive(Debug)]
pub struct LayerScope<'a> {
    /// The draft; its last layer is this one.
    pub draft: &'a mut Draft,
    /// The machine.
    pub machine: &'a Machine,
    objective: Objective,
    memo: &'a mut Memo,
    constraints: Constraints,
    outcome: LayerOutcome,
}

impl LayerScope<'_> {
    /// SRAM bytes available to the tiles of the layer.
    pub(crate) fn tile_bytes(&self) -> u64 {
        self.machine.sram_bytes.saturating_sub(self.constraints.resident_bytes)
    }

    /// The machine with the layer's share of it.
    pub(crate) fn budget(&self) -> Budget {
        Budget::of(self.machine).within(self.tile_bytes(), self.constraints.shared_bytes, self.objective)
    }

    /// The schedules that the strategy gives.
    pub(crate) fn given_schedules(&self) -> &[ScheduleStrategy] {
        &self.constraints.strategy.schedules
    }

    /// What the strategy gives for the next cut.
    pub(crate) fn given_cut(&self) -> CutStrategy {
        let next = self.outcome.strategy.cuts.len();
        self.constraints.strategy.cuts.get(next).cloned().unwrap_or_default()
    }

    /// Records the decision on the next cut.
    pub(crate) fn decide_cut(&mut self, cut: CutStrategy) {
        self.outcome.strategy.cuts.push(cut);
    }

    /// Records the decision on the schedules.
    pub(crate) fn decide_schedules(&mut self, schedules: Vec<ScheduleStrategy>) {
        self.outcome.strategy.schedules = schedules;
    }

    /// Decides the tiling: the best one that the strategy allows.
    ///
    /// # Errors
    /// A resource error if not even the smallest tiles fit the SRAM; refused if no tiling matches the strategy.
    pub(crate) fn decide_tiling(&mut self, problem: &Problem) -> Result<Choice, PlanError> {
        let budget = self.budget();
        let LayerStrategy { tiling, schedules, .. } = &self.constraints.strategy;
        let choice = self.memo.search(problem, budget, tiling.as_ref(), schedules)?;
        let Choice { tiling, estimate, .. } = &choice;
        self.outcome.strategy.tiling = Some(TilingStrategy::of(tiling, estimate.split_weights));
        let cycles = self.outcome.dpu_cycles.unwrap_or(0).saturating_add(estimate.compute);
        self.outcome.dpu_cycles = Some(cycles);
        Ok(choice)
    }

    /// Ends the layer and returns the decisions; refuses a strategy with unused parts.
    ///
    /// # Errors
    /// Refused: a tiling, schedules or cuts for a layer that has none or fewer.
    pub fn end(self) -> Result<LayerOutcome, PlanError> {
        let (given, decided) = (&self.constraints.strategy, &self.outcome.strategy);
        if given.tiling.is_some() && decided.tiling.is_none() {
            return Err(PlanError::refused("tiling given for a layer that the DPU does not compute"));
        }
        if !given.schedules.is_empty() && decided.schedules.is_empty() {
            return Err(PlanError::refused(
                "schedules given for a layer that is neither a convolution nor a matrix product",
            ));
        }
        let (told, has) = (given.cuts.len(), decided.cuts.len());
        if told > has {
            return Err(PlanError::refused(format!("{told} cuts given, the layer has {has}")));
        }
        Ok(self.outcome)
    }
}
