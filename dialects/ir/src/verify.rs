//! The verifiers of the `strum` and `dpu` dialects.
//!
//! ODS checks operand and attribute kinds; what relates them is checked here. C++ calls [`verify`] for every operation of the dialects, and
//! [`verify_attribute`] for every attribute with a prefix of theirs.

use std::sync::Once;

use strum_mlir_sys as sys;

use crate::{Attribute, Operation, PassError, discardable, dpu, ffi, pass::guard, strum};

/// Installs the verifiers, once.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the hooks are functions, and are in place before any registry with the dialects exists.
    ONCE.call_once(|| unsafe {
        sys::strumSetHooks(sys::StrumHooks {
            verify: Some(verify),
            verifyAttribute: Some(verify_attribute),
            fields: Some(dpu::text::fields),
            formatFields: Some(strum::format::fields),
            formatFault: Some(strum::format::fault),
        })
    });
}

/// The hook.
unsafe extern "C" fn verify(op: sys::MlirOperation) -> sys::MlirLogicalResult {
    // SAFETY: MLIR hands an operation that is valid during the call.
    let op = unsafe { Operation::from_raw(op) };
    guard(op, || {
        discardable::verify_own(op)?;
        match op.dialect() {
            "strum" => strum::verify::verify(op)?,
            "dpu" => dpu::verify::verify(op)?,
            _ => return Err(PassError::Internal(format!("no verifier for '{}'", op.name()))),
        }
        Ok(())
    })
}

/// The hook for attributes.
unsafe extern "C" fn verify_attribute(
    op: sys::MlirOperation,
    name: sys::MlirStringRef,
    value: sys::MlirAttribute,
    on_operation: bool,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR hands what is valid during the call.
    let (op, name, value) =
        unsafe { (Operation::from_raw(op), ffi::str_of(name), Attribute::from_raw(value)) };
    guard(op, || discardable::verify_prefixed(op, name, value, on_operation))
}
