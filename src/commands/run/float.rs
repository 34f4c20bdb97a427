//! `strumc run --float`: evaluates a float network in single precision. Invariant: nothing is written before all samples are done.

use std::fmt::Write as _;

use rayon::prelude::*;
use strum_float::{Graph, Tensor, quantize};
use strum_passes::common::names;
use strum_passes::common::network::Network;
use strum_passes::float::tosa_quantize::is_integer;
use strum_tensors::{OutputPlan, RealPort, Reals, Sources, batch_shape, read_reals};

use super::RunCommand;
use crate::driver::backend;
use crate::driver::cli::Progress;
use crate::driver::diagnostics::Origin;
use crate::driver::exit::Failure;
use crate::driver::files::Input;
use crate::driver::network;

/// Maximum number of values of an output in the summary.
const SHOWN: usize = 16;

/// A network and its interface.
struct FloatNetwork {
    graph: Graph,
    inputs: Vec<RealPort>,
    outputs: Vec<RealPort>,
}

/// Evaluates, writes the outputs, and returns the summary.
pub(super) fn run(command: &RunCommand, input: Input, progress: &Progress) -> Result<String, Failure> {
    if let Some(flag) = command.options.given_beside_source().into_iter().next() {
        return Err(Failure::usage(format_args!("{flag} has no effect with --float: nothing is compiled")));
    }
    let network = read(command, input, progress)?;
    let (files, outputs) = (command.run.inputs(), command.run.outputs());
    progress.step("read inputs");
    let samples = samples(&network, files)?;
    let plan = OutputPlan::resolve_reals(&network.outputs, outputs)?;
    progress.step("evaluate");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(command.run.threads()).build();
    let evaluate = |sample: &Vec<Tensor>| network.graph.eval(sample).map_err(Failure::internal);
    let results: Vec<Vec<Tensor>> = pool
        .map_err(Failure::internal)?
        .install(|| samples.par_iter().map(evaluate).collect::<Result<_, _>>())?;
    let of = |(index, port): (usize, &RealPort)| {
        let tensors = results.iter().filter_map(|outputs| outputs.get(index));
        let shape = match results.len() {
            1 => port.shape.clone(),
            count => batch_shape(&port.shape, count as u64),
        };
        Reals { shape, values: tensors.flat_map(|tensor| tensor.iter().copied()).collect() }
    };
    let reals: Vec<Reals> = network.outputs.iter().enumerate().map(of).collect();
    progress.step("write outputs");
    plan.write_reals(&reals)?;
    Ok(summary(&network.outputs, &reals))
}

fn summary(outputs: &[RealPort], reals: &[Reals]) -> String {
    let mut text = String::new();
    for (port, Reals { shape, values }) in outputs.iter().zip(reals) {
        let shown: Vec<String> = values.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = if values.len() > SHOWN { " …" } else { "" };
        let _ = writeln!(text, "output  {} f32{shape:?}: {}{more}", port.name, shown.join(" "));
    }
    text
}

fn read(command: &RunCommand, mut input: Input, progress: &Progress) -> Result<FloatNetwork, Failure> {
    let context = backend::context();
    progress.step("parse");
    let (source, quiet) = (&command.options.source, command.voice.quiet);
    let module = progress.pause(|| network::read(context, &mut input, source, quiet))?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    if is_integer(function) {
        return Err(Failure::usage(format_args!(
            "--float has no effect: '{}' is an integer network",
            input.name
        )));
    }
    let origin = Origin::new(&input.name, &input.bytes);
    let (read, diagnostics) = context.handle().capture(|| {
        let network = Network::read(function)?;
        Ok::<_, strum_ir::Reported>((network, names::inputs(function)?, names::outputs(function)?))
    });
    let Ok((network, inputs, outputs)) = read else {
        return Err(progress.pause(|| origin.failure(&diagnostics)));
    };
    let graph = network.graph.canonicalize().map_err(Failure::internal)?;
    let ports = |names: Vec<String>, ids: &[strum_float::ValueId]| {
        let of = |(name, id): (String, &strum_float::ValueId)| RealPort {
            name,
            shape: graph.shape(*id).iter().map(|&d| d as u64).collect(),
        };
        names.into_iter().zip(ids).map(of).collect()
    };
    let (inputs, outputs) = (ports(inputs, graph.inputs()), ports(outputs, graph.outputs()));
    Ok(FloatNetwork { graph, inputs, outputs })
}

/// The inputs of every sample.
fn samples(
    network: &FloatNetwork,
    Sources { args, images }: Sources<'_>,
) -> Result<Vec<Vec<Tensor>>, Failure> {
    let mut samples: Vec<Vec<Tensor>> = Vec::new();
    for (index, (path, array)) in read_reals(&network.inputs, args, images)?.into_iter().enumerate() {
        let id = network.graph.inputs().get(index).copied();
        let port = network.inputs.get(index);
        let (Some(id), Some(port)) = (id, port) else {
            return Err(Failure::internal("an input without a value"));
        };
        let fail = |reason: String| {
            Failure::input(format_args!("input '{}': {reason}", port.name))
                .in_file(&path.display().to_string())
        };
        let shape = network.graph.shape(id);
        let tensors = quantize::samples(shape, &array.shape, &array.values).map_err(fail)?;
        if index > 0 && tensors.len() != samples.len() {
            let message = format!("{} samples, the first input has {}", tensors.len(), samples.len());
            return Err(fail(message));
        }
        samples.resize_with(tensors.len(), Vec::new);
        samples.iter_mut().zip(tensors).for_each(|(sample, tensor)| sample.push(tensor));
    }
    if samples.is_empty() {
        samples.push(Vec::new());
    }
    Ok(samples)
}
