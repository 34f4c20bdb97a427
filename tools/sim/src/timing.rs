//! How long a task takes: a simple model for each kind of task, from the machine file alone.
//!
//! The result of a program never depends on anything here. Formulas are marked *assumed* where no source is known;
//! `⌈x⌉` is rounding up, bandwidths and latencies are the machine's fields of the same names.

use dpu_isa::{BinaryOp, Dtype};
use dpu_isa::{
    ConvInv, ConvVar, Machine, Method, PeKind, PoolInv, PoolVar, Space, UnaryOp, VecBinary, VecReduce,
    VecRescale, VecTable, VecUnary, WeightFormat,
};

use crate::report::Traffic;

/// What a task costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Cycles from start to end while nobody else uses the DRAM; at least 1.
    pub(crate) cycles: u64,
    /// Of these, cycles before the first byte moves.
    pub(crate) latency: u64,
    /// Cycles for which the DRAM channel is taken.
    pub(crate) dram: u64,
    /// Bytes moved, by memory.
    pub(crate) traffic: Traffic,
    /// Multiply-accumulates, taps in the padding included.
    pub(crate) macs: u64,
}

/// A slot register is filled in one cycle (*assumed*).
pub(crate) const INVARIANT: Cost = Cost { cycles: 1, latency: 0, dram: 0, traffic: Traffic::NONE, macs: 0 };

/// Product that saturates.
fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// Sides of a DMA task.
pub(crate) struct Transfer {
    /// The space read, if any.
    pub(crate) from: Option<Space>,
    /// The space written.
    pub(crate) to: Space,
    /// Bytes moved.
    pub(crate) bytes: u64,
    /// Pieces that are contiguous on all sides.
    pub(crate) rows: u64,
}

/// A DMA task takes `latency + max(⌈bytes / dma_bytes_per_cycle⌉, ⌈dram bytes / dram_bytes_per_cycle⌉, rows)`.
///
/// The latency is `dram_latency_cycles` if the DRAM is touched, else 0. A descriptor starts one row a cycle
/// (*assumed*). The DRAM channel is shared: it serves transfers one after the other in the order in which they
/// start (*assumed*), each for `⌈dram bytes / dram_bytes_per_cycle⌉` cycles; see [`end_of_transfer`].
pub(crate) fn dma(t: &Transfer, m: &Machine) -> Cost {
    let mut traffic = Traffic::NONE;
    match t.from {
        Some(Space::Dram) => traffic.dram_read = t.bytes,
        Some(Space::Sram) => traffic.sram_read = t.bytes,
        None => {}
    }
    match t.to {
        Space::Dram => traffic.dram_write = t.bytes,
        Space::Sram => traffic.sram_write = t.bytes,
    }
    let dram_bytes = traffic.dram_read.saturating_add(traffic.dram_write);
    let dram = per_cycle(dram_bytes, m.dram_bytes_per_cycle);
    let latency = if dram_bytes > 0 { u64::from(m.dram_latency_cycles) } else { 0 };
    let moving = per_cycle(t.bytes, m.dma_bytes_per_cycle).max(dram).max(t.rows);
    Cost { cycles: latency.saturating_add(moving).max(1), latency, dram, traffic, macs: 0 }
}

/// When a task that starts at `start` ends, if the DRAM channel is free from `channel` on; moves `channel`.
pub(crate) fn end_of_transfer(start: u64, cost: &Cost, channel: &mut u64) -> u64 {
    let alone = start.saturating_add(cost.cycles);
    if cost.dram == 0 {
        return alone;
    }
    let first_byte = start.saturating_add(cost.latency).max(*channel);
    *channel = first_byte.saturating_add(cost.dram);
    alone.max(*channel)
}

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
pub(crate) fn conv(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Cost {
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
    let passes = per_pe.div_ceil(u64::from(m.acc_per_pe.max(1)));
    let again = product([act.min(weights), passes.saturating_sub(1)]);
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    let mut loaded = act.saturating_add(weights).saturating_add(again);
    loaded = loaded.saturating_add(16 * u64::from(var.out_c));
    if var.acc_in {
        loaded = loaded.saturating_add(psum);
    }
    if inv.lut && !var.acc_out {
        loaded = loaded.saturating_add(256);
    }
    let stored = if var.acc_out { psum } else { outputs.saturating_mul(inv.out_dtype.bytes()) };
    let cycles = pipelined(loaded, compute, stored, outputs, m);
    let traffic = Traffic { sram_read: loaded, sram_write: stored, ..Traffic::NONE };
    Cost { cycles, latency: 0, dram: 0, traffic, macs }
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

/// Positions from the first to the last tap of a sliding window that lie in `0..size`.
fn span(origin: i32, windows: u32, stride: u16, taps: u16, dilation: u16, size: u32) -> u64 {
    let last = i64::from(origin)
        + i64::from(windows.saturating_sub(1)) * i64::from(stride)
        + i64::from(taps.saturating_sub(1)) * i64::from(dilation);
    let end = (last + 1).clamp(0, i64::from(size));
    u64::try_from(end - i64::from(origin).clamp(0, end)).unwrap_or(0)
}

/// Setup and the slowest of load, compute and drain.
fn pipelined(loaded: u64, compute: u64, stored: u64, outputs: u64, m: &Machine) -> u64 {
    let load = per_cycle(loaded, m.sram_read_bytes_per_cycle);
    let drain = per_cycle(stored, m.sram_write_bytes_per_cycle).max(per_cycle(outputs, m.ppe_per_cycle));
    u64::from(m.dpu_setup_cycles).saturating_add(load.max(compute).max(drain)).max(1)
}

/// A pooling variant takes `dpu_setup_cycles + max(load, compute, drain)`.
///
/// `compute = ⌈outputs / PEs⌉ · KY·KX`: every PE takes one tap a cycle (*assumed*, as depthwise). Load and drain are
/// those of a convolution without weights.
pub(crate) fn pool(inv: &PoolInv, var: &PoolVar, m: &Machine) -> Cost {
    let outputs = product([var.out_h, var.out_w, var.in_c].map(u64::from));
    let pes = product([m.rows, m.cols].map(u64::from));
    let compute = product([outputs.div_ceil(pes.max(1)), u64::from(var.kernel_h), u64::from(var.kernel_w)]);
    let rows = span(var.origin_y, var.out_h, inv.stride_y, var.kernel_h, 1, var.in_h);
    let pixels = span(var.origin_x, var.out_w, inv.stride_x, var.kernel_w, 1, var.in_w);
    let mut loaded = product([rows, pixels, u64::from(var.in_c), inv.dtype.bytes()]);
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    if var.acc_in {
        loaded = loaded.saturating_add(psum);
    }
    let stored = if var.acc_out { psum } else { outputs.saturating_mul(inv.dtype.bytes()) };
    let traffic = Traffic { sram_read: loaded, sram_write: stored, ..Traffic::NONE };
    Cost { cycles: pipelined(loaded, compute, stored, outputs, m), latency: 0, dram: 0, traffic, macs: 0 }
}

/// A vector task takes `vec_setup_cycles + ⌈elements / vec_lanes⌉ · factor`, whatever the element type.
///
/// `elements` are those of `dims` (the inputs of a reduction). The factor is in passes through the lanes, all
/// *assumed*: 1 for the operator, 2 for a product, 2 for every scaling, 1 for a lookup of bytes, 3 for an
/// interpolation.
fn vec(dims: &[u32; 6], factor: u64, read: u64, written: u64, m: &Machine) -> Cost {
    let elements = product(dims.map(u64::from));
    let cycles = product([per_cycle(elements, m.vec_lanes), factor]);
    let traffic = Traffic {
        sram_read: elements.saturating_mul(read),
        sram_write: elements.saturating_mul(written),
        ..Traffic::NONE
    };
    let cycles = u64::from(m.vec_setup_cycles).saturating_add(cycles).max(1);
    Cost { cycles, latency: 0, dram: 0, traffic, macs: 0 }
}

pub(crate) fn vec_binary(x: &VecBinary, m: &Machine) -> Cost {
    let op = match x.op {
        BinaryOp::Mul => 2,
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Max
        | BinaryOp::Min
        | BinaryOp::Asr
        | BinaryOp::AsrRound
        | BinaryOp::Lsl => 1,
    };
    let scales = [x.a_scale, x.b_scale, x.scale].map(|s| if s { 2 } else { 0 });
    let factor = op + scales.iter().sum::<u64>() + u64::from(x.lut);
    vec(&x.dims, factor, x.a_dtype.bytes() + x.b_dtype.bytes(), x.out_dtype.bytes(), m)
}

pub(crate) fn vec_unary(x: &VecUnary, m: &Machine) -> Cost {
    let factor = match x.op {
        UnaryOp::Copy | UnaryOp::Abs | UnaryOp::Negate | UnaryOp::Clz => 1,
    };
    vec(&x.dims, factor, x.src_dtype.bytes(), x.out_dtype.bytes(), m)
}

pub(crate) fn vec_rescale(x: &VecRescale, m: &Machine) -> Cost {
    vec(&x.dims, 2 + u64::from(x.lut), x.src_dtype.bytes(), x.out_dtype.bytes(), m)
}

pub(crate) fn vec_table(x: &VecTable, m: &Machine) -> Cost {
    let factor = if x.src_dtype == Dtype::I16 { 3 } else { 1 };
    vec(&x.dims, factor, x.src_dtype.bytes(), x.out_dtype().bytes(), m)
}

/// A reduction moves its inputs in and its outputs out (and in, if it accumulates).
pub(crate) fn vec_reduce(x: &VecReduce, m: &Machine) -> Cost {
    let mut cost = vec(&x.dims, 1, x.src_dtype.bytes(), 0, m);
    let outer = x.dims.iter().enumerate().filter(|(i, _)| *i != usize::from(x.axis));
    let outputs = product(outer.map(|(_, &d)| u64::from(d))).saturating_mul(x.out_dtype.bytes());
    cost.traffic.sram_write = outputs;
    if x.accumulate {
        cost.traffic.sram_read = cost.traffic.sram_read.saturating_add(outputs);
    }
    cost
}

/// `⌈amount / rate⌉`.
fn per_cycle(amount: u64, rate: u32) -> u64 {
    amount.div_ceil(u64::from(rate.max(1)))
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

    #[test]
    fn transfers_pay_latency_and_the_slowest_rate() {
        let m = Machine::flexnn_16x16();
        let load = Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1 };
        let cost = dma(&load, &m);
        assert_eq!((cost.cycles, cost.latency, cost.dram), (1240 + 100, 1240, 100));
        assert_eq!((cost.traffic.dram_read, cost.traffic.sram_write), (2100, 2100));
        let inside = Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 10 };
        assert_eq!(dma(&inside, &m).cycles, 10);
        let bytes = Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 320 };
        assert_eq!(dma(&bytes, &m).cycles, 320);
        let through = Transfer { from: Some(Space::Dram), to: Space::Dram, bytes: 2100, rows: 1 };
        assert_eq!(dma(&through, &m).cycles, 1240 + 200);
    }

    #[test]
    fn the_dram_channel_is_served_in_turn() {
        let m = Machine::flexnn_16x16();
        let load = dma(&Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1 }, &m);
        let mut channel = 0;
        assert_eq!(end_of_transfer(0, &load, &mut channel), 1340);
        // The second overlaps its latency but not its bytes.
        assert_eq!(end_of_transfer(10, &load, &mut channel), 1440);
        assert_eq!(end_of_transfer(5000, &load, &mut channel), 6340);
        let inside = dma(&Transfer { from: None, to: Space::Sram, bytes: 32, rows: 1 }, &m);
        assert_eq!(end_of_transfer(0, &inside, &mut channel), 1);
    }

    #[test]
    fn vectors_take_passes() {
        let m = Machine::flexnn_16x16();
        let x = VecBinary { dims: [1, 1, 1, 1, 8, 64], op: BinaryOp::Add, ..VecBinary::default() };
        assert_eq!(vec_binary(&x, &m).cycles, 32 + 8);
        let x = VecBinary { a_scale: true, b_scale: true, scale: true, ..x };
        assert_eq!(vec_binary(&x, &m).cycles, 32 + 7 * 8);
        let x = VecReduce { dims: [1, 1, 1, 1, 8, 64], axis: 4, ..VecReduce::default() };
        assert_eq!(vec_reduce(&x, &m).traffic, Traffic { sram_read: 512, sram_write: 64, ..Traffic::NONE });
    }

    #[test]
    fn spans_are_clipped() {
        assert_eq!(span(-1, 56, 1, 3, 1, 56), 56);
        assert_eq!(span(0, 4, 2, 1, 1, 100), 7);
        assert_eq!(span(-10, 2, 1, 3, 1, 100), 0);
        assert_eq!(span(98, 5, 1, 3, 1, 100), 2);
        assert_eq!(span(200, 5, 1, 3, 1, 100), 0);
        assert_eq!(
            span(i32::MAX, u32::MAX, 8192, 8192, 8192, u32::MAX),
            u64::from(u32::MAX) - i32::MAX as u64
        );
    }

    #[test]
    fn extreme_operands_saturate() {
        let m = Machine::flexnn_16x16();
        let n = u32::MAX;
        let var = ConvVar {
            out_h: n,
            out_w: n,
            out_c: n,
            in_c: n,
            in_h: n,
            in_w: n,
            kernel_h: 8192,
            ..ConvVar::default()
        };
        assert_eq!(conv(&ConvInv::default(), &var, &m).macs, u64::MAX);
        assert_eq!(
            vec_unary(&VecUnary { dims: [n; 6], ..VecUnary::default() }, &m).traffic.sram_read,
            u64::MAX
        );
    }
}
