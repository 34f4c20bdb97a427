//! Tables with one column per run.

use std::fmt::{self, Write as _};

use strum_cli::energy::Unit;
use strum_cli::table::{Column, Table, shortened};

use super::figures::{Figures, Parts};
use super::{Comparison, Run};

/// Shares of the register files' energy for which the PEs' energy is recomputed.
pub(super) const REGISTER_FILE_SHARES: &[(f64, &str)] = &[(0.5, "1/2"), (0.25, "1/4"), (0.0, "0")];

/// Maximum length of a layer's name, in characters.
const NAME: usize = 27;

type Row = (&'static str, fn(&Parts) -> u64);

const PE_PARTS: [Row; 12] = [
    ("  multipliers", |p| p.multipliers),
    ("  shifters", |p| p.shifters),
    ("  low multipliers", |p| p.low_multipliers),
    ("  choice of path", |p| p.paths),
    ("  adders", |p| p.adders),
    ("  register files", |p| p.register_files),
    ("  unpack", |p| p.unpack),
    ("  operands", |p| p.operands),
    ("  choice of activations", |p| p.routing),
    ("  decoders", |p| p.decode),
    ("  clock", |p| p.clock),
    ("  leakage", |p| p.leakage),
];
const REST: [Row; 5] = [
    ("PPE", |p| p.ppe),
    ("VEC", |p| p.vec),
    ("SRAM", |p| p.sram),
    ("SRAM leakage", |p| p.sram_leakage),
    ("other clock and leakage", |p| p.idle),
];

/// A table with one column per run.
pub(super) struct Grid(Table);

impl Grid {
    /// Starts with methods and machines, after the row labels.
    pub(super) fn new(comparison: &Comparison, what: String) -> Grid {
        let runs = comparison.labels().into_iter().map(|label| Column::number(label.join("\n")));
        Grid(Table::new([Column::text(what)].into_iter().chain(runs)))
    }

    pub(super) fn line(&mut self, label: &str, cells: Vec<String>) {
        self.0.row([label.to_owned()].into_iter().chain(cells));
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One block: energies, cycles and powers of all runs; nothing for a run that has no such layer.
pub(super) fn table(comparison: &Comparison, figures: &[Option<Figures>], unit: Unit) -> String {
    let mut grid = Grid::new(comparison, format!("energy, {}", unit.0));
    let cells = |value: &dyn Fn(&Figures) -> String| -> Vec<String> {
        figures.iter().map(|f| f.as_ref().map_or_else(|| "-".to_owned(), value)).collect()
    };
    let energy = |of: fn(&Parts) -> u64| cells(&|f| significant(of(&f.energy_fj) as f64 / unit.1));
    let base = figures.first().copied().flatten();
    let change = |value: &dyn Fn(&Figures, &Figures) -> Option<f64>| -> Vec<String> {
        let of = |f: &Option<Figures>| f.as_ref().zip(base.as_ref()).and_then(|(f, base)| value(f, base));
        let first = std::iter::once(String::new());
        first.chain(figures.iter().skip(1).map(|f| percent(of(f)))).collect()
    };
    let any = |of: fn(&Parts) -> u64| figures.iter().flatten().any(|f| of(&f.energy_fj) > 0);
    for (label, of) in PE_PARTS.into_iter().filter(|(_, of)| any(*of)) {
        grid.line(label, energy(of));
    }
    grid.line("PE", energy(|p| p.pe));
    grid.line("  against the baseline", change(&|f, base| f.against(base).pe_energy));
    for &(share, label) in REGISTER_FILE_SHARES.iter().filter(|_| any(|p| p.register_files)) {
        let label = format!("  register files at {label}");
        grid.line(&label, change(&|f, base| f.pe_ratio_with_register_files(base, share)));
    }
    for (label, of) in REST.into_iter().filter(|(_, of)| any(*of)) {
        grid.line(label, energy(of));
    }
    grid.line("all but DRAM", energy(|p| p.accelerator));
    grid.line("  against the baseline", change(&|f, base| f.against(base).accelerator_energy));
    grid.line("DRAM", energy(|p| p.dram));
    grid.line("total", energy(|p| p.total));
    grid.line("  against the baseline", change(&|f, base| f.against(base).total_energy));
    grid.line("cycles", cells(&|f| f.cycles.to_string()));
    grid.line("  against the baseline", change(&|f, base| f.against(base).cycles));
    let power = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
    grid.line("PE power, mW", cells(&|f| power(f.pe_mw)));
    grid.line("  against the baseline", change(&|f, base| f.against(base).pe_power));
    grid.line("PE power, mW, DPU busy", cells(&|f| power(f.pe_busy_mw)));
    grid.line("  against the baseline", change(&|f, base| f.against(base).pe_busy_power));
    grid.line("power, mW", cells(&|f| power(f.total_mw)));
    grid.line("  against the baseline", change(&|f, base| f.against(base).total_power));
    grid.to_string()
}

/// The figures of a baseline layer in every run that has it.
fn figures_of_layer(comparison: &Comparison, place: usize) -> Vec<Option<Figures>> {
    let of = |run: &Run| {
        comparison.layer_of(run, place).map(|layer| Figures::of(&layer.work, run.report.clock_mhz))
    };
    comparison.runs().map(of).collect()
}

/// One line per layer: the PEs' energy in the baseline, and its change in the other runs.
fn overview(comparison: &Comparison, unit: Unit) -> String {
    let mut grid = Grid::new(comparison, format!("PE energy, {}", unit.0));
    for (place, layer) in comparison.base.report.layers.iter().enumerate() {
        let figures = figures_of_layer(comparison, place);
        let Some(base) = figures.first().copied().flatten().filter(|f| f.energy_fj.pe > 0) else { continue };
        let first = std::iter::once(significant(base.energy_fj.pe as f64 / unit.1));
        let rest = figures.iter().skip(1).map(|f| percent(f.and_then(|f| f.against(&base).pe_energy)));
        grid.line(&shortened(&layer.name, NAME), first.chain(rest).collect());
    }
    grid.to_string()
}

/// Layers that are listed as those that differ most.
const DIFFERENT: usize = 10;

/// The layers whose cycles differ most from the baseline's, the greatest difference first.
fn differences(comparison: &Comparison) -> String {
    let layers = comparison.base.report.layers.iter().enumerate().map(|(place, layer)| {
        let cycles = |run| comparison.layer_of(run, place).map(|layer| layer.work.elapsed.total());
        let base = layer.work.elapsed.total();
        let changes: Vec<Option<i128>> =
            comparison.rest.iter().map(|run| cycles(run).map(|n| i128::from(n) - i128::from(base))).collect();
        let most = changes.iter().flatten().map(|change| change.abs()).max().unwrap_or(0);
        (most, layer, base, changes)
    });
    let mut layers: Vec<_> = layers.filter(|(most, ..)| *most > 0).collect();
    if layers.is_empty() {
        return "none\n".to_owned();
    }
    layers.sort_by_key(|(most, ..)| std::cmp::Reverse(*most));
    let mut grid = Grid::new(comparison, "cycles".to_owned());
    for (_, layer, base, changes) in layers.into_iter().take(DIFFERENT) {
        let changes =
            changes.into_iter().map(|change| change.map_or_else(|| "-".to_owned(), |n| format!("{n:+}")));
        grid.line(&shortened(&layer.name, NAME), std::iter::once(base.to_string()).chain(changes).collect());
    }
    grid.to_string()
}

/// A table of the total, then one for each layer.
pub(super) fn layer_tables(comparison: &Comparison, unit: Unit) -> String {
    let mut text = format!("\nlayers    whose cycles differ most\n{}", differences(comparison));
    let _ = write!(text, "\nlayers    PEs, those that use any\n{}", overview(comparison, unit));
    for (place, layer) in comparison.base.report.layers.iter().enumerate() {
        let figures = figures_of_layer(comparison, place);
        let _ = writeln!(text, "\nlayer     {} ({}), {} MACs", layer.name, layer.op, layer.macs_stated);
        text.push_str(&table(comparison, &figures, unit));
    }
    text
}

/// Four digits, or all digits before the point; at most three after it.
pub(super) fn significant(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 10.0 => format!("{v:.3}"),
        v if v < 100.0 => format!("{v:.2}"),
        v if v < 1000.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A ratio as a change in percent.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:+.1} %", (ratio - 1.0) * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        let texts = [0.0, 0.0004, 1.23456, 12.3456, 123.456, 12345.6].map(significant);
        assert_eq!(texts, ["0", "0.000", "1.235", "12.35", "123.5", "12346"]);
        assert_eq!((percent(Some(0.942)), percent(None)), ("-5.8 %".to_owned(), "-".to_owned()));
    }
}
