//! Remarks on layers that are left unchanged, phrase by phrase, so that tools can count them.
//!
//! Invariant: remarks are emitted only on request: where events of [`TARGET`] would be logged, at the level `info` and above.

use std::fmt;

use strum_ir::Operation;

/// The log target that enables remarks.
pub const TARGET: &str = "strum_passes::remarks";
/// Prefix of remarks on weights that are not packed.
pub const DENSE: &str = "weights stay dense: ";
/// Not packed: the layer is depthwise.
pub const DEPTHWISE: &str = "the layer is depthwise";
/// Not packed: too few channels; the minimum follows.
pub const FEW_CHANNELS: &str = "fewer than min-channels =";
/// Not packed: a zero point, which follows.
pub const ZERO_POINT: &str = "the weight zero point is";
/// Not packed: the weights are computed.
pub const VARIABLE: &str = "the weights are not constant";
/// Prefix of remarks about layers that `correct` does not change.
pub const UNCORRECTED: &str = "not corrected: ";
/// Not corrected: the layer has no scale.
pub const NO_RESCALE: &str = "the layer has no rescale";
/// Not corrected: the bias is computed.
pub const VARIABLE_BIAS: &str = "the bias is not constant";
/// Not corrected: output channels whose corrected values are out of range.
pub const NO_ROOM: &str = "would be out of range";

/// Emits a remark if enabled.
pub(super) fn emit(op: Operation<'_>, message: impl fmt::Display) {
    if tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        op.location().remark(message);
    }
}
