//! `tosa-quantize`: quantizes a float network to integer TOSA, as `strumc quantize` does.
//!
//! Invariant: integer functions are unchanged.

mod options;

use strum_files::budget;
use strum_float::quantize::{
    Fault, Formats, Notation, Options, PERCENTILE, Quantized, RANDOM_WARNING, Recipe, Stage, Storage, samples,
};
use strum_float::{Graph, Tensor};
use strum_ir::{Dialect, Location, Operation, Pass, PassContext, PassError, Reported};
use strum_tensors::read_floats;

use crate::Documented;
use crate::common::meaning;
use crate::common::network::Network;
use crate::common::network::write::replace_by_integers;
use crate::common::rewrite::blocks;
use crate::common::verdict::{MEMORY, UNSUPPORTED, USAGE};

pub use options::TosaQuantize;

impl Documented for TosaQuantize {
    const DOC: &'static str = "\
Quantizes a float network, TOSA on f32 or linalg on tensors of f32, to plain integer TOSA, after all rewrites of float networks: i8
activations with a zero point, i8 weights with a scale for each output channel, i32 biases and sums, `tosa.rescale`. docs/quantize.md
describes the quantization; `strumc quantize` does the same and supports calibration data of several inputs, in `.npz` files too.

The attributes `strum.input_scales`, `strum.input_zero_points`, `strum.output_scales` and `strum.output_zero_points` of the function
describe its codes. Without calibration data, ranges are estimated from random inputs, with a warning. An integer function is unchanged;
an op without an integer form is an error.";
}

impl Pass for TosaQuantize {
    const ARGUMENT: &'static str = "tosa-quantize";
    const DESCRIPTION: &'static str = "Quantize a float network to integer TOSA";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        if blocks(op).is_empty() || is_integer(op) {
            return Ok(());
        }
        let usage = |message| Location::unknown(op.context()).error(format!("{USAGE}{message}"));
        let recipe = self.recipe().map_err(usage)?;
        let network = Network::read(op)?;
        let samples = match &self.calibration {
            None => {
                op.warning(format!("{RANDOM_WARNING}; give calibration"));
                None
            }
            Some(path) => Some(read(op, &network.graph, path)?),
        };
        quantize_function(op, &network, &recipe, samples.as_deref(), |_| {}).map(|_| ())
    }
}

impl TosaQuantize {
    /// The recipe that the options specify, or why they contradict each other.
    fn recipe(&self) -> Result<Recipe, String> {
        let formats: Option<Formats> = self.weight_format.as_ref().map(|choice| Storage::of(choice).into());
        let options = Options {
            calibrated: self.calibration.is_some(),
            activations: self.activations,
            percentile: (self.percentile != PERCENTILE).then_some(self.percentile),
            weights: self.weights,
            rounding: self.rounding,
            formats: formats.as_ref(),
            bias_correction: self.bias_correction,
            equalize: self.equalize,
        };
        options.recipe(Notation::Pass)
    }
}

/// Quantizes a network, and replaces the function that it was read from. `begin` is called before each stage.
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
    // Input and output of a state would have different codes.
    if function.attribute(meaning::STATES).is_some() {
        let message = format!("{UNSUPPORTED}states of a float network cannot be quantized");
        return Err(function.error(message).into());
    }
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

/// Whether a function has only integer arguments and results.
#[must_use]
pub fn is_integer(function: Operation<'_>) -> bool {
    let Some((inputs, results)) = function.function_type() else { return false };
    inputs.iter().chain(&results).all(|ty| ty.element().is_some_and(|e| e.int_width().is_some()))
}

/// The calibration data of the only input of a network.
fn read(op: Operation<'_>, graph: &Graph, path: &str) -> Result<Vec<Vec<Tensor>>, Reported> {
    let fail = |reason: String| op.error(format!("calibration data '{path}': {reason}"));
    let &[input] = graph.inputs() else {
        let count = graph.inputs().len();
        return Err(fail(format!(
            "the network has {count} inputs, this pass supports one: use strumc quantize"
        )));
    };
    let array = read_floats(path).map_err(|error| match error.is_limit() {
        true => op.error(format_args!("{MEMORY}calibration data '{path}': {}", error.reason())),
        false => fail(error.reason()),
    })?;
    // Samples are copies.
    budget::check("calibration data", array.values.len() as u64 * 4)
        .map_err(|over| op.error(format_args!("{MEMORY}calibration data '{path}': {over}")))?;
    let samples = samples(graph.shape(input), &array.shape, &array.values).map_err(&fail)?;
    Ok(samples.into_iter().map(|tensor| vec![tensor]).collect())
}
