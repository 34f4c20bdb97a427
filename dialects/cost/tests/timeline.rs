//! The clock against a naive one that advances cycle by cycle, and keeps neither queues nor counters: at every cycle it derives the
//! state from the events so far.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::RangeInclusive;

use dpu_cost::Cost;
use dpu_cost::timeline::{Dispatched, Flaw, Obstacle, Start, Stop, Tasks, Timeline, engine_of};
use dpu_isa::{BarCfg, ConvVar, DmaFill, End, Instr, Machine, VecUnary};
use proptest::collection::vec;
use proptest::prelude::*;

/// If nothing happens for this long, nothing ever will: no task of these tests takes longer.
const QUIET: u64 = 1000;

/// The events of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct History {
    dispatched: Option<u64>,
    /// When its dispatch was complete.
    seen: u64,
    started: Option<u64>,
    ended: u64,
    waited: u64,
}

/// Numbers chosen by proptest, and shrunk; zeros follow the last one.
struct Draws(std::vec::IntoIter<u32>);

impl Draws {
    fn within<T: TryFrom<u64> + TryInto<u64> + Copy>(&mut self, range: RangeInclusive<T>) -> T {
        let wide = |value: T| value.try_into().unwrap_or_default();
        let (low, high) = (wide(*range.start()), wide(*range.end()));
        let value = low + u64::from(self.0.next().unwrap_or(0)) % (high - low + 1);
        T::try_from(value).unwrap_or(*range.start())
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.within(1..=n) == 1
    }
}

fn machine(u: &mut Draws) -> Machine {
    Machine {
        tiles: u.within(1..=2),
        barriers: u.within(1..=4),
        fifo_depth: u.within(1..=4),
        barrier_cycles: u.within(0..=9),
        dispatch_cycles: u.within(0..=5),
        fetch_bytes_per_cycle: [4, 32, 256][u.within(0..=2)],
        ..Machine::flexnn_16x16()
    }
}

fn task(u: &mut Draws, m: &Machine) -> Instr {
    let tile = u.within(0..=u8::try_from(m.tiles - 1).unwrap());
    match u.within(0..=3) {
        engine @ 0..=1 => DmaFill { engine, tile, ..DmaFill::default() }.into(),
        2 => ConvVar { tile, ..ConvVar::default() }.into(),
        _ => VecUnary { tile, ..VecUnary::default() }.into(),
    }
}

fn cost(u: &mut Draws, instr: &Instr) -> Cost {
    let dma = matches!(instr, Instr::DmaFill(_)) && !u.one_in(3);
    let (latency, dram) = if dma { (u.within(0..=9), u.within(1..=20)) } else { (0, 0) };
    Cost { cycles: latency + u.within(1..=40), latency, dram, ..Cost::default() }
}

/// A stream that uses barriers as it arms them; it may deadlock, since tasks may wait for later ones.
fn stream(u: &mut Draws, m: &Machine) -> Vec<Instr> {
    let mut instrs = Vec::new();
    // The remaining counts of every barrier.
    let mut left = vec![(0u16, 0u16); m.barriers as usize];
    let tasks = u.within(1..=40);
    while instrs.len() < tasks || left.iter().any(|&counts| counts != (0, 0)) {
        let barrier = u.within(0..=left.len() - 1);
        if left[barrier] == (0, 0) && instrs.len() < tasks && u.one_in(3) {
            let (producers, consumers) = (u.within(0..=3), u.within(0..=2));
            left[barrier] = (producers, consumers);
            let barrier = u8::try_from(barrier).unwrap();
            instrs.push(BarCfg { barrier, producers, consumers }.into());
            continue;
        }
        let mut instr = task(u, m);
        let (wait, post) = instr.masks_mut().unwrap();
        for (barrier, (producers, consumers)) in left.iter_mut().enumerate() {
            // Producers come first, with few exceptions.
            let early = *producers > 0 && !u.one_in(30);
            if *producers > 0 && u.one_in(2) {
                *post |= 1 << barrier;
                *producers -= 1;
            } else if *consumers > 0 && !early {
                *wait |= 1 << barrier;
                *consumers -= 1;
            }
        }
        instrs.push(instr);
    }
    instrs.push(End {}.into());
    instrs
}

/// The naive clock.
struct Naive<'a> {
    instrs: &'a [Instr],
    costs: &'a [Cost],
    m: &'a Machine,
    log: Vec<History>,
    channel: u64,
}

impl Naive<'_> {
    /// The `bar_cfg` of a barrier that applies to an instruction: the last one before it.
    fn arming(&self, barrier: u8, index: usize) -> Option<(usize, BarCfg)> {
        let before = self.instrs[..index].iter().enumerate().rev();
        before.into_iter().find_map(|(i, instr)| match instr {
            Instr::BarCfg(x) if x.barrier == barrier => Some((i, *x)),
            _ => None,
        })
    }

    /// Ends of the arming's posts, and number of started waiting tasks, so far.
    fn so_far(&self, barrier: u8, arming: usize, t: u64) -> (Vec<u64>, usize) {
        let own = |&i: &usize| self.arming(barrier, i).is_some_and(|(by, _)| by == arming);
        let tasks: Vec<usize> = (arming..self.instrs.len()).filter(own).collect();
        let posts = tasks.iter().filter(|&&i| self.instrs[i].post() >> barrier & 1 == 1);
        let ended = posts.filter(|&&i| self.log[i].started.is_some() && self.log[i].ended <= t);
        let waits = tasks.iter().filter(|&&i| self.instrs[i].wait() >> barrier & 1 == 1);
        let ends = ended.map(|&i| self.log[i].ended).collect();
        (ends, waits.filter(|&&i| self.log[i].started.is_some()).count())
    }

    fn may_dispatch(&self, index: usize, t: u64) -> bool {
        match &self.instrs[index] {
            Instr::BarCfg(x) => self.arming(x.barrier, index).is_none_or(|(by, old)| {
                let (posts, waits) = self.so_far(x.barrier, by, t);
                posts.len() == usize::from(old.producers) && waits == usize::from(old.consumers)
            }),
            Instr::End(_) => self.instrs[..index]
                .iter()
                .zip(&self.log)
                .all(|(instr, h)| engine_of(instr).is_none() || (h.started.is_some() && h.ended <= t)),
            task => {
                let queued = |(instr, h): (&Instr, &History)| {
                    engine_of(instr) == engine_of(task) && h.dispatched.is_some() && h.started.is_none()
                };
                let queued = self.instrs.iter().zip(&self.log).filter(|&x| queued(x)).count();
                queued < self.m.fifo_depth as usize
            }
        }
    }

    /// Starts the next task of an engine if it can start.
    fn start(&mut self, engine: usize, t: u64) -> bool {
        let own: Vec<usize> =
            (0..self.instrs.len()).filter(|&i| engine_of(&self.instrs[i]) == Some(engine)).collect();
        let running = |&&i: &&usize| self.log[i].started.is_some() && self.log[i].ended > t;
        let next = own.iter().find(|&&i| self.log[i].started.is_none());
        let (None, Some(&next)) = (own.iter().find(running), next) else { return false };
        if self.log[next].dispatched.is_none() || self.log[next].seen > t {
            return false;
        }
        for barrier in (0..64).filter(|b| self.instrs[next].wait() >> b & 1 == 1) {
            let (by, cfg) = self.arming(barrier, next).unwrap();
            let (posts, _) = self.so_far(barrier, by, t);
            let opens = posts.iter().max().map_or(0, |last| last + u64::from(self.m.barrier_cycles));
            if posts.len() < usize::from(cfg.producers) || opens > t {
                return false;
            }
        }
        let Cost { cycles, latency, dram, .. } = self.costs[next];
        let mut end = t + cycles;
        if dram > 0 {
            self.channel = self.channel.max(t + latency) + dram;
            end = end.max(self.channel);
        }
        let free = own.iter().filter(|&&i| self.log[i].started.is_some()).map(|&i| self.log[i].ended);
        let waited = t - free.max().unwrap_or(0).max(self.log[next].seen);
        self.log[next] = History { started: Some(t), ended: end, waited, ..self.log[next] };
        true
    }

    /// The end of the program; `None` for a deadlock.
    fn run(&mut self) -> Option<u64> {
        let (mut next, mut free, mut last, mut t) = (0, 0, 0, 0);
        while t < last + QUIET {
            loop {
                let before = next;
                while free <= t && self.may_dispatch(next, t) {
                    let bytes = 8 * self.instrs[next].desc().words() as u64;
                    let fetch = bytes.div_ceil(u64::from(self.m.fetch_bytes_per_cycle));
                    free = t + fetch.max(u64::from(self.m.dispatch_cycles));
                    self.log[next] = History { dispatched: Some(t), seen: free, ..self.log[next] };
                    if let Instr::End(_) = self.instrs[next] {
                        return Some(t);
                    }
                    next += 1;
                }
                // Starts make room in FIFOs.
                let started =
                    (0..2 + 2 * self.m.tiles as usize).filter(|&engine| self.start(engine, t)).count();
                if started == 0 && next == before {
                    break;
                }
                last = t;
            }
            t += 1;
        }
        None
    }
}

/// Records the events of the clock.
struct Log<'a> {
    costs: &'a [Cost],
    log: Vec<History>,
    /// Ended tasks, in order.
    ended: Vec<usize>,
    /// What has stalled the dispatcher.
    obstacles: Vec<Obstacle>,
}

impl Tasks for Log<'_> {
    /// The task's position, which must match its start.
    type Ticket = usize;
    type Error = Infallible;

    fn check(&mut self, index: usize, _instr: &Instr, _now: u64) -> Result<(), Infallible> {
        assert_eq!(self.log[index], History::default());
        Ok(())
    }

    fn dispatched(&mut self, d: &Dispatched<'_>) -> usize {
        self.log[d.index] = History { dispatched: Some(d.start), seen: d.end, ..History::default() };
        self.obstacles.extend(d.held.map(|(obstacle, _)| obstacle));
        d.index
    }

    fn start(&mut self, start: &Start<'_>, ticket: usize) -> Result<Cost, Infallible> {
        assert_eq!((start.index, Some(start.engine)), (ticket, engine_of(start.instr)));
        let cost = self.costs[ticket];
        let (started, ended, waited) = (Some(start.now), start.end(&cost), start.waited);
        self.log[ticket] = History { started, ended, waited, ..self.log[ticket] };
        if let Some((first, last)) = start.channel(&cost) {
            assert!(first >= start.now + cost.latency && last - first == cost.dram && last <= ended);
        }
        Ok(cost)
    }

    fn ended(&mut self, engine: usize, index: usize, instr: &Instr) {
        assert_eq!(engine_of(instr), Some(engine));
        self.ended.push(index);
    }
}

#[test]
fn the_clock_agrees_with_one_that_counts_cycles() {
    let (ends, deadlocks, held) = (Cell::new(0), Cell::new(0), Cell::new([0; 3]));
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(draws in vec(any::<u32>(), 0..=600))| {
        let u = &mut Draws(draws.into_iter());
        let m = machine(u);
        let instrs = stream(u, &m);
        let costs: Vec<Cost> = instrs.iter().map(|instr| cost(u, instr)).collect();
        let history = vec![History::default(); instrs.len()];
        let mut naive = Naive { instrs: &instrs, costs: &costs, m: &m, log: history.clone(), channel: 0 };
        let mut log = Log { costs: &costs, log: history, ended: Vec::new(), obstacles: Vec::new() };
        let mut timeline = Timeline::new(&instrs, &m, m.tiles as usize);
        match (naive.run(), timeline.run(&mut log)) {
            (Some(end), found) => {
                assert_eq!(found, Ok(end));
                ends.set(ends.get() + 1);
                assert!(log.ended.is_sorted_by_key(|&i| log.log[i].ended));
                let tasks = instrs.iter().filter(|instr| engine_of(instr).is_some());
                assert_eq!(log.ended.len(), tasks.count());
            }
            (None, found) => {
                assert_eq!(found, Err(Stop::Program { index: timeline.next(), flaw: Flaw::Deadlock }));
                deadlocks.set(deadlocks.get() + 1);
            }
        }
        assert_eq!(log.log, naive.log, "{instrs:?} {costs:?} {m:?}");
        for obstacle in log.obstacles {
            let mut counts = held.get();
            counts[match obstacle {
                Obstacle::FullFifo(_) => 0,
                Obstacle::BusyBarrier(_) => 1,
                Obstacle::BusyEngines => 2,
            }] += 1;
            held.set(counts);
        }
    });
    println!("{} ends, {} deadlocks, held up {:?} times", ends.get(), deadlocks.get(), held.get());
    assert!(ends.get() > 20 && deadlocks.get() > 0 && held.get().iter().all(|&n| n > 0));
}
