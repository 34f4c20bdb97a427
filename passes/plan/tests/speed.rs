//! The stages after planning are near-linear: a list of 50,000 tasks takes them well under a second in a release build.
//! Run with `--release -- --nocapture` for the figures; debug builds also run all checkers.

#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod layer;

use std::time::{Duration, Instant};

use dpu_isa::{BinaryOp, Dtype, Machine, Space};
use strum_plan::{
    BinaryLayer, Draft, Post, Pre, Role, Tensor, TransposeLayer, alloc, barriers, deps, plan_binary,
    plan_transpose, schedule,
};

/// Layers that add, and occasionally transpose, large tensors on the smallest machine.
fn draft(machine: &Machine, tasks: usize) -> Draft {
    let mut draft = Draft::new();
    let shape = [1, 333, 400, 61];
    let tensor = |draft: &mut Draft, shape: &[u64], role| {
        let id = draft.tensor(Space::Dram, Dtype::I8, shape, role).unwrap();
        Tensor::of(draft, id).unwrap()
    };
    let mut last = tensor(&mut draft, &shape, Role::Input { name: "x".into() });
    while draft.tasks.len() < tasks {
        let bias = tensor(&mut draft, &[61], Role::Scratch);
        let next = tensor(&mut draft, &shape, Role::Scratch);
        let (pre_a, pre_b, post) = (Pre::default(), Pre::default(), Post::default());
        let (a, output) = (last, next.clone());
        let layer = BinaryLayer { op: BinaryOp::Add, mul_shift: 0, a, pre_a, b: bias, pre_b, post, output };
        layer::plan(&mut draft, machine, |scope| plan_binary(scope, &layer)).unwrap();
        let turned = tensor(&mut draft, &[1, 400, 333, 61], Role::Scratch);
        let layer = TransposeLayer { input: next, perm: vec![0, 2, 1, 3], output: turned.clone() };
        layer::plan(&mut draft, machine, |scope| plan_transpose(scope, &layer)).unwrap();
        last = turned.with_shape(&shape);
    }
    draft
}

fn timed<T>(what: &str, total: &mut Duration, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    let time = start.elapsed();
    *total += time;
    println!("{what:>12}: {:7.1} ms", time.as_secs_f64() * 1e3);
    result
}

#[test]
fn fifty_thousand_tasks_are_scheduled_in_a_moment() {
    let machine = Machine { sram_bytes: 65536, ..Machine::flexnn_16x16() };
    let mut total = Duration::ZERO;
    let draft = timed("plan", &mut total, || draft(&machine, 50_000));
    let addresses = timed("allocate", &mut total, || {
        alloc::allocate(&draft.buffers, &draft.tasks, &draft.layers, &machine).unwrap()
    });
    let tasks = timed("relocate", &mut total, || {
        schedule::relocate(&draft.buffers, &draft.tasks, &addresses).unwrap()
    });
    let nodes = timed("footprints", &mut total, || deps::nodes(&tasks).unwrap());
    let edges = timed("dependences", &mut total, || deps::edges(&nodes).unwrap());
    let result = timed("barriers", &mut total, || barriers::assign(&nodes, &edges, 64).unwrap());
    let (stream, _) = timed("assemble", &mut total, || schedule::assemble(&tasks, &result).unwrap());
    let mut apart = Duration::ZERO;
    timed("(verify)", &mut apart, || schedule::verify(&stream, &machine).unwrap());
    println!(
        "{} tasks, {} buffers, {} edges, {} configurations, {} relayed: {:.1} ms",
        draft.tasks.len(),
        draft.buffers.len(),
        edges.len(),
        result.configs.len(),
        result.relayed,
        total.as_secs_f64() * 1e3
    );
    // Generous, for slow and busy machines.
    let limit = if cfg!(debug_assertions) { 60 } else { 5 };
    assert!(total < Duration::from_secs(limit), "{total:?}");
}

/// As many buffers as tasks, with lifetimes of all lengths.
#[test]
fn fifty_thousand_buffers_are_placed_in_a_moment() {
    let mut state = 1u64;
    let mut random = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let requests: Vec<alloc::Request> = (0..50_000)
        .map(|first| {
            let life = if random(100) == 0 { random(5000) } else { random(20) };
            let last = first + life as u32;
            alloc::Request { bytes: 16 * (1 + random(2000)), align: 16, first, last }
        })
        .collect();
    let mut total = Duration::ZERO;
    let swept = timed("sweep", &mut total, || alloc::fit(&requests, 1 << 40, alloc::Effort::Spread).unwrap());
    // A limit below the result of the sweep makes the list solvers run.
    let listed = timed("lists", &mut total, || alloc::fit(&requests, swept.end - 1, alloc::Effort::Spread));
    let listed = listed.map(|fit| fit.end).map_err(|misfit| misfit.need);
    println!("sweep ends at {}, lists at {listed:?}", swept.end);
    let limit = if cfg!(debug_assertions) { 60 } else { 5 };
    assert!(total < Duration::from_secs(limit), "{total:?}");
}
