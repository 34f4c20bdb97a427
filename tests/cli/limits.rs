//! Limits: exit code 4, with consistent figures of what is needed and what is allowed.

use dpu_isa::Program;

use crate::common::{NETWORK, OPT, Scratch, run_in};

/// A function with the given number of inputs and outputs.
fn wide(inputs: usize, outputs: usize) -> String {
    let list = |n: usize, of: &dyn Fn(usize) -> String| (0..n).map(of).collect::<Vec<_>>().join(", ");
    let arguments = list(inputs, &|i| format!("%x{i}: tensor<1xi8>"));
    let types = list(outputs, &|_| "tensor<1xi8>".to_owned());
    let values = list(outputs, &|_| "%x0".to_owned());
    format!("func.func @main({arguments}) -> ({types}) {{\n  return {values} : {types}\n}}\n")
}

#[test]
fn more_inputs_or_outputs_than_a_program_can_have_are_a_limit_of_every_tool() {
    let scratch = Scratch::new();
    for (text, what) in [(wide(4097, 1), "inputs"), (wide(1, 4097), "outputs")] {
        scratch.write("wide.mlir", text);
        let message =
            format!("does not fit the machine: {what} of a function: needs 4097, the limit is 4096");
        let done = scratch.strumc("compile wide.mlir -o n.dpu").fails(4, &message);
        assert!(done.stderr.starts_with("wide.mlir:1:1: error: "), "{}", done.stderr);
        let done = run_in(scratch.path(), OPT, &["wide.mlir", "--strum-pipeline"], b"");
        assert!(done.code != Some(0) && done.stderr.contains(&message), "{done:?}");
    }
}

#[test]
fn texts_that_no_program_can_hold_are_a_limit() {
    let scratch = Scratch::new();
    let long = "x".repeat(70_000);
    let named = format!("%x: tensor<1x4x4x16xi8> {{tosa.tensor_name = \"{long}\"}}");
    scratch.write("name.mlir", NETWORK.replace("%x: tensor<1x4x4x16xi8>", &named));
    let done = scratch.strumc("compile name.mlir -o n.dpu").fails(4, "does not fit the machine: ");
    assert!(done.stderr.contains("70000 exceed the limit of 65536"), "{done:?}");
    let placed = NETWORK.replace("  return", "  // moved\n  return");
    let placed =
        placed.replace("-> tensor<1x4x4x2xi32>\n", &format!("-> tensor<1x4x4x2xi32> loc(\"{long}\")\n"));
    scratch.write("place.mlir", placed);
    let done = scratch.strumc("compile place.mlir -o n.dpu").fails(4, "does not fit the machine: ");
    assert!(done.stderr.contains("exceed the limit of 65536"), "{done:?}");
}

#[test]
fn binaries_and_machines_beyond_a_limit_are_code_4() {
    let scratch = Scratch::new();
    let mut program = Program::from_elf(&scratch.compile("")).unwrap();
    program.manifest.pipeline = "x".repeat(70_000);
    scratch.write("large.dpu", program.to_elf().unwrap());
    scratch.strumc("run large.dpu --input x.npy").fails(4, "70000 exceed the limit of 65536");
    scratch.translate("--dpu-audit large.dpu").fails(4, "70000 exceed the limit of 65536");
    scratch.write("large.toml", "#".repeat(70_000));
    scratch.strumc("compile net.mlir -o n.dpu --machine large.toml").fails(4, "70000 bytes, more than 65536");
    scratch.strumc("run net.dpu --input x.npy --machine large.toml").fails(4, "70000 bytes, more than 65536");
}
