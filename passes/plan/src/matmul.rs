//! Matrix products with both operands computed by the program: a pointwise convolution with dynamic weights.

use dpu_isa::{ConvInv, Dtype};
use strum_formats::Format;

use crate::conv::emit::{self, Layer};
use crate::conv::weights::{Channels, Source, Strided};
use crate::conv::{OUT_TYPES, ic_grain, mac_cost, problem, split_channels, zero_point};
use crate::error::{PlanError, mul};
use crate::movement::Tensor;
use crate::ppe::Ppe;
use crate::scope::LayerScope;
use crate::tile::WeightSize;
use crate::tile::axis::Axis;
use crate::view::{Field, Geometry, View, check_type};

/// A batched matrix product: `output[n] = (a[n] - a_zp) * (b[n] - b_zp)`.
#[derive(Clone, Debug)]
pub struct MatmulLayer {
    /// Left operand, i8, `[n][h][c]`.
    pub a: Tensor,
    /// Right operand, i8, `[n][c][w]`.
    pub b: Tensor,
    /// Output, of any type, `[n][h][w]`.
    pub output: Tensor,
    /// Zero point of the left operand, -128 to 127.
    pub a_zp: i32,
    /// Zero point of the right operand, -128 to 127.
    pub b_zp: i32,
    /// Post-processing; one scale for all columns, or one for each.
    pub ppe: Ppe,
}

/// Plans a matrix product as tasks of the draft's last layer: the rows of `a` are pixels, the columns of `b` are weight sets,
/// transposed by the DMA.
///
/// # Errors
/// As for [`crate::plan_conv`].
pub fn plan_matmul(scope: &mut LayerScope<'_>, layer: &MatmulLayer) -> Result<(), PlanError> {
    let [n, h, c] = rank3(&layer.a, &[Dtype::I8], "the left operand")?;
    let [bn, bc, w] = rank3(&layer.b, &[Dtype::I8], "the right operand")?;
    let [on, oh, ow] = rank3(&layer.output, OUT_TYPES, "the output")?;
    if [bn, bc, on, oh, ow] != [n, c, n, h, w] {
        return Err(PlanError::internal(format!(
            "a product of {n}x{h}x{c} and {bn}x{bc}x{w} into {on}x{oh}x{ow}"
        )));
    }
    let input = View::new(scope.draft, &layer.a, [n, 1, h, c], "the left operand")?;
    View::new(scope.draft, &layer.b, [bn, 1, bc, w], "the right operand")?;
    let output = View::new(scope.draft, &layer.output, [n, 1, h, w], "the output")?;
    let (y, x) = (Axis::new(1, 1, 1, 1, 1, 0), Axis::new(h, h, 1, 1, 1, 0));
    let field = Field { images: 1, y, x, input, output, geometry: Geometry::POINTWISE };
    let strided = Strided {
        buffer: layer.b.buffer,
        image: mul(c, w)?,
        oc: 1,
        ky: 0,
        kx: 0,
        ic: w,
        transposed: c > 1 && w > 1,
    };
    let size = WeightSize::DENSE;
    let mut problem = problem(&field, c, w, None, size, ic_grain(size), split_channels(w));
    problem.repeats = n;
    problem.staged = strided.transposed;
    problem.macs = mac_cost(scope.machine, &Format::DENSE);
    problem.resident = layer.ppe.lut.as_ref().map_or(0, |_| 256);
    let out_type = layer.output.dtype;
    layer.ppe.check(w, out_type)?;
    let mut inv = ConvInv {
        in_zp: zero_point(layer.a_zp, "the left operand")?,
        wt_zp: zero_point(layer.b_zp, "the right operand")?,
        block: 16,
        ..ConvInv::default()
    };
    layer.ppe.fill(&mut inv, out_type);
    problem.inv = inv;
    let channels = Channels { bias: &[], ppe: &layer.ppe };
    emit::plan(scope, &Layer { problem, field, source: Source::Dynamic(strided), channels })
}

fn rank3(tensor: &Tensor, types: &[Dtype], what: &str) -> Result<[u64; 3], PlanError> {
    check_type(tensor.dtype, types, what)?;
    tensor
        .shape
        .as_slice()
        .try_into()
        .map_err(|_| PlanError::unsupported(format!("{what} of rank {}: must be 3", tensor.shape.len())))
}
