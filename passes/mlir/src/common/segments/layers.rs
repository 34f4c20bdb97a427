//! Convolutions whose weights can be rounded again, and their replacement.

use std::borrow::Cow;

use strum_float::Window;
use strum_float::quantize::{IntLayer, Rounded};
use strum_ir::strum::{Conv, Ppe};
use strum_ir::{Error, Operation, PassError};

use super::{Graph, Source};
use crate::common::rewrite::replace;
use crate::common::statistics;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;
use crate::common::weights;
use crate::dpu::strum_to_dpu::{is_layer, layer_name};

/// A convolution with constant weights and bias, and no weight zero point.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// The index of its op in the function's body.
    pub op: usize,
    /// The index of the layer and its operator, as in packing files.
    pub name: String,
    /// Its input.
    pub source: Source,
    /// Whether it is depthwise.
    pub depthwise: bool,
    shape: [usize; 4],
    codes: Vec<i8>,
    bias: Vec<i32>,
    factors: Vec<f64>,
    window: Window,
    zero_point: i32,
    image: [usize; 4],
    output: [usize; 2],
}

impl Convolution {
    /// The layer, for rounding.
    #[must_use]
    pub fn layer(&self) -> IntLayer<'_> {
        IntLayer {
            depthwise: self.depthwise,
            shape: self.shape,
            codes: &self.codes,
            bias: &self.bias,
            factors: &self.factors,
            window: self.window,
            zero_point: self.zero_point,
            input: self.image,
            output: self.output,
        }
    }

    /// Its weights as they are.
    #[must_use]
    pub fn weights(&self) -> Rounded {
        Rounded { codes: self.codes.clone(), bias: self.bias.clone() }
    }
}

/// The convolutions of a function that [`Convolution`] describes, in order.
#[must_use]
pub fn convolutions(graph: &Graph<'_>) -> Vec<Convolution> {
    let ops = graph.ops.iter().copied().enumerate();
    let layers = ops.filter(|(_, op)| is_layer(*op)).enumerate();
    layers.filter_map(|(index, (at, op))| convolution(graph, at, op, layer_name(index, op))).collect()
}

fn convolution(graph: &Graph<'_>, at: usize, op: Operation<'_>, name: String) -> Option<Convolution> {
    let (conv, result) = (Conv::read(op)?, op.single_result()?);
    if conv.weight_zp != 0 || view::elem(conv.input) != Some(Elem::I8) {
        return None;
    }
    let (_, codes, _) = weights::constant(&conv)?;
    let image: [usize; 4] = dims(&view::shape(conv.input)?)?;
    let [_, rows, columns, channels]: [usize; 4] = dims(&view::shape(result)?)?;
    let bias = match conv.bias {
        None => vec![0; channels],
        Some(bias) => {
            view::literal(bias)?.values().collect::<Vec<i32>>().into_iter().cycle().take(channels).collect()
        }
    };
    let pair = |list: [i64; 2]| -> Option<[usize; 2]> {
        let [y, x] = list.map(|n| usize::try_from(n).ok());
        Some([y?, x?])
    };
    let [top, bottom, left, right] = conv.pads;
    Some(Convolution {
        op: at,
        name,
        source: *graph.sources.get(&conv.input)?,
        depthwise: conv.depthwise,
        shape: dims(codes.shape())?,
        codes: bytemuck::cast_slice(&codes.bytes()).to_vec(),
        bias,
        factors: conv.ppe.as_ref().map(factors).unwrap_or_default(),
        window: Window {
            stride: pair(conv.strides)?,
            dilation: pair(conv.dilations)?,
            before: pair([top, left])?,
            after: pair([bottom, right])?,
        },
        zero_point: conv.input_zp,
        image,
        output: [rows, columns],
    })
}

fn dims(shape: &[u64]) -> Option<[usize; 4]> {
    let list: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?;
    list.try_into().ok()
}

/// What the accumulators of each output channel are multiplied with; empty if it is the same for all.
fn factors(ppe: &Ppe) -> Vec<f64> {
    match ppe.multiplier.len() {
        1 => Vec::new(),
        _ => {
            let pairs = ppe.multiplier.iter().zip(&ppe.shift);
            pairs.map(|(&m, &shift)| f64::from(m) / 2f64.powi(shift.into())).collect()
        }
    }
}

/// Gives a convolution other weights and another bias; returns the op that replaces it.
///
/// # Errors
/// The weights have another shape, or MLIR cannot make an op.
pub fn set_weights<'c>(op: Operation<'c>, rounded: &Rounded) -> Result<Operation<'c>, PassError> {
    let unreadable = || PassError::Internal(format!("weights of '{}' cannot be replaced", op.name()));
    let (mut conv, result) = Conv::read(op).zip(op.single_result()).ok_or_else(unreadable)?;
    let shape = view::shape(conv.weights).ok_or_else(unreadable)?;
    let codes = Cow::Borrowed(bytemuck::cast_slice(&rounded.codes));
    let literal = Literal::dense(shape, Elem::I8, codes).ok_or_else(unreadable)?;
    let mut build = Builder::before(op)?;
    conv.weights = build.constant(literal)?;
    conv.bias = Some(build.vector(Elem::I32, &rounded.bias)?);
    let value = build.insert(conv.build(result.ty(), op.location())?)?;
    let made = value.defining_op().ok_or_else(unreadable)?;
    statistics::carry(op, made);
    replace(op, value).map_err(|error: Error| PassError::from(error))?;
    Ok(made)
}
