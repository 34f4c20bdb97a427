//! `dpu-sim`: runs a DPU program on tensors and says what it took.
//!
//! Exit codes: 0 done, 1 wrong input, 2 wrong usage, 3 a format this version does not read, 4 a limit was reached, 5 the
//! machine trapped, 70 a bug of the simulator itself.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; clap knows where each belongs.
            let code = if error.use_stderr() { cli::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // Nothing is meant to panic; if something does, the user should know whose fault it is.
    let outcome = std::panic::catch_unwind(|| cli::run(&args));
    let (text, code) = match outcome {
        Ok(Ok(text)) => (text, 0),
        Ok(Err(failure)) => {
            let _ = writeln!(io::stderr(), "{failure}");
            (String::new(), failure.code)
        }
        Err(_) => {
            let _ = writeln!(io::stderr(), "internal error: this is a bug in dpu-sim, not in your program");
            (String::new(), cli::INTERNAL)
        }
    };
    // A reader that has seen enough (`| head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}
