//! `strumc eval`: the accuracy of weight formats on samples.

use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, npy};

/// A folder with the LeNet, its float form, digits and digits to calibrate on.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet");
    for name in ["model.tosa.mlirbc", "float.linalg.mlirbc", "digits.npz", "calibration.npz"] {
        std::fs::copy(models.join(name), scratch.path().join(name)).unwrap();
    }
    scratch
}

/// Outputs are exact, so the table is the same everywhere; cycles and bytes change with the planner.
#[test]
fn a_row_for_every_method() {
    let scratch = folder();
    let line = "eval model.tosa.mlirbc --inputs digits.npz:x --labels digits.npz:y --limit 100";
    let done = scratch.strumc(&format!("{line} --methods mip2q,sparse --p 0.75"));
    assert_eq!(done.code, Some(0), "{done:?}");
    insta::assert_snapshot!("evaluated", done.text());
    // Threads share the samples and change nothing.
    let alone = scratch.strumc(&format!("{line} --methods mip2q,sparse --p 0.75 --jobs 1"));
    assert_eq!(done.text(), alone.text());
}

#[test]
fn a_float_network_is_the_reference() {
    let scratch = folder();
    scratch.strumc("quantize float.linalg.mlirbc -c calibration.npz -o net.mlirbc -q").ok();
    let line =
        "eval net.mlirbc --inputs calibration.npz:x --against float.linalg.mlirbc --methods dense --json";
    let json: Value = serde_json::from_str(&scratch.strumc(line).ok().text()).unwrap();
    assert_eq!((&json["reference"], &json["samples"]), (&"float".into(), &30.into()));
    assert_eq!(json["rows"][0]["agreement"], Value::Null);
    assert_eq!(json["rows"][1]["agreement"], 1.0);
    assert!(json["rows"][1]["sqnr_db"].as_f64().unwrap() > 30.0, "{json}");
    assert_eq!(json["rows"][1]["top1"], Value::Null, "there are no labels");
}

#[test]
fn what_does_not_go_together_is_told() {
    let scratch = folder();
    let fails = |line: &str, code: i32, message: &str| {
        scratch.strumc(&format!("eval model.tosa.mlirbc --methods dense {line}")).fails(code, message);
    };
    fails("", 2, "--inputs");
    fails("--inputs digits.npz", 1, "which array?");
    fails("--inputs digits.npz:x digits.npz:x", 2, "the network has 1 inputs");
    fails("--inputs calibration.npz:x", 1, "does not say what its codes mean");
    fails("--inputs digits.npz:x --against float.linalg.mlirbc", 1, "the inputs are codes");
    scratch.write("few.npy", npy("|u1", &[3], &[1, 2, 3]));
    fails("--inputs digits.npz:x --labels few.npy", 1, "3 labels for 300 samples");
    scratch.write("ten.npy", npy("|u1", &[300], &[10; 300]));
    fails("--inputs digits.npz:x --labels ten.npy", 1, "label 10: the network has 10 classes");
    scratch.write("shape.npy", npy("|i1", &[2, 5], &[0; 10]));
    fails("--inputs shape.npy", 1, "[2, 5]");
    scratch.write("wide.npy", npy("|u1", &[1, 28, 28, 1], &[200; 784]));
    fails("--inputs wide.npy", 1, "200 is not a code");
    let nan = [f32::NAN; 784].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    scratch.write("nan.npy", npy("<f4", &[1, 28, 28], &nan));
    fails(
        "--inputs nan.npy --against float.linalg.mlirbc",
        1,
        "sample 0: an output is infinite or not a number",
    );
    fails("--inputs digits.npz:x --limit 0", 2, "--limit");
    fails("--inputs digits.npz:x --layers", 2, "--layers has no effect");
    fails("--inputs digits.npz:x --config mip2q,L=9", 2, "--config mip2q,L=9");
    fails("--inputs digits.npz:x --L 5", 2, "--L has no effect");
    scratch.strumc("eval model.tosa.mlirbc --inputs digits.npz:x --methods dliq,dliq").fails(2, "twice");
}

#[test]
fn of_several_outputs_one_is_asked_for() {
    let scratch = crate::common::Scratch::new();
    // Two outputs of different lengths, the second the classes.
    scratch.write(
        "net.mlir",
        "func.func @main(%x: tensor<1x1x1x2xf32>) -> (tensor<1x1x1x2xf32>, tensor<1x1x1x3xf32>) {\n\
         %w = \"tosa.const\"() <{values = dense<[[[[1.0, 0.0]]], [[[0.0, 1.0]]], [[[-1.0, -1.0]]]]> : tensor<3x1x1x2xf32>}> : () -> tensor<3x1x1x2xf32>\n\
         %b = \"tosa.const\"() <{values = dense<0.0> : tensor<3xf32>}> : () -> tensor<3xf32>\n\
         %z = \"tosa.const\"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>\n\
         %y = tosa.abs %x : (tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>\n\
         %c = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<3x1x1x2xf32>, tensor<3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x3xf32>\n\
         return %y, %c : tensor<1x1x1x2xf32>, tensor<1x1x1x3xf32> }",
    );
    let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    scratch.write(
        "x.npy",
        crate::common::npy("<f4", &[3, 1, 1, 2], &floats(&[2.0, 0.5, -0.5, 1.0, -2.0, -1.0])),
    );
    scratch.write("y.npy", crate::common::npy("|u1", &[3], &[0, 1, 2]));
    scratch.strumc("quantize net.mlir --calibration x.npy -o int.mlir --quiet").ok();
    let line = "eval int.mlir --inputs x.npy --labels y.npy --against net.mlir --methods dense --json";
    scratch
        .strumc(line)
        .fails(2, "the network has 2 outputs, select one with --logits: 0 (tensor<1x1x1x2xi8>), 1");
    scratch.strumc(&format!("{line} --logits 2")).fails(2, "--logits 2: the network's outputs are 0 (");
    // The first has no third class.
    scratch.strumc(&format!("{line} --logits 0")).fails(1, "label 2: the network has 2 classes");
    let done = scratch.strumc(&format!("{line} --logits 1"));
    let told: serde_json::Value = serde_json::from_str(&done.text()).unwrap();
    for row in told["rows"].as_array().unwrap() {
        assert_eq!(row["top1"], 1.0, "{told}");
    }
    assert!(told["rows"][1]["sqnr_db"].as_f64().is_none_or(|db| db > 30.0), "{told}");
    let line = "tune int.mlir -c x.npy --max-loss 0 -o p.json";
    scratch.strumc(line).fails(2, "--logits");
    assert_eq!(scratch.strumc(&format!("{line} --logits 1 --labels y.npy --quiet")).code, Some(0));
}

#[test]
fn a_file_is_imported_once_for_all_formats() {
    let scratch = crate::doors::networks();
    let line = "eval int8.tflite --inputs reals.npy --calibration reals.npy --methods mip2q,dliq --log debug";
    let done = scratch.strumc(line);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.stderr.matches("strum_opt::driver::import").count(), 1, "{}", done.stderr);
}

#[test]
fn options_of_files_apply_to_the_network_and_to_the_one_that_it_is_compared_with() {
    let scratch = crate::doors::networks();
    let pixels: Vec<u8> =
        (0..2 * 2 * 4 * 36).flat_map(|i| ((i * 31 % 47) as f32 / 16.0 - 1.0).to_le_bytes()).collect();
    scratch.write("pairs.npy", npy("<f4", &[2, 2, 4, 6, 6], &pixels));
    scratch.strumc("quantize float.onnx --calibration pairs.npy -o q.mlir -q --batch 2").ok();
    // The float network alone leaves its batch open.
    let line = "eval q.mlir --inputs pairs.npy --against float.onnx --methods dense --json";
    let json: Value =
        serde_json::from_str(&scratch.strumc(&format!("{line} --batch 2")).ok().text()).unwrap();
    assert!(json["rows"][1]["sqnr_db"].as_f64().unwrap() > 20.0, "{json}");
    assert_eq!(json["raw_codes"], false);
    scratch.strumc(line).fails(1, "holds no samples of [1, 4, 6, 6]");
    // Both do.
    let line = "eval float.onnx --calibration pairs.npy --inputs pairs.npy --against float.onnx --methods dense --json";
    let both: Value =
        serde_json::from_str(&scratch.strumc(&format!("{line} --batch 2")).ok().text()).unwrap();
    assert_eq!(both["rows"][1]["sqnr_db"], json["rows"][1]["sqnr_db"]);
    // Neither does.
    let line = "eval q.mlir --inputs pairs.npy --against q.mlir --methods dense --batch 2";
    scratch.strumc(line).fails(2, "batch 2 has no effect: no argument has a dynamic first extent");
    let line =
        "tune q.mlir -c pairs.npy --against float.onnx --batch 2 --min-sqnr 0 --config dliq -o p.json -q";
    scratch.strumc(line).ok();
}

#[test]
fn logits_without_a_scale_are_called_codes() {
    let scratch = crate::doors::networks();
    let told = "the network does not say what the codes of its output mean";
    let text = scratch.strumc("eval net.mlir --inputs x.npy --logits 0 --methods mip2q").text();
    assert_eq!(text.matches(told).count(), 1, "{text}");
    let text = scratch.strumc("eval int8.tflite --inputs codes.npy --methods mip2q").text();
    assert!(!text.contains(told) && text.contains("mip2q"), "{text}");
}
