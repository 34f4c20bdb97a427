//! Operators that make or read Booleans.

use super::builder::Builder;
use super::operands::{any_argument, broadcast_shapes, two_operands};
use crate::{Dtype, Invalid, NodeId, Op};

/// A comparison, in which many values are equal.
fn compare(b: &mut Builder, op: Op) -> Result<Option<NodeId>, Invalid> {
    let [left, right] = broadcast_shapes(b);
    let bits = b.rng.pick(&[2, 4, 32]);
    let left = b.random_bits(Dtype::I32, bits, &left)?;
    let left = b.input(left);
    let right = b.random_bits(Dtype::I32, bits, &right)?;
    let right = b.either(right, 40);
    let operands = if b.rng.chance(50) { [left, right] } else { [right, left] };
    b.op(op, operands)
}

pub(crate) fn equal(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    compare(b, Op::Equal)
}

pub(crate) fn greater(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    compare(b, Op::Greater)
}

pub(crate) fn greater_equal(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    compare(b, Op::GreaterEqual)
}

/// A selection whose operands broadcast to one shape.
pub(crate) fn select(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [cond, left] = broadcast_shapes(b);
    let whole: Vec<_> = cond.iter().zip(&left).map(|(&x, &y)| x.max(y)).collect();
    let right = if b.rng.chance(60) { whole } else { vec![1; whole.len()] };
    let dtype = b.rng.pick(&Dtype::EVERY);
    let cond = b.argument(Dtype::Bool, &cond)?;
    let (left, right) = (b.random(dtype, &left)?, b.random(dtype, &right)?);
    let (left, right) = (b.either(left, 30), b.either(right, 30));
    let operands = if b.rng.chance(50) { [cond, left, right] } else { [cond, right, left] };
    b.op(Op::Select, operands)
}

fn combine(b: &mut Builder, op: Op) -> Result<Option<NodeId>, Invalid> {
    let operands = two_operands(b, Dtype::Bool)?;
    b.op(op, operands)
}

pub(crate) fn and(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    combine(b, Op::LogicalAnd)
}

pub(crate) fn or(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    combine(b, Op::LogicalOr)
}

pub(crate) fn xor(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    combine(b, Op::LogicalXor)
}

pub(crate) fn not(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::Bool])?;
    b.op(Op::LogicalNot, [x])
}

pub(crate) fn reduce_all(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::Bool])?;
    let axis = b.rng.below(b.value(x).rank());
    b.op(Op::ReduceAll { axis }, [x])
}

pub(crate) fn reduce_any(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::Bool])?;
    let axis = b.rng.below(b.value(x).rank());
    b.op(Op::ReduceAny { axis }, [x])
}

/// A selection between an existing value and another, where comparisons of it hold.
pub(crate) fn choice_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let (dtype, shape) = (b.value(x).dtype, b.value(x).shape.clone());
    let wide = if dtype == Dtype::I32 { x } else { b.must(Op::Cast { to: Dtype::I32 }, [x])? };
    let mut holds = [x; 2];
    for cond in &mut holds {
        let mut other: Vec<_> = shape.clone();
        other.iter_mut().for_each(|extent| *extent = if b.rng.chance(50) { 1 } else { *extent });
        let bits = b.rng.pick(&[6, 8, 16]);
        let other = b.random_bits(Dtype::I32, bits, &other)?;
        let other = b.either(other, 70);
        let op = b.rng.pick(&[Op::Equal, Op::Greater, Op::GreaterEqual]);
        *cond = b.must(op, [wide, other])?;
    }
    let op = b.rng.pick(&[Op::LogicalAnd, Op::LogicalOr, Op::LogicalXor]);
    let mut cond = b.must(op, holds)?;
    if b.rng.chance(40) {
        cond = b.must(Op::LogicalNot, [cond])?;
    }
    if !shape.is_empty() && b.rng.chance(40) {
        let axis = b.rng.below(shape.len());
        let op = b.rng.pick(&[Op::ReduceAll { axis }, Op::ReduceAny { axis }]);
        cond = b.must(op, [cond])?;
    }
    if b.rng.chance(30) {
        return b.op(Op::Cast { to: dtype }, [cond]);
    }
    let other = b.random(dtype, &vec![1; shape.len()])?;
    let other = b.either(other, 50);
    b.op(Op::Select, [cond, x, other])
}
