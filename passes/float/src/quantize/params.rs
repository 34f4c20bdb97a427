//! Scales and zero points. Invariant: scales are positive and finite, zero points are i8.

/// The meaning of an i8 code: `scale · (code − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QParams {
    /// The step between two codes.
    pub scale: f64,
    /// The code of 0.
    pub zero_point: i32,
}

/// Minimum step: smaller values are only noise.
const MIN_SCALE: f64 = 1e-30;

/// Minimum and maximum code.
pub(crate) const CODES: (i32, i32) = (-128, 127);

impl QParams {
    /// Codes over a range, widened to include 0: then 0 has a code, and padding is exact.
    #[must_use]
    pub fn asymmetric(min: f64, max: f64) -> Self {
        let (min, max) = (min.min(0.0), max.max(0.0));
        // A constant zero has no step of its own, and any will do.
        let scale = if min == max { 1.0 } else { ((max - min) / 255.0).max(MIN_SCALE) };
        QParams { scale, zero_point: round(-128.0 - min / scale) }
    }

    /// The nearest code of a value.
    #[must_use]
    pub fn code(&self, value: f64) -> i32 {
        round(value / self.scale + f64::from(self.zero_point))
    }

    /// The maximum distance of a code from that of 0.
    #[must_use]
    pub(crate) fn reach(&self) -> i64 {
        i64::from((CODES.1 - self.zero_point).max(self.zero_point - CODES.0))
    }

    /// The value of a code.
    #[must_use]
    pub fn value(&self, code: i32) -> f64 {
        self.scale * f64::from(code - self.zero_point)
    }
}

/// The nearest code, ties away from 0; NaN is 0.
fn round(x: f64) -> i32 {
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the codes before")]
    let code = x.round().clamp(f64::from(CODES.0), f64::from(CODES.1)) as i32;
    code
}

/// A factor in the form of TOSA's RESCALE: `value · multiplier / 2^shift`, rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// From 2^30 to 2^31 − 1, or smaller for a factor below 2^-32.
    pub multiplier: i32,
    /// From 2 to 62.
    pub shift: i32,
}

impl Scale {
    /// The closest to a positive factor.
    ///
    /// Nothing for factors of at least 2^29, which RESCALE does not support.
    #[must_use]
    pub fn of(factor: f64) -> Option<Scale> {
        if !(factor > 0.0 && factor < f64::from(1 << 29)) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
        let exponent = factor.log2().floor() as i32;
        let shift = (30 - exponent).clamp(2, 62);
        let multiplier = (factor * 2f64.powi(shift)).round();
        let limit = f64::from(1u32 << 31);
        // Rounding may reach the next power of two.
        let (multiplier, shift) =
            if multiplier >= limit { (multiplier / 2.0, shift - 1) } else { (multiplier, shift) };
        #[allow(clippy::cast_possible_truncation, reason = "below 2^31")]
        let scale = Scale { multiplier: multiplier as i32, shift };
        (shift >= 2).then_some(scale)
    }

    /// The factor.
    #[must_use]
    pub fn factor(&self) -> f64 {
        f64::from(self.multiplier) / 2f64.powi(self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_a_code_whatever_the_range() {
        for (min, max) in [(0.0, 6.0), (-1.0, 1.0), (2.0, 5.0), (-7.0, -3.0), (0.0, 0.0), (-1e-30, 1e30)] {
            let q = QParams::asymmetric(min, max);
            assert_eq!(q.value(q.zero_point), 0.0);
            assert!(q.scale > 0.0 && (-128..=127).contains(&q.zero_point), "{min} {max} {q:?}");
            for x in [min.min(0.0), max.max(0.0)] {
                assert!((q.value(q.code(x)) - x).abs() <= q.scale * 0.501, "{min} {max} {q:?} {x}");
            }
        }
        assert_eq!(QParams::asymmetric(0.0, 6.0).zero_point, -128);
    }

    #[test]
    fn scales_are_the_nearest() {
        for i in -200..200 {
            let factor = 1.37f64.powi(i);
            match Scale::of(factor) {
                Some(s) => {
                    assert!(s.multiplier >= 0 && (2..=62).contains(&s.shift), "{factor} {s:?}");
                    assert!(
                        (s.factor() - factor).abs() <= factor * 2f64.powi(-30) + 2f64.powi(-62),
                        "{factor} {s:?}"
                    );
                }
                None => assert!(factor >= 2f64.powi(28), "{factor}"),
            }
        }
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Scale::of(bad), None);
        }
        let nearly_two = Scale::of(2.0 - f64::EPSILON).unwrap();
        assert_eq!(nearly_two, Scale { multiplier: 1 << 30, shift: 29 });
    }
}
