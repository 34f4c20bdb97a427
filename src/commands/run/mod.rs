//! Running a program on tensors in files, and what is said of the run.

mod command;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Args;
use dpu_isa::{Dtype, Machine, Program};
use dpu_sim::{
    KernelChoice, Options, Report, RunFiles, RunResult, Tensor, Traffic, run_batch, simulate_observed,
};
use serde::Serialize;
use strum_tensors::{OutputPlan, SampleOutputs, Samples, input_files, output_files, read_inputs};

use crate::driver::exit::Failure;
use crate::driver::files::Places;
use crate::driver::progress::Progress;

pub(crate) use command::{RunCommand, run};

/// Most values of an output in the summary.
const SHOWN: usize = 16;
/// Most values of an output in the JSON object.
const LISTED: usize = 1024;

/// Options of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunOptions {
    /// Input tensor: .npy, or .npz:KEY. Without NAME, the next input in order.
    /// A leading batch axis runs every sample, and outputs get that axis, too.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    input: Vec<String>,

    /// File for an output tensor: .npy, or .npz:KEY. Existing files are replaced.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    output: Vec<String>,

    /// Write the full report with its timeline as JSON, for strumc report.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write a trace of every task in Chrome's trace event format (opens in Perfetto).
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Also print a table of layers.
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    layers: bool,

    /// Limit on simulated cycles. It also bounds the steps of the host that simulates them (docs/timing.md, Fuel).
    #[arg(long, value_name = "CYCLES", default_value_t = Options::MAX_CYCLES)]
    fuel: u64,

    /// Skip hazard checks (uninitialized reads, races, overlaps).
    #[arg(long)]
    no_checks: bool,

    /// Use the reference implementation of every instruction (slow); the fast kernels are tested against it.
    #[arg(long)]
    golden: bool,

    /// Threads that share the samples of a batch, and the large convolutions of samples of which there are fewer
    /// than threads: by default, and at most, one for each core. Outputs and times do not depend on it.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl RunOptions {
    /// Adds the files that a run reads and writes.
    pub(crate) fn places(&self, places: Places) -> Result<Places, Failure> {
        Ok(places
            .reads("--input", input_files(&self.input))
            .writes_files("--output", output_files(&self.output)?)
            .writes_files("--report", &self.report)
            .writes_files("--trace", &self.trace))
    }
}

/// What a run has given.
pub(crate) enum Ran {
    /// A run on one sample.
    One(Box<RunResult>),
    /// A batch: the report of a sample, and samples a second of host time.
    Batch(Box<Report>, f64),
}

impl Ran {
    fn report(&self) -> &Report {
        match self {
            Ran::One(result) => &result.report,
            Ran::Batch(report, _) => report,
        }
    }
}

/// Runs a program, writes its outputs, and returns what there is to say.
///
/// With `machine` the times are those of another machine.
fn simulate(
    program: &Program,
    machine: Option<Machine>,
    options: &RunOptions,
    progress: &Progress,
) -> Result<Ran, Failure> {
    progress.step("read inputs");
    let settings = Options {
        max_cycles: options.fuel,
        checks: !options.no_checks,
        kernel: if options.golden { KernelChoice::Golden } else { KernelChoice::Auto },
        threads: jobs(options),
        machine,
        ..Options::default()
    };
    let timed = settings.machine.as_ref().unwrap_or(&program.machine);
    let files = || RunFiles::create(program, timed, options.report.as_deref(), options.trace.as_deref());
    if let Some(mut samples) = Samples::open(&program.inputs, &options.input)? {
        return run_samples(program, &settings, (&mut samples, files()?), options, progress);
    }
    let plan = OutputPlan::resolve(&program.outputs, &options.output)?;
    let inputs = read_inputs(&program.inputs, &options.input)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    progress.step("simulate");
    let mut files = files()?;
    let mut result = simulate_observed(program, &views, &settings, &mut [&mut files])?;
    progress.step("write outputs");
    plan.write(&result.outputs)?;
    files.commit(&mut result.report)?;
    Ok(Ran::One(Box::new(result)))
}

/// Threads to run on: more of them than cores would cost memory and gain nothing.
fn jobs(options: &RunOptions) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    options.jobs.map_or(cores, |jobs| usize::from(jobs).min(cores))
}

/// Runs a batch.
fn run_samples(
    program: &Program,
    settings: &Options,
    (samples, mut files): (&mut Samples, RunFiles<'_>),
    options: &RunOptions,
    progress: &Progress,
) -> Result<Ran, Failure> {
    let count = samples.count();
    let mut outputs = SampleOutputs::create(&program.outputs, &options.output, count)?;
    let jobs = jobs(options);
    progress.samples(count);
    let begin = Instant::now();
    let done = |n| progress.samples_done(n);
    let mut report = run_batch(program, settings, &mut [&mut files], jobs, (samples, &mut outputs), &done)?;
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    outputs.commit()?;
    files.commit(&mut report)?;
    Ok(Ran::Batch(Box::new(report), rate))
}

/// An output in the JSON object.
#[derive(Serialize)]
struct JsonOutput<'a> {
    name: &'a str,
    dtype: &'static str,
    shape: &'a [u64],
    /// All values in row-major order; left out of large tensors and of batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<i32>>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct JsonRun<'a> {
    /// Samples of a batch; everything else is of one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
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
pub(crate) fn json(program: &Program, ran: &Ran) -> Result<String, Failure> {
    let values = |index| match ran {
        Ran::One(result) => result.outputs.get(index).filter(|t| count(t) <= LISTED).map(Tensor::values),
        Ran::Batch(..) => None,
    };
    let outputs = program.outputs.iter().enumerate().map(|(index, desc)| JsonOutput {
        name: &desc.name,
        dtype: Dtype::name(desc.dtype),
        shape: &desc.shape,
        values: values(index),
    });
    let Report { cycles, milliseconds, machine, total, samples, .. } = ran.report();
    let object = JsonRun {
        samples: matches!(ran, Ran::Batch(..)).then_some(*samples),
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
pub(crate) fn summary(program: &Program, ran: &Ran, options: &RunOptions) -> String {
    let report = ran.report();
    let mut text = if options.layers { report.to_string() } else { report.summary() };
    let outputs = match ran {
        Ran::One(result) => &result.outputs[..],
        Ran::Batch(report, rate) => {
            let samples = report.samples;
            let _ = writeln!(text, "samples {samples}, each with these counts; simulated {rate:.1} a second");
            &[]
        }
    };
    for (desc, tensor) in program.outputs.iter().zip(outputs) {
        let shown: Vec<String> = tensor.values().iter().take(SHOWN).map(ToString::to_string).collect();
        let more = if count(tensor) > SHOWN { " …" } else { "" };
        let _ = writeln!(
            text,
            "output  {} {}{:?}: {}{more}",
            desc.name,
            Dtype::name(tensor.dtype),
            tensor.shape,
            shown.join(" ")
        );
    }
    text
}

fn count(tensor: &Tensor) -> usize {
    tensor.data.len() / usize::try_from(tensor.dtype.bytes()).unwrap_or(1)
}
