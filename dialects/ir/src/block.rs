//! Blocks and regions.

use std::{fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{Context, Error, Location, Operation, Type, Value};

/// A block: arguments and a list of operations.
#[derive(Clone, Copy)]
pub struct Block<'c> {
    raw: sys::MlirBlock,
    context: PhantomData<&'c Context>,
}

impl<'c> Block<'c> {
    /// # Safety
    /// The block must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirBlock) -> Self {
        Self { raw, context: PhantomData }
    }

    pub(crate) fn raw(self) -> sys::MlirBlock {
        self.raw
    }

    /// Its operations, in order: a list that stays as it is while the block is changed.
    pub fn operations(self) -> Vec<Operation<'c>> {
        let mut operations = Vec::new();
        // SAFETY: the list of operations is not changed while it is walked.
        unsafe {
            let mut next = sys::mlirBlockGetFirstOperation(self.raw);
            while !next.ptr.is_null() {
                operations.push(Operation::from_raw(next));
                next = sys::mlirOperationGetNextInBlock(next);
            }
        }
        operations
    }

    /// Its first operation.
    pub fn first(self) -> Option<Operation<'c>> {
        // SAFETY: the block is valid.
        unsafe { Operation::from_raw_option(sys::mlirBlockGetFirstOperation(self.raw)) }
    }

    /// Its last operation, if that is a terminator.
    pub fn terminator(self) -> Option<Operation<'c>> {
        // SAFETY: the block is valid.
        unsafe { Operation::from_raw_option(sys::mlirBlockGetTerminator(self.raw)) }
    }

    /// Its arguments.
    pub fn arguments(self) -> Vec<Value<'c>> {
        // SAFETY: arguments are asked for within their number.
        unsafe {
            let n = sys::mlirBlockGetNumArguments(self.raw);
            (0..n).map(|i| Value::from_raw(sys::mlirBlockGetArgument(self.raw, i))).collect()
        }
    }

    /// Adds an argument at the end.
    pub fn add_argument(self, ty: Type<'c>, location: Location<'c>) -> Value<'c> {
        // SAFETY: everything is valid.
        unsafe { Value::from_raw(sys::mlirBlockAddArgument(self.raw, ty.raw(), location.raw())) }
    }

    /// Removes an argument that nothing uses.
    pub fn erase_argument(self, index: usize) -> Result<(), Error> {
        let argument = self.arguments().get(index).copied();
        match argument {
            Some(argument) if !argument.is_used() => {
                // SAFETY: the argument exists and has no uses.
                unsafe { sys::mlirBlockEraseArgument(self.raw, index as u32) };
                Ok(())
            }
            _ => Err(Error::InUse(format!("block argument {index}"))),
        }
    }

    /// The operation that it belongs to.
    pub fn parent_op(self) -> Option<Operation<'c>> {
        // SAFETY: the block is valid.
        unsafe { Operation::from_raw_option(sys::mlirBlockGetParentOperation(self.raw)) }
    }
}

impl PartialEq for Block<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.ptr == other.raw.ptr
    }
}

impl Eq for Block<'_> {}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.operations().iter().map(|op| op.name())).finish()
    }
}

/// A region: a list of blocks.
#[derive(Clone, Copy)]
pub struct Region<'c> {
    raw: sys::MlirRegion,
    context: PhantomData<&'c Context>,
}

impl<'c> Region<'c> {
    /// # Safety
    /// The region must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirRegion) -> Self {
        Self { raw, context: PhantomData }
    }

    /// Its blocks, in order.
    pub fn blocks(self) -> Vec<Block<'c>> {
        let mut blocks = Vec::new();
        // SAFETY: the list of blocks is not changed while it is walked.
        unsafe {
            let mut next = sys::mlirRegionGetFirstBlock(self.raw);
            while !next.ptr.is_null() {
                blocks.push(Block::from_raw(next));
                next = sys::mlirBlockGetNextInRegion(next);
            }
        }
        blocks
    }

    /// Its first block.
    pub fn entry(self) -> Option<Block<'c>> {
        self.blocks().into_iter().next()
    }

    /// Adds an empty block at the end, with arguments of the given types.
    pub fn append_block(self, arguments: &[(Type<'c>, Location<'c>)]) -> Block<'c> {
        let (types, locations): (Vec<_>, Vec<_>) =
            arguments.iter().map(|(ty, location)| (ty.raw(), location.raw())).unzip();
        // SAFETY: both lists have the given length; the region takes the block over.
        unsafe {
            let block =
                sys::mlirBlockCreate(crate::location::len(&types), types.as_ptr(), locations.as_ptr());
            sys::mlirRegionAppendOwnedBlock(self.raw, block);
            Block::from_raw(block)
        }
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.blocks()).finish()
    }
}
