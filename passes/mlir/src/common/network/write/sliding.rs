//! Convolutions and poolings.
//!
//! Invariant: windows fit their images exactly, as TOSA requires: what no window reaches is sliced off first.

use strum_float::{PoolKind, Window};
use strum_ir::{Attribute, Error, OpBuilder, Type, Value};

use super::{dims, signed};
use crate::common::tosa::build::Builder;
use strum_float::geometry::{Axis, Exact};

/// A window on an image.
pub(super) struct Sliding<'a, 'c> {
    /// The image.
    pub(super) image: Value<'c>,
    /// Its shape, NHWC.
    pub(super) image_shape: &'a [usize],
    /// Rows and columns of the window.
    pub(super) kernel: [usize; 2],
    /// Strides, padding and dilations.
    pub(super) window: &'a Window,
    /// The shape of the result, NHWC.
    pub(super) shape: &'a [usize],
    /// The element type of the result.
    pub(super) element: Type<'c>,
    /// The type of the sums.
    pub(super) acc: Type<'c>,
}

impl<'c> Sliding<'_, 'c> {
    /// The remaining extent of the image, the padding after it, and the extent of the result, along an axis.
    fn fit(&self, axis: usize, input: usize, wanted: usize) -> Option<(u64, u64, u64)> {
        let pick = |pair: [usize; 2]| pair.get(axis).map_or(0, |&d| d as u64);
        let of = Axis {
            input: input as u64,
            before: pick(self.window.before),
            after: pick(self.window.after),
            kernel: pick(self.kernel),
            stride: pick(self.window.stride),
            dilation: pick(self.window.dilation),
        };
        Some(match of.exact()? {
            Exact::Cut { input, after } => (input, after, wanted as u64),
            Exact::Grow { after } => (input as u64, after, wanted as u64 + 1),
        })
    }

    /// Makes the op on the part of the image that windows reach, and slices the excess off the result. `make` begins an op on an
    /// image; padding, stride and result are added here.
    fn insert(
        &self,
        build: &mut Builder<'c>,
        make: impl FnOnce(&Builder<'c>, Value<'c>) -> OpBuilder<'c>,
    ) -> Result<Value<'c>, Error> {
        let unfit = || Error::Build(format!("a window of {:?} on {:?}", self.kernel, self.image_shape));
        let (&[n, h, w, c], &[_, oh, ow, oc]) = (self.image_shape, self.shape) else { return Err(unfit()) };
        let rows = self.fit(0, h, oh).ok_or_else(unfit)?;
        let columns = self.fit(1, w, ow).ok_or_else(unfit)?;
        let mut image = self.image;
        if (rows.0, columns.0) != (h as u64, w as u64) {
            image = build.slice(image, &[0; 4], &[n as u64, rows.0, columns.0, c as u64])?;
        }
        let extent = |n: u64| i64::try_from(n).map_err(|_| unfit());
        let before = signed(&self.window.before);
        let [top, left] = [0, 1].map(|i| before.get(i).copied().unwrap_or(0));
        let pads = [top, extent(rows.1)?, left, extent(columns.1)?];
        let shape = [extent(n as u64)?, extent(rows.2)?, extent(columns.2)?, extent(oc as u64)?];
        let ty = Type::tensor(&shape, self.element)?;
        let context = build.context();
        let op = make(build, image)
            .attribute("pad", Attribute::i64s(context, &pads))
            .attribute("stride", Attribute::i64s(context, &signed(&self.window.stride)))
            .result(ty);
        let value = build.insert(op)?;
        if (rows.2, columns.2) == (oh as u64, ow as u64) {
            return Ok(value);
        }
        build.slice(value, &[0; 4], &dims(self.shape))
    }

    /// A convolution; `operands` are weights, bias and the two zero points.
    pub(super) fn conv(
        &self,
        build: &mut Builder<'c>,
        name: &str,
        operands: [Value<'c>; 4],
        discardable: &[(&str, Attribute<'c>)],
    ) -> Result<Value<'c>, Error> {
        let dilation = Attribute::i64s(build.context(), &signed(&self.window.dilation));
        self.insert(build, |build, image| {
            let op = build
                .op(name)
                .operand(image)
                .operands(&operands)
                .attribute("acc_type", Attribute::of_type(self.acc))
                .attribute("dilation", dilation);
            discardable.iter().fold(op, |op, &(name, value)| op.attribute(name, value))
        })
    }

    /// A pooling; a mean has the same zero point for input and output.
    pub(super) fn pool(
        &self,
        build: &mut Builder<'c>,
        kind: PoolKind,
        zero_point: Value<'c>,
    ) -> Result<Value<'c>, Error> {
        let kernel = Attribute::i64s(build.context(), &signed(&self.kernel));
        self.insert(build, |build, image| match kind {
            PoolKind::Average => build
                .op("tosa.avg_pool2d")
                .operands(&[image, zero_point, zero_point])
                .attribute("acc_type", Attribute::of_type(self.acc))
                .attribute("kernel", kernel),
            PoolKind::Max => build.op("tosa.max_pool2d").operand(image).attribute("kernel", kernel),
        })
    }
}
