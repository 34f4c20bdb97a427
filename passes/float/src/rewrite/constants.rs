//! Constant folding.

use ndarray::IxDyn;

use super::{Rule, Sweep};
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op};
use crate::{Invalid, Tensor, eval};

/// Folding does not make constants larger than this many elements and their operands.
const MAX_GROWTH: usize = 1 << 16;

pub(super) const RULES: &[Rule] =
    &[fold, merge_reshapes, merge_slices, merge_concats, repeated_anyway, merge_products, known];

/// Products of constants this close to 1 are 1: the remainder of a sum turned into a mean.
const NEAR_ONE: f32 = 4.0 * f32::EPSILON;

/// Constants of at most this many elements are compared.
const MAX_COMPARED: usize = 64;

/// A node that computes what another has computed: exporters subtract a mean twice, and read the same pixels of an image twice.
fn known(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let same = |&(&a, &b): &(&ValueId, &ValueId)| {
        a == b
            || match (cx.new.constant_of(a), cx.new.constant_of(b)) {
                (Some(a), Some(b)) => {
                    a.shape() == b.shape()
                        && a.len() <= MAX_COMPARED
                        && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
                }
                _ => false,
            }
    };
    let equal = cx.new.nodes().iter().find(|other| {
        other.operands.len() == operands.len()
            && other.op == node.op
            && other.operands.iter().zip(operands).all(|pair| same(&pair))
    });
    Ok(equal.map(|node| node.result))
}

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

/// A slice of a slice is a slice: torch-mlir slices one axis after the other.
fn merge_slices(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Slice { start, size }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let Some((Op::Slice { start: first, .. }, from)) = cx.made_by(x) else { return Ok(None) };
    let start = start.iter().zip(&first).map(|(a, b)| a + b).collect();
    cx.new.push(Op::Slice { start, size: size.clone() }, &from).map(Some)
}

/// A concatenation absorbs the operands of another that only it reads.
fn merge_concats(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let Op::Concat { axis } = &node.op else { return Ok(None) };
    let mut parts = Vec::with_capacity(operands.len());
    for (index, &operand) in operands.iter().enumerate() {
        match cx.made_by(operand).filter(|_| cx.used_once(node, index)) {
            Some((Op::Concat { axis: inner }, from)) if inner == *axis => parts.extend(from),
            _ => parts.push(operand),
        }
    }
    if parts.len() == operands.len() { Ok(None) } else { cx.new.push(node.op.clone(), &parts).map(Some) }
}

/// An element-wise operator broadcasts extents of 1 itself: torch-mlir repeats mean and variance of a layer normalization beforehand.
fn repeated_anyway(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    if !matches!(node.op, Op::Binary(_) | Op::Select(_)) {
        return Ok(None);
    }
    let shape_of = |cx: &Sweep, operands: &[ValueId]| {
        let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
        node.op.infer(&shapes)
    };
    let shape = shape_of(cx, operands)?;
    let mut narrow = operands.to_vec();
    for (index, &operand) in operands.iter().enumerate() {
        let Some((Op::Tile { multiples }, from)) = cx.made_by(operand) else { continue };
        let &[from] = from.as_slice() else { continue };
        let repeats_ones =
            cx.new.shape(from).iter().zip(&multiples).all(|(&extent, &m)| extent == 1 || m == 1);
        let mut tried = narrow.clone();
        tried.get_mut(index).into_iter().for_each(|place| *place = from);
        if repeats_ones && shape_of(cx, &tried)? == shape {
            narrow = tried;
        }
    }
    if narrow == operands { Ok(None) } else { cx.new.push(node.op.clone(), &narrow).map(Some) }
}

/// A product with one number after another such product.
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

/// A value of unchanged shape and its constant factor.
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
