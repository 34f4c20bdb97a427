//! `vec_reduce`: sum, maximum, minimum, or index of the maximum along one dimension.

use dpu_isa::{Dtype, ReduceOp, Space, VecReduce};

use super::nest::{Nest, ROW, region};
use super::{Core, Gate, Semantics};
use crate::error::Fault;
use crate::fuel;
use crate::memory;

impl Semantics for VecReduce {
    fn steps(&self, _core: &Core) -> u64 {
        let Ok((dims, length)) = without_axis(self) else { return 0 };
        let (rows, elements) =
            Nest::new(&dims, [self.src_strides, self.out_strides].map(|s| s.map(u64::from))).size();
        // Rows of one element are combined along the axis; longer ones are restarted for each step along it.
        let again = if rows == elements && self.op != ReduceOp::Argmax { 1 } else { length };
        fuel::rows(rows.saturating_mul(again), elements.saturating_mul(length))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let (dims, _) = without_axis(self)?;
        let types = (self.src_dtype, self.out_dtype);
        if self.op == ReduceOp::Argmax
            && (self.accumulate || !matches!(types, (Dtype::I8 | Dtype::I16, Dtype::I32)))
        {
            let kept = if self.accumulate { ", accumulated" } else { "" };
            return Err(Fault::operand(format!("argmax of {} to {}{kept}", types.0, types.1)));
        }
        let src =
            region(u64::from(self.src), self.src_dtype.bytes(), &self.dims, &self.src_strides.map(u64::from));
        let out =
            region(u64::from(self.out), self.out_dtype.bytes(), &dims, &self.out_strides.map(u64::from));
        gate.read(&core.memory, "src", Space::Sram, &src)?;
        if self.accumulate {
            gate.read_in_place(&core.memory, "out", Space::Sram, &out)?;
        }
        gate.write(&core.memory, "out", Space::Sram, &out)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let (dims, length) = without_axis(self)?;
        let [src, out] = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        let along = src.get(usize::from(self.axis)).copied().unwrap_or(0);
        let bases = [self.src, self.out].map(u64::from);
        let (mut sums, mut values, mut best) = ([0; ROW], [0; ROW], [0; ROW]);
        Nest::new(&dims, [src, out]).try_for_each_row(bases, |row| {
            // Whole rows are combined along the axis, whichever it is.
            let sums = sums.get_mut(..row.len).unwrap_or_default();
            let values = values.get_mut(..row.len).unwrap_or_default();
            let ([from, to], [stride, out_stride]) = (row.at, row.stride);
            if self.op == ReduceOp::Argmax {
                let best = best.get_mut(..row.len).unwrap_or_default();
                best.fill(i32::MIN);
                for i in 0..length {
                    memory::load(sram, from + i * along, stride, self.src_dtype, values)?;
                    take_greater(i, values, best, sums);
                }
                return memory::store(sram, to, out_stride, self.out_dtype, sums);
            }
            if self.accumulate {
                memory::load(sram, to, out_stride, self.out_dtype, sums)?;
            } else {
                sums.fill(identity(self.op));
            }
            if sums.len() == 1 {
                // One result: the axis itself is the row.
                return reduce_one(self, sram, (from, along), to, length, sums);
            }
            for i in 0..length {
                memory::load(sram, from + i * along, stride, self.src_dtype, values)?;
                combine(self.op, sums, values);
            }
            memory::store(sram, to, out_stride, self.out_dtype, sums)
        })?;
        Ok(0)
    }
}

/// Where a value at position `i` along the axis is greater than the best before it, replaces that and its index.
fn take_greater(i: u64, values: &[i32], best: &mut [i32], indices: &mut [i32]) {
    for ((&value, best), index) in values.iter().zip(best).zip(indices) {
        if value > *best {
            (*best, *index) = (value, i as i32);
        }
    }
}

/// Combines `length` elements from address and stride `from` into `sum`, a single value, which goes to `to`.
fn reduce_one(
    x: &VecReduce,
    sram: &mut [u8],
    from: (u64, u64),
    to: u64,
    length: u64,
    sum: &mut [i32],
) -> Result<(), Fault> {
    let mut values = [0; ROW];
    let mut done = 0;
    while done < length {
        let n = usize::try_from(length - done).unwrap_or(ROW).min(ROW);
        let values = values.get_mut(..n).unwrap_or_default();
        memory::load(sram, from.0 + done * from.1, from.1, x.src_dtype, values)?;
        for &value in values.iter() {
            combine(x.op, sum, &[value]);
        }
        done += n as u64;
    }
    memory::store(sram, to, 0, x.out_dtype, sum)
}

/// The extents of the results, and the length of the reduced dimension.
fn without_axis(x: &VecReduce) -> Result<([u32; 6], u64), Fault> {
    let mut dims = x.dims;
    let axis = usize::from(x.axis);
    match (dims.get_mut(axis), x.out_strides.get(axis)) {
        (Some(extent), Some(0)) => {
            let length = u64::from(std::mem::replace(extent, 1));
            Ok((dims, length))
        }
        (Some(_), stride) => {
            let stride = stride.copied().unwrap_or(0);
            Err(Fault::operand(format!("out_strides[{axis}] = {stride} along the reduced axis, expected 0")))
        }
        (None, _) => Err(Fault::operand(format!("axis {axis} of 6 dimensions"))),
    }
}

fn identity(op: ReduceOp) -> i32 {
    match op {
        ReduceOp::Sum => 0,
        ReduceOp::Max | ReduceOp::Argmax => i32::MIN,
        ReduceOp::Min => i32::MAX,
    }
}

/// `sums[i] = op(sums[i], values[i])`.
fn combine(op: ReduceOp, sums: &mut [i32], values: &[i32]) {
    let pairs = sums.iter_mut().zip(values);
    match op {
        ReduceOp::Sum => pairs.for_each(|(s, &v)| *s = s.wrapping_add(v)),
        // `argmax` compares, and keeps the index as well: `take_greater`.
        ReduceOp::Max | ReduceOp::Argmax => pairs.for_each(|(s, &v)| *s = (*s).max(v)),
        ReduceOp::Min => pairs.for_each(|(s, &v)| *s = (*s).min(v)),
    }
}
