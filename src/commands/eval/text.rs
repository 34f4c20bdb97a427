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
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(8);
    let _ = writeln!(
        text,
        "{:<width$} {:>16} {:>8} {:>8} {:>10} {:>11} {:>11} {:>11}",
        "weights", "top-1 %", "top-5 %", "agree %", "SQNR dB", "weights dB", "bytes", "cycles"
    );
    let percent = |share: Option<f64>| share.map_or_else(|| "-".into(), |p| format!("{:.2}", 100.0 * p));
    for row in rows {
        let top1 = match (row.top1, row.top1_error) {
            (Some(p), Some(e)) => format!("{:.2} +- {:.2}", 100.0 * p, 100.0 * e),
            _ => "-".into(),
        };
        let sqnr = if row.agreement.is_none() { "-".into() } else { ratio(row.sqnr_db) };
        let weights = if row.cycles.is_none() { "-".into() } else { ratio(row.weight_sqnr_db) };
        let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
        let _ = writeln!(
            text,
            "{:<width$} {top1:>16} {:>8} {:>8} {sqnr:>10} {weights:>11} {:>11} {:>11}",
            row.name,
            percent(row.top5),
            percent(row.agreement),
            number(row.weight_bytes),
            number(row.cycles)
        );
    }
    let _ = writeln!(
        text,
        "\nagreement and signal-to-noise ratio of the logits: against the row '{reference}'; of the weights: against INT8 codes"
    );
    rows.iter().filter(|row| !row.layers.is_empty()).for_each(|row| layers(&mut text, row));
    text
}

fn ratio(db: Option<f64>) -> String {
    db.map_or_else(|| "exact".into(), |db| format!("{db:.2}"))
}

fn layers(text: &mut String, row: &Row) {
    let _ = writeln!(
        text,
        "\nlayers of '{}'; answers against INT8 with this layer alone stored so\n{:<22} {:<16} {:>11} {:>11}  stored",
        row.name, "layer", "weights", "weights dB", "answers dB"
    );
    for layer in &row.layers {
        let _ = writeln!(
            text,
            "{:<22} {:<16} {:>11} {:>11}  {}",
            layer.name,
            layer.weights,
            ratio(layer.weight_sqnr_db),
            ratio(layer.output_sqnr_db),
            layer.choice
        );
    }
}
