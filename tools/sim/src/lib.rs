//! The ISA-level simulator of the DPU: exact results, cycles, traffic and hazards of a program, in one run.
//!
//! [`simulate`] executes a [`dpu_isa::Program`] from the binary alone. Every program yields a result or a
//! [`SimError`]; nothing panics.

mod barrier;
mod batch;
pub mod cli;
mod engine;
mod error;
mod exec;
mod fuel;
mod hazard;
mod kernel;
mod memory;
pub mod numerics;
mod observe;
mod pe_trace;
mod profile;
mod record;
mod region;
mod report;
mod retime;
mod sram_map;
mod storage;
#[cfg(test)]
mod testing;
mod threads;
mod trace;
mod weights;

pub use dpu_cost::{Energy, Events, Level, Traffic};
use std::sync::Arc;

use dpu_cost::timeline;
use dpu_isa::{Engine, Instr, IoDesc, Machine, Program, Space};

pub use batch::{BatchError, Recording, Replayer, Sequence, run_batch};
pub use error::{FuelUnit, Note, SimError, Site, Trap, TrapKind};
pub use kernel::KernelChoice;
pub use observe::{Dispatch, Observer, Task};
pub use pe_trace::{Obstacle, PeChoice, PeChoiceError, PeRange, PeTrace};
pub use profile::HostProfile;
pub use record::RunFiles;
pub use report::{
    Busy, Elapsed, EngineReport, LayerReport, LayerView, Limits, ProgramReport, Report, ReportError, SramRow,
    Stalls, TaskRow, Timeline, TimelineRecorder, Work,
};
pub use retime::check_retiming;
pub use strum_tensors::{Tensor, TensorView};
pub use trace::TraceWriter;

use error::Fault;
use strum_files::budget;
use strum_tensors::{describe, tensor_bytes};
use threads::Threads;

/// Limits and switches of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fuel: the run stops before a task that would end after this cycle. It also stops before a task that would raise the host's
    /// steps above this number, or above [`Options::MAX_CYCLES`] if that is more.
    pub max_cycles: u64,
    /// Maximum bytes of simulated memory, DRAM and SRAMs together. In any case they are also claimed from the
    /// process's memory limit, [`strum_files::budget`].
    pub max_memory: u64,
    /// Whether to check for hazards: unwritten reads, races, overlaps. Bounds and barriers are always
    /// checked.
    pub checks: bool,
    /// The machine that sets the times, instead of the program's own; see [`check_retiming`].
    pub machine: Option<Machine>,
    /// The inner loops to use. The result does not depend on it.
    pub kernel: KernelChoice,
    /// Threads that share the large tasks of a sample; 0 means 1. The result does not depend on it.
    pub threads: usize,
    /// Collects the profile of host time.
    pub profile: Option<Arc<HostProfile>>,
    /// Traces PEs; of a batch, those of the first sample.
    pub pe_trace: Option<Arc<PeTrace>>,
}

impl Options {
    /// The default fuel, in cycles, and in steps of the host: some seconds of either, and at least a hundred times what an
    /// inference of VGG-11 or ResNet-50 takes.
    pub const MAX_CYCLES: u64 = 10_000_000_000;
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_cycles: Options::MAX_CYCLES,
            max_memory: u64::MAX,
            checks: true,
            machine: None,
            kernel: KernelChoice::Auto,
            threads: 1,
            profile: None,
            pe_trace: None,
        }
    }
}

/// The results of a program that halted.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// The outputs, in the order of the program's descriptors.
    pub outputs: Vec<Tensor>,
    /// Time, work and traffic.
    pub report: Report,
}

/// Runs a program on inputs, given in descriptor order.
///
/// # Errors
/// When inputs, machine or limits do not fit the program, when the fuel runs out, and when the machine traps.
pub fn simulate(
    program: &Program,
    inputs: &[TensorView<'_>],
    options: &Options,
) -> Result<RunResult, SimError> {
    simulate_observed(program, inputs, options, &mut [])
}

/// Runs a program as [`simulate`] does, and notifies observers of events.
///
/// # Errors
/// Those of [`simulate`].
pub fn simulate_observed<'o>(
    program: &Program,
    inputs: &[TensorView<'_>],
    options: &Options,
    observers: &'o mut [&'o mut dyn Observer],
) -> Result<RunResult, SimError> {
    run_core(program, inputs, options, observers).map(|(result, _, _)| result)
}

/// The times and counts of a program without executing it: it needs no inputs, produces no outputs, and no memory
/// is checked. Low members are counted as packers place them. The report has no sample.
///
/// # Errors
/// When the program or the machine is not usable, when the program misuses barriers or deadlocks, or when it runs out
/// of fuel.
pub fn simulate_timing<'o>(
    program: &Program,
    options: &Options,
    observers: &'o mut [&'o mut dyn Observer],
) -> Result<Report, SimError> {
    let machine = timing_machine(program, options)?;
    if machine.zero_skip != 0 {
        let reason = "skips zeros (zero_skip = 1), so that its times depend on values: they need a run";
        return Err(SimError::Machine(format!("machine '{}' {reason}", machine.name)));
    }
    let core = exec::Core::new(memory::Memory::none(program), None);
    let simulation = engine::Simulation::new(program, machine, options.max_cycles, core, None, observers);
    let engine::Finished { cycles, serial, engines, recorder, .. } = simulation.timing_only().run()?;
    Ok(Report { samples: 0, ..Report::new(program, machine, cycles, serial, engines, recorder) })
}

/// The machine that sets the times.
fn timing_machine<'p>(program: &'p Program, options: &'p Options) -> Result<&'p Machine, SimError> {
    let machine = options.machine.as_ref().unwrap_or(&program.machine);
    machine.check().map_err(|error| SimError::Machine(error.to_string()))?;
    check_retiming(&program.machine, machine).map_err(SimError::Machine)?;
    if options.machine.is_some() {
        retime::check_schedules(program, machine).map_err(SimError::Machine)?;
    }
    Ok(machine)
}

/// What a run returns: its result, the machine, and the checker's findings.
type Run = (RunResult, exec::Core, Option<hazard::Checker>);

/// Runs a program; returns its final state as well as the checker's findings.
fn run_core<'o>(
    program: &Program,
    inputs: &[TensorView<'_>],
    options: &Options,
    observers: &'o mut [&'o mut dyn Observer],
) -> Result<Run, SimError> {
    // Only kernels are shared, and counting zeros takes longer than they do.
    let kernel = kernel::Kernel::of(options.kernel).map_err(SimError::Host)?;
    let shared = kernel.is_some() && timing_machine(program, options)?.zero_skip == 0;
    let threads = if shared { options.threads } else { 1 };
    let options = &Options { threads, ..options.clone() };
    Threads::new(threads)?.run(|| match &options.profile {
        Some(profile) => profile.time_sample(|| run_machine(program, inputs, options, observers)),
        None => run_machine(program, inputs, options, observers),
    })
}

fn run_machine<'o>(
    program: &Program,
    inputs: &[TensorView<'_>],
    options: &Options,
    observers: &'o mut [&'o mut dyn Observer],
) -> Result<Run, SimError> {
    let machine = timing_machine(program, options)?;
    let storage = match machine.zero_skip {
        0 => None,
        _ => find_storage(program, machine, inputs, options)?,
    };
    let (core, checker) = loaded(program, inputs, options, options.checks)?;
    let simulation = engine::Simulation::new(program, machine, options.max_cycles, core, checker, observers);
    let simulation = simulation.with_pe_trace(options.pe_trace.clone());
    let simulation = match storage {
        Some(storage) => simulation.with_storage(storage),
        None => simulation,
    };
    let finished = simulation.run()?;
    let outputs =
        program.outputs.iter().map(|desc| read_output(program, desc, &finished)).collect::<Result<_, _>>()?;
    let engine::Finished { core, checker, cycles, serial, engines, recorder, .. } = finished;
    let report = Report::new(program, machine, cycles, serial, engines, recorder);
    Ok((RunResult { outputs, report }, core, checker))
}

/// A machine's state with the inputs in its DRAM, and a checker if checks are enabled.
fn loaded(
    program: &Program,
    inputs: &[TensorView<'_>],
    options: &Options,
    checks: bool,
) -> Result<(exec::Core, Option<hazard::Checker>), SimError> {
    let kernel = kernel::Kernel::of(options.kernel).map_err(SimError::Host)?;
    let memory = memory::Memory::new(program, options.max_memory)?;
    let core = exec::Core::new(memory, kernel).with_threads(options.threads);
    let mut core = core.with_profile(options.profile.as_ref());
    let mut checker = checks.then(|| new_checker(program, &core)).transpose()?;
    load_inputs(program, inputs, &mut core, checker.as_mut())?;
    Ok((core, checker))
}

/// The operands that a zero-skipping machine stores zero-compressed, found by a run whose times do not count. `None` if
/// that run fails: the run that counts will fail, too, and report why.
///
/// # Errors
/// When inputs do not fit the program, and when the host's memory does not suffice.
fn find_storage(
    program: &Program,
    machine: &Machine,
    inputs: &[TensorView<'_>],
    options: &Options,
) -> Result<Option<Arc<storage::Storage>>, SimError> {
    let plain = Machine { zero_skip: 0, ..machine.clone() };
    let quiet = Options { profile: None, ..options.clone() };
    let (core, _) = loaded(program, inputs, &quiet, false)?;
    let finder = storage::StorageFinder::new(program, machine, core.memory.tiles(), options.max_memory)?;
    // Without skipping it may take more cycles than the limit.
    let simulation = engine::Simulation::new(program, &plain, u64::MAX, core, None, &mut []);
    let simulation = simulation.with_meter(fuel::Meter::of_fuel(options.max_cycles));
    let finder = match simulation.finding(finder).run() {
        Ok(engine::Finished { storage: Some(finder), .. }) => finder,
        // Work that exceeds the host's limits does so the second time, too.
        Err(error @ SimError::OutOfFuel { .. }) => return Err(error),
        Ok(_) | Err(_) => return Ok(None),
    };
    finder.finish(program).map(|storage| Some(Arc::new(storage)))
}

/// A checker that knows the engines of all tasks and the constants.
fn new_checker(program: &Program, core: &exec::Core) -> Result<hazard::Checker, SimError> {
    /// Task ids have 32 bits, and some of them are reserved.
    const MAX_INSTRS: usize = u32::MAX as usize - hazard::FIRST;
    if program.instrs.len() > MAX_INSTRS {
        let (needed, limit) = (program.instrs.len() as u64, MAX_INSTRS as u64);
        return Err(SimError::Resource { what: "instructions", needed, limit });
    }
    let number = |i| timeline::engine_of(i).and_then(|e| u16::try_from(e).ok()).unwrap_or(u16::MAX);
    let engine_of = program.instrs.iter().map(number).collect();
    let tiles = core.memory.tiles();
    let barriers = timeline::Barriers::count(&program.machine);
    let moves = |i| matches!(program.instrs.get(i).map(Instr::engine), Some(Engine::Dma0 | Engine::Dma1));
    let mut checker = hazard::Checker::new(engine_of, moves, timeline::engines(tiles), tiles, barriers);
    checker.host_constants(program.consts.len());
    Ok(checker)
}

/// Writes the inputs to DRAM.
fn load_inputs(
    program: &Program,
    inputs: &[TensorView<'_>],
    core: &mut exec::Core,
    mut checker: Option<&mut hazard::Checker>,
) -> Result<(), SimError> {
    if inputs.len() != program.inputs.len() {
        let (got, want) = (inputs.len(), program.inputs.len());
        return Err(SimError::Input(format!("the program has {want} inputs, got {got}")));
    }
    for (desc, input) in program.inputs.iter().zip(inputs) {
        let place = io_range(program, desc, "input")?;
        let (got, want) = (describe(input.dtype, input.shape), describe(desc.dtype, &desc.shape));
        if got != want {
            return Err(SimError::Input(format!("input '{}': expected {want}, got {got}", desc.name)));
        }
        if desc.meaning.boolean
            && let Some(byte) = input.data.iter().find(|&&byte| byte > 1)
        {
            return Err(SimError::Input(format!("input '{}': a boolean is 0 or 1, got {byte}", desc.name)));
        }
        if place.len() != input.data.len() {
            let (bytes, want) = (input.data.len(), place.len());
            return Err(SimError::Input(format!("input '{}': {bytes} bytes, {want} expected", desc.name)));
        }
        if let Some(checker) = checker.as_deref_mut() {
            checker.host_input(place.start, place.len());
        }
        let dram = core.memory.space_mut(Space::Dram, 0).map_err(|f| SimError::Program(f.detail))?;
        if let Some(to) = dram.get_mut(place) {
            to.copy_from_slice(input.data);
        }
    }
    Ok(())
}

/// Reads an output from DRAM.
fn read_output(program: &Program, desc: &IoDesc, finished: &engine::Finished) -> Result<Tensor, SimError> {
    let place = io_range(program, desc, "output")?;
    if let Some(found) = finished.checker.as_ref().and_then(|c| c.host_read(place.start, place.len())) {
        let (start, end) = (found.start, found.start + found.len);
        let detail = format!("output '{}': nothing has written dram {start:#x}..{end:#x}", desc.name);
        return Err(Fault::new(TrapKind::UnwrittenRead, detail).at(program, finished.end, finished.cycles));
    }
    let what = format!("output '{}'", desc.name);
    budget::check(&what, place.len() as u64).map_err(SimError::Memory)?;
    let dram = finished.core.memory.space(Space::Dram, 0).map_err(|f| SimError::Program(f.detail))?;
    let data = dram.get(place).unwrap_or_default().to_vec();
    Ok(Tensor { dtype: desc.dtype, shape: desc.shape.clone(), data })
}

/// The address of a tensor in DRAM.
fn io_range(program: &Program, desc: &IoDesc, kind: &str) -> Result<std::ops::Range<usize>, SimError> {
    let end = tensor_bytes(desc.dtype, &desc.shape).and_then(|n| desc.addr.checked_add(n));
    match end.filter(|&end| end <= program.dram_bytes) {
        // Both fit the address space of the host: that much DRAM has been allocated.
        Some(end) => Ok(desc.addr as usize..end as usize),
        None => Err(SimError::Program(format!("{kind} '{}' does not fit the DRAM", desc.name))),
    }
}
