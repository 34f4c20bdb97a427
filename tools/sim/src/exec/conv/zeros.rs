//! The cost of a variant on a machine that skips zeros: bitmaps of its operands, read as in the plain definition, and
//! their zero-compressed sizes.

use std::ops::Range;

use dpu_cost::{Bitmap, Cost, Present, Stored, conv_skipping};
use dpu_isa::{ConvInv, ConvVar, Machine, Space, WeightEntry};

use super::super::ppe::load_table;
use super::{decode_set, position};
use crate::error::Fault;
use crate::memory::{self, Memory};
use crate::storage::Zeros;
use crate::weights::Decoder;

/// Maximum number of bits of a bitmap, 512 MiB on the host.
const MAX_BITS: u64 = 1 << 32;

/// The state before the variant ran that its cost depends on.
#[derive(Debug)]
pub(crate) struct Operands {
    /// Which operands are non-zero, if PEs skip pairs.
    present: Option<Present>,
    /// The values omitted from activations, weights and results in storage.
    zeros: [Option<i8>; 3],
    /// Rows, pixels and channels of the input, if it is stored zero-compressed.
    image: Vec<u8>,
    /// Non-zero weights of every output channel, if they are stored zero-compressed.
    weights: Vec<u64>,
}

impl Operands {
    /// Reads the operands from SRAM.
    pub(super) fn read(
        inv: &ConvInv,
        var: &ConvVar,
        skips: bool,
        zeros: Zeros<'_>,
        memory: &Memory,
    ) -> Result<Operands, Fault> {
        let sram = memory.space(Space::Sram, var.tile)?;
        let zeros = [zeros.acts, zeros.weights, zeros.results];
        let mut operands = Operands { present: None, zeros, image: Vec::new(), weights: Vec::new() };
        if skips {
            let entries = load_table(sram, inv, var)?;
            let weights = weights(inv, var, &entries, sram)?;
            if zeros[1].is_some() {
                operands.weights = (0..var.out_c as usize).map(|oc| weights.ones_of(oc)).collect();
            }
            operands.present = Some(Present { acts: activations(inv, var, sram)?, weights });
        }
        if zeros[0].is_some() {
            for y in 0..u64::from(var.in_h) {
                for x in 0..u64::from(var.in_w) {
                    let at = u64::from(var.act) + y * u64::from(var.act_row) + x * u64::from(var.act_pixel);
                    // Pixels that no tap reads may lie beyond the memory; they are not counted.
                    match memory::slice(sram, at, var.in_c.into()) {
                        Ok(pixel) => operands.image.extend_from_slice(pixel),
                        Err(_) => operands.image.resize(operands.image.len() + var.in_c as usize, 0),
                    }
                }
            }
        }
        Ok(operands)
    }

    /// The cost, once the results are in memory.
    pub(super) fn cost(
        &self,
        inv: &ConvInv,
        var: &ConvVar,
        m: &Machine,
        memory: &Memory,
    ) -> Result<Cost, Fault> {
        let sram = memory.space(Space::Sram, var.tile)?;
        let [input, weights, results] = self.zeros;
        let kept = |bytes: &[u8], zero: i8| bytes.iter().filter(|&&b| b.cast_signed() != zero).count() as u64;
        let acts = |y: u64, x: u64, channels: Range<u64>| {
            let pixel = (y * u64::from(var.in_w) + x) * u64::from(var.in_c);
            let range = (pixel + channels.start) as usize..(pixel + channels.end) as usize;
            kept(self.image.get(range).unwrap_or_default(), input.unwrap_or(0))
        };
        let set = |oc: u64| self.weights.get(oc as usize).copied().unwrap_or(0);
        let out = |y: u64, x: u64, channels: Range<u64>| {
            let pixel = u64::from(var.out) + y * u64::from(var.out_row) + x * u64::from(var.out_pixel);
            let bytes = memory::slice(sram, pixel + channels.start, channels.end - channels.start);
            kept(bytes.unwrap_or_default(), results.unwrap_or(0))
        };
        let stored = Stored {
            acts: input.is_some().then_some(&acts),
            weights: weights.is_some().then_some(&set),
            results: results.is_some().then_some(&out),
        };
        conv_skipping(inv, var, m, self.present.as_ref(), &stored)
            .map_err(|error| Fault::operand(error.to_string()))
    }
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

/// Activations that differ from the zero point; none in the padding.
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

/// Weights that differ from the zero point.
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
