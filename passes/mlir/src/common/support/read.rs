//! Reads the facts of an op that the check needs from the IR.

use std::collections::BTreeMap;

use strum_ir::{Operation, Type, Value};

use super::facts::{AttrFact, OpFacts, OperandFact, ResultFact, TypeFact};
use crate::common::tosa::view;

/// The facts of an op.
#[must_use]
pub fn facts<'c>(op: Operation<'c>) -> OpFacts<'c> {
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
    // The data of a constant are irrelevant to the matrix, and may be large.
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

/// The facts of a type.
#[must_use]
pub fn type_fact(ty: Type<'_>) -> TypeFact {
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
