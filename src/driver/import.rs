//! Networks in other formats than MLIR, and what the file of a network leaves open.
//!
//! Invariant: an option that does not apply to a file is refused; a refused file has one message for each kind of cause.

use std::path::Path;

use clap::Args;
use strum_cli::say;
use strum_doors::{Cause, CauseKind, Door, Refusal};
use strum_files::budget;
use strum_ir::{Context, Module, Operation};
use strum_passes::common::network::write::doors::{self, Refused};
use strum_passes::tosa::peel_quantize;
use strum_passes::tosa::specialize_shapes::{self, InputShape, Request};

use super::diagnostics::Origin;
use super::exit::{Failure, Kind, out_of_memory};
use super::files::Input;

/// What the file of a network leaves open, and what of it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Number of images that the network takes at a time, if its file leaves it open [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    pub(crate) batch: Option<u64>,

    /// Shape of an input whose extents the file leaves open, such as 1x224x224x3. Repeatable.
    #[arg(long, value_name = "[NAME=]AxBxC", value_parser = InputShape::parse)]
    pub(crate) input_shape: Vec<InputShape>,

    /// TFLite, ONNX: end the network at this tensor, and leave to the host what is computed from it. Repeatable.
    #[arg(long, value_name = "TENSOR")]
    pub(crate) cut: Vec<String>,

    /// TFLite: the signature or subgraph to take [default: the first].
    #[arg(long, value_name = "NAME")]
    pub(crate) subgraph: Option<String>,
}

impl NetworkOptions {
    /// The given options.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let list = [
            ("--batch", self.batch.is_some()),
            ("--input-shape", !self.input_shape.is_empty()),
            ("--cut", !self.cut.is_empty()),
            ("--subgraph", self.subgraph.is_some()),
        ];
        list.into_iter().filter(|(_, given)| *given).map(|(name, _)| name)
    }

    /// The options of an import.
    pub(crate) fn doors(&self, input: &Input) -> strum_doors::Options {
        let shape = |InputShape { input, shape }: &InputShape| strum_doors::InputShape {
            input: input.clone(),
            shape: shape.iter().map(|&d| usize::try_from(d).unwrap_or(usize::MAX)).collect(),
        };
        strum_doors::Options {
            batch: self.batch.map(|batch| usize::try_from(batch).unwrap_or(usize::MAX)),
            input_shapes: self.input_shape.iter().map(shape).collect(),
            cut: self.cut.clone(),
            subgraph: self.subgraph.clone(),
            folder: Path::new(&input.name).parent().map(Path::to_owned),
        }
    }

    /// Refuses options of other formats for a network in MLIR.
    pub(crate) fn check_mlir(&self, name: &str) -> Result<(), Failure> {
        match self.given().find(|flag| matches!(*flag, "--cut" | "--subgraph")) {
            Some(flag) => Err(Failure::usage(format_args!("{flag} has no effect: '{name}' is MLIR"))),
            None => Ok(()),
        }
    }
}

/// Reads a TFLite or ONNX file, and prints what was decided unless `quiet`. A refusal is not printed.
pub(crate) fn attempt(
    input: &Input,
    door: Door,
    options: &NetworkOptions,
    quiet: bool,
) -> Result<Result<strum_doors::Network, Refusal>, Failure> {
    // Constants in single precision and in another layout, besides the file.
    budget::check("to read the network", (input.bytes.len() as u64).saturating_mul(4))
        .map_err(|over| out_of_memory(&over).in_file(&input.name))?;
    tracing::debug!(format = door.name(), bytes = input.bytes.len(), "import");
    let network = strum_doors::import(&input.bytes, &options.doors(input));
    if let (Ok(network), false) = (&network, quiet) {
        network.notes.iter().for_each(|note| say_once(&input.name, note));
    }
    Ok(network)
}

/// Reads a TFLite or ONNX file, and prints what was decided unless `quiet`.
pub(crate) fn graph(
    input: &Input,
    door: Door,
    options: &NetworkOptions,
    quiet: bool,
) -> Result<strum_doors::Network, Failure> {
    attempt(input, door, options, quiet)?.map_err(|refusal| refused(&refusal, &input.name))
}

/// Reads a TFLite or ONNX file as a module.
pub(crate) fn module<'c>(
    context: &'c Context,
    input: &Input,
    door: Door,
    options: &NetworkOptions,
    quiet: bool,
) -> Result<Module<'c>, Failure> {
    written(context, &graph(input, door, options, quiet)?, &input.name)
}

/// The module of a TFLite or ONNX file that was read.
pub(crate) fn written<'c>(
    context: &'c Context,
    network: &strum_doors::Network,
    name: &str,
) -> Result<Module<'c>, Failure> {
    budget::check("the network as TOSA", doors::constant_bytes(&network.graph))
        .map_err(|over| out_of_memory(&over).in_file(name))?;
    doors::module(context, &network.graph).map_err(|error| match error {
        Refused::State(_) | Refused::Fraction(..) => Failure::new(Kind::Unsupported, error).in_file(name),
        Refused::Bug(_) => Failure::internal(error).in_file(name),
    })
}

/// The failure of a refused file, whose causes but the last are printed.
pub(crate) fn refused(refusal: &Refusal, name: &str) -> Failure {
    let kind = kind_of(refusal);
    let line = |cause: &Cause| {
        let failure = Failure::new(kind, cause).in_file(name);
        match &cause.help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    };
    match &refusal.causes[..] {
        [] => Failure::internal("a file is refused without a cause").in_file(name),
        [only] => line(only),
        several => {
            several.iter().for_each(|cause| say(format_args!("error: {}", line(cause).message)));
            Failure::told(kind)
        }
    }
}

/// The kind of the first cause.
pub(crate) fn kind_of(refusal: &Refusal) -> Kind {
    refusal.causes.first().map_or(Kind::Internal, |cause| kind(cause.kind))
}

fn kind(kind: CauseKind) -> Kind {
    match kind {
        CauseKind::Invalid => Kind::Input,
        CauseKind::Unsupported => Kind::Unsupported,
        CauseKind::Usage => Kind::Usage,
        CauseKind::Limit => Kind::Resource,
    }
}

/// Removes float conversions around an integer network in MLIR; returns the names of their operators.
pub(crate) fn peel(
    context: &Context,
    function: Operation<'_>,
    origin: Origin<'_>,
) -> Result<Vec<String>, Failure> {
    let (result, diagnostics) = context.handle().capture(|| peel_quantize::peel(function));
    match result {
        Ok(names) => Ok(names.into_iter().map(str::to_owned).collect()),
        Err(strum_ir::PassError::Reported) => Err(origin.failure(&diagnostics)),
        Err(strum_ir::PassError::Internal(text)) => Err(Failure::internal(text)),
    }
}

/// Replaces the dynamic extents of a network in MLIR.
pub(crate) fn specialize(
    context: &Context,
    function: Operation<'_>,
    options: &NetworkOptions,
    origin: Origin<'_>,
    (name, quiet): (&str, bool),
) -> Result<(), Failure> {
    let asked = options.batch.is_some() || !options.input_shape.is_empty();
    if !asked && !specialize_shapes::is_dynamic(function) {
        return Ok(());
    }
    let request = Request { batch: options.batch, input_shapes: options.input_shape.clone() };
    let (result, diagnostics) = context.handle().capture(|| {
        let decided = specialize_shapes::specialize(function, &request)?;
        function.verify()?;
        Ok::<_, strum_ir::PassError>(decided)
    });
    match result {
        Ok(decided) => {
            if !quiet && !decided.single.is_empty() {
                say_once(
                    name,
                    &format!(
                        "unknown first extent of '{}' taken as 1 (--batch)",
                        decided.single.join("', '")
                    ),
                );
            }
            Ok(())
        }
        Err(strum_ir::PassError::Reported) => Err(origin.failure(&diagnostics)),
        Err(strum_ir::PassError::Internal(text)) => Err(Failure::internal(text)),
    }
}

/// A note on a file, which is compiled repeatedly by some commands.
fn say_once(name: &str, note: &str) {
    let text = format!("{name}: note: {note}");
    if super::diagnostics::is_new(&text) {
        say(text);
    }
}

#[cfg(test)]
mod tests {
    use strum_doors::tosa::{Builder, Elem, State};
    use strum_doors::{Network, Record};

    use super::*;

    #[test]
    fn a_state_that_is_not_the_same_everywhere_is_not_supported() {
        let mut build = Builder::default();
        let old = build.input("memory", &[2], Elem::I8, None).unwrap();
        let initial = build.ints(Elem::I8, &[2], &[1, 2]).unwrap();
        build.output("memory", old, None);
        build.graph_mut().states.push(State { input: 0, output: 0, initial: Some(initial) });
        let network = Network { graph: build.finish(), record: Record::default(), notes: Vec::new() };
        let failure = written(&Context::new(), &network, "n.tflite").map(|_| ()).unwrap_err();
        assert_eq!(failure.kind, Kind::Unsupported);
        assert!(failure.message.starts_with("n.tflite: the elements of state 'memory' differ"));
    }
}
