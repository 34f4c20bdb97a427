//! DMA tasks, and the DRAM channel that they share.

use dpu_isa::{Machine, Space};

use super::{Cost, Events, Low, per_cycle};
use crate::Traffic;

/// Sides of a DMA task.
pub struct Transfer {
    /// The space read, if any.
    pub from: Option<Space>,
    /// The space written.
    pub to: Space,
    /// Bytes moved.
    pub bytes: u64,
    /// Pieces that are contiguous on all sides.
    pub rows: u64,
}

/// A DMA task takes `latency + max(⌈bytes / dma_bytes_per_cycle⌉, ⌈dram bytes / dram_bytes_per_cycle⌉, rows)`.
///
/// The latency is `dram_latency_cycles` if the DRAM is touched, else 0. A descriptor starts one row a cycle
/// (*assumed*). The DRAM channel is shared: it serves transfers one after the other in the order in which they
/// start (*assumed*), each for `⌈dram bytes / dram_bytes_per_cycle⌉` cycles; see [`end_of_transfer`].
#[must_use]
pub fn dma(t: &Transfer, m: &Machine) -> Cost {
    let (mut traffic, mut events) = (Traffic::NONE, Events::NONE);
    match t.from {
        Some(Space::Dram) => traffic.dram_read = t.bytes,
        Some(Space::Sram) => events.sram_dma_read = t.bytes,
        None => {}
    }
    match t.to {
        Space::Dram => traffic.dram_write = t.bytes,
        Space::Sram => events.sram_dma_write = t.bytes,
    }
    (traffic.sram_read, traffic.sram_write) = events.sram();
    let dram_bytes = traffic.dram_read.saturating_add(traffic.dram_write);
    let dram = per_cycle(dram_bytes, m.dram_bytes_per_cycle);
    let latency = if dram_bytes > 0 { u64::from(m.dram_latency_cycles) } else { 0 };
    let moving = per_cycle(t.bytes, m.dma_bytes_per_cycle).max(dram).max(t.rows);
    Cost {
        cycles: latency.saturating_add(moving).max(1),
        latency,
        dram,
        traffic,
        macs: 0,
        low: Low::Zero,
        events,
    }
}

/// When a task that starts at `start` ends, if the DRAM channel is free from `channel` on; moves `channel`.
pub fn end_of_transfer(start: u64, cost: &Cost, channel: &mut u64) -> u64 {
    let alone = start.saturating_add(cost.cycles);
    if cost.dram == 0 {
        return alone;
    }
    let first_byte = start.saturating_add(cost.latency).max(*channel);
    *channel = first_byte.saturating_add(cost.dram);
    alone.max(*channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_pay_latency_and_the_slowest_rate() {
        let m = Machine::flexnn_16x16();
        let load = Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1 };
        let cost = dma(&load, &m);
        assert_eq!((cost.cycles, cost.latency, cost.dram), (1240 + 100, 1240, 100));
        assert_eq!((cost.traffic.dram_read, cost.traffic.sram_write), (2100, 2100));
        let inside = Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 10 };
        assert_eq!(dma(&inside, &m).cycles, 10);
        let bytes = Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 320 };
        assert_eq!(dma(&bytes, &m).cycles, 320);
        let through = Transfer { from: Some(Space::Dram), to: Space::Dram, bytes: 2100, rows: 1 };
        assert_eq!(dma(&through, &m).cycles, 1240 + 200);
    }

    #[test]
    fn the_dram_channel_is_served_in_turn() {
        let m = Machine::flexnn_16x16();
        let load = dma(&Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1 }, &m);
        let mut channel = 0;
        assert_eq!(end_of_transfer(0, &load, &mut channel), 1340);
        // The second overlaps its latency but not its bytes.
        assert_eq!(end_of_transfer(10, &load, &mut channel), 1440);
        assert_eq!(end_of_transfer(5000, &load, &mut channel), 6340);
        let inside = dma(&Transfer { from: None, to: Space::Sram, bytes: 32, rows: 1 }, &m);
        assert_eq!(end_of_transfer(0, &inside, &mut channel), 1);
    }
}
