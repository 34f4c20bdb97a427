//! A program under construction, evaluated as it grows.

use super::rng::Rng;
use super::{Case, Size};
use crate::{Constants, Dtype, Graph, Invalid, Node, NodeId, Op, Tensor};

/// Budget of a single operator.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    /// Multiplications.
    pub(crate) macs: usize,
    /// Elements of an operand.
    pub(crate) elements: usize,
    /// Input or output channels of a convolution, rows and columns of a matrix.
    pub(crate) channels: usize,
    /// Positions of a window along an axis.
    pub(crate) positions: usize,
}

impl Budget {
    fn of(size: Size) -> Self {
        match size {
            Size::Small => Self { macs: 1 << 20, elements: 3000, channels: 100, positions: 17 },
            Size::Large => Self { macs: 1 << 24, elements: 1 << 20, channels: 2049, positions: 1000 },
        }
    }
}

/// A growing program with the value of every node.
pub(crate) struct Builder {
    pub(crate) rng: Rng,
    pub(crate) budget: Budget,
    /// Bits removed from wide values, so that sums do not overflow.
    shrink: u32,
    graph: Graph,
    values: Vec<Tensor>,
    inputs: Vec<Tensor>,
}

impl Builder {
    pub(crate) fn new(rng: Rng, size: Size, shrink: u32) -> Self {
        Self {
            rng,
            budget: Budget::of(size),
            shrink,
            graph: Graph::new(),
            values: Vec::new(),
            inputs: Vec::new(),
        }
    }

    pub(crate) fn value(&self, id: NodeId) -> &Tensor {
        &self.values[id.0]
    }

    /// Nodes that are not constants, in order.
    pub(crate) fn variables(&self) -> Vec<NodeId> {
        let nodes = self.graph.nodes().iter().enumerate();
        nodes.filter(|(_, node)| !matches!(node, Node::Const(_))).map(|(i, _)| NodeId(i)).collect()
    }

    /// Whether an operator produces it.
    pub(crate) fn is_computed(&self, id: NodeId) -> bool {
        matches!(self.graph.nodes()[id.0], Node::Op(..))
    }

    /// Unused results of operators.
    pub(crate) fn sinks(&self) -> Vec<NodeId> {
        let mut sinks: Vec<_> = (0..self.values.len()).map(NodeId).collect();
        sinks.retain(|&id| {
            let used = self
                .graph
                .nodes()
                .iter()
                .any(|node| matches!(node, Node::Op(_, operands) if operands.contains(&id)));
            !used && self.is_computed(id)
        });
        sinks
    }

    pub(crate) fn input(&mut self, value: Tensor) -> NodeId {
        self.inputs.push(value.clone());
        self.values.push(value);
        self.graph.input()
    }

    pub(crate) fn constant(&mut self, value: Tensor) -> NodeId {
        self.values.push(value.clone());
        self.graph.constant(value)
    }

    /// Random values. Wide ones lose a bit with every attempt.
    pub(crate) fn random(&mut self, dtype: Dtype, shape: &[usize]) -> Result<Tensor, Invalid> {
        let bits = if dtype == Dtype::I32 { 32u32.saturating_sub(self.shrink).max(4) } else { dtype.bits() };
        self.random_bits(dtype, bits, shape)
    }

    /// Random values of at most this many bits.
    pub(crate) fn random_bits(
        &mut self,
        dtype: Dtype,
        bits: u32,
        shape: &[usize],
    ) -> Result<Tensor, Invalid> {
        let count = shape.iter().product();
        let data = self.rng.values(dtype, bits, count);
        Tensor::new(dtype, shape, data)
    }

    /// A random argument.
    pub(crate) fn argument(&mut self, dtype: Dtype, shape: &[usize]) -> Result<NodeId, Invalid> {
        let value = self.random(dtype, shape)?;
        Ok(self.input(value))
    }

    /// An operand that may be an argument or a constant.
    pub(crate) fn either(&mut self, value: Tensor, constant_percent: usize) -> NodeId {
        if self.rng.chance(constant_percent) { self.constant(value) } else { self.input(value) }
    }

    /// A constant behind a reshape, a slice or a transpose, as in real graphs.
    pub(crate) fn hidden_constant(&mut self, value: Tensor) -> Result<NodeId, Invalid> {
        let rank = value.rank();
        match self.rng.below(10) {
            0 => {
                let flat = Tensor::new(value.dtype, [value.data.len()], value.data)?;
                let flat = self.constant(flat);
                self.must(Op::Reshape { shape: value.shape }, [flat])
            }
            1 => {
                let padding: Vec<_> = (0..rank).map(|_| [self.rng.below(3), self.rng.below(2)]).collect();
                let start = padding.iter().map(|[before, _]| *before).collect();
                let size = value.shape.clone();
                let larger = Op::Pad { padding, value: 5 }.eval(&[&value])?.tensor;
                let larger = self.constant(larger);
                self.must(Op::Slice { start, size }, [larger])
            }
            2 => {
                let perms = permutation(&mut self.rng, rank);
                let mut back = vec![0; rank];
                perms.iter().enumerate().for_each(|(i, &axis)| back[axis] = i);
                let turned = Op::Transpose { perms: back }.eval(&[&value])?.tensor;
                let turned = self.constant(turned);
                self.must(Op::Transpose { perms }, [turned])
            }
            _ => Ok(self.constant(value)),
        }
    }

    /// Adds an operator, unless its value here is unpredictable.
    pub(crate) fn op(&mut self, op: Op, operands: impl Into<Vec<NodeId>>) -> Result<Option<NodeId>, Invalid> {
        let operands = operands.into();
        let values: Vec<_> = operands.iter().map(|id| &self.values[id.0]).collect();
        let evaluated = op.eval(&values)?;
        if !evaluated.predictable {
            return Ok(None);
        }
        self.values.push(evaluated.tensor);
        Ok(Some(self.graph.op(op, operands)))
    }

    /// Adds an operator that is predictable on every input.
    pub(crate) fn must(&mut self, op: Op, operands: impl Into<Vec<NodeId>>) -> Result<NodeId, Invalid> {
        let name = op.name();
        match self.op(op, operands)? {
            Some(id) => Ok(id),
            None => crate::invalid(name, "is unpredictable where it must not be"),
        }
    }

    pub(crate) fn output(&mut self, id: NodeId) {
        self.graph.output(id);
    }

    /// Evaluates the whole program again, for its text and its results.
    pub(crate) fn finish(mut self) -> Result<Case, Invalid> {
        let run = self.graph.run(&self.inputs)?;
        let constants = if self.rng.chance(20) { Constants::Resources } else { Constants::Inline };
        let mlir = self.graph.to_mlir(&run, constants)?;
        Ok(Case { mlir, inputs: self.inputs, outputs: run.outputs, graph: self.graph })
    }
}

/// A random permutation of the axes.
pub(crate) fn permutation(rng: &mut Rng, rank: usize) -> Vec<usize> {
    let mut perms: Vec<_> = (0..rank).collect();
    for i in (1..rank).rev() {
        perms.swap(i, rng.below(i + 1));
    }
    perms
}
