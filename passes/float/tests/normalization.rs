//! What quantization leaves of normalizations whose statistics are of activations: the figures of `docs/quantize.md`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/integer.rs"]
mod integer;

use ndarray::IxDyn;
use strum_float::quantize::{RangeChoice, WeightScales, observe, quantize};
use strum_float::{Binary, Graph, Op, Reduction, Tensor, Unary, ValueId};

use common::Dice;
use integer::{run, sqnr};

/// Sums over groups of an image, as exporters write them: a reshape to one row for each group.
fn normalized(graph: &mut Graph, x: ValueId, groups: usize) -> ValueId {
    let shape = graph.shape(x).to_vec();
    let size = shape.iter().product::<usize>() / groups;
    let number = |g: &mut Graph, value: f32| g.constant(Tensor::from_elem(IxDyn(&[1, 1, 1]), value)).unwrap();
    let rows = graph.push(Op::Reshape { shape: vec![1, groups, size] }, &[x]).unwrap();
    let (share, epsilon) = (number(graph, 1.0 / size as f32), number(graph, 1e-5));
    let mean_of = |g: &mut Graph, x: ValueId| {
        let sum = g.push(Op::Reduce { reduction: Reduction::Sum, axis: 2 }, &[x]).unwrap();
        g.push(Op::Binary(Binary::Mul), &[sum, share]).unwrap()
    };
    let mean = mean_of(graph, rows);
    let off = graph.push(Op::Binary(Binary::Sub), &[rows, mean]).unwrap();
    let square = graph.push(Op::Binary(Binary::Mul), &[off, off]).unwrap();
    let variance = mean_of(graph, square);
    let sum = graph.push(Op::Binary(Binary::Add), &[variance, epsilon]).unwrap();
    let root = graph.push(Op::Unary(Unary::Rsqrt), &[sum]).unwrap();
    let result = graph.push(Op::Binary(Binary::Mul), &[off, root]).unwrap();
    graph.push(Op::Reshape { shape }, &[result]).unwrap()
}

/// SQNR in dB of a normalization in `groups` of eight channels, whose standard deviations grow evenly to `spread` times the first.
fn quality(groups: usize, spread: f32, seed: u64) -> f64 {
    let mut dice = Dice(seed);
    let samples: Vec<Tensor> = (0..4)
        .map(|_| {
            let mut x = Tensor::zeros(IxDyn(&[1, 8, 16, 16]));
            for (at, x) in x.indexed_iter_mut() {
                // Nearly normal: a sum of four uniform numbers.
                let noise: f32 = (0..4).map(|_| dice.roll(1001) as f32 / 1000.0 - 0.5).sum();
                *x = noise * spread.powf(at[1] as f32 / 7.0);
            }
            x
        })
        .collect();
    let mut graph = Graph::new();
    let x = graph.input(&[1, 8, 16, 16]).unwrap();
    let y = normalized(&mut graph, x, groups);
    graph.output(y).unwrap();
    let canonical = graph.canonicalize().unwrap();
    let data: Vec<Vec<Tensor>> = samples.iter().map(|x| vec![x.clone()]).collect();
    let ranges = observe(&canonical, &data, RangeChoice::MinMax).unwrap();
    let int = quantize(&canonical, &ranges, WeightScales::PerChannel).unwrap();
    let x = &samples[0];
    sqnr(&graph.eval(std::slice::from_ref(x)).unwrap()[0], &run(&int, x))
}

#[test]
fn normalizations_keep_what_the_spread_of_their_groups_leaves() {
    // Groups, the spread of standard deviations between channels, and the least SQNR.
    for (groups, spread, least) in
        [(1, 1.0, 37.0), (2, 1.0, 37.0), (8, 1.0, 37.0), (8, 3.0, 33.0), (8, 10.0, 23.0)]
    {
        let qualities: Vec<f64> = (0..5).map(|seed| quality(groups, spread, seed)).collect();
        let worst = qualities.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(worst >= least, "{groups} groups, spread {spread}: {qualities:.1?}");
    }
}
