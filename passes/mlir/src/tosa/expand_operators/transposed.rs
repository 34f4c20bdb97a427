//! `tosa.transpose_conv2d` as its phases: a convolution for each remainder of an output's position, whose results are interleaved.
//!
//! Invariant: no product with an inserted zero is computed; what is moved is the result of the ops behind the accumulators, if there are
//! any, and never wider.

use strum_ir::{Error, Operation, Value};

use super::conv::{Conv, zero_points};
use super::data::{Data, extents, wrong};
use super::phase::{Axis, Phase};
use super::post::Post;
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
            let count = run.len() as u64;
            let part = match run.first() {
                Some(phase) if !phase.taps.is_empty() => self.rows(build, run, &column_runs)?,
                _ => {
                    let lines = count.saturating_mul(self.batch).saturating_mul(rows.each());
                    self.biases(build, lines.saturating_mul(width))?
                }
            };
            parts.push(part.reshape(build, &[self.batch, rows.each(), count, line])?);
        }
        let whole = Data::concat(build, parts, 2)?;
        let height = rows.each().saturating_mul(rows.period());
        let channels = self.post.channels();
        let whole = whole.reshape(build, &[self.batch, height, width, channels])?;
        let used = [self.batch, rows.output, columns.output, channels];
        whole.slice(build, &[0; 4], &used)?.value(build)
    }

    /// Phases of rows that are alike, with the columns interleaved: `[N * outputs of a phase, phases, width, OC]` in this order.
    fn rows(
        &self,
        build: &mut Builder<'c>,
        rows: &[Phase],
        column_runs: &[Vec<Phase>],
    ) -> Result<Data<'c>, Error> {
        let (each, channels, copies) = (self.columns.each(), self.post.channels(), rows.len() as u64);
        let lines = self.batch.saturating_mul(self.rows.each());
        let mut parts = Vec::new();
        for run in column_runs {
            let count = run.len() as u64;
            let part = match run.first() {
                Some(phase) if !phase.taps.is_empty() => self.convolution(build, rows, run)?,
                _ => {
                    let pixels = [each, copies, count].into_iter().fold(lines, u64::saturating_mul);
                    self.biases(build, pixels)?
                }
            };
            parts.push(part.reshape(build, &[lines, each, copies, count.saturating_mul(channels)])?);
        }
        build.set_location(self.op.location());
        let turned = if copies > 1 { [0, 2, 1, 3] } else { [0, 1, 2, 3] };
        Data::concat(build, parts, 3)?.transpose(build, &turned)
    }

    /// Phases that read the same inputs, as one convolution with the output channels of all.
    fn convolution(
        &self,
        build: &mut Builder<'c>,
        rows: &[Phase],
        columns: &[Phase],
    ) -> Result<Data<'c>, Error> {
        build.set_location(self.op.location());
        let copies = (rows.len() as u64).saturating_mul(columns.len() as u64);
        let (Some(row), Some(column)) = (rows.first(), columns.first()) else { return Err(wrong("phase")) };
        let mut weights = Vec::new();
        for phase in rows {
            let lines = self.weights.clone().select(build, 1, &phase.taps)?;
            for phase in columns {
                weights.push(lines.clone().select(build, 2, &phase.taps)?);
            }
        }
        let shape = extents(self.input)?;
        let &[batch, _, _, depth] = shape.as_slice() else { return Err(wrong("rank")) };
        let (y, x) = (row.read, column.read);
        let start = [0, y.start, x.start, 0];
        let input = Data::Value(self.input).slice(build, &start, &[batch, y.size, x.size, depth])?;
        let conv = Conv {
            input: input.value(build)?,
            weights: Data::concat(build, weights, 0)?.value(build)?,
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
