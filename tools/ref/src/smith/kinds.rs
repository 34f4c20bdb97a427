//! Single operators: a generator for each kind.

use super::builder::{Builder, permutation};
use super::operands::{any_argument, broadcast_shapes, two_operands};
use super::{compound, layers, logical, selected, wide};
use crate::{Dtype, Invalid, NodeId, Op, Rescale, Round, Tensor};

macro_rules! kinds {
    ($($variant:ident $name:literal $build:path;)+) => {
        /// An operator that [`single_op`](super::single_op) can draw.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = concat!("`", $name, "`")] $variant,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// The operator's name in the `tosa` dialect, with the extension that it takes.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)+ }
            }

            /// Draws one, unless its value turns out to be unpredictable.
            pub(crate) fn build(self, b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
                match self { $(Kind::$variant => $build(b),)+ }
            }
        }
    };
}

kinds! {
    Conv2d "conv2d" layers::conv2d;
    DepthwiseConv2d "depthwise_conv2d" layers::depthwise;
    MatMul "matmul" layers::matmul;
    MaxPool2d "max_pool2d" max_pool;
    AvgPool2d "avg_pool2d" avg_pool;
    Rescale "rescale" rescale;
    Clamp "clamp" clamp;
    Add "add" add;
    Sub "sub" sub;
    Mul "mul" mul;
    Maximum "maximum" maximum;
    Minimum "minimum" minimum;
    ArithmeticRightShift "arithmetic_right_shift" arithmetic_right_shift;
    LogicalLeftShift "logical_left_shift" logical_left_shift;
    Abs "abs" abs;
    Negate "negate" negate;
    Clz "clz" clz;
    Identity "identity" identity;
    Table "table" table;
    ReduceSum "reduce_sum" reduce_sum;
    ReduceMax "reduce_max" reduce_max;
    ReduceMin "reduce_min" reduce_min;
    Concat "concat" concat;
    Pad "pad" pad;
    Reshape "reshape" reshape;
    Slice "slice" slice;
    Transpose "transpose" transpose;
    Cast "cast" cast;
    TransposeConv2d "transpose_conv2d" compound::transpose_conv2d;
    Conv3d "conv3d" compound::conv3d;
    Tile "tile" compound::tile;
    Reverse "reverse" compound::reverse;
    LogicalRightShift "logical_right_shift" logical_right_shift;
    BitwiseAnd "bitwise_and" bitwise_and;
    BitwiseOr "bitwise_or" bitwise_or;
    BitwiseXor "bitwise_xor" bitwise_xor;
    BitwiseNot "bitwise_not" bitwise_not;
    IntDiv "intdiv" intdiv;
    ArgMax "argmax" selected::argmax;
    Gather "gather" selected::gather;
    Scatter "scatter" selected::scatter;
    Resize "resize" selected::resize;
    Equal "equal" logical::equal;
    Greater "greater" logical::greater;
    GreaterEqual "greater_equal" logical::greater_equal;
    Select "select" logical::select;
    LogicalAnd "logical_and" logical::and;
    LogicalOr "logical_or" logical::or;
    LogicalXor "logical_xor" logical::xor;
    LogicalNot "logical_not" logical::not;
    ReduceAll "reduce_all" logical::reduce_all;
    ReduceAny "reduce_any" logical::reduce_any;
    WideConv2d "conv2d_int16" wide::conv2d;
    WideDepthwiseConv2d "depthwise_conv2d_int16" wide::depthwise;
}

impl Kind {
    /// The operator in the `tosa` dialect, which several kinds may share.
    pub fn operator(self) -> &'static str {
        self.name().strip_suffix("_int16").unwrap_or(self.name())
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

fn binary(b: &mut Builder, op: Op) -> Result<Option<NodeId>, Invalid> {
    let operands = two_operands(b, Dtype::I32)?;
    b.op(op, operands)
}

fn add(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    binary(b, Op::Add)
}

fn sub(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    binary(b, Op::Sub)
}

fn maximum(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    binary(b, Op::Maximum)
}

fn minimum(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    binary(b, Op::Minimum)
}

fn mul(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&Dtype::ALL);
    let operands = two_operands(b, dtype)?;
    let shift = if dtype == Dtype::I32 && b.rng.chance(75) { b.rng.int(1, 63) } else { 0 };
    b.op(Op::Mul { shift }, operands)
}

/// A value and its shift amounts, which are within its width.
fn shift_operands(b: &mut Builder) -> Result<[NodeId; 2], Invalid> {
    let dtype = b.rng.pick(&Dtype::ALL);
    let [value, amount] = broadcast_shapes(b);
    let value = b.argument(dtype, &value)?;
    let count = amount.iter().product();
    let amounts: Vec<_> = (0..count).map(|_| b.rng.int(0, i64::from(dtype.bits()) - 1)).collect();
    let amounts = Tensor::new(dtype, amount, amounts)?;
    let amounts = b.either(amounts, 60);
    Ok([value, amounts])
}

fn arithmetic_right_shift(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let operands = shift_operands(b)?;
    let round = b.rng.chance(50);
    b.op(Op::ArithmeticRightShift { round }, operands)
}

fn logical_left_shift(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let operands = shift_operands(b)?;
    b.op(Op::LogicalLeftShift, operands)
}

fn logical_right_shift(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let operands = shift_operands(b)?;
    b.op(Op::LogicalRightShift, operands)
}

fn bitwise(b: &mut Builder, op: Op) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&Dtype::ALL);
    let operands = two_operands(b, dtype)?;
    b.op(op, operands)
}

fn bitwise_and(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    bitwise(b, Op::BitwiseAnd)
}

fn bitwise_or(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    bitwise(b, Op::BitwiseOr)
}

fn bitwise_xor(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    bitwise(b, Op::BitwiseXor)
}

fn bitwise_not(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::ALL)?;
    b.op(Op::BitwiseNot, [x])
}

/// Divisors of few bits as often as of many, none of them 0.
fn intdiv(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let [left, right] = broadcast_shapes(b);
    let left = b.argument(Dtype::I32, &left)?;
    let bits = b.rng.pick(&[3, 8, 16, 31]);
    let mut divisors = b.random_bits(Dtype::I32, bits, &right)?;
    divisors.data.iter_mut().filter(|v| **v == 0).for_each(|v| *v = 1);
    let right = b.either(divisors, 40);
    b.op(Op::IntDiv, [left, right])
}

fn abs(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::I32])?;
    b.op(Op::Abs, [x])
}

fn clz(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::I32])?;
    b.op(Op::Clz, [x])
}

fn negate(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::ALL)?;
    let (input_zp, output_zp) = zero_points(b, x);
    b.op(Op::Negate { input_zp, output_zp }, [x])
}

/// Zero points for input and result, 0 where the type has none.
fn zero_points(b: &mut Builder, x: NodeId) -> (i64, i64) {
    if b.value(x).dtype == Dtype::I8 && b.rng.chance(80) {
        (b.rng.int(-128, 127), b.rng.int(-128, 127))
    } else {
        (0, 0)
    }
}

fn identity(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::EVERY)?;
    b.op(Op::Identity, [x])
}

fn cast(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::EVERY)?;
    let others: Vec<_> = Dtype::EVERY.into_iter().filter(|&to| to != b.value(x).dtype).collect();
    let to = b.rng.pick(&others);
    b.op(Op::Cast { to }, [x])
}

fn clamp(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::I8, Dtype::I16])?;
    let dtype = b.value(x).dtype;
    let bounds = b.rng.values(dtype, dtype.bits(), 2);
    let (min, max) = (bounds[0].min(bounds[1]), bounds[0].max(bounds[1]));
    b.op(Op::Clamp { min, max }, [x])
}

fn table(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &[Dtype::I8, Dtype::I16])?;
    let table = random_table(b, x)?;
    let table = b.constant(table);
    b.op(Op::Table, [x, table])
}

/// A table for the type of `x`. The steps of a 16-bit one must be int16, so it is a random walk.
pub(crate) fn random_table(b: &mut Builder, x: NodeId) -> Result<Tensor, Invalid> {
    if b.value(x).dtype == Dtype::I8 {
        return b.random(Dtype::I8, &[256]);
    }
    let step = b.rng.pick(&[3i64, 100, 2000, 32767]);
    let mut at = b.rng.int(-32768, 32767);
    let mut entries = Vec::new();
    for _ in 0..513 {
        entries.push(at);
        at = (at + b.rng.int(-step, step)).clamp(-32768, 32767);
    }
    Tensor::new(Dtype::I16, [513], entries)
}

fn reduce(b: &mut Builder, dtypes: &[Dtype], op: fn(usize) -> Op) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, dtypes)?;
    let axis = b.rng.below(b.value(x).rank());
    b.op(op(axis), [x])
}

fn reduce_sum(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    reduce(b, &[Dtype::I32], |axis| Op::ReduceSum { axis })
}

fn reduce_max(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    reduce(b, &Dtype::ALL, |axis| Op::ReduceMax { axis })
}

fn reduce_min(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    reduce(b, &Dtype::ALL, |axis| Op::ReduceMin { axis })
}

fn concat(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let first = any_argument(b, &Dtype::EVERY)?;
    let Tensor { dtype, mut shape, .. } = b.value(first).clone();
    let axis = b.rng.below(shape.len());
    let mut operands = vec![first];
    for _ in 0..b.rng.between(0, 4) {
        if b.rng.chance(10) {
            operands.push(first);
            continue;
        }
        shape[axis] = b.rng.extent(20);
        let next = b.random(dtype, &shape)?;
        operands.push(b.either(next, 25));
    }
    let at = b.rng.below(operands.len());
    operands.swap(0, at);
    b.op(Op::Concat { axis }, operands)
}

fn pad(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&Dtype::EVERY);
    let rank = b.rng.between(1, 6);
    let shape = b.rng.shape(rank, b.budget.elements / 10);
    let x = b.argument(dtype, &shape)?;
    let padding = (0..rank).map(|_| [b.rng.below(4), b.rng.below(3)]).collect();
    let value = b.rng.values(dtype, dtype.bits(), 1)[0];
    b.op(Op::Pad { padding, value }, [x])
}

fn reshape(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::EVERY)?;
    let shape = other_shape(b, x);
    b.op(Op::Reshape { shape }, [x])
}

/// A random factorization of the number of elements.
pub(crate) fn other_shape(b: &mut Builder, x: NodeId) -> Vec<usize> {
    let rank = b.rng.between(1, 6);
    let mut left = b.value(x).data.len();
    let mut shape = Vec::new();
    for _ in 1..rank {
        let divisors: Vec<_> = (1..=left).filter(|d| left.is_multiple_of(*d)).collect();
        let extent = b.rng.pick(&divisors);
        left /= extent;
        shape.push(extent);
    }
    shape.insert(b.rng.below(rank), left);
    shape
}

fn slice(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::EVERY)?;
    let op = random_slice(b, x);
    b.op(op, [x])
}

pub(crate) fn random_slice(b: &mut Builder, x: NodeId) -> Op {
    let (mut start, mut size) = (Vec::new(), Vec::new());
    for extent in b.value(x).shape.clone() {
        let first = if b.rng.chance(50) { 0 } else { b.rng.below(extent) };
        start.push(first);
        size.push(b.rng.between(1, extent - first));
    }
    Op::Slice { start, size }
}

fn transpose(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let x = any_argument(b, &Dtype::EVERY)?;
    let rank = b.value(x).rank();
    let perms = permutation(&mut b.rng, rank);
    b.op(Op::Transpose { perms }, [x])
}

fn max_pool(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let (x, pool) = layers::pool_operands(b)?;
    b.op(Op::MaxPool2d(pool), [x])
}

fn avg_pool(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let (x, pool) = layers::pool_operands(b)?;
    let (input_zp, output_zp) = zero_points(b, x);
    b.op(Op::AvgPool2d { pool, input_zp, output_zp }, [x])
}

fn rescale(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    use Dtype::{I8, I16, I32};
    // The TOSA 1.0 combinations: type and unsignedness of input and result.
    let signed = [
        (I8, I8),
        (I8, I16),
        (I8, I32),
        (I16, I8),
        (I16, I16),
        (I16, I32),
        (I32, I8),
        (I32, I16),
        (I32, I32),
    ];
    let unsigned = [
        (I8, true, I8, false),
        (I8, true, I16, false),
        (I16, true, I16, false),
        (I8, false, I8, true),
        (I16, false, I8, true),
        (I16, false, I16, true),
    ];
    let (from, input_unsigned, to, output_unsigned) = if b.rng.chance(30) {
        b.rng.pick(&unsigned)
    } else {
        let (from, to) = b.rng.pick(&signed);
        (from, false, to, false)
    };
    let x = any_argument(b, &[from])?;
    let scale32 = b.rng.chance(75);
    let round = if scale32 && b.rng.chance(50) { Round::Double } else { Round::Single };
    let per_channel = b.rng.chance(50);
    let channels = if per_channel { b.value(x).shape[b.value(x).rank() - 1] } else { 1 };
    let (mut multiplier, mut shift) = (Vec::new(), Vec::new());
    // Most scales keep the range: the result has about the bits of its type.
    let keep = b.rng.chance(80);
    for _ in 0..channels {
        let bits = if scale32 { 31 } else { 15 };
        let value = if b.rng.chance(80) {
            b.rng.int(1 << (bits - 1), (1 << bits) - 1)
        } else {
            b.rng.int(0, (1 << bits) - 1)
        };
        multiplier.push(value);
        let even = i64::from(bits) + i64::from(from.bits()) - i64::from(to.bits());
        shift.push(if keep { (even + b.rng.int(-3, 6)).clamp(2, 62) } else { b.rng.int(2, 62) });
    }
    let input_zp = zero_point(b, from, input_unsigned);
    let output_zp = zero_point(b, to, output_unsigned);
    let attributes = Rescale {
        to,
        multiplier,
        shift,
        scale32,
        round,
        per_channel,
        input_unsigned,
        output_unsigned,
        input_zp,
        output_zp,
    };
    b.op(Op::Rescale(attributes), [x])
}

/// A legal zero point of the type.
pub(crate) fn zero_point(b: &mut Builder, dtype: Dtype, unsigned: bool) -> i64 {
    match (dtype, unsigned) {
        (Dtype::I8, false) => b.rng.int(-128, 127),
        (Dtype::I8, true) => b.rng.int(0, 255),
        (Dtype::I16, true) => b.rng.pick(&[0, 32768]),
        _ => 0,
    }
}
