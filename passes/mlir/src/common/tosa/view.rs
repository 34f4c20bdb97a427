//! Reading TOSA ops of the IR into plain data.
//!
//! Invariant: nothing here changes the IR, and an op that cannot be read (a missing attribute, a constant whose resource is
//! absent) is `None`, never a guess.

use std::borrow::Cow;

use strum_ir::{Operation, Type, Value};

use super::elem::Elem;
use super::literal::Literal;
use super::num::{RescaleEnds, Round, Scale, Unary};

/// Shape and element type of a static tensor of a supported type.
#[must_use]
pub fn tensor(ty: Type<'_>) -> Option<(Vec<u64>, Elem)> {
    let tensor = ty.as_tensor()?;
    let elem = Elem::from_width(tensor.element.int_width()?).filter(|e| tensor.element.is_int(e.bits()))?;
    let shape = tensor.shape.iter().map(|&d| u64::try_from(d).ok()).collect::<Option<_>>()?;
    Some((shape, elem))
}

/// The shape of a value of a supported tensor type.
#[must_use]
pub fn shape(value: Value<'_>) -> Option<Vec<u64>> {
    tensor(value.ty()).map(|(shape, _)| shape)
}

/// The element type of a value of a supported tensor type.
#[must_use]
pub fn elem(value: Value<'_>) -> Option<Elem> {
    tensor(value.ty()).map(|(_, elem)| elem)
}

/// The value of a `tosa.const` of a supported type. Its data are borrowed from the attribute; a splat is not expanded.
#[must_use]
pub fn literal<'c>(value: Value<'c>) -> Option<Literal<'c>> {
    let op = value.defined_by("tosa.const")?;
    let (shape, elem) = tensor(value.ty())?;
    let attribute = op.attribute("values")?;
    if elem == Elem::I1 {
        return match attribute.splat_bool() {
            Some(bit) => Some(Literal::splat(shape, elem, bit.into())),
            None => Literal::dense(shape, elem, Cow::Owned(attribute.bools().ok()?)),
        };
    }
    if let Some(one) = attribute.splat_bytes() {
        let one = Literal::dense(vec![1], elem, Cow::Borrowed(one))?;
        return Some(Literal::splat(shape, elem, one.get(0)?));
    }
    Literal::dense(shape, elem, attribute.bytes().ok()?)
}

/// The single value of a constant, such as a zero point.
#[must_use]
pub fn scalar(value: Value<'_>) -> Option<i32> {
    literal(value)?.uniform()
}

/// The single value of a constant operand.
#[must_use]
pub fn scalar_operand(op: Operation<'_>, index: usize) -> Option<i32> {
    scalar(op.operand(index)?)
}

/// The values of a `tosa.const_shape`.
#[must_use]
pub fn dims(value: Value<'_>) -> Option<Vec<i64>> {
    value.defined_by("tosa.const_shape")?.attribute("values")?.int_elements().ok()
}

/// The values of a `tosa.const_shape` operand, none of which may be negative.
#[must_use]
pub fn extents(op: Operation<'_>, index: usize) -> Option<Vec<u64>> {
    dims(op.operand(index)?)?.into_iter().map(|d| u64::try_from(d).ok()).collect()
}

/// The values of a `tosa.const_shape` operand, which may be negative, such as offsets.
#[must_use]
pub fn offsets(op: Operation<'_>, index: usize) -> Option<Vec<i64>> {
    dims(op.operand(index)?)
}

/// The permutation of a `tosa.transpose`.
#[must_use]
pub fn perms(op: Operation<'_>) -> Option<Vec<usize>> {
    op.ints_attr("perms")?.into_iter().map(|p| usize::try_from(p).ok()).collect()
}

/// The axis of a `tosa.concat` or a reduction.
#[must_use]
pub fn axis(op: Operation<'_>) -> Option<usize> {
    usize::try_from(op.int_attr("axis")?).ok()
}

/// The padding of a `tosa.pad`, (before, after) for every dimension.
#[must_use]
pub fn padding(op: Operation<'_>) -> Option<Vec<(u64, u64)>> {
    let flat = extents(op, 1)?;
    let pairs: Vec<(u64, u64)> =
        flat.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
    (2 * pairs.len() == flat.len()).then_some(pairs)
}

/// A list of exactly `N` numbers, none of them negative.
#[must_use]
pub fn array<const N: usize>(op: Operation<'_>, name: &str) -> Option<[u64; N]> {
    let values: Vec<u64> =
        op.ints_attr(name)?.into_iter().map(u64::try_from).collect::<Result<_, _>>().ok()?;
    values.try_into().ok()
}

/// A parsed `tosa.rescale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// Types, signs and zero points.
    pub ends: RescaleEnds,
    /// One multiplier, or one for each channel.
    pub multipliers: Vec<i32>,
    /// Shifts, one per multiplier.
    pub shifts: Vec<i32>,
    /// Rounding mode.
    pub round: Round,
}

impl Rescale {
    /// The scale, if there is one for the whole tensor.
    #[must_use]
    pub fn per_tensor(&self) -> Option<Scale> {
        let (&[multiplier], &[shift]) = (self.multipliers.as_slice(), self.shifts.as_slice()) else {
            return None;
        };
        Some(Scale { multiplier, shift: u8::try_from(shift).ok()?, round: self.round })
    }
}

/// Reads a legal `tosa.rescale` with constant parameters.
#[must_use]
pub fn rescale(op: Operation<'_>) -> Option<Rescale> {
    if !op.is("tosa.rescale") {
        return None;
    }
    let round = match op.keyword_attr("rounding_mode")?.as_str() {
        // TOSA allows either rounding where it may be inexact.
        "SINGLE_ROUND" | "INEXACT_ROUND" => Round::Single,
        "DOUBLE_ROUND" => Round::Double,
        _ => return None,
    };
    let (input, output) = (elem(op.operand(0)?)?, elem(op.result(0)?)?);
    let input_unsigned = op.bool_attr("input_unsigned")?;
    let output_unsigned = op.bool_attr("output_unsigned")?;
    let zero_point = |index: usize, elem: Elem, unsigned: bool| {
        scalar_operand(op, index).map(|zp| if unsigned { elem.zero_extend(zp) } else { zp })
    };
    let ends = RescaleEnds {
        input,
        input_unsigned,
        input_zp: zero_point(3, input, input_unsigned)?,
        output,
        output_unsigned,
        output_zp: zero_point(4, output, output_unsigned)?,
        wide: op.bool_attr("scale32")?,
    };
    let multipliers: Vec<i32> = literal(op.operand(1)?)?.values().collect();
    let shifts: Vec<i32> = literal(op.operand(2)?)?.values().collect();
    let want = if op.bool_attr("per_channel")? {
        usize::try_from(*shape(op.operand(0)?)?.last()?).ok()?
    } else {
        1
    };
    let legal = ends.is_legal() && multipliers.len() == want && shifts.len() == want;
    legal.then_some(Rescale { ends, multipliers, shifts, round })
}

/// Reads an op that is a function of each element of its first operand alone.
#[must_use]
pub fn unary(op: Operation<'_>) -> Option<Unary> {
    let input = elem(op.operand(0)?)?;
    match op.name() {
        "tosa.rescale" => {
            let rescale = rescale(op)?;
            Some(Unary::Rescale(rescale.ends, rescale.per_tensor()?))
        }
        "tosa.clamp" => {
            let bound = |name: &str| i32::try_from(op.int_attr(name)?).ok();
            Some(Unary::Clamp(bound("min_val")?, bound("max_val")?))
        }
        "tosa.table" if input == Elem::I8 => {
            let table = literal(op.operand(1)?)?;
            let entries: Vec<i8> = table.values().map_while(|v| i8::try_from(v).ok()).collect();
            (entries.len() == 256).then_some(Unary::Table(entries))
        }
        "tosa.negate" => Some(Unary::Negate(input, scalar_operand(op, 1)?, scalar_operand(op, 2)?)),
        "tosa.abs" if input == Elem::I32 => Some(Unary::Abs),
        "tosa.clz" if input == Elem::I32 => Some(Unary::Clz),
        "tosa.bitwise_not" | "tosa.logical_not" => Some(Unary::Not(input)),
        "tosa.cast" => Some(Unary::Cast(elem(op.result(0)?)?)),
        "tosa.identity" => Some(Unary::Identity),
        _ => None,
    }
}
