//! Rewriting preserves what a graph computes, and reaches the intended form.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use ndarray::IxDyn;
use proptest::prelude::*;
use strum_float::{Binary, Graph, Op, Pool, PoolKind, Tensor, Unary, Window};

use common::{Dice, TO_NCHW, TO_NHWC, network};

fn close(a: &Tensor, b: &Tensor) -> bool {
    let largest = a.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() <= 1e-4 * largest)
}

fn count(graph: &Graph, which: impl Fn(&Op) -> bool) -> usize {
    graph.nodes().iter().filter(|node| which(&node.op)).count()
}

type Step = fn(&Graph) -> Result<Graph, strum_float::Invalid>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn every_rewriting_keeps_the_result(seed: u64) {
        let (graph, x) = network(seed);
        let expected = graph.eval(std::slice::from_ref(&x)).unwrap();
        let steps: [(&str, Step); 6] = [
            ("constants", Graph::fold_constants),
            ("layout", Graph::canonicalize_layout),
            ("activations", Graph::recognize_activations),
            ("padding", Graph::fold_padding),
            ("batch norm", Graph::fold_batch_norm),
            ("equalization", Graph::equalize),
        ];
        let mut all = graph.clone();
        for (name, step) in steps {
            let alone = step(&graph).unwrap().eval(std::slice::from_ref(&x)).unwrap();
            prop_assert!(close(&expected[0], &alone[0]), "{} alone", name);
            all = step(&all).unwrap();
            let together = all.eval(std::slice::from_ref(&x)).unwrap();
            prop_assert!(close(&expected[0], &together[0]), "{} after the ones before", name);
        }
    }
}

#[test]
fn a_block_of_a_residual_network_becomes_three_nodes() {
    let mut dice = Dice(1);
    let mut graph = Graph::new();
    let image = graph.input(&[1, 8, 8, 4]).unwrap();
    let x = graph.push(Op::Transpose { perms: TO_NCHW.to_vec() }, &[image]).unwrap();
    let around = vec![[0, 0], [0, 0], [1, 1], [1, 1]];
    let padded = graph.push(Op::Pad { around, value: 0.0 }, &[x]).unwrap();
    let nhwc = graph.push(Op::Transpose { perms: TO_NHWC.to_vec() }, &[padded]).unwrap();
    let weights = graph.constant(dice.tensor(&[4, 3, 3, 4])).unwrap();
    let bias = graph.constant(Tensor::zeros(IxDyn(&[1]))).unwrap();
    let sums = graph.push(Op::Conv2d(Window::UNIT), &[nhwc, weights, bias]).unwrap();
    let mut y = graph.push(Op::Transpose { perms: TO_NCHW.to_vec() }, &[sums]).unwrap();
    // Mean, reciprocal root of the variance, scale and offset, unfolded as in TOSA.
    let variance = graph.constant(dice.tensor(&[1, 4, 1, 1]).mapv(f32::abs)).unwrap();
    let eps = graph.constant(Tensor::from_elem(IxDyn(&[1, 1, 1, 1]), 1e-3)).unwrap();
    let sum = graph.push(Op::Binary(Binary::Add), &[variance, eps]).unwrap();
    let root = graph.push(Op::Unary(Unary::Rsqrt), &[sum]).unwrap();
    for (binary, operand) in
        [(Binary::Sub, None), (Binary::Mul, Some(root)), (Binary::Mul, None), (Binary::Add, None)]
    {
        let operand = operand.unwrap_or_else(|| graph.constant(dice.tensor(&[1, 4, 1, 1])).unwrap());
        y = graph.push(Op::Binary(binary), &[y, operand]).unwrap();
    }
    y = graph.push(Op::Binary(Binary::Add), &[y, x]).unwrap();
    for (binary, limit) in [(Binary::Maximum, 0.0), (Binary::Minimum, 6.0)] {
        let limit = graph.constant(Tensor::from_elem(IxDyn(&[1, 1, 1, 1]), limit)).unwrap();
        y = graph.push(Op::Binary(binary), &[y, limit]).unwrap();
    }
    let y = graph.push(Op::Transpose { perms: TO_NHWC.to_vec() }, &[y]).unwrap();
    graph.output(y).unwrap();
    let x = dice.tensor(&[1, 8, 8, 4]);
    let expected = graph.eval(std::slice::from_ref(&x)).unwrap();
    let graph = graph.fold_constants().unwrap().canonicalize_layout().unwrap();
    let graph = graph.recognize_activations().unwrap().fold_padding().unwrap().fold_batch_norm().unwrap();
    let names: Vec<&str> = graph.nodes().iter().map(|node| node.op.name()).collect();
    assert_eq!(names, ["conv2d", "add", "clamp"]);
    assert!(close(&expected[0], &graph.eval(std::slice::from_ref(&x)).unwrap()[0]));
}

#[test]
fn transposes_meet_their_inverse_or_the_end() {
    for seed in 0..300 {
        let (graph, _) = network(seed);
        let graph = graph.fold_constants().unwrap().canonicalize_layout().unwrap();
        let left = count(&graph, |op| matches!(op, Op::Transpose { .. }));
        // One at the input, one at the output or before the product.
        assert!(left <= 2, "seed {seed}: {left} transposes: {:?}", graph.nodes());
    }
}

/// Two layers with a ReLU and a pooling between, whose channels differ by powers of ten.
fn uneven(seed: u64, relu6: bool, two_readers: bool) -> (Graph, Tensor) {
    let mut dice = Dice(seed);
    let mut graph = Graph::new();
    let image = graph.input(&[1, 6, 6, 3]).unwrap();
    let uneven = |dice: &mut Dice, shape: &[usize], axis: usize| {
        let mut tensor = dice.tensor(shape);
        for (index, w) in tensor.indexed_iter_mut() {
            *w *= 10f32.powi(i32::try_from(index[axis]).unwrap() - 2);
        }
        tensor
    };
    let weights = graph.constant(uneven(&mut dice, &[5, 3, 3, 3], 0)).unwrap();
    let bias = graph.constant(dice.tensor(&[1])).unwrap();
    let x = graph.push(Op::Conv2d(Window::UNIT), &[image, weights, bias]).unwrap();
    let max = if relu6 { 6.0 } else { f32::MAX };
    let relu = graph.push(Op::Clamp { min: 0.0, max }, &[x]).unwrap();
    let pool = Pool { kind: PoolKind::Average, kernel: [2, 2], window: Window::UNIT };
    let pooled = graph.push(Op::Pool(pool), &[relu]).unwrap();
    let weights = graph.constant(uneven(&mut dice, &[3, 3, 5, 2], 3)).unwrap();
    let bias = graph.constant(dice.tensor(&[10])).unwrap();
    let y = graph.push(Op::DepthwiseConv2d(Window::UNIT), &[pooled, weights, bias]).unwrap();
    let weights = graph.constant(uneven(&mut dice, &[2, 1, 1, 10], 0)).unwrap();
    let bias = graph.constant(dice.tensor(&[2])).unwrap();
    let z = graph.push(Op::Conv2d(Window::UNIT), &[y, weights, bias]).unwrap();
    graph.output(z).unwrap();
    if two_readers {
        graph.output(relu).unwrap();
    }
    let x = dice.tensor(&[1, 6, 6, 3]);
    (graph, x)
}

/// The spread of the largest weights of the first layer's channels.
fn spread(graph: &Graph) -> f32 {
    let weights = graph.constant_of(graph.nodes()[0].operands[1]).unwrap();
    let ranges = weights.outer_iter().map(|w| w.iter().fold(0f32, |m, w| m.max(w.abs())));
    let (least, most) = ranges.fold((f32::INFINITY, 0f32), |(a, b), r| (a.min(r), b.max(r)));
    most / least
}

#[test]
fn equalizing_changes_weights_and_not_a_bit_of_the_result() {
    for seed in 0..20 {
        let (graph, x) = uneven(seed, false, false);
        let equalized = graph.equalize().unwrap();
        let inputs = std::slice::from_ref(&x);
        assert_eq!(equalized.eval(inputs).unwrap(), graph.eval(inputs).unwrap());
        assert!(spread(&graph) > 1e3 && spread(&equalized) < spread(&graph) / 30.0, "{}", spread(&equalized));
        // A bound at 6 is the same for every channel, and an output must keep its scale.
        for (relu6, two_readers) in [(true, false), (false, true)] {
            let (graph, x) = uneven(seed, relu6, two_readers);
            let equalized = graph.equalize().unwrap();
            assert_eq!(spread(&equalized), spread(&graph));
            let inputs = std::slice::from_ref(&x);
            assert_eq!(equalized.eval(inputs).unwrap(), graph.eval(inputs).unwrap());
        }
    }
}

#[test]
fn a_channel_that_is_not_used_keeps_its_weights() {
    let mut graph = Graph::new();
    let image = graph.input(&[1, 1, 1, 1]).unwrap();
    let mut conv = |x, oc: usize, ic: usize, w: &[f32]| {
        let weights =
            graph.constant(Tensor::from_shape_vec(vec![oc, 1, 1, ic], w.to_vec()).unwrap()).unwrap();
        let bias = graph.constant(Tensor::ones(IxDyn(&[oc]))).unwrap();
        graph.push(Op::Conv2d(Window::UNIT), &[x, weights, bias]).unwrap()
    };
    let y = conv(image, 3, 1, &[0.0, 8.0, 64.0]);
    let z = conv(y, 1, 3, &[1.0, 0.0, 1.0]);
    graph.output(z).unwrap();
    let equalized = graph.equalize().unwrap();
    let of = |node: usize| {
        equalized
            .constant_of(equalized.nodes()[node].operands[1])
            .unwrap()
            .iter()
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!((of(0), of(1)), (vec![0.0, 8.0, 8.0], vec![1.0, 0.0, 8.0]));
}

#[test]
fn a_transpose_before_a_fully_connected_layer_goes_into_its_weights() {
    let mut dice = Dice(9);
    let mut graph = Graph::new();
    let x = graph.input(&[2, 3, 4, 5]).unwrap();
    let turned = graph.push(Op::Transpose { perms: TO_NCHW.to_vec() }, &[x]).unwrap();
    let flat = graph.push(Op::Reshape { shape: vec![1, 2, 60] }, &[turned]).unwrap();
    let weights = graph.constant(dice.tensor(&[1, 60, 7])).unwrap();
    let sums = graph.push(Op::Matmul, &[flat, weights]).unwrap();
    graph.output(sums).unwrap();
    let new = graph.canonicalize().unwrap();
    assert_eq!(count(&new, |op| matches!(op, Op::Transpose { .. })), 0);
    assert_eq!(count(&new, |op| matches!(op, Op::Conv2d(_))), 1);
    let image = dice.tensor(&[2, 3, 4, 5]);
    let all = |graph: &Graph| graph.eval(std::slice::from_ref(&image)).unwrap();
    assert!(close(&all(&graph)[0], &all(&new)[0]));
}
