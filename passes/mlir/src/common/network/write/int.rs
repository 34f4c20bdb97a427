//! Quantized networks as integer TOSA.
//!
//! Invariant: types of arguments and results are changed together with the attributes that describe their codes.

use std::borrow::Cow;

use dpu_isa::{Codes, Meaning};
use strum_float::quantize::{IntElem, IntGraph, IntId, IntNode, IntOp, Port, Scale, Weights};
use strum_float::{Pool, Window};
use strum_ir::{Error, Operation, PassError, Type, Value};

use super::sliding::Sliding;
use super::{Body, Values, along, dims, missing, pad, tile};
use crate::common::meaning;
use crate::common::network::Network;
use crate::common::statistics::{self, INPUT_MEAN, INPUT_SQUARE};
use crate::common::tosa::build::{Builder, RescaleSpec};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::num::Round;

/// Replaces the float function that an integer network was made from.
///
/// # Errors
/// MLIR cannot make an op.
pub fn replace_by_integers<'c>(
    function: Operation<'c>,
    network: &Network<'c>,
    int: &IntGraph,
) -> Result<(), PassError> {
    let (body, build) = Body::of(function)?;
    let mut writer = Writer { build, values: Values::new(int.value_count()) };
    for (port, &argument) in int.inputs.iter().zip(&body.arguments) {
        // The float ops that use it go below; from here on it is what the integer ops see.
        writer.values.set(port.id.index(), argument);
        let (shape, elem) = int.value(port.id).ok_or_else(|| missing(port.id.index()))?;
        argument.set_type(writer.build.tensor(&dims(shape), element(elem))?);
    }
    for node in &int.nodes {
        if let Some(location) = network.source(node.tag) {
            writer.build.set_location(location);
        }
        let value = writer.node(int, node)?;
        writer.values.set(node.result.index(), value);
    }
    let results = int.outputs.iter().map(|port| writer.get(port.id)).collect::<Result<Vec<_>, _>>()?;
    body.replace(&results)?;
    function.update_function_type().ok_or_else(|| PassError::Internal("a function without a type".into()))?;
    Ok(meaning::set(function, &meanings(&int.inputs), &meanings(&int.outputs))?)
}

/// The meaning of the codes of arguments or results.
fn meanings(ports: &[Port]) -> Vec<Meaning> {
    let codes = |port: &Port| Codes { scale: port.params.scale, zero_point: port.params.zero_point };
    ports.iter().map(|port| Meaning { codes: Some(codes(port)), ..Meaning::default() }).collect()
}

struct Writer<'c> {
    build: Builder<'c>,
    values: Values<'c>,
}

fn element(elem: IntElem) -> Elem {
    match elem {
        IntElem::I8 => Elem::I8,
        IntElem::I32 => Elem::I32,
    }
}

impl<'c> Writer<'c> {
    fn get(&self, id: IntId) -> Result<Value<'c>, PassError> {
        self.values.get(id.index()).ok_or_else(|| missing(id.index()))
    }

    fn node(&mut self, int: &IntGraph, node: &IntNode) -> Result<Value<'c>, PassError> {
        let operands = node.operands.iter().map(|&id| self.get(id)).collect::<Result<Vec<_>, _>>()?;
        let (shape, elem) = int.value(node.result).ok_or_else(|| missing(node.result.index()))?;
        let shapes: Vec<&[usize]> =
            node.operands.iter().map(|&id| int.value(id).map_or(&[][..], |(shape, _)| shape)).collect();
        let ty = self.build.tensor(&dims(shape), element(elem))?;
        let first = operands.first().copied();
        let x = || first.ok_or_else(|| missing(node.result.index()));
        let image = shapes.first().copied().unwrap_or_default();
        Ok(match &node.op {
            IntOp::Constant(codes) => self.constant(codes, shape)?,
            IntOp::Conv2d(window, weights) => {
                self.conv("tosa.conv2d", x()?, image, window, weights, shape)?
            }
            IntOp::DepthwiseConv2d(window, weights) => {
                self.conv("tosa.depthwise_conv2d", x()?, image, window, weights, shape)?
            }
            IntOp::Matmul([a, b]) => {
                let zero_points = [self.build.scalar(Elem::I8, *a)?, self.build.scalar(Elem::I8, *b)?];
                self.build.binary("tosa.matmul", &[&operands[..], &zero_points[..]].concat(), ty)?
            }
            IntOp::Rescale { zero_point, scales, output, output_zp } => {
                let (multipliers, shifts) = split(scales);
                let spec = RescaleSpec {
                    multipliers: &multipliers,
                    shifts: &shifts,
                    round: Round::Single,
                    input_zp: *zero_point,
                    output_zp: *output_zp,
                    ..RescaleSpec::unit(element(*output))
                };
                self.build.rescale(x()?, &spec)?
            }
            IntOp::Clamp { min, max } => self.build.clamp(x()?, *min, *max)?,
            IntOp::Table(entries) => self.build.table(x()?, entries)?,
            IntOp::Add => self.build.binary("tosa.add", &operands, ty)?,
            IntOp::Sub => self.build.binary("tosa.sub", &operands, ty)?,
            IntOp::Mul => {
                let shift = self.build.scalar(Elem::I8, 0)?;
                self.build.binary("tosa.mul", &[&operands[..], &[shift]].concat(), ty)?
            }
            IntOp::Maximum => self.build.binary("tosa.maximum", &operands, ty)?,
            IntOp::Minimum => self.build.binary("tosa.minimum", &operands, ty)?,
            IntOp::Pool { pool, zero_point } => self.pool(x()?, image, pool, *zero_point, shape)?,
            IntOp::ReduceSum { axis } => along(&self.build, "tosa.reduce_sum", &operands, *axis, ty)?,
            IntOp::ReduceMax { axis } => along(&self.build, "tosa.reduce_max", &operands, *axis, ty)?,
            IntOp::ReduceMin { axis } => along(&self.build, "tosa.reduce_min", &operands, *axis, ty)?,
            IntOp::Concat { axis } => along(&self.build, "tosa.concat", &operands, *axis, ty)?,
            IntOp::Pad { around, value } => {
                let code = |build: &mut Builder<'c>| build.scalar(Elem::I8, (*value).into());
                pad(&mut self.build, x()?, around, code, ty)?
            }
            IntOp::Reshape => self.build.reshape(x()?, &dims(shape))?,
            IntOp::Slice { start } => self.build.slice(x()?, &dims(start), &dims(shape))?,
            IntOp::Transpose { perms } => self.build.transpose(x()?, perms)?,
            IntOp::Tile { multiples } => tile(&mut self.build, x()?, multiples, ty)?,
        })
    }

    fn constant(&mut self, codes: &[i8], shape: &[usize]) -> Result<Value<'c>, Error> {
        let bytes: Vec<u8> = codes.iter().map(|code| code.cast_unsigned()).collect();
        let literal = Literal::dense(dims(shape), Elem::I8, Cow::Owned(bytes));
        self.build.constant(literal.ok_or_else(|| Error::Attribute(format!("constant of shape {shape:?}")))?)
    }

    fn conv(
        &mut self,
        name: &str,
        image: Value<'c>,
        image_shape: &[usize],
        window: &Window,
        weights: &Weights,
        shape: &[usize],
    ) -> Result<Value<'c>, Error> {
        let taps = if name == "tosa.conv2d" { 1 } else { 0 };
        let kernel = [weights.shape.get(taps), weights.shape.get(taps + 1)].map(|k| k.copied().unwrap_or(1));
        let operands = [
            self.constant(&weights.codes, &weights.shape)?,
            self.build.vector(Elem::I32, &weights.bias)?,
            self.build.scalar(Elem::I8, weights.zero_point)?,
            self.build.scalar(Elem::I8, 0)?,
        ];
        let context = self.build.context();
        let mut statistics = Vec::new();
        if let Some(inputs) = &weights.inputs {
            statistics.push((INPUT_MEAN, statistics::floats(context, &inputs.mean)?));
            statistics.push((INPUT_SQUARE, statistics::floats(context, &inputs.square)?));
        }
        let sums = Type::int(context, 32);
        let sliding = Sliding { image, image_shape, kernel, window, shape, element: sums, acc: sums };
        sliding.conv(&mut self.build, name, operands, &statistics)
    }

    fn pool(
        &mut self,
        image: Value<'c>,
        image_shape: &[usize],
        pool: &Pool,
        zero_point: i32,
        shape: &[usize],
    ) -> Result<Value<'c>, Error> {
        let zero_point = self.build.scalar(Elem::I8, zero_point)?;
        let [element, acc] = [8, 32].map(|bits| Type::int(self.build.context(), bits));
        let (kernel, window) = (pool.kernel, &pool.window);
        let sliding = Sliding { image, image_shape, kernel, window, shape, element, acc };
        sliding.pool(&mut self.build, pool.kind, zero_point)
    }
}

/// Multipliers and shifts.
fn split(scales: &[Scale]) -> (Vec<i32>, Vec<i32>) {
    scales.iter().map(|scale| (scale.multiplier, scale.shift)).unzip()
}
