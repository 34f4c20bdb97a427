//! Agreement of a weight format with plain INT8 on samples. Invariant: both run the same samples, bit for bit.

use strum_formats::Kind as Method;
use strum_passes::strum::strum_pack::{LayerOptions, StrumPack};
use strum_quant::Choice;
use strum_tensors::Sources;

use super::CheckCommand;
use crate::commands::eval::{best, counted, simulate};
use crate::driver::cli::Progress;
use crate::driver::data::Data;
use crate::driver::exit::Failure;
use crate::driver::files::Input;
use crate::driver::remarks::Remarks;
use crate::driver::trial::Trials;

/// The share of samples with the same answer, from 0 to 1.
pub(super) fn measure(command: &CheckCommand, input: Input, progress: &Progress) -> Result<f64, Failure> {
    let method = command.method.unwrap_or(Method::Dense);
    let trials = Trials::prepare(input, command.machine.as_deref(), (&command.source, true), progress)?;
    let [(output, _)] = &trials.outputs[..] else {
        return Err(Failure::usage(
            "--min-agreement is for networks with one output: strumc eval --logits chooses one",
        ));
    };
    let data = Data::read(Sources { args: &command.inputs, images: &command.images }, None, None, *output)?;
    let answers = |choice: Choice, layers: LayerOptions| {
        let trial = trials.compile(StrumPack { choice, layers }, Remarks::Silent)?;
        let done = counted(progress, data.count);
        let answers = simulate(&trial.program, &trials.codes, &data, strum_cli::jobs(None), &done)?;
        Ok::<_, Failure>(answers.logits.iter().map(|list| best(list)).collect::<Vec<_>>())
    };
    let dense = answers(Choice::new(Method::Dense), LayerOptions::default())?;
    let packed = answers(command.packing.choice(method)?, command.packing.layers())?;
    let same = dense.iter().zip(&packed).filter(|(a, b)| a == b).count();
    Ok(same as f64 / dense.len().max(1) as f64)
}
