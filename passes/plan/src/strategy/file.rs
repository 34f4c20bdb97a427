//! The strategy file: JSON with a version, checked while it is read.

use serde::{Deserialize, Serialize};

use super::ProgramStrategy;
use super::document::{Document, DocumentError};

/// The version of strategy files.
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

impl Document for Strategy {
    const VERSION: u64 = VERSION;

    fn names(&self) -> Vec<(&str, Vec<&str>)> {
        let programs = self.programs.iter();
        programs
            .map(|program| {
                let layers = program.layers.iter().map(|layer| layer.name.as_str());
                (program.name.as_str(), layers.collect())
            })
            .collect()
    }
}

impl Strategy {
    /// A strategy for programs on a machine.
    pub fn new(machine: &str, programs: Vec<ProgramStrategy>) -> Self {
        Strategy { version: VERSION, machine: Some(machine.to_owned()), programs }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Never in practice: every key is text.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The strategy of a program, if there is one.
    pub fn program(&self, name: &str) -> Option<&ProgramStrategy> {
        self.programs.iter().find(|program| program.name == name)
    }
}
