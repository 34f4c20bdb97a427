//! From a network to a program: the stages of `strum-pipeline`, one by one, each of them inspectable.
//!
//! Invariant: the passes and their options are those of `strum-opt --strum-pipeline`, and nothing else touches the IR,
//! so the program is the same, byte for byte.

use std::path::PathBuf;

use dpu_isa::{Machine, Program};
use strum_ir::{Captured, Context, Module};
use strum_passes::pipeline::{self, Stage};
use tracing::info_span;

use super::advice::Before;
use super::backend;
use super::cli::Progress;
use super::diagnostics::Origin;
use super::exit::{Failure, Kind};
use super::files::Input;
use super::import::NetworkOptions;
use super::network;
use super::options::CompileOptions;
use super::remarks::{self, Remarks};
use super::temps::Temps;

/// The compilation that the options describe.
pub(crate) struct Plan {
    /// The options of the pipeline.
    pub(crate) options: pipeline::Options,
    /// The machine that is compiled for.
    pub(crate) machine: Machine,
    /// Its stages.
    pub(crate) stages: Vec<Stage>,
    temps: Option<PathBuf>,
    source: NetworkOptions,
    quiet: bool,
}

impl Plan {
    /// Interprets the options.
    pub(crate) fn new(options: &CompileOptions) -> Result<Self, Failure> {
        crate::register_all();
        let (temps, source) = (options.save_temps.clone(), options.source.clone());
        let options = options.pipeline()?;
        let machine = backend::resolve_machine(&options.target.machine)?;
        Ok(Plan { stages: options.stages(), options, machine, temps, source, quiet: false })
    }

    /// The same without notes on the network's file, if `quiet`.
    pub(crate) fn quiet(self, quiet: bool) -> Self {
        Plan { quiet, ..self }
    }

    /// The options of the network's file, and whether notes on it are left out.
    pub(crate) fn source(&self) -> (&NetworkOptions, bool) {
        (&self.source, self.quiet)
    }

    /// The same for another form of the network, to which these options of its file apply.
    pub(crate) fn reading(self, source: NetworkOptions) -> Self {
        Plan { source, ..self }
    }

    /// The pipeline with its options, as `strum-opt --pass-pipeline` takes it.
    pub(crate) fn pipeline(&self) -> String {
        let options = self.options.to_string();
        let options = if options.is_empty() { options } else { format!("{{{options}}}") };
        format!("builtin.module({}{options})", pipeline::NAME)
    }

    /// Compiles a network.
    pub(crate) fn compile(
        &self,
        mut input: Input,
        progress: &Progress,
        remarks: Remarks,
    ) -> Result<Program, Failure> {
        let temps = Temps::open(self.temps.as_deref())?;
        let context = backend::context();
        let mut module = self.load(context, &mut input, progress)?;
        let origin = Origin::new(&input.name, &input.bytes);
        temps.module("input", &module)?;
        for stage in &self.stages {
            progress.step(stage.name);
            let _span = info_span!("stage", name = stage.name).entered();
            let packed = stage.name == pipeline::Options::PACKED;
            let before = packed.then(|| Before::of(&module, &self.options.pack, remarks)).flatten();
            let (result, diagnostics) = context.handle().capture(|| module.run_passes(&stage.passes));
            progress.pause(|| self.judge(stage, result, &diagnostics, origin, remarks))?;
            if let Some(before) = before {
                progress.pause(|| before.compare(&module, remarks))?;
            }
            module.release_unused_constants();
            temps.module(stage.name, &module)?;
        }
        progress.step("emit");
        let program = progress.pause(|| backend::export(context, &module, origin))?;
        module.destroy_with_constants();
        temps.program(&program)?;
        Ok(program)
    }

    /// Parses a network and leaves the function to compile in the module. Bytecode is moved out of the input.
    pub(crate) fn load<'c>(
        &self,
        context: &'c Context,
        input: &mut Input,
        progress: &Progress,
    ) -> Result<Module<'c>, Failure> {
        progress.step("parse");
        let module = progress.pause(|| network::read(context, input, &self.source, self.quiet))?;
        let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
        network::check_integer(function, &input.name)?;
        let origin = Origin::new(&input.name, &input.bytes);
        progress.pause(|| network::check_edges(context, function, origin))?;
        let errors = network::check_sizes(context, &module, &self.machine, input.bytes.len());
        if !errors.is_empty() {
            return Err(progress.pause(|| origin.failure(&errors)));
        }
        Ok(module)
    }

    /// Prints MLIR's diagnostics of a stage, and returns the failure that they amount to.
    pub(crate) fn judge(
        &self,
        stage: &Stage,
        result: Result<(), strum_ir::Error>,
        diagnostics: &[Captured],
        origin: Origin<'_>,
        remarks: Remarks,
    ) -> Result<(), Failure> {
        let failure = match result {
            Ok(()) => {
                remarks::tell(diagnostics, origin, remarks);
                return Ok(());
            }
            Err(strum_ir::Error::Reported) => origin.failure(diagnostics),
            Err(error) => Failure::internal(error),
        };
        Err(if failure.kind == Kind::Internal { self.with_reproducer(stage, failure) } else { failure })
    }

    /// Prints how to reproduce a bug.
    fn with_reproducer(&self, stage: &Stage, failure: Failure) -> Failure {
        let message = match failure.message.is_empty() {
            true => format!("stage '{}' failed", stage.name),
            false => failure.message,
        };
        let failure = Failure::new(failure.kind, message);
        match &self.temps {
            Some(folder) => failure.with_help(format_args!(
                "reproduce it with strum-opt --pass-pipeline='builtin.module({})' on the last file in '{}'",
                stage.passes,
                folder.display()
            )),
            None => failure.with_help("--save-temps DIR keeps the IR from which it can be reproduced"),
        }
    }
}
