//! Erased operations, kept until nothing can refer to them.
//!
//! Handles are copied freely, so one may outlive the operation that it stands for. An erased operation is therefore only taken out of
//! its block and cut from everything else; its memory is freed when the pass that erased it returns, or when its context goes, and
//! handles cannot live longer than that.

use std::cell::RefCell;

use strum_mlir_sys as sys;

thread_local! {
    static ERASED: RefCell<Vec<sys::MlirOperation>> = const { RefCell::new(Vec::new()) };
}

/// Takes an operation out of the IR.
///
/// # Safety
/// The operation must be valid, in a block, and its results must have no uses.
pub(crate) unsafe fn bury(op: sys::MlirOperation) {
    // SAFETY: by this function's contract.
    unsafe {
        sys::mlirOperationRemoveFromParent(op);
        sys::strumOperationDropAllReferences(op);
    }
    ERASED.with_borrow_mut(|erased| erased.push(op));
}

/// Everything buried on this thread from its creation on, freed when it is dropped: made at the beginning of each pass.
pub(crate) struct Plot(usize);

impl Plot {
    pub(crate) fn begin() -> Self {
        Self(ERASED.with_borrow(Vec::len))
    }
}

impl Drop for Plot {
    fn drop(&mut self) {
        let dead = ERASED.with_borrow_mut(|erased| erased.split_off(self.0.min(erased.len())));
        dead.into_iter().for_each(free);
    }
}

/// Frees everything of one context that is buried on this thread.
pub(crate) fn empty(context: sys::MlirContext) {
    // SAFETY: buried operations are valid until they are freed.
    let is_of = |op: &mut sys::MlirOperation| unsafe { sys::mlirOperationGetContext(*op).ptr == context.ptr };
    let dead: Vec<_> = ERASED.with_borrow_mut(|erased| erased.extract_if(.., is_of).collect());
    dead.into_iter().for_each(free);
}

fn free(op: sys::MlirOperation) {
    // SAFETY: taken out of the IR by `bury`, and freed once. References are dropped again because a handle may have been used to make
    // new ones: an operand that pointed here becomes null, which the verifier reports.
    unsafe {
        sys::strumOperationDropAllReferences(op);
        sys::mlirOperationDestroy(op);
    }
}
