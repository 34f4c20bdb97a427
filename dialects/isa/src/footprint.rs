//! The bytes that an instruction may touch, as conservative bounding intervals.
//!
//! Nothing outside the intervals is ever read or written; not every byte inside need be.

use crate::operand::{Clause, Operand, Use};
use crate::table::Instr;
use crate::types::Space;

/// An interval of memory that an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Address space; SRAM is that of the instruction's tile.
    pub space: Space,
    /// First byte.
    pub lo: u64,
    /// Number of bytes, at least 1; saturates.
    pub len: u64,
    /// Whether it is written; otherwise it is read.
    pub write: bool,
    /// The address field that it comes from, `inv.lut_addr` for the invariant's table.
    pub field: &'static str,
}

impl Access {
    /// One past the last byte; saturates.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.lo.saturating_add(self.len)
    }

    /// Whether the two intervals overlap.
    #[must_use]
    pub fn overlaps(&self, other: &Access) -> bool {
        self.space == other.space && self.lo < other.end() && other.lo < self.end()
    }

    /// Whether the two accesses to one tile's memory must stay in order.
    #[must_use]
    pub fn conflicts(&self, other: &Access) -> bool {
        (self.write || other.write) && self.overlaps(other)
    }
}

impl From<&Operand> for Access {
    fn from(x: &Operand) -> Access {
        let Operand { field, addr, how, .. } = *x;
        Access { space: addr.space, lo: addr.offset, len: x.span(), write: how == Use::Write, field }
    }
}

impl Instr {
    /// The memory this instruction may touch.
    ///
    /// `inv` is the invariant in the slot of a `conv_var` or `pool_var`; without it, or with one of the wrong
    /// kind, a variant reports no accesses of its own, because it cannot execute.
    #[must_use]
    pub fn footprint(&self, inv: Option<&Instr>) -> Vec<Access> {
        self.operands(inv).iter().map(Access::from).collect()
    }

    /// The operands that its row declares.
    pub(crate) fn operands(&self, inv: Option<&Instr>) -> Vec<Operand> {
        let operand = |clause| match clause {
            Clause::Operand(operand) => Some(operand),
            Clause::Clamp { .. } | Clause::Dtype { .. } => None,
        };
        self.clauses(inv).into_iter().filter_map(operand).collect()
    }
}
