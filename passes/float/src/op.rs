//! The operators. Invariant: an operator holds all that TOSA calls its attributes, and no operand.

/// How a kernel moves over an image: pairs are (rows, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns between two positions, at least 1.
    pub stride: [usize; 2],
    /// Rows and columns between two taps, at least 1.
    pub dilation: [usize; 2],
    /// Rows and columns of zeros before the image.
    pub before: [usize; 2],
    /// Rows and columns of zeros after the image.
    pub after: [usize; 2],
}

impl Window {
    /// Every position, without padding.
    pub const UNIT: Window = Window { stride: [1; 2], dilation: [1; 2], before: [0; 2], after: [0; 2] };
}

/// What a pooling does with its taps. Padding takes no part in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The mean.
    Average,
    /// The greatest.
    Max,
}

/// A pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What is done.
    pub kind: PoolKind,
    /// Rows and columns of the kernel, at least 1.
    pub kernel: [usize; 2],
    /// How it moves; without dilation.
    pub window: Window,
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum Unary {
    Abs,
    Ceil,
    Erf,
    Exp,
    Floor,
    Log,
    Negate,
    Reciprocal,
    Rsqrt,
    Sigmoid,
    Tanh,
}

/// A function of two values; an extent of 1 is repeated along the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum Binary {
    Add,
    Maximum,
    Minimum,
    Mul,
    Pow,
    Sub,
}

/// A relation of two values. NaN is in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum Relation {
    Equal,
    Greater,
    GreaterEqual,
}

/// What becomes of the elements along an axis, whose extent becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum Reduction {
    Max,
    Min,
    Product,
    Sum,
}

/// An operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Image `[n, h, w, c]`, weights `[oc, kh, kw, c]`, bias `[oc]` or `[1]`.
    Conv2d(Window),
    /// Image `[n, h, w, c]`, weights `[kh, kw, c, m]`, bias `[c · m]` or `[1]`.
    DepthwiseConv2d(Window),
    /// `[n, h, k]` times `[n, k, w]`.
    Matmul,
    /// Image `[n, h, w, c]`.
    Pool(Pool),
    /// A function of each element.
    Unary(Unary),
    /// Each element brought into a range.
    Clamp {
        /// The least.
        min: f32,
        /// The greatest, not below the least.
        max: f32,
    },
    /// A function of pairs of elements; both operands have one rank.
    Binary(Binary),
    /// Of four operands of one rank, element by element: the third where the first is in the relation to the second, else
    /// the fourth.
    Select(Relation),
    /// The elements along an axis made one.
    Reduce {
        /// How.
        reduction: Reduction,
        /// Along which axis.
        axis: usize,
    },
    /// Operands one after the other.
    Concat {
        /// Along which axis.
        axis: usize,
    },
    /// More elements of one value around.
    Pad {
        /// Their number before and after, for each axis.
        around: Vec<[usize; 2]>,
        /// Their value.
        value: f32,
    },
    /// Another shape for the same elements.
    Reshape {
        /// The shape.
        shape: Vec<usize>,
    },
    /// A part.
    Slice {
        /// The first position along each axis.
        start: Vec<usize>,
        /// The extent along each axis.
        size: Vec<usize>,
    },
    /// Axes in another order.
    Transpose {
        /// For each axis of the result, that of the operand.
        perms: Vec<usize>,
    },
    /// The operand a number of times along each axis.
    Tile {
        /// How often.
        multiples: Vec<usize>,
    },
}

impl Op {
    /// Whether the operator, when the shape stays, leaves every element where it is: of one operand.
    pub(crate) fn may_do_nothing(&self) -> bool {
        match self {
            Op::Reshape { .. } | Op::Slice { .. } | Op::Tile { .. } | Op::Pad { .. } | Op::Concat { .. } => {
                true
            }
            Op::Transpose { perms } => perms.iter().enumerate().all(|(i, &p)| i == p),
            Op::Conv2d(_)
            | Op::DepthwiseConv2d(_)
            | Op::Matmul
            | Op::Pool(_)
            | Op::Unary(_)
            | Op::Clamp { .. }
            | Op::Binary(_)
            | Op::Select(_)
            | Op::Reduce { .. } => false,
        }
    }

    /// The name that TOSA has for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::DepthwiseConv2d(_) => "depthwise_conv2d",
            Op::Matmul => "matmul",
            Op::Pool(Pool { kind: PoolKind::Average, .. }) => "avg_pool2d",
            Op::Pool(Pool { kind: PoolKind::Max, .. }) => "max_pool2d",
            Op::Unary(unary) => unary.name(),
            Op::Clamp { .. } => "clamp",
            Op::Binary(binary) => binary.name(),
            Op::Select(_) => "select",
            Op::Reduce { reduction, .. } => reduction.name(),
            Op::Concat { .. } => "concat",
            Op::Pad { .. } => "pad",
            Op::Reshape { .. } => "reshape",
            Op::Slice { .. } => "slice",
            Op::Transpose { .. } => "transpose",
            Op::Tile { .. } => "tile",
        }
    }
}

impl Unary {
    fn name(self) -> &'static str {
        match self {
            Unary::Abs => "abs",
            Unary::Ceil => "ceil",
            Unary::Erf => "erf",
            Unary::Exp => "exp",
            Unary::Floor => "floor",
            Unary::Log => "log",
            Unary::Negate => "negate",
            Unary::Reciprocal => "reciprocal",
            Unary::Rsqrt => "rsqrt",
            Unary::Sigmoid => "sigmoid",
            Unary::Tanh => "tanh",
        }
    }
}

impl Binary {
    fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
            Binary::Mul => "mul",
            Binary::Pow => "pow",
            Binary::Sub => "sub",
        }
    }
}

impl Reduction {
    fn name(self) -> &'static str {
        match self {
            Reduction::Max => "reduce_max",
            Reduction::Min => "reduce_min",
            Reduction::Product => "reduce_product",
            Reduction::Sum => "reduce_sum",
        }
    }
}
