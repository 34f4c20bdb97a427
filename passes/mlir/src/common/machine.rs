//! The machine that a pass compiles for.
//!
//! A program in the IR carries the name of its machine, and the text of its machine file unless it is a built-in one, so that
//! every later pass and tool uses the same machine.

use std::path::Path;

use dpu_isa::Machine;
use strum_ir::dpu::Program;
use strum_ir::pass_options;

use crate::common::verdict::unreadable;

/// The default machine.
pub const DEFAULT: &str = "flexnn-16x16";

pass_options! {
    /// The machine that is compiled for.
    pub struct Target {
        machine("machine"): String = DEFAULT.to_owned(), "name of a built-in machine, or path of a machine file";
    }
}

/// Finds a machine by its built-in name, or by the path of its file.
///
/// # Errors
/// What is wrong with the name or the file, in one line.
pub fn resolve(spec: &str) -> Result<Machine, String> {
    if let Ok(machine) = Machine::builtin(spec) {
        return Ok(machine);
    }
    if Path::new(spec).extension().is_none_or(|e| e != "toml") {
        return Err(format!(
            "unknown machine '{spec}': name a built-in one ({}) or a .toml file",
            Machine::builtin_names().collect::<Vec<_>>().join(", ")
        ));
    }
    let text = strum_files::read_text_within(Path::new(spec), strum_files::MAX_MACHINE)
        .map_err(|error| unreadable("machine file", spec, &error))?;
    Machine::from_toml(&text).map_err(|e| format!("machine file '{spec}': {e}"))
}

/// The machine of a program.
///
/// # Errors
/// The name is not that of a built-in machine, or the program's machine file is invalid.
pub fn of_program(program: Program<'_>) -> Result<Machine, String> {
    match program.machine_toml() {
        Some(text) => {
            let machine = Machine::from_toml(text)
                .map_err(|e| format!("has a machine file that cannot be used: {e}"))?;
            let (name, file) = (program.machine(), &machine.name);
            if name != file {
                return Err(format!("is for machine '{name}' and has the file of machine '{file}'"));
            }
            Ok(machine)
        }
        None => Machine::builtin(program.machine()).map_err(|e| e.to_string()),
    }
}

/// A warning, in one line, about parts of a machine that no compiled program uses.
#[must_use]
pub fn unused(machine: &Machine) -> Option<String> {
    let Machine { name, tiles, .. } = machine;
    (*tiles > 1).then(|| format!("the compiler uses 1 of the {tiles} tiles of machine '{name}'"))
}

/// The text of the machine file, unless the machine is built in: what a program must carry besides the name.
#[must_use]
pub fn file_text(machine: &Machine) -> Option<String> {
    match Machine::builtin(&machine.name) {
        Ok(builtin) if builtin == *machine => None,
        _ => Some(machine.to_toml()),
    }
}
