//! Checker of window plans: walks the tasks and proves what they compute, independent of the tiling.
//!
//! From the copies alone it derives which bytes are in every slot when a variant runs, and from the store which outputs the
//! variant computed. For these outputs it returns to the layer description: every tap inside the input is read from the right
//! byte with the right weight, exactly once, and every tap in the padding is left out. Every output is stored exactly once, all
//! accesses stay inside their buffers, and all slots together fit the SRAM.

mod map;
#[cfg(test)]
mod tests;
mod weights;
mod window;

use std::collections::BTreeMap;

use dpu_isa::{DmaCopy, Instr, SlotUse, Space, UnaryOp};

use crate::conv::weights::{Channels, Claim, Source};
use crate::draft::{BufferId, Draft, Task};
use crate::error::PlanError;
use crate::view::Field;

use map::{Chain, Map};
use weights::WeightCheck;
use window::{Pass, Stored};

/// The start of a layer's tasks and buffers in a draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    tasks: usize,
    buffers: usize,
}

impl Mark {
    /// The current end of the draft.
    pub(crate) fn of(draft: &Draft) -> Self {
        Mark { tasks: draft.tasks.len(), buffers: draft.buffers.len() }
    }
}

/// The layer description to check against.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Tensors and geometry. Its axes are not used here.
    pub(crate) field: &'a Field,
    /// Depthwise and pooling: output channels per input channel.
    pub(crate) per_channel: Option<u64>,
    /// Weights, with bias and scale, and the declared contents of each constant chunk.
    pub(crate) weights: Option<(Source<'a>, Channels<'a>, &'a BTreeMap<BufferId, Claim>)>,
}

/// The contents of an SRAM buffer.
#[derive(Clone, Debug)]
enum Content {
    /// A copy.
    Copy(Chain),
    /// The same value everywhere.
    Fill(i32),
}

/// An internal error with the checker's finding.
fn wrong(what: impl std::fmt::Display) -> PlanError {
    PlanError::internal(format!("the checker refuses the plan: {what}"))
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(wrong(what())) }
}

/// Checks the tasks from `mark` on, whose slots may use `sram_bytes`.
///
/// # Errors
/// An internal error naming the first fault.
pub(crate) fn check(
    draft: &Draft,
    sram_bytes: u64,
    subject: &Subject<'_>,
    mark: Mark,
) -> Result<(), PlanError> {
    let sram = draft.buffers.iter().skip(mark.buffers).filter(|b| b.space == Space::Sram);
    let bytes: u64 = sram.map(|b| super::round_up(b.bytes)).sum();
    ensure(bytes <= sram_bytes, || format!("slots of {bytes} bytes in {sram_bytes} of SRAM"))?;
    let mut content = BTreeMap::new();
    let input = subject.field.input.buffer;
    if subject.field.input.held {
        content.insert(input, Content::Copy([whole(draft, input)?].into()));
    }
    if let Some((Source::Dynamic(weights), ..)) = subject.weights
        && draft.holds(weights.buffer)?
    {
        content.insert(weights.buffer, Content::Copy([whole(draft, weights.buffer)?].into()));
    }
    let mut walk = Walk {
        draft,
        subject,
        weights: WeightCheck::new(draft, subject),
        content,
        slots: BTreeMap::new(),
        group: Vec::new(),
        finished: BTreeMap::new(),
        stored: Stored::new(subject.field),
    };
    for (i, task) in draft.tasks.iter().enumerate().skip(mark.tasks) {
        walk.bounds(task)
            .and_then(|()| walk.task(task))
            .map_err(|e| PlanError::internal(format!("task {i} ({}): {e}", task.instr.desc().mnemonic)))?;
    }
    ensure(walk.group.is_empty() && walk.finished.is_empty(), || "results are left over".to_owned())?;
    walk.stored.finish()
}

struct Walk<'a> {
    draft: &'a Draft,
    subject: &'a Subject<'a>,
    weights: WeightCheck<'a>,
    content: BTreeMap<BufferId, Content>,
    /// Invariants.
    slots: BTreeMap<u8, Task>,
    /// Passes of the current sum.
    group: Vec<Pass>,
    /// The sums whose results are in each output slot, by their passes.
    finished: BTreeMap<BufferId, Vec<Vec<Pass>>>,
    stored: Stored,
}

impl Walk<'_> {
    /// Every access lies inside its buffer.
    fn bounds(&self, task: &Task) -> Result<(), PlanError> {
        let slot = match task.instr.slot_use() {
            SlotUse::Needs(slot) => Some(slot),
            SlotUse::Fills(_) | SlotUse::None => None,
        };
        let inv = slot.and_then(|s| self.slots.get(&s));
        ensure(slot.is_none() || inv.is_some(), || "a variant without an invariant".to_owned())?;
        for access in task.instr.footprint(inv.map(|t| &t.instr)) {
            let id = match access.field.strip_prefix("inv.") {
                Some(field) => inv.and_then(|t| t.buffer(field)),
                None => task.buffer(access.field),
            };
            let id = id.ok_or_else(|| wrong(format!("no buffer for {}", access.field)))?;
            let buffer = self.draft.buffer(id)?;
            ensure(access.space == buffer.space && access.end() <= buffer.bytes, || {
                format!("{} reaches byte {} of {}", access.field, access.end(), buffer.bytes)
            })?;
        }
        Ok(())
    }

    fn task(&mut self, task: &Task) -> Result<(), PlanError> {
        let buf = |field: &str| task.buffer(field).ok_or_else(|| wrong(format!("no buffer for {field}")));
        match &task.instr {
            Instr::DmaCopy(x) => self.copy(x, buf("src")?, buf("dst")?),
            Instr::DmaFill(x) => {
                self.content.insert(buf("dst")?, Content::Fill(x.value));
                Ok(())
            }
            Instr::VecUnary(x) => {
                let plain = x.op == UnaryOp::Copy && x.in_zp == 0 && x.out_zp == 0 && !x.clamp;
                ensure(plain && x.src_dtype == x.out_dtype, || "a copy that changes values".to_owned())?;
                let map = Map::new(
                    (buf("src")?, u64::from(x.src)),
                    u64::from(x.out),
                    x.dims.map(u64::from),
                    x.src_strides.map(u64::from),
                    x.out_strides.map(u64::from),
                    x.src_dtype.bytes(),
                );
                self.load(map, buf("out")?)
            }
            Instr::ConvInv(x) => self.invariant(x.slot, task),
            Instr::PoolInv(x) => self.invariant(x.slot, task),
            Instr::ConvVar(x) => {
                let Some(Task { instr: Instr::ConvInv(inv), .. }) = self.slots.get(&x.slot) else {
                    return Err(wrong("a convolution without an invariant"));
                };
                let tile = self.weights.tile(inv, x, task, &self.content)?;
                let pass = Pass::conv(inv, x, chain(&self.content, buf("act")?)?, tile);
                self.pass(pass, (x.acc_in, x.acc_out), task)
            }
            Instr::PoolVar(x) => {
                let Some(Task { instr: Instr::PoolInv(inv), .. }) = self.slots.get(&x.slot) else {
                    return Err(wrong("a pooling without an invariant"));
                };
                let pass = Pass::pool(inv, x, chain(&self.content, buf("act")?)?);
                self.pass(pass, (x.acc_in, x.acc_out), task)
            }
            other => Err(wrong(format!("{} has no place in a window plan", other.desc().mnemonic))),
        }
    }

    fn invariant(&mut self, slot: u8, task: &Task) -> Result<(), PlanError> {
        self.slots.insert(slot, task.clone());
        Ok(())
    }

    fn copy(&mut self, x: &DmaCopy, src: BufferId, dst: BufferId) -> Result<(), PlanError> {
        let dims = x.dims.map(u64::from);
        if dst != self.subject.field.output.buffer {
            let map = Map::new(
                (src, x.src.offset),
                x.dst.offset,
                dims,
                x.src_strides,
                x.dst_strides,
                x.element.into(),
            );
            return self.load(map, dst);
        }
        let sums = self.finished.remove(&src).ok_or_else(|| wrong("a store of nothing"))?;
        // Seen from the slot: the destination of each of its bytes.
        let map =
            Map::new((dst, x.dst.offset), x.src.offset, dims, x.dst_strides, x.src_strides, x.element.into());
        sums.iter().try_for_each(|passes| self.stored.store(self.subject, &map, passes))
    }

    /// Records a copy into an SRAM buffer.
    fn load(&mut self, map: Map, dst: BufferId) -> Result<(), PlanError> {
        let mut chain = vec![map];
        if self.draft.buffer(map.source_buffer())?.space == Space::Sram {
            match self.content.get(&map.source_buffer()) {
                Some(Content::Copy(before)) => chain.extend(before.iter().copied()),
                _ => return Err(wrong("a copy of nothing")),
            }
        }
        ensure(!self.subject.field.input.held || dst != self.subject.field.input.buffer, || {
            "the input is overwritten".to_owned()
        })?;
        ensure(!self.finished.contains_key(&dst), || {
            "results are overwritten before they are stored".to_owned()
        })?;
        self.content.insert(dst, Content::Copy(chain.into()));
        Ok(())
    }

    /// Adds a pass to the current sum.
    fn pass(&mut self, pass: Pass, (acc_in, acc_out): (bool, bool), task: &Task) -> Result<(), PlanError> {
        let psum = task.buffer("psum");
        let filled = match psum.and_then(|id| self.content.remove(&id)) {
            Some(Content::Fill(value)) if pass.is_max() && value == i32::MIN => true,
            None => false,
            Some(_) => return Err(wrong("the buffer of partial sums does not hold sums")),
        };
        let begins = !acc_in || filled;
        ensure(begins == self.group.is_empty(), || "a sum is mixed with another".to_owned())?;
        self.group.push(pass);
        if acc_out {
            return Ok(());
        }
        let out = task.buffer("out").ok_or_else(|| wrong("results without a buffer"))?;
        let passes = std::mem::take(&mut self.group);
        let output = &self.subject.field.output;
        if output.held && out == output.buffer {
            return self.stored.store(self.subject, &whole(self.draft, out)?, &passes);
        }
        self.finished.entry(out).or_default().push(passes);
        Ok(())
    }
}

/// The bytes of a buffer as a copy of themselves.
fn whole(draft: &Draft, id: BufferId) -> Result<Map, PlanError> {
    let bytes = draft.buffer(id)?.bytes;
    Ok(Map::new((id, 0), 0, [1; 6], [0; 6], [0; 6], bytes))
}

/// The copy that a buffer holds.
fn chain(content: &BTreeMap<BufferId, Content>, id: BufferId) -> Result<Chain, PlanError> {
    match content.get(&id) {
        Some(Content::Copy(chain)) => Ok(chain.clone()),
        _ => Err(wrong("a slot is read before it is loaded")),
    }
}
