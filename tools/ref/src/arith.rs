//! The scalar functions of the specification, in i128 so that nothing overflows on the way.

use crate::{Dtype, Invalid, require};

/// Records whether a value left the range in which the specification defines the result.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) unpredictable: bool,
}

impl Watch {
    /// An int32 result: wrapped, and recorded where that changes it.
    pub(crate) fn int32(&mut self, value: i128) -> i64 {
        self.integer(Dtype::I32, value)
    }

    /// A result of this type, likewise.
    pub(crate) fn integer(&mut self, dtype: Dtype, value: i128) -> i64 {
        let wrapped = dtype.wrap(value);
        self.unpredictable |= i128::from(wrapped) != value;
        wrapped
    }

    /// Records a condition under which the specification leaves the result undefined.
    pub(crate) fn demand(&mut self, condition: bool) {
        self.unpredictable |= !condition;
    }
}

/// `apply_scale_32`: `value * multiplier / 2^shift`, rounded to nearest with ties up, or first to 31 bits away from zero
/// when rounding twice.
pub(crate) fn apply_scale_32(
    watch: &mut Watch,
    value: i64,
    multiplier: i64,
    shift: i64,
    double_round: bool,
) -> i64 {
    watch.demand((-(1i64 << (shift - 1))..1i64 << (shift - 1)).contains(&value));
    let mut round = 1i128 << (shift - 1);
    if double_round && shift > 31 {
        round += if value >= 0 { 1 << 30 } else { -(1 << 30) };
    }
    watch.int32((i128::from(value) * i128::from(multiplier) + round) >> shift)
}

/// `apply_scale_16`: the same with a single rounding, and without a constraint on the value.
pub(crate) fn apply_scale_16(watch: &mut Watch, value: i64, multiplier: i64, shift: i64) -> i64 {
    let round = 1i128 << (shift - 1);
    watch.int32((i128::from(value) * i128::from(multiplier) + round) >> shift)
}

/// The multipliers and shifts that the specification allows.
pub(crate) fn check_scale(
    op: &'static str,
    multiplier: i64,
    shift: i64,
    scale32: bool,
) -> Result<(), Invalid> {
    let (name, max) = if scale32 { ("i32", Dtype::I32.max()) } else { ("i16", Dtype::I16.max()) };
    require(
        (0..=max).contains(&multiplier),
        op,
        format!("multiplier {multiplier} is no {name} of at least 0"),
    )?;
    require((2..=62).contains(&shift), op, format!("shift {shift} is not in 2..=62"))
}

/// `reciprocal_scale`: multiplier and shift that divide by `count`, which is at least 1.
pub(crate) fn reciprocal_scale(count: u32) -> (i64, i64) {
    // The least k with count <= 2^k.
    let k = (0..32).find(|&k| u64::from(count) <= 1 << k).unwrap_or(32);
    let numerator = ((1i128 << 30) + 1) << k;
    ((numerator / i128::from(count)) as i64, 30 + k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(value: i64, multiplier: i64, shift: i64, double: bool) -> i64 {
        apply_scale_32(&mut Watch::default(), value, multiplier, shift, double)
    }

    #[test]
    fn single_rounding_goes_up_at_ties() {
        assert_eq!([-3, -2, -1, 0, 1, 2, 3].map(|v| scale(v, 2, 2, false)), [-1, -1, 0, 0, 1, 1, 2]);
    }

    #[test]
    fn double_rounding_begins_beyond_31() {
        // 2^31 / 2^32 is one half; the first rounding adds or subtracts another quarter.
        let half = 1 << 30;
        // At 31 there is no second rounding, which would turn 0 into 1 and -1 into -1.
        assert_eq!([0, -1, 1].map(|value| scale(value, half, 31, true)), [0, 0, 1]);
        assert_eq!([0, -1, 1].map(|value| scale(value, half, 31, false)), [0, 0, 1]);
        // (2^30 + 2^31 + 2^30) >> 32 = 1 against (2^30 + 2^31) >> 32 = 0.
        assert_eq!((scale(1, half, 32, true), scale(1, half, 32, false)), (1, 0));
        // (-2^31 + 2^31 - 2^30) >> 32 = -1 against 0.
        assert_eq!((scale(-2, half, 32, true), scale(-2, half, 32, false)), (-1, 0));
    }

    #[test]
    fn overflow_is_noted() {
        let scaled = |value, multiplier, shift| {
            let mut watch = Watch::default();
            (apply_scale_32(&mut watch, value, multiplier, shift, false), watch.unpredictable)
        };
        assert_eq!(scaled((1 << 29) - 1, 1 << 30, 30), ((1 << 29) - 1, false));
        // The result fits, but the value has more bits than the shift.
        assert_eq!(scaled(1 << 29, 1 << 30, 30), (1 << 29, true));
        assert_eq!(scaled(-(1 << 29), 1 << 30, 30), (-(1 << 29), false));
        assert_eq!(scaled(1 << 30, 1 << 30, 29), (i64::from(i32::MIN), true));
        let mut watch = Watch::default();
        assert_eq!(apply_scale_16(&mut watch, 1000, 3, 2), 750);
        assert!(!watch.unpredictable);
    }

    #[test]
    fn reciprocals() {
        assert_eq!(reciprocal_scale(1), ((1 << 30) + 1, 30));
        assert_eq!(reciprocal_scale(2), ((1 << 30) + 1, 31));
        assert_eq!(reciprocal_scale(3), (1_431_655_766, 32));
        assert_eq!(reciprocal_scale(4), ((1 << 30) + 1, 32));
        assert_eq!(reciprocal_scale(9), (1_908_874_355, 34));
        for count in 1..2000u32 {
            let (multiplier, shift) = reciprocal_scale(count);
            assert!((1 << 30..1i64 << 31).contains(&multiplier));
            assert_eq!(scale(i64::from(count) * 77, multiplier, shift, false), 77);
        }
    }
}
