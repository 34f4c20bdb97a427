//! What is refused, and how it is said. Invariant: a refusal names the operator and what is wrong with it.

use super::*;
use crate::CauseKind;

fn list(name: &str, values: &[f64]) -> Tensor {
    tensor(name, INT64, &[values.len() as i64], values)
}

fn scalar(name: &str, elem: i32, value: f64) -> Tensor {
    tensor(name, elem, &[], &[value])
}

/// Operators on an input `x` of floats, with what is said about them.
#[test]
#[rustfmt::skip]
fn float_operators_say_what_is_not_supported() {
    let none = Tensor::default;
    let image: &[i64] = &[1, 2, 4, 4];
    type Case<'a> = (i64, &'a str, &'a [i64], Vec<Tensor>, Vec<Attribute>, &'a str);
    let kernel = || tensor("w", FLOAT, &[2, 2, 3, 3], &wave(36));
    let cases: Vec<Case<'_>> = vec![
        (13, "BiasGelu@com.microsoft", image, vec![], vec![], "operand 1 is missing"),
        (13, "Add", &[2], vec![tensor("b", INT8, &[2], &[1.0, 128.0])], vec![], "the constant 'b': its data are not those of 2 elements of int8"),
        (13, "LSTM", image, vec![], vec![], "'LSTM' is not supported"),
        (13, "If@com.example", image, vec![], vec![], "'If' of 'com.example' is not supported"),
        (6, "Relu", image, vec![], vec![], "operators of version 6 are not supported; 7 and later are"),
        (13, "Relu", image, vec![], vec![int("slope", 1)], "the attribute 'slope' is not supported"),
        (13, "Conv", image, vec![kernel()], vec![ints("pads", &[1])], "the attribute 'pads' must have 4 elements, got 1"),
        (13, "Conv", image, vec![kernel()], vec![ints("strides", &[0, 1])], "the attribute 'strides' must be at least 1, got [0, 1]"),
        (13, "Conv", image, vec![kernel()], vec![ints("dilations", &[1])], "the attribute 'dilations' must have 2 elements, got 1"),
        (13, "Conv", image, vec![kernel()], vec![int("group", 2)], "weights [2, 2, 3, 3] in 2 groups on an image of 2 channels"),
        (13, "Conv", image, vec![kernel()], vec![ints("kernel_shape", &[1, 1])], "the kernel is [1, 1], weights are for [3, 3]"),
        (13, "Conv", image, vec![kernel()], vec![text("auto_pad", "SOME")], "the padding 'SOME' is not defined by ONNX"),
        (13, "Conv", image, vec![kernel(), tensor("b", FLOAT, &[1], &[1.0])], vec![], "a bias of shape [1] for 2 channels"),
        (13, "Conv", image, vec![], vec![], "operand 1 is missing"),
        (13, "Conv", &[1, 2, 2, 2], vec![kernel()], vec![], "conv2d: a window of [3, 3] does not fit an image of [2, 2]"),
        (13, "Conv", &[1, 2, 3, 3, 3], vec![tensor("w", FLOAT, &[1, 2, 1, 1, 1], &[1.0; 2])], vec![], "images of 1 or 2 dimensions are supported, got 3"),
        (13, "ConvTranspose", image, vec![kernel()], vec![ints("pads", &[6, 6, 6, 6])], "padding leaves nothing of a result of 2 positions"),
        (13, "MaxPool", image, vec![], vec![], "a kernel for an image of shape [1, 2, 4, 4] expected"),
        (13, "MaxPool", image, vec![], vec![ints("kernel_shape", &[2, 2]), ints("pads", &[2, 2, 2, 2])], "padding of a pooling must be less than its kernel of [2, 2]"),
        (19, "AveragePool", image, vec![], vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])], "dilations of a mean are not supported"),
        (13, "Add", image, vec![tensor("c", FLOAT, &[3], &[1.0; 3])], vec![], "add: [1, 2, 4, 4] and [1, 1, 1, 3] do not match"),
        (13, "Add", image, vec![scalar("c", INT64, 1.0)], vec![], "a constant of int64 used in computation is not supported"),
        (13, "Add", image, vec![scalar("c", INT8, 1.0)], vec![], "operands must be float32, got i8"),
        (13, "Add", image, vec![], vec![], "two operands expected, got 1"),
        (13, "Clip", image, vec![tensor("c", FLOAT, &[2], &[1.0; 2])], vec![], "operand 1 must be one number, got 2"),
        (13, "Cast", image, vec![], vec![int("to", 7)], "casting f32 to int64 is not supported"),
        (13, "Cast", image, vec![], vec![int("to", 99)], "element type 99 is not defined by ONNX"),
        (13, "Cast", image, vec![], vec![int("to", 8)], "tensors of strings are not supported"),
        (13, "Cast", image, vec![], vec![int("to", 14)], "tensors of complex numbers are not supported"),
        (13, "Cast", image, vec![], vec![int("to", 17)], "tensors of floats below 16 bits or integers below 4 bits are not supported"),
        (15, "CastLike", image, vec![none()], vec![], "element type 0 is not defined by ONNX"),
        (20, "Gelu", image, vec![], vec![text("approximate", "half")], "the approximation 'half' is not defined by ONNX"),
        (13, "Softmax", image, vec![], vec![int("axis", 4)], "axis 4 of a tensor of rank 4"),
        (13, "ReduceSum", image, vec![list("a", &[1.0, 1.0])], vec![], "axes [1, 1] are not distinct"),
        (13, "ArgMax", image, vec![], vec![int("select_last_index", 1)], "the attribute 'select_last_index' is supported as 0, got 1"),
        (15, "BatchNormalization", image, vec![], vec![int("training_mode", 1)], "the attribute 'training_mode' is supported as 0, got 1"),
        (13, "Reshape", image, vec![list("s", &[5.0, -1.0])], vec![], "[1, 2, 4, 4] reshaped to [5, -1]"),
        (13, "Squeeze", image, vec![list("s", &[1.0])], vec![], "axes [1] of [1, 2, 4, 4] are not of extent 1"),
        (13, "Transpose", image, vec![], vec![ints("perm", &[0, 1])], "axes [0, 1] of a tensor of rank 4"),
        (13, "Slice", image, vec![list("s", &[0.0]), list("e", &[1.0, 2.0])], vec![], "1 starts, 2 ends, 1 axes, 1 steps"),
        (13, "Slice", image, vec![list("s", &[0.0]), list("e", &[1.0]), list("a", &[0.0]), list("t", &[0.0])], vec![], "a slice of step 0"),
        (13, "Slice", image, vec![list("s", &[3.0]), list("e", &[3.0])], vec![], "a result without elements"),
        (9, "Slice", image, vec![], vec![], "starts and ends expected"),
        (13, "Gather", image, vec![scalar("i", INT64, 9.0)], vec![int("axis", 1)], "axis 9 of a tensor of rank 2"),
        (13, "Split", image, vec![list("s", &[1.0])], vec![int("axis", 1)], "2 positions split into [1]"),
        (13, "Pad", image, vec![list("p", &[1.0])], vec![], "1 numbers of padding for 4 axes"),
        (13, "Pad", image, vec![list("p", &[1.0; 8])], vec![text("mode", "zero")], "the mode 'zero' is not defined by ONNX"),
        (13, "Pad", image, vec![list("p", &[1e5; 8])], vec![text("mode", "edge")], "padding of 100000 and 100000 around 1 positions; at most 65535 are supported"),
        (13, "Expand", image, vec![list("s", &[3.0])], vec![], "shapes [1, 2, 4, 4] and [3] cannot be broadcast"),
        (13, "Expand", image, vec![list("s", &[-3.0])], vec![], "the shape [-3] is negative"),
        (13, "Tile", image, vec![list("s", &[2.0])], vec![], "1 repetitions for a tensor of shape [1, 2, 4, 4]"),
        (13, "DepthToSpace", image, vec![], vec![int("blocksize", 2)], "blocks of 2 of an image of shape [1, 2, 4, 4]"),
        (13, "Mod", image, vec![scalar("c", FLOAT, 2.0)], vec![], "'Mod' is supported on constants"),
        (13, "Dropout", image, vec![none(), tensor("t", 9, &[], &[1.0])], vec![], "operand 2, training_mode, is supported as false"),
        (13, "MatMul", &[2, 3], vec![tensor("w", FLOAT, &[2, 2], &[1.0; 4])], vec![], "weights [2, 2] on a tensor of shape [2, 3]"),
        (13, "LRN", image, vec![], vec![], "the attribute 'size' must be 1 to 4096, got 0"),
        (13, "Where", image, vec![scalar("a", FLOAT, 1.0), scalar("b", FLOAT, 1.0)], vec![], "the condition must be of bool"),
        (13, "Constant", image, vec![], vec![text("value_string", "a")], "a constant must be a tensor, or one or several numbers"),
    ];
    for (opset, kind, shape, constants, attributes, expected) in cases {
        let name = kind.split('@').next().unwrap_or(kind);
        assert_eq!(one(opset, kind, shape, &constants, attributes).refusal(), format!("{name} 'y': {expected}"), "{kind}");
    }
}

#[test]
fn resizing_says_what_is_not_supported() {
    let resize = |shape: &[i64], scales: &[f64], attributes: Vec<Attribute>| {
        let scales = tensor("s", FLOAT, &[scales.len() as i64], scales);
        one(18, "Resize", shape, &[Tensor::default(), scales], attributes).refusal()
    };
    let image: &[i64] = &[1, 1, 4, 4];
    let word = |name: &str, value: &str| vec![text(name, value)];
    let linear = |name: &str, value: &str| vec![text("mode", "linear"), text(name, value)];
    let twice = &[1.0, 1.0, 2.0, 2.0];
    let cases = [
        (
            resize(image, twice, word("mode", "area")),
            "the mode 'area' is not supported; 'nearest', 'linear' and 'cubic' are",
        ),
        (
            resize(image, twice, word("coordinate_transformation_mode", "tf_crop_and_resize")),
            "the coordinate transformation mode 'tf_crop_and_resize' is not supported",
        ),
        (
            // Equal sizes are not enough.
            resize(image, &[1.0; 4], word("coordinate_transformation_mode", "tf_crop_and_resize")),
            "the coordinate transformation mode 'tf_crop_and_resize' is not supported",
        ),
        (
            resize(image, &[1.0; 4], word("coordinate_transformation_mode", "centre")),
            "the coordinate transformation mode 'centre' is not defined by ONNX",
        ),
        (resize(image, twice, word("nearest_mode", "up")), "the nearest mode 'up' is not defined by ONNX"),
        (
            resize(image, &[1.0; 4], word("nearest_mode", "up")),
            "the nearest mode 'up' is not defined by ONNX",
        ),
        (
            resize(&[1, 2, 4, 4], &[1.0, 1.25, 1.0, 1.0], vec![]),
            "only rows and columns of an image can be resized",
        ),
        (
            resize(image, twice, vec![int("exclude_outside", 1)]),
            "the attribute 'exclude_outside' is supported as 0, got 1",
        ),
        (
            resize(image, &[1.0, 1.0, 1.0, 1_250_000.0], word("mode", "cubic")),
            "resizing 4 positions to 5000000 by a matrix of more than 16777216 numbers",
        ),
        (resize(image, &[1.0, 2.0, 1.0, 1.0], vec![]), "only rows and columns of an image can be resized"),
        (resize(image, &[1.0, 1.0], vec![]), "a scale or size for each of 4 axes expected"),
        (resize(image, &[1.0, 1.0, 0.1, 1.0], vec![]), "a scale of 0.1 for 4 positions"),
        (
            resize(image, &[1.0, 1.0, 1.000_123_4, 1.0], vec![]),
            "the scale 1.0001234 is not a ratio of integers up to 2048",
        ),
        (
            resize(image, &[1.0, 1.0, 1.6, 1.0], linear("coordinate_transformation_mode", "align_corners")),
            "corners are aligned only if the scale gives a whole number of positions",
        ),
        (
            resize(image, &[1.0, 1.0, 0.5, 0.5], vec![text("mode", "linear"), int("antialias", 1)]),
            "antialiasing is not supported",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, format!("Resize 'y': {expected}"));
    }
    let sizes = tensor("n", INT64, &[4], &[1.0, 1.0, 4.0, 4099.0]);
    let far = one(18, "Resize", image, &[Tensor::default(), Tensor::default(), sizes], vec![]);
    let expected = "resizing 4 positions to 4099 needs the scale 16396/16, outside TOSA's range";
    assert_eq!(far.refusal(), format!("Resize 'y': {expected}"));
}

#[test]
fn policies_and_means_of_codes_say_what_is_not_supported() {
    let image: &[i64] = &[1, 1, 4, 4];
    let sizes = tensor("n", INT64, &[4], &[1.0, 1.0, 4.0, 8.0]);
    let policy = vec![text("keep_aspect_ratio_policy", "fit")];
    let policy = one(18, "Resize", image, &[Tensor::default(), Tensor::default(), sizes], policy);
    assert_eq!(policy.refusal(), "Resize 'y': the aspect-ratio policy 'fit' is not defined by ONNX");
    let codes = file(13).input("x", INT8, image).output("y");
    let codes = codes.constant("n", INT64, &[4], &[1.0, 1.0, 4.0, 8.0]);
    let codes = codes.node("Resize", "x - - n", "y", vec![text("mode", "cubic")]);
    assert_eq!(codes.refusal(), "Resize 'y': cubic interpolation of codes is not supported");
}

/// `x` as codes, an operator, and maybe a `QuantizeLinear`.
fn coded(kind: &str, constants: &[Tensor], attributes: Vec<Attribute>, back: bool) -> String {
    let mut net = file(13)
        .input("x", INT8, &[1, 4])
        .output("y")
        .constant("s", FLOAT, &[], &[0.1])
        .constant("z", INT8, &[], &[0.0])
        .node("DequantizeLinear", "x s z", "d", vec![]);
    let mut names = "d".to_owned();
    for constant in constants {
        net.graph().initializer.push(constant.clone());
        names += &format!(" {}", constant.name);
    }
    let net = net.node(kind, &names, if back { "v" } else { "y" }, attributes);
    if back { net.node("QuantizeLinear", "v s z", "y", vec![]).refusal() } else { net.refusal() }
}

#[test]
fn quantized_operators_say_what_is_not_supported() {
    let w = || tensor("w", FLOAT, &[4, 2], &wave(8));
    assert_eq!(
        coded("MatMul", &[w()], vec![], false),
        "MatMul 'y': its operands are quantized, its result is not"
    );
    let said = |kind: &str, constants: &[Tensor], attributes: Vec<Attribute>| {
        coded(kind, constants, attributes, true)
            .lines()
            .next()
            .map(|line| line.replacen(&format!("{kind} 'v': "), "", 1))
            .unwrap()
    };
    let row = || tensor("c", FLOAT, &[4], &wave(4));
    let cases = [
        (said("Gemm", &[w()], vec![]), "weights must be constant and quantized"),
        (
            said("Add", &[row()], vec![]),
            "a constant of several numbers must be quantized like other operands",
        ),
        (said("Div", &[row()], vec![]), "a quantized quotient is supported with one constant divisor"),
        (said("Pow", &[row()], vec![]), "a quantized power is supported with one constant exponent"),
        (said("Clip", &[row()], vec![]), "operand 1 must be one number, got 4"),
        (said("LogSoftmax", &[], vec![]), "it is not supported on quantized numbers"),
        (
            said("Gemm", &[w()], vec![float("alpha", 2.0)]),
            "a quantized 'Gemm' is supported with alpha and beta of 1, and transA of 0",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn conversions_say_what_is_not_supported() {
    let base = |elem| file(13).input("x", elem, &[1, 4]).output("y").constant("s", FLOAT, &[], &[0.1]);
    let wide = base(INT8).constant("z", INT8, &[], &[0.0]).constant("w", 5, &[], &[0.0]);
    let wide = wide.node("DequantizeLinear", "x s z", "d", vec![]);
    let wide = wide.node("QuantizeLinear", "d s w", "y", vec![]);
    assert_eq!(
        wide.refusal(),
        "QuantizeLinear 'y': activations of int16 are not supported; int8 and uint8 are"
    );
    let mixed = base(FLOAT).node("Neg", "x", "v", vec![]).node("QuantizeLinear", "v s", "y", vec![]);
    assert_eq!(mixed.refusal(), "QuantizeLinear 'y': it quantizes what is computed in floats");
    let half = base(INT8).constant("z", INT8, &[], &[0.0]);
    let half = half.node("DequantizeLinear", "x s z", "d", vec![]).node("Sigmoid", "d", "y", vec![]);
    let old = file(6).input("x", FLOAT, &[1, 4]).output("y").node("Relu", "x", "y", vec![]);
    let helps = [
        (wide, "quantize activations to 8 bits"),
        (mixed, "quantize the operands of the operator before it, or end the network there with --cut"),
        (half, "quantize its result as well, or end the network before it with --cut"),
        (old, "onnx.version_converter.convert_version(model, 17) in Python makes them newer"),
    ];
    for (file, help) in helps {
        assert_eq!(file.import(&Options::default()).unwrap_err().causes[0].help.as_deref(), Some(help));
    }
    let real =
        base(FLOAT).node("QuantizeLinear", "x s", "q", vec![]).node("DequantizeLinear", "q s", "d", vec![]);
    let real = real.node("DequantizeLinear", "d s", "y", vec![]);
    assert_eq!(real.refusal(), "DequantizeLinear 'y': real numbers cannot be dequantized");
    let negative = base(INT8).constant("n", FLOAT, &[], &[-0.1]).node("DequantizeLinear", "x n", "y", vec![]);
    assert_eq!(negative.refusal(), "DequantizeLinear 'y': a scale must be positive and finite");
    let several = base(INT8).constant("n", FLOAT, &[4], &[0.1, 0.2, 0.3, 0.4]);
    let several = several.node("DequantizeLinear", "x n", "y", vec![]);
    assert_eq!(several.refusal(), "DequantizeLinear 'y': several scales are supported for constants");
    let dynamic = base(FLOAT).node("DynamicQuantizeLinear", "x", "y", vec![]);
    let refusal = dynamic.import(&Options::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "DynamicQuantizeLinear 'y': 'DynamicQuantizeLinear' is not supported");
    assert!(refusal.causes[0].help.as_deref().unwrap().contains("quantize_static"));
    let words = base(INT64).node("Relu", "x", "y", vec![]);
    let expected = "the input 'x' is of int64; float32, float16, int8 and uint8 are supported";
    assert_eq!(words.refusal(), expected);
}

#[test]
fn damaged_graphs_are_refused() {
    let net = file(13).input("x", FLOAT, &[2]).output("y");
    let none = File(net.0.clone()).node("Relu", "v", "y", vec![]);
    assert_eq!(none.refusal(), "Relu 'y': its operand 'v' is not made by an operator before it");
    let over = File(net.0.clone()).node("Relu", "x", "x", vec![]).node("Relu", "x", "y", vec![]);
    assert_eq!(over.refusal(), "an operator makes the input or constant 'x'");
    let twice = File(net.0.clone()).node("Relu", "x", "y", vec![]).node("Neg", "x", "y", vec![]);
    assert_eq!(twice.refusal(), "two operators make the tensor 'y'");
    assert_eq!(net.refusal(), "the output 'y': its operand 'y' is not made by an operator before it");
    let circle = File(net.0.clone()).node("Relu", "v", "y", vec![]).node("Relu", "y", "v", vec![]);
    assert_eq!(circle.refusal(), "Relu 'y': its operand 'v' is not made by an operator before it");
    assert_eq!(file(13).input("x", FLOAT, &[2]).refusal(), "the graph has no outputs");
    let named = File(net.0.clone()).node("Relu", "x\ty\u{7}", "y", vec![]);
    assert!(named.refusal().lines().count() == 1);
    let bare = Model { ir_version: 9, graph: None, ..net.0 };
    let refusal = super::super::import(&bare.encode_to_vec(), &Options::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "not an ONNX file: it has no graph");
}

#[test]
fn constants_from_small_files_are_bounded() {
    let filled = |extents: &[f64]| {
        file(13)
            .input("x", FLOAT, &[1])
            .output("y")
            .constant("s", INT64, &[extents.len() as i64], extents)
            .node("ConstantOfShape", "s", "c", vec![])
            .node("Add", "x c", "y", vec![])
    };
    let most = 268_435_456;
    let refusal = filled(&[65536.0, 65536.0]).import(&Options::default()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!("ConstantOfShape 'c': a constant of shape [65536, 65536] has more than {most} elements")
    );
    assert_eq!(refusal.causes[0].kind, CauseKind::Limit);
    // Nothing times very much is nothing, and would be much after a reshape.
    let nothing = filled(&[0.0, 1e15, 1e15]).refusal();
    assert!(nothing.contains("has more than"), "{nothing}");
    let product = filled(&[4096.0, 1.0]).constant("r", FLOAT, &[1, 8192], &vec![1.0; 8192]);
    let product = product.node("Mul", "c r", "v", vec![]).output("v").refusal();
    let expected = "arithmetic on constants of shape [4096, 8192], of more than 16777216 elements";
    assert!(product.contains(expected), "{product}");
    let far = file(13).input("x", FLOAT, &[1, 1]).output("y");
    let far = far.constant("s", INT64, &[2], &[1.0, 1e9]).constant("a", INT64, &[1], &[0.0]).constant(
        "b",
        INT64,
        &[1],
        &[9.0],
    );
    let far = far.constant("o", INT64, &[1], &[1.0]).node("Expand", "x s", "e", vec![]).node(
        "Slice",
        "e a b o",
        "y",
        vec![],
    );
    let expected = "Slice 'y': 1000000000 positions along an axis; at most 16777216 are supported";
    assert_eq!(far.refusal(), expected);
}

#[test]
fn constants_are_folded_or_say_why_not() {
    let fold = |kind: &str, constants: &[Tensor], attributes: Vec<Attribute>| {
        let mut net = file(13).input("x", FLOAT, &[1]).output("y");
        let mut names = String::new();
        for constant in constants {
            names += &format!("{} ", constant.name);
            net.graph().initializer.push(constant.clone());
        }
        net.node(kind, &names, "c", attributes).node("Expand", "x c", "y", vec![]).refusal()
    };
    let int = |name: &str, value: f64| scalar(name, INT64, value);
    let cases = [
        (
            fold("Div", &[int("a", 1.0), int("b", 0.0)], vec![]),
            "Div 'c': 'Div' of constants of int64 and int64 has no value",
        ),
        (
            fold("Not", &[scalar("a", FLOAT, 1.0)], vec![]),
            "Not 'c': 'Not' of constants of float32 and float32 has no value",
        ),
        (
            fold("Range", &[int("a", 0.0), int("b", 1e15), int("c0", 1.0)], vec![]),
            "Range 'c': a range of more than 16777216 elements",
        ),
        (
            fold("Range", &[int("a", 0.0), int("b", 9.0), int("c0", 0.0)], vec![]),
            "Range 'c': a range of step 0",
        ),
        (
            fold("Range", &[int("a", 0.0), scalar("b", FLOAT, 9.0), int("c0", 1.0)], vec![]),
            "Range 'c': a range of mixed types",
        ),
        (
            fold("Range", &[int("a", 0.0), list("b", &[9.0, 1.0]), int("c0", 1.0)], vec![]),
            "Range 'c': a range of lists",
        ),
        (fold("ReduceMax", &[list("a", &[])], vec![]), "ReduceMax 'c': the greatest or least of nothing"),
        (
            fold("Cast", &[int("a", 1e9)], vec![super::int("to", 3)]),
            "Cast 'c': a constant that int8 cannot hold",
        ),
        (
            fold("Where", &[scalar("m", 9, 1.0), int("a", 1.0), scalar("b", FLOAT, 1.0)], vec![]),
            "Where 'c': a choice between int64 and float32",
        ),
        (
            fold("Where", &[scalar("m", FLOAT, 1.0), int("a", 1.0), int("b", 1.0)], vec![]),
            "Where 'c': the condition must be of bool, got float32",
        ),
        (
            fold("Where", &[scalar("m", 9, 1.0), int("a", 1.0), scalar("b", INT32, 1.0)], vec![]),
            "Where 'c': a choice between int64 and int32",
        ),
        (
            fold("Concat", &[list("a", &[1.0]), scalar("b", INT64, 1.0)], vec![super::int("axis", 0)]),
            "Concat 'c': constants that do not fit behind [1] along axis 0",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}
