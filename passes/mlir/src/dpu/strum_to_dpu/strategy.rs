//! Strategies: what a file tells of the layers of a function, and what was decided, for a file.
//!
//! Invariant: everything a file says is either followed or refused at the op it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dpu_isa::Machine;
use strum_ir::{Operation, PassError};
use strum_plan::prefetch::Chosen;
use strum_plan::residency::{Graph, Residency};
use strum_plan::strategy::{LayerStrategy, ProgramStrategy, Strategy};

use super::layer_name;
use crate::common::tosa::view;
use crate::common::verdict::read_json;

/// What a function is told, by layer.
#[derive(Default)]
pub(super) struct Told {
    /// What each layer is told.
    pub(super) layers: Vec<LayerStrategy>,
    /// SRAM bytes that loads ahead of time may fill.
    pub(super) prefetch_bytes: Option<u64>,
}

/// Reads a strategy file for a machine.
pub(super) fn read(path: &str, machine: &Machine) -> Result<Strategy, String> {
    let fail = |e: &dyn std::fmt::Display| format!("strategy '{path}': {e}");
    let text = read_json("strategy", path)?;
    let strategy = Strategy::from_json(&text).map_err(|e| fail(&e))?;
    match &strategy.machine {
        Some(name) if *name != machine.name => {
            Err(fail(&format_args!("is for machine '{name}', not '{}'", machine.name)))
        }
        _ => Ok(strategy),
    }
}

/// Refuses programs that no function of the module stands for.
pub(super) fn check_programs(
    strategy: &Strategy,
    module: Operation<'_>,
    functions: &[Operation<'_>],
) -> Result<(), PassError> {
    let known: BTreeSet<&str> = functions.iter().map(|f| f.symbol().unwrap_or("main")).collect();
    match strategy.programs.iter().find(|program| !known.contains(program.name.as_str())) {
        Some(program) => {
            Err(module.error(format_args!("strategy: there is no function '{}'", program.name)).into())
        }
        None => Ok(()),
    }
}

/// Writes a strategy file.
pub(super) fn write(path: &str, strategy: &Strategy) -> Result<(), String> {
    let fail = |e: &dyn std::fmt::Display| format!("strategy '{path}': {e}");
    let text = strategy.to_json().map_err(|e| fail(&e))?;
    strum_files::write(Path::new(path), text.as_bytes()).map_err(|e| fail(&e.reason()))
}

/// Shape and element type of what a layer makes: `1x56x56x64xi8`.
fn output(op: Operation<'_>) -> Option<String> {
    let (shape, elem) = op.single_result().and_then(|value| view::tensor(value.ty()))?;
    let mut text: String = shape.iter().map(|d| format!("{d}x")).collect();
    text.push_str(&format!("i{}", elem.bits()));
    Some(text)
}

impl Told {
    /// What a program's strategy tells the layers `ops` of its function.
    pub(super) fn of(
        program: &ProgramStrategy,
        function: Operation<'_>,
        ops: &[Operation<'_>],
        graph: &Graph,
        machine: &Machine,
    ) -> Result<Self, PassError> {
        let mut told = Told { layers: vec![LayerStrategy::default(); ops.len()], ..Told::default() };
        if let Some(bytes) = program.prefetch_bytes.filter(|bytes| *bytes > machine.sram_bytes) {
            let has = machine.sram_bytes;
            let what = format_args!("strategy: prefetch_bytes is {bytes}: the machine has {has} of SRAM");
            return Err(function.error(what).into());
        }
        told.prefetch_bytes = program.prefetch_bytes;
        let names: BTreeMap<String, usize> =
            ops.iter().enumerate().map(|(i, op)| (layer_name(i, *op), i)).collect();
        for layer in &program.layers {
            let found =
                names.get(&layer.name).and_then(|&i| Some((i, *ops.get(i)?, told.layers.get_mut(i)?)));
            let Some((i, op, told)) = found else {
                return Err(function.error(unknown(&layer.name, ops)).into());
            };
            if let (Some(is), Some(told)) = (output(op), &layer.output)
                && is != *told
            {
                let what = format_args!("strategy: layer '{}' makes {is}, not {told}", layer.name);
                return Err(op.error(what).into());
            }
            let value = graph.nodes.get(i).and_then(|node| graph.values.get(node.output));
            if layer.stays == Some(true) && !value.is_some_and(|v| v.may_stay) {
                return Err(op.error("strategy: an output of the function cannot stay in SRAM").into());
            }
            *told = layer.clone();
        }
        Ok(told)
    }

    /// Which tensors of the graph must stay, and which must not.
    pub(super) fn pins(&self, graph: &Graph) -> Vec<Option<bool>> {
        let mut pins = vec![None; graph.values.len()];
        for (layer, node) in self.layers.iter().zip(&graph.nodes) {
            if let Some(pin) = pins.get_mut(node.output) {
                *pin = layer.stays;
            }
        }
        pins
    }

    /// Refuses what must stay and does not.
    pub(super) fn check_stays(
        &self,
        ops: &[Operation<'_>],
        graph: &Graph,
        residency: &Residency,
    ) -> Result<(), PassError> {
        for ((layer, node), op) in self.layers.iter().zip(&graph.nodes).zip(ops) {
            if layer.stays == Some(true) && residency.stays.get(node.output) != Some(&true) {
                let what = "strategy: the result cannot stay in SRAM: \
                            it does not fit beside the tensors that must stay, or no layer reads it";
                return Err(op.error(what).into());
            }
        }
        Ok(())
    }
}

/// Completes the strategy of a program by what the planner does not know of its layers.
pub(super) fn describe(
    decided: &mut [LayerStrategy],
    ahead: &Chosen,
    ops: &[Operation<'_>],
    graph: &Graph,
    residency: &Residency,
) {
    for (i, ((layer, op), node)) in decided.iter_mut().zip(ops).zip(&graph.nodes).enumerate() {
        layer.location = Some(op.location().describe());
        layer.output = output(*op);
        layer.stays = residency.stays.get(node.output).copied();
        layer.prefetch = Some(u32::try_from(i).is_ok_and(|i| !ahead.kept.contains(&i)));
    }
}

/// Says which layers there are.
fn unknown(name: &str, ops: &[Operation<'_>]) -> String {
    let index = name.split_once('.').and_then(|(index, _)| index.parse::<usize>().ok());
    let same = index.and_then(|i| ops.get(i).map(|op| layer_name(i, *op)));
    let known = match (same, ops.len()) {
        (Some(same), _) => format!("that layer is '{same}'"),
        (None, count) => format!("there are {count} layers"),
    };
    format!("strategy: there is no layer '{name}': {known}")
}
