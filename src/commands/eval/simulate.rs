//! The evaluated output of all samples, from the simulator. Invariant: samples of a network with states are a sequence.

use dpu_isa::Program;
use dpu_sim::{Options, Recording, Report, Sequence, SimError, Tensor};

use crate::driver::batch::{run_all, views};
use crate::driver::codes::Codes;
use crate::driver::data::Data;
use crate::driver::exit::{Failure, blame_compiler};

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
    let inputs = data.coded(&program.inputs)?;
    let sequence = Sequence::of(program, false);
    if !sequence.is_independent() {
        return in_sequence(program, &sequence, (codes, data), inputs, done);
    }
    let samples: Vec<_> = inputs.iter().map(|sample| views(sample)).collect();
    let (logits, report) =
        run_all(program, &samples, threads, done, |outputs| logits(codes, data.output, &outputs))?;
    Ok(Answers { logits, report })
}

/// Runs each sample on the states that the one before it left.
fn in_sequence(
    program: &Program,
    sequence: &Sequence,
    (codes, data): (&Codes, &Data),
    inputs: Vec<Vec<Tensor>>,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Answers, Failure> {
    let fail = |error: SimError| blame_compiler(error.into());
    let first = inputs.first().ok_or_else(|| Failure::input("there is no sample"))?;
    let (recording, result) =
        Recording::new(program, &views(first), &Options::default(), &mut []).map_err(fail)?;
    let mut replayer = recording.replayer().map_err(fail)?;
    let mut all = vec![logits(codes, data.output, &result.outputs)];
    let mut last = result.outputs;
    for (index, mut sample) in inputs.into_iter().enumerate().skip(1) {
        sequence.carry(&last, &mut sample);
        last = replayer.run(&views(&sample)).map_err(fail)?;
        all.push(logits(codes, data.output, &last));
        done(index as u64 + 1);
    }
    Ok(Answers { logits: all, report: result.report })
}

fn logits(codes: &Codes, output: usize, outputs: &[Tensor]) -> Vec<f64> {
    outputs.get(output).map(|tensor| codes.values(output, tensor)).unwrap_or_default()
}
