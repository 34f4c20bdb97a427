//! Encoding, text and container are inverse to decoding, parsing and reading, and arbitrary bytes do no harm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::time::Instant;

use dpu_isa::testing::{Rng, mutate, random_instr, random_program};
use dpu_isa::{Instr, Program, asm, decode, encode};

#[test]
fn a_million_instructions() {
    let mut rng = Rng::new(7);
    let start = Instant::now();
    for _ in 0..100 {
        let instrs: Vec<Instr> = (0..10_000).map(|_| random_instr(&mut rng).expect("legal")).collect();
        let bytes = encode(&instrs).expect("encodes");
        assert_eq!(decode(&bytes).expect("decodes"), instrs);
    }
    eprintln!("10^6 instructions: {:?}", start.elapsed());
}

#[test]
fn instruction_text() {
    let mut rng = Rng::new(8);
    for _ in 0..1_000_000 {
        let instr = random_instr(&mut rng).expect("legal");
        let text = asm::instr_text(&instr);
        assert_eq!(asm::parse_instr(&text), Ok(instr), "{text}");
    }
}

/// Every pattern that decodes encodes back to itself.
#[test]
fn decoding_is_injective() {
    let mut rng = Rng::new(9);
    let mut accepted = 0;
    for _ in 0..200_000 {
        let mut bytes = encode(&[random_instr(&mut rng).expect("legal")]).expect("encodes");
        for _ in 0..=rng.below(3) {
            let at = 2 + rng.below(bytes.len() as u64 - 2) as usize;
            bytes[at] ^= 1 << rng.below(8);
        }
        if let Ok(instrs) = decode(&bytes) {
            accepted += 1;
            assert_eq!(encode(&instrs).expect("encodes"), bytes);
        }
    }
    assert!(accepted > 20_000, "{accepted}");
}

#[test]
fn whole_programs() {
    let mut rng = Rng::new(10);
    for tasks in [0, 1, 2, 10, 100, 1000] {
        for _ in 0..5 {
            let program = random_program(&mut rng, tasks);
            assert_eq!(program.validate(), Ok(()));
            let elf = program.to_elf().expect("writes");
            assert_eq!(elf, program.to_elf().expect("writes"));
            assert_eq!(Program::from_elf(&elf).as_ref(), Ok(&program));
            let text = asm::print(&program);
            let parsed = asm::parse(&text).expect("parses");
            assert_eq!(parsed.to_elf().expect("writes"), elf);
            assert_eq!(asm::print(&parsed), text);
        }
    }
}

#[test]
fn large_constants_are_fast() {
    let mut program = random_program(&mut Rng::new(11), 3);
    let mut rng = Rng::new(12);
    program.consts = (0..30 << 20).map(|_| rng.bits() as u8).collect();
    program.dram_bytes = 1 << 26;
    let start = Instant::now();
    let text = asm::print(&program);
    let printed = start.elapsed();
    let parsed = asm::parse(&text).expect("parses");
    let total = start.elapsed();
    assert!(parsed == program);
    let elf = program.to_elf().expect("writes");
    assert!(Program::from_elf(&elf).as_ref() == Ok(&program));
    eprintln!(
        "30 MiB: print {printed:?}, print and parse {total:?}, with ELF both ways {:?}",
        start.elapsed()
    );
    assert!(total.as_secs() < 20, "print and parse took {total:?}");
}

/// Mutated and random bytes are rejected or give a program that can be validated and written again.
#[test]
fn hostile_binaries() {
    let mut rng = Rng::new(13);
    let seeds: Vec<Vec<u8>> =
        [0, 3, 20].map(|n| random_program(&mut rng, n).to_elf().expect("writes")).into();
    for i in 0..20_000 {
        let mut bytes = seeds[i % seeds.len()].clone();
        if i % 10 == 9 {
            bytes = (0..rng.below(600)).map(|_| rng.bits() as u8).collect();
        }
        mutate(&mut rng, &mut bytes);
        if let Ok(program) = Program::from_elf(&bytes) {
            let _ = program.validate();
            assert_eq!(program.to_elf().expect("writes"), bytes);
        }
    }
}

/// As above, past the checksums: the parts are mutated and wrapped in a valid shell.
#[test]
fn hostile_programs() {
    let mut rng = Rng::new(14);
    for _ in 0..3_000 {
        let mut program = random_program(&mut rng, 5);
        let mut code = encode(&program.instrs).expect("encodes");
        for _ in 0..3 {
            let at = rng.below(code.len() as u64) as usize;
            code[at] ^= 1 << rng.below(8);
        }
        if let Ok(instrs) = decode(&code) {
            program.instrs = instrs;
            program.dram_bytes ^= 1 << rng.below(64);
            program.inputs[0].addr ^= 1 << rng.below(64);
            program.outputs[0].shape[0] ^= 1 << rng.below(64);
            let _ = program.validate();
        }
    }
    // Any combination of legal fields.
    for _ in 0..2_000 {
        let mut program = random_program(&mut rng, 2);
        program.instrs = (0..20).map(|_| random_instr(&mut rng).expect("legal")).collect();
        program.meta = vec![dpu_isa::InstrMeta::default(); program.instrs.len()];
        let _ = program.validate();
    }
}

#[test]
fn hostile_text() {
    let mut rng = Rng::new(15);
    let text = asm::print(&random_program(&mut rng, 8)).into_bytes();
    for _ in 0..20_000 {
        let mut bytes = text.clone();
        mutate(&mut rng, &mut bytes);
        if let Ok(program) = asm::parse(&String::from_utf8_lossy(&bytes)) {
            let _ = program.validate();
            let again = asm::print(&program);
            assert_eq!(asm::print(&asm::parse(&again).expect("canonical text parses")), again);
        }
    }
}
