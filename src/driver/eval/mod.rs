//! `strumc eval`: what a method does to the answers of a network, on the simulator's exact results.
//!
//! Invariant: all rows are of the same samples, in the same order.

mod data;
mod metrics;
mod text;

use std::path::PathBuf;
use std::thread;

use clap::Args;
use dpu_isa::Program;
use dpu_sim::{Options, Recording, Tensor, TensorView};
use strum_float::Graph;
use strum_passes::float::Network;

use super::backend;
use super::compile::Plan;
use super::diagnostics::Origin;
use super::exit::Failure;
use super::files::{self, Input};
use super::network;
use super::options::{CompileOptions, Method, PackingOptions};
use super::progress::Progress;
use super::run::blame_compiler;
use super::strumc::Voice;
use crate::audit::audit;
use data::{Codes, Data};
use metrics::Row;

const EXAMPLES: &str = "\
Examples:
  strumc eval net.mlir --inputs x.npy --labels y.npy --methods mip2q,dliq,sparse
  strumc eval net.int8.mlir --inputs d.npz:images --labels d.npz:labels --against net.float.mlir --json

Inputs are the network's codes, or real numbers where the network says what its codes mean, as strumc quantize makes it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvalCommand {
    /// The network, integer TOSA, MLIR text or bytecode; - is standard input.
    #[arg(value_name = "NET.mlir")]
    network: PathBuf,

    /// Samples of an input, along the first axis: .npy, or .npz with the array after a colon. Inputs in order.
    #[arg(long, short, value_name = "FILE[:KEY]", num_args = 1.., required = true)]
    inputs: Vec<String>,

    /// The right class of each sample.
    #[arg(long, value_name = "FILE[:KEY]")]
    labels: Option<String>,

    /// A float network, TOSA or linalg, whose answers are the reference. Without it the reference is plain INT8.
    #[arg(long, value_name = "FLOAT.mlir")]
    against: Option<PathBuf>,

    /// Methods, each a row beside plain INT8.
    #[arg(
        long,
        value_enum,
        value_name = "METHOD,…",
        value_delimiter = ',',
        default_value = "mip2q,dliq,sparse"
    )]
    methods: Vec<Method>,

    /// No more than the first so many samples.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Threads that share the samples: by default, and at most, one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// The machine: a built-in one by name, or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Machine")]
    machine: Option<PathBuf>,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    packing: PackingOptions,
}

/// Evaluates and prints.
pub(super) fn run(command: &EvalCommand) -> Result<(), Failure> {
    let plans = plans(command)?;
    let input = files::read(&command.network)?;
    let progress = Progress::begin(command.voice.quiet);
    let codes = codes(&input, &progress)?;
    progress.step("read samples");
    let data = Data::read(&command.inputs, command.labels.as_deref(), command.limit)?;
    let mut rows = Vec::new();
    let mut reference: Option<Vec<Vec<f64>>> = None;
    if let Some(path) = &command.against {
        progress.step("evaluate the float network");
        let logits = float_logits(path, &data, &progress)?;
        rows.push(Row::of("float", &logits, None, &data)?);
        reference = Some(logits);
    }
    let mut told = command.voice.quiet;
    for (index, (method, plan)) in plans.iter().enumerate() {
        progress.task(format!("{} of {}, {}: ", index + 1, plans.len(), method.name()));
        // All packing methods have the same to say of a network.
        let quiet = told || *method == Method::Dense;
        told |= !quiet;
        let program = plan.compile(input.clone(), &progress, quiet)?;
        progress.step("simulate");
        let (outputs, cycles) = simulate(&program, &codes, &data, command.jobs)?;
        let logits: Vec<Vec<f64>> = outputs.iter().map(|tensor| codes.values(tensor)).collect();
        let mut row = Row::of(method.name(), &logits, reference.as_deref(), &data)?;
        row.cycles = Some(cycles);
        row.weight_bytes = Some(audit(&program).map_err(Failure::internal)?.total.bytes);
        rows.push(row);
        reference.get_or_insert(logits);
    }
    drop(progress);
    let text = match (command.voice.json, command.voice.quiet) {
        (true, _) => text::json(&input.name, &data, &rows)?,
        (false, true) => String::new(),
        (false, false) => text::table(&input.name, &data, &rows),
    };
    files::print(text.as_bytes())
}

/// What is to be compiled, plain INT8 first.
fn plans(command: &EvalCommand) -> Result<Vec<(Method, Plan)>, Failure> {
    let mut methods = vec![Method::Dense];
    for &method in &command.methods {
        if method != Method::Dense && methods.contains(&method) {
            return Err(Failure::usage(format_args!("--methods has {} twice", method.name())));
        }
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    for (flag, of, _) in command.packing.given() {
        if !methods.iter().any(|method| of.contains(method)) {
            return Err(Failure::usage(format_args!("{flag} has no effect with these --methods")));
        }
    }
    let plans = methods.into_iter().map(|method| {
        let options = CompileOptions {
            method: Some(method),
            packing: command.packing.of(method),
            machine: command.machine.clone(),
            ..CompileOptions::default()
        };
        Ok((method, Plan::new(&options)?))
    });
    plans.collect()
}

/// What the codes of the network mean, as far as it says so.
fn codes(input: &Input, progress: &Progress) -> Result<Codes, Failure> {
    if input.bytes.starts_with(b"\x7fELF") {
        let help = "the network is compiled once for every method: give its integer TOSA";
        return Err(Failure::input("a compiled program").in_file(&input.name).with_help(help));
    }
    progress.step("parse");
    let context = backend::context();
    let module = progress.pause(|| network::parse(context, &mut input.clone()))?;
    network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let function =
        module.body().operations().into_iter().find(|op| op.is("func.func") && op.body().is_some());
    Ok(function.map_or_else(Codes::default, Codes::of))
}

/// The first output of every sample, and the cycles of one.
fn simulate(
    program: &Program,
    codes: &Codes,
    data: &Data,
    jobs: Option<u16>,
) -> Result<(Vec<Tensor>, u64), Failure> {
    let inputs = data.coded(&program.inputs, codes)?;
    if program.outputs.is_empty() {
        return Err(Failure::input("the network has no output"));
    }
    let first = inputs.first().ok_or_else(|| Failure::input("there is no sample"))?;
    let options = Options::default();
    let fail = |error: dpu_sim::SimError| blame_compiler(error.into());
    let (recording, result) = Recording::new(program, &views(first), &options, &mut []).map_err(fail)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = jobs.map_or(cores, |jobs| usize::from(jobs).min(cores));
    let rest = inputs.get(1..).unwrap_or_default();
    let parts: Vec<&[Vec<Tensor>]> = rest.chunks(rest.len().div_ceil(jobs.max(1)).max(1)).collect();
    let mut replayers = Vec::new();
    for _ in &parts {
        replayers.push(recording.replayer().map_err(fail)?);
    }
    let done: Vec<Result<Vec<Vec<Tensor>>, dpu_sim::SimError>> = thread::scope(|scope| {
        let threads: Vec<_> = parts
            .into_iter()
            .zip(&mut replayers)
            .map(|(part, replayer)| {
                scope.spawn(move || part.iter().map(|sample| replayer.run(&views(sample))).collect())
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let mut outputs = vec![result.outputs];
    for part in done {
        outputs.extend(part.map_err(fail)?);
    }
    Ok((outputs.into_iter().filter_map(|sample| sample.into_iter().next()).collect(), result.report.cycles))
}

fn views(sample: &[Tensor]) -> Vec<TensorView<'_>> {
    sample.iter().map(Tensor::view).collect()
}

/// The first output of a float network for every sample.
fn float_logits(path: &std::path::Path, data: &Data, progress: &Progress) -> Result<Vec<Vec<f64>>, Failure> {
    let mut input = files::read(path)?;
    let context = backend::context();
    let module = progress.pause(|| network::parse(context, &mut input))?;
    network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
    let function =
        module.body().operations().into_iter().find(|op| op.is("func.func") && op.body().is_some());
    let function = function.ok_or_else(|| Failure::input("the module holds no function with a body"))?;
    let (read, diagnostics) = context.handle().capture(|| Network::read(function));
    let Ok(network) = read else { return Err(progress.pause(|| origin.failure(&diagnostics))) };
    let graph: Graph = network.graph.canonicalize().map_err(Failure::internal)?;
    let logits = data.evaluated(&graph).map_err(|failure| failure.in_file(&input.name))?;
    // NaN is neither right nor wrong.
    if let Some(sample) = logits.iter().position(|list| list.iter().any(|x| !x.is_finite())) {
        let message = format_args!("sample {sample}: an output is infinite or not a number");
        return Err(Failure::input(message).in_file(&input.name));
    }
    Ok(logits)
}
