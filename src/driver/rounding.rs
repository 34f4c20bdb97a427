//! Networks whose weights are rounded for the formats that they will be packed in.
//!
//! A float network is quantized on the way; an integer one keeps its codes as the reference. Invariant: packing the result in the
//! same formats, with members selected by error, changes no weight.

use std::collections::BTreeMap;

use dpu_sim::Tensor;
use strum_float::quantize::{Formats, IntOp, Quantized, Recipe, Storage, WeightRounding, Weights};
use strum_ir::{Context, Module, Passes};
use strum_passes::common::segments::{Convolution, Graph, convolutions};
use strum_passes::float::tosa_quantize::is_integer;
use strum_passes::pipeline::Stage;
use strum_passes::strum::strum_pack::{Packing, PackingSource, StrumPack};
use strum_passes::strum::strum_to_tosa::StrumToTosa;
use strum_quant::Choice;
use strum_tensors::{ImageOptions, Sources};

use super::backend;
use super::cli::Progress;
use super::data::Data;
use super::diagnostics::Origin;
use super::exit::{Failure, Kind};
use super::files::Input;
use super::import::NetworkOptions;
use super::lower::lower;
use super::network;
use super::options::CalibrationOptions;
use super::plan::Plan;
use super::refit::{Changed, Refit, Refitted, apply, broken};
use super::remarks::Remarks;
use super::trial::{Trials, as_packing, function};

/// The formats that weights are rounded for: those in which they will be packed.
#[derive(Clone, Debug)]
pub(crate) struct RoundedFor {
    /// Of layers that are not listed.
    usual: Option<Storage>,
    /// Of listed layers, by name.
    listed: BTreeMap<String, Option<Storage>>,
    /// Whether there is a packing file.
    is_file: bool,
}

impl RoundedFor {
    /// The formats of a pass.
    ///
    /// # Errors
    /// A packing file that cannot be read, or a parameter without effect on weights that are rounded already.
    pub(crate) fn of(pass: &StrumPack) -> Result<Self, Failure> {
        let check = |choice: &Choice| Storage::check(choice).map_err(Failure::usage);
        check(&pass.choice)?;
        let mut usual = Storage::of(&pass.choice);
        if let Some(storage) = &mut usual {
            storage.depthwise = pass.layers.depthwise;
            if let Some(least) = pass.layers.min_channels {
                storage.min_channels = usize::try_from(least).unwrap_or(usize::MAX);
            }
        }
        let mut formats = RoundedFor { usual, listed: BTreeMap::new(), is_file: false };
        let read;
        let packing: &Packing = match &pass.layers.packing {
            PackingSource::None => return Ok(formats),
            PackingSource::File(path) => {
                read = Packing::read(path).map_err(Failure::input)?;
                &read
            }
            PackingSource::Value(packing) => packing,
        };
        formats.is_file = true;
        for layer in packing.programs.iter().flat_map(|program| &program.layers) {
            let in_layer = |error: String| Failure::input(format_args!("layer '{}': {error}", layer.name));
            Storage::check(&layer.choice).map_err(in_layer)?;
            formats.listed.insert(layer.name.clone(), Storage::of_any(&layer.choice));
        }
        Ok(formats)
    }

    /// The formats of layers that are not listed, which are all unless there is a packing file.
    pub(crate) fn uniform(&self) -> Formats {
        self.usual.into()
    }

    /// Whether single layers are listed.
    pub(crate) fn is_file(&self) -> bool {
        self.is_file
    }

    /// Whether all layers stay INT8.
    pub(crate) fn is_dense(&self) -> bool {
        self.usual.is_none() && self.listed.values().all(Option::is_none)
    }

    /// The format of a layer; nothing for plain INT8.
    pub(crate) fn of_layer(&self, layer: &Convolution) -> Option<Storage> {
        let storage = self.listed.get(&layer.name).copied().unwrap_or(self.usual);
        storage.filter(|storage| layer.layer().is_stored(storage))
    }
}

/// A network to compile.
pub(crate) struct Prepared {
    /// Integer TOSA, if the network is integer or there are calibration samples.
    pub(crate) input: Input,
    /// The options of its file that still apply.
    pub(crate) source: NetworkOptions,
    /// Whether a float network was quantized.
    pub(crate) was_float: bool,
    /// Whether weights were rounded for a format.
    rounded: bool,
}

/// The network as integer TOSA, with weights rounded for their formats; the same network without calibration samples.
pub(crate) fn prepare(
    input: Input,
    (source, quiet): (&NetworkOptions, bool),
    calibration: Sources<'_>,
    pass: &StrumPack,
    progress: &Progress,
) -> Result<Prepared, Failure> {
    if calibration.args.is_empty() {
        return Ok(Prepared { input, source: source.clone(), was_float: false, rounded: false });
    }
    if input.bytes.starts_with(b"\x7fELF") {
        return Err(Failure::usage("--calibration has no effect on a compiled program").in_file(&input.name));
    }
    let formats = RoundedFor::of(pass)?;
    let context = backend::context();
    progress.step("parse");
    let mut input = progress.pause(|| network::as_mlir(context, input, (source, quiet)))?;
    let original = input.clone();
    let mlir = NetworkOptions::default();
    let module = progress.pause(|| network::read(context, &mut input, &mlir, quiet))?;
    let chosen = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let was_float = !is_integer(chosen);
    let rounded = !formats.is_dense();
    let name = input.name.clone();
    let bytes = match (was_float, rounded) {
        (true, _) => float(context, &original, calibration, &formats, progress)?,
        (false, true) => integer(context, original, calibration, &formats, progress)?.0.op().bytecode(),
        (false, false) => original.bytes,
    };
    Ok(Prepared { input: Input { name, bytes }, source: NetworkOptions::default(), was_float, rounded })
}

/// Whether calibration samples round the weights of an integer network for any of these passes.
pub(crate) fn rounds<'p>(
    calibration: &[String],
    passes: impl IntoIterator<Item = &'p StrumPack>,
) -> Result<bool, Failure> {
    if calibration.is_empty() {
        return Ok(false);
    }
    let formats: Vec<RoundedFor> = passes.into_iter().map(RoundedFor::of).collect::<Result<_, _>>()?;
    Ok(!formats.iter().all(RoundedFor::is_dense))
}

/// Refuses calibration samples without effect.
pub(crate) fn check_used(calibration: &[String], used: bool) -> Result<(), Failure> {
    if calibration.is_empty() || used {
        return Ok(());
    }
    let message =
        "--calibration has no effect: the network is integer already, and no layer has a format to round for";
    Err(Failure::usage(message))
}

/// As [`prepare`], for a command that compiles a network once: samples without effect are refused.
pub(crate) fn prepare_once(
    input: Input,
    plan: Plan,
    samples: &CalibrationOptions,
    images: &ImageOptions,
    progress: &Progress,
) -> Result<(Plan, Input), Failure> {
    let sources = samples.sources(images);
    let prepared = prepare(input, plan.source(), sources, &plan.options.pack, progress)?;
    check_used(&samples.calibration, prepared.was_float || prepared.rounded)?;
    Ok((plan.reading(prepared.source), prepared.input))
}

/// What was rounded.
pub(crate) struct Done {
    /// Layers that have a format.
    pub(crate) layers: usize,
    /// Calibration samples.
    pub(crate) samples: usize,
}

/// An integer network with weights rounded for their formats.
pub(crate) fn integer<'c>(
    context: &'c Context,
    input: Input,
    calibration: Sources<'_>,
    formats: &RoundedFor,
    progress: &Progress,
) -> Result<(Module<'c>, Done), Failure> {
    let trials = Trials::prepare(input, None, (&NetworkOptions::default(), true), progress)?;
    let samples = coded(&trials, calibration, progress)?;
    let refit = Refit { trials: &trials, samples: &samples, threads: strum_cli::jobs(None), progress };
    let Refitted { changed, layers } = refit.in_order(&|layer| formats.of_layer(layer))?;
    Ok((as_tosa(context, &trials, &changed)?, Done { layers, samples: samples.len() }))
}

/// Calibration samples of an integer network, as codes.
pub(crate) fn coded(
    trials: &Trials,
    calibration: Sources<'_>,
    progress: &Progress,
) -> Result<Vec<Vec<Tensor>>, Failure> {
    progress.step("compile");
    let plain = trials.compile(as_packing(trials.packing(Vec::new()).into()), Remarks::Silent)?;
    if plain.program.inputs.iter().any(|input| input.meaning.state.is_some()) {
        let message = "weights of a network with states cannot be rounded with calibration samples";
        let help = "pack them as they are: leave out --calibration (of quantize: --format, of tune: --round)";
        return Err(Failure::new(Kind::Unsupported, message).with_help(help));
    }
    progress.step("read calibration data");
    Data::read(calibration, None, None, 0)?.coded(&plain.program.inputs)
}

/// The network as integer TOSA, with these weights.
fn as_tosa<'c>(context: &'c Context, trials: &Trials, changed: &Changed) -> Result<Module<'c>, Failure> {
    let mut module = trials.parse(context)?;
    apply(&module, changed)?;
    let passes = Passes::new().then_nested("func.func", Passes::new().then(StrumToTosa));
    trials.run_stage(&Stage { name: "tosa", passes }, context, &mut module, Remarks::Silent)?;
    Ok(module)
}

/// A float network, quantized with weights rounded for their formats, as bytecode.
fn float(
    context: &Context,
    input: &Input,
    calibration: Sources<'_>,
    formats: &RoundedFor,
    progress: &Progress,
) -> Result<Vec<u8>, Failure> {
    let nearest = Recipe::default();
    let rounding = match (formats.is_dense(), formats.is_file) {
        (true, _) => WeightRounding::Nearest,
        (false, false) => WeightRounding::Feedback(formats.uniform()),
        (false, true) => {
            WeightRounding::Feedback(each(context, input, (&nearest, calibration), formats, progress)?)
        }
    };
    Ok(quantized(context, input, (&Recipe { rounding, ..nearest }, calibration), progress)?.0)
}

/// A float network, quantized, as bytecode.
fn quantized(
    context: &Context,
    input: &Input,
    recipe: (&Recipe, Sources<'_>),
    progress: &Progress,
) -> Result<(Vec<u8>, Quantized), Failure> {
    let mut input = input.clone();
    let module = network::read(context, &mut input, &NetworkOptions::default(), true)?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let quantized = lower(recipe, context, function, progress, Origin::new(&input.name, &input.bytes))?;
    Ok((module.op().bytecode(), quantized))
}

/// The formats of a float network's convolutions, which a packing file names as layers of the integer network. `recipe` makes that
/// one, with weights rounded to nearest.
pub(crate) fn each(
    context: &Context,
    input: &Input,
    recipe: (&Recipe, Sources<'_>),
    formats: &RoundedFor,
    progress: &Progress,
) -> Result<Formats, Failure> {
    let (bytes, plain) = quantized(context, input, recipe, progress)?;
    matched(Input { name: input.name.clone(), bytes }, &plain, formats, progress)
}

/// The formats of the convolutions of a quantized network, by its layers: each layer is the first convolution that has its weights.
fn matched(
    input: Input,
    plain: &Quantized,
    formats: &RoundedFor,
    progress: &Progress,
) -> Result<Formats, Failure> {
    let trials = Trials::prepare(input, None, (&NetworkOptions::default(), true), progress)?;
    let context = Context::new();
    let module = trials.parse(&context)?;
    let layers = convolutions(&Graph::of(function(&module)?).map_err(broken)?);
    let weights = plain.network.nodes.iter().filter_map(|node| match &node.op {
        IntOp::Conv2d(_, weights) | IntOp::DepthwiseConv2d(_, weights) => Some(weights),
        _ => None,
    });
    let weights: Vec<&Weights> = weights.collect();
    let mut list: Vec<Option<Option<Storage>>> = vec![None; weights.len()];
    for layer in &layers {
        let is = layer.layer();
        let same = |w: &Weights| w.shape == is.shape && w.codes == is.codes;
        let place = list.iter_mut().zip(&weights).find(|(place, weights)| place.is_none() && same(weights));
        match (place, formats.of_layer(layer)) {
            (Some((place, _)), format) => *place = Some(format),
            (None, None) => {}
            (None, Some(_)) => {
                let name = &layer.name;
                return Err(Failure::internal(format_args!(
                    "layer '{name}' has weights that no layer of the float network has"
                )));
            }
        }
    }
    Ok(Formats::Each(list.into_iter().map(Option::flatten).collect()))
}
