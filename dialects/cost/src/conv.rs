//! Convolution variants.

use dpu_isa::weights::ENTRY_BYTES;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, PeKind, WeightFormat};

use super::{Cost, Events, Low, idle_lanes, pipelined, product, span};

/// A convolution variant takes `dpu_setup_cycles + max(load, compute, drain)`: the three are pipelined.
///
/// - `compute = ⌈OC/sched_oc⌉·⌈OY/sched_oy⌉·⌈OX/sched_ox⌉ · KY·KX · steps + log2(sched_ic)`, the last for filling the
///   adder tree. `steps = ⌈IC / (lanes·sched_ic)⌉`; depthwise has nothing to add over channels, so each PE does
///   one MAC a cycle: `steps = 1` (depthwise at a lanes-th of the rate is \[npu-src\]).
/// - On `strum-static` PEs only half of the lanes multiply: `steps = ⌈2·IC / (lanes·sched_ic)⌉` for `dense`, and
///   `⌈2·max(w−low, low)·IC / (w·lanes·sched_ic)⌉` for packed weights, high and low members side by side
///   (*assumed*, also for `sparse` and `dliq`). Depthwise `steps` double unless packed.
/// - `load = ⌈loaded bytes / sram_read_bytes_per_cycle⌉`. A PE holds `acc_per_pe` outputs, so the tile takes
///   `passes = ⌈outputs of a PE / acc_per_pe⌉`; activations and weights are read once, and the smaller of the two
///   again for every further pass (*assumed*). Table, lookup table and incoming partial sums are read once.
/// - `drain = max(⌈written bytes / sram_write_bytes_per_cycle⌉, ⌈outputs / ppe_per_cycle⌉)`.
#[must_use]
pub fn conv(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Cost {
    let outputs = product([var.out_h, var.out_w, var.out_c].map(u64::from));
    let taps = product([var.kernel_h, var.kernel_w].map(u64::from));
    let depth = if inv.depthwise { 1 } else { u64::from(var.in_c) };
    let macs = product([outputs, taps, depth]);

    let share = |n: u32, by: u16| u64::from(n).div_ceil(u64::from(by.max(1)));
    let per_pe = product([
        share(var.out_c, inv.sched_oc),
        share(var.out_h, inv.sched_oy),
        share(var.out_w, inv.sched_ox),
    ]);
    let tree = u64::from(inv.sched_ic.max(1).ilog2());
    let compute = product([per_pe, taps, steps(inv, depth, m)]).saturating_add(tree);

    let act = touched_act_bytes(inv, var);
    let weights = WeightFormat::all_sets_bytes(inv, var).unwrap_or(u64::MAX);
    let again = per_pe.div_ceil(u64::from(m.acc_per_pe.max(1)));
    let (acts, sets) =
        if act <= weights { (product([act, again]), weights) } else { (act, product([weights, again])) };
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    let psum_in = if var.acc_in { psum } else { 0 };
    let lut = if inv.lut && !var.acc_out { 256 } else { 0 };
    let tables = ENTRY_BYTES.saturating_mul(u64::from(var.out_c)).saturating_add(lut);
    let result = outputs.saturating_mul(inv.out_dtype.bytes());
    let (psum_out, out) = if var.acc_out { (psum, 0) } else { (0, result) };
    let loaded = [acts, sets, tables, psum_in].into_iter().fold(0, u64::saturating_add);
    let cycles = pipelined(loaded, compute, psum_out.max(out), outputs, m);
    let events = Events {
        lane_idle: idle_lanes(compute, macs, m),
        ppe_ops: if var.acc_out { 0 } else { outputs },
        sram_act_read: acts,
        sram_weight_read: sets,
        packed_weight_read: if inv.method == Method::Dense { 0 } else { sets },
        sram_table_read: tables,
        sram_psum_read: psum_in,
        sram_psum_write: psum_out,
        sram_out_write: out,
        ..register_files(inv, var, m)
    };
    let low = match inv.method {
        Method::Dense | Method::Sparse => Low::Zero,
        Method::Dliq => Low::Product(inv.param),
        Method::Mip2q => Low::Shift,
    };
    Cost { low, ..Cost::on_chip(cycles, macs, events) }
}

/// Accesses of the register files and the adder trees.
///
/// - A lane reads an activation and a decoded weight, a byte each, for every product. A PE adds its lanes up and
///   adds the sum to an accumulator: it reads and writes 4 bytes a step.
/// - A PE works on a block of its outputs at a time, as many channels as half of the filter register file holds
///   vectors of `lanes` weights, and as many positions as accumulators are left. An activation that it is given serves
///   all channels of the block, a weight all positions.
fn register_files(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Events {
    let channels = u64::from(var.out_c);
    let positions = product([var.out_h, var.out_w].map(u64::from));
    let taps = product([var.kernel_h, var.kernel_w].map(u64::from));
    let depth = if inv.depthwise { 1 } else { u64::from(var.in_c) };
    let products = product([channels, positions, taps, depth]);
    let split = u64::from(inv.sched_ic.max(1));
    let lanes = if inv.depthwise { 1 } else { u64::from(m.lanes.max(1)) };
    let steps = product([channels, positions, taps, split, depth.div_ceil(split).div_ceil(lanes)]);

    let share = |n: u32, by: u16| u64::from(n).div_ceil(u64::from(by.max(1)));
    let own = share(var.out_c, inv.sched_oc);
    let block_oc = (u64::from(m.fl_rf_bytes) / 2 / lanes).clamp(1, own.max(1));
    let own_positions = product([share(var.out_h, inv.sched_oy), share(var.out_w, inv.sched_ox)]);
    let block_positions = (u64::from(m.acc_per_pe) / block_oc).clamp(1, own_positions.max(1));
    let sums = steps.saturating_mul(Dtype::I32.bytes());
    Events {
        pe_steps: steps,
        if_read: products,
        if_write: products / if inv.depthwise { 1 } else { block_oc },
        fl_read: products,
        fl_write: products / block_positions,
        of_read: sums,
        of_write: sums,
        tree_adds: product([channels, positions, split - 1]),
        ..Events::NONE
    }
}

/// Cycles of one tap of one output.
fn steps(inv: &ConvInv, depth: u64, m: &Machine) -> u64 {
    let halves = match (m.pe_kind, inv.method) {
        (PeKind::Dense | PeKind::StrumDynamic, _) => (1, 1),
        (PeKind::StrumStatic, Method::Dense) => (2, 1),
        (PeKind::StrumStatic, Method::Sparse | Method::Dliq | Method::Mip2q) => {
            let (w, low) = (u64::from(inv.block.max(1)), u64::from(inv.low));
            (2 * w.saturating_sub(low).max(low), w)
        }
    };
    if inv.depthwise {
        return if halves == (2, 1) { 2 } else { 1 };
    }
    let lanes = product([u64::from(m.lanes), u64::from(inv.sched_ic.max(1)), halves.1]);
    depth.saturating_mul(halves.0).div_ceil(lanes.max(1))
}

/// Bytes of the rows and pixels between the first and the last tap, clipped to the tile.
fn touched_act_bytes(inv: &ConvInv, var: &ConvVar) -> u64 {
    let rows = span(var.origin_y, var.out_h, inv.stride_y, var.kernel_h, inv.dilation_y, var.in_h);
    let pixels = span(var.origin_x, var.out_w, inv.stride_x, var.kernel_w, inv.dilation_x, var.in_w);
    product([rows, pixels, u64::from(var.in_c)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv_56(method: Method) -> (ConvInv, ConvVar) {
        let inv = ConvInv {
            method,
            block: 16,
            low: if method == Method::Dense { 0 } else { 8 },
            param: if method == Method::Mip2q { 7 } else { 0 },
            sched_oc: 16,
            sched_oy: 4,
            sched_ox: 4,
            ..ConvInv::default()
        };
        let var = ConvVar {
            in_h: 16,
            in_w: 56,
            in_c: 64,
            origin_y: -1,
            origin_x: -1,
            kernel_h: 3,
            kernel_w: 3,
            out_h: 16,
            out_w: 56,
            out_c: 64,
            ..ConvVar::default()
        };
        (inv, var)
    }

    #[test]
    fn a_full_array_computes_2048_macs_a_cycle() {
        let m = Machine::flexnn_16x16();
        let (inv, var) = conv_56(Method::Dense);
        let cost = conv(&inv, &var, &m);
        assert_eq!(cost.macs, 16 * 56 * 64 * 576);
        assert_eq!(cost.cycles, 32 + cost.macs / 2048);
        // 224 outputs a PE in 4 passes: 36,864 bytes of weights are the smaller side and come 4 times.
        assert_eq!(cost.traffic.sram_read, 16 * 56 * 64 + 4 * 36864 + 1024);
        assert_eq!(cost.traffic.sram_write, 16 * 56 * 64);
    }

    #[test]
    fn an_adder_tree_splits_the_input_channels() {
        let m = Machine::flexnn_16x16();
        let (mut inv, var) = conv_56(Method::Dense);
        (inv.sched_oc, inv.sched_ic) = (2, 8);
        assert_eq!(conv(&inv, &var, &m).cycles, 32 + 16 * 56 * 64 * 576 / 2048 + 3);
    }

    #[test]
    fn static_pes_halve_dense_and_keep_half_packed() {
        let m = Machine { pe_kind: PeKind::StrumStatic, ..Machine::flexnn_16x16() };
        let compute = |method, low| {
            let (mut inv, var) = conv_56(method);
            inv.low = low;
            conv(&inv, &var, &m).cycles - 32
        };
        let full = 16 * 56 * 64 * 576 / 2048;
        assert_eq!(compute(Method::Dense, 0), 2 * full);
        assert_eq!(compute(Method::Mip2q, 8), full);
        assert_eq!(compute(Method::Mip2q, 4), full * 3 / 2);
        assert_eq!(compute(Method::Mip2q, 12), full * 3 / 2);
    }
}
