//! One memory limit for everything that a driver holds, and tensors without elements.

use std::fs::File;

use crate::common::{OPT, Scratch, npy, run_in};

/// Constants of gibibytes in a few lines.
fn huge() -> [(&'static str, String); 4] {
    let constant = |name: &str, value: &str, ty: &str| {
        format!("  %{name} = \"tosa.const\"() <{{values = dense<{value}> : {ty}}}> : () -> {ty}\n")
    };
    let returned = |n: u64| {
        let ty = format!("tensor<{n}xi8>");
        format!("func.func @main() -> {ty} {{\n{}  return %c : {ty}\n}}\n", constant("c", "3", &ty))
    };
    let (one, many) = ("tensor<1xi32>", "tensor<1000000000xi32>");
    let add = format!(
        "func.func @main(%x: {one}) -> {many} {{\n{}  %0 = tosa.add %x, %c : ({one}, {many}) -> {many}\n  \
         return %0 : {many}\n}}\n",
        constant("c", "3", many)
    );
    let (image, sums, weights) =
        ("tensor<1x1x1x65536xi8>", "tensor<1x1x1x65536xi32>", "tensor<65536x1x1x65536xi8>");
    let conv = format!(
        "func.func @main(%x: {image}) -> {sums} {{\n{}{}{}  %0 = tosa.conv2d %x, %c, %b, %z, %z {{acc_type = i32, \
         dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}} : \
         ({image}, {weights}, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> {sums}\n  return %0 : {sums}\n}}\n",
        constant("c", "3", weights),
        constant("b", "3", one),
        constant("z", "0", "tensor<1xi8>"),
    );
    [
        ("returned.mlir", returned((1 << 31) - 1)),
        ("larger.mlir", returned(1 << 32)),
        ("add.mlir", add),
        ("conv.mlir", conv),
    ]
}

#[test]
fn constants_of_gibibytes_are_refused_at_their_op_and_not_written_out() {
    let scratch = Scratch::new();
    for (name, text) in huge() {
        scratch.write(name, text);
        let place = format!("{name}:2:8: error: 'tosa.const' op out of memory: to compile ");
        for command in ["compile", "run", "eval"] {
            let rest = match command {
                "compile" => "-o n.dpu",
                "run" => "--input x.npy",
                _ => "--inputs x.npy",
            };
            let line = format!("{command} {name} {rest} --memory-limit 2GB");
            let done = scratch.strumc(&line).fails(4, "the memory limit is 2000000000 bytes; --memory-limit");
            assert!(done.stderr.contains(&place), "{done:?}");
        }
        for pass in ["--strum-canonicalize", "--strum-to-dpu", "--strum-pipeline"] {
            let arguments = [name, pass, "--strum-memory-limit=2GB"];
            let done = run_in(scratch.path(), OPT, &arguments, b"");
            assert!(done.code != Some(0) && done.stderr.contains(&place), "{done:?}");
            assert!(done.stderr.contains("; --strum-memory-limit raises it"), "{done:?}");
        }
    }
    assert!(!scratch.has("n.dpu"));
}

#[test]
fn a_limit_that_suffices_changes_nothing() {
    let scratch = Scratch::new();
    let program = scratch.compile("");
    assert_eq!(scratch.compile("--memory-limit 1GiB"), program);
    scratch.strumc("run net.dpu --input x.npy -q --memory-limit 2GB").ok();
    scratch.translate("--dpu-to-asm net.dpu -o net.s --memory-limit 500MB").ok();
}

#[test]
fn sizes_are_numbers_of_bytes_with_a_unit() {
    let scratch = Scratch::new();
    for (size, message) in [("much", "2GB or 512MiB"), ("5", "at least 64 MiB"), ("-1GB", "")] {
        scratch.strumc(&format!("compile net.mlir -o n.dpu --memory-limit {size}")).fails(2, message);
        let option = format!("--strum-memory-limit={size}");
        run_in(scratch.path(), OPT, &["net.mlir", &option], b"").fails(2, message);
    }
    run_in(scratch.path(), OPT, &["net.mlir", "--strum-memory-limit"], b"").fails(2, "takes a size");
}

#[test]
fn text_that_takes_much_to_parse_is_refused_before() {
    let scratch = Scratch::new();
    let ty = "tensor<2000000xi8>";
    let list = vec!["1"; 1_999_999].join(",") + ",2";
    let text = format!(
        "func.func @main() -> {ty} {{\n  %c = \"tosa.const\"() <{{values = dense<[{list}]> : {ty}}}> : () -> {ty}\n  return %c : {ty}\n}}\n"
    );
    scratch.write("list.mlir", text);
    scratch
        .strumc("compile list.mlir -o n.dpu --memory-limit 256MB")
        .fails(4, "list.mlir: out of memory: to parse");
}

#[test]
fn files_are_claimed_before_they_are_read() {
    // Sparse files have no bytes on disk.
    let scratch = Scratch::new();
    let sparse = |name: &str, head: &[u8]| {
        scratch.write(name, head);
        let file = File::options().append(true).open(scratch.path().join(name)).unwrap();
        file.set_len(1 << 30).unwrap();
    };
    sparse("huge.mlir", b"");
    sparse("huge.dpu", b"\x7fELF");
    let file = npy("|i1", &[(1 << 30) - 128], &[]);
    sparse("huge.npy", &file);
    let message = "1073741824 bytes are needed beside";
    for line in [
        "compile huge.mlir -o n.dpu",
        "run huge.dpu --input x.npy",
        "quantize huge.mlir -o q.mlir",
        "report huge.mlir -o r.html",
        "eval net.mlir --logits 0 --inputs huge.npy",
    ] {
        scratch.strumc(&format!("{line} --memory-limit 512MB")).fails(4, "are needed beside");
    }
    scratch.translate("--asm-to-dpu huge.mlir -o n.dpu --memory-limit 512MB").fails(4, message);
}

#[test]
fn an_import_is_claimed_before_it_begins() {
    let scratch = Scratch::new();
    scratch.write("net.tflite", b"\x1c\0\0\0TFL3");
    let file = File::options().append(true).open(scratch.path().join("net.tflite")).unwrap();
    file.set_len(64 << 20).unwrap();
    for line in ["compile net.tflite -o n.dpu", "check net.tflite"] {
        let refused = "net.tflite: out of memory: to read the network";
        scratch.strumc(&format!("{line} --memory-limit 200MB")).fails(4, refused);
    }
}

#[test]
fn devices_are_refused_wherever_something_is_read() {
    let scratch = Scratch::new();
    scratch.compile("");
    for line in [
        "compile /dev/zero -o n.dpu",
        "compile net.mlir -o n.dpu --packing /dev/zero",
        "compile net.mlir -o n.dpu --read-strategy /dev/zero",
        "run net.dpu --input /dev/zero",
        "report /dev/zero -o r.html",
        "quantize /dev/zero -o q.mlir",
        "eval net.mlir --logits 0 --inputs /dev/zero",
        "eval net.mlir --logits 0 --inputs x.npy --labels /dev/zero",
    ] {
        scratch.strumc(line).fails(1, "is a device");
    }
    std::os::unix::fs::symlink("/dev/zero", scratch.path().join("machine.toml")).unwrap();
    scratch.strumc("compile net.mlir -o n.dpu --machine machine.toml").fails(1, "is a device");
    for translation in ["--dpu-to-asm", "--dpu-audit", "--asm-to-dpu", "--mlir-to-dpu"] {
        scratch.translate(&format!("{translation} /dev/zero -o t")).fails(1, "/dev/zero: is a device");
    }
}

#[test]
fn an_endless_pipe_is_a_limit() {
    let scratch = Scratch::new();
    // A quarter of the rest is far less than this.
    let endless = vec![b'x'; 96 << 20];
    let arguments = ["compile", "-", "-o", "n.dpu", "--memory-limit", "256MB"];
    let done = run_in(scratch.path(), crate::common::STRUMC, &arguments, &endless);
    done.fails(4, "<stdin>: a stream of more than");
}

/// Every way to get a tensor without elements.
fn empty() -> Vec<(&'static str, String)> {
    let of = |ty: &str, body: &str| {
        format!("func.func @main(%x: {ty}) -> {ty} {{\n  {body}\n  return %0 : {ty}\n}}\n")
    };
    let same = |op: &str| of("tensor<0x4xi8>", &format!("%0 = {op} : (tensor<0x4xi8>) -> tensor<0x4xi8>"));
    vec![
        ("passed through", "func.func @main(%x: tensor<0x4xi8>) -> tensor<0x4xi8> {\n  return %x : tensor<0x4xi8>\n}\n".into()),
        ("unused", "func.func @main(%x: tensor<0x4xi8>, %y: tensor<4xi8>) -> tensor<4xi8> {\n  return %y : tensor<4xi8>\n}\n".into()),
        ("constant", of("tensor<4x0xi32>", "%0 = \"tosa.const\"() <{values = dense<3> : tensor<4x0xi32>}> : () -> tensor<4x0xi32>")),
        ("abs", of("tensor<0xi32>", "%0 = tosa.abs %x : (tensor<0xi32>) -> tensor<0xi32>")),
        ("add", of("tensor<2x0xi32>", "%0 = tosa.add %x, %x : (tensor<2x0xi32>, tensor<2x0xi32>) -> tensor<2x0xi32>")),
        ("clamp", same("tosa.clamp %x {min_val = -1 : i8, max_val = 1 : i8}")),
        ("reverse", same("tosa.reverse %x {axis = 1 : i32}")),
        ("transpose", of("tensor<0x0xi8>", "%0 = tosa.transpose %x {perms = array<i32: 1, 0>} : (tensor<0x0xi8>) -> tensor<0x0xi8>")),
        ("concat", of("tensor<0x4xi8>", "%0 = tosa.concat %x, %x {axis = 0 : i32} : (tensor<0x4xi8>, tensor<0x4xi8>) -> tensor<0x4xi8>")),
        ("identity", same("tosa.identity %x")),
        ("reduce", "func.func @main(%x: tensor<4x0xi32>) -> tensor<4x1xi32> {\n  %0 = tosa.reduce_sum %x {axis = 1 : i32} : (tensor<4x0xi32>) -> tensor<4x1xi32>\n  return %0 : tensor<4x1xi32>\n}\n".into()),
        ("reshape", "func.func @main(%x: tensor<0x4xi8>) -> tensor<0xi8> {\n  %s = tosa.const_shape {values = dense<0> : tensor<1xindex>} : () -> !tosa.shape<1>\n  %0 = tosa.reshape %x, %s : (tensor<0x4xi8>, !tosa.shape<1>) -> tensor<0xi8>\n  return %0 : tensor<0xi8>\n}\n".into()),
        ("result", "func.func @main(%x: tensor<4xi8>) -> tensor<0xi8> {\n  %a = tosa.const_shape {values = dense<0> : tensor<1xindex>} : () -> !tosa.shape<1>\n  %0 = tosa.slice %x, %a, %a : (tensor<4xi8>, !tosa.shape<1>, !tosa.shape<1>) -> tensor<0xi8>\n  return %0 : tensor<0xi8>\n}\n".into()),
        ("matmul", "func.func @main(%x: tensor<1x2x0xi8>, %y: tensor<1x0x2xi8>) -> tensor<1x2x2xi32> {\n  %z = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n  %0 = tosa.matmul %x, %y, %z, %z : (tensor<1x2x0xi8>, tensor<1x0x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2xi32>\n  return %0 : tensor<1x2x2xi32>\n}\n".into()),
        ("pool", "func.func @main(%x: tensor<0x4x4x1xi8>) -> tensor<0x2x2x1xi8> {\n  %0 = tosa.max_pool2d %x {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<0x4x4x1xi8>) -> tensor<0x2x2x1xi8>\n  return %0 : tensor<0x2x2x1xi8>\n}\n".into()),
        ("float", "func.func @main(%x: tensor<0x4xf32>) -> tensor<0x4xf32> {\n  %0 = tosa.exp %x : (tensor<0x4xf32>) -> tensor<0x4xf32>\n  return %0 : tensor<0x4xf32>\n}\n".into()),
    ]
}

#[test]
fn tensors_without_elements_are_invalid_at_their_place() {
    let scratch = Scratch::new();
    for (name, text) in empty() {
        scratch.write("empty.mlir", text);
        let done = scratch.strumc("compile empty.mlir -o n.dpu");
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert!(done.stderr.starts_with("empty.mlir:"), "{name}: {done:?}");
        for pass in [
            "--strum-canonicalize",
            "--tosa-to-strum",
            "--strum-to-dpu",
            "--strum-to-tosa",
            "--tosa-quantize",
        ] {
            let done = run_in(scratch.path(), OPT, &["empty.mlir", pass], b"");
            // Integer passes ignore the float network, and vice versa.
            let done_nothing = pass == "--tosa-quantize" || name == "float";
            assert!(done.code != Some(0) || done_nothing, "{name}: {pass}: {done:?}");
            assert!(!done.stderr.contains("internal error"), "{name}: {pass}: {done:?}");
        }
    }
}

#[test]
fn constants_that_grow_by_folding_are_refused_where_they_do() {
    let scratch = Scratch::new();
    let ty = |n: u64| format!("tensor<{n}xi8>");
    let mut text = format!("func.func @main() -> {} {{\n", ty(4 << 26));
    text += "  %c0 = \"tosa.const\"() <{values = dense<[1, 2, 3, 4]> : tensor<4xi8>}> : () -> tensor<4xi8>\n";
    for i in 0..26 {
        let (half, whole) = (ty(4 << i), ty(8 << i));
        text += &format!(
            "  %c{} = tosa.concat %c{i}, %c{i} {{axis = 0 : i32}} : ({half}, {half}) -> {whole}\n",
            i + 1
        );
    }
    text += &format!("  return %c26 : {}\n}}\n", ty(4 << 26));
    scratch.write("grow.mlir", text);
    let done = scratch.strumc("compile grow.mlir -o n.dpu --memory-limit 256MB");
    done.fails(4, "'tosa.concat' op out of memory: a folded constant: ");
}
