//! `matmul`, batched.

use super::{expect_dtype, expect_rank, expect_zero_point};
use crate::arith::Watch;
use crate::{Dtype, Invalid, Tensor, require};

pub(crate) fn matmul(
    a: &Tensor,
    b: &Tensor,
    a_zp: i64,
    b_zp: i64,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "matmul";
    expect_rank(op, "a", a, 3)?;
    expect_rank(op, "b", b, 3)?;
    expect_dtype(op, "a", a, &[Dtype::I8])?;
    expect_dtype(op, "b", b, &[Dtype::I8])?;
    expect_zero_point(op, "zero point of a", a.dtype, a_zp)?;
    expect_zero_point(op, "zero point of b", b.dtype, b_zp)?;
    let fits = a.shape[0] == b.shape[0] && a.shape[2] == b.shape[1];
    require(fits, op, format!("shapes {:?} and {:?} do not go together", a.shape, b.shape))?;
    Tensor::from_fn(Dtype::I32, [a.shape[0], a.shape[1], b.shape[2]], |at| {
        let products =
            (0..a.shape[2]).map(|c| (a.at(&[at[0], at[1], c]) - a_zp) * (b.at(&[at[0], c, at[2]]) - b_zp));
        watch.int32(i128::from(products.sum::<i64>()))
    })
}
