//! The rules of the Chrome Trace Event format, written from its description.
//!
//! They are independent of the writer: event phases with their required members, times in microseconds, tracks that
//! are named, slices that nest, counters that are numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A non-negative number: a time.
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

/// Collected while checking.
#[derive(Default)]
pub(crate) struct Found {
    /// Names by process, and by process and thread.
    pub(crate) processes: BTreeMap<u64, String>,
    pub(crate) threads: BTreeMap<(u64, u64), String>,
    /// Slices of each track: start and end.
    pub(crate) slices: BTreeMap<(u64, u64), Vec<(f64, f64)>>,
    /// Times of each counter of a process.
    pub(crate) counters: BTreeMap<(u64, String), Vec<f64>>,
}

/// Whether this is a trace in the JSON Object Format; the reason if not.
pub(crate) fn check(trace: &Value) -> Result<Found, String> {
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
