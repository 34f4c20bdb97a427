//! The drivers of strum-opt. The binaries only contain their names.
//!
//! `driver` is the frame, `commands` has a folder for each subcommand of `strumc`, [`audit`] reads weights back from a
//! binary.

pub mod audit;
mod commands;
mod driver;
mod opt;
mod translate;

use std::process::ExitCode;
use std::sync::Once;

use clap::CommandFactory;
use strum_ir::DialectRegistry;

/// Every dialect of the tools: MLIR's own, `strum` and `dpu`.
pub fn registry() -> DialectRegistry {
    DialectRegistry::new()
}

/// Registers all passes and pipelines, MLIR's own and this project's. May be called repeatedly.
pub fn register_all() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        strum_ir::register_mlir_passes();
        strum_passes::register_passes();
    });
}

/// The command lines of `strumc` and `strum-translate`, for inspection of their options.
#[must_use]
pub fn command_lines() -> [clap::Command; 2] {
    [commands::StrumcArgs::command(), translate::TranslateArgs::command()]
}

/// Runs `strumc` on the process's arguments.
pub fn strumc() -> ExitCode {
    driver::cli::main("strumc", commands::run)
}

/// Runs `strum-opt` on the process's arguments.
pub fn strum_opt() -> ExitCode {
    opt::main()
}

/// Runs `strum-translate` on the process's arguments.
pub fn strum_translate() -> ExitCode {
    driver::cli::main("strum-translate", translate::run)
}
