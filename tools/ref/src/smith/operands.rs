//! Operands of operators that take any shape.

use super::builder::Builder;
use crate::{Dtype, Invalid, NodeId};

/// An argument of any rank and type.
pub(super) fn any_argument(b: &mut Builder, dtypes: &[Dtype]) -> Result<NodeId, Invalid> {
    let dtype = b.rng.pick(dtypes);
    let rank = b.rng.between(1, 6);
    let shape = b.rng.shape(rank, b.budget.elements);
    b.argument(dtype, &shape)
}

/// Two shapes that broadcast to one.
pub(super) fn broadcast_shapes(b: &mut Builder) -> [Vec<usize>; 2] {
    let rank = b.rng.between(1, 6);
    let shape = b.rng.shape(rank, b.budget.elements);
    let [mut left, mut right] = [shape.clone(), shape];
    let style = b.rng.below(4);
    for (left, right) in left.iter_mut().zip(&mut right) {
        // None, some of one side, some of both, all of one side.
        match style {
            1 if b.rng.chance(50) => *right = 1,
            2 if b.rng.chance(60) => *(if b.rng.chance(50) { left } else { right }) = 1,
            3 => *right = 1,
            _ => {}
        }
    }
    if b.rng.chance(50) { [left, right] } else { [right, left] }
}

/// Two operands, at least one of them an argument.
pub(super) fn two_operands(b: &mut Builder, dtype: Dtype) -> Result<[NodeId; 2], Invalid> {
    let [left, right] = broadcast_shapes(b);
    let left = b.argument(dtype, &left)?;
    if b.value(left).shape == right && b.rng.chance(5) {
        return Ok([left, left]);
    }
    let right = b.random(dtype, &right)?;
    let right = b.either(right, 40);
    Ok(if b.rng.chance(50) { [left, right] } else { [right, left] })
}
