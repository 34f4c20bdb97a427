//! What the planner decided, and what it is told to decide: the strategy of a program, as plain data that goes to JSON.
//!
//! Every field may be missing, and is then for the planner to choose. Invariant: a plan either has every value that it was
//! told, or is refused; what was written and is read back gives the same plan.

mod file;

use serde::{Deserialize, Serialize};

pub use file::{Strategy, StrategyError, VERSION};

use crate::error::PlanError;
use crate::tile::sched::{Array, Extent, Sched};
use crate::tile::{Order, Tiling};

/// The strategy of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramStrategy {
    /// The function that the program is made of.
    pub name: String,
    /// SRAM bytes that loads ahead of time may fill, everything else included; 0 loads nothing ahead of time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefetch_bytes: Option<u64>,
    /// Layers, in any order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub layers: Vec<LayerStrategy>,
}

/// The strategy of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerStrategy {
    /// Index of the layer and its operator: `12.conv2d`.
    pub name: String,
    /// Where the layer is in the source; for readers alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// Shape and type of what the layer makes; a layer that makes something else is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<String>,
    /// What the layer makes stays in SRAM until its last use.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stays: Option<bool>,
    /// Loads of the layer's constants may stand ahead of earlier layers' tasks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefetch: Option<bool>,
    /// How the layer is cut; layers of the DPU only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tiling: Option<TilingStrategy>,
    /// How the PE array is used, by the size of the tile; convolutions and matrix products only.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub schedules: Vec<ScheduleStrategy>,
}

/// How a layer is cut into tiles, and what of it is in SRAM at a time.
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
    /// Equal groups of output channels that no tile crosses.
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
    /// Which of the two outer loops is outermost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<Order>,
    /// The outputs of a round of the outermost loop are stored at once.
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
    /// What a tiling decides.
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
    pub tile: Extent,
    /// PEs along each dimension.
    pub pes: Sched,
}

/// The schedules that a layer is told, and whether tiles came for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedules {
    told: Vec<(ScheduleStrategy, bool)>,
}

impl Schedules {
    /// The schedules of a layer, checked against the array.
    ///
    /// # Errors
    /// Refused: a schedule that the array cannot have, or two for one tile.
    pub(crate) fn new(told: &[ScheduleStrategy], array: &Array) -> Result<Self, PlanError> {
        for (i, s) in told.iter().enumerate() {
            let (Sched { oc, oy, ox, ic }, tile) = (s.pes, s.tile);
            let pes = [oc, oy, ox, ic].iter().try_fold(1u64, |n, &f| n.checked_mul(f));
            if pes.is_none_or(|n| n == 0 || n > array.pes) {
                return Err(PlanError::refused(format!(
                    "schedule for tile {tile}: {oc} * {oy} * {ox} * {ic} PEs: must be 1 to {}",
                    array.pes
                )));
            }
            if !ic.is_power_of_two() || ic > array.tree {
                return Err(PlanError::refused(format!(
                    "schedule for tile {tile}: {ic} PEs over input channels: must be a power of two, at most {}",
                    array.tree
                )));
            }
            if told.iter().take(i).any(|earlier| earlier.tile == tile) {
                return Err(PlanError::refused(format!("two schedules for tile {tile}")));
            }
        }
        Ok(Schedules { told: told.iter().map(|s| (s.clone(), false)).collect() })
    }

    /// The schedule for a tile, if one is told.
    pub(crate) fn of(&mut self, tile: &Extent) -> Option<Sched> {
        let (schedule, used) = self.told.iter_mut().find(|(s, _)| s.tile == *tile)?;
        *used = true;
        Some(schedule.pes)
    }

    /// Refuses schedules that no tile came for.
    ///
    /// # Errors
    /// Refused, with the tile.
    pub(crate) fn finish(&self) -> Result<(), PlanError> {
        match self.told.iter().find(|(_, used)| !used) {
            Some((s, _)) => Err(PlanError::refused(format!("schedule for tile {}: there is none", s.tile))),
            None => Ok(()),
        }
    }
}
