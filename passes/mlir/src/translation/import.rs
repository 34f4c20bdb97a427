//! A binary program as a scheduled `dpu.program`.

use std::collections::BTreeMap;

use dpu_isa::barrier::members;
use dpu_isa::{FieldKind, Instr, InstrMeta, IoDesc, Machine, MemAddr, Program as Binary, Space};
use strum_ir::dpu::{self, BufferType, Program, Stage, Task};
use strum_ir::{Attribute, Block, Context, Error, Location, Module, Value};
use thiserror::Error;

use super::{INPUT_SHA256, PIPELINE, TOOL, tool};
use crate::common::machine;
use crate::common::meaning;

/// Why a binary cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Not representable in the IR.
    #[error(transparent)]
    Ir(#[from] Error),
    /// The program contradicts itself, which no validated program does.
    #[error("{0}")]
    Internal(String),
}

/// The module of a program, which must be valid.
///
/// The IR has only the buffers that the binary describes: constants, inputs, outputs, and one for each memory as a whole, into
/// which the instructions' addresses are offsets.
///
/// # Errors
/// The program is invalid.
pub fn import<'c>(binary: &Binary, context: &'c Context) -> Result<Module<'c>, ImportError> {
    let unknown = Location::unknown(context);
    let module = Module::empty(unknown);
    let op = Program::build("main", &binary.machine.name, unknown)?.append_to(module.body())?;
    let program = Program::read(op).ok_or_else(|| ImportError::Internal("no body".into()))?;
    let body = program.body().ok_or_else(|| ImportError::Internal("no body".into()))?;
    if let Some(text) = machine::file_text(&binary.machine) {
        program.set_machine_toml(&text);
    }
    let manifest = [(PIPELINE, &binary.manifest.pipeline), (INPUT_SHA256, &binary.manifest.input_sha256)];
    let own = binary.manifest.tool == tool();
    for (name, text) in manifest.into_iter().chain((!own).then_some((TOOL, &binary.manifest.tool))) {
        op.set_attribute(name, Attribute::string(context, text));
    }
    let memories = declare(binary, body, unknown)?;
    let meanings = |list: &[IoDesc]| list.iter().map(|io| io.meaning).collect::<Vec<_>>();
    meaning::set(op, &meanings(&binary.inputs), &meanings(&binary.outputs))?;
    let locate = |loc: u32| match binary.locs.get(loc as usize) {
        Some(text) => Location::named(text, unknown),
        None => unknown,
    };
    for layer in &binary.layers {
        dpu::layer(&layer.name, &layer.op, layer.macs, locate(layer.loc)).append_to(body)?;
    }
    let mut armed: BTreeMap<u8, Value<'c>> = BTreeMap::new();
    for (index, instr) in binary.instrs.iter().enumerate() {
        let meta = binary.meta.get(index).copied().unwrap_or_default();
        let task = Task {
            layer: (meta.layer != InstrMeta::NONE).then_some(meta.layer),
            ..task(instr, &memories, &armed)?
        };
        let built = task.build(locate(meta.loc))?.append_to(body)?;
        if let (Instr::BarCfg(config), Some(barrier)) = (instr, built.single_result()) {
            armed.insert(config.barrier, barrier);
        }
    }
    program.set_stage(Stage::Scheduled);
    Ok(module)
}

/// The buffers that represent DRAM and SRAM.
struct Memories<'c> {
    dram: Option<Value<'c>>,
    sram: Option<Value<'c>>,
}

/// Declares the memory regions that the binary describes.
fn declare<'c>(
    binary: &Binary,
    body: Block<'c>,
    location: Location<'c>,
) -> Result<Memories<'c>, ImportError> {
    let context = location.context();
    let address = |at: u64| Attribute::i64(context, i64::try_from(at).unwrap_or(i64::MAX));
    let bytes =
        |space, bytes| BufferType { space, dtype: dpu_isa::Dtype::I8, shape: vec![bytes] }.ty(location);
    if !binary.consts.is_empty() {
        let ty = bytes(Space::Dram, binary.consts.len() as u64)?;
        let constant = dpu::constant(binary.consts.clone(), "image", ty, location)?;
        constant.attribute("address", address(0)).append_to(body)?;
    }
    for (descs, is_input) in [(&binary.inputs, true), (&binary.outputs, false)] {
        for desc in descs {
            let ty = BufferType { space: Space::Dram, dtype: desc.dtype, shape: desc.shape.clone() };
            let ty = ty.ty(location)?;
            let make = if is_input { dpu::input } else { dpu::output };
            let builder = make(&desc.name, ty, location);
            builder.attribute("address", address(desc.addr)).append_to(body)?;
        }
    }
    let whole = |space, size| -> Result<Option<Value<'c>>, ImportError> {
        if size == 0 {
            return Ok(None);
        }
        let builder = dpu::alloc(bytes(space, size)?, location).attribute("address", address(0));
        Ok(builder.append_to(body)?.single_result())
    };
    let Machine { sram_bytes, .. } = binary.machine;
    Ok(Memories { dram: whole(Space::Dram, binary.dram_bytes)?, sram: whole(Space::Sram, sram_bytes)? })
}

/// An instruction on the whole memories.
fn task<'c>(
    instr: &Instr,
    memories: &Memories<'c>,
    armed: &BTreeMap<u8, Value<'c>>,
) -> Result<Task<'c>, ImportError> {
    let desc = instr.desc();
    let raw = instr.raw_fields();
    let (mut first, mut buffers) = (0, Vec::new());
    for (index, field) in desc.fields.iter().enumerate() {
        let value = raw.get(first).copied().unwrap_or(0);
        first += field.count;
        let memory = match field.kind {
            FieldKind::Mem if value >> MemAddr::OFFSET_BITS & 1 == 0 => memories.dram,
            FieldKind::Mem | FieldKind::Sram { .. } => memories.sram,
            _ => continue,
        };
        if instr.uses_address(field.name) {
            let memory = memory.ok_or_else(|| ImportError::Internal("an address without memory".into()))?;
            buffers.push((index, memory));
        }
    }
    let mut bare = *instr;
    let (mut waits, mut posts) = (Vec::new(), Vec::new());
    if let Some((wait, post)) = bare.masks_mut() {
        (waits, posts) = (barriers(*wait, armed)?, barriers(*post, armed)?);
        (*wait, *post) = (0, 0);
    }
    Ok(Task { instr: bare, buffers, waits, posts, layer: None })
}

fn barriers<'c>(mask: u64, armed: &BTreeMap<u8, Value<'c>>) -> Result<Vec<Value<'c>>, ImportError> {
    let armed = |n: u8| {
        armed.get(&n).copied().ok_or_else(|| ImportError::Internal(format!("barrier {n} is not armed")))
    };
    members(mask).map(armed).collect()
}
