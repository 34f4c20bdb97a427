//! What the simulator counts for a layer: `dpu-cost` for its tiles, from the schedule alone.

use std::collections::BTreeMap;

use dpu_cost::Counts;
use dpu_isa::{ConvInv, ConvVar, Machine, Stationary};
use dpu_trace::Header;

use crate::drive::Section;
use crate::spec::Spec;

/// The counts of the tiles that were traced, as a whole. `None` where they depend on stride and size of the input, which traces do
/// not state (resident activations of windows of several taps), for traces that do not count zero activations, and for a tile that
/// the machine refuses.
pub(super) fn counts(spec: &Spec, sections: &[Section]) -> Option<Counts> {
    let tiles: BTreeMap<u32, &Header> =
        sections.iter().map(|s| (s.header.source.number, &s.header)).collect();
    let mut sum = Counts::default();
    for header in tiles.into_values() {
        let more = tile(spec, header)?;
        sum.macs_high = sum.macs_high.saturating_add(more.macs_high);
        sum.macs_low = sum.macs_low.saturating_add(more.macs_low);
        sum.events.add(&more.events);
    }
    Some(sum)
}

fn tile(spec: &Spec, header: &Header) -> Option<Counts> {
    let (conv, tile) = (&header.conv, &header.tile);
    // Windows of one tap share no pixel: there are as many as outputs, whatever the stride.
    if conv.stationary == Stationary::Input && (tile.kernel_h, tile.kernel_w) != (1, 1) {
        return None;
    }
    let inv = ConvInv {
        method: conv.method,
        block: conv.block,
        low: conv.low,
        param: conv.param,
        zero: conv.zero,
        in_zp: conv.in_zp,
        wt_zp: conv.wt_zp,
        stationary: conv.stationary,
        fold: conv.fold,
        sched_oc: conv.sched_oc,
        sched_oy: conv.sched_oy,
        sched_ox: conv.sched_ox,
        sched_ic: conv.sched_ic,
        block_oc: conv.block_oc,
        block_oy: conv.block_oy,
        block_ox: conv.block_ox,
        ..ConvInv::default()
    };
    let var = ConvVar {
        in_h: tile.out_h,
        in_w: tile.out_w,
        in_c: tile.in_c,
        kernel_h: tile.kernel_h,
        kernel_w: tile.kernel_w,
        out_h: tile.out_h,
        out_w: tile.out_w,
        out_c: tile.out_c,
        acc_in: tile.acc_in,
        acc_out: tile.acc_out,
        ..ConvVar::default()
    };
    let machine = Machine { pe_kind: spec.kind, ..header.machine.clone() };
    let mut cost = dpu_cost::conv(&inv, &var, &machine).ok()?;
    cost.events.act_zero = header.act_zero?;
    // Low members have their share of each block.
    let block = u64::from(conv.block.max(1));
    let low = if conv.method.is_packed() { cost.macs / block * u64::from(conv.low) } else { 0 };
    Some(cost.counts(low))
}
