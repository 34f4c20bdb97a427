//! The frame of a driver: arguments in, exit code out.
//!
//! Invariant: whatever happens below, the process ends with one of the documented exit codes, and a panic is told as
//! what it is, a bug of ours.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::thread;

use clap::{Args, Parser};
use strum_files::budget;
use strum_passes::strum::strum_pack::remark;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::exit::{Failure, Kind};
use super::isolate;

/// Stack of the thread that works: MLIR's parser and printer recurse on what they are given.
const STACK: usize = 256 << 20;

/// `0.1.0 (LLVM 22.1.8)`.
pub(crate) fn version() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| format!("{} (LLVM {})", env!("CARGO_PKG_VERSION"), strum_ir::llvm_version()));
    &TEXT
}

/// Options of every driver.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Log level on standard error: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = level, global = true)]
    log: LevelFilter,

    /// Most memory to use, such as 2GB or 512MiB: constants, tensors, simulated memories, and everything that is read [default: 7/8
    /// of what this computer has, or allows this process].
    #[arg(long, value_name = "SIZE", value_parser = budget::parse, global = true)]
    memory_limit: Option<u64>,
}

pub(crate) fn level(text: &str) -> Result<LevelFilter, String> {
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    let level = text.parse().ok().filter(|_| known.contains(&text));
    level.ok_or_else(|| format!("expected {}", known.join(", ")))
}

/// What is printed.
#[derive(Debug, Args)]
pub(crate) struct Voice {
    /// Print a JSON object instead of the summary.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print errors only.
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

impl Common {
    fn limit_memory(&self) {
        if let Some(bytes) = self.memory_limit {
            budget::set_limit(bytes);
        }
    }

    fn start_log(&self) {
        // Remarks are always made: what is told of them is decided later.
        let shown = Targets::new().with_default(self.log).with_target(remark::TARGET, LevelFilter::INFO);
        start_log(shown);
    }
}

/// Has what is logged told on standard error, as far as it is asked for.
pub(crate) fn start_log(shown: Targets) {
    let layer = fmt::layer().with_writer(io::stderr).without_time().with_filter(shown);
    // A second logger in one process changes nothing.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Arguments of a driver.
pub(crate) trait Arguments: Parser + Send + 'static {
    /// The options that all drivers have.
    fn common(&self) -> &Common;
}

/// Parses the arguments, does the work, and ends.
pub(crate) fn main<A: Arguments>(tool: &'static str, work: fn(A) -> Result<(), Failure>) -> ExitCode {
    strum_files::ignore_file_size_signal();
    if let Some(request) = isolate::asked_to_read(std::env::args_os()) {
        return end(tool, move || isolate::serve(&request));
    }
    match parse::<A>(std::env::args_os()) {
        Ok(arguments) => {
            arguments.common().start_log();
            arguments.common().limit_memory();
            tracing::debug!(tool, version = version(), "starts");
            end(tool, move || work(arguments))
        }
        Err(outcome) => finish(tool, outcome),
    }
}

/// Does the work, and ends.
pub(crate) fn end(tool: &str, work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> ExitCode {
    finish(tool, guarded(work))
}

/// The arguments, or the outcome after what clap has to say.
fn parse<A: Parser>(arguments: impl Iterator<Item = OsString>) -> Result<A, Result<(), Failure>> {
    A::try_parse_from(arguments).map_err(|text| {
        // Help and version are no errors; clap knows where each belongs.
        if text.use_stderr() {
            let _ = text.print();
            return Err(Failure::told(Kind::Usage));
        }
        Ok(strum_files::print_styled(&text.render().ansi().to_string())?)
    })
}

/// Works on a thread with much stack, and turns a panic into a failure.
fn guarded(work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("panic");
        say(format_args!("internal error: this is a bug in strum-opt: {text}{place}"));
    }));
    let worker = thread::Builder::new().name("driver".into()).stack_size(STACK).spawn(work);
    match worker {
        Ok(worker) => worker.join().unwrap_or_else(|_| Err(Failure::told(Kind::Internal))),
        Err(error) => Err(Failure::new(Kind::Resource, format_args!("cannot start a thread: {error}"))),
    }
}

/// Prints the failure, if there is one, and gives the exit code.
fn finish(tool: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { kind, message }) => {
            if !message.is_empty() {
                say(format_args!("{tool}: error: {message}"));
            }
            ExitCode::from(kind.code())
        }
    }
}

/// A line on standard error. If that is closed, there is nobody to tell.
pub(crate) fn say(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_named_and_nothing_else() {
        assert_eq!(level("debug"), Ok(LevelFilter::DEBUG));
        assert!(level("3").is_err() && level("").is_err() && level("loud").is_err());
    }

    #[test]
    fn a_panic_is_an_internal_failure() {
        let failure = guarded(|| panic!("expected by this test")).unwrap_err();
        let _ = std::panic::take_hook();
        assert_eq!(failure, Failure::told(Kind::Internal));
    }

    #[test]
    fn the_version_names_llvm() {
        assert!(version().starts_with(env!("CARGO_PKG_VERSION")) && version().contains("(LLVM 22."));
    }
}
