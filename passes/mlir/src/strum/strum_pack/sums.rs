//! Whether the accumulators of a layer fit 32 bits.
//!
//! Invariant: a layer whose accumulators cannot overflow with its INT8 weights cannot overflow with packed ones, or is refused.

use strum_ir::strum::Conv;
use strum_ir::{Operation, PassError};

use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;
use crate::common::weights;

/// For every layer, in order, whether packing could make its accumulators overflow.
pub(super) fn at_risk(function: Operation<'_>) -> Vec<bool> {
    layers(function)
        .map(|(_, conv)| Sums::of(&conv).is_some_and(|sums| !sums.always_fit() && sums.fit()))
        .collect()
}

/// Refuses layers that were at risk according to [`at_risk`] and can overflow now.
pub(super) fn check(function: Operation<'_>, at_risk: &[bool]) -> Result<(), PassError> {
    for ((op, conv), _) in layers(function).zip(at_risk).filter(|(_, at_risk)| **at_risk) {
        if Sums::of(&conv).is_some_and(|sums| !sums.fit()) {
            let message =
                "accumulators could overflow 32 bits with the packed weights: keep this layer dense";
            return Err(op.error(message).into());
        }
    }
    Ok(())
}

fn layers<'c>(function: Operation<'c>) -> impl Iterator<Item = (Operation<'c>, Conv<'c>)> {
    function.walk().into_iter().filter_map(|op| Some((op, Conv::read(op)?)))
}

/// The terms of a layer's sums.
struct Sums<'c> {
    conv: Conv<'c>,
    codes: Literal<'c>,
    /// Output channels, at least 1.
    channels: usize,
    /// Greatest magnitude of a bias.
    bias: i64,
    /// Greatest magnitude of an activation minus its zero point.
    reach: i64,
}

impl<'c> Sums<'c> {
    /// Nothing if weights or bias are not constant.
    fn of(conv: &Conv<'c>) -> Option<Self> {
        let bias = match conv.bias {
            None => 0,
            Some(bias) => view::literal(bias)?.distinct().map(|b| i64::from(b).abs()).max().unwrap_or(0),
        };
        let codes = match weights::is_packed(conv) {
            true => weights::decode(conv).ok()?,
            false => weights::constant(conv)?.1,
        };
        let dims = codes.shape().iter().map(|&d| usize::try_from(d).unwrap_or(1));
        let channels = if conv.depthwise { dims.skip(2).product() } else { dims.take(1).product::<usize>() };
        let reach = (127 - i64::from(conv.input_zp)).max(128 + i64::from(conv.input_zp));
        Some(Sums { conv: conv.clone(), codes, channels: channels.max(1), bias, reach })
    }

    fn fits(&self, weights: i64) -> bool {
        weights.saturating_mul(self.reach).saturating_add(self.bias) <= i64::from(i32::MAX)
    }

    /// Whether no 8-bit weights, with any correction of the bias for their change, can overflow.
    fn always_fit(&self) -> bool {
        let count = self.codes.shape().iter().fold(1u64, |n, &d| n.saturating_mul(d));
        let terms = i64::try_from(count).unwrap_or(i64::MAX) / i64::try_from(self.channels).unwrap_or(1);
        // A code changes by less than 256, and is less than 256 from its zero point.
        self.fits(terms.saturating_mul(2 * 256))
    }

    /// Whether no input can overflow 32 bits, for any order of the products.
    fn fit(&self) -> bool {
        let inner = self.codes.values().count() / self.channels;
        let mut sums = vec![0i64; self.channels];
        for (index, code) in self.codes.values().enumerate() {
            let channel = if self.conv.depthwise { index % self.channels } else { index / inner.max(1) };
            if let Some(sum) = sums.get_mut(channel) {
                *sum += (i64::from(code) - i64::from(self.conv.weight_zp)).abs();
            }
        }
        sums.into_iter().all(|sum| self.fits(sum))
    }
}
