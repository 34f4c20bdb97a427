//! The location of a network's tensors: in DRAM, or in SRAM if they are resident.
//!
//! Invariant: a tensor's bytes never move. An output is computed in place in its buffer where possible.

use dpu_isa::Space;

use super::{Input, Layers, Network, Origin, Output, TensorInfo};
use crate::draft::{BufferId, Draft, Role};
use crate::error::PlanError;
use crate::movement::Tensor;
use crate::residency::Residency;

/// The buffers of the tensors that have been planned so far.
pub struct Tensors<'a> {
    network: &'a Network,
    layers: &'a dyn Layers,
    residency: &'a Residency,
    dram_bytes: u64,
    /// The buffer of every tensor that has one.
    buffers: Vec<Option<BufferId>>,
    /// For every tensor, the output buffer that its layer fills.
    outputs: Vec<Option<BufferId>>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(
        network: &'a Network,
        layers: &'a dyn Layers,
        residency: &'a Residency,
        dram_bytes: u64,
    ) -> Self {
        let none = vec![None; network.tensors.len()];
        Tensors { network, layers, residency, dram_bytes, buffers: none.clone(), outputs: none }
    }

    fn info(&self, tensor: usize) -> Result<&'a TensorInfo, PlanError> {
        let no_tensor = || PlanError::internal(format!("tensor {tensor} does not exist"));
        self.network.tensors.get(tensor).ok_or_else(no_tensor)
    }

    fn buffer(&self, tensor: usize) -> Option<BufferId> {
        self.buffers.get(tensor).copied().flatten()
    }

    fn set(&mut self, tensor: usize, buffer: BufferId) {
        if let Some(slot) = self.buffers.get_mut(tensor) {
            *slot = Some(buffer);
        }
    }

    /// Makes the buffer of an input.
    pub(super) fn input(&mut self, draft: &mut Draft, input: &Input) -> Result<(), PlanError> {
        let info = self.info(input.tensor)?;
        let role = Role::Input { name: input.name.clone() };
        let buffer = draft.tensor(Space::Dram, info.dtype, &info.shape, role)?;
        self.set(input.tensor, buffer);
        Ok(())
    }

    /// Makes the buffer of an output. Returns it if the tensor must be copied to it, because no layer computes it, or because it
    /// is returned more than once.
    pub(super) fn output(
        &mut self,
        draft: &mut Draft,
        output: &Output,
    ) -> Result<Option<BufferId>, PlanError> {
        let info = self.info(output.tensor)?;
        let role = Role::Output { name: output.name.clone() };
        let buffer = draft.tensor(Space::Dram, info.dtype, &output.shape, role)?;
        match self.outputs.get_mut(output.tensor) {
            Some(slot @ None) if info.origin == Origin::Computed => {
                *slot = Some(buffer);
                Ok(None)
            }
            _ => Ok(Some(buffer)),
        }
    }

    /// The tensor as an operand; a constant is added to the constant image on its first use.
    ///
    /// # Errors
    /// An internal error for a tensor that no layer has computed yet; a resource error for a constant larger than the DRAM;
    /// those of [`Layers::constant`].
    pub fn operand(&mut self, draft: &mut Draft, tensor: usize) -> Result<Tensor, PlanError> {
        let info = self.info(tensor)?;
        let buffer = match (self.buffer(tensor), info.origin) {
            (Some(buffer), _) => buffer,
            (None, Origin::Constant) if info.bytes() > self.dram_bytes => {
                return Err(PlanError::resource(
                    "bytes of DRAM for a constant",
                    info.bytes(),
                    self.dram_bytes,
                ));
            }
            (None, Origin::Constant) => draft.constant(self.layers.constant(tensor)?)?,
            (None, Origin::Input | Origin::Computed) => {
                return Err(PlanError::internal(format!("no layer before this one makes tensor {tensor}")));
            }
        };
        self.set(tensor, buffer);
        Ok(Tensor { buffer, dtype: info.dtype, shape: info.shape.clone() })
    }

    /// The tensor as the result of a layer: in its output buffer, in place of an operand, or in a buffer of its own.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub fn result(&mut self, draft: &mut Draft, tensor: usize) -> Result<Tensor, PlanError> {
        let info = self.info(tensor)?;
        let buffer = match self.outputs.get(tensor).copied().flatten() {
            Some(buffer) => buffer,
            None => self.place(draft, tensor, info)?,
        };
        self.set(tensor, buffer);
        Ok(Tensor { buffer, dtype: info.dtype, shape: info.shape.clone() })
    }

    /// The buffer of a computed tensor according to residency: that of another one, or its own.
    fn place(&self, draft: &mut Draft, tensor: usize, info: &TensorInfo) -> Result<BufferId, PlanError> {
        let Some(old) = self.residency.place_of.get(tensor).copied().flatten() else {
            let stays = self.residency.stays.get(tensor) == Some(&true);
            let space = if stays { Space::Sram } else { Space::Dram };
            return draft.tensor(space, info.dtype, &info.shape, Role::Scratch);
        };
        let gone = || PlanError::internal("the place of a tensor that is not there");
        self.buffer(old).ok_or_else(gone)
    }
}
