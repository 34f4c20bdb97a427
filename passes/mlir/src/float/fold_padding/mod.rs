//! `fold-padding`: folds padding of float networks into the operators that pad themselves.
//!
//! Invariant: the result is unchanged.

use strum_float::Graph;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::step::{applies_to_floats, run};

pass_options! {
    /// The pass.
    pub struct FoldPadding;
}

impl Documented for FoldPadding {
    const DOC: &'static str = applies_to_floats!(
        "\
Removes a `slice` that cuts off only what no window reaches; merges `pad` with `pad`; folds zeros into `conv2d` and `depthwise_conv2d`,
and the smallest value into `max_pool2d` where the padding is smaller than the kernel. A mean over a padded image that is scaled at every
position to the mean of the inside becomes an `avg_pool2d` with padding. For images NHWC: run `canonicalize-layout` before it."
    );
}

impl Pass for FoldPadding {
    const ARGUMENT: &'static str = "fold-padding";
    const DESCRIPTION: &'static str = "Move the padding of a float network into convolutions and poolings";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        run(op, Graph::fold_padding)
    }
}
