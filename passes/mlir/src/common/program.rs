//! A `dpu.program` as the planner's plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use dpu_isa::{Machine, Slots};
use strum_ir::dpu::{self, Program, Stage};
use strum_ir::{Operation, PassError, Value};
use strum_plan::{Buffer, BufferId, LayerInfo, PlanError, Role, Task};

use crate::common::machine;
use crate::common::verdict::{BUG, MEMORY, RESOURCE, UNSUPPORTED};

/// A program read from the IR.
pub(crate) struct Plain<'c> {
    /// The program.
    pub(crate) program: Program<'c>,
    /// Its machine.
    pub(crate) machine: Machine,
    /// Its buffers, without the bytes of constants, which no solver needs.
    pub(crate) buffers: Vec<Buffer>,
    /// The declarations of the buffers.
    pub(crate) declarations: Vec<dpu::Buffer<'c>>,
    /// Its tasks.
    pub(crate) tasks: Vec<Task>,
    /// The same tasks in the IR, with their operations.
    pub(crate) instructions: Vec<(Operation<'c>, dpu::Task<'c>)>,
    /// Its layers.
    pub(crate) layers: Vec<LayerInfo>,
}

/// Reads a program, which must be at `stage`.
pub(crate) fn read<'c>(op: Operation<'c>, stage: Stage, pass: &str) -> Result<Plain<'c>, PassError> {
    let program = Program::read(op).ok_or_else(|| PassError::Internal("not a program".into()))?;
    if program.stage() != stage {
        let (got, want) = (program.stage(), stage);
        return Err(op.error(format_args!("is at stage {got:?}, {pass} expects {want:?}")).into());
    }
    let machine = machine::of_program(program).map_err(|e| op.error(e))?;
    let declarations = program.buffers();
    let mut ids: BTreeMap<Value<'c>, BufferId> = BTreeMap::new();
    let mut buffers = Vec::with_capacity(declarations.len());
    for (index, declaration) in declarations.iter().enumerate() {
        ids.insert(declaration.value, BufferId::from_index(index).map_err(|e| report(op, &e))?);
        buffers.push(buffer(declaration)?);
    }
    let (mut tasks, mut instructions) = (Vec::new(), Vec::new());
    let mut slots = Slots::default();
    for instruction in program.instructions() {
        let task = dpu::Task::read(instruction).map_err(|e| instruction.error(e))?;
        slots.step(&task.instr).map_err(|e| instruction.error(e))?;
        let id = |value: &Value<'c>| ids.get(value).copied();
        let bufs: Option<Vec<_>> = task.buffers.iter().map(|(field, v)| Some((*field, id(v)?))).collect();
        let bufs =
            bufs.ok_or_else(|| instruction.error("uses a buffer that its program does not declare"))?;
        tasks.push(Task { instr: task.instr, bufs, layer: task.layer.unwrap_or(u32::MAX) });
        instructions.push((instruction, task));
    }
    let layer =
        |l: dpu::Layer<'c>| LayerInfo { name: l.name.into(), op: l.source.into(), loc: 0, macs: l.macs };
    let layers = program.layers().into_iter().map(layer).collect();
    Ok(Plain { program, machine, buffers, declarations, tasks, instructions, layers })
}

fn buffer(declaration: &dpu::Buffer<'_>) -> Result<Buffer, PassError> {
    let bytes = declaration.ty.bytes();
    Ok(Buffer {
        space: declaration.ty.space,
        dtype: declaration.ty.dtype,
        shape: declaration.ty.shape.clone(),
        bytes: bytes.ok_or_else(|| declaration.op.error("is too large"))?,
        align: declaration.align,
        role: match declaration.role {
            dpu::Role::Input(name) => Role::Input { name: name.into() },
            dpu::Role::Output(name) => Role::Output { name: name.into() },
            dpu::Role::Constant(_) => Role::Const(Arc::from([])),
            dpu::Role::Alloc => Role::Scratch,
        },
    })
}

/// Reports a planner error at an op.
pub(crate) fn report(op: Operation<'_>, error: &PlanError) -> PassError {
    match error {
        PlanError::Unsupported { what } => op.error(format_args!("{UNSUPPORTED}{what}")).into(),
        PlanError::Resource { what, need, limit } => {
            op.error(format_args!("{RESOURCE}{what}: needs {need}, the limit is {limit}")).into()
        }
        PlanError::Memory { what } => op.error(format_args!("{MEMORY}{what}")).into(),
        PlanError::Refused { what } => op.error(format_args!("strategy: {what}")).into(),
        PlanError::Internal { what } => op.error(format_args!("{BUG}: {what}")).into(),
    }
}
