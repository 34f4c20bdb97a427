//! Values that are known while a file is read. Invariant: there are as many elements as the shape says.

use std::sync::Arc;

use super::file::Kind;
use super::stop::{Step, Stop};
use crate::tosa::{Builder, Elem, Id};

/// Elements.
#[derive(Clone, Debug)]
pub(super) enum Data<'a> {
    /// As in the file, little-endian.
    Bytes(&'a [u8]),
    /// Integers that were computed or decoded.
    Ints(Arc<[i64]>),
    /// Floats that were computed or decoded.
    Floats(Arc<[f32]>),
}

/// A known value.
#[derive(Clone, Debug)]
pub(super) struct Known<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) data: Data<'a>,
}

impl<'a> Known<'a> {
    pub(super) fn ints(shape: Vec<usize>, kind: Kind, values: Vec<i64>) -> Self {
        Known { shape, kind, data: Data::Ints(values.into()) }
    }

    pub(super) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Known { shape, kind: Kind::F32, data: Data::Floats(values.into()) }
    }

    /// The number of elements.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().fold(1, |n, &d| n.saturating_mul(d))
    }

    /// Its elements as integers; of unsigned codes, as the file has them.
    pub(super) fn to_ints(&self) -> Step<Vec<i64>> {
        let bytes = match &self.data {
            Data::Ints(values) => return Ok(values.to_vec()),
            Data::Floats(_) => return Err(Stop::unsupported("integers expected, got float32")),
            Data::Bytes(bytes) => bytes,
        };
        let values: Vec<i64> = match self.kind {
            Kind::U8 | Kind::Bool => bytes.iter().map(|&b| b.into()).collect(),
            Kind::I8 => bytes.iter().map(|&b| b.cast_signed().into()).collect(),
            Kind::I4 => nibbles(bytes, self.count()),
            Kind::I16 => chunks(bytes).map(|b| i16::from_le_bytes(b).into()).collect(),
            Kind::I32 => chunks(bytes).map(|b| i32::from_le_bytes(b).into()).collect(),
            Kind::I64 => chunks(bytes).map(i64::from_le_bytes).collect(),
            other => return Err(Stop::unsupported(format!("integers expected, got {}", other.name()))),
        };
        self.complete(values)
    }

    /// Its elements as floats, from 16 or 32 bits.
    pub(super) fn to_floats(&self) -> Step<Vec<f32>> {
        let bytes = match &self.data {
            Data::Floats(values) => return Ok(values.to_vec()),
            Data::Ints(_) => {
                return Err(Stop::unsupported(format!("floats expected, got {}", self.kind.name())));
            }
            Data::Bytes(bytes) => bytes,
        };
        let values: Vec<f32> = match self.kind {
            Kind::F32 => chunks(bytes).map(f32::from_le_bytes).collect(),
            Kind::F16 => chunks(bytes).map(|b| half(u16::from_le_bytes(b))).collect(),
            other => return Err(Stop::unsupported(format!("floats expected, got {}", other.name()))),
        };
        self.complete(values)
    }

    fn complete<T>(&self, values: Vec<T>) -> Step<Vec<T>> {
        let count = self.count();
        if values.len() == count {
            return Ok(values);
        }
        Err(Stop::damaged(format!(
            "a constant has {} elements, its shape {:?} says {count}",
            values.len(),
            self.shape
        )))
    }

    /// A constant of a graph; unsigned codes are 128 less.
    pub(super) fn constant(&self, build: &mut Builder) -> Step<Id> {
        let elem = match self.kind {
            Kind::F32 | Kind::F16 => return Ok(build.floats(&self.shape, &self.to_floats()?)?),
            Kind::I8 | Kind::U8 | Kind::I4 => Elem::I8,
            Kind::I32 | Kind::I64 => Elem::I32,
            Kind::Bool => Elem::Bool,
            Kind::I16 | Kind::Resource | Kind::Other(_) => {
                return Err(Stop::unsupported(format!("a constant of {}", self.kind.name())));
            }
        };
        if let (Data::Bytes(bytes), Kind::I8 | Kind::I32) = (&self.data, self.kind) {
            return Ok(build.constant(elem, &self.shape, bytes.to_vec())?);
        }
        let shift = if self.kind == Kind::U8 { 128 } else { 0 };
        let values: Vec<i64> = self.to_ints()?.into_iter().map(|v| v - shift).collect();
        if values.iter().any(|&v| i32::try_from(v).is_err()) {
            return Err(Stop::unsupported("a constant of int64 that 32 bits do not hold"));
        }
        Ok(build.ints(elem, &self.shape, &values)?)
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

/// Numbers of 4 bits, the lower half of a byte first.
fn nibbles(bytes: &[u8], count: usize) -> Vec<i64> {
    let signed = |half: u8| i64::from((half << 4).cast_signed() >> 4);
    let pairs = bytes.iter().flat_map(|&byte| [signed(byte & 15), signed(byte >> 4)]);
    pairs.take(count).collect()
}

/// A float of 16 bits, exactly.
pub(super) fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits >> 15), u32::from(bits >> 10) & 31, u32::from(bits) & 1023);
    let magnitude = match exponent {
        0 => {
            #[allow(clippy::cast_precision_loss, reason = "10 bits")]
            let small = fraction as f32 / f32::from(1_u16 << 12) / f32::from(1_u16 << 12);
            small
        }
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign << 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn floats_of_16_bits_are_exact() {
        let known = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2_f32.powi(-24)),
            (0x03ff, 1023.0 * 2_f32.powi(-24)),
            (0x7bff, 65504.0),
        ];
        for (bits, expected) in known {
            assert_eq!(half(bits), expected, "{bits:#x}");
        }
        assert!(half(0x7c01).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }

    #[test]
    fn elements_are_as_many_as_the_shape_says() {
        let four = Known { shape: vec![3], kind: Kind::I4, data: Data::Bytes(&[0x8f, 0x07]) };
        assert_eq!(four.to_ints().unwrap(), [-1, -8, 7]);
        let short = Known { shape: vec![2], kind: Kind::I32, data: Data::Bytes(&[1, 0, 0, 0]) };
        let text = short.to_ints().unwrap_err().at(String::new()).to_string();
        assert_eq!(text, "the file is damaged: a constant has 1 elements, its shape [2] says 2");
    }
}
