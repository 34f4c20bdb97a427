//! Float networks as TOSA on f32.
//!
//! Invariant: the result is read back as the same graph, except for operators on constants, which the reader evaluates, and
//! slices of images and results that make windows fit.

use ndarray::IxDyn;
use strum_float::{Binary, Graph, Node, Op, Pool, Relation, Tensor, Unary, ValueId, Window};
use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

use super::sliding::Sliding;
use super::{Body, Values, along, dims, missing, pad, signed, tile};
use crate::common::network::Network;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;

/// Replaces the function that a network was read from.
///
/// # Errors
/// MLIR cannot make an op.
pub fn replace_function<'c>(function: Operation<'c>, network: &Network<'c>) -> Result<(), PassError> {
    let (body, build) = Body::of(function)?;
    let graph = &network.graph;
    let f32 = Type::parse(build.context(), "f32")?;
    let mut writer = Writer { build, f32, graph, values: Values::new(graph.value_count()) };
    for (&id, &argument) in graph.inputs().iter().zip(&body.arguments) {
        writer.values.set(id.index(), argument);
    }
    for node in graph.nodes() {
        if let Some(location) = network.source(node.tag) {
            writer.build.set_location(location);
        }
        let operands = node.operands.iter().map(|&id| writer.get(id)).collect::<Result<Vec<_>, _>>()?;
        let value = writer.node(node, &operands)?;
        writer.values.set(node.result.index(), value);
    }
    let results = graph.outputs().iter().map(|&id| writer.get(id)).collect::<Result<Vec<_>, _>>()?;
    Ok(body.replace(&results)?)
}

struct Writer<'g, 'c> {
    build: Builder<'c>,
    f32: Type<'c>,
    graph: &'g Graph,
    values: Values<'c>,
}

impl<'c> Writer<'_, 'c> {
    /// A value; a constant is created on first use.
    fn get(&mut self, id: ValueId) -> Result<Value<'c>, PassError> {
        if let Some(value) = self.values.get(id.index()) {
            return Ok(value);
        }
        let value = self.constant(self.graph.constant_of(id).ok_or_else(|| missing(id.index()))?)?;
        self.values.set(id.index(), value);
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
        let begin = |build: &Builder<'c>| build.op(&name).operands(operands).result(ty);
        let value = match &node.op {
            Op::Conv2d(window) | Op::DepthwiseConv2d(window) => self.conv(node, window, operands)?,
            Op::Pool(pool) => self.pool(pool, x, image, shape)?,
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
            Op::Reduce { axis, .. } | Op::Concat { axis } => along(&self.build, &name, operands, *axis, ty)?,
            Op::Pad { around, value } => {
                pad(&mut self.build, x, around, |build| build.floats(&[1], &[*value]), ty)?
            }
            Op::Reshape { .. } => self.build.reshape(x, &dims(shape))?,
            Op::Slice { start, .. } => self.build.slice(x, &dims(start), &dims(shape))?,
            Op::Transpose { perms } => self.build.transpose(x, perms)?,
            Op::Tile { multiples } => tile(&mut self.build, x, multiples, ty)?,
        };
        Ok(value)
    }

    /// A bound of a range.
    fn bound(&self, value: f32) -> Result<Attribute<'c>, Error> {
        Attribute::parse(self.build.context(), &format!("0x{:08X} : f32", value.to_bits()))
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
        let sliding = Sliding { image, image_shape, kernel, window, shape, element: self.f32, acc: self.f32 };
        let name = format!("tosa.{}", node.op.name());
        Ok(sliding.conv(&mut self.build, &name, [weights, bias, zero, zero], &[])?)
    }

    fn pool(
        &mut self,
        pool: &Pool,
        image: Value<'c>,
        image_shape: &[usize],
        shape: &[usize],
    ) -> Result<Value<'c>, Error> {
        let zero = self.number(0.0)?;
        let (kernel, window) = (pool.kernel, &pool.window);
        let sliding = Sliding { image, image_shape, kernel, window, shape, element: self.f32, acc: self.f32 };
        sliding.pool(&mut self.build, pool.kind, zero)
    }

    /// A comparison, and the select on it.
    fn select(
        &mut self,
        relation: Relation,
        node: &Node,
        operands: &[Value<'c>],
        ty: Type<'c>,
    ) -> Result<Value<'c>, PassError> {
        let unfit = || PassError::Internal("select has four operands".into());
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
