//! Memory use stays within the limit, whatever programs request. The limit is that of this process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use dpu_isa::{DmaFill, End, Machine, Manifest, MemAddr, Program};
use dpu_sim::{Options, SimError, simulate};
use strum_files::budget;

const LIMIT: u64 = 40 << 20;

/// Sets the limit, and keeps other tests from claiming.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    budget::set_limit(LIMIT);
    guard
}

fn program(dram_bytes: u64, fill: DmaFill) -> Program {
    Program {
        machine: Machine { sram_bytes: 1 << 16, ..Machine::flexnn_16x16() },
        meta: vec![Default::default(); 2],
        instrs: vec![fill.into(), End {}.into()],
        locs: Vec::new(),
        layers: Vec::new(),
        consts: Vec::new(),
        dram_bytes,
        inputs: Vec::new(),
        outputs: Vec::new(),
        manifest: Manifest::default(),
    }
}

#[test]
fn simulated_memories_are_claimed_before_they_are_made() {
    let _alone = alone();
    let error = simulate(&program(64 << 20, DmaFill::default()), &[], &Options::default()).unwrap_err();
    let SimError::Memory(over) = &error else { panic!("{error}") };
    assert_eq!((over.needed, over.limit), ((64 << 20) + (1 << 16), LIMIT));
    assert!(error.to_string().starts_with("out of memory: the simulated memories: "), "{error}");
}

#[test]
fn the_history_of_single_bytes_is_claimed_before_it_grows() {
    let _alone = alone();
    // A byte of every page: four bytes for each of its bytes would be kept.
    let pages = 16 << 10;
    let fill = DmaFill {
        element: 1,
        dst: MemAddr::dram(0),
        dims: [1, 1, 1, 1, 1, pages],
        dst_strides: [0, 0, 0, 0, 0, 1 << 10],
        ..DmaFill::default()
    };
    let program = program(16 << 20, fill);
    let error = simulate(&program, &[], &Options::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("out of memory: the history of the simulated memories: "),
        "{error}"
    );
    let unchecked = Options { checks: false, ..Options::default() };
    assert!(simulate(&program, &[], &unchecked).is_ok());
}
