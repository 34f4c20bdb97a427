//! Tensors that are larger than the machine's DRAM, which no plan can hold.
//!
//! Invariant: after this check the bytes of every tensor of a function can be counted in 64 bits.

use dpu_isa::Machine;
use strum_ir::{Operation, PassError, Type};

use crate::tosa::view;
use crate::verdict::RESOURCE;

/// Refuses the first of them, at the op that makes it.
pub(super) fn check(function: Operation<'_>, machine: &Machine) -> Result<(), PassError> {
    for op in std::iter::once(function).chain(function.walk()) {
        let arguments = op.regions().into_iter().flat_map(|r| r.blocks()).flat_map(|b| b.arguments());
        for value in op.results().into_iter().chain(arguments) {
            let ty = value.ty();
            let Some(bytes) = bytes(ty).filter(|&bytes| bytes > u128::from(machine.dram_bytes)) else {
                continue;
            };
            let (limit, name) = (machine.dram_bytes, &machine.name);
            let what = format_args!(
                "{RESOURCE}a tensor of type '{ty}' has {bytes} bytes, the DRAM of '{name}' has {limit}"
            );
            return Err(op.error(what).into());
        }
    }
    Ok(())
}

/// Size of a tensor, saturating; `None` for what is none.
fn bytes(ty: Type<'_>) -> Option<u128> {
    let (shape, elem) = view::tensor(ty)?;
    let width = u128::from(elem.bits().div_ceil(8));
    Some(shape.iter().fold(width, |bytes, &extent| bytes.saturating_mul(u128::from(extent))))
}
