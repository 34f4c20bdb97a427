//! How many products of a variant have an activation that equals the zero point.
//!
//! Activations are read from memory tap by tap, as in the plain definition; taps in the padding equal the zero point.

use dpu_isa::{ConvInv, ConvVar, Machine, Space};

use super::position;
use crate::error::Fault;
use crate::memory::{self, Memory};

/// The products, those with low members that `sparse` drops included; none where the PEs skip them.
///
/// # Errors
/// When an activation lies beyond the memory.
pub(crate) fn zero_products(
    inv: &ConvInv,
    var: &ConvVar,
    machine: &Machine,
    memory: &Memory,
) -> Result<u64, Fault> {
    if dpu_cost::skips_zeros(inv, machine) {
        return Ok(0);
    }
    let sram = memory.space(Space::Sram, var.tile)?;
    // Other zero points are no activation's.
    let zero = i8::try_from(inv.in_zp).ok().map(i8::cast_unsigned);
    let channels = u64::from(var.in_c);
    let mut count = 0u64;
    for (oy, ky) in windows(var.out_h, var.kernel_h) {
        let row = position(var.origin_y, oy, inv.stride_y, ky, inv.dilation_y, var.in_h);
        for (ox, kx) in windows(var.out_w, var.kernel_w) {
            let column = position(var.origin_x, ox, inv.stride_x, kx, inv.dilation_x, var.in_w);
            let zeros = match (row, column) {
                (Some(row), Some(column)) => {
                    let at = u64::from(var.act)
                        .saturating_add(row.saturating_mul(var.act_row.into()))
                        .saturating_add(column.saturating_mul(var.act_pixel.into()));
                    let pixel = memory::slice(sram, at, channels)?;
                    pixel.iter().filter(|&&value| Some(value) == zero).count() as u64
                }
                _ => channels,
            };
            count = count.saturating_add(zeros);
        }
    }
    // Depthwise, an input channel is multiplied for its own output channels alone.
    let outputs = if inv.depthwise { var.out_c / var.in_c.max(1) } else { var.out_c };
    Ok(count.saturating_mul(outputs.into()))
}

/// Each window along an axis with each of its taps.
fn windows(windows: u32, taps: u16) -> impl Iterator<Item = (u64, usize)> {
    (0..u64::from(windows)).flat_map(move |window| (0..usize::from(taps)).map(move |tap| (window, tap)))
}
