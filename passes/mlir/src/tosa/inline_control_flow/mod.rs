//! `inline-control-flow`: conditions and loops become the ops of their regions.
//!
//! Invariant: no control flow of TOSA remains, and every result is that of the regions that TOSA would execute.

mod guard;
mod inline;

use strum_ir::{Block, Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::rewrite::{blocks, remove_dead};
use inline::{Inliner, is_control_flow};

pass_options! {
    /// The pass.
    pub struct InlineControlFlow;
}

impl Documented for InlineControlFlow {
    const DOC: &'static str = "\
Replaces control flow by the ops of its regions:

- a `cond_if` whose condition follows from constants becomes the region that it chooses; otherwise both regions are computed, and a
  `select` takes each result; divisors and indices in a region that would not be executed are replaced by valid ones;
- a `while_loop` is unrolled if its condition follows from constants in every iteration.

Conditions and loops may contain others, and their regions may use values from outside. A loop whose number of iterations depends on
data is an error, and so are one of more than 4096 iterations, control flow that becomes more than 65536 ops, and variables in a
region.";
}

impl Pass for InlineControlFlow {
    const ARGUMENT: &'static str = "inline-control-flow";
    const DESCRIPTION: &'static str = "Replace conditions and loops by the ops of their regions";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let _span =
            tracing::debug_span!("inline-control-flow", function = op.symbol().unwrap_or("?")).entered();
        limits::check(op, 0)?;
        blocks(op).into_iter().try_for_each(inline)
    }
}

fn inline(block: Block<'_>) -> Result<(), PassError> {
    let ops = block.operations();
    let Some(&last) = ops.last().filter(|_| ops.iter().any(|&op| is_control_flow(op))) else { return Ok(()) };
    let mut inliner = Inliner::new(last)?;
    for op in ops {
        inliner.visit(op)?;
    }
    remove_dead(block)?;
    Ok(())
}
