//! Table lookup, as in TOSA.

use dpu_isa::{Dtype, VecTable};

use super::pipeline::elementwise;
use super::{input, output, resident};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::scope::LayerScope;

/// The contents of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// 256 results for i8 operands.
    I8(Vec<i8>),
    /// 513 points for i16 operands, interpolated to i32 results.
    I16(Vec<i16>),
}

/// `output = table[input]`, element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLayer {
    /// The operand: i8 or i16, like the table.
    pub input: Tensor,
    /// The table.
    pub table: Table,
    /// The result: i8, or i32 for i16 operands.
    pub output: Tensor,
}

/// Plans a table lookup.
///
/// # Errors
/// An unsupported error for other types, an internal error if shapes or the table's length do not match.
pub fn plan_table(scope: &mut LayerScope<'_>, layer: &TableLayer) -> Result<(), PlanError> {
    let TableLayer { input: src, output: out, .. } = layer;
    let (bytes, len, types): (Vec<u8>, _, _) = match &layer.table {
        Table::I8(t) => (t.iter().map(|v| v.cast_unsigned()).collect(), 256, (Dtype::I8, Dtype::I8)),
        Table::I16(t) => (t.iter().flat_map(|v| v.to_le_bytes()).collect(), 1026, (Dtype::I16, Dtype::I32)),
    };
    if bytes.len() != len {
        return Err(PlanError::internal(format!("a lookup table of {} bytes: must be {len}", bytes.len())));
    }
    if (src.dtype, out.dtype) != types {
        return Err(PlanError::unsupported(format!(
            "lookup table from {} to {} is not supported, expected {} to {}",
            src.dtype, out.dtype, types.0, types.1
        )));
    }
    let operands = [
        input(scope.draft, "src", src, &out.shape, out)?,
        resident(scope.draft, "table", bytes, out.shape.len())?,
        output(scope.draft, out)?,
    ];
    elementwise(scope, &out.shape, &operands, |shape| {
        VecTable {
            dims: shape.dims,
            src: shape.at(0),
            src_dtype: src.dtype,
            src_strides: shape.strides(0),
            out: shape.at(2),
            out_strides: shape.strides(2),
            ..VecTable::default()
        }
        .into()
    })
}
