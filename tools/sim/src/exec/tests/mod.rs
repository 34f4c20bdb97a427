//! Instructions against hand-computed values and against plain loops over random tiles.

mod conv;
mod packed;
mod pool;
mod resize;
mod selected;
mod tosa;
mod vec;
mod vectors;

use dpu_isa::Dtype;
use proptest::prelude::*;

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

/// A multiplier and shift, half of them as quantizers emit.
fn scale() -> impl Strategy<Value = (i32, u8)> {
    prop_oneof![(1 << 30..=i32::MAX, 30..=50u8), (0..=i32::MAX, 2..=62u8)]
}

/// A clamp within a type, sometimes its whole range.
fn clamp(dtype: Dtype) -> impl Strategy<Value = (i32, i32)> {
    let value = || dtype.min()..=dtype.max();
    let ends = (value(), value()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![Just((dtype.min(), dtype.max())), ends]
}

/// Any number of bytes, cheaply: a start and a step are random enough for arithmetic, once the extremes are mixed
/// in.
#[derive(Clone, Copy, Debug)]
struct Noise {
    start: u32,
    step: u32,
}

impl Noise {
    fn bytes(self, n: usize) -> Vec<u8> {
        let byte = |i: u32| {
            let x = self.start.wrapping_add(i.wrapping_mul(self.step | 1)).wrapping_mul(0x9e37_79b9);
            match x >> 28 {
                0 => 0x80,
                1 => 0x7f,
                _ => (x >> 16) as u8,
            }
        };
        (0..n as u32).map(byte).collect()
    }
}

fn noise() -> impl Strategy<Value = Noise> {
    any::<(u32, u32)>().prop_map(|(start, step)| Noise { start, step })
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
