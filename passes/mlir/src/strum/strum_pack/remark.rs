//! Remarks on layers that stay as they are, phrase by phrase, so that tools can count them.
//!
//! Invariant: nobody gets a remark who did not ask for it: they are emitted where events of [`TARGET`] would be logged, which
//! is at the level `info` and above.

use std::fmt;

use strum_ir::Operation;

/// The target of the log that asks for remarks.
pub const TARGET: &str = "strum_passes::remarks";
/// Begins a remark on weights that stay a tensor.
pub const DENSE: &str = "weights stay dense: ";
/// Weights stay a tensor: the layer is depthwise.
pub const DEPTHWISE: &str = "the layer is depthwise";
/// Weights stay a tensor: too few channels; the fewest follow.
pub const FEW_CHANNELS: &str = "fewer than min-channels =";
/// Weights stay a tensor: a zero point, which follows.
pub const ZERO_POINT: &str = "the weight zero point is";
/// Weights stay a tensor: they are computed.
pub const VARIABLE: &str = "the weights are not constant";
/// Prefix of remarks about layers that `correct` does not change.
pub const UNCORRECTED: &str = "not corrected: ";
/// Not corrected: there is no scale.
pub const NO_RESCALE: &str = "the layer has no rescale";
/// Not corrected: the bias is computed.
pub const VARIABLE_BIAS: &str = "the bias is not constant";
/// Not corrected: output channels whose corrected values have no room.
pub const NO_ROOM: &str = "would be out of range";

/// Tells who asked.
pub(super) fn emit(op: Operation<'_>, message: impl fmt::Display) {
    if tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        op.location().remark(message);
    }
}
