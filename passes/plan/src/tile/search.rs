//! Tiling search: an enumeration of a few well-chosen sizes, largest tiles first.
//!
//! Deterministic, in integers. All candidates are ranked by an estimate; the best few are then replayed task by task with their
//! actual schedules.

use crate::error::PlanError;
use crate::objective::{self, Figures, Objective, Rank};
use crate::strategy::{ScheduleStrategy, TilingStrategy};

use super::axis::Split;
use super::budget::Budget;
use super::candidates::{Reduction, smallest, variants};
use super::cost::{self, Estimate, Sweep};
use super::dataflow::Tiles;
use super::{Order, Problem, Tiling, given, product, timeline};

/// Number of candidates that are replayed.
const FINALISTS: usize = 12;

/// Maximum number of steps of all finalists together that are replayed one by one.
const REPLAYED_STEPS_MAX: u64 = 1 << 10;

/// Column splits tried for each cut of channels and sums, row splits tried for each of them, and splits of one axis where the
/// other has one output.
const COLUMN_TRIES: usize = 3;
const ROW_TRIES: usize = 6;
const ONLY_TRIES: usize = 10;

/// Minimum output channels of a tile, unless nothing else fits.
const CHANNELS_MIN: u64 = 16;

/// Output slots of a plan that lets the DPU continue while a store waits for the memory.
const OUT_SLOTS_MAX: u64 = 4;

/// A tiling, its estimate and its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The tiling.
    pub(crate) tiling: Tiling,
    /// Its estimate.
    pub(crate) estimate: Estimate,
    rank: Rank,
    sweep: Sweep,
    sram: u64,
}

impl Choice {
    /// Whether this one replaces `best`: it is better by more than one percent; or at most one percent worse and smaller in SRAM,
    /// which leaves room for the neighbours' loads.
    fn replaces(&self, best: &Choice) -> bool {
        let (rank, best_rank) = (self.rank.0, best.rank.0);
        let percent = best_rank / 100;
        rank < best_rank - percent || rank <= best_rank.saturating_add(percent) && self.sram < best.sram
    }
}

/// Tilings found so far, by problem and budget: equal layers are searched once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memo(Vec<(Problem, Budget, Choice)>);

impl Memo {
    /// The best tiling for a problem that has the given fields; cached unless fields are given.
    ///
    /// # Errors
    /// A resource error if not even the smallest tiles fit the SRAM; refused if no tiling has the given fields.
    pub(crate) fn search(
        &mut self,
        problem: &Problem,
        budget: Budget,
        told: Option<&TilingStrategy>,
        schedules: &[ScheduleStrategy],
    ) -> Result<Choice, PlanError> {
        if let Some(told) = told {
            return search(problem, &budget, told, schedules);
        }
        let open = TilingStrategy::default();
        if !schedules.is_empty() {
            return search(problem, &budget, &open, schedules);
        }
        if let Some((.., choice)) = self.0.iter().find(|(p, b, _)| p == problem && *b == budget) {
            return Ok(*choice);
        }
        let choice = search(problem, &budget, &open, &[])?;
        self.0.push((problem.clone(), budget, choice));
        Ok(choice)
    }
}

/// The best tiling with the given fields.
///
/// # Errors
/// A resource error if not even the smallest tiles fit the SRAM; refused if no tiling has the given fields.
fn search(
    problem: &Problem,
    budget: &Budget,
    told: &TilingStrategy,
    schedules: &[ScheduleStrategy],
) -> Result<Choice, PlanError> {
    given::check(problem, told, budget)?;
    let mut finder = Finder {
        problem,
        budget,
        told,
        channels: given::oc_splits(problem, told),
        rows: given::axis_splits(&problem.y, told.oy),
        columns: given::axis_splits(&problem.x, told.ox),
        tiles: Tiles::new(problem, budget, schedules),
        finalists: Vec::new(),
        smallest: u64::MAX,
        refusal: None,
    };
    for (ky, kx) in given::kernel_splits(problem, told) {
        for ic in given::channel_splits(problem, told) {
            finder.try_reduction(&Reduction { ic, ky, kx });
            // Cut sums need fewer or shorter loads: useless once loads are few and short.
            if finder.is_within(10) || finder.is_within(3) && finder.is_compulsory() {
                return finder.finish();
            }
        }
        // Cutting the kernel reloads overlapping rows: only where nothing else is close to the bound.
        if finder.is_within(3) || finder.is_compulsory() {
            return finder.finish();
        }
    }
    finder.finish()
}

struct Finder<'a> {
    problem: &'a Problem,
    budget: &'a Budget,
    told: &'a TilingStrategy,
    channels: Vec<Split>,
    rows: Vec<Split>,
    columns: Vec<Split>,
    tiles: Tiles<'a>,
    /// The best candidates so far, best first.
    finalists: Vec<Choice>,
    /// SRAM bytes of the smallest candidate.
    smallest: u64,
    /// Why a cut that fits does not match the given fields.
    refusal: Option<PlanError>,
}

impl Finder<'_> {
    /// Tries the cuts of output channels and axes with a cut of the sums.
    fn try_reduction(&mut self, cut: &Reduction) {
        let p = self.problem;
        let (row_tries, column_tries) = match (p.y.output, p.x.output) {
            (1, _) => (1, ONLY_TRIES),
            (_, 1) => (ONLY_TRIES, 1),
            _ => (ROW_TRIES, COLUMN_TRIES),
        };
        let (Some(&row), Some(&column)) = (self.rows.last(), self.columns.last()) else { return };
        for i in 0..self.channels.len() {
            let Some(&oc) = self.channels.get(i) else { break };
            let rest = oc.size < CHANNELS_MIN && oc.count() > 1;
            if rest && !self.finalists.is_empty() || !self.fits(&smallest(p, cut, oc, row, column)) {
                continue;
            }
            let mut tried = 0;
            for i in 0..self.columns.len() {
                let Some(&ox) = self.columns.get(i).filter(|_| tried < column_tries) else { break };
                tried += usize::from(self.try_columns(cut, oc, ox, row_tries));
            }
        }
    }

    /// Tries the cuts of rows with all other cuts; false if none of them fits.
    fn try_columns(&mut self, cut: &Reduction, oc: Split, ox: Split, tries: usize) -> bool {
        let p = self.problem;
        let mut tried = 0;
        for i in 0..self.rows.len() {
            let Some(&oy) = self.rows.get(i).filter(|_| tried < tries) else { break };
            let least = smallest(p, cut, oc, oy, ox);
            if !self.fits(&least) {
                continue;
            }
            tried += 1;
            let told = self.told;
            if let Err(refusal) = given::check_slots(p, told, &least) {
                self.refusal.get_or_insert(refusal);
                continue;
            }
            let sweep = cost::sweep(p, &least, self.budget);
            let mut none = true;
            variants(p, &least, told, |tiling| {
                none = false;
                self.rank(tiling, sweep);
            });
            if none {
                self.refusal.get_or_insert_with(|| PlanError::refused("no tiling with these slot counts"));
            }
        }
        tried > 0
    }

    /// Whether a tiling fits the SRAM.
    fn fits(&mut self, tiling: &Tiling) -> bool {
        let bytes = tiling.sram_bytes(self.problem.resident);
        self.smallest = self.smallest.min(bytes);
        bytes <= self.budget.sram
    }

    /// Inserts a candidate into the finalists if it is good enough.
    fn rank(&mut self, tiling: Tiling, sweep: Sweep) {
        let sram = tiling.sram_bytes(self.problem.resident);
        let objective = self.budget.objective;
        let worst = self.finalists.get(FINALISTS - 1).map_or(u64::MAX, |c| c.estimate.cycles);
        let slow = || sweep.compute.saturating_mul(self.problem.repeats) >= worst;
        if sram > self.budget.sram || objective == Objective::Latency && slow() {
            return;
        }
        let mut estimate = cost::estimate(self.problem, &tiling, self.budget, &sweep, None);
        estimate.cycles = estimate.cycles.saturating_add(self.interference(&tiling, &estimate, &sweep));
        let energy = if objective.needs_energy() { estimate.rough_energy(self.budget) } else { 0 };
        let figures = Figures { cycles: estimate.cycles, energy, bytes: estimate.dram_bytes() };
        let choice = Choice { tiling, estimate, rank: objective.rank(&figures), sweep, sram };
        let key = |c: &Choice| (c.rank, c.sram);
        let at = self.finalists.partition_point(|c| key(c) < key(&choice));
        // Of ties only the smallest: variety is worth more.
        let equal = |c: &Choice| c.rank == choice.rank;
        if at == FINALISTS || at.checked_sub(1).and_then(|i| self.finalists.get(i)).is_some_and(equal) {
            return;
        }
        if self.finalists.get(at).is_some_and(equal) {
            self.finalists.remove(at);
        }
        self.finalists.truncate(FINALISTS - 1);
        self.finalists.insert(at, choice);
    }

    /// The cost of a tiling to neighbouring layers, in cycles: the vector engine waits for the first rows or the layer for its
    /// last ones, and reloaded weights compete with the next layer's for the memory.
    fn interference(&self, t: &Tiling, estimate: &Estimate, sweep: &Sweep) -> u64 {
        let in_order = t.order == Order::SpatialOuter || t.oc.count() == 1;
        let rows = product([self.problem.images, t.oy.count(), t.ox.count()]);
        let wait = estimate.compute.min(self.budget.shared_cycles) / if in_order { rows.max(1) } else { 1 };
        let once = sweep.weights.bytes.saturating_mul(self.problem.repeats);
        let again = estimate.weights.bytes.saturating_sub(once);
        let in_sram = self.problem.holds_input() || self.problem.holds_output();
        wait.saturating_add(if in_sram { self.budget.channel_cycles(again) } else { 0 })
    }

    /// Whether the best candidate loads everything once.
    fn is_compulsory(&self) -> bool {
        self.finalists.first().is_some_and(|c| {
            self.problem.per_channel.is_some() && c.tiling.reductions() == 1
                || c.estimate.acts.tasks <= c.sweep.acts.tasks
                    && c.estimate.weights.tasks <= c.sweep.weights.tasks
        })
    }

    /// Whether the best candidate is within `1 + 1 / part` of the lower bound; if the objective is not cycles, whether it loads
    /// everything once.
    fn is_within(&self, part: u64) -> bool {
        if self.budget.objective != Objective::Latency {
            return self.is_compulsory();
        }
        self.finalists.first().is_some_and(|c| {
            let bound = cost::lower_bound(self.problem, self.budget, &c.sweep);
            c.estimate.cycles <= bound.saturating_add(bound / part)
        })
    }

    /// The best of the finalists: replayed if they are short, otherwise by estimate.
    fn finish(mut self) -> Result<Choice, PlanError> {
        let mut steps = 0u64;
        let mut best: Option<Choice> = None;
        let finalists = std::mem::take(&mut self.finalists);
        let replays = finalists.first().is_some_and(|c| c.estimate.steps <= REPLAYED_STEPS_MAX);
        for choice in finalists {
            steps = steps.saturating_add(choice.estimate.steps);
            if replays && steps > REPLAYED_STEPS_MAX {
                continue;
            }
            let choice = if replays { self.replay(choice) } else { self.estimate(choice) };
            if best.as_ref().is_none_or(|best| choice.replaces(best)) {
                best = Some(choice);
            }
        }
        best.ok_or_else(|| match self.refusal {
            Some(refusal) => refusal,
            None if *self.told == TilingStrategy::default() => {
                PlanError::resource("SRAM bytes for the smallest tiles", self.smallest, self.budget.sram)
            }
            None => PlanError::refused(format!(
                "the tiling does not fit the {} bytes of SRAM that resident tensors leave",
                self.budget.sram
            )),
        })
    }

    /// The choice with the given cycles and energy of the DPU.
    fn ranked(&self, mut choice: Choice, cycles: u64, dpu_energy: u64) -> Choice {
        let interference = self.interference(&choice.tiling, &choice.estimate, &choice.sweep);
        choice.estimate.cycles = cycles.saturating_add(interference);
        let energy = dpu_energy.saturating_mul(self.problem.repeats);
        let energy = energy.saturating_add(choice.estimate.dma_energy(self.budget));
        let time = objective::energy_of_time(choice.estimate.cycles, self.budget.machine());
        let energy = energy.saturating_add(time);
        let bytes = choice.estimate.dram_bytes();
        choice.rank = self.budget.objective.rank(&Figures { cycles: choice.estimate.cycles, energy, bytes });
        choice
    }

    /// The choice with its cycles estimated from the exact compute.
    fn estimate(&mut self, mut choice: Choice) -> Choice {
        let (p, t) = (self.problem, &choice.tiling);
        let (cycles, energy) = self.tiles.compute(&choice.tiling);
        choice.estimate = cost::estimate(p, t, self.budget, &choice.sweep, Some(cycles));
        if let Some(told) = self.told.split_weights {
            choice.estimate.split_weights = told;
        }
        let cycles = choice.estimate.cycles;
        self.ranked(choice, cycles, energy)
    }

    /// The choice with its cycles replayed: weights loaded by one engine or by both, and few output slots or more.
    fn replay(&mut self, choice: Choice) -> Choice {
        let energy = match self.budget.objective.needs_energy() {
            true => self.tiles.compute(&choice.tiling).1,
            false => 0,
        };
        let mut best: Option<Choice> = None;
        let outputs = choice.estimate.outs.tasks;
        let fixed = choice.tiling.gather || self.told.out_slots.is_some();
        let more = if fixed { 0 } else { outputs.min(OUT_SLOTS_MAX) };
        for out_slots in [choice.tiling.out_slots, more] {
            let tiling = Tiling { out_slots, ..choice.tiling };
            let sram = tiling.sram_bytes(self.problem.resident);
            if out_slots < choice.tiling.out_slots || sram > self.budget.sram {
                continue;
            }
            for split in [false, true] {
                if split && !given::may_split(self.problem, self.budget)
                    || self.told.split_weights.is_some_and(|told| told != split)
                {
                    continue;
                }
                let replay = timeline::replay(&mut self.tiles, self.problem, &tiling, self.budget, split);
                let mut tried = Choice { tiling, sram, ..choice };
                tried.estimate.split_weights = split;
                tried.estimate.compute = replay.compute;
                let tried = self.ranked(tried, replay.cycles, energy);
                if best.is_none_or(|best| tried.rank < best.rank) {
                    best = Some(tried);
                }
            }
        }
        best.unwrap_or(choice)
    }
}
