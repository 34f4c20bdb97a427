//! The human-readable comparison: a column for each run, the paper's statements, and the differences to them.

use std::fmt::Write as _;

use dpu_isa::{LowWork, Machine, PeKind};
use strum_cli::energy;
use strum_cli::table::{Column, Table};
use strum_formats::Kind;

use super::figures::Figures;
use super::levels;
use super::table::{layer_tables, table};
use super::{Comparison, Run, paper};

/// Most energies and areas of a machine that are named where they differ from the baseline's.
const MAX_NAMED_FIGURES: usize = 4;

/// The complete text; with `layers` also a table for each layer.
pub(super) fn render(comparison: &Comparison, layers: bool) -> String {
    let figures: Vec<Option<Figures>> =
        comparison.runs().map(|run| Some(Figures::of(&run.report.total, run.report.clock_mhz))).collect();
    let unit = energy::column(figures.iter().flatten().map(|f| f.energy_fj.total).max().unwrap_or(0));
    let mut text = heading(comparison);
    text.push('\n');
    text.push_str(&table(comparison, &figures, unit));
    if layers {
        text.push_str(&layer_tables(comparison, unit));
    }
    text.push('\n');
    text.push_str(&levels::table(comparison, unit));
    text.push('\n');
    text.push_str(&statements());
    let _ = writeln!(text, "\n{}", wrapped(&difference(comparison), 100));
    text
}

/// The configurations.
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

/// Machine parameters that differ, other than the kind of the PEs: their names, or the number of figures of hardware, if there
/// are many.
fn differences(a: &Machine, b: &Machine) -> Vec<String> {
    let values = a.values().into_iter().zip(b.values());
    let fields = Machine::FIELDS.iter().zip(values).filter(|(_, (a, b))| a != b).map(|(field, _)| field);
    let measured = |unit: &str| unit.starts_with("fJ") || matches!(unit, "nW" | "um2");
    let (figures, mut names): (Vec<_>, Vec<_>) = fields
        .map(|field| (measured(field.unit), field.name.to_owned()))
        .partition(|(is_figure, _)| *is_figure);
    if figures.len() > MAX_NAMED_FIGURES {
        names.push((false, format!("{} energies and areas", figures.len())));
    } else {
        names.extend(figures);
    }
    names.into_iter().map(|(_, name)| name).collect()
}

/// The paper's statements.
fn statements() -> String {
    let mut table = Table::new(["quantity", "statement", "", "seen in"].map(Column::text));
    for paper::Claim { quantity, statement, tag, seen_in, .. } in paper::CLAIMS {
        table.row([*quantity, *statement, *tag, *seen_in]);
    }
    format!(
        "What the paper states, not computed here: {}\n\n{table}\n{}\n",
        paper::TITLE,
        paper::NOT_REPRODUCED
    )
}

/// The deviation of our figure from the paper's, and its reasons.
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
    let name = run.method.name();
    let dropped = run.method.is_packed() && low_work(run.method) == Some(LowWork::Nothing);
    let work = if dropped {
        format!(", which {name} spares the reads of dropped members")
    } else {
        format!(", whose work {name} does not change")
    };
    format!(
        "{name} on {} PEs takes {} PE energy than {} on {} PEs, and {} PE power while the DPU works; the paper states 31 to \
         34 % less PE power [paper]. By the unit energies of these machines, multipliers take {:.1} % of the baseline's \
         PE energy and register files{}, {:.1} %: even multiplications that cost nothing would \
         save no more than the former. {}",
        run.machine.pe_kind.name(),
        saved(after.against(&before).pe_energy),
        base.method.name(),
        base.machine.pe_kind.name(),
        saved(after.against(&before).pe_busy_power),
        share(before.energy_fj.multipliers),
        work,
        share(before.energy_fj.register_files),
        paper::UNKNOWN,
    )
}

/// How PEs treat low members of this method.
fn low_work(kind: Kind) -> Option<LowWork> {
    dpu_isa::Method::from_index(kind.code()).map(dpu_isa::Method::low_work)
}

/// The run that is closest to what the paper measures: mip2q on PEs that support both.
fn headline(comparison: &Comparison) -> Option<&Run> {
    let rest = &comparison.rest;
    rest.iter()
        .find(|run| run.method == Kind::Mip2q && run.machine.pe_kind == PeKind::StrumDynamic)
        .or(rest.first())
}

/// Wraps text at blanks into lines of a maximum length.
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
    fn words_are_not_broken() {
        assert_eq!(wrapped("one two three, four", 9), "one two\nthree,\nfour");
    }
}
