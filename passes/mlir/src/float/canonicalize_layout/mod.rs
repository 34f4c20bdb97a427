//! `canonicalize-layout`: float images as NHWC throughout.
//!
//! Invariant: the result is unchanged, bit for bit: elements are moved and nothing is computed.

use strum_float::Graph;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::step::{applies_to_floats, run};

pass_options! {
    /// The pass.
    pub struct CanonicalizeLayout;
}

impl Documented for CanonicalizeLayout {
    const DOC: &'static str = applies_to_floats!(
        "\
Moves transposes of a float network towards its outputs until they meet their inverse, so that images are NHWC throughout: over
element-wise operators, `reduce`, `concat`, `pad`, `slice` and `tile`, as long as every operand exists in the other order or can be
converted for free. Transposes remain only at inputs and outputs, and where a reshape needs the other order; one that only moves axes of
extent 1 becomes a `reshape`."
    );
}

impl Pass for CanonicalizeLayout {
    const ARGUMENT: &'static str = "canonicalize-layout";
    const DESCRIPTION: &'static str = "Move the transposes of a float network until they cancel";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        run(op, Graph::canonicalize_layout)
    }
}
