//! Helpers of the unit tests: a core with some SRAM, and single tasks run on it.

use dpu_isa::{Instr, Machine, Manifest, Program, Space};

use crate::error::Fault;
use crate::exec::{Core, Gate, Semantics};
use crate::fuel::Meter;
use crate::kernel::{Kernel, KernelChoice};
use crate::memory::Memory;

/// A program of these instructions for a small machine.
pub(crate) fn program(instrs: Vec<Instr>) -> Program {
    Program {
        machine: Machine { sram_bytes: 128 << 10, ..Machine::flexnn_16x16() },
        meta: vec![Default::default(); instrs.len()],
        instrs,
        locs: Vec::new(),
        layers: Vec::new(),
        consts: Vec::new(),
        dram_bytes: 64 << 10,
        inputs: Vec::new(),
        outputs: Vec::new(),
        manifest: Manifest::default(),
    }
}

/// All kernels that this host supports: the golden path first.
pub(crate) fn kernels() -> Vec<Option<Kernel>> {
    let fast = Kernel::available().into_iter().map(|(_, kernel)| Some(kernel));
    std::iter::once(None).chain(fast).collect()
}

/// A core of one tile with 128 KiB of SRAM that begins with these bytes.
pub(crate) fn sram_filled(bytes: &[u8]) -> Core {
    let program = program(vec![dpu_isa::DmaFill::default().into()]);
    let mut core =
        Core::new(Memory::new(&program, u64::MAX).unwrap(), Kernel::of(KernelChoice::Auto).unwrap());
    put(&mut core, 0, bytes);
    core
}

/// Writes bytes to SRAM.
pub(crate) fn put(core: &mut Core, at: usize, bytes: &[u8]) {
    core.memory.space_mut(Space::Sram, 0).unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Reads bytes of SRAM.
pub(crate) fn get(core: &Core, at: usize, len: usize) -> &[u8] {
    &core.memory.space(Space::Sram, 0).unwrap()[at..at + len]
}

/// Runs a task without checking for hazards. Returns the low multiply-accumulates.
pub(crate) fn run_task(task: &(impl Semantics + Copy + Into<Instr>), core: &mut Core) -> Result<u64, Fault> {
    core.cost(&(*task).into(), task, &Machine::flexnn_16x16())?;
    let meter = &mut Meter::of_fuel(u64::MAX);
    meter.begin(task.steps(core))?;
    task.touch(core, &mut Gate { checker: None, storage: None, meter, index: 0, tile: 0 })?;
    task.execute(core)
}
