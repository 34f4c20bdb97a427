//! Decisions of the planner and constraints on them: the strategy of a program, as plain data for JSON.
//!
//! Every field is optional; the planner chooses what is missing. Invariant: a plan either has every given value or is refused; a
//! strategy written and read back gives the same plan.

mod cut;
mod document;
mod file;
mod object;

use serde::{Deserialize, Serialize};

pub use cut::{By, CutStrategy};
pub use document::{Document, DocumentError};
pub use file::Strategy;
pub use object::list as object_list;

use crate::error::PlanError;
use crate::tile::sched::{Array, BlockSize, Extent, Sched, Schedule, Stays};
use crate::tile::{Order, Tiling};

/// The strategy of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramStrategy {
    /// The function that the program is compiled from.
    pub name: String,
    /// SRAM bytes that prefetched constants may fill, everything else included; 0 disables prefetching.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefetch_bytes: Option<u64>,
    /// Which constants are loaded together, at the program's start.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "object::option", default)]
    pub bundle: Option<BundleStrategy>,
    /// Layers, in any order.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "object::list", default)]
    pub layers: Vec<LayerStrategy>,
}

/// Which constants are bundled, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleStrategy {
    /// Bytes of the largest constant that is bundled; 0: none is.
    pub constant_bytes: u64,
    /// Bytes of the first transfer, at most, unless a single constant is larger.
    pub first_bytes: u64,
    /// Bytes of every other transfer, likewise.
    pub transfer_bytes: u64,
}

/// The strategy of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerStrategy {
    /// Index of the layer and its operator: `12.conv2d`.
    pub name: String,
    /// Location of the layer in the source; informative only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// Shape and type of the layer's output; a layer with another one is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<String>,
    /// The layer's output is resident in SRAM until its last use.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stays: Option<bool>,
    /// Loads of the layer's constants may be prefetched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefetch: Option<bool>,
    /// How the layer is cut; layers of the DPU only.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "object::option", default)]
    pub tiling: Option<TilingStrategy>,
    /// The use of the PE array, by tile size; convolutions and matrix products only.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "object::list", default)]
    pub schedules: Vec<ScheduleStrategy>,
    /// The cuts of the layer's vector-engine work, or of a transposition, in execution order.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "object::list", default)]
    pub cuts: Vec<CutStrategy>,
}

/// How a layer is cut into tiles, and which tiles are in SRAM at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TilingStrategy {
    /// Output rows of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oy: Option<u64>,
    /// Output columns of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ox: Option<u64>,
    /// Output channels of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oc: Option<u64>,
    /// Equal groups of output channels that no tile spans.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oc_groups: Option<u64>,
    /// Input channels of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ic: Option<u64>,
    /// Kernel rows of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ky: Option<u64>,
    /// Kernel columns of a tile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kx: Option<u64>,
    /// The outermost of the two outer loops.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<Order>,
    /// The outputs of an iteration of the outermost loop are gathered and stored at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gather: Option<bool>,
    /// Activation tiles in SRAM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub act_slots: Option<u64>,
    /// Weight tiles in SRAM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight_slots: Option<u64>,
    /// Output tiles in SRAM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_slots: Option<u64>,
    /// Both DMA engines load weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub split_weights: Option<bool>,
}

impl TilingStrategy {
    /// The fields of a tiling.
    pub(crate) fn of(t: &Tiling, split_weights: bool) -> Self {
        TilingStrategy {
            oy: Some(t.oy.size),
            ox: Some(t.ox.size),
            oc: Some(t.oc.size),
            oc_groups: Some(t.oc.groups),
            ic: Some(t.ic.size),
            ky: Some(t.ky.size),
            kx: Some(t.kx.size),
            order: Some(t.order),
            gather: Some(t.gather),
            act_slots: Some(t.act_slots),
            weight_slots: Some(t.weight_slots),
            out_slots: Some(t.out_slots),
            split_weights: Some(split_weights),
        }
    }
}

/// How the PE array works on tiles of one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleStrategy {
    /// The tile.
    #[serde(deserialize_with = "object::one")]
    pub tile: Extent,
    /// PEs along each dimension.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "object::option", default)]
    pub pes: Option<Sched>,
    /// The operand that is stationary in the register files.
    #[serde(rename = "stationary", skip_serializing_if = "Option::is_none", default)]
    pub stays: Option<Stays>,
    /// Outputs of a PE at a time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "object::option", default)]
    pub block: Option<BlockSize>,
    /// Kernel columns and channels fill the lanes as one sequence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fold: Option<bool>,
}

impl ScheduleStrategy {
    /// The fields of a schedule.
    pub(crate) fn of(tile: Extent, schedule: &Schedule) -> Self {
        let Schedule { pes, stays, block, fold } = *schedule;
        ScheduleStrategy { tile, pes: Some(pes), stays: Some(stays), block: Some(block), fold: Some(fold) }
    }

    /// Refuses what no machine with this array supports.
    fn check(&self, array: &Array) -> Result<(), String> {
        if let Some(Sched { oc, oy, ox, ic }) = self.pes {
            let pes = [oc, oy, ox, ic].iter().try_fold(1u64, |n, &f| n.checked_mul(f));
            if pes.is_none_or(|n| n == 0 || n > array.pes) {
                return Err(format!("{oc} * {oy} * {ox} * {ic} PEs: must be 1 to {}", array.pes));
            }
            if !ic.is_power_of_two() || ic > array.tree {
                let most = array.tree;
                return Err(format!("{ic} PEs over input channels: must be a power of two, at most {most}"));
            }
        }
        if let Some(BlockSize { oc, oy, ox }) = self.block
            && (oc > BLOCK_MAX[0] || oy > BLOCK_MAX[1] || ox > BLOCK_MAX[2])
        {
            let [most_oc, most_oy, most_ox] = BLOCK_MAX;
            let most = format!("oc {most_oc}, oy {most_oy}, ox {most_ox}");
            return Err(format!("a block of oc {oc}, oy {oy}, ox {ox}: must be at most {most}"));
        }
        Ok(())
    }
}

/// Maxima of the block fields of an instruction: channels, rows, columns.
pub(crate) const BLOCK_MAX: [u64; 3] = [511, 255, 1023];

/// Refuses schedules that the array does not support, and duplicate ones for a tile.
///
/// # Errors
/// Refused, with the tile.
pub(crate) fn check_schedules(told: &[ScheduleStrategy], array: &Array) -> Result<(), PlanError> {
    for (i, s) in told.iter().enumerate() {
        s.check(array).map_err(|what| PlanError::refused(format!("schedule for tile {}: {what}", s.tile)))?;
        if told.iter().take(i).any(|earlier| earlier.tile == s.tile) {
            return Err(PlanError::refused(format!("two schedules for tile {}", s.tile)));
        }
    }
    Ok(())
}
