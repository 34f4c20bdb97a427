//! `max_pool2d` and `avg_pool2d`.

use super::{expect_dtype, expect_rank, expect_zero_point, positions, tap};
use crate::arith::{Watch, apply_scale_32, reciprocal_scale};
use crate::tensor::for_each_index;
use crate::{Dtype, Invalid, Tensor, invalid, require};

/// Attributes of a pooling window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Extents: y, x.
    pub kernel: [usize; 2],
    /// Stride: y, x.
    pub stride: [usize; 2],
    /// Padding: top, bottom, left, right.
    pub pad: [usize; 4],
}

/// Shape of the result.
fn check(op: &'static str, x: &Tensor, pool: &Pool) -> Result<[usize; 4], Invalid> {
    expect_rank(op, "input", x, 4)?;
    expect_dtype(op, "input", x, &[Dtype::I8, Dtype::I16])?;
    let mut out = [x.shape[0], 0, 0, x.shape[3]];
    for axis in 0..2 {
        let [before, after] = [pool.pad[2 * axis], pool.pad[2 * axis + 1]];
        let kernel = pool.kernel[axis];
        // Ensures that no window lies entirely in the padding.
        require(
            before < kernel && after < kernel,
            op,
            format!("padding must be less than the kernel {kernel}"),
        )?;
        out[1 + axis] = positions(op, x.shape[1 + axis], before, after, kernel, pool.stride[axis])?;
    }
    Ok(out)
}

/// The elements under a window.
fn window(x: &Tensor, pool: &Pool, at: &[usize]) -> Vec<i64> {
    let mut values = Vec::new();
    for_each_index(&pool.kernel, |k| {
        let y = tap(at[1], pool.stride[0], k[0], 1, pool.pad[0], x.shape[1]);
        let x_at = tap(at[2], pool.stride[1], k[1], 1, pool.pad[2], x.shape[2]);
        if let (Some(y), Some(x_at)) = (y, x_at) {
            values.push(x.at(&[at[0], y, x_at, at[3]]));
        }
    });
    values
}

pub(crate) fn max(x: &Tensor, pool: &Pool) -> Result<Tensor, Invalid> {
    let shape = check("max_pool2d", x, pool)?;
    Tensor::from_fn(x.dtype, shape, |at| window(x, pool, at).into_iter().max().unwrap_or(x.dtype.min()))
}

pub(crate) fn avg(
    x: &Tensor,
    pool: &Pool,
    input_zp: i64,
    output_zp: i64,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "avg_pool2d";
    let shape = check(op, x, pool)?;
    expect_zero_point(op, "input zero point", x.dtype, input_zp)?;
    expect_zero_point(op, "output zero point", x.dtype, output_zp)?;
    if u32::try_from(pool.kernel[0].saturating_mul(pool.kernel[1])).is_err() {
        return invalid(op, "kernel is too large");
    }
    Tensor::from_fn(x.dtype, shape, |at| {
        let values = window(x, pool, at);
        let sum: i64 = values.iter().map(|value| value - input_zp).sum();
        let sum = watch.int32(i128::from(sum));
        let (multiplier, shift) = reciprocal_scale(values.len() as u32);
        let average = apply_scale_32(watch, sum, multiplier, shift, false);
        (average + output_zp).clamp(x.dtype.min(), x.dtype.max())
    })
}
