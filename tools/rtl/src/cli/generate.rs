//! `strum-rtl generate`.

use std::path::PathBuf;

use clap::Args;
use strum_cli::Failure;
use strum_files::Places;

use super::design::DesignArgs;
use crate::verilog;

/// Arguments of `strum-rtl generate`.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    design: DesignArgs,

    /// The SystemVerilog file; - writes to standard output.
    #[arg(long, short, value_name = "FILE.sv", default_value = "-", help_heading = "Outputs")]
    output: PathBuf,
}

pub(super) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    Places::default()
        .reads("--machine", args.design.machine_file())
        .writes("--output", Some(&args.output))
        .check()?;
    let spec = args.design.spec()?;
    Ok(strum_files::write(&args.output, verilog::text(&spec, &args.design.machine()?).as_bytes())?)
}
