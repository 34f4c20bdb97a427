//! MLIR 22 reads the generator's text and the TOSA validator accepts it. Skipped, loudly, without `mlir-opt`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use strum_ref::smith::{self, Kind};

/// `MLIR_OPT`, or the one beside the LLVM that the build uses.
fn mlir_opt() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MLIR_OPT") {
        return Some(path.into());
    }
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../llvm/bin/llvm-config");
    let output = Command::new(config).arg("--bindir").output().ok()?;
    let path = Path::new(String::from_utf8(output.stdout).ok()?.trim()).join("mlir-opt");
    (output.status.success() && path.is_file()).then_some(path)
}

#[test]
fn mlir_reads_and_validates_every_case() {
    let Some(mlir_opt) = mlir_opt() else {
        eprintln!("SKIPPED: no mlir-opt found; set MLIR_OPT, or install LLVM 22 (tools/setup)");
        return;
    };
    let singles =
        Kind::ALL.iter().flat_map(|&kind| (0..25).map(move |seed| smith::single_op(kind, seed).unwrap()));
    let graphs = (0..60).map(|seed| smith::graph(seed).unwrap());
    let texts: Vec<_> = singles.chain(graphs).map(|case| case.mlir).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cases.mlir");
    fs::write(&path, texts.join("// -----\n")).unwrap();
    let output = Command::new(mlir_opt)
        .arg(&path)
        .arg("--split-input-file")
        // Level 8k counts the extents of a pad operand as a rank, which no pad of rank 4 passes.
        .arg("--tosa-attach-target=profiles=pro_int extensions=int16,int4,doubleround level=none")
        .arg("--tosa-validate=strict-op-spec-alignment")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}", errors.lines().take(20).collect::<Vec<_>>().join("\n"));
    let functions = String::from_utf8_lossy(&output.stdout).matches("func.func @main").count();
    assert_eq!(functions, texts.len());
}
