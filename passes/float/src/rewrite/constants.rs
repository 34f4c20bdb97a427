//! Constants computed once and for all.

use ndarray::IxDyn;

use super::{Rule, Sweep};
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op};
use crate::{Invalid, Tensor, eval};

/// Constants do not become larger than this many elements and their operands by folding.
const MAX_GROWTH: usize = 1 << 16;

pub(super) const RULES: &[Rule] = &[fold, merge_reshapes, merge_products];

/// Products of constants this near to 1 are 1: what is left of a sum made a mean.
const NEAR_ONE: f32 = 4.0 * f32::EPSILON;

/// Two reshapes are one.
pub(super) fn merge_reshapes(
    cx: &mut Sweep,
    node: &Node,
    operands: &[ValueId],
) -> Result<Option<ValueId>, Invalid> {
    let (Op::Reshape { shape }, &[x]) = (&node.op, operands) else { return Ok(None) };
    match cx.made_by(x) {
        Some((Op::Reshape { .. }, inner)) => match inner.as_slice() {
            &[inner] => cx.reshaped(inner, shape).map(Some),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// A product with one number after a product with another.
fn merge_products(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let Some((x, outer)) = scaled(cx, &node.op, operands) else { return Ok(None) };
    let (from, factor) = match cx.made_by(x) {
        Some((op, inner)) => match scaled(cx, &op, &inner) {
            Some((from, inner)) => (from, inner * outer),
            None => (x, outer),
        },
        None => (x, outer),
    };
    if (factor - 1.0).abs() <= NEAR_ONE {
        return Ok(Some(from));
    }
    if from == x {
        return Ok(None);
    }
    let rank = cx.new.shape(from).len();
    let factor = cx.new.constant(Tensor::from_elem(IxDyn(&vec![1; rank]), factor))?;
    cx.new.push(Op::Binary(Binary::Mul), &[from, factor]).map(Some)
}

/// A value of unchanged shape and the one number that it is multiplied with.
fn scaled(cx: &Sweep, op: &Op, operands: &[ValueId]) -> Option<(ValueId, f32)> {
    let (Op::Binary(Binary::Mul), &[a, b]) = (op, operands) else { return None };
    let (x, factor, constant) = match (cx.uniform(a), cx.uniform(b)) {
        (None, Some(factor)) => (a, factor, b),
        (Some(factor), None) => (b, factor, a),
        _ => return None,
    };
    // A constant that is larger than the value repeats it.
    let shapes = cx.new.shape(constant).iter().zip(cx.new.shape(x));
    shapes.into_iter().all(|(&c, &x)| c == 1 || c == x).then_some((x, factor))
}

/// A node whose operands are constants is a constant.
fn fold(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    if let Some(same) = cx.new.identity(&node.op, operands)? {
        return Ok(Some(same));
    }
    let tensors: Option<Vec<_>> = operands.iter().map(|&id| cx.new.constant_of(id)).collect();
    let Some(tensors) = tensors.filter(|t| !t.is_empty()) else { return Ok(None) };
    let shapes: Vec<&[usize]> = tensors.iter().map(|t| t.shape()).collect();
    let shape = node.op.infer(&shapes)?;
    let largest = tensors.iter().map(|t| t.len()).sum::<usize>().max(MAX_GROWTH);
    if shape.iter().product::<usize>() > largest {
        return Ok(None);
    }
    let value = eval::apply(&node.op, &tensors, &shape)?;
    cx.new.constant(value).map(Some)
}
