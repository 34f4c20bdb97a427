//! Reductions of codes. Invariant: the count of a mean is part of the factor, as in the kernel, so that it is rounded once.

use super::Factor;
use super::arithmetic::{lifted, lowered};
use crate::tosa::{Builder, Codes, Fault, Id};

/// A mean along axes, which stay with extent 1.
pub(crate) fn mean(build: &mut Builder, x: Id, axes: &[usize], from: Codes, to: Codes) -> Result<Id, Fault> {
    let shape = build.graph().shape(x);
    let count = axes
        .iter()
        .filter_map(|&a| shape.get(a))
        .try_fold(1_i64, |n, &d| n.checked_mul(i64::try_from(d).ok()?));
    let count = count.filter(|&n| n > 0).ok_or_else(|| fault(axes))?;
    let Factor { multiplier, shift } = Factor::of(from.scale / to.scale)?;
    let bits = i32::try_from(count.ilog2()).unwrap_or(32).min(32).min(31 + shift);
    if bits < 0 {
        return Err(fault(axes));
    }
    let shifted = (i64::from(multiplier) << bits) / count;
    let multiplier = i32::try_from(shifted).map_err(|_| fault(axes))?;
    reduced(build, x, axes, [from, to], Factor { multiplier, shift: shift - bits })
}

/// A sum along axes, which stay with extent 1.
pub(crate) fn sum(build: &mut Builder, x: Id, axes: &[usize], from: Codes, to: Codes) -> Result<Id, Fault> {
    let factor = Factor::of(from.scale / to.scale)?;
    reduced(build, x, axes, [from, to], factor)
}

fn reduced(
    build: &mut Builder,
    x: Id,
    axes: &[usize],
    [from, to]: [Codes; 2],
    factor: Factor,
) -> Result<Id, Fault> {
    let mut sums = lifted(build, x, from.zero_point, 0)?;
    for &axis in axes {
        sums = build.reduce("reduce_sum", sums, axis)?;
    }
    lowered(build, sums, factor, to.zero_point)
}

fn fault(axes: &[usize]) -> Fault {
    Fault { op: "reduce_sum", reason: format!("a mean along {axes:?}") }
}
