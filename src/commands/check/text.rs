//! The findings as a table, and as a JSON object.

use std::fmt::Write as _;

use serde::Serialize;
use strum_cli::json;
use strum_cli::table::{Column, Table};

use super::Findings;
use super::operators::{Place, Row};
use crate::driver::exit::Failure;

/// Operators of a kind, in the JSON object.
#[derive(Serialize)]
struct JsonRow<'a> {
    operator: &'a str,
    count: usize,
    place: &'static str,
    /// Why it is not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The nearest supported form.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Object<'a> {
    network: &'a str,
    /// Whether every operator is supported.
    supported: bool,
    /// Whether it has to be quantized first.
    float: bool,
    operators: Vec<JsonRow<'a>>,
    cycles: Option<u64>,
    weight_bytes: Option<u64>,
    agreement: Option<f64>,
}

pub(super) fn json(findings: &Findings) -> Result<String, Failure> {
    let Findings { network, rows, float, cycles, weight_bytes, agreement } = findings;
    let object = Object {
        network,
        supported: !rows.iter().any(|row| matches!(row.place, Place::Refused { .. })),
        float: *float,
        operators: rows.iter().map(json_row).collect(),
        cycles: *cycles,
        weight_bytes: *weight_bytes,
        agreement: *agreement,
    };
    json::line(json::CHECK, &object).map_err(Failure::internal)
}

fn json_row(row: &Row) -> JsonRow<'_> {
    let (reason, help) = match &row.place {
        Place::Refused { why, help } => (Some(why.as_str()), help.as_deref()),
        _ => (None, None),
    };
    JsonRow { operator: &row.kind, count: row.count, place: row.place.name(), reason, help }
}

pub(super) fn table(findings: &Findings) -> String {
    let columns = [Column::text("operator"), Column::number("number"), Column::text("where")];
    let mut table = Table::new(columns);
    for Row { kind, count, place } in &findings.rows {
        let text = match place {
            Place::Refused { why, help: Some(help) } => format!("not supported: {why}; {help}"),
            Place::Refused { why, help: None } => format!("not supported: {why}"),
            other => other.name().to_owned(),
        };
        table.row([kind.clone(), count.to_string(), text]);
    }
    let mut text = format!("{table}\n");
    if findings.float {
        text.push_str("float      strumc quantize makes the integer network that is placed here\n");
    }
    if let Some(cycles) = findings.cycles {
        let _ = writeln!(text, "cycles     {cycles}");
    }
    if let Some(bytes) = findings.weight_bytes {
        let _ = writeln!(text, "weights    {bytes} bytes");
    }
    if let Some(agreement) = findings.agreement {
        let _ = writeln!(text, "agreement  {:.2} %", agreement * 100.0);
    }
    text
}
