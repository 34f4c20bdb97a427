//! `strum-translate`: translations between IR, binary and assembly, and the audit.

use crate::common::{NETWORK, OPT, Scratch, TRANSLATE, run_in};

#[test]
fn assembly_and_back_is_the_same_binary() {
    let scratch = Scratch::new();
    for options in ["", "--method mip2q", "--method dliq --q 3 --shift channel", "--machine flexnn-4x4"] {
        let binary = scratch.compile(options);
        scratch.write("net.dpuasm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
        assert!(scratch.translate("--asm-to-dpu net.dpuasm").ok().stdout == binary, "{options}");
    }
}

#[test]
fn ir_and_back_is_the_same_binary() {
    let scratch = Scratch::new();
    for options in ["", "--method mip2q", "--method dliq --q 3 --shift channel", "--machine flexnn-4x4"] {
        let binary = scratch.compile(options);
        scratch.write("dpu.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
        let again = scratch.translate("--mlir-to-dpu dpu.mlir").ok().stdout;
        assert!(again == binary, "{options}");
        let short = scratch.translate("--dpu-to-mlir --no-locations net.dpu").ok().text();
        assert!(!short.contains("loc(") && short.contains("dpu.program"), "{short}");
    }
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let scratch = Scratch::new();
    scratch.compile("");
    scratch.translate("--dpu-to-asm net.dpu -o out.dpuasm").ok();
    let before = scratch.read("out.dpuasm");
    scratch.translate("--dpu-to-asm net.mlir -o out.dpuasm").fails(1, "not an ELF file");
    assert_eq!(scratch.read("out.dpuasm"), before);
    assert_eq!(scratch.names(), ["net.dpu", "net.mlir", "out.dpuasm", "x.npy"]);
    scratch.translate("--dpu-to-asm net.dpu -o no/folder/x").fails(1, "no/folder");
}

#[test]
fn the_audit_is_read_from_the_binary() {
    let scratch = Scratch::new();
    scratch.compile("--method mip2q");
    let text = scratch.translate("--dpu-audit net.dpu").ok().text();
    assert!(text.contains("mip2q<w = 16, low = 8, L = 7>") && text.contains(" 50.00 "), "{text}");
    let json = scratch.translate("--dpu-audit --json net.dpu").ok();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["total"]["weights"], 32);
    assert_eq!(json["total"]["low"], 16);
    assert_eq!(json["layers"][0]["bits_per_weight"], 8.0);
    scratch.compile("--method sparse --p 0.75");
    let json = scratch.translate("--dpu-audit --json net.dpu").ok();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["total"]["low"], 24);
    assert_eq!(json["total"]["low_values"][128], 24);
}

#[test]
fn ir_that_is_not_lowered_is_told_how_to_be() {
    let scratch = Scratch::new();
    scratch
        .translate("--mlir-to-dpu net.mlir")
        .fails(1, "net.mlir: the module holds functions, but no dpu.program: run --strum-pipeline");
    scratch.write("empty.mlir", "module {}");
    scratch.translate("--mlir-to-dpu empty.mlir").fails(1, "the module holds no dpu.program");
    scratch.compile("--save-temps temps");
    scratch.translate("--mlir-to-dpu temps/04-dpu.mlir").fails(1, "is not scheduled: run dpu-allocate");
    let two = NETWORK.to_owned() + &NETWORK.replace("@net", "@other");
    let lowered = run_in(scratch.path(), OPT, &["--strum-pipeline"], two.as_bytes());
    let done = run_in(scratch.path(), TRANSLATE, &["--mlir-to-dpu"], &lowered.stdout);
    done.fails(1, "<stdin>: a binary holds one program, and the module has 2: @net, @other");
}

#[test]
fn errors_in_assembly_have_a_place() {
    let scratch = Scratch::new();
    scratch.compile("");
    let text = scratch.translate("--dpu-to-asm net.dpu").ok().text();
    let line = text.lines().position(|line| line.trim() == "end").unwrap() + 1;
    scratch.write("net.dpuasm", text.replacen("\n  end\n", "\n  ende\n", 1));
    let done =
        scratch.translate("--asm-to-dpu net.dpuasm").fails(1, &format!("net.dpuasm:{line}:3: error: "));
    assert!(done.stderr.ends_with("\n  ende\n  ^\n"), "{}", done.stderr);
}

#[test]
fn invalid_programs_are_refused_unless_asked_for() {
    let scratch = Scratch::new();
    scratch.compile("");
    let text = scratch.translate("--dpu-to-asm net.dpu").ok().text();
    scratch.write("net.dpuasm", text.replacen("\n  end\n", "\n", 1));
    scratch.translate("--asm-to-dpu net.dpuasm").fails(1, "does not end with 'end'");
    scratch.translate("--asm-to-dpu --no-verify net.dpuasm -o broken.dpu").ok();
    scratch.translate("--dpu-to-asm broken.dpu").fails(1, "does not end with 'end'");
    scratch.translate("--dpu-to-asm --no-verify broken.dpu").ok();
    scratch.translate("--dpu-to-mlir broken.dpu").fails(1, "does not end with 'end'");
    scratch.strumc("run broken.dpu --input x.npy").fails(1, "does not end with 'end'");
}

#[test]
fn standard_input_is_the_default() {
    let scratch = Scratch::new();
    let binary = scratch.compile("");
    let from_input = run_in(scratch.path(), TRANSLATE, &["--dpu-to-asm"], &binary).ok();
    assert_eq!(from_input.stdout, scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
    run_in(scratch.path(), TRANSLATE, &["--mlir-to-dpu", "-"], NETWORK.as_bytes()).fails(1, "<stdin>: ");
}
