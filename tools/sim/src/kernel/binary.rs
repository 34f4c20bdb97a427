//! Element-wise operators on bytes.

use dpu_isa::BinaryOp;

use super::{Finish, Kernel};
use crate::numerics::Scale;

/// `clamp(scale(op(scale(a − zp), scale(b − zp))) + zp)`, on signed bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    /// For the operands.
    pub(crate) zero_points: [i32; 2],
    /// For the operands and the result.
    pub(crate) scales: [Option<Scale>; 3],
    pub(crate) finish: Finish,
}

impl Kernel {
    /// Computes `len` bytes at `at[2]` from those at `at[0]` and `at[1]`.
    ///
    /// `None` without computing anything if the kernel has no such loop, bytes lie beyond the memory, or the result
    /// overlaps an operand other than in place.
    #[must_use]
    pub(crate) fn binary(self, memory: &mut [u8], at: [usize; 3], len: usize, x: &Binary) -> Option<()> {
        let [a, b, out] = at;
        let ends = at.map(|at| at.checked_add(len).filter(|&end| end <= memory.len()));
        let [Some(a_end), Some(b_end), Some(out_end)] = ends else { return None };
        let apart = |from: usize, end: usize| from == out || end <= out || out_end <= from;
        let simple = match x.op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Max | BinaryOp::Min => true,
            BinaryOp::Asr
            | BinaryOp::AsrRound
            | BinaryOp::Lsl
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Lsr
            | BinaryOp::Div
            | BinaryOp::Equal
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => false,
        };
        let fits = simple && apart(a, a_end) && apart(b, b_end);
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            super::Isa::Vnni if fits => {
                // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked the instructions; all bytes lie
                // within the memory.
                unsafe { super::vnni::binary(memory, at, len, x) };
                Some(())
            }
            _ => None,
        }
    }
}
