//! Erased operations, kept until nothing can refer to them.
//!
//! Handles are copied freely, so one may outlive the operation that it stands for. An erased operation is therefore only taken out of
//! its block and cut from everything else; its memory is freed when the pass that erased it returns, or when its context goes, and
//! handles cannot live longer than that.

use std::cell::RefCell;

use strum_mlir_sys as sys;

use crate::{ContextRef, Operation, raw};

thread_local! {
    static ERASED: RefCell<Vec<sys::MlirOperation>> = const { RefCell::new(Vec::new()) };
}

/// Takes an operation out of the IR, which must be in a block, and whose results must have no uses.
pub(crate) fn bury(op: Operation<'_>) {
    let raw = op.0.to_raw();
    // SAFETY: the operation is valid; what it refers to is dropped, so that it can be destroyed in any order.
    unsafe {
        sys::mlirOperationRemoveFromParent(raw);
        sys::strumOperationDropAllReferences(raw);
    }
    ERASED.with_borrow_mut(|erased| erased.push(raw));
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
pub(crate) fn empty(context: ContextRef<'_>) {
    let context = raw::operation::raw_context(context);
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
