//! The last accesses to each byte: an interval map over one address space.
//!
//! Invariant: segments are disjoint and not empty; bytes outside of them were never accessed.

use std::collections::BTreeMap;

use super::{ENGINES, Hazard};

/// A read that visits more segments than this merges them into one. Merged segments keep all of their writers and readers, so no
/// order is lost, but later accesses to a part wait for the writers of the whole. This bounds the time for tensors that are
/// written in thousands of pieces and then read as a whole many times.
const MERGE_ABOVE: usize = 64;

/// Task index + 1 per engine, 0 for none.
type Last = [u32; ENGINES];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    end: u64,
    writers: Last,
    readers: Last,
}

/// The map of one address space.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    segments: BTreeMap<u64, Segment>,
}

impl Ranges {
    /// Records an access of `task` to the bytes `lo..end`, and raises `found` to the tasks of each engine it conflicts
    /// with.
    pub(super) fn access(
        &mut self,
        lo: u64,
        end: u64,
        write: bool,
        engine: usize,
        task: u32,
        found: &mut [Option<(u32, Hazard)>; ENGINES],
    ) {
        self.split(lo);
        self.split(end);
        let mut writers = Last::default();
        let mut readers = Last::default();
        let mut gaps = Vec::new();
        let (mut at, mut visited) = (lo, 0usize);
        for (&start, segment) in self.segments.range_mut(lo..end) {
            if start > at {
                gaps.push((at, start));
            }
            at = segment.end;
            visited += 1;
            raise(&mut writers, &segment.writers);
            raise(&mut readers, &segment.readers);
            if !write {
                segment.readers[engine] = task + 1;
            }
        }
        if at < end {
            gaps.push((at, end));
        }
        let hazard = if write { Hazard::Waw } else { Hazard::Raw };
        note(found, &writers, hazard);
        if write {
            note(found, &readers, Hazard::War);
        }
        if write || visited > MERGE_ABOVE {
            let mut merged = Segment { end, writers, readers };
            if write {
                merged.writers = Last::default();
                merged.readers = Last::default();
                merged.writers[engine] = task + 1;
            } else {
                merged.readers[engine] = task + 1;
            }
            self.replace(lo, end, merged);
        } else {
            for (start, stop) in gaps {
                let mut fresh = Segment { end: stop, writers: Last::default(), readers: Last::default() };
                fresh.readers[engine] = task + 1;
                self.segments.insert(start, fresh);
            }
        }
    }

    /// Makes `at` a boundary.
    fn split(&mut self, at: u64) {
        if let Some((_, segment)) = self.segments.range_mut(..at).next_back()
            && segment.end > at
        {
            let upper = *segment;
            segment.end = at;
            self.segments.insert(at, upper);
        }
    }

    /// Replaces all segments within `lo..end`, which are boundaries, by one.
    fn replace(&mut self, lo: u64, end: u64, segment: Segment) {
        while let Some((&start, _)) = self.segments.range(lo..end).next() {
            self.segments.remove(&start);
        }
        self.segments.insert(lo, segment);
    }
}

fn raise(into: &mut Last, other: &Last) {
    for (a, b) in into.iter_mut().zip(other) {
        *a = (*a).max(*b);
    }
}

fn note(found: &mut [Option<(u32, Hazard)>; ENGINES], last: &Last, hazard: Hazard) {
    for (slot, &task) in found.iter_mut().zip(last) {
        if task > 0 && slot.is_none_or(|(best, _)| task - 1 > best) {
            *slot = Some((task - 1, hazard));
        }
    }
}
