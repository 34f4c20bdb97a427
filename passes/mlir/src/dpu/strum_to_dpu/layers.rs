//! The layers of the `strum` dialect as planner layers.

use dpu_isa::{BinaryOp, Dtype, Space};
use strum_files::budget;
use strum_formats::{Format, Packed, pack};
use strum_ir::Operation;
use strum_ir::strum::{self, Conv, Eltwise, EltwiseKind, MatMul, PackedType};
use strum_plan::{
    BinaryLayer, ConvLayer, Draft, LayerScope, MatmulLayer, PlanError, Post, Ppe, Pre, RescaleLayer, Role,
    Scale, Scaling, Tensor, Weights, plan_binary, plan_conv, plan_depthwise, plan_matmul, plan_rescale,
};

use super::values::{Values, unreadable, unsigned};
use crate::common::tosa::view;
use crate::common::weights;

/// The planner's form of a `#strum.ppe`.
fn ppe(ppe: &Option<strum::Ppe>) -> Ppe {
    let Some(ppe) = ppe else { return Ppe::default() };
    Ppe {
        scale: Some(Scale { multiplier: ppe.multiplier.clone(), shift: ppe.shift.clone(), round: ppe.round }),
        zp: ppe.zp,
        clamp: Some(ppe.clamp),
        lut: ppe.table.clone(),
    }
}

/// The tensor with the output signedness of a `#strum.ppe`.
fn stored(tensor: Tensor, ppe: &Option<strum::Ppe>) -> Tensor {
    let dtype = if ppe.as_ref().is_some_and(|p| p.unsigned) { unsigned(tensor.dtype) } else { tensor.dtype };
    Tensor { dtype, ..tensor }
}

/// Constant weights in the planner's form; `None` if the program computes them.
fn constant_weights(conv: &Conv<'_>) -> Result<Option<Packed>, PlanError> {
    let fail = |what: String| PlanError::internal(format!("weights: {what}"));
    if let Some(packed) = PackedType::read(conv.weights.ty()) {
        let value = conv.weights.constant().ok_or_else(|| fail("not a strum.constant".into()))?;
        let bytes = value.bytes().map_err(|e| fail(e.to_string()))?.into_owned();
        return Ok(Some(Packed { shape: packed.shape, format: packed.format, bytes }));
    }
    let Some(literal) = view::literal(conv.weights) else { return Ok(None) };
    let shape = weights::block_shape(conv.depthwise, literal.shape())
        .ok_or_else(|| fail(format!("shape {:?}", literal.shape())))?;
    let codes = literal.checked_bytes().map_err(|over| PlanError::memory(over.to_string()))?;
    let codes: &[i8] = bytemuck::cast_slice(&codes);
    check_memory(codes.len() as u64)?;
    pack(codes, &[], shape, Format::DENSE, &[]).map(Some).map_err(|e| fail(e.to_string()))
}

/// Checks the memory limit for `bytes` bytes of weights.
fn check_memory(bytes: u64) -> Result<(), PlanError> {
    budget::check("weights as they are stored", bytes).map_err(|over| PlanError::memory(over.to_string()))
}

/// A `strum.conv2d` or `strum.depthwise_conv2d`.
pub(super) fn conv<'c>(
    scope: &mut LayerScope<'_>,
    values: &mut Values<'c, '_, '_>,
    op: Operation<'c>,
    conv: &Conv<'c>,
) -> Result<(), PlanError> {
    let result = op.single_result().ok_or_else(|| unreadable(op))?;
    let input = values.operand(scope.draft, conv.input)?;
    let packed = constant_weights(conv)?;
    let weights = match &packed {
        Some(packed) => Weights::Packed(packed),
        None => Weights::Dynamic(values.operand(scope.draft, conv.weights)?),
    };
    let bias = match conv.bias {
        None => Some(Vec::new()),
        Some(bias) => view::literal(bias).map(|l| l.values().collect()),
    };
    let output = values.result(scope.draft, result)?;
    let unsigned = |v: [i64; 2]| v.map(|x| u64::try_from(x).unwrap_or(0));
    let mut layer = ConvLayer {
        input,
        output: stored(output.clone(), &conv.ppe),
        weights,
        bias: Vec::new(),
        stride: unsigned(conv.strides),
        pad: conv.pads.map(|x| u64::try_from(x).unwrap_or(0)),
        dilation: unsigned(conv.dilations),
        input_zp: conv.input_zp,
        weight_zp: conv.weight_zp,
        ppe: ppe(&conv.ppe),
    };
    let plan = if conv.depthwise { plan_depthwise } else { plan_conv };
    match (bias, conv.bias) {
        (Some(bias), _) => {
            layer.bias = bias;
            plan(scope, &layer)
        }
        (None, Some(bias)) => {
            let bias = values.operand(scope.draft, bias)?;
            let sums = scratch_i32(scope.draft, &output.shape)?;
            let (ppe, output) =
                (std::mem::take(&mut layer.ppe), std::mem::replace(&mut layer.output, sums.clone()));
            plan(scope, &layer)?;
            add_bias(scope, sums, bias, &ppe, output)
        }
        (None, None) => Err(unreadable(op)),
    }
}

fn scratch_i32(draft: &mut Draft, shape: &[u64]) -> Result<Tensor, PlanError> {
    let buffer = draft.tensor(Space::Dram, Dtype::I32, shape, Role::Scratch)?;
    Ok(Tensor { buffer, dtype: Dtype::I32, shape: shape.to_vec() })
}

/// Adds a bias that the program computes, which the weight table cannot hold, and then applies the PPE's operations.
fn add_bias(
    scope: &mut LayerScope<'_>,
    sums: Tensor,
    bias: Tensor,
    ppe: &Ppe,
    output: Tensor,
) -> Result<(), PlanError> {
    let biased = match ppe.scale {
        Some(_) => scratch_i32(scope.draft, &output.shape)?,
        None => output.clone(),
    };
    let mut shape = vec![1; output.shape.len()];
    if let (Some(last), Some(extent)) = (shape.last_mut(), bias.shape.last()) {
        *last = *extent;
    }
    let add = BinaryLayer {
        op: BinaryOp::Add,
        mul_shift: 0,
        a: sums,
        pre_a: Pre::default(),
        b: bias.with_shape(&shape),
        pre_b: Pre::default(),
        post: Post::default(),
        output: biased.clone(),
    };
    plan_binary(scope, &add)?;
    let Some(scale) = &ppe.scale else { return Ok(()) };
    let rescale = RescaleLayer {
        input: biased,
        in_zp: 0,
        multiplier: scale.multiplier.clone(),
        shift: scale.shift.clone(),
        round: scale.round,
        out_zp: ppe.zp,
        clamp: ppe.clamp,
        lut: ppe.lut.clone(),
        output,
    };
    plan_rescale(scope, &rescale)
}

/// A `strum.matmul`.
pub(super) fn matmul<'c>(
    scope: &mut LayerScope<'_>,
    values: &mut Values<'c, '_, '_>,
    op: Operation<'c>,
    matmul: &MatMul<'c>,
) -> Result<(), PlanError> {
    let result = op.single_result().ok_or_else(|| unreadable(op))?;
    let layer = MatmulLayer {
        a: values.operand(scope.draft, matmul.a)?,
        b: values.operand(scope.draft, matmul.b)?,
        output: stored(values.result(scope.draft, result)?, &matmul.ppe),
        a_zp: matmul.a_zp,
        b_zp: matmul.b_zp,
        ppe: ppe(&matmul.ppe),
    };
    plan_matmul(scope, &layer)
}

/// A `strum.eltwise`.
pub(super) fn eltwise<'c>(
    scope: &mut LayerScope<'_>,
    values: &mut Values<'c, '_, '_>,
    op: Operation<'c>,
    eltwise: &Eltwise<'c>,
) -> Result<(), PlanError> {
    let result = op.single_result().ok_or_else(|| unreadable(op))?;
    let (a, pre_a) = operand(values.operand(scope.draft, eltwise.a)?, eltwise.lhs);
    let (b, pre_b) = operand(values.operand(scope.draft, eltwise.b)?, eltwise.rhs);
    let layer = BinaryLayer {
        op: match eltwise.kind {
            EltwiseKind::Add => BinaryOp::Add,
            EltwiseKind::Sub => BinaryOp::Sub,
            EltwiseKind::Mul => BinaryOp::Mul,
            EltwiseKind::Max => BinaryOp::Max,
            EltwiseKind::Min => BinaryOp::Min,
        },
        mul_shift: u8::try_from(eltwise.shift).map_err(|_| unreadable(op))?,
        a,
        pre_a,
        b,
        pre_b,
        post: post(&eltwise.ppe).ok_or_else(|| unreadable(op))?,
        output: stored(values.result(scope.draft, result)?, &eltwise.ppe),
    };
    plan_binary(scope, &layer)
}

/// An operand with its rescaling.
fn operand(tensor: Tensor, rescale: Option<strum::Rescale>) -> (Tensor, Pre) {
    let Some(rescale) = rescale else { return (tensor, Pre::default()) };
    let dtype = if rescale.unsigned { unsigned(tensor.dtype) } else { tensor.dtype };
    let scale = Scaling { multiplier: rescale.multiplier, shift: rescale.shift, round: rescale.round };
    (Tensor { dtype, ..tensor }, Pre { zp: rescale.zp, scale: Some(scale) })
}

/// A `#strum.ppe` with one multiplier; none for another one, which an element-wise layer cannot have.
fn post(ppe: &Option<strum::Ppe>) -> Option<Post> {
    let Some(ppe) = ppe else { return Some(Post::default()) };
    let (&[multiplier], &[shift]) = (ppe.multiplier.as_slice(), ppe.shift.as_slice()) else {
        return None;
    };
    Some(Post {
        scale: Some(Scaling { multiplier, shift, round: ppe.round }),
        zp: ppe.zp,
        clamp: Some(ppe.clamp),
        lut: ppe.table.clone(),
    })
}

/// Multiply-accumulates of a layer, padding taps included; 0 for other layers than convolutions and matrix products.
pub(super) fn macs(op: Operation<'_>) -> u64 {
    let shape = |index| op.operand(index).and_then(|v| view::tensor(v.ty())).map(|(shape, _)| shape);
    let output = op.single_result().and_then(|v| view::shape(v)).unwrap_or_default();
    let outputs = output.iter().fold(1u64, |n, &d| n.saturating_mul(d));
    let depth = if let Some(conv) = Conv::read(op) {
        let dims = match PackedType::read(conv.weights.ty()) {
            Some(PackedType { shape: s, .. }) => [s.oc, s.kh, s.kw, s.ic].map(|d| d as u64).to_vec(),
            None => shape(1).unwrap_or_default(),
        };
        match (conv.depthwise, PackedType::read(conv.weights.ty()).is_some(), dims.as_slice()) {
            (true, true, &[_, kh, kw, _]) | (true, false, &[kh, kw, ..]) => kh.saturating_mul(kw),
            (false, _, &[_, kh, kw, ic]) => kh.saturating_mul(kw).saturating_mul(ic),
            _ => 0,
        }
    } else if op.is("strum.matmul") {
        shape(0).and_then(|s| s.last().copied()).unwrap_or(0)
    } else {
        0
    };
    outputs.saturating_mul(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_memory_does_not_hold_are_refused() {
        assert_eq!(check_memory(1 << 10), Ok(()));
        let message = check_memory(1 << 50).unwrap_err().to_string();
        let start = "out of memory: weights as they are stored: 1125899906842624 bytes are needed beside";
        assert!(message.starts_with(start), "{message}");
    }
}
