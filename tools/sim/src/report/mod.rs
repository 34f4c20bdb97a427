//! The report of a run: time, work and traffic of the machine and of every layer.
//!
//! A report is a function of program, inputs and machine alone; it does not contain the host's speed.
//! `docs/report.md` describes its JSON form, and a test checks that it covers every field.

mod json;
mod limits;
mod recorder;
mod table;
mod timeline;

use std::borrow::Cow;
use std::collections::BTreeMap;

use dpu_cost::{Cost, Counts, Energy, Events, Level, Traffic};
use dpu_isa::{Machine, Program};
use serde::{Deserialize, Serialize};

pub use json::ReportError;
pub use limits::Limits;
pub(crate) use limits::Phases;
pub(crate) use recorder::{Recorder, Unit, layer_of};
pub use table::LayerView;
pub use timeline::{SramRow, TaskRow, Timeline, TimelineRecorder};

/// Stall cycles by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// Idle engines whose next task waited for the producers of a barrier.
    pub barrier_wait: u64,
    /// The dispatcher, while the FIFO of an engine was full.
    pub fifo_full: u64,
    /// The dispatcher, while a barrier to be armed was not idle.
    pub barrier_arm: u64,
}

impl Stalls {
    fn add(&mut self, more: &Stalls) {
        self.barrier_wait = self.barrier_wait.saturating_add(more.barrier_wait);
        self.fifo_full = self.fifo_full.saturating_add(more.fifo_full);
        self.barrier_arm = self.barrier_arm.saturating_add(more.barrier_arm);
    }
}

/// Busy cycles by kind of engine, summed over tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// First DMA engine.
    pub dma0: u64,
    /// Second DMA engine.
    pub dma1: u64,
    /// DPUs.
    pub dpu: u64,
    /// Vector engines.
    pub vec: u64,
}

/// A partition of the run's time: every cycle counts once, in one layer and for one cause.
///
/// A cycle belongs to what the DPU works on, if it works; else to the vector engine; else to a DMA engine (the task that
/// started first). A cycle in which no engine works belongs to the layer of the task that ends the idleness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elapsed {
    /// A DPU works.
    pub dpu: u64,
    /// A vector engine works, and no DPU.
    pub vec: u64,
    /// Only DMA engines work: exposed transfers.
    pub dma: u64,
    /// No engine works: dispatch, barriers, start-up.
    pub idle: u64,
}

impl Elapsed {
    /// The total.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.dpu, self.vec, self.dma, self.idle].into_iter().fold(0, u64::saturating_add)
    }

    fn add(&mut self, more: &Elapsed) {
        self.dpu = self.dpu.saturating_add(more.dpu);
        self.vec = self.vec.saturating_add(more.vec);
        self.dma = self.dma.saturating_add(more.dma);
        self.idle = self.idle.saturating_add(more.idle);
    }
}

/// Work that adds up over tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The time that this took, by cause; adds up to the cycles of the run.
    pub elapsed: Elapsed,
    /// The same time by what limited it.
    #[serde(default)]
    pub limits: Limits,
    /// Busy cycles by kind of engine.
    pub busy: Busy,
    /// Cycles lost, by reason.
    pub stalls: Stalls,
    /// Multiply-accumulates with plain or high-precision weights, padding taps included.
    pub macs_high: u64,
    /// Multiply-accumulates with low members of packed weights.
    pub macs_low: u64,
    /// Bytes moved.
    pub bytes: Traffic,
    /// All other events that cost energy.
    pub events: Events,
    /// Energy, in femtojoules.
    pub energy_fj: Energy,
    /// Instructions executed, by mnemonic.
    pub instructions: BTreeMap<Cow<'static, str>, u64>,
}

impl Work {
    /// All multiply-accumulates.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.macs_high.saturating_add(self.macs_low)
    }

    pub(crate) fn add(&mut self, more: &Work) {
        self.elapsed.add(&more.elapsed);
        self.limits.add(&more.limits);
        self.busy.dma0 = self.busy.dma0.saturating_add(more.busy.dma0);
        self.busy.dma1 = self.busy.dma1.saturating_add(more.busy.dma1);
        self.busy.dpu = self.busy.dpu.saturating_add(more.busy.dpu);
        self.busy.vec = self.busy.vec.saturating_add(more.busy.vec);
        self.stalls.add(&more.stalls);
        self.macs_high = self.macs_high.saturating_add(more.macs_high);
        self.macs_low = self.macs_low.saturating_add(more.macs_low);
        self.bytes.add(&more.bytes);
        self.events.add(&more.events);
        self.energy_fj.add(&more.energy_fj);
        for (mnemonic, n) in &more.instructions {
            *self.instructions.entry(mnemonic.clone()).or_default() += n;
        }
    }

    /// Adds the work of a task, including `low` low multiply-accumulates.
    pub(crate) fn add_cost(&mut self, cost: &Cost, low: u64) {
        let Counts { macs_high, macs_low, bytes, events, cycles: _ } = cost.counts(low);
        self.macs_high = self.macs_high.saturating_add(macs_high);
        self.macs_low = self.macs_low.saturating_add(macs_low);
        self.bytes.add(&bytes);
        self.events.add(&events);
    }

    /// The counts that energy is computed from.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            macs_high: self.macs_high,
            macs_low: self.macs_low,
            bytes: self.bytes,
            events: self.events,
            cycles: self.elapsed.total(),
        }
    }
}

/// One engine over the whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineReport {
    /// `dispatcher`, `dma0`, `dma1`, `dpu`, `vec`; with the tile's number appended from the second tile on.
    pub name: String,
    /// Tasks executed (instructions, for the dispatcher).
    pub tasks: u64,
    /// Cycles in which it worked.
    pub busy: u64,
    /// Cycles in which its next task waited for a barrier.
    pub barrier_wait: u64,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Name of the layer; `(none)` collects instructions without one.
    pub name: String,
    /// The operation it was lowered from.
    pub op: String,
    /// Source location; empty if not known.
    pub location: String,
    /// When its first task started, in cycles.
    pub start: u64,
    /// When its last task ended, in cycles.
    pub end: u64,
    /// `end − start`: layers may overlap, so these add up to more than the total.
    pub cycles: u64,
    /// Multiply-accumulates that the program states for the layer.
    pub macs_stated: u64,
    /// Format of its weights, `method low/block`; several are joined by `+`, and it is empty if it has no weights.
    #[serde(default)]
    pub weights: String,
    /// Work of its instructions.
    #[serde(flatten)]
    pub work: Work,
}

/// Origin and size of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramReport {
    /// The tool that made the program, with its version.
    pub tool: String,
    /// The pipeline that made it, with its options.
    pub pipeline: String,
    /// SHA-256 of the network, as hex digits; empty if not known.
    pub input_sha256: String,
    /// Instructions.
    pub instructions: u64,
    /// Bytes of constants.
    pub constant_bytes: u64,
    /// Bytes of DRAM, constants included.
    pub dram_bytes: u64,
}

impl ProgramReport {
    /// The description of a program.
    #[must_use]
    pub fn of(program: &Program) -> ProgramReport {
        ProgramReport {
            tool: program.manifest.tool.clone(),
            pipeline: program.manifest.pipeline.clone(),
            input_sha256: program.manifest.input_sha256.clone(),
            instructions: program.instrs.len() as u64,
            constant_bytes: program.consts.len() as u64,
            dram_bytes: program.dram_bytes,
        }
    }
}

/// Everything counted in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`Report::SCHEMA`].
    pub schema: String,
    /// [`Report::VERSION`].
    pub version: u32,
    /// Name of the machine that set the times.
    pub machine: String,
    /// Kind of its PEs.
    pub pe_kind: String,
    /// Fingerprint of that machine.
    pub machine_fingerprint: String,
    /// Its parameters, by their names in the machine file.
    pub machine_parameters: BTreeMap<Cow<'static, str>, u64>,
    /// Areas that it states, in um2 by level ([`Level::key`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub area_um2: BTreeMap<Cow<'static, str>, u64>,
    /// The program.
    pub program: ProgramReport,
    /// Number of samples run. All take the same time, and all figures are those of one; 0 if nothing was executed.
    pub samples: u64,
    /// Clock in MHz.
    pub clock_mhz: u32,
    /// Cycles from the first dispatch until everything was idle at `end`.
    pub cycles: u64,
    /// The same in milliseconds at the machine's clock.
    pub milliseconds: f64,
    /// Cycles of the same tasks without overlap, dispatch included.
    pub serial_cycles: u64,
    /// Engines of the machine.
    pub engines: Vec<EngineReport>,
    /// Work of the whole program.
    pub total: Work,
    /// Layers in program order.
    pub layers: Vec<LayerReport>,
    /// Every task and every buffer over time, if recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

impl Report {
    /// The schema name of the JSON form.
    pub const SCHEMA: &'static str = strum_cli::json::REPORT.name;
    /// Version of the JSON form: incremented when a field changes its meaning or is removed.
    pub const VERSION: u32 = strum_cli::json::REPORT.version;

    /// The PEs' peak, in multiply-accumulates per cycle.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let of = |name: &str| self.machine_parameters.get(name).copied().unwrap_or(0);
        ["tiles", "rows", "cols", "lanes"].into_iter().fold(1, |n, name| n.saturating_mul(of(name)))
    }

    /// The share of the PEs' peak that this work uses in the time that is attributed to it; `None` without such time.
    #[must_use]
    pub fn utilization(&self, work: &Work) -> Option<f64> {
        let tiles = self.machine_parameters.get("tiles").copied().unwrap_or(1).max(1);
        // Where tiles work on several layers at a time, one of these has the time, but each its busy cycles.
        let cycles = (work.elapsed.total() as f64).max(work.busy.dpu as f64 / tiles as f64);
        let most = cycles * self.peak() as f64;
        (most > 0.0).then(|| work.macs() as f64 / most)
    }

    /// The report of a finished run.
    pub(crate) fn new(
        program: &Program,
        machine: &Machine,
        cycles: u64,
        serial_cycles: u64,
        engines: Vec<EngineReport>,
        recorder: Recorder,
    ) -> Report {
        let (layers, total) = recorder.finish(program, machine, cycles);
        let areas = Level::ALL.iter().filter_map(|l| Some((Cow::Borrowed(l.key()), l.area_um2(machine)?)));
        let names = Machine::FIELDS.iter().map(|field| Cow::Borrowed(field.name));
        Report {
            schema: Report::SCHEMA.to_owned(),
            version: Report::VERSION,
            machine: machine.name.clone(),
            pe_kind: machine.pe_kind.name().to_owned(),
            machine_fingerprint: machine.fingerprint(),
            machine_parameters: names.zip(machine.values()).collect(),
            area_um2: areas.collect(),
            program: ProgramReport::of(program),
            samples: 1,
            clock_mhz: machine.clock_mhz,
            cycles,
            milliseconds: cycles as f64 / (f64::from(machine.clock_mhz) * 1e3),
            serial_cycles,
            engines,
            total,
            layers,
            timeline: None,
        }
    }
}
