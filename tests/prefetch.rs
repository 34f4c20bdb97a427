//! Prefetching pays: no program takes more simulated cycles with it than without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use common::{compile, context};
use dpu_sim::{Options, simulate_timing};
use strum_ir::Context;
use strum_ref::smith;

/// Cycles of a network, planned by default and without prefetching.
fn cycles(context: &Context, mlir: &[u8], function: &str, options: &str) -> [u64; 2] {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told.json");
    let text = format!(r#"{{"version": 1, "programs": [{{"name": "{function}", "prefetch_bytes": 0}}]}}"#);
    std::fs::write(&told, text).unwrap();
    let without = format!("{options} read-strategy={}", told.display());
    [options, &without].map(|options| {
        let program = compile(context, mlir, &format!("strum-pipeline{{{options}}}")).unwrap();
        simulate_timing(&program, &Options::default(), &mut []).unwrap().cycles
    })
}

#[test]
fn no_network_is_slower_with_loads_ahead_of_time() {
    let context = context();
    let mut faster = 0;
    let mut check = |mlir: &[u8], function: &str, options: &str| {
        let [with, without] = cycles(&context, mlir, function, options);
        assert!(with <= without, "{with} cycles with, {without} without: {options}\n{function}");
        faster += u32::from(with < without);
    };
    for name in ["mnist_lenet", "resnet20"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name).join("model.tosa.mlirbc");
        let network = std::fs::read(path).unwrap();
        for objective in ["latency", "energy", "edp", "bytes"] {
            for machine in ["flexnn-16x16", "flexnn-4x4"] {
                check(&network, "main", &format!("machine={machine} objective={objective}"));
            }
        }
    }
    for seed in 0..60 {
        let case = smith::graph(seed).unwrap();
        for machine in ["flexnn-16x16", "flexnn-4x4"] {
            check(case.mlir.as_bytes(), "main", &format!("machine={machine}"));
        }
    }
    assert!(faster > 10, "loads ahead of time made {faster} programs faster");
}
