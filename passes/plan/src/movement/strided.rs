//! Strided copies and fills of any rank and size as DMA tasks.
//!
//! Dimensions that are contiguous on both sides are merged, and the elements made as wide as the alignment of all offsets and
//! strides allows. What still exceeds six dimensions or 32-bit extents is split into several tasks.

use dpu_isa::{DmaCopy, DmaFill, MemAddr};

use crate::dma::{At, Dim};
use crate::draft::Draft;
use crate::error::PlanError;

const RANK: usize = 6;
const MAX_EXTENT: u64 = u32::MAX as u64;
/// Cuts of dimensions that are too long keep the alignment.
const CUT: u64 = 1 << 31;

/// Appends the tasks that copy `dims` (outermost first) of elements of `element` contiguous bytes.
///
/// # Errors
/// A resource error beyond the maximum number of tasks of a draft, an internal error if an offset overflows.
pub(crate) fn copy(
    draft: &mut Draft,
    engine: u8,
    src: At,
    dst: At,
    dims: &[Dim],
    element: u64,
) -> Result<(), PlanError> {
    let (dims, element) = canonical(dims, element, src.offset | dst.offset, 16);
    emit(src, dst, &dims, &mut |src, dst, dims| {
        let (extents, src_strides, dst_strides) = fields(dims)?;
        let task = DmaCopy {
            engine,
            element,
            src: address(draft, src)?,
            dst: address(draft, dst)?,
            dims: extents,
            src_strides,
            dst_strides,
            ..DmaCopy::default()
        };
        draft.push(task.into(), &[("src", src.buffer), ("dst", dst.buffer)])
    })
}

/// Appends the tasks that write the low `element` bytes (1, 2 or 4) of `value` to all of `dims`; source strides are
/// ignored.
///
/// # Errors
/// As for [`copy`].
pub(crate) fn fill(
    draft: &mut Draft,
    engine: u8,
    dst: At,
    dims: &[Dim],
    element: u64,
    value: i32,
) -> Result<(), PlanError> {
    let one_sided: Vec<Dim> = dims.iter().map(|d| Dim { src: d.dst, ..*d }).collect();
    let (dims, wide) = canonical(&one_sided, element, dst.offset, 4);
    let [b0, b1, b2, b3] = value.to_le_bytes();
    let value = match element {
        1 => i32::from_le_bytes([b0; 4]),
        2 => i32::from_le_bytes([b0, b1, b0, b1]),
        _ => i32::from_le_bytes([b0, b1, b2, b3]),
    };
    emit(dst, dst, &dims, &mut |_, dst, dims| {
        let (extents, _, dst_strides) = fields(dims)?;
        let task = DmaFill {
            engine,
            element: wide,
            dst: address(draft, dst)?,
            dims: extents,
            dst_strides,
            value,
            ..DmaFill::default()
        };
        draft.push(task.into(), &[("dst", dst.buffer)])
    })
}

pub(super) fn address(draft: &Draft, place: At) -> Result<MemAddr, PlanError> {
    Ok(MemAddr { space: draft.buffer(place.buffer)?.space, offset: place.offset })
}

/// The dimensions merged and in units of the widest element, with that element's size, at most `widest` bytes.
pub(super) fn canonical(dims: &[Dim], element: u64, offsets: u64, widest: u64) -> (Vec<Dim>, u8) {
    let bytes = [Dim { extent: element, src: 1, dst: 1 }];
    let mut merged: Vec<Dim> = Vec::with_capacity(dims.len() + 1);
    for dim in dims.iter().chain(&bytes).filter(|d| d.extent != 1) {
        match merged.last_mut() {
            Some(outer)
                if dim.src.checked_mul(dim.extent) == Some(outer.src)
                    && dim.dst.checked_mul(dim.extent) == Some(outer.dst)
                    && outer.extent.checked_mul(dim.extent).is_some() =>
            {
                *outer = Dim { extent: outer.extent * dim.extent, ..*dim };
            }
            _ => merged.push(*dim),
        }
    }
    // Only the last dimension can be contiguous; without one, elements are single bytes.
    let run = merged.last().filter(|d| d.src == 1 && d.dst == 1).map_or(1, |d| d.extent);
    let outer = merged.iter().filter(|d| (d.src, d.dst) != (1, 1));
    let mixed = outer.fold(offsets | run | widest, |bits, d| bits | d.src | d.dst);
    let wide = 1u64 << mixed.trailing_zeros();
    if let Some(last) = merged.last_mut()
        && (last.src, last.dst) == (1, 1)
    {
        *last = Dim { extent: run / wide, src: wide, dst: wide };
    }
    merged.retain(|d| d.extent != 1);
    // At most 16 by construction.
    (merged, u8::try_from(wide).unwrap_or(1))
}

/// Calls `push` for pieces of at most six dimensions with 32-bit extents.
fn emit(
    src: At,
    dst: At,
    dims: &[Dim],
    push: &mut impl FnMut(At, At, &[Dim]) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    if let Some(long) = dims.iter().position(|d| d.extent > MAX_EXTENT) {
        let mut part = dims.to_vec();
        let whole = dims[long];
        let mut from = 0;
        while from < whole.extent {
            part[long].extent = CUT.min(whole.extent - from);
            emit(src.advanced(from, whole.src)?, dst.advanced(from, whole.dst)?, &part, push)?;
            from += CUT;
        }
        return Ok(());
    }
    if let ([outer, inner @ ..], true) = (dims, dims.len() > RANK) {
        for i in 0..outer.extent {
            emit(src.advanced(i, outer.src)?, dst.advanced(i, outer.dst)?, inner, push)?;
        }
        return Ok(());
    }
    push(src, dst, dims)
}

/// The instruction fields of at most six dimensions.
#[allow(clippy::type_complexity, reason = "the three arrays of a DMA task")]
fn fields(dims: &[Dim]) -> Result<([u32; RANK], [u64; RANK], [u64; RANK]), PlanError> {
    let (mut extents, mut src, mut dst) = ([1; RANK], [0; RANK], [0; RANK]);
    for (i, dim) in dims.iter().rev().enumerate() {
        let at =
            RANK.checked_sub(i + 1).ok_or_else(|| PlanError::internal("a copy of too many dimensions"))?;
        extents[at] = u32::try_from(dim.extent).map_err(|_| PlanError::internal("a copy too long"))?;
        (src[at], dst[at]) = (dim.src, dim.dst);
    }
    Ok((extents, src, dst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::BufferId;

    fn dim(extent: u64, src: u64, dst: u64) -> Dim {
        Dim { extent, src, dst }
    }

    #[test]
    fn contiguous_dimensions_merge_and_widen() {
        // 3 x 4 elements of 4 bytes, contiguous on both sides.
        assert_eq!(canonical(&[dim(3, 16, 16), dim(4, 4, 4)], 4, 0, 16), (vec![dim(3, 16, 16)], 16));
        assert_eq!(canonical(&[dim(3, 16, 16), dim(4, 4, 4)], 4, 8, 16), (vec![dim(6, 8, 8)], 8));
        // A gap in the source.
        assert_eq!(
            canonical(&[dim(3, 20, 16), dim(4, 4, 4)], 4, 0, 16),
            (vec![dim(3, 20, 16), dim(4, 4, 4)], 4)
        );
        // A transpose of bytes stays one of bytes.
        assert_eq!(canonical(&[dim(2, 1, 3), dim(3, 2, 1)], 1, 0, 16), (vec![dim(2, 1, 3), dim(3, 2, 1)], 1));
        assert_eq!(canonical(&[dim(1, 9, 9)], 1, 0, 16), (vec![], 1));
    }

    #[test]
    fn long_and_deep_copies_are_cut() {
        let at = |offset| At { buffer: BufferId::from_index(0).unwrap(), offset };
        let mut seen = Vec::new();
        let dims = [dim(2, 1 << 36, 1 << 35), dim((1 << 32) + 5, 2, 1)];
        emit(at(0), at(7), &dims, &mut |s, d, dims| {
            seen.push((s.offset, d.offset, dims.last().map(|d| d.extent)));
            Ok(())
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                (0, 7, Some(1 << 31)),
                (1 << 32, 7 + (1 << 31), Some(1 << 31)),
                (1 << 33, 7 + (1 << 32), Some(5))
            ]
        );
        let deep: Vec<Dim> = (0..8).map(|i| dim(2, 3 << (2 * i), 1 << i)).rev().collect();
        let mut count = 0;
        emit(at(0), at(0), &deep, &mut |_, _, dims| {
            count += 1;
            assert_eq!(dims.len(), RANK);
            Ok(())
        })
        .unwrap();
        assert_eq!(count, 4);
    }
}
