//! Reasons for a simulation to stop other than by halting.
//!
//! A [`Trap`] is a fault of the program; everything else is a limit or a wrong input.

use std::fmt;

use dpu_isa::{InstrMeta, Program};
use serde::Serialize;
use strum_files::OverLimit;

/// Why a simulation has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The inputs do not fit the program.
    #[error("{0}")]
    Input(String),
    /// A description in the program contradicts itself; a validated program has none of these.
    #[error("invalid program: {0}")]
    Program(String),
    /// The machine given for timing is not the one the program was made for.
    #[error("{0}")]
    Machine(String),
    /// The host does not support the request.
    #[error("{0}")]
    Host(String),
    /// This computer does not provide what the limits allow.
    #[error("{0}")]
    HostLimit(String),
    /// The program exceeds a limit.
    #[error("out of {what}: needs {needed}, the limit is {limit}")]
    Resource {
        /// The limited resource, with its unit.
        what: &'static str,
        /// The amount needed.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The run needs more memory than available.
    #[error("out of memory: {0}")]
    Memory(OverLimit),
    /// The machine detected a fault of the program.
    #[error("{0}")]
    Trap(Box<Trap>),
    /// The fuel ran out before the program ended.
    #[error("out of fuel: {}", unit.describe(*needed, *limit, *tasks, *cycle, at))]
    OutOfFuel {
        /// The exhausted resource.
        unit: FuelUnit,
        /// End of the task that no longer fits, or the number of steps including it; saturates.
        needed: u64,
        /// The limit.
        limit: u64,
        /// Tasks that have begun.
        tasks: u64,
        /// The cycle in which the next would have begun.
        cycle: u64,
        /// The next task.
        at: Box<Site>,
    },
}

/// The unit of fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuelUnit {
    /// Cycles of the machine.
    Cycles,
    /// Steps of the host: moves, checks and computations, whatever cycles the machine file claims.
    Steps,
}

impl FuelUnit {
    fn describe(self, needed: u64, limit: u64, tasks: u64, cycle: u64, at: &Site) -> String {
        let why = match self {
            FuelUnit::Cycles => {
                format!("the next task would end at cycle {needed}, the limit is {limit} cycles")
            }
            FuelUnit::Steps => format!(
                "with the next task the host would have {needed} steps to do, the limit is {limit} steps"
            ),
        };
        format!("{why}; {tasks} tasks have run until cycle {cycle}\n  --> {at}")
    }
}

/// An instruction of the program and its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Site {
    /// Index in the instruction stream.
    pub index: usize,
    /// Mnemonic; empty if there is no such instruction.
    pub mnemonic: &'static str,
    /// Name of its layer; empty if not known.
    pub layer: String,
    /// Source location; empty if not known.
    pub location: String,
}

impl Site {
    /// The site of instruction `index`.
    pub(crate) fn of(program: &Program, index: usize) -> Site {
        let meta = program.meta.get(index).copied().unwrap_or_default();
        let at = |i: u32| usize::try_from(i).ok().filter(|_| i != InstrMeta::NONE);
        let layer = at(meta.layer).and_then(|i| program.layers.get(i));
        let loc = at(meta.loc).or_else(|| layer.and_then(|l| at(l.loc)));
        Site {
            index,
            mnemonic: program.instrs.get(index).map_or("", |i| i.mnemonic()),
            layer: layer.map_or_else(String::new, |l| l.name.clone()),
            location: loc.and_then(|i| program.locs.get(i)).cloned().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.index, self.mnemonic)?;
        if !self.layer.is_empty() {
            write!(f, " (layer '{}')", self.layer)?;
        }
        if !self.location.is_empty() {
            write!(f, " at {}", self.location)?;
        }
        Ok(())
    }
}

/// The kind of fault that stopped the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrapKind {
    /// A field, slot or table entry that the instruction cannot use.
    IllegalOperand,
    /// A value for which the instruction has no result: a divisor of 0, an index outside.
    UndefinedValue,
    /// An access beyond the end of a memory.
    OutOfBounds,
    /// Bytes that are not weights of the declared format.
    IllegalWeights,
    /// A read of unwritten bytes.
    UnwrittenRead,
    /// Two accesses of different engines to the same bytes, at least one of them a write, that no barrier
    /// orders.
    Race,
    /// A task that writes bytes which it also reads or writes at another position of its own order.
    SelfOverlap,
    /// A wait or post that the barrier was not armed for.
    BarrierMisuse,
    /// A barrier that still expects tasks when the program ends.
    BarrierLeft,
    /// Deadlock: nothing can make progress.
    Deadlock,
    /// The stream ends without `end`.
    NoEnd,
}

impl TrapKind {
    /// The title of the message.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            TrapKind::IllegalOperand => "illegal operand",
            TrapKind::UndefinedValue => "undefined result",
            TrapKind::OutOfBounds => "access out of bounds",
            TrapKind::IllegalWeights => "illegal weights",
            TrapKind::UnwrittenRead => "read of unwritten memory",
            TrapKind::Race => "data race",
            TrapKind::SelfOverlap => "overlap within a task",
            TrapKind::BarrierMisuse => "barrier misuse",
            TrapKind::BarrierLeft => "barrier not idle at the end",
            TrapKind::Deadlock => "deadlock",
            TrapKind::NoEnd => "no end",
        }
    }
}

/// A second instruction, or a hint, that explains a trap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its relation to the trap.
    pub text: String,
    /// The instruction referred to, if any.
    pub site: Option<Site>,
}

/// A fault of the program: the bug is in the program, or in its compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trap {
    /// The kind of fault.
    pub kind: TrapKind,
    /// The message.
    pub detail: String,
    /// The instruction at which the machine stopped.
    pub site: Site,
    /// The time of the stop, in cycles.
    pub cycle: u64,
    /// Other instructions involved, and hints.
    pub notes: Vec<Note>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.kind.title(), self.detail)?;
        write!(f, "  --> {}, in cycle {}", self.site, self.cycle)?;
        for note in &self.notes {
            write!(f, "\nnote: {}", note.text)?;
            if let Some(site) = &note.site {
                write!(f, "\n  --> {site}")?;
            }
        }
        Ok(())
    }
}

/// A trap under construction: what the executor knows, before program and time are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: TrapKind,
    pub(crate) detail: String,
    /// Texts with the index of the instruction referred to, if any.
    pub(crate) notes: Vec<(String, Option<usize>)>,
}

impl Fault {
    pub(crate) fn new(kind: TrapKind, detail: impl Into<String>) -> Fault {
        Fault { kind, detail: detail.into(), notes: Vec::new() }
    }

    pub(crate) fn operand(detail: impl Into<String>) -> Fault {
        Fault::new(TrapKind::IllegalOperand, detail)
    }

    pub(crate) fn value(detail: impl Into<String>) -> Fault {
        Fault::new(TrapKind::UndefinedValue, detail)
    }

    pub(crate) fn with_note(mut self, text: impl Into<String>, instr: Option<usize>) -> Fault {
        self.notes.push((text.into(), instr));
        self
    }

    /// Completes the trap at instruction `index`.
    pub(crate) fn at(self, program: &Program, index: usize, cycle: u64) -> SimError {
        let note =
            |(text, instr): (String, Option<usize>)| Note { text, site: instr.map(|i| Site::of(program, i)) };
        SimError::Trap(Box::new(Trap {
            kind: self.kind,
            detail: self.detail,
            site: Site::of(program, index),
            cycle,
            notes: self.notes.into_iter().map(note).collect(),
        }))
    }
}
