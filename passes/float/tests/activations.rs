//! Activations that are no function of one value alone: PReLU with a slope for each channel, selection by comparison.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/integer.rs"]
mod integer;

use ndarray::IxDyn;
use strum_float::quantize::{IntGraph, RangeChoice, WeightScales, observe, quantize};
use strum_float::{Binary, Graph, Op, Relation, Tensor, Unary, ValueId};

use common::Dice;
use integer::run;

/// One input of this shape.
fn single(shape: &[usize], build: impl FnOnce(&mut Graph, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input(shape).unwrap();
    let y = build(&mut graph, x);
    graph.output(y).unwrap();
    graph
}

fn quantized(graph: &Graph, x: &Tensor) -> IntGraph {
    let graph = graph.canonicalize().unwrap();
    let ranges = observe(&graph, &[vec![x.clone()]], RangeChoice::MinMax).unwrap();
    quantize(&graph, &ranges, WeightScales::PerChannel).unwrap()
}

/// The input as the values of its codes.
fn coded(int: &IntGraph, x: &Tensor) -> Tensor {
    let params = int.inputs[0].params;
    x.mapv(|x| params.value(params.code(x.into())) as f32)
}

/// The largest distance of an output from that of the float network on the same codes, in steps of the output.
fn steps_off(graph: &Graph, int: &IntGraph, x: &Tensor) -> f64 {
    let expected = graph.eval(&[coded(int, x)]).unwrap();
    let off = expected[0].iter().zip(run(int, x)).map(|(&a, b)| (f64::from(a) - b).abs());
    off.fold(0.0, f64::max) / int.outputs[0].params.scale
}

fn names(int: &IntGraph) -> Vec<&'static str> {
    int.nodes.iter().map(|node| node.op.name()).collect()
}

fn number(g: &mut Graph, value: f32) -> ValueId {
    g.constant(Tensor::from_elem(IxDyn(&[1; 4]), value)).unwrap()
}

fn slopes(g: &mut Graph, list: &[f32]) -> ValueId {
    g.constant(Tensor::from_shape_vec(IxDyn(&[1, 1, 1, list.len()]), list.to_vec()).unwrap()).unwrap()
}

fn binary(g: &mut Graph, binary: Binary, a: ValueId, b: ValueId) -> ValueId {
    g.push(Op::Binary(binary), &[a, b]).unwrap()
}

fn unary(g: &mut Graph, unary: Unary, x: ValueId) -> ValueId {
    g.push(Op::Unary(unary), &[x]).unwrap()
}

fn clamp(g: &mut Graph, x: ValueId, min: f32, max: f32) -> ValueId {
    g.push(Op::Clamp { min, max }, &[x]).unwrap()
}

type Spelling = fn(&mut Graph, ValueId, ValueId) -> ValueId;

/// As exporters write it: selects of three kinds, a sum of two clamps, with absolute values, with two ReLUs.
const SPELLINGS: [(&str, Spelling); 6] = [
    ("x >= 0 ? x : a x", |g, x, a| {
        let (zero, steep) = (number(g, 0.0), binary(g, Binary::Mul, x, a));
        g.push(Op::Select(Relation::GreaterEqual), &[x, zero, x, steep]).unwrap()
    }),
    ("0 > x ? a x : x", |g, x, a| {
        let (zero, steep) = (number(g, 0.0), binary(g, Binary::Mul, a, x));
        g.push(Op::Select(Relation::Greater), &[zero, x, steep, x]).unwrap()
    }),
    ("max(x, 0) + a min(x, 0)", |g, x, a| {
        let zero = number(g, 0.0);
        let (above, below) = (binary(g, Binary::Maximum, x, zero), binary(g, Binary::Minimum, zero, x));
        let steep = binary(g, Binary::Mul, a, below);
        binary(g, Binary::Add, above, steep)
    }),
    ("relu(x) + a (x - |x|) / 2", |g, x, a| {
        let (above, half) = (clamp(g, x, 0.0, f32::INFINITY), number(g, 0.5));
        let size = unary(g, Unary::Abs, x);
        let twice = binary(g, Binary::Sub, x, size);
        let steep = binary(g, Binary::Mul, twice, a);
        let steep = binary(g, Binary::Mul, steep, half);
        binary(g, Binary::Add, above, steep)
    }),
    ("relu(x) - a relu(-x)", |g, x, a| {
        let minus = unary(g, Unary::Negate, x);
        let (above, below) = (clamp(g, x, 0.0, f32::MAX), clamp(g, minus, 0.0, f32::MAX));
        let steep = binary(g, Binary::Mul, below, a);
        binary(g, Binary::Sub, above, steep)
    }),
    ("relu(x) + (-a) relu(-x)", |g, x, a| {
        let (minus, other) = (unary(g, Unary::Negate, x), unary(g, Unary::Negate, a));
        let (above, below) = (clamp(g, x, 0.0, f32::MAX), clamp(g, minus, 0.0, f32::MAX));
        let steep = binary(g, Binary::Mul, below, other);
        binary(g, Binary::Add, above, steep)
    }),
];

/// Slopes of a kind, and the operators that they need.
const KINDS: [(&[f32], &[&str]); 4] = [
    (&[0.25, 0.0, 1.0, 0.01], &["rescale", "rescale", "rescale", "maximum", "rescale"]),
    (&[1.5, 1.0, 3.0, 2.0], &["rescale", "rescale", "rescale", "minimum", "rescale"]),
    (&[-0.25, 0.5, 1.0, -2.0], &["clamp", "rescale", "rescale", "sub", "rescale"]),
    (&[-0.5, 0.5, 1.0, 2.0], &["clamp", "rescale", "rescale", "sub", "rescale", "add", "rescale"]),
];

#[test]
fn every_spelling_of_a_prelu_has_one_exact_integer_form() {
    let x = Dice(5).tensor(&[1, 8, 8, 4]);
    for (list, operators) in KINDS {
        for (name, spell) in SPELLINGS {
            let graph = single(&[1, 8, 8, 4], |g, x| {
                let a = slopes(g, list);
                spell(g, x, a)
            });
            let canonical = graph.canonicalize().unwrap();
            let ops: Vec<&str> = canonical.nodes().iter().map(|node| node.op.name()).collect();
            assert_eq!(ops, ["mul", "select"], "{name} {list:?}");
            assert!(canonical.recognize_activations().unwrap().is_same(&canonical), "{name} {list:?}");
            let int = quantized(&graph, &x);
            assert_eq!(names(&int), operators, "{name} {list:?}");
            let off = steps_off(&graph, &int, &x);
            assert!(off <= 0.5001, "{name} {list:?}: {off} steps");
        }
    }
}

#[test]
fn bounds_of_two_slopes_are_a_prelu() {
    let x = Dice(6).tensor(&[1, 8, 8, 4]);
    for (list, how) in [(KINDS[0].0, Binary::Maximum), (KINDS[1].0, Binary::Minimum)] {
        for by_select in [false, true] {
            let graph = single(&[1, 8, 8, 4], |g, x| {
                let a = slopes(g, list);
                let steep = binary(g, Binary::Mul, x, a);
                let (yes, no) = if how == Binary::Maximum { (x, steep) } else { (steep, x) };
                match by_select {
                    true => g.push(Op::Select(Relation::Greater), &[x, steep, yes, no]).unwrap(),
                    false => binary(g, how, steep, x),
                }
            });
            let off = steps_off(&graph, &quantized(&graph, &x), &x);
            assert!(off <= 0.5001, "{how:?}: {off} steps");
            let last = graph.canonicalize().unwrap().nodes().last().unwrap().op.name();
            assert_eq!(last, "select", "{how:?} {by_select}");
        }
    }
}

#[test]
fn slopes_of_pixels_are_coded() {
    let mut dice = Dice(7);
    let x = dice.tensor(&[1, 4, 4, 3]);
    let list = dice.tensor(&[1, 4, 4, 3]).mapv(|x| x / 8.0 + 0.25);
    let graph = single(&[1, 4, 4, 3], |g, x| {
        let (zero, a) = (number(g, 0.0), g.constant(list.clone()).unwrap());
        let steep = binary(g, Binary::Mul, x, a);
        g.push(Op::Select(Relation::GreaterEqual), &[x, zero, x, steep]).unwrap()
    });
    let int = quantized(&graph, &x);
    // Half a step of the result, and half a step of the slope times the input.
    let off = steps_off(&graph, &int, &x);
    assert!(off <= 1.0, "{off} steps");
    assert!(int.nodes.iter().any(|node| node.op.name() == "mul"));
}

#[test]
fn functions_that_are_nearly_a_prelu_are_none() {
    let others: [(&str, Spelling); 4] = [
        ("the kink elsewhere", |g, x, a| {
            let (limit, steep) = (number(g, 1e-3), binary(g, Binary::Mul, x, a));
            g.push(Op::Select(Relation::GreaterEqual), &[x, limit, x, steep]).unwrap()
        }),
        ("bounded far out", |g, x, a| {
            let (above, below) = (clamp(g, x, 0.0, 1000.0), clamp(g, x, f32::MIN, 0.0));
            let steep = binary(g, Binary::Mul, below, a);
            binary(g, Binary::Add, above, steep)
        }),
        ("a square", |g, x, a| {
            let (zero, steep) = (number(g, 0.0), binary(g, Binary::Mul, x, a));
            let square = binary(g, Binary::Mul, steep, x);
            g.push(Op::Select(Relation::GreaterEqual), &[x, zero, x, square]).unwrap()
        }),
        ("scaled above, too", |g, x, a| {
            let (zero, steep) = (number(g, 0.0), binary(g, Binary::Mul, x, a));
            g.push(Op::Select(Relation::GreaterEqual), &[x, zero, steep, x]).unwrap()
        }),
    ];
    let x = Dice(8).tensor(&[1, 8, 8, 4]).mapv(|x| x * 1000.0);
    for (name, spell) in others {
        let graph = single(&[1, 8, 8, 4], |g, x| {
            let a = slopes(g, KINDS[0].0);
            spell(g, x, a)
        });
        let after = graph.recognize_activations().unwrap();
        assert!(after.is_same(&graph.without_dead_nodes().unwrap()), "{name}");
        let inputs = std::slice::from_ref(&x);
        assert_eq!(after.eval(inputs).unwrap(), graph.eval(inputs).unwrap(), "{name}");
    }
}

#[test]
fn one_slope_is_a_table() {
    let x = Dice(9).tensor(&[1, 8, 8, 4]);
    for (name, spell) in SPELLINGS {
        let graph = single(&[1, 8, 8, 4], |g, x| {
            let a = slopes(g, &[0.1; 4]);
            spell(g, x, a)
        });
        let int = quantized(&graph, &x);
        assert_eq!(names(&int), ["table"], "{name}");
        // The zero point is rounded as well, so the end of the range may have no code of its own.
        assert!(steps_off(&graph, &int, &x) <= 1.0001, "{name}");
    }
}

/// Selection between activations, each with a scale of its own; the comparison is of codes.
#[test]
fn selection_between_activations_is_exact_on_codes() {
    let x = Dice(10).tensor(&[1, 6, 6, 4]);
    for relation in [Relation::Equal, Relation::Greater, Relation::GreaterEqual] {
        for limit in [None, Some(0.0), Some(0.25)] {
            for swapped in [false, true] {
                let graph = single(&[1, 6, 6, 4], |g, x| {
                    let part = |g: &mut Graph, at: usize| {
                        let (start, size) = (vec![0, 0, 0, at], vec![1, 6, 6, 2]);
                        g.push(Op::Slice { start, size }, &[x]).unwrap()
                    };
                    let (a, b) = (part(g, 0), part(g, 2));
                    let other = match limit {
                        None => b,
                        Some(limit) => number(g, limit),
                    };
                    let (first, second) = if swapped { (other, a) } else { (a, other) };
                    let square = unary(g, Unary::Tanh, b);
                    g.push(Op::Select(relation), &[first, second, square, b]).unwrap()
                });
                let int = quantized(&graph, &x);
                let off = steps_off(&graph, &int, &x);
                // The table of tanh and the result are rounded.
                assert!(off <= 1.0001, "{relation:?} {limit:?} {swapped}: {off} steps");
            }
        }
    }
}

#[test]
fn the_larger_and_the_smaller_of_two_are_bounds() {
    for (greater, expected) in [(true, Binary::Maximum), (false, Binary::Minimum)] {
        let mut graph = Graph::new();
        let (a, b) = (graph.input(&[1, 8]).unwrap(), graph.input(&[1, 8]).unwrap());
        let (yes, no) = if greater { (a, b) } else { (b, a) };
        let y = graph.push(Op::Select(Relation::Greater), &[a, b, yes, no]).unwrap();
        graph.output(y).unwrap();
        let after = graph.recognize_activations().unwrap();
        assert_eq!(after.nodes().iter().map(|n| n.op.clone()).collect::<Vec<_>>(), [Op::Binary(expected)]);
        let mut dice = Dice(3);
        let inputs = [dice.tensor(&[1, 8]), dice.tensor(&[1, 8])];
        assert_eq!(after.eval(&inputs).unwrap(), graph.eval(&inputs).unwrap());
    }
}

#[test]
fn slopes_that_are_no_numbers_are_refused() {
    let x = Dice(12).tensor(&[1, 2, 2, 2]);
    let graph = single(&[1, 2, 2, 2], |g, x| {
        let (zero, a) = (number(g, 0.0), slopes(g, &[0.5, f32::INFINITY]));
        let steep = binary(g, Binary::Mul, x, a);
        g.push(Op::Select(Relation::GreaterEqual), &[x, zero, x, steep]).unwrap()
    });
    let graph = graph.canonicalize().unwrap();
    let ranges = observe(&graph, &[vec![x]], RangeChoice::MinMax).unwrap();
    let error = quantize(&graph, &ranges, WeightScales::PerChannel).unwrap_err();
    assert_eq!(error.reason, "calibration data make this value infinite or not a number");
}
