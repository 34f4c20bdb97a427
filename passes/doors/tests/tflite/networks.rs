//! Networks and the graphs that they become.

use strum_doors::tosa::{Attribute, Codes, Elem, Graph, Operand};
use strum_doors::{Fate, InputShape, Network, Options, import};
use strum_schemas::tflite::{
    BuiltinOptions as O, CallOnceOptions, Conv2DOptions, ReducerOptions, SoftmaxOptions, StridedSliceOptions,
    VarHandleOptions,
};

use super::file::{F16, F32, I8, Net, RESOURCE, U8};

fn read(bytes: &[u8]) -> Network {
    import(bytes, &Options::default()).unwrap()
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|node| node.name).collect()
}

fn constants(graph: &Graph, node: usize, operand: usize) -> Vec<i64> {
    let Operand::Value(id) = graph.nodes[node].operands[operand] else { panic!("a shape") };
    graph.constant(id).unwrap().ints().unwrap()
}

/// A convolution of codes, 3x3 with stride 2.
pub(crate) fn convolution(kind: i8) -> Vec<u8> {
    let mut net = Net::default();
    let x = net.input(kind, &[1, 8, 8, 2], Some((0.5, 3)));
    let w = net.tensor(kind, &[1, 3, 3, 2], Some((0.25, if kind == U8 { 100 } else { 0 })), &[90; 18]);
    let b = net.ints(&[-7]);
    let y = net.tensor(kind, &[1, 4, 4, 1], Some((0.5, -1 + if kind == U8 { 128 } else { 0 })), &[]);
    let conv =
        Conv2DOptions { stride_h: 2, stride_w: 2, fused_activation_function: 3, ..Conv2DOptions::default() };
    net.operator(3, &[x, w, b], &[y], Some(O::Conv2DOptions(Box::new(conv))));
    net.bytes(&[y])
}

#[test]
fn a_convolution_of_codes_is_rescaled_twice_rounded_and_clamped() {
    let network = read(&convolution(I8));
    let graph = &network.graph;
    assert_eq!(names(graph), ["conv2d", "rescale", "clamp"]);
    assert_eq!(graph.nodes[0].attributes[2].1, Attribute::Ints64(vec![0, 1, 0, 1]));
    assert_eq!((constants(graph, 1, 1), constants(graph, 1, 2)), (vec![1 << 30], vec![32]));
    assert!(
        graph.nodes[1]
            .attributes
            .contains(&("rounding_mode", Attribute::Case("rounding_mode", "DOUBLE_ROUND")))
    );
    assert_eq!(graph.nodes[2].attributes[0].1, Attribute::Int(Elem::I8, -1));
    assert_eq!(graph.nodes[2].attributes[1].1, Attribute::Int(Elem::I8, 11));
    assert_eq!(graph.inputs[0].codes, Some(Codes { scale: 0.5, zero_point: 3 }));
    assert_eq!(network.record.operators[0].fate, Fate::Imported);
    assert_eq!((&*network.record.operators[0].kind, &*network.record.operators[0].name), ("CONV_2D", "t3"));
}

#[test]
fn unsigned_codes_are_128_less_and_weights_lose_their_zero_point() {
    let graph = read(&convolution(U8)).graph;
    assert!(graph.inputs[0].unsigned && graph.outputs[0].unsigned);
    assert_eq!(graph.inputs[0].codes, Some(Codes { scale: 0.5, zero_point: -125 }));
    assert_eq!(constants(&graph, 0, 1), [-10; 18]);
    assert_eq!((constants(&graph, 0, 3), constants(&graph, 0, 4)), (vec![-125], vec![0]));
}

#[test]
fn floats_at_the_edges_are_codes() {
    let mut net = Net::default();
    let x = net.input(F32, &[1, 4], None);
    let [q, r] = [net.codes(&[1, 4]), net.codes(&[1, 4])];
    let y = net.tensor(F32, &[1, 4], None, &[]);
    net.operator(114, &[x], &[q], None);
    net.operator(19, &[q], &[r], None);
    net.operator(6, &[r], &[y], None);
    let network = read(&net.bytes(&[y]));
    let codes = Some(Codes { scale: 0.5, zero_point: 3 });
    assert_eq!((network.graph.inputs[0].codes, network.graph.outputs[0].codes), (codes, codes));
    assert_eq!(names(&network.graph), ["clamp"]);
    let fates: Vec<Fate> = network.record.operators.iter().map(|op| op.fate).collect();
    assert_eq!(fates, [Fate::Folded, Fate::Imported, Fate::Folded]);
}

#[test]
fn weights_of_16_bits_are_floats() {
    let mut net = Net::default();
    let x = net.input(F32, &[2, 2], None);
    let half = net.tensor(F16, &[1, 2], None, &[0x00, 0x3c, 0x00, 0xc0]);
    let [w, y] = [net.tensor(F32, &[1, 2], None, &[]), net.tensor(F32, &[2, 1], None, &[])];
    net.operator(6, &[half], &[w], None);
    net.operator(9, &[x, w, -1], &[y], Some(O::FullyConnectedOptions(Box::default())));
    let graph = read(&net.bytes(&[y])).graph;
    assert_eq!(names(&graph), ["reshape", "conv2d", "reshape"]);
    let Operand::Value(weights) = graph.nodes[1].operands[1] else { panic!("a shape") };
    assert_eq!(graph.constant(weights).unwrap().floats().unwrap(), [1.0, -2.0]);
}

#[test]
fn weights_of_8_bits_of_a_float_layer_are_real_numbers() {
    let mut net = Net::default();
    let x = net.input(F32, &[1, 2], None);
    let w = net.tensor(I8, &[1, 2], Some((0.5, 1)), &[3, 0xff]);
    let y = net.tensor(F32, &[1, 1], None, &[]);
    net.operator(9, &[x, w, -1], &[y], Some(O::FullyConnectedOptions(Box::default())));
    let graph = read(&net.bytes(&[y])).graph;
    let Operand::Value(weights) = graph.nodes[1].operands[1] else { panic!("a shape") };
    assert_eq!(graph.constant(weights).unwrap().floats().unwrap(), [1.0, -1.0]);
}

/// A reshape whose shape is computed: the batch of the input, and the rest.
pub(crate) fn computed_shape(signature: &[i32]) -> Vec<u8> {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 4, 6], Some((0.5, 3)));
    net.last().shape_signature = Some(signature.to_vec());
    let shape = net.tensor(2, &[3], None, &[]);
    let [zero, one] = [net.ints(&[0]), net.ints(&[1])];
    let batch = net.tensor(2, &[], None, &[]);
    let rest = net.tensor(2, &[], None, &(-1_i32).to_le_bytes());
    let to = net.tensor(2, &[2], None, &[]);
    let y = net.codes(&[1, 24]);
    net.operator(77, &[x], &[shape], None);
    let slice = StridedSliceOptions { shrink_axis_mask: 1, ..StridedSliceOptions::default() };
    net.operator(45, &[shape, zero, one, one], &[batch], Some(O::StridedSliceOptions(Box::new(slice))));
    net.operator(83, &[batch, rest], &[to], Some(O::PackOptions(Box::default())));
    net.operator(22, &[x, to], &[y], Some(O::ReshapeOptions(Box::default())));
    net.bytes(&[y])
}

#[test]
fn shapes_are_computed_for_the_batch_that_is_asked_for() {
    let bytes = computed_shape(&[-1, 4, 6]);
    let one = read(&bytes);
    assert_eq!(one.graph.shape(one.graph.outputs[0].id), [1, 24]);
    assert_eq!(one.notes, ["the batch of 't0' is unknown and taken as 1"]);
    let five = import(&bytes, &Options { batch: Some(5), ..Options::default() }).unwrap();
    assert_eq!(five.graph.shape(five.graph.outputs[0].id), [5, 24]);
    let shape = InputShape { input: None, shape: vec![2, 3, 6] };
    let asked = Options { input_shapes: vec![shape], ..Options::default() };
    let other = import(&computed_shape(&[-1, -1, 6]), &asked).unwrap();
    assert_eq!(other.graph.shape(other.graph.outputs[0].id), [2, 18]);
    assert_eq!(names(&other.graph), ["reshape"]);
    let refused = import(&bytes, &asked).unwrap_err().to_string();
    assert_eq!(refused, "--input-shape: the shape of the input 't0' is ?x4x6");
}

#[test]
fn variables_are_states() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 2], Some((0.5, 3)));
    let handle = net.tensor(RESOURCE, &[], None, &[]);
    let [old, y] = [net.codes(&[1, 2]), net.codes(&[1, 2])];
    let name = || {
        let options =
            VarHandleOptions { shared_name: Some("memory".to_owned()), ..VarHandleOptions::default() };
        Some(O::VarHandleOptions(Box::new(options)))
    };
    net.operator(
        129,
        &[],
        &[],
        Some(O::CallOnceOptions(Box::new(CallOnceOptions { init_subgraph_index: 1 }))),
    );
    net.operator(142, &[], &[handle], name());
    net.operator(143, &[handle], &[old], None);
    net.operator(0, &[x, old], &[y], None);
    net.operator(144, &[handle, y], &[], None);
    let mut first = Net::default();
    let (handle, value) =
        (first.tensor(RESOURCE, &[], None, &[]), first.tensor(I8, &[1, 2], Some((0.5, 3)), &[3, 3]));
    first.operator(142, &[], &[handle], name());
    first.operator(144, &[handle, value], &[], None);
    net.others.push(first);
    let graph = read(&net.bytes(&[y])).graph;
    let state = &graph.states[0];
    assert_eq!((state.input, state.output, graph.states.len()), (1, 1, 1));
    assert_eq!(graph.outputs[1].id, graph.outputs[0].id);
    assert_eq!(graph.constant(state.initial.unwrap()).unwrap().ints().unwrap(), [3, 3]);
}

#[test]
fn a_softmax_has_the_kernels_steps() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 10], Some((0.1, 3)));
    let y = net.tensor(I8, &[1, 10], Some((1.0 / 256.0, -128)), &[]);
    net.operator(25, &[x], &[y], Some(O::SoftmaxOptions(Box::new(SoftmaxOptions { beta: 1.0 }))));
    let graph = read(&net.bytes(&[y])).graph;
    let count = |name| names(&graph).iter().filter(|&&n| n == name).count();
    assert_eq!(["reduce_max", "table", "clz", "mul", "rescale"].map(count), [1, 3, 1, 8, 3]);
}

#[test]
fn a_mean_has_its_count_in_the_factor() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 3, 5, 2], Some((0.5, 3)));
    let axes = net.ints(&[1, -2]);
    let y = net.codes(&[1, 2]);
    net.operator(
        40,
        &[x, axes],
        &[y],
        Some(O::ReducerOptions(Box::new(ReducerOptions { keep_dims: false }))),
    );
    let graph = read(&net.bytes(&[y])).graph;
    assert_eq!(names(&graph), ["rescale", "reduce_sum", "reduce_sum", "rescale", "reshape"]);
    assert_eq!((constants(&graph, 3, 1), constants(&graph, 3, 2)), (vec![(1_i64 << 33) / 15], vec![33]));
}

#[test]
fn a_network_ends_where_it_is_cut() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 2], Some((0.5, 3)));
    let [a, y] = [net.codes(&[1, 2]), net.codes(&[1, 2])];
    net.operator(19, &[x], &[a], None);
    net.custom(32, Some("Boxes"), &[a], &[y], None);
    let bytes = net.bytes(&[y]);
    let network = import(&bytes, &Options { cut: vec!["t1".to_owned()], ..Options::default() }).unwrap();
    assert_eq!(network.graph.outputs[0].name, "t1");
    assert_eq!(network.record.operators[1].fate, Fate::Cut);
    assert_eq!(network.notes, ["the network ends at t1 as asked; 1 operators are left to the host"]);
}
