//! Means, softmax, concatenation and resampling of codes. Invariant: a mean is rounded once where TOSA allows it.

use super::Quantized;
use crate::integer;
use crate::onnx::call::{Operands, Target};
use crate::onnx::fold;
use crate::onnx::node::axis_of;
use crate::onnx::ops::conv::MAX_LIST;
use crate::onnx::ops::pool::{Pooling, average};
use crate::onnx::ops::resize::resampled;
use crate::onnx::ops::window::Sliding;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Codes, Elem};

/// Bits behind the point of probabilities before they are rounded.
const SOFTMAX_BITS: u8 = 24;

/// `AveragePool`.
pub(super) fn pool(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let (x, codes) = call.codes(net, 0)?;
    let pooling = average(net, call.node, x)?;
    // The same codes are a pooling; others would be rounded twice.
    if codes == target.codes {
        let mean = net.pooled(x, &pooling)?;
        return net.requantized(mean, codes, target);
    }
    net.window_sums(x, codes, &pooling, target)
}

impl Net {
    /// Means as sums of windows, a depthwise convolution by ones, times the share of an element in its window.
    fn window_sums(&mut self, x: Flow, codes: Codes, pooling: &Pooling, target: Target) -> Outcome<Flow> {
        let Sliding { kernel, mut window } = pooling.sliding;
        let (image, flat) = self.image(x)?;
        let &[_, rows, columns, channels] = self.extents(image).as_slice() else {
            return invalid("an image expected");
        };
        if window.dilation != [1, 1] {
            return unsupported("dilations of a mean are not supported");
        }
        let counted = window;
        if pooling.ceil {
            self.round_up(image, kernel, &mut window)?;
        }
        let taps = kernel[0].saturating_mul(kernel[1]);
        if taps > 1 << 12 || taps.saturating_mul(channels) > MAX_LIST {
            return unsupported(format!("means of windows of {kernel:?} are not supported on codes"));
        }
        let ones = vec![1; taps.saturating_mul(channels)];
        let ones = self.build.ints(Elem::I8, &[kernel[0], kernel[1], channels, 1], &ones)?;
        let bias = self.build.ints(Elem::I32, &[channels], &vec![0; channels])?;
        let mut sums = self.build.conv(true, [image, ones, bias], [codes.zero_point, 0], &window)?;
        let made = self.extents(sums);
        let counts = |axis: usize, extent: usize| -> Vec<usize> {
            let pick = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(0);
            let (stride, before) = (pick(&window.stride), pick(&window.before));
            // Positions are counted from the first one of the padding.
            let (first, end) = if pooling.padding_counts {
                (0, before + extent + pick(&counted.after))
            } else {
                (before, before + extent)
            };
            let number =
                |i: usize| (i * stride + pick(&kernel)).min(end).saturating_sub((i * stride).max(first));
            (0..made.get(axis + 1).copied().unwrap_or(0)).map(number).collect()
        };
        let (by_row, by_column) = (counts(0, rows), counts(1, columns));
        let all: Vec<usize> = by_row.iter().flat_map(|a| by_column.iter().map(move |b| a * b)).collect();
        let same = all.iter().all(|n| Some(n) == all.first());
        #[allow(clippy::cast_precision_loss, reason = "at most 2^12 taps")]
        let mut unit = codes.scale / all.first().copied().unwrap_or(1).max(1) as f64;
        if !same {
            // Sums have 8 bits more than their number of elements.
            let bits = 21 - taps.ilog2();
            let half = |n: usize| i64::try_from(n.max(1)).unwrap_or(i64::MAX);
            let share = |&n: &usize| ((2_i64 << bits) / half(n) + 1) / 2;
            let shares: Vec<i64> = all.iter().map(share).collect();
            let shares = self.build.ints(Elem::I32, &[1, by_row.len(), by_column.len(), 1], &shares)?;
            sums = self.build.binary("mul", sums, shares)?;
            unit = codes.scale / f64::from(bits).exp2();
        }
        let sums = self.of_file(Flow::plain(sums), sums, flat)?;
        self.finished(sums, &[unit], target)
    }
}

/// `GlobalAveragePool`.
pub(super) fn global(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let (x, codes) = call.codes(net, 0)?;
    let axes: Vec<usize> = (2..net.shape(x).len()).collect();
    net.code_sums(x, codes, &axes, true, call.target()?)
}

/// `ReduceMean` and `ReduceSum`.
pub(super) fn reduce(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let node = call.node;
    let (x, codes) = call.codes(net, 0)?;
    let axes = fold::axes(node, Operands(call.inputs), net.shape(x).len())?;
    if axes.is_empty() {
        return Ok(x);
    }
    let made = net.code_sums(x, codes, &axes, node.kind() == "ReduceMean", call.target()?)?;
    let made = net.without(made, &axes, node.flag("keepdims", true)?)?;
    net.flow(&made)
}

impl Net {
    /// Sums or means of codes along axes.
    fn code_sums(
        &mut self,
        x: Flow,
        codes: Codes,
        axes: &[usize],
        mean: bool,
        target: Target,
    ) -> Outcome<Flow> {
        let shape = self.shape(x);
        let count: usize = axes.iter().filter_map(|&axis| shape.get(axis)).product();
        if count > 1 << 22 {
            return unsupported(format!("a sum of {count} codes could overflow 32 bits"));
        }
        let wide = x.with(self.rescaled(x.id, &[1.0], Elem::I32, [codes.zero_point, 0])?, x.last);
        let sums = self.reduce("reduce_sum", wide, axes)?;
        #[allow(clippy::cast_precision_loss, reason = "at most 2^22 codes")]
        let share = if mean { 1.0 / count as f64 } else { 1.0 };
        self.finished(sums, &[codes.scale * share], target)
    }
}

/// `Softmax`, with the integers of TFLite's kernel.
pub(super) fn softmax(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let (x, codes) = call.codes(net, 0)?;
    let shape = net.shape(x);
    let whole = call.node.opset < 13;
    let axis = axis_of(call.node.int("axis", if whole { 1 } else { -1 })?, shape.len())?;
    let target = call.target()?;
    // Before opset 13, all axes from the given one are one; otherwise it is moved to the end.
    let (moved, back) = if whole {
        let (rows, columns) = shape.split_at(axis);
        (net.reshape(&x.into(), &[rows.iter().product(), columns.iter().product()])?, None)
    } else {
        let perms: Vec<usize> = (0..shape.len()).filter(|&a| a != axis).chain([axis]).collect();
        let back: Vec<usize> = (0..shape.len()).filter_map(|a| perms.iter().position(|&p| p == a)).collect();
        (net.transpose(&x.into(), &perms)?, Some(back))
    };
    let moved = net.flow(&moved)?;
    // With channels last in memory, the last axis of the file is not.
    let plain = net.plain(moved)?;
    let sums = integer::probabilities(&mut net.build, plain, codes, 1.0, SOFTMAX_BITS)?;
    let made = net.finished(Flow::plain(sums), &[f64::from(SOFTMAX_BITS).exp2().recip()], target)?;
    let made = match back {
        Some(perms) => net.transpose(&made.into(), &perms)?,
        None => net.reshape(&made.into(), &shape)?,
    };
    net.flow(&made)
}

/// `Concat`, after bringing operands to the codes of the result.
pub(super) fn concat(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let mut parts = Vec::new();
    for index in 0..call.inputs.len() {
        parts.push(call.codes(net, index)?);
    }
    let Some(&(first, codes)) = parts.first() else { return invalid("no operand") };
    let axis = axis_of(call.node.int("axis", 1)?, net.shape(first).len())?;
    let same = parts.iter().all(|(_, other)| *other == codes);
    let target = match call.target {
        Some(target) => target,
        None if same => Target { codes, unsigned: first.unsigned },
        None => call.target()?,
    };
    let mut all: Vec<Value> = Vec::new();
    for (part, codes) in parts {
        all.push(net.requantized(part, codes, target)?.into());
    }
    let made = net.concat(&all, axis)?;
    net.flow(&made)
}

/// `Resize` and `Upsample`: the nearest code, or a mean of four, rounded once.
pub(super) fn resize(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let (x, codes) = call.codes(net, 0)?;
    let (made, units) = resampled(net, call.node, call.inputs, x)?;
    match units {
        None => Ok(made),
        Some(units) => {
            // A bias in units of the zero point: sums of weights are the same everywhere.
            let zero = i64::from(codes.zero_point).saturating_mul(units);
            let offset = Flow::plain(net.build.ints(Elem::I32, &[], &[zero])?);
            let sums = net.binary("sub", made, offset)?;
            #[allow(clippy::cast_precision_loss, reason = "at most 2^22")]
            net.finished(sums, &[codes.scale / units as f64], call.target()?)
        }
    }
}
