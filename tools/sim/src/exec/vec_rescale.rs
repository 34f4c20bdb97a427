//! `vec_rescale`: scaling per tensor or per channel.

use dpu_isa::{RescaleEntry, Space, VecRescale};

use super::nest::{Nest, ROW};
use super::vec_unary::touch_pair;
use super::{Clamp, Core, Gate, Lut, Semantics};
use crate::error::Fault;
use crate::kernel::Vectorize;
use crate::memory;
use crate::numerics::Scale;
use crate::region::Region;

/// Bytes per parameter.
const ENTRY: u64 = 16;

impl Semantics for VecRescale {
    fn steps(&self, _core: &Core) -> u64 {
        Nest::new(&self.dims, nest_strides(self)).steps(2)
    }

    fn touch(&self, core: &Core, gate: &mut Gate<'_>) -> Result<(), Fault> {
        if self.per_channel {
            let params = Region::contiguous(u64::from(self.params), ENTRY * channels(self));
            gate.read(&core.memory, "params", Space::Sram, &params)?;
        }
        if self.lut {
            let table = Region::contiguous(u64::from(self.lut_addr), Lut::BYTES);
            gate.read(&core.memory, "lut_addr", Space::Sram, &table)?;
        }
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
        let kernel = core.kernel;
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let clamp = Clamp::new(self.clamp_lo, self.clamp_hi, self.out_dtype)?;
        let lut = self.lut.then(|| Lut::load(sram, self.lut_addr, self.out_dtype)).transpose()?;
        let scales = load_scales(self, sram)?;
        let bases = [u64::from(self.src), u64::from(self.out), 0];
        let mut results = [0; ROW];
        Nest::new(&self.dims, nest_strides(self)).try_for_each_row(bases, |row| {
            let values = results.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], self.src_dtype, values)?;
            let scales = scales.get(row.at[2] as usize..).unwrap_or_default();
            let scales = if row.stride[2] == 1 { scales } else { scales.get(..1).unwrap_or_default() };
            let work = Compute { x: self, values, scales, clamp, lut: lut.as_ref() };
            match kernel {
                Some(kernel) => kernel.vectorize(work),
                None => work.run(),
            }
            let values = results.get(..row.len).unwrap_or_default();
            memory::store(sram, row.at[1], row.stride[1], self.out_dtype, values)
        })?;
        Ok(0)
    }
}

/// The strides of input, output and parameters, which are iterated as a third operand, 1 apart in the last
/// dimension.
fn nest_strides(x: &VecRescale) -> [[u64; 6]; 3] {
    let [src, out] = [x.src_strides, x.out_strides].map(|s| s.map(u64::from));
    [src, out, [0, 0, 0, 0, 0, u64::from(x.per_channel)]]
}

/// The arithmetic of a row.
struct Compute<'a> {
    x: &'a VecRescale,
    values: &'a mut [i32],
    /// One for all values, or one each.
    scales: &'a [Scale],
    clamp: Clamp,
    lut: Option<&'a Lut>,
}

impl Vectorize for Compute<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Compute { x, values, scales, clamp, lut } = self;
        values.iter_mut().for_each(|v| *v = v.wrapping_sub(x.in_zp));
        match scales {
            [scale] => values.iter_mut().for_each(|v| *v = scale.apply(*v)),
            scales => values.iter_mut().zip(scales).for_each(|(v, scale)| *v = scale.apply(*v)),
        }
        values.iter_mut().for_each(|v| *v = clamp.apply(v.wrapping_add(x.out_zp)));
        if let Some(lut) = lut {
            values.iter_mut().for_each(|v| *v = lut.get(*v));
        }
    }
}

/// Number of channels: the extent of the last dimension.
fn channels(x: &VecRescale) -> u64 {
    let [.., channels] = x.dims;
    u64::from(channels)
}

/// One scale, or one per channel.
fn load_scales(x: &VecRescale, sram: &[u8]) -> Result<Vec<Scale>, Fault> {
    let scale = |mult, shift| Scale::new(mult, shift, x.round).map_err(|e| Fault::operand(e.to_string()));
    if !x.per_channel {
        return Ok(vec![scale(x.mult, i32::from(x.shift))?]);
    }
    let bytes = memory::slice(sram, u64::from(x.params), ENTRY * channels(x))?;
    let entries = bytes.as_chunks().0.iter().enumerate().map(|(channel, bytes)| {
        let entry = RescaleEntry::decode(bytes)
            .map_err(|why| Fault::operand(format!("rescale parameter of channel {channel}: {why}")))?;
        scale(entry.multiplier, entry.shift)
    });
    entries.collect()
}
