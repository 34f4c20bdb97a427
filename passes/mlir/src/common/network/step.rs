//! Passes that rewrite a float function as a graph.

use strum_float::{Graph, Invalid};
use strum_ir::{Operation, PassError};

use super::{Network, write};
use crate::common::rewrite::blocks;

/// The last sentence of the description of every such pass.
macro_rules! applies_to_floats {
    ($text:literal) => {
        concat!(
            $text,
            "\n\n\
             Runs on a function of TOSA on f32, or of linalg on tensors of f32, of one block with static shapes, and writes TOSA on f32. \
             Operators\n\
             on constants are folded. A function in which the pass does not apply is unchanged; any unsupported op is an error."
        )
    };
}
pub(crate) use applies_to_floats;

/// A rewriting.
pub(crate) type Step = fn(&Graph) -> Result<Graph, Invalid>;

/// Rewrites a function; leaves it unchanged if the rewriting does not apply.
pub(crate) fn run(function: Operation<'_>, step: Step) -> Result<(), PassError> {
    // A declaration.
    if blocks(function).is_empty() {
        return Ok(());
    }
    let mut network = Network::read(function)?;
    let bug = |error: Invalid| PassError::Internal(error.to_string());
    let before = network.graph.without_dead_nodes().map_err(bug)?;
    let after = step(&before).map_err(bug)?;
    if before.is_same(&after) {
        tracing::debug!(function = function.symbol().unwrap_or("?"), "nothing to do");
        return Ok(());
    }
    network.graph = after;
    write::replace_function(function, &network)
}
