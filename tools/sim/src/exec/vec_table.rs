//! `vec_table`: a lookup of every element, with interpolation for 16 bits.

use dpu_isa::{Dtype, Space, VecTable};

use super::nest::{Nest, ROW};
use super::vec_unary::touch_pair;
use super::{Core, Gate, Lut, Semantics};
use crate::error::Fault;
use crate::memory;
use crate::numerics::interpolate;
use crate::region::Region;

/// Entries of a 16-bit table.
const ENTRIES_16: usize = 513;

impl Semantics for VecTable {
    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, [self.src_strides, self.out_strides].map(|s| s.map(u64::from)))
            .steps(if self.src_dtype == Dtype::I16 { 4 } else { 1 })
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let table = match self.src_dtype {
            Dtype::I8 => Lut::BYTES,
            Dtype::I16 => 2 * ENTRIES_16 as u64,
            other @ (Dtype::U8 | Dtype::U16 | Dtype::I32) => {
                return Err(Fault::operand(format!("lookup of {other}, expected i8 or i16")));
            }
        };
        let table = Region::contiguous(u64::from(self.table), table);
        gate.read(&core.memory, "table", Space::Sram, &table)?;
        let strides = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        touch_pair(
            core,
            gate,
            &self.dims,
            ("src", self.src, self.src_dtype.bytes(), &strides[0]),
            ("out", self.out, self.out_dtype().bytes(), &strides[1]),
        )
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let lookup = Lookup::load(self, sram)?;
        let strides = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        let bases = [self.src, self.out].map(u64::from);
        let mut values = [0; ROW];
        Nest::new(&self.dims, strides).try_for_each_row(bases, |row| {
            let values = values.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], self.src_dtype, values)?;
            lookup.apply(values);
            memory::store(sram, row.at[1], row.stride[1], self.out_dtype(), values)
        })?;
        Ok(0)
    }
}

/// A table, read from SRAM.
enum Lookup {
    Bytes(Box<Lut>),
    Words(Vec<i16>),
}

impl Lookup {
    fn load(x: &VecTable, sram: &[u8]) -> Result<Lookup, Fault> {
        if x.src_dtype == Dtype::I8 {
            return Ok(Lookup::Bytes(Box::new(Lut::load(sram, x.table, Dtype::I8)?)));
        }
        let bytes = memory::slice(sram, u64::from(x.table), 2 * ENTRIES_16 as u64)?;
        Ok(Lookup::Words(bytes.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect()))
    }

    fn apply(&self, values: &mut [i32]) {
        match self {
            Lookup::Bytes(lut) => values.iter_mut().for_each(|v| *v = lut.get(*v)),
            // The table has all entries, so that every 16-bit value has a result.
            Lookup::Words(table) => {
                values.iter_mut().for_each(|v| *v = interpolate(table, *v as i16).unwrap_or(0));
            }
        }
    }
}
