//! The cost of any instruction: the single mapping from instructions to cost rules.
//!
//! Planner, forecast and simulator all ask here, so that an instruction without a rule does not build.

use dpu_isa::schedule::ScheduleError;
use dpu_isa::{Instr, Machine};

use crate::conv::{conv, low_macs};
use crate::dma::{dma_copy, dma_fill, dma_gather, dma_scatter};
use crate::pool::pool;
use crate::vec::{vec_binary, vec_reduce, vec_rescale, vec_resize, vec_select, vec_table, vec_unary};
use crate::{Cost, INVARIANT};

/// The cost of a task, as far as it does not depend on values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCost {
    /// Cycles, bytes and events.
    pub cost: Cost,
    /// Multiply-accumulates with low weight members, assuming padding is low first.
    pub low_macs: u64,
}

/// Why a task has no cost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It is a variant whose invariant is missing.
    #[error("a {0} without its invariant")]
    Invariant(&'static str),
    /// The operands that its schedule keeps resident do not fit the register files.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// The cost of an instruction; `inv` is the invariant in its slot. Instructions of the dispatcher itself cost no
/// engine time.
///
/// # Errors
/// For a variant without its invariant, or whose schedule does not fit the register files.
pub fn task(instr: &Instr, inv: Option<&Instr>, m: &Machine) -> Result<TaskCost, TaskError> {
    let missing = TaskError::Invariant(instr.mnemonic());
    let cost = match instr {
        Instr::BarCfg(_) | Instr::End(_) => Cost::default(),
        Instr::ConvInv(_) | Instr::PoolInv(_) => INVARIANT,
        Instr::DmaCopy(x) => dma_copy(x, m),
        Instr::DmaFill(x) => dma_fill(x, m),
        Instr::DmaGather(x) => dma_gather(x, m),
        Instr::DmaScatter(x) => dma_scatter(x, m),
        Instr::ConvVar(x) => {
            let Some(Instr::ConvInv(inv)) = inv else { return Err(missing) };
            return Ok(TaskCost { cost: conv(inv, x, m)?, low_macs: low_macs(inv, x) });
        }
        Instr::PoolVar(x) => {
            let Some(Instr::PoolInv(inv)) = inv else { return Err(missing) };
            pool(inv, x, m)
        }
        Instr::VecBinary(x) => vec_binary(x, m),
        Instr::VecUnary(x) => vec_unary(x, m),
        Instr::VecRescale(x) => vec_rescale(x, m),
        Instr::VecTable(x) => vec_table(x, m),
        Instr::VecReduce(x) => vec_reduce(x, m),
        Instr::VecSelect(x) => vec_select(x, m),
        Instr::VecResize(x) => vec_resize(x, m),
    };
    Ok(TaskCost { cost, low_macs: 0 })
}
