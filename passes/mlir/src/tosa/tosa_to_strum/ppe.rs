//! Absorbs the ops after a 32-bit result into its layer.
//!
//! Invariant: only values without other uses disappear.

use strum_ir::strum::Ppe;
use strum_ir::{Error, Location, Operation, Value};

use crate::common::rewrite;
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::num::{Unary, table_as_clamp, tabulate};
use crate::common::tosa::view;

/// The number of multipliers that a layer's post-processing may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scales {
    /// One for each output channel, or one for all.
    PerChannel,
    /// One for all.
    PerTensor,
}

/// A chain of ops that a layer absorbs.
pub(super) struct Chain<'c> {
    /// The ops, starting with the one that produces the accumulators.
    ops: Vec<Operation<'c>>,
    /// The value that the layer replaces.
    pub(super) result: Value<'c>,
    /// The post-processing of the accumulators; none without a rescale.
    pub(super) ppe: Option<Ppe>,
    /// The layer's bias, if an addition of constants was absorbed.
    pub(super) bias: Option<Vec<i32>>,
}

impl<'c> Chain<'c> {
    /// Follows the accumulators that `op` produces.
    pub(super) fn of(op: Operation<'c>, scales: Scales) -> Result<Self, Error> {
        let mut chain = Self::begin(op)?;
        chain.follow(scales)?;
        Ok(chain)
    }

    /// Follows the accumulators of a layer that has a bias: also one that is added by a separate op, on top of the layer's
    /// constant `bias`.
    pub(super) fn with_bias(
        op: Operation<'c>,
        scales: Scales,
        bias: Option<&Literal<'_>>,
    ) -> Result<Self, Error> {
        let mut chain = Self::begin(op)?;
        if let Some((add, sum)) = added(chain.result, bias) {
            chain.push(add)?;
            chain.bias = Some(sum);
        }
        chain.follow(scales)?;
        Ok(chain)
    }

    fn begin(op: Operation<'c>) -> Result<Self, Error> {
        let result = op.single_result().ok_or_else(|| super::unreadable(op))?;
        Ok(Chain { ops: vec![op], result, ppe: None, bias: None })
    }

    fn follow(&mut self, scales: Scales) -> Result<(), Error> {
        if let Some((rescale, ppe)) = scaled(self.result, scales) {
            self.push(rescale)?;
            self.ppe = Some(ppe);
            while let Some(next) = self.take_in() {
                self.push(next)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, op: Operation<'c>) -> Result<(), Error> {
        self.result = op.single_result().ok_or_else(|| super::unreadable(op))?;
        self.ops.push(op);
        Ok(())
    }

    /// The next op of the chain, if the post-processing supports it.
    fn take_in(&mut self) -> Option<Operation<'c>> {
        let op = only_user(self.result)?;
        let stage = view::unary(op)?;
        let (from, to) = (view::elem(self.result)?, view::elem(op.result(0)?)?);
        let ppe = self.ppe.as_mut()?;
        let taken = absorb(ppe, &stage, from, to);
        if taken.is_none() {
            tracing::debug!(op = op.name(), location = ?op.location(), "does not apply: no place in the ppe");
        }
        taken.map(|()| op)
    }

    /// The location of the layer.
    pub(super) fn location(&self) -> Option<Location<'c>> {
        rewrite::fused(&self.ops)
    }

    /// Replaces the chain by the layer's result.
    pub(super) fn replace(self, value: Value<'c>) -> Result<(), Error> {
        self.result.replace_all_uses_with(value);
        self.ops.into_iter().rev().try_for_each(Operation::erase)
    }
}

/// The only user of a value, as its first operand.
fn only_user<'c>(value: Value<'c>) -> Option<Operation<'c>> {
    value.single_use().filter(|only| only.operand == 0).map(|only| only.user)
}

/// The addition of one constant for each channel, or for all, with the sum of it and the bias so far.
fn added<'c>(accumulator: Value<'c>, bias: Option<&Literal<'_>>) -> Option<(Operation<'c>, Vec<i32>)> {
    let only = accumulator.single_use().filter(|only| only.user.is("tosa.add"))?;
    let constant = view::literal(only.user.operand(1_usize.checked_sub(only.operand)?)?)?;
    // With the accumulator's shape for the sum, the last extent of the constant is 1 or the number of channels.
    let (&length, outer) = constant.shape().split_last()?;
    let broadcasts = outer.iter().all(|&d| d == 1) && only.user.result(0)?.ty() == accumulator.ty();
    if !broadcasts {
        tracing::debug!(location = ?only.user.location(), "does not apply: the addition is not that of a bias");
        return None;
    }
    let constant = constant.reshape(vec![length])?;
    let sum = match bias {
        Some(bias) => bias.zip(&constant, Elem::I32, i32::checked_add)?,
        None => constant,
    };
    Some((only.user, sum.values().collect()))
}

/// The rescale of an accumulator as the beginning of a post-processing.
fn scaled<'c>(accumulator: Value<'c>, scales: Scales) -> Option<(Operation<'c>, Ppe)> {
    let op = only_user(accumulator)?;
    let rescale = view::rescale(op)?;
    let location = op.location();
    if scales == Scales::PerTensor && rescale.multipliers.len() > 1 {
        tracing::debug!(?location, "does not apply: the layer has one multiplier, the rescale one a channel");
        return None;
    }
    let ends = rescale.ends;
    if ends.input != Elem::I32 || ends.input_zp != 0 || ends.input_unsigned {
        tracing::debug!(?location, "does not apply: the rescale does not take accumulators as they are");
        return None;
    }
    let ppe = Ppe {
        multiplier: rescale.multipliers,
        shift: rescale.shifts.into_iter().map(u8::try_from).collect::<Result<_, _>>().ok()?,
        round: rescale.round,
        zp: ends.output_zp,
        clamp: ends.saturation(),
        unsigned: ends.output_unsigned,
        table: None,
    };
    Some((op, ppe))
}

/// Lets a post-processing also do an element-wise op on its stored result. The machine supports tables only on signed bytes, and
/// a clamp of an unsigned result would compare stored bits, not values.
fn absorb(ppe: &mut Ppe, stage: &Unary, from: Elem, to: Elem) -> Option<()> {
    match stage {
        Unary::Clamp(lo, hi) if ppe.table.is_none() && !ppe.unsigned && lo <= hi => {
            ppe.clamp = (ppe.clamp.0.clamp(*lo, *hi), ppe.clamp.1.clamp(*lo, *hi));
            Some(())
        }
        Unary::Identity => Some(()),
        _ if from == Elem::I8 && to == Elem::I8 && !ppe.unsigned => {
            let before = ppe.table.iter().map(|table| Unary::Table(table.clone()));
            let table = tabulate(&before.chain([stage.clone()]).collect::<Vec<_>>())?;
            let identity = table_as_clamp(&table) == Some((i8::MIN, i8::MAX));
            ppe.table = (!identity).then_some(table);
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::tosa::num::Round;

    fn ppe(unsigned: bool) -> Ppe {
        let clamp = if unsigned { (0, 255) } else { (-128, 127) };
        Ppe { multiplier: vec![1], shift: vec![2], round: Round::Single, zp: 0, clamp, unsigned, table: None }
    }

    #[test]
    fn clamps_narrow_the_clamp() {
        let mut p = ppe(false);
        absorb(&mut p, &Unary::Clamp(-5, 100), Elem::I8, Elem::I8).unwrap();
        absorb(&mut p, &Unary::Clamp(-60, 50), Elem::I8, Elem::I8).unwrap();
        assert_eq!((p.clamp, &p.table), ((-5, 50), &None));
        absorb(&mut p, &Unary::Clamp(60, 70), Elem::I8, Elem::I8).unwrap();
        assert_eq!(p.clamp, (60, 60));
    }

    #[test]
    fn everything_else_goes_into_the_table() {
        let mut p = ppe(false);
        absorb(&mut p, &Unary::Negate(Elem::I8, 0, -1), Elem::I8, Elem::I8).unwrap();
        assert_eq!(p.table.as_ref().map(|t| (t[0], t[255])), Some((127, -128)));
        absorb(&mut p, &Unary::Clamp(0, 5), Elem::I8, Elem::I8).unwrap();
        assert_eq!(p.clamp, (-128, 127), "the clamp is behind the table now");
        assert_eq!(p.table.as_ref().map(|t| (t[0], t[255])), Some((5, 0)));
        let mut back = ppe(false);
        absorb(&mut back, &Unary::Negate(Elem::I8, 0, -1), Elem::I8, Elem::I8).unwrap();
        absorb(&mut back, &Unary::Negate(Elem::I8, 0, -1), Elem::I8, Elem::I8).unwrap();
        assert_eq!(back.table, None, "twice the complement is nothing");
    }

    #[test]
    fn unsigned_results_stay_as_they_are() {
        let mut p = ppe(true);
        assert_eq!(absorb(&mut p, &Unary::Clamp(-5, 5), Elem::I8, Elem::I8), None);
        assert_eq!(absorb(&mut p, &Unary::Identity, Elem::I8, Elem::I8), Some(()));
        assert_eq!(p, ppe(true));
    }

    #[test]
    fn wider_results_take_only_clamps() {
        let mut p = Ppe { clamp: (-32768, 32767), ..ppe(false) };
        absorb(&mut p, &Unary::Clamp(-5, 300), Elem::I16, Elem::I16).unwrap();
        assert_eq!(p.clamp, (-5, 300));
        assert_eq!(absorb(&mut p, &Unary::Negate(Elem::I16, 0, 0), Elem::I16, Elem::I16), None);
        assert_eq!(absorb(&mut p, &Unary::Cast(Elem::I8), Elem::I16, Elem::I8), None);
    }
}
