//! `strum-to-dpu`: lowers every function of the module to a `dpu.program`, a list of tasks on buffers.
//!
//! Invariant: the tasks, executed one after the other, compute what the function computes, bit for bit. Addresses and
//! barriers come later (`dpu-allocate`, `dpu-assign-barriers`) and change no result.

mod emit;
mod graph;
mod layers;
mod names;
mod options;
mod strategy;
mod tosa;
mod values;

use dpu_isa::Machine;
use dpu_isa::validate::MAX_IO;
use strum_ir::strum::{Conv, Eltwise, MatMul};
use strum_ir::{Block, Dialect, Location, Operation, Pass, PassContext, PassError, Value};
use strum_plan::prefetch::{self, Chosen};
use strum_plan::residency::{self, Graph, Residency};
use strum_plan::strategy::{ProgramStrategy, Strategy};
use strum_plan::{CopyLayer, Draft, Guide, PlanError, Tensor, plan_copy};
use tracing::debug;

use crate::Documented;
use crate::common::program::report;
use crate::common::verdict::{RESOURCE, USAGE};
use crate::common::{limits, machine};
use crate::tosa::tosa_to_strum::check;
use strategy::Told;
use values::{Values, is_alias};

pub(crate) use graph::is_layer;
pub use options::{PlanOptions, StrumToDpu};
pub use strum_plan::Objective;

impl Documented for StrumToDpu {
    const DOC: &'static str = "\
Every function becomes a `dpu.program` of the same name: its arguments and results become inputs and outputs in DRAM, its
constants become `dpu.constant`, and each op becomes a `dpu.layer` with the tasks that compute it. Tiles are chosen for
the machine: a layer of any size is cut along images, rows, columns and channels, and a reduction along its taps, until
double-buffered tiles fit the SRAM. Packed weights are cut into the tiles' weight sets, which stay packed. Everything runs on one of the
machine's `tiles`; a warning says so if it has more.

A tensor between layers stays in SRAM, where it is written and read in place, if it fits beside the tiles of all layers
until its last use; else it goes through DRAM. Those that save most traffic for the room they take come first, and an
element-wise layer writes over an operand that nobody reads later.

`objective` says which of the possible tiles and schedules is the best: that of least estimated cycles, energy, product of both,
or DRAM traffic. The estimates are those of the timing and energy rules that the simulator has.

Loads of weights and tables stand ahead of earlier layers' tasks where the SRAM has room for them and the whole, run in time
alone, takes fewer cycles. Reshapes cost nothing;
concat, slice, pad and transpose are DMA copies. Tasks are in an order in which they could be executed one after the other.

What `tosa-to-strum` does not take is an error here, too, and so is a tensor that is larger than the machine's DRAM.

Every decision can be written to a strategy file and read back, changed or not: what the file leaves out is searched as usual,
and what it says is followed, or refused at the op that it is about.
";
}

impl Pass for StrumToDpu {
    const ARGUMENT: &'static str = "strum-to-dpu";
    const DESCRIPTION: &'static str =
        "Tile layers onto a machine: functions become programs of DPU tasks on buffers";
    const DIALECTS: &'static [Dialect] = &[Dialect::Dpu];

    fn run<'c>(&self, module: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        let PlanOptions { objective, read_strategy, write_strategy } = &self.plan;
        // What is wrong with an option or its file has no place in the module.
        let nowhere = Location::unknown(module.context());
        let spec = &self.target.machine;
        let machine = machine::resolve(spec).map_err(|error| match spec.ends_with(".toml") {
            true => nowhere.error(error),
            false => nowhere.error(format_args!("{USAGE}{error}")),
        })?;
        limits::check_dram(module, &machine)?;
        limits::check(module, 0)?;
        let functions: Vec<_> = module
            .body()
            .map(|b| b.operations())
            .unwrap_or_default()
            .into_iter()
            .filter(|op| op.is("func.func"))
            .collect();
        if functions.is_empty() {
            debug!("no function to lower");
            cx.mark_unchanged();
        } else if let Some(warning) = machine::unused(&machine) {
            module.location().warning(warning);
        }
        let strategy = match read_strategy {
            None => Strategy::new(&machine.name, Vec::new()),
            Some(path) => strategy::read(path, &machine).map_err(|e| nowhere.error(e))?,
        };
        strategy::check_programs(&strategy, module, &functions)?;
        for &function in &functions {
            check::function(function)?;
        }
        let (mut decided, mut constants) = (Vec::new(), emit::Constants::default());
        for function in functions {
            let lowered = Lowering::run(&machine, function, *objective, &strategy)?;
            emit::program(function, &machine, &self.provenance, &lowered, &mut constants)?;
            function.erase()?;
            decided.push(lowered.strategy);
        }
        match write_strategy {
            None => Ok(()),
            Some(path) => strategy::write(path, &Strategy::new(&machine.name, decided))
                .map_err(|e| nowhere.error(e).into()),
        }
    }
}

/// The part of the SRAM that is planned with, in eighths: less of it if buffers cannot be placed, and in the end nothing
/// stays there between layers.
const SRAM_EIGHTHS: [u64; 5] = [8, 7, 6, 4, 0];

/// What may stay in SRAM, most first; each differs from the one before, and the last is the least there can be.
fn residencies(graph: &Graph, machine: &Machine, pins: &[Option<bool>]) -> Result<Vec<Residency>, PassError> {
    let mut all: Vec<Residency> = Vec::new();
    for eighths in SRAM_EIGHTHS {
        let residency = residency::decide(graph, machine.sram_bytes / 8 * eighths, machine.sram_bytes, pins);
        if cfg!(debug_assertions) {
            residency::check(graph, &residency, machine.sram_bytes).map_err(PassError::Internal)?;
        }
        if all.last() != Some(&residency) {
            all.push(residency);
        }
    }
    Ok(all)
}

/// The name of a layer: its index and its operator.
pub(crate) fn layer_name(index: usize, op: Operation<'_>) -> String {
    let kind = op.name().split_once('.').map_or(op.name(), |(_, kind)| kind);
    format!("{index}.{kind}")
}

/// A function on its way to a draft.
struct Lowering<'c, 'm> {
    machine: &'m Machine,
    draft: Draft,
    values: Values<'c>,
    /// The op of every layer of the draft.
    sources: Vec<Location<'c>>,
    told: &'m Told,
}

/// A lowered function.
pub(crate) struct Lowered<'c> {
    /// Buffers, tasks, layers.
    pub(crate) draft: Draft,
    /// Where the layers come from; [`strum_plan::LayerInfo::loc`] is the index.
    pub(crate) sources: Vec<Location<'c>>,
    /// What was decided.
    pub(crate) strategy: ProgramStrategy,
}

impl<'c, 'm> Lowering<'c, 'm> {
    /// Lowers a function as `strategy` tells.
    fn run(
        machine: &Machine,
        function: Operation<'c>,
        objective: Objective,
        strategy: &Strategy,
    ) -> Result<Lowered<'c>, PassError> {
        let body = function
            .body()
            .filter(|_| function.region(0).is_some_and(|r| r.blocks().len() == 1))
            .ok_or_else(|| function.error("has no body of one block: there is nothing to run"))?;
        let terminator = body.terminator().filter(|op| op.is("func.return"));
        let terminator = terminator.ok_or_else(|| function.error("does not end in func.return"))?;
        let (graph, numbers) = graph::of(body, &terminator.operands());
        let ops: Vec<_> = body.operations().into_iter().filter(|op| graph::is_layer(*op)).collect();
        let name = function.symbol().unwrap_or("main");
        let told = match strategy.program(name) {
            Some(program) => Told::of(program, function, &ops, &graph, machine)?,
            None => Told::default(),
        };
        let residencies = residencies(&graph, machine, &told.pins(&graph))?;
        let mut guide = Guide::new(objective);
        let attempts = residencies.len();
        for (attempt, residency) in residencies.into_iter().enumerate() {
            told.check_stays(&ops, &graph, &residency)?;
            let values = Values::new(machine, residency.clone(), numbers.clone());
            let draft = Draft { guide, ..Draft::new() };
            let sources = Vec::new();
            let mut this = Lowering { machine, draft, values, sources, told: &told };
            let copies = this.interface(function, &body.arguments(), terminator)?;
            let lowered = this.body(body, terminator, copies);
            let ahead = match lowered {
                Ok(()) => this.prefetch().map_err(|error| report(function, &error))?,
                Err(_) => None,
            };
            let Lowering { mut draft, sources, .. } = this;
            if attempt + 1 == attempts || ahead.is_some() {
                lowered.map_err(|(op, error)| report(op, &error))?;
                if ahead.is_none() && told.prefetch_bytes.is_some_and(|bytes| bytes > 0) {
                    let what = "strategy: with loads ahead of time in prefetch_bytes, buffers find no place";
                    return Err(function.error(what).into());
                }
                let mut layers = std::mem::take(&mut draft.guide).decided;
                layers.truncate(ops.len());
                let ahead = ahead.unwrap_or_default();
                strategy::describe(&mut layers, &ahead, &ops, &graph, &residency);
                let prefetch_bytes = Some(ahead.bytes);
                let strategy = ProgramStrategy { name: name.to_owned(), prefetch_bytes, layers };
                return Ok(Lowered { draft, sources, strategy });
            }
            debug!(attempt, "what stays in SRAM leaves too little room");
            guide = draft.guide;
            guide.forget();
        }
        Err(PassError::Internal("no residency to lower a function with".into()))
    }

    /// Loads constants ahead of time where that pays; nothing if buffers find no place.
    fn prefetch(&mut self) -> Result<Option<Chosen>, PlanError> {
        let layers: Vec<Option<bool>> = self.told.layers.iter().map(|layer| layer.prefetch).collect();
        let told = prefetch::Told { bytes: self.told.prefetch_bytes, layers: &layers };
        prefetch::choose(&mut self.draft, self.machine, &told)
    }

    /// Lowers the body, and then copies values to outputs. An error comes with the op at fault.
    fn body(
        &mut self,
        body: Block<'c>,
        terminator: Operation<'c>,
        copies: Vec<(Value<'c>, Tensor)>,
    ) -> Result<(), (Operation<'c>, PlanError)> {
        for op in body.operations() {
            self.op(op).map_err(|error| (op, error))?;
        }
        copies
            .into_iter()
            .try_for_each(|(value, output)| self.copy(value, output).map_err(|error| (terminator, error)))
    }

    /// Makes the inputs and outputs. Returns the results that no op can compute in place, with their buffers.
    fn interface(
        &mut self,
        function: Operation<'c>,
        arguments: &[Value<'c>],
        terminator: Operation<'c>,
    ) -> Result<Vec<(Value<'c>, Tensor)>, PassError> {
        let list = [("inputs", arguments.len()), ("outputs", terminator.operands().len())];
        if let Some((what, count)) = list.into_iter().find(|(_, count)| *count > MAX_IO) {
            let message =
                format_args!("{RESOURCE}{what} of a function: needs {count}, the limit is {MAX_IO}");
            return Err(function.error(message).into());
        }
        for (i, argument) in arguments.iter().enumerate() {
            let name = names::of(function, "arg_attrs", i)?.unwrap_or_else(|| format!("arg{i}"));
            self.values.input(&mut self.draft, *argument, &name).map_err(|e| report(function, &e))?;
        }
        let mut copies = Vec::new();
        for (i, value) in terminator.operands().into_iter().enumerate() {
            let name = names::of(function, "res_attrs", i)?.unwrap_or_else(|| format!("out{i}"));
            let made = self.values.output(&mut self.draft, value, &name);
            let made = made.and_then(|b| b.map(|b| Tensor::of(&self.draft, b)).transpose());
            copies.extend(made.map_err(|e| report(terminator, &e))?.map(|tensor| (value, tensor)));
        }
        Ok(copies)
    }

    /// Begins the layer of an op.
    fn layer(&mut self, op: Operation<'c>) -> Result<(), PlanError> {
        let index = self.draft.layers.len();
        self.draft.held_bytes = self.values.held_bytes(index);
        self.draft.shared_bytes = self.values.shared_bytes(index);
        let loc = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(op.location());
        self.draft.guide.told = self.told.layers.get(index).cloned().unwrap_or_default();
        self.draft.layer(layer_name(index, op), op.name(), loc, layers::macs(op)).map(|_| ())
    }

    fn op(&mut self, op: Operation<'c>) -> Result<(), PlanError> {
        if is_alias(op) {
            let (Some(operand), Some(result)) = (op.operand(0), op.single_result()) else {
                return Err(PlanError::internal(format!("'{}' cannot be read", op.name())));
            };
            return self.values.alias(&mut self.draft, operand, result);
        }
        if !graph::is_layer(op) {
            return Ok(());
        }
        self.layer(op)?;
        let before = self.draft.tasks.len();
        let Lowering { machine, draft, values, .. } = self;
        if let Some(conv) = Conv::read(op) {
            layers::conv(draft, machine, values, op, &conv)?;
        } else if let Some(matmul) = MatMul::read(op) {
            layers::matmul(draft, machine, values, op, &matmul)?;
        } else if let Some(eltwise) = Eltwise::read(op) {
            layers::eltwise(draft, machine, values, op, &eltwise)?;
        } else {
            tosa::Op { draft, machine, values, op }.plan()?;
        }
        self.draft.end_layer()?;
        debug!(op = op.name(), tasks = self.draft.tasks.len() - before, "lowered");
        Ok(())
    }

    /// Copies a value to an output buffer.
    fn copy(&mut self, value: Value<'c>, output: Tensor) -> Result<(), PlanError> {
        let index = self.draft.layers.len();
        (self.draft.held_bytes, self.draft.shared_bytes) = (0, 0);
        let loc = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(value.location());
        self.draft.layer(format!("{index}.copy"), "func.return", loc, 0)?;
        let input = self.values.operand(&mut self.draft, value)?;
        plan_copy(&mut self.draft, self.machine, &CopyLayer { input, output })
    }
}
