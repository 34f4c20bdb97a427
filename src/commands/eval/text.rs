//! The rows as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use strum_cli::json;
use strum_cli::table::{Column, Table};

use super::metrics::Row;
use crate::driver::data::Data;
use crate::driver::exit::Failure;

/// Said where logits are codes.
const RAW: &str = "the network does not say what the codes of its output mean: their SQNR contains the zero point, and is not that of real \
                   numbers\n";

#[derive(Serialize)]
struct Object<'a> {
    network: &'a str,
    samples: usize,
    /// The row that agreement and ratio refer to.
    reference: &'a str,
    /// Whether logits are codes whose meaning the network does not say.
    raw_codes: bool,
    rows: &'a [Row],
}

pub(super) fn json(network: &str, data: &Data, rows: &[Row], raw_codes: bool) -> Result<String, Failure> {
    let reference = rows.first().map_or("", |row| &row.name);
    let object = Object { network, samples: data.count, reference, raw_codes, rows };
    json::line(json::EVAL, &object).map_err(Failure::internal)
}

pub(super) fn table(network: &str, data: &Data, rows: &[Row], raw_codes: bool) -> String {
    let reference = rows.first().map_or("", |row| &row.name);
    let numbers = [
        "top-1\n%",
        "error\n+- %",
        "top-5\n%",
        "agreement\n%",
        "SQNR\ndB",
        "weight SQNR\ndB",
        "weights\nbytes",
        "cycles",
    ];
    let mut table = Table::new([Column::text("weights")].into_iter().chain(numbers.map(Column::number)));
    let percent = |share: Option<f64>| share.map_or_else(|| "-".into(), |p| format!("{:.2}", 100.0 * p));
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    for row in rows {
        table.row([
            row.name.clone(),
            percent(row.top1),
            percent(row.top1_error),
            percent(row.top5),
            percent(row.agreement),
            if row.agreement.is_none() { "-".into() } else { ratio(row.sqnr_db) },
            if row.cycles.is_none() { "-".into() } else { ratio(row.weight_sqnr_db) },
            number(row.weight_bytes),
            number(row.cycles),
        ]);
    }
    let mut text = format!(
        "network  {network}, {} samples\n\n{table}\nagreement and SQNR of the logits: against '{reference}'; SQNR of the weights: \
         against INT8 codes\n",
        data.count
    );
    if raw_codes {
        text.push_str(RAW);
    }
    rows.iter().filter(|row| !row.layers.is_empty()).for_each(|row| layers(&mut text, row));
    text
}

fn ratio(db: Option<f64>) -> String {
    db.map_or_else(|| "exact".into(), |db| format!("{db:.2}"))
}

fn layers(text: &mut String, row: &Row) {
    let mut table = Table::new([
        Column::text("layer"),
        Column::text("weights"),
        Column::number("weight SQNR\ndB"),
        Column::number("logit SQNR\ndB"),
        Column::text("format"),
    ]);
    for layer in &row.layers {
        table.row([
            layer.name.clone(),
            layer.weights.clone(),
            ratio(layer.weight_sqnr_db),
            ratio(layer.output_sqnr_db),
            layer.choice.clone(),
        ]);
    }
    let _ = write!(
        text,
        "\nlayers of '{}'; SQNR of the logits against INT8 with this layer alone in its format\n\n{table}",
        row.name
    );
}
