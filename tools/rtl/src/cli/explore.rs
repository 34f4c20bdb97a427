//! `strum-rtl explore`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use strum_cli::table::{Column, Table};
use strum_cli::{Failure, Progress, json};
use strum_files::Places;

use super::design::{KindArg, MAX_TRACE, parse_format};
use super::synth::CellArgs;
use crate::explore::{Accuracy, Compared, Comparison, Grid, Operands, Setup, explore, format_text, plot};
use crate::power::Conditions;
use crate::spec::{Decode, LowLanes, Multiplier, RegisterFile, Structure};

/// Maximum size of a JSON object of `strumc eval`.
const MAX_EVAL: u64 = 1 << 24;

/// Arguments of `strum-rtl explore`.
#[derive(Debug, Args)]
pub(super) struct ExploreArgs {
    /// PE traces, as dpu-sim --trace-pe writes them: of plain weights, and of every format to explore. What their names have
    /// before the first point is the network and input; layers that all traces of it have in common are compared.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, help_heading = "Operands")]
    trace: Vec<PathBuf>,

    /// Maximum number of products of a layer.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8192,
        value_parser = clap::value_parser!(u32).range(64..),
        help_heading = "Operands"
    )]
    products: u32,

    /// Results of strumc eval --json, whose greatest loss of each format is shown beside it.
    #[arg(long, value_name = "FILE.json", num_args = 1.., help_heading = "Operands")]
    accuracy: Vec<PathBuf>,

    /// Kinds of PEs; dense ones are always there, to compare with.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values = ["strum-dynamic", "strum-static"],
        help_heading = "Designs"
    )]
    kinds: Vec<KindArg>,

    /// How products are added.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values = ["plain", "merged", "pipelined"],
        help_heading = "Designs"
    )]
    structures: Vec<Structure>,

    /// How partial products are formed.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values = ["booth", "array"],
        help_heading = "Designs"
    )]
    multipliers: Vec<Multiplier>,

    /// What register files consist of.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values = ["flip-flops", "latches"],
        help_heading = "Designs"
    )]
    register_files: Vec<RegisterFile>,

    /// When masks are decoded.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["step", "fetch"], help_heading = "Designs")]
    decodes: Vec<Decode>,

    /// Where the lanes of low members are in static PEs; in place only where a block fits the lanes of a step.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values = ["routed", "in-place"],
        help_heading = "Designs"
    )]
    low_lanes: Vec<LowLanes>,

    #[command(flatten)]
    cells: CellArgs,

    /// Capacitance of wire for each input that a net drives, fF [default: half an inverter's input].
    #[arg(long, value_name = "FF", help_heading = "Cells")]
    wire: Option<f64>,

    /// OpenSTA [default: sta of the search path].
    #[arg(long, value_name = "PROGRAM", help_heading = "Cells")]
    sta: Option<PathBuf>,

    /// Folder that keeps measured designs, so that an interrupted run goes on.
    #[arg(long, value_name = "FOLDER", help_heading = "Cells")]
    results: Option<PathBuf>,

    /// Write all figures as JSON; - writes to standard output and needs --quiet.
    #[arg(long, short, value_name = "FILE.json", help_heading = "Outputs")]
    output: Option<PathBuf>,

    /// Write area and energy of all designs as a drawing.
    #[arg(long, value_name = "FILE.svg", help_heading = "Outputs")]
    plot: Option<PathBuf>,

    #[command(flatten)]
    voice: strum_cli::Voice,
}

pub(super) fn run(args: &ExploreArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--trace", &args.trace)
        .reads("--accuracy", &args.accuracy)
        .reads("--liberty", &args.cells.liberty)
        .writes("--output", &args.output)
        .writes("--plot", &args.plot)
        .check()?;
    let standard = |path: &Option<PathBuf>| path.as_deref().is_some_and(strum_files::is_standard);
    if (standard(&args.output) || standard(&args.plot)) && !args.voice.quiet {
        return Err(Failure::usage("--output - and --plot - write to standard output: give --quiet"));
    }
    let accuracy: Result<Vec<Vec<Accuracy>>, Failure> =
        args.accuracy.iter().map(|path| losses(path)).collect();
    let accuracy = accuracy?.concat();
    let mut traces = Vec::new();
    for path in &args.trace {
        let input = strum_files::read(path, MAX_TRACE)?;
        traces.push((input.name, input.bytes));
    }
    let operands = Operands::read(&traces, args.products as usize)?;
    drop(traces);
    let designs = grid(args).designs(&operands.machine, operands.formats())?;
    let (library, options) = (args.cells.library()?, args.cells.options()?);
    let setup = Setup {
        library: &library,
        options: &options,
        conditions: Conditions {
            period_ps: args.cells.period * 1000.0,
            wire_ff: args.wire.map_or_else(|| library.typical_wire_ff(), Ok)?,
            ..Conditions::default()
        },
        sta: args.sta.clone(),
        results: args.results.clone(),
    };
    let progress = Progress::begin(args.voice.quiet);
    progress.task("mapping and simulating designs: ");
    let result = explore(&designs, &operands, &setup, &|done, all| progress.step(format!("{done} of {all}")));
    drop(progress);
    let mut result = result?;
    result.set_accuracy(&accuracy);
    let title = format!("PEs in {}", library.name);
    let conditions = &setup.conditions;
    let object = serde_json::json!({
        "library": library.name,
        "voltage": library.voltage,
        "tool": options.yosys.version,
        "conditions": conditions,
        "comparison": result,
    });
    let json = json::pretty(json::EXPLORE, &object).map_err(Failure::internal)?;
    if let Some(file) = &args.output {
        strum_files::write(file, json.as_bytes())?;
    }
    if let Some(file) = &args.plot {
        strum_files::write(file, plot(&result, &title).as_bytes())?;
    }
    match (args.voice.quiet, args.voice.json) {
        (true, _) => Ok(()),
        (false, true) => Ok(strum_files::print(json.as_bytes())?),
        (false, false) => Ok(strum_files::print(summary(&result).as_bytes())?),
    }
}

fn grid(args: &ExploreArgs) -> Grid {
    let mut kinds: Vec<dpu_isa::PeKind> = vec![dpu_isa::PeKind::Dense];
    kinds.extend(args.kinds.iter().map(|&kind| dpu_isa::PeKind::from(kind)));
    Grid {
        kinds,
        structures: args.structures.clone(),
        multipliers: args.multipliers.clone(),
        register_files: args.register_files.clone(),
        decodes: args.decodes.clone(),
        low_lanes: args.low_lanes.clone(),
    }
}

/// What is read of `strumc eval --json`.
#[derive(Deserialize)]
struct Evaluation {
    schema: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    top1: Option<f64>,
}

/// The losses of all packed rows against the row `dense`.
fn losses(path: &Path) -> Result<Vec<Accuracy>, Failure> {
    let name = path.display().to_string();
    let text = strum_files::read_text_within(path, MAX_EVAL)?;
    let refuse = |what: &str| {
        Failure::input(format_args!("not a result of strumc eval --json: {what}")).in_file(&name)
    };
    let evaluation: Evaluation = serde_json::from_str(&text).map_err(|error| refuse(&error.to_string()))?;
    if evaluation.schema != "strum.eval" {
        return Err(refuse(&format!("schema '{}'", evaluation.schema)));
    }
    let dense = evaluation.rows.iter().find(|row| row.name == "dense").and_then(|row| row.top1);
    let dense = dense.ok_or_else(|| {
        Failure::input("no row 'dense' with an accuracy: give --labels to strumc eval").in_file(&name)
    })?;
    let mut list = Vec::new();
    for row in evaluation.rows.iter().filter(|row| row.name != "dense") {
        let format = parse_format(&row.name).map_err(|error| error.in_file(&name))?;
        if let Some(top1) = row.top1 {
            list.push(Accuracy { weights: format_text(&format), loss_points: 100.0 * (dense - top1) });
        }
    }
    Ok(list)
}

fn summary(result: &Comparison) -> String {
    let mut table = Table::new([
        Column::text("design"),
        Column::number("area\num2"),
        Column::number("fJ a\nproduct"),
        Column::number("period\nns"),
        Column::number("area"),
        Column::number("energy"),
        Column::number("least"),
        Column::number("greatest"),
        Column::number("loss\npoints"),
        Column::text("front"),
    ]);
    let change = |ratio: f64| format!("{:+.1} %", 100.0 * (ratio - 1.0));
    let mut rows = |designs: &[Compared], decoded: bool| {
        for design in designs {
            let name = &design.point.design;
            table.row([
                if decoded { format!("{name}, decoded {}", design.point.weights) } else { name.clone() },
                format!("{:.0}", design.point.area_um2.pe),
                format!("{:.0}", design.mean_energy_fj),
                format!("{:.2}", design.point.shortest_period_ns),
                change(design.area_ratio),
                change(design.energy_ratio.median),
                change(design.energy_ratio.min),
                change(design.energy_ratio.max),
                design.loss_points.map(|loss| format!("{loss:.2}")).unwrap_or_default(),
                if design.front { "*".to_owned() } else { String::new() },
            ]);
        }
    };
    rows(&result.designs, false);
    rows(&result.decoded, true);
    format!(
        "{table}\ncompared with {}, the dense PE of least area times energy; * no design has less of both\n\
         smallest dense PE: {}; of least energy: {}\n",
        result.reference, result.smallest_dense, result.thriftiest_dense
    )
}
