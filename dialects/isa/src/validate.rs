//! The validator: the rules for a program beyond the ranges of single fields.
//!
//! Checked are
//! - the machine description, and the limits on the size of everything;
//! - every field against its range, and every rule that spans fields ([`crate::rules`]);
//! - that tiles, DMA engines and barriers exist on the machine;
//! - that every byte an instruction may touch lies in SRAM or in the program's DRAM, and that constants stay;
//! - that slots are filled before use, by an invariant of the right kind;
//! - that barriers are armed before use, with the right counts, and cannot deadlock;
//! - that there is exactly one `end`, at the end;
//! - that inputs and outputs lie in DRAM, inputs apart from constants and from each other.
//!
//! Rules that depend on data (weight tables, weight codes, windows without a tap) are left to execution, which
//! traps.

use std::collections::BTreeSet;
use std::fmt;

use crate::barrier::members;
use crate::field::FieldError;
use crate::machine::{Machine, MachineError};
use crate::method::Method;
use crate::program::{InstrMeta, IoDesc, Program};
use crate::progress;
use crate::rules;
use crate::schedule::ScheduleError;
use crate::slots::Slots;
use crate::table::Instr;
use crate::types::{BinaryOp, Dtype, Space};

/// Most violations that are reported.
pub const MAX_ERRORS: usize = 100;
/// Most instructions of a program.
pub const MAX_INSTRS: usize = 1 << 24;
/// Maximum number of layers, and of locations.
pub const MAX_ENTRIES: usize = 1 << 24;
/// Maximum number of inputs, and of outputs.
pub const MAX_IO: usize = 4096;
/// Maximum rank of an input or output.
pub const MAX_RANK: usize = 6;
/// Maximum bytes of a name or other text.
pub const MAX_TEXT: usize = 1 << 16;

/// Where a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The program as a whole.
    Program,
    /// An instruction, by index.
    Instr(usize, &'static str),
    /// An input, by index.
    Input(usize),
    /// An output, by index.
    Output(usize),
    /// A layer, by index.
    Layer(usize),
    /// A location, by index.
    Loc(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Program => f.write_str("program"),
            Place::Instr(index, mnemonic) => write!(f, "instruction {index} ({mnemonic})"),
            Place::Input(index) => write!(f, "input {index}"),
            Place::Output(index) => write!(f, "output {index}"),
            Place::Layer(index) => write!(f, "layer {index}"),
            Place::Loc(index) => write!(f, "location {index}"),
        }
    }
}

/// A rule that a program breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct ValidateError {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: ValidateErrorKind,
}

/// The rules, as seen from their violation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ValidateErrorKind {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("{what}: {got} exceed the limit of {max}")]
    Limit { what: &'static str, got: u64, max: u64 },
    #[error("does not end with 'end'")]
    MissingEnd,
    #[error("'end' before the end of the program")]
    EarlyEnd,
    #[error("{got} origins for {expected} instructions")]
    MetaCount { got: usize, expected: usize },
    #[error("refers to {what} {index}, of which there are {len}")]
    Index { what: &'static str, index: u32, len: usize },
    #[error("tile {tile} does not exist, the machine has {tiles}")]
    NoSuchTile { tile: u8, tiles: u32 },
    #[error("DMA engine {engine} does not exist, the machine has {engines}")]
    NoSuchEngine { engine: u8, engines: u32 },
    #[error("{field}: barrier {barrier} does not exist, the machine has {barriers}")]
    NoSuchBarrier { field: &'static str, barrier: u32, barriers: u32 },
    #[error("{field}: barrier {barrier} was not armed before")]
    BarrierNotArmed { field: &'static str, barrier: u32 },
    #[error("barrier {barrier} announces {announced} {what}, but has {found}")]
    BarrierCount { barrier: u32, what: &'static str, announced: u32, found: u32 },
    #[error(
        "deadlock: waits for barrier {barrier} for ever, after {dispatched} instructions were dispatched"
    )]
    Deadlock { barrier: u32, dispatched: usize },
    #[error("slot {slot} of tile {tile} is empty")]
    EmptySlot { tile: u8, slot: u8 },
    #[error("slot {slot} of tile {tile} holds a {found}, expected a {expected}")]
    SlotKind { tile: u8, slot: u8, found: &'static str, expected: &'static str },
    #[error("{field}: {len} bytes at {lo:#x} exceed the {size} bytes of {space}")]
    OutOfBounds { field: &'static str, space: Space, lo: u64, len: u64, size: u64 },
    #[error("{field}: writes {lo:#x}, inside the {consts} bytes of constants")]
    WritesConstants { field: &'static str, lo: u64, consts: u64 },
    #[error("{field}: {value:#x} is not a multiple of {align}")]
    Misaligned { field: &'static str, value: u64, align: u64 },
    #[error("{field}: the written elements may overlap, since the dimensions do not nest")]
    SelfOverlap { field: &'static str },
    #[error("'{written}' is written where '{read}' is read")]
    OperandOverlap { written: &'static str, read: &'static str },
    #[error("ranges over {elements} elements, more than {max}")]
    TooManyElements { elements: u128, max: u64 },
    #[error("clamp {lo}..={hi} is not an ascending pair of {dtype} values")]
    Clamp { lo: i32, hi: i32, dtype: Dtype },
    #[error("{field}: {dtype} is not possible here")]
    Dtype { field: &'static str, dtype: Dtype },
    #[error("weight zero point {wt_zp} with method {method}, must be 0")]
    WeightZeroPoint { method: Method, wt_zp: i16 },
    #[error("{low} low members with method {method}, at most {max} are possible")]
    TooManyLow { method: Method, low: u8, max: u8 },
    #[error("parameter {param} of method {method} is outside {min}..={max}")]
    MethodParam { method: Method, param: u8, min: u8, max: u8 },
    #[error("method {method} with parameter {param} has no spare code for zero")]
    NoSpareCode { method: Method, param: u8 },
    #[error("the schedule uses {used} PEs, the machine has {pes}")]
    Schedule { used: u64, pes: u64 },
    #[error("sched_ic = {sched_ic} is not a power of two up to the machine's adder_tree_max = {max}")]
    AdderTree { sched_ic: u16, max: u32 },
    #[error("the schedule does not fit: {0}")]
    Block(ScheduleError),
    #[error("{out_c} depthwise outputs are not a multiple of {in_c} inputs")]
    Depthwise { in_c: u32, out_c: u32 },
    #[error("mul_shift = {mul_shift} with operator {op}, must be 0")]
    MulShift { op: BinaryOp, mul_shift: u8 },
    #[error("output stride {stride} along the reduced dimension {axis}, must be 0")]
    ReducedStride { axis: u8, stride: u32 },
    #[error("'{name}' of {bytes} bytes at {addr:#x} exceeds the program's {dram_bytes} bytes of DRAM")]
    IoOutOfBounds { name: String, addr: u64, bytes: u128, dram_bytes: u64 },
    #[error("'{name}' at {addr:#x} overlaps the {consts} bytes of constants")]
    IoOverConstants { name: String, addr: u64, consts: u64 },
    #[error("'{name}' overlaps '{other}'")]
    IoOverlap { name: String, other: String },
    #[error("the name '{name}' is empty or not unique")]
    IoName { name: String },
    #[error("'{name}' has an empty dimension")]
    IoEmpty { name: String },
    #[error("{consts} bytes of constants exceed the program's {dram_bytes} bytes of DRAM")]
    Constants { consts: u64, dram_bytes: u64 },
    #[error("input hash '{0}' is neither empty nor 64 lower-case hex digits")]
    InputHash(String),
}

impl ValidateErrorKind {
    /// Whether the program is larger than the format allows, and otherwise well.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Kind::Limit { .. } | Kind::TooManyElements { .. })
    }
}

use ValidateErrorKind as Kind;

/// Collects violations up to the limit.
struct Report(Vec<ValidateError>);

impl Report {
    fn add(&mut self, place: Place, kind: Kind) {
        if !self.full() {
            self.0.push(ValidateError { place, kind });
        }
    }

    fn full(&self) -> bool {
        self.0.len() >= MAX_ERRORS
    }

    fn limit(&mut self, place: Place, what: &'static str, got: usize, max: usize) {
        if got > max {
            self.add(place, Kind::Limit { what, got: got as u64, max: max as u64 });
        }
    }
}

impl Program {
    /// Checks the whole program.
    ///
    /// After `Ok`, execution either succeeds or stops with a trap that depends on data.
    ///
    /// # Errors
    /// The violations, in the order of the program, at most [`MAX_ERRORS`].
    pub fn validate(&self) -> Result<(), Vec<ValidateError>> {
        let mut report = Report(Vec::new());
        match self.machine.check() {
            // Nothing else can be checked against an invalid machine.
            Err(e) => report.add(Place::Program, e.into()),
            Ok(()) => {
                self.check_sizes(&mut report);
                self.check_origins(&mut report);
                self.check_instrs(&mut report);
                self.check_io(&mut report);
            }
        }
        if report.0.is_empty() { Ok(()) } else { Err(report.0) }
    }

    fn check_sizes(&self, report: &mut Report) {
        let place = Place::Program;
        report.limit(place, "instructions", self.instrs.len(), MAX_INSTRS);
        report.limit(place, "layers", self.layers.len(), MAX_ENTRIES);
        report.limit(place, "locations", self.locs.len(), MAX_ENTRIES);
        report.limit(place, "inputs", self.inputs.len(), MAX_IO);
        report.limit(place, "outputs", self.outputs.len(), MAX_IO);
        report.limit(place, "bytes of the manifest's tool", self.manifest.tool.len(), MAX_TEXT);
        report.limit(place, "bytes of the manifest's pipeline", self.manifest.pipeline.len(), MAX_TEXT);
        if self.dram_bytes > self.machine.dram_bytes {
            let (got, max) = (self.dram_bytes, self.machine.dram_bytes);
            report.add(place, Kind::Limit { what: "bytes of DRAM", got, max });
        }
        if self.consts.len() as u64 > self.dram_bytes {
            let (consts, dram_bytes) = (self.consts.len() as u64, self.dram_bytes);
            report.add(place, Kind::Constants { consts, dram_bytes });
        }
        let hash = &self.manifest.input_sha256;
        let digits = hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hash.is_empty() && (hash.len() != 64 || !digits) {
            report.add(place, Kind::InputHash(hash.clone()));
        }
    }

    /// Layers, locations and the instructions' references to them.
    fn check_origins(&self, report: &mut Report) {
        let index = |what, index: u32, len: usize| {
            let missing = index != InstrMeta::NONE && index as usize >= len;
            missing.then_some(Kind::Index { what, index, len })
        };
        for (i, loc) in self.locs.iter().enumerate() {
            report.limit(Place::Loc(i), "bytes of text", loc.len(), MAX_TEXT);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            report.limit(Place::Layer(i), "bytes of the name", layer.name.len(), MAX_TEXT);
            report.limit(Place::Layer(i), "bytes of the op", layer.op.len(), MAX_TEXT);
            if let Some(kind) = index("location", layer.loc, self.locs.len()) {
                report.add(Place::Layer(i), kind);
            }
        }
        if self.meta.len() != self.instrs.len() {
            let (got, expected) = (self.meta.len(), self.instrs.len());
            report.add(Place::Program, Kind::MetaCount { got, expected });
        }
        for (i, (meta, instr)) in self.meta.iter().zip(&self.instrs).enumerate() {
            let place = Place::Instr(i, instr.mnemonic());
            let wrong = index("layer", meta.layer, self.layers.len());
            for kind in wrong.into_iter().chain(index("location", meta.loc, self.locs.len())) {
                report.add(place, kind);
            }
        }
    }

    fn check_instrs(&self, report: &mut Report) {
        let consts = self.consts.len() as u64;
        let mut slots = Slots::default();
        let mut found: Vec<(usize, Kind)> = Vec::new();
        for (i, instr) in self.instrs.iter().enumerate() {
            if found.len() >= MAX_ERRORS {
                break;
            }
            let mut add = |kind| found.push((i, kind));
            if let Err(e) = instr.check_fields() {
                add(e.into());
                continue;
            }
            let inv = slots.step(instr).unwrap_or_else(|kind| {
                add(kind);
                None
            });
            check_masks(instr, &self.machine).into_iter().for_each(&mut add);
            rules::check(instr, inv, &self.machine).into_iter().for_each(&mut add);
            let accesses = instr.footprint(inv);
            rules::check_bounds(&accesses, &self.machine, self.dram_bytes, consts)
                .into_iter()
                .for_each(&mut add);
            if matches!(instr, Instr::End(_)) && i + 1 < self.instrs.len() {
                add(Kind::EarlyEnd);
            }
        }
        let clean = found.is_empty();
        let counts = progress::counts(&self.instrs);
        if clean && counts.is_empty() {
            found.extend(progress::deadlock(&self.instrs, &self.machine));
        }
        found.extend(counts);
        found.sort_by_key(|(i, _)| *i);
        for (i, kind) in found {
            let mnemonic = self.instrs.get(i).map_or("", Instr::mnemonic);
            report.add(Place::Instr(i, mnemonic), kind);
        }
        if !matches!(self.instrs.last(), Some(Instr::End(_))) {
            report.add(Place::Program, Kind::MissingEnd);
        }
    }

    fn check_io(&self, report: &mut Report) {
        for (list, place) in
            [(&self.inputs, Place::Input as fn(usize) -> Place), (&self.outputs, Place::Output)]
        {
            let mut names = BTreeSet::new();
            for (i, io) in list.iter().enumerate().take(MAX_IO) {
                if io.name.is_empty() || !names.insert(io.name.as_str()) {
                    report.add(place(i), Kind::IoName { name: io.name.clone() });
                }
                self.check_tensor(io, place(i), report);
            }
        }
        let consts = self.consts.len() as u64;
        let mut sorted: Vec<(usize, &IoDesc)> = self.inputs.iter().enumerate().take(MAX_IO).collect();
        sorted.sort_by_key(|(_, io)| io.addr);
        let mut last: Option<(u64, &IoDesc)> = None;
        for (i, io) in sorted {
            let name = io.name.clone();
            if io.addr < consts {
                report.add(Place::Input(i), Kind::IoOverConstants { name, addr: io.addr, consts });
            } else if let Some((_, other)) = last.filter(|&(end, _)| io.addr < end) {
                report.add(Place::Input(i), Kind::IoOverlap { name, other: other.name.clone() });
            }
            let end = io.addr.saturating_add(io.bytes().unwrap_or(u64::MAX));
            if last.is_none_or(|(e, _)| end > e) {
                last = Some((end, io));
            }
        }
    }

    fn check_tensor(&self, io: &IoDesc, place: Place, report: &mut Report) {
        report.limit(place, "bytes of the name", io.name.len(), MAX_TEXT);
        report.limit(place, "dimensions", io.shape.len(), MAX_RANK);
        if io.shape.contains(&0) {
            report.add(place, Kind::IoEmpty { name: io.name.clone() });
        }
        if !io.addr.is_multiple_of(io.dtype.bytes()) {
            report.add(place, Kind::Misaligned { field: "address", value: io.addr, align: io.dtype.bytes() });
        }
        let bytes =
            io.shape.iter().fold(u128::from(io.dtype.bytes()), |n, &d| n.saturating_mul(u128::from(d)));
        if u128::from(io.addr).saturating_add(bytes) > u128::from(self.dram_bytes) {
            let (name, addr, dram_bytes) = (io.name.clone(), io.addr, self.dram_bytes);
            report.add(place, Kind::IoOutOfBounds { name, addr, bytes, dram_bytes });
        }
    }
}

fn check_masks(instr: &Instr, machine: &Machine) -> Vec<Kind> {
    let masks = [("wait", instr.wait()), ("post", instr.post())];
    let all = masks.into_iter().flat_map(|(field, mask)| members(mask).map(move |b| (field, u32::from(b))));
    let barriers = machine.barriers;
    all.filter(|&(_, barrier)| barrier >= barriers)
        .map(|(field, barrier)| Kind::NoSuchBarrier { field, barrier, barriers })
        .collect()
}
