//! Element-wise operators on two tensors, with broadcasting.

use dpu_isa::{BinaryOp, VecBinary};

use super::pipeline::elementwise;
use super::{NO_SCALE, Post, Pre, check_clamp, input, lut_operand, output};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::scope::LayerScope;

/// `output = post(op(pre_a(a), pre_b(b)))`, element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryLayer {
    /// The operator.
    pub op: BinaryOp,
    /// Right shift of a product, 0 to 63; 0 for the other operators.
    pub mul_shift: u8,
    /// First operand; its shape broadcasts to the output's.
    pub a: Tensor,
    /// Pre-processing of the first operand.
    pub pre_a: Pre,
    /// Second operand; its shape broadcasts to the output's.
    pub b: Tensor,
    /// Pre-processing of the second operand.
    pub pre_b: Pre,
    /// Post-processing of the result.
    pub post: Post,
    /// The result.
    pub output: Tensor,
}

/// Plans an element-wise operator on two tensors.
///
/// # Errors
/// An unsupported error for parameters out of range or more than six dimensions after merging, an internal error if the shapes do
/// not match, a resource error if the draft grows too long.
pub fn plan_binary(scope: &mut LayerScope<'_>, layer: &BinaryLayer) -> Result<(), PlanError> {
    let BinaryLayer { a, b, output: out, post, .. } = layer;
    check_clamp(post.clamp, out.dtype)?;
    let dims = &out.shape;
    let mut operands = vec![input(scope.draft, "a", a, dims, out)?, input(scope.draft, "b", b, dims, out)?];
    if let Some(lut) = &post.lut {
        operands.push(lut_operand(scope.draft, lut, out.dtype, dims.len())?);
    }
    let last = operands.len();
    operands.push(output(scope.draft, out)?);
    let (scale_a, scale_b) = (layer.pre_a.scale.unwrap_or(NO_SCALE), layer.pre_b.scale.unwrap_or(NO_SCALE));
    let scale = post.scale.unwrap_or(NO_SCALE);
    let (clamp_lo, clamp_hi) = post.clamp.unwrap_or_default();
    elementwise(scope, dims, &operands, |shape| {
        VecBinary {
            op: layer.op,
            mul_shift: layer.mul_shift,
            dims: shape.dims,
            a: shape.at(0),
            a_dtype: a.dtype,
            a_strides: shape.strides(0),
            a_zp: layer.pre_a.zp,
            a_scale: layer.pre_a.scale.is_some(),
            a_mult: scale_a.multiplier,
            a_shift: scale_a.shift,
            a_round: scale_a.round,
            b: shape.at(1),
            b_dtype: b.dtype,
            b_strides: shape.strides(1),
            b_zp: layer.pre_b.zp,
            b_scale: layer.pre_b.scale.is_some(),
            b_mult: scale_b.multiplier,
            b_shift: scale_b.shift,
            b_round: scale_b.round,
            out: shape.at(last),
            out_dtype: out.dtype,
            out_strides: shape.strides(last),
            scale: post.scale.is_some(),
            mult: scale.multiplier,
            shift: scale.shift,
            round: scale.round,
            out_zp: post.zp,
            clamp: post.clamp.is_some(),
            clamp_lo,
            clamp_hi,
            lut: post.lut.is_some(),
            ..VecBinary::default()
        }
        .into()
    })
}
