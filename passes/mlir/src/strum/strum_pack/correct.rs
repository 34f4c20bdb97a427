//! Correction of bias and scale of a packed layer, so that the mean of its sums is preserved.
//!
//! Invariant: corrections become ordinary bias and post-processing, so that every level below computes the same.

use strum_ir::strum::{Conv, Ppe};
use strum_ir::{Operation, PassError};
use strum_quant::{Correct, Correction, Inputs, corrections};

use super::remark::{self, NO_RESCALE, NO_ROOM, UNCORRECTED, VARIABLE_BIAS};
use crate::common::rewrite::replace;
use crate::common::statistics::{self, Statistics};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;

/// Weight codes of a layer before and after packing.
pub(super) struct Change<'a> {
    pub(super) before: &'a [i8],
    pub(super) after: &'a [i8],
    /// The shape of the weights as a tensor: OHWI, or HWCM.
    pub(super) shape: &'a [u64],
}

/// Corrects a layer whose weights have been packed; emits a remark on what cannot be corrected.
pub(super) fn layer<'c>(
    op: Operation<'c>,
    change: &Change<'_>,
    seen: &Statistics,
    correct: Correct,
) -> Result<(), PassError> {
    let internal = |what: &str| PassError::Internal(format!("{what} of a packed layer"));
    let (mut conv, result) = Conv::read(op).zip(op.single_result()).ok_or_else(|| internal("attributes"))?;
    let correct = match (correct, &conv.ppe) {
        (Correct::Scale, None) => {
            remark::emit(op, format_args!("{UNCORRECTED}{NO_RESCALE}"));
            return Ok(());
        }
        (Correct::Both, None) => {
            remark::emit(op, format_args!("{UNCORRECTED}{NO_RESCALE}; only the bias is corrected"));
            Correct::Bias
        }
        (correct, _) => correct,
    };
    let channels = usize::try_from(view::shape(result).and_then(|s| s.last().copied()).unwrap_or(0));
    let channels = channels.map_err(|_| internal("output channels"))?;
    let bias = match conv.bias.map(view::literal) {
        None => vec![0; channels],
        Some(Some(bias)) => {
            let bias: Vec<i32> = bias.values().collect();
            bias.into_iter().cycle().take(channels).collect()
        }
        Some(None) => {
            remark::emit(op, format_args!("{UNCORRECTED}{VARIABLE_BIAS}"));
            return Ok(());
        }
    };
    let list = corrections(
        change.before,
        change.after,
        channels,
        channel_of(conv.depthwise, change.shape),
        Inputs { mean: &seen.mean, square: &seen.square },
        correct,
    );
    let list = list.map_err(|error| PassError::Internal(error.to_string()))?;
    let (bias, ppe, left) = apply(&list, &bias, conv.ppe.as_ref());
    if left > 0 {
        let which = format_args!("{left} of {channels} output channels, whose bias or scale {NO_ROOM}");
        remark::emit(op, format_args!("{UNCORRECTED}{which}"));
    }
    let mut build = Builder::before(op)?;
    conv.bias = Some(build.vector(Elem::I32, &bias)?);
    conv.ppe = ppe;
    let value = build.insert(conv.build(result.ty(), op.location())?)?;
    if let Some(layer) = value.defining_op() {
        statistics::carry(op, layer);
    }
    Ok(replace(op, value)?)
}

/// Output and input channel of a weight.
fn channel_of(depthwise: bool, shape: &[u64]) -> impl Fn(usize) -> (usize, usize) {
    let dims: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap_or(1).max(1)).collect();
    let last = dims.last().copied().unwrap_or(1);
    let inner: usize = dims.iter().skip(1).product();
    let channels = dims.get(2).copied().unwrap_or(1).saturating_mul(last).max(1);
    move |index| match depthwise {
        false => (index / inner.max(1), index % last),
        true => (index % channels, index % channels / last),
    }
}

/// The corrected bias and post-processing, and the number of channels that are left uncorrected, since a value would be out of range.
fn apply(list: &[Correction], bias: &[i32], ppe: Option<&Ppe>) -> (Vec<i32>, Option<Ppe>, usize) {
    let scales = ppe.filter(|_| list.iter().any(|c| c.scale.to_bits() != 1f64.to_bits()));
    let mut ppe = ppe.cloned();
    if let (Some(ppe), true) = (&mut ppe, scales.is_some()) {
        ppe.multiplier = ppe.multiplier.iter().copied().cycle().take(list.len()).collect();
        ppe.shift = ppe.shift.iter().copied().cycle().take(list.len()).collect();
    }
    let mut left = 0;
    let mut corrected = Vec::with_capacity(bias.len());
    for (channel, (correction, &bias)) in list.iter().zip(bias).enumerate() {
        let place = ppe.as_mut().filter(|_| scales.is_some());
        let place = place.and_then(|ppe| ppe.multiplier.get_mut(channel).zip(ppe.shift.get_mut(channel)));
        let new = place.as_ref().map(|(m, s)| rescaled(**m, **s, correction.scale));
        match (correction.bias(bias), place, new) {
            (Some(bias), Some((multiplier, shift)), Some(Some(new))) => {
                (*multiplier, *shift) = new;
                corrected.push(bias);
            }
            (Some(bias), None, _) => corrected.push(bias),
            _ => {
                left += 1;
                corrected.push(bias);
            }
        }
    }
    (corrected, ppe, left)
}

/// A multiplier and shift times a factor between a half and 2. No result that is defined in TOSA becomes unpredictable: a smaller
/// shift, which requires smaller sums, is used only where it allows all of 32 bits.
fn rescaled(multiplier: i32, shift: u8, factor: f64) -> Option<(i32, u8)> {
    if factor.to_bits() == 1f64.to_bits() {
        return Some((multiplier, shift));
    }
    let (mut exact, mut shift) = (f64::from(multiplier) * factor, shift);
    while exact > 0.0 && exact < f64::from(1 << 30) && shift < 62 {
        (exact, shift) = (exact * 2.0, shift + 1);
    }
    let limit = f64::from(1u32 << 31) - 0.5;
    if exact >= limit && shift > 32 {
        (exact, shift) = (exact / 2.0, shift - 1);
    }
    #[allow(clippy::cast_possible_truncation, reason = "below 2^31")]
    let multiplier = exact.round() as i32;
    (exact < limit).then_some((multiplier, shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::tosa::num::Round;

    #[test]
    fn weights_know_their_channels() {
        let conv = channel_of(false, &[4, 1, 2, 3]);
        assert_eq!([0, 5, 6, 23].map(conv), [(0, 0), (0, 2), (1, 0), (3, 2)]);
        let depthwise = channel_of(true, &[1, 2, 3, 2]);
        assert_eq!([0, 1, 2, 5, 6, 11].map(depthwise), [(0, 0), (1, 0), (2, 1), (5, 2), (0, 0), (5, 2)]);
    }

    #[test]
    fn factors_go_into_multiplier_and_shift() {
        let value = |(m, s): (i32, u8)| f64::from(m) / 2f64.powi(s.into());
        for (multiplier, shift) in [(1 << 30, 38), (i32::MAX, 40), (3, 4), (0, 30), (1 << 30, 62)] {
            for factor in [0.51, 0.9, 1.0, 1.1, 1.99] {
                let before = value((multiplier, shift)) * factor;
                let after = value(rescaled(multiplier, shift, factor).unwrap());
                assert!((after - before).abs() <= before * 2f64.powi(-29), "{multiplier} {shift} {factor}");
            }
        }
        assert_eq!(rescaled(i32::MAX, 32, 1.5), None, "the sums would have less room");
        assert_eq!(rescaled(i32::MAX, 31, 1.0), Some((i32::MAX, 31)));
    }

    #[test]
    fn channels_that_do_not_fit_stay_as_they_are() {
        let ppe = Ppe {
            multiplier: vec![i32::MAX],
            shift: vec![32],
            round: Round::Single,
            zp: 0,
            clamp: (-128, 127),
            unsigned: false,
            table: None,
        };
        let list = [(0.75, 30.0), (1.5, 30.0), (1.0, 4e9)].map(|(scale, shift)| Correction { scale, shift });
        let (bias, scaled, left) = apply(&list, &[0, 7, 9], Some(&ppe));
        assert_eq!((bias, left), (vec![40, 7, 9], 2));
        let scaled = scaled.unwrap();
        assert_eq!(scaled.shift, [32, 32, 32]);
        assert_eq!(scaled.multiplier[1..], [i32::MAX, i32::MAX]);
        let (_, same, _) = apply(&[Correction { scale: 1.0, shift: 5.0 }; 3], &[0; 3], Some(&ppe));
        assert_eq!(same, Some(ppe), "a bias alone leaves one multiplier for all");
    }
}
