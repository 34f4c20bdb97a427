//! Operators that a compiler makes of others: transposed convolutions and those in three dimensions, tiles and reversals.

use super::builder::Builder;
use super::layers::{bias, shares, weight_zero_point, weights};
use crate::{Conv3d, Dtype, Invalid, NodeId, Op, TransposeConv};

/// Larger results are not drawn in networks.
const ELEMENTS: usize = 1 << 14;

fn zero_points(b: &mut Builder, weights: NodeId) -> [i64; 2] {
    let input = if b.rng.chance(75) { b.rng.int(-128, 127) } else { 0 };
    [input, weight_zero_point(b, weights)]
}

/// A transposed convolution on a new argument.
pub(crate) fn transpose_conv2d(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let batch = b.rng.pick(&[1, 1, 1, 2, 3]);
    let positions = b.budget.positions;
    let channels = b.budget.channels;
    let [height, width, ic] = shares(b, b.budget.macs / (64 * batch), [positions, positions, channels]);
    let input = b.argument(Dtype::I8, &[batch, height, width, ic])?;
    transpose_conv2d_on(b, input)
}

/// A transposed convolution on an existing image, if it is small enough.
pub(crate) fn transpose_conv2d_on(b: &mut Builder, input: NodeId) -> Result<Option<NodeId>, Invalid> {
    let shape = b.value(input).shape.clone();
    let (mut kernel, mut stride, mut out_pad) = ([1; 2], [1; 2], [0; 4]);
    let mut outputs = shape[0];
    for axis in 0..2 {
        kernel[axis] = b.rng.pick(&[1, 2, 2, 3, 3, 4, 5, 7]);
        stride[axis] = b.rng.pick(&[1, 2, 2, 2, 3, 4, 5]);
        let extent = (shape[1 + axis] - 1) * stride[axis] + kernel[axis];
        let most = kernel[axis].min(extent.div_ceil(2)) as i64 - 1;
        for side in 0..2 {
            out_pad[2 * axis + side] = if b.rng.chance(50) { b.rng.int(-most, 3) } else { 0 };
        }
        outputs *= extent + 6;
    }
    let macs = outputs * kernel[0] * kernel[1] * shape[3];
    if macs > b.budget.macs || outputs > b.budget.macs / 8 {
        return Ok(None);
    }
    let oc = b.rng.extent((b.budget.macs / macs).min(33));
    let weights = weights(b, &[oc, kernel[0], kernel[1], shape[3]])?;
    let bias = bias(b, oc)?;
    let [input_zp, weight_zp] = zero_points(b, weights);
    let conv = TransposeConv { out_pad, stride, input_zp, weight_zp };
    b.op(Op::TransposeConv2d(conv), [input, weights, bias])
}

/// A convolution in three dimensions on a new argument.
pub(crate) fn conv3d(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let batch = b.rng.pick(&[1, 1, 2]);
    let limit = b.budget.positions.min(9);
    let channels = b.budget.channels;
    let [depth, height, width, ic] = shares(b, b.budget.macs / (64 * batch), [limit, limit, limit, channels]);
    let input = b.argument(Dtype::I8, &[batch, depth, height, width, ic])?;
    conv3d_on(b, input)
}

/// A convolution in three dimensions on an existing volume, if it is small enough.
pub(crate) fn conv3d_on(b: &mut Builder, input: NodeId) -> Result<Option<NodeId>, Invalid> {
    let shape = b.value(input).shape.clone();
    let (mut kernel, mut pad, mut stride, mut dilation) = ([1; 3], [0; 6], [1; 3], [1; 3]);
    let mut macs = shape[0] * shape[4];
    for axis in 0..3 {
        let extent = shape[1 + axis];
        kernel[axis] = b.rng.pick(&[1, 1, 2, 3, 3, 4]);
        stride[axis] = b.rng.pick(&[1, 1, 2, 3]);
        dilation[axis] = if b.rng.chance(15) { 2 } else { 1 };
        let span = (kernel[axis] - 1) * dilation[axis] + 1;
        let before = b.rng.below(span);
        // With a padding of span - 1 there are as many positions of stride 1 as inputs, and TOSA requires the last to end exactly.
        let rest = (stride[axis] - (extent - 1) % stride[axis]) % stride[axis];
        (pad[2 * axis], pad[2 * axis + 1]) = (before, span - 1 - before + rest);
        macs *= kernel[axis] * extent.div_ceil(stride[axis]);
    }
    if macs > b.budget.macs {
        return Ok(None);
    }
    let oc = b.rng.extent((b.budget.macs / macs).min(17));
    let weights = weights(b, &[oc, kernel[0], kernel[1], kernel[2], shape[4]])?;
    let bias = bias(b, oc)?;
    let [input_zp, weight_zp] = zero_points(b, weights);
    b.op(Op::Conv3d(Conv3d { pad, stride, dilation, input_zp, weight_zp }), [input, weights, bias])
}

/// A new argument of any type and a rank of 1 or more.
fn any_argument(b: &mut Builder, elements: usize) -> Result<NodeId, Invalid> {
    let dtype = b.rng.pick(&Dtype::EVERY);
    let rank = b.rng.between(1, 6);
    let shape = b.rng.shape(rank, elements);
    b.argument(dtype, &shape)
}

/// A tile of a new argument.
pub(crate) fn tile(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, b.budget.elements / 8)?;
    tile_of(b, x)
}

/// A tile of an existing value, if it is small enough.
pub(crate) fn tile_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let value = b.value(x);
    let (rank, mut left) = (value.rank(), b.budget.elements.min(ELEMENTS) / value.data.len().max(1));
    let mut multiples = vec![1; rank];
    for multiple in &mut multiples {
        if b.rng.chance(60) {
            *multiple = b.rng.pick(&[1, 2, 3, 4, 9, 17, 65]).min(left.max(1));
            left /= *multiple;
        }
    }
    if rank == 0 { Ok(None) } else { b.op(Op::Tile { multiples }, [x]) }
}

/// A reversal of a new argument.
pub(crate) fn reverse(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, b.budget.elements)?;
    reverse_of(b, x)
}

/// A reversal of an existing value.
pub(crate) fn reverse_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let rank = b.value(x).rank();
    let axis = b.rng.below(rank);
    if rank == 0 { Ok(None) } else { b.op(Op::Reverse { axis }, [x]) }
}
