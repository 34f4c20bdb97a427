//! A report as text: the totals in a few lines, or the table of layers.
//!
//! Everything printed is in the report; only shares are computed here.

use std::fmt::{self, Write as _};

use dpu_cost::Energy;
use strum_cli::energy;
use strum_cli::table::{Column, Table, shortened};

use super::{LayerReport, Report, Work};

impl Report {
    /// The totals, a few lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let t = &self.total;
        let b = &t.bytes;
        format!(
            "cycles  {} ({:.3} ms at {} MHz, {})\n\
             macs    {} ({} high, {} low)\n\
             dram    {} bytes read, {} written\n\
             sram    {} bytes read, {} written\n\
             energy  {}: {}\n",
            self.cycles,
            self.milliseconds,
            self.clock_mhz,
            self.machine,
            t.macs(),
            t.macs_high,
            t.macs_low,
            b.dram_read,
            b.dram_write,
            b.sram_read,
            b.sram_write,
            energy::text(t.energy_fj.total),
            shares(&t.energy_fj),
        )
    }
}

/// The layers that a table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct LayerView {
    /// Print only the N slowest layers, the slowest first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["quiet", "json"], help_heading = "Reporting")]
    pub slowest: Option<u32>,

    /// Print only layers with this text in their name, op, source, weight format or bound; upper and lower case are the same.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["quiet", "json"], help_heading = "Reporting")]
    pub filter: Option<String>,
}

impl LayerView {
    /// Whether any choice is made.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.slowest.is_some() || self.filter.is_some()
    }

    /// Whether a layer is shown.
    #[must_use]
    pub fn shows(&self, layer: &LayerReport) -> bool {
        let Some(filter) = &self.filter else { return true };
        let bound = layer.work.limits.bound().unwrap_or_default();
        let texts = [&layer.name, &layer.op, &layer.location, &layer.weights, bound];
        texts.iter().any(|text| text.to_lowercase().contains(&filter.to_lowercase()))
    }
}

impl Report {
    /// The tables of layers and engines, and the totals. Of more than ten layers, the ten slowest are listed again below all.
    #[must_use]
    pub fn text(&self, view: &LayerView) -> String {
        let mut text = String::new();
        let shown: Vec<&LayerReport> = self.layers.iter().filter(|layer| view.shows(layer)).collect();
        let slowest = |most: usize| {
            let mut sorted = shown.clone();
            sorted.sort_by_key(|layer| std::cmp::Reverse(layer.work.elapsed.total()));
            sorted.truncate(most);
            sorted
        };
        if let Some(most) = view.slowest {
            text.push_str(&self.layer_table(&slowest(most as usize), ""));
        } else {
            text.push_str(&self.layer_table(&shown, ""));
        }
        if let Some(filter) = view.filter.as_ref().filter(|_| shown.is_empty()) {
            let _ = writeln!(text, "no layer has '{filter}' in its name, op, source, weight format or bound");
        }
        let _ = writeln!(text, "{EXPLANATION}\n");
        if view.slowest.is_none() && shown.len() > SLOWEST {
            let _ = writeln!(text, "{}", self.layer_table(&slowest(SLOWEST), "slowest "));
        }
        let _ = writeln!(text, "{}", self.engine_table());
        let s = &self.total.stalls;
        let _ = writeln!(
            text,
            "stalls  {} cycles for barriers, {} for a full FIFO, {} to arm a barrier",
            s.barrier_wait, s.fifo_full, s.barrier_arm
        );
        text + &self.summary()
    }

    /// The rows of these layers and their sum; at most 120 columns wide, and the sources behind.
    fn layer_table(&self, layers: &[&LayerReport], title: &str) -> String {
        let unit = energy::column(self.total.energy_fj.total);
        // The compiler names layers by their position and op.
        let ops = layers.iter().any(|l| !l.op.is_empty() && !l.name.ends_with(short(&l.op)));
        let sources = layers.iter().any(|l| !l.location.is_empty());
        let texts = [(true, format!("{title}layer")), (ops, "op".to_owned())];
        let mut columns: Vec<Column> =
            texts.into_iter().filter(|(shown, _)| *shown).map(|(_, name)| Column::text(name)).collect();
        let headers = NUMBERS.map(str::to_owned).into_iter().chain([format!("energy\n{}", unit.0)]);
        columns.extend(headers.map(Column::number));
        columns.extend(["bound by", "weights"].map(Column::text));
        columns.extend(sources.then(|| Column::text("source")));
        let mut table = Table::new(columns);
        let mut row = |[name, op, weights, source]: [&str; 4], work: &Work| {
            let mut cells = vec![shortened(name, NAME)];
            cells.extend(ops.then(|| shortened(short(op), NAME)));
            cells.extend(self.numbers(work, unit.1));
            cells.push(work.limits.bound().unwrap_or("-").to_owned());
            cells.push(weights.to_owned());
            cells.extend(sources.then(|| source_text(source)));
            table.row(cells);
        };
        for l in layers {
            row([&l.name, &l.op, &l.weights, &l.location], &l.work);
        }
        if layers.len() == self.layers.len() {
            row(["total", "", "", ""], &self.total);
        } else {
            let mut sum = Work::default();
            layers.iter().for_each(|l| sum.add(&l.work));
            row([&format!("{} of {} layers", layers.len(), self.layers.len()), "", "", ""], &sum);
        }
        table.to_string()
    }

    /// The cells of the columns of numbers.
    fn numbers(&self, w: &Work, unit: f64) -> [String; NUMBERS.len() + 1] {
        let (b, cycles) = (&w.bytes, w.elapsed.total());
        let kilobytes = |a: u64, b: u64| decimals(a.saturating_add(b) as f64 / 1e3, 1);
        let used = self.utilization(w).filter(|_| w.macs() > 0);
        [
            cycles.to_string(),
            percent(cycles, self.cycles),
            used.map_or_else(|| "-".to_owned(), |used| format!("{:.1}", used * 100.0)),
            decimals(w.macs() as f64 / 1e6, 3),
            kilobytes(b.dram_read, b.dram_write),
            kilobytes(b.sram_read, b.sram_write),
            decimals(w.energy_fj.total as f64 / unit, 3),
        ]
    }

    fn engine_table(&self) -> Table {
        let numbers = ["busy\ncycles", "%", "tasks"].map(Column::number);
        let mut table = Table::new([Column::text("engine")].into_iter().chain(numbers));
        for e in &self.engines {
            let cells = [e.busy.to_string(), percent(e.busy, self.cycles), e.tasks.to_string()];
            table.row([e.name.clone()].into_iter().chain(cells));
        }
        table
    }
}

/// Tables of all layers, engines and totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&LayerView::default()))
    }
}

/// Layers that are listed as the slowest ones.
const SLOWEST: usize = 10;
/// Headers of the columns of numbers, but that of the energy.
const NUMBERS: [&str; 6] = ["cycles", "%", "used\n%", "MACs\nM", "DRAM\nkB", "SRAM\nkB"];
const EXPLANATION: &str = "cycles of the run by what they go to, and what most of them wait for; used: of the PEs' peak; \
                           bytes read and written";
/// Maximum characters of a name: longer ones are shortened in the middle.
const NAME: usize = 20;
/// Maximum characters of a source.
const SOURCE: usize = 40;

/// The first name of a source and how many follow: TFLite joins the names of operators that it has fused by `;`.
fn source_text(source: &str) -> String {
    let (first, more) = source.split_once(';').unwrap_or((source, ""));
    match more.split(';').filter(|name| !name.is_empty()).count() {
        0 => shortened(first, SOURCE),
        count => format!("{} +{count}", shortened(first, SOURCE)),
    }
}

/// An operation without the prefix of its dialect.
fn short(op: &str) -> &str {
    op.rsplit('.').next().unwrap_or(op)
}

/// With this many decimals, or two fewer from 1000 on.
fn decimals(value: f64, count: usize) -> String {
    let count = if value < 1e3 { count } else { count.saturating_sub(2) };
    format!("{value:.count$}")
}

/// Energy by part.
fn shares(energy: &Energy) -> String {
    let rest = [
        ("PE", energy.pe),
        ("PPE", energy.ppe),
        ("VEC", energy.vec),
        ("SRAM", energy.sram_read.saturating_add(energy.sram_write)),
        ("DRAM", energy.dram),
        ("idle", energy.idle),
    ];
    let list = rest.iter().filter(|(_, part)| *part > 0);
    let list: Vec<String> =
        list.map(|(name, part)| format!("{name} {}%", percent(*part, energy.total))).collect();
    if list.is_empty() { "nothing counted".to_owned() } else { list.join(", ") }
}

/// One decimal; `-` if undefined.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report with the figures of a large network.
    fn large() -> Report {
        let program = crate::testing::program(vec![dpu_isa::End {}.into()]);
        let mut report = crate::simulate(&program, &[], &crate::Options::default()).unwrap().report;
        let mut work = Work { macs_high: 4_089_184_256, macs_low: 1_985_569_152, ..Work::default() };
        (work.elapsed.dpu, work.limits.dram_bandwidth, report.cycles) = (2_836_579, 2_836_579, 2_836_579);
        (work.bytes.dram_read, work.bytes.sram_read) = (28_113_500, 164_962_980);
        work.energy_fj.total = 9_693_900_000_000;
        report.total = work.clone();
        let layer = |i: u64| LayerReport {
            name: format!("{i}.a layer that has a very long name, conv2d"),
            op: "strum.conv2d".to_owned(),
            location: String::new(),
            start: 0,
            end: 0,
            cycles: 0,
            macs_stated: 0,
            weights: "mip2q 16/32".to_owned(),
            work: Work { elapsed: crate::Elapsed { dpu: i % 7, ..work.elapsed }, ..work.clone() },
        };
        report.layers = (0..12).map(layer).collect();
        report
    }

    #[test]
    fn a_table_of_a_large_network_has_120_columns() {
        let text = large().to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|width| width <= 120), "{widest:?}\n{text}");
    }

    #[test]
    fn of_joined_names_the_first_is_shown() {
        let texts = ["", "net.mlir:12:8", "a/Relu;a/add;a/Conv2D"].map(source_text);
        assert_eq!(texts, ["", "net.mlir:12:8", "a/Relu +2"]);
    }

    #[test]
    fn the_slowest_come_first_and_a_filter_hides_the_others() {
        let names = |view: &LayerView| -> Vec<String> {
            let text = large().text(view);
            let layers = text.lines().filter(|line| line.contains(".a l"));
            layers.filter_map(|line| line.split('.').next()).map(str::to_owned).collect()
        };
        let all = names(&LayerView::default());
        assert_eq!(all[..3], ["0", "1", "2"]);
        // Of equally slow layers the first comes first.
        assert_eq!(all[12..], ["6", "5", "4", "11", "3", "10", "2", "9", "1", "8"]);
        assert_eq!(names(&LayerView { slowest: Some(2), filter: None }), ["6", "5"]);
        assert_eq!(names(&LayerView { slowest: None, filter: Some("11.A L".into()) }), ["11"]);
        assert_eq!(names(&LayerView { slowest: Some(1), filter: Some("DRAM band".into()) }), ["6"]);
        let none = large().text(&LayerView { slowest: None, filter: Some("q8".into()) });
        assert!(none.contains("no layer has 'q8' in its name, op, source, weight format or bound"), "{none}");
    }
}
