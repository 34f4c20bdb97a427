//! Sums of products with requantization, and means of windows. Invariant: sums are exact in 32 bits, and rounded twice.

use strum_float::{PoolKind, Window};

use super::Factor;
use crate::tosa::{Builder, Elem, Fault, Id, Rescale};

/// How sums become codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requantization {
    /// One factor, or one for each channel: input scale · weight scale / output scale.
    pub(crate) factors: Vec<Factor>,
    /// The zero point of the result.
    pub(crate) zero_point: i32,
}

impl Requantization {
    fn apply(&self, build: &mut Builder, sums: Id) -> Result<Id, Fault> {
        let scales = self.factors.iter().map(|f| f.scale()).collect::<Result<_, _>>()?;
        let spec =
            Rescale { to: Elem::I8, scales, double_round: true, input_zp: 0, output_zp: self.zero_point };
        build.rescale(sums, &spec)
    }
}

/// A convolution of codes; operands and zero points are those of [`Builder::conv`], the bias is i32.
pub(crate) fn conv(
    build: &mut Builder,
    depthwise: bool,
    operands: [Id; 3],
    zero_points: [i32; 2],
    window: &Window,
    to: &Requantization,
) -> Result<Id, Fault> {
    let sums = build.conv(depthwise, operands, zero_points, window)?;
    to.apply(build, sums)
}

/// A transposed convolution of codes; operands are those of [`Builder::transpose_conv`].
pub(crate) fn transpose_conv(
    build: &mut Builder,
    operands: [Id; 3],
    zero_points: [i32; 2],
    around: [[i64; 2]; 2],
    stride: [usize; 2],
    to: &Requantization,
) -> Result<Id, Fault> {
    let sums = build.transpose_conv(operands, zero_points, around, stride)?;
    to.apply(build, sums)
}

/// A product of matrices of codes, `[n, h, k]` and `[n, k, w]`.
pub(crate) fn matmul(
    build: &mut Builder,
    operands: [Id; 2],
    zero_points: [i32; 2],
    to: &Requantization,
) -> Result<Id, Fault> {
    let sums = build.matmul(operands, zero_points)?;
    to.apply(build, sums)
}

/// Means of windows, which keep the meaning of codes. The kernel rounds ties away from the code `tie_zp`: 0 for signed codes, -128
/// for unsigned ones.
pub(crate) fn mean_pool(
    build: &mut Builder,
    x: Id,
    kernel: [usize; 2],
    window: &Window,
    tie_zp: i32,
) -> Result<Id, Fault> {
    build.pool(PoolKind::Average, x, kernel, window, tie_zp)
}
