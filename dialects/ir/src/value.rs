//! Values: results of operations and arguments of blocks.

use std::{cmp::Ordering, fmt, hash};

use melior::ir::{Value as Melior, ValueLike, operation::OperationResult};

use crate::{Attribute, Location, Operation, Type, raw};

/// A value.
#[derive(Clone, Copy)]
pub struct Value<'c>(pub(crate) Melior<'c, 'c>);

/// One use of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use<'c> {
    /// The operation that uses it.
    pub user: Operation<'c>,
    /// Its operand index.
    pub operand: usize,
}

impl<'c> Value<'c> {
    /// Its type.
    pub fn ty(self) -> Type<'c> {
        Type(self.0.r#type())
    }

    /// Changes its type. Its operation and its users must agree with it before the next verification.
    pub fn set_type(self, ty: Type<'c>) {
        self.0.set_type(ty.0);
    }

    /// Its source location.
    pub fn location(self) -> Location<'c> {
        Location(self.0.location())
    }

    /// The operation that defines it.
    pub fn defining_op(self) -> Option<Operation<'c>> {
        // Checked first: the error of a failing `try_from` prints the value, which is the operation.
        if !self.0.is_operation_result() {
            return None;
        }
        OperationResult::try_from(self.0).ok().map(|result| Operation(result.owner()))
    }

    /// The operation that defines it, if that is called `name`.
    pub fn defined_by(self, name: &str) -> Option<Operation<'c>> {
        self.defining_op().filter(|op| op.is(name))
    }

    /// Its uses. The order is MLIR's, latest first as a rule; sort where it reaches the output.
    pub fn uses(self) -> Vec<Use<'c>> {
        raw::operation::uses(self)
    }

    /// Whether it has uses.
    pub fn is_used(self) -> bool {
        raw::operation::is_used(self)
    }

    /// Its only use, if there is exactly one.
    pub fn single_use(self) -> Option<Use<'c>> {
        match self.uses().as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Replaces all uses by `other`.
    pub fn replace_all_uses_with(self, other: Self) {
        raw::operation::replace_all_uses(self, other);
    }

    /// The attribute of its defining constant: `tosa.const`, `tosa.const_shape`, `arith.constant` or `strum.constant`.
    pub fn constant(self) -> Option<Attribute<'c>> {
        let op = self.defining_op()?;
        match op.name() {
            "tosa.const" | "tosa.const_shape" => op.attribute("values"),
            "arith.constant" | "strum.constant" => op.attribute("value"),
            _ => None,
        }
    }

    fn address(self) -> *const std::ffi::c_void {
        self.0.to_raw().ptr
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Value<'_> {}

impl PartialOrd for Value<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By address: suitable for maps, not for anything that reaches the output.
impl Ord for Value<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.address().cmp(&other.address())
    }
}

impl hash::Hash for Value<'_> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&raw::text::of_value(*self))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
