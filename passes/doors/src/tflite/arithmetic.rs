//! Operators of two operands, element by element. Invariant: operands are codes with scales, floats, or integers; they are not mixed.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::activations::no_kernel;
use super::file::{Kind, Operator};
use super::importer::Importer;
use super::operands;
use super::stop::{Step, Stop};
use crate::integer;
use crate::tosa::{Builder, Elem, Id};

/// The number of the fused activation; 0 for none.
pub(super) fn activation(op: &Operator<'_>) -> Step<i8> {
    Ok(match op.options {
        Some(O::AddOptions(o)) => o.fused_activation_function()?,
        Some(O::SubOptions(o)) => o.fused_activation_function()?,
        Some(O::MulOptions(o)) => o.fused_activation_function()?,
        Some(O::DivOptions(o)) => o.fused_activation_function()?,
        Some(O::ConcatenationOptions(o)) => o.fused_activation_function()?,
        _ => 0,
    })
}

/// The operands of an operator, of one type.
fn pair(importer: &mut Importer<'_>, op: &Operator<'_>) -> Step<([usize; 2], [Id; 2])> {
    operands(op, 2..=2)?;
    let &[Some(a), Some(b)] = &op.inputs[..] else { return Err(Stop::damaged("an operand is missing")) };
    let (x, y) = (importer.kind(a)?, importer.kind(b)?);
    if x != y {
        return Err(Stop::unsupported(format!("operands of {} and {}", x.name(), y.name())));
    }
    Ok(([a, b], [importer.node(a)?, importer.node(b)?]))
}

/// `ADD`, `DIV`, `MAXIMUM`, `MINIMUM`, `MUL`, `POW`, `SQUARED_DIFFERENCE`, `SUB`.
pub(super) fn binary<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let ([a, b], ids) = pair(importer, op)?;
    let result = importer.result(op, 0)?;
    let activation = activation(op)?;
    let made = match importer.kind(a)? {
        Kind::I8 | Kind::U8 => quantized(importer, op, [a, b, result], ids)?,
        Kind::F32 | Kind::F16 => float(importer, &op.kind, ids)?,
        Kind::I32 => {
            let name = match &*op.kind {
                "ADD" => "add",
                "SUB" => "sub",
                "MUL" => "mul",
                "MAXIMUM" => "maximum",
                "MINIMUM" => "minimum",
                other => return Err(Stop::unsupported(format!("{other} of int32"))),
            };
            importer.build.binary(name, ids[0], ids[1])?
        }
        other => return Err(Stop::unsupported(format!("{} of {}", op.kind, other.name()))),
    };
    importer.finish(op, made, activation)
}

fn quantized(importer: &mut Importer<'_>, op: &Operator<'_>, tensors: [usize; 3], ids: [Id; 2]) -> Step<Id> {
    let unsigned = importer.kind(tensors[0])? == Kind::U8;
    let build_codes = |importer: &Importer<'_>| -> Step<[_; 3]> {
        let [a, b, to] = tensors;
        Ok([importer.codes(a)?, importer.codes(b)?, importer.codes(to)?])
    };
    Ok(match &*op.kind {
        "ADD" => {
            let codes = build_codes(importer)?;
            integer::add(&mut importer.build, ids, codes, false)?
        }
        "SUB" => {
            let codes = build_codes(importer)?;
            integer::add(&mut importer.build, ids, codes, true)?
        }
        "MUL" => {
            let codes = build_codes(importer)?;
            integer::mul(&mut importer.build, ids, codes)?
        }
        "SQUARED_DIFFERENCE" if !unsigned => {
            let codes = build_codes(importer)?;
            integer::squared_difference(&mut importer.build, ids, codes)?
        }
        "DIV" => quotient(importer, tensors, ids[0])?,
        "MAXIMUM" => integer::extremum(&mut importer.build, "maximum", ids)?,
        "MINIMUM" => integer::extremum(&mut importer.build, "minimum", ids)?,
        other => return Err(no_kernel(other, unsigned)),
    })
}

/// A quotient of codes, if the divisor is a constant of one element.
fn quotient(importer: &mut Importer<'_>, [a, b, to]: [usize; 3], dividend: Id) -> Step<Id> {
    let (from, by, to) = (importer.codes(a)?, importer.codes(b)?, importer.codes(to)?);
    let divisor = importer.known(b)?.filter(|known| known.count() == 1);
    let Some(divisor) = divisor.map(|known| known.to_ints()).transpose()? else {
        return Err(Stop::unsupported("DIV of codes by other than a constant of one element"));
    };
    let shift = if importer.kind(b)? == Kind::U8 { 128 } else { 0 };
    let code = divisor.first().map_or(0, |&code| code - shift);
    let difference = i32::try_from(code - i64::from(by.zero_point)).unwrap_or(0);
    let Some(table) = integer::quotient(from, to, difference, by.scale)? else {
        return Err(Stop::unsupported(format!(
            "DIV by {difference} steps of {} with a result of scale {}, for which TFLite's kernel is not defined",
            by.scale, to.scale
        )));
    };
    // The divisor may be of higher rank.
    let shape = importer.shape(b)?;
    let made = importer.build.table(dividend, &table)?;
    let rank = importer.build.graph().shape(made).len();
    let ones = vec![1; shape.len().saturating_sub(rank)];
    let shape = [&ones[..], importer.build.graph().shape(made)].concat();
    Ok(importer.build.reshape(made, &shape)?)
}

fn float(importer: &mut Importer<'_>, kind: &str, [a, b]: [Id; 2]) -> Step<Id> {
    let build = &mut importer.build;
    Ok(match kind {
        "ADD" => build.binary("add", a, b)?,
        "SUB" => build.binary("sub", a, b)?,
        "MUL" => build.binary("mul", a, b)?,
        "MAXIMUM" => build.binary("maximum", a, b)?,
        "MINIMUM" => build.binary("minimum", a, b)?,
        "POW" => build.binary("pow", a, b)?,
        "DIV" => {
            let inverse = build.unary("reciprocal", b)?;
            build.binary("mul", a, inverse)?
        }
        _ => {
            let difference = build.binary("sub", a, b)?;
            build.binary("mul", difference, difference)?
        }
    })
}

/// `ADD_N` of floats or int32.
pub(super) fn add_n<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let mut sum = None;
    for index in 0..op.inputs.len() {
        let x = importer.operand(op, index)?;
        if importer.kind(x)?.is_code() {
            return Err(Stop::unsupported("ADD_N of codes of 8 bits"));
        }
        let x = importer.node(x)?;
        sum = Some(match sum {
            None => x,
            Some(sum) => importer.build.binary("add", sum, x)?,
        });
    }
    let sum = sum.ok_or_else(|| Stop::damaged("ADD_N has no operands"))?;
    importer.set_node(op, sum)
}

/// `EQUAL`, `GREATER` and so on, of floats or int32.
pub(super) fn comparison<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let ([x, _], [a, b]) = pair(importer, op)?;
    let kind = importer.kind(x)?;
    if kind.is_code() {
        return Err(Stop::unsupported(format!(
            "{} of {}: its result is a boolean tensor, which quantized networks do not support",
            op.kind,
            kind.name()
        )));
    }
    if !kind.is_float() && kind != Kind::I32 {
        return Err(Stop::unsupported(format!("{} of {}", op.kind, kind.name())));
    }
    let build = &mut importer.build;
    let made = match &*op.kind {
        "EQUAL" => build.binary("equal", a, b)?,
        "GREATER" => build.binary("greater", a, b)?,
        "GREATER_EQUAL" => build.binary("greater_equal", a, b)?,
        "LESS" => build.binary("greater", b, a)?,
        "LESS_EQUAL" => build.binary("greater_equal", b, a)?,
        _ => {
            let equal = build.binary("equal", a, b)?;
            build.unary("logical_not", equal)?
        }
    };
    importer.set_node(op, made)
}

/// `LOGICAL_AND`, `LOGICAL_OR`, `LOGICAL_NOT`.
pub(super) fn logical<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let count = if op.kind == "LOGICAL_NOT" { 1 } else { 2 };
    operands(op, count..=count)?;
    let mut ids = Vec::new();
    for index in 0..count {
        let x = importer.operand(op, index)?;
        if importer.kind(x)? != Kind::Bool {
            return Err(Stop::unsupported(format!("{} of {}", op.kind, importer.kind(x)?.name())));
        }
        ids.push(importer.node(x)?);
    }
    let made = match (&*op.kind, &ids[..]) {
        ("LOGICAL_AND", &[a, b]) => importer.build.binary("logical_and", a, b)?,
        ("LOGICAL_OR", &[a, b]) => importer.build.binary("logical_or", a, b)?,
        (_, &[x, ..]) => importer.build.unary("logical_not", x)?,
        _ => return Err(Stop::damaged("an operand is missing")),
    };
    importer.set_node(op, made)
}

/// `SELECT`, `SELECT_V2`.
pub(super) fn select<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 3..=3)?;
    let (condition, a, b) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.operand(op, 2)?);
    let [chooser, x, y] = [importer.kind(condition)?, importer.kind(a)?, importer.kind(b)?];
    if chooser != Kind::Bool || x != y {
        let [chooser, x, y] = [chooser, x, y].map(Kind::name);
        return Err(Stop::unsupported(format!("a selection by {chooser} among {x} and {y}")));
    }
    let ids = [importer.node(condition)?, importer.node(a)?, importer.node(b)?];
    if importer.kind(a)?.is_code() && (importer.codes(a)? != importer.codes(b)?) {
        return Err(Stop::unsupported("a selection among codes of different scales"));
    }
    let made = importer.build.select(ids[0], ids[1], ids[2])?;
    importer.set_node(op, made)
}

/// `CAST` among int32, bool and floats.
pub(super) fn cast<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let (x, result) = (importer.operand(op, 0)?, importer.result(op, 0)?);
    let elem = |kind: Kind| match kind {
        Kind::F32 => Ok(Elem::F32),
        Kind::I32 | Kind::I64 => Ok(Elem::I32),
        Kind::Bool => Ok(Elem::Bool),
        other => Err(Stop::unsupported(format!("a cast of {}", other.name()))),
    };
    let (from, to) = (elem(importer.kind(x)?)?, elem(importer.kind(result)?)?);
    let x = importer.node(x)?;
    let build = &mut importer.build;
    let made = match (from, to) {
        (Elem::F32, Elem::I32) => {
            let whole = truncated(build, x)?;
            build.cast(whole, to)?
        }
        (Elem::F32, Elem::Bool) => {
            let zero = build.floats(&[1], &[0.0])?;
            let none = build.binary("equal", x, zero)?;
            build.unary("logical_not", none)?
        }
        // TOSA has no cast from booleans to floats.
        (Elem::Bool, Elem::F32) => {
            let number = build.cast(x, Elem::I32)?;
            build.cast(number, to)?
        }
        _ => build.cast(x, to)?,
    };
    importer.set_node(op, made)
}

/// Floats without their fractions, which TOSA's cast would round.
fn truncated(build: &mut Builder, x: Id) -> Step<Id> {
    let zero = build.floats(&[1], &[0.0])?;
    let positive = build.binary("greater_equal", x, zero)?;
    let (below, above) = (build.unary("floor", x)?, build.unary("ceil", x)?);
    Ok(build.select(positive, below, above)?)
}
