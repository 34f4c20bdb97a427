//! The machine as the search sees it: its rates, the SRAM available to a layer, and the cycles of transfers.
//!
//! Invariant: a budget is for one layer; layers with equal budgets and equal problems have equal plans.

use std::sync::Arc;

use dpu_isa::Machine;

use super::sched::Array;
use crate::objective::Objective;

/// Passes through the vector lanes of an element-wise layer with both operands and the result scaled.
const VECTOR_PASSES: u64 = 7;

/// The machine parameters that the estimate needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The whole machine.
    machine: Arc<Machine>,
    /// SRAM bytes.
    pub(crate) sram: u64,
    /// The PE array.
    pub(crate) array: Array,
    /// Bytes a DMA engine moves from or to DRAM in a cycle.
    dma_rate: u64,
    /// Bytes all DMA engines together move from or to DRAM in a cycle.
    pub(super) dram_rate: u64,
    /// Cycles of a DMA task before its first byte moves.
    pub(super) dma_setup: u64,
    /// Whether there are two DMA engines.
    pub(super) two_engines: bool,
    /// Cycles of a DPU task before it computes.
    pub(super) dpu_setup: u64,
    /// Bytes the DPU reads in a cycle.
    pub(super) read_rate: u64,
    /// Outputs finished in a cycle.
    pub(super) ppe_rate: u64,
    /// Cycles of the vector engine that can overlap with the layer, row by row.
    pub(crate) shared_cycles: u64,
    /// The objective of the plan.
    pub(crate) objective: Objective,
}

impl Budget {
    /// The budget of a machine.
    pub(crate) fn of(machine: &Machine) -> Self {
        let rate = |n: u32| u64::from(n).max(1);
        let dram_rate = rate(machine.dram_bytes_per_cycle);
        let sync = u64::from(machine.barrier_cycles);
        Budget {
            machine: Arc::new(machine.clone()),
            sram: machine.sram_bytes,
            array: Array::of(machine),
            dma_rate: rate(machine.dma_bytes_per_cycle).min(dram_rate),
            dram_rate,
            dma_setup: sync + u64::from(machine.dram_latency_cycles),
            two_engines: machine.dma_engines > 1,
            dpu_setup: sync + u64::from(machine.dpu_setup_cycles),
            read_rate: rate(machine.sram_read_bytes_per_cycle),
            ppe_rate: rate(machine.ppe_per_cycle),
            shared_cycles: 0,
            objective: Objective::Latency,
        }
    }

    /// The machine.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Bytes the DPU reads in a cycle.
    pub(crate) fn read_rate(&self) -> u64 {
        self.read_rate
    }

    /// Cycles of PPE and ODU for outputs of the given bytes.
    pub(crate) fn drain_cycles(&self, outputs: u64, bytes: u64) -> u64 {
        let write_rate = u64::from(self.machine.sram_write_bytes_per_cycle).max(1);
        (outputs / self.ppe_rate).max(outputs.saturating_mul(bytes) / write_rate)
    }

    /// Output channels whose weights a PE holds for a step.
    pub(crate) fn filters_held(&self, depthwise: bool) -> u64 {
        let vector = if depthwise { 1 } else { self.array.lanes };
        u64::from(self.machine.fl_rf_bytes) / 2 / vector.max(1)
    }

    /// The same machine for a layer whose tiles may use `sram` bytes, while the vector engine works on `shared_bytes` of a
    /// resident tensor.
    pub(crate) fn within(self, sram: u64, shared_bytes: u64, objective: Objective) -> Self {
        let lanes = u64::from(self.machine.vec_lanes).max(1);
        let shared_cycles = shared_bytes.saturating_mul(VECTOR_PASSES) / lanes;
        Budget { sram, shared_cycles, objective, ..self }
    }

    /// Whether loads and stores use separate engines.
    pub(crate) fn has_two_engines(&self) -> bool {
        self.two_engines
    }

    /// Cycles from the end of a task to the start of one that waits for it.
    pub(crate) fn sync(&self) -> u64 {
        self.machine.barrier_cycles.into()
    }

    /// One DMA task: cycles before the transfer, cycles of the transfer, and cycles of the channel.
    pub(crate) fn transfer(&self, t: &Traffic) -> (u64, u64, u64) {
        (self.dma_setup, self.moving(t), self.channel_cycles(t.bytes))
    }

    /// Cycles of an engine's transfer, bounded by its width, its rows and its requests to the DRAM.
    fn moving(&self, t: &Traffic) -> u64 {
        let requests = (t.bytes / u64::from(self.machine.dma_request_bytes).max(1)).max(t.runs);
        let (waiting, outstanding) = dpu_cost::awaited(requests, &self.machine);
        (t.bytes / self.dma_rate).max(t.runs).max(waiting / outstanding)
    }

    /// Cycles of the channel for `bytes`.
    pub(crate) fn channel_cycles(&self, bytes: u64) -> u64 {
        dpu_cost::channel_cycles(bytes, &self.machine)
    }

    /// Cycles that one task of `bytes` in `runs` contiguous segments occupies a DMA engine.
    pub(crate) fn dma_cycles(&self, bytes: u64, runs: u64) -> u64 {
        Traffic { tasks: 1, bytes, runs }.cycles(self)
    }
}

/// Transfers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// DMA tasks.
    pub(crate) tasks: u64,
    /// Bytes moved.
    pub(crate) bytes: u64,
    /// Contiguous segments; an engine starts one in a cycle.
    pub(crate) runs: u64,
}

impl Traffic {
    /// `tasks` of the `all.tasks` equal transfers that make up `all`; may exceed `all` if some are repeated.
    pub(super) fn share(tasks: u64, all: &Traffic) -> Self {
        let part = |n: u64| {
            let part = u128::from(n) * u128::from(tasks) / u128::from(all.tasks.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Traffic { tasks, bytes: part(all.bytes), runs: part(all.runs) }
    }

    pub(super) fn times(self, n: u64) -> Self {
        Traffic {
            tasks: self.tasks.saturating_mul(n),
            bytes: self.bytes.saturating_mul(n),
            runs: self.runs.saturating_mul(n),
        }
    }

    /// One of `n` equal parts.
    pub(super) fn per(self, n: u64) -> Self {
        let n = n.max(1);
        Traffic { tasks: self.tasks / n, bytes: self.bytes / n, runs: self.runs / n }
    }

    /// Cycles of the engine.
    pub(crate) fn cycles(&self, budget: &Budget) -> u64 {
        self.tasks.saturating_mul(budget.dma_setup).saturating_add(budget.moving(self))
    }
}
