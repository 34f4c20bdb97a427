//! Broken programs: every kind of hazard is detected, named and located; correct ones raise no alarm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use common::{CONSTS, Conv, computed, copy, loaded, nth, program, stored};
use dpu_isa::{
    BarCfg, DmaCopy, DmaFill, DmaGather, DmaScatter, Dtype, End, Instr, InstrMeta, IoDesc, Layer, Machine,
    Meaning, MemAddr, Program, UnaryOp, VecUnary,
};
use dpu_sim::{Options, SimError, TensorView, Trap, TrapKind, simulate};

fn run(program: &Program, conv: &Conv) -> Result<(), SimError> {
    let data = conv.input();
    let shape = program.inputs.first().map_or(Vec::new(), |d| d.shape.clone());
    let input = TensorView { dtype: Dtype::I8, shape: &shape, data: &data };
    let inputs = if program.inputs.is_empty() { &[][..] } else { &[input] };
    simulate(program, inputs, &Options::default()).map(drop)
}

fn trap(program: &Program) -> Trap {
    match run(program, &Conv::SMALL) {
        Err(SimError::Trap(trap)) => *trap,
        other => panic!("expected a trap, got {other:?}"),
    }
}

/// The test convolution after a modification.
fn broken(change: impl FnOnce(&mut Program)) -> Program {
    let mut program = program(&Conv::SMALL);
    change(&mut program);
    program
}

/// Removes `mask` from the waits of an instruction, and from the counts of its barriers.
fn drop_wait(program: &mut Program, index: usize, mask: u64) {
    if let Some((wait, _)) = program.instrs[index].masks_mut() {
        *wait &= !mask;
    }
    for instr in &mut program.instrs {
        if let Instr::BarCfg(x) = instr
            && mask >> x.barrier & 1 == 1
        {
            x.consumers -= 1;
        }
    }
}

/// A program of these instructions on a machine without delays, 4 KiB of DRAM of which 1 KiB are constants.
fn bare(instrs: Vec<Instr>) -> Program {
    let machine =
        Machine { barrier_cycles: 0, dispatch_cycles: 0, dram_latency_cycles: 0, ..Machine::flexnn_16x16() };
    Program {
        machine,
        meta: vec![InstrMeta { layer: 0, loc: InstrMeta::NONE }; instrs.len()],
        instrs,
        layers: vec![Layer { name: "l".into(), op: "test".into(), loc: 0, macs: 0 }],
        locs: vec!["t.mlir:1:1".into()],
        consts: vec![7; 1024],
        dram_bytes: 4096,
        inputs: Vec::new(),
        outputs: Vec::new(),
        ..program(&Conv::SMALL)
    }
}

fn bar(barrier: u8, producers: u16, consumers: u16) -> Instr {
    BarCfg { barrier, producers, consumers }.into()
}

fn load(engine: u8, to: u64, bytes: u64, wait: u64, post: u64) -> Instr {
    copy(engine, MemAddr::dram(0), MemAddr::sram(to), bytes, wait, post)
}

/// A vector copy of `n` bytes.
fn vec(src: u32, out: u32, n: u32, wait: u64, post: u64) -> Instr {
    let (dims, strides) = ([1, 1, 1, 1, 1, n], [0, 0, 0, 0, 0, 1]);
    VecUnary {
        wait,
        post,
        op: UnaryOp::Copy,
        dims,
        src,
        src_strides: strides,
        out,
        out_strides: strides,
        ..VecUnary::default()
    }
    .into()
}

fn end() -> Instr {
    End {}.into()
}

fn kind_of(instrs: Vec<Instr>) -> Option<TrapKind> {
    match run(&bare(instrs), &Conv::SMALL) {
        Ok(()) => None,
        Err(SimError::Trap(trap)) => Some(trap.kind),
        Err(other) => panic!("{other}"),
    }
}

/// An index in each of two words at 0x100, and `bytes` bytes at 0, both by engine 0.
fn rows(index: i32, bytes: u64) -> Vec<Instr> {
    let fill = DmaFill {
        element: 4,
        dst: MemAddr::sram(0x100),
        dims: [1, 1, 1, 1, 1, 2],
        dst_strides: [0, 0, 0, 0, 0, 4],
        value: index,
        ..DmaFill::default()
    };
    vec![fill.into(), load(0, 0, bytes, 0, 0)]
}

/// Two of four rows of 16 bytes at 0, to 0x200.
fn gather(engine: u8) -> DmaGather {
    DmaGather {
        engine,
        element: 1,
        axis: 4,
        rows: 4,
        src: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 2, 16],
        src_strides: [0, 0, 0, 0, 16, 1],
        indices: 0x100,
        index_strides: [0, 0, 0, 0, 4, 0],
        dst: MemAddr::sram(0x200),
        dst_strides: [0, 0, 0, 0, 16, 1],
        ..DmaGather::default()
    }
}

/// One row of 16 bytes at 0 into four at 0x200.
fn scatter(engine: u8) -> DmaScatter {
    let DmaGather { element, axis, rows, src, src_strides, indices, index_strides, dst, dst_strides, .. } =
        gather(engine);
    let dims = [1, 1, 1, 1, 1, 16];
    DmaScatter {
        engine,
        element,
        axis,
        rows,
        src,
        dims,
        src_strides,
        indices,
        index_strides,
        dst,
        dst_strides,
        ..DmaScatter::default()
    }
}

#[test]
fn indexed_copies_are_checked_for_all_that_they_can_select() {
    let after = |before: Vec<Instr>, instr: Instr| kind_of([before, vec![instr, end()]].concat());
    assert_eq!(after(rows(1, 64), gather(0).into()), None);
    // Row 1 was loaded, the last row was not.
    assert_eq!(after(rows(1, 48), gather(0).into()), Some(TrapKind::UnwrittenRead));
    assert_eq!(after(rows(1, 64), gather(1).into()), Some(TrapKind::Race));
    for index in [4, -1] {
        assert_eq!(after(rows(index, 64), gather(0).into()), Some(TrapKind::UndefinedValue));
    }
    // A scatter keeps what it does not write, so all of that must be there.
    let whole = |bytes| [rows(1, 64), vec![load(0, 0x200, bytes, 0, 0)]].concat();
    assert_eq!(after(whole(64), scatter(0).into()), None);
    assert_eq!(after(whole(48), scatter(0).into()), Some(TrapKind::UnwrittenRead));
    assert_eq!(after(whole(64), scatter(1).into()), Some(TrapKind::Race));
    // Row 0 is not the one that is written, and yet its reader must wait.
    let reader = vec(0x200, 0x400, 16, 1, 0);
    let posted = || [vec![bar(0, 1, 1)], whole(64), vec![load(0, 0x300, 16, 0, 1)]].concat();
    assert_eq!(after([posted(), vec![scatter(0).into()]].concat(), reader), Some(TrapKind::Race));
    assert_eq!(after(posted(), reader), None);
    let twice = DmaScatter { dims: [1, 1, 1, 1, 2, 16], ..scatter(0) };
    assert_eq!(after(whole(64), twice.into()), Some(TrapKind::UndefinedValue));
    let text = run(&bare([whole(64), vec![twice.into(), end()]].concat()), &Conv::SMALL).unwrap_err();
    assert!(text.to_string().contains("index 1 occurs twice along dimension 4"), "{text}");
}

#[test]
fn correct_programs_raise_no_alarm() {
    for tiles in [1, 2, 4, 8] {
        let conv = Conv { tiles, ..Conv::SMALL };
        run(&program(&conv), &conv).unwrap();
    }
}

#[test]
fn every_missing_wait_is_found() {
    let good = program(&Conv::SMALL);
    let mut dropped = 0;
    for (index, instr) in good.instrs.iter().enumerate() {
        for bit in (0..64).filter(|bit| instr.wait() >> bit & 1 == 1) {
            let broken = broken(|p| drop_wait(p, index, 1 << bit));
            if 1 << bit == CONSTS {
                // The engine that loads the constants loads the first tile after them: this wait is redundant.
                run(&broken, &Conv::SMALL).unwrap();
                continue;
            }
            let trap = trap(&broken);
            assert!(
                matches!(trap.kind, TrapKind::Race | TrapKind::UnwrittenRead),
                "#{index} bit {bit}: {trap}"
            );
            dropped += 1;
        }
    }
    assert_eq!(dropped, 4 + 4 + 2 + 2);
}

#[test]
fn reading_before_the_first_load() {
    let index = nth(&program(&Conv::SMALL), "conv_var", 0);
    let trap = trap(&broken(|p| drop_wait(p, index, loaded(0) | CONSTS)));
    insta::assert_snapshot!("unwritten", trap.to_string());
}

#[test]
fn computing_while_the_buffer_is_reloaded() {
    let index = nth(&program(&Conv::SMALL), "dma_copy", 6);
    let trap = trap(&broken(|p| drop_wait(p, index, computed(0))));
    insta::assert_snapshot!("race", trap.to_string());
    assert_eq!(trap.notes[0].site.as_ref().map(|s| s.mnemonic), Some("conv_var"));
}

#[test]
fn storing_what_is_being_overwritten() {
    let index = nth(&program(&Conv::SMALL), "conv_var", 2);
    let trap = trap(&broken(|p| drop_wait(p, index, stored(0))));
    assert_eq!(trap.kind, TrapKind::Race);
    assert!(trap.detail.contains("'out'") || trap.detail.contains("'src'"), "{trap}");
}

#[test]
fn gaps_between_weight_sets_are_not_read() {
    let mut program = program(&Conv::SMALL);
    let (set, sets) = (common::set_bytes(&Conv::SMALL), u64::from(Conv::SMALL.out_c));
    // Channel 1 shares the set of channel 0, and its own is never loaded.
    let entry = (sets * set) as usize + 16;
    program.consts[entry..entry + 4].fill(0);
    let (first, rest) = (2 * set, (sets - 2) * set);
    let index = nth(&program, "dma_copy", 0);
    program.instrs[index] = copy(0, MemAddr::dram(0), MemAddr::sram(0), set, 0, CONSTS);
    let rest = copy(0, MemAddr::dram(first), MemAddr::sram(first), rest, 0, CONSTS);
    program.instrs.insert(index, rest);
    program.meta.insert(index, program.meta[index]);
    program.instrs[0] = bar(0, 3, 1);
    assert!(run(&program, &Conv::SMALL).is_ok());
    // With the set in use, its absence is detected.
    program.consts[entry..entry + 4].copy_from_slice(&(set as u32).to_le_bytes());
    let trap = trap(&program);
    let range = format!("read of 'weights' at sram {set:#x}..{:#x}, which nothing has written", 2 * set);
    assert_eq!((trap.kind, trap.detail), (TrapKind::UnwrittenRead, range));
}

#[test]
fn races_of_every_pair() {
    // Read after write, write after write, write after read, each unordered and ordered.
    let order = |first: Instr, second: Instr| vec![first, second, end()];
    assert_eq!(kind_of(order(load(0, 0, 64, 0, 0), load(1, 63, 1, 0, 0))), Some(TrapKind::Race));
    assert_eq!(kind_of(order(load(0, 0, 64, 0, 0), load(1, 64, 1, 0, 0))), None);
    assert_eq!(kind_of(order(load(0, 0, 64, 0, 0), vec(0, 64, 64, 0, 0))), Some(TrapKind::Race));
    let ordered = |second: Instr| vec![bar(0, 1, 1), load(0, 0, 64, 0, 1), second, end()];
    assert_eq!(kind_of(ordered(vec(0, 64, 64, 1, 0))), None);
    assert_eq!(kind_of(ordered(load(1, 0, 64, 1, 0))), None);
    let war = |wait| {
        let last = if wait { load(1, 32, 8, 2, 0) } else { load(1, 32, 8, 0, 0) };
        vec![
            bar(0, 1, 1),
            bar(1, 1, u16::from(wait)),
            load(0, 0, 64, 0, 1),
            vec(0, 64, 64, 1, 2),
            last,
            end(),
        ]
    };
    assert_eq!(kind_of(war(true)), None);
    assert_eq!(kind_of(war(false)), Some(TrapKind::Race));
}

#[test]
fn two_readers_are_no_race() {
    let read = |engine, to| copy(engine, MemAddr::dram(0), MemAddr::sram(to), 64, 0, 0);
    assert_eq!(kind_of(vec![read(0, 0), read(1, 64), end()]), None);
}

#[test]
fn a_race_is_found_whatever_the_timing() {
    // The second task is dispatched long after the first has ended; nothing guarantees that order.
    let mut instrs = vec![load(0, 0, 8, 0, 0)];
    instrs.extend((0..100).map(|_| load(1, 4096, 1024, 0, 0)));
    instrs.extend([load(1, 0, 8, 0, 0), end()]);
    assert_eq!(kind_of(instrs), Some(TrapKind::Race));
}

#[test]
fn races_in_dram_are_found() {
    let store = |engine, bytes| copy(engine, MemAddr::dram(0), MemAddr::dram(2048), bytes, 0, 0);
    assert_eq!(kind_of(vec![store(0, 8), store(1, 8), end()]), Some(TrapKind::Race));
    let apart = copy(1, MemAddr::dram(0), MemAddr::dram(2056), 8, 0, 0);
    assert_eq!(kind_of(vec![store(0, 8), apart, end()]), None);
}

#[test]
fn interleaved_rows_are_told_apart() {
    let rows = |engine, to| {
        let dims = [1, 1, 1, 1, 8, 4];
        DmaCopy {
            engine,
            element: 1,
            dst: MemAddr::sram(to),
            dims,
            src_strides: [0, 0, 0, 0, 4, 1],
            dst_strides: [0, 0, 0, 0, 8, 1],
            ..DmaCopy::default()
        }
        .into()
    };
    assert_eq!(kind_of(vec![rows(0, 0), rows(1, 4), end()]), None);
    assert_eq!(kind_of(vec![rows(0, 0), rows(1, 3), end()]), Some(TrapKind::Race));
}

#[test]
fn rearming_a_barrier_orders_later_tasks() {
    // #1 posts, #2 waits, and #3 can only be passed when both have happened: #4 is ordered after #1.
    let instrs = |rearm: bool| {
        let mut list = vec![bar(0, 1, 1), load(0, 0, 64, 0, 1), load(1, 128, 8, 1, 0)];
        if rearm {
            list.extend([bar(0, 1, 0), vec(0, 256, 64, 0, 1)]);
        } else {
            list.push(vec(0, 256, 64, 0, 0));
        }
        list.push(end());
        list
    };
    assert_eq!(kind_of(instrs(true)), None);
    assert_eq!(kind_of(instrs(false)), Some(TrapKind::Race));
}

#[test]
fn a_task_may_work_in_place_but_not_askew() {
    let task = |out| vec![bar(0, 1, 1), load(0, 0, 64, 0, 1), vec(0, out, 64, 1, 0), end()];
    assert_eq!(kind_of(task(0)), None);
    assert_eq!(kind_of(task(64)), None);
    assert_eq!(kind_of(task(1)), Some(TrapKind::SelfOverlap));
    let twice = DmaFill {
        element: 4,
        dst: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 2, 2],
        dst_strides: [0, 0, 0, 0, 4, 4],
        ..DmaFill::default()
    };
    assert_eq!(kind_of(vec![twice.into(), end()]), Some(TrapKind::SelfOverlap));
}

#[test]
fn constants_and_inputs_count_as_written() {
    assert_eq!(kind_of(vec![load(0, 0, 1024, 0, 0), end()]), None);
    let trap = trap(&bare(vec![load(0, 0, 1025, 0, 0), end()]));
    assert_eq!(trap.kind, TrapKind::UnwrittenRead);
    assert_eq!(trap.detail, "read of 'src' at dram 0x400..0x401, which nothing has written");
}

#[test]
fn unwritten_outputs_are_found_at_the_end() {
    let mut program = bare(vec![load(0, 0, 8, 0, 0), end()]);
    program.outputs = vec![IoDesc {
        name: "y".into(),
        dtype: Dtype::I8,
        shape: vec![16],
        addr: 1016,
        meaning: Meaning::default(),
    }];
    let trap = trap(&program);
    assert_eq!(trap.detail, "output 'y': nothing has written dram 0x400..0x408");
    assert_eq!(trap.site.mnemonic, "end");
}

#[test]
fn barrier_misuse_is_found() {
    let detail = |instrs| {
        let trap = trap(&bare(instrs));
        assert_eq!(trap.kind, TrapKind::BarrierMisuse);
        trap.detail
    };
    let never = "barrier 3, which was never armed";
    assert_eq!(detail(vec![load(0, 0, 8, 8, 0), end()]), format!("waits for {never}"));
    assert_eq!(detail(vec![load(0, 0, 8, 0, 8), bar(3, 1, 0), end()]), format!("posts to {never}"));
    let post = || load(0, 0, 8, 0, 1);
    assert_eq!(
        detail(vec![bar(0, 1, 0), post(), post(), end()]),
        "posts to barrier 0, which expects no further producer"
    );
    let wait = || load(0, 0, 8, 1, 0);
    assert_eq!(
        detail(vec![bar(0, 1, 1), post(), wait(), wait(), end()]),
        "waits for barrier 0, which expects no further consumer"
    );
    // The first arming goes idle without the task that was meant for it.
    let late = load(1, 64, 8, 1, 0);
    let busy = load(1, 128, 1024, 0, 0);
    assert_eq!(
        detail(vec![bar(0, 1, 0), post(), busy, late, bar(0, 1, 1), post(), end()]),
        "waits for barrier 0, which has gone idle and was armed again without it"
    );
}

#[test]
fn leftover_barriers_are_found() {
    let trap = trap(&bare(vec![bar(0, 2, 0), bar(1, 1, 2), load(0, 0, 8, 0, 3), end()]));
    insta::assert_snapshot!("barrier_left", trap.to_string());
}

#[test]
fn a_deadlock_names_who_waits_for_what() {
    // Each waits for the other; a third queues behind.
    let first = load(0, 0, 8, 2, 1);
    let second = load(1, 64, 8, 1, 2);
    let trap = trap(&bare(vec![bar(0, 1, 1), bar(1, 1, 1), first, second, load(1, 128, 8, 0, 0), end()]));
    insta::assert_snapshot!("deadlock", trap.to_string());
}

#[test]
fn an_impossible_arming_is_a_deadlock() {
    let trap = trap(&bare(vec![bar(5, 1, 0), bar(5, 1, 0), end()]));
    insta::assert_snapshot!("deadlock_arm", trap.to_string());
}

#[test]
fn a_full_fifo_can_deadlock() {
    let mut program = bare(vec![
        bar(0, 1, 3),
        load(0, 0, 8, 1, 0),
        load(0, 8, 8, 1, 0),
        load(0, 16, 8, 1, 0),
        load(1, 24, 8, 0, 1),
        end(),
    ]);
    assert!(run(&program, &Conv::SMALL).is_ok());
    program.machine.fifo_depth = 2;
    let trap = trap(&program);
    assert_eq!(trap.kind, TrapKind::Deadlock);
    assert!(trap.notes.iter().any(|n| n.text == "the dispatcher waits: the FIFO of dma0 is full"), "{trap}");
}

#[test]
fn a_stream_without_end_is_a_trap() {
    let found = trap(&bare(vec![load(0, 0, 8, 0, 0)]));
    assert_eq!((found.kind, found.site.index), (TrapKind::NoEnd, 0));
    assert_eq!(trap(&bare(Vec::new())).kind, TrapKind::NoEnd);
}

#[test]
fn illegal_operands_are_traps_even_without_validation() {
    let illegal = |instr: Instr| trap(&bare(vec![instr, end()]));
    let found = illegal(bar(64, 1, 0));
    assert_eq!(found.detail, "field 'barrier': value 64 is outside 0..=63");
    let tile = illegal(DmaFill { tile: 200, element: 1, ..DmaFill::default() }.into());
    assert_eq!(tile.detail, "tile 200 of a machine with 1");
    let far = illegal(load(0, (2 << 20) - 7, 8, 0, 0));
    assert_eq!(far.kind, TrapKind::OutOfBounds);
    assert_eq!(far.detail, "write of 'dst' at sram 0x1ffff9..0x200001, which has 0x200000 bytes");
}

#[test]
fn checks_can_be_switched_off() {
    let program = bare(vec![load(0, 0, 64, 0, 0), load(1, 0, 64, 0, 0), end()]);
    let options = Options { checks: false, ..Options::default() };
    assert!(simulate(&program, &[], &options).is_ok());
}
