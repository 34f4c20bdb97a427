//! Networks in TFLite and ONNX files through every command: `models/small`, which `make.py` there writes.

use crate::common::{Done, Scratch, npy, read_npy};

/// A folder with the networks, and inputs for them.
pub(crate) fn networks() -> Scratch {
    let scratch = Scratch::new();
    for name in ["int8.tflite", "edges.tflite", "uint8.tflite", "refused.tflite", "float.onnx"] {
        let path = format!("{}/models/small/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(path, scratch.path().join(name)).unwrap();
    }
    let codes: Vec<u8> = (0..256).map(|i| ((i * 37 % 251 - 125) as i8).cast_unsigned()).collect();
    scratch.write("codes.npy", npy("|i1", &[1, 4, 4, 16], &codes));
    scratch.write("reals.npy", npy("<f4", &[1, 4, 4, 16], &floats(codes.iter().map(|&c| value(c)))));
    let pixels = floats((0..2 * 4 * 36).map(|i| (i * 29 % 41 - 20) as f32 / 16.0));
    scratch.write("pixels.npy", npy("<f4", &[2, 4, 6, 6], &pixels));
    scratch
}

/// What a code of the image stands for.
fn value(code: u8) -> f32 {
    0.5 * f32::from(i16::from(code.cast_signed()) + 1)
}

fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

fn f32s(data: &[u8]) -> Vec<f32> {
    data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The convolution of `int8.tflite` on `codes.npy`, by TFLite's definition with exact arithmetic: 8 · (code + 128) is the result.
fn expected() -> Vec<i8> {
    let image = |y: i32, x: i32, c: i32| -> i64 {
        let inside = (0..4).contains(&y) && (0..4).contains(&x);
        if inside { i64::from(((y * 4 + x) * 16 + c) * 37 % 251 - 125 + 1) } else { 0 }
    };
    let scales = [0.02_f32, 0.03, 0.04].map(|s| f64::from(0.5_f32 * s) / 8.0);
    let mut codes = Vec::new();
    for (y, x) in (0..4).flat_map(|y| (0..4).map(move |x| (y, x))) {
        for (o, scale) in (0..3).zip(scales) {
            let mut sum = i64::from(o * 7 - 5);
            for (ky, kx, c) in
                (0..3).flat_map(|ky| (0..3).flat_map(move |kx| (0..16).map(move |c| (ky, kx, c))))
            {
                let weight = i64::from((((o * 3 + ky) * 3 + kx) * 16 + c) * 37 % 251 - 125);
                sum += weight * image(y + ky - 1, x + kx - 1, c);
            }
            let code = (sum as f64 * scale).round() - 128.0;
            codes.push(code.clamp(-128.0, 127.0) as i8);
        }
    }
    codes
}

/// Success; a note on the batch is allowed.
#[track_caller]
fn noted(done: Done) -> Done {
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.lines().all(|line| line.contains(": note: ")), "{done:?}");
    done
}

#[test]
fn a_tflite_file_runs_by_one_command_with_codes_and_with_real_numbers() {
    let scratch = networks();
    let done = noted(scratch.strumc("run int8.tflite --input codes.npy --output y.npy"));
    assert_eq!(done.stderr.matches("note: ").count(), 1, "{}", done.stderr);
    let (descr, codes) = read_npy(&scratch.read("y.npy"));
    assert_eq!(descr, "|i1");
    let codes: Vec<i8> = codes.iter().map(|c| c.cast_signed()).collect();
    // TFLite's multipliers have 31 bits, so that a half may go the other way.
    let far =
        codes.iter().zip(expected()).filter(|(a, b)| i16::from(**a).abs_diff(i16::from(*b)) > 1).count();
    let same = codes.iter().zip(expected()).filter(|(a, b)| **a == *b).count();
    assert!(far == 0 && same >= 46, "{codes:?}");
    assert!(codes.iter().any(|&c| c > -128));
    let done = noted(scratch.strumc("run int8.tflite --input reals.npy --output r.npy --real -q"));
    assert!(done.stderr.is_empty(), "{done:?}");
    let (descr, reals) = read_npy(&scratch.read("r.npy"));
    assert_eq!(descr, "<f4");
    let wanted: Vec<f32> = codes.iter().map(|&c| 8.0 * (f32::from(c) + 128.0)).collect();
    assert_eq!(f32s(&reals), wanted);
    // The scales are in the binary.
    noted(scratch.strumc("compile int8.tflite -o net.dpu -q"));
    scratch.strumc("run net.dpu --input image=reals.npy --output scores=s.npy --real").ok();
    assert_eq!(scratch.read("s.npy"), scratch.read("r.npy"));
    let text = scratch.strumc("run net.dpu --input reals.npy --real").ok().text();
    assert!(text.contains(&format!("output  scores f32[1, 4, 4, 3]: {} ", wanted[0])), "{text}");
}

#[test]
fn floats_at_the_edges_of_a_file_are_the_scales_of_its_inputs_and_outputs() {
    let scratch = networks();
    noted(scratch.strumc("run int8.tflite --input reals.npy --output a.npy --real -q"));
    noted(scratch.strumc("run edges.tflite --input reals.npy --output b.npy --real -q"));
    assert_eq!(scratch.read("a.npy"), scratch.read("b.npy"));
}

#[test]
fn networks_come_from_standard_input_and_by_content_whatever_their_name() {
    let scratch = networks();
    let bytes = scratch.read("int8.tflite");
    scratch.write("net.mlir", &bytes);
    noted(scratch.strumc("compile net.mlir -o a.dpu -q"));
    let line = ["compile", "-", "-o", "b.dpu", "-q"];
    let done = crate::common::run_in(scratch.path(), crate::common::STRUMC, &line, &bytes);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(scratch.read("a.dpu"), scratch.read("b.dpu"));
}

#[test]
fn a_batch_and_shapes_are_given_where_the_file_leaves_them_open() {
    let scratch = networks();
    noted(scratch.strumc("compile int8.tflite -o a.dpu --batch 2")).ok();
    let text = scratch.translate("--dpu-to-asm a.dpu").ok().text();
    assert!(text.contains(".input \"image\" i8 [2, 4, 4, 16]"), "{text}");
    noted(scratch.strumc("compile int8.tflite -o b.dpu --input-shape image=2x4x4x16 -q"));
    assert_eq!(scratch.read("a.dpu"), scratch.read("b.dpu"));
    scratch.strumc("compile int8.tflite -o c.dpu --input-shape 2x4x4").fails(2, "");
    scratch.write("open.mlir", OPEN);
    let done = noted(scratch.strumc("compile open.mlir -o d.dpu"));
    assert_eq!(done.stderr, "open.mlir: note: unknown first extent of 'arg0' taken as 1 (--batch)\n");
    scratch.strumc("compile open.mlir -o d.dpu --batch 3").ok();
    let text = scratch.translate("--dpu-to-asm d.dpu").ok().text();
    assert!(text.contains(".input \"arg0\" i8 [3, 4]"), "{text}");
    scratch.write("closed.mlir", OPEN.replace('?', "1"));
    let refused = "batch 3 has no effect: no argument has a dynamic first extent";
    scratch.strumc("compile closed.mlir -o d.dpu --batch 3").fails(2, refused);
    // The shape that a file has may be given, and no other in place of it.
    scratch.strumc("compile closed.mlir -o d.dpu --input-shape 1x4").ok();
    let refused = "input 'arg0' has the shape 1x4, and 3x4 is given";
    scratch.strumc("compile closed.mlir -o d.dpu --input-shape 3x4").fails(2, refused);
    scratch.strumc("check uint8.tflite -q --input-shape a=1x2x2x4").ok();
    let refused = "--input-shape: the shape of the input 'a' is 1x2x2x4";
    scratch.strumc("check uint8.tflite --input-shape a=2x2x2x4").fails(2, refused);
}

#[test]
fn unsigned_bytes_go_in_and_out_as_the_file_has_them() {
    let scratch = networks();
    let a: Vec<u8> = (0..16).map(|i| i * 17).collect();
    let b: Vec<u8> = (0..16).map(|i| 255 - i * 16).collect();
    scratch.write("a.npy", npy("|u1", &[1, 2, 2, 4], &a));
    scratch.write("b.npy", npy("|u1", &[1, 2, 2, 4], &b));
    scratch.strumc("run uint8.tflite --input a.npy b.npy --output y.npy -q").ok();
    let wanted: Vec<u8> = a.iter().zip(&b).map(|(a, b)| *a.max(b)).collect();
    assert_eq!(read_npy(&scratch.read("y.npy")), ("|u1".into(), wanted.clone()));
    scratch.strumc("run uint8.tflite --input a.npy b.npy --output y.npy -q --real").ok();
    let reals: Vec<f32> = wanted.iter().map(|&c| 0.25 * (f32::from(c) - 100.0)).collect();
    assert_eq!(f32s(&read_npy(&scratch.read("y.npy")).1), reals);
}

#[test]
fn a_float_network_is_refused_with_the_command_that_quantizes_it_and_evaluated_as_it_is() {
    let scratch = networks();
    for line in [
        "compile float.onnx -o n.dpu",
        "run float.onnx --input pixels.npy",
        "compare float.onnx --input pixels.npy",
        "eval float.onnx --inputs pixels.npy",
    ] {
        let done =
            scratch.strumc(line).fails(3, "float.onnx: a float network, which must be quantized first");
        let help = "help: strumc quantize float.onnx --calibration SAMPLES.npy -o q.mlir";
        assert!(done.stderr.contains(help) && done.stderr.lines().count() <= 3, "{done:?}");
    }
    let text = noted(scratch.strumc("run float.onnx --float --input pixels.npy --output y.npy")).text();
    let (descr, data) = read_npy(&scratch.read("y.npy"));
    let float = f32s(&data);
    assert_eq!((descr.as_str(), float.len()), ("<f4", 6));
    assert!(text.starts_with("output  scores f32[2, 3]: "), "{text}");
    noted(scratch.strumc("quantize float.onnx --calibration pixels.npy -o q.mlir -q"));
    scratch.strumc("run q.mlir --input pixels.npy --output z.npy --real -q").ok();
    let codes = f32s(&read_npy(&scratch.read("z.npy")).1);
    assert!(float.iter().zip(&codes).all(|(a, b)| (a - b).abs() < 0.1), "{float:?} {codes:?}");
    let refused = "--float has no effect: 'q.mlir' is an integer network";
    scratch.strumc("run q.mlir --float --input pixels.npy").fails(2, refused);
    let refused = "--method has no effect with --float: nothing is compiled";
    scratch.strumc("run float.onnx --float --input pixels.npy --method mip2q").fails(2, refused);
    let refused = "--reset-states has no effect: the network has no state";
    scratch.strumc("run float.onnx --float --input pixels.npy --reset-states").fails(2, refused);
}

#[test]
fn what_is_not_supported_has_one_message_that_names_the_operator() {
    let scratch = networks();
    let done = scratch
        .strumc("compile refused.tflite -o n.dpu")
        .fails(3, "refused.tflite: SIGN 'first' (operator 1): SIGN is not supported");
    assert!(done.stderr.contains("(and 1 more)"), "{done:?}");
    let done = scratch.strumc("check refused.tflite");
    assert_eq!(done.code, Some(3));
    assert!(done.text().contains("SIGN") && done.text().contains("not supported: "), "{done:?}");
    let row =
        |text: &str| text.lines().any(|line| line.starts_with("CONV_2D") && line.ends_with("supported"));
    assert!(row(&done.text()), "{done:?}");
    assert!(done.stderr.ends_with("refused.tflite: 2 operators are not supported\n"), "{done:?}");
    noted(scratch.strumc("compile refused.tflite -o n.dpu --cut scores"));
    let text = noted(scratch.strumc("check refused.tflite --cut scores")).text();
    assert!(
        text.lines().any(|line| line.contains("SIGN") && line.contains('2') && line.ends_with("cut")),
        "{text}"
    );
}

#[test]
fn other_files_are_named() {
    let scratch = networks();
    scratch.write("net.h5", b"\x89HDF\r\n\x1a\n");
    let message = "net.h5: an HDF5 file, as Keras saves networks: a network is a TFLite, ONNX or MLIR file";
    scratch.strumc("compile net.h5 -o n.dpu").fails(1, message);
    scratch.write("net.pt", b"PK\x03\x04rest");
    scratch
        .strumc("compile net.pt -o n.dpu")
        .fails(1, "net.pt: an archive, as PyTorch and Keras save networks");
    scratch.write("net.pth", b"\x80\x02}q");
    scratch.strumc("compile net.pth -o n.dpu").fails(1, "net.pth: a pickle, as PyTorch saves weights");
    scratch.strumc("compile x.npy -o n.dpu").fails(1, "x.npy: an array of numpy");
    scratch.write("noise.onnx", b"\x8a\xff\x00\x01 noise");
    scratch.strumc("check noise.onnx").fails(1, "noise.onnx: a binary file of another kind");
}

#[test]
fn bytecode_of_a_newer_mlir_is_named() {
    let scratch = networks();
    let path = format!("{}/models/mnist_lenet/model.tosa.mlirbc", env!("CARGO_MANIFEST_DIR"));
    let mut bytes = std::fs::read(path).unwrap();
    let version = bytes.windows(4).position(|w| w == b"LLVM" || w == b"MLIR").unwrap() + 4;
    bytes[version..version + 2].copy_from_slice(b"99");
    scratch.write("read.mlirbc", &bytes);
    scratch.strumc("compile read.mlirbc -o n.dpu -q").ok();
    bytes.truncate(2000);
    scratch.write("net.mlirbc", &bytes);
    let done = scratch.strumc("compile net.mlirbc -o n.dpu").fails(1, "note: the bytecode was written by ");
    assert!(
        done.stderr.contains("99") && done.stderr.contains(": export text, or with an older version"),
        "{done:?}"
    );
}

#[test]
fn other_formats_are_translated_to_modules() {
    let scratch = networks();
    let done = noted(scratch.translate("--tflite-to-mlir int8.tflite"));
    let text = done.text();
    assert!(text.contains("tosa.conv2d") && text.contains("loc(\"scores\")"), "{text}");
    noted(scratch.translate("--tflite-to-mlir int8.tflite -o a.mlirbc"));
    noted(scratch.strumc("compile a.mlirbc -o a.dpu -q"));
    noted(scratch.strumc("compile int8.tflite -o b.dpu -q"));
    let code = |name: &str| {
        let text = scratch.translate(&format!("--dpu-to-asm {name}")).ok().text();
        text.split(".code").nth(1).unwrap().to_owned()
    };
    assert_eq!(code("a.dpu"), code("b.dpu"));
    let text = noted(scratch.translate("--onnx-to-mlir float.onnx --no-locations")).text();
    assert!(text.contains("xf32>") && !text.contains("loc("), "{text}");
    scratch.translate("--onnx-to-mlir int8.tflite").fails(1, "int8.tflite: not ONNX but TFLite");
    scratch.translate("--tflite-to-mlir net.mlir").fails(1, "net.mlir: not a TFLite file");
    let refused = "--cut has no effect: no TFLite or ONNX file is translated";
    scratch.translate("--dpu-to-asm a.dpu --cut x").fails(2, refused);
}

#[test]
fn a_network_is_checked_against_a_budget() {
    let scratch = networks();
    let done = noted(scratch.strumc("check int8.tflite"));
    assert_eq!(done.stderr, "int8.tflite: note: the batch of 'image' is unknown and taken as 1\n");
    let text = done.text();
    let row = text.lines().find(|line| line.contains("CONV_2D")).unwrap();
    assert!(row.contains('1') && row.trim_end().ends_with("DPU"), "{text}");
    let cycles: u64 =
        text.lines().find_map(|line| line.strip_prefix("cycles")).unwrap().trim().parse().unwrap();
    noted(scratch.strumc(&format!("check int8.tflite -q --max-cycles {cycles} --max-bytes 432")));
    let done = scratch.strumc(&format!("check int8.tflite -q --max-cycles {} --max-bytes 431", cycles - 1));
    let (less, name) = (cycles - 1, "int8.tflite");
    let both =
        format!("{name}: {cycles} cycles, the budget is {less}; 432 bytes of weights, the budget is 431");
    done.fails(4, &both);
    scratch.write(
        "many.npy",
        npy("|i1", &[3, 4, 4, 16], &(0..768).map(|i| (i * 53 % 256) as u8).collect::<Vec<_>>()),
    );
    let line = "check int8.tflite -q --method mip2q --inputs many.npy --min-agreement";
    noted(scratch.strumc(&format!("{line} 0")));
    let json = noted(scratch.strumc(&format!("{} 0 --json", line.replace(" -q", "")))).text();
    assert!(json.contains("\"agreement\":") && json.contains("\"place\":\"DPU\""), "{json}");
    let refused = "--min-agreement has no effect without --method: plain INT8 agrees with itself";
    scratch.strumc("check int8.tflite --inputs many.npy --min-agreement 99").fails(2, refused);
    scratch
        .strumc("check int8.tflite --method mip2q --inputs many.npy --min-agreement 101")
        .fails(2, "expected a number from 0 to 100");
    scratch
        .strumc("check net.mlir --method mip2q --inputs x.npy --min-agreement 9")
        .fails(2, "--min-agreement is for networks with one output");
    scratch.compile("");
    scratch.strumc("check net.dpu").fails(1, "net.dpu: a compiled program");
}

#[test]
fn operators_of_mlir_and_of_float_networks_are_placed() {
    let scratch = networks();
    let text = scratch.strumc(&format!("check {}/net.mlir", scratch.path().display())).ok().text();
    assert!(
        text.lines().any(|line| line.contains("tosa.conv2d") && line.trim_end().ends_with("DPU")),
        "{text}"
    );
    let text = noted(scratch.strumc("check float.onnx")).text();
    assert!(text.lines().any(|line| line.contains("Conv") && line.trim_end().ends_with("DPU")), "{text}");
    assert!(text.contains("strumc quantize makes the integer network"), "{text}");
    let line = "check float.onnx --method mip2q --inputs pixels.npy --min-agreement 9";
    scratch.strumc(line).fails(2, "--min-agreement needs an integer network: strumc quantize makes one");
    let net = "func.func @main(%x: tensor<1x4xi8>) -> tensor<1x4xi8> {\n\
               %0 = tosa.custom %x {domain_name = \"acme\", implementation_attrs = \"\", operator_name = \"sort\"} : (tensor<1x4xi8>) -> tensor<1x4xi8>\n\
               %1 = tosa.custom %0 {domain_name = \"acme\", implementation_attrs = \"\", operator_name = \"sort\"} : (tensor<1x4xi8>) -> tensor<1x4xi8>\n\
               %2 = tosa.identity %1 : (tensor<1x4xi8>) -> tensor<1x4xi8>\nreturn %2 : tensor<1x4xi8>\n}\n";
    scratch.write("custom.mlir", net);
    let done = scratch.strumc("check custom.mlir");
    assert_eq!(done.code, Some(3), "{done:?}");
    let text = done.text();
    let row = text.lines().find(|line| line.contains("tosa.custom")).unwrap();
    assert!(row.contains(" 2 ") && row.contains("not supported: "), "{text}");
    assert!(
        text.lines().any(|line| line.contains("tosa.identity") && line.trim_end().ends_with("supported")),
        "{text}"
    );
}

/// A network whose batch is open.
pub(crate) const OPEN: &str = "func.func @main(%x: tensor<?x4xi8>) -> tensor<?x4xi8> {\n\
    %0 = tosa.identity %x : (tensor<?x4xi8>) -> tensor<?x4xi8>\nreturn %0 : tensor<?x4xi8>\n}\n";

/// A network with a state: the output is the largest value so far.
pub(crate) const LARGEST: &str = "func.func @main(%x: tensor<1x4xi32> {tosa.tensor_name = \"x\"}, \
    %s: tensor<1x4xi32> {tosa.tensor_name = \"state\"}) -> (tensor<1x4xi32> {tosa.tensor_name = \"y\"}, \
    tensor<1x4xi32> {tosa.tensor_name = \"next\"}) attributes {strum.states = array<i32: -1, 1>, \
    strum.initial_states = array<i32: 0, -9>} {\n\
    %0 = tosa.maximum %x, %s : (tensor<1x4xi32>, tensor<1x4xi32>) -> tensor<1x4xi32>\n\
    return %0, %0 : tensor<1x4xi32>, tensor<1x4xi32>\n}\n";

#[test]
fn samples_of_a_network_with_states_are_a_sequence() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", LARGEST);
    let codes = |list: &[i32]| -> Vec<u8> { list.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let samples = [-20, 1, -9, 3, 5, -50, 7, 2, 4, 0, 6, 9];
    scratch.write("s.npy", npy("<i4", &[3, 4], &codes(&samples)));
    let sequence = codes(&[-9, 1, -9, 3, 5, 1, 7, 3, 5, 1, 7, 9]);
    scratch.compile("");
    for (line, wanted) in [
        ("run net.mlir --input s.npy --output y.npy -q", &sequence),
        ("run net.dpu --input s.npy --output y.npy -q --jobs 2", &sequence),
        ("run net.dpu --input x=s.npy --output y=y.npy -q --golden", &sequence),
        ("run net.dpu --input s.npy --output y.npy -q --reset-states", &codes(&samples.map(|v| v.max(-9)))),
    ] {
        scratch.strumc(line).ok();
        assert_eq!(&read_npy(&scratch.read("y.npy")).1, wanted, "{line}");
    }
    // A state that is given is the first one.
    scratch.write("one.npy", npy("<i4", &[1, 4], &codes(&[0; 4])));
    scratch.write("first.npy", npy("<i4", &[1, 4], &codes(&[1, 2, -3, -4])));
    scratch.strumc("run net.dpu --input one.npy state=first.npy --output next=n.npy -q").ok();
    assert_eq!(read_npy(&scratch.read("n.npy")).1, codes(&[1, 2, 0, 0]));
    // The binary and its other forms keep the states.
    scratch.write("net.asm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
    scratch.translate("--asm-to-dpu net.asm -o again.dpu").ok();
    assert_eq!(scratch.read("again.dpu"), scratch.read("net.dpu"));
    scratch.write("back.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
    scratch.translate("--mlir-to-dpu back.mlir -o again.dpu").ok();
    assert_eq!(scratch.read("again.dpu"), scratch.read("net.dpu"));
}

#[test]
fn states_of_a_float_network_are_carried_from_sample_to_sample() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", LARGEST.replace("i32>", "f32>"));
    let samples = [-20.0, 1.0, -9.0, 3.0, 5.5, -50.0, 7.0, 2.0, 4.0, 0.0, 6.0, 9.0];
    scratch.write("s.npy", npy("<f4", &[3, 4], &floats(samples.into_iter())));
    scratch.write("first.npy", npy("<f4", &[1, 4], &floats([8.0; 4].into_iter())));
    let outputs = |line: &str| {
        scratch.strumc(&format!("run net.mlir --float --output y=y.npy -q {line}")).ok();
        f32s(&read_npy(&scratch.read("y.npy")).1)
    };
    let sequence = [-9.0, 1.0, -9.0, 3.0, 5.5, 1.0, 7.0, 3.0, 5.5, 1.0, 7.0, 9.0];
    assert_eq!(outputs("--input s.npy"), sequence);
    assert_eq!(outputs("--input x=s.npy --reset-states"), samples.map(|v: f32| v.max(-9.0)));
    assert_eq!(outputs("--input s.npy state=first.npy"), sequence.map(|v| v.max(8.0)));
    scratch
        .strumc("run net.mlir --float --input s.npy state=s.npy")
        .fails(1, "input 'state': 3 samples of a state, which has one value before the first");
    scratch
        .strumc("quantize net.mlir -o q.mlir")
        .fails(3, "unsupported: states of a float network cannot be quantized");
}

#[test]
fn weights_of_a_network_with_states_are_not_rounded() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", LARGEST);
    scratch.write("s.npy", npy("<i4", &[3, 4], &[0; 48]));
    for line in ["compile net.mlir -o n.dpu --method mip2q", "quantize net.mlir -o n.mlir --format mip2q"] {
        let refused = "weights of a network with states cannot be rounded with calibration samples";
        let done = scratch.strumc(&format!("{line} --calibration s.npy")).fails(3, refused);
        let help =
            "help: pack them as they are: leave out --calibration (of quantize: --format, of tune: --round)";
        assert!(done.stderr.contains(help), "{done:?}");
    }
}

/// An integer network with real numbers at its edges, as `tosa-converter-for-tflite` writes it: y = 8 · (q + 128), where q is the
/// code of x / 0.5 - 1.
const EDGES: &str = "func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {\n\
    %two = \"tosa.const\"() <{values = dense<2.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>\n\
    %shift = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
    %zero = \"tosa.const\"() <{values = dense<-1> : tensor<1x1xi32>}> : () -> tensor<1x1xi32>\n\
    %0 = tosa.mul %x, %two, %shift : (tensor<?x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<?x4xf32>\n\
    %1 = tosa.cast %0 : (tensor<?x4xf32>) -> tensor<?x4xi32>\n\
    %2 = tosa.add %1, %zero : (tensor<?x4xi32>, tensor<1x1xi32>) -> tensor<?x4xi32>\n\
    %3 = tosa.cast %2 : (tensor<?x4xi32>) -> tensor<?x4xi8>\n\
    %4 = tosa.identity %3 : (tensor<?x4xi8>) -> tensor<?x4xi8>\n\
    %5 = tosa.cast %4 : (tensor<?x4xi8>) -> tensor<?x4xf32>\n\
    %least = \"tosa.const\"() <{values = dense<-128.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>\n\
    %scale = \"tosa.const\"() <{values = dense<8.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>\n\
    %6 = tosa.sub %5, %least : (tensor<?x4xf32>, tensor<1x1xf32>) -> tensor<?x4xf32>\n\
    %7 = tosa.mul %6, %scale, %shift : (tensor<?x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<?x4xf32>\n\
    return %7 : tensor<?x4xf32>\n}\n";

#[test]
fn floats_at_the_edges_of_mlir_are_the_scales_of_its_inputs_and_outputs() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", EDGES);
    let inputs = [0.0, -7.25, 1.75, 1000.0];
    scratch.write("x.npy", npy("<f4", &[1, 4], &floats(inputs.into_iter())));
    noted(scratch.strumc("run net.mlir --input x.npy --output y.npy --real -q"));
    let code = |x: f32| (x / 0.5).round().mul_add(1.0, -1.0).clamp(-128.0, 127.0);
    assert_eq!(f32s(&read_npy(&scratch.read("y.npy")).1), inputs.map(|x| 8.0 * (code(x) + 128.0)));
    let text = noted(scratch.strumc("check net.mlir")).text();
    let row = |kind: &str, number: &str| {
        text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words == [kind, number, "folded"]
        })
    };
    assert!(row("tosa.cast", "3") && row("tosa.mul", "2") && row("tosa.sub", "1"), "{text}");
    scratch.write("odd.mlir", EDGES.replace("dense<8.0>", "dense<-8.0>"));
    let refused = "a scale of -8 between real numbers and codes: expected one above 0";
    scratch.strumc("compile odd.mlir -o n.dpu").fails(1, refused);
    // Real numbers are read twice, and the network has an operator of integers alone.
    scratch.write(
        "both.mlir",
        "func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x4xi8>, tensor<1x4xi8>) {\n\
         %m = \"tosa.const\"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>\n\
         %s = \"tosa.const\"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
         %z = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
         %0 = tosa.cast %x : (tensor<1x4xf32>) -> tensor<1x4xi8>\n\
         %1 = tosa.cast %x : (tensor<1x4xf32>) -> tensor<1x4xi8>\n\
         %2 = tosa.rescale %0, %m, %s, %z, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4xi8>\n\
         return %1, %2 : tensor<1x4xi8>, tensor<1x4xi8>\n}\n",
    );
    let refused = "both.mlir:5:6: error: 'tosa.cast' op unsupported: real numbers at the edge of an integer network, \
                   converted in a way that is not known: give the TFLite or ONNX file itself, or a network that ends at codes";
    scratch.strumc("compile both.mlir -o n.dpu").fails(3, refused);
}
