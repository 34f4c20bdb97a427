//! The strategy file: JSON with a version, checked as it is read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Object, ProgramStrategy};

/// The version that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// A strategy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Version of the format.
    pub version: u64,
    /// Name of the machine that the strategy is for; another machine is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub machine: Option<String>,
    /// Programs, one for each function.
    #[serde(deserialize_with = "super::object::list", default)]
    pub programs: Vec<ProgramStrategy>,
}

/// A strategy file that cannot be used.
#[derive(Debug, Error)]
pub enum StrategyError {
    /// No JSON of the expected fields and types.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A version that this planner does not know.
    #[error("version {0}: this program reads version {VERSION}")]
    Version(u64),
    /// A program is named twice.
    #[error("program '{0}' is there twice")]
    Program(String),
    /// A layer is named twice.
    #[error("layer '{1}' of program '{0}' is there twice")]
    Layer(String, String),
}

/// Reads the version alone, so that a file of another version is not judged by the fields of this one.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Strategy {
    /// A strategy for programs on a machine.
    pub fn new(machine: &str, programs: Vec<ProgramStrategy>) -> Self {
        Strategy { version: VERSION, machine: Some(machine.to_owned()), programs }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// No JSON (with line and column), another version, a field that does not exist or has another type, a program or layer
    /// that is there twice.
    pub fn from_json(text: &str) -> Result<Self, StrategyError> {
        let Object(Versioned { version }) = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(StrategyError::Version(version));
        }
        let Object(strategy) = serde_json::from_str::<Object<Strategy>>(text)?;
        let mut programs = BTreeSet::new();
        for program in &strategy.programs {
            if !programs.insert(&program.name) {
                return Err(StrategyError::Program(program.name.clone()));
            }
            let mut layers = BTreeSet::new();
            if let Some(twice) = program.layers.iter().find(|layer| !layers.insert(&layer.name)) {
                return Err(StrategyError::Layer(program.name.clone(), twice.name.clone()));
            }
        }
        Ok(strategy)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None that can happen: every key is text.
    pub fn to_json(&self) -> Result<String, StrategyError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The strategy of a program, if there is one.
    pub fn program(&self, name: &str) -> Option<&ProgramStrategy> {
        self.programs.iter().find(|program| program.name == name)
    }
}
