//! Statistics of a packed tensor, counted from its bytes.

use crate::format::check_shifts;
use crate::packed::Layout;
use crate::{Format, PackError, Packed, Shape, set_bytes};

/// Counts over one or more packed tensors. Padding counts only towards `bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Bytes stored, with headers, masks and padding.
    pub bytes: u64,
    /// Weights, high and low.
    pub weights: u64,
    /// Weights stored low.
    pub low: u64,
    /// How often each value is stored high, indexed by value + 128.
    pub high_values: [u64; 256],
    /// How often each value is stored low, indexed by value + 128.
    pub low_values: [u64; 256],
}

impl Default for Audit {
    fn default() -> Self {
        Self { bytes: 0, weights: 0, low: 0, high_values: [0; 256], low_values: [0; 256] }
    }
}

impl Audit {
    /// Adds the counts of another tensor.
    pub fn merge(&mut self, other: &Audit) {
        self.bytes += other.bytes;
        self.weights += other.weights;
        self.low += other.low;
        let add = |to: &mut [u64; 256], from: &[u64; 256]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from)
        };
        add(&mut self.high_values, &other.high_values);
        add(&mut self.low_values, &other.low_values);
    }

    /// Bits stored per weight, everything included; 0 without weights.
    pub fn bits_per_weight(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { 8.0 * self.bytes as f64 / self.weights as f64 }
    }

    /// The share of weights stored low, 0..=1; 0 without weights.
    pub fn low_share(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { self.low as f64 / self.weights as f64 }
    }

    fn add_set(&mut self, layout: &Layout, oc: usize, set: &[u8]) -> Result<(), PackError> {
        layout.walk(oc, set, |member| {
            let at = usize::from(member.value.cast_unsigned() ^ 0x80);
            self.weights += 1;
            if member.high {
                self.high_values[at] += 1;
            } else {
                self.low += 1;
                self.low_values[at] += 1;
            }
        })
    }
}

impl Packed {
    /// Counts the contents of the bytes.
    ///
    /// # Errors
    /// As [`Packed::check`].
    pub fn audit(&self) -> Result<Audit, PackError> {
        let layout = self.layout()?;
        let mut audit = Audit { bytes: self.bytes.len() as u64, ..Audit::default() };
        for oc in 0..self.shape.oc {
            audit.add_set(&layout, oc, layout.set(&self.bytes, oc))?;
        }
        Ok(audit)
    }
}

/// Counts one weight set as stored in a binary: `shape.oc` is taken as 1, `shift` is the set's own code shift.
///
/// # Errors
/// The format, shape or shift is not legal, the length is not that of a set, or the bytes are not a legal set.
pub fn audit_set(format: Format, shape: Shape, shift: u8, set: &[u8]) -> Result<Audit, PackError> {
    let shape = Shape { oc: 1, ..shape };
    let expected = set_bytes(format, shape)?;
    if set.len() != expected {
        return Err(PackError::Length { expected, got: set.len() });
    }
    check_shifts(format, &[shift])?;
    let layout = Layout::new(format, shape, 0, vec![shift])?;
    let mut audit = Audit { bytes: set.len() as u64, ..Audit::default() };
    audit.add_set(&layout, 0, set)?;
    Ok(audit)
}
