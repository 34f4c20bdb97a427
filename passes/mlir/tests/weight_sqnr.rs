//! SQNR of the weights of trained networks, against a second implementation of the definitions and against external figures.
//!
//! `STRUM_FLOAT_MODELS=DIR cargo test -p strum-passes --test weight_sqnr -- --nocapture` prints the table of EfficientNet-Lite0, which
//! must be in that folder as `efficientnet_lite0.tosa.mlirbc`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;

use strum_float::Op;
use strum_formats::{Kind, Method, Shape};
use strum_ir::{Context, Module};
use strum_passes::common::network::Network;
use strum_quant::{Request, Select, Shift, Sqnr, pack};

/// Float weights `[oc][ky][kx][ic]` with their INT8 codes, symmetric, a scale for each output channel.
struct Layer {
    weights: Vec<f32>,
    codes: Vec<i8>,
    scales: Vec<f64>,
    shape: Shape,
}

/// All convolutions and fully connected layers of a network. A depthwise one has one input channel for each output channel.
fn layers(path: &Path) -> Vec<Layer> {
    let context = Context::new();
    let module = Module::parse(&context, &std::fs::read(path).unwrap(), "network").unwrap();
    let function = module.body().operations().into_iter().find(|op| op.is("func.func")).unwrap();
    let graph = Network::read(function).unwrap().graph.canonicalize().unwrap();
    let mut layers = Vec::new();
    for node in graph.nodes() {
        let depthwise = matches!(node.op, Op::DepthwiseConv2d(_));
        if !depthwise && !matches!(node.op, Op::Conv2d(_)) {
            continue;
        }
        let tensor = graph.constant_of(node.operands[1]).unwrap();
        let weights: Vec<f32> = tensor.iter().copied().collect();
        let &[a, b, c, d] = tensor.shape() else { panic!("weights of rank 4") };
        let (weights, shape) = match depthwise {
            false => (weights, Shape { oc: a, kh: b, kw: c, ic: d }),
            true => {
                let (channels, taps) = (c * d, a * b);
                let turned = (0..channels * taps).map(|i| weights[i % taps * channels + i / taps]).collect();
                (turned, Shape { oc: channels, kh: a, kw: b, ic: 1 })
            }
        };
        let (mut codes, mut scales) = (Vec::new(), Vec::new());
        for set in weights.chunks(weights.len() / shape.oc) {
            let largest = set.iter().fold(0f64, |m, &w| m.max(f64::from(w).abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            codes.extend(set.iter().map(|&w| (f64::from(w) / scale).round() as i8));
            scales.push(scale);
        }
        layers.push(Layer { weights, codes, scales, shape });
    }
    layers
}

/// The weights of the table: name, request, figure of an independent program for EfficientNet-Lite0. That program apparently
/// selects the low members of `dliq` by magnitude: by error, they would be 33.1 and 26.9 dB and not 31.4 and 21.6.
fn table() -> Vec<(&'static str, Request, f64)> {
    let dliq = |shift| Request { shift, select: Select::Magnitude, ..Request::new(Kind::Dliq) };
    let mip2q = |l| Request { method: Method::Mip2q { l, zero: false }, ..Request::new(Kind::Mip2q) };
    vec![
        ("INT8", Request::new(Kind::Dense), 41.9),
        ("sparse", Request::new(Kind::Sparse), 12.8),
        ("dliq q4 shift 0", dliq(Shift::Fixed(0)), 17.4),
        ("dliq q4 shift 4", dliq(Shift::Fixed(4)), 21.6),
        ("dliq q4 shift per layer", dliq(Shift::AutoLayer), 31.4),
        ("mip2q L7", mip2q(7), 30.2),
        ("mip2q L5", mip2q(5), 29.3),
        ("mip2q L3", mip2q(3), 17.7),
    ]
}

fn measured(layers: &[Layer], request: &Request) -> f64 {
    let mut sum = Sqnr::default();
    for layer in layers {
        let stored = pack(&layer.codes, layer.shape, request).unwrap().unpack().unwrap();
        sum.add_weights(&layer.weights, &stored, &layer.scales).unwrap();
    }
    sum.db()
}

/// The same from the definitions of the formats, weight by weight; the shift of a layer by exhaustive search.
fn naive(layers: &[Layer], request: &Request) -> f64 {
    let values = |shift: u32| -> Vec<i32> {
        match request.method {
            Method::Dense => (-128..=127).collect(),
            Method::Sparse => vec![0],
            Method::Dliq { .. } => (-8..8).map(|v| v << shift).collect(),
            Method::Mip2q { l, .. } => {
                (0..=l).flat_map(|e| [1 << e, -(1 << e)]).filter(|&v| v < 128).collect()
            }
            #[allow(unreachable_patterns, reason = "methods that the table does not name")]
            method => panic!("{method:?} is not in the table"),
        }
    };
    let (mut signal, mut noise) = (0f64, 0f64);
    for layer in layers {
        let shifts = match (request.kind(), request.shift) {
            (Kind::Dliq, Shift::AutoLayer) => 0..=4,
            (Kind::Dliq, Shift::Fixed(shift)) => u32::from(shift)..=u32::from(shift),
            _ => 0..=0,
        };
        let tries = shifts.map(|shift| {
            let values = values(shift);
            let nearest: Vec<i32> = (-128..=127)
                .map(|c: i32| *values.iter().min_by_key(|&&v| ((v - c).abs(), v.abs(), v < 0)).unwrap())
                .collect();
            let nearest = |c: i8| nearest[(i32::from(c) + 128) as usize];
            let (mut in_codes, mut in_floats) = (0i64, 0f64);
            let set = layer.codes.len() / layer.shape.oc;
            for (tap, first) in layer.codes.chunks(layer.shape.ic).zip((0..).step_by(layer.shape.ic)) {
                for (block, start) in tap.chunks(16).zip((first..).step_by(16)) {
                    let mut order: Vec<usize> = (0..block.len()).collect();
                    order.sort_by_key(|&i| {
                        let (magnitude, error) =
                            (i32::from(block[i]).abs(), (i32::from(block[i]) - nearest(block[i])).abs());
                        if request.select == Select::Magnitude {
                            (magnitude, error)
                        } else {
                            (error, magnitude)
                        }
                    });
                    // Padding is low first.
                    let low = 8usize.saturating_sub(16 - block.len());
                    for (rank, &i) in order.iter().enumerate() {
                        let stored = match rank < low && request.kind() != Kind::Dense {
                            true => nearest(block[i]),
                            false => i32::from(block[i]),
                        };
                        in_codes += i64::from(stored - i32::from(block[i])).pow(2);
                        let w = f64::from(layer.weights[start + i]);
                        in_floats += (w - layer.scales[(start + i) / set] * f64::from(stored)).powi(2);
                    }
                }
            }
            (in_codes, in_floats)
        });
        noise += tries.min_by_key(|(in_codes, _)| *in_codes).unwrap().1;
        signal += layer.weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    }
    10.0 * (signal / noise).log10()
}

#[test]
fn a_trained_network_keeps_what_the_formats_say() {
    let layers =
        layers(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mnist_lenet/float.linalg.mlirbc"));
    // Large layers take a minute without optimization, and add no coverage.
    let layers: Vec<_> = layers.into_iter().filter(|layer| layer.codes.len() < 60_000).collect();
    assert!(layers.len() >= 3);
    for (name, request, _) in table() {
        let (got, expected) = (measured(&layers, &request), naive(&layers, &request));
        // Members of equal error differ in their residual from the rounding to INT8.
        assert!((got - expected).abs() < 0.01, "{name}: {got} dB, not {expected}");
    }
}

#[test]
fn efficientnet_lite0_keeps_what_an_independent_program_says() {
    // The network is not part of this project.
    let Ok(folder) = std::env::var("STRUM_FLOAT_MODELS") else { return };
    let layers = layers(&Path::new(&folder).join("efficientnet_lite0.tosa.mlirbc"));
    for (name, request, expected) in table() {
        let got = measured(&layers, &request);
        let best = measured(&layers, &Request { select: Select::Error, ..request });
        println!("{name:<24} {got:6.2} dB, elsewhere {expected:.1}; selection by error {best:.2}");
        assert!((got - expected).abs() <= 0.1, "{name}: {got} dB, not {expected}");
    }
}
