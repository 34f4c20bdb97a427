//! `strumc`: the one-command driver.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use dpu_isa::{IoDesc, Program};
use serde::Serialize;

use super::backend;
use super::cli::{Arguments, Common, version};
use super::compare::{self, CompareCommand};
use super::compile::{Plan, elf};
use super::eval::{self, EvalCommand};
use super::exit::Failure;
use super::files::{self, Input, Places};
use super::options::CompileOptions;
use super::progress::Progress;
use super::quantize::{self, QuantizeCommand};
use super::remarks::Detail;
use super::report::{self, ReportCommand};
use super::run::{self, RunOptions};
use super::translate::read_program;
use super::tune::{self, TuneCommand};
use crate::audit::{LayerAudit, audit};

const EXAMPLES: &str = "\
Examples:
  strumc compile net.mlir -o net.dpu --method mip2q --p 0.5
  strumc run net.mlir --input x.npy --output y.npy
  strumc run net.mlir --input a=x.npz:first --input b=x.npz:second --output y.npz --method dliq --q 4
  strumc run net.dpu --input x.npy --output y.npy --report report.json
  strumc compare net.mlir --input x.npy
  strumc eval net.mlir --inputs x.npy --labels y.npy
  strumc quantize float.mlir --calibration images.npy -o net.mlir
  strumc report report.json -o report.html

The passes are those of strum-opt --strum-pipeline. What a binary holds: strum-translate --dpu-audit.

Exit codes: 0 done, 1 invalid input, 2 wrong usage, 3 not supported, 4 a limit, 5 the machine trapped,
70 a bug of this program";

/// Compile an integer TOSA network with StruM weights to a DPU program, or compile and run it.
#[derive(Debug, Parser)]
#[command(name = "strumc", version = version(), after_help = EXAMPLES, max_term_width = 100)]
pub(super) struct StrumcArgs {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a network to a DPU program.
    #[command(after_help = EXAMPLES, max_term_width = 100)]
    Compile(CompileCommand),
    /// Compile a network, simulate it and write its outputs.
    #[command(after_help = EXAMPLES, max_term_width = 100)]
    Run(RunCommand),
    /// Compare methods on one workload: cycles, energy and power of the PEs and in total, beside the paper's figures.
    #[command(max_term_width = 100)]
    Compare(CompareCommand),
    /// Evaluate methods on a data set: accuracy, agreement and SQNR, from the simulator's exact results.
    #[command(max_term_width = 100)]
    Eval(EvalCommand),
    /// Quantize a float network to integer TOSA (post-training, from calibration data).
    #[command(max_term_width = 100)]
    Quantize(QuantizeCommand),
    /// Choose a weight format for each layer, from measured sensitivity and a budget.
    #[command(max_term_width = 100)]
    Tune(TuneCommand),
    /// Render run reports side by side on one page: time, energy, traffic, timeline, SRAM occupancy.
    #[command(max_term_width = 100)]
    Report(ReportCommand),
}

/// What is printed.
#[derive(Debug, Args)]
pub(super) struct Voice {
    /// Print a JSON object instead of the summary.
    #[arg(long)]
    pub(super) json: bool,

    /// Print errors only.
    #[arg(long, short, conflicts_with = "json")]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
struct CompileCommand {
    /// The network: integer TOSA as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET.mlir", required_unless_present = "print_pipeline")]
    network: Option<PathBuf>,

    /// The program to write; - writes to standard output.
    #[arg(long, short, value_name = "PROG.dpu", required_unless_present = "print_pipeline")]
    output: Option<PathBuf>,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,

    #[command(flatten)]
    options: CompileOptions,
}

#[derive(Debug, Args)]
struct RunCommand {
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

impl Arguments for StrumcArgs {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// Does what the arguments say.
pub(super) fn run(args: StrumcArgs) -> Result<(), Failure> {
    match args.command {
        Command::Compile(command) => compile(&command),
        Command::Run(command) => run_network(&command),
        Command::Compare(command) => compare::run(&command),
        Command::Eval(command) => eval::run(&command),
        Command::Tune(command) => tune::run(&command),
        Command::Quantize(command) => quantize::run(&command),
        Command::Report(command) => report::run(&command),
    }
}

fn compile(command: &CompileCommand) -> Result<(), Failure> {
    let plan = Plan::new(&command.options)?;
    let (Some(network), Some(output), false) =
        (&command.network, &command.output, command.options.print_pipeline)
    else {
        return files::print(format!("{}\n", plan.pipeline).as_bytes());
    };
    if files::is_standard(output) && command.voice.json {
        return Err(Failure::usage("--json goes to standard output, where the program would be, too"));
    }
    let places = Places::default().reads("NET.mlir", [network]).writes("--output", [output]);
    command.options.places(places)?.check()?;
    files::check_binary_sink(output)?;
    strum_ir::return_freed_memory();
    let input = files::read(network)?;
    let progress = Progress::begin(command.voice.quiet);
    let program = plan.compile(input, &progress, command.detail.remarks(&command.voice))?;
    let binary = elf(&program)?;
    let weights = audit(&program).map_err(Failure::internal)?.total;
    files::write(output, &binary)?;
    drop(progress);
    if command.voice.quiet || files::is_standard(output) {
        return Ok(());
    }
    let path = output.display().to_string();
    let text = match command.voice.json {
        true => compiled_json(&path, binary.len(), &program, &weights)?,
        false => compiled_summary(&path, binary.len(), &program, &weights),
    };
    files::print(text.as_bytes())
}

/// The weights of a program, in the JSON object.
#[derive(Serialize)]
struct JsonWeights {
    count: u64,
    low: u64,
    bytes: u64,
    bits_per_weight: f64,
}

/// An input or output, in the JSON object.
#[derive(Serialize)]
struct JsonIo<'a> {
    name: &'a str,
    dtype: &'static str,
    shape: &'a [u64],
}

/// What `strumc compile --json` prints.
#[derive(Serialize)]
struct JsonProgram<'a> {
    program: &'a str,
    bytes: usize,
    instructions: usize,
    layers: usize,
    macs: u64,
    constant_bytes: usize,
    dram_bytes: u64,
    machine: &'a str,
    pipeline: &'a str,
    weights: JsonWeights,
    inputs: Vec<JsonIo<'a>>,
    outputs: Vec<JsonIo<'a>>,
}

fn macs(program: &Program) -> u64 {
    program.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.macs))
}

fn compiled_json(
    path: &str,
    bytes: usize,
    program: &Program,
    weights: &LayerAudit,
) -> Result<String, Failure> {
    let object = JsonProgram {
        program: path,
        bytes,
        instructions: program.instrs.len(),
        layers: program.layers.len(),
        macs: macs(program),
        constant_bytes: program.consts.len(),
        dram_bytes: program.dram_bytes,
        machine: &program.machine.name,
        pipeline: &program.manifest.pipeline,
        weights: JsonWeights {
            count: weights.weights,
            low: weights.low,
            bytes: weights.bytes,
            bits_per_weight: weights.bits_per_weight,
        },
        inputs: program.inputs.iter().map(json_io).collect(),
        outputs: program.outputs.iter().map(json_io).collect(),
    };
    Ok(serde_json::to_string(&object).map_err(Failure::internal)? + "\n")
}

fn json_io(desc: &IoDesc) -> JsonIo<'_> {
    JsonIo { name: &desc.name, dtype: desc.dtype.name(), shape: &desc.shape }
}

fn compiled_summary(path: &str, bytes: usize, program: &Program, weights: &LayerAudit) -> String {
    format!(
        "program {path}, {bytes} bytes: {} instructions in {} layers, {} macs\n\
         weights {} in {} bytes: {:.3} bits each, {:.2} % low\n\
         dram    {} bytes, {} of them constants\n\
         machine {}\n",
        program.instrs.len(),
        program.layers.len(),
        macs(program),
        weights.weights,
        weights.bytes,
        weights.bits_per_weight,
        100.0 * weights.low_share(),
        program.dram_bytes,
        program.consts.len(),
        program.machine.name,
    )
}

fn run_network(command: &RunCommand) -> Result<(), Failure> {
    let Voice { json, quiet } = command.voice;
    let Some(network) = command.network.as_ref().filter(|_| !command.options.print_pipeline) else {
        return files::print(format!("{}\n", Plan::new(&command.options)?.pipeline).as_bytes());
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
        let result = run::run(&program, machine.transpose()?, &command.run, &progress)?;
        (program, result)
    } else {
        let program =
            Plan::new(&command.options)?.compile(input, &progress, command.detail.remarks(&command.voice))?;
        let result = run::run(&program, None, &command.run, &progress).map_err(run::blame_compiler)?;
        (program, result)
    };
    drop(progress);
    let text = match (json, quiet) {
        (true, _) => run::json(&program, &result)?,
        (false, true) => String::new(),
        (false, false) => run::summary(&program, &result, &command.run),
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
        None => read_program(input, true),
    }
}
