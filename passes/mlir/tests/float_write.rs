//! Float graphs written as TOSA are read back unchanged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../../float/tests/common/mod.rs"]
mod common;

use strum_float::{Graph, Pool, PoolKind, Window};
use strum_float::{Op, Relation, Tensor, Unary};
use strum_ir::{Context, Module, Operation};
use strum_passes::common::network::{Network, write};

fn ty(shape: &[usize]) -> String {
    let extents: String = shape.iter().map(|d| format!("{d}x")).collect();
    format!("tensor<{extents}f32>")
}

/// A module of one function with the inputs and outputs of a graph, and another body.
fn frame<'c>(context: &'c Context, graph: &Graph) -> Module<'c> {
    let list = |ids: &[strum_float::ValueId]| ids.iter().map(|&id| ty(graph.shape(id))).collect::<Vec<_>>();
    let (inputs, outputs) = (list(graph.inputs()), list(graph.outputs()));
    let arguments: Vec<String> = inputs.iter().enumerate().map(|(i, ty)| format!("%x{i}: {ty}")).collect();
    let bodies: String =
        outputs.iter().enumerate().map(|(i, ty)| format!("%y{i} = tensor.empty() : {ty}\n")).collect();
    let results: Vec<String> = (0..outputs.len()).map(|i| format!("%y{i}")).collect();
    let types = outputs.join(", ");
    let text = format!(
        "func.func @main({}) -> ({types}) {{\n{bodies}return {} : {types}\n}}",
        arguments.join(", "),
        results.join(", ")
    );
    Module::parse(context, text.as_bytes(), "frame").unwrap()
}

fn function<'c>(module: &Module<'c>) -> Operation<'c> {
    module.body().operations()[0]
}

/// Writes, verifies, goes through bytecode, and reads.
fn through(graph: &Graph) -> Graph {
    let context = Context::new();
    let module = frame(&context, graph);
    write::replace_function(function(&module), &Network { graph: graph.clone(), sources: Vec::new() })
        .unwrap();
    module.op().verify().unwrap();
    let module = Module::parse(&context, &module.op().bytecode(), "again").unwrap();
    Network::read(function(&module)).unwrap().graph
}

#[test]
fn random_networks_come_back_and_compute_the_same() {
    for seed in 0..300 {
        let (graph, x) = common::network(seed);
        let back = through(&graph);
        // Constants are folded by the reader, so the networks need not be equal node by node.
        assert!(
            back.without_dead_nodes().unwrap().is_same(&through(&back).without_dead_nodes().unwrap()),
            "seed {seed}"
        );
        assert_eq!(
            graph.eval(std::slice::from_ref(&x)).unwrap(),
            back.eval(std::slice::from_ref(&x)).unwrap(),
            "seed {seed}"
        );
    }
}

/// One node of every operator that random networks lack, after an image of 1×7×7×3.
fn others() -> Vec<Op> {
    let window = Window { stride: [2, 2], before: [1, 0], after: [1, 1], ..Window::UNIT };
    let unary = [
        Unary::Abs,
        Unary::Ceil,
        Unary::Erf,
        Unary::Exp,
        Unary::Floor,
        Unary::Log,
        Unary::Negate,
        Unary::Reciprocal,
        Unary::Rsqrt,
        Unary::Sigmoid,
        Unary::Tanh,
    ];
    let mut ops: Vec<Op> = unary.into_iter().map(Op::Unary).collect();
    for kind in [PoolKind::Average, PoolKind::Max] {
        ops.push(Op::Pool(Pool { kind, kernel: [3, 3], window }));
        ops.push(Op::Pool(Pool { kind, kernel: [2, 2], window: Window { stride: [2, 2], ..Window::UNIT } }));
    }
    ops.push(Op::Clamp { min: f32::NEG_INFINITY, max: 6.0 });
    ops.push(Op::Tile { multiples: vec![1, 2, 1, 3] });
    for reduction in [
        strum_float::Reduction::Max,
        strum_float::Reduction::Min,
        strum_float::Reduction::Product,
        strum_float::Reduction::Sum,
    ] {
        ops.push(Op::Reduce { reduction, axis: 2 });
    }
    ops
}

#[test]
fn every_operator_comes_back() {
    let mut dice = common::Dice(3);
    let x = dice.tensor(&[1, 7, 7, 3]);
    for op in others() {
        let mut graph = Graph::new();
        let image = graph.input(&[1, 7, 7, 3]).unwrap();
        let y = graph.push(op.clone(), &[image]).unwrap();
        graph.output(y).unwrap();
        let same = |a: &[Tensor], b: &[Tensor]| {
            a.iter()
                .flatten()
                .zip(b.iter().flatten())
                .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        };
        let (a, b) = (graph.eval(std::slice::from_ref(&x)), through(&graph).eval(std::slice::from_ref(&x)));
        assert!(same(&a.unwrap(), &b.unwrap()), "{op:?}");
    }
}

#[test]
fn a_strided_convolution_that_leaves_a_rest_keeps_its_result() {
    let mut dice = common::Dice(4);
    for (size, kernel, before, after) in [(7, 2, 0, 0), (8, 3, 1, 1), (6, 3, 0, 1), (5, 5, 2, 1)] {
        let mut graph = Graph::new();
        let image = graph.input(&[1, size, size, 3]).unwrap();
        let window = Window { stride: [2, 2], before: [before; 2], after: [after; 2], ..Window::UNIT };
        let weights = graph.constant(dice.tensor(&[4, kernel, kernel, 3])).unwrap();
        let bias = graph.constant(dice.tensor(&[4])).unwrap();
        let y = graph.push(Op::Conv2d(window), &[image, weights, bias]).unwrap();
        let weights = graph.constant(dice.tensor(&[1, 1, 4, 2])).unwrap();
        let bias = graph.constant(dice.tensor(&[1])).unwrap();
        let y = graph.push(Op::DepthwiseConv2d(Window::UNIT), &[y, weights, bias]).unwrap();
        let limit = graph.constant(dice.tensor(&[1, 1, 1, 8])).unwrap();
        let y = graph.push(Op::Select(Relation::Equal), &[y, limit, limit, y]).unwrap();
        graph.output(y).unwrap();
        let x = dice.tensor(&[1, size, size, 3]);
        assert_eq!(
            graph.eval(std::slice::from_ref(&x)).unwrap(),
            through(&graph).eval(std::slice::from_ref(&x)).unwrap(),
            "{size} {kernel}"
        );
    }
}
