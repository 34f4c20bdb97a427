//! The integer arithmetic shared by all instructions, exactly as TOSA 1.0 defines it.
//!
//! Every function is total: accumulators wrap in 32 bits, nothing overflows silently in a debug build.

use dpu_isa::{Dtype, Round};

/// Why a scale is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// The multiplier is negative.
    #[error("multiplier {0} is negative")]
    Multiplier(i32),
    /// The shift is outside 2..=62.
    #[error("shift {0} is outside 2..=62")]
    Shift(i32),
}

/// A checked multiplier and shift: `apply` is TOSA's `apply_scale_32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    multiplier: i64,
    shift: u32,
    /// Half of the last kept bit.
    half: i64,
    /// The addend of double rounding for a non-negative value, subtracted for a negative one.
    second: i64,
}

impl Scale {
    /// A scale of `multiplier · 2^-shift`.
    ///
    /// # Errors
    /// When the multiplier is negative or the shift is outside 2..=62.
    pub fn new(multiplier: i32, shift: i32, round: Round) -> Result<Self, ScaleError> {
        if multiplier < 0 {
            return Err(ScaleError::Multiplier(multiplier));
        }
        let bits = u32::try_from(shift).ok().filter(|s| (2..=62).contains(s));
        let shift = bits.ok_or(ScaleError::Shift(shift))?;
        let second = if round == Round::Double && shift > 31 { 1 << 30 } else { 0 };
        Ok(Scale { multiplier: multiplier.into(), shift, half: 1 << (shift - 1), second })
    }

    /// Multiplier, shift, half of the last kept bit, and the addend of double rounding.
    pub(crate) fn parts(&self) -> [i64; 4] {
        [self.multiplier, i64::from(self.shift), self.half, self.second]
    }

    /// Whether double rounding makes a difference.
    pub(crate) fn rounds_twice(&self) -> bool {
        self.second != 0
    }

    /// Scales `value`; a result beyond 32 bits keeps its low bits.
    ///
    /// No step overflows 64 bits: |value · multiplier| < 2^62 and the rounding terms stay below 2^61 + 2^31.
    #[inline]
    #[must_use]
    pub fn apply(&self, value: i32) -> i32 {
        let second = if value >= 0 { self.second } else { -self.second };
        ((i64::from(value) * self.multiplier + self.half + second) >> self.shift) as i32
    }
}

/// TOSA's `reciprocal_scale(count)`: the scale that divides an average pool's sum by `count` taps.
///
/// `None` when `count` is 0 or so large that the multiplier exceeds 32 bits.
#[must_use]
pub fn reciprocal_scale(count: u32) -> Option<Scale> {
    let k = 32 - count.checked_sub(1)?.leading_zeros();
    let numerator = ((1i64 << 30) + 1) << k;
    let multiplier = i32::try_from(numerator / i64::from(count)).ok()?;
    Scale::new(multiplier, i32::try_from(30 + k).ok()?, Round::Single).ok()
}

/// The product of `vec_binary mul`: 64 bits, rounded right shift by `shift` ≤ 63, low 32 bits.
#[inline]
#[must_use]
pub fn mul_shift(x: i32, y: i32, shift: u8) -> i32 {
    let product = i64::from(x) * i64::from(y);
    match shift {
        0 => product as i32,
        // Adding the half after the first shift is the same and cannot overflow at 2^62 + 2^62.
        1..=63 => (((product >> (shift - 1)) + 1) >> 1) as i32,
        64.. => 0,
    }
}

/// The value after storing `value` as `dtype` and reading it back: the low bits.
#[inline]
#[must_use]
pub fn wrap(value: i32, dtype: Dtype) -> i32 {
    match dtype {
        Dtype::I8 => i32::from(value as i8),
        Dtype::U8 => i32::from(value as u8),
        Dtype::I16 => i32::from(value as i16),
        Dtype::U16 => i32::from(value as u16),
        Dtype::I32 => value,
    }
}

/// TOSA's `TABLE` on 16-bit values: linear interpolation between 513 entries, 7 fraction bits in the result.
///
/// `None` when the table is shorter than 513 entries.
#[inline]
#[must_use]
pub fn interpolate(table: &[i16], value: i16) -> Option<i32> {
    let value = i32::from(value);
    let index = usize::try_from((value + 32768) >> 7).ok()?;
    let base = i32::from(*table.get(index)?);
    let next = i32::from(*table.get(index + 1)?);
    Some((base << 7) + (next - base) * (value & 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(value: i32, multiplier: i32, shift: i32, round: Round) -> i32 {
        Scale::new(multiplier, shift, round).unwrap().apply(value)
    }

    #[test]
    fn single_rounding_is_half_up() {
        for (value, want) in [(5, 3), (-5, -2), (4, 2), (-4, -2), (1, 1), (-1, 0)] {
            assert_eq!(scaled(value, 1 << 30, 31, Round::Single), want, "{value} / 2");
        }
    }

    #[test]
    fn double_rounding_pushes_away_from_zero_beyond_shift_31() {
        // 2^30 · 2 / 2^33: exactly a quarter, to which ±1/8 is added before the half.
        assert_eq!(scaled(2, 1 << 30, 33, Round::Single), 0);
        assert_eq!(scaled(2, 1 << 30, 33, Round::Double), 0);
        // 3/8 + 1/8 + 1/2 = 1.
        assert_eq!(scaled(3, 1 << 30, 33, Round::Single), 0);
        assert_eq!(scaled(3, 1 << 30, 33, Round::Double), 1);
        // -4/8: half up gives 0, the second term makes it -1.
        assert_eq!(scaled(-4, 1 << 30, 33, Round::Single), 0);
        assert_eq!(scaled(-4, 1 << 30, 33, Round::Double), -1);
        // At 31 and below the two agree.
        for value in [-7, -1, 0, 1, 7, i32::MIN, i32::MAX] {
            assert_eq!(
                scaled(value, 0x4000_0001, 31, Round::Double),
                scaled(value, 0x4000_0001, 31, Round::Single)
            );
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        assert_eq!(scaled(i32::MIN, i32::MAX, 62, Round::Double), -1);
        assert_eq!(scaled(i32::MAX, i32::MAX, 62, Round::Double), 1);
        // Shift 2 leaves 2^60: the low 32 bits remain.
        let wide = (i64::from(i32::MIN) * i64::from(i32::MAX) + 2) >> 2;
        assert_eq!(scaled(i32::MIN, i32::MAX, 2, Round::Single), wide as i32);
    }

    #[test]
    fn illegal_scales_are_refused() {
        assert_eq!(Scale::new(-1, 30, Round::Single), Err(ScaleError::Multiplier(-1)));
        for shift in [-1, 0, 1, 63, 64] {
            assert_eq!(Scale::new(1, shift, Round::Single), Err(ScaleError::Shift(shift)));
        }
        assert_eq!(Scale::new(1, 63, Round::Single).unwrap_err().to_string(), "shift 63 is outside 2..=62");
    }

    #[test]
    fn reciprocals() {
        assert_eq!(reciprocal_scale(0), None);
        assert_eq!(reciprocal_scale(1), Scale::new(0x4000_0001, 30, Round::Single).ok());
        assert_eq!(reciprocal_scale(2), Scale::new(0x4000_0001, 31, Round::Single).ok());
        assert_eq!(reciprocal_scale(3), Scale::new(0x5555_5556, 32, Round::Single).ok());
        assert_eq!(reciprocal_scale(u32::MAX), Scale::new(0x4000_0001, 62, Round::Single).ok());
        assert_eq!(reciprocal_scale((1 << 31) + 1), None);
        // Rounded division of every possible 8-bit sum over 9 taps.
        let ninth = reciprocal_scale(9).unwrap();
        for sum in -1152..=1143 {
            let want = (f64::from(sum) / 9.0 + 0.5).floor() as i32;
            assert_eq!(ninth.apply(sum), want, "{sum} / 9");
        }
    }

    #[test]
    fn multiply_shift_rounds_half_up() {
        assert_eq!(mul_shift(3, 5, 0), 15);
        assert_eq!(mul_shift(3, 5, 1), 8);
        assert_eq!(mul_shift(-3, 5, 1), -7);
        assert_eq!(mul_shift(1 << 20, 1 << 20, 0), 0);
        assert_eq!(mul_shift(i32::MIN, i32::MIN, 62), 1);
        assert_eq!(mul_shift(i32::MIN, i32::MIN, 63), 1);
        assert_eq!(mul_shift(i32::MAX, i32::MAX, 63), 0);
    }

    #[test]
    fn storing_keeps_the_low_bits() {
        assert_eq!(wrap(200, Dtype::I8), -56);
        assert_eq!(wrap(-1, Dtype::U8), 255);
        assert_eq!(wrap(0x1_8000, Dtype::I16), -32768);
        assert_eq!(wrap(-1, Dtype::U16), 65535);
        assert_eq!(wrap(i32::MIN, Dtype::I32), i32::MIN);
    }

    #[test]
    fn interpolation_at_the_ends_and_between() {
        let table: Vec<i16> = (0..513).map(|i| (i * 3) as i16).collect();
        assert_eq!(interpolate(&table, -32768), Some(0));
        assert_eq!(interpolate(&table, -32767), Some(3));
        assert_eq!(interpolate(&table, 0), Some(256 * 3 * 128));
        assert_eq!(interpolate(&table, 32767), Some(511 * 3 * 128 + 3 * 127));
        assert_eq!(interpolate(&table[..512], 32767), None);
        let steep = [[i16::MIN, i16::MAX]; 257].concat();
        assert_eq!(interpolate(&steep, -32768 + 127), Some((-32768 << 7) + 65535 * 127));
    }
}
