//! Parts of a network between `tosa-to-strum` and `strum-pack`, to run them on their own and to give layers other weights.
//!
//! A segment computes some values of a function from others that are known: a function of those, with the ops between.
//! Invariant: a segment with the weights of the function computes the function's values, bit for bit.

mod layers;

pub use layers::{Convolution, convolutions, set_weights};

use std::collections::{BTreeMap, BTreeSet};

use strum_float::quantize::Rounded;
use strum_ir::{Attribute, Block, Error, Location, Module, OpBuilder, Operation, PassError, Type, Value};

/// A value of a function, whatever module holds it: an argument, or a result of the op with an index in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The argument with this index.
    Argument(usize),
    /// A result: the index of its op, its own index.
    Result(usize, usize),
}

/// A function as a graph of values.
#[derive(Clone, Debug)]
pub struct Graph<'c> {
    arguments: Vec<Value<'c>>,
    ops: Vec<Operation<'c>>,
    sources: BTreeMap<Value<'c>, Source>,
}

/// What computes some values from known ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// The known values that are read, in order.
    pub inputs: BTreeSet<Source>,
    /// The indices of the ops, in order; constants included.
    ops: BTreeSet<usize>,
}

impl Needed {
    /// The indices of the ops, in order.
    pub fn ops(&self) -> impl Iterator<Item = usize> + '_ {
        self.ops.iter().copied()
    }
}

impl<'c> Graph<'c> {
    /// Reads a function of one block.
    ///
    /// # Errors
    /// It has no body.
    pub fn of(function: Operation<'c>) -> Result<Self, PassError> {
        let body = function.body().ok_or_else(|| PassError::Internal("a function without a body".into()))?;
        let (arguments, ops) = (body.arguments(), body.operations());
        let mut sources: BTreeMap<Value<'c>, Source> =
            arguments.iter().enumerate().map(|(index, &value)| (value, Source::Argument(index))).collect();
        for (at, op) in ops.iter().enumerate() {
            let results = op.results().into_iter().enumerate();
            sources.extend(results.map(|(index, value)| (value, Source::Result(at, index))));
        }
        Ok(Graph { arguments, ops, sources })
    }

    /// The value.
    fn value(&self, source: Source) -> Option<Value<'c>> {
        match source {
            Source::Argument(index) => self.arguments.get(index).copied(),
            Source::Result(at, index) => self.ops.get(at)?.result(index),
        }
    }

    /// The arguments of the function.
    pub fn arguments(&self) -> impl Iterator<Item = Source> + '_ {
        (0..self.arguments.len()).map(Source::Argument)
    }

    /// The number of elements of a value; nothing if it is no tensor of static shape.
    #[must_use]
    pub fn elements(&self, source: Source) -> Option<usize> {
        let shape = self.value(source)?.ty().shape()?;
        shape.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))
    }

    /// What computes these values from the known ones and constants.
    #[must_use]
    pub fn needed(&self, known: &BTreeSet<Source>, wanted: &[Source]) -> Needed {
        let mut needed = Needed::default();
        let mut pending: Vec<Source> = wanted.to_vec();
        while let Some(source) = pending.pop() {
            match source {
                _ if known.contains(&source) => {
                    needed.inputs.insert(source);
                }
                Source::Argument(_) => {
                    needed.inputs.insert(source);
                }
                Source::Result(at, _) => {
                    if needed.ops.insert(at) {
                        let operands = self.ops.get(at).map(|op| op.operands()).unwrap_or_default();
                        pending.extend(operands.iter().filter_map(|value| self.sources.get(value)));
                    }
                }
            }
        }
        needed
    }

    /// A module with a function `main` that computes these values: its arguments are the inputs that are needed, in order.
    /// Convolutions whose op is in `weights` have those weights.
    ///
    /// # Errors
    /// An op has regions, or MLIR cannot make an op.
    pub fn segment(
        &self,
        needed: &Needed,
        wanted: &[Source],
        weights: &BTreeMap<usize, Rounded>,
    ) -> Result<Module<'c>, PassError> {
        let location = self.ops.first().map(|op| op.location());
        let location = location.ok_or_else(|| PassError::Internal("a function without ops".into()))?;
        let module = Module::empty(location);
        let context = location.context();
        let function = OpBuilder::new("func.func", location)
            .attribute("sym_name", Attribute::string(context, "main"))
            .attribute("function_type", Attribute::of_type(Type::parse(context, "() -> ()")?))
            .region()
            .append_to(module.body())?;
        let block = function.body().ok_or_else(|| PassError::Internal("a function without a body".into()))?;
        let lost = || PassError::Internal("a value of a segment is missing".into());
        let mut made: BTreeMap<Value<'c>, Value<'c>> = BTreeMap::new();
        for &source in &needed.inputs {
            let value = self.value(source).ok_or_else(lost)?;
            made.insert(value, block.add_argument(value.ty(), value.location()));
        }
        for &at in &needed.ops {
            let op = *self.ops.get(at).ok_or_else(lost)?;
            let mut copy = copied(op, &made, block)?;
            if let Some(rounded) = weights.get(&at) {
                copy = set_weights(copy, rounded)?;
            }
            made.extend(op.results().into_iter().zip(copy.results()));
        }
        let results = wanted.iter().map(|&source| made.get(&self.value(source)?).copied());
        let results = results.collect::<Option<Vec<_>>>().ok_or_else(lost)?;
        returning(&results, location, block)?;
        function.update_function_type().ok_or_else(lost)?;
        Ok(module)
    }

    /// The op with an index in the body.
    #[must_use]
    pub fn op(&self, at: usize) -> Option<Operation<'c>> {
        self.ops.get(at).copied()
    }
}

/// A copy of an op at the end of a block, with operands that are made already.
fn copied<'c>(
    op: Operation<'c>,
    made: &BTreeMap<Value<'c>, Value<'c>>,
    block: Block<'c>,
) -> Result<Operation<'c>, PassError> {
    if !op.regions().is_empty() {
        return Err(PassError::Internal(format!("'{}' with a region within a segment", op.name())));
    }
    let operands =
        op.operands().into_iter().map(|value| made.get(&value).copied()).collect::<Option<Vec<_>>>();
    let operands =
        operands.ok_or_else(|| PassError::Internal(format!("an operand of '{}' comes later", op.name())))?;
    let builder = OpBuilder::new(op.name(), op.location()).operands(&operands).attributes_of(op);
    let builder = op.results().into_iter().fold(builder, |builder, result| builder.result(result.ty()));
    Ok(builder.append_to(block)?)
}

fn returning<'c>(results: &[Value<'c>], location: Location<'c>, block: Block<'c>) -> Result<(), Error> {
    OpBuilder::new("func.return", location).operands(results).append_to(block).map(|_| ())
}
