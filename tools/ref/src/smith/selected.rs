//! Operators whose result depends on positions: `argmax`, `gather`, `scatter` and `resize`.

use super::builder::{Builder, permutation};
use super::layers::shares;
use crate::{Dtype, Invalid, NodeId, Op, Resize, Tensor};

/// An index of the greatest values of a new argument.
pub(crate) fn argmax(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&[Dtype::I8, Dtype::I16]);
    let rank = b.rng.between(1, 6);
    let shape = b.rng.shape(rank, b.budget.elements);
    let x = b.argument(dtype, &shape)?;
    argmax_of(b, x)
}

/// An index of the greatest values of an existing value, which is i8 or i16.
pub(crate) fn argmax_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let rank = b.value(x).rank();
    if rank == 0 {
        return Ok(None);
    }
    let axis = b.rng.below(rank);
    b.op(Op::ArgMax { axis }, [x])
}

/// Extents of `[lists, rows, picks, channels]`.
fn extents(b: &mut Builder) -> [usize; 4] {
    let (elements, most) = (b.budget.elements, b.budget.elements);
    let lists = b.rng.pick(&[1, 1, 2, 3]);
    let [rows, channels] = shares(b, elements / lists, [most, most]);
    let picks = b.rng.extent((elements / (lists * channels)).max(1));
    [lists, rows, picks, channels]
}

/// For each list, indices of rows in any order.
fn indices(b: &mut Builder, lists: usize, picks: usize, rows: usize) -> Result<NodeId, Invalid> {
    let data: Vec<_> = (0..lists * picks).map(|_| b.rng.below(rows) as i64).collect();
    let indices = Tensor::new(Dtype::I32, [lists, picks], data)?;
    Ok(b.either(indices, 40))
}

/// A gather from a new argument.
pub(crate) fn gather(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [lists, rows, picks, channels] = extents(b);
    let dtype = b.rng.pick(&Dtype::ALL);
    let values = b.argument(dtype, &[lists, rows, channels])?;
    let indices = indices(b, lists, picks, rows)?;
    b.op(Op::Gather, [values, indices])
}

/// A gather from an existing value.
pub(crate) fn gather_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let value = b.value(x);
    let (elements, inner) = (value.data.len(), value.shape.last().copied().unwrap_or(1));
    let rows = elements / inner;
    let values = b.must(Op::Reshape { shape: vec![1, rows, inner] }, [x])?;
    let picks = b.rng.between(1, (b.budget.elements / inner).clamp(1, 20));
    let indices = indices(b, 1, picks, rows)?;
    b.op(Op::Gather, [values, indices])
}

/// For each list, indices of different rows.
fn different(b: &mut Builder, lists: usize, picks: usize, rows: usize) -> Result<NodeId, Invalid> {
    let mut data = Vec::new();
    for _ in 0..lists {
        data.extend(permutation(&mut b.rng, rows).into_iter().take(picks).map(|row| row as i64));
    }
    let indices = Tensor::new(Dtype::I32, [lists, picks], data)?;
    Ok(b.either(indices, 40))
}

/// A scatter into a new argument.
pub(crate) fn scatter(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [lists, rows, picks, channels] = extents(b);
    let dtype = b.rng.pick(&Dtype::ALL);
    let picks = picks.min(rows);
    let values = b.argument(dtype, &[lists, rows, channels])?;
    let indices = different(b, lists, picks, rows)?;
    let input = b.random(dtype, &[lists, picks, channels])?;
    let input = b.either(input, 30);
    b.op(Op::Scatter, [values, indices, input])
}

/// A scatter into an existing value.
pub(crate) fn scatter_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let value = b.value(x);
    let (dtype, elements, inner) = (value.dtype, value.data.len(), value.shape.last().copied().unwrap_or(1));
    let rows = elements / inner;
    let values = b.must(Op::Reshape { shape: vec![1, rows, inner] }, [x])?;
    let picks = b.rng.between(1, rows.min(20));
    let indices = different(b, 1, picks, rows)?;
    let input = b.random(dtype, &[1, picks, inner])?;
    let input = b.either(input, 50);
    b.op(Op::Scatter, [values, indices, input])
}

/// A resize of a new argument.
pub(crate) fn resize(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&[Dtype::I8, Dtype::I8, Dtype::I16]);
    let batch = b.rng.pick(&[1, 1, 2]);
    let limit = b.budget.positions;
    let [height, width, channels] = shares(b, b.budget.elements / batch, [limit, limit, b.budget.channels]);
    let x = b.argument(dtype, &[batch, height, width, channels])?;
    resize_of(b, x)
}

/// A resize of an existing image, i8 or i16, if the result is small enough.
pub(crate) fn resize_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let value = b.value(x);
    let bilinear = value.dtype == Dtype::I8;
    let (mut elements, image) = (value.shape[0] * value.shape[3], [value.shape[1], value.shape[2]]);
    let bilinear = bilinear && b.rng.chance(60);
    let (mut scale, mut offset, mut border) = ([1; 4], [0; 2], [0; 2]);
    for axis in 0..2 {
        let n = b.rng.pick(&[1, 2, 2, 3, 4, 8, 16, 256, 2048]);
        let d = if b.rng.chance(70) { b.rng.int(1, (2 * n).min(8)) } else { b.rng.int(1, 16 * n - 1) };
        let mut last = (image[axis] as i64 - 1) * n;
        offset[axis] = if b.rng.chance(60) { b.rng.int(-n, n.min(last)) } else { 0 };
        last -= offset[axis];
        // The last result must be at a multiple of the step: the border takes the rest.
        let least = (last - 16 * n).max(0);
        let most = last + n - 1;
        let end = b.rng.int(least, most) / d * d;
        let end = if end < least { end + d } else { end };
        if end > most {
            return Ok(None);
        }
        border[axis] = end - last;
        (scale[2 * axis], scale[2 * axis + 1]) = (n, d);
        elements *= (end / d + 1) as usize;
    }
    if elements > b.budget.elements.max(1 << 12) * 4 {
        return Ok(None);
    }
    b.op(Op::Resize(Resize { bilinear, scale, offset, border }), [x])
}
