//! From a float network and the ranges of its values to an integer network.
//!
//! Weights are symmetric, per channel or per tensor; activations are i8 with a zero point. A layer is an operator with the clamp
//! after it; a function of one value, however many operators it consists of, is a table. Values that are only moved or compared
//! keep their scale.
//!
//! [`Recipe`] is the complete procedure, for a network as a front end exports it; [`Options`] are the user's options of a recipe.

mod feedback;
mod inputs;
mod int;
mod lower;
mod options;
mod params;
mod ranges;
mod recipe;
mod regions;
mod samples;
mod select;
mod weights;

pub use feedback::{Formats, IntLayer, Rounded, Storage, round_with_feedback};
pub use inputs::{correct_bias, observe_inputs};
pub use int::{InputStatistics, IntElem, IntGraph, IntId, IntNode, IntOp, Port, Source, Weights};
pub use options::{Activations, Notation, Options, PERCENTILE, RoundingChoice};
pub use params::{QParams, Scale};
pub use ranges::{Range, RangeChoice, evaluate_all, observe};
pub use recipe::{Quantized, Recipe, Report, Stage, WeightRounding};
pub use samples::{RANDOM_WARNING, samples};

use crate::graph::Graph;

/// Granularity of weight scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightScales {
    /// One for each output channel.
    PerChannel,
    /// One for the layer.
    PerTensor,
}

/// The kind of a quantization error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The network or the samples are invalid.
    Invalid,
    /// The network is valid, but has no integer form here.
    Unsupported,
    /// A bug of this crate.
    Internal,
}

/// Why a network cannot be quantized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct QuantizeError {
    /// The tag of the node at fault, if it is a node.
    pub tag: Option<u32>,
    /// Its kind.
    pub fault: Fault,
    /// The reason.
    pub reason: String,
}

impl QuantizeError {
    fn invalid(tag: Option<u32>, reason: impl Into<String>) -> Self {
        QuantizeError { tag, fault: Fault::Invalid, reason: reason.into() }
    }

    fn unsupported(tag: u32, reason: impl Into<String>) -> Self {
        QuantizeError { tag: Some(tag), fault: Fault::Unsupported, reason: reason.into() }
    }

    fn internal(tag: Option<u32>, reason: impl ToString) -> Self {
        QuantizeError { tag, fault: Fault::Internal, reason: reason.to_string() }
    }
}

/// Quantizes a network, weights rounded to nearest. `ranges` are those of its values, by their index, as [`observe`] returns them.
///
/// # Errors
/// An operator has no integer form, or a value, a weight or a bias is not finite.
pub fn quantize(graph: &Graph, ranges: &[Range], scales: WeightScales) -> Result<IntGraph, QuantizeError> {
    lower::Lowering::new(graph, ranges, scales)?.run()
}
