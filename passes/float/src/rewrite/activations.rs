//! Activations in one spelling: `clamp`.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op};

pub(super) const RULES: &[Rule] = &[bound, merge];

/// `maximum` and `minimum` with one value are a `clamp` with one end open.
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

/// Two clamps in a row are one.
fn merge(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (&Op::Clamp { min, max }, &[x]) = (&node.op, operands) else { return Ok(None) };
    clamped(cx, x, min, max).map(Some)
}

/// A clamp of `x`, in one with a clamp before it.
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
