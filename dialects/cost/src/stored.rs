//! Operands that the memories hold in zero-compressed form.
//!
//! A segment of an operand is stored as a bitmap with one bit per byte followed by the non-zero bytes, in whole words; or
//! uncompressed, if that is no larger. A flag says which. The rules are those of "Storage without zeros" in
//! `docs/timing.md`.

use std::collections::BTreeSet;
use std::ops::Range;

use dpu_isa::{ConvInv, ConvVar, DmaCopy, Machine};

use crate::Cost;
use crate::dma::{Transfer, dma};

/// Counts the non-zero values among the channels of a pixel, given its row and column.
pub type Pixels<'a> = &'a dyn Fn(u64, u64, Range<u64>) -> u64;

/// Which operands of a convolution variant are stored zero-compressed, and their compressed sizes.
#[derive(Clone, Copy, Default)]
pub struct Stored<'a> {
    /// Of the input in SRAM.
    pub acts: Option<Pixels<'a>>,
    /// Non-zero weights per output channel; not for depthwise.
    pub weights: Option<&'a dyn Fn(u64) -> u64>,
    /// Of the results, one byte each.
    pub results: Option<Pixels<'a>>,
}

/// Compressed size of a segment of `bytes` bytes of which `kept` are non-zero, if it is smaller: the non-zero bytes in
/// whole words, plus one bit per byte.
fn packed(bytes: u64, kept: u64, m: &Machine) -> Option<u64> {
    let word = u64::from(m.sram_granule.max(1));
    let packed = kept.div_ceil(word).saturating_mul(word).saturating_add(bytes.div_ceil(8));
    (packed < bytes).then_some(packed)
}

/// Bytes of segments of pixels, with a flag each; `raw` is the uncompressed size of a pixel.
pub(crate) fn pixels(
    (rows, columns): (&[u64], &[u64]),
    channels: &Range<u64>,
    raw: u64,
    kept: Pixels<'_>,
    m: &Machine,
) -> u64 {
    let bytes = channels.end.saturating_sub(channels.start);
    let mut sum = (rows.len() as u64).saturating_mul(columns.len() as u64).div_ceil(8);
    for &y in rows {
        for &x in columns {
            let packed = packed(bytes, kept(y, x, channels.clone()), m);
            sum = sum.saturating_add(packed.unwrap_or(raw));
        }
    }
    sum
}

/// Bytes of the weight sets of output channels; the flag is in the weight table.
pub(crate) fn sets(channels: Range<u64>, set: u64, kept: &dyn Fn(u64) -> u64, m: &Machine) -> u64 {
    channels.fold(0, |sum, oc| sum.saturating_add(packed(set, kept(oc), m).unwrap_or(set)))
}

/// Input positions along an axis that some tap of the outputs reads.
pub(crate) fn positions(
    (from, to): (u64, u64),
    (origin, stride): (i32, u16),
    (taps, dilation): (u16, u16),
    size: u32,
) -> Vec<u64> {
    let mut read = BTreeSet::new();
    for output in from..to {
        for tap in 0..u64::from(taps) {
            let offset = output.saturating_mul(stride.into()).saturating_add(tap * u64::from(dilation));
            let at = i64::try_from(offset).unwrap_or(i64::MAX).saturating_add(origin.into());
            read.extend(u64::try_from(at).ok().filter(|&at| at < u64::from(size)));
        }
    }
    read.into_iter().collect()
}

/// The input channels that these output channels need.
pub(crate) fn input_channels(inv: &ConvInv, var: &ConvVar, (from, to): (u64, u64)) -> Range<u64> {
    if !inv.depthwise {
        return 0..var.in_c.into();
    }
    let each = u64::from((var.out_c / var.in_c.max(1)).max(1));
    from / each..to.div_ceil(each)
}

/// Adds up the segments of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    count: u64,
    bytes: u64,
}

impl Pieces {
    /// Adds a segment of `bytes` bytes, of which `kept` are non-zero.
    pub fn add(&mut self, bytes: u64, kept: u64, m: &Machine) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(packed(bytes, kept, m).unwrap_or(bytes));
    }

    /// All bytes, including one flag per segment.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.saturating_add(self.count.div_ceil(8))
    }
}

/// Cost of a copy of zero-compressed segments, each at its uncompressed address.
#[must_use]
pub fn dma_copy_stored(x: &DmaCopy, pieces: &Pieces, m: &Machine) -> Cost {
    let sides = [x.src.space, x.dst.space].into_iter().filter(|&space| space == dpu_isa::Space::Dram);
    let transfer = Transfer {
        from: Some(x.src.space),
        to: x.dst.space,
        bytes: pieces.bytes(),
        rows: pieces.count,
        dram_runs: pieces.count.saturating_mul(sides.count() as u64),
    };
    dma(&transfer, m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_packed_where_that_saves_something() {
        let m = Machine::flexnn_16x16();
        // Two words and six bytes of bitmap; nothing kept; one word less than the whole is no gain over 48
        // bytes.
        assert_eq!([17, 0, 33].map(|kept| packed(48, kept, &m)), [Some(38), Some(6), None]);
        let mut pieces = Pieces::default();
        for kept in [17, 0, 33] {
            pieces.add(48, kept, &m);
        }
        assert_eq!(pieces.bytes(), 38 + 6 + 48 + 1);
    }

    #[test]
    fn taps_of_neighbours_read_a_position_once() {
        assert_eq!(positions((0, 3), (-1, 1), (3, 1), 4), [0, 1, 2, 3]);
        assert_eq!(positions((1, 3), (0, 3), (2, 4), 8), [3, 6, 7]);
        let inv = ConvInv { depthwise: true, ..ConvInv::default() };
        let var = ConvVar { in_c: 8, out_c: 16, ..ConvVar::default() };
        assert_eq!(input_channels(&inv, &var, (3, 6)), 1..3);
    }
}
