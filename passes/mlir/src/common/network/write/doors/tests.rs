//! Every kind of node is legal TOSA for MLIR's verifier.

use strum_doors::tosa::{Attribute as A, Builder as Graphs, Codes, Operand, Rescale, State};
use strum_float::{PoolKind, Window};
use strum_ir::PrintOptions;

use super::*;

fn text(graph: &Graph) -> String {
    let context = Context::new();
    let module = module(&context, graph).unwrap();
    module.op().print(&PrintOptions { locations: true, ..PrintOptions::default() })
}

#[test]
fn every_kind_of_node_on_codes_is_legal() {
    let mut b = Graphs::default();
    b.source("features/conv:0");
    let codes = Codes { scale: 0.5, zero_point: -3 };
    let x = b.input("image", &[1, 8, 8, 4], Elem::I8, Some(codes)).unwrap();
    let w = b.ints(Elem::I8, &[4, 3, 3, 4], &(0..144).map(|i| i - 70).collect::<Vec<_>>()).unwrap();
    let bias = b.ints(Elem::I32, &[4], &[1, 2, -3, 4]).unwrap();
    let window = Window { stride: [2, 2], ..Window::UNIT };
    let y = b.conv(false, [x, w, bias], [-3, 0], &window).unwrap();
    b.source("");
    let per_channel = Rescale {
        to: Elem::I8,
        scales: vec![(1 << 30, 38), (1 << 30, 37), (1 << 30, 36), (1 << 30, 35)],
        double_round: true,
        input_zp: 0,
        output_zp: 5,
    };
    let y = b.rescale(y, &per_channel).unwrap();
    let dw = b.ints(Elem::I8, &[1, 1, 4, 1], &[1, 2, 3, 4]).unwrap();
    let d = b.conv(true, [x, dw, bias], [-3, 0], &Window::UNIT).unwrap();
    let one = |to, double_round| Rescale {
        to,
        scales: vec![(1 << 30, 33)],
        double_round,
        input_zp: 0,
        output_zp: 0,
    };
    let d = b.rescale(d, &one(Elem::I8, false)).unwrap();
    let d = b.clamp(d, -5, 9).unwrap();
    let table: Vec<i64> = (0..256).map(|i| i - 128).collect();
    let d = b.table(d, &table).unwrap();
    let d = b.pool(PoolKind::Max, d, [2, 2], &window, 0).unwrap();
    let d = b.pool(PoolKind::Average, d, [2, 2], &Window::UNIT, 0).unwrap();
    let d = b.slice(d, &[0; 4], &[1, 3, 3, 4]).unwrap();
    let both = b.concat(&[y, d], 3).unwrap();
    let both = b.transpose(both, &[0, 3, 1, 2]).unwrap();
    let zero = b.scalar(Elem::I8, 0).unwrap();
    let both = b.pad(both, &[[0, 0], [0, 0], [1, 0], [0, 1]], zero).unwrap();
    let rows = b.reshape(both, &[1, 8, 16]).unwrap();
    let columns = b.reshape(both, &[1, 16, 8]).unwrap();
    let product = b.matmul([rows, columns], [1, 2]).unwrap();
    let product = b.tile(product, &[1, 2, 1]).unwrap();
    let shift = b.ints(Elem::I32, &[1, 1, 1], &[3]).unwrap();
    let shifted = b.binary("arithmetic_right_shift", product, shift).unwrap();
    let sum = b.binary("add", shifted, product).unwrap();
    let difference = b.binary("sub", sum, shift).unwrap();
    let times = b.binary("mul", difference, shift).unwrap();
    let most = b.binary("maximum", times, sum).unwrap();
    let least = b.binary("minimum", most, sum).unwrap();
    let larger = b.binary("greater", least, sum).unwrap();
    let chosen = b.select(larger, least, sum).unwrap();
    let absolute = b.unary("abs", chosen).unwrap();
    let negated = b.unary("negate", absolute).unwrap();
    let reduced = b.reduce("reduce_sum", negated, 1).unwrap();
    let reduced = b.reduce("reduce_max", reduced, 2).unwrap();
    let wide = b.rescale(reduced, &one(Elem::I16, true)).unwrap();
    let narrow = b.cast(wide, Elem::I8).unwrap();
    b.output("", narrow, None);
    b.output("image", larger, None);
    b.output("image", y, Some(codes));
    b.graph_mut().outputs[2].unsigned = true;
    interface_and_places_are_written(&text(&b.finish()));
}

fn interface_and_places_are_written(text: &str) {
    for part in [
        "%arg0: tensor<1x8x8x4xi8> {tosa.tensor_name = \"image\"}",
        "tensor<1x1x1xi8> {tosa.tensor_name = \"out0\"}, tensor<1x16x8xi1> {tosa.tensor_name = \"image\"}",
        "{tosa.tensor_name = \"image_2\"}",
        "strum.input_scales = array<f64: 5.000000e-01>, strum.input_zero_points = array<i32: -3>",
        "strum.output_scales = array<f64: 1.000000e+00, 1.000000e+00, 5.000000e-01>",
        "strum.output_zero_points = array<i32: 0, 0, -3>, strum.unsigned_outputs = array<i32: 0, 0, 1>",
        "loc(\"features/conv:0\")",
        "rounding_mode = DOUBLE_ROUND, scale32 = true",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn nodes_without_a_function_of_their_own_and_rare_constants_are_legal() {
    let mut b = Graphs::default();
    let x = b.input("x", &[1, 4, 4, 2], Elem::I8, None).unwrap();
    let shapes = |list: [&[i64]; 3]| list.map(|l| Operand::Shape(l.to_vec()));
    let [scale, offset, border] = shapes([&[4, 2, 4, 2], &[-1, -1], &[1, 1]]);
    let mode = vec![("mode", A::Case("resize_mode", "NEAREST_NEIGHBOR"))];
    let y = b
        .push("resize", vec![Operand::Value(x), scale, offset, border], mode, &[1, 8, 8, 2], Elem::I8)
        .unwrap();
    let largest = vec![("axis", A::Int(Elem::I32, 3)), ("nan_mode", A::Case("nan_mode", "PROPAGATE"))];
    let index = b.push("argmax", vec![Operand::Value(y)], largest, &[1, 8, 8], Elem::I32).unwrap();
    let yes = b.constant(Elem::Bool, &[1, 1, 2], vec![1, 0]).unwrap();
    let other = b.ints(Elem::I32, &[1, 1, 2], &[7, -7]).unwrap();
    let index = b.slice(index, &[0, 0, 0], &[1, 8, 2]).unwrap();
    let z = b.select(yes, index, other).unwrap();
    let long = b.ints(Elem::I48, &[2], &[1 << 40, -5]).unwrap();
    let nibbles = b.ints(Elem::I4, &[2, 2], &[-8, 7, 0, 1]).unwrap();
    for (name, id) in [("z", z), ("long", long), ("nibbles", nibbles)] {
        b.output(name, id, None);
    }
    let text = text(&b.finish());
    for part in [
        "mode = NEAREST_NEIGHBOR",
        "dense<[4, 2, 4, 2]> : tensor<4xindex>",
        "dense<-1> : tensor<2xindex>",
        "dense<[[[true, false]]]> : tensor<1x1x2xi1>",
        "dense<[1099511627776, -5]> : tensor<2xi48>",
        "dense<[[-8, 7], [0, 1]]> : tensor<2x2xi4>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn float_networks_are_read_back_and_compute_the_same() {
    let mut b = Graphs::default();
    b.source("first");
    let x = b.input("x", &[1, 2, 2, 1], Elem::F32, None).unwrap();
    let w = b.floats(&[1, 1, 1, 1], &[2.0]).unwrap();
    let bias = b.floats(&[1], &[-1.0]).unwrap();
    let y = b.conv(false, [x, w, bias], [0, 0], &Window::UNIT).unwrap();
    let y = b.clamp_floats(y, 0.0, f32::MAX).unwrap();
    let many = b.floats(&[1, 2, 2, 300], &[0.5; 1200]).unwrap();
    let y = b.binary("add", y, many).unwrap();
    b.output("y", y, None);
    let (context, graph) = (Context::new(), b.finish());
    let module = module(&context, &graph).unwrap();
    let network = crate::common::network::Network::read(module.symbol("main").unwrap()).ok().unwrap();
    let input =
        strum_float::Tensor::from_shape_vec(ndarray::IxDyn(&[1, 2, 2, 1]), vec![1.0, 0.25, 2.0, -1.0])
            .unwrap();
    let result = network.graph.eval(&[input]).unwrap();
    let pixels: Vec<f32> = result[0].as_slice().unwrap().chunks(300).map(|pixel| pixel[299]).collect();
    assert_eq!(pixels, [1.5, 0.5, 3.5, 0.5]);
    assert_eq!(constant_bytes(&graph), 4 + 4 + 4800 + 4);
}

#[test]
fn states_are_arguments_and_results_with_a_first_value() {
    let graph = |values: &[i64]| {
        let mut b = Graphs::default();
        let x = b.input("x", &[1, 2], Elem::I8, None).unwrap();
        let old = b.input("memory", &[1, 2], Elem::I8, Some(Codes { scale: 1.0, zero_point: 7 })).unwrap();
        let initial = b.ints(Elem::I8, &[1, 2], values).unwrap();
        let new = b.binary("maximum", x, old).unwrap();
        b.output("y", x, None);
        b.output("memory", new, None);
        b.graph_mut().states.push(State { input: 1, output: 1, initial: Some(initial) });
        b.finish()
    };
    let mut first = graph(&[-4, -4]);
    let initial = "strum.initial_states = array<i32: 0, -4>";
    assert!(text(&first).contains(initial));
    assert!(text(&first).contains("strum.states = array<i32: -1, 1>"));
    first.states[0].initial = None;
    assert!(text(&first).contains("strum.initial_states = array<i32: 0, 7>"));
    let refused = module(&Context::new(), &graph(&[-4, 4])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the elements of state 'memory' differ before the first sample: it must begin with one value everywhere"
    );
}

#[test]
fn states_of_real_numbers_begin_with_a_whole_one() {
    let graph = |values: &[f32]| {
        let mut b = Graphs::default();
        let x = b.input("x", &[1, 2], Elem::F32, None).unwrap();
        let old = b.input("memory", &[1, 2], Elem::F32, None).unwrap();
        let initial = b.floats(&[1, 2], values).unwrap();
        let new = b.binary("maximum", x, old).unwrap();
        b.output("memory", new, None);
        b.graph_mut().states.push(State { input: 1, output: 0, initial: Some(initial) });
        b.finish()
    };
    assert!(text(&graph(&[-3.0, -3.0])).contains("strum.initial_states = array<i32: 0, -3>"));
    let refused = |values: &[f32]| module(&Context::new(), &graph(values)).unwrap_err().to_string();
    assert_eq!(
        refused(&[0.5, 0.5]),
        "state 'memory' is 0.5 before the first sample: a state of real numbers must begin with a whole number"
    );
    assert!(refused(&[3e9, 3e9]).starts_with("state 'memory' is 3000000000 before"));
    assert!(refused(&[f32::NAN, f32::NAN]).starts_with("state 'memory' is NaN before"));
    assert!(refused(&[0.0, 1.0]).starts_with("the elements of state 'memory' differ"));
}

#[test]
fn what_mlir_refuses_is_a_bug_that_names_the_operator_of_the_file() {
    let mut b = Graphs::default();
    b.source("bad/op");
    let x = b.input("x", &[1, 2], Elem::I8, None).unwrap();
    let y = b
        .push("argmax", vec![Operand::Value(x)], vec![("axis", A::Int(Elem::I32, 9))], &[1], Elem::I32)
        .unwrap();
    b.output("y", y, None);
    let refused = module(&Context::new(), &b.finish()).unwrap_err().to_string();
    assert!(refused.starts_with("the network as TOSA: bad/op: ") && refused.contains("axis"), "{refused}");
}
