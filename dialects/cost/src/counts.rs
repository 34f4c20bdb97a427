//! What was counted: bytes, multiply-accumulates and events. Counts do not depend on unit energies.

use serde::{Deserialize, Serialize};

use crate::Events;

/// Bytes moved, by memory and direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes read from DRAM.
    pub dram_read: u64,
    /// Bytes written to DRAM.
    pub dram_write: u64,
    /// Bytes read from SRAM, repeated reads included.
    pub sram_read: u64,
    /// Bytes written to SRAM.
    pub sram_write: u64,
}

impl Traffic {
    /// No bytes.
    pub const NONE: Traffic = Traffic { dram_read: 0, dram_write: 0, sram_read: 0, sram_write: 0 };

    /// Adds the bytes of `more`.
    pub fn add(&mut self, more: &Traffic) {
        self.dram_read = self.dram_read.saturating_add(more.dram_read);
        self.dram_write = self.dram_write.saturating_add(more.dram_write);
        self.sram_read = self.sram_read.saturating_add(more.sram_read);
        self.sram_write = self.sram_write.saturating_add(more.sram_write);
    }
}

/// Everything that energy is computed from, for one task or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Multiply-accumulates with plain or high-precision weights, padding taps included.
    pub macs_high: u64,
    /// Multiply-accumulates with low members of packed weights.
    pub macs_low: u64,
    /// Bytes moved.
    pub bytes: Traffic,
    /// All other events.
    pub events: Events,
    /// Cycles of the machine.
    pub cycles: u64,
}
