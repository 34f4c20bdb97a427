//! `tosa.tile` and `tosa.reverse` as slices and concatenations.
//!
//! Invariant: the number of ops grows with the logarithm of the extents, and no constant is written out here: what is constant is
//! folded by `strum-canonicalize`, within its limits.

use strum_ir::{Error, Operation};

use super::data::{Data, wrong};
use crate::common::tosa::build::Builder;
use crate::common::tosa::view;

/// Replaces a `tosa.tile`.
pub(super) fn tile<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let input = op.operand(0).ok_or_else(|| wrong("operand"))?;
    let multiples = view::extents(op, 1).ok_or_else(|| wrong("multiples"))?;
    let mut data = Data::Value(input);
    // The innermost first: short runs of bytes are copied while there are few of them.
    for (axis, &count) in multiples.iter().enumerate().rev() {
        data = data.repeat(build, axis, count)?;
    }
    let value = data.value(build)?;
    op.replace_with(&[value])
}

/// Fewest and most slices of one step of a reversal that is not shorter.
const RADIX: [u64; 2] = [16, 256];

/// Elements of a slice that are worth a step of its own: to move them takes longer than the latency of a transfer. More slices in a
/// step make fewer steps, each of which moves the tensor twice.
const WORTH: u64 = 4096;

/// Replaces a `tosa.reverse`.
pub(super) fn reverse<'c>(build: &mut Builder<'c>, op: Operation<'c>) -> Result<(), Error> {
    let input = op.operand(0).ok_or_else(|| wrong("operand"))?;
    let axis = view::axis(op).ok_or_else(|| wrong("axis"))?;
    let value = reversed(build, Data::Value(input), axis)?.value(build)?;
    op.replace_with(&[value])
}

/// The tensor in reverse order along an axis: an index is a number of several digits, each of which is reversed on its own.
pub(super) fn reversed<'c>(build: &mut Builder<'c>, data: Data<'c>, axis: usize) -> Result<Data<'c>, Error> {
    let shape = data.shape()?;
    let extent = *shape.get(axis).ok_or_else(|| wrong("axis"))?;
    let product = |dims: &[u64]| dims.iter().copied().fold(1, u64::saturating_mul);
    let (outer, inner) = (product(&shape[..axis]), product(shape.get(axis + 1..).unwrap_or_default()));
    let [fewest, most] = RADIX;
    let digits = digits(extent, (product(&shape) / WORTH).clamp(fewest, most));
    let padded = product(&digits);
    let mut data = data.reshape(build, &[outer, extent, inner])?;
    if padded > extent {
        // What is behind the end comes to the beginning, and is cut off there.
        let more = data.clone().slice(build, &[0; 3], &[outer, padded - extent, inner])?;
        data = Data::concat(build, vec![data, more], 1)?;
    }
    let (mut before, mut after) = (outer, padded);
    for digit in digits {
        after /= digit;
        data = data.reshape(build, &[before, digit, after.saturating_mul(inner)])?;
        let backwards: Vec<u64> = (0..digit).rev().collect();
        data = data.select(build, 1, &backwards)?;
        before = before.saturating_mul(digit);
    }
    data = data.reshape(build, &[outer, padded, inner])?;
    data = data.slice(build, &[0, padded - extent, 0], &[outer, extent, inner])?;
    data.reshape(build, &shape)
}

/// Factors of at most `radix` whose product is the smallest possible one that is not below `extent`.
fn digits(extent: u64, radix: u64) -> Vec<u64> {
    let factors = |mut number: u64| {
        let mut factors = Vec::new();
        while number > 1 {
            let factor = (2..=radix).rev().find(|factor| number.is_multiple_of(*factor))?;
            factors.push(factor);
            number /= factor;
        }
        Some(factors)
    };
    // A power of two is not far above any number that a shape has, so the search comes to an end.
    (extent..=extent.saturating_mul(2)).find_map(factors).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_few() {
        let few = |extent| digits(extent, 16);
        assert!(few(1).is_empty());
        assert_eq!(few(16), [16]);
        assert_eq!(few(17), [9, 2]);
        assert_eq!(few(224), [16, 14]);
        assert_eq!(few(223), [16, 14]);
        assert_eq!(few(1000), [10, 10, 10]);
        assert_eq!((digits(223, 256), digits(224, 32)), (vec![223], vec![32, 7]));
        for extent in 1..5000 {
            let digits = few(extent);
            let product: u64 = digits.iter().product();
            assert!(
                product >= extent && product < extent + extent.div_ceil(8).max(2),
                "{extent}: {digits:?}"
            );
            assert!(digits.iter().all(|&digit| digit <= 16) && digits.len() <= 12, "{extent}: {digits:?}");
        }
    }
}
