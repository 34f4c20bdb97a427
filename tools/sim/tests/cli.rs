//! The command: files in, files out, exit codes, messages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Conv, nth, program};
use dpu_isa::{Instr, Machine, Program};

/// Results of a run: exit code, standard output, new files.
type Left = (Option<i32>, Vec<u8>, Vec<(PathBuf, Vec<u8>)>);

/// A folder with a program, its input and the expected output.
struct Setup {
    folder: tempfile::TempDir,
    expected: Vec<u8>,
}

const CONV: Conv = Conv::SMALL;

fn npy(shape: &str, descr: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
}

impl Setup {
    fn new() -> Setup {
        let setup = Setup { folder: tempfile::tempdir().unwrap(), expected: CONV.expected() };
        setup.program("p.dpu", &program(&CONV));
        setup.write("x.npy", &npy("(1, 8, 8, 16)", "|i1", &CONV.input()));
        setup
    }

    fn program(&self, name: &str, program: &Program) {
        self.write(name, &program.to_elf().unwrap());
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpu-sim"));
        command.current_dir(self.folder.path()).args(args).output().unwrap()
    }

    /// Runs a shell command line, in which `$0` is the simulator.
    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command
            .current_dir(self.folder.path())
            .args(["-c", line, env!("CARGO_BIN_EXE_dpu-sim")])
            .output()
            .unwrap()
    }

    /// Exit code, standard output and new files of a run; the files are removed again.
    fn left(&self, line: &str) -> Left {
        let list = || fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let before: Vec<_> = list().collect();
        let output = self.run(&line.split(' ').collect::<Vec<_>>());
        let mut made: Vec<_> = list().filter(|path| !before.contains(path)).collect();
        made.sort();
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            (path, bytes)
        };
        (output.status.code(), output.stdout, made.into_iter().map(read).collect())
    }

    /// Runs and expects this exit code; returns standard error.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!self.path("y.npy").exists(), "no output of a failed run");
        text
    }
}

/// The data of an `.npy` file.
fn data(path: &Path, bytes: usize) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    file[file.len() - bytes..].to_vec()
}

#[test]
fn a_run_writes_outputs_and_says_what_it_took() {
    let setup = Setup::new();
    let output = setup.run(&["p.dpu", "--input", "x.npy", "--output", "y.npy", "--report", "r.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("cycles  8") && text.contains("macs    73728 (73728 high, 0 low)"), "{text}");
    assert_eq!(data(&setup.path("y.npy"), setup.expected.len()), setup.expected);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(setup.path("r.json")).unwrap()).unwrap();
    assert_eq!(report["total"]["macs_high"], 73728);
    // Nothing is left of the temporary files.
    assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 4);
}

#[test]
fn names_archives_and_quiet() {
    let setup = Setup::new();
    let args = ["p.dpu", "-i", "x=x.npy", "-o", "y=all.npz:result", "-q"];
    let output = setup.run(&args);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    // The archive is an input like any other, and equal runs write equal bytes.
    let first = fs::read(setup.path("all.npz")).unwrap();
    setup.run(&args);
    assert_eq!(fs::read(setup.path("all.npz")).unwrap(), first);
    let text = setup.fails(1, &["p.dpu", "-i", "all.npz:result"]);
    assert_eq!(text, "dpu-sim: error: all.npz: input 'x': expected shape [1, 8, 8, 16], got [1, 8, 8, 8]\n");
}

#[test]
fn json_and_layers_go_to_standard_output() {
    let setup = Setup::new();
    let output = setup.run(&["p.dpu", "--input", "x.npy", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["layers"][0]["name"], "conv1");
    assert!(output.stdout.starts_with(b"{\n  \"schema\": \"dpu-sim-report\",\n  \"version\": 1,\n"));
    let output = setup.run(&["p.dpu", "--input", "x.npy", "--layers", "--no-checks"]);
    assert!(String::from_utf8(output.stdout).unwrap().lines().any(|line| line.starts_with("layer  ")));
}

#[test]
fn wrong_usage_is_code_2() {
    let setup = Setup::new();
    assert!(setup.fails(2, &[]).contains("Usage: dpu-sim"));
    assert!(setup.fails(2, &["p.dpu", "--frobnicate"]).contains("--frobnicate"));
    assert!(setup.fails(2, &["p.dpu", "--fuel", "much"]).contains("--fuel"));
    assert!(setup.fails(2, &["p.dpu", "-q", "--json"]).contains("cannot be used with"));
    assert!(
        setup.fails(2, &["p.dpu"]).contains("no file for input 'x'; the inputs are 'x' (i8[1, 8, 8, 16])")
    );
    assert!(setup.fails(2, &["p.dpu", "-i", "z=x.npy"]).contains("no input is called 'z'"));
    assert!(setup.fails(2, &["p.dpu", "-i", "x.npy", "x.npy"]).contains("2 inputs given, the program has 1"));
    assert!(setup.fails(2, &["p.dpu", "-i", "x.npy", "-o", "z=y.npy"]).contains("no output is called 'z'"));
}

#[test]
fn a_batch_is_its_samples_one_by_one() {
    let setup = Setup::new();
    let samples: Vec<Vec<u8>> =
        (0..19u8).map(|n| CONV.input().iter().map(|b| b.wrapping_mul(2 * n + 1)).collect()).collect();
    setup.write("many.npy", &npy("(19, 8, 8, 16)", "|i1", &samples.concat()));
    let mut want = Vec::new();
    for sample in &samples {
        setup.write("one.npy", &npy("(1, 8, 8, 16)", "|i1", sample));
        let args = ["p.dpu", "--input", "one.npy", "--output", "one_y.npy", "--golden"];
        assert_eq!(setup.run(&args).status.code(), Some(0));
        want.extend(data(&setup.path("one_y.npy"), setup.expected.len()));
    }
    for more in
        [&["--jobs", "1"][..], &["--jobs", "3"], &["--golden"], &["--no-checks", "--kernel", "scalar"]]
    {
        let args = [&["p.dpu", "--input", "many.npy", "--output", "y.npy"][..], more].concat();
        let output = setup.run(&args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains("samples 19"));
        assert_eq!(data(&setup.path("y.npy"), want.len()), want);
        fs::remove_file(setup.path("y.npy")).unwrap();
    }
    setup.fails(2, &["p.dpu", "--input", "many.npy", "--output", "y.npz"]);
    setup.fails(2, &["p.dpu", "--input", "many.npy", "--jobs", "0"]);
    let text = setup.fails(4, &["p.dpu", "--input", "many.npy", "--output", "y.npy", "--fuel", "10"]);
    assert!(text.starts_with("dpu-sim: error: sample 0: out of fuel"), "{text}");
}

#[test]
fn a_profile_counts_every_task_of_every_sample() {
    let setup = Setup::new();
    setup.write("many.npy", &npy("(3, 8, 8, 16)", "|i1", &CONV.input().repeat(3)));
    let calls = |input: &str, kernel: &str| {
        let output = setup.run(&["p.dpu", "--input", input, "--profile", "--jobs", "1", "--kernel", kernel]);
        let text = String::from_utf8(output.stdout).unwrap();
        let count = |name: &str| {
            let row = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
            let row = row.trim_start_matches(name).split_whitespace().nth(2);
            row.and_then(|n| n.parse::<u64>().ok()).unwrap_or_else(|| panic!("{text}"))
        };
        [count("conv_var"), count("(hazard checks)"), count("all samples")]
    };
    for kernel in ["auto", "scalar", "golden"] {
        let [convolutions, checks, samples] = calls("x.npy", kernel);
        assert!(convolutions > 0 && checks > convolutions && samples == 1);
        // Only the first sample of a batch is simulated in full.
        assert_eq!(calls("many.npy", kernel), [3 * convolutions, checks, 3]);
    }
    setup.fails(2, &["p.dpu", "--input", "x.npy", "--profile", "--quiet"]);
}

#[test]
fn every_kernel_gives_the_same_bytes() {
    let setup = Setup::new();
    for kernel in [&["--golden"][..], &["--kernel", "scalar"], &["--kernel", "auto"]] {
        let args = [&["p.dpu", "--input", "x.npy", "--output", "y.npy"][..], kernel].concat();
        assert_eq!(setup.run(&args).status.code(), Some(0));
        assert_eq!(data(&setup.path("y.npy"), setup.expected.len()), setup.expected);
        fs::remove_file(setup.path("y.npy")).unwrap();
    }
    let text = setup.fails(2, &["p.dpu", "--input", "x.npy", "--kernel", "mmx"]);
    assert!(text.contains("no kernel is called 'mmx', expected one of auto, vnni, avx2, scalar"), "{text}");
    setup.fails(2, &["p.dpu", "--input", "x.npy", "--kernel", "avx2", "--golden"]);
}

#[test]
fn help() {
    insta::assert_snapshot!(String::from_utf8(Setup::new().run(&["--help"]).stdout).unwrap());
}

#[test]
fn the_log_is_that_of_the_option_or_of_the_environment() {
    let setup = Setup::new();
    let told = |variable: &str, option: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpu-sim"));
        command.current_dir(setup.folder.path()).args(["p.dpu", "-i", "x.npy", "-q"]).args(option);
        String::from_utf8(command.env("STRUM_LOG", variable).output().unwrap().stderr).unwrap()
    };
    assert!(told("debug", &[]).contains("DEBUG") && told("dpu_sim=debug", &[]).contains("program read"));
    assert!(!told("warn", &[]).contains("DEBUG") && !told("debug", &["--log", "warn"]).contains("DEBUG"));
    assert!(told("loud", &[]).contains("expected off, error, warn, info, debug, trace"));
}

/// A pipe and a named one: each is opened once, and read to its end.
#[test]
fn inputs_come_from_pipes() {
    let setup = Setup::new();
    let lines = [
        "cat x.npy | $0 p.dpu -q -i /dev/stdin -o y.npy",
        "mkfifo f && { cat x.npy > f & } && timeout 20 $0 p.dpu -q -i f -o y.npy",
    ];
    for line in lines {
        let output = setup.shell(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(setup.path("y.npy")).unwrap().ends_with(&setup.expected), "{line}");
        fs::remove_file(setup.path("y.npy")).unwrap();
    }
}

#[test]
fn help_and_version_succeed() {
    let setup = Setup::new();
    for flag in ["--help", "--version"] {
        let output = setup.run(&[flag]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("dpu-sim"));
    }
}

#[test]
fn wrong_files_are_code_1() {
    let setup = Setup::new();
    assert!(setup.fails(1, &["none.dpu"]).contains("none.dpu: No such file"));
    setup.write("empty.dpu", b"");
    assert!(setup.fails(1, &["empty.dpu"]).starts_with("dpu-sim: error: empty.dpu: "));
    assert!(setup.fails(1, &["x.npy"]).contains("not an ELF file"));
    let mut bytes = program(&CONV).to_elf().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    setup.write("flipped.dpu", &bytes);
    setup.fails(1, &["flipped.dpu"]);
    let mut invalid = program(&CONV);
    let at = nth(&invalid, "bar_cfg", 0);
    invalid.instrs.remove(at);
    invalid.meta.remove(at);
    setup.program("invalid.dpu", &invalid);
    let text = setup.fails(1, &["invalid.dpu", "-i", "x.npy"]);
    assert!(
        text.starts_with("dpu-sim: error: invalid.dpu: the program is not valid\n  instruction "),
        "{text}"
    );
    assert!(text.contains("barrier 0 was not armed before"), "{text}");
}

#[test]
fn wrong_tensors_are_code_1() {
    let setup = Setup::new();
    let try_input = |bytes: &[u8]| {
        setup.write("bad.npy", bytes);
        setup.fails(1, &["p.dpu", "-i", "bad.npy", "-o", "y.npy"])
    };
    assert_eq!(try_input(b""), "dpu-sim: error: bad.npy: input 'x': the file is empty\n");
    assert!(try_input(b"hello").contains("not an .npy file"));
    let flat = try_input(&npy("(1024,)", "|i1", &CONV.input()));
    assert_eq!(flat, "dpu-sim: error: bad.npy: input 'x': expected shape [1, 8, 8, 16], got [1024]\n");
    let unsigned = try_input(&npy("(1, 8, 8, 16)", "|u1", &CONV.input()));
    assert_eq!(unsigned, "dpu-sim: error: bad.npy: input 'x': expected int8, got uint8\n");
    let float = try_input(&npy("(1, 8, 8, 16)", "<f4", &CONV.input().repeat(4)));
    assert!(float.contains("elements of type '<f4', expected integers"), "{float}");
    let short = try_input(&npy("(1, 8, 8, 16)", "|i1", &CONV.input()[1..]));
    assert!(short.contains("1023 bytes of data do not make int8[1, 8, 8, 16]"), "{short}");
    assert!(setup.fails(1, &["p.dpu", "-i", "none.npy"]).contains("none.npy: No such file"));
    assert!(setup.fails(1, &["p.dpu", "-i", "."]).contains("bad.npy: neither a PNG nor a JPEG image"));
    assert!(setup.fails(1, &["p.dpu", "-i", "x.npy", "-o", "no/y.npy"]).contains("No such file"));
}

#[test]
fn existing_outputs_survive_a_failed_run() {
    let setup = Setup::new();
    setup.write("old.npy", b"precious");
    setup.fails(4, &["p.dpu", "-i", "x.npy", "-o", "old.npy", "--fuel", "10"]);
    assert_eq!(fs::read(setup.path("old.npy")).unwrap(), b"precious");
}

#[test]
fn limits_are_code_4_and_traps_code_5() {
    let setup = Setup::new();
    let text = setup.fails(4, &["p.dpu", "-i", "x.npy", "--fuel", "10"]);
    assert!(
        text.starts_with("dpu-sim: error: out of fuel") && text.ends_with("help: --fuel sets the limit\n"),
        "{text}"
    );
    // Bad weights pass validation, which does not check data.
    let mut bad = program(&Conv { method: dpu_isa::Method::Mip2q, ..CONV });
    bad.consts[0] ^= 1;
    setup.program("bad.dpu", &bad);
    let text = setup.fails(5, &["bad.dpu", "-i", "x.npy", "-o", "y.npy"]);
    assert!(
        text.starts_with("dpu-sim: error: illegal weights: output channel 0: block 0 of 1 at tap 0"),
        "{text}"
    );
    assert!(text.contains("--> #17 conv_var (layer 'conv1') at net.mlir:12:8"), "{text}");
}

#[test]
fn times_alone_need_no_input_and_are_those_of_a_run() {
    let setup = Setup::new();
    let report = |args: &[&str]| {
        let output = setup.run(&[&["p.dpu", "--json"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (mut timed, run) = (report(&["--timing-only"]), report(&["-i", "x.npy"]));
    assert_eq!((&timed["samples"], &run["samples"]), (&0.into(), &1.into()));
    timed["samples"] = 1.into();
    assert_eq!(timed, run);
    let output = setup.run(&["p.dpu", "--timing-only", "--report", "r.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().last().unwrap().starts_with("timing only, in "), "{text}");
    assert!(fs::read_to_string(setup.path("r.json")).unwrap().contains("timeline"));
    for more in [["-i", "x.npy"], ["-o", "y.npy"], ["--kernel", "scalar"], ["--jobs", "2"]] {
        let text = setup.fails(2, &[&["p.dpu", "--timing-only"], &more[..]].concat());
        assert!(text.contains("--timing-only"), "{text}");
    }
    // Values, and with them illegal weights, are not checked; fuel and the program are.
    setup.fails(4, &["p.dpu", "--timing-only", "--fuel", "10"]);
    let mut bad = program(&Conv { method: dpu_isa::Method::Mip2q, ..CONV });
    bad.consts[0] ^= 1;
    setup.program("bad.dpu", &bad);
    assert!(setup.run(&["bad.dpu", "--timing-only", "-q"]).status.success());
}

#[test]
fn machines_for_timing() {
    let setup = Setup::new();
    let cycles = |args: &[&str]| {
        let output = setup.run(&[&["p.dpu", "-i", "x.npy", "--json"], args].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["cycles"].as_u64().unwrap()
    };
    let machine = |name: &str, change: fn(&mut Machine)| {
        let mut machine = Machine::flexnn_16x16();
        change(&mut machine);
        setup.write(name, machine.to_toml().as_bytes());
    };
    machine("same.toml", |_| {});
    machine("slow.toml", |m| m.dram_latency_cycles = 9999);
    machine("other.toml", |m| m.sram_bytes = 65536);
    setup.write("broken.toml", b"name = 3");
    assert_eq!(cycles(&["--machine", "same.toml"]), cycles(&[]));
    assert!(cycles(&["--machine", "slow.toml"]) > cycles(&[]) + 8000);
    let text = setup.fails(1, &["p.dpu", "-i", "x.npy", "--machine", "other.toml"]);
    assert!(text.contains("sram_bytes = 65536, the program was made for 2097152"), "{text}");
    assert!(setup.fails(1, &["p.dpu", "-i", "x.npy", "--machine", "broken.toml"]).contains("broken.toml: "));
    assert!(setup.fails(1, &["p.dpu", "-i", "x.npy", "--machine", "none.toml"]).contains("No such file"));
}

/// Commands that write to standard output.
const TALKING: [&[&str]; 7] = [
    &["--help"],
    &["--version"],
    &["p.dpu", "-i", "x.npy"],
    &["p.dpu", "-i", "x.npy", "--json"],
    &["p.dpu", "-i", "x.npy", "--layers"],
    &["p.dpu", "-i", "x.npy", "--profile"],
    &["p.dpu", "--timing-only"],
];

#[test]
fn failed_writes_to_standard_output_are_errors() {
    let setup = Setup::new();
    for args in TALKING {
        for (redirected, message) in [
            ("> /dev/full", "dpu-sim: error: <stdout>: No space left on device"),
            ("1< /dev/null", "dpu-sim: error: <stdout>: Bad file descriptor"),
        ] {
            let output = setup.shell(&format!("\"$0\" {} {redirected}", args.join(" ")));
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(1) && text.starts_with(message), "{args:?}: {text}");
        }
        // A closed standard output is /dev/null to a program written in Rust.
        let output = setup.shell(&format!("\"$0\" {} >&-", args.join(" ")));
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_dpu-sim"))
            .current_dir(setup.folder.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        assert_eq!((done.status.code(), done.stderr.len()), (Some(0), 0), "{args:?}");
    }
}

#[test]
fn two_outputs_with_one_name_are_refused_in_every_pair_of_options() {
    let setup = Setup::new();
    std::os::unix::fs::symlink("same", setup.path("link")).unwrap();
    let options = ["--output", "--report", "--trace", "--trace-pe"];
    for (i, a) in options.iter().enumerate() {
        for b in &options[i + 1..] {
            for (one, other) in [("same", "same"), ("same", "./same"), ("link", "same")] {
                let text = setup.fails(2, &["p.dpu", "-i", "x.npy", a, one, b, other]);
                assert!(text.contains(a) && text.contains(b) && text.contains("would both go to"), "{text}");
            }
        }
    }
    for (option, path) in [("--output", "x.npy"), ("--report", "./p.dpu"), ("--trace", "x.npy")] {
        let text = setup.fails(2, &["p.dpu", "-i", "x.npy", option, path]);
        assert!(text.contains(&format!("{option} would overwrite '{path}'")), "{text}");
        let text = setup.fails(2, &["p.dpu", "-i", "x.npy", option, "-"]);
        assert!(text.contains("expected the name of a file"), "{text}");
        let text = setup.fails(1, &["none.dpu", "-i", "x.npy", option, "no/folder/file"]);
        assert!(text.contains("no/folder"), "{text}");
    }
    assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 3);
    assert_eq!(setup.run(&["p.dpu", "-i", "x.npy", "-q", "--report", "link"]).status.code(), Some(0));
    assert!(fs::symlink_metadata(setup.path("link")).unwrap().is_symlink());
    assert!(fs::read(setup.path("same")).unwrap().starts_with(b"{"));
}

#[test]
fn the_limit_of_file_sizes_is_an_error_and_leaves_no_file_behind() {
    let setup = Setup::new();
    setup.write("many.npy", &npy("(19, 8, 8, 16)", "|i1", &CONV.input().repeat(19)));
    for args in ["-i many.npy -o y.npy", "-i x.npy --report r.json", "-i x.npy --trace t.json"] {
        let output = setup.shell(&format!("ulimit -f 1; exec \"$0\" p.dpu {args}"));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && text.contains("File too large"), "{args}: {text}");
        assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 3, "{args}");
    }
}

#[test]
fn limits_of_the_container_are_code_4() {
    let setup = Setup::new();
    let mut large = program(&CONV);
    large.manifest.pipeline = "x".repeat(70_000);
    setup.program("large.dpu", &large);
    let text = setup.fails(4, &["large.dpu", "-i", "x.npy"]);
    assert!(text.contains("70000 exceed the limit of 65536"), "{text}");
    setup.write("large.toml", &[b'#'; 70_000]);
    let text = setup.fails(4, &["p.dpu", "-i", "x.npy", "--machine", "large.toml"]);
    assert!(text.contains("70000 bytes, more than 65536"), "{text}");
}

/// The effect of every option of the command: the command without it, with it, or why it is refused.
enum Shown {
    /// Standard output or files differ.
    Differs(&'static str, &'static str),
    /// Wrong usage, with this message.
    Refused(&'static str, &'static str),
    /// A test of this name shows it: outputs do not depend on it.
    By(&'static str),
}

use Shown::{By, Differs, Refused};

const OPTIONS: [(&str, Shown); 45] = [
    ("--input", Differs("p.dpu -i x.npy -o y.npy", "p.dpu -i x2.npy -o y.npy")),
    ("--mean", Refused("p.dpu -i x.npy --mean 0 --std 1", "--mean has no effect: no input is an image")),
    ("--std", Refused("p.dpu -i x.npy --std 1", "--mean <R,G,B>")),
    ("--resize", Refused("p.dpu -i x.npy --resize 8", "--resize has no effect: no input is an image")),
    ("--output", Differs("p.dpu -i x.npy", "p.dpu -i x.npy -o y.npy")),
    ("--real", Differs("coded.dpu -i x.npy", "coded.dpu -i x.npy --real")),
    ("--real", Refused("p.dpu -i x.npy --real", "--real: the network does not say what the codes of output")),
    ("--reset-states", Refused("p.dpu -i x.npy --reset-states", "--reset-states has no effect")),
    ("--report", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --report r.json")),
    ("--trace", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --trace t.json")),
    ("--trace-pe", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --trace-pe t")),
    ("--trace-pe", Refused("p.dpu --timing-only --trace-pe t", "cannot be used with")),
    ("--trace-layers", Refused("p.dpu -i x.npy --trace-layers 0", "--trace-pe")),
    ("--trace-layers", Refused("p.dpu -i x.npy --trace-pe t --trace-layers a", "no layer is called 'a'")),
    ("--trace-pes", Refused("p.dpu -i x.npy --trace-pes 0", "--trace-pe")),
    ("--trace-pes", Differs("p.dpu -i x.npy --trace-pe t", "p.dpu -i x.npy --trace-pe t --trace-pes 1")),
    ("--trace-limit", Differs("p.dpu -i x.npy --trace-pe t", "p.dpu -i x.npy --trace-pe t --trace-limit 1")),
    ("--machine", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --machine slow.toml")),
    ("--json", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --json")),
    ("--json", Refused("p.dpu -i x.npy --json -q", "cannot be used with")),
    ("--layers", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --layers")),
    ("--layers", Refused("p.dpu -i x.npy --layers -q", "cannot be used with")),
    ("--layers", Refused("p.dpu -i x.npy --layers --json", "cannot be used with")),
    ("--slowest", Differs("p.dpu -i x.npy --layers", "p.dpu -i x.npy --slowest 1")),
    ("--slowest", Refused("p.dpu -i x.npy --slowest 1 --json", "cannot be used with")),
    ("--filter", Differs("p.dpu -i x.npy --layers", "p.dpu -i x.npy --filter CONV")),
    ("--filter", Refused("p.dpu -i x.npy --filter conv -q", "cannot be used with")),
    ("--quiet", Differs("p.dpu -i x.npy", "p.dpu -i x.npy -q")),
    ("--profile", Differs("p.dpu -i x.npy", "p.dpu -i x.npy --profile")),
    ("--profile", Refused("p.dpu -i x.npy --profile --json", "cannot be used with")),
    ("--fuel", Differs("p.dpu -i x.npy --fuel 10", "p.dpu -i x.npy --fuel 1000000")),
    ("--no-checks", Differs("race.dpu -i x.npy", "race.dpu -i x.npy --no-checks")),
    ("--no-checks", Refused("p.dpu --timing-only --no-checks", "cannot be used with")),
    ("--kernel", By("every_kernel_gives_the_same_bytes")),
    ("--kernel", Refused("p.dpu --timing-only --kernel scalar", "cannot be used with")),
    ("--kernel", Refused("p.dpu -i x.npy --golden --kernel scalar", "cannot be used with")),
    ("--golden", By("every_kernel_gives_the_same_bytes")),
    ("--golden", Refused("p.dpu --timing-only --golden", "cannot be used with")),
    ("--timing-only", Differs("p.dpu", "p.dpu --timing-only --json")),
    ("--timing-only", Refused("p.dpu --timing-only -i x.npy", "cannot be used with")),
    ("--timing-only", Refused("p.dpu --timing-only --profile", "cannot be used with")),
    ("--jobs", By("a_batch_is_its_samples_one_by_one")),
    ("--jobs", Refused("p.dpu --timing-only --jobs 1", "cannot be used with")),
    ("--log", By("the_log_is_that_of_the_option_or_of_the_environment")),
    // Also tested where the limit is defined.
    ("--memory-limit", Refused("p.dpu -i x.npy --memory-limit 1", "--memory-limit")),
];

#[test]
fn every_option_has_an_effect_or_is_refused() {
    let setup = Setup::new();
    let flipped: Vec<u8> = CONV.input().iter().map(|b| b ^ 1).collect();
    setup.write("x2.npy", &npy("(1, 8, 8, 16)", "|i1", &flipped));
    // The reload of a buffer does not wait for computations that still read it.
    let mut race = program(&CONV);
    let reload = nth(&race, "dma_copy", 6);
    let waited = race.instrs[reload].masks_mut().map_or(0, |(wait, _)| std::mem::take(wait));
    for instr in &mut race.instrs {
        if let Instr::BarCfg(bar) = instr
            && waited >> bar.barrier & 1 == 1
        {
            bar.consumers -= 1;
        }
    }
    setup.program("race.dpu", &race);
    let mut coded = program(&CONV);
    coded.outputs[0].meaning.codes = Some(dpu_isa::Codes { scale: 0.25, zero_point: 3 });
    setup.program("coded.dpu", &coded);
    let slow = Machine { dram_latency_cycles: 9999, ..Machine::flexnn_16x16() };
    setup.write("slow.toml", slow.to_toml().as_bytes());
    let help = String::from_utf8(setup.run(&["--help"]).stdout).unwrap();
    let flag = |line: &str| {
        line.split_whitespace().find(|w| w.starts_with("--")).map(|w| w.trim_end_matches(',').to_owned())
    };
    let of = |line: &str| flag(line).filter(|_| line.trim_start().starts_with('-') && line.starts_with("  "));
    let options: Vec<String> = help.lines().filter_map(of).collect();
    assert!(options.len() > 15, "{options:?}");
    for option in options.iter().filter(|option| *option != "--help" && *option != "--version") {
        assert!(OPTIONS.iter().any(|(name, _)| name == option), "{option} is in no row of the table");
    }
    for (option, shown) in &OPTIONS {
        match *shown {
            Differs(without, with) => {
                let (a, b) = (setup.left(without), setup.left(with));
                assert!(b.0 == Some(0) && a != b, "{option}: {with}");
            }
            Refused(line, message) => {
                let text = setup.fails(2, &line.split(' ').collect::<Vec<_>>());
                assert!(text.contains(message), "{option}: {line}: {text}");
            }
            By(test) => assert!(include_str!("cli.rs").contains(&format!("fn {test}()")), "{test}"),
        }
    }
}

#[test]
fn memory_that_the_computer_does_not_give_is_a_limit_that_says_so() {
    let setup = Setup::new();
    setup.program("huge.dpu", &Program { dram_bytes: 1 << 32, ..program(&CONV) });
    let done = setup.shell("ulimit -v 3000000; exec \"$0\" huge.dpu -i x.npy --jobs 1");
    let text = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(4) && text.starts_with("dpu-sim: error: out of"), "{text}");
    // Seven eighths of what the shell allows.
    let parts = ["4297064448 bytes are needed", "the memory limit is 2688000000"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}
