//! What a plan is to be good at.

use std::fmt;

use dpu_cost::{Counts, Energy};
use dpu_isa::Machine;

/// What the search makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Cycles; of equals the one that takes less energy.
    #[default]
    Latency,
    /// Energy; of equals the faster one. Schedules more than twice as slow as the fastest are left out.
    Energy,
    /// Energy times cycles.
    Edp,
    /// Bytes moved to and from DRAM; of equals the faster one.
    Bytes,
}

impl Objective {
    /// All of them.
    pub const ALL: [Objective; 4] = [Objective::Latency, Objective::Energy, Objective::Edp, Objective::Bytes];

    /// The name, as options have it.
    pub const fn name(self) -> &'static str {
        match self {
            Objective::Latency => "latency",
            Objective::Energy => "energy",
            Objective::Edp => "edp",
            Objective::Bytes => "bytes",
        }
    }

    /// What it minimizes, in a few words.
    pub const fn help(self) -> &'static str {
        match self {
            Objective::Latency => "cycles",
            Objective::Energy => "energy",
            Objective::Edp => "energy-delay product",
            Objective::Bytes => "DRAM traffic",
        }
    }

    /// Whether energy has to be known.
    pub(crate) fn needs_energy(self) -> bool {
        matches!(self, Objective::Energy | Objective::Edp)
    }

    /// The rank of something that takes so much; less is better.
    pub(crate) fn rank(self, figures: &Figures) -> Rank {
        let Figures { cycles, energy, bytes } = *figures;
        match self {
            Objective::Latency => (cycles.into(), energy),
            Objective::Energy => (energy.into(), cycles),
            Objective::Edp => (u128::from(energy) * u128::from(cycles), cycles),
            Objective::Bytes => (bytes.into(), cycles),
        }
    }
}

/// The rank of a candidate; less is better.
pub(crate) type Rank = (u128, u64);

/// What a plan or a part of it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Cycles.
    pub(crate) cycles: u64,
    /// Femtojoules; 0 where nobody asks.
    pub(crate) energy: u64,
    /// Bytes of DRAM traffic.
    pub(crate) bytes: u64,
}

/// The energy of counted work, in femtojoules.
pub(crate) fn energy(counts: &Counts, machine: &Machine) -> u64 {
    Energy::of(counts, machine).total
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
