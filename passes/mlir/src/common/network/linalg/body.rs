//! Bodies of `linalg.generic` as graph operators. Invariant: only the ops listed here are accepted in a body.

use std::collections::BTreeMap;

use ndarray::ArrayD;
use strum_float::{Binary, Op, Relation, Tensor, Unary, ValueId};
use strum_ir::{Block, Operation, Reported, Value};

use super::index::Positions;
use crate::common::network::elements::{Kind, floats};
use crate::common::network::{Condition, Reader, internal};
use crate::common::verdict::UNSUPPORTED;

/// The known values of a body. Each represents a tensor with an axis for every loop.
pub(super) struct Body<'c> {
    values: BTreeMap<Value<'c>, ValueId>,
    conditions: BTreeMap<Value<'c>, Condition>,
    positions: Positions<'c>,
    loops: usize,
}

/// What a body yields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Yield {
    /// Numbers.
    Value(ValueId),
    /// A comparison.
    Condition(Condition),
}

impl<'c> Body<'c> {
    /// A body in loops of these extents.
    pub(super) fn new(extents: Vec<usize>) -> Self {
        let loops = extents.len();
        let positions = Positions::new(extents);
        Body { values: BTreeMap::new(), conditions: BTreeMap::new(), positions, loops }
    }

    /// The number of loops.
    pub(super) fn loops(&self) -> usize {
        self.loops
    }

    /// An operand computed from indices and constants, with an axis for every loop.
    pub(super) fn position(&self, op: Operation<'c>, index: usize) -> Option<ArrayD<i64>> {
        self.positions.operand(op, index)
    }

    pub(super) fn set(&mut self, value: Value<'c>, id: ValueId) {
        self.values.insert(value, id);
    }

    /// An argument of integers.
    pub(super) fn set_integers(&mut self, value: Value<'c>, integers: ArrayD<i64>) {
        self.positions.set(value, integers);
    }

    /// An argument of comparisons.
    pub(super) fn set_condition(&mut self, value: Value<'c>, condition: Condition) {
        self.conditions.insert(value, condition);
    }
}

impl<'c> Reader<'c> {
    /// The values that a body yields; nothing for one that is not known.
    pub(super) fn body(
        &mut self,
        body: &mut Body<'c>,
        at: Operation<'c>,
        block: Block<'c>,
    ) -> Result<Vec<Option<Yield>>, Reported> {
        for op in block.operations() {
            match op.name() {
                "linalg.yield" => {
                    return (0..op.num_operands()).map(|i| self.yielded(body, op, i)).collect();
                }
                // Read by its users.
                "arith.cmpf" => {}
                "arith.constant" => {
                    if let (Some(value), Some(result)) =
                        (op.attribute("value").and_then(|a| a.as_f64()), op.result(0))
                    {
                        self.scalars.insert(result, value);
                    }
                }
                "cf.assert" => self.assertion(body, op)?,
                "arith.fptosi" => {
                    let number = op.operand(0).and_then(|value| body.values.get(&value));
                    if let Some(tensor) = number.and_then(|&id| self.graph.constant_of(id)) {
                        body.positions.truncate(op, tensor);
                    }
                }
                _ if Positions::computes(op) => body.positions.compute(op),
                _ => {
                    let id = self.element(body, op)?;
                    if let Some(result) = op.result(0) {
                        body.set(result, id);
                    }
                }
            }
        }
        Err(internal(at, "the body yields nothing"))
    }

    /// An operand of the terminator.
    fn yielded(
        &mut self,
        body: &Body<'c>,
        op: Operation<'c>,
        index: usize,
    ) -> Result<Option<Yield>, Reported> {
        let Some(value) = op.operand(index) else { return Ok(None) };
        if Kind::of(value.ty()).is_some_and(Kind::is_float) {
            return self.read(body, op, index).map(|id| Some(Yield::Value(id)));
        }
        if let Some(tensor) = body.position(op, index).and_then(|integers| floats(&integers)) {
            return self.constant(op, tensor).map(|id| Some(Yield::Value(id)));
        }
        Ok(self.condition(body, value)?.map(Yield::Condition))
    }

    /// A comparison of floats, computed in the body or outside.
    fn condition(&mut self, body: &Body<'c>, value: Value<'c>) -> Result<Option<Condition>, Reported> {
        if let Some(&known) = body.conditions.get(&value) {
            return Ok(Some(known));
        }
        let Some(compare) = value.defined_by("arith.cmpf") else { return Ok(None) };
        let (relation, swapped, negated) = predicate(compare)?;
        let (a, b) = (self.read(body, compare, 0)?, self.read(body, compare, 1)?);
        let pair = if swapped { [b, a] } else { [a, b] };
        Ok(Some(Condition { relation, pair, negated }))
    }

    /// An operand of an op of a body.
    fn read(&mut self, body: &Body<'c>, op: Operation<'c>, index: usize) -> Result<ValueId, Reported> {
        let value = op.operand(index);
        if let Some(&id) = value.and_then(|value| body.values.get(&value)) {
            return Ok(id);
        }
        match value.and_then(|value| self.scalar(value)) {
            Some(number) => self.number(op, number, body.loops),
            None => {
                let from = value.and_then(Value::defining_op).map_or("an argument", Operation::name);
                Err(op.error(format!(
                    "operand #{index} of '{}' (defined by {from}) is not a supported value",
                    op.name()
                )))
            }
        }
    }

    fn element(&mut self, body: &Body<'c>, op: Operation<'c>) -> Result<ValueId, Reported> {
        if let Some(binary) = binary(op.name()) {
            let operands = [self.read(body, op, 0)?, self.read(body, op, 1)?];
            return self.push(op, Op::Binary(binary), &operands);
        }
        if let Some(unary) = unary(op.name()) {
            let x = self.read(body, op, 0)?;
            return self.push(op, Op::Unary(unary), &[x]);
        }
        match op.name() {
            // The network computes in single precision throughout.
            "arith.truncf" | "arith.extf" => self.read(body, op, 0),
            "math.log1p" | "math.expm1" => {
                let (x, one) = (self.read(body, op, 0)?, self.number(op, 1.0, body.loops)?);
                if op.name() == "math.log1p" {
                    let sum = self.push(op, Op::Binary(Binary::Add), &[x, one])?;
                    return self.push(op, Op::Unary(Unary::Log), &[sum]);
                }
                let power = self.push(op, Op::Unary(Unary::Exp), &[x])?;
                self.push(op, Op::Binary(Binary::Sub), &[power, one])
            }
            "math.fpowi" => {
                let exponents = body.position(op, 1).and_then(|integers| floats(&integers));
                let Some(exponents) = exponents else {
                    return Err(
                        op.error(format_args!("{UNSUPPORTED}the exponent of math.fpowi must be constant"))
                    );
                };
                let operands = [self.read(body, op, 0)?, self.constant(op, exponents)?];
                self.push(op, Op::Binary(Binary::Pow), &operands)
            }
            "arith.divf" => {
                let (x, y) = (self.read(body, op, 0)?, self.read(body, op, 1)?);
                let inverse = self.push(op, Op::Unary(Unary::Reciprocal), &[y])?;
                self.push(op, Op::Binary(Binary::Mul), &[x, inverse])
            }
            "math.sqrt" => {
                let x = self.read(body, op, 0)?;
                let half = self.number(op, 0.5, body.loops)?;
                self.push(op, Op::Binary(Binary::Pow), &[x, half])
            }
            "arith.sitofp" => {
                let tensor = body.positions.floats(op)?;
                self.constant(op, tensor)
            }
            "arith.select" => self.select(body, op),
            "tensor.extract" => self.extract(body, op),
            _ => Err(op.error(format_args!(
                "{UNSUPPORTED}operation is not supported in the body of linalg.generic"
            ))),
        }
    }

    /// A select by comparison.
    fn select(&mut self, body: &Body<'c>, op: Operation<'c>) -> Result<ValueId, Reported> {
        let chosen = [self.read(body, op, 1)?, self.read(body, op, 2)?];
        if let Some(mask) = body.position(op, 0).and_then(|integers| floats(&integers)) {
            let pair = [self.constant(op, mask)?, self.number(op, 1.0, body.loops)?];
            return self.select_by(op, Condition { relation: Relation::Equal, pair, negated: false }, chosen);
        }
        let condition = op.operand(0).map(|value| self.condition(body, value)).transpose()?;
        match condition.flatten() {
            Some(condition) => self.select_by(op, condition, chosen),
            None => Err(op.error(format_args!(
                "{UNSUPPORTED}the condition of arith.select must be an arith.cmpf, or computed from constants"
            ))),
        }
    }

    /// Checks an assertion in a body on constants. That a value is not zero is left to the division by it, whose result is then
    /// infinite; other values cannot be checked.
    fn assertion(&mut self, body: &Body<'c>, op: Operation<'c>) -> Result<(), Reported> {
        let message = op.str_attr("msg").unwrap_or_default().to_owned();
        let condition = op.operand(0).map(|value| self.condition(body, value)).transpose()?;
        let Some(condition) = condition.flatten() else {
            return Err(
                op.error(format!("{UNSUPPORTED}the condition of cf.assert must be an arith.cmpf: {message}"))
            );
        };
        let chosen = [self.number(op, 1.0, body.loops)?, self.number(op, 0.0, body.loops)?];
        let holds = self.select_by(op, condition, chosen)?;
        let is_zero = |id: &ValueId| {
            self.graph.constant_of(*id).is_some_and(|tensor: &Tensor| tensor.iter().all(|&x| x == 0.0))
        };
        match self.graph.constant_of(holds) {
            Some(holds) if holds.iter().all(|&x| x == 1.0) => Ok(()),
            Some(_) => Err(op.error(format!("assertion fails: {message}"))),
            None if condition.negated
                && condition.relation == Relation::Equal
                && condition.pair.iter().any(is_zero) =>
            {
                Ok(())
            }
            None => Err(op.error(format!(
                "{UNSUPPORTED}cf.assert on a non-constant value is not supported: {message}"
            ))),
        }
    }
}

/// A comparison: the relation, whether its operands are swapped, and whether its result is.
///
/// Ordered and unordered predicates differ only for NaN, which networks are not meant to compute.
fn predicate(compare: Operation<'_>) -> Result<(Relation, bool, bool), Reported> {
    let number = compare.int_attr("predicate");
    // The numbers are those of `arith.cmpf`.
    Ok(match number {
        Some(1 | 8) => (Relation::Equal, false, false),
        Some(2 | 9) => (Relation::Greater, false, false),
        Some(3 | 10) => (Relation::GreaterEqual, false, false),
        Some(4 | 11) => (Relation::Greater, true, false),
        Some(5 | 12) => (Relation::GreaterEqual, true, false),
        Some(6 | 13) => (Relation::Equal, false, true),
        number => {
            let name = match number {
                Some(7) => "ord",
                Some(14) => "uno",
                Some(15) => "true",
                _ => "false",
            };
            return Err(
                compare.error(format_args!("{UNSUPPORTED}comparison predicate '{name}' is not supported"))
            );
        }
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "arith.addf" => Binary::Add,
        "arith.subf" => Binary::Sub,
        "arith.mulf" => Binary::Mul,
        "arith.maximumf" | "arith.maxnumf" => Binary::Maximum,
        "arith.minimumf" | "arith.minnumf" => Binary::Minimum,
        "math.powf" => Binary::Pow,
        _ => return None,
    })
}

fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        "arith.negf" => Unary::Negate,
        "math.absf" => Unary::Abs,
        "math.ceil" => Unary::Ceil,
        "math.erf" => Unary::Erf,
        "math.exp" => Unary::Exp,
        "math.floor" => Unary::Floor,
        "math.log" => Unary::Log,
        "math.rsqrt" => Unary::Rsqrt,
        "math.tanh" => Unary::Tanh,
        _ => return None,
    })
}
