//! `strum-to-dpu`: lowers every function of the module to a `dpu.program`, a list of tasks on buffers.
//!
//! Invariant: the tasks, executed one after the other, compute what the function computes, bit for bit. Addresses and
//! barriers come later (`dpu-allocate`, `dpu-assign-barriers`) and change no result.

mod emit;
mod layers;
mod names;
mod network;
mod strategy;
mod tosa;
mod values;

use strum_ir::{Dialect, Location, Operation, Pass, PassContext, PassError, PassOption};
use strum_plan::strategy::Strategy;
use strum_plan::{Objective, network as planner};
use tracing::debug;

use crate::tosa_to_strum::check;
use crate::verdict::USAGE;
use crate::{Documented, limits, machine};
use network::Function;

pub(crate) use network::{is_layer, layer_name};

/// The pass.
pub struct StrumToDpu;

/// The option that says what plans are to be good at.
pub(crate) const OBJECTIVE: PassOption = PassOption::string(
    "objective",
    "latency",
    "what plans are to be good at: latency, energy, edp (energy times cycles) or bytes (DRAM traffic)",
);

/// The option that names a strategy to follow.
pub(crate) const READ_STRATEGY: PassOption =
    PassOption::string("read-strategy", "", "strategy file to follow, see docs/strategy.md");

/// The option that names the file to write what was decided to.
pub(crate) const WRITE_STRATEGY: PassOption =
    PassOption::string("write-strategy", "", "file for the strategy that was followed, decision by decision");

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
    const OPTIONS: &'static [PassOption] = &[
        PassOption::string(
            "machine",
            machine::DEFAULT,
            "name of a built-in machine, or path of a machine file",
        ),
        PassOption::string("provenance", "", "what the binary's manifest says of the pipeline"),
        OBJECTIVE,
        READ_STRATEGY,
        WRITE_STRATEGY,
    ];
    const DIALECTS: &'static [Dialect] = &[Dialect::Dpu];

    fn run<'c>(&self, module: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        let options = cx.options();
        // What is wrong with an option or its file has no place in the module.
        let nowhere = Location::unknown(module.context());
        let wrong = |error: String| nowhere.error(format_args!("{USAGE}{error}"));
        let spec = options.string("machine")?;
        let machine = machine::resolve(spec).map_err(|error| match spec.ends_with(".toml") {
            true => nowhere.error(error),
            false => wrong(error),
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
        let strategy = match options.string("read-strategy")? {
            "" => Strategy::new(&machine.name, Vec::new()),
            path => strategy::read(path, &machine).map_err(|e| nowhere.error(e))?,
        };
        let objective: Objective = options.string("objective")?.parse().map_err(wrong)?;
        strategy::check_programs(&strategy, module, &functions)?;
        for &function in &functions {
            check::function(function)?;
        }
        let (mut decided, mut constants) = (Vec::new(), emit::Constants::default());
        for function in functions {
            let source = Function::read(function)?;
            let told = strategy.program(&source.network.name);
            let plan = planner::plan(&source.network, &source, &machine, objective, told);
            let mut plan = plan.map_err(|failure| source.report(&failure))?;
            for (index, layer) in plan.strategy.layers.iter_mut().enumerate() {
                layer.location = source.location(index);
            }
            let lowered = emit::Lowered { draft: &plan.draft, sources: &source.sources };
            emit::program(function, &machine, options.string("provenance")?, lowered, &mut constants)?;
            function.erase()?;
            decided.push(plan.strategy);
        }
        match options.string("write-strategy")? {
            "" => Ok(()),
            path => strategy::write(path, &Strategy::new(&machine.name, decided))
                .map_err(|e| nowhere.error(e).into()),
        }
    }
}
