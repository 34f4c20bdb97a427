//! `tosa-quantize`: a float network as integer TOSA, which is what `strumc quantize` writes.
//!
//! Invariant: a function of integers stays as it is.

mod options;

use strum_files::budget;
use strum_float::quantize::{RangeChoice, observe};
use strum_float::{Graph, Invalid, Tensor};
use strum_ir::{Dialect, Location, Operation, Pass, PassContext, PassError, Reported};
use strum_tensors::read_floats;

use crate::Documented;
use crate::common::network::emit::{Calibration, Rounding, quantize_function};
use crate::common::network::{Network, calibration};
use crate::common::rewrite::blocks;
use crate::common::verdict::{MEMORY, USAGE};
use crate::strum::strum_pack::storage_of;
use options::RoundingMode;

pub use options::{Activations, PERCENTILE, TosaQuantize};

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

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        if blocks(op).is_empty() || is_integer(op) {
            return Ok(());
        }
        let share = self.percentile;
        let usage = |message: String| Location::unknown(op.context()).error(format!("{USAGE}{message}"));
        let choice = match self.activations {
            Activations::MinMax => RangeChoice::MinMax,
            Activations::Percentile => RangeChoice::Percentile(share),
            Activations::Mse => RangeChoice::Mse,
        };
        if share != PERCENTILE && !matches!(choice, RangeChoice::Percentile(_)) {
            return Err(usage("percentile has no effect without activations=percentile".into()).into());
        }
        let mut network = Network::read(op)?;
        let canonical = network.graph.canonicalize();
        let internal = |error: Invalid| PassError::Internal(error.to_string());
        network.graph = canonical.map_err(internal)?;
        if self.equalize {
            network.graph = network.graph.equalize().map_err(internal)?;
        }
        let rounding = self.how_to_round().map_err(usage)?;
        let samples = match &self.calibration {
            None => {
                op.warning(format!("{}; give calibration", calibration::WARNING.replace('\n', " ")));
                calibration::random(&network.graph)
            }
            Some(path) => read(op, &network.graph, path)?,
        };
        let ranges = observe(&network.graph, &samples, choice).map_err(|error| op.error(error))?;
        let seen = match self.calibration {
            None if rounding != Rounding::Nearest => {
                let why = "random inputs say nothing of what real ones do to a layer";
                return Err(usage(format!("bias-correction and feedback need calibration: {why}")).into());
            }
            None => Calibration::Random,
            Some(_) => Calibration::Samples { samples: &samples, rounding },
        };
        quantize_function(op, &network, &ranges, self.weights, seen).map(|_| ())
    }
}

impl TosaQuantize {
    /// How weights become codes, or why the options do not go together.
    fn how_to_round(&self) -> Result<Rounding, String> {
        let storage = self.storage.as_ref().map(storage_of);
        match (self.rounding, storage, self.bias_correction) {
            (RoundingMode::Nearest, None, false) => Ok(Rounding::Nearest),
            (RoundingMode::Nearest, None, true) => Ok(Rounding::BiasCorrection),
            (_, _, true) => {
                Err("bias-correction has no effect: rounding with feedback corrects biases".into())
            }
            (RoundingMode::Feedback, storage, false) => Ok(Rounding::Feedback(storage.flatten())),
            (RoundingMode::Nearest, Some(storage), false) => Ok(Rounding::Feedback(storage)),
        }
    }
}

/// Whether a function takes and gives integers alone.
#[must_use]
pub fn is_integer(function: Operation<'_>) -> bool {
    let Some((inputs, results)) = function.function_type() else { return false };
    inputs.iter().chain(&results).all(|ty| ty.element().is_some_and(|e| e.int_width().is_some()))
}

/// The samples of a file.
fn read(op: Operation<'_>, graph: &Graph, path: &str) -> Result<Vec<Vec<Tensor>>, Reported> {
    let fail = |reason: String| op.error(format!("calibration data '{path}': {reason}"));
    let &[input] = graph.inputs() else {
        let count = graph.inputs().len();
        return Err(fail(format!("the network has {count} inputs, one is expected: use strumc quantize")));
    };
    let array = read_floats(path).map_err(|error| match error.is_limit() {
        true => op.error(format_args!("{MEMORY}calibration data '{path}': {}", error.reason())),
        false => fail(error.reason()),
    })?;
    // Samples are copies.
    budget::check("calibration data", array.values.len() as u64 * 4)
        .map_err(|over| op.error(format_args!("{MEMORY}calibration data '{path}': {over}")))?;
    let samples = calibration::samples(graph.shape(input), &array.shape, &array.values).map_err(&fail)?;
    Ok(samples.into_iter().map(|tensor| vec![tensor]).collect())
}
