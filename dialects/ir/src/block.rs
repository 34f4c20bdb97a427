//! Blocks and regions.

use std::{fmt, iter};

use melior::ir::{BlockLike, BlockRef, RegionLike, RegionRef};

use crate::{Location, Operation, Type, Value};

/// A block: arguments and a list of operations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Block<'c>(pub(crate) BlockRef<'c, 'c>);

impl<'c> Block<'c> {
    /// Its operations, in order: a snapshot, not affected by changes to the block.
    pub fn operations(self) -> Vec<Operation<'c>> {
        iter::successors(self.first(), |op| op.next_in_block()).collect()
    }

    /// Its first operation.
    pub(crate) fn first(self) -> Option<Operation<'c>> {
        self.0.first_operation().map(Operation)
    }

    /// Its last operation, if it is a terminator.
    pub fn terminator(self) -> Option<Operation<'c>> {
        self.0.terminator().map(Operation)
    }

    /// Its arguments.
    pub fn arguments(self) -> Vec<Value<'c>> {
        (0..self.0.argument_count())
            .map_while(|i| self.0.argument(i).ok().map(|argument| Value(argument.into())))
            .collect()
    }

    /// Adds an argument behind the others.
    pub fn add_argument(self, ty: Type<'c>, location: Location<'c>) -> Value<'c> {
        Value(self.0.add_argument(ty.0, location.0))
    }

    /// The operation that contains it.
    pub fn parent_op(self) -> Option<Operation<'c>> {
        self.0.parent_operation().map(Operation)
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.operations().iter().map(|op| op.name())).finish()
    }
}

/// A region: a list of blocks.
#[derive(Clone, Copy)]
pub struct Region<'c>(pub(crate) RegionRef<'c, 'c>);

impl<'c> Region<'c> {
    /// Its blocks, in order.
    pub fn blocks(self) -> Vec<Block<'c>> {
        iter::successors(self.entry(), |block| block.0.next_in_region().map(Block)).collect()
    }

    /// Its first block.
    pub(crate) fn entry(self) -> Option<Block<'c>> {
        self.0.first_block().map(Block)
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.blocks()).finish()
    }
}
