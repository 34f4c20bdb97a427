//! Where the values of a function live: in DRAM, or in SRAM if they stay there between layers.
//!
//! Invariant: a value's bytes never move. A reshape is another shape on the same buffer, and a result of the function is
//! computed right in its output buffer where that is possible.

use std::collections::BTreeMap;

use dpu_isa::{Dtype, Machine, Space};
use strum_ir::{Operation, Value};
use strum_plan::residency::Residency;
use strum_plan::{BufferId, Draft, PlanError, Role, Tensor};

use crate::common::tosa::elem::Elem;
use crate::common::tosa::view;

/// The element type of a buffer that holds `elem`.
pub(super) fn dtype(elem: Elem) -> Dtype {
    match elem {
        Elem::I8 => Dtype::I8,
        Elem::I16 => Dtype::I16,
        Elem::I32 => Dtype::I32,
    }
}

/// The same type, with its bits read as an unsigned integer. A 32-bit value has no unsigned form.
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

/// Whether the op's result is its first operand's bytes.
pub(super) fn is_alias(op: Operation<'_>) -> bool {
    op.is("tosa.reshape") || op.is("tosa.identity")
}

/// The tensors of the values seen so far.
pub(super) struct Values<'c> {
    tensors: BTreeMap<Value<'c>, Tensor>,
    /// Output buffers that the defining op of a value fills.
    outputs: BTreeMap<Value<'c>, BufferId>,
    dram_bytes: u64,
    /// What stays in SRAM, and the numbers of the values in it.
    residency: Residency,
    numbers: BTreeMap<Value<'c>, usize>,
    /// The buffers of numbered values that have one.
    buffers: BTreeMap<usize, BufferId>,
}

impl<'c> Values<'c> {
    /// No values yet; those that `residency` keeps, by their `numbers` in it, will be in SRAM.
    pub(super) fn new(machine: &Machine, residency: Residency, numbers: BTreeMap<Value<'c>, usize>) -> Self {
        Values {
            tensors: BTreeMap::new(),
            outputs: BTreeMap::new(),
            dram_bytes: machine.dram_bytes,
            residency,
            numbers,
            buffers: BTreeMap::new(),
        }
    }

    /// SRAM bytes that values hold while layer `index` runs.
    pub(super) fn held_bytes(&self, index: usize) -> u64 {
        self.residency.held_bytes.get(index).copied().unwrap_or(0)
    }

    /// Bytes that the vector engine makes of or for values in SRAM of layer `index`.
    pub(super) fn shared_bytes(&self, index: usize) -> u64 {
        self.residency.shared_bytes.get(index).copied().unwrap_or(0)
    }

    /// The place of a computed value: that of another value, or a buffer of its own.
    fn place(
        &self,
        draft: &mut Draft,
        value: Value<'c>,
        shape: &[u64],
        dtype: Dtype,
    ) -> Result<BufferId, PlanError> {
        let number = self.numbers.get(&value).copied();
        let stays = number.and_then(|n| self.residency.stays.get(n)) == Some(&true);
        let old = number.and_then(|n| self.residency.place_of.get(n).copied().flatten());
        let Some(old) = old else {
            let space = if stays { Space::Sram } else { Space::Dram };
            return draft.tensor(space, dtype, shape, Role::Scratch);
        };
        let old = self.buffers.get(&old).copied();
        old.ok_or_else(|| PlanError::internal("the place of a value that is not there"))
    }

    /// Makes `value` an input of the program.
    pub(super) fn input(&mut self, draft: &mut Draft, value: Value<'c>, name: &str) -> Result<(), PlanError> {
        let (shape, elem) = read(value)?;
        let role = Role::Input { name: name.to_owned() };
        let buffer = draft.tensor(Space::Dram, dtype(elem), &shape, role)?;
        self.tensors.insert(value, Tensor { buffer, dtype: dtype(elem), shape });
        Ok(())
    }

    /// Makes an output buffer for `value`, which the function returns. Returns the buffer if the value must be copied to
    /// it, because it is an argument or a constant, or is returned more than once.
    pub(super) fn output(
        &mut self,
        draft: &mut Draft,
        value: Value<'c>,
        name: &str,
    ) -> Result<Option<BufferId>, PlanError> {
        let (shape, elem) = read(value)?;
        let role = Role::Output { name: name.to_owned() };
        let buffer = draft.tensor(Space::Dram, dtype(elem), &shape, role)?;
        let root = root(value);
        let computed = root.defining_op().is_some_and(|op| !op.is("tosa.const"));
        if computed && !self.outputs.contains_key(&root) {
            self.outputs.insert(root, buffer);
            return Ok(None);
        }
        Ok(Some(buffer))
    }

    /// Lets `result` be the bytes of `operand` under its own shape.
    pub(super) fn alias(
        &mut self,
        draft: &mut Draft,
        operand: Value<'c>,
        result: Value<'c>,
    ) -> Result<(), PlanError> {
        let (shape, _) = read(result)?;
        let tensor = self.operand(draft, operand)?.with_shape(&shape);
        self.tensors.insert(result, tensor);
        Ok(())
    }

    /// The tensor of an operand; a constant gets its place in the constant image on its first use.
    pub(super) fn operand(&mut self, draft: &mut Draft, value: Value<'c>) -> Result<Tensor, PlanError> {
        if let Some(tensor) = self.tensors.get(&value) {
            return Ok(tensor.clone());
        }
        let (shape, elem) = read(value)?;
        let literal = view::literal(value)
            .ok_or_else(|| PlanError::internal(format!("no op before this one makes the operand {value}")))?;
        if literal.byte_len() as u64 > self.dram_bytes {
            return Err(PlanError::resource(
                "bytes of DRAM for a constant",
                literal.byte_len() as u64,
                self.dram_bytes,
            ));
        }
        let bytes = literal.checked_bytes().map_err(|over| PlanError::memory(over.to_string()))?;
        let buffer = draft.constant(bytes.into_owned())?;
        let tensor = Tensor { buffer, dtype: dtype(elem), shape };
        self.tensors.insert(value, tensor.clone());
        Ok(tensor)
    }

    /// The tensor that an op writes its result to.
    pub(super) fn result(&mut self, draft: &mut Draft, value: Value<'c>) -> Result<Tensor, PlanError> {
        let (shape, elem) = read(value)?;
        let buffer = match self.outputs.get(&value) {
            Some(buffer) => *buffer,
            None => self.place(draft, value, &shape, dtype(elem))?,
        };
        let tensor = Tensor { buffer, dtype: dtype(elem), shape };
        self.tensors.insert(value, tensor.clone());
        if let Some(number) = self.numbers.get(&value) {
            self.buffers.insert(*number, buffer);
        }
        Ok(tensor)
    }
}

/// Shape and element type of a value.
fn read(value: Value<'_>) -> Result<(Vec<u64>, Elem), PlanError> {
    view::tensor(value.ty()).ok_or_else(|| {
        PlanError::unsupported(format!(
            "a value of type {}: must be a static tensor of i8, i16 or i32",
            value.ty()
        ))
    })
}
