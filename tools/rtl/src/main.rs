//! `strum-rtl`: RTL of StruM's PEs, and what it costs in gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    strum_cli::main("strum-rtl", dpu_rtl::cli::run)
}
