//! The comparison as one JSON object; `docs/compare.md` describes it.

use dpu_sim::Level;
use serde::Serialize;
use strum_cli::json;

use super::Comparison;
use super::figures::{Figures, Ratios};
use super::levels::{LevelFigures, LevelRatios};
use super::paper::{self, Claim};
use super::table::REGISTER_FILE_SHARES;
use super::text::difference;
use crate::driver::exit::Failure;

#[derive(Serialize)]
struct Object<'c> {
    network: &'c str,
    input_sha256: &'c str,
    macs: u64,
    runs: Vec<JsonRun<'c>>,
    layers: Vec<JsonLayer<'c>>,
    paper: JsonPaper,
    difference: String,
}

#[derive(Serialize)]
struct JsonRun<'c> {
    method: &'static str,
    machine: &'c str,
    pe_kind: &'c str,
    machine_fingerprint: &'c str,
    clock_mhz: u32,
    pipeline: &'c str,
    figures: Figures,
    against_baseline: Ratios,
    sensitivity: Vec<Sensitivity>,
    /// From a PE's datapath to the DPU with its SRAM.
    levels: Vec<JsonLevel>,
}

#[derive(Serialize)]
struct JsonLevel {
    #[serde(flatten)]
    figures: LevelFigures,
    against_baseline: LevelRatios,
}

/// PE energy relative to the baseline's if register files took this share of their energy in both.
#[derive(Serialize)]
struct Sensitivity {
    register_files: f64,
    pe_energy: Option<f64>,
}

#[derive(Serialize)]
struct JsonLayer<'c> {
    name: &'c str,
    op: &'c str,
    location: &'c str,
    macs: u64,
    /// As many as the object has, in the same order; null where a run has no such layer.
    runs: Vec<Option<LayerRun>>,
}

#[derive(Serialize)]
struct LayerRun {
    figures: Figures,
    against_baseline: Ratios,
}

#[derive(Serialize)]
struct JsonPaper {
    title: &'static str,
    claims: &'static [Claim],
    unknown: &'static str,
    not_reproduced: &'static str,
}

/// The object as one line.
pub(super) fn render(comparison: &Comparison) -> Result<String, Failure> {
    let base = &comparison.base;
    let whole = |run: &super::Run| Figures::of(&run.report.total, run.report.clock_mhz);
    let first = whole(base);
    let runs = comparison.runs().map(|run| {
        let figures = whole(run);
        let sensitivity = |&(share, _): &(f64, &str)| Sensitivity {
            register_files: share,
            pe_energy: figures.pe_ratio_with_register_files(&first, share),
        };
        let level = |&level: &Level| {
            let figures = LevelFigures::of(run, level);
            JsonLevel { figures, against_baseline: figures.against(&LevelFigures::of(base, level)) }
        };
        JsonRun {
            method: run.method.name(),
            machine: &run.report.machine,
            pe_kind: &run.report.pe_kind,
            machine_fingerprint: &run.report.machine_fingerprint,
            clock_mhz: run.report.clock_mhz,
            pipeline: &run.pipeline,
            figures,
            against_baseline: figures.against(&first),
            sensitivity: REGISTER_FILE_SHARES.iter().map(sensitivity).collect(),
            levels: Level::ALL.iter().map(level).collect(),
        }
    });
    let layers = base.report.layers.iter().enumerate().map(|(place, layer)| {
        let first = Figures::of(&layer.work, base.report.clock_mhz);
        let runs = comparison.runs().map(|run| {
            let same = comparison.layer_of(run, place)?;
            let figures = Figures::of(&same.work, run.report.clock_mhz);
            Some(LayerRun { figures, against_baseline: figures.against(&first) })
        });
        JsonLayer {
            name: &layer.name,
            op: &layer.op,
            location: &layer.location,
            macs: layer.macs_stated,
            runs: runs.collect(),
        }
    });
    let object = Object {
        network: &comparison.network,
        input_sha256: &base.report.program.input_sha256,
        macs: base.report.total.macs(),
        runs: runs.collect(),
        layers: layers.collect(),
        paper: JsonPaper {
            title: paper::TITLE,
            claims: paper::CLAIMS,
            unknown: paper::UNKNOWN,
            not_reproduced: paper::NOT_REPRODUCED,
        },
        difference: difference(comparison),
    };
    json::line(json::COMPARE, &object).map_err(Failure::internal)
}
