//! The budget of a search, and the quantity that it minimizes within it.
//!
//! Invariant: of two assignments within the budget, at most one is better than the other.

/// An assignment of formats, measured on all samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// The minimized quantity: bytes, femtojoules or cycles.
    pub(super) cost: f64,
    /// Squared error of the outputs against plain INT8's.
    pub(super) noise: f64,
    /// Loss in percentage points of the samples.
    pub(super) loss: f64,
}

/// The budget.
#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    /// Maximum bytes; the error is minimized.
    Cost(f64),
    /// Maximum error; the cost is minimized.
    Noise(f64),
    /// Maximum percentage points; the cost is minimized.
    Loss(f64),
}

impl Budget {
    /// Whether the budget is met.
    pub(super) fn holds(self, it: &Measured) -> bool {
        match self {
            Budget::Cost(most) => it.cost <= most,
            Budget::Noise(most) => it.noise <= most,
            Budget::Loss(most) => it.loss <= most,
        }
    }

    /// Whether one is better than another, both within the budget: first by the minimized quantity, then by the rest.
    pub(super) fn better(self, one: &Measured, other: &Measured) -> bool {
        let key = |it: &Measured| match self {
            Budget::Cost(_) => (it.noise, it.cost),
            Budget::Noise(_) | Budget::Loss(_) => (it.cost, it.noise),
        };
        key(one) < key(other)
    }
}
