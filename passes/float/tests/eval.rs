//! Evaluation against sums written out term by term.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ndarray::IxDyn;
use proptest::prelude::*;
use strum_float::{Binary, Graph, Op, Pool, PoolKind, Reduction, Tensor, Window};

/// A tensor of small integers, on which single precision is exact.
fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    Tensor::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(i16::try_from(state >> 60).unwrap()) - 7.0
    })
}

fn eval(op: Op, operands: &[&Tensor]) -> Tensor {
    let mut graph = Graph::new();
    let ids: Vec<_> = operands.iter().map(|t| graph.input(t.shape()).unwrap()).collect();
    let result = graph.push(op, &ids).unwrap();
    graph.output(result).unwrap();
    let inputs: Vec<Tensor> = operands.iter().map(|&t| t.clone()).collect();
    graph.eval(&inputs).unwrap().remove(0)
}

fn window() -> impl Strategy<Value = Window> {
    let pair = |n: std::ops::Range<usize>| [n.clone(), n];
    (pair(1..4), pair(1..3), pair(0..3), pair(0..3)).prop_map(|(stride, dilation, before, after)| Window {
        stride,
        dilation,
        before,
        after,
    })
}

/// The tap of a position, or nothing in the padding.
fn tap(
    x: &Tensor,
    w: &Window,
    n: usize,
    [oy, ox]: [usize; 2],
    [ky, kx]: [usize; 2],
    c: usize,
) -> Option<f32> {
    let y = (oy * w.stride[0] + ky * w.dilation[0]).checked_sub(w.before[0])?;
    let x_ = (ox * w.stride[1] + kx * w.dilation[1]).checked_sub(w.before[1])?;
    x.get(IxDyn(&[n, y, x_, c])).copied()
}

proptest! {
    #[test]
    fn convolutions_are_their_sums(
        w in window(), n in 1usize..3, size in [5usize..9, 5usize..9], c in 1usize..5, oc in 1usize..6,
        k in [1usize..4, 1usize..4], seed in 0u64..1000,
    ) {
        prop_assume!((0..2).all(|i| size[i] + w.before[i] + w.after[i] > (k[i] - 1) * w.dilation[i]));
        let (x, weights) = (tensor(&[n, size[0], size[1], c], seed), tensor(&[oc, k[0], k[1], c], seed + 1));
        let bias = tensor(&[oc], seed + 2);
        let y = eval(Op::Conv2d(w), &[&x, &weights, &bias]);
        for (at, &got) in y.indexed_iter() {
            let mut sum = bias[[at[3]]];
            for ky in 0..k[0] {
                for kx in 0..k[1] {
                    for i in 0..c {
                        let value = tap(&x, &w, at[0], [at[1], at[2]], [ky, kx], i).unwrap_or(0.0);
                        sum += value * weights[[at[3], ky, kx, i].as_slice()];
                    }
                }
            }
            prop_assert_eq!(got, sum);
        }
    }

    #[test]
    fn depthwise_convolutions_are_their_sums(
        w in window(), size in [5usize..9, 5usize..9], c in 1usize..5, m in 1usize..3,
        k in [1usize..4, 1usize..4], seed in 0u64..1000,
    ) {
        prop_assume!((0..2).all(|i| size[i] + w.before[i] + w.after[i] > (k[i] - 1) * w.dilation[i]));
        let (x, weights) = (tensor(&[1, size[0], size[1], c], seed), tensor(&[k[0], k[1], c, m], seed + 1));
        let bias = tensor(&[1], seed + 2);
        let y = eval(Op::DepthwiseConv2d(w), &[&x, &weights, &bias]);
        for (at, &got) in y.indexed_iter() {
            let mut sum = bias[[0]];
            for ky in 0..k[0] {
                for kx in 0..k[1] {
                    let value = tap(&x, &w, 0, [at[1], at[2]], [ky, kx], at[3] / m).unwrap_or(0.0);
                    sum += value * weights[[ky, kx, at[3] / m, at[3] % m].as_slice()];
                }
            }
            prop_assert_eq!(got, sum);
        }
    }

    #[test]
    fn pools_leave_the_padding_out(
        stride in [1usize..4, 1usize..4], k in [1usize..4, 1usize..4], size in [4usize..9, 4usize..9],
        pads in [0usize..3, 0usize..3, 0usize..3, 0usize..3], average: bool, seed in 0u64..1000,
    ) {
        let [a, b, c, d] = pads;
        prop_assume!(a < k[0] && b < k[1] && c < k[0] && d < k[1]);
        let w = Window { stride, dilation: [1, 1], before: [a, b], after: [c, d] };
        let x = tensor(&[2, size[0], size[1], 3], seed);
        let kind = if average { PoolKind::Average } else { PoolKind::Max };
        let y = eval(Op::Pool(Pool { kind, kernel: k, window: w }), &[&x]);
        for (at, &got) in y.indexed_iter() {
            let taps = (0..k[0]).flat_map(|ky| (0..k[1]).map(move |kx| [ky, kx]));
            let taps: Vec<f32> =
                taps.filter_map(|t| tap(&x, &w, at[0], [at[1], at[2]], t, at[3])).collect();
            let mean = taps.iter().sum::<f32>() / taps.len() as f32;
            let max = taps.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let expected = if average { mean } else { max };
            prop_assert!((got - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn movement_moves() {
    let x = Tensor::from_shape_fn(IxDyn(&[2, 3]), |at| (at[0] * 3 + at[1]) as f32);
    let list = |t: Tensor| t.iter().copied().collect::<Vec<_>>();
    assert_eq!(list(eval(Op::Transpose { perms: vec![1, 0] }, &[&x])), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(list(eval(Op::Slice { start: vec![1, 1], size: vec![1, 2] }, &[&x])), [4.0, 5.0]);
    let padded = eval(Op::Pad { around: vec![[0, 1], [1, 0]], value: 9.0 }, &[&x]);
    assert_eq!(list(padded), [9.0, 0.0, 1.0, 2.0, 9.0, 3.0, 4.0, 5.0, 9.0, 9.0, 9.0, 9.0]);
    assert_eq!(list(eval(Op::Tile { multiples: vec![1, 2] }, &[&x]))[..6], [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(list(eval(Op::Concat { axis: 0 }, &[&x, &x])).len(), 12);
    assert_eq!(list(eval(Op::Reduce { reduction: Reduction::Sum, axis: 1 }, &[&x])), [3.0, 12.0]);
    let row = Tensor::from_shape_fn(IxDyn(&[1, 3]), |at| at[1] as f32);
    assert_eq!(list(eval(Op::Binary(Binary::Sub), &[&x, &row])), [0.0, 0.0, 0.0, 3.0, 3.0, 3.0]);
    assert_eq!(eval(Op::Reshape { shape: vec![6] }, &[&x]).shape(), [6]);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let mut graph = Graph::new();
    let image = graph.input(&[1, 4, 4, 2]).unwrap();
    let weights = graph.constant(tensor(&[3, 5, 5, 2], 0)).unwrap();
    let bias = graph.constant(tensor(&[3], 0)).unwrap();
    let error = graph.push(Op::Conv2d(Window::UNIT), &[image, weights, bias]).unwrap_err();
    assert_eq!(error.to_string(), "conv2d: a kernel of 5 taps does not fit an image of 4");
    assert!(graph.push(Op::Matmul, &[image, weights]).is_err());
    assert!(graph.push(Op::Transpose { perms: vec![0, 0, 1, 2] }, &[image]).is_err());
    assert!(graph.push(Op::Reshape { shape: vec![31] }, &[image]).is_err());
    assert!(graph.push(Op::Concat { axis: 7 }, &[image, image]).is_err());
    assert!(graph.push(Op::Clamp { min: 1.0, max: 0.0 }, &[image]).is_err());
    assert!(graph.input(&[1 << 20, 1 << 20]).is_err());
    assert!(graph.input(&[0]).is_err());
    graph.output(image).unwrap();
    assert!(graph.eval(&[]).is_err());
    assert!(graph.eval(&[tensor(&[1, 4, 4, 3], 0)]).is_err());
}
