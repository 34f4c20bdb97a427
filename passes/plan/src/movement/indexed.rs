//! Rows that a list of indices selects: gather, and its inverse, scatter.
//!
//! The rows go from tensor to tensor; only the indices pass through the SRAM, in pieces.

use dpu_isa::{DmaGather, DmaScatter};

use super::strided::address;
use super::{LOAD_ENGINE, Tensor, check_all, contradiction, copy, store_engine};
use crate::dma::At;
use crate::draft::Draft;
use crate::error::{PlanError, narrow};
use crate::scope::LayerScope;
use crate::tile::stream::Stream;

/// `output[n, w, ..] = values[n, indices[n, w], ..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherLayer {
    /// `[N, K, C]`.
    pub values: Tensor,
    /// `[N, W]`, i32, each from 0 to K - 1.
    pub indices: Tensor,
    /// `[N, W, C]`.
    pub output: Tensor,
}

/// `output` is `values`, but for `output[n, indices[n, w], ..] = input[n, w, ..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScatterLayer {
    /// `[N, K, C]`.
    pub values: Tensor,
    /// `[N, W]`, i32, each from 0 to K - 1, and none twice for one `n`.
    pub indices: Tensor,
    /// `[N, W, C]`.
    pub input: Tensor,
    /// `[N, K, C]`.
    pub output: Tensor,
}

/// Bytes of an index.
const INDEX: u64 = 4;

/// Granule of SRAM slots, in bytes.
const GRANULE: u64 = 16;

/// Bytes of the indices that are loaded at a time, so that rows move while the next indices arrive.
const PIECE: u64 = 64 * 1024;

/// Extents of both layers.
#[derive(Clone, Copy, Debug)]
struct Rows {
    /// Lists of indices.
    lists: u64,
    /// Rows that an index selects from.
    rows: u64,
    /// Indices of a list.
    picks: u64,
    /// Bytes of a row.
    row: u64,
    /// Bytes that are moved at a time: 1, 2 or 4, of which a row is a multiple.
    element: u64,
}

/// Some indices, in SRAM.
struct Picks {
    at: At,
    /// Bytes from list to list.
    stride: u64,
    /// First list and index.
    first: (u64, u64),
    /// Lists, and indices of each.
    count: (u64, u64),
}

impl Rows {
    fn read(draft: &Draft, all: &Tensor, indices: &Tensor, picked: &Tensor) -> Result<Self, PlanError> {
        indices.check(draft, "the indices")?;
        let (&[lists, rows, c], &[n, picks]) = (all.shape.as_slice(), indices.shape.as_slice()) else {
            return Err(contradiction(format!("indices {:?} into {:?}", indices.shape, all.shape)));
        };
        if n != lists || picked.shape != [lists, picks, c] || indices.dtype.bytes() != INDEX {
            let what =
                format!("{} {:?} of {:?} for {:?}", indices.dtype, indices.shape, all.shape, picked.shape);
            return Err(contradiction(what));
        }
        let row = c.checked_mul(all.dtype.bytes()).ok_or_else(|| contradiction("a row overflows 64 bits"))?;
        Ok(Rows { lists, rows, picks, row, element: 1 << (row | INDEX).trailing_zeros() })
    }

    /// Loads the indices piece by piece and calls `each` for every one.
    fn for_each(
        &self,
        scope: &mut LayerScope<'_>,
        indices: &Tensor,
        mut each: impl FnMut(&mut Draft, u8, &Picks) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        let list = self.picks.saturating_mul(INDEX);
        let held = scope.draft.holds(indices.buffer)?;
        let room = (scope.tile_bytes() / 2).min(PIECE) / GRANULE * GRANULE;
        let (lists, picks) = match (held, room / list) {
            (true, _) => (self.lists, self.picks),
            (false, 0) => (1, room / INDEX),
            (false, lists) => (lists.min(self.lists), self.picks),
        };
        if picks == 0 {
            return Err(PlanError::resource("SRAM bytes for indices", 2 * GRANULE, scope.tile_bytes()));
        }
        let engine = store_engine(scope.machine);
        let slots = if held { 0 } else { 2 };
        let mut stream = Stream::new(scope.draft, slots, lists.saturating_mul(picks).saturating_mul(INDEX))?;
        let mut step = 0;
        for n in (0..self.lists).step_by(usize::try_from(lists).unwrap_or(usize::MAX)) {
            for w in (0..self.picks).step_by(usize::try_from(picks).unwrap_or(usize::MAX)) {
                let count = (lists.min(self.lists - n), picks.min(self.picks - w));
                let offset = n.saturating_mul(list).saturating_add(w.saturating_mul(INDEX));
                let outside = At { buffer: indices.buffer, offset };
                let (at, stride) = match held {
                    true => (outside, list),
                    false => (At { buffer: stream.place(step)?.buffer, offset: 0 }, count.1 * INDEX),
                };
                if !held {
                    // A piece is whole lists, or a part of one.
                    copy(scope.draft, LOAD_ENGINE, outside, at, &[], count.0 * stride)?;
                }
                step += 1;
                each(scope.draft, engine, &Picks { at, stride, first: (n, w), count })?;
            }
        }
        Ok(())
    }

    /// Extents and the bytes of an element, as fields of both instructions.
    fn extents(&self, picks: &Picks) -> Result<([u32; 6], u8), PlanError> {
        let field = |value: u64| narrow(value, "an extent of a gather or scatter");
        let (lists, count) = picks.count;
        let dims = [1, 1, 1, field(lists)?, field(count)?, field(self.row / self.element)?];
        Ok((dims, narrow(self.element, "the bytes of an element")?))
    }

    /// Strides of a tensor of `rows` rows a list.
    fn strides(&self, rows: u64) -> [u64; 6] {
        [0, 0, 0, rows.saturating_mul(self.row), self.row, self.element]
    }

    /// The start of the rows of some lists.
    fn at(&self, tensor: &Tensor, rows: u64, first: (u64, u64)) -> At {
        let row = first.0.saturating_mul(rows).saturating_add(first.1);
        At { buffer: tensor.buffer, offset: row.saturating_mul(self.row) }
    }
}

impl Picks {
    /// Offset and strides of the indices, as fields of both instructions.
    fn fields(&self) -> Result<(u32, [u32; 6]), PlanError> {
        let field = |value: u64| narrow(value, "a stride of indices");
        Ok((field(self.at.offset)?, [0, 0, 0, field(self.stride)?, field(INDEX)?, 0]))
    }
}

/// Plans a gather.
///
/// # Errors
/// An internal error if shapes or types do not match, a resource error if the SRAM has no room for indices or the draft grows too
/// long.
pub fn plan_gather(scope: &mut LayerScope<'_>, layer: &GatherLayer) -> Result<(), PlanError> {
    let GatherLayer { values, indices, output } = layer;
    check_all(scope.draft, std::slice::from_ref(values), output)?;
    let rows = Rows::read(scope.draft, values, indices, output)?;
    let whole = narrow(rows.rows, "the rows of a gather")?;
    rows.for_each(scope, indices, |draft, engine, picks| {
        let (src, dst) =
            (rows.at(values, rows.rows, (picks.first.0, 0)), rows.at(output, rows.picks, picks.first));
        let ((dims, element), (at, index_strides)) = (rows.extents(picks)?, picks.fields()?);
        let task = DmaGather {
            engine,
            element,
            axis: 4,
            rows: whole,
            src: address(draft, src)?,
            dims,
            src_strides: rows.strides(rows.rows),
            indices: at,
            index_strides,
            dst: address(draft, dst)?,
            dst_strides: rows.strides(rows.picks),
            ..DmaGather::default()
        };
        let bufs = [("src", src.buffer), ("indices", picks.at.buffer), ("dst", dst.buffer)];
        draft.push(task.into(), &bufs)
    })
}

/// Plans a scatter: a copy of all values, then the rows that are replaced.
///
/// # Errors
/// As for [`plan_gather`].
pub fn plan_scatter(scope: &mut LayerScope<'_>, layer: &ScatterLayer) -> Result<(), PlanError> {
    let ScatterLayer { values, indices, input, output } = layer;
    check_all(scope.draft, &[values.clone(), input.clone()], output)?;
    let rows = Rows::read(scope.draft, values, indices, input)?;
    if values.shape != output.shape {
        return Err(contradiction(format!("scatter of {:?} to {:?}", values.shape, output.shape)));
    }
    let whole = narrow(rows.rows, "the rows of a scatter")?;
    let start = |tensor: &Tensor| At { buffer: tensor.buffer, offset: 0 };
    let engine = store_engine(scope.machine);
    copy(scope.draft, engine, start(values), start(output), &[], values.bytes()?)?;
    rows.for_each(scope, indices, |draft, engine, picks| {
        let (src, dst) =
            (rows.at(input, rows.picks, picks.first), rows.at(output, rows.rows, (picks.first.0, 0)));
        let ((dims, element), (at, index_strides)) = (rows.extents(picks)?, picks.fields()?);
        let task = DmaScatter {
            engine,
            element,
            axis: 4,
            rows: whole,
            src: address(draft, src)?,
            dims,
            src_strides: rows.strides(rows.picks),
            indices: at,
            index_strides,
            dst: address(draft, dst)?,
            dst_strides: rows.strides(rows.rows),
            ..DmaScatter::default()
        };
        let bufs = [("src", src.buffer), ("indices", picks.at.buffer), ("dst", dst.buffer)];
        draft.push(task.into(), &bufs)
    })
}
