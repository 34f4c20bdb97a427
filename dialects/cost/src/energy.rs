//! Energy of counted work: every count times a unit energy of the machine file, and nothing else.
//!
//! `docs/energy.md` has the formulas with their sources. All figures are whole femtojoules and saturate, so that a total
//! is the sum of its parts in any order.

use dpu_isa::{Machine, PeKind};
use serde::{Deserialize, Serialize};

use crate::Counts;

/// Declares the parts with their sums.
macro_rules! parts {
    (
        pe { $($(#[doc = $pdoc:literal])* $pe:ident,)* }
        rest { $($(#[doc = $rdoc:literal])* $rest:ident,)* }
    ) => {
        /// Energy in femtojoules, by the part of the machine that spends it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Energy {
            $($(#[doc = $pdoc])* pub $pe: u64,)*
            $($(#[doc = $rdoc])* pub $rest: u64,)*
            /// The PEs: multipliers, shifters, adders, register files and decoders.
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
        /// Products added up over the lanes (`product_add_fj`) and into accumulators (`add_fj`), and pooling (`add_fj`).
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
        /// Clock and leakage: `idle_cycle_fj` for every cycle of the layer's share of the time.
        idle,
    }
}

impl Energy {
    /// The energy of these counts on this machine.
    #[must_use]
    pub fn of(counts: &Counts, m: &Machine) -> Energy {
        let e = &counts.events;
        let low = Low::of(counts, m.pe_kind);
        let high = counts.macs_high.saturating_sub(e.zero_skipped);
        let products = sum(&[high, low.full, low.shifts, low.products]);
        let mut energy = Energy {
            multipliers: price(sum(&[high, low.full]), m.mult_fj),
            shifters: price(low.shifts, m.shift_fj),
            low_multipliers: price(low.product_bits, m.low_mult_bit_fj),
            paths: price(if m.pe_kind == PeKind::StrumDynamic { products } else { 0 }, m.path_fj),
            adders: sum(&[
                price(products, m.product_add_fj),
                price(sum(&[e.pe_steps, e.pool_ops]), m.add_fj),
            ]),
            adder_tree: price(e.tree_adds, m.add_fj),
            if_rf: price(sum(&[e.if_read, e.if_write]), m.if_byte_fj),
            fl_rf: price(sum(&[e.fl_read, e.fl_write]), m.fl_byte_fj),
            of_rf: price(sum(&[e.of_read, e.of_write]), m.of_byte_fj),
            unpack: price(e.packed_weight_read, m.unpack_byte_fj),
            ppe: price(e.ppe_ops, m.ppe_op_fj),
            vec: price(e.vec_ops, m.vec_op_fj),
            sram_read: price(counts.bytes.sram_read, m.sram_read_byte_fj),
            sram_write: price(counts.bytes.sram_write, m.sram_write_byte_fj),
            dram: price(sum(&[counts.bytes.dram_read, counts.bytes.dram_write]), m.dram_byte_fj),
            idle: price(counts.cycles, m.idle_cycle_fj),
            ..Energy::default()
        };
        energy.sum();
        energy
    }
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
            pool_ops: 7,
            tree_adds: 11,
            if_read: 13,
            if_write: 17,
            fl_read: 19,
            fl_write: 23,
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
            41 * 3300,
            43 * 3300,
            7 * 12500,
            9 * 12500,
            8 * 162_500,
            47 * 1000,
        ];
        assert_eq!(got.parts(), expected);
        assert_eq!(got.total, expected.iter().sum::<u64>());
        assert_eq!(got.pe, expected[..Energy::PE_PARTS].iter().sum::<u64>());
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
        let base = Machine { idle_cycle_fj: 10, ..Machine::flexnn_16x16() };
        let before = Energy::of(&counts(), &base);
        let double: [Change; 15] = [
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
