//! Weights as codes, with the matching bias.

use super::{QuantizeError, WeightScales};
use crate::Tensor;

/// Maximum code of a weight; codes are symmetric, so −128 is not used.
const MAX_CODE: f64 = 127.0;

/// Maximum bias: half of an accumulator, the other half is left to the sum.
pub(super) const MAX_BIAS: f64 = (1u32 << 30) as f64;

/// Maximum difference between an activation code and its zero point.
pub(super) const MAX_INPUT: f64 = 255.0;

/// A layer's weights as codes.
pub(super) struct Coded {
    pub(super) codes: Vec<i8>,
    pub(super) bias: Vec<i32>,
    /// Step of a code, for each output channel.
    pub(super) scales: Vec<f64>,
}

/// The output channel of the weight at an index.
pub(super) type ChannelOf = fn(index: usize, shape: &[usize]) -> usize;

/// OHWI.
pub(super) fn first_axis(index: usize, shape: &[usize]) -> usize {
    index / shape.iter().skip(1).product::<usize>().max(1)
}

/// HWCM.
pub(super) fn last_axes(index: usize, shape: &[usize]) -> usize {
    index % shape.iter().skip(2).product::<usize>().max(1)
}

/// Codes the weights of a layer whose input has the scale `input` and whose result `output`.
pub(super) fn code(
    weights: &Tensor,
    bias: &Tensor,
    channels: usize,
    channel_of: ChannelOf,
    (input, output): (f64, f64),
    choice: WeightScales,
    tag: u32,
) -> Result<Coded, QuantizeError> {
    if let Some(x) = weights.iter().chain(bias).find(|x| !x.is_finite()) {
        return Err(QuantizeError::invalid(Some(tag), format!("a weight or a bias is {x}")));
    }
    let shape = weights.shape();
    let mut largest = vec![0f64; channels];
    let mut total = vec![0f64; channels];
    for (index, &w) in weights.iter().enumerate() {
        let channel = channel_of(index, shape);
        if let (Some(largest), Some(total)) = (largest.get_mut(channel), total.get_mut(channel)) {
            *largest = largest.max(f64::from(w).abs());
            *total += f64::from(w).abs();
        }
    }
    // The bias uses at most half of an accumulator; the products, at their maximum and rounded, the other half.
    #[allow(clippy::cast_precision_loss, reason = "a layer has far fewer than 2^52 weights")]
    let room = MAX_BIAS / MAX_INPUT - (weights.len() / channels.max(1)) as f64 / 2.0;
    if room < 1.0 {
        return Err(QuantizeError::unsupported(
            tag,
            "too many weights per channel: accumulators could overflow 32 bits",
        ));
    }
    if choice == WeightScales::PerTensor {
        let all = largest.iter().copied().fold(0.0, f64::max);
        largest.fill(all);
    }
    let bias: Vec<f64> = bias.iter().map(|&b| f64::from(b)).cycle().take(channels).collect();
    let scales: Vec<f64> = largest
        .iter()
        .zip(&bias)
        .zip(&total)
        .map(|((&largest, &bias), &total)| {
            // A channel that is nearly dead: weights lose precision, so that the bias fits.
            let least = bias.abs() / (input * MAX_BIAS);
            let scale = if largest > 0.0 {
                largest / MAX_CODE
            } else {
                (bias.abs() / input / 2f64.powi(20)).max(0.0)
            };
            let scale = scale.max(least).max(total / room);
            if scale > 0.0 { scale } else { output / input }
        })
        .collect();
    let scale_of = |channel: usize| scales.get(channel).copied().unwrap_or(1.0);
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the codes before")]
    let codes = weights
        .iter()
        .enumerate()
        .map(|(index, &w)| {
            (f64::from(w) / scale_of(channel_of(index, shape))).round().clamp(-MAX_CODE, MAX_CODE) as i8
        })
        .collect();
    #[allow(clippy::cast_possible_truncation, reason = "clamped to half of the range before")]
    let bias = bias
        .iter()
        .zip(&scales)
        .map(|(bias, scale)| (bias / (input * scale)).round().clamp(-MAX_BIAS, MAX_BIAS) as i32)
        .collect();
    Ok(Coded { codes, bias, scales })
}

#[cfg(test)]
mod tests {
    use ndarray::IxDyn;

    use super::*;
    use crate::quantize::Fault;

    #[test]
    fn no_sum_leaves_32_bits() {
        // As many maximal weights as would overflow with plain steps, besides a small channel and a large bias.
        let n = 80_000;
        let values: Vec<f32> =
            (0..2 * n).map(|i| if i < n { 0.5 } else { if i % 50 == 0 { 6e-3 } else { 0.0 } }).collect();
        let weights = Tensor::from_shape_vec(IxDyn(&[2, 1, 1, n]), values).unwrap();
        let bias = Tensor::from_shape_vec(IxDyn(&[2]), vec![3e3, -1.0]).unwrap();
        let choice = WeightScales::PerChannel;
        let coded = code(&weights, &bias, 2, first_axis, (1e-3, 1.0), choice, 0).unwrap();
        for (codes, &bias) in coded.codes.chunks(n).zip(&coded.bias) {
            let greatest: i64 = codes.iter().map(|&c| i64::from(c).abs() * 255).sum();
            assert!(greatest + i64::from(bias).abs() <= i64::from(i32::MAX), "{greatest} {bias}");
        }
        assert!(coded.codes[0] < 127 && coded.codes[0] > 30, "{}", coded.codes[0]);
        let plain = f64::from(6e-3f32) / MAX_CODE;
        assert!((coded.scales[1] - plain).abs() < 1e-12, "a channel that fits keeps its step");
    }

    /// The error for weights of one channel, all the same.
    fn refusal(count: usize, weight: f32) -> QuantizeError {
        let weights = Tensor::from_elem(IxDyn(&[1, 1, 1, count]), weight);
        let bias = Tensor::zeros(IxDyn(&[1]));
        code(&weights, &bias, 1, first_axis, (1e-3, 1.0), WeightScales::PerChannel, 0).err().unwrap()
    }

    #[test]
    fn a_channel_whose_sums_cannot_fit_is_unsupported() {
        let refused = refusal(9_000_000, 0.0);
        assert_eq!(refused.reason, "too many weights per channel: accumulators could overflow 32 bits");
        assert_eq!(refused.fault, Fault::Unsupported);
    }

    #[test]
    fn a_weight_that_is_not_a_number_is_invalid() {
        let refused = refusal(4, f32::NAN);
        assert_eq!(refused.reason, "a weight or a bias is NaN");
        assert_eq!(refused.fault, Fault::Invalid);
    }
}
