//! DMA tasks and the DRAM channel that they share.

use dpu_isa::{DmaCopy, DmaFill, DmaGather, DmaScatter, Machine, Space};

use crate::{Cost, Events, Low, Traffic, per_cycle, product};

/// Bytes of an index.
const INDEX_BYTES: u64 = 4;

/// What a DMA task moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The space read, if any.
    pub from: Option<Space>,
    /// The space written.
    pub to: Space,
    /// Bytes moved.
    pub bytes: u64,
    /// Segments that are contiguous on all sides.
    pub rows: u64,
    /// Segments that are contiguous in DRAM; those of both sides if both are in DRAM.
    pub dram_runs: u64,
}

/// Cost of a copy.
pub(crate) fn dma_copy(x: &DmaCopy, m: &Machine) -> Cost {
    let element = u64::from(x.element);
    let runs = |space, strides| if space == Space::Dram { runs_of(&x.dims, [strides], element) } else { 0 };
    let transfer = Transfer {
        from: Some(x.src.space),
        to: x.dst.space,
        bytes: x.dims.iter().fold(element, |n, &d| n.saturating_mul(u64::from(d))),
        rows: runs_of(&x.dims, [&x.src_strides, &x.dst_strides], element),
        dram_runs: runs(x.src.space, &x.src_strides).saturating_add(runs(x.dst.space, &x.dst_strides)),
    };
    dma(&transfer, m)
}

/// Cost of a fill.
pub(crate) fn dma_fill(x: &DmaFill, m: &Machine) -> Cost {
    let element = u64::from(x.element);
    let rows = runs_of(&x.dims, [&x.dst_strides], element);
    let transfer = Transfer {
        from: None,
        to: x.dst.space,
        bytes: x.dims.iter().fold(element, |n, &d| n.saturating_mul(u64::from(d))),
        rows,
        dram_runs: if x.dst.space == Space::Dram { rows } else { 0 },
    };
    dma(&transfer, m)
}

/// Cost of a gather.
pub(crate) fn dma_gather(x: &DmaGather, m: &Machine) -> Cost {
    let rows = selected(&x.dims, &x.index_strides, x.axis);
    indexed((x.src.space, &x.src_strides), (x.dst.space, &x.dst_strides), &x.dims, x.element, rows, m)
}

/// Cost of a scatter.
pub(crate) fn dma_scatter(x: &DmaScatter, m: &Machine) -> Cost {
    let rows = selected(&x.dims, &x.index_strides, x.axis);
    indexed((x.src.space, &x.src_strides), (x.dst.space, &x.dst_strides), &x.dims, x.element, rows, m)
}

/// The leading dimensions of which every index has its own selected row: all up to `axis` and to the last one along which the
/// indices change.
fn selected(dims: &[u32; 6], index_strides: &[u32; 6], axis: u8) -> usize {
    let changes = |d: usize| dims.get(d) != Some(&1) && index_strides.get(d) != Some(&0);
    let last = (0..6).rev().find(|&d| d == usize::from(axis) || changes(d));
    last.map_or(0, |d| d + 1)
}

/// A copy between arrays of which one is addressed by indices along the first `outer` dimensions: only what lies inside one
/// selected row can be contiguous.
fn indexed(
    from: (Space, &[u64; 6]),
    to: (Space, &[u64; 6]),
    dims: &[u32; 6],
    element: u8,
    outer: usize,
    m: &Machine,
) -> Cost {
    let element = u64::from(element);
    let mut inner = *dims;
    inner.iter_mut().take(outer).for_each(|extent| *extent = 1);
    let selected = product(dims.iter().take(outer).map(|&d| u64::from(d)));
    let in_dram = |(space, strides): (Space, &[u64; 6])| match space {
        Space::Dram => selected.saturating_mul(runs_of(&inner, [strides], element)),
        Space::Sram => 0,
    };
    let transfer = Transfer {
        from: Some(from.0),
        to: to.0,
        bytes: product(dims.iter().map(|&d| u64::from(d))).saturating_mul(element),
        rows: selected.saturating_mul(runs_of(&inner, [from.1, to.1], element)),
        dram_runs: in_dram(from).saturating_add(in_dram(to)),
    };
    let mut cost = dma(&transfer, m);
    let list = selected.saturating_mul(INDEX_BYTES);
    let moving = per_cycle(transfer.bytes.saturating_add(list), m.dma_bytes_per_cycle);
    cost.cycles = cost.cycles.max(cost.latency.saturating_add(moving));
    cost.events.sram_dma_read = cost.events.sram_dma_read.saturating_add(list);
    (cost.traffic.sram_read, cost.traffic.sram_write) = cost.events.sram();
    cost
}

/// Segments of a strided array of elements that are contiguous on all sides, in dimension order.
fn runs_of<const N: usize>(dims: &[u32; 6], strides: [&[u64; 6]; N], element: u64) -> u64 {
    let (mut runs, mut run, mut grows) = (1u64, element, true);
    for (d, &extent) in dims.iter().enumerate().rev().filter(|(_, extent)| **extent != 1) {
        grows = grows && strides.iter().all(|s| s.get(d) == Some(&run));
        let n = if grows { &mut run } else { &mut runs };
        *n = n.saturating_mul(u64::from(extent));
    }
    runs
}

/// A DMA task; the rules are those of "DMA" in `docs/timing.md`.
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
    let dram = channel_cycles(dram_bytes, m);
    let latency = if dram_bytes > 0 { u64::from(m.dram_latency_cycles) } else { 0 };
    let moving = per_cycle(t.bytes, m.dma_bytes_per_cycle).max(dram).max(t.rows).max(requests(t, m));
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

/// Cycles until all DRAM requests are answered.
fn requests(t: &Transfer, m: &Machine) -> u64 {
    let sides = u64::from(t.from == Some(Space::Dram)) + u64::from(t.to == Space::Dram);
    if sides == 0 || t.bytes == 0 {
        return 0;
    }
    let runs = t.dram_runs.max(sides);
    let run = t.bytes.saturating_mul(sides).div_ceil(runs);
    let each = per_cycle(run, m.dma_request_bytes).max(1);
    let (waiting, outstanding) = awaited(runs.saturating_mul(each), m);
    waiting.div_ceil(outstanding)
}

/// Cycles until the DRAM has answered `requests`, with `dma_outstanding` of them in flight (Little's law), as numerator
/// and denominator: the cost of a task rounds up, an estimate of many tasks together rounds down.
#[must_use]
pub fn awaited(requests: u64, m: &Machine) -> (u64, u64) {
    let waiting = requests.saturating_mul(u64::from(m.dram_latency_cycles));
    (waiting, u64::from(m.dma_outstanding).max(1))
}

/// Cycles that the DRAM channel needs for `bytes`.
#[must_use]
pub fn channel_cycles(bytes: u64, m: &Machine) -> u64 {
    per_cycle(bytes, m.dram_bytes_per_cycle)
}

/// End of a task that starts at `start` if the DRAM channel is free from `channel` on; advances `channel`.
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
    use dpu_isa::MemAddr;

    use super::*;

    #[test]
    fn transfers_pay_latency_and_the_slowest_rate() {
        let m = Machine::flexnn_16x16();
        let load = Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1, dram_runs: 1 };
        let cost = dma(&load, &m);
        assert_eq!((cost.cycles, cost.latency, cost.dram), (1240 + 100, 1240, 100));
        assert_eq!((cost.traffic.dram_read, cost.traffic.sram_write), (2100, 2100));
        let inside =
            Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 10, dram_runs: 1 };
        assert_eq!(dma(&inside, &m).cycles, 10);
        let bytes =
            Transfer { from: Some(Space::Sram), to: Space::Sram, bytes: 320, rows: 320, dram_runs: 1 };
        assert_eq!(dma(&bytes, &m).cycles, 320);
        // Bytes with gaps between them: one request each, 512 requests per 1240 cycles.
        let gather =
            Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2048, rows: 2048, dram_runs: 2048 };
        assert_eq!(dma(&gather, &m).cycles, 1240 + 4 * 1240);
        let through =
            Transfer { from: Some(Space::Dram), to: Space::Dram, bytes: 2100, rows: 1, dram_runs: 1 };
        assert_eq!(dma(&through, &m).cycles, 1240 + 200);
    }

    #[test]
    fn rows_are_joined_where_their_addresses_are_contiguous() {
        let dims = [1, 1, 1, 4, 5, 6];
        let packed = [0, 0, 0, 30, 6, 1];
        let padded = [0, 0, 0, 60, 12, 2];
        let rows = [0, 0, 0, 40, 6, 1];
        assert_eq!(runs_of(&dims, [&packed], 1), 1);
        assert_eq!(runs_of(&dims, [&rows], 1), 4);
        assert_eq!(runs_of(&dims, [&padded], 1), 120);
        assert_eq!(runs_of(&dims, [&padded], 2), 1);
        assert_eq!(runs_of(&dims, [&packed, &rows], 1), 4);
        assert_eq!(runs_of(&dims, [&packed, &padded], 1), 120);
        assert_eq!(runs_of(&[1; 6], [&packed], 1), 1);
    }

    #[test]
    fn selected_rows_take_a_segment_and_an_index_each() {
        let m = Machine::flexnn_16x16();
        let strides = [0, 0, 0, 64 * 100, 64, 1];
        let x = DmaGather {
            element: 1,
            axis: 4,
            rows: 100,
            src: MemAddr::dram(0),
            dst: MemAddr::sram(0),
            dims: [1, 1, 1, 2, 30, 64],
            src_strides: strides,
            index_strides: [0, 0, 0, 120, 4, 0],
            dst_strides: [0, 0, 0, 30 * 64, 64, 1],
            ..DmaGather::default()
        };
        let cost = dma_gather(&x, &m);
        // Only the selected rows are moved. The indices come from the SRAM, over the engine's data path.
        assert_eq!((cost.traffic.dram_read, cost.dram), (60 * 64, channel_cycles(60 * 64, &m)));
        assert_eq!((cost.traffic.sram_read, cost.traffic.sram_write), (60 * 4, 60 * 64));
        let moving = (60u64 * 68).div_ceil(u64::from(m.dma_bytes_per_cycle)).max(cost.dram);
        assert_eq!(cost.cycles, 1240 + moving);
        // One index for both batches, and single elements: as many segments as elements.
        let dims = [1, 1, 1, 2, 30, 1];
        let near = DmaGather { src: MemAddr::sram(0), dims, index_strides: [0, 0, 0, 0, 4, 0], ..x };
        let cost = dma_gather(&near, &m);
        assert_eq!((cost.cycles, cost.traffic.sram_read), (60, 60 + 240));
        // A constant row: everything inside a batch lies behind one index.
        let one = DmaGather { axis: 3, dims: [1, 1, 1, 1, 30, 64], index_strides: [0; 6], ..near };
        assert_eq!(dma_gather(&one, &m).traffic.sram_read, 30 * 64 + 4);
        let back = DmaScatter {
            element: 1,
            axis: 4,
            rows: 100,
            src: MemAddr::sram(0),
            dst: MemAddr::dram(0),
            dims: x.dims,
            src_strides: x.dst_strides,
            index_strides: x.index_strides,
            dst_strides: strides,
            ..DmaScatter::default()
        };
        let cost = dma_scatter(&back, &m);
        assert_eq!((cost.cycles, cost.traffic.dram_write), (1240 + moving, 60 * 64));
        assert_eq!(cost.traffic.sram_read, 60 * 64 + 240);
    }

    #[test]
    fn the_dram_channel_is_served_in_turn() {
        let m = Machine::flexnn_16x16();
        let load = dma(
            &Transfer { from: Some(Space::Dram), to: Space::Sram, bytes: 2100, rows: 1, dram_runs: 1 },
            &m,
        );
        let mut channel = 0;
        assert_eq!(end_of_transfer(0, &load, &mut channel), 1340);
        // The second overlaps its latency but not its bytes.
        assert_eq!(end_of_transfer(10, &load, &mut channel), 1440);
        assert_eq!(end_of_transfer(5000, &load, &mut channel), 6340);
        let inside = dma(&Transfer { from: None, to: Space::Sram, bytes: 32, rows: 1, dram_runs: 1 }, &m);
        assert_eq!(end_of_transfer(0, &inside, &mut channel), 1);
    }
}
