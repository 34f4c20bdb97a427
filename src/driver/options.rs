//! The options of a compilation, and the options of `strum-pipeline` that they become.
//!
//! Invariant: an option that would have no effect is refused, so that no precision is asked for and then not used.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::compile;
use super::exit::Failure;
use super::files::Places;

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    /// plain INT8: nothing is lost
    #[default]
    Dense,
    /// low members are zero
    Sparse,
    /// low members are short integers, shifted
    Dliq,
    /// low members are signed powers of two
    Mip2q,
}

impl Method {
    /// The name on the command line and in a pipeline.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Method::Dense => "dense",
            Method::Sparse => "sparse",
            Method::Dliq => "dliq",
            Method::Mip2q => "mip2q",
        }
    }
}

/// Which members of a block become low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Select {
    /// those that lose least
    Error,
    /// the smallest
    Magnitude,
    /// those that lose least, weighted by what calibration saw of their input channel
    Activation,
}

/// What is corrected after selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Correct {
    /// nothing
    None,
    /// the bias, so that the mean of a sum stays
    Bias,
    /// the scale of each output channel, by least squares
    Scale,
    /// bias and scale
    Both,
}

/// Shift of the low codes of `dliq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Layer,
    Channel,
    Fixed(u8),
}

impl Shift {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "layer" => Ok(Shift::Layer),
            "channel" => Ok(Shift::Channel),
            number => match number.parse() {
                Ok(shift @ 0..=7) => Ok(Shift::Fixed(shift)),
                _ => Err("expected layer, channel or a number from 0 to 7".into()),
            },
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|p| (0.0..=1.0).contains(p))
        .ok_or_else(|| "expected a number from 0 to 1".into())
}

/// How packed weights are stored.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Weights")]
pub(super) struct PackingOptions {
    /// Share of low members in a block [default: 0.5].
    #[arg(long, value_name = "SHARE", value_parser = share)]
    p: Option<f64>,

    /// Members of a block: 4, 8, 16 or 32 [default: 16].
    #[arg(long, value_name = "N")]
    w: Option<u8>,

    /// dliq: bits of a low code, 1 to 8 [default: 4].
    #[arg(long, value_name = "BITS")]
    q: Option<u8>,

    /// mip2q: largest exponent, 0 to 7 [default: 7].
    #[arg(long = "L", value_name = "N")]
    l: Option<u8>,

    /// mip2q: a spare code means 0.
    #[arg(long)]
    zero: bool,

    /// dliq: shift of the low codes: layer, channel or a number [default: layer].
    #[arg(long, value_name = "SHIFT", value_parser = Shift::parse)]
    shift: Option<Shift>,

    /// Which members become low [default: error].
    #[arg(long, value_enum, value_name = "HOW")]
    select: Option<Select>,

    /// What is corrected by calibration once low members are chosen [default: none].
    #[arg(long, value_enum, value_name = "WHAT")]
    correct: Option<Correct>,

    /// Pack depthwise layers as well.
    #[arg(long)]
    depthwise: bool,
}

/// What plans are to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Objective {
    /// few cycles
    Latency,
    /// little energy
    Energy,
    /// a small product of energy and cycles
    Edp,
    /// little DRAM traffic
    Bytes,
}

impl Objective {
    /// The name in a pipeline.
    const fn name(self) -> &'static str {
        match self {
            Objective::Latency => "latency",
            Objective::Energy => "energy",
            Objective::Edp => "edp",
            Objective::Bytes => "bytes",
        }
    }
}

/// What the planner follows and what it tells.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Plan")]
pub(super) struct PlanOptions {
    /// What tiles and schedules are to be good at [default: latency].
    #[arg(long, value_enum, value_name = "WHAT")]
    objective: Option<Objective>,

    /// Follow the decisions in this file; what it leaves out is searched (docs/strategy.md).
    #[arg(long, value_name = "S.json")]
    read_strategy: Option<PathBuf>,

    /// Write all decisions to this file: tiles, schedules, what stays in SRAM, loads ahead of time.
    #[arg(long, value_name = "S.json")]
    write_strategy: Option<PathBuf>,
}

impl PlanOptions {
    /// The flags that were given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let objective = self.objective.map(|_| "--objective");
        objective.into_iter().chain(self.files().map(|(flag, _, _)| flag))
    }

    /// The files that were given: flag, option of the pipeline, path.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'static str, &PathBuf)> {
        let list = [
            ("--read-strategy", "read-strategy", &self.read_strategy),
            ("--write-strategy", "write-strategy", &self.write_strategy),
        ];
        list.into_iter().filter_map(|(flag, option, path)| Some((flag, option, path.as_ref()?)))
    }
}

/// The text of a path that a pipeline holds.
///
/// # Errors
/// Characters that mean something in a pipeline.
fn pipeline_path<'p>(flag: &str, what: &str, path: &'p Path) -> Result<&'p str, Failure> {
    let safe = |c: char| c.is_alphanumeric() || SAFE.contains(c);
    path.to_str().filter(|text| !text.is_empty() && text.chars().all(safe)).ok_or_else(|| {
        Failure::usage(format_args!(
            "{flag} '{}': the name of a {what} file has letters, digits and {SAFE}, since a pipeline holds it",
            path.display()
        ))
    })
}

/// The text of the path of a packing file that a pipeline holds.
pub(super) fn packing_path(path: &Path) -> Result<&str, Failure> {
    pipeline_path("--packing", "packing", path)
}

/// Whether a machine is named by its file.
pub(super) fn is_machine_file(spec: &Path) -> bool {
    spec.extension().is_some_and(|extension| extension == "toml")
}

/// Options of a compilation.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Weights")]
pub(super) struct CompileOptions {
    /// How weights are stored [default: dense].
    #[arg(long, value_enum, value_name = "METHOD")]
    pub(super) method: Option<Method>,

    #[command(flatten)]
    pub(super) packing: PackingOptions,

    /// Store the weights of layers as this file says, those of the others as the options say (docs/packing.md).
    #[arg(long = "packing", value_name = "P.json")]
    pub(super) packing_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) plan: PlanOptions,

    /// The machine: a built-in one by name, or a machine file [default: flexnn-16x16].
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Machine")]
    pub(super) machine: Option<PathBuf>,

    /// Keep the IR after every stage, the binary and its assembly in this folder.
    #[arg(long, value_name = "DIR", help_heading = "Inspection")]
    pub(super) save_temps: Option<PathBuf>,

    /// Print the pipeline that the options stand for, for strum-opt --pass-pipeline, and stop.
    #[arg(long, help_heading = "Inspection")]
    pub(super) print_pipeline: bool,
}

/// How a machine is named in a pipeline.
const SAFE: &str = "-_./+@%,:=~";

impl PackingOptions {
    /// The options that were given: flag, methods that they are for, option of the pipeline.
    pub(super) fn given(&self) -> Vec<(&'static str, &'static [Method], String)> {
        use Method::{Dliq, Mip2q, Sparse};
        const ALL: &[Method] = &[Sparse, Dliq, Mip2q];
        let shift = |shift| match shift {
            Shift::Layer => "shift=layer".to_owned(),
            Shift::Channel => "shift=channel".to_owned(),
            Shift::Fixed(n) => format!("shift={n}"),
        };
        let select = |select| match select {
            Select::Error => "select=error".to_owned(),
            Select::Magnitude => "select=magnitude".to_owned(),
            Select::Activation => "select=activation".to_owned(),
        };
        let correct = |correct| match correct {
            Correct::None => "correct=none".to_owned(),
            Correct::Bias => "correct=bias".to_owned(),
            Correct::Scale => "correct=scale".to_owned(),
            Correct::Both => "correct=both".to_owned(),
        };
        let list = [
            ("--p", ALL, self.p.map(|p| format!("p={p}"))),
            ("--w", ALL, self.w.map(|w| format!("w={w}"))),
            ("--q", &[Dliq], self.q.map(|q| format!("q={q}"))),
            ("--L", &[Mip2q], self.l.map(|l| format!("L={l}"))),
            ("--zero", &[Mip2q], self.zero.then(|| "zero=true".to_owned())),
            ("--shift", &[Dliq], self.shift.map(shift)),
            ("--select", ALL, self.select.map(select)),
            ("--correct", ALL, self.correct.map(correct)),
            ("--depthwise", ALL, self.depthwise.then(|| "depthwise=true".to_owned())),
        ];
        list.into_iter().filter_map(|(flag, methods, text)| Some((flag, methods, text?))).collect()
    }

    /// The options that have an effect with this method.
    pub(super) fn of(&self, method: Method) -> PackingOptions {
        let packed = method != Method::Dense;
        PackingOptions {
            p: self.p.filter(|_| packed),
            w: self.w.filter(|_| packed),
            q: self.q.filter(|_| method == Method::Dliq),
            l: self.l.filter(|_| method == Method::Mip2q),
            zero: self.zero && method == Method::Mip2q,
            shift: self.shift.filter(|_| method == Method::Dliq),
            select: self.select.filter(|_| packed),
            correct: self.correct.filter(|_| packed),
            depthwise: self.depthwise && packed,
        }
    }
}

impl CompileOptions {
    /// The options that were given, other than the machine, which means something for a compiled program as well.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let list = [
            ("--method", self.method.is_some()),
            ("--packing", self.packing_file.is_some()),
            ("--save-temps", self.save_temps.is_some()),
            ("--print-pipeline", self.print_pipeline),
        ];
        let given = list.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        let given = given.chain(self.packing.given().into_iter().map(|(name, _, _)| name));
        given.chain(self.plan.given()).collect()
    }

    /// Adds the files that a compilation reads and writes.
    pub(super) fn places(&self, places: Places) -> Result<Places, Failure> {
        let temps = self.save_temps.as_deref().map(compile::temporaries).transpose()?;
        Ok(places
            .reads("--machine", self.machine.iter().filter(|spec| is_machine_file(spec)))
            .reads("--packing", &self.packing_file)
            .reads("--read-strategy", &self.plan.read_strategy)
            .writes_files("--write-strategy", &self.plan.write_strategy)
            .keeps("--save-temps", temps.into_iter().flatten()))
    }

    /// The options of `strum-pipeline` that say the same: `machine=flexnn-16x16 method=mip2q p=0.5`.
    ///
    /// # Errors
    /// An option that has no effect with the method, or a path that a pipeline cannot hold.
    pub(super) fn pipeline_options(&self, default_machine: &str) -> Result<String, Failure> {
        let method = self.method.unwrap_or_default();
        let mut text = format!("machine={} method={}", self.machine_option(default_machine)?, method.name());
        for (flag, methods, option) in self.packing.given() {
            if !methods.contains(&method) {
                let (name, list) = (method.name(), methods.iter().map(|m| m.name()).collect::<Vec<_>>());
                let message =
                    format!("{flag} has no effect with --method {name}, but with {}", list.join(", "));
                return Err(Failure::usage(message));
            }
            text.push(' ');
            text.push_str(&option);
        }
        if let Some(path) = &self.packing_file {
            text.push_str(&format!(" packing={}", packing_path(path)?));
        }
        if let Some(objective) = self.plan.objective {
            text.push_str(&format!(" objective={}", objective.name()));
        }
        for (flag, option, path) in self.plan.files() {
            if path.as_os_str() == "-" {
                return Err(Failure::usage(format_args!("{flag}: a strategy needs a file")));
            }
            text.push_str(&format!(" {option}={}", pipeline_path(flag, "strategy", path)?));
        }
        Ok(text)
    }

    /// How the machine is named in a pipeline.
    pub(super) fn machine_option(&self, default: &str) -> Result<String, Failure> {
        let Some(path) = &self.machine else { return Ok(default.to_owned()) };
        pipeline_path("--machine", "machine", path).map(str::to_owned)
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
        line.options.pipeline_options("flexnn-16x16").map_err(|e| e.message)
    }

    #[test]
    fn dense_is_the_default() {
        assert_eq!(text(""), Ok("machine=flexnn-16x16 method=dense".into()));
    }

    #[test]
    fn every_option_arrives() {
        assert_eq!(
            text(
                "--method mip2q --p 0.25 --w 8 --L 6 --zero --select magnitude --correct both --depthwise --machine a/m.toml"
            ),
            Ok("machine=a/m.toml method=mip2q p=0.25 w=8 L=6 zero=true select=magnitude correct=both depthwise=true"
                .into())
        );
        assert_eq!(
            text("--method dliq --q 3 --shift channel"),
            Ok("machine=flexnn-16x16 method=dliq q=3 shift=channel".into())
        );
        assert!(text("--method dliq --shift 5").unwrap().ends_with(" shift=5"));
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
        let line =
            "x --p 0.25 --w 8 --q 3 --L 6 --zero --shift 2 --select activation --correct bias --depthwise";
        let all = Line::try_parse_from(line.split_whitespace()).unwrap().options.packing;
        assert_eq!(all.given().len(), 9);
        let mut used = std::collections::BTreeSet::new();
        for &method in Method::value_variants() {
            let packing = all.of(method);
            for (flag, methods, _) in all.given() {
                let kept = packing.given().iter().any(|(other, _, _)| *other == flag);
                assert_eq!(kept, methods.contains(&method), "{flag} {method:?}");
                used.extend(kept.then_some(flag));
            }
            let options = CompileOptions { method: Some(method), packing, ..CompileOptions::default() };
            assert!(options.pipeline_options("x").is_ok());
        }
        assert_eq!(used.len(), 9);
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
            assert!(options.pipeline_options("x").unwrap_err().message.contains("since a pipeline holds it"));
        }
    }

    #[test]
    fn given_options_are_named() {
        let line = Line::try_parse_from(["x", "--method", "dliq", "--q", "3", "--machine", "m"]).unwrap();
        assert_eq!(line.options.given(), ["--method", "--q"]);
    }
}
