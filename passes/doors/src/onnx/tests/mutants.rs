//! Damaged files. Invariant: whatever the bytes, an import ends, in a network or in lines of a refusal.

use proptest::prelude::*;

use super::*;

/// A file with operators of every kind of reading: shapes, constants, windows, quantization.
fn seed() -> Vec<u8> {
    let net = file(13)
        .input("x", FLOAT, &[-1, 3, 8, 8])
        .output("y")
        .constant("w", FLOAT, &[4, 3, 3, 3], &wave(108))
        .constant("s", FLOAT, &[], &[0.05])
        .constant("z", INT8, &[], &[3.0])
        .constant("c", INT8, &[4, 4, 1, 1], &wave(16))
        .constant("list", INT64, &[2], &[1.0, -1.0])
        .constant("sizes", INT64, &[4], &[1.0, 4.0, 16.0, 16.0])
        .node("QuantizeLinear", "x s z", "q", vec![])
        .node("DequantizeLinear", "q s z", "d", vec![])
        .node("QuantizeLinear", "w s z", "w_q", vec![])
        .node("DequantizeLinear", "w_q s z", "w_d", vec![])
        .node("Conv", "d w_d", "v", vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])])
        .node("Relu", "v", "r", vec![])
        .node("QuantizeLinear", "r s z", "r_q", vec![])
        .node("DequantizeLinear", "r_q s z", "r_d", vec![])
        .node("MaxPool", "r_d", "p", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .node("Resize", "p - - sizes", "up", vec![text("mode", "nearest")])
        .node("Shape", "up", "shape", vec![])
        .node("ConstantOfShape", "shape", "zeros", vec![])
        .node("Reshape", "up list", "flat", vec![])
        .node("QuantizeLinear", "flat s z", "out", vec![])
        .node("DequantizeLinear", "out s z", "y", vec![]);
    net.0.encode_to_vec()
}

/// Whether an import ends in a network, or in causes of one line each.
fn is_read_or_refused_in_lines(bytes: &[u8]) -> bool {
    match crate::import(bytes, &Options::default()) {
        Ok(_) => true,
        Err(refusal) => {
            !refusal.causes.is_empty() && refusal.causes.iter().all(|cause| !cause.to_string().contains('\n'))
        }
    }
}

#[test]
fn the_file_before_it_is_damaged_is_read() {
    let network = crate::import(&seed(), &Options::default()).unwrap();
    assert_eq!(network.graph.shape(network.graph.outputs[0].id), [1, 1024]);
}

/// A graph that passes the decoder, with one place of it changed.
fn changed(mut graph: Graph, [what, which, value]: [usize; 3]) -> Graph {
    const KINDS: &str = "Add Sub Div Pow Conv ConvTranspose MatMul Gemm Einsum MaxPool AveragePool LpPool GlobalAveragePool LRN \
        BatchNormalization InstanceNormalization LpNormalization Clip PRelu Gelu Softmax ReduceMean ReduceMax ArgMax Resize Where \
        Identity Cast Shape Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather Pad Expand Tile DepthToSpace \
        SpaceToDepth QuantizeLinear DequantizeLinear QLinearConv Mod Range Not ConstantOfShape MeanVarianceNormalization";
    const NUMBERS: [i64; 12] = [0, 1, 2, 3, 7, 255, 65536, 1 << 31, i64::MAX, i64::MIN, -1, -2];
    let kinds: Vec<&str> = KINDS.split_whitespace().collect();
    let made: Vec<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
    let given: Vec<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let names = [made, given, vec!["x".into(), String::new()]].concat();
    let number = NUMBERS[value % NUMBERS.len()];
    let (nodes, constants) = (graph.node.len(), graph.initializer.len());
    let node = &mut graph.node[which % nodes];
    let constant = &mut graph.initializer[which % constants];
    match what % 9 {
        0 => node.op_type = kinds[value % kinds.len()].into(),
        1 if !node.input.is_empty() => {
            let place = value / names.len() % node.input.len();
            node.input[place] = names[value % names.len()].clone();
        }
        2 => node.input.push(names[value % names.len()].clone()),
        3 => _ = node.input.pop(),
        4 => {
            let name =
                ["axis", "pads", "strides", "group", "kernel_shape", "blocksize", "to", "perm"][which % 8];
            node.attribute.retain(|attribute| attribute.name != name);
            let list = Attribute { ints: vec![number; value % 5], ..int(name, number) };
            node.attribute.push(list);
        }
        5 => constant.dims = vec![number; value % 5],
        6 => constant.int64_data.iter_mut().chain(&mut constant.dims).for_each(|d| *d = number),
        7 => constant.data_type = (value % 24) as i32,
        _ => constant.float_data.iter_mut().for_each(|x| *x = [0.0, f32::NAN, 1e38, -1.0, 1e-40][value % 5]),
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_files_are_read_or_refused_in_lines(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        let mut bytes = seed();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if truncate {
            bytes.truncate(keep.index(bytes.len()));
        }
        prop_assert!(is_read_or_refused_in_lines(&bytes));
    }

    #[test]
    fn changed_graphs_are_read_or_refused_in_lines(
        changes in prop::collection::vec(prop::array::uniform3(any::<u16>()), 1..4),
    ) {
        let mut model = Model::decode(&seed()[..]).unwrap();
        let graph = changes.into_iter().fold(model.graph.take().unwrap(), |g, c| changed(g, c.map(usize::from)));
        model.graph = Some(graph);
        prop_assert!(is_read_or_refused_in_lines(&model.encode_to_vec()));
    }
}
