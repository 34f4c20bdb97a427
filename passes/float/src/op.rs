//! The operators. Invariant: an operator contains all of its TOSA attributes, and no operands.

/// The movement of a kernel over an image: pairs are (rows, columns).
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

/// The reduction of a pooling. Padding is excluded from both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The mean.
    Average,
    /// The maximum.
    Max,
}

/// A pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The reduction.
    pub kind: PoolKind,
    /// Rows and columns of the kernel, at least 1.
    pub kernel: [usize; 2],
    /// Strides and padding; without dilation.
    pub window: Window,
}

/// A unary element-wise function.
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

/// A binary element-wise function; an extent of 1 is broadcast.
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

/// A relation of two values. NaN satisfies none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TOSA's names")]
pub enum Relation {
    Equal,
    Greater,
    GreaterEqual,
}

/// A reduction along an axis, whose extent becomes 1.
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
    /// Each element clamped to a range.
    Clamp {
        /// The minimum.
        min: f32,
        /// The maximum, not below the minimum.
        max: f32,
    },
    /// A function of pairs of elements; both operands have one rank.
    Binary(Binary),
    /// Of four operands of one rank, element by element: the third where the first satisfies the relation to the second,
    /// otherwise the fourth.
    Select(Relation),
    /// A reduction along an axis.
    Reduce {
        /// The reduction.
        reduction: Reduction,
        /// The axis.
        axis: usize,
    },
    /// A concatenation.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Padding with one value.
    Pad {
        /// Their number before and after, for each axis.
        around: Vec<[usize; 2]>,
        /// Their value.
        value: f32,
    },
    /// A reshape.
    Reshape {
        /// The shape.
        shape: Vec<usize>,
    },
    /// A slice.
    Slice {
        /// The start index along each axis.
        start: Vec<usize>,
        /// The extent along each axis.
        size: Vec<usize>,
    },
    /// A transpose.
    Transpose {
        /// For each axis of the result, that of the operand.
        perms: Vec<usize>,
    },
    /// The operand repeated along each axis.
    Tile {
        /// The number of repetitions.
        multiples: Vec<usize>,
    },
}

impl Op {
    /// Whether the operator, if the shape is unchanged, keeps every element in place: for one operand.
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

    /// Its TOSA name.
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
