//! Networks as lists of nodes. Invariant: operands come before the nodes that use them, and every shape has been checked.

use std::sync::Arc;

use crate::op::Op;
use crate::{Invalid, Tensor, eval, shape};

/// A value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(usize);

impl ValueId {
    /// Its index: values are numbered in order of creation.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// An operator with its operands and its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// Its operands.
    pub operands: Vec<ValueId>,
    /// Its result.
    pub result: ValueId,
    /// A number with a meaning to the creator of the node, such as its location in a source: rewriting keeps it.
    pub tag: u32,
}

#[derive(Clone, Debug)]
struct Value {
    shape: Vec<usize>,
    constant: Option<Arc<Tensor>>,
    node: Option<usize>,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    values: Vec<Value>,
    nodes: Vec<Node>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
    tag: u32,
}

/// Observes values while a graph is evaluated.
pub trait Observer {
    /// An input, or the result of a node, in the order of evaluation.
    fn value(&mut self, id: ValueId, tensor: &Tensor);
}

/// Observes nothing.
impl Observer for () {
    fn value(&mut self, _id: ValueId, _tensor: &Tensor) {}
}

fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Graph::default()
    }

    fn add(&mut self, shape: Vec<usize>, constant: Option<Arc<Tensor>>) -> ValueId {
        self.values.push(Value { shape, constant, node: None });
        ValueId(self.values.len() - 1)
    }

    /// Adds an input.
    ///
    /// # Errors
    /// When the shape has no elements, or too many.
    pub fn input(&mut self, shape: &[usize]) -> Result<ValueId, Invalid> {
        shape::check("input", shape)?;
        let id = self.add(shape.to_vec(), None);
        self.inputs.push(id);
        Ok(id)
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// When it has no elements.
    pub fn constant(&mut self, tensor: Tensor) -> Result<ValueId, Invalid> {
        shape::check("const", tensor.shape())?;
        let tensor =
            if tensor.is_standard_layout() { tensor } else { tensor.as_standard_layout().into_owned() };
        Ok(self.add(tensor.shape().to_vec(), Some(Arc::new(tensor))))
    }

    /// Adds a node, and returns its result.
    ///
    /// # Errors
    /// When the operator does not accept these operands.
    pub fn push(&mut self, op: Op, operands: &[ValueId]) -> Result<ValueId, Invalid> {
        let shapes = operands.iter().map(|&id| self.known(op.name(), id)).collect::<Result<Vec<_>, _>>()?;
        let shape = op.infer(&shapes)?;
        let result = self.add(shape, None);
        if let Some(value) = self.values.get_mut(result.0) {
            value.node = Some(self.nodes.len());
        }
        self.nodes.push(Node { op, operands: operands.to_vec(), result, tag: self.tag });
        Ok(result)
    }

    /// Adds a node, or its value as a constant if operands are constant, or nothing if it would return its operand.
    ///
    /// # Errors
    /// When the operator does not accept these operands.
    pub fn push_or_fold(&mut self, op: Op, operands: &[ValueId]) -> Result<ValueId, Invalid> {
        if let Some(same) = self.identity(&op, operands)? {
            return Ok(same);
        }
        let tensors: Option<Vec<_>> = operands.iter().map(|&id| self.constant_of(id)).collect();
        let Some(tensors) = tensors.filter(|t| !t.is_empty()) else { return self.push(op, operands) };
        let shapes: Vec<&[usize]> = tensors.iter().map(|t| t.shape()).collect();
        let shape = op.infer(&shapes)?;
        let value = eval::apply(&op, &tensors, &shape)?;
        self.constant(value)
    }

    /// The operand of an operator that leaves it unchanged.
    ///
    /// # Errors
    /// When the operator does not accept these operands.
    pub(crate) fn identity(&self, op: &Op, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
        let &[x] = operands else { return Ok(None) };
        if !op.may_do_nothing() {
            return Ok(None);
        }
        let shape = self.known(op.name(), x)?;
        Ok((op.infer(&[shape])? == shape).then_some(x))
    }

    /// Whether two graphs are equal: the same operators in the same order on the same constants. Tags are ignored.
    #[must_use]
    pub fn is_same(&self, other: &Graph) -> bool {
        let numbers = [&self.inputs, &self.outputs].map(Vec::len);
        if numbers != [&other.inputs, &other.outputs].map(Vec::len) || self.nodes.len() != other.nodes.len() {
            return false;
        }
        let mut places = vec![None; self.values.len()];
        let pairs = |of: &mut Vec<Option<ValueId>>, a: ValueId, b: ValueId| {
            if let Some(place) = of.get_mut(a.0) {
                *place = Some(b);
            }
        };
        for (&a, &b) in self.inputs.iter().zip(&other.inputs) {
            if self.shape(a) != other.shape(b) {
                return false;
            }
            pairs(&mut places, a, b);
        }
        let same = |places: &[Option<ValueId>], a: ValueId, b: ValueId| match (
            self.shared_constant(a),
            other.shared_constant(b),
        ) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || same_bits(a, b),
            (None, None) => places.get(a.0).copied().flatten() == Some(b),
            _ => false,
        };
        for (a, b) in self.nodes.iter().zip(&other.nodes) {
            let operands = a.operands.len() == b.operands.len()
                && a.operands.iter().zip(&b.operands).all(|(&a, &b)| same(&places, a, b));
            if a.op != b.op || !operands {
                return false;
            }
            pairs(&mut places, a.result, b.result);
        }
        self.outputs.iter().zip(&other.outputs).all(|(&a, &b)| same(&places, a, b))
    }

    /// Sets the tag of nodes that are added from here on.
    pub fn set_tag(&mut self, tag: u32) {
        self.tag = tag;
    }

    /// Adds a constant that is shared with another graph.
    pub(crate) fn share(&mut self, tensor: &Arc<Tensor>) -> ValueId {
        self.add(tensor.shape().to_vec(), Some(Arc::clone(tensor)))
    }

    /// Replaces the elements of a constant, and possibly its shape, which every reader must accept.
    ///
    /// # Errors
    /// When the value is not a constant, or a reader does not accept the shape.
    pub(crate) fn set_constant(&mut self, id: ValueId, tensor: Tensor) -> Result<(), Invalid> {
        shape::check("const", tensor.shape())?;
        match self.values.get_mut(id.0) {
            Some(value @ Value { constant: Some(_), .. }) => {
                value.shape = tensor.shape().to_vec();
                value.constant = Some(Arc::new(tensor));
            }
            _ => return Err(Invalid::new("const", format!("value {} is not a constant", id.0))),
        }
        for node in self.nodes.iter().filter(|node| node.operands.contains(&id)) {
            let shapes: Vec<&[usize]> = node.operands.iter().map(|&id| self.shape(id)).collect();
            if node.op.infer(&shapes)? != self.shape(node.result) {
                return Err(Invalid::new(node.op.name(), "a constant of another shape"));
            }
        }
        Ok(())
    }

    /// Makes a value an output, after the previous ones.
    ///
    /// # Errors
    /// When the value belongs to another graph.
    pub fn output(&mut self, id: ValueId) -> Result<(), Invalid> {
        self.known("output", id)?;
        self.outputs.push(id);
        Ok(())
    }

    fn known(&self, op: &'static str, id: ValueId) -> Result<&[usize], Invalid> {
        let value = self.values.get(id.0);
        value.map(|v| v.shape.as_slice()).ok_or_else(|| Invalid::new(op, format!("unknown value {}", id.0)))
    }

    /// The shape of a value; empty for a value of another graph.
    #[must_use]
    pub fn shape(&self, id: ValueId) -> &[usize] {
        self.values.get(id.0).map_or(&[], |v| &v.shape)
    }

    /// A constant's elements.
    #[must_use]
    pub fn constant_of(&self, id: ValueId) -> Option<&Tensor> {
        self.values.get(id.0)?.constant.as_deref()
    }

    pub(crate) fn shared_constant(&self, id: ValueId) -> Option<&Arc<Tensor>> {
        self.values.get(id.0)?.constant.as_ref()
    }

    /// The node that produces a value; none for inputs and constants.
    #[must_use]
    pub fn producer(&self, id: ValueId) -> Option<&Node> {
        self.nodes.get(self.values.get(id.0)?.node?)
    }

    /// Number of uses of each value as operand or output, by its index.
    #[must_use]
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        for id in self.nodes.iter().flat_map(|node| &node.operands).chain(&self.outputs) {
            if let Some(count) = uses.get_mut(id.0) {
                *count += 1;
            }
        }
        uses
    }

    /// The nodes, in order of evaluation.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The outputs, in order.
    #[must_use]
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The number of values.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// Evaluates the graph.
    ///
    /// # Errors
    /// When the inputs differ from the graph's in number or shape.
    pub fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Invalid> {
        self.eval_observed(inputs, &mut ())
    }

    /// Evaluates the graph, and passes inputs and results to an observer as soon as they are known. A value is held until its last use.
    ///
    /// # Errors
    /// When the inputs differ from the graph's in number or shape.
    pub fn eval_observed(
        &self,
        inputs: &[Tensor],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Tensor>, Invalid> {
        let mut values = self.begin(inputs)?;
        for (&id, input) in self.inputs.iter().zip(inputs) {
            observer.value(id, input);
        }
        let last_uses = self.last_uses();
        for (index, node) in self.nodes.iter().enumerate() {
            let operands =
                node.operands.iter().map(|id| values.get(id.0)?.clone()).collect::<Option<Vec<_>>>();
            let operands =
                operands.ok_or_else(|| Invalid::new(node.op.name(), "an operand is not computed yet"))?;
            let views: Vec<&Tensor> = operands.iter().map(AsRef::as_ref).collect();
            let result = eval::apply(&node.op, &views, self.shape(node.result))?;
            observer.value(node.result, &result);
            if let Some(place) = values.get_mut(node.result.0) {
                *place = Some(Arc::new(result));
            }
            for id in &node.operands {
                if last_uses.get(id.0) == Some(&index)
                    && let Some(place) = values.get_mut(id.0)
                {
                    *place = None;
                }
            }
        }
        let output = |id: &ValueId| values.get(id.0)?.as_deref().cloned();
        let outputs = self.outputs.iter().map(output).collect::<Option<Vec<_>>>();
        outputs.ok_or_else(|| Invalid::new("output", "a value is not there"))
    }

    /// The constants and the inputs.
    pub(crate) fn begin(&self, inputs: &[Tensor]) -> Result<Vec<Option<Arc<Tensor>>>, Invalid> {
        if inputs.len() != self.inputs.len() {
            let reason = format!("{} tensors given, the network has {}", inputs.len(), self.inputs.len());
            return Err(Invalid::new("input", reason));
        }
        let mut values: Vec<_> = self.values.iter().map(|value| value.constant.clone()).collect();
        for (id, input) in self.inputs.iter().zip(inputs) {
            let expected = self.shape(*id);
            if input.shape() != expected {
                let reason = format!("a tensor of shape {:?} given, {expected:?} expected", input.shape());
                return Err(Invalid::new("input", reason));
            }
            if let Some(place) = values.get_mut(id.0) {
                *place = Some(Arc::new(input.as_standard_layout().into_owned()));
            }
        }
        Ok(values)
    }

    /// For every value the last node that uses it; outputs are used after all nodes.
    pub(crate) fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.values.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for id in &node.operands {
                if let Some(place) = last.get_mut(id.0) {
                    *place = index;
                }
            }
        }
        for id in &self.outputs {
            if let Some(place) = last.get_mut(id.0) {
                *place = usize::MAX;
            }
        }
        last
    }
}
