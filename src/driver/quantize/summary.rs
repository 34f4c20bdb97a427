//! What is said of a network that has been quantized.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use strum_float::quantize::{IntGraph, IntOp, Port};

use crate::driver::exit::Failure;

/// What a user needs to prepare inputs and read outputs, and how the network is made up.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Samples of calibration data; none if they were random.
    samples: Option<usize>,
    inputs: Vec<Ends>,
    outputs: Vec<Ends>,
    /// Weights of convolutions.
    weights: usize,
    /// Operators by name.
    operators: BTreeMap<&'static str, usize>,
}

/// A value at the border: `value = scale · (code − zero_point)`.
#[derive(Debug, Serialize)]
struct Ends {
    shape: Vec<usize>,
    scale: f64,
    zero_point: i32,
}

pub(super) fn of(int: &IntGraph, samples: Option<usize>) -> Summary {
    let ends = |ports: &[Port]| {
        ports
            .iter()
            .map(|port| Ends {
                shape: int.value(port.id).map(|(shape, _)| shape.to_vec()).unwrap_or_default(),
                scale: port.params.scale,
                zero_point: port.params.zero_point,
            })
            .collect()
    };
    let mut operators = BTreeMap::new();
    let mut weights = 0;
    for node in &int.nodes {
        *operators.entry(node.op.name()).or_insert(0) += 1;
        if let IntOp::Conv2d(_, w) | IntOp::DepthwiseConv2d(_, w) = &node.op {
            weights += w.codes.len();
        }
    }
    Summary { samples, inputs: ends(&int.inputs), outputs: ends(&int.outputs), weights, operators }
}

impl Summary {
    pub(super) fn json(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(self).map_err(Failure::internal)? + "\n")
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let calibration = self.samples.map_or("random data".into(), |n| format!("{n} samples"));
        let _ = writeln!(text, "calibration  {calibration}");
        for (what, ends) in [("input", &self.inputs), ("output", &self.outputs)] {
            for (index, end) in ends.iter().enumerate() {
                let name = format!("{what} #{index}");
                let _ = writeln!(
                    text,
                    "{name:<12} i8{:?}: scale {:.9}, zero point {}",
                    end.shape, end.scale, end.zero_point
                );
            }
        }
        let operators: Vec<String> = self.operators.iter().map(|(name, n)| format!("{n} {name}")).collect();
        let _ = writeln!(text, "weights      {}", self.weights);
        let _ = writeln!(text, "operators    {}", operators.join(", "));
        text
    }
}
