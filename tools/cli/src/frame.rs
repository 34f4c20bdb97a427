//! The frame of a command: arguments in, exit code out.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;

use clap::{Args, Parser};
use strum_files::budget;

use crate::exit::{Failure, Kind};
use crate::log::{Filter, start_log};

/// Stack size in bytes for commands that use MLIR, whose parser and printer are recursive.
pub const DEEP_STACK: usize = 256 << 20;

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "General")]
pub struct Common {
    /// Log to standard error: a level (off, error, warn, info, debug, trace) or directives such as warn,strum_passes=debug.
    #[arg(
        long,
        value_name = "FILTER",
        env = Filter::VARIABLE,
        hide_env_values = true,
        default_value = Filter::DEFAULT,
        value_parser = str::parse::<Filter>,
        global = true
    )]
    log: Filter,

    /// Memory limit of the process, such as 2GB or 512MiB [default: 7/8 of the memory available to it].
    #[arg(long, value_name = "SIZE", value_parser = budget::parse, global = true)]
    memory_limit: Option<u64>,
}

/// Output mode.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reporting")]
pub struct Voice {
    /// Print a JSON object instead of the summary.
    #[arg(long)]
    pub json: bool,

    /// Print errors only.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Arguments of a command.
pub trait Arguments: Parser + Send + 'static {
    /// A target whose events are always enabled; see [`start_log`].
    const ALSO_LOGGED: Option<&'static str> = None;

    /// Stack size in bytes of the thread that runs the command; `None` runs it on the main thread.
    const STACK: Option<usize> = None;

    /// The options that all commands have.
    fn common(&self) -> &Common;
}

/// Parses the arguments, runs the command, and exits.
pub fn main<A: Arguments>(tool: &'static str, work: fn(A) -> Result<(), Failure>) -> ExitCode {
    strum_files::ignore_file_size_signal();
    match parse::<A>(std::env::args_os()) {
        Ok(arguments) => {
            let Common { log, memory_limit } = arguments.common();
            start_log(log, A::ALSO_LOGGED);
            memory_limit.iter().copied().for_each(budget::set_limit);
            tracing::debug!(tool, version = env!("CARGO_PKG_VERSION"), "starts");
            finish(tool, guarded(A::STACK, move || work(arguments)))
        }
        Err(outcome) => finish(tool, outcome),
    }
}

/// Runs a command that uses MLIR, and exits.
pub fn end(tool: &str, work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> ExitCode {
    finish(tool, guarded(Some(DEEP_STACK), work))
}

/// The arguments, or the outcome once clap has printed its message.
fn parse<A: Parser>(arguments: impl Iterator<Item = OsString>) -> Result<A, Result<(), Failure>> {
    A::try_parse_from(arguments).map_err(|text| {
        // Help and version are not errors; clap selects the stream for each.
        if text.use_stderr() {
            let _ = text.print();
            return Err(Failure::told(Kind::Usage));
        }
        Ok(strum_files::print_styled(&text.render().ansi().to_string())?)
    })
}

/// Runs with a stack of this size, and turns a panic into a failure.
fn guarded(
    stack: Option<usize>,
    work: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("panic");
        say(format_args!("internal error: this is a bug in strum-opt: {text}{place}"));
    }));
    let Some(stack) = stack else {
        return catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failure::told(Kind::Internal)));
    };
    let worker = thread::Builder::new().name("driver".into()).stack_size(stack).spawn(work);
    match worker {
        Ok(worker) => worker.join().unwrap_or_else(|_| Err(Failure::told(Kind::Internal))),
        Err(error) => Err(Failure::new(Kind::Resource, format_args!("cannot start a thread: {error}"))),
    }
}

/// Prints the failure, if there is one, and returns the exit code.
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

/// A line on standard error. If that is closed, the line is lost.
pub fn say(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::panic, clippy::unwrap_used, reason = "the panic is what is tested")]
    fn a_panic_is_an_internal_failure() {
        let failure = guarded(None, || panic!("expected by this test")).unwrap_err();
        let _ = std::panic::take_hook();
        assert_eq!(failure, Failure::told(Kind::Internal));
    }
}
