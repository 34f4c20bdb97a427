//! Functions of one code as tables. Invariant: entry `i` is what the reference kernel answers to the code `i - 128`.

use super::factor::split;
use super::fixed::{self, rounded_shift, rounding_high_product, saturated_shift};
use super::{Factor, HIGHEST, LOWEST, single};
use crate::tosa::{Codes, Fault};

/// 256 entries.
pub(crate) type Table = Vec<i64>;

fn entries(mut code: impl FnMut(i32) -> i32) -> Table {
    (-128..128).map(|x| i64::from(code(x)).clamp(LOWEST, HIGHEST)).collect()
}

/// A function of real numbers, in f32 as the kernels' lookup tables.
pub(crate) fn from_function(from: Codes, to: Codes, function: impl Fn(f32) -> f32) -> Table {
    let (step, inverse) = (single(from.scale), 1.0 / single(to.scale));
    #[allow(clippy::cast_precision_loss, reason = "zero points have 9 bits")]
    let zero = to.zero_point as f32;
    entries(|x| {
        #[allow(clippy::cast_precision_loss, reason = "at most 9 bits")]
        let real = step * (x - from.zero_point) as f32;
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
        let code = ((function(real) * inverse).round() + zero) as i32;
        code
    })
}

/// The factor that brings codes to 4 integer bits, and the code from which on the functions are constant.
fn to_q4(from: Codes) -> Result<(Factor, i32), Fault> {
    let real = from.scale * f64::from(1 << 27);
    let (fraction, shift) = split(real);
    if shift > 30 {
        return Err(Fault { op: "table", reason: format!("a scale of {}", from.scale) });
    }
    #[allow(clippy::cast_possible_truncation, reason = "saturates, as the kernel does for fractions below 1")]
    let multiplier = (fraction * f64::from(1_u32 << 31)).round() as i32;
    #[allow(clippy::cast_possible_truncation, reason = "saturates: beyond all codes")]
    let radius = (15.0 * f64::from(1 << 27) / 2_f64.powi(shift)).floor() as i32;
    Ok((Factor { multiplier, shift }, radius))
}

/// The logistic function; the result's scale is 1/256, and its zero point -128.
pub(crate) fn logistic(from: Codes) -> Result<Table, Fault> {
    let (factor, radius) = to_q4(from)?;
    Ok(entries(|x| match x - from.zero_point {
        x if x <= -radius => -128,
        x if x >= radius => 127,
        x => rounded_shift(fixed::logistic(factor.apply(x), 4), 23) - 128,
    }))
}

/// `tanh`; the result's scale is 1/128, and its zero point 0.
pub(crate) fn tanh(from: Codes) -> Result<Table, Fault> {
    let (factor, radius) = to_q4(from)?;
    Ok(entries(|x| match x - from.zero_point {
        x if x <= -radius => -128,
        x if x >= radius => 127,
        x => rounded_shift(fixed::tanh(factor.apply(x), 4), 24),
    }))
}

/// `x` for codes of 0 and more, `alpha · x` below.
pub(crate) fn leaky_relu(from: Codes, to: Codes, alpha: f32) -> Result<Table, Fault> {
    let (input, output) = (single(from.scale), single(to.scale));
    let above = Factor::of(f64::from(input / output))?;
    let below = f64::from(input * alpha / output);
    let (below, sign) = (Factor::of(below.abs())?, if below < 0.0 { -1 } else { 1 });
    Ok(entries(|x| match x - from.zero_point {
        x if x >= 0 => above.apply(x).saturating_add(to.zero_point),
        x => (sign * below.apply(x)).saturating_add(to.zero_point),
    }))
}

/// `x` above 0, `exp(x) - 1` below.
pub(crate) fn elu(from: Codes, to: Codes) -> Table {
    from_function(from, to, |x| if x < 0.0 { x.exp_m1() } else { x })
}

/// The quotient of codes and a divisor, whose difference from its zero point is given; none if the kernel does not define it: for 0,
/// and where it would shift by more bits than a word has, which it does if a step of the dividend is less than half a step of the
/// result.
pub(crate) fn quotient(from: Codes, to: Codes, divisor: i32, scale: f64) -> Result<Option<Table>, Fault> {
    let factor = Factor::of(f64::from(single(from.scale) / (single(scale) * single(to.scale))))?;
    if divisor == 0 {
        return Ok(None);
    }
    let magnitude = divisor.unsigned_abs();
    let digits = magnitude.leading_zeros();
    let over_unit = 31 - digits.cast_signed();
    let inverse = fixed::one_over_one_plus((magnitude.wrapping_shl(digits) ^ (1 << 31)).cast_signed());
    let mut undefined = false;
    let table = entries(|x| {
        let dividend = (x - from.zero_point) * divisor.signum();
        // Zeros and signs in front of the first digit.
        let headroom = (dividend ^ (dividend >> 31)).leading_zeros() - 1;
        let fine = rounding_high_product(dividend.wrapping_shl(headroom), inverse);
        let right = over_unit + headroom.cast_signed() - factor.shift;
        undefined |= !(0..=31).contains(&right);
        let scaled = rounding_high_product(fine, factor.multiplier);
        rounded_shift(scaled, u32::try_from(right).unwrap_or(0)).saturating_add(to.zero_point)
    });
    Ok((!undefined).then_some(table))
}

/// The natural logarithm; codes that are not above that of 0 give the lowest result.
pub(crate) fn log(from: Codes, to: Codes) -> Table {
    #[allow(clippy::cast_precision_loss, reason = "at most 9 bits")]
    let least = (-128 - to.zero_point) as f32 * single(to.scale);
    from_function(from, to, |x| if x <= 0.0 { least } else { x.ln() })
}

/// The square root, rounded towards 0; the kernel refuses codes below that of 0, which give the code of 0 here.
pub(crate) fn sqrt(from: Codes, to: Codes) -> Table {
    let (step, unit) = (single(from.scale), single(to.scale));
    entries(|x| {
        #[allow(clippy::cast_precision_loss, reason = "at most 9 bits")]
        let real = step * (x - from.zero_point).max(0) as f32;
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
        let code = (real.sqrt() / unit) as i32;
        code.saturating_add(to.zero_point)
    })
}

/// Codes with the other sign; -128 stays, as in 8 bits.
pub(crate) fn negated() -> Table {
    entries(|x| if x == -128 { x } else { -x })
}

/// `x · min(max(x + 3, 0), 6) / 6`, with the kernel's 16 bits.
pub(crate) fn hard_swish(from: Codes, to: Codes) -> Result<Table, Fault> {
    let fine = (1.0_f32 / 128.0) * single(from.scale);
    let output = Factor::of(f64::from(fine / single(to.scale)))?;
    let relu = Factor::of(f64::from(fine / (3.0_f32 / 32768.0)))?;
    if output.shift > 0 || relu.shift > 30 {
        return Err(Fault { op: "table", reason: format!("scales of {} and {}", from.scale, to.scale) });
    }
    let [output_16, relu_16] = [output, relu].map(|f| narrow(f.multiplier));
    let right = output.shift.unsigned_abs();
    Ok(entries(|x| {
        let wide = (x - from.zero_point) * 128;
        let value = high_product_16(wide, output_16);
        let mut gate = wide;
        if relu.shift > 0 {
            gate = saturated_16(i64::from(gate) << (relu.shift - 1));
        }
        gate = high_product_16(gate, relu_16);
        if relu.shift > 0 {
            gate = saturated_16(i64::from(gate) << 1);
        }
        if relu.shift < 0 {
            gate = rounded_shift(gate, relu.shift.unsigned_abs());
        }
        let gate = (gate + (1 << 15)) >> 1;
        let product = if gate == -32768 && value == -32768 { 32767 } else { gate * value / (1 << 15) };
        rounded_shift(product, right) + to.zero_point
    }))
}

/// A multiplier of 32 bits with 16.
fn narrow(multiplier: i32) -> i32 {
    if multiplier >= i32::MAX - (1 << 15) { 32767 } else { (multiplier + (1 << 15)) >> 16 }
}

fn saturated_16(x: i64) -> i32 {
    i32::try_from(x.clamp(-32768, 32767)).unwrap_or(0)
}

/// `2 · a · b / 2^16`, rounded, ties upwards.
fn high_product_16(a: i32, b: i32) -> i32 {
    saturated_16((i64::from(a) * i64::from(b) + (1 << 14)) >> 15)
}

/// `1 / sqrt(x)`, with the kernel's fixed-point iteration; codes that are not above that of 0 give the largest result. The root of
/// the scale is that of TFLite, in f32; TensorFlow Lite for Microcontrollers has it in f64, and about one code in 500,000 differs by 1.
pub(crate) fn rsqrt(from: Codes, to: Codes) -> Result<Table, Fault> {
    let scale = 1.0 / (f64::from(single(from.scale).sqrt()) * f64::from(single(to.scale)));
    let factor = Factor::of(scale)?;
    Ok(entries(|x| match x - from.zero_point {
        x if x <= 0 => 127,
        x => {
            let (multiplier, shift) = inverse_root(x);
            let inner = Factor { multiplier, shift: shift + 20 }.apply(1);
            Factor { multiplier: factor.multiplier, shift: factor.shift - 20 }
                .apply(inner)
                .saturating_add(to.zero_point)
        }
    }))
}

/// `1 / sqrt(x)` as multiplier and shift.
fn inverse_root(x: i32) -> (i32, i32) {
    if x <= 1 {
        return (i32::MAX, 0);
    }
    let mut input = x;
    let mut shift = 11;
    while input >= 1 << 29 {
        input /= 4;
        shift += 1;
    }
    let pairs = (input.leading_zeros() - 1) / 2 - 1;
    shift -= i32::try_from(pairs).unwrap_or(0);
    input <<= 2 * pairs;
    // Numbers with 3 integer bits: 1, and half of the input.
    let (one, half) = (1_i32 << 28, rounded_shift(input >> 1, 1));
    let mut root = one;
    let three_halves = one + (one >> 1);
    for _ in 0..5 {
        let square = rounding_high_product(root, root);
        let cube = saturated_shift(rounding_high_product(square, root), 6);
        let step = rounding_high_product(three_halves, root).wrapping_sub(rounding_high_product(half, cube));
        root = saturated_shift(step, 3);
    }
    let multiplier = rounding_high_product(root, HALF_ROOT_OF_2);
    if shift < 0 { (multiplier << -shift, 0) } else { (multiplier, -shift) }
}

/// sqrt(2) / 2 with no integer bits.
const HALF_ROOT_OF_2: i32 = 1_518_500_250;

/// The magnitude.
pub(crate) fn abs(from: Codes, to: Codes) -> Result<Table, Fault> {
    let same = single(from.scale) == single(to.scale);
    let factor = Factor::of(f64::from(single(from.scale) / single(to.scale)))?;
    Ok(entries(|x| {
        let magnitude = (x - from.zero_point).abs();
        (if same { magnitude } else { factor.apply(magnitude) }).saturating_add(to.zero_point)
    }))
}

/// Codes of one meaning as another, by way of real numbers: DEQUANTIZE and QUANTIZE.
pub(crate) fn requantized(from: Codes, to: Codes) -> Table {
    let (step, unit) = (single(from.scale), single(to.scale));
    entries(|x| {
        #[allow(clippy::cast_precision_loss, reason = "at most 9 bits")]
        let real = step * (x - from.zero_point) as f32;
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
        let code = (real / unit).round() as i32;
        code.saturating_add(to.zero_point)
    })
}
