//! A run as a trace in the Chrome Trace Event format, which Perfetto and `chrome://tracing` open.
//!
//! Tasks are written when they start, so memory grows with the program and not with the length of a run: only the
//! buffers of the SRAM counter are kept to the end. Times are microseconds at the machine's clock; the cycles are in
//! the arguments. Slices of a track never overlap.

use std::io::{self, Write};

use dpu_isa::{Machine, Program};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Site;
use crate::observe::{Dispatch, Observer, Task};
use crate::report::Report;
use crate::report::layer_of;
use crate::sram_map::{SramMap, usage};

/// The one process of the trace.
const PROCESS: u32 = 1;
/// First track of the layers; layers that overlap in time use further ones.
const LAYER_TRACKS: usize = 1000;

/// An event of the trace.
#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    ph: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'static str,
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    args: Value,
}

/// Writes a trace while a program runs.
pub struct TraceWriter<'p, W: Write> {
    out: W,
    program: &'p Program,
    clock_mhz: u64,
    map: SramMap,
    /// End of the DRAM channel's occupation, if the counter of its rate is not 0.
    channel: Option<u64>,
    any: bool,
    failed: Option<io::Error>,
}

impl<'p, W: Write> TraceWriter<'p, W> {
    /// Starts a trace of a run of `program` on `machine`.
    pub fn new(program: &'p Program, machine: &Machine, out: W) -> Self {
        let mut trace = TraceWriter {
            out,
            program,
            clock_mhz: u64::from(machine.clock_mhz.max(1)),
            map: SramMap::default(),
            channel: None,
            any: false,
            failed: None,
        };
        let other =
            json!({"machine": machine.name, "clock_mhz": machine.clock_mhz, "tool": program.manifest.tool});
        trace.attempt(|t| {
            write!(t.out, "{{\"displayTimeUnit\": \"ns\",\n\"otherData\": {other},\n\"traceEvents\": [")
        });
        trace.name("process_name", 0, &format!("DPU {}", machine.name));
        trace
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(self).err();
        }
    }

    /// Microseconds, to the picosecond and rounded down, so that a slice that ends where another starts does so here.
    fn micros(&self, cycle: u64) -> f64 {
        let picoseconds = u128::from(cycle) * 1_000_000 / u128::from(self.clock_mhz);
        picoseconds as f64 / 1e6
    }

    fn event(&mut self, event: &Event<'_>) {
        let comma = if std::mem::replace(&mut self.any, true) { ",\n" } else { "\n" };
        self.attempt(|t| {
            t.out.write_all(comma.as_bytes())?;
            serde_json::to_writer(&mut t.out, event).map_err(io::Error::from)
        });
    }

    /// Names the process or a track.
    fn name(&mut self, what: &'static str, tid: usize, name: &str) {
        let args = json!({ "name": name });
        self.event(&Event { name: what, ph: "M", cat: "", pid: PROCESS, tid, ts: None, dur: None, args });
    }

    fn slice(&mut self, name: &str, cat: &'static str, tid: usize, start: u64, end: u64, args: Value) {
        let (ts, to) = (self.micros(start), self.micros(end));
        let dur = ((to - ts) * 1e6).round() / 1e6;
        let (ts, dur) = (Some(ts), Some(dur));
        self.event(&Event { name, ph: "X", cat, pid: PROCESS, tid, ts, dur, args });
    }

    fn counter(&mut self, name: &str, at: u64, args: Value) {
        let ts = Some(self.micros(at));
        self.event(&Event { name, ph: "C", cat: "", pid: PROCESS, tid: 0, ts, dur: None, args });
    }

    /// The rate of the DRAM channel from this cycle on.
    fn rate(&mut self, at: u64, gigabytes_a_second: f64) {
        self.counter("DRAM bandwidth", at, json!({ "GB/s": gigabytes_a_second }));
    }

    /// The channel serves one task after another, in start order.
    fn transfer(&mut self, task: &Task<'_>) {
        let Some((first, end)) = task.channel.filter(|(first, end)| first < end) else { return };
        if let Some(free) = self.channel.replace(end).filter(|&free| free < first) {
            self.rate(free, 0.0);
        }
        let bytes = task.bytes.dram_read.saturating_add(task.bytes.dram_write);
        self.rate(first, bytes as f64 * self.clock_mhz as f64 / (end - first) as f64 / 1e3);
    }

    /// Writes the layers and counters, which are known at the end, and completes the file.
    ///
    /// # Errors
    /// The first one of the writer.
    pub fn finish(mut self, report: &Report) -> io::Result<W> {
        for (tid, engine) in report.engines.iter().enumerate() {
            self.name("thread_name", tid + 1, &engine.name);
        }
        if let Some(free) = self.channel.take() {
            self.rate(free, 0.0);
        }
        self.layers(report);
        let rects = std::mem::take(&mut self.map).finish();
        let tiles = rects.iter().map(|r| r.tile).max().map_or(0, |t| t + 1);
        for tile in 0..tiles {
            let name =
                if tiles == 1 { "SRAM in use".to_owned() } else { format!("SRAM in use, tile {tile}") };
            for (at, used) in usage(&rects, tile) {
                self.counter(&name, at, json!({ "bytes": used }));
            }
        }
        self.attempt(|t| t.out.write_all(b"\n]}\n").and_then(|()| t.out.flush()));
        self.failed.map_or(Ok(self.out), Err)
    }

    fn layers(&mut self, report: &Report) {
        let mut order: Vec<_> = report.layers.iter().filter(|l| l.end > l.start).collect();
        order.sort_by_key(|l| (l.start, l.end));
        // When each track is free.
        let mut tracks: Vec<u64> = Vec::new();
        for layer in order {
            let free = tracks.iter().position(|&end| end <= layer.start).unwrap_or_else(|| {
                let name = if tracks.is_empty() {
                    "layers".to_owned()
                } else {
                    format!("layers ({})", tracks.len() + 1)
                };
                self.name("thread_name", LAYER_TRACKS + tracks.len(), &name);
                tracks.push(0);
                tracks.len() - 1
            });
            if let Some(track) = tracks.get_mut(free) {
                *track = layer.end;
            }
            let args = json!({
                "op": layer.op, "location": layer.location, "start_cycle": layer.start, "cycles": layer.cycles,
                "macs": layer.work.macs(), "elapsed_cycles": layer.work.elapsed.total(), "bytes": layer.work.bytes,
            });
            self.slice(&layer.name, "layer", LAYER_TRACKS + free, layer.start, layer.end, args);
        }
    }
}

impl<W: Write + Send> Observer for TraceWriter<'_, W> {
    fn dispatch(&mut self, event: &Dispatch) {
        let site = Site::of(self.program, event.index);
        let cycles = event.end - event.start;
        let args = json!({
            "index": event.index, "layer": site.layer, "start_cycle": event.start, "cycles": cycles, "held": event.held,
        });
        self.slice(site.mnemonic, "dispatch", 1, event.start, event.end, args);
    }

    fn task(&mut self, task: &Task<'_>) {
        self.transfer(task);
        let layer = layer_of(self.program, task.index).unwrap_or(self.program.layers.len());
        self.map.task(task, layer);
        let site = Site::of(self.program, task.index);
        let name = if site.layer.is_empty() {
            site.mnemonic.to_owned()
        } else {
            format!("{} {}", site.layer, site.mnemonic)
        };
        let args = json!({
            "index": task.index, "location": site.location, "tile": task.instr.tile(), "start_cycle": task.start,
            "cycles": task.end - task.start, "wait": task.wait, "bytes": task.bytes, "macs": task.macs,
        });
        self.slice(&name, "task", task.engine + 1, task.start, task.end, args);
    }
}
