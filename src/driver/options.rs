//! The options of a compilation, and the options of `strum-pipeline` derived from them.
//!
//! Invariant: an option without effect is refused, so that no requested precision is silently ignored.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use strum_formats::table::PACKED;
use strum_formats::{Domain, Kind, Parameter, Spec, Value};
use strum_passes::common::machine::Target;
use strum_passes::dpu::strum_to_dpu::{self, Objective};
use strum_passes::pipeline;
use strum_passes::strum::strum_pack::{LayerOptions, PackingSource, StrumPack};
use strum_quant::{Choice, SCHEMA};
use strum_tensors::{ImageOptions, Sources, input_files};

use super::backend::is_machine_file;
use super::exit::Failure;
use super::files::Places;
use super::import::NetworkOptions;
use super::temps::temporaries;

/// The methods as values of an option.
pub(crate) fn methods() -> impl TypedValueParser<Value = Kind> {
    let value = |kind: &Kind| PossibleValue::new(kind.name()).help(kind.help());
    PossibleValuesParser::new(Kind::ALL.iter().map(value)).try_map(|name| Kind::from_name(&name))
}

/// How packed weights are stored: an option for each parameter of formats and of selection.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackingOptions {
    given: Vec<(&'static Parameter, Value)>,
    depthwise: bool,
    min_channels: Option<u64>,
}

/// Pack depthwise layers, too.
const DEPTHWISE: &str = "depthwise";

/// Pack layers with fewer input channels than a block has members, or only those with more.
const MIN_CHANNELS: &str = "min-channels";

/// The option of a parameter.
fn argument(parameter: &'static Parameter) -> Arg {
    let Parameter { name, value_name, domain, default, methods, help } = parameter;
    // Help of a single method begins with its name.
    let help = match *methods == PACKED {
        true => help.chars().take(1).flat_map(char::to_uppercase).chain(help.chars().skip(1)).collect(),
        false => (*help).to_owned(),
    };
    let arg = Arg::new(*name).long(*name).help_heading("Weight format");
    if *domain == Domain::Flag {
        return arg.help(help).action(ArgAction::SetTrue);
    }
    let arg = arg.help(format!("{help} [default: {default}]")).value_name(*value_name);
    match domain {
        Domain::Words(words) => {
            let values = words.iter().map(|word| PossibleValue::new(word.name).help(word.help));
            arg.value_parser(PossibleValuesParser::new(values).try_map(|word| parameter.read(&word)))
        }
        _ => arg.value_parser(move |text: &str| {
            parameter.domain.read(text).ok_or_else(|| format!("expected {}", parameter.domain))
        }),
    }
}

impl Args for PackingOptions {
    fn augment_args(command: Command) -> Command {
        let help = "Also pack depthwise layers";
        let depthwise = Arg::new(DEPTHWISE).long(DEPTHWISE).help(help).help_heading("Weight format");
        let help = "Pack layers with at least N input channels [default: block size]";
        let channels = Arg::new(MIN_CHANNELS).long(MIN_CHANNELS).help(help).help_heading("Weight format");
        let channels = channels.value_name("N").value_parser(clap::value_parser!(u64));
        let command = command.args(SCHEMA.parameters().map(argument));
        command.arg(depthwise.action(ArgAction::SetTrue)).arg(channels)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PackingOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |parameter: &'static Parameter| match parameter.domain {
            Domain::Flag => matches.get_flag(parameter.name).then_some(Value::Flag(true)),
            _ => matches.get_one::<Value>(parameter.name).copied(),
        };
        let given = SCHEMA.parameters().filter_map(|parameter| Some((parameter, value(parameter)?)));
        Ok(PackingOptions {
            given: given.collect(),
            depthwise: matches.get_flag(DEPTHWISE),
            min_channels: matches.get_one(MIN_CHANNELS).copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `sparse, dliq, mip2q`
fn names(methods: &[Kind]) -> String {
    methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
}

impl PackingOptions {
    /// The given options, with the methods that they apply to.
    pub(crate) fn given(&self) -> impl Iterator<Item = (String, &'static [Kind])> + '_ {
        let of_table = self.given.iter().map(|(p, _)| (format!("--{}", p.name), p.methods));
        let of_layers = [(DEPTHWISE, self.depthwise), (MIN_CHANNELS, self.min_channels.is_some())];
        let of_layers = of_layers.into_iter().filter(|(_, given)| *given);
        of_table.chain(of_layers.map(|(name, _)| (format!("--{name}"), PACKED)))
    }

    /// The layers that are packed, besides those of a packing file.
    pub(crate) fn layers(&self) -> LayerOptions {
        let PackingOptions { depthwise, min_channels, .. } = *self;
        LayerOptions { depthwise, min_channels, ..LayerOptions::default() }
    }

    /// The options that have an effect with this method.
    pub(crate) fn of(&self, method: Kind) -> PackingOptions {
        let given = self.given.iter().filter(|(parameter, _)| parameter.methods.contains(&method));
        PackingOptions {
            given: given.copied().collect(),
            depthwise: self.depthwise && method.is_packed(),
            min_channels: self.min_channels.filter(|_| method.is_packed()),
        }
    }

    /// The method with these parameters.
    ///
    /// # Errors
    /// An option without effect with the method, or parameters that contradict each other.
    pub(crate) fn choice(&self, method: Kind) -> Result<Choice, Failure> {
        if let Some((flag, methods)) = self.given().find(|(_, methods)| !methods.contains(&method)) {
            let useful = names(methods);
            return Err(Failure::usage(format_args!(
                "{flag} has no effect with --method {method}, but with {useful}"
            )));
        }
        let mut spec = Spec::new(&SCHEMA, method);
        let all = self.given.iter().try_for_each(|(parameter, value)| spec.give(parameter, *value));
        all.and_then(|()| Choice::of(spec)).map_err(Failure::usage)
    }
}

/// Calibration samples of commands that compile a network.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CalibrationOptions {
    /// Quantize a float network with these samples, and round weights for their format: for each input of the network, in order, an
    /// array with samples along the first axis, an image (PNG, JPEG) or a folder of images.
    #[arg(long, value_name = "FILE.npy|FILE.npz[:KEY]|IMAGE|DIR", num_args = 1.., help_heading = "Inputs")]
    pub(crate) calibration: Vec<String>,
}

impl CalibrationOptions {
    /// The samples, with the options of images.
    pub(crate) fn sources<'a>(&'a self, images: &'a ImageOptions) -> Sources<'a> {
        Sources { args: &self.calibration, images }
    }
}

/// The objectives as values of an option.
fn objectives() -> impl TypedValueParser<Value = Objective> {
    let value = |objective: Objective| PossibleValue::new(objective.name()).help(objective.help());
    PossibleValuesParser::new(Objective::ALL.map(value)).try_map(|name| {
        let named = Objective::ALL.into_iter().find(|objective| objective.name() == name);
        named.ok_or_else(|| format!("there is no objective '{name}'"))
    })
}

/// Constraints and outputs of the planner.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Planning")]
pub(crate) struct PlanOptions {
    /// Quantity to minimize when choosing tiles and schedules [default: latency].
    #[arg(long, value_parser = objectives(), value_name = "WHAT")]
    objective: Option<Objective>,

    /// Follow this strategy file; the planner searches what it leaves open (docs/strategy.md).
    #[arg(long, value_name = "S.json")]
    read_strategy: Option<PathBuf>,

    /// Write the strategy that was chosen: tiles, schedules, resident tensors, prefetch.
    #[arg(long, value_name = "S.json")]
    write_strategy: Option<PathBuf>,
}

impl PlanOptions {
    /// The given flags.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            self.objective.map(|_| "--objective"),
            self.read_strategy.as_ref().map(|_| "--read-strategy"),
            self.write_strategy.as_ref().map(|_| "--write-strategy"),
        ];
        flags.into_iter().flatten()
    }

    /// The options of the planning pass.
    fn of_pass(&self) -> Result<strum_to_dpu::PlanOptions, Failure> {
        let path = |flag, path: &Option<PathBuf>| match path.as_deref() {
            None => Ok(None),
            Some(path) if path.as_os_str() == "-" => {
                Err(Failure::usage(format_args!("{flag}: a strategy needs a file")))
            }
            Some(path) => pipeline_path(flag, "strategy", path).map(Some),
        };
        Ok(strum_to_dpu::PlanOptions {
            objective: self.objective.unwrap_or_default(),
            read_strategy: path("--read-strategy", &self.read_strategy)?,
            write_strategy: path("--write-strategy", &self.write_strategy)?,
        })
    }
}

/// The text of a path for a pipeline.
///
/// # Errors
/// Characters with a meaning in a pipeline.
fn pipeline_path(flag: &str, what: &str, path: &Path) -> Result<String, Failure> {
    let safe = |c: char| c.is_alphanumeric() || SAFE.contains(c);
    let text = path.to_str().filter(|text| !text.is_empty() && text.chars().all(safe));
    text.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format_args!(
            "{flag} '{}': the name of a {what} file has letters, digits and {SAFE}, since a pipeline holds it",
            path.display()
        ))
    })
}

/// Options of a compilation.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Weight format")]
pub(crate) struct CompileOptions {
    /// Weight format [default: dense].
    #[arg(long, value_parser = methods(), value_name = "METHOD")]
    pub(crate) method: Option<Kind>,

    #[command(flatten)]
    pub(crate) packing: PackingOptions,

    /// Per-layer weight formats; layers not listed use the options (docs/packing.md).
    #[arg(long = "packing", value_name = "P.json")]
    pub(crate) packing_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) samples: CalibrationOptions,

    #[command(flatten)]
    pub(crate) plan: PlanOptions,

    /// Target machine: a built-in name or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Planning")]
    pub(crate) machine: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) source: NetworkOptions,

    /// Write the IR after every stage, the binary and its assembly to this folder.
    #[arg(long, value_name = "DIR", help_heading = "Inspection")]
    pub(crate) save_temps: Option<PathBuf>,

    /// Print the equivalent strum-opt --pass-pipeline and exit.
    #[arg(long, help_heading = "Inspection")]
    pub(crate) print_pipeline: bool,
}

/// How a machine is named in a pipeline.
const SAFE: &str = "-_./+@%,:=~";

impl CompileOptions {
    /// The given options, other than the machine, which applies to a compiled program as well.
    pub(crate) fn given(&self) -> Vec<String> {
        let list = [
            ("--method", self.method.is_some()),
            ("--packing", self.packing_file.is_some()),
            ("--calibration", !self.samples.calibration.is_empty()),
            ("--save-temps", self.save_temps.is_some()),
            ("--print-pipeline", self.print_pipeline),
        ];
        let given = list.into_iter().filter(|(_, given)| *given).map(|(name, _)| name.to_owned());
        let given = given.chain(self.packing.given().map(|(name, _)| name));
        let given = given.chain(self.plan.given().map(str::to_owned));
        given.chain(self.source.given().map(str::to_owned)).collect()
    }

    /// The given options but those of the network's file.
    pub(crate) fn given_beside_source(&self) -> Vec<String> {
        let source: Vec<&str> = self.source.given().collect();
        let machine = self.machine.iter().map(|_| "--machine".to_owned());
        self.given().into_iter().chain(machine).filter(|flag| !source.contains(&flag.as_str())).collect()
    }

    /// Adds the files that a compilation reads and writes.
    pub(crate) fn places(&self, places: Places) -> Result<Places, Failure> {
        let temps = self.save_temps.as_deref().map(temporaries);
        Ok(places
            .reads("--machine", self.machine.iter().filter(|spec| is_machine_file(spec)))
            .reads("--packing", &self.packing_file)
            .reads("--calibration", input_files(&self.samples.calibration))
            .reads("--read-strategy", &self.plan.read_strategy)
            .writes_files("--write-strategy", &self.plan.write_strategy)
            .keeps("--save-temps", temps.into_iter().flatten()))
    }

    /// The equivalent options of `strum-pipeline`.
    ///
    /// # Errors
    /// An option without effect with the method, or a path that the text of a pipeline cannot contain.
    pub(crate) fn pipeline(&self) -> Result<pipeline::Options, Failure> {
        let choice = self.packing.choice(self.method.unwrap_or(Kind::Dense))?;
        let machine = self.machine.as_deref().map(|path| pipeline_path("--machine", "machine", path));
        let machine = machine.transpose()?;
        let packing = self.packing_file.as_deref();
        let packing = packing.map(|path| pipeline_path("--packing", "packing", path)).transpose()?;
        let packing = packing.map(PackingSource::File).unwrap_or_default();
        Ok(pipeline::Options {
            target: machine.map(|machine| Target { machine }).unwrap_or_default(),
            pack: StrumPack { choice, layers: LayerOptions { packing, ..self.packing.layers() } },
            plan: self.plan.of_pass()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: CompileOptions,
    }

    fn text(line: &str) -> Result<String, String> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|e| e.to_string())?;
        line.options.pipeline().map(|options| options.to_string()).map_err(|e| e.message)
    }

    #[test]
    fn dense_is_the_default() {
        assert_eq!(text(""), Ok("method=dense".into()));
    }

    #[test]
    fn every_option_arrives() {
        assert_eq!(
            text(
                "--method mip2q --p 0.25 --w 8 --L 6 --zero --select magnitude --correct both --depthwise --min-channels 3 --machine a/m.toml"
            ),
            Ok("machine=a/m.toml p=0.25 w=8 L=6 zero=true select=magnitude correct=both depthwise=true min-channels=3"
                .into())
        );
        assert_eq!(text("--method dliq --q 3 --shift channel"), Ok("method=dliq q=3 shift=channel".into()));
        assert!(text("--method dliq --shift 4").unwrap().ends_with(" shift=4"));
    }

    #[test]
    fn options_without_effect_are_refused() {
        for (line, expected) in [
            ("--p 0.5", "--p has no effect with --method dense, but with sparse, dliq, mip2q"),
            ("--method sparse --q 4", "--q has no effect with --method sparse, but with dliq"),
            ("--method dliq --zero", "--zero has no effect with --method dliq, but with mip2q"),
            ("--method mip2q --shift 3", "--shift has no effect with --method mip2q, but with dliq"),
        ] {
            assert!(text(line).unwrap_err().starts_with(expected), "{line}");
        }
    }

    #[test]
    fn a_method_gets_the_options_that_it_has() {
        let line = "x --p 0.25 --w 8 --q 3 --L 5 --zero --shift 2 --select activation --correct bias --depthwise --min-channels 3";
        let all = Line::try_parse_from(line.split_whitespace()).unwrap().options.packing;
        let count = SCHEMA.parameters().count() + 2;
        assert_eq!(all.given().count(), count);
        let mut used = std::collections::BTreeSet::new();
        for &method in Kind::ALL {
            let packing = all.of(method);
            for (flag, methods) in all.given() {
                let kept = packing.given().any(|(other, _)| other == flag);
                assert_eq!(kept, methods.contains(&method), "{flag} {method:?}");
                used.extend(kept.then_some(flag));
            }
            let options = CompileOptions { method: Some(method), packing, ..CompileOptions::default() };
            assert!(options.pipeline().is_ok());
        }
        assert_eq!(used.len(), count);
    }

    #[test]
    fn parameters_that_do_not_go_together_are_wrong_usage() {
        assert!(text("--method mip2q --zero").unwrap_err().contains("no spare code"));
        assert!(text("--method mip2q --p 0.3").unwrap_err().contains("expected a whole number"));
        assert!(text("--method dliq --q 6 --shift 3").unwrap_err().contains("shift must be in 0..=2"));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for line in ["--p 1.5", "--p nan", "--w x", "--shift 8", "--shift row", "--method int4", "--L 300"] {
            assert!(text(line).is_err(), "{line}");
        }
    }

    #[test]
    fn machine_files_that_a_pipeline_cannot_hold_are_refused() {
        for path in ["a b.toml", "a}.toml", "a'.toml", "a\".toml"] {
            let options = CompileOptions { machine: Some(path.into()), ..CompileOptions::default() };
            assert!(options.pipeline().unwrap_err().message.contains("since a pipeline holds it"));
        }
    }

    #[test]
    fn given_options_are_named() {
        let line = Line::try_parse_from(["x", "--method", "dliq", "--q", "3", "--machine", "m"]).unwrap();
        assert_eq!(line.options.given(), ["--method", "--q"]);
    }
}
