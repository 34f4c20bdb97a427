//! Convolutions of 16-bit activations and the `rescale` of their 48-bit accumulators.

use super::builder::{Budget, Builder};
use super::layers::{Window, attributes, byte_weights, conv_window, oversized, shares};
use crate::{Conv, Dtype, Invalid, NodeId, Op, Rescale, Round};

/// Most products of an accumulator: the compiler takes their sums of bytes in 32 bits.
const MAX_TAPS: usize = 32_000;

/// `conv2d` of i16, then `rescale`.
pub(crate) fn conv2d(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [y, x] = [conv_window(b), conv_window(b)];
    let batch = b.rng.pick(&[1, 1, 1, 2, 3]);
    let total = b.budget.macs / (batch * y.kernel * x.kernel);
    let Budget { channels, positions, .. } = b.budget;
    let [height, width, ic, oc] = shares(b, total, [positions, positions, channels, channels]);
    let shape = [batch, y.extent(y.positions(height)), x.extent(x.positions(width)), ic];
    let kernel = [oc, y.kernel, x.kernel, ic];
    let taps = y.kernel * x.kernel * ic;
    if taps > MAX_TAPS || oversized(b, &shape) || oversized(b, &kernel) {
        return Ok(None);
    }
    let input = b.argument(Dtype::I16, &shape)?;
    let kernel = byte_weights(b, &kernel)?;
    let bias = bias(b, oc)?;
    let attributes = zero_input(b, &y, &x, kernel);
    let weight_zp = attributes.weight_zp;
    let Some(sums) = b.op(Op::Conv2d(attributes), [input, kernel, bias])? else { return Ok(None) };
    rescale(b, sums, bias, taps, weight_zp)
}

/// `depthwise_conv2d` of i16, then `rescale`.
pub(crate) fn depthwise(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [y, x] = [conv_window(b), conv_window(b)];
    let total = b.budget.macs / (4 * y.kernel * x.kernel);
    let Budget { channels, positions, .. } = b.budget;
    let [height, width, channels] = shares(b, total, [positions, positions, channels]);
    let shape = [1, y.extent(y.positions(height)), x.extent(x.positions(width)), channels];
    if oversized(b, &shape) {
        return Ok(None);
    }
    let input = b.argument(Dtype::I16, &shape)?;
    let multiple = b.rng.pick(&[1, 1, 2, 3]);
    let kernel = byte_weights(b, &[y.kernel, x.kernel, channels, multiple])?;
    let bias = bias(b, channels * multiple)?;
    let attributes = zero_input(b, &y, &x, kernel);
    let taps = y.kernel * x.kernel;
    let weight_zp = attributes.weight_zp;
    let Some(sums) = b.op(Op::DepthwiseConv2d(attributes), [input, kernel, bias])? else { return Ok(None) };
    rescale(b, sums, bias, taps, weight_zp)
}

/// Attributes without a zero point of the input, which i16 does not have.
fn zero_input(b: &mut Builder, y: &Window, x: &Window, kernel: NodeId) -> Conv {
    Conv { input_zp: 0, ..attributes(b, y, x, kernel) }
}

/// A constant bias of up to 48 bits.
fn bias(b: &mut Builder, channels: usize) -> Result<NodeId, Invalid> {
    let extent = if b.rng.chance(15) { 1 } else { channels };
    let bits = b.rng.pick(&[8, 16, 24, 31, 40, 47]);
    let bias = b.random_bits(Dtype::I48, bits, &[extent])?;
    Ok(b.constant(bias))
}

/// A rescale to any type, most often with about the range of its result.
fn rescale(
    b: &mut Builder,
    sums: NodeId,
    bias: NodeId,
    taps: usize,
    weight_zp: i64,
) -> Result<Option<NodeId>, Invalid> {
    let to = b.rng.pick(&[Dtype::I16, Dtype::I16, Dtype::I8, Dtype::I32]);
    let per_channel = b.rng.chance(50);
    let greatest = |values: &[i64]| values.iter().map(|v| v.abs()).max().unwrap_or(0);
    let channels = if per_channel { b.value(sums).shape[3] } else { 1 };
    let bits = i64::from(64 - greatest(&b.value(sums).data).leading_zeros());
    // Small shifts are only for accumulators that fit 32 bits with any weights.
    let bound = (taps as i64).saturating_mul(128 + weight_zp.abs()).saturating_mul(1 << 15);
    let fits = bound.saturating_add(greatest(&b.value(bias).data)) <= Dtype::I32.max();
    let (mut multiplier, mut shift) = (Vec::new(), Vec::new());
    for _ in 0..channels {
        let least = if b.rng.chance(80) { 1 << 14 } else { 0 };
        multiplier.push(b.rng.int(least, Dtype::I16.max()));
        let even = bits + 15 - i64::from(to.bits()) + b.rng.int(-2, 6);
        shift.push(even.clamp(if fits { 2 } else { 17 }, 62));
    }
    let output_zp = if to == Dtype::I8 { b.rng.int(-128, 127) } else { 0 };
    let rescale = Rescale {
        to,
        multiplier,
        shift,
        scale32: false,
        round: Round::Single,
        per_channel,
        input_unsigned: false,
        output_unsigned: false,
        input_zp: 0,
        output_zp,
    };
    b.op(Op::Rescale(rescale), [sums])
}
