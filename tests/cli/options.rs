//! Every option of every command and of every pass has an effect or is refused: options come from the command lines and the
//! passes themselves, and each must have a row in a table here, whose commands are run with and without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dpu_isa::{Instr, Program};
use strum_ir::OptionSet;

use crate::common::{OPT, STRUMC, Scratch, TRANSLATE, npy, run_in};

/// How an option shows its effect.
#[derive(Clone, Copy)]
enum Shown {
    /// The first command gives another result than the second, which succeeds.
    Differs(&'static str, &'static str),
    /// Where it has no effect it is refused with this message.
    Refused(&'static str, &'static str),
    /// A test of this name shows it: no output of a command depends on it.
    By(&'static str),
}

/// A command, its option, and the check of its effect.
type Row = (&'static str, &'static str, Shown);

/// The rows of the table.
fn table() -> Vec<Row> {
    let lines = include_str!("options.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let [command, option, how, what] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}")
        };
        let shown = match (how, how.strip_prefix("refused: ")) {
            ("test", _) => Shown::By(what),
            (_, Some(message)) => Shown::Refused(what, message),
            (without, None) => Shown::Differs(without, what),
        };
        (command, option, shown)
    };
    lines.map(row).collect()
}

/// The tool of a row.
fn tool(command: &str) -> &'static str {
    match command {
        "strum-translate" => TRANSLATE,
        "strum-opt" => OPT,
        _ => STRUMC,
    }
}

/// Options of every command, which have tests of their own.
const EVERYWHERE: [&str; 2] = ["log", "memory_limit"];

/// A float network of two layers, so that scales can move between them.
const FLOAT: &str = r#"func.func @main(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0, 0.31]]], [[[0.07, 0.05]]], [[[-0.41, 0.013]]]]> : tensor<3x1x1x2xf32>}> : () -> tensor<3x1x1x2xf32>
  %b = "tosa.const"() <{values = dense<[0.1, 0.02, -0.3]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %v = "tosa.const"() <{values = dense<[[[[0.9, -0.13, 0.3]]], [[[0.011, 0.21, -0.7]]]]> : tensor<2x1x1x3xf32>}> : () -> tensor<2x1x1x3xf32>
  %d = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<3x1x1x2xf32>, tensor<3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x3xf32>
  %1 = tosa.clamp %0 {min_val = 0.0 : f32, max_val = 3.4028235e38 : f32} : (tensor<1x1x1x3xf32>) -> tensor<1x1x1x3xf32>
  %2 = tosa.conv2d %1, %v, %d, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x3xf32>, tensor<2x1x1x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  return %2 : tensor<1x1x1x2xf32>
}
"#;

const DEPTHWISE: &str = r#"func.func @main(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi32> {
  %w = "tosa.const"() <{values = dense<[[[[5], [1], [-3], [7], [9], [-11], [13], [15], [17], [19], [-21], [23], [25], [27], [29], [31]]]]> : tensor<1x1x16x1xi8>}> : () -> tensor<1x1x16x1xi8>
  %b = "tosa.const"() <{values = dense<7> : tensor<16xi32>}> : () -> tensor<16xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x16xi8>, tensor<1x1x16x1xi8>, tensor<16xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x16xi32>
  return %0 : tensor<1x4x4x16xi32>
}
"#;

/// A folder with an input of every kind.
pub(crate) fn folder() -> Scratch {
    let scratch = Scratch::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (from, to) in [
        ("models/mnist_lenet/model.tosa.mlirbc", "lenet.mlirbc"),
        ("models/mnist_lenet/float.linalg.mlirbc", "float.mlirbc"),
        ("models/mnist_lenet/calibration.npz", "c.npz"),
        ("lit/passes/strum-canonicalize/limit.mlir", "fold.mlir"),
        ("models/small/int8.tflite", "int8.tflite"),
        ("models/small/refused.tflite", "refused.tflite"),
        ("models/small/float.onnx", "float.onnx"),
    ] {
        std::fs::copy(root.join(from), scratch.path().join(to)).unwrap();
    }
    scratch.write("narrow.mlir", crate::compile::narrow());
    scratch.write("dw.mlir", DEPTHWISE);
    scratch.write("ff.mlir", FLOAT);
    let floats: Vec<f32> =
        (0..64).map(|i| (i * 37 % 61 - 30) as f32 * if i == 9 { 0.3 } else { 0.031 }).collect();
    let floats: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    scratch.write("f.npy", npy("<f4", &[32, 1, 1, 2], &floats));
    let pixels: Vec<u8> = (0..4 * 784).flat_map(|i| ((i * 37 % 255) as f32 / 255.0).to_le_bytes()).collect();
    scratch.write("g.npy", npy("<f4", &[4, 1, 28, 28], &pixels));
    let codes = |n: usize, step: usize| -> Vec<u8> { (0..n).map(|i| (i * step % 251) as u8).collect() };
    scratch.write("x2.npy", npy("|i1", &[1, 4, 4, 16], &codes(256, 91)));
    scratch.write("many.npy", npy("|i1", &[3, 4, 4, 16], &codes(3 * 256, 53)));
    scratch.write("pair.npy", npy("|i1", &[2, 4, 4, 16], &codes(2 * 256, 53)));
    scratch.write("pairs.npy", npy("|i1", &[2, 2, 4, 4, 16], &codes(4 * 256, 53)));
    scratch.write("p.npy", npy("<f4", &[1, 4, 6, 6], &pixels[..4 * 144]));
    scratch.write("states.mlir", crate::doors::LARGEST);
    scratch.write("open.mlir", crate::doors::OPEN);
    scratch.write("s.npy", npy("<i4", &[3, 4], &codes(48, 91)));
    scratch.write("n.npy", npy("|i1", &[1, 4, 4, 4], &codes(64, 37)));
    scratch.write("e.npy", npy("|i1", &[1, 1, 28, 28], &codes(784, 37)));
    scratch.write("d.npy", npy("|i1", &[1, 28, 28, 1], &codes(784, 37)));
    scratch.write("y.npy", npy("|u1", &[1], &[3]));
    scratch.write("i.png", crate::images::grey(28, 28));
    scratch.write("big.png", crate::images::grey(40, 30));
    scratch.write("told.json", r#"{"version": 1, "programs": [{"name": "net", "layers": [{"name": "0.conv2d", "tiling": {"ox": 5}}]}]}"#);
    let machine = include_str!("../../dialects/isa/machines/flexnn-16x16.toml");
    let line = machine.lines().find(|line| line.starts_with("dram_latency_cycles")).unwrap();
    scratch.write("slow.toml", machine.replace(line, "dram_latency_cycles = 9999"));
    let done = scratch.strumc("quantize float.mlirbc -c c.npz -o q.mlirbc -q");
    assert_eq!(done.code, Some(0), "{done:?}");
    scratch.compile("");
    let text = scratch.translate("--dpu-to-asm net.dpu").ok().text();
    scratch.write("net.dpuasm", &text);
    let end = text.rfind("end").unwrap();
    scratch.write("broken.dpuasm", format!("{}{}", &text[..end], &text[end + 3..]));
    scratch.write("race.dpu", racing(&scratch));
    scratch.write("lowered.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
    scratch.strumc("run net.dpu --input x.npy -q --report r.json").ok();
    scratch.strumc("run net.dpu --input x.npy -q --machine slow.toml --report s.json").ok();
    scratch.strumc("tune net.mlir --policy uniform -q -o p.json").ok();
    scratch
}

/// A program that the hazard checks stop, and that ends normally without them.
fn racing(scratch: &Scratch) -> Vec<u8> {
    let program = Program::from_elf(&scratch.read("net.dpu")).unwrap();
    let without_wait = |index: usize| {
        let mut program = program.clone();
        let waited = program.instrs[index].masks_mut().map_or(0, |(wait, _)| std::mem::take(wait));
        for instr in &mut program.instrs {
            if let Instr::BarCfg(bar) = instr
                && waited >> bar.barrier & 1 == 1
            {
                bar.consumers -= 1;
            }
        }
        program.to_elf().unwrap()
    };
    let races = |binary: &Vec<u8>| {
        scratch.write("race.dpu", binary);
        scratch.strumc("run race.dpu --input x.npy").code == Some(5)
            && scratch.strumc("run race.dpu --input x.npy --no-checks").code == Some(0)
    };
    (0..program.instrs.len()).map(without_wait).find(races).unwrap()
}

/// The result of a command: exit code, texts, files.
type Left = (Option<i32>, String, String, BTreeMap<String, Vec<u8>>);

/// Runs a command in a copy of a folder.
fn left(original: &Scratch, program: &str, line: &str) -> Left {
    let folder = tempfile::tempdir().unwrap();
    for name in original.names() {
        std::fs::copy(original.path().join(&name), folder.path().join(&name)).unwrap();
    }
    let words: Vec<String> = line.split_whitespace().map(|word| word.replace('~', " ")).collect();
    let done = run_in(folder.path(), program, &words, b"");
    let mut files = BTreeMap::new();
    for name in crate::common::names(folder.path()) {
        let path = folder.path().join(&name);
        let content = match path.is_dir() {
            true => crate::common::names(&path).join("\n").into_bytes(),
            false => std::fs::read(&path).unwrap(),
        };
        files.insert(name, content);
    }
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.code, text, done.stderr, files)
}

/// The fault of a row, if any.
fn fault(
    scratch: &Scratch,
    (command, option, shown): Row,
    seen: &mut BTreeMap<&str, Left>,
) -> Option<String> {
    let left = |line: &str| left(scratch, tool(command), line);
    let why = match shown {
        Shown::Differs(without, with) => {
            let a = seen.entry(without).or_insert_with(|| left(without));
            let b = left(with);
            if b.0 != Some(0) {
                format!("{with}: {}", b.2)
            } else if *a == b {
                format!("changes nothing: {with}")
            } else if left(with) != b {
                format!("not the same twice: {with}")
            } else {
                return None;
            }
        }
        Shown::Refused(line, message) => match left(line) {
            (Some(2), _, stderr, _) if stderr.contains(message) => return None,
            (code, _, stderr, _) => format!("{line}: {code:?}, {stderr}"),
        },
        Shown::By(test) => {
            let folders = ["tests", "tests/cli", "tools/sim/tests"];
            let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
            let name = format!("fn {test}()");
            let mut files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
            match files.any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&name))) {
                true => return None,
                false => format!("there is no test {test}"),
            }
        }
    };
    Some(format!("{command}, {option}: {why}"))
}

/// Runs the rows of these commands.
fn check(commands: &[&str]) {
    let scratch = folder();
    let rows = table().into_iter().filter(|(command, _, _)| commands.contains(command));
    // Many rows have the same command without their option.
    let mut seen = BTreeMap::new();
    let faults: Vec<String> = rows.filter_map(|row| fault(&scratch, row, &mut seen)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The options of a command line, without those of every command.
fn ids(command: &clap::Command) -> BTreeSet<String> {
    let ids = command.get_arguments().map(|argument| argument.get_id().to_string());
    ids.filter(|id| !EVERYWHERE.contains(&id.as_str()) && id != "help" && id != "version").collect()
}

#[test]
fn every_option_of_every_command_and_pass_has_a_row() {
    let known = |name: &str| -> BTreeSet<String> {
        let rows = table().into_iter().filter(|(command, _, _)| *command == name);
        rows.map(|(_, option, _)| option.to_owned()).collect()
    };
    let [strumc, translate] = strum_opt::command_lines();
    for command in strumc.get_subcommands() {
        assert_eq!(ids(command), known(command.get_name()), "{}", command.get_name());
    }
    assert_eq!(ids(&translate), known("strum-translate"));
    let of = |pass: &str, options: Vec<strum_ir::PassOption>| -> Vec<String> {
        options.iter().map(|option| format!("{pass}.{}", option.name)).collect()
    };
    let mut passes: BTreeSet<String> =
        strum_passes::PASSES.iter().flat_map(|pass| of(pass.argument, (pass.options)())).collect();
    passes.extend(of(strum_passes::pipeline::NAME, strum_passes::pipeline::Options::declared()));
    assert_eq!(passes, known("strum-opt"));
}

#[test]
fn every_option_of_compile_and_run_has_an_effect_or_is_refused() {
    check(&["compile", "run"]);
}

#[test]
fn every_option_of_compare_and_eval_has_an_effect_or_is_refused() {
    check(&["compare", "eval"]);
}

#[test]
fn every_option_of_tune_quantize_and_report_has_an_effect_or_is_refused() {
    check(&["tune", "quantize", "report"]);
}

#[test]
fn every_option_of_strum_translate_has_an_effect_or_is_refused() {
    check(&["strum-translate"]);
}

#[test]
fn every_option_of_every_pass_has_an_effect() {
    check(&["strum-opt"]);
}

#[test]
fn every_command_has_a_log() {
    let scratch = folder();
    for name in ["compile", "run", "compare", "eval", "tune", "quantize", "report", "strum-translate"] {
        let line = table().into_iter().find_map(|(command, _, shown)| match shown {
            Shown::Differs(_, with) if command == name => Some(with),
            Shown::Differs(..) | Shown::Refused(..) | Shown::By(_) => None,
        });
        let line = line.unwrap();
        let told = |line: &str| left(&scratch, tool(name), line).2.contains("DEBUG");
        assert!(!told(line) && told(&format!("{line} --log debug")), "{name}: {line}");
    }
}
