//! From a draft to an instruction stream: addresses, dependences, barriers, and the final program.
//!
//! Invariant: the stream computes what executing the draft's tasks one after the other computes. [`finish`] runs all stages; each
//! stage also works alone on plain slices, for passes that keep the stages apart.

use dpu_isa::{
    BarCfg, End, FieldKind, Instr, InstrMeta, IoDesc, Layer, Machine, Manifest, Meaning, MemAddr, Program,
    Space,
};

use crate::alloc::{self, Addresses};
use crate::barriers::{self, Assignment, Config};
use crate::deps::{self, Edge};
use crate::draft::{Buffer, Draft, Role, Task};
use crate::error::PlanError;

/// A draft with addresses, barriers and its final stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The stream: tasks in draft order with addresses and masks, `bar_cfg` between them, `end` last.
    pub instrs: Vec<Instr>,
    /// Index of the layer of every instruction; that of the next task for a `bar_cfg`, of the last one for `end`.
    pub layers: Vec<u32>,
    /// Addresses of the buffers.
    pub addresses: Addresses,
    /// Number of dependence edges that the barriers carry.
    pub edges: usize,
    /// Number of barrier configurations.
    pub configs: usize,
}

/// Runs allocation, dependence analysis and barrier assignment.
///
/// # Errors
/// A resource error if the machine is too small; see [`alloc::allocate`] and [`barriers::assign`].
pub fn finish(draft: &Draft, machine: &Machine) -> Result<Scheduled, PlanError> {
    let addresses = alloc::allocate(&draft.buffers, &draft.tasks, &draft.layers, machine)?;
    let tasks = relocate(&draft.buffers, &draft.tasks, &addresses)?;
    let (edges, assignment) = synchronize(&tasks, machine)?;
    let (instrs, origin) = assemble(&tasks, &assignment)?;
    if cfg!(debug_assertions) {
        verify(&instrs, machine)?;
    }
    let layer = |task: usize| draft.tasks.get(task).map_or(0, |t| t.layer);
    let layers = origin.into_iter().map(layer).collect();
    let (edges, configs) = (edges.len(), assignment.configs.len());
    Ok(Scheduled { instrs, layers, addresses, edges, configs })
}

/// The tasks with final addresses: every address field that is bound to a buffer is offset by the buffer's address.
///
/// # Errors
/// An internal error if a binding names a missing buffer or field, or the sum does not fit the field.
pub fn relocate(buffers: &[Buffer], tasks: &[Task], addresses: &Addresses) -> Result<Vec<Instr>, PlanError> {
    let mut raw = Vec::new();
    let mut result = Vec::with_capacity(tasks.len());
    for (t, task) in tasks.iter().enumerate() {
        let desc = task.instr.desc();
        raw.clear();
        task.instr.put_raw(&mut raw);
        for &(field, id) in &task.bufs {
            let broken = |what: &str| {
                PlanError::internal(format!("task {t} ({}), field {field}: {what}", desc.mnemonic))
            };
            let buffer = buffers.get(id.index()).ok_or_else(|| broken("no such buffer"))?;
            let base = addresses.of.get(id.index()).ok_or_else(|| broken("buffer without address"))?;
            let kind = desc.fields.get(field).ok_or_else(|| broken("no such field"))?.kind;
            let position = desc.fields.iter().take(field).map(|f| f.count).sum::<usize>();
            let value = raw.get_mut(position).ok_or_else(|| broken("no such value"))?;
            *value = match (kind, buffer.space) {
                (FieldKind::Sram { .. }, Space::Sram) => i64::try_from(*base)
                    .ok()
                    .and_then(|base| value.checked_add(base))
                    .ok_or_else(|| broken("address out of range"))?,
                (FieldKind::Mem, space) => {
                    let offset_mask = (1i64 << MemAddr::OFFSET_BITS) - 1;
                    let offset = i64::try_from(*base)
                        .ok()
                        .and_then(|base| (*value & offset_mask).checked_add(base))
                        .filter(|&offset| offset <= offset_mask)
                        .ok_or_else(|| broken("address out of range"))?;
                    offset | (i64::from(space == Space::Sram) << MemAddr::OFFSET_BITS)
                }
                _ => return Err(broken("the buffer is in the wrong space")),
            };
        }
        let instr = Instr::from_raw(desc, &raw)
            .map_err(|e| PlanError::internal(format!("task {t} ({}): {e}", desc.mnemonic)))?;
        result.push(instr);
    }
    Ok(result)
}

/// Dependences and barriers of tasks with final addresses.
///
/// # Errors
/// See [`deps::nodes`], [`deps::edges`] and [`barriers::assign`].
pub fn synchronize(tasks: &[Instr], machine: &Machine) -> Result<(Vec<Edge>, Assignment), PlanError> {
    let nodes = deps::nodes(tasks)?;
    let edges = deps::edges(&nodes)?;
    if cfg!(debug_assertions) {
        let plain: Vec<_> = edges.iter().map(|e| (e.from as usize, e.to as usize)).collect();
        deps::check::sweep(&nodes, &plain)
            .map_err(|fault| PlanError::internal(format!("dependences: {fault}")))?;
    }
    let assignment = barriers::assign(&nodes, &edges, machine.barriers)?;
    Ok((edges, assignment))
}

/// The final stream, and for each of its instructions the index of the task it belongs to.
///
/// # Errors
/// An internal error if the assignment does not match these tasks.
pub fn assemble(tasks: &[Instr], assignment: &Assignment) -> Result<(Vec<Instr>, Vec<usize>), PlanError> {
    let total = tasks.len() + assignment.configs.len() + 1;
    let (mut instrs, mut origin) = (Vec::with_capacity(total), Vec::with_capacity(total));
    let mut configs = assignment.configs.iter().peekable();
    let masks = assignment.wait.iter().zip(&assignment.post);
    for (index, (task, (&wait, &post))) in tasks.iter().zip(masks).enumerate() {
        while let Some(c) = configs.next_if(|c| c.before as usize == index) {
            let config = BarCfg { barrier: c.barrier, producers: c.producers, consumers: c.consumers };
            instrs.push(Instr::BarCfg(config));
            origin.push(index);
        }
        let mut task = *task;
        match task.masks_mut() {
            Some((w, p)) => (*w, *p) = (wait, post),
            None if wait == 0 && post == 0 => {}
            None => return Err(PlanError::internal(format!("task {index} cannot have barriers"))),
        }
        instrs.push(task);
        origin.push(index);
    }
    instrs.push(Instr::End(End {}));
    origin.push(tasks.len().saturating_sub(1));
    if instrs.len() != total {
        return Err(PlanError::internal("the barriers are not those of the tasks"));
    }
    Ok((instrs, origin))
}

/// The tasks of a stream without masks, and its barriers: the inverse of [`assemble`].
///
/// # Errors
/// An internal error if the stream does not end with its only `end`, or is too long.
pub fn split(instrs: &[Instr]) -> Result<(Vec<Instr>, Assignment), PlanError> {
    let Some((Instr::End(_), body)) = instrs.split_last() else {
        return Err(PlanError::internal("the stream does not end with `end`"));
    };
    let mut tasks = Vec::with_capacity(body.len());
    let mut assignment = Assignment::default();
    for instr in body {
        match instr {
            Instr::End(_) => return Err(PlanError::internal("`end` within the stream")),
            Instr::BarCfg(c) => {
                let before = u32::try_from(tasks.len()).map_err(|_| PlanError::internal("too many tasks"))?;
                let BarCfg { barrier, producers, consumers } = *c;
                assignment.configs.push(Config { before, barrier, producers, consumers });
            }
            task => {
                let mut task = *task;
                assignment.wait.push(task.wait());
                assignment.post.push(task.post());
                if let Some((wait, post)) = task.masks_mut() {
                    (*wait, *post) = (0, 0);
                }
                tasks.push(task);
            }
        }
    }
    Ok((tasks, assignment))
}

/// Checks a finished stream on its own: its barriers order all conflicting accesses, and no run of them can deadlock. It shares
/// no logic with the solvers.
///
/// # Errors
/// An internal error naming the fault.
pub fn verify(instrs: &[Instr], machine: &Machine) -> Result<(), PlanError> {
    let (tasks, assignment) = split(instrs)?;
    let nodes = deps::nodes(&tasks)?;
    let fault = |e: &dyn std::fmt::Display| PlanError::internal(format!("the schedule: {e}"));
    let carried = barriers::check::carried(nodes.len(), &assignment).map_err(|e| fault(&e))?;
    deps::check::sweep(&nodes, &carried).map_err(|e| fault(&e))?;
    barriers::check::check(&nodes, &[], &assignment, machine.barriers).map_err(|e| fault(&e))
}

/// Provenance unknown to the planner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Source locations as text; [`crate::LayerInfo::loc`] is an index into them.
    pub locs: Vec<String>,
    /// Tool, pipeline and input hash.
    pub manifest: Manifest,
}

/// The complete program: stream, constants, inputs, outputs, layers and locations.
///
/// # Errors
/// An internal error if the schedule does not belong to this draft, see also [`alloc::const_image`].
pub fn to_program(
    draft: &Draft,
    scheduled: Scheduled,
    machine: &Machine,
    source: Source,
) -> Result<Program, PlanError> {
    let Scheduled { instrs, layers, addresses, .. } = scheduled;
    let known = |loc: u32| if (loc as usize) < source.locs.len() { loc } else { InstrMeta::NONE };
    let meta = layers.iter().map(|&layer| match draft.layers.get(layer as usize) {
        Some(info) => InstrMeta { layer, loc: known(info.loc) },
        None => InstrMeta::default(),
    });
    let meta = meta.collect();
    let infos = draft.layers.iter().map(|info| Layer {
        name: info.name.clone(),
        op: info.op.clone(),
        loc: known(info.loc),
        macs: info.macs,
    });
    let infos = infos.collect();
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (i, buffer) in draft.buffers.iter().enumerate() {
        let (name, list) = match &buffer.role {
            Role::Input { name } => (name, &mut inputs),
            Role::Output { name } => (name, &mut outputs),
            Role::Const(_) | Role::Scratch => continue,
        };
        let addr = addresses
            .of
            .get(i)
            .copied()
            .ok_or_else(|| PlanError::internal(format!("buffer {i} has no address")))?;
        list.push(IoDesc {
            name: name.clone(),
            dtype: buffer.dtype,
            shape: buffer.shape.clone(),
            addr,
            meaning: Meaning::default(),
        });
    }
    Ok(Program {
        machine: machine.clone(),
        instrs,
        meta,
        locs: source.locs,
        layers: infos,
        consts: alloc::const_image(&draft.buffers, &addresses)?,
        dram_bytes: addresses.dram_bytes,
        inputs,
        outputs,
        manifest: source.manifest,
    })
}
