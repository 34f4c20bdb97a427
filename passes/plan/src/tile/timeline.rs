//! The time of a tiling, task by task: a model of the engines, their queues and the memory channel.
//!
//! It replays the loads, variants and stores of the loops with their slots. The tasks of an engine run in list order; a task
//! starts when its inputs are loaded and the bytes that it overwrites are no longer needed. The memory channel serves one
//! transfer at a time.

use super::budget::{Budget, Traffic};
use super::dataflow::Tiles;
use super::steps::{Step, for_each_step};
use super::{Order, Problem, Tiling, product};

const DPU: usize = 2;
const ENGINES: usize = 3;

/// A task of the model; `deps` are indices of earlier tasks.
#[derive(Clone, Copy, Debug)]
struct ModelTask {
    engine: usize,
    /// Cycles before the channel is needed.
    setup: u64,
    /// Cycles from then on without contention for the channel.
    moving: u64,
    /// Cycles of the channel.
    channel: u64,
    deps: [Option<usize>; 3],
}

/// Slots with LRU replacement: which tile, loaded by which task, last read by which task.
#[derive(Clone, Debug)]
struct Slots {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tile: Option<u64>,
    used: usize,
    loaded: Option<usize>,
    read: Option<usize>,
}

impl Slots {
    fn new(count: u64) -> Self {
        Slots { slots: vec![Slot::default(); usize::try_from(count).unwrap_or(0)] }
    }

    /// The slot of a tile and whether it has to be loaded.
    fn place(&mut self, tile: u64, now: usize) -> Option<(&mut Slot, bool)> {
        let found = self.slots.iter().position(|s| s.tile == Some(tile));
        let at = match found {
            Some(at) => at,
            None => (0..self.slots.len()).min_by_key(|&i| self.slots.get(i).map_or(0, |s| s.used))?,
        };
        let slot = self.slots.get_mut(at)?;
        (slot.tile, slot.used) = (Some(tile), now + 1);
        Some((slot, found.is_none()))
    }
}

/// The tasks of a tiling.
pub(crate) struct Timeline<'a, 't> {
    problem: &'a Problem,
    tiling: &'a Tiling,
    budget: &'a Budget,
    split_weights: bool,
    tasks: Vec<ModelTask>,
    acts: Slots,
    weights: Slots,
    /// The last store of each output slot.
    outs: Vec<Option<usize>>,
    next_out: usize,
    /// Work given to the DMA engines so far.
    queued: [u64; 2],
    /// The store to append after the next step's loads, and its slot.
    waiting: Option<(ModelTask, usize)>,
    tiles: &'a mut Tiles<'t>,
    /// Cycles of all variants.
    compute: u64,
}

/// The result of a replay, in cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Of the whole layer.
    pub(crate) cycles: u64,
    /// Of its variants, set-up included.
    pub(crate) compute: u64,
}

/// Replays a layer, weights loaded by both engines or by one.
pub(crate) fn replay<'a, 't>(
    tiles: &'a mut Tiles<'t>,
    problem: &'a Problem,
    tiling: &'a Tiling,
    budget: &'a Budget,
    split_weights: bool,
) -> Replay {
    let mut timeline = Timeline {
        problem,
        tiling,
        budget,
        split_weights,
        tasks: Vec::new(),
        acts: Slots::new(tiling.act_slots),
        weights: Slots::new(tiling.weight_slots),
        outs: vec![None; usize::try_from(tiling.out_slots).unwrap_or(0)],
        next_out: 0,
        queued: [0; 2],
        waiting: None,
        tiles,
        compute: 0,
    };
    let mut count = 0;
    for repeat in 0..problem.repeats {
        // The steps of a timeline cannot fail.
        let _ = for_each_step(problem, tiling, |step| {
            timeline.step(step, repeat, count);
            count += 1;
            Ok(())
        });
    }
    timeline.flush();
    Replay { cycles: run(&timeline.tasks), compute: timeline.compute }
}

impl Timeline<'_, '_> {
    fn step(&mut self, step: &Step, repeat: u64, now: usize) {
        let (p, t) = (self.problem, self.tiling);
        let len = |r: &std::ops::Range<u64>| r.end - r.start;
        let parts = t.reductions();
        let spatial = product([p.images, t.oy.count(), t.ox.count()]);
        let place = repeat * spatial + step.spatial;
        let act_tile = match p.per_channel {
            Some(_) => (place * t.oc.count() + step.channel) * parts + step.reduction,
            None => place * parts + step.reduction,
        };
        let weight_tile = (repeat * t.oc.count() + step.channel) * parts + step.reduction;
        let taps = len(&step.ky) * len(&step.kx);
        let bytes = p.weight_bytes(len(&step.oc), taps, len(&step.ic));
        let weight_load = Traffic { tasks: 1, bytes, runs: 1 };
        let weights =
            if p.weights.is_some() { self.load(false, weight_tile, weight_load, now) } else { None };
        let act_load = self.act_load(step);
        let act = if p.holds_input() { None } else { self.load(true, act_tile, act_load, now) };
        self.flush();
        let budget = self.budget;
        let cycles = self.tiles.cycles(t, step);
        self.compute = self.compute.saturating_add(cycles);
        let variant = self.tasks.len();
        let out = self.outs.get(self.next_out).copied().flatten();
        let setup = budget.sync();
        self.tasks.push(ModelTask {
            engine: DPU,
            setup,
            moving: cycles,
            channel: 0,
            deps: [act, weights, out],
        });
        for (slots, tile) in [(&mut self.acts, act_tile), (&mut self.weights, weight_tile)] {
            if let Some(slot) = slots.slots.iter_mut().find(|s| s.tile == Some(tile)) {
                slot.read = Some(variant);
            }
        }
        if step.last && !p.holds_output() && (!t.gather || step.ends_iteration) {
            self.store(step, variant);
        }
    }

    /// The transfer of a step's activations.
    fn act_load(&self, step: &Step) -> Traffic {
        let p = self.problem;
        let len = |r: &std::ops::Range<u64>| r.end - r.start;
        let (rows, columns) = (p.y.window(&step.oy, &step.ky).len, p.x.window(&step.ox, &step.kx).len);
        let channels = p.tile_ic(len(&step.oc), len(&step.ic));
        let runs = match (channels == p.ic, columns == p.x.input && p.x.step == 1) {
            (true, true) if p.y.step == 1 => 1,
            (true, _) if p.x.step == 1 => rows,
            _ => rows * columns,
        };
        Traffic { tasks: 1, bytes: product([rows, columns, channels, p.in_bytes]), runs }
    }

    /// The task that loads a tile; a new one if no slot holds the tile.
    fn load(&mut self, acts: bool, tile: u64, traffic: Traffic, now: usize) -> Option<usize> {
        let index = self.tasks.len();
        let budget = self.budget;
        let (slots, engine) = match (acts, self.queued) {
            (true, _) => (&mut self.acts, 0),
            (false, [first, second]) => {
                (&mut self.weights, usize::from(self.split_weights && second < first))
            }
        };
        let (slot, load) = slots.place(tile, now)?;
        if load {
            let deps = [slot.read, None, None];
            (slot.loaded, slot.read) = (Some(index), None);
            self.tasks.push(transfer(budget, engine, &traffic, deps));
            self.queue(engine, &traffic);
            return Some(index);
        }
        slot.loaded
    }

    fn store(&mut self, step: &Step, variant: usize) {
        let (p, t) = (self.problem, self.tiling);
        let len = |r: &std::ops::Range<u64>| r.end - r.start;
        let (mut rows, mut columns, mut channels) = (len(&step.oy), len(&step.ox), len(&step.oc));
        if t.gather {
            match t.order {
                Order::SpatialOuter => channels = p.oc,
                Order::ChannelOuter => (rows, columns) = (p.y.output, p.x.output),
            }
        }
        let runs = match (channels == p.oc, columns == p.x.output) {
            (true, true) => 1,
            (true, false) => rows,
            _ => rows * columns,
        };
        let bytes = product([rows, columns, channels, p.out_bytes]);
        let traffic = Traffic { tasks: 1, bytes, runs };
        let engine = usize::from(self.budget.has_two_engines());
        let task = transfer(self.budget, engine, &traffic, [Some(variant), None, None]);
        self.waiting = Some((task, self.next_out));
        self.queue(engine, &traffic);
        self.next_out = (self.next_out + 1) % self.outs.len().max(1);
    }

    fn queue(&mut self, engine: usize, traffic: &Traffic) {
        if let Some(queued) = self.queued.get_mut(engine) {
            *queued = queued.saturating_add(traffic.cycles(self.budget));
        }
    }

    fn flush(&mut self) {
        if let Some((task, slot)) = self.waiting.take() {
            if let Some(slot) = self.outs.get_mut(slot) {
                *slot = Some(self.tasks.len());
            }
            self.tasks.push(task);
        }
    }
}

fn transfer(budget: &Budget, engine: usize, traffic: &Traffic, deps: [Option<usize>; 3]) -> ModelTask {
    let (setup, moving, channel) = budget.transfer(traffic);
    ModelTask { engine, setup, moving, channel, deps }
}

/// Runs the tasks: always the one that can start first.
fn run(tasks: &[ModelTask]) -> u64 {
    let mut queues: [Vec<usize>; ENGINES] = Default::default();
    for (i, task) in tasks.iter().enumerate().rev() {
        if let Some(queue) = queues.get_mut(task.engine) {
            queue.push(i);
        }
    }
    let mut ends: Vec<Option<u64>> = vec![None; tasks.len()];
    let (mut free, mut channel) = ([0u64; ENGINES], 0u64);
    loop {
        let mut next: Option<(u64, usize, &ModelTask)> = None;
        for (queue, free) in queues.iter().zip(free) {
            let Some((&i, task)) = queue.last().and_then(|i| Some((i, tasks.get(*i)?))) else { continue };
            let ready = task
                .deps
                .iter()
                .flatten()
                .try_fold(free, |start, &d| Some(start.max(ends.get(d).copied().flatten()?)));
            if let Some(start) = ready
                && next.is_none_or(|(first, ..)| start < first)
            {
                next = Some((start, i, task));
            }
        }
        let Some((start, i, task)) = next else { break };
        let ready = start.saturating_add(task.setup);
        let mut end = ready.saturating_add(task.moving);
        if task.channel > 0 {
            channel = channel.max(ready).saturating_add(task.channel);
            end = end.max(channel);
        }
        if let (Some(slot), Some(queue), Some(free)) =
            (ends.get_mut(i), queues.get_mut(task.engine), free.get_mut(task.engine))
        {
            (*slot, *free) = (Some(end), end);
            queue.pop();
        }
    }
    ends.into_iter().flatten().max().unwrap_or(0)
}
