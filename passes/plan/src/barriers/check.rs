//! Independent checker of barrier assignments: simulates dispatcher, FIFOs and engines several times, at random speeds.
//!
//! It knows nothing of how barriers were chosen. First it reads the configurations back as edges, each producer of a barrier
//! before each of its consumers, and checks that they imply the dependences. Each run then draws the next event from those that
//! the machine's rules allow, with a different weight for every engine and for the dispatcher, so that DMA is slow in one run and
//! the dispatcher in the next. In every run the program must end, no count may fall below 0, all barriers must be idle at the
//! end, and every dependence edge must have been respected.

use std::collections::VecDeque;

use thiserror::Error;

use super::{Assignment, Config};
use crate::deps::check::Clocks;
use crate::deps::{self, ENGINES, Edge, Node};

/// What is wrong with an assignment. Tasks are named by index.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The assignment does not match this task list.
    #[error("the assignment does not fit the task list: {0}")]
    Shape(&'static str),
    /// The number of tasks that post to or wait for a barrier differs from its configuration.
    #[error("the counts of barrier {barrier}, armed before task {before}, are not those of its users")]
    Counts {
        /// The barrier.
        barrier: u8,
        /// The task before which it is armed.
        before: usize,
    },
    /// Deadlock: no event is possible and the program has not ended.
    #[error("deadlock: the dispatcher stands at item {position} of {total}")]
    Deadlock {
        /// Index of the dispatcher in the stream of tasks and configurations.
        position: usize,
        /// Length of the stream.
        total: usize,
    },
    /// A task names a barrier that is not armed.
    #[error("task {task} names barrier {barrier}, which was never armed")]
    Unarmed {
        /// The task.
        task: usize,
        /// The barrier.
        barrier: u8,
    },
    /// A task posts to a barrier without producers left, or waits for one without consumers left.
    #[error("task {task} finds no count left in barrier {barrier}")]
    Underflow {
        /// The task.
        task: usize,
        /// The barrier.
        barrier: u8,
    },
    /// A task started before one that it depends on ended.
    #[error("task {task} started before task {needed} had ended")]
    Order {
        /// The task that started.
        task: usize,
        /// The task it depends on.
        needed: usize,
    },
    /// The barriers imply no order between two tasks that need one.
    #[error("no barrier orders task {from} before task {to}")]
    Lost {
        /// The task that must end first.
        from: usize,
        /// The task that depends on it.
        to: usize,
    },
    /// A barrier orders tasks against the task list.
    #[error(transparent)]
    Carried(#[from] deps::check::Fault),
    /// A barrier still has producers or consumers left after the last task.
    #[error("barrier {barrier} is not idle at the end")]
    NotIdle {
        /// The barrier.
        barrier: u8,
    },
}

/// Depth of the FIFOs and seed of each run.
const RUNS: [(usize, u64); 6] = [(1, 1), (64, 2), (2, 3), (64, 4), (16, 5), (64, 6)];

/// Checks an assignment of barriers `0..barriers` against the edges it must carry.
///
/// # Errors
/// The first fault found.
pub fn check(nodes: &[Node], edges: &[Edge], assignment: &Assignment, barriers: u32) -> Result<(), Fault> {
    let clocks = Clocks::new(nodes, &carried(nodes.len(), assignment)?)?;
    for edge in edges {
        let (from, to) = (edge.from as usize, edge.to as usize);
        if from >= to || to >= nodes.len() {
            return Err(Fault::Shape("an edge does not point forward in the task list"));
        }
        if !clocks.ordered(nodes, from, to) {
            return Err(Fault::Lost { from, to });
        }
    }
    for (depth, seed) in RUNS {
        run(nodes, edges, assignment, barriers, depth, seed)?;
    }
    Ok(())
}

/// The order that the barriers impose: all `(producer, consumer)` pairs of each configuration.
///
/// # Errors
/// A fault if a mask names a barrier that is not armed before the task, or the masks do not match the counts.
pub fn carried(tasks: usize, assignment: &Assignment) -> Result<Vec<(usize, usize)>, Fault> {
    if assignment.wait.len() != tasks || assignment.post.len() != tasks {
        return Err(Fault::Shape("not one mask for each task"));
    }
    let mut edges = Vec::new();
    let mut armed: [Option<Use>; 64] = std::array::from_fn(|_| None);
    let mut configs = assignment.configs.iter().peekable();
    for task in 0..tasks {
        while let Some(config) = configs.next_if(|c| c.before as usize == task) {
            let Some(slot) = armed.get_mut(usize::from(config.barrier)) else {
                return Err(Fault::Shape("a configuration is out of range"));
            };
            if let Some(done) = slot.replace(Use::new(config)) {
                done.close(&mut edges)?;
            }
        }
        for (mask, waits) in [(assignment.wait[task], true), (assignment.post[task], false)] {
            for barrier in bits(mask) {
                let Some(open) = &mut armed[usize::from(barrier)] else {
                    return Err(Fault::Unarmed { task, barrier });
                };
                if waits { &mut open.consumers } else { &mut open.producers }.push(task);
            }
        }
    }
    if configs.next().is_some() {
        return Err(Fault::Shape("configurations are not in stream order"));
    }
    armed.into_iter().flatten().try_for_each(|open| open.close(&mut edges))?;
    Ok(edges)
}

/// The tasks that use one configuration of a barrier.
struct Use {
    config: Config,
    producers: Vec<usize>,
    consumers: Vec<usize>,
}

impl Use {
    fn new(config: &Config) -> Self {
        Use { config: *config, producers: Vec::new(), consumers: Vec::new() }
    }

    fn close(self, edges: &mut Vec<(usize, usize)>) -> Result<(), Fault> {
        let Config { barrier, producers, consumers, .. } = self.config;
        let counts = [usize::from(producers), usize::from(consumers)];
        if counts != [self.producers.len(), self.consumers.len()] {
            return Err(Fault::Counts { barrier, before: self.config.before as usize });
        }
        edges.extend(self.producers.iter().flat_map(|&p| self.consumers.iter().map(move |&c| (p, c))));
        Ok(())
    }
}

/// One run with FIFOs of `depth` entries and speeds drawn from `seed`.
///
/// # Errors
/// The first fault found.
pub fn run(
    nodes: &[Node],
    edges: &[Edge],
    assignment: &Assignment,
    barriers: u32,
    depth: usize,
    seed: u64,
) -> Result<(), Fault> {
    let mut toy = Toy::new(nodes, edges, assignment, barriers, depth)?;
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let weights: [u64; EVENTS] = std::array::from_fn(|_| 1 << (random.next() % 12));
    loop {
        let possible: [bool; EVENTS] = std::array::from_fn(|event| toy.can(event));
        let total: u64 = (0..EVENTS).filter(|&e| possible[e]).map(|e| weights[e]).sum();
        if total == 0 {
            return toy.finish();
        }
        let mut ticket = random.next() % total;
        for event in (0..EVENTS).filter(|&e| possible[e]) {
            if ticket < weights[event] {
                toy.perform(event)?;
                break;
            }
            ticket -= weights[event];
        }
    }
}

/// Events: the dispatcher advances; engine `e` starts its next task (1 + e); engine `e` ends it (1 + ENGINES + e).
const EVENTS: usize = 1 + 2 * ENGINES;

#[derive(Clone, Copy)]
enum Item {
    Config(Config),
    Task(usize),
}

#[derive(Clone, Copy, Default)]
struct Counts {
    armed: bool,
    producers: u16,
    consumers: u16,
}

struct Toy<'a> {
    nodes: &'a [Node],
    assignment: &'a Assignment,
    /// What each task depends on.
    needs: Vec<Vec<usize>>,
    stream: Vec<Item>,
    position: usize,
    depth: usize,
    fifos: [VecDeque<usize>; ENGINES],
    running: [Option<usize>; ENGINES],
    ended: Vec<bool>,
    counts: Vec<Counts>,
}

impl<'a> Toy<'a> {
    fn new(
        nodes: &'a [Node],
        edges: &[Edge],
        assignment: &'a Assignment,
        barriers: u32,
        depth: usize,
    ) -> Result<Self, Fault> {
        if assignment.wait.len() != nodes.len() || assignment.post.len() != nodes.len() {
            return Err(Fault::Shape("not one mask for each task"));
        }
        if assignment.configs.iter().any(|c| u32::from(c.barrier) >= barriers || c.producers == 0) {
            return Err(Fault::Shape("a configuration is out of range"));
        }
        if nodes.iter().any(|n| usize::from(n.engine) >= ENGINES) {
            return Err(Fault::Shape("an engine is out of range"));
        }
        let mut needs = vec![Vec::new(); nodes.len()];
        for edge in edges {
            match needs.get_mut(edge.to as usize) {
                Some(list) if (edge.from as usize) < nodes.len() => list.push(edge.from as usize),
                _ => return Err(Fault::Shape("an edge leaves the task list")),
            }
        }
        let mut stream = Vec::with_capacity(nodes.len() + assignment.configs.len());
        let mut configs = assignment.configs.iter().peekable();
        for task in 0..nodes.len() {
            while let Some(config) = configs.next_if(|c| c.before as usize == task) {
                stream.push(Item::Config(*config));
            }
            stream.push(Item::Task(task));
        }
        if configs.next().is_some() {
            return Err(Fault::Shape("configurations are not in stream order"));
        }
        Ok(Toy {
            nodes,
            assignment,
            needs,
            stream,
            position: 0,
            depth,
            fifos: Default::default(),
            running: Default::default(),
            ended: vec![false; nodes.len()],
            counts: vec![Counts::default(); 64],
        })
    }

    fn can(&self, event: usize) -> bool {
        match event {
            0 => match self.stream.get(self.position) {
                None => false,
                Some(Item::Task(task)) => {
                    self.fifos[usize::from(self.nodes[*task].engine)].len() < self.depth
                }
                Some(Item::Config(config)) => {
                    let c = self.counts[usize::from(config.barrier)];
                    c.producers == 0 && c.consumers == 0
                }
            },
            e if e <= ENGINES => {
                let engine = e - 1;
                let ready = |&task: &usize| {
                    bits(self.assignment.wait[task]).all(|b| self.counts[usize::from(b)].producers == 0)
                };
                self.running[engine].is_none() && self.fifos[engine].front().is_some_and(ready)
            }
            e => self.running[e - 1 - ENGINES].is_some(),
        }
    }

    fn perform(&mut self, event: usize) -> Result<(), Fault> {
        match event {
            0 => {
                match self.stream.get(self.position) {
                    Some(Item::Task(task)) => {
                        self.fifos[usize::from(self.nodes[*task].engine)].push_back(*task);
                    }
                    Some(Item::Config(config)) => {
                        let Config { producers, consumers, .. } = *config;
                        self.counts[usize::from(config.barrier)] =
                            Counts { armed: true, producers, consumers };
                    }
                    None => {}
                }
                self.position += 1;
                Ok(())
            }
            e if e <= ENGINES => self.start(e - 1),
            e => self.end(e - 1 - ENGINES),
        }
    }

    fn start(&mut self, engine: usize) -> Result<(), Fault> {
        let Some(task) = self.fifos[engine].pop_front() else { return Ok(()) };
        for barrier in bits(self.assignment.wait[task]) {
            let counts = &mut self.counts[usize::from(barrier)];
            if !counts.armed {
                return Err(Fault::Unarmed { task, barrier });
            }
            counts.consumers = counts.consumers.checked_sub(1).ok_or(Fault::Underflow { task, barrier })?;
        }
        if let Some(&needed) = self.needs[task].iter().find(|&&n| !self.ended[n]) {
            return Err(Fault::Order { task, needed });
        }
        self.running[engine] = Some(task);
        Ok(())
    }

    fn end(&mut self, engine: usize) -> Result<(), Fault> {
        let Some(task) = self.running[engine].take() else { return Ok(()) };
        for barrier in bits(self.assignment.post[task]) {
            let counts = &mut self.counts[usize::from(barrier)];
            if !counts.armed {
                return Err(Fault::Unarmed { task, barrier });
            }
            counts.producers = counts.producers.checked_sub(1).ok_or(Fault::Underflow { task, barrier })?;
        }
        self.ended[task] = true;
        Ok(())
    }

    /// Checks the final state, in which no event is possible.
    fn finish(&self) -> Result<(), Fault> {
        if self.position < self.stream.len() || self.ended.contains(&false) {
            return Err(Fault::Deadlock { position: self.position, total: self.stream.len() });
        }
        match (0u8..).zip(&self.counts).find(|(_, c)| c.producers != 0 || c.consumers != 0) {
            Some((barrier, _)) => Err(Fault::NotIdle { barrier }),
            None => Ok(()),
        }
    }
}

/// The barriers of a mask.
fn bits(mask: u64) -> impl Iterator<Item = u8> {
    (0..64u8).filter(move |b| mask >> b & 1 == 1)
}

/// Xorshift: good enough to shuffle events, and reproducible.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
