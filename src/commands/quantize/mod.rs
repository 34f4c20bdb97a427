//! `strumc quantize`: from a float network to plain integer TOSA, and weights of either kind rounded for a format.
//!
//! Invariant: the written module has been verified, and is an integer network for every other tool.

mod summary;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use strum_cli::say;
use strum_float::quantize::{
    self, Formats, Notation, Options, Recipe, RoundingChoice, Storage, WeightScales,
};
use strum_ir::{Context, Module, PrintOptions};
use strum_passes::float::tosa_quantize::is_integer;
use strum_passes::strum::strum_pack::{LayerOptions, PackingSource, StrumPack};
use strum_quant::Choice;
use strum_tensors::{ImageOptions, Sources, input_files};

use crate::driver::backend;
use crate::driver::cli::{Progress, Voice};
use crate::driver::diagnostics::Origin;
use crate::driver::exit::Failure;
use crate::driver::files::Input;
use crate::driver::files::{self, Places};
use crate::driver::images;
use crate::driver::import::NetworkOptions;
use crate::driver::lower::lower;
use crate::driver::network;
use crate::driver::rounding::{self, RoundedFor};
use summary::Summary;

const EXAMPLES: &str = "\
Examples:
  strumc quantize net.onnx --calibration images.npy -o net.int8.mlir
  strumc quantize net.tflite -c photos --resize 256 --mean 0.5 --std 0.5 -o net.int8.mlir
  strumc quantize net.mlirbc --calibration data.npz:images -o net.int8.mlirbc --activations mse
  strumc quantize net.mlir --calibration images.npy -o net.int8.mlir --format mip2q
  strumc quantize int8.mlir --calibration codes.npy -o rounded.mlir --format p.json

The network is a TFLite or ONNX file, or TOSA or linalg on f32 tensors, as torch-mlir writes it.
Calibration samples are preprocessed as the network expects. Of a network that is integer TOSA
already, --format rounds the weights again. docs/quantize.md describes the quantization.";

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
    /// The network: TFLite, ONNX, or TOSA or linalg as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Calibration samples: for each input of the network, in order, an array with samples along the first axis, an image (PNG, JPEG)
    /// or a folder of images.
    #[arg(long, short, value_name = "FILE.npy|FILE.npz[:KEY]|IMAGE|DIR", num_args = 1.., help_heading = "Inputs")]
    calibration: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

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

    /// How weights are rounded; feedback needs --calibration [default: nearest, or feedback with --format].
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Quantization")]
    rounding: Option<Rounding>,

    /// Round weights with feedback to values that this weight format holds exactly, such as mip2q,L=5, or the formats of a packing
    /// file. Compile with the same.
    #[arg(
        long,
        alias = "storage",
        value_name = "METHOD[,NAME=VALUE]…|P.json",
        help_heading = "Weight format"
    )]
    format: Option<String>,

    /// Also round depthwise layers for the format; compile with --depthwise.
    #[arg(long, requires = "format", help_heading = "Weight format")]
    depthwise: bool,

    /// Round layers with at least N input channels for the format; compile with the same [default: block size].
    #[arg(long, value_name = "N", requires = "format", help_heading = "Weight format")]
    min_channels: Option<u64>,

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

/// What `--format` asks for.
#[derive(Clone, Debug, Default)]
struct Asked {
    /// The pass that packs the result without loss; nothing without `--format`.
    pack: Option<StrumPack>,
    /// The packing file, if it is one.
    file: Option<PathBuf>,
}

impl QuantizeCommand {
    fn sources(&self) -> Sources<'_> {
        Sources { args: &self.calibration, images: &self.images }
    }

    /// The format, or the packing file.
    fn asked(&self) -> Result<Asked, Failure> {
        let Some(text) = &self.format else { return Ok(Asked::default()) };
        let fail = |error| Failure::usage(format_args!("--format: {error}"));
        let is_file = Path::new(text).extension().is_some_and(|extension| extension == "json");
        let choice = match is_file {
            true => Choice::new(strum_formats::Kind::Dense),
            false => Storage::choice(text).map_err(fail)?,
        };
        let given = [("--depthwise", self.depthwise), ("--min-channels", self.min_channels.is_some())];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given)
            && !choice.kind().is_packed()
        {
            return Err(Failure::usage(format_args!("{flag} has no effect with --format {text}")));
        }
        let packing = if is_file { PackingSource::File(text.clone()) } else { PackingSource::None };
        let layers = LayerOptions { depthwise: self.depthwise, min_channels: self.min_channels, packing };
        Ok(Asked { pack: Some(StrumPack { choice, layers }), file: is_file.then(|| text.into()) })
    }

    /// The recipe for the options, with these formats.
    fn recipe(&self, formats: Option<&Formats>) -> Result<Recipe, Failure> {
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
            formats,
            bias_correction: self.bias_correction,
            equalize: self.equalize,
        };
        options.recipe(Notation::CommandLine).map_err(Failure::usage)
    }

    /// Refuses options of quantization for a network that is quantized already.
    fn check_integer(&self) -> Result<(), Failure> {
        let of_float = [
            ("--activations", self.activations != Activations::default()),
            ("--weights", self.weights != Scales::default()),
            ("--rounding", self.rounding.is_some() && self.format.is_none()),
            ("--bias-correction", self.bias_correction),
            ("--equalize", self.equalize),
        ];
        match of_float.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(Failure::usage(format_args!("{flag} has no effect: the network is quantized already")))
            }
            None => Ok(()),
        }
    }
}

/// Quantizes, writes, and prints a summary.
pub(crate) fn run(command: &QuantizeCommand) -> Result<(), Failure> {
    let asked = command.asked()?;
    let formats = asked.pack.as_ref().map(RoundedFor::of).transpose()?;
    // All errors of the command line come first; the formats of single layers are known later.
    let uniform = formats.as_ref().map(RoundedFor::uniform);
    let recipe = command.recipe(uniform.as_ref())?;
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
        .reads("--format", &asked.file)
        .writes("--output", [&command.output])
        .check()?;
    images::check(&command.images, &command.calibration, &command.voice)?;
    let input = files::read(&command.network)?;
    let progress = Progress::begin(command.voice.quiet);
    let context = backend::context();
    progress.step("parse");
    let mut input =
        progress.pause(|| network::as_mlir(context, input, (&command.source, command.voice.quiet)))?;
    let original = input.clone();
    let mlir = NetworkOptions::default();
    let module = progress.pause(|| network::read(context, &mut input, &mlir, command.voice.quiet))?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let (summary, module) = if is_integer(function) {
        integer(command, context, (module, original), formats.as_ref(), &progress)?
    } else {
        let origin = Origin::new(&input.name, &input.bytes);
        let per_layer = formats.as_ref().filter(|formats| formats.is_file() && !formats.is_dense());
        let each = per_layer
            .map(|formats| {
                let nearest = Recipe { rounding: quantize::WeightRounding::Nearest, ..recipe.clone() };
                rounding::each(context, &original, (&nearest, command.sources()), formats, &progress)
            })
            .transpose()?;
        let recipe = if each.is_some() { command.recipe(each.as_ref())? } else { recipe };
        let quantized = lower((&recipe, command.sources()), context, function, &progress, origin)?;
        (summary::of(&quantized), module)
    };
    let (result, diagnostics) = context.handle().capture(|| module.op().verify());
    if result.is_err() {
        let origin = Origin::new(&input.name, &input.bytes);
        return Err(progress.pause(|| origin.failure(&diagnostics)));
    }
    progress.step("write");
    write(&command.output, &module, bytecode)?;
    drop(progress);
    match (command.voice.json, command.voice.quiet || files::is_standard(&command.output)) {
        (true, _) => files::print(summary.json()?.as_bytes()),
        (false, true) => Ok(()),
        (false, false) => files::print(summary.text().as_bytes()),
    }
}

/// A network that is integer already: unchanged, or with weights rounded again.
fn integer<'c>(
    command: &QuantizeCommand,
    context: &'c Context,
    (module, input): (Module<'c>, Input),
    formats: Option<&RoundedFor>,
    progress: &Progress,
) -> Result<(Summary, Module<'c>), Failure> {
    command.check_integer()?;
    let function = network::choose_function(&module)?;
    match formats.filter(|formats| !formats.is_dense()) {
        None => {
            progress.pause(|| {
                say("note: the network is already quantized; it is written unchanged (--format rounds its weights)");
            });
            Ok((summary::already_integer(function, None), module))
        }
        Some(formats) => {
            let (module, rounded) = rounding::integer(context, input, command.sources(), formats, progress)?;
            let function = network::choose_function(&module)?;
            let samples = rounded.samples;
            Ok((summary::already_integer(function, Some((samples, rounded.layers))), module))
        }
    }
}

fn write(path: &Path, module: &Module<'_>, bytecode: bool) -> Result<(), Failure> {
    let bytes = match bytecode {
        true => module.op().bytecode(),
        false => (module.op().print(&PrintOptions::default()) + "\n").into_bytes(),
    };
    files::write(path, &bytes)
}
