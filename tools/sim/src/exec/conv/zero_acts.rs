//! How many products of a variant have an activation that equals the zero point.
//!
//! Every input value is read by as many windows as its row and its column are, so each is looked at once. Taps in the padding
//! equal the zero point.

use std::collections::BTreeMap;

use dpu_isa::{ConvInv, ConvVar, Machine, Space};

use super::position;
use crate::error::Fault;
use crate::memory::{self, Memory};

/// The products, those with low members that are dropped included; none on a machine that does not take them.
pub(super) fn products(
    inv: &ConvInv,
    var: &ConvVar,
    machine: &Machine,
    memory: &Memory,
) -> Result<u64, Fault> {
    if dpu_cost::skips_zeros(inv, machine) {
        return Ok(0);
    }
    let sram = memory.space(Space::Sram, var.tile)?;
    let rows = reads(var.origin_y, var.out_h, inv.stride_y, var.kernel_h, inv.dilation_y, var.in_h);
    let columns = reads(var.origin_x, var.out_w, inv.stride_x, var.kernel_w, inv.dilation_x, var.in_w);
    let zero = i8::try_from(inv.in_zp).ok().map(i8::cast_unsigned);
    let mut count = 0u64;
    for (&row, &times_row) in &rows {
        for (&column, &times) in &columns {
            let at = u64::from(var.act)
                .saturating_add(row.saturating_mul(var.act_row.into()))
                .saturating_add(column.saturating_mul(var.act_pixel.into()));
            let pixel = memory::slice(sram, at, u64::from(var.in_c))?;
            let zeros = pixel.iter().filter(|&&value| Some(value) == zero).count() as u64;
            count = count.saturating_add(zeros.saturating_mul(times_row).saturating_mul(times));
        }
    }
    let sum = |reads: &BTreeMap<u64, u64>| reads.values().sum::<u64>();
    let taps = u64::from(var.out_h)
        .saturating_mul(var.kernel_h.into())
        .saturating_mul(var.out_w.into())
        .saturating_mul(var.kernel_w.into());
    let padding = taps.saturating_sub(sum(&rows).saturating_mul(sum(&columns)));
    count = count.saturating_add(padding.saturating_mul(var.in_c.into()));
    // Depthwise, an input channel is multiplied for its own output channels alone.
    let outputs = if inv.depthwise { var.out_c / var.in_c.max(1) } else { var.out_c };
    Ok(count.saturating_mul(outputs.into()))
}

/// How many windows read each row, or each column, of those that some window reads.
fn reads(
    origin: i32,
    windows: u32,
    stride: u16,
    taps: u16,
    dilation: u16,
    size: u32,
) -> BTreeMap<u64, u64> {
    let mut reads = BTreeMap::new();
    for window in 0..u64::from(windows) {
        for tap in 0..usize::from(taps) {
            if let Some(at) = position(origin, window, stride, tap, dilation, size) {
                *reads.entry(at).or_default() += 1;
            }
        }
    }
    reads
}
