//! `dma_fill`: one value for every element of a strided array.

use dpu_isa::{DmaFill, Dtype, Machine};

use super::nest::{Nest, ROW, region};
use super::{Core, Gate, Semantics};
use crate::error::Fault;
use crate::memory::store;

impl Semantics for DmaFill {
    fn check(&self, machine: &Machine, _core: &Core) -> Result<(), Fault> {
        engine_exists(self.engine, machine)
    }

    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, [self.dst_strides]).steps_of(u64::from(self.element))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let region = region(self.dst.offset, u64::from(self.element), &self.dims, &self.dst_strides);
        gate.write(&core.memory, "dst", self.dst.space, &region)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let dtype = match self.element {
            1 => Dtype::I8,
            2 => Dtype::I16,
            4 => Dtype::I32,
            other => return Err(Fault::operand(format!("element size {other}"))),
        };
        let memory = core.memory.space_mut(self.dst.space, self.tile)?;
        let values = [self.value; ROW];
        Nest::new(&self.dims, [self.dst_strides]).try_for_each_row([self.dst.offset], |row| {
            let ([at], [stride]) = (row.at, row.stride);
            store(memory, at, stride, dtype, values.get(..row.len).unwrap_or_default())
        })?;
        Ok(0)
    }
}

/// Refuses a DMA engine that the machine does not have.
pub(super) fn engine_exists(engine: u8, machine: &Machine) -> Result<(), Fault> {
    if u32::from(engine) < machine.dma_engines {
        return Ok(());
    }
    Err(Fault::operand(format!("DMA engine {engine} of a machine with {}", machine.dma_engines)))
}

#[cfg(test)]
mod tests {
    use dpu_isa::{MemAddr, Space};

    use super::*;
    use crate::error::TrapKind;
    use crate::testing::{run_task, sram_filled};

    #[test]
    fn fills_rows_with_the_low_bytes() {
        let mut core = sram_filled(&[9; 12]);
        let x = DmaFill {
            element: 2,
            dst: MemAddr::sram(0),
            dims: [1, 1, 1, 1, 2, 2],
            dst_strides: [0, 0, 0, 0, 6, 2],
            value: 0x1234_5678,
            ..DmaFill::default()
        };
        run_task(&x, &mut core).unwrap();
        let row = [0x78, 0x56, 0x78, 0x56];
        assert_eq!(
            core.memory.space(Space::Sram, 0).unwrap()[..12],
            [&row[..], &[9, 9], &row, &[9, 9]].concat()
        );
    }

    #[test]
    fn a_missing_engine_and_a_wild_address_are_refused() {
        let core = sram_filled(&[]);
        let machine = Machine { dma_engines: 1, ..Machine::flexnn_16x16() };
        let x = DmaFill { engine: 1, ..DmaFill::default() };
        assert_eq!(x.check(&machine, &core).unwrap_err().detail, "DMA engine 1 of a machine with 1");
        let x = DmaFill { dst: MemAddr::sram(1 << 39), ..DmaFill::default() };
        assert_eq!(run_task(&x, &mut sram_filled(&[])).unwrap_err().kind, TrapKind::OutOfBounds);
    }
}
