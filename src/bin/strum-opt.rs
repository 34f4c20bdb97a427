//! `mlir-opt` with the dialects `strum` and `dpu` and this project's passes. It has one option of its own, `--strum-log`.

use std::process::ExitCode;

use tracing::level_filters::LevelFilter;

/// What `--help` begins with.
const TITLE: &str = "strum-opt, an MLIR compiler for StruM-packed convolutional networks\n\n\
  --strum-log=LEVEL  what the passes report about their work on the standard error:\n\
                     off, error, warn (the default), info, debug or trace\n";

fn main() -> ExitCode {
    strum_files::ignore_file_size_signal();
    let (own, arguments): (Vec<String>, Vec<String>) =
        std::env::args().partition(|argument| argument.starts_with("--strum-log"));
    if arguments.iter().skip(1).any(|argument| argument == "--version") {
        println!("strum-opt {} (LLVM {})", env!("CARGO_PKG_VERSION"), strum_ir::llvm_version());
        return ExitCode::SUCCESS;
    }
    let level = match own.last().map(|option| option.trim_start_matches("--strum-log")) {
        None => LevelFilter::WARN,
        Some(text) => match text.strip_prefix('=').map(str::parse) {
            Some(Ok(level)) => level,
            _ => {
                eprintln!("strum-opt: --strum-log=LEVEL takes off, error, warn, info, debug or trace");
                return ExitCode::from(2);
            }
        },
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
    strum_opt::register_all();
    let code = strum_ir::opt_main(&arguments, TITLE, &strum_opt::registry());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
