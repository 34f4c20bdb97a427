//! Live bytes of the SRAM over time.
//!
//! Derived from the accesses of the program, not from the compiler's allocation: a buffer begins with the task that
//! writes it and ends with its last reader before its bytes are overwritten. Rectangles of one tile never overlap.

use std::collections::BTreeMap;

use dpu_isa::{Access, Slots, Space};

use crate::observe::Task;

/// Bytes `lo..hi` of a tile's SRAM that hold a layer's data during the cycles `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) tile: u8,
    pub(crate) lo: u64,
    pub(crate) hi: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The layer that wrote it.
    pub(crate) layer: usize,
}

/// A buffer that may still be read.
#[derive(Clone, Copy, Debug)]
struct Live {
    hi: u64,
    start: u64,
    end: u64,
    layer: usize,
}

/// Tracks the accesses of tasks.
#[derive(Debug, Default)]
pub(crate) struct SramMap {
    slots: Slots,
    /// Live buffers by tile and first byte.
    live: BTreeMap<(u8, u64), Live>,
    done: Vec<Rect>,
}

impl SramMap {
    /// A task of this layer starts.
    pub(crate) fn task(&mut self, task: &Task<'_>, layer: usize) {
        let tile = task.instr.tile().unwrap_or(0);
        let inv = self.slots.step(task.instr).ok().flatten();
        let accesses: Vec<Access> =
            task.instr.footprint(inv).into_iter().filter(|a| a.space == Space::Sram).collect();
        for read in accesses.iter().filter(|a| !a.write) {
            for live in self.overlapping(tile, read.lo, read.end()) {
                if let Some(live) = self.live.get_mut(&(tile, live)) {
                    live.end = live.end.max(task.end);
                }
            }
        }
        for write in accesses.iter().filter(|a| a.write) {
            // A strided write does not touch the bytes between its elements; a task that reads what it writes updates
            // it.
            let keeps = task.bytes.sram_write < write.len
                || accesses.iter().any(|read| !read.write && read.overlaps(write));
            self.write(tile, write, task, layer, keeps);
        }
    }

    /// First bytes of the live buffers that overlap `lo..hi`.
    fn overlapping(&self, tile: u8, lo: u64, hi: u64) -> Vec<u64> {
        let before = self.live.range((tile, 0)..(tile, lo)).next_back();
        let first = before.filter(|(_, live)| live.hi > lo).map(|((_, at), _)| *at);
        let rest = self.live.range((tile, lo)..(tile, hi.max(lo))).map(|((_, at), _)| *at);
        first.into_iter().chain(rest).collect()
    }

    /// `keeps`: data of the same layer in the range stays live, and is part of what is written.
    fn write(&mut self, tile: u8, access: &Access, task: &Task<'_>, layer: usize, keeps: bool) {
        let (lo, hi) = (access.lo, access.end());
        let mut gap = lo;
        for at in self.overlapping(tile, lo, hi) {
            let Some(old) = self.live.get(&(tile, at)).copied() else { continue };
            if keeps && old.layer == layer {
                if let Some(old) = self.live.get_mut(&(tile, at)) {
                    old.end = old.end.max(task.end);
                }
                self.begin(tile, gap, at, task, layer);
                gap = gap.max(old.hi);
                continue;
            }
            self.live.remove(&(tile, at));
            let (from, to) = (at.max(lo), old.hi.min(hi));
            self.done.push(Rect { tile, lo: from, hi: to, start: old.start, end: old.end, layer: old.layer });
            if at < lo {
                self.live.insert((tile, at), Live { hi: lo, ..old });
            }
            if old.hi > hi {
                self.live.insert((tile, hi), old);
            }
        }
        self.begin(tile, gap, hi, task, layer);
    }

    /// `lo..hi` holds new data.
    fn begin(&mut self, tile: u8, lo: u64, hi: u64, task: &Task<'_>, layer: usize) {
        if lo < hi {
            self.live.insert((tile, lo), Live { hi, start: task.start, end: task.end, layer });
        }
    }

    /// All rectangles, by tile, start and address.
    pub(crate) fn finish(mut self) -> Vec<Rect> {
        let rest = self.live.iter().map(|(&(tile, lo), live)| {
            let Live { hi, start, end, layer } = *live;
            Rect { tile, lo, hi, start, end, layer }
        });
        self.done.extend(rest);
        self.done.sort_by_key(|r| (r.tile, r.start, r.lo, r.end));
        self.done
    }
}

/// Bytes in use of a tile, from each time at which the number changes.
pub(crate) fn usage(rects: &[Rect], tile: u8) -> Vec<(u64, u64)> {
    let mut change: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for rect in rects.iter().filter(|r| r.tile == tile) {
        let size = rect.hi.saturating_sub(rect.lo);
        change.entry(rect.start).or_default().0 += size;
        change.entry(rect.end).or_default().1 += size;
    }
    let mut used = 0u64;
    let steps = change.into_iter().map(|(time, (more, less))| {
        used = (used + more).saturating_sub(less);
        (time, used)
    });
    let mut steps: Vec<(u64, u64)> = steps.collect();
    steps.dedup_by_key(|step| step.1);
    steps
}
