//! Placement of blocks with known lifetimes into one address range.
//!
//! Invariant: blocks with overlapping lifetimes never share a byte; the result depends on the request list alone.
//!
//! Time is divided into *episodes*: maximal chains of blocks with overlapping lifetimes. Between episodes nothing is live, so
//! each is placed on its own. With room to spare, blocks go to the bytes that have been free the longest. Otherwise the fast
//! solver sweeps an episode in time order with best fit; if its result exceeds the limit, list orders by size, area and lifetime
//! are tried.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fit, Request, aged};

/// Why no placement was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A time of peak demand in the episode that does not fit.
    pub time: u32,
    /// The lowest end that was found, in bytes.
    pub need: u64,
}

/// How to choose among the solvers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Take the first result within the limit, on bytes that have been free the longest if there is room, and move short episodes
    /// around the range, so that an episode does not start on the bytes that the previous one used last and its first tasks need
    /// not wait for them.
    Spread,
    /// Take the better result of the fast solver and the order by size.
    Tight,
}

/// Upper bound of an address range: addresses have 40 bits.
const MAX_LIMIT: u64 = 1 << 40;

/// Episodes with more blocks are improved only if they do not fit.
const MAX_IMPROVED: usize = 8192;

/// Episodes with more blocks are not placed by age.
const MAX_AGED: usize = 8192;

/// Number of most recent tasks whose bytes are avoided, largest first.
const WINDOWS: [u32; 3] = [1 << 10, 1 << 7, 1 << 5];

/// Places all blocks below `limit`.
///
/// # Errors
/// The first episode for which no solver stays within the limit.
pub fn fit(requests: &[Request], limit: u64, effort: Effort) -> Result<Fit, Misfit> {
    // Bounds every sum of an offset and a size below.
    let limit = limit.min(MAX_LIMIT);
    if let Some(block) = requests.iter().find(|b| b.bytes > limit) {
        return Err(Misfit { time: block.first, need: block.bytes });
    }
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|&i| (requests[i].first, std::cmp::Reverse(requests[i].bytes), i));
    let mut result = Fit { offsets: vec![0; requests.len()], end: 0 };
    let mut cursor = 0;
    for episode in episodes(requests, &order) {
        let blocks: Vec<Request> = episode.iter().map(|&i| requests[i]).collect();
        let placed = solve(&blocks, limit, effort)?;
        let align = blocks.iter().map(|b| b.align.max(1)).max().unwrap_or(1);
        let base = match effort {
            Effort::Spread => start_of(cursor, align, placed.end, limit),
            Effort::Tight => 0,
        };
        for (&i, offset) in episode.iter().zip(&placed.offsets) {
            result.offsets[i] = base + offset;
        }
        cursor = base + placed.end;
        result.end = result.end.max(cursor);
    }
    Ok(result)
}

/// The base of an episode of `size` bytes: after the previous one if there is room, otherwise 0.
fn start_of(cursor: u64, align: u64, size: u64, limit: u64) -> u64 {
    match cursor.checked_next_multiple_of(align) {
        Some(base) if base.checked_add(size).is_some_and(|end| end <= limit) => base,
        _ => 0,
    }
}

/// Cuts `order` (sorted by first use) where nothing is live.
fn episodes<'a>(requests: &[Request], order: &'a [usize]) -> Vec<&'a [usize]> {
    let mut cuts = Vec::new();
    let (mut from, mut last) = (0, 0);
    for (k, &i) in order.iter().enumerate() {
        if k > from && requests[i].first > last {
            cuts.push(&order[from..k]);
            from = k;
        }
        last = last.max(requests[i].last);
    }
    if from < order.len() {
        cuts.push(&order[from..]);
    }
    cuts
}

/// Places one episode, whose blocks are sorted by first use.
fn solve(blocks: &[Request], limit: u64, effort: Effort) -> Result<Fit, Misfit> {
    if effort == Effort::Spread && blocks.len() <= MAX_AGED {
        let aged = WINDOWS.into_iter().find_map(|window| aged::place(blocks, limit, window));
        if let Some(fit) = aged {
            return Ok(fit);
        }
    }
    let mut best = sweep(blocks);
    if effort == Effort::Spread && best.end <= limit {
        return Ok(best);
    }
    let (time, floor) = peak(blocks);
    if best.end > floor {
        for key in ORDERS {
            let improve = effort == Effort::Tight && key == Key::Size && blocks.len() <= MAX_IMPROVED;
            if best.end <= limit && !improve {
                break;
            }
            let other = listed(blocks, key);
            if other.end < best.end {
                best = other;
            }
        }
    }
    if best.end <= limit { Ok(best) } else { Err(Misfit { time, need: best.end }) }
}

/// The time of peak demand, and that demand in bytes: a lower bound of any placement.
fn peak(blocks: &[Request]) -> (u32, u64) {
    let mut events: Vec<(u32, bool, u64)> = Vec::with_capacity(blocks.len() * 2);
    for b in blocks {
        events.push((b.first, true, b.bytes));
        events.push((b.last, false, b.bytes));
    }
    // At equal times arrivals (true) come before departures: lifetimes include both ends.
    events.sort_by_key(|&(time, arrives, _)| (time, !arrives));
    let (mut live, mut best) = (0u64, (0, 0));
    for (time, arrives, bytes) in events {
        if arrives {
            live = live.saturating_add(bytes);
            if live > best.1 {
                best = (time, live);
            }
        } else {
            live = live.saturating_sub(bytes);
        }
    }
    best
}

/// The free space of a sweep: holes by address, and by size for the best fit.
struct Holes {
    by_start: BTreeMap<u64, (u64, u32)>,
    by_size: BTreeSet<(u64, u32, u64)>,
}

impl Holes {
    fn new() -> Self {
        let mut holes = Holes { by_start: BTreeMap::new(), by_size: BTreeSet::new() };
        holes.insert(0, u64::MAX, 0);
        holes
    }

    fn insert(&mut self, start: u64, end: u64, freed: u32) {
        if start < end {
            self.by_start.insert(start, (end, freed));
            self.by_size.insert((end - start, freed, start));
        }
    }

    fn remove(&mut self, start: u64) -> Option<(u64, u32)> {
        let (end, freed) = self.by_start.remove(&start)?;
        self.by_size.remove(&(end - start, freed, start));
        Some((end, freed))
    }

    /// Takes `bytes` from the smallest hole that fits; ties go to the hole freed first, whose last user is most likely done.
    fn take(&mut self, bytes: u64, align: u64) -> u64 {
        let found = self.by_size.range((bytes, 0, 0)..).find_map(|&(size, _, start)| {
            let at = start.checked_next_multiple_of(align)?;
            (at - start <= size - bytes).then_some((start, at))
        });
        // The last hole reaches to the end of 64 bits, so one is always found.
        let Some((start, at)) = found else { return u64::MAX };
        if let Some((end, freed)) = self.remove(start) {
            self.insert(start, at, freed);
            self.insert(at + bytes, end, freed);
        }
        at
    }

    fn give(&mut self, mut start: u64, mut end: u64, time: u32) {
        let below = self.by_start.range(..start).next_back().map(|(&s, &(e, _))| (s, e));
        if let Some((s, e)) = below
            && e == start
        {
            self.remove(s);
            start = s;
        }
        if let Some((e, _)) = self.remove(end) {
            end = e;
        }
        self.insert(start, end, time);
    }
}

/// Best fit in time order.
fn sweep(blocks: &[Request]) -> Fit {
    let mut holes = Holes::new();
    let mut expiry: BTreeSet<(u32, usize)> = BTreeSet::new();
    let mut result = Fit { offsets: Vec::with_capacity(blocks.len()), end: 0 };
    for (i, block) in blocks.iter().enumerate() {
        while let Some(&(last, j)) = expiry.first() {
            if last >= block.first {
                break;
            }
            expiry.pop_first();
            holes.give(result.offsets[j], result.offsets[j] + blocks[j].bytes, last);
        }
        if block.bytes == 0 {
            result.offsets.push(0);
            continue;
        }
        let at = holes.take(block.bytes, block.align.max(1));
        result.offsets.push(at);
        result.end = result.end.max(at.saturating_add(block.bytes));
        expiry.insert((block.last, i));
    }
    result
}

/// Sort keys of the list solver, largest first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Size,
    Area,
    Life,
}

const ORDERS: [Key; 3] = [Key::Size, Key::Area, Key::Life];

/// Places the blocks one by one in the order of `key`, each into the smallest gap between already placed blocks with an
/// overlapping lifetime.
fn listed(blocks: &[Request], key: Key) -> Fit {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&i| {
        let b = &blocks[i];
        let life = u64::from(b.last - b.first) + 1;
        let weight = match key {
            Key::Size => (u128::from(b.bytes), life),
            Key::Area => (u128::from(b.bytes) * u128::from(life), b.bytes),
            Key::Life => (u128::from(life), b.bytes),
        };
        (std::cmp::Reverse(weight), b.first, i)
    });
    let mut times = Times::new(blocks);
    let mut result = Fit { offsets: vec![0; blocks.len()], end: 0 };
    let mut near = Vec::new();
    for i in order {
        let block = &blocks[i];
        if block.bytes == 0 {
            continue;
        }
        near.clear();
        times.meeting(block, &mut near);
        near.sort_unstable_by_key(|&j| (result.offsets[j], j));
        near.dedup();
        let at = best_gap(block, near.iter().map(|&j| (result.offsets[j], blocks[j].bytes)));
        result.offsets[i] = at;
        result.end = result.end.max(at.saturating_add(block.bytes));
        times.add(block, i);
    }
    result
}

/// The start of the smallest gap that holds `block` between the sorted `(offset, bytes)` of `taken`, or their end.
fn best_gap(block: &Request, taken: impl Iterator<Item = (u64, u64)>) -> u64 {
    let align = block.align.max(1);
    let (mut free_from, mut best) = (0u64, None::<(u64, u64)>);
    for (offset, bytes) in taken {
        let at = free_from.saturating_add(align - 1) & !(align - 1);
        let slack = offset.checked_sub(at).and_then(|room| room.checked_sub(block.bytes));
        if let Some(slack) = slack
            && best.is_none_or(|(least, _)| slack < least)
        {
            best = Some((slack, at));
        }
        free_from = free_from.max(offset.saturating_add(bytes));
    }
    best.map_or(free_from.saturating_add(align - 1) & !(align - 1), |(_, at)| at)
}

/// A segment tree over the times of an episode that finds the added blocks that overlap a lifetime.
struct Times {
    ticks: Vec<u32>,
    width: usize,
    /// Blocks that are live during the node's whole span.
    whole: Vec<Vec<usize>>,
    /// Blocks that are live during part of it only.
    part: Vec<Vec<usize>>,
}

impl Times {
    fn new(blocks: &[Request]) -> Self {
        let mut ticks: Vec<u32> = blocks.iter().flat_map(|b| [b.first, b.last]).collect();
        ticks.sort_unstable();
        ticks.dedup();
        let width = ticks.len().next_power_of_two().max(1);
        Times { ticks, width, whole: vec![Vec::new(); 2 * width], part: vec![Vec::new(); 2 * width] }
    }

    /// The leaves of the first and last use of `block`.
    fn span(&self, block: &Request) -> (usize, usize) {
        let leaf = |time: u32| self.ticks.partition_point(|&t| t < time);
        (leaf(block.first), leaf(block.last))
    }

    /// Calls `visit(node, covered)` for the nodes that overlap leaves `from..=to`, without descending below covered ones.
    fn visit(&mut self, (from, to): (usize, usize), mut visit: impl FnMut(&mut Self, usize, bool)) {
        let mut stack = vec![(1, 0, self.width - 1)];
        while let Some((node, low, high)) = stack.pop() {
            if to < low || high < from {
                continue;
            }
            let covered = from <= low && high <= to;
            visit(self, node, covered);
            if !covered {
                let middle = low.midpoint(high);
                stack.push((2 * node, low, middle));
                stack.push((2 * node + 1, middle + 1, high));
            }
        }
    }

    fn add(&mut self, block: &Request, index: usize) {
        let span = self.span(block);
        self.visit(span, |tree, node, covered| {
            if covered {
                tree.whole[node].push(index);
            } else {
                tree.part[node].push(index);
            }
        });
    }

    /// Appends the blocks whose lifetime overlaps that of `block`, some of them more than once.
    fn meeting(&mut self, block: &Request, found: &mut Vec<usize>) {
        let span = self.span(block);
        self.visit(span, |tree, node, covered| {
            found.extend_from_slice(&tree.whole[node]);
            if covered {
                found.extend_from_slice(&tree.part[node]);
            }
        });
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
