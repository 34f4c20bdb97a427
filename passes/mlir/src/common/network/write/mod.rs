//! Networks as TOSA, replacing the function that they were read from: float ones on f32, quantized ones on integers.
//!
//! Invariant: the written ops compute what the graph computes, bit for bit.

pub mod doors;
mod float;
mod int;
mod sliding;

use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

pub use float::replace_function;
pub use int::replace_by_integers;

use crate::common::rewrite::blocks;
use crate::common::tosa::build::Builder;

/// A function whose body is being replaced.
struct Body<'c> {
    arguments: Vec<Value<'c>>,
    old: Vec<Operation<'c>>,
    terminator: Operation<'c>,
}

impl<'c> Body<'c> {
    /// The body of a function with one block, and the insertion point of its new ops.
    fn of(function: Operation<'c>) -> Result<(Self, Builder<'c>), PassError> {
        let internal = |what: &str| PassError::Internal(what.into());
        let block = *blocks(function).first().ok_or_else(|| internal("a function without a body"))?;
        let terminator = block.terminator().ok_or_else(|| internal("a block without a terminator"))?;
        let body = Body { arguments: block.arguments(), old: block.operations(), terminator };
        Ok((body, Builder::before(terminator)?))
    }

    /// Returns other values, and erases the previous ops.
    fn replace(self, results: &[Value<'c>]) -> Result<(), Error> {
        for (index, &result) in results.iter().enumerate() {
            self.terminator.set_operand(index, result);
        }
        for op in self.old.into_iter().rev().filter(|&op| op != self.terminator) {
            op.erase()?;
        }
        Ok(())
    }
}

/// The values of a graph, by their index.
struct Values<'c>(Vec<Option<Value<'c>>>);

impl<'c> Values<'c> {
    fn new(count: usize) -> Self {
        Values(vec![None; count])
    }

    fn set(&mut self, index: usize, value: Value<'c>) {
        if let Some(place) = self.0.get_mut(index) {
            *place = Some(value);
        }
    }

    fn get(&self, index: usize) -> Option<Value<'c>> {
        self.0.get(index).copied().flatten()
    }
}

/// The value of a graph for which no op was created.
fn missing(index: usize) -> PassError {
    PassError::Internal(format!("value {index} of the network has not been written"))
}

/// Extents in the builder's form.
fn dims(shape: &[usize]) -> Vec<u64> {
    shape.iter().map(|&d| d as u64).collect()
}

/// Numbers in the form of MLIR's attributes.
fn signed(list: &[usize]) -> Vec<i64> {
    list.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX)).collect()
}

/// An op with an axis.
fn along<'c>(
    build: &Builder<'c>,
    name: &str,
    operands: &[Value<'c>],
    axis: usize,
    ty: Type<'c>,
) -> Result<Value<'c>, Error> {
    let axis = Attribute::i32(build.context(), i32::try_from(axis).unwrap_or(i32::MAX));
    build.insert(build.op(name).operands(operands).attribute("axis", axis).result(ty))
}

/// `tosa.pad`, with the number of elements before and after along each axis.
fn pad<'c>(
    build: &mut Builder<'c>,
    x: Value<'c>,
    around: &[[usize; 2]],
    value: impl FnOnce(&mut Builder<'c>) -> Result<Value<'c>, Error>,
    ty: Type<'c>,
) -> Result<Value<'c>, Error> {
    let list = build.shape(&dims(around.as_flattened()))?;
    let value = value(build)?;
    build.binary("tosa.pad", &[x, list, value], ty)
}

/// `tosa.tile`.
fn tile<'c>(
    build: &mut Builder<'c>,
    x: Value<'c>,
    multiples: &[usize],
    ty: Type<'c>,
) -> Result<Value<'c>, Error> {
    let list = build.shape(&dims(multiples))?;
    build.binary("tosa.tile", &[x, list], ty)
}
