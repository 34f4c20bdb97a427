//! Command lines: help, version, and everything that is refused with exit code 2.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::common::{OPT, STRUMC, Scratch, TRANSLATE, run_in};

fn help(program: &str, arguments: &[&str]) -> String {
    run_in(&std::env::temp_dir(), program, arguments, b"").ok().text()
}

#[test]
fn help_of_strumc() {
    insta::assert_snapshot!(help(STRUMC, &["--help"]));
}

#[test]
fn help_of_strumc_compile() {
    insta::assert_snapshot!(help(STRUMC, &["compile", "--help"]));
}

#[test]
fn help_of_strumc_run() {
    insta::assert_snapshot!(help(STRUMC, &["run", "--help"]));
}

#[test]
fn help_of_strumc_check() {
    insta::assert_snapshot!(help(STRUMC, &["check", "--help"]));
}

#[test]
fn help_of_strumc_compare() {
    insta::assert_snapshot!(help(STRUMC, &["compare", "--help"]));
}

#[test]
fn help_of_strumc_eval() {
    insta::assert_snapshot!(help(STRUMC, &["eval", "--help"]));
}

#[test]
fn help_of_strumc_quantize() {
    insta::assert_snapshot!(help(STRUMC, &["quantize", "--help"]));
}

#[test]
fn help_of_strumc_tune() {
    insta::assert_snapshot!(help(STRUMC, &["tune", "--help"]));
}

#[test]
fn help_of_strumc_report() {
    insta::assert_snapshot!(help(STRUMC, &["report", "--help"]));
}

#[test]
fn help_of_strum_translate() {
    insta::assert_snapshot!(help(TRANSLATE, &["--help"]));
}

#[test]
fn versions_name_llvm() {
    for (program, name) in [(STRUMC, "strumc"), (TRANSLATE, "strum-translate")] {
        let text = help(program, &["--version"]);
        assert!(text.starts_with(&format!("{name} {} (LLVM 22.", env!("CARGO_PKG_VERSION"))), "{text}");
    }
}

#[test]
fn wrong_command_lines_of_strumc() {
    let scratch = Scratch::new();
    for (line, message) in [
        ("", "Usage: strumc"),
        ("build net.mlir", "unrecognized subcommand 'build'"),
        ("compile", "required arguments were not provided"),
        ("compile net.mlir", "--output <PROG.dpu>"),
        ("compile net.mlir -o n.dpu --metod dense", "unexpected argument '--metod'"),
        ("compile net.mlir -o n.dpu --method int4", "invalid value 'int4'"),
        ("compile net.mlir -o n.dpu --method mip2q --p 1.5", "expected a number from 0 to 1"),
        ("compile net.mlir -o n.dpu --method mip2q --p nan", "expected a number from 0 to 1"),
        ("compile net.mlir -o n.dpu --method mip2q --p 0.3", "p = 0.3 of w = 16 is 4.8 low members"),
        ("compile net.mlir -o n.dpu --method mip2q --w 12", "12"),
        ("compile net.mlir -o n.dpu --method mip2q --w 999", "invalid value '999'"),
        ("compile net.mlir -o n.dpu --method mip2q --L 8", "8"),
        ("compile net.mlir -o n.dpu --method mip2q --zero", "7"),
        ("compile net.mlir -o n.dpu --method dliq --q 9", "9"),
        ("compile net.mlir -o n.dpu --method dliq --shift row", "expected layer, channel or 0 to 7"),
        ("compile net.mlir -o n.dpu --method dliq --q 4 --shift 5", "5"),
        ("compile net.mlir -o n.dpu --method dliq --select best", "invalid value 'best'"),
        ("compile net.mlir -o n.dpu --p 0.5", "--p has no effect with --method dense"),
        ("compile net.mlir -o n.dpu --method sparse --q 4", "--q has no effect with --method sparse"),
        ("compile net.mlir -o n.dpu --machine tpu", "unknown machine 'tpu'"),
        (
            "compile net.mlir -o n.dpu --log loud",
            "expected off, error, warn, info, debug, trace, or directives such as warn,strum_passes=debug",
        ),
        ("compile net.mlir -o n.dpu -q --json", "cannot be used with"),
        ("compile net.mlir other.mlir -o n.dpu", "unexpected argument 'other.mlir'"),
        ("run", "required arguments were not provided"),
        ("run net.mlir", "no file for input 'arg0'; the inputs are 'arg0' (i8[1, 4, 4, 16])"),
        ("run net.mlir --input y=x.npy", "no input is called 'y'"),
        ("run net.mlir --input x.npy x.npy", "2 inputs given, the program has 1"),
        ("run net.mlir --input x.npy --output z=y.npy", "no output is called 'z'"),
        ("run net.mlir --input x.npy --output y.npy y.npy", "two of --output would go to 'y.npy'"),
        ("run net.mlir --input x.npy --fuel many", "invalid value 'many'"),
    ] {
        scratch.strumc(line).fails(2, message);
    }
    assert_eq!(scratch.names(), ["net.mlir", "x.npy"]);
}

#[test]
fn wrong_command_lines_of_strum_translate() {
    let scratch = Scratch::new();
    for (line, message) in [
        ("", "required arguments were not provided"),
        ("net.mlir", "required arguments were not provided"),
        ("--mlir-to-dpu --dpu-to-asm net.mlir", "cannot be used with"),
        ("--mlir-to-tosa net.mlir", "unexpected argument '--mlir-to-tosa'"),
        ("--dpu-to-asm --json net.dpu", "cannot be used with"),
        ("--mlir-to-dpu --no-verify net.mlir", "cannot be used with"),
        ("--dpu-to-asm --no-locations net.dpu", "cannot be used with"),
        ("--dpu-to-asm net.dpu more.dpu", "unexpected argument 'more.dpu'"),
    ] {
        scratch.translate(line).fails(2, message);
    }
}

/// `script` runs a command on a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn binary_data_does_not_go_to_a_terminal() {
    let scratch = Scratch::new();
    scratch.compile("");
    scratch.write("net.dpuasm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
    for command in [format!("{TRANSLATE} --asm-to-dpu net.dpuasm"), format!("{STRUMC} compile net.mlir -o -")]
    {
        let done = run_in(scratch.path(), "script", &["-qec", &command, "/dev/null"], b"");
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.text().contains("will not write binary data to a terminal"), "{done:?}");
    }
}

#[test]
fn the_log_is_that_of_the_option_or_of_the_environment() {
    let scratch = Scratch::new();
    let run = |program: &str, arguments: &str, variable: &str| {
        let mut command = std::process::Command::new(program);
        let command = command.current_dir(scratch.path()).args(arguments.split(' '));
        let done = command.env("STRUM_LOG", variable).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let compile = "compile net.mlir -o n.dpu -q --method mip2q";
    let opt = "net.mlir --strum-pipeline";
    for (program, line, log) in [(STRUMC, compile, "--log"), (OPT, opt, "--strum-log")] {
        let told = |variable: &str, option: &str| run(program, &format!("{line}{option}"), variable);
        assert!(!told("warn", "").1.contains("DEBUG"), "{program}");
        let (_, all) = told("debug", "");
        assert!(all.contains("DEBUG") && all.contains("strum_to_dpu"), "{program}: {all}");
        // The option takes precedence.
        assert!(!told("debug", &format!(" {log}=error")).1.contains("DEBUG"), "{program}");
        let (_, some) = told("error", &format!(" {log}=warn,strum_passes::dpu::strum_to_dpu=debug"));
        assert!(some.lines().all(|line| !line.contains("DEBUG") || line.contains("strum_to_dpu")), "{some}");
        assert!(some.contains("DEBUG"), "{program}: {some}");
        let (code, error) = told("loud", "");
        assert!(code == Some(2) && error.contains("expected off, error, warn, info"), "{error}");
        let mut command = std::process::Command::new(program);
        let command = command.current_dir(scratch.path()).args(line.split(' '));
        let unreadable = OsString::from_vec(vec![0xff]);
        let done = command.env("STRUM_LOG", unreadable).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
