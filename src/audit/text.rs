//! The audit as a table that a person reads.

use std::fmt;

use super::{LayerAudit, ProgramAudit};

/// Upper ends of the magnitude classes of the histogram: 0, 1, 2, 3..4, 5..8 and so on up to 128.
const CLASSES: [u32; 9] = [0, 1, 2, 4, 8, 16, 32, 64, 128];

impl fmt::Display for ProgramAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<&LayerAudit> = self.layers.iter().chain([&self.total]).collect();
        let name = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(5);
        let op = rows.iter().map(|r| r.op.chars().count()).max().unwrap_or(0).max(2);
        writeln!(
            f,
            "{:<name$}  {:<op$}  {:>10}  {:>7}  {:>10}  {:>8}  {:>7}  format",
            "layer", "op", "weights", "low", "bytes", "bits/w", "vs INT8"
        )?;
        for row in &rows {
            let share = format!("{:.2} %", 100.0 * row.low_share());
            write!(
                f,
                "{:<name$}  {:<op$}  {:>10}  {:>7}  {:>10}  {:>8.3}  {:>7.4}  ",
                row.name,
                row.op,
                row.weights,
                share,
                row.bytes,
                row.bits_per_weight,
                row.bits_per_weight / 8.0
            )?;
            match (row.formats.is_empty(), row.dynamic_tasks) {
                (true, 0) => writeln!(f, "-")?,
                (true, _) => writeln!(f, "computed at run time")?,
                (false, 0) => writeln!(f, "{}", row.formats.join(", "))?,
                (false, _) => writeln!(f, "{}, and some computed at run time", row.formats.join(", "))?,
            }
        }
        histogram(f, &self.total)
    }
}

fn histogram(f: &mut fmt::Formatter<'_>, total: &LayerAudit) -> fmt::Result {
    write!(f, "\nmagnitude")?;
    for (class, &top) in CLASSES.iter().enumerate() {
        let bottom = class.checked_sub(1).and_then(|c| CLASSES.get(c)).map_or(0, |below| below + 1);
        let label = if bottom >= top { top.to_string() } else { format!("{bottom}..{top}") };
        write!(f, "  {label:>9}")?;
    }
    for (label, values) in [("high", &total.high_values), ("low", &total.low_values)] {
        write!(f, "\n{label:<9}")?;
        for count in classes(values) {
            write!(f, "  {count:>9}")?;
        }
    }
    writeln!(f)
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
