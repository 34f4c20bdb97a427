//! Area, energy and power of every run by level of the hardware, from a PE's datapath to the DPU with its SRAM.
//!
//! Invariant: an area is printed only if the machine file states all of it.

use dpu_isa::Machine;
use dpu_sim::Level;
use serde::Serialize;
use strum_cli::energy::Unit;

use super::figures::milliwatts;
use super::table::{Grid, percent, significant};
use super::{Comparison, Run};

/// Figures of a run at one level.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct LevelFigures {
    level: &'static str,
    /// Of one PE up to the level of a PE, else of one tile.
    area_um2: Option<u64>,
    /// Of the whole machine.
    energy_fj: u64,
    /// The same over all cycles.
    mw: Option<f64>,
}

/// Figures divided by those of the baseline; nothing where these are 0 or unknown.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct LevelRatios {
    area: Option<f64>,
    energy: Option<f64>,
    power: Option<f64>,
}

impl LevelFigures {
    pub(super) fn of(run: &Run, level: Level) -> LevelFigures {
        let work = &run.report.total;
        let energy_fj = level.energy_fj(&work.energy_fj);
        LevelFigures {
            level: level.key(),
            area_um2: level.area_um2(&run.machine),
            energy_fj,
            mw: milliwatts(energy_fj, work.elapsed.total(), run.report.clock_mhz),
        }
    }

    pub(super) fn against(&self, base: &LevelFigures) -> LevelRatios {
        let ratio = |of: Option<f64>, by: Option<f64>| Some(of? / by.filter(|&by| by > 0.0)?);
        let number = |n: u64| Some(n as f64);
        LevelRatios {
            area: ratio(self.area_um2.and_then(number), base.area_um2.and_then(number)),
            energy: ratio(number(self.energy_fj), number(base.energy_fj)),
            power: ratio(self.mw, base.mw),
        }
    }
}

/// The unit in which areas of a level are printed, and its size in um2.
const fn area_unit(level: Level) -> (&'static str, f64) {
    match level {
        Level::Datapath | Level::PeCore | Level::Pe => ("um2", 1.0),
        Level::Array | Level::DpuWithoutSram | Level::Dpu => ("mm2", 1e6),
    }
}

/// A line per level and quantity: the figure of the baseline, and its change in the other runs. Energies are in `unit`.
pub(super) fn table(comparison: &Comparison, unit: Unit) -> String {
    let mut grid = Grid::new(comparison, "level".to_owned());
    for level in Level::ALL {
        let all: Vec<LevelFigures> = comparison.runs().map(|run| LevelFigures::of(run, level)).collect();
        let Some((base, rest)) = all.split_first() else { continue };
        let mut line = |what: &str, figure: Option<f64>, ratio: fn(&LevelRatios) -> Option<f64>| {
            let Some(figure) = figure else { return };
            let first = std::iter::once(significant(figure));
            let changes = rest.iter().map(|run| percent(ratio(&run.against(base))));
            grid.line(&format!("{}, {what}", level.name()), first.chain(changes).collect());
        };
        let (area, size) = area_unit(level);
        line(area, base.area_um2.map(|um2| um2 as f64 / size), |r| r.area);
        line(unit.0, Some(base.energy_fj as f64 / unit.1), |r| r.energy);
        line("mW", base.mw, |r| r.power);
    }
    let areas = match without_areas(comparison).as_slice() {
        [] => String::new(),
        names => format!(
            "\nareas     not stated by {}; `strum-rtl characterise` writes machine files that state them\n",
            names.join(", ")
        ),
    };
    let dpu = match without_dpu_area(comparison).as_slice() {
        [] => String::new(),
        names => format!(
            "\nareas     end at the array: {} state no rest_area_um2, that of PPE, vector engine and control\n",
            names.join(", ")
        ),
    };
    format!(
        "levels    area of one PE, from the array on of one tile; energy and power of all, at the same work:\n\
         {space}the baseline's, and the change\n\n{}{areas}{dpu}",
        grid,
        space = " ".repeat(10)
    )
}

/// Names of the machines that state the area of a PE, but not of what is beside the array.
fn without_dpu_area(comparison: &Comparison) -> Vec<&str> {
    let ends = |m: &&Machine| Level::Pe.area_um2(m).is_some() && m.rest_area_um2 == 0;
    comparison.machines().into_iter().filter(ends).map(|m| m.name.as_str()).collect()
}

/// Names of the machines that state no area.
fn without_areas(comparison: &Comparison) -> Vec<&str> {
    let none = |m: &&Machine| Level::ALL.iter().all(|level| level.area_um2(m).is_none());
    comparison.machines().into_iter().filter(none).map(|m| m.name.as_str()).collect()
}
