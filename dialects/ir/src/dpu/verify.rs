//! Constraints between the parts of a `dpu` operation, and between the operations of a program. ODS has already checked the kinds of
//! operands and attributes.

use std::collections::BTreeSet;

use dpu_isa::{MemAddr, Space};

use super::{Buffer, Layer, Program, Role, Stage, Task, is_instruction};
use crate::{
    Operation, PassError,
    verdict::{Verdict, declared, report},
};

/// Verifies one operation of the dialect.
pub(crate) fn verify(op: Operation<'_>) -> Result<(), PassError> {
    if let Some(program) = Program::read(op) {
        return verify_program(program);
    }
    let verdict = if is_instruction(op) {
        Task::read(op).map(|_| ()).map_err(|error| error.to_string().into())
    } else if op.is("dpu.layer") {
        Layer::read(op).map(|_| ()).ok_or_else(|| "expects non-negative macs".into())
    } else {
        buffer(op)
    };
    report(verdict, op)
}

fn buffer(op: Operation<'_>) -> Verdict {
    let buffer = declared(Buffer::read(op))?;
    let bytes = buffer.ty.bytes().ok_or("is too large")?;
    if let Some(align) = op.int_attr("align")
        && !u64::try_from(align).is_ok_and(u64::is_power_of_two)
    {
        return Err(format!("expects an alignment that is a power of two, got {align}").into());
    }
    if buffer.ty.space == Space::Sram && buffer.role != Role::Alloc {
        return Err("expects a buffer in DRAM".into());
    }
    if let Role::Constant(value) = buffer.role {
        let got = value.byte_length().map_err(|error| error.to_string())? as u64;
        if got != bytes {
            return Err(format!("expects a value of {bytes} bytes, got {got}").into());
        }
    }
    let Some(address) = op.int_attr("address") else { return Ok(()) };
    let limit = match buffer.ty.space {
        Space::Dram => 1 << MemAddr::OFFSET_BITS,
        Space::Sram => 1 << 32,
    };
    let end = u64::try_from(address).ok().and_then(|address| address.checked_add(bytes));
    if end.is_none_or(|end| end > limit) {
        return Err(format!("expects an address in 0..{limit} with its {bytes} bytes, got {address}").into());
    }
    if buffer.address.is_some_and(|address| address % buffer.align != 0) {
        return Err(
            format!("expects an address that is a multiple of {}, got {address}", buffer.align).into()
        );
    }
    Ok(())
}

fn verify_program(program: Program<'_>) -> Result<(), PassError> {
    let (stage, layers) = (program.stage(), program.layers().len());
    let (mut inputs, mut outputs) = (BTreeSet::new(), BTreeSet::new());
    let operations = program.operations();
    for (index, &op) in operations.iter().enumerate() {
        let is_last = index + 1 == operations.len();
        let buffer = Buffer::read(op);
        let verdict = match buffer.as_ref().map(|buffer| buffer.role) {
            Some(Role::Input(name)) if !inputs.insert(name) => {
                Err(format!("is a second input called '{name}'").into())
            }
            Some(Role::Output(name)) if !outputs.insert(name) => {
                Err(format!("is a second output called '{name}'").into())
            }
            _ if op.dialect() != "dpu" => Err("is not allowed in a program: only dpu operations are".into()),
            _ => layer(op, layers),
        };
        let verdict = verdict.and_then(|()| at_stage(op, buffer.as_ref(), stage, is_last));
        report(verdict, op)?;
    }
    let ends = operations.last().is_some_and(|op| op.is("dpu.end"));
    if stage == Stage::Scheduled && !ends {
        return Err(program.op().error("is scheduled but does not end with dpu.end").into());
    }
    Ok(())
}

fn layer(op: Operation<'_>, layers: usize) -> Verdict {
    match op.int_attr("layer") {
        Some(layer) if !usize::try_from(layer).is_ok_and(|layer| layer < layers) => {
            Err(format!("refers to layer {layer}, the program has {layers}").into())
        }
        _ => Ok(()),
    }
}

/// The constraints of the program's stage on one operation.
fn at_stage(op: Operation<'_>, buffer: Option<&Buffer<'_>>, stage: Stage, is_last: bool) -> Verdict {
    if let Some(buffer) = buffer {
        return match (stage, buffer.address) {
            (Stage::Draft, Some(_)) => Err("has an address in a draft".into()),
            (Stage::Allocated | Stage::Scheduled, None) => {
                Err("has no address in an allocated program".into())
            }
            _ => Ok(()),
        };
    }
    if op.is("dpu.end") && !is_last {
        return Err("is not the last operation of its program".into());
    }
    if !is_instruction(op) {
        return Ok(());
    }
    let task = Task::read(op).map_err(|error| error.to_string())?;
    if stage == Stage::Scheduled {
        if op.is("dpu.bar_cfg") && op.attribute("barrier").is_none() {
            return Err("has no number in a scheduled program".into());
        }
        return task.resolve().map(|_| ()).map_err(|error| error.to_string().into());
    }
    let orders = op.is("dpu.bar_cfg") || op.is("dpu.end") || !task.waits.is_empty() || !task.posts.is_empty();
    if orders { Err("is only allowed in a scheduled program".into()) } else { Ok(()) }
}
