//! `strumc quantize`: float networks from TOSA and linalg, and unusual inputs.

use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, npy, run_in};

/// A padded convolution, batch normalization with its statistics, and a ReLU, as torch-mlir writes them on linalg.
const LINALG: &str = r#"#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#channel = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>
#vector = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %eps = arith.constant 1.0e-05 : f64
  %w = arith.constant dense<[[[[0.5, -0.25, 0.0], [1.0, 0.75, -0.5], [0.0, 0.25, 0.125]]], [[[-1.0, 0.5, 0.25], [0.0, -0.75, 0.5], [0.25, 0.0, 1.0]]]]> : tensor<2x1x3x3xf32>
  %b = arith.constant dense<[0.1, -0.2]> : tensor<2xf32>
  %mean = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %variance = arith.constant dense<[0.25, 4.0]> : tensor<2xf32>
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x1x4x4xf32> to tensor<1x1x6x6xf32>
  %e = tensor.empty() : tensor<1x2x4x4xf32>
  %bb = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<1x2x4x4xf32>) dimensions = [0, 2, 3]
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%p, %w : tensor<1x1x6x6xf32>, tensor<2x1x3x3xf32>) outs(%bb : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %ev = tensor.empty() : tensor<2xf32>
  %root = linalg.generic {indexing_maps = [#vector, #vector], iterator_types = ["parallel"]} ins(%variance : tensor<2xf32>) outs(%ev : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.truncf %eps : f64 to f32
    %1 = arith.addf %in, %0 : f32
    %2 = math.sqrt %1 : f32
    %3 = arith.cmpf one, %2, %zero : f32
    cf.assert %3, "unimplemented: tensor with zero element"
    %4 = arith.divf %one, %2 : f32
    linalg.yield %4 : f32
  } -> tensor<2xf32>
  %m3 = tensor.expand_shape %mean [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %r3 = tensor.expand_shape %root [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %n = linalg.generic {indexing_maps = [#map, #channel, #channel, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %m3, %r3 : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>) outs(%e : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %mu: f32, %s: f32, %out: f32):
    %0 = arith.subf %in, %mu : f32
    %1 = arith.mulf %0, %s : f32
    linalg.yield %1 : f32
  } -> tensor<1x2x4x4xf32>
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%n : tensor<1x2x4x4xf32>) outs(%e : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.cmpf ugt, %in, %zero : f32
    %1 = arith.select %0, %in, %zero : f32
    linalg.yield %1 : f32
  } -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}
"#;

/// The same network as torch-mlir writes it in TOSA.
const TOSA: &str = r#"func.func @main(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = "tosa.const"() <{values = dense<[[[[0.5], [-0.25], [0.0]], [[1.0], [0.75], [-0.5]], [[0.0], [0.25], [0.125]]], [[[-1.0], [0.5], [0.25]], [[0.0], [-0.75], [0.5]], [[0.25], [0.0], [1.0]]]]> : tensor<2x3x3x1xf32>}> : () -> tensor<2x3x3x1xf32>
  %b = "tosa.const"() <{values = dense<[0.1, -0.2]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %mean = "tosa.const"() <{values = dense<[0.5, -0.5]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %variance = "tosa.const"() <{values = dense<[0.25, 4.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-05> : tensor<1xf32>}> : () -> tensor<1xf32>
  %half = "tosa.const"() <{values = dense<0.5> : tensor<1xf32>}> : () -> tensor<1xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s = tosa.const_shape {values = dense<[1, 1, 1, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %t = tosa.transpose %x {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x4x4x1xf32>
  %c = tosa.conv2d %t, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x4x4x1xf32>, tensor<2x3x3x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %v1 = tosa.add %eps, %variance : (tensor<1xf32>, tensor<2xf32>) -> tensor<2xf32>
  %v2 = tosa.pow %v1, %half : (tensor<2xf32>, tensor<1xf32>) -> tensor<2xf32>
  %v3 = tosa.reciprocal %v2 : (tensor<2xf32>) -> tensor<2xf32>
  %m4 = tosa.reshape %mean, %s : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %r4 = tosa.reshape %v3, %s : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %n1 = tosa.sub %c, %m4 : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  %n2 = tosa.mul %n1, %r4, %shift : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %a = tosa.clamp %n2 {max_val = 3.40282347E+38 : f32, min_val = 0.0 : f32} : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %y = tosa.transpose %a {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x2xf32>) -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}
"#;

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Three samples of the small networks, from −1 to 1.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("linalg.mlir", LINALG);
    scratch.write("tosa.mlir", TOSA);
    let values: Vec<f32> = (0..48).map(|i: i16| f32::from(i * 29 % 48) / 24.0 - 1.0).collect();
    scratch.write("c.npy", npy("<f4", &[3, 4, 4], &floats(&values)));
    scratch
}

/// A helper before `main`, which calls it: the function to quantize is `main`, and the call is refused where it is.
#[test]
fn a_call_is_refused_and_no_other_function_quantized() {
    let scratch = folder();
    let helper = |ty: &str| format!("func.func @helper(%a: {ty}) -> {ty} {{ return %a : {ty} }}\n");
    let main = "func.func @unit(%a: tensor<1x4xf32>) -> tensor<1x4xf32> { return %a : tensor<1x4xf32> }\n\
                func.func @main(%a: tensor<1x4xf32>) -> tensor<1x4xf32> {\n\
                  %0 = func.call @unit(%a) : (tensor<1x4xf32>) -> tensor<1x4xf32>\n\
                  return %0 : tensor<1x4xf32>\n}\n";
    for ty in ["tensor<1x4xi8>", "tensor<1x4xf32>"] {
        scratch.write("calls.mlir", helper(ty) + main);
        let done = scratch.strumc("quantize calls.mlir -o n.mlir");
        assert_eq!(done.code, Some(3), "{done:?}");
        assert!(done.stderr.contains("calls.mlir:4:") && done.stderr.contains("func.call"), "{done:?}");
    }
}

#[test]
fn both_doors_lead_to_one_integer_network() {
    let scratch = folder();
    scratch.strumc("quantize linalg.mlir -c c.npy -o a.mlir -q").ok();
    scratch.strumc("quantize tosa.mlir -c c.npy -o b.mlir -q").ok();
    let text = String::from_utf8(scratch.read("a.mlir")).unwrap();
    assert_eq!(text, String::from_utf8(scratch.read("b.mlir")).unwrap());
    insta::assert_snapshot!("quantized", text);
    // A quantized network can be compiled directly.
    let done = scratch.strumc("quantize a.mlir -o c.mlir");
    assert!(done.code == Some(0) && done.stderr.contains("already quantized"), "{done:?}");
    assert_eq!(scratch.read("a.mlir"), scratch.read("c.mlir"));
    scratch.strumc("compile a.mlir -o a.dpu -q").ok();
}

#[test]
fn options_change_what_they_say() {
    let scratch = folder();
    let json = |options: &str| -> Value {
        let done = scratch.strumc(&format!("quantize linalg.mlir -c c.npy -o x.mlirbc --json {options}"));
        serde_json::from_str(&done.ok().text()).unwrap()
    };
    let plain = json("");
    assert_eq!(plain["samples"], 3);
    assert_eq!(plain["operators"]["conv2d"], 1);
    assert_eq!(plain["weights"], 18);
    let narrower = json("--activations percentile --percentile 0.2");
    assert!(narrower["inputs"][0]["scale"].as_f64() < plain["inputs"][0]["scale"].as_f64());
    json("--activations minmax");
    let per_channel = scratch.read("x.mlirbc");
    json("--weights per-tensor");
    assert_ne!(per_channel, scratch.read("x.mlirbc"));
}

#[test]
fn without_data_ranges_are_random_and_a_warning_says_so() {
    let scratch = folder();
    let done = scratch.strumc("quantize linalg.mlir -o a.mlir");
    assert!(done.code == Some(0) && done.stderr.contains("no calibration data"), "{done:?}");
    let first = scratch.read("a.mlir");
    scratch.strumc("quantize linalg.mlir -o a.mlir -q");
    assert_eq!(first, scratch.read("a.mlir"));
}

#[test]
fn a_trained_network_keeps_its_answers() {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet");
    let net = models.join("float.linalg.mlirbc");
    // The digits are codes of the network that was quantized elsewhere.
    let (scale, zero_point) = (0.012_728, -95.0);
    let digits = |key: &str| {
        let arg = format!("{}:{key}", models.join("digits.npz").display());
        strum_tensors::read_floats(&arg).unwrap().values
    };
    let (codes, labels) = (digits("x"), digits("y"));
    let values: Vec<f32> = codes.iter().map(|&c| scale * (c - zero_point)).collect();
    scratch.write("c.npy", npy("<f4", &[100, 28, 28], &floats(&values[..100 * 784])));
    let line = format!("quantize {} -c c.npy -o net.mlirbc --json", net.display());
    let summary: Value = serde_json::from_str(&scratch.strumc(&line).ok().text()).unwrap();
    let (scale, zero_point) = (&summary["inputs"][0]["scale"], &summary["inputs"][0]["zero_point"]);
    let (scale, zero_point) = (scale.as_f64().unwrap() as f32, zero_point.as_f64().unwrap() as f32);
    scratch.strumc("compile net.mlirbc -o net.dpu -q --method mip2q").ok();
    let mut right = 0;
    for (digit, &label) in values.chunks(784).zip(&labels).step_by(5) {
        let codes: Vec<u8> = digit.iter().map(|v| (v / scale + zero_point).round() as i8 as u8).collect();
        scratch.write("x.npy", npy("|i1", &[1, 1, 28, 28], &codes));
        let done = scratch.strumc("run net.dpu --input x.npy --json").ok();
        let run: Value = serde_json::from_str(&done.text()).unwrap();
        let logits: Vec<i64> =
            run["outputs"][0]["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        let best = (0..10).max_by_key(|&i| logits[i]).unwrap();
        right += usize::from(best == label as usize);
    }
    assert!(right >= 59, "{right} of 60");
}

/// A layer of 16 channels, as in `net.mlir`, with `c.npy` to calibrate it and `x.npy` to run it.
fn sixteen_channels() -> Scratch {
    let scratch = Scratch::new();
    let weight = |i: i32| format!("{:?}", f64::from((i * 37 + i * i * 11) % 101 - 50) / 64.0);
    let row = |o: i32| (0..16).map(|i| weight(o * 16 + i)).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..4).map(|o| format!("[[[{}]]]", row(o))).collect();
    let net = format!(
        "func.func @main(%x: tensor<1x3x5x16xf32>) -> tensor<1x3x5x4xf32> {{
  %w = \"tosa.const\"() <{{values = dense<[{}]> : tensor<4x1x1x16xf32>}}> : () -> tensor<4x1x1x16xf32>
  %b = \"tosa.const\"() <{{values = dense<[0.1, -0.2, 3.0, 0.0]> : tensor<4xf32>}}> : () -> tensor<4xf32>
  %z = \"tosa.const\"() <{{values = dense<0.0> : tensor<1xf32>}}> : () -> tensor<1xf32>
  %y = tosa.conv2d %x, %w, %b, %z, %z {{acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, \
   stride = array<i64: 1, 1>}} : (tensor<1x3x5x16xf32>, tensor<4x1x1x16xf32>, tensor<4xf32>, tensor<1xf32>, \
   tensor<1xf32>) -> tensor<1x3x5x4xf32>
  return %y : tensor<1x3x5x4xf32>
}}",
        rows.join(", ")
    );
    scratch.write("net.mlir", net);
    let values: Vec<f32> = (0..480).map(|i| ((i * 29) % 83) as f32 / 20.0 - 1.0).collect();
    scratch.write("c.npy", npy("<f4", &[2, 3, 5, 16], &floats(&values)));
    let codes: Vec<u8> = (0..240).map(|i| (i * 53 % 256) as u8).collect();
    scratch.write("x.npy", npy("|i1", &[1, 3, 5, 16], &codes));
    scratch
}

/// The first output of a run on `x.npy`.
fn outputs(scratch: &Scratch, line: &str) -> Value {
    let done = scratch.strumc(&format!("run {line} --input x.npy --json")).ok();
    let values = serde_json::from_str::<Value>(&done.text()).unwrap()["outputs"][0]["values"].clone();
    assert!(values.as_array().is_some_and(|list| list.len() == 60), "{values}");
    values
}

/// Weights that are rounded for a format are stored in it without loss, and only in it.
#[test]
fn weights_rounded_for_their_storage_lose_nothing() {
    let scratch = sixteen_channels();
    scratch.strumc("quantize net.mlir -c c.npy -o q.mlir -q").ok();
    scratch.strumc("quantize net.mlir -c c.npy -o f.mlir -q --rounding feedback").ok();
    assert_ne!(scratch.read("q.mlir"), scratch.read("f.mlir"));
    for (storage, options) in [
        ("mip2q", "--method mip2q"),
        ("mip2q,L=5,p=0.75", "--method mip2q --L 5 --p 0.75"),
        ("dliq", "--method dliq"),
        ("dliq,shift=channel,q=3", "--method dliq --shift channel --q 3"),
        ("sparse,w=8", "--method sparse --w 8"),
    ] {
        scratch.strumc(&format!("quantize net.mlir -c c.npy -o s.mlir -q --format {storage}")).ok();
        let dense = outputs(&scratch, "s.mlir");
        assert_eq!(outputs(&scratch, &format!("s.mlir {options}")), dense, "{storage}");
        assert_ne!(outputs(&scratch, &format!("q.mlir {options}")), outputs(&scratch, "q.mlir"), "{storage}");
        // The pass does the same.
        let pass = format!("--tosa-quantize=calibration=c.npy format={storage}");
        let arguments = ["net.mlir", &pass, "-o", "p.mlir"];
        run_in(scratch.path(), env!("CARGO_BIN_EXE_strum-opt"), &arguments, &[]).ok();
        assert_eq!(scratch.read("p.mlir"), scratch.read("s.mlir"), "{storage}");
    }
    scratch.strumc("quantize net.mlir -c c.npy -o s.mlir -q --format dense").ok();
    assert_eq!(scratch.read("s.mlir"), scratch.read("f.mlir"));
}

/// A flattened image is read in the order in which its blocks are stored, also from linalg.
#[test]
fn a_whole_network_is_stored_as_it_was_rounded() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet");
    let models = models.display();
    let scratch = Scratch::new();
    for storage in ["sparse", "mip2q", "dliq"] {
        let source = format!("{models}/float.linalg.mlirbc --calibration {models}/calibration.npz");
        scratch.strumc(&format!("quantize {source} -o s.mlirbc -q --format {storage}")).ok();
        let line =
            format!("eval s.mlirbc --inputs {models}/calibration.npz --methods {storage} --limit 4 --json");
        // Remarks list the layers that stay INT8.
        let done = scratch.strumc(&line);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let rows = serde_json::from_str::<Value>(&done.text()).unwrap()["rows"].clone();
        let packed = &rows.as_array().unwrap()[1];
        assert_eq!(packed["name"], storage);
        assert!(packed["weight_sqnr_db"].is_null() && packed["sqnr_db"].is_null(), "{packed}");
    }
}

#[test]
fn rounding_with_feedback_says_what_it_needs() {
    let scratch = sixteen_channels();
    for (options, message) in [
        ("--rounding feedback", "needs --calibration"),
        ("--format mip2q", "needs --calibration"),
        ("-c c.npy --rounding nearest --format mip2q", "contradicts --rounding nearest"),
        ("-c c.npy --rounding feedback --bias-correction", "--bias-correction has no effect"),
        ("-c c.npy --format mip2q --bias-correction", "--bias-correction has no effect"),
        ("-c c.npy --format best", "'best'"),
        ("-c c.npy --format mip2q,q=4", "q"),
        ("-c c.npy --format mip2q,L=9", "L must be 0 to 7"),
        ("-c c.npy --format mip2q,select=activation", "select has no effect"),
        ("-c c.npy --format mip2q,correct=both", "correct has no effect"),
        ("-c c.npy --rounding best", "possible values: nearest, feedback"),
    ] {
        scratch.strumc(&format!("quantize net.mlir -o s.mlir -q {options}")).fails(2, message);
    }
    assert!(!scratch.path().join("s.mlir").exists());
}

/// A layer whose bias and scale corrections are ordinary bias and scale on every level below.
#[test]
fn corrected_layers_compute_what_their_tosa_computes() {
    let scratch = sixteen_channels();
    scratch.strumc("quantize net.mlir -c c.npy -o q.mlir -q").ok();
    let values = |line: &str| outputs(&scratch, line);
    let mut seen = Vec::new();
    for correct in ["none", "bias", "scale", "both"] {
        let packed = values(&format!("q.mlir --method mip2q --select activation --correct {correct}"));
        let passes = format!(
            "builtin.module(func.func(strum-canonicalize,tosa-to-strum,strum-pack{{method=mip2q select=activation \
             correct={correct}}},strum-to-tosa))"
        );
        let arguments = ["q.mlir", "--pass-pipeline", &passes, "-o", "plain.mlir"];
        run_in(scratch.path(), env!("CARGO_BIN_EXE_strum-opt"), &arguments, &[]).ok();
        assert_eq!(packed, values("plain.mlir"), "{correct}");
        seen.push(packed);
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "corrections show");
    // Without calibration there are no input statistics.
    assert_eq!(scratch.strumc("quantize net.mlir -o random.mlir -q").code, Some(0));
    for option in ["--select activation", "--correct bias"] {
        let line = format!("compile random.mlir -o r.dpu --method mip2q {option}");
        scratch.strumc(&line).fails(1, "quantize the network with calibration data");
    }
    scratch.strumc("quantize net.mlir -o r.mlir --bias-correction").fails(2, "needs --calibration");
    scratch.strumc("quantize net.mlir -c c.npy -o b.mlir --bias-correction -q").ok();
    assert_ne!(scratch.read("b.mlir"), scratch.read("q.mlir"));
}

/// Two layers whose channels differ by four powers of ten: 0.01 relu(100 x) + 100 relu(0.01 x).
const UNEVEN: &str = r#"func.func @main(%x: tensor<1x1x8x1xf32>) -> tensor<1x1x8x1xf32> {
  %w1 = "tosa.const"() <{values = dense<[[[[100.0]]], [[[0.01]]]]> : tensor<2x1x1x1xf32>}> : () -> tensor<2x1x1x1xf32>
  %b1 = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %w2 = "tosa.const"() <{values = dense<[[[[0.01, 100.0]]]]> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %b2 = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w1, %b1, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x8x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x8x2xf32>
  %1 = tosa.clamp %0 {min_val = 0.0 : f32, max_val = 3.40282347E+38 : f32} : (tensor<1x1x8x2xf32>) -> tensor<1x1x8x2xf32>
  %2 = tosa.conv2d %1, %w2, %b2, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x8x2xf32>, tensor<1x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x8x1xf32>
  return %2 : tensor<1x1x8x1xf32>
}"#;

#[test]
fn equalization_saves_channels_that_one_scale_would_lose() {
    let scratch = folder();
    scratch.write("uneven.mlir", UNEVEN);
    let values: Vec<f32> = (0u8..32).map(|i| f32::from(i) / 16.0 - 1.0).collect();
    scratch.write("x.npy", npy("<f4", &[4, 8], &floats(&values)));
    let sqnr = |options: &str| -> f64 {
        scratch.strumc(&format!("quantize uneven.mlir -c x.npy -o q.mlir -q {options}")).ok();
        let done = scratch.strumc("eval q.mlir --inputs x.npy --against uneven.mlir --methods dense --json");
        let json: serde_json::Value = serde_json::from_str(&done.ok().text()).unwrap();
        json["rows"][1]["sqnr_db"].as_f64().unwrap()
    };
    // Without it, every channel is lost in one of the layers.
    assert!(sqnr("--weights per-tensor") < 1.0);
    assert!(sqnr("--weights per-tensor --equalize") > 35.0);
    assert!(sqnr("--equalize") > 35.0);
}

#[test]
fn odd_inputs_are_told_or_quantized() {
    let scratch = folder();
    let swap = |name: &str, from: &str, to: &str| {
        assert!(TOSA.contains(from));
        scratch.write(name, TOSA.replace(from, to));
    };
    let fails = |line: &str, code: i32, message: &str| {
        scratch.strumc(&format!("quantize {line} -o bad.mlir")).fails(code, message);
        assert!(!scratch.has("bad.mlir"), "nothing is written after an error");
    };
    // NaN weights, as bits.
    swap("nan.mlir", "dense<[0.1, -0.2]>", "dense<[0x7FC00000, -0.2]>");
    fails("nan.mlir -c c.npy", 1, "not a number");
    // A channel of zeros.
    swap(
        "zero.mlir",
        "[[-1.0], [0.5], [0.25]], [[0.0], [-0.75], [0.5]], [[0.25], [0.0], [1.0]]",
        "[[0.0], [0.0], [0.0]], [[0.0], [0.0], [0.0]], [[0.0], [0.0], [0.0]]",
    );
    scratch.strumc("quantize zero.mlir -c c.npy -o zero.int.mlir -q").ok();
    scratch.strumc("compile zero.int.mlir -o zero.dpu -q").ok();
    // Constant, huge and broken data, none, and of the wrong shape.
    scratch.write("flat.npy", npy("<f4", &[2, 4, 4], &floats(&[0.5; 32])));
    scratch.strumc("quantize tosa.mlir -c flat.npy -o flat.mlir -q").ok();
    scratch.write("huge.npy", npy("<f4", &[1, 4, 4], &floats(&[1e37; 16])));
    scratch.strumc("quantize tosa.mlir -c huge.npy -o huge.mlir -q").ok();
    scratch.write("inf.npy", npy("<f4", &[1, 4, 4], &floats(&[f32::INFINITY; 16])));
    fails("tosa.mlir -c inf.npy", 1, "contains the value inf");
    scratch.write("none.npy", npy("<f4", &[0, 4, 4], &[]));
    fails("tosa.mlir -c none.npy", 1, "contains no samples");
    scratch.write("shape.npy", npy("<f4", &[3, 5, 4], &floats(&[0.0; 60])));
    fails("tosa.mlir -c shape.npy", 1, "[3, 5, 4]");
    scratch.write("empty.npy", []);
    fails("tosa.mlir -c empty.npy", 1, "the file is empty");
    fails("tosa.mlir -c c.npy c.npy", 2, "2 files of calibration data");
    fails("tosa.mlir -c c.npy --percentile 0.1", 2, "no effect");
    // An empty batch, a dynamic dimension, an unknown operator, no function.
    swap("batch.mlir", "tensor<1x1x4x4xf32>", "tensor<0x1x4x4xf32>");
    fails("batch.mlir", 1, "error");
    scratch.write(
        "dynamic.mlir",
        "func.func @main(%x: tensor<1x?xf32>) -> tensor<1x?xf32> { return %x : tensor<1x?xf32> }",
    );
    fails("dynamic.mlir", 3, "has dynamic extents: give its shape (--input-shape)");
    scratch.write("sin.mlir", "func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {\n  %y = tosa.sin %x : (tensor<1x4xf32>) -> tensor<1x4xf32>\n  return %y : tensor<1x4xf32>\n}");
    fails("sin.mlir -c c.npy", 3, "sin.mlir:2:8");
    scratch.write("module.mlir", "module {}");
    fails("module.mlir", 1, "no function");
    scratch.write("two.mlir", format!("{TOSA}\n{}", TOSA.replace("@main", "@unused")));
    scratch.strumc("quantize two.mlir -c c.npy -o two.int.mlir -q").ok();
    // The statistics of a batch normalization as arguments.
    scratch.write("outside.mlir", "func.func @main(%x: tensor<1x4xf32>, %mean: tensor<4xf32>) -> tensor<1x4xf32> { return %x : tensor<1x4xf32> }");
    fails("outside.mlir", 1, "looks like a parameter");
}

#[test]
fn an_integer_network_is_told_as_an_object_too() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", TOSA);
    assert_eq!(scratch.strumc("quantize net.mlir -o int.mlir --quiet").code, Some(0));
    let text = scratch.strumc("quantize int.mlir -o same.mlir --json");
    let told: Value = serde_json::from_str(&text.text()).unwrap();
    assert_eq!(told["already_integer"], true);
    assert_eq!(told["inputs"][0]["shape"], serde_json::json!([1, 1, 4, 4]));
    assert!(told["outputs"][0]["scale"].as_f64().unwrap() > 0.0, "{told}");
    let read = |name: &str| std::fs::read(scratch.path().join(name)).unwrap();
    assert_eq!(read("int.mlir"), read("same.mlir"));
    scratch.strumc("quantize net.mlir -o - --json").fails(2, "standard output");
    scratch.strumc("quantize net.mlir -o none/int.mlir").fails(1, "none/int.mlir");
}

#[test]
fn sums_that_could_leave_32_bits_are_refused() {
    let scratch = Scratch::new();
    let net = |n: u64| {
        format!(
            "func.func @main(%a: tensor<1x1x{n}xf32>, %b: tensor<1x{n}x1xf32>) -> tensor<1x1x1xf32> {{\n\
             %z = \"tosa.const\"() <{{values = dense<0.0> : tensor<1xf32>}}> : () -> tensor<1xf32>\n\
             %0 = tosa.matmul %a, %b, %z, %z : (tensor<1x1x{n}xf32>, tensor<1x{n}x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>\n\
             return %0 : tensor<1x1x1xf32> }}"
        )
    };
    // Codes of values of both signs are up to about 128 from that of 0; 2^31 / 128^2 is 131,072.
    scratch.write("few.mlir", net(100_000));
    assert_eq!(scratch.strumc("quantize few.mlir -o few.int.mlir --quiet").code, Some(0));
    scratch.write("many.mlir", net(150_000));
    let error = scratch.strumc("quantize many.mlir -o many.int.mlir --quiet");
    error.fails(3, "a sum of 150000 terms");
    assert!(!scratch.path().join("many.int.mlir").exists());
}
