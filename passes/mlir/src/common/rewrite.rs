//! Small steps that several passes take.

use strum_ir::{Block, Error, Location, Operation, Value};

/// Removes every op of a block that has no effect and no user, and what only those used.
///
/// # Errors
/// MLIR refuses to erase an op; the block is then unchanged from there on.
pub(crate) fn remove_dead(block: Block<'_>) -> Result<bool, Error> {
    let mut changed = false;
    for op in block.operations().into_iter().rev() {
        changed |= op.erase_if_dead()?;
    }
    Ok(changed)
}

/// Replaces the only result of an op, erases the op, and then what has become dead with it.
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

/// The most parts of a fused location: what is made of more ops names the first of them.
const MAX_PARTS: usize = 256;

/// The location of what is made of several ops.
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
