//! For any input, a driver ends with a documented exit code and a message.

use dpu_isa::testing::{Rng, mutate};

use crate::common::{NETWORK, OPT, Scratch, run_in};

/// The bytes with some of them changed, removed, repeated or truncated.
fn changed(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    mutate(rng, &mut bytes);
    bytes
}

#[test]
fn files_that_are_no_networks_are_refused() {
    let scratch = Scratch::new();
    scratch.write("empty.mlir", "");
    scratch.write("text.mlir", "Lorem ipsum dolor sit amet");
    scratch.write("binary.mlir", [0u8, 159, 146, 150, 255, 0, 10, 13]);
    scratch.write("magic.mlirbc", b"ML\xefR");
    scratch.write("bytecode.mlirbc", [b"ML\xefR".as_slice(), &[0x6b; 300]].concat());
    std::fs::create_dir(scratch.path().join("folder")).unwrap();
    for (file, message) in [
        ("none.mlir", "none.mlir: No such file or directory"),
        ("folder", "folder: is a directory"),
        ("x.npy", "x.npy:"),
        ("empty.mlir", "empty.mlir: the file is empty"),
        ("text.mlir", "text.mlir:1:1: error: "),
        ("binary.mlir", "binary.mlir:"),
        ("magic.mlirbc", "magic.mlirbc: error: "),
        ("bytecode.mlirbc", "bytecode.mlirbc: error: "),
    ] {
        scratch.strumc(&format!("compile {file} -o n.dpu")).fails(1, message);
        scratch.strumc(&format!("run {file} --input x.npy")).fails(1, message);
        scratch.translate(&format!("--mlir-to-dpu {file} -o n.dpu")).fails(1, message);
    }
    assert!(!scratch.has("n.dpu"));
}

#[test]
fn files_that_are_no_programs_are_refused() {
    let scratch = Scratch::new();
    let program = scratch.compile("");
    scratch.write("empty", "");
    scratch.write("elf", b"\x7fELF\x02\x01\x01");
    scratch.write("cut", &program[..program.len() / 2]);
    scratch.write("long", [&program[..], b"x"].concat());
    std::fs::copy(std::env::current_exe().unwrap(), scratch.path().join("foreign")).unwrap();
    for (file, message) in [
        ("none", "none: No such file"),
        ("empty", "empty: "),
        ("net.mlir", "not an ELF file"),
        ("elf", "truncated"),
        ("cut", "cut: "),
        ("long", "long: "),
        ("foreign", "not a DPU program"),
    ] {
        for translation in ["--dpu-to-mlir", "--dpu-to-asm", "--dpu-audit"] {
            scratch.translate(&format!("{translation} {file}")).fails(1, message);
        }
    }
    scratch.strumc("run cut --input x.npy").fails(1, "cut: ");
    scratch.translate("--asm-to-dpu net.dpu").fails(1, "not assembly text");
    scratch.translate("--asm-to-dpu empty").fails(1, "empty:1:1: error: ");
}

#[test]
fn a_changed_program_is_noticed() {
    let scratch = Scratch::new();
    let program = scratch.compile("--method mip2q");
    let mut rng = Rng::new(1);
    for _ in 0..40 {
        let changed = changed(&mut rng, &program);
        if changed != program {
            scratch.write("changed.dpu", changed);
            scratch.translate("--dpu-to-asm changed.dpu").fails(1, "changed.dpu: ");
        }
    }
}

#[test]
fn changed_networks_never_crash_a_driver() {
    let scratch = Scratch::new();
    run_in(scratch.path(), OPT, &["net.mlir", "--emit-bytecode", "-o", "net.mlirbc"], b"").ok();
    let mut rng = Rng::new(2);
    for original in [NETWORK.as_bytes(), &scratch.read("net.mlirbc")] {
        for round in 0..60 {
            scratch.write("changed", changed(&mut rng, original));
            let done = scratch.strumc("compile changed -o changed.dpu");
            let documented = matches!(done.code, Some(0 | 1 | 3 | 4));
            assert!(documented && (done.code == Some(0) || !done.stderr.is_empty()), "{round}: {done:?}");
        }
    }
}

#[test]
fn changed_networks_never_crash_strum_opt_whatever_the_pass() {
    const PASSES: &[&str] = &[
        "--fold-constants",
        "--canonicalize-layout",
        "--tosa-quantize",
        "--strum-canonicalize",
        "--tosa-to-strum",
        "--strum-pack=method=mip2q",
        "--strum-unpack",
        "--strum-to-tosa",
        "--strum-to-dpu",
        "--dpu-allocate",
        "--dpu-assign-barriers",
        "--strum-pipeline=method=mip2q",
    ];
    let scratch = Scratch::new();
    // Each network with changes that a changed byte of text seldom causes: extents, signs, kinds of constants.
    let replaced = [
        ("tensor<1x4x4x16xi8>", "tensor<0x4x4x16xi8>"),
        ("tensor<1x4x4x16xi8>", "tensor<?x4x4x16xi8>"),
        ("1x4x4x16xi8", "1x4611686018427387904x4x16xi8"),
        ("dense<0> : tensor<1xi8>", "dense_resource<gone> : tensor<1xi8>"),
        ("dense<[7, -9]>", "sparse<[[0]], [7]>"),
        ("dense<38>", "dense<-1>"),
        ("pad = array<i64: 0, 0, 0, 0>", "pad = array<i64: -1, 0, 0, 9223372036854775807>"),
        ("stride = array<i64: 1, 1>", "stride = array<i64: 0, 1>"),
        ("acc_type = i32", "acc_type = f32"),
        ("SINGLE_ROUND", "INEXACT_ROUND"),
    ];
    let mut rng = Rng::new(3);
    let changed = (0..40).map(|_| changed(&mut rng, NETWORK.as_bytes()));
    let texts = replaced.iter().map(|(from, to)| NETWORK.replace(from, to).into_bytes()).chain(changed);
    let mut pass = PASSES.iter().cycle();
    for (round, text) in texts.enumerate() {
        scratch.write("changed.mlir", text);
        let whole = round < replaced.len();
        for pass in pass.by_ref().take(if whole { PASSES.len() } else { 3 }) {
            let done = run_in(scratch.path(), OPT, &["changed.mlir", pass, "-o", "out.mlir"], b"");
            let documented =
                matches!(done.code, Some(0 | 1 | 3 | 4)) && !done.stderr.contains("internal error");
            let said = done.code == Some(0) || !done.stderr.is_empty();
            assert!(documented && said, "{round} {pass}: {done:?}");
        }
    }
}

/// Found by changing the bytecode of a network: MLIR's reader faults on it.
#[test]
fn bytecode_that_fells_the_reader_is_refused() {
    let scratch = Scratch::new();
    scratch.write("bad.mlirbc", include_bytes!("fault.mlirbc"));
    scratch
        .strumc("compile bad.mlirbc -o n.dpu")
        .fails(1, "bad.mlirbc: malformed bytecode: MLIR's reader faulted on it");
    scratch.translate("--mlir-to-dpu bad.mlirbc -o n.dpu").fails(1, "malformed bytecode");
}

#[test]
fn the_producer_of_bytecode_that_is_too_new_is_named() {
    let scratch = Scratch::new();
    run_in(scratch.path(), OPT, &["net.mlir", "--emit-bytecode", "-o", "net.mlirbc"], b"").ok();
    let mut bytes = scratch.read("net.mlirbc");
    let major = bytes.windows(4).position(|part| part == b"MLIR").expect("a producer") + 4;
    bytes[major..major + 2].copy_from_slice(b"99");
    // What this LLVM can read, it reads.
    scratch.write("newer.mlirbc", &bytes);
    scratch.strumc("compile newer.mlirbc -o n.dpu -q").ok();
    scratch.write("unreadable.mlirbc", &bytes[..bytes.len() / 2]);
    scratch.strumc("compile unreadable.mlirbc -o n.dpu").fails(1, "help: this bytecode is of MLIR99.");
    scratch.write("old.mlirbc", &scratch.read("net.mlirbc")[..bytes.len() / 2]);
    let done = scratch.strumc("compile old.mlirbc -o n.dpu");
    assert!(done.code == Some(1) && !done.stderr.contains("help:"), "{done:?}");
}

#[test]
fn nesting_is_limited() {
    let scratch = Scratch::new();
    for (open, close) in [("tensor<", ">"), ("(", ")"), ("[", "]"), ("{a = ", "}")] {
        let text = format!("\"x\"() {{a = {}1{}}} : () -> ()", open.repeat(100_000), close.repeat(100_000));
        scratch.write("deep.mlir", text);
        scratch.strumc("compile deep.mlir -o n.dpu").fails(4, "nested deeper than the limit");
    }
    let regions = format!("{}{}", "\"x\"() ({\n".repeat(100_000), "}) : () -> ()\n".repeat(100_000));
    scratch.write("deep.mlir", regions);
    scratch.strumc("compile deep.mlir -o n.dpu").fails(4, "nested deeper than the limit");
    let regions = format!("{}{}", "module {\n".repeat(1000), "}\n".repeat(1000));
    scratch.write("deep.mlir", regions);
    scratch.strumc("compile deep.mlir -o n.dpu").fails(1, "holds no function");
}

#[test]
fn huge_tensors_are_a_limit_of_the_machine() {
    let scratch = Scratch::new();
    for shape in
        ["1000000x1000000", "4294967297", "9223372036854775807", "1000000x1000000x1000000x1000000x1000000"]
    {
        let ty = format!("tensor<{shape}xi8>");
        let text = format!(
            "func.func @main(%x: {ty}) -> {ty} {{\n  %c = \"tosa.const\"() <{{values = dense<1> : {ty}}}> : () -> {ty}\n  \
             %y = tosa.maximum %x, %c : ({ty}, {ty}) -> {ty}\n  return %y : {ty}\n}}\n"
        );
        scratch.write("huge.mlir", text);
        scratch.strumc("compile huge.mlir -o n.dpu").fails(4, "huge.mlir:1:1: error: ");
    }
}

#[test]
fn endless_input_is_a_limit() {
    // The sparse file has no bytes on disk.
    let scratch = Scratch::new();
    let file = std::fs::File::create(scratch.path().join("huge.mlir")).unwrap();
    file.set_len(1 << 40).unwrap();
    scratch.strumc("compile huge.mlir -o n.dpu").fails(4, "huge.mlir: larger than the limit");
    scratch.translate("--dpu-to-asm huge.mlir").fails(4, "huge.mlir: larger than the limit");
}
