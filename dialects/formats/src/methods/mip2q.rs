//! Mixed integers and powers of two: a low code is a sign (its top bit) and an exponent `e` and means `±2^e`.
//!
//! +128 is not an int8 value, so the code (+, 7) is reserved. With `zero`, the greatest exponent code with a plus sign
//! means 0, and with a minus sign stays reserved, as do all codes above `L`.

use super::{DliqShift, Kind, Parameters, QuantMethod, in_range};
use crate::fields::{Field, FieldKind, small};
use crate::table::{L, ZERO};
use crate::{FormatError, Spec};

/// Largest exponent and the meaning of the spare code.
pub(super) struct Mip2q {
    pub(super) l: u8,
    pub(super) zero: bool,
}

impl Mip2q {
    /// ⌈log2(L + 1)⌉
    fn exponent_bits(&self) -> u32 {
        8 - self.l.leading_zeros()
    }

    /// The greatest exponent code that fits the width.
    fn top(&self) -> u8 {
        ((1u32 << self.exponent_bits()) - 1) as u8
    }
}

impl QuantMethod for Mip2q {
    fn validate(&self) -> Result<(), FormatError> {
        in_range(&L, self.l)?;
        if self.zero && self.l >= self.top() { Err(FormatError::NoSpareCode(self.l)) } else { Ok(()) }
    }

    fn code_bits(&self) -> u32 {
        1 + self.exponent_bits()
    }

    fn encode(&self, c: i8, _shift: u8) -> u8 {
        if c == 0 {
            // Without a code for it, 0 becomes +1.
            return if self.zero { self.top() } else { 0 };
        }
        let magnitude = c.unsigned_abs();
        let below = 7 - magnitude.leading_zeros();
        // The next power is closer exactly when the magnitude exceeds one and a half times this one.
        let nearest = below + u32::from(u32::from(magnitude) * 2 > 3 << below);
        let greatest = if c > 0 { self.l.min(6) } else { self.l };
        let exponent = nearest.min(u32::from(greatest)) as u8;
        exponent | u8::from(c < 0) << self.exponent_bits()
    }

    fn decode(&self, code: u8, _shift: u8) -> Option<i8> {
        let exponent = code & self.top();
        let sign = code >> self.exponent_bits();
        if self.zero && code == self.top() {
            return Some(0);
        }
        match sign {
            0 if exponent <= self.l.min(6) => Some(1 << exponent),
            1 if exponent <= self.l => Some((-1i8) << exponent),
            _ => None,
        }
    }

    fn values(&self) -> Vec<i64> {
        vec![self.l.into(), self.zero.into()]
    }

    fn instr_fields(&self) -> (u8, bool) {
        (self.l, self.zero)
    }
}

impl Parameters for Mip2q {
    const FIELDS: &'static [Field] =
        &[Field { name: L.name, kind: FieldKind::Number }, Field { name: ZERO.name, kind: FieldKind::Flag }];

    fn from_spec(spec: &Spec, _shift: DliqShift) -> Self {
        Self { l: spec.whole(&L), zero: spec.flag(&ZERO) }
    }

    fn from_values(values: &[i64]) -> Result<Self, FormatError> {
        let &[l, zero] = values else { return Err(FormatError::fields(Kind::Mip2q, values)) };
        let zero = match small(ZERO.name, zero)? {
            0 => false,
            1 => true,
            got => return Err(FormatError::Parameter { name: ZERO.name, min: 0, max: 1, got }),
        };
        Ok(Self { l: small(L.name, l)?, zero })
    }

    fn from_instr_fields(param: u8, zero: bool, _shift: u8) -> Self {
        Self { l: param, zero }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low(l: u8, zero: bool, c: i8) -> i8 {
        let m = Mip2q { l, zero };
        m.decode(m.encode(c, 0), 0).unwrap()
    }

    #[test]
    fn nearest_power_with_ties_to_the_smaller() {
        assert_eq!([3, 6, 12, 24, 48, 96].map(|c| low(7, false, c)), [2, 4, 8, 16, 32, 64]);
        assert_eq!([7, 13, 97, -97, -96].map(|c| low(7, false, c)), [8, 16, 64, -128, -64]);
    }

    #[test]
    fn zero_and_the_ends() {
        assert_eq!(low(7, false, 0), 1);
        assert_eq!(low(5, true, 0), 0);
        assert_eq!(low(7, false, 127), 64);
        assert_eq!(low(7, false, -128), -128);
        assert_eq!(low(6, false, -128), -64);
        assert_eq!(low(0, false, 100), 1);
    }

    #[test]
    fn codes() {
        let m = Mip2q { l: 7, zero: false };
        assert_eq!(m.encode(-128, 0), 0xf);
        assert_eq!(m.encode(64, 0), 6);
        assert_eq!(m.decode(7, 0), None);
        let m = Mip2q { l: 5, zero: true };
        assert_eq!(m.encode(0, 0), 7);
        assert_eq!([6, 7, 14, 15].map(|code| m.decode(code, 0)), [None, Some(0), None, None]);
    }

    #[test]
    fn a_flag_is_0_or_1() {
        assert!(Mip2q::from_values(&[5, 1]).is_ok_and(|m| m.zero));
        assert!(Mip2q::from_values(&[5, 7]).is_err());
    }

    #[test]
    fn a_one_in_between_may_be_nearer_to_zero() {
        // 0 is representable, but 1 = 2^0 is exact.
        assert_eq!(low(5, true, 1), 1);
        assert_eq!(low(5, true, -1), -1);
    }
}
