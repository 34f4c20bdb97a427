//! Software pipelining in list order: the loads of a step precede the compute and the store of the previous step.

use dpu_isa::Instr;

use crate::dma::{At, Mover};
use crate::draft::{BufferId, Draft, MAX_TASKS};
use crate::error::PlanError;
use crate::tile::search::Choice;
use crate::tile::steps::Step;
use crate::tile::{Order, Problem, Tiling};
use crate::view::View;

/// Refuses a plan that would make the draft exceed [`MAX_TASKS`].
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

/// Buffers of equal size, used in turn.
pub(crate) struct Ring {
    slots: Vec<BufferId>,
    next: usize,
}

impl Ring {
    /// `slots` SRAM buffers of `bytes`.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub(crate) fn new(draft: &mut Draft, slots: u64, bytes: u64) -> Result<Self, PlanError> {
        let slots = (0..slots).map(|_| draft.sram(bytes)).collect::<Result<Vec<_>, _>>()?;
        Ok(Ring { slots, next: 0 })
    }

    /// The next buffer.
    ///
    /// # Errors
    /// An internal error if there are none.
    pub(crate) fn next(&mut self) -> Result<BufferId, PlanError> {
        let slot = self.slots.get(self.next).copied();
        self.next = (self.next + 1) % self.slots.len().max(1);
        slot.ok_or_else(|| PlanError::internal("a ring without slots"))
    }
}

/// Where a variant writes its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutPlace {
    /// The first result.
    pub(crate) at: At,
    /// Bytes from a row to the next.
    pub(crate) row: u64,
    /// Bytes from a pixel to the next.
    pub(crate) pixel: u64,
}

/// Output slots: one tile each, or the tiles of an iteration of the outer loop side by side as they are stored; none for a tensor
/// in SRAM, which is written in place.
pub(crate) struct Outputs {
    ring: Ring,
    view: View,
    /// Output rows, columns and channels of the layer.
    extents: [u64; 3],
    gather: bool,
    order: Order,
    /// The slot of the current iteration.
    open: Option<BufferId>,
}

impl Outputs {
    /// The slots of a tiling.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub(crate) fn new(
        draft: &mut Draft,
        tiling: &Tiling,
        problem: &Problem,
        view: View,
    ) -> Result<Self, PlanError> {
        Ok(Outputs {
            ring: Ring::new(draft, tiling.out_slots, tiling.out_bytes)?,
            view,
            extents: [problem.y.output, problem.x.output, problem.oc],
            gather: tiling.gather,
            order: tiling.order,
            open: None,
        })
    }

    /// The destination of a step's results.
    ///
    /// # Errors
    /// An internal error if there are no slots.
    pub(crate) fn place(&mut self, step: &Step, image: u64) -> Result<OutPlace, PlanError> {
        if self.view.held {
            let View { row, pixel, .. } = self.view;
            let at = self.view.at(image, step.oy.start, step.ox.start, step.oc.start);
            return Ok(OutPlace { at, row, pixel });
        }
        let buffer = match self.open {
            Some(buffer) => buffer,
            None => self.ring.next()?,
        };
        self.open = Some(buffer);
        let [_, columns, channels] = self.extents;
        let element = self.view.element;
        let (width, depth) = (step.ox.end - step.ox.start, step.oc.end - step.oc.start);
        let (pixel, width, offset) = match (self.gather, self.order) {
            (false, _) => (depth * element, width, 0),
            (true, Order::SpatialOuter) => (channels * element, width, step.oc.start * element),
            (true, Order::ChannelOuter) => {
                let pixel = depth * element;
                (pixel, columns, (step.oy.start * columns + step.ox.start) * pixel)
            }
        };
        Ok(OutPlace { at: At { buffer, offset }, row: width * pixel, pixel })
    }

    /// Stores what a step has completed: its tile, or the iteration of the outer loop after its last step.
    ///
    /// # Errors
    /// An unsupported error if the copy does not fit its instruction.
    pub(crate) fn store(
        &mut self,
        draft: &Draft,
        mover: &mut Mover,
        pipeline: &mut Pipeline,
        step: &Step,
        image: u64,
    ) -> Result<(), PlanError> {
        let Some(buffer) = self.open.filter(|_| !self.gather || step.ends_iteration) else { return Ok(()) };
        self.open = None;
        let [rows, columns, channels] = self.extents;
        let (to, dims) = match (self.gather, self.order) {
            (false, _) => self.view.scatter(image, &step.oy, &step.ox, &step.oc),
            (true, Order::SpatialOuter) => self.view.scatter(image, &step.oy, &step.ox, &(0..channels)),
            (true, Order::ChannelOuter) => self.view.scatter(image, &(0..rows), &(0..columns), &step.oc),
        };
        let store = mover.store(draft, At { buffer, offset: 0 }, to, &dims)?;
        pipeline.push(store.into(), vec![("src", buffer), ("dst", to.buffer)]);
        Ok(())
    }
}
