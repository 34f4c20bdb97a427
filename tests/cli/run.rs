//! `strumc run`: networks and programs on tensors.

use crate::common::{Scratch, WEIGHTS, bytes, expected, i32s, npy, read_npy, rescaled};

/// The outputs of `NETWORK`, read back from two files.
fn outputs(scratch: &Scratch, first: &str, second: &str) -> (Vec<i32>, Vec<u8>) {
    let (small, wide) = (read_npy(&scratch.read(first)), read_npy(&scratch.read(second)));
    assert_eq!((small.0.as_str(), wide.0.as_str()), ("|i1", "<i4"));
    (i32s(&wide.1), small.1)
}

#[test]
fn a_network_is_computed_exactly() {
    let scratch = Scratch::new();
    let done = scratch.strumc("run net.mlir --input x.npy --output a.npy b.npy").ok();
    let want = expected(&WEIGHTS);
    assert_eq!(outputs(&scratch, "a.npy", "b.npy"), (want.clone(), bytes(&rescaled(&want))));
    let text = done.text();
    assert!(text.starts_with("cycles  "), "{text}");
    assert!(text.contains("output  out0 i8[1, 4, 4, 2]: "), "{text}");
    assert!(text.contains(" …\noutput  out1 i32[1, 4, 4, 2]: "), "{text}");
}

#[test]
fn packed_weights_are_computed_as_they_decode() {
    let scratch = Scratch::new();
    let decoded = [
        // Ten of these are powers of two or near one; the eight that lose least become low.
        [1, -2, 4, -4, 5, -6, 8, -8, 9, -10, 11, -12, 13, -14, 16, -16],
        [-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50],
    ];
    scratch.strumc("run net.mlir --input x.npy --output out1=b.npy -q --method mip2q").ok();
    let got = i32s(&read_npy(&scratch.read("b.npy")).1);
    let second = |values: &[i32]| values.iter().skip(1).step_by(2).copied().collect::<Vec<_>>();
    assert_eq!(second(&got), second(&expected(&decoded)));
}

#[test]
fn tensors_go_by_name_and_into_archives() {
    let scratch = Scratch::new();
    scratch.strumc("run net.mlir --input arg0=x.npy --output out1=b.npy --output a.npy -q").ok();
    let want = expected(&WEIGHTS);
    assert_eq!(outputs(&scratch, "a.npy", "b.npy").0, want);
    scratch.strumc("run net.mlir --input x.npy --output out0=y.npz:first out1=y.npz -q").ok();
    // The archive is an input again: of a network that takes what it holds.
    scratch.write(
        "id.mlir",
        "func.func @f(%x: tensor<1x4x4x2xi32>) -> tensor<1x4x4x2xi32> { return %x : tensor<1x4x4x2xi32> }",
    );
    scratch.strumc("run id.mlir --input y.npz:out1 --output again.npy -q").ok();
    assert_eq!(i32s(&read_npy(&scratch.read("again.npy")).1), want);
    let message = "y.npz: has no array 'second'; it has 'first', 'out1'";
    scratch.strumc("run id.mlir --input y.npz:second").fails(1, message);
}

#[test]
fn a_compiled_program_runs_as_well() {
    let scratch = Scratch::new();
    scratch.compile("--method mip2q");
    scratch.strumc("run net.dpu --input x.npy --output a.npy b.npy -q").ok();
    let program = outputs(&scratch, "a.npy", "b.npy");
    scratch.strumc("run net.mlir --input x.npy --output a.npy b.npy -q --method mip2q").ok();
    assert_eq!(outputs(&scratch, "a.npy", "b.npy"), program);
    scratch
        .strumc("run net.dpu --input x.npy --method mip2q")
        .fails(2, "--method has no effect: 'net.dpu' is compiled");
    scratch.strumc("run net.dpu --input x.npy --machine flexnn-4x4").fails(1, "");
}

#[test]
fn the_summary_is_one_json_object_when_asked_for() {
    let scratch = Scratch::new();
    let done = scratch.strumc("run net.mlir --input x.npy --json --report r.json").ok();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(json["macs"], 512);
    assert!(json["cycles"].as_u64() > Some(0) && json["ms"].as_f64() > Some(0.0));
    assert!(json["bytes"]["dram_read"].as_u64() > Some(256));
    assert_eq!(json["outputs"][1]["name"], "out1");
    assert_eq!(json["outputs"][1]["values"], serde_json::json!(expected(&WEIGHTS)));
    let report: serde_json::Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    assert_eq!(report["cycles"], json["cycles"]);
    assert_eq!(report["layers"].as_array().map(|layers| layers.is_empty()), Some(false));
}

#[test]
fn a_batch_is_computed_sample_by_sample() {
    let scratch = Scratch::new();
    let one = read_npy(&scratch.read("x.npy")).1;
    let other: Vec<u8> = one.iter().rev().copied().collect();
    let samples = [&one[..], &other, &one, &other, &one].concat();
    scratch.write("many.npy", npy("|i1", &[5, 4, 4, 16], &samples));
    scratch.write("other.npy", npy("|i1", &[1, 4, 4, 16], &other));
    scratch.strumc("run net.mlir --input x.npy --output a.npy b.npy -q").ok();
    scratch.strumc("run net.mlir --input other.npy --output c.npy d.npy -q").ok();
    for more in ["--jobs 1", "--jobs 2", "--golden", "--no-checks"] {
        let line = format!("run net.mlir --input many.npy --output y.npy z.npy --report r.json {more}");
        let text = scratch.strumc(&line).ok().text();
        assert!(text.contains("samples 5, each with these counts; simulated "), "{text}");
        for (all, first, second) in [("y.npy", "a.npy", "c.npy"), ("z.npy", "b.npy", "d.npy")] {
            let [all, a, b] = [all, first, second].map(|name| read_npy(&scratch.read(name)).1);
            assert_eq!(all, [&a[..], &b, &a, &b, &a].concat(), "{more}");
        }
        let report: serde_json::Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
        assert_eq!(report["samples"], 5);
    }
    let done = scratch.strumc("run net.mlir --input many.npy --json").ok();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&json["samples"], &json["macs"]), (&5.into(), &512.into()));
    assert!(json["outputs"][1]["values"].is_null());
    scratch.strumc("run net.mlir --input many.npy --output y.npz").fails(2, "go to .npy files");
    scratch.strumc("run net.mlir --input many.npy --fuel 10").fails(4, "sample 0: out of fuel");
    scratch.strumc("run net.mlir --input many.npy --jobs 0").fails(2, "--jobs");
}

#[test]
fn layers_are_listed_when_asked_for() {
    let text = Scratch::new().strumc("run net.mlir --input x.npy --layers").ok().text();
    assert!(text.lines().any(|line| line.starts_with("0.conv2d ")), "{text}");
}

#[test]
fn slowest_and_filtered_layers_are_listed() {
    let scratch = Scratch::new();
    let network =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist_lenet/model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("lenet.mlirbc")).unwrap();
    scratch.strumc("compile lenet.mlirbc -o lenet.dpu -q").ok();
    let names = |options: &str| -> Vec<String> {
        let text = scratch.strumc(&format!("run lenet.dpu --timing-only {options}")).ok().text();
        let layers = text
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains("layers"));
        layers.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    assert_eq!(names("--layers").len(), 6);
    assert_eq!(names("--slowest 1"), ["4.conv2d"]);
    assert_eq!(names("--filter POOL"), ["1.max_pool2d", "3.max_pool2d"]);
    assert_eq!(names("--filter pool --slowest 1").len(), 1);
    let text = scratch.strumc("run lenet.dpu --timing-only --filter q8").ok().text();
    assert!(text.contains("no layer has 'q8' in its name, op, source, weight format or bound"), "{text}");
}

#[test]
fn inputs_must_be_what_the_network_takes() {
    let scratch = Scratch::new();
    scratch.write("shape.npy", npy("|i1", &[1, 4, 16, 4], &[0; 256]));
    scratch.write("type.npy", npy("<i4", &[1, 4, 4, 16], &[0; 1024]));
    scratch.write("float.npy", npy("<f4", &[1, 4, 4, 16], &[0; 1024]));
    scratch.write("short.npy", npy("|i1", &[1, 4, 4, 16], &[0; 255]));
    scratch.write("empty.npy", "");
    scratch.write("huge.npy", npy("|i1", &[1 << 40, 1 << 40], &[]));
    scratch.write("text.npy", "1 2 3");
    std::fs::create_dir(scratch.path().join("folder.npy")).unwrap();
    for (file, message) in [
        ("shape.npy", "expected shape [1, 4, 4, 16], got [1, 4, 16, 4]"),
        ("type.npy", "expected int8, got int32"),
        ("float.npy", "expected integers"),
        ("short.npy", "255 bytes of data"),
        ("empty.npy", "the file is empty"),
        ("huge.npy", "elements or more"),
        ("text.npy", "not an .npy file"),
        ("none.npy", "none.npy: No such file"),
        ("folder.npy", "folder.npy: a folder without images"),
    ] {
        scratch.strumc(&format!("run net.mlir --input {file} --output y.npy")).fails(1, message);
    }
    assert!(!scratch.has("y.npy"));
}

#[test]
fn outputs_that_cannot_be_written_are_named() {
    let scratch = Scratch::new();
    scratch.strumc("run net.mlir --input x.npy --output no/folder/y.npy").fails(1, "no/folder");
    scratch.strumc("run net.mlir --input x.npy --output a.npy no/folder/y.npy").fails(1, "no/folder");
    assert_eq!(scratch.names(), ["net.mlir", "x.npy"]);
    scratch.strumc("run net.mlir --input x.npy --report no/folder/r.json").fails(1, "no/folder");
}

#[test]
fn little_fuel_is_a_limit() {
    let done = Scratch::new().strumc("run net.mlir --input x.npy --fuel 10").fails(4, "out of fuel");
    assert!(done.stderr.contains("help: --fuel sets the limit"), "{done:?}");
}

/// An index that comes with the inputs is their fault, not the program's.
#[test]
fn values_without_a_result_are_the_inputs_fault() {
    let scratch = Scratch::new();
    scratch.write(
        "rows.mlir",
        "func.func @main(%x: tensor<1x4x2xi8>, %i: tensor<1x2xi32>, %b: tensor<2xi1>) -> (tensor<1x2x2xi8>, tensor<2xi1>) {
  %0 = tosa.gather %x, %i : (tensor<1x4x2xi8>, tensor<1x2xi32>) -> tensor<1x2x2xi8>
  %1 = tosa.logical_not %b : (tensor<2xi1>) -> tensor<2xi1>
  return %0, %1 : tensor<1x2x2xi8>, tensor<2xi1>
}",
    );
    scratch.write("x.npy", npy("|i1", &[1, 4, 2], &[0, 1, 2, 3, 4, 5, 6, 7]));
    let indices = |values: [i32; 2]| npy("<i4", &[1, 2], &values.map(i32::to_le_bytes).concat());
    scratch.write("i.npy", indices([3, 4]));
    scratch.write("b.npy", npy("|b1", &[2], &[1, 0]));
    let run = "run rows.mlir --input x.npy i.npy b.npy --output y.npy z.npy -q";
    let done = scratch.strumc(run).fails(1, "undefined result: index 4 is outside 0..4");
    assert!(done.stderr.contains("gather') at rows.mlir:2:8"), "{done:?}");
    assert!(
        done.stderr
            .ends_with("help: the value comes from the inputs, and the operator has no result for it\n")
    );
    scratch.write("i.npy", indices([3, 0]));
    scratch.strumc(run).ok();
    assert_eq!(read_npy(&scratch.read("y.npy")).1, [6, 7, 0, 1]);
    assert_eq!(read_npy(&scratch.read("z.npy")), ("|b1".to_owned(), vec![0, 1]));
    scratch.write("b.npy", npy("|i1", &[2], &[1, 2]));
    scratch.strumc(run).fails(1, "expected bool, got int8 with the value 2");
}
