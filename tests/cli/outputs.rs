//! Outputs of a driver arrive, or the driver reports a failure; nothing overwrites anything else.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::common::{NETWORK, STRUMC, Scratch, TRANSLATE, names, run_in};

/// A network of floats with a convolution.
const FLOAT: &str = r#"func.func @main(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x3xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0, 0.0]]], [[[0.0, 1.0]]], [[[-1.0, -1.0]]]]> : tensor<3x1x1x2xf32>}> : () -> tensor<3x1x1x2xf32>
  %b = "tosa.const"() <{values = dense<0.0> : tensor<3xf32>}> : () -> tensor<3xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %c = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<3x1x1x2xf32>, tensor<3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x3xf32>
  return %c : tensor<1x1x1x3xf32>
}
"#;

/// A folder with an input of every kind.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("float.mlir", FLOAT);
    let floats: Vec<u8> = [0.5f32, -1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    scratch.write("c.npy", crate::common::npy("<f4", &[1, 1, 1, 2], &floats));
    scratch.write("m.toml", include_str!("../../dialects/isa/machines/flexnn-4x4.toml"));
    scratch.compile("--write-strategy s.json");
    scratch.write("net.dpuasm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
    scratch.strumc("run net.dpu --input x.npy -q --report r.json").ok();
    scratch.strumc("tune net.mlir --policy uniform -q -o p.json").ok();
    scratch
}

/// Commands with output on standard output.
const STRUMC_LINES: [&str; 25] = [
    "--help",
    "--version",
    "help run",
    "compile --help",
    "compile --print-pipeline",
    "compile net.mlir -o new",
    "compile net.mlir -o new --json",
    "compile net.mlir -o -",
    "run net.mlir --print-pipeline",
    "run net.mlir --input x.npy",
    "run net.mlir --input x.npy --json",
    "run net.mlir --input x.npy --layers",
    "compare net.mlir --input x.npy --methods dense --machines flexnn-4x4",
    "compare net.mlir --input x.npy --methods dense --machines flexnn-4x4 --layers",
    "compare net.mlir --input x.npy --methods dense --machines flexnn-4x4 --json",
    "compare net.mlir --input x.npy --methods dense --machines flexnn-4x4 --page - -q",
    "eval net.mlir --inputs x.npy --logits 0 --methods dense",
    "eval net.mlir --inputs x.npy --logits 0 --methods mip2q --json --layers",
    "tune net.mlir --policy uniform -o new",
    "tune net.mlir --policy uniform -o new --json",
    "tune net.mlir --policy uniform -o - -q",
    "quantize float.mlir -c c.npy -o new",
    "quantize float.mlir -c c.npy -o new --json",
    "quantize float.mlir -c c.npy -o -",
    "report r.json -o -",
];

const TRANSLATE_LINES: [&str; 7] = [
    "--help",
    "--version",
    "--dpu-to-mlir net.dpu",
    "--dpu-to-asm net.dpu",
    "--asm-to-dpu net.dpuasm",
    "--dpu-audit net.dpu",
    "--dpu-audit net.dpu --json",
];

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    STRUMC_LINES.map(|line| (STRUMC, line)).into_iter().chain(TRANSLATE_LINES.map(|line| (TRANSLATE, line)))
}

#[test]
fn failed_writes_to_standard_output_are_errors_of_every_command() {
    let scratch = folder();
    for (program, line) in lines() {
        let full = format!("{program} {line} > /dev/full");
        let done = run_in(scratch.path(), "sh", &["-c", &full], b"");
        assert_eq!(done.code, Some(1), "{line}: {done:?}");
        assert!(done.stderr.contains("error: <stdout>: No space left on device"), "{line}: {done:?}");
        let unwritable = format!("{program} {line} 1< /dev/null");
        let done = run_in(scratch.path(), "sh", &["-c", &unwritable], b"");
        assert_eq!(done.code, Some(1), "{line}: {done:?}");
        assert!(done.stderr.contains("error: <stdout>: Bad file descriptor"), "{line}: {done:?}");
    }
}

/// Rust programs reopen a closed standard output as `/dev/null`, so no file gets its number.
#[test]
fn readers_that_are_gone_and_closed_outputs_are_no_failure() {
    let scratch = folder();
    for (program, line) in lines() {
        let mut child = Command::new(program)
            .args(line.split_whitespace())
            .current_dir(scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        assert_eq!((done.status.code(), done.stderr.len()), (Some(0), 0), "{line}");
        let closed = format!("{program} {line} >&-");
        let done = run_in(scratch.path(), "sh", &["-c", &closed], b"").ok();
        assert!(done.stdout.is_empty(), "{line}");
    }
    run_in(scratch.path(), "sh", &["-c", &format!("{STRUMC} compile net.mlir -o closed >&-")], b"").ok();
    assert_eq!(scratch.read("closed"), scratch.read("net.dpu"));
}

/// A command and its options that name outputs; the last one of `compile` and `run` names a folder.
const OUTPUTS: [(&str, &[&str]); 2] = [
    ("compile net.mlir", &["--output", "--write-strategy", "--save-temps"]),
    (
        "run net.mlir --input x.npy",
        &["--output", "--output", "--report", "--trace", "--trace-pe", "--write-strategy", "--save-temps"],
    ),
];

#[test]
fn two_outputs_with_one_name_are_refused_in_every_pair_of_options() {
    let scratch = Scratch::new();
    symlink("same", scratch.path().join("link")).unwrap();
    std::fs::create_dir(scratch.path().join("d")).unwrap();
    let before = scratch.names();
    for (command, options) in OUTPUTS {
        for (i, a) in options.iter().enumerate() {
            for b in &options[i + 1..] {
                for (one, other) in
                    [("same", "same"), ("same", "./same"), ("link", "same"), ("d/../same", "link")]
                {
                    let output =
                        if command.starts_with("compile") && *a != "--output" { "-o n.dpu" } else { "" };
                    let line = format!("{command} {a} {one} {b} {other} {output}");
                    let done = scratch.strumc(&line).fails(2, "would ");
                    assert!(done.stderr.contains(a) && done.stderr.contains(b), "{line}: {done:?}");
                    assert_eq!(scratch.names(), before, "{line}");
                }
            }
        }
    }
}

#[test]
fn outputs_among_the_temporaries_of_a_compilation_are_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("t")).unwrap();
    for name in
        ["00-input.mlir", "03-packed.mlir", "06-scheduled.mlir", "07-program.dpu", "08-program.dpuasm"]
    {
        let line = format!("compile net.mlir --save-temps t -o t/{name}");
        scratch.strumc(&line).fails(2, "--output and --save-temps would both go to");
        let line = format!("run net.mlir --input x.npy --save-temps ./t --report t/{name}");
        scratch.strumc(&line).fails(2, "--report and --save-temps would both go to");
    }
    assert!(names(&scratch.path().join("t")).is_empty());
    scratch.strumc("compile net.mlir --save-temps t -o t/net.dpu -q").ok();
    let kept = names(&scratch.path().join("t"));
    assert!(kept.contains(&"08-program.dpuasm".to_owned()) && kept.len() == 10, "{kept:?}");
}

#[test]
fn arrays_of_one_archive_are_no_conflict_unless_they_have_one_name() {
    let scratch = Scratch::new();
    scratch.strumc("run net.mlir --input x.npy --output y.npz:a ./y.npz:b -q").ok();
    scratch.write("y1.npz", scratch.read("y.npz"));
    scratch.strumc("run net.mlir --input x.npy --output out0=y.npz out1=y.npz -q").ok();
    assert_ne!(scratch.read("y.npz"), scratch.read("y1.npz"));
    for arguments in
        ["y.npz:a y.npz:a", "y.npz:a ./y.npz:a", "out0=y.npz:out1 out1=y.npz", "y.npz:out1 y.npz"]
    {
        let line = format!("run net.mlir --input x.npy --output {arguments}");
        scratch.strumc(&line).fails(2, "two of --output would go to array");
    }
}

#[test]
fn outputs_do_not_overwrite_what_is_read() {
    let scratch = folder();
    symlink("net.mlir", scratch.path().join("link.mlir")).unwrap();
    std::fs::create_dir(scratch.path().join("t")).unwrap();
    scratch.write("t/00-input.mlir", NETWORK);
    let before: Vec<Vec<u8>> =
        scratch.names().iter().filter(|n| *n != "t").map(|name| scratch.read(name)).collect();
    for line in [
        "compile net.mlir -o net.mlir",
        "compile net.mlir -o ./net.mlir",
        "compile link.mlir -o net.mlir",
        "compile net.mlir -o link.mlir",
        "compile net.mlir -o n.dpu --write-strategy net.mlir",
        "compile net.mlir --read-strategy s.json -o s.json",
        "compile net.mlir --read-strategy s.json --write-strategy s.json -o n.dpu",
        "compile net.mlir --packing p.json -o p.json",
        "compile net.mlir --machine m.toml -o m.toml",
        "compile t/00-input.mlir --save-temps t -o n.dpu",
        "run net.mlir --input x.npy --output x.npy",
        "run net.mlir --input arg0=x.npy --output out1=./x.npy",
        "run net.mlir --input x.npy --report x.npy",
        "run net.mlir --input x.npy --trace net.mlir",
        "run net.dpu --input x.npy --report net.dpu",
        "compare net.mlir --input x.npy --page net.mlir",
        "compare net.mlir --input x.npy --page x.npy",
        "compare net.mlir --input x.npy --machines m.toml --page m.toml",
        "compare net.mlir --input x.npy --baseline m.toml --page m.toml",
        "tune net.mlir --policy uniform -o net.mlir",
        "tune net.mlir -c x.npy --max-loss 1 -o x.npy",
        "tune net.mlir -c x.npy --labels c.npy --max-loss 1 -o c.npy",
        "tune net.mlir -c x.npy --max-loss 1 --machine m.toml -o m.toml",
        "quantize float.mlir -c c.npy -o float.mlir",
        "quantize float.mlir -c c.npy -o c.npy",
        "report r.json -o r.json",
    ] {
        scratch.strumc(line).fails(2, " would overwrite '");
    }
    scratch.translate("--dpu-to-asm net.dpu -o net.dpu").fails(2, "--output would overwrite 'net.dpu'");
    let after: Vec<Vec<u8>> =
        scratch.names().iter().filter(|n| *n != "t").map(|name| scratch.read(name)).collect();
    assert!(before == after);
}

#[test]
fn standard_output_gets_one_thing() {
    let scratch = folder();
    for (line, message) in [
        ("compile net.mlir -o - --json", "--json goes to standard output, where the program would be, too"),
        ("compile net.mlir -o n.dpu --write-strategy -", "--write-strategy: a strategy needs a file"),
        ("run net.mlir --input x.npy --output -", "--output -: expected the name of a file"),
        ("run net.mlir --input x.npy --report -", "--report -: expected the name of a file"),
        ("run net.mlir --input x.npy --trace -", "--trace -: expected the name of a file"),
        ("quantize float.mlir -o - --json", "--json goes to standard output"),
        ("tune net.mlir --policy uniform -o -", "needs --quiet"),
        ("tune net.mlir --policy uniform -o - --json", "needs --quiet"),
        ("compare net.mlir --input x.npy --page -", "needs --quiet"),
    ] {
        scratch.strumc(line).fails(2, message);
    }
    assert!(!scratch.has("-"));
}

#[test]
fn places_that_cannot_be_written_to_are_found_before_the_work() {
    let scratch = folder();
    // If it were read, the network would cause an error of its own.
    for line in [
        "compile none.mlir -o no/folder/n.dpu",
        "compile none.mlir -o n.dpu --write-strategy no/folder/s.json",
        "run none.mlir --input x.npy --output no/folder/y.npy",
        "run none.mlir --input x.npy --report no/folder/r.json",
        "run none.mlir --input x.npy --trace no/folder/t.json",
        "compare none.mlir --input x.npy --page no/folder/page.html",
        "tune none.mlir --policy uniform -o no/folder/p.json",
        "quantize none.mlir -o no/folder/n.mlir",
        "report none.json -o no/folder/page.html",
    ] {
        scratch.strumc(line).fails(1, "no/folder");
    }
    scratch.translate("--dpu-to-asm none.dpu -o no/folder/n").fails(1, "no/folder");
}

#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_written() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("d")).unwrap();
    symlink("d/program", scratch.path().join("link")).unwrap();
    scratch.strumc("compile net.mlir -o link -q").ok();
    assert_eq!(scratch.read("d/program"), scratch.compile(""));
    symlink("d/y.npy", scratch.path().join("y")).unwrap();
    scratch.strumc("run net.mlir --input x.npy --output out1=y -q --report link").ok();
    assert!(scratch.has("d/y.npy") && scratch.read("d/program").starts_with(b"{"));
    for name in ["link", "y"] {
        assert!(std::fs::symlink_metadata(scratch.path().join(name)).unwrap().is_symlink());
    }
}
