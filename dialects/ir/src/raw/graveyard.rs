//! Erased operations, kept until nothing can refer to them.
//!
//! Handles are copied freely, so one may outlive the operation that it refers to. An erased operation is therefore only removed from
//! its block and detached from everything else; its memory is freed when the pass that erased it returns, or with its context, and
//! handles cannot outlive that.

use std::cell::RefCell;

use strum_mlir_sys as sys;

use crate::{ContextRef, Operation, raw};

thread_local! {
    static ERASED: RefCell<Vec<sys::MlirOperation>> = const { RefCell::new(Vec::new()) };
}

/// Removes an operation from the IR; it must be in a block, and its results must have no uses.
pub(crate) fn bury(op: Operation<'_>) {
    let raw = op.0.to_raw();
    // SAFETY: the operation is valid; its references are dropped, so that it can be destroyed in any order.
    unsafe {
        sys::mlirOperationRemoveFromParent(raw);
        sys::strumOperationDropAllReferences(raw);
    }
    ERASED.with_borrow_mut(|erased| erased.push(raw));
}

/// Owns everything buried on this thread since its creation, and frees it when dropped: created at the beginning of
/// each pass.
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
    // SAFETY: removed from the IR by `bury`, and freed once. References are dropped again because a stale handle may have been used
    // to create new ones: an operand that pointed here becomes null, which the verifier reports.
    unsafe {
        sys::strumOperationDropAllReferences(op);
        sys::mlirOperationDestroy(op);
    }
}
