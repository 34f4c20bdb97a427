//! Strategies of whole programs: a written strategy gives the same binary, and a changed one is followed or refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{compile, context, run, simulated};
use dpu_sim::Tensor;
use serde_json::Value;
use strum_ir::Context;
use strum_ref::smith::{self, Case, Kind, Size};
use tempfile::TempDir;

/// A network with its folder for strategies.
struct Bench<'c> {
    context: &'c Context,
    folder: TempDir,
}

impl<'c> Bench<'c> {
    fn new(context: &'c Context) -> Self {
        Bench { context, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary of a network, with these options of the pipeline.
    fn elf(&self, mlir: &[u8], options: &str) -> Result<Vec<u8>, String> {
        compile(self.context, mlir, &format!("strum-pipeline{{{options}}}"))?
            .to_elf()
            .map_err(|e| e.to_string())
    }

    /// The written strategy, after checking that it gives the same binary and the same strategy.
    fn round_trip(&self, mlir: &[u8], options: &str) -> String {
        let (first, second) = (self.path("first.json"), self.path("second.json"));
        let written = self.elf(mlir, &format!("{options} write-strategy={}", first.display())).unwrap();
        let read = format!("{options} read-strategy={} write-strategy={}", first.display(), second.display());
        let read = self.elf(mlir, &read).unwrap();
        assert!(written == read, "{options}: the binary differs");
        assert!(
            written == self.elf(mlir, options).unwrap(),
            "{options}: writing a strategy changes the binary"
        );
        let [first, second] = [first, second].map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(first, second, "{options}");
        first
    }
}

#[test]
fn shipped_networks_come_back_byte_for_byte() {
    let context = context();
    let bench = Bench::new(&context);
    for name in ["mnist_lenet", "resnet20"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name).join("model.tosa.mlirbc");
        let network = std::fs::read(path).unwrap();
        for options in ["method=dense", "method=mip2q p=0.5", "method=dense machine=flexnn-4x4"] {
            let text = bench.round_trip(&network, options);
            assert!(text.contains("\"schedules\"") && text.contains("\"stays\": true"), "{name}, {options}");
        }
    }
}

#[test]
fn random_networks_come_back_byte_for_byte() {
    let context = context();
    let bench = Bench::new(&context);
    for seed in 0..60 {
        let case = smith::graph(seed).unwrap();
        for machine in ["flexnn-16x16", "flexnn-4x4"] {
            bench.round_trip(case.mlir.as_bytes(), &format!("method=dense machine={machine}"));
        }
    }
    for kind in [
        Kind::Conv2d,
        Kind::DepthwiseConv2d,
        Kind::MaxPool2d,
        Kind::MatMul,
        Kind::Add,
        Kind::ReduceSum,
        Kind::Transpose,
    ] {
        for seed in 0..3 {
            let case = smith::sized_op(kind, Size::Large, seed).unwrap();
            bench.round_trip(case.mlir.as_bytes(), "method=dense machine=flexnn-4x4");
        }
    }
}

/// The paths of all decisions in a strategy.
fn decisions(value: &Value, path: &str, found: &mut Vec<String>) {
    const NAMES: &[&str] = &["version", "machine", "name", "location", "output"];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !NAMES.contains(&key.as_str())) {
                decisions(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                decisions(item, &format!("{path}/{i}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// A small pseudorandom generator.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Another value for a decision.
fn other(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::Bool(v) => Value::Bool(!v),
        Value::String(text) => match text.as_str() {
            "spatial_outer" => "channel_outer".into(),
            "channel_outer" => "spatial_outer".into(),
            "vec" => "dma".into(),
            "dma" => "vec".into(),
            "output" => ["weight", "input"][dice.roll(2)].into(),
            _ => "output".into(),
        },
        Value::Number(n) => {
            let n = n.as_u64().unwrap();
            let values = [n / 2, n + 1, n * 2, n.saturating_sub(1), 0, 1, 16, u64::MAX, 1 << 40];
            values[dice.roll(values.len())].into()
        }
        _ => panic!("{value} is no decision"),
    }
}

/// The results of the changes.
#[derive(Default)]
struct Tally {
    followed: usize,
    refused: usize,
    /// Of those, changes of a cut.
    cuts_followed: usize,
    cuts_refused: usize,
    /// Every field of a strategy: whether a followed change of it made another binary.
    fields: BTreeMap<String, bool>,
}

/// The field of a path: `/programs/0/layers/2/schedules/0/pes/oc` is `schedules/pes/oc`.
fn field(place: &str) -> String {
    let names = place.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err());
    names.filter(|name| !["programs", "layers"].contains(name)).collect::<Vec<_>>().join("/")
}

/// Changes one decision of a network after the other: each change is followed or refused, and no result is wrong.
fn check_changes(bench: &Bench<'_>, case: &Case, machine: &str, dice: &mut Dice, tally: &mut Tally) {
    let (mlir, options) = (case.mlir.as_bytes(), format!("method=dense machine={machine}"));
    let strategy: Value = serde_json::from_str(&bench.round_trip(mlir, &options)).unwrap();
    let mut places = Vec::new();
    decisions(&strategy, "", &mut places);
    let plain = bench.elf(mlir, &options).unwrap();
    for place in &places {
        tally.fields.entry(field(place)).or_default();
    }
    let inputs: Vec<Tensor> = case.inputs.iter().map(simulated).collect();
    let expected: Vec<Tensor> = case.outputs.iter().map(simulated).collect();
    let (told, done) = (bench.path("told.json"), bench.path("done.json"));
    for _ in 0..8 {
        let mut changed = strategy.clone();
        let place = &places[dice.roll(places.len())];
        let value = changed.pointer_mut(place).unwrap();
        *value = other(value, dice);
        let wish = value.clone();
        std::fs::write(&told, changed.to_string()).unwrap();
        let _ = std::fs::remove_file(&done);
        let pipeline = format!(
            "strum-pipeline{{{options} read-strategy={} write-strategy={}}}",
            told.display(),
            done.display()
        );
        match compile(bench.context, mlir, &pipeline) {
            Ok(program) => {
                tally.followed += 1;
                tally.cuts_followed += usize::from(place.contains("/cuts/"));
                let text = format!("{place} = {wish} on {machine}\n{}", case.mlir);
                assert_eq!(run(&program, &inputs).as_ref(), Ok(&expected), "{text}");
                if program.to_elf().unwrap() != plain {
                    tally.fields.insert(field(place), true);
                }
                let done: Value = serde_json::from_str(&std::fs::read_to_string(&done).unwrap()).unwrap();
                assert_eq!(done.pointer(place), Some(&wish), "{text}");
            }
            Err(error) => {
                tally.refused += 1;
                tally.cuts_refused += usize::from(place.contains("/cuts/"));
                assert!(
                    error.contains("strategy: "),
                    "{place} = {wish} on {machine}: {error}\n{}",
                    case.mlir
                );
                assert!(!done.exists(), "{place} = {wish}");
            }
        }
    }
}

#[test]
fn changed_decisions_are_followed_or_refused() {
    let context = context();
    let bench = Bench::new(&context);
    let (mut dice, mut tally) = (Dice(7), Tally::default());
    for seed in 0..60 {
        let case = smith::graph(seed).unwrap();
        check_changes(&bench, &case, "flexnn-16x16", &mut dice, &mut tally);
        check_changes(&bench, &case, "flexnn-4x4", &mut dice, &mut tally);
    }
    for kind in [
        Kind::Conv2d,
        Kind::DepthwiseConv2d,
        Kind::AvgPool2d,
        Kind::MatMul,
        Kind::Add,
        Kind::Rescale,
        Kind::ReduceSum,
        Kind::Transpose,
        Kind::Table,
    ] {
        for seed in 0..if kind == Kind::Conv2d { 60 } else { 20 } {
            let case = smith::single_op(kind, seed).unwrap();
            check_changes(&bench, &case, "flexnn-16x16", &mut dice, &mut tally);
        }
    }
    let Tally { followed, refused, cuts_followed, cuts_refused, fields } = tally;
    let text = format!("{followed} followed, {refused} refused; cuts: {cuts_followed} and {cuts_refused}");
    println!("{text}");
    assert!(followed > 100 && refused > 100 && cuts_followed > 50 && cuts_refused > 50, "{text}");
    // Every decision changes a binary; fields that name the layer or tile are not decisions, and others are refused. Those of
    // tilings are tried one by one below.
    let idle = fields.iter().filter(|(name, flips)| !**flips && !name.starts_with("tiling/"));
    let idle: Vec<&str> = idle.map(|(name, _)| name.as_str()).collect();
    let keys =
        ["cuts/over", "schedules/tile/ic", "schedules/tile/oc", "schedules/tile/ox", "schedules/tile/oy"];
    assert_eq!(idle, keys, "{fields:?}");
    let tilings: Vec<&str> = fields.keys().filter_map(|name| name.strip_prefix("tiling/")).collect();
    let mut tried: Vec<&str> = TILINGS.iter().map(|(_, _, field, _)| *field).collect();
    tried.sort_unstable();
    assert_eq!(tilings, tried);
}

const CONV: &str = r#"func.func @main(%x: tensor<1x16x16x32xi8>) -> tensor<1x16x16x32xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<32x3x3x32xi8>}> : () -> tensor<32x3x3x32xi8>
  %b = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x16x16x32xi8>, tensor<32x3x3x32xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x16x16x32xi32>
  return %y : tensor<1x16x16x32xi32>
}
"#;

/// Four input channels, two outputs of each.
const DEPTHWISE: &str = r#"func.func @main(%x: tensor<1x16x16x4xi8>) -> tensor<1x16x16x8xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<3x3x4x2xi8>}> : () -> tensor<3x3x4x2xi8>
  %b = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x16x16x4xi8>, tensor<3x3x4x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x16x16x8xi32>
  return %y : tensor<1x16x16x8xi32>
}
"#;

/// A layer, the given fields of its tiling, and a field with another value: both are followed, and make different binaries.
const TILINGS: &[(&str, &str, &str, &str)] = &[
    (CONV, r#"{"oy": 4}"#, "oy", "8"),
    (CONV, r#"{"ox": 4}"#, "ox", "8"),
    (CONV, r#"{"oc": 16}"#, "oc", "8"),
    (DEPTHWISE, r#"{"oc_groups": 1}"#, "oc_groups", "4"),
    (CONV, r#"{"ic": 32}"#, "ic", "16"),
    (CONV, r#"{"ky": 3}"#, "ky", "1"),
    (CONV, r#"{"kx": 3}"#, "kx", "1"),
    (CONV, r#"{"oy": 4, "oc": 16, "order": "spatial_outer"}"#, "order", "\"channel_outer\""),
    (CONV, r#"{"oy": 4, "oc": 16, "gather": false}"#, "gather", "true"),
    (CONV, r#"{"oy": 4, "act_slots": 2}"#, "act_slots", "3"),
    (CONV, r#"{"weight_slots": 1}"#, "weight_slots", "2"),
    (CONV, r#"{"oy": 4, "out_slots": 2}"#, "out_slots", "3"),
    (CONV, r#"{"oc": 16, "split_weights": false}"#, "split_weights", "true"),
];

#[test]
fn every_field_of_a_tiling_makes_another_binary() {
    let context = context();
    let bench = Bench::new(&context);
    let told = bench.path("told.json");
    let elf = |network: &str, tiling: &Value| {
        let name = if network == CONV { "0.conv2d" } else { "0.depthwise_conv2d" };
        let layer = serde_json::json!({ "name": name, "tiling": tiling });
        let strategy =
            serde_json::json!({ "version": 1, "programs": [{ "name": "main", "layers": [layer] }] });
        std::fs::write(&told, strategy.to_string()).unwrap();
        bench.elf(network.as_bytes(), &format!("method=dense read-strategy={}", told.display()))
    };
    let mut faults = Vec::new();
    for (network, tiling, field, other) in TILINGS {
        let tiling: Value = serde_json::from_str(tiling).unwrap();
        let mut changed = tiling.clone();
        changed[field] = serde_json::from_str(other).unwrap();
        match (elf(network, &tiling), elf(network, &changed)) {
            (Ok(one), Ok(two)) if one != two => {}
            (Ok(_), Ok(_)) => faults.push(format!("{tiling}: {field} = {other} changes nothing")),
            (one, two) => {
                faults.push(format!("{tiling}, {field} = {other}: {:?} {:?}", one.err(), two.err()))
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
