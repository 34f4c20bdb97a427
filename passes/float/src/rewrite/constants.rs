//! Constants computed once and for all.

use super::Sweep;
use crate::graph::{Node, ValueId};
use crate::op::Op;
use crate::{Invalid, eval};

/// Constants do not become larger than this many elements and their operands by folding.
const MAX_GROWTH: usize = 1 << 16;

/// A node whose operands are constants is a constant.
pub(super) fn fold(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    if let Some(same) = identity(cx, node, operands) {
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

/// The operand of a node that does nothing.
fn identity(cx: &Sweep, node: &Node, operands: &[ValueId]) -> Option<ValueId> {
    let first = *operands.first()?;
    let same_shape = cx.new.shape(first) == {
        let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
        node.op.infer(&shapes).ok()?
    };
    let nothing = match &node.op {
        Op::Reshape { .. } | Op::Slice { .. } | Op::Tile { .. } | Op::Pad { .. } => true,
        Op::Concat { .. } => operands.len() == 1,
        Op::Transpose { perms } => perms.iter().enumerate().all(|(i, &p)| i == p),
        Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::Matmul
        | Op::Pool(_)
        | Op::Unary(_)
        | Op::Clamp { .. }
        | Op::Binary(_)
        | Op::Select(_)
        | Op::Reduce { .. } => false,
    };
    (same_shape && nothing).then_some(first)
}
