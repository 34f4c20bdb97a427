//! Operands that TOSA does not allow to be arbitrary, in regions that are computed whether they are chosen or not.
//!
//! Invariant: a region that is not chosen never stops the machine, and one that is chosen reads its own operands.

use strum_ir::{Operation, Value};

use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::{Literal, volume};
use crate::common::tosa::view;

/// A region whose results are selected by a condition.
#[derive(Clone, Copy)]
pub(super) struct Guard<'c> {
    /// The single element that decides.
    pub condition: Value<'c>,
    /// The value of the condition with which the region is chosen.
    pub when: bool,
}

/// The operand with which an op can stop the machine, and a value of its type with which it cannot.
pub(super) fn harmless<'c>(op: Operation<'_>, operands: &[Value<'c>]) -> Option<(usize, Literal<'c>)> {
    let operand = *operands.get(1)?;
    let (shape, elem) = view::tensor(operand.ty())?;
    let safe = match op.name() {
        // The smallest value divided by -1 does not fit.
        "tosa.intdiv" if constant(operand, |divisor| divisor != 0 && divisor != -1) => None,
        "tosa.intdiv" => Some(Literal::splat(shape, elem, 1)),
        "tosa.gather" | "tosa.scatter" if constant(operand, |_| true) => None,
        "tosa.gather" => Some(Literal::splat(shape, elem, 0)),
        "tosa.scatter" => distinct(shape),
        _ => None,
    };
    safe.map(|safe| (1, safe))
}

/// Whether a value is a constant of such elements.
fn constant(value: Value<'_>, all: impl Fn(i32) -> bool) -> bool {
    view::literal(value).is_some_and(|literal| literal.values().all(all))
}

/// Indices [N, W] of which no two of a row are equal.
fn distinct<'c>(shape: Vec<u64>) -> Option<Literal<'c>> {
    let columns = *shape.last()?;
    let count = i32::try_from(volume(&shape)?).ok()?;
    let columns = i32::try_from(columns).ok().filter(|&columns| columns > 0)?;
    let values: Vec<i32> = (0..count).map(|i| i % columns).collect();
    Literal::from_values(shape, Elem::I32, &values)
}
