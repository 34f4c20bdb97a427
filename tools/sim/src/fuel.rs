//! Limits on a run: cycles of the machine, and steps of the host.
//!
//! Cycles do not bound the host's work: a machine file may claim any rate, and the accesses of a task determine the cost of checking.
//! Steps are counted from the fields of a task alone, independently of machine file and kernel. Invariant: a task whose cycles or steps
//! exceed the remaining fuel does not start.

use strum_files::OverLimit;

use crate::error::{Fault, TrapKind};
use crate::region::Region;

/// Minimum steps of a run, however little fuel it is given: some ten to twenty-five seconds of the host. VGG-11, the largest network of the
/// zoo, takes a hundredth of them.
const LEAST_STEPS: u64 = crate::Options::MAX_CYCLES;

/// Steps of checking a contiguous run of bytes.
const RUN: u64 = 24;
/// Contiguous bytes that are checked or moved per step.
pub(crate) const BYTES: u64 = 32;
/// Fixed steps per task.
const TASK: u64 = 64;

/// Steps of the host, of about a nanosecond each with the kernels of a current processor.
#[derive(Debug)]
pub(crate) struct Meter {
    done: u64,
    limit: u64,
    /// The total including the refused steps.
    exceeded: Option<u64>,
    /// Why the host lacks the memory for the task.
    memory: Option<OverLimit>,
}

impl Meter {
    /// The steps for a fuel of this many cycles: one per cycle, and at least the minimum.
    pub(crate) fn of_fuel(max_cycles: u64) -> Meter {
        Meter { done: 0, limit: max_cycles.max(LEAST_STEPS), exceeded: None, memory: None }
    }

    /// Charges steps before they are done.
    ///
    /// # Errors
    /// When they exceed the remaining steps; [`Meter::exceeded`] then says by how many.
    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), Fault> {
        let sum = self.done.saturating_add(steps);
        if sum > self.limit {
            self.exceeded = Some(sum);
            return Err(Fault::new(TrapKind::IllegalOperand, "more steps than there is fuel for"));
        }
        self.done = sum;
        Ok(())
    }

    /// Charges the steps of a task that has not started.
    ///
    /// # Errors
    /// As [`Meter::charge`].
    pub(crate) fn begin(&mut self, steps: u64) -> Result<(), Fault> {
        self.charge(steps.saturating_add(TASK))
    }

    /// Charges the steps of checking a region.
    ///
    /// # Errors
    /// As [`Meter::charge`].
    pub(crate) fn region(&mut self, region: &Region) -> Result<(), Fault> {
        let runs = region.runs();
        let each = RUN.saturating_add(region.run_bytes() / BYTES);
        self.charge(runs.saturating_mul(each))
    }

    /// The fault of a task for which the host lacks the memory; [`Meter::memory`] then returns the amount.
    pub(crate) fn out_of_memory(&mut self, over: OverLimit) -> Fault {
        self.memory = Some(over);
        Fault::new(TrapKind::IllegalOperand, "more memory than there is")
    }

    /// The memory that was needed and not available, if any.
    pub(crate) fn memory(&self) -> Option<&OverLimit> {
        self.memory.as_ref()
    }

    /// Steps needed and their limit, if it was exceeded.
    pub(crate) fn exceeded(&self) -> Option<(u64, u64)> {
        self.exceeded.map(|needed| (needed, self.limit))
    }

    /// Steps so far.
    #[cfg(test)]
    pub(crate) fn done(&self) -> u64 {
        self.done
    }
}

/// Steps of moving or computing `elements` in `rows`: each row has a fixed cost.
pub(crate) fn rows(rows: u64, elements: u64) -> u64 {
    const ROW: u64 = 8;
    rows.saturating_mul(ROW).saturating_add(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_limit_is_refused_and_remembered() {
        let mut meter = Meter::of_fuel(5);
        assert!(meter.charge(LEAST_STEPS - 1).is_ok() && meter.exceeded().is_none());
        assert!(meter.charge(2).is_err());
        assert_eq!((meter.exceeded(), meter.done()), (Some((LEAST_STEPS + 1, LEAST_STEPS)), LEAST_STEPS - 1));
        assert!(meter.charge(u64::MAX).is_err() && meter.charge(1).is_ok());
        assert!(Meter::of_fuel(u64::MAX).charge(u64::MAX).is_ok());
    }

    #[test]
    fn regions_take_by_runs_and_bytes() {
        let mut meter = Meter::of_fuel(0);
        meter.region(&Region::contiguous(0, 320)).unwrap();
        assert_eq!(meter.done(), RUN + 10);
        meter.region(&Region::strided(0, 1, &[(1000, 2)])).unwrap();
        assert_eq!(meter.done(), RUN + 10 + 1000 * RUN);
        // Repeated elements are checked once.
        meter.region(&Region::strided(0, 4, &[(u64::from(u32::MAX), 0)])).unwrap();
        assert_eq!(meter.done(), RUN + 10 + 1000 * RUN + RUN);
        assert!(meter.region(&Region::strided(0, 1, &[(1 << 30, 2), (1 << 30, 1 << 33)])).is_err());
    }
}
