//! From a float network to an integer one, in place.

use strum_cli::say;
use strum_float::quantize::{Quantized, RANDOM_WARNING, Recipe, Stage};
use strum_ir::{Context, Operation, PassError};
use strum_passes::common::network::Network;
use strum_passes::float::tosa_quantize::quantize_function;
use strum_tensors::Sources;

use super::calibration;
use super::cli::Progress;
use super::diagnostics::Origin;
use super::exit::Failure;

/// Replaces the body of a float function by the integer network; without calibration data, with a warning.
pub(crate) fn lower(
    (recipe, calibration): (&Recipe, Sources<'_>),
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
    let samples = match calibration.args.is_empty() {
        true => {
            progress.pause(|| say(format_args!("warning: {RANDOM_WARNING}; give --calibration")));
            None
        }
        false => {
            progress.step("read calibration data");
            Some(calibration::read(&network.graph, calibration)?)
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
