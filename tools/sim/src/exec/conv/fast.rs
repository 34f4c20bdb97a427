//! Convolution by the kernels: the same results as the golden path, bit for bit.

use dpu_isa::Space;

use super::super::Lut;
use super::image::{Buffers, Plan};
use super::layer::Layer;
use super::tile::TileRun;
use crate::error::Fault;
use crate::memory::Memory;

/// Minimum number of products of a tile that threads share: some microseconds of one thread.
const SHARED_PRODUCTS: u64 = if cfg!(test) { 1 } else { 1 << 20 };

impl Plan<'_> {
    /// Computes the tile, on so many threads of the current pool if it is large enough. Returns the low
    /// multiply-accumulates.
    pub(super) fn run(
        &self,
        layer: &Layer,
        memory: &mut Memory,
        threads: usize,
        buffers: &mut Buffers,
    ) -> Result<u64, Fault> {
        let var = self.var;
        let sram = memory.space_mut(Space::Sram, var.tile)?;
        let lut = (self.inv.lut && !var.acc_out)
            .then(|| Lut::load(sram, self.inv.lut_addr, self.inv.out_dtype))
            .transpose()?;
        self.copy(sram, threads, buffers)?;
        self.place(buffers);
        self.total(layer, sram, buffers)?;
        let mut workers = std::mem::take(&mut buffers.workers);
        let mut sums = std::mem::take(&mut buffers.sums);
        let tile = TileRun { plan: self, layer, lut: lut.as_ref(), buffers };
        let done = if threads > 1 && self.products() >= SHARED_PRODUCTS && tile.can_be_shared() {
            tile.shared(threads, sram, &mut workers)
        } else {
            tile.whole(sram, &mut sums)
        };
        (buffers.workers, buffers.sums) = (workers, sums);
        done?;
        Ok(layer.low.saturating_mul(u64::from(var.out_h) * u64::from(var.out_w)))
    }

    /// Products of the tile.
    fn products(&self) -> u64 {
        let var = self.var;
        let depth = if self.inv.depthwise { 1 } else { var.in_c };
        let factors = [var.out_h, var.out_w, var.out_c, var.kernel_h.into(), var.kernel_w.into(), depth];
        factors.into_iter().fold(1, |n, f| n.saturating_mul(f.into()))
    }
}
