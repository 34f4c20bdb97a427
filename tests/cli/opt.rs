//! `strum-opt` as a user meets it: its files, its messages and its exit codes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};

use crate::common::{Done, NETWORK, OPT, STRUMC, Scratch, TRANSLATE, run_in};

const LSP: &str = env!("CARGO_BIN_EXE_strum-lsp-server");

/// Runs `strum-opt`; arguments are separated by blanks.
fn opt(scratch: &Scratch, line: &str) -> Done {
    run_in(scratch.path(), OPT, &line.split_whitespace().collect::<Vec<_>>(), b"")
}

/// A function with one operator, whose operands `%a` to `%c` are given by `values`: the type and the attribute of each.
fn function(argument: &str, values: &[(&str, &str)], op: &str, result: &str) -> String {
    let mut text = format!("func.func @main({argument}) -> {result} {{\n");
    for (name, (ty, attribute)) in ["a", "b", "c", "d"].iter().zip(values) {
        text += &format!("  %{name} = \"tosa.const\"() <{{values = {attribute} : {ty}}}> : () -> {ty}\n");
    }
    text + &format!("  %r = {op}\n  return %r : {result}\n}}\n")
}

/// Resources `byte` and `word` with a number 0, and `short`, which is too short for a word.
const RESOURCES: &str = "{-# dialect_resources: { builtin: { byte: \"0x0100000000\", word: \"0x0400000000000000\", \
                         short: \"0x010000000000\" } } #-}\n";

/// Operators with constants that MLIR's verifiers and folders read element by element: those of `tensor<1xi8>` given as `{}`.
const READERS: [(&str, &str, &str); 6] = [
    (
        "%x: tensor<4xi8>",
        "tosa.negate %x, %a, %b : (tensor<4xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<4xi8>",
        "tensor<4xi8>",
    ),
    (
        "%x: tensor<4xi32>",
        "tosa.mul %x, %x, %a : (tensor<4xi32>, tensor<4xi32>, tensor<1xi8>) -> tensor<4xi32>",
        "tensor<4xi32>",
    ),
    (
        "%x: tensor<1x4x4x2xi8>",
        "tosa.avg_pool2d %x, %a, %b {acc_type = i32, kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, \
         stride = array<i64: 2, 2>} : (tensor<1x4x4x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x2xi8>",
        "tensor<1x2x2x2xi8>",
    ),
    (
        "%x: tensor<1x4x4xi8>",
        "tosa.matmul %x, %x, %a, %b : (tensor<1x4x4xi8>, tensor<1x4x4xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4xi32>",
        "tensor<1x4x4xi32>",
    ),
    (
        "%x: tensor<1x4x4x2xi8>, %w: tensor<2x1x1x2xi8>, %bias: tensor<2xi32>",
        "tosa.conv2d %x, %w, %bias, %a, %b {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, \
         stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) \
         -> tensor<1x4x4x2xi32>",
        "tensor<1x4x4x2xi32>",
    ),
    ("", "tosa.reduce_sum %c {axis = 0 : i32} : (tensor<1xi32>) -> tensor<1xi32>", "tensor<1xi32>"),
];

#[test]
fn constants_that_mlir_reads_by_element_may_be_resources() {
    let scratch = Scratch::new();
    let bytes = [("tensor<1xi8>", "dense<0>"), ("tensor<1xi8>", "dense<0>"), ("tensor<1xi32>", "dense<0>")];
    let resources = bytes.map(|(ty, _)| {
        (ty, if ty.ends_with("i8>") { "dense_resource<byte>" } else { "dense_resource<word>" })
    });
    for (argument, op, result) in READERS {
        scratch.write("dense.mlir", function(argument, &bytes, op, result));
        let text = function(argument, &resources, op, result) + RESOURCES;
        scratch.write("resource.mlir", text);
        for passes in ["", "--canonicalize", "--tosa-layerwise-constant-fold", "--cse --strum-canonicalize"] {
            let [dense, resource] = ["dense", "resource"].map(|file| {
                opt(&scratch, &format!("{file}.mlir {passes} --allow-unregistered-dialect")).ok().text()
            });
            let names = |text: &str| text.matches(" = tosa.").count();
            assert_eq!(names(&dense), names(&resource), "{op} {passes}");
        }
        opt(&scratch, "resource.mlir --emit-bytecode -o resource.mlirbc").ok();
        opt(&scratch, "resource.mlirbc --verify-roundtrip -o again.mlir").ok();
        for file in ["dense.mlir", "resource.mlir", "resource.mlirbc"] {
            let done = scratch.strumc(&format!("compile {file} -o {file}.dpu -q"));
            assert_eq!(done.code, Some(0), "{file}: {done:?}");
        }
        let dense = scratch.read("dense.mlir.dpu");
        // The source file's name is all that differs.
        let [dense, resource] = [dense, scratch.read("resource.mlir.dpu")].map(|binary| {
            scratch.write("n.dpu", binary);
            scratch.translate("--dpu-to-mlir --no-locations n.dpu").ok().text()
        });
        assert_eq!(dense, resource);
    }
}

#[test]
fn broken_resources_that_mlir_would_read_are_errors_at_their_constant() {
    let scratch = Scratch::new();
    for (resource, message) in [
        ("dense_resource<__elided__>", "the resource '__elided__' is not in the file"),
        ("dense_resource<short>", "the resource 'short' has 2 bytes, and its type takes "),
    ] {
        let values = [("tensor<1xi8>", resource), ("tensor<1xi8>", resource), ("tensor<1xi32>", resource)];
        for (argument, op, result) in READERS {
            scratch.write("net.mlir", function(argument, &values, op, result) + RESOURCES);
            let line = if op.contains("reduce") { 4 } else { 2 };
            let place = format!("net.mlir:{line}:8: error: 'tosa.const' op {message}");
            for passes in ["", "--canonicalize", "--strum-pipeline", "--mlir-print-ir-before-all --cse"] {
                opt(&scratch, &format!("net.mlir {passes}")).fails(1, &place);
            }
            scratch.strumc("compile net.mlir -o n.dpu").fails(1, &place);
            scratch.translate("--mlir-to-dpu net.mlir").fails(1, &place);
        }
    }
    // Reported once for each constant, however often it is used.
    let done = opt(&scratch, "net.mlir");
    assert_eq!(done.stderr.matches("error: ").count(), 1, "{done:?}");
}

/// The verifier of a reshape reads its shape before that has been verified, if it comes later.
#[test]
fn a_shape_without_values_is_an_error_wherever_it_stands() {
    let scratch = Scratch::new();
    scratch.write(
        "net.mlir",
        "func.func @main(%x: tensor<4xi8>) -> tensor<2x2xi8> {\n  \
         %0 = tosa.reshape %x, %p : (tensor<4xi8>, !tosa.shape<2>) -> tensor<2x2xi8>\n  \
         %p = \"tosa.const_shape\"() : () -> !tosa.shape<2>\n  return %0 : tensor<2x2xi8>\n}\n",
    );
    opt(&scratch, "net.mlir")
        .fails(1, "net.mlir:3:8: error: 'tosa.const_shape' op requires attribute 'values'");
    scratch.strumc("compile net.mlir -o n.dpu").fails(1, "net.mlir:3:8: error: ");
}

#[test]
fn arguments_that_are_not_utf_8_are_file_names_like_others() {
    let scratch = Scratch::new();
    let name = OsString::from_vec(b"n\xff.mlir".to_vec());
    std::fs::write(scratch.path().join(&name), NETWORK).unwrap();
    let out = OsString::from_vec(b"o\xfe.mlir".to_vec());
    let done = run_in(scratch.path(), OPT, &[&name, OsStr::new("-o"), &out], b"").ok();
    assert!(done.stdout.is_empty() && scratch.path().join(&out).exists());
    run_in(scratch.path(), OPT, &[&name, OsStr::new("--tosa-validate=profile=none")], b"").fails(2, "");
    let done = run_in(scratch.path(), LSP, &[&name], b"");
    assert!(done.code == Some(1) && !done.stderr.contains("panicked"), "{done:?}");
}

/// An operator that no pass of the DPU supports, from `location`.
fn from(location: &str) -> String {
    format!(
        "func.func @main(%x: tensor<4xi48>) -> tensor<4xi48> {{\n  \
         %0 = tosa.identity %x : (tensor<4xi48>) -> tensor<4xi48> loc({location})\n  return %0 : tensor<4xi48>\n}}\n"
    )
}

#[test]
fn files_that_locations_name_are_not_opened() {
    let scratch = Scratch::new();
    scratch.write("secret", "a secret line\n");
    let fifo = scratch.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for location in [
        r#""secret":1:1"#,
        r#""fifo":1:1"#,
        r#""/dev/zero":1:1"#,
        r#""/dev/stdin":1:1"#,
        r#"fused["secret":1:1, "fifo":1:1]"#,
        r#"callsite("a" at "secret":1:1)"#,
        r#"callsite("secret":1:1 at "fifo":1:1)"#,
        r#""name"("fifo":1:1)"#,
    ] {
        scratch.write("net.mlir", from(location));
        // An error of a pass, and an unexpected one.
        opt(&scratch, "net.mlir --tosa-to-strum").fails(3, "'tosa.identity' op unsupported: ");
        let done =
            opt(&scratch, "net.mlir --tosa-to-strum --verify-diagnostics").fails(1, "unexpected error");
        assert!(!done.stderr.contains("a secret line"), "{done:?}");
        let wrong = format!(
            "func.func @main() {{\n  %0 = \"tosa.const\"() <{{values = dense<0> : tensor<4xi8>}}> : () -> tensor<5xi8> \
             loc({location})\n  return\n}}\n"
        );
        scratch.write("net.mlir", wrong);
        for tool in ["", "--verify-diagnostics", "--verify-roundtrip", "--split-input-file"] {
            let done = opt(&scratch, &format!("net.mlir {tool}")).fails(1, "'tosa.const' op ");
            assert!(!done.stderr.contains("a secret line"), "{done:?}");
        }
    }
    scratch.write("net.mlir", from(r#""net.mlir":3:3"#));
    let done = opt(&scratch, "net.mlir --tosa-to-strum").fails(3, "net.mlir:3:3: error: ");
    assert!(done.stderr.contains("\n  return %0 : tensor<4xi48>\n  ^\n"), "{done:?}");
}

#[test]
fn exit_codes_say_whose_fault_it_is() {
    let scratch = Scratch::new();
    scratch.write("bad.toml", "name = 3");
    scratch.write("text.mlir", "Lorem ipsum");
    for (line, code, message) in [
        ("text.mlir", 1, "text.mlir:1:1: error: "),
        ("none.mlir", 1, "strum-opt: error: none.mlir: No such file"),
        ("/dev/zero", 1, "is a device"),
        ("net.mlir --strum-to-dpu=machine=bad.toml", 1, "strum-opt: error: machine file 'bad.toml': "),
        ("net.mlir --strum-to-dpu=read-strategy=none.json", 1, "strum-opt: error: strategy 'none.json': "),
        ("net.mlir --strum-to-dpu=machine=tpu", 2, "strum-opt: error: wrong option: unknown machine 'tpu'"),
        (
            "net.mlir --strum-pipeline=objective=enrgy",
            2,
            "strum-opt: error: option 'objective' of strum-pipeline must be latency, energy, edp or bytes, \
             got 'enrgy'; did you mean 'energy'?",
        ),
        (
            "net.mlir --strum-pack=methd=dliq",
            2,
            "strum-opt: error: unknown option 'methd' of strum-pack; did you mean 'method'?",
        ),
        (
            "net.mlir --strum-pipeline=objectve=edp",
            2,
            "strum-opt: error: unknown option 'objectve' of strum-pipeline; did you mean 'objective'?",
        ),
        (
            "net.mlir --pass-pipeline=builtin.module(func.func(strum-pack{methd=dliq}))",
            2,
            "strum-opt: error: unknown option 'methd' of strum-pack; did you mean 'method'?",
        ),
        (
            "net.mlir --tosa-to-strum --strum-pack=method=int4",
            2,
            "strum-opt: error: option 'method' of strum-pack must be dense, sparse, dliq or mip2q, got 'int4'",
        ),
        ("net.mlir --strum-canonicalize=fold-limit=-1", 2, "strum-opt: error: option 'fold-limit'"),
        ("net.mlir --no-such-option", 2, "Unknown command line argument '--no-such-option'"),
        ("net.mlir other.mlir", 2, "Too many positional arguments"),
        ("net.mlir --pass-pipeline=builtin.module(none)", 2, "'none' does not refer to a registered pass"),
        ("net.mlir --emit-bytecode-version=3", 2, "--emit-bytecode"),
        (
            "net.mlir --strum-log=loud",
            2,
            "--strum-log: expected off, error, warn, info, debug, trace, or directives such as",
        ),
        ("@/dev/zero", 2, "is not a file of arguments"),
        ("net.mlir --strum-to-dpu", 3, "net.mlir:5:8: error: 'tosa.conv2d' op unsupported: "),
    ] {
        opt(&scratch, line).fails(code, message);
    }
    assert_eq!(scratch.names(), ["bad.toml", "net.mlir", "text.mlir", "x.npy"]);
}

#[test]
fn what_the_dpu_path_does_not_take_is_said_at_its_op() {
    let scratch = Scratch::new();
    let pad = |constants: &str, argument: &str, result: &str| {
        format!(
            "func.func @main(%x: tensor<4xi8>{argument}) -> {result} {{\n{constants}  \
             %0 = tosa.pad %x, %p, %z : (tensor<4xi8>, !tosa.shape<2>, tensor<1xi8>) -> {result}\n  return %0 : {result}\n}}\n"
        )
    };
    let shape = |values: &str| {
        format!(
            "  %p = tosa.const_shape {{values = dense<{values}> : tensor<2xindex>}} : () -> !tosa.shape<2>\n"
        )
    };
    let zero = "  %z = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n";
    let constant = |ty: &str, value: &str| {
        format!(
            "func.func @main() -> {ty} {{\n  %c = \"tosa.const\"() <{{values = {value} : {ty}}}> : () -> {ty}\n  \
             return %c : {ty}\n}}\n{RESOURCES}"
        )
    };
    let through = |ty: &str| format!("func.func @main(%x: {ty}) -> {ty} {{\n  return %x : {ty}\n}}\n");
    let huge = "tensor<4611686018427387904xi8>";
    for (text, code, message) in [
        (
            pad(&(shape("[-1, 0]") + zero), "", "tensor<3xi8>"),
            3,
            "4:8: error: 'tosa.pad' op unsupported: padding -1 is negative",
        ),
        (
            pad(&shape("[1, 0]"), ", %z: tensor<1xi8>", "tensor<5xi8>"),
            3,
            "3:8: error: 'tosa.pad' op unsupported: pad_const is not constant",
        ),
        (
            constant("tensor<4xi32>", "dense_resource<short>"),
            1,
            "2:8: error: 'tosa.const' op the resource 'short' has 2 bytes",
        ),
        (
            constant("tensor<4xi32>", "dense_resource<gone>"),
            1,
            "2:8: error: 'tosa.const' op the resource 'gone' is not in the file",
        ),
        (
            constant("tensor<4xi32>", "sparse<[[0], [2]], [5, 7]>"),
            3,
            "2:8: error: 'tosa.const' op unsupported: a sparse constant",
        ),
        (constant(huge, "dense<3>"), 4, "2:8: error: 'tosa.const' op "),
        (
            through("tensor<2147483648x2147483648x2147483648xi8>"),
            4,
            "1:1: error: 'func.func' op does not fit the machine: ",
        ),
        (through("tensor<0x4xi8>"), 1, "1:17: error: a tensor of type 'tensor<0x4xi8>' has no elements"),
        (
            through("tensor<?xi8>"),
            3,
            "1:1: error: 'func.func' op unsupported: argument #0 of type 'tensor<?xi8>' has a dynamic shape",
        ),
    ] {
        scratch.write("net.mlir", text);
        for pass in ["--strum-to-dpu", "--strum-pipeline"] {
            let done = opt(&scratch, &format!("net.mlir {pass}")).fails(code, &format!("net.mlir:{message}"));
            assert!(!done.stderr.contains("internal error"), "{done:?}");
        }
    }
}

#[test]
fn output_appears_whole_or_not_at_all() {
    let scratch = Scratch::new();
    scratch.write("out.mlir", "before");
    opt(&scratch, "net.mlir --strum-to-dpu -o out.mlir").fails(3, "unsupported");
    opt(&scratch, "net.mlir --split-input-file --tosa-validate=nonsense -o out.mlir").fails(2, "");
    assert_eq!(scratch.read("out.mlir"), b"before");
    opt(&scratch, "net.mlir -o out.mlir").ok();
    assert!(opt(&scratch, "net.mlir").ok().stdout == scratch.read("out.mlir"));
    opt(&scratch, "net.mlir -o none/out.mlir").fails(1, "none/out.mlir: No such file");
    opt(&scratch, "net.mlir -o /dev/null").ok();
    opt(&scratch, "net.mlir -o /dev/full").fails(1, "strum-opt: error: /dev/full: No space left on device");
    assert_eq!(scratch.names(), ["net.mlir", "out.mlir", "x.npy"]);
}

#[test]
fn lost_output_is_an_error_and_a_reader_that_has_seen_enough_is_none() {
    let scratch = Scratch::new();
    let many: String = (0..200).map(|i| NETWORK.replace("@net", &format!("@net{i}"))).collect();
    scratch.write("many.mlir", many);
    for line in ["many.mlir", "--help", "--list-passes", "--show-dialects", "--version"] {
        let run = |out: Stdio| {
            let mut command = Command::new(OPT);
            command.args(line.split(' ')).current_dir(scratch.path()).stdin(Stdio::null());
            command.stdout(out).stderr(Stdio::piped()).spawn().unwrap()
        };
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let done = run(full.into()).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{line}: {said}");
        assert!(said.starts_with("strum-opt: error: <stdout>: No space left on device"), "{line}: {said}");
        let mut closed = run(Stdio::piped());
        drop(closed.stdout.take());
        let done = closed.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!((done.status.code(), said.as_ref()), (Some(0), ""), "{line}");
    }
}

#[test]
fn nesting_is_limited_and_works_up_to_there() {
    let scratch = Scratch::new();
    for text in [
        format!("{}{}", "module {\n".repeat(20_000), "}\n".repeat(20_000)),
        format!("module attributes {{a = {}1{}}} {{}}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        scratch.write("deep.mlir", text);
        opt(&scratch, "deep.mlir").fails(4, "deep.mlir: brackets are nested deeper than the limit");
    }
    let two = "module {\nfunc.func private @f(%x: i8) -> i8 {\n return %x : i8\n}\nmodule {}\n";
    for text in [
        format!("{}{}", two.repeat(2000), "}\n".repeat(2000)),
        format!("module attributes {{x.a = {}1{}}} {{}}", "[".repeat(2000), "]".repeat(2000)),
        format!("func.func @f(%c: i1) {{\n{}{}return }}", "scf.if %c {\n".repeat(2000), "}\n".repeat(2000)),
    ] {
        scratch.write("deep.mlir", text);
        for line in ["--verify-roundtrip", "--canonicalize --cse --symbol-dce", "--emit-bytecode"] {
            opt(&scratch, &format!("deep.mlir {line} --allow-unregistered-dialect -o deep")).ok();
        }
        opt(&scratch, "deep --allow-unregistered-dialect -o again.mlir").ok();
    }
}

#[test]
fn bytecode_keeps_what_no_dialect_knows() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", from(r#""net.mlir":2:3"#));
    let reproducer = "--mlir-pass-pipeline-crash-reproducer=again.mlir";
    opt(&scratch, &format!("net.mlir --tosa-to-strum {reproducer}")).fails(3, "unsupported");
    opt(&scratch, "again.mlir --emit-bytecode -o again.mlirbc").ok();
    for file in ["again.mlir", "again.mlirbc"] {
        opt(&scratch, file).ok();
        opt(&scratch, &format!("{file} --run-reproducer")).fails(3, "'tosa.identity' op unsupported");
    }
    scratch.write("foreign.mlir", "\"a.b\"() : () -> ()");
    opt(&scratch, "foreign.mlir --allow-unregistered-dialect --emit-bytecode -o foreign.mlirbc").ok();
    opt(&scratch, "foreign.mlirbc").fails(1, "dialect 'a' is unknown");
    assert!(opt(&scratch, "foreign.mlirbc --allow-unregistered-dialect").ok().text().contains("\"a.b\"()"));
}

#[test]
fn bytecode_that_fells_the_reader_is_refused_by_strum_opt() {
    let scratch = Scratch::new();
    scratch.write("bad.mlirbc", include_bytes!("fault.mlirbc"));
    opt(&scratch, "bad.mlirbc").fails(1, "bad.mlirbc: malformed bytecode: MLIR's reader faulted on it");
}

#[test]
fn lines_are_those_of_the_whole_file_and_chunks_are_processed_alone() {
    let scratch = Scratch::new();
    let good = "func.func @f() { return }\n";
    scratch.write(
        "net.mlir",
        format!("{good}// -----\n{good}\nfunc.func @g() -> i8 {{ return }}\n// -----\n{good}"),
    );
    opt(&scratch, "net.mlir --split-input-file -o out.mlir").fails(1, "net.mlir:5:24: error: ");
    assert!(!scratch.has("out.mlir"));
    scratch.write("net.mlir", format!("{good}// -----\n{good}"));
    assert_eq!(opt(&scratch, "net.mlir --split-input-file").ok().text().matches("@f").count(), 2);
    assert!(opt(&scratch, "empty.mlir").code == Some(1));
    scratch.write("empty.mlir", "");
    assert_eq!(opt(&scratch, "empty.mlir").ok().text(), "module {\n}\n\n");
    assert_eq!(
        opt(&scratch, "net.mlir --mlir-diagnostic-verbosity-level=errors --split-input-file").ok().stderr,
        ""
    );
    for tool in [OPT, STRUMC, TRANSLATE] {
        assert!(run_in(scratch.path(), tool, &["--version"], b"").ok().text().contains("(LLVM 22."));
    }
}

#[test]
fn options_that_are_not_utf8_are_refused() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", NETWORK);
    for (pass, refusal) in [
        ("--strum-pack=packing=", "the options of strum-pack are not UTF-8"),
        ("--strum-pipeline=write-strategy=", "the options of strum-pipeline are not UTF-8"),
    ] {
        let mut option = pass.as_bytes().to_vec();
        option.extend(b"\xff.json");
        let arguments = [OsStr::new("net.mlir"), &OsString::from_vec(option)];
        let output = Command::new(OPT).args(arguments).current_dir(scratch.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(refusal), "{text}");
        assert_eq!(output.status.code(), Some(2), "{text}");
    }
}
