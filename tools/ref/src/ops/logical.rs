//! Operators that make or read Booleans.

use super::elementwise::{map, zip};
use super::{expect_dtype, reduce};
use crate::{Dtype, Invalid, Tensor, require};

pub(crate) fn compare(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    of: fn(i64, i64) -> bool,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "a", a, &[Dtype::I32])?;
    zip(op, a, b, Dtype::Bool, |a, b| of(a, b).into())
}

pub(crate) fn combine(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    of: fn(bool, bool) -> bool,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "a", a, &[Dtype::Bool])?;
    zip(op, a, b, Dtype::Bool, |a, b| of(a != 0, b != 0).into())
}

pub(crate) fn not(x: &Tensor) -> Result<Tensor, Invalid> {
    expect_dtype("logical_not", "input", x, &[Dtype::Bool])?;
    map(x, Dtype::Bool, |bit| i64::from(bit == 0))
}

pub(crate) fn reduce(
    op: &'static str,
    x: &Tensor,
    axis: usize,
    of: fn(i64, i64) -> i64,
) -> Result<Tensor, Invalid> {
    expect_dtype(op, "input", x, &[Dtype::Bool])?;
    reduce::reduce(op, x, axis, |line| line.into_iter().reduce(of).unwrap_or_default())
}

/// The three operands broadcast to one shape.
pub(crate) fn select(cond: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor, Invalid> {
    let op = "select";
    expect_dtype(op, "condition", cond, &[Dtype::Bool])?;
    expect_dtype(op, "b", b, &[a.dtype])?;
    let rank = cond.rank();
    require(a.rank() == rank && b.rank() == rank, op, "ranks differ")?;
    let mut shape = vec![1; rank];
    for tensor in [cond, a, b] {
        for (extent, &other) in shape.iter_mut().zip(&tensor.shape).filter(|(_, other)| **other != 1) {
            require(*extent == 1 || *extent == other, op, format!("{:?} does not broadcast", tensor.shape))?;
            *extent = other;
        }
    }
    Tensor::from_fn(a.dtype, shape, |at| {
        if cond.at_broadcast(at) != 0 { a.at_broadcast(at) } else { b.at_broadcast(at) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;

    #[test]
    fn selections_broadcast_all_operands() {
        let cond = Tensor::new(Dtype::Bool, [2, 1], [1, 0]).unwrap();
        let a = Tensor::new(Dtype::I8, [1, 2], [3, 4]).unwrap();
        let b = Tensor::new(Dtype::I8, [1, 1], [-9]).unwrap();
        let chosen = Op::Select.eval(&[&cond, &a, &b]).unwrap().tensor;
        assert_eq!((chosen.shape, chosen.data), (vec![2, 2], vec![3, 4, -9, -9]));
        let text = |result: Result<Tensor, Invalid>| result.unwrap_err().to_string();
        let wide = Tensor::new(Dtype::I8, [1, 3], [0, 0, 0]).unwrap();
        assert_eq!(text(select(&cond, &a, &wide)), "select: [1, 3] does not broadcast");
        let flat = Tensor::new(Dtype::I8, [1], [0]).unwrap();
        assert_eq!(text(select(&cond, &a, &flat)), "select: ranks differ");
        assert_eq!(text(not(&a)), "logical_not: input must be i1, got i8");
    }

    #[test]
    fn casts_say_whether_a_value_is_not_0() {
        let x = Tensor::new(Dtype::I16, [3], [-256, 0, 2]).unwrap();
        let bits = Op::Cast { to: Dtype::Bool }.eval(&[&x]).unwrap().tensor;
        assert_eq!((bits.dtype, bits.data), (Dtype::Bool, vec![1, 0, 1]));
    }
}
