//! Barriers: how they are armed, waited for and posted to, and every way to misuse them.
//!
//! A task belongs to the arming that came last before it in the stream. When it acts on a barrier that has been
//! armed again since, the earlier arming went idle without it: its counts were too small.

use crate::error::{Fault, TrapKind};

#[derive(Clone, Copy, Debug, Default)]
struct Barrier {
    /// The `bar_cfg` that armed it last.
    armed_by: Option<usize>,
    producers: u16,
    consumers: u16,
    /// When a waiting task may start after the last producer.
    open_at: u64,
}

impl Barrier {
    fn idle(&self) -> bool {
        self.producers == 0 && self.consumers == 0
    }
}

/// All barriers of the machine.
#[derive(Debug)]
pub(crate) struct Barriers {
    list: Vec<Barrier>,
    /// Cycles from the last post to the start of a waiting task.
    delay: u64,
}

/// Whether a task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// Now.
    Open,
    /// Not before this time.
    OpensAt(u64),
    /// Not before some other task ends.
    Closed,
}

/// The barriers of a mask.
pub(crate) fn members(mask: u64) -> impl Iterator<Item = usize> + Clone {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lowest = usize::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0);
        rest &= rest.wrapping_sub(1);
        lowest
    })
}

impl Barriers {
    pub(crate) fn new(count: u32, delay: u32) -> Barriers {
        let count = usize::try_from(count).unwrap_or(64);
        Barriers { list: vec![Barrier::default(); count.min(64)], delay: u64::from(delay) }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Arms a barrier if it is idle; says whether it was.
    pub(crate) fn arm(
        &mut self,
        index: usize,
        id: u8,
        producers: u16,
        consumers: u16,
    ) -> Result<bool, Fault> {
        let count = self.list.len();
        let Some(barrier) = self.list.get_mut(usize::from(id)) else {
            return Err(Fault::operand(format!("barrier {id} of a machine with {count}")));
        };
        if !barrier.idle() {
            return Ok(false);
        }
        *barrier = Barrier { armed_by: Some(index), producers, consumers, open_at: 0 };
        Ok(true)
    }

    /// Refuses a task that names a barrier which no instruction before it has armed.
    pub(crate) fn check_armed(&self, wait: u64, post: u64) -> Result<(), Fault> {
        for (mask, verb) in [(wait, "waits for"), (post, "posts to")] {
            for id in members(mask) {
                match self.list.get(id) {
                    None => {
                        let count = self.list.len();
                        return Err(Fault::operand(format!("{verb} barrier {id} of a machine with {count}")));
                    }
                    Some(Barrier { armed_by: None, .. }) => {
                        let detail = format!("{verb} barrier {id}, which was never armed");
                        return Err(Fault::new(TrapKind::BarrierMisuse, detail));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Whether the task at `index` may start at time `now`.
    pub(crate) fn gateway(&self, index: usize, wait: u64, now: u64) -> Result<Gateway, Fault> {
        let mut opens = 0;
        let mut closed = false;
        for id in members(wait) {
            let Some(barrier) = self.list.get(id) else { continue };
            same_arming(barrier, index, id, "waits for")?;
            closed |= barrier.producers > 0;
            opens = opens.max(barrier.open_at);
        }
        Ok(match (closed, opens > now) {
            (true, _) => Gateway::Closed,
            (false, true) => Gateway::OpensAt(opens),
            (false, false) => Gateway::Open,
        })
    }

    /// The task at `index` starts and consumes what it waited for.
    pub(crate) fn consume(&mut self, index: usize, wait: u64) -> Result<(), Fault> {
        for id in members(wait) {
            let Some(barrier) = self.list.get_mut(id) else { continue };
            same_arming(barrier, index, id, "waits for")?;
            barrier.consumers = barrier.consumers.checked_sub(1).ok_or_else(|| {
                let detail = format!("waits for barrier {id}, which expects no further consumer");
                with_arming(Fault::new(TrapKind::BarrierMisuse, detail), barrier)
            })?;
        }
        Ok(())
    }

    /// The task at `index` ends at `now` and posts.
    pub(crate) fn post(&mut self, index: usize, post: u64, now: u64) -> Result<(), Fault> {
        for id in members(post) {
            let Some(barrier) = self.list.get_mut(id) else { continue };
            same_arming(barrier, index, id, "posts to")?;
            barrier.producers = barrier.producers.checked_sub(1).ok_or_else(|| {
                let detail = format!("posts to barrier {id}, which expects no further producer");
                with_arming(Fault::new(TrapKind::BarrierMisuse, detail), barrier)
            })?;
            barrier.open_at = now.saturating_add(self.delay);
        }
        Ok(())
    }

    /// Refuses to end while a barrier expects tasks.
    pub(crate) fn check_idle(&self) -> Result<(), Fault> {
        let mut left = self.list.iter().enumerate().filter(|(_, b)| !b.idle());
        let Some((id, barrier)) = left.next() else { return Ok(()) };
        let mut fault = with_arming(Fault::new(TrapKind::BarrierLeft, missing(id, barrier)), barrier);
        for (id, barrier) in left {
            fault = fault.with_note(missing(id, barrier), barrier.armed_by);
        }
        Err(fault)
    }

    /// What each barrier of `mask` still waits for, with the instruction that armed it.
    pub(crate) fn waiting(&self, mask: u64) -> Vec<(String, Option<usize>)> {
        let list = members(mask).filter_map(|id| self.list.get(id).map(|b| (id, b)));
        list.filter(|(_, b)| !b.idle()).map(|(id, b)| (missing(id, b), b.armed_by)).collect()
    }
}

fn same_arming(barrier: &Barrier, index: usize, id: usize, verb: &str) -> Result<(), Fault> {
    match barrier.armed_by {
        Some(by) if by > index => {
            let detail = format!("{verb} barrier {id}, which has gone idle and was armed again without it");
            Err(with_arming(Fault::new(TrapKind::BarrierMisuse, detail), barrier))
        }
        _ => Ok(()),
    }
}

fn with_arming(fault: Fault, barrier: &Barrier) -> Fault {
    match barrier.armed_by {
        Some(by) => fault.with_note("the barrier was armed here", Some(by)),
        None => fault,
    }
}

/// `barrier 3 expects 1 producer and 2 consumers`.
fn missing(id: usize, barrier: &Barrier) -> String {
    let plural = |n: u16| if n == 1 { "" } else { "s" };
    let (p, c) = (barrier.producers, barrier.consumers);
    format!("barrier {id} expects {p} more producer{} and {c} more consumer{}", plural(p), plural(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(producers: u16, consumers: u16) -> Barriers {
        let mut b = Barriers::new(2, 8);
        assert_eq!(b.arm(0, 0, producers, consumers), Ok(true));
        b
    }

    #[test]
    fn opens_after_the_last_producer_and_the_delay() {
        let mut b = armed(2, 1);
        assert_eq!(b.gateway(3, 1, 0), Ok(Gateway::Closed));
        b.post(1, 1, 10).unwrap();
        assert_eq!(b.gateway(3, 1, 10), Ok(Gateway::Closed));
        b.post(2, 1, 20).unwrap();
        assert_eq!(b.gateway(3, 1, 20), Ok(Gateway::OpensAt(28)));
        assert_eq!(b.gateway(3, 1, 28), Ok(Gateway::Open));
        assert!(b.check_idle().is_err());
        b.consume(3, 1).unwrap();
        assert_eq!(b.check_idle(), Ok(()));
        assert_eq!(b.arm(4, 0, 1, 0), Ok(true));
    }

    #[test]
    fn counts_never_go_below_0() {
        let mut b = armed(1, 0);
        b.post(1, 1, 0).unwrap();
        assert_eq!(b.post(2, 1, 0).unwrap_err().kind, TrapKind::BarrierMisuse);
        let fault = b.consume(3, 1).unwrap_err();
        assert_eq!(fault.detail, "waits for barrier 0, which expects no further consumer");
        assert_eq!(fault.notes, [("the barrier was armed here".to_owned(), Some(0))]);
    }

    #[test]
    fn busy_barriers_are_not_armed() {
        let mut b = armed(1, 0);
        assert_eq!(b.arm(5, 0, 1, 1), Ok(false));
        assert_eq!(b.arm(5, 1, 1, 1), Ok(true));
        assert_eq!(b.arm(5, 2, 1, 1).unwrap_err().kind, TrapKind::IllegalOperand);
    }

    #[test]
    fn never_armed_is_found_at_dispatch() {
        let b = armed(1, 1);
        assert_eq!(b.check_armed(1, 1), Ok(()));
        assert_eq!(b.check_armed(2, 0).unwrap_err().detail, "waits for barrier 1, which was never armed");
        assert_eq!(b.check_armed(0, 2).unwrap_err().detail, "posts to barrier 1, which was never armed");
        assert_eq!(b.check_armed(0, 1 << 63).unwrap_err().kind, TrapKind::IllegalOperand);
    }

    #[test]
    fn a_later_arming_is_not_the_tasks_own() {
        let mut b = armed(1, 0);
        b.post(1, 1, 0).unwrap();
        b.arm(9, 0, 1, 1).unwrap();
        let fault = b.gateway(5, 1, 0).unwrap_err();
        assert_eq!(fault.detail, "waits for barrier 0, which has gone idle and was armed again without it");
        assert!(b.post(5, 1, 0).is_err());
        assert!(b.post(10, 1, 0).is_ok());
    }
}
