//! `pool_inv` and `pool_var`: maximum and average pooling.

use dpu_isa::{Dtype, PoolInv, PoolMode, PoolVar, Space};

use super::conv::{Results, Window, position, touch_results, touch_window};
use super::{Clamp, Core, Gate, Semantics};
use crate::error::Fault;
use crate::kernel::{Kernel, Vectorize};
use crate::memory;
use crate::numerics::{Scale, reciprocal_scale};

impl Semantics for PoolInv {
    fn steps(&self, _core: &Core) -> u64 {
        0
    }

    fn touch(&self, _core: &Core, _gate: &mut Gate<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        core.slots.fill(&(*self).into());
        Ok(0)
    }
}

impl Semantics for PoolVar {
    fn steps(&self, _core: &Core) -> u64 {
        let pixels = [self.out_h, self.out_w].map(u64::from).into_iter().fold(1, u64::saturating_mul);
        let taps = u64::from(self.kernel_h) * u64::from(self.kernel_w);
        // Channels are adjacent.
        let channels = u64::from(self.in_c) / 8;
        pixels.saturating_mul((taps + 1).saturating_mul(8 + channels))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let inv = core.invariant_of(self)?;
        if !matches!(inv.dtype, Dtype::I8 | Dtype::I16) {
            return Err(Fault::operand(format!("pooling of {}, expected i8 or i16", inv.dtype)));
        }
        let window = Window {
            image: (
                self.act,
                self.in_h,
                self.in_w,
                u64::from(self.in_c) * inv.dtype.bytes(),
                self.act_row,
                self.act_pixel,
            ),
            y: (self.origin_y, self.out_h, inv.stride_y, self.kernel_h, 1),
            x: (self.origin_x, self.out_w, inv.stride_x, self.kernel_w, 1),
        };
        touch_window(gate, &core.memory, &window)?;
        let results = Results {
            acc_in: self.acc_in,
            acc_out: self.acc_out,
            psum: self.psum,
            out: self.out,
            outputs: [self.out_h, self.out_w, self.in_c].map(u64::from),
            out_row: self.out_row,
            out_pixel: self.out_pixel,
            dtype: inv.dtype,
            lut: None,
        };
        touch_results(gate, &core.memory, &results)
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let inv = *core.invariant_of(self)?;
        let clamp = Clamp::new(inv.clamp_lo, inv.clamp_hi, inv.dtype)?;
        let Core { memory, pool, kernel, .. } = core;
        let tile = Tile { inv: &inv, var: self, clamp, kernel: kernel.unwrap_or(Kernel::PORTABLE) };
        let sram = memory.space_mut(Space::Sram, self.tile)?;
        for oy in 0..u64::from(self.out_h) {
            for ox in 0..u64::from(self.out_w) {
                tile.reduce(sram, (oy, ox), pool)?;
                tile.finish(sram, (oy, ox), &mut pool.acc)?;
            }
        }
        Ok(0)
    }
}

/// Buffers reused from task to task.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Sums or maxima of the channels of a pixel.
    acc: Vec<i32>,
    /// Addresses of the taps of a pixel.
    taps: Vec<u64>,
}

/// A variant about to be computed.
struct Tile<'a> {
    inv: &'a PoolInv,
    var: &'a PoolVar,
    clamp: Clamp,
    /// Compiles the loops; they are the same for all instruction sets.
    kernel: Kernel,
}

/// Combines one tap of a pixel with the previous ones: `i8` or `i16` values.
struct Tap<'a> {
    acc: &'a mut [i32],
    bytes: &'a [u8],
    dtype: Dtype,
    max: bool,
    zero_point: i32,
}

impl Tap<'_> {
    #[inline(always)]
    fn combine(self, values: impl Iterator<Item = i32>) {
        let zero_point = self.zero_point;
        let both = self.acc.iter_mut().zip(values);
        match self.max {
            true => both.for_each(|(a, t)| *a = (*a).max(t)),
            false => both.for_each(|(a, t)| *a = a.wrapping_add(t.wrapping_sub(zero_point))),
        }
    }
}

impl Vectorize for Tap<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let bytes = self.bytes;
        match self.dtype {
            Dtype::I16 => self.combine(bytes.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b).into())),
            // `touch` refuses all other types.
            Dtype::I8 | Dtype::U8 | Dtype::U16 | Dtype::I32 => {
                self.combine(bytes.iter().map(|b| b.cast_signed().into()));
            }
        }
    }
}

/// Post-processing of the sums or maxima of a pixel.
struct Last<'a> {
    acc: &'a [i32],
    to: &'a mut [u8],
    dtype: Dtype,
    /// The divisor of an average, and its zero point.
    mean: Option<(Scale, i32)>,
    clamp: Clamp,
}

impl Last<'_> {
    #[inline(always)]
    fn store(self, value: impl Fn(i32) -> i32) {
        let clamp = self.clamp;
        match self.dtype {
            Dtype::I16 => {
                for (to, v) in self.to.as_chunks_mut().0.iter_mut().zip(self.acc) {
                    *to = (clamp.apply(value(*v)) as u16).to_le_bytes();
                }
            }
            Dtype::I8 | Dtype::U8 | Dtype::U16 | Dtype::I32 => {
                for (to, v) in self.to.iter_mut().zip(self.acc) {
                    *to = clamp.apply(value(*v)) as u8;
                }
            }
        }
    }
}

impl Vectorize for Last<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.mean {
            Some((divisor, zero_point)) => {
                self.store(|v| divisor.apply(v).wrapping_add(zero_point));
            }
            None => self.store(|v| v),
        }
    }
}

impl Tile<'_> {
    /// Combines all taps of one output pixel.
    fn reduce(&self, sram: &[u8], (oy, ox): (u64, u64), buffers: &mut Buffers) -> Result<(), Fault> {
        let (inv, var) = (self.inv, self.var);
        let max = inv.mode == PoolMode::Max;
        let Buffers { acc, taps } = buffers;
        acc.clear();
        acc.resize(var.in_c as usize, if max { i32::MIN } else { 0 });
        if var.acc_in {
            memory::load(sram, self.psum_at((oy, ox)), 4, Dtype::I32, acc)?;
        }
        taps.clear();
        for ky in 0..usize::from(var.kernel_h) {
            let Some(iy) = position(var.origin_y, oy, inv.stride_y, ky, 1, var.in_h) else { continue };
            for kx in 0..usize::from(var.kernel_w) {
                let Some(ix) = position(var.origin_x, ox, inv.stride_x, kx, 1, var.in_w) else { continue };
                taps.push(u64::from(var.act) + iy * u64::from(var.act_row) + ix * u64::from(var.act_pixel));
            }
        }
        if max && !var.acc_in && taps.is_empty() {
            return Err(Fault::operand(format!(
                "max pooling: no tap of output ({oy}, {ox}) lies in the input"
            )));
        }
        for &at in taps.iter() {
            let bytes = memory::slice(sram, at, u64::from(var.in_c) * inv.dtype.bytes())?;
            self.kernel.vectorize(Tap { acc, bytes, dtype: inv.dtype, max, zero_point: inv.in_zp });
        }
        Ok(())
    }

    /// Stores the sums of one output pixel unprocessed, or as results.
    fn finish(&self, sram: &mut [u8], at: (u64, u64), acc: &mut [i32]) -> Result<(), Fault> {
        let (inv, var) = (self.inv, self.var);
        if var.acc_out {
            return memory::store(sram, self.psum_at(at), 4, Dtype::I32, acc);
        }
        let mean = (inv.mode == PoolMode::Avg).then(|| Ok((self.divisor(at)?, inv.out_zp))).transpose()?;
        let to = u64::from(var.out) + at.0 * u64::from(var.out_row) + at.1 * u64::from(var.out_pixel);
        let to = memory::slice_mut(sram, to, u64::from(var.in_c) * inv.dtype.bytes())?;
        self.kernel.vectorize(Last { acc, to, dtype: inv.dtype, mean, clamp: self.clamp });
        Ok(())
    }

    /// Divides by the taps of the whole window that lie inside the bound.
    fn divisor(&self, (oy, ox): (u64, u64)) -> Result<Scale, Fault> {
        let (inv, var) = (self.inv, self.var);
        let inside = |origin: i32, o: u64, stride: u16, taps: u16, bound: u32| {
            let start = i128::from(origin) + i128::from(o) * i128::from(stride);
            let end = (start + i128::from(taps)).min(i128::from(bound));
            u64::try_from(end - start.max(0)).unwrap_or(0)
        };
        let rows = inside(var.win_y, oy, inv.stride_y, var.win_h, var.bound_h);
        let columns = inside(var.win_x, ox, inv.stride_x, var.win_w, var.bound_w);
        let scale = u32::try_from(rows * columns).ok().and_then(reciprocal_scale);
        scale.ok_or_else(|| {
            Fault::operand(format!(
                "average pooling: output ({oy}, {ox}) has {} taps to count",
                rows * columns
            ))
        })
    }

    /// Address of the partial sums of one output pixel.
    fn psum_at(&self, (oy, ox): (u64, u64)) -> u64 {
        let pixel = oy * u64::from(self.var.out_w) + ox;
        u64::from(self.var.psum) + 4 * pixel * u64::from(self.var.in_c)
    }
}
