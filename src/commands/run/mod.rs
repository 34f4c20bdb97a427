//! `strumc run`: simulates a network or a compiled program with `dpu-sim`.

mod float;

use std::path::PathBuf;

use clap::Args;
use dpu_isa::Program;
use dpu_sim::cli::RunArgs;

use crate::audit::audit;
use crate::driver::advice;
use crate::driver::backend;
use crate::driver::cli::{Progress, Voice};
use crate::driver::exit::{Failure, blame_compiler};
use crate::driver::files::{self, Input, Places};
use crate::driver::options::CompileOptions;
use crate::driver::plan::Plan;
use crate::driver::remarks::Detail;
use crate::driver::rounding;

const EXAMPLES: &str = "\
Examples:
  strumc run net.mlir --input x.npy --output y.npy --method mip2q --p 0.5
  strumc run net.mlir --input a=x.npz:first b=x.npz:second --output y.npz --layers
  strumc run net.tflite --input image.npy --real
  strumc run net.tflite --input photo.jpg --resize 256 --mean 0.5 --std 0.5
  strumc run net.onnx --float --input image.npy --output y.npy
  strumc run net.dpu --input images.npy --output scores.npy --report report.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunCommand {
    /// The network (TFLite, ONNX, or integer TOSA as MLIR text or bytecode) or a compiled program; - reads standard input.
    #[arg(value_name = "NET|PROG.dpu", required_unless_present = "print_pipeline")]
    network: Option<PathBuf>,

    /// Evaluate a float network in single precision, without a machine, and write its outputs.
    #[arg(
        long,
        conflicts_with_all = [
            "report", "trace", "trace_pe", "fuel", "no_checks", "kernel", "golden", "timing_only", "layers", "slowest", "filter", "profile", "real",
            "json", "verbose",
        ],
        help_heading = "Simulation"
    )]
    float: bool,

    #[command(flatten)]
    run: RunArgs,

    #[command(flatten)]
    options: CompileOptions,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,
}

/// Compiles a network if needed, simulates it, and reports the results.
pub(crate) fn run(command: &RunCommand) -> Result<(), Failure> {
    let Voice { json, quiet } = command.voice;
    let Some(network) = command.network.as_ref().filter(|_| !command.options.print_pipeline) else {
        return files::print(format!("{}\n", Plan::new(&command.options)?.pipeline()).as_bytes());
    };
    let places = command.run.places(Places::default().reads("NET|PROG.dpu", [network]))?;
    command.options.places(places)?.check()?;
    command.run.check_images(&command.options.samples.calibration, quiet || json)?;
    let input = files::read(network)?;
    let progress = Progress::begin(quiet);
    if command.float {
        let text = float::run(command, input, &progress)?;
        drop(progress);
        return files::print(if quiet { "" } else { &text }.as_bytes());
    }
    let (program, ran) = if is_binary(&input) {
        let verbose = command.detail.verbose.then(|| "--verbose".to_owned());
        let program = compiled(&input, verbose.into_iter().chain(command.options.given()))?;
        let machine = command.options.machine.as_ref().map(|spec| {
            let spec = spec.to_str().ok_or_else(|| Failure::usage("--machine: the path is not UTF-8"))?;
            backend::resolve_machine(spec)
        });
        let ran = command.run.run(&program, machine.transpose()?, &progress)?;
        (program, ran)
    } else {
        let plan = Plan::new(&command.options)?.quiet(quiet);
        advice::only_for_readers(&command.voice);
        let (plan, input) = rounding::prepare_once(
            input,
            plan,
            &command.options.samples,
            command.run.inputs().images,
            &progress,
        )?;
        let program = plan.compile(input, &progress, command.detail.remarks(&command.voice))?;
        let ran = command.run.run(&program, None, &progress).map_err(blame_compiler)?;
        (program, ran)
    };
    drop(progress);
    let text = match (json, quiet) {
        (true, _) => ran.json(&program, &command.run).map_err(Failure::internal)?,
        (false, true) => String::new(),
        // A program written by hand need not have weights that can be audited.
        (false, false) => {
            let growth = audit(&program).map_or_else(|_| String::new(), |audit| audit.growth());
            ran.summary(&program, &command.run) + &growth
        }
    };
    files::print(text.as_bytes())
}

fn is_binary(input: &Input) -> bool {
    input.bytes.starts_with(b"\x7fELF")
}

/// A compiled program, to which compiler options do not apply.
fn compiled(input: &Input, mut given: impl Iterator<Item = String>) -> Result<Program, Failure> {
    match given.next() {
        Some(flag) => Err(Failure::usage(format_args!("{flag} has no effect: '{}' is compiled", input.name))),
        None => backend::read_program(input, true),
    }
}
