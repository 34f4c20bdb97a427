//! `tosa.transpose_conv2d` as its phases: a convolution for each remainder of an output's position, whose results are interleaved.
//!
//! Invariant: no product with an inserted zero is computed; what is moved is the result of the ops behind the accumulators, if there are
//! any, and never wider.

use strum_ir::{Error, Operation, Value};

use super::conv::{Conv, zero_points};
use super::data::{Data, extents, wrong};
use super::phase::{Axis, Run};
use super::post::Post;
use super::repeat::reversed;
use crate::common::tosa::build::Builder;
use crate::common::tosa::view;

/// Elements of a constant that is written out here; larger ones are left to `strum-canonicalize` and its limits.
const WRITTEN: u64 = 1 << 16;

/// What the phases share.
struct Layer<'c> {
    op: Operation<'c>,
    input: Value<'c>,
    /// `[OC, KH, KW, IC]`.
    weights: Data<'c>,
    /// One for each output channel.
    bias: Data<'c>,
    zero_points: [Value<'c>; 2],
    post: Post<'c>,
    rows: Axis,
    columns: Axis,
    batch: u64,
}

/// Replaces the op and the element-wise ops behind it.
pub(super) fn expand<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let layer = Layer::read(build, op)?;
    // What the chain reads may stand between the op and the chain.
    build.go(layer.post.last());
    build.set_location(op.location());
    let result = layer.interleaved(build)?;
    layer.post.replace(result)
}

impl<'c> Layer<'c> {
    fn read(build: &mut Builder<'c>, op: Operation<'c>) -> Result<Self, Error> {
        let operand = |index| op.operand(index).ok_or_else(|| wrong("operand"));
        let result = op.single_result().ok_or_else(|| wrong("result"))?;
        let (input, weights) = (operand(0)?, operand(1)?);
        let (&[batch, height, width, _], &[_, kernel_y, kernel_x, _], &[_, out_y, out_x, channels]) =
            (extents(input)?.as_slice(), extents(weights)?.as_slice(), extents(result)?.as_slice())
        else {
            return Err(wrong("rank"));
        };
        let [stride_y, stride_x] = view::array::<2>(op, "stride").ok_or_else(|| wrong("stride"))?;
        let pads = op.ints_attr("out_pad").ok_or_else(|| wrong("out_pad"))?;
        let &[top, _, left, _] = pads.as_slice() else { return Err(wrong("out_pad")) };
        let bias = Data::of(operand(2)?);
        let bias = if bias.shape()? == [1] { bias.repeat(build, 0, channels)? } else { bias };
        Ok(Layer {
            op,
            input,
            weights: Data::of(weights),
            bias,
            zero_points: zero_points(op)?,
            post: Post::of(op)?,
            rows: Axis { input: height, kernel: kernel_y, stride: stride_y, before: top, output: out_y },
            columns: Axis { input: width, kernel: kernel_x, stride: stride_x, before: left, output: out_x },
            batch,
        })
    }

    /// The whole result, behind the chain.
    fn interleaved(&self, build: &mut Builder<'c>) -> Result<Value<'c>, Error> {
        let (rows, columns) = (&self.rows, &self.columns);
        let row_runs = rows.runs().ok_or_else(|| wrong("out_pad"))?;
        let column_runs = columns.runs().ok_or_else(|| wrong("out_pad"))?;
        let width = columns.each().saturating_mul(columns.period());
        let line = width.saturating_mul(self.post.channels());
        // Rows of one phase are neighbours of those of the next one: the columns of a row are interleaved before the rows.
        let mut parts = Vec::new();
        for run in &row_runs {
            let part = match run.taps {
                0 => {
                    let lines = run.phases.saturating_mul(self.batch).saturating_mul(rows.each());
                    self.biases(build, lines.saturating_mul(width))?
                }
                _ => self.rows(build, run, &column_runs)?,
            };
            parts.push(part.reshape(build, &[self.batch, rows.each(), run.phases, line])?);
        }
        let whole = Data::concat(build, parts, 2)?;
        let height = rows.each().saturating_mul(rows.period());
        let channels = self.post.channels();
        let whole = whole.reshape(build, &[self.batch, height, width, channels])?;
        let used = [self.batch, rows.output, columns.output, channels];
        whole.slice(build, &[0; 4], &used)?.value(build)
    }

    /// Phases of rows that are alike, with the columns interleaved: `[N * outputs of a phase, phases, width, OC]` in this order.
    fn rows(&self, build: &mut Builder<'c>, rows: &Run, column_runs: &[Run]) -> Result<Data<'c>, Error> {
        let (each, channels, copies) = (self.columns.each(), self.post.channels(), rows.phases);
        let lines = self.batch.saturating_mul(self.rows.each());
        let mut parts = Vec::new();
        for run in column_runs {
            let part = match run.taps {
                0 => {
                    let pixels = [each, copies, run.phases].into_iter().fold(lines, u64::saturating_mul);
                    self.biases(build, pixels)?
                }
                _ => self.convolution(build, rows, run)?,
            };
            parts.push(part.reshape(build, &[lines, each, copies, run.phases.saturating_mul(channels)])?);
        }
        build.set_location(self.op.location());
        let turned = if copies > 1 { [0, 2, 1, 3] } else { [0, 1, 2, 3] };
        Data::concat(build, parts, 3)?.transpose(build, &turned)
    }

    /// The weights of phases that are alike, with the output channels of all: `[rows * columns * OC, taps, taps, IC]`.
    fn kernel(&self, build: &mut Builder<'c>, rows: &Run, columns: &Run) -> Result<Data<'c>, Error> {
        let shape = self.weights.shape()?;
        let &[channels, _, _, depth] = shape.as_slice() else { return Err(wrong("rank")) };
        let taps = self::taps(build, self.weights.clone(), (1, self.rows.stride), rows)?;
        let taps = self::taps(build, taps, (3, self.columns.stride), columns)?;
        let phases = rows.phases.saturating_mul(columns.phases);
        let turned = if phases > 1 { [2, 4, 0, 1, 3, 5] } else { [0, 1, 2, 3, 4, 5] };
        let taps = taps.transpose(build, &turned)?;
        taps.reshape(build, &[phases.saturating_mul(channels), rows.taps, columns.taps, depth])
    }

    /// Phases that read the same inputs, as one convolution with the output channels of all.
    fn convolution(&self, build: &mut Builder<'c>, rows: &Run, columns: &Run) -> Result<Data<'c>, Error> {
        build.set_location(self.op.location());
        let copies = rows.phases.saturating_mul(columns.phases);
        let shape = extents(self.input)?;
        let &[batch, _, _, depth] = shape.as_slice() else { return Err(wrong("rank")) };
        let (y, x) = (rows.read, columns.read);
        let start = [0, y.start, x.start, 0];
        let input = Data::Value(self.input).slice(build, &start, &[batch, y.size, x.size, depth])?;
        let conv = Conv {
            input: input.value(build)?,
            weights: self.kernel(build, rows, columns)?.value(build)?,
            bias: self.bias.clone().repeat(build, 0, copies)?.value(build)?,
            zero_points: self.zero_points,
            pad: [y.pad, x.pad].concat(),
            stride: [1, 1],
            dilation: [1, 1],
            shape: [
                batch,
                self.rows.each(),
                self.columns.each(),
                self.post.channels().saturating_mul(copies),
            ],
        };
        let sums = conv.build(build, self.op)?;
        let result = self.post.apply(build, sums, copies)?;
        build.set_location(self.op.location());
        Ok(Data::Value(result))
    }

    /// `count` pixels that no input reaches: the bias, and what the chain makes of it.
    fn biases(&self, build: &mut Builder<'c>, count: u64) -> Result<Data<'c>, Error> {
        build.set_location(self.op.location());
        let pixel = self.bias.clone().reshape(build, &[1, 1, 1, self.post.channels()])?.value(build)?;
        let result = self.post.apply(build, pixel, 1)?;
        build.set_location(self.op.location());
        let large = count.saturating_mul(self.post.channels()) > WRITTEN;
        let data = if large { Data::Value(result) } else { Data::of(result) };
        data.repeat(build, 0, count)
    }
}

/// The taps of a run along an axis of a kernel, in the order in which they are applied: the axis becomes one of taps and one of phases.
fn taps<'c>(
    build: &mut Builder<'c>,
    kernel: Data<'c>,
    (axis, stride): (usize, u64),
    run: &Run,
) -> Result<Data<'c>, Error> {
    let shape = kernel.shape()?;
    let (outer, inner) = (shape.get(..axis), shape.get(axis + 1..));
    let (Some(outer), Some(inner)) = (outer, inner) else { return Err(wrong("axis")) };
    let split = |taps: u64, phases: u64| [outer, &[taps, phases], inner].concat();
    let cut = |build: &mut Builder<'c>, at: u64, count: u64| {
        let (mut start, mut size) = (vec![0; shape.len()], shape.clone());
        (start[axis], size[axis]) = (at, count);
        kernel.clone().slice(build, &start, &size)
    };
    let whole = (run.taps - 1).saturating_mul(stride);
    let last =
        cut(build, run.first.saturating_add(whole), run.phases)?.reshape(build, &split(1, run.phases))?;
    let rest = match run.taps {
        1 => return Ok(last),
        2 => cut(build, run.first, run.phases)?.reshape(build, &split(1, run.phases))?,
        count => {
            // Before the last taps there are a stride of them for each step, of which as many are used as there are phases.
            let steps = cut(build, run.first, whole)?.reshape(build, &split(count - 1, stride))?;
            let used = steps.slice(build, &vec![0; shape.len() + 1], &split(count - 1, run.phases))?;
            reversed(build, used, axis)?
        }
    };
    Data::concat(build, vec![last, rest], axis)
}
