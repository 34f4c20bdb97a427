//! `strum-rtl characterise`.

use std::path::{Path, PathBuf};

use clap::Args;
use strum_cli::table::{Column, Table};
use strum_cli::{Failure, Progress, json};
use strum_files::Places;

use super::design::{MAX_TRACE, PeArgs};
use super::synth::CellArgs;
use crate::characterise::{Characterised, LayerFigures, Setup, Sram, characterise};
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

    /// Capacitance of wire for each input that a net drives, fF [default: half an inverter's input].
    #[arg(long, value_name = "FF", help_heading = "Cells")]
    wire: Option<f64>,

    /// Clock of the machine, MHz [default: that of --machine, or the fastest that the critical path allows].
    #[arg(long, value_name = "MHZ", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Cells")]
    clock: Option<u32>,

    /// OpenSTA [default: sta of the search path].
    #[arg(long, value_name = "PROGRAM", help_heading = "Cells")]
    sta: Option<PathBuf>,

    /// Area of a byte of SRAM, um2; no cell library has it.
    #[arg(long, value_name = "UM2", requires = "sram_source", help_heading = "SRAM")]
    sram_area: Option<f64>,

    /// Leakage of a byte of SRAM, nW.
    #[arg(long, value_name = "NW", requires = "sram_source", help_heading = "SRAM")]
    sram_leakage: Option<f64>,

    /// Where the figures of the SRAM are from, for the machine file.
    #[arg(long, value_name = "TEXT", requires = "sram_area", help_heading = "SRAM")]
    sram_source: Option<String>,

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
            wire_ff: args.wire.map_or_else(|| library.typical_wire_ff(), Ok)?,
            ..Conditions::default()
        },
        traced: names.join(", "),
        sram: sram(args)?,
        clock_mhz: args.clock,
        sta: args.sta.clone(),
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
                "tool": options.yosys.version,
                "layers": result.layers,
            });
            Ok(strum_files::print(
                json::pretty(json::CHARACTERISE, &object).map_err(Failure::internal)?.as_bytes(),
            )?)
        }
        (false, false) => Ok(strum_files::print(summary(&result, &options.yosys.version).as_bytes())?),
    }
}

/// The figures of the SRAM.
fn sram(args: &CharacteriseArgs) -> Result<Option<Sram>, Failure> {
    let Some(source) = &args.sram_source else { return Ok(None) };
    let figures = [("--sram-area", args.sram_area), ("--sram-leakage", args.sram_leakage)];
    for (option, value) in figures {
        if value.is_some_and(|value| !(0.0..=1e9).contains(&value)) {
            return Err(Failure::usage(format_args!("{option}: a number from 0 to 1000000000")));
        }
    }
    let [um2_per_byte, nw_per_byte] = figures.map(|(_, value)| value.unwrap_or(0.0));
    Ok(Some(Sram { um2_per_byte, nw_per_byte, source: source.clone() }))
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

fn summary(result: &Characterised, tool: &str) -> String {
    let mut table = Table::new([
        Column::text("layer"),
        Column::text("weights"),
        Column::number("steps"),
        Column::number("gates, fJ/step"),
        Column::number("machine file"),
        Column::number("off by"),
        Column::number("held out"),
        Column::number("simulator"),
    ]);
    for layer in &result.layers {
        let off = |fj: Option<f64>| {
            fj.map_or_else(|| "–".to_owned(), |fj| format!("{:+.1} %", 100.0 * layer.error(fj)))
        };
        table.row([
            format!("{}{}", layer.layer, if layer.fitted { "" } else { " (not fitted)" }),
            layer.format.clone(),
            layer.steps.to_string(),
            format!("{:.1}", layer.gates_fj),
            format!("{:.1}", layer.priced_fj),
            off(Some(layer.priced_fj)),
            off(layer.held_out_fj),
            off(layer.simulated_fj),
        ]);
    }
    let about: [(&str, Energy); 3] = [
        ("fitted layers", |layer| Some(layer.priced_fj)),
        ("each by prices that were fitted without it", |layer| layer.held_out_fj),
        ("by the events that the simulator counts", |layer| layer.simulated_fj),
    ];
    let lines = about.map(|(what, of)| line(what, &result.layers, of));
    format!("mapped by {tool}\n\n{table}\n{}", lines.concat())
}

/// An energy of a layer, fJ a step, where it is known.
type Energy = fn(&LayerFigures) -> Option<f64>;

/// How far the fitted layers are off.
fn line(what: &str, layers: &[LayerFigures], of: Energy) -> String {
    let fitted = layers.iter().filter(|layer| layer.fitted);
    let mut errors: Vec<f64> = fitted.filter_map(|layer| Some(layer.error(of(layer)?).abs())).collect();
    errors.sort_by(f64::total_cmp);
    let percent = |error: Option<&f64>| 100.0 * error.copied().unwrap_or(0.0);
    let within = errors.iter().filter(|&&error| error <= 0.1).count();
    format!(
        "{what}: {within} of {} within 10 %, at most {:.1} %, median {:.1} %\n",
        errors.len(),
        percent(errors.last()),
        percent(errors.get(errors.len() / 2))
    )
}
