//! Transposed convolutions. Invariant: dilated kernels have zeros between their taps, and what TOSA cannot leave out is sliced off.

use strum_float::Window;

use super::conv::{Layer, MAX_GROUPS, check_kernel, floats};
use super::window::{pair, sliding};
use crate::onnx::call::{Call, one};
use crate::onnx::node::Node;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::Id;

/// `ConvTranspose`.
pub(in crate::onnx) fn transposed(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let layer = floats(net, call)?;
    one(net.conv_transpose(&call.node, &layer)?)
}

/// The geometry of a transposed convolution.
struct Growth {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Rows and columns before and behind the result that are added, or left out if negative.
    pads: [[i64; 2]; 2],
}

/// Padding of a transposed convolution, which takes away from the result.
fn growth(node: &Node<'_>, space: &[usize], kernel: &[usize]) -> Outcome<Growth> {
    let found = sliding(node, space, kernel)?;
    let Window { stride, dilation, before, after } = found.window;
    let more = pair(&node.extents("output_padding", 0)?.unwrap_or_else(|| vec![0; space.len()]), 0)?;
    let auto = node.text("auto_pad")?.unwrap_or("NOTSET");
    let extents = pair(space, 1)?;
    let wanted = match (node.extents("output_shape", 1)?, auto) {
        (Some(wanted), _) => {
            Some(pair(wanted.get(wanted.len().saturating_sub(space.len())..).unwrap_or_default(), 1)?)
        }
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some([0, 1].map(|i| extents.get(i).zip(stride.get(i)).map_or(1, |(n, s)| n.saturating_mul(*s))))
        }
        (None, _) => None,
    };
    let wide = |d: usize| i64::try_from(d).unwrap_or(i64::MAX);
    let mut pads = [[0; 2]; 2];
    for (axis, pads) in pads.iter_mut().enumerate() {
        let at = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(0);
        let reach = at(&found.kernel).saturating_sub(1).saturating_mul(at(&dilation)).saturating_add(1);
        let full = at(&extents).saturating_sub(1).saturating_mul(at(&stride)).saturating_add(reach);
        let Some(wanted) = wanted else {
            *pads = [-wide(at(&before)), wide(at(&more)).saturating_sub(wide(at(&after)))];
            continue;
        };
        // What is missing is added behind the result; of what is too much, the larger half is cut before it, or behind it.
        let grown = full.saturating_add(at(&more));
        let total = grown.saturating_sub(at(&wanted));
        let cut = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
        *pads = [-wide(cut), wide(at(&wanted)).saturating_sub(wide(full)).saturating_add(wide(cut))];
    }
    Ok(Growth { stride, dilation, pads })
}

impl Net {
    /// The sums of a `ConvTranspose`, with channels last.
    pub(in crate::onnx) fn conv_transpose(&mut self, node: &Node<'_>, layer: &Layer) -> Outcome<Flow> {
        let (shape, taps) = (self.shape(layer.x), self.extents(layer.weights));
        let (&[_, channels, ref space @ ..], &[inputs, inner, ref kernel @ ..]) = (&shape[..], &taps[..])
        else {
            return invalid(format!("weights {taps:?} on an image of shape {shape:?}"));
        };
        check_kernel(node, kernel)?;
        let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
        if groups == 0 || channels != inputs || channels % groups != 0 {
            return invalid(format!(
                "weights {taps:?} in {groups} groups on an image of {channels} channels"
            ));
        }
        if groups > MAX_GROUPS {
            return unsupported(format!("at most {MAX_GROUPS} groups are supported, got {groups}"));
        }
        let grow = growth(node, space, kernel)?;
        let bias = self.bias(layer, inner.saturating_mul(groups))?;
        let (image, flat) = self.image(layer.x)?;
        let [rows, columns] = pair(kernel, 1)?;
        let weights = self.build.reshape(layer.weights, &[inputs, inner, rows, columns])?;
        let weights = self.build.transpose(weights, &[1, 2, 3, 0])?;
        let (weights, kernel) = self.spread_taps(weights, [rows, columns], &grow, layer.zero_points[1])?;
        let mut parts = Vec::new();
        for group in 0..groups {
            let count = channels / groups;
            let part = [
                self.part(image, 3, group * count, count)?,
                self.part(weights, 3, group * count, count)?,
                self.part(bias, 0, group * inner, inner)?,
            ];
            parts.push(self.cut_to(part, kernel, &grow, layer.zero_points)?);
        }
        let made = self.build.concat(&parts, 3)?;
        self.of_file(Flow::plain(made), made, flat)
    }

    /// OHWI weights with zeros between their taps.
    fn spread_taps(
        &mut self,
        weights: Id,
        kernel: [usize; 2],
        grow: &Growth,
        zero_point: i32,
    ) -> Outcome<(Id, [usize; 2])> {
        let (mut id, mut reach) = (weights, kernel);
        for axis in 0..2 {
            let (Some(&step), Some(taps)) = (grow.dilation.get(axis), reach.get_mut(axis)) else { continue };
            if step == 1 || *taps == 1 {
                continue;
            }
            let shape = self.extents(id);
            let (before, after) = (shape.iter().take(axis + 1), shape.iter().skip(axis + 2));
            let rows = [before.product::<usize>(), *taps, 1, after.product()];
            let rows = self.build.reshape(id, &rows)?;
            let zero = self.build.scalar(self.elem(id), zero_point)?;
            let rows = self.build.pad(rows, &[[0; 2], [0; 2], [0, step - 1], [0; 2]], zero)?;
            let mut to = shape;
            to.get_mut(axis + 1).into_iter().for_each(|d| *d = d.saturating_mul(step));
            let all = self.build.reshape(rows, &to)?;
            *taps = (*taps - 1) * step + 1;
            id = self.part(all, axis + 1, 0, *taps)?;
        }
        Ok((id, reach))
    }

    /// A transposed convolution by OHWI weights.
    fn cut_to(
        &mut self,
        operands: [Id; 3],
        kernel: [usize; 2],
        grow: &Growth,
        zero_points: [i32; 2],
    ) -> Outcome<Id> {
        let (mut around, mut cut) = ([[0; 2]; 2], [[0; 2]; 2]);
        for axis in 0..2 {
            let least = 1 - kernel.get(axis).map_or(1, |&k| i64::try_from(k).unwrap_or(i64::MAX));
            let (Some(pads), Some(around), Some(cut)) =
                (grow.pads.get(axis), around.get_mut(axis), cut.get_mut(axis))
            else {
                continue;
            };
            *around = pads.map(|pad| pad.max(least));
            *cut = pads.map(|pad| usize::try_from(least.saturating_sub(pad)).unwrap_or(0));
        }
        let mut made = self.build.transpose_conv(operands, zero_points, around, grow.stride)?;
        for (axis, [before, behind]) in cut.into_iter().enumerate() {
            let extent = self.extents(made).get(axis + 1).copied().unwrap_or(0);
            let Some(count) = extent.checked_sub(before.saturating_add(behind)) else {
                return invalid(format!("padding leaves nothing of a result of {extent} positions"));
            };
            made = self.part(made, axis + 1, before, count)?;
        }
        Ok(made)
    }
}
