//! Folds padding into the operators that pad themselves.

use super::{Rule, Sweep};
use crate::Invalid;
use crate::graph::{Node, ValueId};
use crate::op::{Binary, Op, Pool, PoolKind, Window};

pub(super) const RULES: &[Rule] = &[merge, into_window, outside_left_out];

/// First sweep: slices of an image would block the others.
pub(super) const CUT_RULES: &[Rule] = &[cut_off, cut_padding];

/// A slice of a padded image reduces the padding: linalg pads a pooling with incomplete last windows by more than they reach.
fn cut_padding(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Slice { start, size }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let Some((Op::Pad { around, value }, from)) = cx.made_by(x) else { return Ok(None) };
    let &[from] = from.as_slice() else { return Ok(None) };
    let whole = cx.new.shape(from);
    let mut left = Vec::with_capacity(around.len());
    for (((&[before, _], &extent), &start), &size) in around.iter().zip(whole).zip(start).zip(size) {
        let image = before..before + extent;
        // Only padding is removed: a slice of the image itself stays.
        if start > image.start || start + size < image.end {
            return Ok(None);
        }
        left.push([image.start - start, start + size - image.end]);
    }
    cx.new.push_or_fold(Op::Pad { around: left, value }, &[from]).map(Some)
}

/// A window that does not reach what is sliced off its image needs no slice.
fn cut_off(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let window = match &node.op {
        Op::Conv2d(window) | Op::DepthwiseConv2d(window) => window,
        Op::Pool(pool) => &pool.window,
        _ => return Ok(None),
    };
    let Some((Op::Slice { start, size }, from)) = operands.first().and_then(|&x| cx.made_by(x)) else {
        return Ok(None);
    };
    let &[from] = from.as_slice() else { return Ok(None) };
    let whole = cx.new.shape(from);
    // Padding after a slice would read values instead of nothing.
    let free = [false, window.after[0] == 0, window.after[1] == 0, false];
    let extents = size.iter().zip(whole).zip(free);
    if start.iter().any(|&at| at != 0) || !extents.into_iter().all(|((a, b), free)| a == b || free) {
        return Ok(None);
    }
    let mut operands = operands.to_vec();
    if let Some(first) = operands.first_mut() {
        *first = from;
    }
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    if node.op.infer(&shapes)? != result_shape(cx, node, &operands, &size)? {
        return Ok(None);
    }
    cx.new.push(node.op.clone(), &operands).map(Some)
}

/// The shape of the result of a node on an image of this shape.
fn result_shape(
    cx: &Sweep,
    node: &Node,
    operands: &[ValueId],
    image: &[usize],
) -> Result<Vec<usize>, Invalid> {
    let others = operands.iter().skip(1).map(|&id| cx.new.shape(id));
    let shapes: Vec<&[usize]> = std::iter::once(image).chain(others).collect();
    node.op.infer(&shapes)
}

/// Two pads with the same value are one.
fn merge(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Pad { around, value }, &[x]) = (&node.op, operands) else { return Ok(None) };
    let Some((Op::Pad { around: inner, value: other }, from)) = cx.made_by(x) else { return Ok(None) };
    let (true, [from]) = (value.to_bits() == other.to_bits(), from.as_slice()) else { return Ok(None) };
    let around = around.iter().zip(&inner).map(|(a, b)| [a[0] + b[0], a[1] + b[1]]).collect();
    cx.new.push(Op::Pad { around, value: *value }, &[*from]).map(Some)
}

/// Folds a pad of zeros into a convolution, and a pad of a value below all others into a max pooling.
fn into_window(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let Some((Op::Pad { around, value }, from)) = operands.first().and_then(|&x| cx.made_by(x)) else {
        return Ok(None);
    };
    let (&[[0, 0], rows, columns, [0, 0]], &[from]) = (around.as_slice(), from.as_slice()) else {
        return Ok(None);
    };
    let widen = |w: &Window| Window {
        before: [w.before[0] + rows[0], w.before[1] + columns[0]],
        after: [w.after[0] + rows[1], w.after[1] + columns[1]],
        ..*w
    };
    // What no window reaches is not padded: torch-mlir pads a pooling that rounds its size up by more than needed.
    let needed = |p: &Pool| {
        let mut window = widen(&p.window);
        for (i, &extent) in cx.new.shape(from).iter().skip(1).take(2).enumerate() {
            let padded = window.before[i] + extent + window.after[i];
            let left = padded.saturating_sub(p.kernel[i]) % window.stride[i].max(1);
            window.after[i] = window.after[i].saturating_sub(left);
        }
        window
    };
    let none = |w: &Window| w.before == [0, 0] && w.after == [0, 0];
    let op = match &node.op {
        Op::Conv2d(w) if value == 0.0 => Op::Conv2d(widen(w)),
        Op::DepthwiseConv2d(w) if value == 0.0 => Op::DepthwiseConv2d(widen(w)),
        Op::Pool(p @ Pool { kind: PoolKind::Max, window, .. }) if value <= f32::MIN && none(window) => {
            Op::Pool(Pool { window: needed(p), ..*p })
        }
        _ => return Ok(None),
    };
    let mut operands = operands.to_vec();
    if let Some(first) = operands.first_mut() {
        *first = from;
    }
    let shapes: Vec<&[usize]> = operands.iter().map(|&id| cx.new.shape(id)).collect();
    // A pooling pads less than its kernel; beyond that the pad stays.
    if op.infer(&shapes).is_err() {
        return Ok(None);
    }
    cx.new.push(op, &operands).map(Some)
}

/// A mean over an image padded with zeros, times the factor for a mean over the taps inside, is a pooling that pads itself.
fn outside_left_out(cx: &mut Sweep, node: &Node, operands: &[ValueId]) -> Result<Option<ValueId>, Invalid> {
    let (Op::Binary(Binary::Mul), &[a, b]) = (&node.op, operands) else { return Ok(None) };
    let (x, factors) = if cx.is_constant(b) { (a, b) } else { (b, a) };
    let Some((pooled, number)) = times_number(cx, x) else { return Ok(None) };
    let (Some((Op::Pool(pool), padded)), Some(factors)) = (cx.made_by(pooled), cx.new.constant_of(factors))
    else {
        return Ok(None);
    };
    let no_padding = pool.window.before == [0, 0] && pool.window.after == [0, 0];
    let Some((Op::Pad { around, value: 0.0 }, from)) = padded.first().and_then(|&x| cx.made_by(x)) else {
        return Ok(None);
    };
    let (&[[0, 0], rows, columns, [0, 0]], &[from]) = (around.as_slice(), from.as_slice()) else {
        return Ok(None);
    };
    if pool.kind != PoolKind::Average || !no_padding {
        return Ok(None);
    }
    let (&[_, h, w, _], &[_, oh, ow, _]) = (cx.new.shape(from), cx.new.shape(pooled)) else {
        return Ok(None);
    };
    let around = [(rows[0], h), (columns[0], w)];
    // A factor for every position of the result, and nothing else.
    let Some(factors) = factors.broadcast(vec![1, oh, ow, 1]) else { return Ok(None) };
    let exact = factors.indexed_iter().all(|(at, &factor)| {
        let taps = inside(&pool, around, [at[1], at[2]]);
        #[allow(clippy::cast_precision_loss, reason = "a kernel has far fewer than 2^24 taps")]
        let share = taps as f32 / (pool.kernel[0] * pool.kernel[1]) as f32;
        (factor * number * share - 1.0).abs() <= 8.0 * f32::EPSILON
    });
    let window = Window { before: [rows[0], columns[0]], after: [rows[1], columns[1]], ..pool.window };
    let op = Op::Pool(Pool { window, ..pool });
    if !exact || op.infer(&[cx.new.shape(from)]).is_err() {
        return Ok(None);
    }
    cx.new.push(op, &[from]).map(Some)
}

/// A value and its constant factor, which may be 1.
fn times_number(cx: &Sweep, x: ValueId) -> Option<(ValueId, f32)> {
    match cx.made_by(x)? {
        (Op::Binary(Binary::Mul), pair) => match *pair.as_slice() {
            [a, b] if cx.new.shape(a) == cx.new.shape(x) => Some((a, cx.uniform(b)?)),
            [a, b] if cx.new.shape(b) == cx.new.shape(x) => Some((b, cx.uniform(a)?)),
            _ => None,
        },
        _ => Some((x, 1.0)),
    }
}

/// The taps of a position that lie in the image; of each axis the padding before it and its extent.
fn inside(pool: &Pool, around: [(usize, usize); 2], position: [usize; 2]) -> usize {
    let along = |axis: usize| {
        let ((before, size), kernel) = (around[axis], pool.kernel[axis]);
        let start = position[axis] * pool.window.stride[axis];
        (start + kernel).min(before + size).saturating_sub(start.max(before))
    };
    along(0) * along(1)
}
