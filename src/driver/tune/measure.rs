//! What every way of storing every layer's weights costs and spoils, measured one at a time on the simulator.

use clap::ValueEnum;
use dpu_isa::Program;
use dpu_sim::Report;
use strum_passes::strum_pack::{Choice, LayerPacking, Packing};

use super::search::Point;
use crate::audit::audit;
use crate::driver::eval::{Answers, Data, counted, powers, simulate};
use crate::driver::exit::Failure;
use crate::driver::progress::Progress;
use crate::driver::trial::{How, Trials, each};

/// What is to be little.
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
    /// The figure of a program and its run.
    fn of(self, program: &Program, report: &Report) -> Result<f64, Failure> {
        Ok(match self {
            Objective::Size => audit(program).map_err(Failure::internal)?.total.bytes as f64,
            Objective::Energy => report.total.energy_fj.total as f64,
            Objective::Latency => report.cycles as f64,
        })
    }

    /// What the figure is called.
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

/// A set of choices, measured.
pub(super) struct Measured {
    pub(super) answers: Answers,
    /// The figure that is to be little.
    pub(super) cost: f64,
}

impl Bench<'_> {
    /// Runs all samples with these weights, on all threads.
    pub(super) fn measure(&self, packing: &Packing) -> Result<Measured, Failure> {
        let trial = self.trials.compile(&How::Packing(packing), true)?;
        let done = counted(self.progress, self.data.count);
        let answers = simulate(&trial.program, &self.trials.codes, self.data, self.threads, &done)?;
        let cost = self.objective.of(&trial.program, &answers.report)?;
        Ok(Measured { answers, cost })
    }

    /// The points of every layer and choice, one layer packed at a time, beside the plain INT8 network.
    pub(super) fn points(&self, choices: &[Choice], dense: &Measured) -> Result<Vec<Vec<Point>>, Failure> {
        let layers = self.trials.layers.iter();
        let all: Vec<LayerPacking> =
            layers.flat_map(|layer| choices.iter().map(|choice| layer.stored_as(choice))).collect();
        let points = each(&all, self.threads, self.progress, |layer| {
            let trial = self.trials.alone(layer.clone())?;
            let answers = simulate(&trial.program, &self.trials.codes, self.data, 1, &|_| {})?;
            let cost = self.objective.of(&trial.program, &answers.report)? - dense.cost;
            let (_, noise) = powers(&dense.answers.logits, &answers.logits);
            Ok(Point { noise, cost })
        })?;
        Ok(points.chunks(choices.len().max(1)).map(<[_]>::to_vec).collect())
    }
}
