//! Moves transposes towards the outputs. Invariant: in the new graph a transpose is followed by a reshape, a matrix product, an
//! output, or an operand in another order, and by nothing else.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::Op;

pub(super) const RULES: &[Rule] = &[merge, through];

/// First sweep: torch-mlir writes a transpose of a one-pixel image as a reshape, which would stay in place.
pub(super) const FIRST_RULES: &[Rule] = &[from_reshape];

/// A reshape that moves the channels of one pixel is the transpose that does the same for any image.
fn from_reshape(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Reshape { shape }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let perms = match (cx.new.shape(x), shape.as_slice()) {
        (&[_, 1, 1, channels], &[_, moved, 1, 1]) if moved == channels => [0, 3, 1, 2],
        (&[_, channels, 1, 1], &[_, 1, 1, moved]) if moved == channels => [0, 2, 3, 1],
        _ => return Ok(None),
    };
    cx.transposed(x, &perms).map(Some)
}

/// Afterwards: earlier, what has moved in front of a pad would move behind it again.
pub(super) const PAD_RULES: &[Rule] = &[before_pad];

/// Last sweep: a reshape would block the others.
pub(super) const LAST_RULES: &[Rule] = &[to_reshape];

/// The result of a transpose: its operand and permutation.
fn transposed(cx: &Sweep, id: ValueId) -> Option<(ValueId, Vec<usize>)> {
    match cx.made_by(id)? {
        (Op::Transpose { perms }, operands) => Some((*operands.first()?, perms)),
        _ => None,
    }
}

/// The inverse of a permutation.
fn inverse(perms: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perms.len()];
    for (i, &p) in perms.iter().enumerate() {
        if let Some(place) = inverse.get_mut(p) {
            *place = i;
        }
    }
    inverse
}

/// `list` in the order of the operand of a transpose.
fn back<T: Copy>(list: &[T], perms: &[usize]) -> Vec<T> {
    inverse(perms).iter().filter_map(|&i| list.get(i).copied()).collect()
}

/// Two transposes are one or none.
fn merge(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Transpose { perms }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let (x, perms) = match transposed(cx, x) {
        Some((inner, first)) => (inner, perms.iter().filter_map(|&p| first.get(p).copied()).collect()),
        None => (x, perms.clone()),
    };
    cx.transposed(x, &perms).map(Some)
}

/// A transpose of a padded or sliced value without other uses is moved before the pad or slice.
fn before_pad(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Transpose { perms }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let Some((op, from)) = cx.made_by(x).filter(|_| cx.used_once(node, 0)) else { return Ok(None) };
    let op = match op {
        Op::Pad { around, value } => Op::Pad { around: in_order(&around, perms), value },
        Op::Slice { start, size } => {
            Op::Slice { start: in_order(&start, perms), size: in_order(&size, perms) }
        }
        _ => return Ok(None),
    };
    let &[from] = from.as_slice() else { return Ok(None) };
    let turned = cx.transposed(from, perms)?;
    cx.new.push(op, &[turned]).map(Some)
}

/// `list` in the order of the result of a transpose.
fn in_order<T: Copy>(list: &[T], perms: &[usize]) -> Vec<T> {
    perms.iter().filter_map(|&p| list.get(p).copied()).collect()
}

/// A transpose that only moves axes of extent 1 is a reshape.
fn to_reshape(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Transpose { perms }, &[x]) = (&node.op, operands) else { return Ok(None) };
    match as_reshape(cx.new.shape(x), perms) {
        Some(shape) => cx.reshaped(x, &shape).map(Some),
        None => Ok(None),
    }
}

/// The shape of the result, if all axes with more than one element stay in order.
fn as_reshape(shape: &[usize], perms: &[usize]) -> Option<Vec<usize>> {
    let large: Vec<usize> = perms.iter().copied().filter(|&p| shape.get(p) != Some(&1)).collect();
    let in_order = large.is_sorted();
    in_order.then(|| perms.iter().filter_map(|&p| shape.get(p).copied()).collect())
}

/// An operator on transposed operands becomes a transpose of its result.
fn through(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let Some(perms) = operands.iter().find_map(|&id| transposed(cx, id).map(|(_, perms)| perms)) else {
        return Ok(None);
    };
    let op = match &node.op {
        Op::Unary(_) | Op::Clamp { .. } | Op::Binary(_) | Op::Select(_) => node.op.clone(),
        Op::Reduce { reduction, axis } => match perms.get(*axis) {
            Some(&axis) => Op::Reduce { reduction: *reduction, axis },
            None => return Ok(None),
        },
        Op::Concat { axis } => match perms.get(*axis) {
            Some(&axis) => Op::Concat { axis },
            None => return Ok(None),
        },
        Op::Pad { around, value } => Op::Pad { around: back(around, &perms), value: *value },
        Op::Slice { start, size } => Op::Slice { start: back(start, &perms), size: back(size, &perms) },
        Op::Tile { multiples } => Op::Tile { multiples: back(multiples, &perms) },
        Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::Matmul
        | Op::Pool(_)
        | Op::Reshape { .. }
        | Op::Transpose { .. } => return Ok(None),
    };
    let undo = inverse(&perms);
    // Every operand must exist in the other order, or be convertible for free.
    let free = |cx: &Sweep, id: ValueId| {
        let same = transposed(cx, id).is_some_and(|(_, p)| p == perms);
        same || cx.is_constant(id) || as_reshape(cx.new.shape(id), &undo).is_some()
    };
    if !operands.iter().all(|&id| free(cx, id)) {
        return Ok(None);
    }
    let mut moved = Vec::with_capacity(operands.len());
    for &id in operands {
        let shape = as_reshape(cx.new.shape(id), &undo);
        moved.push(match (transposed(cx, id), shape) {
            (Some((inner, p)), _) if p == perms => inner,
            (_, Some(shape)) => cx.reshaped(id, &shape)?,
            (_, None) => cx.transposed(id, &undo)?,
        });
    }
    let result = cx.new.push(op, &moved)?;
    cx.transposed(result, &perms).map(Some)
}
