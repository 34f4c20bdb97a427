//! Moves a transpose in front of a fully connected layer into its weights.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::{Op, Window};

pub(super) const RULES: &[Rule] = &[super::constants::merge_reshapes, transpose_into_weights];

/// A 1x1 convolution of a flattened, transposed tensor reads every element once, so the order is free: that of the tensor before
/// the transpose is also the one in which weight blocks are stored.
fn transpose_into_weights(
    cx: &mut Sweep,
    node: &Node,
    operands: &[ValueId],
) -> Result<Option<ValueId>, Invalid> {
    let (Op::Conv2d(Window::UNIT), &[image, weights, bias]) = (&node.op, operands) else { return Ok(None) };
    let Some((Op::Reshape { .. }, flat)) = cx.made_by(image) else { return Ok(None) };
    let Some((Op::Transpose { perms }, from)) = flat.first().and_then(|&x| cx.made_by(x)) else {
        return Ok(None);
    };
    let (&[turned], &[from]) = (flat.as_slice(), from.as_slice()) else { return Ok(None) };
    let pixels = cx.new.shape(image).to_vec();
    let &[oc, 1, 1, ic] = cx.new.shape(weights) else { return Ok(None) };
    // Each pixel belongs to one image, so the batch must stay the first axis, on its own.
    let Some((_, rest)) = cx.new.shape(turned).split_first() else { return Ok(None) };
    if !cx.is_constant(weights) || perms.first() != Some(&0) || rest.iter().product::<usize>() != ic {
        return Ok(None);
    }
    let meets: Vec<usize> = std::iter::once(oc).chain(rest.iter().copied()).collect();
    let mut inverse = vec![0; perms.len()];
    for (to, &axis) in perms.iter().enumerate() {
        if let Some(place) = inverse.get_mut(axis) {
            *place = to;
        }
    }
    let weights = cx.reshaped(weights, &meets)?;
    let weights = cx.transposed(weights, &inverse)?;
    let weights = cx.reshaped(weights, &[oc, 1, 1, ic])?;
    let image = cx.reshaped(from, &pixels)?;
    cx.new.push(node.op.clone(), &[image, weights, bias]).map(Some)
}
