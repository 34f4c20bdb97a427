//! Convolutions, depthwise convolutions, matrix products and pooling: every plan, executed task by task, gives the naive result,
//! for random layers on machines with very little memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;
mod layer;

use common::naive::{self, Shape};
use common::{run, sram_bytes};
use dpu_isa::{Dtype, Machine, PoolMode, Round, Space};
use proptest::prelude::*;
use strum_formats::{Kind, Packed};
use strum_plan::{
    BufferId, ConvLayer, Draft, MatmulLayer, PlanError, PoolLayer, Ppe, Role, Scale, Tensor, Weights,
    plan_conv, plan_depthwise, plan_matmul, plan_pool,
};
use strum_quant::{Request, Shift};

/// A machine with the given bytes of SRAM.
fn machine(sram: u64) -> Machine {
    Machine { sram_bytes: sram, ..Machine::flexnn_16x16() }
}

/// Deterministic bytes from a seed.
fn noise(seed: u64, len: u64) -> Vec<i8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 24) as i8
        })
        .collect()
}

fn bytes(values: &[i8]) -> Vec<u8> {
    values.iter().map(|&v| v as u8).collect()
}

/// A tensor in DRAM, or resident in SRAM, where it takes space.
fn tensor(draft: &mut Draft, dtype: Dtype, shape: &[u64], name: &str, held: bool) -> BufferId {
    if held {
        return draft.tensor(Space::Sram, dtype, shape, Role::Scratch).unwrap();
    }
    let role = match name {
        "out" => Role::Output { name: name.into() },
        _ => Role::Input { name: name.into() },
    };
    draft.tensor(Space::Dram, dtype, shape, role).unwrap()
}

#[derive(Clone, Debug)]
struct Conv {
    shape: Shape,
    /// None: weights computed by the program.
    format: Option<Kind>,
    w: u8,
    low: u8,
    per_channel_shift: bool,
    depthwise: bool,
    in_zp: i32,
    wt_zp: i32,
    bias: u8,
    ppe: Ppe,
    out: Dtype,
    sram: u64,
    seed: u64,
}

fn weights_of(c: &Conv) -> (strum_formats::Shape, Vec<i8>) {
    let s = &c.shape;
    let (oc, ic) = if c.depthwise { (1, s.oc) } else { (s.oc, s.ic) };
    let [kh, kw] = s.kernel.map(|k| k as usize);
    let shape = strum_formats::Shape { oc: oc as usize, kh, kw, ic: ic as usize };
    (shape, noise(c.seed ^ 7, (oc * ic) * s.kernel[0] * s.kernel[1]))
}

fn pack(c: &Conv, kind: Kind) -> Packed {
    let (shape, codes) = weights_of(c);
    let shift = if c.per_channel_shift { Shift::AutoChannel } else { Shift::AutoLayer };
    let request = Request { w: c.w, low: c.low, shift, ..Request::new(kind) };
    strum_quant::pack(&codes, shape, &request).unwrap()
}

/// Plans, executes and compares. False if the plan does not fit a machine that may be too small.
fn check_conv(c: &Conv) -> bool {
    let (s, seed) = (&c.shape, c.seed);
    let [oh, ow] = s.out().unwrap();
    let mut draft = Draft::new();
    let input = tensor(&mut draft, Dtype::I8, &[s.n, s.h, s.w, s.ic], "in", seed.is_multiple_of(3));
    let output = tensor(&mut draft, c.out, &[s.n, oh, ow, s.oc], "out", seed % 5 < 2);
    let acts = noise(c.seed, s.n * s.h * s.w * s.ic);
    let mut inputs = vec![(input, bytes(&acts))];
    let packed = c.format.map(|kind| pack(c, kind));
    let (weights, codes) = match &packed {
        Some(packed) => (Weights::Packed(packed), packed.unpack().unwrap()),
        None => {
            let [kh, kw] = s.kernel;
            let shape = if c.depthwise { [kh, kw, s.ic, s.oc / s.ic] } else { [s.oc, kh, kw, s.ic] };
            let (_, codes) = weights_of(c);
            let buffer = tensor(&mut draft, Dtype::I8, &shape, "weights", seed % 7 < 2);
            inputs.push((buffer, bytes(&codes)));
            (Weights::Dynamic(Tensor::of(&draft, buffer).unwrap()), codes)
        }
    };
    let held = sram_bytes(&draft);
    let bias: Vec<i32> = match c.bias {
        0 => vec![],
        1 => vec![12345],
        _ => noise(c.seed ^ 3, s.oc).iter().map(|&b| i32::from(b) << 9).collect(),
    };
    let layer = ConvLayer {
        input: Tensor::of(&draft, input).unwrap(),
        output: Tensor::of(&draft, output).unwrap(),
        weights,
        bias: bias.clone(),
        stride: s.stride,
        pad: s.pad,
        dilation: s.dilation,
        input_zp: c.in_zp,
        weight_zp: c.wt_zp,
        ppe: c.ppe.clone(),
    };
    let plan = if c.depthwise { plan_depthwise } else { plan_conv };
    if let Err(error) =
        layer::plan_beside(&mut draft, &machine(c.sram + held), held, |scope| plan(scope, &layer))
    {
        assert!(matches!(error, PlanError::Resource { .. }) && c.sram < 16384, "{error}");
        return false;
    }
    assert!(sram_bytes(&draft) <= c.sram + held);
    let memory = run(&draft, &inputs);
    let acc = naive::accumulate(s, c.depthwise, &acts, c.in_zp, &codes, c.wt_zp);
    assert!(memory.bytes(output) == naive::post(&acc, s.oc, &bias, &c.ppe, c.out), "wrong result");
    true
}

fn small_or(rare: std::ops::Range<u64>, often: std::ops::Range<u64>) -> impl Strategy<Value = u64> {
    prop_oneof![1 => rare, 5 => often]
}

fn shapes(per_channel: bool) -> impl Strategy<Value = Shape> {
    let extents = (
        1..4u64,
        small_or(1..60, 1..14),
        small_or(1..60, 1..14),
        small_or(1..300, 1..40),
        small_or(1..300, 1..40),
    );
    let kernel = [small_or(1..20, 1..5), small_or(1..20, 1..5)];
    let stride = [small_or(1..20000, 1..4), small_or(1..20, 1..4)];
    let dilation = [small_or(1..30, 1..3), small_or(1..20000, 1..3)];
    let pad = [small_or(0..40, 0..3), small_or(0..40, 0..3), small_or(0..20, 0..3), small_or(0..20, 0..3)];
    (extents, kernel, stride, dilation, pad, 1..5u64)
        .prop_map(move |((n, h, w, ic, oc), kernel, stride, dilation, pad, m)| {
            let oc = if per_channel { ic * m } else { oc };
            Shape { n, h, w, ic, oc, kernel, stride, pad, dilation }
        })
        .prop_filter("too large or empty", move |s| {
            s.macs().is_some_and(|m| m / if per_channel { s.ic } else { 1 } <= 1_500_000)
        })
}

fn ppes(channels: u64, out: Dtype, seed: u64) -> Ppe {
    let pick = noise(seed, 4);
    let per_channel = pick[0] > 0;
    let n = if per_channel { channels } else { 1 };
    let scale = Scale {
        multiplier: noise(seed ^ 1, n).iter().map(|&v| (1 << 30) + (i32::from(v) << 20).abs()).collect(),
        shift: noise(seed ^ 2, n).iter().map(|&v| 38 + (v as u8 % 5)).collect(),
        round: if pick[1] > 0 { Round::Single } else { Round::Double },
    };
    let lut = (out == Dtype::I8 && pick[2] > 60).then(|| noise(seed ^ 5, 256));
    let clamp = (pick[3] > 0).then(|| (out.min().max(-100), out.max().min(90)));
    Ppe { scale: (out != Dtype::I32).then_some(scale), zp: i32::from(pick[3] % 20), clamp, lut }
}

fn convs(depthwise: bool) -> impl Strategy<Value = Conv> {
    let format = prop_oneof![
        Just(None),
        Just(Some(Kind::Dense)),
        Just(Some(Kind::Sparse)),
        Just(Some(Kind::Dliq)),
        Just(Some(Kind::Mip2q)),
    ];
    let types =
        prop_oneof![4 => Just(Dtype::I8), 1 => Just(Dtype::U8), 1 => Just(Dtype::I16), 2 => Just(Dtype::I32)];
    let block = (prop_oneof![Just(4u8), Just(8), Just(16), Just(32)], 0..=4u8);
    let zps = (-128..=127i32, -20..=20i32);
    let sram = prop_oneof![2 => 1024..8192u64, 3 => 8192..65536u64, 1 => Just(1 << 21)];
    (shapes(depthwise), format, block, any::<bool>(), zps, 0..3u8, types, sram, any::<u64>()).prop_map(
        move |(shape, format, (w, quarters), shifts, (in_zp, wt_zp), bias, out, sram, seed)| {
            let dense = matches!(format, None | Some(Kind::Dense));
            Conv {
                ppe: ppes(shape.oc, out, seed),
                shape,
                format,
                w,
                low: w / 4 * quarters,
                per_channel_shift: shifts,
                depthwise,
                in_zp,
                wt_zp: if dense { wt_zp } else { 0 },
                bias,
                out,
                sram: sram / 16 * 16,
                seed,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(c in convs(false)) {
        check_conv(&c);
    }

    #[test]
    fn depthwise_convolutions(c in convs(true)) {
        check_conv(&c);
    }

    #[test]
    fn matrix_products(
        (n, h, c, w) in (1..4u64, small_or(1..200, 1..30), small_or(1..400, 1..40), small_or(1..200, 1..30)),
        (a_zp, b_zp) in (-128..=127i32, -128..=127i32),
        scaled: bool,
        sram in 1024..32768u64,
        seed: u64,
    ) {
        prop_assume!(n * h * c * w < 2_000_000);
        check_matmul([n, h, c, w], a_zp, b_zp, scaled, sram / 16 * 16, seed);
    }

    #[test]
    fn pooling(s in shapes(true), mode: bool, wide: bool, zps in (-128..=127i32, -128..=127i32), sram in 1024..32768u64, seed: u64) {
        let shape = Shape { oc: s.ic, dilation: [1, 1], ..s };
        prop_assume!(shape.macs().is_some_and(|m| m / shape.ic < 1_500_000));
        let mode = if mode { PoolMode::Max } else { PoolMode::Avg };
        check_pool(&shape, mode, wide, zps, sram / 16 * 16, seed);
    }
}

fn check_matmul([n, h, c, w]: [u64; 4], a_zp: i32, b_zp: i32, scaled: bool, sram: u64, seed: u64) {
    let out = if scaled { Dtype::I8 } else { Dtype::I32 };
    let mut draft = Draft::new();
    let a = tensor(&mut draft, Dtype::I8, &[n, h, c], "a", seed.is_multiple_of(3));
    let b = tensor(&mut draft, Dtype::I8, &[n, c, w], "b", seed % 7 < 2);
    let output = tensor(&mut draft, out, &[n, h, w], "out", seed % 5 < 2);
    let held = sram_bytes(&draft);
    let ppe = ppes(w, out, seed);
    let [ta, tb, tout] = [a, b, output].map(|id| Tensor::of(&draft, id).unwrap());
    let layer = MatmulLayer { a: ta, b: tb, output: tout, a_zp, b_zp, ppe: ppe.clone() };
    if let Err(error) =
        layer::plan_beside(&mut draft, &machine(sram + held), held, |scope| plan_matmul(scope, &layer))
    {
        assert!(matches!(error, PlanError::Resource { .. }) && sram < 4096, "{error}");
        return;
    }
    assert!(sram_bytes(&draft) <= sram + held);
    let (av, bv) = (noise(seed, n * h * c), noise(seed ^ 9, n * c * w));
    let memory = run(&draft, &[(a, bytes(&av)), (b, bytes(&bv))]);
    let mut acc = Vec::new();
    for i in 0..n {
        for y in 0..h {
            for x in 0..w {
                let term = |k: u64| {
                    let p = i32::from(av[((i * h + y) * c + k) as usize]) - a_zp;
                    p * (i32::from(bv[((i * c + k) * w + x) as usize]) - b_zp)
                };
                acc.push((0..c).map(term).fold(0i32, i32::wrapping_add));
            }
        }
    }
    assert!(memory.bytes(output) == naive::post(&acc, w, &[], &ppe, out), "wrong result");
}

fn check_pool(s: &Shape, mode: PoolMode, wide: bool, (in_zp, out_zp): (i32, i32), sram: u64, seed: u64) {
    let dtype = if wide { Dtype::I16 } else { Dtype::I8 };
    let [oh, ow] = s.out().unwrap();
    let mut draft = Draft::new();
    let input = tensor(&mut draft, dtype, &[s.n, s.h, s.w, s.ic], "in", seed.is_multiple_of(3));
    let output = tensor(&mut draft, dtype, &[s.n, oh, ow, s.ic], "out", seed % 5 < 2);
    let held = sram_bytes(&draft);
    let clamp = seed.is_multiple_of(3).then_some((-100, 77));
    let layer = PoolLayer {
        mode,
        input: Tensor::of(&draft, input).unwrap(),
        output: Tensor::of(&draft, output).unwrap(),
        kernel: s.kernel,
        stride: s.stride,
        pad: s.pad,
        input_zp: in_zp,
        output_zp: out_zp,
        clamp,
    };
    let in_padding = |k: u64, p: u64, o: u64, st: u64, i: u64| k <= p || (o - 1) * st >= i + p;
    let illegal = in_padding(s.kernel[0], s.pad[0], oh, s.stride[0], s.h)
        || in_padding(s.kernel[1], s.pad[2], ow, s.stride[1], s.w);
    match layer::plan_beside(&mut draft, &machine(sram + held), held, |scope| plan_pool(scope, &layer)) {
        Err(PlanError::Unsupported { .. }) if illegal => return,
        result => result.unwrap(),
    }
    assert!(!illegal);
    assert!(sram_bytes(&draft) <= sram + held);
    let values: Vec<i16> = noise(seed, 2 * s.n * s.h * s.w * s.ic)
        .chunks(2)
        .map(|b| if wide { i16::from_le_bytes([b[0] as u8, b[1] as u8]) } else { b[0].into() })
        .collect();
    let store = |v: i32| v.to_le_bytes()[..dtype.bytes() as usize].to_vec();
    let memory = run(&draft, &[(input, values.iter().flat_map(|&v| store(v.into())).collect())]);
    let clamp = clamp.unwrap_or((dtype.min(), dtype.max()));
    let expected = naive::pool(s, mode, &values, in_zp, out_zp, clamp);
    assert!(
        memory.bytes(output) == expected.into_iter().flat_map(store).collect::<Vec<u8>>(),
        "wrong result"
    );
}
