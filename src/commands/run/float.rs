//! `strumc run --float`: evaluates a float network in single precision. Invariant: nothing is written before all samples are done.

use std::fmt::Write as _;

use dpu_isa::State;
use rayon::prelude::*;
use strum_float::{Graph, Tensor, quantize};
use strum_passes::common::meaning;
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
    /// The state of each input that is one.
    states: Vec<Option<State>>,
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
    let results = network.evaluate(samples, command)?;
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

impl FloatNetwork {
    /// The outputs of every sample. With states, each begins with what the one before it left.
    fn evaluate(&self, samples: Vec<Vec<Tensor>>, command: &RunCommand) -> Result<Vec<Vec<Tensor>>, Failure> {
        let evaluate = |sample: &Vec<Tensor>| self.graph.eval(sample).map_err(Failure::internal);
        let has_states = self.states.iter().any(Option::is_some);
        if command.run.resets_states() && !has_states {
            return Err(Failure::usage("--reset-states has no effect: the network has no state"));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(command.run.threads()).build();
        let pool = pool.map_err(Failure::internal)?;
        if !has_states || command.run.resets_states() {
            return pool.install(|| samples.par_iter().map(evaluate).collect());
        }
        let mut all: Vec<Vec<Tensor>> = Vec::new();
        for mut sample in samples {
            if let Some(last) = all.last() {
                for (tensor, state) in sample.iter_mut().zip(&self.states) {
                    if let Some(next) = state.and_then(|state| last.get(state.output as usize)) {
                        tensor.clone_from(next);
                    }
                }
            }
            all.push(pool.install(|| evaluate(&sample))?);
        }
        Ok(all)
    }

    /// A state before the first sample.
    fn first(&self, index: usize) -> Option<Tensor> {
        let (state, &id) = ((*self.states.get(index)?)?, self.graph.inputs().get(index)?);
        #[allow(clippy::cast_precision_loss, reason = "the nearest number in single precision")]
        let value = state.initial as f32;
        Some(Tensor::from_elem(self.graph.shape(id), value))
    }
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
    let meanings = meaning::read(function, [inputs.len(), outputs.len()]);
    let states: Vec<Option<State>> = meanings[0].iter().map(|meaning| meaning.state).collect();
    let port = |(name, id): (String, &strum_float::ValueId)| RealPort {
        name,
        shape: graph.shape(*id).iter().map(|&d| d as u64).collect(),
        is_state: false,
    };
    let mut inputs: Vec<RealPort> = inputs.into_iter().zip(graph.inputs()).map(port).collect();
    inputs.iter_mut().zip(&states).for_each(|(port, state)| port.is_state = state.is_some());
    let outputs = outputs.into_iter().zip(graph.outputs()).map(port).collect();
    Ok(FloatNetwork { graph, inputs, outputs, states })
}

/// The inputs of every sample; states as before the first one.
fn samples(
    network: &FloatNetwork,
    Sources { args, images }: Sources<'_>,
) -> Result<Vec<Vec<Tensor>>, Failure> {
    let mut given: Vec<Vec<Tensor>> = Vec::new();
    let mut count: Option<usize> = None;
    for (index, read) in read_reals(&network.inputs, args, images)?.into_iter().enumerate() {
        let id = network.graph.inputs().get(index).copied();
        let port = network.inputs.get(index);
        let (Some(id), Some(port)) = (id, port) else {
            return Err(Failure::internal("an input without a value"));
        };
        let Some((path, array)) = read else {
            given.push(network.first(index).into_iter().collect());
            continue;
        };
        let fail = |reason: String| {
            Failure::input(format_args!("input '{}': {reason}", port.name))
                .in_file(&path.display().to_string())
        };
        let shape = network.graph.shape(id);
        let tensors = quantize::samples(shape, &array.shape, &array.values).map_err(fail)?;
        let got = tensors.len();
        if port.is_state {
            if got != 1 {
                return Err(fail(format!("{got} samples of a state, which has one value before the first")));
            }
        } else if let Some(first) = count.replace(got).filter(|&first| first != got) {
            return Err(fail(format!("{got} samples, the first input has {first}")));
        }
        given.push(tensors);
    }
    let sample = |index: usize| -> Option<Vec<Tensor>> {
        // A state has one value.
        given.iter().map(|list| list.get(index).or_else(|| list.first()).cloned()).collect()
    };
    let samples: Option<Vec<_>> = (0..count.unwrap_or(1)).map(sample).collect();
    samples.ok_or_else(|| Failure::internal("a sample without an input"))
}
