//! `recognize-activations`: gives activations of float networks one canonical form.
//!
//! Invariant: the result is unchanged except for NaN: a select by comparison replaces it, a clamp keeps it.

use strum_float::Graph;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::step::{applies_to_floats, run};

pass_options! {
    /// The pass.
    pub struct RecognizeActivations;
}

impl Documented for RecognizeActivations {
    const DOC: &'static str = applies_to_floats!(
        "\
Writes activations as `tosa.clamp`: `maximum` and `minimum` with one number (ReLU6, hard tanh, the inner part of hard swish and hard
sigmoid), selects between a value and a number by comparing the two (ReLU in linalg), and consecutive clamps, which are merged. An open
end is an infinity. The larger or smaller of two values, selected by comparing them, is `tosa.maximum` or `tosa.minimum`. A PReLU with a
slope per channel, in whatever spelling, is a select between a value and its product with the slopes."
    );
}

impl Pass for RecognizeActivations {
    const ARGUMENT: &'static str = "recognize-activations";
    const DESCRIPTION: &'static str = "Write the activations of a float network in one form";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        run(op, Graph::recognize_activations)
    }
}
