//! How a dimension of a tile is cut into blocks, and what input their windows cover.

use crate::{product, span};

/// One block along a dimension, or several equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Outputs.
    pub(crate) size: u64,
    /// Input positions that the taps of its windows read.
    pub(crate) window: u64,
    /// Whether they are not contiguous, or are one of several segments.
    pub(crate) holes: bool,
    /// Whether it is the first block.
    pub(crate) first: bool,
}

/// A window that slides over one dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Input position of the first tap of the first output.
    pub(crate) origin: i32,
    /// Input positions from one output to the next.
    pub(crate) stride: u16,
    /// Taps.
    pub(crate) taps: u16,
    /// Input positions from one tap to the next.
    pub(crate) dilation: u16,
    /// Number of input positions.
    pub(crate) input: u32,
}

/// A dimension of a tile, cut into blocks of one size and a possibly smaller last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    extent: u64,
    size: u64,
    window: Option<Window>,
}

impl Cut {
    /// Output channels, which have no sliding window.
    pub(crate) fn channels(extent: u64, size: u64) -> Cut {
        Cut { extent: extent.max(1), size: size.clamp(1, extent.max(1)), window: None }
    }

    /// Rows or columns.
    pub(crate) fn sliding(extent: u64, size: u64, window: Window) -> Cut {
        Cut { window: Some(window), ..Cut::channels(extent, size) }
    }

    /// Number of blocks, at least 1.
    pub(crate) fn count(&self) -> u64 {
        self.extent.div_ceil(self.size)
    }

    /// Blocks in order: the first, those between, and the last, each with its count. Each of those between reads
    /// the mean, rounded up or down so that their total is exact.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Piece, u64)> {
        let (count, size) = (self.count(), self.size);
        let piece = |size, window, holes, first| Piece { size, window, holes, first };
        let (read, holes) = self.windows(0, 1);
        let first = piece(size.min(self.extent), read, holes, true);
        let between = count.saturating_sub(2);
        let (read, holes) = self.windows(1, between);
        let (mean, more) = (read / between.max(1), read % between.max(1));
        let [small, large] = [mean, mean + 1].map(|window| piece(size, window, holes, false));
        let (read, holes) = self.windows(count - 1, 1);
        let last = piece(self.extent - product([count - 1, size]), read, holes, false);
        let pieces = [(first, 1), (large, more), (small, between - more), (last, u64::from(count > 1))];
        pieces.into_iter().filter(|&(_, n)| n > 0)
    }

    /// Every block, with the outputs it covers.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (Piece, (u64, u64))> {
        (0..self.count()).map(|i| {
            let from = product([i, self.size]);
            let size = self.size.min(self.extent - from);
            let (window, holes) = self.windows(i, 1);
            (Piece { size, window, holes, first: i == 0 }, (from, from + size))
        })
    }

    /// Input positions under the windows of all blocks; positions that two blocks share are counted twice.
    pub(crate) fn all_windows(&self) -> u64 {
        let full = self.count() - 1;
        self.windows(0, full).0.saturating_add(self.windows(full, 1).0)
    }

    /// Input positions that `count` blocks of one size from block `from` on read, and whether they have gaps.
    fn windows(&self, from: u64, count: u64) -> (u64, bool) {
        let Some(w) = self.window.filter(|_| count > 0) else { return (0, false) };
        let wide = w.input > 1;
        let (w, spread) = w.dense();
        let size = self.size.min(self.extent.saturating_sub(product([from, self.size])));
        let step = i128::from(self.size) * i128::from(w.stride);
        let origin = i128::from(w.origin) + i128::from(from) * step;
        let reach = i128::from(w.taps.saturating_sub(1)) * i128::from(w.dilation)
            + i128::from(size.saturating_sub(1)) * i128::from(w.stride)
            + 1;
        let input = i128::from(w.input);
        let sum = clamped(origin + reach, step, count, input) - clamped(origin, step, count, input);
        let hull = u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
        // Nothing is read between windows or taps that lie apart.
        let runs = |from: i128, step: i128, count: u64, len: i128| {
            let sum = clamped(from + len, step, count, input) - clamped(from, step, count, input);
            u64::try_from(sum).unwrap_or(u64::MAX)
        };
        let taps = if w.stride > w.taps && w.dilation == 1 {
            runs(origin, w.stride.into(), product([count, size]), w.taps.into())
        } else if w.stride == 1 && u64::from(w.dilation) > size {
            let taps = (0..w.taps).map(|tap| origin + i128::from(tap) * i128::from(w.dilation));
            taps.map(|from| runs(from, step, count, size.into())).fold(0, u64::saturating_add)
        } else {
            product([count, size, u64::from(w.taps)])
        };
        let read = hull.min(taps);
        (read, (spread || hull > taps || read <= count) && wide)
    }
}

impl Window {
    /// The window restricted to positions that differ from its origin by multiples of both its distances, and
    /// whether there are others: it reads no others.
    fn dense(self) -> (Window, bool) {
        let step = if self.taps > 1 { gcd(self.stride, self.dilation) } else { self.stride }.max(1);
        let offset = self.origin.rem_euclid(i32::from(step));
        let skipped = u32::try_from(offset).unwrap_or(0);
        let window = Window {
            origin: self.origin.div_euclid(i32::from(step)),
            stride: self.stride / step,
            taps: self.taps,
            dilation: self.dilation / step,
            input: self.input.saturating_sub(skipped).div_ceil(step.into()),
        };
        (window, step > 1)
    }

    /// Input positions that `windows` windows read.
    pub(crate) fn span(self, windows: u32) -> u64 {
        let (w, _) = self.dense();
        let hull = span(w.origin, windows, w.stride, w.taps, w.dilation, w.input);
        hull.min(product([windows.into(), w.taps.into()]))
    }
}

fn gcd(mut a: u16, mut b: u16) -> u16 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `Σ clamp(first + i·step, 0, max)` for `i` in `0..count`; `step` is positive.
fn clamped(first: i128, step: i128, count: u64, max: i128) -> i128 {
    let count = i128::from(count);
    let step = step.max(1);
    // Terms below 0, then those up to `max`.
    let below = if first > 0 { 0 } else { ((-first).div_euclid(step) + 1).min(count) };
    let inside = ((max - first).div_euclid(step) + 1).clamp(below, count) - below;
    let start = first + below * step;
    let beyond = count - below - inside;
    inside * start + step * (inside * (inside - 1) / 2) + beyond * max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_clipped_positions_are_those_of_a_loop() {
        for (first, step, count, max) in
            [(-5, 3, 10, 12), (0, 1, 5, 100), (4, 2, 0, 3), (-100, 7, 20, 9), (50, 1, 3, 10), (-6, 3, 3, 0)]
        {
            let slow: i128 = (0..count).map(|i| (first + i128::from(i) * step).clamp(0, max)).sum();
            assert_eq!(clamped(first, step, count, max), slow, "{first} {step} {count} {max}");
        }
    }

    #[test]
    fn windows_of_blocks_are_those_of_a_loop() {
        for (extent, size, origin, stride, taps, dilation, input) in [
            (56, 16, -1, 1, 3, 1, 56),
            (10, 3, -2, 2, 5, 1, 18),
            (7, 7, 0, 1, 1, 1, 7),
            (9, 2, -8, 1, 3, 2, 6),
            (4, 1, 0, 1, 1, 1, 4),
            (9, 3, -1, 2, 1, 1, 17),
            (9, 4, -3, 2, 3, 2, 17),
        ] {
            let window = Window { origin, stride, taps, dilation, input };
            let cut = Cut::sliding(extent, size, window);
            let of = |i: u64| {
                let rows = (extent - i * size).min(size);
                let origin = origin + i32::try_from(i * size).unwrap() * i32::from(stride);
                Window { origin, ..window }.span(u32::try_from(rows).unwrap())
            };
            let all: Vec<u64> = (0..cut.count()).map(of).collect();
            assert_eq!(cut.all_windows(), all.iter().sum::<u64>(), "{extent} {size}");
            let pieces: Vec<(Piece, u64)> = cut.pieces().collect();
            assert_eq!(pieces.iter().map(|p| p.1).sum::<u64>(), cut.count());
            assert_eq!(pieces.iter().map(|p| p.0.size * p.1).sum::<u64>(), extent);
            assert_eq!(pieces.iter().map(|p| p.0.window * p.1).sum::<u64>(), cut.all_windows());
            assert_eq!(pieces[0].0.window, all[0]);
            assert_eq!(pieces.last().unwrap().0.window, *all.last().unwrap());
        }
    }
}
