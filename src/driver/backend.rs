//! The calls into `strum-passes`: the pipeline by name, and the way between the dpu dialect and a program.

use std::path::Path;

use dpu_isa::{Machine, Program};
use strum_files::budget;
use strum_ir::{Context, Module, OptionKind};
use strum_passes::common::machine;
use strum_passes::pipeline;
use strum_passes::translation::{self, ExportError};

use super::diagnostics::Origin;
use super::exit::Failure;
use super::files::Input;
use super::options::is_machine_file;

pub(crate) use strum_passes::common::machine::DEFAULT as DEFAULT_MACHINE;
pub(crate) use strum_passes::pipeline::{NAME as PIPELINE, Stage};

/// A context that lives as long as the process, which ends soon: tearing down a large one takes long, and after a
/// fault of MLIR's reader nothing may be torn down.
pub(crate) fn context() -> &'static Context {
    Box::leak(Box::new(Context::new()))
}

/// The machine of this name or file. A name that is not known is wrong usage, a file that is none is wrong input.
pub(crate) fn resolve_machine(spec: &str) -> Result<Machine, Failure> {
    if !is_machine_file(Path::new(spec)) {
        return machine::resolve(spec).map_err(Failure::usage);
    }
    let text = strum_files::read_text_within(Path::new(spec), strum_files::MAX_MACHINE)?;
    Machine::from_toml(&text).map_err(|error| Failure::from(error).in_file(&format!("machine file '{spec}'")))
}

/// The stages of `strum-pipeline` with these options.
pub(crate) fn stages(options: &str) -> Result<Vec<Stage>, Failure> {
    // The named pipeline sees no difference between a default and its absence, and a program tells its options.
    let given: Vec<&str> = options.split_whitespace().filter(|option| !is_default(option)).collect();
    pipeline::stages(&given.join(" ")).map_err(Failure::usage)
}

/// Whether `name=value` is what holds without it.
fn is_default(option: &str) -> bool {
    let Some((name, value)) = option.split_once('=') else { return false };
    pipeline::OPTIONS.iter().filter(|o| o.name == name).any(|o| match o.kind {
        OptionKind::Bool(default) => default.to_string() == value,
        OptionKind::Int(default) => default.to_string() == value,
        OptionKind::Float(default) => default.to_string() == value,
        OptionKind::String(default) => default == value,
    })
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

/// A module with the `dpu.program` that stands for a program, which must be valid.
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

/// Reads a binary, and validates it where asked.
pub(crate) fn read_program(input: &Input, verify: bool) -> Result<Program, Failure> {
    let program = Program::from_elf_within(&input.bytes, budget::left())
        .map_err(|error| Failure::from(error).in_file(&input.name))?;
    if verify {
        program.validate().map_err(|errors| Failure::from(errors).in_file(&input.name))?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_same_as_nothing() {
        let with = stages("machine=flexnn-16x16 method=mip2q p=0.5 w=16 zero=false select=error").unwrap();
        assert_eq!(with, stages("").unwrap());
        assert_ne!(with, stages("method=dense").unwrap());
        assert!(stages("colour=red").is_err());
    }
}
