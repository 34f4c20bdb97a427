//! Tables of a file that contradict each other, and limits of their sizes.

use strum_doors::{Options, import};
use strum_schemas::planus::ReadAsRoot;
use strum_schemas::tflite::{
    BuiltinOptions as O, CallOnceOptions, DimensionMetadata, Int32Vector, Model, ModelRef, SparseIndexVector,
    SparsityParameters, VarHandleOptions,
};

use super::file::{I8, Net, RESOURCE, written};

const CODES: Option<(f32, i64)> = Some((0.5, 3));

fn said(bytes: &[u8]) -> String {
    let refusal = import(bytes, &Options::default()).map(|_| ()).unwrap_err();
    assert!(!refusal.to_string().contains('\n'), "{refusal}");
    refusal.causes[0].what.clone()
}

/// The refusal of a RELU after a change of its model.
fn changed(change: impl FnOnce(&mut Model)) -> String {
    let mut net = Net::default();
    let (x, y) = (net.input(I8, &[2], CODES), net.codes(&[2]));
    net.operator(19, &[x], &[y], None);
    let mut model = Model::try_from(ModelRef::read_as_root(&net.bytes(&[y])).unwrap()).unwrap();
    change(&mut model);
    said(&written(&model))
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let graph = |model: &mut Model| model.subgraphs.as_mut().unwrap().remove(0);
    let with = |change: fn(&mut strum_schemas::tflite::SubGraph)| {
        changed(|model| {
            let mut first = graph(model);
            change(&mut first);
            model.subgraphs = Some(vec![first]);
        })
    };
    let cases = [
        (changed(|model| model.version = 2), "version 2 of the format; 3 is supported"),
        (changed(|model| model.subgraphs = None), "the file is damaged: there is no subgraph 0"),
        (
            changed(|model| {
                let buffer = model.buffers.as_mut().unwrap().get_mut(1).unwrap();
                (buffer.offset, buffer.size) = (1 << 40, 8);
            }),
            "the file is damaged: 8 bytes at 1099511627776 are not in the file",
        ),
        (with(|graph| graph.outputs = None), "a network without outputs"),
        (
            with(|graph| graph.tensors.as_mut().unwrap()[0].shape = Some(vec![1; 9])),
            "a tensor of more than 8 dimensions",
        ),
        (
            with(|graph| graph.operators.as_mut().unwrap()[0].opcode_index = 9),
            "the file is damaged: there is no operator code 9",
        ),
        (
            with(|graph| graph.operators.as_mut().unwrap()[0].inputs = Some(vec![99])),
            "the file is damaged: there is no tensor 99",
        ),
        (
            with(|graph| graph.operators.as_mut().unwrap()[0].inputs = Some(vec![0; (1 << 18) + 1])),
            "operators with more than 262144 operands and results",
        ),
        (
            with(|graph| {
                let tensors = graph.tensors.as_mut().unwrap();
                let last = tensors[1].clone();
                tensors.resize((1 << 18) + 1, last);
            }),
            "262145 tensors; at most 262144",
        ),
        (
            with(|graph| graph.tensors.as_mut().unwrap()[0].name = Some("x".repeat((1 << 26) + 1))),
            "names of more than 67108864 bytes",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
}

fn level(sparse: Option<[Vec<i32>; 2]>, format: i8, size: i32) -> DimensionMetadata {
    let list = |values: &Vec<i32>| {
        let values = Some(values.clone());
        SparseIndexVector::Int32Vector(Box::new(Int32Vector { values }))
    };
    let [segments, indices] = match &sparse {
        Some([segments, indices]) => [Some(list(segments)), Some(list(indices))],
        None => [None, None],
    };
    DimensionMetadata { format, dense_size: size, array_segments: segments, array_indices: indices }
}

#[test]
fn sparse_constants_that_do_not_fit_their_shape_are_refused() {
    let sparse = |shape: &[i32], order: &[i32], metadata: Vec<DimensionMetadata>| {
        let mut net = Net::default();
        let (x, w) = (net.input(I8, &[2], CODES), net.tensor(I8, shape, CODES, &[1]));
        net.last().sparsity = Some(Box::new(SparsityParameters {
            traversal_order: Some(order.to_vec()),
            block_map: None,
            dim_metadata: Some(metadata),
        }));
        let y = net.codes(&[2]);
        net.operator(0, &[x, w], &[y], None);
        said(&net.bytes(&[y]))
    };
    let of =
        |segments: &[i32], indices: &[i32]| vec![level(Some([segments.to_vec(), indices.to_vec()]), 1, 0)];
    let wide = [i32::MAX; 4];
    assert!(sparse(&wide, &[0], Vec::new()).starts_with("a sparse tensor of shape [2147483647, "));
    let cases = [
        (of(&[0, 1], &[5]), "the file is damaged: a sparse tensor has elements outside of its shape"),
        (of(&[0, 3], &[0]), "the file is damaged: a segment of a sparse tensor is missing"),
        (Vec::new(), "the file is damaged: the traversal of a sparse tensor does not fit its shape"),
        (vec![level(None, 7, 2)], "a sparse dimension of format 7"),
    ];
    for (metadata, expected) in cases {
        assert_eq!(sparse(&[2], &[0], metadata), expected);
    }
}

fn memory() -> Option<O> {
    let name = Some("memory".to_owned());
    Some(O::VarHandleOptions(Box::new(VarHandleOptions { shared_name: name, ..VarHandleOptions::default() })))
}

/// A network that reads and writes a variable of two codes, after a call of another subgraph.
fn streaming(call: Option<i32>, first: impl FnOnce(&mut Net), written: &[i32]) -> String {
    let mut net = Net::default();
    let x = net.input(I8, written, CODES);
    let (handle, old) = (net.tensor(RESOURCE, &[], None, &[]), net.codes(&[1, 2]));
    let options =
        call.map(|index| O::CallOnceOptions(Box::new(CallOnceOptions { init_subgraph_index: index })));
    net.operator(129, &[], &[], options);
    net.operator(142, &[], &[handle], memory());
    net.operator(143, &[handle], &[old], None);
    net.operator(144, &[handle, x], &[], None);
    let mut start = Net::default();
    first(&mut start);
    net.others.push(start);
    said(&net.bytes(&[old]))
}

#[test]
fn variables_that_do_not_fit_are_refused() {
    let handle = |net: &mut Net| {
        let handle = net.tensor(RESOURCE, &[], None, &[]);
        net.operator(142, &[], &[handle], memory());
        handle
    };
    let same: &[i32] = &[1, 2];
    let computed = |net: &mut Net| {
        let (handle, value) = (handle(net), net.codes(&[1, 2]));
        net.operator(144, &[handle, value], &[], None);
    };
    let alone = |code: i32, options: Option<O>, operands: &[i32]| {
        let mut net = Net::default();
        let (x, y) = (net.input(I8, &[2], CODES), net.codes(&[2]));
        assert_eq!(x, 0);
        net.operator(code, operands, &[y], options);
        said(&net.bytes(&[y]))
    };
    let moved = |net: &mut Net| {
        let (x, y) = (net.codes(&[1]), net.codes(&[1]));
        net.operator(19, &[x], &[y], None);
    };
    let mut operand = Net::default();
    let (handle_of, y) = (handle(&mut operand), operand.tensor(RESOURCE, &[], None, &[]));
    let shape = operand.ints(&[1]);
    operand.operator(22, &[handle_of, shape], &[y], None);
    let cases = [
        (alone(142, None, &[]), "the file is damaged: a variable has no name"),
        (alone(143, None, &[-1]), "the file is damaged: a variable is missing"),
        (alone(143, None, &[0]), "the file is damaged: an operand is not a variable"),
        (said(&operand.bytes(&[y])), "the variable '/memory' as an operand"),
        (streaming(None, |_| {}, same), "the file is damaged: CALL_ONCE has no options"),
        (streaming(Some(7), |_| {}, same), "the file is damaged: there is no subgraph 7"),
        (
            streaming(Some(1), |net| net.operator(144, &[0, 0], &[], None), same),
            "the file is damaged: there is no tensor 0",
        ),
        (
            streaming(
                Some(1),
                |net| {
                    let x = net.codes(&[1, 2]);
                    net.operator(144, &[x, x], &[], None);
                },
                same,
            ),
            "the file is damaged: a variable is written that is not there",
        ),
        (streaming(Some(1), computed, same), "the variable '/memory' begins with a computed value"),
        (streaming(Some(1), moved, same), "RELU where variables get their first value"),
        (streaming(Some(1), |_| {}, &[1, 3]), "the variable '/memory' changes its shape"),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
}
