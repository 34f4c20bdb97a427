//! Plain INT8: no blocks, no mask, no low members.

use super::{DliqShift, QuantMethod};
use crate::fields::Field;
use crate::{FormatError, Spec};

/// The fields of a format.
pub(super) const FIELDS: &[Field] = &[];

/// Plain INT8 has no parameters.
pub(super) struct Dense;

impl QuantMethod for Dense {
    fn validate(&self) -> Result<(), FormatError> {
        Ok(())
    }

    fn code_bits(&self) -> u32 {
        8
    }

    fn encode(&self, c: i8, _shift: u8) -> u8 {
        c.cast_unsigned()
    }

    fn decode(&self, code: u8, _shift: u8) -> Option<i8> {
        Some(code.cast_signed())
    }

    fn from_spec(_spec: &Spec, _shift: DliqShift) -> Self {
        Self
    }

    fn from_values(_values: &[i64]) -> Result<Self, FormatError> {
        Ok(Self)
    }

    fn from_instr_fields(_param: u8, _zero: bool, _shift: u8) -> Self {
        Self
    }
}
