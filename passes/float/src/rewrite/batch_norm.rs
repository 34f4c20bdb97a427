//! Scales and offsets of channels after a convolution, which batch normalization becomes once its statistics are constants.

use ndarray::{ArrayViewD, Axis, IxDyn};

use super::{Rule, Sweep};
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op, Window};
use crate::{Invalid, Tensor};

pub(super) const RULES: &[Rule] = &[fully_connected, super::constants::merge_reshapes, into_weights];

/// A product with a constant matrix is a 1x1 convolution; torch-mlir repeats the matrix for every row of an image.
fn fully_connected(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Matmul, &[a, b]) = (&node.op, operands) else { return Ok(None) };
    let (&[n, h, k], Some(matrices)) = (cx.new.shape(a), cx.new.constant_of(b)) else { return Ok(None) };
    let mut each = matrices.outer_iter();
    let Some(matrix) = each.next() else { return Ok(None) };
    let same = |other: &ArrayViewD<f32>| other.iter().zip(&matrix).all(|(x, y)| x.to_bits() == y.to_bits());
    if !each.all(|other| same(&other)) {
        return Ok(None);
    }
    let w = matrix.shape().last().copied().unwrap_or(0);
    let weights = matrix.t().as_standard_layout().into_owned();
    let weights = weights.into_shape_with_order(IxDyn(&[w, 1, 1, k]));
    let weights = cx.new.constant(weights.map_err(|e| Invalid::new("matmul", e.to_string()))?)?;
    let bias = cx.new.constant(Tensor::zeros(IxDyn(&[w])))?;
    let image = cx.reshaped(a, &[1, 1, n * h, k])?;
    let sums = cx.new.push(Op::Conv2d(Window::UNIT), &[image, weights, bias])?;
    cx.reshaped(sums, &[n, h, w]).map(Some)
}

/// A product or a sum with a constant per channel is folded into weights and bias.
fn into_weights(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Binary(binary @ (Binary::Add | Binary::Sub | Binary::Mul)), &[a, b]) = (&node.op, operands)
    else {
        return Ok(None);
    };
    let (index, value, constant) = match (cx.is_constant(a), cx.is_constant(b)) {
        (false, true) => (0, a, b),
        // A constant minus a convolution flips the sign.
        (true, false) if *binary != Binary::Sub => (1, b, a),
        _ => return Ok(None),
    };
    if !cx.used_once(node, index) || cx.new.shape(value) != result_shape(cx, node, operands)? {
        return Ok(None);
    }
    // Looks through the reshape after a fully connected layer.
    let (source, shape) = match cx.made_by(value) {
        Some((Op::Reshape { shape }, inner))
            if shape.last() == inner.first().and_then(|&x| cx.new.shape(x).last()) =>
        {
            (inner.first().copied().unwrap_or(value), Some(shape))
        }
        _ => (value, None),
    };
    let Some(channels) = per_channel(cx, constant, cx.new.shape(source)) else { return Ok(None) };
    let sums = match into_conv(cx, *binary, source, &channels)? {
        Some(sums) => sums,
        None => match into_parts(cx, *binary, source, &channels)? {
            Some(sums) => sums,
            None => return Ok(None),
        },
    };
    match shape {
        Some(shape) => cx.reshaped(sums, &shape).map(Some),
        None => Ok(Some(sums)),
    }
}

/// A convolution with a number for each channel folded into its weights and its bias.
fn into_conv(
    cx: &mut Sweep,
    binary: Binary,
    source: ValueId,
    channels: &[f32],
) -> Result<Option<ValueId>, Invalid> {
    let Some((op @ (Op::Conv2d(_) | Op::DepthwiseConv2d(_)), parts)) = cx.made_by(source) else {
        return Ok(None);
    };
    let &[image, weights, bias] = parts.as_slice() else { return Ok(None) };
    let (Some(old_weights), Some(old_bias)) = (cx.new.constant_of(weights), cx.new.constant_of(bias)) else {
        return Ok(None);
    };
    let (old_weights, old_bias) = (old_weights.clone(), spread(old_bias, channels.len()));
    let (new_weights, new_bias) = match binary {
        Binary::Mul => (scaled(&op, old_weights, channels), zip(&old_bias, channels, |b, s| b * s)),
        Binary::Add => (old_weights, zip(&old_bias, channels, |b, t| b + t)),
        _ => (old_weights, zip(&old_bias, channels, |b, t| b - t)),
    };
    let weights = if binary == Binary::Mul { cx.new.constant(new_weights)? } else { weights };
    let bias = cx.new.constant(Tensor::from_shape_fn(IxDyn(&[new_bias.len()]), |at| {
        new_bias.get(at[0]).copied().unwrap_or(0.0)
    }))?;
    cx.new.push(op, &[image, weights, bias]).map(Some)
}

/// The same for the convolutions of a concatenation of channels, such as those of groups.
fn into_parts(
    cx: &mut Sweep,
    binary: Binary,
    source: ValueId,
    channels: &[f32],
) -> Result<Option<ValueId>, Invalid> {
    let Some((op @ Op::Concat { axis }, parts)) = cx.made_by(source) else { return Ok(None) };
    if axis + 1 != cx.new.shape(source).len() || !parts.iter().all(|&part| cx.made_for_one(part)) {
        return Ok(None);
    }
    let mut rest = channels;
    let mut folded = Vec::with_capacity(parts.len());
    for part in parts {
        let count = cx.new.shape(part).last().copied().unwrap_or(0);
        let Some((own, others)) = rest.split_at_checked(count) else { return Ok(None) };
        rest = others;
        let Some(sums) = into_conv(cx, binary, part, own)? else { return Ok(None) };
        folded.push(sums);
    }
    cx.new.push(op, &folded).map(Some)
}

fn result_shape(cx: &Sweep, node: &Node, operands: &[ValueId]) -> Result<Vec<usize>, Invalid> {
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    node.op.infer(&shapes)
}

/// A constant as a number for each channel, if it depends on nothing else.
fn per_channel(cx: &Sweep, constant: ValueId, of: &[usize]) -> Option<Vec<f32>> {
    let tensor = cx.new.constant_of(constant)?;
    let channels = *of.last()?;
    let last = *tensor.shape().last()?;
    (tensor.len() == last && (last == channels || last == 1))
        .then(|| tensor.iter().copied().cycle().take(channels).collect())
}

/// One number for each channel.
fn spread(bias: &Tensor, channels: usize) -> Vec<f32> {
    bias.iter().copied().cycle().take(channels).collect()
}

fn zip(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// Weights of every output channel times its scale.
fn scaled(op: &Op, mut weights: Tensor, scales: &[f32]) -> Tensor {
    if matches!(op, Op::DepthwiseConv2d(_)) {
        // The last two axes together are the output channels.
        let mut channels = scales.iter().cycle();
        weights.iter_mut().for_each(|w| *w *= channels.next().copied().unwrap_or(1.0));
    } else {
        for (mut channel, &scale) in weights.axis_iter_mut(Axis(0)).zip(scales) {
            channel.mapv_inplace(|w| w * scale);
        }
    }
    weights
}
