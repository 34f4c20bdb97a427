//! Barriers in time: armed, posted to and waited for, and every way to misuse them.
//!
//! A task belongs to the arming that precedes it in the stream. Invariant: a task that acts on a later arming, or
//! exceeds the count that its arming expects, is refused.

use dpu_isa::Machine;
use dpu_isa::barrier::{Expected, MAX_BARRIERS, members};

/// What an instruction does with a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sets its counts.
    Arm,
    /// Waits for its producers.
    Wait,
    /// Counts as one of its producers.
    Post,
}

/// Why an instruction must not use a barrier this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The machine does not have this barrier.
    Unknown,
    /// No preceding instruction has armed it.
    NeverArmed,
    /// It was armed again by the instruction at this index, later than the task in the stream: the task's own arming went idle
    /// without it.
    Rearmed(usize),
    /// The arming at this index expects no further such task.
    Surplus(usize),
}

/// A barrier that is not used as it was armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierError {
    /// The barrier.
    pub barrier: u8,
    /// What the instruction does with it.
    pub action: Action,
    /// Why it must not.
    pub misuse: Misuse,
}

/// A barrier that expects tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The barrier.
    pub barrier: u8,
    /// Number of tasks.
    pub expected: Expected,
    /// Index of the `bar_cfg` that armed it.
    pub armed_by: usize,
}

/// Whether a task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Now.
    Open,
    /// Not before this time.
    OpensAt(u64),
    /// Not before some other task ends.
    Closed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Barrier {
    /// The `bar_cfg` that armed it last.
    armed_by: Option<usize>,
    expected: Expected,
    /// When a waiting task may start after the last post.
    open_at: u64,
}

/// All barriers of a machine.
#[derive(Debug)]
pub struct Barriers {
    list: Vec<Barrier>,
    /// Cycles from the last post to the start of a waiting task.
    delay: u64,
}

impl Barriers {
    pub(super) fn new(machine: &Machine) -> Barriers {
        let delay = u64::from(machine.barrier_cycles);
        Barriers { list: vec![Barrier::default(); Barriers::count(machine)], delay }
    }

    /// Number of barriers of a machine.
    #[must_use]
    pub fn count(machine: &Machine) -> usize {
        usize::try_from(machine.barriers).map_or(MAX_BARRIERS, |n| n.min(MAX_BARRIERS))
    }

    /// The barriers of a mask that expect tasks; `u64::MAX` means all barriers.
    pub fn pending(&self, mask: u64) -> impl Iterator<Item = Pending> {
        members(mask).filter_map(|barrier| {
            let Barrier { armed_by, expected, .. } = *self.list.get(usize::from(barrier))?;
            let armed_by = armed_by.filter(|_| !expected.idle())?;
            Some(Pending { barrier, expected, armed_by })
        })
    }

    /// Arms a barrier for the instruction at `index` if it is idle; returns whether it was.
    pub(super) fn arm(
        &mut self,
        index: usize,
        barrier: u8,
        expected: Expected,
    ) -> Result<bool, BarrierError> {
        let Some(b) = self.list.get_mut(usize::from(barrier)) else {
            return Err(BarrierError { barrier, action: Action::Arm, misuse: Misuse::Unknown });
        };
        let idle = b.expected.idle();
        if idle {
            *b = Barrier { armed_by: Some(index), expected, open_at: 0 };
        }
        Ok(idle)
    }

    /// Refuses a task that names a barrier which no preceding instruction has armed.
    pub(super) fn check_armed(&self, wait: u64, post: u64) -> Result<(), BarrierError> {
        for (mask, action) in [(wait, Action::Wait), (post, Action::Post)] {
            for barrier in members(mask) {
                let misuse = match self.list.get(usize::from(barrier)) {
                    None => Misuse::Unknown,
                    Some(Barrier { armed_by: None, .. }) => Misuse::NeverArmed,
                    Some(_) => continue,
                };
                return Err(BarrierError { barrier, action, misuse });
            }
        }
        Ok(())
    }

    /// Whether the task at `index` may start at time `now`.
    pub(super) fn gate(&self, index: usize, wait: u64, now: u64) -> Result<Gate, BarrierError> {
        let mut opens = 0;
        let mut closed = false;
        for barrier in members(wait) {
            let Some(b) = self.list.get(usize::from(barrier)) else { continue };
            own_arming(b, index, barrier, Action::Wait)?;
            closed |= b.expected.closed();
            opens = opens.max(b.open_at);
        }
        Ok(match (closed, opens > now) {
            (true, _) => Gate::Closed,
            (false, true) => Gate::OpensAt(opens),
            (false, false) => Gate::Open,
        })
    }

    /// The task at `index` starts and consumes the barriers it waited for.
    pub(super) fn consume(&mut self, index: usize, wait: u64) -> Result<(), BarrierError> {
        for barrier in members(wait) {
            let Some(b) = self.list.get_mut(usize::from(barrier)) else { continue };
            let by = own_arming(b, index, barrier, Action::Wait)?;
            let surplus = BarrierError { barrier, action: Action::Wait, misuse: Misuse::Surplus(by) };
            b.expected = b.expected.consumed().ok_or(surplus)?;
        }
        Ok(())
    }

    /// The task at `index` ends at `now` and posts.
    pub(super) fn post(&mut self, index: usize, post: u64, now: u64) -> Result<(), BarrierError> {
        for barrier in members(post) {
            let Some(b) = self.list.get_mut(usize::from(barrier)) else { continue };
            let by = own_arming(b, index, barrier, Action::Post)?;
            let surplus = BarrierError { barrier, action: Action::Post, misuse: Misuse::Surplus(by) };
            b.expected = b.expected.posted().ok_or(surplus)?;
            b.open_at = now.saturating_add(self.delay);
        }
        Ok(())
    }
}

/// The current arming of a barrier, which must be that of the task at `index`.
fn own_arming(b: &Barrier, index: usize, barrier: u8, action: Action) -> Result<usize, BarrierError> {
    let error = |misuse| BarrierError { barrier, action, misuse };
    match b.armed_by {
        Some(by) if by > index => Err(error(Misuse::Rearmed(by))),
        Some(by) => Ok(by),
        None => Err(error(Misuse::NeverArmed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(producers: u16, consumers: u16) -> Barriers {
        let machine = Machine { barriers: 2, barrier_cycles: 8, ..Machine::flexnn_16x16() };
        let mut b = Barriers::new(&machine);
        assert_eq!(b.arm(0, 0, Expected { producers, consumers }), Ok(true));
        b
    }

    const ONE_EACH: Expected = Expected { producers: 1, consumers: 1 };

    #[test]
    fn opens_after_the_last_producer_and_the_delay() {
        let mut b = armed(2, 1);
        assert_eq!(b.gate(3, 1, 0), Ok(Gate::Closed));
        b.post(1, 1, 10).unwrap();
        assert_eq!(b.gate(3, 1, 10), Ok(Gate::Closed));
        b.post(2, 1, 20).unwrap();
        assert_eq!(b.gate(3, 1, 20), Ok(Gate::OpensAt(28)));
        assert_eq!(b.gate(3, 1, 28), Ok(Gate::Open));
        let expected = Expected { producers: 0, consumers: 1 };
        let pending: Vec<Pending> = b.pending(u64::MAX).collect();
        assert_eq!(pending, [Pending { barrier: 0, expected, armed_by: 0 }]);
        b.consume(3, 1).unwrap();
        assert_eq!(b.pending(u64::MAX).count(), 0);
        assert_eq!(b.arm(4, 0, Expected { producers: 1, consumers: 0 }), Ok(true));
    }

    #[test]
    fn one_task_more_than_announced_is_refused() {
        let mut b = armed(1, 0);
        b.post(1, 1, 0).unwrap();
        let surplus = |action| BarrierError { barrier: 0, action, misuse: Misuse::Surplus(0) };
        assert_eq!(b.post(2, 1, 0), Err(surplus(Action::Post)));
        assert_eq!(b.consume(3, 1), Err(surplus(Action::Wait)));
    }

    #[test]
    fn busy_barriers_are_not_armed() {
        let mut b = armed(1, 0);
        assert_eq!(b.arm(5, 0, ONE_EACH), Ok(false));
        assert_eq!(b.arm(5, 1, ONE_EACH), Ok(true));
        let unknown = BarrierError { barrier: 2, action: Action::Arm, misuse: Misuse::Unknown };
        assert_eq!(b.arm(5, 2, ONE_EACH), Err(unknown));
    }

    #[test]
    fn never_armed_is_found_at_dispatch() {
        let b = armed(1, 1);
        let error = |barrier, action, misuse| Err(BarrierError { barrier, action, misuse });
        assert_eq!(b.check_armed(1, 1), Ok(()));
        assert_eq!(b.check_armed(2, 0), error(1, Action::Wait, Misuse::NeverArmed));
        assert_eq!(b.check_armed(0, 2), error(1, Action::Post, Misuse::NeverArmed));
        assert_eq!(b.check_armed(0, 1 << 63), error(63, Action::Post, Misuse::Unknown));
    }

    #[test]
    fn a_later_arming_is_not_the_tasks_own() {
        let mut b = armed(1, 0);
        b.post(1, 1, 0).unwrap();
        b.arm(9, 0, ONE_EACH).unwrap();
        let rearmed = |action| BarrierError { barrier: 0, action, misuse: Misuse::Rearmed(9) };
        assert_eq!(b.gate(5, 1, 0), Err(rearmed(Action::Wait)));
        assert_eq!(b.post(5, 1, 0), Err(rearmed(Action::Post)));
        assert_eq!(b.post(10, 1, 0), Ok(()));
    }
}
