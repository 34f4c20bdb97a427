//! Operators whose result depends on positions: `argmax`, `gather` and `scatter`.

use super::{expect_dtype, expect_rank};
use crate::arith::Watch;
use crate::{Dtype, Invalid, Tensor, require};

pub(crate) fn argmax(x: &Tensor, axis: usize) -> Result<Tensor, Invalid> {
    let op = "argmax";
    expect_dtype(op, "input", x, &[Dtype::I8, Dtype::I16])?;
    require(axis < x.rank(), op, format!("there is no axis {axis} in rank {}", x.rank()))?;
    let mut shape = x.shape.clone();
    shape.remove(axis);
    Tensor::from_fn(Dtype::I32, shape, |at| {
        let mut index = at.to_vec();
        index.insert(axis, 0);
        let mut best = 0;
        let mut greatest = x.dtype.min();
        for i in 0..x.shape[axis] {
            index[axis] = i;
            let value = x.at(&index);
            if value > greatest {
                (best, greatest) = (i, value);
            }
        }
        best as i64
    })
}

/// Checks `[N, K, C]` values against `[N, W]` indices.
fn expect_indices(op: &'static str, values: &Tensor, indices: &Tensor) -> Result<(), Invalid> {
    expect_rank(op, "values", values, 3)?;
    expect_rank(op, "indices", indices, 2)?;
    expect_dtype(op, "indices", indices, &[Dtype::I32])?;
    let fits = values.shape[0] == indices.shape[0];
    require(fits, op, format!("values and indices have {} and {} batches", values.shape[0], indices.shape[0]))
}

/// The row that an index names; 0 where there is none, which the specification does not define.
fn row(watch: &mut Watch, index: i64, rows: usize) -> usize {
    let found = usize::try_from(index).ok().filter(|&row| row < rows);
    watch.demand(found.is_some());
    found.unwrap_or(0)
}

pub(crate) fn gather(values: &Tensor, indices: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_indices("gather", values, indices)?;
    let shape = [indices.shape[0], indices.shape[1], values.shape[2]];
    Tensor::from_fn(values.dtype, shape, |at| {
        let k = row(watch, indices.at(&at[..2]), values.shape[1]);
        values.at(&[at[0], k, at[2]])
    })
}

pub(crate) fn scatter(
    values: &Tensor,
    indices: &Tensor,
    input: &Tensor,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "scatter";
    expect_indices(op, values, indices)?;
    expect_dtype(op, "input", input, &[values.dtype])?;
    let shape = [indices.shape[0], indices.shape[1], values.shape[2]];
    require(input.shape == shape, op, format!("input must have shape {shape:?}, got {:?}", input.shape))?;
    let mut result = values.clone();
    let mut modified = vec![false; values.data.len()];
    crate::tensor::for_each_index(&shape, |at| {
        let k = row(watch, indices.at(&at[..2]), values.shape[1]);
        let to = values.offset(&[at[0], k, at[2]]);
        watch.demand(!modified[to]);
        modified[to] = true;
        result.data[to] = input.at(at);
    });
    Ok(result)
}
