//! Emission of vector tasks such that loads, computation and stores of neighbouring tiles overlap.
//!
//! In list order the loads of a step precede the computation of the previous step. Streams have two slots each, and the slot
//! filled for a step is never one that the previous step uses.

use dpu_isa::{Instr, Machine};

use super::grid::{Grid, Tile, Walk};
use crate::dma::{At, Dim};
use crate::draft::{BufferId, Draft};
use crate::error::PlanError;
use crate::movement::{LOAD_ENGINE, copy, store_engine};
use crate::scope::LayerScope;
use crate::strategy::CutStrategy;
use crate::tile::stream::Stream;

/// A strided copy between DRAM and SRAM.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) src: At,
    pub(crate) dst: At,
    pub(crate) dims: Vec<Dim>,
    pub(crate) element: u64,
}

/// The DMA engines and how many transfers each was given. Stores have an engine of their own, which takes loads only when it has
/// fewer. Transfers count equally, whatever their size: the engines share the DRAM bandwidth, but each waits for its own
/// latencies.
struct Engines {
    store: u8,
    /// Transfers of the loading and of the storing engine.
    given: [u64; 2],
}

impl Engines {
    fn emit(&mut self, draft: &mut Draft, transfer: &Transfer, is_load: bool) -> Result<(), PlanError> {
        let [load, store] = &mut self.given;
        let (engine, given) =
            if is_load && *load <= *store { (LOAD_ENGINE, load) } else { (self.store, store) };
        *given += 1;
        copy(draft, engine, transfer.src, transfer.dst, &transfer.dims, transfer.element)
    }
}

/// A computation with its address fields, and the store of its result if that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Compute {
    pub(crate) instr: Instr,
    pub(crate) bufs: Vec<(&'static str, BufferId)>,
    pub(crate) store: Option<Transfer>,
}

/// Holds the computation of the last step until the loads of the next one are in the list.
pub(crate) struct Pipeline {
    engines: Engines,
    pending: Option<Compute>,
    checked: bool,
}

impl Pipeline {
    pub(crate) fn new(machine: &Machine) -> Self {
        let engines = Engines { store: store_engine(machine), given: [0; 2] };
        Pipeline { engines, pending: None, checked: false }
    }

    /// Appends a step. The first instruction is checked against the ranges of its fields; the others differ from it in
    /// extents and strides only.
    ///
    /// # Errors
    /// An unsupported error naming the field that cannot hold its value; a resource error if the draft grows too long.
    pub(crate) fn step(
        &mut self,
        draft: &mut Draft,
        loads: &[Transfer],
        compute: Compute,
    ) -> Result<(), PlanError> {
        if !self.checked {
            compute.instr.check_fields().map_err(|e| PlanError::unsupported(e.to_string()))?;
            self.checked = true;
        }
        for load in loads {
            self.engines.emit(draft, load, true)?;
        }
        self.flush(draft)?;
        self.pending = Some(compute);
        Ok(())
    }

    /// Appends what is held back.
    ///
    /// # Errors
    /// A resource error if the draft grows too long.
    pub(crate) fn flush(&mut self, draft: &mut Draft) -> Result<(), PlanError> {
        if let Some(compute) = self.pending.take() {
            draft.push(compute.instr, &compute.bufs)?;
            if let Some(store) = compute.store {
                self.engines.emit(draft, &store, false)?;
            }
        }
        Ok(())
    }
}

/// An operand of an element-wise layer: its address field, its buffer and its walk over the output's dimensions.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) field: &'static str,
    pub(super) buffer: BufferId,
    pub(super) walk: Walk,
}

/// The extents and strides of one vector task, as instruction fields.
pub(super) struct Shape {
    /// Extents, unused leading ones 1.
    pub(super) dims: [u32; 6],
    /// Byte strides of each operand, the output last.
    strides: Vec<[u32; 6]>,
    /// Offset of each operand, in bytes from the start of its slot or tensor.
    at: Vec<u32>,
}

impl Shape {
    /// Byte strides of operand `index`; zeros if there is none.
    pub(super) fn strides(&self, index: usize) -> [u32; 6] {
        self.strides.get(index).copied().unwrap_or_default()
    }

    /// Offset of operand `index`; 0 if there is none.
    pub(super) fn at(&self, index: usize) -> u32 {
        self.at.get(index).copied().unwrap_or_default()
    }

    fn of(grid: &Grid, tile: &Tile) -> Result<Self, PlanError> {
        let at = grid.walks.iter().zip(&tile.offsets).map(|(w, &offset)| {
            let at = if w.held { offset } else { 0 };
            u32::try_from(at).map_err(|_| PlanError::internal(format!("offset {at} in SRAM")))
        });
        let at = at.collect::<Result<_, _>>()?;
        let rows = grid.walks.iter().map(|w| six(&tile.strides(w), 0)).collect::<Result<_, _>>()?;
        Ok(Shape { dims: six(&tile.extents, 1)?, strides: rows, at })
    }
}

/// Right-aligned instruction fields, the unused ones `filler`.
pub(crate) fn six(values: &[u64], filler: u32) -> Result<[u32; 6], PlanError> {
    let mut fields = [filler; 6];
    let rank = values.len();
    let Some(used) = 6usize.checked_sub(rank).and_then(|from| fields.get_mut(from..)) else {
        return Err(PlanError::unsupported(format!(
            "{rank} dimensions remain after merging, at most 6 are supported"
        )));
    };
    for (field, &value) in used.iter_mut().zip(values) {
        *field = u32::try_from(value)
            .map_err(|_| PlanError::internal(format!("a tile's extent or stride is {value}")))?;
    }
    Ok(fields)
}

/// Plans an element-wise layer over `dims`: `operands` with the output last, `build` making the instruction of a tile.
///
/// # Errors
/// A resource error if the SRAM is too small or the draft grows too long, an unsupported error for more than six
/// dimensions or a field out of range.
pub(super) fn elementwise(
    scope: &mut LayerScope<'_>,
    dims: &[u64],
    operands: &[Operand],
    build: impl Fn(&Shape) -> Instr,
) -> Result<(), PlanError> {
    let walks = operands.iter().map(|o| o.walk.clone()).collect();
    let grid = Grid::new(dims, walks, scope.tile_bytes(), &scope.given_cut())?;
    scope.decide_cut(CutStrategy::vec(&grid.dims, grid.tile_extents()));
    let mut streams = Vec::with_capacity(operands.len());
    for (slots, bytes) in grid.slots() {
        streams.push(Stream::new(scope.draft, slots, bytes)?);
    }
    let mut pipeline = Pipeline::new(scope.machine);
    grid.for_each(|tile| {
        let mut loads = Vec::new();
        let mut bufs = Vec::with_capacity(operands.len());
        let mut store = None;
        let pieces = tile.offsets.iter().zip(&tile.bytes);
        for (i, ((operand, stream), (&offset, &bytes))) in
            operands.iter().zip(&mut streams).zip(pieces).enumerate()
        {
            if operand.walk.held {
                bufs.push((operand.field, operand.buffer));
                continue;
            }
            let slot = stream.place(offset)?;
            bufs.push((operand.field, slot.buffer));
            let outside = At { buffer: operand.buffer, offset };
            let inside = At { buffer: slot.buffer, offset: 0 };
            let element = bytes;
            if i + 1 == operands.len() {
                store = Some(Transfer { src: inside, dst: outside, dims: Vec::new(), element });
            } else if slot.load {
                loads.push(Transfer { src: outside, dst: inside, dims: Vec::new(), element });
            }
        }
        let instr = build(&Shape::of(&grid, tile)?);
        pipeline.step(scope.draft, &loads, Compute { instr, bufs, store })
    })?;
    pipeline.flush(scope.draft)
}
