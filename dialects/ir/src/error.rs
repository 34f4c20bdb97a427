//! What can go wrong when IR is read or built.

/// A failure to read, build or run. Inside a pass, `?` turns it into an internal error of that pass: whatever a *user* can cause
/// should be checked before and reported at an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An operation of a dialect that is not loaded.
    #[error("operation '{0}' is not known: its dialect is not loaded")]
    UnknownOperation(String),
    /// An operation that MLIR could not make.
    #[error("operation '{0}' could not be made")]
    Build(String),
    /// An operation that is erased although its results are used.
    #[error("operation '{0}' is erased while its results are used")]
    InUse(String),
    /// Replacement values that are not one for each result.
    #[error("operation '{name}' has {expected} results, and {got} values to replace them")]
    Replacement {
        /// The operation.
        name: String,
        /// Its number of results.
        expected: usize,
        /// The number of values given.
        got: usize,
    },
    /// An anchor that is in no block.
    #[error("operation '{0}' is in no block")]
    Detached(String),
    /// A piece of text that MLIR rejects. The reason has been emitted as a diagnostic.
    #[error("cannot parse '{0}'")]
    Parse(String),
    /// A type that does not exist.
    #[error("no such type: {0}")]
    Type(String),
    /// An attribute that does not exist. The reason has been emitted as a diagnostic.
    #[error("no such attribute: {0}")]
    Attribute(String),
    /// Bytes that do not fill the type they are given.
    #[error("'{ty}' takes {expected} bytes, and {got} are given")]
    Bytes {
        /// The type.
        ty: String,
        /// The bytes it takes.
        expected: usize,
        /// The bytes given.
        got: usize,
    },
    /// A textual pipeline that MLIR rejects.
    #[error("{0}")]
    Pipeline(String),
    /// A pass, parse or verification that failed; what is to say has been emitted as diagnostics.
    #[error("failed, see the diagnostics")]
    Reported,
}
