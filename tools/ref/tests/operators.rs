//! Every operator against values worked out by hand from the text of the TOSA 1.0 specification.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use strum_ref::{Conv, Conv3d, Dtype, Invalid, Op, Pool, Rescale, Round, Tensor, TransposeConv};

const I32_MIN: i64 = i32::MIN as i64;
const I32_MAX: i64 = i32::MAX as i64;

fn i8s(shape: impl Into<Vec<usize>>, data: impl Into<Vec<i64>>) -> Tensor {
    Tensor::new(Dtype::I8, shape, data).unwrap()
}

fn i16s(shape: impl Into<Vec<usize>>, data: impl Into<Vec<i64>>) -> Tensor {
    Tensor::new(Dtype::I16, shape, data).unwrap()
}

fn i32s(shape: impl Into<Vec<usize>>, data: impl Into<Vec<i64>>) -> Tensor {
    Tensor::new(Dtype::I32, shape, data).unwrap()
}

/// The value of a predictable operator.
fn eval(op: Op, inputs: &[&Tensor]) -> Tensor {
    let evaluated = op.eval(inputs).unwrap();
    assert!(evaluated.predictable, "{op:?}");
    evaluated.tensor
}

/// The wrapped value of an unpredictable operator.
fn wrapped(op: Op, inputs: &[&Tensor]) -> Vec<i64> {
    let evaluated = op.eval(inputs).unwrap();
    assert!(!evaluated.predictable, "{op:?}");
    evaluated.tensor.data
}

fn error(op: Op, inputs: &[&Tensor]) -> String {
    let error: Invalid = op.eval(inputs).unwrap_err();
    error.to_string()
}

fn plain_conv() -> Conv {
    Conv { pad: [0; 4], stride: [1; 2], dilation: [1; 2], input_zp: 0, weight_zp: 0 }
}

#[test]
fn conv2d_pads_with_the_zero_point() {
    let x = i8s([1, 2, 2, 1], [1, 2, 3, 4]);
    let w = i8s([1, 2, 2, 1], [1, 10, 100, -1]);
    let bias = i32s([1], [5]);
    let op = Op::Conv2d(Conv { pad: [1, 0, 1, 0], input_zp: 1, weight_zp: 1, ..plain_conv() });
    // (x - 1) = 0 1 2 3; (w - 1) = 0 9 99 -2.
    // top left: 0·-2 + 5; top right: 0·99 + 1·-2 + 5; bottom left: 0·9 + 2·-2 + 5; bottom right: 0 + 9 + 198 - 6 + 5.
    assert_eq!(eval(op, &[&x, &w, &bias]), i32s([1, 2, 2, 1], [5, 3, 1, 206]));
}

#[test]
fn conv2d_strides_dilates_and_sums_channels() {
    let x = i8s([1, 1, 5, 2], [1, -1, 2, -2, 3, -3, 4, -4, 5, -5]);
    let w = i8s([2, 1, 2, 2], [1, 0, 0, 1, 2, 2, 3, 4]);
    let bias = i32s([2], [100, 200]);
    let op = Op::Conv2d(Conv { stride: [1, 2], dilation: [1, 2], ..plain_conv() });
    // Taps at columns 0 and 2, then 2 and 4. First channel: x[0] - x[2]; second: 0 + 3·x[2] - 4·x[2].
    assert_eq!(eval(op, &[&x, &w, &bias]), i32s([1, 1, 2, 2], [98, 197, 98, 195]));
}

#[test]
fn conv2d_refuses_what_tosa_refuses() {
    let x = i8s([1, 4, 4, 1], [0; 16]);
    let w = i8s([1, 3, 3, 1], [0; 9]);
    let bias = i32s([1], [0]);
    let conv = |conv: Conv| error(Op::Conv2d(conv), &[&x, &w, &bias]);
    assert_eq!(conv(Conv { stride: [2, 1], ..plain_conv() }), "conv2d: 1 is not a multiple of stride 2");
    assert_eq!(conv(Conv { dilation: [2, 2], ..plain_conv() }), "conv2d: a window of 5 does not fit in 4");
    let far = usize::MAX / 2 + 1;
    let huge = Conv { pad: [far, far, 0, 0], dilation: [far, 1], ..plain_conv() };
    assert_eq!(conv(huge), format!("conv2d: an axis of {} is too long", usize::MAX));
    assert_eq!(conv(Conv { stride: [0, 1], ..plain_conv() }), "conv2d: window and stride must be at least 1");
    assert_eq!(conv(Conv { input_zp: 128, ..plain_conv() }), "conv2d: input zero point of i8 cannot be 128");
    let wide = i8s([1, 3, 3, 2], [0; 18]);
    assert_eq!(
        error(Op::Conv2d(plain_conv()), &[&x, &wide, &bias]),
        "conv2d: weights want 2 input channels, got 1"
    );
    let biases = i32s([3], [0; 3]);
    assert_eq!(
        error(Op::Conv2d(plain_conv()), &[&x, &w, &biases]),
        "conv2d: bias must have 1 or 1 elements, got 3"
    );
    assert_eq!(error(Op::Conv2d(plain_conv()), &[&x, &w]), "conv2d: cannot take 2 operands");
}

#[test]
fn conv2d_wraps_where_it_overflows() {
    let x = i8s([1, 1, 1, 1], [1]);
    let op = Op::Conv2d(plain_conv());
    assert_eq!(wrapped(op, &[&x, &i8s([1, 1, 1, 1], [1]), &i32s([1], [I32_MAX])]), [I32_MIN]);
}

#[test]
fn depthwise_keeps_channels_apart() {
    let x = i8s([1, 1, 2, 2], [1, 10, 2, 20]);
    // [ky][kx][c][m]: two taps, two channels, two multiples.
    let w = i8s([1, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    let bias = i32s([4], [0, 100, 0, 0]);
    let op = Op::DepthwiseConv2d(Conv { input_zp: 1, ..plain_conv() });
    // Channel 0: (0, 1); channel 1: (9, 19).
    let expected = [5, 106, 9 * 3 + 19 * 7, 9 * 4 + 19 * 8];
    assert_eq!(eval(op, &[&x, &w, &bias]), i32s([1, 1, 1, 4], expected));
}

#[test]
fn depthwise_broadcasts_one_bias() {
    let x = i8s([1, 1, 1, 2], [1, 2]);
    let w = i8s([1, 1, 2, 1], [3, 4]);
    assert_eq!(eval(Op::DepthwiseConv2d(plain_conv()), &[&x, &w, &i32s([1], [7])]).data, [10, 15]);
}

#[test]
fn matmul_is_batched() {
    let a = i8s([2, 1, 2], [1, 2, 3, 4]);
    let b = i8s([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    let op = Op::MatMul { a_zp: 1, b_zp: 2 };
    // (0 1)·(-1 0 / 1 2) = 1 2; (2 3)·(3 4 / 5 6) = 21 26.
    assert_eq!(eval(op.clone(), &[&a, &b]), i32s([2, 1, 2], [1, 2, 21, 26]));
    assert_eq!(error(op, &[&a, &a]), "matmul: shapes [2, 1, 2] and [2, 1, 2] do not go together");
}

#[test]
fn max_pool_ignores_padding() {
    let x = i8s([1, 2, 2, 1], [-5, -6, -7, -8]);
    let pool = Pool { kernel: [2, 2], stride: [1, 1], pad: [1, 0, 0, 1] };
    assert_eq!(eval(Op::MaxPool2d(pool.clone()), &[&x]), i8s([1, 2, 2, 1], [-5, -6, -5, -6]));
    let pool = Pool { pad: [2, 0, 0, 0], ..pool };
    assert_eq!(error(Op::MaxPool2d(pool), &[&x]), "max_pool2d: padding must be less than the kernel 2");
}

#[test]
fn avg_pool_counts_what_is_there() {
    let x = i8s([1, 2, 2, 1], [10, 21, 30, 41]);
    let pool = Pool { kernel: [2, 2], stride: [1, 1], pad: [1, 0, 0, 0] };
    let op = |input_zp, output_zp| Op::AvgPool2d { pool: pool.clone(), input_zp, output_zp };
    // 31 / 2 = 15.5 goes up; 102 / 4 = 25.5 goes up.
    assert_eq!(eval(op(0, 0), &[&x]), i8s([1, 2, 1, 1], [16, 26]));
    // (102 - 80) / 4 = 5.5 goes up, but (31 - 40) / 2 = -4.5 down: the reciprocal of 2 is (2^30 + 1) / 2^31.
    assert_eq!(eval(op(20, 100), &[&x]).data, [95, 106]);
    assert_eq!(eval(op(-128, 127), &[&x]).data, [127, 127]);
    let wide = i16s([1, 1, 2, 1], [-32768, 32767]);
    let pool = Pool { kernel: [1, 2], stride: [1, 1], pad: [0; 4] };
    let op = |input_zp| Op::AvgPool2d { pool: pool.clone(), input_zp, output_zp: 0 };
    assert_eq!(eval(op(0), &[&wide]).data, [-1]);
    assert_eq!(error(op(1), &[&wide]), "avg_pool2d: input zero point of i16 cannot be 1");
}

fn rescale(to: Dtype, multiplier: i64, shift: i64) -> Rescale {
    Rescale {
        to,
        multiplier: vec![multiplier],
        shift: vec![shift],
        scale32: true,
        round: Round::Single,
        per_channel: false,
        input_unsigned: false,
        output_unsigned: false,
        input_zp: 0,
        output_zp: 0,
    }
}

#[test]
fn rescale_rounds_and_clips() {
    let x = i32s([6], [3, -3, 5, -5, 1000, -1000]);
    // Half: 1.5 and 2.5 go up, -1.5 and -2.5 as well.
    let half = rescale(Dtype::I8, 1 << 30, 31);
    assert_eq!(eval(Op::Rescale(half.clone()), &[&x]).data, [2, -1, 3, -2, 127, -128]);
    let shifted = Rescale { output_zp: -10, ..half.clone() };
    assert_eq!(eval(Op::Rescale(shifted), &[&x]).data, [-8, -11, -7, -12, 127, -128]);
    let wide = Rescale { to: Dtype::I16, ..half };
    assert_eq!(eval(Op::Rescale(wide), &[&x]), i16s([6], [2, -1, 3, -2, 500, -500]));
}

#[test]
fn rescale_rounds_twice_beyond_31() {
    // A quarter: 0.25, 0.5, -0.25, -0.5, with 2^30 of 2^32 (a quarter) put on or taken off first.
    let x = i32s([6], [1, 2, -1, -2, -3, 5]);
    let once = rescale(Dtype::I32, 1 << 30, 32);
    assert_eq!(eval(Op::Rescale(once.clone()), &[&x]).data, [0, 1, 0, 0, -1, 1]);
    let twice = Rescale { round: Round::Double, ..once };
    assert_eq!(eval(Op::Rescale(twice), &[&x]).data, [1, 1, 0, -1, -1, 2]);
}

#[test]
fn rescale_per_channel_and_16_bits() {
    let x = i8s([2, 2], [10, 10, -128, 127]);
    let scale = Rescale {
        multiplier: vec![1 << 14, 1 << 13],
        shift: vec![14, 14],
        scale32: false,
        per_channel: true,
        input_zp: -10,
        ..rescale(Dtype::I16, 0, 0)
    };
    assert_eq!(eval(Op::Rescale(scale.clone()), &[&x]), i16s([2, 2], [20, 10, -118, 69]));
    let both = Rescale { round: Round::Double, ..scale.clone() };
    assert_eq!(error(Op::Rescale(both), &[&x]), "rescale: 16-bit multipliers do not go with double rounding");
    let wide = Rescale { multiplier: vec![1 << 15; 2], ..scale.clone() };
    assert_eq!(error(Op::Rescale(wide), &[&x]), "rescale: multiplier 32768 is no i16 of at least 0");
    let one = Rescale { multiplier: vec![1], ..scale };
    assert_eq!(error(Op::Rescale(one), &[&x]), "rescale: expected 2 multipliers and shifts, got (1, 2)");
}

#[test]
fn rescale_reads_and_writes_unsigned() {
    // The bits of 0, 127, 128 and 255.
    let x = i8s([4], [0, 127, -128, -1]);
    let one = rescale(Dtype::I8, 1 << 30, 30);
    let from = Rescale { input_unsigned: true, input_zp: 128, ..one.clone() };
    assert_eq!(eval(Op::Rescale(from.clone()), &[&x]).data, [-128, -1, 0, 127]);
    let to = Rescale { output_unsigned: true, output_zp: 128, ..one.clone() };
    // 128, 255, 0 and 127, as bits.
    assert_eq!(eval(Op::Rescale(to.clone()), &[&x]).data, [-128, -1, 0, 127]);
    // Without a zero point negative values clip to 0.
    let to = Rescale { output_zp: 0, ..to };
    assert_eq!(eval(Op::Rescale(to), &[&x]).data, [0, 127, 0, 0]);
    let wide = Rescale { to: Dtype::I16, input_zp: 1, ..from.clone() };
    assert_eq!(eval(Op::Rescale(wide), &[&x]), i16s([4], [-1, 126, 127, 254]));
    let sixteen = Rescale { input_zp: 32768, ..from.clone() };
    let sixteen = Rescale { to: Dtype::I16, ..sixteen };
    assert_eq!(eval(Op::Rescale(sixteen.clone()), &[&i16s([2], [-32768, 0])]).data, [0, -32768]);
    assert_eq!(
        error(Op::Rescale(sixteen), &[&x]),
        "rescale: input zero point of unsigned i8 cannot be 32768"
    );
    let both = Rescale { output_unsigned: true, ..from };
    assert_eq!(error(Op::Rescale(both), &[&x]), "rescale: input and output cannot both be unsigned");
    let wide = Rescale { input_unsigned: true, ..rescale(Dtype::I32, 1, 2) };
    assert_eq!(error(Op::Rescale(wide), &[&x]), "rescale: i32 does not go with unsigned");
}

#[test]
fn rescale_limits() {
    let x = i32s([1], [1]);
    assert_eq!(error(Op::Rescale(rescale(Dtype::I8, 1, 1)), &[&x]), "rescale: shift 1 is not in 2..=62");
    assert_eq!(error(Op::Rescale(rescale(Dtype::I8, 1, 63)), &[&x]), "rescale: shift 63 is not in 2..=62");
    assert_eq!(
        error(Op::Rescale(rescale(Dtype::I8, -1, 30)), &[&x]),
        "rescale: multiplier -1 is no i32 of at least 0"
    );
    let zp = Rescale { input_zp: 1, ..rescale(Dtype::I8, 1, 30) };
    assert_eq!(error(Op::Rescale(zp), &[&x]), "rescale: input zero point of signed i32 cannot be 1");
    // 2^30 · 2^30 >> 29 is 2^31.
    let large = i32s([1], [1 << 30]);
    assert_eq!(wrapped(Op::Rescale(rescale(Dtype::I32, 1 << 30, 29)), &[&large]), [I32_MIN]);
}

#[test]
fn sums_and_differences() {
    let (a, b) = (i32s([2, 1], [1, -2]), i32s([1, 3], [10, 20, 30]));
    assert_eq!(eval(Op::Add, &[&a, &b]), i32s([2, 3], [11, 21, 31, 8, 18, 28]));
    assert_eq!(eval(Op::Sub, &[&a, &b]).data, [-9, -19, -29, -12, -22, -32]);
    assert_eq!(eval(Op::Maximum, &[&a, &b]).data, [10, 20, 30, 10, 20, 30]);
    assert_eq!(eval(Op::Minimum, &[&a, &b]).data, [1, 1, 1, -2, -2, -2]);
    assert_eq!(wrapped(Op::Add, &[&i32s([1], [I32_MAX]), &i32s([1], [1])]), [I32_MIN]);
    assert_eq!(wrapped(Op::Sub, &[&i32s([1], [I32_MIN]), &i32s([1], [1])]), [I32_MAX]);
    assert_eq!(error(Op::Add, &[&a, &i32s([3], [0; 3])]), "add: ranks 2 and 1 differ");
    assert_eq!(
        error(Op::Add, &[&a, &i32s([3, 1], [0; 3])]),
        "add: shapes [2, 1] and [3, 1] do not broadcast"
    );
    assert_eq!(error(Op::Add, &[&i8s([1], [0]), &i8s([1], [0])]), "add: a must be i32, got i8");
    assert_eq!(error(Op::Maximum, &[&a, &i16s([1, 1], [0])]), "maximum: types i32 and i16 differ");
}

#[test]
fn products() {
    let mul = |shift| Op::Mul { shift };
    assert_eq!(eval(mul(0), &[&i8s([2], [-128, 127]), &i8s([1], [-128])]), i32s([2], [16384, -16256]));
    assert_eq!(eval(mul(0), &[&i16s([1], [-32768]), &i16s([1], [-32768])]), i32s([1], [1 << 30]));
    let (a, b) = (i32s([3], [3, -3, 1 << 30]), i32s([1], [1]));
    // 1.5 and -1.5 go up.
    assert_eq!(eval(mul(1), &[&a, &b]).data, [2, -1, 1 << 29]);
    // Without a shift the low 32 bits are the result.
    assert_eq!(eval(mul(0), &[&a, &i32s([1], [4])]).data, [12, -12, 0]);
    assert_eq!(wrapped(mul(1), &[&a, &i32s([1], [4])]), [6, -6, I32_MIN]);
    assert_eq!(error(mul(1), &[&i8s([1], [0]), &i8s([1], [0])]), "mul: shift of i8 cannot be 1");
}

#[test]
fn shifts() {
    let right = |round| Op::ArithmeticRightShift { round };
    let (a, b) = (i8s([4], [-128, -3, 3, 127]), i8s([1], [1]));
    assert_eq!(eval(right(false), &[&a, &b]), i8s([4], [-64, -2, 1, 63]));
    assert_eq!(eval(right(true), &[&a, &b]).data, [-64, -1, 2, 64]);
    assert_eq!(eval(right(true), &[&a, &i8s([1], [0])]).data, a.data);
    assert_eq!(eval(right(true), &[&i32s([2], [I32_MIN, I32_MAX]), &i32s([1], [31])]).data, [-1, 1]);
    assert_eq!(eval(Op::LogicalLeftShift, &[&a, &b]).data, [0, -6, 6, -2]);
    assert_eq!(eval(Op::LogicalLeftShift, &[&i16s([1], [1]), &i16s([1], [15])]).data, [-32768]);
    assert_eq!(wrapped(Op::LogicalLeftShift, &[&a, &i8s([1], [8])]), [0; 4]);
    assert_eq!(wrapped(right(false), &[&a, &i8s([1], [-1])]), [-1, -1, 0, 0]);
}

#[test]
fn one_operand() {
    let x = i32s([4], [-5, 0, 1, 65536]);
    assert_eq!(eval(Op::Abs, &[&x]).data, [5, 0, 1, 65536]);
    assert_eq!(eval(Op::Clz, &[&x]).data, [0, 32, 31, 15]);
    assert_eq!(eval(Op::Identity, &[&x]), x);
    assert_eq!(wrapped(Op::Abs, &[&i32s([1], [I32_MIN])]), [I32_MIN]);
    let negate = |input_zp, output_zp| Op::Negate { input_zp, output_zp };
    assert_eq!(eval(negate(0, 0), &[&x]).data, [5, 0, -1, -65536]);
    // It saturates: -(-128) is 127, and with zero points 1 - (-100 - 10) = 111.
    assert_eq!(eval(negate(0, 0), &[&i8s([2], [-128, 127])]).data, [127, -127]);
    assert_eq!(eval(negate(10, 1), &[&i8s([2], [-100, 127])]).data, [111, -116]);
    assert_eq!(eval(negate(0, 0), &[&i16s([1], [-32768])]).data, [32767]);
    assert_eq!(error(negate(1, 0), &[&x]), "negate: input zero point of i32 cannot be 1");
    let clamp = Op::Clamp { min: -3, max: 2 };
    assert_eq!(eval(clamp.clone(), &[&i16s([3], [-300, 0, 300])]).data, [-3, 0, 2]);
    assert_eq!(error(clamp, &[&x]), "clamp: input must be i8 or i16, got i32");
    assert_eq!(
        error(Op::Clamp { min: 0, max: 128 }, &[&i8s([1], [0])]),
        "clamp: 0..=128 is not a range of i8"
    );
}

#[test]
fn casts_keep_the_low_bits() {
    let x = i32s([4], [128, -129, 65535, 1]);
    assert_eq!(eval(Op::Cast { to: Dtype::I8 }, &[&x]), i8s([4], [-128, 127, -1, 1]));
    assert_eq!(eval(Op::Cast { to: Dtype::I16 }, &[&x]), i16s([4], [128, -129, -1, 1]));
    assert_eq!(eval(Op::Cast { to: Dtype::I32 }, &[&i8s([1], [-7])]), i32s([1], [-7]));
}

#[test]
fn tables() {
    let entries: Vec<i64> = (-128..128).rev().collect();
    let x = i8s([3], [-128, 0, 127]);
    assert_eq!(eval(Op::Table, &[&x, &i8s([256], entries)]).data, [127, -1, -128]);
    // Entry i is at (i - 256)·128; the result has seven fractional bits.
    let mut entries = vec![0; 513];
    (entries[0], entries[1], entries[256], entries[257], entries[511], entries[512]) =
        (-9, 7, 100, -100, 5, 32767);
    let x = i16s([6], [-32768, -32767, 0, 64, 127, 32767]);
    let expected = [-9 * 128, -9 * 128 + 16, 12800, 0, 12800 - 200 * 127];
    let table = i16s([513], entries);
    let evaluated = eval(Op::Table, &[&i16s([5], x.data[..5].to_vec()), &table]);
    assert_eq!(evaluated, i32s([5], expected));
    assert_eq!(eval(Op::Table, &[&i16s([1], [32767]), &table]).data, [5 * 128 + 32762 * 127]);
    let steep = i16s([513], [vec![-32768], vec![0; 255], vec![-1, 32767], vec![0; 255]].concat());
    assert_eq!(wrapped(Op::Table, &[&i16s([1], [1]), &steep]), [-128 + 32768]);
    assert_eq!(error(Op::Table, &[&x, &i16s([512], [0; 512])]), "table: expected 513 entries, got 512");
    assert_eq!(error(Op::Table, &[&x, &i8s([256], [0; 256])]), "table: table must be i16, got i8");
}

#[test]
fn reductions() {
    let x = i32s([2, 3], [1, 2, 3, -4, -5, -6]);
    assert_eq!(eval(Op::ReduceSum { axis: 0 }, &[&x]), i32s([1, 3], [-3, -3, -3]));
    assert_eq!(eval(Op::ReduceSum { axis: 1 }, &[&x]), i32s([2, 1], [6, -15]));
    assert_eq!(eval(Op::ReduceMax { axis: 1 }, &[&x]).data, [3, -4]);
    assert_eq!(eval(Op::ReduceMin { axis: 0 }, &[&x]).data, [-4, -5, -6]);
    // The last sum fits; one on the way does not.
    assert_eq!(wrapped(Op::ReduceSum { axis: 0 }, &[&i32s([3], [I32_MAX, 1, -1])]), [I32_MAX]);
    assert_eq!(error(Op::ReduceMax { axis: 2 }, &[&x]), "reduce_max: there is no axis 2 in rank 2");
    assert_eq!(error(Op::ReduceSum { axis: 0 }, &[&i8s([1], [0])]), "reduce_sum: input must be i32, got i8");
}

#[test]
fn layouts() {
    let x = i8s([2, 3], [1, 2, 3, 4, 5, 6]);
    assert_eq!(eval(Op::Transpose { perms: vec![1, 0] }, &[&x]), i8s([3, 2], [1, 4, 2, 5, 3, 6]));
    let y = i8s([1, 2, 3], [1, 2, 3, 4, 5, 6]);
    assert_eq!(eval(Op::Transpose { perms: vec![2, 0, 1] }, &[&y]), i8s([3, 1, 2], [1, 4, 2, 5, 3, 6]));
    assert_eq!(eval(Op::Reshape { shape: vec![3, 1, 2] }, &[&x]), i8s([3, 1, 2], [1, 2, 3, 4, 5, 6]));
    assert_eq!(eval(Op::Slice { start: vec![1, 0], size: vec![1, 2] }, &[&x]), i8s([1, 2], [4, 5]));
    let pad = Op::Pad { padding: vec![[0, 1], [1, 0]], value: 9 };
    assert_eq!(eval(pad, &[&x]), i8s([3, 4], [9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9]));
    let z = i8s([2, 1], [7, 8]);
    assert_eq!(eval(Op::Concat { axis: 1 }, &[&x, &z, &z]), i8s([2, 5], [1, 2, 3, 7, 7, 4, 5, 6, 8, 8]));
    assert_eq!(eval(Op::Concat { axis: 0 }, &[&x]), x);
    assert_eq!(eval(Op::Concat { axis: 0 }, &[&z, &z, &z, &z]).data, [7, 8, 7, 8, 7, 8, 7, 8]);

    assert_eq!(
        error(Op::Transpose { perms: vec![0, 0] }, &[&x]),
        "transpose: [0, 0] is not a permutation of 2 axes"
    );
    assert_eq!(error(Op::Reshape { shape: vec![5] }, &[&x]), "reshape: [2, 3] and [5] have different sizes");
    assert_eq!(
        error(Op::Slice { start: vec![1, 0], size: vec![2, 1] }, &[&x]),
        "slice: 2 from 1 is not within 2"
    );
    assert_eq!(error(Op::Pad { padding: vec![[0, 0]], value: 0 }, &[&x]), "pad: expected 2 paddings, got 1");
    assert_eq!(error(Op::Pad { padding: vec![[0, 0]; 2], value: 300 }, &[&x]), "pad: 300 is no i8");
    assert_eq!(
        error(Op::Concat { axis: 0 }, &[&x, &z]),
        "concat: shapes [2, 3] and [2, 1] differ beside axis 0"
    );
    assert_eq!(error(Op::Concat { axis: 0 }, &[]), "concat: expected at least one operand");
    let huge = Op::Pad { padding: vec![[usize::MAX, 1], [0, 0]], value: 0 };
    assert!(error(huge, &[&x]).ends_with("is too large"));
    let tall = i8s([1; 7], [0]);
    assert_eq!(error(Op::Identity, &[&tall]), "identity: rank 7 is more than 6");
    assert_eq!(error(Op::Reshape { shape: vec![1; 7] }, &[&i8s([1], [0])]), "reshape: rank 7 is more than 6");
}

#[test]
fn transpose_conv2d_scatters_inputs_over_the_kernel() {
    let x = i8s([1, 1, 2, 1], [4, 5]);
    let w = i8s([1, 1, 3, 1], [1, 10, 100]);
    let bias = i32s([1], [7]);
    let conv = TransposeConv { out_pad: [0; 4], stride: [1, 2], input_zp: 3, weight_zp: 0 };
    let padded = |left, right| TransposeConv { out_pad: [0, 0, left, right], ..conv.clone() };
    // (x - 3) = 1 2: 1 10 100 from the first, 2 20 200 two columns behind it.
    let whole = eval(Op::TransposeConv2d(conv.clone()), &[&x, &w, &bias]);
    assert_eq!(whole, i32s([1, 1, 5, 1], [8, 17, 109, 27, 207]));
    let cut = eval(Op::TransposeConv2d(padded(-1, 2)), &[&x, &w, &bias]);
    assert_eq!(cut, i32s([1, 1, 6, 1], [17, 109, 27, 207, 7, 7]));
    let fault = |conv| error(Op::TransposeConv2d(conv), &[&x, &w, &bias]);
    assert_eq!(fault(padded(-3, 0)), "transpose_conv2d: padding of -3 and 0 cuts a kernel of 3");
    let narrow = i8s([1, 1, 1, 1], [4]);
    let nothing = error(Op::TransposeConv2d(padded(-2, -2)), &[&narrow, &w, &bias]);
    assert_eq!(nothing, "transpose_conv2d: an axis of -1 in the result");
}

#[test]
fn conv3d_pads_every_axis_with_the_zero_point() {
    let x = i8s([1, 2, 1, 2, 1], [2, 3, 4, 5]);
    let w = i8s([1, 2, 1, 1, 1], [1, 10]);
    let bias = i32s([1], [5]);
    let conv =
        Conv3d { pad: [1, 0, 0, 0, 0, 0], stride: [1; 3], dilation: [1; 3], input_zp: 1, weight_zp: 0 };
    // (x - 1) = 1 2, and 3 4 behind it: the first depth has only the second tap inside.
    let sums = eval(Op::Conv3d(conv.clone()), &[&x, &w, &bias]);
    assert_eq!(sums, i32s([1, 2, 1, 2, 1], [15, 25, 36, 47]));
    let strided = Conv3d { pad: [0; 6], stride: [1, 1, 2], ..conv };
    assert_eq!(error(Op::Conv3d(strided), &[&x, &w, &bias]), "conv3d: 1 is not a multiple of stride 2");
}

#[test]
fn tile_and_reverse_move_elements() {
    let x = i16s([2, 2], [1, 2, 3, 4]);
    let tiled = eval(Op::Tile { multiples: vec![1, 2] }, &[&x]);
    assert_eq!(tiled, i16s([2, 4], [1, 2, 1, 2, 3, 4, 3, 4]));
    assert_eq!(eval(Op::Reverse { axis: 0 }, &[&x]), i16s([2, 2], [3, 4, 1, 2]));
    assert_eq!(eval(Op::Reverse { axis: 1 }, &[&x]), i16s([2, 2], [2, 1, 4, 3]));
    assert_eq!(error(Op::Reverse { axis: 2 }, &[&x]), "reverse: there is no axis 2 in rank 2");
    assert_eq!(
        error(Op::Tile { multiples: vec![2] }, &[&x]),
        "tile: [2] is not one multiple for each of 2 axes"
    );
}
