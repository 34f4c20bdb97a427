//! Passes written in Rust, as members of MLIR's own registry: textual pipelines, options, reproducers, timing and all other features
//! of `mlir-opt` work with them. In-process, they are added to a pass manager as values, see [`Passes`](crate::Passes).

use crate::{Dialect, Error, Operation, OptionSet, PassContext, Reported};

/// A pass, whose members are its options.
///
/// MLIR may run one pass on several functions at once, on different threads: `self` is shared, and all state of one run lives on the
/// stack of [`Pass::run`].
pub trait Pass: OptionSet {
    /// The flag, in kebab case.
    const ARGUMENT: &'static str;
    /// One-line description for `--help`.
    const DESCRIPTION: &'static str;
    /// The operation that it runs on.
    const ROOT: &'static str = "builtin.module";
    /// The dialects whose operations it creates.
    const DIALECTS: &'static [Dialect] = &[];

    /// Runs on one operation. An error must have been reported, which its type ensures; a panic is reported as an internal error.
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError>;
}

/// How a pass fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassError {
    /// The user's input is invalid or unsupported, and an error at an operation reports it.
    Reported,
    /// A bug in this program. Reported with this text at the operation that the pass runs on.
    Internal(String),
}

impl From<Reported> for PassError {
    fn from(_: Reported) -> Self {
        Self::Reported
    }
}

impl From<Error> for PassError {
    fn from(error: Error) -> Self {
        match error {
            Error::Reported => Self::Reported,
            error => Self::Internal(error.to_string()),
        }
    }
}
