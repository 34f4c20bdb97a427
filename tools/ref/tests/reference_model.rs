//! The evaluator against the independent TOSA reference model. Skipped, loudly, without the environment of
//! `tools/conformance/setup`; `STRUM_REF_SEEDS` is the number of seeds of each kind to run.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use strum_ref::Tensor;
use strum_ref::smith::{self, Case, Kind};

/// The folder of Python and `tosa-opt`: `TOSA_TOOLS`, or the repository's own environment.
fn tosa_tools() -> Option<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
    let directory = std::env::var_os("TOSA_TOOLS").map_or_else(own, PathBuf::from);
    directory.join("tosa-opt").exists().then_some(directory)
}

#[test]
fn the_reference_model_agrees() {
    let Some(tools) = tosa_tools() else {
        eprintln!("SKIPPED: no TOSA reference model found; run tools/conformance/setup, or set TOSA_TOOLS");
        return;
    };
    let seeds = std::env::var("STRUM_REF_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    let mut cases: Vec<(String, Case)> = Vec::new();
    for seed in 1000..1000 + seeds {
        for &kind in Kind::ALL {
            cases.push((format!("{}-{seed}", kind.name()), smith::single_op(kind, seed).unwrap()));
        }
        cases.push((format!("graph-{seed}"), smith::graph(seed).unwrap()));
    }
    let directory = tempfile::tempdir().unwrap();
    let stems: Vec<_> = cases.iter().map(|(name, _)| directory.path().join(name)).collect();
    for ((_, case), stem) in cases.iter().zip(&stems) {
        write(case, stem);
        let flatbuffer = format!("--tosa-flatbuffer-filename={}.tosa", stem.display());
        let mlir = stem.with_extension("mlir");
        run(Command::new(tools.join("tosa-opt")).arg(mlir).arg("--tosa-serialize").arg(flatbuffer));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference_model.py");
    run(Command::new(tools.join("python")).arg(script).args(&stems));
    for ((name, case), stem) in cases.iter().zip(&stems) {
        for (i, expected) in case.outputs.iter().enumerate() {
            let file = File::open(format!("{}.ref{i}.npy", stem.display())).unwrap();
            let got = Tensor::from_npy(file).unwrap();
            assert_eq!(&got, expected, "output {i} of {name}\n{}", case.mlir);
        }
    }
    eprintln!("{} cases equal", cases.len());
}

fn write(case: &Case, stem: &Path) {
    fs::write(stem.with_extension("mlir"), &case.mlir).unwrap();
    for (i, input) in case.inputs.iter().enumerate() {
        fs::write(format!("{}.in{i}.npy", stem.display()), input.to_npy().unwrap()).unwrap();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
