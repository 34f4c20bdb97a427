//! Integer networks, the result of quantization. Invariant: an operator's operands have the element types that it requires.

use std::collections::BTreeMap;

use crate::graph::ValueId;
use crate::op::{Pool, PoolKind, Window};
use crate::quantize::params::{QParams, Scale};

/// A value of an integer network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntId(pub(crate) usize);

impl IntId {
    /// Its index, in order of creation.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// The type of a value's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntElem {
    /// 8 bits: activations and weights.
    I8,
    /// 32 bits: sums.
    I32,
}

/// Weights and bias of a layer, and the zero point of its input.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The codes, in TOSA's order; their zero point is 0.
    pub codes: Vec<i8>,
    /// OHWI, or HWCM for a depthwise convolution.
    pub shape: Vec<usize>,
    /// In units of input times weight.
    pub bias: Vec<i32>,
    /// Of the input.
    pub zero_point: i32,
    /// The float values behind the codes.
    pub source: Source,
    /// The calibration statistics of the input, once [`observe_inputs`](super::observe_inputs) has run.
    pub inputs: Option<InputStatistics>,
}

/// The sources of a layer's codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The input, in the float graph.
    pub image: ValueId,
    /// The weights, in the float graph.
    pub weights: ValueId,
    /// The layer's result, before a clamp, in the float graph.
    pub sums: ValueId,
    /// The code parameters of the input.
    pub input: QParams,
    /// Step of a weight code, one for each output channel.
    pub scales: Vec<f64>,
}

/// Mean and second moment of `code - zero point` for each input channel.
#[derive(Clone, Debug, PartialEq)]
pub struct InputStatistics {
    /// The mean.
    pub mean: Vec<f64>,
    /// The mean of the square.
    pub square: Vec<f64>,
}

/// An operator; those without description are TOSA's of the same name.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum IntOp {
    /// A constant of i8.
    Constant(Vec<i8>),
    /// i8 to i32.
    Conv2d(Window, Weights),
    /// i8 to i32.
    DepthwiseConv2d(Window, Weights),
    /// i8 to i32, with the zero points of both.
    Matmul([i32; 2]),
    /// To another scale: one factor, or one for each channel. `single` rounding.
    Rescale {
        zero_point: i32,
        scales: Vec<Scale>,
        output: IntElem,
        output_zp: i32,
    },
    /// Of i8.
    Clamp {
        min: i32,
        max: i32,
    },
    /// The result for every code from −128 on.
    Table(Vec<i8>),
    /// Of i32.
    Add,
    /// Of i32.
    Sub,
    /// Of i32.
    Mul,
    /// Of i32.
    Maximum,
    /// Of i32.
    Minimum,
    /// Of i8; the zero point is that of input and output, and only a mean needs it.
    Pool {
        pool: Pool,
        zero_point: i32,
    },
    /// Of i32.
    ReduceSum {
        axis: usize,
    },
    ReduceMax {
        axis: usize,
    },
    ReduceMin {
        axis: usize,
    },
    Concat {
        axis: usize,
    },
    /// With a code.
    Pad {
        around: Vec<[usize; 2]>,
        value: i8,
    },
    Reshape,
    Slice {
        start: Vec<usize>,
    },
    Transpose {
        perms: Vec<usize>,
    },
    Tile {
        multiples: Vec<usize>,
    },
}

/// An operator with its operands; its result is the value after the inputs and the nodes before.
#[derive(Clone, Debug, PartialEq)]
pub struct IntNode {
    /// The operator.
    pub op: IntOp,
    /// Its operands.
    pub operands: Vec<IntId>,
    /// Its result.
    pub result: IntId,
    /// The tag of the float node that it implements.
    pub tag: u32,
}

/// An input or output of an integer network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Port {
    /// The value, of i8.
    pub id: IntId,
    /// Its code parameters.
    pub params: QParams,
}

/// An integer network.
#[derive(Clone, Debug, Default)]
pub struct IntGraph {
    pub(crate) values: Vec<(Vec<usize>, IntElem)>,
    /// The operators, in order.
    pub nodes: Vec<IntNode>,
    /// The inputs.
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
    /// The code parameters of the float graph's values that have codes.
    pub(crate) coded: BTreeMap<ValueId, QParams>,
}

impl IntGraph {
    /// Shape and element type of a value.
    #[must_use]
    pub fn value(&self, id: IntId) -> Option<(&[usize], IntElem)> {
        self.values.get(id.0).map(|(shape, elem)| (shape.as_slice(), *elem))
    }

    /// The number of values.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn add(&mut self, shape: &[usize], elem: IntElem) -> IntId {
        self.values.push((shape.to_vec(), elem));
        IntId(self.values.len() - 1)
    }

    pub(crate) fn push(
        &mut self,
        op: IntOp,
        operands: &[IntId],
        (shape, elem): (&[usize], IntElem),
        tag: u32,
    ) -> IntId {
        let result = self.add(shape, elem);
        self.nodes.push(IntNode { op, operands: operands.to_vec(), result, tag });
        result
    }
}

impl IntOp {
    /// Its TOSA name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            IntOp::Constant(_) => "const",
            IntOp::Conv2d(..) => "conv2d",
            IntOp::DepthwiseConv2d(..) => "depthwise_conv2d",
            IntOp::Matmul(_) => "matmul",
            IntOp::Rescale { .. } => "rescale",
            IntOp::Clamp { .. } => "clamp",
            IntOp::Table(_) => "table",
            IntOp::Add => "add",
            IntOp::Sub => "sub",
            IntOp::Mul => "mul",
            IntOp::Maximum => "maximum",
            IntOp::Minimum => "minimum",
            IntOp::Pool { pool: Pool { kind: PoolKind::Average, .. }, .. } => "avg_pool2d",
            IntOp::Pool { pool: Pool { kind: PoolKind::Max, .. }, .. } => "max_pool2d",
            IntOp::ReduceSum { .. } => "reduce_sum",
            IntOp::ReduceMax { .. } => "reduce_max",
            IntOp::ReduceMin { .. } => "reduce_min",
            IntOp::Concat { .. } => "concat",
            IntOp::Pad { .. } => "pad",
            IntOp::Reshape => "reshape",
            IntOp::Slice { .. } => "slice",
            IntOp::Transpose { .. } => "transpose",
            IntOp::Tile { .. } => "tile",
        }
    }
}
