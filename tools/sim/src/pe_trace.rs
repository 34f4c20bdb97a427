//! The trace of PEs (`--trace-pe`, `docs/pe-trace.md`): which layers and PEs it has, and its file.
//!
//! Invariant: the file appears whole after a run, or not at all; a trace that cannot be written fails when it is committed, and
//! never changes a result.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufWriter, Write};
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use dpu_isa::{ConvInv, ConvVar, Instr, InstrMeta, Machine, Program, Slots};
use dpu_trace::{Header, Source, Tile, TraceError, Vector, Writer};
use strum_files::{FileError, Staged};

use crate::error::Fault;
use crate::exec::{PeArray, Sink, conv_of, zero_products};
use crate::memory::Memory;

/// PEs of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeRange {
    /// From one number to another, inclusive; numbers are `row · cols + column`.
    Numbers(u16, u16),
    /// The PE in this row and column.
    At(u16, u16),
}

impl FromStr for PeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<PeRange, String> {
        let number = |text: &str| text.parse::<u16>().ok();
        let parsed = match (text.split_once(':'), text.split_once('-')) {
            (Some((row, col)), _) => number(row).zip(number(col)).map(|(row, col)| PeRange::At(row, col)),
            (None, Some((from, to))) => number(from)
                .zip(number(to))
                .filter(|(from, to)| from <= to)
                .map(|(from, to)| PeRange::Numbers(from, to)),
            (None, None) => number(text).map(|n| PeRange::Numbers(n, n)),
        };
        parsed.ok_or_else(|| "expected a number, a range such as 0-3, or ROW:COL".to_owned())
    }
}

/// The requested contents of a trace.
#[derive(Clone, Debug)]
pub struct PeChoice {
    /// Names or indices of layers; if there are none, every layer that can be traced.
    pub layers: Vec<String>,
    /// The PEs.
    pub pes: Vec<PeRange>,
    /// Maximum number of vectors of a layer and PE.
    pub limit: NonZeroU64,
}

impl PeChoice {
    /// The default limit.
    pub const LIMIT: NonZeroU64 = NonZeroU64::new(65_536).unwrap();
}

impl Default for PeChoice {
    fn default() -> Self {
        PeChoice { layers: Vec::new(), pes: vec![PeRange::Numbers(0, 0)], limit: PeChoice::LIMIT }
    }
}

/// Why a choice cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum PeChoiceError {
    /// No layer has this name or index.
    #[error("no layer is called '{name}' or has this index; the convolutions are {known}")]
    UnknownLayer {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// The layer has no convolution.
    #[error("layer '{name}' has no convolution; the convolutions are {known}")]
    NoConvolution {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A PE that the machine does not have.
    #[error("PE {pe} is outside the array of {rows} rows and {cols} columns")]
    Outside {
        /// The PE.
        pe: String,
        /// Rows of the array.
        rows: u32,
        /// Columns of the array.
        cols: u32,
    },
    /// A layer that was named cannot be traced.
    #[error("layer '{name}' cannot be traced: {obstacle}")]
    Obstacle {
        /// The layer.
        name: String,
        /// Why not.
        obstacle: Obstacle,
    },
    /// No layer can be traced.
    #[error("no layer can be traced: {0}")]
    Nothing(String),
    /// The file cannot be created.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a layer cannot be traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// It uses a single lane.
    Depthwise,
    /// Its steps depend on values.
    ZeroSkipping,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::Depthwise => "it is depthwise, which uses one lane of a PE",
            Obstacle::ZeroSkipping => {
                "the machine skips its zeros (zero_skip = 1), so that lanes differ in their steps"
            }
        })
    }
}

/// A layer, by its index in the program; `None` for instructions without one.
type LayerIndex = Option<u32>;

/// The trace of PEs that a run writes.
pub struct PeTrace {
    layers: BTreeSet<LayerIndex>,
    skipped: Vec<String>,
    pes: Vec<u16>,
    limit: u64,
    state: Mutex<State>,
}

struct State {
    /// Absent after the trace has been committed or has failed.
    writer: Option<Writer<BufWriter<Staged>>>,
    failure: Option<TraceError>,
    /// Vectors so far.
    counts: BTreeMap<(LayerIndex, u16), u64>,
    /// Tiles so far.
    tiles: BTreeMap<LayerIndex, u32>,
}

impl fmt::Debug for PeTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeTrace").field("layers", &self.layers).field("pes", &self.pes).finish()
    }
}

impl PeTrace {
    /// Resolves the choice, and starts the file. `machine` is the one that sets the times.
    ///
    /// # Errors
    /// When the choice does not fit program and machine, and when the file cannot be created.
    pub fn create(
        program: &Program,
        machine: &Machine,
        choice: &PeChoice,
        path: &Path,
    ) -> Result<PeTrace, PeChoiceError> {
        let found = convolutions(program, machine);
        let (layers, skipped) = chosen(program, &found, &choice.layers)?;
        let pes = pes(&choice.pes, machine)?;
        let writer = Some(Writer::new(BufWriter::new(Staged::create(path)?)));
        let state = State { writer, failure: None, counts: BTreeMap::new(), tiles: BTreeMap::new() };
        Ok(PeTrace { layers, skipped, pes, limit: choice.limit.get(), state: Mutex::new(state) })
    }

    /// The convolutions that were not chosen by name and cannot be traced, each with the reason.
    #[must_use]
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Completes the file.
    ///
    /// # Errors
    /// When a part of it could not be written.
    pub fn commit(&self, path: &Path) -> Result<(), FileError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let io = |error| match error {
            TraceError::Io(error) => FileError::Io { path: path.to_owned(), error },
            other => FileError::content(path, other.to_string()),
        };
        if let Some(error) = state.failure.take() {
            return Err(io(error));
        }
        let Some(writer) = state.writer.take() else { return Ok(()) };
        let out = writer.finish().map_err(io)?;
        let staged = out.into_inner().map_err(|error| io(error.into_error().into()))?;
        staged.commit()
    }

    /// Writes the section of a tile that is about to be computed.
    ///
    /// # Errors
    /// When its operands are illegal.
    pub(crate) fn tile(
        &self,
        program: &Program,
        index: usize,
        (inv, var): (&ConvInv, &ConvVar),
        machine: &Machine,
        memory: &Memory,
    ) -> Result<(), Fault> {
        let layer = layer_of(program, index);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { writer, failure, counts, tiles } = &mut *state;
        let Some(out) = writer.as_mut().filter(|_| self.layers.contains(&layer)) else { return Ok(()) };
        let conv = conv_of(inv, var, machine)?;
        let array = PeArray::new((inv, var), &conv, machine, memory)?;
        let number = tiles.entry(layer).or_default();
        let described = program.layers.get(layer.map_or(usize::MAX, |n| n as usize));
        let location = described.and_then(|layer| program.locs.get(layer.loc as usize));
        let header = Header {
            machine: machine.clone(),
            manifest: program.manifest.clone(),
            layer: described.map_or_else(String::new, |layer| layer.name.clone()),
            source: Source {
                op: described.map_or_else(String::new, |layer| layer.op.clone()),
                location: location.cloned().unwrap_or_default(),
                instruction: index as u64,
                number: *number,
            },
            tile: Tile {
                in_c: var.in_c,
                kernel_h: var.kernel_h,
                kernel_w: var.kernel_w,
                out_h: var.out_h,
                out_w: var.out_w,
                out_c: var.out_c,
                acc_in: var.acc_in,
                acc_out: var.acc_out,
            },
            vector: conv.vector(machine.lanes),
            word_bytes: conv.word_bytes(machine.lanes),
            pes: self.pes.clone(),
            limit: self.limit,
            act_zero: Some(zero_products(inv, var, machine, memory)?),
            conv,
        };
        *number += 1;
        let mut section = Section { out, counts, layer, limit: self.limit, cut: false, failure: None };
        section.failure = section.out.begin(&header).err();
        array.run(&self.pes, &mut section)?;
        let Section { cut, failure: failed, .. } = section;
        let failed = failed.or_else(|| writer.as_mut().and_then(|out| out.end(cut).err()));
        if failed.is_some() {
            (*writer, *failure) = (None, failed);
        }
        Ok(())
    }
}

/// The section being written.
struct Section<'a, W> {
    out: &'a mut Writer<W>,
    counts: &'a mut BTreeMap<(LayerIndex, u16), u64>,
    layer: LayerIndex,
    limit: u64,
    cut: bool,
    failure: Option<TraceError>,
}

impl<W: Write> Sink for Section<'_, W> {
    fn wants(&mut self, pe: u16) -> bool {
        let full = self.counts.get(&(self.layer, pe)).is_some_and(|&count| count >= self.limit);
        self.cut |= full;
        !full && self.failure.is_none()
    }

    fn vector(&mut self, vector: &Vector) -> ControlFlow<()> {
        let count = self.counts.entry((self.layer, vector.pe)).or_default();
        if *count >= self.limit {
            self.cut = true;
            return ControlFlow::Break(());
        }
        *count += 1;
        self.failure = self.out.vector(vector).err();
        if self.failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The layer of an instruction.
fn layer_of(program: &Program, index: usize) -> LayerIndex {
    program.meta.get(index).map(|meta| meta.layer).filter(|&layer| layer != InstrMeta::NONE)
}

/// The layers with convolutions, each with the reason if it cannot be traced.
fn convolutions(program: &Program, machine: &Machine) -> BTreeMap<LayerIndex, Option<Obstacle>> {
    let (mut found, mut slots) = (BTreeMap::new(), Slots::default());
    for (index, instr) in program.instrs.iter().enumerate() {
        slots.fill(instr);
        let Instr::ConvVar(var) = instr else { continue };
        let Ok(inv) = slots.invariant_of(var) else { continue };
        let obstacle = if inv.depthwise {
            Some(Obstacle::Depthwise)
        } else {
            dpu_cost::skips_zeros(inv, machine).then_some(Obstacle::ZeroSkipping)
        };
        let entry = found.entry(layer_of(program, index)).or_insert(obstacle);
        *entry = entry.or(obstacle);
    }
    found
}

/// The layers to trace, and those that are left out.
fn chosen(
    program: &Program,
    found: &BTreeMap<LayerIndex, Option<Obstacle>>,
    names: &[String],
) -> Result<(BTreeSet<LayerIndex>, Vec<String>), PeChoiceError> {
    let name_of = |layer: &LayerIndex| {
        let named = layer.and_then(|n| program.layers.get(n as usize));
        named.map_or_else(|| "(no layer)".to_owned(), |layer| format!("'{}'", layer.name))
    };
    let mut layers = BTreeSet::new();
    for name in names {
        let known = || found.keys().map(name_of).collect::<Vec<_>>().join(", ");
        let with_name = (0u32..).zip(&program.layers).filter(|(_, l)| l.name == *name).map(|(n, _)| n);
        let mut indices: Vec<u32> = with_name.collect();
        if indices.is_empty() {
            indices.extend(name.parse::<u32>().ok().filter(|&n| (n as usize) < program.layers.len()));
        }
        if indices.is_empty() {
            return Err(PeChoiceError::UnknownLayer { name: name.clone(), known: known() });
        }
        for layer in indices.into_iter().map(Some) {
            match found.get(&layer) {
                None => return Err(PeChoiceError::NoConvolution { name: name.clone(), known: known() }),
                Some(Some(obstacle)) => {
                    return Err(PeChoiceError::Obstacle { name: name.clone(), obstacle: *obstacle });
                }
                Some(None) => layers.insert(layer),
            };
        }
    }
    if !names.is_empty() {
        return Ok((layers, Vec::new()));
    }
    let skipped: Vec<String> = found
        .iter()
        .filter_map(|(layer, obstacle)| obstacle.map(|why| format!("{}: {why}", name_of(layer))))
        .collect();
    layers.extend(found.iter().filter(|(_, obstacle)| obstacle.is_none()).map(|(&layer, _)| layer));
    match (layers.is_empty(), skipped.is_empty()) {
        (true, true) => Err(PeChoiceError::Nothing("the program has no convolution".to_owned())),
        (true, false) => Err(PeChoiceError::Nothing(skipped.join("; "))),
        (false, _) => Ok((layers, skipped)),
    }
}

/// The numbers of PEs, in ascending order.
fn pes(ranges: &[PeRange], machine: &Machine) -> Result<Vec<u16>, PeChoiceError> {
    let (rows, cols) = (machine.rows, machine.cols);
    let outside = |pe: String| PeChoiceError::Outside { pe, rows, cols };
    let mut all = Vec::new();
    for range in ranges {
        match *range {
            PeRange::Numbers(from, to) if u32::from(to) < rows * cols => all.extend(from..=to),
            PeRange::Numbers(_, to) => return Err(outside(to.to_string())),
            PeRange::At(row, col) => {
                let number = u32::from(row) * cols + u32::from(col);
                let inside = u32::from(row) < rows && u32::from(col) < cols;
                let number = u16::try_from(number).ok().filter(|_| inside);
                all.push(number.ok_or_else(|| outside(format!("{row}:{col}")))?);
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
