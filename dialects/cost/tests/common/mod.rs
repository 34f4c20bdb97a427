//! Random layers with schedules on random machines, and their form in `strum-ref`.

use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Machine, Method, PeKind, Stationary, WeightFormat};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use strum_ref::array::{Array, Layer, Schedule, Stays};

/// Cases without a file of failures.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

prop_compose! {
    fn machine()(
        side in select(&[2, 4, 16]),
        pe_kind in select(&[PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic]),
        lanes in select(&[4, 8]),
        acc_per_pe in select(&[8, 64]),
        if_rf_bytes in select(&[16, 64, 4096]),
        fl_rf_bytes in select(&[16, 64, 4096]),
        sram_read_bytes_per_cycle in select(&[16, 64, 128]),
        sram_write_bytes_per_cycle in select(&[16, 128]),
        ppe_per_cycle in select(&[4, 64]),
    ) -> Machine {
        Machine {
            rows: side,
            cols: side,
            pe_kind,
            lanes,
            acc_per_pe,
            if_rf_bytes,
            fl_rf_bytes,
            sram_read_bytes_per_cycle,
            sram_write_bytes_per_cycle,
            ppe_per_cycle,
            ..Machine::flexnn_16x16()
        }
    }
}

/// Positions along an axis, with padding of up to two at either end that leaves every window a tap.
#[derive(Clone, Copy, Debug)]
struct Axis {
    stride: u16,
    dilation: u16,
    input: u32,
    outputs: u32,
    taps: u16,
    origin: i32,
}

prop_compose! {
    fn axis()(stride in 1..=3u16, dilation in 1..=2u16, outputs in 1..=20u32, taps in 1..=5u16)(
        stride in Just(stride),
        // The positions that windows of different stride and dilation read are counted from above.
        dilation in Just(if stride == 3 { 1 } else { dilation }),
        (outputs, taps) in (Just(outputs), Just(taps)),
        (before, after) in (any::<Index>(), any::<Index>()),
    ) -> Axis {
        let reach = (outputs - 1) * u32::from(stride) + u32::from((taps - 1) * dilation) + 1;
        let pad = u32::from((taps - 1) * dilation).min(2);
        let origin = before.index(pad as usize + 3) as i32 - pad.cast_signed();
        let input = reach.saturating_add_signed(origin).saturating_sub(after.index(pad as usize + 1) as u32);
        Axis { stride, dilation, input: input.max(1), outputs, taps, origin }
    }
}

prop_compose! {
    /// A split of this many PEs over channels, rows, columns and the tree.
    fn split(pes: u16, depthwise: bool)(
        tree in if depthwise { 0..=0 } else { 0..=pes.ilog2().min(4) },
        parts in prop::array::uniform3(any::<Index>()),
    ) -> [u16; 4] {
        let mut left = pes >> tree;
        let [oc, oy, ox] = parts.map(|part| {
            let part = part.index(left.into()) as u16 + 1;
            left /= part;
            part
        });
        [oc, oy, ox, 1 << tree]
    }
}

/// A field for which 0 leaves the choice to the machine.
fn field(max: u16) -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), 1..=max]
}

prop_compose! {
    fn invariant(pes: u16)(depthwise in prop::bool::weighted(0.25))(
        depthwise in Just(depthwise),
        method in select(&[Method::Dense, Method::Dense, Method::Sparse, Method::Mip2q]),
        (block, low) in select(&[(4, 2), (4, 3), (8, 4), (16, 4), (16, 8), (32, 16)]),
        lut in any::<bool>(),
        [sched_oc, sched_oy, sched_ox, sched_ic] in split(pes, depthwise),
        stationary in select(&[Stationary::Output, Stationary::Output, Stationary::Weight, Stationary::Input]),
        fold in prop::bool::weighted(1.0 / 3.0),
        (block_oc, block_oy, block_ox) in (field(4), field(4), field(8)),
    ) -> ConvInv {
        ConvInv {
            depthwise,
            method,
            block,
            low: if method == Method::Dense { 0 } else { low },
            param: if method == Method::Mip2q { 7 } else { 0 },
            lut,
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            stationary,
            fold: fold && !depthwise,
            block_oc,
            block_oy,
            block_ox,
            ..ConvInv::default()
        }
    }
}

prop_compose! {
    /// A layer with a schedule, both in the form of an instruction; not always legal.
    fn layer(m: Machine)(
        inv in invariant(u16::try_from(m.rows * m.cols).unwrap()),
        (y, x) in (axis(), axis()),
        (in_c, out_c, multiplier) in (1..=70u32, 1..=70u32, 1..=2u32),
        gap in prop::bool::weighted(1.0 / 3.0),
        (acc_in, acc_out) in (prop::bool::weighted(0.25), prop::bool::weighted(0.25)),
    ) -> (ConvInv, ConvVar) {
        let inv = ConvInv {
            stride_y: y.stride,
            stride_x: x.stride,
            dilation_y: y.dilation,
            dilation_x: x.dilation,
            ..inv
        };
        let var = ConvVar {
            in_h: y.input,
            in_w: x.input,
            in_c,
            act_pixel: if gap { in_c + 5 } else { in_c },
            origin_y: y.origin,
            origin_x: x.origin,
            kernel_h: y.taps,
            kernel_w: x.taps,
            out_h: y.outputs,
            out_w: x.outputs,
            out_c: if inv.depthwise { in_c * multiplier } else { out_c },
            acc_in,
            acc_out,
            ..ConvVar::default()
        };
        (inv, var)
    }
}

/// Layers with schedules, on machines; not always legal.
pub(crate) fn layers_on_machines() -> impl Strategy<Value = (Machine, (ConvInv, ConvVar))> {
    machine().prop_flat_map(|m| (Just(m.clone()), layer(m)))
}

/// A layer in the form of the models in `strum-ref`.
pub(crate) fn described(
    inv: &ConvInv,
    var: &ConvVar,
    m: &Machine,
    block: &Block,
) -> (Array, Layer, Schedule) {
    let pair = |a: u16, b: u16| [u64::from(a), u64::from(b)];
    let array = Array {
        lanes: m.lanes.into(),
        read: m.sram_read_bytes_per_cycle.into(),
        write: m.sram_write_bytes_per_cycle.into(),
        banks: u64::from(m.sram_banks * m.sram_granule),
        word: m.sram_granule.into(),
        ppe: m.ppe_per_cycle.into(),
        half_shift: m.pe_kind == PeKind::StrumStatic,
        chooses: m.pe_kind != PeKind::Dense,
        files: [m.if_rf_bytes.into(), m.fl_rf_bytes.into()],
    };
    let all = WeightFormat::all_sets_bytes(inv, var).unwrap();
    let layer = Layer {
        input: [var.in_h, var.in_w, var.in_c].map(u64::from),
        output: [var.out_h, var.out_w, var.out_c].map(u64::from),
        kernel: pair(var.kernel_h, var.kernel_w),
        stride: pair(inv.stride_y, inv.stride_x),
        dilation: pair(inv.dilation_y, inv.dilation_x),
        origin: [var.origin_y.into(), var.origin_x.into()],
        depthwise: inv.depthwise,
        set_bytes: if inv.depthwise { all } else { all / u64::from(var.out_c) },
        packed: if inv.method == Method::Dense { [1, 0] } else { [inv.block.into(), inv.low.into()] },
        gap: var.act_pixel != var.in_c && var.in_w > 1,
        lut: if inv.lut && !var.acc_out { 256 } else { 0 },
        sums_in: var.acc_in,
        out_bytes: if var.acc_out { 4 } else { inv.out_dtype.bytes() },
    };
    let schedule = Schedule {
        pes: [inv.sched_oc, inv.sched_oy, inv.sched_ox].map(u64::from),
        block: [block.oc, block.oy, block.ox],
        tree: inv.sched_ic.into(),
        stays: match inv.stationary {
            Stationary::Output => Stays::Sums,
            Stationary::Weight => Stays::Weights,
            Stationary::Input => Stays::Activations,
        },
        fold: inv.fold,
    };
    (array, layer, schedule)
}
