//! The operators and their attributes. Operands that TOSA requires to be constants (zero points, scales, shapes, paddings)
//! are attributes here.

use crate::arith::Watch;
use crate::ops::{
    conv, elementwise, layout, logical, matmul, pool, reduce, repeat, rescale, resize, selected, table,
    transposed,
};
use crate::{Conv, Conv3d, Dtype, Invalid, Pool, Rescale, Resize, Tensor, TransposeConv, invalid, require};

/// An operator. Operands are given to [`Op::eval`] in the order of each variant's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// `conv2d(input NHWC i8, weights OHWI i4 or i8, bias i32)` to i32, or `conv2d(input i16, weights i8, bias i48)` to i48.
    Conv2d(Conv),
    /// `depthwise_conv2d(input NHWC i8, weights HWCM i4 or i8, bias i32)` to i32, or with i16 and i48 likewise.
    DepthwiseConv2d(Conv),
    /// `transpose_conv2d(input NHWC i8, weights OHWI i4 or i8, bias i32)` to i32.
    TransposeConv2d(TransposeConv),
    /// `conv3d(input NDHWC i8, weights ODHWI i4 or i8, bias i32)` to i32.
    Conv3d(Conv3d),
    /// `matmul(a [N, H, C] i8, b [N, C, W] i8)` to i32.
    MatMul {
        /// Zero point of `a`.
        a_zp: i64,
        /// Zero point of `b`.
        b_zp: i64,
    },
    /// `max_pool2d(input NHWC i8 or i16)`.
    MaxPool2d(Pool),
    /// `avg_pool2d(input NHWC i8 or i16)`: padding does not count.
    AvgPool2d {
        /// The window.
        pool: Pool,
        /// Zero point of the input (i8 only).
        input_zp: i64,
        /// Zero point of the result (i8 only).
        output_zp: i64,
    },
    /// `rescale(input)`.
    Rescale(Rescale),
    /// `clamp(input i8 or i16)`.
    Clamp {
        /// Lower bound.
        min: i64,
        /// Upper bound.
        max: i64,
    },
    /// `add(a i32, b i32)`.
    Add,
    /// `sub(a i32, b i32)`.
    Sub,
    /// `mul(a, b)`: i8, i16 or i32 to i32.
    Mul {
        /// Right shift with rounding; 0 unless the operands are i32.
        shift: i64,
    },
    /// `maximum(a i32, b i32)`.
    Maximum,
    /// `minimum(a i32, b i32)`.
    Minimum,
    /// `arithmetic_right_shift(a, b)`, of any one type.
    ArithmeticRightShift {
        /// Whether to round to nearest.
        round: bool,
    },
    /// `logical_left_shift(a, b)`, of any one type.
    LogicalLeftShift,
    /// `logical_right_shift(a, b)`, of any one type.
    LogicalRightShift,
    /// `bitwise_and(a, b)`, of any one type.
    BitwiseAnd,
    /// `bitwise_or(a, b)`, of any one type.
    BitwiseOr,
    /// `bitwise_xor(a, b)`, of any one type.
    BitwiseXor,
    /// `bitwise_not(input)` of any type.
    BitwiseNot,
    /// `intdiv(a i32, b i32)`, rounded towards 0.
    IntDiv,
    /// `equal(a i32, b i32)` to bool.
    Equal,
    /// `greater(a i32, b i32)` to bool.
    Greater,
    /// `greater_equal(a i32, b i32)` to bool.
    GreaterEqual,
    /// `select(cond bool, a, b)` of any one type.
    Select,
    /// `logical_and(a bool, b bool)`.
    LogicalAnd,
    /// `logical_or(a bool, b bool)`.
    LogicalOr,
    /// `logical_xor(a bool, b bool)`.
    LogicalXor,
    /// `logical_not(input bool)`.
    LogicalNot,
    /// `abs(input i32)`.
    Abs,
    /// `negate(input)` of any type, saturating.
    Negate {
        /// Zero point of the input (i8 only).
        input_zp: i64,
        /// Zero point of the result (i8 only).
        output_zp: i64,
    },
    /// `clz(input i32)`.
    Clz,
    /// `identity(input)`.
    Identity,
    /// `table(input i8, table 256 x i8)` to i8, or `table(input i16, table 513 x i16)` to i32.
    Table,
    /// `reduce_sum(input i32)`.
    ReduceSum {
        /// The axis that becomes 1.
        axis: usize,
    },
    /// `reduce_max(input)` of any type.
    ReduceMax {
        /// The axis that becomes 1.
        axis: usize,
    },
    /// `reduce_min(input)` of any type.
    ReduceMin {
        /// The axis that becomes 1.
        axis: usize,
    },
    /// `reduce_all(input bool)`.
    ReduceAll {
        /// The axis that becomes 1.
        axis: usize,
    },
    /// `reduce_any(input bool)`.
    ReduceAny {
        /// The axis that becomes 1.
        axis: usize,
    },
    /// `argmax(input i8 or i16)` to i32.
    ArgMax {
        /// The axis that disappears.
        axis: usize,
    },
    /// `gather(values [N, K, C], indices [N, W] i32)` to `[N, W, C]`.
    Gather,
    /// `scatter(values [N, K, C], indices [N, W] i32, input [N, W, C])` to `[N, K, C]`.
    Scatter,
    /// `resize(input NHWC i8 or i16)`: to i32 if it is bilinear, which i16 cannot be.
    Resize(Resize),
    /// `concat(inputs…)`.
    Concat {
        /// The axis of concatenation.
        axis: usize,
    },
    /// `pad(input)`.
    Pad {
        /// For each axis: the padding before and after.
        padding: Vec<[usize; 2]>,
        /// The padding value.
        value: i64,
    },
    /// `reshape(input)`.
    Reshape {
        /// The new shape.
        shape: Vec<usize>,
    },
    /// `slice(input)`.
    Slice {
        /// First index of each axis.
        start: Vec<usize>,
        /// Extent of each axis.
        size: Vec<usize>,
    },
    /// `transpose(input)`.
    Transpose {
        /// Result axis `i` is input axis `perms[i]`.
        perms: Vec<usize>,
    },
    /// `tile(input)`.
    Tile {
        /// The number of copies along each axis.
        multiples: Vec<usize>,
    },
    /// `reverse(input)`.
    Reverse {
        /// The axis whose order is reversed.
        axis: usize,
    },
    /// `cast(input)`, keeping the low bits, or to whether it is not 0.
    Cast {
        /// The new type.
        to: Dtype,
    },
}

/// The result of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The value.
    pub tensor: Tensor,
    /// Whether the specification defines every element. Where it does not, the value is that of wrapping two's complement.
    pub predictable: bool,
}

impl Op {
    /// The operator's name in the `tosa` dialect.
    pub const fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::DepthwiseConv2d(_) => "depthwise_conv2d",
            Op::TransposeConv2d(_) => "transpose_conv2d",
            Op::Conv3d(_) => "conv3d",
            Op::MatMul { .. } => "matmul",
            Op::MaxPool2d(_) => "max_pool2d",
            Op::AvgPool2d { .. } => "avg_pool2d",
            Op::Rescale(_) => "rescale",
            Op::Clamp { .. } => "clamp",
            Op::Add => "add",
            Op::Sub => "sub",
            Op::Mul { .. } => "mul",
            Op::Maximum => "maximum",
            Op::Minimum => "minimum",
            Op::ArithmeticRightShift { .. } => "arithmetic_right_shift",
            Op::LogicalLeftShift => "logical_left_shift",
            Op::LogicalRightShift => "logical_right_shift",
            Op::BitwiseAnd => "bitwise_and",
            Op::BitwiseOr => "bitwise_or",
            Op::BitwiseXor => "bitwise_xor",
            Op::BitwiseNot => "bitwise_not",
            Op::IntDiv => "intdiv",
            Op::Equal => "equal",
            Op::Greater => "greater",
            Op::GreaterEqual => "greater_equal",
            Op::Select => "select",
            Op::LogicalAnd => "logical_and",
            Op::LogicalOr => "logical_or",
            Op::LogicalXor => "logical_xor",
            Op::LogicalNot => "logical_not",
            Op::ReduceAll { .. } => "reduce_all",
            Op::ReduceAny { .. } => "reduce_any",
            Op::Abs => "abs",
            Op::Negate { .. } => "negate",
            Op::Clz => "clz",
            Op::Identity => "identity",
            Op::Table => "table",
            Op::ReduceSum { .. } => "reduce_sum",
            Op::ReduceMax { .. } => "reduce_max",
            Op::ReduceMin { .. } => "reduce_min",
            Op::ArgMax { .. } => "argmax",
            Op::Gather => "gather",
            Op::Scatter => "scatter",
            Op::Resize(_) => "resize",
            Op::Concat { .. } => "concat",
            Op::Pad { .. } => "pad",
            Op::Reshape { .. } => "reshape",
            Op::Slice { .. } => "slice",
            Op::Transpose { .. } => "transpose",
            Op::Tile { .. } => "tile",
            Op::Reverse { .. } => "reverse",
            Op::Cast { .. } => "cast",
        }
    }

    /// Evaluates the operator.
    ///
    /// # Errors
    /// The specification does not allow the operator with these operands.
    pub fn eval(&self, inputs: &[&Tensor]) -> Result<Evaluated, Invalid> {
        let name = self.name();
        for input in inputs {
            input.check(name)?;
            require(input.rank() <= 6, name, format!("rank {} is more than 6", input.rank()))?;
        }
        let mut watch = Watch::default();
        let tensor = match inputs {
            [x] => self.unary(x, &mut watch),
            [a, b] if !matches!(self, Op::Concat { .. }) => self.binary(a, b, &mut watch),
            [x, w, b] if !matches!(self, Op::Concat { .. }) => self.ternary(x, w, b, &mut watch),
            _ => match self {
                Op::Concat { axis } => layout::concat(inputs, *axis),
                _ => self.wrong_operands(inputs.len()),
            },
        }?;
        require(tensor.rank() <= 6, name, format!("rank {} is more than 6", tensor.rank()))?;
        Ok(Evaluated { tensor, predictable: !watch.unpredictable })
    }

    fn unary(&self, x: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
        match self {
            Op::MaxPool2d(pool) => pool::max(x, pool),
            Op::AvgPool2d { pool, input_zp, output_zp } => pool::avg(x, pool, *input_zp, *output_zp, watch),
            Op::Rescale(rescale) => rescale::rescale(x, rescale, watch),
            Op::Clamp { min, max } => elementwise::clamp(x, *min, *max),
            Op::Abs => elementwise::abs(x, watch),
            Op::Negate { input_zp, output_zp } => elementwise::negate(x, *input_zp, *output_zp, watch),
            Op::Clz => elementwise::clz(x),
            Op::Identity => Ok(x.clone()),
            Op::ReduceSum { axis } => reduce::sum(x, *axis, watch),
            Op::ReduceMax { axis } => reduce::extremum("reduce_max", x, *axis, i64::max),
            Op::ReduceMin { axis } => reduce::extremum("reduce_min", x, *axis, i64::min),
            Op::BitwiseNot => elementwise::bitwise_not(x),
            Op::LogicalNot => logical::not(x),
            Op::ReduceAll { axis } => logical::reduce("reduce_all", x, *axis, i64::min),
            Op::ReduceAny { axis } => logical::reduce("reduce_any", x, *axis, i64::max),
            Op::ArgMax { axis } => selected::argmax(x, *axis),
            Op::Resize(attributes) => resize::resize(x, attributes),
            Op::Concat { axis } => layout::concat(&[x], *axis),
            Op::Pad { padding, value } => layout::pad(x, padding, *value),
            Op::Reshape { shape } => layout::reshape(x, shape),
            Op::Slice { start, size } => layout::slice(x, start, size),
            Op::Transpose { perms } => layout::transpose(x, perms),
            Op::Tile { multiples } => repeat::tile(x, multiples),
            Op::Reverse { axis } => repeat::reverse(x, *axis),
            Op::Cast { to } => elementwise::cast(x, *to),
            _ => self.wrong_operands(1),
        }
    }

    fn binary(&self, a: &Tensor, b: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
        match self {
            Op::MatMul { a_zp, b_zp } => matmul::matmul(a, b, *a_zp, *b_zp, watch),
            Op::Add => elementwise::add(a, b, watch),
            Op::Sub => elementwise::sub(a, b, watch),
            Op::Mul { shift } => elementwise::mul(a, b, *shift, watch),
            Op::Maximum => elementwise::extremum("maximum", a, b, i64::max),
            Op::Minimum => elementwise::extremum("minimum", a, b, i64::min),
            Op::ArithmeticRightShift { round } => elementwise::arithmetic_right_shift(a, b, *round, watch),
            Op::LogicalLeftShift => elementwise::logical_left_shift(a, b, watch),
            Op::LogicalRightShift => elementwise::logical_right_shift(a, b, watch),
            Op::BitwiseAnd => elementwise::bitwise("bitwise_and", a, b, |a, b| a & b),
            Op::BitwiseOr => elementwise::bitwise("bitwise_or", a, b, |a, b| a | b),
            Op::BitwiseXor => elementwise::bitwise("bitwise_xor", a, b, |a, b| a ^ b),
            Op::IntDiv => elementwise::intdiv(a, b, watch),
            Op::Equal => logical::compare("equal", a, b, |a, b| a == b),
            Op::Greater => logical::compare("greater", a, b, |a, b| a > b),
            Op::GreaterEqual => logical::compare("greater_equal", a, b, |a, b| a >= b),
            Op::LogicalAnd => logical::combine("logical_and", a, b, |a, b| a && b),
            Op::LogicalOr => logical::combine("logical_or", a, b, |a, b| a || b),
            Op::LogicalXor => logical::combine("logical_xor", a, b, |a, b| a != b),
            Op::Gather => selected::gather(a, b, watch),
            Op::Table => table::table(a, b, watch),
            _ => self.wrong_operands(2),
        }
    }

    fn ternary(
        &self,
        x: &Tensor,
        weights: &Tensor,
        bias: &Tensor,
        watch: &mut Watch,
    ) -> Result<Tensor, Invalid> {
        match self {
            Op::Conv2d(attributes) => conv::conv2d(x, weights, bias, attributes, watch),
            Op::DepthwiseConv2d(attributes) => conv::depthwise(x, weights, bias, attributes, watch),
            Op::Select => logical::select(x, weights, bias),
            Op::Scatter => selected::scatter(x, weights, bias, watch),
            Op::TransposeConv2d(attributes) => {
                transposed::transpose_conv2d(x, weights, bias, attributes, watch)
            }
            Op::Conv3d(attributes) => transposed::conv3d(x, weights, bias, attributes, watch),
            _ => self.wrong_operands(3),
        }
    }

    fn wrong_operands(&self, count: usize) -> Result<Tensor, Invalid> {
        invalid(self.name(), format!("cannot take {count} operands"))
    }
}
