//! Figures of single layers.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use strum_passes::strum_pack::{LayerPacking, Packing, ProgramPacking};

use super::configs::Config;
use super::data::Data;
use super::metrics::{LayerRow, decibels, powers};
use super::simulate::simulate;
use crate::driver::exit::Failure;
use crate::driver::progress::Progress;
use crate::driver::trial::{How, Trial, Trials};

/// A row for every layer whose stored weights differ from the INT8 codes: each layer is packed alone, and all samples
/// are run with it.
pub(super) fn rows(
    config: &Config,
    trials: &Trials,
    data: &Data,
    int8: &[Vec<f64>],
    threads: usize,
    progress: &Progress,
) -> Result<Vec<LayerRow>, Failure> {
    let whole = trials.compile(&config.how(), true)?;
    let choices = config.layers(trials)?;
    let packed = |index: &usize| whole.weights.get(*index).is_some_and(|error| error.noise > 0.0);
    let indices: Vec<usize> = (0..trials.layers.len()).filter(packed).collect();
    let done = AtomicUsize::new(0);
    let one = |&index: &usize| -> Result<Option<LayerRow>, Failure> {
        let layer = trials.layers.get(index);
        let choice = layer.and_then(|layer| choices.iter().find(|choice| choice.name == layer.name));
        let (Some(layer), Some(choice)) = (layer, choice) else { return Ok(None) };
        let trial = alone(trials, choice)?;
        let answers = simulate(&trial.program, &trials.codes, data, 1, &|_| {})?;
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress.step(format!("layer {count} of {}", indices.len()));
        let error = trial.weights.get(index).copied().unwrap_or_default();
        Ok(Some(LayerRow {
            name: layer.name.clone(),
            location: layer.location.clone(),
            weights: layer.weights.clone(),
            choice: choice.choice.to_string(),
            weight_sqnr_db: decibels((error.signal, error.noise)),
            output_sqnr_db: decibels(powers(int8, &answers.logits)),
        }))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Failure::internal)?;
    let rows: Vec<Option<LayerRow>> =
        pool.install(|| indices.par_iter().map(one).collect::<Result<_, _>>())?;
    Ok(rows.into_iter().flatten().collect())
}

/// The network with one layer packed, all others plain INT8.
pub(in crate::driver) fn alone(trials: &Trials, layer: &LayerPacking) -> Result<Trial, Failure> {
    let program = ProgramPacking { name: trials.function.clone(), layers: vec![layer.clone()] };
    trials.compile(&How::Packing(&Packing::new(vec![program])), true)
}
