//! Tensors of movement and vector layers: buffers under a shape.

use dpu_isa::Dtype;

use crate::draft::{BufferId, Draft};
use crate::error::PlanError;

/// A contiguous row-major tensor in a DRAM or SRAM buffer, under a shape of its own: a reshape is another `Tensor` on the same
/// buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The buffer; the tensor begins at its first byte.
    pub buffer: BufferId,
    /// Element type.
    pub dtype: Dtype,
    /// Extents in elements, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
}

impl Tensor {
    /// A buffer under its own type and shape.
    ///
    /// # Errors
    /// An internal error if the buffer belongs to another draft.
    pub fn of(draft: &Draft, buffer: BufferId) -> Result<Self, PlanError> {
        let b = draft.buffer(buffer)?;
        Ok(Tensor { buffer, dtype: b.dtype, shape: b.shape.clone() })
    }

    /// The same bytes under another shape.
    #[must_use]
    pub fn with_shape(mut self, shape: &[u64]) -> Self {
        self.shape = shape.to_vec();
        self
    }

    /// Number of elements.
    ///
    /// # Errors
    /// An internal error if it does not fit 64 bits.
    pub fn elements(&self) -> Result<u64, PlanError> {
        product(&self.shape)
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// An internal error if it does not fit 64 bits.
    pub fn bytes(&self) -> Result<u64, PlanError> {
        self.elements()?
            .checked_mul(self.dtype.bytes())
            .ok_or_else(|| PlanError::internal(format!("{:?} elements overflow 64 bits", self.shape)))
    }

    /// Distance between neighbours along every dimension, in elements.
    ///
    /// # Errors
    /// An internal error if the tensor's size does not fit 64 bits.
    pub fn strides(&self) -> Result<Vec<u64>, PlanError> {
        self.bytes()?;
        let mut strides = vec![1u64; self.shape.len()];
        let mut inner = 1u64;
        for (stride, &extent) in strides.iter_mut().zip(&self.shape).rev() {
            *stride = inner;
            inner = inner.saturating_mul(extent);
        }
        Ok(strides)
    }

    /// Checks that the tensor lies within its buffer and has no extent of 0.
    ///
    /// # Errors
    /// An internal error naming the violated condition.
    pub(crate) fn check(&self, draft: &Draft, what: &str) -> Result<(), PlanError> {
        let buffer = draft.buffer(self.buffer)?;
        let bytes = self.bytes()?;
        if bytes == 0 {
            return Err(PlanError::internal(format!("{what} has no elements: shape {:?}", self.shape)));
        }
        if bytes > buffer.bytes {
            return Err(PlanError::internal(format!(
                "{what} of shape {:?} has {bytes} bytes, its buffer {}",
                self.shape, buffer.bytes
            )));
        }
        Ok(())
    }
}

/// The product of extents.
pub(crate) fn product(extents: &[u64]) -> Result<u64, PlanError> {
    extents
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(d))
        .ok_or_else(|| PlanError::internal(format!("{extents:?} elements overflow 64 bits")))
}
