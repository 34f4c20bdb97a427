//! Layers of the vector engine: element-wise operators, rescale, table, reductions, selections, resized images.
//!
//! Each becomes loads, vector tasks and stores over double-buffered SRAM tiles. Tensors of any size work on any machine with at
//! least 64 KiB of SRAM: every dimension can be cut.

mod binary;
mod grid;
pub(crate) mod pipeline;
mod reduce;
mod rescale;
mod resize;
mod select;
mod table;
mod unary;

pub use binary::{BinaryLayer, plan_binary};
pub use reduce::{ReduceLayer, plan_reduce};
pub use rescale::{RescaleLayer, plan_rescale};
pub use resize::{ResizeLayer, ResizeSide, plan_resize};
pub use select::{SelectLayer, plan_select};
pub use table::{Table, TableLayer, plan_table};
pub use unary::{UnaryLayer, plan_unary};

use std::sync::Arc;

use dpu_isa::{Dtype, Round};

use crate::draft::Draft;
use crate::error::PlanError;
use crate::movement::Tensor;
use grid::Walk;
use pipeline::Operand;

/// Multiplier and shift of TOSA's `apply_scale` for all elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// Multiplier, not negative.
    pub multiplier: i32,
    /// Shift, 2 to 62.
    pub shift: u8,
    /// Rounding.
    pub round: Round,
}

/// Pre-processing of an operand: zero point subtraction, then scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pre {
    /// Zero point, subtracted.
    pub zp: i32,
    /// Scaling, if any.
    pub scale: Option<Scaling>,
}

/// Post-processing of a result: scaling, zero point, clamp, store, table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// Scaling, if any.
    pub scale: Option<Scaling>,
    /// Zero point, added.
    pub zp: i32,
    /// Lower and upper clamp, values of the output type. Without it the low bits are stored.
    pub clamp: Option<(i32, i32)>,
    /// 256 output bytes by stored value + 128; the output type must then be i8.
    pub lut: Option<Vec<i8>>,
}

/// A pair of instruction fields without effect, for unscaled operands.
const NO_SCALE: Scaling = Scaling { multiplier: 0, shift: 2, round: Round::Single };

/// The walk of an operand that broadcasts to `dims`: extents of 1 and missing outer dimensions repeat.
fn broadcast(draft: &Draft, tensor: &Tensor, dims: &[u64]) -> Result<Walk, PlanError> {
    let mismatch = || PlanError::internal(format!("shape {:?} does not broadcast to {dims:?}", tensor.shape));
    let missing = dims.len().checked_sub(tensor.shape.len()).ok_or_else(mismatch)?;
    let mut strides = vec![0; missing];
    for ((&extent, &dim), stride) in tensor.shape.iter().zip(&dims[missing..]).zip(tensor.strides()?) {
        strides.push(match extent {
            _ if extent == dim => stride,
            1 => 0,
            _ => return Err(mismatch()),
        });
    }
    Ok(Walk { strides, element: tensor.dtype.bytes(), held: draft.holds(tensor.buffer)? })
}

/// An input operand of the address field `field`.
fn input(
    draft: &Draft,
    field: &'static str,
    tensor: &Tensor,
    dims: &[u64],
    output: &Tensor,
) -> Result<Operand, PlanError> {
    tensor.check(draft, "an input")?;
    let in_place = draft.holds(tensor.buffer)?
        && tensor.shape == output.shape
        && tensor.dtype.bytes() == output.dtype.bytes();
    if tensor.buffer == output.buffer && !in_place {
        return Err(PlanError::internal("the layer's output is one of its inputs, and not in SRAM"));
    }
    Ok(Operand { field, buffer: tensor.buffer, walk: broadcast(draft, tensor, dims)? })
}

/// The output operand.
fn output(draft: &Draft, tensor: &Tensor) -> Result<Operand, PlanError> {
    tensor.check(draft, "the output")?;
    Ok(Operand { field: "out", buffer: tensor.buffer, walk: broadcast(draft, tensor, &tensor.shape)? })
}

/// An operand of constant bytes that every tile needs as a whole.
fn resident(
    draft: &mut Draft,
    field: &'static str,
    bytes: impl Into<Arc<[u8]>>,
    rank: usize,
) -> Result<Operand, PlanError> {
    let bytes: Arc<[u8]> = bytes.into();
    let walk = Walk { strides: vec![0; rank], element: bytes.len() as u64, held: false };
    Ok(Operand { field, buffer: draft.constant(bytes)?, walk })
}

/// The operand of a 256-byte output table.
fn lut_operand(draft: &mut Draft, lut: &[i8], out: Dtype, rank: usize) -> Result<Operand, PlanError> {
    if lut.len() != 256 {
        return Err(PlanError::internal(format!("a table of {} bytes: must be 256", lut.len())));
    }
    if out != Dtype::I8 {
        return Err(PlanError::unsupported(format!("a table on output type {out}: must be i8")));
    }
    let bytes: Vec<u8> = lut.iter().map(|&v| v.cast_unsigned()).collect();
    resident(draft, "lut_addr", bytes, rank)
}

/// Checks a clamp against the output type.
pub(crate) fn check_clamp(clamp: Option<(i32, i32)>, out: Dtype) -> Result<(), PlanError> {
    match clamp {
        Some((lo, hi)) if lo > hi || !out.contains(lo) || !out.contains(hi) => {
            Err(PlanError::unsupported(format!("clamp {lo}..={hi} in output type {out}")))
        }
        _ => Ok(()),
    }
}
