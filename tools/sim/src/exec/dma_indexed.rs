//! `dma_gather` and `dma_scatter`: copies of the rows that a list of indices selects.
//!
//! Both announce all that an index can select, so that what is checked does not depend on the indices.

use dpu_isa::{DmaGather, DmaScatter, Dtype, Machine, MemAddr, Space};

use super::nest::{Nest, ROW, Row, region};
use super::{Core, Gate, Semantics};
use crate::error::Fault;
use crate::fuel;
use crate::memory::{gather, load, scatter};

/// Bytes of an index.
const INDEX_BYTES: u64 = 4;

impl Semantics for DmaGather {
    fn check(&self, machine: &Machine, _core: &Core) -> Result<(), Fault> {
        super::dma_fill::engine_exists(self.engine, machine)
    }

    fn steps(&self, _core: &Core) -> u64 {
        Copy::gather(self).steps()
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let element = u64::from(self.element);
        let src = region(self.src.offset, element, &self.src_dims(), &self.src_strides);
        let dst = region(self.dst.offset, element, &self.dims, &self.dst_strides);
        gate.read(&core.memory, "src", self.src.space, &src)?;
        touch_indices(core, gate, self.indices, &self.dims, &self.index_strides)?;
        gate.write(&core.memory, "dst", self.dst.space, &dst)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        Copy::gather(self).run(core)
    }
}

impl Semantics for DmaScatter {
    fn check(&self, machine: &Machine, _core: &Core) -> Result<(), Fault> {
        super::dma_fill::engine_exists(self.engine, machine)
    }

    fn steps(&self, _core: &Core) -> u64 {
        // Every index is read again, and sorted, to find those that occur twice.
        let (lists, count) = lists(self);
        let indices = lists.iter().map(|&d| u64::from(d)).fold(u64::from(count), u64::saturating_mul);
        Copy::scatter(self).steps().saturating_add(indices.saturating_mul(SORT))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let element = u64::from(self.element);
        let src = region(self.src.offset, element, &self.dims, &self.src_strides);
        let dst = region(self.dst.offset, element, &self.dst_dims(), &self.dst_strides);
        gate.read(&core.memory, "src", self.src.space, &src)?;
        touch_indices(core, gate, self.indices, &self.dims, &self.index_strides)?;
        gate.read_in_place(&core.memory, "dst", self.dst.space, &dst)?;
        gate.write(&core.memory, "dst", self.dst.space, &dst)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        once(self, core.memory.space(Space::Sram, self.tile)?)?;
        Copy::scatter(self).run(core)
    }
}

/// Steps of sorting, for an index.
const SORT: u64 = 16;

/// Announces a list of indices.
fn touch_indices(
    core: &Core,
    gate: &mut Gate<'_>,
    indices: u32,
    dims: &[u32; 6],
    strides: &[u32; 6],
) -> Result<(), Fault> {
    let list = region(u64::from(indices), INDEX_BYTES, dims, &strides.map(u64::from));
    gate.read(&core.memory, "indices", Space::Sram, &list)
}

/// The dimensions along which there are different lists of indices, and the length of a list.
fn lists(x: &DmaScatter) -> ([u32; 6], u32) {
    let mut lists = x.dims;
    lists.iter_mut().zip(&x.index_strides).filter(|&(_, &stride)| stride == 0).for_each(|(d, _)| *d = 1);
    let axis = usize::from(x.axis);
    let mut count = lists.get_mut(axis).map_or(1, |extent| std::mem::replace(extent, 1));
    if x.dims.get(axis).is_some_and(|&extent| extent > count) {
        // The same index everywhere: two are enough to find it twice.
        count = 2;
    }
    (lists, count)
}

/// Refuses to write an element twice.
///
/// Of two elements at different positions along another dimension than the axis, `dst` has two as well: only those of one
/// list can meet.
fn once(x: &DmaScatter, sram: &[u8]) -> Result<(), Fault> {
    let (lists, count) = lists(x);
    let strides = x.index_strides.map(u64::from);
    let along = strides.get(usize::from(x.axis)).copied().unwrap_or(0);
    let mut seen = vec![0; count as usize];
    Nest::new(&lists, [strides]).try_for_each_row([u64::from(x.indices)], |row| {
        for i in 0..row.len as u64 {
            load(sram, row.at[0] + i * row.stride[0], along, Dtype::I32, &mut seen)?;
            seen.sort_unstable();
            if let Some((index, _)) = seen.iter().zip(seen.iter().skip(1)).find(|(a, b)| a == b) {
                return Err(Fault::value(format!("index {index} occurs twice along dimension {}", x.axis)));
            }
        }
        Ok(())
    })
}

/// A copy of which one side is addressed by indices.
struct Copy<'a> {
    tile: u8,
    element: u8,
    dims: &'a [u32; 6],
    /// Number of rows to select from.
    rows: u32,
    indices: u32,
    index_strides: [u64; 6],
    /// Source and destination; the selected side does not advance along the axis.
    sides: [(MemAddr, [u64; 6]); 2],
    /// Bytes from a row to the next, on the source and on the destination; 0 on the side without indices.
    row_strides: [u64; 2],
}

impl<'a> Copy<'a> {
    fn gather(x: &'a DmaGather) -> Copy<'a> {
        let (src_strides, row) = without(x.src_strides, x.axis);
        Copy {
            tile: x.tile,
            element: x.element,
            dims: &x.dims,
            rows: x.rows,
            indices: x.indices,
            index_strides: x.index_strides.map(u64::from),
            sides: [(x.src, src_strides), (x.dst, x.dst_strides)],
            row_strides: [row, 0],
        }
    }

    fn scatter(x: &'a DmaScatter) -> Copy<'a> {
        let (dst_strides, row) = without(x.dst_strides, x.axis);
        Copy {
            tile: x.tile,
            element: x.element,
            dims: &x.dims,
            rows: x.rows,
            indices: x.indices,
            index_strides: x.index_strides.map(u64::from),
            sides: [(x.src, x.src_strides), (x.dst, dst_strides)],
            row_strides: [0, row],
        }
    }

    fn nest(&self) -> Nest<3> {
        let [(_, src), (_, dst)] = self.sides;
        Nest::new(self.dims, [self.index_strides, src, dst])
    }

    fn steps(&self) -> u64 {
        let (rows, elements) = self.nest().size();
        fuel::rows(rows, elements.saturating_mul(2))
    }

    fn run(&self, core: &mut Core) -> Result<u64, Fault> {
        match self.element {
            1 => self.run_as::<1>(core),
            2 => self.run_as::<2>(core),
            4 => self.run_as::<4>(core),
            other => Err(Fault::operand(format!("element size {other}"))),
        }?;
        Ok(0)
    }

    fn run_as<const N: usize>(&self, core: &mut Core) -> Result<(), Fault> {
        let [(src, _), (dst, _)] = self.sides;
        let mut buffer = [[0; N]; ROW];
        self.nest().try_for_each_row([u64::from(self.indices), src.offset, dst.offset], |row| {
            if row.stride[0] == 0 {
                // One index for the whole row.
                return self.move_row(core, row, &mut buffer);
            }
            for i in 0..row.len as u64 {
                let at = [0, 1, 2].map(|n| row.at[n] + i * row.stride[n]);
                self.move_row(core, Row { at, len: 1, ..row }, &mut buffer)?;
            }
            Ok(())
        })
    }

    /// Moves the elements of a row that share an index.
    fn move_row<const N: usize>(
        &self,
        core: &mut Core,
        row: Row<3>,
        buffer: &mut [[u8; N]; ROW],
    ) -> Result<(), Fault> {
        let mut index = [0];
        load(core.memory.space(Space::Sram, self.tile)?, row.at[0], 0, Dtype::I32, &mut index)?;
        let [index] = index;
        let Some(selected) = u64::try_from(index).ok().filter(|&i| i < u64::from(self.rows)) else {
            return Err(Fault::value(format!("index {index} is outside 0..{}", self.rows)));
        };
        let [(src, _), (dst, _)] = self.sides;
        let from = row.at[1] + selected * self.row_strides[0];
        let to = row.at[2] + selected * self.row_strides[1];
        if row.stride[1] == N as u64 && row.stride[2] == N as u64 {
            let bytes = (row.len * N) as u64;
            return core.memory.copy(self.tile, (src.space, from), (dst.space, to), bytes);
        }
        let values = buffer.get_mut(..row.len).unwrap_or_default();
        gather(core.memory.space(src.space, self.tile)?, from, row.stride[1], values)?;
        scatter(core.memory.space_mut(dst.space, self.tile)?, to, row.stride[2], values)
    }
}

/// The strides with none along `axis`, and the one it had.
fn without(mut strides: [u64; 6], axis: u8) -> ([u64; 6], u64) {
    let row = strides.get_mut(usize::from(axis)).map_or(0, std::mem::take);
    (strides, row)
}
