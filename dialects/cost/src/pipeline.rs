//! IDU, PE array and PPE/ODU as a pipeline over blocks of outputs.
//!
//! The IDU fetches a block in equal slices into the two halves of every register file: the fetch of a slice starts once the previous slice
//! has arrived and the array has finished the one before that. The array starts a slice once it has arrived; the first slice of a block
//! also waits until the last block but one has left the accumulators, of which there are two sets. PPE and ODU take a block when the array
//! has finished its last slice. Times are exact for up to [`EXACT`] repetitions of a block, of a row of blocks, and of a plane of rows.

use dpu_isa::Machine;

use crate::{per_cycle, product};

/// Repetitions that are simulated one by one; from there on each takes as long as the last.
const EXACT: u64 = 64;

/// Cycles of one block in each unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The IDU.
    pub(crate) load: u64,
    /// The PE array.
    pub(crate) compute: u64,
    /// PPE and ODU.
    pub(crate) drain: u64,
}

impl Stage {
    /// A block that loads and stores these many bytes, computes for these many cycles and finishes these many
    /// outputs.
    pub(crate) fn new(loaded: u64, compute: u64, stored: u64, outputs: u64, m: &Machine) -> Stage {
        let banks = m.sram_banks.saturating_mul(m.sram_granule).max(1);
        let [read, write] =
            [m.sram_read_bytes_per_cycle, m.sram_write_bytes_per_cycle].map(|n| n.clamp(1, banks));
        let load = per_cycle(loaded, read);
        // Bytes that the banks can still write while they serve the IDU, and those lost to it.
        let left = product([load, banks.into()]).saturating_sub(loaded);
        let lost = product([load, write.into()]).saturating_sub(left);
        let after = per_cycle(stored.saturating_add(lost), write);
        let store = if left > stored { after.min(product([stored, load]).div_ceil(left)) } else { after };
        let drain = store.max(per_cycle(stored, write)).max(per_cycle(outputs, m.ppe_per_cycle));
        Stage { load, compute, drain }
    }
}

/// When each unit finishes its work so far, in cycles times slices: a slice takes what a block takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    load: u64,
    /// Of the last slice, and of the one before.
    compute: [u64; 2],
    /// Of the last block, and of the one before.
    drain: [u64; 2],
}

impl State {
    fn parts(&self) -> [u64; 5] {
        [self.load, self.compute[0], self.compute[1], self.drain[0], self.drain[1]]
    }

    /// The number of cycles by which all parts are later than those of `earlier`, if it is the same for all.
    fn shift(&self, earlier: &State) -> Option<u64> {
        let mut shifts = self.parts().into_iter().zip(earlier.parts()).map(|(a, b)| a.saturating_sub(b));
        let first = shifts.next()?;
        shifts.all(|s| s == first).then_some(first)
    }

    fn later(&self, by: u64) -> State {
        let late = |t: u64| t.saturating_add(by);
        State { load: late(self.load), compute: self.compute.map(late), drain: self.drain.map(late) }
    }

    /// One slice; `ready` is when its accumulators are free.
    fn slice(&mut self, load: u64, compute: u64, ready: u64) {
        let [last, before] = self.compute;
        self.load = self.load.max(before).saturating_add(load);
        self.compute = [self.load.max(last).max(ready).saturating_add(compute), last];
    }

    /// `slices` slices of a block, its pass through the adder tree, and its drain.
    fn block(&mut self, slices: u64, load: u64, compute: u64, tree: u64, drain: u64) {
        self.slice(load, compute, self.drain[1]);
        for _ in 1..slices.min(3) {
            self.slice(load, compute, 0);
        }
        // From the third slice on, the slower of the two decides.
        if let Some(more) = slices.checked_sub(3).filter(|&n| n > 0) {
            let more = more.saturating_mul(load.max(compute));
            if load > compute {
                self.load = self.load.saturating_add(more);
                let end = self.load.saturating_add(compute);
                self.compute = [end, end.saturating_sub(load)];
            } else {
                let end = self.compute[0].saturating_add(more);
                self.compute = [end, end.saturating_sub(compute)];
                self.load = end.saturating_sub(compute.saturating_mul(2)).saturating_add(load);
            }
        }
        self.drained(tree, drain);
    }

    /// The pass of a block through the adder tree, and its drain.
    fn drained(&mut self, tree: u64, drain: u64) {
        let end = self.drain[0].max(self.compute[0].saturating_add(tree)).saturating_add(drain);
        self.drain = [end, self.drain[0]];
    }
}

/// Blocks in order, all loaded in the same number of slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    slices: u64,
    /// Cycles from the last step of a block until its sums can be drained.
    tree: u64,
    state: State,
}

impl Flow {
    pub(crate) fn new(slices: u64, tree: u64) -> Flow {
        Flow { slices: slices.max(1), tree, state: State::default() }
    }

    /// Repeats this `count` times. Once all units end later by the same time as in the previous repetition, they do so
    /// from then on.
    pub(crate) fn repeat(&mut self, count: u64, mut again: impl FnMut(&mut Flow)) {
        let mut last = self.state;
        for done in 0..count.min(EXACT) {
            last = self.state;
            again(self);
            if let Some(shift) = self.state.shift(&last) {
                self.state = self.state.later(shift.saturating_mul(count - done - 1));
                return;
            }
        }
        if let Some(more) = count.checked_sub(EXACT) {
            let shift = self.state.compute[0].saturating_sub(last.compute[0]);
            self.state = self.state.later(shift.saturating_mul(more));
        }
    }

    /// Appends one block.
    pub(crate) fn add(&mut self, stage: &Stage) {
        let [tree, drain] = [self.tree, stage.drain].map(|n| product([n, self.slices]));
        self.state.block(self.slices, stage.load, stage.compute, tree, drain);
    }

    /// Appends one block whose slices take different cycles to compute, instead of those of the stage.
    pub(crate) fn add_slices(&mut self, stage: &Stage, cycles: &[u64]) {
        let scaled = |n: u64| product([n, self.slices]);
        let mut ready = self.state.drain[1];
        for &compute in cycles {
            self.state.slice(stage.load, scaled(compute), ready);
            ready = 0;
        }
        self.state.drained(scaled(self.tree), scaled(stage.drain));
    }

    /// Cycles from the first load to the last store.
    pub(crate) fn cycles(&self) -> u64 {
        match self.state.drain[0] {
            u64::MAX => u64::MAX,
            end => end.div_ceil(self.slices),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: u64 = 3;

    /// Blocks of loads and computations of a slice, and of drains.
    fn cycles(slices: u64, blocks: &[(u64, [u64; 3])]) -> u64 {
        let mut flow = Flow::new(slices, TREE);
        for &(count, [load, compute, drain]) in blocks {
            let [load, compute] = [load, compute].map(|n| product([n, slices]));
            flow.repeat(count, |flow| flow.add(&Stage { load, compute, drain }));
        }
        flow.cycles()
    }

    #[test]
    fn equal_blocks_take_what_their_slowest_unit_takes() {
        assert_eq!(cycles(4, &[(5, [10, 25, 20])]), 10 + 5 * 100 + TREE + 20);
        assert_eq!(cycles(4, &[(5, [25, 10, 20])]), 5 * 100 + 10 + TREE + 20);
        assert_eq!(cycles(4, &[(5, [10, 15, 100])]), 10 + 60 + TREE + 5 * 100);
        assert_eq!(cycles(4, &[(1, [10, 15, 100])]), 10 + 60 + TREE + 100);
        assert_eq!(cycles(1, &[(1, [40, 60, 100])]), 40 + 60 + TREE + 100);
        assert_eq!(cycles(1, &[(1_000_000_000, [40, 60, 100])]), 100 + TREE + 100_000_000_000);
        assert_eq!(cycles(u64::MAX, &[(u64::MAX, [40, 60, 100])]), u64::MAX);
    }

    #[test]
    fn banks_take_what_loads_leave() {
        let m = Machine { sram_banks: 12, ..Machine::flexnn_16x16() };
        // 128 bytes per cycle each alone; 192 together.
        let drain = |loaded, stored| Stage::new(loaded, 1, stored, 0, &m).drain;
        assert_eq!(drain(0, 1280), 10);
        assert_eq!(drain(1280, 640), 10);
        assert_eq!(drain(1280, 1280), 15);
        assert_eq!(drain(128_000, 1280), 20);
    }

    /// The pipeline rules, slice by slice.
    fn naive(slices: u64, blocks: &[(u64, [u64; 3])]) -> u64 {
        let (mut loaded, mut computed, mut drained) = (vec![0, 0], vec![0, 0], vec![0, 0]);
        for &(count, [load, compute, drain]) in blocks {
            for _ in 0..count {
                for slice in 0..slices {
                    let n = loaded.len();
                    loaded.push(loaded[n - 1].max(computed[n - 2]) + load);
                    let free = if slice == 0 { drained[drained.len() - 2] } else { 0 };
                    computed.push(loaded[n].max(computed[n - 1]).max(free) + compute);
                }
                let end: u64 = *computed.last().unwrap();
                drained.push((end + TREE).max(*drained.last().unwrap()) + drain);
            }
        }
        *drained.last().unwrap()
    }

    #[test]
    fn blocks_are_timed_as_slice_by_slice() {
        let mut seed = 7u64;
        let mut random = |max: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % max
        };
        for _ in 0..3000 {
            let slices = 1 + random(9);
            let blocks: Vec<(u64, [u64; 3])> = (0..1 + random(5))
                .map(|_| (1 + random(60), [random(200), random(200), random(200)]))
                .collect();
            assert_eq!(cycles(slices, &blocks), naive(slices, &blocks), "{slices} {blocks:?}");
        }
    }
}
