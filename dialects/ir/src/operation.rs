//! Operations: reading and changing them.

use std::{fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{
    Attribute, Block, Context, ContextRef, Error, Location, Region, Reported, Type, Value,
    diagnostic::{Diagnostic, Severity},
    ffi, graveyard,
};

/// An operation, by reference: handles are copied freely, and equal when they stand for the same operation.
///
/// An erased operation can still be asked, but has lost its operands and its place; see [`Operation::erase`].
#[derive(Clone, Copy)]
pub struct Operation<'c> {
    raw: sys::MlirOperation,
    context: PhantomData<&'c Context>,
}

impl<'c> Operation<'c> {
    /// # Safety
    /// The operation must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirOperation) -> Self {
        Self { raw, context: PhantomData }
    }

    /// As [`Operation::from_raw`], but null is `None`.
    ///
    /// # Safety
    /// The operation must be null, or valid for `'c`.
    pub(crate) unsafe fn from_raw_option(raw: sys::MlirOperation) -> Option<Self> {
        // SAFETY: not null, so valid by this function's contract.
        (!raw.ptr.is_null()).then(|| unsafe { Self::from_raw(raw) })
    }

    pub(crate) fn raw(self) -> sys::MlirOperation {
        self.raw
    }

    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        // SAFETY: an operation's context is valid for `'c`.
        unsafe { ContextRef::from_raw(sys::mlirOperationGetContext(self.raw)) }
    }

    /// Its full name, such as `tosa.conv2d`.
    pub fn name(self) -> &'c str {
        // SAFETY: the operation is valid, and its name lives in the context.
        unsafe { ffi::str_of(sys::mlirIdentifierStr(sys::mlirOperationGetName(self.raw))) }
    }

    /// Whether it is called `name`.
    pub fn is(self, name: &str) -> bool {
        self.name() == name
    }

    /// The dialect in its name.
    pub fn dialect(self) -> &'c str {
        self.name().split_once('.').map_or("", |(dialect, _)| dialect)
    }

    /// Where it comes from.
    pub fn location(self) -> Location<'c> {
        // SAFETY: the operation is valid.
        unsafe { Location::from_raw(sys::mlirOperationGetLocation(self.raw)) }
    }

    /// Changes where it comes from.
    pub fn set_location(self, location: Location<'c>) {
        // SAFETY: both are valid.
        unsafe { sys::mlirOperationSetLocation(self.raw, location.raw()) }
    }

    /// Emits the error `'<name>' op <message>` at its location, as MLIR's own verifiers do.
    pub fn error(self, message: impl fmt::Display) -> Reported {
        self.diagnostic(Severity::Error, message).fail()
    }

    /// As [`Operation::error`], for a warning.
    pub fn warning(self, message: impl fmt::Display) {
        self.diagnostic(Severity::Warning, message).emit();
    }

    /// Begins the diagnostic `'<name>' op <message>`, to which notes can be added.
    pub fn diagnostic(self, severity: Severity, message: impl fmt::Display) -> Diagnostic<'c> {
        self.location().diagnostic(severity, format_args!("'{}' op {message}", self.name()))
    }

    /// Checks it and everything in it. MLIR emits what is wrong.
    pub fn verify(self) -> Result<(), Error> {
        // SAFETY: the operation is valid.
        if unsafe { sys::mlirOperationVerify(self.raw) } { Ok(()) } else { Err(Error::Reported) }
    }
}

/// Operands, results and structure.
impl<'c> Operation<'c> {
    /// The number of operands.
    pub fn num_operands(self) -> usize {
        // SAFETY: the operation is valid.
        unsafe { sys::mlirOperationGetNumOperands(self.raw) as usize }
    }

    /// An operand.
    pub fn operand(self, index: usize) -> Option<Value<'c>> {
        // SAFETY: the operand exists.
        (index < self.num_operands())
            .then(|| unsafe { Value::from_raw(sys::mlirOperationGetOperand(self.raw, index as isize)) })
    }

    /// All operands.
    pub fn operands(self) -> Vec<Value<'c>> {
        (0..self.num_operands()).filter_map(|i| self.operand(i)).collect()
    }

    /// Replaces an operand; false if there is none of that number.
    pub fn set_operand(self, index: usize, value: Value<'c>) -> bool {
        let exists = index < self.num_operands();
        if exists {
            // SAFETY: the operand exists.
            unsafe { sys::mlirOperationSetOperand(self.raw, index as isize, value.raw()) };
        }
        exists
    }

    /// The number of results.
    pub fn num_results(self) -> usize {
        // SAFETY: the operation is valid.
        unsafe { sys::mlirOperationGetNumResults(self.raw) as usize }
    }

    /// A result.
    pub fn result(self, index: usize) -> Option<Value<'c>> {
        // SAFETY: the result exists.
        (index < self.num_results())
            .then(|| unsafe { Value::from_raw(sys::mlirOperationGetResult(self.raw, index as isize)) })
    }

    /// All results.
    pub fn results(self) -> Vec<Value<'c>> {
        (0..self.num_results()).filter_map(|i| self.result(i)).collect()
    }

    /// The only result, if there is exactly one.
    pub fn single_result(self) -> Option<Value<'c>> {
        if self.num_results() == 1 { self.result(0) } else { None }
    }

    /// A region.
    pub fn region(self, index: usize) -> Option<Region<'c>> {
        // SAFETY: the region exists.
        unsafe {
            let exists = index < sys::mlirOperationGetNumRegions(self.raw) as usize;
            exists.then(|| Region::from_raw(sys::mlirOperationGetRegion(self.raw, index as isize)))
        }
    }

    /// All regions.
    pub fn regions(self) -> Vec<Region<'c>> {
        (0..).map_while(|i| self.region(i)).collect()
    }

    /// The first block of the first region: the body of a module, a function or a program.
    pub fn body(self) -> Option<Block<'c>> {
        self.region(0)?.entry()
    }

    /// The block that it is in.
    pub fn block(self) -> Option<Block<'c>> {
        // SAFETY: the operation is valid.
        let block = unsafe { sys::mlirOperationGetBlock(self.raw) };
        // SAFETY: not null, so the block that holds the operation.
        (!block.ptr.is_null()).then(|| unsafe { Block::from_raw(block) })
    }

    /// The operation that it is in.
    pub fn parent(self) -> Option<Self> {
        // SAFETY: an operation without a block has no parent to ask for.
        self.block()?;
        // SAFETY: the operation is in a block.
        unsafe { Self::from_raw_option(sys::mlirOperationGetParentOperation(self.raw)) }
    }

    /// The next operation in its block.
    pub fn next(self) -> Option<Self> {
        self.block()?;
        // SAFETY: the operation is in a block.
        unsafe { Self::from_raw_option(sys::mlirOperationGetNextInBlock(self.raw)) }
    }

    /// The operation before it in its block.
    pub fn previous(self) -> Option<Self> {
        self.block()?;
        // SAFETY: the operation is in a block.
        unsafe { Self::from_raw_option(sys::strumOperationGetPrevInBlock(self.raw)) }
    }

    /// Whether it comes before `other` in the block that both are in.
    pub fn is_before(self, other: Self) -> bool {
        // SAFETY: both are in the same block, as MLIR demands.
        self.block().is_some()
            && self.block() == other.block()
            && unsafe { sys::mlirOperationIsBeforeInBlock(self.raw, other.raw) }
    }

    /// Everything in it, itself not included, in the order of the text: a list that stays as it is while operations change.
    pub fn walk(self) -> Vec<Self> {
        let mut found = Vec::new();
        for block in self.regions().into_iter().flat_map(Region::blocks) {
            for op in block.operations() {
                found.push(op);
                found.extend(op.walk());
            }
        }
        found
    }

    /// The operations in it that are called `name`.
    pub fn walk_named(self, name: &str) -> Vec<Self> {
        self.walk().into_iter().filter(|op| op.is(name)).collect()
    }
}

/// Attributes.
impl<'c> Operation<'c> {
    /// An attribute. One that is not written has its default, if the operation declares one.
    pub fn attribute(self, name: &str) -> Option<Attribute<'c>> {
        // SAFETY: the operation is valid; null is taken for absent.
        unsafe {
            Attribute::from_raw_option(sys::mlirOperationGetAttributeByName(self.raw, ffi::string_ref(name)))
        }
    }

    /// The attributes that its definition does not declare, with their names.
    pub fn discardable_attributes(self) -> Vec<(&'c str, Attribute<'c>)> {
        // SAFETY: attributes are asked for within their number; their names live in the context.
        unsafe {
            let n = sys::mlirOperationGetNumDiscardableAttributes(self.raw);
            (0..n)
                .map(|i| {
                    let named = sys::mlirOperationGetDiscardableAttribute(self.raw, i);
                    (ffi::str_of(sys::mlirIdentifierStr(named.name)), Attribute::from_raw(named.attribute))
                })
                .collect()
        }
    }

    /// The names of the attributes that its definition declares, whether it has them or not.
    pub fn declared_attributes(self) -> Vec<&'c str> {
        // SAFETY: names are asked for within their number, and live in the context.
        unsafe {
            let n = sys::strumOperationGetNumDeclaredAttributes(self.raw);
            (0..n).map(|i| ffi::str_of(sys::strumOperationGetDeclaredAttribute(self.raw, i))).collect()
        }
    }

    /// All attributes with their names.
    pub fn attributes(self) -> Vec<(&'c str, Attribute<'c>)> {
        // SAFETY: attributes are asked for within their number; their names live in the context.
        unsafe {
            let n = sys::mlirOperationGetNumAttributes(self.raw);
            (0..n)
                .map(|i| {
                    let named = sys::mlirOperationGetAttribute(self.raw, i);
                    (ffi::str_of(sys::mlirIdentifierStr(named.name)), Attribute::from_raw(named.attribute))
                })
                .collect()
        }
    }

    /// Sets an attribute.
    pub fn set_attribute(self, name: &str, attribute: Attribute<'c>) {
        // SAFETY: both are valid.
        unsafe { sys::mlirOperationSetAttributeByName(self.raw, ffi::string_ref(name), attribute.raw()) }
    }

    /// Removes an attribute; false if there was none.
    pub fn remove_attribute(self, name: &str) -> bool {
        // SAFETY: the operation is valid.
        unsafe { sys::mlirOperationRemoveAttributeByName(self.raw, ffi::string_ref(name)) }
    }

    /// An integer attribute.
    pub fn int_attr(self, name: &str) -> Option<i64> {
        self.attribute(name)?.as_i64()
    }

    /// A boolean or unit attribute.
    pub fn bool_attr(self, name: &str) -> Option<bool> {
        self.attribute(name)?.as_bool()
    }

    /// A string attribute.
    pub fn str_attr(self, name: &str) -> Option<&'c str> {
        self.attribute(name)?.as_str()
    }

    /// An attribute that is a list of integers of any width.
    pub fn ints_attr(self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name)?.as_i64s()
    }

    /// An enumeration attribute of any dialect, as its keyword.
    pub fn keyword_attr(self, name: &str) -> Option<String> {
        self.attribute(name)?.as_keyword()
    }

    /// The name of a symbol: `main` of `func.func @main`.
    pub fn symbol(self) -> Option<&'c str> {
        self.str_attr("sym_name")
    }
}

/// Changing the IR.
impl<'c> Operation<'c> {
    /// Takes it out of the IR. Its results must not be used any more; operations in it go with it.
    ///
    /// The memory lives on until the running pass ends, so a handle that is left over cannot do harm: it stands for an operation without
    /// operands and without a block.
    pub fn erase(self) -> Result<(), Error> {
        if self.block().is_none() {
            return Err(Error::Detached(self.name().into()));
        }
        if self.results().into_iter().any(Value::is_used) {
            return Err(Error::InUse(self.name().into()));
        }
        // SAFETY: in a block, hence not erased before, and its results have no uses.
        unsafe { graveyard::bury(self.raw) };
        Ok(())
    }

    /// Lets the users of its results use `values` instead, one for each result, and erases it.
    pub fn replace_with(self, values: &[Value<'c>]) -> Result<(), Error> {
        let results = self.results();
        if results.len() != values.len() {
            let (expected, got) = (results.len(), values.len());
            return Err(Error::Replacement { name: self.name().into(), expected, got });
        }
        for (result, value) in results.into_iter().zip(values) {
            result.replace_all_uses_with(*value);
        }
        self.erase()
    }

    /// Erases it, and then what it alone used and so on, as far as that has no effects. False if it is used or has effects itself.
    pub fn erase_if_dead(self) -> Result<bool, Error> {
        // SAFETY: the operation is valid.
        if self.block().is_none() || !unsafe { sys::strumOperationIsTriviallyDead(self.raw) } {
            return Ok(false);
        }
        let operands: Vec<_> = self.operands().into_iter().filter_map(Value::defining_op).collect();
        self.erase()?;
        for op in operands {
            op.erase_if_dead()?;
        }
        Ok(true)
    }

    /// Moves it before `other`, which must be in a block.
    pub fn move_before(self, other: Self) -> Result<(), Error> {
        self.check_in_block()?;
        other.check_in_block()?;
        if self != other {
            // SAFETY: both are in blocks.
            unsafe { sys::mlirOperationMoveBefore(self.raw, other.raw) };
        }
        Ok(())
    }

    /// Moves it after `other`, which must be in a block.
    pub fn move_after(self, other: Self) -> Result<(), Error> {
        self.check_in_block()?;
        other.check_in_block()?;
        if self != other {
            // SAFETY: both are in blocks.
            unsafe { sys::mlirOperationMoveAfter(self.raw, other.raw) };
        }
        Ok(())
    }

    /// Puts a copy, with everything in it, before itself. The copy has the same operands.
    pub fn clone_before(self) -> Result<Self, Error> {
        let block = self.check_in_block()?;
        // SAFETY: the copy is handed over to the block that holds the original.
        unsafe {
            let copy = sys::mlirOperationClone(self.raw);
            sys::mlirBlockInsertOwnedOperationBefore(block.raw(), self.raw, copy);
            Ok(Self::from_raw(copy))
        }
    }

    pub(crate) fn check_in_block(self) -> Result<Block<'c>, Error> {
        self.block().ok_or_else(|| Error::Detached(self.name().into()))
    }
}

/// Functions.
impl<'c> Operation<'c> {
    /// The inputs and results of a `func.func`.
    pub fn function_type(self) -> Option<(Vec<Type<'c>>, Vec<Type<'c>>)> {
        self.attribute("function_type")?.as_type()?.as_function()
    }

    /// Makes the type of a `func.func` agree with its arguments and with what its `func.return` returns.
    pub fn update_function_type(self) -> Option<()> {
        let body = self.body()?;
        let inputs: Vec<_> = body.arguments().into_iter().map(Value::ty).collect();
        let results: Vec<_> = body.terminator()?.operands().into_iter().map(Value::ty).collect();
        let ty = Type::function(self.context(), &inputs, &results);
        self.set_attribute("function_type", Attribute::of_type(ty));
        Some(())
    }
}

impl PartialEq for Operation<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.ptr == other.raw.ptr
    }
}

impl Eq for Operation<'_> {}

impl std::hash::Hash for Operation<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.ptr.hash(state);
    }
}

impl PartialOrd for Operation<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By address: good for maps, not for anything that reaches the output.
impl Ord for Operation<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw.ptr.cmp(&other.raw.ptr)
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(&crate::PrintOptions::default()))
    }
}

impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
