//! A trace satisfies the description of the Chrome Trace Event format, and the expectations of Perfetto's importer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
#[path = "common/trace_rules.rs"]
mod trace_rules;

use std::collections::BTreeMap;

use common::{Conv, program, two_tiles};
use dpu_isa::{Machine, Method, Program};
use dpu_sim::{Options, Report, TensorView, TraceWriter, simulate_observed};
use serde_json::{Value, json};
use trace_rules::check;

fn traced(program: &Program, conv: &Conv) -> (Report, Value) {
    let data = conv.input();
    let desc = &program.inputs[0];
    let inputs = [TensorView { dtype: desc.dtype, shape: &desc.shape, data: &data }];
    let mut trace = TraceWriter::new(program, &program.machine, Vec::new());
    let result = simulate_observed(program, &inputs, &Options::default(), &mut [&mut trace]).unwrap();
    for output in &result.outputs {
        assert_eq!(output.data, conv.expected());
    }
    let bytes = trace.finish(&result.report).unwrap();
    (result.report, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn traces_are_in_the_format() {
    let packed = Conv { method: Method::Mip2q, ..Conv::SMALL };
    for conv in [Conv::SMALL, packed, Conv { tiles: 8, ..Conv::SMALL }] {
        let (report, trace) = traced(&program(&conv), &conv);
        let found = check(&trace).unwrap();
        assert!(found.slices.len() >= 5, "dispatcher, three engines, layers");
        assert_eq!(found.counters.len(), 2, "{:?}", found.counters.keys());
        let last = found.slices.values().flatten().map(|slice| slice.1).fold(0.0, f64::max);
        // The run is over when `end` is dispatched, which takes some cycles more.
        let end = report.cycles + u64::from(Machine::flexnn_16x16().dispatch_cycles);
        let end = end as f64 / f64::from(report.clock_mhz);
        assert!((last - end).abs() < 1e-5, "{last} of {end} us");
    }
}

/// Each tile has engines and a counter of its own; activity on one is not shown on another.
#[test]
fn tiles_have_tracks_of_their_own() {
    let conv = Conv::SMALL;
    let program = two_tiles(&conv);
    let (report, trace) = traced(&program, &conv);
    let found = check(&trace).unwrap();
    let names: BTreeMap<&str, (u64, u64)> =
        found.threads.iter().map(|(at, name)| (name.as_str(), *at)).collect();
    for engine in &report.engines {
        let slices = found.slices.get(&names[engine.name.as_str()]).map_or(0, Vec::len) as u64;
        assert_eq!(slices, engine.tasks, "{}", engine.name);
    }
    let tasks: Vec<u64> =
        ["dpu", "dpu1"].iter().map(|n| report.engines.iter().find(|e| e.name == *n).unwrap().tasks).collect();
    assert_eq!(tasks, [5, 5], "an invariant and four variants each");
    let counters: Vec<&str> = found.counters.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(counters, ["DRAM bandwidth", "SRAM in use, tile 0", "SRAM in use, tile 1"]);
    let tile = |event: &&Value| event["cat"] == "task" && event["args"]["tile"] == 1;
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(tile).count() * 2, events.iter().filter(|e| e["cat"] == "task").count());
    let peak = |tile: usize| {
        let name = format!("SRAM in use, tile {tile}");
        let used = events.iter().filter(|e| e["ph"] == "C" && e["name"] == name.as_str());
        used.map(|e| e["args"]["bytes"].as_u64().unwrap()).max().unwrap()
    };
    assert_eq!(peak(0), peak(1), "both hold the same data, at other times");
}

#[test]
fn the_rules_are_not_met_by_anything() {
    let event = json!({"name": "a", "ph": "X", "ts": 1.0, "dur": 2.0, "pid": 1, "tid": 1, "args": {}});
    let named = [
        json!({"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "p"}}),
        json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "t"}}),
    ];
    let trace = |more: &[Value]| {
        let events: Vec<&Value> = named.iter().chain(more).collect();
        check(&json!({"traceEvents": events})).map(|_| ())
    };
    let with = |field: &str, value: Value| {
        let mut event = event.clone();
        event[field] = value;
        event
    };
    assert_eq!(trace(std::slice::from_ref(&event)), Ok(()));
    assert_eq!(trace(&[event.clone(), with("ts", json!(3.0))]), Ok(()), "beside");
    assert_eq!(trace(&[event.clone(), with("dur", json!(1.0))]), Ok(()), "inside");
    for (field, value) in [
        ("ph", json!("Q")),
        ("ts", json!("1")),
        ("ts", json!(-1.0)),
        ("dur", Value::Null),
        ("pid", json!("x")),
        ("tid", json!(7)),
        ("name", Value::Null),
        ("colour", json!("red")),
        ("args", Value::Null),
    ] {
        assert!(trace(&[with(field, value.clone())]).is_err(), "{field} {value}");
    }
    assert!(trace(&[event.clone(), with("ts", json!(2.0))]).is_err(), "one sticks out of the other");
    let counter = |args: Value| json!({"name": "c", "ph": "C", "ts": 1.0, "pid": 1, "tid": 0, "args": args});
    assert_eq!(trace(&[counter(json!({"n": 1}))]), Ok(()));
    assert!(trace(&[counter(json!({"n": "1"}))]).is_err());
    assert!(trace(&[counter(json!({}))]).is_err());
    assert!(trace(&[counter(json!({"n": 1})), counter(json!({"n": 2}))]).is_err(), "two values at one time");
    assert!(check(&json!([])).is_err() && check(&json!({"events": []})).is_err());
}
