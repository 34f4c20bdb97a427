//! `tile` and `reverse`.

use crate::{Invalid, Tensor, require};

pub(crate) fn tile(x: &Tensor, multiples: &[usize]) -> Result<Tensor, Invalid> {
    let op = "tile";
    require(x.rank() >= 1, op, "rank must be at least 1")?;
    let fits = multiples.len() == x.rank() && multiples.iter().all(|&m| m >= 1);
    require(fits, op, format!("{multiples:?} is not one multiple for each of {} axes", x.rank()))?;
    let shape: Vec<_> = x.shape.iter().zip(multiples).map(|(extent, m)| extent.saturating_mul(*m)).collect();
    Tensor::from_fn(x.dtype, shape, |at| {
        let index: Vec<_> = at.iter().zip(&x.shape).map(|(i, extent)| i % extent).collect();
        x.at(&index)
    })
}

pub(crate) fn reverse(x: &Tensor, axis: usize) -> Result<Tensor, Invalid> {
    require(axis < x.rank(), "reverse", format!("there is no axis {axis} in rank {}", x.rank()))?;
    Tensor::from_fn(x.dtype, x.shape.clone(), |at| {
        let mut index = at.to_vec();
        index[axis] = x.shape[axis] - 1 - index[axis];
        x.at(&index)
    })
}
