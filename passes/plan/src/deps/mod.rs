//! Dependences: which earlier tasks of other engines a task must wait for.
//!
//! Invariant: with the returned edges and in-order engines, any two conflicting accesses (same bytes, at least one write) happen
//! in task-list order, and no edge is redundant.
//!
//! Accesses are the conservative intervals of [`Instr::footprint`]. For every byte range the analysis tracks, per engine, the
//! last task that wrote it and the last that read it since; earlier ones are ordered through those.
//!
//! The result is a graph of `petgraph`, see [`graph()`]. Transitive edges are not removed from that graph but skipped during the
//! analysis, by a vector clock over the four engines: this is linear in the tasks, whereas `petgraph::algo::tred` keeps the
//! closure of every node, which is quadratic in the hundreds of thousands of tasks that networks have.

pub mod check;
mod ranges;

use dpu_isa::{Access, Engine, Instr, Slots, Space};
use petgraph::Directed;
use petgraph::csr::Csr;

use crate::error::PlanError;
use ranges::Ranges;

/// The engines that execute tasks.
pub const ENGINES: usize = 4;

/// What the analysis knows about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of its engine, see [`engine_index`].
    pub engine: u8,
    /// The bytes it may touch. Empty for invariants, which touch registers only.
    pub accesses: Vec<Access>,
    /// Whether it has wait and post masks: invariants have none and cannot be the end of an edge.
    pub synchronizes: bool,
}

/// Why an edge is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    /// Read after write.
    Raw,
    /// Write after read.
    War,
    /// Write after write.
    Waw,
}

/// `to` must not start before `from` has ended; they are of different engines and `from < to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The later task.
    pub to: u32,
    /// The earlier task.
    pub from: u32,
    /// One of the reasons.
    pub hazard: Hazard,
}

/// The index of an engine that executes tasks: DMA 0, DMA 1, DPU, VEC; `None` for the dispatcher's own instructions.
pub fn engine_index(engine: Engine) -> Option<u8> {
    match engine {
        Engine::Control => None,
        Engine::Dma0 => Some(0),
        Engine::Dma1 => Some(1),
        Engine::Dpu => Some(2),
        Engine::Vec => Some(3),
    }
}

/// Engine and accesses of every task. `instrs` holds tasks with final addresses only: no `bar_cfg`, no `end`.
///
/// # Errors
/// An internal error for a control instruction or a variant without invariant in its slot, an unsupported error for a
/// tile other than 0.
pub fn nodes(instrs: &[Instr]) -> Result<Vec<Node>, PlanError> {
    let mut slots = Slots::default();
    let mut nodes = Vec::with_capacity(instrs.len());
    for (t, instr) in instrs.iter().enumerate() {
        let Some(engine) = engine_index(instr.engine()) else {
            return Err(PlanError::internal(format!("task {t} is a {}", instr.desc().mnemonic)));
        };
        if instr.tile().is_some_and(|tile| tile != 0) {
            return Err(PlanError::unsupported(format!("task {t}: only tile 0 is supported")));
        }
        let inv = slots.step(instr).map_err(|error| PlanError::internal(format!("task {t}: {error}")))?;
        nodes.push(Node { engine, accesses: instr.footprint(inv), synchronizes: instr.masks().is_some() });
    }
    Ok(nodes)
}

/// For every engine the number of tasks of the whole list, counted up to and including the latest of that engine which
/// is known to have ended: 0 for none, task index + 1 otherwise.
type Clock = [u32; ENGINES];

fn join(into: &mut Clock, other: &Clock) {
    for (a, b) in into.iter_mut().zip(other) {
        *a = (*a).max(*b);
    }
}

/// The edges of the task list, sorted by `to` and then `from`, none implied by the others and the order within the engines.
///
/// # Errors
/// A resource error beyond 2^32 - 1 tasks, an internal error for an engine index out of range.
pub fn edges(nodes: &[Node]) -> Result<Vec<Edge>, PlanError> {
    if u32::try_from(nodes.len()).is_err() {
        return Err(PlanError::resource("tasks of a program", nodes.len() as u64, u64::from(u32::MAX)));
    }
    let mut spaces = [Ranges::default(), Ranges::default()];
    let mut ended: Vec<Clock> = Vec::with_capacity(nodes.len());
    let mut previous: [Clock; ENGINES] = Default::default();
    let mut edges = Vec::new();
    for (index, node) in (0u32..).zip(nodes) {
        let engine = usize::from(node.engine);
        let Some(&before) = previous.get(engine) else {
            return Err(PlanError::internal(format!("task {index} is of engine {engine}")));
        };
        let mut found = [None; ENGINES];
        // Reads first: a task that updates in place must not see its own write.
        for write in [false, true] {
            for access in node.accesses.iter().filter(|a| a.write == write && a.len > 0) {
                let end = access.lo.saturating_add(access.len);
                spaces[space_index(access.space)].access(access.lo, end, write, engine, index, &mut found);
            }
        }
        found[engine] = None;
        let clock = keep_needed(index, before, &found, &ended, &mut edges);
        let mut after = clock;
        after[engine] = index + 1;
        previous[engine] = after;
        ended.push(after);
    }
    Ok(edges)
}

fn space_index(space: Space) -> usize {
    match space {
        Space::Dram => 0,
        Space::Sram => 1,
    }
}

/// Pushes those of the edges `found` (per engine the latest task) that are implied neither by the engine's own past `before` nor
/// by another of them; returns what has ended when the task starts.
fn keep_needed(
    index: u32,
    before: Clock,
    found: &[Option<(u32, Hazard)>; ENGINES],
    ended: &[Clock],
    edges: &mut Vec<Edge>,
) -> Clock {
    let none = Clock::default();
    let past = |task: u32| ended.get(task as usize).unwrap_or(&none);
    let mut clock = before;
    for (from, _) in found.iter().flatten() {
        join(&mut clock, past(*from));
    }
    for (engine, dep) in found.iter().enumerate() {
        let Some((from, hazard)) = *dep else { continue };
        let implied = before[engine] > from
            || found
                .iter()
                .enumerate()
                .any(|(e, other)| e != engine && other.is_some_and(|(o, _)| past(o)[engine] > from));
        if !implied {
            edges.push(Edge { to: index, from, hazard });
        }
    }
    let first = edges.partition_point(|e| e.to < index);
    edges[first..].sort_unstable();
    clock
}

/// The task graph: a node for every task, by its index in the list, and an edge to every task that must wait for it.
pub type TaskGraph = Csr<(), Hazard, Directed, u32>;

/// The task graph of `tasks` tasks and the edges of [`edges`].
///
/// # Errors
/// An internal error for an edge that leaves the task list, or a duplicate edge.
pub fn graph(tasks: usize, edges: &[Edge]) -> Result<TaskGraph, PlanError> {
    let within = |task: u32| (task as usize) < tasks;
    if let Some(Edge { from, to, .. }) = edges.iter().find(|e| !within(e.from) || !within(e.to)) {
        return Err(PlanError::internal(format!("edge {from} -> {to} leaves the task list")));
    }
    let mut sorted: Vec<(u32, u32, Hazard)> = edges.iter().map(|e| (e.from, e.to, e.hazard)).collect();
    sorted.sort_unstable();
    Csr::from_sorted_edges(&sorted).map_err(|_| PlanError::internal("duplicate edge between tasks"))
}

#[cfg(test)]
pub(crate) mod tests;
