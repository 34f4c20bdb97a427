//! The scaling arithmetic of TOSA 1.0, for folding at compile time.
//!
//! Invariant: where TOSA leaves a result unpredictable (a violated `REQUIRE`), these functions return `None` and nothing is
//! folded, so folding never fixes a value that another implementation would compute differently.

use super::elem::Elem;

/// The rounding of `tosa.rescale`.
pub use dpu_isa::Round;

/// One multiplier and right shift, as an element of the operands of `tosa.rescale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Fixed point factor, 0 or more.
    pub multiplier: i32,
    /// Right shift in bits, 2..=62.
    pub shift: u8,
    /// Rounding of the bits that are shifted out.
    pub round: Round,
}

impl Scale {
    /// `apply_scale_32` (`wide`) or `apply_scale_16` of TOSA 1.0.
    #[must_use]
    pub fn apply(self, value: i32, wide: bool) -> Option<i32> {
        if self.multiplier < 0 || !(2..=62).contains(&self.shift) {
            return None;
        }
        let half = 1_i64 << (self.shift - 1);
        let value = i64::from(value);
        if wide && !(-half..half).contains(&value) {
            return None;
        }
        let second = if self.round == Round::Double && self.shift > 31 {
            if value >= 0 { 1_i64 << 30 } else { -(1_i64 << 30) }
        } else {
            0
        };
        let product = value.checked_mul(i64::from(self.multiplier))?;
        let sum = product.checked_add(half)?.checked_add(second)?;
        i32::try_from(sum >> self.shift).ok()
    }
}

/// A `tosa.rescale` of one value: everything but the scale, which may differ per channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescaleEnds {
    /// Element type of the input.
    pub input: Elem,
    /// The input is unsigned.
    pub input_unsigned: bool,
    /// Zero point of the input, already widened according to its signedness.
    pub input_zp: i32,
    /// Element type of the output.
    pub output: Elem,
    /// The output saturates to the unsigned range.
    pub output_unsigned: bool,
    /// Zero point of the output, already widened according to its signedness.
    pub output_zp: i32,
    /// 32-bit multipliers (`scale32`), else 16-bit ones.
    pub wide: bool,
}

impl RescaleEnds {
    /// Whether TOSA allows these types, signs and zero points together.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        let wide = self.input == Elem::I32 || self.output == Elem::I32;
        let zero_point = |elem, unsigned, zp| match (elem, unsigned) {
            (Elem::I8, false) => (-128..=127).contains(&zp),
            (Elem::I8, true) => (0..=255).contains(&zp),
            (Elem::I16, true) => zp == 0 || zp == 0x8000,
            _ => zp == 0,
        };
        !(self.input_unsigned && self.output_unsigned)
            && !(wide && (self.input_unsigned || self.output_unsigned))
            && zero_point(self.input, self.input_unsigned, self.input_zp)
            && zero_point(self.output, self.output_unsigned, self.output_zp)
    }

    /// The smallest and largest value of the output type, as numbers (not as stored bits).
    #[must_use]
    pub fn saturation(&self) -> (i32, i32) {
        if self.output_unsigned { self.output.unsigned_range() } else { self.output.range() }
    }

    /// One element, from stored (sign-extended) input bits to stored (sign-extended) output bits.
    #[must_use]
    pub fn apply(&self, stored: i32, scale: Scale) -> Option<i32> {
        let value = if self.input_unsigned { self.input.zero_extend(stored) } else { stored };
        let scaled = scale.apply(value.checked_sub(self.input_zp)?, self.wide)?;
        let shifted = scaled.checked_add(self.output_zp)?;
        let (lo, hi) = self.saturation();
        Some(self.output.wrap(shifted.clamp(lo, hi)))
    }
}

/// An element-wise function of one value, as one op of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `tosa.rescale` with one scale for the whole tensor.
    Rescale(RescaleEnds, Scale),
    /// `tosa.clamp` with its bounds, `lo <= hi`.
    Clamp(i32, i32),
    /// `tosa.table` on i8, indexed by value + 128.
    Table(Vec<i8>),
    /// `tosa.negate` on the element type with input and output zero point.
    Negate(Elem, i32, i32),
    /// `tosa.abs`.
    Abs,
    /// `tosa.clz`.
    Clz,
    /// `tosa.bitwise_not`, or `tosa.logical_not` of a Boolean.
    Not(Elem),
    /// `tosa.cast` to an integer type, or to a Boolean, which says whether it is not 0.
    Cast(Elem),
    /// `tosa.identity`.
    Identity,
}

impl Unary {
    /// The value of the function at `x` (stored bits, sign-extended).
    #[must_use]
    pub fn apply(&self, x: i32) -> Option<i32> {
        match self {
            Unary::Rescale(ends, scale) => ends.apply(x, *scale),
            Unary::Clamp(lo, hi) => (lo <= hi).then(|| x.clamp(*lo, *hi)),
            Unary::Table(table) => {
                let index = usize::try_from(x.checked_add(128)?).ok()?;
                table.get(index).map(|&v| i32::from(v))
            }
            Unary::Negate(elem, input_zp, output_zp) => {
                let value = input_zp.checked_sub(x)?.checked_add(*output_zp)?;
                let (lo, hi) = elem.range();
                Some(value.clamp(lo, hi))
            }
            Unary::Abs => x.checked_abs(),
            Unary::Clz => i32::try_from(x.leading_zeros()).ok(),
            Unary::Not(elem) => Some(elem.wrap(!x)),
            Unary::Cast(Elem::I1) => Some(i32::from(x != 0)),
            Unary::Cast(elem) => Some(elem.wrap(x)),
            Unary::Identity => Some(x),
        }
    }
}

/// The 256 results of a chain of functions over every i8 value, first function first; `None` if one of them is unpredictable or
/// outside i8.
#[must_use]
pub fn tabulate(chain: &[Unary]) -> Option<Vec<i8>> {
    (-128..=127_i32)
        .map(|x| {
            let y = chain.iter().try_fold(x, |v, stage| stage.apply(v))?;
            i8::try_from(y).ok()
        })
        .collect()
}

/// The bounds of a clamp that equals the table, if any: `Some((-128, 127))` is the identity.
#[must_use]
pub fn table_as_clamp(table: &[i8]) -> Option<(i8, i8)> {
    let (&lo, &hi) = (table.first()?, table.last()?);
    let same = (-128..=127_i8).zip(table).all(|(x, &y)| lo <= hi && x.clamp(lo, hi) == y);
    (same && table.len() == 256).then_some((lo, hi))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(multiplier: i32, shift: u8, round: Round) -> Scale {
        Scale { multiplier, shift, round }
    }

    #[test]
    fn single_and_double_round_differ_above_31() {
        // 1 * 2^30 / 2^32 = 0.25: single rounding gives 0, the double rounding of 0.25 gives 0.5 and then 1.
        assert_eq!(scale(1 << 30, 32, Round::Single).apply(1, true), Some(0));
        assert_eq!(scale(1 << 30, 32, Round::Double).apply(1, true), Some(1));
        assert_eq!(scale(1 << 30, 31, Round::Double).apply(1, true), Some(1));
        assert_eq!(scale(1 << 30, 32, Round::Double).apply(-2, true), Some(-1));
        assert_eq!(scale(1 << 30, 32, Round::Single).apply(-2, true), Some(0));
    }

    #[test]
    fn unpredictable_values_are_none() {
        assert_eq!(scale(1 << 30, 10, Round::Double).apply(512, true), None, "the value needs shift bits");
        assert_eq!(scale(1 << 30, 10, Round::Double).apply(511, true), Some(511 << 20));
        assert_eq!(scale(1 << 14, 10, Round::Single).apply(512, false), Some(512 << 4));
        assert_eq!(scale(-1, 10, Round::Single).apply(1, true), None);
        assert_eq!(scale(1, 1, Round::Single).apply(0, true), None);
        assert_eq!(scale(1, 63, Round::Single).apply(0, true), None);
        assert_eq!(scale(i32::MAX, 2, Round::Single).apply(i32::MAX, false), None);
    }

    #[test]
    fn unsigned_ends() {
        let ends = RescaleEnds {
            input: Elem::I8,
            input_unsigned: true,
            input_zp: 128,
            output: Elem::I8,
            output_unsigned: false,
            output_zp: 0,
            wide: true,
        };
        let one = scale(1 << 30, 30, Round::Single);
        assert_eq!(ends.apply(-1, one), Some(127), "stored 0xff is 255");
        assert_eq!(ends.apply(0, one), Some(-128));
        let back =
            RescaleEnds { input_unsigned: false, input_zp: 0, output_unsigned: true, output_zp: 128, ..ends };
        assert_eq!(back.apply(127, one), Some(-1), "255 is stored as 0xff");
        assert_eq!(back.apply(-128, one), Some(0));
    }

    #[test]
    fn tables() {
        let clamp = tabulate(&[Unary::Clamp(-5, 7), Unary::Identity]).unwrap();
        assert_eq!(table_as_clamp(&clamp), Some((-5, 7)));
        let id = tabulate(&[Unary::Cast(Elem::I32), Unary::Cast(Elem::I8)]).unwrap();
        assert_eq!(table_as_clamp(&id), Some((-128, 127)));
        let negated = tabulate(&[Unary::Negate(Elem::I8, 0, 0)]).unwrap();
        assert_eq!((negated[0], negated[255], table_as_clamp(&negated)), (127, -127, None));
        assert_eq!(table_as_clamp(&negated[..255]), None);
        assert_eq!(tabulate(&[Unary::Cast(Elem::I32), Unary::Clz, Unary::Cast(Elem::I8)]).unwrap()[128], 32);
        assert_eq!(tabulate(&[Unary::Table(vec![0; 3])]), None);
        assert_eq!(tabulate(&[Unary::Clamp(3, 2)]), None);
        assert_eq!(Unary::Abs.apply(i32::MIN), None);
    }
}
