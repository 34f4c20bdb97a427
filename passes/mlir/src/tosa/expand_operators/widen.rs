//! Weights of 4 bits: i8 with the same values, in layers that are marked.
//!
//! Invariant: a function has weights of i4 afterwards only where they are not supported, which the check of its ops then says.
//! Among these are arguments: nothing would keep the bytes of an input within 4 bits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use strum_ir::{Attribute, Block, Error, Operation, PassError, Type, Value};

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

/// Ops that only move weights.
const MOVES: &[&str] = &["tosa.reshape", "tosa.slice", "tosa.transpose"];

/// Most ops that move the weights of a layer.
const LENGTH: usize = 16;

/// Widens the weights of all convolutions of a function.
pub(super) fn function<'c>(function: Operation<'c>) -> Result<(), PassError> {
    for block in blocks(function) {
        let layers: Vec<Operation<'c>> = block.operations().into_iter().filter(|op| is_narrow(*op)).collect();
        let both = |&layer: &Operation<'c>| {
            Some([Weights::of(layer, WEIGHTS, &layers)?, Weights::of(layer, ZERO_POINT, &layers)?])
        };
        let found: Vec<Weights<'c>> = layers.iter().filter_map(both).flatten().collect();
        if found.is_empty() {
            continue;
        }
        widen(block, &found)?;
    }
    Ok(())
}

/// Weights or a zero point of a layer.
struct Weights<'c> {
    layer: Operation<'c>,
    operand: usize,
    /// A `tosa.const`.
    root: Operation<'c>,
    /// The ops between, the one that reads the root last.
    moves: Vec<Operation<'c>>,
}

impl<'c> Weights<'c> {
    /// `None` if they are not constant, or if any of their values has another use.
    fn of(layer: Operation<'c>, operand: usize, layers: &[Operation<'c>]) -> Option<Self> {
        let (mut root, mut moves) = (layer.operand(operand)?, Vec::new());
        while let Some(op) = root.defining_op().filter(|op| MOVES.contains(&op.name())) {
            moves.push(op);
            root = op.operand(0)?;
        }
        let constant = root.defining_op().filter(|op| literal(*op).is_some())?;
        is_of_weights(root, layers, LENGTH).then_some(Weights { layer, operand, root: constant, moves })
    }
}

/// Whether a value of i4 is read by layers, as weights or a zero point, and by at most `length` moves in a row, alone.
fn is_of_weights<'c>(value: Value<'c>, layers: &[Operation<'c>], length: usize) -> bool {
    let of_layer =
        |op: Operation<'c>, operand| (operand == WEIGHTS || operand == ZERO_POINT) && layers.contains(&op);
    let of_move = |op: Operation<'c>, operand| {
        let result = op.single_result().filter(|_| operand == 0 && length > 0 && MOVES.contains(&op.name()));
        result.is_some_and(|result| is_of_weights(result, layers, length - 1))
    };
    let fits = |op: Operation<'c>, operand| of_layer(op, operand) || of_move(op, operand);
    is_i4(value) && value.uses().iter().all(|each| fits(each.user, each.operand))
}

/// Makes all of them i8, and marks the layers.
fn widen<'c>(block: Block<'c>, all: &[Weights<'c>]) -> Result<(), Error> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut build = Builder::before(last)?;
    let mut done: BTreeMap<Operation<'c>, Value<'c>> = BTreeMap::new();
    for weights in all {
        weights.moves.iter().filter_map(|op| op.single_result()).try_for_each(retype)?;
        let constant = weights.root;
        let wide = match done.get(&constant) {
            Some(wide) => *wide,
            None => {
                let Some(literal) = literal(constant) else { continue };
                build.set_location(constant.location());
                let wide = build.constant(literal)?;
                done.insert(constant, wide);
                wide
            }
        };
        match weights.moves.last() {
            Some(first) => first.set_operand(0, wide),
            None => weights.layer.set_operand(weights.operand, wide),
        };
        if weights.operand == WEIGHTS {
            weights.layer.set_attribute(INT4, Attribute::parse(weights.layer.context(), "unit")?);
        }
    }
    remove_dead(block)?;
    Ok(())
}

/// Makes a value i8.
fn retype(value: Value<'_>) -> Result<(), Error> {
    if let Some(shape) = value.ty().shape() {
        value.set_type(Type::tensor(&shape, Type::int(value.location().context(), 8))?);
    }
    Ok(())
}

/// The values of a constant of i4, as i8.
fn literal(op: Operation<'_>) -> Option<Literal<'static>> {
    if !op.is("tosa.const") {
        return None;
    }
    let ty = op.single_result()?.ty();
    let shape = ty.shape()?.into_iter().map(|d| u64::try_from(d).ok()).collect::<Option<_>>()?;
    let bytes = op.attribute("values")?.nibbles().ok()?;
    Literal::dense(shape, Elem::I8, Cow::Owned(bytes))
}

/// Whether an op is a convolution of i8 with weights of i4 and their zero point 0.
fn is_narrow(op: Operation<'_>) -> bool {
    let operand = |index| op.operand(index);
    let input = operand(0).and_then(view::elem);
    let zero =
        operand(ZERO_POINT).and_then(|value| literal(value.defined_by("tosa.const")?)?.uniform()) == Some(0);
    let narrow = [WEIGHTS, ZERO_POINT].into_iter().all(|index| operand(index).is_some_and(is_i4));
    CONVOLUTIONS.contains(&op.name()) && input == Some(Elem::I8) && narrow && zero
}

fn is_i4(value: Value<'_>) -> bool {
    value.ty().as_tensor().is_some_and(|tensor| tensor.element.is_int(4))
}
