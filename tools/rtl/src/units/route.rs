//! From a vector of activations and a vector of weights to the operands of a step: choice of activations by the mask, choice of
//! codes by the step.

use std::rc::Rc;

use super::datapath;
use super::decode::{self, Ranks};
use super::register_file::address_bits;
use crate::layout::Layout;
use crate::netlist::{Builder, Expr, Module, cat};
use crate::spec::{Decode, Spec};

/// Bits of the number of a step within a vector; 0 if a vector has one step.
pub(crate) fn step_bits(spec: &Spec) -> u32 {
    if spec.steps() > 1 { address_bits(spec.steps()) } else { 0 }
}

/// The lanes of one sort.
struct Side {
    /// Lanes of a step, of all blocks.
    lanes: u32,
    /// Members of this sort in a block.
    members: u32,
    /// Relative positions of a rank.
    positions: u32,
    high: bool,
}

/// The decoders of all blocks of a vector: from `masks` to `high` and `low`, one-hot, or as indices with `fetch`.
pub(crate) fn mask_decoders(spec: &Spec) -> Rc<Module> {
    let layout = Layout::of(spec);
    let ranks = Ranks { high: layout.high, low: layout.low() };
    let (prefix, about) = match spec.decode {
        Decode::Step => ("mask_decode", "Decodes the masks of a vector into one-hot positions."),
        Decode::Fetch => ("mask_fetch", "Decodes the masks of a fetched vector into positions."),
    };
    let mut m = Builder::new(format!("{prefix}_{}x{}", layout.blocks, layout.members), about);
    let masks = m.input("masks", layout.blocks * layout.members);
    let module = decode::decoder(ranks, layout.low_positions);
    let mut parts = Vec::new();
    for block in 0..layout.blocks {
        let mask = masks.bits(block * layout.members..(block + 1) * layout.members);
        let outputs = m.instance(&format!("block{block}"), &module, &[("mask", &mask)]);
        let mut sorts = vec![(outputs.get("high"), ranks.high_positions())];
        if layout.low_positions {
            sorts.push((outputs.get("low"), ranks.low_positions()));
        }
        for (one_hot, positions) in sorts {
            match spec.decode {
                Decode::Step => parts.push(one_hot),
                Decode::Fetch => {
                    for rank in 0..one_hot.width() / positions {
                        parts.push(decode::encode(&one_hot.bits(rank * positions..(rank + 1) * positions)));
                    }
                }
            }
        }
    }
    m.output("positions", cat(parts));
    m.finish()
}

/// The choice network: from `vector` (bytes of activations), the positions and the step to the bytes at the lanes.
pub(crate) fn choice(spec: &Spec) -> Rc<Module> {
    let layout = Layout::of(spec);
    let about = "Choice of activations: the members of a step's high lanes, then of its low lanes.";
    let mut m = Builder::new(format!("choice_{}x{}", layout.blocks, layout.members), about);
    let vector = m.input("vector", 8 * spec.vector());
    let low = layout.low_positions;
    let ranks = Ranks { high: layout.high, low: layout.low() };
    let position = |positions: u32| match spec.decode {
        Decode::Step => positions,
        Decode::Fetch => decode::index_bits(positions),
    };
    let sides = [
        Side { lanes: spec.high_lanes(), members: ranks.high, positions: ranks.high_positions(), high: true },
        Side { lanes: spec.low_lanes(), members: ranks.low, positions: ranks.low_positions(), high: false },
    ];
    let each: u32 = sides.iter().filter(|s| s.high || low).map(|s| s.members * position(s.positions)).sum();
    let positions = m.input("positions", layout.blocks * each);
    let step = (step_bits(spec) > 0).then(|| m.input("step_index", step_bits(spec)));
    let mut outputs = Vec::new();
    for side in sides.iter().filter(|side| side.high || low) {
        let skip = if side.high { 0 } else { ranks.high * position(ranks.high_positions()) };
        for lane in 0..side.lanes {
            // Several blocks take one step; several steps take one block.
            let (block, rank) =
                if layout.blocks > 1 { (lane / side.members, lane % side.members) } else { (0, lane) };
            let width = position(side.positions);
            let ranks_of_steps: Vec<u32> = (0..spec.steps())
                .map(|t| if layout.blocks > 1 { rank } else { t * side.lanes + rank })
                .collect();
            let at = |rank: u32| block * each + skip + rank * width;
            let chosen = ranks_of_steps.iter().map(|&rank| positions.bits(at(rank)..at(rank) + width));
            let name = format!("{}{lane}", if side.high { "high" } else { "low" });
            let chosen = by_step(step.as_ref(), &chosen.collect::<Vec<_>>());
            let chosen = m.wire(format!("position_{name}"), chosen);
            let window: Vec<Expr> = (0..side.positions)
                .map(|i| {
                    let member = |rank: u32| block * layout.members + rank + i;
                    let bytes = ranks_of_steps.iter().map(|&r| vector.bits(8 * member(r)..8 * member(r) + 8));
                    by_step(step.as_ref(), &bytes.collect::<Vec<_>>())
                })
                .collect();
            let window: Vec<Expr> = window
                .into_iter()
                .enumerate()
                .map(|(i, e)| m.wire(format!("window_{name}_{i}"), e))
                .collect();
            let value = match spec.decode {
                Decode::Step => decode::choose_one_hot(&chosen, &window),
                Decode::Fetch => decode::choose_binary(&chosen, &window),
            };
            outputs.push(m.wire(format!("act_{name}"), value));
        }
    }
    m.output("acts", cat(outputs));
    m.finish()
}

/// One of `values` by the number of the step.
fn by_step(step: Option<&Expr>, values: &[Expr]) -> Expr {
    match (step, values) {
        (Some(step), [_, _, ..]) => decode::choose_binary(step, values),
        (_, [one, ..]) => one.clone(),
        _ => Expr::zeros(1),
    }
}

/// The codes of a step in an entry of the filter register file: high ones, then low ones as the datapath takes them.
pub(crate) fn codes(spec: &Spec, entry: &Expr, step: Option<&Expr>, packed: Option<&Expr>) -> [Vec<Expr>; 2] {
    let layout = Layout::of(spec);
    let of = |lanes: u32, members: u32, bits: u32, at: &dyn Fn(u32, u32) -> u32| -> Vec<Expr> {
        (0..lanes)
            .map(|lane| {
                let (block, rank) =
                    if layout.blocks > 1 { (lane / members, lane % members) } else { (0, lane) };
                let steps = (0..spec.steps()).map(|t| {
                    let rank = if layout.blocks > 1 { rank } else { t * lanes + rank };
                    entry.bits(at(block, rank)..at(block, rank) + bits)
                });
                by_step(step, &steps.collect::<Vec<_>>())
            })
            .collect()
    };
    let high = of(spec.high_lanes(), layout.high, 8, &|block, rank| layout.high_code(block, rank));
    let low = if spec.code_bits() == 0 {
        Vec::new()
    } else {
        of(spec.low_lanes(), layout.low(), layout.code_bits, &|block, rank| layout.low_code(block, rank))
    };
    let Some(packed) = packed else { return [high, low] };
    let plain = (0..spec.low_lanes()).map(|lane| {
        let at = layout.plain_low + 8 * lane;
        entry.bits(at..at + 8)
    });
    let bytes = plain.enumerate().map(|(lane, plain)| match low.get(lane) {
        Some(code) => crate::netlist::mux(packed, &code.zero_extend(8), &plain),
        None => plain,
    });
    [high, bytes.take(datapath::low_operands(spec) as usize).collect()]
}
