//! `linalg-to-tosa`: converts a float network from linalg to TOSA.
//!
//! Invariant: every linalg op becomes TOSA operators with the same semantics, and nothing else is rewritten.

use strum_float::Invalid;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};

use crate::Documented;
use crate::common::network::{Network, write};
use crate::common::rewrite::blocks;

pass_options! {
    /// The pass.
    pub struct LinalgToTosa;
}

impl Documented for LinalgToTosa {
    const DOC: &'static str = "\
Reads a function of linalg on tensors of f32, as torch-mlir exports it, and writes it as TOSA on f32: named operators by their name,
`linalg.generic` by its body, tensor operators as data movement. TOSA operators are NHWC, so NCHW convolutions and poolings get
transposes around them, which `canonicalize-layout` removes again; the initial value of an operator (`outs`) is added after it.
Operators on constants are folded, and redundant broadcasts are omitted. docs/quantize.md lists the supported ops.

A function of only TOSA is unchanged. An op that is not supported, a dynamic dimension and an assertion that fails are errors at the op.";
}

impl Pass for LinalgToTosa {
    const ARGUMENT: &'static str = "linalg-to-tosa";
    const DESCRIPTION: &'static str = "Write a float network of linalg as TOSA";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let ops: Vec<Operation<'c>> = blocks(op).iter().flat_map(|block| block.operations()).collect();
        if ops.iter().all(|op| matches!(op.dialect(), "tosa" | "func")) {
            return Ok(());
        }
        let mut network = Network::read(op)?;
        let live = network.graph.without_dead_nodes();
        network.graph = live.map_err(|error: Invalid| PassError::Internal(error.to_string()))?;
        write::replace_function(op, &network)
    }
}
