//! The meaning of the INT8 codes of a network's inputs and outputs.

use dpu_sim::Tensor;
use strum_float::quantize::QParams;
use strum_ir::Operation;
use strum_passes::common::network::write;

/// The meaning of the codes of inputs and outputs; empty if the network does not record it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes {
    pub(crate) inputs: Vec<QParams>,
    pub(crate) outputs: Vec<QParams>,
}

impl Codes {
    /// Reads the attributes that `strumc quantize` writes.
    pub(crate) fn of(function: Operation<'_>) -> Self {
        let list = |scales: &str, zero_points: &str| -> Option<Vec<QParams>> {
            let scales = function.attribute(scales)?.as_f64s()?;
            let zero_points = function.ints_attr(zero_points)?;
            let pairs = scales.into_iter().zip(zero_points);
            pairs.map(|(scale, zp)| Some(QParams { scale, zero_point: i32::try_from(zp).ok()? })).collect()
        };
        Codes {
            inputs: list(write::INPUT_SCALES, write::INPUT_ZERO_POINTS).unwrap_or_default(),
            outputs: list(write::OUTPUT_SCALES, write::OUTPUT_ZERO_POINTS).unwrap_or_default(),
        }
    }

    /// An output as values; the codes themselves if their meaning is unknown.
    pub(crate) fn values(&self, output: usize, tensor: &Tensor) -> Vec<f64> {
        let value = |code: i32| match self.outputs.get(output) {
            Some(params) => params.value(code),
            None => f64::from(code),
        };
        tensor.values().into_iter().map(value).collect()
    }
}
