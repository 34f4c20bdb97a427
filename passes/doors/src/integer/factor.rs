//! Real factors as integers. Invariant: [`Factor::of`] is the kernels' `QuantizeMultiplier`, and applying a factor is their
//! `MultiplyByQuantizedMultiplier` and TOSA's `rescale` with `double_round`.

use super::fixed::{rounded_shift, rounding_high_product};
use crate::tosa::Fault;

/// A factor of `multiplier · 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor {
    /// From 2^30 to 2^31 - 1; less after a mean; 0 for a factor that is too small.
    pub(crate) multiplier: i32,
    /// To the left.
    pub(crate) shift: i32,
}

impl Factor {
    /// The factor that is nearest to a number.
    ///
    /// # Errors
    /// The number is negative or not finite.
    pub(crate) fn of(real: f64) -> Result<Self, Fault> {
        if !real.is_finite() || real < 0.0 {
            return Err(Fault { op: "rescale", reason: format!("a factor of {real}") });
        }
        let (fraction, mut shift) = split(real);
        #[allow(clippy::cast_possible_truncation, reason = "at most 2^31")]
        let mut multiplier = (fraction * f64::from(1_u32 << 31)).round() as i64;
        if multiplier == 1 << 31 {
            multiplier /= 2;
            shift += 1;
        }
        let multiplier = i32::try_from(multiplier).unwrap_or(i32::MAX);
        Ok(if shift < -31 { Factor { multiplier: 0, shift: 0 } } else { Factor { multiplier, shift } })
    }

    /// Multiplier and shift of TOSA.
    ///
    /// # Errors
    /// The factor is above 2^29, the largest of TOSA.
    pub(crate) fn scale(self) -> Result<(i32, i32), Fault> {
        match 31 - self.shift {
            shift @ 2..=62 => Ok((self.multiplier, shift)),
            _ => Err(Fault { op: "rescale", reason: format!("a factor of 2^{} or more", self.shift - 1) }),
        }
    }

    /// The product, rounded twice.
    pub(crate) fn apply(self, x: i32) -> i32 {
        let left = u32::try_from(self.shift).unwrap_or(0);
        let right = u32::try_from(-self.shift).unwrap_or(0);
        rounded_shift(rounding_high_product(x.wrapping_shl(left), self.multiplier), right)
    }
}

/// A number as a fraction from ½ to 1 and a power of two.
pub(super) fn split(real: f64) -> (f64, i32) {
    let (mut fraction, mut power) = (real, 0);
    if real == 0.0 || !real.is_finite() {
        return (0.0, 0);
    }
    while fraction.abs() >= 1.0 {
        fraction /= 2.0;
        power += 1;
    }
    while fraction.abs() < 0.5 {
        fraction *= 2.0;
        power -= 1;
    }
    (fraction, power)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn factors_are_normalized_and_limited() {
        assert_eq!(Factor::of(0.5).unwrap(), Factor { multiplier: 1 << 30, shift: 0 });
        assert_eq!(Factor::of(1.0).unwrap().scale().unwrap(), (1 << 30, 30));
        assert_eq!(Factor::of(1.0 - 1e-12).unwrap(), Factor { multiplier: 1 << 30, shift: 1 });
        assert_eq!(Factor::of(1e-12).unwrap(), Factor { multiplier: 0, shift: 0 });
        let fault = Factor::of(-1.0).unwrap_err();
        assert_eq!(fault.to_string(), "rescale: a factor of -1");
        let fault = Factor::of(2_f64.powi(30)).unwrap().scale().unwrap_err();
        assert_eq!(fault.to_string(), "rescale: a factor of 2^30 or more");
    }

    proptest! {
        /// The definition of `apply_scale_32` in TOSA, with 64 bits.
        #[test]
        fn a_factor_is_a_rescale_that_rounds_twice(x in -(1_i32 << 20)..1 << 20, real in 1e-9_f64..100.0) {
            let factor = Factor::of(real).unwrap();
            let (multiplier, shift) = factor.scale().unwrap();
            let product = i64::from(x) * i64::from(multiplier);
            let second = if shift > 31 { if x >= 0 { 1 << 30 } else { -(1 << 30) } } else { 0 };
            let expected = (product + (1 << (shift - 1)) + second) >> shift;
            prop_assert_eq!(i64::from(factor.apply(x)), expected);
        }
    }
}
