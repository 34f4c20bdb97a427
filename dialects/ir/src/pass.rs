//! Passes written in Rust, as members of MLIR's own registry: textual pipelines, options, reproducers, timing and everything else that
//! `mlir-opt` does works with them. In a process they are put into a pass manager as values, see [`Passes`](crate::Passes).

use crate::{Dialect, Error, Operation, OptionSet, PassContext, Reported};

/// A pass, whose members are its options.
///
/// MLIR may run one pass on several functions at once, on different threads: `self` is shared, and everything that belongs to one run
/// lives on the stack of [`Pass::run`].
pub trait Pass: OptionSet {
    /// The flag, in kebab case.
    const ARGUMENT: &'static str;
    /// What `--help` says: one line.
    const DESCRIPTION: &'static str;
    /// The operation that it runs on.
    const ROOT: &'static str = "builtin.module";
    /// The dialects whose operations it makes.
    const DIALECTS: &'static [Dialect] = &[];

    /// Runs on one operation. An error must have been reported, which its type ensures; a panic is reported as an internal error.
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError>;
}

/// How a pass fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassError {
    /// The user's input is at fault, or beyond what is supported, and an error at an operation says so.
    Reported,
    /// This program is at fault. Reported with this text at the operation that the pass runs on.
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
