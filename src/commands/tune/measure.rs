//! Cost and error of every layer in every format, measured one at a time on the simulator.

use std::sync::Arc;

use clap::ValueEnum;
use dpu_isa::Program;
use dpu_sim::Report;
use strum_passes::strum::strum_pack::{LayerPacking, Packing};
use strum_quant::Choice;

use super::budget::Measured;
use super::search::Point;
use crate::audit::audit;
use crate::commands::eval::{Answers, best, counted, powers, simulate};
use crate::driver::cli::Progress;
use crate::driver::data::Data;
use crate::driver::exit::Failure;
use crate::driver::remarks::Remarks;
use crate::driver::trial::{Trial, Trials, as_packing, each};

/// The quantity to minimize.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Objective {
    /// bytes of stored weights
    #[default]
    Size,
    /// energy of a sample
    Energy,
    /// cycles of a sample
    Latency,
}

impl Objective {
    /// The minimized quantity of a program and its run.
    fn of(self, program: &Program, report: &Report) -> Result<f64, Failure> {
        Ok(match self {
            Objective::Size => bytes(program)?,
            Objective::Energy => report.total.energy_fj.total as f64,
            Objective::Latency => report.cycles as f64,
        })
    }

    /// Its label.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Objective::Size => "bytes",
            Objective::Energy => "fJ",
            Objective::Latency => "cycles",
        }
    }
}

/// A network with the samples that it is measured on.
pub(super) struct Bench<'a> {
    pub(super) trials: &'a Trials,
    pub(super) data: &'a Data,
    pub(super) objective: Objective,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
}

/// The plain INT8 network, which all others are measured against.
pub(super) struct Dense {
    pub(super) answers: Answers,
    pub(super) cost: f64,
}

impl Bench<'_> {
    /// Runs all samples as plain INT8.
    pub(super) fn dense(&self) -> Result<Dense, Failure> {
        let (answers, cost) = self.run(&self.trials.packing(Vec::new()).into(), self.threads)?;
        Ok(Dense { answers, cost })
    }

    /// Runs all samples with these weights, on the given number of threads.
    fn run(&self, packing: &Arc<Packing>, threads: usize) -> Result<(Answers, f64), Failure> {
        let trial = self.trials.compile(as_packing(packing.clone()), Remarks::Silent)?;
        let done = counted(self.progress, self.data.count);
        let silent = |_| {};
        let done: &(dyn Fn(u64) + Sync) = if threads == 1 { &silent } else { &done };
        let answers = simulate(&trial.program, &self.trials.codes, self.data, threads, done)?;
        let cost = self.objective.of(&trial.program, &answers.report)?;
        Ok((answers, cost))
    }

    fn against(&self, dense: &Dense, (answers, cost): &(Answers, f64)) -> Measured {
        let (_, noise) = powers(&dense.answers.logits, &answers.logits);
        Measured { cost: *cost, noise, loss: loss(self.data, dense, answers) }
    }

    /// Measures an assignment, on all threads.
    pub(super) fn measure(&self, packing: &Arc<Packing>, dense: &Dense) -> Result<Measured, Failure> {
        Ok(self.against(dense, &self.run(packing, self.threads)?))
    }

    /// Measures several assignments in parallel.
    pub(super) fn all(&self, packings: &[Arc<Packing>], dense: &Dense) -> Result<Vec<Measured>, Failure> {
        each(packings, self.threads, self.progress, |packing| Ok(self.against(dense, &self.run(packing, 1)?)))
    }

    /// The points of every layer and format, one layer packed at a time, others plain INT8.
    ///
    /// A format that stores no fewer bytes is useless to a size search: it is not run, and its error is infinite.
    pub(super) fn points(&self, choices: &[Choice], dense: &Dense) -> Result<Vec<Vec<Point>>, Failure> {
        let layers = self.trials.layers.iter();
        let all: Vec<LayerPacking> =
            layers.flat_map(|layer| choices.iter().map(|choice| layer.stored_as(choice))).collect();
        let points = each(&all, self.threads, self.progress, |layer| {
            let trial = self.trials.alone(layer.clone())?;
            let useless = self.objective == Objective::Size && bytes(&trial.program)? >= dense.cost;
            if useless { Ok(Point { noise: f64::INFINITY, cost: 0.0 }) } else { self.point(&trial, dense) }
        })?;
        Ok(points.chunks(choices.len().max(1)).map(<[_]>::to_vec).collect())
    }

    /// The error with one layer packed, all others plain INT8.
    pub(super) fn noise_alone(&self, layer: &LayerPacking, dense: &Dense) -> Result<f64, Failure> {
        Ok(self.point(&self.trials.alone(layer.clone())?, dense)?.noise)
    }

    fn point(&self, trial: &Trial, dense: &Dense) -> Result<Point, Failure> {
        let answers = simulate(&trial.program, &self.trials.codes, self.data, 1, &|_| {})?;
        let cost = self.objective.of(&trial.program, &answers.report)? - dense.cost;
        let (_, noise) = powers(&dense.answers.logits, &answers.logits);
        Ok(Point { noise, cost })
    }
}

/// Bytes of stored weights.
fn bytes(program: &Program) -> Result<f64, Failure> {
    Ok(audit(program).map_err(Failure::internal)?.total.bytes as f64)
}

/// Loss in percentage points: of correct answers with labels, otherwise of agreement with INT8.
fn loss(data: &Data, dense: &Dense, answers: &Answers) -> f64 {
    let pairs = dense.answers.logits.iter().zip(&answers.logits);
    let lost = match &data.labels {
        None => pairs.filter(|(a, b)| best(a) != best(b)).count() as f64,
        Some(labels) => pairs
            .zip(labels)
            .map(|((a, b), &label)| f64::from(best(a) == label) - f64::from(best(b) == label))
            .sum(),
    };
    100.0 * lost / data.count.max(1) as f64
}
