//! `vec_select`: a choice between the elements of two arrays.

use dpu_isa::{Dtype, Space, VecSelect};

use super::nest::{Nest, ROW, region, same_place};
use super::{Core, Gate, Semantics};
use crate::error::Fault;
use crate::memory;

impl Semantics for VecSelect {
    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, strides(self)).steps(1)
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let [cond, a, b, out] = strides(self);
        let element = self.dtype.bytes();
        let results = (u64::from(self.out), element, &out);
        let operands = [("cond", self.cond, 1, cond), ("a", self.a, element, a), ("b", self.b, element, b)];
        for (what, addr, element, strides) in operands {
            let base = u64::from(addr);
            let bytes = region(base, element, &self.dims, &strides);
            if same_place(&self.dims, (base, element, &strides), results) {
                gate.read_in_place(&core.memory, what, Space::Sram, &bytes)?;
            } else {
                gate.read(&core.memory, what, Space::Sram, &bytes)?;
            }
        }
        let bytes = region(results.0, element, &self.dims, &out);
        gate.write(&core.memory, "out", Space::Sram, &bytes)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let bases = [self.cond, self.a, self.b, self.out].map(u64::from);
        let (mut conds, mut first, mut second) = ([0; ROW], [0; ROW], [0; ROW]);
        Nest::new(&self.dims, strides(self)).try_for_each_row(bases, |row| {
            let conds = conds.get_mut(..row.len).unwrap_or_default();
            let first = first.get_mut(..row.len).unwrap_or_default();
            let second = second.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], Dtype::I8, conds)?;
            memory::load(sram, row.at[1], row.stride[1], self.dtype, first)?;
            memory::load(sram, row.at[2], row.stride[2], self.dtype, second)?;
            for ((a, &b), &cond) in first.iter_mut().zip(second.iter()).zip(conds.iter()) {
                *a = if cond == 0 { b } else { *a };
            }
            memory::store(sram, row.at[3], row.stride[3], self.dtype, first)
        })?;
        Ok(0)
    }
}

/// The strides of the condition, of both operands and of the result.
fn strides(x: &VecSelect) -> [[u64; 6]; 4] {
    [x.cond_strides, x.a_strides, x.b_strides, x.out_strides].map(|s| s.map(u64::from))
}
