//! Structured sparsity: a low member is 0, and nothing but the mask says so.

use super::{DliqShift, QuantMethod};
use crate::fields::Field;
use crate::{FormatError, Spec};

/// The fields of a format.
pub(super) const FIELDS: &[Field] = &[];

/// Structured sparsity has no parameters.
pub(super) struct Sparse;

impl QuantMethod for Sparse {
    fn validate(&self) -> Result<(), FormatError> {
        Ok(())
    }

    fn code_bits(&self) -> u32 {
        0
    }

    fn encode(&self, _c: i8, _shift: u8) -> u8 {
        0
    }

    fn decode(&self, code: u8, _shift: u8) -> Option<i8> {
        (code == 0).then_some(0)
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
