//! `strumc tune`: packing files by measured sensitivity.

use std::path::Path;

use serde_json::Value;

use crate::common::Scratch;

fn folder() -> Scratch {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet");
    for name in ["model.tosa.mlirbc", "digits.npz"] {
        std::fs::copy(models.join(name), scratch.path().join(name)).unwrap();
    }
    scratch
}

fn json(scratch: &Scratch, line: &str) -> Value {
    let done = scratch.strumc(line);
    assert_eq!(done.code, Some(0), "{done:?}");
    serde_json::from_str(&done.text()).unwrap()
}

/// The row of a packing file on samples that the search has not seen.
fn row(scratch: &Scratch, config: &str) -> Value {
    json(scratch, &format!("eval model.tosa.mlirbc --inputs digits.npz:x {config} --json"))["rows"][1].clone()
}

#[test]
fn at_equal_size_the_search_beats_one_way_for_all() {
    let scratch = folder();
    let uniform = row(&scratch, "--methods mip2q");
    let bytes = uniform["weight_bytes"].as_u64().unwrap();
    let line = "tune model.tosa.mlirbc -c digits.npz:x --limit 24 -o p.json --json";
    let told = json(&scratch, &format!("{line} --max-bytes {bytes}"));
    let found = row(&scratch, "--packing p.json");
    assert!(found["weight_bytes"].as_u64().unwrap() <= bytes, "{found}");
    assert_eq!(told["result"]["chosen"].as_f64(), found["weight_bytes"].as_f64());
    assert!(
        found["sqnr_db"].as_f64().unwrap() > uniform["sqnr_db"].as_f64().unwrap() + 1.0,
        "{found} {uniform}"
    );
    // No uniform format is better within the bound, on the measured samples.
    let seen = |config: &str| {
        let line = format!("eval model.tosa.mlirbc --inputs digits.npz:x --limit 24 {config} --json");
        json(&scratch, &line)["rows"][1].clone()
    };
    let best = seen("--packing p.json")["sqnr_db"].as_f64().unwrap();
    for config in ["mip2q", "dliq", "sparse,p=0.25", "dliq,w=32", "dliq,q=5"] {
        let row = seen(&format!("--config {config}"));
        let fits = row["weight_bytes"].as_u64().unwrap() <= bytes;
        assert!(!fits || row["sqnr_db"].as_f64().unwrap() <= best, "{row}");
    }
    // The number of threads has no effect.
    let first = std::fs::read(scratch.path().join("p.json")).unwrap();
    json(&scratch, &format!("{line} --max-bytes {bytes} --jobs 1"));
    assert_eq!(first, std::fs::read(scratch.path().join("p.json")).unwrap());
}

#[test]
fn the_budget_is_kept_on_the_samples_it_is_about() {
    let scratch = folder();
    let line = "tune model.tosa.mlirbc -c digits.npz:x --limit 16 -o p.json --json --config mip2q --config sparse,p=0.75";
    let strict = json(&scratch, &format!("{line} --min-sqnr 25 --objective energy"));
    assert!(strict["result"]["sqnr_db"].as_f64().unwrap() >= 25.0, "{strict}");
    let loose = json(&scratch, &format!("{line} --min-sqnr 5 --objective energy"));
    let cost = |told: &Value| told["result"]["chosen"].as_f64().unwrap();
    assert!(cost(&loose) < cost(&strict) && cost(&strict) < strict["result"]["dense"].as_f64().unwrap());
    let none = json(&scratch, &format!("{line} --max-loss 0 --labels digits.npz:y --objective latency"));
    assert!(none["result"]["loss_points"].as_f64().unwrap() <= 0.0, "{none}");
    assert_eq!(none["result"]["loss_of"], "right answers");
    // The written assignment is the measured one.
    let same =
        json(&scratch, "eval model.tosa.mlirbc --inputs digits.npz:x --limit 16 --packing p.json --json");
    assert_eq!(same["rows"][1]["cycles"].as_f64(), Some(cost(&none)));
    assert_eq!(same["rows"][1]["sqnr_db"], none["result"]["sqnr_db"]);
}

#[test]
fn a_uniform_file_is_the_method_itself() {
    let scratch = folder();
    scratch.strumc("tune model.tosa.mlirbc --policy uniform --config mip2q,L=5 -o p.json").ok();
    let (mut file, mut method) = (row(&scratch, "--packing p.json"), row(&scratch, "--config mip2q,L=5"));
    assert_eq!(file["name"].take(), "p.json");
    method["name"].take();
    assert_eq!(file, method);
    // The first layer has one input channel: it can be packed explicitly all the same.
    let text = std::fs::read_to_string(scratch.path().join("p.json")).unwrap();
    assert_eq!(text.matches("\"dense\"").count(), 1, "{text}");
    scratch.write("p.json", text.replace("\"dense\"", "\"sparse\", \"p\": 1"));
    let all = row(&scratch, "--packing p.json --layers");
    assert_eq!(all["layers"].as_array().unwrap().len(), 4, "{all}");
    assert_eq!(all["layers"][0]["choice"], "sparse,p=1");
}

#[test]
fn what_does_not_go_together_is_told() {
    let scratch = folder();
    let fails = |line: &str, code: i32, message: &str| {
        scratch.strumc(&format!("tune model.tosa.mlirbc {line}")).fails(code, message);
    };
    fails("-o p.json --max-loss 1", 2, "give --calibration");
    fails("-o p.json -c digits.npz:x", 2, "give a budget");
    fails("-o p.json -c digits.npz:x --max-loss 1 --max-bytes 7", 2, "--max-bytes");
    fails("-o p.json -c digits.npz:x --max-loss -1", 2, "--max-loss");
    fails("-o p.json -c digits.npz:x --max-bytes 9 --objective energy", 2, "--objective size");
    fails("-o p.json -c digits.npz:x --max-bytes 9 --labels digits.npz:y", 2, "--labels has no effect");
    fails(
        "-o p.json -c digits.npz:x --max-bytes 9 --limit 2",
        1,
        "the least that these configurations come to",
    );
    fails("-o p.json -c digits.npz:x --max-loss 1 --config mip2q,L=9", 2, "--config mip2q,L=9");
    fails("-o p.json --policy uniform --max-loss 1", 2, "no effect with --policy uniform");
    fails("-o p.json --policy uniform --config mip2q --config dliq", 2, "takes one --config");
    fails("-o - --policy uniform", 2, "needs --quiet");
    fails("-o p.json -c none.npy --max-loss 1", 1, "none.npy");
    fails("-o none/p.json -c digits.npz:x --max-loss 1", 1, "none/p.json");
    assert!(!scratch.path().join("p.json").exists());
    scratch.strumc("tune digits.npz --policy uniform -o p.json").fails(1, "digits.npz");
}

#[test]
fn a_compiled_program_is_refused_before_anything_is_read_of_it() {
    let scratch = folder();
    scratch.compile("");
    let line = "tune net.dpu -c digits.npz:x --max-loss 1 -o p.json --batch 2";
    let done = scratch.strumc(line).fails(1, "net.dpu: a compiled program");
    assert!(done.stderr.contains("help: give the network that it was compiled from"), "{done:?}");
}
