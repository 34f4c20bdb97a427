//! Planning errors: four kinds, distinguished because the user acts differently on each.

use thiserror::Error;

/// A planning failure.
///
/// `Unsupported` is a limit of the planner or of the instruction set, `Resource` is a layer that does not fit the machine as
/// described, `Refused` is a strategy that cannot be followed, and `Internal` is a bug in the planner or an inconsistent layer
/// description.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The layer cannot be expressed in the instruction set.
    #[error("unsupported: {what}")]
    Unsupported {
        /// What is asked for and what would be supported.
        what: String,
    },
    /// The layer exceeds a limit of the machine or of the planner.
    #[error("resource: {what}: needs {need}, limit is {limit}")]
    Resource {
        /// The resource, with its unit.
        what: String,
        /// How much is needed.
        need: u64,
        /// How much there is.
        limit: u64,
    },
    /// This computer does not have the memory for the plan.
    #[error("out of memory: {what}")]
    Memory {
        /// What the memory is for, how much is needed, and the limit.
        what: String,
    },
    /// The layer cannot be planned as its strategy requires.
    #[error("strategy: {what}")]
    Refused {
        /// What is given and what would be possible.
        what: String,
    },
    /// The planner, or the description of the layer, is inconsistent.
    #[error("internal: {what}")]
    Internal {
        /// The violated condition.
        what: String,
    },
}

impl PlanError {
    /// The layer cannot be expressed in the instruction set.
    pub fn unsupported(what: impl Into<String>) -> Self {
        PlanError::Unsupported { what: what.into() }
    }

    /// More of `what` is needed than there is.
    pub fn resource(what: impl Into<String>, need: u64, limit: u64) -> Self {
        PlanError::Resource { what: what.into(), need, limit }
    }

    /// There is not enough memory for something.
    pub fn memory(what: impl Into<String>) -> Self {
        PlanError::Memory { what: what.into() }
    }

    /// The strategy asks for something impossible.
    pub fn refused(what: impl Into<String>) -> Self {
        PlanError::Refused { what: what.into() }
    }

    /// A condition that the planner relies on does not hold.
    pub fn internal(what: impl Into<String>) -> Self {
        PlanError::Internal { what: what.into() }
    }

    /// The same error, with `layer` named in front of what went wrong.
    #[must_use]
    pub fn in_layer(self, layer: &str) -> Self {
        match self {
            PlanError::Unsupported { what } => PlanError::Unsupported { what: format!("{layer}: {what}") },
            PlanError::Resource { what, need, limit } => {
                PlanError::Resource { what: format!("{layer}: {what}"), need, limit }
            }
            PlanError::Memory { what } => PlanError::Memory { what: format!("{layer}: {what}") },
            PlanError::Refused { what } => PlanError::Refused { what: format!("{layer}: {what}") },
            PlanError::Internal { what } => PlanError::Internal { what: format!("{layer}: {what}") },
        }
    }
}

/// `a * b`, or an internal error: for sizes that earlier checks have bounded.
pub(crate) fn mul(a: u64, b: u64) -> Result<u64, PlanError> {
    a.checked_mul(b).ok_or_else(|| PlanError::internal(format!("{a} * {b} overflows 64 bits")))
}

/// `value` in a narrower integer type, or an unsupported error naming `what`.
pub(crate) fn narrow<T, V>(value: V, what: &str) -> Result<T, PlanError>
where
    V: Copy + std::fmt::Display,
    T: TryFrom<V>,
{
    T::try_from(value)
        .map_err(|_| PlanError::unsupported(format!("{what}: {value} does not fit the instruction field")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_its_field_cannot_hold_is_named() {
        assert_eq!(narrow::<u16, _>(65_535u64, "the rows of the input"), Ok(65_535));
        assert_eq!(
            narrow::<u16, _>(65_536u64, "the rows of the input").unwrap_err().to_string(),
            "unsupported: the rows of the input: 65536 does not fit the instruction field"
        );
    }
}
