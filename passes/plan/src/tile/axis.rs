//! One spatial axis of a sliding window, and ranges cut into tiles.
//!
//! Invariant: for any padding, stride and dilation, [`Axis::window`] returns at least one existing input row, so that every tile
//! has an activation tile to read even if its window lies entirely in padding.

use std::ops::Range;

/// One spatial axis (rows or columns) of a convolution or pooling layer.
///
/// Tap `k` of output `o` reads position `o * stride + k * dilation - pad`; positions outside `0..input` are padding.
/// Position `i` is row `first + i * step` of the tensor in DRAM: tiles leave out rows that no output reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Axis {
    /// Existing positions, at least 1.
    pub(crate) input: u64,
    /// Outputs, at least 1.
    pub(crate) output: u64,
    /// Taps, at least 1.
    pub(crate) kernel: u64,
    /// Positions from one output to the next.
    pub(crate) stride: u64,
    /// Positions from one tap to the next.
    pub(crate) dilation: u64,
    /// Positions of padding before the first.
    pub(crate) pad: u64,
    /// Row of the tensor at position 0.
    pub(crate) first: u64,
    /// Rows of the tensor from one position to the next.
    pub(crate) step: u64,
}

/// The positions a tile reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First position, below [`Axis::input`].
    pub(crate) start: u64,
    /// Number of positions, at least 1.
    pub(crate) len: u64,
    /// Position of the first tap of the first output, relative to `start`; negative in padding.
    pub(crate) origin: i64,
}

impl Axis {
    /// An axis as the layer gives it, simplified: strides and dilations without effect become 1, and a one-tap axis with a stride
    /// becomes one without, over every `stride`-th row.
    pub(crate) fn new(input: u64, output: u64, kernel: u64, stride: u64, dilation: u64, pad: u64) -> Self {
        let mut axis = Axis { input, output, kernel, stride, dilation, pad, first: 0, step: 1 };
        if output == 1 {
            axis.stride = 1;
        }
        if kernel == 1 {
            axis.dilation = 1;
            axis.decimate();
        }
        axis
    }

    /// For one tap: keeps only the rows that outputs read.
    fn decimate(&mut self) {
        if self.stride == 1 {
            return;
        }
        let padded = self.pad.div_ceil(self.stride);
        let first = padded * self.stride - self.pad;
        if first < self.input {
            self.first = first;
            self.step = self.stride;
            self.input = (self.input - first).div_ceil(self.stride);
            self.pad = padded;
        } else {
            // No output reads a row: one row represents the tensor, and all outputs lie in the padding before it.
            self.input = 1;
            self.pad = self.output;
        }
        self.stride = 1;
    }

    /// Whether output `o` reads exactly row `o`, so that neighbouring axes may be merged into this one.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == 0 && self.step == 1 && self.input == self.output
    }

    /// Position of the first and the last tap of a tile, padding included.
    fn hull(&self, o: &Range<u64>, k: &Range<u64>) -> (i64, i64) {
        let at = |o: u64, k: u64| to_i64(o * self.stride + k * self.dilation) - to_i64(self.pad);
        (at(o.start, k.start), at(o.end - 1, k.end - 1))
    }

    /// The positions that outputs `o` read through taps `k`; both ranges are not empty.
    pub(crate) fn window(&self, o: &Range<u64>, k: &Range<u64>) -> Window {
        let (lo, hi) = self.hull(o, k);
        let last = to_i64(self.input) - 1;
        let (start, end) = (lo.clamp(0, last), hi.clamp(0, last));
        Window { start: start.unsigned_abs(), len: (end - start).unsigned_abs() + 1, origin: lo - start }
    }

    /// The maximum number of positions that a tile of `o` outputs and `k` taps reads.
    pub(crate) fn window_max(&self, o: u64, k: u64) -> u64 {
        ((o - 1) * self.stride + (k - 1) * self.dilation + 1).min(self.input)
    }

    /// The tiles of `taps` that may read an existing row, for outputs `o`. Empty if the window is all padding.
    pub(crate) fn live(&self, o: &Range<u64>, taps: &Split) -> Range<u64> {
        let alive = |i: u64| {
            let (lo, hi) = self.hull(o, &taps.range(i));
            hi >= 0 && lo < to_i64(self.input)
        };
        let Some(start) = (0..taps.count()).find(|&i| alive(i)) else { return 0..0 };
        let end = (start..taps.count()).find(|&i| !alive(i)).unwrap_or(taps.count());
        start..end
    }

    /// Positions read by all tiles together. Exact for few tiles, an upper bound for many.
    pub(crate) fn traffic(&self, outs: &Split, taps: &Split) -> u64 {
        if outs.count().saturating_mul(taps.count()) <= 32 {
            let per = |o| (0..taps.count()).map(move |k| self.window(&outs.range(o), &taps.range(k)).len);
            (0..outs.count()).flat_map(per).sum()
        } else {
            let max = self.window_max(outs.size, taps.size);
            outs.count().saturating_mul(taps.count()).saturating_mul(max)
        }
    }
}

/// `v` as a signed number; extents are checked to be below 2^31 when a layer is described.
fn to_i64(v: u64) -> i64 {
    i64::try_from(v).unwrap_or(i64::MAX)
}

/// `groups` times `total` elements, each group cut into pieces of `size`, the last of which may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Split {
    /// Groups that no piece spans.
    pub(crate) groups: u64,
    /// Elements of a group, at least 1.
    pub(crate) total: u64,
    /// Elements of a piece, between 1 and `total`.
    pub(crate) size: u64,
}

impl Split {
    /// One group of `total`, cut into pieces of at most `size`.
    pub(crate) fn new(total: u64, size: u64) -> Self {
        Split { groups: 1, total, size: size.clamp(1, total.max(1)) }
    }

    /// Pieces of one group.
    fn per_group(&self) -> u64 {
        self.total.div_ceil(self.size)
    }

    /// Number of pieces.
    pub(crate) fn count(&self) -> u64 {
        self.groups.saturating_mul(self.per_group())
    }

    /// Piece `i` as a range over all groups.
    pub(crate) fn range(&self, i: u64) -> Range<u64> {
        let (group, piece) = (i / self.per_group(), i % self.per_group());
        let start = piece * self.size;
        group * self.total + start..group * self.total + (start + self.size).min(self.total)
    }

    /// The distinct piece sizes with the number of pieces of each: one or two entries.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (u64, u64)> {
        let (full, rest) = (self.total / self.size, self.total % self.size);
        [(self.size, full), (rest, 1)]
            .into_iter()
            .filter(|&(size, n)| size > 0 && n > 0)
            .map(|(size, n)| (size, n * self.groups))
    }
}

/// Candidate sizes for an extent of `total`: `total` cut into more and more equal pieces, each a multiple of `grain` (except the
/// last piece), largest first, four sizes per octave, ending with `grain`.
pub(crate) fn ladder(total: u64, grain: u64) -> Vec<u64> {
    let mut sizes = Vec::new();
    let mut pieces = 1;
    loop {
        let size = (total.div_ceil(pieces)).next_multiple_of(grain).min(total);
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
        if size <= grain {
            return sizes;
        }
        pieces += (pieces / 4).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_in_padding_still_has_a_row() {
        let axis = Axis::new(4, 20, 3, 1, 1, 9);
        assert_eq!(axis.window(&(0..2), &(0..3)), Window { start: 0, len: 1, origin: -9 });
        assert_eq!(axis.window(&(18..20), &(0..3)), Window { start: 3, len: 1, origin: 6 });
        assert_eq!(axis.window(&(8..9), &(0..3)), Window { start: 0, len: 2, origin: -1 });
    }

    #[test]
    fn one_tap_with_a_stride_keeps_only_the_rows_read() {
        for (input, stride, pad) in [(10, 2, 0), (10, 3, 1), (10, 4, 9), (3, 7, 5), (1, 5, 2), (9, 9, 3)] {
            let output = (input + 2 * pad - 1) / stride + 1;
            let axis = Axis::new(input, output, 1, stride, 3, pad);
            for o in 0..output {
                let row = (o * stride).checked_sub(pad).filter(|&r| r < input);
                let at = (o * axis.stride).checked_sub(axis.pad).filter(|&p| p < axis.input);
                assert_eq!(at.map(|p| axis.first + p * axis.step), row, "{input} {stride} {pad} output {o}");
            }
        }
    }

    #[test]
    fn ladders_descend_to_the_grain() {
        assert_eq!(ladder(7, 1), [7, 4, 3, 2, 1]);
        assert_eq!(ladder(40, 16), [40, 32, 16]);
        assert_eq!(ladder(5, 16), [5]);
        assert!(ladder(1_000_000, 1).len() < 100);
    }

    #[test]
    fn splits_cover_groups_without_crossing_them() {
        let split = Split { groups: 3, total: 5, size: 2 };
        let pieces: Vec<_> = (0..split.count()).map(|i| split.range(i)).collect();
        assert_eq!(pieces, [0..2, 2..4, 4..5, 5..7, 7..9, 9..10, 10..12, 12..14, 14..15]);
        assert_eq!(split.classes().collect::<Vec<_>>(), [(2, 6), (1, 3)]);
    }

    #[test]
    fn dead_taps_are_left_out() {
        let axis = Axis::new(4, 8, 9, 1, 1, 6);
        let taps = Split::new(9, 2);
        assert_eq!(axis.live(&(0..1), &taps), 3..5);
        assert_eq!(axis.live(&(7..8), &taps), 0..2);
        let far = Axis::new(2, 50, 2, 1, 1, 25);
        assert!(far.live(&(0..3), &Split::new(2, 1)).is_empty());
    }
}
