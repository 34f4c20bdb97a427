//! Pooling variants.

use dpu_isa::{Dtype, Machine, PoolInv, PoolVar};

use super::{Cost, Events, idle_lanes, pipelined, product, span};

/// A pooling variant takes `dpu_setup_cycles + max(load, compute, drain)`.
///
/// `compute = ⌈outputs / PEs⌉ · KY·KX`: every PE takes one tap a cycle (*assumed*, as depthwise). Load and drain are
/// those of a convolution without weights.
#[must_use]
pub fn pool(inv: &PoolInv, var: &PoolVar, m: &Machine) -> Cost {
    let outputs = product([var.out_h, var.out_w, var.in_c].map(u64::from));
    let pes = product([m.rows, m.cols].map(u64::from));
    let compute = product([outputs.div_ceil(pes.max(1)), u64::from(var.kernel_h), u64::from(var.kernel_w)]);
    let rows = span(var.origin_y, var.out_h, inv.stride_y, var.kernel_h, 1, var.in_h);
    let pixels = span(var.origin_x, var.out_w, inv.stride_x, var.kernel_w, 1, var.in_w);
    let act = product([rows, pixels, u64::from(var.in_c), inv.dtype.bytes()]);
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    let psum_in = if var.acc_in { psum } else { 0 };
    let result = outputs.saturating_mul(inv.dtype.bytes());
    let (psum_out, out) = if var.acc_out { (psum, 0) } else { (0, result) };
    let ops = product([outputs, u64::from(var.kernel_h), u64::from(var.kernel_w)]);
    let cycles = pipelined(act.saturating_add(psum_in), compute, psum_out.max(out), outputs, m);
    let taps = ops.saturating_mul(inv.dtype.bytes());
    let sums = ops.saturating_mul(Dtype::I32.bytes());
    let events = Events {
        lane_idle: idle_lanes(compute, 0, m),
        pe_steps: ops,
        pool_ops: ops,
        if_read: taps,
        if_write: taps,
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
