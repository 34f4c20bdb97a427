//! The dataflow of a tile on the PE array: how PEs split the dimensions, what a PE holds, which operand is stationary.
//!
//! The search uses the timing rules of `dpu-cost` themselves. Splits of the array are ranked by a rough bound, and the best ones
//! are costed exactly, with every stationary operand and several block sizes.
//!
//! Invariant: the register files of the machine support every chosen schedule.

use std::collections::BTreeMap;

use dpu_cost::Cost;
use dpu_isa::schedule::{ScheduleError, accumulators};
use dpu_isa::{ConvInv, ConvVar, Dtype, PoolInv, PoolVar};

use crate::error::PlanError;
use crate::objective::{self, Figures, Objective, Rank};
use crate::strategy::{BLOCK_MAX, ScheduleStrategy};

use super::axis::Window;
use super::budget::Budget;
use super::sched::{BlockSize, Extent, Sched, Schedule, Stays, for_each_split};
use super::steps::Step;
use super::{Problem, Tiling, product};

/// Number of splits of the array that are costed exactly, by time and by energy.
const SPLITS: usize = 10;
const SAVING_SPLITS: usize = 24;

/// Schedules slower than the fastest by more than this are not tried to save energy.
const SLOWER_MAX: u64 = 2;

/// The tiles of one layer and how the array works on them.
pub(crate) struct Tiles<'a> {
    problem: &'a Problem,
    budget: &'a Budget,
    told: &'a [ScheduleStrategy],
    chosen: BTreeMap<Shape, Result<(Schedule, Cost), ScheduleError>>,
    exact: BTreeMap<(Shape, TileInput), u64>,
}

/// The key of a tile's schedule: its extents, kernel rows and columns, whether its sums are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    extent: Extent,
    taps: [u64; 2],
    /// Rows or columns of tiles are single, so strides have no effect.
    single: [bool; 2],
    partial: bool,
}

/// What else the cycles of a tile depend on: the part of the input under its windows, and its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TileInput {
    rows: (u64, i64),
    columns: (u64, i64),
    taps: [u64; 2],
    acc: [bool; 2],
}

impl<'a> Tiles<'a> {
    /// The tiles of a layer, whose schedules may be given in part (`told`).
    pub(crate) fn new(problem: &'a Problem, budget: &'a Budget, told: &'a [ScheduleStrategy]) -> Self {
        Tiles { problem, budget, told, chosen: BTreeMap::new(), exact: BTreeMap::new() }
    }

    /// The schedule for tiles of this size.
    ///
    /// # Errors
    /// Refused: a given schedule that is not possible; unsupported: no schedule fits the register files.
    pub(crate) fn schedule(&mut self, t: &Tiling, extent: &Extent) -> Result<Schedule, PlanError> {
        let extent = self.own(extent);
        let told = self.told.iter().any(|s| s.tile == extent);
        self.choose(t, &extent).map(|(schedule, _)| schedule).map_err(|e| match told {
            true => PlanError::refused(format!("schedule for tile {extent}: {e}")),
            false => PlanError::unsupported(format!("a tile of {extent}: {e}")),
        })
    }

    /// The cost of a tile in the middle of the image; `None` if it has no schedule.
    pub(crate) fn cost(&mut self, t: &Tiling, extent: &Extent) -> Option<Cost> {
        if self.problem.weights.is_none() {
            let place = middle(self.problem, t, extent);
            return Some(self.pool_cost(t, extent, &place));
        }
        let extent = self.own(extent);
        self.choose(t, &extent).ok().map(|(_, cost)| cost)
    }

    /// The DPU cost of a tiling without set-up: cycles and, if the objective needs it, energy.
    pub(crate) fn compute(&mut self, tiling: &Tiling) -> (u64, u64) {
        let (problem, budget) = (self.problem, self.budget);
        let setup = u64::from(budget.machine().dpu_setup_cycles);
        let (mut cycles, mut energy) = (0u64, 0u64);
        for (oc, n_oc) in tiling.oc.classes() {
            for (oy, n_oy) in tiling.oy.classes() {
                for (ox, n_ox) in tiling.ox.classes() {
                    for (ic, n_ic) in tiling.ic.classes() {
                        // Kernel tiles of one size: the sum is a sum over taps.
                        let kernels = product([tiling.ky.count(), tiling.kx.count()]);
                        let count = product([n_oc, n_oy, n_ox, n_ic, problem.images, kernels]);
                        let Some(cost) = self.cost(tiling, &Extent { oc, oy, ox, ic }) else {
                            return (u64::MAX, u64::MAX);
                        };
                        cycles =
                            cycles.saturating_add(cost.cycles.saturating_sub(setup).saturating_mul(count));
                        if budget.objective.needs_energy() {
                            energy = energy.saturating_add(self.energy(&cost).saturating_mul(count));
                        }
                    }
                }
            }
        }
        (cycles, energy)
    }

    /// Cycles of a step's variant, set-up included.
    pub(crate) fn cycles(&mut self, t: &Tiling, step: &Step) -> u64 {
        let len = |r: &std::ops::Range<u64>| r.end - r.start;
        let p = self.problem;
        let extent =
            self.own(&Extent { oc: len(&step.oc), oy: len(&step.oy), ox: len(&step.ox), ic: len(&step.ic) });
        let (rows, columns) = (p.y.window(&step.oy, &step.ky), p.x.window(&step.ox, &step.kx));
        let at = |w: &Window| (w.len, w.origin);
        let place = TileInput {
            rows: at(&rows),
            columns: at(&columns),
            taps: [len(&step.ky), len(&step.kx)],
            acc: [!step.first, !step.last],
        };
        let shape = shape(t, &extent);
        if let Some(&cycles) = self.exact.get(&(shape, place)) {
            return cycles;
        }
        let cost = if p.weights.is_none() {
            Some(self.pool_cost(t, &extent, &place))
        } else {
            let schedule = self.choose(t, &extent).ok().map(|(schedule, _)| schedule);
            schedule.and_then(|s| self.conv_cost(t, &extent, &place, &s).ok())
        };
        let cycles = cost.map_or(u64::MAX, |cost| cost.cycles);
        self.exact.insert((shape, place), cycles);
        cycles
    }

    /// The extent with the input channels that an output sums over.
    fn own(&self, extent: &Extent) -> Extent {
        let ic = if self.problem.per_channel.is_some() { 1 } else { extent.ic };
        Extent { ic, ..*extent }
    }

    fn choose(&mut self, t: &Tiling, extent: &Extent) -> Result<(Schedule, Cost), ScheduleError> {
        let shape = shape(t, extent);
        if let Some(found) = self.chosen.get(&shape) {
            return *found;
        }
        let found = self.search(t, extent);
        self.chosen.insert(shape, found);
        found
    }

    fn search(&self, t: &Tiling, extent: &Extent) -> Result<(Schedule, Cost), ScheduleError> {
        let told = self.told.iter().find(|s| s.tile == *extent);
        let place = middle(self.problem, t, extent);
        let mut best = Incumbent { objective: self.budget.objective, found: None, error: None };
        let try_one = |schedule: Schedule, best: &mut Incumbent| {
            let cost = self.conv_cost(t, extent, &place, &schedule);
            best.offer(schedule, cost, |cost| self.figures(cost));
        };
        let stays =
            Stays::ALL.into_iter().filter(|s| told.and_then(|t| t.stays).is_none_or(|told| told == *s));
        let block = told.and_then(|t| t.block);
        for (bound, pes, fold) in self.splits(t, extent, told) {
            // The lower bound of the split already exceeds the best found.
            let least = u64::from(self.budget.machine().dpu_setup_cycles).saturating_add(bound);
            if self.budget.objective == Objective::Latency && best.cycles().is_some_and(|c| c <= least) {
                continue;
            }
            for stays in stays.clone() {
                try_one(Schedule { pes, stays, block: block.unwrap_or_default(), fold }, &mut best);
            }
        }
        if let (Some((_, schedule, _)), None) = (best.found, block) {
            for block in self.blocks(extent, &schedule.pes) {
                try_one(Schedule { block, ..schedule }, &mut best);
            }
        }
        match (best.found, best.error) {
            (Some((_, schedule, cost)), _) => Ok((schedule, cost)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ScheduleError::Fold),
        }
    }

    fn figures(&self, cost: &Cost) -> Figures {
        let energy = match self.budget.objective.needs_energy() {
            true => {
                let time = objective::energy_of_time(cost.cycles, self.budget.machine());
                self.energy(cost).saturating_add(time)
            }
            false => cost
                .events
                .fl_write
                .saturating_add(cost.events.if_write)
                .saturating_add(cost.traffic.sram_read),
        };
        Figures { cycles: cost.cycles, energy, bytes: 0 }
    }

    /// Femtojoules of a task of the layer.
    pub(crate) fn energy(&self, cost: &Cost) -> u64 {
        let inv = &self.problem.inv;
        let low = u128::from(cost.macs) * u128::from(inv.low) / u128::from(inv.block.max(1));
        objective::energy(&cost.counts(u64::try_from(low).unwrap_or(u64::MAX)), self.budget.machine())
    }

    /// Splits of the array with the least cycles, or energy, by a rough bound; fastest first.
    fn splits(
        &self,
        t: &Tiling,
        extent: &Extent,
        told: Option<&ScheduleStrategy>,
    ) -> Vec<(u64, Sched, bool)> {
        let (p, b) = (self.problem, self.budget);
        let bound = SplitBound::new(p, t, extent, b);
        let folds = match told.and_then(|t| t.fold) {
            Some(fold) => vec![fold],
            None if p.per_channel.is_none() && t.kx.size > 1 && !extent.ic.is_multiple_of(b.array.lanes) => {
                vec![false, true]
            }
            None => vec![false],
        };
        let saves = b.objective.needs_energy();
        let mut fast = Shortlist::new(SPLITS);
        let mut saving = Shortlist::new(if saves { SAVING_SPLITS } else { 0 });
        for fold in folds {
            let mut offer = |pes: Sched| {
                let cycles = bound.cycles(&pes, fold);
                fast.offer((cycles.0.into(), cycles.1), (cycles.0, pes, fold));
                if saves {
                    let figures = Figures { cycles: cycles.0, energy: bound.energy(&pes, fold), bytes: 0 };
                    saving.offer(b.objective.rank(&figures), (cycles.0, pes, fold));
                }
            };
            match told.and_then(|t| t.pes) {
                Some(pes) => offer(pes),
                None => for_each_split(&b.array, extent, |ic| bound.steps(ic, fold), &mut offer),
            }
        }
        let mut all: Vec<(u64, Sched, bool)> = fast.items().collect();
        let slowest = all.first().map_or(u64::MAX, |(cycles, ..)| cycles.saturating_mul(SLOWER_MAX));
        for item in saving.items().filter(|(cycles, ..)| *cycles <= slowest) {
            if !all.contains(&item) {
                all.push(item);
            }
        }
        all
    }

    /// Candidate blocks: channels in powers of two, and as many columns and rows as the remaining accumulators allow.
    fn blocks(&self, extent: &Extent, pes: &Sched) -> Vec<BlockSize> {
        let share = |n: u64, pes: u64| n.div_ceil(pes.max(1)).max(1);
        let (oc, oy, ox) = (share(extent.oc, pes.oc), share(extent.oy, pes.oy), share(extent.ox, pes.ox));
        let all = accumulators(self.budget.machine());
        let mut blocks = Vec::new();
        let mut channels = 1;
        while channels <= all {
            let held = channels.min(oc);
            let left = (all / held).max(1);
            let wide = left.min(ox);
            let tall = left.min(oy);
            for (rows, columns) in [((left / wide).clamp(1, oy), wide), (tall, (left / tall).clamp(1, ox))] {
                // Values that exceed an instruction field are left to the machine.
                let [most_oc, most_oy, most_ox] = BLOCK_MAX;
                let block =
                    BlockSize { oc: held.min(most_oc), oy: rows.min(most_oy), ox: columns.min(most_ox) };
                if !blocks.contains(&block) {
                    blocks.push(block);
                }
            }
            if channels >= oc {
                break;
            }
            channels *= 2;
        }
        blocks
    }

    fn conv_cost(
        &self,
        t: &Tiling,
        extent: &Extent,
        place: &TileInput,
        schedule: &Schedule,
    ) -> Result<Cost, ScheduleError> {
        let inv = invariant(self.problem, t, schedule);
        dpu_cost::conv(&inv, &variant(self.problem, extent, place), self.budget.machine())
    }

    fn pool_cost(&self, t: &Tiling, extent: &Extent, place: &TileInput) -> Cost {
        let p = self.problem;
        let used = |n: u64, value: u64| field(if n == 1 { 1 } else { value });
        let inv = PoolInv {
            stride_y: used(t.oy.size, p.y.stride),
            stride_x: used(t.ox.size, p.x.stride),
            dtype: if p.in_bytes == 1 { Dtype::I8 } else { Dtype::I16 },
            ..PoolInv::default()
        };
        let var = PoolVar {
            in_h: field(place.rows.0),
            in_w: field(place.columns.0),
            in_c: field(extent.oc),
            origin_y: clamped(place.rows.1),
            origin_x: clamped(place.columns.1),
            kernel_h: field(place.taps[0]),
            kernel_w: field(place.taps[1]),
            out_h: field(extent.oy),
            out_w: field(extent.ox),
            acc_in: place.acc[0],
            acc_out: place.acc[1],
            ..PoolVar::default()
        };
        dpu_cost::pool(&inv, &var, self.budget.machine())
    }
}

/// The best schedule so far, and why another one is not possible.
struct Incumbent {
    objective: Objective,
    found: Option<(Rank, Schedule, Cost)>,
    error: Option<ScheduleError>,
}

impl Incumbent {
    fn cycles(&self) -> Option<u64> {
        self.found.as_ref().map(|(.., cost)| cost.cycles)
    }

    fn offer(
        &mut self,
        schedule: Schedule,
        cost: Result<Cost, ScheduleError>,
        figures: impl FnOnce(&Cost) -> Figures,
    ) {
        match cost {
            Ok(cost) => {
                let rank = self.objective.rank(&figures(&cost));
                if self.found.as_ref().is_none_or(|(best, ..)| rank < *best) {
                    self.found = Some((rank, schedule, cost));
                }
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }
}

/// The best few of many, best first; ties keep their order.
struct Shortlist<T> {
    most: usize,
    items: Vec<(Rank, T)>,
}

impl<T> Shortlist<T> {
    fn new(most: usize) -> Self {
        Shortlist { most, items: Vec::with_capacity(most + 1) }
    }

    fn offer(&mut self, rank: Rank, item: T) {
        if self.items.len() == self.most && self.items.last().is_none_or(|(worst, _)| *worst <= rank) {
            return;
        }
        let at = self.items.partition_point(|(r, _)| *r <= rank);
        self.items.insert(at, (rank, item));
        self.items.truncate(self.most);
    }

    fn items(self) -> impl Iterator<Item = T> {
        self.items.into_iter().map(|(_, item)| item)
    }
}

/// A lower bound of the cost of a split of the array: the units of the DPU perfectly overlapped, blocks chosen by the machine.
struct SplitBound<'a> {
    problem: &'a Problem,
    budget: &'a Budget,
    extent: Extent,
    taps: [u64; 2],
    act_bytes: u64,
    weight_bytes: u64,
    drain: u64,
    accumulators: u64,
}

impl<'a> SplitBound<'a> {
    fn new(p: &'a Problem, t: &Tiling, extent: &Extent, budget: &'a Budget) -> Self {
        let taps = [t.ky.size, t.kx.size];
        let (rows, columns) = (p.y.window_max(extent.oy, taps[0]), p.x.window_max(extent.ox, taps[1]));
        let outputs = product([extent.oc, extent.oy, extent.ox]);
        SplitBound {
            problem: p,
            budget,
            extent: *extent,
            taps,
            act_bytes: product([rows, columns, p.tile_ic(extent.oc, extent.ic), p.in_bytes]),
            weight_bytes: p.weight_bytes(extent.oc, product(taps), extent.ic),
            drain: budget.drain_cycles(outputs, p.out_bytes),
            accumulators: accumulators(budget.machine()),
        }
    }

    /// Steps of an output whose channels are split over `ic` PEs.
    fn steps(&self, ic: u64, fold: bool) -> u64 {
        let [ky, kx] = self.taps;
        let macs = &self.problem.macs;
        if self.problem.per_channel.is_some() {
            return product([ky, kx, macs.steps(1, 1)]);
        }
        let lanes = self.budget.array.lanes.saturating_mul(ic);
        let (runs, run) =
            if fold { (ky, kx.saturating_mul(self.extent.ic)) } else { (product([ky, kx]), self.extent.ic) };
        runs.saturating_mul(macs.steps(run, lanes))
    }

    /// Outputs of a PE: channels, rows, columns.
    fn share(&self, s: &Sched) -> [u64; 3] {
        [self.extent.oc.div_ceil(s.oc), self.extent.oy.div_ceil(s.oy), self.extent.ox.div_ceil(s.ox)]
    }

    /// Blocks along channels, rows and columns.
    fn blocks(&self, s: &Sched) -> [u64; 3] {
        let [oc, oy, ox] = self.share(s);
        let held = self.budget.filters_held(self.problem.per_channel.is_some()).min(oc).max(1);
        let left = (self.accumulators / held).max(1);
        let columns = left.min(ox).max(1);
        let rows = (left / columns).clamp(1, oy.max(1));
        [oc.div_ceil(held), oy.div_ceil(rows), ox.div_ceil(columns)]
    }

    fn loaded(&self, s: &Sched) -> u64 {
        let [channels, rows, columns] = self.blocks(s);
        let again = if self.problem.per_channel.is_some() { 1 } else { channels };
        self.act_bytes.saturating_mul(again).saturating_add(product([self.weight_bytes, rows, columns]))
    }

    /// Cycles, and the sum over the units.
    fn cycles(&self, s: &Sched, fold: bool) -> (u64, u64) {
        let compute = product(self.share(s)).saturating_mul(self.steps(s.ic, fold));
        let load = self.loaded(s) / self.budget.read_rate();
        (
            compute.max(self.drain),
            compute.max(load).max(self.drain).saturating_add(compute).saturating_add(load),
        )
    }

    /// Femtojoules that depend on the split: accesses of SRAM and register files.
    fn energy(&self, s: &Sched, fold: bool) -> u64 {
        let m = self.budget.machine();
        let [channels, rows, columns] = self.blocks(s);
        let Extent { oc, oy, ox, ic } = self.extent;
        let products = product([product(self.taps), ic]);
        let copies = |pes: u64, blocks: u64, of: u64| pes.saturating_mul(blocks).min(of);
        let inputs = product([oy, ox, products, copies(s.oc, channels, oc)]);
        let filters = product([oc, products, copies(s.oy, rows, oy), copies(s.ox, columns, ox)]);
        let sums = product([oc, oy, ox, s.ic, self.steps(s.ic, fold), 8]);
        let parts = [
            (self.loaded(s), m.sram_read_byte_fj),
            (inputs, m.if_byte_fj),
            (filters, m.fl_byte_fj),
            (sums, m.of_byte_fj),
        ];
        parts.into_iter().fold(0u64, |sum, (n, fj)| sum.saturating_add(n.saturating_mul(fj)))
    }
}

fn shape(t: &Tiling, extent: &Extent) -> Shape {
    Shape {
        extent: *extent,
        taps: [t.ky.size, t.kx.size],
        single: [t.oy.size == 1, t.ox.size == 1],
        partial: t.reductions() > 1,
    }
}

/// A tile in the middle of the image.
fn middle(p: &Problem, t: &Tiling, extent: &Extent) -> TileInput {
    let partial = t.reductions() > 1;
    TileInput {
        rows: (p.y.window_max(extent.oy, t.ky.size), 0),
        columns: (p.x.window_max(extent.ox, t.kx.size), 0),
        taps: [t.ky.size, t.kx.size],
        acc: [partial; 2],
    }
}

/// The invariant of a tiling's tiles with this schedule, except for fields that do not affect its cost.
fn invariant(p: &Problem, t: &Tiling, schedule: &Schedule) -> ConvInv {
    let used = |n: u64, value: u64| field(if n == 1 { 1 } else { value });
    let Schedule { pes, stays, block, fold } = *schedule;
    ConvInv {
        stride_y: used(t.oy.size, p.y.stride),
        stride_x: used(t.ox.size, p.x.stride),
        dilation_y: used(t.ky.size, p.y.dilation),
        dilation_x: used(t.kx.size, p.x.dilation),
        sched_oc: field(pes.oc),
        sched_oy: field(pes.oy),
        sched_ox: field(pes.ox),
        sched_ic: field(pes.ic),
        stationary: stays.into(),
        block_oc: field(block.oc),
        block_oy: field(block.oy),
        block_ox: field(block.ox),
        fold,
        ..p.inv
    }
}

/// The variant of a tile, except for fields that do not affect its cost.
fn variant(p: &Problem, extent: &Extent, place: &TileInput) -> ConvVar {
    let in_c = p.tile_ic(extent.oc, extent.ic);
    // The rest of the tensor's pixels lies between those of the tile.
    let pixel = if p.holds_input() { product([p.ic, p.in_bytes, p.x.step]) } else { in_c };
    ConvVar {
        in_h: field(place.rows.0),
        in_w: field(place.columns.0),
        in_c: field(in_c),
        act_pixel: field(pixel),
        origin_y: clamped(place.rows.1),
        origin_x: clamped(place.columns.1),
        kernel_h: field(place.taps[0]),
        kernel_w: field(place.taps[1]),
        out_h: field(extent.oy),
        out_w: field(extent.ox),
        out_c: field(extent.oc),
        acc_in: place.acc[0],
        acc_out: place.acc[1],
        ..ConvVar::default()
    }
}

/// A value of an instruction field, saturated at its maximum.
fn field<T: TryFrom<u64> + Bounded>(n: u64) -> T {
    T::try_from(n).unwrap_or(T::MAX)
}

fn clamped(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })
}

/// Types with a maximum.
trait Bounded {
    const MAX: Self;
}

impl Bounded for u16 {
    const MAX: u16 = u16::MAX;
}

impl Bounded for u32 {
    const MAX: u32 = u32::MAX;
}
