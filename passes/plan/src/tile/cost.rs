//! What a tiling costs: an estimate of cycles from the machine file, after the timing model of the machine.
//!
//! The estimate takes the engines as perfectly overlapped over all steps but one: the busiest engine decides, and the
//! others show once, in the filling and draining of the pipeline.

use std::sync::Arc;

use dpu_isa::Machine;

use super::dataflow::Tiles;
use super::sched::{Array, Extent};
use super::{Order, Problem, Tiling};
use crate::draft::Draft;
use crate::objective::Objective;

/// Weights are loaded by the engine of the stores too if there are that many loads for each store.
const STORES_PER_LOAD: u64 = 4;

/// Passes through the lanes of the vector engine that an element-wise layer takes: both operands and the result scaled.
const VECTOR_PASSES: u64 = 7;

/// The machine, as far as the estimate needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// All of it.
    machine: Arc<Machine>,
    /// SRAM bytes.
    pub(crate) sram: u64,
    /// The PE array.
    pub(crate) array: Array,
    /// Bytes a DMA engine moves from or to DRAM in a cycle.
    dma_rate: u64,
    /// Bytes all DMA engines together move from or to DRAM in a cycle.
    dram_rate: u64,
    /// Cycles of a DMA task before its first byte moves.
    dma_setup: u64,
    /// Whether there are two DMA engines.
    two_engines: bool,
    /// Cycles of a DPU task before it computes.
    dpu_setup: u64,
    /// Bytes the DPU reads in a cycle.
    read_rate: u64,
    /// Outputs finished in a cycle.
    ppe_rate: u64,
    /// Cycles of the vector engine that can overlap with the layer, row by row.
    pub(crate) shared_cycles: u64,
    /// What the plan is to be good at.
    pub(crate) objective: Objective,
}

impl Budget {
    /// The budget of a machine.
    pub(crate) fn of(machine: &Machine) -> Self {
        let rate = |n: u32| u64::from(n).max(1);
        let dram_rate = rate(machine.dram_bytes_per_cycle);
        let sync = u64::from(machine.barrier_cycles);
        Budget {
            machine: Arc::new(machine.clone()),
            sram: machine.sram_bytes,
            array: Array::of(machine),
            dma_rate: rate(machine.dma_bytes_per_cycle).min(dram_rate),
            dram_rate,
            dma_setup: sync + u64::from(machine.dram_latency_cycles),
            two_engines: machine.dma_engines > 1,
            dpu_setup: sync + u64::from(machine.dpu_setup_cycles),
            read_rate: rate(machine.sram_read_bytes_per_cycle),
            ppe_rate: rate(machine.ppe_per_cycle),
            shared_cycles: 0,
            objective: Objective::Latency,
        }
    }

    /// The machine.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Bytes the DPU reads in a cycle.
    pub(crate) fn read_rate(&self) -> u64 {
        self.read_rate
    }

    /// Cycles of PPE and ODU for outputs of so many bytes.
    pub(crate) fn drain_cycles(&self, outputs: u64, bytes: u64) -> u64 {
        let write_rate = u64::from(self.machine.sram_write_bytes_per_cycle).max(1);
        (outputs / self.ppe_rate).max(outputs.saturating_mul(bytes) / write_rate)
    }

    /// Output channels of which a PE holds the weights of a step.
    pub(crate) fn filters_held(&self, depthwise: bool) -> u64 {
        let vector = if depthwise { 1 } else { self.array.lanes };
        u64::from(self.machine.fl_rf_bytes) / 2 / vector.max(1)
    }

    /// The same machine with what the layer under way leaves for tiles.
    pub(crate) fn in_layer(self, draft: &Draft, machine: &Machine) -> Self {
        let lanes = u64::from(machine.vec_lanes).max(1);
        let shared_cycles = draft.shared_bytes.saturating_mul(VECTOR_PASSES) / lanes;
        Budget { sram: draft.tile_bytes(machine), shared_cycles, objective: draft.guide.objective, ..self }
    }

    /// Whether loads and stores have an engine each.
    pub(crate) fn has_two_engines(&self) -> bool {
        self.two_engines
    }

    /// Cycles from the end of a task to the start of one that waits for it.
    pub(crate) fn sync(&self) -> u64 {
        self.machine.barrier_cycles.into()
    }

    /// One DMA task: cycles before it moves, cycles while it moves, and cycles of the channel.
    pub(crate) fn transfer(&self, t: &Traffic) -> (u64, u64, u64) {
        (self.dma_setup, self.moving(t), t.bytes.div_ceil(self.dram_rate))
    }

    /// Cycles of an engine while it moves: as its width, its rows and its requests to the DRAM allow.
    fn moving(&self, t: &Traffic) -> u64 {
        let requests = (t.bytes / u64::from(self.machine.dma_request_bytes).max(1)).max(t.runs);
        let waiting = requests.saturating_mul(u64::from(self.machine.dram_latency_cycles));
        let answered = waiting / u64::from(self.machine.dma_outstanding).max(1);
        (t.bytes / self.dma_rate).max(t.runs).max(answered)
    }

    /// Cycles of the channel for `bytes`.
    pub(crate) fn channel_cycles(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.dram_rate)
    }

    /// Cycles a DMA engine is taken by one task that moves `bytes` in `runs` pieces.
    pub(crate) fn dma_cycles(&self, bytes: u64, runs: u64) -> u64 {
        Traffic { tasks: 1, bytes, runs }.cycles(self)
    }
}

/// Transfers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// DMA tasks.
    pub(crate) tasks: u64,
    /// Bytes moved.
    pub(crate) bytes: u64,
    /// Contiguous pieces; an engine starts one in a cycle.
    pub(crate) runs: u64,
}

impl Traffic {
    /// `tasks` of the `all.tasks` equal transfers that make up `all`; may be more than all, if some are repeated.
    fn share(tasks: u64, all: &Traffic) -> Self {
        let part = |n: u64| {
            let part = u128::from(n) * u128::from(tasks) / u128::from(all.tasks.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Traffic { tasks, bytes: part(all.bytes), runs: part(all.runs) }
    }

    fn times(self, n: u64) -> Self {
        Traffic {
            tasks: self.tasks.saturating_mul(n),
            bytes: self.bytes.saturating_mul(n),
            runs: self.runs.saturating_mul(n),
        }
    }

    /// One of `n` equal parts.
    fn per(self, n: u64) -> Self {
        let n = n.max(1);
        Traffic { tasks: self.tasks / n, bytes: self.bytes / n, runs: self.runs / n }
    }

    /// Cycles of the engine.
    pub(crate) fn cycles(&self, budget: &Budget) -> u64 {
        self.tasks.saturating_mul(budget.dma_setup).saturating_add(budget.moving(self))
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
        let m = &budget.machine;
        let loads = self.acts.bytes.saturating_add(self.weights.bytes);
        let all = self.dram_bytes().saturating_mul(m.dram_byte_fj);
        all.saturating_add(loads.saturating_mul(m.sram_write_byte_fj))
            .saturating_add(self.outs.bytes.saturating_mul(m.sram_read_byte_fj))
    }

    /// Femtojoules that differ between tilings, roughly.
    pub(crate) fn rough_energy(&self, budget: &Budget) -> u64 {
        let read = self.reads.saturating_mul(budget.machine.sram_read_byte_fj);
        self.dma_energy(budget).saturating_add(read)
    }
}

/// What one sweep over all tiles moves and computes, whatever the loop order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Activations, each tile once.
    pub(crate) acts: Traffic,
    /// Bytes of activations that the DPU reads.
    pub(crate) act_bytes: u64,
    /// Weights, each tile once.
    pub(crate) weights: Traffic,
    /// Least cycles of the DPU without set-up.
    pub(crate) compute: u64,
}

/// `a * b * …`, saturating.
pub(crate) fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// What one sweep of a tiling takes.
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

/// Loads of a sequence that visits `tiles` tiles forwards and backwards in turn, `sweeps` times, with `slots` slots.
fn turning(tiles: u64, sweeps: u64, slots: u64) -> u64 {
    tiles.saturating_add(sweeps.saturating_sub(1).saturating_mul(tiles.saturating_sub(slots)))
}

/// Loads of a tiling: of the first round of the outer loop, and of every later one.
struct Rounds {
    acts: [u64; 2],
    weights: [u64; 2],
    /// Number of rounds.
    count: u64,
}

impl Rounds {
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
        Rounds { acts, weights, count }
    }

    /// All loads of one kind.
    fn total(&self, [first, later]: [u64; 2]) -> u64 {
        first.saturating_add(self.count.saturating_sub(1).saturating_mul(later))
    }
}

/// Estimates a tiling. `compute` is the exact number of DPU cycles without set-up, if it is known already.
pub(crate) fn estimate(
    p: &Problem,
    t: &Tiling,
    budget: &Budget,
    sweep: &Sweep,
    compute: Option<u64>,
) -> Estimate {
    let rounds = Rounds::of(p, t);
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
        let round = |i: usize| {
            let pick = |n: &[u64; 2]| n.get(i).copied().unwrap_or(0);
            Round {
                acts: Traffic::share(pick(&rounds.acts), &sweep.acts),
                weights: Traffic::share(pick(&rounds.weights), &sweep.weights),
                outs: out_traffic(p, t).per(rounds.count),
                out_slots: t.out_slots,
                compute: compute / rounds.count.max(1),
            }
        };
        let (first, later) = (round(0), round(1));
        let fill = Traffic::share(u64::from(!p.holds_input()), &sweep.acts).cycles(budget)
            + if p.weights.is_some() { Traffic::share(1, &sweep.weights).cycles(budget) } else { 0 };
        let drain = out_traffic(p, t);
        let drain = drain.per(drain.tasks).cycles(budget);
        let (first, later) = (first.cycles(budget, split, fill), later.cycles(budget, split, 0));
        let later = rounds.count.saturating_sub(1).saturating_mul(later);
        fill.saturating_add(first).saturating_add(later).saturating_add(drain)
    });
    let acts = Traffic::share(rounds.total(rounds.acts), &sweep.acts).times(p.repeats);
    let weights = Traffic::share(rounds.total(rounds.weights), &sweep.weights).times(p.repeats);
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

/// What a round of the outer loop moves and computes.
struct Round {
    acts: Traffic,
    weights: Traffic,
    outs: Traffic,
    out_slots: u64,
    compute: u64,
}

impl Round {
    /// Cycles of a round whose engines overlap, when `done` cycles of its loads are over before.
    ///
    /// Activations come in on one engine and results leave on the other. Weights follow the activations, or are loaded
    /// by both (`split`): there a load may stand behind stores that wait for the DPU.
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
        // A transfer finds the channel taken by one of the other engine, and waits for half of it on average.
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

    /// Cycles the DPU waits for output slots, because stores wait for the channel behind long loads.
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

/// Cycles no plan can beat: all bytes once, all multiplications on all PEs.
pub(crate) fn lower_bound(problem: &Problem, budget: &Budget, sweep: &Sweep) -> u64 {
    let outs = product([problem.images, problem.y.output, problem.x.output, problem.oc, problem.out_bytes]);
    let outs = if problem.holds_output() { 0 } else { outs };
    let bytes = outs.saturating_add(sweep.acts.bytes).saturating_add(sweep.weights.bytes);
    (bytes / budget.dram_rate).max(sweep.compute).saturating_mul(problem.repeats)
}

/// What the DPU takes for a tiling, without set-up: cycles and, if the objective asks for it, energy.
pub(crate) fn compute(
    problem: &Problem,
    tiling: &Tiling,
    tiles: &mut Tiles<'_>,
    budget: &Budget,
) -> (u64, u64) {
    let (mut cycles, mut energy) = (0u64, 0u64);
    for (oc, n_oc) in tiling.oc.classes() {
        for (oy, n_oy) in tiling.oy.classes() {
            for (ox, n_ox) in tiling.ox.classes() {
                for (ic, n_ic) in tiling.ic.classes() {
                    // Kernel tiles of one size: the sum is a sum over taps.
                    let kernels = product([tiling.ky.count(), tiling.kx.count()]);
                    let count = product([n_oc, n_oy, n_ox, n_ic, problem.images, kernels]);
                    let Some(cost) = tiles.cost(tiling, &Extent { oc, oy, ox, ic }) else {
                        return (u64::MAX, u64::MAX);
                    };
                    let one = cost.cycles.saturating_sub(u64::from(budget.machine.dpu_setup_cycles));
                    cycles = cycles.saturating_add(one.saturating_mul(count));
                    if budget.objective.needs_energy() {
                        energy = energy.saturating_add(tiles.energy(&cost).saturating_mul(count));
                    }
                }
            }
        }
    }
    (cycles, energy)
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
