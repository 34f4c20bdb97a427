//! The cost of a tiling: a cycle estimate from the machine file, after the machine's timing model.
//!
//! The estimate assumes perfectly overlapped engines in all steps but one: the busiest engine dominates, and the others count
//! once, when the pipeline fills and drains.

use super::budget::{Budget, Traffic};
use super::{Order, Problem, Tiling, product};

/// Weights are loaded by the store engine too if there are this many loads per store.
const STORES_PER_LOAD: u64 = 4;

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
    /// Cycles of the DPU.
    pub(crate) compute: u64,
    /// Bytes of activations and weights that the DPU reads.
    pub(crate) reads: u64,
    /// Weights are loaded by both DMA engines.
    pub(crate) split_weights: bool,
}

impl Estimate {
    /// Tasks of the layer.
    pub(crate) fn tasks(&self) -> u64 {
        self.steps
            .saturating_add(self.acts.tasks)
            .saturating_add(self.weights.tasks)
            .saturating_add(self.outs.tasks)
    }

    /// Bytes of DRAM traffic.
    pub(crate) fn dram_bytes(&self) -> u64 {
        self.acts.bytes.saturating_add(self.weights.bytes).saturating_add(self.outs.bytes)
    }

    /// Femtojoules of what moves between DRAM and SRAM.
    pub(crate) fn dma_energy(&self, budget: &Budget) -> u64 {
        let m = budget.machine();
        let loads = self.acts.bytes.saturating_add(self.weights.bytes);
        let all = self.dram_bytes().saturating_mul(m.dram_byte_fj);
        all.saturating_add(loads.saturating_mul(m.sram_write_byte_fj))
            .saturating_add(self.outs.bytes.saturating_mul(m.sram_read_byte_fj))
    }

    /// Approximate femtojoules that differ between tilings.
    pub(crate) fn rough_energy(&self, budget: &Budget) -> u64 {
        let read = self.reads.saturating_mul(budget.machine().sram_read_byte_fj);
        self.dma_energy(budget).saturating_add(read)
    }
}

/// Transfers and computation of one sweep over all tiles, whatever the loop order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Activations, each tile once.
    pub(crate) acts: Traffic,
    /// Bytes of activations that the DPU reads.
    pub(crate) act_bytes: u64,
    /// Weights, each tile once.
    pub(crate) weights: Traffic,
    /// Minimum DPU cycles without set-up.
    pub(crate) compute: u64,
}

/// The cost of one sweep of a tiling.
pub(crate) fn sweep(p: &Problem, t: &Tiling, budget: &Budget) -> Sweep {
    let spatial = product([p.images, t.oy.count(), t.ox.count()]);
    let (channels, parts) = (t.oc.count(), t.reductions());
    let outputs = product([p.images, p.y.output, p.x.output, p.oc]);
    let depth = match p.per_channel {
        Some(_) => p.macs.steps(1, 1),
        None => t.ic.classes().map(|(ic, n)| p.macs.steps(ic, budget.array.lanes).saturating_mul(n)).sum(),
    };
    let mac_cycles = product([outputs, p.y.kernel, p.x.kernel, depth]) / budget.array.pes;
    let acts = act_sweep(p, t, spatial);
    Sweep {
        acts: if p.holds_input() { Traffic::default() } else { acts },
        act_bytes: acts.bytes,
        weights: Traffic { tasks: channels.saturating_mul(parts), bytes: weight_sweep(p, t), runs: 0 },
        compute: mac_cycles.max(outputs / budget.ppe_rate),
    }
}

/// Activations of all tiles. Per channel: of all channel tiles too, which read channels of their own.
fn act_sweep(p: &Problem, t: &Tiling, spatial: u64) -> Traffic {
    let (rows, columns) = (p.y.traffic(&t.oy, &t.ky), p.x.traffic(&t.ox, &t.kx));
    let channel_parts = if p.per_channel.is_some() { t.oc.count() } else { t.ic.count() };
    let tasks = product([spatial, t.ky.count(), t.kx.count(), channel_parts]);
    let whole_rows = p.x.window_max(t.ox.size, t.kx.size) == p.x.input && p.x.step == 1;
    let runs = match (channel_parts, whole_rows) {
        (1, true) if p.y.step == 1 => tasks,
        (1, _) if p.x.step == 1 => product([p.images, rows, t.ox.count(), t.kx.count()]),
        _ => product([p.images, rows, columns, channel_parts]),
    };
    Traffic { tasks, bytes: product([p.images, rows, columns, p.ic, p.in_bytes]), runs }
}

/// Outputs, tile by tile or gathered over the inner loop.
fn out_traffic(p: &Problem, t: &Tiling) -> Traffic {
    if p.holds_output() {
        return Traffic::default();
    }
    let spatial = product([p.images, t.oy.count(), t.ox.count()]);
    let channels = t.oc.count();
    let tasks = match (t.gather, t.order) {
        (false, _) => spatial.saturating_mul(channels),
        (true, Order::SpatialOuter) => spatial,
        (true, Order::ChannelOuter) => channels,
    };
    let all_channels = channels == 1 || t.gather && t.order == Order::SpatialOuter;
    let all_columns = t.ox.count() == 1 || t.gather && t.order == Order::ChannelOuter;
    let runs = match (all_channels, all_columns) {
        (true, true) => tasks,
        (true, false) => product([p.images, p.y.output, t.ox.count()]),
        (false, _) => product([p.images, p.y.output, p.x.output, channels]),
    };
    Traffic { tasks, bytes: product([p.images, p.y.output, p.x.output, p.oc, p.out_bytes]), runs }
}

/// Bytes of all weight tiles.
fn weight_sweep(p: &Problem, t: &Tiling) -> u64 {
    let mut bytes = 0u64;
    for (ky, n_ky) in t.ky.classes() {
        for (kx, n_kx) in t.kx.classes() {
            for (ic, n_ic) in t.ic.classes() {
                for (oc, n_oc) in t.oc.classes() {
                    let one = p.weight_bytes(oc, ky.saturating_mul(kx), ic);
                    bytes = bytes.saturating_add(product([n_ky, n_kx, n_ic, n_oc, one]));
                }
            }
        }
    }
    bytes
}

/// Loads of a sequence that visits `tiles` tiles forwards and backwards alternately, `sweeps` times, with `slots` slots.
fn turning(tiles: u64, sweeps: u64, slots: u64) -> u64 {
    tiles.saturating_add(sweeps.saturating_sub(1).saturating_mul(tiles.saturating_sub(slots)))
}

/// Tile loads of the outer loop of a tiling: those of its first iteration, and those of every later one.
struct OuterLoop {
    acts: [u64; 2],
    weights: [u64; 2],
    /// Number of iterations.
    count: u64,
}

impl OuterLoop {
    fn of(p: &Problem, t: &Tiling) -> Self {
        let spatial = product([p.images, t.oy.count(), t.ox.count()]);
        let (channels, parts) = (t.oc.count(), t.reductions());
        let (act_tiles, weight_tiles) = (spatial.saturating_mul(parts), channels.saturating_mul(parts));
        let again = |tiles: u64, slots: u64| tiles.saturating_sub(slots);
        let (count, mut acts, mut weights) = match t.order {
            Order::SpatialOuter => {
                let acts = turning(parts, channels, t.act_slots);
                (spatial, [acts; 2], [weight_tiles, again(weight_tiles, t.weight_slots)])
            }
            Order::ChannelOuter => {
                let weights = turning(parts, spatial, t.weight_slots);
                (channels, [act_tiles, again(act_tiles, t.act_slots)], [weights; 2])
            }
        };
        if p.per_channel.is_some() {
            // Every step reads activations of its own.
            acts = [product([spatial, channels, parts]) / count.max(1); 2];
        }
        if p.holds_input() {
            acts = [0; 2];
        }
        if p.weights.is_none() {
            weights = [0; 2];
        }
        OuterLoop { acts, weights, count }
    }

    /// All loads of one kind.
    fn total(&self, [first, later]: [u64; 2]) -> u64 {
        first.saturating_add(self.count.saturating_sub(1).saturating_mul(later))
    }
}

/// Estimates a tiling. `compute` is the exact number of DPU cycles without set-up, if already known.
pub(crate) fn estimate(
    p: &Problem,
    t: &Tiling,
    budget: &Budget,
    sweep: &Sweep,
    compute: Option<u64>,
) -> Estimate {
    let outer = OuterLoop::of(p, t);
    let spatial = product([p.images, t.oy.count(), t.ox.count()]);
    let steps = product([spatial, t.oc.count(), t.reductions()]);
    let reads = match p.per_channel {
        Some(_) => sweep.act_bytes,
        None => sweep.act_bytes.saturating_mul(t.oc.count()),
    };
    let reads = reads.saturating_add(sweep.weights.bytes.saturating_mul(spatial));
    let compute = compute
        .unwrap_or_else(|| sweep.compute.max(reads / budget.read_rate))
        .saturating_add(steps.saturating_mul(budget.dpu_setup));
    let engines = [true, false].map(|split| {
        let split = split && budget.two_engines;
        let iteration = |i: usize| {
            let pick = |n: &[u64; 2]| n.get(i).copied().unwrap_or(0);
            Iteration {
                acts: Traffic::share(pick(&outer.acts), &sweep.acts),
                weights: Traffic::share(pick(&outer.weights), &sweep.weights),
                outs: out_traffic(p, t).per(outer.count),
                out_slots: t.out_slots,
                compute: compute / outer.count.max(1),
            }
        };
        let (first, later) = (iteration(0), iteration(1));
        let fill = Traffic::share(u64::from(!p.holds_input()), &sweep.acts).cycles(budget)
            + if p.weights.is_some() { Traffic::share(1, &sweep.weights).cycles(budget) } else { 0 };
        let drain = out_traffic(p, t);
        let drain = drain.per(drain.tasks).cycles(budget);
        let (first, later) = (first.cycles(budget, split, fill), later.cycles(budget, split, 0));
        let later = outer.count.saturating_sub(1).saturating_mul(later);
        fill.saturating_add(first).saturating_add(later).saturating_add(drain)
    });
    let acts = Traffic::share(outer.total(outer.acts), &sweep.acts).times(p.repeats);
    let weights = Traffic::share(outer.total(outer.weights), &sweep.weights).times(p.repeats);
    let outs = out_traffic(p, t).times(p.repeats);
    let few_stores = outs.tasks.saturating_mul(STORES_PER_LOAD) <= weights.tasks;
    let [split, apart] = engines;
    let split_weights = few_stores && split < apart;
    let cycles = if split_weights { split } else { apart }.saturating_mul(p.repeats);
    Estimate {
        cycles,
        acts,
        weights,
        outs,
        steps: steps.saturating_mul(p.repeats),
        compute: compute.saturating_mul(p.repeats),
        reads: reads.saturating_mul(p.repeats),
        split_weights,
    }
}

/// Transfers and computation of an iteration of the outer loop.
struct Iteration {
    acts: Traffic,
    weights: Traffic,
    outs: Traffic,
    out_slots: u64,
    compute: u64,
}

impl Iteration {
    /// Cycles of an iteration with overlapping engines, if `done` cycles of its loads have already passed.
    ///
    /// The busiest of DMA engines, DRAM channel and DPU is a lower bound (`base`). Activations are loaded on one engine and
    /// results stored on the other; weights follow the activations, or use both (`split`).
    ///
    /// Waits for the channel, which serves one transfer at a time, are added. A transfer that becomes ready at a random time
    /// finds the channel busy with the other engine with probability `others / base`, `others` being the channel cycles of the
    /// other engine, and then waits for half of one of its transfers on average: `tasks * (others / other_tasks / 2) * (others /
    /// base)`. This is the mean residual service time of a queue with deterministic service, without the queue length: with two
    /// engines, at most one transfer waits.
    fn cycles(&self, budget: &Budget, split: bool, done: u64) -> u64 {
        let traffic = [self.acts, self.weights, self.outs];
        let [acts, weights, outs] = traffic.map(|t| t.cycles(budget));
        let [acts_channel, weights_channel, outs_channel] = traffic.map(|t| t.bytes / budget.dram_rate);
        let channel = acts_channel.saturating_add(weights_channel).saturating_add(outs_channel);
        let loads = acts.saturating_add(weights);
        let all = loads.saturating_add(outs);
        if !budget.two_engines {
            return all.saturating_sub(done).max(self.compute);
        }
        let engines = if split { acts.max(outs).max(all / 2) } else { loads.max(outs) };
        let base = engines.max(channel).max(self.compute).max(1);
        let wait = |tasks: u64, others: u64, other_tasks: u64| {
            let half = others / other_tasks.max(1) / 2;
            tasks.saturating_mul(half).saturating_mul(others.min(base)) / base
        };
        let load_tasks = self.acts.tasks.saturating_add(self.weights.tasks);
        let load_channel = acts_channel.saturating_add(weights_channel);
        let waits = if split {
            wait(load_tasks.saturating_add(self.outs.tasks) / 2, channel / 2, load_tasks / 2)
        } else {
            let loading = loads.saturating_add(wait(load_tasks, outs_channel, self.outs.tasks));
            let storing = outs.saturating_add(wait(self.outs.tasks, load_channel, load_tasks));
            loading.max(storing).saturating_sub(engines)
        };
        let stalled = self.compute.saturating_add(self.stalls(budget));
        engines.saturating_add(waits).saturating_sub(done).max(channel).max(stalled)
    }

    /// Cycles that the DPU waits for output slots, because stores wait for the channel behind long loads.
    ///
    /// A store that meets a load on the channel ends `load + store` cycles after its results are ready. Meanwhile the DPU has
    /// work for the other slots, `slack = out_slots * compute / stores` cycles of it, and stalls for the excess. A load delays at
    /// most one store, so `min(loads, stores)` of them are late.
    fn stalls(&self, budget: &Budget) -> u64 {
        if self.outs.tasks == 0 {
            return 0;
        }
        let one = |t: &Traffic| t.bytes / budget.dram_rate / t.tasks.max(1);
        let stores = self.outs.tasks.max(1);
        let slack = (self.compute / stores).saturating_mul(self.out_slots);
        let store = budget.dma_setup.saturating_add(one(&self.outs));
        let stall = |t: &Traffic| {
            let late = one(t).saturating_add(store).saturating_sub(slack);
            late.saturating_mul(t.tasks.min(stores))
        };
        stall(&self.acts).saturating_add(stall(&self.weights))
    }
}

/// A lower bound on cycles: all bytes once, all multiplications on all PEs.
pub(crate) fn lower_bound(problem: &Problem, budget: &Budget, sweep: &Sweep) -> u64 {
    let outs = product([problem.images, problem.y.output, problem.x.output, problem.oc, problem.out_bytes]);
    let outs = if problem.holds_output() { 0 } else { outs };
    let bytes = outs.saturating_add(sweep.acts.bytes).saturating_add(sweep.weights.bytes);
    (bytes / budget.dram_rate).max(sweep.compute).saturating_mul(problem.repeats)
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
