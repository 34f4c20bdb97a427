//! The command line of `dpu-sim`: arguments, and what is done with them in which order.
//!
//! Nothing is written before the program has halted, and then every file whole.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Parser;
use dpu_isa::{ContainerError, Machine, MachineError, Program};
use dpu_sim::{
    BatchError, HostProfile, KernelChoice, Options, Report, RunFiles, SimError, Tensor, run_batch,
    simulate_observed, simulate_timing,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use strum_files::{FileError, Places, budget};
use strum_tensors::{OutputPlan, SampleOutputs, Samples, input_files, output_files, read_inputs};

/// Exit codes beyond success.
const INVALID: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const UNSUPPORTED: u8 = 3;
const LIMIT: u8 = 4;
const TRAP: u8 = 5;
pub(crate) const INTERNAL: u8 = 70;

/// Run a DPU program: exact results, cycles, traffic, hazards.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Args {
    /// The program, an ELF file.
    program: PathBuf,

    /// Input tensor: .npy, or .npz:KEY. Without NAME, the next input in order.
    /// A leading batch axis runs every sample, and outputs get that axis, too.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    input: Vec<String>,

    /// File for an output tensor: .npy, or .npz:KEY. Existing files are replaced.
    #[arg(long, short, value_name = "[NAME=]FILE[:KEY]", num_args = 1..)]
    output: Vec<String>,

    /// Write the full report with its timeline as JSON (docs/report.md).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write a trace of every task in Chrome's trace event format (opens in Perfetto).
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Use the timing parameters of this machine; no other parameter may differ from the program's.
    #[arg(long, value_name = "FILE")]
    machine: Option<PathBuf>,

    /// Print the full report as JSON instead of the summary.
    #[arg(long, conflicts_with_all = ["quiet", "layers"])]
    json: bool,

    /// Also print a table of layers.
    #[arg(long, conflicts_with = "quiet")]
    layers: bool,

    /// Print nothing.
    #[arg(long, short)]
    quiet: bool,

    /// Print a profile of host time, by instruction and by layer.
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    profile: bool,

    /// Limit on simulated cycles. It also bounds the steps of the host that simulates them (docs/timing.md, Fuel).
    #[arg(long, value_name = "CYCLES", default_value_t = Options::MAX_CYCLES)]
    fuel: u64,

    /// Most memory to use, such as 2GB or 512MiB: tensors, simulated memories, and everything that is read [default: 7/8 of what
    /// this computer has, or allows this process].
    #[arg(long, value_name = "SIZE", value_parser = budget::parse)]
    memory_limit: Option<u64>,

    /// Skip hazard checks (uninitialized reads, races, overlaps).
    #[arg(long)]
    no_checks: bool,

    /// SIMD kernels of the host: auto, vnni, avx2 or scalar. Results and cycles do not depend on it.
    #[arg(long, value_name = "KERNEL", default_value_t = KernelChoice::Auto)]
    kernel: KernelChoice,

    /// Use the reference implementation of every instruction (slow); the fast kernels are tested against it.
    #[arg(long, conflicts_with = "kernel")]
    golden: bool,

    /// Simulate times and counts alone: no input, no output, no value, no look for hazards. Not for machines
    /// that skip zeros. Low members are counted as packers place them.
    #[arg(long, conflicts_with_all = ["input", "output", "no_checks", "kernel", "golden", "jobs", "profile"])]
    timing_only: bool,

    /// Threads that share the samples of a batch, and the large convolutions of samples of which there are fewer
    /// than threads: by default, and at most, one for each core. Outputs and times do not depend on it.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// What ends the command without success: a message and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    pub(crate) code: u8,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)
    }
}

fn failure(code: u8, message: impl fmt::Display) -> Failure {
    Failure { message: message.to_string(), code }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        match error {
            FileError::Usage(_) => failure(USAGE, error),
            FileError::Io { .. } if error.is_limit() => failure(LIMIT, error),
            FileError::Io { .. } | FileError::Content { .. } => failure(INVALID, error),
            FileError::TooLarge { .. } | FileError::Limit { .. } => failure(LIMIT, error),
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        match error {
            BatchError::File(error) => error.into(),
            BatchError::Sample { sample, error } => {
                let failure = Failure::from(error);
                Failure { message: format!("sample {sample}: {}", failure.message), ..failure }
            }
        }
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Failure {
        match &error {
            SimError::Input(_) | SimError::Program(_) | SimError::Machine(_) => failure(INVALID, error),
            SimError::Host(_) => failure(UNSUPPORTED, error),
            SimError::HostLimit(_) | SimError::Resource { .. } | SimError::Memory(_) => failure(LIMIT, error),
            SimError::OutOfFuel { .. } => failure(LIMIT, format!("{error}\nhelp: --fuel sets the limit")),
            SimError::Trap(_) => failure(TRAP, error),
        }
    }
}

/// Does what the arguments say. Returns the text for standard output.
pub(crate) fn run(args: &Args) -> Result<String, Failure> {
    args.memory_limit.into_iter().for_each(budget::set_limit);
    places(args)?.check()?;
    let program = load_program(&args.program)?;
    let options = Options {
        max_cycles: args.fuel,
        checks: !args.no_checks,
        kernel: if args.golden { KernelChoice::Golden } else { args.kernel },
        machine: args.machine.as_deref().map(load_machine).transpose()?,
        threads: jobs(args),
        profile: args.profile.then(|| Arc::new(HostProfile::new(&program))),
        ..Options::default()
    };
    if args.timing_only {
        return run_timing(args, &program, &options);
    }
    let text = run_program(args, &program, &options)?;
    Ok(match &options.profile {
        Some(profile) => format!("{text}\n{}", profile.table(&program)),
        None => text,
    })
}

/// What is read and what is written.
fn places(args: &Args) -> Result<Places, FileError> {
    let places = Places::default()
        .reads("PROGRAM", [&args.program])
        .reads("--input", input_files(&args.input))
        .reads("--machine", &args.machine)
        .writes_files("--output", output_files(&args.output)?)
        .writes_files("--report", &args.report)
        .writes_files("--trace", &args.trace);
    Ok(places)
}

/// Runs a program on what the arguments name. Returns what there is to say of the run.
fn run_program(args: &Args, program: &Program, options: &Options) -> Result<String, Failure> {
    if let Some(mut samples) = Samples::open(&program.inputs, &args.input)? {
        return run_samples(args, program, options, &mut samples);
    }
    let plan = OutputPlan::resolve(&program.outputs, &args.output)?;
    let inputs = read_inputs(&program.inputs, &args.input)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    let machine = options.machine.as_ref().unwrap_or(&program.machine);
    let mut files = RunFiles::create(program, machine, args.report.as_deref(), args.trace.as_deref())?;
    let mut result = simulate_observed(program, &views, options, &mut [&mut files])?;
    let json = result.report.to_json().map_err(|error| failure(INTERNAL, error))? + "\n";
    plan.write(&result.outputs)?;
    files.commit(&mut result.report)?;
    Ok(text(args, &result.report, json))
}

/// Simulates times alone.
fn run_timing(args: &Args, program: &Program, options: &Options) -> Result<String, Failure> {
    let machine = options.machine.as_ref().unwrap_or(&program.machine);
    let mut files = RunFiles::create(program, machine, args.report.as_deref(), args.trace.as_deref())?;
    let begin = Instant::now();
    let recorded = args.report.is_some() || args.trace.is_some();
    let mut report = if recorded {
        simulate_timing(program, options, &mut [&mut files])?
    } else {
        simulate_timing(program, options, &mut [])?
    };
    let seconds = begin.elapsed().as_secs_f64();
    let json = report.to_json().map_err(|error| failure(INTERNAL, error))? + "\n";
    files.commit(&mut report)?;
    let text = text(args, &report, json);
    if args.json || args.quiet {
        return Ok(text);
    }
    let rate = report.cycles as f64 / seconds / 1e9;
    Ok(format!("{text}timing alone, in {:.2} ms: {rate:.2} simulated cycles a ns\n", seconds * 1e3))
}

/// What is printed of a run.
fn text(args: &Args, report: &Report, json: String) -> String {
    match (args.json, args.layers, args.quiet) {
        (true, _, _) => json,
        (_, true, _) => report.to_string(),
        (_, _, true) => String::new(),
        (false, false, false) => report.summary(),
    }
}

/// Threads to run on: more of them than cores would cost memory and gain nothing.
fn jobs(args: &Args) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    args.jobs.map_or(cores, |jobs| usize::from(jobs).min(cores))
}

/// Runs a batch.
fn run_samples(
    args: &Args,
    program: &Program,
    options: &Options,
    samples: &mut Samples,
) -> Result<String, Failure> {
    let count = samples.count();
    let mut outputs = SampleOutputs::create(&program.outputs, &args.output, count)?;
    let machine = options.machine.as_ref().unwrap_or(&program.machine);
    let mut files = RunFiles::create(program, machine, args.report.as_deref(), args.trace.as_deref())?;
    let target = if args.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(count), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} samples, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    let begin = Instant::now();
    let report = run_batch(program, options, &mut [&mut files], jobs(args), (samples, &mut outputs), &|n| {
        bar.set_position(n)
    });
    bar.finish_and_clear();
    let seconds = begin.elapsed().as_secs_f64();
    let mut report = report?;
    let json = report.to_json().map_err(|error| failure(INTERNAL, error))? + "\n";
    outputs.commit()?;
    files.commit(&mut report)?;
    let text = text(args, &report, json);
    if args.json || args.quiet {
        return Ok(text);
    }
    let rate = count as f64 / seconds;
    Ok(format!("{text}samples {count}, each with these counts; simulated {rate:.1} a second\n"))
}

/// Reads and validates the program.
fn load_program(path: &Path) -> Result<Program, Failure> {
    /// Most bytes of a program.
    const MAX_PROGRAM: u64 = 1 << 33;
    let bytes = strum_files::read(path, MAX_PROGRAM)?.bytes;
    let name = path.display();
    let program = Program::from_elf_within(&bytes, budget::left()).map_err(|error| {
        let code = match error {
            ContainerError::Version { .. } => UNSUPPORTED,
            ContainerError::TooLarge { .. } | ContainerError::Room { .. } => LIMIT,
            _ => INVALID,
        };
        failure(code, format_args!("{name}: {error}"))
    })?;
    program.validate().map_err(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let code = if errors.iter().all(|error| error.kind.is_limit()) { LIMIT } else { INVALID };
        failure(code, format_args!("{name}: the program is not valid\n  {}", list.join("\n  ")))
    })?;
    Ok(program)
}

fn load_machine(path: &Path) -> Result<Machine, Failure> {
    let name = path.display();
    let text = strum_files::read_text_within(path, strum_files::MAX_MACHINE)?;
    Machine::from_toml(&text).map_err(|error| {
        let code = if matches!(error, MachineError::TooLarge { .. }) { LIMIT } else { INVALID };
        failure(code, format_args!("{name}: {error}"))
    })
}
