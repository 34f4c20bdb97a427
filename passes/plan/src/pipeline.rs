//! Software pipelining in list order: the loads of a step stand before the compute and the store of the step before.

use dpu_isa::Instr;

use crate::draft::{BufferId, Draft, MAX_TASKS};
use crate::error::PlanError;
use crate::tile::search::Choice;

/// Refuses a plan that would let the draft grow beyond [`MAX_TASKS`].
///
/// # Errors
/// A resource error with the number of tasks.
pub(crate) fn check_tasks(draft: &Draft, choice: &Choice) -> Result<(), PlanError> {
    let need = choice.estimate.tasks().saturating_add(draft.tasks.len() as u64);
    let limit = MAX_TASKS as u64;
    if need > limit { Err(PlanError::resource("tasks of a program", need, limit)) } else { Ok(()) }
}

/// A task that is not in the draft yet, with its buffers by field name.
type Waiting = (Instr, Vec<(&'static str, BufferId)>);

/// Holds the compute and store tasks of a step back until the next step's loads are in the draft.
#[derive(Default)]
pub(crate) struct Pipeline {
    waiting: Vec<Waiting>,
}

impl Pipeline {
    /// Holds a task back.
    pub(crate) fn push(&mut self, instr: Instr, bufs: Vec<(&'static str, BufferId)>) {
        self.waiting.push((instr, bufs));
    }

    /// Appends what was held back.
    ///
    /// # Errors
    /// Those of [`Draft::push`].
    pub(crate) fn flush(&mut self, draft: &mut Draft) -> Result<(), PlanError> {
        self.waiting.drain(..).try_for_each(|(instr, bufs)| draft.push(instr, &bufs))
    }
}

/// Output slots, used in turn.
pub(crate) struct Outputs {
    slots: Vec<BufferId>,
    next: usize,
}

impl Outputs {
    /// `slots` SRAM buffers of `bytes`.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub(crate) fn new(draft: &mut Draft, slots: u64, bytes: u64) -> Result<Self, PlanError> {
        let slots = (0..slots).map(|_| draft.sram(bytes)).collect::<Result<Vec<_>, _>>()?;
        Ok(Outputs { slots, next: 0 })
    }

    /// The next slot.
    ///
    /// # Errors
    /// An internal error if there are no slots.
    pub(crate) fn next(&mut self) -> Result<BufferId, PlanError> {
        let slot = self.slots.get(self.next).copied();
        self.next = (self.next + 1) % self.slots.len().max(1);
        slot.ok_or_else(|| PlanError::internal("outputs without slots"))
    }
}
