//! `conv2d` and `depthwise_conv2d`.

use super::{expect_dtype, expect_rank, expect_zero_point, positions, tap};
use crate::arith::Watch;
use crate::tensor::for_each_index;
use crate::{Dtype, Invalid, Tensor, require};

/// Attributes of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv {
    /// Padding: top, bottom, left, right.
    pub pad: [usize; 4],
    /// Stride: y, x.
    pub stride: [usize; 2],
    /// Dilation: y, x.
    pub dilation: [usize; 2],
    /// Zero point of the input.
    pub input_zp: i64,
    /// Zero point of the weights.
    pub weight_zp: i64,
}

/// What both convolutions ask of their operands. Returns the height and width of the result.
fn check(
    op: &'static str,
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    attributes: &Conv,
    kernel: [usize; 2],
    channels: usize,
) -> Result<[usize; 2], Invalid> {
    expect_dtype(op, "input", x, &[Dtype::I8, Dtype::I16])?;
    let weights: &[Dtype] = if x.dtype == Dtype::I16 { &[Dtype::I8] } else { &[Dtype::I4, Dtype::I8] };
    expect_dtype(op, "weights", w, weights)?;
    expect_dtype(op, "bias", bias, &[accumulator(x)])?;
    expect_rank(op, "bias", bias, 1)?;
    let fits = bias.shape[0] == channels || bias.shape[0] == 1;
    require(fits, op, format!("bias must have 1 or {channels} elements, got {}", bias.shape[0]))?;
    expect_zero_point(op, "input zero point", x.dtype, attributes.input_zp)?;
    expect_zero_point(op, "weight zero point", w.dtype, attributes.weight_zp)?;
    let mut out = [0; 2];
    for axis in 0..2 {
        let dilation = attributes.dilation[axis];
        require(dilation >= 1, op, "dilation must be at least 1")?;
        let window = (kernel[axis] - 1).saturating_mul(dilation).saturating_add(1);
        let [before, after] = [attributes.pad[2 * axis], attributes.pad[2 * axis + 1]];
        out[axis] = positions(op, x.shape[1 + axis], before, after, window, attributes.stride[axis])?;
    }
    Ok(out)
}

/// The type of the accumulators.
fn accumulator(x: &Tensor) -> Dtype {
    if x.dtype == Dtype::I16 { Dtype::I48 } else { Dtype::I32 }
}

/// The bias of an output channel.
fn bias_of(bias: &Tensor, channel: usize) -> i128 {
    i128::from(if bias.shape[0] == 1 { bias.data[0] } else { bias.data[channel] })
}

pub(crate) fn conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    attributes: &Conv,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "conv2d";
    expect_rank(op, "input", x, 4)?;
    expect_rank(op, "weights", w, 4)?;
    let [oc, kh, kw, ic] = [w.shape[0], w.shape[1], w.shape[2], w.shape[3]];
    require(x.shape[3] == ic, op, format!("weights want {ic} input channels, got {}", x.shape[3]))?;
    let [oh, ow] = check(op, x, w, bias, attributes, [kh, kw], oc)?;
    let Conv { pad, stride, dilation, input_zp, weight_zp } = attributes;
    Tensor::from_fn(accumulator(x), [x.shape[0], oh, ow, oc], |at| {
        let mut sum = 0i64;
        for_each_index(&[kh, kw], |k| {
            let y = tap(at[1], stride[0], k[0], dilation[0], pad[0], x.shape[1]);
            let x_at = tap(at[2], stride[1], k[1], dilation[1], pad[2], x.shape[2]);
            // Outside the input is the zero point, which contributes nothing.
            if let (Some(y), Some(x_at)) = (y, x_at) {
                let pixel = x.offset(&[at[0], y, x_at, 0]);
                let taps = w.offset(&[at[3], k[0], k[1], 0]);
                for (value, weight) in x.data[pixel..pixel + ic].iter().zip(&w.data[taps..taps + ic]) {
                    sum += (value - input_zp) * (weight - weight_zp);
                }
            }
        });
        watch.integer(accumulator(x), i128::from(sum) + bias_of(bias, at[3]))
    })
}

pub(crate) fn depthwise(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    attributes: &Conv,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "depthwise_conv2d";
    expect_rank(op, "input", x, 4)?;
    expect_rank(op, "weights", w, 4)?;
    let [kh, kw, c, m] = [w.shape[0], w.shape[1], w.shape[2], w.shape[3]];
    require(x.shape[3] == c, op, format!("weights want {c} input channels, got {}", x.shape[3]))?;
    let [oh, ow] = check(op, x, w, bias, attributes, [kh, kw], c * m)?;
    let Conv { pad, stride, dilation, input_zp, weight_zp } = attributes;
    Tensor::from_fn(accumulator(x), [x.shape[0], oh, ow, c * m], |at| {
        let (channel, multiple) = (at[3] / m, at[3] % m);
        let mut sum = 0i64;
        for_each_index(&[kh, kw], |k| {
            let y = tap(at[1], stride[0], k[0], dilation[0], pad[0], x.shape[1]);
            let x_at = tap(at[2], stride[1], k[1], dilation[1], pad[2], x.shape[2]);
            if let (Some(y), Some(x_at)) = (y, x_at) {
                let value = x.at(&[at[0], y, x_at, channel]) - input_zp;
                sum += value * (w.at(&[k[0], k[1], channel, multiple]) - weight_zp);
            }
        });
        watch.integer(accumulator(x), i128::from(sum) + bias_of(bias, at[3]))
    })
}
