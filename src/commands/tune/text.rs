//! The choice, as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use strum_cli::table::{Column, Table};
use strum_cli::{energy, json};
use strum_passes::strum::strum_pack::{LayerPacking, Packing};

use super::measure::Objective;
use crate::driver::exit::Failure;

/// The result of a search.
pub(super) struct Outcome {
    pub(super) objective: Objective,
    pub(super) samples: usize,
    /// The figure of plain INT8 and of the choice.
    pub(super) dense: f64,
    pub(super) chosen: f64,
    /// Loss in percentage points.
    pub(super) loss: f64,
    /// Whether the loss is of correct answers, and not of agreement.
    pub(super) labelled: bool,
    /// Whether the reference is a float network, and not plain INT8.
    pub(super) float: bool,
    /// Whether weights were rounded for their formats.
    pub(super) rounded: bool,
    /// Measured SQNR, and the one predicted by sums of single measurements.
    pub(super) sqnr_db: Option<f64>,
    pub(super) predicted_sqnr_db: Option<f64>,
    /// The SQNR with each layer alone; none for plain INT8 and where nothing changes.
    pub(super) alone: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct Object<'a> {
    network: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultObject>,
    layers: Vec<LayerObject<'a>>,
}

#[derive(Serialize)]
struct ResultObject {
    samples: usize,
    unit: &'static str,
    dense: f64,
    chosen: f64,
    loss_points: f64,
    loss_of: &'static str,
    rounded: bool,
    sqnr_db: Option<f64>,
    predicted_sqnr_db: Option<f64>,
}

#[derive(Serialize)]
struct LayerObject<'a> {
    name: &'a str,
    choice: String,
    output_sqnr_db: Option<f64>,
}

fn layers<'a>(
    packing: &'a Packing,
    outcome: Option<&'a Outcome>,
) -> impl Iterator<Item = (&'a LayerPacking, Option<f64>)> {
    let alone = outcome.map(|outcome| outcome.alone.as_slice()).unwrap_or_default();
    let list = packing.programs.iter().flat_map(|program| &program.layers);
    list.enumerate().map(|(i, layer)| (layer, alone.get(i).copied().flatten()))
}

fn of(outcome: &Outcome) -> &'static str {
    match (outcome.labelled, outcome.float) {
        (true, _) => "right answers",
        (false, true) => "answers like the float network's",
        (false, false) => "answers like INT8's",
    }
}

pub(super) fn json(network: &str, packing: &Packing, outcome: Option<&Outcome>) -> Result<String, Failure> {
    let layers = layers(packing, outcome).map(|(layer, output_sqnr_db)| LayerObject {
        name: &layer.name,
        choice: layer.choice.to_string(),
        output_sqnr_db,
    });
    let result = outcome.map(|outcome| ResultObject {
        samples: outcome.samples,
        unit: outcome.objective.unit(),
        dense: outcome.dense,
        chosen: outcome.chosen,
        loss_points: outcome.loss,
        loss_of: of(outcome),
        rounded: outcome.rounded,
        sqnr_db: outcome.sqnr_db,
        predicted_sqnr_db: outcome.predicted_sqnr_db,
    });
    let object = Object { network, result, layers: layers.collect() };
    json::line(json::TUNE, &object).map_err(Failure::internal)
}

pub(super) fn table(network: &str, packing: &Packing, outcome: Option<&Outcome>) -> String {
    let mut table = Table::new([
        Column::text("layer"),
        Column::text("weights"),
        Column::number("logit SQNR\ndB"),
        Column::text("format"),
    ]);
    for (layer, alone) in layers(packing, outcome) {
        let alone = alone.map_or_else(|| "-".into(), |db| format!("{db:.2}"));
        let weights = layer.weights.as_deref().unwrap_or("-");
        table.row([layer.name.as_str(), weights, &alone, &layer.choice.to_string()]);
    }
    let mut text = format!("network  {network}\n\n{table}");
    if let Some(outcome) = outcome {
        let db = |db: Option<f64>| db.map_or_else(|| "exact".into(), |db| format!("{db:.2} dB"));
        let Outcome { samples, dense, chosen, loss, .. } = outcome;
        let share = 100.0 * (chosen - dense) / dense.max(1.0);
        let (what, [chosen, dense]) = (outcome.objective.unit(), [*chosen, *dense]);
        let [what, chosen, dense] = match outcome.objective {
            Objective::Energy => {
                ["energy".to_owned(), energy::text(chosen as u64), energy::text(dense as u64)]
            }
            Objective::Size | Objective::Latency => [what.to_owned(), chosen.to_string(), dense.to_string()],
        };
        let _ = writeln!(text, "\n{what:<9} {chosen}, plain INT8 {dense} ({share:+.1} %)");
        let _ = writeln!(text, "loss      {loss:.2} points of {}, {samples} samples", of(outcome));
        let reference = if outcome.float { "the float network" } else { "INT8" };
        let (got, promised) = (db(outcome.sqnr_db), db(outcome.predicted_sqnr_db));
        let _ = writeln!(
            text,
            "SQNR      {got} of the logits against {reference}; {promised} predicted from single layers"
        );
        if outcome.rounded {
            text.push_str(
                "weights   rounded for their formats: compile with --packing and the same --calibration\n",
            );
        }
    }
    text
}
