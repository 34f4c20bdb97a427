//! What is wrong with a machine file. Every message names the field, or the line of the file.

/// A machine description that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// Not a TOML file of the expected fields.
    #[error("not a machine file: {0}")]
    Syntax(String),
    /// A value outside its range.
    #[error("machine field '{field}': value {got} is outside {min}..={max} ({unit})")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        got: u64,
        /// Least legal value.
        min: u64,
        /// Greatest legal value.
        max: u64,
        /// Unit of the value.
        unit: &'static str,
    },
    /// A value that contradicts another, or an illegal name.
    #[error("machine field '{field}': {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A source that cannot be written into a machine file.
    #[error("source of machine field '{field}': {reason}")]
    Source {
        /// The field.
        field: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file is too large to be a machine description.
    #[error("machine file has {got} bytes, more than {max}")]
    TooLarge {
        /// Its size in bytes.
        got: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// There is no built-in machine with this name.
    #[error("no built-in machine '{name}' (there are: {known})")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
}
