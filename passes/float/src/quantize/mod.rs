//! From a float network and the ranges of its values to an integer network.
//!
//! Weights are symmetric, for each channel or for the tensor; activations are i8 with a zero point. A layer is an operator
//! with the clamp behind it; a function of one value, however many operators it is made of, is a table. Values that only
//! move, and those that are compared, keep the scale that they have.

mod feedback;
mod inputs;
mod int;
mod lower;
mod params;
mod ranges;
mod regions;
mod weights;

pub use feedback::{Storage, round_with_feedback};
pub use inputs::{correct_bias, observe_inputs};
pub use int::{InputStatistics, IntElem, IntGraph, IntId, IntNode, IntOp, Port, Source, Weights};
pub use params::{QParams, Scale};
pub use ranges::{Range, RangeChoice, evaluate_all, observe};

use crate::graph::Graph;

/// Whether the channels of a layer have a scale each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightScales {
    /// One for each output channel.
    PerChannel,
    /// One for the layer.
    PerTensor,
}

/// Why a network cannot be quantized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct QuantizeError {
    /// The tag of the node that is at fault, if it is one.
    pub tag: Option<u32>,
    /// Whether the network is fine, and this crate at its end.
    pub unsupported: bool,
    /// What is wrong.
    pub reason: String,
}

impl QuantizeError {
    fn invalid(tag: Option<u32>, reason: impl Into<String>) -> Self {
        QuantizeError { tag, unsupported: false, reason: reason.into() }
    }

    fn unsupported(tag: u32, reason: impl Into<String>) -> Self {
        QuantizeError { tag: Some(tag), unsupported: true, reason: reason.into() }
    }
}

/// Quantizes a network. `ranges` are those of its values, by their index, as [`observe`] gives them.
///
/// # Errors
/// When an operator has no integer form here, or a value, a weight or a bias is not finite.
pub fn quantize(graph: &Graph, ranges: &[Range], scales: WeightScales) -> Result<IntGraph, QuantizeError> {
    lower::Lowering::new(graph, ranges, scales)?.run()
}
