//! `strum-rtl characterise`.

use std::path::{Path, PathBuf};

use clap::Args;
use strum_cli::table::{Column, Table};
use strum_cli::{Failure, Progress, json};
use strum_files::Places;

use super::design::{MAX_TRACE, PeArgs};
use super::synth::CellArgs;
use crate::characterise::{Characterised, Setup, characterise};
use crate::drive::{self, Section};
use crate::power::Conditions;
use crate::spec::Level;

/// Arguments of `strum-rtl characterise`.
#[derive(Debug, Args)]
pub(super) struct CharacteriseArgs {
    #[command(flatten)]
    pe: PeArgs,

    /// PE traces of layers, as dpu-sim --trace-pe writes them.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, help_heading = "Operands")]
    trace: Vec<PathBuf>,

    /// Maximum number of vectors of a layer.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Operands"
    )]
    vectors: u32,

    #[command(flatten)]
    cells: CellArgs,

    /// Capacitance of wire for each input that a net drives, fF.
    #[arg(long, value_name = "FF", default_value_t = 1.0, help_heading = "Cells")]
    wire: f64,

    /// Name of the machine [default: that of --machine].
    #[arg(long, value_name = "NAME", help_heading = "Outputs")]
    name: Option<String>,

    /// The machine file; - writes to standard output and needs --quiet.
    #[arg(long, short, value_name = "FILE.toml", help_heading = "Outputs")]
    output: PathBuf,

    #[command(flatten)]
    voice: strum_cli::Voice,
}

pub(super) fn run(args: &CharacteriseArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--machine", args.pe.machine_file())
        .reads("--trace", &args.trace)
        .reads("--liberty", &args.cells.liberty)
        .writes("--output", Some(&args.output))
        .check()?;
    if strum_files::is_standard(&args.output) && !args.voice.quiet {
        return Err(Failure::usage("--output - writes to standard output: give --quiet"));
    }
    let mut machine = args.pe.machine()?;
    let spec = args.pe.spec(Level::Pe)?;
    machine.pe_kind = spec.kind;
    if let Some(name) = &args.name {
        machine.name.clone_from(name);
        machine.check().map_err(Failure::usage)?;
    }
    let mut layers = Vec::new();
    for path in &args.trace {
        layers.extend(layers_of(path, args.vectors as usize)?);
    }
    let library = args.cells.library()?;
    let options = args.cells.options()?;
    let names: Vec<String> = args.trace.iter().map(|path| stem(path)).collect();
    let setup = Setup {
        library: &library,
        options: &options,
        conditions: Conditions {
            period_ps: args.cells.period * 1000.0,
            wire_ff: args.wire,
            ..Conditions::default()
        },
        traced: names.join(", "),
    };
    let progress = Progress::begin(args.voice.quiet);
    progress.task(format!("mapping and simulating {} layers", layers.len()));
    let result = characterise(&machine, &spec, &layers, &setup)?;
    drop(progress);
    let text = result.machine.to_toml_with(&result.sources)?;
    strum_files::write(&args.output, text.as_bytes())?;
    match (args.voice.quiet, args.voice.json) {
        (true, _) => Ok(()),
        (false, true) => {
            let object = serde_json::json!({
                "machine": result.machine.name,
                "layers": result.layers,
            });
            Ok(strum_files::print(
                json::pretty(json::CHARACTERISE, &object).map_err(Failure::internal)?.as_bytes(),
            )?)
        }
        (false, false) => Ok(strum_files::print(summary(&result).as_bytes())?),
    }
}

/// The name of a file without folders and extension.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned())
}

/// The traced layers of a file: the tiles of each, of the first traced PE that has vectors.
fn layers_of(path: &Path, vectors: usize) -> Result<Vec<Vec<Section>>, Failure> {
    let input = strum_files::read(path, MAX_TRACE)?;
    drive::layers(input.bytes.as_slice(), vectors).map_err(|error| Failure::from(error).in_file(&input.name))
}

fn summary(result: &Characterised) -> String {
    let mut table = Table::new([
        Column::text("layer"),
        Column::text("weights"),
        Column::number("steps"),
        Column::number("gates, fJ/step"),
        Column::number("machine file"),
        Column::number("off by"),
    ]);
    for layer in &result.layers {
        table.row([
            format!("{}{}", layer.layer, if layer.fitted { "" } else { " (not fitted)" }),
            layer.format.clone(),
            layer.steps.to_string(),
            format!("{:.1}", layer.gates_fj),
            format!("{:.1}", layer.priced_fj),
            format!("{:+.1} %", 100.0 * layer.error()),
        ]);
    }
    let mut errors: Vec<f64> = result.layers.iter().filter(|l| l.fitted).map(|l| l.error().abs()).collect();
    errors.sort_by(f64::total_cmp);
    let percent = |error: Option<&f64>| 100.0 * error.copied().unwrap_or(0.0);
    format!(
        "{table}\nfitted layers are off by at most {:.1} %, median {:.1} %\n",
        percent(errors.last()),
        percent(errors.get(errors.len() / 2))
    )
}
