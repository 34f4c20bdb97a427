//! What a run did: time, work and traffic of the machine and of every layer.
//!
//! A report is a function of program, inputs and machine alone; the host's speed is not in it.

use std::collections::BTreeMap;
use std::fmt;

use dpu_isa::Program;
use serde::Serialize;

use crate::timing::{Cost, Events};

/// Bytes moved, by memory and direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Bytes read from DRAM.
    pub dram_read: u64,
    /// Bytes written to DRAM.
    pub dram_write: u64,
    /// Bytes read from SRAM, repeated reads included.
    pub sram_read: u64,
    /// Bytes written to SRAM.
    pub sram_write: u64,
}

impl Traffic {
    /// No bytes.
    pub(crate) const NONE: Traffic = Traffic { dram_read: 0, dram_write: 0, sram_read: 0, sram_write: 0 };

    fn add(&mut self, more: &Traffic) {
        self.dram_read = self.dram_read.saturating_add(more.dram_read);
        self.dram_write = self.dram_write.saturating_add(more.dram_write);
        self.sram_read = self.sram_read.saturating_add(more.sram_read);
        self.sram_write = self.sram_write.saturating_add(more.sram_write);
    }
}

/// Cycles in which something had to wait, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

/// Work that adds up over tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Busy cycles by kind of engine.
    pub busy: Busy,
    /// Cycles lost, by reason.
    pub stalls: Stalls,
    /// Multiply-accumulates with plain or high-precision weights, taps in the padding included.
    pub macs_high: u64,
    /// Multiply-accumulates with low members of packed weights.
    pub macs_low: u64,
    /// Bytes moved.
    pub bytes: Traffic,
    /// Everything else that costs energy.
    pub events: Events,
    /// Instructions executed, by mnemonic.
    pub instructions: BTreeMap<&'static str, u64>,
}

impl Work {
    /// All multiply-accumulates.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.macs_high.saturating_add(self.macs_low)
    }

    pub(crate) fn add(&mut self, more: &Work) {
        self.busy.dma0 = self.busy.dma0.saturating_add(more.busy.dma0);
        self.busy.dma1 = self.busy.dma1.saturating_add(more.busy.dma1);
        self.busy.dpu = self.busy.dpu.saturating_add(more.busy.dpu);
        self.busy.vec = self.busy.vec.saturating_add(more.busy.vec);
        self.stalls.add(&more.stalls);
        self.macs_high = self.macs_high.saturating_add(more.macs_high);
        self.macs_low = self.macs_low.saturating_add(more.macs_low);
        self.bytes.add(&more.bytes);
        self.events.add(&more.events);
        for (mnemonic, n) in &more.instructions {
            *self.instructions.entry(mnemonic).or_default() += n;
        }
    }

    pub(crate) fn add_cost(&mut self, cost: &Cost) {
        self.bytes.add(&cost.traffic);
        self.events.add(&cost.events);
    }
}

/// One engine over the whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// Work of its instructions.
    #[serde(flatten)]
    pub work: Work,
}

/// Everything counted in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the machine that set the times.
    pub machine: String,
    /// Fingerprint of that machine.
    pub machine_fingerprint: String,
    /// Clock in MHz.
    pub clock_mhz: u32,
    /// Cycles from the first dispatch until everything was idle at `end`.
    pub cycles: u64,
    /// The same in milliseconds at the machine's clock.
    pub milliseconds: f64,
    /// Cycles that the same tasks would take one after the other: dispatch included, no two at a time.
    pub serial_cycles: u64,
    /// Engines of the machine.
    pub engines: Vec<EngineReport>,
    /// Work of the whole program.
    pub total: Work,
    /// Layers in program order.
    pub layers: Vec<LayerReport>,
}

impl Report {
    /// The report as JSON text.
    ///
    /// # Errors
    /// When serialization fails, which no report makes it do.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The totals, a few lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let t = &self.total;
        let b = &t.bytes;
        format!(
            "cycles  {} ({:.3} ms at {} MHz, {})\n\
             macs    {} ({} high, {} low)\n\
             dram    {} bytes read, {} written\n\
             sram    {} bytes read, {} written\n",
            self.cycles,
            self.milliseconds,
            self.clock_mhz,
            self.machine,
            t.macs(),
            t.macs_high,
            t.macs_low,
            b.dram_read,
            b.dram_write,
            b.sram_read,
            b.sram_write,
        )
    }
}

/// A table of layers, engines and totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "layer", "op", "cycles", "dma0", "dma1", "dpu", "vec", "wait", "macs", "low%", "dram rd",
            "dram wr", "sram rd", "sram wr", "instrs",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        for l in &self.layers {
            rows.push(row(&l.name, &l.op, l.cycles, &l.work));
        }
        rows.push(row("total", "", self.cycles, &self.total));
        write_table(f, &rows)?;
        let s = &self.total.stalls;
        writeln!(f)?;
        for e in &self.engines {
            let share = percent(e.busy, self.cycles);
            writeln!(f, "{:<12} {:>12} cycles busy ({share}%), {} tasks", e.name, e.busy, e.tasks)?;
        }
        let stalls = format!(
            "stalls       {:>12} cycles for barriers, {} for a full FIFO, {} to arm a barrier",
            s.barrier_wait, s.fifo_full, s.barrier_arm
        );
        writeln!(f, "{stalls}")?;
        write!(f, "{}", self.summary())
    }
}

fn row(name: &str, op: &str, cycles: u64, w: &Work) -> [String; 15] {
    let numbers = [cycles, w.busy.dma0, w.busy.dma1, w.busy.dpu, w.busy.vec, w.stalls.barrier_wait, w.macs()];
    let [cycles, dma0, dma1, dpu, vec, wait, macs] = numbers.map(|n| n.to_string());
    let b = &w.bytes;
    let [dr, dw, sr, sw] = [b.dram_read, b.dram_write, b.sram_read, b.sram_write].map(|n| n.to_string());
    let low = percent(w.macs_low, w.macs());
    let instrs = w.instructions.values().sum::<u64>().to_string();
    let (name, op) = (name.to_owned(), op.to_owned());
    [name, op, cycles, dma0, dma1, dpu, vec, wait, macs, low, dr, dw, sr, sw, instrs]
}

/// One decimal; `-` of nothing.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

/// Columns as wide as needed; the first two to the left, numbers to the right.
fn write_table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |c: usize| rows.iter().map(|r| r.get(c).map_or(0, |t| t.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (c, (text, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if c == 0 { "" } else { "  " };
            let cell = if c < 2 { format!("{gap}{text:<width$}") } else { format!("{gap}{text:>width$}") };
            line.push_str(&cell);
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Collects the work of each layer during a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// One for each layer of the program, and the last for instructions without one.
    layers: Vec<(Work, Option<(u64, u64)>)>,
}

impl Recorder {
    pub(crate) fn new(program: &Program) -> Recorder {
        Recorder { layers: vec![(Work::default(), None); program.layers.len() + 1] }
    }

    /// The work of the layer that instruction `index` belongs to.
    pub(crate) fn work(&mut self, program: &Program, index: usize) -> &mut Work {
        &mut self.entry(program, index).0
    }

    /// A task of instruction `index` ran from `start` to `end`.
    pub(crate) fn span(&mut self, program: &Program, index: usize, start: u64, end: u64) {
        let (_, span) = self.entry(program, index);
        let (first, last) = span.unwrap_or((start, end));
        *span = Some((first.min(start), last.max(end)));
    }

    fn entry(&mut self, program: &Program, index: usize) -> &mut (Work, Option<(u64, u64)>) {
        let none = self.layers.len() - 1;
        let layer = program.meta.get(index).and_then(|m| usize::try_from(m.layer).ok());
        let place = layer.filter(|&l| l < none).unwrap_or(none);
        &mut self.layers[place]
    }

    /// The layers' reports and their sum.
    pub(crate) fn finish(self, program: &Program) -> (Vec<LayerReport>, Work) {
        let mut total = Work::default();
        let mut reports = Vec::new();
        for (i, (work, span)) in self.layers.into_iter().enumerate() {
            total.add(&work);
            let layer = program.layers.get(i);
            if layer.is_none() && work.instructions.is_empty() {
                continue;
            }
            let (start, end) = span.unwrap_or((0, 0));
            let loc = layer.and_then(|l| usize::try_from(l.loc).ok()).and_then(|l| program.locs.get(l));
            reports.push(LayerReport {
                name: layer.map_or_else(|| "(none)".to_owned(), |l| l.name.clone()),
                op: layer.map_or_else(String::new, |l| l.op.clone()),
                location: loc.cloned().unwrap_or_default(),
                start,
                end,
                cycles: end.saturating_sub(start),
                macs_stated: layer.map_or(0, |l| l.macs),
                work,
            });
        }
        (reports, total)
    }
}
