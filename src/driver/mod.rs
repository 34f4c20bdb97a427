//! What the drivers `strumc`, `strum-opt` and `strum-translate` share and do. The binaries hold nothing but their names.
//!
//! Invariant: a driver ends with a documented exit code and a message, whatever it is given; files appear whole or not
//! at all, and standard output carries results only.

mod backend;
mod cli;
mod compare;
mod compile;
mod diagnostics;
mod eval;
mod exit;
mod files;
mod isolate;
mod network;
mod opt;
mod options;
mod progress;
mod quantize;
mod remarks;
mod report;
mod run;
mod strumc;
mod translate;
mod trial;
mod tune;

use clap::CommandFactory;

pub use exit::{Failure, Kind};

/// The command lines of `strumc` and `strum-translate`, for who wants to know their options.
#[must_use]
pub fn command_lines() -> [clap::Command; 2] {
    [strumc::StrumcArgs::command(), translate::TranslateArgs::command()]
}

/// Runs `strumc` on the process's arguments.
pub fn strumc() -> std::process::ExitCode {
    cli::main("strumc", strumc::run)
}

/// Runs `strum-opt` on the process's arguments.
pub fn strum_opt() -> std::process::ExitCode {
    opt::main()
}

/// Runs `strum-translate` on the process's arguments.
pub fn strum_translate() -> std::process::ExitCode {
    cli::main("strum-translate", translate::run)
}
