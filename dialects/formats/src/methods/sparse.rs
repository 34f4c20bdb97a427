//! Structured sparsity: a low member is 0 and is encoded by the mask alone.

use super::QuantMethod;

/// Structured sparsity has no parameters.
pub(super) struct Sparse;

impl QuantMethod for Sparse {
    fn code_bits(&self) -> u32 {
        0
    }

    fn encode(&self, _c: i8, _shift: u8) -> u8 {
        0
    }

    fn decode(&self, code: u8, _shift: u8) -> Option<i8> {
        (code == 0).then_some(0)
    }
}
