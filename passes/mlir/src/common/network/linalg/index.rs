//! Index arithmetic in bodies of `linalg.generic`, such as the tap counts of averages that exclude padding.
//!
//! Invariant: values computed here depend only on indices and constants, and so are constants of the network.

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn, Zip};
use strum_float::Tensor;
use strum_ir::{Operation, Reported, Value};

use crate::common::verdict::UNSUPPORTED;

/// The known integers of a body: an axis for every loop, of extent 1 where a value does not depend on it.
pub(super) struct Positions<'c> {
    extents: Vec<usize>,
    values: BTreeMap<Value<'c>, ArrayD<i64>>,
}

impl<'c> Positions<'c> {
    /// In loops of these extents.
    pub(super) fn new(extents: Vec<usize>) -> Self {
        Positions { extents, values: BTreeMap::new() }
    }

    /// Whether an op computes an integer, and is evaluated here.
    pub(super) fn computes(op: Operation<'c>) -> bool {
        let integer = op.result(0).is_some_and(|r| r.ty().is_index() || r.ty().int_width().is_some());
        integer && op.name() != "arith.cmpf"
    }

    /// Computes the result of an op. An unsupported op yields no value, which is an error where the value is used.
    pub(super) fn compute(&mut self, op: Operation<'c>) {
        if let (Some(value), Some(result)) = (self.value(op), op.result(0)) {
            self.values.insert(result, value);
        }
    }

    fn value(&self, op: Operation<'c>) -> Option<ArrayD<i64>> {
        match op.name() {
            "linalg.index" => {
                let axis = usize::try_from(op.int_attr("dim")?).ok()?;
                let mut shape = vec![1; self.extents.len()];
                *shape.get_mut(axis)? = *self.extents.get(axis)?;
                Some(ArrayD::from_shape_fn(IxDyn(&shape), |at| i64::try_from(at[axis]).unwrap_or(i64::MAX)))
            }
            "arith.index_cast" | "arith.index_castui" => self.operand(op, 0),
            "arith.extsi" if op.operand(0).is_none_or(|value| value.ty().int_width() != Some(1)) => {
                self.operand(op, 0)
            }
            "arith.extui" => self.operand(op, 0).filter(|values| values.iter().all(|&v| v >= 0)),
            "arith.trunci" => {
                let width = op.result(0)?.ty().int_width().filter(|&width| width > 1)?;
                let limit = 1i64.checked_shl(width - 1)?;
                self.operand(op, 0).filter(|values| values.iter().all(|&v| -limit <= v && v < limit))
            }
            "arith.select" => {
                let condition = self.operand(op, 0)?;
                let yes = self.both(&condition, &self.operand(op, 1)?, |c, a| c.checked_mul(a))?;
                let no = self.both(&condition, &self.operand(op, 2)?, |c, b| (1 - c).checked_mul(b))?;
                self.both(&yes, &no, i64::checked_add)
            }
            "arith.cmpi" => {
                let holds = relation(op.int_attr("predicate")?)?;
                self.both(&self.operand(op, 0)?, &self.operand(op, 1)?, |a, b| Some(holds(a, b).into()))
            }
            name => {
                let f = binary(name)?;
                self.both(&self.operand(op, 0)?, &self.operand(op, 1)?, f)
            }
        }
    }

    /// A function of two lists of integers. Any index without a value leaves the whole without one.
    fn both(
        &self,
        a: &ArrayD<i64>,
        b: &ArrayD<i64>,
        f: impl Fn(i64, i64) -> Option<i64>,
    ) -> Option<ArrayD<i64>> {
        let extents = a.shape().iter().zip(b.shape());
        let shape: Vec<usize> = extents.map(|(&a, &b)| a.max(b)).collect();
        let (a, b) = (a.broadcast(IxDyn(&shape))?, b.broadcast(IxDyn(&shape))?);
        let all = Zip::from(&a).and(&b).map_collect(|&a, &b| f(a, b));
        let values = all.iter().copied().collect::<Option<Vec<i64>>>()?;
        ArrayD::from_shape_vec(IxDyn(&shape), values).ok()
    }

    /// Makes integers, with an axis for every loop, the value of an operand.
    pub(super) fn set(&mut self, value: Value<'c>, integers: ArrayD<i64>) {
        self.values.insert(value, integers);
    }

    /// The result of `arith.fptosi` on known numbers. Out-of-range results have no value.
    pub(super) fn truncate(&mut self, op: Operation<'c>, numbers: &Tensor) {
        const LIMIT: f32 = 9e18;
        #[allow(clippy::cast_possible_truncation, reason = "within the limit")]
        let whole = |x: &f32| (x.abs() < LIMIT).then(|| x.trunc() as i64);
        let values = numbers.iter().map(whole).collect::<Option<Vec<i64>>>();
        let array = values.and_then(|values| ArrayD::from_shape_vec(numbers.raw_dim(), values).ok());
        if let (Some(array), Some(result)) = (array, op.result(0)) {
            self.values.insert(result, array);
        }
    }

    pub(super) fn operand(&self, op: Operation<'c>, index: usize) -> Option<ArrayD<i64>> {
        let value = op.operand(index)?;
        let constant = || {
            let number = value.defined_by("arith.constant")?.int_attr("value")?;
            Some(ArrayD::from_elem(vec![1; self.extents.len()], number))
        };
        self.values.get(&value).cloned().or_else(constant)
    }

    /// The operand of a conversion to f32 as a tensor.
    pub(super) fn floats(&self, op: Operation<'c>) -> Result<Tensor, Reported> {
        #[allow(clippy::cast_precision_loss, reason = "what sitofp does, rounding included")]
        let tensor = self.operand(op, 0).map(|values| values.mapv(|v| v as f32));
        tensor.ok_or_else(|| {
            let from = op.operand(0).and_then(Value::defining_op).map_or("an argument", Operation::name);
            op.error(format!(
                "{UNSUPPORTED}integer computed by {from}: only +, -, *, /, %, min, max, comparison and selection of loop indices and constants are \
                 supported"
            ))
        })
    }
}

/// The relation of a predicate of `arith.cmpi` on signed integers.
fn relation(predicate: i64) -> Option<fn(i64, i64) -> bool> {
    Some(match predicate {
        0 => |a, b| a == b,
        1 => |a, b| a != b,
        2 => |a, b| a < b,
        3 => |a, b| a <= b,
        4 => |a, b| a > b,
        5 => |a, b| a >= b,
        _ => return None,
    })
}

/// Integer arithmetic whose result fits.
fn binary(name: &str) -> Option<fn(i64, i64) -> Option<i64>> {
    Some(match name {
        "arith.addi" => i64::checked_add,
        "arith.subi" => i64::checked_sub,
        "arith.muli" => i64::checked_mul,
        "arith.divsi" => i64::checked_div,
        "arith.remsi" => i64::checked_rem,
        "arith.minsi" => |a, b| Some(a.min(b)),
        "arith.maxsi" => |a, b| Some(a.max(b)),
        _ => return None,
    })
}
