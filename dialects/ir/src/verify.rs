//! The verifiers of the `strum` and `dpu` dialects.
//!
//! ODS checks operand and attribute kinds; what relates them is checked here. C++ calls [`verify`] for every operation of the dialects.

use std::sync::Once;

use strum_mlir_sys as sys;

use crate::{Operation, PassError, dpu, pass::guard, strum};

/// Installs the verifiers, once.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the hooks are functions, and are in place before any registry with the dialects exists.
    ONCE.call_once(|| unsafe {
        sys::strumSetHooks(sys::StrumHooks {
            verify: Some(verify),
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
        match op.dialect() {
            "strum" => strum::verify::verify(op)?,
            "dpu" => dpu::verify::verify(op)?,
            _ => return Err(PassError::Internal(format!("no verifier for '{}'", op.name()))),
        }
        Ok(())
    })
}
