//! Whole networks: a first layer, then a dozen steps, each on existing values.

use super::builder::{Builder, permutation};
use super::kinds::{other_shape, random_slice, random_table};
use super::rng::Rng;
use super::{Case, Size};
use super::{compound, layers, logical, selected};
use crate::{Dtype, Invalid, NodeId, Op, Pool, Rescale, Round};

/// A step adds operators, or finds no suitable operands.
pub(crate) type Step = fn(&mut Builder) -> Result<Option<NodeId>, Invalid>;

/// The steps with their weights.
const STEPS: &[(usize, Step)] = &[
    (25, conv_layer),
    (12, eltwise_layer),
    (8, pool_layer),
    (6, matmul_layer),
    (6, concat),
    (6, reduce_layer),
    (5, table),
    (5, rescale_any),
    (5, clamp),
    (4, pad),
    (4, slice),
    (4, reshape),
    (4, transpose),
    (4, shift),
    (4, unary),
    (3, cast),
    (2, identity),
    (2, new_input),
    (6, transposed_layer),
    (3, volume_layer),
    (2, tile),
    (2, reverse),
    (3, bitwise),
    (2, divide),
    (2, argmax),
    (3, gather),
    (2, scatter),
    (3, resize),
    (5, choice),
];

/// Larger values are not used as operands.
const ELEMENTS: usize = 1 << 14;

/// Grows a network.
pub(crate) fn grow(rng: &mut Rng) -> Result<Case, Invalid> {
    let mut b = Builder::new(rng.fork(), Size::Small, 8);
    new_input(&mut b)?;
    let mut wanted = b.rng.between(4, 14);
    while wanted > 0 {
        let step = draw(&mut b, STEPS);
        if step(&mut b)?.is_some() {
            wanted -= 1;
        }
    }
    let mut outputs = b.sinks();
    while outputs.len() > 4 {
        outputs.remove(b.rng.below(outputs.len()));
    }
    for &output in &outputs {
        b.output(output);
    }
    if outputs.is_empty() {
        // Only new inputs were drawn: pass one through.
        let x = b.variables()[0];
        let output = b.must(Op::Identity, [x])?;
        b.output(output);
    }
    b.finish()
}

/// One of the steps, drawn by weight.
pub(crate) fn draw(b: &mut Builder, steps: &[(usize, Step)]) -> Step {
    let mut at = b.rng.below(steps.iter().map(|step| step.0).sum());
    for &(weight, step) in steps {
        if at < weight {
            return step;
        }
        at -= weight;
    }
    identity
}

/// An existing value, later ones more often.
fn choose(b: &mut Builder, fits: impl Fn(&Builder, NodeId) -> bool) -> Option<NodeId> {
    let mut fitting = b.variables();
    // Steps on Booleans are made of several operators.
    let suits = |id| b.value(id).dtype != Dtype::Bool && b.value(id).data.len() <= ELEMENTS;
    fitting.retain(|&id| suits(id) && fits(b, id));
    let count = fitting.len();
    if count == 0 {
        return None;
    }
    let at = b.rng.below(count).max(b.rng.below(count));
    Some(fitting[at])
}

fn is_image(b: &Builder, id: NodeId) -> bool {
    b.value(id).rank() == 4 && b.value(id).dtype == Dtype::I8
}

fn new_input(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let (height, width) = (b.rng.between(1, 17), b.rng.between(1, 17));
    let channels = b.rng.extent(33);
    let batch = b.rng.pick(&[1, 1, 1, 1, 2]);
    b.argument(Dtype::I8, &[batch, height, width, channels]).map(Some)
}

/// A rescale of `x` to that type whose results mostly fit.
pub(crate) fn rescale_to(b: &mut Builder, x: NodeId, to: Dtype) -> Result<Option<NodeId>, Invalid> {
    let value = b.value(x);
    let (from, channels) = (value.dtype, value.shape.last().copied().unwrap_or(1));
    let largest = value.data.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0).max(1);
    let bits = i64::from(64 - largest.leading_zeros());
    let per_channel = value.rank() >= 1 && b.rng.chance(40);
    let room = i64::from(to.bits()) - 1 - if to == Dtype::I32 { b.rng.int(8, 14) } else { 0 };
    let count = if per_channel { channels } else { 1 };
    let zero_point = |b: &mut Builder, dtype| if dtype == Dtype::I8 { b.rng.int(-128, 127) } else { 0 };
    let attributes = Rescale {
        to,
        multiplier: (0..count).map(|_| b.rng.int(1 << 29, (1 << 31) - 1)).collect(),
        shift: (0..count).map(|_| (31 + bits - room + b.rng.int(-1, 2)).clamp(2, 62)).collect(),
        scale32: true,
        round: if b.rng.chance(70) { Round::Double } else { Round::Single },
        per_channel,
        input_unsigned: false,
        output_unsigned: false,
        input_zp: zero_point(b, from),
        output_zp: zero_point(b, to),
    };
    b.op(Op::Rescale(attributes), [x])
}

/// To i8, for the next layer.
pub(crate) fn finish_layer(b: &mut Builder, x: Option<NodeId>) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = x else { return Ok(None) };
    let Some(mut y) = rescale_to(b, x, Dtype::I8)? else { return Ok(None) };
    if b.rng.chance(30) {
        let min = b.rng.int(-128, 0);
        let max = b.rng.int(min, 127);
        y = b.must(Op::Clamp { min, max }, [y])?;
    }
    if b.rng.chance(15) {
        let table = random_table(b, y)?;
        let table = b.constant(table);
        y = b.must(Op::Table, [y, table])?;
    }
    Ok(Some(y))
}

fn conv_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, is_image) else { return Ok(None) };
    let sums = layers::any_conv_on(b, x)?;
    finish_layer(b, sums)
}

fn transposed_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, is_image) else { return Ok(None) };
    let sums = compound::transpose_conv2d_on(b, x)?;
    finish_layer(b, sums)
}

/// A convolution in three dimensions on an image or a volume.
fn volume_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let fits =
        |b: &Builder, id: NodeId| (4..=5).contains(&b.value(id).rank()) && b.value(id).dtype == Dtype::I8;
    let Some(mut x) = choose(b, fits) else { return Ok(None) };
    let mut shape = b.value(x).shape.clone();
    if shape.len() == 4 {
        // The images of a batch, or the rows of an image, become depths.
        shape.insert(if shape[0] > 1 { 0 } else { 2 }, 1);
        x = b.must(Op::Reshape { shape }, [x])?;
    }
    let sums = compound::conv3d_on(b, x)?;
    finish_layer(b, sums)
}

fn tile(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    compound::tile_of(b, x)
}

fn reverse(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    compound::reverse_of(b, x)
}

/// A bitwise operator on an existing value and a new one, or the inversion of its bits.
fn bitwise(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    if b.rng.chance(25) {
        return b.op(Op::BitwiseNot, [x]);
    }
    let (dtype, mut shape) = (b.value(x).dtype, b.value(x).shape.clone());
    shape.iter_mut().for_each(|extent| *extent = if b.rng.chance(50) { 1 } else { *extent });
    let other = b.random(dtype, &shape)?;
    let other = b.either(other, 50);
    let op = b.rng.pick(&[Op::BitwiseAnd, Op::BitwiseOr, Op::BitwiseXor]);
    b.op(op, [x, other])
}

/// A division by a constant.
fn divide(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).dtype == Dtype::I32) else { return Ok(None) };
    let divisor = b.rng.int(1, 300) * b.rng.pick(&[1, -1]);
    let divisor = crate::Tensor::filled(Dtype::I32, vec![1; b.value(x).rank()], divisor)?;
    let divisor = b.constant(divisor);
    b.op(Op::IntDiv, [x, divisor])
}

fn argmax(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).dtype != Dtype::I32) else { return Ok(None) };
    selected::argmax_of(b, x)
}

fn choice(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    logical::choice_of(b, x)
}

fn gather(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    selected::gather_of(b, x)
}

fn scatter(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    selected::scatter_of(b, x)
}

fn resize(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).rank() == 4 && b.value(id).dtype != Dtype::I32) else {
        return Ok(None);
    };
    let Some(y) = selected::resize_of(b, x)? else { return Ok(None) };
    if b.value(y).dtype == Dtype::I32 { finish_layer(b, Some(y)) } else { Ok(Some(y)) }
}

fn matmul_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).dtype == Dtype::I8) else { return Ok(None) };
    let shape = b.value(x).shape.clone();
    let inner = shape.last().copied().unwrap_or(1);
    let rows = b.value(x).data.len() / inner;
    let left = b.must(Op::Reshape { shape: vec![1, rows, inner] }, [x])?;
    let width = b.rng.extent(33);
    let sums = layers::matmul_with(b, left, [1, inner, width])?;
    finish_layer(b, sums)
}

/// Both sides to i32, an operator, and back.
pub(crate) fn eltwise_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(left) = choose(b, |b, id| b.value(id).dtype != Dtype::I32) else { return Ok(None) };
    let shape = b.value(left).shape.clone();
    let broadcasts = |b: &Builder, id: NodeId| {
        let other = b.value(id);
        let axes = other.shape.iter().zip(&shape);
        other.rank() == shape.len() && axes.into_iter().all(|(&a, &b)| a == b || a == 1 || b == 1)
    };
    let Some(right) = choose(b, |b, id| b.value(id).dtype != Dtype::I32 && broadcasts(b, id)) else {
        return Ok(None);
    };
    let Some(wide_left) = rescale_to(b, left, Dtype::I32)? else { return Ok(None) };
    let Some(wide_right) = rescale_to(b, right, Dtype::I32)? else { return Ok(None) };
    let shift = b.rng.int(0, 20);
    let op = b.rng.pick(&[Op::Add, Op::Add, Op::Add, Op::Sub, Op::Mul { shift }, Op::Maximum, Op::Minimum]);
    let result = b.op(op, [wide_left, wide_right])?;
    finish_layer(b, result)
}

fn pool_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, is_image) else { return Ok(None) };
    let shape = b.value(x).shape.clone();
    let mut pool = Pool { kernel: [1; 2], stride: [1; 2], pad: [0; 4] };
    for axis in 0..2 {
        let extent = shape[1 + axis];
        let kernel = b.rng.between(1, extent.min(3));
        let stride = b.rng.between(1, 2);
        // End padding, where allowed, lets the last window end exactly; else the stride is 1.
        let rest = (extent - kernel) % stride;
        let fits = rest == 0 || kernel > 1;
        pool.kernel[axis] = kernel;
        pool.stride[axis] = if fits { stride } else { 1 };
        pool.pad[2 * axis + 1] = if fits { rest } else { 0 };
    }
    if b.rng.chance(50) {
        return b.op(Op::MaxPool2d(pool), [x]);
    }
    let (input_zp, output_zp) = (b.rng.int(-128, 127), b.rng.int(-128, 127));
    b.op(Op::AvgPool2d { pool, input_zp, output_zp }, [x])
}

fn reduce_layer(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let axis = b.rng.below(b.value(x).rank());
    if b.rng.chance(50) {
        let op = if b.rng.chance(50) { Op::ReduceMax { axis } } else { Op::ReduceMin { axis } };
        return b.op(op, [x]);
    }
    let Some(wide) = rescale_to(b, x, Dtype::I32)? else { return Ok(None) };
    let sum = b.op(Op::ReduceSum { axis }, [wide])?;
    finish_layer(b, sum)
}

fn concat(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(first) = choose(b, |_, _| true) else { return Ok(None) };
    let (shape, dtype) = (b.value(first).shape.clone(), b.value(first).dtype);
    let axis = b.rng.below(shape.len());
    let fits = |b: &Builder, id: NodeId| {
        let other = b.value(id);
        let beside = other.shape.iter().zip(&shape).enumerate().all(|(i, (a, b))| i == axis || a == b);
        other.dtype == dtype && other.rank() == shape.len() && beside
    };
    let mut operands = vec![first];
    for _ in 0..b.rng.between(1, 3) {
        operands.extend(choose(b, fits));
    }
    b.op(Op::Concat { axis }, operands)
}

fn table(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).dtype != Dtype::I32) else { return Ok(None) };
    let table = random_table(b, x)?;
    let table = b.constant(table);
    b.op(Op::Table, [x, table])
}

fn rescale_any(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let to = b.rng.pick(&Dtype::ALL);
    rescale_to(b, x, to)
}

fn clamp(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).dtype != Dtype::I32) else { return Ok(None) };
    let dtype = b.value(x).dtype;
    let min = b.rng.int(dtype.min(), 0);
    let max = b.rng.int(min, dtype.max());
    b.op(Op::Clamp { min, max }, [x])
}

fn pad(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |b, id| b.value(id).data.len() <= 2000) else { return Ok(None) };
    let (rank, dtype) = (b.value(x).rank(), b.value(x).dtype);
    let padding =
        (0..rank).map(|_| if b.rng.chance(40) { [b.rng.below(3), b.rng.below(3)] } else { [0; 2] }).collect();
    let value = b.rng.values(dtype, dtype.bits(), 1)[0];
    b.op(Op::Pad { padding, value }, [x])
}

fn slice(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let op = random_slice(b, x);
    b.op(op, [x])
}

fn reshape(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let shape = other_shape(b, x);
    b.op(Op::Reshape { shape }, [x])
}

fn transpose(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let rank = b.value(x).rank();
    let perms = permutation(&mut b.rng, rank);
    b.op(Op::Transpose { perms }, [x])
}

/// A shift by a constant amount.
pub(crate) fn shift(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let (rank, dtype) = (b.value(x).rank(), b.value(x).dtype);
    let amount = b.rng.int(0, i64::from(dtype.bits()) - 1);
    let amount = crate::Tensor::filled(dtype, vec![1; rank], amount)?;
    let amount = b.constant(amount);
    let round = b.rng.chance(50);
    let op = match b.rng.below(10) {
        0..6 => Op::ArithmeticRightShift { round },
        6..8 => Op::LogicalRightShift,
        _ => Op::LogicalLeftShift,
    };
    b.op(op, [x, amount])
}

/// Operators of i32 alone.
fn unary(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    if b.value(x).dtype != Dtype::I32 || b.rng.chance(30) {
        let zero = if b.value(x).dtype == Dtype::I8 { b.rng.int(-128, 127) } else { 0 };
        return b.op(Op::Negate { input_zp: zero, output_zp: zero }, [x]);
    }
    let op = b.rng.pick(&[Op::Abs, Op::Clz]);
    b.op(op, [x])
}

fn cast(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    let others: Vec<_> = Dtype::ALL.into_iter().filter(|&to| to != b.value(x).dtype).collect();
    let to = b.rng.pick(&others);
    b.op(Op::Cast { to }, [x])
}

fn identity(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = choose(b, |_, _| true) else { return Ok(None) };
    b.op(Op::Identity, [x])
}
