//! `strumc tune`: chooses the weight format of every layer by its effect on the outputs.
//!
//! Invariant: the written assignment has been compiled and measured as a whole; sums of single measurements only propose it.

mod budget;
mod choose;
mod measure;
mod refine;
mod search;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use strum_formats::{Kind, table};
use strum_passes::strum::strum_pack::{PackableLayer, Packing, StrumPack};
use strum_quant::Choice;
use strum_tensors::{ImageOptions, Sources, input_files};

use crate::commands::eval::{SampleOptions, float_logits};
use crate::driver::backend::{self, is_machine_file};
use crate::driver::cli::{Progress, Voice};
use crate::driver::data::Data;
use crate::driver::exit::Failure;
use crate::driver::files::{self, Input, Places};
use crate::driver::images;
use crate::driver::import::NetworkOptions;
use crate::driver::network;
use crate::driver::rounding;
use crate::driver::trial::Trials;
use crate::driver::twin::{Twin, with_twin};
use choose::{Bound, choose};
use measure::{Bench, Objective, Tries};

const EXAMPLES: &str = "\
Examples:
  strumc tune net.mlir --calibration x.npy --max-loss 0.5 -o p.json
  strumc tune net.mlir -c d.npz:x --labels d.npz:y --objective energy --max-loss 0.5 -o p.json
  strumc tune net.mlir -c x.npy --max-bytes 250000 --config mip2q --config mip2q,p=0.75 -o p.json
  strumc tune float.mlir -c x.npy --max-loss 1 --config mip2q --config dliq -o p.json
  strumc tune net.mlir --policy uniform --config dliq,q=3 -o p.json

docs/packing.md describes the packing file and the search.";

/// Default candidates of every layer if calibration statistics exist for all.
const CALIBRATED: [&str; 14] = [
    "mip2q,select=activation,correct=both",
    "mip2q,p=0.75,select=activation,correct=both",
    "mip2q,p=1,correct=both",
    "dliq",
    "dliq,select=activation,correct=both",
    "dliq,w=32,select=activation,correct=both",
    "dliq,p=0.75,select=activation,correct=both",
    "dliq,p=1,correct=both",
    "dliq,q=5,select=activation,correct=both",
    "dliq,q=5,p=0.75,select=activation,correct=both",
    "dliq,q=3,select=activation,correct=both",
    "dliq,q=3,p=0.75,select=activation,correct=both",
    "dliq,q=2,p=0.75,select=activation,correct=both",
    "sparse",
];

/// Default candidates otherwise.
const CANDIDATES: [&str; 13] = [
    "mip2q",
    "mip2q,p=0.75",
    "mip2q,p=1",
    "dliq",
    "dliq,w=32",
    "dliq,p=0.75",
    "dliq,p=1",
    "dliq,q=5",
    "dliq,q=5,p=0.75",
    "dliq,q=3",
    "dliq,q=3,p=0.75",
    "dliq,q=2,p=0.75",
    "sparse",
];

/// How formats are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// one format for every layer that is not depthwise and has at least a block of input channels
    Uniform,
    /// per layer, by its measured sensitivity
    #[default]
    Search,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TuneCommand {
    /// The network: TFLite, ONNX, or TOSA or linalg, integer or float, as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Calibration samples: for each input of the network, in order, an array with samples along the first axis, an image (PNG, JPEG)
    /// or a folder of images.
    #[arg(long, short, value_name = "FILE.npy|FILE.npz[:KEY]|IMAGE|DIR", num_args = 1.., help_heading = "Inputs")]
    calibration: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

    /// Ground-truth labels [default: those of class folders]. Without any, loss is disagreement with the reference.
    #[arg(long, value_name = "FILE.npy|FILE.npz[:KEY]", help_heading = "Inputs")]
    labels: Option<String>,

    /// Float network (TFLite, ONNX, TOSA or linalg) to measure loss against. Without it, plain INT8 is the reference, or the
    /// network itself if it is a float network. Options of the network's file apply to this one's, too, if they fit it.
    #[arg(long, value_name = "FLOAT", help_heading = "Inputs")]
    against: Option<PathBuf>,

    /// The packing file to write; - writes to standard output and needs --quiet.
    #[arg(long, short, value_name = "P.json", help_heading = "Outputs")]
    output: PathBuf,

    /// A candidate besides plain INT8, such as mip2q,p=0.75; uniform takes one. Repeatable [default: uniform: mip2q; search: a
    /// dozen of all methods, corrected if the network carries calibration statistics].
    #[arg(long, value_name = "METHOD[,NAME=VALUE]…", help_heading = "Weight format")]
    config: Vec<String>,

    /// How weight formats are chosen.
    #[arg(long, value_enum, default_value_t, help_heading = "Search")]
    policy: Policy,

    /// Round weights for every format that is tried, as strumc compile --calibration does; always for a float network.
    #[arg(long, help_heading = "Search")]
    round: bool,

    /// Quantity to minimize [default: size].
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Search")]
    objective: Option<Objective>,

    /// Maximum accuracy loss, in percentage points.
    #[arg(
        long,
        value_name = "POINTS",
        value_parser = points,
        allow_negative_numbers = true,
        group = "budget",
        help_heading = "Search"
    )]
    max_loss: Option<f64>,

    /// Minimum SQNR of the logits against the reference, in dB.
    #[arg(
        long,
        value_name = "DB",
        value_parser = finite,
        allow_negative_numbers = true,
        group = "budget",
        help_heading = "Search"
    )]
    min_sqnr: Option<f64>,

    /// Maximum size of the packed weights; the search minimizes the error within it.
    #[arg(long, value_name = "BYTES", group = "budget", help_heading = "Search")]
    max_bytes: Option<u64>,

    #[command(flatten)]
    source: NetworkOptions,

    #[command(flatten)]
    samples: SampleOptions,

    /// Target machine: a built-in name or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Planning")]
    machine: Option<PathBuf>,

    #[command(flatten)]
    voice: Voice,
}

fn points(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x| (0.0..=100.0).contains(x));
    number.ok_or_else(|| "expected a number from 0 to 100".into())
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "expected a number".into())
}

/// Chooses, writes and prints.
pub(crate) fn run(command: &TuneCommand) -> Result<(), Failure> {
    let asked = command.check()?;
    let machine = command.machine.iter().filter(|spec| is_machine_file(spec));
    Places::default()
        .reads("NET", [&command.network])
        .reads("--calibration", input_files(&command.calibration))
        .reads("--labels", input_files(command.labels.as_slice()))
        .reads("--against", &command.against)
        .reads("--machine", machine)
        .writes("--output", [&command.output])
        .check()?;
    images::check(&command.images, &command.calibration, &command.voice)?;
    let source = files::read(&command.network)?;
    let name = source.name.clone();
    let progress = Progress::begin(command.voice.quiet);
    let plain = StrumPack { choice: dense(), ..StrumPack::default() };
    let twin = command.against.as_deref().map(files::read).transpose()?;
    let (source, twin) = progress.pause(|| {
        let context = backend::context();
        let (own, twin) = with_twin(context, &command.source, &source, twin)?;
        Ok::<_, Failure>((network::as_mlir(context, source, (&own, command.voice.quiet))?, twin))
    })?;
    let mlir = NetworkOptions::default();
    let given = (&mlir, command.voice.quiet);
    let prepared = rounding::prepare(source.clone(), given, command.sources(), &plain, &progress)?;
    let is_float = prepared.was_float;
    let trials = Trials::prepare(prepared.input, command.machine.as_deref(), given, &progress)?;
    if !command.voice.quiet {
        progress.pause(|| trials.warn());
    }
    if trials.layers.is_empty() {
        return Err(Failure::input("the network has no layer whose weights can be packed").in_file(&name));
    }
    let round = command.round || is_float;
    let configs = if asked.is_empty() { command.default_configs(&trials, round)? } else { asked };
    let (packing, outcome) = match command.policy {
        Policy::Uniform => (uniform(&trials, &configs), None),
        Policy::Search => {
            let of = Measuring { source: &source, trials: &trials, round };
            let data = of.data(command, &progress)?;
            let itself = || Twin { input: source.clone(), options: NetworkOptions::default() };
            let float = twin.or_else(|| is_float.then(itself));
            let bench = of.bench(command, (&data, float), &configs, &progress)?;
            let bound = command.bound().ok_or_else(|| Failure::internal("a search without a budget"))?;
            let (packing, outcome) = choose(&bench, &configs, bound)?;
            (packing, Some(outcome))
        }
    };
    drop(progress);
    let json = packing.to_json().map_err(Failure::internal)?;
    files::write(&command.output, json.as_bytes())?;
    let text = match (command.voice.json, command.voice.quiet) {
        (true, _) => text::json(&name, &packing, outcome.as_ref())?,
        (false, true) => String::new(),
        (false, false) => text::table(&name, &packing, outcome.as_ref()),
    };
    files::print(text.as_bytes())
}

/// What is measured.
struct Measuring<'a> {
    /// The network as it was given.
    source: &'a Input,
    trials: &'a Trials,
    /// Whether weights are rounded for the formats that are tried.
    round: bool,
}

impl<'a> Measuring<'a> {
    fn data(&self, command: &TuneCommand, progress: &Progress) -> Result<Data, Failure> {
        progress.step("read samples");
        let output = command.samples.output(self.trials)?;
        Data::read(command.sources(), command.labels.as_deref(), command.samples.limit, output)
    }

    fn bench(
        &self,
        command: &'a TuneCommand,
        (data, float): (&'a Data, Option<Twin>),
        configs: &[Choice],
        progress: &'a Progress,
    ) -> Result<Bench<'a>, Failure> {
        let float = float.map(|network| {
            progress.step("evaluate the float network");
            float_logits(network, data, progress)
        });
        let (threads, machine) = (command.samples.threads(), command.machine.as_deref());
        let rounding = self.round.then(|| {
            let networks = (self.source, self.trials);
            Tries::new(networks, command.sources(), machine, configs, (threads, progress))
        });
        Ok(Bench {
            trials: self.trials,
            data,
            objective: command.objective.unwrap_or_default(),
            threads,
            progress,
            float: float.transpose()?,
            rounding: rounding.transpose()?,
        })
    }
}

/// The same format for every layer that `strum-pack` packs by default.
fn uniform(trials: &Trials, configs: &[Choice]) -> Packing {
    let dense = dense();
    let choice = configs.first().unwrap_or(&dense);
    let stored = |layer: &PackableLayer| layer.stored_as(if usual(layer, choice) { choice } else { &dense });
    trials.packing(trials.layers.iter().map(stored).collect())
}

/// Plain INT8.
fn dense() -> Choice {
    Choice::new(Kind::Dense)
}

/// Whether `strum-pack` packs a layer in this format by default.
fn usual(layer: &PackableLayer, choice: &Choice) -> bool {
    let least = u64::from(choice.spec().whole(&table::W));
    !layer.depthwise && layer.channels >= least
}

fn choices_of<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<Choice>, Failure> {
    let parse = |text: &str| {
        Choice::parse(text).map_err(|error| Failure::usage(format_args!("--config {text}: {error}")))
    };
    texts.map(parse).collect()
}

impl TuneCommand {
    fn sources(&self) -> Sources<'_> {
        Sources { args: &self.calibration, images: &self.images }
    }

    /// The request; all command-line errors are found here.
    fn check(&self) -> Result<Vec<Choice>, Failure> {
        if files::is_standard(&self.output) && !self.voice.quiet {
            return Err(Failure::usage("-o - needs --quiet: the summary goes to standard output, too"));
        }
        let search = self.policy == Policy::Search;
        let budget = self.max_loss.is_some() || self.min_sqnr.is_some() || self.max_bytes.is_some();
        let of_search = [
            ("--calibration", !self.calibration.is_empty()),
            ("--labels", self.labels.is_some()),
            ("--against", self.against.is_some()),
            ("--round", self.round),
            ("--limit", self.samples.limit.is_some()),
            ("--jobs", self.samples.jobs.is_some()),
            ("--logits", self.samples.logits.is_some()),
            ("--machine", self.machine.is_some()),
            ("--objective", self.objective.is_some()),
            ("--max-loss, --min-sqnr or --max-bytes", budget),
        ];
        if let Some((flag, _)) = of_search.iter().find(|(_, given)| *given && !search) {
            return Err(Failure::usage(format_args!("{flag} has no effect with --policy uniform")));
        }
        if search && self.calibration.is_empty() {
            return Err(Failure::usage("--policy search measures on samples: give --calibration"));
        }
        if search && !budget {
            return Err(Failure::usage("give a budget: --max-loss, --min-sqnr or --max-bytes"));
        }
        if self.max_bytes.is_some() && !matches!(self.objective, None | Some(Objective::Size)) {
            return Err(Failure::usage("--max-bytes requires --objective size"));
        }
        if self.max_bytes.is_some() && self.labels.is_some() {
            return Err(Failure::usage("--labels has no effect with --max-bytes"));
        }
        if !search && self.config.len() > 1 {
            return Err(Failure::usage("--policy uniform takes one --config"));
        }
        choices_of(self.config.iter().map(String::as_str))
    }

    /// The default candidates.
    fn default_configs(&self, trials: &Trials, round: bool) -> Result<Vec<Choice>, Failure> {
        // Rounding leaves nothing to select or to correct.
        let calibrated = !round && trials.layers.iter().all(|layer| layer.calibrated);
        match (self.policy, calibrated) {
            (Policy::Uniform, _) => choices_of(["mip2q"].into_iter()),
            (Policy::Search, true) => choices_of(CALIBRATED.into_iter()),
            (Policy::Search, false) => choices_of(CANDIDATES.into_iter()),
        }
    }

    /// The requested candidates, as given.
    fn bound(&self) -> Option<Bound> {
        let loss = self.max_loss.map(Bound::Loss);
        loss.or(self.min_sqnr.map(Bound::Sqnr)).or(self.max_bytes.map(|most| Bound::Bytes(most as f64)))
    }
}
