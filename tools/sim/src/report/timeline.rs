//! The optional part of a report with the time of every event.
//!
//! Rows are in start order, and written as arrays: a network has thousands of them.

use dpu_isa::Program;
use serde::{Deserialize, Serialize};

use super::recorder::layer_of;
use crate::observe::{Dispatch, Observer, Task};
use crate::sram_map::SramMap;

/// A task, in JSON `[index, mnemonic, engine, layer, start, end, wait, dram, sram, macs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 10]", into = "[u64; 10]")]
pub struct TaskRow {
    /// Position in the instruction stream.
    pub index: u64,
    /// Index into [`Timeline::mnemonics`].
    pub mnemonic: u64,
    /// Index into the report's engines.
    pub engine: u64,
    /// Index into the report's layers.
    pub layer: u64,
    /// First cycle.
    pub start: u64,
    /// One past the last cycle.
    pub end: u64,
    /// Cycles for which the engine was free and the task waited for barriers.
    pub wait: u64,
    /// Bytes read from and written to DRAM.
    pub dram: u64,
    /// Bytes read from and written to SRAM.
    pub sram: u64,
    /// Multiply-accumulates.
    pub macs: u64,
}

impl From<[u64; 10]> for TaskRow {
    fn from(row: [u64; 10]) -> Self {
        let [index, mnemonic, engine, layer, start, end, wait, dram, sram, macs] = row;
        TaskRow { index, mnemonic, engine, layer, start, end, wait, dram, sram, macs }
    }
}

impl From<TaskRow> for [u64; 10] {
    fn from(r: TaskRow) -> Self {
        [r.index, r.mnemonic, r.engine, r.layer, r.start, r.end, r.wait, r.dram, r.sram, r.macs]
    }
}

/// A part of a tile's SRAM that holds data, in JSON `[tile, lo, hi, start, end, layer]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct SramRow {
    /// The tile.
    pub tile: u64,
    /// First byte.
    pub lo: u64,
    /// One past the last byte.
    pub hi: u64,
    /// Start of the first task that writes it.
    pub start: u64,
    /// End of the last task that touches it before the bytes are overwritten.
    pub end: u64,
    /// The layer that wrote it: an index into the report's layers.
    pub layer: u64,
}

impl From<[u64; 6]> for SramRow {
    fn from([tile, lo, hi, start, end, layer]: [u64; 6]) -> Self {
        SramRow { tile, lo, hi, start, end, layer }
    }
}

impl From<SramRow> for [u64; 6] {
    fn from(r: SramRow) -> Self {
        [r.tile, r.lo, r.hi, r.start, r.end, r.layer]
    }
}

/// Every task and every buffer over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Mnemonics that occur.
    pub mnemonics: Vec<String>,
    /// Tasks.
    pub tasks: Vec<TaskRow>,
    /// Buffers in the SRAMs.
    pub sram: Vec<SramRow>,
}

/// Records a [`Timeline`].
pub struct TimelineRecorder<'p> {
    program: &'p Program,
    timeline: Timeline,
    map: SramMap,
}

impl<'p> TimelineRecorder<'p> {
    /// For a run of this program.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        TimelineRecorder { program, timeline: Timeline::default(), map: SramMap::default() }
    }

    /// The recorded timeline.
    #[must_use]
    pub fn finish(self) -> Timeline {
        let Self { mut timeline, map, .. } = self;
        timeline.sram = map
            .finish()
            .into_iter()
            .map(|r| SramRow {
                tile: u64::from(r.tile),
                lo: r.lo,
                hi: r.hi,
                start: r.start,
                end: r.end,
                layer: r.layer as u64,
            })
            .collect();
        timeline
    }

    fn mnemonic(&mut self, name: &str) -> usize {
        let list = &mut self.timeline.mnemonics;
        list.iter().position(|known| known == name).unwrap_or_else(|| {
            list.push(name.to_owned());
            list.len() - 1
        })
    }
}

impl Observer for TimelineRecorder<'_> {
    fn dispatch(&mut self, _: &Dispatch) {}

    fn task(&mut self, task: &Task<'_>) {
        let layer = layer_of(self.program, task.index).unwrap_or(self.program.layers.len());
        self.map.task(task, layer);
        let b = &task.bytes;
        let row = TaskRow {
            index: task.index as u64,
            mnemonic: self.mnemonic(task.instr.mnemonic()) as u64,
            engine: task.engine as u64,
            layer: layer as u64,
            start: task.start,
            end: task.end,
            wait: task.wait,
            dram: b.dram_read.saturating_add(b.dram_write),
            sram: b.sram_read.saturating_add(b.sram_write),
            macs: task.macs,
        };
        self.timeline.tasks.push(row);
    }
}
