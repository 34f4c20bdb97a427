//! The comparison for a person: a column for each run, the paper's statements, and what makes the difference.

use std::fmt::Write as _;

use dpu_isa::{Machine, PeKind};
use dpu_sim::LayerReport;

use super::figures::{Figures, Parts};
use super::{Comparison, Run, paper};
use crate::driver::options::Method;

/// Shares of the register files' energy for which the PE's is worked out anew.
pub(super) const REGISTER_FILE_SHARES: &[(f64, &str)] = &[(0.5, "1/2"), (0.25, "1/4"), (0.0, "0")];

/// Width of a table's first column.
const LABEL: usize = 27;

/// A unit of energy and its size in fJ.
type Unit = (&'static str, f64);

type Row = (&'static str, fn(&Parts) -> u64);

const PE_PARTS: [Row; 7] = [
    ("  multipliers", |p| p.multipliers),
    ("  shifters", |p| p.shifters),
    ("  low multipliers", |p| p.low_multipliers),
    ("  choice of path", |p| p.paths),
    ("  adders", |p| p.adders),
    ("  register files", |p| p.register_files),
    ("  unpack", |p| p.unpack),
];
const REST: [Row; 4] =
    [("PPE", |p| p.ppe), ("VEC", |p| p.vec), ("SRAM", |p| p.sram), ("clock and leakage", |p| p.idle)];

/// All of it; with `layers` also a table for each layer.
pub(super) fn render(comparison: &Comparison, layers: bool) -> String {
    let figures: Vec<Option<Figures>> =
        comparison.runs().map(|run| Some(Figures::of(&run.report.total, run.report.clock_mhz))).collect();
    let unit = unit_for(figures.iter().flatten().map(|f| f.energy_fj.total).max().unwrap_or(0));
    let mut text = heading(comparison);
    text.push('\n');
    text.push_str(&table(comparison, &figures, unit));
    if layers {
        text.push_str(&layer_tables(comparison, unit));
    }
    text.push('\n');
    text.push_str(&statements());
    let _ = writeln!(text, "\n{}", wrapped(&difference(comparison), 100));
    text
}

/// What is compared.
fn heading(comparison: &Comparison) -> String {
    let base = &comparison.base;
    let mut text = format!(
        "network   {}: {} layers, {} MACs in every run\n",
        comparison.network,
        base.report.layers.len(),
        base.report.total.macs()
    );
    let mut told: Vec<&Machine> = Vec::new();
    for (run, [_, label]) in comparison.runs().zip(comparison.labels()) {
        let m = &run.machine;
        if told.contains(&m) {
            continue;
        }
        told.push(m);
        let name = if label == m.name { label } else { format!("{label}: {}", m.name) };
        let _ = write!(text, "machine   {name}, {} PEs at {} MHz", m.pe_kind.name(), m.clock_mhz);
        let other = differences(m, &base.machine);
        let _ = match other.as_slice() {
            [] => writeln!(text),
            names => writeln!(text, "; unlike the baseline's: {}", names.join(", ")),
        };
    }
    text
}

/// Parameters, other than the kind of the PEs, in which machines differ.
fn differences(a: &Machine, b: &Machine) -> Vec<&'static str> {
    let values = a.values().into_iter().zip(b.values());
    Machine::FIELDS.iter().zip(values).filter(|(_, (a, b))| a != b).map(|(field, _)| field.name).collect()
}

/// One block: energies, cycles and powers of all runs; nothing for a run that has no such layer.
fn table(comparison: &Comparison, figures: &[Option<Figures>], unit: Unit) -> String {
    let labels = comparison.labels();
    let widths: Vec<usize> = labels
        .iter()
        .map(|label| label.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(8))
        .collect();
    let mut text = String::new();
    let mut line = |label: &str, cells: Vec<String>| {
        let mut row = format!("{label:<LABEL$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(row, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line("", labels.iter().map(|[method, _]| method.clone()).collect());
    line(&format!("energy, {}", unit.0), labels.iter().map(|[_, machine]| machine.clone()).collect());
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
        line(label, energy(of));
    }
    line("PE", energy(|p| p.pe));
    line("  against the baseline", change(&|f, base| f.against(base).pe_energy));
    for &(share, label) in REGISTER_FILE_SHARES.iter().filter(|_| any(|p| p.register_files)) {
        let label = format!("  register files at {label}");
        line(&label, change(&|f, base| f.pe_ratio_with_register_files(base, share)));
    }
    for (label, of) in REST.into_iter().filter(|(_, of)| any(*of)) {
        line(label, energy(of));
    }
    line("all but DRAM", energy(|p| p.accelerator));
    line("  against the baseline", change(&|f, base| f.against(base).accelerator_energy));
    line("DRAM", energy(|p| p.dram));
    line("total", energy(|p| p.total));
    line("  against the baseline", change(&|f, base| f.against(base).total_energy));
    line("cycles", cells(&|f| f.cycles.to_string()));
    line("  against the baseline", change(&|f, base| f.against(base).cycles));
    let power = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
    line("PE power, mW", cells(&|f| power(f.pe_mw)));
    line("  against the baseline", change(&|f, base| f.against(base).pe_power));
    line("PE power, mW, DPU busy", cells(&|f| power(f.pe_busy_mw)));
    line("  against the baseline", change(&|f, base| f.against(base).pe_busy_power));
    line("power, mW", cells(&|f| power(f.total_mw)));
    line("  against the baseline", change(&|f, base| f.against(base).total_power));
    text
}

fn layer_tables(comparison: &Comparison, unit: Unit) -> String {
    let mut text = String::new();
    for (place, layer) in comparison.base.report.layers.iter().enumerate() {
        let same: Vec<Option<&LayerReport>> =
            comparison.runs().map(|run| comparison.layer_of(run, place)).collect();
        let figures: Vec<Option<Figures>> = same
            .iter()
            .zip(comparison.runs())
            .map(|(layer, run)| layer.map(|layer| Figures::of(&layer.work, run.report.clock_mhz)))
            .collect();
        let _ = writeln!(text, "\nlayer     {} ({}), {} MACs", layer.name, layer.op, layer.macs_stated);
        text.push_str(&table(comparison, &figures, unit));
    }
    text
}

/// What the paper states.
fn statements() -> String {
    let mut text = format!("What the paper states, not computed here:\n  {}\n", paper::TITLE);
    for claim in paper::CLAIMS {
        let paper::Claim { quantity, statement, tag, seen_in, .. } = claim;
        let _ = writeln!(text, "  {quantity:<17} {statement:<34} {tag} {seen_in}");
    }
    text
}

/// How far our figure is from the paper's, and what makes the difference.
pub(super) fn difference(comparison: &Comparison) -> String {
    let base = &comparison.base;
    let Some(run) = headline(comparison) else { return paper::UNKNOWN.to_owned() };
    let [before, after] = [base, run].map(|run| Figures::of(&run.report.total, run.report.clock_mhz));
    let saved = |ratio: Option<f64>| match ratio.map(|r| (1.0 - r) * 100.0) {
        Some(saved) if saved < 0.0 => format!("{:.1} % more", -saved),
        Some(saved) => format!("{saved:.1} % less"),
        None => "no".to_owned(),
    };
    let share = |part: u64| 100.0 * part as f64 / before.energy_fj.pe.max(1) as f64;
    format!(
        "{} on {} PEs takes {} PE energy than {} on {} PEs, and {} PE power while the DPU works; the paper states 31 to \
         34 % less PE power [paper]. By the unit energies of these machines, multipliers take {:.1} % of the baseline's \
         PE energy and register files, whose work no method changes, {:.1} %: even multiplications that cost nothing would \
         save no more than the former. {}",
        run.method.name(),
        run.machine.pe_kind.name(),
        saved(after.against(&before).pe_energy),
        base.method.name(),
        base.machine.pe_kind.name(),
        saved(after.against(&before).pe_busy_power),
        share(before.energy_fj.multipliers),
        share(before.energy_fj.register_files),
        paper::UNKNOWN,
    )
}

/// The run that is nearest to what the paper measures: mip2q on PEs that can do both.
fn headline(comparison: &Comparison) -> Option<&Run> {
    let rest = &comparison.rest;
    rest.iter()
        .find(|run| run.method == Method::Mip2q && run.machine.pe_kind == PeKind::StrumDynamic)
        .or(rest.first())
}

/// The unit in which a table with this energy as its largest keeps digits for the small ones.
fn unit_for(fj: u64) -> Unit {
    match fj as f64 {
        e if e < 1e10 => ("nJ", 1e6),
        e if e < 1e14 => ("uJ", 1e9),
        e if e < 1e18 => ("mJ", 1e12),
        _ => ("J", 1e15),
    }
}

/// Four digits, or all of those before the point; no more than three behind it.
fn significant(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 10.0 => format!("{v:.3}"),
        v if v < 100.0 => format!("{v:.2}"),
        v if v < 1000.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A ratio as the change in percent.
fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:+.1} %", (ratio - 1.0) * 100.0))
}

/// Lines of at most so many characters, broken at blanks.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        let texts = [0.0, 0.0004, 1.23456, 12.3456, 123.456, 12345.6].map(significant);
        assert_eq!(texts, ["0", "0.000", "1.235", "12.35", "123.5", "12346"]);
        assert_eq!((percent(Some(0.942)), percent(None)), ("-5.8 %".to_owned(), "-".to_owned()));
        assert_eq!([0, 9_999_999_999, 10_000_000_000].map(|fj| unit_for(fj).0), ["nJ", "nJ", "uJ"]);
    }

    #[test]
    fn words_are_not_broken() {
        assert_eq!(wrapped("one two three, four", 9), "one two\nthree,\nfour");
    }
}
