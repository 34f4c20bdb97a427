//! The page: frame and tables here, drawings by `page.js` from the data that is embedded.

use dpu_sim::Energy;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::Named;
use crate::driver::exit::Failure;

const STYLE: &str = include_str!("page.css");
const TABLES: &str = include_str!("tables.js");
const SCRIPT: &str = include_str!("page.js");

/// The page for these reports, at least one.
pub(super) fn render(reports: &[Named]) -> Result<String, Failure> {
    let names: Vec<&str> = reports.iter().map(|named| named.name.as_str()).collect();
    let heading = match names.as_slice() {
        [first, rest @ ..] if rest.len() > 2 => format!("{} runs against {first}", rest.len()),
        names => names.join(" against "),
    };
    let title = format!("{heading} · strum-opt");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (heading) }
                    p.sub { "Simulated runs of the DPU. Figures are of one sample; energy is counted events times the unit energies of the machine file." }
                }
                main {
                    (totals(reports))
                    section #table { h2 { "Slowest layers" } p.sub { "Cycles are the layer's share of the run. Bound by: what most of them went to. PEs used: share of the peak in these cycles." } div.controls {} div.rows {} }
                    section #differ { h2 { "Where the runs differ most" } p.sub { "Layers by their greatest change against the first run, whose own figures are shown." } div.controls {} div.rows {} }
                    section #roofline { h2 { "Roofline" } p.sub { "A point is a layer of the run chosen in the table; its area is its cycles, its colour what bounds it. Above the slope are layers that are loaded during the time of others." } div.chart {} }
                    section #causes { h2 { "Where the time goes" } p.sub { "Every cycle of a run counts once: for the DPU if it works, else for the vector engine, else for a DMA engine." } div.chart {} }
                    section #energy { h2 { "Where the energy goes" } div.chart {} }
                    section #layers { h2 { "Layers" } div.controls {} div.chart {} }
                    section #timeline { h2 { "Timeline" } div.controls {} canvas tabindex="0" aria-label="Engines over time" {} p.sub { "Wheel: zoom. Drag: move. Double click: all. Arrow keys, + and −: the same." } }
                    section #sram { h2 { "SRAM over time" } p.sub { "Addresses in use, as the program's accesses show them, by the layer that wrote them. The time axis is the timeline's." } p.sub #capacity {} canvas aria-label="SRAM addresses over time" {} }
                    (provenance(reports))
                }
                div #tip {}
                script #data type="application/json" { (PreEscaped(embedded(reports)?)) }
                script { (PreEscaped(TABLES)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// JSON that cannot end its script element: `<` occurs in strings only, where an escape means the same.
fn embedded(reports: &[Named]) -> Result<String, Failure> {
    let runs: Vec<Value> = reports.iter().map(|n| json!({ "name": n.name, "report": n.report })).collect();
    let data = json!({ "runs": runs, "parts": Energy::PARTS, "peParts": Energy::PE_PARTS });
    Ok(serde_json::to_string(&data).map_err(Failure::internal)?.replace('<', "\\u003c"))
}

/// A row of the table of totals: its label, its unit, and its value in each report.
type Row = (&'static str, &'static str, Vec<f64>);

fn rows(reports: &[Named]) -> Vec<Row> {
    let of = |value: fn(&Named) -> f64| reports.iter().map(value).collect::<Vec<f64>>();
    let power = |n: &Named, fj: u64| {
        let report = &n.report;
        fj as f64 * f64::from(report.clock_mhz) / report.cycles.max(1) as f64 / 1e6
    };
    let energies = |value: fn(&Energy) -> u64| {
        reports.iter().map(|n| value(&n.report.total.energy_fj) as f64 / 1e9).collect::<Vec<f64>>()
    };
    vec![
        ("Cycles", "", of(|n| n.report.cycles as f64)),
        ("Time", "ms", of(|n| n.report.milliseconds)),
        ("MACs", "", of(|n| n.report.total.macs() as f64)),
        ("of these low", "", of(|n| n.report.total.macs_low as f64)),
        ("MACs a cycle", "", of(|n| n.report.total.macs() as f64 / n.report.cycles.max(1) as f64)),
        (
            "DRAM",
            "bytes",
            of(|n| (n.report.total.bytes.dram_read.saturating_add(n.report.total.bytes.dram_write)) as f64),
        ),
        (
            "SRAM",
            "bytes",
            of(|n| (n.report.total.bytes.sram_read.saturating_add(n.report.total.bytes.sram_write)) as f64),
        ),
        ("Energy", "µJ", energies(|e| e.total)),
        ("of PEs", "µJ", energies(|e| e.pe)),
        ("of SRAM", "µJ", energies(|e| e.sram_read.saturating_add(e.sram_write))),
        ("of DRAM", "µJ", energies(|e| e.dram)),
        ("Power", "mW", reports.iter().map(|n| power(n, n.report.total.energy_fj.total)).collect()),
        ("PE power", "mW", reports.iter().map(|n| power(n, n.report.total.energy_fj.pe)).collect()),
    ]
}

fn totals(reports: &[Named]) -> Markup {
    html! {
        section #totals {
            h2 { "Totals" }
            @if let [first, _, ..] = reports { p.sub { "Changes are against " (first.name) "." } }
            table.many[reports.len() > 3] {
                thead { tr { th {} @for named in reports { th.num { (named.name) } } } }
                tbody { @for (what, unit, values) in rows(reports) { tr {
                    th scope="row" { (what) @if !unit.is_empty() { span.unit { " " (unit) } } }
                    @for (i, value) in values.iter().enumerate() {
                        td.num data-value=(value) {
                            (number(*value))
                            @if i > 0 { span.delta { (change(values.first().copied().unwrap_or(0.0), *value)) } }
                        }
                    }
                } } }
            }
        }
    }
}

/// Integers in groups of three digits, other numbers with four digits.
fn number(value: f64) -> String {
    if value.fract() != 0.0 && value < 1e4 {
        let digits = if value < 1.0 {
            4
        } else if value < 100.0 {
            2
        } else {
            1
        };
        return format!("{value:.digits$}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A change in percent; empty without a baseline.
fn change(base: f64, value: f64) -> String {
    if base == 0.0 { String::new() } else { format!("{:+.1} %", (value / base - 1.0) * 100.0) }
}

fn provenance(reports: &[Named]) -> Markup {
    html! {
        section #provenance {
            h2 { "Provenance" }
            @for named in reports {
                @let report = &named.report;
                details {
                    summary { (named.name) ": machine " (report.machine) ", PEs " (report.pe_kind) }
                    dl {
                        dt { "Tool" } dd { (report.program.tool) }
                        dt { "Pipeline" } dd { code { (report.program.pipeline) } }
                        dt { "Network, SHA-256" } dd { code { (report.program.input_sha256) } }
                        dt { "Machine fingerprint" } dd { code { (report.machine_fingerprint) } }
                        @for (name, value) in &report.machine_parameters { dt { code { (name) } } dd { (value) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (number(0.0), number(999.0), number(0.03335)),
            ("0".into(), "999".into(), "0.0333".into())
        );
        assert_eq!(change(200.0, 150.0), "-25.0 %");
        assert_eq!(change(0.0, 1.0), "");
    }
}
