//! Rescale: TOSA's change of scale and type, per tensor or per channel.

use dpu_isa::{Round, VecRescale};

use super::grid::Walk;
use super::pipeline::{Operand, elementwise};
use super::{check_clamp, input, lut_operand, output};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::scope::LayerScope;

/// `output = table(clamp(apply_scale(input - in_zp) + out_zp))`, element by element; unsigned types are types of the tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescaleLayer {
    /// The operand, of the output's shape.
    pub input: Tensor,
    /// Zero point, subtracted from the operand.
    pub in_zp: i32,
    /// Multipliers, not negative: one, or one for each index of the last dimension.
    pub multiplier: Vec<i32>,
    /// Shifts, 2 to 62; one per multiplier.
    pub shift: Vec<u8>,
    /// Rounding.
    pub round: Round,
    /// Zero point, added to the result.
    pub out_zp: i32,
    /// Lower and upper clamp, values of the output type; without it, the range of the type.
    pub clamp: Option<(i32, i32)>,
    /// 256 output bytes by clamped value + 128; the output type must then be i8.
    pub lut: Option<Vec<i8>>,
    /// The result.
    pub output: Tensor,
}

/// Bytes of a channel's parameters.
const PARAM_BYTES: usize = 16;

/// Plans a rescale.
///
/// # Errors
/// An unsupported error for parameters out of range, an internal error if shapes or lengths do not match, a resource
/// error if the draft grows too long.
pub fn plan_rescale(scope: &mut LayerScope<'_>, layer: &RescaleLayer) -> Result<(), PlanError> {
    let RescaleLayer { input: src, output: out, .. } = layer;
    check_clamp(layer.clamp, out.dtype)?;
    let dims = &out.shape;
    let mut operands = vec![input(scope.draft, "src", src, dims, out)?];
    if src.shape != out.shape {
        return Err(PlanError::internal(format!("{:?} is rescaled to {dims:?}", src.shape)));
    }
    let params = channel_params(layer)?;
    let per_channel = params.is_some();
    if let Some(bytes) = params {
        let mut strides = vec![0; dims.len()];
        if let Some(last) = strides.last_mut() {
            *last = 1;
        }
        let walk = Walk { strides, element: PARAM_BYTES as u64, held: false };
        operands.push(Operand { field: "params", buffer: scope.draft.constant(bytes)?, walk });
    }
    if let Some(lut) = &layer.lut {
        operands.push(lut_operand(scope.draft, lut, out.dtype, dims.len())?);
    }
    let last = operands.len();
    operands.push(output(scope.draft, out)?);
    let (clamp_lo, clamp_hi) = layer.clamp.unwrap_or((out.dtype.min(), out.dtype.max()));
    let all = |per_tensor| if per_channel { None } else { per_tensor };
    elementwise(scope, dims, &operands, |shape| {
        VecRescale {
            dims: shape.dims,
            src: shape.at(0),
            src_dtype: src.dtype,
            src_strides: shape.strides(0),
            in_zp: layer.in_zp,
            out: shape.at(last),
            out_dtype: out.dtype,
            out_strides: shape.strides(last),
            out_zp: layer.out_zp,
            per_channel,
            mult: all(layer.multiplier.first()).copied().unwrap_or_default(),
            shift: layer.shift.first().filter(|_| !per_channel).copied().unwrap_or(2),
            round: layer.round,
            clamp_lo,
            clamp_hi,
            lut: layer.lut.is_some(),
            ..VecRescale::default()
        }
        .into()
    })
}

/// The parameters of all channels in the vector engine's layout, or `None` if all channels share one pair.
fn channel_params(layer: &RescaleLayer) -> Result<Option<Vec<u8>>, PlanError> {
    let channels = layer.output.shape.last().copied().unwrap_or(1);
    let count = layer.multiplier.len();
    if layer.shift.len() != count || (count != 1 && count as u64 != channels) {
        return Err(PlanError::internal(format!(
            "{count} multipliers and {} shifts for {channels} channels",
            layer.shift.len()
        )));
    }
    let mut bytes = Vec::with_capacity(count.saturating_mul(PARAM_BYTES));
    for (&multiplier, &shift) in layer.multiplier.iter().zip(&layer.shift) {
        if multiplier < 0 || !(2..=62).contains(&shift) {
            return Err(PlanError::unsupported(format!(
                "multiplier {multiplier} must be >= 0 and shift {shift} in 2..=62"
            )));
        }
        bytes.extend_from_slice(&multiplier.to_le_bytes());
        bytes.extend_from_slice(&i32::from(shift).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
    }
    let uniform = bytes.chunks_exact(PARAM_BYTES).all(|entry| bytes.starts_with(entry));
    Ok((!uniform).then_some(bytes))
}
