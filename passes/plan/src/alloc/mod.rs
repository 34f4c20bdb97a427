//! Address allocation: the location of every buffer of a draft in DRAM and SRAM.
//!
//! Invariant: buffers with overlapping live ranges over the task order never share a byte, and the result depends on the draft
//! and the machine alone. DRAM starts with the constants (the program image, from address 0), followed by inputs, outputs and
//! scratch; constants, inputs and outputs are live throughout, scratch from its first to its last use.

mod aged;
pub mod check;
mod fit;

pub use fit::{Effort, Misfit, fit};

use dpu_isa::{Machine, SlotUse, Space};

use crate::draft::{Buffer, BufferId, LayerInfo, Role, Task};
use crate::error::PlanError;

/// A block to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Size in bytes.
    pub bytes: u64,
    /// Alignment in bytes, a power of two.
    pub align: u64,
    /// Time of the first use.
    pub first: u32,
    /// Time of the last use, inclusive and not before `first`.
    pub last: u32,
}

/// The placement of the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Offset of every block, in request order.
    pub offsets: Vec<u64>,
    /// One past the highest byte in use.
    pub end: u64,
}

/// Alignment of every DRAM buffer in bytes.
pub const DRAM_ALIGN: u64 = 64;

/// Largest alignment that a buffer may request, in bytes.
const MAX_ALIGN: u64 = 1 << 20;

/// Slots of the DPU.
const SLOTS: usize = 16;

/// The addresses of all buffers of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Byte address of every buffer within its space; 0 for scratch that no task uses.
    pub of: Vec<u64>,
    /// Size of the constant image in bytes, from address 0 of DRAM.
    pub const_bytes: u64,
    /// One past the highest DRAM byte in use.
    pub dram_bytes: u64,
    /// One past the highest SRAM byte in use.
    pub sram_bytes: u64,
}

/// First and last task that uses a buffer, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Index of the first task.
    pub first: u32,
    /// Index of the last task.
    pub last: u32,
}

/// The live range of every buffer over the task order; `None` for a buffer that no task uses. A variant also uses the buffers of
/// the invariant in its slot.
///
/// # Errors
/// An internal error if a task names a buffer that does not exist, a resource error beyond 2^32 tasks.
pub fn live_ranges(buffers: &[Buffer], tasks: &[Task]) -> Result<Vec<Option<Live>>, PlanError> {
    let mut live: Vec<Option<Live>> = vec![None; buffers.len()];
    let mut slots: [&[(usize, BufferId)]; SLOTS] = [&[]; SLOTS];
    for (t, task) in tasks.iter().enumerate() {
        let now = u32::try_from(t)
            .map_err(|_| PlanError::resource("tasks of a program", t as u64, u64::from(u32::MAX)))?;
        let inherited: &[(usize, BufferId)] = match task.instr.slot_use() {
            SlotUse::Fills(slot) => {
                if let Some(held) = slots.get_mut(usize::from(slot)) {
                    *held = &task.bufs;
                }
                &[]
            }
            SlotUse::Needs(slot) => slots.get(usize::from(slot)).copied().unwrap_or_default(),
            SlotUse::None => &[],
        };
        for &(_, id) in task.bufs.iter().chain(inherited) {
            let range = live.get_mut(id.index()).ok_or_else(|| {
                PlanError::internal(format!("task {t} uses buffer {}, which does not exist", id.index()))
            })?;
            range.get_or_insert(Live { first: now, last: now }).last = now;
        }
    }
    Ok(live)
}

/// Assigns an address to every buffer. `layers` only serves to name the layer in errors.
///
/// # Errors
/// A resource error naming the layer with the largest demand, its need and the machine's limit in bytes; an internal error if a
/// task names a missing buffer; an unsupported error for a buffer that cannot be placed: other than scratch in SRAM, or with an
/// alignment that is not a power of two.
pub fn allocate(
    buffers: &[Buffer],
    tasks: &[Task],
    layers: &[LayerInfo],
    machine: &Machine,
) -> Result<Addresses, PlanError> {
    check_buffers(buffers)?;
    let live = live_ranges(buffers, tasks)?;
    let mut result = Addresses { of: vec![0; buffers.len()], ..Addresses::default() };
    place_sram(buffers, &live, machine, &mut result)
        .and_then(|()| place_dram(buffers, &live, machine, &mut result))
        .map_err(|failure| failure.explain(tasks, layers))?;
    if cfg!(debug_assertions) {
        check::check(buffers, tasks, machine, &result)
            .map_err(|fault| PlanError::internal(format!("allocation: {fault}")))?;
    }
    Ok(result)
}

/// Refuses buffers that can never be placed.
fn check_buffers(buffers: &[Buffer]) -> Result<(), PlanError> {
    for (i, buffer) in buffers.iter().enumerate() {
        if buffer.space == Space::Sram && buffer.role != Role::Scratch {
            return Err(PlanError::unsupported(format!(
                "buffer {i} is a constant, input or output in SRAM: it must be in DRAM"
            )));
        }
        if !buffer.align.is_power_of_two() || buffer.align > MAX_ALIGN {
            return Err(PlanError::unsupported(format!(
                "buffer {i} is aligned to {} bytes: must be a power of two up to {MAX_ALIGN}",
                buffer.align
            )));
        }
    }
    Ok(())
}

/// A memory space that is too small.
struct Failure {
    space: &'static str,
    time: Option<u32>,
    need: u64,
    limit: u64,
}

impl Failure {
    fn explain(self, tasks: &[Task], layers: &[LayerInfo]) -> PlanError {
        let error = PlanError::resource(format!("{} bytes", self.space), self.need, self.limit);
        let layer =
            self.time.and_then(|t| tasks.get(t as usize)).and_then(|task| layers.get(task.layer as usize));
        match layer {
            Some(layer) => error.in_layer(&layer.name),
            None => error,
        }
    }
}

/// The scratch buffers in use in one space, with the granule they are rounded to.
fn scratch(
    buffers: &[Buffer],
    live: &[Option<Live>],
    space: Space,
    granule: u64,
) -> (Vec<usize>, Vec<Request>) {
    let granule = granule.max(1);
    let mut indices = Vec::new();
    let mut requests = Vec::new();
    for (i, (buffer, range)) in buffers.iter().zip(live).enumerate() {
        let (Some(range), true) = (range, buffer.space == space && buffer.role == Role::Scratch) else {
            continue;
        };
        indices.push(i);
        requests.push(Request {
            bytes: buffer.bytes.checked_next_multiple_of(granule).unwrap_or(u64::MAX),
            align: buffer.align.max(granule),
            first: range.first,
            last: range.last,
        });
    }
    (indices, requests)
}

fn place_sram(
    buffers: &[Buffer],
    live: &[Option<Live>],
    machine: &Machine,
    result: &mut Addresses,
) -> Result<(), Failure> {
    let limit = machine.sram_bytes;
    let (indices, requests) = scratch(buffers, live, Space::Sram, machine.sram_granule.into());
    let placed = fit(&requests, limit, Effort::Spread).map_err(|misfit| Failure {
        space: "SRAM",
        time: Some(misfit.time),
        need: misfit.need,
        limit,
    })?;
    for (i, offset) in indices.into_iter().zip(placed.offsets) {
        result.of[i] = offset;
    }
    result.sram_bytes = placed.end;
    Ok(())
}

fn place_dram(
    buffers: &[Buffer],
    live: &[Option<Live>],
    machine: &Machine,
    result: &mut Addresses,
) -> Result<(), Failure> {
    let limit = machine.dram_bytes;
    let mut end = 0u64;
    let too_big = |time, need| Failure { space: "DRAM", time, need, limit };
    for class in [Class::Const, Class::Input, Class::Output] {
        for (i, buffer) in buffers.iter().enumerate() {
            if buffer.space != Space::Dram || Class::of(&buffer.role) != class {
                continue;
            }
            let time = live[i].map(|l| l.first);
            let at = end.checked_next_multiple_of(buffer.align.max(DRAM_ALIGN)).unwrap_or(u64::MAX);
            let top = at.saturating_add(buffer.bytes);
            if top > limit || top == u64::MAX {
                return Err(too_big(time, top));
            }
            result.of[i] = at;
            end = top;
        }
        if class == Class::Const {
            result.const_bytes = end;
        }
    }
    let (indices, requests) = scratch(buffers, live, Space::Dram, DRAM_ALIGN);
    // A multiple of the largest alignment keeps the scratch offsets aligned.
    let align = requests.iter().map(|r| r.align).max().unwrap_or(DRAM_ALIGN);
    let base =
        if requests.is_empty() { end } else { end.checked_next_multiple_of(align).unwrap_or(u64::MAX) };
    let room = limit.checked_sub(base).ok_or_else(|| too_big(None, base))?;
    let placed = fit(&requests, room, Effort::Tight)
        .map_err(|misfit| too_big(Some(misfit.time), base.saturating_add(misfit.need)))?;
    for (i, offset) in indices.into_iter().zip(placed.offsets) {
        result.of[i] = base + offset;
    }
    result.dram_bytes = base + placed.end;
    Ok(())
}

/// The order of the buffers in DRAM.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Const,
    Input,
    Output,
    Scratch,
}

impl Class {
    fn of(role: &Role) -> Self {
        match role {
            Role::Const(_) => Class::Const,
            Role::Input { .. } => Class::Input,
            Role::Output { .. } => Class::Output,
            Role::Scratch => Class::Scratch,
        }
    }
}

/// The constant image: every constant at its address, zeros in between.
///
/// # Errors
/// An internal error if a constant is longer than its buffer or its address is out of the image.
pub fn const_image(buffers: &[Buffer], addresses: &Addresses) -> Result<Vec<u8>, PlanError> {
    let size = usize::try_from(addresses.const_bytes)
        .map_err(|_| PlanError::resource("bytes of constants", addresses.const_bytes, usize::MAX as u64))?;
    let mut image = vec![0; size];
    for (i, (buffer, &at)) in buffers.iter().zip(&addresses.of).enumerate() {
        let Role::Const(bytes) = &buffer.role else { continue };
        let target = usize::try_from(at)
            .ok()
            .filter(|_| bytes.len() as u64 <= buffer.bytes)
            .and_then(|at| Some(at..at.checked_add(bytes.len())?))
            .and_then(|range| image.get_mut(range));
        let Some(target) = target else {
            return Err(PlanError::internal(format!("constant buffer {i} does not fit the image")));
        };
        target.copy_from_slice(bytes);
    }
    Ok(image)
}

#[cfg(test)]
mod tests;
