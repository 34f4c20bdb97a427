//! An operator of the file with its operands. Invariant: what an operator needs to be constant is, or it is refused.

use std::path::Path;

use super::node::Node;
use super::tensor::Tensor;
use super::trouble::{Outcome, invalid, unsupported};
use super::value::{Flow, Net, Value};
use crate::tosa::{Codes, Elem};

/// The codes that a result is rounded to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) codes: Codes,
    /// The file's codes are unsigned.
    pub(super) unsigned: bool,
}

/// An operator of the file with its operands.
pub(super) struct Call<'a> {
    pub(super) node: Node<'a>,
    /// Its operands; none where the file leaves one out.
    pub(super) inputs: Vec<Option<Value>>,
    /// The folder of external data.
    pub(super) folder: Option<&'a Path>,
    /// The codes that the result is rounded to, if it is.
    pub(super) target: Option<Target>,
}

impl Call<'_> {
    /// An operand that must be given.
    pub(super) fn value(&self, index: usize) -> Outcome<&Value> {
        match self.inputs.get(index) {
            Some(Some(value)) => Ok(value),
            Some(None) | None => invalid(format!("operand {index} is missing")),
        }
    }

    /// An operand, if given.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// All operands, at least one.
    pub(super) fn all(&self) -> Outcome<Vec<&Value>> {
        (0..self.inputs.len().max(1)).map(|index| self.value(index)).collect()
    }

    /// Its operands.
    pub(super) fn operands(&self) -> Operands<'_> {
        Operands(&self.inputs)
    }

    /// An operand as floats.
    pub(super) fn floats(&self, net: &mut Net, index: usize) -> Outcome<Flow> {
        let value = self.value(index)?;
        net.floats(value)
    }

    /// An operand that only moves: codes as well as floats.
    pub(super) fn moved(&self, net: &Net, index: usize) -> Outcome<&Value> {
        let value = self.value(index)?;
        if let Value::Flow(flow) = value
            && !matches!(net.elem(flow.id), Elem::F32 | Elem::I8)
        {
            return unsupported(format!("operands must be float32, got {}", net.elem(flow.id).name()));
        }
        Ok(value)
    }
}

/// Operands of an operator.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a>(pub(super) &'a [Option<Value>]);

impl<'a> Operands<'a> {
    /// An operand that must be constant, if given.
    pub(super) fn known(self, index: usize) -> Outcome<Option<&'a Tensor>> {
        match self.0.get(index) {
            None | Some(None) => Ok(None),
            Some(Some(Value::Known(tensor))) => Ok(Some(tensor)),
            Some(Some(_)) => unsupported(format!("operand {index} must be constant")),
        }
    }

    /// Constant integers, if given.
    pub(super) fn optional_ints(self, index: usize) -> Outcome<Option<Vec<i64>>> {
        match self.known(index)? {
            None => Ok(None),
            Some(tensor) => match tensor.as_ints() {
                Some(ints) => Ok(Some(ints.to_vec())),
                None => invalid(format!("operand {index} must be integers, got {}", tensor.kind.name())),
            },
        }
    }

    /// Constant integers.
    pub(super) fn ints(self, index: usize) -> Outcome<Vec<i64>> {
        match self.optional_ints(index)? {
            Some(ints) => Ok(ints),
            None => invalid(format!("operand {index} is missing")),
        }
    }

    /// Constant floats, if given; those behind a `DequantizeLinear` as well.
    pub(super) fn optional_floats(self, index: usize) -> Outcome<Option<Vec<f32>>> {
        if let Some(Some(Value::Coded(coded))) = self.0.get(index) {
            return Ok(Some(coded.to_floats().to_floats()));
        }
        Ok(self.known(index)?.map(Tensor::to_floats))
    }

    /// A constant number, if given.
    pub(super) fn number(self, index: usize) -> Outcome<Option<f32>> {
        match self.optional_floats(index)?.as_deref() {
            None => Ok(None),
            Some(&[number]) => Ok(Some(number)),
            Some(several) => invalid(format!("operand {index} must be one number, got {}", several.len())),
        }
    }
}

/// A single result.
pub(super) fn one(value: impl Into<Value>) -> Outcome<Vec<Value>> {
    Ok(vec![value.into()])
}
