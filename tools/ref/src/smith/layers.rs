//! Convolutions and matrix products: operands and attributes that fit each other, within a budget of multiplications.

use super::builder::Builder;
use crate::op::Conv;
use crate::{Dtype, Invalid, NodeId, Op, Tensor};

/// Multiplications of a single layer at most.
const MACS: usize = 1 << 20;

/// A window along one axis with the number of its positions.
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    pad: [usize; 2],
    positions: usize,
    extent: usize,
}

/// An axis whose extent follows from the rest, as TOSA wants the windows to end exactly at the end.
fn axis(b: &mut Builder) -> Axis {
    let kernel = b.rng.pick(&[1, 1, 2, 3, 3, 3, 4, 5, 7, 11]);
    let stride = b.rng.pick(&[1, 1, 1, 2, 2, 3, 4]);
    let dilation = if b.rng.chance(25) { b.rng.between(2, 4) } else { 1 };
    let window = (kernel - 1) * dilation + 1;
    let pad = if b.rng.chance(60) {
        [b.rng.below(window.min(6) + 1), b.rng.below(window.min(6) + 1)]
    } else {
        [0; 2]
    };
    let mut positions = b.rng.pick(&[1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17]);
    while (positions - 1) * stride + window <= pad[0] + pad[1] {
        positions += 1;
    }
    let extent = (positions - 1) * stride + window - pad[0] - pad[1];
    Axis { kernel, stride, dilation, pad, positions, extent }
}

/// The axis over an input that is there: fewer choices, and padding makes the windows end exactly.
fn axis_over(b: &mut Builder, extent: usize) -> Axis {
    let kernel = b.rng.pick(&[1, 1, 2, 3, 3, 5]);
    let stride = b.rng.pick(&[1, 1, 2]);
    let dilation = if b.rng.chance(15) { 2 } else { 1 };
    let window = (kernel - 1) * dilation + 1;
    let before = b.rng.below(window);
    let mut pad = [before, window - 1 - before];
    while !(extent + pad[0] + pad[1] - window).is_multiple_of(stride) {
        pad[1] += 1;
    }
    let positions = (extent + pad[0] + pad[1] - window) / stride + 1;
    Axis { kernel, stride, dilation, pad, positions, extent }
}

fn attributes(b: &mut Builder, y: &Axis, x: &Axis) -> Conv {
    let zero_points = b.rng.chance(75);
    Conv {
        pad: [y.pad[0], y.pad[1], x.pad[0], x.pad[1]],
        stride: [y.stride, x.stride],
        dilation: [y.dilation, x.dilation],
        input_zp: if zero_points { b.rng.int(-128, 127) } else { 0 },
        weight_zp: if b.rng.chance(20) { b.rng.int(-128, 127) } else { 0 },
    }
}

/// A bias of all channels or of one for all.
fn bias(b: &mut Builder, channels: usize) -> Result<NodeId, Invalid> {
    let extent = if b.rng.chance(15) { 1 } else { channels };
    let bits = b.rng.pick(&[8, 16, 24, 31]);
    let bias = b.random_bits(Dtype::I32, bits, &[extent])?;
    if b.rng.chance(90) { b.hidden_constant(bias) } else { Ok(b.input(bias)) }
}

fn weights(b: &mut Builder, shape: &[usize]) -> Result<NodeId, Invalid> {
    let weights = b.random(Dtype::I8, shape)?;
    if b.rng.chance(85) { b.hidden_constant(weights) } else { Ok(b.input(weights)) }
}

/// A whole convolution on a new argument.
pub(crate) fn conv2d(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let (y, x) = (axis(b), axis(b));
    let batch = b.rng.pick(&[1, 1, 1, 2, 3]);
    let ic = b.rng.extent(65);
    let macs = batch * ic * y.kernel * x.kernel * y.positions * x.positions;
    let oc = b.rng.extent((MACS / macs).clamp(1, 100));
    let input = b.argument(Dtype::I8, &[batch, y.extent, x.extent, ic])?;
    conv2d_on(b, input, &y, &x, oc)
}

fn conv2d_on(
    b: &mut Builder,
    input: NodeId,
    y: &Axis,
    x: &Axis,
    oc: usize,
) -> Result<Option<NodeId>, Invalid> {
    let ic = b.value(input).shape[3];
    let weights = weights(b, &[oc, y.kernel, x.kernel, ic])?;
    let bias = bias(b, oc)?;
    let attributes = attributes(b, y, x);
    b.op(Op::Conv2d(attributes), [input, weights, bias])
}

/// A whole depthwise convolution on a new argument.
pub(crate) fn depthwise(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let (y, x) = (axis(b), axis(b));
    let batch = b.rng.pick(&[1, 1, 1, 2]);
    let macs = batch * y.kernel * x.kernel * y.positions * x.positions;
    let channels = b.rng.extent((MACS / macs).clamp(1, 100));
    let input = b.argument(Dtype::I8, &[batch, y.extent, x.extent, channels])?;
    depthwise_on(b, input, &y, &x)
}

fn depthwise_on(b: &mut Builder, input: NodeId, y: &Axis, x: &Axis) -> Result<Option<NodeId>, Invalid> {
    let channels = b.value(input).shape[3];
    let multiple = b.rng.pick(&[1, 1, 1, 2, 3, 4]);
    let weights = weights(b, &[y.kernel, x.kernel, channels, multiple])?;
    let bias = bias(b, channels * multiple)?;
    let attributes = attributes(b, y, x);
    b.op(Op::DepthwiseConv2d(attributes), [input, weights, bias])
}

/// A convolution of either kind on a value that is there, if it is small enough.
pub(crate) fn any_conv_on(b: &mut Builder, input: NodeId) -> Result<Option<NodeId>, Invalid> {
    let shape = b.value(input).shape.clone();
    let (y, x) = (axis_over(b, shape[1]), axis_over(b, shape[2]));
    let macs = shape[0] * y.kernel * x.kernel * y.positions * x.positions;
    if macs * shape[3] > MACS {
        return Ok(None);
    }
    if b.rng.chance(30) {
        return depthwise_on(b, input, &y, &x);
    }
    let oc = b.rng.extent((MACS / (macs * shape[3])).clamp(1, 33));
    conv2d_on(b, input, &y, &x, oc)
}

/// A matrix product of two new operands.
pub(crate) fn matmul(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let batch = b.rng.pick(&[1, 1, 2, 3]);
    let (h, c) = (b.rng.extent(65), b.rng.extent(129));
    let w = b.rng.extent((MACS / (batch * h * c)).clamp(1, 65));
    let left = b.argument(Dtype::I8, &[batch, h, c])?;
    matmul_with(b, left, [batch, c, w])
}

/// A matrix product of a value that is there with a new one of that shape.
pub(crate) fn matmul_with(
    b: &mut Builder,
    left: NodeId,
    right: [usize; 3],
) -> Result<Option<NodeId>, Invalid> {
    let right: Tensor = b.random(Dtype::I8, &right)?;
    let right = if b.rng.chance(50) { b.hidden_constant(right)? } else { b.input(right) };
    let zero_points = b.rng.chance(70);
    let mut zero_point = || if zero_points { b.rng.int(-128, 127) } else { 0 };
    let op = Op::MatMul { a_zp: zero_point(), b_zp: zero_point() };
    b.op(op, [left, right])
}
