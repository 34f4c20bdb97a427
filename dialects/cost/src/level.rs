//! Levels of the hardware, from a PE's datapath to the whole DPU: what each contains, and so its area and its energy.
//!
//! Every level contains the one before.

use dpu_isa::Machine;

use crate::{Energy, product};

/// A level of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Multipliers, shifters, adders of the lanes and accumulator of a PE.
    Datapath,
    /// A PE without its register files: also operand registers, choice of activations, decoders.
    PeCore,
    /// A PE: also register files.
    Pe,
    /// The PE array of a tile: also the adders between PEs.
    Array,
    /// All of a tile but its SRAM: also post-processing elements, vector engine, control.
    DpuWithoutSram,
    /// A tile.
    Dpu,
}

impl Level {
    /// All levels, each contained in the next.
    pub const ALL: [Level; 6] =
        [Level::Datapath, Level::PeCore, Level::Pe, Level::Array, Level::DpuWithoutSram, Level::Dpu];

    /// Its name in reports and JSON objects.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Level::Datapath => "datapath",
            Level::PeCore => "pe_core",
            Level::Pe => "pe",
            Level::Array => "array",
            Level::DpuWithoutSram => "dpu_without_sram",
            Level::Dpu => "dpu",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Datapath => "datapath",
            Level::PeCore => "PE without register files",
            Level::Pe => "PE",
            Level::Array => "array",
            Level::DpuWithoutSram => "DPU without SRAM",
            Level::Dpu => "DPU with SRAM",
        }
    }

    /// Area in um2, of one PE or of one tile; `None` unless the machine states all of it.
    #[must_use]
    pub fn area_um2(self, m: &Machine) -> Option<u64> {
        let stated = |area: u64| (area > 0).then_some(area);
        let and = |area: Option<u64>, more: u64| Some(area?.saturating_add(stated(more)?));
        match self {
            Level::Datapath => stated(m.datapath_area_um2),
            Level::PeCore => stated(m.pe_core_area_um2),
            Level::Pe => stated(m.pe_area_um2),
            Level::Array => {
                let pe = stated(m.pe_area_um2);
                let each = if m.adder_tree_max == 1 { pe } else { and(pe, m.tree_area_um2) };
                Some(product([m.rows.into(), m.cols.into(), each?]))
            }
            Level::DpuWithoutSram => and(Level::Array.area_um2(m), m.rest_area_um2),
            Level::Dpu => and(Level::DpuWithoutSram.area_um2(m), m.sram_area_um2),
        }
    }

    /// Energy in fJ that all of the machine's parts of this level take. Leakage is known of whole PEs only, and so is the
    /// clock of flip-flops outside the datapath: both are part of it from [`Level::Pe`] on.
    #[must_use]
    pub fn energy_fj(self, e: &Energy) -> u64 {
        let sum = |parts: &[u64]| parts.iter().fold(0u64, |sum, &part| sum.saturating_add(part));
        let datapath = [e.multipliers, e.shifters, e.low_multipliers, e.paths, e.adders, e.datapath_clock];
        match self {
            Level::Datapath => sum(&datapath),
            Level::PeCore => sum(&[Level::Datapath.energy_fj(e), e.operands, e.routing, e.decode, e.unpack]),
            Level::Pe => {
                sum(&[Level::PeCore.energy_fj(e), e.if_rf, e.fl_rf, e.of_rf, e.pe_clock, e.pe_leakage])
            }
            Level::Array => sum(&[Level::Pe.energy_fj(e), e.adder_tree]),
            Level::DpuWithoutSram => sum(&[Level::Array.energy_fj(e), e.ppe, e.vec, e.idle]),
            Level::Dpu => {
                sum(&[Level::DpuWithoutSram.energy_fj(e), e.sram_read, e.sram_write, e.sram_leakage])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_contain_each_other_and_are_known_if_all_of_them_is() {
        let none = Machine::flexnn_16x16();
        assert!(Level::ALL.iter().all(|level| level.area_um2(&none).is_none()));
        let m = Machine {
            rows: 2,
            cols: 4,
            datapath_area_um2: 3,
            pe_core_area_um2: 4,
            pe_area_um2: 20,
            tree_area_um2: 1,
            sram_area_um2: 500,
            rest_area_um2: 30,
            ..none
        };
        let areas = |m: &Machine| Level::ALL.map(|level| level.area_um2(m));
        let all = [Some(3), Some(4), Some(20), Some(168), Some(198), Some(698)];
        assert_eq!(areas(&m), all);
        let tree = Machine { tree_area_um2: 0, ..m.clone() };
        assert_eq!(areas(&tree), [Some(3), Some(4), Some(20), None, None, None]);
        assert_eq!(areas(&Machine { adder_tree_max: 1, ..tree })[3], Some(160), "there are no trees");
        let rest = Machine { rest_area_um2: 0, ..m.clone() };
        assert_eq!(areas(&rest)[3..], [Some(168), None, None]);
        assert_eq!(areas(&Machine { sram_area_um2: 0, ..m })[4..], [Some(198), None]);
    }

    #[test]
    fn every_part_but_the_dram_belongs_to_a_level() {
        // Powers of two: every sum tells its parts.
        let mut e = Energy::default();
        let parts: [&mut u64; 24] = [
            &mut e.multipliers,
            &mut e.shifters,
            &mut e.low_multipliers,
            &mut e.paths,
            &mut e.adders,
            &mut e.datapath_clock,
            &mut e.operands,
            &mut e.routing,
            &mut e.decode,
            &mut e.unpack,
            &mut e.if_rf,
            &mut e.fl_rf,
            &mut e.of_rf,
            &mut e.pe_clock,
            &mut e.pe_leakage,
            &mut e.adder_tree,
            &mut e.ppe,
            &mut e.vec,
            &mut e.idle,
            &mut e.sram_read,
            &mut e.sram_write,
            &mut e.sram_leakage,
            &mut e.dram,
            &mut e.total,
        ];
        for (i, part) in parts.into_iter().enumerate() {
            *part = 1 << i;
        }
        assert_eq!(Energy::PARTS.len(), 23);
        let first = |n: u32| (1u64 << n) - 1;
        let got = Level::ALL.map(|level| level.energy_fj(&e));
        assert_eq!(got, [first(6), first(10), first(15), first(16), first(19), first(22)]);
    }
}
