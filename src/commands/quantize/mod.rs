//! `strumc quantize`: from a float network to plain integer TOSA.
//!
//! Invariant: the module that is written has been verified, and is what every other tool takes for an integer network.

mod calibration;
mod summary;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use strum_float::Graph;
use strum_float::quantize::{IntGraph, RangeChoice, WeightScales, observe};
use strum_ir::{Context, Module, Operation, PassError, PrintOptions};
use strum_passes::common::network::emit::{Calibration, Rounding, quantize_function};
use strum_passes::common::network::{Network, calibration as random};
use strum_passes::float::tosa_quantize::{PERCENTILE, is_integer};
use strum_passes::strum::strum_pack::{rounded_for, storage_of};
use strum_tensors::input_files;

use crate::driver::backend;
use crate::driver::cli::say;
use crate::driver::cli::{Progress, Voice};
use crate::driver::diagnostics::Origin;
use crate::driver::exit::Failure;
use crate::driver::files::{self, Places};
use crate::driver::network;

const EXAMPLES: &str = "\
Examples:
  strumc quantize net.mlir --calibration images.npy -o net.int8.mlir
  strumc quantize net.mlirbc --calibration data.npz:images -o net.int8.mlirbc --activations mse
  strumc quantize net.mlir --calibration images.npy -o net.int8.mlir --storage mip2q

The network is TOSA or linalg on f32 tensors, as torch-mlir writes it. Calibration samples are preprocessed as the network expects.
docs/quantize.md describes the quantization.";

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
enum RoundingChoice {
    /// round to nearest
    Nearest,
    /// GPTQ-style: compensate each rounding error in the weights that are rounded later
    Feedback,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QuantizeCommand {
    /// The float network: TOSA or linalg on f32, as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET.mlir")]
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
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Quantization")]
    percentile: Option<f64>,

    /// Granularity of weight scales.
    #[arg(long, value_enum, value_name = "SCALES", default_value_t, help_heading = "Quantization")]
    weights: Scales,

    /// How weights are rounded; feedback needs --calibration [default: nearest, or feedback with --storage].
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Quantization")]
    rounding: Option<RoundingChoice>,

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
    voice: Voice,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|p| (0.0..1.0).contains(p))
        .ok_or_else(|| "expected a number from 0 to below 1".into())
}

impl QuantizeCommand {
    fn ranges(&self) -> RangeChoice {
        match self.activations {
            Activations::Minmax => RangeChoice::MinMax,
            Activations::Percentile => RangeChoice::Percentile(self.percentile.unwrap_or(PERCENTILE)),
            Activations::Mse => RangeChoice::Mse,
        }
    }

    /// How weights become codes.
    fn rounding(&self) -> Result<Rounding, Failure> {
        use RoundingChoice::{Feedback, Nearest};
        let format = self.storage.as_deref().map(rounded_for).transpose();
        let format = format.map_err(|error| Failure::usage(format_args!("--storage: {error}")))?;
        let storage = format.as_ref().map(storage_of);
        let rounding = match (self.rounding, storage, self.bias_correction) {
            (None | Some(Nearest), None, false) => return Ok(Rounding::Nearest),
            (Some(Nearest), Some(_), _) => {
                return Err(Failure::usage("--storage rounds with feedback, not with --rounding nearest"));
            }
            (None | Some(Nearest), None, true) => Rounding::BiasCorrection,
            (Some(Feedback), _, true) | (_, Some(_), true) => {
                return Err(Failure::usage(
                    "--bias-correction has no effect: rounding with feedback corrects biases",
                ));
            }
            (Some(Feedback), storage, false) | (None, storage @ Some(_), false) => {
                Rounding::Feedback(storage.flatten())
            }
        };
        match self.calibration.is_empty() {
            false => Ok(rounding),
            true => Err(Failure::usage(format_args!(
                "{} needs --calibration: random inputs say nothing of what real ones do to a layer",
                if self.bias_correction { "--bias-correction" } else { "rounding with feedback" }
            ))),
        }
    }

    fn scales(&self) -> WeightScales {
        match self.weights {
            Scales::PerChannel => WeightScales::PerChannel,
            Scales::PerTensor => WeightScales::PerTensor,
        }
    }
}

/// Quantizes, writes, and says what has become of the network.
pub(crate) fn run(command: &QuantizeCommand) -> Result<(), Failure> {
    if command.percentile.is_some() && command.activations != Activations::Percentile {
        return Err(Failure::usage("--percentile has no effect without --activations percentile"));
    }
    let rounding = command.rounding()?;
    let bytecode = command.output.extension().is_some_and(|e| e == "mlirbc");
    if bytecode {
        files::check_binary_sink(&command.output)?;
    }
    if files::is_standard(&command.output) && command.voice.json {
        return Err(Failure::usage("--json goes to standard output, where the network would be, too"));
    }
    Places::default()
        .reads("NET.mlir", [&command.network])
        .reads("--calibration", input_files(&command.calibration))
        .writes("--output", [&command.output])
        .check()?;
    let mut input = files::read(&command.network)?;
    let progress = Progress::begin(command.voice.quiet);
    let context = backend::context();
    progress.step("parse");
    let module = progress.pause(|| network::parse(context, &mut input))?;
    network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
    let function =
        module.body().operations().into_iter().find(|op| op.is("func.func") && op.body().is_some());
    let function = function.ok_or_else(|| Failure::input("the module holds no function with a body"))?;
    let (summary, lowered) = if is_integer(function) {
        progress.pause(|| say("note: the network is quantized already: it is written as it is"));
        (summary::already_integer(function), false)
    } else {
        let (int, samples) = lower((command, rounding), context, function, &progress, origin)?;
        (summary::of(&int, samples), true)
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

/// Puts the integer network in the place of the float one; also the number of samples seen, none for random ones.
fn lower(
    (command, rounding): (&QuantizeCommand, Rounding),
    context: &Context,
    function: Operation<'_>,
    progress: &Progress,
    origin: Origin<'_>,
) -> Result<(IntGraph, Option<usize>), Failure> {
    progress.step("read the network");
    let (read, diagnostics) = context.handle().capture(|| Network::read(function));
    let mut network = match read {
        Ok(network) => network,
        Err(_) => return Err(progress.pause(|| origin.failure(&diagnostics))),
    };
    network.graph = network.graph.canonicalize().map_err(Failure::internal)?;
    if command.equalize {
        network.graph = network.graph.equalize().map_err(Failure::internal)?;
    }
    let graph = &network.graph;
    progress.step("calibrate");
    let samples = match command.calibration.is_empty() {
        true => {
            progress.pause(|| say(format_args!("warning: {}. Give --calibration", random::WARNING)));
            random::random(graph)
        }
        false => calibration::read(graph, &command.calibration)?,
    };
    let ranges = observe(graph, &samples, command.ranges()).map_err(Failure::input)?;
    progress.step(match rounding {
        Rounding::Feedback(_) => "quantize, with feedback",
        Rounding::Nearest | Rounding::BiasCorrection => "quantize",
    });
    let seen = match command.calibration.is_empty() {
        true => Calibration::Random,
        false => Calibration::Samples { samples: &samples, rounding },
    };
    let (int, diagnostics) =
        context.handle().capture(|| quantize_function(function, &network, &ranges, command.scales(), seen));
    let int = int.map_err(|error| match error {
        PassError::Reported => progress.pause(|| origin.failure(&diagnostics)),
        PassError::Internal(text) => Failure::internal(text),
    })?;
    Ok((int, (!command.calibration.is_empty()).then_some(samples.len())))
}

fn write(path: &Path, module: &Module<'_>, bytecode: bool) -> Result<(), Failure> {
    let bytes = match bytecode {
        true => module.op().bytecode(),
        false => (module.op().print(&PrintOptions::default()) + "\n").into_bytes(),
    };
    files::write(path, &bytes)
}

/// The inputs of a graph, as messages call them.
fn describe_input(graph: &Graph, index: usize) -> String {
    let shape = graph.inputs().get(index).map(|&id| graph.shape(id)).unwrap_or_default();
    format!("input #{index} (f32{shape:?})")
}
