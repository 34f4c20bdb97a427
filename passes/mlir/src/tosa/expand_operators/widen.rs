//! Weights of 4 bits: i8 with the same values, in layers that are marked.
//!
//! Invariant: a function has weights of i4 afterwards only where they are not supported, which the check of its ops then says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use strum_ir::{Attribute, Block, Error, Operation, PassError, Value};

use crate::common::rewrite::{blocks, remove_dead};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;
use crate::common::weights::INT4;

/// The operand that holds the weights, and the one that holds their zero point.
const WEIGHTS: usize = 1;
const ZERO_POINT: usize = 4;

const CONVOLUTIONS: &[&str] =
    &["tosa.conv2d", "tosa.conv3d", "tosa.depthwise_conv2d", "tosa.transpose_conv2d"];

/// Widens the weights of all convolutions of a function.
pub(super) fn function(function: Operation<'_>) -> Result<(), PassError> {
    let mut arguments = false;
    for block in blocks(function) {
        let layers: Vec<Operation<'_>> = block.operations().into_iter().filter(|op| is_narrow(*op)).collect();
        if layers.is_empty() {
            continue;
        }
        constants(block, &layers)?;
        for argument in block.arguments().into_iter().filter(|argument| is_i4(*argument)) {
            let of_weights = |index| index == WEIGHTS || index == ZERO_POINT;
            let shape = argument.ty().shape().filter(|_| argument.is_used());
            let uses = argument.uses();
            if let Some(shape) = shape
                && uses.iter().all(|each| of_weights(each.operand) && layers.contains(&each.user))
            {
                argument
                    .set_type(strum_ir::Type::tensor(&shape, strum_ir::Type::int(function.context(), 8))?);
                arguments = true;
            }
        }
    }
    if arguments {
        let missing = || PassError::Internal("a function without a type".into());
        function.update_function_type().ok_or_else(missing)?;
    }
    Ok(())
}

/// Replaces the constants, and marks the layers whose weights are constant.
fn constants<'c>(block: Block<'c>, layers: &[Operation<'c>]) -> Result<(), Error> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut build = Builder::before(last)?;
    let mut done: BTreeMap<Operation<'c>, Value<'c>> = BTreeMap::new();
    for &layer in layers {
        for index in [WEIGHTS, ZERO_POINT] {
            let narrow = layer.operand(index).and_then(|value| value.defined_by("tosa.const"));
            let Some(narrow) = narrow else { continue };
            let wide = match done.get(&narrow) {
                Some(wide) => *wide,
                None => {
                    let Some(literal) = literal(narrow) else { continue };
                    build.set_location(narrow.location());
                    let wide = build.constant(literal)?;
                    done.insert(narrow, wide);
                    wide
                }
            };
            layer.set_operand(index, wide);
            if index == WEIGHTS {
                layer.set_attribute(INT4, Attribute::parse(layer.context(), "unit")?);
            }
        }
    }
    remove_dead(block)?;
    Ok(())
}

/// The values of a constant of i4, as i8.
fn literal(op: Operation<'_>) -> Option<Literal<'static>> {
    let ty = op.single_result()?.ty();
    let shape = ty.shape()?.into_iter().map(|d| u64::try_from(d).ok()).collect::<Option<_>>()?;
    let bytes = op.attribute("values")?.nibbles().ok()?;
    Literal::dense(shape, Elem::I8, Cow::Owned(bytes))
}

/// Whether an op is a convolution of i8 with weights of i4, whose zero point is 0 if it is known.
fn is_narrow(op: Operation<'_>) -> bool {
    let operand = |index| op.operand(index);
    let input = operand(0).and_then(view::elem);
    let zero = operand(ZERO_POINT).is_some_and(|value| match value.defined_by("tosa.const") {
        Some(constant) => literal(constant).and_then(|zero| zero.uniform()) == Some(0),
        None => true,
    });
    let narrow = [WEIGHTS, ZERO_POINT].into_iter().all(|index| operand(index).is_some_and(is_i4));
    CONVOLUTIONS.contains(&op.name()) && input == Some(Elem::I8) && narrow && zero
}

fn is_i4(value: Value<'_>) -> bool {
    value.ty().as_tensor().is_some_and(|tensor| tensor.element.is_int(4))
}
