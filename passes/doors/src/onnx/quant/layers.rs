//! Layers with weights on codes. Invariant: a bias counts in units of the sums.

use super::Quantized;
use crate::onnx::call::Target;
use crate::onnx::ops::conv::{Layer, MAX_GROUPS};
use crate::onnx::tensor::Kind;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Codes, Elem, Id};

/// Constant weights as signed codes.
struct Weights {
    id: Id,
    zero_point: i32,
    /// A scale, or one for each channel.
    scales: Vec<f64>,
    axis: usize,
}

impl Quantized<'_, '_> {
    fn weights(&self, net: &mut Net, index: usize) -> Outcome<Weights> {
        let Value::Coded(coded) = self.value(index)? else {
            return unsupported("weights must be constant and quantized");
        };
        let kind = coded.tensor.kind;
        let shift = match kind {
            Kind::Int8 | Kind::Int4 => 0,
            Kind::Uint8 | Kind::Uint4 => 128,
            _ => return unsupported(format!("weights of {} are not supported; 8 bits are", kind.name())),
        };
        let Some(&zero_point) =
            coded.zero_points.first().filter(|zp| coded.zero_points.iter().all(|z| z == *zp))
        else {
            return unsupported("weights with different zero points for their channels");
        };
        let codes = coded.tensor.as_ints().unwrap_or_default();
        // Weights without a zero point are what the hardware stores best.
        let centred: Vec<i64> = codes.iter().map(|code| code - zero_point).collect();
        let (codes, zero_point) = if centred.iter().all(|code| (-128..=127).contains(code)) {
            (centred, 0)
        } else {
            (codes.iter().map(|code| code - shift).collect(), zero_point - shift)
        };
        let id = net.build.ints(Elem::I8, &coded.tensor.shape, &codes)?;
        let zero_point = i32::try_from(zero_point).unwrap_or(i32::MAX);
        let scales = coded.scales.iter().map(|&scale| f64::from(scale)).collect();
        Ok(Weights { id, zero_point, scales, axis: coded.axis })
    }

    /// A bias in these units: codes of 32 bits with the same scales are taken as they are.
    fn bias(&self, net: &mut Net, index: usize, units: &[f64], channels: usize) -> Outcome<Option<Id>> {
        let Some(value) = self.optional(index) else { return Ok(None) };
        let unit =
            |channel: usize| units.get(if units.len() == 1 { 0 } else { channel }).copied().unwrap_or(1.0);
        let ints: Vec<i64> = match value {
            Value::Coded(coded) => {
                let scale = |channel: usize| {
                    let place = if coded.scales.len() == 1 { 0 } else { channel };
                    let zero_point = coded.zero_points.get(place).copied().unwrap_or(0);
                    (coded.scales.get(place).map_or(0.0, |&s| f64::from(s)), zero_point)
                };
                let codes = coded.tensor.as_ints().unwrap_or_default().iter().enumerate();
                let converted = codes.map(|(channel, &code)| {
                    let ((scale, zero_point), unit) = (scale(channel), unit(channel));
                    let code = code.saturating_sub(zero_point);
                    if (scale / unit - 1.0).abs() < 1e-5 { code } else { whole(code, scale / unit) }
                });
                converted.collect()
            }
            Value::Known(tensor) if tensor.as_ints().is_none() => {
                let numbers = tensor.to_floats().into_iter().enumerate();
                numbers.map(|(channel, x)| nearest(f64::from(x) / unit(channel))).collect()
            }
            Value::Known(tensor) => tensor.as_ints().unwrap_or_default().to_vec(),
            Value::Flow(_) | Value::Missing => return unsupported("a bias must be constant"),
        };
        if ints.iter().any(|&b| i32::try_from(b).is_err()) {
            return unsupported("a bias that 32 bits of its layer's sums cannot hold");
        }
        if ints.len() != channels {
            return invalid(format!("a bias of {} numbers for {channels} channels", ints.len()));
        }
        Ok(Some(net.build.ints(Elem::I32, &[channels], &ints)?))
    }
}

fn nearest(x: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "saturates, and is checked to fit 32 bits")]
    let whole = x.round_ties_even() as i64;
    whole
}

fn whole(code: i64, factor: f64) -> i64 {
    #[allow(clippy::cast_precision_loss, reason = "a code of 32 bits")]
    nearest(code as f64 * factor)
}

/// Units of sums: input scale times weight scales.
fn units(input: Codes, weights: &Weights) -> Vec<f64> {
    weights.scales.iter().map(|scale| scale * input.scale).collect()
}

/// Several scales must belong to the outputs.
fn along(weights: &Weights, axis: usize) -> Outcome<()> {
    if weights.scales.len() > 1 && weights.axis != axis {
        return unsupported("weights with several scales must have one for each output");
    }
    Ok(())
}

/// A `Conv`.
pub(super) fn conv(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let ((x, input), weights) = (call.codes(net, 0)?, call.weights(net, 1)?);
    along(&weights, 0)?;
    let units = units(input, &weights);
    let outputs = net.extents(weights.id).first().copied().unwrap_or(0);
    let bias = call.bias(net, 2, &units, outputs)?;
    let zero_points = [input.zero_point, weights.zero_point];
    let sums = net.conv(call.node, &Layer { x, weights: weights.id, bias, zero_points })?;
    net.finished(sums, &units, target)
}

/// A `ConvTranspose`.
pub(super) fn conv_transpose(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let ((x, input), weights) = (call.codes(net, 0)?, call.weights(net, 1)?);
    along(&weights, 1)?;
    let mut units = units(input, &weights);
    let groups = usize::try_from(call.node.int("group", 1)?).unwrap_or(1);
    let inner = net.extents(weights.id).get(1).copied().unwrap_or(0);
    if units.len() > 1 {
        units = (0..groups.min(MAX_GROUPS)).flat_map(|_| units.clone()).collect();
    }
    let bias = call.bias(net, 2, &units, inner.saturating_mul(groups))?;
    let zero_points = [input.zero_point, weights.zero_point];
    let sums = net.conv_transpose(call.node, &Layer { x, weights: weights.id, bias, zero_points })?;
    net.finished(sums, &units, target)
}

/// A `Gemm` with constant weights.
pub(super) fn gemm(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let (node, target) = (call.node, call.target()?);
    if node.float("alpha", 1.0)? != 1.0 || node.float("beta", 1.0)? != 1.0 || node.flag("transA", false)? {
        return unsupported("a quantized 'Gemm' is supported with alpha and beta of 1, and transA of 0");
    }
    let turned = node.flag("transB", false)?;
    let ((x, input), weights) = (call.codes(net, 0)?, call.weights(net, 1)?);
    connected(net, call, (x, input), weights, turned, target)
}

/// A product by constant weights `[inputs, outputs]`, or turned ones, with operand 2 as bias.
fn connected(
    net: &mut Net,
    call: &Quantized<'_, '_>,
    (x, input): (Flow, Codes),
    weights: Weights,
    turned: bool,
    target: Target,
) -> Outcome<Flow> {
    along(&weights, usize::from(!turned))?;
    let units = units(input, &weights);
    if net.extents(weights.id).len() != 2 {
        return unsupported(format!(
            "weights of shape {:?}; matrices are supported",
            net.extents(weights.id)
        ));
    }
    let id = if turned { weights.id } else { net.build.transpose(weights.id, &[1, 0])? };
    let outputs = net.extents(id).first().copied().unwrap_or(0);
    let bias = call.bias(net, 2, &units, outputs)?;
    let zero_points = [input.zero_point, weights.zero_point];
    let sums = net.connected(&Layer { x, weights: id, bias, zero_points })?;
    net.finished(sums, &units, target)
}

/// A `MatMul`.
pub(super) fn matmul(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let constant = |value: &Value| matches!(value, Value::Coded(c) if c.tensor.shape.len() == 2);
    let (a, a_codes) = call.codes(net, 0)?;
    if constant(call.value(1)?) {
        let weights = call.weights(net, 1)?;
        return connected(net, call, (a, a_codes), weights, false, target);
    }
    let (b, b_codes) = call.codes(net, 1)?;
    let sums = net.product([a, b], [a_codes.zero_point, b_codes.zero_point])?;
    net.finished(sums, &[a_codes.scale * b_codes.scale], target)
}
