//! Observing a run: observers are notified of events as they happen.
//!
//! An observer changes nothing: neither result nor time depends on it.

use dpu_cost::Traffic;
use dpu_isa::Instr;

/// An instruction leaves the dispatcher.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    /// Position in the instruction stream.
    pub index: usize,
    /// When, in cycles.
    pub start: u64,
    /// When the dispatcher can take the next one.
    pub end: u64,
    /// Cycles for which a full FIFO, a busy barrier or, at `end`, a busy engine stalled it.
    pub held: u64,
}

/// A task runs on an engine.
#[derive(Clone, Copy, Debug)]
pub struct Task<'p> {
    /// Position in the instruction stream.
    pub index: usize,
    /// The instruction.
    pub instr: &'p Instr,
    /// The engine's index in [`Report::engines`](crate::Report::engines).
    pub engine: usize,
    /// First cycle.
    pub start: u64,
    /// One past the last cycle.
    pub end: u64,
    /// Cycles for which the engine was free and the task waited for barriers.
    pub wait: u64,
    /// When the task holds the DRAM channel, which serves one task at a time: first cycle and one past the last.
    pub channel: Option<(u64, u64)>,
    /// Bytes moved.
    pub bytes: Traffic,
    /// Multiply-accumulates.
    pub macs: u64,
}

/// Receives the events of a run. Tasks come in start order.
pub trait Observer: Send {
    /// An instruction was dispatched.
    fn dispatch(&mut self, event: &Dispatch);

    /// A task has started, and its end is known.
    fn task(&mut self, task: &Task<'_>);
}
