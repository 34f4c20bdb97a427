//! The bits of an entry of the filter register file, and of a step's operands in it.
//!
//! A packed entry is one vector: the masks of its blocks, then the codes of each block, high ones first. Where masks are decoded
//! on fetching, the positions stand in place of the masks. A plain entry of a StruM PE has the same fields: a dynamic
//! PE holds the weights of its low lanes behind the first step's high codes, or behind everything where a vector has several
//! blocks; a static PE takes only as many weights as a vector has high members.
//!
//! Where low lanes are in place and masks are decoded on fetching, an entry has the positions of high members, and behind the
//! high codes of a block a code for each position, as the lane there takes it.

use dpu_isa::PeKind;
use strum_formats::{Format, Method};

use crate::drive::Bits;
use crate::spec::{Decode, Spec};
use crate::units::{Ranks, index_bits};

/// What a low lane in place takes: a code that also says whether the lane is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacedCode {
    /// `mip2q`: the exponent, then whether the shifted activation is added, then whether it is subtracted.
    Signs {
        /// Bits of the exponent.
        exponent: u32,
        /// Whether the greatest exponent stands for 0.
        zero: bool,
    },
    /// `dliq`: the code, or 0.
    Number {
        /// Its bits.
        bits: u32,
    },
}

impl PlacedCode {
    pub(crate) fn of(format: &Format) -> PlacedCode {
        match format.method {
            Method::Mip2q { zero, .. } => {
                PlacedCode::Signs { exponent: format.low_bits().saturating_sub(1), zero }
            }
            Method::Dliq { .. } | Method::Sparse | Method::Dense => {
                PlacedCode::Number { bits: format.low_bits() }
            }
        }
    }

    pub(crate) fn bits(self) -> u32 {
        match self {
            PlacedCode::Signs { exponent, .. } => exponent + 2,
            PlacedCode::Number { bits } => bits,
        }
    }

    /// The code of a low member in this form; without one, of a lane that is off.
    pub(crate) fn placed(self, code: Option<u64>) -> u64 {
        match (self, code) {
            (PlacedCode::Number { .. }, code) => code.unwrap_or(0),
            (PlacedCode::Signs { .. }, None) => 0,
            (PlacedCode::Signs { exponent, zero }, Some(code)) => {
                let value = code & ((1 << exponent) - 1);
                if zero && value == (1 << exponent) - 1 {
                    return value;
                }
                let negative = (code >> exponent) & 1;
                value | (1 << (exponent + u32::from(negative == 1)))
            }
        }
    }
}

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
    /// Codes of a block behind the high ones: of its low members, or in place and fetched one for each position.
    pub codes: u32,
    /// What a fetched code is made of, where low lanes are in place.
    pub(crate) placed: Option<PlacedCode>,
}

impl Layout {
    /// The layout of a StruM PE's entries.
    #[must_use]
    pub fn of(spec: &Spec) -> Layout {
        let members = u32::from(spec.format.w);
        let low = u32::from(spec.format.low);
        let high = members.saturating_sub(low);
        let ranks = Ranks { high, low };
        let placed = spec.in_place().then(|| PlacedCode::of(&spec.format));
        let low_positions = placed.is_none() && (spec.low_products() || spec.kind == PeKind::StrumDynamic);
        let fetched = spec.decode == Decode::Fetch;
        let (codes, code_bits) = match placed {
            Some(placed) if fetched => (members, placed.bits()),
            _ => (low, spec.code_bits()),
        };
        let low_index_bits = if low_positions { low * index_bits(ranks.low_positions()) } else { 0 };
        let position_bits = high * index_bits(ranks.high_positions()) + low_index_bits;
        let mut layout = Layout {
            blocks: spec.blocks(),
            members,
            high,
            code_bits,
            fetched,
            position_bits,
            low_positions,
            plain_low: 0,
            bits: 0,
            codes,
            placed,
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
        8 * self.high + self.code_bits * self.codes
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

    /// Where the low code of rank `rank` in a block is; in place and fetched, that of position `rank`.
    #[must_use]
    pub fn low_code(&self, block: u32, rank: u32) -> u32 {
        self.high_code(block, self.high) + self.code_bits * rank
    }
}

impl Layout {
    /// An entry with masks as one with positions.
    pub(crate) fn fetch(&self, word: &Bits) -> Bits {
        if let Some(placed) = self.placed {
            return self.fetch_placed(placed, word);
        }
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

    fn fetch_placed(&self, placed: PlacedCode, word: &Bits) -> Bits {
        let (positions, mut bits) = (index_bits(self.low() + 1), Bits::default());
        let stored =
            Layout { fetched: false, codes: self.low(), code_bits: self.low_code_bits(placed), ..*self };
        let mask = |block: u32| word.get(stored.selector(block) as usize, self.members);
        for block in 0..self.blocks {
            let members = (0..self.members).filter(|i| mask(block) >> i & 1 == 1);
            let mut ranks = members.zip(0..self.high).map(|(member, rank)| member.saturating_sub(rank));
            (0..self.high).for_each(|_| bits.push(positions, ranks.next().unwrap_or(0).into()));
        }
        for block in 0..self.blocks {
            for rank in 0..self.high {
                bits.push(8, word.get(stored.high_code(block, rank) as usize, 8));
            }
            let mut rank = 0;
            for member in 0..self.members {
                let low = mask(block) >> member & 1 == 0;
                let at = stored.low_code(block, rank) as usize;
                bits.push(placed.bits(), placed.placed(low.then(|| word.get(at, stored.code_bits))));
                rank += u32::from(low);
            }
        }
        bits
    }

    /// Bits of a low code as the compiler packs it.
    fn low_code_bits(&self, placed: PlacedCode) -> u32 {
        match placed {
            PlacedCode::Signs { exponent, .. } => exponent + 1,
            PlacedCode::Number { bits } => bits,
        }
    }
}
