//! The operators on shapes, whose operands are constants.
//!
//! Invariant: a result that TOSA leaves undefined, as that of a division by 0, is an error and no number.

use strum_ir::{Error, Operation, Reported};

use super::data::wrong;
use crate::common::tosa::build::Builder;
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;

/// Replaces an op on shapes by a constant.
///
/// # Errors
/// Reported: a bound of a slice is not constant, or the result is not defined.
pub(super) fn fold<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let values = match op.name() {
        "tosa.dim" => vec![dimension(op)?],
        "tosa.slice_shape" => part(op)?,
        "tosa.concat_shape" => operands(op)?.concat(),
        name => each(op, name, &operands(op)?)?,
    };
    let value = build.signed_shape(&values)?;
    op.replace_with(&[value])
}

/// The shapes that an op reads.
fn operands(op: Operation<'_>) -> Result<Vec<Vec<i64>>, Error> {
    (0..op.num_operands()).map(|index| shape(op, index)).collect()
}

/// A shape that an op reads: MLIR's verifier accepts only those that follow from constants, and earlier ones are folded.
fn shape(op: Operation<'_>, index: usize) -> Result<Vec<i64>, Error> {
    view::offsets(op, index).ok_or_else(|| wrong("shape"))
}

fn undefined(op: Operation<'_>, operands: &[Vec<i64>]) -> Error {
    let text: Vec<String> = operands.iter().map(|shape| format!("{shape:?}")).collect();
    let _: Reported = op.error(format_args!("has no defined result on {}", text.join(" and ")));
    Error::Reported
}

/// The extent of a tensor.
fn dimension(op: Operation<'_>) -> Result<i64, Error> {
    let (Some(tensor), Some(axis)) = (op.operand(0), view::axis(op)) else { return Err(wrong("extent")) };
    let extent = tensor.ty().extents().and_then(|extents| *extents.get(axis)?);
    extent.ok_or_else(|| {
        let ty = tensor.ty();
        let _: Reported =
            op.error(format_args!("{UNSUPPORTED}the extent {axis} of type '{ty}' is not known"));
        Error::Reported
    })
}

/// Some elements of a shape.
fn part(op: Operation<'_>) -> Result<Vec<i64>, Error> {
    let (all, number) = (shape(op, 0)?, |index| view::scalar_operand(op, index));
    let (Some(start), Some(size)) = (number(1), number(2)) else {
        let _: Reported = op.error(format_args!("{UNSUPPORTED}start or size is not constant"));
        return Err(Error::Reported);
    };
    let range = usize::try_from(start).ok().zip(usize::try_from(size).ok());
    let part = range.and_then(|(start, size)| all.get(start..start.checked_add(size)?));
    part.map(<[i64]>::to_vec).ok_or_else(|| undefined(op, &[all, vec![start.into(), size.into()]]))
}

/// An element-wise op.
fn each(op: Operation<'_>, name: &str, operands: &[Vec<i64>]) -> Result<Vec<i64>, Error> {
    let result = match operands {
        [a] => a.iter().map(|&a| unary(name, a)).collect::<Option<Vec<i64>>>(),
        [a, b] if a.len() == b.len() => a.iter().zip(b).map(|(&a, &b)| binary(name, a, b)).collect(),
        _ => None,
    };
    result.ok_or_else(|| undefined(op, operands))
}

fn unary(name: &str, a: i64) -> Option<i64> {
    let log = || u64::try_from(a).ok()?.checked_ilog2().map(i64::from);
    match name {
        "tosa.exp2_shape" => u32::try_from(a).ok().filter(|&a| a < 63).map(|a| 1 << a),
        "tosa.log2_floor_shape" => log(),
        "tosa.log2_ceil_shape" => Some(log()? + i64::from(a & (a - 1) != 0)),
        _ => None,
    }
}

fn binary(name: &str, a: i64, b: i64) -> Option<i64> {
    let positive = a >= 0 && b > 0;
    match name {
        "tosa.add_shape" => a.checked_add(b),
        "tosa.sub_shape" => a.checked_sub(b),
        "tosa.mul_shape" => a.checked_mul(b),
        "tosa.max_shape" => Some(a.max(b)),
        "tosa.min_shape" => Some(a.min(b)),
        "tosa.div_floor_shape" => positive.then(|| a / b),
        "tosa.div_ceil_shape" => positive.then(|| a / b + i64::from(a % b != 0)),
        "tosa.mod_shape" => positive.then(|| a % b),
        _ => None,
    }
}

/// Whether an op computes a shape.
pub(super) fn is_shape_op(op: Operation<'_>) -> bool {
    op.is("tosa.dim")
        || (op.dialect() == "tosa" && op.name().ends_with("_shape") && !op.is("tosa.const_shape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let two = |name: &str, a, b| binary(&format!("tosa.{name}_shape"), a, b);
        assert_eq!((two("add", 2, 3), two("add", i64::MAX, 1)), (Some(5), None));
        assert_eq!((two("sub", 2, 3), two("mul", 4, 5), two("mul", i64::MAX, 2)), (Some(-1), Some(20), None));
        assert_eq!((two("max", 2, 3), two("min", 2, 3)), (Some(3), Some(2)));
        assert_eq!(
            (two("div_floor", 7, 2), two("div_ceil", 7, 2), two("div_ceil", 8, 2)),
            (Some(3), Some(4), Some(4))
        );
        assert_eq!((two("div_floor", 7, 0), two("div_ceil", -7, 2), two("mod", 7, 4)), (None, None, Some(3)));
        let one = |name: &str, a| unary(&format!("tosa.{name}_shape"), a);
        assert_eq!(
            (one("exp2", 0), one("exp2", 62), one("exp2", 63), one("exp2", -1)),
            (Some(1), Some(1 << 62), None, None)
        );
        assert_eq!(
            (one("log2_floor", 5), one("log2_ceil", 5), one("log2_ceil", 4)),
            (Some(2), Some(3), Some(2))
        );
        assert_eq!((one("log2_floor", 0), one("log2_ceil", -4), one("log2_ceil", 1)), (None, None, Some(0)));
        assert_eq!((one("other", 1), two("other", 1, 1)), (None, None));
    }
}
