//! The cost of every task of a draft, which depends on neither addresses nor the order between engines.

use dpu_cost::TaskCost;
use dpu_isa::{Machine, Slots};

use crate::draft;
use crate::error::PlanError;

/// The costs of all tasks, in order.
///
/// # Errors
/// An internal error for a variant without its invariant, or a schedule that the register files cannot follow.
pub(super) fn of(tasks: &[draft::Task], m: &Machine) -> Result<Vec<TaskCost>, PlanError> {
    let mut slots = Slots::default();
    let cost = |task: &draft::Task| {
        let inv = slots.step(&task.instr).map_err(|e| PlanError::internal(e.to_string()))?;
        dpu_cost::task(&task.instr, inv, m).map_err(|e| PlanError::internal(e.to_string()))
    };
    tasks.iter().map(cost).collect()
}
