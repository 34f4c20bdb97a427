//! Operations: reading, changing, printing and writing them.

use std::{cmp::Ordering, fmt, hash};

use melior::ir::{
    OperationRef,
    operation::{OperationLike, OperationMutLike},
};

use crate::{
    Attribute, Block, ContextRef, Error, Location, Region, Reported, Type, Value,
    diagnostic::{Diagnostic, Severity},
    raw,
};

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// With `loc(…)` at each operation.
    pub locations: bool,
    /// In the generic form, without custom assembly.
    pub generic: bool,
    /// As if nothing were around the operation: values are numbered in it alone, and nothing is abbreviated by a name that is
    /// explained elsewhere. Else the whole module is numbered, however small the operation is.
    pub local: bool,
    /// With constants and resources longer than this many elements, or characters, left out. The text can then not be parsed again.
    pub elide_longer_than: Option<usize>,
}

/// An operation, by reference: handles are copied freely, and equal when they stand for the same operation.
///
/// An erased operation can still be queried, but has lost its operands and its parent; see
/// [`Operation::erase`].
#[derive(Clone, Copy)]
pub struct Operation<'c>(pub(crate) OperationRef<'c, 'c>);

impl<'c> Operation<'c> {
    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        ContextRef(self.0.context())
    }

    /// Its full name, such as `tosa.conv2d`.
    pub fn name(self) -> &'c str {
        raw::text::of_name(self.0.name())
    }

    /// Whether it is called `name`.
    pub fn is(self, name: &str) -> bool {
        self.name() == name
    }

    /// The dialect prefix of its name.
    pub fn dialect(self) -> &'c str {
        self.name().split_once('.').map_or("", |(dialect, _)| dialect)
    }

    /// Its source location.
    pub fn location(self) -> Location<'c> {
        Location(self.0.location())
    }

    /// Emits the error `'<name>' op <message>` at its location, as MLIR's own verifiers do.
    pub fn error(self, message: impl fmt::Display) -> Reported {
        self.diagnostic(Severity::Error, message).fail()
    }

    /// As [`Operation::error`], for a warning.
    pub fn warning(self, message: impl fmt::Display) {
        self.diagnostic(Severity::Warning, message).emit();
    }

    /// Starts the diagnostic `'<name>' op <message>`, to which notes can be added.
    pub fn diagnostic(self, severity: Severity, message: impl fmt::Display) -> Diagnostic<'c> {
        self.location().diagnostic(severity, format_args!("'{}' op {message}", self.name()))
    }

    /// Verifies it and everything in it. MLIR emits the errors.
    pub fn verify(self) -> Result<(), Error> {
        if self.0.verify() { Ok(()) } else { Err(Error::Reported) }
    }
}

/// Operands, results and structure.
///
/// Indices are checked before melior is called, whose error for a wrong one prints the operation.
impl<'c> Operation<'c> {
    /// The number of operands.
    pub fn num_operands(self) -> usize {
        self.0.operand_count()
    }

    /// An operand.
    pub fn operand(self, index: usize) -> Option<Value<'c>> {
        if index < self.num_operands() { raw::operation::operand(self, index) } else { None }
    }

    /// All operands.
    pub fn operands(self) -> Vec<Value<'c>> {
        (0..self.num_operands()).filter_map(|i| raw::operation::operand(self, i)).collect()
    }

    /// Replaces an operand; false if the index is out of range.
    pub fn set_operand(self, index: usize, value: Value<'c>) -> bool {
        let exists = index < self.num_operands();
        if exists {
            raw::operation::to_change(self).set_operand(index, value.0);
        }
        exists
    }

    /// The number of results.
    pub fn num_results(self) -> usize {
        self.0.result_count()
    }

    /// A result.
    pub fn result(self, index: usize) -> Option<Value<'c>> {
        let exists = index < self.num_results();
        exists.then(|| self.0.result(index).ok()).flatten().map(|result| Value(result.into()))
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
        let exists = index < self.0.region_count();
        exists.then(|| self.0.region(index).ok()).flatten().map(Region)
    }

    /// All regions.
    pub fn regions(self) -> Vec<Region<'c>> {
        (0..self.0.region_count()).filter_map(|i| self.region(i)).collect()
    }

    /// The first block of the first region: the body of a module, a function or a program.
    pub fn body(self) -> Option<Block<'c>> {
        self.region(0)?.entry()
    }

    /// The block that contains it.
    pub fn block(self) -> Option<Block<'c>> {
        self.0.block().map(Block)
    }

    /// The operation that contains it.
    pub fn parent(self) -> Option<Self> {
        self.0.parent_operation().map(Self)
    }

    /// The next operation in its block; the operation must be in one, since MLIR looks there.
    pub(crate) fn next_in_block(self) -> Option<Self> {
        self.0.next_in_block().map(Self)
    }

    /// Everything in it, itself excluded, in textual order: a snapshot, not affected by changes to operations.
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
    /// An attribute. An absent one has its default, if the operation declares one.
    pub fn attribute(self, name: &str) -> Option<Attribute<'c>> {
        raw::operation::attribute(self, name)
    }

    /// The attributes that its definition does not declare, with their names.
    pub(crate) fn discardable_attributes(self) -> Vec<(&'c str, Attribute<'c>)> {
        (0..self.0.discardable_attribute_count())
            .filter_map(|i| self.0.discardable_attribute_at(i).ok())
            .map(|(name, attribute)| (raw::text::of_name(name), Attribute(attribute)))
            .collect()
    }

    /// The names of the attributes that its definition declares, present or not.
    pub fn declared_attributes(self) -> Vec<&'c str> {
        raw::operation::declared_attributes(self)
    }

    /// All attributes with their names.
    pub fn attributes(self) -> Vec<(&'c str, Attribute<'c>)> {
        self.0
            .attributes()
            .map(|(name, attribute)| (raw::text::of_name(name), Attribute(attribute)))
            .collect()
    }

    /// Sets an attribute.
    pub fn set_attribute(self, name: &str, attribute: Attribute<'c>) {
        raw::operation::to_change(self).set_attribute(name, attribute.0);
    }

    /// Removes an attribute; false if it was absent.
    pub fn remove_attribute(self, name: &str) -> bool {
        raw::operation::to_change(self).remove_attribute(name).is_ok()
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
    /// Removes it from the IR. Its results must not be used any more; operations in it are removed with it.
    ///
    /// The memory lives until the running pass ends, so a stale handle is harmless: it refers to an operation without operands and
    /// without a block.
    pub fn erase(self) -> Result<(), Error> {
        if self.block().is_none() {
            return Err(Error::Detached(self.name().into()));
        }
        if self.results().into_iter().any(Value::is_used) {
            return Err(Error::InUse(self.name().into()));
        }
        raw::graveyard::bury(self);
        Ok(())
    }

    /// Replaces all uses of its results by `values`, one for each result, and erases it.
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

    /// Erases it, and then transitively the operations that only it used, as far as they have no effects. False if it is used or
    /// has effects itself.
    pub fn erase_if_dead(self) -> Result<bool, Error> {
        if self.block().is_none() || !raw::operation::is_dead(self) {
            return Ok(false);
        }
        let operands: Vec<_> = self.operands().into_iter().filter_map(Value::defining_op).collect();
        self.erase()?;
        for op in operands {
            op.erase_if_dead()?;
        }
        Ok(true)
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

    /// Updates the type of a `func.func` to match its arguments and the operands of its `func.return`.
    pub fn update_function_type(self) -> Option<()> {
        let body = self.body()?;
        let inputs: Vec<_> = body.arguments().into_iter().map(Value::ty).collect();
        let results: Vec<_> = body.terminator()?.operands().into_iter().map(Value::ty).collect();
        let ty = Type::function(self.context(), &inputs, &results);
        self.set_attribute("function_type", Attribute::of_type(ty));
        Some(())
    }
}

impl Operation<'_> {
    /// Its text.
    pub fn print(self, options: &PrintOptions) -> String {
        raw::operation::print(self, options)
    }

    /// Its bytecode.
    pub fn bytecode(self) -> Vec<u8> {
        self.0.write_bytecode()
    }
}

impl Operation<'_> {
    fn address(self) -> *const std::ffi::c_void {
        self.0.to_raw().ptr
    }
}

impl PartialEq for Operation<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Operation<'_> {}

impl PartialOrd for Operation<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By address: suitable for maps, not for anything that reaches the output.
impl Ord for Operation<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.address().cmp(&other.address())
    }
}

impl hash::Hash for Operation<'_> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(&PrintOptions::default()))
    }
}

impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
