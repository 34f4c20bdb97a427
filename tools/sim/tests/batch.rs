//! Batches: a replayed sample has the outputs of a full simulation, wherever weights come from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Conv, copy, program};
use dpu_isa::{Dtype, Instr, InstrMeta, MemAddr, Method, Program};
use dpu_sim::{KernelChoice, Options, Recording, TensorView, simulate};

const PACKED: Conv = Conv { method: Method::Mip2q, ..Conv::SMALL };

/// Bytes that the modified programs move.
const PATCH: u64 = 16;

fn inputs(conv: &Conv, sample: u8) -> Vec<u8> {
    conv.input().iter().map(|b| b.wrapping_mul(2 * sample + 1).rotate_left(u32::from(sample))).collect()
}

/// Records sample 0, and compares samples with full simulations, including the recorded one.
fn check(name: &str, conv: &Conv, program: &Program) {
    let shape = [1, conv.size, conv.size, conv.in_c].map(u64::from);
    for kernel in [KernelChoice::Auto, KernelChoice::Portable, KernelChoice::Golden] {
        for checks in [true, false] {
            let options = Options { kernel, checks, ..Options::default() };
            let samples: Vec<_> = (0..4).map(|n| inputs(conv, n)).collect();
            let view = |n: usize| TensorView { dtype: Dtype::I8, shape: &shape, data: &samples[n] };
            let (recording, first) = Recording::new(program, &[view(0)], &options, &mut []).unwrap();
            assert_eq!(first, simulate(program, &[view(0)], &options).unwrap(), "{name}");
            let mut replayer = recording.replayer().unwrap();
            let mut other = recording.replayer().unwrap();
            for n in [1, 2, 0, 3, 2] {
                let want = simulate(program, &[view(n)], &options).unwrap().outputs;
                for replayer in [&mut replayer, &mut other] {
                    assert_eq!(replayer.run(&[view(n)]).unwrap(), want, "{name}, {kernel}, sample {n}");
                }
            }
        }
    }
}

#[test]
fn threads_share_a_sample() {
    let wide = Conv { size: 24, in_c: 64, out_c: 128, tiles: 2, method: Method::Dense };
    for conv in [wide, Conv { method: Method::Mip2q, ..wide }] {
        let program = program(&conv);
        let shape = [1, conv.size, conv.size, conv.in_c].map(u64::from);
        let samples: Vec<_> = (0..3).map(|n| inputs(&conv, n)).collect();
        let view = |n: usize| [TensorView { dtype: Dtype::I8, shape: &shape, data: &samples[n] }];
        for kernel in [KernelChoice::Auto, KernelChoice::Portable, KernelChoice::Golden] {
            let on = |threads| Options { kernel, threads, ..Options::default() };
            let one = simulate(&program, &view(0), &on(1)).unwrap();
            for threads in [0, 2, 3, 5] {
                assert_eq!(simulate(&program, &view(0), &on(threads)).unwrap(), one, "{threads} threads");
                let (recording, first) = Recording::new(&program, &view(0), &on(threads), &mut []).unwrap();
                assert_eq!(first, one);
                let mut replayer = recording.replayer_on(threads).unwrap();
                for n in [1, 2, 0] {
                    let want = simulate(&program, &view(n), &on(1)).unwrap().outputs;
                    assert_eq!(replayer.run(&view(n)).unwrap(), want, "{threads} threads, sample {n}");
                }
            }
        }
    }
}

fn insert(program: &mut Program, at: usize, instr: Instr) {
    program.instrs.insert(at, instr);
    program.meta.insert(at, InstrMeta { layer: 0, loc: InstrMeta::NONE });
}

/// The index of the copy that loads the weights, and its destination.
fn weights(program: &Program) -> (usize, MemAddr) {
    let found = program.instrs.iter().enumerate().find_map(|(i, instr)| match instr {
        Instr::DmaCopy(x) => Some((i, x.dst)),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn constant_weights() {
    check("dense", &Conv::SMALL, &program(&Conv::SMALL));
    check("mip2q", &PACKED, &program(&PACKED));
}

#[test]
fn weights_of_which_a_part_is_the_input() {
    let mut program = program(&Conv::SMALL);
    let (at, to) = weights(&program);
    let from = MemAddr::dram(program.inputs[0].addr);
    insert(&mut program, at + 1, copy(0, from, MemAddr::sram(to.offset + 32), PATCH, 0, 0));
    check("patched in SRAM", &Conv::SMALL, &program);
}

#[test]
fn constants_that_the_program_overwrites_with_its_input() {
    let mut program = program(&Conv::SMALL);
    let (at, _) = weights(&program);
    let from = MemAddr::dram(program.inputs[0].addr);
    insert(&mut program, at, copy(0, from, MemAddr::dram(32), PATCH, 0, 0));
    check("patched in DRAM", &Conv::SMALL, &program);
}

#[test]
fn weights_that_take_a_detour() {
    for (conv, name) in [(Conv::SMALL, "dense by a detour"), (PACKED, "mip2q by a detour")] {
        let mut program = program(&conv);
        let (at, to) = weights(&program);
        // The first bytes are copied through the end of the SRAM.
        let detour = MemAddr::sram(program.machine.sram_bytes - PATCH);
        insert(&mut program, at + 1, copy(0, MemAddr::dram(0), detour, PATCH, 0, 0));
        insert(&mut program, at + 2, copy(0, detour, to, PATCH, 0, 0));
        check(name, &conv, &program);
    }
}

#[test]
fn weights_that_are_an_output_too() {
    for (conv, name) in [(Conv::SMALL, "dense as output"), (PACKED, "mip2q as output")] {
        let mut program = program(&conv);
        let (_, from) = weights(&program);
        let output = MemAddr::dram(program.outputs[0].addr);
        let end = program.instrs.len() - 1;
        // On the engine of the stores, and after them.
        insert(&mut program, end, copy(1, from, output, PATCH, 0, 0));
        check(name, &conv, &program);
    }
}
