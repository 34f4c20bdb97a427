//! `strum-rtl power`.

use clap::Args;
use strum_cli::table::{Column, Table};
use strum_cli::{Failure, json};
use strum_files::Places;

use super::design::{DesignArgs, TraceArgs};
use super::synth::CellArgs;
use crate::power::{Conditions, Energy, Power, simulate};
use crate::{drive, units};

/// Arguments of `strum-rtl power`.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    #[command(flatten)]
    design: DesignArgs,

    #[command(flatten)]
    trace: TraceArgs,

    #[command(flatten)]
    cells: CellArgs,

    /// Capacitance of wire for each input that a net drives, fF.
    #[arg(long, value_name = "FF", default_value_t = 1.0, help_heading = "Cells")]
    wire: f64,

    /// Transition time of all signals, ps [default: that of an inverter that drives four].
    #[arg(long, value_name = "PS", help_heading = "Cells")]
    slew: Option<f64>,

    /// Instances below the top that the table of units goes down.
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Reporting")]
    depth: usize,

    #[command(flatten)]
    voice: strum_cli::Voice,
}

pub(super) fn run(args: &PowerArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--machine", args.design.machine_file())
        .reads("--trace", Some(&args.trace.trace))
        .reads("--liberty", &args.cells.liberty)
        .check()?;
    let spec = args.design.spec()?;
    let sections = args.trace.sections(&spec)?;
    let stimulus = drive::stimulus(&spec, &units::top(&spec), &sections)?;
    let library = args.cells.library()?;
    let mapped = args.cells.map(&args.design, &library)?;
    let with = |glitches: bool| {
        let conditions = Conditions {
            period_ps: args.cells.period * 1000.0,
            slew_ps: args.slew,
            wire_ff: args.wire,
            glitches,
            skip_cycles: 0,
        };
        simulate(&mapped, &library, &stimulus, &conditions)
    };
    let (power, ideal) = (with(true)?, with(false)?);
    if args.voice.quiet {
        return Ok(());
    }
    if args.voice.json {
        let object = serde_json::json!({
            "design": spec.to_string(),
            "library": library.name,
            "tool": mapped.tool,
            "with_glitches": power,
            "without_glitches": ideal,
        });
        return Ok(strum_files::print(
            json::pretty(json::POWER, &object).map_err(Failure::internal)?.as_bytes(),
        )?);
    }
    let text = format!(
        "design    {spec}\nlibrary   {}, {} V, mapped by {} for {} ns; wire {} fF an input, slew {:.1} ps\n\
         steps     {} in {} cycles; {} accumulators compared, all equal\n\n{}",
        library.name,
        library.voltage,
        mapped.tool,
        args.cells.period,
        args.wire,
        power.conditions.slew_ps.unwrap_or(0.0),
        power.steps,
        power.cycles,
        power.compared,
        table(&power, &ideal, args.depth)
    );
    Ok(strum_files::print(text.as_bytes())?)
}

/// Energy of a step by unit.
fn table(power: &Power, ideal: &Power, depth: usize) -> Table {
    let mut table = Table::new([
        Column::text("unit, fJ a step"),
        Column::number("clock"),
        Column::number("switching"),
        Column::number("internal"),
        Column::number("leakage"),
        Column::number("all"),
        Column::number("without glitches"),
    ]);
    let mut paths = vec![String::new()];
    for unit in &power.units {
        let parts: Vec<&str> = unit.path.split('.').filter(|part| !part.is_empty()).collect();
        for n in 1..=parts.len().min(depth) {
            let path = parts.get(..n).unwrap_or_default().join(".");
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    for path in paths {
        let depth = if path.is_empty() { 0 } else { path.split('.').count() };
        let name = path.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or("all");
        let energy = power.energy_of(&path);
        let Energy { clock_fj, switching_fj, internal_fj, leakage_fj } = energy;
        let numbers = [
            clock_fj,
            switching_fj,
            internal_fj,
            leakage_fj,
            energy.total_fj(),
            ideal.energy_of(&path).total_fj(),
        ];
        let cells = numbers.iter().map(|number| format!("{number:.1}"));
        table.row(std::iter::once(format!("{}{name}", "  ".repeat(depth))).chain(cells));
    }
    table
}
