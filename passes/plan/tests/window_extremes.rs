//! Layers at the limits of TOSA fit the smallest legal machine. The plans are not executed here: the checker, which runs on every
//! plan of a build with debug assertions, proves them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod layer;

use dpu_isa::{Dtype, Machine, PeKind, PoolMode, Round, Space};
use strum_formats::{Kind, Packed, Shape};
use strum_plan::{
    ConvLayer, Draft, MatmulLayer, PlanError, PoolLayer, Ppe, Role, Scale, Tensor, Weights, plan_conv,
    plan_depthwise, plan_matmul, plan_pool,
};
use strum_quant::{Request, pack};

fn small() -> Machine {
    Machine { sram_bytes: 65536, ..Machine::flexnn_16x16() }
}

fn tensor(draft: &mut Draft, dtype: Dtype, shape: &[u64]) -> Tensor {
    let id = draft.tensor(Space::Dram, dtype, shape, Role::Scratch).unwrap();
    Tensor::of(draft, id).unwrap()
}

fn packed(kind: Kind, oc: u64, kh: u64, kw: u64, ic: u64) -> Packed {
    let shape = Shape { oc: oc as usize, kh: kh as usize, kw: kw as usize, ic: ic as usize };
    let codes: Vec<i8> =
        (0..oc * kh * kw * ic).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as i8).collect();
    pack(&codes, shape, &Request::new(kind)).unwrap()
}

/// Input `[n, h, w, c]`, kernel `[oc, kh, kw]`, strides, padding, dilations.
struct Window {
    input: [u64; 4],
    kernel: [u64; 3],
    stride: [u64; 2],
    pad: [u64; 4],
    dilation: [u64; 2],
}

impl Window {
    fn new(input: [u64; 4], kernel: [u64; 3]) -> Self {
        Window { input, kernel, stride: [1, 1], pad: [0; 4], dilation: [1, 1] }
    }

    fn out(&self) -> [u64; 2] {
        let axis = |i: u64, pads: u64, k: u64, s: u64, d: u64| (i + pads - (k - 1) * d - 1) / s + 1;
        let ([_, h, w, _], [_, kh, kw], [t, b, l, r]) = (self.input, self.kernel, self.pad);
        [
            axis(h, t + b, kh, self.stride[0], self.dilation[0]),
            axis(w, l + r, kw, self.stride[1], self.dilation[1]),
        ]
    }
}

fn conv_on(machine: &Machine, w: &Window, kind: Option<Kind>, per_channel: bool) -> Result<Draft, PlanError> {
    let mut draft = Draft::new();
    let [n, _, _, c] = w.input;
    let [oc, kh, kw] = w.kernel;
    let [oh, ow] = w.out();
    let constant = kind.map(|kind| {
        let (o, i) = if per_channel { (1, oc) } else { (oc, c) };
        packed(kind, o, kh, kw, i)
    });
    let weights = match &constant {
        Some(packed) => Weights::Packed(packed),
        None if per_channel => Weights::Dynamic(tensor(&mut draft, Dtype::I8, &[kh, kw, c, oc / c])),
        None => Weights::Dynamic(tensor(&mut draft, Dtype::I8, &[oc, kh, kw, c])),
    };
    let layer = ConvLayer {
        input: tensor(&mut draft, Dtype::I8, &w.input),
        output: tensor(&mut draft, Dtype::I8, &[n, oh, ow, oc]),
        weights,
        bias: (0..oc).map(|i| i as i32).collect(),
        stride: w.stride,
        pad: w.pad,
        dilation: w.dilation,
        input_zp: -5,
        weight_zp: 0,
        ppe: Ppe {
            scale: Some(Scale { multiplier: vec![1 << 30], shift: vec![40], round: Round::Double }),
            lut: Some(vec![7; 256]),
            ..Ppe::default()
        },
    };
    let plan = if per_channel { plan_depthwise } else { plan_conv };
    layer::plan(&mut draft, machine, |scope| plan(scope, &layer))?;
    Ok(draft)
}

fn conv(w: &Window) {
    for kind in [Some(Kind::Dense), Some(Kind::Mip2q), None] {
        conv_on(&small(), w, kind, false).unwrap();
    }
}

#[test]
fn thousands_of_channels_on_one_pixel() {
    conv(&Window::new([1, 1, 1, 4096], [1000, 1, 1]));
    conv(&Window::new([3, 1, 1, 5000], [3, 1, 1]));
    conv(&Window::new([1, 1, 1, 3], [9001, 1, 1]));
}

#[test]
fn kernels_larger_than_the_memory() {
    conv(&Window::new([1, 60, 60, 40], [2, 60, 60]));
    conv(&Window { pad: [299, 299, 0, 0], ..Window::new([1, 10, 3, 70], [1, 300, 3]) });
    conv(&Window { pad: [0, 0, 5000, 5000], ..Window::new([1, 1, 9, 16], [1, 1, 9000]) });
}

#[test]
fn long_and_wide_images() {
    conv(&Window { pad: [1; 4], ..Window::new([1, 20000, 3, 3], [8, 3, 3]) });
    conv(&Window { pad: [1; 4], ..Window::new([1, 2, 60000, 4], [5, 3, 3]) });
    conv(&Window::new([1, 1, 100_000, 1], [1, 1, 1]));
    conv(&Window { pad: [3; 4], stride: [2, 2], ..Window::new([1, 700, 700, 3], [16, 7, 7]) });
}

#[test]
fn strides_and_dilations_beyond_their_fields() {
    conv(&Window { stride: [9000, 1], ..Window::new([1, 20000, 2, 4], [4, 3, 2]) });
    conv(&Window { stride: [1, 30000], ..Window::new([1, 1, 70000, 2], [4, 1, 1]) });
    conv(&Window { dilation: [9000, 1], ..Window::new([1, 20000, 2, 4], [4, 3, 2]) });
    conv(&Window {
        dilation: [1, 40000],
        pad: [0, 0, 40000, 40000],
        ..Window::new([1, 1, 50, 20], [4, 1, 3])
    });
}

#[test]
fn windows_wholly_in_padding() {
    conv(&Window { pad: [50, 60, 70, 80], ..Window::new([1, 1, 1, 20], [9, 2, 2]) });
    conv(&Window { pad: [5000, 1, 0, 0], stride: [7, 1], ..Window::new([1, 3, 3, 5], [2, 3, 1]) });
    conv(&Window { pad: [3, 0, 4, 0], stride: [5, 6], ..Window::new([1, 2, 2, 5], [2, 1, 1]) });
}

#[test]
fn depthwise_of_any_multiplier() {
    for kind in [Some(Kind::Dense), None] {
        for (channels, multiplier) in [(4096, 1), (5, 3001), (1, 9000), (333, 7)] {
            let window =
                Window { pad: [1; 4], ..Window::new([1, 5, 5, channels], [channels * multiplier, 3, 3]) };
            conv_on(&small(), &window, kind, true).unwrap();
        }
    }
    for (channels, multiplier) in [(2048, 1), (7, 64), (100, 3)] {
        let window =
            Window { pad: [1; 4], ..Window::new([1, 5, 5, channels], [channels * multiplier, 3, 3]) };
        conv_on(&small(), &window, Some(Kind::Dliq), true).unwrap();
    }
    let window = Window { pad: [90; 4], ..Window::new([1, 100, 100, 2], [2, 181, 181]) };
    conv_on(&small(), &window, Some(Kind::Dense), true).unwrap();
}

#[test]
fn matrix_products_of_any_shape() {
    for [n, h, c, w] in
        [[1, 1, 10000, 1], [1, 2000, 1, 2000], [2, 1, 3000, 500], [300, 2, 3, 4], [1, 3000, 700, 9]]
    {
        for dtype in [Dtype::I32, Dtype::I8] {
            let mut draft = Draft::new();
            let layer = MatmulLayer {
                a: tensor(&mut draft, Dtype::I8, &[n, h, c]),
                b: tensor(&mut draft, Dtype::I8, &[n, c, w]),
                output: tensor(&mut draft, dtype, &[n, h, w]),
                a_zp: 3,
                b_zp: -4,
                ppe: Ppe::default(),
            };
            layer::plan(&mut draft, &small(), |scope| plan_matmul(scope, &layer)).unwrap();
        }
    }
}

#[test]
fn pooling_of_any_window() {
    let pool = |mode: PoolMode, dtype: Dtype, w: &Window| {
        let mut draft = Draft::new();
        let [n, _, _, c] = w.input;
        let [oh, ow] = w.out();
        let layer = PoolLayer {
            mode,
            input: tensor(&mut draft, dtype, &w.input),
            output: tensor(&mut draft, dtype, &[n, oh, ow, c]),
            kernel: [w.kernel[1], w.kernel[2]],
            stride: w.stride,
            pad: w.pad,
            input_zp: 1,
            output_zp: 2,
            clamp: None,
        };
        layer::plan(&mut draft, &small(), |scope| plan_pool(scope, &layer)).unwrap();
    };
    for mode in [PoolMode::Max, PoolMode::Avg] {
        for dtype in [Dtype::I8, Dtype::I16] {
            pool(mode, dtype, &Window { pad: [1; 4], ..Window::new([1, 9, 9, 9000], [0, 3, 3]) });
            pool(mode, dtype, &Window::new([2, 200, 200, 3], [0, 200, 200]));
            pool(mode, dtype, &Window { pad: [150, 150, 0, 0], ..Window::new([1, 9, 3, 33], [0, 159, 3]) });
            pool(mode, dtype, &Window { stride: [9000, 1], ..Window::new([1, 20000, 1, 2], [0, 2, 1]) });
            pool(mode, dtype, &Window { pad: [0, 0, 9000, 0], ..Window::new([1, 1, 20, 2], [0, 1, 9001]) });
            pool(mode, dtype, &Window { stride: [3, 2], ..Window::new([1, 30, 30, 40], [0, 1, 1]) });
        }
    }
    pool(PoolMode::Max, Dtype::I8, &Window::new([1, 20000, 1, 2], [0, 15000, 1]));
}

#[test]
fn machines_of_any_kind() {
    let base = small();
    let window = Window { pad: [1; 4], ..Window::new([2, 20, 20, 100], [70, 3, 3]) };
    for machine in [
        Machine { rows: 1, cols: 1, lanes: 1, adder_tree_max: 1, ..base.clone() },
        Machine { rows: 3, cols: 5, lanes: 7, adder_tree_max: 4, ..base.clone() },
        Machine { rows: 256, cols: 256, lanes: 64, if_rf_bytes: 128, fl_rf_bytes: 128, ..base.clone() },
        Machine { dma_engines: 1, dram_latency_cycles: 0, ..base.clone() },
        Machine { pe_kind: PeKind::StrumStatic, dram_bytes_per_cycle: 1, ..base.clone() },
        Machine { sram_bytes: 1 << 32, ..base },
    ] {
        for kind in [Kind::Dense, Kind::Sparse, Kind::Mip2q] {
            conv_on(&machine, &window, Some(kind), false).unwrap();
        }
    }
}

#[test]
fn plans_are_reproducible() {
    let window = Window { pad: [1; 4], ..Window::new([2, 20, 20, 100], [70, 3, 3]) };
    let plan = || conv_on(&small(), &window, Some(Kind::Mip2q), false).unwrap();
    assert_eq!(plan(), plan());
}

#[test]
fn a_plan_of_too_many_tasks_is_refused_with_the_numbers() {
    let mut draft = Draft::new();
    let side = 40_000;
    let machine = Machine { sram_bytes: 65536, ..Machine::flexnn_16x16() };
    let layer = MatmulLayer {
        a: tensor(&mut draft, Dtype::I8, &[side, side, 1]),
        b: tensor(&mut draft, Dtype::I8, &[side, 1, side]),
        output: tensor(&mut draft, Dtype::I8, &[side, side, side]),
        a_zp: 0,
        b_zp: 0,
        ppe: Ppe::default(),
    };
    let error = layer::plan(&mut draft, &machine, |scope| plan_matmul(scope, &layer)).unwrap_err();
    let PlanError::Resource { what, need, limit } = error else { panic!("{error}") };
    assert_eq!((what.as_str(), limit), ("tasks of a program", 4_000_000));
    assert!(need > limit);
    assert!(draft.tasks.is_empty());
}
