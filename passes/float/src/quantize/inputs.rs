//! Calibration statistics of the inputs of layers with weights, per channel, and the bias correction that follows from them.
//!
//! Invariant: sums are of integers, so they depend neither on the order of samples nor on the number of threads.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::QuantizeError;
use super::int::{InputStatistics, IntGraph, IntOp, Weights};
use super::params::QParams;
use super::weights::{MAX_BIAS, first_axis, last_axes};
use crate::graph::{Graph, Observer, ValueId};
use crate::{Invalid, Tensor};

/// Sums over the elements of one channel.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: i64,
    sum: i64,
    square: i64,
}

/// Sums of the codes of the values that layers read, by channel, which is the last axis.
struct Channels<'a> {
    params: &'a BTreeMap<ValueId, QParams>,
    sums: BTreeMap<ValueId, Vec<Sums>>,
}

impl Observer for Channels<'_> {
    fn value(&mut self, id: ValueId, tensor: &Tensor) {
        let Some(params) = self.params.get(&id) else { return };
        let channels = tensor.shape().last().copied().unwrap_or(1).max(1);
        let sums = self.sums.entry(id).or_insert_with(|| vec![Sums::default(); channels]);
        // Tensors are row-major, so the channel index cycles.
        for (&x, place) in tensor.iter().zip((0..channels).cycle()) {
            let code = i64::from(params.code(f64::from(x)) - params.zero_point);
            if let Some(sums) = sums.get_mut(place) {
                sums.count += 1;
                sums.sum += code;
                sums.square += code * code;
            }
        }
    }
}

fn layers(int: &mut IntGraph) -> impl Iterator<Item = (&mut Weights, bool, u32)> {
    int.nodes.iter_mut().filter_map(|node| match &mut node.op {
        IntOp::Conv2d(_, weights) => Some((weights, false, node.tag)),
        IntOp::DepthwiseConv2d(_, weights) => Some((weights, true, node.tag)),
        _ => None,
    })
}

/// Records for every layer with weights the mean and the second moment of its input's codes over samples, for each input channel.
///
/// `graph` is the float network that `int` was made from. Its single-precision values are coded; padding is not counted.
///
/// # Errors
/// When the inputs of a sample differ from the graph's.
pub fn observe_inputs(graph: &Graph, samples: &[Vec<Tensor>], int: &mut IntGraph) -> Result<(), Invalid> {
    let params: BTreeMap<ValueId, QParams> =
        layers(int).map(|(weights, _, _)| (weights.source.image, weights.source.input)).collect();
    let sums = samples
        .par_iter()
        .map(|sample| {
            let mut seen = Channels { params: &params, sums: BTreeMap::new() };
            graph.eval_observed(sample, &mut seen).map(|_| seen.sums)
        })
        .try_reduce(BTreeMap::new, |a, b| Ok(merged(a, b)))?;
    for (weights, _, _) in layers(int) {
        // A constant input is not observed.
        weights.inputs = sums.get(&weights.source.image).map(|sums| {
            #[allow(clippy::cast_precision_loss, reason = "rounding the sums is no loss here")]
            let mean = |of: fn(&Sums) -> i64| {
                sums.iter().map(|sums| of(sums) as f64 / sums.count.max(1) as f64).collect()
            };
            InputStatistics { mean: mean(|s| s.sum), square: mean(|s| s.square) }
        });
    }
    Ok(())
}

fn merged(
    mut a: BTreeMap<ValueId, Vec<Sums>>,
    b: BTreeMap<ValueId, Vec<Sums>>,
) -> BTreeMap<ValueId, Vec<Sums>> {
    for (id, sums) in b {
        match a.get_mut(&id) {
            None => drop(a.insert(id, sums)),
            Some(all) => all.iter_mut().zip(sums).for_each(|(all, one)| {
                all.count += one.count;
                all.sum += one.sum;
                all.square += one.square;
            }),
        }
    }
    a
}

/// Corrects the bias of every layer for the change of the mean of its sums by weight rounding, from the statistics of
/// [`observe_inputs`]: `Σ (w / scale - code) · mean`.
///
/// # Errors
/// A layer has no statistics: its input is constant, or was not observed.
pub fn correct_bias(graph: &Graph, int: &mut IntGraph) -> Result<(), QuantizeError> {
    for (layer, depthwise, tag) in layers(int) {
        let (Some(inputs), Some(weights)) = (&layer.inputs, graph.constant_of(layer.source.weights)) else {
            return Err(QuantizeError::invalid(Some(tag), "the inputs of a layer were not observed"));
        };
        let shape = &layer.shape;
        let last = shape.last().copied().unwrap_or(1).max(1);
        let mut shifts = vec![0f64; layer.bias.len()];
        for (index, (&w, &code)) in weights.iter().zip(&layer.codes).enumerate() {
            let (output, input) = match depthwise {
                false => (first_axis(index, shape), index % last),
                true => (last_axes(index, shape), last_axes(index, shape) / last),
            };
            let (Some(shift), Some(scale), Some(mean)) =
                (shifts.get_mut(output), layer.source.scales.get(output), inputs.mean.get(input))
            else {
                continue;
            };
            *shift += (f64::from(w) / scale - f64::from(code)) * mean;
        }
        for (bias, shift) in layer.bias.iter_mut().zip(shifts) {
            #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
            let corrected = (f64::from(*bias) + shift).round().clamp(-MAX_BIAS, MAX_BIAS) as i32;
            *bias = corrected;
        }
    }
    Ok(())
}
