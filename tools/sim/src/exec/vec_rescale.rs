//! `vec_rescale`: scaling per tensor or per channel.

use dpu_cost::Cost;
use dpu_isa::{Machine, RescaleEntry, Space, VecRescale};

use super::nest::{Nest, ROW};
use super::vec_unary::touch_pair;
use super::{Clamp, Core, Gate, Lut, Semantics};
use crate::error::Fault;
use crate::memory;
use crate::numerics::Scale;
use crate::region::Region;

/// Bytes of a parameter.
const ENTRY: u64 = 16;

impl Semantics for VecRescale {
    fn cost(&self, machine: &Machine, _core: &Core) -> Result<Cost, Fault> {
        Ok(dpu_cost::vec_rescale(self, machine))
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
        let sram = core.memory.space_mut(Space::Sram, self.tile)?;
        let clamp = Clamp::new(self.clamp_lo, self.clamp_hi, self.out_dtype)?;
        let lut = self.lut.then(|| Lut::load(sram, self.lut_addr, self.out_dtype)).transpose()?;
        let scales = load_scales(self, sram)?;
        // A third operand walks along with the others: the parameters, 1 apart in the last dimension.
        let param = if self.per_channel { 1 } else { 0 };
        let [src, out] = [self.src_strides, self.out_strides].map(|s| s.map(u64::from));
        let bases = [u64::from(self.src), u64::from(self.out), 0];
        let mut values = [0; ROW];
        Nest::new(&self.dims, [src, out, [0, 0, 0, 0, 0, param]]).try_for_each_row(bases, |row| {
            let values = values.get_mut(..row.len).unwrap_or_default();
            memory::load(sram, row.at[0], row.stride[0], self.src_dtype, values)?;
            values.iter_mut().for_each(|v| *v = v.wrapping_sub(self.in_zp));
            let scales = scales.get(row.at[2] as usize..).unwrap_or_default();
            if row.stride[2] == 1 {
                values.iter_mut().zip(scales).for_each(|(v, scale)| *v = scale.apply(*v));
            } else if let Some(scale) = scales.first() {
                values.iter_mut().for_each(|v| *v = scale.apply(*v));
            }
            values.iter_mut().for_each(|v| *v = clamp.apply(v.wrapping_add(self.out_zp)));
            if let Some(lut) = &lut {
                values.iter_mut().for_each(|v| *v = lut.get(*v));
            }
            memory::store(sram, row.at[1], row.stride[1], self.out_dtype, values)
        })?;
        Ok(0)
    }
}

/// Number of channels: the extent of the last dimension.
fn channels(x: &VecRescale) -> u64 {
    let [.., channels] = x.dims;
    u64::from(channels)
}

/// One scale, or one for each channel.
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
