//! What is said of operands and options that do not fit: the message of each check.

use strum_doors::{Options, import};
use strum_schemas::tflite::{
    AddOptions, BatchMatMulOptions, BuiltinOptions as O, ConcatenationOptions, Conv2DOptions,
    DepthToSpaceOptions, FullyConnectedOptions, GatherOptions, MirrorPadOptions, Pool2DOptions,
    ReducerOptions, ResizeBilinearOptions, SpaceToDepthOptions, StridedSliceOptions, TransposeConvOptions,
};

use super::file::{BOOL, F32, I8, I32, I64, Net, RESOURCE, U8};

const CODES: Option<(f32, i64)> = Some((0.5, 3));

/// Shapes of inputs of codes.
type Shapes<'a> = &'a [&'a [i32]];

/// The cause of the refusal of an operator; `make` adds further operands to the inputs of codes.
fn of(code: i32, options: Option<O>, inputs: Shapes<'_>, make: impl FnOnce(&mut Net) -> Vec<i32>) -> String {
    let mut net = Net::default();
    let mut operands: Vec<i32> = inputs.iter().map(|shape| net.input(I8, shape, CODES)).collect();
    operands.extend(make(&mut net));
    let y = net.codes(&[]);
    net.operator(code, &operands, &[y], options);
    said(&net.bytes(&[y]))
}

/// The same without further operands.
fn plain(code: i32, options: Option<O>, inputs: Shapes<'_>) -> String {
    of(code, options, inputs, |_| Vec::new())
}

/// The first cause of a refusal.
fn said(bytes: &[u8]) -> String {
    let refusal = import(bytes, &Options::default()).map(|_| ()).unwrap_err();
    assert!(!refusal.to_string().contains('\n'), "{refusal}");
    refusal.causes[0].what.clone()
}

fn expect(cases: Vec<(String, &str)>) {
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
}

fn add(activation: i8) -> Option<O> {
    let options = AddOptions { fused_activation_function: activation };
    Some(O::AddOptions(Box::new(options)))
}

#[test]
fn functions_that_the_kernels_do_not_have_are_refused() {
    let one: Shapes<'_> = &[&[2]];
    let divided = |code: u8| of(42, None, one, |net| vec![net.tensor(I8, &[1], CODES, &[code])]);
    let fine = of(42, None, one, |net| vec![net.tensor(I8, &[1], Some((1e6, 0)), &[100])]);
    let selected = of(64, None, &[], |net| {
        let c = net.input(BOOL, &[2], None);
        vec![c, net.input(I8, &[2], CODES), net.input(I8, &[2], Some((0.25, 3)))]
    });
    expect(vec![
        (plain(98, None, one), "the file is damaged: LEAKY_RELU has no slope"),
        (
            plain(59, None, one),
            "NEG of codes with other scales, or another zero point than 0, which TFLite's kernel ignores",
        ),
        (plain(92, None, one), "SQUARE of int8, for which TFLite's reference kernels have no arithmetic"),
        (plain(50, None, one), "LOG_SOFTMAX of codes of 8 bits"),
        (plain(11, None, one), "L2_NORMALIZATION of codes of 8 bits"),
        (plain(106, None, one), "ADD_N of codes of 8 bits"),
        (plain(106, None, &[]), "the file is damaged: ADD_N has no operands"),
        (
            divided(3),
            "DIV by 0 steps of 0.5 with a result of scale 0.5, for which TFLite's kernel is not defined",
        ),
        (
            fine,
            "DIV by 100 steps of 1000000 with a result of scale 0.5, for which TFLite's kernel is not defined",
        ),
        (selected, "a selection among codes of different scales"),
        (plain(53, None, one), "a cast of int8"),
        (of(0, None, one, |_| vec![-1]), "the file is damaged: an operand is missing"),
        (plain(0, add(5), &[&[2], &[2]]), "the fused activation of number 5"),
    ]);
    for (code, name) in [(78, "POW"), (66, "SIN"), (108, "COS"), (8, "FLOOR"), (104, "CEIL")] {
        let inputs: Shapes<'_> = if name == "POW" { &[&[2], &[2]] } else { one };
        let expected = format!("{name} of int8, for which TFLite's reference kernels have no arithmetic");
        assert_eq!(plain(code, None, inputs), expected);
    }
    let squared = of(99, None, &[], |net| {
        let wide = net.input(I8, &[2], Some((1e6, 0)));
        vec![wide, wide]
    });
    assert!(squared.ends_with("for a squared difference"), "{squared}");
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    let blocks = |code: i32, shape: &[i32], block: i32, pads: [i32; 2]| {
        of(code, None, &[shape], |net| vec![net.ints(&[block]), net.ints(&pads)])
    };
    let depth = Some(O::DepthToSpaceOptions(Box::new(DepthToSpaceOptions { block_size: 2 })));
    let space = || Some(O::SpaceToDepthOptions(Box::new(SpaceToDepthOptions { block_size: 2 })));
    expect(vec![
        (blocks(38, &[], 2, [0, 0]), "blocks of a scalar"),
        (blocks(38, &[1, 3], 2, [0, 0]), "blocks of [2] in an image of [1, 3]"),
        (blocks(37, &[3, 2], 2, [0, 0]), "blocks of [2] from images of [3, 2]"),
        (blocks(37, &[2, 2], 2, [5, 5]), "crops of [[5, 5]]"),
        (of(38, None, &[&[1, 3]], |_| vec![-1, -1]), "the file is damaged: blocks have no sizes"),
        (plain(26, None, &[&[1, 2, 2, 1]]), "the file is damaged: blocks have no size"),
        (plain(5, depth, &[&[1, 2]]), "blocks of an image of four dimensions expected"),
        (plain(26, space(), &[&[1, 2]]), "blocks of an image of four dimensions expected"),
        (plain(26, space(), &[&[1, 3, 3, 1]]), "blocks of 2 x 2 in an image of 3 x 3"),
    ]);
}

fn connected(format: i8) -> Option<O> {
    let options = FullyConnectedOptions { weights_format: format, ..FullyConnectedOptions::default() };
    Some(O::FullyConnectedOptions(Box::new(options)))
}

#[test]
fn layers_whose_weights_do_not_fit_are_refused() {
    let layer = |format: i8, kind: i8, codes: Option<(f32, i64)>, shape: &[i32], bias: Option<i8>| {
        of(9, connected(format), &[&[1, 2]], |net| {
            let count = usize::try_from(shape.iter().product::<i32>()).unwrap();
            let size = if kind == F32 { 4 } else { 1 };
            let w = net.tensor(kind, shape, codes, &vec![1; count * size]);
            vec![w, bias.map_or(-1, |kind| net.tensor(kind, &[1], None, &[0; 4]))]
        })
    };
    let symmetric = Some((0.5, 0));
    let computed = of(9, connected(0), &[], |net| {
        let x = net.input(F32, &[1, 2], None);
        vec![x, net.input(I8, &[1, 2], symmetric), -1]
    });
    let conv = |padding: i8| {
        let options = Conv2DOptions { padding, stride_h: 1, stride_w: 1, ..Conv2DOptions::default() };
        Some(O::Conv2DOptions(Box::new(Conv2DOptions {
            dilation_h_factor: 1,
            dilation_w_factor: 1,
            ..options
        })))
    };
    let image = |padding: i8| {
        of(3, conv(padding), &[&[1, 2]], |net| vec![net.tensor(I8, &[1, 1, 1, 2], symmetric, &[1; 2])])
    };
    expect(vec![
        (layer(0, F32, None, &[1, 2], None), "weights of float32 for codes of 8 bits"),
        (layer(0, I8, symmetric, &[1, 2], Some(F32)), "a bias of float32 for codes of 8 bits"),
        (layer(0, I8, Some((0.5, 1 << 40)), &[1, 2], None), "a zero point of weights"),
        (layer(0, I8, None, &[1, 2], None), "weights without a scale"),
        (layer(0, I8, symmetric, &[1, 3], None), "weights of 3 channels on an image of 2"),
        (layer(1, I8, symmetric, &[1, 2], None), "weights in a shuffled order"),
        (layer(0, I8, symmetric, &[2], None), "weights of a fully connected layer have two dimensions"),
        (computed, "codes that are computed as weights of floats"),
        (image(0), "a convolution has an image and weights of four dimensions"),
        (image(5), "the file is damaged: padding of number 5"),
    ]);
}

#[test]
fn transposed_convolutions_and_products_that_do_not_fit_are_refused() {
    let transposed = |options: bool, sizes: &[i32]| {
        let o = TransposeConvOptions { stride_h: 1, stride_w: 1, ..TransposeConvOptions::default() };
        let options = options.then(|| O::TransposeConvOptions(Box::new(o)));
        of(67, options, &[], |net| {
            let sizes = net.ints(sizes);
            let w = net.tensor(I8, &[1, 1, 1, 2], Some((0.5, 0)), &[1; 2]);
            vec![sizes, w, net.input(I8, &[1, 2], CODES)]
        })
    };
    let mut net = Net::default();
    let (x, w) = (net.input(F32, &[1, 2, 2, 1], None), net.tensor(F32, &[1, 1, 1, 1], None, &[0; 4]));
    let (b, y) = (net.tensor(F32, &[1], None, &[0; 4]), net.tensor(F32, &[], None, &[]));
    net.custom(32, Some("Convolution2DTransposeBias"), &[x, w, b], &[y], None);
    let product = |a: &[i32], b: &[i32]| {
        plain(126, Some(O::BatchMatMulOptions(Box::<BatchMatMulOptions>::default())), &[a, b])
    };
    expect(vec![
        (transposed(false, &[2, 2]), "the file is damaged: a transposed convolution has no options"),
        (transposed(true, &[1, 2, 2]), "a transposed convolution has a shape of four extents"),
        (transposed(true, &[2, 2]), "a transposed convolution has an image and weights of four dimensions"),
        (said(&net.bytes(&[y])), "the file is damaged: a custom transposed convolution has no options"),
        (product(&[2], &[2, 2]), "a product of a matrix of shape [2]"),
        (product(&[2, 1, 1], &[3, 1, 1]), "a product of matrices of batches [2] and [3]"),
    ]);
}

/// An operator on constants of int32 with a result of int32 or int64.
fn folded(code: i32, options: Option<O>, operands: &[&[i32]], to: i8) -> String {
    let mut net = Net::default();
    let inputs: Vec<i32> = operands.iter().map(|values| net.ints(values)).collect();
    let y = net.tensor(to, &[], None, &[]);
    net.operator(code, &inputs, &[y], options);
    said(&net.bytes(&[y]))
}

#[test]
fn constants_that_cannot_be_folded_are_refused() {
    let product = Some(O::ReducerOptions(Box::new(ReducerOptions { keep_dims: false })));
    let mut wide = Net::default();
    let a = wide.tensor(I64, &[1], None, &(1_i64 << 40).to_le_bytes());
    let y = wide.tensor(I64, &[], None, &[]);
    wide.operator(0, &[a, a], &[y], None);
    let real = of(22, None, &[&[1]], |net| {
        let code = net.tensor(I8, &[1], CODES, &[5]);
        let real = net.tensor(F32, &[1], None, &[]);
        net.operator(6, &[code], &[real], None);
        vec![real]
    });
    let mut shape = Net::default();
    let (x, y) = (shape.input(I8, &[2], CODES), shape.tensor(F32, &[], None, &[]));
    shape.operator(77, &[x], &[y], None);
    expect(vec![
        (folded(36, None, &[&[1, 2], &[9]], I32), "an index beyond its tensor"),
        (folded(81, product, &[&[i32::MAX; 3], &[0]], I64), "a product of extents beyond 64 bits"),
        (folded(96, None, &[&[1, 2], &[3], &[1]], I32), "RANGE has three numbers"),
        (folded(96, None, &[&[0], &[10_000], &[1]], I32), "a range of more than 4096 numbers"),
        (folded(90, None, &[&[1], &[0]], I32), "FLOOR_DIV of [1] and [0]"),
        (said(&wide.bytes(&[y])), "a constant of int64 that 32 bits do not hold"),
        (real, "integers expected, got float32"),
        (said(&shape.bytes(&[y])), "floats expected, got float32"),
    ]);
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let o = Pool2DOptions { filter_height: 1, filter_width: 1, ..Pool2DOptions::default() };
    let pool = Some(O::Pool2DOptions(Box::new(Pool2DOptions { stride_h: 1, stride_w: 1, ..o })));
    let resize = |both: bool, shape: &[i32], size: &[i32]| {
        let options = ResizeBilinearOptions { align_corners: both, half_pixel_centers: both };
        of(23, Some(O::ResizeBilinearOptions(Box::new(options))), &[shape], |net| vec![net.ints(size)])
    };
    let mut unsigned = Net::default();
    let (x, size) = (unsigned.input(U8, &[1, 2, 2, 1], CODES), unsigned.ints(&[4, 4]));
    let y = unsigned.tensor(U8, &[], CODES, &[]);
    unsigned.operator(23, &[x, size], &[y], None);
    let image: &[i32] = &[1, 2, 2, 1];
    expect(vec![
        (plain(17, None, &[image]), "the file is damaged: a pooling has no options"),
        (plain(17, pool, &[&[1, 2]]), "a pooling has an image of four dimensions"),
        (resize(true, image, &[4, 4]), "a resize with aligned corners and half pixel centers"),
        (resize(false, image, &[4]), "an image of size [4]"),
        (resize(false, image, &[0, 4]), "an image of size [0, 4]"),
        (resize(false, &[1, 2], &[4, 4]), "a resize has an image of four dimensions"),
        (said(&unsigned.bytes(&[y])), "a bilinear resize of uint8; of int8 it is supported"),
    ]);
}

#[test]
fn movements_that_do_not_fit_are_refused() {
    let two: Shapes<'_> = &[&[4]];
    let sliced = |options: Option<StridedSliceOptions>, lists: [&[i32]; 3]| {
        of(45, options.map(|o| O::StridedSliceOptions(Box::new(o))), two, |net| {
            lists.iter().map(|list| if list.is_empty() { -1 } else { net.ints(list) }).collect()
        })
    };
    let joined = ConcatenationOptions { axis: 0, fused_activation_function: 0 };
    let joined = of(2, Some(O::ConcatenationOptions(Box::new(joined))), two, |net| {
        vec![net.input(I8, &[4], Some((0.25, 3)))]
    });
    let gather = GatherOptions { axis: 0, batch_dims: 1 };
    let gather = of(36, Some(O::GatherOptions(Box::new(gather))), two, |net| vec![net.ints(&[0])]);
    let mirror = Some(O::MirrorPadOptions(Box::new(MirrorPadOptions { mode: 0 })));
    let ellipsis = StridedSliceOptions { ellipsis_mask: 1, ..StridedSliceOptions::default() };
    let plain_slice = || Some(StridedSliceOptions::default());
    let one: &[i32] = &[1];
    expect(vec![
        (of(22, None, &[], |_| vec![-1]), "the file is damaged: operand 0 is missing"),
        (plain(70, None, two), "the file is damaged: an axis is missing"),
        (plain(22, None, two), "the file is damaged: a reshape has no shape"),
        (plain(2, None, two), "the file is damaged: a concatenation has no axis"),
        (joined, "signed codes of different scales are concatenated, which TFLite does not define"),
        (plain(83, None, two), "the file is damaged: PACK has no axis"),
        (plain(88, None, two), "the file is damaged: UNPACK has no axis"),
        (sliced(None, [one; 3]), "the file is damaged: STRIDED_SLICE has no options"),
        (sliced(plain_slice(), [one, one, &[]]), "the file is damaged: a slice has no bounds"),
        (sliced(Some(ellipsis), [one; 3]), "STRIDED_SLICE with an ellipsis or new axes"),
        (sliced(plain_slice(), [&[-9], &[0], &[-1]]), "0 elements from -1"),
        (gather, "GATHER with batch dimensions"),
        (of(100, None, two, |net| vec![net.ints(&[1, 1])]), "the file is damaged: MIRROR_PAD has no mode"),
        (of(100, mirror, two, |net| vec![net.ints(&[9, 0])]), "mirrored padding of 9 and 0 of 4"),
        (of(69, None, two, |net| vec![net.ints(&[0])]), "repetitions of [0] of 1 dimensions; 1 to 4096 each"),
        (plain(124, None, two), "DENSIFY of a tensor that is computed"),
    ]);
}

#[test]
fn activations_have_one_scale() {
    let bare = |scales: Option<Vec<f32>>| {
        let mut net = Net::default();
        let x = net.input(I8, &[2], scales.is_some().then_some((0.5, 3)));
        if let (Some(codes), Some(scales)) = (net.last().quantization.as_mut(), scales) {
            codes.scale = Some(scales);
        }
        let y = net.codes(&[2]);
        net.operator(19, &[x], &[y], None);
        said(&net.bytes(&[y]))
    };
    assert_eq!(bare(None), "'t0' of int8 has no scale");
    assert_eq!(bare(Some(vec![0.5; 2])), "'t0' has 2 scales; an activation has one");
    let handle = of(22, None, &[], |net| vec![net.input(RESOURCE, &[], None)]);
    assert_eq!(handle, "elements of resource are not supported");
}
