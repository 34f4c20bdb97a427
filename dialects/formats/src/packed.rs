//! Packed tensors: reading and checking. One walk over a set both decodes and checks it, so that nothing is decoded that
//! the check would refuse.

use crate::bits::BitReader;
use crate::format::{check_shifts, padding_mask};
use crate::methods::{DliqShift, decode_table};
use crate::{Format, PackError, Shape, packed_bytes, set_bytes};
use rayon::prelude::*;

/// A weight tensor in a StruM format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Packed {
    /// Shape of the decoded tensor.
    pub shape: Shape,
    /// Its format.
    pub format: Format,
    /// For `dliq` with [`DliqShift::PerChannel`] one shift byte per output channel, padded to 16 bytes; then the set of
    /// each output channel, each padded to 16 bytes.
    pub bytes: Vec<u8>,
}

/// One decoded weight, as visited by a walk over a set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// Position within the output channel: `(ky * kw + kx) * ic + ic`.
    pub(crate) index: usize,
    /// The decoded code.
    pub(crate) value: i8,
    /// Whether it is stored as int8.
    pub(crate) high: bool,
}

impl Packed {
    /// A tensor from its parts, checked.
    ///
    /// # Errors
    /// As [`Packed::check`].
    pub fn new(shape: Shape, format: Format, bytes: Vec<u8>) -> Result<Self, PackError> {
        let packed = Self { shape, format, bytes };
        packed.check()?;
        Ok(packed)
    }

    /// The decoded INT8 codes, `[oc][ky][kx][ic]`.
    ///
    /// # Errors
    /// As [`Packed::check`]: illegal bytes are never decoded.
    pub fn unpack(&self) -> Result<Vec<i8>, PackError> {
        let layout = self.layout()?;
        let mut codes = vec![0; self.shape.weights()?];
        let outputs = codes.par_chunks_mut(self.shape.set_len()?).enumerate();
        let error = outputs.map(|(oc, out)| {
            let set = layout.set(&self.bytes, oc);
            layout.walk(oc, set, |member| {
                if let Some(to) = out.get_mut(member.index) {
                    *to = member.value;
                }
            })
        });
        first_error(error)?;
        Ok(codes)
    }

    /// Whether each weight is stored high.
    ///
    /// # Errors
    /// As [`Packed::check`].
    pub fn high(&self) -> Result<Vec<bool>, PackError> {
        let layout = self.layout()?;
        let mut high = vec![true; self.shape.weights()?];
        let outputs = high.par_chunks_mut(self.shape.set_len()?).enumerate();
        let error = outputs.map(|(oc, out)| {
            let set = layout.set(&self.bytes, oc);
            layout.walk(oc, set, |member| {
                if let Some(to) = out.get_mut(member.index) {
                    *to = member.high;
                }
            })
        });
        first_error(error)?;
        Ok(high)
    }

    /// Checks that the bytes are a legal, canonical encoding.
    ///
    /// # Errors
    /// The first violation, in output channel order: the length, the shift header, and for each block the number of ones
    /// in the mask, the position of the padding, its codes, reserved low codes; bits after the last block.
    pub fn check(&self) -> Result<(), PackError> {
        let layout = self.layout()?;
        let channels = (0..self.shape.oc).into_par_iter();
        first_error(channels.map(|oc| layout.walk(oc, layout.set(&self.bytes, oc), |_| ())))
    }

    /// The code shift of each output channel; 0 for methods without one.
    ///
    /// # Errors
    /// The format is not legal, the length is wrong, or a shift is out of range.
    pub fn shifts(&self) -> Result<Vec<u8>, PackError> {
        Ok(self.layout()?.shifts)
    }

    /// Sizes and tables, after checking the length and the header.
    pub(crate) fn layout(&self) -> Result<Layout, PackError> {
        let expected = packed_bytes(self.format, self.shape)?;
        if expected != self.bytes.len() {
            return Err(PackError::Length { expected, got: self.bytes.len() });
        }
        let header = self.format.header_bytes(self.shape)?;
        let shifts = match self.format.method.shift() {
            DliqShift::Layer(shift) => vec![shift; self.shape.oc],
            DliqShift::PerChannel => {
                let (shifts, rest) =
                    self.bytes.get(..header).unwrap_or_default().split_at(self.shape.oc.min(header));
                check_shifts(self.format, shifts)?;
                if rest.iter().any(|&byte| byte != 0) {
                    return Err(PackError::Slack { oc: self.shape.oc });
                }
                shifts.to_vec()
            }
        };
        Layout::new(self.format, self.shape, header, shifts)
    }
}

/// The first error of a parallel walk, in output channel order.
fn first_error(results: impl IndexedParallelIterator<Item = Result<(), PackError>>) -> Result<(), PackError> {
    results.find_map_first(Result::err).map_or(Ok(()), Err)
}

/// Offsets of the parts of a packed tensor, and the values of its low codes.
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) shape: Shape,
    /// Bytes before the first set.
    pub(crate) header: usize,
    /// Bytes per set.
    pub(crate) set: usize,
    /// Shift of each output channel.
    pub(crate) shifts: Vec<u8>,
    /// Values of the low codes, by shift.
    tables: Vec<[Option<i8>; 256]>,
}

impl Layout {
    pub(crate) fn new(
        format: Format,
        shape: Shape,
        header: usize,
        shifts: Vec<u8>,
    ) -> Result<Self, PackError> {
        let set = set_bytes(format, shape)?;
        let max = format.method.with(|m| m.max_shift());
        let tables = (0..=max).map(|shift| decode_table(&format.method, shift)).collect();
        Ok(Self { format, shape, header, set, shifts, tables })
    }

    /// The bytes of one set; empty when `oc` is out of range.
    pub(crate) fn set<'a>(&self, bytes: &'a [u8], oc: usize) -> &'a [u8] {
        let start = self.header + oc * self.set;
        bytes.get(start..start + self.set).unwrap_or_default()
    }

    /// Visits every weight of a set in no particular order, checking as it goes.
    pub(crate) fn walk(&self, oc: usize, set: &[u8], mut visit: impl FnMut(Member)) -> Result<(), PackError> {
        if !self.format.is_packed() {
            return self.walk_dense(oc, set, visit);
        }
        let table = self.shifts.get(oc).and_then(|&shift| self.tables.get(usize::from(shift)));
        let table = table.ok_or(PackError::Shift { oc, max: 0, got: 0 })?;
        let w = usize::from(self.format.w);
        let blocks_per_tap = self.format.blocks_per_tap(self.shape.ic);
        let block_bits = self.format.block_bits();
        for tap in 0..self.shape.kh * self.shape.kw {
            for in_tap in 0..blocks_per_tap {
                let block = tap * blocks_per_tap + in_tap;
                let at = Block { oc, block, real: (self.shape.ic - in_tap * w).min(w) };
                let base = tap * self.shape.ic + in_tap * w;
                let bits = BitReader::new(set, block * block_bits);
                self.walk_block(at, bits, table, |i, value, high| {
                    visit(Member { index: base + i, value, high })
                })?;
            }
        }
        let used = self.shape.kh * self.shape.kw * blocks_per_tap * block_bits;
        if BitReader::new(set, used).rest_is_zero() { Ok(()) } else { Err(PackError::Slack { oc }) }
    }

    fn walk_dense(&self, oc: usize, set: &[u8], mut visit: impl FnMut(Member)) -> Result<(), PackError> {
        let len = self.shape.set_len()?;
        for (index, byte) in set.iter().take(len).enumerate() {
            visit(Member { index, value: byte.cast_signed(), high: true });
        }
        if set.iter().skip(len).all(|&byte| byte == 0) { Ok(()) } else { Err(PackError::Slack { oc }) }
    }

    /// Visits the real members of one block as `(position, value, high)`.
    #[inline]
    fn walk_block(
        &self,
        at: Block,
        mut bits: BitReader<'_>,
        table: &[Option<i8>; 256],
        mut visit: impl FnMut(usize, i8, bool),
    ) -> Result<(), PackError> {
        let Block { oc, block, real } = at;
        let Format { w, low, .. } = self.format;
        let mask = match self.format.mask_bits() {
            0 => self.format.uniform_mask(),
            stored => bits.take(stored),
        };
        let expected = u32::from(w - low);
        if mask.count_ones() != expected {
            return Err(PackError::HighCount { oc, block, expected, got: mask.count_ones() });
        }
        let padding = u32::MAX.checked_shl(real as u32).unwrap_or(0);
        if mask & padding != padding_mask(w, low, real) {
            return Err(PackError::PaddingMask { oc, block });
        }
        let mut lows = bits.clone();
        lows.skip(8 * expected as usize);
        let low_bits = self.format.low_bits();
        for member in 0..usize::from(w) {
            let high = mask >> member & 1 != 0;
            let code = if high { bits.take(8) } else { lows.take(low_bits) } as u8;
            if member >= real {
                if code != 0 {
                    return Err(PackError::PaddingCode { oc, block, member, code });
                }
            } else if high {
                visit(member, code.cast_signed(), true);
            } else {
                let value = table[usize::from(code)];
                visit(member, value.ok_or(PackError::ReservedCode { oc, block, member, code })?, false);
            }
        }
        Ok(())
    }
}

/// The block being read.
#[derive(Clone, Copy)]
struct Block {
    oc: usize,
    block: usize,
    /// Members that are not padding.
    real: usize,
}
