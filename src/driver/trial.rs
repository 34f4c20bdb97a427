//! One network, compiled again and again with different weights.
//!
//! The stages up to `strum-pack` are run once; every compilation goes on from there in a context of its own, so that
//! several can run side by side and each is gone when it is done. Invariant: the program is the one that `strumc compile`
//! makes with the same options, byte for byte.

use std::io::Write as _;
use std::path::Path;

use dpu_isa::Program;
use strum_ir::{Context, Module, Operation};
use strum_passes::strum_pack::{PackableLayer, Packing, packable, stored};

use super::backend::{self, Stage};
use super::compile::Plan;
use super::diagnostics::Origin;
use super::eval::Codes;
use super::exit::Failure;
use super::files::Input;
use super::network;
use super::options::{self, CompileOptions};
use super::progress::Progress;

/// The stage that stores weights, and the first that is run anew.
const PACKED: &str = "packed";

/// A network before its weights are packed.
pub(super) struct Trials {
    input: Input,
    machine_spec: String,
    bytecode: Vec<u8>,
    /// The function's name.
    pub(super) function: String,
    /// What the codes of inputs and outputs mean, as far as the network says so.
    pub(super) codes: Codes,
    /// The layers whose weights can be packed, in order.
    pub(super) layers: Vec<PackableLayer>,
}

/// What became of one compilation.
pub(super) struct Trial {
    /// The program.
    pub(super) program: Program,
    /// How far stored weights are from the INT8 codes, for every layer of [`Trials::layers`].
    pub(super) weights: Vec<WeightError>,
}

/// Sums of squares over the weights of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct WeightError {
    /// Of the INT8 codes.
    pub(super) signal: f64,
    /// Of the differences from them.
    pub(super) noise: f64,
}

impl WeightError {
    fn of(codes: &[i8], stored: &[i8]) -> Self {
        let square = |x: i32| f64::from(x) * f64::from(x);
        let pairs = codes.iter().zip(stored);
        WeightError {
            signal: codes.iter().map(|&c| square(c.into())).sum(),
            noise: pairs.map(|(&a, &b)| square(i32::from(a) - i32::from(b))).sum(),
        }
    }
}

impl std::iter::Sum for WeightError {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(WeightError::default(), |a, b| WeightError {
            signal: a.signal + b.signal,
            noise: a.noise + b.noise,
        })
    }
}

/// How weights are to be stored.
pub(super) enum How<'a> {
    /// As these options of `strum-pack` say: `method=mip2q p=0.75`.
    Options(&'a str),
    /// As this file says, all other layers dense.
    File(&'a Path),
    /// The same, for a file that is not there.
    Packing(&'a Packing),
}

/// The function of a module, after [`network::choose_function`].
fn function<'c>(module: &Module<'c>) -> Result<Operation<'c>, Failure> {
    let mut ops = module.body().operations().into_iter();
    ops.find(|op| op.is("func.func") && op.body().is_some())
        .ok_or_else(|| Failure::input("the module holds no function with a body"))
}

impl Trials {
    /// Reads a network and runs the stages that do not depend on how weights are stored.
    pub(super) fn prepare(
        input: Input,
        machine: Option<&Path>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        if input.bytes.starts_with(b"\x7fELF") {
            let help = "the network is compiled once for every configuration: give its integer TOSA";
            return Err(Failure::input("a compiled program").in_file(&input.name).with_help(help));
        }
        let options = CompileOptions { machine: machine.map(Path::to_owned), ..CompileOptions::default() };
        let plan = Plan::new(&options)?;
        let machine_spec = options.machine_option(backend::DEFAULT_MACHINE)?;
        let context = backend::context();
        progress.step("parse");
        let text = input.clone();
        let origin = Origin::new(&text.name, &text.bytes);
        let mut parsed = input.clone();
        let mut module = progress.pause(|| network::parse(context, &mut parsed))?;
        network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
        let errors = network::check_sizes(context, &module, &plan.machine);
        if !errors.is_empty() {
            return Err(progress.pause(|| origin.failure(&errors)));
        }
        let codes = Codes::of(function(&module)?);
        for stage in plan.stages.iter().take_while(|stage| stage.name != PACKED) {
            progress.step(stage.name);
            let (result, diagnostics) = context.handle().capture(|| module.run(&stage.passes));
            progress.pause(|| judge(result, &diagnostics, origin, false))?;
        }
        let body = function(&module)?;
        let (layers, name) = (packable(body), body.symbol().unwrap_or("main").to_owned());
        let bytecode = module.op().bytecode();
        module.destroy_with_constants();
        Ok(Trials { input, machine_spec, bytecode, function: name, codes, layers })
    }

    /// Compiles once; remarks are told unless `quiet`.
    pub(super) fn compile(&self, how: &How<'_>, quiet: bool) -> Result<Trial, Failure> {
        let file;
        let options = match how {
            How::Options(text) => (*text).to_owned(),
            How::File(path) => format!("method=dense packing={}", options::packing_path(path)?),
            How::Packing(packing) => {
                file = temporary(packing)?;
                format!("method=dense packing={}", options::packing_path(file.path())?)
            }
        };
        let stages = backend::stages(&format!("machine={} {options}", self.machine_spec))?;
        let context = Context::new();
        let trial = self.compile_in(&context, &stages, quiet);
        if trial.is_err() {
            // After a fault nothing of MLIR's is torn down.
            std::mem::forget(context);
        }
        trial
    }

    fn compile_in(&self, context: &Context, stages: &[Stage], quiet: bool) -> Result<Trial, Failure> {
        let origin = Origin::new(&self.input.name, &self.input.bytes);
        let (parsed, diagnostics) =
            context.handle().capture(|| Module::parse(context, &self.bytecode, &self.input.name));
        let mut module = parsed.map_err(|_| origin.failure(&diagnostics))?;
        let mut weights = Vec::new();
        for stage in stages.iter().skip_while(|stage| stage.name != PACKED) {
            let (result, diagnostics) = context.handle().capture(|| module.run(&stage.passes));
            judge(result, &diagnostics, origin, quiet)?;
            if stage.name == PACKED {
                let stored = stored(function(&module)?).map_err(Failure::internal)?;
                let of = |layer: &PackableLayer| {
                    stored.get(&layer.name).map(|stored| WeightError::of(&layer.codes, stored))
                };
                weights = self.layers.iter().map(|layer| of(layer).unwrap_or_default()).collect();
            }
            module.release_unused_constants();
        }
        let program = backend::export(context, &module, origin)?;
        module.destroy_with_constants();
        Ok(Trial { program, weights })
    }
}

fn judge(
    result: Result<(), strum_ir::Error>,
    diagnostics: &[strum_ir::Captured],
    origin: Origin<'_>,
    quiet: bool,
) -> Result<(), Failure> {
    match result {
        Ok(()) => {
            origin.tell(diagnostics, quiet);
            Ok(())
        }
        Err(strum_ir::Error::Reported) => Err(origin.failure(diagnostics)),
        Err(error) => Err(Failure::internal(error)),
    }
}

/// A packing file that is gone when it is dropped.
fn temporary(packing: &Packing) -> Result<tempfile::NamedTempFile, Failure> {
    let text = packing.to_json().map_err(Failure::internal)?;
    let written = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        Ok(file)
    });
    written.map_err(|error| Failure::input(error).in_file("a temporary file"))
}
