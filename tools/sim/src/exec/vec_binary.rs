//! `vec_binary`: element-wise operators on two arrays, with a scaling of either side and of the result.

use dpu_isa::{BinaryOp, Dtype, Round, Space, VecBinary};

use super::nest::{Nest, ROW, region, same_place};
use super::{Clamp, Core, Gate, Lut, Semantics};
use crate::error::Fault;
use crate::kernel::{Binary, Finish, Vectorize};
use crate::memory;
use crate::numerics::{Scale, mul_shift};
use crate::region::Region;

impl Semantics for VecBinary {
    fn steps(&self, _core: &Core) -> u64 {
        let scales = [self.a_scale, self.b_scale, self.scale].map(u64::from);
        Nest::new(&self.dims, nest_strides(self)).steps(1 + scales.iter().sum::<u64>())
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let out_strides = self.out_strides.map(u64::from);
        let out = (u64::from(self.out), self.out_dtype.bytes(), &out_strides);
        let sides =
            [("a", self.a, self.a_dtype, self.a_strides), ("b", self.b, self.b_dtype, self.b_strides)];
        for (what, addr, dtype, strides) in sides {
            let (base, element, strides) = (u64::from(addr), dtype.bytes(), strides.map(u64::from));
            let bytes = region(base, element, &self.dims, &strides);
            if same_place(&self.dims, (base, element, &strides), out) {
                gate.read_in_place(&core.memory, what, Space::Sram, &bytes)?;
            } else {
                gate.read(&core.memory, what, Space::Sram, &bytes)?;
            }
        }
        if self.lut {
            let table = Region::contiguous(u64::from(self.lut_addr), Lut::BYTES);
            gate.read(&core.memory, "lut_addr", Space::Sram, &table)?;
        }
        let bytes = region(out.0, out.1, &self.dims, &out_strides);
        gate.write(&core.memory, "out", Space::Sram, &bytes)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let kernel = core.kernel;
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let a_scale = optional_scale(self.a_scale, self.a_mult, self.a_shift, self.a_round)?;
        let b_scale = optional_scale(self.b_scale, self.b_mult, self.b_shift, self.b_round)?;
        let scale = optional_scale(self.scale, self.mult, self.shift, self.round)?;
        let clamp =
            if self.clamp { Clamp::new(self.clamp_lo, self.clamp_hi, self.out_dtype)? } else { Clamp::NONE };
        let lut = self.lut.then(|| Lut::load(sram, self.lut_addr, self.out_dtype)).transpose()?;
        let bases = [self.a, self.b, self.out].map(u64::from);
        let scales = [a_scale, b_scale, scale];
        let bytes = [self.a_dtype, self.b_dtype, self.out_dtype] == [Dtype::I8; 3]
            && lut.is_none()
            && (self.op != BinaryOp::Mul || self.mul_shift == 0);
        let finish = Finish { zero_point: self.out_zp, lo: clamp.lo, hi: clamp.hi };
        let direct = Binary { op: self.op, zero_points: [self.a_zp, self.b_zp], scales, finish };
        let direct = kernel.filter(|_| bytes).map(|kernel| (kernel, direct));
        let (mut results, mut others) = ([0; ROW], [0; ROW]);
        Nest::new(&self.dims, nest_strides(self)).try_for_each_row(bases, |row| {
            if let Some((kernel, work)) = &direct
                && row.stride == [1; 3]
                && let Some(()) = kernel.binary(sram, row.at.map(|at| at as usize), row.len, work)
            {
                return Ok(());
            }
            let xs = results.get_mut(..row.len).unwrap_or_default();
            let ys = others.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], self.a_dtype, xs)?;
            memory::load(sram, row.at[1], row.stride[1], self.b_dtype, ys)?;
            let work = Compute { x: self, xs, ys, scales, clamp, lut: lut.as_ref() };
            let undefined = match kernel {
                Some(kernel) => kernel.vectorize(work),
                None => work.run(),
            };
            if let Some((x, y)) = undefined {
                return Err(Fault::value(format!("{x} / {y} has no 32-bit quotient")));
            }
            let xs = results.get(..row.len).unwrap_or_default();
            memory::store(sram, row.at[2], row.stride[2], self.out_dtype, xs)
        })?;
        Ok(0)
    }
}

/// The strides of both sides and of the result.
fn nest_strides(x: &VecBinary) -> [[u64; 6]; 3] {
    [x.a_strides, x.b_strides, x.out_strides].map(|s| s.map(u64::from))
}

/// The arithmetic of a row, into `xs`.
struct Compute<'a> {
    x: &'a VecBinary,
    xs: &'a mut [i32],
    ys: &'a mut [i32],
    /// Of both sides and of the result.
    scales: [Option<Scale>; 3],
    clamp: Clamp,
    lut: Option<&'a Lut>,
}

impl Vectorize for Compute<'_> {
    /// The first operands without a result, if there are any.
    type Output = Option<(i32, i32)>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Compute { x, xs, ys, scales: [a, b, scale], clamp, lut } = self;
        prepare(xs, x.a_zp, a);
        prepare(ys, x.b_zp, b);
        if x.op == BinaryOp::Div
            && let Some((x, y)) = xs.iter().zip(ys.iter()).find(|(x, y)| x.checked_div(**y).is_none())
        {
            return Some((*x, *y));
        }
        combine(x.op, x.mul_shift, x.a_dtype, xs, ys);
        if let Some(scale) = scale {
            xs.iter_mut().for_each(|v| *v = scale.apply(*v));
        }
        xs.iter_mut().for_each(|v| *v = clamp.apply(v.wrapping_add(x.out_zp)));
        if let Some(lut) = lut {
            xs.iter_mut().for_each(|v| *v = lut.get(*v));
        }
        None
    }
}

fn optional_scale(on: bool, mult: i32, shift: u8, round: Round) -> Result<Option<Scale>, Fault> {
    if !on {
        return Ok(None);
    }
    Scale::new(mult, i32::from(shift), round).map(Some).map_err(|e| Fault::operand(e.to_string()))
}

#[inline(always)]
fn prepare(values: &mut [i32], zero_point: i32, scale: Option<Scale>) {
    values.iter_mut().for_each(|v| *v = v.wrapping_sub(zero_point));
    if let Some(scale) = scale {
        values.iter_mut().for_each(|v| *v = scale.apply(*v));
    }
}

/// `xs[i] = op(xs[i], ys[i])`; `dtype` is the type that `xs` were read as. Divisions have been checked.
#[inline(always)]
fn combine(op: BinaryOp, shift: u8, dtype: Dtype, xs: &mut [i32], ys: &[i32]) {
    // A function of its own for each operator, so that each loop is compiled for vectors.
    macro_rules! each {
        ($f:expr) => {
            xs.iter_mut().zip(ys).for_each(|(x, &y)| *x = $f(*x, y))
        };
    }
    let width = match dtype {
        Dtype::I8 | Dtype::U8 => 0xff,
        Dtype::I16 | Dtype::U16 => 0xffff,
        Dtype::I32 => u32::MAX,
    };
    match op {
        BinaryOp::Add => each!(i32::wrapping_add),
        BinaryOp::Sub => each!(i32::wrapping_sub),
        BinaryOp::Mul => each!(|x: i32, y: i32| mul_shift(x, y, shift)),
        BinaryOp::Max => each!(i32::max),
        BinaryOp::Min => each!(i32::min),
        BinaryOp::Asr => each!(|x: i32, y: i32| x >> (y & 31)),
        BinaryOp::AsrRound => each!(|x: i32, y: i32| {
            let shift = y & 31;
            let lost = if shift > 0 { (x >> (shift - 1)) & 1 } else { 0 };
            (x >> shift).wrapping_add(lost)
        }),
        BinaryOp::Lsl => each!(|x: i32, y: i32| x << (y & 31)),
        BinaryOp::Lsr => each!(|x: i32, y: i32| ((x.cast_unsigned() & width) >> (y & 31)).cast_signed()),
        BinaryOp::And => each!(|x: i32, y: i32| x & y),
        BinaryOp::Or => each!(|x: i32, y: i32| x | y),
        BinaryOp::Xor => each!(|x: i32, y: i32| x ^ y),
        BinaryOp::Div => each!(|x: i32, y: i32| x.checked_div(y).unwrap_or(0)),
        BinaryOp::Equal => each!(|x: i32, y: i32| i32::from(x == y)),
        BinaryOp::Greater => each!(|x: i32, y: i32| i32::from(x > y)),
        BinaryOp::GreaterEqual => each!(|x: i32, y: i32| i32::from(x >= y)),
    }
}
