//! Tiling: cutting a sliding-window layer into pieces that fit the SRAM, and choosing the best cut.
//!
//! [`Problem`] is a layer reduced to what tiling needs, [`search::search`] chooses a [`Tiling`], [`steps`] runs its loops and
//! [`check`] proves the resulting tasks correct independently.

pub(crate) mod axis;
pub(crate) mod budget;
mod candidates;
pub(crate) mod check;
pub(crate) mod cost;
pub(crate) mod dataflow;
mod given;
pub(crate) mod sched;
pub(crate) mod search;
pub(crate) mod steps;
pub(crate) mod stream;
mod timeline;

use dpu_isa::ConvInv;
use serde::{Deserialize, Serialize};

use axis::{Axis, Split};
use sched::MacCost;

/// Granule of SRAM buffers in bytes.
pub(crate) const GRANULE: u64 = 16;

/// Bytes of one weight table entry.
pub(crate) const ENTRY: u64 = 16;

/// Maximum of the window fields of an instruction (kernel, stride, dilation).
pub(crate) const WINDOW_MAX: u64 = 8192;

/// Upper bound (exclusive) of rows, columns, channels and images.
pub(crate) const EXTENT_MAX: u64 = 1 << 31;

/// The size of a weight format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WeightSize {
    /// Weights in a block; 1 for dense weights.
    pub(crate) block: u64,
    /// Bits of a block.
    pub(crate) block_bits: u64,
}

impl WeightSize {
    /// Plain INT8.
    pub(crate) const DENSE: WeightSize = WeightSize { block: 1, block_bits: 8 };

    /// Bytes of a weight set of `taps` times `channels` weights, padded to 16 bytes.
    pub(crate) fn set(&self, taps: u64, channels: u64) -> u64 {
        let bits = taps.saturating_mul(channels.div_ceil(self.block)).saturating_mul(self.block_bits);
        bits.div_ceil(8).saturating_add(GRANULE - 1) / GRANULE * GRANULE
    }
}

/// A convolution, depthwise convolution, matrix product or pooling layer, reduced to what tiling needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Images that share the weights.
    pub(crate) images: u64,
    /// Number of repetitions of the whole, with other images and other weights.
    pub(crate) repeats: u64,
    /// Rows.
    pub(crate) y: Axis,
    /// Columns.
    pub(crate) x: Axis,
    /// Input channels.
    pub(crate) ic: u64,
    /// Output channels.
    pub(crate) oc: u64,
    /// Depthwise and pooling: output channels per input channel. Otherwise every output sums over all input channels.
    pub(crate) per_channel: Option<u64>,
    /// Weights, if there are any.
    pub(crate) weights: Option<WeightSize>,
    /// Lane cycles of a multiplication.
    pub(crate) macs: MacCost,
    /// The invariant without schedule, strides and table address; the default for pooling.
    pub(crate) inv: ConvInv,
    /// Weight tiles pass through a staging buffer on the way to their slot.
    pub(crate) staged: bool,
    /// Input channels are cut at multiples of this.
    pub(crate) ic_grain: u64,
    /// Candidate cuts of the output channels, coarsest first; never empty.
    pub(crate) oc_splits: Vec<Split>,
    /// Output channels may be cut at multiples of this.
    pub(crate) oc_grain: u64,
    /// Bytes of an input element.
    pub(crate) in_bytes: u64,
    /// Bytes of an output element.
    pub(crate) out_bytes: u64,
    /// Whether the whole input and the whole output are resident in SRAM: none of their tiles is moved.
    pub(crate) held: [bool; 2],
    /// SRAM bytes needed besides tiles (a lookup table).
    pub(crate) resident: u64,
}

impl Problem {
    /// The whole input is resident in SRAM.
    pub(crate) fn holds_input(&self) -> bool {
        self.held[0]
    }

    /// The whole output is resident in SRAM.
    pub(crate) fn holds_output(&self) -> bool {
        self.held[1]
    }

    /// Input channels of a tile of `oc` output and `ic` input channels.
    pub(crate) fn tile_ic(&self, oc: u64, ic: u64) -> u64 {
        match self.per_channel {
            Some(m) => oc.div_ceil(m),
            None => ic,
        }
    }

    /// Bytes of the weights and table of a tile.
    pub(crate) fn weight_bytes(&self, oc: u64, taps: u64, ic: u64) -> u64 {
        match (self.weights, self.per_channel) {
            (None, _) => 0,
            (Some(w), Some(_)) => (ENTRY * oc).saturating_add(w.set(taps, oc)),
            (Some(w), None) => oc.saturating_mul(ENTRY.saturating_add(w.set(taps, ic))),
        }
    }
}

/// The outermost of the two outer loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All channel tiles of a spatial tile before the next spatial tile: activations are loaded once.
    SpatialOuter,
    /// All spatial tiles of a channel tile before the next channel tile: weights are loaded once.
    ChannelOuter,
}

/// How a layer is cut, and which tiles are kept in SRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Output rows.
    pub(crate) oy: Split,
    /// Output columns.
    pub(crate) ox: Split,
    /// Output channels.
    pub(crate) oc: Split,
    /// Input channels; one piece if outputs read single channels.
    pub(crate) ic: Split,
    /// Kernel rows.
    pub(crate) ky: Split,
    /// Kernel columns.
    pub(crate) kx: Split,
    /// Loop order.
    pub(crate) order: Order,
    /// An output slot holds a whole iteration of the outer loop, stored at once, instead of one tile.
    pub(crate) gather: bool,
    /// Activation tiles kept in SRAM.
    pub(crate) act_slots: u64,
    /// Weight tiles kept in SRAM.
    pub(crate) weight_slots: u64,
    /// Output tiles kept in SRAM.
    pub(crate) out_slots: u64,
    /// Bytes of an activation slot.
    pub(crate) act_bytes: u64,
    /// Bytes of a weight slot, table included.
    pub(crate) weight_bytes: u64,
    /// Bytes of an output slot.
    pub(crate) out_bytes: u64,
    /// Slots of the staging buffers for weights; 0 if there are none.
    pub(crate) stage_slots: u64,
    /// Bytes of a staging buffer.
    pub(crate) stage_bytes: u64,
    /// Bytes of the partial sums; 0 if no sum is split.
    pub(crate) psum_bytes: u64,
}

impl Tiling {
    /// Pieces of every sum.
    pub(crate) fn reductions(&self) -> u64 {
        self.ic.count().saturating_mul(self.ky.count()).saturating_mul(self.kx.count())
    }

    /// SRAM bytes of all slots together, `resident` being the layer's other needs.
    pub(crate) fn sram_bytes(&self, resident: u64) -> u64 {
        let slots = |n: u64, bytes: u64| n.saturating_mul(round_up(bytes));
        slots(self.act_slots, self.act_bytes)
            .saturating_add(slots(self.weight_slots, self.weight_bytes))
            .saturating_add(slots(self.out_slots, self.out_bytes))
            .saturating_add(slots(self.stage_slots, self.stage_bytes))
            .saturating_add(round_up(self.psum_bytes))
            .saturating_add(round_up(resident))
    }
}

/// `bytes` rounded up to whole granules.
pub(crate) fn round_up(bytes: u64) -> u64 {
    bytes.saturating_add(GRANULE - 1) / GRANULE * GRANULE
}

/// `a * b * …`, saturating.
pub(crate) fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
