//! Files that were once read wrongly: each is now read right, or refused at its operator.

use strum_doors::tosa::{Elem, Graph};
use strum_doors::{Fate, Options, import};
use strum_schemas::tflite::{
    AddOptions, BatchMatMulOptions, BuiltinOptions as O, CallOnceOptions, FullyConnectedOptions,
    ReducerOptions, ReshapeOptions, ResizeBilinearOptions, SplitOptions, StridedSliceOptions, UnpackOptions,
    VarHandleOptions,
};

use super::file::{BOOL, F32, I8, I32, I64, Net, RESOURCE, U8};

/// The refusal of a file, in one line.
fn refused(net: Net, outputs: &[i32]) -> String {
    let text = import(&net.bytes(outputs), &Options::default()).map(|_| ()).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

fn read(net: Net, outputs: &[i32]) -> Graph {
    import(&net.bytes(outputs), &Options::default()).unwrap().graph
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|node| node.name).collect()
}

/// Shape and elements of an output that is a constant.
fn output(graph: &Graph, index: usize) -> (Vec<usize>, Vec<i64>) {
    let constant = graph.constant(graph.outputs[index].id).unwrap();
    (constant.shape.to_vec(), constant.ints().unwrap())
}

#[test]
fn steps_of_slices_are_neither_zero_nor_beyond_32_bits() {
    for (step, text) in [(0, "0"), (i64::MAX, "9223372036854775807"), (i64::MIN, "-9223372036854775808")] {
        let mut net = Net::default();
        let x = net.input(I8, &[4], Some((0.5, 3)));
        let [begin, end] = [net.ints(&[3]), net.ints(&[4])];
        let step = net.tensor(I64, &[1], None, &step.to_le_bytes());
        let y = net.codes(&[1]);
        let options = O::StridedSliceOptions(Box::<StridedSliceOptions>::default());
        net.operator(45, &[x, begin, end, step], &[y], Some(options));
        let said = refused(net, &[y]);
        assert_eq!(said, format!("STRIDED_SLICE 't4' (operator 0): a slice with a step of {text}"));
    }
}

#[test]
fn matrices_of_floats_and_codes_are_not_multiplied() {
    let mut net = Net::default();
    let x = net.input(F32, &[1, 2, 3], None);
    let w = net.tensor(I8, &[1, 3, 2], Some((0.5, 0)), &[1; 6]);
    let y = net.tensor(F32, &[1, 2, 2], None, &[]);
    let options = O::BatchMatMulOptions(Box::<BatchMatMulOptions>::default());
    net.operator(126, &[x, w], &[y], Some(options));
    let text = "BATCH_MATMUL 't2' (operator 0): a product of matrices of float32 and int8";
    assert_eq!(refused(net, &[y]), text);
}

#[test]
fn casts_to_integers_truncate_and_casts_to_booleans_compare_with_zero() {
    let cast = |from: i8, to: i8| {
        let mut net = Net::default();
        let x = net.input(from, &[4], None);
        let y = net.tensor(to, &[4], None, &[]);
        net.operator(53, &[x], &[y], None);
        let graph = read(net, &[y]);
        let elem = graph.value(graph.outputs[0].id).unwrap().elem;
        (names(&graph), elem)
    };
    assert_eq!(cast(F32, I32), (vec!["greater_equal", "floor", "ceil", "select", "cast"], Elem::I32));
    assert_eq!(cast(F32, BOOL), (vec!["equal", "logical_not"], Elem::Bool));
    assert_eq!(cast(BOOL, F32), (vec!["cast", "cast"], Elem::F32));
    let mut net = Net::default();
    net.input(I32, &[1], None);
    let x = net.ints(&[2, 0, -1]);
    let y = net.tensor(BOOL, &[3], None, &[]);
    net.operator(53, &[x], &[y], None);
    assert_eq!(output(&read(net, &[y]), 0), (vec![3], vec![1, 0, 1]));
}

/// An operator on constants of int32 of the given shapes.
fn folded(
    code: i32,
    operands: &[(&[i32], &[i32])],
    results: &[&[i32]],
    options: Option<O>,
) -> (Net, Vec<i32>) {
    let mut net = Net::default();
    let inputs: Vec<i32> = operands
        .iter()
        .map(|(shape, values)| {
            let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            net.tensor(I32, shape, None, &data)
        })
        .collect();
    let outputs: Vec<i32> = results.iter().map(|shape| net.tensor(I32, shape, None, &[])).collect();
    net.operator(code, &inputs, &outputs, options);
    (net, outputs)
}

fn value(case: (Net, Vec<i32>)) -> Vec<(Vec<usize>, Vec<i64>)> {
    let (net, outputs) = case;
    let graph = read(net, &outputs);
    assert_eq!(names(&graph), Vec::<&str>::new());
    (0..outputs.len()).map(|index| output(&graph, index)).collect()
}

fn said(case: (Net, Vec<i32>)) -> String {
    let (net, outputs) = case;
    let text = refused(net, &outputs);
    text.split_once("): ").unwrap().1.to_owned()
}

fn product(axes: &[i32], result: &[i32], shape: &[i32]) -> (Net, Vec<i32>) {
    let options = O::ReducerOptions(Box::new(ReducerOptions { keep_dims: false }));
    let axes: (&[i32], &[i32]) = (&[i32::try_from(axes.len()).unwrap()], axes);
    folded(81, &[(shape, &[2, 3, 4, 5]), axes], &[result], Some(options))
}

#[test]
fn products_of_extents_are_those_of_the_whole_or_refused() {
    assert_eq!(value(product(&[-1], &[], &[4])), [(vec![], vec![120])]);
    let text = "REDUCE_PROD is supported where its result is known when the network is compiled";
    assert_eq!(said(product(&[0], &[2], &[2, 2])), text);
    let square = |x: i32| folded(18, &[(&[1], &[x]), (&[1], &[x])], &[&[1]], None);
    assert_eq!(value(square(46_340)), [(vec![1], vec![2_147_395_600])]);
    assert_eq!(said(square(46_341)), "2147488281 as int32");
}

#[test]
fn constants_are_split_along_their_axis_into_as_many_parts_as_results() {
    let split = |axis: i32, shape: &[i32], values: &[i32], part: &[i32]| {
        let options = O::SplitOptions(Box::new(SplitOptions { num_splits: 2 }));
        folded(49, &[(&[], &[axis]), (shape, values)], &[part, part], Some(options))
    };
    assert_eq!(value(split(0, &[4], &[1, 2, 3, 4], &[2])), [(vec![2], vec![1, 2]), (vec![2], vec![3, 4])]);
    let (net, outputs) = split(1, &[2, 2], &[1, 2, 3, 4], &[2, 1]);
    assert_eq!(names(&read(net, &outputs)), ["slice", "slice"]);
    assert_eq!(said(split(0, &[3], &[1, 2, 3], &[1])), "2 equal parts of 3");
    let unpack = |results: &[&[i32]]| {
        let options = O::UnpackOptions(Box::new(UnpackOptions { num: 0, axis: 0 }));
        folded(88, &[(&[2], &[7, 8])], results, Some(options))
    };
    assert_eq!(value(unpack(&[&[], &[]])), [(vec![], vec![7]), (vec![], vec![8])]);
    assert_eq!(said(unpack(&[&[]])), "1 results of an extent of 2");
}

#[test]
fn parts_of_given_sizes_are_the_whole() {
    let split = |sizes: &[i32], results: usize| {
        let mut net = Net::default();
        let x = net.input(I8, &[5], Some((0.5, 3)));
        let (sizes, axis) = (net.ints(sizes), net.ints(&[0]));
        let outputs: Vec<i32> = (0..results).map(|_| net.tensor(I8, &[], Some((0.5, 3)), &[])).collect();
        net.operator(102, &[x, sizes, axis], &outputs, None);
        (net, outputs)
    };
    let (net, outputs) = split(&[2, -1], 2);
    let graph = read(net, &outputs);
    assert_eq!(graph.shape(graph.outputs[1].id), [3]);
    for (sizes, results) in [(&[2, 3][..], 3), (&[2, 2], 2), (&[-1, -1], 2), (&[6, -1], 2), (&[-2, 7], 2)] {
        assert_eq!(said(split(sizes, results)), format!("{results} parts of {sizes:?} of 5"));
    }
}

#[test]
fn constants_are_broadcast_along_their_axes() {
    let add = |a: (&[i32], &[i32]), b: (&[i32], &[i32]), to: &[i32]| folded(0, &[a, b], &[to], None);
    let column: (&[i32], &[i32]) = (&[2, 1], &[1, 2]);
    assert_eq!(value(add(column, (&[1, 2], &[10, 20]), &[2, 2])), [(vec![2, 2], vec![11, 21, 12, 22])]);
    assert_eq!(value(add((&[], &[1]), column, &[2, 1])), [(vec![2, 1], vec![2, 3])]);
    assert_eq!(value(add((&[1, 1], &[1]), (&[1], &[2]), &[1, 1])), [(vec![1, 1], vec![3])]);
    let text = said(add((&[2], &[1, 2]), (&[3], &[1, 2, 3]), &[3]));
    assert_eq!(text, "add: [2] and [3] do not match");
    let options = AddOptions { fused_activation_function: 1 };
    let relu = folded(0, &[(&[1], &[-5]), (&[1], &[2])], &[&[1]], Some(O::AddOptions(Box::new(options))));
    assert_eq!(said(relu), "an activation of integers without a scale");
}

#[test]
fn slices_are_within_their_tensors() {
    let slice = |size: i32| folded(65, &[(&[3], &[1, 2, 3]), (&[1], &[1]), (&[1], &[size])], &[&[2]], None);
    assert_eq!(value(slice(-1)), [(vec![2], vec![2, 3])]);
    assert_eq!(said(slice(3)), "a slice beyond its tensor");
    let mut net = Net::default();
    let x = net.input(I8, &[4], Some((0.5, 3)));
    let (start, size, y) = (net.ints(&[0]), net.ints(&[-2]), net.codes(&[4]));
    net.operator(65, &[x, start, size], &[y], None);
    assert_eq!(refused(net, &[y]), "SLICE 't3' (operator 0): a slice of -2 elements");
}

#[test]
fn results_have_the_elements_that_the_file_says() {
    let of = |code: i32, inputs: [i8; 2], result: i8, options: Option<O>| {
        let mut net = Net::default();
        let codes = |kind: i8| [I8, U8].contains(&kind).then_some((0.5, 3));
        let operands = inputs.map(|kind| net.input(kind, &[2], codes(kind)));
        let y = net.tensor(result, &[2], codes(result), &[]);
        net.operator(code, &operands, &[y], options);
        said((net, vec![y]))
    };
    assert_eq!(of(0, [F32; 2], I8, None), "the result's element type is f32, the file says int8");
    assert_eq!(of(0, [I8, U8], I8, None), "ADD of int8 and uint8");
    assert_eq!(of(86, [I8; 2], I8, None), "LOGICAL_AND of int8");
    assert_eq!(of(84, [BOOL, I32], BOOL, None), "LOGICAL_OR of int32");
    let compared = "EQUAL of int8: its result is a boolean tensor, which quantized networks do not support";
    assert_eq!(of(71, [I8; 2], BOOL, None), compared);
    let mut net = Net::default();
    net.input(F32, &[2], None);
    let real = net.tensor(F32, &[2], None, &[0; 8]);
    let [half, y] = [net.tensor(I8, &[2], Some((0.5, 3)), &[]), net.codes(&[2])];
    net.operator(124, &[real], &[half], None);
    net.operator(19, &[half], &[y], None);
    assert_eq!(said((net, vec![y])), "the result's element type is float32, the file says int8");
    let mut net = Net::default();
    let x = net.input(I8, &[2], Some((0.5, 3)));
    let y = net.codes(&[2]);
    net.operator(6, &[x], &[y], None);
    assert_eq!(said((net, vec![y])), "the result's element type is float, the file says int8");
}

#[test]
fn selections_and_layers_have_operands_of_one_kind() {
    let mut net = Net::default();
    let [c, a, b] =
        [net.input(I8, &[2], Some((0.5, 3))), net.input(F32, &[2], None), net.input(F32, &[2], None)];
    let y = net.tensor(F32, &[2], None, &[]);
    net.operator(64, &[c, a, b], &[y], None);
    assert_eq!(said((net, vec![y])), "a selection by int8 among float32 and float32");
    let mut net = Net::default();
    let x = net.input(F32, &[1, 2], None);
    let w = net.tensor(F32, &[1, 2], None, &[0; 8]);
    let (b, y) = (net.ints(&[1]), net.tensor(F32, &[1, 1], None, &[]));
    let options = O::FullyConnectedOptions(Box::<FullyConnectedOptions>::default());
    net.operator(9, &[x, w, b], &[y], Some(options));
    assert_eq!(said((net, vec![y])), "a bias of int32 for a layer of floats");
}

/// A variable that is read as codes, begins with `first`, and is written as `new`.
fn variable(first: i8, new: i8) -> (Net, Vec<i32>) {
    let codes = |kind: i8| [I8, U8].contains(&kind).then_some((0.5, 3));
    let name = || {
        let options =
            VarHandleOptions { shared_name: Some("memory".to_owned()), ..VarHandleOptions::default() };
        Some(O::VarHandleOptions(Box::new(options)))
    };
    let mut net = Net::default();
    let x = net.input(new, &[1, 2], codes(new));
    let handle = net.tensor(RESOURCE, &[], None, &[]);
    let old = net.codes(&[1, 2]);
    let once = O::CallOnceOptions(Box::new(CallOnceOptions { init_subgraph_index: 1 }));
    net.operator(129, &[], &[], Some(once));
    net.operator(142, &[], &[handle], name());
    net.operator(143, &[handle], &[old], None);
    net.operator(144, &[handle, x], &[], None);
    let mut start = Net::default();
    let handle = start.tensor(RESOURCE, &[], None, &[]);
    let value = start.tensor(
        first,
        &[1, 2],
        codes(first),
        &[3, 3, 0, 0, 0, 0, 0, 0][..if first == F32 { 8 } else { 2 }],
    );
    start.operator(142, &[], &[handle], name());
    start.operator(144, &[handle, value], &[], None);
    net.others.push(start);
    (net, vec![old])
}

#[test]
fn variables_keep_their_elements() {
    let (net, outputs) = variable(I8, I8);
    let network = import(&net.bytes(&outputs), &Options::default()).unwrap();
    assert_eq!(network.record.operators[0].fate, Fate::Folded);
    assert_eq!(network.record.operators[0].kind, "CALL_ONCE");
    let (net, outputs) = variable(I8, F32);
    let text = "the variable '/memory' changes its element type: int8 is read, float32 is written";
    assert_eq!(refused(net, &outputs), text);
    let (net, outputs) = variable(U8, I8);
    let text = "the variable '/memory' changes its element type: int8 is read, uint8 is written";
    assert_eq!(said((net, outputs)), text);
}

#[test]
fn one_row_has_no_two_corners() {
    let resize = |kind: i8| {
        let codes = (kind == I8).then_some((0.5, 3));
        let mut net = Net::default();
        let x = net.input(kind, &[1, 1, 4, 1], codes);
        let (size, y) = (net.ints(&[3, 4]), net.tensor(kind, &[1, 3, 4, 1], codes, &[]));
        let options = ResizeBilinearOptions { align_corners: true, half_pixel_centers: false };
        net.operator(23, &[x, size], &[y], Some(O::ResizeBilinearOptions(Box::new(options))));
        said((net, vec![y]))
    };
    let text = "resize: [1, 1, 4, 1] to [3, 4] rows and columns: one pixel has no two corners to align";
    assert_eq!([resize(F32), resize(I8)], [text, text]);
}

#[test]
fn what_operators_add_to_the_graph_is_limited_by_the_file() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 1], Some((0.5, 3)));
    let times = net.ints(&[4096, 4096]);
    let mut y = x;
    for _ in 0..2000 {
        y = net.codes(&[4096, 4096]);
        net.operator(69, &[x, times], &[y], None);
    }
    let bytes = net.bytes(&(x + 2..=y).collect::<Vec<_>>());
    let refusal = import(&bytes, &Options::default()).map(|_| ()).unwrap_err();
    assert_eq!(refusal.causes.len(), 1);
    assert_eq!(refusal.causes[0].what, "the network takes far more memory than the file has bytes");
    assert_eq!(refusal.causes[0].others, 0);
    let shape = ReshapeOptions { new_shape: Some(vec![2]) };
    let mut net = Net::default();
    let (x, y) = (net.input(I8, &[2, 1], Some((0.5, 3))), net.codes(&[2]));
    net.operator(22, &[x], &[y], Some(O::ReshapeOptions(Box::new(shape))));
    assert_eq!(names(&read(net, &[y])), ["reshape"]);
}
