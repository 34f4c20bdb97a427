//! Checks a function against the support matrix.

use strum_ir::{BlobError, Operation, PassError, Severity};

use crate::common::rewrite::blocks;
use crate::common::support;
use crate::common::support::read::{facts, type_fact};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;

/// Reports everything in a function that the DPU path does not support.
pub(crate) fn function(function: Operation<'_>) -> Result<(), PassError> {
    let mut outcome = Ok(());
    let blocks = blocks(function);
    if blocks.len() > 1 {
        let message = format!("unsupported: control flow between the {} blocks of the body", blocks.len());
        outcome = Err(function.error(message).into());
    }
    for (i, argument) in blocks.iter().flat_map(|block| block.arguments()).enumerate() {
        let ty = argument.ty();
        // If an op reads the argument, that op is the better location for the error.
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
    if let Some(fault) = op.misspelt_attribute() {
        return Err(op.error(fault).into());
    }
    refuse(op, support::check(&facts(op)))
}

/// Reports why an op that `expand-operators` replaces is not supported.
pub(crate) fn compound(op: Operation<'_>) -> Result<(), PassError> {
    if let Some(fault) = op.misspelt_attribute() {
        return Err(op.error(fault).into());
    }
    refuse(op, support::check_compound(&facts(op)))
}

fn refuse(op: Operation<'_>, checked: Result<(), support::Refusal>) -> Result<(), PassError> {
    let Err(refusal) = checked else { return Ok(()) };
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

/// A constant of a supported type whose data cannot be read, such as a resource missing from the file.
fn broken_constant(op: Operation<'_>) -> Option<String> {
    if !op.is("tosa.const") {
        return None;
    }
    let (_, elem) = view::tensor(op.result(0)?.ty())?;
    let values = op.attribute("values")?;
    if values.splat_bytes().is_some() {
        return None;
    }
    let read = match elem {
        Elem::I1 => values.bools().map(|_| ()),
        _ => values.bytes().map(|_| ()),
    };
    match read {
        Ok(()) => None,
        Err(error @ BlobError::Sparse) => Some(format!("{UNSUPPORTED}{error}")),
        Err(error) => Some(error.to_string()),
    }
}
