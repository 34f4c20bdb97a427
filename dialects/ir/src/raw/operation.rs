//! Contexts, operations and values: what melior lacks.

use melior::ir::{OperationRef, ValueLike, operation::OperationRefMut};
use strum_mlir_sys as sys;

use super::text;
use crate::{Attribute, ContextRef, Operation, PrintOptions, Use, Value};

/// A handle to a context.
pub(crate) fn context_ref(context: &melior::Context) -> ContextRef<'_> {
    // SAFETY: the context lives as long as the borrow.
    ContextRef(unsafe { melior::ContextRef::from_raw(context.to_raw()) })
}

/// The pointer behind a context.
pub(crate) fn raw_context(context: ContextRef<'_>) -> sys::MlirContext {
    context.with(melior::Context::to_raw)
}

impl<'c> ContextRef<'c> {
    /// Calls `make`, a constructor of melior's that requires a reference to a context and keeps only the pointer in it.
    ///
    /// melior's `ContextRef` returns a reference of lifetime `'c` to itself, wherever it is stored. It must not escape
    /// `make`.
    pub(crate) fn with<T>(self, make: impl FnOnce(&'c melior::Context) -> T) -> T {
        // SAFETY: `self` lies here during the call, and holds the pointer that a context consists of.
        make(unsafe { self.0.to_ref() })
    }
}

/// A reference for changing an operation: handles are shared by definition, so that a `&mut` would promise nothing.
pub(crate) fn to_change<'c>(op: Operation<'c>) -> OperationRefMut<'c, 'c> {
    // SAFETY: the operation is valid for `'c`.
    unsafe { OperationRefMut::from_raw(op.0.to_raw()) }
}

/// An operand within range; `None` if the operation is erased.
pub(crate) fn operand(op: Operation<'_>, index: usize) -> Option<Value<'_>> {
    // SAFETY: the operand exists. It is null in an erased operation, which melior does not expect.
    unsafe {
        let value = sys::mlirOperationGetOperand(op.0.to_raw(), index as isize);
        (!value.ptr.is_null()).then(|| Value(melior::ir::Value::from_raw(value)))
    }
}

/// An attribute; melior formats a message for each absent one, and most are absent when queried.
pub(crate) fn attribute<'c>(op: Operation<'c>, name: &str) -> Option<Attribute<'c>> {
    // SAFETY: the operation is valid for `'c`; null means absent.
    unsafe {
        super::attribute::attribute(sys::mlirOperationGetAttributeByName(
            op.0.to_raw(),
            text::string_ref(name),
        ))
    }
}

/// The names of the attributes that the operation's definition declares.
pub(crate) fn declared_attributes(op: Operation<'_>) -> Vec<&str> {
    let raw = op.0.to_raw();
    // SAFETY: names are queried within their number, and live in the context.
    unsafe {
        let n = sys::strumOperationGetNumDeclaredAttributes(raw);
        (0..n).map(|i| text::str_of(sys::strumOperationGetDeclaredAttribute(raw, i))).collect()
    }
}

/// Whether an operation is unused and has no effects.
pub(crate) fn is_dead(op: Operation<'_>) -> bool {
    // SAFETY: the operation is valid.
    unsafe { sys::strumOperationIsTriviallyDead(op.0.to_raw()) }
}

/// An operation's text.
pub(crate) fn print(op: Operation<'_>, options: &PrintOptions) -> String {
    let mut flags = melior::ir::operation::OperationPrintingFlags::new();
    if options.locations {
        flags = flags.enable_debug_info(true, false);
    }
    if options.generic {
        flags = flags.print_generic_operation_form();
    }
    if options.local {
        flags = flags.use_local_scope();
    }
    if let Some(limit) = options.elide_longer_than {
        flags = flags.elide_large_elements_attributes(limit);
        // SAFETY: the flags are valid.
        unsafe { sys::mlirOpPrintingFlagsElideLargeResourceString(flags.to_raw(), limit as isize) };
    }
    // SAFETY: the operation and the flags are valid, and `append` gets the buffer it expects.
    text::collect(|user| unsafe {
        sys::mlirOperationPrintWithFlags(op.0.to_raw(), flags.to_raw(), Some(text::append), user)
    })
}

/// The uses of a value, in MLIR's order.
pub(crate) fn uses(value: Value<'_>) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    // SAFETY: the list of uses is not modified during iteration, and its operations are valid.
    unsafe {
        let mut next = sys::mlirValueGetFirstUse(value.0.to_raw());
        while !sys::mlirOpOperandIsNull(next) {
            let user = Operation(OperationRef::from_raw(sys::mlirOpOperandGetOwner(next)));
            uses.push(Use { user, operand: sys::mlirOpOperandGetOperandNumber(next) as usize });
            next = sys::mlirOpOperandGetNextUse(next);
        }
    }
    uses
}

/// Whether a value has uses.
pub(crate) fn is_used(value: Value<'_>) -> bool {
    // SAFETY: the value is valid.
    unsafe { !sys::mlirOpOperandIsNull(sys::mlirValueGetFirstUse(value.0.to_raw())) }
}

/// Replaces all uses of a value by another.
pub(crate) fn replace_all_uses(value: Value<'_>, other: Value<'_>) {
    // SAFETY: both are valid.
    unsafe { sys::mlirValueReplaceAllUsesOfWith(value.0.to_raw(), other.0.to_raw()) }
}
