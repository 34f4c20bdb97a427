//! Engine numbering, and the state of an engine.
//!
//! Invariant: numbers count up from DMA 0 without a gap, and [`engine_at`] undoes [`engine_of`].

use std::collections::VecDeque;

use dpu_isa::Instr;

/// Engines before those of the tiles.
const DMAS: usize = 2;
/// Engines per tile.
const PER_TILE: usize = 2;

/// The number of an instruction's engine; `None` for the dispatcher's own.
#[must_use]
pub fn engine_of(instr: &Instr) -> Option<usize> {
    let tile = PER_TILE * instr.tile().map_or(0, usize::from);
    match instr.engine() {
        dpu_isa::Engine::Control => None,
        dpu_isa::Engine::Dma0 => Some(0),
        dpu_isa::Engine::Dma1 => Some(1),
        dpu_isa::Engine::Dpu => Some(DMAS + tile),
        dpu_isa::Engine::Vec => Some(DMAS + tile + 1),
    }
}

/// The engine with this number, and its tile (0 for a DMA engine).
#[must_use]
pub fn engine_at(number: usize) -> (dpu_isa::Engine, usize) {
    match number.checked_sub(DMAS) {
        None if number == 0 => (dpu_isa::Engine::Dma0, 0),
        None => (dpu_isa::Engine::Dma1, 0),
        Some(n) if n % PER_TILE == 0 => (dpu_isa::Engine::Dpu, n / PER_TILE),
        Some(n) => (dpu_isa::Engine::Vec, n / PER_TILE),
    }
}

/// Number of engines of a machine with this many tiles in use.
#[must_use]
pub fn engines(tiles: usize) -> usize {
    DMAS + PER_TILE * tiles
}

/// A task in a FIFO.
#[derive(Debug)]
pub(super) struct Queued<T> {
    pub(super) index: usize,
    /// When its dispatch is complete.
    pub(super) seen_at: u64,
    pub(super) ticket: T,
}

/// The state of an engine at a time.
#[derive(Debug)]
pub(super) struct Engine<T> {
    pub(super) queue: VecDeque<Queued<T>>,
    /// The running task and when it ends.
    pub(super) running: Option<(usize, u64)>,
    /// When the last task ended.
    pub(super) free_at: u64,
    /// When the barriers of the first task in the queue open, if that is known.
    pub(super) opens_at: Option<u64>,
}

impl<T> Default for Engine<T> {
    fn default() -> Engine<T> {
        Engine { queue: VecDeque::new(), running: None, free_at: 0, opens_at: None }
    }
}

impl<T> Engine<T> {
    pub(super) fn idle(&self) -> bool {
        self.running.is_none() && self.queue.is_empty()
    }

    /// The next task, if it is visible to the engine and the engine is free.
    pub(super) fn head(&self, now: u64) -> Option<usize> {
        let head = self.queue.front().filter(|head| self.running.is_none() && head.seen_at <= now);
        head.map(|head| head.index)
    }

    /// Times at which something can happen here; times that have passed may be among them.
    pub(super) fn events(&self) -> impl Iterator<Item = u64> {
        let head = self.queue.front().filter(|_| self.running.is_none()).map(|head| head.seen_at);
        [self.running.map(|(_, end)| end), head, self.opens_at].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dpu_isa::{BarCfg, ConvVar, DmaCopy, VecUnary};

    #[test]
    fn numbers_name_engine_and_tile() {
        let dma = |engine| Instr::from(DmaCopy { engine, ..Default::default() });
        let dpu = |tile| Instr::from(ConvVar { tile, ..Default::default() });
        let vec = |tile| Instr::from(VecUnary { tile, ..Default::default() });
        for (number, instr) in [dma(0), dma(1), dpu(0), vec(0), dpu(1), vec(1)].iter().enumerate() {
            assert_eq!(engine_of(instr), Some(number));
            let tile = instr.tile().filter(|_| number >= DMAS).map_or(0, usize::from);
            assert_eq!(engine_at(number), (instr.engine(), tile));
        }
        assert_eq!(engine_of(&BarCfg::default().into()), None);
        assert_eq!(engines(2), 6);
    }
}
