//! Running a program on tensors in files, and what is said of the run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use dpu_isa::{Dtype, Machine, Program};
use dpu_sim::tensor_file::{OutputPlan, read_inputs};
use dpu_sim::{KernelChoice, Options, Report, RunFiles, RunResult, Tensor, Traffic, simulate_observed};
use serde::Serialize;

use super::exit::{Failure, Kind};
use super::progress::Progress;

/// Most values of an output in the summary.
const SHOWN: usize = 16;
/// Most values of an output in the JSON object.
const LISTED: usize = 1024;

/// Options of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(super) struct RunOptions {
    /// An input tensor: .npy, or .npz with the array after a colon. Without a name, the next input in order.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    input: Vec<String>,

    /// Where an output tensor goes: .npy, or .npz with the array after a colon. Existing files are replaced.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    output: Vec<String>,

    /// Write the simulator's full report with its timeline, as JSON, to this file; see strumc report.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write a trace of every task in Chrome's format, which Perfetto opens, to this file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Print the table of layers with the summary.
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    layers: bool,

    /// Stop after so many cycles.
    #[arg(long, value_name = "CYCLES", default_value_t = Options::MAX_CYCLES)]
    fuel: u64,

    /// Do not look for hazards: unwritten reads, races, overlaps.
    #[arg(long)]
    no_checks: bool,

    /// Simulate every instruction by its plain definition: slow, and what the fast kernels are tested against.
    #[arg(long)]
    golden: bool,
}

/// Runs a program, writes its outputs, and returns what there is to say.
///
/// With `machine` the times are those of another machine.
pub(super) fn run(
    program: &Program,
    machine: Option<Machine>,
    options: &RunOptions,
    progress: &Progress,
) -> Result<RunResult, Failure> {
    let plan = OutputPlan::resolve(&program.outputs, &options.output)?;
    progress.step("read inputs");
    let inputs = read_inputs(&program.inputs, &options.input)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    let settings = Options {
        max_cycles: options.fuel,
        checks: !options.no_checks,
        kernel: if options.golden { KernelChoice::Golden } else { KernelChoice::Auto },
        machine,
        ..Options::default()
    };
    progress.step("simulate");
    let timed = settings.machine.as_ref().unwrap_or(&program.machine);
    let mut files = RunFiles::create(program, timed, options.report.as_deref(), options.trace.as_deref())?;
    let mut result = simulate_observed(program, &views, &settings, &mut [&mut files])?;
    progress.step("write outputs");
    plan.write(&result.outputs)?;
    files.commit(&mut result.report)?;
    Ok(result)
}

/// A fault of a program that this tool has compiled is a fault of this tool.
pub(super) fn blame_compiler(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Trap => failure.with_help(
            "the program was compiled by this tool: please report this, with what --save-temps DIR keeps",
        ),
        Kind::Input | Kind::Usage | Kind::Unsupported | Kind::Resource | Kind::Internal => failure,
    }
}

/// An output in the JSON object.
#[derive(Serialize)]
struct JsonOutput<'a> {
    name: &'a str,
    dtype: &'static str,
    shape: &'a [u64],
    /// All values in row-major order; left out of large tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<i32>>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct JsonRun<'a> {
    cycles: u64,
    ms: f64,
    macs: u64,
    macs_high: u64,
    macs_low: u64,
    bytes: Traffic,
    machine: &'a str,
    outputs: Vec<JsonOutput<'a>>,
}

/// The run as one JSON object, a line.
pub(super) fn json(program: &Program, result: &RunResult) -> Result<String, Failure> {
    let outputs = program.outputs.iter().zip(&result.outputs).map(|(desc, tensor)| JsonOutput {
        name: &desc.name,
        dtype: dtype(tensor),
        shape: &tensor.shape,
        values: (count(tensor) <= LISTED).then(|| tensor.values()),
    });
    let Report { cycles, milliseconds, machine, total, .. } = &result.report;
    let object = JsonRun {
        cycles: *cycles,
        ms: *milliseconds,
        macs: total.macs(),
        macs_high: total.macs_high,
        macs_low: total.macs_low,
        bytes: total.bytes,
        machine,
        outputs: outputs.collect(),
    };
    Ok(serde_json::to_string(&object).map_err(Failure::internal)? + "\n")
}

/// The run for a person.
pub(super) fn summary(program: &Program, result: &RunResult, options: &RunOptions) -> String {
    let mut text = if options.layers { result.report.to_string() } else { result.report.summary() };
    for (desc, tensor) in program.outputs.iter().zip(&result.outputs) {
        let shown: Vec<String> = tensor.values().iter().take(SHOWN).map(ToString::to_string).collect();
        let more = if count(tensor) > SHOWN { " …" } else { "" };
        let _ = writeln!(
            text,
            "output  {} {}{:?}: {}{more}",
            desc.name,
            dtype(tensor),
            tensor.shape,
            shown.join(" ")
        );
    }
    text
}

fn count(tensor: &Tensor) -> usize {
    tensor.data.len() / usize::try_from(tensor.dtype.bytes()).unwrap_or(1)
}

fn dtype(tensor: &Tensor) -> &'static str {
    Dtype::name(tensor.dtype)
}
