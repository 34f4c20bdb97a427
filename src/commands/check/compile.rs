//! Compiles a network as far as it goes. Invariant: what an operator is refused for is data, not output.

use dpu_isa::Program;
use strum_float::quantize::Recipe;
use strum_ir::{Captured, Context, Module, Operation, PassError, PrintOptions};
use strum_passes::common::network::Network;
use strum_passes::float::tosa_quantize::quantize_function;

use super::operators::{self, Operator, Row};
use crate::driver::backend;
use crate::driver::cli::Progress;
use crate::driver::diagnostics::Origin;
use crate::driver::exit::{Failure, Kind};
use crate::driver::files::Input;
use crate::driver::import;
use crate::driver::network;
use crate::driver::options::CompileOptions;
use crate::driver::plan::Plan;

/// The result of an attempt.
pub(super) struct Outcome {
    /// What becomes of the operators.
    pub(super) rows: Vec<Row>,
    /// The program, if every operator is supported.
    pub(super) program: Option<Program>,
    /// Whether the network computes real numbers.
    pub(super) float: bool,
}

/// Compiles the network.
pub(super) fn outcome(
    input: &Input,
    options: &CompileOptions,
    quiet: bool,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    let plan = Plan::new(options)?.quiet(quiet);
    let context = backend::context();
    progress.step("parse");
    let (module, operators) = if let Some(door) = strum_doors::sniff(&input.bytes) {
        let network = match progress.pause(|| import::attempt(input, door, &options.source, quiet))? {
            Ok(network) => network,
            // What is not supported is the answer.
            Err(refusal) if import::kind_of(&refusal) == Kind::Unsupported => {
                return Ok(Outcome { rows: operators::of_refusal(&refusal), program: None, float: false });
            }
            Err(refusal) => return Err(progress.pause(|| import::refused(&refusal, &input.name))),
        };
        let module = import::written(context, &network, &input.name)?;
        (module, operators::of_record(&network.record, &[]))
    } else {
        progress.pause(|| of_mlir(context, &mut input.clone(), options, quiet))?
    };
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let float = network::check_integer(function, &input.name).is_err();
    if float {
        progress.step("quantize");
        let (quantized, diagnostics) = context.handle().capture(|| quantize(function));
        match quantized {
            Ok(()) => {}
            Err(PassError::Reported) => {
                return Ok(Outcome {
                    rows: operators::refused(&operators, &diagnostics),
                    program: None,
                    float,
                });
            }
            Err(PassError::Internal(text)) => return Err(Failure::internal(text)),
        }
    }
    let errors = network::check_sizes(context, &module, &plan.machine, input.bytes.len());
    if !errors.is_empty() {
        return Err(progress.pause(|| Origin::new(&input.name, &[]).failure(&errors)));
    }
    compile(context, module, &plan, (input, &operators, float), progress)
}

/// A module in MLIR with its operators. Bytecode without locations is printed and read again, so that its operators have some.
fn of_mlir<'c>(
    context: &'c Context,
    input: &mut Input,
    options: &CompileOptions,
    quiet: bool,
) -> Result<(Module<'c>, Vec<Operator>), Failure> {
    let (module, peeled) = network::read_peeled(context, input, &options.source, quiet)?;
    let function = network::choose_function(&module).map_err(|failure| failure.in_file(&input.name))?;
    let peeled = operators::folded(&peeled);
    let operators = operators::of_function(function);
    if operators::are_located(&operators) {
        return Ok((module, [peeled, operators].concat()));
    }
    let text = module.op().print(&PrintOptions { locations: false, ..PrintOptions::default() });
    drop(module);
    let module = Module::parse(context, text.as_bytes(), &input.name).map_err(Failure::internal)?;
    let operators = network::main(&module).map(operators::of_function)?;
    Ok((module, [peeled, operators].concat()))
}

/// Makes an integer network of a float one, on random samples: which operator goes where does not depend on ranges.
fn quantize(function: Operation<'_>) -> Result<(), PassError> {
    let network = Network::read(function)?;
    quantize_function(function, &network, &Recipe::default(), None, |_| {})?;
    Ok(())
}

fn compile(
    context: &Context,
    mut module: Module<'_>,
    plan: &Plan,
    (input, operators, float): (&Input, &[Operator], bool),
    progress: &Progress,
) -> Result<Outcome, Failure> {
    for stage in &plan.stages {
        progress.step(stage.name);
        let (result, diagnostics) = context.handle().capture(|| module.run_passes(&stage.passes));
        let Err(error) = result else { continue };
        if unsupported(&diagnostics) {
            return Ok(Outcome { rows: operators::refused(operators, &diagnostics), program: None, float });
        }
        return Err(match error {
            strum_ir::Error::Reported => {
                progress.pause(|| Origin::new(&input.name, &[]).failure(&diagnostics))
            }
            error => Failure::internal(error),
        });
    }
    let program = backend::export(context, &module, Origin::new(&input.name, &[]))?;
    Ok(Outcome { rows: operators::placed(operators, &program), program: Some(program), float })
}

/// Whether the first error is a limit of this project.
fn unsupported(diagnostics: &[Captured]) -> bool {
    let first = diagnostics.iter().find(|d| d.severity == strum_ir::Severity::Error);
    first.is_some_and(|error| crate::driver::diagnostics::kind(&error.message) == Kind::Unsupported)
}
