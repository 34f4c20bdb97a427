//! Strided copies between DRAM tensors and SRAM tiles as single DMA tasks.

use dpu_isa::{DmaCopy, Machine, MemAddr, Space};

use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, narrow};
use crate::tile::budget::Budget;

/// A location in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The buffer.
    pub(crate) buffer: BufferId,
    /// Bytes from its start.
    pub(crate) offset: u64,
}

impl At {
    /// The location `steps` strides further on.
    ///
    /// # Errors
    /// An internal error if the offset overflows.
    pub(crate) fn advanced(self, steps: u64, stride: u64) -> Result<Self, PlanError> {
        let offset = steps.checked_mul(stride).and_then(|d| self.offset.checked_add(d));
        let offset = offset.ok_or_else(|| PlanError::internal("an offset overflows 64 bits"))?;
        Ok(At { offset, ..self })
    }
}

/// One dimension of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    /// Elements.
    pub(crate) extent: u64,
    /// Bytes from one element to the next in the source.
    pub(crate) src: u64,
    /// Bytes from one element to the next in the destination.
    pub(crate) dst: u64,
}

impl Dim {
    pub(crate) fn new(extent: u64, src: u64, dst: u64) -> Self {
        Dim { extent, src, dst }
    }
}

/// Assignment of work to DMA engines: loads on the first, stores of results on the last, and weights, if the plan splits them, on
/// the engine with less queued.
pub(crate) struct Mover {
    budget: Budget,
    last: u8,
    split_weights: bool,
    /// Cycles of work given to each engine so far.
    queued: [u64; 2],
}

impl Mover {
    /// The engines of a machine, nothing queued.
    pub(crate) fn new(machine: &Machine, split_weights: bool) -> Self {
        let last = u8::from(machine.dma_engines > 1);
        Mover { budget: Budget::of(machine), last, split_weights, queued: [0; 2] }
    }

    /// The engine that loads activations and tables.
    pub(crate) fn load_engine(&self) -> u8 {
        0
    }

    /// Appends a task that loads activations or a table.
    ///
    /// # Errors
    /// As for [`copy_task`] and [`Draft::push`].
    pub(crate) fn load(
        &mut self,
        draft: &mut Draft,
        src: At,
        dst: At,
        dims: &[Dim],
    ) -> Result<(), PlanError> {
        self.append(draft, 0, src, dst, dims)
    }

    /// Appends a task that loads weights.
    ///
    /// # Errors
    /// As for [`copy_task`] and [`Draft::push`].
    pub(crate) fn load_weights(
        &mut self,
        draft: &mut Draft,
        src: At,
        dst: At,
        dims: &[Dim],
    ) -> Result<(), PlanError> {
        let [first, second] = self.queued;
        let engine = if self.split_weights && second < first { self.last } else { 0 };
        self.append(draft, engine, src, dst, dims)
    }

    /// A task that stores results, for later.
    ///
    /// # Errors
    /// As for [`copy_task`].
    pub(crate) fn store(
        &mut self,
        draft: &Draft,
        src: At,
        dst: At,
        dims: &[Dim],
    ) -> Result<DmaCopy, PlanError> {
        self.queue(self.last, dims);
        copy_task(draft, self.last, src, dst, dims)
    }

    fn append(
        &mut self,
        draft: &mut Draft,
        engine: u8,
        src: At,
        dst: At,
        dims: &[Dim],
    ) -> Result<(), PlanError> {
        self.queue(engine, dims);
        let task = copy_task(draft, engine, src, dst, dims)?;
        draft.push(task.into(), &[("src", src.buffer), ("dst", dst.buffer)])
    }

    fn queue(&mut self, engine: u8, dims: &[Dim]) {
        let merged = merge(dims);
        let bytes = merged.iter().fold(1u64, |n, d| n.saturating_mul(d.extent));
        let run = merged.last().filter(|d| (d.src, d.dst) == (1, 1)).map_or(1, |d| d.extent);
        if let Some(queued) = self.queued.get_mut(usize::from(engine)) {
            *queued = queued.saturating_add(self.budget.dma_cycles(bytes, bytes / run));
        }
    }
}

/// A DMA task that copies single bytes along `dims`, outermost first. Dimensions that are contiguous on both sides are merged.
///
/// # Errors
/// An unsupported error if more than six dimensions remain or one does not fit its field.
fn copy_task(draft: &Draft, engine: u8, src: At, dst: At, dims: &[Dim]) -> Result<DmaCopy, PlanError> {
    let space = |id| draft.buffer(id).map(|b| b.space);
    let addr = |space: Space, offset| MemAddr { space, offset };
    let mut task = DmaCopy {
        engine,
        element: 1,
        src: addr(space(src.buffer)?, src.offset),
        dst: addr(space(dst.buffer)?, dst.offset),
        dims: [1; 6],
        ..DmaCopy::default()
    };
    let merged = merge(dims);
    let first = 6usize.checked_sub(merged.len()).ok_or_else(|| {
        PlanError::unsupported(format!("a copy of {} dimensions, a DMA task has at most 6", merged.len()))
    })?;
    for (i, dim) in merged.iter().enumerate() {
        let i = first + i;
        let slots = (task.dims.get_mut(i), task.src_strides.get_mut(i), task.dst_strides.get_mut(i));
        if let (Some(extent), Some(src), Some(dst)) = slots {
            *extent = narrow(dim.extent, "the extent of a copy")?;
            (*src, *dst) = (dim.src, dim.dst);
        }
    }
    Ok(task)
}

/// Drops dimensions of one element and merges contiguous neighbours.
fn merge(dims: &[Dim]) -> Vec<Dim> {
    let mut merged: Vec<Dim> = Vec::with_capacity(dims.len());
    for dim in dims.iter().filter(|d| d.extent != 1) {
        match merged.last_mut() {
            Some(outer)
                if Some(outer.src) == dim.src.checked_mul(dim.extent)
                    && Some(outer.dst) == dim.dst.checked_mul(dim.extent)
                    && outer.extent.checked_mul(dim.extent).is_some_and(|n| n <= u64::from(u32::MAX)) =>
            {
                *outer = Dim::new(outer.extent * dim.extent, dim.src, dim.dst);
            }
            _ => merged.push(*dim),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_dimensions_merge() {
        let dims = [Dim::new(4, 600, 60), Dim::new(1, 7, 9), Dim::new(3, 20, 20), Dim::new(20, 1, 1)];
        assert_eq!(merge(&dims), [Dim::new(4, 600, 60), Dim::new(60, 1, 1)]);
        assert_eq!(merge(&[Dim::new(1, 5, 5)]), []);
    }

    #[test]
    fn a_task_has_six_dimensions() {
        let mut draft = Draft::new();
        let at = At { buffer: draft.sram(1 << 20).unwrap(), offset: 0 };
        // Gaps keep neighbours apart.
        let dims: Vec<Dim> = (0..7).rev().map(|i| Dim::new(2, 3 << (2 * i), 3 << (2 * i))).collect();
        assert_eq!(copy_task(&draft, 0, at, at, &dims[1..]).unwrap().dims, [2; 6]);
        let error = copy_task(&draft, 0, at, at, &dims).unwrap_err();
        assert_eq!(error.to_string(), "unsupported: a copy of 7 dimensions, a DMA task has at most 6");
    }
}
