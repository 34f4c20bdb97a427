//! The schedule of one tile on the PE array: how many PEs split each dimension, and how they work.
//!
//! The schedule determines cycles and energy, never the result. The listed splits include one with the fewest steps: `ceil(OC/oc)
//! * ceil(OY/oy) * ceil(OX/ox)` times the steps of an output.

use std::fmt;

use dpu_isa::{Machine, Stationary};
use serde::{Deserialize, Serialize};

/// The PE array parameters that schedules need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Array {
    /// PEs.
    pub(crate) pes: u64,
    /// Input channels that a PE consumes in a cycle.
    pub(crate) lanes: u64,
    /// Maximum number of PEs that feed an adder tree.
    pub(crate) tree: u64,
}

impl Array {
    /// The array of a machine; the instruction set bounds the adder tree at 16.
    pub(crate) fn of(machine: &Machine) -> Self {
        Array {
            pes: (u64::from(machine.rows) * u64::from(machine.cols)).max(1),
            lanes: u64::from(machine.lanes).max(1),
            tree: u64::from(machine.adder_tree_max).clamp(1, 16),
        }
    }
}

/// Lane cycles of multiplications: `cycles` for every `weights` of them.
///
/// One each, except on arrays where half of the lanes shift: there plain INT8 weights take two, and a block of `w` packed weights
/// takes twice the larger of its two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MacCost {
    /// Lane cycles.
    pub(crate) cycles: u64,
    /// Weights, at least 1.
    pub(crate) weights: u64,
}

impl MacCost {
    /// One lane cycle per weight.
    pub(crate) const FULL: MacCost = MacCost { cycles: 1, weights: 1 };

    /// Cycles of a sum of `depth` products on `lanes` lanes.
    pub(crate) fn steps(&self, depth: u64, lanes: u64) -> u64 {
        depth.saturating_mul(self.cycles).div_ceil(lanes.saturating_mul(self.weights).max(1))
    }
}

/// PEs along each dimension of a tile; the product is at most the number of PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sched {
    /// PEs over output channels.
    pub oc: u64,
    /// PEs over output rows.
    pub oy: u64,
    /// PEs over output columns.
    pub ox: u64,
    /// PEs over input channels, a power of two.
    pub ic: u64,
}

/// The extents that a schedule splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Output channels.
    pub oc: u64,
    /// Output rows.
    pub oy: u64,
    /// Output columns.
    pub ox: u64,
    /// Input channels summed over by one output.
    pub ic: u64,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { oc, oy, ox, ic } = self;
        write!(f, "oc {oc}, oy {oy}, ox {ox}, ic {ic}")
    }
}

/// The operand that is stationary in the register files of the PEs from block to block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stays {
    /// Neither: sums are stationary until they are complete.
    #[default]
    Output,
    /// Weights.
    Weight,
    /// Activations.
    Input,
}

impl Stays {
    /// All of them.
    pub(crate) const ALL: [Stays; 3] = [Stays::Output, Stays::Weight, Stays::Input];
}

impl From<Stays> for Stationary {
    fn from(stays: Stays) -> Self {
        match stays {
            Stays::Output => Stationary::Output,
            Stays::Weight => Stationary::Weight,
            Stays::Input => Stationary::Input,
        }
    }
}

/// Outputs that a PE accumulates at a time; 0 leaves the choice to the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSize {
    /// Output channels.
    pub oc: u64,
    /// Output rows.
    pub oy: u64,
    /// Output columns.
    pub ox: u64,
}

/// How the PE array works on a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Schedule {
    /// PEs along each dimension.
    pub(crate) pes: Sched,
    /// The stationary operand.
    pub(crate) stays: Stays,
    /// Outputs of a PE at a time.
    pub(crate) block: BlockSize,
    /// Kernel columns and channels fill the lanes as one sequence.
    pub(crate) fold: bool,
}

/// Splits with more than this multiple of the fewest steps are left out.
const SLOWER_MAX: u64 = 2;

/// Calls `f` for the useful splits of the array over a tile, with the fewest PEs for each number of steps. `steps` maps a number
/// of PEs over input channels to the steps of an output.
pub(crate) fn for_each_split(
    array: &Array,
    tile: &Extent,
    steps: impl Fn(u64) -> u64,
    mut f: impl FnMut(Sched),
) {
    let (mut ic, mut least, mut before) = (1, u64::MAX, u64::MAX);
    while ic <= array.tree.min(array.pes) {
        let depth = steps(ic);
        if depth == before {
            break;
        }
        before = depth;
        for_each_step_count(tile.oc, array.pes / ic, |oc, oc_steps| {
            for_each_step_count(tile.oy, array.pes / ic / oc, |oy, oy_steps| {
                let ox = (array.pes / ic / oc / oy).min(tile.ox);
                let ox_steps = tile.ox.div_ceil(ox);
                let all = oc_steps.saturating_mul(oy_steps).saturating_mul(ox_steps).saturating_mul(depth);
                least = least.min(all);
                if all / SLOWER_MAX <= least {
                    f(Sched { oc, oy, ox: tile.ox.div_ceil(ox_steps), ic });
                }
            });
        });
        ic *= 2;
    }
}

/// Calls `f(pes, steps)` for every useful number of PEs (at most `max`) over `extent`: the fewest for its number of steps; most
/// PEs first.
fn for_each_step_count(extent: u64, max: u64, mut f: impl FnMut(u64, u64)) {
    let mut pes = extent.min(max);
    while pes > 0 {
        let steps = extent.div_ceil(pes);
        let fewest = extent.div_ceil(steps);
        f(fewest, steps);
        pes = fewest - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRAY: Array = Array { pes: 256, lanes: 8, tree: 16 };

    fn brute(array: &Array, t: &Extent) -> u64 {
        let mut best = u64::MAX;
        for ic in [1, 2, 4, 8, 16] {
            for oc in 1..=array.pes / ic {
                for oy in 1..=array.pes / ic / oc {
                    let ox = array.pes / ic / oc / oy;
                    let cycles = t.oc.div_ceil(oc)
                        * t.oy.div_ceil(oy)
                        * t.ox.div_ceil(ox)
                        * t.ic.div_ceil(array.lanes * ic);
                    best = best.min(cycles);
                }
            }
        }
        best
    }

    #[test]
    fn the_best_split_is_listed() {
        for (oc, oy, ox, ic) in [
            (64, 56, 56, 64),
            (1000, 1, 1, 2048),
            (1, 7, 7, 512),
            (3, 13, 5, 17),
            (10, 1, 1, 84),
            (32, 1, 784, 9),
            (255, 3, 3, 1),
            (1, 1, 1, 1),
            (7, 200, 1, 100),
        ] {
            let tile = Extent { oc, oy, ox, ic };
            let steps = |n: u64| ic.div_ceil(8 * n);
            let cycles_of =
                |s: &Sched| oc.div_ceil(s.oc) * oy.div_ceil(s.oy) * ox.div_ceil(s.ox) * steps(s.ic);
            let mut splits = Vec::new();
            for_each_split(&ARRAY, &tile, steps, |split| splits.push(split));
            assert!(splits.len() < 5000, "{}", splits.len());
            let sched = splits.into_iter().min_by_key(cycles_of).unwrap();
            let cycles = cycles_of(&sched);
            assert!(sched.oc * sched.oy * sched.ox * sched.ic <= ARRAY.pes);
            assert!(sched.ic.is_power_of_two());
            assert_eq!(cycles, brute(&ARRAY, &tile), "{tile:?}");
        }
    }
}
