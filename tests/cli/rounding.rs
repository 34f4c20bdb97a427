//! Weights rounded for their formats: integer networks, packing files, and commands that do it on the way.

use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, npy};

/// LeNet, float and quantized, with digits that are not those of the calibration.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet");
    for name in ["float.linalg.mlirbc", "calibration.npz", "digits.npz"] {
        std::fs::copy(models.join(name), scratch.path().join(name)).unwrap();
    }
    scratch.strumc("quantize float.linalg.mlirbc -c calibration.npz -o q.mlirbc -q").ok();
    scratch
}

fn json(scratch: &Scratch, line: &str) -> Value {
    let done = scratch.strumc(line);
    assert_eq!(done.code, Some(0), "{done:?}");
    serde_json::from_str(&done.text()).unwrap()
}

/// The row of a format, evaluated on other digits.
fn row(scratch: &Scratch, network: &str, options: &str) -> Value {
    let line = format!("eval {network} --inputs digits.npz:x --limit 200 {options} --json");
    json(scratch, &line)["rows"][1].clone()
}

fn decibels(row: &Value) -> f64 {
    row["sqnr_db"].as_f64().unwrap()
}

#[test]
fn an_integer_network_is_rounded_for_a_format_and_packed_without_loss() {
    let scratch = folder();
    // Minimum gains in decibels; 0.4, 1.0 and 7.3 were measured.
    for (method, least) in [("mip2q", 0.2), ("dliq", 0.5), ("sparse", 5.0)] {
        let line =
            format!("quantize q.mlirbc -c calibration.npz -o {method}.mlirbc --json --format {method}");
        let told = json(&scratch, &line);
        assert_eq!(
            (told["already_integer"].as_bool(), told["rounded_layers"].as_u64()),
            (Some(true), Some(3))
        );
        // Packing changes nothing of what the written network computes.
        let own = row(&scratch, &format!("{method}.mlirbc"), &format!("--methods {method}"));
        assert!(own["sqnr_db"].is_null() && own["weight_sqnr_db"].is_null(), "{own}");
        // Against the network as it was, it loses less than packing on its own.
        let plain = row(&scratch, "q.mlirbc", &format!("--methods {method}"));
        let rounded = row(&scratch, "q.mlirbc", &format!("--methods {method} --calibration calibration.npz"));
        let gain = decibels(&rounded) - decibels(&plain);
        assert!(gain > least, "{method}: {gain:.2} dB, {plain} {rounded}");
        assert!(rounded["weight_sqnr_db"].is_null(), "{rounded}");
        assert_eq!(rounded["weight_bytes"], plain["weight_bytes"]);
    }
}

#[test]
fn one_command_does_what_two_do() {
    let scratch = folder();
    let codes: Vec<u8> = (0..784).map(|i| (i * 53 % 256) as u8).collect();
    scratch.write("x.npy", npy("|i1", &[1, 1, 28, 28], &codes));
    for network in ["q.mlirbc", "float.linalg.mlirbc"] {
        scratch
            .strumc(&format!("quantize {network} -c calibration.npz -o r.mlirbc -q --format mip2q,p=0.75"))
            .ok();
        scratch.strumc("compile r.mlirbc -o two.dpu -q --method mip2q --p 0.75").ok();
        let options = "--method mip2q --p 0.75 --calibration calibration.npz";
        scratch.strumc(&format!("compile {network} -o one.dpu -q {options}")).ok();
        let weights = |name: &str| scratch.translate(&format!("--dpu-audit --json {name}")).ok().text();
        assert_eq!(weights("one.dpu"), weights("two.dpu"));
        let outputs = |line: &str| {
            scratch.strumc(&format!("run {line} -q --output y.npy")).ok();
            scratch.read("y.npy")
        };
        let expected = outputs("two.dpu --input x.npy");
        assert_eq!(outputs("one.dpu --input x.npy"), expected);
        assert_eq!(outputs(&format!("{network} --input x.npy {options}")), expected);
    }
}

#[test]
fn a_packing_file_is_rounded_for() {
    let scratch = folder();
    let packing = r#"{"version": 1, "programs": [{"name": "main", "layers": [
        {"name": "0.conv2d", "method": "dliq", "w": 4},
        {"name": "NAME", "method": "mip2q", "L": 5}]}]}"#;
    for network in ["q.mlirbc", "float.linalg.mlirbc"] {
        let quantized = format!("quantize {network} -c calibration.npz -q");
        // The name of the second convolution.
        scratch.strumc("tune q.mlirbc --policy uniform -o all.json -q").ok();
        let all: Value = serde_json::from_slice(&scratch.read("all.json")).unwrap();
        let name = all["programs"][0]["layers"][1]["name"].as_str().unwrap();
        let function = all["programs"][0]["name"].as_str().unwrap();
        scratch.write("p.json", packing.replace("NAME", name).replace("main", function));
        scratch.strumc(&format!("{quantized} -o r.mlirbc --format p.json")).ok();
        let packed = row(&scratch, "r.mlirbc", "--packing p.json");
        assert!(packed["weight_sqnr_db"].is_null() && packed["sqnr_db"].is_null(), "{packed}");
        let plain = row(&scratch, "q.mlirbc", "--packing p.json");
        let line = format!("compile {network} -o n.dpu --calibration calibration.npz --packing p.json");
        // Weights are exact, so nothing is noted.
        let done = scratch.strumc(&line);
        assert!(done.code == Some(0) && !done.stderr.contains("packing changes weights"), "{done:?}");
        assert!(plain["weight_sqnr_db"].as_f64().is_some(), "{plain}");
    }
}

#[test]
fn a_note_names_the_option_once() {
    let scratch = folder();
    let noted = |line: &str| scratch.strumc(line).stderr.matches("with --calibration").count();
    assert_eq!(noted("compile q.mlirbc -o n.dpu --method mip2q"), 1);
    assert_eq!(noted("eval q.mlirbc --inputs digits.npz:x --limit 1"), 1);
    assert_eq!(noted("compile q.mlirbc -o n.dpu --method mip2q -q"), 0);
    assert_eq!(noted("compile q.mlirbc -o n.dpu"), 0);
    assert_eq!(noted("compile q.mlirbc -o n.dpu --method mip2q --calibration calibration.npz"), 0);
}

#[test]
fn narrow_layers_are_rounded_if_asked_for() {
    let scratch = folder();
    let quantized = "quantize q.mlirbc -c calibration.npz -o r.mlirbc --format mip2q --min-channels 1";
    assert_eq!(json(&scratch, &format!("{quantized} --json"))["rounded_layers"], 4);
    let all = row(&scratch, "r.mlirbc", "--methods mip2q --min-channels 1");
    assert!(all["weight_sqnr_db"].is_null() && all["sqnr_db"].is_null(), "{all}");
}

#[test]
fn what_has_no_effect_or_no_samples_is_refused() {
    let scratch = folder();
    let network = "q.mlirbc";
    for (line, message) in [
        (
            format!("compile {network} -o n.dpu --calibration calibration.npz"),
            "no layer has a format to round for",
        ),
        (
            format!(
                "compile {network} -o n.dpu --method mip2q --select activation --calibration calibration.npz"
            ),
            "select has no effect on weights that are rounded for their format",
        ),
        (
            format!("quantize {network} -c calibration.npz -o r.mlirbc --equalize"),
            "the network is quantized already",
        ),
        (format!("quantize {network} -o r.mlirbc --format mip2q"), "needs --calibration"),
        (
            format!("quantize {network} -c calibration.npz -o r.mlirbc --format dense --depthwise"),
            "has no effect",
        ),
        (
            format!(
                "tune {network} -c calibration.npz --round --config dliq,correct=bias --max-loss 1 -o p.json"
            ),
            "correct",
        ),
    ] {
        scratch.strumc(&line).fails(2, message);
    }
    scratch.write("p.json", r#"{"version": 1, "programs": [{"name": "main", "layers": [{"name": "a", "method": "mip2q", "correct": "bias"}]}]}"#);
    let line = format!("compile {network} -o n.dpu --packing p.json --calibration calibration.npz");
    scratch.strumc(&line).fails(1, "layer 'a': correct has no effect on weights");
    scratch.strumc(&format!("compile {network} -o n.dpu -q")).ok();
    let line = "compile n.dpu -o m.dpu --calibration calibration.npz";
    scratch.strumc(line).fails(2, "--calibration has no effect on a compiled program");
    let line = "eval n.dpu --inputs digits.npz:x --calibration calibration.npz";
    scratch.strumc(line).fails(1, "n.dpu: a compiled program");
}

#[test]
fn the_search_rounds_for_what_it_tries() {
    let scratch = folder();
    let line = "tune q.mlirbc -c calibration.npz --config sparse --json";
    let plain = json(&scratch, &format!("{line} --min-sqnr 30 -o plain.json"))["result"].clone();
    let rounded = json(&scratch, &format!("{line} --min-sqnr 30 -o p.json --round"))["result"].clone();
    assert!(rounded["chosen"].as_f64() < plain["chosen"].as_f64(), "{rounded} {plain}");
    assert!(rounded["sqnr_db"].as_f64().unwrap() >= 30.0 && rounded["rounded"] == true, "{rounded}");
    // What was measured is what the file gives with the same samples.
    let line = "eval q.mlirbc --inputs calibration.npz --packing p.json --json";
    let found = json(&scratch, &format!("{line} --calibration calibration.npz"))["rows"][1].clone();
    assert_eq!(found["sqnr_db"], rounded["sqnr_db"]);
    assert_eq!(found["weight_bytes"].as_f64(), rounded["chosen"].as_f64());
}

#[test]
fn the_search_bounds_loss_against_a_float_network() {
    let scratch = folder();
    let line = "tune float.linalg.mlirbc -c calibration.npz --config mip2q --config dliq -o p.json";
    let found = json(&scratch, &format!("{line} --min-sqnr 25 --json"))["result"].clone();
    assert_eq!(found["loss_of"], "answers like the float network's");
    let line = "eval float.linalg.mlirbc --inputs calibration.npz --calibration calibration.npz --json";
    let rows =
        json(&scratch, &format!("{line} --packing p.json --against float.linalg.mlirbc"))["rows"].clone();
    assert_eq!(rows[2]["sqnr_db"], found["sqnr_db"], "{rows} {found}");
    scratch
        .strumc("tune float.linalg.mlirbc -c calibration.npz --config sparse -o p.json --min-sqnr 99")
        .fails(1, "nothing is within the budget: plain INT8 has a loss of");
}
