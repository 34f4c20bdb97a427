//! Integer networks, computed by `strum-ref`.

#![allow(dead_code, reason = "shared by tests that take what they need")]

use strum_float::quantize::{IntElem, IntGraph, IntOp, Weights};
use strum_float::{PoolKind, Tensor, Window};
use strum_ref as tosa;

fn pads(w: &Window) -> [usize; 4] {
    [w.before[0], w.after[0], w.before[1], w.after[1]]
}

fn conv(w: &Window, weights: &Weights) -> tosa::Conv {
    let input_zp = weights.zero_point.into();
    tosa::Conv { pad: pads(w), stride: w.stride, dilation: w.dilation, input_zp, weight_zp: 0 }
}

fn bytes(shape: &[usize], codes: &[i8]) -> tosa::Tensor {
    let data: Vec<i64> = codes.iter().map(|&c| c.into()).collect();
    tosa::Tensor::new(tosa::Dtype::I8, shape, data).unwrap()
}

fn dtype(elem: IntElem) -> tosa::Dtype {
    match elem {
        IntElem::I8 => tosa::Dtype::I8,
        IntElem::I32 => tosa::Dtype::I32,
    }
}

/// The same network for the reference.
pub(crate) fn reference(int: &IntGraph) -> tosa::Graph {
    let mut graph = tosa::Graph::new();
    let mut ids: Vec<_> = int.inputs.iter().map(|_| graph.input()).collect();
    for node in &int.nodes {
        let mut operands: Vec<_> = node.operands.iter().map(|id| ids[id.index()]).collect();
        let shape = int.value(node.result).unwrap().0.to_vec();
        let mut layer = |graph: &mut tosa::Graph, weights: &Weights| {
            operands.push(graph.constant(bytes(&weights.shape, &weights.codes)));
            let bias: Vec<i64> = weights.bias.iter().map(|&b| b.into()).collect();
            operands.push(graph.constant(tosa::Tensor::new(tosa::Dtype::I32, [bias.len()], bias).unwrap()));
        };
        let op = match &node.op {
            IntOp::Constant(codes) => {
                ids.push(graph.constant(bytes(&shape, codes)));
                continue;
            }
            IntOp::Conv2d(w, weights) => {
                layer(&mut graph, weights);
                tosa::Op::Conv2d(conv(w, weights))
            }
            IntOp::DepthwiseConv2d(w, weights) => {
                layer(&mut graph, weights);
                tosa::Op::DepthwiseConv2d(conv(w, weights))
            }
            IntOp::Matmul([a, b]) => tosa::Op::MatMul { a_zp: (*a).into(), b_zp: (*b).into() },
            IntOp::Rescale { zero_point, scales, output, output_zp } => tosa::Op::Rescale(tosa::Rescale {
                to: dtype(*output),
                multiplier: scales.iter().map(|s| s.multiplier.into()).collect(),
                shift: scales.iter().map(|s| s.shift.into()).collect(),
                scale32: true,
                round: tosa::Round::Single,
                per_channel: scales.len() > 1,
                input_unsigned: false,
                output_unsigned: false,
                input_zp: (*zero_point).into(),
                output_zp: (*output_zp).into(),
            }),
            IntOp::Clamp { min, max } => tosa::Op::Clamp { min: (*min).into(), max: (*max).into() },
            IntOp::Table(codes) => {
                operands.push(graph.constant(bytes(&[256], codes)));
                tosa::Op::Table
            }
            IntOp::Add => tosa::Op::Add,
            IntOp::Sub => tosa::Op::Sub,
            IntOp::Mul => tosa::Op::Mul { shift: 0 },
            IntOp::Maximum => tosa::Op::Maximum,
            IntOp::Minimum => tosa::Op::Minimum,
            IntOp::Pool { pool, zero_point } => {
                let window =
                    tosa::Pool { kernel: pool.kernel, stride: pool.window.stride, pad: pads(&pool.window) };
                let zp = (*zero_point).into();
                match pool.kind {
                    PoolKind::Max => tosa::Op::MaxPool2d(window),
                    PoolKind::Average => tosa::Op::AvgPool2d { pool: window, input_zp: zp, output_zp: zp },
                }
            }
            IntOp::ReduceSum { axis } => tosa::Op::ReduceSum { axis: *axis },
            IntOp::ReduceMax { axis } => tosa::Op::ReduceMax { axis: *axis },
            IntOp::ReduceMin { axis } => tosa::Op::ReduceMin { axis: *axis },
            IntOp::Concat { axis } => tosa::Op::Concat { axis: *axis },
            IntOp::Pad { around, value } => tosa::Op::Pad { padding: around.clone(), value: (*value).into() },
            IntOp::Reshape => tosa::Op::Reshape { shape },
            IntOp::Slice { start } => tosa::Op::Slice { start: start.clone(), size: shape },
            IntOp::Transpose { perms } => tosa::Op::Transpose { perms: perms.clone() },
            IntOp::Tile { .. } => panic!("no tile in these networks"),
        };
        ids.push(graph.op(op, operands));
    }
    for port in &int.outputs {
        graph.output(ids[port.id.index()]);
    }
    graph
}

/// The outputs of the integer network, as values.
pub(crate) fn run(int: &IntGraph, x: &Tensor) -> Vec<f64> {
    let params = int.inputs[0].params;
    let codes: Vec<i8> = x.iter().map(|&x| i8::try_from(params.code(x.into())).unwrap()).collect();
    let graph = reference(int);
    let run = graph.run(&[bytes(x.shape(), &codes)]).unwrap();
    let at = run.unpredictable.map(|id| format!("{:?}", graph.nodes()[id.0]));
    assert_eq!(at, None, "TOSA defines every value");
    let params = int.outputs[0].params;
    run.outputs[0].data.iter().map(|&c| params.value(i32::try_from(c).unwrap())).collect()
}

/// Signal-to-error ratio, in decibels.
pub(crate) fn sqnr(expected: &Tensor, got: &[f64]) -> f64 {
    let signal: f64 = expected.iter().map(|&x| f64::from(x).powi(2)).sum();
    let noise: f64 = expected.iter().zip(got).map(|(&x, y)| (f64::from(x) - y).powi(2)).sum();
    // An output of only zeros has no signal, and loses none.
    if noise < 1e-12 { f64::INFINITY } else { 10.0 * (signal.max(1e-12) / noise).log10() }
}
