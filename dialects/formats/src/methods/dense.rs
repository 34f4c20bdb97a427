//! Plain INT8: no blocks, no mask, no low members.

use super::{DliqShift, QuantMethod};
use crate::{FormatError, Spec};
use std::fmt;

/// Plain INT8 has no parameters.
pub(super) struct Dense;

impl QuantMethod for Dense {
    fn validate(&self) -> Result<(), FormatError> {
        Ok(())
    }

    fn is_packed(&self) -> bool {
        false
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
}

impl fmt::Display for Dense {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
