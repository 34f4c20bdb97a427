//! A function as a [`Network`], and its ops as the planner's [`Layers`].
//!
//! Invariant: the layers are the ops that [`is_layer`] accepts, in order; a reshape is neither a layer nor a separate tensor.

use std::collections::BTreeMap;

use dpu_isa::validate::MAX_IO;
use strum_ir::strum::{Conv, Eltwise, MatMul};
use strum_ir::{Block, Location, Operation, PassError, Value};
use strum_plan::network::{self, Input, Layer, Layers, Network, Origin, Output, TensorInfo, Tensors};
use strum_plan::residency::Node;
use strum_plan::{LayerInfo, LayerScope, PlanError};
use tracing::debug;

use super::values::{Values, dtype, is_alias, read, root, unreadable};
use super::{layers, tosa};
use crate::common::names;
use crate::common::program::report;
use crate::common::tosa::view;
use crate::common::verdict::RESOURCE;

/// Whether an op becomes a layer of the program.
pub(crate) fn is_layer(op: Operation<'_>) -> bool {
    let constant = ["tosa.const", "tosa.const_shape", "strum.constant"].iter().any(|name| op.is(name));
    !constant && !op.is("func.return") && !is_alias(op)
}

/// The name of a layer: its index and its operator.
pub(crate) fn layer_name(index: usize, op: Operation<'_>) -> String {
    let kind = op.name().split_once('.').map_or(op.name(), |(_, kind)| kind);
    format!("{index}.{kind}")
}

/// A function as a network.
pub(super) struct Function<'c> {
    function: Operation<'c>,
    terminator: Operation<'c>,
    /// The network.
    pub(super) network: Network,
    /// The op of every layer.
    ops: Vec<Operation<'c>>,
    /// The value of every tensor of the network.
    values: Vec<Value<'c>>,
    /// The tensor of every value that layers read or produce, or the function takes or returns.
    tensors: BTreeMap<Value<'c>, usize>,
    /// Locations of the layers, those of copies to outputs included; [`LayerInfo::loc`] is the index.
    pub(super) sources: Vec<Location<'c>>,
}

impl<'c> Function<'c> {
    /// Reads a function.
    pub(super) fn read(function: Operation<'c>) -> Result<Self, PassError> {
        let body = function
            .body()
            .filter(|_| function.region(0).is_some_and(|r| r.blocks().len() == 1))
            .and_then(|body| Some((body, body.terminator().filter(|op| op.is("func.return"))?)));
        let (body, terminator) =
            body.ok_or_else(|| function.error("must have a single block that ends with func.return"))?;
        let name = function.symbol().unwrap_or("main").to_owned();
        let mut this = Function {
            function,
            terminator,
            network: Network { name, ..Network::default() },
            ops: body.operations().into_iter().filter(|op| is_layer(*op)).collect(),
            values: Vec::new(),
            tensors: BTreeMap::new(),
            sources: Vec::new(),
        };
        for index in 0..this.ops.len() {
            this.layer(index)?;
        }
        this.interface(body)?;
        Ok(this)
    }

    /// The tensor of a value, created on first use; `None` for values that are not tensors.
    fn tensor(&mut self, value: Value<'c>) -> Option<usize> {
        let value = root(value);
        if let Some(&known) = self.tensors.get(&value) {
            return Some(known);
        }
        let (shape, elem) = read(value).ok()?;
        let origin = match value.defining_op() {
            None => Origin::Input,
            Some(op) if is_layer(op) => Origin::Computed,
            Some(_) => Origin::Constant,
        };
        let index = self.values.len();
        self.network.tensors.push(TensorInfo { dtype: dtype(elem), shape, origin });
        self.values.push(value);
        self.tensors.insert(value, index);
        Some(index)
    }

    /// Adds the layer of an op.
    fn layer(&mut self, index: usize) -> Result<(), PassError> {
        let Some(&op) = self.ops.get(index) else { return Ok(()) };
        let operands: Vec<(Value<'c>, usize)> =
            op.operands().into_iter().filter_map(|v| Some((v, self.tensor(v)?))).collect();
        let result = op.single_result().ok_or_else(|| unreadable(op));
        let result = result.and_then(|result| read(result).map(|_| result));
        let result = result.map_err(|error| report(op, &error))?;
        let output = self.tensor(result).ok_or_else(|| report(op, &unreadable(op)))?;
        let same = |v: &Value<'c>| is_element_wise(op) && view::tensor(v.ty()) == view::tensor(result.ty());
        let loc = self.source(op.location());
        let node = Node {
            inputs: operands.iter().map(|&(_, n)| n).collect(),
            output,
            const_bytes: op.operands().into_iter().map(constant_bytes).fold(0, u64::saturating_add),
            in_place: operands.iter().filter(|(v, _)| same(v)).map(|&(_, n)| n).collect(),
            is_vector: is_element_wise(op),
        };
        let (name, macs) = (layer_name(index, op), layers::macs(op));
        let info = LayerInfo { name, op: op.name().to_owned(), loc, macs };
        self.network.layers.push(Layer { info, node });
        Ok(())
    }

    fn source(&mut self, location: Location<'c>) -> u32 {
        let loc = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(location);
        loc
    }

    /// Adds the inputs and outputs.
    fn interface(&mut self, body: Block<'c>) -> Result<(), PassError> {
        let (function, terminator) = (self.function, self.terminator);
        let (arguments, returned) = (body.arguments(), terminator.operands());
        let list = [("inputs", arguments.len()), ("outputs", returned.len())];
        if let Some((what, count)) = list.into_iter().find(|(_, count)| *count > MAX_IO) {
            let message =
                format_args!("{RESOURCE}{what} of a function: needs {count}, the limit is {MAX_IO}");
            return Err(function.error(message).into());
        }
        let (in_names, out_names) = (names::inputs(function)?, names::outputs(function)?);
        for (i, argument) in arguments.into_iter().enumerate() {
            let name = in_names.get(i).cloned().unwrap_or_default();
            read(argument).map_err(|error| report(function, &error))?;
            let tensor = self.tensor(argument).ok_or_else(|| report(function, &unreadable(function)))?;
            self.network.inputs.push(Input { name, tensor });
        }
        for (i, value) in returned.into_iter().enumerate() {
            let name = out_names.get(i).cloned().unwrap_or_default();
            let (shape, _) = read(value).map_err(|error| report(terminator, &error))?;
            let tensor = self.tensor(value).ok_or_else(|| report(terminator, &unreadable(terminator)))?;
            let (op, loc) = (terminator.name().to_owned(), self.source(value.location()));
            self.network.outputs.push(Output { name, tensor, shape, op, loc });
        }
        Ok(())
    }

    /// Reports why the network cannot be planned, at the op concerned.
    pub(super) fn report(&self, failure: &network::Failure) -> PassError {
        let op = match failure.subject {
            network::Subject::Network => Some(self.function),
            network::Subject::Layer(index) => self.ops.get(index).copied(),
            network::Subject::Outputs => Some(self.terminator),
        };
        report(op.unwrap_or(self.function), &failure.error)
    }

    /// Location of layer `index` in the source, as text.
    pub(super) fn location(&self, index: usize) -> Option<String> {
        self.ops.get(index).map(|op| op.location().describe())
    }
}

impl Layers for Function<'_> {
    fn constant(&self, tensor: usize) -> Result<Vec<u8>, PlanError> {
        let literal = self.values.get(tensor).copied().and_then(view::literal);
        let literal = literal.ok_or_else(|| PlanError::internal("a constant that cannot be read"))?;
        let bytes = literal.checked_bytes().map_err(|over| PlanError::memory(over.to_string()))?;
        Ok(bytes.into_owned())
    }

    fn plan(
        &self,
        index: usize,
        scope: &mut LayerScope<'_>,
        tensors: &mut Tensors<'_>,
    ) -> Result<(), PlanError> {
        let op = self.ops.get(index).copied();
        let op = op.ok_or_else(|| PlanError::internal("a layer without an op"))?;
        let values = &mut Values { known: &self.tensors, tensors };
        let before = scope.draft.tasks.len();
        if let Some(conv) = Conv::read(op) {
            layers::conv(scope, values, op, &conv)?;
        } else if let Some(matmul) = MatMul::read(op) {
            layers::matmul(scope, values, op, &matmul)?;
        } else if let Some(eltwise) = Eltwise::read(op) {
            layers::eltwise(scope, values, op, &eltwise)?;
        } else {
            tosa::Op { scope, values, op }.plan()?;
        }
        debug!(op = op.name(), tasks = scope.draft.tasks.len() - before, "lowered");
        Ok(())
    }
}

/// Whether an op's result at an index depends only on its operands at that index.
fn is_element_wise(op: Operation<'_>) -> bool {
    const OPS: &[&str] = &[
        "strum.eltwise",
        "tosa.add",
        "tosa.sub",
        "tosa.mul",
        "tosa.maximum",
        "tosa.minimum",
        "tosa.rescale",
        "tosa.clamp",
        "tosa.abs",
        "tosa.bitwise_and",
        "tosa.bitwise_not",
        "tosa.bitwise_or",
        "tosa.bitwise_xor",
        "tosa.equal",
        "tosa.greater",
        "tosa.greater_equal",
        "tosa.intdiv",
        "tosa.logical_and",
        "tosa.logical_not",
        "tosa.logical_or",
        "tosa.logical_xor",
        "tosa.select",
        "tosa.logical_right_shift",
        "tosa.negate",
    ];
    OPS.iter().any(|name| op.is(name))
}

/// Bytes of a constant operand.
fn constant_bytes(value: Value<'_>) -> u64 {
    if let Some(packed) = value.constant() {
        return packed.bytes().map_or(0, |bytes| bytes.len() as u64);
    }
    view::literal(value).map_or(0, |literal| literal.byte_len() as u64)
}
