//! Convolutions and depthwise convolutions: layer descriptions to tiles on the DPU.

mod depthwise;
pub(crate) mod emit;
pub(crate) mod weights;

use dpu_isa::{ConvInv, Dtype, Machine, Method as IsaMethod, PeKind};
use strum_formats::{Format, Packed};

pub use depthwise::plan_depthwise;

use crate::draft::Draft;
use crate::error::{PlanError, mul, narrow};
use crate::movement::Tensor;
use crate::ppe::{self, Ppe};
use crate::scope::LayerScope;
use crate::tile::axis::{Split, ladder};
use crate::tile::sched::MacCost;
use crate::tile::{EXTENT_MAX, Problem, WeightSize};
use crate::view::{Field, Geometry, View, check_type};

use emit::Layer;
use weights::{Channels, Source, Strided};

/// Output types of a convolution.
pub(crate) const OUT_TYPES: &[Dtype] = &[Dtype::I8, Dtype::U8, Dtype::I16, Dtype::U16, Dtype::I32];

/// Where the weights of a layer come from.
#[derive(Clone, Debug)]
pub enum Weights<'a> {
    /// A constant in any format. Convolution: shape `[oc][kh][kw][ic]`; depthwise: `[1][kh][kw][c * m]`.
    Packed(&'a Packed),
    /// An i8 tensor, computed by the program. Convolution: `[oc][kh][kw][ic]`; depthwise: `[kh][kw][c][m]`.
    Dynamic(Tensor),
}

/// A convolution, or a depthwise convolution.
#[derive(Clone, Debug)]
pub struct ConvLayer<'a> {
    /// Input, i8, `[n][h][w][ic]`.
    pub input: Tensor,
    /// Output, of any type, `[n][oh][ow][oc]`.
    pub output: Tensor,
    /// Weights.
    pub weights: Weights<'a>,
    /// Bias: none, one for all output channels, or one each.
    pub bias: Vec<i32>,
    /// Strides `[y, x]`, at least 1.
    pub stride: [u64; 2],
    /// Padding `[top, bottom, left, right]`; padded positions count as the input zero point.
    pub pad: [u64; 4],
    /// Dilations `[y, x]`, at least 1.
    pub dilation: [u64; 2],
    /// Zero point of the input, -128 to 127.
    pub input_zp: i32,
    /// Zero point of the weights, -128 to 127; must be 0 for packed formats other than dense.
    pub weight_zp: i32,
    /// Post-processing.
    pub ppe: Ppe,
}

/// Plans a convolution as tasks of the draft's last layer.
///
/// # Errors
/// Unsupported: a parameter that no instruction field can hold. Resource: not even the smallest tiles fit the SRAM, or the plan
/// needs too many tasks. Internal: the description is inconsistent.
pub fn plan_conv(scope: &mut LayerScope<'_>, layer: &ConvLayer<'_>) -> Result<(), PlanError> {
    let layer = describe(scope.draft, scope.machine, layer)?;
    emit::plan(scope, &layer)
}

/// A convolution ready for tiling.
pub(crate) fn describe<'a>(
    draft: &Draft,
    machine: &Machine,
    layer: &'a ConvLayer<'_>,
) -> Result<Layer<'a>, PlanError> {
    let input = View::nhwc(draft, &layer.input, &[Dtype::I8], "the input")?;
    let output = View::nhwc(draft, &layer.output, OUT_TYPES, "the output")?;
    let [_, _, _, ic] = input.shape;
    let [_, _, _, oc] = output.shape;
    let (source, [kernel_oc, kh, kw, kernel_ic]) = weight_source(draft, &layer.weights)?;
    if (kernel_oc, kernel_ic) != (oc, ic) {
        return Err(PlanError::internal(format!(
            "weights of {kernel_oc} output and {kernel_ic} input channels on tensors of {oc} and {ic}"
        )));
    }
    let geometry =
        Geometry { kernel: [kh, kw], stride: layer.stride, pad: layer.pad, dilation: layer.dilation };
    let field = Field::new(input, output, &geometry)?;
    let size = weight_size(&source);
    let problem = problem(&field, ic, oc, None, size, ic_grain(size), split_channels(oc));
    conv_layer(machine, layer, source, field, problem)
}

/// The checks and parameters that convolutions and depthwise convolutions share.
fn conv_layer<'a>(
    machine: &Machine,
    layer: &'a ConvLayer<'_>,
    source: Source<'a>,
    field: Field,
    mut problem: Problem,
) -> Result<Layer<'a>, PlanError> {
    let out_type = layer.output.dtype;
    let format = match source {
        Source::Packed(packed) => packed.format,
        Source::Dynamic(_) => Format::DENSE,
    };
    let mut inv = ConvInv { depthwise: problem.per_channel.is_some(), ..ConvInv::default() };
    set_format(&mut inv, &format)?;
    inv.in_zp = zero_point(layer.input_zp, "the input")?;
    inv.wt_zp = zero_point(layer.weight_zp, "the weights")?;
    if inv.wt_zp != 0 && format.is_packed() {
        return Err(PlanError::unsupported(format!(
            "a weight zero point of {} with weights in format {format}: must be 0 unless dense",
            inv.wt_zp
        )));
    }
    if !layer.bias.is_empty() {
        ppe::check_len("biases", layer.bias.len(), problem.oc)?;
    }
    layer.ppe.check(problem.oc, out_type)?;
    layer.ppe.fill(&mut inv, out_type);
    problem.macs = mac_cost(machine, &format);
    problem.inv = inv;
    problem.resident = layer.ppe.lut.as_ref().map_or(0, |_| 256);
    let channels = Channels { bias: &layer.bias, ppe: &layer.ppe };
    Ok(Layer { problem, field, source, channels })
}

/// A zero point of an i8 tensor.
pub(crate) fn zero_point(zp: i32, what: &str) -> Result<i16, PlanError> {
    if !Dtype::I8.contains(zp) {
        return Err(PlanError::unsupported(format!("zero point {zp} of {what}: must be -128 to 127")));
    }
    narrow(zp, "a zero point")
}

/// The source of the weights and their shape `[oc][kh][kw][ic]`.
fn weight_source<'a>(draft: &Draft, weights: &Weights<'a>) -> Result<(Source<'a>, [u64; 4]), PlanError> {
    match weights {
        Weights::Packed(packed) => {
            let s = packed.shape;
            Ok((Source::Packed(packed), [s.oc, s.kh, s.kw, s.ic].map(|d| d as u64)))
        }
        Weights::Dynamic(tensor) => {
            let shape = dynamic_shape(draft, tensor)?;
            let [_, kh, kw, ic] = shape;
            let kx = ic;
            let ky = mul(kw, kx)?;
            let strided = Strided {
                buffer: tensor.buffer,
                image: 0,
                oc: mul(kh, ky)?,
                ky,
                kx,
                ic: 1,
                transposed: false,
            };
            Ok((Source::Dynamic(strided), shape))
        }
    }
}

/// The shape of a weight tensor in DRAM.
fn dynamic_shape(draft: &Draft, tensor: &Tensor) -> Result<[u64; 4], PlanError> {
    check_type(tensor.dtype, &[Dtype::I8], "the weights")?;
    let shape: [u64; 4] =
        tensor.shape.as_slice().try_into().map_err(|_| {
            PlanError::unsupported(format!("weights of rank {}: must be 4", tensor.shape.len()))
        })?;
    // The view is only made for its checks.
    View::new(draft, tensor, shape, "the weights").map(|_| shape)
}

/// The size of the weight format.
pub(crate) fn weight_size(source: &Source<'_>) -> WeightSize {
    match source {
        Source::Packed(packed) if packed.format.is_packed() => WeightSize {
            block: u64::from(packed.format.w.max(1)),
            block_bits: packed.format.block_bits() as u64,
        },
        _ => WeightSize::DENSE,
    }
}

/// The cost of a multiplication with weights of a format on the PEs of a machine.
pub(crate) fn mac_cost(machine: &Machine, format: &Format) -> MacCost {
    match machine.pe_kind {
        PeKind::StrumStatic if format.is_packed() => {
            let (w, low) = (u64::from(format.w.max(1)), u64::from(format.low));
            MacCost { cycles: 2 * low.max(w.saturating_sub(low)), weights: w }
        }
        PeKind::StrumStatic => MacCost { cycles: 2, weights: 1 },
        PeKind::Dense | PeKind::StrumDynamic => MacCost::FULL,
    }
}

/// Input channels are cut between blocks, and where dense at 16, so that DMA segments stay long.
pub(crate) fn ic_grain(size: WeightSize) -> u64 {
    if size == WeightSize::DENSE { 16 } else { size.block }
}

/// Cuts of output channels without alignment: multiples of 16, then fewer.
pub(crate) fn split_channels(oc: u64) -> Vec<Split> {
    let mut sizes = ladder(oc, 16);
    sizes.extend(
        [8, 4, 2, 1]
            .into_iter()
            .filter(|&n| n < oc && sizes.last().is_some_and(|&l| n < l))
            .collect::<Vec<_>>(),
    );
    sizes.into_iter().map(|size| Split::new(oc, size)).collect()
}

/// The tiling problem of a convolution over `field`.
pub(crate) fn problem(
    field: &Field,
    ic: u64,
    oc: u64,
    per_channel: Option<u64>,
    weights: WeightSize,
    ic_grain: u64,
    oc_splits: Vec<Split>,
) -> Problem {
    debug_assert!(ic < EXTENT_MAX && oc < EXTENT_MAX);
    Problem {
        images: field.images,
        repeats: 1,
        y: field.y,
        x: field.x,
        ic,
        oc,
        per_channel,
        weights: Some(weights),
        macs: MacCost::FULL,
        inv: ConvInv::default(),
        staged: false,
        ic_grain,
        oc_splits,
        oc_grain: 1,
        in_bytes: field.input.element,
        out_bytes: field.output.element,
        held: [field.input.held, field.output.held],
        resident: 0,
    }
}

/// Fills the fields of an invariant that describe the weight format.
///
/// # Errors
/// An internal error if the instruction set does not support the method.
fn set_format(inv: &mut ConvInv, format: &Format) -> Result<(), PlanError> {
    let fields = format.instr_fields();
    inv.method = IsaMethod::from_index(fields.method)
        .ok_or_else(|| PlanError::internal(format!("the instruction set has no method for {format}")))?;
    (inv.block, inv.low, inv.param, inv.zero) = (fields.block, fields.low, fields.param, fields.zero);
    Ok(())
}

#[cfg(test)]
mod tests {
    use strum_formats::Kind;

    use super::*;

    #[test]
    fn methods_have_their_codes_in_the_instruction_set() {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names, IsaMethod::NAMES);
    }
}
