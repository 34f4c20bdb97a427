//! GPTQ-style rounding of weights: each rounding error is compensated by the weights that are rounded later, as far as inputs are correlated.
//!
//! All samples run through the network twice, operator by operator: exactly (inputs `x` of a layer), and as codes, with the
//! weights that have been rounded so far (`x'`). A layer's weights `w` are first moved to the best ones for `x'`: least squares
//! of `w x - w' x'`, without the means, gives `w' = w C H⁻¹` with `C = cov(x, x')` and `H = cov(x')`. They are then rounded to
//! codes one by one, and the error `e` of each is distributed to the later weights by `-e Uᵢⱼ / Uᵢᵢ` with `Uᵀ U = H⁻¹`. Single
//! codes are then changed as long as that reduces the error `e H eᵀ`. The bias absorbs the difference of the means.
//! (The order of rounding is that of GPTQ, Frantar and others 2023, the choice of low members that of SparseGPT, Frantar and
//! Alistarh 2023; blocks of two precisions, and inputs as they are after earlier layers, are ours.)
//!
//! Invariant: the result depends on the samples and their order alone, not on the number of threads.

mod again;
mod kernel;
mod matrix;
mod rounding;
mod streams;

use std::collections::BTreeMap;

use ndarray::IxDyn;
use strum_quant::Request;

use super::QuantizeError;
use super::int::{IntGraph, IntOp, Weights};
use crate::graph::{Graph, Node, ValueId};
use crate::op::{Op, Window};
use crate::{Invalid, Tensor};
use kernel::{Inputs, Kernel, Refused};
use streams::{Streams, chosen};

pub use again::IntLayer;
pub use kernel::Rounded;

/// A weight format, and the layers that it stores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storage {
    /// The method and its parameters.
    pub request: Request,
    /// Layers with fewer input channels stay INT8; depthwise ones with fewer channels in all.
    pub min_channels: usize,
    /// Whether depthwise layers are stored in this format, too.
    pub depthwise: bool,
}

impl Storage {
    /// Whether a layer is stored in this format; `channels` are what blocks run along.
    fn applies(&self, depthwise: bool, channels: usize) -> bool {
        channels >= self.min_channels && (self.depthwise || !depthwise)
    }
}

/// The formats that the layers of a network are rounded for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Formats {
    /// Plain INT8.
    #[default]
    Dense,
    /// One for all layers that it stores.
    All(Storage),
    /// One for each convolution, in the order of the integer network; nothing stands for plain INT8.
    Each(Vec<Option<Storage>>),
}

impl Formats {
    /// That of a convolution, by its index.
    fn of_layer(&self, index: usize) -> Option<Storage> {
        match self {
            Formats::Dense => None,
            Formats::All(storage) => Some(*storage),
            Formats::Each(list) => list.get(index).copied().flatten(),
        }
    }
}

/// Rounds the weights of an integer network again, GPTQ-style. `graph` is the float network that `int` was made from.
///
/// Weights of layers with a format are rounded to values that its blocks represent exactly, so that packing in this format, with
/// members selected by error, changes none of them.
///
/// As many samples are used as fit 1 GiB of memory with their values, evenly spread.
///
/// # Errors
/// When there are no samples or their inputs differ from the graph's, a format is invalid, or the sums of a layer may overflow 32 bits.
pub fn round_with_feedback(
    graph: &Graph,
    samples: &[Vec<Tensor>],
    int: &mut IntGraph,
    formats: &Formats,
) -> Result<(), QuantizeError> {
    if samples.is_empty() {
        return Err(QuantizeError::invalid(None, "feedback needs samples"));
    }
    let internal = |error: Invalid| QuantizeError::internal(None, error);
    let samples = chosen(graph, samples);
    let coded = int.coded.clone();
    let mut layers: BTreeMap<ValueId, (&mut Weights, Option<Storage>)> = BTreeMap::new();
    for node in &mut int.nodes {
        if let IntOp::Conv2d(_, weights) | IntOp::DepthwiseConv2d(_, weights) = &mut node.op {
            let storage = formats.of_layer(layers.len());
            layers.insert(weights.source.sums, (weights, storage));
        }
    }
    let wrong_samples = |error: Invalid| QuantizeError::invalid(None, error.to_string());
    let mut exact = Streams::begin(graph, &samples, None).map_err(wrong_samples)?;
    let mut codes = Streams::begin(graph, &samples, Some(&coded)).map_err(wrong_samples)?;
    for (index, node) in graph.nodes().iter().enumerate() {
        let instead = match layers.remove(&node.result) {
            Some((weights, storage)) => Layer::of(graph, node, weights)?.round(&exact, &codes, storage)?,
            None => BTreeMap::new(),
        };
        exact.step(index, node, &BTreeMap::new()).map_err(internal)?;
        codes.step(index, node, &instead).map_err(internal)?;
    }
    Ok(())
}

/// A layer to round.
struct Layer<'a> {
    node: &'a Node,
    weights: &'a mut Weights,
    window: Window,
    depthwise: bool,
    /// Rows and columns of the result.
    positions: [usize; 2],
    /// In units of codes, in the order of the codes.
    exact: Vec<f64>,
}

impl<'a> Layer<'a> {
    fn of(graph: &'a Graph, node: &'a Node, weights: &'a mut Weights) -> Result<Self, QuantizeError> {
        let internal = || QuantizeError::internal(Some(node.tag), "the layer has changed");
        let (window, depthwise) = match node.op {
            Op::Conv2d(window) => (window, false),
            Op::DepthwiseConv2d(window) => (window, true),
            _ => return Err(internal()),
        };
        let &[_, h, w, channels] = graph.shape(node.result) else { return Err(internal()) };
        let source = graph.constant_of(weights.source.weights).ok_or_else(internal)?;
        let per = source.len() / channels.max(1);
        let scale_of = |index: usize| {
            let channel = if depthwise { index % channels.max(1) } else { index / per.max(1) };
            weights.source.scales.get(channel).copied().unwrap_or(1.0)
        };
        let exact = source.iter().enumerate().map(|(i, &w)| f64::from(w) / scale_of(i)).collect();
        Ok(Layer { node, weights, window, depthwise, positions: [h, w], exact })
    }

    /// Rounds, and returns weights and bias in the codes' form, replacing the float network's.
    fn round(
        self,
        exact: &Streams<'_>,
        codes: &Streams<'_>,
        storage: Option<Storage>,
    ) -> Result<BTreeMap<ValueId, Tensor>, QuantizeError> {
        let tag = self.node.tag;
        let fail = |reason: &str| QuantizeError::internal(Some(tag), reason);
        let &[image, weights, bias] = self.node.operands.as_slice() else {
            return Err(fail("the layer has other operands"));
        };
        let &[first, second, third, fourth] = self.weights.shape.as_slice() else {
            return Err(fail("the weights have other axes"));
        };
        let taps = if self.depthwise { [first, second] } else { [second, third] };
        let step = self.weights.source.input.scale;
        let windows = |streams: &Streams<'_>| {
            let windows = streams.windows(image, step, (&self.window, taps), self.positions);
            windows.ok_or_else(|| fail("an input has no windows"))
        };
        let inputs = Inputs::of(windows(exact)?, windows(codes)?);
        let kernel = Kernel {
            depthwise: self.depthwise,
            shape: [first, second, third, fourth],
            exact: &self.exact,
            codes: &self.weights.codes,
            steps: &self.weights.source.scales,
        };
        let refused = |reason: Refused| reason.at(Some(tag));
        let mut rounded = kernel.round(&inputs, &[storage]).map_err(refused)?;
        let codes = rounded.pop().ok_or_else(|| fail("no codes"))?;
        let corrected = kernel.bias(&codes, &self.weights.bias, &inputs).map_err(refused)?;
        (self.weights.codes, self.weights.bias) = (codes, corrected);
        let [coded_weights, coded_bias] = self.values().map_err(|error| fail(&error.to_string()))?;
        Ok(BTreeMap::from([(weights, coded_weights), (bias, coded_bias)]))
    }
}

impl Layer<'_> {
    /// The real values of weight and bias codes.
    fn values(&self) -> Result<[Tensor; 2], ndarray::ShapeError> {
        let scales = &self.weights.source.scales;
        let per = self.weights.codes.len() / scales.len().max(1);
        let scale = |index: usize| {
            let channel = if self.depthwise { index % scales.len().max(1) } else { index / per.max(1) };
            scales.get(channel).copied().unwrap_or(1.0)
        };
        let step = self.weights.source.input.scale;
        #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
        let single = |x: f64| x as f32;
        let weights = self.weights.codes.iter().enumerate();
        let weights = weights.map(|(i, &code)| single(f64::from(code) * scale(i))).collect();
        let bias = self.weights.bias.iter().zip(scales);
        let bias: Vec<f32> = bias.map(|(&code, scale)| single(f64::from(code) * scale * step)).collect();
        Ok([
            Tensor::from_shape_vec(IxDyn(&self.weights.shape), weights)?,
            Tensor::from_shape_vec(IxDyn(&[bias.len()]), bias)?,
        ])
    }
}
