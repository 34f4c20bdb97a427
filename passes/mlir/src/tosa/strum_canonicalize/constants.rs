//! Folds constants through data movement and element-wise ops.

use strum_files::budget;
use strum_ir::{Error, Operation, Reported, Value};

use super::Cx;
use crate::common::support::{self, read::facts};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::{Literal, volume};
use crate::common::tosa::num::{RescaleEnds, Scale};
use crate::common::tosa::view;
use crate::common::verdict::MEMORY;

/// An op with constant inputs is a constant.
pub(super) fn fold<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<Option<Value<'c>>, Error> {
    room(op, cx.fold_limit)?;
    folded(op, cx.fold_limit).map(|literal| cx.build.constant(literal)).transpose()
}

/// The value of an op with constant inputs, of at most `limit` bytes unless it is one repeated number.
pub(crate) fn folded<'c>(op: Operation<'c>, limit: usize) -> Option<Literal<'c>> {
    // Unsupported ops must not disappear: the check of `tosa-to-strum` must see them.
    evaluate(op, limit).filter(|_| support::check(&facts(op)).is_ok())
}

/// Checks that there is memory for a fold: input and result while the result is computed.
fn room(op: Operation<'_>, limit: usize) -> Result<(), Error> {
    let Some(first) = op.operand(0).and_then(view::literal) else { return Ok(()) };
    let result = op.result(0).and_then(|result| view::tensor(result.ty()));
    let bytes = result.and_then(|(shape, elem)| volume(&shape)?.checked_mul(elem.bytes()));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= limit) else { return Ok(()) };
    let needed = bytes.saturating_add(if first.as_splat().is_some() { 0 } else { first.byte_len() });
    budget::check("a folded constant", needed as u64).map_err(|over| {
        let _: Reported = op.error(format_args!("{MEMORY}{over}"));
        Error::Reported
    })
}

fn evaluate<'c>(op: Operation<'c>, limit: usize) -> Option<Literal<'c>> {
    let first = view::literal(op.operand(0)?)?;
    let (shape, elem) = view::tensor(op.result(0)?.ty())?;
    let bytes = volume(&shape).and_then(|n| n.checked_mul(elem.bytes()));
    if first.as_splat().is_none() && bytes.is_none_or(|n| n > limit) {
        tracing::debug!(op = op.name(), ?bytes, limit, "does not apply: the constant would be too large");
        return None;
    }
    let folded = match op.name() {
        "tosa.reshape" => first.reshape(shape.clone()),
        "tosa.transpose" => first.transpose(&view::perms(op)?),
        "tosa.slice" => first.slice(&view::extents(op, 1)?, &view::extents(op, 2)?),
        "tosa.pad" => padded(op, &first, bytes, limit),
        "tosa.concat" => {
            let parts: Vec<Literal<'c>> =
                op.operands().into_iter().map(view::literal).collect::<Option<_>>()?;
            (bytes? <= limit).then(|| Literal::concat(&parts, view::axis(op)?))?
        }
        "tosa.rescale" => rescaled(op, &first),
        "tosa.select" => selected(op, &first, elem, bytes, limit),
        _ => match view::unary(op) {
            Some(unary) => first.map(elem, |x| unary.apply(x)),
            None => binary(op, &first, elem, bytes, limit),
        },
    }?;
    let fits = folded.shape() == shape && folded.elem() == elem;
    if !fits {
        tracing::debug!(op = op.name(), "does not apply: the op does not agree with its type");
    }
    fits.then_some(folded)
}

fn padded<'c>(
    op: Operation<'c>,
    input: &Literal<'c>,
    bytes: Option<usize>,
    limit: usize,
) -> Option<Literal<'c>> {
    let value = view::scalar_operand(op, 2)?;
    if input.as_splat() != Some(value) && bytes? > limit {
        return None;
    }
    input.pad(&view::padding(op)?, value)
}

/// A rescale, also with one scale for each channel.
fn rescaled<'c>(op: Operation<'c>, input: &Literal<'c>) -> Option<Literal<'c>> {
    let rescale = view::rescale(op)?;
    let RescaleEnds { output, .. } = rescale.ends;
    if let Some(scale) = rescale.per_tensor() {
        return input.map(output, |x| rescale.ends.apply(x, scale));
    }
    let scales: Vec<Scale> = (rescale.multipliers.iter().zip(&rescale.shifts))
        .map(|(&multiplier, &shift)| {
            Some(Scale { multiplier, shift: u8::try_from(shift).ok()?, round: rescale.round })
        })
        .collect::<Option<_>>()?;
    // Channels are the innermost dimension, so they alternate along the values.
    let values: Vec<i32> = (input.values().zip(scales.iter().cycle()))
        .map(|(x, scale)| rescale.ends.apply(x, *scale))
        .collect::<Option<_>>()?;
    Literal::from_values(input.shape().to_vec(), output, &values)
}

fn binary<'c>(
    op: Operation<'c>,
    left: &Literal<'c>,
    elem: Elem,
    bytes: Option<usize>,
    limit: usize,
) -> Option<Literal<'c>> {
    let right = view::literal(op.operand(1)?)?;
    within(&[left, &right], bytes, limit)?;
    let f = operator(op, left.elem())?;
    // The operations are on 32-bit values; narrower results must fit, except for the shift, which drops bits by definition.
    let drops = op.is("tosa.logical_left_shift");
    left.zip(&right, elem, |a, b| f(a, b).filter(|&v| drops || elem.wrap(v) == v))
}

/// Nothing if the result of these operands would be written out beyond the limit.
fn within(operands: &[&Literal<'_>], bytes: Option<usize>, limit: usize) -> Option<()> {
    let splats = operands.iter().all(|literal| literal.as_splat().is_some());
    (splats || bytes? <= limit).then_some(())
}

/// A function of two elements.
type OfTwo = Box<dyn Fn(i32, i32) -> Option<i32>>;

/// What an op computes from two elements of a type.
fn operator(op: Operation<'_>, elem: Elem) -> Option<OfTwo> {
    let distance = move |by: i32| u32::try_from(by).ok().filter(|&by| by < elem.bits());
    Some(match op.name() {
        "tosa.add" => Box::new(i32::checked_add),
        "tosa.sub" => Box::new(i32::checked_sub),
        "tosa.intdiv" => Box::new(i32::checked_div),
        "tosa.maximum" => Box::new(|a, b| Some(a.max(b))),
        "tosa.minimum" => Box::new(|a, b| Some(a.min(b))),
        "tosa.mul" => {
            let shift = view::scalar_operand(op, 2)?;
            Box::new(move |a, b| multiply(a, b, shift))
        }
        "tosa.arithmetic_right_shift" => {
            let round = op.bool_attr("round")?;
            Box::new(move |a, b| shift_right(a, distance(b)?, round))
        }
        "tosa.logical_left_shift" => Box::new(move |a, b| Some(a << distance(b)?)),
        "tosa.logical_right_shift" => Box::new(move |a, b| {
            let unsigned = elem.zero_extend(a).cast_unsigned() >> distance(b)?;
            Some(elem.wrap(unsigned.cast_signed()))
        }),
        "tosa.bitwise_and" | "tosa.logical_and" => Box::new(|a, b| Some(a & b)),
        "tosa.bitwise_or" | "tosa.logical_or" => Box::new(|a, b| Some(a | b)),
        "tosa.bitwise_xor" | "tosa.logical_xor" => Box::new(|a, b| Some(a ^ b)),
        "tosa.equal" => Box::new(|a, b| Some((a == b).into())),
        "tosa.greater" => Box::new(|a, b| Some((a > b).into())),
        "tosa.greater_equal" => Box::new(|a, b| Some((a >= b).into())),
        _ => return None,
    })
}

/// A selection of constants.
fn selected<'c>(
    op: Operation<'c>,
    condition: &Literal<'c>,
    elem: Elem,
    bytes: Option<usize>,
    limit: usize,
) -> Option<Literal<'c>> {
    let (a, b) = (view::literal(op.operand(1)?)?, view::literal(op.operand(2)?)?);
    within(&[condition, &a, &b], bytes, limit)?;
    // Each side where it is chosen, and no bit elsewhere.
    let a = condition.zip(&a, elem, |c, a| Some(if c == 0 { 0 } else { a }))?;
    let b = condition.zip(&b, elem, |c, b| Some(if c == 0 { b } else { 0 }))?;
    a.zip(&b, elem, |a, b| Some(a | b))
}

fn multiply(a: i32, b: i32, shift: i32) -> Option<i32> {
    let product = i64::from(a) * i64::from(b);
    let rounded = match shift {
        0 => product,
        1..=63 => product.checked_add(1_i64.checked_shl(u32::try_from(shift - 1).ok()?)?)? >> shift,
        _ => return None,
    };
    i32::try_from(rounded).ok()
}

fn shift_right(a: i32, by: u32, round: bool) -> Option<i32> {
    let up = round && by > 0 && (a >> (by - 1)) & 1 == 1;
    (a >> by).checked_add(up.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_round_half_up() {
        assert_eq!(multiply(3, 5, 0), Some(15));
        assert_eq!(multiply(3, 5, 1), Some(8));
        assert_eq!(multiply(-3, 5, 1), Some(-7));
        assert_eq!(multiply(i32::MAX, i32::MAX, 0), None);
        assert_eq!(multiply(i32::MIN, i32::MIN, 62), Some(1));
        assert_eq!(multiply(i32::MIN, i32::MIN, 63), None, "the rounding overflows");
        assert_eq!(multiply(1, 1, 64), None);
        assert_eq!(multiply(1, 1, -1), None);
    }

    #[test]
    fn shifts_round_half_up() {
        assert_eq!(shift_right(-5, 1, false), Some(-3));
        assert_eq!(shift_right(-5, 1, true), Some(-2));
        assert_eq!(shift_right(5, 0, true), Some(5));
    }
}
