//! What is said of a synthesizer that is missing, fails, hangs or writes what cannot be used. The synthesizer is a script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod tiny;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dpu_rtl::synth::{Mapped, Options, SynthError, map};
use dpu_rtl::toolchain::Yosys;
use tiny::{TINY, library};

/// A program of this shell text.
fn program(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("yosys");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A synthesizer that does this when it is given a script.
fn synthesizer(folder: &Path, text: &str) -> Yosys {
    let text = format!("if [ \"$1\" = -V ]; then echo 'Yosys 0.0 (none)'; exit; fi\n{text}");
    Yosys::find(Some(&program(folder, &text))).unwrap()
}

fn run(text: &str, limit: Duration) -> Result<Mapped, SynthError> {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { limit, ..Options::new(synthesizer(folder.path(), text)) };
    map("module top; endmodule", "top", &library(TINY), &options)
}

fn fail(text: &str) -> String {
    run(text, Duration::from_secs(60)).unwrap_err().to_string()
}

/// A synthesizer that writes this netlist.
fn netlist(json: &str) -> String {
    format!("cat > mapped.json <<'END'\n{json}\nEND\necho 'module top; endmodule' > mapped.v")
}

#[test]
fn a_synthesizer_that_is_missing_or_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fail = |path: &Path| Yosys::find(Some(path)).unwrap_err().to_string();
    assert_eq!(
        fail(Path::new("/nowhere/yosys")),
        "/nowhere/yosys not found; run tools/rtl/setup, or name another by --yosys PATH"
    );
    let other = program(folder.path(), "echo 'Another 1.0'");
    let expected = format!("{}: expected yosys or a Python with pyosys, found Another 1.0", other.display());
    assert_eq!(fail(&other), expected);
    let python = program(folder.path(), "if [ \"$1\" = -V ]; then echo 'Python 3.99'; else exit 1; fi");
    let expected = format!(
        "pyosys of {} not found; run tools/rtl/setup, or name another by --yosys PATH",
        python.display()
    );
    assert_eq!(fail(&python), expected);
    let folder_itself = folder.path().to_owned();
    let error = fail(&folder_itself);
    assert!(error.starts_with(&format!("{}: ", folder_itself.display())), "{error}");
}

#[test]
fn the_line_in_which_it_says_why_it_failed_is_given() {
    assert_eq!(
        fail("echo one; echo 'ERROR: no such pass'; echo two; exit 1"),
        "yosys failed: ERROR: no such pass"
    );
    assert_eq!(fail("echo one; echo two; exit 1"), "yosys failed: two");
    assert_eq!(fail("echo 'ERROR: but no status'"), "yosys failed: ERROR: but no status");
    assert_eq!(fail("exit 3"), "yosys failed: exit status: 3");
}

#[test]
fn it_ends_with_all_its_children_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let begin = Instant::now();
    let text = format!("(sleep 2; touch {}) &\nsleep 60", mark.display());
    let error = run(&text, Duration::from_millis(300)).unwrap_err().to_string();
    assert_eq!(error, "yosys did not finish within 0 s; raise --time-limit, or take a smaller design");
    assert!(begin.elapsed() < Duration::from_secs(30));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!mark.exists());
}

#[test]
fn netlists_are_checked() {
    let module = |cells: &str| {
        netlist(&format!(r#"{{"modules": {{"top": {{"ports": {{}}, "cells": {{{cells}}}}}}}}}"#))
    };
    let cell = |name: &str, kind: &str, pins: &str| {
        format!(r#""{name}": {{"type": "{kind}", "connections": {{{pins}}}}}"#)
    };
    let error = fail(&netlist("{"));
    assert!(error.starts_with("the synthesizer's netlist cannot be read: "), "{error}");
    assert_eq!(fail(&netlist(r#"{"modules": {}}"#)), "the synthesizer's netlist has no module 'top'");
    assert_eq!(
        fail(&module(&format!("{}, {}", cell("u", "$add", ""), cell("v", "$mul", "")))),
        "2 cells are not of the library, the first 'u' of type '$add'"
    );
    assert_eq!(
        fail(&module(&cell("u", "INV", r#""Y": [2]"#))),
        "cell 'u' of type 'INV': pin 'A' is not connected"
    );
    assert_eq!(
        fail(&module(&cell("u", "INV", r#""A": [3, 4], "Y": [2]"#))),
        "cell 'u' of type 'INV': pin 'A' has more than one bit"
    );
    assert_eq!(
        fail(&module(&cell("u", "INV", r#""A": [3], "Y": [2]"#))),
        "cell 'u' of type 'INV': pin 'A' is connected to a net without a driver"
    );
    let twice = format!(
        "{}, {}",
        cell("u", "INV", r#""A": ["0"], "Y": [2]"#),
        cell("v", "INV", r#""A": ["1"], "Y": [2]"#)
    );
    assert_eq!(fail(&module(&twice)), "cell 'v': its output 'Y' drives a net that is driven already");
}

#[test]
fn units_are_the_paths_of_instances() {
    let inverter =
        |name: &str| format!(r#""{name}": {{"type": "INV", "connections": {{"A": ["0"], "Y": []}}}}"#);
    let names = [
        "$abc$1$x.cc:2$3",
        r"$flatten\\u_a.\\u_b.$abc$1$x.cc:2$3",
        "u_a.u_b.cell",
        "u_a.u_b.f1.adder_cell",
        "u_a.u_b.f1.sum_inverter",
        "alone",
    ];
    let cells = names.map(inverter).join(",");
    let text = netlist(&format!(r#"{{"modules": {{"top": {{"ports": {{}}, "cells": {{{cells}}}}}}}}}"#));
    let text = format!("{text}\necho 'ABC: Delay =  10.5 ps (x)'; echo 'ABC: Delay = 20.25 ps'");
    let mapped = run(&text, Duration::from_secs(60)).unwrap();
    let units: Vec<_> = mapped.units.iter().map(|unit| (unit.path.as_str(), unit.cells)).collect();
    assert_eq!(units, [("", 2), ("u_a.u_b", 4)]);
    assert_eq!((mapped.area, mapped.area_of("u_a"), mapped.area_of("u_")), (6.0, 4.0, 0.0));
    assert_eq!(mapped.abc_delay_ps, Some(20.25));
    assert_eq!(mapped.tool, "yosys 0.0");
}
