//! Plain INT8: no blocks, no mask, no low members.

use super::QuantMethod;

/// Plain INT8 has no parameters.
pub(super) struct Dense;

impl QuantMethod for Dense {
    fn code_bits(&self) -> u32 {
        8
    }

    fn encode(&self, c: i8, _shift: u8) -> u8 {
        c.cast_unsigned()
    }

    fn decode(&self, code: u8, _shift: u8) -> Option<i8> {
        Some(code.cast_signed())
    }
}
