//! `dpu-allocate`: gives every buffer of a program its address.
//!
//! Constants come first in DRAM, then inputs, outputs, and scratch; buffers with disjoint live ranges may share memory.
//! Invariant: the tasks, still executed one after the other, compute the same.

use strum_ir::dpu::Stage;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, pass_options};
use strum_plan::alloc;
use tracing::debug;

use crate::Documented;
use crate::common::program;

pass_options! {
    /// The pass.
    pub struct DpuAllocate;
}

impl Documented for DpuAllocate {
    const DOC: &'static str = "\
Takes a `dpu.program` at stage `draft` and leaves it at stage `allocated`. In DRAM, constants come first (they are the
image of the binary), then inputs, outputs and scratch. Buffers with disjoint live ranges over the task order may share
memory.
";
}

impl Pass for DpuAllocate {
    const ARGUMENT: &'static str = "dpu-allocate";
    const DESCRIPTION: &'static str = "Assign SRAM and DRAM addresses to the buffers of a dpu.program";
    const ROOT: &'static str = "dpu.program";
    const DIALECTS: &'static [Dialect] = &[Dialect::Dpu];

    fn run<'c>(&self, op: Operation<'c>, _cx: &PassContext<'c>) -> Result<(), PassError> {
        let plain = program::read(op, Stage::Draft, Self::ARGUMENT)?;
        let addresses = alloc::allocate(&plain.buffers, &plain.tasks, &plain.layers, &plain.machine)
            .map_err(|e| program::report(op, &e))?;
        for (declaration, address) in plain.declarations.iter().zip(&addresses.of) {
            declaration.set_address(*address)?;
        }
        debug!(dram = addresses.dram_bytes, sram = addresses.sram_bytes, "allocated");
        plain.program.set_stage(Stage::Allocated);
        Ok(())
    }
}
