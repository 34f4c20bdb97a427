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
Computes operators of a float network whose operands are constants, as far as the constants do not grow; drops operators that do nothing;
merges a reshape with a reshape, and a product with a number with another such product, as a sum made a mean has them."
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
