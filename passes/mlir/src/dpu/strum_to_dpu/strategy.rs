//! Strategy files: reading them for a machine and a module, and writing them.

use std::path::Path;

use dpu_isa::Machine;
use strum_ir::{Operation, PassError};
use strum_plan::strategy::{Document, Strategy};

use crate::common::verdict::read_json;

/// Reads a strategy file for a machine.
pub(super) fn read(path: &str, machine: &Machine) -> Result<Strategy, String> {
    let fail = |e: &dyn std::fmt::Display| format!("strategy '{path}': {e}");
    let text = read_json("strategy", path)?;
    let strategy = Strategy::from_json(&text).map_err(|e| fail(&e))?;
    match &strategy.machine {
        Some(name) if *name != machine.name => {
            Err(fail(&format_args!("is for machine '{name}', not '{}'", machine.name)))
        }
        _ => Ok(strategy),
    }
}

/// Refuses programs that match no function of the module.
pub(super) fn check_programs(
    strategy: &Strategy,
    module: Operation<'_>,
    functions: &[Operation<'_>],
) -> Result<(), PassError> {
    let known = functions.iter().map(|f| f.symbol().unwrap_or("main")).collect();
    match strategy.stray(&known) {
        Some(name) => Err(module.error(format_args!("strategy: unknown function '{name}'")).into()),
        None => Ok(()),
    }
}

/// Writes a strategy file.
pub(super) fn write(path: &str, strategy: &Strategy) -> Result<(), String> {
    let fail = |e: &dyn std::fmt::Display| format!("strategy '{path}': {e}");
    let text = strategy.to_json().map_err(|e| fail(&e))?;
    strum_files::write(Path::new(path), text.as_bytes()).map_err(|e| fail(&e.reason()))
}
