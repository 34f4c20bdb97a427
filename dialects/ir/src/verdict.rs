//! Findings of our dialects' verifiers.
//!
//! ODS has already checked the kinds of operands, results and attributes. What it should have refused is a bug of ours, not a message for
//! users: [`declared`].

use crate::{Operation, PassError};

/// What is wrong with an operation.
pub(crate) enum Fault {
    /// To be reported at the operation.
    Invalid(String),
    /// A part that ODS declares is missing or of another kind.
    Undeclared,
}

/// The result of a verifier.
pub(crate) type Verdict<T = ()> = Result<T, Fault>;

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Invalid(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::Invalid(message.into())
    }
}

/// A part that is present if the ODS declaration holds.
pub(crate) fn declared<T>(part: Option<T>) -> Verdict<T> {
    part.ok_or(Fault::Undeclared)
}

/// Reports what is wrong with an operation.
pub(crate) fn report(verdict: Verdict, op: Operation<'_>) -> Result<(), PassError> {
    match verdict {
        Ok(()) => Ok(()),
        Err(Fault::Invalid(message)) => Err(op.error(message).into()),
        Err(Fault::Undeclared) => {
            Err(PassError::Internal(format!("ODS let a malformed '{}' pass", op.name())))
        }
    }
}
