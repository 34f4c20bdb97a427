//! The options of `strum-to-dpu`.

use strum_ir::{Words, pass_options};
use strum_plan::Objective;

use crate::common::machine::Target;

pass_options! {
    /// The planner's objective, constraints and output.
    pub struct PlanOptions {
        objective("objective"): Objective = Objective::Latency, in Words(Objective::ALL.map(|o| (o.name(), o)).to_vec()),
            "quantity to minimize when tiles and schedules are chosen; edp is energy times cycles, bytes is DRAM traffic";
        read_strategy("read-strategy"): Option<String> = None, "strategy file to follow, see docs/strategy.md";
        write_strategy("write-strategy"): Option<String> = None,
            "file for the strategy that was followed, decision by decision";
    }
}

pass_options! {
    /// The pass.
    pub struct StrumToDpu {
        provenance("provenance"): String = String::new(), "what the binary's manifest says of the pipeline";
        ..target: Target;
        ..plan: PlanOptions;
    }
}
