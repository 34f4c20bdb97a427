//! What a tiling costs: an estimate of cycles, from traffic, DMA set-up and compute.
//!
//! The estimate takes the engines as perfectly overlapped over all steps but one: the busiest engine decides, and the
//! others show once, in the filling and draining of the pipeline.

use dpu_isa::Machine;

use super::sched::{self, Array, Extent};
use super::{Order, Problem, Tiling};

/// Cycles that a DPU task takes besides its multiplications.
const TASK_CYCLES: u64 = 64;

/// The machine, as far as the estimate needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// SRAM bytes.
    pub(crate) sram: u64,
    /// The PE array.
    pub(crate) array: Array,
    /// Bytes a DMA engine moves in a cycle.
    dma_rate: u64,
    /// Bytes all DMA engines together move from or to DRAM in a cycle.
    dram_rate: u64,
    /// Cycles before the first byte of a DMA task arrives.
    latency: u64,
    /// Whether loads and stores have an engine each.
    two_engines: bool,
}

impl Budget {
    /// The budget of a machine.
    pub(crate) fn of(machine: &Machine) -> Self {
        let dram_rate = u64::from(machine.dram_bytes_per_cycle).max(1);
        Budget {
            sram: machine.sram_bytes,
            array: Array::of(machine),
            dma_rate: u64::from(machine.dma_bytes_per_cycle).clamp(1, dram_rate),
            dram_rate,
            latency: u64::from(machine.dram_latency_cycles),
            two_engines: machine.dma_engines > 1,
        }
    }
}

/// Transfers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// DMA tasks.
    pub(crate) tasks: u64,
    /// Bytes moved.
    pub(crate) bytes: u64,
}

impl Traffic {
    /// `tasks` of `total` equal transfers that move `bytes` together.
    fn share(tasks: u64, total: u64, bytes: u64) -> Self {
        let part = u128::from(bytes) * u128::from(tasks) / u128::from(total.max(1));
        Traffic { tasks, bytes: u64::try_from(part).unwrap_or(u64::MAX) }
    }

    fn times(self, n: u64) -> Self {
        Traffic { tasks: self.tasks.saturating_mul(n), bytes: self.bytes.saturating_mul(n) }
    }

    fn cycles(&self, budget: &Budget) -> u64 {
        self.tasks.saturating_mul(budget.latency).saturating_add(self.bytes / budget.dma_rate)
    }
}

/// The parts of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Cycles from the first load to the last store.
    pub(crate) cycles: u64,
    /// Activation loads.
    pub(crate) acts: Traffic,
    /// Weight loads.
    pub(crate) weights: Traffic,
    /// Stores.
    pub(crate) outs: Traffic,
    /// DPU tasks.
    pub(crate) steps: u64,
    /// Weights are better loaded by the engine that stores results.
    pub(crate) weights_with_stores: bool,
}

impl Estimate {
    /// Tasks of the layer.
    pub(crate) fn tasks(&self) -> u64 {
        self.steps
            .saturating_add(self.acts.tasks)
            .saturating_add(self.weights.tasks)
            .saturating_add(self.outs.tasks)
    }
}

/// Bytes that one sweep over all tiles loads, whatever the loop order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Activations of one channel sweep.
    pub(crate) act_bytes: u64,
    /// Weights of one spatial sweep.
    pub(crate) weight_bytes: u64,
    /// Compute of the layer in multiply steps of one PE.
    pub(crate) pe_steps: u64,
}

/// Loads of a sequence that visits `tiles` tiles forwards and backwards in turn, `sweeps` times, with `slots` slots.
fn turning(tiles: u64, sweeps: u64, slots: u64) -> u64 {
    tiles.saturating_add((sweeps - 1).saturating_mul(tiles.saturating_sub(slots)))
}

/// Estimates a tiling. The compute is a lower bound from `sweep`, unless `compute` says it exactly.
pub(crate) fn estimate(
    problem: &Problem,
    tiling: &Tiling,
    budget: &Budget,
    sweep: &Sweep,
    compute: Option<u64>,
) -> Estimate {
    let spatial = problem.images.saturating_mul(tiling.oy.count()).saturating_mul(tiling.ox.count());
    let (channels, parts) = (tiling.oc.count(), tiling.reductions());
    let steps = spatial.saturating_mul(channels).saturating_mul(parts);
    let (act_tiles, weight_tiles) = (spatial.saturating_mul(parts), channels.saturating_mul(parts));
    let (act_loads, weight_loads) = match tiling.order {
        Order::SpatialOuter => (
            spatial.saturating_mul(turning(parts, channels, tiling.act_slots)),
            turning(weight_tiles, spatial, tiling.weight_slots),
        ),
        Order::ChannelOuter => (
            turning(act_tiles, channels, tiling.act_slots),
            channels.saturating_mul(turning(parts, spatial, tiling.weight_slots)),
        ),
    };
    let acts = match problem.per_channel {
        // Every channel tile reads activations of its own, all of them once.
        Some(_) => Traffic { tasks: steps, bytes: sweep.act_bytes },
        None => Traffic::share(act_loads, act_tiles, sweep.act_bytes),
    };
    let weights = match problem.weights {
        Some(_) => Traffic::share(weight_loads, weight_tiles, sweep.weight_bytes),
        None => Traffic::default(),
    };
    let out_bytes = [problem.images, problem.y.output, problem.x.output, problem.oc, problem.out_bytes];
    let outs = Traffic {
        tasks: spatial.saturating_mul(channels),
        bytes: out_bytes.into_iter().fold(1, u64::saturating_mul),
    };
    let [acts, weights, outs] = [acts, weights, outs].map(|t| t.times(problem.repeats));
    let steps = steps.saturating_mul(problem.repeats);
    let dpu = compute
        .unwrap_or(sweep.pe_steps / budget.array.pes)
        .saturating_mul(problem.repeats)
        .saturating_add(steps.saturating_mul(TASK_CYCLES));
    let (a, w, o) = (acts.cycles(budget), weights.cycles(budget), outs.cycles(budget));
    let all = a.saturating_add(w).saturating_add(o);
    let (with_loads, with_stores) = (a.saturating_add(w).max(o), a.max(w.saturating_add(o)));
    let weights_with_stores = budget.two_engines && with_stores < with_loads;
    let engines = if budget.two_engines { with_loads.min(with_stores) } else { all };
    let bytes = acts.bytes.saturating_add(weights.bytes).saturating_add(outs.bytes);
    let busiest = engines.max(bytes / budget.dram_rate).max(dpu);
    let others = all.saturating_add(dpu).saturating_sub(busiest);
    let cycles = busiest.saturating_add(others / steps.max(1));
    Estimate { cycles, acts, weights, outs, steps, weights_with_stores }
}

/// Cycles no plan can beat: all bytes once, all multiplications on all PEs.
pub(crate) fn lower_bound(problem: &Problem, budget: &Budget, sweep: &Sweep) -> u64 {
    let outs = [problem.images, problem.y.output, problem.x.output, problem.oc, problem.out_bytes];
    let bytes = outs.into_iter().fold(1, u64::saturating_mul);
    let bytes = bytes.saturating_add(sweep.act_bytes).saturating_add(sweep.weight_bytes);
    (bytes / budget.dram_rate).max(sweep.pe_steps / budget.array.pes).saturating_mul(problem.repeats)
}

/// DPU cycles of a tiling under the best schedule of each tile size, without set-up.
pub(crate) fn compute_cycles(problem: &Problem, tiling: &Tiling, array: &Array) -> u64 {
    let taps: u64 = problem.y.kernel.saturating_mul(problem.x.kernel);
    let mut total = 0u64;
    for (oc, n_oc) in tiling.oc.classes() {
        for (oy, n_oy) in tiling.oy.classes() {
            for (ox, n_ox) in tiling.ox.classes() {
                for (ic, n_ic) in tiling.ic.classes() {
                    let ic = if problem.per_channel.is_some() { 1 } else { ic };
                    let (_, cycles) = sched::best(array, &Extent { oc, oy, ox, ic });
                    let tiles = [n_oc, n_oy, n_ox, n_ic, problem.images, taps];
                    total = total.saturating_add(tiles.into_iter().fold(cycles, u64::saturating_mul));
                }
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_counts_what_a_stream_loads() {
        let mut draft = crate::Draft::new();
        for (tiles, sweeps, slots) in [(1, 5, 1), (2, 3, 2), (3, 4, 2), (7, 3, 2), (5, 4, 4), (6, 2, 6)] {
            let mut stream = super::super::stream::Stream::new(&mut draft, slots, 16).unwrap();
            let mut loads = 0;
            for sweep in 0..sweeps {
                for i in 0..tiles {
                    let key = if sweep % 2 == 0 { i } else { tiles - 1 - i };
                    loads += u64::from(stream.place(key).unwrap().load);
                }
            }
            assert_eq!(turning(tiles, sweeps, slots), loads, "{tiles} {sweeps} {slots}");
        }
    }
}
