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

mod matrix;
mod rounding;
mod streams;

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis, IxDyn};
use rayon::prelude::*;
use strum_formats::Shape;
use strum_quant::{Grids, Request};

use super::QuantizeError;
use super::int::{IntGraph, IntOp, Weights};
use super::weights::{MAX_BIAS, MAX_INPUT};
use crate::graph::{Graph, Node, ValueId};
use crate::op::{Op, Window};
use crate::{Invalid, Tensor};
use rounding::{Block, Fit};
use streams::{Streams, Windows, center, chosen, count, products};

/// Maximum number of inputs in a covariance; larger layers are split into groups of this size.
const MAX_GROUP: usize = 1024;

/// The format of the weights of layers with enough input channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storage {
    /// The method and its parameters.
    pub request: Request,
    /// Layers with fewer input channels stay INT8.
    pub min_channels: usize,
}

/// Rounds the weights of an integer network again, GPTQ-style. `graph` is the float network that `int` was made from.
///
/// With a format, the weights of every convolution that is not depthwise are rounded to values that its blocks represent exactly,
/// so that packing in this format, with members selected by error, changes none of them.
///
/// As many samples are used as fit 1 GiB of memory with their values, evenly spread.
///
/// # Errors
/// When there are no samples or their inputs differ from the graph's, the format is invalid, or the sums of a layer may overflow 32 bits.
pub fn round_with_feedback(
    graph: &Graph,
    samples: &[Vec<Tensor>],
    int: &mut IntGraph,
    storage: Option<&Storage>,
) -> Result<(), QuantizeError> {
    if samples.is_empty() {
        return Err(QuantizeError::invalid(None, "feedback needs samples"));
    }
    let internal = |error: Invalid| QuantizeError::internal(None, error);
    let samples = chosen(graph, samples);
    let coded = int.coded.clone();
    let mut layers: BTreeMap<ValueId, &mut Weights> = BTreeMap::new();
    for node in &mut int.nodes {
        if let IntOp::Conv2d(_, weights) | IntOp::DepthwiseConv2d(_, weights) = &mut node.op {
            layers.insert(weights.source.sums, weights);
        }
    }
    let wrong_samples = |error: Invalid| QuantizeError::invalid(None, error.to_string());
    let mut exact = Streams::begin(graph, &samples, None).map_err(wrong_samples)?;
    let mut codes = Streams::begin(graph, &samples, Some(&coded)).map_err(wrong_samples)?;
    for (index, node) in graph.nodes().iter().enumerate() {
        let instead = match layers.remove(&node.result) {
            Some(weights) => Layer::of(graph, node, weights)?.round(&exact, &codes, storage)?,
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
        mut self,
        exact: &Streams<'_>,
        codes: &Streams<'_>,
        storage: Option<&Storage>,
    ) -> Result<BTreeMap<ValueId, Tensor>, QuantizeError> {
        let tag = self.node.tag;
        let fail = |reason: &str| QuantizeError::internal(Some(tag), reason);
        let &[image, weights, bias] = self.node.operands.as_slice() else {
            return Err(fail("the layer has other operands"));
        };
        let kernel = match (self.depthwise, self.weights.shape.as_slice()) {
            (false, &[_, kh, kw, _]) | (true, &[kh, kw, _, _]) => [kh, kw],
            _ => return Err(fail("the weights have other axes")),
        };
        let step = self.weights.source.input.scale;
        let windows = |streams: &Streams<'_>| {
            let windows = streams.windows(image, step, (&self.window, kernel), self.positions);
            windows.ok_or_else(|| fail("an input has no windows"))
        };
        let inputs = Inputs::of(windows(exact)?, windows(codes)?);
        let rounded = if self.depthwise { self.depthwise(&inputs) } else { self.plain(&inputs, storage)? };
        let not_finite =
            || QuantizeError::invalid(Some(tag), "a covariance of the layer's inputs is not finite");
        let rounded = rounded.ok_or_else(not_finite)?;
        self.keep(rounded, &inputs)?;
        let [coded_weights, coded_bias] = self.values().map_err(|error| fail(&error.to_string()))?;
        Ok(BTreeMap::from([(weights, coded_weights), (bias, coded_bias)]))
    }

    /// The codes of a convolution, OHWI; nothing where inputs are not finite.
    fn plain(&self, inputs: &Inputs, storage: Option<&Storage>) -> Result<Option<Vec<i8>>, QuantizeError> {
        let &[oc, kh, kw, ic] = self.weights.shape.as_slice() else { return Ok(None) };
        let shape = Shape { oc, kh, kw, ic };
        let grids = match storage.filter(|storage| ic >= storage.min_channels) {
            Some(storage) => Grids::of(&self.weights.codes, shape, &storage.request)
                .map_err(|error| QuantizeError::invalid(Some(self.node.tag), error.to_string()))?,
            None => None,
        };
        let depth = kh * kw * ic;
        let mut codes: Vec<Vec<i8>> = vec![Vec::with_capacity(depth); oc];
        for group in groups(kh * kw, ic, grids.as_ref().map_or(1, Grids::block)) {
            let Some(fit) = inputs.fit(group.clone()) else { return Ok(None) };
            let blocks = blocks(&group, ic, grids.as_ref());
            let rows = codes.par_iter_mut().zip(self.exact.par_chunks(depth.max(1)));
            rows.enumerate().for_each(|(channel, (codes, exact))| {
                let grid = grids.as_ref().and_then(|grids| grids.channel(channel));
                codes.extend(fit.round(exact.get(group.clone()).unwrap_or_default(), &blocks, grid));
            });
        }
        Ok(Some(codes.into_iter().flatten().collect()))
    }

    /// The codes of a depthwise convolution, HWCM; nothing where inputs are not finite.
    fn depthwise(&self, inputs: &Inputs) -> Option<Vec<i8>> {
        let &[kh, kw, ic, m] = self.weights.shape.as_slice() else { return None };
        let (taps, channels) = (kh * kw, ic * m);
        let all = [Block { members: taps, low: 0 }];
        let of = |channel: usize| {
            let fit = inputs.of_channel(channel, ic).fit(0..taps)?;
            let rows = (channel * m..(channel + 1) * m).map(|output| {
                let exact: Vec<f64> =
                    self.exact.iter().skip(output).step_by(channels.max(1)).copied().collect();
                fit.round(&exact, &all, None)
            });
            Some(rows.collect::<Vec<_>>())
        };
        let rows: Vec<Vec<i8>> =
            (0..ic).into_par_iter().map(of).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        let at = |tap: usize| rows.iter().map(move |row| row.get(tap).copied().unwrap_or(0));
        Some((0..taps).flat_map(at).collect())
    }

    /// Sets the codes, with the matching bias.
    fn keep(&mut self, codes: Vec<i8>, inputs: &Inputs) -> Result<(), QuantizeError> {
        let channels = self.weights.bias.len();
        let mut shifts = vec![0f64; channels];
        let mut totals = vec![0f64; channels];
        let per = codes.len() / channels.max(1);
        for (index, (&code, exact)) in codes.iter().zip(&self.exact).enumerate() {
            let (output, column) = match (self.depthwise, self.weights.shape.as_slice()) {
                (true, &[_, _, ic, m]) => {
                    (index % channels, index / channels * ic + index % channels / m.max(1))
                }
                _ => (index / per.max(1), index % per.max(1)),
            };
            let mean = |means: &[f64]| means.get(column).copied().unwrap_or(0.0);
            if let (Some(shift), Some(total)) = (shifts.get_mut(output), totals.get_mut(output)) {
                *shift += exact * mean(&inputs.exact_means) - f64::from(code) * mean(&inputs.code_means);
                *total += f64::from(code).abs();
            }
        }
        for ((bias, shift), total) in self.weights.bias.iter_mut().zip(shifts).zip(totals) {
            let corrected = (f64::from(*bias) + shift).round().clamp(-MAX_BIAS, MAX_BIAS);
            if !is_within(corrected, total) {
                let reason = "accumulators could overflow 32 bits with weights rounded with feedback: round to nearest";
                return Err(QuantizeError::unsupported(self.node.tag, reason));
            }
            #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
            let corrected = corrected as i32;
            *bias = corrected;
        }
        self.weights.codes = codes;
        Ok(())
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

/// Whether accumulators fit 32 bits for any input: with a bias, and weights whose magnitudes have this sum.
fn is_within(bias: f64, magnitudes: f64) -> bool {
    bias.abs() + magnitudes * MAX_INPUT <= f64::from(i32::MAX)
}

/// The inputs of a layer, exact and as codes, in steps of its codes, minus the means: for large numbers that vary little,
/// products would not be precise enough.
struct Inputs {
    exact: Windows,
    codes: Windows,
    exact_means: Vec<f64>,
    code_means: Vec<f64>,
}

impl Inputs {
    fn of(mut exact: Windows, mut codes: Windows) -> Self {
        let (exact_means, code_means) = (center(&mut exact), center(&mut codes));
        Inputs { exact, codes, exact_means, code_means }
    }

    /// Those of one channel of `ic`.
    fn of_channel(&self, channel: usize, ic: usize) -> Inputs {
        let part = |windows: &Windows| -> Windows {
            let of = |sample: &Array2<f32>| {
                sample.slice_axis(Axis(1), (channel..).into()).axis_iter(Axis(1)).step_by(ic.max(1)).fold(
                    Array2::zeros((sample.nrows(), 0)),
                    |mut columns, column| {
                        // Heights are equal, so a column always fits.
                        let _ = columns.push_column(column);
                        columns
                    },
                )
            };
            windows.iter().map(of).collect()
        };
        let taps = |means: &[f64]| means.iter().skip(channel).step_by(ic.max(1)).copied().collect();
        Inputs {
            exact: part(&self.exact),
            codes: part(&self.codes),
            exact_means: taps(&self.exact_means),
            code_means: taps(&self.code_means),
        }
    }

    /// The statistics of some columns; nothing if a number is not finite.
    fn fit(&self, columns: Range<usize>) -> Option<Fit> {
        let coded = products(&self.codes, &self.codes, columns.clone());
        let off = products(&self.exact, &self.codes, columns) - &coded;
        Fit::of(coded, &off, count(&self.codes))
    }
}

/// The columns of windows in groups of at most [`MAX_GROUP`]: whole taps, or slices of a tap that contain whole blocks.
fn groups(taps: usize, ic: usize, block: usize) -> Vec<Range<usize>> {
    if ic <= MAX_GROUP {
        let at_a_time = MAX_GROUP / ic.max(1);
        let firsts = (0..taps).step_by(at_a_time.max(1));
        return firsts.map(|tap| tap * ic..(tap + at_a_time).min(taps) * ic).collect();
    }
    let at_a_time = (MAX_GROUP / block * block).max(block);
    let of_tap = |tap: usize| {
        (0..ic).step_by(at_a_time).map(move |first| tap * ic + first..tap * ic + (first + at_a_time).min(ic))
    };
    (0..taps).flat_map(of_tap).collect()
}

/// The blocks of a group of columns; one, without low members, if nothing is stored low.
fn blocks(columns: &Range<usize>, ic: usize, grids: Option<&Grids>) -> Vec<Block> {
    let Some(grids) = grids else { return vec![Block { members: columns.len(), low: 0 }] };
    let mut blocks = Vec::new();
    let mut at = columns.start;
    while at < columns.end {
        let tap_end = (at / ic.max(1) + 1) * ic;
        let members = grids.block().max(1).min(tap_end.min(columns.end) - at);
        blocks.push(Block { members, low: grids.low(members) });
        at += members;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_whole_taps_or_whole_blocks() {
        assert_eq!(groups(9, 64, 16), std::slice::from_ref(&(0..576)));
        assert_eq!(groups(9, 256, 16), [0..1024, 1024..2048, 2048..2304]);
        assert_eq!(groups(2, 1500, 16), [0..1024, 1024..1500, 1500..2524, 2524..3000]);
        assert_eq!(groups(1, 2100, 12), [0..1020, 1020..2040, 2040..2100]);
        assert_eq!(groups(1, 1, 1), std::slice::from_ref(&(0..1)));
    }

    #[test]
    fn blocks_end_with_their_tap() {
        let codes = vec![1; 40];
        let request = Request { w: 16, low: 8, ..Request::new(strum_formats::Kind::Sparse) };
        let grids = Grids::of(&codes, Shape { oc: 1, kh: 1, kw: 2, ic: 20 }, &request).unwrap();
        let found: Vec<_> = blocks(&(0..40), 20, grids.as_ref()).iter().map(|b| (b.members, b.low)).collect();
        assert_eq!(found, [(16, 8), (4, 0), (16, 8), (4, 0)]);
        let found: Vec<_> =
            blocks(&(16..20), 20, grids.as_ref()).iter().map(|b| (b.members, b.low)).collect();
        assert_eq!(found, [(4, 0)]);
        assert_eq!(blocks(&(0..40), 20, None).len(), 1);
    }

    #[test]
    fn the_greatest_sum_has_32_bits() {
        let most = f64::from(i32::MAX);
        assert!(is_within(most, 0.0) && is_within(-most + 255.0, 1.0) && is_within(0.0, 8_421_504.0));
        assert!(
            !is_within(-most - 1.0, 0.0) && !is_within(most - 254.0, 1.0) && !is_within(0.0, 8_421_505.0)
        );
    }
}
