//! `strumc`: its subcommands, one folder each. Invariant: a subcommand sees the frame (`driver`), and another one only
//! where it is built on it (`tune` on `eval`, `compare` on `report`).

mod compare;
mod compile;
mod eval;
mod quantize;
mod report;
mod run;
mod tune;

use clap::{Parser, Subcommand};

use crate::driver::cli::{Arguments, Common, version};
use crate::driver::exit::Failure;
use compare::CompareCommand;
use compile::CompileCommand;
use eval::EvalCommand;
use quantize::QuantizeCommand;
use report::ReportCommand;
use run::RunCommand;
use tune::TuneCommand;

const EXAMPLES: &str = "\
Examples:
  strumc compile net.mlir -o net.dpu --method mip2q --p 0.5
  strumc run net.mlir --input x.npy --output y.npy
  strumc run net.mlir --input a=x.npz:first --input b=x.npz:second --output y.npz --method dliq --q 4
  strumc run net.dpu --input x.npy --output y.npy --report report.json
  strumc compare net.mlir --input x.npy
  strumc eval net.mlir --inputs x.npy --labels y.npy
  strumc quantize float.mlir --calibration images.npy -o net.mlir
  strumc report report.json -o report.html

The passes are those of strum-opt --strum-pipeline. What a binary holds: strum-translate --dpu-audit.

Exit codes: 0 done, 1 invalid input, 2 wrong usage, 3 not supported, 4 a limit, 5 the machine trapped,
70 a bug of this program";

/// Compile an integer TOSA network with StruM weights to a DPU program, or compile and run it.
#[derive(Debug, Parser)]
#[command(name = "strumc", version = version(), after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct StrumcArgs {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a network to a DPU program.
    #[command(after_help = EXAMPLES, max_term_width = 100)]
    Compile(CompileCommand),
    /// Compile a network, simulate it and write its outputs.
    #[command(after_help = EXAMPLES, max_term_width = 100)]
    Run(RunCommand),
    /// Compare methods on one workload: cycles, energy and power of the PEs and in total, beside the paper's figures.
    #[command(max_term_width = 100)]
    Compare(CompareCommand),
    /// Evaluate methods on a data set: accuracy, agreement and SQNR, from the simulator's exact results.
    #[command(max_term_width = 100)]
    Eval(EvalCommand),
    /// Quantize a float network to integer TOSA (post-training, from calibration data).
    #[command(max_term_width = 100)]
    Quantize(QuantizeCommand),
    /// Choose a weight format for each layer, from measured sensitivity and a budget.
    #[command(max_term_width = 100)]
    Tune(TuneCommand),
    /// Render run reports side by side on one page: time, energy, traffic, timeline, SRAM occupancy.
    #[command(max_term_width = 100)]
    Report(ReportCommand),
}

impl Arguments for StrumcArgs {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// Does what the arguments say.
pub(crate) fn run(args: StrumcArgs) -> Result<(), Failure> {
    match args.command {
        Command::Compile(command) => compile::run(&command),
        Command::Run(command) => run::run(&command),
        Command::Compare(command) => compare::run(&command),
        Command::Eval(command) => eval::run(&command),
        Command::Tune(command) => tune::run(&command),
        Command::Quantize(command) => quantize::run(&command),
        Command::Report(command) => report::run(&command),
    }
}
