//! `strum-to-dpu`: lowers every function of the module to a `dpu.program`, a list of tasks on buffers.
//!
//! Invariant: the tasks, executed one after the other, compute what the function computes, bit for bit. Addresses and
//! barriers come later (`dpu-allocate`, `dpu-assign-barriers`) and change no result.

mod emit;
mod layers;
mod network;
mod options;
mod strategy;
mod tosa;
mod values;

use strum_ir::{Dialect, Location, Operation, Pass, PassContext, PassError};
use strum_plan::network as planner;
use strum_plan::strategy::Strategy;
use tracing::debug;

use crate::Documented;
use crate::common::verdict::USAGE;
use crate::common::{limits, machine};
use crate::tosa::tosa_to_strum::check;
use network::Function;

pub(crate) use network::{is_layer, layer_name};
pub use options::{PlanOptions, StrumToDpu};
pub use strum_plan::Objective;

impl Documented for StrumToDpu {
    const DOC: &'static str = "\
Every function becomes a `dpu.program` of the same name: its arguments and results become inputs and outputs in DRAM, its
constants become `dpu.constant`, and each op becomes a `dpu.layer` with the tasks that compute it. Tiles are chosen for
the machine: a layer of any size is cut along images, rows, columns and channels, and a reduction along its taps, until
double-buffered tiles fit the SRAM. Packed weights are cut into the tiles' weight sets, which stay packed. Everything runs on one of the
machine's `tiles`; a warning says so if it has more.

A tensor between layers is resident in SRAM, where it is written and read in place, if it fits with the tiles of all layers
until its last use; otherwise it goes through DRAM. Tensors are chosen by saved traffic per blocked byte, and an element-wise
layer overwrites an operand without later readers.

`objective` selects the quantity that tiles and schedules minimize: estimated cycles, energy, the product of both, or DRAM
traffic. The estimates use the timing and energy rules of the simulator.

Small constants are loaded together, in few transfers at the start, and loads of weights and tables are prefetched during earlier
layers, where the SRAM has room and the timing model predicts fewer cycles. Reshapes are free; concat, slice, pad, transpose, gather and scatter are DMA copies. Tasks are in a legal sequential order.

Ops that `tosa-to-strum` does not support are errors here, too, and so is a tensor that is larger than the machine's DRAM.

Every decision can be written to a strategy file and read back, changed or not: missing decisions are searched as usual, and
given ones are followed, or refused at the op concerned.
";
}

impl Pass for StrumToDpu {
    const ARGUMENT: &'static str = "strum-to-dpu";
    const DESCRIPTION: &'static str =
        "Tile layers onto a machine: functions become programs of DPU tasks on buffers";
    const DIALECTS: &'static [Dialect] = &[Dialect::Dpu];

    fn run<'c>(&self, module: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        let PlanOptions { objective, read_strategy, write_strategy } = &self.plan;
        // Errors in an option or its file have no location in the module.
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
            let source = Function::read(function)?;
            let told = strategy.program(&source.network.name);
            let plan = planner::plan(&source.network, &source, &machine, *objective, told);
            let mut plan = plan.map_err(|failure| source.report(&failure))?;
            for (index, layer) in plan.strategy.layers.iter_mut().enumerate() {
                layer.location = source.location(index);
            }
            let lowered = emit::Lowered { draft: &plan.draft, sources: &source.sources };
            emit::program(function, &machine, &self.provenance, lowered, &mut constants)?;
            function.erase()?;
            decided.push(plan.strategy);
        }
        match write_strategy {
            None => Ok(()),
            Some(path) => strategy::write(path, &Strategy::new(&machine.name, decided))
                .map_err(|e| nowhere.error(e).into()),
        }
    }
}
