//! The stream in time, from event to event: dispatcher, queues, engines, barriers and the memory channel, by the rules
//! of `docs/timing.md`. Nothing is executed.

use std::collections::VecDeque;

use dpu_cost::Cost;
use dpu_isa::{Instr, Machine};

use crate::deps::{ENGINES, engine_index};
use crate::error::PlanError;

/// An engine and the tasks that are dispatched to it, each with the end of its dispatch.
#[derive(Default)]
struct Engine {
    queue: VecDeque<(usize, u64)>,
    /// The task under way and when it ends.
    running: Option<(usize, u64)>,
    /// When the barriers of the first task in the queue open, if that is known.
    opens: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Barrier {
    producers: u16,
    consumers: u16,
    /// When tasks that wait may start after the last post.
    open_at: u64,
}

struct Machinery<'a> {
    instrs: &'a [Instr],
    costs: &'a [Cost],
    machine: &'a Machine,
    engines: [Engine; ENGINES],
    barriers: [Barrier; 64],
    now: u64,
    /// When the memory channel is free.
    channel: u64,
    /// The next instruction to dispatch and when that can be.
    next: usize,
    ready_at: u64,
    blocked: bool,
    ended: bool,
}

/// The barriers of a mask.
fn members(mask: u64) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lowest = usize::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0);
        rest &= rest.wrapping_sub(1);
        lowest
    })
}

/// Cycles of a stream whose instructions have these costs.
///
/// # Errors
/// An internal error if the stream never ends.
pub(super) fn run(instrs: &[Instr], costs: &[Cost], machine: &Machine) -> Result<u64, PlanError> {
    let mut m = Machinery {
        instrs,
        costs,
        machine,
        engines: Default::default(),
        barriers: [Barrier::default(); 64],
        now: 0,
        channel: 0,
        next: 0,
        ready_at: 0,
        blocked: false,
        ended: false,
    };
    loop {
        m.end_tasks();
        let dispatched = m.dispatch()?;
        let started = m.start_tasks();
        if m.ended {
            return Ok(m.now);
        }
        if !dispatched && !started {
            m.now = m.next_event().ok_or_else(|| PlanError::internal("the stream never ends"))?;
        }
    }
}

impl Machinery<'_> {
    fn end_tasks(&mut self) {
        for engine in &mut self.engines {
            let Some((task, _)) = engine.running.filter(|&(_, end)| end <= self.now) else { continue };
            engine.running = None;
            let post = self.instrs.get(task).map_or(0, Instr::post);
            for barrier in members(post) {
                let Some(barrier) = self.barriers.get_mut(barrier) else { continue };
                barrier.producers = barrier.producers.saturating_sub(1);
                barrier.open_at = self.now.saturating_add(self.machine.barrier_cycles.into());
            }
        }
    }

    /// Dispatches what can be dispatched now; says whether there was something.
    fn dispatch(&mut self) -> Result<bool, PlanError> {
        let before = self.next;
        self.blocked = false;
        while !self.ended && self.ready_at <= self.now {
            let instr =
                self.instrs.get(self.next).ok_or_else(|| PlanError::internal("a stream without end"))?;
            let cycles = dpu_cost::dispatch(instr, self.machine);
            let end = self.now.saturating_add(cycles);
            match instr {
                Instr::BarCfg(x) => {
                    let barrier = self.barriers.get_mut(usize::from(x.barrier));
                    let Some(barrier) = barrier.filter(|b| b.producers == 0 && b.consumers == 0) else {
                        self.blocked = true;
                        break;
                    };
                    *barrier = Barrier { producers: x.producers, consumers: x.consumers, open_at: 0 };
                }
                Instr::End(_) => {
                    let busy = |e: &Engine| e.running.is_some() || !e.queue.is_empty();
                    if self.engines.iter().any(busy) {
                        self.blocked = true;
                        break;
                    }
                    self.ended = true;
                }
                task => {
                    let engine = engine_index(task.engine()).map(usize::from);
                    let engine = engine.and_then(|e| self.engines.get_mut(e));
                    let engine = engine.ok_or_else(|| PlanError::internal("a task of no engine"))?;
                    if engine.queue.len() as u64 >= u64::from(self.machine.fifo_depth) {
                        self.blocked = true;
                        break;
                    }
                    engine.queue.push_back((self.next, end));
                }
            }
            self.next += 1;
            self.ready_at = end;
        }
        Ok(self.next > before)
    }

    /// Starts the tasks that can start now; says whether there was one.
    fn start_tasks(&mut self) -> bool {
        let mut started = false;
        for engine in &mut self.engines {
            engine.opens = None;
            let head = engine.queue.front().copied().filter(|&(_, at)| at <= self.now);
            let (None, Some((task, _))) = (engine.running, head) else { continue };
            let wait = self.instrs.get(task).map_or(0, Instr::wait);
            let waited = members(wait).filter_map(|b| self.barriers.get(b));
            let (closed, opens) =
                waited.fold((false, 0), |(closed, at), b| (closed || b.producers > 0, b.open_at.max(at)));
            if closed || opens > self.now {
                engine.opens = Some(opens).filter(|_| !closed);
                continue;
            }
            for barrier in members(wait) {
                if let Some(barrier) = self.barriers.get_mut(barrier) {
                    barrier.consumers = barrier.consumers.saturating_sub(1);
                }
            }
            let cost = self.costs.get(task).copied().unwrap_or_default();
            let end = dpu_cost::end_of_transfer(self.now, &cost, &mut self.channel);
            engine.queue.pop_front();
            engine.running = Some((task, end));
            started = true;
        }
        started
    }

    /// The next time at which something can happen.
    fn next_event(&self) -> Option<u64> {
        let engines = self.engines.iter().flat_map(|engine| {
            let head = engine.queue.front().filter(|_| engine.running.is_none()).map(|&(_, at)| at);
            [engine.running.map(|(_, end)| end), head, engine.opens]
        });
        let dispatcher = (!self.blocked).then_some(self.ready_at);
        engines.flatten().chain(dispatcher).filter(|&at| at > self.now).min()
    }
}
