//! `strumc compile`: from a network to a program.

use std::path::PathBuf;

use clap::Args;
use dpu_isa::{IoDesc, Program};
use serde::Serialize;
use strum_cli::json;
use strum_tensors::ImageOptions;

use crate::audit::{LayerAudit, ProgramAudit, audit};
use crate::driver::advice;
use crate::driver::backend::elf;
use crate::driver::cli::{Progress, Voice};
use crate::driver::exit::Failure;
use crate::driver::files::{self, Places};
use crate::driver::images;
use crate::driver::options::CompileOptions;
use crate::driver::plan::Plan;
use crate::driver::remarks::Detail;
use crate::driver::rounding;

const EXAMPLES: &str = "\
Examples:
  strumc compile net.mlir -o net.dpu --method mip2q --p 0.5
  strumc compile net.mlir -o net.dpu --method mip2q --calibration x.npy
  strumc compile net.mlir -o net.dpu --packing p.json --objective energy
  strumc compile net.mlir -o net.dpu --write-strategy s.json --save-temps stages

The passes are those of strum-opt --strum-pipeline. strum-translate --dpu-audit lists the weights
of a binary.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompileCommand {
    /// The network: TFLite, ONNX, or integer TOSA as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET", required_unless_present = "print_pipeline")]
    network: Option<PathBuf>,

    /// The program to write; - writes to standard output.
    #[arg(
        long,
        short,
        value_name = "PROG.dpu",
        required_unless_present = "print_pipeline",
        help_heading = "Outputs"
    )]
    output: Option<PathBuf>,

    #[command(flatten)]
    options: CompileOptions,

    #[command(flatten)]
    images: ImageOptions,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,
}

/// Compiles a network, writes the program, and prints a summary.
pub(crate) fn run(command: &CompileCommand) -> Result<(), Failure> {
    let plan = Plan::new(&command.options)?.quiet(command.voice.quiet);
    let (Some(network), Some(output), false) =
        (&command.network, &command.output, command.options.print_pipeline)
    else {
        return files::print(format!("{}\n", plan.pipeline()).as_bytes());
    };
    if files::is_standard(output) && command.voice.json {
        return Err(Failure::usage("--json goes to standard output, where the program would be, too"));
    }
    let places = Places::default().reads("NET", [network]).writes("--output", [output]);
    command.options.places(places)?.check()?;
    files::check_binary_sink(output)?;
    images::check(&command.images, &command.options.samples.calibration, &command.voice)?;
    strum_ir::return_freed_memory();
    let input = files::read(network)?;
    let progress = Progress::begin(command.voice.quiet);
    advice::only_for_readers(&command.voice);
    let (plan, input) =
        rounding::prepare_once(input, plan, &command.options.samples, &command.images, &progress)?;
    let program = plan.compile(input, &progress, command.detail.remarks(&command.voice))?;
    let binary = elf(&program)?;
    let weights = audit(&program).map_err(Failure::internal)?;
    files::write(output, &binary)?;
    drop(progress);
    if command.voice.quiet || files::is_standard(output) {
        return Ok(());
    }
    let path = output.display().to_string();
    let text = match command.voice.json {
        true => compiled_json(&path, binary.len(), &program, &weights.total)?,
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
    json::line(json::COMPILE, &object).map_err(Failure::internal)
}

fn json_io(desc: &IoDesc) -> JsonIo<'_> {
    JsonIo { name: &desc.name, dtype: desc.dtype.name(), shape: &desc.shape }
}

fn compiled_summary(path: &str, bytes: usize, program: &Program, audit: &ProgramAudit) -> String {
    let (weights, growth) = (&audit.total, audit.growth());
    format!(
        "program {path}, {bytes} bytes: {} instructions in {} layers, {} macs\n\
         weights {} in {} bytes: {:.3} bits each, {:.2} % low\n\
         {growth}dram    {} bytes, {} of them constants\n\
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
