//! The weights of an integer network rounded again for weight formats, layer by layer, with inputs from the simulator.
//!
//! The values that layers read are computed for all samples twice, by the network as it is and with the weights that have been
//! rounded so far: segment by segment, each compiled as plain INT8 and run from the values that earlier ones gave. Invariant: both
//! are the values that the whole network computes, bit for bit, and the result does not depend on the number of threads.

use std::collections::{BTreeMap, BTreeSet};

use dpu_sim::{Tensor, TensorView};
use rayon::ThreadPoolBuilder;
use strum_float::quantize::{Fault, QuantizeError, Rounded, Storage};
use strum_ir::{Context, Module, PassError};
use strum_passes::common::segments::{Convolution, Graph, Needed, Source, convolutions, set_weights};

use super::batch::run_all;
use super::cli::Progress;
use super::exit::{Failure, Kind};
use super::trial::{Trials, function};

/// Maximum bytes of the live values of all samples, in both networks.
const MAX_BYTES: usize = 1 << 30;

/// Weights by the index of the op, as [`Convolution::op`]; only of layers that have changed.
pub(crate) type Changed = BTreeMap<usize, Rounded>;

/// The op of a layer, and its weights for several formats, by the layer's name.
pub(crate) type Alone = BTreeMap<String, (usize, Vec<Rounded>)>;

/// Works in a context of its own. After a fault nothing of MLIR's is torn down.
fn within<R>(body: impl FnOnce(&Context) -> Result<R, Failure>) -> Result<R, Failure> {
    let context = Context::new();
    let result = body(&context);
    if result.is_err() {
        std::mem::forget(context);
    }
    result
}

/// A network and its samples.
pub(crate) struct Refit<'a> {
    pub(crate) trials: &'a Trials,
    /// The inputs of each sample, as codes.
    pub(crate) samples: &'a [Vec<Tensor>],
    pub(crate) threads: usize,
    pub(crate) progress: &'a Progress,
}

/// The rounded network.
pub(crate) struct Refitted {
    /// New weights.
    pub(crate) changed: Changed,
    /// Layers that were rounded for a format.
    pub(crate) layers: usize,
}

impl Refit<'_> {
    /// Rounds every layer for its format, if it has one; layers that stay INT8 compensate for the errors of earlier ones.
    pub(crate) fn in_order(
        &self,
        formats: &dyn Fn(&Convolution) -> Option<Storage>,
    ) -> Result<Refitted, Failure> {
        let mut refitted = Refitted { changed: Changed::new(), layers: 0 };
        self.each(|layer, step, streams| {
            streams.advance(step, &refitted.changed)?;
            let format = formats(layer);
            let (exact, rounded) = (streams.codes(layer.source, false), streams.codes(layer.source, true));
            let new = self.round(layer, (&exact, &rounded), &[format])?.pop();
            let new = new.ok_or_else(|| Failure::internal("a layer without weights"))?;
            refitted.layers += usize::from(format.is_some());
            if new != layer.weights() {
                refitted.changed.insert(layer.op, new);
            }
            Ok(())
        })?;
        Ok(refitted)
    }

    /// The weights of every layer for each of several formats, all other layers being exact.
    pub(crate) fn alone(&self, formats: &[Option<Storage>]) -> Result<Alone, Failure> {
        let mut all = Alone::new();
        self.each(|layer, step, streams| {
            streams.advance(step, &Changed::new())?;
            let exact = streams.codes(layer.source, false);
            let weights = self.round(layer, (&exact, &exact), formats)?;
            all.insert(layer.name.clone(), (layer.op, weights));
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits the layers in order.
    fn each(
        &self,
        mut visit: impl FnMut(&Convolution, &Step, &mut Streams<'_, '_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        within(|context| {
            let module = self.trials.parse(context)?;
            let graph = Graph::of(function(&module)?).map_err(broken)?;
            let walk = Walk::new(&graph);
            let mut streams = Streams::begin(self, context, &graph, &walk)?;
            for (index, (layer, step)) in walk.steps.iter().enumerate() {
                self.progress.step(format!("round layer {} of {}", index + 1, walk.steps.len()));
                visit(layer, step, &mut streams)?;
                streams.forget(step);
            }
            Ok(())
        })
    }

    fn round(
        &self,
        layer: &Convolution,
        (exact, rounded): (&[&[i8]], &[&[i8]]),
        formats: &[Option<Storage>],
    ) -> Result<Vec<Rounded>, Failure> {
        let pool = ThreadPoolBuilder::new().num_threads(self.threads).build().map_err(Failure::internal)?;
        pool.install(|| layer.layer().round(exact, rounded, formats)).map_err(|error| refused(layer, &error))
    }
}

/// The failure of a layer.
fn refused(layer: &Convolution, error: &QuantizeError) -> Failure {
    let kind = match error.fault {
        Fault::Invalid => Kind::Input,
        Fault::Unsupported => Kind::Unsupported,
        Fault::Internal => Kind::Internal,
    };
    Failure::new(kind, format_args!("layer '{}': {}", layer.name, error.reason))
}

/// A bug: segments of a verified network can be made.
pub(crate) fn broken(error: PassError) -> Failure {
    match error {
        PassError::Reported => Failure::internal("a segment of the network cannot be made"),
        PassError::Internal(text) => Failure::internal(text),
    }
}

/// Gives the layers of a module these weights.
pub(crate) fn apply(module: &Module<'_>, changed: &Changed) -> Result<(), Failure> {
    let graph = Graph::of(function(module)?).map_err(broken)?;
    for (&at, rounded) in changed {
        let op = graph.op(at).ok_or_else(|| Failure::internal("a layer is missing"))?;
        set_weights(op, rounded).map_err(broken)?;
    }
    Ok(())
}

/// What is computed before a layer is rounded, and forgotten afterwards.
struct Step {
    wanted: Source,
    /// Nothing if the value is known already.
    needed: Option<Needed>,
    forgotten: Vec<Source>,
}

/// The layers in order, each with its step.
struct Walk {
    steps: Vec<(Convolution, Step)>,
}

impl Walk {
    fn new(graph: &Graph<'_>) -> Self {
        let mut known: BTreeSet<Source> = graph.arguments().collect();
        let mut last_uses: BTreeMap<Source, usize> = BTreeMap::new();
        let mut steps = Vec::new();
        for (index, layer) in convolutions(graph).into_iter().enumerate() {
            let wanted = layer.source;
            let needed = (!known.contains(&wanted)).then(|| graph.needed(&known, &[wanted]));
            let read = needed.iter().flat_map(|needed| &needed.inputs).copied().chain([wanted]);
            last_uses.extend(read.map(|source| (source, index)));
            known.insert(wanted);
            steps.push((layer, Step { wanted, needed, forgotten: Vec::new() }));
        }
        for (source, index) in last_uses {
            if let Some((_, step)) = steps.get_mut(index) {
                step.forgotten.push(source);
            }
        }
        Walk { steps }
    }

    /// Maximum number of elements that are alive at once.
    fn most_alive(&self, graph: &Graph<'_>) -> usize {
        let size = |source: Source| graph.elements(source).unwrap_or(0);
        let mut alive: usize = graph.arguments().map(size).sum();
        let mut most = alive;
        for (_, step) in &self.steps {
            alive += step.needed.as_ref().map_or(0, |_| size(step.wanted));
            most = most.max(alive);
            alive = alive.saturating_sub(step.forgotten.iter().map(|&source| size(source)).sum());
        }
        most
    }
}

/// The values of one network, each for every sample.
type Values = BTreeMap<Source, Vec<Tensor>>;

/// The known values of both networks.
struct Streams<'a, 'c> {
    refit: &'a Refit<'a>,
    context: &'c Context,
    graph: &'a Graph<'c>,
    /// The number of samples.
    count: usize,
    exact: Values,
    /// Only those that are not the exact ones.
    rounded: Values,
}

impl<'a, 'c> Streams<'a, 'c> {
    fn begin(
        refit: &'a Refit<'a>,
        context: &'c Context,
        graph: &'a Graph<'c>,
        walk: &Walk,
    ) -> Result<Self, Failure> {
        let all = refit.samples;
        let each = walk.most_alive(graph).saturating_mul(2).max(1);
        let count = all.len().min((MAX_BYTES / each).max(1));
        let chosen: Vec<&Vec<Tensor>> = (0..count).filter_map(|i| all.get(i * all.len() / count)).collect();
        if chosen.is_empty() {
            return Err(Failure::input("there is no calibration sample"));
        }
        let argument = |(index, source)| {
            let tensors = chosen.iter().map(|sample| sample.get(index).cloned()).collect::<Option<_>>();
            Ok((source, tensors.ok_or_else(|| Failure::internal("a sample without an input"))?))
        };
        let exact = graph.arguments().enumerate().map(argument).collect::<Result<_, Failure>>()?;
        Ok(Streams { refit, context, graph, count, exact, rounded: Values::new() })
    }

    /// A value of the rounded network, or of the exact one.
    fn value(&self, source: Source, rounded: bool) -> &[Tensor] {
        let other = self.rounded.get(&source).filter(|_| rounded);
        other.or_else(|| self.exact.get(&source)).map(Vec::as_slice).unwrap_or_default()
    }

    fn codes(&self, source: Source, rounded: bool) -> Vec<&[i8]> {
        self.value(source, rounded).iter().map(|tensor| bytemuck::cast_slice(&tensor.data)).collect()
    }

    /// Computes the input of the next layer in both networks.
    fn advance(&mut self, step: &Step, changed: &Changed) -> Result<(), Failure> {
        let Some(needed) = &step.needed else { return Ok(()) };
        let exact = self.run(step.wanted, needed, None)?;
        let differs = needed.inputs.iter().any(|source| self.rounded.contains_key(source))
            || needed.ops().any(|op| changed.contains_key(&op));
        if differs {
            let rounded = self.run(step.wanted, needed, Some(changed))?;
            if rounded != exact {
                self.rounded.insert(step.wanted, rounded);
            }
        }
        self.exact.insert(step.wanted, exact);
        Ok(())
    }

    /// A value for all samples, with changed weights, from the values of the network that has them.
    fn run(
        &self,
        wanted: Source,
        needed: &Needed,
        changed: Option<&Changed>,
    ) -> Result<Vec<Tensor>, Failure> {
        let unchanged = Changed::new();
        let weights = changed.unwrap_or(&unchanged);
        let module = self.graph.segment(needed, &[wanted], weights);
        let mut module = module.map_err(broken)?;
        let program = self.refit.trials.plain(self.context, &mut module)?;
        let inputs: Vec<&[Tensor]> =
            needed.inputs.iter().map(|&source| self.value(source, changed.is_some())).collect();
        let sample = |index: usize| -> Option<Vec<TensorView<'_>>> {
            inputs.iter().map(|list| list.get(index).map(Tensor::view)).collect()
        };
        let samples: Option<Vec<_>> = (0..self.count).map(sample).collect();
        let samples = samples.ok_or_else(|| Failure::internal("a value that is not known"))?;
        let first = |outputs: Vec<Tensor>| outputs.into_iter().next();
        let (outputs, _) = run_all(&program, &samples, self.refit.threads, &|_| {}, first)?;
        outputs
            .into_iter()
            .collect::<Option<_>>()
            .ok_or_else(|| Failure::internal("a segment without result"))
    }

    /// Drops what no later step reads.
    fn forget(&mut self, step: &Step) {
        for source in &step.forgotten {
            self.exact.remove(source);
            self.rounded.remove(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use strum_ir::PrintOptions;

    use strum_tensors::{ImageOptions, Sources};

    use super::super::batch::views;
    use super::super::files::Input;
    use super::super::import::NetworkOptions;
    use super::super::rounding::coded;
    use super::*;

    /// The branches of a residual network: what segments give is what the network gives from its inputs on, also with other weights.
    #[test]
    fn values_of_segments_are_those_of_the_whole_network() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet20");
        let progress = Progress::begin(true);
        // As text: bytecode is read in a process that is a driver.
        let bytes = std::fs::read(models.join("model.tosa.mlirbc")).unwrap();
        let context = Context::new();
        let module = Module::parse(&context, &bytes, "net").unwrap();
        let input =
            Input { name: "net".into(), bytes: module.op().print(&PrintOptions::default()).into_bytes() };
        let trials = Trials::prepare(input, None, (&NetworkOptions::default(), true), &progress).unwrap();
        let arrays = [models.join("inputs.npz").display().to_string() + ":x"];
        let images = ImageOptions::default();
        let sources = Sources { args: &arrays, images: &images };
        let samples: Vec<_> = coded(&trials, sources, &progress).unwrap().into_iter().take(3).collect();
        let refit = Refit { trials: &trials, samples: &samples, threads: 2, progress: &progress };
        let mut changed = Changed::new();
        let mut seen = 0;
        let halved = |layer: &Convolution| {
            let mut weights = layer.weights();
            weights.codes.iter_mut().for_each(|code| *code /= 2);
            weights.bias.iter_mut().for_each(|bias| *bias /= 2);
            weights
        };
        let visited = refit.each(|layer, step, streams| {
            streams.advance(step, &changed)?;
            if let (Source::Result(..), true) = (layer.source, seen % 5 == 4) {
                let known = streams.graph.arguments().collect();
                let needed = streams.graph.needed(&known, &[layer.source]);
                for (rounded, weights) in [(false, &Changed::new()), (true, &changed)] {
                    let mut whole =
                        streams.graph.segment(&needed, &[layer.source], weights).map_err(broken)?;
                    let program = trials.plain(streams.context, &mut whole)?;
                    let inputs: Vec<_> = samples.iter().map(|sample| views(sample)).collect();
                    let (outputs, _) = run_all(&program, &inputs, 1, &|_| {}, |mut all| all.remove(0))?;
                    assert_eq!(streams.value(layer.source, rounded), outputs, "{} {rounded}", layer.name);
                }
                assert_ne!(streams.value(layer.source, false), streams.value(layer.source, true));
            }
            if seen % 3 == 0 {
                changed.insert(layer.op, halved(layer));
            }
            seen += 1;
            Ok(())
        });
        visited.unwrap();
        assert_eq!(seen, 22);
    }
}
