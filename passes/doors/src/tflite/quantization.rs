//! Codes and real numbers. Invariant: a real number inside a network of codes is always that of a code the graph has.

use super::convolutions::dequantized;
use super::file::{Kind, Operator, shown};
use super::importer::{Importer, Value, unsupported_kind};
use super::known::Known;
use super::operands;
use super::stop::{Step, Stop};
use crate::integer;

/// `QUANTIZE`: of codes, another meaning; of reals behind codes, a table.
pub(super) fn quantize<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let (x, result) = (importer.operand(op, 0)?, importer.result(op, 0)?);
    let kind = importer.kind(result)?;
    if !kind.is_code() {
        return Err(unsupported_kind(kind));
    }
    let to = importer.codes(result)?;
    if let Value::Real(id, from) = importer.value(x)? {
        if from == to {
            return importer.set_node(op, id);
        }
        let table = integer::requantized(from, to);
        let made = importer.build.table(id, &table)?;
        return importer.set_node(op, made);
    }
    match importer.kind(x)? {
        Kind::I8 | Kind::U8 => {
            let (id, from) = (importer.node(x)?, importer.codes(x)?);
            let made = integer::requantize(&mut importer.build, id, from, to)?;
            importer.set_node(op, made)
        }
        Kind::F32 => {
            let (made_by, name) =
                (importer.makers.get(x).copied().flatten(), shown(importer.tensor(x)?.name));
            let by = made_by.map_or_else(|| "an input".to_owned(), |index| format!("operator {index}"));
            Err(Stop::unsupported("quantizes floats inside the network").help(format!(
                "'{name}' is computed in floats by {by}: convert the network with full integer quantization"
            )))
        }
        other => Err(unsupported_kind(other)),
    }
}

/// `DEQUANTIZE`: constants become floats, others stay codes.
pub(super) fn dequantize<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let x = importer.operand(op, 0)?;
    let kind = importer.kind(x)?;
    if let Some(known) = importer.known(x)? {
        let real = if matches!(kind, Kind::F16 | Kind::F32) {
            importer.charge(known.count().saturating_mul(8))?;
            Known::floats(known.shape.clone(), known.to_floats()?)
        } else {
            dequantized(importer, x, &known)?
        };
        return importer.set(op, 0, Value::Known(real));
    }
    if !kind.is_code() {
        return Err(unsupported_kind(kind));
    }
    let (id, codes) = (importer.node(x)?, importer.codes(x)?);
    importer.set(op, 0, Value::Real(id, codes))
}

/// `DENSIFY` of a constant, which is dense already.
pub(super) fn densify<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let x = importer.operand(op, 0)?;
    match importer.value(x)? {
        value @ Value::Known(_) => importer.set(op, 0, value),
        _ => Err(Stop::unsupported("DENSIFY of a tensor that is computed")),
    }
}
