//! How a dimension of a tile is cut into blocks, and what input their windows cover.

use crate::{product, span};

/// One block along a dimension, or some equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Outputs.
    pub(crate) size: u64,
    /// Input positions under their windows.
    pub(crate) window: u64,
    /// Whether it is the first one.
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
    /// Input positions that there are.
    pub(crate) input: u32,
}

/// A dimension of a tile, cut into blocks of one size and a last one that may be smaller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    extent: u64,
    size: u64,
    window: Option<Window>,
}

impl Cut {
    /// Output channels, which slide over nothing.
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

    /// Blocks in order: the first, those between, and the last, with how many there are of each. Windows of those between
    /// are their mean, rounded up.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Piece, u64)> {
        let (count, size) = (self.count(), self.size);
        let between = count.saturating_sub(2);
        let first = Piece { size: size.min(self.extent), window: self.windows(0, 1), first: true };
        let middle = Piece { size, window: self.windows(1, between).div_ceil(between.max(1)), first: false };
        let rest = self.extent - product([count - 1, size]);
        let last = Piece { size: rest, window: self.windows(count - 1, 1), first: false };
        [(first, 1), (middle, between), (last, u64::from(count > 1))].into_iter().filter(|&(_, n)| n > 0)
    }

    /// Input positions under the windows of all blocks, those that two blocks share counted twice.
    pub(crate) fn all_windows(&self) -> u64 {
        let full = self.count() - 1;
        self.windows(0, full).saturating_add(self.windows(full, 1))
    }

    /// Input positions under the windows of `count` blocks from block `from` on; all have the same size.
    fn windows(&self, from: u64, count: u64) -> u64 {
        let Some(w) = self.window.filter(|_| count > 0) else { return 0 };
        let size = self.size.min(self.extent.saturating_sub(product([from, self.size])));
        let step = i128::from(self.size) * i128::from(w.stride);
        let origin = i128::from(w.origin) + i128::from(from) * step;
        let reach = i128::from(w.taps.saturating_sub(1)) * i128::from(w.dilation)
            + i128::from(size.saturating_sub(1)) * i128::from(w.stride)
            + 1;
        let input = i128::from(w.input);
        let sum = clamped(origin + reach, step, count, input) - clamped(origin, step, count, input);
        u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
    }
}

impl Window {
    /// Input positions under `windows` windows.
    pub(crate) fn span(&self, windows: u32) -> u64 {
        span(self.origin, windows, self.stride, self.taps, self.dilation, self.input)
    }
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
            assert_eq!(pieces[0].0.window, all[0]);
            assert_eq!(pieces.last().unwrap().0.window, *all.last().unwrap());
        }
    }
}
