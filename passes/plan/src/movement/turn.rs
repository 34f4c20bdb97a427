//! Transpositions with short contiguous segments, through SRAM and the vector engine.
//!
//! A DMA engine starts one contiguous segment a cycle, so a transposition of single bytes moves one byte a cycle. Here tiles are
//! loaded in source order and stored in destination order, with long segments on both sides, and the vector engine permutes them
//! in between. A tile is long along the dimension that is contiguous in the source and the one that is contiguous in the
//! destination.

use dpu_isa::{Dtype, Machine, UnaryOp, VecUnary};

use crate::dma::{At, Dim};
use crate::draft::Draft;
use crate::error::PlanError;
use crate::strategy::CutStrategy;
use crate::tile::stream::Stream;
use crate::vector::pipeline::{Compute, Pipeline, Transfer, six};

/// Minimum segment length, in bytes, before any other extent of a tile grows.
const RUN: u64 = 64;

/// Maximum tile size, in bytes, so that transfers and permutation overlap.
const MAX_TILE: u64 = 128 * 1024;

/// A cut of a transposition, and its cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The dimensions in destination order; all strides are multiples of the element.
    dims: Vec<Dim>,
    /// Bytes of an element: 1, 2 or 4.
    element: u64,
    /// Extents of a tile along the dimensions.
    pub(super) tile: Vec<u64>,
    /// Estimated cycles.
    pub(super) cycles: u64,
}

/// Cycles of a DMA task that moves `bytes` from DRAM to DRAM, or half of them across, in `rows` segments.
fn dma_cycles(machine: &Machine, bytes: u64, rows: u64) -> u64 {
    dpu_cost::channel_cycles(bytes, machine).max(rows)
}

/// Estimated cycles of the transposition as a single DMA task.
pub(super) fn direct_cycles(machine: &Machine, dims: &[Dim], element: u64) -> u64 {
    let count = elements(dims.iter().map(|d| d.extent));
    let run = dims.last().filter(|d| d.src == element && d.dst == element).map_or(1, |d| d.extent);
    let bytes = count.saturating_mul(element).saturating_mul(2);
    dma_cycles(machine, bytes, count / run).saturating_add(machine.dram_latency_cycles.into())
}

fn elements(extents: impl Iterator<Item = u64>) -> u64 {
    extents.fold(1, u64::saturating_mul)
}

impl Turn {
    /// The dimension that is contiguous in the source, if the vector engine supports this transposition of canonical dimensions.
    pub(super) fn source(dims: &[Dim], element: u64) -> Option<usize> {
        let last = dims.len().checked_sub(1)?;
        let source = dims.iter().position(|d| d.src == element)?;
        let turns = dims.len() <= 6 && source != last && dims[last].dst == element;
        (turns && matches!(element, 1 | 2 | 4)).then_some(source)
    }

    /// Cuts a transposition as given; `None` if the vector engine does not support it.
    ///
    /// # Errors
    /// Refused: tiles that do not fit `sram` bytes.
    pub(super) fn told(
        dims: &[Dim],
        element: u64,
        tile: &[u64],
        sram: u64,
    ) -> Result<Option<Self>, PlanError> {
        if Turn::source(dims, element).is_none() {
            return Ok(None);
        }
        let turn = Turn { dims: dims.to_vec(), element, tile: tile.to_vec(), cycles: 0 };
        CutStrategy::check_bytes(tile, turn.slot().saturating_mul(4), sram)?;
        Ok(Some(turn))
    }

    /// Bytes of a slot.
    fn slot(&self) -> u64 {
        elements(self.tile.iter().copied()).saturating_mul(self.element).div_ceil(16).saturating_mul(16)
    }

    /// Cuts a transposition of canonical dimensions; `None` if it is not one, or the vector engine does not support it.
    pub(super) fn new(machine: &Machine, sram: u64, dims: &[Dim], element: u64) -> Option<Self> {
        let last = dims.len().checked_sub(1)?;
        let source = Turn::source(dims, element)?;
        // Two slots on both sides.
        let most = (sram / 4).min(MAX_TILE) / 16 * 16 / element;
        let mut tile = vec![1; dims.len()];
        let mut run = RUN;
        while run > 1 && run.saturating_mul(run) > most {
            run /= 2;
        }
        (tile[source], tile[last]) = (run.min(dims[source].extent), run.min(dims[last].extent));
        if tile[source].saturating_mul(tile[last]) > most {
            return None;
        }
        let inner_first = (0..dims.len()).rev().filter(|&d| d != source && d != last);
        for d in [source, last].into_iter().chain(inner_first) {
            let others = elements(tile.iter().copied()) / tile[d];
            let fits = (most / others).min(dims[d].extent).max(1);
            tile[d] = dims[d].extent.div_ceil(dims[d].extent.div_ceil(fits));
        }
        let mut turn = Turn { dims: dims.to_vec(), element, tile, cycles: 0 };
        turn.cycles = turn.estimate(machine, source, last);
        Some(turn)
    }

    /// The busiest engine, and the parts of the first and last tile that nothing overlaps.
    fn estimate(&self, machine: &Machine, source: usize, last: usize) -> u64 {
        let tiles = elements(self.dims.iter().zip(&self.tile).map(|(d, &t)| d.extent.div_ceil(t)));
        let size = elements(self.tile.iter().copied());
        let latency = u64::from(machine.dram_latency_cycles);
        let across = |run: u64| {
            dma_cycles(machine, size.saturating_mul(self.element), size / run).saturating_add(latency)
        };
        let (load, store) = (across(self.tile[source]), across(self.tile[last]));
        let compute = size / u64::from(machine.vec_lanes).max(1) + u64::from(machine.vec_setup_cycles);
        let shared = dma_cycles(machine, size.saturating_mul(self.element).saturating_mul(2), 0);
        let busiest = load.max(store).max(compute).max(shared);
        busiest.saturating_mul(tiles).saturating_add(load.min(store)).saturating_add(compute)
    }

    /// Appends the tasks.
    ///
    /// # Errors
    /// A resource error if the draft grows too long, an internal error if an offset overflows.
    pub(super) fn emit(
        &self,
        draft: &mut Draft,
        machine: &Machine,
        src: At,
        dst: At,
    ) -> Result<(), PlanError> {
        let slot = self.slot();
        let mut sources = Stream::new(draft, 2, slot)?;
        let mut results = Stream::new(draft, 2, slot)?;
        let mut pipeline = Pipeline::new(machine);
        let mut from = vec![0u64; self.dims.len()];
        for step in 0.. {
            let extents: Vec<u64> = self
                .dims
                .iter()
                .zip(&self.tile)
                .zip(&from)
                .map(|((d, &t), &f)| t.min(d.extent - f))
                .collect();
            let place = |buffer| At { buffer, offset: 0 };
            let (loaded, turned) = (place(sources.place(step)?.buffer), place(results.place(step)?.buffer));
            let (load, compute) =
                self.step(&from, &extents, (src, loaded), (turned, dst)).map(|(load, store, instr)| {
                    let bufs = vec![("src", loaded.buffer), ("out", turned.buffer)];
                    (load, Compute { instr: instr.into(), bufs, store: Some(store) })
                })?;
            pipeline.step(draft, &[load], compute)?;
            let mut d = self.dims.len();
            loop {
                if d == 0 {
                    return pipeline.flush(draft);
                }
                d -= 1;
                from[d] += self.tile[d];
                if from[d] < self.dims[d].extent {
                    break;
                }
                from[d] = 0;
            }
        }
        Ok(())
    }

    /// Load, store and permutation of the tile of `extents` at `from`.
    fn step(
        &self,
        from: &[u64],
        extents: &[u64],
        load: (At, At),
        store: (At, At),
    ) -> Result<(Transfer, Transfer, VecUnary), PlanError> {
        let element = self.element;
        // Packed in the order of the source's strides.
        let mut order: Vec<usize> = (0..self.dims.len()).collect();
        order.sort_by_key(|&d| std::cmp::Reverse((self.dims[d].src, d)));
        let mut packed = vec![0; self.dims.len()];
        let mut inner = element;
        for &d in order.iter().rev() {
            packed[d] = inner;
            inner = inner.saturating_mul(extents[d]);
        }
        let mut turned = vec![0; self.dims.len()];
        let mut inner = element;
        for d in (0..self.dims.len()).rev() {
            turned[d] = inner;
            inner = inner.saturating_mul(extents[d]);
        }
        let offset = |stride: fn(&Dim) -> u64| {
            let sum = self
                .dims
                .iter()
                .zip(from)
                .try_fold(0u64, |sum, (d, &f)| f.checked_mul(stride(d)).and_then(|n| sum.checked_add(n)));
            sum.ok_or_else(|| PlanError::internal("an offset overflows 64 bits"))
        };
        let (source, target) = (offset(|d| d.src)?, offset(|d| d.dst)?);
        let moved = |place: At, by: u64| At { offset: place.offset.saturating_add(by), ..place };
        let gather = order.iter().map(|&d| Dim { extent: extents[d], src: self.dims[d].src, dst: packed[d] });
        let scatter =
            (0..self.dims.len()).map(|d| Dim { extent: extents[d], src: turned[d], dst: self.dims[d].dst });
        let transfer = |src, dst, dims| Transfer { src, dst, dims, element };
        let dtype = match element {
            1 => Dtype::I8,
            2 => Dtype::I16,
            _ => Dtype::I32,
        };
        let instr = VecUnary {
            op: UnaryOp::Copy,
            dims: six(extents, 1)?,
            src_dtype: dtype,
            src_strides: six(&packed, 0)?,
            out_dtype: dtype,
            out_strides: six(&turned, 0)?,
            ..VecUnary::default()
        };
        Ok((
            transfer(moved(load.0, source), load.1, gather.collect()),
            transfer(store.0, moved(store.1, target), scatter.collect()),
            instr,
        ))
    }
}
