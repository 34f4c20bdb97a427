//! Weight tables, rescale parameters and the size of weight sets: the data formats that instructions refer to.

use crate::method::Method;
use crate::table::{ConvInv, ConvVar};

/// Bytes of a weight-table or rescale-parameter entry.
pub const ENTRY_BYTES: u64 = 16;
/// Bytes of an 8-bit lookup table.
pub const LUT_BYTES: u64 = 256;
/// Bytes of a 16-bit lookup table: 513 entries.
pub const LUT16_BYTES: u64 = 1026;
/// Weight sets are aligned and padded to this many bytes.
pub const SET_ALIGN: u64 = 16;

/// What is wrong with a table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TableEntryError {
    #[error("weight offset {0:#x} is not a multiple of 16")]
    MisalignedOffset(u32),
    #[error("weight offset {got:#x} is beyond {max:#x}")]
    OffsetTooLarge { got: u32, max: u64 },
    #[error("multiplier {0} is negative")]
    NegativeMultiplier(i32),
    #[error("shift {0} is outside 2..=62")]
    Shift(i64),
    #[error("code shift {got} exceeds {max}")]
    CodeShift { got: u8, max: u8 },
    #[error("reserved bytes are not zero")]
    Reserved,
}

/// An entry of the weight table: the parameters of one output channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightEntry {
    /// Byte offset of the weight set from the variant's `weights`; a multiple of 16.
    pub weight_offset: u32,
    /// Multiplier of `apply_scale`, not negative.
    pub multiplier: i32,
    /// Shift of `apply_scale`, 2 to 62.
    pub shift: u8,
    /// Left shift of `dliq` codes; 0 for the other methods.
    pub code_shift: u8,
    /// Added to the accumulator.
    pub bias: i32,
}

/// A legal entry without effect: no offset, bias 0, and 0 * 2^-2 as the (unused) scale.
impl Default for WeightEntry {
    fn default() -> Self {
        WeightEntry { weight_offset: 0, multiplier: 0, shift: 2, code_shift: 0, bias: 0 }
    }
}

impl WeightEntry {
    /// The 16 bytes of the entry.
    #[must_use]
    pub fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[0..4].copy_from_slice(&self.weight_offset.to_le_bytes());
        out[4..8].copy_from_slice(&self.multiplier.to_le_bytes());
        out[8] = self.shift;
        out[9] = self.code_shift;
        out[12..16].copy_from_slice(&self.bias.to_le_bytes());
        out
    }

    /// Reads an entry and checks what does not depend on the layer.
    ///
    /// # Errors
    /// When a value is outside its range.
    pub fn decode(bytes: &[u8; 16]) -> Result<WeightEntry, TableEntryError> {
        let [o0, o1, o2, o3, m0, m1, m2, m3, shift, code_shift, z0, z1, b0, b1, b2, b3] = *bytes;
        let entry = WeightEntry {
            weight_offset: u32::from_le_bytes([o0, o1, o2, o3]),
            multiplier: i32::from_le_bytes([m0, m1, m2, m3]),
            shift,
            code_shift,
            bias: i32::from_le_bytes([b0, b1, b2, b3]),
        };
        if (z0, z1) != (0, 0) {
            return Err(TableEntryError::Reserved);
        }
        entry.check()?;
        Ok(entry)
    }

    /// Checks what does not depend on the layer.
    ///
    /// # Errors
    /// When a value is outside its range.
    pub fn check(&self) -> Result<(), TableEntryError> {
        if !u64::from(self.weight_offset).is_multiple_of(SET_ALIGN) {
            return Err(TableEntryError::MisalignedOffset(self.weight_offset));
        }
        check_scale(self.multiplier, i64::from(self.shift))?;
        if self.code_shift > 7 {
            return Err(TableEntryError::CodeShift { got: self.code_shift, max: 7 });
        }
        Ok(())
    }

    /// Checks what depends on the layer: code shift and weight offset.
    ///
    /// # Errors
    /// When the code shift does not fit the method, or the set lies outside the area of the variant's sets.
    pub fn check_for(&self, inv: &ConvInv, var: &ConvVar) -> Result<(), TableEntryError> {
        self.check()?;
        let max = (inv.method.desc().max_code_shift)(inv.param);
        if self.code_shift > max {
            return Err(TableEntryError::CodeShift { got: self.code_shift, max });
        }
        let set = WeightFormat::of(inv).set_bytes(var.kernel_h, var.kernel_w, var.in_c).unwrap_or(u64::MAX);
        let max = if inv.depthwise { 0 } else { set.saturating_mul(u64::from(var.out_c) - 1) };
        if u64::from(self.weight_offset) > max {
            return Err(TableEntryError::OffsetTooLarge { got: self.weight_offset, max });
        }
        Ok(())
    }
}

/// A per-channel parameter of `vec_rescale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescaleEntry {
    /// Multiplier of `apply_scale`, not negative.
    pub multiplier: i32,
    /// Shift of `apply_scale`, 2 to 62.
    pub shift: i32,
}

impl RescaleEntry {
    /// The 16 bytes of the entry.
    #[must_use]
    pub fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[0..4].copy_from_slice(&self.multiplier.to_le_bytes());
        out[4..8].copy_from_slice(&self.shift.to_le_bytes());
        out
    }

    /// Reads and checks an entry.
    ///
    /// # Errors
    /// When a value is outside its range.
    pub fn decode(bytes: &[u8; 16]) -> Result<RescaleEntry, TableEntryError> {
        let [m0, m1, m2, m3, s0, s1, s2, s3, zeros @ ..] = *bytes;
        if zeros != [0; 8] {
            return Err(TableEntryError::Reserved);
        }
        let multiplier = i32::from_le_bytes([m0, m1, m2, m3]);
        let shift = i32::from_le_bytes([s0, s1, s2, s3]);
        check_scale(multiplier, i64::from(shift))?;
        Ok(RescaleEntry { multiplier, shift })
    }
}

fn check_scale(multiplier: i32, shift: i64) -> Result<(), TableEntryError> {
    if multiplier < 0 {
        return Err(TableEntryError::NegativeMultiplier(multiplier));
    }
    if !(2..=62).contains(&shift) {
        return Err(TableEntryError::Shift(shift));
    }
    Ok(())
}

/// The format of a layer's weights, and the sizes that follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightFormat {
    /// The method.
    pub method: Method,
    /// Weights per block; unused by `dense`.
    pub block: u8,
    /// Low members per block, at most `block`.
    pub low: u8,
    /// `dliq`: bits of a code. `mip2q`: greatest exponent.
    pub param: u8,
}

impl WeightFormat {
    /// Plain INT8.
    pub const DENSE: WeightFormat = WeightFormat { method: Method::Dense, block: 16, low: 0, param: 0 };

    /// The format of an invariant.
    #[must_use]
    pub const fn of(inv: &ConvInv) -> WeightFormat {
        WeightFormat { method: inv.method, block: inv.block, low: inv.low, param: inv.param }
    }

    /// Bits of a low code, 0 where there is none.
    #[must_use]
    pub fn code_bits(&self) -> u32 {
        (self.method.desc().code_bits)(self.param)
    }

    /// Bits of a block's mask: `block`, or 0 where all members are high, or all are low and have codes.
    #[must_use]
    pub fn mask_bits(&self) -> u32 {
        let uniform = self.low == 0 || self.low == self.block && self.code_bits() > 0;
        if !self.method.is_packed() || uniform { 0 } else { u32::from(self.block) }
    }

    /// Bits of a block of `block` weights.
    #[must_use]
    pub fn block_bits(&self) -> u64 {
        let (w, low) = (u64::from(self.block), u64::from(self.low));
        if self.method.is_packed() {
            u64::from(self.mask_bits()) + 8 * w.saturating_sub(low) + low * u64::from(self.code_bits())
        } else {
            8 * w
        }
    }

    /// Bytes of a weight set of `kernel_h` x `kernel_w` taps of `channels` weights, padded to 16 bytes.
    ///
    /// `channels` is the number of input channels; for depthwise, of output channels (one set serves all).
    /// `None` if the size does not fit 64 bits.
    #[must_use]
    pub fn set_bytes(&self, kernel_h: u16, kernel_w: u16, channels: u32) -> Option<u64> {
        let taps = u64::from(kernel_h) * u64::from(kernel_w);
        let bytes = if self.method.is_packed() {
            let blocks = u64::from(channels).div_ceil(u64::from(self.block.max(1)));
            taps.checked_mul(blocks)?.checked_mul(self.block_bits())?.div_ceil(8)
        } else {
            taps.checked_mul(u64::from(channels))?
        };
        bytes.checked_next_multiple_of(SET_ALIGN)
    }

    /// Bytes of all weight sets of a variant. `None` if the size does not fit 64 bits.
    #[must_use]
    pub fn all_sets_bytes(inv: &ConvInv, var: &ConvVar) -> Option<u64> {
        let format = WeightFormat::of(inv);
        let (kh, kw) = (var.kernel_h, var.kernel_w);
        if inv.depthwise {
            format.set_bytes(kh, kw, var.out_c)
        } else {
            format.set_bytes(kh, kw, var.in_c)?.checked_mul(u64::from(var.out_c))
        }
    }
}
