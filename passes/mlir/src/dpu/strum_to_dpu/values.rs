//! Values of a function as tensors of its network.
//!
//! Invariant: a reshape is another shape on the same tensor.

use std::collections::BTreeMap;

use dpu_isa::Dtype;
use strum_ir::{Operation, Value};
use strum_plan::network::Tensors;
use strum_plan::{Draft, PlanError, Tensor};

use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;

/// The element type of a buffer for `elem`.
pub(super) fn dtype(elem: Elem) -> Dtype {
    match elem {
        Elem::I1 | Elem::I8 => Dtype::I8,
        Elem::I16 => Dtype::I16,
        Elem::I32 => Dtype::I32,
    }
}

/// The same type, as unsigned. A 32-bit value has no unsigned form.
pub(super) fn unsigned(dtype: Dtype) -> Dtype {
    match dtype {
        Dtype::I8 => Dtype::U8,
        Dtype::I16 => Dtype::U16,
        other => other,
    }
}

/// The value behind reshapes and identities.
pub(super) fn root(value: Value<'_>) -> Value<'_> {
    let mut value = value;
    while let Some(op) = value.defining_op().filter(|op| is_alias(*op)) {
        let Some(operand) = op.operand(0) else { break };
        value = operand;
    }
    value
}

/// Whether the op's result has the bytes of its first operand.
pub(super) fn is_alias(op: Operation<'_>) -> bool {
    op.is("tosa.reshape") || op.is("tosa.identity")
}

/// The values of a function as tensors of its network.
pub(super) struct Values<'c, 'a, 't> {
    /// The tensors of values, by index in the network.
    pub(super) known: &'a BTreeMap<Value<'c>, usize>,
    /// Their locations.
    pub(super) tensors: &'a mut Tensors<'t>,
}

impl<'c> Values<'c, '_, '_> {
    fn index(&self, value: Value<'c>) -> Result<usize, PlanError> {
        let known = self.known.get(&root(value)).copied();
        known.ok_or_else(|| PlanError::internal(format!("no op before this one makes the operand {value}")))
    }

    /// The tensor of an operand, under the operand's own shape.
    pub(super) fn operand(&mut self, draft: &mut Draft, value: Value<'c>) -> Result<Tensor, PlanError> {
        let (shape, _) = read(value)?;
        let tensor = self.tensors.operand(draft, self.index(value)?)?;
        Ok(tensor.with_shape(&shape))
    }

    /// The tensor that an op writes its result to.
    pub(super) fn result(&mut self, draft: &mut Draft, value: Value<'c>) -> Result<Tensor, PlanError> {
        self.tensors.result(draft, self.index(value)?)
    }
}

/// Shape and element type of a value.
pub(super) fn read(value: Value<'_>) -> Result<(Vec<u64>, Elem), PlanError> {
    view::tensor(value.ty()).ok_or_else(|| {
        PlanError::unsupported(format!(
            "a value of type {}, expected a static tensor of i1, i8, i16 or i32",
            value.ty()
        ))
    })
}

/// An op that does not have what its verifier requires.
pub(super) fn unreadable(op: Operation<'_>) -> PlanError {
    PlanError::internal(format!("'{}' cannot be read", op.name()))
}
