//! The compared figures of a run or of a layer: cycles, energy by part, power, and their ratio to the baseline.

use dpu_sim::{Energy, LayerReport, Work};
use serde::Serialize;

/// Energies in fJ, grouped as a hardware architect needs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Parts {
    pub(super) multipliers: u64,
    pub(super) shifters: u64,
    pub(super) low_multipliers: u64,
    pub(super) paths: u64,
    /// Products, accumulators, adder trees and pooling.
    pub(super) adders: u64,
    /// Inputs, filters and outputs.
    pub(super) register_files: u64,
    pub(super) unpack: u64,
    pub(super) operands: u64,
    pub(super) routing: u64,
    pub(super) decode: u64,
    /// Of the datapaths and of the other flip-flops of PEs.
    pub(super) clock: u64,
    /// Of the PEs.
    pub(super) leakage: u64,
    /// All of the above.
    pub(super) pe: u64,
    pub(super) ppe: u64,
    pub(super) vec: u64,
    pub(super) sram: u64,
    pub(super) sram_leakage: u64,
    pub(super) dram: u64,
    pub(super) idle: u64,
    /// Everything except the DRAM.
    pub(super) accelerator: u64,
    pub(super) total: u64,
}

impl Parts {
    fn of(e: &Energy) -> Parts {
        Parts {
            multipliers: e.multipliers,
            shifters: e.shifters,
            low_multipliers: e.low_multipliers,
            paths: e.paths,
            adders: e.adders.saturating_add(e.adder_tree),
            register_files: e.if_rf.saturating_add(e.fl_rf).saturating_add(e.of_rf),
            unpack: e.unpack,
            operands: e.operands,
            routing: e.routing,
            decode: e.decode,
            clock: e.datapath_clock.saturating_add(e.pe_clock),
            leakage: e.pe_leakage,
            pe: e.pe,
            ppe: e.ppe,
            vec: e.vec,
            sram: e.sram_read.saturating_add(e.sram_write),
            sram_leakage: e.sram_leakage,
            dram: e.dram,
            idle: e.idle,
            accelerator: e.total.saturating_sub(e.dram),
            total: e.total,
        }
    }
}

/// The power, in mW, of this energy over these cycles.
pub(super) fn milliwatts(fj: u64, cycles: u64, clock_mhz: u32) -> Option<f64> {
    // fJ · MHz is nW.
    (cycles > 0).then(|| fj as f64 * f64::from(clock_mhz) / cycles as f64 / 1e6)
}

/// Figures of a run or of a layer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    /// Cycles of the run, or the layer's share of them.
    pub(super) cycles: u64,
    /// Cycles in which a DPU works, summed over tiles.
    pub(super) dpu_cycles: u64,
    pub(super) macs: u64,
    pub(super) macs_low: u64,
    pub(super) energy_fj: Parts,
    /// Power of the PEs over all cycles, in mW.
    pub(super) pe_mw: Option<f64>,
    /// Power of the PEs over the cycles in which a DPU works, in mW.
    pub(super) pe_busy_mw: Option<f64>,
    /// Total power over all cycles, in mW.
    pub(super) total_mw: Option<f64>,
}

impl Figures {
    pub(super) fn of(work: &Work, clock_mhz: u32) -> Figures {
        let (cycles, dpu_cycles, energy) = (work.elapsed.total(), work.busy.dpu, Parts::of(&work.energy_fj));
        let power = |fj: u64, cycles: u64| milliwatts(fj, cycles, clock_mhz);
        Figures {
            cycles,
            dpu_cycles,
            macs: work.macs(),
            macs_low: work.macs_low,
            energy_fj: energy,
            pe_mw: power(energy.pe, cycles),
            pe_busy_mw: power(energy.pe, dpu_cycles),
            total_mw: power(energy.total, cycles),
        }
    }

    pub(super) fn against(&self, base: &Figures) -> Ratios {
        let of = |a: u64, b: u64| (b > 0).then(|| a as f64 / b as f64);
        let power = |a: Option<f64>, b: Option<f64>| a.zip(b).filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b);
        Ratios {
            cycles: of(self.cycles, base.cycles),
            pe_energy: of(self.energy_fj.pe, base.energy_fj.pe),
            accelerator_energy: of(self.energy_fj.accelerator, base.energy_fj.accelerator),
            total_energy: of(self.energy_fj.total, base.energy_fj.total),
            pe_power: power(self.pe_mw, base.pe_mw),
            pe_busy_power: power(self.pe_busy_mw, base.pe_busy_mw),
            total_power: power(self.total_mw, base.total_mw),
        }
    }

    /// PE energy relative to the baseline's if both paid this share of their register files' energy.
    pub(super) fn pe_ratio_with_register_files(&self, base: &Figures, share: f64) -> Option<f64> {
        let pe = |figures: &Figures| {
            let parts = &figures.energy_fj;
            parts.pe as f64 - (1.0 - share) * parts.register_files as f64
        };
        (pe(base) > 0.0).then(|| pe(self) / pe(base))
    }
}

/// Figures divided by those of the baseline; nothing where that is 0.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Ratios {
    pub(super) cycles: Option<f64>,
    pub(super) pe_energy: Option<f64>,
    pub(super) accelerator_energy: Option<f64>,
    pub(super) total_energy: Option<f64>,
    pub(super) pe_power: Option<f64>,
    pub(super) pe_busy_power: Option<f64>,
    pub(super) total_power: Option<f64>,
}

/// The layer of this name; of several, the one with the same number of them before it.
pub(super) fn same_layer<'r>(
    layers: &'r [LayerReport],
    of: &[LayerReport],
    place: usize,
) -> Option<&'r LayerReport> {
    let name = &of.get(place)?.name;
    let before = of.iter().take(place).filter(|layer| layer.name == *name).count();
    layers.iter().filter(|layer| layer.name == *name).nth(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(multipliers: u64, register_files: u64, cycles: u64) -> Figures {
        let energy_fj = Energy {
            multipliers,
            fl_rf: register_files,
            dram: 100,
            pe: multipliers + register_files,
            total: multipliers + register_files + 100,
            ..Energy::default()
        };
        let mut work = Work { energy_fj, ..Work::default() };
        (work.elapsed.dpu, work.busy.dpu) = (cycles, cycles / 2);
        Figures::of(&work, 1000)
    }

    #[test]
    fn power_is_energy_over_time() {
        let figures = figures(500, 500, 10);
        // 1000 fJ in 10 ns are 0.1 mW.
        assert_eq!((figures.pe_mw, figures.pe_busy_mw, figures.total_mw), (Some(0.1), Some(0.2), Some(0.11)));
        assert_eq!(super::Figures::of(&Work::default(), 1000).pe_mw, None);
    }

    #[test]
    fn ratios_are_against_the_baseline() {
        let (base, run) = (figures(500, 500, 10), figures(200, 400, 5));
        let ratios = run.against(&base);
        assert_eq!((ratios.cycles, ratios.pe_energy), (Some(0.5), Some(0.6)));
        assert!((ratios.pe_power.unwrap() - 1.2).abs() < 1e-12);
        assert_eq!(run.pe_ratio_with_register_files(&base, 1.0), Some(0.6));
        assert_eq!(run.pe_ratio_with_register_files(&base, 0.5), Some(400.0 / 750.0));
        assert_eq!(run.pe_ratio_with_register_files(&base, 0.0), Some(0.4));
        assert_eq!(run.against(&figures(0, 0, 0)).pe_energy, None);
    }
}
