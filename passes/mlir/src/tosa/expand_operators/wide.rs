//! `tosa.conv2d` and `tosa.depthwise_conv2d` of 16-bit activations, with accumulators of 48 bits, up to their `rescale`.
//!
//! An activation is `256 · high + low`, with a signed high byte and an unsigned low one: two convolutions of bytes with the same
//! weights give two sums of 32 bits, which are put together, rescaled and narrowed in 32 bits.
//!
//! Invariant: wherever TOSA defines the result of the `rescale`, so also where an accumulator needs all 48 bits, every value
//! here is exact. No bound depends on the values of weights, which `strum-pack` may change.

use strum_ir::{Attribute, Error, Operation, PassError, Type, Value};

use super::data::{extents, wrong};
use crate::common::tosa::build::{Builder, RescaleSpec};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;

/// Least shift with accumulators of more than 32 bits.
const LEAST_SHIFT: i32 = 17;

/// A convolution that has been checked.
pub(super) struct Wide<'c> {
    op: Operation<'c>,
    /// One for each output channel, or one for all.
    bias: Vec<i64>,
    /// Whether every accumulator fits 32 bits.
    fits: bool,
    scales: Vec<Scale<'c>>,
}

/// A `tosa.rescale` of the accumulators.
struct Scale<'c> {
    op: Operation<'c>,
    multipliers: Vec<i32>,
    shifts: Vec<i32>,
    output: Elem,
    output_zp: i32,
}

/// Whether an op is a convolution of 16-bit activations.
pub(super) fn is_wide(op: &Operation<'_>) -> bool {
    (op.is("tosa.conv2d") || op.is("tosa.depthwise_conv2d"))
        && op.operand(0).and_then(view::elem) == Some(Elem::I16)
}

/// Reads the op and the rescales behind it.
///
/// # Errors
/// What of them is not supported, at the op that it is about.
pub(super) fn read<'c>(op: Operation<'c>) -> Result<Wide<'c>, PassError> {
    let refuse = |of: Operation<'c>, fault: &str| PassError::from(of.error(format!("{UNSUPPORTED}{fault}")));
    let result = op.single_result().ok_or_else(|| wrong("result"))?;
    let weights = op.operand(1).and_then(|w| view::tensor(w.ty())).filter(|(_, elem)| *elem == Elem::I8);
    let Some((weights, _)) = weights else {
        return Err(refuse(op, "with i16 activations, weights are static tensors of i8"));
    };
    if view::scalar_operand(op, 3) != Some(0) {
        return Err(refuse(op, "with i16 activations, the zero point of the input is the constant 0"));
    }
    let Some(weight_zp) = view::scalar_operand(op, 4) else {
        return Err(refuse(op, "with i16 activations, the zero point of the weights is constant"));
    };
    let Some(bias) = op.operand(2).and_then(i48s) else {
        return Err(refuse(op, "with i16 activations, the bias is a constant of i48"));
    };
    let taps = match (op.is("tosa.conv2d"), weights.as_slice()) {
        (true, &[_, h, w, c]) => h.checked_mul(w).and_then(|n| n.checked_mul(c)),
        (false, &[h, w, _, _]) => h.checked_mul(w),
        _ => None,
    };
    // Each product of a byte and any weight, and their sum.
    let product = 128 + u64::from(weight_zp.unsigned_abs());
    let sum = taps.and_then(|taps| taps.checked_mul(product)).unwrap_or(u64::MAX);
    let limit = u64::from(i32::MAX.unsigned_abs());
    if sum.saturating_mul(0xff).saturating_add(0xffff) > limit {
        return Err(refuse(
            op,
            "with i16 activations, the sum of a kernel's products of bytes exceeds 32 bits",
        ));
    }
    let greatest = bias.iter().map(|b| b.unsigned_abs()).max().unwrap_or(0);
    let fits = sum.saturating_mul(0x8000).saturating_add(greatest) <= limit;
    let mut scales = Vec::new();
    for each in result.uses() {
        let scale = (each.operand == 0).then(|| Scale::read(each.user)).flatten();
        let Some(scale) = scale else {
            let at = if each.user.is("tosa.rescale") { each.user } else { op };
            return Err(refuse(
                at,
                "accumulators of i48 are only read by a 'tosa.rescale' with scale32 = false, SINGLE_ROUND, \
                 signed ends, and constant multipliers, shifts and zero points",
            ));
        };
        if !fits && scale.shifts.iter().any(|&s| s < LEAST_SHIFT) {
            let fault = format!("a shift below {LEAST_SHIFT} of accumulators that may exceed 32 bits");
            return Err(refuse(each.user, &fault));
        }
        scales.push(scale);
    }
    if scales.is_empty() {
        return Err(refuse(op, "accumulators of i48 without a 'tosa.rescale' behind them"));
    }
    Ok(Wide { op, bias, fits, scales })
}

/// The elements of a constant of i48.
fn i48s(value: Value<'_>) -> Option<Vec<i64>> {
    let op = value.defined_by("tosa.const")?;
    value.ty().as_tensor().filter(|t| t.element.is_int(48))?;
    op.attribute("values")?.int_elements().ok()
}

impl<'c> Scale<'c> {
    fn read(op: Operation<'c>) -> Option<Self> {
        let flag = |name| op.bool_attr(name);
        let exact = op.is("tosa.rescale") && op.keyword_attr("rounding_mode")? == "SINGLE_ROUND";
        let plain = !flag("scale32")? && !flag("input_unsigned")? && !flag("output_unsigned")?;
        let zero = i48s(op.operand(3)?)?.iter().all(|&zp| zp == 0);
        let multipliers: Vec<i32> = view::literal(op.operand(1)?)?.values().collect();
        let shifts: Vec<i32> = view::literal(op.operand(2)?)?.values().collect();
        let channels = usize::try_from(*op.result(0)?.ty().shape()?.last()?).ok()?;
        let count = if flag("per_channel")? { channels } else { 1 };
        let output = view::elem(op.result(0)?).filter(|&elem| elem != Elem::I1)?;
        let output_zp = view::scalar_operand(op, 4)?;
        let legal = multipliers.iter().all(|m| (0..=0x7fff).contains(m))
            && shifts.iter().all(|s| (2..=62).contains(s))
            && (multipliers.len(), shifts.len()) == (count, count)
            && (output == Elem::I8 || output_zp == 0);
        (exact && plain && zero && legal).then_some(Scale { op, multipliers, shifts, output, output_zp })
    }
}

/// The accumulators in 32 bits: whole, or `65536 · high + low`, with `low` in 0 to 65535.
#[derive(Clone, Copy)]
enum Sums<'c> {
    Whole(Value<'c>),
    Halves(Value<'c>, Value<'c>),
}

/// Replaces the op and its rescales.
pub(super) fn expand<'c>(build: &mut Builder<'c>, wide: &Wide<'c>) -> Result<(), Error> {
    build.go(wide.op);
    let sums = wide.sums(build)?;
    for scale in &wide.scales {
        build.go(scale.op);
        let value = match sums {
            Sums::Whole(value) => build.rescale(value, &scale.whole())?,
            Sums::Halves(high, low) => scale.halves(build, high, low)?,
        };
        scale.op.replace_with(&[value])?;
    }
    wide.op.erase()
}

impl<'c> Wide<'c> {
    fn sums(&self, build: &mut Builder<'c>) -> Result<Sums<'c>, Error> {
        let input = self.op.operand(0).ok_or_else(|| wrong("input"))?;
        let high = shifted(build, input, 8, Elem::I16)?;
        let high = build.cast(high, Elem::I8)?;
        // The low byte less 128, which is its zero point.
        let low = with_constant(build, "tosa.bitwise_xor", input, &[0x80], Elem::I16)?;
        let low = build.cast(low, Elem::I8)?;
        let high = self.conv(build, high, 0, &[0])?;
        if self.fits {
            let bias: Option<Vec<i32>> = self.bias.iter().map(|&b| i32::try_from(b).ok()).collect();
            let low = self.conv(build, low, -128, &bias.ok_or_else(|| wrong("bias"))?)?;
            // 2^8, as a multiplier and a shift, which the layer takes in.
            let by_256 =
                RescaleSpec { multipliers: &[1 << 10], shifts: &[2], ..RescaleSpec::unit(Elem::I32) };
            let high = build.rescale(high, &by_256)?;
            return Ok(Sums::Whole(build.binary("tosa.add", &[high, low], low.ty())?));
        }
        // A bias is 65536 · upper + lower.
        let lower: Vec<i32> = self.bias.iter().map(|b| (b & 0xffff) as i32).collect();
        let upper: Vec<i32> = self.bias.iter().map(|b| (b >> 16) as i32).collect();
        let low = self.conv(build, low, -128, &lower)?;
        // low := 256 · (high's low byte) + low's lower half; high := the rest.
        let byte = with_constant(build, "tosa.bitwise_and", high, &[0xff], Elem::I32)?;
        let byte = with_constant(build, "tosa.logical_left_shift", byte, &[8], Elem::I32)?;
        let half = with_constant(build, "tosa.bitwise_and", low, &[0xffff], Elem::I32)?;
        let lows = build.binary("tosa.add", &[byte, half], low.ty())?;
        let parts = [
            shifted(build, high, 8, Elem::I32)?,
            shifted(build, low, 16, Elem::I32)?,
            shifted(build, lows, 16, Elem::I32)?,
        ];
        let [first, second, carry] = parts;
        let sum = build.binary("tosa.add", &[first, second], low.ty())?;
        let mut sum = build.binary("tosa.add", &[sum, carry], low.ty())?;
        if upper.iter().any(|&u| u != 0) {
            sum = with_constant(build, "tosa.add", sum, &upper, Elem::I32)?;
        }
        Ok(Sums::Halves(sum, with_constant(build, "tosa.bitwise_and", lows, &[0xffff], Elem::I32)?))
    }

    /// The op on bytes.
    fn conv(
        &self,
        build: &mut Builder<'c>,
        input: Value<'c>,
        zp: i32,
        bias: &[i32],
    ) -> Result<Value<'c>, Error> {
        let operand = |index| self.op.operand(index).ok_or_else(|| wrong("operand"));
        let result = self.op.single_result().ok_or_else(|| wrong("result"))?;
        let operands =
            [input, operand(1)?, build.vector(Elem::I32, bias)?, build.scalar(Elem::I8, zp)?, operand(4)?];
        let ty = build.tensor(&extents(result)?, Elem::I32)?;
        let acc = Attribute::of_type(Type::int(build.context(), 32));
        let mut op = build.op(self.op.name()).operands(&operands).result(ty).attribute("acc_type", acc);
        for name in ["pad", "stride", "dilation", "local_bound"] {
            op = op.maybe_attribute(name, self.op.attribute(name));
        }
        build.insert(op)
    }
}

impl<'c> Scale<'c> {
    /// The rescale of accumulators of 32 bits.
    fn whole(&self) -> RescaleSpec<'_> {
        RescaleSpec {
            multipliers: &self.multipliers,
            shifts: &self.shifts,
            output_zp: self.output_zp,
            ..RescaleSpec::unit(self.output)
        }
    }

    /// `(65536 · high + low) · multiplier / 2^shift`, rounded to nearest, ties upwards.
    ///
    /// The product is `2^32 · top + 2^16 · middle + …`: `top` and `middle` here, of 32 and 16 bits. A shift of `32 + n` is a
    /// rounding shift of `top` by `n`; one of `32 - n` is `top · 2^n` and the rounding shift of `middle` by `16 - n`.
    fn halves(&self, build: &mut Builder<'c>, high: Value<'c>, low: Value<'c>) -> Result<Value<'c>, Error> {
        let each = |f: fn(i32) -> i32| self.shifts.iter().map(|&s| f(s)).collect::<Vec<_>>();
        let times = |build: &mut Builder<'c>, value| {
            let [value, factor] = [value, channels(build, &self.multipliers, Elem::I32)?];
            let shift = build.scalar(Elem::I8, 0)?;
            build.binary("tosa.mul", &[value, factor, shift], value.ty())
        };
        let low = times(build, low)?;
        let carry = shifted(build, low, 16, Elem::I32)?;
        let middle = with_constant(build, "tosa.bitwise_and", high, &[0xffff], Elem::I32)?;
        let middle = times(build, middle)?;
        let middle = build.binary("tosa.add", &[middle, carry], high.ty())?;
        let top = shifted(build, high, 16, Elem::I32)?;
        let top = times(build, top)?;
        let carry = shifted(build, middle, 16, Elem::I32)?;
        let mut value = build.binary("tosa.add", &[top, carry], high.ty())?;
        if self.shifts.iter().any(|&s| s > 32) {
            value = shift(build, value, &each(|s| (s - 32).max(0)), Elem::I32, true)?;
        }
        if self.shifts.iter().any(|&s| s <= 32) {
            let left = each(|s| (32 - s).max(0));
            value = with_constant(build, "tosa.logical_left_shift", value, &left, Elem::I32)?;
            let middle = with_constant(build, "tosa.bitwise_and", middle, &[0xffff], Elem::I32)?;
            // A shift by 17 leaves nothing of 16 bits.
            let right = each(|s| (s - 16).min(17));
            let rest = shift(build, middle, &right, Elem::I32, true)?;
            value = build.binary("tosa.add", &[value, rest], high.ty())?;
        }
        if self.output == Elem::I32 {
            return Ok(value);
        }
        // A multiplier of 16 bits, with which TOSA does not limit the value.
        let narrow = RescaleSpec { multipliers: &[1 << 14], shifts: &[14], ..RescaleSpec::unit(self.output) };
        build.rescale(value, &RescaleSpec { output_zp: self.output_zp, ..narrow })
    }
}

/// One value, or one for each channel, that broadcasts against rank 4.
fn channels<'c>(build: &mut Builder<'c>, values: &[i32], elem: Elem) -> Result<Value<'c>, Error> {
    let shape = vec![1, 1, 1, values.len() as u64];
    let literal = match values {
        [one] => Some(Literal::splat(shape, elem, *one)),
        _ => Literal::from_values(shape, elem, values),
    };
    build.constant(literal.ok_or_else(|| wrong("constant"))?)
}

/// An op of a value and constants.
fn with_constant<'c>(
    build: &mut Builder<'c>,
    name: &str,
    value: Value<'c>,
    constants: &[i32],
    elem: Elem,
) -> Result<Value<'c>, Error> {
    let constants = channels(build, constants, elem)?;
    build.binary(name, &[value, constants], value.ty())
}

/// An arithmetic right shift that drops bits.
fn shifted<'c>(build: &mut Builder<'c>, value: Value<'c>, by: i32, elem: Elem) -> Result<Value<'c>, Error> {
    shift(build, value, &[by], elem, false)
}

fn shift<'c>(
    build: &mut Builder<'c>,
    value: Value<'c>,
    by: &[i32],
    elem: Elem,
    round: bool,
) -> Result<Value<'c>, Error> {
    let by = channels(build, by, elem)?;
    let op = build.op("tosa.arithmetic_right_shift").operands(&[value, by]).result(value.ty());
    build.insert(op.attribute("round", Attribute::bool(build.context(), round)))
}
