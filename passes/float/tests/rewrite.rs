//! Rewriting keeps what a graph computes, and reaches the form that it is for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use ndarray::IxDyn;
use proptest::prelude::*;
use strum_float::{Binary, Graph, Op, Tensor, Unary, Window};

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
        let steps: [(&str, Step); 5] = [
            ("constants", Graph::fold_constants),
            ("layout", Graph::canonicalize_layout),
            ("activations", Graph::recognize_activations),
            ("padding", Graph::fold_padding),
            ("batch norm", Graph::fold_batch_norm),
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
fn a_block_of_a_residual_network_becomes_four_nodes() {
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
    // Mean, reciprocal root of the variance, scale and offset, as TOSA has them unfolded.
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
