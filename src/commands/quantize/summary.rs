//! The summary of a quantized network.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use strum_cli::json;
use strum_cli::table::{Column, Table};
use strum_float::quantize::{Port, QParams, Quantized};
use strum_ir::{Operation, Type};

use crate::driver::codes::Codes;
use crate::driver::exit::Failure;

/// The information that a user needs to prepare inputs and read outputs, and the composition of the network.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Whether the network was already integer; then only its inputs and outputs are described.
    already_integer: bool,
    /// Layers of an integer network whose weights were rounded again for a format.
    #[serde(skip_serializing_if = "Option::is_none")]
    rounded_layers: Option<usize>,
    /// Number of calibration samples; none if they were random.
    samples: Option<usize>,
    inputs: Vec<Ends>,
    outputs: Vec<Ends>,
    /// Weights of convolutions.
    weights: usize,
    /// Operators by name.
    operators: BTreeMap<&'static str, usize>,
}

/// An input or output: `value = scale · (code − zero_point)`.
#[derive(Debug, Serialize)]
struct Ends {
    shape: Vec<usize>,
    scale: Option<f64>,
    zero_point: Option<i32>,
}

/// The summary of a network that was already integer, with the meaning of its codes as far as the function records it; with samples
/// and layers, if weights were rounded again.
pub(super) fn already_integer(function: Operation<'_>, rounded: Option<(usize, usize)>) -> Summary {
    let (inputs, results) = function.function_type().unwrap_or_default();
    let codes = Codes::of(function);
    let ends = |types: &[Type<'_>], codes: &[QParams]| {
        let end = |(index, ty): (usize, &Type<'_>)| {
            let shape = ty.as_tensor().map(|tensor| tensor.shape).unwrap_or_default();
            let params = codes.get(index);
            Ends {
                shape: shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect(),
                scale: params.map(|params| params.scale),
                zero_point: params.map(|params| params.zero_point),
            }
        };
        types.iter().enumerate().map(end).collect()
    };
    Summary {
        already_integer: true,
        rounded_layers: rounded.map(|(_, layers)| layers),
        samples: rounded.map(|(samples, _)| samples),
        inputs: ends(&inputs, &codes.inputs),
        outputs: ends(&results, &codes.outputs),
        weights: 0,
        operators: BTreeMap::new(),
    }
}

pub(super) fn of(quantized: &Quantized) -> Summary {
    let (network, report) = (&quantized.network, &quantized.report);
    let ends = |ports: &[Port]| {
        ports
            .iter()
            .map(|port| Ends {
                shape: network.value(port.id).map(|(shape, _)| shape.to_vec()).unwrap_or_default(),
                scale: Some(port.params.scale),
                zero_point: Some(port.params.zero_point),
            })
            .collect()
    };
    Summary {
        already_integer: false,
        rounded_layers: None,
        samples: report.samples,
        inputs: ends(&network.inputs),
        outputs: ends(&network.outputs),
        weights: report.weights,
        operators: report.operators.clone(),
    }
}

impl Summary {
    pub(super) fn json(&self) -> Result<String, Failure> {
        json::line(json::QUANTIZE, self).map_err(Failure::internal)
    }

    pub(super) fn text(&self) -> String {
        let samples = |n: usize| format!("{n} samples");
        if self.already_integer {
            let rounded = self.rounded_layers.map(|layers| {
                let calibration = self.samples.map(samples).unwrap_or_default();
                format!("rounded      {layers} layers for their format\ncalibration  {calibration}\n")
            });
            return rounded.unwrap_or_default();
        }
        let texts = ["tensor", "type"].map(Column::text);
        let mut table = Table::new(texts.into_iter().chain(["scale", "zero point"].map(Column::number)));
        for (what, ends) in [("input", &self.inputs), ("output", &self.outputs)] {
            for (index, end) in ends.iter().enumerate() {
                table.row([
                    format!("{what} #{index}"),
                    format!("i8{:?}", end.shape),
                    format!("{:.9}", end.scale.unwrap_or(1.0)),
                    end.zero_point.unwrap_or(0).to_string(),
                ]);
            }
        }
        let calibration = self.samples.map_or("random data".into(), samples);
        let mut text = format!("{table}\ncalibration  {calibration}\n");
        let operators: Vec<String> = self.operators.iter().map(|(name, n)| format!("{n} {name}")).collect();
        let _ = writeln!(text, "weights      {}", self.weights);
        let _ = writeln!(text, "operators    {}", operators.join(", "));
        text
    }
}
