//! `tosa.conv3d` as a `conv2d`: the depths that a kernel covers become input channels, the output depths images of the batch.
//!
//! Invariant: outside of the input is its zero point, in depth as in the other dimensions.

use strum_ir::{Error, Operation, Value};

use super::conv::{Conv, zero_points};
use super::data::{Data, extents, wrong};
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;

/// Replaces the op.
pub(super) fn expand<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let operand = |index| op.operand(index).ok_or_else(|| wrong("operand"));
    let result = op.single_result().ok_or_else(|| wrong("result"))?;
    let (input, weights) = (operand(0)?, operand(1)?);
    let &[oc, kd, kh, kw, ic] = extents(weights)?.as_slice() else { return Err(wrong("rank")) };
    let shape = extents(result)?;
    let &[n, od, oh, ow, _] = shape.as_slice() else { return Err(wrong("rank")) };
    let pad = view::array::<6>(op, "pad").ok_or_else(|| wrong("pad"))?;
    let stride = view::array::<3>(op, "stride").ok_or_else(|| wrong("stride"))?;
    let dilation = view::array::<3>(op, "dilation").ok_or_else(|| wrong("dilation"))?;
    let depth = Depth {
        taps: (0..kd).map(|tap| tap.saturating_mul(dilation[0])).collect(),
        stride: stride[0],
        pad: [pad[0], pad[1]],
        outputs: od,
        outside: view::scalar_operand(op, 3).ok_or_else(|| wrong("zero point"))?,
    };
    // A tap's channels stay together, as in the input.
    let weights = Data::of(weights).transpose(build, &[0, 2, 3, 1, 4])?;
    let weights = weights.reshape(build, &[oc, kh, kw, kd.saturating_mul(ic)])?;
    let images = n.saturating_mul(od);
    let conv = Conv {
        input: depth.fold(build, input)?,
        weights: weights.value(build)?,
        bias: operand(2)?,
        zero_points: zero_points(op)?,
        pad: pad[2..].to_vec(),
        stride: [stride[1], stride[2]],
        dilation: [dilation[1], dilation[2]],
        shape: [images, oh, ow, oc],
    };
    let sums = conv.build(build, op)?;
    let sums = build.reshape(sums, &shape)?;
    op.replace_with(&[sums])
}

/// What a kernel does in depth.
struct Depth {
    /// Distance of each tap from the first one.
    taps: Vec<u64>,
    stride: u64,
    /// Before and after.
    pad: [u64; 2],
    outputs: u64,
    /// The value of padding.
    outside: i32,
}

impl Depth {
    /// The input `[N, D, H, W, C]` as `[N * outputs, H, W, taps * C]`.
    fn fold<'c>(&self, build: &mut Builder<'c>, input: Value<'c>) -> Result<Value<'c>, Error> {
        let shape = extents(input)?;
        let &[n, _, h, w, c] = shape.as_slice() else { return Err(wrong("rank")) };
        let plane = h.saturating_mul(w).saturating_mul(c);
        let (padded, steps) = self.padded(build, input)?;
        // In steps of the stride, the inputs of a tap are one behind the other.
        let stepped = padded.reshape(build, &[n, steps, self.stride, plane])?;
        let mut parts = Vec::with_capacity(self.taps.len());
        for tap in &self.taps {
            let start = [0, tap / self.stride, tap % self.stride, 0];
            let part = stepped.clone().slice(build, &start, &[n, self.outputs, 1, plane])?;
            parts.push(part.reshape(build, &[n.saturating_mul(self.outputs), h, w, c])?);
        }
        Data::concat(build, parts, 3)?.value(build)
    }

    /// The input with its padding, and the number of steps of the stride that it has.
    fn padded<'c>(&self, build: &mut Builder<'c>, input: Value<'c>) -> Result<(Data<'c>, u64), Error> {
        let mut shape = extents(input)?;
        let (depth, [before, after]) = (shape[1], self.pad);
        let needed = self.taps.iter().map(|tap| (tap / self.stride).saturating_add(self.outputs)).max();
        let whole = depth.saturating_add(before).saturating_add(after).div_ceil(self.stride);
        let steps = whole.max(needed.unwrap_or(0));
        let extent = steps.saturating_mul(self.stride);
        let mut parts = Vec::new();
        for (index, count) in
            [before, extent.saturating_sub(depth).saturating_sub(before)].into_iter().enumerate()
        {
            if index == 1 {
                parts.push(Data::Value(input));
            }
            if count > 0 {
                shape[1] = count;
                parts.push(Data::Known(Literal::splat(shape.clone(), Elem::I8, self.outside)));
            }
        }
        Ok((Data::concat(build, parts, 1)?, steps))
    }
}
