//! `strum-rtl check`.

use std::path::PathBuf;

use clap::Args;
use strum_cli::Failure;
use strum_files::Places;

use super::design::{DesignArgs, TraceArgs};
use crate::netlist::Evaluator;
use crate::{drive, units, verilator, verilog};

/// Arguments of `strum-rtl check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    design: DesignArgs,

    #[command(flatten)]
    trace: TraceArgs,

    /// Also run the SystemVerilog text in Verilator.
    #[arg(long, help_heading = "Tools")]
    verilator: bool,

    /// Verilator's program [default: verilator of the search path].
    #[arg(long, value_name = "PROGRAM", requires = "verilator", help_heading = "Tools")]
    verilator_program: Option<PathBuf>,
}

pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--machine", args.design.machine_file())
        .reads("--trace", Some(&args.trace.trace))
        .check()?;
    let spec = args.design.spec()?;
    let sections = args.trace.sections(&spec)?;
    let top = units::top(&spec);
    let stimulus = drive::stimulus(&spec, &top, &sections)?;
    let wrong =
        |by: &str, error: &dyn std::fmt::Display| Failure::internal(format_args!("{spec}, by {by}: {error}"));
    let passed = Evaluator::new(&top).run(&stimulus).map_err(|error| wrong("the evaluator", &error))?;
    let mut text = format!("evaluator: {passed} passed, 0 failed\n");
    if args.verilator {
        let source = verilog::text(&spec, &args.design.machine()?);
        let program = args.verilator_program.as_deref();
        let outcome = verilator::run(&source, &top, &stimulus, program)?;
        if let Some(mismatch) = outcome.first {
            return Err(wrong("Verilator", &mismatch));
        }
        text += &format!("verilator: {} passed, 0 failed\n", outcome.passed);
    }
    Ok(strum_files::print(text.as_bytes())?)
}
