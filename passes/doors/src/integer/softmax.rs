//! Softmax of codes. Invariant: every step is one of the kernel's, on 32 bits: exponentials with no integer bits, their sum with 12,
//! its reciprocal by three steps of Newton's iteration.

use super::fixed::exp;
use super::{Factor, LOWEST};
use crate::tosa::{Builder, Codes, Elem, Fault, Id, Rescale};

/// The factor of differences from the maximum to 5 integer bits, and the lowest difference that counts.
fn to_q5(beta: f64, scale: f64) -> Result<(Factor, i64), Fault> {
    let real = (beta * scale * f64::from(1 << 26)).min(2_f64.powi(31) - 1.0);
    let factor = Factor::of(real)?;
    // Differences are shifted to the left by the kernel: factors below 1 have no meaning there.
    if factor.shift < 0 || factor.multiplier == 0 {
        return Err(Fault { op: "table", reason: format!("a softmax of codes with scale {scale}") });
    }
    #[allow(clippy::cast_possible_truncation, reason = "saturates: below all differences")]
    let radius = (31.0 * f64::from(1 << 26) / 2_f64.powi(factor.shift)).floor() as i64;
    Ok((factor, -radius))
}

/// The exponentials of differences of -256 to 256, with no integer bits; 0 where there is no such difference.
fn exponentials(beta: f64, scale: f64) -> Result<Vec<i64>, Fault> {
    let (Factor { multiplier, shift }, lowest) = to_q5(beta, scale)?;
    let value = |difference: i64| {
        if difference < lowest.max(-255) || difference > 0 {
            return 0;
        }
        let rescaled = (difference << shift) * i64::from(multiplier);
        let raw = i32::try_from((rescaled + (1 << 30)) >> 31).unwrap_or(i32::MIN);
        i64::from(exp(raw, 5))
    };
    Ok((-256..=256).map(value).collect())
}

/// A constant of one element.
fn constant(build: &mut Builder, value: i64) -> Result<Id, Fault> {
    build.ints(Elem::I32, &[1], &[value])
}

fn by(build: &mut Builder, name: &'static str, x: Id, value: i64) -> Result<Id, Fault> {
    let value = constant(build, value)?;
    build.binary(name, x, value)
}

/// A rescale by a power of two.
fn wide(to: Elem, shift: i32) -> Rescale {
    Rescale { to, scales: vec![(1 << 30, shift)], double_round: false, input_zp: 0, output_zp: 0 }
}

/// The softmax of codes along the last axis; the result's scale is 1/256, and its zero point -128.
pub(crate) fn softmax(build: &mut Builder, x: Id, from: Codes, beta: f64) -> Result<Id, Fault> {
    let rounded = probabilities(build, x, from, beta, 8)?;
    let codes = Rescale { output_zp: -128, ..wide(Elem::I8, 30) };
    debug_assert_eq!(i64::from(codes.output_zp), LOWEST);
    build.rescale(rounded, &codes)
}

/// The softmax of codes along the last axis as i32, with 8 to 24 bits behind the point.
pub(crate) fn probabilities(
    build: &mut Builder,
    x: Id,
    from: Codes,
    beta: f64,
    bits: u8,
) -> Result<Id, Fault> {
    let rank = build.graph().shape(x).len();
    let axis = rank.checked_sub(1).ok_or_else(|| Fault { op: "reduce_max", reason: "a scalar".into() })?;
    let x = build.rescale(x, &wide(Elem::I32, 30))?;
    let highest = build.reduce("reduce_max", x, axis)?;
    let difference = build.binary("sub", x, highest)?;
    let index = build.rescale(difference, &wide(Elem::I16, 23))?;
    let powers = exponentials_of(build, index, &exponentials(beta, from.scale)?)?;

    let coarse = rounded_right(build, powers, 12)?;
    let sum = build.reduce("reduce_sum", coarse, axis)?;
    let headroom = build.unary("clz", sum)?;
    let reciprocal = reciprocal(build, sum, headroom)?;

    let product = build.multiply(powers, reciprocal, 31)?;
    let most = constant(build, 43 - i64::from(bits.clamp(8, 24)))?;
    let right = build.binary("sub", most, headroom)?;
    build.shift_right(product, right, true)
}

/// The 31 bits of a table's entries, from three tables: neighbours of an entry of 16 bits may not be far apart.
fn exponentials_of(build: &mut Builder, index: Id, values: &[i64]) -> Result<Id, Fault> {
    // Entries come out with 7 fractional bits.
    let mut sum = None;
    for (from, name, by_bits) in
        [(20, "logical_left_shift", 13), (10, "logical_left_shift", 3), (0, "arithmetic_right_shift", 7)]
    {
        let mask = if from == 20 { 2047 } else { 1023 };
        let bits: Vec<i64> = values.iter().map(|value| (value >> from) & mask).collect();
        let part = build.table(index, &bits)?;
        let part = by(build, name, part, by_bits)?;
        sum = Some(match sum {
            None => part,
            Some(sum) => build.binary("add", sum, part)?,
        });
    }
    sum.ok_or_else(|| Fault { op: "table", reason: "no part of an exponential".into() })
}

fn rounded_right(build: &mut Builder, x: Id, shift: i64) -> Result<Id, Fault> {
    let shift = constant(build, shift)?;
    build.shift_right(x, shift, true)
}

/// The reciprocal of a sum, after a shift that makes it 1 to 2, with no integer bits.
fn reciprocal(build: &mut Builder, sum: Id, headroom: Id) -> Result<Id, Fault> {
    let shifted = build.binary("logical_left_shift", sum, headroom)?;
    let fraction = by(build, "sub", shifted, i32::MIN.into())?;
    let half = by(build, "arithmetic_right_shift", fraction, 1)?;
    let half = by(build, "add", half, 1 << 30)?;
    let slope = constant(build, -1_010_580_540)?;
    let first = build.multiply(half, slope, 31)?;
    let mut x = by(build, "add", first, 1_515_870_810)?;
    let one = constant(build, 1 << 29)?;
    for _ in 0..3 {
        let product = build.multiply(half, x, 31)?;
        let error = build.binary("sub", one, product)?;
        let step = build.multiply(x, error, 31)?;
        let step = by(build, "logical_left_shift", step, 2)?;
        x = build.binary("add", x, step)?;
    }
    // Twice, saturated: 2^31 becomes 2^31 - 1.
    let limited = by(build, "minimum", x, 1 << 30)?;
    let carry = by(build, "arithmetic_right_shift", limited, 30)?;
    let other = build.binary("sub", limited, carry)?;
    build.binary("add", limited, other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn exponentials_fit_two_tables() {
        let values = exponentials(1.0, 0.25).unwrap();
        assert_eq!((values.len(), values[256], values[257]), (513, i64::from(i32::MAX), 0));
        let real = |difference: usize| values[256 - difference] as f64 / 2_f64.powi(31);
        for difference in 1..100 {
            assert!((real(difference) - (-0.25 * difference as f64).exp()).abs() < 1e-6, "{difference}");
        }
    }

    #[test]
    fn scales_that_the_kernel_cannot_shift_are_refused() {
        let fault = exponentials(1.0, 1e-9).unwrap_err();
        assert_eq!(fault.to_string(), "table: a softmax of codes with scale 0.000000001");
    }
}
