//! The command: a network or a compiled program, simulated.

use std::path::PathBuf;

use clap::Args;
use dpu_isa::Program;

use super::{RunOptions, simulate, summary};
use crate::driver::backend;
use crate::driver::cli::Voice;
use crate::driver::exit::{Failure, blame_compiler};
use crate::driver::files::{self, Input, Places};
use crate::driver::options::CompileOptions;
use crate::driver::plan::Plan;
use crate::driver::progress::Progress;
use crate::driver::remarks::Detail;

#[derive(Debug, Args)]
pub(crate) struct RunCommand {
    /// The network (integer TOSA as MLIR text or bytecode) or a compiled program; - reads standard input.
    #[arg(value_name = "NET.mlir|PROG.dpu", required_unless_present = "print_pipeline")]
    network: Option<PathBuf>,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,

    #[command(flatten)]
    run: RunOptions,

    #[command(flatten)]
    options: CompileOptions,
}

/// Compiles a network if it has to be, simulates it, and says what came of it.
pub(crate) fn run(command: &RunCommand) -> Result<(), Failure> {
    let Voice { json, quiet } = command.voice;
    let Some(network) = command.network.as_ref().filter(|_| !command.options.print_pipeline) else {
        return files::print(format!("{}\n", Plan::new(&command.options)?.pipeline()).as_bytes());
    };
    let places = command.run.places(Places::default().reads("NET.mlir|PROG.dpu", [network]))?;
    command.options.places(places)?.check()?;
    let input = files::read(network)?;
    let progress = Progress::begin(quiet);
    let (program, result) = if is_binary(&input) {
        let verbose = command.detail.verbose.then(|| "--verbose".to_owned());
        let program = compiled(&input, verbose.into_iter().chain(command.options.given()))?;
        let machine = command.options.machine.as_ref().map(|spec| {
            let spec = spec.to_str().ok_or_else(|| Failure::usage("--machine: the path is not UTF-8"))?;
            backend::resolve_machine(spec)
        });
        let result = simulate(&program, machine.transpose()?, &command.run, &progress)?;
        (program, result)
    } else {
        let program =
            Plan::new(&command.options)?.compile(input, &progress, command.detail.remarks(&command.voice))?;
        let result = simulate(&program, None, &command.run, &progress).map_err(blame_compiler)?;
        (program, result)
    };
    drop(progress);
    let text = match (json, quiet) {
        (true, _) => super::json(&program, &result)?,
        (false, true) => String::new(),
        (false, false) => summary(&program, &result, &command.run),
    };
    files::print(text.as_bytes())
}

fn is_binary(input: &Input) -> bool {
    input.bytes.starts_with(b"\x7fELF")
}

/// A program that has been compiled, for which options of the compiler come too late.
fn compiled(input: &Input, mut given: impl Iterator<Item = String>) -> Result<Program, Failure> {
    match given.next() {
        Some(flag) => Err(Failure::usage(format_args!("{flag} has no effect: '{}' is compiled", input.name))),
        None => backend::read_program(input, true),
    }
}
