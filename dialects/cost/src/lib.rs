//! The cost of a DPU task: cycles, bytes, multiply-accumulates and countable events from the fields of an
//! instruction and the machine file, and energy from these counts. Also how tasks overlap: [`timeline`].
//!
//! Costs are pure functions of their arguments, so that planner and simulator compute the same. The result of a program
//! never depends on anything here. `docs/timing.md` has the rules with their sources; those without a known source are
//! marked *assumed*. `⌈x⌉` rounds up; bandwidths and latencies are the machine's fields of the same names. All sums and
//! products saturate.

mod conv;
mod counts;
mod cut;
mod dma;
mod energy;
mod events;
mod held;
mod level;
mod pipeline;
mod pool;
mod skip;
mod stored;
mod task;
pub mod timeline;
mod vec;

pub use conv::conv;
pub use counts::{Counts, Traffic};
pub use dma::{Transfer, awaited, channel_cycles, dma, end_of_transfer};
pub use energy::{Energy, prices_zeros};
pub use events::Events;
pub use level::Level;
pub use pool::pool;
pub use skip::{Bitmap, Present, conv_skipping, skips_zeros};
pub use stored::{Pieces, Pixels, Stored, dma_copy_stored};
pub use task::{TaskCost, TaskError, task};

use dpu_isa::{Instr, Machine};

/// Cost of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Cycles from start to end with exclusive use of the DRAM; at least 1.
    pub cycles: u64,
    /// Of these, cycles before the first byte moves.
    pub latency: u64,
    /// Cycles for which the DRAM channel is occupied.
    pub dram: u64,
    /// Bytes moved, by memory.
    pub traffic: Traffic,
    /// Multiply-accumulates, padding taps included.
    pub macs: u64,
    /// How low members of the weights are processed.
    pub low: Low,
    /// All other events that cost energy.
    pub events: Events,
}

/// Operation performed with a low member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Low {
    /// Nothing: there are no low members, or they are 0.
    #[default]
    Zero,
    /// A shift.
    Shift,
    /// A product with a code of this many bits.
    Product(u8),
}

/// A slot register is filled in one cycle (*assumed*).
const INVARIANT: Cost = Cost {
    cycles: 1,
    latency: 0,
    dram: 0,
    traffic: Traffic::NONE,
    macs: 0,
    low: Low::Zero,
    events: Events::NONE,
};

impl Cost {
    /// The task's counts if this many of its multiply-accumulates were with low members; its share of the run's time
    /// is not included yet.
    #[must_use]
    pub fn counts(&self, low: u64) -> Counts {
        Counts {
            macs_high: self.macs.saturating_sub(low),
            macs_low: low,
            bytes: self.traffic,
            events: self.events(low),
            cycles: 0,
        }
    }

    /// The events if this many of the multiply-accumulates were with low members, which have their share of the held
    /// weights. Where low members are more than weights like any other, the mask chooses activations, and none is held.
    #[must_use]
    pub fn events(&self, low: u64) -> Events {
        let events = self.events;
        let of = |held: u64| share_of(held, low, self.macs);
        match self.low {
            // Nothing is multiplied in either case. PEs that skip zeros have not counted a read for these; on others
            // the mask of the weights saves the reads of both operands.
            Low::Zero => {
                let unread = low.saturating_sub(events.zero_skipped);
                let less = |held: u64| held.saturating_sub(share_of(held, unread, self.macs));
                Events {
                    low_zeros: low,
                    zero_skipped: events.zero_skipped.saturating_sub(low),
                    if_read: events.if_read.saturating_sub(unread),
                    fl_read: events.fl_read.saturating_sub(unread),
                    routed: events.routed.saturating_sub(unread),
                    act_held: less(events.act_held),
                    act_zero: less(events.act_zero),
                    weight_held: less(events.weight_held),
                    routed_held: less(events.routed_held),
                    if_held: less(events.if_held),
                    fl_held: less(events.fl_held),
                    ..events
                }
            }
            Low::Shift => {
                Events { low_shifts: low, low_shifts_weight_held: of(events.weight_held), ..events }
            }
            Low::Product(bits) => {
                let (bits, held) = (u64::from(bits), of(events.weight_held));
                Events {
                    low_products: low,
                    low_products_weight_held: held,
                    low_product_bits: low.saturating_mul(bits),
                    low_product_bits_weight_held: held.saturating_mul(bits),
                    ..events
                }
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

/// Saturating product.
fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// `amount · part / whole`, rounded.
fn share_of(amount: u64, part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    let share = (u128::from(amount) * u128::from(part) + whole / 2) / whole;
    u64::try_from(share).unwrap_or(u64::MAX)
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

/// Cycles from the dispatch of one instruction to the next: `max(dispatch_cycles, ⌈bytes / fetch_bytes_per_cycle⌉)`
/// (*assumed*).
#[must_use]
pub fn dispatch(instr: &Instr, m: &Machine) -> u64 {
    u64::from(m.dispatch_cycles).max(per_cycle(8 * instr.desc().words() as u64, m.fetch_bytes_per_cycle))
}

/// Lane cycles of the whole array without a multiply-accumulate in `compute` cycles.
fn idle_lanes(compute: u64, macs: u64, m: &Machine) -> u64 {
    product([compute, u64::from(m.rows), u64::from(m.cols), u64::from(m.lanes)]).saturating_sub(macs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_members_are_not_read() {
        let events = Events { if_read: 100, fl_read: 100, of_read: 40, ..Events::NONE };
        let cost = Cost { macs: 100, events, ..INVARIANT };
        let plain = cost.events(60);
        assert_eq!((plain.low_zeros, plain.if_read, plain.fl_read, plain.of_read), (60, 40, 40, 40));
        // 70 were skipped, including the 60.
        let events = Events { zero_skipped: 70, if_read: 30, fl_read: 30, ..events };
        let skipping = Cost { events, ..cost }.events(60);
        assert_eq!((skipping.zero_skipped, skipping.low_zeros), (10, 60));
        assert_eq!((skipping.if_read, skipping.fl_read), (30, 30));
        // With mip2q, every member is a product.
        assert_eq!(Cost { low: Low::Shift, ..cost }.events(60).if_read, 100);
    }

    #[test]
    fn low_members_have_their_share_of_the_held_operands() {
        let events =
            Events { act_held: 10, act_zero: 40, weight_held: 50, routed: 100, fl_held: 50, ..Events::NONE };
        let cost = Cost { macs: 100, events, ..INVARIANT };
        let shifts = Cost { low: Low::Shift, ..cost }.events(60);
        assert_eq!(shifts.low_shifts_weight_held, 30);
        assert_eq!((shifts.act_held, shifts.weight_held, shifts.routed, shifts.fl_held), (10, 50, 100, 50));
        let products = Cost { low: Low::Product(4), ..cost }.events(60);
        assert_eq!((products.low_products_weight_held, products.low_product_bits_weight_held), (30, 120));
        // Dropped members are no products.
        let dropped = cost.events(60);
        assert_eq!((dropped.act_held, dropped.weight_held, dropped.routed, dropped.fl_held), (4, 20, 40, 20));
        assert_eq!((dropped.act_zero, shifts.act_zero, products.act_zero), (16, 40, 40));
    }

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
