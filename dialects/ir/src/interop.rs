//! Handles of this crate as those of `melior`, and back, for code that is written against that crate.
//!
//! Both are the same pointers of MLIR's C interface. What this crate promises of its own handles, melior does not: its operations
//! dangle once they are erased.

use melior::ir::{BlockRef, OperationRef, TypeLike, ValueLike};

use crate::{Attribute, Block, Location, Operation, Type, Value};

impl<'c> Operation<'c> {
    /// The operation as melior's reference.
    pub fn to_melior(self) -> OperationRef<'c, 'c> {
        // SAFETY: the operation is valid for `'c`.
        unsafe { OperationRef::from_raw(self.raw()) }
    }
}

impl<'c> Block<'c> {
    /// The block as melior's reference.
    pub fn to_melior(self) -> BlockRef<'c, 'c> {
        // SAFETY: the block is valid for `'c`.
        unsafe { BlockRef::from_raw(self.raw()) }
    }
}

impl<'c> Value<'c> {
    /// The value as melior's.
    pub fn to_melior(self) -> melior::ir::Value<'c, 'c> {
        // SAFETY: the value is valid for `'c`.
        unsafe { melior::ir::Value::from_raw(self.raw()) }
    }
}

impl<'c> From<melior::ir::Value<'c, 'c>> for Value<'c> {
    fn from(value: melior::ir::Value<'c, 'c>) -> Self {
        // SAFETY: melior's value is valid for `'c`.
        unsafe { Self::from_raw(value.to_raw()) }
    }
}

impl<'c> From<Type<'c>> for melior::ir::Type<'c> {
    fn from(ty: Type<'c>) -> Self {
        // SAFETY: the type is valid for `'c`.
        unsafe { Self::from_raw(ty.raw()) }
    }
}

impl<'c> From<melior::ir::Type<'c>> for Type<'c> {
    fn from(ty: melior::ir::Type<'c>) -> Self {
        // SAFETY: melior's type is valid for `'c`.
        unsafe { Self::from_raw(ty.to_raw()) }
    }
}

impl<'c> From<Attribute<'c>> for melior::ir::Attribute<'c> {
    fn from(attribute: Attribute<'c>) -> Self {
        // SAFETY: the attribute is valid for `'c`.
        unsafe { Self::from_raw(attribute.raw()) }
    }
}

impl<'c> From<Location<'c>> for melior::ir::Location<'c> {
    fn from(location: Location<'c>) -> Self {
        // SAFETY: the location is valid for `'c`.
        unsafe { Self::from_raw(location.raw()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Location, Module, Type};

    #[test]
    fn handles_are_the_same_things() {
        let context = Context::new();
        let module = Module::parse(&context, b"func.func @f(%x: tensor<2xi8>) { return }", "t.mlir").unwrap();
        let function = module.op().walk_named("func.func")[0];
        assert_eq!(function.to_melior().to_string(), function.to_string());
        let argument = function.body().unwrap().arguments()[0];
        assert_eq!(crate::Value::from(argument.to_melior()), argument);
        let ty = melior::ir::Type::from(argument.ty());
        assert_eq!(ty.to_string(), "tensor<2xi8>");
        assert_eq!(Type::from(ty), argument.ty());
        let location = melior::ir::Location::new(context.as_melior(), "a.mlir", 3, 4);
        assert_eq!(melior::ir::Location::from(Location::file(&context, "a.mlir", 3, 4)), location);
    }
}
