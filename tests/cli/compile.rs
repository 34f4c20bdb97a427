//! `strumc compile`: from networks to programs.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::common::{NETWORK, OPT, STRUMC, Scratch, TRANSLATE, names, run_in};

#[test]
fn a_network_becomes_a_program() {
    let scratch = Scratch::new();
    let text = scratch.strumc("compile net.mlir -o net.dpu").ok().text();
    assert!(text.starts_with("program net.dpu, "), "{text}");
    assert!(text.contains("weights 32 in 32 bytes: 8.000 bits each, 0.00 % low"), "{text}");
    assert!(scratch.read("net.dpu").starts_with(b"\x7fELF"));
    assert_eq!(scratch.names(), ["net.dpu", "net.mlir", "x.npy"]);
}

/// A pointwise convolution of 17 channels, one more than a block has.
const NARROW: &str = r#"func.func @net(%x: tensor<1x4x4x17xi8>) -> tensor<1x4x4x32xi32> {
  %w = "tosa.const"() <{values = dense<4> : tensor<32x1x1x17xi8>}> : () -> tensor<32x1x1x17xi8>
  %b = "tosa.const"() <{values = dense<7> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x17xi8>, tensor<32x1x1x17xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x32xi32>
  return %0 : tensor<1x4x4x32xi32>
}
"#;

#[test]
fn a_format_that_makes_weights_larger_is_told() {
    let scratch = Scratch::new();
    scratch.write("narrow.mlir", NARROW);
    scratch.write("wide.mlir", NARROW.replace("17xi8", "16xi8"));
    let grown = "grown   1.882 bytes a weight: those of 1 of 1 layers do not fill their blocks, or words of 16 bytes\n";
    for command in
        ["compile narrow.mlir -o narrow.dpu", "run narrow.mlir --timing-only", "run narrow.dpu --timing-only"]
    {
        let method = if command.contains("narrow.mlir") { " --method mip2q" } else { "" };
        let text = scratch.strumc(&format!("{command}{method}")).ok().text();
        assert!(text.contains(grown), "{command}: {text}");
    }
    for (network, method) in [("narrow.mlir", "dense"), ("wide.mlir", "mip2q")] {
        let text = scratch.strumc(&format!("compile {network} -o out.dpu --method {method}")).ok().text();
        assert!(!text.contains("grown"), "{network} {method}: {text}");
    }
}

#[test]
fn the_summary_is_one_json_object_when_asked_for() {
    let scratch = Scratch::new();
    let done = scratch.strumc("compile net.mlir -o net.dpu --json --method mip2q").ok();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(json["program"], "net.dpu");
    assert_eq!(json["bytes"], scratch.read("net.dpu").len());
    assert_eq!(json["weights"]["count"], 32);
    assert_eq!(json["weights"]["low"], 16);
    assert_eq!(json["machine"], "flexnn-16x16");
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!([1, 4, 4, 16]));
    assert_eq!(json["outputs"][1]["dtype"], "i32");
    assert_eq!(json["macs"], 512);
}

#[test]
fn quiet_is_silent() {
    let done = Scratch::new().strumc("compile net.mlir -o net.dpu -q").ok();
    assert!(done.stdout.is_empty());
}

#[test]
fn standard_input_and_output_work() {
    let scratch = Scratch::new();
    let done = run_in(scratch.path(), STRUMC, &["compile", "-", "-o", "-"], NETWORK.as_bytes()).ok();
    let text = run_in(scratch.path(), TRANSLATE, &["--dpu-to-asm"], &done.stdout).ok().text();
    assert!(text.contains("\"<stdin>:5:8\""), "{text}");
    // But for the name of the source, it is the same program.
    scratch.compile("");
    let named = scratch.translate("--dpu-to-asm net.dpu").ok().text();
    assert_eq!(text.replace("<stdin>", "net.mlir"), named);
}

#[test]
fn the_pipeline_of_strum_opt_gives_the_same_bytes() {
    let scratch = Scratch::new();
    for options in [
        "",
        "--method mip2q",
        "--method sparse --p 0.25 --w 8",
        "--method dliq --q 3 --shift channel --select magnitude",
        "--machine flexnn-4x4",
    ] {
        let program = scratch.compile(options);
        let pipeline = scratch.strumc(&format!("compile --print-pipeline {options}")).ok().text();
        let passes = format!("--pass-pipeline={}", pipeline.trim_end());
        // Text would leave locations out.
        let lowered = run_in(scratch.path(), OPT, &["net.mlir", &passes, "--emit-bytecode"], b"");
        assert_eq!(lowered.code, Some(0), "{lowered:?}");
        let binary = run_in(scratch.path(), TRANSLATE, &["--mlir-to-dpu"], &lowered.stdout).ok();
        assert!(binary.stdout == program, "{options}");
    }
}

#[test]
fn every_stage_is_kept_when_asked_for() {
    let scratch = Scratch::new();
    let program = scratch.compile("--save-temps temps/of/net");
    let folder = scratch.path().join("temps/of/net");
    assert_eq!(
        names(&folder),
        [
            "00-input.mlir",
            "01-tosa.mlir",
            "02-strum.mlir",
            "03-packed.mlir",
            "04-dpu.mlir",
            "05-allocated.mlir",
            "06-scheduled.mlir",
            "07-program.dpu",
            "08-program.dpuasm"
        ]
    );
    assert_eq!(std::fs::read(folder.join("07-program.dpu")).unwrap(), program);
    for name in names(&folder).iter().filter(|name| name.ends_with(".mlir")) {
        run_in(&folder, OPT, &[name], b"").ok();
    }
    let text = std::fs::read_to_string(folder.join("02-strum.mlir")).unwrap();
    assert!(text.contains("strum.conv2d"), "{text}");
}

#[test]
fn the_same_network_gives_the_same_bytes_anywhere() {
    let (here, there) = (Scratch::new(), Scratch::new());
    std::fs::create_dir(there.path().join("deep")).unwrap();
    there.write("deep/net.mlir", NETWORK);
    let done = there.strumc("compile deep/net.mlir -o deep/net.dpu -q");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(here.compile(""), there.read("deep/net.dpu"));
}

#[test]
fn bytecode_with_aligned_resources_is_read() {
    let scratch = Scratch::new();
    let text = "func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {\n\
        %c = \"tosa.const\"() <{values = dense_resource<w> : tensor<4xi32>}> : () -> tensor<4xi32>\n\
        %y = tosa.add %x, %c : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>\n\
        return %y : tensor<4xi32> }\n\
        {-# dialect_resources: { builtin: { w: \"0x4000000001000000020000000300000004000000\" } } #-}";
    scratch.write("net.mlir", text);
    run_in(scratch.path(), OPT, &["net.mlir", "--emit-bytecode", "-o", "net.mlirbc"], b"").ok();
    scratch.compile("");
    scratch.strumc("compile net.mlirbc -o bytecode.dpu -q").ok();
    let assembly = |name: &str| scratch.translate(&format!("--dpu-to-asm {name}")).ok().text();
    assert_eq!(assembly("bytecode.dpu"), assembly("net.dpu"));
}

#[test]
fn main_or_the_only_function_is_compiled() {
    let scratch = Scratch::new();
    let identity = |name: &str| {
        format!("func.func @{name}(%x: tensor<4xi8>) -> tensor<4xi8> {{ return %x : tensor<4xi8> }}\n")
    };
    scratch.write("net.mlir", identity("f") + &identity("g"));
    let message = "net.mlir: the module holds several functions and none is called 'main': 'f', 'g'";
    scratch.strumc("compile net.mlir -o n.dpu").fails(1, message);
    scratch.write("net.mlir", identity("f") + &identity("main"));
    scratch.compile("");
    scratch.write("net.mlir", "func.func private @f()");
    scratch.strumc("compile net.mlir -o n.dpu").fails(1, "holds no function with a body");
    scratch.write("net.mlir", "module {}");
    scratch.strumc("compile net.mlir -o n.dpu").fails(1, "holds no function with a body");
}

#[test]
fn a_lowered_program_is_sent_to_the_right_tool() {
    let scratch = Scratch::new();
    scratch.compile("");
    scratch.write("net.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
    scratch
        .strumc("compile net.mlir -o n.dpu")
        .fails(1, "help: strum-translate --mlir-to-dpu makes a binary of it");
}

#[test]
fn what_is_not_supported_is_said_at_its_place() {
    let scratch = Scratch::new();
    scratch.write(
        "net.mlir",
        "func.func @main(%x: tensor<4x8xi8>) -> tensor<4xi32> {\n  %0 = tosa.custom %x {domain_name = \"acme\", implementation_attrs = \"\", operator_name = \"sort\"} : (tensor<4x8xi8>) -> tensor<4xi32>\n  return %0 : tensor<4xi32>\n}\n",
    );
    let done = scratch.strumc("compile net.mlir -o n.dpu").fails(3, "net.mlir:2:8: error: 'tosa.custom' op ");
    assert!(done.stderr.contains("\n  %0 = tosa.custom"), "{}", done.stderr);
    assert!(done.stderr.contains("\n       ^\n"), "{}", done.stderr);
    assert!(done.stderr.contains("note: "), "{}", done.stderr);
    scratch.write(
        "float.mlir",
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = tosa.abs %x : (tensor<4xf32>) -> tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n",
    );
    scratch
        .strumc("compile float.mlir -o n.dpu")
        .fails(3, "float.mlir: a float network, which must be quantized first");
    assert!(!scratch.has("n.dpu"));
}

/// `NETWORK` with fewer input channels than a block has members.
pub(crate) fn narrow() -> String {
    NETWORK
        .replace("x16xi8>", "x4xi8>")
        .replace(", 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16", "")
        .replace(", 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50", "")
}

#[test]
fn layers_that_stay_dense_are_counted_named_or_not_told() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", narrow());
    let told = |more: &str| {
        let done = scratch.strumc(&format!("compile net.mlir -o n.dpu --method mip2q {more}"));
        assert_eq!(done.code, Some(0), "{done:?}");
        (scratch.read("n.dpu"), done.stderr)
    };
    let count = "note: 1 layer stays dense: fewer input channels than a block has members \
                 (pack them with --min-channels); --verbose names each\n";
    let (program, counted) = told("");
    assert_eq!(counted, count);
    for each in ["-v", "--verbose --json", "-v --log off"] {
        let (same, text) = told(each);
        assert!(same == program, "{each}");
        let remark = "net.mlir:5:8: remark: weights stay dense: 4 input channels, fewer than min-channels = 16 (min-channels=4 packs it)\n";
        assert!(text.starts_with(remark), "{text}");
        assert_eq!((text.matches("remark").count(), text.contains("note:")), (1, false), "{text}");
    }
    assert!(told("--log info").1.contains("remark: weights stay dense"));
    for silent in ["-q", "--log error", "--log off", "-q --log error"] {
        assert_eq!(told(silent).1, "", "{silent}");
    }
    scratch.strumc("compile net.mlir -o n.dpu --method mip2q -q -v").fails(2, "cannot be used with");
    scratch.strumc("run n.dpu --input x.npy -v").fails(2, "--verbose has no effect: 'n.dpu' is compiled");
}

/// The advice of a remark holds, in the command line tool and in the pass.
#[test]
fn what_a_remark_advises_packs_the_layer() {
    let scratch = Scratch::new();
    scratch.write(
        "net.mlir",
        "func.func @main(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi32> {\n\
         %w = \"tosa.const\"() <{values = dense<5> : tensor<1x1x16x1xi8>}> : () -> tensor<1x1x16x1xi8>\n\
         %b = \"tosa.const\"() <{values = dense<7> : tensor<16xi32>}> : () -> tensor<16xi32>\n\
         %z = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
         %0 = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x16xi8>, tensor<1x1x16x1xi8>, tensor<16xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x16xi32>\n\
         return %0 : tensor<1x4x4x16xi32> }",
    );
    let compile = "compile net.mlir -o n.dpu --method mip2q";
    let done = scratch.strumc(compile);
    let note = "note: 1 layer stays dense: depthwise (pack them with --depthwise); --verbose names each\n";
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), note));
    scratch.strumc(&format!("{compile} --depthwise -q")).ok();
    let opt = |more: &[&str], pipeline: &str| {
        let words = [&["net.mlir", "-o", "n.mlir", pipeline][..], more].concat();
        run_in(scratch.path(), OPT, &words, b"")
    };
    opt(&[], "--strum-pipeline=method=mip2q").ok();
    let done = opt(&["--strum-log=info"], "--strum-pipeline=method=mip2q");
    assert!(
        done.stderr.contains("remark: weights stay dense: the layer is depthwise (depthwise=true packs it)")
    );
    let done = opt(&["--strum-log=info"], "--strum-pipeline=method=mip2q depthwise=true");
    assert!(!done.stderr.contains("remark"), "{done:?}");
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let scratch = Scratch::new();
    scratch.strumc("compile net.mlir -o no/such/folder/n.dpu").fails(1, "no/such/folder");
    scratch.strumc("compile net.mlir -o .").fails(1, "regular file");
    scratch.strumc("compile net.mlir -o n.dpu --save-temps x.npy").fails(1, "x.npy: ");
    assert_eq!(scratch.names(), ["net.mlir", "x.npy"]);
    scratch.strumc("compile net.mlir -o /dev/null -q").ok();
}

#[test]
fn machine_files_are_read_and_checked() {
    let scratch = Scratch::new();
    scratch.write("bad.toml", "name = 3");
    scratch.strumc("compile net.mlir -o n.dpu --machine bad.toml").fails(1, "machine file 'bad.toml'");
    scratch.strumc("compile net.mlir -o n.dpu --machine none.toml").fails(1, "none.toml");
    let text = include_str!("../../dialects/isa/machines/flexnn-4x4.toml").replace("flexnn-4x4", "mine");
    scratch.write("mine.toml", text);
    let json = scratch.strumc("compile net.mlir -o n.dpu --machine mine.toml --json").ok().text();
    assert!(json.contains("\"machine\":\"mine\""), "{json}");
}

#[test]
fn paths_need_not_be_unicode() {
    let scratch = Scratch::new();
    let path = |name: &[u8]| OsString::from_vec(name.to_vec());
    let (net, program) = (path(b"n\xffet.mlir"), path(b"pro\xfeg.dpu"));
    std::fs::copy(scratch.path().join("net.mlir"), scratch.path().join(&net)).unwrap();
    let arguments = [path(b"compile"), net, path(b"-o"), program.clone(), path(b"-q")];
    run_in(scratch.path(), STRUMC, &arguments, b"").ok();
    assert!(scratch.path().join(&program).exists());
    run_in(scratch.path(), TRANSLATE, &[path(b"--dpu-audit"), program], b"").ok();
    let arguments = [path(b"run"), path(b"net.mlir"), path(b"--input"), path(b"\xff.npy")];
    run_in(scratch.path(), STRUMC, &arguments, b"").fails(2, "invalid UTF-8");
    let arguments = [
        path(b"compile"),
        path(b"net.mlir"),
        path(b"-o"),
        path(b"x"),
        path(b"--machine"),
        path(b"\xff.toml"),
    ];
    run_in(scratch.path(), STRUMC, &arguments, b"").fails(2, "--machine");
}

#[test]
fn the_log_goes_to_standard_error() {
    let scratch = Scratch::new();
    let done = scratch.strumc("compile net.mlir -o net.dpu --log debug --json");
    assert_eq!(done.code, Some(0));
    assert!(done.stderr.contains("DEBUG"), "{done:?}");
    assert!(serde_json::from_slice::<serde_json::Value>(&done.stdout).is_ok());
}
