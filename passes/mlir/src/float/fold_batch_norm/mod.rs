//! `fold-batch-norm`: folds scales and offsets of channels into weights and biases.
//!
//! Invariant: the result is unchanged up to rounding.

use strum_float::Graph;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::step::{applies_to_floats, run};

pass_options! {
    /// The pass.
    pub struct FoldBatchNorm;
}

impl Documented for FoldBatchNorm {
    const DOC: &'static str = applies_to_floats!(
        "\
Folds products and sums with a constant per channel after a convolution into its weights and its bias: batch normalization becomes these
when the operators on its statistics are folded. A `matmul` with a constant matrix becomes a 1x1 `conv2d` first, whose bias is folded in
the same way. For images NHWC: run `canonicalize-layout` before it."
    );
}

impl Pass for FoldBatchNorm {
    const ARGUMENT: &'static str = "fold-batch-norm";
    const DESCRIPTION: &'static str = "Fold batch normalization and biases of a float network into weights";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        run(op, Graph::fold_batch_norm)
    }
}
