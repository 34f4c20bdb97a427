//! Float operators, against their definitions and against values that are worked out by hand.

use super::*;

#[test]
fn a_grouped_convolution_is_its_definition() {
    let (x, w) = (wave(2 * 4 * 5 * 6), wave(6 * 2 * 3 * 2));
    let bias = [0.5, -0.5, 1.0, 0.0, 2.0, -1.0];
    let attributes = vec![
        int("group", 2),
        ints("pads", &[1, 0, 0, 1]),
        ints("strides", &[2, 1]),
        ints("dilations", &[1, 2]),
    ];
    let net = one(
        13,
        "Conv",
        &[2, 4, 5, 6],
        &[tensor("w", FLOAT, &[6, 2, 3, 2], &w), tensor("b", FLOAT, &[6], &bias)],
        attributes,
    );
    let mut expected = Vec::new();
    for (n, o) in (0..2).flat_map(|n| (0..6).map(move |o| (n, o))) {
        for (i, j) in (0..2_i64).flat_map(|i| (0..5_i64).map(move |j| (i, j))) {
            let mut sum: f64 = bias[o];
            for (c, ki) in (0..2).flat_map(|c| (0..3).map(move |k| (c, k))) {
                for kj in 0..2_i64 {
                    let (row, column) = (i * 2 + ki - 1, j + kj * 2);
                    if (0..5).contains(&row) && (0..6).contains(&column) {
                        let at = ((n * 4 + o / 3 * 2 + c) * 5 + row as usize) * 6 + column as usize;
                        sum += x[at] * w[((o * 2 + c) * 3 + ki as usize) * 2 + kj as usize];
                    }
                }
            }
            expected.push(sum);
        }
    }
    close(&net.run(&[(&[2, 4, 5, 6], &x)]), &[2, 6, 2, 5], &expected);
}

#[test]
fn a_depthwise_convolution_keeps_its_channels_in_order() {
    let x = wave(3 * 4);
    let w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let net = one(13, "Conv", &[1, 3, 4], &[tensor("w", FLOAT, &[6, 1, 1], &w)], vec![int("group", 3)]);
    let expected: Vec<f64> =
        (0..6).flat_map(|o| (0..4).map(move |i| (o, i))).map(|(o, i)| w[o] * x[o / 2 * 4 + i]).collect();
    close(&net.run(&[(&[1, 3, 4], &x)]), &[1, 6, 4], &expected);
    let names: Vec<_> = net.network().graph.nodes.iter().map(|node| node.name).collect();
    assert!(names.contains(&"depthwise_conv2d"), "{names:?}");
}

#[test]
fn a_transposed_convolution_scatters_its_kernel() {
    let x = [1.0, 2.0, 3.0];
    let net = one(
        13,
        "ConvTranspose",
        &[1, 1, 3],
        &[tensor("w", FLOAT, &[1, 1, 2], &[10.0, 1.0])],
        vec![
            ints("strides", &[2]),
            ints("dilations", &[2]),
            ints("pads", &[1, 0]),
            ints("output_padding", &[1]),
        ],
    );
    // 10 0 21 0 32 0 3, without the first element, and one more behind.
    close(&net.run(&[(&[1, 1, 3], &x)]), &[1, 1, 7], &[0.0, 21.0, 0.0, 32.0, 0.0, 3.0, 0.0]);
    let net = one(
        13,
        "ConvTranspose",
        &[1, 1, 3],
        &[tensor("w", FLOAT, &[1, 1, 2], &[10.0, 1.0])],
        vec![ints("strides", &[2]), ints("output_shape", &[8])],
    );
    close(&net.run(&[(&[1, 1, 3], &x)]), &[1, 1, 8], &[10.0, 1.0, 20.0, 2.0, 30.0, 3.0, 0.0, 0.0]);
    let deep = one(
        13,
        "ConvTranspose",
        &[1, 1, 3],
        &[tensor("w", FLOAT, &[1, 1, 2], &[10.0, 1.0])],
        vec![ints("pads", &[2, 1])],
    );
    // Of 10 21 32 3, the third.
    close(&deep.run(&[(&[1, 1, 3], &x)]), &[1, 1, 1], &[32.0]);
}

#[test]
fn poolings_round_up_and_count_padding_as_asked() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0];
    let run = |kind: &str, attributes: Vec<Attribute>| {
        one(19, kind, &[1, 1, 5], &[], attributes).run(&[(&[1, 1, 5], &x)])
    };
    let kernel = || ints("kernel_shape", &[2]);
    let up = || vec![kernel(), ints("strides", &[2]), int("ceil_mode", 1)];
    close(&run("MaxPool", up()), &[1, 1, 3], &[2.0, 4.0, 5.0]);
    close(&run("AveragePool", up()), &[1, 1, 3], &[1.5, 3.5, 5.0]);
    let padded = |counts| vec![kernel(), ints("pads", &[1, 0]), int("count_include_pad", counts)];
    close(&run("AveragePool", padded(0)), &[1, 1, 5], &[1.0, 1.5, 2.5, 3.5, 4.5]);
    close(&run("AveragePool", padded(1)), &[1, 1, 5], &[0.5, 1.5, 2.5, 3.5, 4.5]);
    // Values of ONNX Runtime: what rounding up adds is not counted, padding of the file is.
    let wide = |stride, pads: &[i64], counts| {
        vec![
            ints("kernel_shape", &[3]),
            ints("strides", &[stride]),
            ints("pads", pads),
            int("ceil_mode", 1),
            int("count_include_pad", counts),
        ]
    };
    close(&run("AveragePool", wide(3, &[1, 1], 0)), &[1, 1, 2], &[1.5, 4.0]);
    close(&run("AveragePool", wide(3, &[1, 1], 1)), &[1, 1, 2], &[1.0, 4.0]);
    close(&run("AveragePool", wide(4, &[0, 1], 0)), &[1, 1, 2], &[2.0, 5.0]);
    close(&run("AveragePool", wide(4, &[0, 1], 1)), &[1, 1, 2], &[2.0, 2.5]);
    let dilated = vec![ints("kernel_shape", &[3]), ints("dilations", &[2])];
    close(&run("MaxPool", dilated), &[1, 1, 1], &[5.0]);
    let same = vec![kernel(), text("auto_pad", "SAME_LOWER")];
    close(&run("MaxPool", same), &[1, 1, 5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn resizing_has_the_positions_of_its_coordinates_and_rounding() {
    let x = [10.0, 20.0, 30.0, 40.0];
    let run = |size: i64, attributes: Vec<Attribute>| {
        let none = || Tensor::default();
        let sizes = tensor("sizes", INT64, &[3], &[1.0, 1.0, size as f64]);
        let net = one(13, "Resize", &[1, 1, 4], &[none(), none(), sizes], attributes);
        net.run(&[(&[1, 1, 4], &x)]).data
    };
    let mode = |coordinates: &str, nearest: &str| {
        vec![text("coordinate_transformation_mode", coordinates), text("nearest_mode", nearest)]
    };
    // Places 0, 4/3, 8/3 of the image.
    assert_eq!(run(3, mode("asymmetric", "floor")), [10.0, 20.0, 30.0]);
    assert_eq!(run(3, mode("asymmetric", "ceil")), [10.0, 30.0, 40.0]);
    // Places 1/2, 5/2.
    assert_eq!(run(2, mode("half_pixel", "round_prefer_floor")), [10.0, 30.0]);
    assert_eq!(run(2, mode("half_pixel", "round_prefer_ceil")), [20.0, 40.0]);
    let linear =
        |coordinates: &str| vec![text("coordinate_transformation_mode", coordinates), text("mode", "linear")];
    assert_eq!(run(2, linear("half_pixel")), [15.0, 35.0]);
    assert_eq!(run(7, linear("align_corners")), [10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]);
    assert_eq!(run(8, linear("half_pixel")), [10.0, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 40.0]);
    let scales = tensor("s", FLOAT, &[3], &[1.0, 1.0, 2.0]);
    let up = one(9, "Upsample", &[1, 1, 4], &[scales], vec![]);
    assert_eq!(up.run(&[(&[1, 1, 4], &x)]).data, [10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 40.0, 40.0]);
}

#[test]
fn crossed_bounds_give_the_upper_one() {
    let bounds = [tensor("a", FLOAT, &[], &[5.0]), tensor("b", FLOAT, &[], &[2.0])];
    let net = one(13, "Clip", &[3], &bounds, vec![]);
    assert_eq!(net.run(&[(&[3], &[-3.0, 0.0, 9.0])]).data, [2.0; 3]);
    assert_eq!(net.network().graph.nodes.len(), 1);
}

#[test]
fn remainders_of_constants_have_the_sign_that_fmod_says() {
    // Values of ONNX Runtime.
    let rest = |elem, fmod: i64, a: &[f64; 4], b: &[f64; 4]| {
        let mut net = file(13).input("x", FLOAT, &[4]).output("y");
        net.graph().initializer.extend([tensor("a", elem, &[4], a), tensor("b", elem, &[4], b)]);
        let net = net.node("Mod", "a b", "m", vec![int("fmod", fmod)]);
        net.node("Cast", "m", "f", vec![int("to", 1)]).node("Add", "x f", "y", vec![])
    };
    let (a, b) = ([-7.0, 7.0, -7.0, 7.0], [3.0, 3.0, -3.0, -3.0]);
    let x: &[(&[usize], &[f64])] = &[(&[4], &[0.0; 4])];
    assert_eq!(rest(INT64, 0, &a, &b).run(x).data, [2.0, 1.0, -1.0, -2.0]);
    assert_eq!(rest(INT64, 1, &a, &b).run(x).data, [-1.0, 1.0, -1.0, 1.0]);
    let (a, b) = ([-7.5, 7.5, -7.5, 7.5], [2.0, 2.0, -2.0, -2.0]);
    assert_eq!(rest(FLOAT, 1, &a, &b).run(x).data, [-1.5, 1.5, -1.5, 1.5]);
    assert_eq!(
        rest(FLOAT, 0, &a, &b).refusal(),
        "Mod 'm': 'Mod' of floats requires the attribute 'fmod' to be 1"
    );
    let other = one(13, "Add", &[1], &[tensor("c", FLOAT, &[1], &[1.0])], vec![int("fmod", 1)]);
    assert_eq!(other.refusal(), "Add 'y': the attribute 'fmod' is not supported");
}

#[test]
fn softmax_is_over_all_axes_before_version_13() {
    let x = [0.0, 1.0, 2.0, 3.0];
    let new = one(13, "Softmax", &[1, 2, 2], &[], vec![int("axis", 1)]).run(&[(&[1, 2, 2], &x)]);
    let part = |a: f64, b: f64| a.exp() / (a.exp() + b.exp());
    close(&new, &[1, 2, 2], &[part(0.0, 2.0), part(1.0, 3.0), part(2.0, 0.0), part(3.0, 1.0)]);
    let old = one(11, "Softmax", &[1, 2, 2], &[], vec![int("axis", 1)]).run(&[(&[1, 2, 2], &x)]);
    let whole: f64 = x.iter().map(|x| x.exp()).sum();
    close(&old, &[1, 2, 2], &x.map(|x| x.exp() / whole));
}

#[test]
fn elementwise_operators_broadcast_over_images_with_channels_last() {
    let channel = tensor("c", FLOAT, &[2, 1, 1], &[10.0, 20.0]);
    let row = tensor("r", FLOAT, &[3], &[1.0, 2.0, 3.0]);
    let mut net = file(13).input("x", FLOAT, &[1, 2, 1, 3]).output("y");
    net.graph().initializer.extend([channel, row, tensor("w", FLOAT, &[2, 2, 1, 1], &[1.0, 0.0, 0.0, 1.0])]);
    let net =
        net.node("Conv", "x w", "v", vec![]).node("Add", "v c", "a", vec![]).node("Mul", "r a", "y", vec![]);
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let expected = [11.0, 24.0, 39.0, 24.0, 50.0, 78.0];
    close(&net.run(&[(&[1, 2, 1, 3], &x)]), &[1, 2, 1, 3], &expected);
    let transposes = net.network().graph.nodes.iter().filter(|node| node.name == "transpose").count();
    assert_eq!(transposes, 2, "at the edges alone");
}

#[test]
fn activations_are_their_definitions() {
    let x: [f64; 5] = [-2.0, -0.5, 0.0, 0.5, 2.0];
    let run = |kind: &str, attributes| one(22, kind, &[5], &[], attributes).run(&[(&[5], &x)]);
    let softplus = |x: f64| x.exp().ln_1p();
    let elu = |x: f64, a: f64| if x > 0.0 { x } else { a * x.exp_m1() };
    let (elu2, selu) = (|x: f64| elu(x, 2.0), |x: f64| 1.050_701 * elu(x, 1.673_263_2));
    let mish = |x: f64| x * softplus(x).tanh();
    type Case<'a> = (&'a str, Vec<Attribute>, &'a dyn Fn(f64) -> f64);
    let cases: Vec<Case<'_>> = vec![
        ("Relu", vec![], &|x| x.max(0.0)),
        ("LeakyRelu", vec![float("alpha", 0.25)], &|x| if x < 0.0 { 0.25 * x } else { x }),
        ("LeakyRelu", vec![float("alpha", -2.0)], &|x| if x < 0.0 { -2.0 * x } else { x }),
        ("Elu", vec![float("alpha", 2.0)], &elu2),
        ("Celu", vec![float("alpha", 2.0)], &|x| if x > 0.0 { x } else { 2.0 * (x / 2.0).exp_m1() }),
        ("Selu", vec![], &selu),
        ("Softplus", vec![], &softplus),
        ("Mish", vec![], &mish),
        ("Softsign", vec![], &|x| x / (1.0 + x.abs())),
        ("HardSigmoid", vec![], &|x| (0.2 * x + 0.5).clamp(0.0, 1.0)),
        ("HardSwish", vec![], &|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        ("ThresholdedRelu", vec![float("alpha", 0.5)], &|x| if x > 0.5 { x } else { 0.0 }),
        ("Sqrt", vec![], &|x| x.sqrt()),
    ];
    for (kind, attributes, function) in cases {
        let found = run(kind, attributes);
        for (a, b) in found.data.iter().zip(x.map(function)) {
            assert!((a - b).abs() < 1e-5 || a.is_nan() && b.is_nan(), "{kind}: {a}, expected {b}");
        }
    }
    // Values of ONNX Runtime.
    let points = [-3.0, -0.5, 0.5, 2.0];
    let whole = [-0.004_049_7, -0.154_268_8, 0.345_731_2, 1.954_499_7];
    let tanh = [-0.003_637_5, -0.154_286, 0.345_714, 1.954_597_7];
    for (form, expected) in [("none", whole), ("tanh", tanh)] {
        let gelu = one(20, "Gelu", &[4], &[], vec![text("approximate", form)]);
        for (a, b) in gelu.run(&[(&[4], &points)]).data.iter().zip(expected) {
            assert!((a - b).abs() < 2e-6, "{form}: {a}, expected {b}");
        }
    }
    let large = one(22, "Softplus", &[1], &[], vec![]).run(&[(&[1], &[500.0])]);
    assert_eq!(large.data, [500.0], "without overflow");
}

#[test]
fn normalizations_have_the_variance_of_all_elements() {
    let x = [1.0, 3.0, 2.0, 6.0];
    let (scale, bias) = (tensor("s", FLOAT, &[2], &[1.0, 2.0]), tensor("b", FLOAT, &[2], &[0.0, 1.0]));
    let epsilon = || vec![float("epsilon", 0.0)];
    let instance = one(13, "InstanceNormalization", &[1, 2, 2], &[scale.clone(), bias.clone()], epsilon());
    close(&instance.run(&[(&[1, 2, 2], &x)]), &[1, 2, 2], &[-1.0, 1.0, -1.0, 3.0]);
    let layer = one(17, "LayerNormalization", &[1, 2, 2], &[scale.clone(), bias.clone()], epsilon());
    close(&layer.run(&[(&[1, 2, 2], &x)]), &[1, 2, 2], &[-1.0, 3.0, -1.0, 3.0]);
    let group = one(
        21,
        "GroupNormalization",
        &[1, 2, 2],
        &[scale, bias],
        vec![float("epsilon", 0.0), int("num_groups", 1)],
    );
    let deviation = 3.5_f64.sqrt();
    let expected = [-2.0 / deviation, 0.0, -2.0 / deviation + 1.0, 6.0 / deviation + 1.0];
    close(&group.run(&[(&[1, 2, 2], &x)]), &[1, 2, 2], &expected);
    let one_of = |name, value: f64| tensor(name, FLOAT, &[2], &[value, 2.0 * value]);
    let constants = [one_of("s", 2.0), one_of("b", 1.0), one_of("m", 3.0), one_of("v", 4.0)];
    let batch = one(15, "BatchNormalization", &[1, 2, 2], &constants, epsilon());
    let root = 8.0_f64.sqrt();
    let expected = [-1.0, 1.0, 4.0 * -4.0 / root + 2.0, 2.0];
    close(&batch.run(&[(&[1, 2, 2], &x)]), &[1, 2, 2], &expected);
}

#[test]
fn shapes_are_computed_while_the_file_is_read() {
    // Flattening as exporters write it: the shape's first element, and -1.
    let net = file(13)
        .input("x", FLOAT, &[2, 3, 4])
        .output("y")
        .constant("zero", INT64, &[], &[0.0])
        .constant("rest", INT64, &[1], &[-1.0])
        .constant("axis", INT64, &[1], &[0.0])
        .node("Shape", "x", "shape", vec![])
        .node("Gather", "shape zero", "first", vec![int("axis", 0)])
        .node("Unsqueeze", "first axis", "list", vec![])
        .node("Concat", "list rest", "to", vec![int("axis", 0)])
        .node("Reshape", "x to", "y", vec![]);
    let x = wave(24);
    close(&net.run(&[(&[2, 3, 4], &x)]), &[2, 12], &x);
    let network = net.network();
    let fates: Vec<_> = network.record.operators.iter().map(|op| (op.kind.as_str(), op.fate)).collect();
    use crate::Fate::{Folded, Imported};
    let expected = [
        ("Shape", Folded),
        ("Gather", Folded),
        ("Unsqueeze", Folded),
        ("Concat", Folded),
        ("Reshape", Imported),
    ];
    assert_eq!(fates, expected);
    assert_eq!(network.record.operators[4].name, "y");
}

#[test]
fn movements_are_their_definitions() {
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let run = |opset, kind: &str, constants: &[Tensor], attributes| {
        one(opset, kind, &[3, 4], constants, attributes).run(&[(&[3, 4], &x)])
    };
    let list = |name: &str, values: &[f64]| tensor(name, INT64, &[values.len() as i64], values);
    let slice = |start, end, step| {
        run(
            13,
            "Slice",
            &[list("s", &[start]), list("e", &[end]), list("a", &[1.0]), list("t", &[step])],
            vec![],
        )
    };
    close(&slice(-3.0, 100.0, 1.0), &[3, 3], &[1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 9.0, 10.0, 11.0]);
    close(&slice(0.0, 4.0, 2.0), &[3, 2], &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    close(&slice(-1.0, -100.0, -3.0), &[3, 2], &[3.0, 0.0, 7.0, 4.0, 11.0, 8.0]);
    let old = run(9, "Slice", &[], vec![ints("starts", &[1]), ints("ends", &[2])]);
    close(&old, &[1, 4], &[4.0, 5.0, 6.0, 7.0]);
    let indices = tensor("i", INT64, &[2, 1], &[-1.0, 0.0]);
    close(&run(13, "Gather", &[indices], vec![]), &[2, 1, 4], &[8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0]);
    let pads = || list("p", &[0.0, 2.0, 0.0, 1.0]);
    let row = |mode: &str| run(13, "Pad", &[pads()], vec![text("mode", mode)]).data[..7].to_vec();
    assert_eq!(row("reflect"), [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0]);
    assert_eq!(row("edge"), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(row("constant"), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0]);
    let cut = list("p", &[-1.0, 0.0, -1.0, 0.0]);
    close(&run(13, "Pad", &[cut], vec![]), &[1, 4], &[4.0, 5.0, 6.0, 7.0]);
    let spread = run(13, "Expand", &[list("s", &[2.0, 3.0, 4.0])], vec![]);
    close(&spread, &[2, 3, 4], &[&x[..], &x[..]].concat());
    let sums = run(13, "ReduceSum", &[list("a", &[-2.0])], vec![int("keepdims", 0)]);
    close(&sums, &[4], &[12.0, 15.0, 18.0, 21.0]);
    let best = run(13, "ArgMax", &[], vec![int("axis", 1), int("keepdims", 0)]);
    close(&best, &[3], &[3.0, 3.0, 3.0]);
}

#[test]
fn space_becomes_depth_and_back() {
    let x = wave(8 * 2 * 3);
    let mut net = file(13).input("x", FLOAT, &[1, 8, 2, 3]).output("y");
    for mode in ["DCR", "CRD"] {
        net.graph().node.clear();
        let there = || vec![int("blocksize", 2), text("mode", mode)];
        let both = File(net.0.clone()).node("DepthToSpace", "x", "d", there());
        let both = if mode == "DCR" {
            both.node("SpaceToDepth", "d", "y", vec![int("blocksize", 2)])
        } else {
            both.node("SpaceToDepth", "d", "y", there())
        };
        close(&both.run(&[(&[1, 8, 2, 3], &x)]), &[1, 8, 2, 3], &x);
    }
}

#[test]
fn choices_are_relations_with_a_select() {
    let net = file(16)
        .input("x", FLOAT, &[4])
        .output("y")
        .constant("c", FLOAT, &[4], &[0.0, 1.0, 0.0, 1.0])
        .constant("zero", FLOAT, &[], &[0.0])
        .node("LessOrEqual", "x c", "less", vec![])
        .node("Where", "less x zero", "y", vec![]);
    let x = [-1.0, 1.0, 0.5, 2.0];
    close(&net.run(&[(&[4], &x)]), &[4], &[-1.0, 1.0, 0.0, 0.0]);
    let fixed = file(16)
        .input("x", FLOAT, &[2])
        .output("y")
        .constant("m", 9, &[2], &[1.0, 0.0])
        .constant("zero", FLOAT, &[], &[7.0])
        .node("Where", "m x zero", "y", vec![]);
    close(&fixed.run(&[(&[2], &[1.0, 2.0])]), &[2], &[1.0, 7.0]);
}

#[test]
fn a_product_by_constants_is_a_convolution_with_its_bias() {
    let w = tensor("w", FLOAT, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let b = tensor("b", FLOAT, &[2], &[10.0, 20.0]);
    let net = one(13, "Gemm", &[1, 3], &[w, b], vec![int("transB", 1)]);
    close(&net.run(&[(&[1, 3], &[1.0, 1.0, 2.0])]), &[1, 2], &[19.0, 41.0]);
    let nodes = net.network().graph.nodes;
    assert_eq!(nodes.iter().filter(|node| node.name == "conv2d").count(), 1);
    assert!(nodes.iter().all(|node| node.name != "add" && node.name != "matmul"));
    let both = file(13).input("a", FLOAT, &[2, 1, 2]).input("b", FLOAT, &[2, 1]).output("y").node(
        "MatMul",
        "a b",
        "y",
        vec![],
    );
    let found = both.run(&[(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), (&[2, 1], &[10.0, 1.0])]);
    close(&found, &[2, 1, 1], &[12.0, 34.0]);
}
