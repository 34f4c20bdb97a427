//! `strum-rtl synth`, and the arguments of libraries.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use strum_cli::table::{Column, Table};
use strum_cli::{Failure, json};
use strum_files::Places;

use super::design::DesignArgs;
use crate::liberty::Library;
use crate::synth::{Adders, Mapped, Options, map};
use crate::toolchain::{DEFAULT_LIBRARY, Yosys};
use crate::{timing, units, verilog};

/// The library, and how a design is mapped to it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cells")]
pub(crate) struct CellArgs {
    /// Liberty files of one library and corner, plain or gzip; LEF files for areas that these lack.
    #[arg(long, value_name = "FILE", num_args = 1.., default_values = DEFAULT_LIBRARY)]
    pub(crate) liberty: Vec<PathBuf>,

    /// Clock period that mapping and timing aim at, ns.
    #[arg(long, value_name = "NS", default_value_t = 5.0)]
    pub(crate) period: f64,

    /// Full and half adders: the library's cells, or gates.
    #[arg(long, value_name = "HOW", value_parser = ["cells", "gates"], default_value = "cells")]
    pub(crate) full_adders: String,

    /// Yosys, or a Python with the package pyosys [default: .venv-rtl, then yosys of the search path].
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) yosys: Option<PathBuf>,

    /// Folder that keeps mapped designs from run to run.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache: Option<PathBuf>,

    /// Maximum time of one run of a tool, s.
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub(crate) time_limit: u64,
}

impl CellArgs {
    pub(crate) fn library(&self) -> Result<Library, Failure> {
        Library::read(&self.liberty).map_err(|error| {
            let failure = Failure::from(error);
            if self.liberty == DEFAULT_LIBRARY.map(PathBuf::from) {
                failure.with_help("tools/rtl/setup installs the default library; --liberty names another one")
            } else {
                failure
            }
        })
    }

    /// The period in ps.
    fn period_ps(&self) -> Result<u32, Failure> {
        let ps = self.period * 1000.0;
        if (1.0..=1e9).contains(&ps) {
            return Ok(ps.round() as u32);
        }
        Err(Failure::usage(format_args!("--period {}: a time from 0.001 to 1000000 ns", self.period)))
    }

    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let yosys = Yosys::find(self.yosys.as_deref())?;
        if let Some(note) = yosys.note() {
            strum_cli::say(format_args!("note: {note}"));
        }
        Ok(Options {
            period_ps: self.period_ps()?,
            adders: if self.full_adders == "gates" { Adders::Gates } else { Adders::Cells },
            cache: self.cache.clone(),
            limit: Duration::from_secs(self.time_limit),
            ..Options::new(yosys)
        })
    }

    pub(crate) fn map(&self, design: &DesignArgs, library: &Library) -> Result<Mapped, Failure> {
        let spec = design.spec()?;
        let options = self.options()?;
        let text = verilog::text(&spec, &design.machine()?);
        Ok(map(&text, &units::top(&spec).name, library, &options)?)
    }
}

/// Arguments of `strum-rtl synth`.
#[derive(Debug, Args)]
pub(super) struct SynthArgs {
    #[command(flatten)]
    design: DesignArgs,

    #[command(flatten)]
    cells: CellArgs,

    /// Instances below the top that the table of units goes down.
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Reporting")]
    depth: usize,

    /// OpenSTA [default: sta of the search path].
    #[arg(long, value_name = "PROGRAM", help_heading = "Cells")]
    sta: Option<PathBuf>,

    /// Write the mapped netlist as Verilog; - writes to standard output and needs --quiet.
    #[arg(long, value_name = "FILE.v", help_heading = "Outputs")]
    netlist: Option<PathBuf>,

    #[command(flatten)]
    voice: strum_cli::Voice,
}

pub(super) fn run(args: &SynthArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--machine", args.design.machine_file())
        .reads("--liberty", &args.cells.liberty)
        .writes("--netlist", &args.netlist)
        .check()?;
    if args.netlist.as_deref().is_some_and(strum_files::is_standard) && !args.voice.quiet {
        return Err(Failure::usage("--netlist - writes to standard output: give --quiet"));
    }
    let library = args.cells.library()?;
    let mapped = args.cells.map(&args.design, &library)?;
    let limit = Duration::from_secs(args.cells.time_limit);
    let path = timing::critical_path(&mapped, &library, args.cells.period, args.sta.as_deref(), limit)?;
    if let Some(file) = &args.netlist {
        strum_files::write(file, mapped.verilog.as_bytes())?;
    }
    if args.voice.quiet {
        return Ok(());
    }
    let units = units_to(&mapped, args.depth);
    if args.voice.json {
        let object = serde_json::json!({
            "design": args.design.spec()?.to_string(),
            "library": library.name,
            "tool": mapped.tool,
            "area_um2": mapped.area,
            "sequential_area_um2": mapped.sequential_area,
            "cells": mapped.cells.len(),
            "critical_path": path,
            "units": units.iter().map(|(path, area, cells)| {
                serde_json::json!({ "path": path, "area_um2": area, "cells": cells })
            }).collect::<Vec<_>>(),
        });
        return Ok(strum_files::print(
            json::pretty(json::SYNTH, &object).map_err(Failure::internal)?.as_bytes(),
        )?);
    }
    let mut table = Table::new([
        Column::text("unit"),
        Column::number("area, um2"),
        Column::number("share"),
        Column::number("cells"),
    ]);
    for (path, area, cells) in &units {
        let depth = if path.is_empty() { 0 } else { path.split('.').count() };
        let name = path.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or("all");
        let share = format!("{:.1} %", 100.0 * area / mapped.area.max(f64::MIN_POSITIVE));
        table.row([format!("{}{name}", "  ".repeat(depth)), format!("{area:.1}"), share, cells.to_string()]);
    }
    let text = format!(
        "design    {}\nlibrary   {}, mapped by {} for {} ns\npath      {:.3} ns from {} to {}, {} cells\n\n{table}",
        args.design.spec()?,
        library.name,
        mapped.tool,
        args.cells.period,
        path.shortest_period_ns,
        path.start,
        path.end,
        path.cells
    );
    Ok(strum_files::print(text.as_bytes())?)
}

/// Area and cells of all units down to `depth`, each with what is in it.
fn units_to(mapped: &Mapped, depth: usize) -> Vec<(String, f64, usize)> {
    let mut paths: Vec<String> = vec![String::new()];
    for unit in &mapped.units {
        let parts: Vec<&str> = unit.path.split('.').filter(|part| !part.is_empty()).collect();
        for n in 1..=parts.len().min(depth) {
            let path = parts.get(..n).unwrap_or_default().join(".");
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let sum = |path: &str| {
        let within = mapped.units.iter().filter(|unit| crate::synth::within(&unit.path, path));
        within.fold((0.0, 0), |(area, cells), unit| (area + unit.area, cells + unit.cells))
    };
    paths
        .into_iter()
        .map(|path| {
            let (area, cells) = sum(&path);
            (path, area, cells)
        })
        .collect()
}
