//! Iterates over strided operands of one index space together, row by row, with as few and as long rows as
//! possible.

use crate::error::Fault;
use crate::fuel;
use crate::region::Region;

/// Maximum number of elements of a row visited at once, so that row buffers stay small.
pub(super) const ROW: usize = 4096;

/// Six dimensions with the strides of `N` operands; adjacent dimensions are merged where no operand has a gap.
#[derive(Debug)]
pub(super) struct Nest<const N: usize> {
    /// Extents and strides of the first `rank` dimensions, outermost first.
    dims: [(u64, [u64; N]); 6],
    /// Remaining dimensions, at least 1.
    rank: usize,
}

/// A row of the iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<const N: usize> {
    /// Byte offset of each operand's first element.
    pub(super) at: [u64; N],
    /// Bytes between each operand's elements.
    pub(super) stride: [u64; N],
    /// Number of elements, 1 to [`ROW`].
    pub(super) len: usize,
}

impl<const N: usize> Nest<N> {
    pub(super) fn new(dims: &[u32; 6], strides: [[u64; 6]; N]) -> Self {
        let mut nest = Nest { dims: [(1, [0; N]); 6], rank: 0 };
        for (d, &extent) in dims.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            let extent = u64::from(extent);
            let stride = strides.map(|s| s.get(d).copied().unwrap_or(0));
            let last = nest.rank.checked_sub(1).and_then(|last| nest.dims.get_mut(last));
            match last {
                Some((n, outer)) if spans(outer, &stride, extent) => {
                    *n = n.saturating_mul(extent);
                    *outer = stride;
                }
                Some(_) | None => {
                    if let Some(next) = nest.dims.get_mut(nest.rank) {
                        *next = (extent, stride);
                        nest.rank += 1;
                    }
                }
            }
        }
        nest.rank = nest.rank.max(1);
        nest
    }

    /// Number of rows visited, and of their elements; both saturate.
    pub(super) fn size(&self) -> (u64, u64) {
        let outer = self.outer().iter().fold(1, |n: u64, &(extent, _)| n.saturating_mul(extent));
        let (inner, _) = self.inner();
        (outer.saturating_mul(inner.div_ceil(ROW as u64)), outer.saturating_mul(inner))
    }

    /// Steps of computing all elements, at this many each; see [`crate::fuel`].
    pub(super) fn steps(&self, each: u64) -> u64 {
        let (rows, elements) = self.size();
        fuel::rows(rows, elements.saturating_mul(each))
    }

    /// Steps of moving all elements of this many bytes: whole rows go faster.
    pub(super) fn steps_of(&self, element: u64) -> u64 {
        let (rows, elements) = self.size();
        let whole = self.inner().1.iter().all(|&stride| stride == element);
        let moved = if whole { elements.saturating_mul(element) / fuel::BYTES } else { elements };
        fuel::rows(rows, moved)
    }

    /// The dimensions around a row.
    fn outer(&self) -> &[(u64, [u64; N])] {
        self.dims.get(..self.rank - 1).unwrap_or_default()
    }

    /// The innermost extent and strides.
    fn inner(&self) -> (u64, [u64; N]) {
        self.dims.get(self.rank - 1).copied().unwrap_or((1, [0; N]))
    }

    /// Calls `visit` with every row, in row-major order; `base` are the addresses of the operands.
    pub(super) fn try_for_each_row(
        &self,
        base: [u64; N],
        mut visit: impl FnMut(Row<N>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.walk(self.outer(), base, &mut visit)
    }

    fn walk(
        &self,
        outer: &[(u64, [u64; N])],
        at: [u64; N],
        visit: &mut impl FnMut(Row<N>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some((&(extent, stride), rest)) = outer.split_first() else {
            return self.walk_inner(at, visit);
        };
        for i in 0..extent {
            self.walk(rest, advance(at, stride, i), visit)?;
        }
        Ok(())
    }

    fn walk_inner(
        &self,
        at: [u64; N],
        visit: &mut impl FnMut(Row<N>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (extent, stride) = self.inner();
        let mut done = 0;
        while done < extent {
            let len = usize::try_from(extent - done).unwrap_or(ROW).min(ROW);
            visit(Row { at: advance(at, stride, done), stride, len })?;
            done += len as u64;
        }
        Ok(())
    }
}

/// Whether one step of the outer dimension is `extent` steps of the inner one for every operand.
fn spans<const N: usize>(outer: &[u64; N], inner: &[u64; N], extent: u64) -> bool {
    outer.iter().zip(inner).all(|(o, i)| i.checked_mul(extent) == Some(*o))
}

/// `at + i·stride` for each operand. Operands are in bounds (the gate has seen them), so nothing wraps.
fn advance<const N: usize>(at: [u64; N], stride: [u64; N], i: u64) -> [u64; N] {
    let mut next = at;
    for (a, s) in next.iter_mut().zip(stride) {
        *a = a.wrapping_add(s.wrapping_mul(i));
    }
    next
}

/// The bytes of a strided operand.
pub(super) fn region(base: u64, element: u64, dims: &[u32; 6], strides: &[u64; 6]) -> Region {
    let mut pairs = [(1, 0); 6];
    for ((pair, &dim), &stride) in pairs.iter_mut().zip(dims).zip(strides) {
        *pair = (u64::from(dim), stride);
    }
    Region::strided(base, element, &pairs)
}

/// Whether two operands of `dims` have the same elements at the same addresses.
pub(super) fn same_place(dims: &[u32; 6], a: (u64, u64, &[u64; 6]), b: (u64, u64, &[u64; 6])) -> bool {
    let strides = a.2.iter().zip(b.2).zip(dims);
    (a.0, a.1) == (b.0, b.1) && strides.into_iter().all(|((x, y), &d)| d == 1 || x == y)
}

#[cfg(test)]
mod tests {
    use proptest::array::{uniform2, uniform6};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn visits_every_index_in_order(
            dims in uniform6(1..=3u32),
            mut strides in uniform2(uniform6(0..=9u64)),
            contiguous: bool,
        ) {
            if contiguous {
                // In the first operand.
                strides[0] = std::array::from_fn(|d| dims[d + 1..].iter().map(|&n| u64::from(n)).product());
            }
            let mut want = vec![[100, 200]];
            for d in 0..6 {
                want = want
                    .iter()
                    .flat_map(|at| (0..u64::from(dims[d])).map(|i| advance(*at, strides.map(|s| s[d]), i)))
                    .collect();
            }
            let mut got = Vec::new();
            let nest = Nest::new(&dims, strides);
            nest.try_for_each_row([100, 200], |row| {
                got.extend((0..row.len as u64).map(|i| advance(row.at, row.stride, i)));
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn contiguous_operands_are_one_row() {
        let nest = Nest::new(&[1, 1, 2, 3, 4, 5], [[0, 0, 60, 20, 5, 1], [0, 0, 120, 40, 10, 2]]);
        assert_eq!((nest.outer().len(), nest.inner()), (0, (120, [1, 2])));
        let broadcast = Nest::new(&[1, 1, 2, 3, 4, 5], [[0, 0, 60, 20, 5, 1], [0, 0, 0, 0, 0, 1]]);
        assert_eq!((broadcast.outer(), broadcast.inner()), (&[(24, [5, 0])][..], (5, [1, 1])));
    }

    #[test]
    fn long_rows_are_cut() {
        let mut lens = Vec::new();
        let nest = Nest::new(&[1, 1, 1, 1, 1, 10000], [[1; 6]]);
        nest.try_for_each_row([0], |row| {
            lens.push((row.at[0], row.len));
            Ok(())
        })
        .unwrap();
        assert_eq!(lens, [(0, 4096), (4096, 4096), (8192, 1808)]);
        assert_eq!(nest.size(), (3, 10000));
    }
}
