//! Normalizations. Invariant: variances are those of the whole, divided by the number of elements.

use strum_float::{PoolKind, Window};

use crate::onnx::call::{Call, one};
use crate::onnx::node::{axes_of, axis_of};
use crate::onnx::tensor::Tensor;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Elem, Id};

/// `BatchNormalization` with statistics of training: a product and a sum.
pub(in crate::onnx) fn batch(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    node.ignore(&["momentum"]);
    node.only("training_mode", 0)?;
    node.only("spatial", 1)?;
    let epsilon = node.float("epsilon", 1e-5)?;
    let x = call.floats(net, 0)?;
    let shape = net.shape(x);
    let Some(&channels) = shape.get(1) else {
        return invalid(format!("no channels in a tensor of shape {shape:?}"));
    };
    let (factor, offset) = if let [Ok(Some(a)), Ok(Some(b)), Ok(Some(c)), Ok(Some(d))] =
        [1, 2, 3, 4].map(|index| call.operands().known(index))
    {
        let lists = [a, b, c, d].map(Tensor::to_floats);
        let [scale, bias, mean, variance] = &lists;
        if lists.iter().any(|list| list.len() != channels) {
            return invalid(format!("statistics of other than {channels} channels"));
        }
        let (mut factor, mut offset) = (Vec::new(), Vec::new());
        for (((s, b), m), v) in scale.iter().zip(bias).zip(mean).zip(variance) {
            let step = f64::from(*s) / (f64::from(*v) + f64::from(epsilon)).sqrt();
            #[allow(clippy::cast_possible_truncation, reason = "the network is computed in single precision")]
            let pair = (step as f32, (f64::from(*b) - f64::from(*m) * step) as f32);
            factor.push(pair.0);
            offset.push(pair.1);
        }
        let to = per_channel(channels, shape.len());
        (net.build.floats(&to, &factor)?, net.build.floats(&to, &offset)?)
    } else {
        let mut list = |index| -> Outcome<Flow> {
            let flow = call.floats(net, index)?;
            let to = per_channel(channels, shape.len());
            Ok(flow.with(net.build.reshape(flow.id, &to)?, false))
        };
        let [scale, bias, mean, variance] = [list(1)?, list(2)?, list(3)?, list(4)?];
        let spread = net.with_number("add", variance, epsilon)?;
        let inverse = net.unary("rsqrt", spread)?;
        let factor = net.binary("mul", scale, inverse)?;
        let moved = net.binary("mul", mean, factor)?;
        (factor.id, net.binary("sub", bias, moved)?.id)
    };
    let scaled = net.binary("mul", x, Flow::plain(factor))?;
    one(net.binary("add", scaled, Flow::plain(offset))?)
}

/// The shape of one number for each channel.
fn per_channel(channels: usize, rank: usize) -> Vec<usize> {
    (1..rank.max(2)).map(|axis| if axis == 1 { channels } else { 1 }).collect()
}

impl Net {
    /// Without mean and with variance 1 along axes; with the inverse of the deviation.
    fn normalized(&mut self, x: Flow, axes: &[usize], epsilon: f32) -> Outcome<Flow> {
        let mean = self.mean(x, axes)?;
        let distance = self.binary("sub", x, mean)?;
        let square = self.binary("mul", distance, distance)?;
        let variance = self.mean(square, axes)?;
        let spread = self.with_number("add", variance, epsilon)?;
        let inverse = self.unary("rsqrt", spread)?;
        self.binary("mul", distance, inverse)
    }

    /// Times a factor for each channel, plus an offset.
    fn scaled(&mut self, x: Flow, scale: Flow, bias: Flow) -> Outcome<Flow> {
        let shape = self.shape(x);
        let channels = shape.get(1).copied().unwrap_or(0);
        let mut product = x;
        for (name, flow) in [("mul", scale), ("add", bias)] {
            if self.extents(flow.id) != [channels] {
                return invalid(format!("{:?} values for {channels} channels", self.extents(flow.id)));
            }
            let list = self.build.reshape(flow.id, &per_channel(channels, shape.len()))?;
            product = self.binary(name, product, Flow::plain(list))?;
        }
        Ok(product)
    }
}

/// `InstanceNormalization`.
pub(in crate::onnx) fn instance(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (x, scale, bias) = (call.floats(net, 0)?, call.floats(net, 1)?, call.floats(net, 2)?);
    let epsilon = call.node.float("epsilon", 1e-5)?;
    let axes: Vec<usize> = (2..net.shape(x).len()).collect();
    let normal = net.normalized(x, &axes, epsilon)?;
    one(net.scaled(normal, scale, bias)?)
}

/// `GroupNormalization`.
pub(in crate::onnx) fn group(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (x, mut scale, mut bias) = (call.floats(net, 0)?, call.floats(net, 1)?, call.floats(net, 2)?);
    call.node.ignore(&["stash_type"]);
    let epsilon = call.node.float("epsilon", 1e-5)?;
    let groups = usize::try_from(call.node.int("num_groups", 0)?).unwrap_or(0);
    let shape = net.shape(x);
    let (&[batch, channels, ref space @ ..], true) = (&shape[..], groups > 0) else {
        return invalid(format!("{groups} groups of a tensor of shape {shape:?}"));
    };
    if channels % groups != 0 {
        return invalid(format!("{groups} groups of a tensor of shape {shape:?}"));
    }
    let size = space.iter().fold(channels / groups, |n, &d| n.saturating_mul(d));
    let rows = net.reshape(&x.into(), &[batch, groups, size])?;
    let rows = net.flow(&rows)?;
    let normal = net.normalized(rows, &[2], epsilon)?;
    let normal = net.reshape(&normal.into(), &shape)?;
    let normal = net.flow(&normal)?;
    // Before opset 21, a factor for each group.
    for list in [&mut scale, &mut bias] {
        if call.node.opset < 21 && net.extents(list.id) == [groups] && groups != channels {
            let column = net.build.reshape(list.id, &[groups, 1])?;
            let all = net.build.tile(column, &[1, channels / groups])?;
            *list = Flow::plain(net.build.reshape(all, &[channels])?);
        }
    }
    one(net.scaled(normal, scale, bias)?)
}

/// `LayerNormalization`.
pub(in crate::onnx) fn layer(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.ignore(&["stash_type"]);
    let (x, scale) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let epsilon = call.node.float("epsilon", 1e-5)?;
    let rank = net.shape(x).len();
    let axes: Vec<usize> = (axis_of(call.node.int("axis", -1)?, rank)?..rank).collect();
    let normal = net.normalized(x, &axes, epsilon)?;
    let product = net.binary("mul", normal, scale)?;
    match call.optional(2) {
        None => one(product),
        Some(bias) => {
            let bias = net.floats(bias)?;
            one(net.binary("add", product, bias)?)
        }
    }
}

/// `RMSNormalization`: by the root of the mean square.
pub(in crate::onnx) fn mean_square(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.ignore(&["stash_type"]);
    let (x, scale) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let epsilon = call.node.float("epsilon", 1e-5)?;
    let rank = net.shape(x).len();
    let axes: Vec<usize> = (axis_of(call.node.int("axis", -1)?, rank)?..rank).collect();
    let square = net.binary("mul", x, x)?;
    let mean = net.mean(square, &axes)?;
    let spread = net.with_number("add", mean, epsilon)?;
    let inverse = net.unary("rsqrt", spread)?;
    let normal = net.binary("mul", x, inverse)?;
    one(net.binary("mul", normal, scale)?)
}

/// `LpNormalization`; zeros stay zeros. A norm below the smallest normal number counts as that number.
pub(in crate::onnx) fn norm(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.floats(net, 0)?;
    let axis = axis_of(call.node.int("axis", -1)?, net.shape(x).len())?;
    let kind = match call.node.int("p", 2)? {
        1 => "ReduceL1",
        2 => "ReduceL2",
        p => return unsupported(format!("the attribute 'p' is supported as 1 and 2, got {p}")),
    };
    let norm = net.reduced(kind, x, &[axis])?;
    let norm = net.with_number("maximum", norm, f32::MIN_POSITIVE)?;
    let inverse = net.unary("reciprocal", norm)?;
    one(net.binary("mul", x, inverse)?)
}

/// `MeanVarianceNormalization`, by the deviation plus a small number.
pub(in crate::onnx) fn spread(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.floats(net, 0)?;
    let axes = axes_of(call.node.ints("axes").unwrap_or(&[0, 2, 3]), net.shape(x).len())?;
    let mean = net.mean(x, &axes)?;
    let distance = net.binary("sub", x, mean)?;
    let square = net.binary("mul", distance, distance)?;
    let variance = net.mean(square, &axes)?;
    let deviation = net.root(variance)?;
    let more = net.with_number("add", deviation, 1e-9)?;
    let inverse = net.unary("reciprocal", more)?;
    one(net.binary("mul", distance, inverse)?)
}

/// `LRN`: the mean of squares of neighbouring channels is a pooling.
pub(in crate::onnx) fn lrn(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let (alpha, beta) = (node.float("alpha", 1e-4)?, node.float("beta", 0.75)?);
    let (bias, size) = (node.float("bias", 1.0)?, node.int("size", 0)?);
    let x = call.floats(net, 0)?;
    let id = net.last(x)?;
    let shape = net.extents(id);
    let (Ok(size), [n, space @ .., c]) = (usize::try_from(size), shape.as_slice()) else {
        return invalid("an image and a size of at least 1 expected");
    };
    if size == 0 || size > 1 << 12 {
        return unsupported(format!("the attribute 'size' must be 1 to 4096, got {size}"));
    }
    let (pixels, c) = (space.iter().fold(*n, |n, &d| n.saturating_mul(d)), *c);
    let square = net.build.binary("mul", id, id)?;
    let sums = net.neighbours(square, [pixels, c], size)?;
    let sums = net.build.reshape(sums, &shape)?;
    let scaled = net.with_number("mul", x.with(sums, true), alpha)?;
    let spread = net.with_number("add", scaled, bias)?;
    let factor = net.with_number("pow", spread, -beta)?;
    one(net.binary("mul", x, factor)?)
}

impl Net {
    /// The mean over `size` neighbouring channels, of which those outside are 0.
    fn neighbours(&mut self, square: Id, [pixels, c]: [usize; 2], size: usize) -> Outcome<Id> {
        let rows = self.build.reshape(square, &[1, pixels, c, 1])?;
        let zero = self.build.scalar(Elem::F32, 0)?;
        let before = (size - 1) / 2;
        let padded = self.build.pad(rows, &[[0; 2], [0; 2], [before, size - 1 - before], [0; 2]], zero)?;
        Ok(self.build.pool(PoolKind::Average, padded, [1, size], &Window::UNIT, 0)?)
    }
}
