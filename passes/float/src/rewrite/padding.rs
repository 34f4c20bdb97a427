//! Padding in the operators that pad themselves.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::{Op, Pool, PoolKind, Window};

pub(super) const RULES: &[Rule] = &[merge, into_window];

/// Two pads of one value are one.
fn merge(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Pad { around, value }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let Some((Op::Pad { around: inner, value: other }, from)) = cx.made_by(x) else { return Ok(None) };
    let (true, [from]) = (value.to_bits() == other.to_bits(), from.as_slice()) else { return Ok(None) };
    let around = around.iter().zip(&inner).map(|(a, b)| [a[0] + b[0], a[1] + b[1]]).collect();
    cx.new.push(Op::Pad { around, value: *value }, &[*from]).map(Some)
}

/// A pad of zeros into a convolution, a pad of a value below all others into a max pooling.
fn into_window(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let Some((Op::Pad { around, value }, from)) = operands.first().and_then(|&x| cx.made_by(x)) else {
        return Ok(None);
    };
    let (&[[0, 0], rows, columns, [0, 0]], &[from]) = (around.as_slice(), from.as_slice()) else {
        return Ok(None);
    };
    let widen = |w: &Window| Window {
        before: [w.before[0] + rows[0], w.before[1] + columns[0]],
        after: [w.after[0] + rows[1], w.after[1] + columns[1]],
        ..*w
    };
    let none = |w: &Window| w.before == [0, 0] && w.after == [0, 0];
    let op = match &node.op {
        Op::Conv2d(w) if value == 0.0 => Op::Conv2d(widen(w)),
        Op::DepthwiseConv2d(w) if value == 0.0 => Op::DepthwiseConv2d(widen(w)),
        Op::Pool(p @ Pool { kind: PoolKind::Max, window, .. }) if value <= f32::MIN && none(window) => {
            Op::Pool(Pool { window: widen(window), ..*p })
        }
        _ => return Ok(None),
    };
    let mut operands = operands.to_vec();
    if let Some(first) = operands.first_mut() {
        *first = from;
    }
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    // A pooling pads less than its kernel; beyond that the pad stays.
    if op.infer(&shapes).is_err() {
        return Ok(None);
    }
    cx.new.push(op, &operands).map(Some)
}
