//! Held operands in closed form against a count that walks the loops of every PE, in `strum-ref`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::cell::Cell;

use common::{config, described, layers_on_machines};
use dpu_cost::Events;
use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, LowWork, Machine, PeKind, Stationary};
use proptest::prelude::*;
use strum_ref::array::{Followed, follow};

/// Which members of every block are low: as many as the format says, the padding first, the others by a hash.
struct Masks {
    seed: u64,
    inv: ConvInv,
    var: ConvVar,
}

impl Masks {
    fn is_low(&self, channel: u64, run: u64, place: u64) -> bool {
        let (inv, var) = (&self.inv, &self.var);
        if !inv.method.is_packed() {
            return false;
        }
        let (along, line) = if inv.depthwise { (channel, run) } else { (place, channel * 1000 + run) };
        let channels = u64::from(if inv.depthwise { var.out_c } else { var.in_c });
        let w = u64::from(inv.block);
        let first = along / w * w;
        let members: Vec<u64> = (first..channels.min(first + w)).collect();
        let padding = w - members.len() as u64;
        let low = u64::from(inv.low).saturating_sub(padding) as usize;
        let key = |member: u64| {
            (self.seed ^ line.wrapping_mul(0x9e37_79b9) ^ member).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
        };
        let mut order = members;
        order.sort_by_key(|&member| (key(member), member));
        order[..low].contains(&along)
    }
}

/// Both counts, the first with as many low members as the second found.
fn both(inv: &ConvInv, var: &ConvVar, m: &Machine, seed: u64) -> Option<(Events, Followed)> {
    let cost = dpu_cost::conv(inv, var, m).ok()?;
    if cost.macs > 60_000 {
        return None;
    }
    let (array, layer, schedule) = described(inv, var, m, &Block::of(inv, var, m).unwrap());
    let masks = Masks { seed, inv: *inv, var: *var };
    let seen = follow(&array, &layer, &schedule, &|channel, run, place| masks.is_low(channel, run, place));
    assert_eq!(cost.macs, seen.products);
    Some((cost.events(seen.low[0]), seen))
}

/// Whether low members can differ from their share of the held operands: some vectors of a layer take one step, others
/// several, or depthwise only some channels keep theirs.
fn uneven(inv: &ConvInv, var: &ConvVar, m: &Machine) -> bool {
    if inv.depthwise {
        return inv.stationary == Stationary::Input;
    }
    let length = u32::from(inv.block) * (m.lanes / u32::from(inv.block)).max(1);
    inv.method.is_packed() && !var.in_c.is_multiple_of(length) && var.in_c > length
}

#[test]
fn held_operands_are_those_of_a_walk_through_the_loops() {
    let counts = Cell::new([0usize; 7]);
    proptest!(config(16_000), |((m, (inv, var)) in layers_on_machines(), seed: u64)| {
        let Some((events, seen)) = both(&inv, &var, &m, seed) else { return Ok(()) };
        let routes = inv.method.is_packed() && m.pe_kind != PeKind::Dense && !inv.depthwise;
        prop_assert_eq!(events.steps_held, seen.steps);
        if inv.stationary != Stationary::Input || inv.depthwise {
            prop_assert_eq!(events.if_entries, seen.entries[0]);
        } else {
            // Resident activations are written under windows, a pixel as whole vectors.
            let length = if inv.method.is_packed() { u32::from(inv.block) * (m.lanes / u32::from(inv.block)).max(1) } else { m.lanes };
            let pixel = u64::from(var.in_c.div_ceil(length));
            prop_assert_eq!(events.if_entries * u64::from(var.in_c), events.if_write * pixel);
        }
        prop_assert_eq!(events.fl_entries, seen.entries[1]);
        let dropped = inv.method.is_packed() && inv.method.low_work() == LowWork::Nothing;
        prop_assert_eq!(events.packed_blocks, seen.fetched);
        if dropped {
            // What is dropped has its share of everything.
            let share = |held: u64| held - (held as f64 * seen.low[0] as f64 / seen.products as f64).round() as u64;
            prop_assert_eq!(events.weight_held, share(seen.weights));
            prop_assert_eq!((events.act_held, events.if_held), (share(seen.acts), share(seen.inputs)));
            prop_assert_eq!(events.routed, if routes { seen.products - seen.low[0] } else { 0 });
        } else {
            prop_assert_eq!((events.act_held, events.weight_held), (seen.acts, seen.weights));
            prop_assert_eq!(events.if_held, seen.inputs);
            prop_assert_eq!([events.routed, events.routed_held], seen.chosen);
        }
        prop_assert_eq!(events.fl_held, events.weight_held);
        if inv.method.low_work() == LowWork::Shift {
            prop_assert_eq!(events.low_shifts, seen.low[0]);
            if uneven(&inv, &var, &m) {
                prop_assert!(events.low_shifts_weight_held <= seen.weights);
            } else {
                prop_assert_eq!(events.low_shifts_weight_held, seen.low[2]);
            }
        }
        // Where low members are shifted, no activation is held: the model knows no such saving.
        prop_assert!(!routes || seen.acts == 0);
        prop_assert!(m.pe_kind == PeKind::Dense || seen.low[1] == 0);
        let all = counts.get();
        let found = [
            1,
            usize::from(seen.acts > 0),
            usize::from(seen.weights > 0),
            usize::from(routes && seen.inputs > 0),
            usize::from(inv.stationary == Stationary::Input && seen.weights > 0),
            usize::from(inv.stationary != Stationary::Input && seen.acts > 0),
            usize::from(events.low_shifts_weight_held > 0),
        ];
        counts.set(std::array::from_fn(|i| all[i] + found[i]));
    });
    println!(
        "cases, with held activations, weights, chosen inputs, rare weights, rare activations, low: {:?}",
        counts.get()
    );
    assert!(counts.get().iter().all(|&n| n >= 40), "{:?}", counts.get());
}
