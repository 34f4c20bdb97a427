//! Independent checker of address assignments.
//!
//! It recomputes liveness from the task list and replays time over the set of live byte ranges; a new buffer must overlap none of
//! them.

use std::collections::BTreeMap;

use dpu_isa::{Machine, SlotUse, Space};
use thiserror::Error;

use super::Addresses;
use crate::draft::{Buffer, Role, Task};

/// What is wrong with an assignment. Buffers are named by index, sizes and addresses are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The number of addresses differs from the number of buffers.
    #[error("{found} addresses for {expected} buffers")]
    Count {
        /// Number of buffers.
        expected: usize,
        /// Number of addresses.
        found: usize,
    },
    /// The address is not a multiple of the buffer's alignment.
    #[error("buffer {buffer} at {address:#x} is not aligned to {align} bytes")]
    Alignment {
        /// The buffer.
        buffer: usize,
        /// Its address.
        address: u64,
        /// Its alignment.
        align: u64,
    },
    /// The buffer exceeds the memory, or a constant exceeds the constant image.
    #[error("buffer {buffer} ends at {end:#x}, beyond {limit:#x}")]
    Bounds {
        /// The buffer.
        buffer: usize,
        /// One past its last byte.
        end: u64,
        /// The limit.
        limit: u64,
    },
    /// Two buffers share bytes while both are live.
    #[error("buffers {first} and {second} share bytes from {address:#x} while both are live")]
    Overlap {
        /// The buffer that was live before.
        first: usize,
        /// The buffer that arrived.
        second: usize,
        /// The first shared byte.
        address: u64,
    },
    /// A buffer other than a constant lies in the constant image.
    #[error("buffer {buffer} lies in the constant image")]
    InImage {
        /// The buffer.
        buffer: usize,
    },
}

/// Arrival or departure of a buffer at a time; at equal times, arrivals come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(usize),
    Depart(usize),
}

/// Checks an assignment.
///
/// # Errors
/// The first fault found.
pub fn check(
    buffers: &[Buffer],
    tasks: &[Task],
    machine: &Machine,
    addresses: &Addresses,
) -> Result<(), Fault> {
    if addresses.of.len() != buffers.len() {
        return Err(Fault::Count { expected: buffers.len(), found: addresses.of.len() });
    }
    let events = timeline(buffers, tasks);
    for space in [Space::Dram, Space::Sram] {
        let limit = match space {
            Space::Dram => machine.dram_bytes.min(addresses.dram_bytes),
            Space::Sram => machine.sram_bytes.min(addresses.sram_bytes),
        };
        let mut live: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
        for &(_, event) in &events {
            let (Event::Arrive(i) | Event::Depart(i)) = event;
            let buffer = &buffers[i];
            if buffer.space != space || buffer.bytes == 0 {
                continue;
            }
            let start = addresses.of[i];
            match event {
                Event::Depart(_) => {
                    live.remove(&start);
                }
                Event::Arrive(_) => {
                    let end = range_of(buffer, i, start, limit, addresses.const_bytes)?;
                    // Live ranges are disjoint, so only the last one that begins before `end` can overlap.
                    if let Some((&s, &(e, other))) = live.range(..end).next_back()
                        && e > start
                    {
                        return Err(Fault::Overlap { first: other, second: i, address: s.max(start) });
                    }
                    live.insert(start, (end, i));
                }
            }
        }
    }
    Ok(())
}

/// The end of a buffer's bytes, after checking it alone.
fn range_of(buffer: &Buffer, index: usize, start: u64, limit: u64, const_bytes: u64) -> Result<u64, Fault> {
    if buffer.align != 0 && !start.is_multiple_of(buffer.align) {
        return Err(Fault::Alignment { buffer: index, address: start, align: buffer.align });
    }
    let is_const = matches!(buffer.role, Role::Const(_));
    let limit = if is_const { limit.min(const_bytes) } else { limit };
    let end = start.saturating_add(buffer.bytes);
    if end > limit {
        return Err(Fault::Bounds { buffer: index, end, limit });
    }
    if buffer.space == Space::Dram && !is_const && start < const_bytes {
        return Err(Fault::InImage { buffer: index });
    }
    Ok(end)
}

/// All arrivals and departures in time order. Inputs and outputs are live from before the first task until after the last.
fn timeline(buffers: &[Buffer], tasks: &[Task]) -> Vec<(usize, Event)> {
    let mut span: Vec<Option<(usize, usize)>> = buffers
        .iter()
        .map(|b| (b.space == Space::Dram && b.role != Role::Scratch).then_some((0, tasks.len() + 1)))
        .collect();
    let mut loaded: BTreeMap<u8, usize> = BTreeMap::new();
    for (t, task) in tasks.iter().enumerate() {
        let mut users = vec![t];
        match task.instr.slot_use() {
            SlotUse::Fills(slot) => drop(loaded.insert(slot, t)),
            SlotUse::Needs(slot) => users.extend(loaded.get(&slot)),
            SlotUse::None => {}
        }
        for (_, id) in users.iter().flat_map(|&u| &tasks[u].bufs) {
            if let Some(entry) = span.get_mut(id.index()) {
                let (from, to) = entry.unwrap_or((t + 1, t + 1));
                *entry = Some((from.min(t + 1), to.max(t + 1)));
            }
        }
    }
    let mut events = Vec::new();
    for (i, range) in span.into_iter().enumerate() {
        if let Some((from, to)) = range {
            events.push((from, Event::Arrive(i)));
            events.push((to, Event::Depart(i)));
        }
    }
    events.sort_unstable();
    events
}
