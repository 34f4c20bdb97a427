//! Single layers, planned for the tests.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use dpu_isa::Machine;
use strum_plan::{Constraints, Draft, LayerInfo, LayerOutcome, LayerScope, Objective, PlanError, Planner};

/// Plans a layer; returns the decisions.
pub(crate) fn plan_as(
    draft: &mut Draft,
    planner: &mut Planner<'_>,
    info: LayerInfo,
    constraints: Constraints,
    f: impl FnOnce(&mut LayerScope<'_>) -> Result<(), PlanError>,
) -> Result<LayerOutcome, PlanError> {
    let mut scope = planner.layer(draft, info, constraints)?;
    f(&mut scope)?;
    scope.end()
}

/// Plans a layer beside resident tensors of the given bytes.
pub(crate) fn plan_beside(
    draft: &mut Draft,
    machine: &Machine,
    resident_bytes: u64,
    f: impl FnOnce(&mut LayerScope<'_>) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    let constraints = Constraints { resident_bytes, ..Constraints::default() };
    let mut planner = Planner::new(machine, Objective::default());
    let info = LayerInfo { name: "layer".into(), op: "test".into(), loc: 0, macs: 0 };
    plan_as(draft, &mut planner, info, constraints, f).map(|_| ())
}

/// Plans a layer with all of the SRAM.
pub(crate) fn plan(
    draft: &mut Draft,
    machine: &Machine,
    f: impl FnOnce(&mut LayerScope<'_>) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    plan_beside(draft, machine, 0, f)
}
