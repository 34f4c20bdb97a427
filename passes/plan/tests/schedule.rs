//! The finished stream: its contents, reading it back, and its checker, which notices every injected fault.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a failed test")]

mod layer;

use dpu_isa::{BinaryOp, DmaCopy, Dtype, Instr, InstrMeta, Machine, Manifest, MemAddr, Space, VecUnary};
use proptest::prelude::*;
use strum_plan::{
    BinaryLayer, Constraints, Draft, LayerInfo, Objective, PlanError, Planner, Post, Pre, ReduceLayer, Role,
    Scheduled, Source, Tensor, alloc, finish, plan_binary, plan_reduce, schedule, to_program,
};

fn machine(barriers: u32) -> Machine {
    Machine { sram_bytes: 65536, barriers, ..Machine::flexnn_16x16() }
}

/// `y = max over rows of (a + b)` in many tiles.
fn draft(machine: &Machine) -> Draft {
    let mut draft = Draft::new();
    let mut tensor = |dtype, shape: &[u64], role| {
        let id = draft.tensor(Space::Dram, dtype, shape, role).unwrap();
        Tensor::of(&draft, id).unwrap()
    };
    let a = tensor(Dtype::I8, &[300, 601], Role::Input { name: "a".into() });
    let b = tensor(Dtype::I8, &[601], Role::Const(vec![3; 601].into()));
    let sum = tensor(Dtype::I16, &[300, 601], Role::Scratch);
    let y = tensor(Dtype::I16, &[1, 601], Role::Output { name: "y".into() });
    let layer = BinaryLayer {
        op: BinaryOp::Add,
        mul_shift: 0,
        a,
        pre_a: Pre::default(),
        b,
        pre_b: Pre::default(),
        post: Post::default(),
        output: sum.clone(),
    };
    let mut planner = Planner::new(machine, Objective::default());
    let info = LayerInfo { name: "sum".into(), op: "add".into(), loc: 1, macs: 7 };
    let free = Constraints::default;
    layer::plan_as(&mut draft, &mut planner, info, free(), |scope| plan_binary(scope, &layer)).unwrap();
    let layer = ReduceLayer { op: dpu_isa::ReduceOp::Max, axis: 0, input: sum, output: y };
    let info = LayerInfo { name: "most".into(), op: "reduce_max".into(), loc: 9, macs: 0 };
    layer::plan_as(&mut draft, &mut planner, info, free(), |scope| plan_reduce(scope, &layer)).unwrap();
    draft
}

fn scheduled(barriers: u32) -> (Draft, Machine, Scheduled) {
    let machine = machine(barriers);
    let draft = draft(&machine);
    let result = finish(&draft, &machine).unwrap();
    (draft, machine, result)
}

#[test]
fn the_stream_reads_back() {
    for barriers in [2, 3, 8, 64] {
        let (draft, machine, result) = scheduled(barriers);
        let (tasks, assignment) = schedule::split(&result.instrs).unwrap();
        assert_eq!(tasks, schedule::relocate(&draft.buffers, &draft.tasks, &result.addresses).unwrap());
        assert_eq!(assignment.configs.len(), result.configs);
        let (again, origin) = schedule::assemble(&tasks, &assignment).unwrap();
        assert_eq!(again, result.instrs);
        let layers: Vec<u32> = origin.iter().map(|&t| draft.tasks[t].layer).collect();
        assert_eq!(layers, result.layers);
        assert_eq!(schedule::verify(&result.instrs, &machine), Ok(()));
    }
}

#[test]
fn a_program_knows_its_layers_locations_and_tensors() {
    let (draft, machine, result) = scheduled(64);
    let addresses = result.addresses.clone();
    let manifest = Manifest { tool: "test".into(), ..Manifest::default() };
    let source = Source { locs: vec!["here".into(), "there".into()], manifest: manifest.clone() };
    let program = to_program(&draft, result, &machine, source).unwrap();
    assert_eq!(program.validate(), Ok(()));
    assert_eq!(program.manifest, manifest);
    let layers: Vec<_> =
        program.layers.iter().map(|l| (l.name.as_str(), l.op.as_str(), l.loc, l.macs)).collect();
    // The location of the second layer is not among the texts.
    assert_eq!(layers, [("sum", "add", 1, 7), ("most", "reduce_max", InstrMeta::NONE, 0)]);
    assert_eq!(program.meta.len(), program.instrs.len());
    assert_eq!(program.meta[0], InstrMeta { layer: 0, loc: 1 });
    assert_eq!(program.meta.last(), Some(&InstrMeta { layer: 1, loc: InstrMeta::NONE }));
    assert_eq!(program.consts, [3; 601]);
    let io: Vec<_> = program
        .inputs
        .iter()
        .chain(&program.outputs)
        .map(|d| (d.name.as_str(), d.shape.clone(), d.addr))
        .collect();
    assert_eq!(io, [("a", vec![300, 601], addresses.of[0]), ("y", vec![1, 601], addresses.of[3])]);
    assert_eq!(program.dram_bytes, addresses.dram_bytes);
}

#[test]
fn an_empty_draft_is_an_empty_program() {
    let machine = Machine::flexnn_16x16();
    let result = finish(&Draft::new(), &machine).unwrap();
    assert_eq!(result.instrs.len(), 1);
    let program = to_program(&Draft::new(), result, &machine, Source::default()).unwrap();
    assert_eq!(program.validate(), Ok(()));
}

#[test]
fn what_is_no_stream_is_refused() {
    let (_, machine, result) = scheduled(64);
    let without_end = &result.instrs[..result.instrs.len() - 1];
    let twice = [&result.instrs[..], &result.instrs[..]].concat();
    for stream in [&[][..], without_end, &twice] {
        assert!(schedule::split(stream).is_err());
        assert!(schedule::verify(stream, &machine).is_err());
    }
}

#[test]
fn bindings_that_do_not_fit_are_refused() {
    let mut draft = Draft::new();
    draft.layer("l", "op", 0, 0).unwrap();
    let dram = draft.tensor(Space::Dram, Dtype::I8, &[4], Role::Scratch).unwrap();
    let sram = draft.sram(4).unwrap();
    let copy = DmaCopy { src: MemAddr::dram(1), dst: MemAddr::sram(2), ..DmaCopy::default() };
    draft.push(copy.into(), &[("src", dram), ("dst", sram)]).unwrap();
    let at = |of: [u64; 2]| alloc::Addresses { of: of.to_vec(), ..alloc::Addresses::default() };
    let relocated = schedule::relocate(&draft.buffers, &draft.tasks, &at([64, 32])).unwrap();
    let expected = DmaCopy { src: MemAddr::dram(65), dst: MemAddr::sram(34), ..copy };
    assert_eq!(relocated, [Instr::from(expected)]);
    let internal = |draft: &Draft, of| {
        let result = schedule::relocate(&draft.buffers, &draft.tasks, &at(of));
        assert!(matches!(result, Err(PlanError::Internal { .. })), "{result:?}");
    };
    internal(&draft, [1 << 40, 0]);
    internal(&draft, [(1 << 40) - 1, 0]);
    internal(&draft, [u64::MAX, 0]);
    let short = alloc::Addresses { of: vec![0], ..alloc::Addresses::default() };
    assert!(schedule::relocate(&draft.buffers, &draft.tasks, &short).is_err());
    // A vector operand must be in SRAM, and aligned.
    draft.push(VecUnary::default().into(), &[("src", dram)]).unwrap();
    internal(&draft, [0, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_injected_fault_is_noticed(
        barriers in prop_oneof![2u32..6, Just(64)], kind in 0u8..5, pick in any::<prop::sample::Index>(),
        bit in 0u32..64,
    ) {
        let (_, machine, result) = scheduled(barriers);
        let mut stream = result.instrs;
        let is_config = |i: &Instr| matches!(i, Instr::BarCfg(_));
        let those = |test: &dyn Fn(&Instr) -> bool| -> Vec<usize> {
            (0..stream.len()).filter(|&i| test(&stream[i])).collect()
        };
        let choose = |list: Vec<usize>| list[pick.index(list.len())];
        match kind {
            0 => {
                let at = choose(those(&is_config));
                stream.remove(at);
            }
            1 => {
                let at = choose(those(&|i| i.wait() != 0));
                *stream[at].masks_mut().unwrap().0 = 0;
            }
            2 => {
                let at = choose(those(&|i| i.post() != 0));
                *stream[at].masks_mut().unwrap().1 = 0;
            }
            3 => {
                let at = choose(those(&|i| i.masks().is_some()));
                *stream[at].masks_mut().unwrap().1 ^= 1 << (bit % barriers);
            }
            _ => {
                // A task that waits goes to the front.
                let at = choose(those(&|i| i.wait() != 0));
                let task = stream.remove(at);
                stream.insert(0, task);
            }
        }
        prop_assert!(schedule::verify(&stream, &machine).is_err());
    }
}
