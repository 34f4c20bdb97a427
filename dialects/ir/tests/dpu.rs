//! The dpu dialect against the instruction table: every row is converted to an operation, to text, and back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use dpu_isa::{
    Dtype, FieldKind, Instr, InstrDesc, Space, TABLE,
    testing::{Rng, random_of},
};
use strum_ir::{
    Attribute, Block, Context, Location, Module, OpBuilder, Operation, Value,
    dpu::{self, Buffer, BufferType, Program, Role, Stage, Task, TaskError},
};

/// A draft with a buffer of all SRAM and one of all DRAM.
fn draft<'c>(module: &Module<'c>, location: Location<'c>) -> (Operation<'c>, [Value<'c>; 2]) {
    let program = Program::build("p", "flexnn-16x16", location).unwrap().append_to(module.body()).unwrap();
    let body = program.body().unwrap();
    dpu::layer("l", "o", 9, location).append_to(body).unwrap();
    let buffer = |space, bytes| {
        let ty = BufferType { space, dtype: Dtype::I8, shape: vec![bytes] }.ty(location).unwrap();
        dpu::alloc(ty, location).append_to(body).unwrap().result(0).unwrap()
    };
    (program, [buffer(Space::Dram, 1 << 40), buffer(Space::Sram, 1 << 32)])
}

/// A task with buffers for the addresses that the instruction uses, as determined from the errors of reading
/// it.
fn task<'c>(
    mut instr: Instr,
    buffers: [Value<'c>; 2],
    at: Block<'c>,
    location: Location<'c>,
) -> Operation<'c> {
    if let Some((wait, post)) = instr.masks_mut() {
        (*wait, *post) = (0, 0);
    }
    let mut raw = instr.raw_fields();
    let mut first = 0;
    for field in instr.desc().fields {
        // Offsets have 40 bits in either space, and SRAM buffers are smaller.
        if field.kind == FieldKind::Mem && raw[first] >> 40 == 1 {
            raw[first] = 1 << 40 | raw[first] & 0xffff_ffff;
        }
        first += field.count;
    }
    let instr = Instr::from_raw(instr.desc(), &raw).unwrap();
    let mut task = Task { instr, buffers: Vec::new(), waits: vec![], posts: vec![], layer: Some(0) };
    first = 0;
    for (index, field) in instr.desc().fields.iter().enumerate() {
        match field.kind {
            FieldKind::Mem => task.buffers.push((index, buffers[(raw[first] >> 40) as usize])),
            FieldKind::Sram { .. } => task.buffers.push((index, buffers[1])),
            _ => {}
        }
        first += field.count;
    }
    loop {
        let op = task.build(location).unwrap().append_to(at).unwrap();
        match Task::read(op) {
            Ok(read) => {
                assert_eq!(read, task);
                return op;
            }
            Err(TaskError::UnusedBuffer(name)) => {
                task.buffers.retain(|(index, _)| instr.desc().fields[*index].name != name);
                op.erase().unwrap();
            }
            Err(error) => panic!("{op}: {error}"),
        }
    }
}

fn ordinary() -> impl Iterator<Item = &'static InstrDesc> {
    TABLE.iter().filter(|desc| !["bar_cfg", "end"].contains(&desc.mnemonic))
}

#[test]
fn every_row_round_trips() {
    let context = Context::new();
    let location = Location::unknown(&context);
    let module = Module::empty(location);
    let (program, buffers) = draft(&module, location);
    let mut rng = Rng::new(1);
    let mut instrs = Vec::new();
    for _ in 0..40 {
        for desc in ordinary() {
            let instr = random_of(&mut rng, desc).unwrap();
            let op = task(instr, buffers, program.body().unwrap(), location);
            instrs.push(Task::read(op).unwrap().instr);
        }
    }
    module.op().verify().unwrap();
    for bytes in [module.op().to_string().into_bytes(), module.op().bytecode()] {
        let again = Module::parse(&context, &bytes, "again.mlir").unwrap();
        assert_eq!(again.op().to_string(), module.op().to_string());
        let program = Program::read(again.symbol("p").unwrap()).unwrap();
        let tasks: Vec<Task<'_>> =
            program.instructions().into_iter().map(|op| Task::read(op).unwrap()).collect();
        assert_eq!(tasks.iter().map(|task| task.instr).collect::<Vec<_>>(), instrs);
        assert!(tasks.iter().all(|task| task.layer == Some(0)));
    }
}

#[test]
fn barriers_and_end_round_trip() {
    let context = Context::new();
    let location = Location::unknown(&context);
    let module = Module::empty(location);
    let (program, _) = draft(&module, location);
    let body = program.body().unwrap();
    let mut rng = Rng::new(2);
    for name in ["bar_cfg", "end"] {
        for _ in 0..20 {
            let instr = random_of(&mut rng, InstrDesc::by_mnemonic(name).unwrap()).unwrap();
            let task = Task::new(instr, &[]).unwrap();
            assert_eq!(Task::read(task.build(location).unwrap().append_to(body).unwrap()), Ok(task));
        }
    }
    let open = dpu::bar_cfg(2, 1, None, location).append_to(body).unwrap();
    assert_eq!(open.int_attr("barrier"), None);
}

/// The whole life of a small program, as driven by the passes.
#[test]
fn stages() {
    let context = Context::new();
    let location = Location::unknown(&context);
    let module = Module::empty(location);
    let op = Program::build("main", "m", location).unwrap().append_to(module.body()).unwrap();
    let program = Program::read(op).unwrap();
    let body = program.body().unwrap();
    assert_eq!((program.name(), program.machine(), program.machine_toml()), ("main", "m", None));
    program.set_machine_toml("x = 1");
    assert_eq!(program.machine_toml(), Some("x = 1"));
    let ty = |space| BufferType { space, dtype: Dtype::U16, shape: vec![2, 4] }.ty(location).unwrap();
    let x = dpu::input("x", ty(Space::Dram), location).append_to(body).unwrap().result(0).unwrap();
    let y = dpu::output("y", ty(Space::Dram), location).append_to(body).unwrap().result(0).unwrap();
    let c = dpu::constant(vec![7; 16], "c", ty(Space::Dram), location).unwrap().append_to(body).unwrap();
    let s = dpu::alloc(ty(Space::Sram), location).append_to(body).unwrap().result(0).unwrap();
    let copy = |src: u64, dst: u64| {
        let mut copy = dpu_isa::DmaCopy::default();
        (copy.src.offset, copy.dst.offset) = (src, dst);
        copy
    };
    // The space comes from the buffer, whatever the instruction says.
    let load = Task::new(copy(4, 8).into(), &[("src", x), ("dst", s)]).unwrap();
    let load_op = load.build(location).unwrap().append_to(body).unwrap();
    let store = Task::new(copy(8, 4).into(), &[("src", s), ("dst", y)]).unwrap();
    let store_op = store.build(location).unwrap().append_to(body).unwrap();
    module.op().verify().unwrap();
    let roles: Vec<_> = program.buffers().into_iter().map(|buffer| buffer.role).collect();
    let value = c.attribute("value").unwrap();
    assert_eq!(roles, [Role::Input("x"), Role::Output("y"), Role::Constant(value), Role::Alloc]);
    let load = Task::read(load_op).unwrap();
    assert_eq!(load.resolve().unwrap_err().to_string(), "field 'src': buffer has no address");

    for (index, buffer) in program.buffers().iter().enumerate() {
        buffer.set_address(index as u64 * 64).unwrap();
    }
    program.set_stage(Stage::Allocated);
    module.op().verify().unwrap();
    assert_eq!(Buffer::of(y).unwrap().address, Some(64));

    let barrier = dpu::bar_cfg(1, 1, None, location).insert_before(load_op).unwrap();
    let (number, value) = (Attribute::i64(&context, 63), barrier.result(0).unwrap());
    let load = Task { posts: vec![value], ..Task::read(load_op).unwrap() };
    let store = Task { waits: vec![value], ..Task::read(store_op).unwrap() };
    let load_op = {
        let new = load.build(location).unwrap().insert_before(load_op).unwrap();
        load_op.erase().unwrap();
        new
    };
    store.build(location).unwrap().insert_before(store_op).unwrap();
    store_op.erase().unwrap();
    let without_number = Task::read(load_op).unwrap().resolve().unwrap_err();
    assert_eq!(without_number.to_string(), "field 'post': barrier has no number");
    barrier.set_attribute("barrier", number);
    Task::new(dpu_isa::End::default().into(), &[]).unwrap().build(location).unwrap().append_to(body).unwrap();
    program.set_stage(Stage::Scheduled);
    module.op().verify().unwrap();
    let resolved: Vec<Instr> =
        program.instructions().into_iter().map(|op| Task::read(op).unwrap().resolve().unwrap()).collect();
    let mut expected = copy(4, 192 + 8);
    (expected.dst.space, expected.post) = (Space::Sram, 1 << 63);
    assert_eq!(resolved[1], expected.into());
    let mut expected = copy(192 + 8, 64 + 4);
    (expected.src.space, expected.wait) = (Space::Sram, 1 << 63);
    assert_eq!(resolved[2], expected.into());
    assert_eq!(program.operations().last().map(|op| op.name()), Some("dpu.end"));
}

#[test]
fn what_is_no_task() {
    let context = Context::new();
    let location = Location::unknown(&context);
    let module = Module::empty(location);
    let (program, [dram, _]) = draft(&module, location);
    let refusal = |op| Task::read(op).unwrap_err().to_string();
    assert_eq!(refusal(program), "'dpu.program' is not an instruction");
    let wrong_groups = OpBuilder::new("dpu.dma_copy", location)
        .attribute("operandSegmentSizes", Attribute::i32s(&context, &[0, 0, 1, 0]))
        .append_to(program.body().unwrap())
        .unwrap();
    assert_eq!(refusal(wrong_groups), "operands do not match the fields of 'dma_copy'");
    let fill = dpu_isa::DmaFill::default();
    for name in ["element", "nowhere"] {
        let refusal = Task::new(fill.into(), &[(name, dram)]).unwrap_err().to_string();
        assert_eq!(refusal, format!("'dma_fill' has no address field '{name}'"));
    }
    assert!(BufferType { space: Space::Dram, dtype: Dtype::I8, shape: vec![u64::MAX] }.ty(location).is_err());
}
