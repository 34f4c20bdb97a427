//! Instructions against hand-computed values and against plain loops over random tiles.

mod conv;
mod packed;
mod pool;
mod vec;

use dpu_isa::Dtype;

use super::{Clamp, Lut};
use crate::error::TrapKind;

/// TOSA's `apply_scale_32`, step by step.
fn apply_scale(value: i32, multiplier: i32, shift: u8, double: bool) -> i32 {
    let mut round = 1i128 << (shift - 1);
    if double && shift > 31 {
        round += if value >= 0 { 1 << 30 } else { -(1 << 30) };
    }
    ((i128::from(value) * i128::from(multiplier) + round) >> shift) as i32
}

/// A random multiplier and shift, half of them as quantizers make them.
fn random_scale(u: &mut arbtest::arbitrary::Unstructured<'_>) -> arbtest::arbitrary::Result<(i32, u8)> {
    if u.arbitrary()? {
        return Ok((u.int_in_range(1 << 30..=i32::MAX)?, u.int_in_range(30..=50)?));
    }
    Ok((u.int_in_range(0..=i32::MAX)?, u.int_in_range(2..=62)?))
}

/// A clamp within a type, sometimes all of it.
fn random_clamp(
    u: &mut arbtest::arbitrary::Unstructured<'_>,
    dtype: Dtype,
) -> arbtest::arbitrary::Result<(i32, i32)> {
    if u.arbitrary()? {
        return Ok((dtype.min(), dtype.max()));
    }
    let lo = u.int_in_range(dtype.min()..=dtype.max())?;
    Ok((lo, u.int_in_range(lo..=dtype.max())?))
}

/// `n` random bytes.
fn random_bytes(
    u: &mut arbtest::arbitrary::Unstructured<'_>,
    n: usize,
) -> arbtest::arbitrary::Result<Vec<u8>> {
    // Cheap for large n: a random start and step are random enough for arithmetic, once the ends are mixed in.
    let (start, step): (u32, u32) = (u.arbitrary()?, u.arbitrary()?);
    let byte = |i: u32| {
        let x = start.wrapping_add(i.wrapping_mul(step | 1)).wrapping_mul(0x9e37_79b9);
        match x >> 28 {
            0 => 0x80,
            1 => 0x7f,
            _ => (x >> 16) as u8,
        }
    };
    Ok((0..n as u32).map(byte).collect())
}

/// An element of `dtype` at a byte position.
fn element(bytes: &[u8], at: usize, dtype: Dtype) -> i32 {
    let n = dtype.bytes() as usize;
    let raw = bytes[at..at + n].iter().rev().fold(0u32, |v, &b| v << 8 | u32::from(b));
    match dtype {
        Dtype::I8 => i32::from(raw as i8),
        Dtype::I16 => i32::from(raw as i16),
        Dtype::U8 | Dtype::U16 | Dtype::I32 => raw as i32,
    }
}

#[test]
fn lookups_start_at_minus_128() {
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let lut = Lut::load(&bytes, 0, Dtype::I8).unwrap();
    assert_eq!([-128, -1, 0, 127, 128].map(|v| lut.get(v)), [-1, -128, 127, 0, -1]);
    assert!(Lut::load(&bytes, 0, Dtype::U8).is_err());
    assert!(Lut::load(&bytes, 1, Dtype::I8).is_err());
}

#[test]
fn clamps_are_ranges_of_their_type() {
    assert_eq!(Clamp::new(-128, 127, Dtype::I8).unwrap().apply(200), 127);
    for (lo, hi, dtype) in [(1, 0, Dtype::I8), (-129, 0, Dtype::I8), (0, 128, Dtype::I8), (-1, 5, Dtype::U16)]
    {
        assert_eq!(Clamp::new(lo, hi, dtype).unwrap_err().kind, TrapKind::IllegalOperand);
    }
}
