//! What PEs multiply, on random tiles, schedules and machines: independent sums, operands, order and counts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, PeKind, Stationary, WeightEntry};
use dpu_trace::{Conv, Vector};
use proptest::prelude::*;
use proptest::sample::select;
use strum_formats::{Format, InstrFields, decode_table};

use super::conv::{Case, PSUM, case};
use super::element;
use crate::exec::{Core, PeArray, Sink, conv_of};
use crate::testing::{get, put, run_task, sram_filled};

prop_compose! {
    fn schedule()(
        (sched_oc, sched_oy, sched_ox, ic) in (1..=4u16, 1..=3u16, 1..=4u16, 0..=3u32),
        stationary in select(&[Stationary::Output, Stationary::Weight, Stationary::Input]),
        (block_oc, block_oy, block_ox) in (0..=4u16, 0..=3u16, 0..=3u16),
        fold in any::<bool>(),
    ) -> ConvInv {
        ConvInv {
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic: 1 << ic,
            stationary,
            fold,
            block_oc,
            block_oy,
            block_ox,
            ..ConvInv::default()
        }
    }
}

prop_compose! {
    fn machine()(
        lanes in select(&[1u32, 4, 8, 8, 12, 16, 64]),
        (rows, cols) in select(&[(32, 16), (24, 16), (256, 2)]),
        acc_per_pe in select(&[64u32, 100]),
    ) -> Machine {
        let (if_rf_bytes, fl_rf_bytes) = (65536, 65536);
        let pe_kind = PeKind::StrumDynamic;
        Machine { lanes, rows, cols, acc_per_pe, if_rf_bytes, fl_rf_bytes, pe_kind, ..Machine::flexnn_16x16() }
    }
}

/// A tile that is not depthwise, with a schedule.
fn scheduled() -> impl Strategy<Value = (Case, Machine)> {
    let all = (case(), schedule(), machine()).prop_map(|(mut case, schedule, machine)| {
        let ConvInv { sched_oc, sched_oy, sched_ox, sched_ic, .. } = schedule;
        let ConvInv { stationary, fold, block_oc, block_oy, block_ox, .. } = schedule;
        case.inv = ConvInv {
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            stationary,
            fold,
            block_oc,
            block_oy,
            block_ox,
            ..case.inv
        };
        (case, machine)
    });
    all.prop_filter("the schedule fits, and is not depthwise", |(case, machine)| {
        !case.inv.depthwise && Block::of(&case.inv, &case.var, machine).is_ok()
    })
}

/// Keeps everything.
#[derive(Default)]
struct All(Vec<Vector>);

impl Sink for All {
    fn wants(&mut self, _pe: u16) -> bool {
        true
    }

    fn vector(&mut self, vector: &Vector) -> ControlFlow<()> {
        self.0.push(vector.clone());
        ControlFlow::Continue(())
    }
}

/// The values of stored weights by the packer's definition of codes, bit by bit.
fn values(conv: &Conv, word: &[u8], code_shift: u8) -> Vec<i32> {
    if conv.method == Method::Dense {
        return word.iter().map(|b| i32::from(b.cast_signed()) - i32::from(conv.wt_zp)).collect();
    }
    let Conv { method, block, low, param, zero, .. } = *conv;
    let fields = InstrFields { method: method as usize, block, low, param, zero };
    let table = decode_table(&Format::from_instr_fields(fields, code_shift).unwrap().method, code_shift);
    let code_bits = (method.desc().code_bits)(param) as usize;
    let mut at = 0;
    let bit = |at: usize| usize::from(word[at / 8] >> (at % 8) & 1);
    let take = |at: &mut usize, n: usize| {
        let code = (0..n).map(|i| bit(*at + i) << i).sum::<usize>();
        *at += n;
        code
    };
    let bits = usize::try_from(conv.format().block_bits()).unwrap();
    let mut all = Vec::new();
    for _ in 0..word.len() * 8 / bits {
        let stored = low != 0 && (low != block || code_bits == 0);
        let mask: Vec<bool> =
            (0..block).map(|_| if stored { take(&mut at, 1) == 1 } else { low == 0 }).collect();
        assert_eq!(mask.iter().filter(|high| !**high).count(), usize::from(low), "a legal block");
        let mut members = vec![0; usize::from(block)];
        for high in [true, false] {
            for (member, _) in members.iter_mut().zip(&mask).filter(|(_, is)| **is == high) {
                *member = match high {
                    true => i32::from((take(&mut at, 8) as u8).cast_signed()),
                    false => i32::from(table[take(&mut at, code_bits)].unwrap()),
                };
            }
        }
        all.extend(members);
    }
    all
}

/// The vectors of a sum, in the order of the reduction: each a list of taps and channels, and the PE of the tree that
/// multiplies it.
fn reduction(case: &Case, conv: &Conv, machine: &Machine) -> Vec<(Vec<(usize, usize)>, usize)> {
    let (kernel_h, kernel_w) = (usize::from(case.var.kernel_h), usize::from(case.var.kernel_w));
    let (channels, size) = (case.var.in_c as usize, conv.vector(machine.lanes) as usize);
    let runs: Vec<Vec<usize>> = match conv.fold {
        true => (0..kernel_h).map(|ky| (0..kernel_w).map(|kx| ky * kernel_w + kx).collect()).collect(),
        false => (0..kernel_h * kernel_w).map(|tap| vec![tap]).collect(),
    };
    let mut all = Vec::new();
    for run in runs {
        let places = |taps: &[usize]| -> Vec<(usize, usize)> {
            taps.iter().flat_map(|&tap| (0..channels).map(move |c| (tap, c))).collect()
        };
        let chunks: Vec<Vec<(usize, usize)>> = match conv.method {
            Method::Dense => places(&run).chunks(size).map(<[_]>::to_vec).collect(),
            Method::Sparse | Method::Dliq | Method::Mip2q => run
                .iter()
                .flat_map(|&tap| places(&[tap]).chunks(size).map(<[_]>::to_vec).collect::<Vec<_>>())
                .collect(),
        };
        all.extend(chunks.into_iter().enumerate().map(|(n, chunk)| (chunk, n % usize::from(conv.sched_ic))));
    }
    all
}

/// The activation of a tap, if it does not lie in the padding.
fn act(case: &Case, [_, oy, ox]: [u32; 3], tap: usize, channel: usize) -> Option<i16> {
    let (inv, var) = (&case.inv, &case.var);
    let (ky, kx) = (tap / usize::from(var.kernel_w), tap % usize::from(var.kernel_w));
    let at = |origin: i32, o: u32, stride: u16, k: usize, dilation: u16| {
        i64::from(origin) + i64::from(o) * i64::from(stride) + k as i64 * i64::from(dilation)
    };
    let y = at(var.origin_y, oy, inv.stride_y, ky, inv.dilation_y);
    let x = at(var.origin_x, ox, inv.stride_x, kx, inv.dilation_x);
    let inside = (0..i64::from(var.in_h)).contains(&y) && (0..i64::from(var.in_w)).contains(&x);
    let byte = y * i64::from(var.act_row) + x * i64::from(var.act_pixel) + channel as i64;
    inside.then(|| i16::from(case.act[byte as usize].cast_signed()))
}

/// Operands and sums of a vector, which is number `n` of its PE for this output.
fn check_operands(case: &Case, conv: &Conv, vector: &Vector, places: &[(usize, usize)]) {
    let inv = &case.inv;
    let weights = values(conv, &vector.word, vector.code_shift);
    let taps = usize::from(case.var.kernel_h) * usize::from(case.var.kernel_w);
    let mut sum = 0i32;
    for (i, (&x, &w)) in vector.acts.iter().zip(&weights).enumerate() {
        sum = sum.wrapping_add((i32::from(x) - i32::from(inv.in_zp)) * w);
        let Some(&(tap, channel)) = places.get(i) else {
            assert_eq!(x, inv.in_zp, "beyond the last channel");
            assert!(conv.method != Method::Dense || w == 0);
            continue;
        };
        assert_eq!(x, act(case, vector.output, tap, channel).unwrap_or(inv.in_zp), "{vector:?}");
        let index = (vector.output[0] as usize * taps + tap) * case.var.in_c as usize + channel;
        assert_eq!(w, case.weights[index], "{vector:?}");
    }
    assert_eq!(vector.after, vector.before.wrapping_add(sum));
    assert_eq!(vector.code_shift, case.entries[vector.output[0] as usize].code_shift);
}

/// The order of a PE's vectors: blocks, vectors of the reduction, then channels and positions, or with resident activations
/// positions and channels.
fn check_order(conv: &Conv, numbered: &[(usize, &Vector)]) {
    let size =
        [(conv.sched_oc, conv.block_oc), (conv.sched_oy, conv.block_oy), (conv.sched_ox, conv.block_ox)]
            .map(|(pes, held)| u32::from(pes) * u32::from(held));
    let key = |&(n, vector): &(usize, &Vector)| {
        let [c, y, x] = vector.output;
        let [bc, by, bx] = [c / size[0], y / size[1], x / size[2]];
        match conv.stationary {
            Stationary::Output | Stationary::Weight => (bc, by, bx, n, c, y, x),
            Stationary::Input => (by, bx, bc, n, y, x, c),
        }
    };
    assert!(numbered.is_sorted_by(|a, b| key(a) < key(b)), "{conv:?}");
}

/// PE and accumulator of an output: every dimension of a block is divided among the PEs in order, and what a PE has of it is
/// numbered.
fn check_place(case: &Case, conv: &Conv, vector: &Vector) {
    let var = &case.var;
    let axes = [
        (var.out_c, conv.sched_oc, conv.block_oc),
        (var.out_h, conv.sched_oy, conv.block_oy),
        (var.out_w, conv.sched_ox, conv.block_ox),
    ];
    let (mut pe, mut accumulator) = (0, 0);
    for ((extent, pes, held), &at) in axes.iter().zip(&vector.output) {
        let (pes, size) = (u32::from(*pes), u32::from(*pes) * u32::from(*held));
        let block = (extent - at / size * size).min(size);
        let share = block.div_ceil(pes);
        let (digit, within) = (at % size / share, at % size % share);
        let own = share.min(block - digit * share);
        (pe, accumulator) = (pe * pes + digit, accumulator * own + within);
    }
    assert_eq!((u32::from(vector.pe / conv.sched_ic), u32::from(vector.accumulator)), (pe, accumulator));
}

/// Steps that `dpu-cost` counts for a PE, of what its trace has: the PEs of a tree step together.
fn steps(case: &Case, conv: &Conv, machine: &Machine) -> u64 {
    let (lanes, trees) = (u64::from(machine.lanes), u64::from(conv.sched_ic));
    let mut of_run: BTreeMap<usize, u64> = BTreeMap::new();
    for (places, _) in reduction(case, conv, machine) {
        let tap = places[0].0;
        let run = if conv.fold { tap / usize::from(case.var.kernel_w) } else { tap };
        *of_run.entry(run).or_default() += (places.len() as u64).div_ceil(lanes);
    }
    of_run.values().map(|steps| steps.next_multiple_of(trees)).sum()
}

fn check(case: &Case, machine: &Machine, conv: &Conv, vectors: &[Vector], sums: &[i32]) {
    let (var, tree) = (&case.var, conv.sched_ic);
    let reduction = reduction(case, conv, machine);
    let mut pes: BTreeMap<u16, Vec<(usize, &Vector)>> = BTreeMap::new();
    let mut seen: BTreeMap<([u32; 3], u16), Vec<&Vector>> = BTreeMap::new();
    for vector in vectors {
        let so_far = seen.entry((vector.output, vector.pe)).or_default();
        pes.entry(vector.pe).or_default().push((so_far.len(), vector));
        so_far.push(vector);
    }
    pes.values().for_each(|numbered| check_order(conv, numbered));
    let mut groups: BTreeMap<[u32; 3], (u16, i32)> = BTreeMap::new();
    for ((output, pe), own) in &seen {
        let places: Vec<_> = reduction.iter().filter(|(_, part)| *part == usize::from(pe % tree)).collect();
        assert_eq!(own.len(), places.len(), "every vector once");
        for (n, (vector, (places, _))) in own.iter().zip(places).enumerate() {
            assert_eq!((vector.first, vector.last), (n == 0, n + 1 == own.len()));
            let output = output.map(|n| n as usize);
            let at = (output[1] * var.out_w as usize + output[2]) * var.out_c as usize + output[0];
            let start = if var.acc_in && pe % tree == 0 { case.psum[at] } else { 0 };
            assert_eq!(vector.before, if n == 0 { start } else { own[n - 1].after });
            check_place(case, conv, vector);
            check_operands(case, conv, vector, places);
        }
        let group = groups.entry(*output).or_insert((pe / tree, 0));
        assert_eq!(group.0, pe / tree, "one tree");
        group.1 = group.1.wrapping_add(own.last().unwrap().after);
    }
    assert_eq!(groups.len() as u64, u64::from(var.out_h) * u64::from(var.out_w) * u64::from(var.out_c));
    for (&[c, y, x], &(_, sum)) in &groups {
        assert_eq!(sum, case.acc(y.into(), x.into(), c.into()));
        assert_eq!(sum, sums[((y * var.out_w + x) * var.out_c + c) as usize]);
    }
}

/// The sums that the golden path stores, computed without a schedule.
fn golden(case: &Case, core: &mut Core) -> Vec<i32> {
    let inv = ConvInv {
        sched_oc: 1,
        sched_oy: 1,
        sched_ox: 1,
        sched_ic: 1,
        block_oc: 1,
        block_oy: 1,
        block_ox: 1,
        fold: false,
        stationary: Stationary::Output,
        ..case.inv
    };
    core.set_kernel(None, 1);
    run_task(&inv, core).unwrap();
    run_task(&case.var, core).unwrap();
    let stored = get(core, PSUM, 4 * case.psum.len());
    (0..case.psum.len()).map(|i| element(stored, 4 * i, Dtype::I32)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pes_multiply_everything_once_and_in_order((mut case, machine) in scheduled()) {
        case.var.acc_out = true;
        let mut core = case.core();
        put(&mut core, PSUM, &case.psum.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let conv = conv_of(&case.inv, &case.var, &machine).unwrap();
        let mut all = All::default();
        let array = PeArray::new((&case.inv, &case.var), &conv, &machine, &core.memory).unwrap();
        let pes: Vec<u16> = (0..u16::try_from(machine.rows * machine.cols).unwrap()).collect();
        array.run(&pes, &mut all).unwrap();
        check(&case, &machine, &conv, &all.0, &golden(&case, &mut core));
        // Where lanes hold whole blocks, or blocks fill whole steps, the cost model counts the same steps.
        let (lanes, w) = (machine.lanes, u32::from(conv.block));
        let whole = (lanes % w == 0 || w % lanes == 0) && (!conv.fold || case.var.in_c % lanes == 0);
        if whole || !conv.method.is_packed() {
            let cost = dpu_cost::conv(&case.inv, &case.var, &machine).unwrap();
            let outputs = u64::from(case.var.out_h * case.var.out_w * case.var.out_c);
            prop_assert_eq!(cost.events.pe_steps, outputs * steps(&case, &conv, &machine));
        }
    }
}

#[test]
fn illegal_weights_are_a_fault() {
    let inv = ConvInv { method: Method::Sparse, block: 4, low: 2, ..ConvInv::default() };
    let var = ConvVar { in_c: 4, weights: 16, table: 32, ..ConvVar::default() };
    let mut core = sram_filled(&[]);
    put(&mut core, 32, &WeightEntry::default().encode());
    put(&mut core, 16, &[0x0f]);
    let machine = Machine::flexnn_16x16();
    let conv = conv_of(&inv, &var, &machine).unwrap();
    let array = PeArray::new((&inv, &var), &conv, &machine, &core.memory).unwrap();
    let fault = array.run(&[0], &mut All::default()).unwrap_err();
    assert!(fault.detail.contains("mask 0xf has 4 high members, expected 2"), "{}", fault.detail);
}
