//! Errors of reading and building IR.

/// A failure to read, build or run. Inside a pass, `?` turns it into an internal error of that pass: errors that a *user* can
/// cause should be checked before and reported at an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An operation of a dialect that is not loaded.
    #[error("operation '{0}' is not known: its dialect is not loaded")]
    UnknownOperation(String),
    /// An operation that MLIR could not create.
    #[error("operation '{0}' could not be made")]
    Build(String),
    /// An operation that is erased although its results are used.
    #[error("operation '{0}' is erased while its results are used")]
    InUse(String),
    /// A number of replacement values that differs from the number of results.
    #[error("operation '{name}' has {expected} results, and {got} values to replace them")]
    Replacement {
        /// The operation.
        name: String,
        /// Its number of results.
        expected: usize,
        /// The number of values given.
        got: usize,
    },
    /// A detached anchor.
    #[error("operation '{0}' is in no block")]
    Detached(String),
    /// A piece of text that MLIR rejects. The reason has been emitted as a diagnostic.
    #[error("cannot parse '{0}'")]
    Parse(String),
    /// An invalid type.
    #[error("no such type: {0}")]
    Type(String),
    /// An invalid attribute. The reason has been emitted as a diagnostic.
    #[error("no such attribute: {0}")]
    Attribute(String),
    /// Bytes that do not match the size of their type.
    #[error("'{ty}' takes {expected} bytes, and {got} are given")]
    Bytes {
        /// The type.
        ty: String,
        /// The number of bytes that it requires.
        expected: usize,
        /// The number of bytes given.
        got: usize,
    },
    /// A textual pipeline that MLIR rejects.
    #[error("{0}")]
    Pipeline(String),
    /// A pass, parse or verification that failed; its errors have been emitted as diagnostics.
    #[error("failed, see the diagnostics")]
    Reported,
}
