//! Builds the convolutions that take the place of compound ones.

use strum_ir::{Attribute, Error, Operation, Value};

use super::data::wrong;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem::Elem;
use crate::common::weights::INT4;

/// A `tosa.conv2d`.
pub(super) struct Conv<'c> {
    /// NHWC.
    pub(super) input: Value<'c>,
    /// OHWI.
    pub(super) weights: Value<'c>,
    /// One for each output channel, or one for all.
    pub(super) bias: Value<'c>,
    /// Of the input and the weights.
    pub(super) zero_points: [Value<'c>; 2],
    /// Top, bottom, left, right.
    pub(super) pad: Vec<u64>,
    /// Rows, columns.
    pub(super) stride: [u64; 2],
    /// Rows, columns.
    pub(super) dilation: [u64; 2],
    /// Shape of the accumulators, NHWC.
    pub(super) shape: [u64; 4],
}

impl<'c> Conv<'c> {
    /// Inserts the op, with the type of the accumulators, the error bound and the mark of weights of 4 bits of the op that it replaces.
    pub(super) fn build(self, build: &mut Builder<'c>, of: Operation<'c>) -> Result<Value<'c>, Error> {
        let list = |values: &[u64]| {
            let signed: Result<Vec<i64>, _> = values.iter().map(|&v| i64::try_from(v)).collect();
            signed.map(|values| Attribute::i64s(build.context(), &values)).map_err(|_| wrong("window"))
        };
        let [input_zp, weight_zp] = self.zero_points;
        let operands = [self.input, self.weights, self.bias, input_zp, weight_zp];
        let op = build.op("tosa.conv2d").operands(&operands).result(build.tensor(&self.shape, Elem::I32)?);
        let op = op.attribute("pad", list(&self.pad)?).attribute("stride", list(&self.stride)?);
        let op = op.attribute("dilation", list(&self.dilation)?);
        let op = op.maybe_attribute("acc_type", of.attribute("acc_type"));
        let op = op.maybe_attribute(INT4, of.attribute(INT4));
        build.insert(op.maybe_attribute("local_bound", of.attribute("local_bound")))
    }
}

/// The zero points of the input and the weights of a convolution.
pub(super) fn zero_points<'c>(op: Operation<'c>) -> Result<[Value<'c>; 2], Error> {
    let operand = |index| op.operand(index).ok_or_else(|| wrong("zero point"));
    Ok([operand(3)?, operand(4)?])
}
