//! `vec_unary`: element-wise operators on one array, casts and clamps.

use dpu_isa::{Space, UnaryOp, VecUnary};

use super::nest::{Nest, ROW, region, same_place};
use super::{Clamp, Core, Gate, Semantics};
use crate::error::Fault;
use crate::memory;

impl Semantics for VecUnary {
    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, [self.src_strides, self.out_strides].map(|s| s.map(u64::from))).steps(1)
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let strides = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        touch_pair(
            core,
            gate,
            &self.dims,
            ("src", self.src, self.src_dtype.bytes(), &strides[0]),
            ("out", self.out, self.out_dtype.bytes(), &strides[1]),
        )
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let clamp =
            if self.clamp { Clamp::new(self.clamp_lo, self.clamp_hi, self.out_dtype)? } else { Clamp::NONE };
        let strides = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        let bases = [self.src, self.out].map(u64::from);
        let mut values = [0; ROW];
        Nest::new(&self.dims, strides).try_for_each_row(bases, |row| {
            let values = values.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], self.src_dtype, values)?;
            for v in values.iter_mut() {
                let x = v.wrapping_sub(self.in_zp);
                let y = match self.op {
                    UnaryOp::Copy => x,
                    UnaryOp::Abs => x.wrapping_abs(),
                    UnaryOp::Negate => x.wrapping_neg(),
                    UnaryOp::Clz => x.leading_zeros().cast_signed(),
                    UnaryOp::Not => !x,
                    UnaryOp::Nonzero => i32::from(x != 0),
                };
                *v = clamp.apply(y.wrapping_add(self.out_zp));
            }
            memory::store(sram, row.at[1], row.stride[1], self.out_dtype, values)
        })?;
        Ok(0)
    }
}

/// An operand: name, address, bytes of an element, strides.
pub(super) type Operand<'a> = (&'static str, u32, u64, &'a [u64; 6]);

/// Announces an operand and the results of the same index space.
pub(super) fn touch_pair(
    core: &Core,
    gate: &mut Gate<'_>,
    dims: &[u32; 6],
    src: Operand<'_>,
    out: Operand<'_>,
) -> Result<(), Fault> {
    let bytes = region(u64::from(src.1), src.2, dims, src.3);
    let results = region(u64::from(out.1), out.2, dims, out.3);
    if same_place(dims, (u64::from(src.1), src.2, src.3), (u64::from(out.1), out.2, out.3)) {
        gate.read_in_place(&core.memory, src.0, Space::Sram, &bytes)?;
    } else {
        gate.read(&core.memory, src.0, Space::Sram, &bytes)?;
    }
    gate.write(&core.memory, out.0, Space::Sram, &results)
}
