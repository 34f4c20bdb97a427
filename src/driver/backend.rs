//! The machine that is compiled for, and the way between the dpu dialect, a program and its binary.

use std::path::Path;

use dpu_isa::{Machine, Program};
use strum_files::budget;
use strum_ir::{Context, Module};
use strum_passes::common::machine;
use strum_passes::translation::{self, ExportError};

use super::diagnostics::Origin;
use super::exit::{Failure, out_of_memory};
use super::files::Input;

/// A context that lives as long as the process, which ends soon: tearing down a large one is slow, and after a fault in MLIR's
/// reader nothing may be torn down.
pub(crate) fn context() -> &'static Context {
    Box::leak(Box::new(Context::new()))
}

/// Whether a machine is named by its file.
pub(crate) fn is_machine_file(spec: &Path) -> bool {
    spec.extension().is_some_and(|extension| extension == "toml")
}

/// The machine of this name or file. An unknown name is a usage error, an invalid file is an input error.
pub(crate) fn resolve_machine(spec: &str) -> Result<Machine, Failure> {
    if !is_machine_file(Path::new(spec)) {
        return machine::resolve(spec).map_err(Failure::usage);
    }
    let text = strum_files::read_text_within(Path::new(spec), strum_files::MAX_MACHINE)?;
    Machine::from_toml(&text).map_err(|error| Failure::from(error).in_file(&format!("machine file '{spec}'")))
}

/// The program of a module that holds exactly one scheduled `dpu.program`.
pub(crate) fn export(context: &Context, module: &Module<'_>, origin: Origin<'_>) -> Result<Program, Failure> {
    let (result, diagnostics) = context.handle().capture(|| {
        let program = translation::find_program(module.op())?;
        translation::export(program)
    });
    match result {
        Ok(program) => {
            origin.tell(&diagnostics, false);
            Ok(program)
        }
        Err(ExportError::Reported) => Err(origin.failure(&diagnostics)),
        Err(ExportError::Module(message)) => Err(Failure::input(message)),
    }
}

/// A module with the `dpu.program` for a program, which must be valid.
pub(crate) fn import<'c>(
    program: &Program,
    context: &'c Context,
    origin: Origin<'_>,
) -> Result<Module<'c>, Failure> {
    let (result, diagnostics) = context.handle().capture(|| translation::import(program, context));
    match result {
        Ok(module) => Ok(module),
        Err(_) if !diagnostics.is_empty() => Err(origin.failure(&diagnostics)),
        Err(error) => Err(Failure::internal(error)),
    }
}

/// Reads a binary, and validates it if requested.
pub(crate) fn read_program(input: &Input, verify: bool) -> Result<Program, Failure> {
    let program = Program::from_elf_within(&input.bytes, budget::left())
        .map_err(|error| Failure::from(error).in_file(&input.name))?;
    if verify {
        program.validate().map_err(|errors| Failure::from(errors).in_file(&input.name))?;
    }
    Ok(program)
}

/// The binary of a program that is valid.
pub(crate) fn elf(program: &Program) -> Result<Vec<u8>, Failure> {
    budget::check("the binary", program.consts.len() as u64).map_err(|over| out_of_memory(&over))?;
    program.to_elf().map_err(Failure::internal)
}
