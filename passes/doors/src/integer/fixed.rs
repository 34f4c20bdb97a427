//! Fixed-point arithmetic on 32 bits, with the operations and constants that the reference kernels have from gemmlowp.
//!
//! A number with `k` integer bits is `raw / 2^(31 - k)`. Invariant: every function gives the bits of the kernels.

/// 1 with no integer bits: the largest number.
const ONE: i32 = i32::MAX;
/// 1 with two integer bits.
const ONE_OF_2: i32 = 1 << 29;
/// 48/17 and -32/17 with two integer bits: where Newton's iteration for a reciprocal begins.
const START: [i32; 2] = [1_515_870_810, -1_010_580_540];
/// exp(-1/8), 1/3 with no integer bits.
const SERIES: [i32; 2] = [1_895_147_668, 715_827_883];
/// exp(-2^n) for n from -2.
const POWERS: [i32; 7] = [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];

/// `2 · a · b / 2^32`, rounded, ties upwards.
pub(super) fn rounding_high_product(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    let rounded = (i64::from(a) * i64::from(b) + (1 << 30)) >> 31;
    i32::try_from(rounded).unwrap_or(i32::MAX)
}

/// `x / 2^by`, rounded, ties away from 0.
pub(super) fn rounded_shift(x: i32, by: u32) -> i32 {
    if by == 0 {
        return x;
    }
    if by > 31 {
        return 0;
    }
    let (wide, half) = (i64::from(x), 1_i64 << (by - 1));
    i32::try_from((wide + half - i64::from(wide < 0)) >> by).unwrap_or(0)
}

/// `x · 2^by`, saturated.
pub(super) fn saturated_shift(x: i32, by: u32) -> i32 {
    i32::try_from(i64::from(x) << by).unwrap_or(if x < 0 { i32::MIN } else { i32::MAX })
}

/// `exp` of a number from -1/4 to 0 with no integer bits.
fn exp_of_quarter(a: i32) -> i32 {
    let x = a.wrapping_add(1 << 28);
    let x2 = rounding_high_product(x, x);
    let x3 = rounding_high_product(x2, x);
    let x4 = rounding_high_product(x2, x2);
    let quarter = rounded_shift(x4, 2).wrapping_add(x3);
    let tail = rounded_shift(rounding_high_product(quarter, SERIES[1]).wrapping_add(x2), 1);
    SERIES[0].wrapping_add(rounding_high_product(SERIES[0], x.wrapping_add(tail)))
}

/// `exp` of a number that is not positive and has `bits` integer bits, at most 5; the result has none.
pub(super) fn exp(a: i32, bits: u32) -> i32 {
    if a == 0 {
        return ONE;
    }
    let quarter = 1_i32 << (29 - bits);
    let within = (a & (quarter - 1)) - quarter;
    let mut result = exp_of_quarter(saturated_shift(within, bits));
    let remainder = within.wrapping_sub(a);
    for (place, power) in (29 - bits..31).zip(POWERS) {
        if remainder & (1 << place) != 0 {
            result = rounding_high_product(result, power);
        }
    }
    result
}

/// Three steps of Newton's iteration for `2 / (1 + a)` with two integer bits.
fn newton(a: i32) -> i32 {
    let half = i32::try_from((i64::from(a) + i64::from(ONE) + 1) / 2).unwrap_or(ONE);
    let mut x = START[0].wrapping_add(rounding_high_product(half, START[1]));
    for _ in 0..3 {
        let error = ONE_OF_2.wrapping_sub(rounding_high_product(half, x));
        x = x.wrapping_add(saturated_shift(rounding_high_product(x, error), 2));
    }
    x
}

/// `1 / (1 + a)` for numbers from 0 to 1 with no integer bits.
pub(super) fn one_over_one_plus(a: i32) -> i32 {
    saturated_shift(newton(a), 1)
}

/// The logistic function of a number with `bits` integer bits, at most 5; the result has none.
pub(super) fn logistic(a: i32, bits: u32) -> i32 {
    if a == 0 {
        return 1 << 30;
    }
    let positive = one_over_one_plus(exp(a.wrapping_abs().wrapping_neg(), bits));
    if a > 0 { positive } else { ONE - positive }
}

/// `tanh` of a number with `bits` integer bits, at most 4; the result has none.
pub(super) fn tanh(a: i32, bits: u32) -> i32 {
    if a == 0 {
        return 0;
    }
    let power = exp(a.wrapping_abs().wrapping_neg(), bits + 1);
    let magnitude = saturated_shift(newton(power).wrapping_sub(ONE_OF_2), 2);
    if a < 0 { magnitude.wrapping_neg() } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_near_the_real_ones() {
        let real = |raw: i32, bits: i32| f64::from(raw) / 2_f64.powi(31 - bits);
        for step in 1..1000 {
            let raw = step * (1 << 21);
            let x = real(raw, 4);
            assert!((real(exp(-raw, 4), 0) - (-x).exp()).abs() < 1e-6, "{x}");
            assert!((real(logistic(raw, 4), 0) - 1.0 / (1.0 + (-x).exp())).abs() < 1e-6, "{x}");
            assert!((real(logistic(-raw, 4), 0) - 1.0 / (1.0 + x.exp())).abs() < 1e-6, "{x}");
            assert!((real(tanh(-raw, 4), 0) + x.tanh()).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn ties_are_rounded_away_from_zero_by_shifts_and_upwards_by_products() {
        assert_eq!([-3, -2, -1, 1, 2, 3].map(|x| rounded_shift(x, 1)), [-2, -1, -1, 1, 1, 2]);
        assert_eq!(rounding_high_product(-3, 1 << 30), -1);
        assert_eq!(rounding_high_product(3, 1 << 30), 2);
    }
}
