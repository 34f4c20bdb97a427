//! One network, compiled repeatedly with different weights.
//!
//! The stages up to `strum-pack` run once; every compilation continues from there in a context of its own, so that several can
//! run in parallel and each is freed when it is done. Invariant: the program equals the one that `strumc compile` makes with the
//! same options, byte for byte.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dpu_isa::Program;
use rayon::prelude::*;
use strum_cli::say;
use strum_formats::Kind;
use strum_ir::{Context, Module, Operation};
use strum_passes::common::{machine, meaning};
use strum_passes::pipeline::{self, Stage};
use strum_passes::strum::strum_pack::{
    LayerOptions, LayerPacking, PackableLayer, Packing, PackingSource, ProgramPacking, StrumPack, packable,
    stored,
};
use strum_quant::{Choice, Sqnr};

use super::backend;
use super::cli::Progress;
use super::codes::Codes;
use super::diagnostics::Origin;
use super::exit::Failure;
use super::files::Input;
use super::import::NetworkOptions;
use super::network;
use super::options::CompileOptions;
use super::plan::Plan;
use super::remarks::Remarks;

/// A network before its weights are packed.
pub(crate) struct Trials {
    input: Input,
    plan: Plan,
    bytecode: Vec<u8>,
    /// The function's name.
    pub(crate) function: String,
    /// The meaning of the codes of inputs and outputs, as far as the network records it.
    pub(crate) codes: Codes,
    /// The layers whose weights can be packed, in order.
    pub(crate) layers: Vec<PackableLayer>,
    /// Index and type of the network's outputs that are no states.
    pub(crate) outputs: Vec<(usize, String)>,
}

/// The result of one compilation.
pub(crate) struct Trial {
    /// The program.
    pub(crate) program: Program,
    /// The distance of stored weights from the INT8 codes, for every layer of [`Trials::layers`].
    pub(crate) weights: Vec<Sqnr>,
}

impl Trial {
    /// The distance of all stored weights from the INT8 codes.
    pub(crate) fn distance(&self) -> Sqnr {
        let mut total = Sqnr::default();
        self.weights.iter().for_each(|layer| total.merge(layer));
        total
    }
}

/// Packs layers as given, all others staying plain INT8.
pub(crate) fn as_packing(packing: Arc<Packing>) -> StrumPack {
    let layers = LayerOptions { packing: PackingSource::Value(packing), ..LayerOptions::default() };
    StrumPack { choice: Choice::new(Kind::Dense), layers }
}

/// The function of a module, after [`network::choose_function`].
pub(crate) fn function<'c>(module: &Module<'c>) -> Result<Operation<'c>, Failure> {
    let mut ops = module.body().operations().into_iter();
    ops.find(|op| op.is("func.func") && op.body().is_some())
        .ok_or_else(|| Failure::input("the module holds no function with a body"))
}

impl Trials {
    /// Reads a network and runs the stages that do not depend on the weight formats.
    pub(crate) fn prepare(
        input: Input,
        machine: Option<&Path>,
        (source, quiet): (&NetworkOptions, bool),
        progress: &Progress,
    ) -> Result<Self, Failure> {
        network::check_uncompiled(&input)?;
        let options = CompileOptions {
            machine: machine.map(Path::to_owned),
            source: source.clone(),
            ..CompileOptions::default()
        };
        let plan = Plan::new(&options)?.quiet(quiet);
        let context = backend::context();
        let origin = Origin::new(&input.name, &input.bytes);
        let mut module = plan.load(context, &mut input.clone(), progress)?;
        // Attributes of the function are for the host, and need not outlive the passes.
        let codes = Codes::of(function(&module)?);
        let outputs = function(&module)?.function_type().map(|(_, results)| results).unwrap_or_default();
        let states = function(&module)?.ints_attr(meaning::STATES).unwrap_or_default();
        let is_state = |index: usize| states.iter().any(|&state| usize::try_from(state) == Ok(index));
        let outputs = outputs.iter().map(ToString::to_string).enumerate();
        let outputs = outputs.filter(|(index, _)| !is_state(*index)).collect();
        for stage in plan.stages.iter().take_while(|stage| stage.name != pipeline::Options::PACKED) {
            progress.step(stage.name);
            let (result, diagnostics) = context.handle().capture(|| module.run_passes(&stage.passes));
            progress.pause(|| plan.judge(stage, result, &diagnostics, origin, Remarks::Counted))?;
        }
        let body = function(&module)?;
        let (layers, name) = (packable(body), body.symbol().unwrap_or("main").to_owned());
        let bytecode = module.op().bytecode();
        module.destroy_with_constants();
        Ok(Trials { input, plan, bytecode, function: name, codes, layers, outputs })
    }

    /// Warns of unused parts of the machine, for commands that print nothing on single compilations.
    pub(crate) fn warn(&self) {
        if let Some(warning) = machine::unused(&self.plan.machine) {
            say(format_args!("{}: warning: {warning}", self.input.name));
        }
    }

    /// The network before its weights are packed, as a module of another context.
    pub(crate) fn parse<'c>(&self, context: &'c Context) -> Result<Module<'c>, Failure> {
        let parse = || Module::parse(context, &self.bytecode, &self.input.name);
        let (parsed, diagnostics) = context.handle().capture(parse);
        parsed.map_err(|_| self.origin().failure(&diagnostics))
    }

    /// Runs passes on a module that was made of the network.
    pub(crate) fn run_stage(
        &self,
        stage: &Stage,
        context: &Context,
        module: &mut Module<'_>,
        remarks: Remarks,
    ) -> Result<(), Failure> {
        let (result, diagnostics) = context.handle().capture(|| module.run_passes(&stage.passes));
        self.plan.judge(stage, result, &diagnostics, self.origin(), remarks)
    }

    /// The program of a module that was made of the network, with plain INT8 weights.
    pub(crate) fn plain(&self, context: &Context, module: &mut Module<'_>) -> Result<Program, Failure> {
        for stage in self.plan.stages.iter().skip_while(|stage| stage.name != pipeline::Options::PACKED) {
            self.run_stage(stage, context, module, Remarks::Silent)?;
        }
        backend::export(context, module, self.origin())
    }

    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.input.name, &self.input.bytes)
    }

    /// Compiles once with weights packed by this pass, and prints remarks as requested.
    pub(crate) fn compile(&self, pack: StrumPack, remarks: Remarks) -> Result<Trial, Failure> {
        self.compile_edited(pack, remarks, &|_| Ok(()))
    }

    /// As [`compile`](Self::compile), after an edit of the module before its weights are packed.
    pub(crate) fn compile_edited(
        &self,
        pack: StrumPack,
        remarks: Remarks,
        edit: &dyn Fn(&Module<'_>) -> Result<(), Failure>,
    ) -> Result<Trial, Failure> {
        let options = pipeline::Options { pack, ..self.plan.options.clone() };
        let stages = options.stages();
        let context = Context::new();
        let trial = self.compile_in(&context, &stages, remarks, edit);
        if trial.is_err() {
            // After a fault nothing of MLIR's is torn down.
            std::mem::forget(context);
        }
        trial
    }

    /// The packing of the network's function, unnamed layers being plain INT8.
    pub(crate) fn packing(&self, layers: Vec<LayerPacking>) -> Packing {
        Packing::new(vec![ProgramPacking { name: self.function.clone(), layers }])
    }

    /// Compiles with one layer packed, all others plain INT8.
    pub(crate) fn alone(&self, layer: LayerPacking) -> Result<Trial, Failure> {
        self.compile(as_packing(self.packing(vec![layer]).into()), Remarks::Silent)
    }

    fn compile_in(
        &self,
        context: &Context,
        stages: &[Stage],
        remarks: Remarks,
        edit: &dyn Fn(&Module<'_>) -> Result<(), Failure>,
    ) -> Result<Trial, Failure> {
        let mut module = self.parse(context)?;
        edit(&module)?;
        let mut weights = Vec::new();
        for stage in stages.iter().skip_while(|stage| stage.name != pipeline::Options::PACKED) {
            self.run_stage(stage, context, &mut module, remarks)?;
            if stage.name == pipeline::Options::PACKED {
                let stored = stored(function(&module)?).map_err(Failure::internal)?;
                let of = |layer: &PackableLayer| {
                    let mut sqnr = Sqnr::default();
                    let stored = stored.get(&layer.name).map_or(&layer.codes[..], Vec::as_slice);
                    sqnr.add_codes(&layer.codes, stored).map(|()| sqnr)
                };
                weights = self.layers.iter().map(of).collect::<Result<_, _>>().map_err(Failure::internal)?;
            }
            module.release_unused_constants();
        }
        let program = backend::export(context, &module, self.origin())?;
        module.destroy_with_constants();
        Ok(Trial { program, weights })
    }
}

/// Processes every item on the given number of threads, with progress on the terminal; results are in order.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    progress: &Progress,
    body: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Failure::internal)?;
    let done = AtomicUsize::new(0);
    let one = |item: &T| {
        let result = body(item);
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress.step(format!("{count} of {}", items.len()));
        result
    };
    pool.install(|| items.par_iter().map(one).collect())
}
