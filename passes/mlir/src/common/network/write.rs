//! Float networks as TOSA on f32, in place of the function that they were read from.
//!
//! Invariant: what is written computes what the graph computes, bit for bit. It is read back as the same graph, but for
//! operators on constants, which the reader computes, and what is cut off of images and results so that windows fit.

use ndarray::IxDyn;
use strum_float::{Binary, Graph, Node, Op, Pool, PoolKind, Relation, Tensor, Unary, ValueId, Window};
use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

use super::Network;
use super::sliding::{Sliding, dims, signed};
use crate::common::rewrite::blocks;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;

/// Puts a network in the place of the function that it was read from.
///
/// # Errors
/// MLIR cannot make an op.
pub fn replace_function<'c>(function: Operation<'c>, network: &Network<'c>) -> Result<(), PassError> {
    let block =
        *blocks(function).first().ok_or_else(|| PassError::Internal("a function without a body".into()))?;
    let old = block.operations();
    let end = block.terminator().ok_or_else(|| PassError::Internal("a block without an end".into()))?;
    let graph = &network.graph;
    let build = Builder::before(end)?;
    let f32 = Type::parse(build.context(), "f32")?;
    let mut writer = Writer { build, f32, graph, values: vec![None; graph.value_count()] };
    for (&id, argument) in graph.inputs().iter().zip(block.arguments()) {
        writer.set(id, argument);
    }
    for node in graph.nodes() {
        if let Some(location) = network.source(node.tag) {
            writer.build.set_location(location);
        }
        let operands = node.operands.iter().map(|&id| writer.get(id)).collect::<Result<Vec<_>, _>>()?;
        let value = writer.node(node, &operands)?;
        writer.set(node.result, value);
    }
    for (index, &id) in graph.outputs().iter().enumerate() {
        end.set_operand(index, writer.get(id)?);
    }
    for op in old.into_iter().rev().filter(|&op| op != end) {
        op.erase()?;
    }
    Ok(())
}

struct Writer<'g, 'c> {
    build: Builder<'c>,
    f32: Type<'c>,
    graph: &'g Graph,
    values: Vec<Option<Value<'c>>>,
}

impl<'c> Writer<'_, 'c> {
    fn set(&mut self, id: ValueId, value: Value<'c>) {
        if let Some(place) = self.values.get_mut(id.index()) {
            *place = Some(value);
        }
    }

    /// A value; a constant is made when it is first wanted.
    fn get(&mut self, id: ValueId) -> Result<Value<'c>, PassError> {
        if let Some(value) = self.values.get(id.index()).copied().flatten() {
            return Ok(value);
        }
        let missing = || PassError::Internal(format!("float value {} is not there", id.index()));
        let value = self.constant(self.graph.constant_of(id).ok_or_else(missing)?)?;
        self.set(id, value);
        Ok(value)
    }

    fn constant(&mut self, tensor: &Tensor) -> Result<Value<'c>, Error> {
        let values = tensor.as_slice().ok_or_else(|| Error::Attribute("a constant out of order".into()))?;
        self.build.floats(&dims(tensor.shape()), values)
    }

    fn number(&mut self, value: f32) -> Result<Value<'c>, Error> {
        self.constant(&Tensor::from_elem(IxDyn(&[1]), value))
    }

    fn node(&mut self, node: &Node, operands: &[Value<'c>]) -> Result<Value<'c>, PassError> {
        let graph = self.graph;
        let shape = graph.shape(node.result);
        let ty = self.build.float_tensor(&dims(shape))?;
        let no_operand = || PassError::Internal(format!("{}: no operand", node.op.name()));
        let x = *operands.first().ok_or_else(no_operand)?;
        let image = node.operands.first().map_or(&[][..], |&id| graph.shape(id));
        let name = format!("tosa.{}", node.op.name());
        let context = self.build.context();
        let axis_of = |axis: usize| Attribute::i32(context, i32::try_from(axis).unwrap_or(i32::MAX));
        let begin = |build: &Builder<'c>| build.op(&name).operands(operands).result(ty);
        let value = match &node.op {
            Op::Conv2d(window) | Op::DepthwiseConv2d(window) => self.conv(node, window, operands)?,
            Op::Pool(pool) => self.pool(&name, pool, x, image, shape)?,
            Op::Matmul => {
                let zero = self.number(0.0)?;
                self.build.binary(&name, &[operands, &[zero, zero]].concat(), ty)?
            }
            Op::Unary(Unary::Negate) => {
                let zero = self.number(0.0)?;
                self.build.binary(&name, &[x, zero, zero], ty)?
            }
            Op::Binary(Binary::Mul) => {
                let shift = self.build.scalar(Elem::I8, 0)?;
                self.build.binary(&name, &[operands, &[shift]].concat(), ty)?
            }
            Op::Unary(_) | Op::Binary(_) => self.build.insert(begin(&self.build))?,
            Op::Clamp { min, max } => {
                let [min, max] = [self.bound(*min)?, self.bound(*max)?];
                let op = begin(&self.build).attribute("min_val", min).attribute("max_val", max);
                self.build.insert(op)?
            }
            Op::Select(relation) => self.select(*relation, node, operands, ty)?,
            Op::Reduce { axis, .. } | Op::Concat { axis } => {
                self.build.insert(begin(&self.build).attribute("axis", axis_of(*axis)))?
            }
            Op::Pad { around, value } => {
                let flat: Vec<u64> = around.iter().flatten().map(|&n| n as u64).collect();
                let operands = [x, self.build.shape(&flat)?, self.number(*value)?];
                self.build.binary(&name, &operands, ty)?
            }
            Op::Reshape { .. } => self.build.reshape(x, &dims(shape))?,
            Op::Slice { start, .. } => self.build.slice(x, &dims(start), &dims(shape))?,
            Op::Transpose { perms } => self.build.transpose(x, perms)?,
            Op::Tile { multiples } => {
                let list = self.build.shape(&dims(multiples))?;
                self.build.binary(&name, &[x, list], ty)?
            }
        };
        Ok(value)
    }

    /// An end of a range.
    fn bound(&self, value: f32) -> Result<Attribute<'c>, Error> {
        Attribute::parse(self.build.context(), &format!("0x{:08X} : f32", value.to_bits()))
    }

    fn acc_type(&self) -> Attribute<'c> {
        Attribute::of_type(self.f32)
    }

    fn conv(&mut self, node: &Node, window: &Window, operands: &[Value<'c>]) -> Result<Value<'c>, PassError> {
        let unfit = || PassError::Internal(format!("{} has three operands", node.op.name()));
        let &[image, weights, bias] = operands else { return Err(unfit()) };
        let &[image_id, weights_id, _] = node.operands.as_slice() else { return Err(unfit()) };
        let taps = match &node.op {
            Op::Conv2d(_) => self.graph.shape(weights_id).get(1..3),
            _ => self.graph.shape(weights_id).get(..2),
        };
        let kernel = taps.and_then(|taps| taps.try_into().ok()).ok_or_else(unfit)?;
        let zero = self.number(0.0)?;
        let (image_shape, shape) = (self.graph.shape(image_id), self.graph.shape(node.result));
        let sliding = Sliding { image, image_shape, kernel, window, shape, element: self.f32 };
        let (acc, dilation) =
            (self.acc_type(), Attribute::i64s(self.build.context(), &signed(&window.dilation)));
        Ok(sliding.insert(&mut self.build, |build, image| {
            let op = build.op(&format!("tosa.{}", node.op.name()));
            op.operands(&[image, weights, bias, zero, zero])
                .attribute("acc_type", acc)
                .attribute("dilation", dilation)
        })?)
    }

    fn pool(
        &mut self,
        name: &str,
        pool: &Pool,
        image: Value<'c>,
        image_shape: &[usize],
        shape: &[usize],
    ) -> Result<Value<'c>, Error> {
        let zero = self.number(0.0)?;
        let kernel = Attribute::i64s(self.build.context(), &signed(&pool.kernel));
        let acc = self.acc_type();
        let sliding = Sliding {
            image,
            image_shape,
            kernel: pool.kernel,
            window: &pool.window,
            shape,
            element: self.f32,
        };
        sliding.insert(&mut self.build, |build, image| {
            let op = build.op(name).operand(image).attribute("kernel", kernel);
            match pool.kind {
                PoolKind::Average => op.operands(&[zero, zero]).attribute("acc_type", acc),
                PoolKind::Max => op,
            }
        })
    }

    /// A comparison and the choice by it.
    fn select(
        &mut self,
        relation: Relation,
        node: &Node,
        operands: &[Value<'c>],
        ty: Type<'c>,
    ) -> Result<Value<'c>, PassError> {
        let unfit = || PassError::Internal("a choice has four operands".into());
        let (&[a, b, yes, no], [first, second, ..]) = (operands, node.operands.as_slice()) else {
            return Err(unfit());
        };
        let extents = self.graph.shape(*first).iter().zip(self.graph.shape(*second));
        let shape: Vec<usize> = extents.map(|(&a, &b)| a.max(b)).collect();
        let condition = Type::tensor(&signed(&shape), Type::int(self.build.context(), 1))?;
        let name = match relation {
            Relation::Equal => "tosa.equal",
            Relation::Greater => "tosa.greater",
            Relation::GreaterEqual => "tosa.greater_equal",
        };
        let condition = self.build.binary(name, &[a, b], condition)?;
        Ok(self.build.binary("tosa.select", &[condition, yes, no], ty)?)
    }
}
