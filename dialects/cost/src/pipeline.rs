//! IDU, PE array and PPE/ODU as a pipeline over blocks of outputs.
//!
//! The IDU fetches a block in equal slices into two halves of every register file: a slice is fetched when the one before is
//! there and the array has done the last but one. The array starts a slice when it is there; the first of a block also
//! waits until the last but one block has left the accumulators, of which there are two sets. PPE and ODU take
//! a block when the array has done its last slice. Times are exact for up to [`EXACT`] equal blocks in a row.

use dpu_isa::Machine;

use crate::per_cycle;

/// Equal blocks that are followed one by one unless they repeat earlier; from there on each takes as long as the last.
const EXACT: u64 = 64;

/// What one block takes of each unit, in cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The IDU, with the SRAM for itself.
    pub(crate) load: u64,
    /// The IDU, while the ODU writes the block before: at least this, for the banks of the SRAM.
    pub(crate) shared_load: u64,
    /// The PE array.
    pub(crate) compute: u64,
    /// PPE and ODU.
    pub(crate) drain: u64,
}

impl Stage {
    /// The transfers of a block that loads and stores so many bytes and finishes so many outputs.
    pub(crate) fn moving(loaded: u64, stored: u64, outputs: u64, m: &Machine) -> Stage {
        let banks = m.sram_banks.saturating_mul(m.sram_granule);
        let drain = per_cycle(stored, m.sram_write_bytes_per_cycle.min(banks));
        Stage {
            load: per_cycle(loaded, m.sram_read_bytes_per_cycle.min(banks)),
            shared_load: per_cycle(loaded.saturating_add(stored), banks),
            compute: 0,
            drain: drain.max(per_cycle(outputs, m.ppe_per_cycle)),
        }
    }
}

/// When each unit ends what it was given so far, in cycles times slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    load: u128,
    /// Of the last slice, and of the one before.
    compute: [u128; 2],
    /// Of the last block, and of the one before.
    drain: [u128; 2],
}

impl State {
    fn parts(&self) -> [u128; 5] {
        [self.load, self.compute[0], self.compute[1], self.drain[0], self.drain[1]]
    }

    /// The cycles by which all parts differ from those of `earlier`, if they are the same.
    fn shift(&self, earlier: &State) -> Option<u128> {
        let mut shifts = self.parts().into_iter().zip(earlier.parts()).map(|(a, b)| a.saturating_sub(b));
        let first = shifts.next()?;
        shifts.all(|s| s == first).then_some(first)
    }

    fn later(&self, by: u128) -> State {
        let late = |t: u128| t.saturating_add(by);
        State { load: late(self.load), compute: self.compute.map(late), drain: self.drain.map(late) }
    }

    /// One slice; `ready` is when its accumulators are free.
    fn slice(&mut self, load: u128, compute: u128, ready: u128) {
        let [last, before] = self.compute;
        self.load = self.load.max(before).saturating_add(load);
        self.compute = [self.load.max(last).max(ready).saturating_add(compute), last];
    }

    /// `slices` slices and the drain of a block.
    fn block(&mut self, slices: u128, load: u128, compute: u128, drain: u128) {
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
        let end = self.drain[0].max(self.compute[0]).saturating_add(drain);
        self.drain = [end, self.drain[0]];
    }
}

/// Blocks in order, all of them loaded in the same number of slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    slices: u64,
    state: State,
    /// Nothing is drained beside the first block's load.
    started: bool,
}

impl Flow {
    pub(crate) fn new(slices: u64) -> Flow {
        Flow { slices: slices.max(1), state: State::default(), started: false }
    }

    /// `count` blocks of one kind follow.
    pub(crate) fn add(&mut self, count: u64, stage: &Stage) {
        let mut last = self.state;
        for done in 0..count.min(EXACT) {
            last = self.state;
            self.step(stage);
            if let Some(shift) = self.state.shift(&last) {
                self.state = self.state.later(shift.saturating_mul(u128::from(count - done - 1)));
                return;
            }
        }
        if let Some(more) = count.checked_sub(EXACT) {
            let shift = self.state.compute[0].saturating_sub(last.compute[0]);
            self.state = self.state.later(shift.saturating_mul(u128::from(more)));
        }
    }

    fn step(&mut self, stage: &Stage) {
        let load = if self.started { stage.load.max(stage.shared_load) } else { stage.load };
        self.started = true;
        // Times are multiplied by the slices: a slice of a block takes what the block takes.
        let slices = u128::from(self.slices);
        let drain = u128::from(stage.drain).saturating_mul(slices);
        self.state.block(slices, load.into(), stage.compute.into(), drain);
    }

    /// Cycles from the first load to the last store.
    pub(crate) fn cycles(&self) -> u64 {
        u64::try_from(self.state.drain[0].div_ceil(u128::from(self.slices))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(slices: u64, blocks: &[(u64, [u64; 3])]) -> u64 {
        let mut flow = Flow::new(slices);
        for &(count, [load, compute, drain]) in blocks {
            flow.add(count, &Stage { load, shared_load: 0, compute, drain });
        }
        flow.cycles()
    }

    #[test]
    fn equal_blocks_take_what_their_slowest_unit_takes() {
        assert_eq!(cycles(4, &[(5, [40, 100, 20])]), 10 + 5 * 100 + 20);
        assert_eq!(cycles(4, &[(5, [100, 40, 20])]), 5 * 100 + 10 + 20);
        assert_eq!(cycles(4, &[(5, [40, 60, 100])]), 10 + 60 + 5 * 100);
        assert_eq!(cycles(4, &[(1, [40, 60, 100])]), 10 + 60 + 100);
        assert_eq!(cycles(1, &[(1, [40, 60, 100])]), 40 + 60 + 100);
        assert_eq!(cycles(1, &[(1_000_000_000, [40, 60, 100])]), 100 + 100_000_000_000);
    }

    /// The rules of the pipeline, slice by slice.
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
                drained.push(end.max(*drained.last().unwrap()) + drain * slices);
            }
        }
        drained.last().unwrap().div_ceil(slices)
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
