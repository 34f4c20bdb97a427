//! The quantization recipe: canonicalize, equalize, observe ranges, quantize, round weights.
//!
//! Invariant: the result depends on network, recipe and samples alone, not on the number of threads; on the order of samples only
//! with feedback.

use std::collections::BTreeMap;

use super::{
    Formats, IntGraph, IntOp, QuantizeError, RangeChoice, WeightScales, correct_bias, observe,
    observe_inputs, quantize, round_with_feedback, samples,
};
use crate::{Graph, Invalid, Tensor};

/// How weights become codes. All but `Nearest` need calibration data.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum WeightRounding {
    /// The nearest code.
    #[default]
    Nearest,
    /// The nearest code; biases are corrected for the mean error.
    BiasCorrection,
    /// GPTQ-style, with feedback; to codes that the weight formats represent exactly.
    Feedback(Formats),
}

/// How a float network is quantized.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How ranges of activations are chosen.
    pub ranges: RangeChoice,
    /// Granularity of weight scales.
    pub weights: WeightScales,
    /// Whether weight ranges are equalized across consecutive layers first.
    pub equalize: bool,
    /// How weights become codes.
    pub rounding: WeightRounding,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            ranges: RangeChoice::Mse,
            weights: WeightScales::PerChannel,
            equalize: false,
            rounding: WeightRounding::Nearest,
        }
    }
}

/// A step of the recipe, for progress output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The network is rewritten.
    Rewrite,
    /// Samples run through the float network.
    Calibrate,
    /// Values and weights become codes.
    Quantize,
    /// Weights are rounded again, with feedback.
    Round,
}

/// A quantized network.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The integer network.
    pub network: IntGraph,
    /// Its summary.
    pub report: Report,
}

/// The summary of a quantized network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Samples of calibration data; none if ranges were estimated from random inputs.
    pub samples: Option<usize>,
    /// Weights of convolutions.
    pub weights: usize,
    /// Operators by their TOSA name.
    pub operators: BTreeMap<&'static str, usize>,
}

/// Why rounding other than to nearest is refused without calibration data.
pub(super) const NOT_REPRESENTATIVE: &str = "random inputs do not represent the real ones";

impl Recipe {
    /// Quantizes a network as a front end exports it.
    ///
    /// `samples` is the calibration data: the inputs of each sample, as [`samples()`](super::samples()) makes them; without it,
    /// random inputs are used.
    ///
    /// # Errors
    /// - an operator has no integer form, or a value, a weight or a bias is not finite: at its node;
    /// - there are no samples, their inputs differ from the network's, or there is no calibration data for the rounding.
    pub fn run(&self, graph: &Graph, samples: Option<&[Vec<Tensor>]>) -> Result<Quantized, QuantizeError> {
        self.run_staged(graph, samples, |_| {})
    }

    /// As [`run`](Self::run); `begin` is called before each stage.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_staged(
        &self,
        graph: &Graph,
        data: Option<&[Vec<Tensor>]>,
        mut begin: impl FnMut(Stage),
    ) -> Result<Quantized, QuantizeError> {
        if data.is_none() && self.rounding != WeightRounding::Nearest {
            let reason = format!("rounding of weights needs calibration data: {NOT_REPRESENTATIVE}");
            return Err(QuantizeError::invalid(None, reason));
        }
        begin(Stage::Rewrite);
        let bug = |error: Invalid| QuantizeError::internal(None, error);
        let mut graph = graph.canonicalize().map_err(bug)?;
        if self.equalize {
            graph = graph.equalize().map_err(bug)?;
        }
        begin(Stage::Calibrate);
        let wrong_samples = |error: Invalid| QuantizeError::invalid(None, error.to_string());
        let ranges = match data {
            Some(data) => observe(&graph, data, self.ranges),
            None => observe(&graph, &samples::random(&graph), self.ranges),
        };
        let ranges = ranges.map_err(wrong_samples)?;
        begin(Stage::Quantize);
        let mut network = quantize(&graph, &ranges, self.weights)?;
        if let Some(data) = data {
            observe_inputs(&graph, data, &mut network).map_err(wrong_samples)?;
            match &self.rounding {
                WeightRounding::Nearest => {}
                WeightRounding::BiasCorrection => correct_bias(&graph, &mut network)?,
                WeightRounding::Feedback(formats) => {
                    begin(Stage::Round);
                    round_with_feedback(&graph, data, &mut network, formats)?;
                }
            }
        }
        let report = Report::of(&network, data.map(<[_]>::len));
        Ok(Quantized { network, report })
    }
}

impl Report {
    fn of(network: &IntGraph, samples: Option<usize>) -> Self {
        let mut report = Report { samples, weights: 0, operators: BTreeMap::new() };
        for node in &network.nodes {
            *report.operators.entry(node.op.name()).or_insert(0) += 1;
            if let IntOp::Conv2d(_, weights) | IntOp::DepthwiseConv2d(_, weights) = &node.op {
                report.weights += weights.codes.len();
            }
        }
        report
    }
}
