//! Inputs, outputs, shapes, constants of the file, and where a network ends.

use super::*;
use crate::onnx::proto::Entry;
use crate::tosa::Origin;
use crate::{CauseKind, Fate, Record};

/// `y = relu(x)`, and `z = -y`.
fn two(shape: &[i64]) -> File {
    file(13).input("x", FLOAT, shape).output("z").node("Relu", "x", "y", vec![]).node("Neg", "y", "z", vec![])
}

#[test]
fn an_open_first_dimension_is_the_batch() {
    let net = two(&[-1, 3]);
    let network = net.network();
    assert_eq!(network.graph.shape(network.graph.inputs[0].id), [1, 3]);
    assert_eq!(network.notes, ["the first dimension of 'x' is open and taken as 1"]);
    let four = net.import(&Options { batch: Some(4), ..Options::default() }).unwrap();
    assert_eq!((four.graph.shape(four.graph.outputs[0].id), four.notes.len()), (&[4, 3][..], 0));
    let fixed = two(&[2, 3]).import(&Options { batch: Some(4), ..Options::default() }).unwrap_err();
    assert_eq!(fixed.to_string(), "--batch: no input has a first dimension that the file leaves open");
}

#[test]
fn other_open_dimensions_must_be_given() {
    let net = two(&[-1, -1, 3]);
    let refusal = net.import(&Options::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "the shape of the input 'x' is ?x?x3");
    assert_eq!(refusal.causes[0].kind, CauseKind::Usage);
    let help = refusal.causes[0].help.as_deref();
    assert_eq!(help, Some("give all extents with --input-shape x=1x3x224x224"));
    for name in [None, Some("x")] {
        let given = net.import(&shaped(name, &[1, 2, 3])).unwrap();
        assert_eq!(given.graph.shape(given.graph.inputs[0].id), [1, 2, 3]);
    }
    let wrong = net.import(&shaped(None, &[1, 2, 4])).unwrap_err();
    assert_eq!(wrong.to_string(), "--input-shape: the shape of the input 'x' is ?x?x3");
    let unknown = net.import(&shaped(Some("y"), &[1, 2, 4])).unwrap_err();
    assert_eq!(unknown.to_string(), "the shape of the input 'x' is ?x?x3");
    let unknown = two(&[1, 3]).import(&shaped(Some("v"), &[1, 3])).unwrap_err();
    assert_eq!(unknown.to_string(), "--input-shape 'v': the inputs are 'x'");
    let mut bare = two(&[1, 3]);
    bare.graph().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape = None;
    assert_eq!(bare.refusal(), "the shape of the input 'x' is not in the file");
}

#[test]
fn a_network_ends_where_it_is_cut() {
    let mut net = two(&[2]);
    net = net.node("NonMaxSuppression", "z", "boxes", vec![]);
    net.graph().output[0].name = "boxes".into();
    assert_eq!(net.refusal(), "NonMaxSuppression 'boxes': 'NonMaxSuppression' is not supported");
    let refusal = net.import(&Options::default()).unwrap_err();
    assert_eq!(refusal.causes[0].help.as_deref(), Some("--cut z ends the network before it"));
    let fates = |record: &Record| record.operators.iter().map(|op| op.fate).collect::<Vec<Fate>>();
    assert_eq!(fates(&refusal.record), [Fate::Imported, Fate::Imported, Fate::Refused(0)]);
    let behind = file(13).input("x", FLOAT, &[2]).output("z").node("Hardmax", "x", "y", vec![]);
    let behind = behind.node("Neg", "y", "z", vec![]);
    let refusal = behind.import(&Options::default()).unwrap_err();
    assert_eq!(fates(&refusal.record), [Fate::Refused(0), Fate::Unread]);
    let refusal = behind.import(&Options { batch: Some(2), ..Options::default() }).unwrap_err();
    assert_eq!(fates(&refusal.record), [Fate::Unread, Fate::Unread]);
    let cut = |name: &str| net.import(&Options { cut: vec![name.into()], ..Options::default() });
    let network = cut("z").unwrap();
    assert_eq!(network.graph.outputs[0].name, "z");
    assert_eq!(fates(&network.record), [Fate::Imported, Fate::Imported, Fate::Cut]);
    assert_eq!(cut("v").unwrap_err().to_string(), "--cut 'v': there is no such tensor");
    assert_eq!(cut("x").unwrap_err().to_string(), "--cut 'x': this is an input, nothing would be left");
    let subgraph = net.import(&Options { subgraph: Some("a".into()), ..Options::default() }).unwrap_err();
    assert_eq!(subgraph.to_string(), "an ONNX file has one graph, --subgraph is for TFLite files");
}

#[test]
fn several_inputs_and_outputs_keep_their_order_and_unused_ones_are_left_out() {
    let net = file(13)
        .input("a", FLOAT, &[2])
        .input("size", INT64, &[2])
        .input("b", FLOAT, &[2])
        .output("d")
        .output("a")
        .node("Sub", "b a", "d", vec![]);
    let network = net.network();
    let names =
        |ports: &[crate::tosa::Port]| -> Vec<String> { ports.iter().map(|p| p.name.clone()).collect() };
    assert_eq!(
        (names(&network.graph.inputs), names(&network.graph.outputs)),
        (vec!["a".into(), "b".into()], vec!["d".into(), "a".into()])
    );
    assert_eq!(network.notes, ["the input 'size' is not used and left out"]);
    assert_eq!(net.run(&[(&[2], &[1.0, 2.0]), (&[2], &[5.0, 5.0])]).data, [4.0, 3.0]);
}

#[test]
fn constants_may_be_listed_as_inputs_and_have_any_float_type() {
    // 1.5 and -2 as halves, and as doubles; the least double is minus infinity.
    let mut net = two(&[2]).input("c", FLOAT, &[2]);
    let half = Tensor {
        name: "c".into(),
        data_type: 10,
        dims: vec![2],
        raw_data: vec![0x00, 0x3e, 0x00, 0xc0],
        ..Tensor::default()
    };
    net.graph().initializer.push(half);
    net.graph().node[0] = Node {
        input: vec!["x".into(), "c".into()],
        op_type: "Add".into(),
        output: vec!["y".into()],
        ..Node::default()
    };
    assert_eq!(net.run(&[(&[2], &[1.0, 1.0])]).data, [-2.5, 1.0]);
    let double = Tensor {
        name: "c".into(),
        data_type: 11,
        dims: vec![2],
        double_data: vec![0.25, f64::MIN],
        ..Tensor::default()
    };
    net.graph().initializer[0] = double;
    assert_eq!(net.run(&[(&[2], &[1.0, 1.0])]).data, [-1.25, f64::INFINITY]);
    net.graph().initializer[0].dims = vec![3];
    assert_eq!(net.refusal(), "Add 'y': the constant 'c': its data are not those of 3 elements of float64");
}

#[test]
fn external_data_come_from_the_folder_of_the_file_alone() {
    let folder = std::env::temp_dir().join(format!("strum-doors-onnx-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    std::fs::write(folder.join("inner/weights"), [0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]).unwrap();
    let load = |entries: &[(&str, &str)], folder: Option<&std::path::Path>| {
        let mut net = two(&[2]);
        let entry = |(key, value): &(&str, &str)| Entry { key: (*key).into(), value: (*value).into() };
        net.graph().initializer.push(Tensor {
            name: "c".into(),
            data_type: FLOAT,
            dims: vec![2],
            data_location: 1,
            external_data: entries.iter().map(entry).collect(),
            ..Tensor::default()
        });
        net.graph().node[1].op_type = "Add".into();
        net.graph().node[1].input.push("c".into());
        net.import(&Options { folder: folder.map(Into::into), ..Options::default() })
    };
    let network =
        load(&[("location", "inner/weights"), ("offset", "4"), ("length", "8")], Some(&folder)).unwrap();
    let x = Array { shape: vec![2], data: vec![10.0, 20.0] };
    assert_eq!(evaluate(&network.graph, &[x])[0].data, [11.0, 22.0]);
    let inner = folder.join("inner");
    let message = |entries: &[(&str, &str)], folder| load(entries, folder).unwrap_err().to_string();
    let of = |what: &str| format!("Add 'z': the constant 'c': {what}");
    let here = Some(inner.as_path());
    assert_eq!(
        message(&[("location", "weights")], None),
        of("its data are in another file, 'weights', and no folder is known")
    );
    let outside = of("its data must be in the folder of the file, not in '../inner/weights'");
    assert_eq!(message(&[("location", "../inner/weights")], here), outside);
    assert_eq!(
        message(&[("location", "weights"), ("offset", "8")], here),
        of("'weights' is too short for its data")
    );
    assert_eq!(
        message(&[("location", "weights"), ("length", "4")], here),
        of("its data must be 8 bytes of 'weights', not 4")
    );
    assert_eq!(
        message(&[("location", "weights"), ("offset", "x")], here),
        of("offset and length of external data must be numbers")
    );
    assert!(message(&[("location", "none")], here).starts_with(&of("its data cannot be read from 'none': ")));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", inner.join("link")).unwrap();
        let outside = of("its data must be in the folder of the file, not in 'link'");
        assert_eq!(message(&[("location", "link")], here), outside);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn operators_behind_a_limit_are_recorded_as_unread() {
    let mut net = file(13).input("x", FLOAT, &[1]).output("z");
    for index in 0..5 {
        let name = format!("c{index}");
        net = net.node("Add", &format!("x {name}"), &format!("y{index}"), vec![]);
        let far =
            Tensor { name, data_type: FLOAT, dims: vec![1 << 28], data_location: 1, ..Tensor::default() };
        net.graph().initializer.push(far);
    }
    let net = net.node("Neg", "x", "v", vec![]).node("Sum", "v y0 y1 y2 y3 y4", "z", vec![]);
    let refusal = net.import(&Options::default()).unwrap_err();
    let last = refusal.causes.last().map(|cause| cause.what.as_str());
    let expected = "the constant 'c4': constants in other files have more than 1073741824 elements";
    assert_eq!((refusal.causes.len(), last), (5, Some(expected)));
    let fates: Vec<Fate> = refusal.record.operators.iter().map(|op| op.fate).collect();
    let refused = (0..5).map(Fate::Refused);
    assert_eq!(fates, refused.chain([Fate::Unread; 2]).collect::<Vec<_>>());
}

#[test]
fn a_constant_that_is_mentioned_often_is_read_and_kept_once() {
    let mut net =
        file(13).input("x", FLOAT, &[1000]).output("v300").constant("c", FLOAT, &[1000], &wave(1000));
    let (mut before, mut sums) = ("x".to_owned(), 0);
    while sums < 300 {
        sums += 1;
        let name = format!("v{sums}");
        net = net.node("Add", &format!("{before} c"), &name, vec![]);
        before = name;
    }
    let graph = net.network().graph;
    let constants = graph.values.iter().filter(|v| matches!(v.origin, Origin::Constant(_)));
    assert_eq!((constants.count(), graph.nodes.len()), (1, 300));
}
