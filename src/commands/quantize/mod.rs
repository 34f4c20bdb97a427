//! `strumc quantize`: from a float network to plain integer TOSA.
//!
//! Invariant: the written module has been verified, and is an integer network for every other tool.

mod calibration;
mod summary;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use strum_cli::say;
use strum_float::Graph;
use strum_float::quantize::{
    self, Notation, Options, Quantized, RANDOM_WARNING, Recipe, RoundingChoice, Stage, Storage, WeightScales,
};
use strum_ir::{Context, Module, Operation, PassError, PrintOptions};
use strum_passes::common::network::Network;
use strum_passes::float::tosa_quantize::{is_integer, quantize_function};
use strum_tensors::input_files;

use crate::driver::backend;
use crate::driver::cli::{Progress, Voice};
use crate::driver::diagnostics::Origin;
use crate::driver::exit::Failure;
use crate::driver::files::{self, Places};
use crate::driver::import::NetworkOptions;
use crate::driver::network;

const EXAMPLES: &str = "\
Examples:
  strumc quantize net.mlir --calibration images.npy -o net.int8.mlir
  strumc quantize net.mlirbc --calibration data.npz:images -o net.int8.mlirbc --activations mse
  strumc quantize net.mlir --calibration images.npy -o net.int8.mlir --storage mip2q

The network is TOSA or linalg on f32 tensors, as torch-mlir writes it. Calibration samples are
preprocessed as the network expects. docs/quantize.md describes the quantization.";

/// How activation ranges are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Activations {
    /// smallest to largest value seen
    Minmax,
    /// clip the fraction given by --percentile
    Percentile,
    /// range with the least mean squared error
    #[default]
    Mse,
}

/// Whether the channels of a layer have a scale each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Scales {
    /// one scale per output channel
    #[default]
    PerChannel,
    /// one scale per layer
    PerTensor,
}

/// How weights become codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rounding {
    /// round to nearest
    Nearest,
    /// GPTQ-style: compensate each rounding error in the weights that are rounded later
    Feedback,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QuantizeCommand {
    /// The float network: TFLite, ONNX, or TOSA or linalg on f32 as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Calibration samples along the first axis: one array for each input of the network, in order.
    #[arg(long, short, value_name = "FILE.npy|FILE.npz[:KEY]", num_args = 1.., help_heading = "Inputs")]
    calibration: Vec<String>,

    /// The integer network to write, as bytecode if the name ends in .mlirbc; - writes to standard output.
    #[arg(long, short, value_name = "NET.mlir", help_heading = "Outputs")]
    output: PathBuf,

    /// How activation ranges are chosen.
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t, help_heading = "Quantization")]
    activations: Activations,

    /// percentile: fraction of the values to clip, half at each end [default: 0.0001].
    #[arg(long, value_name = "SHARE", help_heading = "Quantization")]
    percentile: Option<f64>,

    /// Granularity of weight scales.
    #[arg(long, value_enum, value_name = "SCALES", default_value_t, help_heading = "Quantization")]
    weights: Scales,

    /// How weights are rounded; feedback needs --calibration [default: nearest, or feedback with --storage].
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Quantization")]
    rounding: Option<Rounding>,

    /// Round weights with feedback to values that this weight format holds exactly, such as mip2q,L=5. Compile with the same
    /// format.
    #[arg(long, value_name = "METHOD[,NAME=VALUE]…", help_heading = "Quantization")]
    storage: Option<String>,

    /// Correct each bias for the mean shift that weight rounding causes; needs --calibration.
    #[arg(long, help_heading = "Quantization")]
    bias_correction: bool,

    /// Equalize weight ranges across consecutive layers (cross-layer equalization).
    #[arg(long, help_heading = "Quantization")]
    equalize: bool,

    #[command(flatten)]
    source: NetworkOptions,

    #[command(flatten)]
    voice: Voice,
}

impl QuantizeCommand {
    /// The recipe for the options.
    fn recipe(&self) -> Result<Recipe, Failure> {
        let storage = self.storage.as_deref().map(Storage::choice).transpose();
        let storage = storage.map_err(|error| Failure::usage(format_args!("--storage: {error}")))?;
        let options = Options {
            calibrated: !self.calibration.is_empty(),
            activations: match self.activations {
                Activations::Minmax => quantize::Activations::MinMax,
                Activations::Percentile => quantize::Activations::Percentile,
                Activations::Mse => quantize::Activations::Mse,
            },
            percentile: self.percentile,
            weights: match self.weights {
                Scales::PerChannel => WeightScales::PerChannel,
                Scales::PerTensor => WeightScales::PerTensor,
            },
            rounding: self.rounding.map(|rounding| match rounding {
                Rounding::Nearest => RoundingChoice::Nearest,
                Rounding::Feedback => RoundingChoice::Feedback,
            }),
            storage: storage.as_ref(),
            bias_correction: self.bias_correction,
            equalize: self.equalize,
        };
        options.recipe(Notation::CommandLine).map_err(Failure::usage)
    }
}

/// Quantizes, writes, and prints a summary.
pub(crate) fn run(command: &QuantizeCommand) -> Result<(), Failure> {
    let recipe = command.recipe()?;
    let bytecode = command.output.extension().is_some_and(|e| e == "mlirbc");
    if bytecode {
        files::check_binary_sink(&command.output)?;
    }
    if files::is_standard(&command.output) && command.voice.json {
        return Err(Failure::usage("--json goes to standard output, where the network would be, too"));
    }
    Places::default()
        .reads("NET", [&command.network])
        .reads("--calibration", input_files(&command.calibration))
        .writes("--output", [&command.output])
        .check()?;
    let mut input = files::read(&command.network)?;
    let progress = Progress::begin(command.voice.quiet);
    let context = backend::context();
    progress.step("parse");
    let module =
        progress.pause(|| network::read(context, &mut input, &command.source, command.voice.quiet))?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
    let (summary, lowered) = if is_integer(function) {
        progress.pause(|| say("note: the network is already quantized; it is written unchanged"));
        (summary::already_integer(function), false)
    } else {
        let quantized = lower((command, &recipe), context, function, &progress, origin)?;
        (summary::of(&quantized), true)
    };
    let (result, diagnostics) = context.handle().capture(|| module.op().verify());
    if result.is_err() {
        return Err(progress.pause(|| origin.failure(&diagnostics)));
    }
    progress.step("write");
    write(&command.output, &module, bytecode)?;
    drop(progress);
    match (command.voice.json, !lowered || command.voice.quiet || files::is_standard(&command.output)) {
        (true, _) => files::print(summary.json()?.as_bytes()),
        (false, true) => Ok(()),
        (false, false) => files::print(summary.text().as_bytes()),
    }
}

/// Replaces the float network by the integer one.
fn lower(
    (command, recipe): (&QuantizeCommand, &Recipe),
    context: &Context,
    function: Operation<'_>,
    progress: &Progress,
    origin: Origin<'_>,
) -> Result<Quantized, Failure> {
    progress.step("read the network");
    let (read, diagnostics) = context.handle().capture(|| Network::read(function));
    let network = match read {
        Ok(network) => network,
        Err(_) => return Err(progress.pause(|| origin.failure(&diagnostics))),
    };
    let samples = match command.calibration.is_empty() {
        true => {
            progress.pause(|| say(format_args!("warning: {RANDOM_WARNING}; give --calibration")));
            None
        }
        false => {
            progress.step("read calibration data");
            Some(calibration::read(&network.graph, &command.calibration)?)
        }
    };
    let begin = |stage| {
        progress.step(match stage {
            Stage::Rewrite => "rewrite",
            Stage::Calibrate => "calibrate",
            Stage::Quantize => "quantize",
            Stage::Round => "round weights with feedback",
        });
    };
    let quantize = || quantize_function(function, &network, recipe, samples.as_deref(), begin);
    let (quantized, diagnostics) = context.handle().capture(quantize);
    quantized.map_err(|error| match error {
        PassError::Reported => progress.pause(|| origin.failure(&diagnostics)),
        PassError::Internal(text) => Failure::internal(text),
    })
}

fn write(path: &Path, module: &Module<'_>, bytecode: bool) -> Result<(), Failure> {
    let bytes = match bytecode {
        true => module.op().bytecode(),
        false => (module.op().print(&PrintOptions::default()) + "\n").into_bytes(),
    };
    files::write(path, &bytes)
}

/// The inputs of a graph, as named in messages.
fn describe_input(graph: &Graph, index: usize) -> String {
    let shape = graph.inputs().get(index).map(|&id| graph.shape(id)).unwrap_or_default();
    format!("input #{index} (f32{shape:?})")
}
