//! The evaluated output of all samples, from the simulator.

use dpu_isa::Program;
use dpu_sim::{Report, Tensor};

use crate::driver::batch::{run_all, views};
use crate::driver::codes::Codes;
use crate::driver::data::Data;
use crate::driver::exit::Failure;

/// The results of the samples.
pub(crate) struct Answers {
    /// The evaluated output of every sample, as values if the network describes its codes.
    pub(crate) logits: Vec<Vec<f64>>,
    /// Cycles, energy and bytes of the first sample.
    pub(crate) report: Report,
}

/// Runs all samples; `done` is called with the number of finished ones.
pub(crate) fn simulate(
    program: &Program,
    codes: &Codes,
    data: &Data,
    threads: usize,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Answers, Failure> {
    let inputs = data.coded(&program.inputs, codes)?;
    let samples: Vec<_> = inputs.iter().map(|sample| views(sample)).collect();
    let (logits, report) =
        run_all(program, &samples, threads, done, |outputs| logits(codes, data.output, &outputs))?;
    Ok(Answers { logits, report })
}

fn logits(codes: &Codes, output: usize, outputs: &[Tensor]) -> Vec<f64> {
    outputs.get(output).map(|tensor| codes.values(output, tensor)).unwrap_or_default()
}
