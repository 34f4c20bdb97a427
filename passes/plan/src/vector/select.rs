//! Selection between the elements of two tensors, with broadcasting.

use dpu_isa::VecSelect;

use super::pipeline::elementwise;
use super::{input, output};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::scope::LayerScope;

/// `output = cond ? a : b`, element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectLayer {
    /// A byte for each choice, 0 for `b`; its shape broadcasts to the output's.
    pub cond: Tensor,
    /// The elements where the condition holds; of the output's type, and its shape broadcasts to the output's.
    pub a: Tensor,
    /// The elements where it does not, likewise.
    pub b: Tensor,
    /// The result.
    pub output: Tensor,
}

/// Plans a selection.
///
/// # Errors
/// An unsupported error for more than six dimensions after merging, an internal error if shapes or types do not match, a resource
/// error if the draft grows too long.
pub fn plan_select(scope: &mut LayerScope<'_>, layer: &SelectLayer) -> Result<(), PlanError> {
    let SelectLayer { cond, a, b, output: out } = layer;
    let sizes = [cond, a, b].map(|tensor| tensor.dtype.bytes());
    if sizes != [1, out.dtype.bytes(), out.dtype.bytes()] {
        let what = format!("{} selects between {} and {} for {}", cond.dtype, a.dtype, b.dtype, out.dtype);
        return Err(PlanError::internal(what));
    }
    let dims = &out.shape;
    let operands = [
        input(scope.draft, "cond", cond, dims, out)?,
        input(scope.draft, "a", a, dims, out)?,
        input(scope.draft, "b", b, dims, out)?,
        output(scope.draft, out)?,
    ];
    elementwise(scope, dims, &operands, |shape| {
        VecSelect {
            dims: shape.dims,
            cond: shape.at(0),
            cond_strides: shape.strides(0),
            dtype: out.dtype,
            a: shape.at(1),
            a_strides: shape.strides(1),
            b: shape.at(2),
            b_strides: shape.strides(2),
            out: shape.at(3),
            out_strides: shape.strides(3),
            ..VecSelect::default()
        }
        .into()
    })
}
