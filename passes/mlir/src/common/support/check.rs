//! Checks one op against the matrix.

use super::facts::{OpFacts, TypeFact};
use super::matrix::{self, MAX_RANK, Row, Signature};

/// The faults of an op, and what is supported instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One message per fault, at least one.
    pub faults: Vec<String>,
    /// What the DPU path accepts instead of this op.
    pub supported: String,
}

/// Checks an op that `tosa-to-strum` converts or keeps.
///
/// # Errors
/// All faults of the op, with a sentence on what is supported.
pub fn check(op: &OpFacts<'_>) -> Result<(), Refusal> {
    let Some(row) = matrix::find(&op.name) else {
        let fault = match op.name.split_once('.') {
            Some(("tosa", "cond_if" | "while_loop")) => "only after --inline-control-flow, which replaces it",
            Some(_) if matrix::is_compound(&op.name) => "only after --expand-operators, which replaces it",
            Some(("tosa", _)) => "not implemented by the DPU",
            _ => "not an op of the tosa dialect",
        };
        let supported = format!("supported ops of the tosa dialect: {}", matrix::op_names());
        return Err(Refusal { faults: vec![fault.to_owned()], supported });
    };
    check_row(op, row)
}

/// Checks an op that `expand-operators` replaces; other ops pass.
///
/// # Errors
/// As for [`check`].
pub fn check_compound(op: &OpFacts<'_>) -> Result<(), Refusal> {
    matrix::compound(&op.name).map_or(Ok(()), |row| check_row(op, row))
}

fn check_row(op: &OpFacts<'_>, row: &Row) -> Result<(), Refusal> {
    let mut faults = type_faults(op, row);
    if faults.is_empty() {
        faults.extend(row.rules.iter().flat_map(|rule| (rule.check)(op)));
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal { faults, supported: supported(row) }) }
}

fn supported(row: &Row) -> String {
    let mut text = format!("supported for '{}': {}", row.op, row.types_text());
    for rule in row.rules {
        text.push_str("; ");
        text.push_str(&rule.text.replace('`', "'"));
    }
    text
}

/// Faults of the types alone: first of each tensor, then of their combination.
fn type_faults(op: &OpFacts<'_>, row: &Row) -> Vec<String> {
    let data = row.types.iter().map(|s| s.operands.len()).max().unwrap_or(0);
    let variadic = row.op == "tosa.concat";
    let checked = if variadic { op.operands.len() } else { data.min(op.operands.len()) };
    let operands = op.operands[..checked].iter().enumerate();
    let mut faults: Vec<String> = operands
        .filter_map(|(i, o)| tensor_fault(&o.ty, &o.printed).map(|f| format!("operand #{i} {f}")))
        .collect();
    if !row.types.is_empty() {
        let results = op.results.iter().enumerate();
        faults.extend(
            results.filter_map(|(i, r)| tensor_fault(&r.ty, &r.printed).map(|f| format!("result #{i} {f}"))),
        );
    }
    if faults.is_empty() && !row.types.is_empty() && !row.types.iter().any(|s| admits(s, op, checked)) {
        let printed: Vec<&str> = op.operands[..checked].iter().map(|o| o.printed.as_str()).collect();
        let result = op.results.first().map_or("", |r| r.printed.as_str());
        faults.push(format!("types ({}) -> {result} are not supported", printed.join(", ")));
    }
    faults
}

/// The fault of a data type, as the end of a sentence about the value of this type.
#[must_use]
pub fn tensor_fault(ty: &TypeFact, printed: &str) -> Option<String> {
    match ty {
        TypeFact::Tensor { shape, .. } => (shape.len() > MAX_RANK).then(|| {
            format!("of type '{printed}' has rank {}, at most {MAX_RANK} is supported", shape.len())
        }),
        TypeFact::Foreign(elem) => {
            Some(format!("of type '{printed}' has element type {elem}; supported are i1, i8, i16 and i32"))
        }
        TypeFact::Dynamic => {
            Some(format!("of type '{printed}' has a dynamic shape; all extents must be known"))
        }
        TypeFact::Unranked => Some(format!("of type '{printed}' has no rank; all extents must be known")),
        TypeFact::Shape | TypeFact::Other => Some(format!("of type '{printed}' is not a tensor")),
    }
}

fn admits(signature: &Signature, op: &OpFacts<'_>, checked: usize) -> bool {
    let wanted = |i: usize| signature.operands.get(i).or(signature.operands.last()).copied();
    let operands = (0..checked).all(|i| op.operand(i).map(|(_, elem)| elem) == wanted(i));
    operands && op.result().is_some_and(|(_, elem)| elem == signature.result)
}
