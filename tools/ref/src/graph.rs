//! Programs: nodes by index, each using only earlier ones.

use crate::tensor::Tensor;
use crate::{Invalid, Op, invalid};

/// A node of the graph that returned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// The definition of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Argument with this index.
    Input(usize),
    /// A constant.
    Const(Tensor),
    /// An operator on earlier nodes.
    Op(Op, Vec<NodeId>),
}

/// A program with arguments and results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<Node>,
    inputs: usize,
    outputs: Vec<NodeId>,
}

/// The results of evaluating a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The value of every node.
    pub values: Vec<Tensor>,
    /// The results.
    pub outputs: Vec<Tensor>,
    /// The first node whose value the specification does not define, if any.
    pub unpredictable: Option<NodeId>,
}

impl Graph {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument.
    pub fn input(&mut self) -> NodeId {
        self.inputs += 1;
        self.push(Node::Input(self.inputs - 1))
    }

    /// Adds a constant.
    pub fn constant(&mut self, value: Tensor) -> NodeId {
        self.push(Node::Const(value))
    }

    /// Adds an operator.
    pub fn op(&mut self, op: Op, operands: impl Into<Vec<NodeId>>) -> NodeId {
        self.push(Node::Op(op, operands.into()))
    }

    /// Adds a result.
    pub fn output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The results, in order.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Evaluates the whole program.
    ///
    /// # Errors
    /// The number of arguments is wrong, a node uses one that is not before it, or an operator refuses its operands.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Run, Invalid> {
        if inputs.len() != self.inputs {
            return invalid("graph", format!("expected {} inputs, got {}", self.inputs, inputs.len()));
        }
        let mut values: Vec<Tensor> = Vec::with_capacity(self.nodes.len());
        let mut unpredictable = None;
        for (at, node) in self.nodes.iter().enumerate() {
            let value = match node {
                Node::Input(number) => inputs[*number].clone(),
                Node::Const(value) => value.clone(),
                Node::Op(op, operands) => {
                    let operands =
                        operands.iter().map(|&id| value_of(&values, id)).collect::<Result<Vec<_>, _>>()?;
                    let evaluated = op.eval(&operands)?;
                    if !evaluated.predictable && unpredictable.is_none() {
                        unpredictable = Some(NodeId(at));
                    }
                    evaluated.tensor
                }
            };
            values.push(value);
        }
        let outputs =
            self.outputs.iter().map(|&id| value_of(&values, id).cloned()).collect::<Result<_, _>>()?;
        Ok(Run { values, outputs, unpredictable })
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }
}

/// The value of a node, if already computed.
fn value_of(values: &[Tensor], id: NodeId) -> Result<&Tensor, Invalid> {
    match values.get(id.0) {
        Some(value) => Ok(value),
        None => invalid("graph", format!("node {} is used before it is computed", id.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    #[test]
    fn a_program_runs_in_order() {
        let mut graph = Graph::new();
        let x = graph.input();
        let one = graph.constant(Tensor::new(Dtype::I32, [1], [1]).unwrap());
        let sum = graph.op(Op::Add, [x, one]);
        let square = graph.op(Op::Mul { shift: 0 }, [sum, sum]);
        graph.output(square);
        graph.output(sum);
        let run = graph.run(&[Tensor::new(Dtype::I32, [3], [1, 2, 3]).unwrap()]).unwrap();
        assert_eq!(run.outputs[0].data, [4, 9, 16]);
        assert_eq!(run.outputs[1].data, [2, 3, 4]);
        assert_eq!(run.unpredictable, None);
        let run = graph.run(&[Tensor::new(Dtype::I32, [1], [i64::from(i32::MAX)]).unwrap()]).unwrap();
        assert_eq!(run.unpredictable, Some(sum));
        assert_eq!(run.outputs[1].data, [i64::from(i32::MIN)]);
    }

    #[test]
    fn misuse_is_refused() {
        let mut graph = Graph::new();
        graph.op(Op::Abs, [NodeId(0)]);
        assert_eq!(graph.run(&[]).unwrap_err().to_string(), "graph: node 0 is used before it is computed");
        let one = Tensor::new(Dtype::I8, [1], [1]).unwrap();
        assert_eq!(graph.run(&[one]).unwrap_err().to_string(), "graph: expected 0 inputs, got 1");
    }
}
