//! `strumc eval`: the effect of weight formats on the outputs of a network, from bit-exact simulation.
//!
//! Invariant: all rows use the same samples, in the same order.

mod configs;
mod layers;
mod metrics;
mod simulate;
mod text;

use std::path::PathBuf;

use clap::Args;
use strum_float::Graph;
use strum_formats::Kind;
use strum_passes::common::network::Network;
use strum_passes::strum::strum_pack::StrumPack;
use strum_tensors::{ImageOptions, Sources, input_files};

use crate::audit::audit;
use crate::driver::advice;
use crate::driver::backend;
use crate::driver::cli::{Progress, Voice};
use crate::driver::data::Data;
use crate::driver::diagnostics::Origin;
use crate::driver::exit::Failure;
use crate::driver::files::{self, Input, Places};
use crate::driver::images;
use crate::driver::import::NetworkOptions;
use crate::driver::network;
use crate::driver::options::{CalibrationOptions, PackingOptions, methods};
use crate::driver::remarks::{Detail, Remarks};
use crate::driver::rounding;
use crate::driver::trial::{Trial, Trials};
use crate::driver::twin::{Twin, with_twin};
use configs::Config;
use metrics::Row;

pub(crate) use metrics::{best, decibels, powers};
pub(crate) use simulate::{Answers, simulate};

const EXAMPLES: &str = "\
Examples:
  strumc eval net.mlir --inputs x.npy --labels y.npy --methods mip2q,dliq,sparse
  strumc eval net.mlir --inputs x.npy --config mip2q,L=5 --config dliq,q=3 --packing p.json --layers
  strumc eval net.mlir --inputs d.npz:x --labels d.npz:y --against float.mlir --json

With --calibration, weights are rounded for every format, as strumc quantize --format does.
Samples are integer codes, or real numbers if the network carries its quantization parameters,
as strumc quantize writes them.";

/// Number of samples and threads.
#[derive(Debug, Args)]
pub(crate) struct SampleOptions {
    /// Use only the first N samples.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Inputs")]
    pub(crate) limit: Option<u64>,

    /// Threads [default and maximum: number of cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Simulation")]
    pub(crate) jobs: Option<u16>,

    /// Index of the output that holds the logits, from 0; required if the network has several outputs.
    #[arg(long, value_name = "N", help_heading = "Inputs")]
    pub(crate) logits: Option<u64>,
}

impl SampleOptions {
    /// The evaluated output: the only one, or the requested one.
    pub(crate) fn output(&self, trials: &Trials) -> Result<usize, Failure> {
        let list = || {
            let of = |(i, ty): &(usize, String)| format!("{i} ({ty})");
            trials.outputs.iter().map(of).collect::<Vec<_>>().join(", ")
        };
        match (self.logits, &trials.outputs[..]) {
            (_, []) => Err(Failure::input("the network has no output")),
            (None, [(only, _)]) => Ok(*only),
            (None, several) => Err(Failure::usage(format_args!(
                "the network has {} outputs, select one with --logits: {}",
                several.len(),
                list()
            ))),
            (Some(asked), all) => {
                usize::try_from(asked).ok().filter(|n| all.iter().any(|(i, _)| i == n)).ok_or_else(|| {
                    Failure::usage(format_args!("--logits {asked}: the network's outputs are {}", list()))
                })
            }
        }
    }

    /// Number of threads.
    pub(crate) fn threads(&self) -> usize {
        strum_cli::jobs(self.jobs)
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvalCommand {
    /// The network: TFLite, ONNX, or integer TOSA as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Samples: for each input of the network, in order, an array with samples along the first axis, an image (PNG, JPEG), a folder of
    /// images, or of a folder of images for each class.
    #[arg(
        long,
        short,
        value_name = "FILE.npy|FILE.npz[:KEY]|IMAGE|DIR",
        num_args = 1..,
        required = true,
        help_heading = "Inputs"
    )]
    inputs: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

    #[command(flatten)]
    calibration: CalibrationOptions,

    /// Ground-truth labels: the class of each sample [default: those of class folders].
    #[arg(long, value_name = "FILE.npy|FILE.npz[:KEY]", help_heading = "Inputs")]
    labels: Option<String>,

    /// Float network (TFLite, ONNX, TOSA or linalg) to use as the reference. Without it, plain INT8 is the reference. Options of
    /// the network's file apply to this one's, too, if they fit it.
    #[arg(long, value_name = "FLOAT", help_heading = "Inputs")]
    against: Option<PathBuf>,

    /// Weight formats to evaluate, one row each [default: mip2q,dliq,sparse unless --config or --packing is given].
    #[arg(
        long,
        value_parser = methods(),
        value_name = "METHOD,…",
        value_delimiter = ',',
        help_heading = "Weight format"
    )]
    methods: Vec<Kind>,

    /// A further row: a weight format with parameters, such as mip2q,p=0.75,L=5. Repeatable.
    #[arg(long, value_name = "METHOD[,NAME=VALUE]…", help_heading = "Weight format")]
    config: Vec<String>,

    /// A further row: per-layer formats from a packing file (docs/packing.md). Repeatable.
    #[arg(long, value_name = "P.json", help_heading = "Weight format")]
    packing: Vec<PathBuf>,

    #[command(flatten)]
    options: PackingOptions,

    /// Target machine: a built-in name or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Planning")]
    machine: Option<PathBuf>,

    #[command(flatten)]
    source: NetworkOptions,

    #[command(flatten)]
    samples: SampleOptions,

    /// Also report each layer: SQNR of its weights, and of the logits with this layer alone in its format. Runs all samples
    /// once per layer.
    #[arg(long, conflicts_with_all = ["quiet", "calibration"], help_heading = "Reporting")]
    layers: bool,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,
}

impl EvalCommand {
    fn places(&self) -> Places {
        Places::default()
            .reads("NET", [&self.network])
            .reads("--inputs", input_files(&self.inputs))
            .reads("--calibration", input_files(&self.calibration.calibration))
            .reads("--labels", input_files(self.labels.as_slice()))
            .reads("--against", &self.against)
            .reads("--packing", &self.packing)
    }

    /// The samples and labels.
    fn data(&self, trials: &Trials) -> Result<Data, Failure> {
        let output = self.samples.output(trials)?;
        let sources = Sources { args: &self.inputs, images: &self.images };
        Data::read(sources, self.labels.as_deref(), self.samples.limit, output)
    }

    /// The network as MLIR, read once for all formats, and the float network.
    fn networks(&self, input: Input) -> Result<(Input, Option<Twin>), Failure> {
        let twin = self.against.as_deref().map(files::read).transpose()?;
        let context = backend::context();
        let (own, twin) = with_twin(context, &self.source, &input, twin)?;
        Ok((network::as_mlir(context, input, (&own, self.voice.quiet))?, twin))
    }

    /// The network with weights rounded for a pass, if there are calibration samples. `rounds`: whether they are for any.
    fn prepared(
        &self,
        input: &Input,
        (pass, rounds): (&StrumPack, bool),
        progress: &Progress,
    ) -> Result<Trials, Failure> {
        // It is MLIR, to which no option of a file applies.
        let none = NetworkOptions::default();
        let given = (&none, self.voice.quiet);
        let calibration = self.calibration.sources(&self.images);
        let prepared = rounding::prepare(input.clone(), given, calibration, pass, progress)?;
        rounding::check_used(&self.calibration.calibration, prepared.was_float || rounds)?;
        Trials::prepare(prepared.input, self.machine.as_deref(), given, progress)
    }
}

/// Evaluates and prints.
pub(crate) fn run(command: &EvalCommand) -> Result<(), Failure> {
    let configs = configs::all(command)?;
    command.places().check()?;
    let (samples, calibration) = (&command.inputs, &command.calibration.calibration);
    images::check(&command.images, samples.iter().chain(calibration), &command.voice)?;
    let input = files::read(&command.network)?;
    let name = input.name.clone();
    advice::only_for_readers(&command.voice);
    let progress = Progress::begin(command.voice.quiet);
    let (input, twin) = progress.pause(|| command.networks(input))?;
    let passes: Vec<StrumPack> = configs.iter().map(Config::pass).collect();
    let rounds = rounding::rounds(&command.calibration.calibration, &passes)?;
    let prepared = |pass: &StrumPack| command.prepared(&input, (pass, rounds), &progress);
    // Plain INT8 is the first.
    let trials = prepared(passes.first().unwrap_or(&StrumPack::default()))?;
    progress.step("read samples");
    let data = command.data(&trials)?;
    let threads = command.samples.threads();
    let mut rows = Vec::new();
    let mut reference: Option<Vec<Vec<f64>>> = None;
    if let Some(twin) = twin {
        progress.step("evaluate the float network");
        let logits = float_logits(twin, &data, &progress)?;
        rows.push(Row::of("float", &logits, None, &data)?);
        reference = Some(logits);
    }
    let mut int8: Option<Vec<Vec<f64>>> = None;
    let mut told = false;
    for (index, config) in configs.iter().enumerate() {
        progress.task(format!("{} of {}, {}: ", index + 1, configs.len(), config.name));
        // All packing methods produce the same remarks on a network.
        let silent = told || config.is_dense();
        told |= !silent;
        let remarks = if silent { Remarks::Silent } else { command.detail.remarks(&command.voice) };
        let rounded = match command.calibration.calibration.is_empty() || config.is_dense() {
            true => None,
            false => Some(prepared(&config.pass())?),
        };
        let trials = rounded.as_ref().unwrap_or(&trials);
        progress.step("compile");
        let trial = progress.pause(|| trials.compile(config.pass(), remarks))?;
        progress.pause(|| advice::on_weights(&trial.distance(), remarks));
        let (mut row, logits) =
            measured(&config.name, (trials, &trial), &data, reference.as_deref(), threads, &progress)?;
        if command.layers
            && let Some(int8) = &int8
        {
            row.layers = layers::rows(config, (trials, &trial), (&data, int8), threads, &progress)?;
        }
        rows.push(row);
        if reference.is_none() {
            reference = Some(logits.clone());
        }
        // Plain INT8 is the first.
        int8.get_or_insert(logits);
    }
    drop(progress);
    let raw_codes = trials.codes.outputs.is_empty();
    let text = match (command.voice.json, command.voice.quiet) {
        (true, _) => text::json(&name, &data, &rows, raw_codes)?,
        (false, true) => String::new(),
        (false, false) => text::table(&name, &data, &rows, raw_codes),
    };
    files::print(text.as_bytes())
}

/// One row, and its outputs.
fn measured(
    name: &str,
    (trials, trial): (&Trials, &Trial),
    data: &Data,
    reference: Option<&[Vec<f64>]>,
    threads: usize,
    progress: &Progress,
) -> Result<(Row, Vec<Vec<f64>>), Failure> {
    let answers = simulate(&trial.program, &trials.codes, data, threads, &counted(progress, data.count))?;
    let mut row = Row::of(name, &answers.logits, reference, data)?;
    row.cycles = Some(answers.report.cycles);
    row.weight_bytes = Some(audit(&trial.program).map_err(Failure::internal)?.total.bytes);
    let sqnr = trial.distance();
    row.weight_sqnr_db = decibels((sqnr.signal, sqnr.noise));
    Ok((row, answers.logits))
}

/// Shows the progress at intervals.
pub(crate) fn counted(progress: &Progress, total: usize) -> impl Fn(u64) + Sync {
    move |n: u64| {
        if n.is_multiple_of(8) {
            progress.step(format!("simulate, {n} of {total} samples"));
        }
    }
}

/// The evaluated output of a float network, for every sample.
pub(crate) fn float_logits(twin: Twin, data: &Data, progress: &Progress) -> Result<Vec<Vec<f64>>, Failure> {
    let Twin { mut input, options } = twin;
    let context = backend::context();
    let module = progress.pause(|| network::read(context, &mut input, &options, true))?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
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
