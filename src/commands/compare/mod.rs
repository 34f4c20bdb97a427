//! `strumc compare`: one network, compiled and simulated once for every method and machine, at the same work.
//!
//! Invariant: runs that did different work, or whose outputs depend on the kind of the PEs, are not compared.

mod figures;
mod json;
mod levels;
mod paper;
mod table;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use dpu_isa::Machine;
use dpu_sim::{LayerReport, Observer, Options, Report, Tensor, TimelineRecorder, simulate_observed};
use strum_formats::Kind;
use strum_tensors::{ImageOptions, Inputs, input_files};

use crate::commands::report::{self, Named};
use crate::driver::advice;
use crate::driver::backend::{self, is_machine_file};
use crate::driver::cli::{Progress, Voice};
use crate::driver::exit::{Failure, blame_compiler};
use crate::driver::files::{self, Input, Places};
use crate::driver::images;
use crate::driver::import::NetworkOptions;
use crate::driver::network;
use crate::driver::options::{CalibrationOptions, CompileOptions, PackingOptions, methods};
use crate::driver::plan::Plan;
use crate::driver::remarks::{Detail, Remarks};
use crate::driver::rounding;

const EXAMPLES: &str = "\
Examples:
  strumc compare net.tflite --input x.npy
  strumc compare net.mlir --input x.npy --methods mip2q --p 0.75 --layers
  strumc compare net.mlir --input x.npy --machines flexnn-16x16 --page compared.html

docs/compare.md describes the figures and the JSON object, docs/energy.md the energy model.";

/// Most runs of one comparison: a table has a column for each.
const MAX_RUNS: usize = 16;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareCommand {
    /// The network: TFLite, ONNX, or integer TOSA as MLIR text or bytecode; - reads standard input.
    #[arg(value_name = "NET")]
    network: PathBuf,

    /// Input tensor, or an image (PNG, JPEG). Without NAME, the next input in order. Of a batch or a folder, the first sample is used.
    #[arg(long, short, value_name = "[NAME=]FILE.npy|FILE.npz[:KEY]|IMAGE|DIR", num_args = 1.., help_heading = "Inputs")]
    input: Vec<String>,

    #[command(flatten)]
    images: ImageOptions,

    /// Write the runs side by side as an HTML page, as strumc report does; - writes to standard output and needs --quiet.
    #[arg(long, value_name = "PAGE.html", help_heading = "Outputs")]
    page: Option<PathBuf>,

    /// Weight formats to compare with the baseline, each on every machine of --machines.
    #[arg(
        long,
        value_parser = methods(),
        value_name = "METHOD,…",
        value_delimiter = ',',
        default_value = "mip2q,dliq,sparse",
        help_heading = "Comparison"
    )]
    methods: Vec<Kind>,

    /// Machines for the methods: built-in names or machine files.
    #[arg(
        long,
        value_name = "MACHINE,…",
        value_delimiter = ',',
        default_value = "flexnn-16x16,flexnn-16x16-static",
        help_heading = "Comparison"
    )]
    machines: Vec<PathBuf>,

    /// Machine of the baseline (plain INT8).
    #[arg(long, value_name = "MACHINE", default_value = "flexnn-16x16-dense", help_heading = "Comparison")]
    baseline: PathBuf,

    #[command(flatten)]
    samples: CalibrationOptions,

    #[command(flatten)]
    packing: PackingOptions,

    #[command(flatten)]
    source: NetworkOptions,

    /// Limit on simulated cycles of each run, as in strumc run.
    #[arg(long, value_name = "CYCLES", default_value_t = Options::MAX_CYCLES, help_heading = "Simulation")]
    fuel: u64,

    /// Also print a table for each layer.
    #[arg(long, conflicts_with_all = ["quiet", "json"], help_heading = "Reporting")]
    layers: bool,

    #[command(flatten)]
    voice: Voice,

    #[command(flatten)]
    detail: Detail,
}

/// A run: its configuration and its result.
struct Run {
    method: Kind,
    machine: Machine,
    /// The passes with their options.
    pipeline: String,
    report: Report,
}

/// Runs of the same work, the baseline first.
struct Comparison {
    network: String,
    base: Run,
    rest: Vec<Run>,
}

impl CompareCommand {
    fn places(&self) -> Places {
        let machines = self.machines.iter().filter(|spec| is_machine_file(spec));
        Places::default()
            .reads("NET", [&self.network])
            .reads("--input", input_files(&self.input))
            .reads("--calibration", input_files(&self.samples.calibration))
            .reads("--machines", machines)
            .reads("--baseline", Some(&self.baseline).filter(|spec| is_machine_file(spec)))
            .writes("--page", &self.page)
    }
}

/// Compares and prints.
pub(crate) fn run(command: &CompareCommand) -> Result<(), Failure> {
    let plans = plans(command)?;
    command.places().check()?;
    images::check(&command.images, command.input.iter().chain(&command.samples.calibration), &command.voice)?;
    let input = files::read(&command.network)?;
    advice::only_for_readers(&command.voice);
    let progress = Progress::begin(command.voice.quiet);
    // Options of the network's file apply once.
    let given = (&command.source, command.voice.quiet);
    let input = progress.pause(|| network::as_mlir(backend::context(), input, given))?;
    let mut outputs: Vec<(Kind, Vec<Tensor>)> = Vec::new();
    let mut runs = Vec::new();
    let calibration = &command.samples.calibration;
    let rounds = rounding::rounds(calibration, plans.iter().map(|(_, plan)| &plan.options.pack))?;
    // The network as each method needs it; with samples, its weights are rounded for the method.
    let mut networks: Vec<(Kind, Input)> = Vec::new();
    let mut told = false;
    for (i, (method, plan)) in plans.iter().enumerate() {
        let (name, machine) = (method.name(), &plan.machine.name);
        progress.task(format!("{} of {}, {name} on {machine}: ", i + 1, plans.len()));
        // All packing methods produce the same remarks on a network.
        let silent = told || *method == Kind::Dense;
        told |= !silent;
        let remarks = if silent { Remarks::Silent } else { command.detail.remarks(&command.voice) };
        if !networks.iter().any(|(other, _)| other == method) {
            let (input, pass) = (input.clone(), &plan.options.pack);
            let sources = command.samples.sources(&command.images);
            let prepared = rounding::prepare(input, plan.source(), sources, pass, &progress)?;
            rounding::check_used(calibration, prepared.was_float || rounds)?;
            networks.push((*method, prepared.input));
        }
        let network =
            networks.iter().find(|(other, _)| other == method).map_or(&input, |(_, network)| network);
        let (report, tensors) = simulated(command, plan, network, &progress, remarks)?;
        if let Some((_, first)) = outputs.iter().find(|(other, _)| other == method)
            && *first != tensors
        {
            let message = format!("the outputs of {name} on {machine} are not those on another machine");
            return Err(Failure::internal(message));
        }
        outputs.push((*method, tensors));
        let (machine, pipeline) = (plan.machine.clone(), plan.pipeline());
        runs.push(Run { method: *method, machine, pipeline, report });
    }
    drop(progress);
    let mut runs = runs.into_iter();
    let base = runs.next().ok_or_else(|| Failure::internal("no run"))?;
    let comparison = Comparison { network: input.name, base, rest: runs.collect() };
    comparison.check_work()?;
    if let Some(page) = &command.page {
        let names = comparison.labels();
        let named = comparison.runs().zip(names);
        let named: Vec<Named> =
            named.map(|(run, name)| Named { name: name.join(", "), report: run.report.clone() }).collect();
        report::write_page(&named, page)?;
    }
    let text = match (command.voice.json, command.voice.quiet) {
        (true, _) => json::render(&comparison)?,
        (false, true) => String::new(),
        (false, false) => text::render(&comparison, command.layers),
    };
    files::print(text.as_bytes())
}

/// The runs to compile, the baseline first. All command-line errors are found here.
fn plans(command: &CompareCommand) -> Result<Vec<(Kind, Plan)>, Failure> {
    let (methods, machines) = (&command.methods, &command.machines);
    for (i, method) in methods.iter().enumerate() {
        if methods.iter().skip(i + 1).any(|other| other == method) {
            return Err(Failure::usage(format_args!("--methods has {} twice", method.name())));
        }
    }
    for (i, machine) in machines.iter().enumerate() {
        if machines.iter().skip(i + 1).any(|other| other == machine) {
            return Err(Failure::usage(format_args!("--machines has {} twice", machine.display())));
        }
    }
    if !command.voice.quiet && command.page.as_deref().is_some_and(files::is_standard) {
        return Err(Failure::usage("--page - needs --quiet: the table goes to standard output, too"));
    }
    let count = 1 + methods.len() * machines.len();
    let most = if command.page.is_some() { report::MAX_REPORTS } else { MAX_RUNS };
    if count > most {
        let what = if command.page.is_some() { "a page" } else { "a comparison" };
        return Err(Failure::usage(format_args!(
            "{count} runs with the baseline; {what} has at most {most}"
        )));
    }
    for (flag, of) in command.packing.given() {
        if !methods.iter().any(|method| of.contains(method)) {
            let names = |list: &[Kind]| list.iter().map(|m| m.name()).collect::<Vec<_>>().join(", ");
            let (given, useful) = (names(methods), names(of));
            let message = format!("{flag} has no effect with --methods {given}, but with {useful}");
            return Err(Failure::usage(message));
        }
    }
    let on = |machine| methods.iter().map(move |method| (*method, machine));
    let runs = std::iter::once((Kind::Dense, &command.baseline)).chain(machines.iter().flat_map(on));
    let plans = runs.map(|(method, machine)| {
        let options = CompileOptions {
            method: Some(method),
            packing: command.packing.of(method),
            machine: Some(machine.clone()),
            ..CompileOptions::default()
        };
        Ok((method, Plan::new(&options)?.quiet(command.voice.quiet)))
    });
    plans.collect()
}

/// Compiles and simulates once.
fn simulated(
    command: &CompareCommand,
    plan: &Plan,
    input: &Input,
    progress: &Progress,
    remarks: Remarks,
) -> Result<(Report, Vec<Tensor>), Failure> {
    let program = plan.compile(input.clone(), progress, remarks)?;
    progress.step("simulate");
    let tensors = match Inputs::open_with(&program.inputs, &command.input, &command.images)? {
        Inputs::Batch(mut samples) => samples.read(0)?,
        Inputs::One(tensors) => tensors,
    };
    let views: Vec<_> = tensors.iter().map(Tensor::view).collect();
    let settings = Options { max_cycles: command.fuel, ..Options::default() };
    let mut timeline = command.page.as_ref().map(|_| TimelineRecorder::new(&program));
    let mut observers: Vec<&mut dyn Observer> = Vec::new();
    if let Some(timeline) = &mut timeline {
        observers.push(timeline);
    }
    let mut result = simulate_observed(&program, &views, &settings, &mut observers)
        .map_err(|error| blame_compiler(error.into()))?;
    result.report.timeline = timeline.map(TimelineRecorder::finish);
    Ok((result.report, result.outputs))
}

impl Comparison {
    /// Checks that all runs did the same multiply-accumulates, in total and in every layer that they have in common.
    fn check_work(&self) -> Result<(), Failure> {
        let base = &self.base;
        let name = |run: &Run| format!("{} on {}", run.method.name(), run.machine.name);
        for run in &self.rest {
            let differs = |what: &str, got: u64, want: u64| {
                let (a, b) = (name(run), name(base));
                Failure::internal(format_args!("{what}: {a} does {got} MACs, {b} does {want}"))
            };
            let (got, want) = (run.report.total.macs(), base.report.total.macs());
            if got != want {
                return Err(differs("the network", got, want));
            }
            for (place, layer) in base.report.layers.iter().enumerate() {
                let got = self.layer_of(run, place).map(|same| same.macs_stated);
                if let Some(got) = got.filter(|&got| got != layer.macs_stated) {
                    return Err(differs(&layer.name, got, layer.macs_stated));
                }
            }
        }
        Ok(())
    }

    /// All runs, the baseline first.
    fn runs(&self) -> impl Iterator<Item = &Run> {
        std::iter::once(&self.base).chain(&self.rest)
    }

    /// The layer of a run that matches the baseline's at this index, if the run has it.
    fn layer_of<'r>(&self, run: &'r Run, place: usize) -> Option<&'r LayerReport> {
        figures::same_layer(&run.report.layers, &self.base.report.layers, place)
    }

    /// The machines without duplicates, the baseline's first.
    fn machines(&self) -> Vec<&Machine> {
        let mut machines: Vec<&Machine> = Vec::new();
        for run in self.runs() {
            if !machines.contains(&&run.machine) {
                machines.push(&run.machine);
            }
        }
        machines
    }

    /// Method and machine of every run; a machine is named by the kind of its PEs if that distinguishes all.
    fn labels(&self) -> Vec<[String; 2]> {
        let machines = self.machines();
        let kinds: BTreeSet<&str> = machines.iter().map(|machine| machine.pe_kind.name()).collect();
        let short = |machine: &Machine| match kinds.len() == machines.len() {
            true => machine.pe_kind.name().trim_start_matches("strum-").to_owned(),
            false => machine.name.clone(),
        };
        self.runs().map(|run| [run.method.name().to_owned(), short(&run.machine)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use dpu_isa::{End, InstrMeta, Layer, Manifest, PeKind, Program};

    use super::*;
    use crate::driver::exit::Kind;

    /// The run of a program that does nothing.
    fn run(machine: Machine) -> Run {
        let layer = |name: &str| Layer {
            name: name.into(),
            op: "strum.conv2d".into(),
            loc: InstrMeta::NONE,
            macs: 7,
        };
        let program = Program {
            machine: machine.clone(),
            instrs: vec![End {}.into()],
            meta: vec![InstrMeta::default()],
            locs: Vec::new(),
            layers: ["a", "b", "a"].map(layer).into(),
            consts: Vec::new(),
            dram_bytes: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            manifest: Manifest::default(),
        };
        let report = dpu_sim::simulate(&program, &[], &Options::default()).unwrap().report;
        Run { method: strum_formats::Kind::Dense, machine, pipeline: String::new(), report }
    }

    fn comparison(change: impl FnOnce(&mut Report)) -> Comparison {
        let mut other = run(Machine { pe_kind: PeKind::StrumStatic, ..Machine::flexnn_16x16() });
        change(&mut other.report);
        Comparison { network: "n".into(), base: run(Machine::flexnn_16x16()), rest: vec![other] }
    }

    #[test]
    fn different_work_is_not_compared() {
        assert!(comparison(|_| ()).check_work().is_ok());
        let error = comparison(|report| report.total.macs_high += 1).check_work().unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert!(error.message.contains("dense on flexnn-16x16 does 1 MACs, dense on flexnn-16x16 does 0"));
        let error = comparison(|report| report.layers[2].macs_stated = 8).check_work().unwrap_err();
        assert!(error.message.contains("a: dense on flexnn-16x16 does 8 MACs"), "{}", error.message);
        // Layers missing in the baseline are not compared.
        assert!(comparison(|report| report.layers[1].name = "c".into()).check_work().is_ok());
    }

    #[test]
    fn layers_of_one_name_go_by_their_order() {
        let comparison = comparison(|report| report.layers[0].name = "c".into());
        let places = [0, 1, 2].map(|place| comparison.layer_of(&comparison.rest[0], place).map(|l| &l.name));
        assert_eq!(places, [Some(&"a".to_owned()), Some(&"b".to_owned()), None]);
        assert_eq!(comparison.layer_of(&comparison.base, 2), comparison.base.report.layers.get(2));
    }

    #[test]
    fn machines_of_one_name_are_told_apart_by_their_kind() {
        let labels = comparison(|_| ()).labels();
        assert_eq!(labels, [["dense", "dynamic"], ["dense", "static"]]);
    }
}
