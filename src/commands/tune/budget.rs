//! What a search may spend, and what it is to make little of within that.
//!
//! Invariant: of two sets of choices within the budget, at most one is better than the other.

/// A set of choices, measured on all samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// The figure that is to be little: bytes, femtojoules or cycles.
    pub(super) cost: f64,
    /// Squared error of the answers against plain INT8's.
    pub(super) noise: f64,
    /// Points that are lost: per cent of the samples.
    pub(super) loss: f64,
}

/// The budget.
#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    /// So many bytes; the error is to be little.
    Cost(f64),
    /// So large an error; the cost is to be little.
    Noise(f64),
    /// So many points; the cost is to be little.
    Loss(f64),
}

impl Budget {
    /// Whether it is kept.
    pub(super) fn holds(self, it: &Measured) -> bool {
        match self {
            Budget::Cost(most) => it.cost <= most,
            Budget::Noise(most) => it.noise <= most,
            Budget::Loss(most) => it.loss <= most,
        }
    }

    /// Whether one is better than another, both within the budget: first by what is to be little, then by the rest.
    pub(super) fn better(self, one: &Measured, other: &Measured) -> bool {
        let key = |it: &Measured| match self {
            Budget::Cost(_) => (it.noise, it.cost),
            Budget::Noise(_) | Budget::Loss(_) => (it.cost, it.noise),
        };
        key(one) < key(other)
    }
}
