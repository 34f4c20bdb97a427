//! Independent checker of dependences: any two conflicting accesses of different engines must be ordered.
//!
//! It computes happens-before by vector clocks over engine order and the given edges, and then looks at accesses alone. [`pairs`]
//! compares every two tasks; [`sweep`] compares the accesses to each elementary byte range and is meant for long lists. Edges may
//! come from the analysis, or be read back from waits and posts.

use std::collections::BTreeMap;

use dpu_isa::{Access, Space};
use thiserror::Error;

use super::Node;

/// A fault of a set of edges. Tasks are named by index.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// An edge does not point forward within the list.
    #[error("edge {from} -> {to} does not point forward in a list of {tasks} tasks")]
    Edge {
        /// The producer.
        from: usize,
        /// The consumer.
        to: usize,
        /// Length of the list.
        tasks: usize,
    },
    /// Two conflicting accesses are not ordered.
    #[error("tasks {first} and {second} touch byte {byte:#x} of {space:?} in no order")]
    Race {
        /// The earlier task in the list.
        first: usize,
        /// The later one.
        second: usize,
        /// The memory space.
        space: Space,
        /// A byte that both access.
        byte: u64,
    },
}

/// What has ended, per engine, when a task starts: a count of that engine's tasks.
pub(crate) struct Clocks {
    /// Index of each task among those of its engine, from 1.
    rank: Vec<u32>,
    /// For each task, per engine, the rank up to which tasks have ended before it starts.
    seen: Vec<Vec<u32>>,
}

impl Clocks {
    /// The clocks under engine order and `edges`, which must point forward.
    pub(crate) fn new(nodes: &[Node], edges: &[(usize, usize)]) -> Result<Self, Fault> {
        let tasks = nodes.len();
        let mut into: Vec<Vec<usize>> = vec![Vec::new(); tasks];
        for &(from, to) in edges {
            if from >= to || to >= tasks {
                return Err(Fault::Edge { from, to, tasks });
            }
            into[to].push(from);
        }
        let engines = nodes.iter().map(|n| usize::from(n.engine) + 1).max().unwrap_or(0);
        let mut last: Vec<Option<usize>> = vec![None; engines];
        let mut clocks = Clocks { rank: Vec::with_capacity(tasks), seen: Vec::with_capacity(tasks) };
        for (task, node) in nodes.iter().enumerate() {
            let engine = usize::from(node.engine);
            let mut seen = vec![0; engines];
            for &before in into[task].iter().chain(last[engine].iter()) {
                for (mine, theirs) in seen.iter_mut().zip(&clocks.seen[before]) {
                    *mine = (*mine).max(*theirs);
                }
                let other = usize::from(nodes[before].engine);
                seen[other] = seen[other].max(clocks.rank[before]);
            }
            clocks.rank.push(last[engine].map_or(0, |t| clocks.rank[t]) + 1);
            clocks.seen.push(seen);
            last[engine] = Some(task);
        }
        Ok(clocks)
    }

    /// Whether `first` has ended whenever `second` starts.
    pub(crate) fn ordered(&self, nodes: &[Node], first: usize, second: usize) -> bool {
        self.seen[second][usize::from(nodes[first].engine)] >= self.rank[first]
    }
}

/// Compares every two tasks; `edges` are `(from, to)`.
///
/// # Errors
/// The first fault found.
pub fn pairs(nodes: &[Node], edges: &[(usize, usize)]) -> Result<(), Fault> {
    let clocks = Clocks::new(nodes, edges)?;
    for (second, b) in nodes.iter().enumerate() {
        for (first, a) in nodes[..second].iter().enumerate() {
            let shared = a.accesses.iter().find_map(|x| b.accesses.iter().find_map(|y| conflict(x, y)));
            if let Some((space, byte)) = shared
                && !clocks.ordered(nodes, first, second)
            {
                return Err(Fault::Race { first, second, space, byte });
            }
        }
    }
    Ok(())
}

/// A byte in both accesses, if one of them writes.
fn conflict(a: &Access, b: &Access) -> Option<(Space, u64)> {
    let lo = a.lo.max(b.lo);
    let end = a.lo.saturating_add(a.len).min(b.lo.saturating_add(b.len));
    (a.space == b.space && (a.write || b.write) && lo < end).then_some((a.space, lo))
}

/// A task and whether it writes.
type Use = (usize, bool);

/// The accesses that begin and end at a boundary.
#[derive(Default)]
struct Mark {
    begin: Vec<Use>,
    end: Vec<Use>,
}

/// Compares, for each byte range between two neighbouring interval ends, neighbouring accesses: each read with the
/// write before it and the write after it, and each write with the one before. The rest follows because order is
/// transitive.
///
/// # Errors
/// The first fault found.
pub fn sweep(nodes: &[Node], edges: &[(usize, usize)]) -> Result<(), Fault> {
    let clocks = Clocks::new(nodes, edges)?;
    for space in [Space::Dram, Space::Sram] {
        let mut marks: BTreeMap<u64, Mark> = BTreeMap::new();
        for (task, node) in nodes.iter().enumerate() {
            for access in node.accesses.iter().filter(|a| a.space == space && a.len > 0) {
                let key = (task, access.write);
                marks.entry(access.lo).or_default().begin.push(key);
                marks.entry(access.lo.saturating_add(access.len)).or_default().end.push(key);
            }
        }
        let mut active: BTreeMap<Use, usize> = BTreeMap::new();
        for (byte, Mark { begin, end }) in marks {
            for key in end {
                if let Some(count) = active.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        active.remove(&key);
                    }
                }
            }
            let grew = !begin.is_empty();
            for key in begin {
                *active.entry(key).or_insert(0) += 1;
            }
            // A range whose accesses are a subset of the previous range's adds nothing.
            if grew {
                column(nodes, &clocks, &active, space, byte)?;
            }
        }
    }
    Ok(())
}

/// Checks the accesses to one byte, sorted by task with reads before writes.
fn column(
    nodes: &[Node],
    clocks: &Clocks,
    active: &BTreeMap<Use, usize>,
    space: Space,
    byte: u64,
) -> Result<(), Fault> {
    let mut writer = None;
    let mut readers: Vec<usize> = Vec::new();
    for &(task, write) in active.keys() {
        let before = writer.iter().chain(if write { readers.as_slice() } else { &[] });
        for &first in before {
            if first != task && !clocks.ordered(nodes, first, task) {
                return Err(Fault::Race { first, second: task, space, byte });
            }
        }
        if write {
            writer = Some(task);
            readers.clear();
        } else {
            readers.push(task);
        }
    }
    Ok(())
}
