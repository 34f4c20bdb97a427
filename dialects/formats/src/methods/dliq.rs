//! Dual-level integers: a low code is a `q`-bit two's complement integer `v` and means `v << shift`, saturating.

use super::{DliqShift, Kind, Method, Parameters, QuantMethod, in_bounds, in_range};
use crate::fields::{Field, FieldKind, WORD, small};
use crate::table::{Q, SHIFT};
use crate::{FormatError, Spec};

/// Code width and shift.
pub(super) struct Dliq {
    pub(super) q: u8,
    pub(super) shift: DliqShift,
}

impl QuantMethod for Dliq {
    fn validate(&self) -> Result<(), FormatError> {
        in_range(&Q, self.q)?;
        match self.shift {
            DliqShift::Layer(shift) => in_bounds("shift", shift, 0, self.max_shift()),
            DliqShift::PerChannel => Ok(()),
        }
    }

    fn code_bits(&self) -> u32 {
        u32::from(self.q)
    }

    fn shift(&self) -> DliqShift {
        self.shift
    }

    /// A larger shift would exceed int8.
    fn max_shift(&self) -> u8 {
        8u8.saturating_sub(self.q)
    }

    fn encode(&self, c: i8, shift: u8) -> u8 {
        // Adding half of the step less one to the magnitude rounds to nearest with ties towards zero.
        let below_half = ((1u32 << shift) >> 1).saturating_sub(1);
        let magnitude = ((u32::from(c.unsigned_abs()) + below_half) >> shift).cast_signed();
        let v = if c < 0 { -magnitude } else { magnitude };
        let half = 1i32 << (self.q - 1);
        (v.clamp(-half, half - 1) & (2 * half - 1)) as u8
    }

    fn decode(&self, code: u8, shift: u8) -> Option<i8> {
        if u32::from(code) >> self.q != 0 {
            return None;
        }
        let unused = 8 - self.q;
        let v = (code << unused).cast_signed() >> unused;
        i8::try_from(i32::from(v) << shift).ok()
    }

    fn values(&self) -> Vec<i64> {
        let shift = match self.shift {
            DliqShift::Layer(shift) => shift.into(),
            DliqShift::PerChannel => WORD,
        };
        vec![self.q.into(), shift]
    }

    fn instr_fields(&self) -> (u8, bool) {
        (self.q, false)
    }

    fn with_shift(&self, shift: DliqShift) -> Option<Method> {
        Some(Method::Dliq { q: self.q, shift })
    }
}

impl Parameters for Dliq {
    const FIELDS: &'static [Field] = &[
        Field { name: Q.name, kind: FieldKind::Number },
        Field { name: SHIFT.name, kind: FieldKind::NumberOr("per_channel") },
    ];

    fn from_spec(spec: &Spec, shift: DliqShift) -> Self {
        Self { q: spec.whole(&Q), shift }
    }

    fn from_values(values: &[i64]) -> Result<Self, FormatError> {
        let &[q, shift] = values else { return Err(FormatError::fields(Kind::Dliq, values)) };
        let shift = match shift {
            WORD => DliqShift::PerChannel,
            shift => DliqShift::Layer(small(SHIFT.name, shift)?),
        };
        Ok(Self { q: small(Q.name, q)?, shift })
    }

    fn from_instr_fields(param: u8, _zero: bool, shift: u8) -> Self {
        Self { q: param, shift: DliqShift::Layer(shift) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low(q: u8, shift: u8, c: i8) -> i8 {
        let m = Dliq { q, shift: DliqShift::Layer(shift) };
        m.decode(m.encode(c, shift), shift).unwrap()
    }

    #[test]
    fn ties_go_towards_zero() {
        assert_eq!(low(4, 2, 6), 4);
        assert_eq!(low(4, 2, -6), -4);
        assert_eq!(low(4, 2, 7), 8);
        assert_eq!(low(4, 1, 1), 0);
        assert_eq!(low(4, 1, -1), 0);
    }

    #[test]
    fn both_ends_saturate() {
        assert_eq!(low(4, 0, 127), 7);
        assert_eq!(low(4, 0, -128), -8);
        assert_eq!(low(4, 4, 127), 112);
        assert_eq!(low(4, 4, -128), -128);
        assert_eq!(low(1, 7, -128), -128);
        assert_eq!(low(1, 7, 127), 0);
        assert_eq!(low(8, 0, -128), -128);
    }
}
