//! Bundles of constants, loaded together: they change cycles and nothing else, and the checker sees when they do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod nets;

use std::sync::Arc;

use dpu_isa::{Instr, Machine};
use nets::Net;
use proptest::prelude::*;
use strum_plan::network::{Failure, Plan};
use strum_plan::strategy::{BundleStrategy, ProgramStrategy};
use strum_plan::{Draft, Forecast, Objective, Role, bundle};

/// A machine with the given bytes of SRAM.
fn machine(sram_bytes: u64) -> Machine {
    Machine { sram_bytes, ..Machine::flexnn_16x16() }
}

/// The plan of a network with bundles of these sizes: of a constant, of the first transfer, of the others.
fn told(net: &Net, machine: &Machine, sizes: [u64; 3]) -> Result<Plan, Failure> {
    let [constant_bytes, first_bytes, transfer_bytes] = sizes;
    let bundle = Some(BundleStrategy { constant_bytes, first_bytes, transfer_bytes });
    let told = ProgramStrategy { name: "main".into(), bundle, ..ProgramStrategy::default() };
    net.plan(machine, Objective::Latency, Some(&told))
}

/// Such a plan, which must exist.
fn plan(net: &Net, machine: &Machine, sizes: [u64; 3]) -> Plan {
    told(net, machine, sizes).unwrap()
}

/// The tasks that load constants.
fn loads(draft: &Draft) -> usize {
    let is_load = |task: &&strum_plan::Task| {
        let from = task.buffer("src").map(|id| &draft.buffers[id.index()].role);
        matches!((&task.instr, from), (Instr::DmaCopy(_), Some(Role::Const(_))))
    };
    draft.tasks.iter().filter(is_load).count()
}

/// A network with a constant operand, whose bytes are read by the vector engine.
fn with_operand(channels: &[u64]) -> Net {
    let mut net = Net::new(6, 16);
    let mut x = 0;
    for &oc in channels {
        let y = net.conv(x, oc, 1);
        let constant = net.constant(y);
        x = net.add(y, constant);
    }
    net.returning(x)
}

const OFF: [u64; 3] = [0; 3];

#[test]
fn small_constants_are_loaded_at_once() {
    let net = with_operand(&[16, 32, 16]);
    let machine = machine(1 << 20);
    let apart = plan(&net, &machine, OFF);
    let together = plan(&net, &machine, [4096, 1 << 20, 1 << 20]);
    assert_eq!((loads(&apart.draft), loads(&together.draft)), (6, 1));
    // The first transfer and the others are no longer than told.
    let cut = plan(&net, &machine, [4096, 1024, 2048]);
    let sizes: Vec<u64> = cut
        .draft
        .buffers
        .iter()
        .filter_map(|b| match &b.role {
            Role::Const(bytes) => Some(bytes.len() as u64),
            _ => None,
        })
        .skip(6)
        .collect();
    assert!(sizes.len() > 2 && sizes[0] <= 1024 && sizes[1..].iter().all(|&n| n <= 2048), "{sizes:?}");
    // Constants above the limit are loaded as before: the third convolution's of 16 sets of 32 bytes and a table, two operands
    // of 576 bytes and the first convolution's remain below it.
    assert_eq!(loads(&plan(&net, &machine, [800, 4096, 4096]).draft), 3);
    let free = net.plan(&machine, Objective::Latency, None).unwrap();
    let cycles = |plan: &Plan| net.run(plan, &machine).1;
    assert!(cycles(&free) <= cycles(&together) && cycles(&free) + 2 * 1240 < cycles(&apart));
    assert_eq!(Forecast::of(&free.draft, &machine).unwrap().cycles, cycles(&free));
}

#[test]
fn equal_constants_are_loaded_once() {
    let mut net = Net::new(6, 16);
    let mut x = net.conv(0, 16, 1);
    for _ in 0..4 {
        // All constants of one shape have the same bytes.
        let constant = net.constant(x);
        x = net.add(x, constant);
    }
    let net = net.returning(x);
    let machine = machine(1 << 20);
    let bytes = |sizes| Forecast::of(&plan(&net, &machine, sizes).draft, &machine).unwrap().dram_bytes;
    assert_eq!(bytes(OFF) - bytes([4096, 1 << 20, 1 << 20]), 3 * 6 * 6 * 16);
}

/// Bundles for which there is no room.
const TOO_LARGE: &str = "strategy: buffers do not fit the SRAM with this bundle";

#[test]
fn bundles_that_do_not_fit_are_refused() {
    let net = Net::chain(4, &[128, 256, 256, 128], 1);
    let machine = machine(64 << 10);
    let failure = told(&net, &machine, [1 << 20; 3]).unwrap_err();
    assert_eq!(failure.to_string(), TOO_LARGE);
    assert!(net.plan(&machine, Objective::Latency, None).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bundles_change_no_result_and_fit_the_memory(
        channels in proptest::collection::vec(1u64..160, 1..5),
        kernel in prop::sample::select(vec![1u64, 3]),
        sram in prop::sample::select(vec![64u64 << 10, 100 << 10, 1 << 20]),
        sizes in [0u64..60_000, 0u64..20_000, 0u64..60_000],
        kind in 0usize..3,
    ) {
        let net = match kind {
            0 => Net::chain(9, &channels, kernel),
            1 => Net::residual(7, channels[0], channels.len()),
            _ => with_operand(&channels),
        };
        let machine = machine(sram);
        let apart = plan(&net, &machine, OFF);
        let (expected, without) = net.run(&apart, &machine);
        // Simulation refuses addresses beyond the SRAM.
        match told(&net, &machine, sizes) {
            Ok(plan) => prop_assert_eq!(&net.run(&plan, &machine).0, &expected),
            Err(failure) => prop_assert_eq!(failure.to_string(), TOO_LARGE),
        }
        let free = net.plan(&machine, Objective::Latency, None).unwrap();
        let (outputs, cycles) = net.run(&free, &machine);
        prop_assert_eq!(&outputs, &expected);
        prop_assert!(cycles <= without, "{} cycles with bundles, {} without", cycles, without);
    }
}

/// A draft without and with bundles, the latter changed.
fn judged(change: impl Fn(&mut Draft)) -> Result<(), String> {
    let net = with_operand(&[16, 32]);
    let machine = machine(1 << 20);
    let (before, mut after) =
        (plan(&net, &machine, OFF).draft, plan(&net, &machine, [4096, 1 << 20, 1 << 20]).draft);
    change(&mut after);
    bundle::check(&before, &after).map_err(|e| e.to_string())
}

/// The first task whose instruction `pick` accepts.
fn task(draft: &mut Draft, pick: impl Fn(&Instr) -> bool) -> usize {
    draft.tasks.iter().position(|task| pick(&task.instr)).unwrap()
}

#[test]
fn the_checker_sees_every_kind_of_fault() {
    assert_eq!(judged(|_| {}), Ok(()));
    let is_add = |instr: &Instr| matches!(instr, Instr::VecBinary(_));
    // Another place in the bundle.
    let moved = judged(|draft| {
        let at = task(draft, is_add);
        let Instr::VecBinary(add) = &mut draft.tasks[at].instr else { panic!() };
        add.b += 16;
    });
    assert_eq!(moved.unwrap_err(), "internal: bundles of constants: b of vec_binary of layer 1 changes");
    // A byte of the bundle that differs.
    let changed = judged(|draft| {
        let bundle = draft.buffers.iter().rposition(|b| matches!(b.role, Role::Const(_))).unwrap();
        let Role::Const(bytes) = &draft.buffers[bundle].role else { panic!() };
        let mut other = bytes.to_vec();
        other[40] ^= 1;
        draft.buffers[bundle].role = Role::Const(Arc::from(other));
    });
    assert!(changed.unwrap_err().ends_with("of conv_var of layer 0 changes"));
    // The load after the task that needs it, and not at all.
    let late = judged(|draft| {
        let bundle = draft.buffers.len() - 1;
        let at =
            draft.tasks.iter().position(|t| t.buffer("dst").is_some_and(|b| b.index() == bundle)).unwrap();
        let load = draft.tasks.remove(at);
        draft.tasks.push(load);
    });
    assert!(late.is_err());
    // A task that is missing, and one that is another.
    let missing = judged(|draft| {
        let at = task(draft, is_add);
        draft.tasks.remove(at);
    });
    assert!(missing.unwrap_err().contains("tasks became"));
    let other = judged(|draft| {
        let at = task(draft, is_add);
        draft.tasks[at].layer = 0;
    });
    assert_eq!(other.unwrap_err(), "internal: bundles of constants: vec_binary of layer 1 became vec_binary");
}
