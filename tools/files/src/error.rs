//! Why a file could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

use crate::OverLimit;

/// Why files could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The arguments make no sense: wrong usage, whatever the files hold.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with what was expected and found.
        reason: String,
    },
    /// The file is larger than any that is read.
    #[error("{}: larger than the limit of {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        most: u64,
    },
    /// The memory limit does not leave room for the file.
    #[error("{}: {over}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// Which limit, and what was needed.
        over: OverLimit,
    },
}

impl FileError {
    /// A file that is not what it should be.
    pub fn content(path: &Path, reason: impl Into<String>) -> FileError {
        FileError::Content { path: path.to_owned(), reason: reason.into() }
    }

    /// Gives an error of the system the name of the file.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        |error| FileError::Io { path, error }
    }

    /// Whether more was asked for than a limit or this computer allows.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        match self {
            FileError::Usage(_) | FileError::Content { .. } => false,
            FileError::Io { error, .. } => error.kind() == io::ErrorKind::OutOfMemory,
            FileError::TooLarge { .. } | FileError::Limit { .. } => true,
        }
    }

    /// What is wrong, without the name of the file.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            FileError::Usage(reason) | FileError::Content { reason, .. } => reason.clone(),
            FileError::Io { error, .. } => error.to_string(),
            FileError::TooLarge { most, .. } => format!("larger than the limit of {most} bytes"),
            FileError::Limit { over, .. } => over.to_string(),
        }
    }

    /// Gives a limit the name of the file.
    pub fn limit(path: &Path) -> impl FnOnce(OverLimit) -> FileError {
        let path = path.to_owned();
        |over| FileError::Limit { path, over }
    }
}
