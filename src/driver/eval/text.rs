//! The rows as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::data::Data;
use super::metrics::Row;
use crate::driver::exit::Failure;

#[derive(Serialize)]
struct Object<'a> {
    network: &'a str,
    samples: usize,
    /// The row that agreement and ratio refer to.
    reference: &'a str,
    rows: &'a [Row],
}

pub(super) fn json(network: &str, data: &Data, rows: &[Row]) -> Result<String, Failure> {
    let reference = rows.first().map_or("", |row| &row.name);
    let object = Object { network, samples: data.count, reference, rows };
    Ok(serde_json::to_string(&object).map_err(Failure::internal)? + "\n")
}

pub(super) fn table(network: &str, data: &Data, rows: &[Row]) -> String {
    let reference = rows.first().map_or("", |row| &row.name);
    let mut text = format!("network  {network}, {} samples\n\n", data.count);
    let _ = writeln!(
        text,
        "{:<8} {:>16} {:>8} {:>10} {:>10} {:>12} {:>12}",
        "weights", "top-1 %", "top-5 %", "agree %", "SQNR dB", "bytes", "cycles"
    );
    let percent = |share: Option<f64>| share.map_or_else(|| "-".into(), |p| format!("{:.2}", 100.0 * p));
    for row in rows {
        let top1 = match (row.top1, row.top1_error) {
            (Some(p), Some(e)) => format!("{:.2} +- {:.2}", 100.0 * p, 100.0 * e),
            _ => "-".into(),
        };
        let sqnr = match (row.agreement, row.sqnr_db) {
            (None, _) => "-".into(),
            (Some(_), None) => "exact".into(),
            (Some(_), Some(db)) => format!("{db:.2}"),
        };
        let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
        let _ = writeln!(
            text,
            "{:<8} {top1:>16} {:>8} {:>10} {sqnr:>10} {:>12} {:>12}",
            row.name,
            percent(row.top5),
            percent(row.agreement),
            number(row.weight_bytes),
            number(row.cycles)
        );
    }
    let _ =
        writeln!(text, "\nagreement and signal-to-noise ratio of the logits: against the row '{reference}'");
    text
}
