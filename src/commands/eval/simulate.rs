//! All samples on the simulator, on all cores. Invariant: samples of a network with states are a sequence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dpu_isa::Program;
use dpu_sim::{Options, Recording, Replayer, Report, Sequence, SimError, Tensor, TensorView};

use super::data::Data;
use crate::driver::codes::Codes;
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
    let first = inputs.first().ok_or_else(|| Failure::input("there is no sample"))?;
    let options = Options::default();
    let fail = |error: SimError| blame_compiler(error.into());
    let (recording, result) = Recording::new(program, &views(first), &options, &mut []).map_err(fail)?;
    let count = AtomicU64::new(1);
    let sequence = Sequence::of(program, false);
    if !sequence.is_independent() {
        let logits = in_sequence(&recording, &sequence, (codes, data), (inputs, result.outputs), done)?;
        return Ok(Answers { logits, report: result.report });
    }
    let rest = inputs.get(1..).unwrap_or_default();
    let parts: Vec<&[Vec<Tensor>]> = rest.chunks(rest.len().div_ceil(threads.max(1)).max(1)).collect();
    let mut replayers = Vec::new();
    for _ in &parts {
        replayers.push(recording.replayer().map_err(fail)?);
    }
    let part = |samples: &[Vec<Tensor>], replayer: &mut Replayer<'_>| -> Result<Vec<Vec<f64>>, SimError> {
        let one = |sample: &Vec<Tensor>| {
            let outputs = replayer.run(&views(sample))?;
            done(count.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(logits(codes, data.output, &outputs))
        };
        samples.iter().map(one).collect()
    };
    let mut all = vec![logits(codes, data.output, &result.outputs)];
    if let ([samples], [replayer]) = (&parts[..], &mut replayers[..]) {
        all.extend(part(samples, replayer).map_err(fail)?);
        return Ok(Answers { logits: all, report: result.report });
    }
    let parts: Vec<Result<Vec<Vec<f64>>, SimError>> = thread::scope(|scope| {
        let pairs = parts.into_iter().zip(&mut replayers);
        let threads: Vec<_> =
            pairs.map(|(samples, replayer)| scope.spawn(|| part(samples, replayer))).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    for part in parts {
        all.extend(part.map_err(fail)?);
    }
    Ok(Answers { logits: all, report: result.report })
}

/// Runs the samples after the first, each on the states that the one before it left.
fn in_sequence(
    recording: &Recording<'_>,
    sequence: &Sequence,
    (codes, data): (&Codes, &Data),
    (inputs, first): (Vec<Vec<Tensor>>, Vec<Tensor>),
    done: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Vec<f64>>, Failure> {
    let fail = |error: SimError| blame_compiler(error.into());
    let mut replayer = recording.replayer().map_err(fail)?;
    let mut all = vec![logits(codes, data.output, &first)];
    let mut last = first;
    for (index, mut sample) in inputs.into_iter().enumerate().skip(1) {
        sequence.carry(&last, &mut sample);
        last = replayer.run(&views(&sample)).map_err(fail)?;
        all.push(logits(codes, data.output, &last));
        done(index as u64 + 1);
    }
    Ok(all)
}

fn logits(codes: &Codes, output: usize, outputs: &[Tensor]) -> Vec<f64> {
    outputs.get(output).map(|tensor| codes.values(output, tensor)).unwrap_or_default()
}

fn views(sample: &[Tensor]) -> Vec<TensorView<'_>> {
    sample.iter().map(Tensor::view).collect()
}
