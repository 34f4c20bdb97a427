//! `strum-to-tosa`: every layer as plain integer TOSA 1.0.
//!
//! Invariant: the result computes what the layers compute, bit for bit, in ops that strictly conform to the TOSA specification,
//! so that any implementation of TOSA can verify what the compiler does below.

mod conv;
mod post;

use strum_ir::strum::{Eltwise, EltwiseKind, MatMul, PackedType};
use strum_ir::{Block, Dialect, Error, Operation, Pass, PassContext, PassError, Value, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::rewrite::{blocks, remove_dead, replace};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;
use crate::strum::strum_unpack::Decoder;

pass_options! {
    /// The pass.
    pub struct StrumToTosa;
}

impl Documented for StrumToTosa {
    const DOC: &'static str = "\
Writes every layer as plain integer TOSA 1.0, with the weights decoded: the operator on 32 bits, then `rescale`, `clamp` and
`table`. The result can be run by any implementation of TOSA and gives the same bits; a second run changes nothing.

- Where a layer ignores trailing rows or columns of its input, TOSA's exact-size rule requires a `slice` before the operator.
- Rescales with small multipliers and single rounding are written with `scale32 = false`, which TOSA allows for every input value.
- Post-processing that no single `rescale` supports (a zero point of a 16-bit result, a clamp of a 32-bit one, unsigned results of 32-bit
  values) becomes several ops.

Packed weights that are not a `strum.constant`, or that have a user other than a layer, are an error.";
}

impl Pass for StrumToTosa {
    const ARGUMENT: &'static str = "strum-to-tosa";
    const DESCRIPTION: &'static str = "Write the layers of the strum dialect as plain integer TOSA";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        limits::check(op, 0)?;
        let mut outcome = Ok(());
        for block in blocks(op) {
            outcome = convert(block).and(outcome);
        }
        outcome
    }
}

fn convert(block: Block<'_>) -> Result<(), PassError> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut build = Builder::before(last)?;
    let mut decoder = Decoder::default();
    let mut outcome = Ok(());
    for op in block.operations() {
        build.go(op);
        match op.name() {
            "strum.conv2d" | "strum.depthwise_conv2d" => {
                outcome = conv::convert(&mut build, &mut decoder, op).and(outcome);
            }
            "strum.matmul" => matmul(&mut build, op)?,
            "strum.eltwise" => eltwise(&mut build, op)?,
            _ => {}
        }
    }
    remove_dead(block)?;
    for op in block.operations() {
        if op.is("strum.constant") {
            outcome =
                Err(op.error("has a user other than a layer: TOSA cannot represent packed weights").into());
        }
    }
    for (i, argument) in block.arguments().into_iter().enumerate() {
        if let (Some(_), Some(parent)) = (PackedType::read(argument.ty()), block.parent_op()) {
            let message = format!("argument #{i} has type '{}': TOSA has no packed weights", argument.ty());
            outcome = Err(parent.error(message).into());
        }
    }
    outcome
}

/// An op that passed its verifier but cannot be read.
fn unreadable(op: Operation<'_>) -> Error {
    Error::Build(format!("TOSA of '{}'", op.name()))
}

fn matmul<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let (layer, result) = MatMul::read(op).zip(op.single_result()).ok_or_else(|| unreadable(op))?;
    let zero_points = [build.scalar(Elem::I8, layer.a_zp)?, build.scalar(Elem::I8, layer.b_zp)?];
    let ty = build.retype(result, Elem::I32)?;
    let [a_zp, b_zp] = zero_points;
    let product = build.binary("tosa.matmul", &[layer.a, layer.b, a_zp, b_zp], ty)?;
    let value = post::process(build, product, layer.ppe.as_ref(), result)?;
    replace(op, value)
}

fn eltwise<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let (layer, result) = Eltwise::read(op).zip(op.single_result()).ok_or_else(|| unreadable(op))?;
    let (mut a, mut b) = (post::stage(build, layer.a, layer.lhs)?, post::stage(build, layer.b, layer.rhs)?);
    // TOSA multiplies 8-bit and 16-bit values directly; everything else is 32-bit.
    let narrow = layer.kind == EltwiseKind::Mul && layer.shift == 0 && view::elem(a) == view::elem(b);
    if !narrow {
        (a, b) = (widened(build, a)?, widened(build, b)?);
    }
    let ty = build.retype(result, Elem::I32)?;
    let value = match layer.kind {
        EltwiseKind::Add => build.binary("tosa.add", &[a, b], ty)?,
        EltwiseKind::Sub => build.binary("tosa.sub", &[a, b], ty)?,
        EltwiseKind::Max => build.binary("tosa.maximum", &[a, b], ty)?,
        EltwiseKind::Min => build.binary("tosa.minimum", &[a, b], ty)?,
        EltwiseKind::Mul => {
            let shift = build.scalar(Elem::I8, layer.shift)?;
            build.binary("tosa.mul", &[a, b, shift], ty)?
        }
    };
    let value = post::process(build, value, layer.ppe.as_ref(), result)?;
    replace(op, value)
}

fn widened<'c>(build: &mut Builder<'c>, value: Value<'c>) -> Result<Value<'c>, Error> {
    if view::elem(value) == Some(Elem::I32) { Ok(value) } else { build.cast(value, Elem::I32) }
}
