//! Identities between operators, for any values: a second check besides the hand-computed ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use proptest::prelude::*;
use strum_ref::{Conv, Dtype, Op, Tensor};

fn tensor(dtype: Dtype, shape: Vec<usize>) -> impl Strategy<Value = Tensor> {
    let count: usize = shape.iter().product();
    prop::collection::vec(dtype.min()..=dtype.max(), count)
        .prop_map(move |data| Tensor::new(dtype, shape.clone(), data).unwrap())
}

fn any_tensor(dtype: Dtype) -> impl Strategy<Value = Tensor> {
    prop::collection::vec(1usize..5, 1..=5).prop_flat_map(move |shape| tensor(dtype, shape))
}

fn eval(op: Op, inputs: &[&Tensor]) -> Tensor {
    op.eval(inputs).unwrap().tensor
}

/// An image, weights of a kernel that fits it, and attributes without padding.
fn convolution() -> impl Strategy<Value = (Tensor, Tensor, Conv)> {
    let sizes = (
        1usize..3,
        1usize..4,
        1usize..4,
        [1usize..4, 1..4],
        [1usize..4, 1..4],
        [1usize..3, 1..3],
        [1usize..3, 1..3],
    );
    let zero_points = (-128i64..=127, -128i64..=127);
    (sizes, zero_points).prop_flat_map(
        |((batch, ic, oc, kernel, out, stride, dilation), (input_zp, weight_zp))| {
            let extent =
                |axis: usize| (out[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
            let conv = Conv { pad: [0; 4], stride, dilation, input_zp, weight_zp };
            (
                tensor(Dtype::I8, vec![batch, extent(0), extent(1), ic]),
                tensor(Dtype::I8, vec![oc, kernel[0], kernel[1], ic]),
                Just(conv),
            )
        },
    )
}

proptest! {
    #[test]
    fn padding_is_a_pad_with_the_zero_point((x, w, conv) in convolution(), pad in [0usize..3, 0..3, 0..3, 0..3]) {
        let bias = Tensor::filled(Dtype::I32, [1], 3).unwrap();
        let padding = vec![[0, 0], [pad[0], pad[1]], [pad[2], pad[3]], [0, 0]];
        let padded = eval(Op::Pad { padding, value: conv.input_zp }, &[&x]);
        let explicit = Op::Conv2d(conv.clone()).eval(&[&padded, &w, &bias]);
        let implicit = Op::Conv2d(Conv { pad, ..conv }).eval(&[&x, &w, &bias]);
        prop_assert_eq!(explicit, implicit);
    }

    #[test]
    fn a_convolution_of_one_tap_is_a_matrix_product(
        x in tensor(Dtype::I8, vec![2, 3, 2, 5]),
        w in tensor(Dtype::I8, vec![4, 1, 1, 5]),
        input_zp in -128i64..=127,
        weight_zp in -128i64..=127,
    ) {
        let conv = Conv { pad: [0; 4], stride: [1; 2], dilation: [1; 2], input_zp, weight_zp };
        let bias = Tensor::filled(Dtype::I32, [1], 0).unwrap();
        let sums = eval(Op::Conv2d(conv), &[&x, &w, &bias]);
        let rows = eval(Op::Reshape { shape: vec![1, 12, 5] }, &[&x]);
        let columns = eval(Op::Reshape { shape: vec![1, 4, 5] }, &[&w]);
        let columns = eval(Op::Transpose { perms: vec![0, 2, 1] }, &[&columns]);
        let product = eval(Op::MatMul { a_zp: input_zp, b_zp: weight_zp }, &[&rows, &columns]);
        prop_assert_eq!(sums.data, product.data);
    }

    #[test]
    fn depthwise_is_a_convolution_of_each_channel((x, w, conv) in convolution()) {
        // As depthwise weights, the channels of the other kind are [kh][kw][c][m].
        let depthwise = eval(Op::Transpose { perms: vec![1, 2, 3, 0] }, &[&w]);
        let bias = Tensor::filled(Dtype::I32, [1], -7).unwrap();
        let all = eval(Op::DepthwiseConv2d(conv.clone()), &[&x, &depthwise, &bias]);
        let channels = x.shape[3];
        let parts: Vec<_> = (0..channels).map(|channel| {
            let of = |t: &Tensor| {
                let (mut start, mut size) = (vec![0; 4], t.shape.clone());
                (start[3], size[3]) = (channel, 1);
                eval(Op::Slice { start, size }, &[t])
            };
            eval(Op::Conv2d(conv.clone()), &[&of(&x), &of(&w), &bias])
        }).collect();
        prop_assert_eq!(all, eval(Op::Concat { axis: 3 }, &parts.iter().collect::<Vec<_>>()));
    }

    #[test]
    fn moving_there_and_back(x in any_tensor(Dtype::I16), seed in any::<prop::sample::Index>(), value in -5i64..5) {
        let rank = x.rank();
        let turn = 1 + seed.index(rank);
        let perms: Vec<_> = (0..rank).map(|axis| (axis + turn) % rank).collect();
        let back: Vec<_> = (0..rank).map(|axis| (axis + rank - turn % rank) % rank).collect();
        let turned = eval(Op::Transpose { perms }, &[&x]);
        prop_assert_eq!(&eval(Op::Transpose { perms: back }, &[&turned]), &x);

        let padding: Vec<_> = (0..rank).map(|axis| [axis % 3, (axis + turn) % 2]).collect();
        let start = padding.iter().map(|[before, _]| *before).collect();
        let padded = eval(Op::Pad { padding, value }, &[&x]);
        prop_assert_eq!(&eval(Op::Slice { start, size: x.shape.clone() }, &[&padded]), &x);

        let axis = seed.index(rank);
        let slices: Vec<_> = (0..x.shape[axis]).map(|i| {
            let (mut start, mut size) = (vec![0; rank], x.shape.clone());
            (start[axis], size[axis]) = (i, 1);
            eval(Op::Slice { start, size }, &[&x])
        }).collect();
        prop_assert_eq!(&eval(Op::Concat { axis }, &slices.iter().collect::<Vec<_>>()), &x);
    }

    #[test]
    fn extremes_and_sums(x in any_tensor(Dtype::I32), axis in any::<prop::sample::Index>()) {
        // Small enough for sums; the least value has no negation.
        let x = eval(Op::ArithmeticRightShift { round: false }, &[&x, &Tensor::filled(Dtype::I32, vec![1; x.rank()], 4).unwrap()]);
        let axis = axis.index(x.rank());
        let negate = |t: &Tensor| eval(Op::Negate { input_zp: 0, output_zp: 0 }, &[t]);
        prop_assert_eq!(eval(Op::ReduceMin { axis }, &[&x]), negate(&eval(Op::ReduceMax { axis }, &[&negate(&x)])));
        let (most, least) = (eval(Op::Maximum, &[&x, &negate(&x)]), eval(Op::Minimum, &[&x, &negate(&x)]));
        prop_assert_eq!(&most, &eval(Op::Abs, &[&x]));
        prop_assert_eq!(&negate(&least), &most);
        prop_assert!(eval(Op::Add, &[&most, &least]).data.iter().all(|&sum| sum == 0));
        let sums = eval(Op::ReduceSum { axis }, &[&x]);
        prop_assert_eq!(sums.data.iter().sum::<i64>(), x.data.iter().sum::<i64>());
    }
}
