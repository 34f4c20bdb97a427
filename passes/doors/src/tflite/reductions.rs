//! Reductions. Invariant: axes are left out of the result, or stay with extent 1, as the operator says.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::Operator;
use super::importer::{Importer, axis};
use super::operands;
use super::stop::{Step, Stop};
use crate::integer;
use crate::tosa::Id;

/// `MEAN`, `SUM`, `REDUCE_MAX`, `REDUCE_MIN`.
pub(super) fn reduction<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (x, axes, result) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.result(op, 0)?);
    let keep = match op.options {
        Some(O::ReducerOptions(o)) => o.keep_dims()?,
        _ => false,
    };
    let quantized = importer.is_quantized(x)?;
    let id = importer.node(x)?;
    let shape = importer.build.graph().shape(id).to_vec();
    let axes = importer.ints(axes, "the axes of a reduction")?;
    let mut axes: Vec<usize> = axes.iter().map(|&a| axis(a, shape.len())).collect::<Step<_>>()?;
    axes.sort_unstable();
    axes.dedup();
    let made = match &*op.kind {
        "REDUCE_MAX" => along(importer, "reduce_max", id, &axes)?,
        "REDUCE_MIN" => along(importer, "reduce_min", id, &axes)?,
        kind if quantized => {
            let (from, to) = (importer.codes(x)?, importer.codes(result)?);
            let reduce = if kind == "MEAN" { integer::mean } else { integer::sum };
            reduce(&mut importer.build, id, &axes, from, to)?
        }
        kind => {
            let sum = along(importer, "reduce_sum", id, &axes)?;
            if kind == "MEAN" {
                let count =
                    axes.iter().filter_map(|&a| shape.get(a)).fold(1_usize, |n, &d| n.saturating_mul(d));
                #[allow(clippy::cast_precision_loss, reason = "a divisor")]
                let inverse = importer.build.floats(&[1], &[1.0 / count as f32])?;
                importer.build.binary("mul", sum, inverse)?
            } else {
                sum
            }
        }
    };
    let kept = shape.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &d)| d);
    let made = if keep { made } else { importer.build.reshape(made, &kept.collect::<Vec<_>>())? };
    importer.set_node(op, made)
}

fn along(importer: &mut Importer<'_>, name: &'static str, x: Id, axes: &[usize]) -> Step<Id> {
    Ok(axes.iter().try_fold(x, |x, &axis| importer.build.reduce(name, x, axis))?)
}

/// `ARG_MAX`.
pub(super) fn arg_max<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (x, at) = (importer.operand(op, 0)?, importer.operand(op, 1)?);
    importer.is_quantized(x)?;
    let id = importer.node(x)?;
    let at = importer.ints(at, "the axis of ARG_MAX")?.first().copied().unwrap_or(0);
    let at = axis(at, importer.build.graph().shape(id).len())?;
    let made = importer.build.argmax(id, at)?;
    importer.set_node(op, made)
}

/// `L2_NORMALIZATION` of floats, along the last axis.
pub(super) fn l2_normalization<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let x = importer.operand(op, 0)?;
    if importer.is_quantized(x)? {
        return Err(Stop::unsupported("L2_NORMALIZATION of codes of 8 bits"));
    }
    let activation = match op.options {
        Some(O::L2NormOptions(o)) => o.fused_activation_function()?,
        _ => 0,
    };
    let id = importer.node(x)?;
    let build = &mut importer.build;
    let last = axis(-1, build.graph().shape(id).len())?;
    let square = build.binary("mul", id, id)?;
    let sum = build.reduce("reduce_sum", square, last)?;
    // The kernel's lower bound of the norm is 1e-6.
    let least = build.floats(&[1], &[1e-12])?;
    let sum = build.binary("maximum", sum, least)?;
    let inverse = build.unary("rsqrt", sum)?;
    let made = build.binary("mul", id, inverse)?;
    importer.finish(op, made, activation)
}
