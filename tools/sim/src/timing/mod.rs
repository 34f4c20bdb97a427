//! How long a task takes and what it counts: a model for each kind of task, from the machine file alone.
//!
//! The result of a program never depends on anything here. Rules without a known source are marked *assumed*;
//! `⌈x⌉` is rounding up, bandwidths and latencies are the machine's fields of the same names.

mod conv;
mod dma;
mod events;
mod pool;
mod vec;

pub(crate) use conv::conv;
pub(crate) use dma::{Transfer, dma, end_of_transfer};
pub use events::Events;
pub(crate) use pool::pool;
pub(crate) use vec::{vec_binary, vec_reduce, vec_rescale, vec_table, vec_unary};

use dpu_isa::Machine;

use crate::report::Traffic;

/// What a task costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Cycles from start to end while nobody else uses the DRAM; at least 1.
    pub(crate) cycles: u64,
    /// Of these, cycles before the first byte moves.
    pub(crate) latency: u64,
    /// Cycles for which the DRAM channel is taken.
    pub(crate) dram: u64,
    /// Bytes moved, by memory.
    pub(crate) traffic: Traffic,
    /// Multiply-accumulates, taps in the padding included.
    pub(crate) macs: u64,
    /// What a low member of the weights is.
    pub(crate) low: Low,
    /// Everything else that costs energy.
    pub(crate) events: Events,
}

/// What is computed with a low member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Low {
    /// There are none, or nothing is.
    #[default]
    Zero,
    /// A shift.
    Shift,
    /// A product with a code of so many bits.
    Product(u8),
}

/// A slot register is filled in one cycle (*assumed*).
pub(crate) const INVARIANT: Cost = Cost {
    cycles: 1,
    latency: 0,
    dram: 0,
    traffic: Traffic::NONE,
    macs: 0,
    low: Low::Zero,
    events: Events::NONE,
};

impl Cost {
    /// The events, if so many of the multiply-accumulates were those of low members.
    pub(crate) fn events(&self, low: u64) -> Events {
        let events = self.events;
        match self.low {
            Low::Zero => Events { low_zeros: low, ..events },
            Low::Shift => Events { low_shifts: low, ..events },
            Low::Product(bits) => {
                let low_product_bits = low.saturating_mul(u64::from(bits));
                Events { low_products: low, low_product_bits, ..events }
            }
        }
    }

    /// The cost of a task that touches no DRAM.
    fn on_chip(cycles: u64, macs: u64, events: Events) -> Cost {
        let (sram_read, sram_write) = events.sram();
        let traffic = Traffic { sram_read, sram_write, ..Traffic::NONE };
        Cost { cycles: cycles.max(1), latency: 0, dram: 0, traffic, macs, low: Low::Zero, events }
    }
}

/// Product that saturates.
fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// `⌈amount / rate⌉`.
fn per_cycle(amount: u64, rate: u32) -> u64 {
    amount.div_ceil(u64::from(rate.max(1)))
}

/// Positions from the first to the last tap of a sliding window that lie in `0..size`.
fn span(origin: i32, windows: u32, stride: u16, taps: u16, dilation: u16, size: u32) -> u64 {
    let last = i64::from(origin)
        + i64::from(windows.saturating_sub(1)) * i64::from(stride)
        + i64::from(taps.saturating_sub(1)) * i64::from(dilation);
    let end = (last + 1).clamp(0, i64::from(size));
    u64::try_from(end - i64::from(origin).clamp(0, end)).unwrap_or(0)
}

/// Setup and the slowest of load, compute and drain.
fn pipelined(loaded: u64, compute: u64, stored: u64, outputs: u64, m: &Machine) -> u64 {
    let load = per_cycle(loaded, m.sram_read_bytes_per_cycle);
    let drain = per_cycle(stored, m.sram_write_bytes_per_cycle).max(per_cycle(outputs, m.ppe_per_cycle));
    u64::from(m.dpu_setup_cycles).saturating_add(load.max(compute).max(drain)).max(1)
}

/// Lane cycles of the whole array in `compute` cycles that do no multiply-accumulate.
fn idle_lanes(compute: u64, macs: u64, m: &Machine) -> u64 {
    product([compute, u64::from(m.rows), u64::from(m.cols), u64::from(m.lanes)]).saturating_sub(macs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_clipped() {
        assert_eq!(span(-1, 56, 1, 3, 1, 56), 56);
        assert_eq!(span(0, 4, 2, 1, 1, 100), 7);
        assert_eq!(span(-10, 2, 1, 3, 1, 100), 0);
        assert_eq!(span(98, 5, 1, 3, 1, 100), 2);
        assert_eq!(span(200, 5, 1, 3, 1, 100), 0);
        assert_eq!(
            span(i32::MAX, u32::MAX, 8192, 8192, 8192, u32::MAX),
            u64::from(u32::MAX) - i32::MAX as u64
        );
    }
}
