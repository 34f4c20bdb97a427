//! A network of layers, and its plan: which tensors are resident, how each layer is tiled, and what is prefetched.
//!
//! Residency is decided before tiling, and layers are tiled in the SRAM that is left. If a layer then has too little, or the
//! buffers of the whole do not fit, the share for resident tensors shrinks and the network is planned again.
//!
//! Invariant: a plan follows the given strategy completely, or fails at the layer that cannot.

mod given;
mod tensors;

use dpu_isa::{Dtype, Machine};
use thiserror::Error;

use crate::bundle;
use crate::draft::{BufferId, Draft, LayerInfo};
use crate::error::PlanError;
use crate::movement::{CopyLayer, Tensor, plan_copy};
use crate::objective::Objective;
use crate::prefetch::{self, Prefetch};
use crate::residency::{self, Graph, Node, Residency, Value};
use crate::scope::{Constraints, LayerScope, Planner};
use crate::strategy::{BundleStrategy, LayerStrategy, ProgramStrategy};

use given::Given;
pub use tensors::Tensors;

/// The source of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is an input of the network.
    Input,
    /// It is a constant, see [`Layers::constant`].
    Constant,
    /// A layer computes it.
    Computed,
}

/// A tensor of a network; its index in [`Network::tensors`] names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<u64>,
    /// Its source.
    pub origin: Origin,
}

impl TensorInfo {
    /// Size in bytes, saturating.
    fn bytes(&self) -> u64 {
        self.shape.iter().fold(self.dtype.bytes(), |n, &d| n.saturating_mul(d))
    }

    /// Shape and element type as in strategy files: `1x56x56x64xi8`.
    fn text(&self) -> String {
        let dims: String = self.shape.iter().map(|d| format!("{d}x")).collect();
        format!("{dims}{}", self.dtype)
    }
}

/// A layer of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name in reports and strategy files.
    pub info: LayerInfo,
    /// What it reads and writes, as tensors of the network.
    pub node: Node,
}

/// An input of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name under which it is given.
    pub name: String,
    /// The tensor.
    pub tensor: usize,
}

/// An output of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The name under which it is returned.
    pub name: String,
    /// The tensor.
    pub tensor: usize,
    /// The shape under which it is returned.
    pub shape: Vec<u64>,
    /// The operator name in reports, if the output has to be copied.
    pub op: String,
    /// [`LayerInfo::loc`] in that case.
    pub loc: u32,
}

/// A network: what its plan needs besides those of single layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its name, that of a program in strategy files.
    pub name: String,
    /// Its tensors.
    pub tensors: Vec<TensorInfo>,
    /// Its layers in planning order, in which they can also be executed.
    pub layers: Vec<Layer>,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// Its outputs.
    pub outputs: Vec<Output>,
}

impl Network {
    /// The tensors and layers for residency analysis.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let is_output = |tensor| self.outputs.iter().any(|output| output.tensor == tensor);
        let value = |(tensor, info): (usize, &TensorInfo)| Value {
            bytes: info.bytes(),
            may_stay: info.origin == Origin::Computed && !is_output(tensor),
        };
        Graph {
            values: self.tensors.iter().enumerate().map(value).collect(),
            nodes: self.layers.iter().map(|layer| layer.node.clone()).collect(),
        }
    }
}

/// Access to the computations of a network's layers.
pub trait Layers {
    /// The bytes of a constant tensor, row-major, little-endian.
    ///
    /// # Errors
    /// The reason why they cannot be read.
    fn constant(&self, tensor: usize) -> Result<Vec<u8>, PlanError>;

    /// Plans layer `index` of [`Network::layers`] as tasks of the scope's draft.
    ///
    /// # Errors
    /// Those of planning the layer.
    fn plan(
        &self,
        index: usize,
        scope: &mut LayerScope<'_>,
        tensors: &mut Tensors<'_>,
    ) -> Result<(), PlanError>;
}

/// The plan of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Buffers, tasks and layers; copies to outputs are separate layers after those of the network.
    pub draft: Draft,
    /// The decisions on all layers except those copies. Given back as a strategy, it gives the same plan.
    pub strategy: ProgramStrategy,
}

/// What a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The network as a whole.
    Network,
    /// A layer, by index.
    Layer(usize),
    /// The outputs, or the copies to them.
    Outputs,
}

/// A network that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct Failure {
    /// What it concerns.
    pub subject: Subject,
    /// What is wrong.
    pub error: PlanError,
}

impl Subject {
    fn fails(self, error: PlanError) -> Failure {
        Failure { subject: self, error }
    }
}

/// Plans a network for a machine, under a strategy if one is given.
///
/// # Errors
/// Refused: a strategy that cannot be followed. Resource: a layer that does not fit the machine even without resident tensors.
/// All errors of `layers`.
pub fn plan(
    network: &Network,
    layers: &dyn Layers,
    machine: &Machine,
    objective: Objective,
    strategy: Option<&ProgramStrategy>,
) -> Result<Plan, Failure> {
    let graph = network.graph();
    let given = match strategy {
        Some(strategy) => Given::of(strategy, network, &graph, machine)?,
        None => Given::default(),
    };
    let candidates = residency::candidates(&graph, machine.sram_bytes, &given.pins(&graph));
    let candidates = candidates.map_err(|error| Subject::Network.fails(error))?;
    // Tilings found in one attempt are reused in the next.
    let mut planner = Planner::new(machine, objective);
    let last = candidates.len().saturating_sub(1);
    for (index, residency) in candidates.iter().enumerate() {
        given.check_residency(&graph, residency)?;
        let mut attempt = Attempt { network, layers, residency, given: &given, draft: Draft::new() };
        let planned = attempt.plan(&mut planner)?;
        let prefetch = match planned {
            Ok(_) => attempt.prefetch(machine)?,
            Err(_) => None,
        };
        if index == last || prefetch.is_some() {
            let mut decided = planned?;
            if prefetch.is_none() && given.prefetch_bytes.is_some_and(|bytes| bytes > 0) {
                let what = "buffers do not fit the SRAM with this prefetch_bytes";
                return Err(Subject::Network.fails(PlanError::refused(what)));
            }
            if prefetch.is_none() && given.bundle.is_some_and(|bundle| bundle.constant_bytes > 0) {
                let what = "buffers do not fit the SRAM with this bundle";
                return Err(Subject::Network.fails(PlanError::refused(what)));
            }
            let (bundle, prefetch) =
                prefetch.unwrap_or_else(|| (given.bundle.unwrap_or_default(), Prefetch::default()));
            describe(&mut decided, network, residency, &prefetch);
            let (name, prefetch_bytes) = (network.name.clone(), Some(prefetch.bytes));
            let strategy = ProgramStrategy { name, prefetch_bytes, bundle: Some(bundle), layers: decided };
            return Ok(Plan { draft: attempt.draft, strategy });
        }
    }
    Err(Subject::Network.fails(PlanError::internal("no residency to plan with")))
}

/// Completes the decisions on single layers with those on the whole.
fn describe(decided: &mut [LayerStrategy], network: &Network, residency: &Residency, prefetch: &Prefetch) {
    for (i, (layer, Layer { node, .. })) in decided.iter_mut().zip(&network.layers).enumerate() {
        layer.output = network.tensors.get(node.output).map(TensorInfo::text);
        layer.stays = residency.stays.get(node.output).copied();
        layer.prefetch = Some(u32::try_from(i).is_ok_and(|i| !prefetch.kept.contains(&i)));
    }
}

/// One attempt at planning a network, for one choice of resident tensors.
struct Attempt<'a> {
    network: &'a Network,
    layers: &'a dyn Layers,
    residency: &'a Residency,
    given: &'a Given,
    draft: Draft,
}

/// The decisions on each layer, or the layer that cannot be planned.
type Planned = Result<Vec<LayerStrategy>, Failure>;

impl Attempt<'_> {
    /// Plans everything except prefetching. The inner failure is one that less residency may fix.
    fn plan(&mut self, planner: &mut Planner<'_>) -> Result<Planned, Failure> {
        let machine = planner.machine();
        let mut tensors = Tensors::new(self.network, self.layers, self.residency, machine.dram_bytes);
        for input in &self.network.inputs {
            tensors.input(&mut self.draft, input).map_err(|error| Subject::Network.fails(error))?;
        }
        let mut copies = Vec::new();
        for output in &self.network.outputs {
            let buffer = tensors.output(&mut self.draft, output);
            let buffer = buffer.map_err(|error| Subject::Outputs.fails(error))?;
            copies.extend(buffer.map(|buffer| (output, buffer)));
        }
        Ok(self.tasks(planner, &mut tensors, &copies))
    }

    /// Plans the layers, and the copies of outputs that no layer computes in place.
    fn tasks(
        &mut self,
        planner: &mut Planner<'_>,
        tensors: &mut Tensors<'_>,
        copies: &[(&Output, BufferId)],
    ) -> Planned {
        let mut decided = Vec::with_capacity(self.network.layers.len());
        for index in 0..self.network.layers.len() {
            let layer = self.layer(planner, tensors, index);
            decided.push(layer.map_err(|error| Subject::Layer(index).fails(error))?);
        }
        for (output, buffer) in copies {
            let copied = self.copy(planner, tensors, output, *buffer);
            copied.map_err(|error| Subject::Outputs.fails(error))?;
        }
        Ok(decided)
    }

    fn layer(
        &mut self,
        planner: &mut Planner<'_>,
        tensors: &mut Tensors<'_>,
        index: usize,
    ) -> Result<LayerStrategy, PlanError> {
        let no_layer = || PlanError::internal(format!("layer {index} does not exist"));
        let layer = self.network.layers.get(index).ok_or_else(no_layer)?;
        let bytes = |of: &[u64]| of.get(index).copied().unwrap_or(0);
        let constraints = Constraints {
            strategy: self.given.layers.get(index).cloned().unwrap_or_default(),
            resident_bytes: bytes(&self.residency.held_bytes),
            shared_bytes: bytes(&self.residency.shared_bytes),
        };
        let mut scope = planner.layer(&mut self.draft, layer.info.clone(), constraints)?;
        self.layers.plan(index, &mut scope, tensors)?;
        scope.end().map(|outcome| outcome.strategy)
    }

    /// Copies a tensor to an output buffer.
    fn copy(
        &mut self,
        planner: &mut Planner<'_>,
        tensors: &mut Tensors<'_>,
        output: &Output,
        buffer: BufferId,
    ) -> Result<(), PlanError> {
        let name = format!("{}.copy", self.draft.layers.len());
        let info = LayerInfo { name, op: output.op.clone(), loc: output.loc, macs: 0 };
        let mut scope = planner.layer(&mut self.draft, info, Constraints::default())?;
        let input = tensors.operand(scope.draft, output.tensor)?;
        let output = Tensor::of(scope.draft, buffer)?;
        plan_copy(&mut scope, &CopyLayer { input, output })?;
        scope.end().map(|_| ())
    }

    /// Bundles and prefetches constants where that pays; nothing if buffers do not fit.
    fn prefetch(&mut self, machine: &Machine) -> Result<Option<(BundleStrategy, Prefetch)>, Failure> {
        let layers: Vec<Option<bool>> = self.given.layers.iter().map(|layer| layer.prefetch).collect();
        let limits = prefetch::Limits { bytes: self.given.prefetch_bytes, layers: &layers };
        let chosen = bundle::choose(&mut self.draft, machine, self.given.bundle, &limits);
        chosen.map_err(|error| Subject::Network.fails(error))
    }
}
