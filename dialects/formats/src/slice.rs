//! Extracts the weight sets of a tile from a packed tensor, without decoding.

use crate::bits::{BitReader, BitWriter};
use crate::packed::Layout;
use crate::{PackError, Packed, Shape, set_bytes};
use std::ops::Range;

/// The weight sets of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Shape of the tile.
    pub shape: Shape,
    /// The set of each output channel of the tile, padded to 16 bytes; there is no shift header.
    pub bytes: Vec<u8>,
    /// Byte offset in `bytes` of the set of each output channel of the tile, a multiple of 16.
    pub offsets: Vec<u32>,
}

impl Packed {
    /// The weight sets of a tile. The blocks are copied bit by bit, so that decoding the slice is slicing the decoded
    /// tensor. In packed formats, `ic` must start on a block boundary and end on one or with the tensor.
    ///
    /// # Errors
    /// A range is empty, out of bounds or not on block boundaries; the tensor's format, length or header is wrong.
    pub fn slice(
        &self,
        oc: Range<usize>,
        ky: Range<usize>,
        kx: Range<usize>,
        ic: Range<usize>,
    ) -> Result<Slice, PackError> {
        let layout = self.layout()?;
        let step = if self.format.is_packed() { usize::from(self.format.w) } else { 1 };
        check_range("oc", &oc, self.shape.oc, 1)?;
        check_range("ky", &ky, self.shape.kh, 1)?;
        check_range("kx", &kx, self.shape.kw, 1)?;
        check_range("ic", &ic, self.shape.ic, step)?;
        let shape = Shape { oc: oc.len(), kh: ky.len(), kw: kx.len(), ic: ic.len() };
        let set = set_bytes(self.format, shape)?;
        let too_large = || PackError::TooLarge(shape.to_string());
        let mut bytes = vec![0; set.checked_mul(shape.oc).ok_or_else(too_large)?];
        let offsets = (0..shape.oc)
            .map(|i| u32::try_from(i * set).map_err(|_| too_large()))
            .collect::<Result<_, _>>()?;
        for (out, oc) in bytes.chunks_mut(set).zip(oc) {
            cut_set(&layout, layout.set(&self.bytes, oc), out, &ky, &kx, &ic);
        }
        Ok(Slice { shape, bytes, offsets })
    }
}

/// Copies the blocks of one output channel.
fn cut_set(
    layout: &Layout,
    set: &[u8],
    out: &mut [u8],
    ky: &Range<usize>,
    kx: &Range<usize>,
    ic: &Range<usize>,
) {
    // A run is the contribution of one tap: adjacent blocks, or adjacent bytes of plain INT8.
    let (unit, unit_bits) = if layout.format.is_packed() {
        (usize::from(layout.format.w), layout.format.block_bits())
    } else {
        (1, 8)
    };
    let (first, last) = (ic.start / unit, ic.end.div_ceil(unit));
    let per_tap = layout.shape.ic.div_ceil(unit);
    let run = (last - first) * unit_bits;
    let mut writer = BitWriter::new(out);
    for y in ky.clone() {
        for x in kx.clone() {
            let at = ((y * layout.shape.kw + x) * per_tap + first) * unit_bits;
            let mut reader = BitReader::new(set, at);
            for _ in 0..run / 32 {
                writer.push(reader.take(32), 32);
            }
            let rest = (run % 32) as u32;
            writer.push(reader.take(rest), rest);
        }
    }
    writer.finish();
}

fn check_range(axis: &'static str, range: &Range<usize>, len: usize, step: usize) -> Result<(), PackError> {
    let Range { start, end } = *range;
    let on_boundaries = start.is_multiple_of(step) && (end.is_multiple_of(step) || end == len);
    if start < end && end <= len && on_boundaries {
        Ok(())
    } else {
        Err(PackError::Range { axis, start, end, len, step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, pack};

    #[test]
    fn ranges_outside_the_tensor_are_refused() {
        let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 4 };
        let packed = pack(&[0; 8], &[], shape, Format::DENSE, &[]).unwrap();
        assert!(packed.slice(0..2, 0..1, 0..1, 1..3).is_ok());
        let text = |oc, ic| packed.slice(oc, 0..1, 0..1, ic).unwrap_err().to_string();
        assert_eq!(text(1..1, 0..4), "oc range 1..1 is not a slice of 0..2 in steps of 1");
        assert_eq!(text(0..2, 1..5), "ic range 1..5 is not a slice of 0..4 in steps of 1");
    }
}
