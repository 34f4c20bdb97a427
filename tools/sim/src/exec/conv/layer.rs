//! Weight sets and tables, prepared for a kernel once and used as long as memory holds the same bytes.
//!
//! A prepared layer keeps the bytes that it was made from and is used only after comparing them with those in memory:
//! it equals what decoding would give, whatever the program did in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use dpu_isa::{ConvInv, ConvVar, Method, WeightEntry};
use rayon::prelude::*;
use strum_files::budget::{self, Claim};

use super::super::ppe::{Channels, ENTRY, load_table};
use super::{decode_set, runs_of};
use crate::error::Fault;
use crate::hazard::Constancy;
use crate::kernel::{Blocks, Kernel, Operands, PanelMut, Panels};
use crate::memory;
use crate::weights::Decoder;

/// Maximum size of the prepared layers that are kept, and the share of the available memory that they may
/// take.
const MAX_BYTES: u64 = 2 << 30;
const SHARE: u64 = 4;

/// A layer's weights and table in a kernel's form.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The layer and the shape that it was prepared for.
    inv: ConvInv,
    shape: Shape,
    table: Vec<u8>,
    /// Contiguous packed bytes: start relative to the variant's `weights`, and the bytes.
    packed: Vec<(u64, Vec<u8>)>,
    /// Low members per pixel.
    pub(super) low: u64,
    pub(super) channels: Channels,
    pub(super) weights: Prepared,
}

/// Decoded weights.
#[derive(Debug)]
pub(super) enum Prepared {
    /// For [`Kernel::block`].
    Panels(Panels),
    /// Depthwise: `[tap][channel]` less the zero point, and the initial sum of each channel.
    Taps(Vec<i16>, Vec<i32>),
}

/// The inputs of a prepared layer besides the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    in_c: u32,
    out_c: u32,
    kernel: (u16, u16),
    acc_out: bool,
}

impl Shape {
    fn of(var: &ConvVar) -> Shape {
        Shape { in_c: var.in_c, out_c: var.out_c, kernel: (var.kernel_h, var.kernel_w), acc_out: var.acc_out }
    }
}

/// The invariant as far as a prepared layer depends on it, for comparison: every irrelevant field has a constant value. These are where
/// the layer runs and how the array shares it, where its windows lie, and the table that follows. A new field of the instruction is
/// relevant until it is named here.
fn relevant(inv: &ConvInv) -> ConvInv {
    ConvInv {
        tile: 0,
        slot: 0,
        stride_y: 1,
        stride_x: 1,
        dilation_y: 1,
        // Whether it is 1 decides the order of the weights: only then the taps of a row are contiguous
        // (`runs_of`).
        dilation_x: inv.dilation_x.min(2),
        lut: false,
        lut_addr: 0,
        sched_oc: 1,
        sched_oy: 1,
        sched_ox: 1,
        sched_ic: 1,
        ..*inv
    }
}

impl Layer {
    /// Reads table and weights, checks every bit of them, and packs them for the kernel.
    fn new(
        (kernel, threads): (Kernel, usize),
        inv: &ConvInv,
        var: &ConvVar,
        sram: &[u8],
    ) -> Result<Layer, Fault> {
        let entries = load_table(sram, inv, var)?;
        let table = memory::slice(sram, u64::from(var.table), ENTRY * u64::from(var.out_c))?.to_vec();
        let decoder = Decoder::new(inv)?;
        let depth = if inv.depthwise { var.out_c } else { var.in_c };
        let bytes = decoder.read_bytes(var.kernel_h, var.kernel_w, depth);
        let mut packed: Vec<(u64, Vec<u8>)> = Vec::new();
        let sets = if inv.depthwise { 1 } else { entries.len() };
        for entry in entries.iter().take(sets) {
            let offset = u64::from(entry.weight_offset);
            let set = memory::slice(sram, u64::from(var.weights) + offset, bytes)?;
            match packed.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == offset => run.extend_from_slice(set),
                Some(_) | None => {
                    // In most cases all sets are contiguous.
                    let all = if packed.is_empty() { set.len().saturating_mul(sets) } else { set.len() };
                    let mut run = Vec::with_capacity(all.min(sram.len()));
                    run.extend_from_slice(set);
                    packed.push((offset, run));
                }
            }
        }
        let channels = Channels::new(inv, &entries, var.acc_out)?;
        let source = Source { kernel, inv, var, sram, decoder: &decoder, bytes };
        let (low, weights) =
            if inv.depthwise { source.taps(&entries)? } else { source.panels(threads, &entries)? };
        Ok(Layer { inv: relevant(inv), shape: Shape::of(var), table, packed, low, channels, weights })
    }

    /// Whether the variant has this layer: the same fields, and the same bytes in memory.
    pub(crate) fn is_of(&self, inv: &ConvInv, var: &ConvVar, sram: &[u8]) -> bool {
        let same = |start: u64, bytes: &[u8]| {
            memory::slice(sram, start, bytes.len() as u64).is_ok_and(|found| found == bytes)
        };
        self.shape == Shape::of(var)
            && self.inv == relevant(inv)
            && same(u64::from(var.table), &self.table)
            && self.packed.iter().all(|(offset, bytes)| same(u64::from(var.weights) + offset, bytes))
    }

    /// Whether the variant has this layer's table, and so accesses the same addresses.
    fn has_table_of(&self, inv: &ConvInv, var: &ConvVar, sram: &[u8]) -> bool {
        let table = memory::slice(sram, u64::from(var.table), self.table.len() as u64);
        self.shape == Shape::of(var) && self.inv == relevant(inv) && table.is_ok_and(|t| t == self.table)
    }

    /// Host memory of the layer in bytes.
    fn size(&self) -> usize {
        let packed: usize = self.packed.iter().map(|(_, bytes)| bytes.len()).sum();
        let weights = match &self.weights {
            Prepared::Panels(panels) => panels.size(),
            Prepared::Taps(taps, _) => 2 * taps.len(),
        };
        packed.saturating_add(3 * self.table.len()).saturating_add(weights)
    }
}

/// Buffers for one weight set, and the decoder for sets with a given code shift.
struct Sets {
    words: Vec<i16>,
    bytes: Vec<i8>,
    blocks: Option<(u8, Option<Blocks>)>,
}

/// The source of a layer's weights.
struct Source<'a> {
    kernel: Kernel,
    inv: &'a ConvInv,
    var: &'a ConvVar,
    sram: &'a [u8],
    decoder: &'a Decoder,
    /// Bytes per set.
    bytes: u64,
}

impl Source<'_> {
    fn set(&self, entry: &WeightEntry) -> Result<&[u8], Fault> {
        memory::slice(self.sram, u64::from(self.var.weights) + u64::from(entry.weight_offset), self.bytes)
    }

    /// One set per output channel, on this many threads of the current pool.
    fn panels(&self, threads: usize, entries: &[WeightEntry]) -> Result<(u64, Prepared), Fault> {
        let (runs, run) = runs_of(self.inv, self.var);
        let mut panels = Panels::new(self.kernel, entries.len(), runs, run);
        let sets = || Sets { words: vec![0; runs * run], bytes: vec![0; runs * run], blocks: None };
        let fill = |sets: &mut Sets, mut panel: PanelMut<'_>| self.fill(entries, runs, &mut panel, sets);
        let parts = panels.parts_mut();
        // Of several faults, the first is reported.
        let low: Vec<Result<u64, Fault>> = if threads > 1 && parts.len() > 1 {
            parts.into_par_iter().map_init(sets, fill).collect()
        } else {
            let mut sets = sets();
            parts.into_iter().map(|panel| fill(&mut sets, panel)).collect()
        };
        let low = low.into_iter().sum::<Result<u64, Fault>>()?;
        Ok((low, Prepared::Panels(panels)))
    }

    /// Fills a panel. Returns its low members.
    fn fill(
        &self,
        entries: &[WeightEntry],
        runs: usize,
        panel: &mut PanelMut<'_>,
        sets: &mut Sets,
    ) -> Result<u64, Fault> {
        let (inv, var) = (self.inv, self.var);
        let channels = panel.channels();
        let mut low = 0u64;
        for (oc, entry) in entries.iter().enumerate().take(channels.end).skip(channels.start) {
            let named = |mut fault: Fault| {
                fault.detail = format!("output channel {oc}: {}", fault.detail);
                fault
            };
            let at = oc - channels.start;
            let start = if var.acc_out { 0 } else { entry.bias };
            match self.kernel.operands() {
                Operands::Bytes => {
                    low += self.decode_bytes(entry, sets).map_err(named)?;
                    panel.set_bytes(at, &sets.bytes, runs);
                    // Stored weights are bytes; activations are biased to be unsigned.
                    let bias = 128 + i32::from(inv.in_zp);
                    let sum = sets.bytes.iter().fold(0i32, |sum, &w| sum.wrapping_add(w.into()));
                    panel.set_start(at, start.wrapping_sub(bias.wrapping_mul(sum)));
                }
                Operands::Words => {
                    let set = self.set(entry)?;
                    let found = decode_set(self.decoder, set, var.in_c, entry.code_shift, &mut sets.words);
                    low += found.map_err(named)?;
                    panel.set_words(at, &sets.words, runs);
                    panel.set_start(at, start);
                }
            }
        }
        Ok(low)
    }

    /// Decodes a set to stored bytes, zero point included. Returns its low members.
    fn decode_bytes(&self, entry: &WeightEntry, sets: &mut Sets) -> Result<u64, Fault> {
        let Sets { words, bytes, blocks } = sets;
        let set = self.set(entry)?;
        if self.inv.method == Method::Dense && entry.code_shift == 0 {
            bytes.iter_mut().zip(set).for_each(|(to, from)| *to = from.cast_signed());
            return Ok(0);
        }
        if blocks.as_ref().is_none_or(|(shift, _)| *shift != entry.code_shift) {
            *blocks = Some((entry.code_shift, self.decoder.blocks(entry.code_shift)));
        }
        if let Some((_, Some(blocks))) = blocks
            && let Some(low) = self.kernel.decode(blocks, set, self.var.in_c as usize, bytes)
        {
            return Ok(low);
        }
        let low = decode_set(self.decoder, set, self.var.in_c, entry.code_shift, words)?;
        let zero_point = self.inv.wt_zp;
        bytes.iter_mut().zip(words).for_each(|(to, from)| *to = (*from + zero_point) as i8);
        Ok(low)
    }

    /// One set for all channels.
    fn taps(&self, entries: &[WeightEntry]) -> Result<(u64, Prepared), Fault> {
        let (inv, var) = (self.inv, self.var);
        let channels = entries.len();
        let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
        let mut weights = vec![0; taps * channels];
        let first = entries.first().copied().unwrap_or_default();
        let low = decode_set(self.decoder, self.set(&first)?, var.out_c, first.code_shift, &mut weights)?;
        let mut start: Vec<i32> = entries.iter().map(|e| if var.acc_out { 0 } else { e.bias }).collect();
        for tap in weights.chunks_exact(channels.max(1)) {
            for (to, &w) in start.iter_mut().zip(tap) {
                *to = to.wrapping_sub(i32::from(inv.in_zp) * i32::from(w));
            }
        }
        Ok((low, Prepared::Taps(weights, start)))
    }
}

/// How a convolution of a recorded run was computed.
#[derive(Clone, Debug)]
pub(crate) enum Trace {
    /// It used a layer.
    Layer(Arc<Layer>),
    /// It cached nothing; whether its weights were dense.
    Plain {
        /// Any bytes are legal dense weights.
        dense: bool,
    },
}

/// What a replay knows of a convolution.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// It has this layer.
    Certain(Arc<Layer>),
    /// It has this layer if memory holds the same bytes.
    Likely(Arc<Layer>),
    /// Its weights are decoded again, which changes no address.
    Plain,
}

impl Expected {
    /// Derived from a recorded run and from what is constant; `None` if nothing is certain.
    pub(crate) fn of(trace: &Trace, constant: Constancy) -> Option<Expected> {
        match trace {
            Trace::Layer(layer) if constant.table && constant.weights => {
                Some(Expected::Certain(Arc::clone(layer)))
            }
            Trace::Layer(layer) => Some(Expected::Likely(Arc::clone(layer))),
            Trace::Plain { dense } => {
                (constant.table && (constant.weights || *dense)).then_some(Expected::Plain)
            }
        }
    }
}

/// Prepared layers, by the addresses that their variants use.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    known: BTreeMap<[u32; 6], Vec<Arc<Layer>>>,
    bytes: u64,
    claims: Vec<Claim>,
    /// The trace of all convolutions so far.
    trace: Vec<Trace>,
    /// The recorded run being replayed, if any, and how many of its convolutions have been executed.
    expected: Option<(Arc<[Expected]>, usize)>,
    surprised: bool,
}

impl Layers {
    /// The layer of a variant, prepared on this many threads of the current pool.
    ///
    /// # Errors
    /// When table or weights are illegal.
    pub(super) fn get(
        &mut self,
        kernel: (Kernel, usize),
        inv: &ConvInv,
        var: &ConvVar,
        sram: &[u8],
    ) -> Result<Arc<Layer>, Fault> {
        if let Some((all, next)) = &mut self.expected {
            let expected = all.get(*next);
            *next += 1;
            match expected {
                Some(Expected::Certain(layer)) => return Ok(Arc::clone(layer)),
                Some(Expected::Likely(layer)) if layer.is_of(inv, var, sram) => {
                    return Ok(Arc::clone(layer));
                }
                // Dense weights may be activations: they change no address and no count.
                Some(Expected::Likely(layer)) => {
                    let harmless = inv.method == Method::Dense && layer.has_table_of(inv, var, sram);
                    self.surprised |= !harmless;
                }
                Some(Expected::Plain) => {}
                None => self.surprised = true,
            }
            return Layer::new(kernel, inv, var, sram).map(Arc::new);
        }
        let taps = u32::from(var.kernel_h) << 16 | u32::from(var.kernel_w);
        let key = [var.weights, var.table, var.in_c, var.out_c, taps, u32::from(var.tile)];
        let known = self.known.entry(key).or_default();
        let layer = match known.iter().find(|layer| layer.is_of(inv, var, sram)) {
            Some(layer) => Arc::clone(layer),
            None => {
                let layer = Arc::new(Layer::new(kernel, inv, var, sram)?);
                let size = layer.size() as u64;
                let most = MAX_BYTES.min(budget::left() / SHARE);
                let claim = budget::claim("prepared weights", size).ok().filter(|_| size <= most);
                let Some(claim) = claim.filter(|_| self.bytes.saturating_add(size) <= MAX_BYTES) else {
                    self.trace.push(Trace::Plain { dense: inv.method == Method::Dense });
                    return Ok(layer);
                };
                self.bytes += size;
                self.claims.push(claim);
                known.push(Arc::clone(&layer));
                layer
            }
        };
        self.trace.push(Trace::Layer(Arc::clone(&layer)));
        Ok(layer)
    }

    /// A convolution diverged from the recording.
    pub(super) fn skip(&mut self, inv: &ConvInv) {
        match &mut self.expected {
            Some((all, next)) => {
                self.surprised |= !matches!(all.get(*next), Some(Expected::Plain));
                *next += 1;
            }
            None => self.trace.push(Trace::Plain { dense: inv.method == Method::Dense }),
        }
    }

    /// The trace of all convolutions, in order.
    pub(crate) fn take_trace(&mut self) -> Vec<Trace> {
        std::mem::take(&mut self.trace)
    }

    /// The convolutions expected from now on.
    pub(crate) fn expect(&mut self, all: &Arc<[Expected]>) {
        self.expected = Some((Arc::clone(all), 0));
        self.surprised = false;
    }

    /// Whether exactly the expected convolutions came, dense weights aside.
    pub(crate) fn met_expectations(&self) -> bool {
        let all = self.expected.as_ref().is_none_or(|(all, next)| *next == all.len());
        all && !self.surprised
    }
}
