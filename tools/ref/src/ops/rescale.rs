//! `rescale`: subtract zero point, scale, add zero point, clip.

use crate::arith::{Watch, apply_scale_16, apply_scale_32, check_scale};
use crate::{Dtype, Invalid, Tensor, require};

/// Rounding mode of `rescale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Once.
    Single,
    /// First to 31 bits, then to the result.
    Double,
}

/// Attributes of `rescale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescale {
    /// Element type of the result.
    pub to: Dtype,
    /// Multipliers: one, or one for each index of the last axis.
    pub multiplier: Vec<i64>,
    /// Shifts, as many.
    pub shift: Vec<i64>,
    /// 32-bit multipliers, else 16-bit ones.
    pub scale32: bool,
    /// Rounding mode.
    pub round: Round,
    /// Whether each index of the last axis has its own multiplier and shift.
    pub per_channel: bool,
    /// Whether the input's bits are read as unsigned.
    pub input_unsigned: bool,
    /// Whether the result is clipped and stored as unsigned bits.
    pub output_unsigned: bool,
    /// Zero point of the input, in its own signedness.
    pub input_zp: i64,
    /// Zero point of the result, in its own signedness.
    pub output_zp: i64,
}

const OP: &str = "rescale";

/// Zero points exist for 8 bits, and for unsigned 16 bits as 0 or 32768.
fn check_zero_point(what: &str, dtype: Dtype, unsigned: bool, zp: i64) -> Result<(), Invalid> {
    let allowed = match (dtype, unsigned) {
        (Dtype::I8, false) => (-128..=127).contains(&zp),
        (Dtype::I8, true) => (0..=255).contains(&zp),
        (Dtype::I16, true) => zp == 0 || zp == 32768,
        _ => zp == 0,
    };
    let sign = if unsigned { "unsigned" } else { "signed" };
    require(allowed, OP, format!("{what} zero point of {sign} {dtype} cannot be {zp}"))
}

fn check(x: &Tensor, r: &Rescale) -> Result<(), Invalid> {
    require(!(r.input_unsigned && r.output_unsigned), OP, "input and output cannot both be unsigned")?;
    let unsigned = r.input_unsigned || r.output_unsigned;
    require(!unsigned || (x.dtype != Dtype::I32 && r.to != Dtype::I32), OP, "i32 does not go with unsigned")?;
    require(r.scale32 || r.round == Round::Single, OP, "16-bit multipliers do not go with double rounding")?;
    require(r.to != Dtype::I48, OP, "i48 is no result")?;
    let narrow = !r.scale32 && !unsigned;
    require(x.dtype != Dtype::I48 || narrow, OP, "i48 goes with signed ends and 16-bit multipliers only")?;
    check_zero_point("input", x.dtype, r.input_unsigned, r.input_zp)?;
    check_zero_point("output", r.to, r.output_unsigned, r.output_zp)?;
    require(x.rank() >= 1 || !r.per_channel, OP, "a scalar has no channels")?;
    let channels = if r.per_channel { x.shape[x.rank() - 1] } else { 1 };
    let fits = r.multiplier.len() == channels && r.shift.len() == channels;
    let got = (r.multiplier.len(), r.shift.len());
    require(fits, OP, format!("expected {channels} multipliers and shifts, got {got:?}"))?;
    r.multiplier.iter().zip(&r.shift).try_for_each(|(&m, &s)| check_scale(OP, m, s, r.scale32))
}

pub(crate) fn rescale(x: &Tensor, r: &Rescale, watch: &mut Watch) -> Result<Tensor, Invalid> {
    check(x, r)?;
    let modulus = |dtype: Dtype| 1i64 << dtype.bits();
    let (lowest, highest) = if r.output_unsigned { (0, modulus(r.to) - 1) } else { (r.to.min(), r.to.max()) };
    Tensor::from_fn(r.to, x.shape.clone(), |at| {
        let channel = if r.per_channel { at[at.len() - 1] } else { 0 };
        let stored = x.at(at);
        let value = if r.input_unsigned { stored.rem_euclid(modulus(x.dtype)) } else { stored };
        // Only i48 is wider, and has no zero point.
        let value = if x.dtype == Dtype::I48 { value } else { watch.int32(i128::from(value - r.input_zp)) };
        let (multiplier, shift) = (r.multiplier[channel], r.shift[channel]);
        let scaled = if r.scale32 {
            apply_scale_32(watch, value, multiplier, shift, r.round == Round::Double)
        } else {
            apply_scale_16(watch, value, multiplier, shift)
        };
        let shifted = watch.int32(i128::from(scaled + r.output_zp));
        r.to.wrap(i128::from(shifted.clamp(lowest, highest)))
    })
}
