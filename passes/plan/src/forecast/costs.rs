//! The cost of every task of a draft, which depends on no address and no order between engines.

use std::collections::BTreeMap;

use dpu_cost::Cost;
use dpu_isa::{ConvInv, Instr, Machine, PoolInv};

use crate::draft;
use crate::error::PlanError;

/// What a task takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub(super) cost: Cost,
    /// Multiply-accumulates with low members.
    pub(super) low_macs: u64,
}

/// The costs of all tasks, in order.
///
/// # Errors
/// An internal error for a variant without its invariant, or a schedule that the register files cannot follow.
pub(super) fn of(tasks: &[draft::Task], m: &Machine) -> Result<Vec<Task>, PlanError> {
    let mut convs: BTreeMap<u8, ConvInv> = BTreeMap::new();
    let mut pools: BTreeMap<u8, PoolInv> = BTreeMap::new();
    let mut costs = Vec::with_capacity(tasks.len());
    let missing = || PlanError::internal("a variant without its invariant");
    for task in tasks {
        let mut low_macs = 0;
        let cost = match &task.instr {
            Instr::BarCfg(_) | Instr::End(_) => Cost::default(),
            Instr::DmaCopy(x) => dpu_cost::dma_copy(x, m),
            Instr::DmaFill(x) => dpu_cost::dma_fill(x, m),
            Instr::ConvInv(x) => {
                convs.insert(x.slot, *x);
                dpu_cost::INVARIANT
            }
            Instr::PoolInv(x) => {
                pools.insert(x.slot, *x);
                dpu_cost::INVARIANT
            }
            Instr::ConvVar(x) => {
                let inv = convs.get(&x.slot).ok_or_else(missing)?;
                low_macs = dpu_cost::low_macs(inv, x);
                dpu_cost::conv(inv, x, m).map_err(|e| PlanError::internal(e.to_string()))?
            }
            Instr::PoolVar(x) => dpu_cost::pool(pools.get(&x.slot).ok_or_else(missing)?, x, m),
            Instr::VecBinary(x) => dpu_cost::vec_binary(x, m),
            Instr::VecUnary(x) => dpu_cost::vec_unary(x, m),
            Instr::VecRescale(x) => dpu_cost::vec_rescale(x, m),
            Instr::VecTable(x) => dpu_cost::vec_table(x, m),
            Instr::VecReduce(x) => dpu_cost::vec_reduce(x, m),
        };
        costs.push(Task { cost, low_macs });
    }
    Ok(costs)
}
