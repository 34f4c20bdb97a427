//! A trace is what the description of the Chrome Trace Event format asks for, and what Perfetto's importer relies on.
//!
//! The rules are written down here from that description and know nothing of the writer: event phases with their
//! required members, times in microseconds, tracks that are named, slices that nest, counters that are numbers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Conv, program, two_tiles};
use dpu_isa::{Machine, Method, Program};
use dpu_sim::{Options, Report, TensorView, TraceWriter, simulate_observed};
use serde_json::{Map, Value, json};

/// A number that is a time: not negative.
fn time(event: &Map<String, Value>, field: &str) -> Result<f64, String> {
    let value = event.get(field).and_then(Value::as_f64);
    value.filter(|t| *t >= 0.0).ok_or_else(|| format!("'{field}' is no time: {event:?}"))
}

fn integer(event: &Map<String, Value>, field: &str) -> Result<u64, String> {
    event.get(field).and_then(Value::as_u64).ok_or_else(|| format!("'{field}' is no whole number: {event:?}"))
}

fn text<'v>(event: &'v Map<String, Value>, field: &str) -> Result<&'v str, String> {
    event.get(field).and_then(Value::as_str).ok_or_else(|| format!("'{field}' is no string: {event:?}"))
}

/// What was found on the way.
#[derive(Default)]
struct Found {
    /// Names by process, and by process and thread.
    processes: BTreeMap<u64, String>,
    threads: BTreeMap<(u64, u64), String>,
    /// Slices of each track: start and end.
    slices: BTreeMap<(u64, u64), Vec<(f64, f64)>>,
    /// Times of each counter of a process.
    counters: BTreeMap<(u64, String), Vec<f64>>,
}

/// Whether this is a trace in the JSON Object Format; the reason if not.
fn check(trace: &Value) -> Result<Found, String> {
    let object = trace.as_object().ok_or("no object")?;
    let known: BTreeSet<&str> = ["traceEvents", "displayTimeUnit", "otherData"].into();
    if let Some(other) = object.keys().find(|key| !known.contains(key.as_str())) {
        return Err(format!("member '{other}'"));
    }
    if !matches!(object.get("displayTimeUnit").and_then(Value::as_str), None | Some("ms" | "ns")) {
        return Err("displayTimeUnit".into());
    }
    let events = object.get("traceEvents").and_then(Value::as_array).ok_or("no traceEvents")?;
    let mut found = Found::default();
    for event in events {
        check_event(event.as_object().ok_or("an event that is no object")?, &mut found)?;
    }
    for track in found.slices.keys() {
        if !found.threads.contains_key(track) {
            return Err(format!("track {track:?} has no name"));
        }
    }
    let pids = found.slices.keys().map(|(pid, _)| pid).chain(found.counters.keys().map(|(pid, _)| pid));
    if let Some(pid) = pids.into_iter().find(|pid| !found.processes.contains_key(pid)) {
        return Err(format!("process {pid} has no name"));
    }
    let names: BTreeSet<&String> = found.threads.values().collect();
    if names.len() != found.threads.len() {
        return Err(format!("two tracks of one name: {:?}", found.threads));
    }
    found
        .slices
        .iter_mut()
        .try_for_each(|(track, slices)| nest(slices).map_err(|e| format!("{track:?}: {e}")))?;
    for (counter, times) in &found.counters {
        if !times.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(format!("counter {counter:?} goes back in time: {times:?}"));
        }
    }
    Ok(found)
}

fn check_event(event: &Map<String, Value>, found: &mut Found) -> Result<(), String> {
    let known: BTreeSet<&str> = ["name", "cat", "ph", "ts", "dur", "pid", "tid", "args"].into();
    if let Some(other) = event.keys().find(|key| !known.contains(key.as_str())) {
        return Err(format!("member '{other}' of an event"));
    }
    let (name, pid, tid) = (text(event, "name")?, integer(event, "pid")?, integer(event, "tid")?);
    if event.contains_key("cat") {
        text(event, "cat")?;
    }
    let args = event.get("args").and_then(Value::as_object).ok_or_else(|| format!("args of {event:?}"))?;
    match text(event, "ph")? {
        "X" => {
            let (start, dur) = (time(event, "ts")?, time(event, "dur")?);
            found.slices.entry((pid, tid)).or_default().push((start, start + dur));
        }
        "C" => {
            let number = |value: &Value| value.as_f64().is_some_and(f64::is_finite);
            if args.is_empty() || !args.values().all(number) || event.contains_key("dur") {
                return Err(format!("a counter needs numbers: {event:?}"));
            }
            found.counters.entry((pid, name.to_owned())).or_default().push(time(event, "ts")?);
        }
        "M" => {
            let value = text(args, "name")?.to_owned();
            let before = match name {
                "process_name" => found.processes.insert(pid, value),
                "thread_name" => found.threads.insert((pid, tid), value),
                other => return Err(format!("metadata '{other}'")),
            };
            if before.is_some() || event.contains_key("ts") {
                return Err(format!("named twice, or at a time: {event:?}"));
            }
        }
        other => return Err(format!("phase '{other}'")),
    }
    Ok(())
}

/// Slices of a track lie beside or inside each other, to the tenth of a picosecond.
fn nest(slices: &mut [(f64, f64)]) -> Result<(), String> {
    const EPSILON: f64 = 1e-7;
    slices.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut open: Vec<(f64, f64)> = Vec::new();
    for &slice in slices.iter() {
        while open.pop_if(|outer| outer.1 <= slice.0 + EPSILON).is_some() {}
        if let Some(outer) = open.last().filter(|outer| slice.1 > outer.1 + EPSILON) {
            return Err(format!("{slice:?} sticks out of {outer:?}"));
        }
        open.push(slice);
    }
    Ok(())
}

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

/// Each tile has engines and a counter of its own, and what happens on one is not shown on the other.
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
