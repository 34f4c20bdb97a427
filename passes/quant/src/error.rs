//! Why a layer could not be packed.

use strum_formats::{FormatError, PackError};
use thiserror::Error;

/// Why a layer could not be packed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantError {
    /// The format, the shape or a count is invalid.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A selection by activations without second moments.
    #[error("select=activation needs the second moment of every input channel, from calibration")]
    NoMoments,
    /// A second moment that none can be.
    #[error("input channel {channel}: second moment must be finite and non-negative, got {got}")]
    Moment {
        /// Input channel.
        channel: usize,
        /// The moment given, as text.
        got: String,
    },
}

impl From<FormatError> for QuantError {
    fn from(error: FormatError) -> Self {
        QuantError::Pack(error.into())
    }
}
