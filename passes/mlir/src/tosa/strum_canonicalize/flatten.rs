//! Moves a transpose in front of a fully connected layer into its weights.

use strum_ir::{Error, Operation, Value};

use super::Cx;
use crate::common::rewrite::fused;
use crate::common::statistics;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::{perm, view};

/// A 1x1 convolution of a flattened, transposed tensor reads every element once, so the order is free: the transpose is removed,
/// and the input channels of the constant weights are permuted to the order of the tensor before it.
pub(super) fn transpose_into_weights<'c>(
    cx: &mut Cx<'c>,
    op: Operation<'c>,
) -> Result<Option<Value<'c>>, Error> {
    let Some(found) = flattened(op) else { return Ok(None) };
    if found.weights.byte_len() > cx.fold_limit {
        return Ok(None);
    }
    let Some(result) = op.result(0) else { return Ok(None) };
    if let Some(location) = fused(&[found.transpose, found.reshape, op]) {
        cx.build.set_location(location);
    }
    let weights = cx.build.constant(found.weights)?;
    let input = cx.build.reshape(found.source, &found.shape)?;
    let mut operands = op.operands();
    for (slot, value) in operands.iter_mut().zip([input, weights]) {
        *slot = value;
    }
    let conv = cx.build.op(op.name()).operands(&operands).attributes_of(op).result(result.ty());
    let value = cx.build.insert(conv)?;
    if let Some(made) = value.defining_op() {
        statistics::reorder(made, found.order.as_deref())?;
    }
    Ok(Some(value))
}

struct Flattened<'c> {
    transpose: Operation<'c>,
    reshape: Operation<'c>,
    source: Value<'c>,
    /// The shape of the flattened input.
    shape: Vec<u64>,
    weights: Literal<'c>,
    /// The old index of each new input channel.
    order: Option<Vec<usize>>,
}

fn flattened<'c>(op: Operation<'c>) -> Option<Flattened<'c>> {
    let input = op.operand(0).filter(|_| op.is("tosa.conv2d"))?;
    let reshape = input.defined_by("tosa.reshape")?;
    let transpose = reshape.operand(0)?.defined_by("tosa.transpose")?;
    let weights = view::literal(op.operand(1)?)?;
    let shape = view::shape(input)?;
    let (&[n, 1, 1, k], &[oc, 1, 1, ic]) = (shape.as_slice(), weights.shape()) else { return None };
    let padded = view::array::<4>(op, "pad")? != [0; 4];
    let perms = view::perms(transpose)?;
    let turned = view::shape(transpose.result(0)?)?;
    // The batch must stay in front, on its own.
    let whole = perms.first() == Some(&0) && turned.first() == Some(&n) && k == ic && !padded;
    if !whole {
        tracing::debug!(location = ?op.location(), "transpose-into-weights does not apply: not all of one image");
        return None;
    }
    // Channel order of the weights: the current one, then that of the tensor.
    let outputs: Vec<u64> = std::iter::once(oc).chain(turned.iter().skip(1).copied()).collect();
    let inverse = perm::invert(&perms)?;
    let order = order(turned, &inverse);
    let weights = weights.reshape(outputs)?.transpose(&inverse)?.reshape(vec![oc, 1, 1, ic])?;
    Some(Flattened { transpose, reshape, source: transpose.operand(0)?, shape, weights, order })
}

/// The indices of the elements of one image, permuted like the weights.
fn order(mut turned: Vec<u64>, inverse: &[usize]) -> Option<Vec<usize>> {
    *turned.first_mut()? = 1;
    let count: u64 = turned.iter().product();
    let numbers: Vec<i32> = (0..i32::try_from(count).ok()?).collect();
    let order = Literal::from_values(turned, Elem::I32, &numbers)?.transpose(inverse)?;
    order.values().map(|number| usize::try_from(number).ok()).collect()
}
