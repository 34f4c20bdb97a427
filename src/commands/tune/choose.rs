//! The search: what is measured, in which order, and the final choice.
//!
//! Invariant: no assignment that was measured as a whole and met the budget is better than the final one.

use std::sync::Arc;

use strum_passes::strum::strum_pack::Packing;
use strum_quant::Choice;

use super::budget::{Budget, Measured};
use super::measure::{Bench, Dense};
use super::refine::{Chosen, refine};
use super::search::{Point, choices, greatest, steps, within};
use super::text::Outcome;
use super::{dense, usual};
use crate::commands::eval::{decibels, powers};
use crate::driver::exit::Failure;

/// Number of assignments that are refined.
const STARTS: usize = 2;

/// Maximum measurements for the refinement of each.
const MEASUREMENTS: usize = 128;

/// A budget as given by the user.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    /// Maximum loss in percentage points.
    Loss(f64),
    /// Minimum SQNR of the outputs, in decibels.
    Sqnr(f64),
    /// Maximum bytes of stored weights.
    Bytes(f64),
}

/// A search in progress.
struct Search<'a> {
    bench: &'a Bench<'a>,
    configs: &'a [Choice],
    dense: Dense,
    budget: Budget,
}

/// The best assignment found, and its figures.
pub(super) fn choose(
    bench: &Bench<'_>,
    configs: &[Choice],
    bound: Bound,
) -> Result<(Packing, Outcome), Failure> {
    let dense = bench.dense()?;
    let (signal, _) = powers(&dense.reference, &dense.reference);
    let budget = match bound {
        Bound::Loss(most) => Budget::Loss(most),
        Bound::Sqnr(least) => Budget::Noise(signal / 10f64.powf(least / 10.0)),
        Bound::Bytes(most) => Budget::Cost(most),
    };
    let search = Search { bench, configs, dense, budget };
    let uniform = search.uniform()?;
    let mut starts = uniform.clone();
    bench.progress.task("single layers: ");
    let points = bench.points(configs, &search.dense)?;
    bench.progress.task("together: ");
    starts.push(search.propose(&points)?);
    let refined = search.refined(&points, starts)?;
    let (chosen, measured) = search.in_order(refined, uniform)?;
    let alone = search.alone(&points, &chosen)?;
    let outcome = Outcome {
        objective: bench.objective,
        samples: bench.data.count,
        dense: search.dense.cost,
        chosen: measured.cost,
        loss: measured.loss,
        labelled: bench.data.labels.is_some(),
        float: bench.float.is_some(),
        rounded: bench.rounding.is_some(),
        sqnr_db: decibels((signal, measured.noise)),
        predicted_sqnr_db: decibels((signal, search.dense.noise + alone.iter().flatten().sum::<f64>())),
        alone: alone.into_iter().map(|noise| decibels((signal, noise?))).collect(),
    };
    Ok((search.packing(&chosen), outcome))
}

impl Search<'_> {
    fn packing(&self, chosen: &[Option<usize>]) -> Packing {
        let plain = dense();
        let of = |choice: &Option<usize>| choice.and_then(|c| self.configs.get(c)).unwrap_or(&plain);
        let pairs = self.bench.trials.layers.iter().zip(chosen);
        self.bench.trials.packing(pairs.map(|(layer, choice)| layer.stored_as(of(choice))).collect())
    }

    fn measure(&self, chosen: &[Option<usize>]) -> Result<Measured, Failure> {
        self.bench.measure(&self.packing(chosen).into(), &self.dense)
    }

    /// One format for all layers, only for those that are packed by default.
    ///
    /// Unsupported layers are reported here, once, and not by every thread.
    fn uniform(&self) -> Result<Vec<(Chosen, Measured)>, Failure> {
        self.bench.progress.task("all layers alike: ");
        let layers = &self.bench.trials.layers;
        let mut all: Vec<(Chosen, Measured)> = Vec::new();
        for (index, choice) in self.configs.iter().enumerate() {
            let every: Chosen = vec![Some(index); layers.len()];
            let some: Chosen = layers.iter().map(|layer| usual(layer, choice).then_some(index)).collect();
            for chosen in [every, some] {
                if all.iter().all(|(other, _)| *other != chosen) {
                    let measured = self.bench.measure_in_order(&self.packing(&chosen).into(), &self.dense)?;
                    all.push((chosen, measured));
                }
            }
        }
        Ok(all)
    }

    /// The best within the budget, predicted by sums of single measurements.
    fn propose(&self, points: &[Vec<Point>]) -> Result<(Chosen, Measured), Failure> {
        let steps = steps(points);
        if let Budget::Cost(most) = self.budget {
            let chosen = within(points, self.dense.cost, most).ok_or_else(|| {
                let least = steps.iter().fold(self.dense.cost, |sum, step| sum + step.cost);
                Failure::input(format_args!("the least that these configurations come to is {least} bytes"))
            })?;
            let measured = self.measure(&chosen)?;
            return Ok((chosen, measured));
        }
        let count = greatest(steps.len(), |count| {
            Ok::<_, Failure>(self.budget.holds(&self.measure(&choices(&steps, count, points.len()))?))
        })?;
        let chosen = choices(&steps, count, points.len());
        let measured = self.measure(&chosen)?;
        Ok((chosen, measured))
    }

    /// The result as it will be: rounded in order, like the uniform choices; the best of them within the budget.
    fn in_order(
        &self,
        refined: Option<(Chosen, Measured)>,
        uniform: Vec<(Chosen, Measured)>,
    ) -> Result<(Chosen, Measured), Failure> {
        if let (Some(refined), true) = (&refined, self.bench.rounding.is_none()) {
            return Ok(refined.clone());
        }
        let mut all = uniform;
        let plain: Chosen = vec![None; self.bench.trials.layers.len()];
        for chosen in refined.map(|(chosen, _)| chosen).into_iter().chain([plain]) {
            let measured = self.bench.measure_in_order(&self.packing(&chosen).into(), &self.dense)?;
            all.push((chosen, measured));
        }
        let key = |measured: &Measured| match self.budget {
            Budget::Loss(_) => measured.loss,
            Budget::Noise(_) | Budget::Cost(_) => measured.noise,
        };
        let nearest = all.iter().map(|(_, measured)| *measured).min_by(|a, b| key(a).total_cmp(&key(b)));
        all.retain(|(_, measured)| self.budget.holds(measured));
        let better = |a: &(Chosen, Measured), b: &(Chosen, Measured)| self.budget.better(&a.1, &b.1);
        all.into_iter().reduce(|best, other| if better(&other, &best) { other } else { best }).ok_or_else(
            || {
                let Dense { cost, noise, loss, .. } = self.dense;
                let plain = self.described(&Measured { cost, noise, loss });
                let nearest = nearest.map(|measured| self.described(&measured)).unwrap_or_default();
                Failure::input(format_args!(
                    "nothing is within the budget: plain INT8 has {plain}, the choice nearest to it {nearest}"
                ))
            },
        )
    }

    /// Loss and SQNR, for a message.
    fn described(&self, measured: &Measured) -> String {
        let (signal, _) = powers(&self.dense.reference, &self.dense.reference);
        let db =
            decibels((signal, measured.noise)).map_or_else(|| "no error".into(), |db| format!("{db:.2} dB"));
        format!("a loss of {:.2} points and {db}", measured.loss)
    }

    /// The best of the starts and of the neighbourhood of the two best; nothing if none of them is within the budget.
    fn refined(
        &self,
        points: &[Vec<Point>],
        mut starts: Vec<(Chosen, Measured)>,
    ) -> Result<Option<(Chosen, Measured)>, Failure> {
        starts.retain(|(_, measured)| self.budget.holds(measured));
        let mut best: Option<(Chosen, Measured)> = None;
        let better = |one: &Measured, other: &Measured| self.budget.better(one, other);
        starts.sort_by(|(_, a), (_, b)| better(b, a).cmp(&better(a, b)));
        starts.dedup_by(|a, b| a.0 == b.0);
        for start in starts.into_iter().take(STARTS) {
            let found = refine(points, self.budget, start, MEASUREMENTS, |sets| {
                let packings: Vec<Arc<Packing>> =
                    sets.iter().map(|chosen| self.packing(chosen).into()).collect();
                self.bench.all(&packings, &self.dense)
            })?;
            if best.as_ref().is_none_or(|(_, best)| better(&found.1, best)) {
                best = Some(found);
            }
        }
        Ok(best)
    }

    /// The error of every layer alone in its chosen format; nothing for plain INT8.
    fn alone(&self, points: &[Vec<Point>], chosen: &[Option<usize>]) -> Result<Vec<Option<f64>>, Failure> {
        let layers = self.bench.trials.layers.iter().zip(points).zip(chosen);
        let noise = layers.map(|((layer, list), choice)| {
            let Some((point, config)) = choice.and_then(|c| Some((list.get(c)?, self.configs.get(c)?)))
            else {
                return Ok(None);
            };
            match point.noise.is_finite() {
                true => Ok(Some(point.noise)),
                false => self.bench.noise_alone(&layer.stored_as(config), &self.dense).map(Some),
            }
        });
        noise.collect()
    }
}
