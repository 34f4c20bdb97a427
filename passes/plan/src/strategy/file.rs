//! The strategy file: JSON with a version, checked while it is read.

use serde::{Deserialize, Serialize};

use super::ProgramStrategy;
use super::document::Document;

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
    const VERSION: u64 = 1;

    fn names(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.programs.iter().map(|program| {
            let layers = program.layers.iter().map(|layer| layer.name.as_str());
            (program.name.as_str(), layers.collect())
        })
    }
}

impl Strategy {
    /// A strategy for programs on a machine.
    pub fn new(machine: &str, programs: Vec<ProgramStrategy>) -> Self {
        Strategy { version: Strategy::VERSION, machine: Some(machine.to_owned()), programs }
    }

    /// The strategy of a program, if there is one.
    pub fn program(&self, name: &str) -> Option<&ProgramStrategy> {
        self.programs.iter().find(|program| program.name == name)
    }
}
