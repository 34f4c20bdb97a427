//! The bits of an entry of the filter register file, and of a step's operands in it.
//!
//! A packed entry is one vector: the masks of its blocks, then the codes of each block, high ones first. Where masks are decoded
//! on fetching, the positions stand in place of the masks. A plain entry of a StruM PE has the same fields: a dynamic
//! PE holds the weights of its low lanes behind the first step's high codes, or behind everything where a vector has several
//! blocks; a static PE takes only as many weights as a vector has high members.

use dpu_isa::PeKind;

use crate::drive::Bits;
use crate::spec::{Decode, Spec};
use crate::units::{Ranks, index_bits};

/// Where the fields of an entry are, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Blocks of a vector.
    pub blocks: u32,
    /// Members of a block.
    pub members: u32,
    /// High members of a block.
    pub high: u32,
    /// Bits of a low code.
    pub code_bits: u32,
    /// Whether positions stand in place of masks.
    pub fetched: bool,
    /// Bits of all positions of a block.
    pub position_bits: u32,
    /// Whether low members have codes or at least lanes.
    pub low_positions: bool,
    /// Where the weights of a dynamic PE's low lanes are in a plain entry.
    pub plain_low: u32,
    /// Bits of an entry.
    pub bits: u32,
}

impl Layout {
    /// The layout of a StruM PE's entries.
    #[must_use]
    pub fn of(spec: &Spec) -> Layout {
        let members = u32::from(spec.format.w);
        let low = u32::from(spec.format.low);
        let high = members.saturating_sub(low);
        let ranks = Ranks { high, low };
        let low_positions = spec.low_products() || spec.kind == PeKind::StrumDynamic;
        let fetched = spec.decode == Decode::Fetch;
        let low_index_bits = if low_positions { low * index_bits(ranks.low_positions()) } else { 0 };
        let position_bits = high * index_bits(ranks.high_positions()) + low_index_bits;
        let mut layout = Layout {
            blocks: spec.blocks(),
            members,
            high,
            code_bits: spec.code_bits(),
            fetched,
            position_bits,
            low_positions,
            plain_low: 0,
            bits: 0,
        };
        let packed = layout.blocks * layout.block_bits();
        let front = layout.blocks * layout.selector_bits();
        layout.plain_low = if layout.blocks == 1 { front + 8 * spec.high_lanes() } else { front + packed };
        let plain =
            if spec.kind == PeKind::StrumDynamic { layout.plain_low + 8 * spec.low_lanes() } else { 0 };
        layout.bits = plain.max(front + packed);
        layout
    }

    /// Low members of a block.
    #[must_use]
    pub fn low(&self) -> u32 {
        self.members - self.high
    }

    /// Bits of a block's codes.
    #[must_use]
    pub fn block_bits(&self) -> u32 {
        8 * self.high + self.code_bits * self.low()
    }

    /// Bits of a block's mask or positions.
    #[must_use]
    pub fn selector_bits(&self) -> u32 {
        if self.fetched { self.position_bits } else { self.members }
    }

    /// Where the mask or the positions of a block are.
    #[must_use]
    pub fn selector(&self, block: u32) -> u32 {
        block * self.selector_bits()
    }

    /// Where the high code of rank `rank` in a block is.
    #[must_use]
    pub fn high_code(&self, block: u32, rank: u32) -> u32 {
        self.blocks * self.selector_bits() + block * self.block_bits() + 8 * rank
    }

    /// Where the low code of rank `rank` in a block is.
    #[must_use]
    pub fn low_code(&self, block: u32, rank: u32) -> u32 {
        self.high_code(block, self.high) + self.code_bits * rank
    }
}

impl Layout {
    /// An entry with masks as one with positions.
    pub(crate) fn fetch(&self, word: &Bits) -> Bits {
        let ranks = Ranks { high: self.high, low: self.low() };
        let mut bits = Bits::default();
        for block in 0..self.blocks {
            let mask = word.get((block * self.members) as usize, self.members);
            let members = |high: bool| (0..self.members).filter(move |i| (mask >> i & 1 == 1) == high);
            let mut positions = |count: u32, width: u32, high: bool| {
                let mut members = members(high);
                for rank in 0..count {
                    bits.push(
                        width,
                        members.next().map_or(0, |member| u64::from(member.saturating_sub(rank))),
                    );
                }
            };
            positions(self.high, index_bits(ranks.high_positions()), true);
            if self.low_positions {
                positions(self.low(), index_bits(ranks.low_positions()), false);
            }
        }
        let masks = self.blocks * self.members;
        let codes = self.bits - self.blocks * self.position_bits;
        (0..codes).for_each(|i| bits.push(1, word.get((masks + i) as usize, 1)));
        bits
    }
}
