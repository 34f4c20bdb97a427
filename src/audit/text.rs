//! The audit as a human-readable table.

use std::fmt;

use strum_cli::table::{Column, Table};

use super::{LayerAudit, ProgramAudit};

/// Upper ends of the magnitude classes of the histogram: 0, 1, 2, 3..4, 5..8 and so on up to 128.
const CLASSES: [u32; 9] = [0, 1, 2, 4, 8, 16, 32, 64, 128];

impl fmt::Display for ProgramAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            Column::text("layer"),
            Column::text("op"),
            Column::number("weights"),
            Column::number("low\n%"),
            Column::number("bytes"),
            Column::number("bits per\nweight"),
            Column::number("size\nvs INT8"),
            Column::text("format"),
        ]);
        for layer in self.layers.iter().chain([&self.total]) {
            let formats = layer.formats.join(", ");
            table.row([
                layer.name.clone(),
                layer.op.clone(),
                layer.weights.to_string(),
                format!("{:.2}", 100.0 * layer.low_share()),
                layer.bytes.to_string(),
                format!("{:.3}", layer.bits_per_weight),
                format!("{:.4}", layer.bits_per_weight / 8.0),
                match (layer.formats.is_empty(), layer.dynamic_tasks) {
                    (true, 0) => "-".to_owned(),
                    (true, _) => "computed at run time".to_owned(),
                    (false, 0) => formats,
                    (false, _) => format!("{formats}, and some computed at run time"),
                },
            ]);
        }
        write!(f, "{table}\n{}", histogram(&self.total))
    }
}

/// Number of high and low weights of each magnitude.
fn histogram(total: &LayerAudit) -> Table {
    let labels = CLASSES.iter().enumerate().map(|(class, &top)| {
        let bottom = class.checked_sub(1).and_then(|c| CLASSES.get(c)).map_or(0, |below| below + 1);
        if bottom >= top { top.to_string() } else { format!("{bottom}..{top}") }
    });
    let mut table = Table::new([Column::text("magnitude")].into_iter().chain(labels.map(Column::number)));
    for (label, values) in [("high", &total.high_values), ("low", &total.low_values)] {
        let counts = classes(values).map(|count| count.to_string());
        table.row([label.to_owned()].into_iter().chain(counts));
    }
    table
}

/// Sums the counts of values −128..=127 by class of magnitude.
fn classes(values: &[u64]) -> [u64; 9] {
    let mut counts = [0; 9];
    for (value, &count) in (-128i32..).zip(values) {
        let class = CLASSES.iter().position(|&top| value.unsigned_abs() <= top);
        if let Some(entry) = class.and_then(|class| counts.get_mut(class)) {
            *entry += count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::classes;

    #[test]
    fn every_value_has_one_class() {
        assert_eq!(classes(&[1; 256]), [1, 2, 2, 4, 8, 16, 32, 64, 127]);
    }
}
