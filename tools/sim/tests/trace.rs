//! The outputs of a run beside its result: report, timeline and trace agree, and are complete.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Conv, program};
use dpu_isa::{Machine, Method, Program};
use dpu_sim::{Options, Report, RunFiles, TensorView, TraceWriter, simulate, simulate_observed};
use serde_json::Value;

const CONVS: [Conv; 4] = [
    Conv::SMALL,
    Conv { method: Method::Mip2q, ..Conv::SMALL },
    Conv { tiles: 1, ..Conv::SMALL },
    Conv { tiles: 8, ..Conv::SMALL },
];

/// Traces a run and reads everything back.
fn traced(program: &Program, conv: &Conv) -> (Report, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (report, trace) = (folder.path().join("r.json"), folder.path().join("t.json"));
    let mut files = RunFiles::create(program, &program.machine, Some(&report), Some(&trace)).unwrap();
    let data = conv.input();
    let desc = &program.inputs[0];
    let inputs = [TensorView { dtype: desc.dtype, shape: &desc.shape, data: &data }];
    let mut result = simulate_observed(program, &inputs, &Options::default(), &mut [&mut files]).unwrap();
    files.commit(&mut result.report).unwrap();
    let unseen = simulate(program, &inputs, &Options::default()).unwrap();
    assert_eq!(unseen.report, Report { timeline: None, ..result.report.clone() }, "watching changes nothing");
    let read = Report::from_json(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(read, result.report);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    (read, serde_json::from_slice(&std::fs::read(&trace).unwrap()).unwrap())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// The slices of every track, in order of their starts, by the track's name.
fn tracks(trace: &Value) -> BTreeMap<String, Vec<&Value>> {
    let events = trace["traceEvents"].as_array().unwrap();
    let names: BTreeMap<u64, &str> = events
        .iter()
        .filter(|e| e["name"] == "thread_name")
        .map(|e| (number(&e["tid"]), e["args"]["name"].as_str().unwrap()))
        .collect();
    let mut tracks: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for slice in events.iter().filter(|e| e["ph"] == "X") {
        tracks.entry(names[&number(&slice["tid"])].to_owned()).or_default().push(slice);
    }
    for slices in tracks.values_mut() {
        slices.sort_by_key(|s| number(&s["args"]["start_cycle"]));
    }
    tracks
}

#[test]
fn slices_of_a_track_do_not_overlap_and_add_up_to_its_busy_cycles() {
    for conv in CONVS {
        let (report, trace) = traced(&program(&conv), &conv);
        let tracks = tracks(&trace);
        for engine in report.engines.iter().filter(|e| e.tasks > 0) {
            let slices = &tracks[&engine.name];
            let busy: u64 = slices.iter().map(|s| number(&s["args"]["cycles"])).sum();
            assert_eq!((slices.len() as u64, busy), (engine.tasks, engine.busy), "{}", engine.name);
        }
        for (name, slices) in &tracks {
            for pair in slices.windows(2) {
                let [a, b] = [pair[0], pair[1]].map(|s| number(&s["args"]["start_cycle"]));
                assert!(a + number(&pair[0]["args"]["cycles"]) <= b, "{name}");
                let end = pair[0]["ts"].as_f64().unwrap() + pair[0]["dur"].as_f64().unwrap();
                assert!(end <= pair[1]["ts"].as_f64().unwrap() + 1e-7, "{name}");
            }
        }
    }
}

#[test]
fn every_instruction_and_every_byte_is_in_the_trace() {
    for conv in CONVS {
        let program = program(&conv);
        let (report, trace) = traced(&program, &conv);
        let tracks = tracks(&trace);
        let indices = |track: &str| -> Vec<u64> {
            tracks.get(track).map_or(Vec::new(), |t| t.iter().map(|s| number(&s["args"]["index"])).collect())
        };
        let all: Vec<u64> = (0..program.instrs.len() as u64).collect();
        assert_eq!(indices("dispatcher"), all, "dispatched in order, all of them");
        let run: BTreeSet<u64> = ["dma0", "dma1", "dpu", "vec"].iter().flat_map(|t| indices(t)).collect();
        let tasks =
            all.iter().filter(|&&i| !matches!(program.instrs[i as usize].mnemonic(), "bar_cfg" | "end"));
        assert!(run.iter().eq(tasks), "every task runs once");
        let events = trace["traceEvents"].as_array().unwrap();
        let sum = |field: &str| -> u64 {
            events.iter().filter(|e| e["cat"] == "task").map(|e| number(&e["args"]["bytes"][field])).sum()
        };
        assert_eq!(sum("dram_read"), report.total.bytes.dram_read);
        assert_eq!(sum("sram_write"), report.total.bytes.sram_write);
        let layers = tracks["layers"].iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>();
        assert!(layers.contains(&"conv1"), "{layers:?}");
        assert!(tracks["dpu"].iter().all(|s| s["args"]["location"] == "net.mlir:12:8"));
    }
}

#[test]
fn counters_stay_within_the_machine() {
    for conv in CONVS {
        let program = program(&conv);
        let (report, trace) = traced(&program, &conv);
        let events = trace["traceEvents"].as_array().unwrap();
        let counter = |name: &'static str| events.iter().filter(move |e| e["ph"] == "C" && e["name"] == name);
        let used: Vec<u64> = counter("SRAM in use").map(|e| number(&e["args"]["bytes"])).collect();
        assert_eq!(used.last(), Some(&0));
        let peak = *used.iter().max().unwrap();
        let loaded = report.total.bytes.sram_write;
        assert!(peak > 0 && peak <= loaded && peak <= program.machine.sram_bytes, "{peak}");
        let rates = rates(&trace);
        let limit = f64::from(program.machine.dram_bytes_per_cycle * program.machine.clock_mhz) / 1000.0;
        assert!(rates.iter().all(|&(_, r)| (0.0..=limit * (1.0 + 1e-9)).contains(&r)), "{limit} {rates:?}");
        assert!(rates.iter().any(|&(_, r)| r > 0.9 * limit), "{limit} {rates:?}");
        assert_eq!(rates.last().map(|&(_, rate)| rate), Some(0.0));
        assert!(rates.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1), "{rates:?}");
    }
}

#[test]
fn the_use_of_the_sram_adds_up_to_its_buffers() {
    for conv in CONVS {
        let (report, trace) = traced(&program(&conv), &conv);
        let events = trace["traceEvents"].as_array().unwrap();
        let steps: Vec<(f64, u64)> = events
            .iter()
            .filter(|e| e["ph"] == "C" && e["name"] == "SRAM in use")
            .map(|e| (e["ts"].as_f64().unwrap(), number(&e["args"]["bytes"])))
            .collect();
        let area: f64 = steps.windows(2).map(|pair| pair[0].1 as f64 * (pair[1].0 - pair[0].0)).sum();
        let buffers = report.timeline.unwrap().sram;
        let byte_cycles: u64 = buffers.iter().map(|b| (b.hi - b.lo) * (b.end - b.start)).sum();
        let expected = byte_cycles as f64 / f64::from(report.clock_mhz);
        assert!(expected > 0.0 && (area - expected).abs() < 1e-6 * expected, "{area} {expected}");
    }
}

/// Steps of the counter of the DRAM's rate: microseconds and GB/s.
fn rates(trace: &Value) -> Vec<(f64, f64)> {
    let events = trace["traceEvents"].as_array().unwrap().iter();
    let steps = events.filter(|e| e["ph"] == "C" && e["name"] == "DRAM bandwidth");
    steps.map(|e| (e["ts"].as_f64().unwrap(), e["args"]["GB/s"].as_f64().unwrap())).collect()
}

#[test]
fn the_rate_of_the_dram_adds_up_to_the_bytes_moved() {
    let slow = |program: &mut Program| program.machine.dram_bytes_per_cycle = 1;
    let quick = |program: &mut Program| program.machine.dram_latency_cycles = 0;
    let changes: [&dyn Fn(&mut Program); 3] = [&|_| (), &slow, &quick];
    for (conv, change) in CONVS.iter().flat_map(|conv| changes.map(|change| (conv, change))) {
        let mut program = program(conv);
        change(&mut program);
        let (report, trace) = traced(&program, conv);
        let moved = report.total.bytes.dram_read + report.total.bytes.dram_write;
        // GB/s times µs are kB.
        let kilobytes: f64 = rates(&trace).windows(2).map(|pair| pair[0].1 * (pair[1].0 - pair[0].0)).sum();
        assert!((kilobytes * 1000.0 - moved as f64).abs() < 0.5, "{kilobytes} kB of {moved} bytes");
    }
}

#[test]
fn the_timeline_is_that_of_the_report() {
    for conv in CONVS {
        let program = program(&conv);
        let (report, _) = traced(&program, &conv);
        let timeline = report.timeline.unwrap();
        for (number, engine) in report.engines.iter().enumerate().skip(1) {
            let rows = timeline.tasks.iter().filter(|t| t.engine == number as u64);
            assert_eq!(rows.clone().map(|t| t.end - t.start).sum::<u64>(), engine.busy);
            assert_eq!(rows.map(|t| t.wait).sum::<u64>(), engine.barrier_wait);
        }
        for (number, layer) in report.layers.iter().enumerate() {
            let rows = timeline.tasks.iter().filter(|t| t.layer == number as u64);
            assert_eq!(rows.map(|t| t.macs).sum::<u64>(), layer.work.macs());
        }
        // Buffers do not overlap at any time.
        for (i, a) in timeline.sram.iter().enumerate() {
            assert!(a.lo < a.hi && a.hi <= program.machine.sram_bytes && a.start < a.end, "{a:?}");
            for b in &timeline.sram[i + 1..] {
                let apart = a.hi <= b.lo || b.hi <= a.lo || a.end <= b.start || b.end <= a.start;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn every_cycle_is_attributed_once() {
    for conv in CONVS {
        let (report, _) = traced(&program(&conv), &conv);
        assert_eq!(report.total.elapsed.total(), report.cycles);
        assert_eq!(report.layers.iter().map(|l| l.work.elapsed.total()).sum::<u64>(), report.cycles);
        assert_eq!(report.total.elapsed.dpu, report.total.busy.dpu, "one DPU works for itself alone");
        assert!(report.total.elapsed.dma <= report.total.busy.dma0 + report.total.busy.dma1);
    }
}

#[test]
fn energy_is_the_sum_of_its_parts_and_of_its_layers() {
    for conv in CONVS {
        let (report, _) = traced(&program(&conv), &conv);
        let total = report.total.energy_fj;
        assert_eq!(total.parts().iter().sum::<u64>(), total.total);
        assert_eq!(report.layers.iter().map(|l| l.work.energy_fj.total).sum::<u64>(), total.total);
        assert_eq!(report.layers.iter().map(|l| l.work.energy_fj.pe).sum::<u64>(), total.pe);
        let m = Machine::flexnn_16x16();
        let bytes = report.total.bytes;
        assert_eq!(total.dram, (bytes.dram_read + bytes.dram_write) * m.dram_byte_fj);
        let low = if conv.method == Method::Dense { 0 } else { conv.macs() / 2 };
        assert_eq!((total.multipliers, total.shifters), ((conv.macs() - low) * m.mult_fj, low * m.shift_fj));
    }
}

/// A file that is full.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_and_does_not_stop_the_run() {
    let conv = Conv::SMALL;
    let program = program(&conv);
    let data = conv.input();
    let desc = &program.inputs[0];
    let inputs = [TensorView { dtype: desc.dtype, shape: &desc.shape, data: &data }];
    let mut trace = TraceWriter::new(&program, &Machine::flexnn_16x16(), Full(2000));
    let result = simulate_observed(&program, &inputs, &Options::default(), &mut [&mut trace]).unwrap();
    let error = trace.finish(&result.report).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn report_and_trace_are_two_files() {
    let program = program(&Conv::SMALL);
    let path = std::path::Path::new("x.json");
    let error = RunFiles::create(&program, &program.machine, Some(path), Some(path)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "--report and --trace would both go to 'x.json': give each a file of its own"
    );
}
