//! Tile streams in SRAM: a few slots that hold the most recently used tiles.
//!
//! Invariant: with at least two slots, the slot that is filled for a step is never the one that the previous step uses, so a tile
//! may be loaded before the previous step computes.

use std::collections::BTreeMap;

use crate::draft::{BufferId, Draft};
use crate::error::PlanError;

/// The slot of a tile, and whether the tile has to be loaded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileSlot {
    /// The slot.
    pub(crate) buffer: BufferId,
    /// The tile is not in the slot yet.
    pub(crate) load: bool,
}

/// Slots of equal size with the least recently used one replaced.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    slots: Vec<(BufferId, u64)>,
    tiles: BTreeMap<u64, usize>,
    keys: Vec<Option<u64>>,
    clock: u64,
}

impl Stream {
    /// A stream of `slots` SRAM buffers of `bytes` each.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub(crate) fn new(draft: &mut Draft, slots: u64, bytes: u64) -> Result<Self, PlanError> {
        let buffers =
            (0..slots).map(|_| Ok((draft.sram(bytes)?, 0))).collect::<Result<Vec<_>, PlanError>>()?;
        Ok(Stream { keys: vec![None; buffers.len()], slots: buffers, tiles: BTreeMap::new(), clock: 0 })
    }

    /// The slot of tile `key`, which becomes the most recently used one.
    ///
    /// # Errors
    /// An internal error if the stream has no slots.
    pub(crate) fn place(&mut self, key: u64) -> Result<TileSlot, PlanError> {
        self.clock += 1;
        let (slot, load) = match self.tiles.get(&key) {
            Some(&slot) => (slot, false),
            None => {
                let oldest = (0..self.slots.len())
                    .min_by_key(|&i| self.slots.get(i).map_or(0, |s| s.1))
                    .ok_or_else(|| PlanError::internal("a tile stream without slots"))?;
                (oldest, true)
            }
        };
        if let (true, Some(entry)) = (load, self.keys.get_mut(slot)) {
            if let Some(old) = entry.replace(key) {
                self.tiles.remove(&old);
            }
            self.tiles.insert(key, slot);
        }
        let (buffer, used) = self
            .slots
            .get_mut(slot)
            .ok_or_else(|| PlanError::internal("a tile in a slot that does not exist"))?;
        *used = self.clock;
        Ok(TileSlot { buffer: *buffer, load })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_turn_without_reloading() {
        let mut draft = Draft::new();
        let mut stream = Stream::new(&mut draft, 2, 64).unwrap();
        let loads: Vec<bool> =
            [0, 1, 2, 2, 1, 0, 0, 1].iter().map(|&k| stream.place(k).unwrap().load).collect();
        assert_eq!(loads, [true, true, true, false, false, true, false, false]);
    }

    #[test]
    fn a_load_never_replaces_the_tile_before() {
        let mut draft = Draft::new();
        let mut stream = Stream::new(&mut draft, 2, 64).unwrap();
        let mut before = None;
        for key in [5, 1, 5, 2, 7, 7, 3, 1, 2, 3] {
            let place = stream.place(key).unwrap();
            assert!(!place.load || Some(place.buffer) != before);
            before = Some(place.buffer);
        }
    }
}
