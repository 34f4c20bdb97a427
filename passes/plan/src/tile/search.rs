//! Choosing a tiling: an enumeration of few, well-chosen sizes with the largest tiles first.
//!
//! Deterministic, in integers. Two phases: all candidates are ranked with a lower bound of their compute, then the best
//! few with the exact compute of the schedules they will get.

use crate::error::PlanError;

use super::axis::{Axis, Split, ladder};
use super::cost::{self, Budget, Estimate, Sweep, product};
use super::{Order, Problem, Tiling, WINDOW_MAX};

/// Candidates that get an exact estimate.
const FINALISTS: usize = 6;

/// Column splits tried for one cut of channels and sums, and row splits tried for each of them.
const COLUMN_TRIES: usize = 4;
const ROW_TRIES: usize = 6;

/// The most slots of a stream.
const SLOTS_MAX: u64 = 64;

/// A tiling, what it costs, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The tiling.
    pub(crate) tiling: Tiling,
    /// Its estimate.
    pub(crate) estimate: Estimate,
    sweep: Sweep,
    sram: u64,
}

/// How sums are cut.
#[derive(Clone, Copy, Debug)]
struct Reduction {
    ic: Split,
    ky: Split,
    kx: Split,
}

impl Reduction {
    fn parts(&self) -> u64 {
        self.ic.count().saturating_mul(self.ky.count()).saturating_mul(self.kx.count())
    }
}

/// The best tiling found.
///
/// # Errors
/// A resource error if not even the smallest tiles fit the SRAM.
pub(crate) fn search(problem: &Problem, budget: &Budget) -> Result<Choice, PlanError> {
    let mut finder = Finder { problem, budget, finalists: Vec::new(), smallest: u64::MAX };
    let kernels = kernel_splits(problem);
    for (i, (ky, kx)) in kernels.iter().enumerate() {
        for ic in channel_splits(problem) {
            finder.try_reduction(Reduction { ic, ky: *ky, kx: *kx });
            if finder.is_compulsory() {
                break;
            }
        }
        // Cutting the kernel costs loads of overlapping rows: only where nothing else is near the bound.
        if finder.is_compulsory() || (i + 1 < kernels.len() && finder.is_near_bound()) {
            break;
        }
    }
    finder.finish()
}

struct Finder<'a> {
    problem: &'a Problem,
    budget: &'a Budget,
    finalists: Vec<Choice>,
    smallest: u64,
}

impl Finder<'_> {
    fn try_reduction(&mut self, cut: Reduction) {
        for oc in &self.problem.oc_splits {
            let mut tries = 0;
            for ox in sizes(&self.problem.x) {
                let mut fits = false;
                let mut row_tries = 0;
                for oy in sizes(&self.problem.y) {
                    if self.try_tile(cut, *oc, oy, ox) {
                        fits = true;
                        row_tries += 1;
                        if row_tries == ROW_TRIES {
                            break;
                        }
                    }
                }
                tries += usize::from(fits);
                if tries == COLUMN_TRIES {
                    break;
                }
            }
        }
    }

    /// Ranks all loop orders and slot counts for one tile size; false if none of them fits.
    fn try_tile(&mut self, cut: Reduction, oc: Split, oy: Split, ox: Split) -> bool {
        let p = self.problem;
        let taps = cut.ky.size.saturating_mul(cut.kx.size);
        let tile_ic = p.tile_ic(oc.size, cut.ic.size);
        let rows = p.y.window_max(oy.size, cut.ky.size);
        let columns = p.x.window_max(ox.size, cut.kx.size);
        let parts = cut.parts();
        let spatial = product([p.images, oy.count(), ox.count()]);
        let outputs = spatial.saturating_mul(oc.count());
        let act_tiles = spatial.saturating_mul(parts);
        let weight_tiles = oc.count().saturating_mul(parts);
        // At least two slots as soon as there are two tiles.
        let two = |tiles: u64| tiles.saturating_mul(p.repeats).min(2);
        let tiling = Tiling {
            oy,
            ox,
            oc,
            ic: cut.ic,
            ky: cut.ky,
            kx: cut.kx,
            order: Order::SpatialOuter,
            gather: false,
            act_slots: two(if p.per_channel.is_some() { outputs.saturating_mul(parts) } else { act_tiles }),
            weight_slots: if p.weights.is_some() { two(weight_tiles) } else { 0 },
            out_slots: two(outputs),
            act_bytes: product([rows, columns, tile_ic, p.in_bytes]),
            weight_bytes: p.weight_bytes(oc.size, taps, cut.ic.size),
            out_bytes: product([oy.size, ox.size, oc.size, p.out_bytes]),
            stage_slots: if p.staged { two(weight_tiles) } else { 0 },
            stage_bytes: if p.staged { product([oc.size, taps, cut.ic.size]) } else { 0 },
            psum_bytes: if parts > 1 { product([oy.size, ox.size, oc.size, 4]) } else { 0 },
        };
        let least = tiling.sram_bytes(p.resident);
        self.smallest = self.smallest.min(least);
        if least > self.budget.sram {
            return false;
        }
        let sweep = cost::sweep(p, &tiling, self.budget);
        for order in [Order::SpatialOuter, Order::ChannelOuter] {
            // Activations of single channels are used once: more slots would hold nothing of use.
            let act_tiles = if p.per_channel.is_some() { 0 } else { act_tiles };
            let weight_tiles = if p.weights.is_some() { weight_tiles } else { 0 };
            for acts in slot_counts(tiling.act_slots, parts, act_tiles) {
                for weights in slot_counts(tiling.weight_slots, parts, weight_tiles) {
                    let candidate = Tiling { order, act_slots: acts, weight_slots: weights, ..tiling };
                    self.rank(candidate, sweep);
                    if let Some(gathered) = gathered(p, &candidate) {
                        self.rank(gathered, sweep);
                    }
                }
            }
        }
        true
    }

    fn rank(&mut self, tiling: Tiling, sweep: Sweep) {
        let sram = tiling.sram_bytes(self.problem.resident);
        if sram > self.budget.sram {
            return;
        }
        let estimate = cost::estimate(self.problem, &tiling, self.budget, &sweep, None);
        let choice = Choice { tiling, estimate, sweep, sram };
        let key = |c: &Choice| (c.estimate.cycles, c.sram);
        let at = self.finalists.partition_point(|c| key(c) <= key(&choice));
        if at < FINALISTS {
            self.finalists.truncate(FINALISTS - 1);
            self.finalists.insert(at, choice);
        }
    }

    /// Whether the best candidate loads everything once, so that cutting sums cannot help.
    fn is_compulsory(&self) -> bool {
        self.finalists.first().is_some_and(|c| {
            c.tiling.reductions() == 1
                && (self.problem.per_channel.is_some()
                    || c.estimate.acts.tasks <= c.sweep.acts.tasks
                        && c.estimate.weights.tasks <= c.sweep.weights.tasks)
        })
    }

    /// Whether the best candidate is within a third of what no plan can beat.
    fn is_near_bound(&self) -> bool {
        self.finalists.first().is_some_and(|c| {
            let bound = cost::lower_bound(self.problem, self.budget, &c.sweep);
            c.estimate.cycles <= bound.saturating_add(bound / 3)
        })
    }

    fn finish(self) -> Result<Choice, PlanError> {
        let mut best: Option<Choice> = None;
        for mut choice in self.finalists {
            let compute = cost::compute_cycles(self.problem, &choice.tiling, self.budget);
            choice.estimate =
                cost::estimate(self.problem, &choice.tiling, self.budget, &choice.sweep, Some(compute));
            // Within one percent the smaller footprint wins: it leaves room for the neighbours' loads.
            let key = |c: &Choice| c.estimate.cycles;
            best = match best {
                Some(b) if key(&choice) + key(&b) / 100 < key(&b) => Some(choice),
                Some(b) if key(&choice) <= key(&b) + key(&b) / 100 && choice.sram < b.sram => Some(choice),
                None => Some(choice),
                other => other,
            };
        }
        best.ok_or_else(|| {
            PlanError::resource("SRAM bytes for the smallest tiles", self.smallest, self.budget.sram)
        })
    }
}

/// The same tiling with the outputs of a round of the outer loop stored at once; none where that changes nothing, or
/// where a round spans images.
fn gathered(p: &Problem, t: &Tiling) -> Option<Tiling> {
    let spatial = product([p.images, t.oy.count(), t.ox.count()]);
    let (outer, inner, outputs) = match t.order {
        Order::SpatialOuter => (spatial, t.oc.count(), product([t.oy.size, t.ox.size, p.oc])),
        Order::ChannelOuter => (t.oc.count(), spatial, product([p.y.output, p.x.output, t.oc.size])),
    };
    let whole = t.order == Order::SpatialOuter || p.images == 1;
    let out_slots = outer.saturating_mul(p.repeats).min(2);
    let out_bytes = outputs.saturating_mul(p.out_bytes);
    (inner > 1 && whole).then_some(Tiling { gather: true, out_slots, out_bytes, ..*t })
}

/// Slot counts worth trying: two, all of one sum and the next, all.
fn slot_counts(least: u64, parts: u64, tiles: u64) -> impl Iterator<Item = u64> {
    let one_sum = Some(parts.saturating_add(1).min(tiles)).filter(|&n| n > least && n <= SLOTS_MAX);
    let all = Some(tiles).filter(|&n| n > least && Some(n) != one_sum && n <= SLOTS_MAX);
    std::iter::once(least).chain(one_sum).chain(all)
}

/// Cuts of an output axis. Strides and kernels beyond the instruction fields leave one output a tile.
fn sizes(axis: &Axis) -> Vec<Split> {
    if axis.stride > WINDOW_MAX || axis.kernel > WINDOW_MAX {
        return vec![Split::new(axis.output, 1)];
    }
    ladder(axis.output, 1).into_iter().map(|size| Split::new(axis.output, size)).collect()
}

/// Cuts of the kernel, coarsest first: rows are halved down to one, then columns.
fn kernel_splits(problem: &Problem) -> Vec<(Split, Split)> {
    let largest = |a: &Axis| if a.dilation > WINDOW_MAX { 1 } else { a.kernel.min(WINDOW_MAX) };
    let (mut ky, mut kx) = (largest(&problem.y), largest(&problem.x));
    let mut cuts = Vec::new();
    loop {
        cuts.push((Split::new(problem.y.kernel, ky), Split::new(problem.x.kernel, kx)));
        match (ky, kx) {
            (1, 1) => return cuts,
            (1, _) => kx = kx.div_ceil(2),
            _ => ky = ky.div_ceil(2),
        }
    }
}

/// Cuts of the input channels, coarsest first: halved down to the grain.
fn channel_splits(problem: &Problem) -> Vec<Split> {
    if problem.per_channel.is_some() {
        return vec![Split::new(1, 1)];
    }
    let grain = problem.ic_grain;
    let mut cuts = vec![Split::new(problem.ic, problem.ic)];
    let mut size = problem.ic;
    while size > grain {
        size = size.div_ceil(2).next_multiple_of(grain).min(size - 1) / grain.max(1) * grain;
        size = size.max(grain);
        cuts.push(Split::new(problem.ic, size));
    }
    cuts
}
