//! Rewrites of graphs that compute the same up to rounding.
//!
//! A rewrite is one sweep from inputs to outputs: rules see a node whose operands are already rewritten, so later rules see the
//! results of earlier ones. Invariant: rules read the new graph and the use counts of the old one, and change neither.

mod activations;
mod batch_norm;
mod constants;
mod equalize;
mod flatten;
mod layout;
mod padding;
mod prelu;

use crate::graph::{Graph, Node, ValueId};
use crate::op::Op;
use crate::{Invalid, Tensor};

/// Shared state of the rules during a sweep.
pub(crate) struct Sweep {
    /// The graph under construction.
    pub(crate) new: Graph,
    uses: Vec<usize>,
}

/// Returns the replacement of a node's result, if the rule applies. Operands are the new graph's.
pub(crate) type Rule = fn(&mut Sweep, &Node, &[ValueId]) -> Result<Option<ValueId>, Invalid>;

impl Sweep {
    /// Whether an operand of a node of the old graph has no other use.
    pub(crate) fn used_once(&self, node: &Node, operand: usize) -> bool {
        let id = node.operands.get(operand);
        id.and_then(|id| self.uses.get(id.index())) == Some(&1)
    }

    /// Whether a value of the new graph has exactly one user among the nodes so far.
    pub(crate) fn made_for_one(&self, id: ValueId) -> bool {
        self.new.nodes().iter().flat_map(|node| &node.operands).filter(|&&operand| operand == id).count() == 1
    }

    /// The operator that produces a value, and its operands.
    pub(crate) fn made_by(&self, id: ValueId) -> Option<(Op, Vec<ValueId>)> {
        self.new.producer(id).map(|node| (node.op.clone(), node.operands.clone()))
    }

    /// The value of a constant whose elements are all equal.
    pub(crate) fn uniform(&self, id: ValueId) -> Option<f32> {
        let tensor = self.new.constant_of(id)?;
        let first = *tensor.first()?;
        tensor.iter().all(|x| x.to_bits() == first.to_bits()).then_some(first)
    }

    /// Whether a value is a constant.
    pub(crate) fn is_constant(&self, id: ValueId) -> bool {
        self.new.constant_of(id).is_some()
    }

    /// A value with permuted axes: a new constant, the value itself, or a transpose.
    pub(crate) fn transposed(&mut self, id: ValueId, perms: &[usize]) -> Result<ValueId, Invalid> {
        if perms.iter().enumerate().all(|(i, &p)| i == p) {
            return Ok(id);
        }
        let op = Op::Transpose { perms: perms.to_vec() };
        match self.new.constant_of(id) {
            Some(tensor) => {
                let shape = op.infer(&[tensor.shape()])?;
                let moved = crate::eval::apply(&op, &[tensor], &shape)?;
                self.new.constant(moved)
            }
            None => self.new.push(op, &[id]),
        }
    }

    /// A value of another shape: a new constant, the value itself, or a reshape.
    pub(crate) fn reshaped(&mut self, id: ValueId, shape: &[usize]) -> Result<ValueId, Invalid> {
        if self.new.shape(id) == shape {
            return Ok(id);
        }
        match self.new.constant_of(id) {
            Some(tensor) => {
                let elements: Vec<f32> = tensor.iter().copied().collect();
                let moved = Tensor::from_shape_vec(shape.to_vec(), elements);
                self.new.constant(moved.map_err(|e| Invalid::new("reshape", e.to_string()))?)
            }
            None => self.new.push(Op::Reshape { shape: shape.to_vec() }, &[id]),
        }
    }
}

/// Rewrites a graph by the first rule that applies to each node. Nodes that no output needs are removed.
fn sweep(graph: &Graph, rules: &[Rule]) -> Result<Graph, Invalid> {
    let mut sweep = Sweep { new: Graph::new(), uses: graph.uses() };
    let mut places: Vec<Option<ValueId>> = vec![None; graph.value_count()];
    for &id in graph.inputs() {
        put(&mut places, id, sweep.new.input(graph.shape(id))?);
    }
    let live = live(graph);
    for node in graph.nodes() {
        if live.get(node.result.index()) != Some(&true) {
            continue;
        }
        let mut operands = Vec::with_capacity(node.operands.len());
        for &id in &node.operands {
            let known = places.get(id.index()).copied().flatten();
            let new = match (known, graph.shared_constant(id)) {
                (Some(new), _) => new,
                (None, Some(constant)) => sweep.new.share(constant),
                (None, None) => return Err(Invalid::new(node.op.name(), "an operand comes after its use")),
            };
            put(&mut places, id, new);
            operands.push(new);
        }
        sweep.new.set_tag(node.tag);
        let mut result = None;
        for rule in rules {
            result = rule(&mut sweep, node, &operands)?;
            if result.is_some() {
                break;
            }
        }
        let result = match result {
            Some(result) => result,
            None => sweep.new.push(node.op.clone(), &operands)?,
        };
        if sweep.new.shape(result) != graph.shape(node.result) {
            return Err(Invalid::new(node.op.name(), "a rule has changed the shape: a bug of the rewriting"));
        }
        put(&mut places, node.result, result);
    }
    for &id in graph.outputs() {
        let new = match (places.get(id.index()).copied().flatten(), graph.shared_constant(id)) {
            (Some(new), _) => new,
            (None, Some(constant)) => sweep.new.share(constant),
            (None, None) => return Err(Invalid::new("output", "a value is not there")),
        };
        sweep.new.output(new)?;
    }
    Ok(sweep.new)
}

fn put(places: &mut [Option<ValueId>], id: ValueId, new: ValueId) {
    if let Some(place) = places.get_mut(id.index()) {
        *place = Some(new);
    }
}

/// The values that outputs need.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.value_count()];
    let mark = |live: &mut Vec<bool>, id: ValueId| {
        if let Some(flag) = live.get_mut(id.index()) {
            *flag = true;
        }
    };
    graph.outputs().iter().for_each(|&id| mark(&mut live, id));
    for node in graph.nodes().iter().rev() {
        if live.get(node.result.index()) == Some(&true) {
            node.operands.iter().for_each(|&id| mark(&mut live, id));
        }
    }
    live
}

impl Graph {
    /// Canonicalizes for quantization: NHWC images, constants folded, batch norm and padding folded into neighbouring operators,
    /// activations as clamps.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn canonicalize(&self) -> Result<Graph, Invalid> {
        let graph = self.fold_constants()?.canonicalize_layout()?.recognize_activations()?;
        graph.fold_padding()?.fold_batch_norm()?.flatten()?.fold_constants()
    }

    /// Folds transposes in front of fully connected layers into their weights.
    fn flatten(&self) -> Result<Graph, Invalid> {
        sweep(self, flatten::RULES)?.without_dead_nodes()
    }

    /// Removes the nodes that no output needs.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn without_dead_nodes(&self) -> Result<Graph, Invalid> {
        sweep(self, &[])
    }

    /// Replaces every node with constant operands by its value.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn fold_constants(&self) -> Result<Graph, Invalid> {
        sweep(self, constants::RULES)?.without_dead_nodes()
    }

    /// Writes activations in one form: maxima and minima with constants and consecutive clamps as `clamp`, a PReLU as
    /// `select(x >= 0, x, x · slope)`, selection of the larger or smaller of two values as `maximum` or `minimum`.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn recognize_activations(&self) -> Result<Graph, Invalid> {
        let graph = sweep(self, activations::RULES)?.without_dead_nodes()?;
        sweep(&graph, prelu::RULES)?.without_dead_nodes()
    }

    /// Makes all images NHWC: transposes move towards the outputs until they meet their inverse.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn canonicalize_layout(&self) -> Result<Graph, Invalid> {
        let mut graph = self.without_dead_nodes()?;
        // Twice before pads: a slice may have been padded before.
        let sweeps =
            [layout::FIRST_RULES, layout::RULES, layout::PAD_RULES, layout::PAD_RULES, layout::LAST_RULES];
        for rules in sweeps {
            graph = sweep(&graph, rules)?.without_dead_nodes()?;
        }
        Ok(graph)
    }

    /// Folds scales and offsets of channels after a convolution into its weights and its bias.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn fold_batch_norm(&self) -> Result<Graph, Invalid> {
        sweep(self, batch_norm::RULES)?.without_dead_nodes()
    }

    /// Folds padding into the operators that pad themselves.
    ///
    /// # Errors
    /// Never for a graph that has been built node by node.
    pub fn fold_padding(&self) -> Result<Graph, Invalid> {
        let graph = sweep(self, padding::CUT_RULES)?.without_dead_nodes()?;
        sweep(&graph, padding::RULES)?.without_dead_nodes()
    }
}
