//! Messages for misused barriers, and for the tasks they still wait for.
//!
//! The semantics of barriers are in [`dpu_cost::timeline`]. Invariant: a message names the barrier, and the instruction that armed it,
//! if any.

use dpu_cost::timeline::{Action, BarrierError, Barriers, Misuse, Pending};
use dpu_isa::Machine;

use crate::error::{Fault, TrapKind};

/// The fault of an instruction that misuses a barrier.
pub(crate) fn misused(error: BarrierError, machine: &Machine) -> Fault {
    let BarrierError { barrier, action, misuse } = error;
    let (verb, role) = match action {
        Action::Arm => ("arms", "arming"),
        Action::Wait => ("waits for", "consumer"),
        Action::Post => ("posts to", "producer"),
    };
    let does = format!("{verb} barrier {barrier}");
    match (misuse, action) {
        (Misuse::Unknown, Action::Arm) => {
            Fault::operand(format!("barrier {barrier} of a machine with {}", Barriers::count(machine)))
        }
        (Misuse::Unknown, Action::Wait | Action::Post) => {
            Fault::operand(format!("{does} of a machine with {}", Barriers::count(machine)))
        }
        (Misuse::NeverArmed, _) => {
            Fault::new(TrapKind::BarrierMisuse, format!("{does}, which was never armed"))
        }
        (Misuse::Rearmed(by), _) => {
            let detail = format!("{does}, which has gone idle and was armed again without it");
            armed_here(Fault::new(TrapKind::BarrierMisuse, detail), by)
        }
        (Misuse::Surplus(by), _) => {
            let detail = format!("{does}, which expects no further {role}");
            armed_here(Fault::new(TrapKind::BarrierMisuse, detail), by)
        }
    }
}

/// The fault of a program that ends while barriers expect tasks, starting with `first`.
pub(crate) fn left(first: &Pending, barriers: &Barriers) -> Fault {
    let fault = armed_here(Fault::new(TrapKind::BarrierLeft, missing(first)), first.armed_by);
    let rest = barriers.pending(u64::MAX).filter(|other| other != first);
    rest.fold(fault, |fault, other| fault.with_note(missing(&other), Some(other.armed_by)))
}

fn armed_here(fault: Fault, by: usize) -> Fault {
    fault.with_note("the barrier was armed here", Some(by))
}

/// `barrier 3 expects 1 more producer and 2 more consumers`.
pub(crate) fn missing(pending: &Pending) -> String {
    let plural = |n: u16| if n == 1 { "" } else { "s" };
    let (p, c) = (pending.expected.producers, pending.expected.consumers);
    let id = pending.barrier;
    format!("barrier {id} expects {p} more producer{} and {c} more consumer{}", plural(p), plural(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(action: Action, misuse: Misuse) -> Fault {
        let machine = Machine { barriers: 2, ..Machine::flexnn_16x16() };
        misused(BarrierError { barrier: 1, action, misuse }, &machine)
    }

    #[test]
    fn faults_name_barrier_and_reason() {
        let detail = |action, misuse| fault(action, misuse).detail;
        assert_eq!(detail(Action::Wait, Misuse::NeverArmed), "waits for barrier 1, which was never armed");
        assert_eq!(detail(Action::Post, Misuse::NeverArmed), "posts to barrier 1, which was never armed");
        assert_eq!(
            detail(Action::Wait, Misuse::Rearmed(9)),
            "waits for barrier 1, which has gone idle and was armed again without it"
        );
        assert_eq!(
            detail(Action::Post, Misuse::Surplus(0)),
            "posts to barrier 1, which expects no further producer"
        );
        assert_eq!(detail(Action::Arm, Misuse::Unknown), "barrier 1 of a machine with 2");
        assert_eq!(detail(Action::Post, Misuse::Unknown), "posts to barrier 1 of a machine with 2");
    }

    #[test]
    fn faults_name_the_arming() {
        let fault = fault(Action::Wait, Misuse::Surplus(0));
        assert_eq!(fault.kind, TrapKind::BarrierMisuse);
        assert_eq!(fault.detail, "waits for barrier 1, which expects no further consumer");
        assert_eq!(fault.notes, [("the barrier was armed here".to_owned(), Some(0))]);
    }
}
