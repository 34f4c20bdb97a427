//! The check of a function against the support matrix.

use std::collections::BTreeMap;

use strum_ir::{Operation, PassError, Severity, Type, Value};

use crate::rewrite::blocks;
use crate::support;
use crate::support::facts::{AttrFact, OpFacts, OperandFact, ResultFact, TypeFact};
use crate::tosa::view;

/// Reports everything in a function that the DPU path does not take.
pub(super) fn function(function: Operation<'_>) -> Result<(), PassError> {
    let mut outcome = Ok(());
    let blocks = blocks(function);
    if blocks.len() > 1 {
        let message = format!("unsupported: control flow between the {} blocks of the body", blocks.len());
        outcome = Err(function.error(message).into());
    }
    for (i, argument) in blocks.iter().flat_map(|block| block.arguments()).enumerate() {
        let ty = argument.ty();
        // Where an op reads the argument, that op is the better place to complain.
        let unread = argument.uses().iter().all(|each| each.user.is("func.return"));
        if let Some(fault) = unread.then(|| support::tensor_fault(&type_fact(ty), &ty.to_string())).flatten()
        {
            outcome = Err(function.error(format!("unsupported: argument #{i} {fault}")).into());
        }
    }
    for op in blocks.into_iter().flat_map(|block| block.operations()) {
        if !op.is("func.return") && op.dialect() != "strum" {
            outcome = check(op).and(outcome);
        }
    }
    outcome
}

fn check(op: Operation<'_>) -> Result<(), PassError> {
    if let Some(error) = broken_constant(op) {
        return Err(op.error(error).into());
    }
    let Err(refusal) = support::check(&facts(op)) else { return Ok(()) };
    let mut outcome = Ok(());
    let last = refusal.faults.len().saturating_sub(1);
    for (i, fault) in refusal.faults.iter().enumerate() {
        let mut diagnostic = op.diagnostic(Severity::Error, format!("unsupported: {fault}"));
        if i == last {
            diagnostic = diagnostic.note(op.location(), &refusal.supported);
        }
        outcome = Err(diagnostic.fail().into());
    }
    outcome
}

/// A constant of a supported type whose data cannot be read, such as a resource that is not in the file.
fn broken_constant(op: Operation<'_>) -> Option<String> {
    if !op.is("tosa.const") {
        return None;
    }
    view::tensor(op.result(0)?.ty())?;
    let values = op.attribute("values")?;
    match values.splat_bytes() {
        Some(_) => None,
        None => values.bytes().err().map(|error| error.to_string()),
    }
}

fn facts<'c>(op: Operation<'c>) -> OpFacts<'c> {
    let printed = |value: Value<'c>| value.ty().to_string();
    OpFacts {
        name: op.name().to_owned(),
        operands: (op.operands().into_iter())
            .map(|value| OperandFact {
                ty: type_fact(value.ty()),
                printed: printed(value),
                constant: view::literal(value),
                dims: view::dims(value),
            })
            .collect(),
        results: (op.results().into_iter())
            .map(|value| ResultFact { ty: type_fact(value.ty()), printed: printed(value) })
            .collect(),
        attrs: attributes(op),
    }
}

fn attributes(op: Operation<'_>) -> BTreeMap<String, AttrFact> {
    // The data of a constant are none of the matrix's business, and may be large.
    let wanted = op.attributes().into_iter().filter(|(name, _)| *name != "values");
    wanted
        .map(|(name, attribute)| {
            let fact = if let Some(value) = attribute.as_bool() {
                AttrFact::Bool(value)
            } else if let Some(value) = attribute.as_i64() {
                AttrFact::Int(value)
            } else if let Some(values) = attribute.as_i64s() {
                AttrFact::Ints(values)
            } else {
                AttrFact::Text(attribute.to_string())
            };
            (name.to_owned(), fact)
        })
        .collect()
}

fn type_fact(ty: Type<'_>) -> TypeFact {
    if let Some((shape, elem)) = view::tensor(ty) {
        return TypeFact::Tensor { shape, elem };
    }
    if ty.is_unranked_tensor() {
        return TypeFact::Unranked;
    }
    match (ty.element(), ty.as_tensor()) {
        (Some(elem), Some(_)) => TypeFact::Foreign(elem.to_string()),
        (Some(_), None) => TypeFact::Dynamic,
        (None, _) if ty.to_string().starts_with("!tosa.shape") => TypeFact::Shape,
        (None, _) => TypeFact::Other,
    }
}
