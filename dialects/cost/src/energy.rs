//! Energy of counted work: every count times a unit energy of the machine file, and nothing else.
//!
//! `docs/energy.md` has the formulas with their sources. All figures are whole femtojoules and saturate, so that a total
//! is the sum of its parts in any order.

use dpu_isa::{Machine, PeKind};
use serde::{Deserialize, Serialize};

use crate::{Counts, Events, share_of};

/// Declares the parts with their sums. Those that older reports lack have a default, 0.
macro_rules! parts {
    (
        pe { $($(#[$pattr:meta])* $pe:ident,)* }
        rest { $($(#[$rattr:meta])* $rest:ident,)* }
    ) => {
        /// Energy in femtojoules, by the part of the machine that spends it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Energy {
            $($(#[$pattr])* pub $pe: u64,)*
            $($(#[$rattr])* pub $rest: u64,)*
            /// The PEs: the parts from `multipliers` to `pe_leakage`.
            pub pe: u64,
            /// All parts.
            pub total: u64,
        }

        impl Energy {
            /// Names of the parts, those of the PEs first.
            pub const PARTS: &'static [&'static str] = &[$(stringify!($pe),)* $(stringify!($rest)),*];
            /// Number of [`Energy::PARTS`] that are in the PEs.
            pub const PE_PARTS: usize = [$(stringify!($pe)),*].len();

            /// The parts in the order of [`Energy::PARTS`].
            #[must_use]
            pub fn parts(&self) -> [u64; Energy::PARTS.len()] {
                [$(self.$pe,)* $(self.$rest),*]
            }

            /// Adds the energy of `more`.
            pub fn add(&mut self, more: &Energy) {
                $(self.$pe = self.$pe.saturating_add(more.$pe);)*
                $(self.$rest = self.$rest.saturating_add(more.$rest);)*
                self.sum();
            }

            /// Sets the sums.
            fn sum(&mut self) {
                let add = |parts: &[u64]| parts.iter().fold(0u64, |sum, &part| sum.saturating_add(part));
                self.pe = add(&[$(self.$pe),*]);
                self.total = add(&[self.pe, $(self.$rest),*]);
            }
        }
    };
}

parts! {
    pe {
        /// Multiplications at full width: `mult_fj`.
        multipliers,
        /// Low products of `mip2q` on the shifters: `shift_fj`.
        shifters,
        /// Low products of `dliq`: `low_mult_bit_fj` for every bit of the code.
        low_multipliers,
        /// Choice between multiplier and shifter for every product: `path_fj`, on `strum-dynamic` PEs.
        paths,
        /// Products added up over the lanes (`product_add_fj`; shifted activations save `shift_add_saving_fj` of it) and into
        /// accumulators (`add_fj`), and pooling (`add_fj`).
        adders,
        /// Sums added up over PEs: `add_fj`.
        adder_tree,
        /// Input register files: `if_byte_fj`.
        if_rf,
        /// Filter register files: `fl_byte_fj`.
        fl_rf,
        /// Output register files: `of_byte_fj`.
        of_rf,
        /// Decoders of packed weights: `unpack_byte_fj`.
        unpack,
        /// Operand registers and zero point subtraction: `operand_fj`, and `operand_clock_fj` for every step.
        #[serde(default)]
        operands,
        /// Choice of activations by the mask: `route_fj`, on PEs of StruM.
        #[serde(default)]
        routing,
        /// Decoders in front of filter register files: `decode_block_fj`.
        #[serde(default)]
        decode,
        /// Clock of the datapaths: `datapath_clock_fj`.
        #[serde(default)]
        datapath_clock,
        /// Clock of the other flip-flops of PEs: `pe_clock_fj`, and of written entries `if_entry_clock_fj`, `fl_entry_clock_fj`.
        #[serde(default)]
        pe_clock,
        /// Leakage of all PEs: `pe_leak_nw`.
        #[serde(default)]
        pe_leakage,
    }
    rest {
        /// Post-processing elements: `ppe_op_fj`.
        ppe,
        /// Vector engine: `vec_op_fj`.
        vec,
        /// SRAM reads: `sram_read_byte_fj`.
        sram_read,
        /// SRAM writes: `sram_write_byte_fj`.
        sram_write,
        /// DRAM, both directions: `dram_byte_fj`.
        dram,
        /// Leakage of the SRAM: `sram_leak_nw`.
        #[serde(default)]
        sram_leakage,
        /// Clock and leakage that no other part has: `idle_cycle_fj` for every cycle of the layer's share of the time.
        idle,
    }
}

/// Bytes of output register file that a step reads and writes.
const STEP_BYTES: u64 = 8;

impl Energy {
    /// The energy of these counts on this machine.
    #[must_use]
    pub fn of(counts: &Counts, m: &Machine) -> Energy {
        let e = &counts.events;
        let low = Low::of(counts, m.pe_kind);
        let high = counts.macs_high.saturating_sub(e.zero_skipped);
        let products = sum(&[high, low.full, low.shifts, low.products]);
        let held = Held::of(e, m.pe_kind);
        // Of the products of each kind, their share has a zero activation.
        let zeros = |of: u64| share_of(e.act_zero, of, products);
        let mut energy = Energy {
            // An activation is held only where no mask chooses it: no low member is a shift or a product there.
            multipliers: less(
                price(sum(&[high, low.full]), m.mult_fj),
                sum(&[
                    price(e.act_held, m.mult_act_held_saving_fj),
                    price(held.full, m.mult_weight_held_saving_fj),
                    price(zeros(sum(&[high, low.full])), m.mult_act_zero_saving_fj),
                ]),
            ),
            shifters: less(price(low.shifts, m.shift_fj), price(held.shifts, m.shift_weight_held_saving_fj)),
            low_multipliers: less(
                price(low.product_bits, m.low_mult_bit_fj),
                price(held.product_bits, m.low_mult_bit_weight_held_saving_fj),
            ),
            paths: price(if m.pe_kind == PeKind::StrumDynamic { products } else { 0 }, m.path_fj),
            adders: adders(e, m, products, [low.shifts, held.shifts]),
            adder_tree: price(e.tree_adds, m.add_fj),
            if_rf: less(
                price(sum(&[e.if_read, e.if_write]), m.if_byte_fj),
                sum(&[price(e.if_held, m.if_held_saving_fj), price(e.if_write, m.if_write_saving_fj)]),
            ),
            fl_rf: less(
                price(sum(&[e.fl_read, e.fl_write]), m.fl_byte_fj),
                sum(&[price(e.fl_held, m.fl_held_saving_fj), price(e.fl_write, m.fl_write_saving_fj)]),
            ),
            of_rf: less(
                price(sum(&[e.of_read, e.of_write]), m.of_byte_fj),
                price(e.steps_held.saturating_mul(STEP_BYTES), m.of_held_saving_fj),
            ),
            unpack: price(e.packed_weight_read, m.unpack_byte_fj),
            operands: sum(&[
                less(
                    price(products, m.operand_fj),
                    sum(&[
                        price(e.act_held, m.operand_act_held_saving_fj),
                        price(e.weight_held, m.operand_weight_held_saving_fj),
                        price(e.act_zero, m.operand_act_zero_saving_fj),
                    ]),
                ),
                price(e.pe_steps, m.operand_clock_fj),
            ]),
            routing: less(price(e.routed, m.route_fj), price(e.routed_held, m.route_held_saving_fj)),
            decode: price(e.packed_blocks, m.decode_block_fj),
            ppe: price(e.ppe_ops, m.ppe_op_fj),
            vec: price(e.vec_ops, m.vec_op_fj),
            sram_read: price(counts.bytes.sram_read, m.sram_read_byte_fj),
            sram_write: price(counts.bytes.sram_write, m.sram_write_byte_fj),
            dram: price(sum(&[counts.bytes.dram_read, counts.bytes.dram_write]), m.dram_byte_fj),
            ..Energy::over_time(counts, m)
        };
        energy.sum();
        energy
    }

    /// What does not depend on the work of a step or a cycle: clock and leakage.
    fn over_time(counts: &Counts, m: &Machine) -> Energy {
        let pes = [m.tiles, m.rows, m.cols].map(u64::from).into_iter().fold(1, u64::saturating_mul);
        Energy {
            datapath_clock: price(counts.events.pe_steps, m.datapath_clock_fj),
            pe_clock: sum(&[
                price(counts.events.pe_steps, m.pe_clock_fj),
                price(counts.events.if_entries, m.if_entry_clock_fj),
                price(counts.events.fl_entries, m.fl_entry_clock_fj),
            ]),
            pe_leakage: price(counts.cycles, per_cycle_fj(price(pes, m.pe_leak_nw), m.clock_mhz)),
            sram_leakage: price(
                counts.cycles,
                per_cycle_fj(price(m.tiles.into(), m.sram_leak_nw), m.clock_mhz),
            ),
            idle: price(counts.cycles, m.idle_cycle_fj),
            ..Energy::default()
        }
    }
}

/// Additions over the lanes and into accumulators; of `shifts`, `held_shifts` have their weight held.
fn adders(e: &Events, m: &Machine, products: u64, [shifts, held_shifts]: [u64; 2]) -> u64 {
    sum(&[
        less(
            price(products, m.product_add_fj),
            sum(&[
                price(e.act_held, m.product_add_act_held_saving_fj),
                price(less(e.weight_held, held_shifts), m.product_add_weight_held_saving_fj),
                price(
                    share_of(e.act_zero, less(products, shifts), products),
                    m.product_add_act_zero_saving_fj,
                ),
                price(shifts, m.shift_add_saving_fj),
                price(held_shifts, m.shift_add_weight_held_saving_fj),
            ]),
        ),
        less(price(sum(&[e.pe_steps, e.pool_ops]), m.add_fj), price(e.steps_held, m.add_held_saving_fj)),
    ])
}

/// Whether the machine has a saving that depends on [`Events::act_zero`].
#[must_use]
pub fn prices_zeros(m: &Machine) -> bool {
    [m.mult_act_zero_saving_fj, m.product_add_act_zero_saving_fj, m.operand_act_zero_saving_fj]
        .into_iter()
        .any(|saving| saving > 0)
}

/// How the PEs process low members.
#[derive(Default)]
struct Low {
    /// Full multiplications.
    full: u64,
    shifts: u64,
    products: u64,
    product_bits: u64,
}

impl Low {
    fn of(counts: &Counts, kind: PeKind) -> Low {
        let e = &counts.events;
        match kind {
            // Multipliers only: a low member is a weight like any other.
            PeKind::Dense => Low { full: counts.macs_low, ..Low::default() },
            PeKind::StrumDynamic | PeKind::StrumStatic => Low {
                full: 0,
                shifts: e.low_shifts,
                products: e.low_products,
                product_bits: e.low_product_bits,
            },
        }
    }
}

/// Products whose weight is held, by how the PEs process them.
struct Held {
    /// Full multiplications.
    full: u64,
    shifts: u64,
    product_bits: u64,
}

impl Held {
    fn of(e: &Events, kind: PeKind) -> Held {
        match kind {
            PeKind::Dense => Held { full: e.weight_held, shifts: 0, product_bits: 0 },
            PeKind::StrumDynamic | PeKind::StrumStatic => Held {
                full: less(e.weight_held, sum(&[e.low_shifts_weight_held, e.low_products_weight_held])),
                shifts: e.low_shifts_weight_held,
                product_bits: e.low_product_bits_weight_held,
            },
        }
    }
}

/// Leakage in whole femtojoules per cycle, rounded, so that the energy of a run is that of its layers.
fn per_cycle_fj(nw: u64, clock_mhz: u32) -> u64 {
    // nW / MHz is fJ per cycle.
    share_of(nw, 1, clock_mhz.into())
}

fn less(fj: u64, saved_fj: u64) -> u64 {
    fj.saturating_sub(saved_fj)
}

fn price(count: u64, unit_fj: u64) -> u64 {
    count.saturating_mul(unit_fj)
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Events, Traffic};

    fn counts() -> Counts {
        let events = Events {
            low_shifts: 300,
            low_products: 200,
            low_product_bits: 700,
            low_zeros: 100,
            pe_steps: 200,
            steps_held: 70,
            act_held: 90,
            act_zero: 300,
            weight_held: 400,
            routed: 1500,
            routed_held: 120,
            packed_blocks: 15,
            low_shifts_weight_held: 60,
            low_products_weight_held: 40,
            low_product_bits_weight_held: 140,
            pool_ops: 7,
            tree_adds: 11,
            if_read: 13,
            if_held: 6,
            if_write: 17,
            if_entries: 2,
            fl_read: 19,
            fl_held: 8,
            fl_write: 23,
            fl_entries: 3,
            of_read: 29,
            of_write: 31,
            packed_weight_read: 37,
            ppe_ops: 41,
            vec_ops: 43,
            ..Events::NONE
        };
        let mut counts = Counts { macs_high: 1000, macs_low: 600, events, ..Counts::default() };
        counts.bytes = Traffic { dram_read: 3, dram_write: 5, sram_read: 7, sram_write: 9 };
        counts.cycles = 47;
        counts
    }

    #[test]
    fn every_count_has_its_price() {
        let m = Machine { idle_cycle_fj: 1000, ..Machine::flexnn_16x16() };
        let got = Energy::of(&counts(), &m);
        let expected = [
            1000 * 200,
            300 * 53,
            700 * 25,
            1500 * 18,
            1500 * 53 + 207 * 100,
            11 * 100,
            30 * 110,
            42 * 110,
            60 * 221,
            37 * 30,
            0,
            0,
            0,
            0,
            0,
            0,
            41 * 3300,
            43 * 3300,
            7 * 12500,
            9 * 12500,
            8 * 162_500,
            0,
            47 * 1000,
        ];
        assert_eq!(got.parts(), expected);
        assert_eq!(got.total, expected.iter().sum::<u64>());
        assert_eq!(got.pe, expected[..Energy::PE_PARTS].iter().sum::<u64>());
    }

    /// A machine that states figures of its own for operands, clock and leakage.
    fn measured() -> Machine {
        Machine {
            operand_fj: 3,
            operand_clock_fj: 5,
            if_entry_clock_fj: 11,
            fl_entry_clock_fj: 13,
            route_fj: 4,
            decode_block_fj: 6,
            datapath_clock_fj: 7,
            pe_clock_fj: 8,
            pe_leak_nw: 26_000,
            sram_leak_nw: 13_700,
            idle_cycle_fj: 10,
            ..Machine::flexnn_16x16()
        }
    }

    #[test]
    fn operands_clock_and_leakage_have_their_price() {
        let (m, before) = (measured(), Energy::of(&counts(), &Machine::flexnn_16x16()));
        let got = Energy::of(&counts(), &m);
        let expected = Energy {
            operands: 1500 * 3 + 200 * 5,
            routing: 1500 * 4,
            decode: 15 * 6,
            datapath_clock: 200 * 7,
            pe_clock: 200 * 8 + 2 * 11 + 3 * 13,
            // 256 PEs, 1300 MHz: 5120 fJ a cycle, and 10.5 for the SRAM, rounded.
            pe_leakage: 47 * 5120,
            sram_leakage: 47 * 11,
            idle: 47 * 10,
            pe: got.pe,
            total: got.total,
            ..before
        };
        assert_eq!(got, expected);
        assert_eq!(got.pe - before.pe, 1500 * 7 + 15 * 6 + 200 * 20 + 61 + 47 * 5120);
        assert_eq!(got.total - before.total, got.pe - before.pe + 47 * 21);
        let two = Energy::of(&counts(), &Machine { tiles: 2, ..m });
        assert_eq!((two.pe_leakage, two.sram_leakage), (47 * 10240, 47 * 21));
    }

    #[test]
    fn a_held_operand_saves_what_the_machine_states() {
        let base = Machine { operand_fj: 30, route_fj: 40, ..measured() };
        let changes: [(Change, [u64; 2]); 20] = [
            // Of held weights, StruM's PEs multiply those of high members.
            (("multipliers", |m| m.mult_act_held_saving_fj = 9), [90, 90]),
            (("multipliers", |m| m.mult_weight_held_saving_fj = 9), [300, 400]),
            (("shifters", |m| m.shift_weight_held_saving_fj = 9), [60, 0]),
            (("low_multipliers", |m| m.low_mult_bit_weight_held_saving_fj = 9), [140, 0]),
            (("adders", |m| m.product_add_act_held_saving_fj = 9), [90, 90]),
            // Shifts have their own.
            (("adders", |m| m.product_add_weight_held_saving_fj = 9), [340, 400]),
            (("adders", |m| m.shift_add_saving_fj = 9), [300, 0]),
            (("adders", |m| m.shift_add_weight_held_saving_fj = 9), [60, 0]),
            (("adders", |m| m.add_held_saving_fj = 9), [70, 70]),
            (("of_rf", |m| m.of_held_saving_fj = 9), [8 * 70, 8 * 70]),
            (("if_rf", |m| m.if_held_saving_fj = 9), [6, 6]),
            (("fl_rf", |m| m.fl_held_saving_fj = 9), [8, 8]),
            (("if_rf", |m| m.if_write_saving_fj = 9), [17, 17]),
            (("fl_rf", |m| m.fl_write_saving_fj = 9), [23, 23]),
            (("operands", |m| m.operand_act_held_saving_fj = 9), [90, 90]),
            (("operands", |m| m.operand_weight_held_saving_fj = 9), [400, 400]),
            // Of 1500 products on StruM's PEs, 1000 take a multiplier and 300 a shifter.
            (("multipliers", |m| m.mult_act_zero_saving_fj = 9), [200, 300]),
            (("adders", |m| m.product_add_act_zero_saving_fj = 9), [240, 300]),
            (("operands", |m| m.operand_act_zero_saving_fj = 9), [300, 300]),
            (("routing", |m| m.route_held_saving_fj = 9), [120, 120]),
        ];
        for ((name, change), [strum, dense]) in changes {
            for (pe_kind, held) in [(PeKind::StrumDynamic, strum), (PeKind::Dense, dense)] {
                let mut m = Machine { pe_kind, ..base.clone() };
                let before = Energy::of(&counts(), &m);
                change(&mut m);
                let after = Energy::of(&counts(), &m);
                for ((part, a), b) in Energy::PARTS.iter().zip(before.parts()).zip(after.parts()) {
                    assert_eq!(a - b, if *part == name { 9 * held } else { 0 }, "{name}: {part}");
                }
                assert_eq!(before.total - after.total, 9 * held, "{name}");
            }
        }
    }

    #[test]
    fn zeros_are_worth_counting_only_where_they_save_something() {
        let changes: [fn(&mut Machine); 3] = [
            |m| m.mult_act_zero_saving_fj = 1,
            |m| m.product_add_act_zero_saving_fj = 1,
            |m| m.operand_act_zero_saving_fj = 1,
        ];
        assert!(!prices_zeros(&measured()));
        for change in changes {
            let mut machine = measured();
            change(&mut machine);
            assert!(prices_zeros(&machine));
        }
    }

    #[test]
    fn kinds_of_pes_differ_in_what_a_low_member_costs() {
        let of = |pe_kind| Energy::of(&counts(), &Machine { pe_kind, ..Machine::flexnn_16x16() });
        let [dense, dynamic, fixed] = [PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic].map(of);
        assert_eq!((dense.multipliers, dense.shifters, dense.low_multipliers), (1600 * 200, 0, 0));
        assert_eq!((dense.paths, fixed.paths), (0, 0));
        assert_eq!(dense.adders - fixed.adders, 100 * 53, "a zero is added as any product");
        assert_eq!(Energy { paths: 0, pe: 0, total: 0, ..dynamic }, Energy { pe: 0, total: 0, ..fixed });
    }

    type Change = (&'static str, fn(&mut Machine));

    #[test]
    fn doubling_a_unit_energy_doubles_its_part_and_no_other() {
        let base = Machine { sram_leak_nw: 13_000, ..measured() };
        let before = Energy::of(&counts(), &base);
        let double: [Change; 22] = [
            ("multipliers", |m| m.mult_fj *= 2),
            ("shifters", |m| m.shift_fj *= 2),
            ("low_multipliers", |m| m.low_mult_bit_fj *= 2),
            ("paths", |m| m.path_fj *= 2),
            ("if_rf", |m| m.if_byte_fj *= 2),
            ("fl_rf", |m| m.fl_byte_fj *= 2),
            ("of_rf", |m| m.of_byte_fj *= 2),
            ("unpack", |m| m.unpack_byte_fj *= 2),
            ("ppe", |m| m.ppe_op_fj *= 2),
            ("vec", |m| m.vec_op_fj *= 2),
            ("sram_read", |m| m.sram_read_byte_fj *= 2),
            ("sram_write", |m| m.sram_write_byte_fj *= 2),
            ("dram", |m| m.dram_byte_fj *= 2),
            ("idle", |m| m.idle_cycle_fj *= 2),
            ("operands", |m| (m.operand_fj, m.operand_clock_fj) = (2 * m.operand_fj, 2 * m.operand_clock_fj)),
            ("routing", |m| m.route_fj *= 2),
            ("decode", |m| m.decode_block_fj *= 2),
            ("datapath_clock", |m| m.datapath_clock_fj *= 2),
            ("pe_clock", |m| {
                m.pe_clock_fj *= 2;
                (m.if_entry_clock_fj, m.fl_entry_clock_fj) =
                    (2 * m.if_entry_clock_fj, 2 * m.fl_entry_clock_fj);
            }),
            ("pe_leakage", |m| m.pe_leak_nw *= 2),
            ("sram_leakage", |m| m.sram_leak_nw *= 2),
            // Two parts consist of additions.
            ("adders", |m| (m.product_add_fj, m.add_fj) = (2 * m.product_add_fj, 2 * m.add_fj)),
        ];
        for (name, change) in double {
            let mut m = base.clone();
            change(&mut m);
            let after = Energy::of(&counts(), &m);
            for ((part, a), b) in Energy::PARTS.iter().zip(before.parts()).zip(after.parts()) {
                let twice = *part == name || (name == "adders" && *part == "adder_tree");
                assert_eq!(b, if twice { 2 * a } else { a }, "{name}: {part}");
                assert!(a > 0, "{part}");
            }
        }
    }

    #[test]
    fn extreme_counts_saturate() {
        let mut counts = counts();
        counts.bytes.dram_read = u64::MAX;
        let energy = Energy::of(&counts, &Machine::flexnn_16x16());
        assert_eq!((energy.dram, energy.total), (u64::MAX, u64::MAX));
    }
}
