//! Cross-layer equalization: scales channels between two layers so that the weights of both use their range equally.
//!
//! Scaling a channel by `1/s` in one layer and by `s` in the next changes nothing if the operators in between commute with a
//! positive factor: `clamp` from 0 without an upper end, and poolings. As in Nagel et al. ("Data-Free Quantization Through Weight
//! Equalization and Bias Correction", ICCV 2019, section 4.1), `s = sqrt(r1 / r2)` of the largest weights of the channel in both
//! layers; here it is rounded to a power of two. Invariant: scaling is exact, so the graph computes the same, bit for bit, as
//! long as nothing leaves the range of normal numbers.

use ndarray::Dimension;

use crate::graph::{Graph, ValueId};
use crate::op::Op;
use crate::{Invalid, Tensor};

/// Sweeps over a network: equalizing a layer with the previous one affects its pair with the next.
const SWEEPS: usize = 4;

/// Maximum power of two that a channel is scaled by at a time.
const MAX_EXPONENT: f32 = 12.0;

/// A layer and the next one.
struct Pair {
    first: Layer,
    second: Layer,
}

/// A convolution: its operator, weights and bias.
struct Layer {
    depthwise: bool,
    weights: ValueId,
    bias: ValueId,
}

impl Layer {
    /// The output channel of the weight with that index.
    fn output(&self, index: &[usize], shape: &[usize]) -> usize {
        match (self.depthwise, index, shape) {
            (true, [_, _, c, m], [_, _, _, multiplier]) => c * multiplier + m,
            _ => index.first().copied().unwrap_or(0),
        }
    }

    /// The input channel of the weight with that index.
    fn input(&self, index: &[usize]) -> usize {
        index.get(if self.depthwise { 2 } else { 3 }).copied().unwrap_or(0)
    }
}

impl Graph {
    /// Equalizes weights across layers. The result computes the same; only its quantization differs.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn equalize(&self) -> Result<Graph, Invalid> {
        let mut graph = self.clone();
        let pairs = graph.pairs();
        for _ in 0..SWEEPS {
            for pair in &pairs {
                graph.equalize_pair(pair)?;
            }
        }
        Ok(graph)
    }

    /// Consecutive convolutions, in order, between which every value has one reader.
    fn pairs(&self) -> Vec<Pair> {
        let uses = self.uses();
        let single = |id: ValueId| uses.get(id.index()) == Some(&1);
        let layer = |id: ValueId| {
            let node = self.producer(id)?;
            let (&[_, weights, bias], Op::Conv2d(_) | Op::DepthwiseConv2d(_)) =
                (node.operands.as_slice(), &node.op)
            else {
                return None;
            };
            let constant = |id: ValueId| self.constant_of(id).is_some() && single(id);
            let depthwise = matches!(node.op, Op::DepthwiseConv2d(_));
            (constant(weights) && constant(bias)).then_some(Layer { depthwise, weights, bias })
        };
        let pair = |result: ValueId| {
            let second = layer(result)?;
            let mut at = *self.producer(result)?.operands.first()?;
            loop {
                if !single(at) {
                    return None;
                }
                let node = self.producer(at)?;
                if let Some(first) = layer(at) {
                    return Some(Pair { first, second });
                }
                let homogeneous = match node.op {
                    // Exports write a missing upper end as the largest finite number.
                    Op::Clamp { min, max } => min == 0.0 && max >= f32::MAX,
                    Op::Pool(_) => true,
                    _ => false,
                };
                at = *node.operands.first().filter(|_| homogeneous)?;
            }
        };
        self.nodes().iter().filter_map(|node| pair(node.result)).collect()
    }

    fn equalize_pair(&mut self, Pair { first, second }: &Pair) -> Result<(), Invalid> {
        let ids = [first.weights, first.bias, second.weights];
        let [Some(w1), Some(b1), Some(w2)] = ids.map(|id| self.constant_of(id).cloned()) else {
            return Ok(());
        };
        let shape = w1.shape().to_vec();
        let output = |index: &[usize]| first.output(index, &shape);
        let input = |index: &[usize]| second.input(index);
        let (r1, r2) = (ranges(&w1, output), ranges(&w2, input));
        let factors: Vec<f32> = r1.iter().zip(&r2).map(|(&a, &b)| factor(a, b)).collect();
        let of = |channel: usize| factors.get(channel).copied().unwrap_or(1.0);
        let b1: Vec<f32> = b1.iter().copied().cycle().take(r1.len()).collect();
        let b1 = Tensor::from_shape_fn(vec![r1.len()], |i| b1.get(i[0]).copied().unwrap_or(0.0) / of(i[0]));
        self.set_constant(first.weights, scaled(&w1, |index| of(output(index)).recip()))?;
        self.set_constant(first.bias, b1)?;
        self.set_constant(second.weights, scaled(&w2, |index| of(input(index))))
    }
}

/// A power of two close to the square root of the ratio; 1 for a channel that one of the layers does not have or use.
fn factor(first: f32, second: f32) -> f32 {
    let exponent = ((first / second).log2() / 2.0).round();
    if exponent.is_finite() { exponent.clamp(-MAX_EXPONENT, MAX_EXPONENT).exp2() } else { 1.0 }
}

/// The maximum magnitude of every channel.
fn ranges(weights: &Tensor, channel: impl Fn(&[usize]) -> usize) -> Vec<f32> {
    let mut ranges: Vec<f32> = Vec::new();
    for (index, weight) in weights.indexed_iter() {
        let channel = channel(index.slice());
        if ranges.len() <= channel {
            ranges.resize(channel + 1, 0.0);
        }
        if let Some(range) = ranges.get_mut(channel) {
            *range = range.max(weight.abs());
        }
    }
    ranges
}

fn scaled(weights: &Tensor, factor: impl Fn(&[usize]) -> f32) -> Tensor {
    let mut weights = weights.clone();
    for (index, weight) in weights.indexed_iter_mut() {
        *weight *= factor(index.slice());
    }
    weights
}
