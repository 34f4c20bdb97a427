//! `fold-constants`: evaluates operators on constants.
//!
//! Invariant: the result is unchanged up to rounding.

use strum_float::Graph;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::step::{applies_to_floats, run};

pass_options! {
    /// The pass.
    pub struct FoldConstants;
}

impl Documented for FoldConstants {
    const DOC: &'static str = applies_to_floats!(
        "\
Folds operators of a float network with constant operands, as far as the constants do not grow; removes no-ops; computes once what is
computed twice; merges consecutive reshapes, and consecutive products with numbers, such as those of a sum turned into a mean."
    );
}

impl Pass for FoldConstants {
    const ARGUMENT: &'static str = "fold-constants";
    const DESCRIPTION: &'static str = "Compute the constants of a float network";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        run(op, Graph::fold_constants)
    }
}
