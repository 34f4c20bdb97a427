//! Placement on the bytes that have been free the longest: their next writer need not wait for their last user.
//!
//! Invariant: as in [`super::fit`], blocks with overlapping lifetimes share no byte.

use std::collections::BTreeSet;

use super::{Fit, Request};

/// A slice of the range.
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: u64,
    end: u64,
    /// Time of the last use; `None` while in use.
    freed: Option<u32>,
}

/// The range `0..limit` as cells in address order.
struct Range {
    cells: Vec<Cell>,
}

impl Range {
    /// The index of the cell that starts at `start`.
    fn at(&self, start: u64) -> Option<usize> {
        self.cells.binary_search_by_key(&start, |c| c.start).ok()
    }

    /// The start of the hole for `bytes` whose latest use is longest ago; uses before `old` count as none. Ties go to the
    /// position that leaves the smallest remainder of its hole.
    fn find(&self, bytes: u64, align: u64, old: u32) -> Option<u64> {
        let age = |cell: &Cell| cell.freed.map(|freed| if freed < old { 0 } else { freed });
        let mut best: Option<((u32, u64), u64)> = None;
        for (i, cell) in self.cells.iter().enumerate().filter(|(_, c)| c.freed.is_some()) {
            let Some(at) = cell.start.checked_next_multiple_of(align).filter(|&at| at < cell.end) else {
                continue;
            };
            let end = at.checked_add(bytes)?;
            let (mut newest, mut reached) = (0, at);
            for next in self.cells.iter().skip(i) {
                let Some(age) = age(next) else { break };
                newest = newest.max(age);
                reached = next.end;
                if reached >= end || best.is_some_and(|((least, _), _)| newest > least) {
                    break;
                }
            }
            let key = (newest, reached.saturating_sub(end));
            if reached >= end && best.is_none_or(|(least, _)| key < least) {
                best = Some((key, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// Makes `at` a boundary between two cells.
    fn cut(&mut self, at: u64) {
        let i = self.cells.partition_point(|c| c.end <= at);
        let Some(cell) = self.cells.get_mut(i).filter(|c| c.start < at) else { return };
        let rest = Cell { start: at, ..*cell };
        cell.end = at;
        self.cells.insert(i + 1, rest);
    }

    /// Takes `start..end`, which is free.
    fn take(&mut self, start: u64, end: u64) {
        self.cut(start);
        self.cut(end);
        let (Some(from), to) = (self.at(start), self.cells.partition_point(|c| c.start < end)) else {
            return;
        };
        self.cells.drain(from + 1..to.max(from + 1));
        if let Some(cell) = self.cells.get_mut(from) {
            *cell = Cell { start, end, freed: None };
        }
    }

    /// Frees the cell that starts at `start`, and merges neighbours that have been free since before `old`.
    fn give(&mut self, start: u64, time: u32, old: u32) {
        if let Some(cell) = self.at(start).and_then(|i| self.cells.get_mut(i)) {
            cell.freed = Some(time);
        }
        let is_old = |c: &Cell| c.freed.is_some_and(|freed| freed < old);
        self.cells.dedup_by(|next, before| {
            let joins = is_old(next) && is_old(before);
            if joins {
                before.end = next.end;
            }
            joins
        });
    }
}

/// Places blocks, sorted by first use, below `limit`; avoids bytes used by the last `window` tasks as long as others are free.
/// `None` if a block does not fit.
pub(crate) fn place(blocks: &[Request], limit: u64, window: u32) -> Option<Fit> {
    let mut range = Range { cells: vec![Cell { start: 0, end: limit, freed: Some(0) }] };
    let mut expiry: BTreeSet<(u32, usize)> = BTreeSet::new();
    let mut result = Fit { offsets: Vec::with_capacity(blocks.len()), end: 0 };
    for (i, block) in blocks.iter().enumerate() {
        let old = block.first.saturating_sub(window);
        while let Some(&(last, j)) = expiry.first().filter(|(last, _)| *last < block.first) {
            expiry.pop_first();
            range.give(result.offsets.get(j).copied()?, last, old);
        }
        if block.bytes == 0 {
            result.offsets.push(0);
            continue;
        }
        let at = range.find(block.bytes, block.align.max(1), old)?;
        range.take(at, at + block.bytes);
        result.offsets.push(at);
        result.end = result.end.max(at + block.bytes);
        expiry.insert((block.last, i));
    }
    Some(result)
}
