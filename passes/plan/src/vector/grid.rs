//! How an element-wise layer is cut into tiles.
//!
//! Operands are described by element strides over common dimensions, 0 where they repeat. Dimensions that are contiguous for
//! every operand are merged, so that most layers become one long row. A tile covers all inner dimensions, a range of one
//! dimension (the *cut*), and one index of each outer dimension; every operand then reads or writes one contiguous segment of
//! memory.

use crate::error::PlanError;
use crate::movement::product;
use crate::strategy::CutStrategy;

/// Granule of SRAM slots, in bytes.
pub(super) const GRANULE: u64 = 16;

/// Minimum tile size, if the tensors are that large, so that transfers are long compared with the memory latency.
const MIN_TILE: u64 = 256 * 1024;

/// Minimum size of operand pieces in SRAM, in elements, so that the start-up cost of tasks is small.
const MIN_PIECE: u64 = 16 * 1024;

/// Larger tensors are cut into about this many tiles, so that transfers and computation overlap.
const PIECES: u64 = 8;

/// An operand over the dimensions of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// Element strides, 0 where the operand repeats; otherwise those of a contiguous tensor of the other dimensions.
    pub(super) strides: Vec<u64>,
    /// Bytes of an element.
    pub(super) element: u64,
    /// The whole operand is in SRAM, and needs no slot.
    pub(super) held: bool,
}

impl Walk {
    /// Elements of the operand within a box of `extents`.
    fn elements(&self, extents: &[u64]) -> u64 {
        let moving = extents.iter().zip(&self.strides).filter(|(_, s)| **s != 0);
        moving.fold(1u64, |n, (&e, _)| n.saturating_mul(e))
    }

    /// Bytes of a slot for a box of `extents`.
    fn slot(&self, extents: &[u64]) -> u64 {
        if self.held {
            return 0;
        }
        self.elements(extents).saturating_mul(self.element).div_ceil(GRANULE).saturating_mul(GRANULE)
    }
}

/// The dimensions of a layer after merging, and the walks of its operands, the output last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Extents, outermost first; at least one dimension.
    pub(super) dims: Vec<u64>,
    /// One walk for each operand.
    pub(super) walks: Vec<Walk>,
    /// The dimension whose range is cut.
    cut: usize,
    /// Extent of the pieces of that dimension, except the last.
    piece: u64,
}

/// One tile: its extents along the dimensions of the grid, and the offset of each operand's piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Extents along the grid's dimensions.
    pub(super) extents: Vec<u64>,
    /// For each operand, bytes from the start of its tensor to its piece.
    pub(super) offsets: Vec<u64>,
    /// For each operand, bytes of its piece.
    pub(super) bytes: Vec<u64>,
}

impl Grid {
    /// Merges the dimensions and chooses the cut for `sram` bytes, or uses the given one.
    ///
    /// # Errors
    /// A resource error if not even tiles of one element fit, an internal error if sizes overflow; refused if the given cut is
    /// not possible.
    pub(super) fn new(
        dims: &[u64],
        walks: Vec<Walk>,
        sram: u64,
        told: &CutStrategy,
    ) -> Result<Self, PlanError> {
        let (dims, walks) = merge(dims, walks);
        let mut grid = Grid { dims, walks, cut: 0, piece: 1 };
        if grid.take(told, sram)? {
            return Ok(grid);
        }
        let elements = product(&grid.dims)?;
        let traffic = grid.walks.iter().fold(0u64, |n, w| n.saturating_add(w.slot(&grid.dims)));
        // Where almost nothing is moved, a neighbour may work on finished pieces.
        let most = if traffic < elements / 4 { (elements / PIECES).max(MIN_PIECE) } else { u64::MAX };
        let budget = sram.min((traffic / PIECES).max(MIN_TILE).saturating_mul(2));
        for cut in 0..grid.dims.len() {
            grid.cut = cut;
            let (mut fits, mut too_big) = (0, grid.dims[cut].saturating_add(1));
            while too_big - fits > 1 {
                let middle = fits.midpoint(too_big);
                let size = grid.extents(middle).iter().fold(1u64, |n, &d| n.saturating_mul(d));
                if grid.demand(middle) <= budget
                    && (size <= most || middle == 1 && cut + 1 == grid.dims.len())
                {
                    fits = middle;
                } else {
                    too_big = middle;
                }
            }
            if fits > 0 {
                grid.piece = even_piece(grid.dims[cut], fits);
                return Ok(grid);
            }
        }
        Err(PlanError::resource("SRAM bytes for tiles of one element", grid.demand(1), sram))
    }

    /// Uses the given cut; false if there is none.
    fn take(&mut self, told: &CutStrategy, sram: u64) -> Result<bool, PlanError> {
        told.check_vec()?;
        let Some(tile) = told.tile(&self.dims)? else { return Ok(false) };
        let last = tile.len().saturating_sub(1);
        self.cut = tile.iter().position(|&t| t != 1).unwrap_or(last);
        self.piece = tile.get(self.cut).copied().unwrap_or(1);
        if self.tile_extents() != tile {
            let what = "must be ones, then a part of one dimension, then whole dimensions of";
            return Err(PlanError::refused(format!("tile is {tile:?}: {what} {:?}", self.dims)));
        }
        CutStrategy::check_bytes(&tile, self.demand(self.piece), sram)?;
        Ok(true)
    }

    /// Extents of all tiles except the last ones.
    pub(super) fn tile_extents(&self) -> Vec<u64> {
        self.extents(self.piece)
    }

    /// SRAM bytes of all slots for pieces of `piece`.
    fn demand(&self, piece: u64) -> u64 {
        let extents = self.extents(piece);
        let slots = self.walks.iter().map(|w| w.slot(&extents).saturating_mul(self.slots_for(w, piece)));
        slots.fold(0, u64::saturating_add)
    }

    fn extents(&self, piece: u64) -> Vec<u64> {
        let mut extents = self.dims.clone();
        extents[..self.cut].fill(1);
        extents[self.cut] = piece;
        extents
    }

    /// One slot for an operand that is the same in all tiles, otherwise two; none for an operand resident in SRAM.
    fn slots_for(&self, walk: &Walk, piece: u64) -> u64 {
        if walk.held {
            0
        } else if walk.elements(&self.extents(piece)) == walk.elements(&self.dims) {
            1
        } else {
            2
        }
    }

    /// For each operand, the number of slots and the bytes of each.
    pub(super) fn slots(&self) -> Vec<(u64, u64)> {
        let extents = self.extents(self.piece);
        self.walks.iter().map(|w| (self.slots_for(w, self.piece), w.slot(&extents))).collect()
    }

    /// Calls `f` for all tiles in row-major order.
    ///
    /// # Errors
    /// Those of `f`.
    pub(super) fn for_each(
        &self,
        mut f: impl FnMut(&Tile) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        let mut index = vec![0u64; self.cut + 1];
        let mut extents = self.extents(self.piece);
        loop {
            extents[self.cut] = self.piece.min(self.dims[self.cut] - index[self.cut]);
            f(&self.tile(&index, &extents))?;
            let mut at = self.cut;
            loop {
                index[at] += if at == self.cut { self.piece } else { 1 };
                if index[at] < self.dims[at] {
                    break;
                }
                index[at] = 0;
                if at == 0 {
                    return Ok(());
                }
                at -= 1;
            }
        }
    }

    fn tile(&self, index: &[u64], extents: &[u64]) -> Tile {
        let offset = |w: &Walk| {
            let elements = index.iter().zip(&w.strides).map(|(&i, &s)| i.saturating_mul(s));
            elements.fold(0u64, u64::saturating_add).saturating_mul(w.element)
        };
        Tile {
            extents: extents.to_vec(),
            offsets: self.walks.iter().map(offset).collect(),
            bytes: self.walks.iter().map(|w| w.elements(extents).saturating_mul(w.element)).collect(),
        }
    }
}

impl Tile {
    /// Byte strides of an operand within its packed piece, or within its tensor if that is in SRAM.
    pub(super) fn strides(&self, walk: &Walk) -> Vec<u64> {
        if walk.held {
            return walk.strides.iter().map(|s| s.saturating_mul(walk.element)).collect();
        }
        let mut strides = vec![0; self.extents.len()];
        let mut inner = walk.element;
        for ((stride, &extent), &step) in strides.iter_mut().zip(&self.extents).zip(&walk.strides).rev() {
            if step != 0 {
                *stride = inner;
                inner = inner.saturating_mul(extent);
            }
        }
        strides
    }
}

/// Pieces of nearly equal size, a multiple of 64 if they are long, so that they start at aligned addresses.
fn even_piece(extent: u64, most: u64) -> u64 {
    let even = extent.div_ceil(extent.div_ceil(most));
    let rounded = even.next_multiple_of(64);
    if even == extent || even < 64 {
        even
    } else if rounded <= most {
        rounded
    } else {
        most - most % 64
    }
}

/// Drops dimensions of extent 1 and merges neighbours that are contiguous for every operand.
fn merge(dims: &[u64], walks: Vec<Walk>) -> (Vec<u64>, Vec<Walk>) {
    let mut merged: Vec<u64> = Vec::new();
    let mut result: Vec<Walk> = walks.iter().map(|w| Walk { strides: Vec::new(), ..*w }).collect();
    for (d, &extent) in dims.iter().enumerate().filter(|(_, extent)| **extent != 1) {
        let continues = result.iter().zip(&walks).all(|(done, walk)| {
            let (outer, inner) = (done.strides.last().copied(), walk.strides[d]);
            outer == inner.checked_mul(extent)
        });
        match merged.last_mut() {
            Some(last) if continues && last.checked_mul(extent).is_some() => {
                *last *= extent;
                for (done, walk) in result.iter_mut().zip(&walks) {
                    done.strides.pop();
                    done.strides.push(walk.strides[d]);
                }
            }
            _ => {
                merged.push(extent);
                for (done, walk) in result.iter_mut().zip(&walks) {
                    done.strides.push(walk.strides[d]);
                }
            }
        }
    }
    if merged.is_empty() {
        merged.push(1);
        for walk in &mut result {
            walk.strides.push(0);
        }
    }
    (merged, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(strides: &[u64]) -> Walk {
        Walk { strides: strides.to_vec(), element: 1, held: false }
    }

    #[test]
    fn equal_walks_become_one_row() {
        let walks = vec![walk(&[60, 20, 20, 1]), walk(&[60, 20, 0, 1])];
        assert_eq!(merge(&[2, 3, 1, 20], walks), (vec![120], vec![walk(&[1]), walk(&[1])]));
    }

    #[test]
    fn repeated_dimensions_merge_with_each_other_only() {
        let walks = vec![walk(&[60, 20, 1]), walk(&[0, 0, 1])];
        assert_eq!(merge(&[2, 3, 20], walks), (vec![6, 20], vec![walk(&[20, 1]), walk(&[0, 1])]));
    }

    #[test]
    fn pieces_are_even_and_aligned() {
        assert_eq!(even_piece(1000, 1000), 1000);
        assert_eq!(even_piece(1000, 600), 512);
        assert_eq!(even_piece(1000, 500), 448);
        assert_eq!(even_piece(100, 7), 7);
        assert_eq!(even_piece(100, 33), 25);
        assert_eq!(even_piece(100, 1), 1);
    }
}
