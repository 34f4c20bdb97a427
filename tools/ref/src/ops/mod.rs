//! The operators, one file per family. Each function first refuses what the specification refuses, then computes.

pub(crate) mod conv;
pub(crate) mod elementwise;
pub(crate) mod layout;
pub(crate) mod logical;
pub(crate) mod matmul;
pub(crate) mod pool;
pub(crate) mod reduce;
pub(crate) mod repeat;
pub(crate) mod rescale;
pub(crate) mod resize;
pub(crate) mod selected;
pub(crate) mod table;
pub(crate) mod transposed;

use crate::{Dtype, Invalid, Tensor, require};

/// Refuses operands of another type.
fn expect_dtype(op: &'static str, what: &str, tensor: &Tensor, allowed: &[Dtype]) -> Result<(), Invalid> {
    let names: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    let fits = allowed.contains(&tensor.dtype);
    require(fits, op, format!("{what} must be {}, got {}", names.join(" or "), tensor.dtype))
}

/// Refuses operands of another rank.
fn expect_rank(op: &'static str, what: &str, tensor: &Tensor, rank: usize) -> Result<(), Invalid> {
    require(tensor.rank() == rank, op, format!("{what} must have rank {rank}, got {}", tensor.rank()))
}

/// Refuses a zero point beyond int8, and any but 0 where the type has none.
fn expect_zero_point(op: &'static str, what: &str, dtype: Dtype, zp: i64) -> Result<(), Invalid> {
    let allowed = if dtype == Dtype::I8 { (-128..=127).contains(&zp) } else { zp == 0 };
    require(allowed, op, format!("{what} of {dtype} cannot be {zp}"))
}

/// Number of window positions along an axis. TOSA requires the last one to end exactly at the end.
fn positions(
    op: &'static str,
    extent: usize,
    before: usize,
    after: usize,
    window: usize,
    stride: usize,
) -> Result<usize, Invalid> {
    require(window >= 1 && stride >= 1, op, "window and stride must be at least 1")?;
    let padded = extent.saturating_add(before).saturating_add(after);
    // Positions are int32 in the specification; this also keeps the arithmetic of taps from overflowing.
    require(padded <= i32::MAX as usize, op, format!("an axis of {padded} is too long"))?;
    require(padded >= window, op, format!("a window of {window} does not fit in {padded}"))?;
    let free = padded - window;
    require(free.is_multiple_of(stride), op, format!("{free} is not a multiple of stride {stride}"))?;
    Ok(free / stride + 1)
}

/// Position of a window's tap in the unpadded axis, if it is inside.
fn tap(
    position: usize,
    stride: usize,
    tap: usize,
    dilation: usize,
    before: usize,
    extent: usize,
) -> Option<usize> {
    (position * stride + tap * dilation).checked_sub(before).filter(|&at| at < extent)
}
