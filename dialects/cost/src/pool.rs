//! Pooling variants.

use dpu_isa::{Dtype, Machine, PoolInv, PoolVar};

use crate::cut::Window;
use crate::pipeline::{Flow, Stage};
use crate::{Cost, Events, idle_lanes, product};

/// A pooling variant; the rules are those of "Pooling" in `docs/timing.md`.
#[must_use]
pub fn pool(inv: &PoolInv, var: &PoolVar, m: &Machine) -> Cost {
    let outputs = product([var.out_h, var.out_w, var.in_c].map(u64::from));
    let pes = product([m.rows, m.cols].map(u64::from)).max(1);
    let taps = product([var.kernel_h, var.kernel_w].map(u64::from));
    let window = |origin, stride, taps, input| Window { origin, stride, taps, dilation: 1, input };
    let rows = window(var.origin_y, inv.stride_y, var.kernel_h, var.in_h).span(var.out_h);
    let pixels = window(var.origin_x, inv.stride_x, var.kernel_w, var.in_w).span(var.out_w);
    let act = product([rows, pixels, u64::from(var.in_c), inv.dtype.bytes()]);
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    let psum_in = if var.acc_in { psum } else { 0 };
    let result = outputs.saturating_mul(inv.dtype.bytes());
    let (psum_out, out) = if var.acc_out { (psum, 0) } else { (0, result) };
    // Every PE computes one output at a time; reads and writes are spread evenly over the PEs.
    let blocks = outputs.div_ceil(pes).max(1);
    let each = |n: u64| n.div_ceil(blocks);
    let (loaded, stored) = (each(act.saturating_add(psum_in)), each(psum_out.max(out)));
    let mut flow = Flow::new(1, 0);
    let stage = Stage::new(loaded, taps, stored, each(outputs), m);
    flow.repeat(blocks, |flow| flow.add(&stage));
    let compute = product([blocks, taps]);
    let cycles = u64::from(m.dpu_setup_cycles).saturating_add(flow.cycles());
    let ops = product([outputs, taps]);
    let bytes = ops.saturating_mul(inv.dtype.bytes());
    let sums = ops.saturating_mul(Dtype::I32.bytes());
    let events = Events {
        lane_idle: idle_lanes(compute, 0, m),
        pe_steps: ops,
        pool_ops: ops,
        if_read: bytes,
        if_write: bytes,
        of_read: sums,
        of_write: sums,
        ppe_ops: if var.acc_out { 0 } else { outputs },
        sram_act_read: act,
        sram_psum_read: psum_in,
        sram_psum_write: psum_out,
        sram_out_write: out,
        ..Events::NONE
    };
    Cost::on_chip(cycles, 0, events)
}
