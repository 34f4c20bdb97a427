//! The post-processing element: turns a convolution's accumulators into stored results.

use dpu_isa::{ConvInv, ConvVar, Dtype, WeightEntry};

use super::{Clamp, Lut};
use crate::error::Fault;
use crate::kernel::{self, Scales, Vectorize};
use crate::memory;
use crate::numerics::Scale;

/// Bytes of a weight table entry.
pub(super) const ENTRY: u64 = 16;

/// Reads and checks the weight table of a variant.
pub(super) fn load_table(sram: &[u8], inv: &ConvInv, var: &ConvVar) -> Result<Vec<WeightEntry>, Fault> {
    let bytes = memory::slice(sram, u64::from(var.table), ENTRY * u64::from(var.out_c))?;
    let entries = bytes.as_chunks().0.iter().enumerate().map(|(oc, bytes)| {
        let entry = WeightEntry::decode(bytes).and_then(|e| e.check_for(inv, var).map(|()| e));
        entry.map_err(|why| Fault::operand(format!("weight table entry of output channel {oc}: {why}")))
    });
    entries.collect()
}

/// Bias, scaling, zero point, clamp and lookup of one variant.
pub(super) struct Ppe {
    bias: Vec<i32>,
    /// One per channel, or none if the layer does not scale.
    scales: Vec<Scale>,
    zero_point: i32,
    clamp: Clamp,
    dtype: Dtype,
    lut: Option<Lut>,
}

impl Ppe {
    pub(super) fn new(sram: &[u8], inv: &ConvInv, entries: &[WeightEntry]) -> Result<Ppe, Fault> {
        let scale = |e: &WeightEntry| {
            Scale::new(e.multiplier, i32::from(e.shift), inv.round).map_err(|e| Fault::operand(e.to_string()))
        };
        Ok(Ppe {
            bias: entries.iter().map(|e| e.bias).collect(),
            scales: if inv.scale { entries.iter().map(scale).collect::<Result<_, _>>()? } else { Vec::new() },
            zero_point: inv.out_zp,
            clamp: Clamp::new(inv.clamp_lo, inv.clamp_hi, inv.out_dtype)?,
            dtype: inv.out_dtype,
            lut: inv.lut.then(|| Lut::load(sram, inv.lut_addr, inv.out_dtype)).transpose()?,
        })
    }

    /// Type of the results.
    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Turns the accumulators of the channels from `first` on into the values to store.
    pub(super) fn finish(&self, first: usize, acc: &mut [i32]) {
        for (v, &bias) in acc.iter_mut().zip(self.bias.iter().skip(first)) {
            *v = v.wrapping_add(bias);
        }
        for (v, scale) in acc.iter_mut().zip(self.scales.iter().skip(first)) {
            *v = scale.apply(*v);
        }
        for v in acc.iter_mut() {
            *v = self.clamp.apply(v.wrapping_add(self.zero_point));
        }
        if let Some(lut) = &self.lut {
            for v in acc {
                *v = lut.get(*v);
            }
        }
    }
}

/// The per-channel parameters of the kernels' post-processing as arrays. The bias is already in the sums.
#[derive(Debug)]
pub(super) struct Channels {
    scale: Option<Scales>,
    zero_point: i32,
    clamp: Clamp,
    dtype: Dtype,
}

impl Channels {
    /// With `raw`, sums are stored unprocessed and clamp and scales are ignored.
    pub(super) fn new(inv: &ConvInv, entries: &[WeightEntry], raw: bool) -> Result<Channels, Fault> {
        let clamp = if raw { Clamp::NONE } else { Clamp::new(inv.clamp_lo, inv.clamp_hi, inv.out_dtype)? };
        let scale = |e: &WeightEntry| {
            Scale::new(e.multiplier, i32::from(e.shift), inv.round).map_err(|e| Fault::operand(e.to_string()))
        };
        let scales = entries.iter().map(scale).collect::<Result<Vec<_>, _>>()?;
        let scale = (inv.scale && !raw).then(|| Scales::new(scales.into_iter()));
        Ok(Channels { scale, zero_point: inv.out_zp, clamp, dtype: inv.out_dtype })
    }

    /// Scales and subsequent steps, where results are scaled bytes.
    pub(super) fn bytes(&self) -> Option<(&Scales, kernel::Finish)> {
        let Clamp { lo, hi } = self.clamp;
        let finish = kernel::Finish { zero_point: self.zero_point, lo, hi };
        matches!(self.dtype, Dtype::I8 | Dtype::U8).then_some(())?;
        Some((self.scale.as_ref()?, finish))
    }
}

/// The sums of one pixel, bias included, to be stored.
pub(super) struct Finish<'a> {
    pub(super) ppe: &'a Channels,
    /// The channel of the first sum.
    pub(super) first: usize,
    pub(super) lut: Option<&'a Lut>,
    pub(super) sums: &'a mut [i32],
    /// The number of bytes that the results take.
    pub(super) to: &'a mut [u8],
}

impl Vectorize for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Finish { ppe, first, lut, sums, to } = self;
        if let Some(scales) = &ppe.scale {
            scales.apply(first, sums);
        }
        let (zero_point, clamp) = (ppe.zero_point, ppe.clamp);
        let last = |v: i32| clamp.apply(v.wrapping_add(zero_point));
        match ppe.dtype {
            Dtype::I8 | Dtype::U8 => to.iter_mut().zip(sums).for_each(|(to, v)| *to = last(*v) as u8),
            Dtype::I16 | Dtype::U16 => {
                let to = to.as_chunks_mut().0.iter_mut();
                to.zip(sums).for_each(|(to, v)| *to = (last(*v) as u16).to_le_bytes());
            }
            Dtype::I32 => {
                let to = to.as_chunks_mut().0.iter_mut();
                to.zip(sums).for_each(|(to, v)| *to = last(*v).to_le_bytes());
            }
        }
        if let Some(lut) = lut {
            to.iter_mut().for_each(|to| *to = lut.get(i32::from(*to)) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bias_scale_zero_point_clamp_lookup_in_this_order() {
        let lut: Vec<u8> = (0..=255u8).map(|i| i ^ 0x80).map(|v| v.wrapping_neg()).collect();
        let entry = |bias, multiplier| WeightEntry { bias, multiplier, shift: 31, ..WeightEntry::default() };
        let inv = ConvInv {
            scale: true,
            out_zp: -10,
            clamp_lo: -100,
            clamp_hi: 50,
            lut: true,
            ..ConvInv::default()
        };
        let ppe =
            Ppe::new(&lut, &inv, &[entry(5, 1 << 30), entry(-5, 1 << 29), entry(i32::MAX, 1 << 30)]).unwrap();
        let mut acc = [95, 1005, 1];
        ppe.finish(0, &mut acc);
        // (95 + 5)/2 - 10 = 40; (1005 - 5)/4 - 10 clamps to 50; 1 + max wraps to -2^31, clamps to -100.
        assert_eq!(acc, [-40, -50, 100]);
        let mut last = [9];
        ppe.finish(1, &mut last);
        assert_eq!(last, [9]);
    }

    #[test]
    fn without_scale_the_zero_point_still_counts() {
        let inv = ConvInv {
            out_dtype: Dtype::I32,
            out_zp: 3,
            clamp_lo: i32::MIN,
            clamp_hi: i32::MAX,
            ..ConvInv::default()
        };
        let ppe = Ppe::new(&[], &inv, &[WeightEntry { bias: 4, ..WeightEntry::default() }]).unwrap();
        let mut acc = [i32::MAX];
        ppe.finish(0, &mut acc);
        assert_eq!(acc, [i32::MIN + 6]);
    }
}
