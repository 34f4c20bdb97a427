//! `dpu-assign-barriers`: synchronizes the engines.
//!
//! The input is a list to be executed in order. This pass finds which tasks of different engines access the same memory (a graph
//! in petgraph), lets barriers carry that order, assigns physical barriers, and ends the stream. Invariant: every run that the
//! barriers allow computes what the list computes, and none can deadlock.

use std::collections::BTreeMap;

use dpu_isa::barrier::members;
use dpu_isa::{End, Instr};
use strum_ir::dpu::{self, Stage, Task};
use strum_ir::{Dialect, Location, Operation, Pass, PassContext, PassError, Value, pass_options};
use strum_plan::barriers::Assignment;
use strum_plan::schedule;
use tracing::debug;

use crate::Documented;
use crate::common::program;

pass_options! {
    /// The pass.
    pub struct DpuAssignBarriers;
}

impl Documented for DpuAssignBarriers {
    const DOC: &'static str = "\
Takes a `dpu.program` at stage `allocated` and leaves it at stage `scheduled`, ready for `strum-translate --mlir-to-dpu`.
Tasks of different engines that access the same bytes are ordered by barriers; an order that is implied by others needs
none. Barriers are armed by `dpu.bar_cfg` as late as possible and reused as soon as they are idle, since a machine
has few. `dpu.end` closes the stream.
";
}

impl Pass for DpuAssignBarriers {
    const ARGUMENT: &'static str = "dpu-assign-barriers";
    const DESCRIPTION: &'static str = "Order the engines of an allocated dpu.program by barriers";
    const ROOT: &'static str = "dpu.program";
    const DIALECTS: &'static [Dialect] = &[Dialect::Dpu];

    fn run<'c>(&self, op: Operation<'c>, _cx: &PassContext<'c>) -> Result<(), PassError> {
        let plain = program::read(op, Stage::Allocated, Self::ARGUMENT)?;
        let resolved: Result<Vec<Instr>, _> =
            plain.instructions.iter().map(|(op, task)| task.resolve().map_err(|e| op.error(e))).collect();
        let (edges, assignment) =
            schedule::synchronize(&resolved?, &plain.machine).map_err(|e| program::report(op, &e))?;
        debug!(edges = edges.len(), barriers = assignment.configs.len(), "synchronized");
        apply(&plain.instructions, &assignment)?;
        if let Some(body) = plain.program.body() {
            let last = plain.instructions.last();
            let location = last.map_or(op.location(), |(op, _)| op.location());
            let end = Task { layer: last.and_then(|(_, t)| t.layer), ..bare(Instr::End(End {})) };
            end.build(location)?.append_to(body)?;
        }
        plain.program.set_stage(Stage::Scheduled);
        Ok(())
    }
}

/// A task without buffers.
fn bare<'c>(instr: Instr) -> Task<'c> {
    Task { instr, buffers: Vec::new(), waits: Vec::new(), posts: Vec::new(), layer: None }
}

/// Arms the barriers and rewrites the tasks that wait or post.
fn apply<'c>(instructions: &[(Operation<'c>, Task<'c>)], assignment: &Assignment) -> Result<(), PassError> {
    // Several barriers may be armed before one task, in the order of the assignment.
    let mut configs: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for config in &assignment.configs {
        configs.entry(config.before as usize).or_default().push(config);
    }
    let mut armed: BTreeMap<u8, Value<'c>> = BTreeMap::new();
    for (index, (op, task)) in instructions.iter().enumerate() {
        let location: Location<'c> = op.location();
        for config in configs.remove(&index).unwrap_or_default() {
            let layer = task.layer.map(|l| strum_ir::Attribute::i64(op.context(), l.into()));
            let barrier = dpu::bar_cfg(config.producers, config.consumers, Some(config.barrier), location)
                .maybe_attribute("layer", layer)
                .insert_before(*op)?;
            if let Some(value) = barrier.single_result() {
                armed.insert(config.barrier, value);
            }
        }
        let mask = |masks: &[u64]| masks.get(index).copied().unwrap_or(0);
        let waits = barriers(&armed, mask(&assignment.wait))?;
        let posts = barriers(&armed, mask(&assignment.post))?;
        if waits.is_empty() && posts.is_empty() {
            continue;
        }
        Task { waits, posts, ..task.clone() }.build(location)?.insert_before(*op)?;
        op.erase()?;
    }
    Ok(())
}

/// The barriers of a mask.
fn barriers<'c>(armed: &BTreeMap<u8, Value<'c>>, mask: u64) -> Result<Vec<Value<'c>>, PassError> {
    members(mask)
        .map(|n| {
            armed.get(&n).copied().ok_or_else(|| PassError::Internal(format!("barrier {n} is not armed")))
        })
        .collect()
}
