//! Violations: which rule a program breaks, and where. What the rules are for is in [`crate::validate`].
//!
//! Invariant: a message says what was found and what was expected.

use std::fmt;

use crate::field::FieldError;
use crate::machine::MachineError;
use crate::method::Method;
use crate::resize::ResizeError;
use crate::schedule::ScheduleError;
use crate::types::{BinaryOp, Dtype, ReduceOp, Space};

/// Most violations that are reported.
pub const MAX_ERRORS: usize = 100;

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
    #[error("accumulate with operator {op}, must be false")]
    Accumulate { op: ReduceOp },
    #[error(transparent)]
    Resize(ResizeError),
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
    #[error("the meaning of '{name}': {reason}")]
    IoMeaning { name: String, reason: &'static str },
    #[error("{consts} bytes of constants exceed the program's {dram_bytes} bytes of DRAM")]
    Constants { consts: u64, dram_bytes: u64 },
    #[error("input hash '{0}' is neither empty nor 64 lower-case hex digits")]
    InputHash(String),
}

impl ValidateErrorKind {
    /// Whether the program is larger than the format allows, and otherwise well.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Limit { .. } | Self::TooManyElements { .. })
    }
}
