//! A draft as a `dpu.program`.

use std::sync::Arc;

use dpu_isa::Machine;
use strum_ir::dpu::{self, BufferType, Program, Task};
use strum_ir::{Attribute, Block, Location, Operation, PassError, Value};
use strum_plan::{Buffer, Draft, Role};

use crate::common::{fingerprint, machine, meaning};

/// Names the constants of a module: `weights`, `weights_1` and so on, like MLIR for a name in use, but without a lookup for each
/// number.
#[derive(Default)]
pub(super) struct Constants {
    count: usize,
}

impl Constants {
    fn name(&mut self) -> String {
        let number = self.count;
        self.count += 1;
        if number == 0 { "weights".into() } else { format!("weights_{number}") }
    }
}

/// A planned function.
#[derive(Clone, Copy)]
pub(super) struct Lowered<'a, 'c> {
    /// Buffers, tasks, layers.
    pub(super) draft: &'a Draft,
    /// Locations of the layers; [`strum_plan::LayerInfo::loc`] is the index.
    pub(super) sources: &'a [Location<'c>],
}

/// Inserts the program of `function` after it.
pub(super) fn program<'c>(
    function: Operation<'c>,
    machine: &Machine,
    provenance: &str,
    lowered: Lowered<'_, 'c>,
    constants: &mut Constants,
) -> Result<(), PassError> {
    let location = function.location();
    let name = function.symbol().unwrap_or("main");
    let op = Program::build(name, &machine.name, location)?.insert_after(function)?;
    let no_body = || PassError::Internal("a program without a body".into());
    let program = Program::read(op).ok_or_else(no_body)?;
    let body = program.body().ok_or_else(no_body)?;
    if let Some(text) = machine::file_text(machine) {
        program.set_machine_toml(&text);
    }
    let context = function.context();
    op.set_attribute("input_sha256", Attribute::string(context, &fingerprint::of_function(function)));
    if !provenance.is_empty() {
        op.set_attribute("pipeline", Attribute::string(context, provenance));
    }
    meaning::carry(function, op);
    let buffers = declare(body, location, lowered, constants)?;
    for layer in &lowered.draft.layers {
        let at = source(lowered, layer.loc, location);
        dpu::layer(&layer.name, &layer.op, layer.macs, at).append_to(body)?;
    }
    for task in &lowered.draft.tasks {
        let layer = lowered.draft.layers.get(task.layer as usize);
        let at = source(lowered, layer.map_or(u32::MAX, |l| l.loc), location);
        let buffer = |id: strum_plan::BufferId| buffers.get(id.index()).copied().flatten();
        let bound = task.bufs.iter().map(|&(field, id)| buffer(id).map(|value| (field, value)));
        let bound: Option<Vec<_>> = bound.collect();
        let task = Task {
            instr: task.instr,
            buffers: bound.ok_or_else(|| PassError::Internal("a task on an undeclared buffer".into()))?,
            waits: Vec::new(),
            posts: Vec::new(),
            layer: Some(task.layer),
        };
        task.build(at)?.append_to(body)?;
    }
    Ok(())
}

/// Declares the inputs, the outputs and all other buffers that tasks use.
fn declare<'c>(
    body: Block<'c>,
    location: Location<'c>,
    lowered: Lowered<'_, 'c>,
    constants: &mut Constants,
) -> Result<Vec<Option<Value<'c>>>, PassError> {
    let draft = lowered.draft;
    let mut used = vec![false; draft.buffers.len()];
    for (_, id) in draft.tasks.iter().flat_map(|task| &task.bufs) {
        if let Some(flag) = used.get_mut(id.index()) {
            *flag = true;
        }
    }
    let mut values = Vec::with_capacity(draft.buffers.len());
    for (buffer, used) in draft.buffers.iter().zip(used) {
        let ty = buffer_type(buffer).ty(location)?;
        let builder = match &buffer.role {
            Role::Input { name } => dpu::input(name, ty, location),
            Role::Output { name } => dpu::output(name, ty, location),
            Role::Const(_) | Role::Scratch if !used => {
                values.push(None);
                continue;
            }
            Role::Const(bytes) => dpu::constant(Arc::clone(bytes), &constants.name(), ty, location)?,
            Role::Scratch => dpu::alloc(ty, location),
        };
        let align = i64::try_from(buffer.align).unwrap_or(i64::MAX);
        let align = (align != 16).then(|| Attribute::i64(location.context(), align));
        values.push(builder.maybe_attribute("align", align).append_to(body)?.single_result());
    }
    Ok(values)
}

/// The type of a buffer; one larger than its tensor is bytes.
fn buffer_type(buffer: &Buffer) -> BufferType {
    let ty = BufferType { space: buffer.space, dtype: buffer.dtype, shape: buffer.shape.clone() };
    match ty.bytes() {
        Some(bytes) if bytes == buffer.bytes => ty,
        _ => BufferType { space: buffer.space, dtype: dpu_isa::Dtype::I8, shape: vec![buffer.bytes] },
    }
}

fn source<'c>(lowered: Lowered<'_, 'c>, loc: u32, otherwise: Location<'c>) -> Location<'c> {
    lowered.sources.get(loc as usize).copied().unwrap_or(otherwise)
}
