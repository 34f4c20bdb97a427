//! Values: results of operations and arguments of blocks.

use std::{fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{Attribute, Block, Context, Location, Operation, Type, ffi};

/// A value.
#[derive(Clone, Copy)]
pub struct Value<'c> {
    raw: sys::MlirValue,
    context: PhantomData<&'c Context>,
}

/// One use of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use<'c> {
    /// The operation that uses it.
    pub user: Operation<'c>,
    /// Which of its operands.
    pub operand: usize,
}

impl<'c> Value<'c> {
    /// # Safety
    /// The value must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirValue) -> Self {
        Self { raw, context: PhantomData }
    }

    pub(crate) fn raw(self) -> sys::MlirValue {
        self.raw
    }

    /// Its type.
    pub fn ty(self) -> Type<'c> {
        // SAFETY: the value is valid.
        unsafe { Type::from_raw(sys::mlirValueGetType(self.raw)) }
    }

    /// Gives it another type. Its operation and its users must agree with it before the next verification.
    pub fn set_type(self, ty: Type<'c>) {
        // SAFETY: both are valid, and of one context.
        unsafe { sys::mlirValueSetType(self.raw, ty.raw()) }
    }

    /// Where it comes from.
    pub fn location(self) -> Location<'c> {
        // SAFETY: the value is valid.
        unsafe { Location::from_raw(sys::mlirValueGetLocation(self.raw)) }
    }

    /// The operation that it is a result of.
    pub fn defining_op(self) -> Option<Operation<'c>> {
        // SAFETY: the owner is asked of results only.
        unsafe {
            sys::mlirValueIsAOpResult(self.raw)
                .then(|| Operation::from_raw(sys::mlirOpResultGetOwner(self.raw)))
        }
    }

    /// The operation that it is a result of, if that is called `name`.
    pub fn defined_by(self, name: &str) -> Option<Operation<'c>> {
        self.defining_op().filter(|op| op.is(name))
    }

    /// Which result of its operation it is.
    pub fn result_number(self) -> Option<usize> {
        // SAFETY: the number is asked of results only.
        let number = unsafe {
            sys::mlirValueIsAOpResult(self.raw).then(|| sys::mlirOpResultGetResultNumber(self.raw))
        };
        number.and_then(|n| usize::try_from(n).ok())
    }

    /// The block that it is an argument of, and which.
    pub fn as_argument(self) -> Option<(Block<'c>, usize)> {
        // SAFETY: block and number are asked of arguments only.
        unsafe {
            if !sys::mlirValueIsABlockArgument(self.raw) {
                return None;
            }
            let number = usize::try_from(sys::mlirBlockArgumentGetArgNumber(self.raw)).ok()?;
            Some((Block::from_raw(sys::mlirBlockArgumentGetOwner(self.raw)), number))
        }
    }

    /// Its uses. The order is MLIR's, latest first as a rule; sort where it reaches the output.
    pub fn uses(self) -> Vec<Use<'c>> {
        let mut uses = Vec::new();
        // SAFETY: the list of uses is not changed while it is walked.
        unsafe {
            let mut next = sys::mlirValueGetFirstUse(self.raw);
            while !sys::mlirOpOperandIsNull(next) {
                let user = Operation::from_raw(sys::mlirOpOperandGetOwner(next));
                uses.push(Use { user, operand: sys::mlirOpOperandGetOperandNumber(next) as usize });
                next = sys::mlirOpOperandGetNextUse(next);
            }
        }
        uses
    }

    /// Whether anything uses it.
    pub fn is_used(self) -> bool {
        // SAFETY: the value is valid.
        unsafe { !sys::mlirOpOperandIsNull(sys::mlirValueGetFirstUse(self.raw)) }
    }

    /// Its only use, if there is exactly one.
    pub fn single_use(self) -> Option<Use<'c>> {
        match self.uses().as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Lets every user use `other` instead.
    pub fn replace_all_uses_with(self, other: Self) {
        // SAFETY: both are valid.
        unsafe { sys::mlirValueReplaceAllUsesOfWith(self.raw, other.raw) }
    }

    /// The attribute of the constant that it is: of `tosa.const`, `tosa.const_shape`, `arith.constant` or `strum.constant`.
    pub fn constant(self) -> Option<Attribute<'c>> {
        let op = self.defining_op()?;
        match op.name() {
            "tosa.const" | "tosa.const_shape" => op.attribute("values"),
            "arith.constant" | "strum.constant" => op.attribute("value"),
            _ => None,
        }
    }

    /// The one integer of a constant tensor, such as a zero point, all of whose elements are equal.
    pub fn constant_int(self) -> Option<i64> {
        self.constant()?.int_splat()
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.ptr == other.raw.ptr
    }
}

impl Eq for Value<'_> {}

impl PartialOrd for Value<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By address: good for maps, not for anything that reaches the output.
impl Ord for Value<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw.ptr.cmp(&other.raw.ptr)
    }
}

impl std::hash::Hash for Value<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.ptr.hash(state);
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the value is valid, and `append` gets the buffer it wants.
        f.write_str(&ffi::collect(|user| unsafe { sys::mlirValuePrint(self.raw, Some(ffi::append), user) }))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
