//! Files of JSON about the layers of programs, as strategy and packing files are: a version, and programs with their layers,
//! each named once.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::object::Object;

/// What such a file says, by names.
pub trait Document: DeserializeOwned {
    /// The version that is written, and the only one that is read.
    const VERSION: u64;

    /// The names of the programs, each with the names of its layers.
    fn names(&self) -> Vec<(&str, Vec<&str>)>;

    /// Reads a file's text.
    ///
    /// # Errors
    /// No JSON (with line and column), another version, a field that does not exist or has another type, a program or layer
    /// that is there twice.
    fn from_json(text: &str) -> Result<Self, DocumentError> {
        // The version first, so that a file of another version is not judged by the fields of this one.
        let Object(Versioned { version }) = serde_json::from_str(text)?;
        if version != Self::VERSION {
            return Err(DocumentError::Version { found: version, read: Self::VERSION });
        }
        let Object(document) = serde_json::from_str::<Object<Self>>(text)?;
        let mut programs = BTreeSet::new();
        for (program, names) in document.names() {
            if !programs.insert(program) {
                return Err(DocumentError::Program(program.to_owned()));
            }
            let mut layers = BTreeSet::new();
            for layer in names {
                if !layers.insert(layer) {
                    return Err(DocumentError::Layer(program.to_owned(), layer.to_owned()));
                }
            }
        }
        Ok(document)
    }

    /// A program that none of `functions` stands for.
    fn stray(&self, functions: &BTreeSet<&str>) -> Option<&str> {
        self.names().into_iter().map(|(program, _)| program).find(|program| !functions.contains(program))
    }
}

/// Reads the version alone.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// A file that cannot be used.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// No JSON of the expected fields and types.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("unsupported version {found}, expected {read}")]
    Version {
        /// The version of the file.
        found: u64,
        /// The version that is read.
        read: u64,
    },
    /// A program is named twice.
    #[error("duplicate program '{0}'")]
    Program(String),
    /// A layer is named twice.
    #[error("duplicate layer '{1}' in program '{0}'")]
    Layer(String, String),
}
