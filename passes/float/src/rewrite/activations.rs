//! Activations in one canonical form: `clamp`.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op, Relation};

pub(super) const RULES: &[Rule] = &[chosen, bound, merge];

/// `maximum` and `minimum` with one value are a `clamp` with one open end.
fn bound(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Binary(binary @ (Binary::Maximum | Binary::Minimum)), &[a, b]) = (&node.op, operands) else {
        return Ok(None);
    };
    let (x, limit) = match (cx.uniform(a), cx.uniform(b)) {
        (None, Some(limit)) => (a, limit),
        (Some(limit), None) => (b, limit),
        _ => return Ok(None),
    };
    // A constant that is larger than the operand repeats it.
    if limit.is_nan() || cx.new.shape(x) != node_shape(cx, operands, node)? {
        return Ok(None);
    }
    let (min, max) = match binary {
        Binary::Maximum => (limit, f32::INFINITY),
        _ => (f32::NEG_INFINITY, limit),
    };
    clamped(cx, x, min, max).map(Some)
}

/// The maximum or minimum of two values, selected by comparison; with a constant it is a clamp.
///
/// Such a select replaces NaN, which satisfies no relation, and a clamp keeps it: a network that computes NaN has no result to
/// preserve.
fn chosen(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Select(Relation::Greater | Relation::GreaterEqual), &[a, b, c, d]) = (&node.op, operands) else {
        return Ok(None);
    };
    let same = |p: ValueId, q: ValueId| {
        p == q || matches!((cx.uniform(p), cx.uniform(q)), (Some(p), Some(q)) if p.to_bits() == q.to_bits())
    };
    let greater = if same(a, c) && same(b, d) {
        true
    } else if same(a, d) && same(b, c) {
        false
    } else {
        return Ok(None);
    };
    let (x, limit) = match (cx.uniform(a), cx.uniform(b)) {
        (None, Some(limit)) => (a, limit),
        (Some(limit), None) => (b, limit),
        _ => {
            let op = Op::Binary(if greater { Binary::Maximum } else { Binary::Minimum });
            if op.infer(&[cx.new.shape(a), cx.new.shape(b)])? != node_shape(cx, operands, node)? {
                return Ok(None);
            }
            return cx.new.push(op, &[a, b]).map(Some);
        }
    };
    if limit.is_nan() || cx.new.shape(x) != node_shape(cx, operands, node)? {
        return Ok(None);
    }
    let (min, max) = if greater { (limit, f32::INFINITY) } else { (f32::NEG_INFINITY, limit) };
    clamped(cx, x, min, max).map(Some)
}

/// Two consecutive clamps are one.
fn merge(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (&Op::Clamp { min, max }, &[x]) = (&node.op, operands) else { return Ok(None) };
    clamped(cx, x, min, max).map(Some)
}

/// A clamp of `x`, merged with a clamp before it.
fn clamped(cx: &mut Sweep, x: ValueId, min: f32, max: f32) -> Result<ValueId, Invalid> {
    match cx.made_by(x) {
        Some((Op::Clamp { min: low, max: high }, inner)) => {
            let bring = |value: f32| value.max(min).min(max);
            cx.new.push(Op::Clamp { min: bring(low), max: bring(high) }, &inner)
        }
        _ => cx.new.push(Op::Clamp { min, max }, &[x]),
    }
}

fn node_shape(cx: &Sweep, operands: &[ValueId], node: &Node) -> Result<Vec<usize>, Invalid> {
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    node.op.infer(&shapes)
}
