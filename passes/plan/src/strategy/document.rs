//! JSON files about the layers of programs, such as strategy and packing files: a version, and programs with their layers, each
//! named once.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::object::Object;

/// The contents of such a file, by names.
pub trait Document: DeserializeOwned + Serialize {
    /// The only supported version.
    const VERSION: u64;

    /// The names of the programs, each with the names of its layers.
    fn names(&self) -> impl Iterator<Item = (&str, Vec<&str>)>;

    /// The text of the file.
    ///
    /// # Errors
    /// Never in practice: every key is text.
    fn to_json(&self) -> Result<String, DocumentError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Invalid JSON (with line and column), another version, an unknown field, a field of another type, a duplicate program or
    /// layer.
    fn from_json(text: &str) -> Result<Self, DocumentError> {
        // The version first, so that a file of another version is not checked against the fields of this one.
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

    /// A program that matches none of `functions`.
    fn stray(&self, functions: &BTreeSet<&str>) -> Option<&str> {
        self.names().map(|(program, _)| program).find(|program| !functions.contains(program))
    }
}

/// Reads only the version.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// An invalid file.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Invalid JSON, or not the expected fields and types.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// An unsupported version.
    #[error("unsupported version {found}, expected {read}")]
    Version {
        /// The version of the file.
        found: u64,
        /// The supported version.
        read: u64,
    },
    /// A duplicate program.
    #[error("duplicate program '{0}'")]
    Program(String),
    /// A duplicate layer.
    #[error("duplicate layer '{1}' in program '{0}'")]
    Layer(String, String),
}
