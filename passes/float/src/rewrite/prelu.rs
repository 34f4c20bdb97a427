//! PReLU with a slope for each channel, in one canonical form: `select(x >= 0, x, x · slope)`.
//!
//! Exporters spell it in many ways: a select by comparison, `max(x, a·x)`, `max(x, 0) + a·min(x, 0)`, with absolute values. All of
//! them are built from operators with `f(t·x) = t·f(x)` for every `t > 0`, so the values at 1 and −1 determine the function, and
//! the form is recognized by what it computes.

use ndarray::{Axis, IxDyn, Slice};

use super::{Rule, Sweep};
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op, Relation, Unary};
use crate::{Invalid, Tensor, eval};

pub(super) const RULES: &[Rule] = &[prelu];

/// Nodes that a spelling has at most.
const MAX_NODES: usize = 12;

/// Differences of slopes and results that are rounding.
const ROUNDING: f32 = 8.0 * f32::EPSILON;

/// A function of one value that is the identity for positive values and a product with a constant for negative ones.
fn prelu(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let ends = matches!(
        node.op,
        Op::Binary(Binary::Add | Binary::Sub | Binary::Maximum | Binary::Minimum) | Op::Select(_)
    );
    if !ends || is_canonical(cx, node, operands) {
        return Ok(None);
    }
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    let shape = node.op.infer(&shapes)?;
    // The first axis holds the two points.
    let Some(mut points) = (shape.len() >= 2).then(|| vec![1; shape.len()]) else { return Ok(None) };
    points.iter_mut().take(1).for_each(|extent| *extent = 2);
    let points = Tensor::from_shape_fn(IxDyn(&points), |at| if at[0] == 0 { 1.0 } else { -1.0 });
    for x in candidates(cx, operands, &shape) {
        let mut left = MAX_NODES;
        let Some(of) = apply(cx, (x, &points), &node.op, operands, &mut left)? else { continue };
        let part = |index: usize| of.slice_axis(Axis(0), Slice::from(index..index + 1));
        let (positive, slopes) = (part(0), part(1).mapv(|y| -y));
        let first = slopes.first().copied().unwrap_or(0.0);
        let identity = positive.iter().all(|y| (y - 1.0).abs() <= ROUNDING);
        // With one slope it is a function like any other.
        let differ = slopes.iter().any(|slope| (slope - first).abs() > ROUNDING * first.abs());
        if identity && differ && slopes.iter().all(|slope| slope.is_finite()) {
            let slopes = cx.new.constant(slopes)?;
            let zero = cx.new.constant(Tensor::zeros(IxDyn(&vec![1; shape.len()])))?;
            let negative = cx.new.push(Op::Binary(Binary::Mul), &[x, slopes])?;
            let op = Op::Select(Relation::GreaterEqual);
            return cx.new.push(op, &[x, zero, x, negative]).map(Some);
        }
    }
    Ok(None)
}

/// Whether a node is the canonical form already.
fn is_canonical(cx: &Sweep, node: &Node, operands: &[ValueId]) -> bool {
    let (Op::Select(Relation::GreaterEqual), &[x, zero, yes, no]) = (&node.op, operands) else {
        return false;
    };
    let product = cx.made_by(no);
    yes == x
        && cx.uniform(zero) == Some(0.0)
        && matches!(product, Some((Op::Binary(Binary::Mul), pair)) if pair.first() == Some(&x))
}

/// Values of this shape that an operator may be a function of, the nearest first; nothing if no constant has several slopes.
fn candidates(cx: &Sweep, operands: &[ValueId], shape: &[usize]) -> Vec<ValueId> {
    let (mut found, mut next, mut slopes) = (Vec::new(), operands.to_vec(), false);
    let mut seen = 0;
    while let Some(id) = next.pop() {
        if cx.is_constant(id) {
            slopes |= cx.uniform(id).is_none();
            continue;
        }
        if found.contains(&id) {
            continue;
        }
        seen += 1;
        found.push(id);
        if let Some((op, inner)) = cx.made_by(id)
            && is_elementwise(&op)
            && seen < MAX_NODES
        {
            next.extend(inner);
        }
    }
    found.retain(|&id| cx.new.shape(id) == shape);
    found.sort_by(|a, b| b.cmp(a));
    if slopes { found } else { Vec::new() }
}

fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Clamp { .. } | Op::Binary(_) | Op::Select(_))
}

/// The value of an operator at the points of `x`, if it and everything between is homogeneous; nothing otherwise.
fn apply(
    cx: &Sweep,
    (x, points): (ValueId, &Tensor),
    op: &Op,
    operands: &[ValueId],
    left: &mut usize,
) -> Result<Option<Tensor>, Invalid> {
    if !is_homogeneous(cx, op, operands) || *left == 0 {
        return Ok(None);
    }
    *left -= 1;
    let mut values = Vec::with_capacity(operands.len());
    for &id in operands {
        let value = if id == x {
            Some(points.clone())
        } else if let Some(constant) = cx.new.constant_of(id) {
            (constant.shape().first() == Some(&1)).then(|| constant.clone())
        } else {
            match cx.made_by(id) {
                Some((op, inner)) => apply(cx, (x, points), &op, &inner, left)?,
                None => None,
            }
        };
        let Some(value) = value else { return Ok(None) };
        values.push(value);
    }
    let shapes: Vec<&[usize]> = values.iter().map(Tensor::shape).collect();
    let shape = op.infer(&shapes)?;
    eval::apply(op, &values.iter().collect::<Vec<_>>(), &shape).map(Some)
}

/// Whether `f(t·x) = t·f(x)` for `t > 0` if the operands that are not constant have this property.
fn is_homogeneous(cx: &Sweep, op: &Op, operands: &[ValueId]) -> bool {
    let zero_or_value = |id: &ValueId| match cx.new.constant_of(*id) {
        Some(tensor) => tensor.iter().all(|&x| x == 0.0),
        None => true,
    };
    match op {
        Op::Unary(Unary::Abs | Unary::Negate) => true,
        Op::Clamp { min, max } => (*min == 0.0 || *min <= f32::MIN) && (*max == 0.0 || *max >= f32::MAX),
        Op::Binary(Binary::Mul) => operands.iter().filter(|&&id| cx.is_constant(id)).count() == 1,
        Op::Binary(Binary::Add | Binary::Sub | Binary::Maximum | Binary::Minimum) | Op::Select(_) => {
            operands.iter().all(zero_or_value)
        }
        Op::Unary(_)
        | Op::Binary(Binary::Pow)
        | Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::Matmul
        | Op::Pool(_)
        | Op::Reduce { .. }
        | Op::Concat { .. }
        | Op::Pad { .. }
        | Op::Reshape { .. }
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::Tile { .. } => false,
    }
}
