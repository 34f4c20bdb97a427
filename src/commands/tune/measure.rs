//! Cost and error of every layer in every format, measured one at a time on the simulator.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use dpu_isa::Program;
use dpu_sim::Report;
use strum_float::quantize::Storage;
use strum_passes::strum::strum_pack::{LayerPacking, Packing};
use strum_quant::Choice;
use strum_tensors::Sources;

use super::budget::Measured;
use super::search::Point;
use crate::audit::audit;
use crate::commands::eval::{Answers, best, counted, powers, simulate};
use crate::driver::cli::Progress;
use crate::driver::data::Data;
use crate::driver::exit::Failure;
use crate::driver::files::Input;
use crate::driver::import::NetworkOptions;
use crate::driver::refit::{Alone, Changed, Refit, apply};
use crate::driver::remarks::Remarks;
use crate::driver::rounding;
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
    /// The outputs that others are measured against, if not those of plain INT8.
    pub(super) float: Option<Vec<Vec<f64>>>,
    /// Weights are rounded for the formats that are tried.
    pub(super) rounding: Option<Tries<'a>>,
}

/// The plain INT8 network, and what all others are measured against.
pub(super) struct Dense {
    pub(super) reference: Vec<Vec<f64>>,
    pub(super) cost: f64,
    /// Its own squared error and loss, against a float network.
    pub(super) noise: f64,
    pub(super) loss: f64,
}

impl Bench<'_> {
    /// Runs all samples as plain INT8.
    pub(super) fn dense(&self) -> Result<Dense, Failure> {
        let (answers, cost) = self.run(&self.trials.packing(Vec::new()).into(), self.threads)?;
        let reference = self.float.clone().unwrap_or_else(|| answers.logits.clone());
        let mut dense = Dense { reference, cost, noise: 0.0, loss: 0.0 };
        let Measured { noise, loss, .. } = self.against(&dense, &(answers, cost));
        (dense.noise, dense.loss) = (noise, loss);
        Ok(dense)
    }

    /// Runs all samples with these weights, on the given number of threads.
    fn run(&self, packing: &Arc<Packing>, threads: usize) -> Result<(Answers, f64), Failure> {
        self.simulated(self.trials, &self.compiled(packing)?, threads)
    }

    /// The program with weights in these formats; each layer is rounded for its own, if any is.
    fn compiled(&self, packing: &Arc<Packing>) -> Result<Trial, Failure> {
        let pass = as_packing(packing.clone());
        match &self.rounding {
            None => self.trials.compile(pass, Remarks::Silent),
            Some(tries) => {
                let changed = tries.weights(packing);
                self.trials.compile_edited(pass, Remarks::Silent, &|module| apply(module, &changed))
            }
        }
    }

    fn simulated(&self, trials: &Trials, trial: &Trial, threads: usize) -> Result<(Answers, f64), Failure> {
        let done = counted(self.progress, self.data.count);
        let silent = |_| {};
        let done: &(dyn Fn(u64) + Sync) = if threads == 1 { &silent } else { &done };
        let answers = simulate(&trial.program, &trials.codes, self.data, threads, done)?;
        let cost = self.objective.of(&trial.program, &answers.report)?;
        Ok((answers, cost))
    }

    fn against(&self, dense: &Dense, (answers, cost): &(Answers, f64)) -> Measured {
        let (_, noise) = powers(&dense.reference, &answers.logits);
        Measured { cost: *cost, noise, loss: loss(self.data, &dense.reference, answers) }
    }

    /// Measures an assignment whose layers are rounded in order, each with the inputs that earlier ones give; as
    /// [`measure`](Self::measure) without rounding.
    pub(super) fn measure_in_order(
        &self,
        packing: &Arc<Packing>,
        dense: &Dense,
    ) -> Result<Measured, Failure> {
        let Some(tries) = &self.rounding else { return self.measure(packing, dense) };
        let pass = as_packing(packing.clone());
        // The source is MLIR, to which no option of a file applies.
        let mlir = NetworkOptions::default();
        let given = (&mlir, true);
        let prepared =
            rounding::prepare(tries.source.clone(), given, tries.calibration, &pass, self.progress)?;
        let trials = Trials::prepare(prepared.input, tries.machine, given, self.progress)?;
        let trial = trials.compile(pass, Remarks::Silent)?;
        Ok(self.against(dense, &self.simulated(&trials, &trial, self.threads)?))
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
            let trial = self.alone(layer)?;
            let useless = self.objective == Objective::Size && bytes(&trial.program)? >= dense.cost;
            if useless { Ok(Point { noise: f64::INFINITY, cost: 0.0 }) } else { self.point(&trial, dense) }
        })?;
        Ok(points.chunks(choices.len().max(1)).map(<[_]>::to_vec).collect())
    }

    /// The error with one layer packed, all others plain INT8.
    pub(super) fn noise_alone(&self, layer: &LayerPacking, dense: &Dense) -> Result<f64, Failure> {
        Ok(self.point(&self.alone(layer)?, dense)?.noise)
    }

    /// The program with one layer packed.
    fn alone(&self, layer: &LayerPacking) -> Result<Trial, Failure> {
        self.compiled(&self.trials.packing(vec![layer.clone()]).into())
    }

    fn point(&self, trial: &Trial, dense: &Dense) -> Result<Point, Failure> {
        let answers = simulate(&trial.program, &self.trials.codes, self.data, 1, &|_| {})?;
        let cost = self.objective.of(&trial.program, &answers.report)? - dense.cost;
        let (_, noise) = powers(&dense.reference, &answers.logits);
        // Against a float network, INT8 has an error of its own.
        Ok(Point { noise: (noise - dense.noise).max(0.0), cost })
    }
}

/// Bytes of stored weights.
fn bytes(program: &Program) -> Result<f64, Failure> {
    Ok(audit(program).map_err(Failure::internal)?.total.bytes as f64)
}

/// Loss in percentage points: of correct answers with labels, otherwise of agreement with the reference.
fn loss(data: &Data, reference: &[Vec<f64>], answers: &Answers) -> f64 {
    let pairs = reference.iter().zip(&answers.logits);
    let lost = match &data.labels {
        None => pairs.filter(|(a, b)| best(a) != best(b)).count() as f64,
        Some(labels) => pairs
            .zip(labels)
            .map(|((a, b), &label)| f64::from(best(a) == label) - f64::from(best(b) == label))
            .sum(),
    };
    100.0 * lost / data.count.max(1) as f64
}

/// The weights of every layer, rounded for every format that is tried.
pub(super) struct Tries<'a> {
    /// The network as it was given, and what its layers are rounded with in order.
    source: &'a Input,
    calibration: Sources<'a>,
    machine: Option<&'a Path>,
    choices: Vec<Choice>,
    layers: Alone,
}

impl<'a> Tries<'a> {
    /// Rounds every layer for every format, for inputs of the exact network.
    pub(super) fn new(
        (source, trials): (&'a Input, &Trials),
        calibration: Sources<'a>,
        machine: Option<&'a Path>,
        choices: &[Choice],
        (threads, progress): (usize, &Progress),
    ) -> Result<Self, Failure> {
        choices.iter().try_for_each(Storage::check).map_err(Failure::usage)?;
        let samples = rounding::coded(trials, calibration, progress)?;
        let refit = Refit { trials, samples: &samples, threads, progress };
        let formats: Vec<_> = choices.iter().map(Storage::of_any).collect();
        Ok(Tries { source, calibration, machine, choices: choices.to_vec(), layers: refit.alone(&formats)? })
    }

    /// The weights of the layers in a packing.
    fn weights(&self, packing: &Packing) -> Changed {
        let layers = packing.programs.iter().flat_map(|program| &program.layers);
        let of = |layer: &LayerPacking| {
            let (op, list) = self.layers.get(&layer.name)?;
            let choice = self.choices.iter().position(|choice| *choice == layer.choice)?;
            Some((*op, list.get(choice)?.clone()))
        };
        layers.filter_map(of).collect()
    }
}
