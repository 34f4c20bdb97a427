//! Files that are generated and committed: the tests compare, `STRUM_BLESS=1` writes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path, process::Command};

const BLESS: &str = "STRUM_BLESS=1 cargo test -p strum-ir --test generated";

/// Compares a file, given relative to the root of the repository, with its expected contents.
fn expect(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let mut found = fs::read_to_string(&path).unwrap_or_default();
    if found != expected && std::env::var_os("STRUM_BLESS").is_some() {
        fs::write(&path, expected).unwrap();
        found = expected.to_owned();
    }
    assert!(found == expected, "{} is stale: {BLESS}", path.display());
}

#[test]
fn instruction_definitions_are_up_to_date() {
    expect("dialects/mlir-sys/td/dpu/DpuInstrs.td", &strum_ir::dpu::ods::instrs());
}

/// The reference page that mlir-tblgen generates for a dialect.
fn page(dialect: &str, definitions: &str) -> String {
    let td = Path::new(env!("STRUM_LLVM_TD"));
    let output = Command::new(Path::new(env!("STRUM_LLVM_BINDIR")).join("mlir-tblgen"))
        .args(["--gen-dialect-doc", &format!("-dialect={dialect}"), "-I", env!("STRUM_LLVM_INCLUDE"), "-I"])
        .arg(td)
        .arg(td.join(definitions))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, text) = text.split_once("-->\n").unwrap();
    let mut page = format!(
        "<!-- Written from dialects/mlir-sys/td by mlir-tblgen; `{BLESS}` brings it up to date. -->\n"
    );
    let mut blank = false;
    for line in text.lines().map(str::trim_end).filter(|line| *line != "[TOC]") {
        if !(blank && line.is_empty()) {
            page.push_str(line);
            page.push('\n');
        }
        blank = line.is_empty();
    }
    page
}

#[test]
fn reference_pages_are_up_to_date() {
    expect("docs/dialects/strum.md", &page("strum", "strum/StrumOps.td"));
    expect("docs/dialects/dpu.md", &page("dpu", "dpu/DpuOps.td"));
}
