//! Allowed dependences between crates. The list is part of the design; a new arrow is a decision.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Normal and build dependences among the project's own crates, in full.
const ARROWS: &[(&str, &[&str])] = &[
    ("dpu-cost", &["dpu-isa"]),
    ("dpu-isa", &[]),
    ("dpu-rtl", &["dpu-cost", "dpu-isa", "dpu-trace", "strum-cli", "strum-files", "strum-formats"]),
    ("dpu-sim", &["dpu-cost", "dpu-isa", "dpu-trace", "strum-cli", "strum-files", "strum-tensors"]),
    ("dpu-trace", &["dpu-isa"]),
    ("strum-cli", &["dpu-isa", "strum-files"]),
    ("strum-doors", &["strum-float", "strum-schemas"]),
    ("strum-files", &[]),
    ("strum-float", &["strum-formats", "strum-quant"]),
    ("strum-formats", &[]),
    ("strum-ir", &["dpu-isa", "strum-formats", "strum-mlir-sys"]),
    ("strum-mlir-sys", &[]),
    (
        "strum-opt",
        &[
            "dpu-isa",
            "dpu-sim",
            "strum-cli",
            "strum-files",
            "strum-float",
            "strum-formats",
            "strum-ir",
            "strum-passes",
            "strum-quant",
            "strum-tensors",
        ],
    ),
    (
        "strum-passes",
        &[
            "dpu-isa",
            "strum-files",
            "strum-float",
            "strum-formats",
            "strum-ir",
            "strum-plan",
            "strum-quant",
            "strum-tensors",
        ],
    ),
    ("strum-plan", &["dpu-cost", "dpu-isa", "strum-formats"]),
    ("strum-quant", &["strum-formats"]),
    ("strum-ref", &[]),
    ("strum-schemas", &[]),
    ("strum-tensors", &["dpu-isa", "strum-files"]),
];

/// Crates that must stay free of MLIR, so that they build and test in seconds, with the crates that bring in MLIR.
const WITHOUT_MLIR: &[&str] = &[
    "dpu-cost",
    "dpu-isa",
    "dpu-rtl",
    "dpu-sim",
    "dpu-trace",
    "strum-cli",
    "strum-doors",
    "strum-files",
    "strum-float",
    "strum-formats",
    "strum-plan",
    "strum-quant",
    "strum-ref",
    "strum-schemas",
    "strum-tensors",
];

/// Another project has a crate of this name.
const TAKEN: &str = "strum";

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The dependences of every workspace member, except those for tests.
fn dependences() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |package: &serde_json::Value| {
        let dependences = package["dependencies"].as_array().unwrap().iter();
        dependences.filter(|d| d["kind"] != "dev").map(|d| text(&d["name"])).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|p| (text(&p["name"]), of(p))).collect()
}

#[test]
fn rooms_depend_as_designed() {
    let graph = dependences();
    let own: BTreeSet<&str> = graph.keys().map(String::as_str).collect();
    let found: Vec<(&str, Vec<&str>)> = graph
        .iter()
        .map(|(name, deps)| {
            (name.as_str(), deps.iter().map(String::as_str).filter(|d| own.contains(d)).collect())
        })
        .collect();
    let want: Vec<(&str, Vec<&str>)> = ARROWS.iter().map(|(name, deps)| (*name, deps.to_vec())).collect();
    assert_eq!(found, want);
}

#[test]
fn the_fast_rooms_know_no_mlir() {
    let graph = dependences();
    for name in WITHOUT_MLIR {
        let mlir: Vec<_> = graph[*name].iter().filter(|d| d.contains("mlir") || *d == "melior").collect();
        assert!(mlir.is_empty(), "{name} depends on {mlir:?}");
    }
}

#[test]
fn nobody_takes_a_crate_of_another_name() {
    for (name, deps) in dependences() {
        assert!(!deps.contains(TAKEN), "{name} depends on the unrelated crate {TAKEN}");
    }
}
