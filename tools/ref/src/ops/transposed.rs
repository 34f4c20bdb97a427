//! `transpose_conv2d` and `conv3d`, as the specification writes them.

use super::{expect_dtype, expect_rank, expect_zero_point, positions, tap};
use crate::arith::Watch;
use crate::tensor::for_each_index;
use crate::{Dtype, Invalid, Tensor, require};

/// Attributes of a transposed convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransposeConv {
    /// Padding of the output, which may be negative: top, bottom, left, right.
    pub out_pad: [i64; 4],
    /// Stride: y, x.
    pub stride: [usize; 2],
    /// Zero point of the input.
    pub input_zp: i64,
    /// Zero point of the weights.
    pub weight_zp: i64,
}

/// Attributes of a convolution in three dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv3d {
    /// Padding: before and after in depth, height and width.
    pub pad: [usize; 6],
    /// Stride in depth, height and width.
    pub stride: [usize; 3],
    /// Dilation in depth, height and width.
    pub dilation: [usize; 3],
    /// Zero point of the input.
    pub input_zp: i64,
    /// Zero point of the weights.
    pub weight_zp: i64,
}

/// What both ask of their operands.
fn check(
    op: &'static str,
    operands: [&Tensor; 3],
    rank: usize,
    [input_zp, weight_zp]: [i64; 2],
) -> Result<(), Invalid> {
    let [x, w, bias] = operands;
    let weights: &[Dtype] = &[Dtype::I4, Dtype::I8];
    for (what, operand, dtypes, rank) in [
        ("input", x, &[Dtype::I8] as &[Dtype], rank),
        ("weights", w, weights, rank),
        ("bias", bias, &[Dtype::I32], 1),
    ] {
        expect_dtype(op, what, operand, dtypes)?;
        expect_rank(op, what, operand, rank)?;
    }
    let (ic, oc, biases) = (x.shape[rank - 1], w.shape[0], bias.shape[0]);
    let wanted = w.shape[rank - 1];
    require(wanted == ic, op, format!("weights want {wanted} input channels, got {ic}"))?;
    require(biases == oc || biases == 1, op, format!("bias must have 1 or {oc} elements, got {biases}"))?;
    expect_zero_point(op, "input zero point", x.dtype, input_zp)?;
    expect_zero_point(op, "weight zero point", w.dtype, weight_zp)
}

/// The bias of an output channel.
fn bias_of(bias: &Tensor, channel: usize) -> i128 {
    i128::from(if bias.shape[0] == 1 { bias.data[0] } else { bias.data[channel] })
}

pub(crate) fn transpose_conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    attributes: &TransposeConv,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "transpose_conv2d";
    let TransposeConv { out_pad, stride, input_zp, weight_zp } = attributes;
    check(op, [x, w, bias], 4, [*input_zp, *weight_zp])?;
    let mut out = [0usize; 2];
    for axis in 0..2 {
        let (extent, kernel) = (x.shape[1 + axis] as i64, w.shape[1 + axis] as i64);
        let [before, after] = [out_pad[2 * axis], out_pad[2 * axis + 1]];
        require(stride[axis] >= 1, op, "stride must be at least 1")?;
        let cut = before <= -kernel || after <= -kernel;
        require(!cut, op, format!("padding of {before} and {after} cuts a kernel of {kernel}"))?;
        let step = i64::try_from(stride[axis]).unwrap_or(i64::MAX);
        let sum = (extent - 1).saturating_mul(step).saturating_add(kernel).saturating_add(before);
        let sum = sum.saturating_add(after);
        require((1..=i64::from(i32::MAX)).contains(&sum), op, format!("an axis of {sum} in the result"))?;
        out[axis] = sum as usize;
    }
    let [n, oc, ic] = [x.shape[0], w.shape[0], x.shape[3]];
    let shape = [n, out[0], out[1], oc];
    let mut sums = vec![0i128; shape.iter().product()];
    // Every input is scattered over the outputs that the kernel reaches from it.
    for_each_index(&[n, x.shape[1], x.shape[2], w.shape[1], w.shape[2]], |at| {
        let place = |input: usize, stride: usize, tap: usize, before: i64, extent: usize| {
            let position = (input * stride + tap) as i64 + before;
            usize::try_from(position).ok().filter(|&position| position < extent)
        };
        let y = place(at[1], stride[0], at[3], out_pad[0], out[0]);
        let x_at = place(at[2], stride[1], at[4], out_pad[2], out[1]);
        let (Some(y), Some(x_at)) = (y, x_at) else { return };
        for channel in 0..oc {
            let pixel = x.offset(&[at[0], at[1], at[2], 0]);
            let taps = w.offset(&[channel, at[3], at[4], 0]);
            let products = x.data[pixel..pixel + ic].iter().zip(&w.data[taps..taps + ic]);
            let sum: i64 = products.map(|(value, weight)| (value - input_zp) * (weight - weight_zp)).sum();
            sums[((at[0] * out[0] + y) * out[1] + x_at) * oc + channel] += i128::from(sum);
        }
    });
    let data: Vec<i64> =
        sums.iter().enumerate().map(|(i, sum)| watch.int32(sum + bias_of(bias, i % oc))).collect();
    Tensor::new(Dtype::I32, shape, data)
}

pub(crate) fn conv3d(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    attributes: &Conv3d,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "conv3d";
    let Conv3d { pad, stride, dilation, input_zp, weight_zp } = attributes;
    check(op, [x, w, bias], 5, [*input_zp, *weight_zp])?;
    let mut out = [0; 3];
    for axis in 0..3 {
        require(dilation[axis] >= 1, op, "dilation must be at least 1")?;
        let window = (w.shape[1 + axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
        let [before, after] = [pad[2 * axis], pad[2 * axis + 1]];
        out[axis] = positions(op, x.shape[1 + axis], before, after, window, stride[axis])?;
    }
    let kernel = [w.shape[1], w.shape[2], w.shape[3]];
    Tensor::from_fn(Dtype::I32, [x.shape[0], out[0], out[1], out[2], w.shape[0]], |at| {
        let mut sum = 0i64;
        for_each_index(&kernel, |k| {
            let place = |axis: usize| {
                tap(at[1 + axis], stride[axis], k[axis], dilation[axis], pad[2 * axis], x.shape[1 + axis])
            };
            if let (Some(d), Some(y), Some(x_at)) = (place(0), place(1), place(2)) {
                for channel in 0..x.shape[4] {
                    let value = x.at(&[at[0], d, y, x_at, channel]) - input_zp;
                    sum += value * (w.at(&[at[4], k[0], k[1], k[2], channel]) - weight_zp);
                }
            }
        });
        watch.int32(i128::from(sum) + bias_of(bias, at[4]))
    })
}
