//! Packed weights, decoded by the host's bit instructions.
//!
//! Anything that deviates from the format is not decoded here: the plain decoder then reports the error.

use dpu_isa::WeightFormat;

use super::Kernel;

/// Entries of a table of levels.
pub(super) const LEVELS: usize = 64;

/// How to read the blocks of a set.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    /// Members of a block: 8, 16 or 32.
    pub(super) block: usize,
    /// Low members of a block.
    pub(super) low: usize,
    /// The mask of all blocks, 1 for a high member, if none is stored.
    pub(super) mask: Option<u64>,
    /// Bits of a low code, at most 6.
    pub(super) code_bits: usize,
    /// Bytes of a block.
    pub(super) bytes: usize,
    /// Values of the low codes.
    pub(super) levels: [i8; LEVELS],
    /// 0xff for each reserved code.
    pub(super) reserved: [u8; LEVELS],
}

impl Blocks {
    /// For a format with these values of its low codes, `None` where reserved.
    ///
    /// `None` if a block is not a whole number of bytes, or codes are wider than 6 bits.
    pub(crate) fn new(format: &WeightFormat, levels: &[Option<i8>]) -> Option<Blocks> {
        let (block, low) = (usize::from(format.block), usize::from(format.low));
        let code_bits = usize::try_from(format.code_bits()).ok()?;
        let high = block.checked_sub(low)?;
        let whole = (code_bits * low).is_multiple_of(8);
        if !matches!(block, 8 | 16 | 32) || !whole || 1 << code_bits > LEVELS {
            return None;
        }
        let mask_bytes = usize::try_from(format.mask_bits()).ok()? / 8;
        let bytes = mask_bytes + high + code_bits * low / 8;
        let uniform = if low == 0 { (1 << block) - 1 } else { 0 };
        let mask = (mask_bytes == 0).then_some(uniform);
        let mut blocks =
            Blocks { block, low, mask, code_bits, bytes, levels: [0; LEVELS], reserved: [0; LEVELS] };
        for ((to, reserved), level) in blocks.levels.iter_mut().zip(&mut blocks.reserved).zip(levels) {
            match level {
                Some(value) => *to = *value,
                None => *reserved = 0xff,
            }
        }
        Some(blocks)
    }
}

impl Kernel {
    /// Decodes a set of `out.len() / channels` taps, `[tap][channel]`. Returns its low members.
    ///
    /// `None`, with undefined contents of `out`, if the kernel cannot or a bit is illegal.
    pub(crate) fn decode(self, blocks: &Blocks, set: &[u8], channels: usize, out: &mut [i8]) -> Option<u64> {
        let taps = out.len().checked_div(channels)?;
        let bytes = taps.checked_mul(channels.div_ceil(blocks.block))?.checked_mul(blocks.bytes)?;
        let (packed, padding) = set.split_at_checked(bytes)?;
        if out.len() != taps * channels || padding.iter().any(|&b| b != 0) {
            return None;
        }
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            super::Isa::Vnni if super::vnni::can_decode() => {
                // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked some of the
                // instructions, and `can_decode` the others; `packed` has the blocks of all taps.
                unsafe { super::vnni::decode(blocks, packed, channels, out) }
            }
            _ => None,
        }
    }
}
