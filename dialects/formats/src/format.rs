//! Formats and shapes, and the sizes that follow from them. All sizes are in bytes and checked for overflow.

use crate::ALIGN;
use crate::error::{FormatError, PackError};
use crate::methods::{DliqShift, Method};
use std::fmt;

/// How a weight tensor is stored. Only a format that [`Format::validate`] accepts can hold weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// Block length in input channels: 4, 8, 16 or 32.
    pub w: u8,
    /// Low members of each block, 0..=w.
    pub low: u8,
    /// What a low code means.
    pub method: Method,
}

impl Format {
    /// Plain INT8. `w` and `low` mean nothing here; these values are the canonical ones.
    pub const DENSE: Format = Format { w: 16, low: 0, method: Method::Dense };

    /// Checks that the parameters are consistent.
    pub fn validate(&self) -> Result<(), FormatError> {
        if self.is_packed() {
            if !matches!(self.w, 4 | 8 | 16 | 32) {
                return Err(FormatError::Block(self.w));
            }
            if self.low > self.w {
                return Err(FormatError::Low { w: self.w, low: self.low });
            }
        }
        self.method.with(|m| m.validate())
    }

    /// Whether weights are in blocks, that is, any format but plain INT8.
    pub fn is_packed(&self) -> bool {
        self.method.kind().is_packed()
    }

    /// Bits of one low code (8 for plain INT8).
    pub fn low_bits(&self) -> u32 {
        self.method.with(|m| m.code_bits())
    }

    /// Bits of the mask of one block: `w`, or 0 where all members are high, or all are low and have codes.
    ///
    /// A block of low members without codes keeps its mask: no block is empty.
    pub fn mask_bits(&self) -> u32 {
        let uniform = self.low == 0 || self.low == self.w && self.low_bits() > 0;
        if !self.is_packed() || uniform { 0 } else { u32::from(self.w) }
    }

    /// The mask of every block where none is stored; bit = 1 high.
    pub(crate) fn uniform_mask(&self) -> u32 {
        if self.low == 0 { u32::MAX >> 32u32.saturating_sub(self.w.into()).min(31) } else { 0 }
    }

    /// Bits of one block: mask, high codes, low codes.
    pub fn block_bits(&self) -> usize {
        let (w, low) = (usize::from(self.w), usize::from(self.low));
        self.mask_bits() as usize + 8 * w.saturating_sub(low) + low * self.low_bits() as usize
    }

    /// Packed size over INT8 size, not counting padding: r = (1 + 8(1-p) + p·q) / 8 with p = low/w, without the 1 where no mask
    /// is stored. 1 for plain INT8.
    pub fn ratio(&self) -> f64 {
        if self.is_packed() { self.block_bits() as f64 / (8.0 * f64::from(self.w)) } else { 1.0 }
    }

    /// Bytes of the shift header in front of the sets; 0 unless the shift differs by output channel.
    pub fn header_bytes(&self, shape: Shape) -> Result<usize, PackError> {
        match self.method.with(|m| m.shift()) {
            DliqShift::PerChannel => {
                shape.oc.checked_next_multiple_of(ALIGN).ok_or_else(|| PackError::TooLarge(shape.to_string()))
            }
            DliqShift::Layer(_) => Ok(0),
        }
    }

    /// Blocks per `(oc, ky, kx)`.
    pub(crate) fn blocks_per_tap(&self, ic: usize) -> usize {
        ic.div_ceil(usize::from(self.w.max(1)))
    }
}

/// Shape of a weight tensor, outermost dimension first: `[oc][ky][kx][ic]`, contiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Output channels; 1 for depthwise weights.
    pub oc: usize,
    /// Kernel height in taps.
    pub kh: usize,
    /// Kernel width in taps.
    pub kw: usize,
    /// Input channels, along which blocks run; channels times multiplier for depthwise weights.
    pub ic: usize,
}

impl Shape {
    /// Number of weights; refused when a dimension is empty or the number overflows.
    pub fn weights(&self) -> Result<usize, PackError> {
        let set = self.set_len()?;
        set.checked_mul(self.oc).ok_or_else(|| PackError::TooLarge(self.to_string()))
    }

    /// Weights per output channel.
    pub fn set_len(&self) -> Result<usize, PackError> {
        if [self.oc, self.kh, self.kw, self.ic].contains(&0) {
            return Err(PackError::EmptyShape(self.to_string()));
        }
        let taps = self.kh.checked_mul(self.kw).and_then(|taps| taps.checked_mul(self.ic));
        taps.ok_or_else(|| PackError::TooLarge(self.to_string()))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}x{}", self.oc, self.kh, self.kw, self.ic)
    }
}

/// Bytes of the weight set of one output channel, padded to [`ALIGN`].
///
/// # Errors
/// The format is not legal, the shape is empty, or the size overflows.
pub fn set_bytes(format: Format, shape: Shape) -> Result<usize, PackError> {
    format.validate()?;
    let too_large = || PackError::TooLarge(shape.to_string());
    let weights = shape.set_len()?;
    let bytes = if format.is_packed() {
        let blocks =
            shape.kh.checked_mul(shape.kw).and_then(|n| n.checked_mul(format.blocks_per_tap(shape.ic)));
        blocks.and_then(|n| n.checked_mul(format.block_bits())).ok_or_else(too_large)?.div_ceil(8)
    } else {
        weights
    };
    bytes.checked_next_multiple_of(ALIGN).ok_or_else(too_large)
}

/// Bytes of a whole packed tensor: the shift header, if the format has one, and all sets.
///
/// # Errors
/// The format is not legal, the shape is empty, or the size overflows.
pub fn packed_bytes(format: Format, shape: Shape) -> Result<usize, PackError> {
    let sets = set_bytes(format, shape)?.checked_mul(shape.oc);
    let header = format.header_bytes(shape)?;
    // A quarter of the address space leaves room to count bits.
    sets.and_then(|n| n.checked_add(header))
        .filter(|&n| n <= usize::MAX / 16)
        .ok_or_else(|| PackError::TooLarge(shape.to_string()))
}

/// The mask of the padding of a block with `real` real members: bit = 1 where a padding position is high.
#[must_use]
pub fn padding_mask(w: u8, low: u8, real: usize) -> u32 {
    let first_high = real.saturating_add(usize::from(low));
    (first_high..usize::from(w)).fold(0, |mask, i| mask | 1 << i)
}

/// Refuses a shift beyond what the code width leaves.
pub(crate) fn check_shifts(format: Format, shifts: &[u8]) -> Result<(), PackError> {
    let max = format.method.max_shift();
    match shifts.iter().enumerate().find(|&(_, &shift)| shift > max) {
        Some((oc, &got)) => Err(PackError::Shift { oc, max, got }),
        None => Ok(()),
    }
}
