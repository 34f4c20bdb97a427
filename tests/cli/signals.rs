//! However a driver ends, no incomplete and no unrequested file remains.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{STRUMC, Scratch, TRANSLATE, npy, run_in};

/// A folder with a network, a batch of samples that takes minutes, and a folder for temporary files.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for (from, to) in
        [("resnet20/model.tosa.mlirbc", "resnet.mlir"), ("mnist_lenet/model.tosa.mlirbc", "lenet.mlir")]
    {
        std::fs::copy(models.join(from), scratch.path().join(to)).unwrap();
    }
    let many = 1 << 20;
    for (name, shape) in [("many.npy", [many, 32, 32, 3]), ("digits.npy", [2000, 28, 28, 1])] {
        let header = npy("|i1", &shape, &[]);
        let path = scratch.write(name, &header);
        // Its values are a hole.
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len((header.len() + shape.iter().product::<usize>()) as u64).unwrap();
    }
    std::fs::create_dir(scratch.path().join("tmp")).unwrap();
    scratch
}

fn start(scratch: &Scratch, line: &str) -> Child {
    // Background processes ignore some signals, and pass that on.
    Command::new("env")
        .args(["--default-signal", STRUMC])
        .args(line.split_whitespace())
        .current_dir(scratch.path())
        .env("TMPDIR", scratch.path().join("tmp"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn signals_leave_no_file_behind() {
    let scratch = folder();
    let before = scratch.names();
    for line in [
        "run resnet.mlir --input many.npy --output y.npy --report r.json --trace t.json --jobs 2",
        "tune lenet.mlir -c digits.npy --max-loss 1 -o p.json",
    ] {
        for signal in ["TERM", "INT", "HUP", "SEGV", "ABRT", "KILL", "XCPU"] {
            let mut child = start(&scratch, line);
            std::thread::sleep(Duration::from_millis(1000));
            assert!(child.try_wait().unwrap().is_none(), "{line}: over before the signal");
            // Rust's runtime takes the first SIGSEGV for a fault, which would come again.
            for _ in 0..20 {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                let process = child.id().to_string();
                let killed = Command::new("kill").args([&format!("-{signal}"), &process]).status();
                assert!(killed.unwrap().success());
                std::thread::sleep(Duration::from_millis(200));
            }
            let ended = child.try_wait().unwrap();
            child.kill().unwrap();
            assert_eq!(ended.expect(signal).code(), None, "{line} {signal}");
            child.wait().unwrap();
            assert_eq!(scratch.names(), before, "{line} {signal}");
            assert!(crate::common::names(&scratch.path().join("tmp")).is_empty(), "{line} {signal}");
        }
    }
}

#[test]
fn the_limit_of_file_sizes_is_an_error_and_leaves_no_file_behind() {
    let scratch = folder();
    scratch.compile("");
    scratch.write("net.dpuasm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
    scratch.strumc("run net.dpu --input x.npy -q --report r.json").ok();
    let before = scratch.names();
    for (program, line) in [
        (STRUMC, "compile net.mlir -o n.dpu"),
        (STRUMC, "compile net.mlir -o /dev/null --write-strategy s.json"),
        (STRUMC, "compile net.mlir -o - -q > standard"),
        (STRUMC, "run resnet.mlir --input many.npy --output y.npy"),
        (STRUMC, "run net.mlir --input x.npy --report report.json"),
        (STRUMC, "run net.mlir --input x.npy --trace t.json"),
        (STRUMC, "compare net.mlir --input x.npy --page page.html --methods mip2q --machines flexnn-4x4"),
        (STRUMC, "tune lenet.mlir --policy uniform -o p.json"),
        (STRUMC, "report r.json -o page.html"),
        (STRUMC, "compile --help > standard"),
        (TRANSLATE, "--asm-to-dpu net.dpuasm -o n.dpu"),
        (TRANSLATE, "--dpu-to-asm net.dpu > standard"),
    ] {
        let limited = format!("ulimit -f 1; exec {program} {line}");
        let done = run_in(scratch.path(), "sh", &["-c", &limited], b"");
        assert_eq!(done.code, Some(1), "{line}: {done:?}");
        assert!(done.stderr.contains("File too large"), "{line}: {done:?}");
        let after: Vec<String> = scratch.names().into_iter().filter(|name| name != "standard").collect();
        assert_eq!(after, before, "{line}");
    }
}
