//! Copies regions into the body of the function.
//!
//! Invariant: every copy stands before the control flow that it is a copy for, after everything that it reads.

use std::collections::BTreeMap;

use strum_ir::{Block, Error, OpBuilder, Operation, Reported, Severity, Value};

use super::guard::{Guard, harmless};
use crate::common::tosa::build::Builder;
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;
use crate::tosa::strum_canonicalize::{folded, selected};

/// Most iterations of a loop.
const MAX_ITERATIONS: usize = 4096;

/// Most ops that the control flow of a function may become.
const MAX_OPS: usize = 1 << 16;

/// Deepest nesting of control flow in control flow.
const MAX_DEPTH: usize = 64;

/// Constants of more bytes are left to `strum-canonicalize`.
const MAX_BYTES: usize = 4096;

/// The state of inlining a function.
pub(super) struct Inliner<'c> {
    build: Builder<'c>,
    /// The regions around the op that is being copied which may not be chosen.
    guards: Vec<Guard<'c>>,
    /// The control flow that is being replaced, before which ops are inserted.
    anchor: Operation<'c>,
    /// Copies of the constants of regions, which are made once.
    constants: BTreeMap<Operation<'c>, Value<'c>>,
    /// Ops that may still be made, and regions that may still be copied.
    left: usize,
    /// Control flow around the region that is being copied.
    depth: usize,
}

/// Values of a region, and what stands for them in the body of the function.
type Copies<'c> = BTreeMap<Value<'c>, Value<'c>>;

/// Whether an op is control flow.
pub(super) fn is_control_flow(op: Operation<'_>) -> bool {
    op.is("tosa.cond_if") || op.is("tosa.while_loop")
}

impl<'c> Inliner<'c> {
    pub(super) fn new(last: Operation<'c>) -> Result<Self, Error> {
        Ok(Inliner {
            build: Builder::before(last)?,
            guards: Vec::new(),
            anchor: last,
            constants: BTreeMap::new(),
            left: MAX_OPS,
            depth: 0,
        })
    }

    /// Replaces an op of the function's body if it is control flow, or learns what it computes.
    pub(super) fn visit(&mut self, op: Operation<'c>) -> Result<(), Error> {
        self.anchor = op;
        self.build.go(op);
        if !is_control_flow(op) {
            let Some(result) = op.single_result() else { return Ok(()) };
            let value = self.learn(op, result)?;
            if value != result {
                result.replace_all_uses_with(value);
            }
            return Ok(());
        }
        let values = self.control_flow(op, &op.operands())?;
        op.replace_with(&values)
    }

    /// The results of control flow on these operands.
    fn control_flow(&mut self, op: Operation<'c>, operands: &[Value<'c>]) -> Result<Vec<Value<'c>>, Error> {
        if self.depth == MAX_DEPTH {
            return Err(refuse(op, format_args!("control flow is nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let values = match op.is("tosa.cond_if") {
            true => self.branch(op, operands)?,
            false => self.unroll(op, operands)?,
        };
        self.depth -= 1;
        let types = op.results().into_iter().map(Value::ty);
        match values.iter().map(|value| value.ty()).eq(types) {
            true => Ok(values),
            false => Err(refuse(op, "a region yields other types than those of the results")),
        }
    }

    /// A condition that is known chooses a region; else both are computed, and each result is selected.
    fn branch(&mut self, op: Operation<'c>, operands: &[Value<'c>]) -> Result<Vec<Value<'c>>, Error> {
        let Some((&condition, arguments)) = operands.split_first() else { return Err(unreadable(op)) };
        match holds(condition) {
            Some(holds) => self.region(op, usize::from(!holds), arguments),
            None => {
                let then = self.guarded(op, 0, arguments, Guard { condition, when: true })?;
                let other = self.guarded(op, 1, arguments, Guard { condition, when: false })?;
                self.build.set_location(op.location());
                then.into_iter().zip(other).map(|(a, b)| self.select(op, condition, a, b)).collect()
            }
        }
    }

    /// Copies a region that may not be chosen.
    fn guarded(
        &mut self,
        op: Operation<'c>,
        index: usize,
        arguments: &[Value<'c>],
        guard: Guard<'c>,
    ) -> Result<Vec<Value<'c>>, Error> {
        self.guards.push(guard);
        let values = self.region(op, index, arguments);
        self.guards.pop();
        values
    }

    fn select(
        &mut self,
        op: Operation<'c>,
        condition: Value<'c>,
        a: Value<'c>,
        b: Value<'c>,
    ) -> Result<Value<'c>, Error> {
        if a == b {
            return Ok(a);
        }
        let ranks = a.ty().shape().zip(b.ty().shape()).filter(|(a, b)| a == b);
        let Some((shape, _)) = ranks else { return Err(refuse(op, "its regions yield different shapes")) };
        let ones = vec![1; shape.len()];
        let condition = match condition.ty().shape() {
            Some(shape) if shape.len() == ones.len() => condition,
            _ => self.build.reshape(condition, &ones)?,
        };
        self.build.binary("tosa.select", &[condition, a, b], a.ty())
    }

    /// A loop whose condition is known in every iteration.
    fn unroll(&mut self, op: Operation<'c>, operands: &[Value<'c>]) -> Result<Vec<Value<'c>>, Error> {
        let mut values = operands.to_vec();
        for iteration in 0..=MAX_ITERATIONS {
            let condition = self.region(op, 0, &values)?;
            let &[condition] = condition.as_slice() else { return Err(unreadable(op)) };
            match holds(condition) {
                Some(false) => return Ok(values),
                Some(true) => values = self.region(op, 1, &values)?,
                None => return Err(depends_on_data(op, condition, iteration)),
            }
        }
        Err(refuse(
            op,
            format_args!("the loop does not end within {MAX_ITERATIONS} iterations, as many as are unrolled"),
        ))
    }

    /// Copies the body of a region, and returns what it yields.
    fn region(
        &mut self,
        op: Operation<'c>,
        index: usize,
        arguments: &[Value<'c>],
    ) -> Result<Vec<Value<'c>>, Error> {
        let blocks = op.region(index).map(|region| region.blocks()).unwrap_or_default();
        let &[block] = blocks.as_slice() else { return Err(unreadable(op)) };
        let parameters = block.arguments();
        if parameters.len() != arguments.len() {
            return Err(unreadable(op));
        }
        self.spend()?;
        let mut copies: Copies<'c> = parameters.into_iter().zip(arguments.iter().copied()).collect();
        self.copy(op, block, &mut copies)
    }

    fn copy(
        &mut self,
        of: Operation<'c>,
        block: Block<'c>,
        copies: &mut Copies<'c>,
    ) -> Result<Vec<Value<'c>>, Error> {
        for op in block.operations() {
            let operands: Vec<Value<'c>> =
                op.operands().iter().map(|value| *copies.get(value).unwrap_or(value)).collect();
            if op.is("tosa.yield") {
                return Ok(operands);
            }
            let values = match is_control_flow(op) {
                true => self.control_flow(op, &operands)?,
                false => vec![self.one(op, &operands)?],
            };
            copies.extend(op.results().into_iter().zip(values));
        }
        Err(unreadable(of))
    }

    /// Counts an op or a region.
    fn spend(&mut self) -> Result<(), Error> {
        let left = self.left.checked_sub(1);
        let anchor = self.anchor;
        self.left =
            left.ok_or_else(|| refuse(anchor, format_args!("its regions become more than {MAX_OPS} ops")))?;
        Ok(())
    }

    /// A copy of an op, or what it is known to compute.
    fn one(&mut self, op: Operation<'c>, operands: &[Value<'c>]) -> Result<Value<'c>, Error> {
        if let Some(&value) = self.constants.get(&op) {
            return Ok(value);
        }
        let stateful = op.name().starts_with("tosa.variable") || op.is("tosa.custom");
        let result = op.single_result().filter(|_| op.dialect() == "tosa" && !stateful);
        let Some(result) = result else {
            return Err(refuse(op, "an op with other effects than its result in a region of control flow"));
        };
        self.spend()?;
        self.build.set_location(op.location());
        let operands = self.harmless(op, operands.to_vec())?;
        let copy = OpBuilder::new(op.name(), op.location()).operands(&operands).attributes_of(op);
        let copy = copy.result(result.ty()).insert_before(self.anchor)?;
        let made = copy.single_result().ok_or_else(|| unreadable(op))?;
        let value = self.learn(copy, made)?;
        if value != made {
            copy.erase()?;
        }
        if operands.is_empty() {
            self.constants.insert(op, value);
        }
        Ok(value)
    }

    /// The operands of a copy, where the region is not chosen ones that cannot stop the machine.
    fn harmless(&mut self, op: Operation<'c>, mut operands: Vec<Value<'c>>) -> Result<Vec<Value<'c>>, Error> {
        if self.guards.is_empty() {
            return Ok(operands);
        }
        let Some((index, safe)) = harmless(op, &operands) else { return Ok(operands) };
        let safe = self.build.constant(safe)?;
        for Guard { condition, when } in self.guards.clone() {
            let (a, b) = if when { (operands[index], safe) } else { (safe, operands[index]) };
            self.spend()?;
            operands[index] = self.select(op, condition, a, b)?;
        }
        Ok(operands)
    }

    /// The value of an op's result: a constant or an operand if it is known, else the result.
    fn learn(&mut self, op: Operation<'c>, result: Value<'c>) -> Result<Value<'c>, Error> {
        if op.is("tosa.select")
            && let Some(value) = selected(op)
        {
            return Ok(value);
        }
        folded(op, MAX_BYTES).map_or(Ok(result), |literal| self.build.constant(literal))
    }
}

/// Whether the single element of a tensor of i1 is set, if that is known.
fn holds(condition: Value<'_>) -> Option<bool> {
    view::literal(condition)?.uniform().map(|bit| bit != 0)
}

fn refuse(op: Operation<'_>, reason: impl std::fmt::Display) -> Error {
    let _: Reported = op.error(format_args!("{UNSUPPORTED}{reason}"));
    Error::Reported
}

fn depends_on_data<'c>(op: Operation<'c>, condition: Value<'c>, iteration: usize) -> Error {
    let message = format!(
        "{UNSUPPORTED}the number of iterations depends on data: in iteration {iteration} the condition does not follow from constants"
    );
    let at = condition.defining_op().map_or(op.location(), Operation::location);
    let what = "a loop is unrolled if its counter begins at a constant and only constants change it: make the counter a \
                constant of the network, or unroll the loop where the network is exported";
    let _: Reported = op.diagnostic(Severity::Error, message).note(at, what).fail();
    Error::Reported
}

/// MLIR's verifier accepted an op that cannot be read.
fn unreadable(op: Operation<'_>) -> Error {
    Error::Build(format!("the regions of '{}'", op.name()))
}
