//! `dpu-sim`: runs a DPU program on tensors, and reports its cost.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use dpu_isa::{Machine, Program};
use dpu_sim::cli::RunArgs;
use strum_cli::{Arguments, Common, Failure, Progress};
use strum_files::{Places, budget};

const EXAMPLES: &str = "\
Examples:
  dpu-sim net.dpu --input x.npy --output y.npy
  dpu-sim net.dpu --input photo.jpg --resize 256 --mean 0.5 --std 0.5
  dpu-sim net.dpu --input images.npz:x --layers --report report.json
  dpu-sim net.dpu --timing-only --machine slow.toml

Exit codes: 0 success, 1 invalid input, 2 wrong usage, 3 not supported, 4 limit exceeded,
5 trap of the machine, 70 internal error";

/// Simulate a DPU program: exact outputs, cycles, traffic, energy and hazards.
#[derive(Debug, Parser)]
#[command(name = "dpu-sim", version, after_help = EXAMPLES, max_term_width = 100)]
struct SimArgs {
    /// The program, an ELF file; - reads standard input.
    #[arg(value_name = "PROG.dpu")]
    program: PathBuf,

    /// Machine file with other timing parameters; no other parameter may differ from the program's machine.
    #[arg(long, value_name = "FILE.toml", help_heading = "Inputs")]
    machine: Option<PathBuf>,

    #[command(flatten)]
    run: RunArgs,

    /// Print the full report as JSON instead of the summary (docs/report.md).
    #[arg(long, conflicts_with = "quiet", help_heading = "Reporting")]
    json: bool,

    /// Print errors only.
    #[arg(long, short, help_heading = "Reporting")]
    quiet: bool,

    #[command(flatten)]
    common: Common,
}

impl Arguments for SimArgs {
    fn common(&self) -> &Common {
        &self.common
    }
}

fn main() -> ExitCode {
    strum_cli::main("dpu-sim", run)
}

fn run(args: SimArgs) -> Result<(), Failure> {
    let places = Places::default().reads("PROG.dpu", [&args.program]).reads("--machine", &args.machine);
    args.run.places(places)?.check()?;
    args.run.check_images(&[], args.quiet || args.json)?;
    let program = read_program(&args.program)?;
    let machine = args.machine.as_deref().map(read_machine).transpose()?;
    let progress = Progress::begin(args.quiet);
    let ran = args.run.run(&program, machine, &progress)?;
    drop(progress);
    let text = match (args.json, args.quiet) {
        (true, _) => ran.report.to_json().map_err(Failure::internal)? + "\n",
        (false, true) => String::new(),
        (false, false) => ran.summary(&program, &args.run),
    };
    Ok(strum_files::print(text.as_bytes())?)
}

/// Reads and validates the program.
fn read_program(path: &Path) -> Result<Program, Failure> {
    /// Maximum size of a program in bytes.
    const MAX_PROGRAM: u64 = 1 << 33;
    let input = strum_files::read(path, MAX_PROGRAM)?;
    let program = Program::from_elf_within(&input.bytes, budget::left());
    let program = program.map_err(|error| Failure::from(error).in_file(&input.name))?;
    program.validate().map_err(|errors| Failure::from(errors).in_file(&input.name))?;
    tracing::debug!(instructions = program.instrs.len(), layers = program.layers.len(), "program read");
    Ok(program)
}

fn read_machine(path: &Path) -> Result<Machine, Failure> {
    let text = strum_files::read_text_within(path, strum_files::MAX_MACHINE)?;
    Machine::from_toml(&text).map_err(|error| Failure::from(error).in_file(&path.display().to_string()))
}
