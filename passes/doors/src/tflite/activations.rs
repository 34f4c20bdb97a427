//! Functions of one operand. Invariant: of codes, each is a table or a requantization, as the kernel computes it.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::{Kind, Operator};
use super::importer::{Importer, axis};
use super::operands;
use super::stop::{Step, Stop};
use crate::integer;
use crate::tosa::{Builder, Codes, Elem, Id};

/// `RELU`, `LOGISTIC`, `EXP` and so on.
pub(super) fn unary<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let (x, result) = (importer.operand(op, 0)?, importer.result(op, 0)?);
    let clamp = match &*op.kind {
        "RELU" => Some((Some(0.0), None)),
        "RELU6" => Some((Some(0.0), Some(6.0))),
        "RELU_0_TO_1" => Some((Some(0.0), Some(1.0))),
        "RELU_N1_TO_1" => Some((Some(-1.0), Some(1.0))),
        _ => None,
    };
    if !importer.is_quantized(x)? {
        let id = importer.node(x)?;
        let made = match clamp {
            Some((min, max)) => importer.clamped(result, id, min, max)?,
            None => float(&mut importer.build, op, id)?,
        };
        return importer.set_node(op, made);
    }
    let id = importer.node(x)?;
    let (from, to) = (importer.codes(x)?, importer.codes(result)?);
    if let Some((min, max)) = clamp {
        // The kernel divides scales in f32.
        let ratio =
            Codes { scale: f64::from(integer::single(from.scale) / integer::single(to.scale)), ..from };
        let unit = Codes { scale: 1.0, ..to };
        let made = integer::requantize(&mut importer.build, id, ratio, unit)?;
        let made = importer.clamped(result, made, min, max)?;
        return importer.set_node(op, made);
    }
    let table = table(op, from, to, importer.kind(x)? == Kind::U8)?;
    let made = importer.build.table(id, &table)?;
    importer.set_node(op, made)
}

fn alpha(op: &Operator<'_>) -> Step<f32> {
    match op.options {
        Some(O::LeakyReluOptions(o)) => Ok(o.alpha()?),
        _ => Err(Stop::damaged("LEAKY_RELU has no slope")),
    }
}

/// The results of all codes.
fn table(op: &Operator<'_>, from: Codes, to: Codes, unsigned: bool) -> Step<Vec<i64>> {
    let function = |f: fn(f32) -> f32| integer::from_function(from, to, f);
    let demand = |codes: Codes| {
        if to == codes {
            return Ok(());
        }
        let (scale, zero) = (codes.scale, codes.zero_point);
        Err(Stop::unsupported(format!(
            "{} with a result of other codes than scale {scale} and zero point {zero}",
            op.kind
        )))
    };
    Ok(match &*op.kind {
        "LOGISTIC" => {
            demand(Codes { scale: 1.0 / 256.0, zero_point: -128 })?;
            if unsigned { function(|x| 1.0 / (1.0 + (-x).exp())) } else { integer::logistic(from)? }
        }
        "TANH" => {
            demand(Codes { scale: 1.0 / 128.0, zero_point: 0 })?;
            if unsigned { function(f32::tanh) } else { integer::tanh(from)? }
        }
        "HARD_SWISH" => integer::hard_swish(from, to)?,
        "LEAKY_RELU" => integer::leaky_relu(from, to, alpha(op)?)?,
        "ELU" if !unsigned => integer::elu(from, to),
        "RSQRT" if !unsigned => integer::rsqrt(from, to)?,
        "ABS" if !unsigned => integer::abs(from, to)?,
        "EXP" if !unsigned => function(f32::exp),
        "GELU" if approximate(op)? => function(gelu_tanh),
        "GELU" => function(gelu_erfc),
        "LOG" if !unsigned => integer::log(from, to),
        "NEG" if !unsigned => negated(from, to)?,
        "SQRT" if !unsigned => integer::sqrt(from, to),
        other => return Err(no_kernel(other, unsigned)),
    })
}

/// The kernel changes the signs of codes, whatever they mean.
fn negated(from: Codes, to: Codes) -> Step<Vec<i64>> {
    if from != to || from.zero_point != 0 {
        return Err(Stop::unsupported(
            "NEG of codes with other scales, or another zero point than 0, which TFLite's kernel ignores",
        ));
    }
    Ok(integer::negated())
}

/// Why an operator on codes is not supported.
pub(super) fn no_kernel(name: &str, unsigned: bool) -> Stop {
    let codes = if unsigned { "uint8" } else { "int8" };
    Stop::unsupported(format!("{name} of {codes}, for which TFLite's reference kernels have no arithmetic"))
}

fn approximate(op: &Operator<'_>) -> Step<bool> {
    Ok(match op.options {
        Some(O::GeluOptions(o)) => o.approximate()?,
        _ => false,
    })
}

fn gelu_erfc(x: f32) -> f32 {
    0.5 * x * libm::erfcf(x * -std::f32::consts::FRAC_1_SQRT_2)
}

fn gelu_tanh(x: f32) -> f32 {
    const ROOT: f32 = 0.797_884_6;
    0.5 * x * (1.0 + (ROOT * (x + 0.044_715 * x * x * x)).tanh())
}

fn by(build: &mut Builder, name: &'static str, x: Id, value: f32) -> Step<Id> {
    let value = build.floats(&[1], &[value])?;
    Ok(build.binary(name, x, value)?)
}

fn float(build: &mut Builder, op: &Operator<'_>, x: Id) -> Step<Id> {
    Ok(match &*op.kind {
        "ABS" => build.unary("abs", x)?,
        "CEIL" => build.unary("ceil", x)?,
        "COS" => build.unary("cos", x)?,
        "EXP" => build.unary("exp", x)?,
        "FLOOR" => build.unary("floor", x)?,
        "LOG" => build.unary("log", x)?,
        "LOGISTIC" => build.unary("sigmoid", x)?,
        "NEG" => build.unary("negate", x)?,
        "RSQRT" => build.unary("rsqrt", x)?,
        "SIN" => build.unary("sin", x)?,
        "SQUARE" => build.binary("mul", x, x)?,
        "TANH" => build.unary("tanh", x)?,
        "SQRT" => {
            let inverse = build.unary("rsqrt", x)?;
            build.unary("reciprocal", inverse)?
        }
        "HARD_SWISH" => {
            let shifted = by(build, "add", x, 3.0)?;
            let gate = build.clamp_floats(shifted, 0.0, 6.0)?;
            let product = build.binary("mul", x, gate)?;
            by(build, "mul", product, 1.0 / 6.0)?
        }
        "LEAKY_RELU" => {
            let alpha = build.floats(&[1], &[alpha(op)?])?;
            sloped(build, x, alpha)?
        }
        "ELU" => {
            let zero = build.floats(&[1], &[0.0])?;
            let negative = build.binary("minimum", x, zero)?;
            let power = build.unary("exp", negative)?;
            let below = by(build, "sub", power, 1.0)?;
            let condition = build.binary("greater_equal", x, zero)?;
            build.select(condition, x, below)?
        }
        _ => gelu(build, x, approximate(op)?)?,
    })
}

fn gelu(build: &mut Builder, x: Id, approximate: bool) -> Step<Id> {
    let gate = if approximate {
        let square = build.binary("mul", x, x)?;
        let cube = build.binary("mul", square, x)?;
        let small = by(build, "mul", cube, 0.044_715)?;
        let sum = build.binary("add", x, small)?;
        let scaled = by(build, "mul", sum, 0.797_884_6)?;
        build.unary("tanh", scaled)?
    } else {
        let scaled = by(build, "mul", x, std::f32::consts::FRAC_1_SQRT_2)?;
        build.unary("erf", scaled)?
    };
    let sum = by(build, "add", gate, 1.0)?;
    let product = build.binary("mul", x, sum)?;
    by(build, "mul", product, 0.5)
}

/// `x` from 0 on, `alpha · x` below.
fn sloped(build: &mut Builder, x: Id, alpha: Id) -> Step<Id> {
    let below = build.binary("mul", x, alpha)?;
    let zero = build.floats(&[1], &[0.0])?;
    let condition = build.binary("greater_equal", x, zero)?;
    Ok(build.select(condition, x, below)?)
}

/// `PRELU`.
pub(super) fn prelu<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (x, alpha, result) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.result(op, 0)?);
    let quantized = importer.is_quantized(x)?;
    let ids = [importer.node(x)?, importer.node(alpha)?];
    let made = if quantized {
        let codes = [importer.codes(x)?, importer.codes(alpha)?, importer.codes(result)?];
        integer::prelu(&mut importer.build, ids, codes)?
    } else {
        sloped(&mut importer.build, ids[0], ids[1])?
    };
    importer.set_node(op, made)
}

/// `SOFTMAX`, along the last axis.
pub(super) fn softmax<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let (x, result) = (importer.operand(op, 0)?, importer.result(op, 0)?);
    let beta = match op.options {
        Some(O::SoftmaxOptions(o)) => o.beta()?,
        _ => 1.0,
    };
    let quantized = importer.is_quantized(x)?;
    let id = importer.node(x)?;
    let made = if quantized {
        if importer.codes(result)? != (Codes { scale: 1.0 / 256.0, zero_point: -128 }) {
            return Err(Stop::unsupported("a softmax of codes with another scale of its result than 1/256"));
        }
        let from = importer.codes(x)?;
        integer::softmax(&mut importer.build, id, from, beta.into())?
    } else {
        let build = &mut importer.build;
        let scaled = if (beta - 1.0).abs() < f32::EPSILON { id } else { by(build, "mul", id, beta)? };
        let (powers, sum) = powers(build, scaled)?.1;
        let inverse = build.unary("reciprocal", sum)?;
        build.binary("mul", powers, inverse)?
    };
    importer.set_node(op, made)
}

/// Differences from the maximum along the last axis; their exponentials, and the sum of those.
fn powers(build: &mut Builder, x: Id) -> Step<(Id, (Id, Id))> {
    let last = axis(-1, build.graph().shape(x).len())?;
    let highest = build.reduce("reduce_max", x, last)?;
    let difference = build.binary("sub", x, highest)?;
    let powers = build.unary("exp", difference)?;
    let sum = build.reduce("reduce_sum", powers, last)?;
    Ok((difference, (powers, sum)))
}

/// `LOG_SOFTMAX` of floats, along the last axis.
pub(super) fn log_softmax<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let x = importer.operand(op, 0)?;
    let id = importer.node(x)?;
    if importer.build.graph().value(id).is_none_or(|value| value.elem != Elem::F32) {
        return Err(Stop::unsupported("LOG_SOFTMAX of codes of 8 bits"));
    }
    let (difference, (_, sum)) = powers(&mut importer.build, id)?;
    let log = importer.build.unary("log", sum)?;
    let made = importer.build.binary("sub", difference, log)?;
    importer.set_node(op, made)
}
