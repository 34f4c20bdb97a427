//! Integer networks as TOSA ops in place of the float function.
//!
//! Invariant: what is written computes what the integer graph computes, bit for bit.

use std::borrow::Cow;

use strum_float::quantize::{
    IntElem, IntGraph, IntId, IntNode, IntOp, Port, QuantizeError, Range, Scale, Storage, WeightScales,
    Weights, correct_bias, observe_inputs, quantize, round_with_feedback,
};
use strum_float::{Tensor, Window};
use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

use super::Network;
use super::sliding::{Sliding, dims, signed};
use crate::common::rewrite::blocks;
use crate::common::statistics::{self, INPUT_MEAN, INPUT_SQUARE};
use crate::common::tosa::build::{Builder, RescaleSpec};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::num::Round;
use crate::common::verdict::UNSUPPORTED;

/// Attributes of a function that say what the codes of its arguments and results mean.
pub const INPUT_SCALES: &str = "strum.input_scales";
/// See [`INPUT_SCALES`].
pub const INPUT_ZERO_POINTS: &str = "strum.input_zero_points";
/// See [`INPUT_SCALES`].
pub const OUTPUT_SCALES: &str = "strum.output_scales";
/// See [`INPUT_SCALES`].
pub const OUTPUT_ZERO_POINTS: &str = "strum.output_zero_points";

/// Where the ranges of values come from.
#[derive(Clone, Copy, Debug)]
pub enum Calibration<'a> {
    /// From random inputs, which say nothing of what real ones do to a layer.
    Random,
    /// From samples, by which layers are also told what they will see.
    Samples {
        /// The inputs of each sample.
        samples: &'a [Vec<Tensor>],
        /// How weights become codes.
        rounding: Rounding,
    },
}

/// How weights become codes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rounding {
    /// The nearest.
    #[default]
    Nearest,
    /// The nearest; biases make up for the mean error.
    BiasCorrection,
    /// With feedback, for this way of storing them if there is one.
    Feedback(Option<Storage>),
}

/// Quantizes a network in canonical form by the ranges of its values, and puts the integer network in the place of the
/// function that it was read from.
///
/// # Errors
/// What has no integer form, reported at its op.
pub fn quantize_function<'c>(
    function: Operation<'c>,
    network: &Network<'c>,
    ranges: &[Range],
    scales: WeightScales,
    calibration: Calibration<'_>,
) -> Result<IntGraph, PassError> {
    let report = |error: QuantizeError| {
        let at = error.tag.and_then(|tag| network.source(tag)).unwrap_or(function.location());
        let said = if error.unsupported { UNSUPPORTED } else { "" };
        at.error(format!("{said}{}", error.reason))
    };
    let mut int = quantize(&network.graph, ranges, scales).map_err(report)?;
    if let Calibration::Samples { samples, rounding } = calibration {
        let graph = &network.graph;
        observe_inputs(graph, samples, &mut int).map_err(|error| function.error(error))?;
        match rounding {
            Rounding::Nearest => {}
            Rounding::BiasCorrection => correct_bias(graph, &mut int).map_err(report)?,
            Rounding::Feedback(storage) => {
                round_with_feedback(graph, samples, &mut int, storage.as_ref()).map_err(report)?;
            }
        }
    }
    replace_function(function, network, &int)?;
    Ok(int)
}

/// Puts an integer network in the place of the float function that it was made from.
///
/// # Errors
/// MLIR cannot make an op.
pub fn replace_function<'c>(
    function: Operation<'c>,
    network: &Network<'c>,
    int: &IntGraph,
) -> Result<(), PassError> {
    let block =
        *blocks(function).first().ok_or_else(|| PassError::Internal("a function without a body".into()))?;
    let old = block.operations();
    let end = block.terminator().ok_or_else(|| PassError::Internal("a block without an end".into()))?;
    let mut emitter = Emitter { build: Builder::before(end)?, values: vec![None; int.value_count()] };
    for (port, argument) in int.inputs.iter().zip(block.arguments()) {
        // The float ops that use it go below; from here on it is what the integer ops see.
        emitter.set(port.id, argument);
        let (shape, elem) = int.value(port.id).ok_or_else(|| missing(port.id))?;
        argument.set_type(emitter.build.tensor(&dims(shape), element(elem))?);
    }
    for node in &int.nodes {
        if let Some(location) = network.source(node.tag) {
            emitter.build.set_location(location);
        }
        let value = emitter.node(int, node)?;
        emitter.set(node.result, value);
    }
    for (index, port) in int.outputs.iter().enumerate() {
        end.set_operand(index, emitter.get(port.id)?);
    }
    for op in old.into_iter().rev().filter(|&op| op != end) {
        op.erase()?;
    }
    function.update_function_type().ok_or_else(|| PassError::Internal("a function without a type".into()))?;
    describe(function, &int.inputs, [INPUT_SCALES, INPUT_ZERO_POINTS])?;
    describe(function, &int.outputs, [OUTPUT_SCALES, OUTPUT_ZERO_POINTS])
}

/// Says what the codes of ports mean.
fn describe(
    function: Operation<'_>,
    ports: &[Port],
    [scales, zero_points]: [&str; 2],
) -> Result<(), PassError> {
    let context = function.context();
    let list: Vec<f64> = ports.iter().map(|port| port.params.scale).collect();
    function.set_attribute(scales, statistics::floats(context, &list)?);
    let list: Vec<i32> = ports.iter().map(|port| port.params.zero_point).collect();
    function.set_attribute(zero_points, Attribute::i32s(context, &list));
    Ok(())
}

struct Emitter<'c> {
    build: Builder<'c>,
    values: Vec<Option<Value<'c>>>,
}

fn missing(id: IntId) -> PassError {
    PassError::Internal(format!("integer value {} is not there", id.index()))
}

fn element(elem: IntElem) -> Elem {
    match elem {
        IntElem::I8 => Elem::I8,
        IntElem::I32 => Elem::I32,
    }
}

impl<'c> Emitter<'c> {
    fn set(&mut self, id: IntId, value: Value<'c>) {
        if let Some(place) = self.values.get_mut(id.index()) {
            *place = Some(value);
        }
    }

    fn get(&self, id: IntId) -> Result<Value<'c>, PassError> {
        self.values.get(id.index()).copied().flatten().ok_or_else(|| missing(id))
    }

    fn node(&mut self, int: &IntGraph, node: &IntNode) -> Result<Value<'c>, PassError> {
        let operands = node.operands.iter().map(|&id| self.get(id)).collect::<Result<Vec<_>, _>>()?;
        let (shape, elem) = int.value(node.result).ok_or_else(|| missing(node.result))?;
        let shapes: Vec<&[usize]> =
            node.operands.iter().map(|&id| int.value(id).map_or(&[][..], |(shape, _)| shape)).collect();
        let ty = self.build.tensor(&dims(shape), element(elem))?;
        let first = operands.first().copied();
        let x = || first.ok_or_else(|| missing(node.result));
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
            IntOp::ReduceSum { axis } => self.reduce("tosa.reduce_sum", x()?, *axis, ty)?,
            IntOp::ReduceMax { axis } => self.reduce("tosa.reduce_max", x()?, *axis, ty)?,
            IntOp::ReduceMin { axis } => self.reduce("tosa.reduce_min", x()?, *axis, ty)?,
            IntOp::Concat { axis } => {
                let axis = Attribute::i32(self.build.context(), i32::try_from(*axis).unwrap_or(i32::MAX));
                self.build.insert(
                    self.build.op("tosa.concat").operands(&operands).attribute("axis", axis).result(ty),
                )?
            }
            IntOp::Pad { around, value } => {
                let flat: Vec<u64> = around.iter().flatten().map(|&n| n as u64).collect();
                let list = self.build.shape(&flat)?;
                let value = self.build.scalar(Elem::I8, (*value).into())?;
                self.build.binary("tosa.pad", &[x()?, list, value], ty)?
            }
            IntOp::Reshape => self.build.reshape(x()?, &dims(shape))?,
            IntOp::Slice { start } => self.build.slice(x()?, &dims(start), &dims(shape))?,
            IntOp::Transpose { perms } => self.build.transpose(x()?, perms)?,
            IntOp::Tile { multiples } => {
                let list = self.build.shape(&dims(multiples))?;
                self.build.binary("tosa.tile", &[x()?, list], ty)?
            }
        })
    }

    fn constant(&mut self, codes: &[i8], shape: &[usize]) -> Result<Value<'c>, Error> {
        let bytes: Vec<u8> = codes.iter().map(|code| code.cast_unsigned()).collect();
        let literal = Literal::dense(dims(shape), Elem::I8, Cow::Owned(bytes));
        self.build.constant(literal.ok_or_else(|| Error::Attribute(format!("constant of shape {shape:?}")))?)
    }

    fn reduce(&mut self, name: &str, x: Value<'c>, axis: usize, ty: Type<'c>) -> Result<Value<'c>, Error> {
        let axis = Attribute::i32(self.build.context(), i32::try_from(axis).unwrap_or(i32::MAX));
        self.build.insert(self.build.op(name).operand(x).attribute("axis", axis).result(ty))
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
        let [mean, square] = match &weights.inputs {
            Some(inputs) => [
                Some(statistics::floats(context, &inputs.mean)?),
                Some(statistics::floats(context, &inputs.square)?),
            ],
            None => [None; 2],
        };
        let element = Type::int(context, 32);
        let sliding = Sliding { image, image_shape, kernel, window, shape, element };
        sliding.insert(&mut self.build, |build, image| {
            build
                .op(name)
                .maybe_attribute(INPUT_MEAN, mean)
                .maybe_attribute(INPUT_SQUARE, square)
                .operand(image)
                .operands(&operands)
                .attribute("acc_type", Attribute::of_type(Type::int(context, 32)))
                .attribute("dilation", Attribute::i64s(context, &signed(&window.dilation)))
        })
    }

    fn pool(
        &mut self,
        image: Value<'c>,
        image_shape: &[usize],
        pool: &strum_float::Pool,
        zero_point: i32,
        shape: &[usize],
    ) -> Result<Value<'c>, Error> {
        let zero_point = self.build.scalar(Elem::I8, zero_point)?;
        let context = self.build.context();
        let kernel = Attribute::i64s(context, &signed(&pool.kernel));
        let element = Type::int(context, 8);
        let sliding =
            Sliding { image, image_shape, kernel: pool.kernel, window: &pool.window, shape, element };
        sliding.insert(&mut self.build, |build, image| match pool.kind {
            strum_float::PoolKind::Average => build
                .op("tosa.avg_pool2d")
                .operands(&[image, zero_point, zero_point])
                .attribute("acc_type", Attribute::of_type(Type::int(context, 32)))
                .attribute("kernel", kernel),
            strum_float::PoolKind::Max => {
                build.op("tosa.max_pool2d").operand(image).attribute("kernel", kernel)
            }
        })
    }
}

/// Multipliers and shifts.
fn split(scales: &[Scale]) -> (Vec<i32>, Vec<i32>) {
    scales.iter().map(|scale| (scale.multiplier, scale.shift)).unzip()
}
