//! Convolution layers as TOSA ops, under TOSA's exact-size rule.

use strum_ir::strum::Conv;
use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

use super::{post, unreadable};
use crate::common::rewrite::replace;
use crate::common::statistics;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;
use crate::common::weights;
use crate::strum::strum_unpack::Decoder;
use strum_float::geometry::{Axis, Exact};

/// The windows of one axis in TOSA's terms.
struct Fitted {
    /// Extent of the input that is read.
    input: u64,
    /// Padding after it.
    after: u64,
    /// Windows that TOSA makes.
    made: u64,
    /// Windows that the layer has, one fewer where the last one is dropped.
    wanted: u64,
}

pub(super) fn convert<'c>(
    build: &mut Builder<'c>,
    decoder: &mut Decoder<'c>,
    op: Operation<'c>,
) -> Result<(), PassError> {
    let (mut conv, result) = Conv::read(op).zip(op.single_result()).ok_or_else(|| unreadable(op))?;
    if weights::is_packed(&conv) {
        match decoder.tensor(build, &conv)? {
            Ok(tensor) => conv.weights = tensor,
            Err(message) => return Err(op.error(message).into()),
        }
    }
    let accumulators = accumulate(build, op, &conv, result)?;
    let value = post::process(build, accumulators, conv.ppe.as_ref(), result)?;
    Ok(replace(op, value)?)
}

fn accumulate<'c>(
    build: &mut Builder<'c>,
    op: Operation<'c>,
    conv: &Conv<'c>,
    result: Value<'c>,
) -> Result<Value<'c>, Error> {
    let (rows, columns) = fit(conv).ok_or_else(|| unreadable(op))?;
    let (Some(&[n, height, width, c]), Some(&[_, _, _, oc])) =
        (view::shape(conv.input).as_deref(), view::shape(result).as_deref())
    else {
        return Err(unreadable(op));
    };
    let mut input = conv.input;
    if (rows.input, columns.input) != (height, width) {
        input = build.slice(input, &[0; 4], &[n, rows.input, columns.input, c])?;
    }
    let bias = match conv.bias {
        Some(bias) => bias,
        None => build.scalar(Elem::I32, 0)?,
    };
    let operands = [
        input,
        conv.weights,
        bias,
        build.scalar(Elem::I8, conv.input_zp)?,
        build.scalar(Elem::I8, conv.weight_zp)?,
    ];
    let [top, _, left, _] = conv.pads;
    let after = |fitted: &Fitted| i64::try_from(fitted.after).map_err(|_| unreadable(op));
    let pads = [top, after(&rows)?, left, after(&columns)?];
    let context = build.context();
    let name = if conv.depthwise { "tosa.depthwise_conv2d" } else { "tosa.conv2d" };
    let ty = build.tensor(&[n, rows.made, columns.made, oc], Elem::I32)?;
    let operator = build
        .op(name)
        .operands(&operands)
        .result(ty)
        .attribute("acc_type", Attribute::of_type(Type::int(context, 32)))
        .attribute("pad", Attribute::i64s(context, &pads))
        .attribute("stride", Attribute::i64s(context, &conv.strides))
        .attribute("dilation", Attribute::i64s(context, &conv.dilations));
    let value = build.insert(operator)?;
    if let Some(made) = value.defining_op() {
        statistics::carry(op, made);
    }
    if (rows.made, columns.made) == (rows.wanted, columns.wanted) {
        return Ok(value);
    }
    build.slice(value, &[0; 4], &[n, rows.wanted, columns.wanted, oc])
}

fn fit(conv: &Conv<'_>) -> Option<(Fitted, Fitted)> {
    let (input, weights) = (view::shape(conv.input)?, view::shape(conv.weights)?);
    let taps = if conv.depthwise { 0 } else { 1 };
    let axis = |i: usize| {
        let number = |list: &[i64], i: usize| u64::try_from(*list.get(i)?).ok();
        Some(Axis {
            input: *input.get(1 + i)?,
            before: number(&conv.pads, 2 * i)?,
            after: number(&conv.pads, 2 * i + 1)?,
            kernel: *weights.get(taps + i)?,
            stride: number(&conv.strides, i)?,
            dilation: number(&conv.dilations, i)?,
        })
    };
    Some((fit_axis(axis(0)?)?, fit_axis(axis(1)?)?))
}

fn fit_axis(axis: Axis) -> Option<Fitted> {
    let (wanted, _) = axis.windows()?;
    Some(match axis.exact()? {
        Exact::Cut { input, after } => Fitted { input, after, made: wanted, wanted },
        Exact::Grow { after } => Fitted { input: axis.input, after, made: wanted.checked_add(1)?, wanted },
    })
}
