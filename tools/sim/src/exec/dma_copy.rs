//! `dma_copy`: strided copies within and between the memories.

use dpu_cost::Pieces;
use dpu_isa::{DmaCopy, Machine};

use super::nest::{Nest, ROW, region, same_place};
use super::{Core, Gate, Measure, Semantics, SkipsZeros};
use crate::error::Fault;
use crate::memory::{gather, scatter};
use crate::storage::{Roles, StorageFinder, Zeros};

impl Semantics for DmaCopy {
    fn check(&self, machine: &Machine, _core: &Core) -> Result<(), Fault> {
        super::dma_fill::engine_exists(self.engine, machine)
    }

    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, [self.src_strides, self.dst_strides]).steps_of(u64::from(self.element))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let element = u64::from(self.element);
        let src = region(self.src.offset, element, &self.dims, &self.src_strides);
        let dst = region(self.dst.offset, element, &self.dims, &self.dst_strides);
        let in_place = self.src.space == self.dst.space
            && same_place(
                &self.dims,
                (self.src.offset, element, &self.src_strides),
                (self.dst.offset, element, &self.dst_strides),
            );
        if in_place {
            gate.read_in_place(&core.memory, "src", self.src.space, &src)?;
        } else {
            gate.read(&core.memory, "src", self.src.space, &src)?;
        }
        gate.write(&core.memory, "dst", self.dst.space, &dst)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        match self.element {
            1 => copy::<1>(self, core),
            2 => copy::<2>(self, core),
            4 => copy::<4>(self, core),
            8 => copy::<8>(self, core),
            16 => copy::<16>(self, core),
            other => Err(Fault::operand(format!("element size {other}"))),
        }?;
        Ok(0)
    }

    fn skips_zeros(&self) -> Option<&dyn SkipsZeros> {
        Some(self)
    }
}

impl SkipsZeros for DmaCopy {
    fn roles(&self, machine: &Machine, _core: &Core) -> Result<Roles, Fault> {
        // Segments smaller than a word cannot remain zero-compressed.
        let mut whole = true;
        let nest = Nest::new(&self.dims, [self.src_strides, self.dst_strides]);
        nest.try_for_each_row([self.src.offset, self.dst.offset], |row| {
            whole &= row.stride == [u64::from(self.element); 2]
                && row.len as u64 * u64::from(self.element) >= machine.sram_granule.into();
            Ok(())
        })?;
        Ok(Roles { copies: whole, ..Roles::default() })
    }

    fn follow(&self, index: usize, finder: &mut StorageFinder) -> Result<(), Fault> {
        let nest = Nest::new(&self.dims, [self.src_strides, self.dst_strides]);
        nest.try_for_each_row([self.src.offset, self.dst.offset], |row| {
            let [from, to] = row.at;
            let bytes = row.len as u64 * u64::from(self.element);
            finder.copy(index, self.tile, (self.src.space, from), (self.dst.space, to), bytes)
        })
    }

    fn observe(&self, machine: &Machine, core: &Core, zeros: Zeros<'_>) -> Result<Option<Measure>, Fault> {
        if zeros.pieces.is_empty() {
            return Ok(None);
        }
        let memory = core.memory.space(self.src.space, self.tile)?;
        let mut pieces = Pieces::default();
        let mut next = zeros.pieces.iter();
        let nest = Nest::new(&self.dims, [self.src_strides, self.dst_strides]);
        nest.try_for_each_row([self.src.offset, self.dst.offset], |row| {
            let [from, _] = row.at;
            let mut bytes = crate::memory::slice(memory, from, row.len as u64 * u64::from(self.element))?;
            while !bytes.is_empty() {
                let Some(piece) = next.next() else { break };
                let (part, rest) = bytes.split_at(bytes.len().min(piece.bytes as usize));
                let kept = |zero: i8| part.iter().filter(|&&byte| byte.cast_signed() != zero).count();
                pieces.add(part.len() as u64, piece.zero.map_or(part.len(), kept) as u64, machine);
                bytes = rest;
            }
            Ok(())
        })?;
        let cost = dpu_cost::dma_copy_stored(self, &pieces, machine);
        Ok(Some(Box::new(move |_, _| Ok(cost))))
    }
}

fn copy<const N: usize>(x: &DmaCopy, core: &mut Core) -> Result<(), Fault> {
    let nest = Nest::new(&x.dims, [x.src_strides, x.dst_strides]);
    let mut buffer = [[0; N]; ROW];
    nest.try_for_each_row([x.src.offset, x.dst.offset], |row| {
        let ([from, to], [from_stride, to_stride]) = (row.at, row.stride);
        if [from_stride, to_stride] == [N as u64; 2] {
            let bytes = (row.len * N) as u64;
            return core.memory.copy(x.tile, (x.src.space, from), (x.dst.space, to), bytes);
        }
        let values = buffer.get_mut(..row.len).unwrap_or_default();
        gather(core.memory.space(x.src.space, x.tile)?, from, from_stride, values)?;
        scatter(core.memory.space_mut(x.dst.space, x.tile)?, to, to_stride, values)
    })
}

#[cfg(test)]
mod tests {
    use dpu_isa::MemAddr;
    use proptest::array::uniform6;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::testing::{run_task, sram_filled};

    #[test]
    fn a_transpose() {
        let mut core = sram_filled(&[1, 2, 3, 4, 5, 6]);
        let x = DmaCopy {
            element: 1,
            src: MemAddr::sram(0),
            dst: MemAddr::sram(16),
            dims: [1, 1, 1, 1, 2, 3],
            src_strides: [0, 0, 0, 0, 3, 1],
            dst_strides: [0, 0, 0, 0, 1, 2],
            ..DmaCopy::default()
        };
        run_task(&x, &mut core).unwrap();
        assert_eq!(core.memory.space(dpu_isa::Space::Sram, 0).unwrap()[16..22], [1, 4, 2, 5, 3, 6]);
        // Six elements, no two of them adjacent on both sides.
        assert_eq!(core.cost(&x.into(), &x, &Machine::flexnn_16x16()).unwrap().cost.cycles, 6);
    }

    proptest! {
        #[test]
        fn random_copies_move_every_element(
            element in select(&[1u8, 2, 4, 8, 16]),
            dims in uniform6(1..=3u32),
            steps in uniform6(0..=5u64),
        ) {
            let step = u64::from(element);
            let mut x = DmaCopy { element, dims, src_strides: steps.map(|n| n * step), ..DmaCopy::default() };
            let (mut src, mut dst) = (vec![0], vec![0]);
            for d in 0..6 {
                // Each dimension spans those inside it, in one of two orders, so that nothing is written twice.
                x.dst_strides[d] = step << (2 * if x.dims[0] == 1 { d } else { 5 - d });
                let all = |at: &[u64], stride| -> Vec<u64> {
                    at.iter().flat_map(|a| (0..u64::from(x.dims[d])).map(move |i| a + i * stride)).collect()
                };
                (src, dst) = (all(&src, x.src_strides[d]), all(&dst, x.dst_strides[d]));
            }
            let bytes: Vec<u8> = (0..2048u32).map(|i| ((i * 37) >> 3) as u8).collect();
            let mut core = sram_filled(&bytes);
            (x.src, x.dst) = (MemAddr::sram(16), MemAddr::sram(4096));
            let mut want = vec![0; 128 << 10];
            for (s, d) in src.iter().zip(&dst) {
                let (s, d, n) = (16 + *s as usize, 4096 + *d as usize, element as usize);
                want[d..d + n].copy_from_slice(&bytes[s..s + n]);
            }
            run_task(&x, &mut core).unwrap();
            let sram = core.memory.space(dpu_isa::Space::Sram, 0).unwrap();
            prop_assert_eq!(&sram[4096..want.len()], &want[4096..], "{:?}", x);
        }
    }
}
