//! Static proof that a program's barriers let it run to its end.
//!
//! Every generation of a barrier (from one `bar_cfg` to the next) must have exactly as many posting and waiting
//! tasks as it announces. Under that condition the machine is a marked graph: whether it reaches its end does
//! not depend on task durations, so that one run with zero-length tasks decides for all timings.

use std::collections::{BTreeMap, VecDeque};

use crate::barrier::{Expected, MAX_BARRIERS, members};
use crate::machine::Machine;
use crate::table::Instr;
use crate::types::Engine;
use crate::violation::{MAX_ERRORS, ValidateErrorKind as Kind};

/// Instruction index and violation.
type Issue = (usize, Kind);

/// A generation of a barrier: where it was armed, what it announced and what was found.
#[derive(Clone, Copy)]
struct Generation {
    at: usize,
    producers: (u32, u32),
    consumers: (u32, u32),
}

impl Generation {
    fn close(self, barrier: u32, out: &mut Vec<Issue>) {
        for (what, (announced, found)) in [("producers", self.producers), ("consumers", self.consumers)] {
            if announced != found {
                out.push((self.at, Kind::BarrierCount { barrier, what, announced, found }));
            }
        }
    }
}

/// Compares the announced with the actual producers and consumers of every barrier generation.
///
/// Stops after about [`MAX_ERRORS`] violations, since one instruction can name 128 barriers.
pub(crate) fn counts(instrs: &[Instr]) -> Vec<Issue> {
    let mut out = Vec::new();
    let mut armed: [Option<Generation>; MAX_BARRIERS] = [None; MAX_BARRIERS];
    for (at, instr) in instrs.iter().enumerate() {
        if out.len() >= MAX_ERRORS {
            return out;
        }
        if let Instr::BarCfg(x) = instr
            && let Some(slot) = armed.get_mut(usize::from(x.barrier))
        {
            if let Some(old) = slot.take() {
                old.close(u32::from(x.barrier), &mut out);
            }
            let (producers, consumers) = ((u32::from(x.producers), 0), (u32::from(x.consumers), 0));
            *slot = Some(Generation { at, producers, consumers });
        }
        let masks = [("wait", instr.wait()), ("post", instr.post())];
        for (field, barrier) in
            masks.into_iter().flat_map(|(field, mask)| members(mask).map(move |b| (field, b)))
        {
            match armed.get_mut(usize::from(barrier)).and_then(Option::as_mut) {
                None => out.push((at, Kind::BarrierNotArmed { field, barrier: barrier.into() })),
                Some(g) if field == "wait" => g.consumers.1 = g.consumers.1.saturating_add(1),
                Some(g) => g.producers.1 = g.producers.1.saturating_add(1),
            }
        }
    }
    for (barrier, generation) in (0u32..).zip(armed) {
        if let Some(generation) = generation {
            generation.close(barrier, &mut out);
        }
    }
    out
}

/// The tasks that every barrier expects.
type Barriers = [Expected; MAX_BARRIERS];

/// Runs the program without time; returns the instruction at which it deadlocks, if it does.
///
/// Assumes that [`counts`] found no violations.
pub(crate) fn deadlock(instrs: &[Instr], machine: &Machine) -> Option<Issue> {
    let depth = usize::try_from(machine.fifo_depth).unwrap_or(usize::MAX);
    let mut barriers = [Expected::default(); MAX_BARRIERS];
    let mut fifos: BTreeMap<(u8, Engine), VecDeque<usize>> = BTreeMap::new();
    let mut next = 0;
    loop {
        let dispatched = dispatch(instrs, depth, &mut next, &mut barriers, &mut fifos);
        let executed = fifos.values_mut().fold(false, |any, fifo| drain(instrs, fifo, &mut barriers) | any);
        if !dispatched && !executed {
            break;
        }
    }
    let waiting = fifos.values().filter_map(|fifo| fifo.front().copied()).min();
    let stuck = waiting.or((next < instrs.len()).then_some(next))?;
    let barrier = match instrs.get(stuck) {
        Some(Instr::BarCfg(x)) => x.barrier,
        instr => closed(&barriers, instr.map_or(0, Instr::wait)).unwrap_or(0),
    };
    Some((stuck, Kind::Deadlock { barrier: barrier.into(), dispatched: next }))
}

/// The first barrier of a mask that blocks a waiting task.
fn closed(barriers: &Barriers, mask: u64) -> Option<u8> {
    members(mask).find(|&b| barriers.get(usize::from(b)).is_some_and(|expected| expected.closed()))
}

/// Dispatches as far as possible; returns whether anything was dispatched.
fn dispatch(
    instrs: &[Instr],
    depth: usize,
    next: &mut usize,
    barriers: &mut Barriers,
    fifos: &mut BTreeMap<(u8, Engine), VecDeque<usize>>,
) -> bool {
    let start = *next;
    while let Some(instr) = instrs.get(*next) {
        match (instr, instr.tile()) {
            (Instr::BarCfg(x), _) => match barriers.get_mut(usize::from(x.barrier)) {
                Some(expected) if expected.idle() => {
                    *expected = Expected { producers: x.producers, consumers: x.consumers };
                }
                _ => break,
            },
            (_, Some(tile)) => {
                let engine = instr.engine();
                // The DMA engines serve all tiles.
                let tile = if matches!(engine, Engine::Dma0 | Engine::Dma1) { 0 } else { tile };
                let fifo = fifos.entry((tile, engine)).or_default();
                if fifo.len() >= depth {
                    break;
                }
                fifo.push_back(*next);
            }
            (_, None) => {}
        }
        *next += 1;
    }
    *next > start
}

/// Executes the tasks at the front whose barriers are done; returns whether there was one.
fn drain(instrs: &[Instr], fifo: &mut VecDeque<usize>, barriers: &mut Barriers) -> bool {
    let mut any = false;
    while let Some(instr) = fifo.front().and_then(|&i| instrs.get(i)) {
        if closed(barriers, instr.wait()).is_some() {
            break;
        }
        step(barriers, instr.wait(), Expected::consumed);
        step(barriers, instr.post(), Expected::posted);
        fifo.pop_front();
        any = true;
    }
    any
}

/// Removes a task from the counts of a mask's barriers; [`counts`] has checked that it is expected.
fn step(barriers: &mut Barriers, mask: u64, next: fn(Expected) -> Option<Expected>) {
    for barrier in members(mask) {
        if let Some(expected) = barriers.get_mut(usize::from(barrier)) {
            *expected = next(*expected).unwrap_or(*expected);
        }
    }
}
