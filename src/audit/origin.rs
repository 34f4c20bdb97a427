//! The origin of the bytes of an SRAM: segments that a copy brought from the constants.
//!
//! Invariant: segments do not overlap, and every byte of a segment equals the constant byte that it refers to.

use std::collections::BTreeMap;

/// The segments of one tile's SRAM, by their first byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    runs: BTreeMap<u64, Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// One past the last byte in SRAM.
    end: u64,
    /// Address of the first byte among the constants.
    source: u64,
}

/// A piece of the constants: address and number of bytes.
pub(super) type Piece = (u64, u64);

impl Origins {
    /// Other data are written to `len` bytes at `start`.
    pub(super) fn forget(&mut self, start: u64, len: u64) {
        let end = start.saturating_add(len);
        // A segment that begins before and reaches in.
        let before = self.runs.range(..start).next_back().map(|(&at, &run)| (at, run));
        if let Some((at, run)) = before.filter(|(_, run)| run.end > start) {
            self.runs.insert(at, Run { end: start, ..run });
            self.keep_tail(at, run, end);
        }
        let inside: Vec<(u64, Run)> = self.runs.range(start..end).map(|(&at, &run)| (at, run)).collect();
        for (at, run) in inside {
            self.runs.remove(&at);
            self.keep_tail(at, run, end);
        }
    }

    /// Keeps the part of a segment at or after `end`.
    fn keep_tail(&mut self, at: u64, run: Run, end: u64) {
        if run.end > end {
            self.runs.insert(end, Run { end: run.end, source: run.source + (end - at) });
        }
    }

    /// The constants at `source` are written to `len` bytes at `start`.
    pub(super) fn write(&mut self, start: u64, len: u64, source: u64) {
        self.forget(start, len);
        let before = self.runs.range_mut(..start).next_back();
        match before.filter(|(at, run)| run.end == start && run.source + (start - **at) == source) {
            Some((_, run)) => run.end = start.saturating_add(len),
            None if len > 0 => {
                self.runs.insert(start, Run { end: start.saturating_add(len), source });
            }
            None => {}
        }
    }

    /// The constants in `len` bytes at `start`; nothing if any byte is not a constant.
    pub(super) fn pieces(&self, start: u64, len: u64) -> Option<Vec<Piece>> {
        let end = start.checked_add(len)?;
        let (mut at, mut pieces) = (start, Vec::new());
        while at < end {
            let (&first, run) = self.runs.range(..=at).next_back().filter(|(_, run)| run.end > at)?;
            let until = run.end.min(end);
            pieces.push((run.source + (at - first), until - at));
            at = until;
        }
        Some(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_writes_win() {
        let mut origins = Origins::default();
        origins.write(100, 50, 1000);
        origins.forget(110, 10);
        assert_eq!(origins.pieces(100, 10), Some(vec![(1000, 10)]));
        assert_eq!(origins.pieces(120, 30), Some(vec![(1020, 30)]));
        assert_eq!(origins.pieces(100, 11), None);
        origins.write(110, 10, 5000);
        assert_eq!(origins.pieces(105, 30), Some(vec![(1005, 5), (5000, 10), (1020, 15)]));
        origins.write(90, 100, 0);
        assert_eq!(origins.pieces(90, 100), Some(vec![(0, 100)]));
        assert_eq!(origins.runs.len(), 1);
    }

    #[test]
    fn neighbours_of_one_source_are_one_run() {
        let mut origins = Origins::default();
        (0..64).for_each(|row| origins.write(16 * row, 16, 512 + 16 * row));
        assert_eq!(origins.runs.len(), 1);
        assert_eq!(origins.pieces(8, 100), Some(vec![(520, 100)]));
    }

    #[test]
    fn nothing_is_known_of_what_was_not_written() {
        let mut origins = Origins::default();
        assert_eq!(origins.pieces(0, 1), None);
        origins.write(16, 16, 0);
        assert_eq!((origins.pieces(15, 2), origins.pieces(31, 2)), (None, None));
        assert_eq!(origins.pieces(u64::MAX, 2), None);
        assert_eq!(origins.pieces(3, 0), Some(Vec::new()));
    }
}
