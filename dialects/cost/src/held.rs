//! Operands that a lane or a register file's output keeps from one step of a PE to the next, and the entries of the register
//! files that are written for them.
//!
//! The order of a PE's steps is that of "PE array" in `docs/timing.md`; everything is counted in closed form. The first
//! step of a vector keeps nothing.

use dpu_isa::schedule::Block;
use dpu_isa::{ConvInv, ConvVar, Machine, PeKind, Stationary};

use crate::cut::Cut;
use crate::product;

/// How the PEs share one dimension of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// Outputs.
    outputs: u64,
    /// Contiguous runs of them, each of one PE in one block.
    runs: u64,
    /// Runs of a single output.
    single: u64,
    /// Runs in the first block, which is the largest.
    first: u64,
}

impl Shares {
    /// Of two dimensions together.
    fn times(&self, other: &Shares) -> Shares {
        Shares {
            outputs: product([self.outputs, other.outputs]),
            runs: product([self.runs, other.runs]),
            single: product([self.single, other.single]),
            first: product([self.first, other.first]),
        }
    }

    fn of(cut: &Cut, pes: u16) -> Shares {
        let mut shares = Shares { outputs: 0, runs: 0, single: 0, first: 0 };
        for (piece, n) in cut.pieces() {
            let each = piece.size.div_ceil(u64::from(pes.max(1))).max(1);
            let runs = piece.size.div_ceil(each);
            // All runs are equal but the last.
            let last = piece.size - each.saturating_mul(runs.saturating_sub(1));
            let single = if each == 1 { runs } else { u64::from(last == 1) };
            shares.outputs = shares.outputs.saturating_add(product([n, piece.size]));
            shares.runs = shares.runs.saturating_add(product([n, runs]));
            shares.single = shares.single.saturating_add(product([n, single]));
            shares.first = if piece.first { runs } else { shares.first };
        }
        shares
    }
}

/// The vectors of one reduction: what an output multiplies, one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Vectors {
    /// Products.
    products: u64,
    /// Products of vectors that take a single step.
    in_one_step: u64,
    /// Products in the first steps of the vectors, if a vector's products are distributed evenly over its steps.
    in_first_steps: u64,
    /// Vectors.
    count: u64,
    /// Their steps.
    steps: u64,
    /// Vectors of a single step.
    single: u64,
    /// Products of a vector that is not the last one.
    length: u64,
}

impl Vectors {
    /// Whether this many vectors fit a register file of this many bytes.
    fn fit(&self, number: u64, bytes: u32) -> bool {
        product([number, self.length]) <= bytes.into()
    }

    fn of(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Vectors {
        let [kernel_h, kernel_w] = [var.kernel_h, var.kernel_w].map(u64::from);
        if inv.depthwise {
            let taps = product([kernel_h, kernel_w]);
            return Vectors {
                products: taps,
                in_one_step: taps,
                in_first_steps: taps,
                count: taps,
                steps: taps,
                single: taps,
                length: 1,
            };
        }
        let packed = inv.method.is_packed();
        // Packed blocks end with their tap.
        let folds = inv.fold && !packed;
        let (run, runs) = if folds { (kernel_w, kernel_h) } else { (1, product([kernel_h, kernel_w])) };
        let channels = product([run, u64::from(var.in_c)]);
        let lanes = u64::from(m.lanes.max(1));
        let (w, low) = (u64::from(inv.block.max(1)), u64::from(inv.low));
        // Whole blocks, as many as fill the lanes.
        let length = if packed { w * (lanes / w).max(1) } else { lanes };
        // Half of the lanes of a static PE multiply, the other half shift: the busier half decides.
        let (busiest, of) = match (m.pe_kind, packed) {
            (PeKind::Dense | PeKind::StrumDynamic, _) => (1, 1),
            (PeKind::StrumStatic, false) => (2, 1),
            (PeKind::StrumStatic, true) => (2 * w.saturating_sub(low).max(low), w),
        };
        let steps = |len: u64| product([len, busiest]).div_ceil(product([lanes, of])).max(1);
        let mut vectors = Vectors { length, ..Vectors::default() };
        for (len, count) in [(length, channels / length), (channels % length, 1)] {
            let products = product([runs, count, len]);
            vectors.products = vectors.products.saturating_add(products);
            let number = if len > 0 { product([runs, count]) } else { 0 };
            vectors.count = vectors.count.saturating_add(number);
            vectors.steps = vectors.steps.saturating_add(product([number, steps(len)]));
            if len > 0 && steps(len) == 1 {
                vectors.in_one_step = vectors.in_one_step.saturating_add(products);
                vectors.single = vectors.single.saturating_add(number);
            }
            let first = product([runs, count, len.div_ceil(steps(len))]);
            vectors.in_first_steps = vectors.in_first_steps.saturating_add(first);
        }
        vectors
    }
}

/// What is kept in a tile; the fields are those of [`crate::Events`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) steps_held: u64,
    pub(crate) act_held: u64,
    pub(crate) weight_held: u64,
    pub(crate) if_held: u64,
    pub(crate) fl_held: u64,
    pub(crate) routed: u64,
    pub(crate) routed_held: u64,
    pub(crate) packed_blocks: u64,
    pub(crate) if_entries: u64,
    pub(crate) fl_entries: u64,
}

impl Held {
    /// `block` is what a PE accumulates at a time, `cuts` are those along output channels, rows and columns.
    pub(crate) fn of(
        inv: &ConvInv,
        var: &ConvVar,
        m: &Machine,
        block: &Block,
        [oc, oy, ox]: [&Cut; 3],
    ) -> Held {
        let windows = product([oy.all_windows(), ox.all_windows()]);
        let oc = Shares::of(oc, inv.sched_oc);
        let positions = Shares::of(oy, inv.sched_oy).times(&Shares::of(ox, inv.sched_ox));
        let vectors = Vectors::of(inv, var, m);
        let packed = inv.method.is_packed();
        let routes = packed && m.pe_kind != PeKind::Dense && !inv.depthwise;
        let again = |of: Shares| of.outputs.saturating_sub(of.runs);
        // Steps of one output channel and of one position follow each other without a change of the other operand only
        // where there is nothing in between: neither another position (channel) nor another step of the vector.
        let (acts, weights, steps_held) = match inv.stationary {
            Stationary::Output | Stationary::Weight => (
                product([vectors.in_one_step, positions.single, again(oc)]),
                product([vectors.products, oc.outputs, again(positions)]),
                product([vectors.steps, oc.outputs, again(positions)]),
            ),
            Stationary::Input => (
                product([vectors.products, positions.outputs, again(oc)]),
                product([vectors.in_one_step, oc.single, again(positions)]),
                product([vectors.single, oc.single, again(positions)]),
            ),
        };
        // Depthwise, the next channel has other activations; where the mask chooses them, other weights choose others.
        let act_held = if inv.depthwise || routes { 0 } else { acts };
        let if_held = if routes {
            let kept = match inv.stationary {
                Stationary::Output | Stationary::Weight => positions.single,
                Stationary::Input => positions.outputs,
            };
            let all = product([vectors.products, oc.outputs]);
            product([kept, all.saturating_sub(product([vectors.in_first_steps, oc.runs]))])
        } else {
            act_held
        };
        let products = product([vectors.products, oc.outputs, positions.outputs]);
        let copies = if inv.stationary == Stationary::Weight { positions.first } else { positions.runs };
        let chosen = chosen(inv, m, products);
        let entries = Entries { vectors: &vectors, block, oc, positions };
        let (if_entries, fl_entries) = match inv.stationary {
            // Every channel has activations of its own.
            _ if inv.depthwise => (products, entries.once(copies)),
            Stationary::Output | Stationary::Weight => {
                (entries.activations(m.if_rf_bytes), entries.once(copies))
            }
            Stationary::Input => (entries.resident(inv, var, windows), entries.weights(m.fl_rf_bytes)),
        };
        Held {
            steps_held,
            act_held,
            weight_held: weights,
            if_held,
            fl_held: weights,
            routed: chosen,
            routed_held: if packed { weights.min(chosen) } else { chosen },
            packed_blocks: if packed { product([blocks(inv, var), copies]) } else { 0 },
            if_entries,
            fl_entries,
        }
    }
}

/// Activations that masks choose for these many products. Plain weights have a mask as well, and it serves idle lanes.
fn chosen(inv: &ConvInv, m: &Machine, products: u64) -> u64 {
    match (m.pe_kind, inv.method.is_packed()) {
        _ if inv.depthwise => 0,
        (PeKind::Dense, _) => 0,
        (PeKind::StrumStatic, false) => products.saturating_mul(2),
        (PeKind::StrumDynamic, _) | (PeKind::StrumStatic, true) => products,
    }
}

/// Entries of a vector: how often a PE writes its operands to the register files.
struct Entries<'a> {
    vectors: &'a Vectors,
    /// Of the outputs that a PE has at a time.
    block: &'a Block,
    oc: Shares,
    positions: Shares,
}

impl Entries<'_> {
    /// Entries of weights that are written once for the positions of each of these PEs and blocks.
    fn once(&self, copies: u64) -> u64 {
        product([self.vectors.count, self.oc.outputs, copies])
    }

    /// Entries of resident activations; `windows` is the number of input positions that the windows of all blocks cover.
    fn resident(&self, inv: &ConvInv, var: &ConvVar, windows: u64) -> u64 {
        let pixel = u64::from(var.in_c).div_ceil(self.vectors.length.max(1));
        product([windows, pixel, u64::from(inv.sched_oc.max(1)).min(self.oc.outputs)])
    }

    /// Entries of activations, where these are not resident: once for all channels and steps of a vector if those of all
    /// positions fit a file of this many bytes, else in every step.
    fn activations(&self, bytes: u32) -> u64 {
        let Entries { vectors, block, oc, positions } = self;
        if vectors.fit(product([block.oy, block.ox]), bytes) {
            product([vectors.count, positions.outputs, oc.runs])
        } else {
            product([vectors.steps, positions.outputs, oc.outputs])
        }
    }

    /// Entries of weights where activations are resident.
    fn weights(&self, bytes: u32) -> u64 {
        let Entries { vectors, block, oc, positions } = self;
        if vectors.fit(block.oc, bytes) {
            product([vectors.count, oc.outputs, positions.runs])
        } else {
            product([vectors.steps, oc.outputs, positions.outputs])
        }
    }
}

/// Packed blocks of a tile's weights. Depthwise they run along the output channels, across those of all PEs: one is
/// decoded once for the same positions.
fn blocks(inv: &ConvInv, var: &ConvVar) -> u64 {
    let (channels, sets) = if inv.depthwise { (var.out_c, 1) } else { (var.in_c, var.out_c) };
    let each = u64::from(channels).div_ceil(u64::from(inv.block.max(1)));
    product([sets.into(), var.kernel_h.into(), var.kernel_w.into(), each])
}

#[cfg(test)]
mod tests {
    use dpu_isa::Method;
    use dpu_isa::schedule::Block;

    use super::*;
    use crate::conv::conv;

    /// A 1 x 1 convolution of 32 channels for 16 x 8 x 56 outputs, of which a PE has 4 channels and 2 x 14 positions at a time.
    fn layer(method: Method, stationary: Stationary) -> (ConvInv, ConvVar) {
        let inv = ConvInv {
            method,
            block: 16,
            low: if method == Method::Dense { 0 } else { 8 },
            param: if method == Method::Mip2q { 7 } else { 0 },
            sched_oc: 4,
            sched_oy: 4,
            sched_ox: 4,
            block_oc: 4,
            block_oy: if stationary == Stationary::Input { 1 } else { 2 },
            block_ox: if stationary == Stationary::Input { 1 } else { 8 },
            stationary,
            ..ConvInv::default()
        };
        let var = ConvVar {
            in_h: 8,
            in_w: 56,
            in_c: 32,
            act_pixel: 32,
            kernel_h: 1,
            kernel_w: 1,
            out_h: 8,
            out_w: 56,
            out_c: 16,
            ..ConvVar::default()
        };
        (inv, var)
    }

    fn held(method: Method, stationary: Stationary, pe_kind: PeKind) -> Held {
        let m = Machine { pe_kind, ..Machine::flexnn_16x16() };
        let (inv, var) = layer(method, stationary);
        assert!(Block::of(&inv, &var, &m).is_ok());
        let e = conv(&inv, &var, &m).unwrap().events;
        Held {
            steps_held: e.steps_held,
            act_held: e.act_held,
            weight_held: e.weight_held,
            if_held: e.if_held,
            fl_held: e.fl_held,
            routed: e.routed,
            routed_held: e.routed_held,
            packed_blocks: e.packed_blocks,
            if_entries: e.if_entries,
            fl_entries: e.fl_entries,
        }
    }

    const MACS: u64 = 16 * 8 * 56 * 32;

    #[test]
    fn weights_are_held_over_the_positions_of_a_pe() {
        // 56 columns are a block of 4 x 8 and one of 4 x 6: 16 or 12 positions in each of 16 PEs.
        let weights = MACS / 448 * (448 - 2 * 16);
        let plain = held(Method::Dense, Stationary::Output, PeKind::StrumDynamic);
        let held_only = Held {
            weight_held: weights,
            fl_held: weights,
            steps_held: weights / 8,
            // 16 positions of 8 bytes do not fit 64: every channel writes them again.
            if_entries: MACS / 8,
            // 16 channels of 4 vectors in 16 PEs, for each block of columns.
            fl_entries: 16 * 4 * 32,
            ..Held::default()
        };
        assert_eq!(plain, Held { routed: MACS, routed_held: MACS, ..held_only });
        let packed = held(Method::Mip2q, Stationary::Output, PeKind::StrumDynamic);
        // 16 channels of two blocks, for every PE of the positions and every block of columns.
        let blocks = Held { packed_blocks: 16 * 2 * 32, fl_entries: 16 * 2 * 32, ..held_only };
        assert_eq!(packed, Held { routed: MACS, routed_held: weights, ..blocks });
        let dense = held(Method::Mip2q, Stationary::Output, PeKind::Dense);
        assert_eq!(dense, blocks);
        // Half of a static PE's lanes idle, and it takes twice the steps.
        let idle = held(Method::Dense, Stationary::Output, PeKind::StrumStatic);
        let twice = Held { steps_held: weights / 4, if_entries: MACS / 4, ..held_only };
        assert_eq!(idle, Held { routed: 2 * MACS, routed_held: 2 * MACS, ..twice });
    }

    #[test]
    fn activations_are_held_over_the_channels_where_they_are_stationary() {
        let acts = MACS / 4 * 3;
        let plain = held(Method::Dense, Stationary::Input, PeKind::Dense);
        // 8 x 56 pixels of 4 vectors in 4 PEs; the vectors of 4 channels fit, and are written for each of 16 PEs and 14 blocks.
        let entries = Held { if_entries: 448 * 4 * 4, fl_entries: 16 * 4 * 448, ..Held::default() };
        assert_eq!(plain, Held { act_held: acts, if_held: acts, ..entries });
        // Chosen by the mask they change with the weights, but the vector of 16 in two steps is read once for 4 channels.
        let chosen = held(Method::Mip2q, Stationary::Input, PeKind::StrumStatic);
        assert_eq!((chosen.act_held, chosen.weight_held, chosen.steps_held), (0, 0, 0));
        assert_eq!(chosen.if_held, MACS / 8 * 7);
        assert_eq!((chosen.routed, chosen.routed_held), (MACS, 0));
    }
}
