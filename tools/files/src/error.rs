//! Why a file could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::OverLimit;

/// Why files could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The arguments make no sense: wrong usage, independent of the files' contents.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's message.
        error: io::Error,
    },
    /// A file with invalid contents.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The error, with what was expected and found.
        reason: String,
    },
    /// The file exceeds the maximum size.
    #[error("{}: larger than the limit of {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Maximum size in bytes.
        most: u64,
    },
    /// The memory limit does not allow reading the file.
    #[error("{}: {over}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The limit and the requested size.
        over: OverLimit,
    },
}

impl FileError {
    /// A file with invalid contents.
    pub fn content(path: &Path, reason: impl Into<String>) -> FileError {
        FileError::Content { path: path.to_owned(), reason: reason.into() }
    }

    /// Adds the name of the file to a system error.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        |error| FileError::Io { path, error }
    }

    /// Whether a limit or this computer's resources were exceeded.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        match self {
            FileError::Usage(_) | FileError::Content { .. } => false,
            FileError::Io { error, .. } => error.kind() == io::ErrorKind::OutOfMemory,
            FileError::TooLarge { .. } | FileError::Limit { .. } => true,
        }
    }

    /// The error, without the name of the file.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            FileError::Usage(reason) | FileError::Content { reason, .. } => reason.clone(),
            FileError::Io { error, .. } => error.to_string(),
            FileError::TooLarge { most, .. } => format!("larger than the limit of {most} bytes"),
            FileError::Limit { over, .. } => over.to_string(),
        }
    }

    /// Adds the name of the file to a limit error.
    pub fn limit(path: &Path) -> impl FnOnce(OverLimit) -> FileError {
        let path = path.to_owned();
        |over| FileError::Limit { path, over }
    }
}
