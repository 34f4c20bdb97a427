//! `strumc`: its subcommands, one folder each. Invariant: a subcommand uses the frame (`driver`), and another one only where it
//! builds on it (`tune` and `check` on `eval`, `compare` on `report`).

mod check;
mod compare;
mod compile;
mod eval;
mod quantize;
mod report;
mod run;
mod tune;

use clap::{Parser, Subcommand};

use crate::driver::cli::{ALSO_LOGGED, Arguments, Common, version};
use crate::driver::exit::Failure;
use check::CheckCommand;
use compare::CompareCommand;
use compile::CompileCommand;
use eval::EvalCommand;
use quantize::QuantizeCommand;
use report::ReportCommand;
use run::RunCommand;
use tune::TuneCommand;

const EXAMPLES: &str = "\
Examples:
  strumc quantize float.mlir --calibration images.npy -o net.mlir
  strumc compile net.mlir -o net.dpu --method mip2q --p 0.5
  strumc run net.dpu --input x.npy --output y.npy

Exit codes: 0 success, 1 invalid input, 2 wrong usage, 3 not supported, 4 limit exceeded,
5 trap of the machine, 70 internal error";

/// Compile neural networks with StruM weights for a DPU, simulate them, and evaluate weight formats.
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
    #[command(max_term_width = 100)]
    Compile(CompileCommand),
    /// Run a network or a compiled program on the simulator.
    #[command(max_term_width = 100)]
    Run(RunCommand),
    /// Say what becomes of every operator of a network, and check a budget of cycles, bytes and agreement.
    #[command(max_term_width = 100)]
    Check(CheckCommand),
    /// Compare weight formats and machines on one network: cycles, energy and power, next to the figures of the paper.
    #[command(max_term_width = 100)]
    Compare(CompareCommand),
    /// Evaluate weight formats on a data set: accuracy, agreement and SQNR, from exact simulation.
    #[command(max_term_width = 100)]
    Eval(EvalCommand),
    /// Quantize a float network to integer TOSA (post-training quantization).
    #[command(max_term_width = 100)]
    Quantize(QuantizeCommand),
    /// Choose a weight format for each layer from its measured sensitivity, within a budget.
    #[command(max_term_width = 100)]
    Tune(TuneCommand),
    /// Render reports of runs as an HTML page: time, energy, traffic, timeline, SRAM occupancy.
    #[command(max_term_width = 100)]
    Report(ReportCommand),
}

impl Arguments for StrumcArgs {
    const ALSO_LOGGED: Option<&'static str> = ALSO_LOGGED;
    const STACK: Option<usize> = Some(strum_cli::DEEP_STACK);

    fn common(&self) -> &Common {
        &self.common
    }
}

/// Runs the parsed command line.
pub(crate) fn run(args: StrumcArgs) -> Result<(), Failure> {
    match args.command {
        Command::Compile(command) => compile::run(&command),
        Command::Run(command) => run::run(&command),
        Command::Check(command) => check::run(&command),
        Command::Compare(command) => compare::run(&command),
        Command::Eval(command) => eval::run(&command),
        Command::Tune(command) => tune::run(&command),
        Command::Quantize(command) => quantize::run(&command),
        Command::Report(command) => report::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The lines of an example in a help text.
    fn examples(command: &clap::Command) -> Vec<String> {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        text.lines().filter(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn every_help_has_examples_of_its_command_that_parse() {
        let strumc = StrumcArgs::command();
        let all = strumc.get_subcommands().map(|command| {
            let own = format!("strumc {} ", command.get_name());
            (examples(command), own)
        });
        for (examples, own) in all.chain([(examples(&strumc), "strumc ".to_owned())]) {
            assert!(!examples.is_empty(), "{own}");
            for example in examples {
                assert!(example.starts_with(&own), "{own}: {example}");
                let parsed = StrumcArgs::try_parse_from(example.split_whitespace());
                assert!(parsed.is_ok(), "{example}: {:?}", parsed.err().map(|error| error.to_string()));
            }
        }
    }
}
