//! The precision that a binary actually has: every weight set that a convolution reads, found by following the DMA copies of the
//! instruction stream from the constants into SRAM, decoded and counted.
//!
//! Invariant: only the program itself is read, so the audit shows what the machine will execute, not what the compiler intended.
//! A set that several tiles of a layer read counts once.

mod origin;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use dpu_isa::weights::ENTRY_BYTES;
use dpu_isa::{
    ConvInv, ConvVar, DmaCopy, Instr, InstrMeta, MemAddr, Program, Slots, Space, WeightEntry, WeightFormat,
};
use serde::Serialize;
use strum_formats::{Audit, Format, InstrFields, Shape, audit_set};
use thiserror::Error;

use origin::{Origins, Piece};

/// Why a binary cannot be audited: the weight table or a weight set does not match the instruction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("instruction {instr} (conv_var), output channel {channel}: {what}")]
pub struct AuditError {
    /// Index of the instruction.
    pub instr: usize,
    /// The output channel; the first for a depthwise layer, whose channels share a set.
    pub channel: u64,
    /// What is wrong.
    pub what: String,
}

/// The weights of one layer, or of the whole program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerAudit {
    /// Name of the layer.
    pub name: String,
    /// Operation of the layer.
    pub op: String,
    /// Weight formats in use, in the dialect's syntax.
    pub formats: Vec<String>,
    /// Number of weights.
    pub weights: u64,
    /// Weights stored low.
    pub low: u64,
    /// Stored bytes, masks and padding included.
    pub bytes: u64,
    /// Stored bits per weight; 0 without weights.
    pub bits_per_weight: f64,
    /// Tasks whose weights are computed at run time and are therefore not in the binary.
    pub dynamic_tasks: u64,
    /// Multiplicity of every value stored high, from −128 to 127.
    pub high_values: Vec<u64>,
    /// Multiplicity of every value stored low, from −128 to 127.
    pub low_values: Vec<u64>,
}

impl LayerAudit {
    /// Share of weights stored low, 0..=1; 0 without weights.
    #[must_use]
    pub fn low_share(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { self.low as f64 / self.weights as f64 }
    }
}

/// The audit of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgramAudit {
    /// Layers that read weights, in program order.
    pub layers: Vec<LayerAudit>,
    /// All of them together.
    pub total: LayerAudit,
}

impl ProgramAudit {
    /// A line for a summary, if packed weights take more than a byte each: narrow layers fill no whole blocks, nor words. Empty
    /// if they do not, or all of them are dense, which was nobody's choice.
    #[must_use]
    pub fn growth(&self) -> String {
        let LayerAudit { weights, bytes, formats, .. } = &self.total;
        if bytes <= weights || formats.iter().all(|format| format == "dense") {
            return String::new();
        }
        let grown = self.layers.iter().filter(|layer| layer.bytes > layer.weights).count();
        format!(
            "grown   {:.3} bytes a weight: those of {grown} of {} layers do not fill their blocks, or words of 16 bytes\n",
            *bytes as f64 / (*weights).max(1) as f64,
            self.layers.len(),
        )
    }
}

/// Audits `program`, which must have passed [`Program::validate`].
///
/// # Errors
/// A weight table or weight set is unreadable or not canonical.
pub fn audit(program: &Program) -> Result<ProgramAudit, AuditError> {
    let mut walk = Walk { program, slots: Slots::default(), tiles: BTreeMap::new(), layers: BTreeMap::new() };
    for (index, instr) in program.instrs.iter().enumerate() {
        walk.step(index, instr)?;
    }
    Ok(walk.finish())
}

/// The counts of a layer so far.
#[derive(Default)]
struct Tally {
    audit: Audit,
    formats: BTreeSet<String>,
    seen: BTreeSet<Vec<Piece>>,
    dynamic_tasks: u64,
}

struct Walk<'p> {
    program: &'p Program,
    slots: Slots,
    /// The contents of each tile's SRAM.
    tiles: BTreeMap<u8, Origins>,
    layers: BTreeMap<u32, Tally>,
}

impl Walk<'_> {
    fn step(&mut self, index: usize, instr: &Instr) -> Result<(), AuditError> {
        // A validated program fills its slots before it uses them.
        let inv = self.slots.step(instr).ok().flatten().copied();
        if let (Instr::ConvVar(var), Some(Instr::ConvInv(inv))) = (instr, &inv) {
            self.convolution(index, inv, var)?;
        }
        let tile = self.tiles.entry(instr.tile().unwrap_or(0)).or_default();
        for access in instr.footprint(inv.as_ref()).iter().filter(|a| a.write && a.space == Space::Sram) {
            tile.forget(access.lo, access.len);
        }
        if let Instr::DmaCopy(copy) = instr {
            follow(copy, tile, self.program.consts.len() as u64);
        }
        Ok(())
    }

    fn constant(&self, pieces: &[Piece]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for &(address, len) in pieces {
            let (lo, len) = (usize::try_from(address).ok()?, usize::try_from(len).ok()?);
            bytes.extend_from_slice(self.program.consts.get(lo..lo.checked_add(len)?)?);
        }
        Some(bytes)
    }

    fn convolution(&mut self, instr: usize, inv: &ConvInv, var: &ConvVar) -> Result<(), AuditError> {
        let layer = self.program.meta.get(instr).map_or(InstrMeta::NONE, |m| m.layer);
        let mut tally = self.layers.remove(&layer).unwrap_or_default();
        let sets = if inv.depthwise { 1 } else { u64::from(var.out_c) };
        let origins = self.tiles.entry(var.tile).or_default().clone();
        for channel in 0..sets {
            let fail = |what: String| AuditError { instr, channel, what };
            let found = self.set(&origins, inv, var, channel).map_err(fail)?;
            let Some((pieces, entry)) = found else {
                tally.dynamic_tasks += 1;
                break;
            };
            if tally.seen.contains(&pieces) {
                continue;
            }
            let format = format_of(inv, entry.code_shift)
                .ok_or_else(|| fail(format!("method {} is not known", inv.method)))?;
            let set = self.constant(&pieces).unwrap_or_default();
            let counts = audit_set(format, set_shape(inv, var), entry.code_shift, &set)
                .map_err(|error| fail(format!("weight set at {:#x}: {error}", address_of(&pieces))))?;
            tally.audit.merge(&counts);
            tally.formats.insert(format.to_string());
            tally.seen.insert(pieces);
        }
        self.layers.insert(layer, tally);
        Ok(())
    }

    /// The weight set of an output channel, as pieces of the constants, with its table entry; nothing if one of them is
    /// computed at run time.
    fn set(
        &self,
        origins: &Origins,
        inv: &ConvInv,
        var: &ConvVar,
        channel: u64,
    ) -> Result<Option<(Vec<Piece>, WeightEntry)>, String> {
        let at = u64::from(var.table) + channel * ENTRY_BYTES;
        let Some(entry) = origins.pieces(at, ENTRY_BYTES).and_then(|pieces| self.constant(&pieces)) else {
            return Ok(None);
        };
        let entry: [u8; 16] = entry.try_into().map_err(|_| "a table entry that is no constant".to_owned())?;
        let entry =
            WeightEntry::decode(&entry).map_err(|error| format!("table entry at {at:#x}: {error}"))?;
        let channels = if inv.depthwise { var.out_c } else { var.in_c };
        let size = WeightFormat::of(inv).set_bytes(var.kernel_h, var.kernel_w, channels);
        let size = size.ok_or_else(|| "the size of a weight set overflows".to_owned())?;
        let address = u64::from(var.weights) + u64::from(entry.weight_offset);
        Ok(origins.pieces(address, size).map(|pieces| (pieces, entry)))
    }

    fn finish(self) -> ProgramAudit {
        let mut total = Tally::default();
        let mut layers = Vec::new();
        for (index, tally) in &self.layers {
            total.audit.merge(&tally.audit);
            total.formats.extend(tally.formats.iter().cloned());
            total.dynamic_tasks += tally.dynamic_tasks;
            let layer = usize::try_from(*index).ok().and_then(|index| self.program.layers.get(index));
            let (name, op) = layer.map_or(("-", "-"), |layer| (&layer.name, &layer.op));
            layers.push(row(name, op, tally));
        }
        ProgramAudit { layers, total: row("total", "", &total) }
    }
}

/// Follows a copy of constants into SRAM, segment by segment.
fn follow(copy: &DmaCopy, tile: &mut Origins, consts: u64) {
    let (MemAddr { space: Space::Dram, offset: src }, MemAddr { space: Space::Sram, offset: dst }) =
        (copy.src, copy.dst)
    else {
        return;
    };
    // Inner dimensions that are contiguous on both sides form one segment.
    let mut run = u64::from(copy.element);
    let mut outer = 6;
    for k in (0..6).rev() {
        let packed = copy.src_strides[k] == run && copy.dst_strides[k] == run;
        if copy.dims[k] != 1 && !packed {
            break;
        }
        run = run.saturating_mul(u64::from(copy.dims[k]));
        outer = k;
    }
    let dims = copy.dims.get(..outer).unwrap_or_default();
    let rows = dims.iter().fold(1u64, |rows, &d| rows.saturating_mul(u64::from(d)));
    for row in 0..rows {
        let (mut rest, mut from, mut to) = (row, src, dst);
        for (k, &d) in dims.iter().enumerate().rev() {
            let index = rest % u64::from(d).max(1);
            rest /= u64::from(d).max(1);
            from = from.saturating_add(index.saturating_mul(copy.src_strides[k]));
            to = to.saturating_add(index.saturating_mul(copy.dst_strides[k]));
        }
        if from.saturating_add(run) <= consts {
            tile.write(to, run, from);
        }
    }
}

fn address_of(pieces: &[Piece]) -> u64 {
    pieces.first().map_or(0, |(address, _)| *address)
}

fn set_shape(inv: &ConvInv, var: &ConvVar) -> Shape {
    let channels = if inv.depthwise { var.out_c } else { var.in_c };
    Shape {
        oc: 1,
        kh: usize::from(var.kernel_h),
        kw: usize::from(var.kernel_w),
        ic: usize::try_from(channels).unwrap_or(usize::MAX),
    }
}

fn row(name: &str, op: &str, tally: &Tally) -> LayerAudit {
    LayerAudit {
        name: name.into(),
        op: op.into(),
        formats: tally.formats.iter().cloned().collect(),
        weights: tally.audit.weights,
        low: tally.audit.low,
        bytes: tally.audit.bytes,
        bits_per_weight: tally.audit.bits_per_weight(),
        dynamic_tasks: tally.dynamic_tasks,
        high_values: tally.audit.high_values.to_vec(),
        low_values: tally.audit.low_values.to_vec(),
    }
}

/// The format that an invariant declares; nothing if the compiler does not support its method.
fn format_of(inv: &ConvInv, code_shift: u8) -> Option<Format> {
    let (method, block, low) = (inv.method as usize, inv.block, inv.low);
    Format::from_instr_fields(
        InstrFields { method, block, low, param: inv.param, zero: inv.zero },
        code_shift,
    )
}
