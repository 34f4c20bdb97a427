//! `vec_resize`: nearest and bilinear resizing of a tile of an image.

use dpu_isa::{Dtype, ResizeMode, Space, Taps, VecResize};

use super::{Core, Gate, Semantics};
use crate::error::Fault;
use crate::fuel;
use crate::kernel::{Kernel, Vectorize};
use crate::memory;
use crate::region::Region;

impl Semantics for VecResize {
    fn steps(&self, _core: &Core) -> u64 {
        let pixels = u64::from(self.out_h) * u64::from(self.out_w);
        let each = match self.mode {
            ResizeMode::Nearest => u64::from(self.channels) * self.dtype.bytes() / fuel::BYTES,
            ResizeMode::Bilinear => u64::from(self.channels),
        };
        // A pixel is computed as a row, from the addresses of up to four.
        fuel::rows(pixels.saturating_mul(4), pixels.saturating_mul(each))
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        let types: &[Dtype] = match self.mode {
            ResizeMode::Nearest => &[Dtype::I8, Dtype::I16],
            ResizeMode::Bilinear => &[Dtype::I8],
        };
        if !types.contains(&self.dtype) {
            return Err(Fault::operand(format!("{} resize of {}", self.mode, self.dtype)));
        }
        for side in [self.rows(), self.columns()] {
            side.check().map_err(|error| Fault::operand(error.to_string()))?;
        }
        let bytes = |dtype: Dtype| u64::from(self.channels) * dtype.bytes();
        let image = |base: u32, run, dims: [(u32, u32); 2]| {
            Region::strided(u64::from(base), run, &dims.map(|(n, stride)| (u64::from(n), u64::from(stride))))
        };
        let src = [(self.in_h, self.src_row), (self.in_w, self.src_pixel)];
        let out = [(self.out_h, self.out_row), (self.out_w, self.out_pixel)];
        gate.read(&core.memory, "src", Space::Sram, &image(self.src, bytes(self.dtype), src))?;
        gate.write(&core.memory, "out", Space::Sram, &image(self.out, bytes(self.out_dtype()), out))
    }

    fn execute(&self, core: &mut Core) -> Result<u64, Fault> {
        let kernel = core.kernel;
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let (rows, columns) = (self.rows(), self.columns());
        let across: Vec<Taps> = (0..self.out_w).map(|ox| columns.taps(ox)).collect();
        let mut results = Vec::new();
        for oy in 0..self.out_h {
            let y = rows.taps(oy);
            for (ox, &x) in (0..self.out_w).zip(&across) {
                let to = address(self.out, (oy, self.out_row), (ox, self.out_pixel));
                match self.mode {
                    ResizeMode::Nearest => {
                        let bytes = u64::from(self.channels) * self.dtype.bytes();
                        copy(sram, pixel(self, y.low, x.low), to, bytes)?;
                    }
                    ResizeMode::Bilinear => {
                        let corners = [(y.low, x.low), (y.low, x.high), (y.high, x.low), (y.high, x.high)];
                        let (down, across) = (weights(self.scale_y_n, y), weights(self.scale_x_n, x));
                        let weights = [0, 1, 2, 3].map(|n| down[n / 2] * across[n % 2]);
                        blend(self, sram, kernel, (corners, weights), &mut results)?;
                        memory::store(sram, to, 4, Dtype::I32, &results)?;
                    }
                }
            }
        }
        Ok(0)
    }
}

/// The weights of both positions.
fn weights(n: u16, taps: Taps) -> [i32; 2] {
    [i64::from(n) - taps.weight, taps.weight].map(|weight| weight as i32)
}

/// The address of the pixel at a position of the image, which lies in the tile, as `touch` has checked: nothing wraps.
fn pixel(x: &VecResize, row: i64, column: i64) -> u64 {
    let row = (row - i64::from(x.in_y)).cast_unsigned().wrapping_mul(x.src_row.into());
    let column = (column - i64::from(x.in_x)).cast_unsigned().wrapping_mul(x.src_pixel.into());
    u64::from(x.src).wrapping_add(row).wrapping_add(column)
}

/// Computes the channels of a result from four pixels and their weights.
fn blend(
    x: &VecResize,
    sram: &[u8],
    kernel: Option<Kernel>,
    (corners, weights): ([(i64, i64); 4], [i32; 4]),
    results: &mut Vec<i32>,
) -> Result<(), Fault> {
    let mut pixels: [&[u8]; 4] = [&[]; 4];
    for (bytes, (row, column)) in pixels.iter_mut().zip(corners) {
        *bytes = memory::slice(sram, pixel(x, row, column), u64::from(x.channels))?;
    }
    results.resize(x.channels as usize, 0);
    let work = Blend { pixels, weights, results };
    match kernel {
        Some(kernel) => kernel.vectorize(work),
        None => work.run(),
    }
    Ok(())
}

fn address(base: u32, (y, row): (u32, u32), (x, pixel): (u32, u32)) -> u64 {
    u64::from(base) + u64::from(y) * u64::from(row) + u64::from(x) * u64::from(pixel)
}

/// Copies bytes between places that do not overlap.
fn copy(sram: &mut [u8], from: u64, to: u64, bytes: u64) -> Result<(), Fault> {
    memory::slice(sram, to, bytes)?;
    memory::slice(sram, from, bytes)?;
    let from = from as usize;
    sram.copy_within(from..from + bytes as usize, to as usize);
    Ok(())
}

/// The weighted sums of four pixels, channel by channel.
struct Blend<'a> {
    pixels: [&'a [u8]; 4],
    /// At most 2^22 together, so that no sum exceeds 32 bits.
    weights: [i32; 4],
    results: &'a mut [i32],
}

impl Vectorize for Blend<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Blend { pixels: [a, b, c, d], weights: [p, q, r, s], results } = self;
        let channels = a.iter().zip(b).zip(c.iter().zip(d));
        for (to, ((a, b), (c, d))) in results.iter_mut().zip(channels) {
            let [a, b, c, d] = [a, b, c, d].map(|v| i32::from(v.cast_signed()));
            *to = a * p + b * q + c * r + d * s;
        }
    }
}
