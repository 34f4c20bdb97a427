//! Quantized networks, computed by `strum-ref`, against their float networks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/integer.rs"]
mod integer;

use ndarray::IxDyn;
use proptest::prelude::*;
use strum_float::quantize::{
    InputStatistics, IntGraph, IntOp, QuantizeError, RangeChoice, WeightScales, correct_bias, observe,
    observe_inputs, quantize,
};
use strum_float::{Binary, Graph, Op, Reduction, Tensor, Unary, ValueId, Window};

use common::{Dice, network, network_of};
use integer::{run, sqnr};

fn quantized(graph: &Graph, x: &Tensor, choice: RangeChoice) -> Result<IntGraph, QuantizeError> {
    let graph = graph.canonicalize().unwrap();
    let ranges = observe(&graph, &[vec![x.clone()]], choice).unwrap();
    quantize(&graph, &ranges, WeightScales::PerChannel)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn one_operator_behind_a_convolution_loses_little(seed: u64) {
        let (graph, x) = network_of(Dice(seed), 2);
        let expected = graph.eval(std::slice::from_ref(&x)).unwrap();
        let int = quantized(&graph, &x, RangeChoice::MinMax).unwrap();
        let got = run(&int, &x);
        let quality = sqnr(&expected[0], &got);
        // A signal that is small in its range has a low ratio by rounding alone.
        let worst = expected[0].iter().zip(&got).map(|(&x, y)| (f64::from(x) - y).abs()).fold(0.0, f64::max);
        let steps = worst / int.outputs[0].params.scale;
        prop_assert!(quality > 20.0 || steps <= 2.0, "{quality} dB, {steps} steps: {:?}", int.nodes);
    }

    #[test]
    fn every_network_has_an_integer_form(seed: u64) {
        let (graph, x) = network(seed);
        let int = quantized(&graph, &x, RangeChoice::MinMax).unwrap();
        let again = quantized(&graph, &x, RangeChoice::MinMax).unwrap();
        prop_assert_eq!(&int.nodes, &again.nodes);
        run(&int, &x);
    }
}

/// The mean of each input channel and of its square, from the codes that the layer reads, one by one.
fn naive_statistics(codes: &[i64], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let of = |channel: usize, f: &dyn Fn(i64) -> i64| {
        let own: Vec<i64> = codes.iter().skip(channel).step_by(channels).map(|&c| f(c)).collect();
        own.iter().sum::<i64>() as f64 / own.len() as f64
    };
    ((0..channels).map(|c| of(c, &|x| x)).collect(), (0..channels).map(|c| of(c, &|x| x * x)).collect())
}

#[test]
fn layers_know_their_inputs_and_bias_correction_keeps_the_mean() {
    let window = Window { stride: [1, 1], dilation: [1, 1], before: [0, 0], after: [0, 0] };
    for depthwise in [false, true] {
        let graph = single(&[1, 4, 5, 3], |graph, x| {
            let op = if depthwise { Op::DepthwiseConv2d(window) } else { Op::Conv2d(window) };
            let shape = if depthwise { [1, 1, 3, 2] } else { [2, 1, 1, 3] };
            let w = graph.constant(ramp(&shape, -0.777, 0.31)).unwrap();
            let b = graph.constant(ramp(&[if depthwise { 6 } else { 2 }], 0.1, 0.3)).unwrap();
            graph.push(op, &[x, w, b]).unwrap()
        });
        let samples: Vec<_> =
            [(0.2, 1.0), (-0.1, 3.0)].iter().map(|&(a, b)| vec![ramp(&[1, 4, 5, 3], a, b)]).collect();
        let ranges = observe(&graph, &samples, RangeChoice::MinMax).unwrap();
        let mut int = quantize(&graph, &ranges, WeightScales::PerTensor).unwrap();
        assert!(correct_bias(&graph, &mut int).is_err(), "nothing was observed");
        observe_inputs(&graph, &samples, &mut int).unwrap();
        let params = int.inputs[0].params;
        let codes: Vec<i64> = samples
            .iter()
            .flat_map(|s| s[0].iter())
            .map(|&x| i64::from(params.code(x.into()) - params.zero_point))
            .collect();
        let (mean, square) = naive_statistics(&codes, 3);
        let weights = |int: &IntGraph| match &int.nodes[0].op {
            IntOp::Conv2d(_, weights) | IntOp::DepthwiseConv2d(_, weights) => weights.clone(),
            _ => panic!("the first operator is the layer"),
        };
        assert_eq!(weights(&int).inputs, Some(InputStatistics { mean, square }));
        // The mean of all results of a channel against that of the float layer, whose inputs are the codes' values.
        let coded = |x: &Tensor| x.mapv(|x| params.value(params.code(x.into())) as f32);
        let off = |int: &IntGraph| {
            let weights = weights(int);
            let scale = weights.source.scales[0] * params.scale;
            let outputs = if depthwise { 6 } else { 2 };
            let mut off = vec![0f64; outputs];
            for sample in &samples {
                let exact = graph.eval(&[coded(&sample[0])]).unwrap();
                let x: Vec<i64> =
                    sample[0].iter().map(|&x| i64::from(params.code(x.into()) - params.zero_point)).collect();
                for (pixel, x) in x.chunks(3).enumerate() {
                    for (o, off) in off.iter_mut().enumerate() {
                        let sum: i64 = match depthwise {
                            true => x[o / 2] * i64::from(weights.codes[o]),
                            false => (0..3).map(|i| x[i] * i64::from(weights.codes[o * 3 + i])).sum(),
                        };
                        let got = (sum + i64::from(weights.bias[o])) as f64 * scale;
                        *off += f64::from(exact[0].as_slice().unwrap()[pixel * outputs + o]) - got;
                    }
                }
            }
            off.iter().map(|off| off.abs() / 40.0 / scale).fold(0.0, f64::max)
        };
        let before = off(&int);
        correct_bias(&graph, &mut int).unwrap();
        // Two roundings remain: that of the bias before and after.
        let after = off(&int);
        assert!(before > 2.0 && after < 1.01, "{before} {after}");
    }
}

/// One input, one operator.
fn single(shape: &[usize], build: impl FnOnce(&mut Graph, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input(shape).unwrap();
    let y = build(&mut graph, x);
    graph.output(y).unwrap();
    graph
}

fn ramp(shape: &[usize], from: f32, to: f32) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::from_shape_vec(
        IxDyn(shape),
        (0..n).map(|i| from + (to - from) * i as f32 / (n - 1) as f32).collect(),
    )
    .unwrap()
}

#[test]
fn functions_of_one_value_become_one_table() {
    // x · clamp(x + 3, 0, 6) / 6, the exporters' form of hard swish.
    let graph = single(&[1, 256], |g, x| {
        let number = |g: &mut Graph, v: f32| g.constant(Tensor::from_elem(IxDyn(&[1, 1]), v)).unwrap();
        let (three, sixth) = (number(g, 3.0), number(g, 1.0 / 6.0));
        let sum = g.push(Op::Binary(Binary::Add), &[x, three]).unwrap();
        let clamped = g.push(Op::Clamp { min: 0.0, max: 6.0 }, &[sum]).unwrap();
        let product = g.push(Op::Binary(Binary::Mul), &[x, clamped]).unwrap();
        g.push(Op::Binary(Binary::Mul), &[product, sixth]).unwrap()
    });
    let x = ramp(&[1, 256], -8.0, 8.0);
    let int = quantized(&graph, &x, RangeChoice::MinMax).unwrap();
    let names: Vec<&str> = int.nodes.iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["table"]);
    assert!(sqnr(&graph.eval(std::slice::from_ref(&x)).unwrap()[0], &run(&int, &x)) > 40.0);
}

/// 1 / (1 + exp(-x)), linalg's form of the sigmoid: exp overflows where the function is 0.
#[test]
fn functions_may_leave_the_numbers_on_the_way() {
    let sigmoid = |g: &mut Graph, x: ValueId| {
        let one = g.constant(Tensor::from_elem(IxDyn(&[1, 1]), 1.0)).unwrap();
        let minus = g.push(Op::Unary(Unary::Negate), &[x]).unwrap();
        let exp = g.push(Op::Unary(Unary::Exp), &[minus]).unwrap();
        (exp, g.push(Op::Binary(Binary::Add), &[exp, one]).unwrap())
    };
    let x = ramp(&[1, 256], -200.0, 200.0);
    for choice in [RangeChoice::MinMax, RangeChoice::Percentile(0.01), RangeChoice::Mse] {
        let graph = single(&[1, 256], |g, x| {
            let (_, sum) = sigmoid(g, x);
            g.push(Op::Unary(Unary::Reciprocal), &[sum]).unwrap()
        });
        let int = quantized(&graph, &x, choice).unwrap();
        assert!(sqnr(&graph.eval(std::slice::from_ref(&x)).unwrap()[0], &run(&int, &x)) > 30.0);
        // An infinite value that needs codes is refused.
        let infinite = single(&[1, 256], |g, x| sigmoid(g, x).0);
        let error = quantized(&infinite, &x, choice).unwrap_err();
        assert_eq!(error.reason, "no finite range was observed for this value");
    }
}

#[test]
fn a_clamp_behind_a_layer_costs_nothing_when_its_range_is_the_codes() {
    let mut dice = Dice(3);
    let graph = single(&[1, 4, 4, 2], |g, x| {
        let (w, b) =
            (g.constant(dice.tensor(&[3, 1, 1, 2])).unwrap(), g.constant(dice.tensor(&[3])).unwrap());
        let y = g.push(Op::Conv2d(Window::UNIT), &[x, w, b]).unwrap();
        g.push(Op::Clamp { min: 0.0, max: f32::MAX }, &[y]).unwrap()
    });
    let int = quantized(&graph, &ramp(&[1, 4, 4, 2], -3.0, 3.0), RangeChoice::MinMax).unwrap();
    let names: Vec<&str> = int.nodes.iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["conv2d", "rescale"]);
    assert_eq!(int.outputs[0].params.zero_point, -128);
}

/// Like the mean of a layer normalization's result, which is 0 except for rounding: with a scale of its own, what is not exactly
/// 0 after quantization would be multiplied beyond 32 bits.
#[test]
fn sums_that_cancel_fit_their_bits() {
    let build: [fn(&mut Graph, ValueId) -> ValueId; 2] = [
        |g, x| g.push(Op::Reduce { reduction: Reduction::Sum, axis: 1 }, &[x]).unwrap(),
        |g, x| {
            let half = g.push(Op::Slice { start: vec![0, 0], size: vec![1, 48] }, &[x]).unwrap();
            let other = g.push(Op::Slice { start: vec![0, 48], size: vec![1, 48] }, &[x]).unwrap();
            g.push(Op::Binary(Binary::Add), &[half, other]).unwrap()
        },
    ];
    let x = Tensor::from_shape_fn(IxDyn(&[1, 96]), |at| if at[1] < 48 { 1.0 } else { -1.0 + 1e-7 });
    for build in build {
        let int = quantized(&single(&[1, 96], build), &x, RangeChoice::MinMax).unwrap();
        let last = int.nodes.last().unwrap();
        let IntOp::Rescale { scales, .. } = &last.op else { panic!("{} at the end", last.op.name()) };
        // RESCALE requires values below 2^(shift - 1); sums of 96 codes need 15 bits, sums of two are made 20 bits above.
        assert!(scales.iter().all(|scale| scale.shift > 15), "{scales:?}");
    }
}

#[test]
fn what_has_no_integer_form_is_refused_with_its_place() {
    let graph = single(&[1, 8], |g, x| {
        g.set_tag(7);
        let y = g.push(Op::Unary(Unary::Sigmoid), &[x]).unwrap();
        let turned = g.push(Op::Reshape { shape: vec![8, 1] }, &[y]).unwrap();
        let back = g.push(Op::Transpose { perms: vec![1, 0] }, &[turned]).unwrap();
        let far = g.push(Op::Binary(Binary::Add), &[x, back]).unwrap();
        g.push(Op::Binary(Binary::Pow), &[x, far]).unwrap()
    });
    let error = quantized(&graph, &ramp(&[1, 8], 0.5, 2.0), RangeChoice::MinMax).unwrap_err();
    assert_eq!(error.tag, Some(7));
    assert!(error.reason.contains("pow"), "{error}");
}

#[test]
fn odd_weights_and_values() {
    let conv = |weights: Vec<f32>, bias: f32| {
        single(&[1, 2, 2, 1], |g, x| {
            let shape = IxDyn(&[weights.len(), 1, 1, 1]);
            let n = weights.len();
            let w = g.constant(Tensor::from_shape_vec(shape, weights).unwrap()).unwrap();
            let b = g.constant(Tensor::from_elem(IxDyn(&[n]), bias)).unwrap();
            g.push(Op::Conv2d(Window::UNIT), &[x, w, b]).unwrap()
        })
    };
    let x = ramp(&[1, 2, 2, 1], -1.0, 1.0);
    // A channel of zeros, one that is nearly dead, and one of ordinary size, with a bias far above the weights.
    let graph = conv(vec![0.0, 1e-12, 0.5], 3.0);
    let got = run(&quantized(&graph, &x, RangeChoice::MinMax).unwrap(), &x);
    assert!(sqnr(&graph.eval(std::slice::from_ref(&x)).unwrap()[0], &got) > 35.0);
    // All zero.
    let got = run(&quantized(&conv(vec![0.0], 0.0), &x, RangeChoice::MinMax).unwrap(), &x);
    assert_eq!(got, [0.0; 4]);
    // A constant activation.
    let flat = Tensor::from_elem(IxDyn(&[1, 2, 2, 1]), 0.25);
    let got = run(&quantized(&conv(vec![2.0], 0.0), &flat, RangeChoice::Mse).unwrap(), &flat);
    assert!(got.iter().all(|y| (y - 0.5).abs() < 1e-2), "{got:?}");
    let error = quantized(&conv(vec![f32::NAN], 0.0), &x, RangeChoice::MinMax).unwrap_err();
    assert!(error.reason.contains("NaN") || error.reason.contains("not a number"), "{error}");
    // A huge range.
    let wide = ramp(&[1, 2, 2, 1], -1e30, 1e30);
    let graph = conv(vec![1e-30], 0.0);
    let got = run(&quantized(&graph, &wide, RangeChoice::MinMax).unwrap(), &wide);
    assert!(sqnr(&graph.eval(std::slice::from_ref(&wide)).unwrap()[0], &got) > 35.0);
    let graph = graph.canonicalize().unwrap();
    assert!(observe(&graph, &[], RangeChoice::MinMax).unwrap_err().reason.contains("no samples"));
}
