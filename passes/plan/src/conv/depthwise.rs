//! Depthwise convolutions: every output channel reads one input channel, and one weight set serves all of them.

use dpu_isa::Dtype;

use crate::draft::Draft;
use crate::error::{PlanError, mul};
use crate::scope::LayerScope;
use crate::tile::WeightSize;
use crate::tile::axis::{Split, ladder};
use crate::view::{Field, Geometry, View};

use super::weights::{Source, Strided};
use super::{ConvLayer, OUT_TYPES, Weights, conv_layer, dynamic_shape, emit, problem, weight_size};

/// Plans a depthwise convolution as tasks of the draft's last layer. Output channel `oc` reads input channel `oc / m`,
/// `m` being the number of output channels per input channel.
///
/// # Errors
/// As for [`super::plan_conv`].
pub fn plan_depthwise(scope: &mut LayerScope<'_>, layer: &ConvLayer<'_>) -> Result<(), PlanError> {
    let input = View::nhwc(scope.draft, &layer.input, &[Dtype::I8], "the input")?;
    let output = View::nhwc(scope.draft, &layer.output, OUT_TYPES, "the output")?;
    let [_, _, _, channels] = input.shape;
    let [_, _, _, oc] = output.shape;
    let (source, kernel, weight_oc) = depthwise_source(scope.draft, &layer.weights)?;
    if weight_oc != oc || oc % channels != 0 {
        return Err(PlanError::internal(format!(
            "depthwise weights of {weight_oc} channels on tensors of {channels} and {oc}"
        )));
    }
    let multiplier = oc / channels;
    let geometry = Geometry { kernel, stride: layer.stride, pad: layer.pad, dilation: layer.dilation };
    let field = Field::new(input, output, &geometry)?;
    let size = weight_size(&source);
    let splits = split_channels(channels, multiplier, size);
    let mut problem = problem(&field, channels, oc, Some(multiplier), size, 1, splits);
    problem.oc_grain = aligned_channels(multiplier, size) * multiplier;
    emit::plan(scope, &conv_layer(scope.machine, layer, source, field, problem)?)
}

/// The source of the weights, the kernel `[kh, kw]` and the number of output channels.
fn depthwise_source<'a>(
    draft: &Draft,
    weights: &Weights<'a>,
) -> Result<(Source<'a>, [u64; 2], u64), PlanError> {
    match weights {
        Weights::Packed(packed) => {
            let s = packed.shape;
            if s.oc != 1 {
                return Err(PlanError::internal(format!("depthwise weights of shape {s}: oc must be 1")));
            }
            Ok((Source::Packed(packed), [s.kh as u64, s.kw as u64], s.ic as u64))
        }
        Weights::Dynamic(tensor) => {
            let [kh, kw, c, m] = dynamic_shape(draft, tensor)?;
            let oc = mul(c, m)?;
            let (buffer, ky) = (tensor.buffer, mul(kw, oc)?);
            let strided = Strided { buffer, image: 0, oc: 1, ky, kx: oc, ic: 0, transposed: false };
            Ok((Source::Dynamic(strided), [kh, kw], oc))
        }
    }
}

/// Cuts of the output channels: first between input channels where weight blocks end as well, then within the channels.
fn split_channels(channels: u64, multiplier: u64, size: WeightSize) -> Vec<Split> {
    let oc = channels * multiplier;
    let block = size.block;
    let aligned = aligned_channels(multiplier, size);
    // 16 where that keeps DMA segments long.
    let grain = if aligned == 1 && multiplier < 16 { 16u64.div_ceil(multiplier) } else { aligned };
    let mut splits: Vec<Split> =
        ladder(channels, grain).into_iter().map(|n| Split::new(oc, n * multiplier)).collect();
    if grain > aligned && channels > aligned {
        splits.push(Split::new(oc, aligned * multiplier));
    }
    if multiplier > 1 && (channels == 1 || multiplier.is_multiple_of(block)) {
        let inside = ladder(multiplier, block.max(16)).into_iter().filter(|&n| n < multiplier);
        splits.extend(inside.map(|size| Split { groups: channels, total: multiplier, size }));
        if multiplier > block && block < 16 {
            splits.push(Split { groups: channels, total: multiplier, size: block });
        }
    }
    splits.dedup();
    splits
}

/// The fewest input channels whose weights end with a block.
fn aligned_channels(multiplier: u64, size: WeightSize) -> u64 {
    size.block / gcd(size.block, multiplier)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
