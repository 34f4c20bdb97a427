//! Barrier assignment: which physical barrier carries which edge, and where in the stream it is armed.
//!
//! Invariant: all uses of a barrier's previous configuration precede its next `bar_cfg` in program order. Since every edge also
//! points forward in program order, the earliest unfinished task can always proceed and the dispatcher never deadlocks, whatever
//! the FIFO depth.
//!
//! A *virtual* barrier has at most one producer and one consumer per engine: within an engine the latest producer and the
//! earliest consumer represent the others. Tasks are processed in program order. A producer joins an open barrier with the same
//! consumers, or opens a new one. When only one barrier is left, an open barrier is *relayed* first: the producer waits for it
//! and takes over its remaining consumers, which frees it. Relaying only adds order, and makes any machine with two barriers
//! sufficient.

pub mod check;

use std::collections::VecDeque;

use petgraph::visit::IntoNodeIdentifiers;

use crate::deps::{self, ENGINES, Edge, Node};
use crate::error::PlanError;

/// The maximum number of barriers that a wait or post mask can name.
pub const MAX_BARRIERS: u32 = 64;

/// A barrier to arm before a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Config {
    /// Index of the task that `bar_cfg` precedes.
    pub before: u32,
    /// The physical barrier.
    pub barrier: u8,
    /// Number of tasks that post to it.
    pub producers: u16,
    /// Number of tasks that wait for it.
    pub consumers: u16,
}

/// The barriers of a task list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Wait mask of every task.
    pub wait: Vec<u64>,
    /// Post mask of every task.
    pub post: Vec<u64>,
    /// The configurations in stream order.
    pub configs: Vec<Config>,
    /// Number of barriers that were relayed because none was free.
    pub relayed: u32,
}

/// Task index per engine.
type PerEngine = [Option<u32>; ENGINES];

/// A barrier that is armed and may still get consumers.
#[derive(Clone, Copy, Debug)]
struct Open {
    barrier: u8,
    producers: PerEngine,
    consumers: PerEngine,
}

impl Open {
    fn last_consumer(&self) -> Option<u32> {
        self.consumers.iter().flatten().max().copied()
    }

    fn last_producer(&self) -> Option<u32> {
        self.producers.iter().flatten().max().copied()
    }
}

/// Assigns barriers `0..barriers` to `edges`, which point forward in the task list `nodes` and connect synchronizing
/// tasks of different engines.
///
/// # Errors
/// A resource error if there are edges and fewer than two barriers; an internal error for an edge that breaks the rules.
pub fn assign(nodes: &[Node], edges: &[Edge], barriers: u32) -> Result<Assignment, PlanError> {
    let barriers = barriers.min(MAX_BARRIERS);
    let mut solver = Solver {
        nodes,
        open: Vec::new(),
        free: (0..barriers).filter_map(|b| u8::try_from(b).ok()).collect(),
        result: Assignment {
            wait: vec![0; nodes.len()],
            post: vec![0; nodes.len()],
            ..Assignment::default()
        },
    };
    let consumers = consumers_of(nodes, edges)?;
    if !consumers.is_empty() && barriers < 2 {
        return Err(PlanError::resource("barriers of the machine", 2, u64::from(barriers)));
    }
    for (k, &(task, wanted)) in consumers.iter().enumerate() {
        solver.producer(task, wanted, consumers.get(k + 1).map(|&(next, _)| next))?;
    }
    for open in std::mem::take(&mut solver.open) {
        solver.close(&open);
    }
    let mut result = solver.result;
    result.configs.sort_unstable();
    if cfg!(debug_assertions) {
        check::check(nodes, edges, &result, barriers)
            .map_err(|fault| PlanError::internal(format!("barriers: {fault}")))?;
    }
    Ok(result)
}

/// The producers in program order, each with its earliest consumer on every engine.
fn consumers_of(nodes: &[Node], edges: &[Edge]) -> Result<Vec<(u32, PerEngine)>, PlanError> {
    let graph = deps::graph(nodes.len(), edges)?;
    let mut result: Vec<(u32, PerEngine)> = Vec::new();
    for (from, producer) in graph.node_identifiers().zip(nodes) {
        let mut wanted = PerEngine::default();
        for &to in graph.neighbors_slice(from) {
            let legal = |consumer: &&Node| {
                from < to
                    && producer.engine != consumer.engine
                    && producer.synchronizes
                    && consumer.synchronizes
            };
            let Some(consumer) = nodes.get(to as usize).filter(legal) else {
                return Err(PlanError::internal(format!("edge {from} -> {to} cannot be a barrier")));
            };
            if let Some(slot) = wanted.get_mut(usize::from(consumer.engine)) {
                // Neighbours are sorted, so the first one on an engine is the earliest.
                slot.get_or_insert(to);
            }
        }
        if wanted != PerEngine::default() {
            result.push((from, wanted));
        }
    }
    Ok(result)
}

struct Solver<'a> {
    nodes: &'a [Node],
    open: Vec<Open>,
    /// Free barriers, the longest idle first.
    free: VecDeque<u8>,
    result: Assignment,
}

impl Solver<'_> {
    fn engine(&self, task: u32) -> usize {
        self.nodes.get(task as usize).map_or(0, |n| usize::from(n.engine))
    }

    /// Gives `task` a barrier for its consumers; `next` is the producer after it.
    fn producer(&mut self, task: u32, wanted: PerEngine, next: Option<u32>) -> Result<(), PlanError> {
        self.retire(task);
        let engine = self.engine(task);
        if let Some(open) = self.open.iter_mut().find(|o| o.consumers == wanted) {
            open.producers[engine] = Some(task);
            return Ok(());
        }
        let mut wanted = wanted;
        if self.free.len() == 1 && next.is_some_and(|next| !self.frees_before(next, &wanted)) {
            self.relay(task, engine, &mut wanted)?;
        }
        let Some(barrier) = self.free.pop_front() else {
            return Err(PlanError::internal("no barrier is free"));
        };
        let mut producers = PerEngine::default();
        producers[engine] = Some(task);
        self.open.push(Open { barrier, producers, consumers: wanted });
        Ok(())
    }

    /// Whether some barrier, including one for the consumers `wanted`, is done before task `next`.
    fn frees_before(&self, next: u32, wanted: &PerEngine) -> bool {
        let done = |last: Option<u32>| last.is_some_and(|last| last < next);
        done(wanted.iter().flatten().max().copied()) || self.open.iter().any(|o| done(o.last_consumer()))
    }

    /// Frees the barriers whose last consumer precedes `task`, in the order of those consumers.
    fn retire(&mut self, task: u32) {
        let mut done: Vec<Open> = Vec::new();
        self.open.retain(|open| {
            let over = open.last_consumer().is_none_or(|last| last < task);
            if over {
                done.push(*open);
            }
            !over
        });
        done.sort_unstable_by_key(|open| (open.last_consumer(), open.barrier));
        for open in done {
            self.close(&open);
            self.free.push_back(open.barrier);
        }
    }

    /// Makes `task` wait for an open barrier and take over its remaining consumers: preferably a barrier that does not make it
    /// wait longer than it does anyway, otherwise the one with the oldest producers.
    fn relay(&mut self, task: u32, engine: usize, wanted: &mut PerEngine) -> Result<(), PlanError> {
        let cost = |open: &Open| {
            let known = open.consumers[engine].is_some_and(|c| c <= task);
            let own = open.producers.iter().enumerate().all(|(e, p)| e == engine || p.is_none());
            (!(known || own), open.last_producer(), open.barrier)
        };
        let Some(index) = (0..self.open.len()).min_by_key(|&i| cost(&self.open[i])) else {
            return Err(PlanError::internal("no barrier to relay"));
        };
        let (waits, ..) = cost(&self.open[index]);
        let open = &mut self.open[index];
        for (e, slot) in open.consumers.iter_mut().enumerate() {
            let Some(consumer) = slot.filter(|&c| c > task) else { continue };
            *slot = None;
            if e != engine {
                let earliest = wanted[e].map_or(consumer, |w| w.min(consumer));
                wanted[e] = Some(earliest);
            }
        }
        if waits {
            open.consumers[engine] = Some(task);
        }
        self.result.relayed += 1;
        if self.open[index].last_consumer().is_none() {
            // Nobody ever waits for it: it can be dropped.
            let open = self.open.swap_remove(index);
            self.free.push_back(open.barrier);
        }
        Ok(())
    }

    /// Writes an open barrier into the result.
    fn close(&mut self, open: &Open) {
        let bit = 1u64 << open.barrier;
        let (mut producers, mut consumers) = (0, 0);
        for &task in open.producers.iter().flatten() {
            self.result.post[task as usize] |= bit;
            producers += 1;
        }
        for &task in open.consumers.iter().flatten() {
            self.result.wait[task as usize] |= bit;
            consumers += 1;
        }
        if let Some(before) = open.producers.iter().flatten().min().copied() {
            self.result.configs.push(Config { before, barrier: open.barrier, producers, consumers });
        }
    }
}

#[cfg(test)]
mod tests;
