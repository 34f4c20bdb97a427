//! `tosa.add`, `sub`, `mul`, `maximum` and `minimum`.

use strum_ir::strum::{Eltwise, EltwiseKind, Rescale};
use strum_ir::{Error, Operation, Value};

use super::ppe::{Chain, Scales};
use super::{operand, unreadable};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::num::Scale;
use crate::common::tosa::view;

pub(super) fn convert<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let chain = Chain::of(op, Scales::PerTensor)?;
    let location = chain.location().unwrap_or(op.location());
    let kind = match op.name() {
        "tosa.add" => EltwiseKind::Add,
        "tosa.sub" => EltwiseKind::Sub,
        "tosa.mul" => EltwiseKind::Mul,
        "tosa.maximum" => EltwiseKind::Max,
        _ => EltwiseKind::Min,
    };
    let shift = match kind {
        EltwiseKind::Mul => view::scalar_operand(op, 2).ok_or_else(|| unreadable(op))?,
        _ => 0,
    };
    let (left, right) = (input(operand(op, 0)?), input(operand(op, 1)?));
    let layer = Eltwise {
        kind,
        a: left.value,
        b: right.value,
        lhs: left.rescale,
        rhs: right.rescale,
        shift,
        ppe: chain.ppe.clone(),
    };
    let layer = build.insert(layer.build(chain.result.ty(), location)?)?;
    chain.replace(layer)
}

/// An operand with its input stage.
struct Input<'c> {
    value: Value<'c>,
    rescale: Option<Rescale>,
}

/// Absorbs the op that widens an operand to 32 bits, if the wide value has no other use. The op itself dies with its user.
fn input<'c>(value: Value<'c>) -> Input<'c> {
    let mut input = Input { value, rescale: None };
    while let Some(wider) = widened(&input) {
        input = wider;
    }
    input
}

fn widened<'c>(input: &Input<'c>) -> Option<Input<'c>> {
    input.value.single_use()?;
    (view::elem(input.value)? == Elem::I32).then_some(())?;
    let op = input.value.defining_op()?;
    let value = op.operand(0)?;
    if op.is("tosa.cast") {
        view::elem(value)?;
        // The zero point of 32-bit values is 0, so a rescale accepts the narrow ones as well.
        return Some(Input { value, rescale: input.rescale });
    }
    let rescale = view::rescale(op)?;
    let scale = rescale.per_tensor()?;
    if rescale.ends.output_zp != 0 || rescale.ends.input_unsigned {
        return None;
    }
    match input.rescale {
        None => Some(Input { value, rescale: Some(stage(rescale.ends.input_zp, scale)) }),
        // A rescale by exactly 1 only subtracts its zero point, which the later one can do.
        Some(later) if is_one(scale) && later.zp == 0 => {
            Some(Input { value, rescale: Some(Rescale { zp: rescale.ends.input_zp, ..later }) })
        }
        Some(_) => {
            tracing::debug!(location = ?op.location(), "does not apply: one rescale is in the input stage already");
            None
        }
    }
}

fn stage(zp: i32, scale: Scale) -> Rescale {
    Rescale { zp, multiplier: scale.multiplier, shift: scale.shift, round: scale.round, unsigned: false }
}

/// Whether a scale is exactly 1 for every value. A multiplier has at most 31 bits, so the shift of such a scale is at most 30,
/// where both roundings agree.
fn is_one(scale: Scale) -> bool {
    1_i64 << scale.shift.min(62) == i64::from(scale.multiplier)
}
