//! What happens in a driven PE, counted as `dpu-cost` counts it, but lane by lane: products beyond a layer's last channel count.

use std::collections::BTreeSet;

use dpu_cost::{Counts, Events};
use strum_formats::Kind;

use crate::drive::Schedule;
use crate::spec::Spec;
use crate::stimulus::Stimulus;

/// The counts of a stimulus of level `pe`.
pub(super) fn counts(spec: &Spec, schedule: &Schedule, stimulus: &Stimulus) -> Counts {
    let mut counts = Counts::default();
    let low = u64::from(spec.low_lanes());
    let mut before: Option<(usize, &crate::drive::Step)> = None;
    for planned in &schedule.steps {
        let (Some(entry), Some(step)) = (schedule.entries.get(planned.entry), schedule.operands(planned))
        else {
            continue;
        };
        // A static PE's low lanes idle in a plain step.
        let idle = spec.packed() && !entry.packed && spec.kind == dpu_isa::PeKind::StrumStatic;
        let lanes = u64::from(if idle { spec.high_lanes() } else { spec.lanes });
        let own_low = if entry.packed { low } else { 0 };
        // High members are first; those that are dropped are no products.
        let products = if spec.format.method.kind() == Kind::Sparse { lanes - own_low } else { lanes };
        let now = Now {
            low: own_low,
            lanes,
            packed: entry.packed,
            zeros: step.acts.iter().take(products as usize).filter(|&&act| act == 0).count() as u64,
            acts: before.is_some_and(|(_, b)| b.acts == step.acts),
            weights: before.is_some_and(|(_, b)| b.high == step.high && b.low == step.low),
            if_entry: before
                .is_some_and(|(e, _)| schedule.entries.get(e).is_some_and(|e| e.acts == entry.acts)),
            fl_entry: before
                .is_some_and(|(e, _)| schedule.entries.get(e).is_some_and(|e| e.word == entry.word)),
        };
        step_counts(spec, &now, &mut counts);
        before = Some((planned.entry, step));
    }
    let vector = u64::from(spec.vector());
    // Bytes are counted once; an entry that did not stay is written, as an entry, again.
    let distinct: BTreeSet<_> = schedule
        .entries
        .iter()
        .zip(&schedule.origins)
        .map(|(entry, [acts, _])| (acts, &entry.acts))
        .collect();
    counts.events.if_write = distinct.len() as u64 * vector;
    let fills = writes(stimulus, "fl_write_enable");
    counts.events.fl_write = fills * vector;
    counts.events.if_entries = writes(stimulus, "if_write_enable");
    counts.events.fl_entries = fills;
    counts.events.packed_blocks = if spec.packed() { fills * u64::from(spec.blocks()) } else { 0 };
    counts.cycles = stimulus.cycles.len() as u64;
    counts
}

/// A step.
struct Now {
    /// Products with low members.
    low: u64,
    /// Products.
    lanes: u64,
    packed: bool,
    /// Products with a zero activation.
    zeros: u64,
    /// What is as in the step before.
    acts: bool,
    weights: bool,
    if_entry: bool,
    fl_entry: bool,
}

fn step_counts(spec: &Spec, now: &Now, counts: &mut Counts) {
    let held = |on: bool, n: u64| if on { n } else { 0 };
    let kind = spec.format.method.kind();
    let e: &mut Events = &mut counts.events;
    e.pe_steps += 1;
    e.steps_held += held(now.weights, 1);
    e.of_read += 4;
    e.of_write += 4;
    counts.macs_high += now.lanes - now.low;
    counts.macs_low += now.low;
    let products = if kind == Kind::Sparse { now.lanes - now.low } else { now.lanes };
    e.if_read += products;
    e.fl_read += products;
    e.if_held += held(now.if_entry, products);
    e.fl_held += held(now.fl_entry, products);
    e.act_held += held(now.acts && !now.packed, products);
    e.weight_held += held(now.weights, products);
    e.act_zero += now.zeros;
    if spec.packed() {
        // A plain step has the mask of every plain step, and idle lanes choose as well.
        let chosen = if now.packed { products } else { u64::from(spec.lanes) };
        e.routed += chosen;
        e.routed_held += held(now.weights || !now.packed, chosen);
    }
    match kind {
        Kind::Mip2q => {
            e.low_shifts += now.low;
            e.low_shifts_weight_held += held(now.weights, now.low);
        }
        Kind::Dliq => {
            let bits = now.low * u64::from(spec.code_bits());
            e.low_products += now.low;
            e.low_product_bits += bits;
            e.low_products_weight_held += held(now.weights, now.low);
            e.low_product_bits_weight_held += held(now.weights, bits);
        }
        Kind::Sparse | Kind::Dense => e.low_zeros += now.low,
    }
}

/// Cycles in which a control is set.
fn writes(stimulus: &Stimulus, name: &str) -> u64 {
    let mut at = 0;
    for port in &stimulus.ports {
        if port.name == name {
            return stimulus.cycles.iter().filter(|c| c.words.get(at).is_some_and(|w| w & 1 == 1)).count()
                as u64;
        }
        at += port.bits.div_ceil(64) as usize;
    }
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use dpu_isa::{Machine, Manifest, PeKind, Stationary};
    use dpu_trace::{Conv, Header, Source, Tile, Vector};
    use strum_formats::Format;

    use super::*;
    use crate::characterise::model;
    use crate::drive::{self, Section};
    use crate::spec::Level;
    use crate::units;

    /// The trace of the only PE that works on a layer of one row: 8 channels, plain weights, windows of this many adjacent
    /// pixels. `block` has the output channels and columns that the PE accumulates at a time.
    fn layer(
        machine: &Machine,
        [out_c, out_w]: [u16; 2],
        block: [u16; 2],
        stationary: Stationary,
        taps: u16,
    ) -> Section {
        let conv = Conv {
            stationary,
            sched_oc: 1,
            sched_oy: 1,
            sched_ox: 1,
            sched_ic: 1,
            block_oc: block[0],
            block_oy: 1,
            block_ox: block[1],
            ..Conv::default()
        };
        let [channels, columns] = [out_c, out_w].map(u32::from);
        let tile = Tile {
            in_c: 8,
            kernel_h: 1,
            kernel_w: taps,
            out_h: 1,
            out_w: columns,
            out_c: channels,
            ..Tile::default()
        };
        let mut vectors = Vec::new();
        for start in (0..out_w).step_by(block[1].into()) {
            let mut sums = vec![0i32; usize::from(out_c * block[1])];
            for tap in 0..taps {
                let mut outputs: Vec<(u16, u16)> =
                    (0..out_c).flat_map(|c| (0..block[1]).map(move |x| (c, x))).collect();
                if stationary == Stationary::Input {
                    outputs.sort_by_key(|&(channel, column)| (column, channel));
                }
                for (channel, column) in outputs {
                    let accumulator = channel * block[1] + column;
                    let pixel = start + column + tap;
                    let acts: Vec<i16> = (0..8).map(|i| (pixel * 8 + i) as i16 % 127).collect();
                    let word: Vec<u8> = (0..8).map(|i| (channel * 3 + tap) as u8 + i).collect();
                    let sum = &mut sums[usize::from(accumulator)];
                    let before = *sum;
                    *sum += acts.iter().zip(&word).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum::<i32>();
                    vectors.push(Vector {
                        pe: 0,
                        first: tap == 0,
                        last: tap + 1 == taps,
                        accumulator,
                        output: [channel.into(), 0, (start + column).into()],
                        code_shift: 0,
                        acts,
                        word,
                        before,
                        after: *sum,
                    });
                }
            }
        }
        // The PE has all outputs, each product once.
        let zeros = vectors.iter().flat_map(|vector| &vector.acts).filter(|&&act| act == 0).count() as u64;
        Section { header: Header { act_zero: Some(zeros), ..header(machine, conv, tile) }, vectors }
    }

    fn header(machine: &Machine, conv: Conv, tile: Tile) -> Header {
        Header {
            machine: machine.clone(),
            manifest: Manifest::default(),
            layer: "a".into(),
            source: Source::default(),
            conv,
            tile,
            vector: 8,
            word_bytes: 8,
            pes: vec![0],
            limit: u64::MAX,
            act_zero: Some(0),
        }
    }

    #[test]
    fn register_files_are_written_as_the_simulator_counts() {
        let machine = Machine { pe_kind: PeKind::Dense, ..Machine::flexnn_16x16() };
        let spec = Spec { level: Level::Pe, ..Spec::of(&machine, Format::DENSE) };
        for (outputs, block, stationary, taps) in [
            ([2, 8], [2, 8], Stationary::Output, 3),
            // The second block has the same weights, and they are written again.
            ([2, 8], [2, 4], Stationary::Output, 3),
            // A block's vectors do not fit: every channel writes them again.
            ([3, 16], [3, 16], Stationary::Output, 3),
            // Resident weights stay for both blocks.
            ([1, 8], [1, 4], Stationary::Weight, 3),
            // Resident activations, and weights for each of two blocks.
            ([2, 8], [2, 4], Stationary::Input, 1),
        ] {
            let sections = [layer(&machine, outputs, block, stationary, taps)];
            let schedule = Schedule::of(&spec, &sections).unwrap();
            let stimulus = drive::counted(&spec, &units::top(&spec), &schedule).unwrap();
            let driven = counts(&spec, &schedule, &stimulus).events;
            let model = model::counts(&spec, &sections).unwrap().events;
            let of = |e: &Events| [e.pe_steps, e.if_write, e.if_entries, e.fl_write, e.fl_entries];
            assert_eq!(of(&driven), of(&model), "{outputs:?} {block:?} {stationary:?}");
            // A PE that is driven by contents alone does not write again what windows share, as long as it stays.
            let stimulus = drive::stimulus(&spec, &units::top(&spec), &sections).unwrap();
            let by_contents = counts(&spec, &schedule, &stimulus).events.if_entries;
            let shares = taps > 1 && block[1] <= 8;
            assert_eq!(by_contents < driven.if_entries, shares, "{by_contents}");
        }
    }

    #[test]
    fn held_operands_and_zero_activations_are_those_of_the_simulator() {
        let format = Format { w: 16, low: 8, method: strum_formats::Method::Mip2q { l: 7, zero: false } };
        for (kind, format, stationary) in [
            (PeKind::Dense, Format::DENSE, Stationary::Output),
            (PeKind::Dense, Format::DENSE, Stationary::Input),
            (PeKind::StrumDynamic, format, Stationary::Input),
            // A vector takes two steps, each for all channels or positions.
            (PeKind::StrumStatic, format, Stationary::Output),
            (PeKind::StrumStatic, format, Stationary::Input),
        ] {
            let machine = Machine { pe_kind: kind, ..Machine::flexnn_16x16() };
            let spec = Spec { level: Level::Pe, ..Spec::of(&machine, format) };
            let sections = [layer(&machine, [3, 8], [3, 4], stationary, 1)];
            let schedule = Schedule::of(&spec, &sections).unwrap();
            let stimulus = drive::counted(&spec, &units::top(&spec), &schedule).unwrap();
            let driven = counts(&spec, &schedule, &stimulus).events;
            let model = model::counts(&spec, &sections).unwrap().events;
            let of =
                |e: &Events| [e.pe_steps, e.act_held, e.weight_held, e.act_zero, e.if_entries, e.fl_entries];
            assert_eq!(of(&driven), of(&model), "{kind:?} {stationary:?}");
            assert!(driven.act_zero > 0 && driven.act_held + driven.weight_held > 0, "{driven:?}");
        }
        let mut old = layer(&Machine::flexnn_16x16(), [1, 4], [1, 4], Stationary::Output, 1);
        old.header.act_zero = None;
        let spec = Spec::of(&Machine::flexnn_16x16(), format);
        assert!(model::counts(&spec, &[old]).is_none(), "zeros are not known");
    }

    #[test]
    fn resident_activations_of_several_taps_are_not_counted() {
        let machine = Machine { pe_kind: PeKind::Dense, ..Machine::flexnn_16x16() };
        let spec = Spec::of(&machine, Format::DENSE);
        assert!(model::counts(&spec, &[layer(&machine, [1, 4], [1, 4], Stationary::Input, 3)]).is_none());
    }
}
