//! What is refused about constants, attributes and scales. Invariant: a refusal says what was found.

use super::*;
use crate::onnx::proto::SparseTensor;

fn list(name: &str, values: &[f64]) -> Tensor {
    tensor(name, INT64, &[values.len() as i64], values)
}

#[test]
#[rustfmt::skip]
fn attributes_and_constants_have_their_types() {
    let none = Tensor::default;
    let bad = |name: &str| Attribute { name: name.into(), r#type: 9, ..Attribute::default() };
    let image: &[i64] = &[1, 2, 4, 4];
    let floats = |name: &str, count: usize| tensor(name, FLOAT, &[count as i64], &vec![1.0; count]);
    let statistics =
        |count| vec![floats("s", count), floats("b", count), floats("m", count), floats("v", count)];
    let empty = Attribute { name: "value".into(), t: Some(floats("", 2)), ..Attribute::default() };
    type Case<'a> = (i64, &'a str, &'a [i64], Vec<Tensor>, Vec<Attribute>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (13, "Softmax", image, vec![], vec![bad("axis")], "the attribute 'axis' must be an integer"),
        (13, "Elu", image, vec![], vec![bad("alpha")], "the attribute 'alpha' must be a float"),
        (20, "Gelu", image, vec![], vec![bad("approximate")], "the attribute 'approximate' must be a word"),
        (13, "Conv", &[1, 2], vec![floats("w", 1)], vec![], "weights [1] on an image of shape [1, 2]"),
        (13, "ConvTranspose", &[1, 2], vec![floats("w", 1)], vec![], "weights [1] on an image of shape [1, 2]"),
        (13, "Conv", &[1, 300, 1], vec![tensor("w", FLOAT, &[300, 1, 1], &[1.0; 300])], vec![int("group", 300)], ""),
        (13, "Reshape", image, vec![floats("s", 1)], vec![], "operand 1 must be integers, got float32"),
        (13, "Gather", image, vec![floats("s", 1)], vec![], "operand 1 must be integers, got float32"),
        (15, "BatchNormalization", &[4], statistics(1), vec![], "no channels in a tensor of shape [4]"),
        (15, "BatchNormalization", image, statistics(3), vec![], "statistics of other than 2 channels"),
        (15, "InstanceNormalization", image, statistics(3)[..2].to_vec(), vec![], "[3] values for 2 channels"),
        (21, "GroupNormalization", image, statistics(2)[..2].to_vec(), vec![], "0 groups of a tensor of shape [1, 2, 4, 4]"),
        (13, "GlobalAveragePool", &[1, 2], vec![], vec![], ""),
        (13, "LRN", &[1, 2], vec![], vec![int("size", 3)], "an image expected, got a tensor of shape [1, 2]"),
        (13, "Clip", image, vec![tensor("l", FLOAT, &[], &[f64::NAN])], vec![], "NaN to inf is not a range"),
        (13, "ConstantOfShape", image, vec![], vec![empty], "operand 0 must be constant"),
        (18, "Split", image, vec![none()], vec![int("axis", 1), int("num_outputs", 2)], "1 results of a split into another number of parts"),
        (18, "Resize", image, vec![none(), floats("s", 1)], vec![ints("axes", &[2, 3])], "1 values for 2 axes"),
        (18, "Resize", &[4], vec![none(), floats("s", 1)], vec![], "images are resized, got a tensor of shape [4]"),
        (18, "Resize", &[1, 1, 1, 4], vec![none(), none(), list("n", &[1.0, 1.0, 1.0, 1.0])], vec![text("coordinate_transformation_mode", "align_corners")], ""),
    ];
    for (opset, kind, shape, constants, attributes, expected) in cases {
        let net = one(opset, kind, shape, &constants, attributes);
        match expected {
            "" => _ = net.network(),
            expected => assert_eq!(net.refusal(), format!("{kind} 'y': {expected}"), "{kind}"),
        }
    }
}

#[test]
fn lists_of_parts_and_groups_are_bounded() {
    let groups = tensor("w", FLOAT, &[600, 1, 1], &[1.0; 600]);
    let conv = one(
        13,
        "Conv",
        &[1, 600, 1],
        &[tensor("w", FLOAT, &[300, 2, 1], &[1.0; 600])],
        vec![int("group", 300)],
    );
    assert_eq!(conv.refusal(), "Conv 'y': at most 256 groups are supported, got 300");
    let back = one(13, "ConvTranspose", &[1, 600, 1], &[groups], vec![int("group", 300)]);
    assert_eq!(back.refusal(), "ConvTranspose 'y': at most 256 groups are supported, got 300");
    let mixed: Vec<f64> = (0..2100).map(|i| f64::from(i * 7 % 2100)).collect();
    let gather = one(13, "Gather", &[2100, 1], &[list("i", &mixed)], vec![]);
    assert_eq!(gather.refusal(), "Gather 'y': positions along an axis that need more than 1024 slices");
    // The least integer has no opposite.
    let pads = list("p", &[i64::MIN as f64, 0.0, 0.0, 0.0]);
    let least = one(13, "Pad", &[2, 1], &[pads], vec![text("mode", "reflect")]);
    assert_eq!(least.refusal(), "Pad 'y': a result without elements");
    let wide = tensor("s", INT64, &[2], &[20_000_000.0, 1.0]);
    let outputs = file(13).input("x", FLOAT, &[1, 1]).output("y").constant("one", FLOAT, &[1, 1], &[1.0]);
    let mut outputs =
        outputs.node("Expand", "x s", "w", vec![]).node("Gemm", "one w", "y", vec![int("transB", 1)]);
    outputs.graph().initializer.push(wide);
    // By a matrix that is not constant, there is no bias.
    assert!(outputs.import(&Options::default()).is_ok());
}

#[test]
fn files_with_other_values_are_refused() {
    let mut sparse = file(13).input("x", FLOAT, &[1]).output("y").node("Relu", "x", "y", vec![]);
    let values = Some(tensor("w", FLOAT, &[1], &[1.0]));
    sparse.graph().sparse_initializer.push(SparseTensor { values });
    assert_eq!(sparse.refusal(), "the constant 'w' is sparse, which is not supported");
    let mut untyped = file(13).input("x", FLOAT, &[1]).output("y").node("Relu", "x", "y", vec![]);
    untyped.graph().input[0].r#type = None;
    assert_eq!(untyped.refusal(), "the input 'x' is not a tensor");
    let codes = file(13).input("x", INT8, &[1, 1, 2]).output("y");
    let pad = File(codes.0.clone()).constant("p", INT64, &[6], &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    let pad = pad.constant("v", INT32, &[], &[300.0]).node("Pad", "x p v", "y", vec![]);
    assert_eq!(pad.refusal(), "Pad 'y': the padding value 300 is not an 8-bit code");
    let least = File(codes.0.clone()).node("ArgMin", "x", "y", vec![]);
    assert_eq!(least.refusal(), "ArgMin 'y': 'ArgMin' of codes is not supported");
    let dilated = vec![ints("kernel_shape", &[2]), ints("dilations", &[2])];
    let far = file(13).input("x", INT8, &[1, 1, 5]).output("y").node("MaxPool", "x", "y", dilated);
    assert_eq!(far.refusal(), "MaxPool 'y': dilations of a maximum of codes are not supported");
    let other = codes.input("z", UINT8, &[1, 1, 2]).node("Concat", "x z", "y", vec![int("axis", 1)]);
    assert_eq!(other.refusal(), "Concat 'y': operands with different scales or zero points");
    let mixed = file(13).input("x", FLOAT, &[1]).output("y").constant("w", INT8, &[1], &[1.0]);
    let mixed = mixed.node("CastLike", "x w", "y", vec![]);
    assert_eq!(mixed.refusal(), "CastLike 'y': casting f32 to int8 is not supported");
}

/// `MatMul` of codes `[2, 4]` by weights with these parameters.
fn product(weights: Tensor, scale: Tensor, zero: Option<Tensor>, axis: i64) -> String {
    let mut net = file(13)
        .input("x", INT8, &[2, 4])
        .output("y")
        .constant("s", FLOAT, &[], &[0.1])
        .constant("z", INT8, &[], &[0.0])
        .node("DequantizeLinear", "x s z", "x_d", vec![]);
    let names = if zero.is_some() { "w ws wz" } else { "w ws" };
    net.graph().initializer.extend([weights, scale]);
    net.graph().initializer.extend(zero);
    net.node("DequantizeLinear", names, "w_d", vec![int("axis", axis)])
        .node("MatMul", "x_d w_d", "v", vec![])
        .node("QuantizeLinear", "v s z", "y", vec![])
        .refusal()
        .lines()
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn weights_have_codes_and_scales_that_fit() {
    let w = |elem| tensor("w", elem, &[4, 2], &[1.0; 8]);
    let scale = |values: &[f64]| tensor("ws", FLOAT, &[values.len() as i64], values);
    let zero = |values: &[f64]| Some(tensor("wz", INT8, &[values.len() as i64], values));
    let cases = [
        (product(w(5), scale(&[0.1]), None, 1), "MatMul 'v': weights of int16 are not supported; 8 bits are"),
        (
            product(w(INT8), scale(&[0.1, 0.2]), zero(&[0.0, 1.0]), 1),
            "MatMul 'v': weights with different zero points for their channels",
        ),
        (
            product(w(INT8), scale(&[0.1; 4].map(|s: f64| s)), None, 0),
            "MatMul 'v': weights with several scales must have one for each output",
        ),
        (
            product(w(INT8), scale(&[0.1; 3]), None, 1),
            "DequantizeLinear 'w_d': 3 scales along axis 1 of [4, 2]",
        ),
        (
            product(w(INT8), scale(&[0.1; 2]), zero(&[0.0]), 1),
            "DequantizeLinear 'w_d': 2 scales and 1 zero points",
        ),
        (
            product(w(FLOAT), scale(&[0.1]), None, 1),
            "DequantizeLinear 'w_d': a code must be an integer of 4 to 32 bits, got float32",
        ),
        (
            product(w(INT8), tensor("ws", INT64, &[1], &[1.0]), None, 1),
            "DequantizeLinear 'w_d': a scale must be of floats, got int64",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_bias_fits_its_layer() {
    let layer = |bias: Tensor, coded: bool| {
        let mut net = file(13)
            .input("x", INT8, &[2, 4])
            .output("y")
            .constant("s", FLOAT, &[], &[0.1])
            .constant("z", INT8, &[], &[0.0])
            .constant("w", INT8, &[4, 2], &[1.0; 8])
            .node("DequantizeLinear", "x s z", "x_d", vec![])
            .node("DequantizeLinear", "w s z", "w_d", vec![]);
        net.graph().initializer.push(bias);
        let operands = if coded { "x_d w_d x_d" } else { "x_d w_d b" };
        net.node("Gemm", operands, "v", vec![]).node("QuantizeLinear", "v s z", "y", vec![]).refusal()
    };
    let first = |text: String| text.lines().next().unwrap().to_owned();
    let floats = |values: &[f64]| tensor("b", FLOAT, &[values.len() as i64], values);
    let cases = [
        (layer(floats(&[1.0; 3]), false), "a bias of 3 numbers for 2 channels"),
        (layer(floats(&[1e9, 0.0]), false), "a bias that 32 bits of its layer's sums cannot hold"),
        (layer(floats(&[1.0; 2]), true), "a bias must be constant"),
    ];
    for (found, expected) in cases {
        assert_eq!(first(found), format!("Gemm 'v': {expected}"));
    }
}

#[test]
fn codes_and_numbers_are_not_mixed() {
    let net = file(13)
        .input("x", INT8, &[2, 4])
        .input("f", FLOAT, &[2, 4])
        .output("y")
        .constant("s", FLOAT, &[], &[0.1])
        .constant("z", INT8, &[], &[0.0])
        .constant("far", INT8, &[], &[100.0])
        .constant("wide_zero", INT64, &[], &[-9e18])
        .constant("unsigned", UINT8, &[], &[100.0])
        .constant("two", FLOAT, &[4], &[0.1, 0.2, 0.1, 0.2])
        .constant("c", INT8, &[2, 4], &[1.0; 8])
        .constant("wide", INT32, &[2, 4], &[1.0; 8])
        .node("DequantizeLinear", "x s z", "x_d", vec![]);
    let said = |kind: &str, operands: &str| {
        let net = File(net.0.clone()).node(kind, operands, "v", vec![]).node(
            "QuantizeLinear",
            "v s z",
            "y",
            vec![],
        );
        net.refusal().lines().next().unwrap().to_owned()
    };
    assert_eq!(said("Add", "x_d f"), "Add 'v': some operands are quantized, others are not");
    let several = File(net.0.clone()).node("DequantizeLinear", "c two", "c_d", vec![]).node(
        "Add",
        "x_d c_d",
        "v",
        vec![],
    );
    let several = several.node("QuantizeLinear", "v s z", "y", vec![]).refusal();
    assert!(
        several.starts_with("Add 'v': a constant with several scales is supported as weights"),
        "{several}"
    );
    let wide = File(net.0.clone()).node("DequantizeLinear", "wide s", "c_d", vec![]).node(
        "Add",
        "x_d c_d",
        "v",
        vec![],
    );
    let wide = wide.node("QuantizeLinear", "v s z", "y", vec![]).refusal();
    assert!(wide.starts_with("Add 'v': a constant of int32 is supported as a bias"), "{wide}");
    let of_zero = |name: &str| {
        let net = File(net.0.clone()).node("DequantizeLinear", &format!("x s {name}"), "y", vec![]);
        net.refusal()
    };
    assert_eq!(of_zero("unsigned"), "DequantizeLinear 'y': a zero point of uint8 for codes of int8");
    let wide = "DequantizeLinear 'y': a zero point must be an integer of 4 to 32 bits, got int64";
    assert_eq!(of_zero("wide_zero"), wide);
    assert!(said("Clip", "x_d f").starts_with("Clip 'v': operand 1 must be constant"));
    assert!(said("ReduceMean", "x_d f").starts_with("ReduceMean 'v': operand 1 must be constant"));
    let many = vec!["x_d"; 17].join(" ");
    assert_eq!(said("Sum", &many), "Sum 'v': a sum of 17 operands; 16 are supported");
    let index =
        File(net.0.clone()).node("ArgMax", "f", "i", vec![]).node("DequantizeLinear", "i s", "y", vec![]);
    assert_eq!(index.refusal(), "DequantizeLinear 'y': codes must be int8 or uint8, got i32");
}

#[test]
fn sums_of_codes_fit_32_bits() {
    let net = file(13).output("y").constant("s", FLOAT, &[], &[0.1]).constant("z", INT8, &[], &[0.0]);
    let large = File(net.0.clone()).input("l", INT8, &[1, 1, 3000, 3000]).node(
        "DequantizeLinear",
        "l s z",
        "l_d",
        vec![],
    );
    let large =
        large.node("GlobalAveragePool", "l_d", "v", vec![]).node("QuantizeLinear", "v s z", "y", vec![]);
    assert_eq!(large.refusal(), "GlobalAveragePool 'v': a sum of 9000000 codes could overflow 32 bits");
    let window = vec![ints("kernel_shape", &[100, 100])];
    let window = File(net.0.clone())
        .input("l", INT8, &[1, 1, 300, 300])
        .constant("t", FLOAT, &[], &[0.2])
        .node("DequantizeLinear", "l s z", "l_d", vec![])
        .node("AveragePool", "l_d", "v", window)
        .node("QuantizeLinear", "v t z", "y", vec![]);
    assert_eq!(
        window.refusal(),
        "AveragePool 'v': means of windows of [100, 100] are not supported on codes"
    );
}

#[test]
fn what_the_reader_never_asks_for_is_refused_as_well() {
    use crate::onnx::tensor::Tensor as Constant;
    use crate::onnx::value::{Net, Value};
    let outside = Constant::ints(&[2], vec![1, 2]).pick(&[vec![0, 2]]).unwrap_err();
    assert_eq!(outside.what, "positions outside of [2]");
    let missing = Net::default().flow(&Value::Missing).unwrap_err();
    assert_eq!(missing.what, "an operand that does not exist");
}

#[test]
fn layers_and_lists_of_other_sizes_are_refused() {
    let wide = file(13).input("x", FLOAT, &[1, 1, 1]).input("w", FLOAT, &[20_000_000, 1, 1]).output("y");
    let expected = "Conv 'y': 20000000 outputs of a layer; at most 16777216 are supported";
    assert_eq!(wide.node("Conv", "x w", "y", vec![]).refusal(), expected);
    let like = file(15).input("x", FLOAT, &[1]).input("w", INT8, &[1]).output("y");
    let expected = "CastLike 'y': operand 1 must be of floats, or constant";
    assert_eq!(like.node("CastLike", "x w", "y", vec![]).refusal(), expected);
    let negative = one(13, "LRN", &[1, 2, 4, 4], &[], vec![int("size", -1)]);
    assert_eq!(negative.refusal(), "LRN 'y': an image and a size of at least 1 expected");
    let codes = file(13).input("x", INT8, &[1, 1, 4, 4]).output("y");
    let codes = codes.constant("s", FLOAT, &[4], &[1.0, 1.0, 2.0, 2.0]);
    let linear = codes.node("Resize", "x - s", "y", vec![text("mode", "linear")]);
    assert_eq!(linear.refusal(), "Resize 'y': linear interpolation of codes without scales is not supported");
    let pair = Attribute { name: "value".into(), t: Some(tensor("", FLOAT, &[2], &[1.0; 2])), ..int("", 0) };
    let filled = file(13).input("x", FLOAT, &[1]).output("y").constant("s", INT64, &[1], &[3.0]);
    let filled = filled.node("ConstantOfShape", "s", "c", vec![pair]).node("Add", "x c", "y", vec![]);
    assert_eq!(filled.refusal(), "ConstantOfShape 'c': a value of one element expected, got 2");
    let empty = file(13).input("x", FLOAT, &[1]).output("y").constant("e", INT64, &[0], &[]);
    let empty = empty.constant("p", INT64, &[2], &[1.0, 1.0]);
    let empty = empty.node("Pad", "e p", "c", vec![text("mode", "edge")]).node("Expand", "x c", "y", vec![]);
    assert_eq!(empty.refusal(), "Pad 'c': padding in the mode 'edge' around an axis without positions");
    let scales = vec![0.5; 65537];
    let many = file(13).output("y").constant("w", INT8, &[65537], &scales);
    let many = many.constant("s", FLOAT, &[65537], &scales).node("DequantizeLinear", "w s", "y", vec![]);
    assert_eq!(many.refusal(), "DequantizeLinear 'y': 65537 scales; at most 65536 are supported");
    let cube = file(13)
        .input("x", INT8, &[2, 2])
        .output("y")
        .constant("s", FLOAT, &[], &[0.1])
        .constant("z", INT8, &[], &[0.0])
        .constant("w", INT8, &[2, 2, 2], &[1.0; 8])
        .node("DequantizeLinear", "x s z", "x_d", vec![])
        .node("DequantizeLinear", "w s z", "w_d", vec![])
        .node("Gemm", "x_d w_d", "v", vec![])
        .node("QuantizeLinear", "v s z", "y", vec![]);
    assert_eq!(cube.refusal(), "Gemm 'v': weights of shape [2, 2, 2]; matrices are supported");
}

#[test]
fn a_quantized_constant_may_be_cast() {
    let net = file(13)
        .input("x", FLOAT, &[2])
        .output("y")
        .constant("s", FLOAT, &[], &[0.5])
        .constant("w", INT8, &[2], &[3.0, -4.0])
        .node("DequantizeLinear", "w s", "d", vec![])
        .node("Cast", "d", "c", vec![int("to", 10)])
        .node("Add", "x c", "y", vec![]);
    assert_eq!(net.run(&[(&[2], &[1.0, 1.0])]).data, [2.5, -1.0]);
}

#[test]
fn scales_too_far_apart_are_refused() {
    let between = |kind: &str, scale: f64| {
        file(13)
            .input("x", INT8, &[4])
            .output("y")
            .constant("s", FLOAT, &[], &[1e30])
            .constant("t", FLOAT, &[], &[scale])
            .constant("z", INT8, &[], &[0.0])
            .node("DequantizeLinear", "x s z", "d", vec![])
            .node(kind, "d d", "v", vec![])
            .node("QuantizeLinear", "v t z", "y", vec![])
            .refusal()
    };
    assert_eq!(between("Add", 1e10), "Add 'v': rescale: a factor of 2^47 or more");
    assert_eq!(between("Add", 1e-30), "Add 'v': rescale: a factor of inf");
}
