//! The command line of a run, which `dpu-sim` and `strumc run` share: arguments, inputs and outputs, batches, the summary of a run.
//!
//! Invariant: nothing is written before the program has halted, and then every file whole.

mod exit;
mod pe_trace;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use dpu_isa::{Machine, Program};
use strum_cli::{Failure, Progress, say};
use strum_files::{FileError, Places};
use strum_tensors::{
    ImageOptions, Inputs, Numbers, OutputPlan, SampleOutputs, Samples, Sources, Tensor, input_files,
    output_files,
};

use pe_trace::PeTraceArgs;

use crate::{
    HostProfile, KernelChoice, LayerView, Options, Report, RunFiles, RunResult, Sequence, run_batch,
    simulate_observed, simulate_timing,
};

/// Options of a run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Input tensor: codes, or real numbers if the network's scales are known; an image (PNG, JPEG) or a folder of images. Without
    /// NAME, the next input in order. With a leading batch axis, every sample is run.
    #[arg(long, short, value_name = "[NAME=]FILE.npy|FILE.npz[:KEY]|IMAGE|DIR", num_args = 1.., help_heading = "Inputs")]
    input: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

    /// File for an output tensor; an existing file is replaced. Outputs of a batch have its leading axis.
    #[arg(long, short, value_name = "[NAME=]FILE.npy|FILE.npz[:KEY]", num_args = 1.., help_heading = "Outputs")]
    output: Vec<String>,

    /// Write and print outputs as real numbers, by the scales of the network, in place of codes.
    #[arg(long, help_heading = "Outputs")]
    real: bool,

    /// Begin every sample with the first values of the network's states; without it, samples are a sequence.
    #[arg(long, help_heading = "Inputs")]
    reset_states: bool,

    /// Write the full report with its timeline as JSON, for strumc report (docs/report.md).
    #[arg(long, value_name = "FILE.json", help_heading = "Outputs")]
    report: Option<PathBuf>,

    /// Write a trace of every task in Chrome's trace event format, for Perfetto.
    #[arg(long, value_name = "FILE.json", help_heading = "Outputs")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    pe_trace: PeTraceArgs,

    /// Limit on simulated cycles; also bounds the work of the host (docs/timing.md, Fuel).
    #[arg(long, value_name = "CYCLES", default_value_t = Options::MAX_CYCLES, help_heading = "Simulation")]
    fuel: u64,

    /// Skip hazard checks (uninitialized reads, races, overlapping accesses).
    #[arg(long, help_heading = "Simulation")]
    no_checks: bool,

    /// SIMD kernels of the host: auto, vnni, avx2 or scalar. Results and cycles do not depend on it.
    #[arg(long, value_name = "KERNEL", default_value_t = KernelChoice::Auto, help_heading = "Simulation")]
    kernel: KernelChoice,

    /// Use the reference implementation of every instruction: slow; the kernels are tested against it.
    #[arg(long, conflicts_with = "kernel", help_heading = "Simulation")]
    golden: bool,

    /// Simulate timing and counters only: no inputs, outputs, values or hazard checks. Not for machines with zero skipping.
    #[arg(
        long,
        conflicts_with_all = ["input", "mean", "std", "resize", "output", "real", "reset_states", "no_checks", "kernel", "golden", "jobs", "profile", "trace_pe"],
        help_heading = "Simulation"
    )]
    timing_only: bool,

    /// Threads, which share the samples of a batch and large convolutions [default and maximum: number of cores].
    #[arg(
        long,
        short,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Simulation"
    )]
    jobs: Option<u16>,

    /// Also print a table of layers, and of more than ten the ten slowest (docs/report.md).
    #[arg(long, conflicts_with_all = ["quiet", "json"], help_heading = "Reporting")]
    layers: bool,

    #[command(flatten)]
    view: LayerView,

    /// Also print a profile of host time, by instruction and by layer.
    #[arg(long, conflicts_with_all = ["quiet", "json"], help_heading = "Reporting")]
    profile: bool,
}

/// Results of a run.
#[derive(Debug)]
pub struct Ran {
    /// The report of one sample; without its timeline, which goes to a file if requested.
    pub report: Report,
    /// The outputs of the only sample.
    pub outputs: Option<Vec<Tensor>>,
    /// Whether it was a batch.
    pub batch: bool,
    /// The profile of host time, as text.
    host: Vec<String>,
}

/// A program, its run options, and the receiver of progress.
struct Job<'a> {
    program: &'a Program,
    options: &'a Options,
    progress: &'a Progress,
}

impl RunArgs {
    /// Adds the files that a run reads and writes.
    ///
    /// # Errors
    /// Two arguments for the same array of an archive.
    pub fn places(&self, places: Places) -> Result<Places, FileError> {
        Ok(places
            .reads("--input", input_files(&self.input))
            .writes_files("--output", output_files(&self.output)?)
            .writes_files("--report", &self.report)
            .writes_files("--trace", &self.trace)
            .writes_files("--trace-pe", self.pe_trace.file()))
    }

    /// Runs a program, and writes its outputs. With `machine`, times are those of another machine.
    ///
    /// # Errors
    /// When a file fails, or the simulation.
    pub fn run(
        &self,
        program: &Program,
        machine: Option<Machine>,
        progress: &Progress,
    ) -> Result<Ran, Failure> {
        self.check(program)?;
        let timed = machine.as_ref().unwrap_or(&program.machine);
        let pe_trace = self.pe_trace.create(program, timed, progress)?.map(Arc::new);
        let options = Options {
            pe_trace,
            max_cycles: self.fuel,
            checks: !self.no_checks,
            kernel: if self.golden { KernelChoice::Golden } else { self.kernel },
            threads: self.threads(),
            machine,
            profile: self.profile.then(|| Arc::new(HostProfile::new(program))),
            ..Options::default()
        };
        let job = Job { program, options: &options, progress };
        let timed = options.machine.as_ref().unwrap_or(&program.machine);
        let files = || RunFiles::create(program, timed, self.report.as_deref(), self.trace.as_deref());
        let mut ran = if self.timing_only {
            self.time(&job, files()?)?
        } else {
            progress.step("read inputs");
            match Inputs::open_with(&program.inputs, &self.input, &self.images)? {
                Inputs::Batch(samples) => self.run_samples(&job, samples, files()?)?,
                Inputs::One(inputs) => self.run_sample(&job, &inputs, files)?,
            }
        };
        self.pe_trace.commit(options.pe_trace.as_deref())?;
        if let Some(profile) = &options.profile {
            ran.host.push(format!("\n{}", profile.table(program)));
        }
        Ok(ran)
    }

    /// Refuses options that have no effect on a program.
    fn check(&self, program: &Program) -> Result<(), Failure> {
        if self.reset_states && !program.inputs.iter().any(|input| input.meaning.state.is_some()) {
            return Err(Failure::usage("--reset-states has no effect: the network has no state"));
        }
        if self.real {
            // The summary shows all of them.
            for output in &program.outputs {
                Numbers::Real.check(output)?;
            }
        }
        Ok(())
    }

    /// Checks the options of images, and tells readers what images become; `also` names further files that these options are for.
    ///
    /// # Errors
    /// An option without effect, a folder without images.
    pub fn check_images(&self, also: &[String], quiet: bool) -> Result<(), FileError> {
        let note = self.images.check(self.input.iter().chain(also))?;
        if let Some(note) = note.filter(|_| !quiet) {
            say(format_args!("note: {note}"));
        }
        Ok(())
    }

    /// The arguments that name inputs, and the options of images.
    #[must_use]
    pub fn inputs(&self) -> Sources<'_> {
        Sources { args: &self.input, images: &self.images }
    }

    /// The arguments that name files of outputs.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.output
    }

    /// Whether every sample begins with the first values of the states.
    #[must_use]
    pub fn resets_states(&self) -> bool {
        self.reset_states
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        strum_cli::jobs(self.jobs)
    }

    /// The numbers that outputs are written in.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        if self.real { Numbers::Real } else { Numbers::Codes }
    }

    fn run_sample<'p>(
        &self,
        job: &Job<'p>,
        inputs: &[Tensor],
        files: impl FnOnce() -> Result<RunFiles<'p>, FileError>,
    ) -> Result<Ran, Failure> {
        let Job { program, options, progress } = job;
        let plan = OutputPlan::resolve(&program.outputs, &self.output, self.numbers())?;
        let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
        progress.step("simulate");
        let mut files = files()?;
        let RunResult { outputs, report } = simulate_observed(program, &views, options, &mut [&mut files])?;
        progress.step("write outputs");
        plan.write(&outputs)?;
        let report = committed(files, report)?;
        Ok(Ran { report, outputs: Some(outputs), batch: false, host: Vec::new() })
    }

    fn run_samples(
        &self,
        job: &Job<'_>,
        mut samples: Samples,
        mut files: RunFiles<'_>,
    ) -> Result<Ran, Failure> {
        let Job { program, options, progress } = job;
        let count = samples.count();
        let mut outputs = SampleOutputs::create(&program.outputs, &self.output, self.numbers(), count)?;
        progress.samples(count);
        let begin = Instant::now();
        let done = |n| progress.samples_done(n);
        let tensors = (&mut samples, &mut outputs);
        let sequence = Sequence::of(program, self.reset_states);
        let report = run_batch(program, options, &mut [&mut files], &sequence, tensors, &done)?;
        let rate = count as f64 / begin.elapsed().as_secs_f64();
        outputs.commit()?;
        let report = committed(files, report)?;
        let host = format!("samples {count}, each with these counts; simulated {rate:.1} a second\n");
        Ok(Ran { report, outputs: None, batch: true, host: vec![host] })
    }

    fn time(&self, job: &Job<'_>, mut files: RunFiles<'_>) -> Result<Ran, Failure> {
        let begin = Instant::now();
        job.progress.step("simulate");
        let report = if self.report.is_some() || self.trace.is_some() {
            simulate_timing(job.program, job.options, &mut [&mut files])?
        } else {
            simulate_timing(job.program, job.options, &mut [])?
        };
        let seconds = begin.elapsed().as_secs_f64();
        let rate = report.cycles as f64 / seconds / 1e9;
        let report = committed(files, report)?;
        let host = format!("timing only, in {:.2} ms: {rate:.2} simulated cycles per ns\n", seconds * 1e3);
        Ok(Ran { report, outputs: None, batch: false, host: vec![host] })
    }
}

/// Writes report and trace.
fn committed(files: RunFiles<'_>, mut report: Report) -> Result<Report, FileError> {
    files.commit(&mut report)?;
    Ok(Report { timeline: None, ..report })
}
