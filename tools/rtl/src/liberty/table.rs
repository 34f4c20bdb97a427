//! Lookup tables by input slew and output load.

use serde::{Deserialize, Serialize};

/// Values over input slew and load; an axis that a table lacks is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Input slew in ps, rising; empty where the value does not depend on it.
    pub slew_ps: Vec<f64>,
    /// Load in fF, rising; empty where the value does not depend on it.
    pub load_ff: Vec<f64>,
    /// Values, the load running fastest.
    pub values: Vec<f64>,
}

impl Table {
    /// The value at a slew and a load: linear between entries, and beyond the outer ones.
    pub fn at(&self, slew_ps: f64, load_ff: f64) -> f64 {
        let (low_slew, slew) = position(&self.slew_ps, slew_ps);
        let (low_load, load) = position(&self.load_ff, load_ff);
        let columns = self.load_ff.len().max(1);
        let value =
            |row: usize, column: usize| self.values.get(row * columns + column).copied().unwrap_or(0.0);
        let along = |row: usize| {
            let left = value(row, low_load);
            if self.load_ff.len() < 2 { left } else { left + (value(row, low_load + 1) - left) * load }
        };
        let upper = along(low_slew);
        if self.slew_ps.len() < 2 { upper } else { upper + (along(low_slew + 1) - upper) * slew }
    }
}

/// The interval of an axis that holds a value or is next to it, and where in it the value is: 0 at its begin, 1 at its end.
fn position(axis: &[f64], value: f64) -> (usize, f64) {
    let last = axis.len().saturating_sub(2);
    let low = axis.iter().skip(1).take(last).take_while(|&&entry| entry <= value).count();
    match (axis.get(low), axis.get(low + 1)) {
        (Some(begin), Some(end)) => (low, (value - begin) / (end - begin)),
        _ => (0, 0.0),
    }
}
