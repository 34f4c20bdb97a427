//! Element-wise operators on one tensor: absolute value, negation, inversion, leading zeros, cast, clamp.

use dpu_isa::{UnaryOp, VecUnary};

use super::pipeline::elementwise;
use super::{check_clamp, input, output};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::scope::LayerScope;

/// `output = clamp(op(input - in_zp) + out_zp)`, element by element. With [`UnaryOp::Copy`] it is a cast or a clamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnaryLayer {
    /// The operator.
    pub op: UnaryOp,
    /// The operand; its shape broadcasts to the output's.
    pub input: Tensor,
    /// Zero point, subtracted from the operand.
    pub in_zp: i32,
    /// Zero point, added to the result.
    pub out_zp: i32,
    /// Lower and upper clamp, values of the output type. Without it the low bits are stored.
    pub clamp: Option<(i32, i32)>,
    /// The result.
    pub output: Tensor,
}

/// Plans an element-wise operator on one tensor.
///
/// # Errors
/// An unsupported error for a clamp out of range, an internal error if the shapes do not match, a resource error if the
/// draft grows too long.
pub fn plan_unary(scope: &mut LayerScope<'_>, layer: &UnaryLayer) -> Result<(), PlanError> {
    let UnaryLayer { input: src, output: out, .. } = layer;
    check_clamp(layer.clamp, out.dtype)?;
    let operands = [input(scope.draft, "src", src, &out.shape, out)?, output(scope.draft, out)?];
    let (clamp_lo, clamp_hi) = layer.clamp.unwrap_or_default();
    elementwise(scope, &out.shape, &operands, |shape| {
        VecUnary {
            op: layer.op,
            dims: shape.dims,
            src: shape.at(0),
            src_dtype: src.dtype,
            src_strides: shape.strides(0),
            in_zp: layer.in_zp,
            out: shape.at(1),
            out_dtype: out.dtype,
            out_strides: shape.strides(1),
            out_zp: layer.out_zp,
            clamp: layer.clamp.is_some(),
            clamp_lo,
            clamp_hi,
            ..VecUnary::default()
        }
        .into()
    })
}
