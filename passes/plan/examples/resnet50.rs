//! Plans the layers of ResNet-50 at 224x224 and prints, for each, how long planning took and what was planned.
//!
//! `cargo run --release -p strum-plan --example resnet50 [SRAM_BYTES]`

use std::time::{Duration, Instant};

use dpu_isa::{Dtype, Instr, Machine, Round, Space};
use strum_formats::{Kind, Shape};
use strum_plan::{
    Constraints, ConvLayer, Draft, LayerInfo, Objective, PlanError, Planner, Ppe, Role, Scale, Tensor,
    Weights, plan_conv,
};
use strum_quant::{Request, pack};

/// Name, input rows and columns, input channels, output channels, kernel, stride, padding, and how often.
type Row = (&'static str, u64, u64, u64, u64, u64, u64, u64);

const LAYERS: &[Row] = &[
    ("stem 7x7/2", 224, 3, 64, 7, 2, 3, 1),
    ("s1 1x1 64-64", 56, 64, 64, 1, 1, 0, 1),
    ("s1 1x1 256-64", 56, 256, 64, 1, 1, 0, 2),
    ("s1 3x3 64-64", 56, 64, 64, 3, 1, 1, 3),
    ("s1 1x1 64-256", 56, 64, 256, 1, 1, 0, 4),
    ("s2 1x1 256-128", 56, 256, 128, 1, 1, 0, 1),
    ("s2 3x3/2 128-128", 56, 128, 128, 3, 2, 1, 1),
    ("s2 1x1 128-512", 28, 128, 512, 1, 1, 0, 4),
    ("s2 1x1/2 256-512", 56, 256, 512, 1, 2, 0, 1),
    ("s2 1x1 512-128", 28, 512, 128, 1, 1, 0, 3),
    ("s2 3x3 128-128", 28, 128, 128, 3, 1, 1, 3),
    ("s3 1x1 512-256", 28, 512, 256, 1, 1, 0, 1),
    ("s3 3x3/2 256-256", 28, 256, 256, 3, 2, 1, 1),
    ("s3 1x1 256-1024", 14, 256, 1024, 1, 1, 0, 6),
    ("s3 1x1/2 512-1024", 28, 512, 1024, 1, 2, 0, 1),
    ("s3 1x1 1024-256", 14, 1024, 256, 1, 1, 0, 5),
    ("s3 3x3 256-256", 14, 256, 256, 3, 1, 1, 5),
    ("s4 1x1 1024-512", 14, 1024, 512, 1, 1, 0, 1),
    ("s4 3x3/2 512-512", 14, 512, 512, 3, 2, 1, 1),
    ("s4 1x1 512-2048", 7, 512, 2048, 1, 1, 0, 3),
    ("s4 1x1/2 1024-2048", 14, 1024, 2048, 1, 2, 0, 1),
    ("s4 1x1 2048-512", 7, 2048, 512, 1, 1, 0, 2),
    ("s4 3x3 512-512", 7, 512, 512, 3, 1, 1, 2),
    ("fc 2048-1000", 1, 2048, 1000, 1, 1, 0, 1),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut machine = Machine::flexnn_16x16();
    if let Some(bytes) = std::env::args().nth(1) {
        machine.sram_bytes = bytes.parse()?;
    }
    println!(
        "{:<20} {:>9} {:>6} {:>6} {:>9} {:>10} {:>10}",
        "layer", "plan us", "tasks", "steps", "SRAM", "DMA bytes", "once"
    );
    let (mut total, mut count) = (Duration::ZERO, 0);
    for row in LAYERS {
        let &(name, size, ic, oc, kernel, stride, pad, times) = row;
        let out = (size + 2 * pad - kernel) / stride + 1;
        let shape = Shape { oc: oc as usize, kh: kernel as usize, kw: kernel as usize, ic: ic as usize };
        let codes: Vec<i8> =
            (0..oc * kernel * kernel * ic).map(|i| ((i * 2_654_435_761) >> 7) as i8).collect();
        let packed = pack(&codes, shape, &Request::new(Kind::Dense))?;
        let mut draft = Draft::new();
        let role = |name: &str| Role::Input { name: name.into() };
        let input = draft.tensor(Space::Dram, Dtype::I8, &[1, size, size, ic], role("in"))?;
        let output = draft.tensor(Space::Dram, Dtype::I8, &[1, out, out, oc], role("out"))?;
        let scale = Scale { multiplier: vec![1 << 30], shift: vec![40], round: Round::Double };
        let layer = ConvLayer {
            input: Tensor::of(&draft, input)?,
            output: Tensor::of(&draft, output)?,
            weights: Weights::Packed(&packed),
            bias: vec![0],
            stride: [stride; 2],
            pad: [pad; 4],
            dilation: [1; 2],
            input_zp: -128,
            weight_zp: 0,
            ppe: Ppe { scale: Some(scale), zp: -128, clamp: None, lut: None },
        };
        let start = Instant::now();
        let mut planner = Planner::new(&machine, Objective::default());
        let info = LayerInfo { name: name.into(), op: "conv2d".into(), loc: 0, macs: 0 };
        let mut scope = planner.layer(&mut draft, info, Constraints::default())?;
        plan_conv(&mut scope, &layer)?;
        scope.end()?;
        let took = start.elapsed();
        total += took * u32::try_from(times)?;
        count += times;
        report(&draft, name, took, size * size * ic + oc * out * out + codes.len() as u64)?;
    }
    println!("{count} layers planned in {total:?}");
    Ok(())
}

fn report(draft: &Draft, name: &str, took: Duration, once: u64) -> Result<(), PlanError> {
    let bytes = |i: &Instr| match i {
        Instr::DmaCopy(x) => x.dims.iter().map(|&d| u64::from(d)).product(),
        _ => 0,
    };
    let moved: u64 = draft.tasks.iter().map(|t| bytes(&t.instr)).sum();
    let steps = draft.tasks.iter().filter(|t| matches!(t.instr, Instr::ConvVar(_))).count();
    let sram: u64 = draft.buffers.iter().filter(|b| b.space == Space::Sram).map(|b| b.bytes).sum();
    let us = took.as_micros();
    println!("{name:<20} {us:>9} {:>6} {steps:>6} {sram:>9} {moved:>10} {once:>10}", draft.tasks.len());
    Ok(())
}
