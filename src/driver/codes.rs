//! The meaning of the INT8 codes of a network's inputs and outputs.

use dpu_isa::Meaning;
use dpu_sim::Tensor;
use strum_float::quantize::QParams;
use strum_ir::Operation;
use strum_passes::common::meaning;

/// The meaning of the codes of inputs and outputs; empty if the network does not record it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes {
    pub(crate) inputs: Vec<QParams>,
    pub(crate) outputs: Vec<QParams>,
}

impl Codes {
    /// Reads the attributes that `strumc quantize` writes.
    pub(crate) fn of(function: Operation<'_>) -> Self {
        let (inputs, results) = function.function_type().unwrap_or_default();
        let params = |list: Vec<Meaning>| -> Vec<QParams> {
            let of = |meaning: Meaning| {
                meaning.codes.map(|codes| QParams { scale: codes.scale, zero_point: codes.zero_point })
            };
            list.into_iter().map(of).collect::<Option<_>>().unwrap_or_default()
        };
        let [inputs, outputs] = meaning::read(function, [inputs.len(), results.len()]);
        Codes { inputs: params(inputs), outputs: params(outputs) }
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
