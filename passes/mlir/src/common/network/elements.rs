//! Element types of tensors, and constant tensors as f32.
//!
//! Invariant: an integer tensor of the graph is constant, and f32 holds each of its elements exactly.

use ndarray::{ArrayD, IxDyn};
use strum_float::Tensor;
use strum_ir::{Attribute, Operation, Reported, Type};

use super::{internal, shape};

/// What elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    /// Integers of this width, and `index`.
    Int(u32),
}

/// The largest magnitude up to which f32 holds every integer.
const EXACT: f32 = 16_777_216.0;

impl Kind {
    /// Of a scalar type, if it is a number.
    pub(super) fn of(ty: Type<'_>) -> Option<Kind> {
        if ty.is_f32() {
            return Some(Kind::F32);
        }
        if ty.is_index() {
            return Some(Kind::Int(64));
        }
        if let Some(width) = ty.int_width() {
            return Some(Kind::Int(width));
        }
        match ty.to_string().as_str() {
            "f16" => Some(Kind::F16),
            "bf16" => Some(Kind::Bf16),
            "f64" => Some(Kind::F64),
            _ => None,
        }
    }

    /// Of a tensor's elements.
    pub(super) fn of_elements(ty: Type<'_>) -> Option<Kind> {
        Kind::of(ty.element()?)
    }

    /// Whether it is a floating-point type: the network computes all of them in single precision.
    pub(super) fn is_float(self) -> bool {
        !matches!(self, Kind::Int(_))
    }
}

/// A constant tensor as f32; nothing for integers that f32 does not hold, and for `i1`, which are an error where they are used.
pub(super) fn elements(op: Operation<'_>, attribute: Attribute<'_>) -> Result<Option<Tensor>, Reported> {
    let ty = attribute.ty().ok_or_else(|| internal(op, "a constant without a type"))?;
    let shape = shape(ty).map_err(|reason| op.error(reason))?;
    let bytes = || attribute.bytes().map_err(|e| op.error(e));
    let values: Vec<f32> = match Kind::of_elements(ty) {
        Some(Kind::F16) => read(&bytes()?, |b| half(u16::from_le_bytes(b))),
        Some(Kind::Bf16) => read(&bytes()?, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
        Some(Kind::F32) => read(&bytes()?, f32::from_le_bytes),
        // What f32 does not reach is infinite: exporters pad with the lowest number of double precision.
        #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
        Some(Kind::F64) => read(&bytes()?, |b| f64::from_le_bytes(b) as f32),
        Some(Kind::Int(1)) | None => return Ok(None),
        Some(Kind::Int(_)) => {
            let numbers = attribute.int_elements().map_err(|e| op.error(e))?;
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared")]
            let exact = |&number: &i64| Some(number as f32).filter(|&x| i128::from(number) == x as i128);
            match numbers.iter().map(exact).collect::<Option<_>>() {
                Some(values) => values,
                None => return Ok(None),
            }
        }
    };
    Tensor::from_shape_vec(IxDyn(&shape), values).map(Some).map_err(|e| internal(op, e))
}

fn read<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.chunks_exact(N).map(|b| b.try_into().map_or(f32::NAN, &of)).collect()
}

/// The value of a half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 31), f32::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

/// Whether f32 holds the integers of a tensor, so that arithmetic on them was exact.
pub(super) fn are_exact_integers(tensor: &Tensor) -> bool {
    tensor.iter().all(|&x| x.abs() <= EXACT && x.trunc() == x)
}

/// The integers of such a tensor.
pub(super) fn integers(tensor: &Tensor) -> ArrayD<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "an integer that f32 holds")]
    tensor.mapv(|x| x as i64)
}

/// Integers as such a tensor.
pub(super) fn floats(integers: &ArrayD<i64>) -> Option<Tensor> {
    #[allow(clippy::cast_precision_loss, reason = "checked afterwards")]
    let tensor = integers.mapv(|number| number as f32);
    are_exact_integers(&tensor).then_some(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        let known = [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03FF, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0xFC00, f32::NEG_INFINITY),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#06x}");
        }
        assert!(half(0x7E00).is_nan());
    }
}
