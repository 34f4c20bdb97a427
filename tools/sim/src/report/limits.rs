//! What limits a layer: its share of the run's time, split by what the engine that it is attributed to was doing.

use dpu_cost::Cost;
use dpu_isa::{Engine, Instr, Machine};
use serde::{Deserialize, Serialize};

/// What a cycle went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Pes,
    Sram,
    DramBandwidth,
    DramLatency,
    Vec,
    Dispatch,
}

/// A partition of a layer's elapsed cycles by what they went to; `docs/timing.md` has the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The PE array computes.
    pub pes: u64,
    /// The array waits until operands are loaded from the SRAM or results are drained to it; copies within the SRAM.
    pub sram: u64,
    /// A transfer that is not hidden holds the DRAM channel.
    pub dram_bandwidth: u64,
    /// A transfer that is not hidden waits for the DRAM: its latency, and that of its short requests.
    pub dram_latency: u64,
    /// A vector engine computes.
    pub vec: u64,
    /// Dispatch, barriers, and the set-up of tasks.
    pub dispatch: u64,
}

impl Limits {
    /// The parts in order, with their names for people.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 6] {
        [
            ("PEs", self.pes),
            ("SRAM", self.sram),
            ("DRAM bandwidth", self.dram_bandwidth),
            ("DRAM latency", self.dram_latency),
            ("vector engine", self.vec),
            ("dispatch", self.dispatch),
        ]
    }

    /// The name of the largest part, the first of equal ones; `None` if all are 0.
    #[must_use]
    pub fn bound(&self) -> Option<&'static str> {
        let (name, cycles) =
            self.parts().into_iter().fold(("", 0), |best, part| if part.1 > best.1 { part } else { best });
        (cycles > 0).then_some(name)
    }

    pub(crate) fn count(&mut self, limit: Limit, cycles: u64) {
        let part = match limit {
            Limit::Pes => &mut self.pes,
            Limit::Sram => &mut self.sram,
            Limit::DramBandwidth => &mut self.dram_bandwidth,
            Limit::DramLatency => &mut self.dram_latency,
            Limit::Vec => &mut self.vec,
            Limit::Dispatch => &mut self.dispatch,
        };
        *part = part.saturating_add(cycles);
    }

    pub(crate) fn add(&mut self, more: &Limits) {
        for (limit, cycles) in [
            (Limit::Pes, more.pes),
            (Limit::Sram, more.sram),
            (Limit::DramBandwidth, more.dram_bandwidth),
            (Limit::DramLatency, more.dram_latency),
            (Limit::Vec, more.vec),
            (Limit::Dispatch, more.dispatch),
        ] {
            self.count(limit, cycles);
        }
    }
}

/// What a task is limited by over its time, in order: each limit until a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phases([(Limit, u64); 3]);

impl Phases {
    /// Those of a task of this cost that runs from `start` to `end` and holds the DRAM channel for `channel`.
    pub(crate) fn of(
        instr: &Instr,
        cost: &Cost,
        (start, end): (u64, u64),
        channel: Option<(u64, u64)>,
        m: &Machine,
    ) -> Phases {
        let set_up = |cycles: u32| start.saturating_add(cycles.into()).min(end);
        Phases(match (instr.engine(), channel) {
            (Engine::Dpu, _) => {
                let ready = set_up(m.dpu_setup_cycles);
                let waited = end.saturating_sub(array_cycles(cost, m)).max(ready);
                [(Limit::Dispatch, ready), (Limit::Sram, waited), (Limit::Pes, end)]
            }
            (Engine::Vec, _) => {
                let ready = set_up(m.vec_setup_cycles);
                [(Limit::Dispatch, ready), (Limit::Vec, end), (Limit::Vec, end)]
            }
            (Engine::Control | Engine::Dma0 | Engine::Dma1, Some((from, to))) => {
                [(Limit::DramLatency, from), (Limit::DramBandwidth, to), (Limit::DramLatency, end)]
            }
            (Engine::Control | Engine::Dma0 | Engine::Dma1, None) => [(Limit::Sram, end); 3],
        })
    }

    /// Those of a task that the array limits until its end.
    #[cfg(test)]
    pub(crate) const fn whole(end: u64) -> Phases {
        Phases([(Limit::Pes, end); 3])
    }

    /// What limits the task at a cycle, and the cycle at which that ends.
    pub(crate) fn at(&self, cycle: u64) -> (Limit, u64) {
        let [first, second, last] = self.0;
        [first, second].into_iter().find(|(_, end)| *end > cycle).unwrap_or(last)
    }
}

/// The cycles for which the PE array computes: a lane has a product in each, or is idle.
fn array_cycles(cost: &Cost, m: &Machine) -> u64 {
    let products = cost.macs.saturating_sub(cost.events.zero_skipped);
    let steps = cost.events.lane_idle.saturating_add(products);
    steps / lanes(m).max(1)
}

/// Lanes of the array of a tile: its peak in multiply-accumulates per cycle.
fn lanes(m: &Machine) -> u64 {
    [m.rows, m.cols, m.lanes].into_iter().fold(1, |n, factor| n.saturating_mul(u64::from(factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_part_is_the_bound() {
        assert_eq!(Limits::default().bound(), None);
        let limits = Limits { sram: 3, dram_latency: 7, vec: 7, ..Limits::default() };
        assert_eq!(limits.bound(), Some("DRAM latency"));
    }

    #[test]
    fn phases_follow_each_other() {
        let phases = Phases([(Limit::DramLatency, 10), (Limit::DramBandwidth, 30), (Limit::DramLatency, 35)]);
        let at = [0, 10, 29, 30, 34].map(|cycle| phases.at(cycle));
        let (before, during, after) =
            ((Limit::DramLatency, 10), (Limit::DramBandwidth, 30), (Limit::DramLatency, 35));
        assert_eq!(at, [before, during, during, after, after]);
    }
}
