//! What happens in a driven PE, counted as `dpu-cost` counts it, but lane by lane: products beyond a layer's last channel count.

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
        let now = Now {
            low: if entry.packed { low } else { 0 },
            // A static PE's low lanes idle in a plain step.
            lanes: if spec.packed() && !entry.packed && spec.kind == dpu_isa::PeKind::StrumStatic {
                u64::from(spec.high_lanes())
            } else {
                u64::from(spec.lanes)
            },
            packed: entry.packed,
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
    counts.events.if_write = writes(stimulus, "if_write_enable") * vector;
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
