//! Figures of single layers.

use super::configs::Config;
use super::metrics::{LayerRow, decibels, powers};
use super::simulate::simulate;
use crate::driver::cli::Progress;
use crate::driver::data::Data;
use crate::driver::exit::Failure;
use crate::driver::trial::{Trial, Trials, each};

/// A row for every layer whose stored weights in `whole` differ from the INT8 codes: each layer is packed alone, and all samples
/// are run.
pub(super) fn rows(
    config: &Config,
    (trials, whole): (&Trials, &Trial),
    (data, int8): (&Data, &[Vec<f64>]),
    threads: usize,
    progress: &Progress,
) -> Result<Vec<LayerRow>, Failure> {
    let choices = config.layers(trials);
    let layers = trials.layers.iter().zip(&whole.weights);
    let changed = layers.filter(|(_, sqnr)| sqnr.noise > 0.0).map(|(layer, sqnr)| {
        let choice = choices.iter().find(|choice| choice.name == layer.name);
        let choice = choice.ok_or_else(|| Failure::internal("a layer is packed and not named"))?;
        Ok((layer, sqnr, choice))
    });
    let changed: Vec<_> = changed.collect::<Result<_, Failure>>()?;
    each(&changed, threads, progress, |(layer, sqnr, choice)| {
        let trial = trials.alone((*choice).clone())?;
        let answers = simulate(&trial.program, &trials.codes, data, 1, &|_| {})?;
        Ok(LayerRow {
            name: layer.name.clone(),
            location: layer.location.clone(),
            weights: layer.weights.clone(),
            choice: choice.choice.to_string(),
            weight_sqnr_db: decibels((sqnr.signal, sqnr.noise)),
            output_sqnr_db: decibels(powers(int8, &answers.logits)),
        })
    })
}
