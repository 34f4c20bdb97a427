//! The command line of `strum-rtl`.

mod characterise;
mod check;
mod design;
mod exit;
mod explore;
mod generate;
mod power;
mod synth;

use clap::{Parser, Subcommand};
use strum_cli::{Arguments, Common, Failure};

const EXAMPLES: &str = "\
Examples:
  strum-rtl generate --level pe --kind strum-static --format mip2q,w=8 -o pe.sv
  strum-rtl check --level datapath --kind strum-dynamic --trace layer.trace --verilator
  strum-rtl synth --level datapath --kind dense
  strum-rtl power --level datapath --kind strum-static --trace layer.trace

docs/hardware.md describes the designs and what was measured.

Exit codes: 0 success, 1 invalid input, 2 wrong usage, 3 not supported, 4 limit exceeded,
70 internal error";

/// RTL of StruM's PEs: generation, equality with the simulator, area, timing and power from gates.
#[derive(Debug, Parser)]
#[command(name = "strum-rtl", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a design as SystemVerilog.
    Generate(generate::GenerateArgs),
    /// Compare a design with a PE trace of dpu-sim: every accumulator must be equal.
    Check(check::CheckArgs),
    /// Map a design to the cells of a library: area by unit, critical path.
    Synth(synth::SynthArgs),
    /// Simulate the mapped gates of a design on a PE trace: energy of a step by unit.
    Power(power::PowerArgs),
    /// Write a machine file whose energies and areas are those of a PE's gates.
    Characterise(characterise::CharacteriseArgs),
    /// Compare the PEs of a grid with the best dense one: area, energy on traces of layers.
    Explore(explore::ExploreArgs),
}

impl Arguments for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// Runs the command.
///
/// # Errors
/// With the exit code and message of what failed.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Generate(args) => generate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Synth(args) => synth::run(&args),
        Command::Power(args) => power::run(&args),
        Command::Characterise(args) => characterise::run(&args),
        Command::Explore(args) => explore::run(&args),
    }
}
