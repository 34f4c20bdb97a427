//! Strategies as files: reading returns what was written, and every fault of a file is reported.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strum_plan::strategy::{
    CutStrategy, Document, DocumentError, LayerStrategy, ProgramStrategy, ScheduleStrategy, Strategy,
    TilingStrategy,
};

/// A strategy that has every field.
fn full() -> Value {
    json!({
        "version": Strategy::VERSION,
        "machine": "flexnn-16x16",
        "programs": [{
            "name": "main",
            "prefetch_bytes": 1024,
            "bundle": {"constant_bytes": 1, "first_bytes": 2, "transfer_bytes": 3},
            "layers": [{
                "name": "0.conv2d",
                "location": "net.mlir:1:2",
                "output": "1x2x3x4xi8",
                "stays": true,
                "prefetch": false,
                "tiling": {
                    "oy": 1, "ox": 2, "oc": 3, "oc_groups": 1, "ic": 4, "ky": 5, "kx": 6,
                    "order": "channel_outer", "gather": true,
                    "act_slots": 2, "weight_slots": 2, "out_slots": 2, "split_weights": false
                },
                "schedules": [{
                    "tile": { "oc": 1, "oy": 2, "ox": 3, "ic": 4 },
                    "pes": { "oc": 1, "oy": 2, "ox": 3, "ic": 4 },
                    "stationary": "weight",
                    "block": { "oc": 1, "oy": 2, "ox": 3 },
                    "fold": true
                }],
                "cuts": [{ "by": "vec", "over": [8, 4], "tile": [1, 4] }]
            }]
        }]
    })
}

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn the_page_names_every_field() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/strategy.md")).unwrap();
    let mut names = BTreeSet::new();
    keys(&full(), &mut names);
    // The strategy has every field, otherwise writing it back would add or lose some.
    let strategy = Strategy::from_json(&full().to_string()).unwrap();
    assert_eq!(serde_json::to_value(&strategy).unwrap(), full());
    let all = [
        format!("{:?}", TilingStrategy::default()),
        format!("{:?}", LayerStrategy::default()),
        format!("{:?}", CutStrategy::default()),
        format!("{:?}", ProgramStrategy::default()),
    ];
    for debug in all {
        let fields = debug.split(['{', ',']).filter_map(|part| part.trim().split_once(':'));
        for (field, _) in fields {
            assert!(names.contains(field.trim()), "{field} is not in the test's strategy");
        }
    }
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/strategy.md does not name `{name}`");
    }
}

#[test]
fn what_is_left_out_is_left_open() {
    let strategy =
        Strategy::from_json(r#"{"version": 1, "programs": [{"name": "f", "layers": [{"name": "0.x"}]}]}"#);
    let program = strategy.unwrap().program("f").cloned().unwrap();
    let layer = LayerStrategy { name: "0.x".into(), ..LayerStrategy::default() };
    assert_eq!(
        program,
        ProgramStrategy { name: "f".into(), layers: vec![layer], ..ProgramStrategy::default() }
    );
    let none: Vec<ScheduleStrategy> = Vec::new();
    assert_eq!(program.layers.first().unwrap().schedules, none);
}

fn error(text: &str) -> String {
    Strategy::from_json(text).unwrap_err().to_string()
}

#[test]
fn bad_files_are_refused_with_place_and_reason() {
    for (text, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
        ("[1]", "invalid type: sequence, expected an object"),
        (r#"{"version": 1, "programs": [["f"]]}"#, "invalid type: sequence, expected an object"),
        ("{}", "missing field `version` at line 1 column 2"),
        (r#"{"version": 2, "news": 1}"#, "unsupported version 2, expected 1"),
        (r#"{"version": -1}"#, "invalid value: integer `-1`, expected u64 at line 1 column 14"),
        (r#"{"version": 1, "news": 1}"#, "unknown field `news`, expected one of"),
        (r#"{"version": 1, "programs": [{"name": "f", "layers": [{}]}]}"#, "missing field `name`"),
        (r#"{"version": 1, "programs": [{"name": "f"}, {"name": "f"}]}"#, "duplicate program 'f'"),
        (
            r#"{"version": 1, "programs": [{"name": "f", "layers": [{"name": "0.x"}, {"name": "0.x"}]}]}"#,
            "duplicate layer '0.x' in program 'f'",
        ),
        (
            r#"{"version": 1, "programs": [{"name": "f", "layers": [{"name": "0.x", "stays": 1}]}]}"#,
            "invalid type: integer `1`, expected a boolean",
        ),
        (
            r#"{"version": 1, "programs": [{"name": "f", "layers": [{"name": "0.x", "tiling": {"order": "x"}}]}]}"#,
            "unknown variant `x`, expected `spatial_outer` or `channel_outer`",
        ),
        (r#"{"version": 1, "version": 1}"#, "duplicate field `version`"),
        (r#"{"version": 1} {"version": 1}"#, "trailing characters at line 1 column 16"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// All objects and fields, as JSON pointers.
fn places(value: &Value, path: &str, objects: &mut Vec<String>, fields: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            objects.push(path.to_owned());
            for (key, value) in map {
                fields.push(format!("{path}/{key}"));
                places(value, &format!("{path}/{key}"), objects, fields);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{path}/{i}"), objects, fields);
            }
        }
        _ => {}
    }
}

#[test]
fn no_object_takes_an_unknown_field_a_field_twice_or_a_list() {
    let (mut objects, mut fields) = (Vec::new(), Vec::new());
    places(&full(), "", &mut objects, &mut fields);
    assert!(objects.len() >= 9 && fields.len() > 30, "{objects:?}");
    let refused = |text: &str, expected: &str| {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    };
    for place in &objects {
        let mut strategy = full();
        let object = strategy.pointer_mut(place).unwrap();
        object["news"] = json!(1);
        refused(&strategy.to_string(), "unknown field `news`");
        let mut strategy = full();
        let object = strategy.pointer_mut(place).unwrap();
        *object = object.as_object().unwrap().values().cloned().collect::<Vec<_>>().into();
        refused(&strategy.to_string(), "invalid type: sequence, expected an object");
        *strategy.pointer_mut(place).unwrap() = json!([]);
        refused(&strategy.to_string(), "invalid type: sequence, expected an object");
    }
    for place in &fields {
        // A mark in place of the value is replaced in the text, since no object can hold a key twice.
        let mut strategy = full();
        let value = std::mem::replace(strategy.pointer_mut(place).unwrap(), json!("mark")).to_string();
        let name = place.rsplit('/').next().unwrap();
        let twice = format!("{value}, \"{name}\": {value}");
        refused(&strategy.to_string().replace("\"mark\"", &twice), &format!("duplicate field `{name}`"));
    }
}

#[test]
fn every_field_checks_its_type() {
    fn visit(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    path.push(key.clone());
                    out.push(path.clone());
                    visit(value, path, out);
                    path.pop();
                }
            }
            Value::Array(items) => {
                path.push("0".into());
                items.iter().for_each(|item| visit(item, path, out));
                path.pop();
            }
            _ => {}
        }
    }
    let mut paths = Vec::new();
    visit(&full(), &mut Vec::new(), &mut paths);
    assert!(paths.len() > 30);
    for path in paths {
        for wrong in [json!({ "no": "such" }), json!(1.5), json!([[]])] {
            let mut strategy = full();
            let pointer = format!("/{}", path.join("/"));
            *strategy.pointer_mut(&pointer).unwrap() = wrong.clone();
            assert!(
                matches!(Strategy::from_json(&strategy.to_string()), Err(DocumentError::Json(_))),
                "{pointer} = {wrong}"
            );
        }
    }
}
