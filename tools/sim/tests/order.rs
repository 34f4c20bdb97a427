//! The race detector against its definition: random programs, all pairs of accesses, order by plain reachability.
//!
//! And its purpose: a program without a race computes the same on machines of any speed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::cell::Cell;
use std::collections::BTreeSet;

use dpu_isa::{
    BarCfg, DmaCopy, Dtype, End, Instr, InstrMeta, IoDesc, Machine, Manifest, Meaning, MemAddr, Program,
    UnaryOp, VecUnary,
};
use dpu_sim::{Options, Report, SimError, TrapKind, simulate};
use proptest::prelude::*;
use proptest::test_runner::TestRng;

/// Bytes of SRAM and of DRAM that the tasks contend for.
const ARENA: u32 = 24;
/// Address of the arena in DRAM; constants come before.
const DRAM: u64 = 64;
/// Barrier of the task that writes everything first.
const READY: u8 = 63;

/// A task of the model: its engine, what it reads and writes (byte numbers; DRAM from 100 on), its barriers.
#[derive(Clone, Debug, Default)]
struct Task {
    engine: usize,
    reads: BTreeSet<u64>,
    writes: BTreeSet<u64>,
    wait: u64,
    post: u64,
}

/// A barrier between two of its armings: armed before task `at`.
#[derive(Clone, Debug)]
struct Generation {
    barrier: u8,
    at: usize,
    producers: BTreeSet<usize>,
    consumers: BTreeSet<usize>,
}

fn span(start: u64, len: u64) -> BTreeSet<u64> {
    (start..start + len).collect()
}

/// A copy of a few bytes: constants to SRAM, SRAM to SRAM, or between SRAM and DRAM.
fn random_task(rng: &mut TestRng, engine: usize) -> (Task, Instr) {
    let arena = u64::from(ARENA);
    let len = rng.random_range(1..=6u64);
    let (from, to) = (rng.random_range(0..=arena - len), rng.random_range(0..=arena - len));
    let (dims, strides) = ([1, 1, 1, 1, 1, len as u32], [0, 0, 0, 0, 0, 1]);
    let mut task = Task { engine, ..Task::default() };
    if engine == 2 {
        // From the lower to the upper half, so that nothing overlaps itself.
        (task.reads, task.writes) = (span(from, len), span(arena + to, len));
        let (src, out) = (from as u32, ARENA + to as u32);
        let x = VecUnary {
            op: UnaryOp::Negate,
            dims,
            src,
            src_strides: strides,
            out,
            out_strides: strides,
            ..VecUnary::default()
        };
        return (task, x.into());
    }
    let (src, dst) = match rng.random_range(0..3) {
        0 => (MemAddr::dram(from), MemAddr::sram(to)),
        1 => (MemAddr::sram(arena + from), MemAddr::dram(DRAM + to)),
        _ => (MemAddr::dram(DRAM + from), MemAddr::sram(to)),
    };
    let number = |a: MemAddr| match a.space {
        dpu_isa::Space::Sram => a.offset,
        dpu_isa::Space::Dram => a.offset + 100,
    };
    (task.reads, task.writes) = (span(number(src), len), span(number(dst), len));
    let x = DmaCopy {
        engine: engine as u8,
        element: 1,
        src,
        dst,
        dims,
        src_strides: strides.map(u64::from),
        dst_strides: strides.map(u64::from),
        ..DmaCopy::default()
    };
    (task, x.into())
}

/// Generations of one barrier, in sequence; producers come before consumers, so that nothing can block.
fn random_generations(rng: &mut TestRng, barrier: u8, tasks: usize) -> Vec<Generation> {
    let mut list = Vec::new();
    let mut at = rng.random_range(1..=tasks / 2);
    while at + 2 < tasks && rng.random_ratio(3, 4) {
        let end = rng.random_range(at + 2..=tasks);
        let middle = rng.random_range(at + 1..end);
        let mut pick = |range: std::ops::Range<usize>| -> BTreeSet<usize> {
            range.filter(|_| rng.random_ratio(1, 3)).collect()
        };
        let mut producers = pick(at..middle);
        producers.insert(at);
        let consumers = pick(middle..end);
        list.push(Generation { barrier, at, producers, consumers });
        at = end;
    }
    list
}

/// Writes constants over the whole arena: task 0, on the first engine.
fn prologue() -> (Vec<Task>, Vec<Instr>) {
    let mut task = Task { writes: span(0, 2 * u64::from(ARENA)), ..Task::default() };
    task.writes.extend(span(100 + DRAM, u64::from(ARENA)));
    let fill = |dst, len| DmaCopy {
        element: 1,
        dst,
        dims: [1, 1, 1, 1, 1, len],
        src_strides: [0, 0, 0, 0, 0, 1],
        dst_strides: [0, 0, 0, 0, 0, 1],
        ..DmaCopy::default()
    };
    let last = DmaCopy { post: 1 << READY, ..fill(MemAddr::sram(0), 2 * ARENA) };
    (vec![task], vec![fill(MemAddr::dram(DRAM), ARENA).into(), last.into()])
}

/// A random program of `count` tasks and its model.
fn random_case(count: usize, mut rng: TestRng) -> (Program, Vec<Task>, Vec<Generation>) {
    let mut generations = Vec::new();
    for barrier in 0..4 {
        generations.extend(random_generations(&mut rng, barrier, count));
    }
    let (mut tasks, first) = prologue();
    let mut bodies = Vec::new();
    let mut seen = [true, false, false];
    for index in 1..count {
        let engine = rng.random_range(0..3);
        let (mut task, body) = random_task(&mut rng, engine);
        if !std::mem::replace(&mut seen[task.engine], true) {
            task.wait |= 1 << READY;
        }
        for g in &generations {
            task.post |= u64::from(g.producers.contains(&index)) << g.barrier;
            task.wait |= u64::from(g.consumers.contains(&index)) << g.barrier;
        }
        tasks.push(task);
        bodies.push(body);
    }
    let consumers =
        tasks.iter().enumerate().filter(|(_, t)| t.wait >> READY & 1 == 1).map(|(i, _)| i).collect();
    generations.push(Generation { barrier: READY, at: 0, producers: BTreeSet::from([0]), consumers });
    let mut instrs = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        for g in generations.iter().filter(|g| g.at == index) {
            let (producers, consumers) = (g.producers.len() as u16, g.consumers.len() as u16);
            instrs.push(BarCfg { barrier: g.barrier, producers, consumers }.into());
        }
        if index == 0 {
            instrs.extend(&first);
            continue;
        }
        let mut body = bodies[index - 1];
        if let Some((wait, post)) = body.masks_mut() {
            (*wait, *post) = (task.wait, task.post);
        }
        instrs.push(body);
    }
    instrs.push(End {}.into());
    (program(instrs), tasks, generations)
}

fn program(instrs: Vec<Instr>) -> Program {
    Program {
        machine: Machine::flexnn_16x16(),
        meta: vec![InstrMeta::default(); instrs.len()],
        instrs,
        locs: Vec::new(),
        layers: Vec::new(),
        consts: (0..DRAM as u8).collect(),
        dram_bytes: 256,
        inputs: Vec::new(),
        outputs: vec![IoDesc {
            name: "y".into(),
            dtype: Dtype::I8,
            shape: vec![u64::from(ARENA)],
            addr: DRAM,
            meaning: Meaning::default(),
        }],
        manifest: Manifest::default(),
    }
}

/// For each task, the tasks that have certainly ended when it starts.
fn before(tasks: &[Task], generations: &[Generation]) -> Vec<BTreeSet<usize>> {
    let mut all: Vec<BTreeSet<usize>> = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let mut set = BTreeSet::new();
        let mut ended = |t: usize| {
            set.insert(t);
            set.extend(&all[t]);
        };
        (0..index).filter(|&t| tasks[t].engine == task.engine).for_each(&mut ended);
        for g in generations {
            // Waited for by the task itself, or by an arming that the dispatcher passed on the way to it.
            let rearmed = generations.iter().any(|h| h.barrier == g.barrier && h.at > g.at && h.at <= index);
            if g.consumers.contains(&index) || rearmed {
                g.producers.iter().copied().for_each(&mut ended);
            }
        }
        for g in generations {
            if generations.iter().any(|h| h.barrier == g.barrier && h.at > g.at && h.at <= index) {
                // The consumers had started: what they came after had ended.
                g.consumers.iter().for_each(|&c| set.extend(&all[c]));
            }
        }
        all.push(set);
    }
    all
}

fn races(tasks: &[Task], generations: &[Generation]) -> bool {
    let before = before(tasks, generations);
    let clash = |a: &Task, b: &Task| {
        !a.writes.is_disjoint(&b.writes) || !a.writes.is_disjoint(&b.reads) || !a.reads.is_disjoint(&b.writes)
    };
    (0..tasks.len()).any(|j| (0..j).any(|i| !before[j].contains(&i) && clash(&tasks[i], &tasks[j])))
}

/// Speeds that reorder events.
fn speeds() -> [Machine; 4] {
    let own = Machine::flexnn_16x16();
    [
        own.clone(),
        Machine { dram_latency_cycles: 0, dram_bytes_per_cycle: 1, dispatch_cycles: 0, ..own.clone() },
        Machine { vec_setup_cycles: 5000, barrier_cycles: 0, ..own.clone() },
        Machine {
            dma_bytes_per_cycle: 1,
            dram_latency_cycles: 3,
            dispatch_cycles: 50,
            barrier_cycles: 200,
            ..own
        },
    ]
}

/// The total lies between the busiest engine and the sum of all tasks; engines and bytes add up.
fn assert_bounds(report: &Report) {
    let (cycles, total) = (report.cycles, &report.total);
    let engines = report.engines.iter().filter(|e| e.name != "dispatcher");
    let busy: Vec<u64> = engines.map(|e| e.busy).collect();
    assert!(busy.iter().all(|&b| b <= cycles), "{busy:?} of {cycles}");
    assert!(cycles <= report.serial_cycles, "{cycles} beyond {}", report.serial_cycles);
    let kinds = total.busy.dma0 + total.busy.dma1 + total.busy.dpu + total.busy.vec;
    assert_eq!(kinds, busy.iter().sum::<u64>());
    assert_eq!(total.events.sram(), (total.bytes.sram_read, total.bytes.sram_write));
}

#[test]
fn races_are_found_exactly_and_without_them_time_does_not_matter() {
    let (racy, clean) = (Cell::new(0), Cell::new(0));
    let cases = (6..=16usize).prop_perturb(random_case);
    let config = ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((program, tasks, generations) in cases)| {
        prop_assert_eq!(program.validate(), Ok(()), "{:?}", tasks);
        let expected = races(&tasks, &generations);
        let mut results = BTreeSet::new();
        for machine in speeds() {
            let options = Options { machine: Some(machine), ..Options::default() };
            match simulate(&program, &[], &options) {
                Ok(result) => {
                    prop_assert!(!expected, "missed a race in {:?}", program.instrs);
                    assert_bounds(&result.report);
                    results.insert(result.outputs[0].data.clone());
                }
                Err(SimError::Trap(trap)) if trap.kind == TrapKind::Race => {
                    prop_assert!(expected, "{}\n{:?}", trap, program.instrs);
                }
                Err(other) => panic!("{other}"),
            }
        }
        prop_assert!(results.len() <= 1, "time changed the result of {:?}", program.instrs);
        let count = if expected { &racy } else { &clean };
        count.set(count.get() + 1);
    });
    let (racy, clean) = (racy.get(), clean.get());
    assert!(racy > 50 && clean > 50, "{racy} with and {clean} without a race");
}
