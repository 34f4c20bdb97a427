//! `dpu-sim`: runs a DPU program on tensors and says what it took.
//!
//! Exit codes: 0 done, 1 wrong input, 2 wrong usage, 3 a format this version does not read, 4 a limit was reached, 5 the
//! machine trapped, 70 a bug of the simulator itself.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use cli::Failure;

fn main() -> ExitCode {
    strum_files::ignore_file_size_signal();
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        // Help and version are no errors; clap knows where each belongs.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(cli::USAGE);
        }
        Err(text) => {
            return finish(
                strum_files::print_styled(&text.render().ansi().to_string()).map_err(Failure::from),
            );
        }
    };
    // Nothing is meant to panic; if something does, the user should know whose fault it is.
    let outcome = std::panic::catch_unwind(|| {
        let text = cli::run(&args)?;
        strum_files::print(text.as_bytes()).map_err(Failure::from)
    });
    outcome.map_or_else(
        |_| {
            let _ = writeln!(io::stderr(), "internal error: this is a bug in dpu-sim, not in your program");
            ExitCode::from(cli::INTERNAL)
        },
        finish,
    )
}

/// Says what failed, if anything did, and gives the exit code.
fn finish(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is closed, there is nobody to tell.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}
