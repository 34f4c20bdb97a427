//! The objective of a plan.

use std::fmt;

use dpu_cost::{Counts, Energy};
use dpu_isa::Machine;

/// The quantity that the search minimizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Cycles; ties are broken by energy.
    #[default]
    Latency,
    /// Energy; ties are broken by cycles. Schedules more than twice as slow as the fastest are excluded.
    Energy,
    /// Energy times cycles.
    Edp,
    /// Bytes moved to and from DRAM; ties are broken by cycles.
    Bytes,
}

impl Objective {
    /// All of them.
    pub const ALL: [Objective; 4] = [Objective::Latency, Objective::Energy, Objective::Edp, Objective::Bytes];

    /// The name, as in options.
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

    /// Whether energy must be known.
    pub(crate) fn needs_energy(self) -> bool {
        matches!(self, Objective::Energy | Objective::Edp)
    }

    /// The rank of a cost; less is better.
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

/// The cost of a plan or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Cycles.
    pub(crate) cycles: u64,
    /// Femtojoules; 0 if not requested.
    pub(crate) energy: u64,
    /// Bytes of DRAM traffic.
    pub(crate) bytes: u64,
}

/// The energy of counted work, in femtojoules.
pub(crate) fn energy(counts: &Counts, machine: &Machine) -> u64 {
    Energy::of(counts, machine).total
}

/// The energy of this many cycles without work, in femtojoules: leakage and all else that is paid per cycle.
pub(crate) fn energy_of_time(cycles: u64, machine: &Machine) -> u64 {
    energy(&Counts { cycles, ..Counts::default() }, machine)
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
