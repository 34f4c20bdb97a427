//! Sets of bytes that a task touches: strided arrays, reduced to as few contiguous runs as possible.
//!
//! A region is exact: it covers the bytes of the array's elements and no gap between them.

use std::ops::ControlFlow;

/// Maximum number of dimensions; no instruction has more.
const RANK: usize = 6;

/// The bytes `base + Σ i[k]·stride[k] .. + run` over all indices `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// First byte.
    base: u64,
    /// Bytes of each contiguous run, at least 1.
    run: u64,
    /// Count and stride of the dimensions between runs, ascending stride, each greater than `run`.
    dims: [(u64, u64); RANK],
    rank: usize,
    /// One past the last byte; `None` when it does not fit 64 bits.
    end: Option<u64>,
    /// Whether two elements are known to share a byte. Runs may overlap all the same.
    overlap: bool,
}

impl Region {
    /// `bytes` bytes from `base`; at least one.
    pub(crate) fn contiguous(base: u64, bytes: u64) -> Self {
        Self::strided(base, bytes, &[])
    }

    /// An array of elements of `element` contiguous bytes; `dims` are (count, stride in bytes) in any order.
    ///
    /// Counts and element sizes of 0 are taken as 1: the machine has no empty operands.
    pub(crate) fn strided(base: u64, element: u64, dims: &[(u64, u64)]) -> Self {
        let mut region = Region {
            base,
            run: element.max(1),
            dims: [(1, 0); RANK],
            rank: 0,
            end: last_byte(base, element.max(1), dims),
            overlap: false,
        };
        let mut sorted = [(1, 0); RANK];
        let mut rank = 0;
        for &(count, stride) in dims.iter().filter(|d| d.0 > 1) {
            if stride == 0 {
                region.overlap = true;
            } else if let Some(slot) = sorted.get_mut(rank) {
                *slot = (count, stride);
                rank += 1;
            }
        }
        let sorted = &mut sorted[..rank];
        sorted.sort_by_key(|d| d.1);
        // Without an end nothing will be visited; the products below may then exceed 64 bits.
        if region.end.is_some() {
            for &mut (count, stride) in sorted {
                region.fold(count, stride);
            }
        }
        region
    }

    /// Merges the dimension of the next greater stride.
    fn fold(&mut self, count: u64, stride: u64) {
        if let Some(&(n, inner)) = self.rank.checked_sub(1).and_then(|last| self.dims.get(last)) {
            if stride == n.saturating_mul(inner) {
                self.dims[self.rank - 1].0 = n.saturating_mul(count);
                return;
            }
        } else if stride <= self.run {
            self.overlap |= stride < self.run;
            self.run += (count - 1) * stride;
            return;
        }
        self.dims[self.rank] = (count, stride);
        self.rank += 1;
    }

    /// Number of runs; saturates.
    pub(crate) fn runs(&self) -> u64 {
        self.dims.iter().take(self.rank).fold(1, |n, &(count, _)| n.saturating_mul(count))
    }

    /// Bytes of each run.
    pub(crate) fn run_bytes(&self) -> u64 {
        self.run
    }

    /// First byte.
    pub(crate) fn start(&self) -> u64 {
        self.base
    }

    /// One past the last byte; `None` when it does not fit 64 bits.
    pub(crate) fn end(&self) -> Option<u64> {
        self.end
    }

    /// Whether elements are known to share bytes. `false` only means that no two elements of a run do.
    pub(crate) fn overlaps_itself(&self) -> bool {
        self.overlap
    }

    /// Calls `visit` with the start and length of every run.
    ///
    /// # Errors
    /// The first error of `visit`.
    pub(crate) fn try_for_each_run<E>(
        &self,
        mut visit: impl FnMut(u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let flow = self.walk(self.rank, self.base, &mut |start, run| match visit(start, run) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        });
        match flow {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    fn walk<E>(
        &self,
        depth: usize,
        start: u64,
        visit: &mut impl FnMut(u64, u64) -> ControlFlow<E>,
    ) -> ControlFlow<E> {
        let Some(outer) = depth.checked_sub(1) else {
            return visit(start, self.run);
        };
        let (count, stride) = self.dims[outer];
        for i in 0..count {
            self.walk(outer, start + i * stride, visit)?;
        }
        ControlFlow::Continue(())
    }
}

/// One past the last byte of a strided array, when it fits 64 bits.
fn last_byte(base: u64, element: u64, dims: &[(u64, u64)]) -> Option<u64> {
    dims.iter().try_fold(base.checked_add(element)?, |end, &(count, stride)| {
        end.checked_add(count.saturating_sub(1).checked_mul(stride)?)
    })
}

/// Positions along one axis, as contiguous runs: `start + i·stride .. + len` for `i` below `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) count: u64,
    pub(crate) stride: u64,
}

/// The input positions that a sliding window touches along one axis, clipped to `0..size`.
///
/// Window `o` of `windows` has its `taps` at `origin + o·stride + k·dilation`. The result covers exactly the
/// touched positions; runs of different `Steps` may overlap.
pub(crate) fn window_steps(
    origin: i64,
    windows: u64,
    stride: u64,
    taps: u64,
    dilation: u64,
    size: u64,
) -> Vec<Steps> {
    // Where all taps of a window, or one tap of all windows, are contiguous, a run is longer than one.
    let (len, outer, outer_stride, repeats, repeat_stride) = if dilation == 1 || taps == 1 {
        (taps, windows, stride, 1, 0)
    } else if stride == 1 || windows == 1 {
        (windows, taps, dilation, 1, 0)
    } else {
        (1, windows, stride, taps, dilation)
    };
    let mut steps = Vec::new();
    for k in 0..repeats {
        let start = i128::from(origin) + i128::from(k) * i128::from(repeat_stride);
        clip(start, len, outer, outer_stride, size, &mut steps);
    }
    steps
}

/// Appends `start + i·stride .. + len`, `i` below `count`, clipped to `0..size`.
fn clip(start: i128, len: u64, count: u64, stride: u64, size: u64, out: &mut Vec<Steps>) {
    let (start, len, count) = if stride <= len || count == 1 {
        // No gaps: one run.
        (start, i128::from(count - 1) * i128::from(stride) + i128::from(len), 1)
    } else {
        (start, i128::from(len), i128::from(count))
    };
    let (size, stride) = (i128::from(size), i128::from(stride));
    let mut push = |lo: i128, hi: i128, count: i128| {
        let (lo, hi) = (lo.max(0), hi.min(size));
        if let (true, Ok(start), Ok(len)) = (lo < hi && count > 0, u64::try_from(lo), u64::try_from(hi - lo))
        {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            let stride = u64::try_from(stride).unwrap_or(u64::MAX);
            out.push(Steps { start, len, count, stride });
        }
    };
    if count == 1 {
        return push(start, start + len, 1);
    }
    // Runs first..last lie inside; their neighbours may overlap the range partially.
    let first = (-start).max(0).div_euclid(stride) + i128::from((-start).max(0).rem_euclid(stride) > 0);
    let last = ((size - len - start).div_euclid(stride) + 1).clamp(0, count);
    let at = |i: i128| start + i * stride;
    if first >= last {
        // At most the two partial runs; `first` bounds them from below.
        for i in (first - 1).max(0)..(last + 1).min(count) {
            push(at(i), at(i) + len, 1);
        }
        return;
    }
    if first > 0 {
        push(at(first - 1), at(first - 1) + len, 1);
    }
    push(at(first), at(first) + len, last - first);
    if last < count {
        push(at(last), at(last) + len, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn runs(region: &Region) -> Vec<(u64, u64)> {
        let mut runs = Vec::new();
        region
            .try_for_each_run(|start, len| {
                runs.push((start, len));
                Ok::<(), ()>(())
            })
            .unwrap();
        runs
    }

    fn bytes(region: &Region) -> BTreeSet<u64> {
        runs(region).iter().flat_map(|&(start, len)| start..start + len).collect()
    }

    #[test]
    fn contiguous_arrays_are_one_run_in_any_order() {
        assert_eq!(runs(&Region::strided(64, 2, &[(3, 40), (5, 8), (4, 2)])), [(64, 120)]);
        // A transposed write covers the same bytes.
        assert_eq!(runs(&Region::strided(0, 1, &[(7, 1), (9, 7)])), [(0, 63)]);
    }

    #[test]
    fn rows_with_gaps_stay_rows() {
        let region = Region::strided(10, 1, &[(2, 100), (3, 10), (4, 1)]);
        assert_eq!(runs(&region), [(10, 4), (20, 4), (30, 4), (110, 4), (120, 4), (130, 4)]);
        assert_eq!(region.end(), Some(134));
        // Equidistant rows of two dimensions are one dimension.
        assert_eq!(Region::strided(0, 4, &[(2, 30), (3, 10)]).rank, 1);
    }

    #[test]
    fn overlap_is_seen_within_runs() {
        assert!(Region::strided(0, 4, &[(2, 2)]).overlaps_itself());
        assert!(Region::strided(0, 4, &[(2, 0)]).overlaps_itself());
        assert!(!Region::strided(0, 4, &[(1, 0), (2, 4)]).overlaps_itself());
    }

    #[test]
    fn ends_beyond_64_bits_are_none() {
        let dims = [(u64::from(u32::MAX), (1 << 40) - 1); 6];
        assert_eq!(Region::strided(0, 1, &dims).end(), None);
        assert_eq!(Region::strided(0, 1, &[(1 << 20, 1 << 43)]).end(), Some(((1 << 20) - 1) * (1 << 43) + 1));
        assert_eq!(Region::strided(u64::MAX, 1, &[]).end(), None);
        assert_eq!(Region::strided(0, 1, &[(u64::MAX, 2)]).end(), None);
    }

    proptest! {
        #[test]
        fn random_regions_cover_exactly_their_elements(
            element in 1..=4u64,
            dims in vec((1..=4u64, 0..=40u64), 0..=4),
        ) {
            let mut want = BTreeSet::from([0]);
            for &(count, stride) in &dims {
                want = want.iter().flat_map(|b| (0..count).map(move |i| b + i * stride)).collect();
            }
            let want: BTreeSet<u64> = want.iter().flat_map(|b| *b..b + element).collect();
            let region = Region::strided(0, element, &dims);
            prop_assert_eq!(bytes(&region), want.clone());
            prop_assert_eq!(region.end(), want.last().map(|b| b + 1));
        }

        #[test]
        fn random_windows_touch_exactly_their_taps(
            origin in -20..=20i64,
            (windows, stride, taps, dilation) in (1..=6u64, 1..=7u64, 1..=5u64, 1..=4u64),
            size in 1..=24u64,
        ) {
            let want: BTreeSet<u64> = (0..windows)
                .flat_map(|o| (0..taps).map(move |k| origin + (o * stride + k * dilation) as i64))
                .filter_map(|p| u64::try_from(p).ok().filter(|&p| p < size))
                .collect();
            let steps = window_steps(origin, windows, stride, taps, dilation, size);
            let got: BTreeSet<u64> = steps
                .iter()
                .flat_map(|s| (0..s.count).map(move |i| s.start + i * s.stride).map(move |p| (p, s.len)))
                .flat_map(|(p, len)| p..p + len)
                .collect();
            prop_assert_eq!(got, want, "{:?}", steps);
        }
    }

    #[test]
    fn plain_windows_are_one_run() {
        let steps = window_steps(-1, 56, 1, 3, 1, 58);
        assert_eq!(steps, [Steps { start: 0, len: 57, count: 1, stride: 1 }]);
    }
}
