//! Naive layers after the TOSA specification, over whole tensors.

use dpu_isa::{Dtype, PoolMode, Round};
use strum_plan::{Ppe, Scale};

use super::exec::{apply_scale, reciprocal_scale};

/// Sizes of a sliding window layer.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) n: u64,
    pub(crate) h: u64,
    pub(crate) w: u64,
    pub(crate) ic: u64,
    pub(crate) oc: u64,
    pub(crate) kernel: [u64; 2],
    pub(crate) stride: [u64; 2],
    pub(crate) pad: [u64; 4],
    pub(crate) dilation: [u64; 2],
}

impl Shape {
    /// Output rows and columns, if there are any.
    pub(crate) fn out(&self) -> Option<[u64; 2]> {
        let axis = |input: u64, k: u64, s: u64, d: u64, before: u64, after: u64| {
            (input + before + after).checked_sub((k - 1) * d + 1).map(|room| room / s + 1)
        };
        let [t, b, l, r] = self.pad;
        Some([
            axis(self.h, self.kernel[0], self.stride[0], self.dilation[0], t, b)?,
            axis(self.w, self.kernel[1], self.stride[1], self.dilation[1], l, r)?,
        ])
    }

    pub(crate) fn macs(&self) -> Option<u64> {
        let [oh, ow] = self.out()?;
        Some(self.n * oh * ow * self.oc * self.kernel[0] * self.kernel[1] * self.ic)
    }

    /// Input row and column of a tap, if it is not padding.
    fn tap(&self, oy: u64, ox: u64, ky: u64, kx: u64) -> Option<(u64, u64)> {
        let y = (oy * self.stride[0] + ky * self.dilation[0]).checked_sub(self.pad[0])?;
        let x = (ox * self.stride[1] + kx * self.dilation[1]).checked_sub(self.pad[2])?;
        (y < self.h && x < self.w).then_some((y, x))
    }
}

/// Accumulators of a convolution or (with `per_channel`) a depthwise convolution, `[n][oh][ow][oc]`.
/// Weights are `[oc][kh][kw][ic]`, depthwise `[kh][kw][oc]`.
pub(crate) fn accumulate(
    s: &Shape,
    per_channel: bool,
    acts: &[i8],
    zp: i32,
    weights: &[i8],
    wzp: i32,
) -> Vec<i32> {
    let [oh, ow] = s.out().unwrap();
    let [kh, kw] = s.kernel;
    let mut out = Vec::new();
    for n in 0..s.n {
        for oy in 0..oh {
            for ox in 0..ow {
                for oc in 0..s.oc {
                    let mut acc = 0i32;
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let Some((y, x)) = s.tap(oy, ox, ky, kx) else { continue };
                            let pixel = ((n * s.h + y) * s.w + x) * s.ic;
                            let mut add = |ic: u64, at: u64| {
                                let a = i32::from(acts[(pixel + ic) as usize]) - zp;
                                acc = acc.wrapping_add(a * (i32::from(weights[at as usize]) - wzp));
                            };
                            if per_channel {
                                add(oc / (s.oc / s.ic), (ky * kw + kx) * s.oc + oc);
                            } else {
                                let set = ((oc * kh + ky) * kw + kx) * s.ic;
                                (0..s.ic).for_each(|ic| add(ic, set + ic));
                            }
                        }
                    }
                    out.push(acc);
                }
            }
        }
    }
    out
}

/// Post-processing of accumulators whose last dimension is the channel, as bytes.
pub(crate) fn post(acc: &[i32], channels: u64, bias: &[i32], ppe: &Ppe, out: Dtype) -> Vec<u8> {
    let pick = |list: &[i32], c: usize| if list.len() == 1 { list[0] } else { list[c] };
    let mut bytes = Vec::new();
    for (i, &a) in acc.iter().enumerate() {
        let c = i % channels as usize;
        let mut v = if bias.is_empty() { a } else { a.wrapping_add(pick(bias, c)) };
        if let Some(Scale { multiplier, shift, round }) = &ppe.scale {
            let s = if shift.len() == 1 { shift[0] } else { shift[c] };
            v = apply_scale(v, pick(multiplier, c), s, *round);
        }
        v = v.wrapping_add(ppe.zp);
        let (lo, hi) = ppe.clamp.unwrap_or((out.min(), out.max()));
        v = v.max(lo).min(hi);
        if let Some(lut) = &ppe.lut {
            v = i32::from(lut[(v + 128) as usize]);
        }
        bytes.extend(&v.to_le_bytes()[..out.bytes() as usize]);
    }
    bytes
}

/// Pooling of i16 values (or i8 as i16), `[n][oh][ow][c]`.
pub(crate) fn pool(
    s: &Shape,
    mode: PoolMode,
    acts: &[i16],
    in_zp: i32,
    out_zp: i32,
    clamp: (i32, i32),
) -> Vec<i32> {
    let [oh, ow] = s.out().unwrap();
    let mut out = Vec::new();
    for n in 0..s.n {
        for oy in 0..oh {
            for ox in 0..ow {
                for c in 0..s.ic {
                    let mut values = Vec::new();
                    for ky in 0..s.kernel[0] {
                        for kx in 0..s.kernel[1] {
                            if let Some((y, x)) = s.tap(oy, ox, ky, kx) {
                                values.push(i32::from(acts[(((n * s.h + y) * s.w + x) * s.ic + c) as usize]));
                            }
                        }
                    }
                    let v = match mode {
                        PoolMode::Max => *values.iter().max().unwrap(),
                        PoolMode::Avg => {
                            let (m, shift) = reciprocal_scale(values.len() as u32);
                            let sum: i32 = values.iter().map(|v| v - in_zp).sum();
                            apply_scale(sum, m, shift, Round::Single) + out_zp
                        }
                    };
                    out.push(v.clamp(clamp.0, clamp.1));
                }
            }
        }
    }
    out
}
