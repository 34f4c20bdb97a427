//! What every way of storing every layer's weights costs and spoils, measured one at a time on the simulator.

use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use dpu_isa::Program;
use dpu_sim::Report;
use rayon::prelude::*;
use strum_passes::strum_pack::{Choice, LayerPacking, PackableLayer, Packing, ProgramPacking};

use super::search::Point;
use crate::audit::audit;
use crate::driver::eval::{Answers, Data, powers, simulate};
use crate::driver::exit::Failure;
use crate::driver::progress::Progress;
use crate::driver::trial::{How, Trials};

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
        let total = self.data.count;
        let done = |n: u64| {
            if n.is_multiple_of(8) {
                self.progress.step(format!("simulate, {n} of {total} samples"));
            }
        };
        let answers = simulate(&trial.program, &self.trials.codes, self.data, self.threads, &done)?;
        let cost = self.objective.of(&trial.program, &answers.report)?;
        Ok(Measured { answers, cost })
    }

    /// The points of every layer and choice, one layer packed at a time, beside the plain INT8 network.
    ///
    /// A choice that stores a layer as it is anyway is no choice, nor is one that the layer cannot have.
    pub(super) fn points(
        &self,
        choices: &[Choice],
        dense: &Measured,
    ) -> Result<Vec<Vec<Option<Point>>>, Failure> {
        let layers = &self.trials.layers;
        let pairs: Vec<(&PackableLayer, &Choice)> =
            layers.iter().flat_map(|layer| choices.iter().map(move |choice| (layer, choice))).collect();
        let done = AtomicUsize::new(0);
        let one = |&(layer, choice): &(&PackableLayer, &Choice)| {
            let point = self.point(layer, choice, dense);
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.step(format!("measure {count} of {}", pairs.len()));
            point
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.map_err(Failure::internal)?;
        let flat: Vec<Option<Point>> =
            pool.install(|| pairs.par_iter().map(one).collect::<Result<_, Failure>>())?;
        Ok(flat.chunks(choices.len().max(1)).map(<[_]>::to_vec).collect())
    }

    fn point(
        &self,
        layer: &PackableLayer,
        choice: &Choice,
        dense: &Measured,
    ) -> Result<Option<Point>, Failure> {
        let packing = self.packing(vec![named(layer, choice)]);
        let trial = self.trials.compile(&How::Packing(&packing), true)?;
        let answers = simulate(&trial.program, &self.trials.codes, self.data, 1, &|_| {})?;
        let cost = self.objective.of(&trial.program, &answers.report)? - dense.cost;
        let (_, noise) = powers(&dense.answers.logits, &answers.logits);
        Ok(Some(Point { noise, cost }))
    }

    /// The packing of the network's function.
    pub(super) fn packing(&self, layers: Vec<LayerPacking>) -> Packing {
        Packing::new(vec![ProgramPacking { name: self.trials.function.clone(), layers }])
    }
}

/// A layer with what is chosen for it.
pub(super) fn named(layer: &PackableLayer, choice: &Choice) -> LayerPacking {
    LayerPacking {
        name: layer.name.clone(),
        location: Some(layer.location.clone()),
        weights: Some(layer.weights.clone()),
        choice: choice.clone(),
    }
}
