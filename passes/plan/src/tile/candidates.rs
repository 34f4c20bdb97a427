//! The candidates of the search: cuts of every dimension, loop orders and slot counts.

use super::axis::{Axis, Split, ladder};
use crate::strategy::TilingStrategy;

use super::{Order, Problem, Tiling, WINDOW_MAX, product};

/// Maximum number of slots of a stream.
const SLOTS_MAX: u64 = 64;

/// How sums are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduction {
    pub(crate) ic: Split,
    pub(crate) ky: Split,
    pub(crate) kx: Split,
}

impl Reduction {
    fn parts(&self) -> u64 {
        product([self.ic.count(), self.ky.count(), self.kx.count()])
    }
}

/// The tiling with the fewest slots for a cut; at least two of a kind if there are two tiles of it.
pub(crate) fn smallest(p: &Problem, cut: &Reduction, oc: Split, oy: Split, ox: Split) -> Tiling {
    let taps = product([cut.ky.size, cut.kx.size]);
    let parts = cut.parts();
    let spatial = product([p.images, oy.count(), ox.count()]);
    let outputs = spatial.saturating_mul(oc.count());
    let act_tiles = if p.per_channel.is_some() { outputs } else { spatial }.saturating_mul(parts);
    let weight_tiles = oc.count().saturating_mul(parts);
    let two = |tiles: u64| tiles.saturating_mul(p.repeats).min(2);
    Tiling {
        oy,
        ox,
        oc,
        ic: cut.ic,
        ky: cut.ky,
        kx: cut.kx,
        order: Order::SpatialOuter,
        gather: false,
        act_slots: if p.holds_input() { 0 } else { two(act_tiles) },
        weight_slots: if p.weights.is_some() { two(weight_tiles) } else { 0 },
        out_slots: if p.holds_output() { 0 } else { two(outputs) },
        act_bytes: product([
            p.y.window_max(oy.size, cut.ky.size),
            p.x.window_max(ox.size, cut.kx.size),
            p.tile_ic(oc.size, cut.ic.size),
            p.in_bytes,
        ]),
        weight_bytes: p.weight_bytes(oc.size, taps, cut.ic.size),
        out_bytes: product([oy.size, ox.size, oc.size, p.out_bytes]),
        stage_slots: if p.staged { two(weight_tiles) } else { 0 },
        stage_bytes: if p.staged { product([oc.size, taps, cut.ic.size]) } else { 0 },
        psum_bytes: if parts > 1 { product([oy.size, ox.size, oc.size, 4]) } else { 0 },
    }
}

/// Calls `f` for the candidate loop orders and slot counts of a cut, or for the given ones.
///
/// For the operand that the outer loop keeps fixed, more slots than the tiles of one sum are useless; for the other one, all
/// tiles may be resident. Activations of single channels are used once.
pub(crate) fn variants(p: &Problem, least: &Tiling, told: &TilingStrategy, mut f: impl FnMut(Tiling)) {
    let parts = least.reductions();
    let spatial = product([p.images, least.oy.count(), least.ox.count()]);
    let channels = least.oc.count();
    let one_sum = |tiles: u64| if parts > 1 { parts.saturating_add(1).min(tiles) } else { 0 };
    let orders: &[Order] = match (spatial, channels) {
        (1, _) | (_, 1) if told.order.is_none() => &[Order::SpatialOuter],
        _ => &[Order::SpatialOuter, Order::ChannelOuter],
    };
    for &order in orders.iter().filter(|order| told.order.is_none_or(|told| told == **order)) {
        let (act_tiles, weight_tiles) = (spatial.saturating_mul(parts), channels.saturating_mul(parts));
        let (acts, weights) = match order {
            Order::SpatialOuter => (one_sum(act_tiles), weight_tiles),
            Order::ChannelOuter => (act_tiles, one_sum(weight_tiles)),
        };
        let acts = if p.per_channel.is_some() || p.holds_input() { 0 } else { acts };
        let weights = if p.weights.is_some() { weights } else { 0 };
        for act_slots in slot_counts(least.act_slots, acts, told.act_slots) {
            for weight_slots in slot_counts(least.weight_slots, weights, told.weight_slots) {
                let tiling = Tiling { order, act_slots, weight_slots, ..*least };
                let out_slots = told.out_slots.unwrap_or(0);
                if told.gather != Some(true) && (told.out_slots.is_none() || out_slots >= least.out_slots) {
                    f(Tiling { out_slots: least.out_slots.max(out_slots), ..tiling });
                }
                let gathered = gathered(p, &tiling).filter(|_| told.gather != Some(false));
                if let Some(t) = gathered.filter(|t| told.out_slots.is_none_or(|n| n >= t.out_slots)) {
                    f(Tiling { out_slots: t.out_slots.max(out_slots), ..t });
                }
            }
        }
    }
}

/// `least`, and `more` if it is larger but not beyond [`SLOTS_MAX`]; or the given count.
fn slot_counts(least: u64, more: u64, told: Option<u64>) -> impl Iterator<Item = u64> {
    let more = Some(more).filter(|&n| told.is_none() && n > least && n <= SLOTS_MAX);
    std::iter::once(told.unwrap_or(least)).chain(more)
}

/// Whether the outputs of an iteration of the outer loop can be stored at once, in the given order or in any.
pub(crate) fn may_gather(p: &Problem, least: &Tiling, order: Option<Order>) -> bool {
    let orders = [Order::SpatialOuter, Order::ChannelOuter].into_iter();
    let mut orders = orders.filter(|o| order.is_none_or(|told| told == *o));
    orders.any(|order| gathered(p, &Tiling { order, ..*least }).is_some())
}

/// The same tiling with the outputs of an iteration of the outer loop stored at once; none where that changes nothing, or where
/// an iteration spans images.
fn gathered(p: &Problem, t: &Tiling) -> Option<Tiling> {
    let spatial = product([p.images, t.oy.count(), t.ox.count()]);
    let (outer, inner, outputs) = match t.order {
        Order::SpatialOuter => (spatial, t.oc.count(), product([t.oy.size, t.ox.size, p.oc])),
        Order::ChannelOuter => (t.oc.count(), spatial, product([p.y.output, p.x.output, t.oc.size])),
    };
    let whole = t.order == Order::SpatialOuter || p.images == 1;
    let out_slots = outer.saturating_mul(p.repeats).min(2);
    let out_bytes = outputs.saturating_mul(p.out_bytes);
    (inner > 1 && whole && !p.holds_output()).then_some(Tiling { gather: true, out_slots, out_bytes, ..*t })
}

/// Cuts of an output axis, coarsest first. Strides and kernels beyond the instruction fields leave one output per tile.
pub(crate) fn axis_splits(axis: &Axis) -> Vec<Split> {
    if axis.stride > WINDOW_MAX || axis.kernel > WINDOW_MAX {
        return vec![Split::new(axis.output, 1)];
    }
    ladder(axis.output, 1).into_iter().map(|size| Split::new(axis.output, size)).collect()
}

/// Cuts of the kernel, coarsest first: rows are halved down to one, then columns.
pub(crate) fn kernel_splits(problem: &Problem) -> Vec<(Split, Split)> {
    let largest = |a: &Axis| if a.dilation > WINDOW_MAX { 1 } else { a.kernel.min(WINDOW_MAX) };
    let (mut ky, mut kx) = (largest(&problem.y), largest(&problem.x));
    let mut cuts = Vec::new();
    loop {
        cuts.push((Split::new(problem.y.kernel, ky), Split::new(problem.x.kernel, kx)));
        match (ky, kx) {
            (1, 1) => return cuts,
            (1, _) => kx = kx.div_ceil(2),
            _ => ky = ky.div_ceil(2),
        }
    }
}

/// Cuts of the input channels, coarsest first: halved down to the grain.
pub(crate) fn channel_splits(problem: &Problem) -> Vec<Split> {
    if problem.per_channel.is_some() {
        return vec![Split::new(1, 1)];
    }
    let mut blocks = problem.ic.div_ceil(problem.ic_grain);
    let mut cuts = vec![Split::new(problem.ic, problem.ic)];
    while blocks > 1 {
        blocks = blocks.div_ceil(2);
        cuts.push(Split::new(problem.ic, blocks * problem.ic_grain));
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_channels_are_cut_between_blocks() {
        let axis = Axis::new(1, 1, 1, 1, 1, 0);
        let problem = Problem {
            images: 1,
            repeats: 1,
            y: axis,
            x: axis,
            ic: 100,
            oc: 1,
            per_channel: None,
            weights: None,
            macs: super::super::sched::MacCost::FULL,
            inv: dpu_isa::ConvInv::default(),
            staged: false,
            ic_grain: 16,
            oc_splits: Vec::new(),
            oc_grain: 1,
            in_bytes: 1,
            out_bytes: 1,
            held: [false; 2],
            resident: 0,
        };
        let sizes: Vec<u64> = channel_splits(&problem).iter().map(|s| s.size).collect();
        assert_eq!(sizes, [100, 64, 32, 16]);
    }
}
