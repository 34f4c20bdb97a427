//! Operands of PEs whose low lanes are in place: activations stay at their positions, codes are routed to them, and each high
//! lane takes one of the held activations.
//!
//! A lane at the position of a high member gets a code with product 0.

use std::rc::Rc;

use super::datapath::Operands;
use super::decode::{self, Ranks};
use super::zero_point::zero_point;
use crate::layout::{Layout, PlacedCode};
use crate::netlist::{Builder, Expr, Module, cat, or};
use crate::spec::{Decode, Spec};

/// From the mask and the low codes of a block to a code for each position, and for each high rank its position, one-hot and
/// relative to the rank.
fn block(spec: &Spec, layout: &Layout, placed: PlacedCode) -> Rc<Module> {
    let (members, low, bits) = (layout.members, layout.low(), spec.code_bits());
    let about =
        "In place: routes the low codes of a block to their positions, and finds those of high members.";
    let mut m = Builder::new(format!("place_{}_{low}_{bits}", layout.high), about);
    let mask = m.input("mask", members);
    let codes = m.input("low", low * bits);
    let mut counts: Vec<Expr> = vec![Expr::constant(1, 1)];
    let mut high = vec![Vec::new(); layout.high as usize];
    let mut at_positions = Vec::new();
    for (p, member) in (0..members).zip(mask.each()) {
        let mut chosen = Vec::new();
        for (k, reached) in (0..).zip(&counts) {
            // Ranks and positions that a legal mask cannot have are left out.
            if let Some(positions) = high.get_mut(k as usize)
                && p - k <= low
            {
                positions.push(m.wire(format!("high_{k}_{}", p - k), &member & reached));
            }
            if p - k < low {
                chosen.push((reached.clone(), codes.bits((p - k) * bits..(p - k + 1) * bits)));
            }
        }
        let code = match chosen.as_slice() {
            [(_, only)] => only.clone(),
            list => or(list.iter().map(|(reached, code)| code.when(reached)).collect::<Vec<_>>()),
        };
        let code = m.wire(format!("code_{p}"), code);
        at_positions.push(m.wire(format!("placed_{p}"), place(placed, &code, &!&member)));
        counts = decode::next_counts(&mut m, p, &member, &counts, layout.high);
    }
    m.output("codes", cat(at_positions));
    m.output("high", decode::joined(high, low + 1));
    m.finish()
}

/// The form that a lane in place takes, off where `low` is 0.
fn place(placed: PlacedCode, code: &Expr, low: &Expr) -> Expr {
    match placed {
        PlacedCode::Number { .. } => code.when(low),
        PlacedCode::Signs { exponent, zero } => {
            let sign = code.bit(exponent);
            if exponent == 0 {
                return cat([low & &!&sign, low & &sign]);
            }
            let value = code.bits(0..exponent);
            let on = if zero { low & &!&value.all() } else { low.clone() };
            cat([value, &on & &!&sign, &on & &sign])
        }
    }
}

/// The modules of all blocks of a vector, in one: from an entry as the write port takes it to `positions` and `codes` of all
/// blocks, the positions one-hot, or as indices with `fetch`.
fn blocks(spec: &Spec, placed: PlacedCode) -> Rc<Module> {
    let layout = Layout::of(&Spec { decode: Decode::Step, ..spec.clone() });
    let (prefix, about) = match spec.decode {
        Decode::Step => ("place", "In place: codes and positions of a vector."),
        Decode::Fetch => ("place_fetch", "In place: codes and positions of a fetched vector."),
    };
    let mut m = Builder::new(format!("{prefix}_{}x{}", layout.blocks, layout.members), about);
    let masks = m.input("masks", layout.blocks * layout.members);
    let low = m.input("low", layout.blocks * layout.low() * layout.code_bits);
    let module = block(spec, &layout, placed);
    let (mut positions, mut codes) = (Vec::new(), Vec::new());
    let window = Ranks { high: layout.high, low: layout.low() }.high_positions();
    for b in 0..layout.blocks {
        let mask = masks.bits(b * layout.members..(b + 1) * layout.members);
        let size = layout.low() * layout.code_bits;
        let inputs = [("mask", &mask), ("low", &low.bits(b * size..(b + 1) * size))];
        let outputs = m.instance(&format!("block{b}"), &module, &inputs);
        codes.push(outputs.get("codes"));
        let one_hot = outputs.get("high");
        for rank in 0..layout.high {
            let own = one_hot.bits(rank * window..(rank + 1) * window);
            positions.push(match spec.decode {
                Decode::Step => own,
                Decode::Fetch => decode::encode(&own),
            });
        }
    }
    m.output("positions", cat(positions));
    m.output("codes", cat(codes));
    m.finish()
}

/// High codes and low codes of all blocks of an entry.
fn fields(layout: &Layout, entry: &Expr) -> [Vec<Expr>; 2] {
    let of = |count: u32, bits: u32, at: &dyn Fn(u32, u32) -> u32| -> Vec<Expr> {
        let all = (0..layout.blocks).flat_map(|block| (0..count).map(move |rank| (block, rank)));
        all.map(|(block, rank)| entry.bits(at(block, rank)..at(block, rank) + bits)).collect()
    };
    [
        of(layout.high, 8, &|block, rank| layout.high_code(block, rank)),
        of(layout.codes, layout.code_bits, &|block, rank| layout.low_code(block, rank)),
    ]
}

/// An instance of [`blocks`] on an entry as the write port takes it: positions and codes.
fn placing(m: &mut Builder, name: &str, spec: &Spec, placed: PlacedCode, entry: &Expr) -> [Expr; 2] {
    let layout = Layout::of(&Spec { decode: Decode::Step, ..spec.clone() });
    let [_, low] = fields(&layout, entry);
    let masks = entry.bits(0..layout.blocks * layout.members);
    let inputs = [("masks", &masks), ("low", &cat(low))];
    let outputs = m.instance(name, &blocks(spec, placed), &inputs);
    [outputs.get("positions"), outputs.get("codes")]
}

/// An entry of the filter register file from what the write port takes: positions of high members, then of each block its high
/// codes and a code for each position.
pub(super) fn fetched(m: &mut Builder, spec: &Spec, placed: PlacedCode, data: &Expr) -> Expr {
    let layout = Layout::of(&Spec { decode: Decode::Step, ..spec.clone() });
    let [high, _] = fields(&layout, data);
    let [positions, codes] = placing(m, "fetch", spec, placed, data);
    let mut parts = vec![positions];
    let size = layout.members * placed.bits();
    for block in 0..layout.blocks {
        let own = (block * layout.high) as usize..((block + 1) * layout.high) as usize;
        parts.extend(high.get(own).unwrap_or_default().iter().cloned());
        parts.push(codes.bits(block * size..(block + 1) * size));
    }
    cat(parts)
}

/// The held operands of a step: the activations of high members, which these lanes choose from the held ones, then those at
/// all positions.
pub(super) fn operands(
    m: &mut Builder,
    spec: &Spec,
    placed: PlacedCode,
    [if_entry, fl_entry, zero, valid]: [&Expr; 4],
    shift: Option<Expr>,
) -> Operands {
    let layout = Layout::of(spec);
    let [high, low] = fields(&layout, fl_entry);
    let (positions, codes) = match spec.decode {
        Decode::Step => {
            let [positions, codes] = placing(m, "place", spec, placed, fl_entry);
            (
                positions,
                (0..spec.lanes).map(|i| codes.bits(i * placed.bits()..(i + 1) * placed.bits())).collect(),
            )
        }
        Decode::Fetch => (fl_entry.bits(0..layout.blocks * layout.selector_bits()), low),
    };
    let module = zero_point(spec.activation_bits);
    let at_positions: Vec<Expr> = (0..spec.lanes)
        .map(|i| {
            let inputs = [("act", &if_entry.bits(8 * i..8 * i + 8)), ("zero_point", zero)];
            let value = m.instance(&format!("zero{i}"), &module, &inputs).get("value");
            m.register(format!("act_held{i}"), value, Some(valid.clone()))
        })
        .collect();
    let hold = |m: &mut Builder, name: String, value: Expr| m.register(name, value, Some(valid.clone()));
    let all = |m: &mut Builder, name: &str, list: Vec<Expr>| -> Vec<Expr> {
        list.into_iter().enumerate().map(|(i, value)| hold(m, format!("{name}_held{i}"), value)).collect()
    };
    let (high, low) = (all(m, "high", high), all(m, "low", codes));
    let mut acts = Vec::new();
    let width = positions.width() / spec.high_lanes();
    for lane in 0..spec.high_lanes() {
        let position = positions.bits(lane * width..(lane + 1) * width);
        let position = hold(m, format!("position_held{lane}"), position);
        let (block, rank) = (lane / layout.high, lane % layout.high);
        let first = (block * layout.members + rank) as usize;
        let window = at_positions.get(first..=first + layout.low() as usize).unwrap_or_default();
        let act = match spec.decode {
            Decode::Step => decode::choose_one_hot(&position, window),
            Decode::Fetch => decode::choose_binary(&position, window),
        };
        acts.push(m.wire(format!("act_high{lane}"), act));
    }
    acts.extend(at_positions);
    let shift = shift.map(|value| hold(m, "shift_held".to_owned(), value));
    Operands { acts, high, low, packed: None, shift }
}
