//! What a variant costs on PEs that skip zeros: bitmaps of its operands, read as the plain definition reads them.

use dpu_cost::{Bitmap, Cost, conv_skipping};
use dpu_isa::{ConvInv, ConvVar, Machine, Space, WeightEntry};

use super::super::ppe::load_table;
use super::{decode_set, position};
use crate::error::Fault;
use crate::memory::{self, Memory};
use crate::weights::Decoder;

/// Most bits of a bitmap, a host's 512 MiB.
const MAX_BITS: u64 = 1 << 32;

/// The cost of a variant with the values that the SRAM holds.
pub(super) fn measure(inv: &ConvInv, var: &ConvVar, m: &Machine, memory: &Memory) -> Result<Cost, Fault> {
    let sram = memory.space(Space::Sram, var.tile)?;
    let entries = load_table(sram, inv, var)?;
    let acts = activations(inv, var, sram)?;
    let weights = weights(inv, var, &entries, sram)?;
    conv_skipping(inv, var, m, &acts, &weights).map_err(|error| Fault::operand(error.to_string()))
}

/// An empty bitmap.
fn bitmap(rows: u64, var: &ConvVar, channels: u64) -> Result<Bitmap, Fault> {
    let taps = u64::from(var.kernel_h) * u64::from(var.kernel_w);
    let bits = rows.saturating_mul(taps).saturating_mul(channels.next_multiple_of(64));
    if bits > MAX_BITS {
        return Err(Fault::operand(format!(
            "zero skipping with {bits} operands; the simulator takes {MAX_BITS}"
        )));
    }
    Ok(Bitmap::new(rows as usize, taps as usize, channels as usize))
}

/// Activations that are not the zero point; none in the padding.
fn activations(inv: &ConvInv, var: &ConvVar, sram: &[u8]) -> Result<Bitmap, Fault> {
    let positions = u64::from(var.out_h) * u64::from(var.out_w);
    let (width, out_c) = (u64::from(var.out_w), u64::from(var.out_c));
    let mut map = match inv.depthwise {
        true => bitmap(positions.saturating_mul(out_c), var, 1)?,
        false => bitmap(positions, var, var.in_c.into())?,
    };
    let each = (var.out_c / var.in_c.max(1)).max(1) as usize;
    for at in 0..positions {
        for ky in 0..usize::from(var.kernel_h) {
            let iy = position(var.origin_y, at / width, inv.stride_y, ky, inv.dilation_y, var.in_h);
            for kx in 0..usize::from(var.kernel_w) {
                let ix = position(var.origin_x, at % width, inv.stride_x, kx, inv.dilation_x, var.in_w);
                let (Some(iy), Some(ix)) = (iy, ix) else { continue };
                let from = u64::from(var.act) + iy * u64::from(var.act_row) + ix * u64::from(var.act_pixel);
                let pixel = memory::slice(sram, from, u64::from(var.in_c))?;
                let tap = ky * usize::from(var.kernel_w) + kx;
                for (channel, &byte) in pixel.iter().enumerate() {
                    if i16::from(byte.cast_signed()) == inv.in_zp {
                        continue;
                    }
                    if inv.depthwise {
                        let first = at as usize * var.out_c as usize + channel * each;
                        (first..first + each).for_each(|row| map.set(row, tap, 0));
                    } else {
                        map.set(at as usize, tap, channel);
                    }
                }
            }
        }
    }
    Ok(map)
}

/// Weights that are not the zero point.
fn weights(inv: &ConvInv, var: &ConvVar, entries: &[WeightEntry], sram: &[u8]) -> Result<Bitmap, Fault> {
    let decoder = Decoder::new(inv)?;
    let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
    let channels = if inv.depthwise { var.out_c } else { var.in_c };
    let bytes = decoder.read_bytes(var.kernel_h, var.kernel_w, channels);
    let mut map = bitmap(var.out_c.into(), var, if inv.depthwise { 1 } else { channels.into() })?;
    let mut values = vec![0i16; taps * channels as usize];
    let mut decode = |offset: u32, shift: u8| {
        let packed = memory::slice(sram, u64::from(var.weights) + u64::from(offset), bytes)?;
        decode_set(&decoder, packed, channels, shift, &mut values)?;
        Ok::<_, Fault>(values.clone())
    };
    if inv.depthwise {
        let values = decode(0, entries.first().map_or(0, |e| e.code_shift))?;
        for (tap, row) in values.chunks_exact(channels as usize).enumerate() {
            let present = row.iter().enumerate().filter(|&(_, &w)| w != 0);
            present.for_each(|(oc, _)| map.set(oc, tap, 0));
        }
        return Ok(map);
    }
    for (oc, entry) in entries.iter().enumerate() {
        let values = decode(entry.weight_offset, entry.code_shift)?;
        for (tap, row) in values.chunks_exact(channels as usize).enumerate() {
            let present = row.iter().enumerate().filter(|&(_, &w)| w != 0);
            present.for_each(|(channel, _)| map.set(oc, tap, channel));
        }
    }
    Ok(map)
}
