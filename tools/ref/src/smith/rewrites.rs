//! Networks for testing compiler rewrites: chains of data movement and element-wise operators as emitted by exporters, most of
//! them on the latest value, between layers that could absorb them.
//!
//! Tensors are small and have many axes of one element, since that is where a rewrite goes wrong.

use super::builder::{Builder, permutation};
use super::chain::{Step, draw, eltwise_layer, finish_layer, rescale_to, shift};
use super::kinds::{other_shape, random_slice, random_table, zero_point};
use super::layers;
use super::rng::Rng;
use super::{Case, Size};
use crate::{Conv, Dtype, Invalid, NodeId, Op, Pool, Rescale, Round, Tensor};

/// The steps with their weights.
const STEPS: &[(usize, Step)] = &[
    (18, reshape),
    (14, rescale),
    (14, again),
    (14, behind_reshape),
    (12, transpose),
    (10, clamp),
    (8, slice),
    (8, pad),
    (8, table),
    (8, binary),
    (8, constant),
    (6, relabel),
    (4, shift),
    (7, concat_any),
    (6, cut_concat),
    (6, unary),
    (6, cast),
    (6, padded_window),
    (6, flattened),
    (4, eltwise_layer),
    (3, reduce),
    (3, new_input),
];

/// A step on a given value.
type OnValue = fn(&mut Builder, NodeId) -> Result<Option<NodeId>, Invalid>;

/// Larger values are not used as operands.
const ELEMENTS: usize = 400;

/// Grows a network.
pub(crate) fn grow(rng: &mut Rng) -> Result<Case, Invalid> {
    let mut b = Builder::new(rng.fork(), Size::Small, 8);
    let first = loop {
        if let Some(first) = new_input(&mut b)? {
            break first;
        }
    };
    for _ in 0..b.rng.between(3, 14) {
        let step = draw(&mut b, STEPS);
        step(&mut b)?;
    }
    let mut outputs = b.sinks();
    while outputs.len() > 3 {
        outputs.remove(b.rng.below(outputs.len()));
    }
    // A visible intermediate value must be preserved.
    if b.rng.chance(30) {
        outputs.extend(choose(&mut b, |_, _| true).filter(|id| !outputs.contains(id)));
    }
    if outputs.is_empty() {
        outputs.push(first);
    }
    for output in outputs {
        b.output(output);
    }
    b.finish()
}

/// An existing value: mostly the last one, so that chains of operators form.
fn choose(b: &mut Builder, fits: impl Fn(&Builder, NodeId) -> bool) -> Option<NodeId> {
    let mut fitting = b.variables();
    fitting.retain(|&id| b.value(id).data.len() <= ELEMENTS && fits(b, id));
    let &last = fitting.iter().rfind(|id| b.is_computed(**id)).or(fitting.last())?;
    Some(if b.rng.chance(75) { last } else { fitting[b.rng.below(fitting.len())] })
}

fn any_rank(b: &mut Builder, fits: impl Fn(&Tensor) -> bool) -> Option<NodeId> {
    choose(b, |b, id| fits(b.value(id)))
}

/// A value with at least one axis.
fn with_axes(b: &mut Builder, fits: impl Fn(&Tensor) -> bool) -> Option<NodeId> {
    any_rank(b, |value| value.rank() > 0 && fits(value))
}

/// A small shape with axes of one element in it.
fn small_shape(b: &mut Builder) -> Vec<usize> {
    let rank = b.rng.pick(&[1, 2, 3, 4, 4, 4, 4, 5]);
    (0..rank).map(|_| b.rng.pick(&[1, 1, 1, 2, 2, 3, 4, 5])).collect()
}

fn new_input(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&[Dtype::I8, Dtype::I8, Dtype::I8, Dtype::I16, Dtype::I32]);
    let shape = small_shape(b);
    b.argument(dtype, &shape).map(Some)
}

/// A foldable constant: one operator on an existing one.
fn constant(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.rng.pick(&Dtype::ALL);
    let shape = small_shape(b);
    let value = if b.rng.chance(30) {
        let value = b.rng.values(dtype, dtype.bits(), 1)[0];
        Tensor::filled(dtype, shape, value)?
    } else {
        b.random(dtype, &shape)?
    };
    let x = b.constant(value);
    match b.rng.below(6) {
        0 => {
            let shape = other_shape(b, x);
            b.op(Op::Reshape { shape }, [x])
        }
        1 => slice_of(b, x),
        2 => transpose_of(b, x),
        3 => pad_of(b, x),
        4 => rescale_to(b, x, Dtype::I8),
        _ => b.op(Op::Negate { input_zp: 0, output_zp: 0 }, [x]),
    }
}

/// A reshape as emitted by exporters: axes of one element come and go, axes merge, channels become one or come from
/// one.
fn reshape(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |_| true) else { return Ok(None) };
    reshape_of(b, x)
}

fn reshape_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let mut shape = b.value(x).shape.clone();
    let elements = b.value(x).data.len();
    match b.rng.below(7) {
        0 if shape.len() < 6 => shape.insert(b.rng.below(shape.len() + 1), 1),
        1 => shape.retain(|&extent| extent != 1),
        2 => shape = vec![elements],
        3 => shape = vec![elements, 1],
        4 => shape = vec![1, 1, 1, elements],
        5 => {}
        _ => shape = other_shape(b, x),
    }
    b.op(Op::Reshape { shape }, [x])
}

/// Data movement twice in a row.
fn again(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = with_axes(b, |value| value.data.len() <= ELEMENTS / 4) else { return Ok(None) };
    let step: OnValue = b.rng.pick(&[pad_of as OnValue, slice_of, transpose_of]);
    match step(b, x)? {
        Some(y) if b.value(y).data.len() <= ELEMENTS => step(b, y),
        made => Ok(made),
    }
}

/// An element-wise operator after a reshape of a layer's result.
fn behind_reshape(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let layer: Step = b.rng.pick(&[binary as Step, rescale, clamp, table, eltwise_layer, flattened]);
    let Some(x) = layer(b)? else { return Ok(None) };
    if b.value(x).data.len() > ELEMENTS {
        return Ok(Some(x));
    }
    let Some(shaped) = reshape_of(b, x)? else { return Ok(None) };
    match (b.rng.below(5), b.value(shaped).dtype) {
        (0, Dtype::I8 | Dtype::I16) => clamp_of(b, shaped),
        (1, Dtype::I8 | Dtype::I16) => table_of(b, shaped),
        (2, Dtype::I8) => b.op(Op::Negate { input_zp: -3, output_zp: 5 }, [shaped]),
        (3, Dtype::I32) => b.op(Op::Clz, [shaped]),
        _ => {
            let to = b.rng.pick(&[Dtype::I8, Dtype::I8, Dtype::I16]);
            rescale_to(b, shaped, to)
        }
    }
}

fn rescale(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |_| true) else { return Ok(None) };
    let to = b.rng.pick(&[Dtype::I8, Dtype::I8, Dtype::I16, Dtype::I32]);
    rescale_to(b, x, to)
}

/// A rescale that reads or writes unsigned bits, or has 16-bit multipliers, and mostly keeps the values.
fn relabel(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |value| value.dtype != Dtype::I32) else { return Ok(None) };
    let Tensor { dtype, shape, .. } = b.value(x).clone();
    let (input_unsigned, output_unsigned) = b.rng.pick(&[(true, false), (false, true), (false, false)]);
    let per_channel = !shape.is_empty() && b.rng.chance(50);
    let count = if per_channel { shape.last().copied().unwrap_or(1) } else { 1 };
    let scale32 = b.rng.chance(50);
    let bits = if scale32 { 30 } else { 14 };
    let attributes = Rescale {
        to: dtype,
        multiplier: (0..count).map(|_| b.rng.int(1 << (bits - 1), 1 << bits)).collect(),
        shift: vec![bits; count],
        scale32,
        round: if scale32 && b.rng.chance(50) { Round::Double } else { Round::Single },
        per_channel,
        input_unsigned,
        output_unsigned,
        input_zp: zero_point(b, dtype, input_unsigned),
        output_zp: zero_point(b, dtype, output_unsigned),
    };
    b.op(Op::Rescale(attributes), [x])
}

fn transpose(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = with_axes(b, |_| true) else { return Ok(None) };
    transpose_of(b, x)
}

fn transpose_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let rank = b.value(x).rank();
    let perms = permutation(&mut b.rng, rank);
    b.op(Op::Transpose { perms }, [x])
}

fn clamp(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |value| value.dtype != Dtype::I32) else { return Ok(None) };
    clamp_of(b, x)
}

fn clamp_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let dtype = b.value(x).dtype;
    let (min, max) = if b.rng.chance(20) {
        (dtype.min(), dtype.max())
    } else {
        let min = b.rng.int(dtype.min(), dtype.max());
        (min, b.rng.int(min, dtype.max()))
    };
    b.op(Op::Clamp { min, max }, [x])
}

fn slice(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = with_axes(b, |_| true) else { return Ok(None) };
    slice_of(b, x)
}

fn slice_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let mut op = random_slice(b, x);
    if b.rng.chance(15) {
        let size = b.value(x).shape.clone();
        op = Op::Slice { start: vec![0; size.len()], size };
    }
    b.op(op, [x])
}

fn pad(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = with_axes(b, |value| value.data.len() <= ELEMENTS / 4) else { return Ok(None) };
    pad_of(b, x)
}

fn pad_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let value = b.rng.pick(&[0, 0, 0, 1, -7]);
    let rank = b.value(x).rank();
    let padding =
        (0..rank).map(|_| if b.rng.chance(40) { [b.rng.below(2), b.rng.below(3)] } else { [0; 2] }).collect();
    b.op(Op::Pad { padding, value }, [x])
}

fn table(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |value| value.dtype != Dtype::I32) else { return Ok(None) };
    table_of(b, x)
}

fn table_of(b: &mut Builder, x: NodeId) -> Result<Option<NodeId>, Invalid> {
    let table = if b.rng.chance(30) && b.value(x).dtype == Dtype::I8 {
        // A table that is equivalent to a clamp.
        let min = b.rng.int(-128, 127);
        let max = b.rng.int(min, 127);
        Tensor::new(Dtype::I8, [256], (-128..128).map(|v: i64| v.clamp(min, max)).collect::<Vec<_>>())?
    } else {
        random_table(b, x)?
    };
    let table = b.constant(table);
    b.op(Op::Table, [x, table])
}

/// An operator on a value and a constant of the same rank, which may be of one element.
fn binary(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |value| value.dtype == Dtype::I32) else { return Ok(None) };
    let mut shape = b.value(x).shape.clone();
    for extent in &mut shape {
        if b.rng.chance(40) {
            *extent = 1;
        }
    }
    let y = b.random_bits(Dtype::I32, 12, &shape)?;
    let y = b.either(y, 70);
    let shift = b.rng.int(0, 20);
    let op = b.rng.pick(&[Op::Add, Op::Add, Op::Sub, Op::Mul { shift }, Op::Maximum, Op::Minimum]);
    let operands = if b.rng.chance(50) { [x, y] } else { [y, x] };
    b.op(op, operands)
}

/// Several values along an axis, some of them concatenated first.
fn concat_any(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    if b.rng.chance(25) {
        let Some(x) = with_axes(b, |value| value.data.len() <= ELEMENTS / 4) else { return Ok(None) };
        let axis = b.rng.below(b.value(x).rank());
        let count = b.rng.between(1, 2);
        return b.op(Op::Concat { axis }, vec![x; count]);
    }
    let Some((axis, joined)) = joined(b)? else { return Ok(None) };
    let Tensor { dtype, mut shape, .. } = b.value(joined).clone();
    shape[axis] = b.rng.between(1, 3);
    let more = b.random(dtype, &shape)?;
    let more = b.either(more, 50);
    let operands = if b.rng.chance(50) { [joined, more] } else { [more, joined] };
    b.op(Op::Concat { axis }, operands)
}

/// A slice of a concatenation, which may lie in one of its parts.
fn cut_concat(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some((axis, joined)) = joined(b)? else { return Ok(None) };
    let mut size = b.value(joined).shape.clone();
    let mut start = vec![0; size.len()];
    start[axis] = b.rng.below(size[axis]);
    size[axis] = b.rng.between(1, (size[axis] - start[axis]).min(2));
    b.op(Op::Slice { start, size }, [joined])
}

/// A value next to a new one, and the axis.
fn joined(b: &mut Builder) -> Result<Option<(usize, NodeId)>, Invalid> {
    let Some(x) = with_axes(b, |value| value.data.len() <= ELEMENTS / 4) else { return Ok(None) };
    let Tensor { dtype, mut shape, .. } = b.value(x).clone();
    let axis = b.rng.below(shape.len());
    shape[axis] = b.rng.between(1, 3);
    let more = b.random(dtype, &shape)?;
    let more = b.either(more, 30);
    let operands = if b.rng.chance(50) { [x, more] } else { [more, x] };
    Ok(b.op(Op::Concat { axis }, operands)?.map(|joined| (axis, joined)))
}

fn unary(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |_| true) else { return Ok(None) };
    match b.value(x).dtype {
        Dtype::I32 => {
            let op = b.rng.pick(&[Op::Abs, Op::Clz, Op::Identity, Op::Negate { input_zp: 0, output_zp: 0 }]);
            b.op(op, [x])
        }
        Dtype::Bool | Dtype::I4 | Dtype::I16 | Dtype::I48 => b.op(Op::Identity, [x]),
        Dtype::I8 => {
            let (input_zp, output_zp) = (b.rng.int(-128, 127), b.rng.int(-128, 127));
            let op = b.rng.pick(&[Op::Negate { input_zp, output_zp }, Op::Identity]);
            b.op(op, [x])
        }
    }
}

fn cast(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |_| true) else { return Ok(None) };
    let others: Vec<_> = Dtype::ALL.into_iter().filter(|&to| to != b.value(x).dtype).collect();
    let to = b.rng.pick(&others);
    b.op(Op::Cast { to }, [x])
}

fn reduce(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = with_axes(b, |_| true) else { return Ok(None) };
    let axis = b.rng.below(b.value(x).rank());
    let op = if b.rng.chance(50) { Op::ReduceMax { axis } } else { Op::ReduceMin { axis } };
    b.op(op, [x])
}

/// Padding before a window that may absorb it: with the neutral value or another one, of rows and columns or of channels.
fn padded_window(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let Some(x) = any_rank(b, |value| value.rank() == 4 && value.dtype == Dtype::I8) else {
        return Ok(None);
    };
    let shape = b.value(x).shape.clone();
    let zero_point = b.rng.pick(&[0, -128, 3]);
    let value = b.rng.pick(&[zero_point, zero_point, zero_point, 0, -128]);
    let sides = [b.rng.below(3), b.rng.below(3), b.rng.below(3), b.rng.below(3)];
    let channels = if b.rng.chance(10) { [1, 0] } else { [0, 0] };
    let padding = vec![[0, 0], [sides[0], sides[1]], [sides[2], sides[3]], channels];
    let padded = b.must(Op::Pad { padding, value }, [x])?;
    let extents = [shape[1] + sides[0] + sides[1], shape[2] + sides[2] + sides[3]];
    let kernel = [b.rng.between(1, extents[0].min(3)), b.rng.between(1, extents[1].min(3))];
    if b.rng.chance(35) {
        let own = kernel.map(|k| b.rng.below(k));
        let pool = Pool { kernel, stride: [1; 2], pad: [own[0], 0, 0, own[1]] };
        return b.op(Op::MaxPool2d(pool), [padded]);
    }
    let pad = [b.rng.below(2), b.rng.below(2), b.rng.below(2), b.rng.below(2)];
    let conv = Conv {
        pad,
        stride: [1; 2],
        dilation: [1; 2],
        input_zp: zero_point,
        weight_zp: b.rng.pick(&[0, 0, 5]),
    };
    let ic = shape[3] + channels[0];
    let depthwise = b.rng.chance(30);
    let oc = if depthwise { ic } else { b.rng.between(1, 4) };
    let weights = if depthwise { [kernel[0], kernel[1], ic, 1] } else { [oc, kernel[0], kernel[1], ic] };
    let weights = b.random(Dtype::I8, &weights)?;
    let weights = b.hidden_constant(weights)?;
    let bias = b.random_bits(Dtype::I32, 12, &[oc])?;
    let bias = b.constant(bias);
    let op = if depthwise { Op::DepthwiseConv2d(conv) } else { Op::Conv2d(conv) };
    let sums = b.op(op, [padded, weights, bias])?;
    if b.rng.chance(50) { finish_layer(b, sums) } else { Ok(sums) }
}

/// A fully connected layer on a flattened image, which may be transposed first.
fn flattened(b: &mut Builder) -> Result<Option<NodeId>, Invalid> {
    let image = |value: &Tensor| (2..=5).contains(&value.rank()) && value.dtype == Dtype::I8;
    let Some(x) = any_rank(b, image) else { return Ok(None) };
    let shape = b.value(x).shape.clone();
    let perms = if b.rng.chance(70) {
        let inner = permutation(&mut b.rng, shape.len() - 1);
        std::iter::once(0).chain(inner.into_iter().map(|axis| axis + 1)).collect()
    } else {
        permutation(&mut b.rng, shape.len())
    };
    let turned = b.must(Op::Transpose { perms }, [x])?;
    let batch = b.value(turned).shape[0];
    let inner = b.value(turned).data.len() / batch;
    if b.rng.chance(25) {
        let rows = b.must(Op::Reshape { shape: vec![1, batch, inner] }, [turned])?;
        let width = b.rng.between(1, 5);
        return layers::matmul_with(b, rows, [1, inner, width]);
    }
    let flat = b.must(Op::Reshape { shape: vec![batch, 1, 1, inner] }, [turned])?;
    let oc = b.rng.between(1, 5);
    let weights = b.random(Dtype::I8, &[oc, 1, 1, inner])?;
    let weights = b.hidden_constant(weights)?;
    let bias = b.random_bits(Dtype::I32, 12, &[oc])?;
    let bias = b.constant(bias);
    let conv =
        Conv { pad: [0; 4], stride: [1; 2], dilation: [1; 2], input_zp: b.rng.int(-128, 127), weight_zp: 0 };
    b.op(Op::Conv2d(conv), [flat, weights, bias])
}
