//! Reductions along one axis, which remains as an axis of extent 1.

use super::expect_dtype;
use crate::arith::Watch;
use crate::{Dtype, Invalid, Tensor, require};

/// The elements that contribute to each index of the result, folded by `f`.
pub(super) fn reduce(
    op: &'static str,
    x: &Tensor,
    axis: usize,
    mut f: impl FnMut(Vec<i64>) -> i64,
) -> Result<Tensor, Invalid> {
    require(axis < x.rank(), op, format!("there is no axis {axis} in rank {}", x.rank()))?;
    let mut shape = x.shape.clone();
    shape[axis] = 1;
    Tensor::from_fn(x.dtype, shape, |at| {
        let mut index = at.to_vec();
        let line = (0..x.shape[axis]).map(|i| {
            index[axis] = i;
            x.at(&index)
        });
        f(line.collect())
    })
}

pub(crate) fn sum(x: &Tensor, axis: usize, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_dtype("reduce_sum", "input", x, &[Dtype::I32])?;
    reduce("reduce_sum", x, axis, |line| {
        let mut sum = 0;
        for value in line {
            // Every partial sum must fit, not only the last.
            sum = watch.int32(i128::from(sum + value));
        }
        sum
    })
}

pub(crate) fn extremum(
    op: &'static str,
    x: &Tensor,
    axis: usize,
    of: fn(i64, i64) -> i64,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "input", x, &Dtype::ALL)?;
    reduce(op, x, axis, |line| line.into_iter().reduce(of).unwrap_or_default())
}
