//! `tosa-quantize`: a float network as integer TOSA, which is what `strumc quantize` writes.
//!
//! Invariant: a function of integers stays as it is.

mod samples;

use strum_float::Tensor;
use strum_float::quantize::{
    Activations, Fault, Notation, Options, PERCENTILE, Quantized, RANDOM_WARNING, Recipe, RoundingChoice,
    Stage, WeightScales,
};
use strum_ir::{
    Dialect, Error, Location, Operation, Options as PassOptions, Pass, PassContext, PassError, PassOption,
};

use crate::Documented;
use crate::common::network::Network;
use crate::common::network::write::replace_by_integers;
use crate::common::rewrite::blocks;
use crate::common::verdict::{UNSUPPORTED, USAGE};

/// The pass.
pub struct TosaQuantize;

impl Documented for TosaQuantize {
    const DOC: &'static str = "\
Quantizes a float network, TOSA on f32 or linalg on tensors of f32, to plain integer TOSA, after all rewritings of float networks:
i8 activations with a zero point, i8 weights with a scale for each output channel, i32 biases and sums, `tosa.rescale`. docs/quantize.md says
what becomes of values; `strumc quantize` does the same and takes calibration data of several inputs, in `.npz` files too.

The function tells in `strum.input_scales`, `strum.input_zero_points`, `strum.output_scales` and `strum.output_zero_points` what its codes mean.
Without calibration data, ranges come from random inputs, and a warning says so. A function of integers stays as it is; what has no
integer form is an error at its op.";
}

impl Pass for TosaQuantize {
    const ARGUMENT: &'static str = "tosa-quantize";
    const DESCRIPTION: &'static str = "Quantize a float network to integer TOSA";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];
    const OPTIONS: &'static [PassOption] = &[
        PassOption::string(
            "calibration",
            "",
            ".npy file of f32 samples of the only input, along the first axis; random ones without it",
        ),
        PassOption::string(
            "activations",
            "mse",
            "how ranges of activations are chosen: minmax, percentile or mse",
        ),
        PassOption::float("percentile", PERCENTILE, "share of the values that percentile leaves out"),
        PassOption::string("weights", "per-channel", "scales of weights: per-channel or per-tensor"),
        PassOption::string(
            "rounding",
            "",
            "how weights become codes: nearest or feedback, which needs calibration; nearest unless storage is given",
        ),
        PassOption::string(
            "storage",
            "",
            "round weights with feedback to such as this way of storing them holds without loss: mip2q,L=5, say",
        ),
        PassOption::bool("bias-correction", false, "make up in biases for the rounding of weights"),
        PassOption::bool(
            "equalize",
            false,
            "scale channels between layers so that weights use their range alike",
        ),
    ];

    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        if blocks(op).is_empty() || is_integer(op) {
            return Ok(());
        }
        let usage = |message| Location::unknown(op.context()).error(format!("{USAGE}{message}"));
        let recipe = match recipe(&cx.options())? {
            Ok(recipe) => recipe,
            Err(message) => return Err(usage(message).into()),
        };
        let network = Network::read(op)?;
        let samples = match cx.options().string("calibration")? {
            "" => {
                op.warning(format!("{RANDOM_WARNING}; give calibration"));
                None
            }
            path => Some(samples::read(op, &network.graph, path)?),
        };
        quantize_function(op, &network, &recipe, samples.as_deref(), |_| {}).map(|_| ())
    }
}

/// The recipe that the options ask for: an error of the user is inside, one of this program outside.
fn recipe(options: &PassOptions<'_>) -> Result<Result<Recipe, String>, Error> {
    let unknown =
        |what: &str, got: &str, wanted: &str| Ok(Err(format!("{what} is '{got}', expected {wanted}")));
    let activations = match options.string("activations")? {
        "minmax" => Activations::MinMax,
        "percentile" => Activations::Percentile,
        "mse" => Activations::Mse,
        other => return unknown("activations", other, "minmax, percentile or mse"),
    };
    let weights = match options.string("weights")? {
        "per-channel" => WeightScales::PerChannel,
        "per-tensor" => WeightScales::PerTensor,
        other => return unknown("weights", other, "per-channel or per-tensor"),
    };
    let rounding = match options.string("rounding")? {
        "" => None,
        "nearest" => Some(RoundingChoice::Nearest),
        "feedback" => Some(RoundingChoice::Feedback),
        other => return unknown("rounding", other, "nearest or feedback"),
    };
    let share = options.float("percentile")?;
    let given = |text: &'_ str| !text.is_empty();
    let asked = Options {
        calibrated: given(options.string("calibration")?),
        activations,
        percentile: (share != PERCENTILE).then_some(share),
        weights,
        rounding,
        storage: Some(options.string("storage")?).filter(|text| given(text)),
        bias_correction: options.bool("bias-correction")?,
        equalize: options.bool("equalize")?,
    };
    Ok(asked.recipe(Notation::Pass))
}

/// Quantizes a network, and puts the integer network in the place of the function that it was read from. `begin` is told of the stages.
///
/// # Errors
/// Those of the recipe, reported at the op or at the function.
pub fn quantize_function<'c>(
    function: Operation<'c>,
    network: &Network<'c>,
    recipe: &Recipe,
    samples: Option<&[Vec<Tensor>]>,
    begin: impl FnMut(Stage),
) -> Result<Quantized, PassError> {
    let quantized = recipe.run_staged(&network.graph, samples, begin).map_err(|error| {
        let phrase = match error.fault {
            Fault::Invalid => "",
            Fault::Unsupported => UNSUPPORTED,
            Fault::Internal => return PassError::Internal(error.reason),
        };
        let message = format!("{phrase}{}", error.reason);
        let source = error.tag.and_then(|tag| network.source(tag));
        source.map_or_else(|| function.error(&message), |at| at.error(&message)).into()
    })?;
    replace_by_integers(function, network, &quantized.network)?;
    Ok(quantized)
}

/// Whether a function takes and gives integers alone.
#[must_use]
pub fn is_integer(function: Operation<'_>) -> bool {
    let Some((inputs, results)) = function.function_type() else { return false };
    inputs.iter().chain(&results).all(|ty| ty.element().is_some_and(|e| e.int_width().is_some()))
}
