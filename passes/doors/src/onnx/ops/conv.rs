//! Convolutions. Invariant: images have channels last, and groups that are not channels become convolutions of their own.

use strum_float::Window;

use super::window::{Sliding, pair, sliding};
use super::{Call, one};
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Attribute, Elem, Id, Operand};

/// Most groups of a convolution that is not depthwise.
const MAX_GROUPS: usize = 256;

/// `Conv`.
pub(super) fn conv(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (x, weights) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let weights = net.plain(weights)?;
    let (shape, taps) = (net.shape(x), net.extents(weights));
    let (&[_, channels, ref space @ ..], &[outputs, inner, ref kernel @ ..]) = (&shape[..], &taps[..]) else {
        return invalid(format!("weights {taps:?} on an image of shape {shape:?}"));
    };
    check_kernel(call, kernel)?;
    let sliding = sliding(&call.node, space, kernel)?;
    let groups = usize::try_from(call.node.int("group", 1)?).unwrap_or(0);
    if groups == 0 || channels != inner.saturating_mul(groups) || outputs % groups != 0 {
        return invalid(format!("weights {taps:?} in {groups} groups on an image of {channels} channels"));
    }
    let bias = bias(net, call, outputs)?;
    let (image, flat) = net.image(x)?;
    let made = net.grouped(image, weights, bias, groups, &sliding)?;
    one(net.from_image(x, made, flat)?)
}

/// The attribute `kernel_shape` must be that of the weights.
pub(in crate::onnx) fn check_kernel(call: &Call<'_>, kernel: &[usize]) -> Outcome<()> {
    match call.node.extents("kernel_shape", 1)? {
        Some(given) if given != kernel => {
            invalid(format!("the kernel is {given:?}, weights are for {kernel:?}"))
        }
        _ => Ok(()),
    }
}

fn bias(net: &mut Net, call: &Call<'_>, outputs: usize) -> Outcome<Id> {
    if call.optional(2).is_none() {
        return Ok(net.build.floats(&[outputs], &vec![0.0; outputs])?);
    }
    let bias = call.floats(net, 2)?;
    if net.extents(bias.id) != [outputs] {
        return invalid(format!("a bias of shape {:?} for {outputs} channels", net.extents(bias.id)));
    }
    Ok(bias.id)
}

impl Net {
    /// A convolution of floats by weights `[outputs, inputs of a group, kernel]`.
    fn grouped(&mut self, image: Id, weights: Id, bias: Id, groups: usize, sliding: &Sliding) -> Outcome<Id> {
        let channels = self.extents(image).last().copied().unwrap_or(0);
        let (weights, depthwise) = self.conv_weights(weights, groups, channels, sliding.kernel)?;
        if depthwise || groups == 1 {
            return Ok(self.build.conv(depthwise, [image, weights, bias], [0, 0], &sliding.window)?);
        }
        if groups > MAX_GROUPS {
            return unsupported(format!("at most {MAX_GROUPS} groups are supported, got {groups}"));
        }
        let outputs = self.extents(bias).first().copied().unwrap_or(0) / groups;
        let mut parts = Vec::new();
        for group in 0..groups {
            let inputs = channels / groups;
            let part = [
                self.part(image, 3, group * inputs, inputs)?,
                self.part(weights, 0, group * outputs, outputs)?,
                self.part(bias, 0, group * outputs, outputs)?,
            ];
            parts.push(self.build.conv(false, part, [0, 0], &sliding.window)?);
        }
        Ok(self.build.concat(&parts, 3)?)
    }

    /// Weights `[outputs, inputs of a group, kernel]` in TOSA's order, OHWI, or HWCM if every channel is a group.
    pub(in crate::onnx) fn conv_weights(
        &mut self,
        weights: Id,
        groups: usize,
        channels: usize,
        [rows, columns]: [usize; 2],
    ) -> Outcome<(Id, bool)> {
        let outputs = self.extents(weights).first().copied().unwrap_or(0);
        let depthwise = groups > 1 && groups == channels;
        if depthwise {
            let split = self.build.reshape(weights, &[channels, outputs / channels, rows, columns])?;
            return Ok((self.build.transpose(split, &[2, 3, 0, 1])?, true));
        }
        let image = self.build.reshape(weights, &[outputs, channels / groups, rows, columns])?;
        Ok((self.build.transpose(image, &[0, 2, 3, 1])?, false))
    }
}

/// `ConvTranspose`.
pub(super) fn transposed(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (x, weights) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let weights = net.plain(weights)?;
    let (shape, taps) = (net.shape(x), net.extents(weights));
    let (&[_, channels, ref space @ ..], &[inputs, inner, ref kernel @ ..]) = (&shape[..], &taps[..]) else {
        return invalid(format!("weights {taps:?} on an image of shape {shape:?}"));
    };
    check_kernel(call, kernel)?;
    let groups = usize::try_from(call.node.int("group", 1)?).unwrap_or(0);
    if groups == 0 || channels != inputs || channels % groups != 0 {
        return invalid(format!("weights {taps:?} in {groups} groups on an image of {channels} channels"));
    }
    if groups > MAX_GROUPS {
        return unsupported(format!("at most {MAX_GROUPS} groups are supported, got {groups}"));
    }
    let grow = growth(call, space, kernel)?;
    let bias = bias(net, call, inner.saturating_mul(groups))?;
    let (image, flat) = net.image(x)?;
    let kernel = pair(kernel, 1)?;
    let weights = net.build.reshape(weights, &[inputs, inner, kernel[0], kernel[1]])?;
    // One output channel first, then rows, columns and inputs.
    let weights = net.build.transpose(weights, &[1, 2, 3, 0])?;
    let (weights, kernel) = net.dilated(weights, kernel, grow.dilation)?;
    let mut parts = Vec::new();
    for group in 0..groups {
        let count = channels / groups;
        let part = [
            net.part(image, 3, group * count, count)?,
            net.part(weights, 3, group * count, count)?,
            net.part(bias, 0, group * inner, inner)?,
        ];
        parts.push(net.conv_transposed(part, kernel, &grow)?);
    }
    let made = net.build.concat(&parts, 3)?;
    one(net.from_image(x, made, flat)?)
}

/// The geometry of a transposed convolution.
struct Growth {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Rows and columns before and behind the result that are added, or left out if negative.
    pads: [[i64; 2]; 2],
}

/// Padding of a transposed convolution, which takes away from the result.
fn growth(call: &Call<'_>, space: &[usize], kernel: &[usize]) -> Outcome<Growth> {
    let found = sliding(&call.node, space, kernel)?;
    let Window { stride, dilation, mut before, mut after } = found.window;
    let more = pair(&call.node.extents("output_padding", 0)?.unwrap_or_else(|| vec![0; space.len()]), 0)?;
    let wanted = call.node.extents("output_shape", 1)?;
    let auto = call.node.text("auto_pad")?.unwrap_or("NOTSET");
    let extents = pair(space, 1)?;
    let wanted = match (wanted, auto) {
        (Some(wanted), _) => {
            Some(pair(wanted.get(wanted.len().saturating_sub(space.len())..).unwrap_or_default(), 1)?)
        }
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some([0, 1].map(|i| extents.get(i).zip(stride.get(i)).map_or(1, |(n, s)| n.saturating_mul(*s))))
        }
        (None, _) => None,
    };
    let mut pads = [[0; 2]; 2];
    for (axis, pads) in pads.iter_mut().enumerate() {
        let at = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(0);
        let reach = (at(&found.kernel).saturating_sub(1)).saturating_mul(at(&dilation)).saturating_add(1);
        let full =
            (at(&extents) - 1).saturating_mul(at(&stride)).saturating_add(reach).saturating_add(at(&more));
        if let Some(wanted) = wanted {
            let total = full.saturating_sub(at(&wanted));
            let less = total / 2;
            let pair = if auto == "SAME_UPPER" { [less, total - less] } else { [total - less, less] };
            before.get_mut(axis).into_iter().for_each(|b| *b = pair[0]);
            after.get_mut(axis).into_iter().for_each(|a| *a = pair[1]);
        }
        let wide = |d: usize| i64::try_from(d).unwrap_or(i64::MAX);
        *pads = [-wide(at(&before)), wide(at(&more)).saturating_sub(wide(at(&after)))];
    }
    Ok(Growth { stride, dilation, pads })
}

impl Net {
    /// OHWI weights with zeros between their taps.
    fn dilated(
        &mut self,
        weights: Id,
        kernel: [usize; 2],
        dilation: [usize; 2],
    ) -> Outcome<(Id, [usize; 2])> {
        let (mut id, mut reach) = (weights, kernel);
        for axis in 0..2 {
            let (Some(&step), Some(taps)) = (dilation.get(axis), reach.get_mut(axis)) else { continue };
            if step == 1 || *taps == 1 {
                continue;
            }
            let shape = self.extents(id);
            let (before, after) = (shape.iter().take(axis + 1), shape.iter().skip(axis + 2));
            let rows = [before.product::<usize>(), *taps, 1, after.product()];
            let rows = self.build.reshape(id, &rows)?;
            let zero = self.build.scalar(Elem::F32, 0)?;
            let rows = self.build.pad(rows, &[[0; 2], [0; 2], [0, step - 1], [0; 2]], zero)?;
            let mut to = shape;
            to.get_mut(axis + 1).into_iter().for_each(|d| *d = d.saturating_mul(step));
            let all = self.build.reshape(rows, &to)?;
            *taps = (*taps - 1) * step + 1;
            id = self.part(all, axis + 1, 0, *taps)?;
        }
        Ok((id, reach))
    }

    /// A transposed convolution by OHWI weights. What TOSA cannot leave out is sliced off.
    fn conv_transposed(
        &mut self,
        [image, weights, bias]: [Id; 3],
        kernel: [usize; 2],
        grow: &Growth,
    ) -> Outcome<Id> {
        let (shape, taps) = (self.extents(image), self.extents(weights));
        let mut out = vec![shape.first().copied().unwrap_or(1)];
        let (mut pads, mut sliced) = (Vec::new(), Vec::new());
        for axis in 0..2 {
            let at = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(1);
            let [before, after] = grow.pads.get(axis).copied().unwrap_or_default();
            let least = 1 - i64::try_from(at(&kernel)).unwrap_or(i64::MAX);
            let (kept, rest) = ([before.max(least), after.max(least)], [before.min(least), after.min(least)]);
            let rest = rest.map(|r| usize::try_from(least - r).unwrap_or(0));
            let full = shape
                .get(axis + 1)
                .map_or(0, |n| (n - 1).saturating_mul(at(&grow.stride)))
                .saturating_add(at(&kernel));
            let extent =
                i64::try_from(full).ok().map(|full| full.saturating_add(kept[0]).saturating_add(kept[1]));
            let extent = extent.and_then(|extent| usize::try_from(extent).ok()).filter(|&n| n > 0);
            let (Some(extent), Some(size)) = (extent, extent.and_then(|n| n.checked_sub(rest[0] + rest[1])))
            else {
                return invalid(format!("padding leaves nothing of a result of {full} positions"));
            };
            out.push(extent);
            pads.extend(kept);
            sliced.push((rest[0], size));
        }
        out.push(taps.first().copied().unwrap_or(1));
        let zero = self.build.scalar(Elem::F32, 0)?;
        let attributes = vec![
            ("acc_type", Attribute::Type(Elem::F32)),
            ("out_pad", Attribute::Ints64(pads)),
            ("stride", Attribute::Ints64(grow.stride.map(|s| i64::try_from(s).unwrap_or(i64::MAX)).to_vec())),
        ];
        let operands = [image, weights, bias, zero, zero].map(Operand::Value).to_vec();
        let mut made = self.build.push("transpose_conv2d", operands, attributes, &out, Elem::F32)?;
        for (axis, (first, count)) in sliced.into_iter().enumerate() {
            made = self.part(made, axis + 1, first, count)?;
        }
        Ok(made)
    }
}

impl Net {
    /// Floats times weights `[outputs, inputs]` plus a bias, as a convolution of images of `rows` pixels.
    pub(super) fn connected(&mut self, x: Id, weights: Id, bias: Id) -> Outcome<Flow> {
        let (shape, taps) = (self.extents(x), self.extents(weights));
        let (&[outputs, inputs], Some((&last, rest))) = (&taps[..], shape.split_last()) else {
            return invalid(format!("weights {taps:?} on a tensor of shape {shape:?}"));
        };
        if last != inputs {
            return invalid(format!("weights {taps:?} on a tensor of shape {shape:?}"));
        }
        let (batch, rows) = rest.split_first().map_or((1, 1), |(&n, rows)| (n, rows.iter().product()));
        let image = self.build.reshape(x, &[batch, rows, 1, inputs])?;
        let weights = self.build.reshape(weights, &[outputs, 1, 1, inputs])?;
        let made = self.build.conv(false, [image, weights, bias], [0, 0], &Window::UNIT)?;
        Ok(Flow::plain(self.build.reshape(made, &[rest, &[outputs]].concat())?))
    }
}
