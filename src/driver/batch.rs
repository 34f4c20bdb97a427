//! The samples of a batch on the simulator, on several threads. Invariant: results are in the order of the samples.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dpu_isa::Program;
use dpu_sim::{Options, Recording, Replayer, Report, SimError, Tensor, TensorView};

use super::exit::{Failure, blame_compiler};

/// Runs all samples, and takes what is wanted of the outputs of each; `done` is called with the number of finished ones. Also
/// returns cycles, energy and bytes of the first sample.
pub(crate) fn run_all<R: Send>(
    program: &Program,
    samples: &[Vec<TensorView<'_>>],
    threads: usize,
    done: &(dyn Fn(u64) + Sync),
    take: impl Fn(Vec<Tensor>) -> R + Sync,
) -> Result<(Vec<R>, Report), Failure> {
    let first = samples.first().ok_or_else(|| Failure::input("there is no sample"))?;
    let options = Options::default();
    let fail = |error: SimError| blame_compiler(error.into());
    let (recording, result) = Recording::new(program, first, &options, &mut []).map_err(fail)?;
    let count = AtomicU64::new(1);
    let rest = samples.get(1..).unwrap_or_default();
    let parts: Vec<&[Vec<TensorView<'_>>]> =
        rest.chunks(rest.len().div_ceil(threads.max(1)).max(1)).collect();
    let mut replayers = Vec::new();
    for _ in &parts {
        replayers.push(recording.replayer().map_err(fail)?);
    }
    let part = |samples: &[Vec<TensorView<'_>>], replayer: &mut Replayer<'_>| -> Result<Vec<R>, SimError> {
        let one = |sample: &Vec<TensorView<'_>>| {
            let outputs = replayer.run(sample)?;
            done(count.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(take(outputs))
        };
        samples.iter().map(one).collect()
    };
    let mut all = vec![take(result.outputs)];
    if let ([samples], [replayer]) = (&parts[..], &mut replayers[..]) {
        all.extend(part(samples, replayer).map_err(fail)?);
        return Ok((all, result.report));
    }
    let parts: Vec<Result<Vec<R>, SimError>> = thread::scope(|scope| {
        let pairs = parts.into_iter().zip(&mut replayers);
        let threads: Vec<_> =
            pairs.map(|(samples, replayer)| scope.spawn(|| part(samples, replayer))).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    for part in parts {
        all.extend(part.map_err(fail)?);
    }
    Ok((all, result.report))
}

/// The tensors of a sample, borrowed.
pub(crate) fn views(sample: &[Tensor]) -> Vec<TensorView<'_>> {
    sample.iter().map(Tensor::view).collect()
}
