//! Element by element, with broadcasting: both ranks are equal, and an axis of extent 1 stretches.

use super::{expect_dtype, expect_zero_point};
use crate::arith::Watch;
use crate::{Dtype, Invalid, Tensor, invalid, require};

/// The common shape of two operands.
fn broadcast(op: &'static str, a: &Tensor, b: &Tensor) -> Result<Vec<usize>, Invalid> {
    require(a.rank() == b.rank(), op, format!("ranks {} and {} differ", a.rank(), b.rank()))?;
    require(a.dtype == b.dtype, op, format!("types {} and {} differ", a.dtype, b.dtype))?;
    let axes = a.shape.iter().zip(&b.shape).map(|(&a_extent, &b_extent)| match (a_extent, b_extent) {
        (1, extent) | (extent, 1) => Ok(extent),
        _ if a_extent == b_extent => Ok(a_extent),
        _ => invalid(op, format!("shapes {:?} and {:?} do not broadcast", a.shape, b.shape)),
    });
    axes.collect()
}

/// The result of `f` on every pair of elements.
pub(super) fn zip(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    to: Dtype,
    mut f: impl FnMut(i64, i64) -> i64,
) -> Result<Tensor, Invalid> {
    let shape = broadcast(op, a, b)?;
    Tensor::from_fn(to, shape, |at| f(a.at_broadcast(at), b.at_broadcast(at)))
}

/// The result of `f` on every element.
pub(super) fn map(x: &Tensor, to: Dtype, f: impl FnMut(i64) -> i64) -> Result<Tensor, Invalid> {
    Tensor::new(to, x.shape.clone(), x.data.iter().copied().map(f).collect::<Vec<_>>())
}

pub(crate) fn add(a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_dtype("add", "a", a, &[Dtype::I32])?;
    zip("add", a, b, Dtype::I32, |a, b| watch.int32(i128::from(a) + i128::from(b)))
}

pub(crate) fn sub(a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_dtype("sub", "a", a, &[Dtype::I32])?;
    zip("sub", a, b, Dtype::I32, |a, b| watch.int32(i128::from(a) - i128::from(b)))
}

pub(crate) fn mul(a: &Tensor, b: &Tensor, shift: i64, watch: &mut Watch) -> Result<Tensor, Invalid> {
    let op = "mul";
    let shifts = if a.dtype == Dtype::I32 { 0..=63 } else { 0..=0 };
    require(shifts.contains(&shift), op, format!("shift of {} cannot be {shift}", a.dtype))?;
    zip(op, a, b, Dtype::I32, |a, b| {
        let product = i128::from(a) * i128::from(b);
        if shift == 0 {
            // The low 32 bits, by definition.
            Dtype::I32.wrap(product)
        } else {
            watch.int32((product + (1 << (shift - 1))) >> shift)
        }
    })
}

pub(crate) fn extremum(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    of: fn(i64, i64) -> i64,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "a", a, &[Dtype::I32])?;
    zip(op, a, b, Dtype::I32, of)
}

pub(crate) fn arithmetic_right_shift(
    a: &Tensor,
    b: &Tensor,
    round: bool,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let bits = i64::from(a.dtype.bits());
    zip("arithmetic_right_shift", a, b, a.dtype, |value, shift| {
        watch.demand((0..bits).contains(&shift));
        // Beyond the width the machine takes the low five bits.
        let shift = shift.rem_euclid(32);
        let up = round && shift > 0 && (value >> (shift - 1)) & 1 == 1;
        a.dtype.wrap(i128::from((value >> shift) + i64::from(up)))
    })
}

pub(crate) fn logical_left_shift(a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    let bits = i64::from(a.dtype.bits());
    zip("logical_left_shift", a, b, a.dtype, |value, shift| {
        watch.demand((0..bits).contains(&shift));
        a.dtype.wrap(i128::from(value) << shift.rem_euclid(32))
    })
}

pub(crate) fn logical_right_shift(a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    let bits = i64::from(a.dtype.bits());
    zip("logical_right_shift", a, b, a.dtype, |value, shift| {
        watch.demand((0..bits).contains(&shift));
        // The bits of the type, without sign.
        let unsigned = value.rem_euclid(1 << bits);
        a.dtype.wrap(i128::from(unsigned >> shift.rem_euclid(32)))
    })
}

pub(crate) fn bitwise(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    of: fn(i64, i64) -> i64,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "a", a, &Dtype::ALL)?;
    zip(op, a, b, a.dtype, of)
}

pub(crate) fn bitwise_not(x: &Tensor) -> Result<Tensor, Invalid> {
    expect_dtype("bitwise_not", "input", x, &Dtype::ALL)?;
    map(x, x.dtype, |value| !value)
}

pub(crate) fn intdiv(a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_dtype("intdiv", "a", a, &[Dtype::I32])?;
    zip("intdiv", a, b, Dtype::I32, |a, b| {
        watch.demand(b != 0);
        watch.int32(i128::from(a.checked_div(b).unwrap_or(0)))
    })
}

pub(crate) fn clamp(x: &Tensor, min: i64, max: i64) -> Result<Tensor, Invalid> {
    let op = "clamp";
    expect_dtype(op, "input", x, &[Dtype::I8, Dtype::I16])?;
    let fits = min <= max && min >= x.dtype.min() && max <= x.dtype.max();
    require(fits, op, format!("{min}..={max} is not a range of {}", x.dtype))?;
    map(x, x.dtype, |value| value.clamp(min, max))
}

pub(crate) fn abs(x: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    expect_dtype("abs", "input", x, &[Dtype::I32])?;
    map(x, Dtype::I32, |value| watch.int32(i128::from(value.abs())))
}

pub(crate) fn negate(
    x: &Tensor,
    input_zp: i64,
    output_zp: i64,
    watch: &mut Watch,
) -> Result<Tensor, Invalid> {
    let op = "negate";
    expect_zero_point(op, "input zero point", x.dtype, input_zp)?;
    expect_zero_point(op, "output zero point", x.dtype, output_zp)?;
    map(x, x.dtype, |value| {
        let negated = watch.int32(i128::from(input_zp - value));
        (negated + output_zp).clamp(x.dtype.min(), x.dtype.max())
    })
}

pub(crate) fn clz(x: &Tensor) -> Result<Tensor, Invalid> {
    expect_dtype("clz", "input", x, &[Dtype::I32])?;
    map(x, Dtype::I32, |value| (0..32).take_while(|bit| (value >> (31 - bit)) & 1 == 0).count() as i64)
}

pub(crate) fn cast(x: &Tensor, to: Dtype) -> Result<Tensor, Invalid> {
    map(x, to, |value| if to == Dtype::Bool { i64::from(value != 0) } else { to.wrap(i128::from(value)) })
}
