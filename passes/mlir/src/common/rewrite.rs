//! Rewriting helpers shared by passes.

use strum_ir::{Block, Error, Location, Operation, Value};

/// Erases every op of a block without effects and uses, and the ops that only those used.
///
/// # Errors
/// MLIR refuses to erase an op; the rest of the block is then unchanged.
pub(crate) fn remove_dead(block: Block<'_>) -> Result<bool, Error> {
    let mut changed = false;
    for op in block.operations().into_iter().rev() {
        changed |= op.erase_if_dead()?;
    }
    Ok(changed)
}

/// Replaces the only result of an op, and erases the op and the ops that are dead without it.
///
/// # Errors
/// The op has not exactly one result.
pub(crate) fn replace<'c>(op: Operation<'c>, value: Value<'c>) -> Result<(), Error> {
    let operands = op.operands();
    op.replace_with(&[value])?;
    for operand in operands {
        if let Some(def) = operand.defining_op() {
            def.erase_if_dead()?;
        }
    }
    Ok(())
}

/// Maximum number of parts of a fused location: larger fusions name the first of them.
const MAX_PARTS: usize = 256;

/// The fused location of several ops.
pub(crate) fn fused<'c>(ops: &[Operation<'c>]) -> Option<Location<'c>> {
    let first = ops.first()?;
    let mut parts = Vec::new();
    for location in ops.iter().map(|op| op.location()) {
        parts.extend(location.parts().unwrap_or_else(|| vec![location]));
        if parts.len() >= MAX_PARTS {
            parts.truncate(MAX_PARTS);
            break;
        }
    }
    Some(Location::fused(first.context(), &parts))
}

/// The blocks of the body of a function; none for a declaration.
pub(crate) fn blocks(function: Operation<'_>) -> Vec<Block<'_>> {
    function.region(0).map(|region| region.blocks()).unwrap_or_default()
}
