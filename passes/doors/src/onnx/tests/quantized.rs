//! Quantized operators, against real arithmetic on what codes stand for: within one code, and mostly the same code.

use super::*;

/// Codes, their scale and zero point.
#[derive(Clone)]
struct Codes {
    name: &'static str,
    shape: Vec<i64>,
    codes: Vec<f64>,
    scale: f64,
    zero: f64,
    unsigned: bool,
    constant: bool,
}

fn codes(name: &'static str, shape: &[i64], scale: f64, zero: f64, unsigned: bool) -> Codes {
    let count: i64 = shape.iter().product();
    let low = if unsigned { 0.0 } else { -128.0 };
    let codes = (0..count).map(|i| low + ((i * 89 + 7) % 256) as f64).collect();
    Codes {
        name,
        shape: shape.to_vec(),
        codes,
        scale: f64::from(scale as f32),
        zero,
        unsigned,
        constant: false,
    }
}

fn weights(name: &'static str, shape: &[i64], scale: f64) -> Codes {
    Codes { constant: true, ..codes(name, shape, scale, 0.0, false) }
}

impl Codes {
    fn reals(&self) -> Vec<f64> {
        self.codes.iter().map(|code| (code - self.zero) * self.scale).collect()
    }

    fn elem(&self) -> i32 {
        if self.unsigned { UINT8 } else { INT8 }
    }

    fn parameters(&self, net: File) -> File {
        net.constant(&format!("{}_s", self.name), FLOAT, &[], &[self.scale]).constant(
            &format!("{}_z", self.name),
            self.elem(),
            &[],
            &[self.zero],
        )
    }

    /// Its codes in the network.
    fn array(&self) -> Array {
        let shift = if self.unsigned { 128.0 } else { 0.0 };
        let shape = self.shape.iter().map(|&d| d as usize).collect();
        Array { shape, data: self.codes.iter().map(|code| code - shift).collect() }
    }
}

/// The operator between `DequantizeLinear` and `QuantizeLinear`, with floats outside.
fn qdq(
    opset: i64,
    kind: &str,
    operands: &[Codes],
    to: &Codes,
    more: &str,
    attributes: Vec<Attribute>,
) -> File {
    let mut net = file(opset).output("y");
    let mut names = String::new();
    for of in operands {
        let name = of.name;
        net = of.parameters(net);
        let q = format!("{name}_q");
        net = if of.constant {
            net.constant(&q, of.elem(), &of.shape, &of.codes)
        } else {
            net.input(name, FLOAT, &of.shape).node(
                "QuantizeLinear",
                &format!("{name} {name}_s {name}_z"),
                &q,
                vec![],
            )
        };
        net = net.node("DequantizeLinear", &format!("{q} {name}_s {name}_z"), &format!("{name}_d"), vec![]);
        names += &format!("{name}_d ");
    }
    to.parameters(net)
        .node(kind, &format!("{names} {more}"), "made", attributes)
        .node("QuantizeLinear", &format!("made {0}_s {0}_z", to.name), "q", vec![])
        .node("DequantizeLinear", &format!("q {0}_s {0}_z", to.name), "y", vec![])
}

/// Compares a network's codes with the rounding of real numbers.
fn check(net: &File, operands: &[Codes], to: &Codes, expected: &[f64]) {
    let network = net.network();
    let computed: Vec<&Codes> = operands.iter().filter(|of| !of.constant).collect();
    for (port, of) in network.graph.inputs.iter().zip(&computed) {
        let shift = if of.unsigned { 128 } else { 0 };
        let meaning = port.codes.unwrap();
        assert_eq!((meaning.scale, meaning.zero_point), (of.scale, of.zero as i32 - shift));
    }
    let inputs: Vec<Array> = computed.iter().map(|of| of.array()).collect();
    let found = evaluate(&network.graph, &inputs).remove(0);
    assert_eq!(found.data.len(), expected.len());
    let (low, shift) = if to.unsigned { (0.0, 128.0) } else { (-128.0, 0.0) };
    let mut different = 0;
    for (place, (found, real)) in found.data.iter().zip(expected).enumerate() {
        let code = ((real / to.scale).round_ties_even() + to.zero).clamp(low, low + 255.0);
        let off = (found + shift - code).abs();
        assert!(off <= 1.0, "element {place}: code {}, expected {code}", found + shift);
        different += usize::from(off > 0.0);
    }
    assert!(different * 50 <= expected.len(), "{different} of {} codes differ", expected.len());
}

#[test]
fn a_convolution_has_a_bias_of_32_bits_and_weights_by_channel() {
    for unsigned in [false, true] {
        let x = codes("x", &[1, 3, 4, 4], 0.02, if unsigned { 100.0 } else { -20.0 }, unsigned);
        let to = codes("to", &[], 0.09, if unsigned { 130.0 } else { 3.0 }, unsigned);
        let w = weights("w", &[2, 3, 1, 1], 0.0);
        let (scales, bias) = ([f64::from(0.01_f32), f64::from(0.03_f32)], [500.0, -300.0]);
        let units = scales.map(|s| f64::from((s * x.scale) as f32));
        let net = x
            .parameters(to.parameters(file(13)))
            .input("x", x.elem(), &[1, 3, 4, 4])
            .output("q")
            .constant("w_q", INT8, &[2, 3, 1, 1], &w.codes)
            .constant("w_s", FLOAT, &[2], &scales)
            .constant("w_z", INT8, &[2], &[0.0, 0.0])
            .constant("b_q", INT32, &[2], &bias)
            .constant("b_s", FLOAT, &[2], &units)
            .constant("b_z", INT32, &[2], &[0.0, 0.0])
            .node("DequantizeLinear", "x x_s x_z", "x_d", vec![])
            .node("DequantizeLinear", "w_q w_s w_z", "w_d", vec![int("axis", 0)])
            .node("DequantizeLinear", "b_q b_s b_z", "b_d", vec![int("axis", 0)])
            .node("Conv", "x_d w_d b_d", "v", vec![])
            .node("Relu", "v", "made", vec![])
            .node("QuantizeLinear", "made to_s to_z", "q", vec![]);
        let reals = x.reals();
        let expected: Vec<f64> = (0..2)
            .flat_map(|o| (0..16).map(move |i| (o, i)))
            .map(|(o, i)| {
                let sum: f64 = (0..3).map(|c| reals[c * 16 + i] * w.codes[o * 3 + c] * scales[o]).sum();
                (sum + bias[o] * units[o]).max(0.0)
            })
            .collect();
        check(&net, &[x], &to, &expected);
        let output = &net.network().graph.outputs[0];
        assert_eq!(
            (output.unsigned, output.codes.unwrap().zero_point),
            (unsigned, if unsigned { 2 } else { 3 })
        );
    }
}

#[test]
fn sums_products_and_extrema_are_rounded_once() {
    let a = codes("a", &[1, 2, 32, 4], 0.0213, 10.0, false);
    let b = codes("b", &[1, 2, 1, 4], 0.0517, 100.0, true);
    let to = codes("to", &[], 0.0737, 5.0, false);
    let (x, y) = (a.reals(), b.reals());
    type Case<'a> = (&'a str, fn(f64, f64) -> f64);
    let cases: [Case<'_>; 5] = [
        ("Add", |a, b| a + b),
        ("Sub", |a, b| a - b),
        ("Mul", |a, b| a * b),
        ("Max", f64::max),
        ("Min", f64::min),
    ];
    for (kind, function) in cases {
        let net = qdq(13, kind, &[a.clone(), b.clone()], &to, "", vec![]);
        let expected: Vec<f64> = (0..256).map(|i| function(x[i], y[i / 128 * 4 + i % 4])).collect();
        check(&net, &[a.clone(), b.clone()], &to, &expected);
    }
    let half =
        qdq(13, "Mul", std::slice::from_ref(&a), &to, "half", vec![]).constant("half", FLOAT, &[], &[0.37]);
    check(
        &half,
        std::slice::from_ref(&a),
        &to,
        &x.iter().map(|x| x * f64::from(0.37_f32)).collect::<Vec<_>>(),
    );
    let sixth =
        qdq(13, "Div", std::slice::from_ref(&a), &to, "six", vec![]).constant("six", FLOAT, &[], &[6.0]);
    check(&sixth, &[a], &to, &x.iter().map(|x| x / 6.0).collect::<Vec<_>>());
}

#[test]
fn functions_are_tables_and_clamps_keep_codes() {
    let x = codes("x", &[256], 0.03, 7.0, false);
    let reals = x.reals();
    let to = codes("to", &[], 0.0173, -10.0, false);
    type Case<'a> = (&'a str, Vec<Attribute>, &'a dyn Fn(f64) -> f64);
    let cases: Vec<Case<'_>> = vec![
        ("Sigmoid", vec![], &|x| 1.0 / (1.0 + (-x).exp())),
        ("Tanh", vec![], &f64::tanh),
        ("HardSwish", vec![], &|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        ("LeakyRelu", vec![float("alpha", 0.25)], &|x| if x < 0.0 { 0.25 * x } else { x }),
        ("Elu", vec![], &|x| if x > 0.0 { x } else { x.exp_m1() }),
        ("Relu", vec![], &|x| x.max(0.0)),
    ];
    for (kind, attributes, function) in cases {
        let net = qdq(14, kind, std::slice::from_ref(&x), &to, "", attributes);
        check(&net, std::slice::from_ref(&x), &to, &reals.iter().map(|&x| function(x)).collect::<Vec<_>>());
    }
    let same = codes("to", &[], 0.03, 7.0, false);
    let net = qdq(13, "Clip", std::slice::from_ref(&x), &same, "low high", vec![]);
    let net = net.constant("low", FLOAT, &[], &[-0.6]).constant("high", FLOAT, &[], &[1.5]);
    let names: Vec<_> = net.network().graph.nodes.iter().map(|node| node.name).collect();
    assert_eq!(names, ["clamp"], "no rescale");
    check(&net, &[x], &same, &reals.iter().map(|x| x.clamp(-0.6, 1.5)).collect::<Vec<_>>());
}

#[test]
fn means_of_any_codes_are_rounded_once() {
    let x = codes("x", &[1, 2, 5, 5], 0.02, 3.0, false);
    let reals = x.reals();
    let to = codes("to", &[], 0.011, -4.0, false);
    let kernel = || ints("kernel_shape", &[3, 3]);
    let pads = || ints("pads", &[1, 1, 1, 1]);
    for counts in [0, 1] {
        let attributes = vec![kernel(), pads(), int("count_include_pad", counts)];
        let net = qdq(13, "AveragePool", std::slice::from_ref(&x), &to, "", attributes);
        let mut expected = Vec::new();
        for (c, (i, j)) in (0..2).flat_map(|c| (0..25).map(move |p| (c, (p / 5, p % 5)))) {
            let (mut sum, mut number) = (0.0, 0);
            for (y, x) in (0..9).map(|t| (i + t / 3, j + t % 3)) {
                if (1..6).contains(&y) && (1..6).contains(&x) {
                    sum += reals[c * 25 + (y - 1) * 5 + x - 1];
                    number += 1;
                }
            }
            expected.push(sum / f64::from(if counts == 1 { 9 } else { number }));
        }
        check(&net, std::slice::from_ref(&x), &to, &expected);
    }
    let expected: Vec<f64> = reals.chunks(25).map(|c| c.iter().sum::<f64>() / 25.0).collect();
    check(
        &qdq(13, "GlobalAveragePool", std::slice::from_ref(&x), &to, "", vec![]),
        std::slice::from_ref(&x),
        &to,
        &expected,
    );
    let axes = vec![ints("axes", &[2, 3]), int("keepdims", 0)];
    check(&qdq(13, "ReduceMean", std::slice::from_ref(&x), &to, "", axes), &[x], &to, &expected);
}

#[test]
fn a_softmax_has_the_precision_of_its_result() {
    let x = codes("x", &[2, 128], 0.01, 3.0, false);
    let reals = x.reals();
    // Finer than 1/256.
    let to = codes("to", &[], 0.0004, -128.0, false);
    let expected: Vec<f64> = reals
        .chunks(128)
        .flat_map(|row| {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(move |x| x.exp() / sum)
        })
        .collect();
    check(&qdq(13, "Softmax", std::slice::from_ref(&x), &to, "", vec![]), &[x], &to, &expected);
}

#[test]
fn operands_of_a_concatenation_are_brought_to_the_codes_of_the_result() {
    let a = codes("a", &[1, 2, 8], 0.02, 10.0, false);
    let b = codes("b", &[1, 3, 8], 0.03, -5.0, false);
    let to = codes("to", &[], 0.03, -5.0, false);
    let net = qdq(13, "Concat", &[a.clone(), b.clone()], &to, "", vec![int("axis", 1)]);
    check(&net, &[a.clone(), b.clone()], &to, &[a.reals(), b.reals()].concat());
}

#[test]
fn images_of_codes_are_resized() {
    let x = codes("x", &[1, 1, 1, 4], 0.02, 10.0, false);
    let r = x.reals();
    let to = codes("to", &[], 0.02, 10.0, false);
    let sizes = |net: File| net.constant("sizes", INT64, &[4], &[1.0, 1.0, 1.0, 8.0]);
    let mode = |mode: &str| vec![text("mode", mode)];
    let linear = sizes(qdq(13, "Resize", std::slice::from_ref(&x), &to, "- - sizes", mode("linear")));
    let mix = |a: f64, b: f64| 0.75 * a + 0.25 * b;
    let expected = [
        r[0],
        mix(r[0], r[1]),
        mix(r[1], r[0]),
        mix(r[1], r[2]),
        mix(r[2], r[1]),
        mix(r[2], r[3]),
        mix(r[3], r[2]),
        r[3],
    ];
    check(&linear, std::slice::from_ref(&x), &to, &expected);
    let nearest = sizes(qdq(13, "Resize", std::slice::from_ref(&x), &to, "- - sizes", mode("nearest")));
    check(&nearest, &[x], &to, &[r[0], r[0], r[1], r[1], r[2], r[2], r[3], r[3]]);
}

/// The QOperator form of an operator of two operands with a result.
#[test]
fn operators_with_scales_are_those_between_conversions() {
    let a = codes("a", &[4, 64], 0.02, 10.0, false);
    let w = weights("w", &[64, 3], 0.01);
    let b = codes("b", &[4, 64], 0.03, 130.0, true);
    let to = codes("to", &[], 0.3, 2.0, false);
    let base = |kind: &str, with: &Codes, names: &str| {
        let net =
            to.parameters(with.parameters(a.parameters(file(13)))).output("y").input("a", INT8, &[4, 64]);
        let net = if with.constant {
            net.constant(with.name, INT8, &with.shape, &with.codes)
        } else {
            net.input(with.name, with.elem(), &with.shape)
        };
        net.node(kind, names, "y", vec![])
    };
    let (x, v, y) = (a.reals(), w.reals(), b.reals());
    let products: Vec<f64> =
        (0..12).map(|i| (0..64).map(|k| x[i / 3 * 64 + k] * v[k * 3 + i % 3]).sum()).collect();
    let net = base("QLinearMatMul", &w, "a a_s a_z w w_s w_z to_s to_z");
    check(&net, std::slice::from_ref(&a), &to, &products);
    let net = base("QGemm@com.microsoft", &w, "a a_s a_z w w_s w_z - to_s to_z");
    check(&net, std::slice::from_ref(&a), &to, &products);
    let net = base("QLinearAdd@com.microsoft", &b, "a a_s a_z b b_s b_z to_s to_z");
    let sums: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
    check(&net, &[a.clone(), b], &to, &sums);
    let net = base("QLinearSigmoid@com.microsoft", &w, "a a_s a_z to_s to_z");
    check(
        &net,
        std::slice::from_ref(&a),
        &to,
        &x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect::<Vec<_>>(),
    );
}

#[test]
fn weights_alone_leave_a_network_in_floats() {
    let net = file(13)
        .input("x", FLOAT, &[1, 2])
        .output("y")
        .constant("w", INT8, &[2, 1], &[3.0, -2.0])
        .constant("s", FLOAT, &[], &[0.5])
        .node("DequantizeLinear", "w s", "d", vec![])
        .node("MatMul", "x d", "y", vec![]);
    assert_eq!(net.run(&[(&[1, 2], &[1.0, 2.0])]).data, [-0.5]);
}

#[test]
fn weights_of_floats_that_are_quantized_in_the_file_are_folded() {
    let x = codes("x", &[1, 2], 0.02, 0.0, false);
    let to = codes("to", &[], 0.02, 0.0, false);
    let net = to
        .parameters(x.parameters(file(13)))
        .input("x", INT8, &[1, 2])
        .output("y")
        .constant("w", FLOAT, &[2, 1], &[0.26, -0.24])
        .constant("s", FLOAT, &[], &[0.1])
        .constant("z", INT8, &[], &[0.0])
        .node("QuantizeLinear", "w s z", "w_q", vec![])
        .node("DequantizeLinear", "w_q s z", "w_d", vec![])
        .node("DequantizeLinear", "x x_s x_z", "x_d", vec![])
        .node("MatMul", "x_d w_d", "v", vec![])
        .node("QuantizeLinear", "v to_s to_z", "y", vec![]);
    let r = x.reals();
    check(&net, &[x], &to, &[0.3 * r[0] - 0.2 * r[1]]);
}

/// Codes by an operator between conversions; expected codes are those of ONNX Runtime.
fn between(
    elem: i32,
    x: &[f64],
    kind: &str,
    [scale, zero]: [f64; 2],
    [to_scale, to_zero]: [f64; 2],
    more: &[Tensor],
) -> File {
    let mut net = file(17)
        .input("x", elem, &[x.len() as i64])
        .output("y")
        .constant("xs", FLOAT, &[], &[scale])
        .constant("xz", elem, &[], &[zero])
        .constant("ys", FLOAT, &[], &[to_scale])
        .constant("yz", elem, &[], &[to_zero])
        .node("DequantizeLinear", "x xs xz", "d", vec![]);
    net.graph().initializer.extend(more.iter().cloned());
    let more: String = more.iter().map(|tensor| format!(" {}", tensor.name)).collect();
    net.node(kind, &format!("d{more}"), "made", vec![]).node("QuantizeLinear", "made ys yz", "y", vec![])
}

#[test]
fn padding_of_real_numbers_is_rounded_to_the_codes_of_the_result() {
    let pads = || tensor("p", INT64, &[2], &[1.0, 0.0]);
    let padded = |elem, x: &[f64], value: f64, from, to| {
        let net = between(elem, x, "Pad", from, to, &[pads(), tensor("v", FLOAT, &[], &[value])]);
        let shift = if elem == UINT8 { 128.0 } else { 0.0 };
        let codes: Vec<f64> = x.iter().map(|code| code - shift).collect();
        net.run(&[(&[x.len()], &codes)]).data.iter().map(|code| code + shift).collect::<Vec<f64>>()
    };
    let x = [10.0, 200.0, 0.0];
    assert_eq!(padded(UINT8, &x, 0.0, [0.5, 3.0], [0.5, 3.0]), [3.0, 10.0, 200.0, 0.0]);
    assert_eq!(padded(UINT8, &x, 1.3, [0.5, 3.0], [0.5, 3.0]), [6.0, 10.0, 200.0, 0.0]);
    assert_eq!(padded(UINT8, &x, 7.3, [0.5, 3.0], [0.1, 20.0]), [93.0, 55.0, 255.0, 5.0]);
    // Beyond the operand's codes, not beyond the result's.
    assert_eq!(padded(UINT8, &x, 200.0, [0.5, 3.0], [2.0, 5.0]), [105.0, 7.0, 54.0, 4.0]);
    let x = [10.0, -100.0, 0.0];
    assert_eq!(padded(INT8, &x, -2.8, [0.5, 3.0], [0.25, -7.0]), [-18.0, 7.0, -128.0, -13.0]);
}

#[test]
fn padding_of_codes_is_a_code() {
    let net = |elem, value: Option<f64>| {
        let net = file(13).input("x", elem, &[3]).output("y").constant("p", INT64, &[2], &[1.0, 0.0]);
        match value {
            None => net.node("Pad", "x p", "y", vec![]),
            Some(value) => net.constant("v", elem, &[], &[value]).node("Pad", "x p v", "y", vec![]),
        }
    };
    // 0, 10, 200 and 0 of the file are 128 less in the network.
    let codes = net(UINT8, None).run(&[(&[3], &[-118.0, 72.0, -128.0])]);
    assert_eq!(codes.data, [-128.0, -118.0, 72.0, -128.0]);
    let codes = net(INT8, Some(7.0)).run(&[(&[3], &[10.0, -100.0, 0.0])]);
    assert_eq!(codes.data, [7.0, 10.0, -100.0, 0.0]);
}

#[test]
fn without_rounding_behind_them_paddings_and_bounds_are_codes() {
    let ended = |kind: &str, constants: &[Tensor]| {
        let net = between(INT8, &[1.0], kind, [0.5, 3.0], [0.25, 3.0], constants);
        net.import(&Options { cut: vec!["made".into()], ..Options::default() })
    };
    let number = |name: &str, value: f64| tensor(name, FLOAT, &[], &[value]);
    let pads = || tensor("p", INT64, &[2], &[1.0, 0.0]);
    let padded = ended("Pad", &[pads(), number("v", 1.3)]).unwrap_err().to_string();
    assert_eq!(
        padded,
        "Pad 'made': the padding value 1.3 is not exactly representable by a code of scale 0.5"
    );
    // The code 128 is one above the largest.
    let beyond = ended("Pad", &[pads(), number("v", 62.5)]).unwrap_err().to_string();
    assert_eq!(
        beyond,
        "Pad 'made': the padding value 62.5 is not exactly representable by a code of scale 0.5"
    );
    let network = ended("Pad", &[pads(), number("v", 1.5)]).unwrap();
    let x = Array { shape: vec![1], data: vec![1.0] };
    assert_eq!(evaluate(&network.graph, std::slice::from_ref(&x))[0].data, [6.0, 1.0]);
    let clipped = ended("Clip", &[number("low", -0.3)]).unwrap_err().to_string();
    assert_eq!(clipped, "Clip 'made': its operands are quantized, its result is not");
    // -0.5 is the code 2, and -100 is below all codes.
    for (low, expected) in [(-0.5, 2.0), (-100.0, 1.0)] {
        let network = ended("Clip", &[number("low", low)]).unwrap();
        assert_eq!(evaluate(&network.graph, std::slice::from_ref(&x))[0].data, [expected]);
    }
}

#[test]
fn outputs_are_not_rounded_to_the_codes_of_other_readers() {
    let net = between(INT8, &[1.0], "Sigmoid", [0.5, 3.0], [0.01, 3.0], &[]);
    assert!(net.import(&Options::default()).is_ok());
    let both = net.output("made");
    assert_eq!(both.refusal(), "Sigmoid 'made': its operands are quantized, its result is not");
    let input = file(13)
        .input("x", FLOAT, &[1])
        .output("y")
        .output("x")
        .constant("s", FLOAT, &[], &[0.5])
        .node("QuantizeLinear", "x s", "y", vec![]);
    assert_eq!(input.refusal(), "QuantizeLinear 'y': it quantizes what is computed in floats");
    let cut = File(both.0.clone());
    let cut = cut.import(&Options { cut: vec!["made".into(), "y".into()], ..Options::default() });
    let expected = "Sigmoid 'made': its operands are quantized, its result is not";
    assert_eq!(cut.unwrap_err().to_string(), expected);
}

#[test]
fn axes_of_a_quantized_reduction_are_integers() {
    let axes = tensor("a", FLOAT, &[1], &[0.0]);
    let net = between(INT8, &[1.0, 2.0], "ReduceSum", [0.5, 3.0], [0.5, 3.0], &[axes]);
    assert_eq!(net.refusal(), "ReduceSum 'made': operand 1 must be integers, got float32");
}

#[test]
fn a_clamp_of_codes_with_crossed_bounds_is_its_upper_one() {
    let bounds = [tensor("a", FLOAT, &[], &[5.0]), tensor("b", FLOAT, &[], &[2.0])];
    let net = between(INT8, &[0.0; 3], "Clip", [0.5, 3.0], [0.5, 3.0], &bounds);
    assert_eq!(net.run(&[(&[3], &[-100.0, 3.0, 100.0])]).data, [7.0; 3]);
}
