//! Machine files with parameters that the compiler does not use.

use dpu_isa::Machine;

use crate::common::{OPT, Scratch, npy, run_in};

const WARNING: &str = "warning: the compiler uses 1 of the 3 tiles of machine 'three'\n";

/// A folder with a machine of three tiles.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let machine = Machine { name: "three".into(), tiles: 3, ..Machine::flexnn_16x16() };
    scratch.write("three.toml", machine.to_toml());
    let one = Machine { tiles: 1, ..machine };
    scratch.write("one.toml", one.to_toml());
    scratch
}

#[test]
fn tiles_that_are_not_used_are_warned_about_once() {
    let scratch = scratch();
    let warned = |line: &str, code: i32| {
        let done = scratch.strumc(line);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(done.stderr.matches(WARNING).count(), 1, "{line}: {}", done.stderr);
    };
    warned("compile net.mlir -o net.dpu --machine three.toml", 0);
    warned("run net.mlir --input x.npy --machine three.toml", 0);
    warned(
        "compare net.mlir --input x.npy --baseline one.toml --machines three.toml --methods mip2q,sparse",
        0,
    );
    scratch.write("xs.npy", npy("|i1", &[1, 1, 4, 4, 16], &[3; 256]));
    warned("eval net.mlir --inputs xs.npy --config dense --config mip2q --machine three.toml --logits 0", 0);
    warned("tune net.mlir --calibration xs.npy --max-loss 1 --machine three.toml -o p.json --logits 0", 0);
    scratch.strumc("compile net.mlir -o net.dpu --machine three.toml --quiet").ok();
    scratch.strumc("compile net.mlir -o net.dpu --machine one.toml").ok();
    let done = run_in(scratch.path(), OPT, &["net.mlir", "--strum-pipeline=machine=three.toml"], b"");
    assert_eq!(done.stderr.matches(WARNING.trim_end()).count(), 1, "{}", done.stderr);
    // A compiled program was compiled for the parts that it uses.
    scratch.strumc("run net.dpu --input x.npy").ok();
}

#[test]
fn more_tiles_change_no_figure_of_a_compiled_program() {
    let scratch = scratch();
    let report = |machine: &str| {
        scratch
            .strumc(&format!("run net.mlir --input x.npy -q --report r.json --machine {machine}.toml"))
            .ok();
        let report: serde_json::Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
        (report["total"].clone(), report["layers"].clone(), report["cycles"].clone())
    };
    assert_eq!(report("one"), report("three"));
}

#[test]
fn a_program_of_the_dialect_has_the_file_of_its_own_machine() {
    let scratch = scratch();
    let done = run_in(scratch.path(), OPT, &["net.mlir", "--strum-pipeline=machine=one.toml"], b"");
    let text = done.text();
    assert!(text.contains("machine \"three\" stage"), "{text}");
    scratch.write("dpu.mlir", text.replace("machine \"three\" stage", "machine \"two\" stage"));
    let done = scratch.translate("--mlir-to-dpu dpu.mlir -o net.dpu");
    done.fails(1, "is for machine 'two' and has the file of machine 'three'");
}
