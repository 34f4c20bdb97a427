//! The summary of a run: as text, and as the JSON object of `strumc run --json`.

use std::fmt::Write as _;

use dpu_cost::Traffic;
use dpu_isa::{IoDesc, Program};
use serde::Serialize;
use serde_json::Number;
use strum_cli::json;
use strum_tensors::Tensor;

use super::{Ran, RunArgs};
use crate::Report;

/// Maximum number of values of an output in the text summary.
const SHOWN: usize = 16;
/// Maximum number of values of an output in the JSON object.
const LISTED: usize = 1024;

/// An output in the JSON object.
#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    dtype: &'static str,
    shape: &'a [u64],
    /// All values in row-major order; omitted for large tensors and for batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Number>>,
}

#[derive(Serialize)]
struct Object<'a> {
    /// Samples of a batch; everything else describes one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
    cycles: u64,
    ms: f64,
    macs: u64,
    macs_high: u64,
    macs_low: u64,
    bytes: Traffic,
    machine: &'a str,
    outputs: Vec<Output<'a>>,
}

impl Ran {
    /// The run as one JSON object on one line.
    ///
    /// # Errors
    /// None in practice.
    pub fn json(&self, program: &Program, args: &RunArgs) -> Result<String, serde_json::Error> {
        let of = |index: usize| self.outputs.as_ref().and_then(|outputs| outputs.get(index));
        let numbers = args.numbers();
        let listed = |desc: &IoDesc, tensor: &Tensor| {
            numbers.texts(desc, tensor, LISTED).iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()
        };
        let values = |index, desc| {
            of(index).filter(|tensor| count(tensor) <= LISTED).and_then(|tensor| listed(desc, tensor))
        };
        let outputs = program.outputs.iter().enumerate().map(|(index, desc)| Output {
            name: &desc.name,
            dtype: numbers.type_name(desc),
            shape: &desc.shape,
            values: values(index, desc),
        });
        let Report { cycles, milliseconds, machine, total, samples, .. } = &self.report;
        let object = Object {
            samples: self.batch.then_some(*samples),
            cycles: *cycles,
            ms: *milliseconds,
            macs: total.macs(),
            macs_high: total.macs_high,
            macs_low: total.macs_low,
            bytes: total.bytes,
            machine,
            outputs: outputs.collect(),
        };
        json::line(json::RUN, &object)
    }

    /// The run as text.
    #[must_use]
    pub fn summary(&self, program: &Program, args: &RunArgs) -> String {
        let mut text = if args.layers || args.view.is_given() {
            self.report.text(&args.view)
        } else {
            self.report.summary()
        };
        for (desc, tensor) in program.outputs.iter().zip(self.outputs.iter().flatten()) {
            let shown = args.numbers().texts(desc, tensor, SHOWN);
            let more = if count(tensor) > SHOWN { " …" } else { "" };
            let (name, dtype, shape) = (&desc.name, args.numbers().type_name(desc), &tensor.shape);
            let _ = writeln!(text, "output  {name} {dtype}{shape:?}: {}{more}", shown.join(" "));
        }
        self.host.iter().for_each(|line| text.push_str(line));
        text
    }
}

fn count(tensor: &Tensor) -> usize {
    tensor.data.len() / usize::try_from(tensor.dtype.bytes()).unwrap_or(1)
}
