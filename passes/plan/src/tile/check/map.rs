//! The origin of a copied byte: strided copies, traced backwards.

use std::rc::Rc;

use crate::draft::BufferId;

/// Consecutive copies, the last one first.
pub(super) type Chain = Rc<[Map]>;

/// A strided copy, indexed by destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    source: (BufferId, u64),
    /// First byte written.
    start: u64,
    /// Extent, source stride and destination stride; longest destination stride first.
    dims: [(u64, u64, u64); 7],
}

impl Map {
    /// The copy of elements of `element` bytes from `source` to `start` in the destination.
    pub(super) fn new(
        source: (BufferId, u64),
        start: u64,
        extents: [u64; 6],
        source_strides: [u64; 6],
        strides: [u64; 6],
        element: u64,
    ) -> Self {
        let mut dims = [(element, 1, 1); 7];
        let all = extents.into_iter().zip(source_strides.into_iter().zip(strides));
        for (dim, (extent, (from, to))) in dims.iter_mut().zip(all) {
            *dim = (extent, from, to);
        }
        dims.sort_by_key(|&(_, _, to)| std::cmp::Reverse(to));
        Map { source, start, dims }
    }

    /// The buffer copied from.
    pub(super) fn source_buffer(&self) -> BufferId {
        self.source.0
    }

    /// The origin of byte `at` of the destination, if the copy wrote it.
    pub(super) fn source(&self, at: u64) -> Option<u64> {
        let mut rest = at.checked_sub(self.start)?;
        let (_, mut from) = self.source;
        for &(extent, source, stride) in &self.dims {
            if extent > 1 {
                let i = rest.checked_div(stride)?.min(extent - 1);
                rest -= i * stride;
                from += i * source;
            }
        }
        (rest == 0).then_some(from)
    }
}

/// The buffer and byte in DRAM that byte `at` originates from, through a copy of copies.
pub(super) fn origin(chain: &[Map], at: u64) -> Option<(BufferId, u64)> {
    let mut byte = at;
    let mut buffer = None;
    for map in chain {
        byte = map.source(byte)?;
        buffer = Some(map.source_buffer());
    }
    buffer.map(|b| (b, byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposing_copy_reads_backwards() {
        let id = BufferId::from_index(3).unwrap();
        let map = Map::new((id, 100), 8, [1, 1, 1, 1, 5, 3], [0, 0, 0, 0, 1, 7], [0, 0, 0, 0, 16, 1], 1);
        assert_eq!(origin(&[map], 8 + 16 * 4 + 2), Some((id, 100 + 4 + 14)));
        assert_eq!(map.source(8 + 3), None);
        assert_eq!(map.source(7), None);
    }
}
