//! The values of conditions that follow from constants.
//!
//! Bits are literals of i8 that are 0 or 1. Invariant: a value is known only where TOSA defines it.

use std::collections::BTreeMap;

use strum_ir::{Operation, Value};

use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;

/// Larger tensors of bits are not evaluated.
const MAX_BITS: u64 = 4096;

/// The tensors of i1 whose elements are known.
#[derive(Default)]
pub(super) struct Conditions<'c>(BTreeMap<Value<'c>, Literal<'c>>);

impl<'c> Conditions<'c> {
    /// Whether the single element of a tensor of i1 is set, if that is known.
    pub(super) fn holds(&self, value: Value<'c>) -> Option<bool> {
        self.known(value)?.uniform().map(|bit| bit != 0)
    }

    /// Learns the result of an op.
    pub(super) fn learn(&mut self, op: Operation<'c>) {
        let found = op.single_result().and_then(|result| Some((result, self.evaluate(op, result)?)));
        if let Some((result, bits)) = found {
            self.0.insert(result, bits);
        }
    }

    /// Forgets a value that is about to be erased.
    pub(super) fn forget(&mut self, value: Value<'c>) {
        self.0.remove(&value);
    }

    fn evaluate(&self, op: Operation<'c>, result: Value<'c>) -> Option<Literal<'c>> {
        let tensor = result.ty().as_tensor()?;
        let shape = tensor.shape.iter().map(|&d| u64::try_from(d).ok()).collect::<Option<Vec<u64>>>()?;
        shape.iter().try_fold(1, |n: u64, &d| n.checked_mul(d)).filter(|&n| n <= MAX_BITS)?;
        tensor.element.is_int(1).then_some(())?;
        let bits = match op.name() {
            "tosa.const" => constant(result),
            "tosa.equal" => compared(op, |a, b| a == b),
            "tosa.greater" => compared(op, |a, b| a > b),
            "tosa.greater_equal" => compared(op, |a, b| a >= b),
            "tosa.logical_and" => self.combined(op, |a, b| a & b),
            "tosa.logical_or" => self.combined(op, |a, b| a | b),
            "tosa.logical_xor" => self.combined(op, |a, b| a ^ b),
            "tosa.logical_not" => self.operand(op, 0)?.map(Elem::I8, |bit| Some(1 - bit)),
            "tosa.identity" => self.operand(op, 0),
            "tosa.reshape" => self.operand(op, 0)?.reshape(shape.clone()),
            "tosa.cast" => view::literal(op.operand(0)?)?.map(Elem::I8, |x| Some(i32::from(x != 0))),
            _ => None,
        }?;
        (bits.shape() == shape).then_some(bits)
    }

    fn operand(&self, op: Operation<'c>, index: usize) -> Option<Literal<'c>> {
        self.known(op.operand(index)?)
    }

    /// What was learned of a value, or the value of a constant, which a folded op leaves behind without being learned.
    fn known(&self, value: Value<'c>) -> Option<Literal<'c>> {
        self.0.get(&value).cloned().or_else(|| constant(value))
    }

    fn combined(&self, op: Operation<'c>, f: impl Fn(i32, i32) -> i32) -> Option<Literal<'c>> {
        self.operand(op, 0)?.zip(&self.operand(op, 1)?, Elem::I8, |a, b| Some(f(a, b)))
    }
}

/// A comparison of constants.
fn compared<'c>(op: Operation<'c>, f: impl Fn(i32, i32) -> bool) -> Option<Literal<'c>> {
    let (a, b) = (view::literal(op.operand(0)?)?, view::literal(op.operand(1)?)?);
    a.zip(&b, Elem::I8, |a, b| Some(i32::from(f(a, b))))
}

/// The bits of a constant of i1.
fn constant(value: Value<'_>) -> Option<Literal<'_>> {
    view::literal(value).filter(|literal| literal.elem() == Elem::I1)?.map(Elem::I8, Some)
}
