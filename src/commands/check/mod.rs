//! `strumc check`: what becomes of every operator of a network, and whether the network stays within a budget.
//!
//! Invariant: the table covers every operator that the network's file needs, supported or not; a failed check has printed it.

mod agreement;
mod compile;
mod operators;
mod text;

use std::path::PathBuf;

use clap::Args;
use dpu_isa::Program;
use dpu_sim::{Options, simulate_timing};
use strum_formats::Kind as Method;
use strum_tensors::{ImageOptions, input_files};

use crate::audit::audit;
use crate::driver::backend::is_machine_file;
use crate::driver::cli::{Progress, Voice};
use crate::driver::exit::{Failure, Kind};
use crate::driver::files::{self, Input, Places};
use crate::driver::images;
use crate::driver::import::NetworkOptions;
use crate::driver::network;
use crate::driver::options::{CompileOptions, PackingOptions, methods};
use compile::Outcome;
use operators::{Place, Row};

const EXAMPLES: &str = "\
Examples:
  strumc check net.tflite
  strumc check net.onnx --machine flexnn-4x4 --json
  strumc check net.tflite --method mip2q --max-cycles 200000 --max-bytes 60000
  strumc check net.tflite --method mip2q --inputs x.npy --min-agreement 99

Ends with 3 if an operator is not supported, and with 4 if a budget is exceeded. Of a float network,
operators are placed as after strumc quantize.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckCommand {
    /// The network: TFLite, ONNX, or TOSA or linalg as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Weight format [default: dense].
    #[arg(long, value_parser = methods(), value_name = "METHOD", help_heading = "Weight format")]
    method: Option<Method>,

    #[command(flatten)]
    packing: PackingOptions,

    /// Target machine: a built-in name or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Planning")]
    machine: Option<PathBuf>,

    #[command(flatten)]
    source: NetworkOptions,

    /// Most cycles of a sample.
    #[arg(long, value_name = "CYCLES", help_heading = "Budget")]
    max_cycles: Option<u64>,

    /// Most bytes of stored weights.
    #[arg(long, value_name = "BYTES", help_heading = "Budget")]
    max_bytes: Option<u64>,

    /// Smallest share of samples with the same answer as plain INT8, in percent; needs --inputs.
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "inputs", help_heading = "Budget")]
    min_agreement: Option<f64>,

    /// Samples: for each input of the network, in order, an array with samples along the first axis, an image (PNG, JPEG) or a folder
    /// of images.
    #[arg(
        long,
        short,
        value_name = "FILE.npy|FILE.npz[:KEY]|IMAGE|DIR",
        num_args = 1..,
        requires = "min_agreement",
        help_heading = "Inputs"
    )]
    inputs: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

    #[command(flatten)]
    voice: Voice,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x| (0.0..=100.0).contains(x));
    number.ok_or_else(|| "expected a number from 0 to 100".into())
}

/// What was found.
struct Findings {
    network: String,
    rows: Vec<Row>,
    /// Whether the network computes real numbers and was quantized for the check.
    float: bool,
    cycles: Option<u64>,
    weight_bytes: Option<u64>,
    /// From 0 to 1.
    agreement: Option<f64>,
}

/// Checks and prints.
pub(crate) fn run(command: &CheckCommand) -> Result<(), Failure> {
    let options = CompileOptions {
        method: command.method,
        packing: command.packing.clone(),
        machine: command.machine.clone(),
        source: command.source.clone(),
        ..CompileOptions::default()
    };
    if command.min_agreement.is_some() && command.method.is_none_or(|method| method == Method::Dense) {
        return Err(Failure::usage(
            "--min-agreement has no effect without --method: plain INT8 agrees with itself",
        ));
    }
    Places::default()
        .reads("NET", [&command.network])
        .reads("--machine", command.machine.iter().filter(|spec| is_machine_file(spec)))
        .reads("--inputs", input_files(&command.inputs))
        .check()?;
    images::check(&command.images, &command.inputs, &command.voice)?;
    let input = files::read(&command.network)?;
    network::check_uncompiled(&input)?;
    let progress = Progress::begin(command.voice.quiet);
    let outcome = compile::outcome(&input, &options, command.voice.quiet, &progress)?;
    let findings = findings(command, &input, outcome, &progress)?;
    drop(progress);
    let text = match (command.voice.json, command.voice.quiet) {
        (true, _) => text::json(&findings)?,
        (false, true) => String::new(),
        (false, false) => text::table(&findings),
    };
    files::print(text.as_bytes())?;
    command.verdict(&findings)
}

fn findings(
    command: &CheckCommand,
    input: &Input,
    outcome: Outcome,
    progress: &Progress,
) -> Result<Findings, Failure> {
    let Outcome { rows, program, float } = outcome;
    let mut findings = Findings {
        network: input.name.clone(),
        rows,
        float,
        cycles: None,
        weight_bytes: None,
        agreement: None,
    };
    let Some(program) = program else { return Ok(findings) };
    progress.step("simulate");
    findings.cycles = cycles(command, &program)?;
    findings.weight_bytes = Some(audit(&program).map_err(Failure::internal)?.total.bytes);
    if command.min_agreement.is_some() {
        if float {
            return Err(Failure::usage(
                "--min-agreement needs an integer network: strumc quantize makes one",
            ));
        }
        findings.agreement = Some(agreement::measure(command, input.clone(), progress)?);
    }
    Ok(findings)
}

/// The cycles of a sample; none if they depend on data and no budget asks for them.
fn cycles(command: &CheckCommand, program: &Program) -> Result<Option<u64>, Failure> {
    match simulate_timing(program, &Options::default(), &mut []) {
        Ok(report) => Ok(Some(report.cycles)),
        Err(_) if command.max_cycles.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl CheckCommand {
    /// The failure of a check.
    fn verdict(&self, findings: &Findings) -> Result<(), Failure> {
        let unsupported: usize = findings
            .rows
            .iter()
            .filter(|row| matches!(row.place, Place::Refused { .. }))
            .map(|row| row.count)
            .sum();
        let name = &findings.network;
        if unsupported > 0 {
            let what = if unsupported == 1 { "operator is" } else { "operators are" };
            let message = format_args!("{unsupported} {what} not supported");
            return Err(Failure::new(Kind::Unsupported, message).in_file(name));
        }
        let over = |what: &str, got: Option<u64>, most: Option<u64>| {
            let (got, most) = got.zip(most).filter(|(got, most)| got > most)?;
            Some(format!("{got} {what}, the budget is {most}"))
        };
        let agreement =
            findings.agreement.zip(self.min_agreement).filter(|(got, least)| got * 100.0 < *least);
        let faults = [
            over("cycles", findings.cycles, self.max_cycles),
            over("bytes of weights", findings.weight_bytes, self.max_bytes),
            agreement.map(|(got, least)| {
                format!("{:.2} % of the answers agree with plain INT8, the budget is {least} %", got * 100.0)
            }),
        ];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Kind::Resource, faults.join("; ")).in_file(name))
    }
}
