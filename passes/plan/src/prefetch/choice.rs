//! Which loads are prefetched: the candidates, and the choice among them.
//!
//! Every amount of SRAM that prefetches may fill is tried, and then, layer by layer, whether its loads should stay in place. A
//! moved load changes only cycles, and with them energy, so every objective minimizes cycles. Invariant: by
//! [`Forecast`](crate::Forecast), the choice takes no more cycles than the draft without it.

use std::collections::{BTreeMap, BTreeSet};

use dpu_isa::Machine;

use super::{check, order, permuted};
use crate::draft::{Draft, Task};
use crate::error::PlanError;
use crate::forecast::Forecaster;

/// Shares of the SRAM that prefetches may fill: eighths.
const EIGHTHS: u64 = 8;

/// Task budget of the layer-by-layer trials, all trials together.
const TRIED_TASKS: usize = 1 << 13;

/// The prefetching constraints of a strategy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    /// SRAM bytes that prefetched constants may fill.
    pub bytes: Option<u64>,
    /// For every layer, whether its constants may be prefetched; missing entries are undecided.
    pub layers: &'a [Option<bool>],
}

impl Limits<'_> {
    fn layer(&self, layer: u32) -> Option<bool> {
        self.layers.get(layer as usize).copied().flatten()
    }
}

/// The prefetching choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefetch {
    /// SRAM bytes that prefetched constants may fill; 0: no load moves.
    pub bytes: u64,
    /// Layers whose loads stay in place.
    pub kept: BTreeSet<u32>,
    /// Cycles of the draft with this choice.
    pub cycles: u64,
}

struct Trials<'a, 'm> {
    draft: &'a mut Draft,
    forecaster: Forecaster<'m>,
    /// The tasks in their own order.
    tasks: Vec<Task>,
    /// The cycles of orders that were tried; `None` if buffers do not fit.
    tried: BTreeMap<Vec<usize>, Option<u64>>,
}

impl Trials<'_, '_> {
    /// The order of a choice.
    fn order(&mut self, choice: &Prefetch) -> Result<Vec<usize>, PlanError> {
        self.draft.tasks.clone_from(&self.tasks);
        order(self.draft, choice.bytes, |layer| choice.bytes > 0 && !choice.kept.contains(&layer))
    }

    /// The cycles of a choice, if buffers fit.
    fn cycles(&mut self, choice: &Prefetch) -> Result<Option<u64>, PlanError> {
        let order = self.order(choice)?;
        if let Some(cycles) = self.tried.get(&order) {
            return Ok(*cycles);
        }
        self.draft.tasks = permuted(&self.tasks, &order);
        let cycles = match self.forecaster.cycles(self.draft, &order) {
            Ok(cycles) => Some(cycles),
            Err(PlanError::Resource { .. }) => None,
            Err(error) => return Err(error),
        };
        self.tried.insert(order, cycles);
        Ok(cycles)
    }

    /// The layers whose loads a choice moves, largest number of moved bytes first.
    fn moved(&mut self, choice: &Prefetch) -> Result<Vec<u32>, PlanError> {
        let mut ahead: BTreeMap<u32, u64> = BTreeMap::new();
        let mut latest = None;
        for &task in self.order(choice)?.iter().rev() {
            // A task is prefetched if one that preceded it now follows it.
            if latest.is_some_and(|latest| task > latest)
                && let Some(task) = self.tasks.get(task)
            {
                let bytes = task.buffer("dst").and_then(|id| self.draft.buffers.get(id.index()));
                let sum = ahead.entry(task.layer).or_default();
                *sum = sum.saturating_add(bytes.map_or(0, |b| b.bytes));
            }
            latest = Some(latest.map_or(task, |latest: usize| latest.min(task)));
        }
        let mut layers: Vec<(u32, u64)> = ahead.into_iter().collect();
        layers.sort_by_key(|&(layer, bytes)| (std::cmp::Reverse(bytes), layer));
        Ok(layers.into_iter().map(|(layer, _)| layer).collect())
    }
}

/// The cycles of a draft with as much prefetch as the limits allow; nothing if buffers do not fit.
///
/// # Errors
/// An internal error if the draft cannot be run.
pub(crate) fn cycles(
    draft: &Draft,
    machine: &Machine,
    limits: &Limits<'_>,
) -> Result<Option<u64>, PlanError> {
    let mut draft = draft.clone();
    let kept = kept(&draft, limits);
    let forecaster = Forecaster::new(&draft, machine)?;
    let tasks = draft.tasks.clone();
    let mut trials = Trials { draft: &mut draft, forecaster, tasks, tried: BTreeMap::new() };
    trials.cycles(&Prefetch { bytes: limits.bytes.unwrap_or(machine.sram_bytes), kept, cycles: 0 })
}

/// The layers whose loads the limits keep in place.
fn kept(draft: &Draft, limits: &Limits<'_>) -> BTreeSet<u32> {
    let layers = (0..draft.layers.len()).filter_map(|l| u32::try_from(l).ok());
    layers.filter(|&l| limits.layer(l) == Some(false)).collect()
}

/// Prefetches loads of constants where that pays, within limits; returns the choice, or nothing if buffers do not fit, with the
/// tasks unchanged.
///
/// # Errors
/// An internal error if the draft cannot be run.
pub fn choose(
    draft: &mut Draft,
    machine: &Machine,
    limits: &Limits<'_>,
) -> Result<Option<Prefetch>, PlanError> {
    let kept = kept(draft, limits);
    let forecaster = Forecaster::new(draft, machine)?;
    let tasks = draft.tasks.clone();
    let mut trials = Trials { draft, forecaster, tasks, tried: BTreeMap::new() };
    let amounts: Vec<u64> = match limits.bytes {
        Some(bytes) => vec![bytes],
        None => (0..=EIGHTHS).map(|eighths| machine.sram_bytes / EIGHTHS * eighths).collect(),
    };
    let mut best: Option<(u64, Prefetch)> = None;
    for bytes in amounts {
        let choice = Prefetch { bytes, kept: kept.clone(), cycles: 0 };
        if let Some(cycles) = trials.cycles(&choice)?
            && best.as_ref().is_none_or(|(least, _)| cycles < *least)
        {
            best = Some((cycles, choice));
        }
    }
    let Some((mut least, mut best)) = best else {
        trials.draft.tasks = trials.tasks;
        return Ok(None);
    };
    let rounds = TRIED_TASKS / trials.tasks.len().max(1);
    let open = trials.moved(&best)?.into_iter().filter(|&l| limits.layer(l).is_none());
    for layer in open.take(rounds) {
        let mut choice = best.clone();
        choice.kept.insert(layer);
        if let Some(cycles) = trials.cycles(&choice)?.filter(|&cycles| cycles < least) {
            (least, best) = (cycles, choice);
        }
    }
    let order = trials.order(&best)?;
    let Trials { draft, tasks, .. } = trials;
    draft.tasks = permuted(&tasks, &order);
    if cfg!(debug_assertions) {
        check(draft, &tasks)?;
    }
    best.cycles = least;
    Ok(Some(best))
}
