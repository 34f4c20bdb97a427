//! `tosa-quantize`: a float network as integer TOSA, which is what `strumc quantize` writes.
//!
//! Invariant: a function of integers stays as it is.

use strum_files::budget;
use strum_float::quantize::{RangeChoice, WeightScales, observe};
use strum_float::{Graph, Invalid, Tensor};
use strum_ir::{
    Dialect, Error, Location, Operation, Options, Pass, PassContext, PassError, PassOption, Reported,
};
use strum_tensors::read_floats;

use crate::Documented;
use crate::common::network::emit::{Calibration, Rounding, quantize_function};
use crate::common::network::{Network, calibration};
use crate::common::rewrite::blocks;
use crate::common::verdict::{MEMORY, USAGE};
use crate::strum::strum_pack::storage;

/// The share of the values that `percentile` leaves out unless another is asked for.
pub const PERCENTILE: f64 = 0.0001;

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
            ".npy file, or FILE.npz:KEY, of samples of the only input along the first axis; random ones without it",
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
            "nearest",
            "how weights become codes: nearest or feedback, which needs calibration",
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
        let options = cx.options();
        let share = options.float("percentile")?;
        let usage = |message: String| Location::unknown(op.context()).error(format!("{USAGE}{message}"));
        let unknown =
            |what: &str, got: &str, wanted: &str| usage(format!("{what} is '{got}', expected {wanted}"));
        let choice = match options.string("activations")? {
            "minmax" => RangeChoice::MinMax,
            "percentile" if (0.0..1.0).contains(&share) => RangeChoice::Percentile(share),
            "percentile" => {
                return Err(unknown("percentile", &share.to_string(), "a number from 0 to below 1").into());
            }
            "mse" => RangeChoice::Mse,
            other => return Err(unknown("activations", other, "minmax, percentile or mse").into()),
        };
        if share != PERCENTILE && !matches!(choice, RangeChoice::Percentile(_)) {
            return Err(usage("percentile has no effect without activations=percentile".into()).into());
        }
        let scales = match options.string("weights")? {
            "per-channel" => WeightScales::PerChannel,
            "per-tensor" => WeightScales::PerTensor,
            other => return Err(unknown("weights", other, "per-channel or per-tensor").into()),
        };
        let mut network = Network::read(op)?;
        let canonical = network.graph.canonicalize();
        let internal = |error: Invalid| PassError::Internal(error.to_string());
        network.graph = canonical.map_err(internal)?;
        if options.bool("equalize")? {
            network.graph = network.graph.equalize().map_err(internal)?;
        }
        let rounding = match rounding(&options)? {
            Ok(rounding) => rounding,
            Err(message) => return Err(usage(message).into()),
        };
        let file = options.string("calibration")?;
        let samples = match file {
            "" => {
                op.warning(format!("{}; give calibration", calibration::WARNING.replace('\n', " ")));
                calibration::random(&network.graph)
            }
            path => read(op, &network.graph, path)?,
        };
        let ranges = observe(&network.graph, &samples, choice).map_err(|error| op.error(error))?;
        let seen = match file {
            "" if rounding != Rounding::Nearest => {
                let why = "random inputs say nothing of what real ones do to a layer";
                return Err(usage(format!("bias-correction and feedback need calibration: {why}")).into());
            }
            "" => Calibration::Random,
            _ => Calibration::Samples { samples: &samples, rounding },
        };
        quantize_function(op, &network, &ranges, scales, seen).map(|_| ())
    }
}

/// How weights become codes: an error of the user is inside, one of this program outside.
fn rounding(options: &Options<'_>) -> Result<Result<Rounding, String>, Error> {
    let bias_correction = options.bool("bias-correction")?;
    let storage = match options.string("storage")? {
        "" => None,
        text => match storage(text) {
            Ok(storage) => Some(storage),
            Err(error) => return Ok(Err(format!("storage: {error}"))),
        },
    };
    Ok(match (options.string("rounding")?, storage, bias_correction) {
        ("nearest", None, false) => Ok(Rounding::Nearest),
        ("nearest", None, true) => Ok(Rounding::BiasCorrection),
        ("nearest" | "feedback", _, true) => {
            Err("bias-correction has no effect: rounding with feedback corrects biases".into())
        }
        ("feedback", storage, false) => Ok(Rounding::Feedback(storage.flatten())),
        ("nearest", Some(storage), false) => Ok(Rounding::Feedback(storage)),
        (other, ..) => Err(format!("rounding is '{other}', expected nearest or feedback")),
    })
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
