//! The element-wise ops behind accumulators, which are done where the accumulators are.
//!
//! Invariant: only ops of which each result depends on one accumulator and its channel are moved, so that it does not matter whether
//! accumulators move before or after them; and none that makes elements wider.

use strum_ir::{Error, Operation, Value};

use super::data::{Data, wrong};
use crate::common::tosa::build::Builder;
use crate::common::tosa::view;

/// A chain of ops without other uses of the values in between.
pub(super) struct Post<'c> {
    /// The op that produces the accumulators.
    first: Operation<'c>,
    /// The chain.
    ops: Vec<Operation<'c>>,
    /// The last op's result.
    pub(super) result: Value<'c>,
    /// The extent of the innermost dimension.
    channels: u64,
}

impl<'c> Post<'c> {
    /// The chain behind the accumulators of an op, which have rank 4.
    pub(super) fn of(op: Operation<'c>) -> Result<Self, Error> {
        let result = op.single_result().ok_or_else(|| wrong("result"))?;
        let channels = view::shape(result).and_then(|s| s.last().copied()).ok_or_else(|| wrong("result"))?;
        let mut post = Post { first: op, ops: Vec::new(), result, channels };
        if let Some(add) = bias(result) {
            post.push(add)?;
        }
        while let Some(next) = element_wise(post.result) {
            post.push(next)?;
        }
        Ok(post)
    }

    fn push(&mut self, op: Operation<'c>) -> Result<(), Error> {
        self.result = op.single_result().ok_or_else(|| wrong("result"))?;
        self.ops.push(op);
        Ok(())
    }

    /// The chain on other accumulators of rank 4, whose channels are `copies` times those of the op, one copy behind the other.
    pub(super) fn apply(
        &self,
        build: &mut Builder<'c>,
        accumulators: Value<'c>,
        copies: u64,
    ) -> Result<Value<'c>, Error> {
        let (mut before, mut value) = (self.first, accumulators);
        for &op in &self.ops {
            build.set_location(op.location());
            let replaced = before.single_result().ok_or_else(|| wrong("result"))?;
            value = self.one(build, op, replaced, value, copies)?;
            before = op;
        }
        Ok(value)
    }

    /// One op of the chain on `value` in place of `before`.
    fn one(
        &self,
        build: &mut Builder<'c>,
        op: Operation<'c>,
        before: Value<'c>,
        value: Value<'c>,
        copies: u64,
    ) -> Result<Value<'c>, Error> {
        let per_channel = op.is("tosa.rescale") && op.bool_attr("per_channel") == Some(true);
        let mut operands = Vec::with_capacity(op.num_operands());
        for (index, operand) in op.operands().into_iter().enumerate() {
            let innermost = || view::shape(operand).and_then(|s| s.len().checked_sub(1));
            let repeated = match index {
                _ if operand == before => None,
                0 | 1 if op.is("tosa.add") => {
                    innermost().filter(|_| view::shape(operand) != Some(vec![1; 4]))
                }
                1 | 2 if per_channel => Some(0),
                _ => None,
            };
            operands.push(match repeated {
                _ if operand == before => value,
                Some(axis) => Data::of(operand).repeat(build, axis, copies)?.value(build)?,
                None => operand,
            });
        }
        let elem = op.single_result().and_then(view::elem).ok_or_else(|| wrong("result"))?;
        let ty = build.retype(value, elem)?;
        build.insert(build.op(op.name()).operands(&operands).attributes_of(op).result(ty))
    }

    /// The last op.
    pub(super) fn last(&self) -> Operation<'c> {
        self.ops.last().copied().unwrap_or(self.first)
    }

    /// The extent of the innermost dimension.
    pub(super) fn channels(&self) -> u64 {
        self.channels
    }

    /// Replaces the chain by a value.
    pub(super) fn replace(self, value: Value<'c>) -> Result<(), Error> {
        self.result.replace_all_uses_with(value);
        self.ops.into_iter().rev().try_for_each(Operation::erase)?;
        self.first.erase()
    }
}

/// The addition of one constant for each channel, or of one for all.
fn bias<'c>(accumulators: Value<'c>) -> Option<Operation<'c>> {
    let only = accumulators.single_use().filter(|only| only.user.is("tosa.add"))?;
    let constant = view::literal(only.user.operand(1_usize.checked_sub(only.operand)?)?)?;
    let per_channel = matches!(constant.shape(), [1, 1, 1, _]);
    (per_channel && only.user.result(0)?.ty() == accumulators.ty()).then_some(only.user)
}

/// The next op of a chain.
fn element_wise<'c>(value: Value<'c>) -> Option<Operation<'c>> {
    let op = value.single_use().filter(|only| only.operand == 0)?.user;
    let grows = view::elem(op.result(0)?)?.bytes() > view::elem(value)?.bytes();
    let alike = view::shape(op.result(0)?) == view::shape(value);
    let known = view::unary(op).is_some() || view::rescale(op).is_some();
    (known && alike && !grows).then_some(op)
}
