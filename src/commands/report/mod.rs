//! `strumc report`: renders reports of runs as one page.
//!
//! Invariant: the page has no external references, and no name in a report can become markup or code.

mod page;

use std::path::{Path, PathBuf};

use clap::Args;
use dpu_sim::Report;
use strum_cli::say;
use strum_files::budget;

use crate::driver::exit::{Failure, Kind, out_of_memory};
use crate::driver::files::{self, Places};

const EXAMPLES: &str = "\
Examples:
  strumc report dense.json -o dense.html
  strumc report dense.json mip2q.json dliq.json -o compared.html

Reports are written by dpu-sim --report and strumc run --report; docs/report.md describes them.";

/// Maximum number of reports on one page: they are distinguished by colour.
pub(crate) const MAX_REPORTS: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportCommand {
    /// Run reports; the first is the baseline. - reads standard input.
    #[arg(value_name = "R.json", required = true, num_args = 1..)]
    reports: Vec<PathBuf>,

    /// The page to write; - writes to standard output.
    #[arg(long, short, value_name = "PAGE.html", help_heading = "Outputs")]
    output: PathBuf,
}

/// A report and its name on the page.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) report: Report,
}

/// Reads the reports and writes the page.
pub(crate) fn run(command: &ReportCommand) -> Result<(), Failure> {
    let paths = &command.reports;
    if paths.len() > MAX_REPORTS {
        let message = format_args!("{} reports; a page shows at most {MAX_REPORTS}", paths.len());
        return Err(Failure::usage(message));
    }
    if paths.iter().filter(|path| files::is_standard(path)).count() > 1 {
        return Err(Failure::usage("standard input can be read once"));
    }
    Places::default().reads("R.json", paths).writes("--output", [&command.output]).check()?;
    let reports = paths.iter().map(|path| {
        let input = files::read(path)?;
        // Rows of numbers become rows of larger ones, which are text again on the page.
        budget::check("the report", (input.bytes.len() as u64).saturating_mul(8))
            .map_err(|over| out_of_memory(&over).in_file(&input.name))?;
        let report = Report::from_json(&input.bytes).map_err(|error| {
            let kind = match error {
                dpu_sim::ReportError::Version { .. } => Kind::Unsupported,
                _ => Kind::Input,
            };
            Failure::new(kind, error).in_file(&input.name)
        })?;
        check(&report).map_err(|error| Failure::input(error).in_file(&input.name))?;
        if let [first, rest @ ..] = &report.unread(&input.bytes)[..] {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            say(format_args!(
                "{}: warning: the page does not show '{first}'{more}: no field of this version",
                input.name
            ));
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = if files::is_standard(path) { None } else { stem };
        Ok(Named { name: name.unwrap_or_else(|| "stdin".to_owned()), report })
    });
    let reports = reports.collect::<Result<Vec<_>, Failure>>()?;
    write_page(&reports, &command.output)
}

/// Writes the page for these reports, at least one.
pub(crate) fn write_page(reports: &[Named], path: &Path) -> Result<(), Failure> {
    files::write(path, page::render(reports)?.as_bytes())
}

/// Checks the page's assumptions beyond the types: indices into lists exist, and times are in order.
fn check(report: &Report) -> Result<(), String> {
    if report.clock_mhz == 0 {
        return Err("a damaged report: a clock of 0 MHz".to_owned());
    }
    let Some(timeline) = &report.timeline else { return Ok(()) };
    let within = |place: u64, list: usize| usize::try_from(place).is_ok_and(|place| place < list);
    for (row, task) in timeline.tasks.iter().enumerate() {
        let known = within(task.engine, report.engines.len())
            && within(task.layer, report.layers.len())
            && within(task.mnemonic, timeline.mnemonics.len());
        if !known || task.start > task.end {
            return Err(format!("a damaged report: task {row} of the timeline"));
        }
    }
    for (row, buffer) in timeline.sram.iter().enumerate() {
        if !within(buffer.layer, report.layers.len()) || buffer.lo > buffer.hi || buffer.start > buffer.end {
            return Err(format!("a damaged report: buffer {row} of the timeline"));
        }
    }
    Ok(())
}
