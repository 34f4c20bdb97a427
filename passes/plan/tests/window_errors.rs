//! What the window planners refuse, and their messages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod layer;

use dpu_isa::{Dtype, Machine, PoolMode, Round, Space};
use strum_formats::{Kind, Packed, Shape};
use strum_plan::{
    BufferId, ConvLayer, Draft, MatmulLayer, PlanError, PoolLayer, Ppe, Role, Scale, Tensor, Weights,
    plan_conv, plan_depthwise, plan_matmul, plan_pool,
};
use strum_quant::{Request, pack};

fn tensor(draft: &mut Draft, dtype: Dtype, shape: &[u64]) -> Tensor {
    let id = draft.tensor(Space::Dram, dtype, shape, Role::Scratch).unwrap();
    Tensor::of(draft, id).unwrap()
}

fn packed(kind: Kind) -> Packed {
    let shape = Shape { oc: 4, kh: 3, kw: 3, ic: 16 };
    pack(&[1; 4 * 9 * 16], shape, &Request::new(kind)).unwrap()
}

/// Plans a 3x3 convolution of 16 to 4 channels, modified by `change`.
fn conv_with(kind: Kind, change: impl FnOnce(&mut Draft, &mut ConvLayer<'_>)) -> Result<(), PlanError> {
    conv_on(&Machine::flexnn_16x16(), kind, change)
}

fn conv_on(
    machine: &Machine,
    kind: Kind,
    change: impl FnOnce(&mut Draft, &mut ConvLayer<'_>),
) -> Result<(), PlanError> {
    let mut draft = Draft::new();
    let packed = packed(kind);
    let mut layer = ConvLayer {
        input: tensor(&mut draft, Dtype::I8, &[1, 8, 8, 16]),
        output: tensor(&mut draft, Dtype::I8, &[1, 6, 6, 4]),
        weights: Weights::Packed(&packed),
        bias: vec![0; 4],
        stride: [1, 1],
        pad: [0; 4],
        dilation: [1, 1],
        input_zp: 0,
        weight_zp: 0,
        ppe: Ppe::default(),
    };
    change(&mut draft, &mut layer);
    layer::plan(&mut draft, machine, |scope| plan_conv(scope, &layer))
}

fn conv(change: impl FnOnce(&mut Draft, &mut ConvLayer<'_>)) -> String {
    conv_with(Kind::Dense, change).unwrap_err().to_string()
}

fn scale(multiplier: Vec<i32>, shift: Vec<u8>) -> Option<Scale> {
    Some(Scale { multiplier, shift, round: Round::Single })
}

#[test]
fn the_plain_layer_is_fine() {
    conv_with(Kind::Dense, |_, _| ()).unwrap();
    conv_with(Kind::Mip2q, |_, _| ()).unwrap();
}

#[test]
fn types_and_ranks() {
    assert_eq!(
        conv(|d, l| l.input = tensor(d, Dtype::I16, &[1, 8, 8, 16])),
        "unsupported: the input of type i16: must be i8"
    );
    assert_eq!(
        conv(|d, l| l.input = tensor(d, Dtype::I8, &[8, 8, 16])),
        "unsupported: the input of rank 3: must be 4 (NHWC)"
    );
    assert!(conv(|d, l| l.output = tensor(d, Dtype::I8, &[1, 0, 6, 4])).contains("extent of 0"));
    assert!(
        conv(|d, l| l.weights = Weights::Dynamic(tensor(d, Dtype::I16, &[4, 3, 3, 16])))
            .contains("the weights of type i16: must be i8")
    );
}

#[test]
fn sizes_that_contradict_each_other() {
    assert_eq!(
        conv(|d, l| l.output = tensor(d, Dtype::I8, &[1, 7, 6, 4])),
        "internal: 7 output rows from 8 with kernel 3, stride 1, dilation 1, padding 0 and 0: must be 6"
    );
    assert!(conv(|_, l| l.dilation = [4, 1]).contains("must be none"));
    assert!(
        conv(|d, l| l.output = tensor(d, Dtype::I8, &[2, 6, 6, 4]))
            .contains("1 input images and 2 output images")
    );
    assert!(
        conv(|d, l| l.output = tensor(d, Dtype::I8, &[1, 6, 6, 5]))
            .contains("weights of 4 output and 16 input")
    );
    assert!(conv(|_, l| l.stride = [0, 1]).contains("row stride of 0"));
    assert!(conv(|_, l| l.bias = vec![1, 2]).contains("2 biases for 4 channels"));
    assert!(
        conv(|d, l| l.input.buffer = BufferId::from_index(d.buffers.len()).unwrap()).starts_with("internal")
    );
}

#[test]
fn numbers_that_no_field_holds() {
    assert!(conv(|_, l| l.input_zp = 128).contains("zero point 128 of the input: must be -128 to 127"));
    assert!(conv(|_, l| l.weight_zp = -129).contains("zero point -129 of the weights"));
    assert!(conv(|_, l| l.ppe.scale = scale(vec![-1], vec![30])).contains("multiplier -1"));
    assert!(conv(|_, l| l.ppe.scale = scale(vec![1], vec![63])).contains("shift 63: must be 2 to 62"));
    assert!(conv(|_, l| l.ppe.scale = scale(vec![1], vec![1])).contains("shift 1:"));
    assert!(conv(|_, l| l.ppe.scale = scale(vec![1; 3], vec![9])).contains("3 multipliers for 4 channels"));
    assert!(conv(|_, l| l.ppe.clamp = Some((0, 128))).contains("clamp 0..=128 in output type i8"));
    assert!(conv(|_, l| l.ppe.clamp = Some((5, 4))).contains("clamp 5..=4"));
    assert!(conv(|_, l| l.ppe.lut = Some(vec![0; 255])).contains("a table of 255 bytes"));
    let lut = conv(|d, l| {
        l.output = tensor(d, Dtype::I16, &[1, 6, 6, 4]);
        l.ppe.lut = Some(vec![0; 256]);
    });
    assert!(lut.contains("a table on output type i16"), "{lut}");
}

#[test]
fn packed_weights_have_no_zero_point() {
    conv_with(Kind::Dense, |_, l| l.weight_zp = 3).unwrap();
    let error = conv_with(Kind::Mip2q, |_, l| l.weight_zp = 3).unwrap_err();
    assert!(matches!(error, PlanError::Unsupported { .. }));
    let text = error.to_string();
    assert!(text.contains("a weight zero point of 3 with weights in format mip2q"), "{text}");
    assert!(text.ends_with(": must be 0 unless dense"), "{text}");
}

#[test]
fn damaged_weights() {
    let mut damaged = packed(Kind::Mip2q);
    damaged.bytes.pop();
    let mut draft = Draft::new();
    let layer = ConvLayer {
        input: tensor(&mut draft, Dtype::I8, &[1, 8, 8, 16]),
        output: tensor(&mut draft, Dtype::I8, &[1, 6, 6, 4]),
        weights: Weights::Packed(&damaged),
        bias: Vec::new(),
        stride: [1, 1],
        pad: [0; 4],
        dilation: [1, 1],
        input_zp: 0,
        weight_zp: 0,
        ppe: Ppe::default(),
    };
    let error =
        layer::plan(&mut draft, &Machine::flexnn_16x16(), |scope| plan_conv(scope, &layer)).unwrap_err();
    assert!(error.to_string().starts_with("internal: weights: "), "{error}");
}

#[test]
fn depthwise_channels_are_multiples() {
    let mut draft = Draft::new();
    let layer = ConvLayer {
        input: tensor(&mut draft, Dtype::I8, &[1, 4, 4, 4]),
        output: tensor(&mut draft, Dtype::I8, &[1, 4, 4, 6]),
        weights: Weights::Dynamic(tensor(&mut draft, Dtype::I8, &[1, 1, 3, 2])),
        bias: Vec::new(),
        stride: [1, 1],
        pad: [0; 4],
        dilation: [1, 1],
        input_zp: 0,
        weight_zp: 0,
        ppe: Ppe::default(),
    };
    let error =
        layer::plan(&mut draft, &Machine::flexnn_16x16(), |scope| plan_depthwise(scope, &layer)).unwrap_err();
    assert!(error.to_string().contains("depthwise weights of 6 channels on tensors of 4 and 6"), "{error}");
}

#[test]
fn products_that_do_not_match() {
    let mut draft = Draft::new();
    let mut layer = MatmulLayer {
        a: tensor(&mut draft, Dtype::I8, &[2, 3, 4]),
        b: tensor(&mut draft, Dtype::I8, &[2, 5, 6]),
        output: tensor(&mut draft, Dtype::I32, &[2, 3, 6]),
        a_zp: 0,
        b_zp: 0,
        ppe: Ppe::default(),
    };
    let error =
        layer::plan(&mut draft, &Machine::flexnn_16x16(), |scope| plan_matmul(scope, &layer)).unwrap_err();
    assert_eq!(error.to_string(), "internal: a product of 2x3x4 and 2x5x6 into 2x3x6");
    layer.b = tensor(&mut draft, Dtype::I8, &[4, 6]);
    let error =
        layer::plan(&mut draft, &Machine::flexnn_16x16(), |scope| plan_matmul(scope, &layer)).unwrap_err();
    assert_eq!(error.to_string(), "unsupported: the right operand of rank 2: must be 3");
}

#[test]
fn pooling_windows_need_an_input() {
    let pool = |change: &dyn Fn(&mut Draft, &mut PoolLayer)| {
        let mut draft = Draft::new();
        let mut layer = PoolLayer {
            mode: PoolMode::Avg,
            input: tensor(&mut draft, Dtype::I8, &[1, 4, 4, 2]),
            output: tensor(&mut draft, Dtype::I8, &[1, 3, 3, 2]),
            kernel: [2, 2],
            stride: [1, 1],
            pad: [0; 4],
            input_zp: 0,
            output_zp: 0,
            clamp: None,
        };
        change(&mut draft, &mut layer);
        layer::plan(&mut draft, &Machine::flexnn_16x16(), |scope| plan_pool(scope, &layer))
    };
    pool(&|_, _| ()).unwrap();
    let refused = |change: &dyn Fn(&mut Draft, &mut PoolLayer)| pool(change).unwrap_err().to_string();
    let in_padding = refused(&|d, l| {
        l.pad = [2, 0, 0, 0];
        l.output = tensor(d, Dtype::I8, &[1, 5, 3, 2]);
    });
    assert_eq!(in_padding, "unsupported: a pooling window of 2 lies entirely in 2 positions of padding");
    assert!(refused(&|d, l| l.output = tensor(d, Dtype::I16, &[1, 3, 3, 2])).contains("different types"));
    assert!(refused(&|d, l| l.input = tensor(d, Dtype::I32, &[1, 4, 4, 2])).contains("must be i8 or i16"));
    assert!(refused(&|_, l| l.clamp = Some((-200, 0))).contains("clamp -200..=0 in output type i8"));
    let wide = refused(&|d, l| {
        l.input = tensor(d, Dtype::I8, &[1, 9000, 1, 2]);
        l.output = tensor(d, Dtype::I8, &[1, 1, 1, 2]);
        l.kernel = [9000, 1];
    });
    assert!(wide.contains("a pooling window of 9000 positions: must be at most 8192"), "{wide}");
}

#[test]
fn a_machine_that_is_too_small_is_named() {
    let machine = Machine { sram_bytes: 64, ..Machine::flexnn_16x16() };
    let error = conv_on(&machine, Kind::Dense, |_, _| ()).unwrap_err();
    let PlanError::Resource { what, need, limit } = error else { panic!("{error}") };
    assert_eq!((what.as_str(), limit), ("SRAM bytes for the smallest tiles", 64));
    assert!(need > limit);
}

#[test]
fn register_files_that_hold_no_step_are_named() {
    let machine = Machine { if_rf_bytes: 1, fl_rf_bytes: 1, ..Machine::flexnn_16x16() };
    let error = conv_on(&machine, Kind::Dense, |_, _| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("unsupported: a tile of "), "{text}");
    assert!(text.contains("fit half a register file"), "{text}");
}
