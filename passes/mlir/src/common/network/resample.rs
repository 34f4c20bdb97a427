//! Resampling of images: rows and columns selected, repeated, interpolated or dilated, with operators that every level has.
//!
//! Invariant: these functions move values and mix two of them, and keep the order of axes.

use strum_float::{Binary, Op, Tensor, ValueId, Window};
use strum_ir::{Operation, Reported};

use super::{Reader, internal};
use crate::common::verdict::UNSUPPORTED;

/// Upper limit on pieces for a reasonable program.
const MAX_PIECES: usize = 1024;

impl<'c> Reader<'c> {
    /// The values at these indices of an axis, in this order; every index is within bounds.
    pub(super) fn pick(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        positions: &[usize],
    ) -> Result<ValueId, Reported> {
        let extent = self.graph.shape(x).get(axis).copied().unwrap_or(0);
        let (Some(&first), Some(&last)) = (positions.first(), positions.last()) else {
            return Err(internal(op, "no index"));
        };
        if let Some(position) = positions.iter().find(|&&position| position >= extent) {
            return Err(internal(op, format_args!("index {position} along axis {axis} of size {extent}")));
        }
        let times = positions.iter().take_while(|&&position| position == first).count();
        if positions.iter().enumerate().all(|(i, &position)| position == first + i / times) {
            let part = self.part(op, x, axis, first, last + 1 - first)?;
            let whole = self.repeated(op, part, axis, times)?;
            // The last one may be repeated less often.
            return self.part(op, whole, axis, 0, positions.len());
        }
        let mut pieces = Vec::new();
        for run in positions.chunk_by(|&a, &b| b == a + 1) {
            let Some(&start) = run.first() else { continue };
            pieces.push(self.part(op, x, axis, start, run.len())?);
        }
        if pieces.len() > MAX_PIECES {
            return Err(op.error(format!(
                "{UNSUPPORTED}resampling axis {axis} needs {} slices, at most {MAX_PIECES} are supported",
                pieces.len()
            )));
        }
        self.push(op, Op::Concat { axis }, &pieces)
    }

    /// A slice of an axis.
    fn part(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        first: usize,
        count: usize,
    ) -> Result<ValueId, Reported> {
        let mut size = self.graph.shape(x).to_vec();
        let mut start = vec![0; size.len()];
        if let (Some(start), Some(size)) = (start.get_mut(axis), size.get_mut(axis)) {
            (*start, *size) = (first, count);
        }
        self.push(op, Op::Slice { start, size }, &[x])
    }

    /// Repeats every element of an axis.
    fn repeated(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        times: usize,
    ) -> Result<ValueId, Reported> {
        if times == 1 {
            return Ok(x);
        }
        let (rows, shape) = self.rows(op, x, axis, times)?;
        let all = self.push(op, Op::Concat { axis: 1 }, &vec![rows; times])?;
        self.push(op, Op::Reshape { shape }, &[all])
    }

    /// Dilates an axis by `step`: `step - 1` elements of a value between neighbours, and before and after all.
    pub(super) fn moved_apart(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        step: usize,
        value: f32,
    ) -> Result<ValueId, Reported> {
        if step == 1 {
            return Ok(x);
        }
        let count = self.graph.shape(x).get(axis).copied().unwrap_or(0);
        let (rows, shape) = self.rows(op, x, axis, step)?;
        let around = vec![[0, 0], [0, step - 1], [0, 0]];
        let all = self.push(op, Op::Pad { around, value }, &[rows])?;
        let all = self.push(op, Op::Reshape { shape }, &[all])?;
        self.part(op, all, axis, 0, (count - 1) * step + 1)
    }

    /// A value with an axis of extent 1 after the given one, as `[positions, 1, rest]`, and its shape with that axis enlarged by
    /// the factor.
    fn rows(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        times: usize,
    ) -> Result<(ValueId, Vec<usize>), Reported> {
        let mut shape = self.graph.shape(x).to_vec();
        let too_large = || internal(op, "the result is too large");
        let Some((before, after)) = shape.split_at_checked(axis + 1) else {
            return Err(internal(op, format_args!("{shape:?} has no axis {axis}")));
        };
        let rows = vec![before.iter().product(), 1, after.iter().product()];
        if let Some(extent) = shape.get_mut(axis) {
            *extent = extent.checked_mul(times).ok_or_else(too_large)?;
        }
        Ok((self.push(op, Op::Reshape { shape: rows }, &[x])?, shape))
    }

    /// Interpolates between the values at two lists of indices of an axis, with these fractions.
    pub(super) fn mixed(
        &mut self,
        op: Operation<'c>,
        x: ValueId,
        axis: usize,
        [from, to]: [&[usize]; 2],
        parts: &[f32],
    ) -> Result<ValueId, Reported> {
        let a = self.pick(op, x, axis, from)?;
        if parts.iter().all(|&part| part == 0.0) {
            return Ok(a);
        }
        let b = self.pick(op, x, axis, to)?;
        let mut shape = vec![1; self.graph.shape(x).len()];
        shape.get_mut(axis).into_iter().for_each(|extent| *extent = parts.len());
        let weight = |reader: &mut Self, values: Vec<f32>| {
            let tensor = Tensor::from_shape_vec(shape.clone(), values).map_err(|e| op.error(e))?;
            reader.constant(op, tensor)
        };
        let (near, far) =
            (weight(self, parts.iter().map(|p| 1.0 - p).collect())?, weight(self, parts.to_vec())?);
        let a = self.push(op, Op::Binary(Binary::Mul), &[a, near])?;
        let b = self.push(op, Op::Binary(Binary::Mul), &[b, far])?;
        self.push(op, Op::Binary(Binary::Add), &[a, b])
    }

    /// A transposed convolution of an NHWC image by OHWI weights: dilated pixels, and a convolution by flipped weights. `out_pad`
    /// are additional rows and columns of the result, before and after.
    pub(super) fn transposed_conv(
        &mut self,
        op: Operation<'c>,
        [image, weights, bias]: [ValueId; 3],
        stride: [usize; 2],
        out_pad: [[i64; 2]; 2],
    ) -> Result<ValueId, Reported> {
        let (mut image, mut weights) = (image, weights);
        let mut window = Window::UNIT;
        for (i, (step, pads)) in stride.into_iter().zip(out_pad).enumerate() {
            let taps = self.graph.shape(weights).get(i + 1).copied().unwrap_or(0);
            let reversed: Vec<usize> = (0..taps).rev().collect();
            weights = self.pick(op, weights, i + 1, &reversed)?;
            image = self.moved_apart(op, image, i + 1, step, 0.0)?;
            let pads = pads.map(|pad| {
                let reach = i64::try_from(taps).ok()?.checked_sub(1)?.checked_add(pad)?;
                usize::try_from(reach).ok()
            });
            let ([Some(before), Some(after)], Some(b), Some(a)) =
                (pads, window.before.get_mut(i), window.after.get_mut(i))
            else {
                return Err(internal(op, "out_pad is less than the kernel allows"));
            };
            (*b, *a) = (before, after);
        }
        self.push(op, Op::Conv2d(window), &[image, weights, bias])
    }
}
