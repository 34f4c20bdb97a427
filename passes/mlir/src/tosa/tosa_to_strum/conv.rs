//! `tosa.conv2d` and `tosa.depthwise_conv2d`.

use strum_ir::strum::{Conv, Eltwise, EltwiseKind};
use strum_ir::{Error, Operation, Value};

use super::ppe::{Chain, Scales};
use super::{operand, unreadable};
use crate::common::statistics;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;
use strum_float::geometry::Axis;

pub(super) fn convert<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let mut conv = read(op).ok_or_else(|| unreadable(op))?;
    if let Some(whole) = uncut(op, &conv) {
        conv.input = whole;
    }
    let bias = conv.bias.and_then(view::literal);
    match conv.bias {
        Some(dynamic) if bias.is_none() => with_dynamic_bias(build, op, Conv { bias: None, ..conv }, dynamic),
        _ => {
            let chain = Chain::with_bias(op, Scales::PerChannel, bias.as_ref())?;
            let location = chain.location().unwrap_or(op.location());
            build.set_location(location);
            if let Some(sum) = &chain.bias {
                conv.bias = Some(build.vector(Elem::I32, sum)?);
            }
            conv.ppe = chain.ppe.clone();
            let layer = build.insert(conv.build(chain.result.ty(), location)?)?;
            carry(op, layer);
            chain.replace(layer)
        }
    }
}

/// The layer keeps the calibration statistics of its inputs.
fn carry<'c>(op: Operation<'c>, layer: Value<'c>) {
    if let Some(layer) = layer.defining_op() {
        statistics::carry(op, layer);
    }
}

fn read<'c>(op: Operation<'c>) -> Option<Conv<'c>> {
    let list = |name: &str| op.ints_attr(name);
    Some(Conv {
        depthwise: op.is("tosa.depthwise_conv2d"),
        input: op.operand(0)?,
        weights: op.operand(1)?,
        bias: Some(op.operand(2)?),
        strides: list("stride")?.try_into().ok()?,
        pads: list("pad")?.try_into().ok()?,
        dilations: list("dilation")?.try_into().ok()?,
        input_zp: view::scalar_operand(op, 3)?,
        weight_zp: view::scalar_operand(op, 4)?,
        ppe: None,
    })
}

/// The bias is added by an element-wise layer, which then also does the post-processing.
fn with_dynamic_bias<'c>(
    build: &mut Builder<'c>,
    op: Operation<'c>,
    conv: Conv<'c>,
    bias: Value<'c>,
) -> Result<(), Error> {
    let chain = Chain::of(op, Scales::PerTensor)?;
    let accumulators = op.single_result().ok_or_else(|| unreadable(op))?;
    let channels = view::shape(bias).and_then(|s| s.first().copied()).ok_or_else(|| unreadable(op))?;
    let layer = build.insert(conv.build(accumulators.ty(), op.location())?)?;
    carry(op, layer);
    let bias = build.reshape(bias, &[1, 1, 1, channels])?;
    let sum = Eltwise {
        kind: EltwiseKind::Add,
        a: layer,
        b: bias,
        lhs: None,
        rhs: None,
        shift: 0,
        ppe: chain.ppe.clone(),
    };
    let location = chain.location().unwrap_or(op.location());
    let sum = build.insert(sum.build(chain.result.ty(), location)?)?;
    chain.replace(sum)
}

/// The input of a slice that only removes trailing rows and columns which the layer ignores anyway.
fn uncut<'c>(op: Operation<'c>, conv: &Conv<'c>) -> Option<Value<'c>> {
    let slice = conv.input.defined_by("tosa.slice")?;
    let whole = slice.operand(0)?;
    let decline = |reason: &str| {
        tracing::debug!(op = op.name(), location = ?op.location(), "the slice stays: {reason}");
    };
    if view::extents(slice, 1)?.iter().any(|&start| start != 0) {
        decline("it does not begin at the beginning");
        return None;
    }
    let (&[n, height, width, c], &[m, rows, columns, d]) =
        (view::shape(whole)?.as_slice(), view::shape(conv.input)?.as_slice())
    else {
        return None;
    };
    let weights = view::shape(conv.weights)?;
    let &[kernel_y, kernel_x] = (if conv.depthwise { weights.get(..2) } else { weights.get(1..3) })? else {
        return None;
    };
    let number = |v: i64| u64::try_from(v).ok();
    let axis = |input, [before, after]: [i64; 2], kernel, i: usize| {
        let (stride, dilation) = (*conv.strides.get(i)?, *conv.dilations.get(i)?);
        Some(Axis {
            input,
            before: number(before)?,
            after: number(after)?,
            kernel,
            stride: number(stride)?,
            dilation: number(dilation)?,
        })
    };
    let [top, bottom, left, right] = conv.pads;
    let floors = axis(rows, [top, bottom], kernel_y, 0)?.floors_from(height)
        && axis(columns, [left, right], kernel_x, 1)?.floors_from(width);
    if (n, c) != (m, d) || !floors {
        decline("without it the layer would give more, or see more");
        return None;
    }
    Some(whole)
}

/// A 1x1 convolution, for a matrix product.
pub(super) fn pointwise<'c>(
    op: Operation<'c>,
    input: Value<'c>,
    weights: Value<'c>,
) -> Result<Conv<'c>, Error> {
    operand(op, 0)?;
    Ok(Conv {
        depthwise: false,
        input,
        weights,
        bias: None,
        strides: [1, 1],
        pads: [0; 4],
        dilations: [1, 1],
        input_zp: view::scalar_operand(op, 2).ok_or_else(|| unreadable(op))?,
        weight_zp: view::scalar_operand(op, 3).ok_or_else(|| unreadable(op))?,
        ppe: None,
    })
}
