//! Windowed operators and matrix products: operands and attributes that fit each other, within the budget.

use super::builder::{Budget, Builder, permutation};
use crate::{Conv, Dtype, Invalid, NodeId, Op, Pool, Tensor};

/// A window along one axis.
#[derive(Clone)]
pub(crate) struct Window {
    pub(crate) kernel: usize,
    stride: usize,
    dilation: usize,
    pad: [usize; 2],
}

impl Window {
    /// From the first tap to the last.
    fn span(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// The smallest number of positions, at least the given one, for which the unpadded input is not empty.
    pub(crate) fn positions(&self, wanted: usize) -> usize {
        let least = (self.pad[0] + self.pad[1] + 1).saturating_sub(self.span()).div_ceil(self.stride) + 1;
        wanted.max(least)
    }

    /// The extent over which the window has this many positions. TOSA requires the last to end exactly at the
    /// end.
    pub(crate) fn extent(&self, positions: usize) -> usize {
        (positions - 1) * self.stride + self.span() - self.pad[0] - self.pad[1]
    }
}

/// A window of a convolution.
pub(crate) fn conv_window(b: &mut Builder) -> Window {
    let kernel = b.rng.pick(&[1, 1, 2, 3, 3, 3, 4, 5, 7, 11]);
    let stride = b.rng.pick(&[1, 1, 1, 2, 2, 3, 4]);
    let dilation = if b.rng.chance(25) { b.rng.between(2, 4) } else { 1 };
    let mut window = Window { kernel, stride, dilation, pad: [0; 2] };
    if b.rng.chance(60) {
        let most = window.span().min(6) + 1;
        window.pad = [b.rng.below(most), b.rng.below(most)];
    }
    window
}

/// A window of a pool: padding is less than the kernel.
fn pool_window(b: &mut Builder) -> Window {
    let kernel = b.rng.pick(&[1, 2, 2, 3, 3, 4, 5, 7, 9]);
    let stride = b.rng.between(1, kernel.min(4) + 1);
    let pad = if b.rng.chance(60) { [b.rng.below(kernel), b.rng.below(kernel)] } else { [0; 2] };
    Window { kernel, stride, dilation: 1, pad }
}

/// A window over an existing axis: fewer choices, and padding makes the last position end exactly.
fn window_over(b: &mut Builder, extent: usize) -> (Window, usize) {
    let kernel = b.rng.pick(&[1, 1, 2, 3, 3, 5]);
    let stride = b.rng.pick(&[1, 1, 2]);
    let dilation = if b.rng.chance(15) { 2 } else { 1 };
    let mut window = Window { kernel, stride, dilation, pad: [0; 2] };
    let before = b.rng.below(window.span());
    window.pad = [before, window.span() - 1 - before];
    // With the padding of span - 1 there are `extent` positions of stride 1.
    let rest = (extent - 1) % stride;
    window.pad[1] += if rest == 0 { 0 } else { stride - rest };
    (window, extent.div_ceil(stride))
}

/// Extents whose product is within `total`, each within its limit. Any of them may be the large one.
pub(crate) fn shares<const N: usize>(b: &mut Builder, total: usize, limits: [usize; N]) -> [usize; N] {
    let mut left = total.max(1);
    let mut extents = [1; N];
    for at in permutation(&mut b.rng, N) {
        extents[at] = b.rng.extent(limits[at].min(left));
        left /= extents[at];
    }
    extents
}

/// An input and a window over it for the pools.
pub(crate) fn pool_operands(b: &mut Builder) -> Result<(NodeId, Pool), Invalid> {
    let dtype = b.rng.pick(&[Dtype::I8, Dtype::I8, Dtype::I16]);
    let [y, x] = [pool_window(b), pool_window(b)];
    let batch = b.rng.pick(&[1, 1, 1, 2, 3]);
    let total = b.budget.macs / (16 * batch * y.kernel * x.kernel);
    let limits = [b.budget.positions, b.budget.positions, b.budget.channels];
    let [height, width, channels] = shares(b, total, limits);
    let extents = [y.extent(y.positions(height)), x.extent(x.positions(width))];
    let pad = [y.pad[0], y.pad[1], x.pad[0], x.pad[1]];
    let pool = Pool { kernel: [y.kernel, x.kernel], stride: [y.stride, x.stride], pad };
    let input = b.argument(dtype, &[batch, extents[0], extents[1], channels])?;
    Ok((input, pool))
}

pub(crate) fn attributes(b: &mut Builder, y: &Window, x: &Window, weights: NodeId) -> Conv {
    let zero_points = b.rng.chance(75);
    Conv {
        pad: [y.pad[0], y.pad[1], x.pad[0], x.pad[1]],
        stride: [y.stride, x.stride],
        dilation: [y.dilation, x.dilation],
        input_zp: if zero_points { b.rng.int(-128, 127) } else { 0 },
        weight_zp: weight_zero_point(b, weights),
    }
}

/// The zero point of weights, which those of 4 bits do not have.
pub(crate) fn weight_zero_point(b: &mut Builder, weights: NodeId) -> i64 {
    let zero_point = if b.rng.chance(20) { b.rng.int(-128, 127) } else { 0 };
    if b.value(weights).dtype == Dtype::I4 { 0 } else { zero_point }
}

/// A bias per channel, or a single one.
pub(crate) fn bias(b: &mut Builder, channels: usize) -> Result<NodeId, Invalid> {
    let extent = if b.rng.chance(15) { 1 } else { channels };
    let bits = b.rng.pick(&[8, 16, 24, 31]);
    let bias = b.random_bits(Dtype::I32, bits, &[extent])?;
    if b.rng.chance(90) { b.hidden_constant(bias) } else { Ok(b.input(bias)) }
}

/// Weights, an eighth of them constants of 4 bits.
pub(crate) fn weights(b: &mut Builder, shape: &[usize]) -> Result<NodeId, Invalid> {
    let weights = b.random(Dtype::I8, shape)?;
    if weights.data.first().is_some_and(|first| first.rem_euclid(8) == 3) {
        // TOSA's i4 excludes -8.
        let narrow = |&code: &i64| Dtype::I4.wrap(i128::from(code)).max(-7);
        let data: Vec<i64> = weights.data.iter().map(narrow).collect();
        let weights = Tensor::new(Dtype::I4, shape, data)?;
        return Ok(b.constant(weights));
    }
    known_or_not(b, weights)
}

/// Weights of 8 bits.
pub(crate) fn byte_weights(b: &mut Builder, shape: &[usize]) -> Result<NodeId, Invalid> {
    let weights = b.random(Dtype::I8, shape)?;
    known_or_not(b, weights)
}

/// Weights that are mostly a constant.
fn known_or_not(b: &mut Builder, weights: Tensor) -> Result<NodeId, Invalid> {
    if b.rng.chance(85) { b.hidden_constant(weights) } else { Ok(b.input(weights)) }
}

/// A whole convolution on a new argument.
pub(crate) fn conv2d(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [y, x] = [conv_window(b), conv_window(b)];
    let batch = b.rng.pick(&[1, 1, 1, 2, 3]);
    let total = b.budget.macs / (batch * y.kernel * x.kernel);
    let Budget { channels, positions, .. } = b.budget;
    let [height, width, ic, oc] = shares(b, total, [positions, positions, channels, channels]);
    let extents = [y.extent(y.positions(height)), x.extent(x.positions(width))];
    let shape = [batch, extents[0], extents[1], ic];
    if oversized(b, &shape) || oversized(b, &[oc, y.kernel, x.kernel, ic]) {
        return Ok(None);
    }
    let input = b.argument(Dtype::I8, &shape)?;
    conv2d_on(b, input, &y, &x, oc)
}

/// Whether an operand costs more than the multiplications it takes part in.
pub(crate) fn oversized(b: &Builder, shape: &[usize]) -> bool {
    shape.iter().product::<usize>() > b.budget.macs / 8
}

fn conv2d_on(
    b: &mut Builder,
    input: NodeId,
    y: &Window,
    x: &Window,
    oc: usize,
) -> Result<Option<NodeId>, Invalid> {
    let ic = b.value(input).shape[3];
    let weights = weights(b, &[oc, y.kernel, x.kernel, ic])?;
    let bias = bias(b, oc)?;
    let attributes = attributes(b, y, x, weights);
    b.op(Op::Conv2d(attributes), [input, weights, bias])
}

/// A whole depthwise convolution on a new argument.
pub(crate) fn depthwise(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [y, x] = [conv_window(b), conv_window(b)];
    let batch = b.rng.pick(&[1, 1, 1, 2]);
    let total = b.budget.macs / (4 * batch * y.kernel * x.kernel);
    let Budget { channels, positions, .. } = b.budget;
    let [height, width, channels] = shares(b, total, [positions, positions, channels]);
    let extents = [y.extent(y.positions(height)), x.extent(x.positions(width))];
    let shape = [batch, extents[0], extents[1], channels];
    if oversized(b, &shape) {
        return Ok(None);
    }
    let input = b.argument(Dtype::I8, &shape)?;
    depthwise_on(b, input, &y, &x)
}

fn depthwise_on(b: &mut Builder, input: NodeId, y: &Window, x: &Window) -> Result<Option<NodeId>, Invalid> {
    let channels = b.value(input).shape[3];
    let multiple = b.rng.pick(&[1, 1, 1, 2, 3, 4]);
    let weights = weights(b, &[y.kernel, x.kernel, channels, multiple])?;
    let bias = bias(b, channels * multiple)?;
    let attributes = attributes(b, y, x, weights);
    b.op(Op::DepthwiseConv2d(attributes), [input, weights, bias])
}

/// A convolution of either kind on an existing value, if it is small enough.
pub(crate) fn any_conv_on(b: &mut Builder, input: NodeId) -> Result<Option<NodeId>, Invalid> {
    let shape = b.value(input).shape.clone();
    let ((y, height), (x, width)) = (window_over(b, shape[1]), window_over(b, shape[2]));
    let macs = shape[0] * y.kernel * x.kernel * height * width * shape[3];
    if macs > b.budget.macs {
        return Ok(None);
    }
    if b.rng.chance(30) {
        return depthwise_on(b, input, &y, &x);
    }
    let oc = b.rng.extent((b.budget.macs / macs).min(33));
    conv2d_on(b, input, &y, &x, oc)
}

/// A matrix product of two new operands.
pub(crate) fn matmul(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let batch = b.rng.pick(&[1, 1, 2, 3]);
    let limit = b.budget.channels;
    let [h, c, w] = shares(b, b.budget.macs / batch, [limit; 3]);
    let left = b.argument(Dtype::I8, &[batch, h, c])?;
    matmul_with(b, left, [batch, c, w])
}

/// A matrix product of an existing value with a new one of matching shape.
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
