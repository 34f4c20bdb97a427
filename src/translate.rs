//! `strum-translate`: between the dpu dialect, the binary and its assembly, the audit of a binary, and from other formats to TOSA.
//!
//! Invariant: nothing is written before everything has been read and understood.

use std::path::PathBuf;

use clap::{ArgGroup, Parser};
use dpu_isa::asm;
use strum_cli::json;
use strum_doors::Door;
use strum_files::budget;
use strum_ir::PrintOptions;

use crate::audit::audit;
use crate::driver::backend::{self, elf};
use crate::driver::cli::{ALSO_LOGGED, Arguments, Common, version};
use crate::driver::diagnostics::Origin;
use crate::driver::exit::{Failure, out_of_memory};
use crate::driver::files::{self, Input, Places};
use crate::driver::import::{self, NetworkOptions};
use crate::driver::network;

const EXAMPLES: &str = "\
Examples:
  strum-opt net.mlir --strum-pipeline=method=mip2q | strum-translate --mlir-to-dpu -o net.dpu
  strum-translate --dpu-to-asm net.dpu | less
  strum-translate --dpu-audit net.dpu
  strum-translate --tflite-to-mlir net.tflite -o net.mlir

Exit codes: 0 success, 1 invalid input, 2 wrong usage, 3 not supported, 4 limit exceeded,
70 internal error";

/// Translate between the dpu dialect, DPU binaries and their assembly, and from TFLite and ONNX to TOSA.
#[derive(Debug, Parser)]
#[command(name = "strum-translate", version = version(), after_help = EXAMPLES, max_term_width = 100)]
#[command(group = ArgGroup::new("translation").required(true))]
pub(crate) struct TranslateArgs {
    /// Translate a TFLite file to a module with the function @main in TOSA.
    #[arg(long, group = "translation", help_heading = "Translations")]
    tflite_to_mlir: bool,

    /// Translate an ONNX file to a module with the function @main in TOSA.
    #[arg(long, group = "translation", help_heading = "Translations")]
    onnx_to_mlir: bool,

    /// Translate a module with one scheduled dpu.program (text or bytecode) to a binary.
    #[arg(long, group = "translation", help_heading = "Translations")]
    mlir_to_dpu: bool,

    /// Translate a binary to a module with one dpu.program.
    #[arg(long, group = "translation", help_heading = "Translations")]
    dpu_to_mlir: bool,

    /// Disassemble a binary, losslessly.
    #[arg(long, group = "translation", help_heading = "Translations")]
    dpu_to_asm: bool,

    /// Assemble a binary.
    #[arg(long, group = "translation", help_heading = "Translations")]
    asm_to_dpu: bool,

    /// List the weights of a binary: formats, bits per weight, fraction of low members, histogram.
    #[arg(long, group = "translation", help_heading = "Translations")]
    dpu_audit: bool,

    /// File to read; - reads standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    input: PathBuf,

    /// File to write; - writes to standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Outputs")]
    output: PathBuf,

    /// Print the audit as a JSON object.
    #[arg(long, help_heading = "Reporting", conflicts_with_all = ["tflite_to_mlir", "onnx_to_mlir", "mlir_to_dpu", "dpu_to_mlir", "dpu_to_asm", "asm_to_dpu"])]
    json: bool,

    /// Omit locations from the module: shorter, but not lossless.
    #[arg(long, help_heading = "Translations", conflicts_with_all = ["mlir_to_dpu", "dpu_to_asm", "asm_to_dpu", "dpu_audit"])]
    no_locations: bool,

    #[command(flatten)]
    source: NetworkOptions,

    /// Skip validation, for binaries and assembly that are invalid on purpose.
    #[arg(long, help_heading = "Translations", conflicts_with_all = ["tflite_to_mlir", "onnx_to_mlir", "mlir_to_dpu", "dpu_to_mlir", "dpu_audit"])]
    no_verify: bool,

    #[command(flatten)]
    common: Common,
}

impl Arguments for TranslateArgs {
    const ALSO_LOGGED: Option<&'static str> = ALSO_LOGGED;
    const STACK: Option<usize> = Some(strum_cli::DEEP_STACK);

    fn common(&self) -> &Common {
        &self.common
    }
}

/// Runs the parsed command line.
pub(crate) fn run(args: TranslateArgs) -> Result<(), Failure> {
    Places::default().reads("FILE", [&args.input]).writes("--output", [&args.output]).check()?;
    let from_door = args.tflite_to_mlir || args.onnx_to_mlir;
    if let Some(flag) = args.source.given().next().filter(|_| !from_door) {
        return Err(Failure::usage(format_args!(
            "{flag} has no effect: no TFLite or ONNX file is translated"
        )));
    }
    let bytecode = from_door && args.output.extension().is_some_and(|extension| extension == "mlirbc");
    if args.mlir_to_dpu || args.asm_to_dpu || bytecode {
        files::check_binary_sink(&args.output)?;
    }
    let input = files::read(&args.input)?;
    let output = args.translate(input, bytecode)?;
    files::write(&args.output, &output)
}

impl TranslateArgs {
    fn translate(&self, mut input: Input, bytecode: bool) -> Result<Vec<u8>, Failure> {
        if self.tflite_to_mlir {
            self.door_to_mlir(&input, Door::Tflite, bytecode)
        } else if self.onnx_to_mlir {
            self.door_to_mlir(&input, Door::Onnx, bytecode)
        } else if self.mlir_to_dpu {
            mlir_to_dpu(&mut input)
        } else if self.dpu_to_mlir {
            dpu_to_mlir(&input, !self.no_locations)
        } else if self.dpu_to_asm {
            let program = backend::read_program(&input, !self.no_verify)?;
            let text = program.consts.len() as u64 * 4;
            budget::check("the assembly", text).map_err(|over| out_of_memory(&over))?;
            Ok(asm::print(&program).into_bytes())
        } else if self.asm_to_dpu {
            asm_to_dpu(&input, !self.no_verify)
        } else {
            dpu_audit(&input, self.json)
        }
    }

    /// A network of another format as a module.
    fn door_to_mlir(&self, input: &Input, door: Door, bytecode: bool) -> Result<Vec<u8>, Failure> {
        match strum_doors::sniff(&input.bytes) {
            Some(found) if found == door => {}
            found => {
                let message = match found {
                    Some(found) => format!("not {} but {}", door.name(), found.name()),
                    None => format!("not a {} file", door.name()),
                };
                return Err(Failure::input(message).in_file(&input.name));
            }
        }
        let module = import::module(backend::context(), input, door, &self.source, false)?;
        if bytecode {
            return Ok(module.op().bytecode());
        }
        // Hexadecimal text, in several copies while it is made.
        budget::check("the module as text", (input.bytes.len() as u64).saturating_mul(6))
            .map_err(|over| out_of_memory(&over))?;
        let options = PrintOptions { locations: !self.no_locations, ..PrintOptions::default() };
        Ok((module.op().print(&options) + "\n").into_bytes())
    }
}

fn mlir_to_dpu(input: &mut Input) -> Result<Vec<u8>, Failure> {
    let context = backend::context();
    let module = network::parse(context, input)?;
    let origin = Origin::new(&input.name, &input.bytes);
    let program = backend::export(context, &module, origin)
        .map_err(|failure| if failure.message.is_empty() { failure } else { failure.in_file(&input.name) })?;
    elf(&program)
}

fn dpu_to_mlir(input: &Input, locations: bool) -> Result<Vec<u8>, Failure> {
    let program = backend::read_program(input, true)?;
    // Hexadecimal text, in several copies while it is made.
    let text = program.consts.len() as u64 * 6;
    budget::check("the module as text", text).map_err(|over| out_of_memory(&over))?;
    let context = backend::context();
    let module = backend::import(&program, context, Origin::new(&input.name, &input.bytes))?;
    let text = module.op().print(&PrintOptions { locations, ..PrintOptions::default() });
    Ok((text + "\n").into_bytes())
}

fn asm_to_dpu(input: &Input, verify: bool) -> Result<Vec<u8>, Failure> {
    let text = std::str::from_utf8(&input.bytes)
        .map_err(|error| Failure::input(format_args!("not assembly text: {error}")).in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
    let program = asm::parse(text).map_err(|error| origin.assembly(&error))?;
    if verify {
        program.validate().map_err(|errors| Failure::from(errors).in_file(&input.name))?;
    }
    // Handwritten assembly may contain what no binary can.
    program.to_elf().map_err(|error| Failure::input(error).in_file(&input.name))
}

fn dpu_audit(input: &Input, json: bool) -> Result<Vec<u8>, Failure> {
    let program = backend::read_program(input, true)?;
    let audit = audit(&program).map_err(|error| Failure::input(error).in_file(&input.name))?;
    let text = match json {
        true => json::pretty(json::AUDIT, &audit).map_err(Failure::internal)?,
        false => audit.to_string(),
    };
    Ok(text.into_bytes())
}
